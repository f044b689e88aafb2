/*
 * Optimisers: each rule against its formula computed here, in f32 and f64; steps that happen as a whole or
 * not at all; misuse; no calls of the allocator.
 */
#include "gradus.h"
#include "test.h"

#include <stdlib.h>

enum { N = 5, STEPS = 10 };
static const double start[N] = {0.5, -1.25, 2.0, 1e-3, -3.5};
static const double target[N] = {1.0, 0.25, -2.0, 0.0, -3.0};
static const double curvature[N] = {1.0, 4.0, 0.1, 100.0, 0.01};

/* d/dx of sum c/4 (x - t)^4 + c/2 (x - t)^2, which differs from step to step. */
static double slope(int i, double x)
{
    const double d = x - target[i];
    return curvature[i] * (d * d * d + d);
}

static void read_double(gr_tensor t, double *to)
{
    const int64_t n = gr_count(t);
    for (int64_t i = 0; i < n; i++) to[i] = GR_AT(t, i);
}

static gr_tensor param_of(gr_graph *g, const char *name, gr_type type, int n, const double *values)
{
    float narrow[N];
    for (int i = 0; i < n; i++) narrow[i] = (float)values[i];
    return gr_param(g, name, type, GR_SHAPE(n), type == GR_F32 ? (const void *)narrow : values);
}

static gr_tensor loss_of(gr_tensor x)
{
    gr_graph *g = x.graph;
    gr_tensor t = gr_constant(g, GR_F64, GR_SHAPE(N), target),
              c = gr_constant(g, GR_F64, GR_SHAPE(N), curvature);
    if (gr_type_of(x) == GR_F32) t = gr_cast(t, GR_F32), c = gr_cast(c, GR_F32);
    const gr_tensor d2 = gr_square(gr_sub(x, t));
    return gr_sum(gr_mul(c, gr_add(gr_scale(gr_square(d2), 0.25), gr_scale(d2, 0.5))), GR_ALL_AXES, false);
}

/* The formulas again, element by element, in double. */
typedef struct reference {
    double x[N], a[N], b[N];
} reference;

static void sgd_step(reference *r, int t)
{
    (void)t;
    for (int i = 0; i < N; i++) r->x[i] -= 1e-3 * slope(i, r->x[i]);
}

static void momentum_step(reference *r, int t)
{
    (void)t;
    for (int i = 0; i < N; i++) {
        r->a[i] = 0.8 * r->a[i] - 1e-3 * slope(i, r->x[i]);
        r->x[i] += r->a[i];
    }
}

static void adam_step(reference *r, int t)
{
    for (int i = 0; i < N; i++) {
        const double g = slope(i, r->x[i]);
        r->a[i] = 0.9 * r->a[i] + 0.1 * g;
        r->b[i] = 0.999 * r->b[i] + 0.001 * g * g;
        const double m = r->a[i] / (1 - pow(0.9, t)), v = r->b[i] / (1 - pow(0.999, t));
        r->x[i] -= 0.01 * m / (sqrt(v) + 1e-8);
    }
}

static gr_optimizer *make_sgd(gr_graph *g) { return gr_sgd(g, 1e-3); }
static gr_optimizer *make_momentum(gr_graph *g) { return gr_momentum(g, 1e-3, 0.8); }
static gr_optimizer *make_adam(gr_graph *g) { return gr_adam(g, 0.01); }

static void compare_rule(gr_type type, gr_optimizer *(*make)(gr_graph *), void (*step)(reference *, int))
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = param_of(g, "x", type, N, start);
    gr_optimizer *opt = make(g);
    CHECK(opt != NULL);
    reference r = {{0}, {0}, {0}};
    read_double(x, r.x);
    const double tolerance = type == GR_F32 ? 1e-5 : 1e-12;
    for (int t = 1; t <= STEPS; t++) {
        const gr_scope scope = gr_scope_begin(g);
        gr_clear_grads(g);
        CHECK(gr_backward(loss_of(x)) == GR_OK);
        CHECK(gr_optimizer_step(opt) == GR_OK);
        gr_scope_end(scope, 0, NULL);
        step(&r, t);
        for (int i = 0; i < N; i++) CHECK_NEAR(GR_AT(x, i), r.x[i], tolerance * (1 + fabs(r.x[i])));
    }
    CHECK(gr_optimizer_steps(opt, 0) == STEPS);
    if (gr_optimizer_rule(opt)->n_states > 0)
        for (int i = 0; i < N; i++)
            CHECK_NEAR(GR_AT(gr_optimizer_state(opt, 0, 0), i), r.a[i], tolerance * (1 + fabs(r.a[i])));
    if (gr_optimizer_rule(opt)->n_states > 1)
        for (int i = 0; i < N; i++)
            CHECK_NEAR(GR_AT(gr_optimizer_state(opt, 0, 1), i), r.b[i], tolerance * (1 + fabs(r.b[i])));
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

static void test_sgd(void)
{
    compare_rule(GR_F64, make_sgd, sgd_step);
    compare_rule(GR_F32, make_sgd, sgd_step);
}

static void test_momentum(void)
{
    compare_rule(GR_F64, make_momentum, momentum_step);
    compare_rule(GR_F32, make_momentum, momentum_step);
}

static void test_adam(void)
{
    compare_rule(GR_F64, make_adam, adam_step);
    compare_rule(GR_F32, make_adam, adam_step);
}

/* With the defaults of the paper the first step of Adam is a sign(g), nearly. */
static void test_adam_first_step(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = param_of(g, "x", GR_F64, N, start);
    gr_optimizer *opt = gr_adam(g, 0.125);
    gr_backward(loss_of(x));
    CHECK(gr_optimizer_step(opt) == GR_OK);
    for (int i = 0; i < N; i++)
        CHECK_NEAR(GR_AT(x, i), start[i] - (slope(i, start[i]) > 0 ? 0.125 : -0.125), 1e-6);
    gr_graph_destroy(g);
}

/* ---- A rule of one's own ---- */

static void sign_update(const gr_update *u)
{
    double *x = u->param, *seen = u->state[0];
    const double *g = u->gradient, weight = *(const double *)u->options;
    for (int64_t i = 0; i < u->count; i++) {
        x[i] -= u->rate * weight * ((g[i] > 0) - (g[i] < 0));
        seen[i] += (double)u->step;
    }
}
static const char *sign_check(const void *options)
{
    return *(const double *)options > 0 ? NULL : "the weight must be positive";
}
static const double sign_default = 2;
static const gr_rule sign_rule = {.name = "sign",
                                  .n_states = 1,
                                  .state_names = {"seen"},
                                  .option_bytes = sizeof(double),
                                  .default_options = &sign_default,
                                  .check = sign_check,
                                  .update = sign_update};

static void test_own_rule(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = param_of(g, "x", GR_F64, N, start);
    gr_optimizer *opt = gr_optimizer_create(g, &sign_rule, 0.25, NULL, 0, NULL);
    gr_backward(loss_of(x));
    CHECK(gr_optimizer_step(opt) == GR_OK && gr_optimizer_step(opt) == GR_OK);
    for (int i = 0; i < N; i++) {
        CHECK(GR_AT(x, i) == start[i] - (slope(i, start[i]) > 0 ? 1 : -1)); /* 2 steps of 0.25 * 2 */
        CHECK(GR_AT(gr_optimizer_state(opt, 0, 0), i) == 3);                /* steps 1 and 2 */
    }
    CHECK(gr_optimizer_create(g, &sign_rule, 1, &(double){-1}, 0, NULL) == NULL);
    CHECK(gr_graph_status(g) == GR_ERR_ARGUMENT);
    CHECK_TEXT(gr_graph_error(g), "sign: the weight must be positive");
    gr_graph_destroy(g);
}

/* ---- Which parameters ---- */

static void test_lists_and_frozen(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = param_of(g, "a", GR_F64, N, start), b = param_of(g, "b", GR_F64, N, start);
    const gr_tensor c = param_of(g, "c", GR_F64, N, start);
    gr_optimizer *only_b = gr_optimizer_create(g, &gr_rule_sgd, 0.5, NULL, 1, &b);
    gr_optimizer *all = gr_sgd(g, 0.5);
    CHECK(gr_optimizer_param_count(only_b) == 1 && gr_optimizer_param_count(all) == 3);
    CHECK(gr_same(gr_optimizer_param(only_b, 0), b) && gr_same(gr_optimizer_param(all, 2), c));
    gr_backward(gr_add(loss_of(a), loss_of(b)));
    CHECK(gr_optimizer_step(only_b) == GR_OK);
    CHECK(GR_AT(a, 0) == start[0] && GR_AT(b, 0) != start[0]);
    const double moved = GR_AT(b, 0);
    gr_set_requires_grad(b, false); /* frozen: its gradient is there, and not used */
    CHECK(gr_optimizer_step(all) == GR_OK);
    CHECK(GR_AT(a, 0) != start[0] && GR_AT(b, 0) == moved);
    CHECK(GR_AT(c, 0) == start[0]); /* no gradient: skipped */
    CHECK(gr_optimizer_steps(all, 0) == 1 && gr_optimizer_steps(all, 1) == 0 &&
          gr_optimizer_steps(all, 2) == 0);
    gr_graph_destroy(g);
}

static void expect(gr_graph *g, gr_status status, const char *part)
{
    CHECK(gr_graph_status(g) == status);
    CHECK_TEXT(gr_graph_error(g), part);
    gr_graph_clear_error(g);
}

static void test_misuse(void)
{
    gr_graph *g = gr_graph_create(NULL), *other = gr_graph_create(NULL);
    CHECK(gr_sgd(g, 0.1) == NULL);
    expect(g, GR_ERR_ARGUMENT, "sgd: the graph has no parameters");
    const gr_tensor x = param_of(g, "x", GR_F64, N, start), foreign = param_of(other, "y", GR_F64, N, start);
    const gr_tensor data = gr_constant(g, GR_F64, GR_SHAPE(N), NULL);
    CHECK(gr_sgd(g, -1) == NULL);
    expect(g, GR_ERR_ARGUMENT, "sgd: the learning rate");
    CHECK(gr_sgd(g, (double)NAN) == NULL);
    expect(g, GR_ERR_ARGUMENT, "sgd: the learning rate");
    CHECK(gr_momentum(g, 0.1, 1) == NULL);
    expect(g, GR_ERR_ARGUMENT, "momentum: beta");
    gr_adam_options bad = {.beta1 = 0.9, .beta2 = 0.999, .epsilon = -1};
    CHECK(gr_optimizer_create(g, &gr_rule_adam, 0.1, &bad, 0, NULL) == NULL);
    expect(g, GR_ERR_ARGUMENT, "adam: epsilon");
    CHECK(gr_optimizer_create(g, &gr_rule_sgd, 0.1, NULL, 1, &foreign) == NULL);
    expect(g, GR_ERR_GRAPH, "another graph");
    CHECK(gr_optimizer_create(g, &gr_rule_sgd, 0.1, NULL, 1, &data) == NULL);
    expect(g, GR_ERR_ARGUMENT, "is not a parameter");
    CHECK(gr_optimizer_create(g, &gr_rule_adam, 0.1, NULL, 2, (gr_tensor[]){x, x}) == NULL);
    expect(g, GR_ERR_ARGUMENT, "listed twice");
    CHECK(gr_optimizer_create(g, &gr_rule_sgd, 0.1, NULL, 1, &(gr_tensor){g, 0, 0}) == NULL);
    expect(g, GR_ERR_HANDLE, "sgd");
    CHECK(gr_optimizer_create(g, NULL, 0.1, NULL, 0, NULL) == NULL);
    expect(g, GR_ERR_ARGUMENT, "a rule needs");
    CHECK(gr_optimizer_step(NULL) == GR_ERR_HANDLE);

    gr_optimizer *opt = gr_sgd(g, 0.5);
    CHECK(gr_optimizer_step(opt) == GR_ERR_NO_GRADIENT);
    expect(g, GR_ERR_NO_GRADIENT, "none of its 1 parameters");
    CHECK(gr_optimizer_set_rate(opt, (double)INFINITY) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "learning rate");
    CHECK(gr_optimizer_rate(opt) == 0.5);
    CHECK(gr_optimizer_set_rate(opt, 0.25) == GR_OK && gr_optimizer_rate(opt) == 0.25);
    gr_optimizer_param(opt, 1);
    expect(g, GR_ERR_INDEX, "no parameter 1");
    gr_optimizer_state(opt, 0, 0);
    expect(g, GR_ERR_INDEX, "no state 0");
    gr_graph_destroy(g);
    gr_graph_destroy(other);
}

/* Refusals change nothing: with an error pending, and when one parameter of several is gone. */
static void test_all_or_nothing(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = param_of(g, "a", GR_F64, N, start), b = param_of(g, "b", GR_F64, N, start);
    gr_optimizer *opt = gr_adam(g, 0.1);
    gr_backward(gr_add(loss_of(a), loss_of(b)));
    gr_matmul(a, gr_constant(g, GR_F64, GR_SHAPE(N + 1), NULL));
    CHECK(gr_optimizer_step(opt) == GR_ERR_SHAPE && GR_AT(a, 0) == start[0]);
    gr_graph_clear_error(g);
    CHECK(gr_release(b) == GR_OK);
    CHECK(gr_optimizer_step(opt) == GR_ERR_STALE && GR_AT(a, 0) == start[0]);
    expect(g, GR_ERR_STALE, "adam: parameter 2 of 2 was released");
    CHECK(gr_optimizer_steps(opt, 0) == 0);
    const gr_tensor state = gr_optimizer_state(opt, 0, 1);
    CHECK(gr_is_valid(state) && gr_optimizer_release(opt) == GR_OK && !gr_is_valid(state));
    CHECK(gr_optimizer_step(opt) == GR_ERR_STATE);
    expect(g, GR_ERR_STATE, "released");
    opt = gr_adam(g, 0.1);
    CHECK(gr_optimizer_step(opt) == GR_OK && GR_AT(a, 0) != start[0]);
    CHECK(gr_release(gr_optimizer_state(opt, 0, 1)) == GR_OK);
    CHECK(gr_optimizer_step(opt) == GR_ERR_STALE);
    expect(g, GR_ERR_STALE, "remembers of a");
    gr_graph_destroy(g);
}

/* A step between forward and backward is noticed; a snapshot by gr_keep keeps the old values. */
static void test_versions(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = param_of(g, "x", GR_F64, N, start);
    gr_optimizer *opt = gr_sgd(g, 0.01);
    const gr_tensor loss = loss_of(x);
    gr_backward_with(loss, &(gr_backward_options){.retain = true});
    const gr_tensor before = gr_keep(x);
    CHECK(gr_optimizer_step(opt) == GR_OK);
    for (int i = 0; i < N; i++) {
        CHECK(GR_AT(before, i) == start[i] && GR_AT(x, i) != start[i]);
        CHECK_NEAR(GR_AT(x, i), start[i] - 0.01 * GR_AT(gr_gradient(x), i), 1e-12 * fabs(start[i]) + 1e-14);
    }
    CHECK(gr_backward(loss) == GR_ERR_MODIFIED);
    gr_graph_clear_error(g);
    /* what is remembered is a leaf, too */
    opt = gr_momentum(g, 0.01, 0.9);
    const gr_tensor v = gr_optimizer_state(opt, 0, 0), zeros = gr_keep(v),
                    z = gr_keep(gr_ones(g, GR_F64, GR_SHAPE(N)));
    const gr_tensor used = gr_sum(gr_mul(gr_set_requires_grad(z, true), v), GR_ALL_AXES, false);
    CHECK(gr_optimizer_step(opt) == GR_OK && GR_AT(zeros, 0) == 0 && GR_AT(v, 0) != 0);
    CHECK(gr_backward(used) == GR_ERR_MODIFIED);
    gr_graph_destroy(g);
}

/* Saved and written back, the same numbers follow. */
static void test_state_can_be_restored(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = param_of(g, "x", GR_F64, N, start);
    gr_optimizer *opt = gr_momentum(g, 1e-3, 0.9);
    double saved_x[N], saved_v[N], first[N];
    for (int t = 0; t < 6; t++) {
        if (t == 3) {
            gr_read(x, saved_x, N);
            gr_read(gr_optimizer_state(opt, 0, 0), saved_v, N);
        }
        gr_clear_grads(g);
        gr_backward(loss_of(x));
        gr_optimizer_step(opt);
    }
    gr_read(x, first, N);
    gr_write(x, saved_x, N);
    gr_write(gr_optimizer_state(opt, 0, 0), saved_v, N);
    for (int t = 3; t < 6; t++) {
        gr_clear_grads(g);
        gr_backward(loss_of(x));
        gr_optimizer_step(opt);
    }
    for (int i = 0; i < N; i++) CHECK(GR_AT(x, i) == first[i]);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* ---- Big parameters, threads, memory ---- */

enum { BIG = 100003 }; /* several chunks, the last one short */

static void train_big(int threads, float *result)
{
    gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = threads, .seed = 7});
    const gr_tensor x = gr_param(g, "x", GR_F32, GR_SHAPE(BIG), NULL),
                    goal = gr_keep(gr_normal(g, GR_F32, GR_SHAPE(BIG), 0, 1));
    gr_optimizer *opt = gr_adam(g, 0.01);
    uint64_t after_warm_up = 0;
    for (int t = 0; t < 6; t++) {
        gr_clear_grads(g);
        gr_backward(gr_half_sum_squares(x, goal));
        CHECK(gr_optimizer_step(opt) == GR_OK);
        gr_graph_reset(g);
        if (t == 1) after_warm_up = gr_graph_memory(g).allocations;
    }
    CHECK(gr_graph_memory(g).allocations == after_warm_up);
    gr_read(x, result, BIG);
    gr_graph_destroy(g);
}

static void test_threads_and_memory(void)
{
    static float one[BIG], three[BIG];
    train_big(1, one);
    train_big(3, three);
    CHECK(memcmp(one, three, sizeof one) == 0);
    CHECK(one[0] != 0 && one[BIG - 1] != 0);
}

static void test_scalar_and_empty(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor s = gr_param(g, "s", GR_F64, GR_SCALAR, &(double){3}),
                    e = gr_param(g, "e", GR_F64, GR_SHAPE(0, 4), NULL);
    gr_optimizer *opt = gr_adam(g, 0.5);
    gr_backward(gr_add(gr_square(s), gr_sum(e, GR_ALL_AXES, false)));
    CHECK(gr_has_gradient(e));
    CHECK(gr_optimizer_step(opt) == GR_OK);
    CHECK_NEAR(gr_item(s), 2.5, 1e-8);
    gr_graph_destroy(g);
}

/* ---- Every allocation fails in turn ---- */

typedef struct budget {
    int left, blocks;
} budget;

static void *limited(size_t bytes, void *user)
{
    budget *b = user;
    if (b->left-- <= 0) return NULL;
    b->blocks++;
    return aligned_alloc(64, bytes);
}

static void give_back(void *block, size_t bytes, void *user)
{
    (void)bytes;
    ((budget *)user)->blocks--;
    free(block);
}

/* Whether it came to the end; on failure the error is one of memory and no parameter has moved. */
static bool adam_within(int allocations)
{
    budget b = {allocations, 0};
    gr_graph *g = gr_graph_create(&(gr_graph_options){.allocator = {limited, give_back, &b}});
    if (!g) return false;
    const gr_mlp net = gr_mlp_create(g, "", GR_F64, 3, (int64_t[]){2, 20, 1}, gr_tanh, gr_init_he_normal);
    gr_optimizer *opt = gr_adam(g, 0.1);
    const gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(4, 2), (double[]){0, 0, 0, 1, 1, 0, 1, 1});
    const gr_tensor t = gr_constant(g, GR_F64, GR_SHAPE(4, 1), (double[]){0, 1, 1, 0});
    gr_backward(gr_mse(gr_mlp_forward(net, x), t));
    const double before = net.n_layers ? GR_AT(net.layers[0].weight, 0, 0) : 0;
    const gr_status status = opt ? gr_optimizer_step(opt) : gr_graph_status(g);
    CHECK(status == GR_OK || status == GR_ERR_MEMORY);
    CHECK(status == gr_graph_status(g));
    if (status != GR_OK && net.n_layers) CHECK(GR_AT(net.layers[0].weight, 0, 0) == before);
    if (status != GR_OK) { /* with memory again, all goes on */
        b.left = 1 << 20;
        gr_graph_clear_error(g);
        CHECK(net.n_layers == 2 || gr_param_count(g) == 0);
        const gr_mlp again = gr_mlp_create(g, "again.", GR_F64, 2, (int64_t[]){2, 1}, NULL, NULL);
        gr_optimizer *second = gr_sgd(g, 0.1);
        const gr_tensor x2 = gr_constant(g, GR_F64, GR_SHAPE(1, 2), (double[]){1, 2});
        CHECK(gr_backward(gr_sum(gr_mlp_forward(again, x2), GR_ALL_AXES, false)) == GR_OK);
        CHECK(gr_optimizer_step(second) == GR_OK);
    }
    gr_graph_destroy(g);
    CHECK(b.blocks == 0);
    return status == GR_OK;
}

static void test_failing_allocations(void)
{
    int n = 0;
    while (n < 2000 && !adam_within(n)) n++;
    CHECK(n > 10 && n < 2000);
}

int main(void)
{
    RUN(test_sgd);
    RUN(test_momentum);
    RUN(test_adam);
    RUN(test_adam_first_step);
    RUN(test_own_rule);
    RUN(test_lists_and_frozen);
    RUN(test_misuse);
    RUN(test_all_or_nothing);
    RUN(test_versions);
    RUN(test_state_can_be_restored);
    RUN(test_threads_and_memory);
    RUN(test_scalar_and_empty);
    RUN(test_failing_allocations);
    return TEST_EXIT;
}
