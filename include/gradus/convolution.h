/*
 * Convolutions and pooling. What all operations have in common stands in ops.h.
 *
 * Planes come behind batch and channels, as in PyTorch: images are [n, channels, h, w], sequences [n, channels, l].
 * The axis n may be missing, and then the result has none. Padding is of zeros, on both sides; windows that the
 * padded plane does not hold completely are left out. A convolution is what the field calls by that name: the
 * kernel is not flipped.
 */
#ifndef GRADUS_CONVOLUTION_H
#define GRADUS_CONVOLUTION_H

#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* ---- Convolutions; float ---- */

/* Pairs are (rows, columns); of a sequence there is the first of each only. A zeroed structure, or NULL, gives the
   defaults. Of a pair that is not zeroed both are meant: .stride = {2, 2}. */
typedef struct gr_conv_options {
    int64_t stride[2];   /* between windows; both 0: 1 */
    int64_t padding[2];  /* zeros around the plane */
    int64_t dilation[2]; /* between the elements that one window sees; both 0: 1 */
    int64_t
        groups; /* channels are cut into so many groups, convolved on their own; 0: 1. As many as there are
                       channels: a "depthwise" convolution */
    int64_t output_padding[2]; /* of transposed ones only: makes the result larger at its end */
} gr_conv_options;

/* y[n, o, r, s] = b[o] + sum over c, i, j of w[o, c, i, j] x[n, c, r stride + i dilation - padding, ...], with
   zeros outside of x; o of group g sees the channels of group g.
   x: [n, in, h, w], weight: [out, in / groups, kh, kw], bias: [out], or GR_NONE (custom.h)
   -> [n, out, (h + 2 padding - dilation (kh - 1) - 1) / stride + 1 rounded down, likewise].
   Computed as matrix products, of slabs of some 256 KiB per thread; sums over one image's windows are f32 for f32.
   GR_ERR_NDIM, GR_ERR_TYPE; GR_ERR_SHAPE where channels do not fit, or the kernel is larger than the padded plane;
   GR_ERR_ARGUMENT for options that make no sense. */
GR_API gr_tensor gr_conv2d(gr_tensor x, gr_tensor weight, gr_tensor bias, const gr_conv_options *options);
/* The same of sequences: x: [n, in, l], weight: [out, in / groups, k]. */
GR_API gr_tensor gr_conv1d(gr_tensor x, gr_tensor weight, gr_tensor bias, const gr_conv_options *options);

/* The transposed convolution ("deconvolution"), which is what the gradient of a convolution by its operand is:
   y[n, o, r stride + i dilation - padding, ...] += w[c, o, i, j] x[n, c, r, s], and b[o] added.
   x: [n, in, h, w], weight: [in, out / groups, kh, kw], bias: [out], or GR_NONE
   -> [n, out, (h - 1) stride - 2 padding + dilation (kh - 1) + output_padding + 1, likewise].
   A convolution of stride 2 makes the same of 5 and of 6 elements; output_padding says which of them is meant.
   It is smaller than stride or dilation (GR_ERR_ARGUMENT). */
GR_API gr_tensor gr_conv_transpose2d(gr_tensor x, gr_tensor weight, gr_tensor bias,
                                     const gr_conv_options *options);
/* The same of sequences: x: [n, in, l], weight: [in, out / groups, k]. */
GR_API gr_tensor gr_conv_transpose1d(gr_tensor x, gr_tensor weight, gr_tensor bias,
                                     const gr_conv_options *options);

/* ---- Pooling; float ---- */

/* Planes are the last two axes, with any number of axes before them, or none; of sequences the last one. A
   zeroed pair means what stands beside it; of another both are meant. */
typedef struct gr_pool_options {
    int64_t kernel[2];   /* size of the windows: needed */
    int64_t stride[2];   /* between windows; both 0: as kernel, so that they do not overlap */
    int64_t padding[2];  /* around the plane, at most half a window */
    int64_t dilation[2]; /* of the largest only: between the elements of a window; both 0: 1 */
    bool
        ceil_mode; /* one more window where it begins in the plane, or the padding before it, and ends outside */
    bool
        exclude_padding; /* of the mean only: it is over the elements of the plane alone, not over the padding */
    int64_t
        divisor; /* of the mean only: the sum of each window is divided by it; 0: by the number of elements */
} gr_pool_options;

/* The largest element of each window; padding is -inf.
   x: [..., h, w] -> [..., (h + 2 padding - dilation (kh - 1) - 1) / stride + 1 rounded down, likewise].
   At a tie the first in row-major order gets all of the cotangent, as in PyTorch, where gr_max shares it; second
   derivatives are 0. A NaN takes its window, value and cotangent; of several, the last. GR_ERR_ARGUMENT for options that make no sense, GR_ERR_SHAPE where no window
   fits, or one would hold padding alone. */
GR_API gr_tensor gr_max_pool2d(gr_tensor x, const gr_pool_options *options);
GR_API gr_tensor gr_max_pool1d(gr_tensor x, const gr_pool_options *options); /* x: [..., l] */
/* Where it is: i32, row w + column, in its plane; not differentiable. Planes of up to 2^31 - 1 elements. */
GR_API gr_tensor gr_max_pool2d_index(gr_tensor x, const gr_pool_options *options);

/* The mean of each window, of which padding is part with the value 0, unless exclude_padding. What lies behind
   the padding (ceil_mode) never is. Sums are f64. */
GR_API gr_tensor gr_avg_pool2d(gr_tensor x, const gr_pool_options *options);
GR_API gr_tensor gr_avg_pool1d(gr_tensor x, const gr_pool_options *options); /* x: [..., l] */

/* The mean of windows that cut the plane into rows x columns, whatever its size: window r of n has the elements
   from r h / n rounded down to (r + 1) h / n rounded up, so neighbours may share one.
   x: [..., h, w] -> [..., rows, columns]. The mean of the whole plane is gr_mean(x, GR_AXES(-2, -1), false). */
GR_API gr_tensor gr_adaptive_avg_pool2d(gr_tensor x, int64_t rows, int64_t columns);
GR_API gr_tensor gr_adaptive_avg_pool1d(gr_tensor x, int64_t length); /* x: [..., l] */

GR_END_DECLS

#endif
