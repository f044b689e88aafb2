/*
 * Losses of classes: two of them, element by element, or many, along the last axis. A target or a weight of 0 takes nothing of
 * an infinite loss: products of the chain rule.
 *
 * Losses by labels keep the axis of classes with size 1 until the reduction.
 */
#include "nn/loss.h"
#include "nn/describe.h"

#include <inttypes.h>

/* ---- Two classes ---- */

gr_tensor gr_bce_with(gr_tensor y, gr_tensor target, const gr_loss_options *options)
{
    gri_loss l;
    if (!gri_loss_begin(&l, "bce", 0, y, target, options) || !gri_loss_alike(&l, y, target))
        return gri_loss_invalid(&l);
    return gri_loss_reduce(&l, gr_log_loss(y, target));
}
GRI_LOSS_DEFAULTS(bce)

/* Whether the weight is of the type of y, and broadcasts to its shape. */
static bool fits(const gri_loss *l, gr_tensor weight, gr_tensor y)
{
    const gr_shape w = gr_shape_of(weight), of = gr_shape_of(y);
    bool good = w.ndim <= of.ndim && gr_type_of(weight) == gr_type_of(y);
    for (int i = 1; i <= w.ndim && good; i++)
        good = w.dims[w.ndim - i] == 1 || w.dims[w.ndim - i] == of.dims[of.ndim - i];
    return good || gri_loss_fail_shapes(l, "the weight must have its type, and broadcast to its shape",
                                        "positive_weight", y, weight);
}

gr_tensor gr_bce_with_logits_with(gr_tensor logits, gr_tensor target, const gr_loss_options *options)
{
    gri_loss l;
    if (!gri_loss_begin(&l, "bce_with_logits", GRI_LOSS_POSITIVE_WEIGHT, logits, target, options) ||
        !gri_loss_alike(&l, logits, target))
        return gri_loss_invalid(&l);
    const bool weighted = gri_loss_is_given(l.o.positive_weight);
    if (weighted && !fits(&l, l.o.positive_weight, logits)) return gri_loss_invalid(&l);
    gr_tensor if_one = gr_chain_mul(target, gr_softplus(gr_neg(logits)));
    if (weighted) if_one = gr_chain_mul(l.o.positive_weight, if_one);
    const gr_tensor if_zero = gr_chain_mul(gr_add_scalar(gr_neg(target), 1), gr_softplus(logits));
    return gri_loss_reduce(&l, gr_add(if_one, if_zero));
}
GRI_LOSS_DEFAULTS(bce_with_logits)

gr_tensor gr_hinge_with(gr_tensor y, gr_tensor target, const gr_loss_options *options)
{
    gri_loss l;
    if (!gri_loss_begin(&l, "hinge", GRI_LOSS_MARGIN | GRI_LOSS_NO_MARGIN, y, target, options) ||
        !gri_loss_alike(&l, y, target))
        return gri_loss_invalid(&l);
    return gri_loss_reduce(&l, gr_relu(gr_add_scalar(gr_neg(gr_mul(y, target)), gri_loss_margin(&l))));
}
GRI_LOSS_DEFAULTS(hinge)

/* ---- Labels ---- */

typedef struct labelled {
    gri_loss l;
    gr_tensor column; /* the labels as [..., 1], those that are ignored as 0 */
    gr_tensor kept;   /* mask of the samples that count, or GR_NONE: all do */
    gr_tensor weight; /* [..., 1], of the label of each sample, or GR_NONE: 1 */
} labelled;

/* Labels are not positions: gr_gather would take -1 for the last class. */
static bool are_classes(const gri_loss *l, gr_tensor labels, int64_t classes)
{
    const int64_t n = gr_count(labels);
    const int32_t *label = gr_data(gr_contiguous(labels));
    for (int64_t i = 0; label && i < n; i++) {
        if ((label[i] >= 0 && label[i] < classes) || (l->o.ignore && label[i] == l->o.ignore_index)) continue;
        gr_graph_fail(labels.graph, GR_ERR_INDEX,
                      "%s: label %" PRId32 " of sample %" PRId64 " is outside [0, %" PRId64 ")", l->name,
                      label[i], i, classes);
        return false;
    }
    return label != NULL;
}

/* Whether the class weights, if there are any, are [classes], of the type of y. */
static bool are_class_weights(const gri_loss *l, gr_tensor y)
{
    const gr_tensor w = l->o.class_weights;
    if (!gri_loss_is_given(w)) return true;
    if (gr_type_of(w) == gr_type_of(y) && gr_ndim(w) == 1 && gr_dim(w, 0) == gr_dim(y, -1)) return true;
    return gri_loss_fail_shapes(l, "class weights must be [classes], of its type", "class_weights", y, w);
}

/* What losses by labels begin with. */
static bool begin_labelled(labelled *s, const char *name, const char *what, unsigned knows, gr_tensor y,
                           gr_tensor labels, const gr_loss_options *options)
{
    gri_loss *l = &s->l;
    if (!gri_loss_begin(l, name, knows, y, labels, options) ||
        !gri_loss_rows_and_one_each(l, y, labels, what) || !are_classes(l, labels, gr_dim(y, -1)) ||
        !are_class_weights(l, y))
        return false;
    s->column = gr_named(gr_unsqueeze(labels, -1), gr_name(labels)); /* known by its name in drawings */
    s->kept = s->weight = GR_NONE;
    if (l->o.ignore) {
        s->kept = gr_not_equal(s->column, gr_scalar(l->graph, GR_I32, l->o.ignore_index));
        s->column = gr_where(s->kept, s->column, gr_scalar(l->graph, GR_I32, 0));
    }
    if (gri_loss_is_given(l->o.class_weights)) s->weight = gr_index_select(l->o.class_weights, 0, s->column);
    return true;
}

/* each [..., 1], of which those that are ignored do not count; 0 for them. */
static gr_tensor of_kept(const labelled *s, gr_tensor each)
{
    return s->kept.index ? gr_where(s->kept, each, gr_scalar(s->l.graph, gr_type_of(each), 0)) : each;
}

static gr_tensor weighted(const labelled *s, gr_tensor each)
{
    return s->weight.index ? gr_chain_mul(s->weight, each) : each;
}

/* Reduces [..., 1]; a mean is over the weights of the samples that count. */
static gr_tensor reduce_labelled(const labelled *s, gr_tensor each)
{
    const gr_reduction r = s->l.o.reduction;
    each = of_kept(s, each);
    if (r == GR_REDUCE_NONE) return gr_squeeze(each, GR_AXES(-1));
    if ((r != GR_REDUCE_MEAN && r != GR_REDUCE_DEFAULT) || !(s->kept.index || s->weight.index))
        return gri_loss_reduce(&s->l, each);
    const gr_type type = gr_type_of(each);
    const gr_tensor share = s->weight.index ? of_kept(s, s->weight) : gr_cast(s->kept, type);
    return gr_div(gr_sum(each, GR_ALL_AXES, false), gr_sum(share, GR_ALL_AXES, false));
}

/* -ln p of the label, from ln p of all classes, with a share of each class for label smoothing. */
static gr_tensor nll(const labelled *s, gr_tensor log_p)
{
    const double smoothing = s->l.o.label_smoothing, classes = (double)gr_dim(log_p, -1);
    gr_tensor each = weighted(s, gr_gather(log_p, -1, s->column));
    if (smoothing > 0) {
        const gr_tensor w = s->l.o.class_weights;
        const gr_tensor all = gri_loss_is_given(w) ? gr_chain_mul(w, log_p) : log_p;
        const gr_tensor shared = gr_scale(gr_sum(all, GR_AXES(-1), true), smoothing / classes);
        each = smoothing < 1 ? gr_add(gr_scale(each, 1 - smoothing), shared) : shared;
    }
    return gr_neg(reduce_labelled(s, each));
}

gr_tensor gr_softmax_cross_entropy_with(gr_tensor logits, gr_tensor labels, const gr_loss_options *options)
{
    labelled s;
    if (!begin_labelled(&s, "softmax_cross_entropy", "logits",
                        GRI_LOSS_SMOOTHING | GRI_LOSS_IGNORE | GRI_LOSS_CLASS_WEIGHTS, logits, labels,
                        options))
        return gri_loss_invalid(&s.l);
    return nll(&s, gr_log_softmax(logits, -1));
}
GRI_LOSS_DEFAULTS(softmax_cross_entropy)

gr_tensor gr_nll_with(gr_tensor y, gr_tensor labels, const gr_loss_options *options)
{
    labelled s;
    if (!begin_labelled(&s, "nll", "logarithms", GRI_LOSS_IGNORE | GRI_LOSS_CLASS_WEIGHTS, y, labels,
                        options))
        return gri_loss_invalid(&s.l);
    return nll(&s, y);
}
GRI_LOSS_DEFAULTS(nll)

/* The mean is over all samples, also with weights. */
gr_tensor gr_multi_margin_with(gr_tensor y, gr_tensor labels, const gr_loss_options *options)
{
    labelled s;
    if (!begin_labelled(&s, "multi_margin", "scores",
                        GRI_LOSS_MARGIN | GRI_LOSS_NO_MARGIN | GRI_LOSS_CLASS_WEIGHTS, y, labels, options))
        return gri_loss_invalid(&s.l);
    const int64_t classes = gr_dim(y, -1);
    const gr_tensor chosen = gr_gather(y, -1, s.column);
    const gr_tensor over = gr_relu(gr_add_scalar(gr_sub(y, chosen), gri_loss_margin(&s.l)));
    const gr_tensor others = gr_not_equal(s.column, gr_arange(s.l.graph, GR_I32, classes, 0, 1));
    const gr_tensor counted = gr_where(others, over, gr_scalar(s.l.graph, gr_type_of(y), 0));
    const gr_tensor each = gr_scale(gr_sum(counted, GR_AXES(-1), true), 1 / (double)classes);
    return gri_loss_reduce(&s.l, gr_squeeze(weighted(&s, each), GR_AXES(-1)));
}
GRI_LOSS_DEFAULTS(multi_margin)

/* ---- Probabilities of all classes ---- */

gr_tensor gr_softmax_cross_entropy_onehot_with(gr_tensor logits, gr_tensor target,
                                               const gr_loss_options *options)
{
    gri_loss l;
    if (!gri_loss_begin(&l, "softmax_cross_entropy_onehot", GRI_LOSS_SMOOTHING | GRI_LOSS_CLASS_WEIGHTS,
                        logits, target, options) ||
        !gri_loss_alike_in_rows(&l, logits, target) || !are_class_weights(&l, logits))
        return gri_loss_invalid(&l);
    const double smoothing = l.o.label_smoothing;
    if (smoothing > 0)
        target = gr_add_scalar(gr_scale(target, 1 - smoothing), smoothing / (double)gr_dim(logits, -1));
    gr_tensor each = gr_chain_mul(target, gr_log_softmax(logits, -1));
    if (gri_loss_is_given(l.o.class_weights)) each = gr_chain_mul(l.o.class_weights, each);
    return gr_neg(gri_loss_reduce(&l, gr_sum(each, GR_AXES(-1), false)));
}
GRI_LOSS_DEFAULTS(softmax_cross_entropy_onehot)

gr_tensor gr_kl_div_with(gr_tensor y, gr_tensor target, const gr_loss_options *options)
{
    gri_loss l;
    if (!gri_loss_begin(&l, "kl_div", GRI_LOSS_LOG_TARGET, y, target, options) ||
        !gri_loss_alike(&l, y, target))
        return gri_loss_invalid(&l);
    const gr_tensor t = l.o.log_target ? gr_exp(target) : target,
                    log_t = l.o.log_target ? target : gr_log(target);
    return gri_loss_reduce(&l, gr_chain_mul(t, gr_sub(log_t, y)));
}
GRI_LOSS_DEFAULTS(kl_div)
