/*
 * Operations that move elements: views, joining, indexing. What all operations have in common stands in ops.h.
 *
 * All are linear in their float operands, to which gradients return the way the elements came: those of an element that was
 * used more than once add up, one that was not used gets 0. None has a kink.
 */
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
/* Axes in reverse, as numpy.flip: one view for each. */
GR_API gr_tensor gr_flip(gr_tensor x, gr_axes axes);
/* Windows of `size` elements along an axis, `step` apart, as torch.Tensor.unfold: that axis counts the windows, (n - size) /
   step + 1 of them, and a new last axis their elements: y[..., i, ..., j] = x[..., i step + j, ...]. size and step are at
   least 1 (GR_ERR_ARGUMENT); a window longer than the axis is GR_ERR_SHAPE. The gradient adds up where windows overlap. */
GR_API gr_tensor gr_unfold(gr_tensor x, int axis, int64_t size, int64_t step);
/* The diagonal of two axes, which the result has, behind the others, as its last: y[..., i] is the element in row i and column
   i + offset; a negative offset starts in row -offset. axis1: of rows, axis2: of columns. Offsets beyond the matrix give no
   elements. As torch.diagonal and numpy.diagonal. Its adjoint: gr_diag_embed. */
GR_API gr_tensor gr_diagonal(gr_tensor x, int64_t offset, int axis1, int axis2);
/* x itself if it is contiguous, else a contiguous copy. */
GR_API gr_tensor gr_contiguous(gr_tensor x);
/* The same value without history: a constant for the operations that use it. */
GR_API gr_tensor gr_detach(gr_tensor x);

/* ---- Joining, cutting, repeating; any type ---- */

/* Joins n >= 1 tensors of one type, any, along an axis; their other sizes agree (GR_ERR_SHAPE). */
GR_API gr_tensor gr_concat(int n, const gr_tensor *tensors, int axis);
/* Joins n >= 1 tensors of one shape and type, any, along a new axis, which is number `axis` of the result. */
GR_API gr_tensor gr_stack(int n, const gr_tensor *tensors, int axis);
/* Cuts an axis into n parts of the given sizes, which add up to it, or, if sizes is NULL, of one size, of which it is a
   multiple (GR_ERR_SHAPE): views, stored in parts[0] ... parts[n - 1]. On error all of these are invalid.

       gr_tensor gate[4];
       gr_split(h, -1, 4, NULL, gate); */
GR_API gr_status gr_split(gr_tensor x, int axis, int n, const int64_t *sizes, gr_tensor *parts);
/* Cuts an axis into at most n parts, all but the last of the size ceil(size / n), as torch.chunk: views. Returns how many
   there are, or 0 on error; the rest of the n handles are invalid. */
GR_API int gr_chunk(gr_tensor x, int axis, int n, gr_tensor *parts);
/* x side by side, repeats.dims[i] times along axis i; a list that is shorter or longer than x's is aligned at the last axes, as
   in numpy.tile and torch.tile. gr_repeat, as torch.Tensor.repeat, needs a number for each axis of x (GR_ERR_NDIM). */
GR_API gr_tensor gr_tile(gr_tensor x, gr_shape repeats);
GR_API gr_tensor gr_repeat(gr_tensor x, gr_shape repeats);
/* Each slice of an axis n times, one behind the other, as torch.repeat_interleave, and numpy.repeat: [1, 2] -> [1, 1, 2, 2]. */
GR_API gr_tensor gr_repeat_interleave(gr_tensor x, int axis, int64_t n);
/* Moves the elements of an axis by `shift` places to higher positions; those that leave it at one end come back at the other. As
   torch.roll and numpy.roll, for one axis. */
GR_API gr_tensor gr_roll(gr_tensor x, int axis, int64_t shift);

/* What gr_pad puts around x: constant 0 0 1 2 3 0 0, reflect 3 2 1 2 3 2 1, replicate ("edge" in NumPy) 1 1 1 2 3 3 3,
   circular ("wrap") 2 3 1 2 3 1 2. */
typedef enum gr_pad_mode {
    GR_PAD_CONSTANT = 0, /* the value */
    GR_PAD_REFLECT,      /* fewer elements than the axis has */
    GR_PAD_REPLICATE,    /* an axis that is not empty */
    GR_PAD_CIRCULAR      /* at most as many elements as the axis has */
} gr_pad_mode;
/* Puts before.dims[i] elements before axis i of x, and after.dims[i] behind it; any type. `value` is for GR_PAD_CONSTANT. An
   axis too short for the mode is GR_ERR_SHAPE, a negative number GR_ERR_ARGUMENT: use gr_slice. Each axis has a number, as in
   numpy.pad, in the order of the axes (torch.nn.functional.pad begins with the last). Gradients of what was taken twice
   add up. */
GR_API gr_tensor gr_pad(gr_tensor x, gr_shape before, gr_shape after, gr_pad_mode mode, double value);

/* n vectors (or scalars) -> n views of the shape [n_1, n_2, ...], the i-th of which varies along axis i alone: numpy.meshgrid
   with indexing "ij". n: 1 to 8. On error all of `grids` are invalid. */
GR_API gr_status gr_meshgrid(int n, const gr_tensor *axes, gr_tensor *grids);

/* ---- Matrices: the last two axes; any type ---- */

/* The elements at or above (below) diagonal k; elsewhere 0, also in place of NaN. At least two axes (GR_ERR_NDIM). */
GR_API gr_tensor gr_triu(gr_tensor x, int64_t k);
GR_API gr_tensor gr_tril(gr_tensor x, int64_t k);
/* Matrices that have x as their diagonal, and are 0 elsewhere: [..., n] -> [..., n + |offset|, n + |offset|]. As
   torch.diag_embed. */
GR_API gr_tensor gr_diag_embed(gr_tensor x, int64_t offset);
/* A vector to the matrix of this diagonal, a matrix to its diagonal (a view); else GR_ERR_NDIM. As torch.diag, numpy.diag. */
GR_API gr_tensor gr_diag(gr_tensor x, int64_t offset);

/* ---- Indexing ---- */

/* Takes positions along an axis, any type: x: [a, n, b] with axis 1, index: i32 [s...] -> [a, s..., b].
   Negative positions count from the end; others outside are GR_ERR_INDEX. The same position may come often:
   its gradients add up. */
GR_API gr_tensor gr_index_select(gr_tensor x, int axis, gr_tensor index);
/* Adjoint of gr_index_select: zeros of `size` along `axis`, into which y's slices are added at `index`.
   y: float, [a, s..., b] -> [a, size, b]. */
GR_API gr_tensor gr_index_add(gr_tensor y, int axis, gr_tensor index, int64_t size);
/* One element per position: out[i][j] = x[i][index[i][j]] for axis 1. x: any type. index: i32, of as many
   axes as x, and of x's sizes but along `axis` -> shape of index. Negative positions count from the end;
   others outside are GR_ERR_INDEX.
   PyTorch takes an index that is shorter than x along other axes, too: slice x first. */
GR_API gr_tensor gr_gather(gr_tensor x, int axis, gr_tensor index);
/* gr_gather for operands that broadcast beside the axis, as numpy.take_along_axis and torch.take_along_dim: x and index have as
   many axes; but for `axis`, sizes are the same, or one of them is 1. */
GR_API gr_tensor gr_take_along_axis(gr_tensor x, int axis, gr_tensor index);
/* Adjoint of gr_gather: zeros of `size` along `axis`, to which y's elements (float) are added at `index`. */
GR_API gr_tensor gr_scatter_add(gr_tensor y, int axis, gr_tensor index, int64_t size);
/* Rows of a table: weight [n, d...], index i32 [s...] -> [s..., d...]. A position outside [0, n) is GR_ERR_INDEX: unlike those of
   gr_index_select none counts from the end. The row `padding` (a negative number does count from the end) is taken as it is,
   but gets no gradient, as with padding_idx of torch.nn.functional.embedding. */
#define GR_NO_PADDING INT64_MIN
GR_API gr_tensor gr_embedding(gr_tensor weight, gr_tensor index, int64_t padding);
/* The value where the mask (bool) holds, else x; any type. The mask broadcasts to the shape of x (GR_ERR_SHAPE). The gradient is
   0 where it holds. */
GR_API gr_tensor gr_masked_fill(gr_tensor x, gr_tensor mask, double value);
/* The elements of x, any type, at which the mask (bool) holds, in row-major order, [n]: how many there are depends on the
   mask. x and mask broadcast. */
GR_API gr_tensor gr_masked_select(gr_tensor x, gr_tensor mask);
/* The row-major positions at which a mask (bool) holds, i32 [n], as numpy.flatnonzero. */
GR_API gr_tensor gr_flatnonzero(gr_tensor mask);
/* labels: i32 [s...] -> float [s..., classes], 1 at the label, 0 elsewhere. A label outside [0, classes):
   GR_ERR_INDEX. */
GR_API gr_tensor gr_one_hot(gr_tensor labels, int64_t classes, gr_type type);

GR_END_DECLS

#endif
