/*
 * The matrix product in vectors of 16 bytes, which every compiler that knows vector types can make: SSE2 on
 * x86-64, NEON on ARM, plain scalars where there is neither. The code is gemm_variant.inc; this file sets its
 * sizes.
 */
#include "ops/kernels/gemm_variant.h"

#ifdef __aarch64__
#    include <arm_neon.h>
#    define MULTIPLY_ADD_F32(x, y, z) \
        ((vector_f32)vfmaq_f32((float32x4_t)(z), (float32x4_t)(x), (float32x4_t)(y)))
#    define MULTIPLY_ADD_F64(x, y, z) \
        ((vector_f64)vfmaq_f64((float64x2_t)(z), (float64x2_t)(x), (float64x2_t)(y)))
#else
#    define MULTIPLY_ADD_F32(x, y, z) ((x) * (y) + (z))
#    define MULTIPLY_ADD_F64(x, y, z) ((x) * (y) + (z))
#endif

#define VECTOR_BYTES 16
#define TILE_ROWS    4
/* Vectors per row in tiles of one, two and four rows. */
#define WIDE_1       8
#define WIDE_2       4
#define WIDE_4       2
#define BLOCK_K      256
#define DOT_ROWS_MAX 8

#define SCALAR       float
#define INDEX        int32_t
#define NAME(x)      x##_f32
#define VARIANT      gri_gemm_portable_f32
#define MULTIPLY_ADD MULTIPLY_ADD_F32
#define NARROWER     NULL
#include "ops/kernels/gemm_variant.inc"
#undef SCALAR
#undef INDEX
#undef NAME
#undef VARIANT
#undef NARROWER
#undef MULTIPLY_ADD

#define SCALAR       double
#define INDEX        int64_t
#define NAME(x)      x##_f64
#define VARIANT      gri_gemm_portable_f64
#define MULTIPLY_ADD MULTIPLY_ADD_F64
#define NARROWER     NULL
#include "ops/kernels/gemm_variant.inc"
