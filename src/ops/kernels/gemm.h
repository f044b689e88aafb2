/*
 * Matrix products over plain memory: C[m, n] = A[m, k] * B[k, n], or C += with `accumulate`.
 *
 * Every operand has a row and a column stride in elements: transposed and sliced views are multiplied where
 * they lie. Strides of A and B may be 0 (broadcast) or negative; elements of C must not overlap each other
 * nor A, B or the workspace.
 *
 * Invariant: a result depends on the sizes, the strides, the values and the instruction set only, never on
 * the number of threads: each element of C is summed by one thread, in an order fixed by k and the strides.
 * No term is skipped, so NaN and infinity reach C as they would in the plain triple loop.
 */
#ifndef GRI_OPS_KERNELS_GEMM_H
#define GRI_OPS_KERNELS_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/cpu.h"
#include "base/threads.h"

typedef struct gri_gemm {
    int64_t m, n, k;      /* each >= 0; with k = 0 the product is all zeros */
    int64_t a_row, a_col; /* A(i, p) is a[i * a_row + p * a_col] */
    int64_t b_row, b_col; /* B(p, j) is b[p * b_row + j * b_col] */
    int64_t c_row, c_col; /* C(i, j) is c[i * c_row + j * c_col] */
    bool accumulate;      /* add to C; otherwise C is only written, never read */
} gri_gemm;

/* Bytes of scratch memory that the product needs; 0 for many shapes, and for all tiny ones. The same for any
   number of threads. */
size_t gri_gemm_workspace_f32(gri_isa isa, const gri_gemm *g);
size_t gri_gemm_workspace_f64(gri_isa isa, const gri_gemm *g);

/* `isa` must be available. `workspace`: 64-byte aligned and of that many bytes; may be NULL if that is 0.
   `threads` may be NULL. Allocates nothing, cannot fail. */
void gri_gemm_f32(gri_isa isa, const gri_gemm *g, const float *a, const float *b, float *c, void *workspace,
                  gri_threads *threads);
void gri_gemm_f64(gri_isa isa, const gri_gemm *g, const double *a, const double *b, double *c,
                  void *workspace, gri_threads *threads);

/* The triple loop that the others are tested against; also what tiny products use. */
void gri_gemm_reference_f32(const gri_gemm *g, const float *a, const float *b, float *c);
void gri_gemm_reference_f64(const gri_gemm *g, const double *a, const double *b, double *c);

#endif
