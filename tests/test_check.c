/*
 * The gradient checker, checked: it must reject wrong rules, naming the input and the element, and accept
 * right functions that are hard to check; it must leave everything as it was.
 */
#include "test.h"
#include "gradus.h"

#include <stdlib.h>

/* ---- Primitives with faults: y = x^2 w, elementwise, with a rule that is wrong for x ---- */

typedef enum fault_kind {
    NONE,
    FLIPPED,       /* -2 x w gy */
    FACTOR,        /* 4 x w gy */
    MISSING,       /* x w gy: one of the two terms of the product x x */
    NO_COTANGENT,  /* 2 x w */
    NOT_A_NUMBER,  /* NaN in one element */
    INFINITE,      /* infinity in one element */
    ONE_ELEMENT,   /* one element wrong by 1e-4 of itself */
    SECOND,        /* right, but its own derivative by x is missing */
    SECOND_FLIPPED /* right, but its own derivative by x has the wrong sign */
} fault_kind;

enum { FAULTY_ELEMENT = 6 };

static gr_status product_infer(const gr_call *c, gr_layout *out) { return gr_infer_broadcast(c, out); }

static gr_status product_forward(const gr_call *c)
{
    const double *x = c->in[0]->data, *w = c->in[1]->data;
    double *y = c->out->data;
    for (int64_t i = 0; i < c->out->count; i++) y[i] = x[i] * x[i] * w[i];
    return GR_OK;
}

/* A tensor like x of one value at the faulty element and another elsewhere. */
static gr_tensor at_one_element(gr_tensor x, double there, double elsewhere)
{
    double data[64];
    const int64_t n = gr_count(x);
    for (int64_t i = 0; i < n; i++) data[i] = i == FAULTY_ELEMENT ? there : elsewhere;
    return gr_constant(x.graph, GR_F64, gr_shape_of(x), data);
}

static gr_tensor product_vjp(const gr_call *c, gr_tensor gy, int i)
{
    const gr_tensor x = c->operands[0], w = c->operands[1];
    if (i == 1) return gr_mul(gy, gr_square(x));
    const gr_tensor right = gr_mul(gy, gr_scale(gr_mul(x, w), 2)), fixed = gr_detach(x);
    switch (*(const fault_kind *)c->attributes) {
    case FLIPPED:
        return gr_neg(right);
    case FACTOR:
        return gr_scale(right, 2);
    case MISSING:
        return gr_scale(right, 0.5);
    case NO_COTANGENT:
        return gr_scale(gr_mul(x, w), 2);
    case NOT_A_NUMBER:
        return gr_add(right, at_one_element(x, NAN, 0));
    case INFINITE:
        return gr_add(right, at_one_element(x, INFINITY, 0));
    case ONE_ELEMENT:
        return gr_mul(right, at_one_element(x, 1 + 1e-4, 1));
    case SECOND:
        return gr_mul(gy, gr_scale(gr_mul(fixed, w), 2));
    case SECOND_FLIPPED: /* 2 fixed - x has the value of x and derivative -1 */
        return gr_mul(gy, gr_scale(gr_mul(gr_sub(gr_scale(fixed, 2), x), w), 2));
    case NONE:
        break;
    }
    return right;
}

static const gr_op product = {.name = "product",
                              .arity = 2,
                              .attribute_bytes = sizeof(fault_kind),
                              .infer = product_infer,
                              .forward = product_forward,
                              .vjp = product_vjp};

static gr_tensor faulty_product(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    return gr_apply(g, &product, n, in, user);
}

/* ---- y = A B with gA transposed, and y = x + b with gb summed over the wrong axis; A, B, x square ---- */

static gr_status matrix_infer(const gr_call *c, gr_layout *out) { return gr_infer_like(c, out, 0); }

static gr_status matrix_forward(const gr_call *c)
{
    const int64_t n = c->out->dims[0];
    const double *a = c->in[0]->data, *b = c->in[1]->data;
    double *y = c->out->data;
    for (int64_t i = 0; i < n * n; i++) {
        y[i] = 0;
        for (int64_t k = 0; k < n; k++) y[i] += a[i / n * n + k] * b[k * n + i % n];
    }
    return GR_OK;
}

static gr_tensor transposed_vjp(const gr_call *c, gr_tensor gy, int i)
{
    const gr_tensor a = c->operands[0], b = c->operands[1];
    return i == 0 ? gr_transpose(gr_matmul(gy, gr_transpose(b, 0, 1)), 0, 1)
                  : gr_matmul(gr_transpose(a, 0, 1), gy);
}

static const gr_op transposed = {.name = "transposed",
                                 .arity = 2,
                                 .infer = matrix_infer,
                                 .forward = matrix_forward,
                                 .vjp = transposed_vjp};

static gr_status bias_forward(const gr_call *c)
{
    const int64_t n = c->out->dims[0];
    const double *x = c->in[0]->data, *b = c->in[1]->data;
    double *y = c->out->data;
    for (int64_t i = 0; i < n * n; i++) y[i] = x[i] + b[i % n];
    return GR_OK;
}

static gr_tensor wrong_axis_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)c;
    return i == 0 ? gy : gr_sum(gy, GR_AXES(1), false); /* axis 0 would be right */
}

static gr_tensor unsummed_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)c;
    return i == 0 ? gy : gr_select(gy, 0, 0); /* one row instead of the sum of all */
}

static const gr_op wrong_axis = {
    .name = "wrong_axis", .arity = 2, .infer = matrix_infer, .forward = bias_forward, .vjp = wrong_axis_vjp};
static const gr_op unsummed = {
    .name = "unsummed", .arity = 2, .infer = matrix_infer, .forward = bias_forward, .vjp = unsummed_vjp};

static gr_tensor apply_op(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    return gr_apply(g, *(const gr_op *const *)user, n, in, NULL);
}

/* ---- Helpers ---- */

static gr_tensor leaf(gr_graph *g, gr_shape shape, double mean, double std)
{
    return gr_keep(gr_normal(g, GR_F64, shape, mean, std));
}

static gr_check_result check(gr_graph *g, gr_function f, int n, const gr_tensor *in, void *user, int order)
{
    gr_check_result r;
    CHECK(gr_gradcheck(g, f, n, in, user, &(gr_check_options){.order = order}, &r) == GR_OK);
    if (gr_graph_status(g) != GR_OK) printf("  %s\n", gr_graph_error(g));
    gr_graph_clear_error(g);
    return r;
}

/* The same with outputs combined: the elements are those of the inputs. */
static gr_check_result check_combined(gr_graph *g, gr_function f, int n, const gr_tensor *in, void *user,
                                      int order)
{
    gr_check_result r;
    const gr_check_options o = {.order = order, .mode = GR_CHECK_COTANGENTS};
    CHECK(gr_gradcheck(g, f, n, in, user, &o, &r) == GR_OK);
    CHECK(r.mode == GR_CHECK_COTANGENTS && r.status == GR_OK);
    return r;
}

static void explain(const char *name, const gr_check_result *r)
{
    char text[GR_CHECK_REPORT_BYTES];
    gr_check_report(r, text, sizeof text);
    printf("%s: %s", name, text);
}

/* ---- Wrong rules ---- */

static void test_wrong_rules(void)
{
    static const struct wrong_rule {
        const char *name;
        fault_kind fault;
        int order;       /* the first at which it shows */
        int64_t element; /* the worst; -1: any */
        int64_t failed;  /* elements of the first order that are wrong */
    } rules[] = {
        {"flipped sign", FLIPPED, 1, -1, 12},
        {"factor 2", FACTOR, 1, -1, 12},
        {"missing term", MISSING, 1, -1, 12},
        {"cotangent forgotten", NO_COTANGENT, 1, -1, 12},
        {"NaN in one element", NOT_A_NUMBER, 1, FAULTY_ELEMENT, 1},
        {"infinity in one element", INFINITE, 1, FAULTY_ELEMENT, 1},
        {"one element wrong", ONE_ELEMENT, 1, FAULTY_ELEMENT, 1},
        {"second derivative missing", SECOND, 2, -1, 0},
        {"second derivative flipped", SECOND_FLIPPED, 2, -1, 0},
    };
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor in[] = {gr_named(leaf(g, GR_SHAPE(3, 4), 2, 0.5), "x"), leaf(g, GR_SHAPE(3, 4), -1, 0.3)};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        fault_kind fault = rules[i].fault;
        const int failures = test_failures;
        const gr_check_result r = check_combined(g, faulty_product, 2, in, &fault, 1);
        CHECK(r.passed == (rules[i].order == 2));
        CHECK(r.elements == 24 && r.failed == rules[i].failed && r.undecided == 0);
        const gr_check_result both = check(g, faulty_product, 2, in, &fault, 2);
        CHECK(!both.passed && both.order == 2);
        const gr_check_element *worst = rules[i].order == 2 ? &both.worst : &r.worst;
        CHECK(worst->verdict == GR_CHECK_WRONG);
        CHECK(worst->order == rules[i].order && worst->input == 0 && !strcmp(worst->name, "x"));
        CHECK(rules[i].element < 0 || worst->at.element == rules[i].element);
        CHECK(worst->at.ndim == 2 && worst->at.index[0] * 4 + worst->at.index[1] == worst->at.element);
        if (test_failures > failures) explain(rules[i].name, &both);
    }
    fault_kind none = NONE;
    CHECK(check(g, faulty_product, 2, in, &none, 3).passed);
    gr_graph_destroy(g);
}

/* y = x^2 with a rule that is wrong for cotangents that begin with a negative number, or (with a counter as
   attribute) at every other use. */
static gr_tensor fickle_vjp(const gr_call *c, gr_tensor gy, int i)
{
    int *uses = *(int *const *)c->attributes;
    (void)i;
    const bool wrong = uses ? (*uses)++ % 2 == 1 : gr_at(gr_detach(gy), 1, (int64_t[]){0}) < 0;
    return gr_mul(gy, gr_scale(c->operands[0], wrong ? 3 : 2));
}

static gr_status fickle_infer(const gr_call *c, gr_layout *out) { return gr_infer_like(c, out, 0); }

static gr_status fickle_forward(const gr_call *c)
{
    const double *x = c->in[0]->data;
    double *y = c->out->data;
    for (int64_t i = 0; i < c->out->count; i++) y[i] = x[i] * x[i];
    return GR_OK;
}

static gr_tensor fickle(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    static const gr_op op = {.name = "fickle",
                             .arity = 1,
                             .attribute_bytes = sizeof(int *),
                             .infer = fickle_infer,
                             .forward = fickle_forward,
                             .vjp = fickle_vjp};
    return gr_apply(g, &op, n, in, &user);
}

static void test_wrong_for_one_cotangent(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = leaf(g, GR_SHAPE(3), 1, 0.1);
    gr_check_result r = check(g, fickle, 1, &x, NULL, 1);
    CHECK(r.mode == GR_CHECK_FULL && r.elements == 9 && r.wrong == 1 && r.worst.at.element == 0);
    int passed = 0, failed = 0;
    for (uint64_t seed = 0; seed < 16; seed++) { /* both cotangents begin with a positive number, or not */
        const gr_check_options o = {.seed = seed, .mode = GR_CHECK_COTANGENTS};
        CHECK(gr_gradcheck(g, fickle, 1, &x, NULL, &o, &r) == GR_OK);
        CHECK(r.passed ? r.failed == 0 : r.wrong == 3);
        passed += r.passed;
        failed += !r.passed;
    }
    CHECK(passed > 0 && failed > passed);
    gr_graph_destroy(g);
}

static void test_wrong_matrix_rules(void)
{
    static const struct matrix_rule {
        const gr_op *op;
        int input;
        gr_shape second;
    } rules[] = {{&transposed, 0, {2, {4, 4}}}, {&wrong_axis, 1, {1, {4}}}, {&unsummed, 1, {1, {4}}}};
    gr_graph *g = gr_graph_create(NULL);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const gr_tensor in[] = {leaf(g, GR_SHAPE(4, 4), 0, 1), leaf(g, rules[i].second, 0, 1)};
        const gr_op *op = rules[i].op;
        const gr_check_result r = check(g, apply_op, 2, in, &op, 1);
        CHECK(!r.passed && r.worst.input == rules[i].input && r.worst.verdict == GR_CHECK_WRONG);
    }
    gr_graph_destroy(g);
}

/* Gradients of 1e-12 with the wrong sign: hidden by the absolute tolerance, unless there is none. */
static void test_tiny_wrong_gradients(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor in[] = {leaf(g, GR_SHAPE(3), 1, 0.1), leaf(g, GR_SHAPE(3), 2e-12, 1e-13)};
    fault_kind fault = FLIPPED;
    gr_check_result r;
    const gr_check_options strict = {.atol = 1e-300};
    CHECK(gr_gradcheck(g, faulty_product, 2, in, &fault, &strict, &r) == GR_OK);
    CHECK(!r.passed && r.failed == 3 && r.worst.input == 0 && r.worst.verdict == GR_CHECK_WRONG);
    fault = NONE;
    CHECK(gr_gradcheck(g, faulty_product, 2, in, &fault, &strict, &r) == GR_OK && r.passed);
    gr_graph_destroy(g);
}

/* One element of 10^4, also when the others are of another size by far. */
static gr_tensor cut(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n;
    const int64_t at = *(const int64_t *)user;
    const gr_tensor y = gr_square(in[0]), last = gr_slice(y, 0, at, at + 1, 1);
    const gr_tensor parts[] = {gr_slice(y, 0, 0, at, 1), gr_detach(last),
                               gr_slice(y, 0, at + 1, GR_SLICE_DEFAULT, 1)};
    return gr_mean(gr_concat(3, parts, 0), GR_ALL_AXES, false);
}

static void test_one_of_many(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = leaf(g, GR_SHAPE(1000), 1, 0.2);
    int64_t at = 777;
    gr_check_result r = check(g, cut, 1, &x, &at, 1);
    CHECK(!r.passed && r.failed == 1 && r.worst.at.element == 777 && r.elements == 1000);
    CHECK(gr_gradcheck(g, cut, 1, &x, &at, &(gr_check_options){.max_elements = 50}, &r) == GR_OK);
    CHECK(r.elements == 50);
    gr_graph_destroy(g);
}

/* ---- Right but awkward ---- */

#define FUNCTION(NAME, EXPRESSION)                                             \
    static gr_tensor NAME(gr_graph *g, int n, const gr_tensor *in, void *user) \
    {                                                                          \
        (void)g, (void)n, (void)in, (void)user;                                \
        return EXPRESSION;                                                     \
    }
FUNCTION(softmax, gr_softmax(in[0], -1))
FUNCTION(square, gr_square(in[0]))
FUNCTION(cube, gr_mul(gr_square(in[0]), in[0]))
FUNCTION(logarithm, gr_log(in[0]))
FUNCTION(root, gr_sqrt(in[0]))
FUNCTION(reciprocal, gr_pow_scalar(in[0], -1))
FUNCTION(relu, gr_relu(in[0]))
FUNCTION(fast_sine, gr_sin(gr_scale(in[0], 100)))
FUNCTION(steep_exp, gr_exp(gr_scale(in[0], 30)))
FUNCTION(identity, in[0])
FUNCTION(same_twice, gr_mul(in[0], gr_sin(in[0])))
FUNCTION(given_twice, gr_mul(in[0], in[1]))
FUNCTION(unused, gr_exp(in[0]))
FUNCTION(independent, gr_full(g, GR_F64, GR_SHAPE(2, 2), 3))
FUNCTION(shapes, gr_add(gr_matmul(in[0], in[1]), gr_mul(in[2], in[3])))
FUNCTION(linear, gr_sum(gr_scale(in[0], 3), GR_ALL_AXES, false))
FUNCTION(saturated, gr_sigmoid(gr_scale(in[0], 20)))
FUNCTION(far_logsumexp, gr_logsumexp(gr_add_scalar(in[0], 700), GR_AXES(-1), false))
FUNCTION(norm, gr_sqrt(gr_sum(gr_square(in[0]), GR_ALL_AXES, false)))
FUNCTION(dropout, gr_mul(in[0], gr_cast(gr_bernoulli(g, gr_shape_of(in[0]), 0.5), GR_F64)))
FUNCTION(noisy, gr_mul(in[0], gr_normal(g, GR_F64, gr_shape_of(in[0]), 0, 1)))
FUNCTION(views, gr_slice(gr_transpose(gr_exp(in[0]), 0, 1), 1, 2, GR_SLICE_DEFAULT, -1))

/* 1e12 x_0, 1e-12 x_1 beside each other. */
static gr_tensor far_apart(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)n, (void)user;
    const double scales[] = {1e12, 1e-12, 1};
    return gr_mul(gr_sin(in[0]), gr_constant(g, GR_F64, GR_SHAPE(3), scales));
}

static void test_right_functions(void)
{
    static const struct right_function {
        const char *name;
        gr_function f;
        double mean, std;
        gr_shape shape;
    } functions[] = {
        {"softmax", softmax, 0, 1, {2, {3, 4}}},
        {"softmax of one", softmax, 0, 1, {1, {1}}},
        {"softmax, saturated", softmax, 0, 30, {1, {5}}},
        {"huge inputs", square, 1e12, 1e11, {1, {4}}},
        {"tiny inputs", square, 1e-12, 1e-13, {1, {4}}},
        {"huge values", cube, 1e8, 1e7, {1, {4}}},
        {"the edge of a domain", logarithm, 1e-6, 1e-7, {1, {4}}},
        {"the very edge", logarithm, 1e-12, 1e-13, {1, {2}}},
        {"root near 0", root, 1e-8, 1e-9, {1, {4}}},
        {"pole nearby", reciprocal, 1e-3, 1e-4, {1, {4}}},
        {"kink nearby", relu, 1e-4, 1e-5, {1, {4}}},
        {"kink nearby, below", relu, -1e-4, 1e-5, {1, {4}}},
        {"oscillating", fast_sine, 1, 1, {1, {4}}},
        {"steep", steep_exp, 0, 0.3, {1, {4}}},
        {"identity", identity, 0, 1, {1, {3}}},
        {"an input used twice", same_twice, 0, 1, {2, {2, 3}}},
        {"independent of its input", independent, 0, 1, {1, {3}}},
        {"linear", linear, 0, 1, {1, {5}}},
        {"saturated", saturated, 0, 2, {1, {6}}},
        {"logsumexp far from 0", far_logsumexp, 0, 1, {2, {2, 3}}},
        {"norm", norm, 0, 1, {1, {4}}},
        {"scalar input", cube, 1, 0, {0, {0}}},
        {"empty input", cube, 1, 0, {2, {0, 3}}},
        {"dropout", dropout, 0, 1, {1, {8}}},
        {"noise", noisy, 0, 1, {1, {8}}},
        {"views", views, 0, 1, {2, {3, 4}}},
        {"1e12 beside 1e-12", far_apart, 1, 0.3, {1, {3}}},
    };
    gr_graph *g = gr_graph_create(NULL);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        const gr_tensor x = leaf(g, functions[i].shape, functions[i].mean, functions[i].std);
        const gr_check_result r = check(g, functions[i].f, 1, &x, NULL, 2);
        CHECK(r.passed && r.failed == 0 && r.order == 2);
        CHECK(r.elements >= gr_count(x));
        if (!r.passed) explain(functions[i].name, &r);
    }
    gr_graph_destroy(g);
}

static void test_several_inputs(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = leaf(g, GR_SHAPE(2, 3), 0, 1), w = gr_param(g, "w", GR_F64, GR_SHAPE(3, 4), NULL);
    const gr_tensor in[] = {x, w, leaf(g, GR_SHAPE(4), 0, 1), leaf(g, GR_SCALAR, 0, 1)};
    CHECK(check(g, shapes, 4, in, NULL, 2).passed);
    CHECK(check(g, unused, 2, in, NULL, 2).passed);
    CHECK(check(g, given_twice, 2, (gr_tensor[]){x, x}, NULL, 2).passed);
    const gr_tensor labels = gr_constant(g, GR_I32, GR_SHAPE(2), (int32_t[]){2, 0});
    const gr_check_result r = check_combined(g, unused, 2, (gr_tensor[]){x, labels}, NULL, 1);
    CHECK(r.passed && r.elements == 6); /* labels are passed on, and not differentiated by */
    gr_graph_destroy(g);
}

/* A model that reaches its parameter by itself. */
static gr_tensor model(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)in;
    const gr_tensor *parts = user;
    return gr_tanh(gr_matmul(parts[0], parts[1]));
}

static void test_through_user(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const double values[] = {0.3, -0.2, 0.7, 0.1, 0.5, -0.4};
    gr_tensor parts[] = {leaf(g, GR_SHAPE(2, 3), 0, 1), gr_param(g, "w", GR_F64, GR_SHAPE(3, 2), values)};
    const gr_check_result r = check_combined(g, model, 1, &parts[1], parts, 2);
    CHECK(r.passed && r.elements == 6 + 6 + 4);
    CHECK(fabs(r.worst.numeric) > 1e-3); /* it was moved by what was changed */
    gr_graph_destroy(g);
}

/* 1e12 + sin x: the value swallows what the derivative needs. */
FUNCTION(swallowed, gr_add_scalar(gr_sin(in[0]), 1e12))

static void test_undecided(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = leaf(g, GR_SHAPE(3), 0, 1);
    const gr_check_result r = check(g, swallowed, 1, &x, NULL, 1);
    char text[GR_CHECK_REPORT_BYTES];
    CHECK(!r.passed && r.failed > 0 && r.undecided == r.failed);
    CHECK(r.worst.verdict == GR_CHECK_UNDECIDED && r.worst.numeric_error > r.worst.tolerance);
    gr_check_report(&r, text, sizeof text);
    CHECK_TEXT(text, "undecided");
    CHECK_TEXT(text, "too rough");
    gr_graph_destroy(g);
}

FUNCTION(not_a_number, gr_log(in[0]))

static void test_not_finite(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor below = gr_constant(g, GR_F64, GR_SHAPE(1), (double[]){-1});
    CHECK(!check(g, not_a_number, 1, &below, NULL, 1).passed);
    const gr_tensor infinite = gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){1, INFINITY});
    gr_check_result r = check_combined(g, square, 1, &infinite, NULL, 1);
    CHECK(!r.passed && r.failed == 2 && r.undecided == 0); /* no output may be infinite */
    r = check(g, square, 1, &infinite, NULL, 1);
    CHECK(!r.passed && r.wrong == 3 && r.undecided == 0); /* dy_0/dx_0 is right */
    gr_graph_destroy(g);
}

/* ---- Modes ---- */

FUNCTION(mixed, gr_tanh(gr_add(gr_matmul(in[0], in[1]), in[2])))

/* Each mode finds a wrong rule, and says where. */
static void test_modes(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor in[] = {gr_named(leaf(g, GR_SHAPE(3, 4), 2, 0.5), "x"), leaf(g, GR_SHAPE(3, 4), -1, 0.3)};
    for (gr_check_mode mode = GR_CHECK_AUTO; mode <= GR_CHECK_FAST; mode++)
        for (int forward = 0; forward < 2; forward++) {
            gr_check_options o = {.mode = mode, .order = 2, .forward = forward};
            fault_kind fault = NONE;
            gr_check_result r;
            CHECK(gr_gradcheck(g, faulty_product, 2, in, &fault, &o, &r) == GR_OK && r.passed);
            CHECK(r.mode == (mode == GR_CHECK_AUTO ? GR_CHECK_FULL : mode) && r.order == 2);
            const int64_t adjoint = forward ? 2 * 2 : 0, forms = forward ? 2 : 1;
            if (mode <= GR_CHECK_FULL) CHECK(r.elements == forms * (24 * 12 + 36 * 24) + adjoint);
            if (mode == GR_CHECK_COTANGENTS) CHECK(r.elements == forms * (24 + 36) + adjoint);
            if (mode == GR_CHECK_FAST) CHECK(r.elements == forms * (2 + 2) + adjoint);
            fault = ONE_ELEMENT;
            CHECK(gr_gradcheck(g, faulty_product, 2, in, &fault, &o, &r) == GR_OK && !r.passed);
            CHECK(r.verdict == GR_CHECK_WRONG && r.worst.at.element == FAULTY_ELEMENT && r.worst.input == 0);
            CHECK(!strcmp(r.worst.name, "x") && r.n_faults == 0);
            if (mode == GR_CHECK_FULL) CHECK(r.worst.of.element == FAULTY_ELEMENT);
            o.order = 1;
            fault = NO_COTANGENT; /* not linear in its cotangent: the JVP made of the rule is 0 */
            CHECK(gr_gradcheck(g, faulty_product, 2, in, &fault, &o, &r) == GR_OK && !r.passed);
        }
    gr_graph_destroy(g);
}

/* Inputs by the 10^4: one pair of evaluations for each step and direction, not for each element. */
static void test_fast(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor in[] = {leaf(g, GR_SHAPE(4, 50), 0, 0.1),
                            gr_named(leaf(g, GR_SHAPE(50, 200), 0, 0.1), "w"), leaf(g, GR_SHAPE(200), 0, 1)};
    const gr_check_options fast = {.mode = GR_CHECK_FAST, .order = 2};
    gr_check_result r;
    CHECK(gr_gradcheck(g, mixed, 3, in, NULL, &fast, &r) == GR_OK && r.passed);
    CHECK(r.evaluations < 150 && r.elements == 4 && r.worst.input == -1 && r.worst.at.element == -1);
    const gr_tensor x = leaf(g, GR_SHAPE(1000), 1, 0.2);
    int64_t at = 777;
    CHECK(gr_gradcheck(g, cut, 1, &x, &at, &(gr_check_options){.mode = GR_CHECK_FAST}, &r) == GR_OK);
    CHECK(!r.passed && r.worst.input == 0 && r.worst.at.element == 777 && r.evaluations < 2000);
    gr_graph_destroy(g);
}

/* ---- f32 ---- */

static void test_single_precision(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor in[] = {gr_keep(gr_normal(g, GR_F32, GR_SHAPE(3, 4), 0, 1)),
                            gr_keep(gr_normal(g, GR_F32, GR_SHAPE(4, 2), 0, 1)),
                            gr_keep(gr_normal(g, GR_F32, GR_SHAPE(2), 0, 1))};
    float before[12], after[12];
    gr_read(in[0], before, 12);
    for (gr_check_mode mode = GR_CHECK_FULL; mode <= GR_CHECK_FAST; mode++) {
        gr_check_result r;
        const gr_check_options o = {.order = 2, .mode = mode, .forward = true};
        CHECK(gr_gradcheck(g, mixed, 3, in, NULL, &o, &r) == GR_OK && r.passed && r.order == 2);
        if (!r.passed) explain("f32", &r);
    }
    gr_read(in[0], after, 12);
    CHECK(!memcmp(before, after, sizeof before));
    CHECK(check(g, softmax, 1, in, NULL, 1).passed);
    gr_graph_destroy(g);
}

/* An f64 input that meets an f32 one, and a result in f32: the rougher type decides. */
FUNCTION(both_types, gr_mul(gr_exp(in[0]), gr_cast(gr_sin(in[1]), GR_F32)))
FUNCTION(times_1_01, gr_mul(gr_square(in[0]), gr_add_scalar(gr_scale(gr_detach(in[0]), 0.01), 1)))

static void test_mixed_types(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor in[] = {gr_keep(gr_normal(g, GR_F32, GR_SHAPE(3), 0, 1)), leaf(g, GR_SHAPE(3), 0, 1)};
    const gr_check_result r = check(g, both_types, 2, in, NULL, 2);
    CHECK(r.passed && r.elements == 6 * 3 + 9 * 6);
    if (!r.passed) explain("both types", &r);
    const gr_check_result wrong = check(g, times_1_01, 1, in, NULL, 1);
    CHECK(!wrong.passed && wrong.verdict == GR_CHECK_WRONG);
    gr_graph_destroy(g);
}

/* ---- Not deterministic ---- */

static gr_tensor counting(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n;
    return gr_add_scalar(gr_square(in[0]), 1e-9 * ++*(int *)user);
}

static void test_not_deterministic(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = leaf(g, GR_SHAPE(3), 1, 0.1);
    int calls = 0;
    gr_check_result r = check(g, counting, 1, &x, &calls, 2);
    CHECK(!r.passed && r.verdict == GR_CHECK_NOT_DETERMINISTIC && r.status == GR_OK);
    CHECK_TEXT(r.message, "function: not deterministic: element [0] of its value is");
    int uses = 0; /* its rule is right at the first use and not at the second */
    r = check(g, fickle, 1, &x, &uses, 1);
    CHECK(!r.passed && r.verdict >= GR_CHECK_WRONG);
    gr_graph_destroy(g);
}

/* ---- Guesses ---- */

static void test_guesses(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor in[] = {gr_named(leaf(g, GR_SHAPE(3, 4), 2, 0.5), "x"), leaf(g, GR_SHAPE(3, 4), -1, 0.3)};
    static const struct {
        fault_kind fault;
        int order;
        gr_fault_kind kind;
        double factor;
    } guesses[] = {{FLIPPED, 1, GR_FAULT_SIGN, 0},
                   {FACTOR, 1, GR_FAULT_FACTOR, 2},
                   {MISSING, 1, GR_FAULT_FACTOR, 0.5},
                   {ONE_ELEMENT, 1, GR_FAULT_NONE, 0},
                   {NOT_A_NUMBER, 1, GR_FAULT_NONE, 0}};
    for (size_t i = 0; i < sizeof guesses / sizeof *guesses; i++)
        for (gr_check_mode mode = GR_CHECK_FULL; mode <= GR_CHECK_COTANGENTS; mode++) {
            fault_kind fault = guesses[i].fault;
            gr_check_result r;
            CHECK(gr_gradcheck(g, faulty_product, 2, in, &fault, &(gr_check_options){.mode = mode}, &r) ==
                  GR_OK);
            CHECK(r.n_faults == (guesses[i].kind != GR_FAULT_NONE));
            CHECK(r.n_faults == 0 || (r.faults[0].kind == guesses[i].kind && r.faults[0].input == 0));
            CHECK(r.n_faults == 0 || (r.faults[0].factor == guesses[i].factor && r.faults[0].order == 1));
            CHECK(r.n_faults == 0 || (r.faults[0].elements >= 12 && !strcmp(r.faults[0].name, "x")));
        }
    const gr_tensor square_pair[] = {leaf(g, GR_SHAPE(4, 4), 0, 1), leaf(g, GR_SHAPE(4, 4), 0, 1)};
    const gr_op *op = &transposed;
    gr_check_result r = check(g, apply_op, 2, square_pair, &op, 1);
    CHECK(r.n_faults == 1 && r.faults[0].kind == GR_FAULT_TRANSPOSED && r.faults[0].input == 0);
    const gr_tensor bias[] = {square_pair[0], leaf(g, GR_SHAPE(4), 0, 1)};
    op = &unsummed;
    r = check(g, apply_op, 2, bias, &op, 1);
    CHECK(r.n_faults == 1 && r.faults[0].kind == GR_FAULT_BROADCAST && r.faults[0].input == 1);
    CHECK(r.faults[0].axis == 0);
    gr_graph_destroy(g);
}

/* ---- Everything as before ---- */

static bool same_bits(gr_tensor t, const double *values)
{
    double now[8];
    const int64_t n = gr_count(t);
    return gr_read(t, now, n) == GR_OK && !memcmp(now, values, (size_t)n * sizeof *now);
}

static void test_restores(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const double values[] = {-0.0, 5e-324, 0.1, 1e300, -3, NAN};
    const gr_tensor p = gr_param(g, "p", GR_F64, GR_SHAPE(2, 3), values);
    const gr_tensor c = gr_constant(g, GR_F64, GR_SHAPE(6), values);
    gr_set_requires_grad(c, false);
    const gr_tensor small = gr_keep(gr_slice(c, 0, 2, 5, 1)); /* shares the buffer of c */
    const gr_tensor view = gr_transpose(p, 0, 1);
    const gr_tensor loss = gr_sum(gr_mul(p, p), GR_ALL_AXES, false);
    gr_backward_with(loss, &(gr_backward_options){.retain = true});
    double gradient[6];
    gr_read(gr_gradient(p), gradient, 6);
    const gr_tensor in[] = {p, c, small, p};
    const gr_rng_state rng = gr_rng_get(g);
    check(g, noisy, 4, in, NULL, 2);
    const size_t used = gr_graph_memory(g).used;
    for (int i = 0; i < 3; i++) check(g, noisy, 4, in, NULL, 2);
    CHECK(gr_graph_memory(g).used == used);
    CHECK(same_bits(p, values) && same_bits(c, values) && same_bits(small, values + 2));
    CHECK(GR_AT(view, 1, 0) == 5e-324);
    CHECK(same_bits(gr_gradient(p), gradient));
    CHECK(gr_requires_grad(p) && !gr_requires_grad(c) && !gr_requires_grad(small));
    CHECK(!gr_has_gradient(c) && gr_is_recording(g));
    CHECK(gr_rng_get(g).seed == rng.seed && gr_rng_get(g).counter == rng.counter);
    CHECK(gr_backward(loss) == GR_OK); /* the history recorded before is still good */
    gr_no_grad_begin(g);
    const gr_tensor ones = gr_keep(gr_ones(g, GR_F64, GR_SHAPE(3)));
    CHECK(check(g, cube, 1, &ones, NULL, 1).passed);
    CHECK(!gr_is_recording(g));
    gr_no_grad_end(g);
    CHECK(gr_is_recording(g));
    gr_graph_destroy(g);
}

/* A leaf that is a view of more than it shows, and strided, is that again. */
static void test_restores_views(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor base = gr_keep(gr_arange(g, GR_F64, 24, 1, 0.5));
    const gr_tensor x = gr_keep(gr_slice(gr_transpose(gr_reshape(base, GR_SHAPE(6, 4)), 0, 1), 1, 0, 6, 2));
    int64_t strides[2];
    CHECK(check(g, cube, 1, &x, NULL, 1).passed);
    CHECK(gr_strides(x, strides) == GR_OK && strides[0] == 1 && strides[1] == 8);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 3; j++) CHECK(GR_AT(x, i, j) == 1 + 0.5 * (8 * j + i));
    gr_graph_destroy(g);
}

/* ---- Errors ---- */

/* Fails at its n-th call. */
static gr_tensor failing(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)n;
    if (--*(int *)user > 0) return gr_exp(in[0]);
    gr_graph_fail(g, GR_ERR_CALLBACK, "the weather is bad");
    return GR_NONE;
}

FUNCTION(nothing, GR_NONE)
FUNCTION(wrong_shape, gr_matmul(in[0], gr_full(g, GR_F64, GR_SHAPE(7, 7), 1)))
FUNCTION(whole, gr_cast(in[0], GR_I32))

/* Returns more elements at every call. */
static gr_tensor growing(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n;
    return gr_expand(gr_sum(in[0], GR_ALL_AXES, false), GR_SHAPE(++*(int64_t *)user / 4));
}

/* Frees its input, then goes on. */
static gr_tensor releasing(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)n;
    if (--*(int *)user == 0) {
        gr_release(in[0]);
        return gr_full(g, GR_F64, GR_SHAPE(3), 1);
    }
    return gr_exp(in[0]);
}

static void expect_error(gr_graph *g, gr_function f, int n, const gr_tensor *in, void *user,
                         const gr_check_options *o, gr_status status, const char *part)
{
    gr_check_result r = {.passed = true};
    CHECK(gr_gradcheck(g, f, n, in, user, o, &r) == status);
    CHECK(gr_graph_status(g) == status);
    CHECK_TEXT(gr_graph_error(g), part);
    CHECK(!r.passed && r.elements == 0);
    gr_graph_clear_error(g);
}

static void test_failing_functions(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const double values[] = {1, 2, 3};
    const gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(3), values);
    const gr_tensor small = gr_keep(gr_add_scalar(x, 0)); /* its elements are in its record */
    for (int at = 1; at < 24; at++) {
        int calls = 1 + at / 2;
        const gr_tensor leaf = at % 2 ? x : small;
        expect_error(g, failing, 1, &leaf, &calls, &(gr_check_options){.order = 2}, GR_ERR_CALLBACK,
                     "weather");
        CHECK(same_bits(leaf, values) && !gr_requires_grad(leaf));
    }
    expect_error(g, nothing, 1, &x, NULL, NULL, GR_ERR_CALLBACK, "returned no tensor");
    expect_error(g, wrong_shape, 1, &x, NULL, NULL, GR_ERR_SHAPE, "matmul");
    expect_error(g, whole, 1, &x, NULL, NULL, GR_ERR_TYPE, "i32");
    int64_t size = 3; /* grows at the fifth call */
    expect_error(g, growing, 1, &x, &size, NULL, GR_ERR_SHAPE, "elements");
    CHECK(same_bits(x, values));
    for (int at = 1; at < 12; at++) {
        int calls = at;
        const gr_tensor y = gr_constant(g, GR_F64, GR_SHAPE(3), values);
        gr_check_result r;
        CHECK(gr_gradcheck(g, releasing, 1, &y, &calls, NULL, &r) != GR_OK && !r.passed);
        gr_graph_clear_error(g);
    }
    CHECK(check(g, cube, 1, &x, NULL, 2).passed); /* the graph goes on */
    gr_graph_destroy(g);
}

/* ---- What the function does to the graph ---- */

static gr_tensor doubled(gr_tensor gradient, gr_tensor of, void *user)
{
    (void)of, (void)user;
    return gr_scale(gradient, 2);
}

static gr_tensor unchanged(gr_tensor gradient, gr_tensor of, void *user)
{
    (void)gradient, (void)of, (void)user;
    return GR_NONE;
}

/* Adds a hook to its input, the first time. */
static gr_tensor hooking(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n;
    gr_hook *hook = user;
    if (!hook->index) *hook = gr_add_hook(in[0], doubled, NULL);
    return gr_exp(in[0]);
}

static double gradient_of_sum(gr_tensor x)
{
    CHECK(gr_backward(gr_sum(x, GR_ALL_AXES, false)) == GR_OK);
    return gr_item(gr_select(gr_gradient(x), 0, 0));
}

/* A hook that is added in a check stays, and is freed with its tensor, not left to the next one in its place. */
static void test_hooks_stay(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor x = gr_param(g, "x", GR_F64, GR_SHAPE(2), (double[]){1, 2});
    gr_hook hook = {NULL, 0, 0};
    gr_check_result r;
    CHECK(gr_gradcheck(g, hooking, 1, &x, &hook, NULL, &r) == GR_OK && !r.passed);
    CHECK_NEAR(gradient_of_sum(x), 2, 0);
    gr_release(x);
    CHECK(gr_remove_hook(hook) == GR_ERR_STALE);
    gr_graph_clear_error(g);
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%d", i);
        x = gr_param(g, name, GR_F64, GR_SHAPE(2), (double[]){1, 2});
        gr_add_hook(x, unchanged, NULL);
        CHECK_NEAR(gradient_of_sum(x), 1, 0);
    }
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* Leaves open what it begins, or ends what was begun before it. */
static gr_tensor untidy(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)n;
    const int how = *(int *)user;
    const gr_tensor y = gr_mul(gr_exp(in[0]), in[0]);
    if (how == 0) gr_no_grad_begin(g);
    if (how == 1) gr_name_scope_begin(g, "inside");
    if (how == 2) gr_name_scope_end(g);
    if (how == 3) gr_scope_begin(g);
    return y;
}

/* The next call, and what comes after the check, find the graph as it was. */
static void test_untidy_functions(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_param(g, "x", GR_F64, GR_SHAPE(2), (double[]){1, 2});
    gr_name_scope_begin(g, "outside");
    for (int how = 0; how < 4; how++) {
        gr_check_result r;
        const gr_check_options o = {.order = 2, .forward = true};
        CHECK(gr_gradcheck(g, untidy, 1, &x, &how, &o, &r) == GR_OK && r.passed);
        CHECK(gr_is_recording(g));
        CHECK_TEXT(gr_name_scope_of(gr_exp(x)), "outside");
        CHECK(strlen(gr_name_scope_of(gr_exp(x))) == strlen("outside"));
        CHECK(gr_graph_reset(g) == GR_OK);
    }
    CHECK(gr_name_scope_end(g) == GR_OK && gr_name_scope_end(g) == GR_ERR_STATE);
    gr_graph_destroy(g);
}

/* An allocator that refuses from its n-th call on, and counts what is out. */
typedef struct stingy {
    int left;
    int64_t out;
} stingy;

static void *stingy_allocate(size_t bytes, void *user)
{
    stingy *s = user;
    if (s->left <= 0) return NULL;
    s->left--;
    s->out += (int64_t)bytes;
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

static void stingy_free(void *block, size_t bytes, void *user)
{
    ((stingy *)user)->out -= (int64_t)bytes;
    free(block);
}

/* Each allocation of a check fails in turn: values are restored, and with memory the check can be made. */
static void test_out_of_memory(void)
{
    const double values[] = {0.1, -2, 3, 4, 5, 6};
    int failures = 0;
    for (int n = 0;; n++) {
        stingy s = {.left = 1000};
        const gr_graph_options o = {.allocator = {stingy_allocate, stingy_free, &s}};
        gr_graph *g = gr_graph_create(&o);
        const gr_tensor in[] = {
            gr_constant(g, GR_F64, GR_SHAPE(2, 3), values), gr_param(g, "w", GR_F64, GR_SHAPE(3, 2), values),
            gr_constant(g, GR_F64, GR_SHAPE(2), values), gr_keep(gr_ones(g, GR_F64, GR_SHAPE(2)))};
        gr_check_result r;
        s.left = n;
        const gr_status status = gr_gradcheck(g, shapes, 4, in, NULL, &(gr_check_options){.order = 2}, &r);
        const bool failed = status != GR_OK;
        CHECK(failed ? status == GR_ERR_MEMORY && !r.passed : r.passed);
        CHECK(same_bits(in[0], values) && same_bits(in[1], values) && same_bits(in[2], values));
        gr_graph_clear_error(g);
        s.left = 1000;
        if (failed) CHECK(check(g, shapes, 4, in, NULL, 2).passed);
        gr_graph_destroy(g);
        CHECK(s.out == 0);
        failures += failed;
        if (!failed) break;
    }
    CHECK(failures > 5);
}

static void test_wrong_arguments(void)
{
    gr_graph *g = gr_graph_create(NULL), *other = gr_graph_create(NULL);
    const gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(2), NULL);
    const gr_tensor f32 = gr_exp(gr_constant(g, GR_F32, GR_SHAPE(2), NULL)), step = gr_exp(x);
    const gr_tensor i32 = gr_constant(g, GR_I32, GR_SHAPE(2), NULL), none = GR_NONE;
    const gr_tensor foreign = gr_constant(other, GR_F64, GR_SHAPE(2), NULL);
    expect_error(g, square, 1, &f32, NULL, NULL, GR_ERR_STATE, "gr_keep");
    expect_error(g, square, 2, (gr_tensor[]){x, f32}, NULL, NULL, GR_ERR_STATE, "inputs[1] is exp f32 [2]");
    expect_error(g, square, 1, &step, NULL, NULL, GR_ERR_STATE, "gr_keep");
    expect_error(g, square, 1, &i32, NULL, NULL, GR_ERR_TYPE, "no input");
    expect_error(g, square, 1, &none, NULL, NULL, GR_ERR_HANDLE, "inputs[0]");
    expect_error(g, square, 1, &foreign, NULL, NULL, GR_ERR_GRAPH, "another graph");
    expect_error(g, NULL, 1, &x, NULL, NULL, GR_ERR_ARGUMENT, "function");
    expect_error(g, square, 0, &x, NULL, NULL, GR_ERR_ARGUMENT, "input");
    expect_error(g, square, 1, NULL, NULL, NULL, GR_ERR_ARGUMENT, "input");
    const gr_check_options wrong[] = {{.order = 5}, {.order = -1}, {.directions = 1},  {.directions = 17},
                                      {.atol = -1}, {.atol = NAN}, {.atol = INFINITY}, {.rtol = NAN},
                                      {.rtol = 1},  {.step = 2},   {.step = -0.1},     {.max_elements = -1}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect_error(g, square, 1, &x, NULL, &wrong[i], GR_ERR_ARGUMENT, "gradcheck");
    gr_check_result r;
    CHECK(gr_gradcheck(g, square, 1, &x, NULL, NULL, NULL) == GR_ERR_ARGUMENT);
    CHECK(gr_gradcheck(g, square, 1, &x, NULL, NULL, &r) == GR_ERR_ARGUMENT); /* refuses: one is pending */
    CHECK(gr_gradcheck(NULL, square, 1, &x, NULL, NULL, &r) == GR_ERR_HANDLE);
    gr_graph_destroy(other);
    gr_graph_destroy(g);
}

/* ---- The same again, and the report ---- */

static void test_seeds(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = leaf(g, GR_SHAPE(40), 0, 1);
    gr_check_result a, b, c;
    gr_check_options o = {.seed = 3, .max_elements = 7, .order = 2, .mode = GR_CHECK_COTANGENTS};
    gr_gradcheck(g, softmax, 1, &x, NULL, &o, &a);
    gr_gradcheck(g, softmax, 1, &x, NULL, &o, &b);
    o.seed = 4;
    gr_gradcheck(g, softmax, 1, &x, NULL, &o, &c);
    CHECK(a.passed && c.passed && a.elements == 7 + 14);
    CHECK(a.worst.analytic == b.worst.analytic && a.worst.at.element == b.worst.at.element);
    CHECK(a.worst.analytic != c.worst.analytic);
    gr_graph_destroy(g);
}

static void test_report(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor in[] = {gr_named(leaf(g, GR_SHAPE(3, 4), 2, 0.5), "speed"),
                            leaf(g, GR_SHAPE(3, 4), -1, 0.3)};
    fault_kind fault = ONE_ELEMENT;
    const gr_check_result r = check(g, faulty_product, 2, in, &fault, 1);
    char text[GR_CHECK_REPORT_BYTES], little[40];
    const size_t length = gr_check_report(&r, text, sizeof text);
    CHECK(length == strlen(text) && length < sizeof text);
    CHECK_TEXT(text, "FAILED");
    CHECK_TEXT(text, "1 wrong");
    CHECK_TEXT(text, "/ d speed[1,2] ");
    CHECK(gr_check_report(&r, little, sizeof little) == length);
    CHECK(strlen(little) == sizeof little - 1 && !strncmp(text, little, sizeof little - 1));
    CHECK(gr_check_report(&r, NULL, 0) == length);
    const gr_check_result none = {.passed = false};
    gr_check_report(&none, text, sizeof text);
    CHECK_TEXT(text, "not made");
    fault = NONE;
    const gr_check_result right = check(g, faulty_product, 2, in, &fault, 1);
    gr_check_report(&right, text, sizeof text);
    CHECK_TEXT(text, "passed");
    gr_graph_destroy(g);
}

/* A gated recurrent unit (Cho et al., 2014): its first derivatives are small numbers, made of larger ones that are
   rounded to f32, so that nearby they stand on stairs. */
static gr_tensor gated(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    const gr_tensor x = in[0], h = in[1];
    const gr_tensor z = gr_sigmoid(gr_add(gr_matmul(x, in[2]), gr_matmul(h, in[3])));
    const gr_tensor r = gr_sigmoid(gr_add(gr_matmul(x, in[4]), gr_matmul(h, in[5])));
    const gr_tensor c = gr_tanh(gr_add(gr_matmul(x, in[6]), gr_matmul(gr_mul(r, h), in[7])));
    return gr_add(gr_mul(gr_add_scalar(gr_neg(z), 1), h), gr_mul(z, c));
}

static void test_small_derivatives_in_single_precision(void)
{
    gr_graph *g = gr_graph_create(NULL);
    for (int i = 0; i < 5; i++) {
        gr_tensor in[8];
        for (int k = 0; k < 8; k++) {
            const gr_shape shape = k == 0   ? GR_SHAPE(2, 3)
                                   : k == 1 ? GR_SHAPE(2, 4)
                                            : GR_SHAPE(k % 2 ? 4 : 3, 4);
            in[k] = gr_keep(gr_normal(g, GR_F32, shape, 0, 1));
        }
        const gr_check_result r = check(g, gated, 8, in, NULL, 2);
        CHECK(r.passed && r.order == 2);
        if (!r.passed) explain("gated", &r);
    }
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_wrong_rules);
    RUN(test_wrong_for_one_cotangent);
    RUN(test_wrong_matrix_rules);
    RUN(test_tiny_wrong_gradients);
    RUN(test_one_of_many);
    RUN(test_right_functions);
    RUN(test_several_inputs);
    RUN(test_through_user);
    RUN(test_undecided);
    RUN(test_not_finite);
    RUN(test_modes);
    RUN(test_fast);
    RUN(test_single_precision);
    RUN(test_mixed_types);
    RUN(test_not_deterministic);
    RUN(test_guesses);
    RUN(test_restores);
    RUN(test_restores_views);
    RUN(test_failing_functions);
    RUN(test_hooks_stay);
    RUN(test_untidy_functions);
    RUN(test_out_of_memory);
    RUN(test_wrong_arguments);
    RUN(test_seeds);
    RUN(test_report);
    RUN(test_small_derivatives_in_single_precision);
    return TEST_EXIT;
}
