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

static double f_add(double a, double b) { return a + b; }
static double f_sub(double a, double b) { return a - b; }
static double f_mul(double a, double b) { return a * b; }
static double f_div(double a, double b) { return a / b; }
static double f_mul_scaled(double a, double b) { return 2.5 * a * b; }
static double f_neg(double x) { return -x; }
static double f_square(double x) { return x * x; }
static double f_sign(double x) { return (x > 0) - (x < 0); }
static double f_relu(double x) { return x > 0 ? x : 0; }
static double f_sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double f_softplus(double x) { return log(1 + exp(x)); }
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

const row elementwise_rows[] = {
    {UNARY(abs, fabs), .gap = 0.1},
    {BINARY(add, f_add), .integers = true},
    {USE(add_scalar, "f", number_cases, expect_number), .formula2 = f_add},
    {USE(cast, "f", unary_cases, expect_same), .typed = true, .result = GR_F64},
    {BINARY(chain_div, f_div), .gap = 0.5},
    {BINARY(chain_mul, f_mul)},
    {UNARY(cos, cos)},
    {USE(detach, "f", unary_cases, expect_same), .not_differentiable = "it is there to cut the history"},
    {BINARY(div, f_div), .gap = 0.5},
    {COMPARISON(equal)},
    {UNARY(exp, exp)},
    {COMPARISON(greater)},
    {COMPARISON(greater_equal)},
    {COMPARISON(less)},
    {COMPARISON(less_equal)},
    {UNARY(log, log), .low = 0.2, .high = 4},
    {UNARY(log1p, log1p), .low = -0.8, .high = 3},
    {BINARY(maximum, fmax)},
    {BINARY(minimum, fmin)},
    {BINARY(mul, f_mul), .integers = true},
    {USE(mul_scaled, "ff", binary_cases, expect_elementwise), .formula2 = f_mul_scaled},
    {UNARY(neg, f_neg), .integers = true},
    {COMPARISON(not_equal)},
    {BINARY(pow, pow), .low = 0.3, .high = 2.5},
    {USE(pow_scalar, "f", number_cases, expect_number), .formula2 = pow, .low = 0.3, .high = 2.5},
    {UNARY(relu, f_relu), .gap = 0.1},
    {USE(scale, "f", number_cases, expect_number), .formula2 = f_mul},
    {UNARY(sigmoid, f_sigmoid), .low = -5, .high = 5},
    {UNARY(sign, f_sign), .gap = 0.1},
    {UNARY(sin, sin)},
    {UNARY(softplus, f_softplus), .low = -5, .high = 5},
    {UNARY(sqrt, sqrt), .low = 0.2, .high = 4},
    {UNARY(square, f_square)},
    {BINARY(sub, f_sub), .integers = true},
    {UNARY(tanh, tanh)},
    {USE(where, "mff", where_cases, expect_where), .integers = true},
    {.name = NULL},
};
