/*
 * Windows along an axis: a view whose elements overlap, and its adjoint, which adds up what overlaps.
 *
 * Views that overlap are read only, like all views: a cotangent that is one is copied before anything is added to it.
 */
#include "ops/axes.h"
#include "ops/kernels/accumulate.h"

#include <inttypes.h>
#include <string.h>

/* Windows of `size` elements, `step` apart, along an axis of n. */
typedef struct unfold_attributes {
    int axis;
    int64_t size, step, n;
} unfold_attributes;

static gr_status unfold_infer(const gr_call *c, gr_layout *out)
{
    const unfold_attributes *k = c->attributes;
    const gr_array *x = c->in[0];
    out->type = x->type;
    out->ndim = x->ndim + 1;
    if (out->ndim > GR_MAX_NDIM)
        return gr_call_fail(c, GR_ERR_NDIM, "the result would have too many axes", NULL);
    out->alias = 0;
    out->offset = 0;
    for (int axis = 0; axis < x->ndim; axis++) {
        out->dims[axis] = x->dims[axis];
        out->strides[axis] = x->strides[axis];
    }
    out->dims[x->ndim] = k->size;
    out->strides[x->ndim] = x->strides[k->axis];
    out->dims[k->axis] = (k->n - k->size) / k->step + 1;
    out->strides[k->axis] *= out->dims[k->axis] > 1 ? k->step : 1;
    return GR_OK;
}

static gr_status unfold_backward_infer(const gr_call *c, gr_layout *out)
{
    const unfold_attributes *k = c->attributes;
    const gr_status status = gr_infer_like(c, out, 0);
    out->ndim--;
    out->dims[k->axis] = k->n;
    return status;
}

/* Adds one element of each window, or one window: the places of neither overlap. Whichever takes fewer passes. */
static gr_status unfold_backward_forward(const gr_call *c)
{
    const unfold_attributes *k = c->attributes;
    const gr_array *x = c->in[0], *y = c->out;
    const int last = x->ndim - 1;
    const int64_t bytes = (int64_t)gr_type_size(y->type), windows = x->dims[k->axis];
    memset(y->data, 0, (size_t)(y->count * bytes));
    if (x->count == 0) return GR_OK;
    const bool by_window = windows < k->size;
    int64_t dims[GR_MAX_NDIM], from_strides[GR_MAX_NDIM], to_strides[GR_MAX_NDIM];
    for (int axis = 0; axis < last; axis++) {
        dims[axis] = x->dims[axis];
        from_strides[axis] = x->strides[axis];
        to_strides[axis] = y->strides[axis];
    }
    const int64_t stride = y->strides[k->axis];
    dims[k->axis] = by_window ? k->size : windows;
    from_strides[k->axis] = x->strides[by_window ? last : k->axis];
    to_strides[k->axis] = by_window ? stride : stride * k->step;
    gr_array from = {.dims = dims, .strides = from_strides, .type = x->type, .ndim = last}, to = from;
    to.strides = to_strides;
    const int64_t passes = by_window ? windows : k->size;
    from.count = to.count = x->count / passes;
    const int64_t from_step = x->strides[by_window ? k->axis : last],
                  to_step = by_window ? stride * k->step : stride;
    for (int64_t i = 0; i < passes; i++) {
        from.data = (char *)x->data + i * from_step * bytes;
        to.data = (char *)y->data + i * to_step * bytes;
        gri_accumulate(c->graph->threads, &to, &from);
    }
    return GR_OK;
}

static gr_tensor unfold_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    return gri_apply1(&gri_op_unfold_backward, gy, c->attributes);
}
GRI_RULE1(unfold_backward, gri_apply1(&gri_op_unfold, gy, c->attributes))

const gr_op gri_op_unfold = {.name = "unfold",
                             .arity = 1,
                             .strided = true,
                             .attribute_bytes = sizeof(unfold_attributes),
                             .formula = "y[i, j] = x[i step + j]",
                             .infer = unfold_infer,
                             .vjp = unfold_vjp,
                             .tangent = GR_TANGENT_LINEAR};
const gr_op gri_op_unfold_backward = {.name = "unfold_backward",
                                      .arity = 1,
                                      .strided = true,
                                      .attribute_bytes = sizeof(unfold_attributes),
                                      .formula = "gx[i step + j] += gy[i, j]",
                                      .infer = unfold_backward_infer,
                                      .forward = unfold_backward_forward,
                                      .vjp = unfold_backward_vjp,
                                      .tangent = GR_TANGENT_LINEAR,
                                      .flops = gri_flops_operand};

gr_tensor gr_unfold(gr_tensor x, int axis, int64_t size, int64_t step)
{
    const gr_array *a = gri_array_of(x, "unfold");
    const int at = a ? gri_check_axis(x, "unfold", axis, a->ndim) : -1;
    if (at < 0) return gri_invalid(x.graph);
    const int64_t n = a->dims[at];
    const bool positive = size > 0 && step > 0;
    if (!positive || size > n) {
        gri_fail_about(x.graph, positive ? GR_ERR_SHAPE : GR_ERR_ARGUMENT, gri_resolve(x, "unfold"),
                       "unfold: windows of %" PRId64 ", %" PRId64 " apart, along axis %d", size, step, at);
        return gri_invalid(x.graph);
    }
    const unfold_attributes k = {.axis = at, .size = size, .step = step, .n = n};
    return gri_apply1(&gri_op_unfold, x, &k);
}
