/*
 * Shapes, strides and values: views as NumPy documents them, without copies where a view is possible;
 * scalars, empty tensors and eight axes through everything.
 */
#include "gradus.h"
#include "test.h"

#include <stdlib.h>

static gr_graph *g;

static void begin(void) { g = gr_graph_create(NULL); }

static void finish(void)
{
    CHECK(gr_graph_status(g) == GR_OK);
    if (gr_graph_status(g) != GR_OK) printf("    %s\n", gr_graph_error(g));
    gr_graph_destroy(g);
}

/* 0, 1, 2, ... in a shape: in a buffer of its own, as the elements of every constant are. */
static gr_tensor counted(gr_type type, gr_shape shape)
{
    int64_t n = 1;
    for (int i = 0; i < shape.ndim; i++) n *= shape.dims[i];
    const gr_tensor t = gr_constant(g, type, shape, NULL);
    CHECK(gr_assign(t, gr_reshape(gr_arange(g, type, n, 0, 1), shape)) == GR_OK);
    return t;
}

static bool has_shape(gr_tensor t, gr_shape expected)
{
    const gr_shape shape = gr_shape_of(t);
    if (shape.ndim != expected.ndim || gr_ndim(t) != expected.ndim) return false;
    int64_t count = 1;
    for (int i = 0; i < shape.ndim; i++) {
        if (shape.dims[i] != expected.dims[i] || gr_dim(t, i) != expected.dims[i]) return false;
        count *= shape.dims[i];
    }
    return gr_count(t) == count;
}

/* Axes of size 1 may have any stride. */
static bool has_strides(gr_tensor t, const int64_t *expected)
{
    int64_t strides[GR_MAX_NDIM];
    if (gr_strides(t, strides) != GR_OK) return false;
    for (int i = 0; i < gr_ndim(t); i++)
        if (gr_dim(t, i) != 1 && strides[i] != expected[i]) return false;
    return true;
}

static bool has_values(gr_tensor t, int64_t n, const double *expected)
{
    double values[512] = {0};
    const gr_tensor as_f64 = gr_type_of(t) == GR_F64 ? t : gr_cast(t, GR_F64);
    if (n > 512 || gr_read(as_f64, values, n) != GR_OK) return false;
    for (int64_t i = 0; i < n; i++)
        if (!(values[i] == expected[i])) return false;
    return true;
}

#define NUMBERS(...) \
    (int64_t)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)), (double[]) { __VA_ARGS__ }
#define STRIDES(...) \
    (int64_t[]) { __VA_ARGS__ }

/* Shape, strides and values of a view, and that it copied nothing. */
static void expect_view(gr_tensor view, gr_shape shape, const int64_t *strides, int64_t n,
                        const double *values)
{
    CHECK(has_shape(view, shape));
    CHECK(has_strides(view, strides));
    CHECK(has_values(view, n, values));
}

static const gr_type types[] = {GR_F32, GR_F64, GR_I32};

/* x = arange(2048).reshape(...): large, so that a copy would show in the bytes that are used. */
static void test_views_copy_nothing(void)
{
    begin();
    const gr_tensor x = counted(GR_F64, GR_SHAPE(16, 8, 16));
    CHECK(gr_is_contiguous(x) && has_strides(x, STRIDES(128, 16, 1)));
    const size_t before = gr_graph_memory(g).used;
    const gr_tensor flat = gr_reshape(x, GR_SHAPE(-1)), split = gr_reshape(x, GR_SHAPE(4, 4, 8, 2, 8));
    const gr_tensor p = gr_permute(x, GR_AXES(2, 0, 1)), s = gr_slice(p, 0, 15, 3, -4);
    const gr_tensor merged = gr_reshape(p, GR_SHAPE(16, 128)),
                    e = gr_expand(gr_unsqueeze(x, 1), GR_SHAPE(16, 100, 8, 16));
    const gr_tensor q = gr_squeeze(gr_unsqueeze(gr_select(x, 1, -1), 0), GR_AXES(0)), d = gr_detach(x);
    const gr_tensor c = gr_contiguous(x), kept = gr_keep(p);
    CHECK(gr_graph_memory(g).used < before + 16384); /* x has 16384 bytes */
    CHECK(gr_data(flat) == gr_data(x) && gr_data(split) == gr_data(x) && gr_data(d) == gr_data(x) &&
          gr_same(c, x));
    CHECK(has_strides(split, STRIDES(512, 128, 16, 8, 1)) && has_strides(p, STRIDES(1, 128, 16)));
    CHECK(has_strides(s, STRIDES(-4, 128, 16)) && has_shape(s, GR_SHAPE(3, 16, 8)) &&
          GR_AT(s, 1, 2, 3) == 11 + 2 * 128 + 3 * 16);
    CHECK(has_shape(merged, GR_SHAPE(16, 128)) && has_strides(merged, STRIDES(1, 16)) &&
          GR_AT(merged, 3, 5) == 83);
    CHECK(has_strides(e, STRIDES(128, 0, 16, 1)) && GR_AT(e, 2, 77, 1, 3) == 256 + 16 + 3);
    CHECK(has_shape(q, GR_SHAPE(16, 16)) && GR_AT(q, 1, 2) == 128 + 112 + 2 &&
          GR_AT(kept, 1, 2, 3) == 1 + 256 + 48);
    CHECK(!gr_is_contiguous(p) && !gr_is_contiguous(e) && gr_is_contiguous(gr_slice(x, 0, 3, 9, 1)));
    /* here there is no other way */
    const gr_tensor copied = gr_reshape(p, GR_SHAPE(-1));
    CHECK(gr_graph_memory(g).used >= before + 16384 && gr_is_contiguous(copied) && GR_AT(copied, 128) == 1);
    finish();
}

static void test_reshape(void)
{
    begin();
    for (int i = 0; i < 3; i++) {
        const gr_tensor x = counted(types[i], GR_SHAPE(2, 6));
        expect_view(gr_reshape(x, GR_SHAPE(3, -1)), GR_SHAPE(3, 4), STRIDES(4, 1),
                    NUMBERS(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
        expect_view(gr_reshape(x, GR_SHAPE(-1, 1, 12)), GR_SHAPE(1, 1, 12), STRIDES(0, 0, 1),
                    NUMBERS(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
        /* np.arange(12).reshape(2, 6).T.reshape(4, 3) */
        expect_view(gr_reshape(gr_transpose(x, 0, 1), GR_SHAPE(4, 3)), GR_SHAPE(4, 3), STRIDES(3, 1),
                    NUMBERS(0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11));
        /* splitting a transposed axis needs no copy */
        const gr_tensor t = gr_reshape(gr_transpose(x, 0, 1), GR_SHAPE(3, 2, 2));
        expect_view(t, GR_SHAPE(3, 2, 2), STRIDES(2, 1, 6), NUMBERS(0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11));
    }
    expect_view(gr_reshape(counted(GR_F64, GR_SHAPE(1, 1)), GR_SCALAR), GR_SCALAR, NULL, NUMBERS(0));
    expect_view(gr_reshape(counted(GR_F64, GR_SCALAR), GR_SHAPE(-1)), GR_SHAPE(1), STRIDES(1), NUMBERS(0));
    const gr_tensor nothing = gr_zeros(g, GR_F64, GR_SHAPE(0, 3));
    CHECK(has_shape(gr_reshape(nothing, GR_SHAPE(5, -1, 2)), GR_SHAPE(5, 0, 2)));
    CHECK(has_shape(gr_reshape(nothing, GR_SHAPE(0)), GR_SHAPE(0)));
    CHECK(has_shape(gr_reshape(nothing, GR_SHAPE(7, 0, 9)), GR_SHAPE(7, 0, 9)));
    finish();
}

static void test_permute(void)
{
    begin();
    const gr_tensor x = counted(GR_F64, GR_SHAPE(2, 3, 2));
    expect_view(gr_permute(x, GR_AXES(1, 2, 0)), GR_SHAPE(3, 2, 2), STRIDES(2, 1, 6),
                NUMBERS(0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11));
    expect_view(gr_permute(x, GR_AXES(-1, 0, -2)), GR_SHAPE(2, 2, 3), STRIDES(1, 6, 2),
                NUMBERS(0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11));
    expect_view(gr_permute(x, GR_ALL_AXES), GR_SHAPE(2, 3, 2), STRIDES(1, 2, 6),
                NUMBERS(0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11));
    expect_view(gr_transpose(x, -3, 2), GR_SHAPE(2, 3, 2), STRIDES(1, 2, 6),
                NUMBERS(0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11));
    expect_view(gr_transpose(x, 1, 1), GR_SHAPE(2, 3, 2), STRIDES(6, 2, 1),
                NUMBERS(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
    CHECK(has_shape(gr_permute(gr_scalar(g, GR_F64, 1), GR_ALL_AXES), GR_SCALAR));
    finish();
}

/* The positions that Python's slice(start, stop, step) visits in range(size), from its definition: both ends
   are brought into range, then one walks. */
static int python_slice(int64_t size, int64_t start, int64_t stop, int64_t step, int64_t *at)
{
    const int64_t none = GR_SLICE_DEFAULT, low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
    int64_t from = start == none ? (step > 0 ? 0 : size - 1) : start < 0 ? start + size : start;
    int64_t to = stop == none ? (step > 0 ? size : -1) : stop < 0 ? stop + size : stop;
    if (from < low) from = low;
    if (from > high) from = high;
    if (stop != none && to < low) to = low;
    if (stop != none && to > high) to = high;
    int n = 0;
    for (int64_t i = from; step > 0 ? i < to : i > to; i += step) at[n++] = i;
    return n;
}

static void test_slice(void)
{
    begin();
    static const int64_t ends[] = {GR_SLICE_DEFAULT, INT64_MIN + 1, -7, -6, -3, -1, 0, 1, 2, 4, 5, 6, 9,
                                   INT64_MAX};
    static const int64_t steps[] = {1, 2, 3, 5, 9, -1, -2, -4, -9};
    enum { ENDS = sizeof ends / sizeof *ends, N_STEPS = sizeof steps / sizeof *steps };
    for (int64_t size = 0; size <= 6; size += size ? 5 : 1) {
        const gr_tensor x = counted(GR_F64, GR_SHAPE(3, size));
        for (int i = 0; i < ENDS; i++)
            for (int j = 0; j < ENDS; j++)
                for (int k = 0; k < N_STEPS; k++) {
                    int64_t at[8];
                    double expected[24];
                    const int n = python_slice(size, ends[i], ends[j], steps[k], at);
                    for (int row = 0, e = 0; row < 3; row++)
                        for (int c = 0; c < n; c++) expected[e++] = (double)(row * size + at[c]);
                    const gr_tensor y = gr_slice(x, 1, ends[i], ends[j], steps[k]);
                    CHECK(has_shape(y, GR_SHAPE(3, n)) && has_values(y, 3 * n, expected));
                }
        gr_graph_reset(g);
    }
    /* the table in NumPy's manual: x[1:7:2], x[-3:3:-1], x[5:] */
    const gr_tensor x = counted(GR_I32, GR_SHAPE(10));
    expect_view(gr_slice(x, 0, 1, 7, 2), GR_SHAPE(3), STRIDES(2), NUMBERS(1, 3, 5));
    expect_view(gr_slice(x, 0, -3, 3, -1), GR_SHAPE(4), STRIDES(-1), NUMBERS(7, 6, 5, 4));
    expect_view(gr_slice(x, 0, 5, GR_SLICE_DEFAULT, 1), GR_SHAPE(5), STRIDES(1), NUMBERS(5, 6, 7, 8, 9));
    expect_view(gr_slice(x, 0, GR_SLICE_DEFAULT, GR_SLICE_DEFAULT, INT64_MAX), GR_SHAPE(1), STRIDES(1),
                NUMBERS(0));
    expect_view(gr_slice(x, 0, GR_SLICE_DEFAULT, GR_SLICE_DEFAULT, -INT64_MAX), GR_SHAPE(1), STRIDES(1),
                NUMBERS(9));
    finish();
}

static void test_select_expand_squeeze(void)
{
    begin();
    const gr_tensor x = counted(GR_F64, GR_SHAPE(2, 1, 3));
    expect_view(gr_select(x, 0, -1), GR_SHAPE(1, 3), STRIDES(0, 1), NUMBERS(3, 4, 5));
    expect_view(gr_select(x, -1, 1), GR_SHAPE(2, 1), STRIDES(3, 0), NUMBERS(1, 4));
    expect_view(gr_select(gr_select(gr_select(x, 0, 1), 0, 0), 0, 2), GR_SCALAR, NULL, NUMBERS(5));
    expect_view(gr_expand(x, GR_SHAPE(2, 2, 3)), GR_SHAPE(2, 2, 3), STRIDES(3, 0, 1),
                NUMBERS(0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5));
    expect_view(gr_expand(x, GR_SHAPE(2, -1, 1, -1)), GR_SHAPE(2, 2, 1, 3), STRIDES(0, 3, 0, 1),
                NUMBERS(0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5));
    CHECK(has_shape(gr_expand(x, GR_SHAPE(2, 0, 3)), GR_SHAPE(2, 0, 3)));
    expect_view(gr_expand(gr_constant(g, GR_F64, GR_SCALAR, (double[]){4}), GR_SHAPE(3)), GR_SHAPE(3),
                STRIDES(0), NUMBERS(4, 4, 4));
    expect_view(gr_squeeze(x, GR_ALL_AXES), GR_SHAPE(2, 3), STRIDES(3, 1), NUMBERS(0, 1, 2, 3, 4, 5));
    expect_view(gr_squeeze(x, GR_AXES(-2)), GR_SHAPE(2, 3), STRIDES(3, 1), NUMBERS(0, 1, 2, 3, 4, 5));
    expect_view(gr_squeeze(x, (gr_axes){.n = 0}), GR_SHAPE(2, 1, 3), STRIDES(3, 0, 1),
                NUMBERS(0, 1, 2, 3, 4, 5));
    CHECK(has_shape(gr_squeeze(gr_ones(g, GR_F32, GR_SHAPE(1, 1, 1)), GR_AXES(0, 2)), GR_SHAPE(1)));
    CHECK(has_shape(gr_squeeze(gr_ones(g, GR_F32, GR_SHAPE(1, 1)), GR_ALL_AXES), GR_SCALAR));
    expect_view(gr_unsqueeze(gr_transpose(x, 0, 2), 3), GR_SHAPE(3, 1, 2, 1), STRIDES(1, 0, 3, 0),
                NUMBERS(0, 3, 1, 4, 2, 5));
    CHECK(has_shape(gr_unsqueeze(x, 0), GR_SHAPE(1, 2, 1, 3)) &&
          has_shape(gr_unsqueeze(x, -1), GR_SHAPE(2, 1, 3, 1)));
    CHECK(has_shape(gr_unsqueeze(gr_scalar(g, GR_BOOL, 1), -1), GR_SHAPE(1)));
    finish();
}

static void test_joining(void)
{
    begin();
    for (int i = 0; i < 3; i++) {
        const gr_tensor a = counted(types[i], GR_SHAPE(2, 2)),
                        b = gr_transpose(counted(types[i], GR_SHAPE(3, 2)), 0, 1);
        const gr_tensor none = gr_zeros(g, types[i], GR_SHAPE(2, 0)), parts[] = {a, none, b, a};
        expect_view(gr_concat(4, parts, 1), GR_SHAPE(2, 7), STRIDES(7, 1),
                    NUMBERS(0, 1, 0, 2, 4, 0, 1, 2, 3, 1, 3, 5, 2, 3));
        const gr_tensor rows[] = {gr_transpose(b, 0, 1), a};
        expect_view(gr_concat(2, rows, -2), GR_SHAPE(5, 2), STRIDES(2, 1),
                    NUMBERS(0, 1, 2, 3, 4, 5, 0, 1, 2, 3));
        const gr_tensor cube = gr_reshape(counted(types[i], GR_SHAPE(4)), GR_SHAPE(2, 1, 2)),
                        cubes[] = {cube, cube};
        expect_view(gr_concat(2, cubes, 1), GR_SHAPE(2, 2, 2), STRIDES(4, 2, 1),
                    NUMBERS(0, 1, 0, 1, 2, 3, 2, 3));
        expect_view(gr_concat(2, cubes, 2), GR_SHAPE(2, 1, 4), STRIDES(4, 0, 1),
                    NUMBERS(0, 1, 0, 1, 2, 3, 2, 3));
    }
    finish();
}

/* An index of several axes between axes of other sizes: they become one, and index_select is undone. */
static void test_index_of_two_axes(void)
{
    begin();
    const int32_t at[] = {0, 4, 4, 2, 0, 1};
    const gr_tensor index = gr_constant(g, GR_I32, GR_SHAPE(3, 2), at);
    const gr_tensor y = gr_ones(g, GR_F64, GR_SHAPE(7, 3, 2, 4)), x = gr_index_add(y, 1, index, 5);
    CHECK(has_shape(x, GR_SHAPE(7, 5, 4)));
    CHECK(has_values(gr_select(gr_select(x, 2, 3), 0, 6), NUMBERS(2, 1, 1, 0, 2)));
    CHECK(has_shape(gr_index_select(x, 1, index), gr_shape_of(y)));
    finish();
}

/* ---- Odd shapes through everything ---- */

typedef gr_tensor unary(gr_tensor x);
typedef gr_tensor binary(gr_tensor a, gr_tensor b);
static unary *const unaries[] = {gr_neg, gr_square, gr_exp,        gr_log,     gr_log1p, gr_sqrt,
                                 gr_sin, gr_cos,    gr_tanh,       gr_sigmoid, gr_relu,  gr_softplus,
                                 gr_abs, gr_sign,   gr_contiguous, gr_detach,  gr_keep};
static binary *const binaries[] = {gr_add,        gr_sub,     gr_mul,          gr_div,       gr_pow,
                                   gr_maximum,    gr_minimum, gr_equal,        gr_not_equal, gr_less,
                                   gr_less_equal, gr_greater, gr_greater_equal};
static const gr_shape odd_shapes[] = {{0, {0}},
                                      {1, {0}},
                                      {1, {1}},
                                      {2, {0, 3}},
                                      {2, {3, 0}},
                                      {3, {0, 0, 0}},
                                      {3, {1, 0, 1}},
                                      {3, {1, 1, 1}},
                                      {8, {1, 2, 1, 1, 2, 1, 1, 2}},
                                      {8, {2, 1, 2, 0, 1, 2, 1, 1}}};
enum { N_ODD = sizeof odd_shapes / sizeof *odd_shapes };

static gr_tensor total(gr_tensor x) { return gr_sum(x, GR_ALL_AXES, false); }

/* Whatever y is, its gradient has the shape of x. */
static void differentiate(gr_tensor y, gr_tensor x)
{
    CHECK(gr_graph_status(g) == GR_OK);
    if (!gr_requires_grad(y)) return;
    gr_tensor d, dd;
    const gr_tensor loss = total(gr_square(y));
    CHECK(gr_grad(1, &loss, 1, &x, NULL, &(gr_grad_options){.record = true}, &d) == GR_OK);
    CHECK(has_shape(d, gr_shape_of(x)));
    if (!gr_requires_grad(d)) return;
    const gr_tensor slope = total(d);
    CHECK(gr_grad(1, &slope, 1, &x, NULL, &(gr_grad_options){.retain = true}, &dd) == GR_OK &&
          has_shape(dd, gr_shape_of(x)));
}

static void reduce_all(gr_tensor x, gr_shape shape)
{
    gr_shape ones = shape;
    for (int i = 0; i < ones.ndim; i++) ones.dims[i] = 1;
    CHECK(has_shape(gr_sum(x, GR_ALL_AXES, true), ones) &&
          has_shape(gr_mean(x, GR_ALL_AXES, false), GR_SCALAR));
    CHECK(has_shape(gr_logsumexp(x, GR_ALL_AXES, true), ones));
    if (gr_count(x) == 0) {
        CHECK(gr_item(total(x)) == 0 && isnan(gr_item(gr_mean(x, GR_ALL_AXES, false))));
        CHECK(gr_item(gr_logsumexp(x, GR_ALL_AXES, false)) == (double)-INFINITY);
    } else {
        CHECK(has_shape(gr_max(x, GR_ALL_AXES, true), ones));
        differentiate(gr_max(x, GR_ALL_AXES, false), x);
    }
    differentiate(gr_sum(x, GR_ALL_AXES, true), x);
    differentiate(gr_logsumexp(x, GR_ALL_AXES, false), x);
}

/* Views and reductions along one axis. */
static void along_each_axis(gr_tensor x, gr_shape shape)
{
    for (int axis = 0; axis < shape.ndim; axis++) {
        gr_shape rest = {.ndim = 0};
        for (int i = 0; i < shape.ndim; i++)
            if (i != axis) rest.dims[rest.ndim++] = shape.dims[i];
        const gr_axes axes = {.n = 1, .axis = {axis - shape.ndim}};
        CHECK(has_shape(gr_sum(x, axes, false), rest) && has_shape(gr_mean(x, axes, false), rest));
        CHECK(has_shape(gr_logsumexp(x, axes, false), rest) && has_shape(gr_softmax(x, axis), shape));
        differentiate(gr_softmax(x, axis), x);
        differentiate(gr_log_softmax(x, axis), x);
        differentiate(gr_logsumexp(x, axes, false), x);
        const gr_tensor s = gr_slice(x, axis, GR_SLICE_DEFAULT, GR_SLICE_DEFAULT, -1), parts[] = {x, s, x};
        CHECK(has_shape(s, shape));
        CHECK(gr_dim(gr_concat(3, parts, axis), axis) == 3 * shape.dims[axis]);
        differentiate(gr_concat(3, parts, axis), x);
        const gr_tensor none = gr_zeros(g, GR_I32, GR_SHAPE(0));
        CHECK(gr_dim(gr_index_select(x, axis, none), axis) == 0);
        differentiate(gr_index_select(x, axis, none), x);
        const gr_tensor index = gr_zeros(g, GR_I32, shape);
        if (shape.dims[axis] > 0) {
            CHECK(has_shape(gr_gather(x, axis, index), shape) && has_shape(gr_select(x, axis, -1), rest));
            differentiate(gr_gather(x, axis, index), x);
        }
        if (gr_count(x) > 0 || shape.dims[axis] == 0) differentiate(gr_scatter_add(x, axis, index, 4), x);
    }
}

static void test_odd_shapes(void)
{
    for (int i = 0; i < N_ODD; i++) {
        begin();
        const int before = test_failures;
        const gr_shape shape = odd_shapes[i];
        const gr_tensor ones = gr_constant(g, GR_F64, shape, NULL);
        const gr_tensor x = gr_set_requires_grad(gr_keep(gr_add_scalar(ones, 1.5)), true);
        for (size_t k = 0; k < sizeof unaries / sizeof *unaries; k++) {
            CHECK(has_shape(unaries[k](x), shape));
            differentiate(unaries[k](x), x);
        }
        for (size_t k = 0; k < sizeof binaries / sizeof *binaries; k++) {
            CHECK(has_shape(binaries[k](x, ones), shape) &&
                  has_shape(binaries[k](gr_scalar(g, GR_F64, 2), x), shape));
            differentiate(binaries[k](x, x), x);
        }
        differentiate(gr_where(gr_less(x, gr_scalar(g, GR_F64, 1)), x, gr_scalar(g, GR_F64, 0)), x);
        differentiate(gr_cast(gr_cast(x, GR_F32), GR_F64), x);
        CHECK(has_shape(gr_cast(x, GR_I32), shape) && has_shape(gr_cast(x, GR_BOOL), shape));
        differentiate(gr_permute(x, GR_ALL_AXES), x);
        differentiate(gr_reshape(x, GR_SHAPE(gr_count(x))), x);
        differentiate(gr_squeeze(x, GR_ALL_AXES), x);
        if (shape.ndim < GR_MAX_NDIM) differentiate(gr_unsqueeze(x, -1), x);
        reduce_all(x, shape);
        along_each_axis(x, shape);
        CHECK(gr_backward_with(gr_sin(x), &(gr_backward_options){.cotangent = ones}) == GR_OK);
        CHECK(has_shape(gr_gradient(x), shape));
        if (test_failures > before) printf("    shape %d\n", i);
        finish();
    }
}

static void test_matmul_shapes(void)
{
    static const struct {
        gr_shape a, b, y;
    } rows[] = {
        {{1, {3}}, {1, {3}}, {0, {0}}},
        {{2, {2, 3}}, {1, {3}}, {1, {2}}},
        {{1, {3}}, {2, {3, 2}}, {1, {2}}},
        {{2, {2, 0}}, {2, {0, 4}}, {2, {2, 4}}},
        {{2, {0, 3}}, {2, {3, 4}}, {2, {0, 4}}},
        {{1, {0}}, {1, {0}}, {0, {0}}},
        {{3, {5, 2, 3}}, {2, {3, 4}}, {3, {5, 2, 4}}},
        {{4, {5, 1, 2, 3}}, {3, {6, 3, 4}}, {4, {5, 6, 2, 4}}},
        {{3, {0, 2, 3}}, {3, {1, 3, 4}}, {3, {0, 2, 4}}},
        {{1, {3}}, {3, {6, 3, 4}}, {2, {6, 4}}},
        {{3, {6, 4, 3}}, {1, {3}}, {2, {6, 4}}},
        {{8, {1, 2, 1, 1, 1, 1, 2, 3}}, {8, {2, 1, 1, 1, 1, 3, 3, 1}}, {8, {2, 2, 1, 1, 1, 3, 2, 1}}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin();
        const gr_tensor a = gr_set_requires_grad(gr_keep(gr_ones(g, GR_F64, rows[i].a)), true);
        const gr_tensor b = gr_set_requires_grad(gr_keep(gr_ones(g, GR_F64, rows[i].b)), true),
                        y = gr_matmul(a, b);
        CHECK(has_shape(y, rows[i].y));
        const double k = (double)gr_dim(a, -1);
        CHECK(gr_item(total(y)) == k * (double)gr_count(y)); /* zeros where k is 0 */
        differentiate(y, a);
        differentiate(y, b);
        CHECK(gr_backward(total(y)) == GR_OK);
        CHECK(gr_item(total(gr_gradient(a))) == k * (double)gr_count(y));
        finish();
    }
}

/* k = 0 gives zeros, also where the product is too large for the triple loop and its memory is not fresh. */
static void test_matmul_of_nothing(void)
{
    begin();
    for (int i = 0; i < 2; i++) {
        const gr_type type = i ? GR_F32 : GR_F64;
        const gr_shape shapes[] = {{2, {300, 4}}, {2, {4, 300}}};
        for (int k = 0; k < 2; k++) {
            gr_full(g, type, shapes[k], NAN);
            gr_graph_reset(g);
            const gr_tensor y = gr_matmul(gr_zeros(g, type, GR_SHAPE(shapes[k].dims[0], 0)),
                                          gr_zeros(g, type, GR_SHAPE(0, shapes[k].dims[1])));
            CHECK(has_shape(y, shapes[k]) && gr_item(total(gr_square(y))) == 0);
        }
    }
    finish();
}

static void test_broadcasting(void)
{
    static const struct {
        gr_shape a, b, y;
    } rows[] = {
        {{4, {8, 1, 6, 1}}, {3, {7, 1, 5}}, {4, {8, 7, 6, 5}}}, /* the examples in NumPy's manual */
        {{2, {5, 4}}, {1, {1}}, {2, {5, 4}}},
        {{2, {5, 4}}, {1, {4}}, {2, {5, 4}}},
        {{3, {15, 3, 5}}, {2, {3, 1}}, {3, {15, 3, 5}}},
        {{0, {0}}, {2, {2, 3}}, {2, {2, 3}}},
        {{1, {0}}, {1, {1}}, {1, {0}}},
        {{2, {3, 1}}, {2, {1, 0}}, {2, {3, 0}}},
        {{8, {1, 2, 1, 2, 1, 2, 1, 2}}, {7, {1, 2, 1, 2, 1, 2, 1}}, {8, {1, 2, 2, 2, 2, 2, 2, 2}}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin();
        const gr_tensor a = counted(GR_F64, rows[i].a), b = counted(GR_F64, rows[i].b);
        const gr_tensor y = gr_add(a, gr_scale(b, 10000)), z = gr_add(gr_scale(b, 10000), a);
        CHECK(has_shape(y, rows[i].y) && has_shape(z, rows[i].y));
        const gr_tensor ea = gr_expand(a, rows[i].y), eb = gr_expand(b, rows[i].y);
        const gr_tensor same = gr_equal(y, gr_add(ea, gr_scale(eb, 10000)));
        CHECK(gr_item(total(gr_cast(same, GR_I32))) == (double)gr_count(y));
        CHECK(gr_item(total(gr_cast(gr_equal(y, z), GR_I32))) == (double)gr_count(y));
        /* element by element, by the rule itself */
        for (int64_t k = 0; k < gr_count(y); k += 7) {
            int64_t index[GR_MAX_NDIM], rest = k, at_a = 0, at_b = 0, step_a = 1, step_b = 1;
            for (int axis = rows[i].y.ndim - 1; axis >= 0; axis--) {
                index[axis] = rest % rows[i].y.dims[axis];
                rest /= rows[i].y.dims[axis];
                const int own_a = axis - rows[i].y.ndim + rows[i].a.ndim,
                          own_b = axis - rows[i].y.ndim + rows[i].b.ndim;
                if (own_a >= 0) {
                    at_a += index[axis] % rows[i].a.dims[own_a] * step_a;
                    step_a *= rows[i].a.dims[own_a];
                }
                if (own_b >= 0) {
                    at_b += index[axis] % rows[i].b.dims[own_b] * step_b;
                    step_b *= rows[i].b.dims[own_b];
                }
            }
            CHECK(gr_at(y, rows[i].y.ndim, index) == (double)at_a + 10000 * (double)at_b);
        }
        finish();
    }
}

static void test_reductions_by_hand(void)
{
    begin();
    for (int i = 0; i < 3; i++) {
        const gr_tensor x = counted(types[i], GR_SHAPE(2, 3, 2)), t = gr_permute(x, GR_ALL_AXES);
        CHECK(has_values(gr_sum(x, GR_AXES(1), false), NUMBERS(6, 9, 24, 27)));
        CHECK(has_values(gr_sum(t, GR_AXES(1), true), NUMBERS(6, 24, 9, 27)) &&
              has_shape(gr_sum(t, GR_AXES(1), true), GR_SHAPE(2, 1, 2)));
        CHECK(has_values(gr_sum(x, GR_AXES(0, 2), false), NUMBERS(14, 22, 30)));
        CHECK(has_values(gr_sum(x, (gr_axes){.n = 0}, false), NUMBERS(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)));
        CHECK(has_values(gr_max(t, GR_AXES(-1), false), NUMBERS(6, 8, 10, 7, 9, 11)));
        CHECK(has_values(gr_sum_to(x, GR_SHAPE(3, 1)), NUMBERS(14, 22, 30)));
        const gr_tensor back = gr_slice(x, 1, GR_SLICE_DEFAULT, GR_SLICE_DEFAULT, -2);
        CHECK(has_values(gr_sum(back, GR_AXES(0), false), NUMBERS(14, 16, 6, 8)));
    }
    finish();
}

/* One element that lies inside its record, repeated: it takes no memory per repetition. */
static void test_expand_of_few(void)
{
    g = gr_graph_create(&(gr_graph_options){.byte_limit = 1 << 20});
    const int64_t huge = (int64_t)1 << 50;
    const gr_tensor x = gr_param(g, "x", GR_F64, GR_SHAPE(2, 1), (double[]){3, 4});
    const gr_tensor y = gr_expand(gr_scale(x, 2), GR_SHAPE(2, huge));
    CHECK(gr_is_valid(y) && gr_count(y) == 2 * huge);
    CHECK(gr_at(y, 2, (int64_t[]){1, huge - 1}) == 8);
    const gr_tensor part = gr_slice(gr_transpose(y, 0, 1), 0, huge - 1, 0, -huge / 4);
    CHECK(gr_item(gr_sum(part, GR_ALL_AXES, false)) == 4 * 14);
    gr_tensor z = gr_contiguous(gr_expand(gr_scale(x, 2), GR_SHAPE(2, 30)));
    CHECK(gr_backward(gr_sum(gr_mul(z, z), GR_ALL_AXES, false)) == GR_OK);
    CHECK(gr_at(gr_gradient(x), 2, (int64_t[]){1, 0}) == 30 * 2 * 4 * 4);
    const gr_scope scope = gr_scope_begin(g);
    z = gr_expand(gr_scale(x, 2), GR_SHAPE(2, 30));
    const gr_tensor kept = gr_keep(z);
    gr_scope_end(scope, 0, NULL);
    CHECK(gr_at(kept, 2, (int64_t[]){0, 29}) == 6);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* Very many operands, forwards and backwards. */
static void test_concat_of_many(void)
{
    enum { MANY = 100000 };
    static gr_tensor parts[MANY];
    g = gr_graph_create(NULL);
    const gr_tensor x = gr_param(g, "x", GR_F64, GR_SHAPE(3), (double[]){1, 2, 3});
    for (int i = 0; i < MANY; i++) parts[i] = gr_slice(x, 0, i % 3, i % 3 + 1, 1);
    const gr_tensor y = gr_concat(MANY, parts, -1);
    CHECK(has_shape(y, GR_SHAPE(MANY)) && GR_AT(y, 1024) == 2 && GR_AT(y, -1) == 1);
    CHECK(gr_backward(gr_sum(gr_square(y), GR_ALL_AXES, false)) == GR_OK);
    CHECK(GR_AT(gr_gradient(x), 0) == 2 * 33334 && GR_AT(gr_gradient(x), 2) == 6 * 33333);
    /* Where some of them need no gradient, the others keep their places. */
    const gr_tensor some[] = {gr_ones(g, GR_F64, GR_SHAPE(2)), x, gr_ones(g, GR_F64, GR_SHAPE(1)), x};
    const gr_tensor weights = gr_arange(g, GR_F64, 9, 0, 1);
    gr_clear_grads(g);
    CHECK(gr_backward(gr_sum(gr_mul(gr_concat(4, some, 0), weights), GR_ALL_AXES, false)) == GR_OK);
    CHECK(GR_AT(gr_gradient(x), 0) == 2 + 6 && GR_AT(gr_gradient(x), 2) == 4 + 8);
    parts[MANY / 2] = gr_zeros(g, GR_F32, GR_SHAPE(1));
    CHECK(!gr_is_valid(gr_concat(MANY, parts, 0)) && gr_graph_status(g) == GR_ERR_TYPE);
    gr_graph_destroy(g);
}

/* Nothing reduced, and no axis left for the primitive: ln e^x = x, of the same checks as ever. */
static void test_logsumexp_of_most_axes(void)
{
    g = gr_graph_create(NULL);
    const gr_shape most = {.ndim = GR_MAX_NDIM, .dims = {1, 2, 1, 1, 1, 1, 1, 1}};
    const gr_tensor x = gr_param(g, "x", GR_F64, most, (double[]){3, -INFINITY});
    const gr_tensor y = gr_logsumexp(x, (gr_axes){.n = 0}, false);
    double values[2] = {0, 0};
    CHECK(has_shape(y, most) && !gr_same(x, y));
    CHECK(gr_read(y, values, 2) == GR_OK && values[0] == 3 && values[1] == (double)-INFINITY);
    CHECK(gr_backward(gr_sum(y, GR_ALL_AXES, false)) == GR_OK);
    CHECK(gr_read(gr_gradient(x), values, 2) == GR_OK && values[0] == 1 && values[1] == 0);
    CHECK(has_shape(gr_logsumexp(x, GR_AXES(1, -1), true), (gr_shape){8, {1, 1, 1, 1, 1, 1, 1, 1}}));
    CHECK(!gr_is_valid(gr_logsumexp(gr_zeros(g, GR_I32, most), (gr_axes){.n = 0}, false)));
    CHECK(gr_graph_status(g) == GR_ERR_TYPE);
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_views_copy_nothing);
    RUN(test_reshape);
    RUN(test_permute);
    RUN(test_slice);
    RUN(test_select_expand_squeeze);
    RUN(test_joining);
    RUN(test_index_of_two_axes);
    RUN(test_odd_shapes);
    RUN(test_matmul_shapes);
    RUN(test_matmul_of_nothing);
    RUN(test_broadcasting);
    RUN(test_reductions_by_hand);
    RUN(test_concat_of_many);
    RUN(test_expand_of_few);
    RUN(test_logsumexp_of_most_axes);
    return TEST_EXIT;
}
