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
/* The product; float, i32; the empty one is 1. dy/dx_i is the product of the other elements, which is exact, in every
   order, also where one or more are 0. f32 is multiplied in f64. */
GR_API gr_tensor gr_prod(gr_tensor x, gr_axes axes, bool keepdims);
/* float, i32. Ties share the cotangent evenly; second derivatives are 0. Of nothing: GR_ERR_SHAPE. */
GR_API gr_tensor gr_max(gr_tensor x, gr_axes axes, bool keepdims);
GR_API gr_tensor gr_min(gr_tensor x, gr_axes axes, bool keepdims);
/* ln sum e^x without overflow; float; of nothing or of only -inf: -inf. dy/dx = softmax(x),
   which is 0 for only -inf. */
GR_API gr_tensor gr_logsumexp(gr_tensor x, gr_axes axes, bool keepdims);
/* The Euclidean norm, (sum x^2)^(1/2), without overflow or underflow of the squares; float; of nothing: 0.
   dy/dx = x / y; of zeros: 0, and so is the second derivative. */
GR_API gr_tensor gr_norm(gr_tensor x, gr_axes axes, bool keepdims);
/* (sum |x|^p)^(1/p) for the order p, as torch.linalg.vector_norm and numpy.linalg.vector_norm; float. Any p but NaN
   (GR_ERR_ARGUMENT); powers neither overflow nor underflow. dy/dx = sign(x) (|x| / y)^(p-1), and 0 where x = 0. In particular

     order      value            dy/dx, kinks
     2          gr_norm
     1          sum |x|          sign(x): 0 at 0
     INFINITY   max |x|          ties share as in gr_max; of only zeros: 0. Of nothing: GR_ERR_SHAPE
     -INFINITY  min |x|          as min; where the least is 0: 0. Of nothing: GR_ERR_SHAPE
     0          how many x != 0  0; NaN is not 0

   Of nothing with an order below 0: infinite (PyTorch: an error). */
GR_API gr_tensor gr_vector_norm(gr_tensor x, double order, gr_axes axes, bool keepdims);
/* sum (x - mean x)^2 / max(0, n - correction) of n elements; float. The correction is PyTorch's, where it is 1 (Bessel's)
   unless given; numpy.var has it as ddof, 0 unless given. It may be any number. Of nothing: NaN; so is that of one element
   with the correction 1 (0/0).
   dy/dx = 2 (x - mean x) / (n - correction), and NaN where n <= correction (PyTorch: infinite, or of the wrong sign). */
GR_API gr_tensor gr_var(gr_tensor x, gr_axes axes, double correction, bool keepdims);
/* The square root of gr_var, without overflow or underflow of the squares. dy/dx = (x - mean x) / (y (n - correction)); where
   all elements are the same: 0, and so is the second derivative, as for gr_norm. */
GR_API gr_tensor gr_std(gr_tensor x, gr_axes axes, double correction, bool keepdims);
/* Sums the axes that broadcasting `shape` to x's shape would have repeated, as [5, 3, 4] to [3, 1]; float,
   i32. GR_ERR_SHAPE if `shape` does not broadcast to x's. */
GR_API gr_tensor gr_sum_to(gr_tensor x, gr_shape shape);

/* Whether one, or each, of the elements holds: bool -> bool; of nothing: false, and true. Other types by way of
   gr_cast(x, GR_BOOL). */
GR_API gr_tensor gr_any(gr_tensor mask, gr_axes axes, bool keepdims);
GR_API gr_tensor gr_all(gr_tensor mask, gr_axes axes, bool keepdims);
/* How many elements are not 0: any type -> i32. NaN is not 0. */
GR_API gr_tensor gr_count_nonzero(gr_tensor x, gr_axes axes, bool keepdims);

/* ---- Along one axis; of a scalar GR_ERR_NDIM, where PyTorch takes it for one element ---- */

/* The position of the largest (smallest) element along one axis, the first of those that tie; a NaN goes before all
   numbers, as in PyTorch and NumPy. Any type -> i32. Of nothing: GR_ERR_SHAPE. Over all elements: gr_argmax(gr_reshape(x,
   GR_SHAPE(-1)), 0, false). */
GR_API gr_tensor gr_argmax(gr_tensor x, int axis, bool keepdims);
GR_API gr_tensor gr_argmin(gr_tensor x, int axis, bool keepdims);
/* y_i = x_0 + ... + x_i along one axis; float, i32. Added up in f64 for f32. Shape of x. */
GR_API gr_tensor gr_cumsum(gr_tensor x, int axis);
/* y_i = x_0 ... x_i along one axis; float. dy_k/dx_i is the product of the other elements up to k: exact, in every order, also
   where some are 0. Multiplied in f64 for f32. Shape of x. */
GR_API gr_tensor gr_cumprod(gr_tensor x, int axis);

GR_END_DECLS

#endif
