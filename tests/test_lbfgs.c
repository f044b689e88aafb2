/*
 * L-BFGS: known minima of functions that are easy, bent, ill-conditioned, stochastic-looking or not defined everywhere;
 * the strong Wolfe conditions at each accepted point, computed here; that no end of a run, however it comes about,
 * leaves the parameters at a worse point; resuming, memory, misuse.
 */
#include "gradus.h"
#include "ledger.h"
#include "test.h"

enum { MOST = 100 };
static const double nan_ = (double)NAN;

static gr_tensor total(gr_tensor x) { return gr_sum(x, GR_ALL_AXES, false); }

static void expect(gr_graph *g, gr_status status, const char *part)
{
    CHECK(gr_graph_status(g) == status);
    CHECK_TEXT(gr_graph_error(g), part);
    gr_graph_clear_error(g);
}

/* ---- Functions, as tensors and as plain numbers ---- */

typedef struct problem {
    gr_tensor x;
    gr_loss_function *loss;
    double (*plain)(int n, const double *x, double *gradient);
    int n;
    double start[MOST];
    double weight[MOST];
} problem;

static const double *weights; /* of the plain functions */

static gr_tensor rosenbrock(gr_graph *g, void *user)
{
    const gr_tensor x = ((const problem *)user)->x;
    (void)g;
    const gr_tensor head = gr_slice(x, 0, 0, -1, 1), tail = gr_slice(x, 0, 1, GR_SLICE_DEFAULT, 1);
    const gr_tensor valley = gr_square(gr_sub(tail, gr_square(head))),
                    slope = gr_square(gr_add_scalar(gr_neg(head), 1));
    return total(gr_add(gr_scale(valley, 100), slope));
}
static double plain_rosenbrock(int n, const double *x, double *g)
{
    double f = 0;
    for (int i = 0; i < n; i++) g[i] = 0;
    for (int i = 0; i + 1 < n; i++) {
        const double v = x[i + 1] - x[i] * x[i], s = 1 - x[i];
        f += 100 * v * v + s * s;
        g[i] += -400 * v * x[i] - 2 * s;
        g[i + 1] += 200 * v;
    }
    return f;
}

/* Sum of w (x - 1)^2 / 2. */
static gr_tensor quadratic(gr_graph *g, void *user)
{
    const problem *p = user;
    gr_tensor w = gr_constant(g, GR_F64, GR_SHAPE(p->n), p->weight);
    if (gr_type_of(p->x) == GR_F32) w = gr_cast(w, GR_F32);
    return gr_scale(total(gr_mul(w, gr_square(gr_add_scalar(p->x, -1)))), 0.5);
}
static double plain_quadratic(int n, const double *x, double *g)
{
    double f = 0;
    for (int i = 0; i < n; i++) {
        g[i] = weights[i] * (x[i] - 1);
        f += weights[i] * (x[i] - 1) * (x[i] - 1) / 2;
    }
    return f;
}

/* Sum of x - w ln x: NaN where x < 0, infinite at 0; the minimum is at x = w. */
static gr_tensor barrier(gr_graph *g, void *user)
{
    const problem *p = user;
    const gr_tensor w = gr_constant(g, GR_F64, GR_SHAPE(p->n), p->weight);
    return total(gr_sub(p->x, gr_mul(w, gr_log(p->x))));
}
static double plain_barrier(int n, const double *x, double *g)
{
    double f = 0;
    for (int i = 0; i < n; i++) {
        g[i] = 1 - weights[i] / x[i];
        f += x[i] - weights[i] * log(x[i]);
    }
    return f;
}

static problem make_problem(gr_graph *g, gr_type type, int n, gr_loss_function *loss,
                            double (*plain)(int, const double *, double *))
{
    problem p = {.loss = loss, .plain = plain, .n = n};
    for (int i = 0; i < n; i++) {
        p.start[i] = loss == rosenbrock ? (i % 2 ? 1 : -1.2)
                     : loss == barrier  ? 0.05 + 0.5 * i
                                        : 3 * sin(i + 1.0);
        p.weight[i] = loss == barrier ? 1 + i : 1;
    }
    float narrow[MOST];
    for (int i = 0; i < n; i++) narrow[i] = (float)p.start[i];
    p.x = gr_param(g, "x", type, GR_SHAPE(n), type == GR_F32 ? (const void *)narrow : p.start);
    return p;
}

static void read_x(const problem *p, double *to)
{
    float narrow[MOST];
    if (gr_type_of(p->x) == GR_F64)
        gr_read(p->x, to, p->n);
    else if (gr_read(p->x, narrow, p->n) == GR_OK)
        for (int i = 0; i < p->n; i++) to[i] = (double)narrow[i];
}

/* ---- A witness of each step ---- */

typedef struct witness {
    const problem *p;
    double x[MOST], g[MOST], f;
    double c1, c2, slack;
    int steps, evaluations;
} witness;

static void begin_witness(witness *w, const problem *p, double c1, double c2, double slack)
{
    *w = (witness){.p = p, .c1 = c1, .c2 = c2, .slack = slack};
    weights = p->weight;
    read_x(p, w->x);
    w->f = p->plain(p->n, w->x, w->g);
}

static bool watch(const gr_lbfgs_step *step, void *user)
{
    witness *w = user;
    double x[MOST], g[MOST], before = 0, after = 0, change = 0, most = 0;
    read_x(w->p, x);
    const double f = w->p->plain(w->p->n, x, g);
    for (int i = 0; i < w->p->n; i++) {
        const double s = x[i] - w->x[i];
        before += w->g[i] * s;
        after += g[i] * s;
        change = fmax(change, fabs(s));
        most = fmax(most, fabs(g[i]));
    }
    w->steps++;
    CHECK(step->iteration == w->steps && step->evaluations > w->evaluations && step->length > 0);
    CHECK_NEAR(step->loss, f, w->slack * (1 + fabs(f)));
    CHECK_NEAR(step->gradient_max, most, w->slack * (1 + most) * 1e3);
    CHECK(step->change_max == change && change > 0);
    if (w->slack < 1e-9) { /* where rounding leaves something to be seen */
        CHECK(step->wolfe && before < 0);
        CHECK(f <= w->f + w->c1 * before + w->slack * fabs(w->f));
        CHECK(fabs(after) <= w->c2 * fabs(before) + w->slack);
    } else {
        CHECK(f <= w->f + w->slack * (1 + fabs(w->f)));
    }
    memcpy(w->x, x, sizeof x);
    memcpy(w->g, g, sizeof g);
    w->f = f;
    w->evaluations = step->evaluations;
    return true;
}

/* Minimises under the eyes of a witness. */
static gr_lbfgs_result minimise(const problem *p, gr_lbfgs_options o)
{
    witness w;
    gr_lbfgs_result result;
    begin_witness(&w, p, o.c1 > 0 ? o.c1 : 1e-4, o.c2 > 0 ? o.c2 : 0.9,
                  gr_type_of(p->x) == GR_F32 ? 1e-5 : 1e-12);
    o.on_step = watch;
    o.on_step_user = &w;
    const double first = w.f;
    CHECK(gr_lbfgs_minimize(p->x.graph, p->loss, (void *)(uintptr_t)p, &o, &result) == GR_OK);
    CHECK(result.iterations == w.steps && result.evaluations >= w.evaluations);
    CHECK_NEAR(result.first_loss, first, w.slack * (1 + fabs(first)));
    double x[MOST], g[MOST];
    read_x(p, x);
    CHECK_NEAR(result.loss, p->plain(p->n, x, g), w.slack * (1 + fabs(result.loss)));
    CHECK(result.loss <= result.first_loss);
    return result;
}

static double distance(const problem *p, const double *to)
{
    double x[MOST], most = 0;
    read_x(p, x);
    for (int i = 0; i < p->n; i++) most = fmax(most, fabs(x[i] - (to ? to[i] : 1)));
    return most;
}

/* ---- Known minima ---- */

static void test_rosenbrock(void)
{
    static const int sizes[] = {2, 10, 100}, most[] = {60, 130, 800};
    for (int i = 0; i < 3; i++) {
        gr_graph *g = gr_graph_create(NULL);
        const problem p = make_problem(g, GR_F64, sizes[i], rosenbrock, plain_rosenbrock);
        const gr_lbfgs_result r = minimise(
            &p, (gr_lbfgs_options){.gradient_tolerance = 1e-10, .change_tolerance = -1});
        CHECK(r.stop == GR_LBFGS_GRADIENT && r.gradient_max <= 1e-10);
        CHECK(distance(&p, NULL) < 1e-9);
        CHECK(r.evaluations <= most[i]);
        gr_graph_destroy(g);
    }
}

static void test_defaults(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const problem p = make_problem(g, GR_F64, 2, rosenbrock, plain_rosenbrock);
    const gr_lbfgs_result r = minimise(&p, (gr_lbfgs_options){0});
    CHECK(r.stop == GR_LBFGS_GRADIENT || r.stop == GR_LBFGS_CHANGE);
    CHECK(r.loss < 1e-9 && distance(&p, NULL) < 1e-4);
    gr_graph_destroy(g);
}

static void test_quadratics(void)
{
    static const double conditions[] = {1, 1e3, 1e6};
    for (int i = 0; i < 3; i++) {
        gr_graph *g = gr_graph_create(NULL);
        problem p = make_problem(g, GR_F64, 10, quadratic, plain_quadratic);
        for (int k = 0; k < 10; k++) p.weight[k] = pow(conditions[i], k / 9.0);
        const gr_lbfgs_result r = minimise(
            &p, (gr_lbfgs_options){.gradient_tolerance = 1e-9, .change_tolerance = -1});
        CHECK(r.stop == GR_LBFGS_GRADIENT && distance(&p, NULL) <= 1e-8);
        CHECK(r.iterations <= (i == 0 ? 3 : i == 1 ? 130 : 900));
        gr_graph_destroy(g);
    }
}

/* Options that change the way: more and less history, a search that is nearly exact. */
static void test_options(void)
{
    static const int histories[] = {1, 2, 5, 40};
    for (int i = 0; i < 4; i++) {
        gr_graph *g = gr_graph_create(NULL);
        const problem p = make_problem(g, GR_F64, 10, rosenbrock, plain_rosenbrock);
        const gr_lbfgs_result r = minimise(&p, (gr_lbfgs_options){.history = histories[i],
                                                                  .c1 = 1e-3,
                                                                  .c2 = i % 2 ? 0.1 : 0.9,
                                                                  .gradient_tolerance = 1e-8,
                                                                  .change_tolerance = -1});
        CHECK(r.stop == GR_LBFGS_GRADIENT && distance(&p, NULL) < 1e-7);
        gr_graph_destroy(g);
    }
}

static void test_undefined_regions(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const problem p = make_problem(g, GR_F64, 6, barrier, plain_barrier);
    const gr_lbfgs_result r = minimise(
        &p, (gr_lbfgs_options){.gradient_tolerance = 1e-9, .change_tolerance = -1});
    CHECK(r.stop == GR_LBFGS_GRADIENT && distance(&p, p.weight) < 1e-7);
    gr_graph_destroy(g);
}

/* A wall in the gradient only: beyond 2 the loss is finite, and lower than before, but its derivative is infinite. */
typedef struct half_blind_problem {
    gr_tensor x;
    double goal;
} half_blind_problem;
static gr_tensor half_blind(gr_graph *g, void *user)
{
    const half_blind_problem *p = user;
    const gr_tensor far = gr_greater(p->x, gr_scalar(g, GR_F64, 2)), zero = gr_sub(p->x, gr_detach(p->x));
    const gr_tensor root = gr_sqrt(
        gr_where(far, zero, gr_add_scalar(zero, 1))); /* 0 or 1, with slope infinity or 1/2 */
    return total(gr_add(gr_square(gr_add_scalar(p->x, -p->goal)), gr_sub(root, gr_scale(zero, 0.5))));
}
static void test_gradient_not_finite(void)
{
    gr_graph *g = gr_graph_create(NULL);
    half_blind_problem p = {gr_param(g, "x", GR_F64, GR_SHAPE(1), (double[]){-10}), 1.75};
    gr_lbfgs_result r;
    CHECK(gr_lbfgs_minimize(g, half_blind, &p, &(gr_lbfgs_options){.change_tolerance = -1}, &r) == GR_OK);
    CHECK(r.stop == GR_LBFGS_GRADIENT);
    CHECK_NEAR(GR_AT(p.x, 0), 1.75, 1e-6);
    for (double start = -10; start < 2; start += 1.9) {
        p.goal = 5; /* out of reach */
        gr_write(p.x, &start, 1);
        CHECK(gr_lbfgs_minimize(g, half_blind, &p, NULL, &r) == GR_OK);
        CHECK(isfinite(r.gradient_max) && GR_AT(p.x, 0) <= 2 && GR_AT(p.x, 0) > 1.9);
    }
    gr_graph_destroy(g);
}

/* f32: as near as its digits allow; parameters and loss are what they are called. */
static void test_f32(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const problem p = make_problem(g, GR_F32, 2, rosenbrock, plain_rosenbrock);
    gr_lbfgs_result r = minimise(&p, (gr_lbfgs_options){.gradient_tolerance = 1e-3, .change_tolerance = -1});
    CHECK(r.stop == GR_LBFGS_GRADIENT && distance(&p, NULL) < 2e-3);
    gr_graph_destroy(g);
    g = gr_graph_create(NULL);
    problem q = make_problem(g, GR_F32, 10, quadratic, plain_quadratic);
    for (int k = 0; k < 10; k++) q.weight[k] = k + 1;
    r = minimise(
        &q, (gr_lbfgs_options){.gradient_tolerance = -1, .change_tolerance = -1}); /* as far as it goes */
    CHECK(r.stop == GR_LBFGS_NO_DECREASE || r.stop == GR_LBFGS_GRADIENT);
    CHECK(distance(&q, NULL) < 1e-5 && r.evaluations < 200);
    gr_graph_destroy(g);
}

/* ---- Logistic regression, against Newton's method ---- */

enum { SAMPLES = 40, FEATURES = 3 };

typedef struct regression {
    gr_tensor w, b, x, t; /* w: f64 [3, 1], b: f32 [] */
    double features[SAMPLES][FEATURES], targets[SAMPLES];
} regression;

static gr_tensor regression_loss(gr_graph *g, void *user)
{
    const regression *r = user;
    const gr_tensor logits = gr_add(gr_matmul(r->x, r->w), gr_cast(r->b, GR_F64));
    return gr_add(gr_bce_with_logits(logits, r->t), gr_l2_penalty(g, 0.01, 1, &r->w));
}

/* The minimum by Newton's method on 4 numbers, by Gauss elimination. */
static void newton(const regression *r, double *w)
{
    enum { D = FEATURES + 1 };
    for (int i = 0; i < D; i++) w[i] = 0;
    for (int iteration = 0; iteration < 30; iteration++) {
        double a[D][D + 1] = {{0}};
        for (int s = 0; s < SAMPLES; s++) {
            double z = w[FEATURES], f[D];
            for (int i = 0; i < FEATURES; i++) z += (f[i] = r->features[s][i]) * w[i];
            f[FEATURES] = 1;
            const double y = 1 / (1 + exp(-z));
            for (int i = 0; i < D; i++) {
                a[i][D] -= (y - r->targets[s]) * f[i] / SAMPLES;
                for (int k = 0; k < D; k++) a[i][k] += y * (1 - y) * f[i] * f[k] / SAMPLES;
            }
        }
        for (int i = 0; i < FEATURES; i++) {
            a[i][D] -= 0.02 * w[i];
            a[i][i] += 0.02;
        }
        for (int i = 0; i < D; i++)
            for (int k = 0; k < D; k++) {
                if (k == i) continue;
                const double factor = a[k][i] / a[i][i];
                for (int c = 0; c <= D; c++) a[k][c] -= factor * a[i][c];
            }
        for (int i = 0; i < D; i++) w[i] += a[i][D] / a[i][i];
    }
}

static regression make_regression(gr_graph *g)
{
    regression r = {.w = gr_param(g, "w", GR_F64, GR_SHAPE(FEATURES, 1), NULL),
                    .b = gr_param(g, "b", GR_F32, GR_SCALAR, NULL)};
    for (int s = 0; s < SAMPLES; s++) {
        double z = 0.5;
        for (int i = 0; i < FEATURES; i++) {
            r.features[s][i] = sin(7.0 * s + 3 * i) * (i + 1);
            z += r.features[s][i] * (1 - i);
        }
        r.targets[s] = z + 2 * sin(11.0 * s) > 0;
    }
    r.x = gr_constant(g, GR_F64, GR_SHAPE(SAMPLES, FEATURES), r.features);
    r.t = gr_constant(g, GR_F64, GR_SHAPE(SAMPLES, 1), r.targets);
    return r;
}

static void test_logistic_regression(void)
{
    gr_graph *g = gr_graph_create(NULL);
    regression r = make_regression(g);
    double expected[FEATURES + 1];
    newton(&r, expected);
    gr_lbfgs_result result;
    CHECK(gr_lbfgs_minimize(g, regression_loss, &r, NULL, &result) == GR_OK);
    CHECK(result.stop == GR_LBFGS_GRADIENT || result.stop == GR_LBFGS_CHANGE);
    CHECK(result.evaluations < 40 && result.first_loss > result.loss);
    CHECK_NEAR(result.first_loss, log(2), 1e-12);
    for (int i = 0; i < FEATURES; i++) CHECK_NEAR(GR_AT(r.w, i, 0), expected[i], 1e-4);
    CHECK_NEAR(gr_item(r.b), expected[FEATURES], 1e-4);
    gr_graph_destroy(g);
}

/* ---- Why it stops ---- */

static bool stop_at_three(const gr_lbfgs_step *step, void *user)
{
    (void)user;
    return step->iteration < 3;
}

static gr_tensor falls_forever(gr_graph *g, void *user)
{
    (void)g;
    return total(gr_neg(((const problem *)user)->x));
}

static gr_tensor kinked(gr_graph *g, void *user)
{
    (void)g;
    return total(gr_abs(gr_add_scalar(((const problem *)user)->x, -0.3)));
}

static void test_stops(void)
{
    gr_graph *g = gr_graph_create(NULL);
    problem p = make_problem(g, GR_F64, 2, rosenbrock, plain_rosenbrock);
    gr_lbfgs_result r;
    CHECK(gr_lbfgs_minimize(g, rosenbrock, &p, &(gr_lbfgs_options){.max_iterations = 4}, &r) == GR_OK);
    CHECK(r.stop == GR_LBFGS_MAX_ITERATIONS && r.iterations == 4);
    CHECK(gr_lbfgs_minimize(g, rosenbrock, &p, &(gr_lbfgs_options){.on_step = stop_at_three}, &r) == GR_OK);
    CHECK(r.stop == GR_LBFGS_ON_STEP && r.iterations == 3);
    for (int most = 1; most < 12; most++) {
        gr_write(p.x, p.start, 2);
        const gr_lbfgs_result limited = minimise(&p, (gr_lbfgs_options){.max_evaluations = most});
        CHECK(limited.stop == GR_LBFGS_MAX_EVALUATIONS && limited.evaluations == most);
    }
    CHECK(gr_lbfgs_minimize(g, rosenbrock, &p, &(gr_lbfgs_options){.change_tolerance = 1e-2}, &r) == GR_OK);
    CHECK(r.stop == GR_LBFGS_CHANGE);
    gr_write(p.x, (double[]){1, 1}, 2);
    CHECK(gr_lbfgs_minimize(g, rosenbrock, &p, NULL, NULL) == GR_OK); /* there already; nobody asks */
    CHECK(gr_lbfgs_minimize(g, rosenbrock, &p, &(gr_lbfgs_options){.gradient_tolerance = -1}, &r) == GR_OK);
    CHECK(r.stop == GR_LBFGS_GRADIENT && r.iterations == 0 && r.evaluations == 1 && r.loss == 0);

    CHECK(gr_lbfgs_minimize(g, falls_forever, &p, &(gr_lbfgs_options){.max_evaluations = 200}, &r) == GR_OK);
    CHECK(r.stop != GR_LBFGS_GRADIENT && r.loss < -1e6 && isfinite(r.loss));
    gr_write(p.x, (double[]){-5, 7}, 2);
    CHECK(gr_lbfgs_minimize(g, kinked, &p, NULL, &r) == GR_OK);
    CHECK(r.loss <= r.first_loss &&
          (r.stop == GR_LBFGS_NO_DECREASE || r.stop == GR_LBFGS_CHANGE || r.stop == GR_LBFGS_GRADIENT));
    CHECK(r.loss == fabs(GR_AT(p.x, 0) - 0.3) + fabs(GR_AT(p.x, 1) - 0.3));

    for (int stop = GR_LBFGS_FAILED; stop <= GR_LBFGS_ON_STEP; stop++)
        CHECK(strlen(gr_lbfgs_stop_text((gr_lbfgs_stop)stop)) > 5);
    CHECK_TEXT(gr_lbfgs_stop_text(GR_LBFGS_GRADIENT), "the gradient is small enough");
    CHECK_TEXT(gr_lbfgs_stop_text((gr_lbfgs_stop)99), "unknown");
    gr_graph_destroy(g);
}

/* Far out, where squares of the gradient are no numbers any more. */
static gr_tensor steep(gr_graph *g, void *user)
{
    (void)g;
    return gr_scale(total(gr_square(((const problem *)user)->x)), 1e200);
}
static void test_steep(void)
{
    gr_graph *g = gr_graph_create(NULL);
    problem p = make_problem(g, GR_F64, 3, steep, NULL);
    gr_lbfgs_result r;
    CHECK(gr_lbfgs_minimize(g, steep, &p, NULL, &r) == GR_OK);
    CHECK(r.loss < 1e-9 * r.first_loss);
    gr_graph_destroy(g);
}

/* ---- Errors in the loss leave the lowest accepted point ---- */

typedef struct trap {
    problem p;
    int calls, fails_at, kind;
    double accepted[MOST], accepted_loss;
    gr_tensor kept[400];
    double seen[400][MOST]; /* of each that was kept */
    int n_kept;
    ledger *books;
} trap;

static gr_tensor trapped(gr_graph *g, void *user)
{
    trap *t = user;
    if (++t->calls == t->fails_at) {
        switch (t->kind) {
        case 0:
            gr_graph_fail(g, GR_ERR_CALLBACK, "the trap");
            return GR_NONE;
        case 1:
            return gr_matmul(t->p.x, gr_zeros(g, GR_F64, GR_SHAPE(77)));
        case 2:
            return GR_NONE;
        case 3:
            return t->p.x;
        case 4:
            return gr_equal(t->p.x, t->p.x);
        case 5:
            return gr_scalar(g, GR_F64, 7);
        case 6:
            gr_scope_begin(g);
            break;
        case 7:
            gr_set_requires_grad(t->p.x, false);
            return gr_scalar(g, GR_F64, 1);
        default:
            break;
        }
    }
    return rosenbrock(g, &t->p);
}

static bool note_accepted(const gr_lbfgs_step *step, void *user)
{
    trap *t = user;
    read_x(&t->p, t->accepted);
    t->accepted_loss = step->loss;
    return true;
}

static void test_errors_in_the_loss(void)
{
    static const struct {
        gr_status status;
        const char *message;
    } expected[] = {{GR_ERR_CALLBACK, "the trap"},
                    {GR_ERR_SHAPE, "matmul"},
                    {GR_ERR_CALLBACK, "lbfgs: the loss returned no tensor of this graph"},
                    {GR_ERR_NOT_SCALAR, "lbfgs: the loss must have one element: x [4]"},
                    {GR_ERR_TYPE, "lbfgs: the loss must be f32 or f64"},
                    {GR_ERR_NO_HISTORY, "lbfgs: the loss depends on nothing that requires a gradient"},
                    {GR_ERR_STATE, "lbfgs: the loss opened a scope or a no_grad region"},
                    {GR_ERR_NO_HISTORY, "lbfgs"}};
    for (int kind = 0; kind < 8; kind++)
        for (int fails_at = 1; fails_at < 30; fails_at += fails_at < 8 ? 1 : 5) {
            gr_graph *g = gr_graph_create(NULL);
            trap t = {.p = make_problem(g, GR_F64, 4, rosenbrock, plain_rosenbrock),
                      .fails_at = fails_at,
                      .kind = kind};
            memcpy(t.accepted, t.p.start, sizeof t.accepted);
            gr_lbfgs_result r;
            const gr_lbfgs_options o = {.on_step = note_accepted, .on_step_user = &t};
            CHECK(gr_lbfgs_minimize(g, trapped, &t, &o, &r) == expected[kind].status);
            expect(g, expected[kind].status, expected[kind].message);
            CHECK(r.stop == GR_LBFGS_FAILED && r.evaluations == fails_at);
            double x[MOST];
            read_x(&t.p, x);
            CHECK(memcmp(x, t.accepted, 4 * sizeof *x) == 0);
            CHECK(r.iterations == 0 || r.loss == t.accepted_loss);
            if (fails_at > 1) CHECK(isfinite(r.loss) && r.loss <= r.first_loss);
            gr_set_requires_grad(t.p.x, true);
            t.fails_at = 0; /* and the graph goes on */
            CHECK(gr_lbfgs_minimize(g, trapped, &t, NULL, &r) == GR_OK && r.loss < 1e-8);
            gr_graph_destroy(g);
        }
}

/* The loss keeps the parameters of each evaluation, and then memory runs out: trial points cannot be overwritten any more,
   but exchanged. */
static gr_tensor hoarding(gr_graph *g, void *user)
{
    trap *t = user;
    t->calls++;
    if (t->n_kept < 400) {
        read_x(&t->p, t->seen[t->n_kept]);
        t->kept[t->n_kept++] = gr_keep(t->p.x);
    }
    if (t->calls == t->fails_at) {
        gr_graph_trim(g);
        t->books->fail_at = t->books->calls + 1;
        t->books->fail_after = true;
    }
    return rosenbrock(g, &t->p);
}

static void test_memory_runs_out(void)
{
    for (int fails_at = 1; fails_at < 25; fails_at++) {
        ledger books = {0};
        gr_graph *g = ledger_graph(&books, 0);
        trap t = {.p = make_problem(g, GR_F64, 50, rosenbrock, plain_rosenbrock),
                  .fails_at = fails_at,
                  .books = &books};
        memcpy(t.accepted, t.p.start, sizeof t.accepted);
        gr_lbfgs_result r;
        const gr_lbfgs_options o = {.on_step = note_accepted, .on_step_user = &t};
        CHECK(gr_lbfgs_minimize(g, hoarding, &t, &o, &r) == GR_ERR_MEMORY);
        double x[MOST];
        read_x(&t.p, x);
        CHECK(memcmp(x, t.accepted, 50 * sizeof *x) == 0);
        books.fail_at = 0;
        gr_graph_clear_error(g);
        t.fails_at = 0;
        CHECK(gr_lbfgs_minimize(g, hoarding, &t, NULL, &r) == GR_OK && r.loss < 1e-8);
        CHECK(t.n_kept > 100);
        for (int i = 0; i < t.n_kept; i++) { /* what was kept is what it was */
            const double *kept = gr_data(t.kept[i]);
            CHECK(kept && memcmp(kept, t.seen[i], 50 * sizeof *kept) == 0);
        }
        gr_graph_destroy(g);
        CHECK(ledger_balances(&books));
    }
}

/* Each allocation fails in turn; the parameters are where they were or at an accepted point, and nothing is lost. */
static void test_failing_allocations(void)
{
    long n = 1;
    for (bool failed = true; failed; n++) {
        ledger books = {.fail_at = n};
        gr_graph *g = ledger_graph(&books, 0);
        failed = books.failed > 0;
        if (g) {
            trap t = {.p = make_problem(g, GR_F64, 20, rosenbrock, plain_rosenbrock)};
            memcpy(t.accepted, t.p.start, sizeof t.accepted);
            const gr_lbfgs_options o = {.on_step = note_accepted, .on_step_user = &t, .max_iterations = 12};
            gr_lbfgs_result r;
            const gr_status status = t.p.x.index ? gr_lbfgs_minimize(g, trapped, &t, &o, &r)
                                                 : gr_graph_status(g);
            failed = books.failed > 0;
            CHECK(status == GR_OK || (failed && status == GR_ERR_MEMORY));
            double x[MOST];
            if (t.p.x.index) {
                read_x(&t.p, x);
                CHECK(memcmp(x, t.accepted, 20 * sizeof *x) == 0);
            }
        }
        gr_graph_destroy(g);
        CHECK(ledger_balances(&books));
    }
    CHECK(n > 20);
}

/* ---- Parameters that are released on the way ---- */

static gr_tensor releases(gr_graph *g, void *user)
{
    trap *t = user;
    if (++t->calls == t->fails_at) {
        gr_release(t->p.x);
        return gr_sum(gr_param_at(g, 0), GR_ALL_AXES, false);
    }
    return gr_add(rosenbrock(g, &t->p), total(gr_square(gr_param_at(g, 0))));
}

static void test_released_parameter(void)
{
    for (int fails_at = 1; fails_at < 6; fails_at++) {
        gr_graph *g = gr_graph_create(NULL);
        const gr_tensor other = gr_param(g, "other", GR_F64, GR_SHAPE(3), (double[]){1, 2, 3});
        trap t = {.p = make_problem(g, GR_F64, 4, rosenbrock, plain_rosenbrock), .fails_at = fails_at};
        CHECK(gr_lbfgs_minimize(g, releases, &t, NULL, NULL) == GR_ERR_STALE);
        CHECK(gr_is_valid(other) && isfinite(GR_AT(other, 0)));
        gr_graph_destroy(g);
    }
}

/* ---- Determinism, resuming ---- */

static void run_in_parts(int threads, int parts, int iterations, double *x)
{
    gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = threads});
    problem p = make_problem(g, GR_F64, 30, rosenbrock, plain_rosenbrock);
    gr_lbfgs *l = gr_lbfgs_create(g, &(gr_lbfgs_options){.max_iterations = iterations, .history = 4});
    gr_lbfgs_result r;
    for (int i = 0; i < parts; i++) {
        CHECK(gr_lbfgs_run(l, rosenbrock, &p, &r) == GR_OK && r.iterations == iterations);
        CHECK(gr_lbfgs_get(l).pairs == (iterations * (i + 1) < 4 ? iterations * (i + 1) : 4));
    }
    read_x(&p, x);
    gr_graph_destroy(g);
}

static void test_parts(void)
{
    double one[MOST], three[MOST], threads[MOST];
    run_in_parts(1, 1, 30, one);
    run_in_parts(1, 3, 10, three);
    run_in_parts(3, 1, 30, threads);
    CHECK(memcmp(one, three, 30 * sizeof *one) == 0);
    CHECK(memcmp(one, threads, 30 * sizeof *one) == 0);
    run_in_parts(1, 15, 2, three);
    CHECK(memcmp(one, three, 30 * sizeof *one) == 0);
}

/* All that there is, copied by public calls to another graph. */
static void test_resuming(void)
{
    for (int iterations = 2; iterations < 20; iterations += 5) {
        gr_graph *g[2] = {gr_graph_create(NULL), gr_graph_create(NULL)};
        problem p[2];
        gr_lbfgs *l[2];
        static double history[4 * 12];
        double x[2][MOST];
        gr_lbfgs_result r;
        for (int i = 0; i < 2; i++) {
            p[i] = make_problem(g[i], GR_F64, 12, rosenbrock, plain_rosenbrock);
            l[i] = gr_lbfgs_create(g[i], &(gr_lbfgs_options){.max_iterations = iterations, .history = 4});
        }
        CHECK(gr_lbfgs_run(l[0], rosenbrock, &p[0], &r) == GR_OK);
        read_x(&p[0], x[0]);
        gr_write(p[1].x, x[0], 12);
        gr_read(gr_lbfgs_changes(l[0]), history, 48);
        CHECK(gr_write(gr_lbfgs_changes(l[1]), history, 48) == GR_OK);
        gr_read(gr_lbfgs_gradient_changes(l[0]), history, 48);
        CHECK(gr_write(gr_lbfgs_gradient_changes(l[1]), history, 48) == GR_OK);
        CHECK(gr_lbfgs_set(l[1], gr_lbfgs_get(l[0])) == GR_OK);
        for (int i = 0; i < 2; i++) {
            CHECK(gr_lbfgs_run(l[i], rosenbrock, &p[i], &r) == GR_OK);
            read_x(&p[i], x[i]);
        }
        CHECK(memcmp(x[0], x[1], 12 * sizeof(double)) == 0);
        for (int i = 0; i < 2; i++) gr_graph_destroy(g[i]);
    }
}

/* Runs of one object, and objects made and released, settle. */
static void test_memory_settles(void)
{
    gr_graph *g = gr_graph_create(NULL);
    problem p = make_problem(g, GR_F32, 40, rosenbrock, plain_rosenbrock);
    gr_lbfgs *l = gr_lbfgs_create(g, &(gr_lbfgs_options){.max_iterations = 5});
    CHECK(gr_lbfgs_run(l, rosenbrock, &p, NULL) == GR_OK);
    const uint64_t allocations = gr_graph_memory(g).allocations;
    for (int i = 0; i < 3; i++) CHECK(gr_lbfgs_run(l, rosenbrock, &p, NULL) == GR_OK);
    CHECK(gr_graph_memory(g).allocations == allocations);
    CHECK(gr_lbfgs_release(l) == GR_OK);
    CHECK(gr_lbfgs_minimize(g, rosenbrock, &p, NULL, NULL) == GR_OK);
    const size_t used = gr_graph_memory(g).used;
    for (int i = 0; i < 3; i++) CHECK(gr_lbfgs_minimize(g, rosenbrock, &p, NULL, NULL) == GR_OK);
    CHECK(gr_graph_memory(g).used == used);
    gr_graph_destroy(g);
}

/* ---- Side effects ---- */

static gr_tensor noisy(gr_graph *g, void *user)
{
    const problem *p = user;
    const gr_tensor noise = gr_normal(g, GR_F64, GR_SHAPE(p->n), 0, 1);
    return total(gr_square(gr_sub(p->x, noise)));
}

static void test_random_numbers(void)
{
    gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = 5});
    problem p = make_problem(g, GR_F64, 8, noisy, NULL);
    double drawn[8], x[MOST];
    gr_read(gr_normal(g, GR_F64, GR_SHAPE(8), 0, 1), drawn, 8);
    const gr_rng_state after_one = gr_rng_get(g);
    gr_seed(g, 5);
    gr_lbfgs_result r;
    CHECK(gr_lbfgs_minimize(g, noisy, &p, NULL, &r) == GR_OK && r.stop == GR_LBFGS_GRADIENT);
    read_x(&p, x);
    for (int i = 0; i < 8; i++) CHECK_NEAR(x[i], drawn[i], 1e-7); /* every evaluation drew these */
    CHECK(gr_rng_get(g).counter == after_one.counter && gr_rng_get(g).seed == after_one.seed);
    gr_graph_destroy(g);
}

static void test_side_effects(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor bystander = gr_param(g, "bystander", GR_F64, GR_SHAPE(2), (double[]){1, 2});
    const gr_tensor frozen = gr_set_requires_grad(
        gr_param(g, "frozen", GR_F64, GR_SHAPE(2), (double[]){3, 4}), false);
    problem p = make_problem(g, GR_F64, 4, rosenbrock, plain_rosenbrock);
    gr_backward(total(gr_square(p.x)));
    const gr_tensor step_tensor = gr_exp(bystander);
    const double before = GR_AT(gr_gradient(p.x), 0);
    gr_lbfgs_result r;
    CHECK(gr_lbfgs_minimize(g, rosenbrock, &p, NULL, &r) == GR_OK &&
          r.loss < 1e-9); /* all that are not frozen */
    CHECK(GR_AT(gr_gradient(p.x), 0) == before && GR_AT(bystander, 1) == 2 && GR_AT(frozen, 0) == 3);
    CHECK(gr_is_valid(step_tensor));
    gr_write(p.x, p.start, 4);
    CHECK(gr_lbfgs_minimize(g, rosenbrock, &p, &(gr_lbfgs_options){.n = 1, .params = &p.x}, &r) == GR_OK &&
          r.loss < 1e-9);
    /* a use of the old values is noticed */
    const gr_tensor used = total(gr_square(p.x));
    gr_write(p.x, p.start, 4);
    CHECK(gr_lbfgs_minimize(g, rosenbrock, &p, NULL, NULL) == GR_OK);
    CHECK(gr_backward(used) == GR_ERR_MODIFIED);
    gr_graph_destroy(g);
}

/* A scalar, an empty parameter, several shapes at once. */
static gr_tensor mixed(gr_graph *g, void *user)
{
    const gr_tensor a = gr_param_at(g, 0), b = gr_param_at(g, 1), c = gr_param_at(g, 2);
    (void)user;
    return gr_add(gr_square(gr_add_scalar(a, -2)),
                  gr_add(total(b), total(gr_square(gr_add_scalar(gr_transpose(c, 0, 1), 3)))));
}
static void test_shapes(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = gr_param(g, "a", GR_F64, GR_SCALAR, NULL),
                    c = (gr_param(g, "b", GR_F64, GR_SHAPE(0, 3), NULL),
                         gr_param(g, "c", GR_F64, GR_SHAPE(2, 3), NULL));
    gr_lbfgs_result r;
    CHECK(gr_lbfgs_minimize(g, mixed, NULL, NULL, &r) == GR_OK);
    CHECK_NEAR(gr_item(a), 2, 1e-7);
    CHECK_NEAR(GR_AT(c, 1, 2), -3, 1e-7);
    const gr_tensor empty = gr_param_at(g, 1);
    CHECK(gr_lbfgs_minimize(g, mixed, NULL, &(gr_lbfgs_options){.n = 1, .params = &empty}, &r) == GR_OK);
    CHECK(r.stop == GR_LBFGS_GRADIENT && r.evaluations == 1);
    gr_graph_destroy(g);
}

/* ---- Misuse ---- */

static void refuse(gr_graph *g, gr_lbfgs_options o, gr_status status, const char *part)
{
    gr_lbfgs_result r;
    CHECK(gr_lbfgs_minimize(g, rosenbrock, NULL, &o, &r) == status && r.stop == GR_LBFGS_FAILED &&
          isnan(r.loss));
    expect(g, status, part);
    CHECK(gr_lbfgs_create(g, &o) == NULL);
    expect(g, status, part);
}

static gr_tensor run_inside(gr_tensor gradient, gr_tensor of, void *user)
{
    (void)of;
    gr_lbfgs_minimize(gradient.graph, rosenbrock, user, NULL, NULL);
    return GR_NONE;
}

static void test_misuse(void)
{
    gr_graph *g = gr_graph_create(NULL), *other = gr_graph_create(NULL);
    refuse(g, (gr_lbfgs_options){0}, GR_ERR_ARGUMENT, "lbfgs: the graph has no parameters yet");
    problem p = make_problem(g, GR_F64, 4, rosenbrock, plain_rosenbrock);
    const gr_tensor foreign = gr_param(other, "foreign", GR_F64, GR_SHAPE(2), NULL);
    refuse(g, (gr_lbfgs_options){.history = -1}, GR_ERR_ARGUMENT, "lbfgs: history must not be negative");
    refuse(g, (gr_lbfgs_options){.max_iterations = -1}, GR_ERR_ARGUMENT, "lbfgs: max_iterations");
    refuse(g, (gr_lbfgs_options){.max_evaluations = -1}, GR_ERR_ARGUMENT,
           "lbfgs: max_iterations and max_evaluations");
    refuse(g, (gr_lbfgs_options){.gradient_tolerance = nan_}, GR_ERR_ARGUMENT, "lbfgs: a tolerance is NaN");
    refuse(g, (gr_lbfgs_options){.change_tolerance = nan_}, GR_ERR_ARGUMENT, "lbfgs: a tolerance is NaN");
    refuse(g, (gr_lbfgs_options){.c1 = 0.5, .c2 = 0.1}, GR_ERR_ARGUMENT, "lbfgs: needs 0 < c1 < c2 < 1");
    refuse(g, (gr_lbfgs_options){.c2 = 1}, GR_ERR_ARGUMENT, "lbfgs: needs 0 < c1 < c2 < 1");
    refuse(g, (gr_lbfgs_options){.c1 = -1}, GR_ERR_ARGUMENT, "lbfgs: needs 0 < c1 < c2 < 1");
    refuse(g, (gr_lbfgs_options){.c1 = nan_}, GR_ERR_ARGUMENT, "lbfgs: needs 0 < c1 < c2 < 1");
    refuse(g, (gr_lbfgs_options){.n = 1, .params = &foreign}, GR_ERR_GRAPH,
           "lbfgs: parameter 1 belongs to another graph");
    refuse(g, (gr_lbfgs_options){.n = 2, .params = (gr_tensor[]){p.x, p.x}}, GR_ERR_ARGUMENT,
           "lbfgs: parameter x is listed twice");
    refuse(g, (gr_lbfgs_options){.n = -1}, GR_ERR_ARGUMENT, "lbfgs: -1 parameters");
    gr_set_requires_grad(p.x, false);
    refuse(g, (gr_lbfgs_options){0}, GR_ERR_ARGUMENT,
           "lbfgs: no parameter requires a gradient: all are frozen");
    gr_set_requires_grad(p.x, true);
    CHECK(gr_lbfgs_minimize(g, NULL, NULL, NULL, NULL) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "lbfgs: there is no loss: NULL");
    CHECK(gr_lbfgs_minimize(NULL, rosenbrock, &p, NULL, NULL) == GR_ERR_HANDLE);
    gr_write(p.x, (double[]){1, nan_, 1, 1}, 4);
    CHECK(gr_lbfgs_minimize(g, rosenbrock, &p, NULL, NULL) == GR_ERR_NOT_FINITE);
    expect(g, GR_ERR_NOT_FINITE, "lbfgs: the loss at the start is nan");
    half_blind_problem q = {.x = p.x};
    gr_write(p.x, (double[]){3, 1, 1, 1}, 4);
    CHECK(gr_lbfgs_minimize(g, half_blind, &q, NULL, NULL) == GR_ERR_NOT_FINITE);
    expect(g, GR_ERR_NOT_FINITE, "lbfgs: the gradient of x at the start is not finite");
    gr_write(p.x, p.start, 4);
    gr_no_grad_begin(g);
    CHECK(gr_lbfgs_minimize(g, rosenbrock, &p, NULL, NULL) == GR_ERR_NO_HISTORY);
    expect(g, GR_ERR_NO_HISTORY, "lbfgs: the loss depends on nothing");
    gr_no_grad_end(g);
    gr_add_hook(p.x, run_inside, &p);
    CHECK(gr_backward(total(p.x)) == GR_ERR_STATE);
    expect(g, GR_ERR_STATE, "lbfgs: called by a rule while a walk is under way, or by a hook");
    CHECK(GR_AT(p.x, 0) == p.start[0]);
    gr_graph_destroy(g);
    gr_graph_destroy(other);
}

/* A history that no memory holds. */
static void test_too_much_history(void)
{
    ledger books = {0};
    gr_graph *g = ledger_graph(&books, 0);
    make_problem(g, GR_F64, 4, rosenbrock, plain_rosenbrock);
    refuse(g, (gr_lbfgs_options){.history = INT32_MAX}, GR_ERR_MEMORY, "out of memory");
    gr_graph_destroy(g);
    CHECK(ledger_balances(&books));
}

static void refuse_state(gr_lbfgs *l, gr_graph *g, int pairs, int next, const char *part)
{
    CHECK(gr_lbfgs_set(l, (gr_lbfgs_state){pairs, next}) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, part);
}

static void test_object_misuse(void)
{
    gr_graph *g = gr_graph_create(NULL);
    problem p = make_problem(g, GR_F64, 4, rosenbrock, plain_rosenbrock);
    gr_lbfgs *l = gr_lbfgs_create(g, &(gr_lbfgs_options){.history = 3, .max_iterations = 2});
    refuse_state(l, g, 4, 0, "lbfgs: a state that cannot be: 4 pairs of 3, the next one 0");
    refuse_state(l, g, -1, 0, "lbfgs: a state that cannot be");
    refuse_state(l, g, 3, 3, "lbfgs: a state that cannot be");
    refuse_state(l, g, 3, -1, "lbfgs: a state that cannot be");
    refuse_state(l, g, 2, 1, "lbfgs: a state that cannot be");
    refuse_state(l, g, 1, 1, "lbfgs: pair 0 of 1 of the history has no curvature"); /* zeros */
    CHECK(gr_lbfgs_run(l, rosenbrock, &p, NULL) == GR_OK && gr_lbfgs_get(l).pairs == 2 &&
          gr_lbfgs_get(l).next == 2);
    CHECK(gr_lbfgs_set(l, (gr_lbfgs_state){0, 0}) == GR_OK && gr_lbfgs_get(l).pairs == 0);
    const gr_shape shape = gr_shape_of(gr_lbfgs_changes(l));
    CHECK(shape.ndim == 2 && shape.dims[0] == 3 && shape.dims[1] == 4);
    gr_release(gr_lbfgs_gradient_changes(l));
    CHECK(gr_lbfgs_run(l, rosenbrock, &p, NULL) == GR_ERR_STALE);
    expect(g, GR_ERR_STALE, "lbfgs: what it remembers was released");
    CHECK(gr_lbfgs_release(l) == GR_OK && gr_lbfgs_release(l) == GR_ERR_STATE);
    expect(g, GR_ERR_STATE, "lbfgs: it was released before");
    CHECK(gr_lbfgs_run(l, rosenbrock, &p, NULL) == GR_ERR_STATE);
    expect(g, GR_ERR_STATE, "lbfgs: it was released");
    CHECK(!gr_is_valid(gr_lbfgs_changes(l)));
    expect(g, GR_ERR_STATE, "lbfgs: it was released");
    l = gr_lbfgs_create(g, NULL);
    gr_graph_fail(g, GR_ERR_CALLBACK, "pending");
    CHECK(gr_lbfgs_run(l, rosenbrock, &p, NULL) == GR_ERR_CALLBACK && gr_lbfgs_create(g, NULL) == NULL);
    gr_graph_clear_error(g);
    gr_release(p.x);
    CHECK(gr_lbfgs_run(l, rosenbrock, &p, NULL) == GR_ERR_STALE);
    expect(g, GR_ERR_STALE, "lbfgs: parameter 1 of 1 was released");
    CHECK(gr_lbfgs_run(NULL, rosenbrock, &p, NULL) == GR_ERR_HANDLE &&
          gr_lbfgs_release(NULL) == GR_ERR_HANDLE);
    CHECK(gr_lbfgs_get(NULL).pairs == 0 && !gr_is_valid(gr_lbfgs_changes(NULL)) &&
          gr_lbfgs_create(NULL, NULL) == NULL);
    gr_graph_destroy(g);
}

/* Called by its own loss, it refuses, and the parameters are where they were. */
typedef struct nested {
    problem p;
    gr_lbfgs *l;
    int kind;
} nested;
static gr_tensor nested_loss(gr_graph *g, void *user)
{
    nested *n = user;
    CHECK(gr_lbfgs_get(n->l).pairs == 0);
    const gr_status status = n->kind == 0   ? gr_lbfgs_release(n->l)
                             : n->kind == 1 ? gr_lbfgs_run(n->l, nested_loss, n, NULL)
                                            : gr_lbfgs_set(n->l, (gr_lbfgs_state){0, 0});
    CHECK(status == GR_ERR_STATE);
    return rosenbrock(g, &n->p);
}
static void test_nested(void)
{
    for (int kind = 0; kind < 3; kind++) {
        gr_graph *g = gr_graph_create(NULL);
        nested n = {.p = make_problem(g, GR_F64, 4, rosenbrock, plain_rosenbrock), .kind = kind};
        n.l = gr_lbfgs_create(g, NULL);
        CHECK(gr_lbfgs_run(n.l, nested_loss, &n, NULL) == GR_ERR_STATE);
        expect(g, GR_ERR_STATE,
               kind == 0 ? "lbfgs: released in its own run" : "lbfgs: called in its own run");
        CHECK(GR_AT(n.p.x, 0) == n.p.start[0]);
        CHECK(gr_lbfgs_run(n.l, rosenbrock, &n.p, NULL) == GR_OK && gr_lbfgs_release(n.l) == GR_OK);
        gr_graph_destroy(g);
    }
}

int main(void)
{
    RUN(test_rosenbrock);
    RUN(test_defaults);
    RUN(test_quadratics);
    RUN(test_options);
    RUN(test_undefined_regions);
    RUN(test_gradient_not_finite);
    RUN(test_f32);
    RUN(test_logistic_regression);
    RUN(test_stops);
    RUN(test_steep);
    RUN(test_errors_in_the_loss);
    RUN(test_memory_runs_out);
    RUN(test_failing_allocations);
    RUN(test_released_parameter);
    RUN(test_parts);
    RUN(test_resuming);
    RUN(test_memory_settles);
    RUN(test_random_numbers);
    RUN(test_side_effects);
    RUN(test_shapes);
    RUN(test_misuse);
    RUN(test_too_much_history);
    RUN(test_object_misuse);
    RUN(test_nested);
    return TEST_EXIT;
}
