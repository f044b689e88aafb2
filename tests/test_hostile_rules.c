/*
 * Primitives of users that misbehave: rules that free what is walked over, return what is no tensor, leave scopes
 * open; infer and forward functions that promise what cannot be. Each must end in an error that says so, with
 * nothing changed that a user can see, and the same graph must go on.
 */
#include "test.h"

#include <gradus.h>

/* What the rules below act on, beside their call. */
typedef struct stage {
    gr_graph *other;
    gr_scope outer;
    gr_tensor param, second, stale, loss;
    gr_optimizer *optimizer;
    gr_status inner; /* what the call inside the rule returned */
} stage;
static stage s;

typedef gr_tensor hostile_rule(const gr_call *c, gr_tensor gy, int i);
static hostile_rule *rule;

static gr_status product_infer(const gr_call *c, gr_layout *out) { return gr_infer_broadcast(c, out); }
static gr_status product_forward(const gr_call *c)
{
    const double *a = c->in[0]->data, *b = c->in[1]->data;
    for (int64_t k = 0; k < c->out->count; k++) ((double *)c->out->data)[k] = a[k] * b[k];
    return GR_OK;
}
static gr_tensor product_vjp(const gr_call *c, gr_tensor gy, int i) { return rule(c, gy, i); }
static bool never(const gr_call *c, const gr_array *gy, int i, const gr_array *to)
{
    (void)c, (void)gy, (void)i, (void)to;
    return false;
}
static const gr_op product = {.name = "product",
                              .arity = 2,
                              .infer = product_infer,
                              .forward = product_forward,
                              .vjp = product_vjp,
                              .pull = never};

/* The same, the rule asked for all operands at once. */
static gr_status product_vjp_all(const gr_call *c, gr_tensor gy, const bool *needed, gr_tensor *contributions)
{
    for (int i = 0; i < c->n; i++)
        if (needed[i]) contributions[i] = rule(c, gy, i);
    return gr_graph_status(c->graph);
}
static const gr_op product_at_once = {.name = "product",
                                      .arity = 2,
                                      .infer = product_infer,
                                      .forward = product_forward,
                                      .vjp_all = product_vjp_all,
                                      .pull = never};

/* The same, but promising that the rule serves for tangents, and without a fast path. */
static const gr_op symmetric = {.name = "product",
                                .arity = 2,
                                .infer = product_infer,
                                .forward = product_forward,
                                .vjp = product_vjp,
                                .tangent = GR_TANGENT_SYMMETRIC};
static const gr_op *tested = &product;

static gr_tensor right(const gr_call *c, gr_tensor gy, int i) { return gr_mul(gy, c->operands[1 - i]); }

static gr_tensor resets(const gr_call *c, gr_tensor gy, int i)
{
    s.inner = gr_graph_reset(c->graph);
    return right(c, gy, i);
}
static gr_tensor ends_outer_scope(const gr_call *c, gr_tensor gy, int i)
{
    s.inner = gr_scope_end(s.outer, 0, NULL);
    return right(c, gy, i);
}
static gr_tensor releases(const gr_call *c, gr_tensor gy, int i)
{
    s.inner = gr_release(s.second);
    return right(c, gy, i);
}
static gr_tensor clears_all(const gr_call *c, gr_tensor gy, int i)
{
    s.inner = gr_clear_grads(c->graph);
    return right(c, gy, i);
}
static gr_tensor clears_one(const gr_call *c, gr_tensor gy, int i)
{
    s.inner = gr_clear_grad(s.second);
    return right(c, gy, i);
}
static gr_tensor releases_optimizer(const gr_call *c, gr_tensor gy, int i)
{
    s.inner = gr_optimizer_release(s.optimizer);
    return right(c, gy, i);
}
static gr_tensor leaves_scope_open(const gr_call *c, gr_tensor gy, int i)
{
    for (int k = 0; k < 3000; k++) gr_scalar(c->graph, GR_F64, k);
    gr_scope_begin(c->graph);
    s.inner = GR_ERR_STATE;
    return right(c, gy, i);
}
static gr_tensor leaves_no_grad_open(const gr_call *c, gr_tensor gy, int i)
{
    gr_no_grad_begin(c->graph);
    s.inner = GR_ERR_STATE;
    return right(c, gy, i);
}
static gr_tensor closes_no_grad(const gr_call *c, gr_tensor gy, int i)
{
    gr_no_grad_end(c->graph);
    s.inner = GR_ERR_STATE;
    return right(c, gy, i);
}
static gr_tensor hides_what_it_did(const gr_call *c, gr_tensor gy, int i)
{
    gr_graph_reset(c->graph);
    gr_scope_end(s.outer, 0, NULL);
    gr_release(s.second);
    gr_graph_clear_error(c->graph);
    return right(c, gy, i);
}
static gr_tensor returns_foreign(const gr_call *c, gr_tensor gy, int i)
{
    (void)c, (void)gy, (void)i;
    return gr_scalar(s.other, GR_F64, 1);
}
static gr_tensor returns_stale(const gr_call *c, gr_tensor gy, int i)
{
    (void)c, (void)gy, (void)i;
    return s.stale;
}
static gr_tensor returns_invalid(const gr_call *c, gr_tensor gy, int i)
{
    (void)gy, (void)i;
    return (gr_tensor){c->graph, 0, 0};
}
static gr_tensor returns_wild(const gr_call *c, gr_tensor gy, int i)
{
    (void)gy, (void)i;
    return (gr_tensor){c->graph, UINT32_MAX, 1};
}
static gr_tensor returns_other_shape(const gr_call *c, gr_tensor gy, int i)
{
    (void)gy, (void)i;
    return gr_ones(c->graph, GR_F64, GR_SHAPE(5));
}
static gr_tensor returns_other_type(const gr_call *c, gr_tensor gy, int i)
{
    (void)gy, (void)i;
    return gr_ones(c->graph, GR_F32, GR_SHAPE(2));
}
static gr_tensor fails_and_returns(const gr_call *c, gr_tensor gy, int i)
{
    gr_graph_fail(c->graph, GR_ERR_CALLBACK, "no");
    return right(c, gy, i);
}
static gr_tensor fails_silently(const gr_call *c, gr_tensor gy, int i)
{
    gr_graph_fail(c->graph, GR_ERR_CALLBACK, "no");
    (void)gy, (void)i;
    return GR_NONE;
}
static gr_tensor writes_operand(const gr_call *c, gr_tensor gy, int i)
{
    gr_write(s.param, (double[]){7, 7}, 2);
    return right(c, gy, i);
}
static gr_tensor walks_same(const gr_call *c, gr_tensor gy, int i)
{
    rule = right;
    gr_backward(s.loss);
    rule = walks_same;
    return right(c, gy, i);
}

typedef struct hostile {
    const char *name;
    hostile_rule *rule;
    gr_status expected;
} hostile;
static const hostile all[] = {{"reset", resets, GR_ERR_STATE},
                              {"scope_end", ends_outer_scope, GR_ERR_STATE},
                              {"release", releases, GR_ERR_STATE},
                              {"clear_grads", clears_all, GR_ERR_STATE},
                              {"clear_grad", clears_one, GR_ERR_STATE},
                              {"optimizer_release", releases_optimizer, GR_ERR_STATE},
                              {"scope left open", leaves_scope_open, GR_ERR_STATE},
                              {"no_grad left open", leaves_no_grad_open, GR_ERR_STATE},
                              {"no_grad closed", closes_no_grad, GR_ERR_STATE},
                              {"hidden", hides_what_it_did, GR_OK},
                              {"foreign", returns_foreign, GR_ERR_CALLBACK},
                              {"stale", returns_stale, GR_ERR_CALLBACK},
                              {"invalid", returns_invalid, GR_ERR_CALLBACK},
                              {"wild", returns_wild, GR_ERR_CALLBACK},
                              {"shape", returns_other_shape, GR_ERR_SHAPE},
                              {"type", returns_other_type, GR_ERR_SHAPE},
                              {"fails", fails_and_returns, GR_ERR_CALLBACK},
                              {"fails silently", fails_silently, GR_ERR_CALLBACK}};

/* The loss is second . product(param, second), with gradient of `param` second^2 = [9, 16]. */
static gr_tensor build(gr_graph *g)
{
    const gr_tensor operands[] = {s.param, s.second};
    return gr_sum(gr_mul(s.second, gr_apply(g, tested, 2, operands, NULL)), GR_ALL_AXES, false);
}

/* A walk over the loss, of one of the kinds that there are. */
enum { BACKWARD, RECORDED, FORWARD, FORWARD_RECORDED, KINDS };
static gr_status walk(gr_graph *g, int kind, gr_tensor loss)
{
    gr_tensor result, t = gr_ones(g, GR_F64, GR_SHAPE(2));
    if (kind == BACKWARD) return gr_backward(loss);
    if (kind == RECORDED)
        return gr_grad(1, &loss, 1, &s.param, NULL, &(gr_grad_options){.record = true}, &result);
    const bool record = kind == FORWARD_RECORDED;
    if (!record) gr_no_grad_begin(g);
    const gr_status status = gr_jvp(1, &loss, 1, &s.param, &t, &result);
    if (!record) gr_no_grad_end(g);
    return status;
}

static void stage_open(gr_graph *g)
{
    s.other = gr_graph_create(NULL);
    s.param = gr_param(g, "p", GR_F64, GR_SHAPE(2), (double[]){1, 2});
    s.second = gr_param(g, "q", GR_F64, GR_SHAPE(2), (double[]){3, 4});
    s.optimizer = gr_adam(g, 0.1);
    s.stale = gr_scalar(g, GR_F64, 1);
    gr_graph_reset(g);
}

static void check_goes_on(gr_graph *g, const char *what)
{
    double p[2] = {0, 0};
    rule = right;
    gr_graph_clear_error(g);
    gr_clear_grads(g);
    const gr_scope scope = gr_scope_begin(g);
    CHECK(gr_backward(build(g)) == GR_OK);
    CHECK(gr_read(gr_gradient(s.param), p, 2) == GR_OK);
    CHECK(gr_scope_end(scope, 0, NULL) == GR_OK);
    CHECK(p[0] == 9 && p[1] == 16);
    if (gr_graph_status(g) != GR_OK || p[0] != 9) printf("after %s: %s\n", what, gr_graph_error(g));
}

/* Each hostile rule in each kind of walk, inside a scope; asked for one operand, and for all. */
static void test_rules(void)
{
    static const gr_op *const products[] = {&product, &symmetric, &product_at_once};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        for (int way = 0; way < 3 * KINDS; way++) {
            const int kind = way % KINDS;
            gr_graph *g = gr_graph_create(NULL);
            stage_open(g);
            s.outer = gr_scope_begin(g);
            rule = right;
            CHECK(gr_backward(build(g)) == GR_OK); /* gradients, for rules that would clear them */
            tested = products[way / KINDS];
            const gr_tensor loss = build(g);
            rule = all[k].rule;
            s.inner = GR_ERR_STATE;
            const gr_status status = walk(g, kind, loss);
            tested = &product;
            CHECK(status == all[k].expected);
            if (status != all[k].expected) printf("%s: %s\n", all[k].name, gr_graph_error(g));
            CHECK(s.inner == GR_ERR_STATE);
            CHECK(gr_is_recording(g));
            CHECK(gr_is_valid(s.second) && gr_has_gradient(s.second) && gr_is_valid(loss));
            check_goes_on(g, all[k].name);
            CHECK(gr_scope_end(s.outer, 0, NULL) == GR_OK);
            CHECK(gr_graph_reset(g) == GR_OK);
            check_goes_on(g, all[k].name);
            CHECK(gr_optimizer_step(s.optimizer) == GR_OK);
            CHECK(gr_optimizer_release(s.optimizer) == GR_OK);
            CHECK(gr_release(s.second) == GR_OK);
            gr_graph_destroy(s.other);
            gr_graph_destroy(g);
        }
    }
}

static gr_status fails_for_all(const gr_call *c, gr_tensor gy, const bool *needed, gr_tensor *contributions)
{
    (void)c, (void)gy, (void)needed, (void)contributions;
    return GR_ERR_SHAPE;
}

/* A rule for all operands that fails without an error, and one that has no rule at all. */
static void test_rule_for_all_fails(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_op silent = product_at_once, none = product_at_once;
    silent.vjp_all = fails_for_all;
    none.vjp_all = NULL;
    stage_open(g);
    tested = &silent;
    CHECK(gr_backward(build(g)) == GR_ERR_CALLBACK);
    CHECK_TEXT(gr_graph_error(g), "backward: the rule of product failed without saying why");
    CHECK(!gr_has_gradient(s.param) && !gr_has_gradient(s.second));
    gr_graph_clear_error(g);
    tested = &none;
    CHECK(!gr_is_valid(build(g)) && gr_graph_status(g) == GR_ERR_NOT_DIFFERENTIABLE);
    tested = &product_at_once;
    check_goes_on(g, "silence");
    tested = &product;
    gr_graph_destroy(s.other);
    gr_graph_destroy(g);
}

/* A rule that remembers a cotangent beyond its call finds that it is gone. */
static gr_tensor remembered;
static int rule_calls;
static gr_tensor remembers(const gr_call *c, gr_tensor gy, int i)
{
    if (rule_calls++ == 2)
        remembered = gy; /* of the second node: that of the first is a view of one number */
    return right(c, rule_calls < 5 ? gy : remembered, i);
}

static void test_stale_cotangents(void)
{
    gr_graph *g = gr_graph_create(NULL);
    stage_open(g);
    gr_tensor y = s.param;
    for (int k = 0; k < 4; k++) {
        const gr_tensor operands[] = {y, s.second};
        y = gr_apply(g, &symmetric, 2, operands, NULL);
    }
    rule = remembers;
    rule_calls = 0;
    CHECK(gr_backward(gr_sum(y, GR_ALL_AXES, false)) == GR_ERR_STALE);
    gr_graph_destroy(s.other);
    gr_graph_destroy(g);
}

/* A reset by a rule where no scope is open, too. */
static void test_reset_without_scopes(void)
{
    gr_graph *g = gr_graph_create(NULL);
    stage_open(g);
    const gr_tensor loss = build(g);
    rule = resets;
    CHECK(gr_backward(loss) == GR_ERR_STATE);
    CHECK(s.inner == GR_ERR_STATE);
    CHECK_TEXT(gr_graph_error(g), "reset: called by a rule while a walk is under way");
    CHECK(gr_is_valid(loss));
    gr_graph_clear_error(g);
    CHECK(gr_graph_reset(g) == GR_OK);
    check_goes_on(g, "reset");
    gr_graph_destroy(s.other);
    gr_graph_destroy(g);
}

/* What a rule changes is noticed, or does no harm. */
static void test_rules_that_write_and_walk(void)
{
    gr_graph *g = gr_graph_create(NULL);
    stage_open(g);
    /* p is used below, too: its old value is needed after the rule has written it. */
    const gr_tensor square = gr_square(s.param), operands[] = {square, s.second};
    rule = writes_operand;
    s.loss = gr_sum(gr_apply(g, &product, 2, operands, NULL), GR_ALL_AXES, false);
    CHECK(gr_backward(s.loss) == GR_ERR_MODIFIED);
    CHECK(!gr_has_gradient(s.param));
    gr_write(s.param, (double[]){1, 2}, 2);
    check_goes_on(g, "write");

    rule = walks_same;
    s.loss = build(g);
    CHECK(gr_backward(s.loss) == GR_ERR_HISTORY_RELEASED);
    check_goes_on(g, "walk");
    gr_graph_destroy(s.other);
    gr_graph_destroy(g);
}

/* ---- infer and forward ---- */

static gr_layout given;
static gr_status layout_infer(const gr_call *c, gr_layout *out)
{
    (void)c;
    *out = given;
    return GR_OK;
}
static gr_status infer_fails(const gr_call *c, gr_layout *out)
{
    (void)c, (void)out;
    return GR_ERR_SHAPE;
}
static gr_status forward_fails(const gr_call *c)
{
    (void)c;
    return GR_ERR_INDEX;
}
static gr_status nothing(const gr_call *c)
{
    (void)c;
    return GR_OK;
}
static const gr_op with_layout = {
    .name = "with_layout", .arity = 1, .infer = layout_infer, .forward = nothing};
static const gr_op failing_infer = {.name = "failing", .arity = 1, .infer = infer_fails, .forward = nothing};
static const gr_op failing_forward = {
    .name = "failing", .arity = 1, .infer = layout_infer, .forward = forward_fails};

static void test_layouts(void)
{
    static const struct {
        gr_layout layout;
        gr_status expected;
    } cases[] = {
        {{.type = GR_F64, .ndim = 9, .alias = -1}, GR_ERR_NDIM},
        {{.type = GR_F64, .ndim = -1, .alias = -1}, GR_ERR_CALLBACK},
        {{.type = (gr_type)17, .ndim = 0, .alias = -1}, GR_ERR_CALLBACK},
        {{.type = GR_F64, .ndim = 1, .dims = {-3}, .alias = -1}, GR_ERR_OVERFLOW},
        {{.type = GR_F64, .ndim = 2, .dims = {INT64_MAX, INT64_MAX}, .alias = -1}, GR_ERR_OVERFLOW},
        {{.type = GR_F64, .ndim = 1, .dims = {(int64_t)1 << 58}, .alias = -1}, GR_ERR_LIMIT},
        {{.type = GR_F64, .ndim = 0, .alias = 1}, GR_ERR_CALLBACK},
        /* Views of what is not there: the operand has 20 elements of 8 bytes. */
        {{.type = GR_F64, .ndim = 1, .dims = {21}, .alias = 0, .strides = {1}}, GR_ERR_CALLBACK},
        {{.type = GR_F64, .ndim = 1, .dims = {2}, .alias = 0, .offset = 19, .strides = {1}}, GR_ERR_CALLBACK},
        {{.type = GR_F64, .ndim = 0, .alias = 0, .offset = -1}, GR_ERR_CALLBACK},
        {{.type = GR_F64, .ndim = 1, .dims = {2}, .alias = 0, .strides = {-1}}, GR_ERR_CALLBACK},
        {{.type = GR_F64, .ndim = 1, .dims = {2}, .alias = 0, .strides = {INT64_MAX}}, GR_ERR_CALLBACK},
        {{.type = GR_F64, .ndim = 1, .dims = {3}, .alias = 0, .strides = {INT64_MIN}}, GR_ERR_CALLBACK},
        {{.type = GR_F64, .ndim = 1, .dims = {20}, .alias = 0, .offset = 19, .strides = {-1}}, GR_OK},
        {{.type = GR_F64, .ndim = 2, .dims = {9, 20}, .alias = 0, .strides = {0, 1}}, GR_OK},
        {{.type = GR_F64, .ndim = 1, .dims = {0}, .alias = 0, .offset = 20, .strides = {1}}, GR_OK},
    };
    gr_graph *g = gr_graph_create(&(gr_graph_options){.byte_limit = 1 << 20});
    const gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(4, 5), NULL);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        given = cases[k].layout;
        const gr_tensor y = gr_apply(g, &with_layout, 1, &x, NULL);
        CHECK(gr_graph_status(g) == cases[k].expected);
        CHECK(gr_is_valid(y) == (cases[k].expected == GR_OK));
        if (gr_graph_status(g) != cases[k].expected) printf("layout %zu: %s\n", k, gr_graph_error(g));
        gr_graph_clear_error(g);
    }
    gr_graph_destroy(g);
}

static void test_silent_failures(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(4, 5), NULL);
    given = (gr_layout){.type = GR_F64, .ndim = 0, .alias = -1};
    CHECK(!gr_is_valid(gr_apply(g, &failing_infer, 1, &x, NULL)));
    CHECK(gr_graph_status(g) == GR_ERR_CALLBACK);
    gr_graph_clear_error(g);
    CHECK(!gr_is_valid(gr_apply(g, &failing_forward, 1, &x, NULL)));
    CHECK(gr_graph_status(g) == GR_ERR_CALLBACK);
    CHECK_TEXT(gr_graph_error(g), "failing");
    gr_graph_destroy(g);
}

/* ---- Functions that are checked ---- */

static gr_tensor ends_scope(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n;
    gr_scope_end(*(const gr_scope *)user, 0, NULL);
    return gr_square(in[0]);
}
static gr_tensor resets_graph(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)n, (void)user;
    gr_graph_reset(g);
    return gr_square(in[0]);
}

static void test_functions_under_check(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_check_result result;
    const gr_tensor x = gr_param(g, "x", GR_F64, GR_SHAPE(2), (double[]){1, 2});
    gr_scope outer = gr_scope_begin(g);
    CHECK(gr_gradcheck(g, ends_scope, 1, &x, &outer, NULL, &result) == GR_ERR_STATE);
    CHECK(!result.passed);
    gr_graph_clear_error(g);
    CHECK(gr_scope_end(outer, 0, NULL) == GR_OK);
    CHECK(gr_gradcheck(g, resets_graph, 1, &x, NULL, NULL, &result) == GR_ERR_STATE);
    gr_graph_clear_error(g);
    CHECK(gr_graph_reset(g) == GR_OK);
    CHECK(gr_at(x, 1, (int64_t[]){0}) == 1 && gr_at(x, 1, (int64_t[]){1}) == 2);
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_rules);
    RUN(test_rule_for_all_fails);
    RUN(test_stale_cotangents);
    RUN(test_reset_without_scopes);
    RUN(test_rules_that_write_and_walk);
    RUN(test_layouts);
    RUN(test_silent_failures);
    RUN(test_functions_under_check);
    return TEST_EXIT;
}
