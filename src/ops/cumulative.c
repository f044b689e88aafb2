/*
 * Running sums and products along an axis, and the linear recurrence that their rules are made of.
 *
 * Derivatives of products divide by nothing, so zeros are no special case: the product of what is before an element, and
 * all that comes behind it, are recurrences, and the rule of a recurrence is recurrences again. What is here is exact in
 * every order, at the cost of a pass over the elements for each.
 */
#include "ops/axes.h"
#include "ops/kernels/scan.h"

/* Everything works along the last axis; constructors bring an axis there and back by views. */
static gr_status cumulative_infer(const gr_call *c, gr_layout *out)
{
    const gr_array *x = c->in[0];
    if (x->ndim == 0) return gr_call_fail(c, GR_ERR_NDIM, "needs at least one axis", NULL);
    if (x->type == GR_BOOL) return gr_call_fail(c, GR_ERR_TYPE, "needs f32, f64 or i32", NULL);
    out->type = x->type;
    out->ndim = x->ndim;
    for (int axis = 0; axis < x->ndim; axis++) out->dims[axis] = x->dims[axis];
    return GR_OK;
}

static gr_status float_cumulative_infer(const gr_call *c, gr_layout *out)
{
    if (!gr_type_is_float(c->in[0]->type)) return gr_call_fail(c, GR_ERR_TYPE, "needs f32 or f64", NULL);
    return cumulative_infer(c, out);
}

/* x from the last element to the first. */
static gr_tensor reversed(gr_tensor x) { return gr_slice(x, -1, GR_SLICE_DEFAULT, GR_SLICE_DEFAULT, -1); }

/* ---- cumsum ---- */

static gr_status cumsum_forward(const gr_call *c)
{
    gri_cumsum(c->graph->threads, c->out, c->in[0]);
    return GR_OK;
}
/* x_i is part of all sums from i on. */
GRI_RULE1(cumsum, reversed(gri_apply1(&gri_op_cumsum, reversed(gy), NULL)))
const gr_op gri_op_cumsum = {.name = "cumsum",
                             .arity = 1,
                             .strided = true,
                             .formula = "y_i = x_0 + ... + x_i",
                             .infer = cumulative_infer,
                             .forward = cumsum_forward,
                             .vjp = cumsum_vjp,
                             .tangent = GR_TANGENT_LINEAR};

gr_tensor gr_cumsum(gr_tensor x, int axis) { return gri_along_axis(&gri_op_cumsum, x, axis); }

/* ---- recurrence: y_i = b_i + a_i y_(i-1), or, delayed, b_i + a_(i-1) y_(i-1) ---- */

/* A primitive, though it is a loop of products and sums, for as such it would be a node for each element. Products are
   those of the chain rule: it is made for rules. */

typedef struct recurrence_attributes {
    bool delayed;
} recurrence_attributes;

static gr_tensor recurrence(gr_tensor a, gr_tensor b, bool delayed)
{
    const recurrence_attributes k = {delayed};
    return gri_apply2(&gri_op_recurrence, a, b, &k);
}

/* The same from the last element to the first: y_i = b_i + a_i y_(i+1), or, delayed, b_i + a_(i+1) y_(i+1). */
static gr_tensor recurrence_back(gr_tensor a, gr_tensor b, bool delayed)
{
    return reversed(recurrence(reversed(a), reversed(b), delayed));
}

static gr_status recurrence_infer(const gr_call *c, gr_layout *out)
{
    const gr_array *a = c->in[0], *b = c->in[1];
    if (a->type != b->type) return gr_call_fail(c, GR_ERR_TYPE, "types differ", NULL);
    if (!gri_same_dims(a, b)) return gr_call_fail(c, GR_ERR_SHAPE, "shapes differ", NULL);
    return float_cumulative_infer(c, out);
}

static gr_status recurrence_forward(const gr_call *c)
{
    gri_recurrence(c->graph->threads, c->out, c->in[0], c->in[1],
                   ((const recurrence_attributes *)c->attributes)->delayed);
    return GR_OK;
}

/* later_i earlier_(i-1), which is the derivative by the factor between the two; it stands at i, or, delayed, at i - 1. The
   place that is left is 0. */
static gr_tensor between(gr_tensor later, gr_tensor earlier, bool delayed)
{
    gr_shape one = gr_shape_of(later);
    if (one.ndim < 0 || one.dims[one.ndim - 1] == 0) return later;
    one.dims[one.ndim - 1] = 1;
    const gr_tensor product = gr_chain_mul(gr_slice(later, -1, 1, GR_SLICE_DEFAULT, 1),
                                           gr_slice(earlier, -1, 0, -1, 1));
    const gr_tensor zero = gr_zeros(later.graph, gr_type_of(later), one);
    const gr_tensor parts[] = {delayed ? product : zero, delayed ? zero : product};
    return gr_concat(2, parts, -1);
}

/* s: what y_i moves, by all that follow. It is the cotangent of b_i. */
static gr_status recurrence_vjp_all(const gr_call *c, gr_tensor gy, const bool *needed,
                                    gr_tensor *contributions)
{
    const bool delayed = ((const recurrence_attributes *)c->attributes)->delayed;
    const gr_tensor s = recurrence_back(c->operands[0], gy, !delayed);
    if (needed[0]) contributions[0] = between(s, c->output, delayed);
    if (needed[1]) contributions[1] = s;
    return gr_graph_status(c->graph);
}

const gr_op gri_op_recurrence = {.name = "recurrence",
                                 .arity = 2,
                                 .strided = true,
                                 .attribute_bytes = sizeof(recurrence_attributes),
                                 .formula = "y_i = b_i + a_i y_(i-1)",
                                 .infer = recurrence_infer,
                                 .forward = recurrence_forward,
                                 .vjp_all = recurrence_vjp_all};

/* ---- Products ---- */

/* 1, 0, 0, ... in the shape of x. */
static gr_tensor first_one(gr_tensor x)
{
    const gr_type type = gr_type_of(x);
    const gr_tensor places = gr_arange(x.graph, type, gr_dim(x, -1), 0, 1);
    return gr_expand(gr_cast(gr_equal(places, gri_zero_like(x)), type), gr_shape_of(x));
}

gr_tensor gri_product_of_others(gr_tensor rows)
{
    const gr_tensor one = first_one(rows), before = recurrence(rows, one, true);
    return gr_chain_mul(before, reversed(recurrence(reversed(rows), one, true)));
}

static gr_status cumprod_forward(const gr_call *c)
{
    gri_cumprod(c->graph->threads, c->out, c->in[0]);
    return GR_OK;
}

/* gx_i = x_0 ... x_(i-1) s_i, where s_i = gy_i + x_(i+1) s_(i+1). */
static gr_tensor cumprod_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    const gr_tensor x = c->operands[0];
    return gr_chain_mul(recurrence_back(x, gy, true), recurrence(x, first_one(x), true));
}

const gr_op gri_op_cumprod = {.name = "cumprod",
                              .arity = 1,
                              .strided = true,
                              .formula = "y_i = x_0 ... x_i",
                              .infer = float_cumulative_infer,
                              .forward = cumprod_forward,
                              .vjp = cumprod_vjp};

gr_tensor gr_cumprod(gr_tensor x, int axis) { return gri_along_axis(&gri_op_cumprod, x, axis); }
