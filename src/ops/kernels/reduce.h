/*
 * Reductions over any set of axes of a strided array, and what is computed along the last axis.
 *
 * Sums and products of f32 are accumulated in f64; sums of f64 in blocks, so that the error grows with the block and the
 * number of blocks, not with their product. The order of the additions depends on the shape alone.
 */
#ifndef GRI_OPS_KERNELS_REDUCE_H
#define GRI_OPS_KERNELS_REDUCE_H

#include "ops/kernels/map.h"

/* Axes as bits: bit i is axis i of `in`. `out` is contiguous: the elements of the other axes, in order.
   f32, f64 or i32. The largest, and the smallest, of elements among which is a NaN is NaN. */
void gri_reduce_sum(gri_threads *threads, const gr_array *out, const gr_array *in, uint32_t axes);
void gri_reduce_prod(gri_threads *threads, const gr_array *out, const gr_array *in, uint32_t axes);
void gri_reduce_max(gri_threads *threads, const gr_array *out, const gr_array *in, uint32_t axes);
void gri_reduce_min(gri_threads *threads, const gr_array *out, const gr_array *in, uint32_t axes);
/* bool. */
void gri_reduce_any(gri_threads *threads, const gr_array *out, const gr_array *in, uint32_t axes);
void gri_reduce_all(gri_threads *threads, const gr_array *out, const gr_array *in, uint32_t axes);

/* Along the last axis of `in`, any strides, f32 or f64; out is contiguous. */
void gri_softmax(gri_threads *threads, const gr_array *out, const gr_array *in);
void gri_log_softmax(gri_threads *threads, const gr_array *out, const gr_array *in);
/* out has the last axis dropped. */
void gri_logsumexp(gri_threads *threads, const gr_array *out, const gr_array *in);
void gri_norm(gri_threads *threads, const gr_array *out, const gr_array *in);
/* Positions, i32, of any type; rows have elements, and no more than i32 counts. */
void gri_argmax(gri_threads *threads, const gr_array *out, const gr_array *in);
void gri_argmin(gri_threads *threads, const gr_array *out, const gr_array *in);

#endif
