/*
 * Newton's method without a Hessian: each step solves H p = -g by conjugate gradients, which needs H only in
 * products H v, and those cost a few evaluations of the function (gr_hvp). Beside it gradient descent, from the
 * same start, with the same line search.
 *
 *     newton_cg [--n 20] [--out DIRECTORY]
 *
 * The function is Rosenbrock's in a chain, f(x) = sum_i 100 (x_i+1 - x_i^2)^2 + (1 - x_i)^2, whose minimum 0 at
 * (1, ..., 1) lies at the end of a long bent valley. Writes newton_cg.svg: f against the work done.
 *
 * Source of the method: Nocedal and Wright, "Numerical Optimization", 2006, algorithms 3.1 and 7.1.
 */
#include <gradus.h>

#include "support/plot.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_STEPS = 100000, MOST_HALVINGS = 60, PATH_BYTES = 1024 };
static const double small_gradient = 1e-9;

/* What a method has cost, and the curve of it: f after so much work. */
typedef struct progress {
    int steps, values, gradients, products;
    double work[MOST_STEPS], f[MOST_STEPS];
} progress;

static gr_tensor rosenbrock(gr_tensor x)
{
    const gr_tensor head = gr_slice(x, 0, 0, -1, 1), tail = gr_slice(x, 0, 1, GR_SLICE_DEFAULT, 1);
    const gr_tensor valley = gr_square(gr_sub(tail, gr_square(head)));
    const gr_tensor slope = gr_square(gr_add_scalar(gr_neg(head), 1));
    return gr_sum(gr_add(gr_scale(valley, 100), slope), GR_ALL_AXES, false);
}

/* One unit of work is one evaluation of the function, its gradient, or a product with its Hessian. */
static double work_of(const progress *p) { return (double)(p->values + p->gradients + p->products); }

static void note(progress *p, double f)
{
    p->work[p->steps] = work_of(p);
    p->f[p->steps++] = f;
}

static double dot(gr_tensor a, gr_tensor b) { return gr_item(gr_sum(gr_mul(a, b), GR_ALL_AXES, false)); }

/* a + factor b */
static gr_tensor plus(gr_tensor a, double factor, gr_tensor b) { return gr_add(a, gr_scale(b, factor)); }

/* p with H p = -g, as far as it pays: until the residual is small beside g (the smaller g, the smaller), or H has
   no positive curvature along the way. f is recorded at x. */
static gr_tensor newton_direction(progress *cost, gr_tensor f, gr_tensor x, gr_tensor g)
{
    const double size = sqrt(dot(g, g)), enough = fmin(0.5, sqrt(size)) * size;
    gr_tensor p = gr_scale(g, 0), r = g, d = gr_neg(g);
    double rr = size * size;
    for (int64_t k = 0; k < 2 * gr_count(x) && sqrt(rr) > enough; k++) {
        gr_tensor hd;
        if (gr_hvp(f, 1, &x, &d, &hd) != GR_OK) break;
        cost->products++;
        const double curvature = dot(d, hd);
        if (!(curvature > 0)) return k == 0 ? d : p;
        const double alpha = rr / curvature;
        p = plus(p, alpha, d);
        r = plus(r, alpha, hd);
        const double next = dot(r, r);
        d = plus(gr_neg(r), next / rr, d);
        rr = next;
    }
    return p;
}

/* Moves x along p by the largest of 1, 1/2, 1/4, ... that lowers f by what the slope promises (Armijo, 1966).
   Returns f there, or NaN if none does. */
static double line_search(progress *cost, gr_tensor x, gr_tensor p, double f, double slope, double first)
{
    const double enough = 1e-4;
    double step = first;
    for (int i = 0; i < MOST_HALVINGS; i++, step /= 2) {
        const gr_tensor there = plus(x, step, p);
        gr_no_grad_begin(x.graph);
        const double value = gr_item(rosenbrock(there));
        gr_no_grad_end(x.graph);
        cost->values++;
        if (value <= f + enough * step * slope) {
            gr_assign(x, there);
            return value;
        }
    }
    return NAN;
}

/* Where to stop a method that does not arrive. */
static double most_work(int64_t n) { return 400 * (double)n; }

/* Minimises from x, by either method. Returns the size of the last gradient. */
static double minimise(gr_graph *g, progress *cost, gr_tensor x, bool newton)
{
    double size = INFINITY, step = 1;
    while (cost->steps < MOST_STEPS && work_of(cost) < most_work(gr_count(x)) &&
           gr_graph_status(g) == GR_OK) {
        gr_tensor f = rosenbrock(x), gradient;
        gr_grad(1, &f, 1, &x, NULL, &(gr_grad_options){.retain = newton}, &gradient);
        cost->values++;
        cost->gradients++;
        const double value = gr_item(f);
        note(cost, value);
        size = sqrt(dot(gradient, gradient));
        if (!(size > small_gradient)) break;
        gr_no_grad_begin(g); /* nothing is differentiated any further */
        const gr_tensor p = newton ? newton_direction(cost, f, x, gradient) : gr_neg(gradient);
        gr_no_grad_end(g);
        const double slope = dot(gradient, p);
        const int before = cost->values;
        if (isnan(line_search(cost, x, p, value, slope, newton ? 1 : step)))
            break; /* rounding is all that is left */
        if (!newton)
            step *= 2 * pow(0.5, cost->values - before - 1); /* twice the length that was good here */
        gr_graph_reset(g);
    }
    gr_graph_reset(g);
    return size;
}

static bool run(gr_graph *g, progress *cost, int64_t n, bool newton)
{
    const gr_tensor x = gr_set_requires_grad(gr_constant(g, GR_F64, GR_SHAPE(n), NULL), true);
    const double size = minimise(g, cost, x, newton);
    const double f = gr_item(rosenbrock(x));
    printf("%-18s %6d steps %7d values %6d gradients %6d products H v   f %.3e   |gradient| %.1e\n",
           newton ? "Newton-CG" : "gradient descent", cost->steps, cost->values, cost->gradients,
           cost->products, f, size);
    gr_graph_reset(g);
    gr_release(x);
    return gr_graph_status(g) == GR_OK && isfinite(f) && (!newton || size <= 1e-6);
}

static bool draw(const char *directory, const progress *slow, const progress *fast)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/newton_cg.svg", directory);
    const plot_series series[] = {
        {.label = "gradient descent", .x = slow->work, .y = slow->f, .n = slow->steps},
        {.label = "Newton, conjugate gradients", .x = fast->work, .y = fast->f, .n = fast->steps}};
    const plot_options options = {.title = "Rosenbrock's valley",
                                  .x_label = "work: values, gradients and Hessian-vector products",
                                  .y_label = "f",
                                  .log_y = true};
    if (!plot_write(path, &options, 2, series)) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    printf("wrote %s\n", path);
    return true;
}

int main(int argc, char **argv)
{
    int64_t n = 20;
    const char *directory = ".";
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--n")) n = strtoll(argv[i + 1], NULL, 10);
        if (!strcmp(argv[i], "--out")) directory = argv[i + 1];
    }
    if (argc % 2 == 0 || n < 2 || n > 1000000) {
        fprintf(stderr, "usage: newton_cg [--n 2..1000000] [--out DIRECTORY]\n");
        return 2;
    }
    gr_graph *g = gr_graph_create(NULL);
    progress *slow = calloc(1, sizeof *slow), *fast = calloc(1, sizeof *fast);
    bool good = g && slow && fast;
    if (good) {
        printf("Rosenbrock's function of %lld variables, from 0\n", (long long)n);
        good = run(g, slow, n, false);
        good &= run(g, fast, n, true);
        good &= draw(directory, slow, fast);
        if (gr_graph_status(g) != GR_OK) fprintf(stderr, "%s\n", gr_graph_error(g));
    }
    free(slow);
    free(fast);
    gr_graph_destroy(g);
    return good ? 0 : 1;
}
