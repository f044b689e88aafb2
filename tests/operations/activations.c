/* Rows of activation functions: with the defaults, and with parameters as <name>_with. */
#include "table.h"

static double f_relu(double x) { return x > 0 ? x : 0; }
static double f_relu6(double x) { return fmin(fmax(x, 0), 6); }
static double f_leaky_relu(double x) { return x > 0 ? x : 0.01 * x; }
static double f_hardtanh(double x) { return fmin(fmax(x, -1), 1); }
static double f_hardsigmoid(double x) { return fmin(fmax(x / 6 + 0.5, 0), 1); }
static double f_hardswish(double x) { return x * f_hardsigmoid(x); }
static double f_elu(double x) { return x > 0 ? x : exp(x) - 1; }
static double f_selu(double x)
{
    return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543773 * (exp(x) - 1));
}
static double f_sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double f_log_sigmoid(double x) { return -log(1 + exp(-x)); }
static double f_softplus(double x) { return log(1 + exp(x)); }
static double f_softsign(double x) { return x / (1 + fabs(x)); }
static double f_silu(double x) { return x / (1 + exp(-x)); }
static double f_mish(double x) { return x * tanh(log(1 + exp(x))); }
static double f_gelu(double x) { return x / 2 * (1 + erf(x / sqrt(2))); }
static double f_gelu_tanh(double x)
{
    return x / 2 * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
}
static double f_leaky_relu_with(double x, double slope) { return x > 0 ? x : slope * x; }
static double f_elu_with(double x, double alpha) { return x > 0 ? x : alpha * (exp(x) - 1); }
static double f_celu_with(double x, double alpha) { return x > 0 ? x : alpha * (exp(x / alpha) - 1); }
static double f_softplus_with(double x, double beta) { return log(1 + exp(beta * x)) / beta; }

static const test_case parameter_cases[] = {
    {OF(S0), .number = 0.3},       {OF(S(0)), .number = 2},      {OF(S(3, 4)), .number = 0.5},
    {OF(S(3, 4)), .number = -0.7}, {OF(S(33, 65)), .number = 2}, END,
};
BUILD(b_leaky_relu_with, gr_leaky_relu_with(x[0], c->number))
BUILD(b_elu_with, gr_elu_with(x[0], c->number))
BUILD(b_celu_with, gr_celu_with(x[0], c->number))
BUILD(b_softplus_with, gr_softplus_with(x[0], c->number))

/* The case gives the lower end. */
static const test_case hardtanh_with_cases[] = {
    {OF(S(3, 4)), .number = -0.5}, {OF(S(33, 65)), .number = 0}, END};
EXPECT1(expect_hardtanh_with, fmin(fmax(v, c->number), 1.5))
BUILD(b_hardtanh_with, gr_hardtanh_with(x[0], c->number, 1.5))

/* ---- prelu: one slope, or one for each channel ---- */

static const test_case prelu_cases[] = {
    {OF(S0, S(1))},
    {OF(S(5), S0)},
    {OF(S(3, 4), S(4))},
    {OF(S(2, 3, 4), S(3))},
    {OF(S(0, 3), S(3))},
    {OF(S(3, 4), S(1))},
    {OF(S(2, 3, 2, 2), S(3))},
    {OF(S(4, 1), S(1, 1))},
    {OF(S(13, 20), S(20))},
    END,
};
static void expect_prelu(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)c, (void)n;
    y->shape = x->shape;
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        int64_t index[GR_MAX_NDIM];
        index_of(y->shape, e, index);
        const double v = x[0].v[e], slope = x[1].v[count_of(x[1].shape) == 1 ? 0 : index[1]];
        y->v[e] = v > 0 ? v : slope * v;
    }
}
BUILD(b_prelu, gr_prelu(x[0], x[1]))

/* ---- Along an axis ---- */

static const test_case maxout_cases[] = {
    {OF(S(6)), .axis = 0, .size = 3},        {OF(S(6)), .axis = -1, .size = 1},
    {OF(S(3, 4)), .axis = 1, .size = 2},     {OF(S(4, 3)), .axis = 0, .size = 4},
    {OF(S(2, 6, 3)), .axis = -2, .size = 2}, {OF(S(0, 4)), .axis = 1, .size = 2},
    {OF(S(17, 34)), .axis = 1, .size = 2},   END,
};
static void expect_maxout(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    const int axis = c->axis < 0 ? c->axis + x->shape.ndim : c->axis;
    y->shape = x->shape;
    y->shape.dims[axis] /= c->size;
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        int64_t index[GR_MAX_NDIM];
        index_of(y->shape, e, index);
        const int64_t first = index[axis] * c->size;
        y->v[e] = -(double)INFINITY;
        for (index[axis] = first; index[axis] < first + c->size; index[axis]++)
            y->v[e] = fmax(y->v[e], x->v[element_of(x->shape, index)]);
    }
}
BUILD(b_maxout, gr_maxout(x[0], c->size, c->axis))

static const test_case glu_cases[] = {
    {OF(S(6)), .axis = 0},
    {OF(S(3, 4)), .axis = -1},
    {OF(S(4, 3)), .axis = 0},
    {OF(S(2, 6, 3)), .axis = 1},
    {OF(S(2, 0)), .axis = 1},
    {OF(S(17, 34)), .axis = -1},
    END,
};
static void expect_glu(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    const int axis = c->axis < 0 ? c->axis + x->shape.ndim : c->axis;
    y->shape = x->shape;
    y->shape.dims[axis] /= 2;
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        int64_t index[GR_MAX_NDIM];
        index_of(y->shape, e, index);
        const double a = x->v[element_of(x->shape, index)];
        index[axis] += y->shape.dims[axis];
        y->v[e] = a / (1 + exp(-x->v[element_of(x->shape, index)]));
    }
}
BUILD(b_glu, gr_glu(x[0], c->axis))

/* celu with its default is elu. */
const row activation_rows[] = {
    {UNARY(celu, f_elu), .gap = 0.1},
    {USE(celu_with, "f", parameter_cases, expect_number), .formula2 = f_celu_with, .gap = 0.1,
     .composed = true},
    {UNARY(elu, f_elu), .gap = 0.1},
    {USE(elu_with, "f", parameter_cases, expect_number), .formula2 = f_elu_with, .gap = 0.1,
     .composed = true},
    {UNARY(gelu, f_gelu), .low = -4, .high = 4},
    {UNARY(gelu_tanh, f_gelu_tanh), .low = -4, .high = 4},
    {USE(glu, "f", glu_cases, expect_glu), .composed = true},
    {UNARY(hardsigmoid, f_hardsigmoid), .low = -5, .high = 5, KINKS(-3, 3)},
    {UNARY(hardswish, f_hardswish), .low = -5, .high = 5, KINKS(-3, 3), .composed = true},
    {UNARY(hardtanh, f_hardtanh), KINKS(-1, 1)},
    {USE(hardtanh_with, "f", hardtanh_with_cases, expect_hardtanh_with), KINKS(-0.5, 0, 1.5),
     .composed = true},
    {UNARY(leaky_relu, f_leaky_relu), .gap = 0.1},
    {USE(leaky_relu_with, "f", parameter_cases, expect_number), .formula2 = f_leaky_relu_with, .gap = 0.1,
     .composed = true},
    {UNARY(log_sigmoid, f_log_sigmoid), .low = -5, .high = 5, .composed = true},
    {USE(maxout, "f", maxout_cases, expect_maxout), .composed = true, .tied_when_repeated = true},
    {UNARY(mish, f_mish), .low = -5, .high = 5},
    {USE(prelu, "ff", prelu_cases, expect_prelu), .gap = 0.1, .composed = true},
    {UNARY(relu, f_relu), .gap = 0.1},
    {UNARY(relu6, f_relu6), .low = -3, .high = 9, KINKS(0, 6), .composed = true},
    {UNARY(selu, f_selu), .gap = 0.1},
    {UNARY(sigmoid, f_sigmoid), .low = -5, .high = 5},
    {UNARY(silu, f_silu), .low = -5, .high = 5},
    {UNARY(softplus, f_softplus), .low = -5, .high = 5},
    {USE(softplus_with, "f", parameter_cases, expect_number), .formula2 = f_softplus_with, .low = -5,
     .high = 5, .composed = true},
    {UNARY(softsign, f_softsign), .gap = 0.1},
    {.name = NULL},
};
