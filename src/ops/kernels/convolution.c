/*
 * Convolutions as matrix products. A slab is some channels of x seen through a rectangle of windows: unrolled it is
 * the matrix [channels x taps, windows] that a row of w is multiplied with. It is made piece by piece in a buffer
 * that stays in cache, so memory does not grow with the image, and not made at all where the windows are single
 * elements side by side. Where a group has too few channels for a product of matrices (depthwise convolutions),
 * each tap goes over the rows of the planes directly.
 *
 * The transposed convolution goes the other way: it multiplies first, and adds the slab to where it was
 * unrolled from.
 */
#include "ops/kernels/convolution.h"
#include "ops/kernels/gemm.h"
#include "ops/kernels/windows.h"

#include <stdatomic.h>
#include <string.h>

/* Of an unrolled slab: most bytes, most rows of the matrix (the product cuts there anyway), least windows. */
enum { SLAB_BYTES = 256 << 10, SLAB_DEPTH = 384, SLAB_WINDOWS = 64 };
/* Rows at a multiple of this distance push each other out of the cache: see gemm.c. */
enum { ALIASING_BYTES = 2048, ROW_BYTES = 64, ALIGN = 64 };
/* Tasks that the correlation for w is cut into, where sizes allow, by cutting the images into so many sums. */
enum { WEIGHT_TASKS = 8 };
/* Up to so many pairs of channels in a group, and up to so many of y, products of matrices do not pay. */
enum { DIRECT_PAIRS = 4, DIRECT_OUT = 1 };
/* Elements of a strip of a plane that stays in the first-level cache while all taps go over it. */
enum { STRIP = 2048 };
/* Fewer multiplications than this are over before a second thread has woken up. */
static const double THREADS_PAY = 200e3;

static int64_t smaller(int64_t x, int64_t y) { return x < y ? x : y; }
static int64_t larger(int64_t x, int64_t y) { return x > y ? x : y; }
static int64_t parts(int64_t total, int64_t part) { return total / part + (total % part != 0); }
/* The largest part when `total` is cut into equal parts of at most `most`. */
static int64_t even_part(int64_t total, int64_t most)
{
    return total <= most ? larger(total, 1) : parts(total, parts(total, most));
}

/* ---- What one tap of the kernel sees ---- */

/* Window (r, s) of a rectangle of windows sees element at + r row_step + s col_step of a plane, for r in [row,
   row_end) and s in [col, col_end); the others see padding. */
typedef struct tap {
    int64_t rows, cols; /* of the rectangle */
    int64_t row, row_end, col, col_end;
    int64_t at, row_step, col_step;
} tap;

typedef struct rectangle {
    int64_t row, rows, col, cols;
} rectangle;

static tap tap_of(const gri_conv *c, const rectangle *r, int64_t i, int64_t j)
{
    tap t = {
        .rows = r->rows, .cols = r->cols, .row_step = c->stride[0] * c->size[1], .col_step = c->stride[1]};
    const int64_t h = r->row * c->stride[0] + i * c->dilation[0] - c->padding[0];
    const int64_t v = r->col * c->stride[1] + j * c->dilation[1] - c->padding[1];
    t.at = h * c->size[1] + v;
    gri_windows_seeing(h, c->stride[0], c->size[0], r->rows, &t.row, &t.row_end);
    gri_windows_seeing(v, c->stride[1], c->size[1], r->cols, &t.col, &t.col_end);
    return t;
}

/* Rows are often shorter than what a call of memcpy or memset pays for: those are copied in pieces, the last of
   which may overlap the one before. */
enum { PIECE = 16, SHORT_BYTES = 512 };

static inline void copy_row(void *to, const void *from, size_t bytes)
{
    if (bytes < PIECE || bytes > SHORT_BYTES) {
        memcpy(to, from, bytes);
        return;
    }
    for (size_t at = 0; at < bytes; at += PIECE) {
        const size_t start = at + PIECE <= bytes ? at : bytes - PIECE;
        memcpy((char *)to + start, (const char *)from + start, PIECE);
    }
}

static inline void clear_row(void *to, size_t bytes)
{
    if (bytes < PIECE || bytes > SHORT_BYTES) {
        memset(to, 0, bytes);
        return;
    }
    for (size_t at = 0; at < bytes; at += PIECE) {
        const size_t start = at + PIECE <= bytes ? at : bytes - PIECE;
        memset((char *)to + start, 0, PIECE);
    }
}

/* The loops over what a tap sees. `plane` is of x; `windows` has rows of t->cols elements. */
enum { LANES = 16 };
#define TAP_LOOPS(SUFFIX, T)                                                                            \
    /* windows = what they see */                                                                       \
    static void unroll_##SUFFIX(void *windows, const void *plane, const tap *t)                         \
    {                                                                                                   \
        T *to = windows;                                                                                \
        for (int64_t r = 0; r < t->rows; r++, to += t->cols) {                                          \
            if (r < t->row || r >= t->row_end || t->col == t->col_end) {                                \
                clear_row(to, (size_t)t->cols * sizeof *to);                                            \
                continue;                                                                               \
            }                                                                                           \
            const T *restrict from = (const T *)plane + t->at + r * t->row_step + t->col * t->col_step; \
            const int64_t n = t->col_end - t->col;                                                      \
            for (int64_t s = 0; s < t->col; s++) to[s] = 0;                                             \
            if (t->col_step == 1)                                                                       \
                copy_row(to + t->col, from, (size_t)n * sizeof *to);                                    \
            else                                                                                        \
                for (int64_t s = 0; s < n; s++) to[t->col + s] = from[s * t->col_step];                 \
            for (int64_t s = t->col_end; s < t->cols; s++) to[s] = 0;                                   \
        }                                                                                               \
    }                                                                                                   \
    /* plane += factor windows */                                                                       \
    static void roll_##SUFFIX(void *plane, const void *windows, double factor, const tap *t)            \
    {                                                                                                   \
        const T w = (T)factor;                                                                          \
        const int64_t n = t->col_end - t->col;                                                          \
        for (int64_t r = t->row; r < t->row_end && n > 0; r++) {                                        \
            const T *restrict from = (const T *)windows + r * t->cols + t->col;                         \
            T *restrict to = (T *)plane + t->at + r * t->row_step + t->col * t->col_step;               \
            if (t->col_step == 1)                                                                       \
                for (int64_t s = 0; s < n; s++) to[s] += w * from[s];                                   \
            else                                                                                        \
                for (int64_t s = 0; s < n; s++) to[s * t->col_step] += w * from[s];                     \
        }                                                                                               \
    }                                                                                                   \
    /* windows += factor times what they see */                                                         \
    static void add_seen_##SUFFIX(void *windows, const void *plane, double factor, const tap *t)        \
    {                                                                                                   \
        const T w = (T)factor;                                                                          \
        const int64_t n = t->col_end - t->col;                                                          \
        for (int64_t r = t->row; r < t->row_end && n > 0; r++) {                                        \
            T *restrict to = (T *)windows + r * t->cols + t->col;                                       \
            const T *restrict from = (const T *)plane + t->at + r * t->row_step + t->col * t->col_step; \
            if (t->col_step == 1)                                                                       \
                for (int64_t s = 0; s < n; s++) to[s] += w * from[s];                                   \
            else                                                                                        \
                for (int64_t s = 0; s < n; s++) to[s] += w * from[s * t->col_step];                     \
        }                                                                                               \
    }                                                                                                   \
    /* sum of windows times what they see, lane by lane, the lanes of all rows in double */             \
    static double correlate_##SUFFIX(const void *windows, const void *plane, const tap *t)              \
    {                                                                                                   \
        const int64_t n = t->col_end - t->col;                                                          \
        double total = 0;                                                                               \
        T lane[LANES] = {0};                                                                            \
        for (int64_t r = t->row; r < t->row_end && n > 0; r++) {                                        \
            const T *restrict y = (const T *)windows + r * t->cols + t->col;                            \
            const T *restrict x = (const T *)plane + t->at + r * t->row_step + t->col * t->col_step;    \
            int64_t s = 0;                                                                              \
            if (t->col_step == 1)                                                                       \
                for (; s + LANES <= n; s += LANES)                                                      \
                    for (int l = 0; l < LANES; l++) lane[l] += x[s + l] * y[s + l];                     \
            T rest = 0;                                                                                 \
            for (; s < n; s++) rest += x[s * t->col_step] * y[s];                                       \
            total += (double)rest;                                                                      \
        }                                                                                               \
        for (int l = 0; l < LANES; l++) total += (double)lane[l];                                       \
        return total;                                                                                   \
    }                                                                                                   \
    static void add_to_##SUFFIX(void *sum, const void *term, int64_t n)                                 \
    {                                                                                                   \
        T *restrict to = sum;                                                                           \
        const T *restrict from = term;                                                                  \
        for (int64_t i = 0; i < n; i++) to[i] += from[i];                                               \
    }
TAP_LOOPS(f32, float)
TAP_LOOPS(f64, double)

typedef struct loops {
    void (*unroll)(void *windows, const void *plane, const tap *t);
    void (*roll)(void *plane, const void *windows, double factor, const tap *t);
    void (*add_seen)(void *windows, const void *plane, double factor, const tap *t);
    double (*correlate)(const void *windows, const void *plane, const tap *t);
    void (*add_to)(void *sum, const void *term, int64_t n);
} loops;

static const loops *loops_of(const gri_conv *c)
{
    static const loops f32 = {unroll_f32, roll_f32, add_seen_f32, correlate_f32, add_to_f32};
    static const loops f64 = {unroll_f64, roll_f64, add_seen_f64, correlate_f64, add_to_f64};
    return c->is_f64 ? &f64 : &f32;
}

/* ---- The plan ---- */

typedef enum way {
    WAY_PRODUCT, /* unrolled slabs */
    WAY_PLAIN,   /* a window is an element, and they lie as they are: x is its own slab */
    WAY_DIRECT   /* tap by tap */
} way;

typedef struct plan {
    gri_conv c;
    gri_conv_side side;
    way way;
    int64_t element;                 /* bytes */
    int64_t taps, plane, windows;    /* elements of a kernel, of a plane of x, of a plane of y */
    int64_t channels, channel_slabs; /* of a slab, and how many slabs there are */
    int64_t rows, cols;              /* of its rectangle of windows */
    int64_t row_slabs, col_slabs;
    int64_t chunks, images_per_chunk; /* for w: sums over part of the images */
    int64_t tasks;
    size_t buffer_bytes, lane_bytes; /* unrolled slab; that and the workspace of the product */
} plan;

static bool is_plain(const gri_conv *c)
{
    bool plain = true;
    for (int a = 0; a < 2; a++)
        plain &= c->kernel[a] == 1 && c->stride[a] == 1 && c->padding[a] == 0 && c->result[a] == c->size[a];
    return plain;
}

static bool is_direct(const gri_conv *c) { return c->in * c->out <= DIRECT_PAIRS || c->out <= DIRECT_OUT; }

static double multiplications(const gri_conv *c)
{
    return (double)c->n * (double)c->groups * (double)c->in * (double)c->out * (double)c->kernel[0] *
           (double)c->kernel[1] * (double)c->result[0] * (double)c->result[1];
}

/* Elements between the rows of an unrolled slab of so many windows. */
static int64_t row_length(const plan *p, int64_t windows)
{
    const int64_t unit = ROW_BYTES / p->element, n = parts(windows, unit) * unit;
    return n * p->element % ALIASING_BYTES == 0 ? n + unit : n;
}

/* The product of one slab. rows and cols of `windows`; k: rows of the slab. */
static gri_gemm product_of(const plan *p, int64_t channels, int64_t windows)
{
    const int64_t depth = channels * p->taps,
                  length = p->way == WAY_PLAIN ? p->plane : row_length(p, windows);
    const int64_t row = p->c.in * p->taps;
    if (p->side == GRI_CONV_Y) /* y = w slab */
        return (gri_gemm){.m = p->c.out,
                          .k = depth,
                          .n = windows,
                          .a_row = row,
                          .a_col = 1,
                          .b_row = length,
                          .b_col = 1,
                          .c_row = p->windows,
                          .c_col = 1};
    if (p->side == GRI_CONV_X) /* slab = w' y */
        return (gri_gemm){.m = depth,
                          .k = p->c.out,
                          .n = windows,
                          .a_row = 1,
                          .a_col = row,
                          .b_row = p->windows,
                          .b_col = 1,
                          .c_row = length,
                          .c_col = 1};
    /* w = y slab' */
    return (gri_gemm){.m = p->c.out,
                      .k = windows,
                      .n = depth,
                      .a_row = p->windows,
                      .a_col = 1,
                      .b_row = 1,
                      .b_col = length,
                      .c_row = row,
                      .c_col = 1};
}

/* What the product of any slab needs: those at the ends are smaller, which does not mean that they need less. */
static size_t product_bytes(gri_isa isa, const plan *p)
{
    const gri_conv *c = &p->c;
    const int64_t channels[] = {p->channels, c->in - (p->channel_slabs - 1) * p->channels};
    const int64_t rows[] = {p->rows, c->result[0] - (p->row_slabs - 1) * p->rows};
    const int64_t cols[] = {p->cols, c->result[1] - (p->col_slabs - 1) * p->cols};
    size_t most = 0;
    for (int i = 0; i < 8; i++) {
        const gri_gemm g = product_of(p, channels[i & 1], rows[i >> 1 & 1] * cols[i >> 2]);
        const size_t bytes = c->is_f64 ? gri_gemm_workspace_f64(isa, &g) : gri_gemm_workspace_f32(isa, &g);
        if (bytes > most) most = bytes;
    }
    return most;
}

static void cut_slabs(plan *p)
{
    const gri_conv *c = &p->c;
    p->channels = even_part(c->in, larger(1, SLAB_DEPTH / p->taps));
    const int64_t most = larger(SLAB_WINDOWS, SLAB_BYTES / p->element / (p->channels * p->taps));
    p->cols = even_part(c->result[1], most);
    p->rows = p->cols < c->result[1] ? 1 : even_part(c->result[0], larger(1, most / p->cols));
    p->channel_slabs = parts(c->in, p->channels);
    p->row_slabs = parts(c->result[0], p->rows);
    p->col_slabs = parts(c->result[1], p->cols);
}

/* The images are cut so that there are tasks for several threads, whatever their number is. */
static void cut_images(plan *p)
{
    const int64_t tasks = p->c.groups * (p->way == WAY_DIRECT ? p->c.out : p->channel_slabs);
    p->images_per_chunk = even_part(p->c.n, parts(p->c.n, smaller(p->c.n, parts(WEIGHT_TASKS, tasks))));
    p->chunks = parts(p->c.n, p->images_per_chunk);
    p->tasks = tasks * p->chunks;
}

static int64_t weight_count(const plan *p) { return p->c.groups * p->c.out * p->c.in * p->taps; }

static size_t aligned(int64_t bytes) { return (size_t)(parts(bytes, ALIGN) * ALIGN); }

static plan make_plan(gri_isa isa, const gri_conv *c, gri_conv_side side)
{
    plan p = {.c = *c, .side = side, .element = c->is_f64 ? 8 : 4};
    p.way = is_direct(c) ? WAY_DIRECT : is_plain(c) ? WAY_PLAIN : WAY_PRODUCT;
    p.taps = c->kernel[0] * c->kernel[1];
    p.plane = p.c.size[0] * p.c.size[1];
    p.windows = p.c.result[0] * p.c.result[1];
    cut_slabs(&p);
    const int64_t groups = p.c.n * p.c.groups;
    if (p.side == GRI_CONV_W)
        cut_images(&p);
    else if (p.way == WAY_DIRECT)
        p.tasks = groups * (p.side == GRI_CONV_Y ? p.c.out : p.c.in);
    else
        p.tasks = groups * (p.side == GRI_CONV_Y ? p.row_slabs * p.col_slabs : p.channel_slabs);
    if (p.way == WAY_PRODUCT)
        p.buffer_bytes = aligned(p.channels * p.taps * row_length(&p, p.rows * p.cols) * p.element);
    if (p.way != WAY_DIRECT) p.lane_bytes = p.buffer_bytes + product_bytes(isa, &p);
    return p;
}

/* Each lane takes tasks until there are none, in memory of its own. */
static int64_t lanes_of(const plan *p, const gri_threads *threads)
{
    return multiplications(&p->c) < THREADS_PAY ? 1
                                                : smaller(gri_threads_count(threads), larger(1, p->tasks));
}

/* Of the sums for w, all but those of the first chunk. */
static size_t shared_bytes(const plan *p)
{
    return p->side == GRI_CONV_W ? aligned(weight_count(p) * (p->chunks - 1) * p->element) : 0;
}

static bool is_empty(const gri_conv *c)
{
    return c->n == 0 || c->groups == 0 || c->in == 0 || c->out == 0 || c->kernel[0] * c->kernel[1] == 0 ||
           c->result[0] * c->result[1] == 0 || c->size[0] * c->size[1] == 0;
}

size_t gri_convolve_workspace(gri_isa isa, const gri_conv *c, gri_conv_side side, const gri_threads *threads)
{
    if (is_empty(c)) return 0;
    const plan p = make_plan(isa, c, side);
    return shared_bytes(&p) + p.lane_bytes * (size_t)lanes_of(&p, threads);
}

/* ---- Running ---- */

typedef struct run run;
typedef void part(const run *r, int64_t task, char *memory);

struct run {
    const plan *p;
    const loops *loops;
    gri_isa isa;
    gri_threads *inside; /* for the products, where tasks do not run side by side */
    char *x, *w, *y;
    char *sums, *memory;
    part *part;
    _Atomic int64_t next;
};

static void lane_task(void *arg, int64_t lane)
{
    run *r = arg;
    char *memory = r->memory + (size_t)lane * r->p->lane_bytes;
    for (;;) {
        const int64_t task = atomic_fetch_add_explicit(&r->next, 1, memory_order_relaxed);
        if (task >= r->p->tasks) return;
        r->part(r, task, memory);
    }
}

static void multiply(const run *r, gri_gemm g, bool accumulate, const void *a, const void *b, void *c,
                     char *memory)
{
    g.accumulate = accumulate;
    char *workspace = memory + r->p->buffer_bytes;
    if (r->p->c.is_f64)
        gri_gemm_f64(r->isa, &g, a, b, c, workspace, r->inside);
    else
        gri_gemm_f32(r->isa, &g, a, b, c, workspace, r->inside);
}

/* Where things are, in bytes from the start. `group`: counted through the images. */
static char *x_at(const run *r, int64_t group, int64_t channel)
{
    return r->x + (group * r->p->c.in + channel) * r->p->plane * r->p->element;
}
static char *y_at(const run *r, int64_t group, int64_t channel, int64_t window)
{
    return r->y + ((group * r->p->c.out + channel) * r->p->windows + window) * r->p->element;
}
static char *w_at(const run *r, char *w, int64_t group, int64_t out, int64_t in)
{
    const gri_conv *c = &r->p->c;
    return w + ((group % c->groups * c->out + out) * c->in + in) * r->p->taps * r->p->element;
}

static rectangle rectangle_of(const plan *p, int64_t slab)
{
    rectangle r = {.row = slab / p->col_slabs * p->rows, .col = slab % p->col_slabs * p->cols};
    r.rows = smaller(p->rows, p->c.result[0] - r.row);
    r.cols = smaller(p->cols, p->c.result[1] - r.col);
    return r;
}

static int64_t first_window(const plan *p, const rectangle *r) { return r->row * p->c.result[1] + r->col; }

/* The slab of channels [first, first + n): unrolled into `buffer`, or where it is. */
static char *slab_of(const run *r, int64_t group, int64_t first, int64_t n, const rectangle *rect,
                     char *buffer)
{
    const plan *p = r->p;
    if (p->way == WAY_PLAIN) return x_at(r, group, first) + first_window(p, rect) * p->element;
    const int64_t length = row_length(p, rect->rows * rect->cols) * p->element;
    for (int64_t k = 0; k < p->taps; k++) {
        const tap t = tap_of(&p->c, rect, k / p->c.kernel[1], k % p->c.kernel[1]);
        for (int64_t channel = 0; channel < n; channel++)
            r->loops->unroll(buffer + (channel * p->taps + k) * length, x_at(r, group, first + channel), &t);
    }
    return buffer;
}

/* A rectangle of y: summed over the slabs of channels. */
static void y_part(const run *r, int64_t task, char *memory)
{
    const plan *p = r->p;
    const int64_t slabs = p->row_slabs * p->col_slabs, group = task / slabs;
    const rectangle rect = rectangle_of(p, task % slabs);
    for (int64_t first = 0; first < p->c.in; first += p->channels) {
        const int64_t n = smaller(p->channels, p->c.in - first);
        const char *slab = slab_of(r, group, first, n, &rect, memory);
        multiply(r, product_of(p, n, rect.rows * rect.cols), first > 0, w_at(r, r->w, group, 0, first), slab,
                 y_at(r, group, 0, first_window(p, &rect)), memory);
    }
}

/* Some channels of x: all rectangles are added to them. */
static void x_part(const run *r, int64_t task, char *memory)
{
    const plan *p = r->p;
    const int64_t group = task / p->channel_slabs, first = task % p->channel_slabs * p->channels;
    const int64_t n = smaller(p->channels, p->c.in - first);
    if (p->way == WAY_PRODUCT) memset(x_at(r, group, first), 0, (size_t)(n * p->plane * p->element));
    for (int64_t s = 0; s < p->row_slabs * p->col_slabs; s++) {
        const rectangle rect = rectangle_of(p, s);
        const int64_t windows = rect.rows * rect.cols, length = row_length(p, windows) * p->element;
        char *slab = p->way == WAY_PLAIN ? slab_of(r, group, first, n, &rect, memory) : memory;
        multiply(r, product_of(p, n, windows), false, w_at(r, r->w, group, 0, first),
                 y_at(r, group, 0, first_window(p, &rect)), slab, memory);
        for (int64_t k = 0; k < p->taps && p->way == WAY_PRODUCT; k++) {
            const tap t = tap_of(&p->c, &rect, k / p->c.kernel[1], k % p->c.kernel[1]);
            for (int64_t c = 0; c < n; c++)
                r->loops->roll(x_at(r, group, first + c), slab + (c * p->taps + k) * length, 1, &t);
        }
    }
}

/* Where the sums of a chunk of the images go: those of the first are w itself. */
static char *sums_of(const run *r, int64_t chunk)
{
    return chunk == 0 ? r->w : r->sums + (chunk - 1) * weight_count(r->p) * r->p->element;
}

/* Some channels of w, for some of the images. */
static void w_part(const run *r, int64_t task, char *memory)
{
    const plan *p = r->p;
    const int64_t per_chunk = p->c.groups * p->channel_slabs, chunk = task / per_chunk;
    const int64_t own = task % per_chunk / p->channel_slabs, first = task % p->channel_slabs * p->channels;
    const int64_t n = smaller(p->channels, p->c.in - first), end = (chunk + 1) * p->images_per_chunk;
    bool started = false;
    for (int64_t image = chunk * p->images_per_chunk; image < end && image < p->c.n; image++) {
        const int64_t group = image * p->c.groups + own;
        for (int64_t s = 0; s < p->row_slabs * p->col_slabs; s++, started = true) {
            const rectangle rect = rectangle_of(p, s);
            const char *slab = slab_of(r, group, first, n, &rect, memory);
            multiply(r, product_of(p, n, rect.rows * rect.cols), started,
                     y_at(r, group, 0, first_window(p, &rect)), slab,
                     w_at(r, sums_of(r, chunk), own, 0, first), memory);
        }
    }
}

/* ---- Tap by tap ---- */

/* The next strip of whole rows of y. */
static bool next_strip(const plan *p, rectangle *r)
{
    const int64_t rows = larger(1, STRIP / larger(1, p->c.result[1]));
    r->row = r->rows ? r->row + r->rows : 0;
    r->rows = smaller(rows, p->c.result[0] - r->row);
    r->cols = p->c.result[1];
    return r->rows > 0;
}

static double factor_at(const run *r, int64_t group, int64_t out, int64_t in, int64_t k)
{
    const void *w = w_at(r, r->w, group, out, in);
    return r->p->c.is_f64 ? ((const double *)w)[k] : (double)((const float *)w)[k];
}

static void direct_y_part(const run *r, int64_t task, char *memory)
{
    (void)memory;
    const plan *p = r->p;
    const int64_t group = task / p->c.out, out = task % p->c.out;
    for (rectangle strip = {0}; next_strip(p, &strip);) {
        char *y = y_at(r, group, out, first_window(p, &strip));
        memset(y, 0, (size_t)(strip.rows * strip.cols * p->element));
        for (int64_t in = 0; in < p->c.in; in++)
            for (int64_t k = 0; k < p->taps; k++) {
                const tap t = tap_of(&p->c, &strip, k / p->c.kernel[1], k % p->c.kernel[1]);
                r->loops->add_seen(y, x_at(r, group, in), factor_at(r, group, out, in, k), &t);
            }
    }
}

static void direct_x_part(const run *r, int64_t task, char *memory)
{
    (void)memory;
    const plan *p = r->p;
    const int64_t group = task / p->c.in, in = task % p->c.in;
    memset(x_at(r, group, in), 0, (size_t)(p->plane * p->element));
    for (rectangle strip = {0}; next_strip(p, &strip);)
        for (int64_t out = 0; out < p->c.out; out++)
            for (int64_t k = 0; k < p->taps; k++) {
                const tap t = tap_of(&p->c, &strip, k / p->c.kernel[1], k % p->c.kernel[1]);
                r->loops->roll(x_at(r, group, in), y_at(r, group, out, first_window(p, &strip)),
                               factor_at(r, group, out, in, k), &t);
            }
}

static void direct_w_part(const run *r, int64_t task, char *memory)
{
    (void)memory;
    const plan *p = r->p;
    const int64_t per_chunk = p->c.groups * p->c.out, chunk = task / per_chunk;
    const int64_t own = task % per_chunk / p->c.out, out = task % p->c.out;
    const int64_t start = chunk * p->images_per_chunk, end = smaller(p->c.n, start + p->images_per_chunk);
    for (int64_t in = 0; in < p->c.in; in++)
        for (int64_t k = 0; k < p->taps; k++) {
            double sum = 0;
            for (int64_t image = start; image < end; image++)
                for (rectangle strip = {0}; next_strip(p, &strip);) {
                    const int64_t group = image * p->c.groups + own;
                    const tap t = tap_of(&p->c, &strip, k / p->c.kernel[1], k % p->c.kernel[1]);
                    sum += r->loops->correlate(y_at(r, group, out, first_window(p, &strip)),
                                               x_at(r, group, in), &t);
                }
            void *to = w_at(r, sums_of(r, chunk), own, out, in);
            if (p->c.is_f64)
                ((double *)to)[k] = sum;
            else
                ((float *)to)[k] = (float)sum;
        }
}

/* ---- The whole ---- */

static void clear(const gri_conv *c, gri_conv_side side, void *x, void *w, void *y)
{
    const int64_t planes = c->n * c->groups, element = c->is_f64 ? 8 : 4;
    const int64_t count = side == GRI_CONV_Y   ? planes * c->out * c->result[0] * c->result[1]
                          : side == GRI_CONV_X ? planes * c->in * c->size[0] * c->size[1]
                                               : c->groups * c->out * c->in * c->kernel[0] * c->kernel[1];
    if (count) memset(side == GRI_CONV_Y ? y : side == GRI_CONV_X ? x : w, 0, (size_t)(count * element));
}

void gri_convolve(gri_isa isa, const gri_conv *c, gri_conv_side side, void *x, void *w, void *y,
                  void *workspace, gri_threads *threads)
{
    static part *const matrix_parts[] = {y_part, x_part, w_part};
    static part *const direct_parts[] = {direct_y_part, direct_x_part, direct_w_part};
    if (is_empty(c)) {
        clear(c, side, x, w, y);
        return;
    }
    const plan p = make_plan(isa, c, side);
    run r = {.p = &p, .loops = loops_of(c), .isa = isa, .x = x, .w = w, .y = y, .sums = workspace};
    r.part = (p.way == WAY_DIRECT ? direct_parts : matrix_parts)[p.side];
    const size_t shared = shared_bytes(&p);
    r.memory = workspace ? (char *)workspace + shared : NULL;
    const int64_t lanes = lanes_of(&p, threads);
    if (lanes < gri_threads_count(threads)) { /* too few tasks: one after the other */
        r.inside = threads;
        lane_task(&r, 0);
    } else {
        gri_threads_run(threads, lanes, lane_task, &r);
    }
    for (int64_t chunk = 1; chunk < p.chunks; chunk++)
        r.loops->add_to(w, sums_of(&r, chunk), weight_count(&p));
}
