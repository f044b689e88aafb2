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

int main(void)
{
    RUN(test_ends);
    RUN(test_masks);
    RUN(test_questions);
    RUN(test_rounding);
    RUN(test_lerp_is_exact_at_both_ends);
    return TEST_EXIT;
}
