/*
 * What one instruction set offers to the matrix product, for one element type: packing, the product of one
 * block, and the product by dot products. gemm.c plans and shares out the work; gemm_variant.inc is the code,
 * compiled once per instruction set and type.
 *
 * The matrices are cut into slivers: tile_rows rows of A, tile_cols columns of B. A packed sliver is an array
 * [k][width], width being tile_rows or tile_cols, zeros in the places beyond the matrix.
 */
#ifndef GRI_OPS_KERNELS_GEMM_VARIANT_H
#define GRI_OPS_KERNELS_GEMM_VARIANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A block of C and the parts of A and B that it needs. Strides are in elements.
   A(i, p) = a[i / tile_rows * a_sliver + i % tile_rows * a_row + p * a_col]
   B(p, j) = b[j / tile_cols * b_sliver + j % tile_cols + p * b_row] in tiles */
typedef struct gri_gemm_block {
    int64_t rows, cols, k;
    const void *a;
    int64_t a_sliver, a_row, a_col;
    const void *b;
    int64_t b_sliver, b_row, b_col; /* b_col is for dots only */
    void *c;
    int64_t c_row, c_col;
    bool accumulate;
    bool b_direct;  /* B is the matrix itself: rows without padding, b_sliver = tile_cols */
    int64_t before; /* with b_direct: columns of B and C that lie before the block */
} gri_gemm_block;

typedef struct gri_gemm_variant {
    const struct gri_gemm_variant *narrower; /* of the instruction set with shorter vectors; or NULL */
    int64_t element;                         /* bytes */
    int64_t lanes;                           /* elements of a vector */
    int64_t tile_rows, tile_cols;            /* the part of C that is held in registers */
    int64_t block_k;                         /* so much of k is summed in registers before C is written */
    int64_t dot_rows;                        /* up to so many rows, dot products are considered */

    /* sliver[p * width + i] = source[i * stride + p * k_stride] for i < count, else 0 */
    void (*pack)(void *sliver, int64_t width, const void *source, int64_t count, int64_t stride, int64_t k,
                 int64_t k_stride);
    /* The block by register tiles. With b_direct, before + cols must be >= lanes. */
    void (*tiles)(const gri_gemm_block *block);
    /* The block by dot products. Needs a_col = b_row = 1 and no slivers: a_sliver and b_sliver are ignored,
       and B(p, j) = b[j * b_col + p], A(i, p) = a[i * a_row + p]. */
    void (*dots)(const gri_gemm_block *block);
} gri_gemm_variant;

extern const gri_gemm_variant gri_gemm_portable_f32, gri_gemm_portable_f64;
#ifdef GRI_HAVE_AVX2
extern const gri_gemm_variant gri_gemm_avx2_f32, gri_gemm_avx2_f64;
#endif
#ifdef GRI_HAVE_AVX512
extern const gri_gemm_variant gri_gemm_avx512_f32, gri_gemm_avx512_f64;
#endif

#endif
