/* to += from, for cotangents that meet. */
#ifndef GRI_OPS_KERNELS_ACCUMULATE_H
#define GRI_OPS_KERNELS_ACCUMULATE_H

#include "ops/kernels/map.h"

/* to has no element twice; from has its shape, any strides, and the same type, f32 or f64. They do not overlap. */
void gri_accumulate(gri_threads *threads, const gr_array *to, const gr_array *from);
/* Every element = value. f32 or f64, contiguous. */
void gri_fill(const gr_array *to, double value);

#endif
