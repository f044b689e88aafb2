/*
 * What the rows of the table of operations cannot say of elementwise operations and activation functions: errors and their
 * messages, masks made by hand, numbers at the edges of their types.
 */
#include "test.h"
#include "gradus.h"

static void expect(gr_graph *g, gr_status status, const char *message)
{
    CHECK(gr_graph_status(g) == status);
    CHECK_TEXT(gr_graph_error(g), message);
    gr_graph_clear_error(g);
}

static void test_ends(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_named(gr_ones(g, GR_F32, GR_SHAPE(2, 3)), "x"),
                    whole = gr_ones(g, GR_I32, GR_SHAPE(2));
    CHECK(!gr_is_valid(gr_clamp(x, (double)NAN, 1)));
    expect(g, GR_ERR_ARGUMENT, "clamp: an end is NaN: x [2, 3] (from nan to 1)");
    gr_clamp(x, 0, (double)NAN);
    expect(g, GR_ERR_ARGUMENT, "clamp");
    gr_clamp(whole, 0, 1);
    expect(g, GR_ERR_TYPE, "clamp");
    gr_hardtanh_with(x, 2, 1);
    expect(g, GR_ERR_ARGUMENT, "hardtanh: needs ends in ascending order: x [2, 3] (from 2 to 1)");
    gr_hardtanh_with(x, 0, (double)NAN);
    expect(g, GR_ERR_ARGUMENT, "ascending");
    CHECK(gr_is_valid(gr_hardtanh_with(x, 1, 1)));
    gr_graph_destroy(g);
}

static void test_masks(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const uint8_t a[] = {0, 0, 1, 1}, b[] = {0, 1, 0, 1};
    const gr_tensor p = gr_constant(g, GR_BOOL, GR_SHAPE(4), a), q = gr_constant(g, GR_BOOL, GR_SHAPE(4), b);
    const gr_tensor x = gr_named(gr_ones(g, GR_F32, GR_SHAPE(4)), "x");
    const gr_tensor results[] = {gr_logical_and(p, q), gr_logical_or(p, q), gr_logical_xor(p, q),
                                 gr_logical_not(p)};
    const double expected[][4] = {{0, 0, 0, 1}, {0, 1, 1, 1}, {0, 1, 1, 0}, {1, 1, 0, 0}};
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++) CHECK(GR_AT(results[i], k) == expected[i][k]);
    gr_logical_and(p, x);
    expect(g, GR_ERR_TYPE, "logical_and");
    gr_logical_or(x, x);
    expect(g, GR_ERR_TYPE, "logical_or: needs masks (bool): x f32 [4] or x f32 [4]");
    gr_logical_not(x);
    expect(g, GR_ERR_TYPE, "logical_not: needs masks");
    gr_logical_xor(p, gr_ones(g, GR_BOOL, GR_SHAPE(3)));
    expect(g, GR_ERR_SHAPE, "logical_xor");
    gr_isnan(p);
    expect(g, GR_ERR_TYPE, "isnan");
    gr_isfinite(gr_ones(g, GR_I32, GR_SCALAR));
    expect(g, GR_ERR_TYPE, "isfinite");
    gr_graph_destroy(g);
}

static void test_questions(void)
{
    const double values[] = {0,           -0.0,        1e308, -5e-324, (double)INFINITY, -(double)INFINITY,
                             (double)NAN, -(double)NAN};
    for (int type = GR_F32; type <= GR_F64; type++) {
        gr_graph *g = gr_graph_create(NULL);
        const gr_tensor x = gr_cast(gr_constant(g, GR_F64, GR_SHAPE(8), values), (gr_type)type);
        for (int i = 0; i < 8; i++) {
            const bool overflows = i == 2 && type == GR_F32;
            CHECK(GR_AT(gr_isnan(x), i) == (i >= 6));
            CHECK(GR_AT(gr_isinf(x), i) == (i == 4 || i == 5 || overflows));
            CHECK(GR_AT(gr_isfinite(x), i) == (i < 4 && !overflows));
        }
        gr_graph_destroy(g);
    }
}

/* Whole numbers that the types hold without fraction stay; halves go to the even one. */
static void test_rounding(void)
{
    const double values[] = {0.5, 1.5, 2.5, -0.5, -1.5, 0.49999997, 8388607.5, 16777217, -16777216};
    const double to[] = {0, 2, 2, 0, -2, 0, 8388608, 16777216, -16777216};
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_cast(gr_constant(g, GR_F64, GR_SHAPE(9), values), GR_F32), y = gr_round(x);
    for (int i = 0; i < 9; i++) CHECK(GR_AT(y, i) == to[i]);
    gr_graph_destroy(g);
}

/* Where a + w (b - a) would lose b. */
static void test_lerp_is_exact_at_both_ends(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = gr_scalar(g, GR_F32, 1e8), b = gr_scalar(g, GR_F32, 1);
    CHECK(gr_item(gr_lerp_scalar(a, b, 1)) == 1 && gr_item(gr_lerp_scalar(b, a, 1)) == 1e8);
    CHECK(gr_item(gr_lerp(a, b, gr_scalar(g, GR_F32, 1))) == 1 && gr_item(gr_lerp_scalar(a, b, 0)) == 1e8);
    gr_graph_destroy(g);
}

/* ---- Activation functions ---- */

static void test_parameters(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_named(gr_ones(g, GR_F32, GR_SHAPE(2, 3)), "x");
    const double bad[] = {(double)INFINITY, (double)NAN, 0};
    for (int i = 0; i < 3; i++) {
        if (bad[i] != 0) {
            CHECK(!gr_is_valid(gr_leaky_relu_with(x, bad[i])));
            expect(g, GR_ERR_ARGUMENT, "leaky_relu: needs a finite slope: x [2, 3] (");
            CHECK(!gr_is_valid(gr_elu_with(x, bad[i])));
            expect(g, GR_ERR_ARGUMENT, "elu: alpha must be finite");
        }
        CHECK(!gr_is_valid(gr_celu_with(x, bad[i])));
        expect(g, GR_ERR_ARGUMENT, "celu: alpha must be finite, and for celu not 0: x [2, 3]");
        CHECK(!gr_is_valid(gr_softplus_with(x, bad[i])));
        expect(g, GR_ERR_ARGUMENT, "softplus: beta must be finite and not 0");
    }
    gr_gelu(gr_ones(g, GR_I32, GR_SHAPE(2)));
    expect(g, GR_ERR_TYPE, "gelu");
    gr_relu6((gr_tensor){g, 0, 0});
    expect(g, GR_ERR_HANDLE, "invalid handle");
    gr_graph_destroy(g);
}

static void test_slopes_that_do_not_fit(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_named(gr_ones(g, GR_F32, GR_SHAPE(2, 3)), "x"),
                    row = gr_ones(g, GR_F32, GR_SHAPE(3));
    const gr_tensor slope = gr_named(gr_ones(g, GR_F32, GR_SHAPE(2)), "slope");
    CHECK(!gr_is_valid(gr_prelu(x, slope))); /* axis 1 has 3 */
    expect(g, GR_ERR_SHAPE,
           "prelu: needs one slope, or one for each channel, which is axis 1: x [2, 3], slopes slope [2]");
    gr_prelu(row, row); /* one axis has no channels */
    expect(g, GR_ERR_SHAPE, "prelu");
    gr_prelu(x, gr_ones(g, GR_F32, GR_SHAPE(1, 3)));
    expect(g, GR_ERR_SHAPE, "prelu");
    gr_prelu(x, gr_ones(g, GR_F64, GR_SHAPE(3)));
    expect(g, GR_ERR_TYPE, "mul");
    gr_prelu(x, (gr_tensor){g, 0, 0});
    expect(g, GR_ERR_HANDLE, "invalid handle");
    gr_graph_destroy(g);
}

static void test_axes_that_do_not_split(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_named(gr_ones(g, GR_F32, GR_SHAPE(2, 3)), "x");
    CHECK(!gr_is_valid(gr_glu(x, -1)));
    expect(g, GR_ERR_SHAPE, "glu: axis -1 does not split by 2: x [2, 3]");
    gr_glu(x, 2);
    expect(g, GR_ERR_AXIS, "glu: axis 2 of a tensor of 2 axes");
    gr_glu(gr_scalar(g, GR_F32, 1), 0);
    expect(g, GR_ERR_AXIS, "glu");
    gr_maxout(x, 2, 1);
    expect(g, GR_ERR_SHAPE, "maxout: axis 1 does not split by 2: x [2, 3]");
    gr_maxout(x, 0, 1);
    expect(g, GR_ERR_ARGUMENT, "maxout: 0 pieces");
    gr_maxout(x, 1, -3);
    expect(g, GR_ERR_AXIS, "maxout: axis -3");
    gr_maxout(gr_ones(g, GR_F32, GR_SHAPE(1, 1, 1, 1, 1, 1, 1, 2)), 2, -1);
    expect(g, GR_ERR_NDIM, "maxout: at most 7 axes");
    gr_graph_destroy(g);
}

/* Values, and derivatives of three orders, are numbers as far out as there are numbers, and their limits at infinity are
   there, by the fast paths and by the rules. */
static void test_far_out(void)
{
    static gr_tensor (*const functions[])(gr_tensor x) = {
        gr_relu, gr_relu6, gr_leaky_relu, gr_hardtanh,    gr_hardsigmoid, gr_hardswish, gr_elu,
        gr_celu, gr_selu,  gr_sigmoid,    gr_log_sigmoid, gr_softplus,    gr_softsign,  gr_silu,
        gr_mish, gr_gelu,  gr_gelu_tanh,  gr_tanh,        gr_erf,         gr_erfc};
    static const double far[] = {1, 20, 90, 800, 1e4, 1e10, 1e19, 1e30, (double)INFINITY};
    for (size_t i = 0; i < 2 * sizeof functions / sizeof *functions; i++) {
        gr_graph *g = gr_graph_create(NULL);
        const gr_type type = i % 2 ? GR_F64 : GR_F32;
        for (size_t k = 0; k < 2 * sizeof far / sizeof *far; k++) {
            const double at = k % 2 ? -far[k / 2] : far[k / 2];
            const gr_tensor x = gr_set_requires_grad(gr_constant(g, type, GR_SCALAR, NULL), true);
            gr_assign(x, gr_scalar(g, type, at));
            gr_tensor y = functions[i / 2](x);
            bool good = !isnan(gr_item(y));
            for (int order = 1; order <= 3 && gr_requires_grad(y); order++) {
                gr_tensor rule, fast;
                gr_grad(1, &y, 1, &x, NULL, &(gr_grad_options){.retain = true}, &fast);
                gr_grad(1, &y, 1, &x, NULL, &(gr_grad_options){.record = true}, &rule);
                good &= isfinite(gr_item(rule)) && fabs(gr_item(rule) - gr_item(fast)) <= 1e-5;
                if (fabs(at) >= 1e4 && order > 1) good &= fabs(gr_item(rule)) <= 1e-7;
                y = rule;
            }
            CHECK(good);
            if (!good) printf("  function %d, %s, at %g\n", (int)(i / 2), gr_type_name(type), at);
        }
        CHECK(gr_graph_status(g) == GR_OK);
        gr_graph_destroy(g);
    }
}

int main(void)
{
    RUN(test_ends);
    RUN(test_masks);
    RUN(test_questions);
    RUN(test_rounding);
    RUN(test_lerp_is_exact_at_both_ends);
    RUN(test_parameters);
    RUN(test_slopes_that_do_not_fit);
    RUN(test_axes_that_do_not_split);
    RUN(test_far_out);
    return TEST_EXIT;
}
