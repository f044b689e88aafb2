/*
 * Losses. What a loss expects of its operands is checked here, so that a message names the loss and not an
 * operation inside it.
 */
#include "gradus/nn.h"
#include "gradus/ops.h"
#include "nn/describe.h"

#include <inttypes.h>

static gr_tensor invalid(gr_tensor like) { return (gr_tensor){like.graph, 0, 0}; }

/* The shapes of both; false if a handle is bad, or they are of different graphs. */
static bool get_shapes(const char *loss, gr_tensor y, gr_tensor target, gr_shape *a, gr_shape *b)
{
    *a = gr_shape_of(y);
    *b = gr_shape_of(target);
    if (a->ndim < 0 || b->ndim < 0) return false;
    if (y.graph == target.graph) return true;
    gr_graph_fail(y.graph, GR_ERR_GRAPH, "%s: prediction and target belong to different graphs", loss);
    return false;
}

/* Whether the first n axes of both have the same sizes. */
static bool same_sizes(const gr_shape *a, const gr_shape *b, int n)
{
    for (int i = 0; i < n; i++)
        if (a->dims[i] != b->dims[i]) return false;
    return true;
}

static bool fail_shapes(const char *loss, const char *wanted, gr_tensor y, gr_tensor target)
{
    char a[GRI_DESCRIPTION_BYTES], b[GRI_DESCRIPTION_BYTES];
    gri_describe_tensor(a, y);
    gri_describe_tensor(b, target);
    gr_graph_fail(y.graph, GR_ERR_SHAPE, "%s: %s: prediction %s, target %s", loss, wanted, a, b);
    return false;
}

static bool fail_types(const char *loss, const char *wanted, gr_tensor y, gr_tensor target)
{
    gr_graph_fail(y.graph, GR_ERR_TYPE, "%s: %s: prediction %s, target %s", loss, wanted,
                  gr_type_name(gr_type_of(y)), gr_type_name(gr_type_of(target)));
    return false;
}

/* Whether prediction and target are alike. */
static bool are_alike(const char *loss, gr_tensor y, gr_tensor target)
{
    gr_shape a, b;
    if (!get_shapes(loss, y, target, &a, &b)) return false;
    const gr_type type = gr_type_of(y);
    if (!gr_type_is_float(type) || type != gr_type_of(target))
        return fail_types(loss, "both must be f32, or both f64", y, target);
    if (a.ndim != b.ndim || !same_sizes(&a, &b, a.ndim))
        return fail_shapes(loss, "shapes must be the same", y, target);
    return true;
}

gr_tensor gr_mse(gr_tensor y, gr_tensor target)
{
    if (!are_alike("mse", y, target)) return invalid(y);
    return gr_mean(gr_square(gr_sub(y, target)), GR_ALL_AXES, false);
}

gr_tensor gr_half_sum_squares(gr_tensor y, gr_tensor target)
{
    if (!are_alike("half_sum_squares", y, target)) return invalid(y);
    return gr_scale(gr_sum(gr_square(gr_sub(y, target)), GR_ALL_AXES, false), 0.5);
}

/* A target of 0 takes nothing of an infinite loss, here and below: gr_chain_mul. */
gr_tensor gr_bce_with_logits(gr_tensor logits, gr_tensor target)
{
    if (!are_alike("bce_with_logits", logits, target)) return invalid(logits);
    const gr_tensor if_one = gr_chain_mul(target, gr_softplus(gr_neg(logits)));
    const gr_tensor if_zero = gr_chain_mul(gr_add_scalar(gr_neg(target), 1), gr_softplus(logits));
    return gr_mean(gr_add(if_one, if_zero), GR_ALL_AXES, false);
}

/* ---- Softmax cross-entropy ---- */

/* Labels are not positions: gr_gather would take -1 for the last class. */
static bool are_classes(const char *loss, gr_tensor labels, int64_t classes)
{
    const int64_t n = gr_count(labels);
    const int32_t *label = gr_data(gr_contiguous(labels));
    for (int64_t i = 0; label && i < n; i++) {
        if (label[i] >= 0 && label[i] < classes) continue;
        gr_graph_fail(labels.graph, GR_ERR_INDEX,
                      "%s: label %" PRId32 " of sample %" PRId64 " is outside [0, %" PRId64 ")", loss,
                      label[i], i, classes);
        return false;
    }
    return label != NULL;
}

gr_tensor gr_softmax_cross_entropy(gr_tensor logits, gr_tensor labels)
{
    static const char loss[] = "softmax_cross_entropy";
    gr_shape x, t;
    if (!get_shapes(loss, logits, labels, &x, &t)) return invalid(logits);
    if (!gr_type_is_float(gr_type_of(logits)) || gr_type_of(labels) != GR_I32) {
        fail_types(loss, "needs logits of f32 or f64 and labels of i32", logits, labels);
        return invalid(logits);
    }
    if (x.ndim != t.ndim + 1 || !same_sizes(&x, &t, t.ndim)) {
        fail_shapes(loss, "needs logits [..., classes] and labels [...]", logits, labels);
        return invalid(logits);
    }
    if (!are_classes(loss, labels, x.dims[x.ndim - 1])) return invalid(logits);
    const gr_tensor column = gr_named(gr_unsqueeze(labels, -1),
                                      gr_name(labels)); /* known by its name in drawings */
    const gr_tensor chosen = gr_gather(gr_log_softmax(logits, -1), -1, column);
    return gr_neg(gr_mean(chosen, GR_ALL_AXES, false));
}

gr_tensor gr_softmax_cross_entropy_onehot(gr_tensor logits, gr_tensor target)
{
    static const char loss[] = "softmax_cross_entropy_onehot";
    if (!are_alike(loss, logits, target)) return invalid(logits);
    if (gr_ndim(logits) < 1) {
        fail_shapes(loss, "needs an axis of classes", logits, target);
        return invalid(logits);
    }
    const gr_tensor per_sample = gr_sum(gr_chain_mul(target, gr_log_softmax(logits, -1)), GR_AXES(-1), false);
    return gr_neg(gr_mean(per_sample, GR_ALL_AXES, false));
}
