/*
 * Differentiation against closed forms: higher orders, every form that a graph can take, and depth that no
 * recursion would survive.
 */
#include "gradus.h"
#include "test.h"

#include <pthread.h>
#include <stdlib.h>

static gr_tensor variable(gr_graph *g, double value)
{
    return gr_set_requires_grad(gr_constant(g, GR_F64, GR_SCALAR, &value), true);
}

static gr_tensor vector(gr_graph *g, int64_t n, const double *values)
{
    return gr_set_requires_grad(gr_constant(g, GR_F64, GR_SHAPE(n), values), true);
}

static gr_tensor total(gr_tensor x) { return gr_sum(x, GR_ALL_AXES, false); }

static void expect_values(gr_tensor t, int64_t n, const double *expected, double tolerance)
{
    double *actual = malloc((size_t)n * sizeof *actual);
    CHECK(gr_read(t, actual, n) == GR_OK);
    for (int64_t i = 0; i < n; i++) CHECK_NEAR(actual[i], expected[i], tolerance);
    free(actual);
}

static void finish(gr_graph *g)
{
    CHECK(gr_graph_status(g) == GR_OK);
    if (gr_graph_status(g) != GR_OK) printf("    %s\n", gr_graph_error(g));
    gr_graph_destroy(g);
}

/* ---- Higher orders ---- */

static void test_third_derivative(void)
{
    gr_graph *g = gr_graph_create(NULL);
    for (int i = -3; i <= 3; i++) {
        const double v = 0.7 * i, s = sin(v), c = cos(v);
        const gr_tensor x = variable(g, v), y = gr_mul(gr_pow_scalar(x, 4), gr_sin(x));
        const gr_tensor d1 = gr_derivative(y, x), d2 = gr_derivative(d1, x), d3 = gr_derivative(d2, x);
        CHECK_NEAR(gr_item(y), pow(v, 4) * s, 1e-13);
        CHECK_NEAR(gr_item(d1), 4 * pow(v, 3) * s + pow(v, 4) * c, 1e-12);
        CHECK_NEAR(gr_item(d2), 12 * v * v * s + 8 * pow(v, 3) * c - pow(v, 4) * s, 1e-12);
        CHECK_NEAR(gr_item(d3), 24 * v * s + 36 * v * v * c - 12 * pow(v, 3) * s - pow(v, 4) * c, 1e-11);
        gr_graph_reset(g);
    }
    finish(g);
}

/* d^k sin x, to the eighth order. */
static void test_eighth_derivative(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = variable(g, 0.4);
    gr_tensor y = gr_sin(x);
    for (int k = 1; k <= 8; k++) {
        y = gr_derivative(y, x);
        CHECK_NEAR(gr_item(y), sin(0.4 + k * acos(0.0)), 1e-12);
    }
    finish(g);
}

/* f = e^(x y) + x^2 y: the mixed partials agree with the formula and with each other. */
static void test_mixed_partials(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const double a = 0.6, b = -1.1, e = exp(a * b);
    const gr_tensor x = variable(g, a), y = variable(g, b);
    const gr_tensor f = gr_add(gr_exp(gr_mul(x, y)), gr_mul(gr_square(x), y));
    const gr_tensor inputs[] = {x, y};
    gr_tensor first[2], by_x[2], by_y[2];
    const gr_grad_options record = {.record = true};
    CHECK(gr_grad(1, &f, 2, inputs, NULL, &record, first) == GR_OK);
    CHECK(gr_grad(1, &first[0], 2, inputs, NULL, &record, by_x) == GR_OK);
    CHECK(gr_grad(1, &first[1], 2, inputs, NULL, &record, by_y) == GR_OK);
    CHECK_NEAR(gr_item(first[0]), b * e + 2 * a * b, 1e-14);
    CHECK_NEAR(gr_item(first[1]), a * e + a * a, 1e-14);
    CHECK_NEAR(gr_item(by_x[0]), b * b * e + 2 * b, 1e-14);
    CHECK_NEAR(gr_item(by_x[1]), (1 + a * b) * e + 2 * a, 1e-14);
    CHECK_NEAR(gr_item(by_y[0]), gr_item(by_x[1]), 1e-14);
    CHECK_NEAR(gr_item(by_y[1]), a * a * e, 1e-14);
    finish(g);
}

/* f(v) = sum (A v)^3 / 3 + v0 v1 v2: Hessian 2 A' diag(A v) A + the permutation part. */
static void test_hessian(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const double m[3][3] = {{1, -2, 0.5}, {0.25, 1.5, -1}, {2, 0, 1}}, at[] = {0.3, -0.7, 1.2};
    const gr_tensor a = gr_constant(g, GR_F64, GR_SHAPE(3, 3), m), v = vector(g, 3, at);
    const gr_tensor cubes = gr_pow_scalar(gr_matmul(a, v), 3);
    const gr_tensor product = gr_mul(gr_mul(gr_select(v, 0, 0), gr_select(v, 0, 1)), gr_select(v, 0, 2));
    const gr_tensor f = gr_add(gr_scale(total(cubes), 1.0 / 3), product);
    const gr_tensor gradient = gr_derivative(f, v);
    for (int i = 0; i < 3; i++) {
        double row[3];
        for (int j = 0; j < 3; j++) {
            row[j] = i == j ? 0 : at[3 - i - j];
            for (int k = 0; k < 3; k++) {
                const double av = m[k][0] * at[0] + m[k][1] * at[1] + m[k][2] * at[2];
                row[j] += 2 * m[k][i] * av * m[k][j];
            }
        }
        gr_tensor h;
        const gr_tensor component = gr_select(gradient, 0, i);
        CHECK(gr_grad(1, &component, 1, &v, NULL, &(gr_grad_options){.retain = true}, &h) == GR_OK);
        expect_values(h, 3, row, 1e-12);
    }
    finish(g);
}

/* A Jacobian-vector product is the derivative of the vector-Jacobian product by its cotangent. */
static void test_cotangent_requires_grad(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const double at[] = {0.5, -1, 2}, direction[] = {1, 0.5, -2}, start[] = {0.3, 0.2, 0.1};
    const gr_tensor x = vector(g, 3, at), u = vector(g, 3, start);
    const gr_tensor y = gr_mul(gr_sin(x), total(x)); /* y_i = sin x_i sum x */
    gr_tensor vjp, jvp;
    CHECK(gr_grad(1, &y, 1, &x, &u, &(gr_grad_options){.record = true}, &vjp) == GR_OK);
    const gr_tensor v = gr_constant(g, GR_F64, GR_SHAPE(3), direction);
    CHECK(gr_grad(1, &vjp, 1, &u, &v, NULL, &jvp) == GR_OK);
    double expected[3];
    const double s = at[0] + at[1] + at[2], ds = direction[0] + direction[1] + direction[2];
    for (int i = 0; i < 3; i++) expected[i] = cos(at[i]) * direction[i] * s + sin(at[i]) * ds;
    expect_values(jvp, 3, expected, 1e-13);
    finish(g);
}

/* ---- Forms of graphs ---- */

static void test_diamonds(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = variable(g, 1.01);
    gr_tensor y = x;
    for (int i = 0; i < 60; i++) y = gr_scale(gr_add(y, y), 0.5); /* 2^60 paths */
    CHECK(gr_backward(gr_mul(y, y)) == GR_OK);
    CHECK_NEAR(gr_item(gr_gradient(x)), 2 * 1.01, 1e-14);
    /* sin x and cos x meet again */
    const gr_tensor z = variable(g, 0.8), s = gr_sin(z), c = gr_cos(z);
    CHECK(gr_backward(gr_mul(gr_add(s, c), gr_mul(s, c))) == GR_OK);
    const double a = sin(0.8), b = cos(0.8);
    CHECK_NEAR(gr_item(gr_gradient(z)), (b - a) * a * b + (a + b) * (b * b - a * a), 1e-14);
    finish(g);
}

static void test_reused_operands(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const double at[] = {0.5, 2, -1};
    const gr_tensor x = vector(g, 3, at);
    CHECK(gr_backward(total(gr_mul(gr_mul(x, x), x))) == GR_OK);
    expect_values(gr_gradient(x), 3, (double[]){0.75, 12, 3}, 1e-14);
    const gr_tensor m = gr_set_requires_grad(gr_constant(g, GR_F64, GR_SHAPE(2, 2), (double[]){1, 2, 3, 4}),
                                             true);
    CHECK(gr_backward(total(gr_matmul(m, m))) == GR_OK); /* 1' M M 1: M' 1 1' ... = rows + columns */
    expect_values(gr_gradient(m), 4, (double[]){3 + 4, 7 + 4, 3 + 6, 7 + 6}, 1e-14);
    const gr_tensor same[] = {x, x, x};
    gr_tensor gradient;
    const gr_tensor joined = total(gr_square(gr_concat(3, same, 0)));
    CHECK(gr_grad(1, &joined, 1, &x, NULL, NULL, &gradient) == GR_OK);
    expect_values(gradient, 3, (double[]){3, 12, -6}, 1e-14);
    finish(g);
}

static void test_unused_and_duplicate_inputs(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = variable(g, 3), unused = vector(g, 2, (double[]){1, 2});
    const gr_tensor interior = gr_tanh(unused), y = gr_square(x);
    const gr_tensor inputs[] = {unused, x, interior, x};
    for (int record = 0; record < 2; record++) {
        gr_tensor d[4];
        const gr_grad_options options = {.record = record, .retain = true};
        CHECK(gr_grad(1, &y, 4, inputs, NULL, &options, d) == GR_OK);
        expect_values(d[0], 2, (double[]){0, 0}, 0);
        expect_values(d[2], 2, (double[]){0, 0}, 0);
        CHECK(gr_item(d[1]) == 6 && gr_item(d[3]) == 6);
    }
    CHECK(!gr_has_gradient(x) && !gr_has_gradient(unused)); /* gr_grad leaves them alone */
    CHECK(gr_grad(1, &y, 0, NULL, NULL, NULL, NULL) == GR_OK);
    finish(g);
}

/* A leaf that stands where a released one stood does not make the other one's history needed. */
static void test_released_slot(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor gone = variable(g, 3), y = gr_square(gone);
    CHECK(gr_release(gone) == GR_OK);
    const gr_tensor x = variable(g, 5), outputs[] = {y, gr_square(x)};
    CHECK(x.index == gone.index); /* else this tests nothing */
    gr_tensor d;
    CHECK(gr_grad(2, outputs, 1, &x, NULL, NULL, &d) == GR_OK && gr_item(d) == 10);
    finish(g);
}

/* Gradients are leaves like others: adding to them and zeroing them is noticed by what has used them. */
static void test_used_gradients(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = variable(g, 3);
    for (int zero = 0; zero < 2; zero++) {
        CHECK(gr_backward(gr_square(x)) == GR_OK);
        const gr_tensor y = gr_mul(gr_gradient(x), x);
        CHECK((zero ? gr_zero_grad(x) : gr_backward(gr_square(x))) == GR_OK);
        CHECK(gr_backward(y) == GR_ERR_MODIFIED);
        gr_graph_clear_error(g);
    }
    finish(g);
}

/* A walk is recorded if it is asked to be, whatever is switched off around it, and then leaves that switched off. */
static void test_recorded_without_recording(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = variable(g, 2), y = gr_mul(gr_square(x), x);
    gr_tensor d, dd;
    gr_no_grad_begin(g);
    CHECK(gr_grad(1, &y, 1, &x, NULL, &(gr_grad_options){.record = true}, &d) == GR_OK);
    CHECK(gr_requires_grad(d) && !gr_is_recording(g) && !gr_requires_grad(gr_square(x)));
    CHECK(gr_grad(1, &d, 1, &x, NULL, NULL, &dd) == GR_OK && gr_item(dd) == 12);
    CHECK(!gr_requires_grad(dd) && !gr_is_recording(g));
    gr_no_grad_end(g);
    CHECK(gr_is_recording(g) && gr_requires_grad(gr_square(x)));
    finish(g);
}

/* What a sum gives back is a view that repeats its elements: nothing may be added into it. */
static void test_adding_to_a_repeated_cotangent(void)
{
    enum { ROWS = 3, COLUMNS = 20 };
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_param(g, "x", GR_F64, GR_SHAPE(ROWS, COLUMNS), NULL),
                    factor = gr_arange(g, GR_F64, ROWS * COLUMNS, 0, 1);
    const gr_tensor early = total(gr_mul(x, gr_reshape(factor, GR_SHAPE(ROWS, COLUMNS))));
    const gr_tensor late = total(gr_mul(gr_sum(x, GR_AXES(0), false), gr_slice(factor, 0, 0, COLUMNS, 1)));
    CHECK(gr_backward(gr_add(early, late)) == GR_OK);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++) CHECK(GR_AT(gr_gradient(x), i, j) == i * COLUMNS + j + j);
    finish(g);
}

/* A rule that switches recording off and on again, as gr_detach does, finds it as the walk has set it. */
static bool rule_recorded;
static gr_status like_infer(const gr_call *c, gr_layout *out) { return gr_infer_like(c, out, 0); }
static gr_status zero_forward(const gr_call *c)
{
    memset(c->out->data, 0, (size_t)c->out->count * sizeof(double));
    return GR_OK;
}
static gr_tensor detaching_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    const gr_tensor part = gr_mul(gy, gr_detach(c->operands[0]));
    rule_recorded = gr_is_recording(c->graph);
    return part;
}

static void test_detach_in_a_rule(void)
{
    static const gr_op op = {
        .name = "op", .arity = 1, .infer = like_infer, .forward = zero_forward, .vjp = detaching_vjp};
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = variable(g, 3), y = gr_apply(g, &op, 1, &x, NULL);
    for (int k = 0; k < 4; k++) {
        gr_tensor d;
        if (k & 2) gr_no_grad_begin(g);
        CHECK(gr_grad(1, &y, 1, &x, NULL, &(gr_grad_options){.record = k & 1, .retain = true}, &d) == GR_OK);
        CHECK(gr_item(d) == 3 && rule_recorded == (k & 1) && gr_is_recording(g) == !(k & 2));
        if (k & 2) gr_no_grad_end(g);
    }
    CHECK(gr_is_recording(g));
    finish(g);
}

static void test_several_outputs(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = vector(g, 3, (double[]){1, 2, 3}), h = gr_square(x);
    const gr_tensor c1 = gr_constant(g, GR_F64, GR_SHAPE(3), (double[]){1, 10, 100});
    const gr_tensor outputs[] = {h, total(gr_mul(h, x)), h, x};
    const gr_tensor cotangents[] = {c1, {0}, c1, c1};
    const gr_tensor inputs[] = {x, h};
    gr_tensor d[2];
    for (int record = 0; record < 2; record++) {
        const gr_memory_info before = gr_graph_memory(g);
        CHECK(gr_grad(4, outputs, 2, inputs, cotangents, &(gr_grad_options){record, true}, d) == GR_OK);
        expect_values(d[0], 3, (double[]){4 + 3 + 1, 80 + 12 + 10, 1200 + 27 + 100}, 1e-12);
        expect_values(d[1], 3, (double[]){2 + 1, 20 + 2, 200 + 3}, 1e-12);
        CHECK(gr_graph_memory(g).used >= before.used);
    }
    finish(g);
}

static void test_interior_targets(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = variable(g, 0.3), h = gr_sin(x), y = gr_exp(h), z = gr_square(h);
    gr_tensor d;
    CHECK(gr_grad(1, &y, 1, &h, NULL, NULL, &d) == GR_OK);
    CHECK_NEAR(gr_item(d), exp(sin(0.3)), 1e-14);
    CHECK(gr_grad(1, &z, 1, &h, NULL, NULL, &d) == GR_OK); /* h itself was not walked through */
    CHECK_NEAR(gr_item(d), 2 * sin(0.3), 1e-14);
    CHECK(gr_grad(1, &h, 1, &h, NULL, NULL, &d) == GR_OK); /* input that is also the output */
    CHECK(gr_item(d) == 1);
    CHECK(gr_grad(1, &x, 1, &x, NULL, &(gr_grad_options){.record = true}, &d) == GR_OK);
    CHECK(gr_item(d) == 1);
    /* both an interior tensor and what lies below it */
    const gr_tensor w = gr_mul(gr_exp(h), x), inputs[] = {h, x};
    gr_tensor both[2];
    CHECK(gr_grad(1, &w, 2, inputs, NULL, NULL, both) == GR_OK);
    CHECK_NEAR(gr_item(both[0]), 0.3 * exp(sin(0.3)), 1e-14);
    CHECK_NEAR(gr_item(both[1]), exp(sin(0.3)) * (1 + 0.3 * cos(0.3)), 1e-14);
    finish(g);
}

static void test_twice_with_retain(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = variable(g, 0.3), y = gr_exp(gr_sin(x));
    gr_tensor first, second;
    CHECK(gr_grad(1, &y, 1, &x, NULL, &(gr_grad_options){.retain = true}, &first) == GR_OK);
    CHECK(gr_grad(1, &y, 1, &x, NULL, NULL, &second) == GR_OK);
    CHECK(gr_item(first) == gr_item(second));
    CHECK(gr_grad(1, &y, 1, &x, NULL, NULL, &second) == GR_ERR_HISTORY_RELEASED);
    CHECK(!gr_is_valid(second) && gr_is_valid(first));
    gr_graph_clear_error(g);
    finish(g);
}

/* Gradients through gradients into parameters: a penalty on the norm of a gradient. */
static void test_backward_through_grad(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const double at[] = {0.4, -0.9};
    const gr_tensor p = gr_param(g, "p", GR_F64, GR_SHAPE(2), at), y = total(gr_pow_scalar(p, 3));
    const gr_tensor penalty = total(gr_square(gr_derivative(y, p))); /* sum 9 p^4 */
    CHECK(gr_backward(gr_add(y, penalty)) == GR_OK);
    double expected[2];
    for (int i = 0; i < 2; i++) expected[i] = 3 * at[i] * at[i] + 36 * at[i] * at[i] * at[i];
    expect_values(gr_gradient(p), 2, expected, 1e-13);
    finish(g);
}

/* ---- Views and broadcasts: the gradient of sum c . f(x) for a linear f is f'(c) ---- */

typedef gr_tensor view_function(gr_tensor x); /* of x [2, 3, 4] */
static gr_tensor v_same(gr_tensor x) { return x; }
static gr_tensor v_permute(gr_tensor x) { return gr_permute(x, GR_AXES(2, 0, 1)); }
static gr_tensor v_reverse(gr_tensor x) { return gr_permute(x, GR_ALL_AXES); }
static gr_tensor v_transpose(gr_tensor x) { return gr_transpose(x, 0, -1); }
static gr_tensor v_backwards(gr_tensor x) { return gr_slice(x, -1, GR_SLICE_DEFAULT, GR_SLICE_DEFAULT, -1); }
static gr_tensor v_step(gr_tensor x) { return gr_slice(x, -1, 1, GR_SLICE_DEFAULT, 2); }
static gr_tensor v_back_step(gr_tensor x) { return gr_slice(x, 0, -1, GR_SLICE_DEFAULT, -2); }
static gr_tensor v_nothing(gr_tensor x) { return gr_slice(x, 1, 2, 2, 1); }
static gr_tensor v_select(gr_tensor x) { return gr_select(x, -2, -1); }
static gr_tensor v_flat(gr_tensor x) { return gr_reshape(x, GR_SHAPE(-1)); }
static gr_tensor v_pairs(gr_tensor x) { return gr_reshape(gr_contiguous(x), GR_SHAPE(1, -1, 1)); }
static gr_tensor v_unsqueeze(gr_tensor x) { return gr_unsqueeze(x, 1); }
static gr_tensor v_squeeze(gr_tensor x)
{
    return gr_squeeze(gr_unsqueeze(gr_unsqueeze(x, 0), -1), GR_ALL_AXES);
}
static gr_tensor v_expand(gr_tensor x)
{
    gr_shape shape = gr_shape_of(gr_unsqueeze(x, 0));
    shape.dims[0] = 3;
    return gr_expand(gr_unsqueeze(x, 0), shape);
}
static gr_tensor v_concat(gr_tensor x) { return gr_concat(3, (const gr_tensor[]){x, x, gr_neg(x)}, -1); }
static gr_tensor v_sum(gr_tensor x) { return gr_sum(x, GR_AXES(0), true); }
static view_function *const views[] = {
    v_same,   v_permute, v_reverse, v_transpose, v_backwards, v_step,   v_back_step, v_nothing,
    v_select, v_flat,    v_pairs,   v_unsqueeze, v_squeeze,   v_expand, v_concat,    v_sum};
enum { N_VIEWS = sizeof views / sizeof *views, N_X = 24 };

/* <c, f(x)> = <f'(c), x> for linear f; and the gradient's elements are found by unit vectors. */
static bool check_linear(view_function *outer, view_function *inner)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_seed(g, 7);
    const gr_tensor x = gr_set_requires_grad(gr_keep(gr_normal(g, GR_F64, GR_SHAPE(2, 3, 4), 0, 1)), true);
    const gr_tensor y = outer(inner(x));
    if (gr_graph_status(g) != GR_OK) { /* views of three axes, or of the second one, of what has others */
        gr_graph_destroy(g);
        return false;
    }
    const gr_tensor c = gr_keep(gr_normal(g, GR_F64, gr_shape_of(y), 0, 1));
    CHECK(gr_backward_with(y, &(gr_backward_options){.cotangent = c, .retain = true}) == GR_OK);
    double gradient[N_X], unit[N_X] = {0};
    CHECK(gr_read(gr_gradient(x), gradient, N_X) == GR_OK);
    for (int i = 0; i < N_X; i += 5) {
        unit[i] = 1;
        const gr_tensor e = gr_constant(g, GR_F64, GR_SHAPE(2, 3, 4), unit);
        CHECK_NEAR(gradient[i], gr_item(total(gr_mul(outer(inner(e)), c))), 1e-12);
        unit[i] = 0;
    }
    gr_tensor d; /* recorded, and by another way: the same, and the second derivative of a square is f'f */
    CHECK(gr_grad(1, &y, 1, &x, &c, &(gr_grad_options){.record = true}, &d) == GR_OK);
    expect_values(d, N_X, gradient, 1e-13);
    const gr_tensor half = gr_scale(total(gr_square(y)), 0.5), slope = gr_derivative(half, x);
    gr_tensor curvature;
    CHECK(gr_grad(1, &slope, 1, &x, &x, NULL, &curvature) == GR_OK);
    double expected[N_X];
    CHECK(gr_read(slope, expected, N_X) == GR_OK); /* f'f is linear: applied to x it is the slope at x */
    expect_values(curvature, N_X, expected, 1e-12);
    finish(g);
    return true;
}

/* Gradients can be written between backward and step, to clip them; nothing that shares their elements changes. */
static void test_written_gradients(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = gr_param(g, "a", GR_F64, GR_SHAPE(2), (double[]){3, 4});
    const gr_tensor b = gr_param(g, "b", GR_F64, GR_SHAPE(2), (double[]){1, 1});
    gr_optimizer *sgd = gr_sgd(g, 1);
    const gr_tensor cotangent = gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){6, 8});
    CHECK(gr_backward_with(gr_add(a, b), &(gr_backward_options){.cotangent = cotangent}) == GR_OK);
    const gr_tensor view = gr_slice(gr_gradient(a), 0, 1, 2, 1);
    CHECK(gr_assign(gr_gradient(a), gr_scale(gr_gradient(a), 0.1)) == GR_OK);
    expect_values(gr_gradient(a), 2, (double[]){0.6, 0.8}, 1e-15);
    expect_values(gr_gradient(b), 2, (double[]){6, 8}, 0);
    expect_values(cotangent, 2, (double[]){6, 8}, 0);
    expect_values(view, 1, (double[]){8}, 0);
    CHECK(gr_optimizer_step(sgd) == GR_OK);
    expect_values(a, 2, (double[]){2.4, 3.2}, 1e-15);
    expect_values(b, 2, (double[]){-5, -7}, 0);

    /* The next pass adds to what was written, also where the gradient was one number repeated. */
    gr_clear_grads(g);
    gr_backward(gr_sum(a, GR_ALL_AXES, false));
    CHECK(gr_write(gr_gradient(a), (double[]){10, 20}, 2) == GR_OK);
    gr_backward(gr_sum(a, GR_ALL_AXES, false));
    expect_values(gr_gradient(a), 2, (double[]){11, 21}, 0);

    /* A history that used the old value knows; a gradient still cannot be freed behind its parameter's back. */
    const gr_tensor used = gr_sum(gr_mul(b, gr_gradient(a)), GR_ALL_AXES, false);
    double *elements = gr_data_for_writing(gr_gradient(a));
    CHECK(elements != NULL);
    if (elements) elements[0] = 0;
    CHECK(gr_backward(used) == GR_ERR_MODIFIED);
    gr_graph_clear_error(g);
    CHECK(gr_release(gr_gradient(a)) == GR_ERR_STATE);
    gr_graph_clear_error(g);
    gr_tensor result;
    const gr_tensor loss = gr_sum(gr_square(a), GR_ALL_AXES, false);
    CHECK(gr_grad(1, &loss, 1, &a, NULL, NULL, &result) == GR_OK);
    CHECK(gr_write(result, (double[]){1, 2}, 2) == GR_ERR_STATE);
    CHECK_TEXT(gr_graph_error(g), "only parameters, constants and gradients can be written");
    gr_graph_clear_error(g);
    finish(g);
}

static void test_view_combinations(void)
{
    int done = 0;
    for (int i = 0; i < N_VIEWS; i++)
        for (int j = 0; j < N_VIEWS; j++) {
            const int before = test_failures;
            done += check_linear(views[i], views[j]);
            if (test_failures > before) printf("    views %d of %d\n", i, j);
        }
    CHECK(done == N_VIEWS * N_VIEWS - 7); /* 4 permute, 2 select, 1 slice do not fit what comes before them */
}

static void test_broadcast_sums(void)
{
    static const gr_shape shapes[] = {{0, {0}},    {1, {1}},       {1, {4}},       {2, {3, 1}},
                                      {2, {3, 4}}, {3, {2, 1, 1}}, {3, {2, 3, 4}}, {3, {1, 1, 4}}};
    enum { N = sizeof shapes / sizeof *shapes };
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            gr_graph *g = gr_graph_create(NULL);
            const gr_tensor a = gr_param(g, "a", GR_F64, shapes[i], NULL),
                            b = gr_param(g, "b", GR_F64, shapes[j], NULL);
            const gr_tensor y = gr_add(gr_scale(a, 2), gr_neg(b));
            CHECK(gr_backward(total(y)) == GR_OK);
            const double n = (double)gr_count(y);
            gr_shape got = gr_shape_of(gr_gradient(a));
            CHECK(got.ndim == shapes[i].ndim &&
                  !memcmp(got.dims, shapes[i].dims, sizeof(int64_t) * (size_t)got.ndim));
            CHECK_NEAR(gr_item(total(gr_gradient(a))), 2 * n, 1e-12);
            CHECK_NEAR(gr_item(total(gr_gradient(b))), -n, 1e-12);
            CHECK_NEAR(gr_item(gr_max(gr_gradient(a), GR_ALL_AXES, false)), 2 * n / (double)gr_count(a),
                       1e-12);
            finish(g);
        }
}

/* ---- Depth and width ---- */

enum { DEEP = 1000000, RECORDED = 100000, SMALL_STACK = 256 * 1024 };

static void deep_chain(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = variable(g, 0.5);
    gr_tensor y = x;
    for (int i = 0; i < DEEP; i++) y = i % 2 ? gr_scale(y, 1.0000001) : gr_sub(y, x);
    /* y_2 = (y_0 - x) k, ... is linear in x: the slope is y / x */
    CHECK(gr_backward(y) == GR_OK);
    CHECK_NEAR(gr_item(gr_gradient(x)) / (gr_item(y) / 0.5), 1, 1e-9);
    finish(g);
}

static void recorded_chain(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = variable(g, 0.5);
    gr_tensor y = x;
    for (int i = 0; i < RECORDED; i++) y = gr_sin(y);
    const gr_tensor slope = gr_derivative(y, x);
    /* the recursion of first and second derivative of sin o sin o ... */
    double v = 0.5, d = 1, curvature = 0;
    for (int i = 0; i < RECORDED; i++) {
        curvature = cos(v) * curvature - sin(v) * d * d;
        d *= cos(v);
        v = sin(v);
    }
    CHECK_NEAR(gr_item(y), v, 1e-12);
    CHECK_NEAR(gr_item(slope) / d, 1, 1e-8);
    CHECK(gr_backward(slope) == GR_OK);
    CHECK_NEAR(gr_item(gr_gradient(x)) / curvature, 1, 1e-8);
    finish(g);
}

/* A deep history that survives a scope. */
static void deep_survivor(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = variable(g, 2);
    const gr_scope scope = gr_scope_begin(g);
    gr_tensor y = x;
    for (int i = 0; i < RECORDED; i++) y = gr_add_scalar(y, 1);
    CHECK(gr_scope_end(scope, 1, &y) == GR_OK);
    CHECK(gr_backward(gr_square(y)) == GR_OK);
    CHECK_NEAR(gr_item(gr_gradient(x)), 2.0 * (RECORDED + 2), 1e-6);
    finish(g);
}

static void *run_all_deep(void *argument)
{
    deep_chain();
    recorded_chain();
    deep_survivor();
    return argument;
}

static void test_depth_on_a_small_stack(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, SMALL_STACK) == 0);
    CHECK(pthread_create(&thread, &attributes, run_all_deep, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    pthread_attr_destroy(&attributes);
}

static void test_wide(void)
{
    enum { WIDE = 100000 };
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = variable(g, 0.25);
    gr_tensor *parts = malloc(WIDE * sizeof *parts);
    for (int i = 0; i < WIDE; i++) parts[i] = gr_reshape(gr_scale(x, i % 3), GR_SHAPE(1));
    const gr_tensor y = total(gr_concat(WIDE, parts, 0));
    double expected = 0;
    for (int i = 0; i < WIDE; i++) expected += i % 3;
    CHECK_NEAR(gr_item(y), 0.25 * expected, 1e-6);
    gr_tensor sum = gr_scalar(g, GR_F64, 0);
    for (int i = 0; i < WIDE; i++) sum = gr_add(sum, x);
    CHECK(gr_backward(sum) == GR_OK);
    CHECK(gr_item(gr_gradient(x)) == WIDE);
    free(parts);
    finish(g);
}

int main(void)
{
    RUN(test_third_derivative);
    RUN(test_eighth_derivative);
    RUN(test_mixed_partials);
    RUN(test_hessian);
    RUN(test_cotangent_requires_grad);
    RUN(test_diamonds);
    RUN(test_reused_operands);
    RUN(test_unused_and_duplicate_inputs);
    RUN(test_released_slot);
    RUN(test_used_gradients);
    RUN(test_recorded_without_recording);
    RUN(test_adding_to_a_repeated_cotangent);
    RUN(test_detach_in_a_rule);
    RUN(test_several_outputs);
    RUN(test_interior_targets);
    RUN(test_twice_with_retain);
    RUN(test_backward_through_grad);
    RUN(test_written_gradients);
    RUN(test_view_combinations);
    RUN(test_broadcast_sums);
    RUN(test_depth_on_a_small_stack);
    RUN(test_wide);
    return TEST_EXIT;
}
