/* Rows of operations that reduce axes, or work along one. */
#include "table.h"

static const test_case sum_to_cases[] = {
    {OF(S(3)), .to = S0},
    {OF(S(3, 4)), .to = S(4)},
    {OF(S(3, 4)), .to = S(3, 1)},
    {OF(S(2, 3, 4)), .to = S(3, 1)},
    {OF(S(2, 3)), .to = S(2, 3)},
    {OF(S0), .to = S0},
    {OF(S(0, 3)), .to = S(3)},
    {OF(S(0)), .to = S(1)},
    {OF(S(2, 0)), .to = S(1, 0)},
    {OF(S(33, 65)), .to = S(65)},
    {OF(S(33, 65)), .to = S(33, 1)},
    END,
};

/* y_i = formula2(x_i, sum over the axis of e^x). */
static void expect_along(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)n;
    const gr_shape s = y->shape = x->shape;
    const int axis = c->axis < 0 ? c->axis + s.ndim : c->axis;
    for (int64_t e = 0; e < count_of(s); e++) {
        int64_t index[GR_MAX_NDIM];
        index_of(s, e, index);
        double sum = 0;
        for (index[axis] = 0; index[axis] < s.dims[axis]; index[axis]++)
            sum += exp(x->v[element_of(s, index)]);
        y->v[e] = r->formula2(x->v[e], sum);
    }
}

static void expect_sum_to(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    y->shape = c->to;
    memset(y->v, 0, (size_t)count_of(y->shape) * sizeof *y->v);
    for (int64_t e = 0; e < count_of(x->shape); e++) {
        int64_t index[GR_MAX_NDIM], own[GR_MAX_NDIM];
        index_of(x->shape, e, index);
        for (int i = 0; i < c->to.ndim; i++)
            own[i] = c->to.dims[i] == 1 ? 0 : index[i + x->shape.ndim - c->to.ndim];
        y->v[element_of(c->to, own)] += x->v[e];
    }
}

static double f_softmax(double x, double sum) { return exp(x) / sum; }
static double f_log_softmax(double x, double sum) { return log(exp(x) / sum); }

static double fold_sum(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum;
}
static double fold_mean(const double *x, int64_t n) { return fold_sum(x, n) / (double)n; }
static double fold_max(const double *x, int64_t n)
{
    double most = x[0];
    for (int64_t i = 1; i < n; i++) most = fmax(most, x[i]);
    return most;
}
static double fold_logsumexp(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += exp(x[i]);
    return log(sum);
}
static double fold_norm(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
    return sqrt(sum);
}

BUILD(b_sum, gr_sum(x[0], c->axes, c->keepdims))
BUILD(b_mean, gr_mean(x[0], c->axes, c->keepdims))
BUILD(b_max, gr_max(x[0], c->axes, c->keepdims))
BUILD(b_logsumexp, gr_logsumexp(x[0], c->axes, c->keepdims))
BUILD(b_norm, gr_norm(x[0], c->axes, c->keepdims))
BUILD(b_softmax, gr_softmax(x[0], c->axis))
BUILD(b_log_softmax, gr_log_softmax(x[0], c->axis))
BUILD(b_sum_to, gr_sum_to(x[0], c->to))

const row reduction_rows[] = {
    {USE(log_softmax, "f", along_cases, expect_along), .formula2 = f_log_softmax, .layout_tolerance = 16},
    {USE(logsumexp, "f", reduction_cases, expect_fold), .fold = fold_logsumexp, .needs_elements = true,
     .layout_tolerance = 16},
    {USE(max, "f", reduction_cases, expect_fold), .fold = fold_max, .tied_when_repeated = true,
     .needs_elements = true, .integers = true},
    {USE(mean, "f", reduction_cases, expect_fold), .fold = fold_mean, .needs_elements = true,
     .layout_tolerance = 16},
    {USE(norm, "f", reduction_cases, expect_fold), .fold = fold_norm, .gap = 0.1, .layout_tolerance = 16},
    {USE(softmax, "f", along_cases, expect_along), .formula2 = f_softmax, .layout_tolerance = 16},
    {USE(sum, "f", reduction_cases, expect_fold), .fold = fold_sum, .integers = true, .layout_tolerance = 64},
    {USE(sum_to, "f", sum_to_cases, expect_sum_to), .integers = true, .layout_tolerance = 64},
    {.name = NULL},
};
