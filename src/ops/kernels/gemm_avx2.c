/*
 * The matrix product with AVX2 and FMA: 12 of the 16 registers hold C.
 * The code is gemm_variant.inc; this file sets its sizes.
 */
#include "ops/kernels/gemm_variant.h"

#ifdef GRI_HAVE_AVX2

#    include <immintrin.h>

#    define VECTOR_BYTES 32
#    define TILE_ROWS    6
/* Vectors per row in tiles of one, two and four rows. */
#    define WIDE_1       8
#    define WIDE_2       4
#    define WIDE_4       2
#    define BLOCK_K      256
#    define DOT_ROWS_MAX 8

#    define SCALAR                float
#    define INDEX                 int32_t
#    define NAME(x)               x##_f32
#    define VARIANT               gri_gemm_avx2_f32
#    define NARROWER              &gri_gemm_portable_f32
#    define MULTIPLY_ADD(x, y, z) _mm256_fmadd_ps(x, y, z)
#    include "ops/kernels/gemm_variant.inc"
#    undef SCALAR
#    undef INDEX
#    undef NAME
#    undef VARIANT
#    undef NARROWER
#    undef MULTIPLY_ADD

#    define SCALAR                double
#    define INDEX                 int64_t
#    define NAME(x)               x##_f64
#    define VARIANT               gri_gemm_avx2_f64
#    define NARROWER              &gri_gemm_portable_f64
#    define MULTIPLY_ADD(x, y, z) _mm256_fmadd_pd(x, y, z)
#    include "ops/kernels/gemm_variant.inc"

#endif
