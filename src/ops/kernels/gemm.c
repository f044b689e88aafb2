/*
 * Matrix products: the plan, the blocking, and the sharing out over threads. The arithmetic is in
 * gemm_variant.inc; here elements are bytes to step over.
 *
 * A product goes one of three ways: the triple loop, if it is tiny; dot products, where both operands lie
 * along k and there are few rows; register tiles otherwise. Tiles want B in slivers of adjacent rows and A in
 * short slivers; operands that are read often, or lie badly, are packed into them first. C = A * B may as
 * well be computed as C^T = B^T * A^T: the plan takes the side that it estimates to be cheaper.
 *
 * Invariant: the plan depends on sizes and strides only. The number of threads decides how C is cut into
 * tasks, which changes no bit (see gemm_variant.inc); k is cut into the same blocks always.
 */
#include "ops/kernels/gemm.h"
#include "ops/kernels/gemm_variant.h"

/* Up to so many multiplications the triple loop beats planning and packing. */
enum { TINY = 256 };
/* Fewer multiplications than this are over before a second thread has woken up. */
static const double THREADS_PAY = 200e3;
/* Bytes of the packed blocks: both are shared by the threads. The part of B that a task works on is meant to
   stay in the second-level cache while the task goes through its rows of A. */
enum { BLOCK_A_BYTES = 2 << 20, BLOCK_B_BYTES = 4 << 20, GROUP_B_BYTES = 512 << 10, WORKSPACE_ALIGN = 64 };
/* Tasks per thread and block, so that a thread that comes late leaves no gap; and the least work of a task,
   in elements packed or tiles multiplied. */
enum { TASKS_PER_THREAD = 8, PACK_TASK = 4096, TILES_TASK = 4 };
/* Up to so many rows of A, rows of B are read where they lie: packing them would not pay. */
enum { DIRECT_ROWS = 256 };
/* A is read where it lies if C has no more columns of tiles than this. */
enum { THIN_TILES = 2 };
/* Products of so few rows and of fewer columns than a vector has use shorter vectors, if those fit. */
enum { NARROW_ROWS = 16 };
/* Rows at a distance that is a multiple of this share a few cache sets, and push each other out. */
enum { ALIASING_BYTES = 2048 };

/* Rough costs in multiples of one vector multiply-add, per element: packing where elements are adjacent
   across the sliver, along k, or nowhere; storing one at a time; summing the lanes of a dot product. */
static const double COST_PACK_ROWS = 0.2, COST_PACK_ALONG_K = 0.5, COST_PACK_SCATTERED = 1.5;
static const double COST_STORE_ONE = 1, COST_DOT = 12;

typedef enum way { WAY_TILES, WAY_DOTS } way;

typedef struct plan {
    gri_gemm g; /* after swapping */
    way way;
    bool swapped, pack_a, pack_b;      /* dot products: pack_a makes the rows of A adjacent; no pack_b */
    int64_t block_m, block_n, block_k; /* of tiles */
} plan;

/* ---- Reference ---- */

#define REFERENCE(name, scalar)                                                             \
    void name(const gri_gemm *g, const scalar *a, const scalar *b, scalar *c)               \
    {                                                                                       \
        for (int64_t i = 0; i < g->m; i++) {                                                \
            for (int64_t j = 0; j < g->n; j++) {                                            \
                scalar sum = 0;                                                             \
                for (int64_t p = 0; p < g->k; p++)                                          \
                    sum += a[i * g->a_row + p * g->a_col] * b[p * g->b_row + j * g->b_col]; \
                scalar *to = &c[i * g->c_row + j * g->c_col];                               \
                *to = g->accumulate ? *to + sum : sum;                                      \
            }                                                                               \
        }                                                                                   \
    }

/* The same sums, four columns at a time while there are four: one sum alone waits for its additions. */
#define TINY_PRODUCT(name, scalar)                                                          \
    static void name(const gri_gemm *g, const scalar *a, const scalar *b, scalar *c)        \
    {                                                                                       \
        for (int64_t i = 0; i < g->m; i++) {                                                \
            int64_t j = 0;                                                                  \
            for (; j + 4 <= g->n; j += 4) {                                                 \
                scalar sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;                              \
                for (int64_t p = 0; p < g->k; p++) {                                        \
                    const scalar x = a[i * g->a_row + p * g->a_col];                        \
                    const scalar *y = &b[p * g->b_row + j * g->b_col];                      \
                    sum0 += x * y[0];                                                       \
                    sum1 += x * y[g->b_col];                                                \
                    sum2 += x * y[2 * g->b_col];                                            \
                    sum3 += x * y[3 * g->b_col];                                            \
                }                                                                           \
                scalar *to = &c[i * g->c_row + j * g->c_col];                               \
                to[0] = g->accumulate ? to[0] + sum0 : sum0;                                \
                to[g->c_col] = g->accumulate ? to[g->c_col] + sum1 : sum1;                  \
                to[2 * g->c_col] = g->accumulate ? to[2 * g->c_col] + sum2 : sum2;          \
                to[3 * g->c_col] = g->accumulate ? to[3 * g->c_col] + sum3 : sum3;          \
            }                                                                               \
            for (; j < g->n; j++) {                                                         \
                scalar sum = 0;                                                             \
                for (int64_t p = 0; p < g->k; p++)                                          \
                    sum += a[i * g->a_row + p * g->a_col] * b[p * g->b_row + j * g->b_col]; \
                scalar *to = &c[i * g->c_row + j * g->c_col];                               \
                *to = g->accumulate ? *to + sum : sum;                                      \
            }                                                                               \
        }                                                                                   \
    }

REFERENCE(gri_gemm_reference_f32, float)
REFERENCE(gri_gemm_reference_f64, double)
TINY_PRODUCT(multiply_tiny_f32, float)
TINY_PRODUCT(multiply_tiny_f64, double)

/* ---- Planning ---- */

static int64_t smaller(int64_t x, int64_t y) { return x < y ? x : y; }
static int64_t larger(int64_t x, int64_t y) { return x > y ? x : y; }
static int64_t parts(int64_t total, int64_t part) { return total / part + (total % part != 0); }

static bool is_tiny(const gri_gemm *g)
{
    return g->m <= TINY && g->n <= TINY && g->k <= TINY && g->m * g->n * g->k <= TINY;
}

/* The largest part of `total`, a multiple of `unit`, when it is cut into equal parts of at most `most`. */
static int64_t even_part(int64_t total, int64_t most, int64_t unit)
{
    if (total <= most) return total;
    return parts(parts(total, parts(total, most)), unit) * unit;
}

static double pack_cost(int64_t width, int64_t stride, int64_t k, int64_t k_stride)
{
    const double each = stride == 1     ? COST_PACK_ROWS
                        : k_stride == 1 ? COST_PACK_ALONG_K
                                        : COST_PACK_SCATTERED;
    return (double)width * (double)k * each;
}

static void transpose(gri_gemm *g)
{
    const gri_gemm old = *g;
    g->m = old.n;
    g->n = old.m;
    g->a_row = old.b_col;
    g->a_col = old.b_row;
    g->b_row = old.a_col;
    g->b_col = old.a_row;
    g->c_row = old.c_col;
    g->c_col = old.c_row;
}

/* Strides along a size of 1 mean nothing: they become what suits best. */
static void normalize(gri_gemm *g)
{
    if (g->m == 1) g->a_row = g->c_row = 0;
    if (g->n == 1) g->b_col = g->c_col = 1;
    if (g->k == 1) g->a_col = g->b_row = 1;
}

static bool aliasing(const gri_gemm_variant *v, int64_t stride)
{
    return stride * v->element % ALIASING_BYTES == 0;
}

/* A is read where it lies if few tiles read it. */
static bool tiles_pack_a(const gri_gemm_variant *v, const gri_gemm *g)
{
    const bool thin = g->n <= THIN_TILES * v->tile_cols && (g->a_row == 1 || !aliasing(v, g->a_row));
    return g->m > 1 && !thin;
}

static bool tiles_pack_b(const gri_gemm_variant *v, const gri_gemm *g)
{
    if (g->b_col != 1 || g->n < v->lanes) return true;
    return g->m > v->tile_rows && (g->m > DIRECT_ROWS || aliasing(v, g->b_row));
}

static double tiles_cost(const gri_gemm_variant *v, const gri_gemm *g)
{
    double cost = (double)g->m * (double)g->k * (double)parts(g->n, v->lanes);
    if (tiles_pack_a(v, g)) cost += pack_cost(g->m, g->a_row, g->k, g->a_col);
    if (tiles_pack_b(v, g)) cost += pack_cost(g->n, g->b_col, g->k, g->b_row);
    if (g->c_col != 1) cost += (double)g->m * (double)g->n * COST_STORE_ONE;
    return cost;
}

static bool dots_possible(const gri_gemm_variant *v, const gri_gemm *g)
{
    return g->b_row == 1 && g->m <= v->dot_rows;
}

static double dots_cost(const gri_gemm_variant *v, const gri_gemm *g)
{
    double cost = (double)g->m * (double)g->n * ((double)g->k / (double)v->lanes + COST_DOT);
    if (g->a_col != 1) cost += pack_cost(g->k, g->a_col, g->m, g->a_row);
    return cost;
}

static void set_blocks(plan *p, const gri_gemm_variant *v)
{
    const gri_gemm *g = &p->g;
    p->pack_a = tiles_pack_a(v, g);
    p->pack_b = tiles_pack_b(v, g);
    p->block_k = even_part(g->k, v->block_k * (int64_t)sizeof(float) / v->element, 1);
    p->block_m = g->m;
    p->block_n = g->n;
    const int64_t depth_bytes = p->block_k * v->element;
    if (p->pack_a)
        p->block_m = even_part(g->m, larger(BLOCK_A_BYTES / depth_bytes, v->tile_rows), v->tile_rows);
    if (p->pack_b)
        p->block_n = even_part(g->n, larger(BLOCK_B_BYTES / depth_bytes, v->tile_cols), v->tile_cols);
}

/* The cheapest of tiles and dot products, as given and with the sides swapped. */
static void make_plan(plan *p, const gri_gemm_variant *v, const gri_gemm *g)
{
    gri_gemm swapped = *g;
    transpose(&swapped);
    normalize(&swapped);
    p->g = *g;
    normalize(&p->g);
    p->way = WAY_TILES;
    p->swapped = false;
    double best = tiles_cost(v, &p->g);
    if (dots_possible(v, &p->g) && dots_cost(v, &p->g) < best) {
        best = dots_cost(v, &p->g);
        p->way = WAY_DOTS;
    }
    const double swapped_tiles = tiles_cost(v, &swapped);
    const double swapped_dots = dots_possible(v, &swapped) ? dots_cost(v, &swapped) : swapped_tiles;
    if (swapped_tiles < best || swapped_dots < best) {
        p->g = swapped;
        p->swapped = true;
        p->way = swapped_dots < swapped_tiles ? WAY_DOTS : WAY_TILES;
    }
    if (p->way == WAY_TILES)
        set_blocks(p, v);
    else
        p->pack_a = p->g.a_col != 1;
}

static bool is_narrow(int64_t rows, int64_t cols, int64_t col_stride, int64_t lanes)
{
    return rows <= NARROW_ROWS && cols < lanes && cols > 1 && col_stride == 1;
}

/* The variant whose vectors fit a product that is small on both sides, instead of padding it. */
static const gri_gemm_variant *narrowed(const gri_gemm_variant *v, const gri_gemm *g)
{
    while (v->narrower &&
           (is_narrow(g->m, g->n, g->b_col, v->lanes) || is_narrow(g->n, g->m, g->a_row, v->lanes)))
        v = v->narrower;
    return v;
}

static size_t aligned(int64_t bytes) { return (size_t)parts(bytes, WORKSPACE_ALIGN) * WORKSPACE_ALIGN; }

/* Bytes of the packed A; in dot products it is plain rows. */
static size_t a_bytes(const gri_gemm_variant *v, const plan *p)
{
    if (!p->pack_a) return 0;
    if (p->way == WAY_DOTS) return aligned(p->g.m * p->g.k * v->element);
    return aligned(parts(p->block_m, v->tile_rows) * v->tile_rows * p->block_k * v->element);
}

static size_t b_bytes(const gri_gemm_variant *v, const plan *p)
{
    if (p->way == WAY_DOTS || !p->pack_b) return 0; /* pack_b is set for tiles only */
    return aligned(parts(p->block_n, v->tile_cols) * v->tile_cols * p->block_k * v->element);
}

static size_t workspace(const gri_gemm_variant *v, const gri_gemm *g)
{
    plan p;
    if (g->k == 0 || is_tiny(g)) return 0;
    v = narrowed(v, g);
    make_plan(&p, v, g);
    return a_bytes(v, &p) + b_bytes(v, &p);
}

/* ---- Running ---- */

/* The block at (i, j, p) that is being computed, and how it is cut into tasks. */
typedef struct job {
    const gri_gemm_variant *v;
    const plan *plan;
    const char *a, *b;
    char *c;
    char *packed_a, *packed_b;
    int64_t i, rows, j, cols, p, depth;
    int64_t a_slivers, b_slivers; /* to pack */
    int64_t slivers_per_task;
    int64_t row_groups, col_groups;
} job;

/* The first of `total` slivers that belongs to group `index` of `groups`. */
static int64_t group_start(int64_t total, int64_t groups, int64_t index)
{
    return total / groups * index + smaller(index, total % groups);
}

static void pack_sliver(const job *w, int64_t index)
{
    const gri_gemm_variant *v = w->v;
    const gri_gemm *g = &w->plan->g;
    if (index < w->a_slivers) {
        const int64_t i = index * v->tile_rows;
        v->pack(w->packed_a + i * w->depth * v->element, v->tile_rows,
                w->a + ((w->i + i) * g->a_row + w->p * g->a_col) * v->element,
                smaller(v->tile_rows, w->rows - i), g->a_row, w->depth, g->a_col);
    } else {
        const int64_t j = (index - w->a_slivers) * v->tile_cols;
        v->pack(w->packed_b + j * w->depth * v->element, v->tile_cols,
                w->b + ((w->j + j) * g->b_col + w->p * g->b_row) * v->element,
                smaller(v->tile_cols, w->cols - j), g->b_col, w->depth, g->b_row);
    }
}

static void pack_task(void *arg, int64_t index)
{
    const job *w = arg;
    const int64_t end = smaller((index + 1) * w->slivers_per_task, w->a_slivers + w->b_slivers);
    for (int64_t s = index * w->slivers_per_task; s < end; s++) pack_sliver(w, s);
}

/* Tasks go through the rows first: the part of B stays, A streams. (Long, but only a description.) */
static void tiles_task(void *arg, int64_t index)
{
    const job *w = arg;
    const gri_gemm_variant *v = w->v;
    const plan *p = w->plan;
    const gri_gemm *g = &p->g;
    const int64_t row_slivers = parts(w->rows, v->tile_rows), col_slivers = parts(w->cols, v->tile_cols);
    const int64_t row_group = index % w->row_groups, col_group = index / w->row_groups;
    const int64_t i = group_start(row_slivers, w->row_groups, row_group) * v->tile_rows;
    const int64_t j = group_start(col_slivers, w->col_groups, col_group) * v->tile_cols;
    const int64_t i_end = group_start(row_slivers, w->row_groups, row_group + 1) * v->tile_rows;
    const int64_t j_end = group_start(col_slivers, w->col_groups, col_group + 1) * v->tile_cols;
    gri_gemm_block block = {
        .rows = smaller(i_end, w->rows) - i,
        .cols = smaller(j_end, w->cols) - j,
        .k = w->depth,
        .c = w->c + ((w->i + i) * g->c_row + (w->j + j) * g->c_col) * v->element,
        .c_row = g->c_row,
        .c_col = g->c_col,
        .accumulate = g->accumulate || w->p > 0,
        .b_direct = !p->pack_b,
        .before = w->j + j,
    };
    if (p->pack_a) {
        block.a = w->packed_a + i * w->depth * v->element;
        block.a_sliver = v->tile_rows * w->depth;
        block.a_row = 1;
        block.a_col = v->tile_rows;
    } else {
        block.a = w->a + ((w->i + i) * g->a_row + w->p * g->a_col) * v->element;
        block.a_sliver = v->tile_rows * g->a_row;
        block.a_row = g->a_row;
        block.a_col = g->a_col;
    }
    if (p->pack_b) {
        block.b = w->packed_b + j * w->depth * v->element;
        block.b_sliver = v->tile_cols * w->depth;
        block.b_row = v->tile_cols;
    } else {
        block.b = w->b + (w->j + j + w->p * g->b_row) * v->element;
        block.b_sliver = v->tile_cols;
        block.b_row = g->b_row;
    }
    v->tiles(&block);
}

static void dots_task(void *arg, int64_t index)
{
    const job *w = arg;
    const gri_gemm_variant *v = w->v;
    const gri_gemm *g = &w->plan->g;
    const int64_t j = group_start(w->cols, w->col_groups, index);
    const gri_gemm_block block = {
        .rows = w->rows,
        .cols = group_start(w->cols, w->col_groups, index + 1) - j,
        .k = w->depth,
        .a = w->plan->pack_a ? w->packed_a : w->a,
        .a_row = w->plan->pack_a ? g->k : g->a_row,
        .b = w->b + j * g->b_col * v->element,
        .b_col = g->b_col,
        .c = w->c + j * g->c_col * v->element,
        .c_row = g->c_row,
        .c_col = g->c_col,
        .accumulate = g->accumulate,
    };
    v->dots(&block);
}

static void run_dots(job *w, gri_threads *threads)
{
    const gri_gemm *g = &w->plan->g;
    w->rows = g->m;
    w->cols = g->n;
    w->depth = g->k;
    w->col_groups = threads ? smaller(g->n, (int64_t)gri_threads_count(threads) * TASKS_PER_THREAD) : 1;
    if (w->plan->pack_a) w->v->pack(w->packed_a, g->k, w->a, g->k, g->a_col, g->m, g->a_row);
    gri_threads_run(threads, w->col_groups, dots_task, w);
}

/* Tasks narrow enough that their part of B stays in cache, and enough of them for all threads. */
static void cut_block(job *w, const gri_threads *threads)
{
    const gri_gemm_variant *v = w->v;
    const int64_t row_slivers = parts(w->rows, v->tile_rows), col_slivers = parts(w->cols, v->tile_cols);
    const int64_t sliver_bytes = v->tile_cols * w->depth * v->element;
    w->row_groups = 1;
    w->col_groups = row_slivers > 1 ? parts(col_slivers, larger(1, GROUP_B_BYTES / sliver_bytes)) : 1;
    if (!threads) return;
    const int64_t wanted = smaller((int64_t)gri_threads_count(threads) * TASKS_PER_THREAD,
                                   parts(row_slivers * col_slivers, TILES_TASK));
    w->row_groups = smaller(row_slivers, parts(wanted, w->col_groups));
    w->col_groups = smaller(col_slivers, larger(w->col_groups, parts(wanted, w->row_groups)));
}

static void run_block(job *w, gri_threads *threads)
{
    const gri_gemm_variant *v = w->v;
    /* B is packed once for all the blocks of rows that it meets. */
    w->a_slivers = w->plan->pack_a ? parts(w->rows, v->tile_rows) : 0;
    w->b_slivers = w->plan->pack_b && w->i == 0 ? parts(w->cols, v->tile_cols) : 0;
    w->slivers_per_task = larger(1, PACK_TASK / (v->tile_cols * w->depth));
    gri_threads_run(threads, parts(w->a_slivers + w->b_slivers, w->slivers_per_task), pack_task, w);
    cut_block(w, threads);
    gri_threads_run(threads, w->row_groups * w->col_groups, tiles_task, w);
}

static void run_tiles(job *w, gri_threads *threads)
{
    const plan *p = w->plan;
    for (w->j = 0; w->j < p->g.n; w->j += p->block_n) {
        w->cols = smaller(p->block_n, p->g.n - w->j);
        for (w->p = 0; w->p < p->g.k; w->p += p->block_k) {
            w->depth = smaller(p->block_k, p->g.k - w->p);
            for (w->i = 0; w->i < p->g.m; w->i += p->block_m) {
                w->rows = smaller(p->block_m, p->g.m - w->i);
                run_block(w, threads);
            }
        }
    }
}

static void run(const gri_gemm_variant *v, const gri_gemm *g, const void *a, const void *b, void *c,
                void *scratch, gri_threads *threads)
{
    plan p;
    v = narrowed(v, g);
    make_plan(&p, v, g);
    job w;
    w.v = v;
    w.plan = &p;
    w.a = p.swapped ? b : a;
    w.b = p.swapped ? a : b;
    w.c = c;
    w.packed_a = scratch;
    w.packed_b = scratch ? (char *)scratch + a_bytes(v, &p) : NULL;
    if ((double)g->m * (double)g->n * (double)g->k < THREADS_PAY || gri_threads_count(threads) < 2)
        threads = NULL;
    if (p.way == WAY_DOTS)
        run_dots(&w, threads);
    else
        run_tiles(&w, threads);
}

/* ---- Entry points ---- */

static const gri_gemm_variant *variant_f32(gri_isa isa)
{
#ifdef GRI_HAVE_AVX512
    if (isa == GRI_ISA_AVX512) return &gri_gemm_avx512_f32;
#endif
#ifdef GRI_HAVE_AVX2
    if (isa == GRI_ISA_AVX2) return &gri_gemm_avx2_f32;
#endif
    (void)isa;
    return &gri_gemm_portable_f32;
}

static const gri_gemm_variant *variant_f64(gri_isa isa)
{
#ifdef GRI_HAVE_AVX512
    if (isa == GRI_ISA_AVX512) return &gri_gemm_avx512_f64;
#endif
#ifdef GRI_HAVE_AVX2
    if (isa == GRI_ISA_AVX2) return &gri_gemm_avx2_f64;
#endif
    (void)isa;
    return &gri_gemm_portable_f64;
}

size_t gri_gemm_workspace_f32(gri_isa isa, const gri_gemm *g) { return workspace(variant_f32(isa), g); }
size_t gri_gemm_workspace_f64(gri_isa isa, const gri_gemm *g) { return workspace(variant_f64(isa), g); }

void gri_gemm_f32(gri_isa isa, const gri_gemm *g, const float *a, const float *b, float *c, void *workspace_,
                  gri_threads *threads)
{
    if (is_tiny(g) || g->k == 0)
        multiply_tiny_f32(g, a, b, c);
    else
        run(variant_f32(isa), g, a, b, c, workspace_, threads);
}

void gri_gemm_f64(gri_isa isa, const gri_gemm *g, const double *a, const double *b, double *c,
                  void *workspace_, gri_threads *threads)
{
    if (is_tiny(g) || g->k == 0)
        multiply_tiny_f64(g, a, b, c);
    else
        run(variant_f64(isa), g, a, b, c, workspace_, threads);
}
