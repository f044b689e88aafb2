/* Losses of vectors along the last axis: of their directions and distances. */
#include "nn/loss.h"

#include <math.h>

/* x over its length, which is 1e-8 at least. */
static gr_tensor direction(gr_tensor x, int axis)
{
    return gr_div(x, gr_clamp(gr_norm(x, GR_AXES(axis), true), 1e-8, (double)INFINITY));
}

gr_tensor gr_cosine_similarity(gr_tensor a, gr_tensor b, int axis)
{
    return gr_sum(gr_mul(direction(a, axis), direction(b, axis)), GR_AXES(axis), false);
}

gr_tensor gr_cosine_loss_with(gr_tensor y, gr_tensor target, const gr_loss_options *options)
{
    gri_loss l;
    if (!gri_loss_begin(&l, "cosine_loss", 0, y, target, options) || !gri_loss_alike_in_rows(&l, y, target))
        return gri_loss_invalid(&l);
    return gr_neg(gri_loss_reduce(&l, gr_cosine_similarity(y, target, -1)));
}
GRI_LOSS_DEFAULTS(cosine_loss)

/* Whether a third operand is a live tensor of the graph. */
static bool is_of_graph(const gri_loss *l, gr_tensor t)
{
    if (gr_ndim(t) < 0) return false;
    if (t.graph == l->graph) return true;
    gr_graph_fail(l->graph, GR_ERR_GRAPH, "%s: operands belong to different graphs", l->name);
    return false;
}

gr_tensor gr_cosine_embedding_with(gr_tensor a, gr_tensor b, gr_tensor target, const gr_loss_options *options)
{
    gri_loss l;
    if (!gri_loss_begin(&l, "cosine_embedding", GRI_LOSS_MARGIN, a, b, options) || !is_of_graph(&l, target) ||
        !gri_loss_alike_in_rows(&l, a, b) || !gri_loss_rows_and_one_each(&l, a, target, NULL))
        return gri_loss_invalid(&l);
    const gr_tensor c = gr_cosine_similarity(a, b, -1), zero = gr_scalar(l.graph, gr_type_of(a), 0);
    const gr_tensor apart = gr_relu(gr_add_scalar(c, -l.o.margin));
    return gri_loss_reduce(&l, gr_where(gr_greater(target, zero), gr_add_scalar(gr_neg(c), 1), apart));
}

gr_tensor gr_cosine_embedding(gr_tensor a, gr_tensor b, gr_tensor target)
{
    return gr_cosine_embedding_with(a, b, target, NULL);
}

/* |a - b + e|, e being what keeps it from 0. */
static gr_tensor distance(const gri_loss *l, gr_tensor a, gr_tensor b)
{
    const gr_tensor apart = gr_add_scalar(gr_sub(a, b), 1e-6);
    return gr_vector_norm(apart, gri_loss_or(l->o.order, 2), GR_AXES(-1), false);
}

gr_tensor gr_triplet_margin_with(gr_tensor anchor, gr_tensor positive, gr_tensor negative,
                                 const gr_loss_options *options)
{
    gri_loss l;
    if (!gri_loss_begin(&l, "triplet_margin",
                        GRI_LOSS_MARGIN | GRI_LOSS_NO_MARGIN | GRI_LOSS_ORDER | GRI_LOSS_SWAP, anchor,
                        positive, options) ||
        !is_of_graph(&l, negative) || !gri_loss_alike_in_rows(&l, anchor, positive) ||
        !gri_loss_alike_in_rows(&l, anchor, negative))
        return gri_loss_invalid(&l);
    gr_tensor farther = distance(&l, anchor, negative);
    if (l.o.swap) farther = gr_minimum(farther, distance(&l, positive, negative));
    const gr_tensor apart = gr_sub(distance(&l, anchor, positive), farther);
    return gri_loss_reduce(&l, gr_relu(gr_add_scalar(apart, gri_loss_margin(&l))));
}

gr_tensor gr_triplet_margin(gr_tensor anchor, gr_tensor positive, gr_tensor negative)
{
    return gr_triplet_margin_with(anchor, positive, negative, NULL);
}
