/*
 * Factors of dense matrices, and triangular systems: f64, in place, for matrices of up to a few thousand rows.
 *
 * Work is done in blocks of columns, and all but the blocks themselves by the matrix product. A triangular system of any kind is
 * a lower one, seen from its other end (strides negated) or across (strides swapped). Like the product, results do not depend on
 * the number of threads.
 */
#ifndef GRI_OPS_KERNELS_FACTOR_H
#define GRI_OPS_KERNELS_FACTOR_H

#include "ops/kernels/gemm.h"

typedef struct gri_factor_context {
    gri_isa isa;
    gri_threads *threads;
    void *workspace; /* 64-byte aligned, of as many bytes as the function for it says */
} gri_factor_context;

/* A = P L U with row exchanges: a is n by n, row-major; becomes L, whose diagonal of ones is not stored, below U. Before step i,
   row i was exchanged with row swaps[i]. Returns -1, or the step that found no pivot other than 0. */
size_t gri_lu_workspace(gri_isa isa, int64_t n);
int64_t gri_lu(const gri_factor_context *f, int64_t n, double *a, int64_t *swaps);

/* A = L L': reads the lower triangle of a, n by n, row-major, and replaces it. Returns -1, or the row whose pivot, *pivot, is
   not positive. */
size_t gri_cholesky_workspace(gri_isa isa, int64_t n);
int64_t gri_cholesky(const gri_factor_context *f, int64_t n, double *a, double *pivot);

/* A triangular matrix T(i, j) = t[i * row + j * col]; the other triangle is not read, nor is the diagonal if it is `unit`. */
typedef struct gri_triangle {
    const double *t;
    int64_t row, col;
    bool upper, unit;
} gri_triangle;

/* B = T^-1 B. b is n by k, row-major. Elements of the diagonal are not 0. */
size_t gri_solve_triangle_workspace(gri_isa isa, int64_t n, int64_t k, gri_triangle t);
void gri_solve_triangle(const gri_factor_context *f, int64_t n, int64_t k, gri_triangle t, double *b);

#endif
