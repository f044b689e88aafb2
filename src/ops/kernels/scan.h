/*
 * Running sums, products and linear recurrences along the last axis.
 *
 * Each row is walked by one thread from its first element to its last; what runs is f64 for f32, too. Operands may have any
 * strides; results are contiguous and have the shape of the operands.
 */
#ifndef GRI_OPS_KERNELS_SCAN_H
#define GRI_OPS_KERNELS_SCAN_H

#include "ops/kernels/map.h"

/* y_i = x_0 + ... + x_i; f32, f64, i32. y_i = x_0 ... x_i; f32, f64. */
void gri_cumsum(gri_threads *threads, const gr_array *y, const gr_array *x);
void gri_cumprod(gri_threads *threads, const gr_array *y, const gr_array *x);

/* y_i = b_i + a_i y_(i-1), or, if `delayed`, b_i + a_(i-1) y_(i-1); y_0 = b_0. A product of which a factor is exactly 0 is 0,
   whatever the other is. f32, f64. */
void gri_recurrence(gri_threads *threads, const gr_array *y, const gr_array *a, const gr_array *b,
                    bool delayed);

#endif
