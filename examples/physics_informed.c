/*
 * A network that solves a differential equation (Raissi, Perdikaris and Karniadakis, 2019): the damped oscillator
 *
 *     u'' + 2 d u' + w^2 u = 0,  u(0) = 1, u'(0) = 0,  with d = 2, w = 12, on [0, 1]
 *
 * No value of u is ever shown to the network, only the equation: the loss is the mean square of its left side at 64
 * times. u is written 1 + t^2 N(t), which has the two initial values whatever N is. The loss holds u' and u'', derivatives
 * of the network by its input, and is itself differentiated by the weights: third derivatives of what was written down.
 *
 *     physics_informed [--iterations N] [--out DIR]      default: 1500; writes physics_informed.svg there
 */
#include <gradus.h>
#include "support/options.h"
#include "support/plot.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TIMES = 64, CURVE = 201, HIDDEN = 32, MOST_WEIGHTS = 8 };
static const double damping = 2, frequency = 12;

static double exact(double t)
{
    const double w = sqrt(frequency * frequency - damping * damping);
    return exp(-damping * t) * (cos(w * t) + damping / w * sin(w * t));
}

static gr_tensor solution(gr_mlp net, gr_tensor t)
{
    return gr_add_scalar(gr_mul(gr_square(t), gr_mlp_forward(net, t)), 1);
}

/* dy/dt at each time, as a tensor that can be differentiated again. Each y depends on its own t alone, so that the
   gradient of their sum has the derivatives side by side. */
static gr_tensor by_time(gr_tensor y, gr_tensor t)
{
    gr_tensor derivative = GR_NONE;
    const gr_tensor total = gr_sum(y, GR_ALL_AXES, false);
    gr_grad(1, &total, 1, &t, NULL, &(gr_grad_options){.record = true}, &derivative);
    return derivative;
}

/* The mean square of the left side, over w^4 so that it is of the size of u. t: [n, 1] */
static gr_tensor residual(gr_mlp net, gr_tensor t)
{
    const gr_tensor u = solution(net, t), du = by_time(u, t), ddu = by_time(du, t);
    const gr_tensor left = gr_add(gr_add(ddu, gr_scale(du, 2 * damping)), gr_scale(u, frequency * frequency));
    return gr_scale(gr_mean(gr_square(left), GR_ALL_AXES, false), pow(frequency, -4));
}

typedef struct problem {
    gr_mlp net;
    gr_tensor t; /* a leaf that derivatives are taken by */
} problem;

static gr_tensor loss(gr_graph *g, void *user)
{
    const problem *p = user;
    (void)g;
    return residual(p->net, p->t);
}

static bool show(const gr_lbfgs_step *step, void *user)
{
    const int *every = user;
    if (step->iteration % *every == 0)
        printf("  iteration %4d   residual %.3e\n", step->iteration, step->loss);
    return true;
}

/* L-BFGS: the loss is a smooth function without noise, and steep in some directions, flat in others. */
static bool train(gr_graph *g, gr_mlp net, int iterations)
{
    double times[TIMES];
    for (int i = 0; i < TIMES; i++) times[i] = (i + 0.5) / TIMES;
    problem p = {net, gr_set_requires_grad(gr_constant(g, GR_F64, GR_SHAPE(TIMES, 1), times), true)};
    int every = iterations / 8 > 0 ? iterations / 8 : 1, n = 0;
    gr_tensor weights[MOST_WEIGHTS];
    for (; n < gr_param_count(g) && n < MOST_WEIGHTS; n++) weights[n] = gr_param_at(g, n);
    const gr_lbfgs_options options = {.n = n,
                                      .params = weights,
                                      .history = 30,
                                      .max_iterations = iterations,
                                      .change_tolerance = -1,
                                      .on_step = show,
                                      .on_step_user = &every};
    gr_lbfgs_result result;
    if (gr_lbfgs_minimize(g, loss, &p, &options, &result) != GR_OK) return false;
    printf("residual %.2e after %d iterations, %d evaluations: %s\n", result.loss, result.iterations,
           result.evaluations, gr_lbfgs_stop_text(result.stop));
    return true;
}

/* Prints how far the solution is from the exact one, and draws both. */
static bool compare(gr_graph *g, gr_mlp net, const char *out)
{
    static double t[CURVE], u[CURVE], truth[CURVE];
    double worst = 0;
    char path[4096];
    for (int i = 0; i < CURVE; i++) t[i] = (double)i / (CURVE - 1), truth[i] = exact(t[i]);
    gr_read(solution(net, gr_constant(g, GR_F64, GR_SHAPE(CURVE, 1), t)), u, CURVE);
    for (int i = 0; i < CURVE; i++) worst = fmax(worst, fabs(u[i] - truth[i]));
    printf("largest distance from the exact solution: %.2e\n", worst);
    if (!out) return true;
    const plot_series series[] = {
        {.label = "exact", .x = t, .y = truth, .n = CURVE},
        {.label = "network", .x = t, .y = u, .n = CURVE},
    };
    snprintf(path, sizeof path, "%s/physics_informed.svg", out);
    const plot_options options = {
        .title = "A damped oscillator, found from its equation alone", .x_label = "t", .y_label = "u"};
    if (!plot_write(path, &options, 2, series)) {
        fprintf(stderr, "physics_informed: cannot write %s: %s\n", path, strerror(errno));
        return false;
    }
    printf("wrote %s\n", path);
    return true;
}

int main(int argc, char **argv)
{
    const char *out = NULL;
    int64_t iterations = 1500;
    const option options[] = {{"iterations", "N", .count = &iterations, .least = 1},
                              {"out", "DIR", .text = &out}};
    if (!options_read("physics_informed", argc, argv, 2, options)) return 2;
    gr_graph *g = gr_graph_create(NULL);
    gr_seed(g, 1);
    const gr_mlp net = gr_mlp_create(g, "", GR_F64, 4, (int64_t[]){1, HIDDEN, HIDDEN, 1}, gr_tanh,
                                     gr_init_xavier_normal);
    const bool fine = train(g, net, (int)iterations) && compare(g, net, out);
    if (gr_graph_status(g) != GR_OK) fprintf(stderr, "physics_informed: %s\n", gr_graph_error(g));
    gr_graph_destroy(g);
    return fine ? 0 : 1;
}
