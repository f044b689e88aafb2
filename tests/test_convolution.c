/*
 * The kernels of convolutions against six loops, over many geometries, sizes at which slabs are cut,
 * instruction sets and numbers of threads; what the operations say about operands that do not fit. The rows of
 * the table (operations/) have the small cases and the derivatives.
 */
#include "gradus.h"
#include "test.h"
#include "ops/kernels/convolution.h"

#include <stdlib.h>

/* ---- Kernels ---- */

/* The form, as doubles. */
typedef struct form {
    gri_conv c;
    int64_t n_x, n_w, n_y;
    double *x, *w, *y;
} form;

static double number(int64_t i) { return (double)((i * 7919 + 13) % 64 - 32) / 32; }

static double *numbers(int64_t n, int64_t salt)
{
    double *v = malloc((size_t)(n + 1) * sizeof *v);
    for (int64_t i = 0; v && i < n; i++) v[i] = number(i * 3 + salt);
    return v;
}

static bool make_form(form *f, const gri_conv *c)
{
    const int64_t planes = c->n * c->groups;
    f->c = *c;
    f->n_x = planes * c->in * c->size[0] * c->size[1];
    f->n_w = c->groups * c->out * c->in * c->kernel[0] * c->kernel[1];
    f->n_y = planes * c->out * c->result[0] * c->result[1];
    f->x = numbers(f->n_x, 1);
    f->w = numbers(f->n_w, 2);
    f->y = numbers(f->n_y, 3);
    return f->x && f->w && f->y;
}

static void free_form(form *f)
{
    free(f->x);
    free(f->w);
    free(f->y);
}

/* One side by its definition. */
static void define(const form *f, gri_conv_side side, double *to)
{
    const gri_conv *c = &f->c;
    const int64_t count = side == GRI_CONV_Y ? f->n_y : side == GRI_CONV_X ? f->n_x : f->n_w;
    const int64_t taps = c->kernel[0] * c->kernel[1], windows = c->result[0] * c->result[1];
    memset(to, 0, (size_t)count * sizeof *to);
    for (int64_t group = 0; group < c->n * c->groups; group++)
        for (int64_t pair = 0; pair < c->in * c->out; pair++)
            for (int64_t k = 0; k < taps; k++)
                for (int64_t e = 0; e < windows; e++) {
                    const int64_t in = pair % c->in, out = pair / c->in;
                    const int64_t h = e / c->result[1] * c->stride[0] + k / c->kernel[1] * c->dilation[0] -
                                      c->padding[0];
                    const int64_t v = e % c->result[1] * c->stride[1] + k % c->kernel[1] * c->dilation[1] -
                                      c->padding[1];
                    if (h < 0 || v < 0 || h >= c->size[0] || v >= c->size[1]) continue;
                    const int64_t x = ((group * c->in + in) * c->size[0] + h) * c->size[1] + v;
                    const int64_t w = ((group % c->groups * c->out + out) * c->in + in) * taps + k;
                    const int64_t y = (group * c->out + out) * windows + e;
                    if (side == GRI_CONV_Y) to[y] += f->w[w] * f->x[x];
                    if (side == GRI_CONV_X) to[x] += f->w[w] * f->y[y];
                    if (side == GRI_CONV_W) to[w] += f->y[y] * f->x[x];
                }
}

/* The elements in the type of the kernel, in memory aligned as that of graphs; `fill`: what is to be
   overwritten. */
static void *typed(const double *v, int64_t n, bool is_f64, bool fill)
{
    void *block = aligned_alloc(64, ((size_t)n * 8 + 127) / 64 * 64);
    for (int64_t i = 0; block && i < n; i++) {
        const double value = fill ? (double)NAN : v[i];
        if (is_f64)
            ((double *)block)[i] = value;
        else
            ((float *)block)[i] = (float)value;
    }
    return block;
}

/* Computes a side; the result, to be freed. */
static void *computed(const form *f, gri_conv_side side, gri_isa isa, gri_threads *threads)
{
    const bool f64 = f->c.is_f64;
    void *x = typed(f->x, f->n_x, f64, side == GRI_CONV_X), *w = typed(f->w, f->n_w, f64, side == GRI_CONV_W);
    void *y = typed(f->y, f->n_y, f64, side == GRI_CONV_Y);
    const size_t bytes = gri_convolve_workspace(isa, &f->c, side, threads);
    unsigned char *workspace = bytes ? aligned_alloc(64, (bytes + 127) / 64 * 64) : NULL;
    if (workspace) memset(workspace, 0x7f, (bytes + 127) / 64 * 64);
    gri_convolve(isa, &f->c, side, x, w, y, workspace, threads);
    for (size_t i = bytes; workspace && i < (bytes + 127) / 64 * 64; i++) CHECK(workspace[i] == 0x7f);
    free(workspace);
    void *const all[] = {y, x, w};
    for (int i = 0; i < 3; i++)
        if (i != (int)side) free(all[i]);
    return all[side];
}

static void check_side(const form *f, gri_conv_side side, gri_isa isa, gri_threads *const *threads)
{
    const int64_t count = side == GRI_CONV_Y ? f->n_y : side == GRI_CONV_X ? f->n_x : f->n_w;
    const size_t element = f->c.is_f64 ? 8 : 4;
    double *expected = malloc((size_t)(count + 1) * sizeof *expected), worst = 0;
    void *result = computed(f, side, isa, threads[0]);
    if (!expected || !result) return;
    define(f, side, expected);
    const double tolerance = f->c.is_f64 ? 1e-12 : 1e-4;
    for (int64_t i = 0; i < count; i++) {
        const double v = f->c.is_f64 ? ((double *)result)[i] : (double)((float *)result)[i];
        const double error = fabs(v - expected[i]) / fmax(1, fabs(expected[i]));
        if (!(error <= worst)) worst = error;
    }
    CHECK(worst <= tolerance);
    for (int k = 1; k < 3; k++) {
        void *again = computed(f, side, isa, threads[k]);
        CHECK(again && memcmp(again, result, (size_t)count * element) == 0); /* bit for bit */
        free(again);
    }
    free(result);
    free(expected);
}

/* Sizes of y that fit, from the others. */
static gri_conv settled(gri_conv c)
{
    for (int a = 0; a < 2; a++)
        c.result[a] = (c.size[a] + 2 * c.padding[a] - c.dilation[a] * (c.kernel[a] - 1) - 1) / c.stride[a] +
                      1;
    return c;
}

/* Geometries at which something is cut: channels, rows, columns, images. */
static const gri_conv large[] = {
    {2, 1, 50, 17, {20, 33}, {3, 3}, {0}, {1, 1}, {1, 1}, {1, 1}, false},
    {1, 1, 3, 40, {41, 43}, {7, 7}, {0}, {2, 2}, {3, 3}, {1, 1}, false},
    {3, 2, 45, 20, {9, 11}, {3, 3}, {0}, {2, 1}, {0, 2}, {1, 2}, false},
    {1, 1, 2, 5, {1, 9001}, {1, 5}, {0}, {1, 1}, {0, 2}, {1, 1}, false},
    {2, 1, 500, 30, {8, 8}, {1, 1}, {0}, {1, 1}, {0, 0}, {1, 1}, false},
    {2, 1, 40, 30, {32, 64}, {1, 1}, {0}, {1, 1}, {0, 0}, {1, 1}, false}, /* strides that alias */
    {37, 1, 3, 20, {12, 12}, {5, 5}, {0}, {1, 1}, {0, 0}, {1, 1}, false},
    {2, 60, 1, 1, {60, 61}, {3, 3}, {0}, {1, 1}, {1, 1}, {1, 1}, false},
    {19, 3, 1, 2, {9, 70}, {3, 5}, {0}, {2, 2}, {1, 2}, {1, 1}, false},
    {4, 1, 30, 1, {30, 20}, {3, 3}, {0}, {1, 1}, {1, 1}, {1, 1}, false},
    {1, 1, 1, 30, {40, 40}, {25, 25}, {0}, {1, 1}, {0, 0}, {1, 1}, false}, /* more taps than a slab is deep */
    {1, 1, 6, 10, {16, 20}, {3, 3}, {0}, {1, 1}, {-2, -3}, {1, 1}, false}, /* cropped */
};

static gri_conv random_conv(int64_t i)
{
    uint32_t r[16];
    for (int k = 0; k < 16; k++) r[k] = (uint32_t)((i * 16 + k + 1) * 2654435761u) >> 8;
    gri_conv c = {.n = 1 + r[0] % 5, .groups = 1 + r[1] % 3, .in = 1 + r[2] % 9, .out = 1 + r[3] % 12};
    for (int a = 0; a < 2; a++) {
        c.kernel[a] = 1 + r[4 + a] % 4;
        c.stride[a] = 1 + r[6 + a] % 3;
        c.dilation[a] = 1 + r[8 + a] % 3;
        c.padding[a] = r[10 + a] % 4;
        const int64_t least = c.dilation[a] * (c.kernel[a] - 1) + 1 - 2 * c.padding[a];
        c.size[a] = (least > 0 ? least : 1) + r[12 + a] % 14;
    }
    c.is_f64 = r[14] % 2;
    return c;
}

static void check_form(const gri_conv *c, gri_threads *const *threads)
{
    const gri_conv k = settled(*c);
    const int before = test_failures;
    form f;
    if (!make_form(&f, &k)) return;
    for (int isa = 0; isa < GRI_ISA_COUNT; isa++)
        for (int side = 0; side < 3; side++)
            if (gri_isa_available((gri_isa)isa)) check_side(&f, (gri_conv_side)side, (gri_isa)isa, threads);
    if (test_failures != before)
        printf("  n %d, groups %d, %d to %d, size %dx%d, kernel %dx%d\n", (int)k.n, (int)k.groups, (int)k.in,
               (int)k.out, (int)k.size[0], (int)k.size[1], (int)k.kernel[0], (int)k.kernel[1]);
    free_form(&f);
}

static void test_kernels(void)
{
    const gr_allocator none = {0};
    gri_memory memory;
    gri_memory_init(&memory, &none, SIZE_MAX);
    gri_threads *const threads[] = {NULL, gri_threads_create(&memory, 2), gri_threads_create(&memory, 5)};
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        gri_conv c = large[i];
        for (int f64 = 0; f64 < 2; f64++) {
            c.is_f64 = f64;
            check_form(&c, threads);
        }
    }
    for (int64_t i = 0; i < 150; i++) {
        const gri_conv c = random_conv(i);
        check_form(&c, threads);
    }
    for (int i = 1; i < 3; i++) gri_threads_destroy(threads[i]);
    gri_memory_trim(&memory);
}

/* Memory does not grow with the number of images. */
static void test_workspace(void)
{
    gri_conv c = settled((gri_conv){1, 1, 64, 64, {56, 56}, {3, 3}, {0}, {1, 1}, {1, 1}, {1, 1}, false});
    size_t bytes[3], more;
    for (int side = 0; side < 3; side++) {
        c.n = 8;
        bytes[side] = gri_convolve_workspace(gri_isa_best(), &c, (gri_conv_side)side, NULL);
        c.n = 4096;
        more = gri_convolve_workspace(gri_isa_best(), &c, (gri_conv_side)side, NULL);
        CHECK(more == bytes[side]);
        CHECK(more < (size_t)4 << 20);
    }
}

/* ---- Messages ---- */

static gr_graph *g;

static void expect(gr_tensor y, gr_status status, const char *text)
{
    CHECK(!gr_is_valid(y));
    CHECK(gr_graph_status(g) == status);
    CHECK_TEXT(gr_graph_error(g), text);
    gr_graph_clear_error(g);
}

static gr_tensor zeros(gr_shape shape) { return gr_zeros(g, GR_F32, shape); }
#define O(...) \
    &(const gr_conv_options) { __VA_ARGS__ }

static void test_errors(void)
{
    g = gr_graph_create(NULL);
    const gr_tensor x = gr_named(zeros(GR_SHAPE(2, 4, 5, 6)), "x"), w = zeros(GR_SHAPE(8, 4, 3, 3));
    const gr_tensor none = GR_NONE, seq = zeros(GR_SHAPE(2, 4, 5)), w1 = zeros(GR_SHAPE(8, 4, 3));
    expect(gr_conv2d(x, zeros(GR_SHAPE(8, 3, 3, 3)), none, NULL), GR_ERR_SHAPE,
           "conv2d: the channels are not those of the weight: x [2, 4, 5, 6], full [8, 3, 3, 3] (4 vs 3)");
    expect(gr_conv2d(x, zeros(GR_SHAPE(8, 4, 6, 3)), none, NULL), GR_ERR_SHAPE,
           "conv2d: the kernel is larger than the padded plane: x [2, 4, 5, 6], full [8, 4, 6, 3] (axis -2: "
           "6 vs 5)");
    expect(gr_conv2d(x, zeros(GR_SHAPE(8, 4, 3, 3)), none, O(.dilation = {1, 3})), GR_ERR_SHAPE,
           "axis -1: 7 vs 6");
    expect(gr_conv2d(x, w, none, O(.stride = {2})), GR_ERR_ARGUMENT, "of both axes or left 0");
    expect(gr_conv2d(x, w, none, O(.stride = {-1, 1})), GR_ERR_ARGUMENT, "stride -1");
    expect(gr_conv2d(x, w, none, O(.padding = {0, -1})), GR_ERR_ARGUMENT, "negative padding");
    expect(gr_conv2d(x, w, none, O(.groups = -1)), GR_ERR_ARGUMENT, "groups must be positive");
    expect(gr_conv2d(x, zeros(GR_SHAPE(7, 2, 3, 3)), none, O(.groups = 2)), GR_ERR_SHAPE,
           "cannot be cut into the groups");
    expect(gr_conv2d(x, w, none, O(.output_padding = {1, 1})), GR_ERR_ARGUMENT, "for transposed");
    expect(gr_conv2d(x, w, zeros(GR_SHAPE(7)), NULL), GR_ERR_SHAPE, "one element per channel of the result");
    expect(gr_conv2d(x, w, gr_zeros(g, GR_F64, GR_SHAPE(8)), NULL), GR_ERR_TYPE, "types differ");
    expect(gr_conv2d(x, gr_zeros(g, GR_F64, GR_SHAPE(8, 4, 3, 3)), none, NULL), GR_ERR_TYPE, "types differ");
    expect(gr_conv2d(seq, w1, none, NULL), GR_ERR_NDIM, "needs x [n, in, h, w] or [in, h, w]");
    expect(gr_conv1d(x, w1, none, NULL), GR_ERR_NDIM, "conv1d: needs x [n, in, l]");
    expect(gr_conv1d(seq, w1, none, O(.stride = {2, 2})), GR_ERR_ARGUMENT, "sequences have one axis");
    expect(gr_conv1d(seq, zeros(GR_SHAPE(8, 4, 9)), none, NULL), GR_ERR_SHAPE,
           "conv1d: the kernel is larger");
    expect(gr_conv2d(x, zeros(GR_SHAPE(8, 4, 0, 3)), none, NULL), GR_ERR_SHAPE, "the kernel has no elements");
    expect(gr_conv2d(x, w, none, O(.padding = {INT64_MAX, 0})), GR_ERR_OVERFLOW, "too large");
    expect(gr_conv2d(x, w, none, O(.dilation = {(int64_t)1 << 39, 1})), GR_ERR_OVERFLOW, "too large");
    expect(gr_conv_transpose2d(x, zeros(GR_SHAPE(4, 2, 3, 3)), none, O(.output_padding = {1, 0})),
           GR_ERR_ARGUMENT, "output_padding must be smaller than stride or dilation");
    expect(gr_conv_transpose2d(x, zeros(GR_SHAPE(5, 2, 3, 3)), none, NULL), GR_ERR_SHAPE, "4 vs 5");
    expect(gr_conv_transpose2d(x, zeros(GR_SHAPE(4, 2, 3, 3)), none, O(.padding = {9, 0})), GR_ERR_SHAPE,
           "nothing is left between the padding");
    expect(gr_conv2d(none, w, none, NULL), GR_ERR_HANDLE, "operand 1");
    gr_graph *other = gr_graph_create(NULL);
    expect(gr_conv2d(x, gr_zeros(other, GR_F32, GR_SHAPE(8, 4, 3, 3)), none, NULL), GR_ERR_GRAPH,
           "operand 2");
    expect(gr_conv2d(x, w, gr_zeros(other, GR_F32, GR_SHAPE(8)), NULL), GR_ERR_GRAPH, "conv2d: operand 3");
    gr_graph_destroy(other);
    gr_graph_destroy(g);
}

#define P(...) \
    &(const gr_pool_options) { __VA_ARGS__ }

static void test_pooling_errors(void)
{
    g = gr_graph_create(NULL);
    const gr_tensor x = gr_named(zeros(GR_SHAPE(2, 5, 6)), "x");
    expect(gr_max_pool2d(x, NULL), GR_ERR_ARGUMENT,
           "max_pool2d: the window needs a size, of both axes: x [2, 5, 6] (0)");
    expect(gr_max_pool2d(x, P(.kernel = {2})), GR_ERR_ARGUMENT, "the window needs a size");
    expect(gr_max_pool2d(x, P(.kernel = {2, 2}, .padding = {2, 0})), GR_ERR_ARGUMENT,
           "the padding must be within half of the window: x [2, 5, 6] (2 of 2)");
    expect(gr_avg_pool2d(x, P(.kernel = {2, 2}, .stride = {0, 1})), GR_ERR_ARGUMENT, "must be positive");
    expect(gr_avg_pool2d(x, P(.kernel = {6, 2})), GR_ERR_SHAPE,
           "avg_pool2d: the window is larger than the padded plane: x [2, 5, 6] (axis -2: 6 vs 5)");
    expect(gr_avg_pool2d(x, P(.kernel = {2, 2}, .dilation = {2, 2})), GR_ERR_ARGUMENT,
           "means have no dilation");
    expect(gr_max_pool2d(x, P(.kernel = {2, 2}, .exclude_padding = true)), GR_ERR_ARGUMENT, "is for means");
    expect(gr_max_pool1d(x, P(.kernel = {2, 2})), GR_ERR_ARGUMENT, "sequences have one axis");
    expect(gr_max_pool1d(x, P(.kernel = {7})), GR_ERR_SHAPE, "max_pool1d: the window is larger");
    expect(gr_max_pool1d(gr_scalar(g, GR_F32, 1), P(.kernel = {1})), GR_ERR_NDIM, "max_pool1d");
    expect(gr_max_pool2d(zeros(GR_SHAPE(1, 1)), P(.kernel = {2, 2}, .dilation = {4, 4}, .padding = {2, 2})),
           GR_ERR_SHAPE, "a window holds nothing but padding");
    expect(gr_max_pool2d(zeros(GR_SHAPE(3)), P(.kernel = {1, 1})), GR_ERR_NDIM, "at least two axes");
    expect(gr_max_pool2d(zeros(GR_SHAPE(2, 0, 3)), P(.kernel = {1, 1})), GR_ERR_SHAPE, "have no elements");
    expect(gr_max_pool2d(gr_zeros(g, GR_I32, GR_SHAPE(3, 3)), P(.kernel = {1, 1})), GR_ERR_TYPE,
           "needs f32 or f64");
    expect(gr_max_pool2d(x, P(.kernel = {2, 2}, .stride = {INT64_MAX, 1})), GR_ERR_OVERFLOW, "too large");
    expect(gr_adaptive_avg_pool2d(x, 0, 2), GR_ERR_ARGUMENT, "adaptive_avg_pool2d: the result needs a size");
    expect(gr_max_pool2d(x, P(.kernel = {2, 2}, .divisor = 2)), GR_ERR_ARGUMENT,
           "max_pool2d: a divisor is for means");
    expect(gr_avg_pool2d(x, P(.kernel = {2, 2}, .divisor = -2)), GR_ERR_ARGUMENT,
           "avg_pool2d: the divisor is negative");
    expect(gr_max_pool2d((gr_tensor){g, 0, 0}, P(.kernel = {1, 1})), GR_ERR_HANDLE, "max_pool2d");
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_kernels);
    RUN(test_workspace);
    RUN(test_errors);
    RUN(test_pooling_errors);
    return TEST_EXIT;
}
