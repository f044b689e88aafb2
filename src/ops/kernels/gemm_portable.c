/*
 * The matrix product in vectors of 16 bytes, which every compiler that knows vector types can make: SSE2 on
 * x86-64, NEON on ARM, plain scalars where there is neither. The code is gemm_variant.inc; this file sets its
 * sizes.
 */
#include "ops/kernels/gemm_variant.h"

#define VECTOR_BYTES 16
#define TILE_ROWS    4
/* Vectors per row in tiles of one, two and four rows. */
#define WIDE_1       8
#define WIDE_2       4
#define WIDE_4       2
#define BLOCK_K      256
#define DOT_ROWS_MAX 8

#define SCALAR   float
#define INDEX    int32_t
#define NAME(x)  x##_f32
#define VARIANT  gri_gemm_portable_f32
#define NARROWER NULL
#include "ops/kernels/gemm_variant.inc"
#undef SCALAR
#undef INDEX
#undef NAME
#undef VARIANT
#undef NARROWER

#define SCALAR   double
#define INDEX    int64_t
#define NAME(x)  x##_f64
#define VARIANT  gri_gemm_portable_f64
#define NARROWER NULL
#include "ops/kernels/gemm_variant.inc"
