/*
 * Convolutions over plain memory. One form that is linear in each of x, w and y,
 *
 *     sum over n, g, o, c, (r, s), (i, j) of  y[n, g, o, r, s] w[g, o, c, i, j] x[n, g, c, h, v],
 *     h = r stride + i dilation - padding, v likewise, outside of x: 0,
 *
 * and its three derivatives: by y the convolution, by x the transposed convolution, by w what correlates the other
 * two. So each is computed of the two others, and all derivatives of each are among them.
 *
 * Invariant: how the work is cut depends on the sizes alone, and each element is summed by one thread in one order:
 * results are the same, bit for bit, for any number of threads.
 */
#ifndef GRI_OPS_KERNELS_CONVOLUTION_H
#define GRI_OPS_KERNELS_CONVOLUTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/cpu.h"
#include "base/threads.h"

/* Pairs are (rows, columns). */
typedef struct gri_conv {
    int64_t n, groups;   /* images; groups of channels */
    int64_t in, out;     /* channels of one group in x, and in y */
    int64_t size[2];     /* of the planes of x */
    int64_t kernel[2];   /* of w */
    int64_t result[2];   /* of y: any, though what lies behind the last full window sees zeros only */
    int64_t stride[2];   /* > 0 */
    int64_t padding[2];  /* negative: x is cropped */
    int64_t dilation[2]; /* > 0 */
    bool is_f64;         /* else f32 */
} gri_conv;

typedef enum gri_conv_side { GRI_CONV_Y, GRI_CONV_X, GRI_CONV_W } gri_conv_side;

/* Bytes of scratch memory that gri_convolve needs: it does not grow with n, but with the number of threads. */
size_t gri_convolve_workspace(gri_isa isa, const gri_conv *c, gri_conv_side side, const gri_threads *threads);
/* Computes one side of the other two. Arrays are contiguous: x [n, groups, in, size], w [groups, out, in, kernel],
   y [n, groups, out, result]. */
void gri_convolve(gri_isa isa, const gri_conv *c, gri_conv_side side, void *x, void *w, void *y,
                  void *workspace, gri_threads *threads);

#endif
