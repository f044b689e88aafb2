/*
 * Primitives as a user writes them: operands that broadcast, strided ones, threads, what goes wrong.
 */
#include <gradus.h>

#include <math.h>

#include "test.h"

static gr_status length_infer(const gr_call *call, gr_layout *out)
{
    const gr_status status = gr_infer_broadcast(call, out);
    if (status != GR_OK) return status;
    return out->type == GR_F64 ? GR_OK : gr_call_fail(call, GR_ERR_TYPE, "is for f64 only", NULL);
}

static void length_loop(int64_t n, void *const *p, const int64_t *s, const void *attributes)
{
    double *y = p[0];
    const double *a = p[1], *b = p[2];
    const double factor = *(const double *)attributes;
    for (int64_t i = 0; i < n; i++) y[i * s[0]] = factor * hypot(a[i * s[1]], b[i * s[2]]);
}

static gr_status length_forward(const gr_call *call) { return gr_call_map(call, length_loop); }

/* y = f sqrt(a^2 + b^2): dy/da = f^2 a / y, dy/db = f^2 b / y */
static gr_tensor length_vjp(const gr_call *call, gr_tensor gy, int i)
{
    const double factor = *(const double *)call->attributes;
    return gr_scale(gr_div(gr_mul(gy, call->operands[i]), call->output), factor * factor);
}

static const gr_op length_op = {.name = "length",
                                .arity = 2,
                                .strided = true,
                                .attribute_bytes = sizeof(double),
                                .infer = length_infer,
                                .forward = length_forward,
                                .vjp = length_vjp,
                                .commutative = true};

static gr_tensor length(gr_tensor a, gr_tensor b, double factor)
{
    return gr_apply(NULL, &length_op, 2, (gr_tensor[]){a, b}, &factor);
}

static gr_tensor length_of_inputs(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return length(gr_transpose(in[0], 0, 1), in[1], 1.5);
}

static void operands_broadcast(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = gr_param(g, "a", GR_F64, GR_SHAPE(2, 3), (double[]){3, 6, 9, 5, 8, 20});
    const gr_tensor b = gr_param(g, "b", GR_F64, GR_SHAPE(3, 1), (double[]){4, 8, 12});
    const gr_tensor y = length_of_inputs(g, 2, (gr_tensor[]){a, b}, NULL);
    CHECK(gr_dim(y, 0) == 3 && gr_dim(y, 1) == 2);
    const double expected[] = {7.5, sqrt(41) * 1.5, 15, sqrt(128) * 1.5, 22.5, sqrt(544) * 1.5};
    for (int i = 0; i < 6; i++) CHECK_NEAR(GR_AT(y, i / 2, i % 2), expected[i], 1e-12);

    gr_check_result result;
    CHECK(gr_gradcheck(g, length_of_inputs, 2, (gr_tensor[]){a, b}, NULL, &(gr_check_options){.order = 2},
                       &result) == GR_OK);
    CHECK(result.passed);

    CHECK(gr_count(length(gr_zeros(g, GR_F64, GR_SHAPE(0, 3)), gr_select(a, 0, 0), 1)) == 0);
    CHECK_NEAR(gr_item(length(gr_scalar(g, GR_F64, 3), gr_scalar(g, GR_F64, 4), 1)), 5, 1e-12);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

static void threads_agree(void)
{
    double sums[2];
    for (int threads = 1; threads <= 2; threads++) {
        gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = threads});
        const gr_tensor a = gr_uniform(g, GR_F64, GR_SHAPE(400, 500), 0, 1);
        const gr_tensor b = gr_uniform(g, GR_F64, GR_SHAPE(500), 0, 1);
        const gr_tensor y = length(a, b, 1);
        CHECK_NEAR(GR_AT(y, 399, 499), hypot(GR_AT(a, 399, 499), GR_AT(b, 499)), 1e-12);
        sums[threads - 1] = gr_item(gr_sum(y, GR_ALL_AXES, false));
        gr_graph_destroy(g);
    }
    CHECK(sums[0] > 0 && memcmp(&sums[0], &sums[1], sizeof sums[0]) == 0);
}

static gr_status like_first(const gr_call *call, gr_layout *out) { return gr_infer_like(call, out, 0); }
static gr_status no_loop(const gr_call *call) { return gr_call_map(call, NULL); }

static void errors_are_named(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_op shrinking = {.name = "shrinking",
                             .arity = GR_VARIADIC,
                             .strided = true,
                             .attribute_bytes = sizeof(double),
                             .infer = like_first,
                             .forward = length_forward};
    gr_op loopless = shrinking, nameless = shrinking;
    loopless.forward = no_loop;
    nameless.name = NULL;
    const gr_tensor small = gr_ones(g, GR_F64, GR_SHAPE(3)), big = gr_ones(g, GR_F64, GR_SHAPE(2, 3));
    const double one = 1;
    const struct {
        const gr_op *op;
        int n;
        gr_tensor operands[4];
        gr_status status;
        const char *text;
    } cases[] = {
        {&shrinking, 2, {small, big}, GR_ERR_SHAPE, "shrinking: operands do not broadcast to the result"},
        {&shrinking, 2, {small, gr_ones(g, GR_F64, GR_SHAPE(2))}, GR_ERR_SHAPE, "full [3], full [2]"},
        {&shrinking, 4, {big, big, big, big}, GR_ERR_ARGUMENT, "at most three operands"},
        {&loopless, 2, {big, small}, GR_ERR_ARGUMENT, "needs a loop"},
        {&nameless, 2, {big, small}, GR_ERR_ARGUMENT, "apply: NULL for the primitive, its name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(!gr_is_valid(gr_apply(g, cases[i].op, cases[i].n, cases[i].operands, &one)));
        CHECK(gr_graph_status(g) == cases[i].status);
        CHECK_TEXT(gr_graph_error(g), cases[i].text);
        gr_graph_clear_error(g);
    }
    CHECK(gr_is_valid(gr_apply(g, &shrinking, 2, (gr_tensor[]){big, small}, &one)));
    gr_graph_destroy(g);
}

/* ---- One rule for all operands: y = a b c ---- */

static int asked;       /* times that the rule was called, */
static bool wanted[12]; /* and for which operands, the last time */

static gr_status product_infer(const gr_call *c, gr_layout *out) { return gr_infer_broadcast(c, out); }
static void product_loop(int64_t n, void *const *p, const int64_t *s, const void *attributes)
{
    (void)attributes;
    for (int64_t i = 0; i < n; i++)
        ((double *)p[0])[i * s[0]] = ((const double *)p[1])[i * s[1]] * ((const double *)p[2])[i * s[2]] *
                                     ((const double *)p[3])[i * s[3]];
}
static gr_status product_forward(const gr_call *c) { return gr_call_map(c, product_loop); }
static gr_status product_rule(const gr_call *c, gr_tensor gy, const bool *needed, gr_tensor *contributions)
{
    asked++;
    for (int i = 0; i < c->n; i++) {
        wanted[i] = needed[i];
        if (needed[i])
            contributions[i] = gr_mul(gy, gr_mul(c->operands[(i + 1) % 3], c->operands[(i + 2) % 3]));
    }
    return gr_graph_status(c->graph);
}
static gr_tensor wrong_rule(const gr_call *c, gr_tensor gy, int i)
{
    (void)c, (void)i;
    return gy;
}
static bool pull_of_second(const gr_call *c, const gr_array *gy, int i, const gr_array *to)
{
    const double *g = gy->data, *a = c->in[0]->data, *z = c->in[2]->data;
    if (i != 1 || to->count != c->out->count || c->in[0]->count != to->count) return false;
    for (int64_t k = 0; k < to->count; k++) ((double *)to->data)[k] = g[k] * a[k] * z[0];
    return true;
}
static const gr_op product = {.name = "product",
                              .arity = 3,
                              .strided = true,
                              .infer = product_infer,
                              .forward = product_forward,
                              .vjp = wrong_rule, /* never asked: the other is there */
                              .vjp_all = product_rule,
                              .pull = pull_of_second};

/* One that also gives what nobody asked for, and of no possible shape. */
static gr_status greedy_rule(const gr_call *c, gr_tensor gy, const bool *needed, gr_tensor *contributions)
{
    const gr_status status = product_rule(c, gy, needed, contributions);
    for (int i = 0; i < c->n; i++)
        if (!needed[i]) contributions[i] = gr_ones(c->graph, GR_F64, GR_SHAPE(99));
    return status;
}
static const gr_op greedy = {
    .name = "greedy", .arity = 3, .infer = product_infer, .forward = product_forward, .vjp_all = greedy_rule};

static gr_tensor product_of(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)user;
    return gr_apply(g, &product, n, in, NULL);
}

static void one_rule_for_all(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = gr_param(g, "a", GR_F64, GR_SHAPE(2), (double[]){2, 3});
    const gr_tensor b = gr_param(g, "b", GR_F64, GR_SHAPE(2), (double[]){5, 7});
    const gr_tensor z = gr_constant(g, GR_F64, GR_SHAPE(1), (double[]){11});
    const gr_tensor in[] = {a, b, z};
    CHECK(gr_backward(gr_sum(product_of(g, 3, in, NULL), GR_ALL_AXES, false)) == GR_OK);
    CHECK(asked == 1 && wanted[0] && !wanted[1] && !wanted[2]); /* the second came by pull */
    CHECK(GR_AT(gr_gradient(a), 0) == 55 && GR_AT(gr_gradient(a), 1) == 77);
    CHECK(GR_AT(gr_gradient(b), 0) == 22 && GR_AT(gr_gradient(b), 1) == 33);

    gr_tensor y = product_of(g, 3, (gr_tensor[]){z, a, a}, NULL), gradient; /* one operand twice */
    const gr_tensor ones = gr_ones(g, GR_F64, GR_SHAPE(2));
    CHECK(gr_grad(1, &y, 1, &a, &ones, &(gr_grad_options){.record = true}, &gradient) == GR_OK);
    CHECK(asked == 2 && !wanted[0] && wanted[1] && wanted[2]);
    CHECK(GR_AT(gradient, 0) == 44 && GR_AT(gradient, 1) == 66 && gr_requires_grad(gradient));

    y = gr_apply(g, &greedy, 3, in, NULL);
    CHECK(gr_grad(1, &y, 1, &b, &ones, NULL, &gradient) == GR_OK);
    CHECK(GR_AT(gradient, 0) == 22 && GR_AT(gradient, 1) == 33);

    gr_check_result result; /* and where it broadcasts, to second order */
    gr_set_requires_grad(z, true);
    CHECK(gr_gradcheck(g, product_of, 3, in, NULL, &(gr_check_options){.order = 2}, &result) == GR_OK);
    CHECK(result.passed);
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(one_rule_for_all);
    RUN(operands_broadcast);
    RUN(threads_agree);
    RUN(errors_are_named);
    return TEST_EXIT;
}
