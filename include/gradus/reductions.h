/* Operations that reduce axes. What all operations have in common stands in ops.h. */
#ifndef GRADUS_REDUCTIONS_H
#define GRADUS_REDUCTIONS_H

#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* ---- Reductions ---- */

/* Over the axes of a list, or all of them: gr_sum(x, GR_AXES(0), false), gr_mean(x, GR_ALL_AXES, false).
   keepdims leaves the reduced axes as size 1. Sums of f32 are accumulated in f64, in an order that does not
   depend on threads. A mean is finite also where the sum of its elements would overflow. */
GR_API gr_tensor gr_sum(gr_tensor x, gr_axes axes, bool keepdims);  /* float, i32; the empty sum is 0 */
GR_API gr_tensor gr_mean(gr_tensor x, gr_axes axes, bool keepdims); /* float; of nothing: NaN */
/* float, i32. Ties share the cotangent evenly; second derivatives are 0. Of nothing: GR_ERR_SHAPE. */
GR_API gr_tensor gr_max(gr_tensor x, gr_axes axes, bool keepdims);
/* ln sum e^x without overflow; float; of nothing or of only -inf: -inf. dy/dx = softmax(x),
   which is 0 for only -inf. */
GR_API gr_tensor gr_logsumexp(gr_tensor x, gr_axes axes, bool keepdims);
/* The Euclidean norm, (sum x^2)^(1/2), without overflow or underflow of the squares; float; of nothing: 0.
   dy/dx = x / y; of zeros: 0, and so is the second derivative. */
GR_API gr_tensor gr_norm(gr_tensor x, gr_axes axes, bool keepdims);
/* Sums the axes that broadcasting `shape` to x's shape would have repeated, as [5, 3, 4] to [3, 1]; float,
   i32. GR_ERR_SHAPE if `shape` does not broadcast to x's. */
GR_API gr_tensor gr_sum_to(gr_tensor x, gr_shape shape);

GR_END_DECLS

#endif
