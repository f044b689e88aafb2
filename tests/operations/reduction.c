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

static double fold_prod(const double *x, int64_t n)
{
    double product = 1;
    for (int64_t i = 0; i < n; i++) product *= x[i];
    return product;
}
static double fold_min(const double *x, int64_t n)
{
    double least = x[0];
    for (int64_t i = 1; i < n; i++) least = fmin(least, x[i]);
    return least;
}
static double fold_any(const double *x, int64_t n) { return fold_sum(x, n) > 0; }
static double fold_all(const double *x, int64_t n) { return fold_sum(x, n) == (double)n; }
static double fold_count(const double *x, int64_t n)
{
    double count = 0;
    for (int64_t i = 0; i < n; i++) count += x[i] != 0;
    return count;
}
/* With the correction 1/2, so that one element has a variance. */
static double fold_var(const double *x, int64_t n)
{
    const double mean = fold_mean(x, n);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
    return sum / ((double)n - 0.5);
}
static double fold_std(const double *x, int64_t n) { return sqrt(fold_var(x, n)); }

/* The order is the number of the case. */
static const test_case vector_norm_cases[] = {
    {OF(S0), .axes = ALL, .number = 3},
    {OF(S(5)), .axes = AXES(0), .number = 1},
    {OF(S(5)), .axes = AXES(0), .number = 2},
    {OF(S(5)), .axes = ALL, .keepdims = true, .number = 2.5},
    {OF(S(1)), .axes = ALL, .number = 0.5},
    {OF(S(0)), .axes = ALL, .number = 1},
    {OF(S(0, 3)), .axes = AXES(1), .number = 3},
    {OF(S(2, 0)), .axes = AXES(1), .number = 3},
    {OF(S(2, 0)), .axes = AXES(0), .number = (double)INFINITY},
    {OF(S(3, 4)), .axes = AXES(0), .number = (double)INFINITY},
    {OF(S(3, 4)), .axes = AXES(1), .keepdims = true, .number = (double)-INFINITY},
    {OF(S(3, 4)), .axes = ALL, .number = 0},
    {OF(S(3, 4)), .axes = {0, {0}}, .number = 4},
    {OF(S(2, 3, 4)), .axes = AXES(0, -1), .number = -1},
    {OF(S(2, 3, 4)), .axes = AXES(-2), .number = 0.5},
    {OF(S(2, 3, 4)), .axes = AXES(1), .number = 1.5},
    {OF(S(33, 65)), .axes = AXES(0), .number = 3},
    {OF(S(33, 65)), .axes = ALL, .number = (double)INFINITY},
    END,
};

static double order;
static double fold_power(const double *x, int64_t n)
{
    double most = 0, least = (double)INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) {
        most = fmax(most, fabs(x[i]));
        least = fmin(least, fabs(x[i]));
        sum += pow(fabs(x[i]), order); /* pow(x, 0) = 1: no element of the row is 0 */
    }
    return isinf(order) ? order > 0 ? most : least : order == 0 ? sum : pow(sum, 1 / order);
}
static void expect_power(const row *r, const test_case *c, int n, const array *x, array *y)
{
    order = c->number;
    expect_fold(r, c, n, x, y);
}

/* ---- Along one axis ---- */

static const test_case position_cases[] = {
    {OF(S(1)), .axis = 0},
    {OF(S(5)), .axis = -1},
    {OF(S(3, 4)), .axis = 0, .keepdims = true},
    {OF(S(3, 4)), .axis = 1},
    {OF(S(0, 3)), .axis = 1},
    {OF(S(0, 0)), .axis = 0},
    {OF(S(2, 3, 4)), .axis = 1},
    {OF(S(2, 3, 4)), .axis = 0, .keepdims = true},
    {OF(S(1, 1, 1, 1, 1, 1, 2, 3)), .axis = -2},
    {OF(S(33, 65)), .axis = 0},
    {OF(S(33, 65)), .axis = 1},
    END,
};

/* The position within `fold`ed ones: the first that attains it. */
static void expect_position(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)n;
    const gr_shape s = x->shape;
    const int axis = c->axis < 0 ? c->axis + s.ndim : c->axis;
    gr_shape full = s;
    full.dims[axis] = 1;
    y->shape.ndim = 0;
    for (int i = 0; i < s.ndim; i++)
        if (i != axis || c->keepdims) y->shape.dims[y->shape.ndim++] = full.dims[i];
    for (int64_t e = 0; e < count_of(full); e++) {
        int64_t index[GR_MAX_NDIM];
        double group[MOST_ELEMENTS];
        index_of(full, e, index);
        for (index[axis] = 0; index[axis] < s.dims[axis]; index[axis]++)
            group[index[axis]] = x->v[element_of(s, index)];
        const double wanted = r->fold(group, s.dims[axis]);
        int64_t at = 0;
        while (group[at] != wanted) at++;
        y->v[e] = (double)at;
    }
}

/* y_i = fold of x_0 ... x_i. */
static void expect_cumulative(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)n;
    const gr_shape s = y->shape = x->shape;
    const int axis = c->axis < 0 ? c->axis + s.ndim : c->axis;
    for (int64_t e = 0; e < count_of(s); e++) {
        int64_t index[GR_MAX_NDIM];
        double group[MOST_ELEMENTS];
        index_of(s, e, index);
        const int64_t place = index[axis];
        for (index[axis] = 0; index[axis] <= place; index[axis]++)
            group[index[axis]] = x->v[element_of(s, index)];
        y->v[e] = r->fold(group, place + 1);
    }
}

/* keepdims: whether it is delayed. */
static const test_case recurrence_cases[] = {
    {OF(S(1), S(1))},
    {OF(S(1), S(1)), .keepdims = true},
    {OF(S(6), S(6))},
    {OF(S(6), S(6)), .keepdims = true},
    {OF(S(0), S(0))},
    {OF(S(3, 0), S(3, 0)), .keepdims = true},
    {OF(S(0, 3), S(0, 3))},
    {OF(S(3, 4), S(3, 4)), .keepdims = true},
    {OF(S(2, 3, 2), S(2, 3, 2))},
    {OF(S(30, 20), S(30, 20))},
    {OF(S(30, 20), S(30, 20)), .keepdims = true},
    END,
};

static void expect_recurrence(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    const gr_shape s = y->shape = x->shape;
    const int64_t length = s.dims[s.ndim - 1];
    for (int64_t e = 0; e < count_of(s); e++)
        y->v[e] = x[1].v[e] + (e % length ? x[0].v[e - c->keepdims] * y->v[e - 1] : 0);
}

BUILD(b_sum, gr_sum(x[0], c->axes, c->keepdims))
BUILD(b_mean, gr_mean(x[0], c->axes, c->keepdims))
BUILD(b_max, gr_max(x[0], c->axes, c->keepdims))
BUILD(b_logsumexp, gr_logsumexp(x[0], c->axes, c->keepdims))
BUILD(b_norm, gr_norm(x[0], c->axes, c->keepdims))
BUILD(b_softmax, gr_softmax(x[0], c->axis))
BUILD(b_log_softmax, gr_log_softmax(x[0], c->axis))
BUILD(b_prod, gr_prod(x[0], c->axes, c->keepdims))
BUILD(b_min, gr_min(x[0], c->axes, c->keepdims))
BUILD(b_any, gr_any(x[0], c->axes, c->keepdims))
BUILD(b_all, gr_all(x[0], c->axes, c->keepdims))
BUILD(b_count_nonzero, gr_count_nonzero(x[0], c->axes, c->keepdims))
BUILD(b_var, gr_var(x[0], c->axes, 0.5, c->keepdims))
BUILD(b_std, gr_std(x[0], c->axes, 0.5, c->keepdims))
BUILD(b_vector_norm, gr_vector_norm(x[0], c->number, c->axes, c->keepdims))
BUILD(b_argmax, gr_argmax(x[0], c->axis, c->keepdims))
BUILD(b_argmin, gr_argmin(x[0], c->axis, c->keepdims))
BUILD(b_cumsum, gr_cumsum(x[0], c->axis))
BUILD(b_cumprod, gr_cumprod(x[0], c->axis))
BUILD(b_recurrence, gr_apply(g, find_op("recurrence"), 2, x, &(bool){c->keepdims}))
BUILD(b_sum_to, gr_sum_to(x[0], c->to))

static const char is_mask[] = "its operand is a mask", is_position[] = "its result is a position";

const row reduction_rows[] = {
    {USE(all, "m", reduction_cases, expect_fold), .fold = fold_all, .not_differentiable = is_mask,
     .typed = true, .result = GR_BOOL},
    {USE(any, "m", reduction_cases, expect_fold), .fold = fold_any, .not_differentiable = is_mask,
     .typed = true, .result = GR_BOOL},
    {USE(argmax, "f", position_cases, expect_position), .fold = fold_max, .not_differentiable = is_position,
     .whole = true, .integers = true, .typed = true, .result = GR_I32},
    {USE(argmin, "f", position_cases, expect_position), .fold = fold_min, .not_differentiable = is_position,
     .whole = true, .integers = true, .typed = true, .result = GR_I32},
    {USE(count_nonzero, "f", reduction_cases, expect_fold), .fold = fold_count,
     .not_differentiable = "its result is a number of elements", .whole = true, .integers = true,
     .typed = true, .result = GR_I32, .composed = true},
    {USE(cumprod, "f", along_cases, expect_cumulative), .fold = fold_prod, .low = 0.5, .high = 1.6},
    {USE(cumsum, "f", along_cases, expect_cumulative), .fold = fold_sum, .integers = true},
    {USE(log_softmax, "f", along_cases, expect_along), .formula2 = f_log_softmax, .layout_tolerance = 16},
    {USE(logsumexp, "f", reduction_cases, expect_fold), .fold = fold_logsumexp, .needs_elements = true,
     .layout_tolerance = 16},
    {USE(max, "f", reduction_cases, expect_fold), .fold = fold_max, .tied_when_repeated = true,
     .needs_elements = true, .integers = true},
    {USE(mean, "f", reduction_cases, expect_fold), .fold = fold_mean, .needs_elements = true,
     .layout_tolerance = 16},
    {USE(min, "f", reduction_cases, expect_fold), .fold = fold_min, .tied_when_repeated = true,
     .needs_elements = true, .integers = true},
    {USE(norm, "f", reduction_cases, expect_fold), .fold = fold_norm, .gap = 0.1, .layout_tolerance = 16},
    {USE(prod, "f", reduction_cases, expect_fold), .fold = fold_prod, .low = 0.5, .high = 1.6,
     .layout_tolerance = 64},
    {USE(recurrence, "ff", recurrence_cases, expect_recurrence), .low = -1, .high = 1},
    {USE(softmax, "f", along_cases, expect_along), .formula2 = f_softmax, .layout_tolerance = 16},
    {USE(std, "f", reduction_cases, expect_fold), .fold = fold_std, .tied_when_repeated = true,
     .needs_elements = true, .layout_tolerance = 64, .composed = true},
    {USE(sum, "f", reduction_cases, expect_fold), .fold = fold_sum, .integers = true, .layout_tolerance = 64},
    {USE(sum_to, "f", sum_to_cases, expect_sum_to), .integers = true, .layout_tolerance = 64},
    {USE(var, "f", reduction_cases, expect_fold), .fold = fold_var, .needs_elements = true,
     .layout_tolerance = 64, .composed = true},
    {USE(vector_norm, "f", vector_norm_cases, expect_power), .fold = fold_power, .low = -2, .high = 2.3,
     .gap = 0.1, .tied_when_repeated = true, .layout_tolerance = 64, .composed = true},
    {.name = NULL},
};
