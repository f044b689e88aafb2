/* Rows of operations that go element by element: arithmetic, functions, comparisons, selection, conversion. */
#include "table.h"

static const test_case where_cases[] = {
    {OF(S0, S0, S0)},
    {OF(S(3, 4), S(3, 4), S(3, 4))},
    {OF(S(4), S(3, 1), S0)},
    {OF(S(0), S(1), S(0))},
    {OF(S(2, 3, 1), S(1), S(3, 4))},
    {OF(S(1), S(1), S(1))},
    {OF(S(30, 20), S(20), S(30, 1))},
    END,
};

static void expect_where(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)c;
    y->shape = broadcast_shape(n, x);
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        int64_t index[GR_MAX_NDIM];
        index_of(y->shape, e, index);
        y->v[e] = broadcast_at(&x[broadcast_at(&x[0], y->shape.ndim, index) != 0 ? 1 : 2], y->shape.ndim,
                               index);
    }
}

/* Ends of clamp in start and stop, with 99 for one that there is not. */
static const test_case clamp_cases[] = {
    {OF(S(3, 4)), .start = -1, .stop = 1},   {OF(S0), .start = -1, .stop = 1},
    {OF(S(0)), .start = -1, .stop = 1},      {OF(S(5)), .start = -99, .stop = 1},
    {OF(S(3, 4)), .start = -1, .stop = 99},  {OF(S(7)), .start = 1, .stop = -1},
    {OF(S(33, 65)), .start = -1, .stop = 1}, END,
};
static double end_of(int64_t end)
{
    return end == 99 ? (double)INFINITY : end == -99 ? -(double)INFINITY : (double)end;
}
EXPECT1(expect_clamp, fmin(fmax(v, end_of(c->start)), end_of(c->stop)))
BUILD(b_clamp, gr_clamp(x[0], end_of(c->start), end_of(c->stop)))

/* a and b, and the weight, which is the third operand or the number of the case. */
static void expect_lerp(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r;
    y->shape = broadcast_shape(n, x);
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        int64_t index[GR_MAX_NDIM];
        index_of(y->shape, e, index);
        const double a = broadcast_at(&x[0], y->shape.ndim, index),
                     b = broadcast_at(&x[1], y->shape.ndim, index),
                     w = n == 3 ? broadcast_at(&x[2], y->shape.ndim, index) : c->number;
        y->v[e] = a + w * (b - a);
    }
}
static const test_case lerp_scalar_cases[] = {
    {OF(S(3, 4), S(3, 4)), .number = 0.25}, {OF(S(4), S(3, 1)), .number = 0}, {OF(S0, S(5)), .number = 1},
    {OF(S(0), S(1)), .number = 0.5},        {OF(S(7), S(7)), .number = -1.5}, END,
};

static double f_add(double a, double b) { return a + b; }
static double f_sub(double a, double b) { return a - b; }
static double f_mul(double a, double b) { return a * b; }
static double f_div(double a, double b) { return a / b; }
static double f_mul_scaled(double a, double b) { return 2.5 * a * b; }
static double f_neg(double x) { return -x; }
static double f_square(double x) { return x * x; }
static double f_sign(double x) { return (x > 0) - (x < 0); }
static double f_unit_step(double x) { return x > 0; }
static double f_rsqrt(double x) { return 1 / sqrt(x); }
static double f_reciprocal(double x) { return 1 / x; }
static double f_round(double x)
{
    return 2 * x == floor(2 * x) && x != floor(x) ? 2 * floor(x / 2 + 0.5) : floor(x + 0.5);
}
static double f_heaviside(double x, double v) { return fabs(x) <= 0.5 ? v : x > 0; }
static double f_logaddexp(double a, double b) { return log(exp(a) + exp(b)); }
static double f_log_cosh(double x) { return log(cosh(x)); }
static double f_log_loss(double a, double b) { return -b * log(a) - (1 - b) * log(1 - a); }
static double f_fmod(double a, double b) { return a + 6.92 - 7 * b; }      /* the quotient is 7.25 to 7.75 */
static double f_remainder(double a, double b) { return a + 6.92 - 8 * b; } /* of a + 6.92 by -b */
static double f_less_zero(double x) { return x < 0; }
static double f_is_zero(double x) { return x == 0; }
static double f_is_not_zero(double x) { return x != 0; }
static double f_logical_and(double a, double b) { return a != 0 && b != 0; }
static double f_logical_or(double a, double b) { return a != 0 || b != 0; }
static double f_logical_xor(double a, double b) { return (a != 0) != (b != 0); }
static double f_equal(double a, double b) { return a == b; }
static double f_not_equal(double a, double b) { return a != b; }
static double f_less(double a, double b) { return a < b; }
static double f_less_equal(double a, double b) { return a <= b; }
static double f_greater(double a, double b) { return a > b; }
static double f_greater_equal(double a, double b) { return a >= b; }

BUILD(b_scale, gr_scale(x[0], c->number))
BUILD(b_mul_scaled, gr_apply(g, find_op("mul_scaled"), 2, x, &(double){2.5}))
BUILD(b_add_scalar, gr_add_scalar(x[0], c->number))
BUILD(b_pow_scalar, gr_pow_scalar(x[0], c->number))
BUILD(b_detach, gr_detach(x[0]))
BUILD(b_where, gr_where(x[0], x[1], x[2]))
BUILD(b_cast, gr_cast(x[0], GR_F64))
BUILD(b_lerp, gr_lerp(x[0], x[1], x[2]))
BUILD(b_lerp_scalar, gr_lerp_scalar(x[0], x[1], c->number))
BUILD(b_heaviside, gr_heaviside(gr_round(x[0]), x[1]))
BUILD(b_fmod, gr_fmod(gr_add_scalar(x[0], 6.92), x[1]))
BUILD(b_remainder, gr_remainder(gr_add_scalar(x[0], 6.92), gr_neg(x[1])))
BUILD(b_logical_and, gr_logical_and(x[0], x[1]))
BUILD(b_logical_or, gr_logical_or(x[0], x[1]))
BUILD(b_logical_xor, gr_logical_xor(x[0], x[1]))
BUILD(b_logical_not, gr_logical_not(x[0]))
BUILD(b_isnan, gr_isnan(gr_log(x[0])))
BUILD(b_isinf, gr_isinf(gr_reciprocal(x[0])))
BUILD(b_isfinite, gr_isfinite(gr_reciprocal(x[0])))

#define MASK   .not_differentiable = "its result is a mask", .typed = true, .result = GR_BOOL
#define WHOLES KINKS(-2, -1, 0, 1, 2)
#define HALVES KINKS(-1.5, -0.5, 0.5, 1.5)

const row elementwise_rows[] = {
    {UNARY(abs, fabs), .gap = 0.1},
    {UNARY(acos, acos), .low = -0.8, .high = 0.8},
    {UNARY(acosh, acosh), .low = 1.2, .high = 4},
    {BINARY(add, f_add), .integers = true},
    {USE(add_scalar, "f", number_cases, expect_number), .formula2 = f_add},
    {UNARY(asin, asin), .low = -0.8, .high = 0.8},
    {UNARY(asinh, asinh)},
    {UNARY(atan, atan)},
    {BINARY(atan2, atan2), .gap = 0.4},
    {UNARY(atanh, atanh), .low = -0.8, .high = 0.8},
    {USE(cast, "f", unary_cases, expect_same), .typed = true, .result = GR_F64},
    {UNARY(ceil, ceil), WHOLES},
    {BINARY(chain_div, f_div), .gap = 0.5},
    {BINARY(chain_mul, f_mul)},
    {USE(clamp, "f", clamp_cases, expect_clamp), KINKS(-1, 1)},
    {UNARY(cos, cos)},
    {UNARY(cosh, cosh)},
    {USE(detach, "f", unary_cases, expect_same), .not_differentiable = "it is there to cut the history"},
    {BINARY(div, f_div), .gap = 0.5},
    {COMPARISON(equal)},
    {UNARY(erf, erf)},
    {UNARY(erfc, erfc)},
    {UNARY(exp, exp)},
    {UNARY(expm1, expm1)},
    {UNARY(floor, floor), WHOLES},
    {USE(fmod, "ff", binary_cases, expect_elementwise), .formula2 = f_fmod, .low = 1.05, .high = 1.08},
    {COMPARISON(greater)},
    {COMPARISON(greater_equal)},
    {USE(heaviside, "ff", binary_cases, expect_elementwise), .formula2 = f_heaviside, HALVES,
     .composed = true},
    {BINARY(hypot, hypot), .gap = 0.4},
    {USE(isfinite, "f", unary_cases, expect_elementwise), .formula1 = f_is_not_zero, .whole = true, MASK},
    {USE(isinf, "f", unary_cases, expect_elementwise), .formula1 = f_is_zero, .whole = true, MASK},
    {USE(isnan, "f", unary_cases, expect_elementwise), .formula1 = f_less_zero, MASK},
    {USE(lerp, "fff", where_cases, expect_lerp), .composed = true},
    {USE(lerp_scalar, "ff", lerp_scalar_cases, expect_lerp), .composed = true},
    {COMPARISON(less)},
    {COMPARISON(less_equal)},
    {UNARY(log, log), .low = 0.2, .high = 4},
    {UNARY(log_cosh, f_log_cosh)},
    {BINARY(log_loss, f_log_loss), .low = 0.1, .high = 0.9},
    {UNARY(log10, log10), .low = 0.2, .high = 4},
    {UNARY(log1p, log1p), .low = -0.8, .high = 3},
    {UNARY(log2, log2), .low = 0.2, .high = 4},
    {BINARY(logaddexp, f_logaddexp)},
    {USE(logical_and, "mm", binary_cases, expect_elementwise), .formula2 = f_logical_and, MASK},
    {USE(logical_not, "m", unary_cases, expect_elementwise), .formula1 = f_is_zero, MASK},
    {USE(logical_or, "mm", binary_cases, expect_elementwise), .formula2 = f_logical_or, MASK},
    {USE(logical_xor, "mm", binary_cases, expect_elementwise), .formula2 = f_logical_xor, MASK},
    {BINARY(maximum, fmax)},
    {BINARY(minimum, fmin)},
    {BINARY(mul, f_mul), .integers = true},
    {USE(mul_scaled, "ff", binary_cases, expect_elementwise), .formula2 = f_mul_scaled},
    {UNARY(neg, f_neg), .integers = true},
    {COMPARISON(not_equal)},
    {BINARY(pow, pow), .low = 0.3, .high = 2.5},
    {USE(pow_scalar, "f", number_cases, expect_number), .formula2 = pow, .low = 0.3, .high = 2.5},
    {UNARY(reciprocal, f_reciprocal), .gap = 0.5},
    {USE(remainder, "ff", binary_cases, expect_elementwise), .formula2 = f_remainder, .low = 1.05,
     .high = 1.08},
    {UNARY(round, f_round), HALVES},
    {UNARY(rsqrt, f_rsqrt), .low = 0.2, .high = 4},
    {USE(scale, "f", number_cases, expect_number), .formula2 = f_mul},
    {UNARY(sign, f_sign), .gap = 0.1},
    {UNARY(sin, sin)},
    {UNARY(sinh, sinh)},
    {UNARY(sqrt, sqrt), .low = 0.2, .high = 4},
    {UNARY(square, f_square)},
    {BINARY(sub, f_sub), .integers = true},
    {UNARY(tan, tan), .low = -1, .high = 1},
    {UNARY(tanh, tanh)},
    {UNARY(trunc, trunc), KINKS(-2, -1, 1, 2)},
    {UNARY(unit_step, f_unit_step), .gap = 0.1},
    {USE(where, "mff", where_cases, expect_where), .integers = true},
    {.name = NULL},
};
