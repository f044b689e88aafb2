/*
 * The largest element and the mean of windows of planes, over plain memory, and their adjoints. Planes are
 * shared out over the threads; each is computed by one of them, in an order that depends on its size alone.
 */
#ifndef GRI_OPS_KERNELS_POOLING_H
#define GRI_OPS_KERNELS_POOLING_H

#include <stdbool.h>
#include <stdint.h>
#include "base/threads.h"

/* Windows along one axis of the planes. Window r holds elements r stride - padding + i dilation; an adaptive one
   [r size / result, (r + 1) size / result), the first rounded down, the second up. */
typedef struct gri_pool_axis {
    int64_t size, result; /* elements, windows */
    int64_t kernel, stride, padding, dilation;
    bool adaptive;
    bool exclude_padding; /* a mean is over the elements alone */
    int64_t divisor;      /* that of a mean, whatever the window holds; 0: the number of elements */
} gri_pool_axis;

/* Contiguous arrays [planes, size...] and [planes, result...] of f64, or of f32. */
typedef struct gri_pool {
    int64_t planes;
    gri_pool_axis axis[2];
    bool is_f64;
} gri_pool;

/* y: the largest element of each window; positions: where in the plane it is, the first of several, the last NaN of
   several. Either may be NULL. Each window must hold an element. */
void gri_max_pool(gri_threads *threads, const gri_pool *p, const void *x, void *y, int32_t *positions);
/* gx = 0, and gy added where the largest elements are. */
void gri_max_pool_back(gri_threads *threads, const gri_pool *p, const void *x, const void *gy, void *gx);

/* The mean of each window. */
void gri_avg_pool(gri_threads *threads, const gri_pool *p, const void *x, void *y);
/* gx = 0, and the share of gy added to each element of its window. */
void gri_avg_pool_back(gri_threads *threads, const gri_pool *p, const void *gy, void *gx);

#endif
