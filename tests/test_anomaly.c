/*
 * Anomaly mode: the operation that made the first NaN or infinity is named, value or gradient, or what else it comes
 * from; what is fine goes on as without it; and a failure leaves everything as it was.
 */
#include "gradus.h"
#include "test.h"

static gr_graph *g;

static gr_tensor total(gr_tensor x) { return gr_sum(x, GR_ALL_AXES, false); }
static gr_tensor param(const char *name, double a, double b)
{
    return gr_param(g, name, GR_F64, GR_SHAPE(2), (double[]){a, b});
}

static void begin(bool allow_infinite, bool allow_data)
{
    g = gr_graph_create(NULL);
    CHECK(gr_anomaly_begin(g, &(gr_anomaly_options){allow_infinite, allow_data}) == GR_OK);
}
static void end(void)
{
    CHECK(gr_anomaly_end(g) == GR_OK);
    gr_graph_destroy(g);
}

/* The error is there, with this text; it is cleared. */
static void expect(const char *text)
{
    CHECK(gr_graph_status(g) == GR_ERR_NOT_FINITE);
    CHECK_TEXT(gr_graph_error(g), text);
    gr_graph_clear_error(g);
}

/* ---- Primitives with poles: y = x, by rules whose derivative is 1/x ---- */

static int way; /* of the rule: per operand, all at once, by pull */

static gr_status like_first(const gr_call *c, gr_layout *out) { return gr_infer_like(c, out, 0); }
static gr_status copy(const gr_call *c)
{
    memcpy(c->out->data, c->in[0]->data, (size_t)c->out->count * sizeof(double));
    return GR_OK;
}
static gr_tensor pole_vjp(const gr_call *c, gr_tensor gy, int i) { return gr_div(gy, c->operands[i]); }
static gr_status pole_vjp_all(const gr_call *c, gr_tensor gy, const bool *needed, gr_tensor *contributions)
{
    if (needed[0]) contributions[0] = pole_vjp(c, gy, 0);
    return gr_graph_status(c->graph);
}
static bool pole_pull(const gr_call *c, const gr_array *gy, int i, const gr_array *to)
{
    const double *x = c->in[0]->data, *u = gy->data;
    for (int64_t k = 0; k < to->count; k++) ((double *)to->data)[k] = u[k] / x[k];
    return i == 0;
}
/* A rule that passes an infinity on the way to a result without one. */
static gr_tensor safe_vjp(const gr_call *c, gr_tensor gy, int i)
{
    const gr_tensor zero = gr_zeros(c->graph, GR_F64, GR_SCALAR), x = c->operands[i];
    return gr_where(gr_equal(x, zero), zero, gr_div(gy, x));
}
#define POLE .name = "pole", .arity = 1, .formula = "y = x", .infer = like_first, .forward = copy
static const gr_op poles[] = {
    {POLE, .vjp = pole_vjp}, {POLE, .vjp_all = pole_vjp_all}, {POLE, .vjp = pole_vjp, .pull = pole_pull}};
static const gr_op safe = {POLE, .vjp = safe_vjp};
static gr_tensor pole(gr_tensor x) { return gr_apply(g, &poles[way], 1, &x, NULL); }

/* ---- Values ---- */

static void test_values(void)
{
    begin(false, false);
    const gr_tensor x = gr_param(g, "x", GR_F64, GR_SHAPE(2, 3), (double[]){1, 2, 3, 4, 0.25, 0.5});
    gr_name_scope_begin(g, "encoder");
    gr_name_scope_begin(g, "fc1");
    const gr_tensor h = gr_named(gr_add_scalar(gr_transpose(x, 0, 1), -1), "h"); /* 0 3 / 1 -.75 / 2 -.5 */
    const size_t used = gr_graph_memory(g).used;
    CHECK(!gr_is_valid(gr_sin(gr_log(gr_slice(h, 0, 1, GR_SLICE_DEFAULT, 1)))));
    CHECK_TEXT(gr_graph_error(g), "log (y = ");
    expect(") in encoder/fc1: the value became nan at [0, 1]: operand 1, slice f64 [2, 2] from -0.75 to 2");
    CHECK(gr_graph_memory(g).used == used);
    CHECK(!gr_is_valid(gr_log(gr_slice(h, 0, 0, 1, 1))));
    expect("the value became -inf at [0, 0]: operand 1, slice f64 [1, 2] from 0 to 3");
    gr_name_scope_end(g);
    gr_name_scope_end(g);
    /* All operands are told, and what is no float is none. */
    const gr_tensor zero = gr_named(gr_zeros(g, GR_F64, GR_SHAPE(3)), "zero");
    CHECK(!gr_is_valid(gr_div(x, zero)));
    expect("the value became inf at [0, 0]: operand 1, x f64 [2, 3] from 0.25 to 4; operand 2, zero f64 [3] "
           "from 0 to 0");
    CHECK(gr_is_valid(gr_one_hot(gr_cast(zero, GR_I32), 2, GR_F64)));
    CHECK(!gr_is_valid(gr_cast(gr_scale(x, 1e300), GR_F32)));
    expect("cast");
    /* What is made of no operands is data. */
    CHECK(gr_is_valid(gr_scalar(g, GR_F64, NAN)) && gr_is_valid(gr_full(g, GR_F32, GR_SHAPE(2), -INFINITY)));
    /* Without recording, and for a scalar and f32. */
    gr_no_grad_begin(g);
    CHECK(!gr_is_valid(gr_sqrt(gr_scalar(g, GR_F32, -1))));
    expect("the value became nan: operand 1, full f32 [] from -1 to -1");
    gr_no_grad_end(g);
    CHECK(gr_is_valid(gr_sum(gr_zeros(g, GR_F64, GR_SHAPE(0, 2)), GR_ALL_AXES, false)));
    CHECK(gr_backward(total(gr_exp(x))) == GR_OK);
    end();
}

static void test_infinity_allowed(void)
{
    begin(true, false);
    const gr_tensor x = param("x", 1000, 0), mask = gr_full(g, GR_F64, GR_SHAPE(2), -INFINITY);
    const gr_tensor e = gr_exp(x);
    CHECK(gr_is_valid(e) && isinf(GR_AT(e, 0)) && gr_is_valid(gr_add(x, mask)));
    CHECK(!gr_is_valid(gr_sub(e, e)));
    expect("the value became nan at [0]: operand 1, exp f64 [2] from 1 to inf");
    CHECK(gr_backward(total(e)) == GR_OK); /* an infinite gradient */
    CHECK(isinf(GR_AT(gr_gradient(x), 0)));
    end();
}

/* What was not finite before is not the operation's fault. */
static void test_origins(void)
{
    begin(false, false);
    gr_name_scope_begin(g, "data");
    const gr_tensor data = gr_named(gr_constant(g, GR_F64, GR_SHAPE(3), (double[]){1, NAN, INFINITY}),
                                    "data");
    gr_name_scope_end(g);
    const gr_tensor ones = gr_ones(g, GR_F64, GR_SHAPE(3)), p = gr_param(g, "p", GR_F64, GR_SHAPE(3), NULL);
    CHECK(!gr_is_valid(gr_add(ones, data)));
    expect("operand 2 was not finite before: data f64 [3] of data, which is nan at [1]");
    CHECK(!gr_is_valid(gr_reshape(data, GR_SHAPE(3, 1)))); /* a view, too */
    expect("operand 1 was not finite before: data f64 [3] of data, which is nan at [1]");
    CHECK(gr_is_valid(gr_greater(data, ones))); /* of which nothing that is not finite is made */
    CHECK(gr_is_valid(gr_select(gr_where(gr_equal(ones, ones), ones, data), 0, 0)));
    /* Made before the mode began: a leaf below a history, and an operation. */
    CHECK(gr_anomaly_end(g) == GR_OK);
    const gr_tensor below = gr_exp(gr_add(gr_mul(p, ones), data)), made = gr_named(gr_log(p), "made");
    const gr_tensor above = gr_scale(made, 2), loss = total(gr_mul(made, p));
    CHECK(gr_anomaly_begin(g, NULL) == GR_OK);
    CHECK(!gr_is_valid(gr_neg(below)));
    expect("operand 1 was not finite before: it comes from data f64 [3] of data, which is nan at [1]");
    CHECK(!gr_is_valid(gr_neg(above)));
    expect("the value became -inf at [0]: operand 1, p f64 [3] from 0 to 0");
    /* In a walk: of the gradient of p by mul, made is the cause. */
    CHECK(gr_backward(loss) == GR_ERR_NOT_FINITE && !gr_has_gradient(p));
    CHECK_TEXT(gr_graph_error(g), "backward: log (y = ");
    expect("the value became -inf at [0]");
    /* And of the gradient by exp its value, which was infinite already. */
    CHECK(gr_anomaly_end(g) == GR_OK);
    const gr_tensor overflown = total(gr_exp(gr_add_scalar(p, 1000)));
    CHECK(gr_anomaly_begin(g, NULL) == GR_OK);
    CHECK(gr_backward(overflown) == GR_ERR_NOT_FINITE);
    CHECK_TEXT(gr_graph_error(g), "backward: exp (y = ");
    expect("the value became inf at [0]: operand 1, add_scalar f64 [3] from 1000 to 1000");
    end();
}

static void test_data_allowed(void)
{
    begin(false, true);
    const gr_tensor data = gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){1, NAN}), p = param("p", 1, 2);
    const gr_tensor h = gr_mul(p, data), u = gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){INFINITY, 1});
    CHECK(gr_backward(total(gr_square(h))) == GR_OK);
    CHECK(GR_AT(gr_gradient(p), 0) == 2 && isnan(GR_AT(gr_gradient(p), 1)));
    CHECK(gr_backward_with(gr_square(p), &(gr_backward_options){.cotangent = u}) == GR_OK);
    /* What nothing of that explains is an anomaly still. */
    CHECK(!gr_is_valid(gr_log(gr_neg(p))));
    expect("the value became nan at [0]");
    CHECK(gr_backward(total(gr_mul(pole(gr_sub(p, p)), p))) == GR_ERR_NOT_FINITE);
    expect("pole (y = x): the gradient to operand 1 became inf at [0]");
    end();
}

/* ---- Gradients ---- */

static void test_gradients(void)
{
    for (way = 0; way < 3; way++)
        for (int record = 0; record < 2; record++) {
            begin(false, false);
            const gr_tensor p = param("p", 0.5, 2), q = param("q", 2, 0);
            gr_name_scope_begin(g, "made here");
            const gr_tensor x = gr_named(gr_mul(p, q), "x"), y = pole(x); /* [1, 0] */
            gr_name_scope_end(g);
            gr_tensor loss = total(gr_scale(y, 3)), gradient;
            const gr_status status = record ? gr_grad(1, &loss, 1, &p, NULL,
                                                      &(gr_grad_options){.record = true}, &gradient)
                                            : gr_backward(loss);
            CHECK(status == GR_ERR_NOT_FINITE);
            CHECK_TEXT(gr_graph_error(g), record ? "grad: " : "backward: ");
            expect("pole (y = x) in made here: the gradient to operand 1 became inf at [1]: operand 1, x f64 "
                   "[2] "
                   "from 0 to 1; cotangent from 3 to 3");
            CHECK(!gr_has_gradient(p) && !gr_has_gradient(q));
            /* Nothing has changed: without the mode the same walk succeeds. */
            CHECK(gr_anomaly_end(g) == GR_OK && gr_backward(loss) == GR_OK);
            CHECK(GR_AT(gr_gradient(p), 0) == 6 && GR_AT(gr_gradient(p), 1) == 0); /* q is 0 there */
            CHECK(isinf(GR_AT(gr_gradient(q), 1)));
            CHECK(gr_anomaly_begin(g, NULL) == GR_OK);
            end();
        }
    way = 0;
}

static void test_inside_rules(void)
{
    begin(false, false);
    gr_tensor p = param("p", 0, 2), y = total(gr_apply(g, &safe, 1, &p, NULL)), d;
    CHECK(gr_grad(1, &y, 1, &p, NULL, &(gr_grad_options){.record = true}, &d) == GR_OK);
    CHECK(GR_AT(d, 0) == 0 && GR_AT(d, 1) == 0.5);
    CHECK(gr_backward(y) == GR_OK);
    CHECK(!gr_is_valid(gr_div(p, p))); /* outside it is looked at again */
    expect("the value became nan at [0]");
    end();
}

static gr_tensor spoils(gr_tensor gradient, gr_tensor of, void *user)
{
    (void)of, (void)user;
    return gr_scale(gradient, NAN);
}
static gr_tensor switches(gr_tensor gradient, gr_tensor of, void *user)
{
    *(gr_status *)user = gr_anomaly_end(of.graph);
    return gradient;
}

/* Sums, leaves, hooks, cotangents. */
static void test_what_arrives(void)
{
    begin(false, false);
    const gr_tensor p = param("p", 0, 0), q = gr_mul(p, p), large = gr_named(gr_scale(p, 1e308), "large");
    CHECK(gr_backward(total(gr_add(large, gr_scale(p, 1.5e308)))) == GR_ERR_NOT_FINITE);
    expect("backward: p f64 [2]: the sum of the contributions to its gradient, which are finite, became inf "
           "at [0]");
    CHECK(!gr_has_gradient(p));
    const gr_tensor h = gr_named(gr_square(p), "h");
    CHECK(gr_backward(total(gr_add(gr_scale(h, 1e308), gr_scale(h, 1e308)))) == GR_ERR_NOT_FINITE);
    expect("backward: h f64 [2]: the sum of the contributions to its gradient");
    gr_hook hook = gr_add_hook(q, spoils, NULL);
    CHECK(gr_backward(total(q)) == GR_ERR_NOT_FINITE);
    expect("backward: a hook of mul f64 [2] returned nan at [0]");
    gr_remove_hook(hook);
    hook = gr_add_hook(p, spoils, NULL);
    CHECK(gr_backward(total(q)) == GR_ERR_NOT_FINITE && !gr_has_gradient(p));
    expect("backward: a hook of p f64 [2] returned nan at [0]");
    gr_remove_hook(hook);
    const gr_tensor u = gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){1, NAN});
    CHECK(gr_backward_with(q, &(gr_backward_options){.cotangent = u}) == GR_ERR_NOT_FINITE);
    expect("backward: the cotangent given for mul f64 [2] is nan at [1]");
    gr_status inside = GR_OK;
    hook = gr_add_hook(p, switches, &inside);
    CHECK(gr_backward(total(q)) == GR_ERR_STATE && inside == GR_ERR_STATE);
    gr_graph_clear_error(g);
    gr_remove_hook(hook);
    CHECK(gr_backward(total(q)) == GR_OK && gr_has_gradient(p));
    end();
}

/* ---- Tangents ---- */

static void test_tangents(void)
{
    for (way = 0; way < 3; way++)
        for (int record = 0; record < 2; record++) {
            begin(false, false);
            const gr_tensor p = param("p", 0.5, 2), q = param("q", 2, 0), x = gr_named(gr_mul(p, q), "x");
            gr_name_scope_begin(g, "made here");
            const gr_tensor y = pole(x);
            gr_name_scope_end(g);
            const gr_tensor loss = total(gr_scale(y, 3)), t = gr_full(g, GR_F64, GR_SHAPE(2), 4);
            gr_tensor result;
            if (!record) gr_no_grad_begin(g);
            CHECK(gr_jvp(1, &loss, 1, &q, &t, &result) == GR_ERR_NOT_FINITE && !gr_is_valid(result));
            expect("jvp: pole (y = x) in made here: the tangent became inf at [1]: operand 1, x f64 [2] from "
                   "0 to 1; tangent of operand 1 from 2 to 8");
            const gr_tensor bad = gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){1, NAN});
            CHECK(gr_jvp(1, &loss, 1, &q, &bad, &result) == GR_ERR_NOT_FINITE);
            expect("jvp: the tangent given for q f64 [2] is nan at [1]");
            /* Nothing has changed; and what is fine goes on. */
            CHECK(gr_jvp(1, &x, 1, &q, &t, &result) == GR_OK && GR_AT(result, 1) == 8);
            CHECK(gr_anomaly_end(g) == GR_OK && gr_jvp(1, &loss, 1, &q, &t, &result) == GR_OK);
            CHECK(isinf(gr_item(result)));
            CHECK(gr_anomaly_begin(g, &(gr_anomaly_options){.allow_data = true}) == GR_OK);
            CHECK(gr_jvp(1, &x, 1, &q, &bad, &result) == GR_OK && isnan(GR_AT(result, 1)));
            CHECK(gr_jvp(1, &x, 1, &q, &t, &result) == GR_OK);
            if (!record) gr_no_grad_end(g);
            end();
        }
    way = 0;
}

/* ---- On and off ---- */

static void test_states(void)
{
    g = gr_graph_create(NULL);
    const gr_tensor p = param("p", -1, 0);
    CHECK(gr_is_valid(gr_log(p)) && gr_backward(total(pole(p))) == GR_OK);
    CHECK(gr_anomaly_end(g) == GR_ERR_STATE);
    CHECK_TEXT(gr_graph_error(g), "anomaly_end: without a gr_anomaly_begin");
    gr_graph_clear_error(g);
    CHECK(gr_anomaly_begin(g, NULL) == GR_OK && gr_anomaly_begin(g, NULL) == GR_ERR_STATE);
    CHECK_TEXT(gr_graph_error(g), "anomaly_begin: it was begun before");
    gr_graph_clear_error(g);
    CHECK(!gr_is_valid(gr_log(p)));
    expect("the value became nan");
    CHECK(gr_anomaly_end(g) == GR_OK && gr_is_valid(gr_log(p)));
    CHECK(gr_anomaly_begin(NULL, NULL) == GR_ERR_HANDLE && gr_anomaly_end(NULL) == GR_ERR_HANDLE);
    gr_graph_destroy(g);
}

/* A name and operands longer than any message. */
static void test_long(void)
{
    char name[3000];
    begin(false, false);
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    gr_name_scope_begin(g, name);
    const gr_tensor long_one = gr_named(gr_full(g, GR_F64, GR_SHAPE(2), -1), name);
    CHECK(!gr_is_valid(gr_log(long_one)));
    expect("nnn");
    gr_name_scope_end(g);
    gr_tensor many[2000];
    for (int i = 0; i < 2000; i++) many[i] = long_one;
    many[1999] = gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){1, NAN});
    CHECK(!gr_is_valid(gr_concat(2000, many, 0)));
    expect("operand 2000 was not finite before: constant f64 [2], which is nan at [1]");
    end();
}

int main(void)
{
    RUN(test_values);
    RUN(test_infinity_allowed);
    RUN(test_origins);
    RUN(test_data_allowed);
    RUN(test_gradients);
    RUN(test_inside_rules);
    RUN(test_what_arrives);
    RUN(test_tangents);
    RUN(test_states);
    RUN(test_long);
    return TEST_EXIT;
}
