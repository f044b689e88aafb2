/*
 * Mean and variance of groups of elements, and what is normalised by them. An array is [outer, groups, inner],
 * contiguous; a group is what has one middle index. Sums are f64, in two passes: the variance is that of
 * differences from the mean. Each group is computed by one thread.
 */
#ifndef GRI_OPS_KERNELS_MOMENTS_H
#define GRI_OPS_KERNELS_MOMENTS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/threads.h"

typedef struct gri_groups {
    int64_t outer, groups, inner;
    bool is_f64; /* else f32 */
} gri_groups;

/* mean and variance (of the group itself: divided by n), each [groups]. */
void gri_moments(gri_threads *threads, const gri_groups *k, const void *x, void *mean, void *variance);
/* y = (x - mean) / (variance + eps)^(1/2) */
void gri_standardize(gri_threads *threads, const gri_groups *k, double eps, const void *x, void *y);
/* gx = (gy - mean gy - y mean (gy y)) / (variance of x + eps)^(1/2) */
void gri_standardize_back(gri_threads *threads, const gri_groups *k, double eps, const void *x, const void *y,
                          const void *gy, void *gx);

#endif
