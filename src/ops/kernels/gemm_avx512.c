/*
 * The matrix product with AVX-512: 28 of the 32 registers hold C.
 * The code is gemm_variant.inc; this file sets its sizes.
 */
#include "ops/kernels/gemm_variant.h"

#ifdef GRI_HAVE_AVX512

#    include <immintrin.h>

#    define VECTOR_BYTES 64
#    define TILE_ROWS    14
/* Vectors per row in tiles of one, two and four rows. */
#    define WIDE_1       8
#    define WIDE_2       8
#    define WIDE_4       4
#    define BLOCK_K      400
#    define DOT_ROWS_MAX 8

#    define SCALAR                float
#    define INDEX                 int32_t
#    define NAME(x)               x##_f32
#    define VARIANT               gri_gemm_avx512_f32
#    define NARROWER              &gri_gemm_avx2_f32
#    define MULTIPLY_ADD(x, y, z) _mm512_fmadd_ps(x, y, z)
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
#    define VARIANT               gri_gemm_avx512_f64
#    define NARROWER              &gri_gemm_avx2_f64
#    define MULTIPLY_ADD(x, y, z) _mm512_fmadd_pd(x, y, z)
#    include "ops/kernels/gemm_variant.inc"

#endif
