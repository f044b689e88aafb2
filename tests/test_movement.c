/*
 * What the table of operations cannot say of movement: results that are several, views that share, what stands where nothing is
 * taken, and what remains after an error.
 */
#include "test.h"

#include <gradus.h>

static gr_graph *g;

static gr_tensor numbers(gr_shape shape)
{
    int64_t n = 1;
    for (int i = 0; i < shape.ndim; i++) n *= shape.dims[i];
    return gr_reshape(gr_arange(g, GR_F64, n, 1, 1), shape);
}

static gr_tensor variable(gr_shape shape) { return gr_set_requires_grad(gr_keep(numbers(shape)), true); }

static gr_tensor total(gr_tensor x) { return gr_sum(x, GR_ALL_AXES, false); }

static void expect(gr_tensor t, int n, const double *expected)
{
    CHECK(gr_count(t) == n);
    const gr_tensor flat = gr_cast(gr_reshape(t, GR_SHAPE(-1)), GR_F64);
    for (int i = 0; i < n && i < gr_count(t); i++) CHECK(GR_AT(flat, i) == expected[i]);
}
#define EXPECT(T, ...) expect(T, GR_COUNT_(double, __VA_ARGS__), (const double[]){__VA_ARGS__})

/* ---- split, chunk ---- */

static void test_split(void)
{
    const gr_tensor x = variable(GR_SHAPE(2, 6));
    gr_tensor part[6];
    CHECK(gr_split(x, 1, 3, NULL, part) == GR_OK);
    for (int i = 0; i < 3; i++) EXPECT(part[i], 1 + 2 * i, 2 + 2 * i, 7 + 2 * i, 8 + 2 * i);
    gr_backward(total(gr_mul(part[0], part[2])));
    EXPECT(gr_gradient(x), 5, 6, 0, 0, 1, 2, 11, 12, 0, 0, 7, 8);
    CHECK(gr_split(x, -1, 4, (const int64_t[]){0, 1, 5, 0}, part) == GR_OK);
    CHECK(gr_count(part[0]) == 0 && gr_count(part[3]) == 0 && GR_AT(part[2], 1, 4) == 12);
    CHECK(gr_graph_status(g) == GR_OK);
}

/* Sizes of the chunks, as PyTorch's. */
static void test_chunk(void)
{
    static const struct {
        int64_t size;
        int n, made;
        int64_t sizes[5];
    } cases[] = {{6, 3, 3, {2, 2, 2}},       {7, 3, 3, {3, 3, 1}}, {5, 4, 3, {2, 2, 1}},
                 {3, 5, 3, {1, 1, 1}},       {0, 3, 3, {0, 0, 0}}, {1, 1, 1, {1}},
                 {9, 5, 5, {2, 2, 2, 2, 1}}, {6, 4, 3, {2, 2, 2}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gr_tensor parts[5];
        const int made = gr_chunk(numbers(GR_SHAPE(2, cases[i].size)), 1, cases[i].n, parts);
        CHECK(made == cases[i].made);
        int64_t sum = 0;
        for (int k = 0; k < made; k++) {
            CHECK(gr_dim(parts[k], 1) == cases[i].sizes[k]);
            sum += gr_dim(parts[k], 1);
        }
        CHECK(sum == cases[i].size && gr_graph_status(g) == GR_OK);
        for (int k = made; k < cases[i].n; k++) CHECK(!gr_is_valid(parts[k]) && parts[k].graph == g);
    }
    gr_graph_clear_error(g);
}

/* All handles are invalid, and know their graph. */
static void expect_none(gr_tensor *parts, int n, gr_status status, const char *message)
{
    CHECK(gr_graph_status(g) == status);
    CHECK_TEXT(gr_graph_error(g), message);
    for (int i = 0; i < n; i++) CHECK(parts[i].index == 0 && parts[i].graph == g);
    gr_graph_clear_error(g);
    for (int i = 0; i < n; i++) parts[i] = (gr_tensor){0};
}

static void test_lists_on_error(void)
{
    const gr_tensor x = gr_named(numbers(GR_SHAPE(2, 7)), "x");
    gr_tensor part[3] = {0};
    CHECK(gr_split(x, 1, 3, NULL, part) == GR_ERR_SHAPE);
    expect_none(part, 3, GR_ERR_SHAPE, "split: 3 equal parts of axis 1 are not possible: x [2, 7]");
    CHECK(gr_split(x, 1, 3, (const int64_t[]){3, 3, 2}, part) == GR_ERR_SHAPE);
    expect_none(part, 3, GR_ERR_SHAPE, "split: the sizes of 3 parts do not add up to axis 1: x [2, 7]");
    CHECK(gr_split(x, 1, 3, (const int64_t[]){3, 5, -1}, part) == GR_ERR_SHAPE);
    expect_none(part, 3, GR_ERR_SHAPE, "do not add up");
    CHECK(gr_split(x, 1, 2, (const int64_t[]){INT64_MAX, INT64_MAX}, part) == GR_ERR_SHAPE);
    expect_none(part, 2, GR_ERR_SHAPE, "do not add up");
    CHECK(gr_split(x, 2, 3, NULL, part) == GR_ERR_AXIS);
    expect_none(part, 3, GR_ERR_AXIS, "split: axis 2 is out of range: x [2, 7]");
    CHECK(gr_split(x, 1, 0, NULL, part) == GR_ERR_ARGUMENT);
    expect_none(part, 0, GR_ERR_ARGUMENT, "split: 0 parts");
    CHECK(gr_split(x, 1, 3, NULL, NULL) == GR_ERR_ARGUMENT);
    expect_none(part, 0, GR_ERR_ARGUMENT, "split: ");
    CHECK(gr_split((gr_tensor){g, 0, 0}, 1, 3, NULL, part) == GR_ERR_HANDLE);
    expect_none(part, 3, GR_ERR_HANDLE, "split: ");
    CHECK(gr_chunk(x, -3, 3, part) == 0);
    expect_none(part, 3, GR_ERR_AXIS, "chunk: axis -3 is out of range: x [2, 7]");
    CHECK(gr_chunk(x, 0, -1, part) == 0);
    expect_none(part, 0, GR_ERR_ARGUMENT, "chunk: -1 parts");
    const gr_tensor axes[] = {numbers(GR_SHAPE(2)), x, numbers(GR_SHAPE(3))};
    CHECK(gr_meshgrid(3, axes, part) == GR_ERR_NDIM);
    expect_none(part, 3, GR_ERR_NDIM, "meshgrid: needs vectors: x [2, 7]");
    CHECK(gr_meshgrid(9, axes, NULL) == GR_ERR_ARGUMENT);
    expect_none(part, 0, GR_ERR_ARGUMENT, "meshgrid: 1 to 8 vectors, not 9");
}

/* ---- Views ---- */

/* So large that they would not fit if one of them were a copy. */
static void test_views_share(void)
{
    const gr_tensor x = gr_constant(g, GR_F32, GR_SHAPE(300, 400), NULL);
    const size_t before = gr_graph_memory(g).used;
    gr_tensor views[8], parts[4];
    views[0] = gr_unfold(x, 1, 200, 1);
    views[1] = gr_unfold(views[0], 0, 100, 3);
    views[2] = gr_flip(x, GR_ALL_AXES);
    views[3] = gr_diagonal(x, -3, 0, 1);
    views[4] = gr_diag(x, 5);
    gr_split(x, 0, 4, NULL, parts);
    views[5] = parts[3];
    gr_chunk(x, 1, 4, parts);
    views[6] = parts[2];
    gr_meshgrid(2, (const gr_tensor[]){gr_select(x, 0, 1), gr_select(x, 1, 1)}, parts);
    views[7] = parts[1];
    CHECK(gr_graph_memory(g).used - before < 20000);
    CHECK(gr_count(views[1]) == (int64_t)67 * 201 * 200 * 100);
    for (int i = 0; i < 8; i++) CHECK(gr_is_valid(views[i]));
}

/* A cotangent that overlaps is never added to in place: it is a view of what the windows are of. */
static void test_overlapping_cotangents(void)
{
    const gr_tensor x = variable(GR_SHAPE(40)), u = numbers(GR_SHAPE(40));
    const gr_tensor windows = gr_unfold(x, 0, 4, 1), y = gr_scale(windows, 2);
    const gr_tensor again = gr_add(gr_mul(windows, windows), gr_add(y, gr_unfold(u, 0, 4, 1)));
    gr_tensor gradient;
    const gr_tensor cotangent = gr_unfold(u, 0, 4, 1); /* overlaps, and joins another at `windows` */
    for (int record = 0; record < 2; record++) {
        gr_grad(1, &again, 1, &x, &cotangent, &(gr_grad_options){.retain = true, .record = record},
                &gradient);
        for (int64_t i = 0; i < 40; i++) {
            int64_t times = 0;
            for (int64_t w = 0; w < 37; w++) times += i >= w && i < w + 4;
            CHECK(GR_AT(gradient, i) == (double)times * (double)(i + 1) * (2 * (double)(i + 1) + 2));
        }
    }
    for (int64_t i = 0; i < 40; i++) CHECK(GR_AT(u, i) == (double)i + 1);
    /* twice differentiated: (sum of squares of windows) has the second derivative 2 times */
    const gr_tensor first = gr_derivative(total(gr_square(windows)), x),
                    second = gr_derivative(total(first), x);
    CHECK(GR_AT(second, 0) == 2 && GR_AT(second, 20) == 8 && GR_AT(second, 38) == 4);
}

/* ---- What is not taken ---- */

static void test_zeros_stay_zeros(void)
{
    const gr_tensor x = gr_set_requires_grad(gr_keep(gr_full(g, GR_F64, GR_SHAPE(2, 2), (double)NAN)), true);
    const gr_tensor upper = gr_triu(gr_log(x), 1), mask = gr_full(g, GR_BOOL, GR_SHAPE(2, 2), 1);
    CHECK(isnan(GR_AT(upper, 0, 1)) && GR_AT(upper, 0, 0) == 0 && GR_AT(upper, 1, 0) == 0);
    EXPECT(gr_derivative(total(gr_masked_fill(gr_sqrt(x), mask, 3)), x), 0, 0, 0, 0);
    EXPECT(gr_masked_fill(x, mask, 3), 3, 3, 3, 3);
    /* of masks and whole numbers */
    EXPECT(gr_tril(mask, 0), 1, 0, 1, 1);
    EXPECT(gr_pad(gr_select(mask, 0, 0), GR_SHAPE(1), GR_SHAPE(2), GR_PAD_CONSTANT, 0), 0, 1, 1, 0, 0);
    EXPECT(gr_diag_embed(gr_full(g, GR_I32, GR_SHAPE(2), 7), 0), 7, 0, 0, 7);
}

static void test_embedding_padding(void)
{
    static const int32_t places[] = {2, 0, 2, 1, 0};
    const gr_tensor w = variable(GR_SHAPE(3, 2)), index = gr_constant(g, GR_I32, GR_SHAPE(5), places);
    const gr_tensor y = gr_embedding(w, index, 0);
    EXPECT(y, 5, 6, 1, 2, 5, 6, 3, 4, 1, 2);
    EXPECT(gr_derivative(total(gr_square(y)), w), 0, 0, 6, 8, 20, 24);
    EXPECT(gr_derivative(total(gr_embedding(w, index, -1)), w), 2, 2, 1, 1, 0, 0);
    EXPECT(gr_derivative(total(gr_embedding(w, index, GR_NO_PADDING)), w), 2, 2, 1, 1, 2, 2);
    const gr_tensor t = gr_ones(g, GR_F64, GR_SHAPE(3, 2));
    gr_tensor tangent;
    CHECK(gr_jvp(1, &y, 1, &w, &t, &tangent) == GR_OK);
    EXPECT(tangent, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0);
}

static void test_masks_that_take_nothing(void)
{
    const gr_tensor x = variable(GR_SHAPE(2, 3)), none = gr_zeros(g, GR_BOOL, GR_SCALAR);
    const gr_tensor y = gr_masked_select(x, none);
    CHECK(gr_count(y) == 0 && gr_ndim(y) == 1 && gr_count(gr_flatnonzero(none)) == 0);
    EXPECT(gr_derivative(total(y), x), 0, 0, 0, 0, 0, 0);
    EXPECT(gr_flatnonzero(gr_greater(gr_transpose(x, 0, 1), gr_scalar(g, GR_F64, 3))), 1, 3, 5);
}

/* ---- Lists of any length ---- */

static void test_many_tensors(void)
{
    enum { MANY = 300 };
    static gr_tensor tensors[MANY];
    const gr_tensor x = variable(GR_SHAPE(2));
    for (int i = 0; i < MANY; i++) tensors[i] = gr_scale(x, i);
    const gr_tensor y = gr_stack(MANY, tensors, 0);
    CHECK(gr_dim(y, 0) == MANY && gr_dim(y, 1) == 2 && GR_AT(y, 299, 1) == 598);
    EXPECT(gr_derivative(total(y), x), 44850, 44850);
}

static void test_axes_run_out(void)
{
    const gr_tensor x = gr_reshape(numbers(GR_SHAPE(2)), (gr_shape){8, {1, 1, 1, 1, 1, 1, 1, 2}});
    const gr_tensor pair[] = {x, x};
    const gr_tensor results[] = {gr_stack(2, pair, 0), gr_unfold(x, 7, 1, 1), gr_diag_embed(x, 0)};
    for (int i = 0; i < 3; i++) CHECK(!gr_is_valid(results[i]));
    CHECK(gr_graph_status(g) == GR_ERR_NDIM);
    gr_graph_clear_error(g);
    /* where there is no room for one more axis in between, either */
    EXPECT(gr_tile(x, (gr_shape){8, {2, 1, 1, 1, 2, 1, 1, 1}}), 1, 2, 1, 2, 1, 2, 1, 2);
    EXPECT(gr_repeat_interleave(x, 7, 2), 1, 1, 2, 2);
    EXPECT(gr_pad(x, (gr_shape){8, {0, 0, 0, 0, 0, 0, 0, 1}}, (gr_shape){8, {0}}, GR_PAD_REFLECT, 0), 2, 1,
           2);
    CHECK(gr_graph_status(g) == GR_OK);
}

#define RUN_ON_A_GRAPH(TEST)                \
    do {                                    \
        g = gr_graph_create(NULL);          \
        RUN(TEST);                          \
        CHECK(gr_graph_status(g) == GR_OK); \
        gr_graph_destroy(g);                \
    } while (0)

int main(void)
{
    RUN_ON_A_GRAPH(test_split);
    RUN_ON_A_GRAPH(test_chunk);
    RUN_ON_A_GRAPH(test_lists_on_error);
    RUN_ON_A_GRAPH(test_views_share);
    RUN_ON_A_GRAPH(test_overlapping_cotangents);
    RUN_ON_A_GRAPH(test_zeros_stay_zeros);
    RUN_ON_A_GRAPH(test_embedding_padding);
    RUN_ON_A_GRAPH(test_masks_that_take_nothing);
    RUN_ON_A_GRAPH(test_many_tensors);
    RUN_ON_A_GRAPH(test_axes_run_out);
    return TEST_EXIT;
}
