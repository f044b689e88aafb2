/* What losses share: checks of operands and options, and the reduction. */
#include "nn/loss.h"
#include "nn/describe.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* ---- Operands ---- */

/* Whether the first n axes of both have the same sizes. */
static bool same_sizes(const gr_shape *a, const gr_shape *b, int n)
{
    for (int i = 0; i < n; i++)
        if (a->dims[i] != b->dims[i]) return false;
    return true;
}

bool gri_loss_fail_shapes(const gri_loss *l, const char *wanted, const char *what, gr_tensor y,
                          gr_tensor target)
{
    char a[GRI_DESCRIPTION_BYTES], b[GRI_DESCRIPTION_BYTES];
    gri_describe_tensor(a, y);
    gri_describe_tensor(b, target);
    gr_graph_fail(l->graph, GR_ERR_SHAPE, "%s: %s: prediction %s, %s %s", l->name, wanted, a, what, b);
    return false;
}

static bool fail_types(const gri_loss *l, const char *wanted, gr_tensor y, gr_tensor target)
{
    gr_graph_fail(l->graph, GR_ERR_TYPE, "%s: %s: prediction %s, target %s", l->name, wanted,
                  gr_type_name(gr_type_of(y)), gr_type_name(gr_type_of(target)));
    return false;
}

bool gri_loss_alike(const gri_loss *l, gr_tensor y, gr_tensor target)
{
    const gr_shape a = gr_shape_of(y), b = gr_shape_of(target);
    const gr_type type = gr_type_of(y);
    if (!gr_type_is_float(type) || type != gr_type_of(target))
        return fail_types(l, "both must be f32, or both f64", y, target);
    if (a.ndim == b.ndim && same_sizes(&a, &b, a.ndim)) return true;
    return gri_loss_fail_shapes(l, "shapes must be the same", "target", y, target);
}

bool gri_loss_alike_in_rows(const gri_loss *l, gr_tensor y, gr_tensor target)
{
    if (!gri_loss_alike(l, y, target)) return false;
    return gr_ndim(y) > 0 ||
           gri_loss_fail_shapes(l, "needs an axis of classes, or of a vector", "target", y, target);
}

bool gri_loss_rows_and_one_each(const gri_loss *l, gr_tensor y, gr_tensor target, const char *labelled)
{
    const gr_shape a = gr_shape_of(y), b = gr_shape_of(target);
    const gr_type type = gr_type_of(y);
    if (!gr_type_is_float(type) || gr_type_of(target) != (labelled ? GR_I32 : type))
        return fail_types(l, labelled ? "needs floats and labels of i32" : "both must be f32, or both f64", y,
                          target);
    if (a.ndim == b.ndim + 1 && same_sizes(&a, &b, b.ndim)) return true;
    if (!labelled)
        return gri_loss_fail_shapes(l, "needs vectors [..., n] and targets [...]", "target", y, target);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "needs %s [..., classes] and labels [...]", labelled);
    return gri_loss_fail_shapes(l, wanted, "labels", y, target);
}

/* ---- Options ---- */

/* Whether an option that is set is known, and in its range. */
static bool check(const gri_loss *l, bool set, bool known, bool in_range, const char *option, double value)
{
    if (!set || (known && in_range)) return true;
    gr_graph_fail(l->graph, GR_ERR_ARGUMENT,
                  known ? "%s: %s is %g" : "%s: there is no option %s here (it is %g)", l->name, option,
                  value);
    return false;
}

/* Whether a weight, if it is given, is a live tensor of the graph. */
static bool check_weight(const gri_loss *l, gr_tensor weight, const char *option)
{
    if (!gri_loss_is_given(weight)) return true;
    if (weight.graph == l->graph) return gr_ndim(weight) >= 0;
    gr_graph_fail(l->graph, GR_ERR_GRAPH, "%s: %s belongs to another graph", l->name, option);
    return false;
}

static bool check_options(const gri_loss *l, unsigned knows)
{
    const gr_loss_options *o = &l->o;
    const struct {
        bool set, in_range;
        unsigned flag;
        const char *name;
        double value;
    } options[] = {
        {o->delta != 0, o->delta > 0 && isfinite(o->delta), GRI_LOSS_DELTA, "delta", o->delta},
        {o->beta != 0, o->beta > 0 && isfinite(o->beta), GRI_LOSS_BETA, "beta", o->beta},
        {o->margin != 0, isfinite(o->margin) != 0, GRI_LOSS_MARGIN, "margin", o->margin},
        {o->no_margin, o->margin == 0, GRI_LOSS_NO_MARGIN, "no_margin", o->no_margin},
        {o->order != 0, !isnan(o->order), GRI_LOSS_ORDER, "order", o->order},
        {o->swap, true, GRI_LOSS_SWAP, "swap", o->swap},
        {o->label_smoothing != 0, o->label_smoothing > 0 && o->label_smoothing <= 1, GRI_LOSS_SMOOTHING,
         "label_smoothing", o->label_smoothing},
        {o->log_target, true, GRI_LOSS_LOG_TARGET, "log_target", o->log_target},
        {o->ignore, true, GRI_LOSS_IGNORE, "ignore", o->ignore},
        {gri_loss_is_given(o->class_weights), true, GRI_LOSS_CLASS_WEIGHTS, "class_weights", 1},
        {gri_loss_is_given(o->positive_weight), true, GRI_LOSS_POSITIVE_WEIGHT, "positive_weight", 1},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (!check(l, options[i].set, (knows & options[i].flag) != 0, options[i].in_range, options[i].name,
                   options[i].value))
            return false;
    const int reduction = (int)o->reduction, last = GR_REDUCE_BATCH_MEAN;
    return check(l, true, true, reduction >= 0 && reduction <= last, "reduction", reduction) &&
           check_weight(l, o->class_weights, "class_weights") &&
           check_weight(l, o->positive_weight, "positive_weight");
}

bool gri_loss_begin(gri_loss *l, const char *name, unsigned knows, gr_tensor y, gr_tensor target,
                    const gr_loss_options *options)
{
    *l = (gri_loss){.name = name, .graph = y.graph};
    if (options) l->o = *options;
    if (gr_ndim(y) < 0 || gr_ndim(target) < 0) return false;
    if (y.graph == target.graph) return check_options(l, knows);
    gr_graph_fail(y.graph, GR_ERR_GRAPH, "%s: prediction and target belong to different graphs", name);
    return false;
}

/* ---- Reduction ---- */

gr_tensor gri_loss_reduce(const gri_loss *l, gr_tensor each)
{
    if (l->o.reduction == GR_REDUCE_NONE) return each;
    if (l->o.reduction == GR_REDUCE_SUM) return gr_sum(each, GR_ALL_AXES, false);
    if (l->o.reduction != GR_REDUCE_BATCH_MEAN) return gr_mean(each, GR_ALL_AXES, false);
    const gr_shape shape = gr_shape_of(each);
    return gr_scale(gr_sum(each, GR_ALL_AXES, false), 1 / (double)(shape.ndim > 0 ? shape.dims[0] : 1));
}
