/* Reductions over axes, and softmax and its kin along one. */
#include "ops/ops.h"
#include "ops/axes.h"
#include "ops/kernels/reduce.h"

#include <math.h>

typedef struct reduction_attributes {
    gr_axes axes;
    bool keepdims;
} reduction_attributes;

bool gri_axes_mask(const gr_call *c, const gr_axes *axes, int ndim, uint32_t *mask)
{
    *mask = 0;
    if (axes->n < 0) {
        *mask = (1u << ndim) - 1;
        return true;
    }
    if (axes->n > GR_MAX_NDIM) {
        gr_call_fail(c, GR_ERR_NDIM, "too many axes", "%d", axes->n);
        return false;
    }
    for (int i = 0; i < axes->n; i++) {
        const int axis = gr_call_axis(c, axes->axis[i], ndim);
        if (axis < 0) return false;
        if (*mask >> axis & 1) {
            gr_call_fail(c, GR_ERR_AXIS, "an axis is named twice", "%d", axes->axis[i]);
            return false;
        }
        *mask |= 1u << axis;
    }
    return true;
}

static uint32_t known_mask(const gr_call *c, int ndim)
{
    uint32_t mask;
    gri_axes_mask(c, &((const reduction_attributes *)c->attributes)->axes, ndim, &mask);
    return mask;
}

/* Of any type: without the axes that are reduced, or with 1 in their place. */
static gr_status reduced_infer(const gr_call *c, gr_layout *out)
{
    const reduction_attributes *k = c->attributes;
    const gr_array *x = c->in[0];
    uint32_t mask;
    if (!gri_axes_mask(c, &k->axes, x->ndim, &mask)) return GR_ERR_AXIS;
    out->type = x->type;
    out->ndim = 0;
    for (int axis = 0; axis < x->ndim; axis++) {
        const bool reduced = mask >> axis & 1;
        if (reduced && !k->keepdims) continue;
        out->dims[out->ndim++] = reduced ? 1 : x->dims[axis];
    }
    return GR_OK;
}

static gr_status reduction_infer(const gr_call *c, gr_layout *out)
{
    const gr_status status = reduced_infer(c, out);
    if (status != GR_OK || out->type != GR_BOOL) return status;
    return gr_call_fail(c, GR_ERR_TYPE, "needs f32, f64 or i32", NULL);
}

static gr_status float_reduction_infer(const gr_call *c, gr_layout *out)
{
    if (!gr_type_is_float(c->in[0]->type)) return gr_call_fail(c, GR_ERR_TYPE, "needs f32 or f64", NULL);
    return reduction_infer(c, out);
}

/* t, of the shape of the result of a reduction of x, with the reduced axes as size 1: broadcasts to x. */
static gr_tensor with_ones(const gr_call *c, gr_tensor t)
{
    const reduction_attributes *k = c->attributes;
    if (k->keepdims || gr_ndim(t) == 0) return t; /* a scalar broadcasts to anything */
    gr_shape shape = gr_shape_of(c->operands[0]);
    const uint32_t mask = known_mask(c, shape.ndim);
    for (int axis = 0; axis < shape.ndim; axis++)
        if (mask >> axis & 1) shape.dims[axis] = 1;
    return gr_reshape(t, shape);
}

static gr_tensor apply_reduction(const gr_op *op, gr_tensor x, gr_axes axes, bool keepdims)
{
    const reduction_attributes k = {axes, keepdims};
    return gri_apply1(op, x, &k);
}

#define REDUCTION(NAME, FORMULA, INFER, RULE, TANGENT, STRAIGHT)                  \
    const gr_op gri_op_##NAME = {.name = #NAME,                                   \
                                 .arity = 1,                                      \
                                 .strided = true,                                 \
                                 .formula = FORMULA,                              \
                                 .attribute_bytes = sizeof(reduction_attributes), \
                                 .infer = INFER,                                  \
                                 .forward = NAME##_forward,                       \
                                 .vjp = RULE,                                     \
                                 .tangent = TANGENT,                              \
                                 .straight = STRAIGHT,                            \
                                 .flops = gri_flops_operand};                     \
    gr_tensor gr_##NAME(gr_tensor x, gr_axes axes, bool keepdims)                 \
    {                                                                             \
        return apply_reduction(&gri_op_##NAME, x, axes, keepdims);                \
    }

/* ---- sum, mean ---- */

static gr_status sum_forward(const gr_call *c)
{
    gri_reduce_sum(c->graph->threads, c->out, c->in[0], known_mask(c, c->in[0]->ndim));
    return GR_OK;
}
GRI_RULE1(sum, gr_expand(with_ones(c, gy), gr_shape_of(x)))
REDUCTION(sum, "y = sum x", reduction_infer, sum_vjp, GR_TANGENT_LINEAR, true)

/* Elements per result. */
static double group_size(const gr_call *c, const gr_array *x)
{
    const uint32_t mask = known_mask(c, x->ndim);
    double n = 1;
    for (int axis = 0; axis < x->ndim; axis++)
        if (mask >> axis & 1) n *= (double)x->dims[axis];
    return n;
}

#define PART(T) x / (T)(*(const double *)parameter)
GRI_LOOP1(part_f32, float, float, PART(float))
GRI_LOOP1(part_f64, double, double, PART(double))

/* Divides the sums by n; true if one of them is infinite. */
static bool divide(const gr_array *y, double n)
{
    bool infinite = false;
    for (int64_t i = 0; i < y->count; i++) {
        double mean;
        if (y->type == GR_F32)
            mean = ((float *)y->data)[i] = (float)((double)((float *)y->data)[i] / n);
        else
            mean = ((double *)y->data)[i] /= n;
        infinite |= isinf(mean);
    }
    return infinite;
}

/* Where the sum overflowed the mean need not: the elements are divided first, at the price of a copy. */
static gr_status mean_of_large(const gr_call *c, double n)
{
    const gr_array *x = c->in[0], *y = c->out;
    const size_t size = gr_type_size(x->type);
    int64_t strides[GR_MAX_NDIM], stride = 1;
    for (int axis = x->ndim - 1; axis >= 0; axis--) {
        strides[axis] = stride;
        stride *= x->dims[axis];
    }
    gr_array parts = *x, means = *y;
    parts.strides = strides;
    parts.data = gr_call_scratch(c, (size_t)x->count * size);
    means.data = gr_call_scratch(c, (size_t)y->count * size);
    if (!parts.data || !means.data) return c->graph->status;
    gri_map(c->graph->threads, x->type == GR_F32 ? part_f32 : part_f64, &n, &parts, 1, &x);
    gri_reduce_sum(c->graph->threads, &means, &parts, known_mask(c, x->ndim));
    for (int64_t i = 0; i < y->count; i++) {
        if (y->type == GR_F32 && isinf(((float *)y->data)[i]))
            ((float *)y->data)[i] = ((float *)means.data)[i];
        else if (y->type == GR_F64 && isinf(((double *)y->data)[i]))
            ((double *)y->data)[i] = ((double *)means.data)[i];
    }
    return GR_OK;
}

static gr_status mean_forward(const gr_call *c)
{
    const double n = group_size(c, c->in[0]);
    sum_forward(c);
    return divide(c->out, n) ? mean_of_large(c, n) : GR_OK;
}
GRI_RULE1(mean,
          gr_expand(with_ones(c, gr_scale(gy, 1 / fmax(1, group_size(c, gri_array(x))))), gr_shape_of(x)))
REDUCTION(mean, "y = sum x / n", float_reduction_infer, mean_vjp, GR_TANGENT_LINEAR, true)

/* ---- max, min ---- */

static gr_status extreme_infer(const gr_call *c, gr_layout *out)
{
    const gr_status status = reduction_infer(c, out);
    if (status != GR_OK) return status;
    int64_t results = 1;
    for (int i = 0; i < out->ndim; i++) results *= out->dims[i];
    if (c->in[0]->count == 0 && results > 0)
        return gr_call_fail(c, GR_ERR_SHAPE, "there is none of no elements", NULL);
    return GR_OK;
}

/* The elements that attain the extreme share its cotangent evenly. */
static gr_tensor extreme_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    const gr_tensor x = c->operands[0];
    const gr_tensor attained = gr_cast(gr_equal(x, with_ones(c, c->output)), gr_type_of(x));
    const gr_tensor n = gr_sum(attained, ((const reduction_attributes *)c->attributes)->axes, true);
    return gr_chain_mul(with_ones(c, gy), gr_div(attained, n));
}

static gr_status max_forward(const gr_call *c)
{
    gri_reduce_max(c->graph->threads, c->out, c->in[0], known_mask(c, c->in[0]->ndim));
    return GR_OK;
}
REDUCTION(max, "y = max x", extreme_infer, extreme_vjp, GR_TANGENT_GENERAL, true)

static gr_status min_forward(const gr_call *c)
{
    gri_reduce_min(c->graph->threads, c->out, c->in[0], known_mask(c, c->in[0]->ndim));
    return GR_OK;
}
REDUCTION(min, "y = min x", extreme_infer, extreme_vjp, GR_TANGENT_GENERAL, true)

/* ---- prod ---- */

static gr_status prod_forward(const gr_call *c)
{
    gri_reduce_prod(c->graph->threads, c->out, c->in[0], known_mask(c, c->in[0]->ndim));
    return GR_OK;
}

/* gy times the product of the other elements, which is never y / x: x may be 0. */
static gr_tensor prod_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    const gr_tensor x = c->operands[0];
    const gr_array *a = gri_array(x);
    const uint32_t mask = known_mask(c, a->ndim);
    if (mask == 0) return gy; /* each element is a product of its own, perhaps in other strides */
    const gri_grouping k = gri_group_axes(a, mask);
    const gr_tensor others = gri_product_of_others(gr_reshape(gr_permute(x, k.order), k.rows));
    return gr_chain_mul(with_ones(c, gy), gr_permute(gr_reshape(others, k.permuted), k.inverse));
}
REDUCTION(prod, "y = product of x", reduction_infer, prod_vjp, GR_TANGENT_GENERAL, false)

/* ---- any, all ---- */

static gr_status mask_reduction_infer(const gr_call *c, gr_layout *out)
{
    if (c->in[0]->type != GR_BOOL) return gr_call_fail(c, GR_ERR_TYPE, "needs a mask of bool", NULL);
    return reduced_infer(c, out);
}

static gr_status any_forward(const gr_call *c)
{
    gri_reduce_any(c->graph->threads, c->out, c->in[0], known_mask(c, c->in[0]->ndim));
    return GR_OK;
}
REDUCTION(any, "y = whether one of x holds", mask_reduction_infer, NULL, GR_TANGENT_GENERAL, false)

static gr_status all_forward(const gr_call *c)
{
    gri_reduce_all(c->graph->threads, c->out, c->in[0], known_mask(c, c->in[0]->ndim));
    return GR_OK;
}
REDUCTION(all, "y = whether all of x hold", mask_reduction_infer, NULL, GR_TANGENT_GENERAL, false)

/* ---- sum_to ---- */

static gr_status sum_to_infer(const gr_call *c, gr_layout *out)
{
    const gr_shape *to = c->attributes;
    const gr_array *x = c->in[0];
    if (!gr_type_is_float(x->type) && x->type != GR_I32)
        return gr_call_fail(c, GR_ERR_TYPE, "needs f32, f64 or i32", NULL);
    if (to->ndim < 0 || to->ndim > GR_MAX_NDIM || !gri_broadcasts_to(to->ndim, to->dims, x->ndim, x->dims)) {
        char text[128] = "";
        if (to->ndim >= 0 && to->ndim <= GR_MAX_NDIM)
            gri_describe_shape(text, sizeof text, to->ndim, to->dims);
        return gr_call_fail(c, GR_ERR_SHAPE, "the shape asked for does not broadcast to the operand", "%s",
                            text);
    }
    out->type = x->type;
    out->ndim = to->ndim;
    const int missing = x->ndim - to->ndim;
    int64_t count = 1;
    for (int i = 0; i < to->ndim; i++) {
        out->dims[i] = to->dims[i];
        out->strides[i] = x->strides[i + missing];
        count *= to->dims[i];
    }
    if (count == x->count && count > 0) { /* nothing was repeated: a view */
        out->alias = 0;
        out->offset = 0;
    }
    return GR_OK;
}

static gr_status sum_to_forward(const gr_call *c)
{
    const gr_array *x = c->in[0], *y = c->out;
    const int missing = x->ndim - y->ndim;
    uint32_t mask = 0;
    for (int axis = 0; axis < x->ndim; axis++)
        if (axis < missing || (y->dims[axis - missing] == 1 && x->dims[axis] != 1)) mask |= 1u << axis;
    gri_reduce_sum(c->graph->threads, y, x, mask);
    return GR_OK;
}
GRI_RULE1(sum_to, gr_expand(gy, gr_shape_of(x)))

/* Nothing where it is a view. */
static double sum_to_flops(const gr_call *c)
{
    return c->in[0]->count == c->out->count ? 0 : (double)c->in[0]->count;
}

const gr_op gri_op_sum_to = {.name = "sum_to",
                             .arity = 1,
                             .strided = true,
                             .attribute_bytes = sizeof(gr_shape),
                             .formula = "y = sum of x over repeated axes",
                             .infer = sum_to_infer,
                             .forward = sum_to_forward,
                             .vjp = sum_to_vjp,
                             .tangent = GR_TANGENT_LINEAR,
                             .flops = sum_to_flops};

gr_tensor gr_sum_to(gr_tensor x, gr_shape shape) { return gri_apply1(&gri_op_sum_to, x, &shape); }

/* ---- Along the last axis: softmax, log_softmax, logsumexp, norm ---- */

/* Primitives of their own because the naive compositions overflow. They work along the last axis; the
   constructors bring the axis there and back by views. */

static gr_status last_axis_infer(const gr_call *c, gr_layout *out)
{
    if (c->in[0]->ndim == 0) return gr_call_fail(c, GR_ERR_NDIM, "needs at least one axis", NULL);
    return gr_infer_like(c, out, 0);
}

/* Largest, difference, exponential, sum, and what makes the result of it. */
static double softmax_flops(const gr_call *c) { return 5 * (double)c->in[0]->count; }
static double logsumexp_flops(const gr_call *c) { return 4 * (double)c->in[0]->count; }
static double norm_flops(const gr_call *c) { return 2 * (double)c->in[0]->count; }

static gr_status softmax_forward(const gr_call *c)
{
    gri_softmax(c->graph->threads, c->out, c->in[0]);
    return GR_OK;
}
/* y (gy - sum gy y) */
GRI_RULE1(softmax, gr_chain_mul(y, gr_sub(gy, gr_sum(gr_chain_mul(gy, y), GR_AXES(-1), true))))
const gr_op gri_op_softmax = {.name = "softmax",
                              .arity = 1,
                              .strided = true,
                              .formula = "y_i = e^x_i / sum e^x",
                              .infer = last_axis_infer,
                              .forward = softmax_forward,
                              .vjp = softmax_vjp,
                              .tangent = GR_TANGENT_SYMMETRIC,
                              .flops = softmax_flops};

static gr_status log_softmax_forward(const gr_call *c)
{
    gri_log_softmax(c->graph->threads, c->out, c->in[0]);
    return GR_OK;
}
/* gy - e^y sum gy */
GRI_RULE1(log_softmax, gr_sub(gy, gr_chain_mul(gr_exp(y), gr_sum(gy, GR_AXES(-1), true))))
const gr_op gri_op_log_softmax = {.name = "log_softmax",
                                  .arity = 1,
                                  .strided = true,
                                  .formula = "y_i = x_i - ln sum e^x",
                                  .infer = last_axis_infer,
                                  .forward = log_softmax_forward,
                                  .vjp = log_softmax_vjp,
                                  .flops = softmax_flops};

gr_tensor gri_along_axis(const gr_op *op, gr_tensor x, int axis)
{
    const gri_node *node = gri_resolve(x, op->name);
    if (!node) return gri_invalid(x.graph);
    const int ndim = node->array.ndim, at = axis < 0 ? axis + ndim : axis;
    if (ndim > 0 && (at < 0 || at >= ndim)) {
        gri_fail_about(x.graph, GR_ERR_AXIS, node, "%s: axis %d is out of range", op->name, axis);
        return gri_invalid(x.graph);
    }
    if (ndim == 0 || at == ndim - 1) return gri_apply1(op, x, NULL);
    return gr_transpose(gri_apply1(op, gr_transpose(x, at, -1), NULL), at, -1);
}

gr_tensor gr_softmax(gr_tensor x, int axis) { return gri_along_axis(&gri_op_softmax, x, axis); }
gr_tensor gr_log_softmax(gr_tensor x, int axis) { return gri_along_axis(&gri_op_log_softmax, x, axis); }

static gr_status last_axis_dropped_infer(const gr_call *c, gr_layout *out)
{
    const gr_status status = last_axis_infer(c, out);
    if (status == GR_OK) out->ndim--;
    return status;
}

static gr_status logsumexp_forward(const gr_call *c)
{
    gri_logsumexp(c->graph->threads, c->out, c->in[0]);
    return GR_OK;
}

/* gy softmax(x), which is exact however large y is, unlike e^(x - y). */
GRI_RULE1(logsumexp, gr_chain_mul(gr_unsqueeze(gy, -1), gr_softmax(x, -1)))
const gr_op gri_op_logsumexp = {.name = "logsumexp",
                                .arity = 1,
                                .strided = true,
                                .formula = "y = ln sum e^x",
                                .infer = last_axis_dropped_infer,
                                .forward = logsumexp_forward,
                                .vjp = logsumexp_vjp,
                                .flops = logsumexp_flops};

/* ---- norm ---- */

static gr_status norm_forward(const gr_call *c)
{
    gri_norm(c->graph->threads, c->out, c->in[0]);
    return GR_OK;
}

/* gy x / y. A row of zeros is divided by infinity: the quotient and its derivatives are 0 there. */
static gr_tensor norm_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    const gr_tensor y = gr_unsqueeze(c->output, -1);
    const gr_tensor infinity = gr_scalar(c->graph, gr_type_of(y), (double)INFINITY);
    const gr_tensor safe = gr_where(gr_equal(y, gri_zero_like(y)), infinity, y);
    return gr_chain_mul(gr_unsqueeze(gy, -1), gr_chain_div(c->operands[0], safe));
}
const gr_op gri_op_norm = {.name = "norm",
                           .arity = 1,
                           .strided = true,
                           .formula = "y = (sum x^2)^(1/2)",
                           .infer = last_axis_dropped_infer,
                           .forward = norm_forward,
                           .vjp = norm_vjp,
                           .flops = norm_flops};

gri_grouping gri_group_axes(const gr_array *x, uint32_t mask)
{
    gri_grouping k = {.order.n = x->ndim, .inverse.n = x->ndim, .permuted.ndim = x->ndim, .n = 1};
    int at = 0;
    for (int in_mask = 0; in_mask < 2; in_mask++)
        for (int axis = 0; axis < x->ndim; axis++) {
            if ((int)(mask >> axis & 1) != in_mask) continue;
            k.inverse.axis[axis] = at;
            k.permuted.dims[at] = x->dims[axis];
            k.order.axis[at++] = axis;
            if (in_mask) k.n *= x->dims[axis];
            if (!in_mask) k.rows.dims[k.rows.ndim++] = x->dims[axis];
        }
    if (k.rows.ndim < GR_MAX_NDIM) k.rows.dims[k.rows.ndim] = k.n;
    k.rows.ndim++;
    return k;
}

/* Applies `op`, which reduces the last axis, over any axes: they are moved behind the others and merged. */
static gr_tensor over_axes(const gr_op *op, gr_tensor x, gr_axes axes, bool keepdims)
{
    const gri_node *node = gri_resolve(x, op->name);
    if (!node) return gri_invalid(x.graph);
    const gr_array *const in[] = {&node->array};
    const gr_call call = {.graph = x.graph, .op = op, .n = 1, .operands = &x, .in = in};
    gr_shape result = gri_shape(&node->array);
    uint32_t mask;
    if (!gri_axes_mask(&call, &axes, result.ndim, &mask)) return gri_invalid(x.graph);
    gri_grouping k = gri_group_axes(&node->array, mask);
    for (int axis = 0; axis < result.ndim; axis++)
        if (mask >> axis & 1) result.dims[axis] = 1;
    const bool full = k.rows.ndim > GR_MAX_NDIM; /* nothing is reduced: no room for one more axis */
    if (full) k.rows = (gr_shape){.ndim = 2, .dims = {node->array.count, 1}};
    const gr_tensor y = gri_apply1(op, gr_reshape(gr_permute(x, k.order), k.rows), NULL);
    return keepdims || full ? gr_reshape(y, result) : y;
}

gr_tensor gr_logsumexp(gr_tensor x, gr_axes axes, bool keepdims)
{
    return over_axes(&gri_op_logsumexp, x, axes, keepdims);
}

gr_tensor gr_norm(gr_tensor x, gr_axes axes, bool keepdims)
{
    return over_axes(&gri_op_norm, x, axes, keepdims);
}

/* ---- argmax, argmin ---- */

static gr_status position_infer(const gr_call *c, gr_layout *out)
{
    const gr_array *x = c->in[0];
    int64_t results = 1;
    if (x->ndim == 0) return gr_call_fail(c, GR_ERR_NDIM, "needs at least one axis", NULL);
    out->type = GR_I32;
    out->ndim = x->ndim - 1;
    for (int axis = 0; axis < out->ndim; axis++) results *= out->dims[axis] = x->dims[axis];
    if (x->count == 0 && results > 0)
        return gr_call_fail(c, GR_ERR_SHAPE, "there is none of no elements", NULL);
    if (x->dims[out->ndim] > INT32_MAX)
        return gr_call_fail(c, GR_ERR_OVERFLOW, "positions that i32 cannot hold", NULL);
    return GR_OK;
}

static gr_tensor position(const gr_op *op, gr_tensor x, int axis, bool keepdims)
{
    const gr_array *a = gri_array_of(x, op->name);
    if (!a) return gri_invalid(x.graph);
    const int at = a->ndim ? gri_check_axis(x, op->name, axis, a->ndim) : 0;
    if (at < 0) return gri_invalid(x.graph);
    const bool last = at >= a->ndim - 1;
    const gr_tensor y = gri_apply1(op, last ? x : gr_permute(x, gri_group_axes(a, 1u << at).order), NULL);
    return keepdims ? gr_unsqueeze(y, at) : y;
}

/* The result is i32: no gradient flows through it, so there is no rule. */
#define POSITION(NAME, FORMULA)                               \
    static gr_status NAME##_forward(const gr_call *c)         \
    {                                                         \
        gri_##NAME(c->graph->threads, c->out, c->in[0]);      \
        return GR_OK;                                         \
    }                                                         \
    const gr_op gri_op_##NAME = {.name = #NAME,               \
                                 .arity = 1,                  \
                                 .strided = true,             \
                                 .formula = FORMULA,          \
                                 .infer = position_infer,     \
                                 .forward = NAME##_forward,   \
                                 .flops = gri_flops_operand}; \
    gr_tensor gr_##NAME(gr_tensor x, int axis, bool keepdims) \
    {                                                         \
        return position(&gri_op_##NAME, x, axis, keepdims);   \
    }
POSITION(argmax, "y = the first i with x_i = max x")
POSITION(argmin, "y = the first i with x_i = min x")
