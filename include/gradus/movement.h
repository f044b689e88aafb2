/* Operations that move elements: views, joining, indexing. What all operations have in common stands in
 * ops.h. */
#ifndef GRADUS_MOVEMENT_H
#define GRADUS_MOVEMENT_H

#include "gradus/tensor.h"

GR_BEGIN_DECLS

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
