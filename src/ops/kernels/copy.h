/*
 * Copies between arrays of one type, whatever their strides. Bits are copied, not values: NaNs keep theirs.
 */
#ifndef GRI_OPS_KERNELS_COPY_H
#define GRI_OPS_KERNELS_COPY_H

#include "ops/kernels/map.h"

/* to = from, which broadcasts to it. They do not overlap. */
void gri_copy_strided(gri_threads *threads, const gr_array *to, const gr_array *from);
/* The elements in row-major order. */
void gri_copy_array(void *to, const gr_array *from);

#endif
