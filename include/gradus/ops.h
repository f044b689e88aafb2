/*
 * Operations. Each returns a new step tensor, or an invalid handle (see graph.h for errors).
 *
 * Broadcasting (NumPy's rules): shapes are aligned at their last axes; an axis of size 1, or a missing one,
 * is repeated. Operands of one call have one type, unless it is said otherwise; "float" means f32 or f64. All
 * float operands are differentiable, to any order, and gradients flow only through floats. i32 and bool have
 * none. Gradients of broadcast operands are summed over the repeated axes.
 *
 * Kinks: where a function has no derivative, or an infinite one, the convention stands with the function;
 * docs/kinks.md has all of them in one table, first and second derivatives, which the tests read. On the way
 * back a factor of exactly 0 ends a path, whatever it meets: the derivative of gr_sqrt(gr_mul(x, x)) at 0 is
 * 0, not 0 times infinity; gr_matmul alone keeps to IEEE 754 there. NaN in an operand gives NaN in the elements
 * computed from it, in maximum, minimum and max too.
 */
#ifndef GRADUS_OPS_H
#define GRADUS_OPS_H

#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* ---- Arithmetic, elementwise, broadcasting; float (add, sub, mul, neg also i32) ---- */

GR_API gr_tensor gr_add(gr_tensor a, gr_tensor b);        /* a + b */
GR_API gr_tensor gr_sub(gr_tensor a, gr_tensor b);        /* a - b */
GR_API gr_tensor gr_mul(gr_tensor a, gr_tensor b);        /* a b */
GR_API gr_tensor gr_div(gr_tensor a, gr_tensor b);        /* a / b; at b = 0 by IEEE 754, derivatives too */
GR_API gr_tensor gr_neg(gr_tensor x);                     /* -x */
GR_API gr_tensor gr_scale(gr_tensor x, double factor);    /* factor x; float */
GR_API gr_tensor gr_add_scalar(gr_tensor x, double term); /* x + term; float */
GR_API gr_tensor gr_square(gr_tensor x);                  /* x x; dy/dx = 2 x */

/* a^b as C's pow. dy/da = b a^(b-1), which is 0 where b = 0; second derivatives likewise: that of a^2 is 2.
   dy/db = a^b ln a, which is 0 where a = 0 and b >= 0, and NaN where a < 0. */
GR_API gr_tensor gr_pow(gr_tensor a, gr_tensor b);
/* x^p for one exponent; p = 0 has derivative 0 everywhere, also at x = 0. Second derivatives likewise:
   that of x^2 is 2. */
GR_API gr_tensor gr_pow_scalar(gr_tensor x, double p);

/* The larger (smaller) of two. At a tie each operand gets half of the cotangent, beside a NaN all of it. */
GR_API gr_tensor gr_maximum(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_minimum(gr_tensor a, gr_tensor b);

/* Products and quotients of the chain rule, for derivative rules: gr_chain_mul(cotangent, derivative). As
   gr_mul and gr_div, but a factor of exactly 0 ends a path whatever it meets, infinity and NaN too:
   gr_chain_mul is 0 where a or b is 0, gr_chain_div is 0 where a is 0 or b infinite. float; their own
   derivatives are made of them. docs/kinks.md says what follows. */
GR_API gr_tensor gr_chain_mul(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_chain_div(gr_tensor a, gr_tensor b);

/* ---- Functions of one operand, elementwise; float ---- */

GR_API gr_tensor gr_exp(gr_tensor x);      /* e^x */
GR_API gr_tensor gr_log(gr_tensor x);      /* ln x; -inf at 0, NaN below. dy/dx = 1/x */
GR_API gr_tensor gr_log1p(gr_tensor x);    /* ln(1 + x), exact near 0. dy/dx = 1/(1 + x) */
GR_API gr_tensor gr_sqrt(gr_tensor x);     /* x^(1/2); NaN below 0. dy/dx = 1/(2y): +inf at 0, second -inf */
GR_API gr_tensor gr_sin(gr_tensor x);      /* sin x, radians */
GR_API gr_tensor gr_cos(gr_tensor x);      /* cos x, radians */
GR_API gr_tensor gr_tanh(gr_tensor x);     /* tanh x; dy/dx = 1 - y^2 */
GR_API gr_tensor gr_sigmoid(gr_tensor x);  /* 1 / (1 + e^-x), without overflow; dy/dx = y (1 - y) */
GR_API gr_tensor gr_relu(gr_tensor x);     /* max(x, 0); derivative 0 at 0, 1 at NaN */
GR_API gr_tensor gr_softplus(gr_tensor x); /* ln(1 + e^x), without overflow; dy/dx = sigmoid(x) */
GR_API gr_tensor gr_abs(gr_tensor x);      /* |x|; derivative 0 at 0 */
GR_API gr_tensor gr_sign(gr_tensor x);     /* -1, 0 or 1; derivative 0 */

/* ---- Comparisons and selection ---- */

/* Elementwise, broadcasting, any one type -> bool. With NaN all are false but not_equal, which is true. */
GR_API gr_tensor gr_equal(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_not_equal(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_less(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_less_equal(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_greater(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_greater_equal(gr_tensor a, gr_tensor b);

/* a where the mask (bool) holds, else b; all three broadcast; a and b: any one type. The cotangent of the
   branch not taken is exactly 0, in every order, also where its values or derivatives are NaN or infinite. */
GR_API gr_tensor gr_where(gr_tensor mask, gr_tensor a, gr_tensor b);

/* Converts elements as C does; to bool: x != 0 (NaN is true). From float to i32, values outside the range of
   i32 and NaN give INT32_MIN. The cotangent is converted back between floats; none flows through i32 or
   bool. */
GR_API gr_tensor gr_cast(gr_tensor x, gr_type type);

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

/* Along one axis; float; a scalar is GR_ERR_NDIM. softmax: y_i = e^x_i / sum e^x, and 0 where all x are -inf.
   log_softmax: its logarithm, computed as x - logsumexp(x); where all x are -inf: -inf, with derivative 1 by
   x_i. */
GR_API gr_tensor gr_softmax(gr_tensor x, int axis);
GR_API gr_tensor gr_log_softmax(gr_tensor x, int axis);

/* ---- Matrix product ---- */

/* a: [..., m, k], b: [..., k, n] -> [..., m, n]; leading axes broadcast. float. As in NumPy a 1-d operand is
   a row on the left, a column on the right, and its axis is dropped from the result: [k] @ [k, n] -> [n],
   [m, k] @ [k] -> [m], [k] @ [k] -> []. Transposed and other strided operands are read in place. k = 0 gives
   zeros. Inner sizes that differ: GR_ERR_SHAPE; scalars: GR_ERR_NDIM. */
GR_API gr_tensor gr_matmul(gr_tensor a, gr_tensor b);

/* ---- Views; any type ---- */

/* A view shares the elements of x. One exception: a tensor of at most 64 bytes that neither gr_param nor
   gr_constant made keeps its elements in its node, and views of it copy that much. */

/* The same elements in row-major order under another shape; one size may be -1: it is inferred. Copies x if
   its strides leave no other way. */
GR_API gr_tensor gr_reshape(gr_tensor x, gr_shape shape);
/* Axis i of the result is axis axes[i] of x; GR_ALL_AXES reverses the axes. */
GR_API gr_tensor gr_permute(gr_tensor x, gr_axes axes);
/* Swaps two axes. */
GR_API gr_tensor gr_transpose(gr_tensor x, int axis1, int axis2);
/* Elements start, start + step, ... before stop (after it, for a negative step) along one axis, by Python's
   rules: negative positions count from the end, positions outside are clipped. GR_SLICE_DEFAULT stands for an
   end left out. step 0: GR_ERR_ARGUMENT. */
#define GR_SLICE_DEFAULT INT64_MIN
GR_API gr_tensor gr_slice(gr_tensor x, int axis, int64_t start, int64_t stop, int64_t step);
/* One position of an axis, which is dropped: gr_select(x, 0, 2) is x[2]. */
GR_API gr_tensor gr_select(gr_tensor x, int axis, int64_t index);
/* Repeats axes of size 1, and adds leading ones, up to `shape`; -1 keeps a size. */
GR_API gr_tensor gr_expand(gr_tensor x, gr_shape shape);
/* Drops axes of size 1: those named (another size is GR_ERR_SHAPE), or with GR_ALL_AXES all there are. */
GR_API gr_tensor gr_squeeze(gr_tensor x, gr_axes axes);
/* Inserts an axis of size 1 before position `axis` of the result: [3] with 0 -> [1, 3], with -1 -> [3, 1]. */
GR_API gr_tensor gr_unsqueeze(gr_tensor x, int axis);
/* x itself if it is contiguous, else a contiguous copy. */
GR_API gr_tensor gr_contiguous(gr_tensor x);
/* The same value without history: a constant for the operations that use it. */
GR_API gr_tensor gr_detach(gr_tensor x);

/* ---- Joining and indexing ---- */

/* Joins n >= 1 tensors of one type, any, along an axis; their other sizes agree (GR_ERR_SHAPE). */
GR_API gr_tensor gr_concat(int n, const gr_tensor *tensors, int axis);
/* Takes positions along an axis, any type: x: [a, n, b] with axis 1, index: i32 [s...] -> [a, s..., b].
   Negative positions count from the end; others outside are GR_ERR_INDEX. The same position may come often:
   its gradients add up. */
GR_API gr_tensor gr_index_select(gr_tensor x, int axis, gr_tensor index);
/* Adjoint of gr_index_select: zeros of `size` along `axis`, into which y's slices are added at `index`.
   y: float, [a, s..., b] -> [a, size, b]. */
GR_API gr_tensor gr_index_add(gr_tensor y, int axis, gr_tensor index, int64_t size);
/* One element per position: out[i][j] = x[i][index[i][j]] for axis 1. x: any type. index: i32, of as many
   axes as x, and of x's sizes but along `axis` -> shape of index. Negative positions count from the end;
   others outside are GR_ERR_INDEX. */
GR_API gr_tensor gr_gather(gr_tensor x, int axis, gr_tensor index);
/* Adjoint of gr_gather: zeros of `size` along `axis`, to which y's elements (float) are added at `index`. */
GR_API gr_tensor gr_scatter_add(gr_tensor y, int axis, gr_tensor index, int64_t size);
/* labels: i32 [s...] -> float [s..., classes], 1 at the label, 0 elsewhere. A label outside [0, classes):
   GR_ERR_INDEX. */
GR_API gr_tensor gr_one_hot(gr_tensor labels, int64_t classes, gr_type type);

GR_END_DECLS

#endif
