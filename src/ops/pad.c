/* Padding: along each axis what is to stand before and behind is a view of the operand, or a number, and is joined to it. */
#include "ops/axes.h"

#include <inttypes.h>

/* So many elements to stand before an axis, or behind it. The rules of all modes are those of slices and gr_concat: what was
   used twice is added up. */
static gr_tensor edge(gr_tensor x, int axis, int64_t n, bool before, gr_pad_mode mode, double value)
{
    gr_shape shape = gr_shape_of(x);
    if (shape.ndim < 0) return x;
    const int64_t size = shape.dims[axis];
    shape.dims[axis] = n;
    switch (mode) {
    case GR_PAD_REFLECT: /* from the element beside the outermost inwards; stop -1 would be the last one */
        if (before) return gr_slice(x, axis, n, 0, -1);
        return gr_slice(x, axis, size - 2, n < size - 1 ? size - 2 - n : GR_SLICE_DEFAULT, -1);
    case GR_PAD_REPLICATE:
        return gr_expand(gr_slice(x, axis, before ? 0 : size - 1, before ? 1 : size, 1), shape);
    case GR_PAD_CIRCULAR:
        return before ? gr_slice(x, axis, size - n, size, 1) : gr_slice(x, axis, 0, n, 1);
    default:
        return gr_expand(gr_full(x.graph, gr_type_of(x), GR_SCALAR, value), shape);
    }
}

/* Whether an axis has what the mode needs to stand n elements on one side. */
static bool has_enough(gr_pad_mode mode, int64_t size, int64_t n)
{
    if (n == 0 || mode == GR_PAD_CONSTANT) return true;
    return mode == GR_PAD_REFLECT ? n < size : mode == GR_PAD_REPLICATE ? size > 0 : n <= size;
}

static gr_status check_pads(gr_tensor x, const gr_array *a, const gr_shape *before, const gr_shape *after,
                            gr_pad_mode mode)
{
    GRI_NAMED_CALL(call, "pad", 1, &x);
    if ((unsigned)mode > GR_PAD_CIRCULAR)
        return gr_call_fail(&call, GR_ERR_ARGUMENT, "not a mode", "%d", (int)mode);
    if (before->ndim != a->ndim || after->ndim != a->ndim)
        return gr_call_fail(&call, GR_ERR_NDIM, "needs a number for each axis, before and after",
                            "%d and %d numbers", before->ndim, after->ndim);
    for (int axis = 0; axis < a->ndim; axis++)
        for (int side = 0; side < 2; side++) {
            const int64_t n = (side ? after : before)->dims[axis];
            if (n < 0)
                return gr_call_fail(&call, GR_ERR_ARGUMENT, "a negative number of elements",
                                    "%" PRId64 " at axis %d", n, axis);
            if (n > INT64_MAX / 4)
                return gr_call_fail(&call, GR_ERR_OVERFLOW, "too many elements", "%" PRId64 " at axis %d", n,
                                    axis);
            if (!has_enough(mode, a->dims[axis], n))
                return gr_call_fail(&call, GR_ERR_SHAPE, "the axis is too short for this mode",
                                    "%" PRId64 " elements at axis %d", n, axis);
        }
    return GR_OK;
}

gr_tensor gr_pad(gr_tensor x, gr_shape before, gr_shape after, gr_pad_mode mode, double value)
{
    const gr_array *a = gri_array_of(x, "pad");
    if (!a || check_pads(x, a, &before, &after, mode) != GR_OK) return gri_invalid(x.graph);
    gr_tensor y = x;
    for (int axis = 0; axis < before.ndim; axis++) {
        gr_tensor parts[3];
        int n = 0;
        if (before.dims[axis]) parts[n++] = edge(y, axis, before.dims[axis], true, mode, value);
        parts[n++] = y;
        if (after.dims[axis]) parts[n++] = edge(y, axis, after.dims[axis], false, mode, value);
        if (n > 1) y = gr_concat(n, parts, axis);
    }
    return y;
}
