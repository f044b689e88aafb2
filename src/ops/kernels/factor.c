#include "ops/kernels/factor.h"

#include <math.h>

enum {
    BLOCK = 32,
    ALIGN = 64
}; /* rows of a block: so many that the product pays, so few that little is done beside it */

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* The workspace begins with one block of rows, `width` long; the rest is for the product. */
static size_t rows_bytes(int64_t width)
{
    return (BLOCK * (size_t)width * sizeof(double) + ALIGN - 1) / ALIGN * ALIGN;
}

static void multiply(const gri_factor_context *f, const gri_gemm *g, int64_t width, const double *a,
                     const double *b, double *c)
{
    gri_gemm_f64(f->isa, g, a, b, c, (char *)f->workspace + rows_bytes(width), f->threads);
}

/* ---- One block of a lower triangular system ---- */

/* What is left below a block of rows: C -= T X, of m rows, with -X as dense rows. */
static gri_gemm below_block(const gri_triangle *t, int64_t m, int64_t k, int64_t rows, int64_t b_row)
{
    return (gri_gemm){.m = m,
                      .n = k,
                      .k = rows,
                      .a_row = t->row,
                      .a_col = t->col,
                      .b_row = k,
                      .b_col = 1,
                      .c_row = b_row,
                      .c_col = 1,
                      .accumulate = true};
}

/* b, of n rows of k elements, `b_row` apart: its first `rows` rows become X = T^-1 B, by the first triangle of T, and T X is
   taken from those below. */
static void eliminate(const gri_factor_context *f, int64_t n, int64_t rows, int64_t k, const gri_triangle *t,
                      double *b, int64_t b_row)
{
    double *minus = f->workspace;
    for (int64_t i = 0; i < rows; i++) {
        double *restrict x = b + i * b_row;
        for (int64_t j = 0; j < i; j++) {
            const double factor = t->t[i * t->row + j * t->col], *restrict before = b + j * b_row;
            for (int64_t c = 0; c < k; c++) x[c] -= factor * before[c];
        }
        const double pivot = t->unit ? 1 : t->t[i * (t->row + t->col)];
        for (int64_t c = 0; c < k && !t->unit; c++) x[c] /= pivot;
        for (int64_t c = 0; c < k && rows < n; c++) minus[i * k + c] = -x[c];
    }
    if (rows == n) return;
    const gri_gemm g = below_block(t, n - rows, k, rows, b_row);
    multiply(f, &g, k, t->t + rows * t->row, minus, b + rows * b_row);
}

/* ---- Triangular systems ---- */

/* An upper one is a lower one from its last row and column on. */
static gri_triangle as_lower(int64_t n, gri_triangle t)
{
    if (!t.upper || n == 0) return t;
    return (gri_triangle){
        .t = t.t ? t.t + (n - 1) * (t.row + t.col) : NULL, .row = -t.row, .col = -t.col, .unit = t.unit};
}

size_t gri_solve_triangle_workspace(gri_isa isa, int64_t n, int64_t k, gri_triangle t)
{
    const gri_triangle lower = as_lower(n, t);
    size_t most = 0;
    for (int64_t m = n - BLOCK; m > 0; m -= BLOCK) {
        const gri_gemm g = below_block(&lower, m, k, BLOCK, t.upper ? -k : k);
        const size_t bytes = gri_gemm_workspace_f64(isa, &g);
        if (bytes > most) most = bytes;
    }
    return rows_bytes(k) + most;
}

void gri_solve_triangle(const gri_factor_context *f, int64_t n, int64_t k, gri_triangle t, double *b)
{
    if (n == 0 || k == 0) return;
    gri_triangle lower = as_lower(n, t);
    const int64_t b_row = t.upper ? -k : k;
    double *rows = t.upper ? b + (n - 1) * k : b;
    for (int64_t i = 0; i < n; i += BLOCK) {
        eliminate(f, n - i, least(BLOCK, n - i), k, &lower, rows + i * b_row, b_row);
        if (i + BLOCK < n) lower.t += BLOCK * (lower.row + lower.col);
    }
}

/* ---- LU ---- */

static void swap_rows(int64_t n, double *x, double *y)
{
    for (int64_t i = 0; i < n; i++) {
        const double t = x[i];
        x[i] = y[i];
        y[i] = t;
    }
}

/* The columns [first, end) of a, from row `first` down: pivots are the largest of their column; whole rows change places. */
static int64_t factor_columns(int64_t n, int64_t first, int64_t end, double *a, int64_t *swaps)
{
    for (int64_t j = first; j < end; j++) {
        int64_t at = j;
        for (int64_t i = j + 1; i < n; i++) /* a NaN is taken, so that it spreads */
            if (fabs(a[i * n + j]) > fabs(a[at * n + j]) || isnan(a[i * n + j])) at = i;
        swaps[j] = at;
        const double pivot = a[at * n + j];
        if (pivot == 0) return j;
        if (at != j) swap_rows(n, a + j * n, a + at * n);
        const double *restrict row = a + j * n;
        for (int64_t i = j + 1; i < n; i++) {
            double *restrict x = a + i * n;
            const double factor = x[j] /= pivot;
            for (int64_t c = j + 1; c < end; c++) x[c] -= factor * row[c];
        }
    }
    return -1;
}

/* The columns of L that have just been found, seen by those right of them. */
static gri_triangle columns_of_l(int64_t n, const double *a, int64_t first)
{
    return (gri_triangle){.t = a ? a + first * (n + 1) : NULL, .row = n, .col = 1, .unit = true};
}

size_t gri_lu_workspace(gri_isa isa, int64_t n)
{
    const gri_triangle l = columns_of_l(n, NULL, 0);
    size_t most = 0;
    for (int64_t m = n - BLOCK; m > 0; m -= BLOCK) {
        const gri_gemm g = below_block(&l, m, m, BLOCK, n);
        const size_t bytes = gri_gemm_workspace_f64(isa, &g) + rows_bytes(m);
        if (bytes > most) most = bytes;
    }
    return most;
}

int64_t gri_lu(const gri_factor_context *f, int64_t n, double *a, int64_t *swaps)
{
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t end = least(first + BLOCK, n);
        const int64_t failed = factor_columns(n, first, end, a, swaps);
        if (failed >= 0) return failed;
        const gri_triangle l = columns_of_l(n, a, first);
        if (end < n) eliminate(f, n - first, BLOCK, n - end, &l, a + first * n + end, n);
    }
    return -1;
}

/* ---- Cholesky ---- */

/* The first rows x rows of a: by dot products of rows. Returns -1 or the row. */
static int64_t factor_block(int64_t n, int64_t rows, double *a, double *pivot)
{
    for (int64_t j = 0; j < rows; j++) {
        const double *row = a + j * n;
        double rest = row[j];
        for (int64_t p = 0; p < j; p++) rest -= row[p] * row[p];
        if (!(rest > 0)) {
            *pivot = rest;
            return j;
        }
        a[j * n + j] = sqrt(rest);
        for (int64_t i = j + 1; i < rows; i++) {
            double sum = a[i * n + j];
            for (int64_t p = 0; p < j; p++) sum -= a[i * n + p] * row[p];
            a[i * n + j] = sum / row[j];
        }
    }
    return -1;
}

/* What the columns before `first` take from those of the block: C -= L L', with -L as dense rows. */
static gri_gemm before_block(int64_t n, int64_t first, int64_t columns)
{
    return (gri_gemm){.m = n - first,
                      .n = columns,
                      .k = first,
                      .a_row = n,
                      .a_col = 1,
                      .b_row = 1,
                      .b_col = first,
                      .c_row = n,
                      .c_col = 1,
                      .accumulate = true};
}

size_t gri_cholesky_workspace(gri_isa isa, int64_t n)
{
    size_t most = 0;
    for (int64_t first = BLOCK; first < n; first += BLOCK) {
        const gri_gemm g = before_block(n, first, least(BLOCK, n - first));
        const size_t bytes = gri_gemm_workspace_f64(isa, &g);
        if (bytes > most) most = bytes;
    }
    return rows_bytes(n) + most;
}

/* The rows below a block of L, which is BLOCK wide: solved across, in dense rows, so that neighbours are adjacent. */
static void factor_below(const gri_factor_context *f, int64_t n, double *a, int64_t first)
{
    const int64_t rest = n - first - BLOCK;
    const gri_triangle l = {.t = a + first * (n + 1), .row = n, .col = 1};
    double *across = f->workspace, *below = a + (first + BLOCK) * n + first;
    for (int64_t i = 0; i < rest; i++)
        for (int64_t j = 0; j < BLOCK; j++) across[j * rest + i] = below[i * n + j];
    eliminate(f, BLOCK, BLOCK, rest, &l, across, rest);
    for (int64_t i = 0; i < rest; i++)
        for (int64_t j = 0; j < BLOCK; j++) below[i * n + j] = across[j * rest + i];
}

int64_t gri_cholesky(const gri_factor_context *f, int64_t n, double *a, double *pivot)
{
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t columns = least(BLOCK, n - first);
        double *minus = f->workspace, *block = a + first * (n + 1);
        for (int64_t i = 0; i < columns; i++)
            for (int64_t j = 0; j < first; j++) minus[i * first + j] = -a[(first + i) * n + j];
        const gri_gemm g = before_block(n, first, columns);
        if (first > 0) multiply(f, &g, n, a + first * n, minus, block);
        const int64_t failed = factor_block(n, columns, block, pivot);
        if (failed >= 0) return first + failed;
        if (first + columns < n) factor_below(f, n, a, first);
    }
    return -1;
}
