/*
 * Reductions of sizes at which the kernels cut their work: lanes, blocks, strips, tasks. Each result against a plain
 * loop, for every choice of reduced axes, both walks over memory, and any number of threads.
 */
#include "test.h"
#include "gradus.h"

#include <stdlib.h>

typedef struct problem {
    gr_shape shape;
    bool permuted; /* the operand lies in memory with its axes in reverse order */
} problem;

static const problem problems[] = {
    {{1, {17}}, false},         {{1, {70001}}, false},     {{2, {2600, 33}}, false},
    {{2, {2600, 33}}, true},    {{2, {3, 40000}}, false},  {{2, {3, 40000}}, true},
    {{3, {5, 2100, 3}}, false}, {{3, {5, 2100, 3}}, true}, {{3, {40, 30, 70}}, false},
    {{3, {1100, 2, 33}}, true}, {{2, {1, 2049}}, false},   {{3, {33, 1, 1025}}, true},
};

/* Small integers, so that sums are exact in any order, and the largest is somewhere in the middle. */
static double element(int64_t i) { return (double)(i * 7919 % 251 - 150); }

static bool is_reduced(unsigned mask, int axis) { return mask >> axis & 1; }

/* Row-major number of the result that element i of `shape` goes into. */
static int64_t result_of(gr_shape shape, unsigned mask, int64_t i)
{
    int64_t result = 0, step = 1;
    for (int axis = shape.ndim - 1; axis >= 0; axis--) {
        if (!is_reduced(mask, axis)) {
            result += i % shape.dims[axis] * step;
            step *= shape.dims[axis];
        }
        i /= shape.dims[axis];
    }
    return result;
}

static gr_tensor make(gr_graph *g, const problem *p, gr_type type)
{
    int64_t n = 1;
    for (int axis = 0; axis < p->shape.ndim; axis++) n *= p->shape.dims[axis];
    double *v = malloc((size_t)n * sizeof *v);
    for (int64_t i = 0; i < n; i++) v[i] = element(i);
    const gr_tensor x = gr_cast(gr_constant(g, GR_F64, p->shape, v), type);
    free(v);
    return p->permuted ? gr_permute(gr_contiguous(gr_permute(x, GR_ALL_AXES)), GR_ALL_AXES) : x;
}

static double value_at(gr_tensor t, int64_t i)
{
    const void *data = gr_data(t);
    return gr_type_of(t) == GR_F64   ? ((const double *)data)[i]
           : gr_type_of(t) == GR_F32 ? (double)((const float *)data)[i]
                                     : ((const int32_t *)data)[i];
}

static void compare(gr_tensor y, const double *expected, int64_t n, double tolerance)
{
    int64_t wrong = gr_count(y) != n;
    for (int64_t i = 0; i < n && !wrong; i++)
        wrong += !(fabs(value_at(y, i) - expected[i]) <= tolerance * fmax(1, fabs(expected[i])));
    CHECK(wrong == 0);
}

/* Of odd whole numbers, which wrap around in i32 and are never 0; of floats near 1. */
static void check_products(gr_tensor x, gr_axes axes, gr_shape shape, unsigned mask, double *product,
                           int64_t results)
{
    gr_graph *g = x.graph;
    const bool whole = gr_type_of(x) == GR_I32;
    const gr_tensor factors = whole ? gr_add(gr_mul(x, gr_full(g, GR_I32, GR_SCALAR, 2)),
                                             gr_full(g, GR_I32, GR_SCALAR, 1))
                                    : gr_add_scalar(gr_scale(x, 1.0 / (1 << 13)), 1);
    for (int64_t r = 0; r < results; r++) product[r] = 1;
    for (int64_t i = 0; i < gr_count(x); i++) {
        const int64_t r = result_of(shape, mask, i);
        if (whole)
            product[r] = (int32_t)((uint32_t)(int32_t)product[r] * (uint32_t)(int32_t)(2 * element(i) + 1));
        else
            product[r] *= 1 + element(i) / (1 << 13);
    }
    compare(gr_prod(factors, axes, false), product, results,
            whole                     ? 0
            : gr_type_of(x) == GR_F32 ? 1e-6
                                      : 1e-11);
}

/* Whether some and all elements are above each of three bounds. */
static void check_masks(gr_tensor x, gr_axes axes, const double *max, const double *min, int64_t results)
{
    static const double bounds[] = {-200, 99.5, -149.5};
    for (int b = 0; b < 3; b++) {
        const gr_tensor bound = gr_cast(gr_full(x.graph, GR_F64, GR_SCALAR, bounds[b]), gr_type_of(x));
        const gr_tensor above = gr_greater(x, bound);
        const gr_tensor some = gr_cast(gr_any(above, axes, false), GR_I32),
                        every = gr_cast(gr_all(above, axes, false), GR_I32);
        const double limit = gr_item(bound);
        int64_t wrong = gr_count(some) != results || gr_count(every) != results;
        for (int64_t r = 0; r < results && !wrong; r++) {
            wrong += (value_at(some, r) != 0) != (max[r] > limit);
            wrong += (value_at(every, r) != 0) != (min[r] > limit);
        }
        CHECK(wrong == 0);
    }
}

static void check_axes(gr_graph *g, const problem *p, gr_type type, unsigned mask)
{
    const int failures = test_failures;
    const gr_scope scope = gr_scope_begin(g);
    const gr_tensor x = make(g, p, type);
    const int64_t n = gr_count(x);
    gr_axes axes = {.n = 0};
    int64_t results = 1;
    for (int axis = 0; axis < p->shape.ndim; axis++) {
        if (is_reduced(mask, axis))
            axes.axis[axes.n++] = axis;
        else
            results *= p->shape.dims[axis];
    }
    double *sum = calloc((size_t)results, sizeof *sum), *max = malloc((size_t)results * sizeof *max),
           *min = malloc((size_t)results * sizeof *min), *power = calloc((size_t)results, sizeof *power);
    for (int64_t i = 0; i < results; i++) max[i] = -1e9, min[i] = 1e9;
    for (int64_t i = 0; i < n; i++) {
        const int64_t r = result_of(p->shape, mask, i);
        sum[r] += element(i);
        max[r] = fmax(max[r], element(i));
        min[r] = fmin(min[r], element(i));
    }
    compare(gr_sum(x, axes, false), sum, results, 0);
    compare(gr_max(x, axes, false), max, results, 0);
    compare(gr_min(x, axes, false), min, results, 0);
    check_products(x, axes, p->shape, mask, power, results);
    check_masks(x, axes, max, min, results);
    for (int64_t r = 0; r < results; r++) power[r] = 0;
    if (gr_type_is_float(type)) {
        const double tolerance = type == GR_F32 ? 1e-6 : 1e-13;
        for (int64_t i = 0; i < n; i++) {
            const int64_t r = result_of(p->shape, mask, i);
            power[r] += exp(element(i) - max[r]);
        }
        for (int64_t r = 0; r < results; r++) power[r] = max[r] + log(power[r]);
        compare(gr_logsumexp(x, axes, false), power, results, tolerance);
        for (int64_t r = 0; r < results; r++) power[r] = 0;
        for (int64_t i = 0; i < n; i++) power[result_of(p->shape, mask, i)] += element(i) * element(i);
        for (int64_t r = 0; r < results; r++) power[r] = sqrt(power[r]);
        compare(gr_norm(x, axes, false), power, results, tolerance);
        for (int64_t r = 0; r < results; r++) sum[r] *= (double)results / (double)n;
        compare(gr_mean(x, axes, false), sum, results, tolerance);
    }
    if (test_failures > failures)
        printf("  %s, %d axes from %d, axes %u, permuted %d, %d threads\n", gr_type_name(type), p->shape.ndim,
               (int)p->shape.dims[0], mask, p->permuted, gr_graph_threads(g));
    free(sum);
    free(max);
    free(min);
    free(power);
    gr_scope_end(scope, 0, NULL);
}

static void test_sizes(void)
{
    static const gr_type types[] = {GR_F64, GR_F32, GR_I32};
    for (int threads = 1; threads <= 3; threads += 2) {
        gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = threads});
        for (size_t i = 0; i < sizeof problems / sizeof *problems; i++)
            for (int t = 0; t < 3; t++)
                for (unsigned mask = 1; mask < 1u << problems[i].shape.ndim; mask++)
                    check_axes(g, &problems[i], types[t], mask);
        CHECK(gr_graph_status(g) == GR_OK);
        gr_graph_destroy(g);
    }
}

/* All rows of softmax and log_softmax, where they are cut into several tasks. */
static void test_rows(void)
{
    for (int threads = 1; threads <= 3; threads += 2) {
        gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = threads});
        const gr_tensor x = make(g, &(problem){{2, {5000, 20}}, false}, GR_F64);
        const gr_tensor y = gr_softmax(x, -1), z = gr_log_softmax(x, -1);
        int64_t wrong = 0;
        for (int64_t row = 0; row < 5000; row++) {
            double m = -1e9, sum = 0;
            for (int64_t i = 20 * row; i < 20 * row + 20; i++) m = fmax(m, element(i));
            for (int64_t i = 20 * row; i < 20 * row + 20; i++) sum += exp(element(i) - m);
            for (int64_t i = 20 * row; i < 20 * row + 20; i++) {
                const double l = element(i) - m - log(sum);
                wrong += !(fabs(value_at(z, i) - l) <= 1e-12) || !(fabs(value_at(y, i) - exp(l)) <= 1e-14);
            }
        }
        CHECK(wrong == 0);
        gr_graph_destroy(g);
    }
}

/* Rows of more exponentials than softmax keeps. */
static void test_long_row(void)
{
    enum { N = 1300 };
    gr_graph *g = gr_graph_create(NULL);
    for (int type = GR_F32; type <= GR_F64; type++) {
        const gr_tensor x = make(g, &(problem){{2, {2, N}}, false}, (gr_type)type), y = gr_softmax(x, -1);
        double sum[2] = {0};
        for (int64_t i = 0; i < 2 * N; i++) sum[i / N] += exp(value_at(x, i));
        for (int64_t i = 0; i < 2 * N; i++) {
            const double e = exp(value_at(x, i)) / sum[i / N];
            CHECK_NEAR(value_at(y, i), e, e * (type == GR_F32 ? 1e-7 : 1e-12) + 1e-44);
        }
    }
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* Positions and running sums along an axis, of rows that are short, long and many, side by side and not. */
static void check_along(gr_graph *g, gr_type type, int64_t rows, int64_t n, bool side_by_side)
{
    const gr_scope scope = gr_scope_begin(g);
    const gr_tensor made = make(g, &(problem){{2, {rows, n}}, side_by_side}, type),
                    wide = gr_transpose(made, 0, 1);
    const gr_tensor most = gr_argmax(made, 1, false), least = gr_argmin(wide, 0, false);
    const gr_tensor sums = gr_contiguous(gr_cumsum(made, 1)), down = gr_contiguous(gr_cumsum(wide, 0));
    int64_t wrong = 0;
    for (int64_t row = 0; row < rows; row++) {
        int64_t largest = 0, smallest = 0;
        double sum = 0;
        for (int64_t i = 0; i < n; i++) {
            const double v = element(row * n + i);
            if (v > element(row * n + largest)) largest = i;
            if (v < element(row * n + smallest)) smallest = i;
            sum += v;
            wrong += value_at(sums, row * n + i) != sum || value_at(down, i * rows + row) != sum;
        }
        wrong += value_at(most, row) != (double)largest || value_at(least, row) != (double)smallest;
    }
    CHECK(wrong == 0);
    gr_scope_end(scope, 0, NULL);
}

static void test_along(void)
{
    static const gr_type types[] = {GR_F64, GR_F32, GR_I32};
    for (int threads = 1; threads <= 3; threads += 2) {
        gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = threads});
        for (int t = 0; t < 3; t++)
            for (int side_by_side = 0; side_by_side < 2; side_by_side++) {
                check_along(g, types[t], 1, 50000, side_by_side);
                check_along(g, types[t], 20000, 3, side_by_side);
                check_along(g, types[t], 7, 331, side_by_side);
            }
        CHECK(gr_graph_status(g) == GR_OK);
        gr_graph_destroy(g);
    }
}

/* Sums of f32 do not lose what each of their terms is too small to change. */
static void test_accuracy(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor ones = gr_ones(g, GR_F32, GR_SHAPE(1 << 20, 2)),
                    large = gr_full(g, GR_F32, GR_SHAPE(1, 2), 1 << 25);
    const gr_tensor parts[] = {large, ones}, x = gr_concat(2, parts, 0);
    const double expected = (1 << 25) + (1 << 20);
    CHECK(GR_AT(gr_sum(x, GR_AXES(0), false), 1) == expected);
    CHECK(gr_item(gr_sum(x, GR_ALL_AXES, false)) == 2 * expected);
    /* i32 wraps around */
    const gr_tensor big = gr_full(g, GR_I32, GR_SHAPE(3), INT32_MAX);
    CHECK(gr_item(gr_sum(big, GR_ALL_AXES, false)) == INT32_MAX - 2);
    gr_graph_destroy(g);
}

/* With no axis reduced and no room for one more, logsumexp is ln e^x. */
static void test_nothing_reduced(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_axes none = {.n = 0};
    const gr_tensor x = gr_full(g, GR_F64, (gr_shape){8, {1, 2, 1, 1, 1, 1, 1, 1}}, -7);
    CHECK(GR_AT(gr_logsumexp(x, none, false), 0, 1, 0, 0, 0, 0, 0, 0) == -7);
    CHECK(GR_AT(gr_logsumexp(gr_full(g, GR_F64, GR_SHAPE(2), 3), none, true), 1) == 3);
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_sizes);
    RUN(test_rows);
    RUN(test_long_row);
    RUN(test_along);
    RUN(test_accuracy);
    RUN(test_nothing_reduced);
    return TEST_EXIT;
}
