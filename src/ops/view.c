/* Views: the same elements under another shape, order or step; copies only where it is said. */
#include "ops/ops.h"
#include "ops/axes.h"
#include "ops/kernels/copy.h"

#include <inttypes.h>
#include <string.h>

enum { TEXT_BYTES = 256 };

/* Starts the layout of a view of operand 0. */
static void alias(const gr_call *c, gr_layout *out)
{
    out->type = c->in[0]->type;
    out->ndim = c->in[0]->ndim;
    out->alias = 0;
    out->offset = 0;
    for (int axis = 0; axis < out->ndim; axis++) {
        out->dims[axis] = c->in[0]->dims[axis];
        out->strides[axis] = c->in[0]->strides[axis];
    }
}

const gr_array *gri_array_of(gr_tensor x, const char *what)
{
    const gri_node *node = gri_resolve(x, what);
    return node ? &node->array : NULL;
}

/* ---- contiguous, detach ---- */

static gr_status any_type_infer(const gr_call *c, gr_layout *out)
{
    alias(c, out);
    out->alias = -1;
    return GR_OK;
}

static gr_status contiguous_forward(const gr_call *c)
{
    gri_copy_strided(c->graph->threads, c->out, c->in[0]);
    return GR_OK;
}
GRI_RULE1(contiguous, gy)
const gr_op gri_op_contiguous = {.name = "contiguous",
                                 .arity = 1,
                                 .strided = true,
                                 .formula = "y = x",
                                 .infer = any_type_infer,
                                 .forward = contiguous_forward,
                                 .vjp = contiguous_vjp,
                                 .tangent = GR_TANGENT_LINEAR,
                                 .flops = gri_flops_none};

gr_tensor gr_contiguous(gr_tensor x)
{
    const gri_node *node = gri_resolve(x, "contiguous");
    if (!node) return gri_invalid(x.graph);
    return node->flags & GRI_CONTIGUOUS ? x : gri_apply1(&gri_op_contiguous, x, NULL);
}

static gr_status detach_infer(const gr_call *c, gr_layout *out)
{
    alias(c, out);
    return GR_OK;
}
GRI_RULE1(detach, GR_NONE)
const gr_op gri_op_detach = {.name = "detach",
                             .arity = 1,
                             .strided = true,
                             .formula = "y = x, a constant",
                             .infer = detach_infer,
                             .vjp = detach_vjp};

gr_tensor gr_detach(gr_tensor x)
{
    if (!x.graph) return gri_invalid(NULL);
    gr_no_grad_begin(x.graph);
    const gr_tensor y = gri_apply1(&gri_op_detach, x, NULL);
    gr_no_grad_end(x.graph);
    return y;
}

/* ---- reshape ---- */

/* Strides under which x has the new shape without a copy; false if there are none. Axes of both shapes are
   matched in groups of equal size; a group works if its axes of x run on without a seam. */
static bool view_strides(const gr_array *x, const gr_shape *shape, int64_t *strides)
{
    int64_t dims[GR_MAX_NDIM], steps[GR_MAX_NDIM];
    int n = 0, at = 0;
    for (int axis = 0; axis < x->ndim; axis++) {
        if (x->dims[axis] == 1) continue;
        dims[n] = x->dims[axis];
        steps[n++] = x->strides[axis];
    }
    for (int axis = 0; axis < shape->ndim;) {
        if (shape->dims[axis] == 1) {
            strides[axis++] = 0;
            continue;
        }
        if (at == n) return false; /* cannot happen when the counts agree */
        int64_t old = dims[at], fresh = shape->dims[axis];
        int last_old = at, last_new = axis;
        while (old != fresh) {
            if (old < fresh) {
                if (steps[last_old] != steps[last_old + 1] * dims[last_old + 1]) return false;
                old *= dims[++last_old];
            } else {
                fresh *= shape->dims[++last_new];
            }
        }
        int64_t step = steps[last_old];
        for (int i = last_new; i >= axis; i--) {
            strides[i] = step;
            step *= shape->dims[i];
        }
        axis = last_new + 1;
        at = last_old + 1;
    }
    return true;
}

static gr_status reshape_infer(const gr_call *c, gr_layout *out)
{
    const gr_shape *shape = c->attributes;
    alias(c, out);
    out->ndim = shape->ndim;
    memcpy(out->dims, shape->dims, sizeof out->dims);
    if (c->in[0]->count == 0)
        gri_row_major(out->ndim, out->dims, out->strides);
    else if (!view_strides(c->in[0], shape, out->strides))
        out->alias = -1;
    return GR_OK;
}

/* Only for a tangent whose strides leave no view: the constructor makes others contiguous before. */
static gr_status reshape_forward(const gr_call *c)
{
    gri_copy_array(c->out->data, c->in[0]);
    return GR_OK;
}
GRI_RULE1(reshape, gr_reshape(gy, gr_shape_of(x)))
const gr_op gri_op_reshape = {.name = "reshape",
                              .arity = 1,
                              .strided = true,
                              .attribute_bytes = sizeof(gr_shape),
                              .formula = "y = x in another shape",
                              .infer = reshape_infer,
                              .forward = reshape_forward,
                              .vjp = reshape_vjp,
                              .tangent = GR_TANGENT_LINEAR};

static gr_status reshape_fail(gr_tensor x, const gr_shape *shape, gr_status status, const char *why)
{
    char from[TEXT_BYTES], to[TEXT_BYTES];
    gri_describe(from, sizeof from, gri_resolve(x, "reshape"), false);
    gri_describe_shape(to, sizeof to, shape->ndim, shape->dims);
    return gri_fail(x.graph, status, "reshape: %s: %s to %s", why, from, to);
}

/* Fills in the size given as -1. */
static gr_status complete_shape(gr_tensor x, const gr_array *a, gr_shape *shape)
{
    const gr_shape given = *shape;
    int64_t known;
    int open = -1;
    if (shape->ndim < 0 || shape->ndim > GR_MAX_NDIM)
        return gri_fail(x.graph, GR_ERR_NDIM, "reshape: to %d axes; 0 to %d are possible", shape->ndim,
                        GR_MAX_NDIM);
    for (int axis = 0; axis < shape->ndim; axis++) {
        const int64_t d = shape->dims[axis];
        if (d == -1 && open < 0) {
            open = axis;
            shape->dims[axis] = 1;
        } else if (d < 0) {
            return reshape_fail(x, &given, GR_ERR_SHAPE, "sizes are not negative, and one at most is -1");
        }
    }
    if (!gri_count(shape->ndim, shape->dims, a->type, &known))
        return reshape_fail(x, &given, GR_ERR_OVERFLOW, "too many elements to count");
    const bool fits = open >= 0 ? known > 0 && a->count % known == 0 : known == a->count;
    if (!fits) return reshape_fail(x, &given, GR_ERR_SHAPE, "the number of elements differs");
    if (open >= 0) shape->dims[open] = a->count / known;
    return GR_OK;
}

gr_tensor gr_reshape(gr_tensor x, gr_shape shape)
{
    const gr_array *a = gri_array_of(x, "reshape");
    if (!a || complete_shape(x, a, &shape) != GR_OK) return gri_invalid(x.graph);
    int64_t strides[GR_MAX_NDIM];
    const bool view = a->count == 0 || view_strides(a, &shape, strides);
    return gri_apply1(&gri_op_reshape, view ? x : gr_contiguous(x), &shape);
}

/* ---- permute, transpose ---- */

static gr_status permute_infer(const gr_call *c, gr_layout *out)
{
    const gr_axes *axes = c->attributes;
    const gr_array *x = c->in[0];
    alias(c, out);
    if (axes->n != x->ndim)
        return gr_call_fail(c, GR_ERR_AXIS, "needs each axis once", "%d axes given", axes->n);
    uint32_t seen = 0;
    for (int i = 0; i < axes->n; i++) {
        const int axis = gr_call_axis(c, axes->axis[i], x->ndim);
        if (axis < 0) return GR_ERR_AXIS;
        if (seen >> axis & 1)
            return gr_call_fail(c, GR_ERR_AXIS, "an axis is named twice", "%d", axes->axis[i]);
        seen |= 1u << axis;
        out->dims[i] = x->dims[axis];
        out->strides[i] = x->strides[axis];
    }
    return GR_OK;
}

static gr_tensor permute_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    const gr_axes *axes = c->attributes;
    gr_axes inverse = {.n = axes->n};
    for (int k = 0; k < axes->n; k++)
        inverse.axis[axes->axis[k] < 0 ? axes->axis[k] + axes->n : axes->axis[k]] = k;
    return gr_permute(gy, inverse);
}

const gr_op gri_op_permute = {.name = "permute",
                              .arity = 1,
                              .strided = true,
                              .attribute_bytes = sizeof(gr_axes),
                              .formula = "y = x with its axes in another order",
                              .infer = permute_infer,
                              .vjp = permute_vjp,
                              .tangent = GR_TANGENT_LINEAR};

gr_tensor gr_permute(gr_tensor x, gr_axes axes)
{
    if (axes.n >= 0) return gri_apply1(&gri_op_permute, x, &axes);
    const gr_array *a = gri_array_of(x, "permute");
    if (!a) return gri_invalid(x.graph);
    axes.n = a->ndim;
    for (int i = 0; i < a->ndim; i++) axes.axis[i] = a->ndim - 1 - i;
    return gri_apply1(&gri_op_permute, x, &axes);
}

int gri_check_axis(gr_tensor x, const char *what, int axis, int ndim)
{
    const int at = axis < 0 ? axis + ndim : axis;
    if (at >= 0 && at < ndim) return at;
    gri_fail_about(x.graph, GR_ERR_AXIS, gri_resolve(x, what), "%s: axis %d is out of range", what, axis);
    return -1;
}

gr_tensor gr_transpose(gr_tensor x, int axis1, int axis2)
{
    const gr_array *a = gri_array_of(x, "transpose");
    if (!a) return gri_invalid(x.graph);
    const int i = gri_check_axis(x, "transpose", axis1, a->ndim),
              j = gri_check_axis(x, "transpose", axis2, a->ndim);
    if (i < 0 || j < 0) return gri_invalid(x.graph);
    gr_axes axes = {.n = a->ndim};
    for (int k = 0; k < a->ndim; k++) axes.axis[k] = k == i ? j : k == j ? i : k;
    return gri_apply1(&gri_op_permute, x, &axes);
}

/* ---- slice, select ---- */

/* A slice that has been resolved: n elements from `start`, `step` apart. size: of the axis of x. */
typedef struct slice_attributes {
    int axis;
    int64_t start, step, n, size;
} slice_attributes;

static gr_status slice_infer(const gr_call *c, gr_layout *out)
{
    const slice_attributes *k = c->attributes;
    alias(c, out);
    out->dims[k->axis] = k->n;
    out->offset = k->n ? k->start * out->strides[k->axis] : 0;
    out->strides[k->axis] *= k->n > 1 ? k->step : 1;
    return GR_OK;
}

/* Zeros of the shape of x with the operand in the places of the slice: adjoint of slice. */
static gr_status slice_backward_infer(const gr_call *c, gr_layout *out)
{
    const slice_attributes *k = c->attributes;
    const gr_status status = gr_infer_like(c, out, 0);
    out->dims[k->axis] = k->size;
    return status;
}

/* Zeros in what no slice reaches: all of it, unless the slice has no gaps. */
static void clear_outside(const slice_attributes *k, const gr_array *out)
{
    const size_t row = (size_t)out->strides[k->axis] * gr_type_size(out->type), size = (size_t)k->size * row;
    const size_t bytes = (size_t)out->count * gr_type_size(out->type);
    const size_t head = k->step == 1 ? (size_t)k->start * row : size;
    const size_t end = k->step == 1 ? head + (size_t)k->n * row : size;
    for (size_t at = 0; at < bytes; at += size) {
        memset((char *)out->data + at, 0, head);
        memset((char *)out->data + at + end, 0, size - end);
    }
}

static gr_status slice_backward_forward(const gr_call *c)
{
    const slice_attributes *k = c->attributes;
    clear_outside(k, c->out);
    int64_t strides[GR_MAX_NDIM];
    memcpy(strides, c->out->strides, (size_t)c->out->ndim * sizeof *strides);
    gr_array part = *c->in[0];
    if (part.count == 0) return GR_OK;
    part.data = (char *)c->out->data + k->start * strides[k->axis] * (int64_t)gr_type_size(c->out->type);
    strides[k->axis] *= k->step;
    part.strides = strides;
    gri_copy_strided(c->graph->threads, &part, c->in[0]);
    return GR_OK;
}

static gr_tensor slice_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    return gri_apply1(&gri_op_slice_backward, gy, c->attributes);
}
GRI_RULE1(slice_backward, gri_apply1(&gri_op_slice, gy, c->attributes))

const gr_op gri_op_slice = {.name = "slice",
                            .arity = 1,
                            .strided = true,
                            .attribute_bytes = sizeof(slice_attributes),
                            .formula = "y = x[start:stop:step]",
                            .infer = slice_infer,
                            .vjp = slice_vjp,
                            .tangent = GR_TANGENT_LINEAR};
const gr_op gri_op_slice_backward = {.name = "slice_backward",
                                     .arity = 1,
                                     .strided = true,
                                     .attribute_bytes = sizeof(slice_attributes),
                                     .formula = "gx[start:stop:step] = gy, else 0",
                                     .infer = slice_backward_infer,
                                     .forward = slice_backward_forward,
                                     .vjp = slice_backward_vjp,
                                     .tangent = GR_TANGENT_LINEAR,
                                     .flops = gri_flops_none};

static int64_t clip(int64_t position, int64_t low, int64_t high)
{
    return position < low ? low : position > high ? high : position;
}

/* A position as given, negative ones counting from the end, clipped to what the direction allows. */
static int64_t resolve_position(int64_t position, int64_t fallback, int64_t size, bool forwards)
{
    if (position == GR_SLICE_DEFAULT) return fallback;
    if (position < 0) position += size;
    return forwards ? clip(position, 0, size) : clip(position, -1, size - 1);
}

gr_tensor gr_slice(gr_tensor x, int axis, int64_t start, int64_t stop, int64_t step)
{
    const gr_array *a = gri_array_of(x, "slice");
    const int at = a ? gri_check_axis(x, "slice", axis, a->ndim) : -1;
    if (at < 0) return gri_invalid(x.graph);
    if (step == 0 || step == INT64_MIN) {
        gri_fail(x.graph, GR_ERR_ARGUMENT, "slice: the step is %" PRId64, step);
        return gri_invalid(x.graph);
    }
    const int64_t size = a->dims[at];
    const bool forwards = step > 0;
    const int64_t first = resolve_position(start, forwards ? 0 : size - 1, size, forwards);
    const int64_t end = resolve_position(stop, forwards ? size : -1, size, forwards);
    const int64_t length = forwards ? end - first : first - end, pace = forwards ? step : -step;
    const int64_t n = length > 0 ? (length - 1) / pace + 1 : 0;
    const slice_attributes k = {.axis = at, .start = first, .step = n > 1 ? step : 1, .n = n, .size = size};
    return gri_apply1(&gri_op_slice, x, &k);
}

/* x with one axis less. */
static gr_tensor drop_axis(gr_tensor x, int axis)
{
    const gr_array *a = gr_is_valid(x) ? gri_array(x) : NULL;
    if (!a) return x;
    gr_shape shape = {.ndim = 0};
    for (int i = 0; i < a->ndim; i++)
        if (i != axis) shape.dims[shape.ndim++] = a->dims[i];
    return gr_reshape(x, shape);
}

gr_tensor gr_select(gr_tensor x, int axis, int64_t index)
{
    const gr_array *a = gri_array_of(x, "select");
    const int at = a ? gri_check_axis(x, "select", axis, a->ndim) : -1;
    if (at < 0) return gri_invalid(x.graph);
    const int64_t size = a->dims[at], position = index < 0 ? index + size : index;
    if (position < 0 || position >= size) {
        gri_fail_about(x.graph, GR_ERR_INDEX, gri_resolve(x, "select"),
                       "select: position %" PRId64 " of axis %d is out of range", index, axis);
        return gri_invalid(x.graph);
    }
    const slice_attributes k = {.axis = at, .start = position, .step = 1, .n = 1, .size = size};
    return drop_axis(gri_apply1(&gri_op_slice, x, &k), at);
}

/* ---- expand ---- */

static gr_status expand_infer(const gr_call *c, gr_layout *out)
{
    const gr_shape *shape = c->attributes;
    const gr_array *x = c->in[0];
    alias(c, out);
    if (shape->ndim > GR_MAX_NDIM || shape->ndim < x->ndim)
        return gr_call_fail(c, GR_ERR_NDIM, "the shape asked for has fewer axes, or too many", "%d",
                            shape->ndim);
    const int missing = shape->ndim - x->ndim;
    out->ndim = shape->ndim;
    for (int axis = 0; axis < shape->ndim; axis++) {
        const bool own = axis >= missing;
        const int64_t from = own ? x->dims[axis - missing] : 1, stride = own ? x->strides[axis - missing] : 0;
        const int64_t to = shape->dims[axis] == -1 && own ? from : shape->dims[axis];
        if (to < 0 || (from != to && from != 1)) {
            char text[TEXT_BYTES];
            gri_describe_shape(text, sizeof text, shape->ndim, shape->dims);
            return gr_call_fail(c, GR_ERR_SHAPE, "only axes of size 1 can be repeated", "to %s", text);
        }
        out->dims[axis] = to;
        out->strides[axis] = from == to ? stride : 0;
    }
    return GR_OK;
}
/* The engine sums the repeated axes. */
GRI_RULE1(expand, gy)
const gr_op gri_op_expand = {.name = "expand",
                             .arity = 1,
                             .strided = true,
                             .attribute_bytes = sizeof(gr_shape),
                             .formula = "y = x, repeated",
                             .infer = expand_infer,
                             .vjp = expand_vjp,
                             .tangent = GR_TANGENT_LINEAR};

gr_tensor gr_expand(gr_tensor x, gr_shape shape) { return gri_apply1(&gri_op_expand, x, &shape); }

/* ---- squeeze, unsqueeze: reshapes that never copy ---- */

gr_tensor gr_squeeze(gr_tensor x, gr_axes axes)
{
    const gr_array *a = gri_array_of(x, "squeeze");
    if (!a) return gri_invalid(x.graph);
    uint32_t drop = 0;
    for (int i = 0; i < a->ndim && axes.n < 0; i++)
        if (a->dims[i] == 1) drop |= 1u << i;
    for (int i = 0; i < axes.n; i++) {
        const int axis = gri_check_axis(x, "squeeze", i < GR_MAX_NDIM ? axes.axis[i] : a->ndim, a->ndim);
        if (axis < 0) return gri_invalid(x.graph);
        if (a->dims[axis] != 1 || drop >> axis & 1) {
            gri_fail_about(x.graph, a->dims[axis] != 1 ? GR_ERR_SHAPE : GR_ERR_AXIS,
                           gri_resolve(x, "squeeze"), "squeeze: axis %d %s", axes.axis[i],
                           a->dims[axis] != 1 ? "is not of size 1" : "is named twice");
            return gri_invalid(x.graph);
        }
        drop |= 1u << axis;
    }
    gr_shape shape = {.ndim = 0};
    for (int i = 0; i < a->ndim; i++)
        if (!(drop >> i & 1)) shape.dims[shape.ndim++] = a->dims[i];
    return gr_reshape(x, shape);
}

gr_tensor gr_unsqueeze(gr_tensor x, int axis)
{
    const gr_array *a = gri_array_of(x, "unsqueeze");
    const int at = a ? gri_check_axis(x, "unsqueeze", axis, a->ndim + 1) : -1;
    if (at < 0) return gri_invalid(x.graph);
    if (a->ndim == GR_MAX_NDIM) {
        gri_fail(x.graph, GR_ERR_NDIM, "unsqueeze: the operand has %d axes already", GR_MAX_NDIM);
        return gri_invalid(x.graph);
    }
    gr_shape shape = {.ndim = a->ndim + 1};
    for (int i = 0; i < shape.ndim; i++) shape.dims[i] = i == at ? 1 : a->dims[i - (i > at)];
    return gr_reshape(x, shape);
}
