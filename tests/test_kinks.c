/*
 * What the headers promise where there is no derivative, or no number: kinks, ties, powers of 0, NaN and infinity,
 * casts out of range. In f32 and f64.
 */
#include "test.h"

#include <gradus.h>

static gr_graph *g;
static gr_type type;

static gr_tensor number(double value)
{
    return gr_set_requires_grad(gr_keep(gr_full(g, type, GR_SCALAR, value)), true);
}

static double slope(gr_tensor y, gr_tensor x) { return gr_item(gr_derivative(y, x)); }
static double curvature(gr_tensor y, gr_tensor x) { return slope(gr_derivative(y, x), x); }

static void in_both_types(void (*test)(void))
{
    for (int i = 0; i < 2; i++) {
        g = gr_graph_create(NULL);
        type = i ? GR_F64 : GR_F32;
        test();
        CHECK(gr_graph_status(g) == GR_OK);
        gr_graph_destroy(g);
    }
}

static void one_operand(void)
{
    const gr_tensor zero = number(0), minus = number(-0.0);
    CHECK(slope(gr_relu(zero), zero) == 0 && slope(gr_relu(minus), minus) == 0);
    CHECK(slope(gr_abs(zero), zero) == 0 && slope(gr_abs(minus), minus) == 0);
    CHECK(slope(gr_sqrt(zero), zero) == (double)INFINITY);
    CHECK(gr_item(gr_log(zero)) == -(double)INFINITY && slope(gr_log(zero), zero) == (double)INFINITY);
    CHECK(slope(gr_add(gr_sign(zero), zero), zero) == 1);
}

static void ties(void)
{
    const gr_tensor a = number(2), b = number(2);
    CHECK(slope(gr_maximum(a, b), a) == 0.5 && slope(gr_maximum(a, b), b) == 0.5);
    CHECK(slope(gr_minimum(a, b), a) == 0.5 && slope(gr_minimum(a, b), b) == 0.5);
    CHECK(slope(gr_maximum(a, a), a) == 1);
    const gr_tensor x = gr_reshape(
        gr_concat(4,
                  (gr_tensor[]){gr_reshape(a, GR_SHAPE(1)), gr_reshape(b, GR_SHAPE(1)),
                                gr_reshape(number(1), GR_SHAPE(1)), gr_reshape(a, GR_SHAPE(1))},
                  0),
        GR_SHAPE(2, 2));
    const gr_tensor y = gr_square(gr_max(x, GR_ALL_AXES, false)); /* a comes twice */
    CHECK_NEAR(slope(y, a), 4 * 2 / 3.0, 1e-6);
    CHECK_NEAR(slope(y, b), 4 * 1 / 3.0, 1e-6);
    CHECK_NEAR(curvature(y, a), 2 * 4 / 9.0, 1e-6);
}

static void powers(void)
{
    const double tiny = type == GR_F32 ? 1e-40 : 1e-310;
    const double bases[] = {0, -0.0, tiny, -tiny, 1, 2, -2, 1e30, INFINITY};
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
        const gr_tensor a = number(bases[i]), none = number(0);
        CHECK(gr_item(gr_pow(a, none)) == 1 && slope(gr_pow(a, none), a) == 0);
        CHECK(slope(gr_pow_scalar(a, 0), a) == 0 && slope(gr_pow_scalar(a, 1), a) == 1);
        if (isfinite(bases[i])) CHECK(curvature(gr_pow_scalar(a, 2), a) == 2);
    }
    const gr_tensor zero = number(0);
    const double exponents[] = {0, 0.5, 1, 2, 3, INFINITY};
    for (size_t i = 0; i < sizeof exponents / sizeof *exponents; i++) {
        const gr_tensor b = number(exponents[i]);
        CHECK(slope(gr_pow(zero, b), b) == 0);
    }
    CHECK(slope(gr_pow(zero, number(1)), zero) == 1 && slope(gr_pow(zero, number(2)), zero) == 0);
    CHECK(isnan(gr_item(gr_pow(number(-2), number(0.5)))));
}

static void not_a_number(void)
{
    const gr_tensor x = number(NAN), one = number(1);
    const gr_tensor results[] = {
        gr_maximum(x, one), gr_maximum(one, x), gr_minimum(x, one), gr_minimum(one, x), gr_relu(x),
        gr_abs(x),          gr_sign(x),         gr_sigmoid(x),      gr_softplus(x),     gr_tanh(x)};
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) CHECK(isnan(gr_item(results[i])));
    /* At any place of rows short and long, side by side and not. */
    for (int64_t n = 1; n < 40; n++)
        for (int64_t at = 0; at < n; at++) {
            const gr_scope scope = gr_scope_begin(g);
            const gr_tensor places = gr_arange(g, type, n, 0, 1),
                            here = gr_equal(places, gr_full(g, type, GR_SCALAR, (double)at));
            const gr_tensor row = gr_where(here, x, places),
                            columns = gr_contiguous(gr_expand(gr_unsqueeze(row, 1), GR_SHAPE(n, 3)));
            CHECK(isnan(gr_item(gr_max(row, GR_ALL_AXES, false))) &&
                  isnan(gr_item(gr_logsumexp(row, GR_ALL_AXES, false))));
            CHECK(isnan(GR_AT(gr_max(columns, GR_AXES(0), false), 2)) && isnan(GR_AT(gr_softmax(row, 0), 0)));
            gr_scope_end(scope, 0, NULL);
        }
    /* What is not taken counts for nothing. */
    const gr_tensor yes = gr_ones(g, GR_BOOL, GR_SCALAR);
    CHECK(slope(gr_where(yes, one, gr_log(gr_scale(one, -1))), one) == 1);
}

static void casts(void)
{
    const double values[] = {2147483648.0, -2147483904.0, 1e300, -1e300, INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        CHECK(gr_item(gr_cast(number(values[i]), GR_I32)) == INT32_MIN);
        CHECK(gr_item(gr_cast(number(values[i]), GR_BOOL)) == 1);
    }
    CHECK(gr_item(gr_cast(number(-0.9), GR_I32)) == 0 && gr_item(gr_cast(number(-0.9), GR_BOOL)) == 1);
    CHECK(gr_item(gr_cast(number(2147483520.0), GR_I32)) == 2147483520.0);
    const gr_tensor x = number(3), y = gr_cast(gr_square(gr_cast(x, GR_F64)), GR_F32);
    CHECK(slope(y, x) == 6);
}

static void test_one_operand(void) { in_both_types(one_operand); }
static void test_ties(void) { in_both_types(ties); }
static void test_powers(void) { in_both_types(powers); }
static void test_not_a_number(void) { in_both_types(not_a_number); }
static void test_casts(void) { in_both_types(casts); }

int main(void)
{
    RUN(test_one_operand);
    RUN(test_ties);
    RUN(test_powers);
    RUN(test_not_a_number);
    RUN(test_casts);
    return TEST_EXIT;
}
