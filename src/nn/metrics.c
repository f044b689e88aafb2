/*
 * Metrics: descriptors of what a batch adds to an average. Tensors are made in a scope of their own, unrecorded.
 *
 * Invariant: an average changes only when all of a batch could be judged.
 */
#include "gradus/metrics.h"
#include "gradus/ops.h"
#include "nn/describe.h"
#include "nn/outcome.h"

#include <inttypes.h>
#include <math.h>

double gr_average_value(gr_average a) { return a.sum / a.weight; }

/* For messages: gr_evaluate and gr_metric_add do without a name. */
static const char *name_of(const gr_metric *m) { return m->name ? m->name : "metric_add"; }

/* ---- Operands ---- */

static gr_status fail_operands(const char *what, gr_status status, const char *wanted, gr_tensor y,
                               gr_tensor t)
{
    char a[GRI_DESCRIPTION_BYTES], b[GRI_DESCRIPTION_BYTES];
    gri_describe_tensor(a, y);
    gri_describe_tensor(b, t);
    return gr_graph_fail(y.graph, status, "%s: needs %s: prediction %s of %s, targets %s of %s", what, wanted,
                         a, gr_type_name(gr_type_of(y)), b, gr_type_name(gr_type_of(t)));
}

/* Whether the first n axes of both, and no others of `b`, have the same sizes. */
static bool same_axes(gr_tensor a, gr_tensor b, int n)
{
    const gr_shape x = gr_shape_of(a), y = gr_shape_of(b);
    if (y.ndim != n || x.ndim < n) return false;
    for (int i = 0; i < n; i++)
        if (x.dims[i] != y.dims[i]) return false;
    return true;
}

gr_status gri_outcome_operands(const char *what, gr_tensor y, gr_tensor t)
{
    gr_graph *g = y.graph;
    if (!g) return GR_ERR_HANDLE;
    if (gr_graph_status(g) != GR_OK) return gr_graph_status(g);
    if (t.graph && t.graph != g)
        return gr_graph_fail(g, GR_ERR_GRAPH, "%s: prediction and targets belong to different graphs", what);
    if (y.index && t.index) {
        gr_type_of(y), gr_type_of(t); /* of what is gone they set the error */
        return gr_graph_status(g);
    }
    return gr_graph_fail(g, GR_ERR_HANDLE, "%s: the %s are an invalid handle", what,
                         y.index ? "targets" : "predictions");
}

gr_status gri_outcome_of(const char *what, gr_tensor y, gr_tensor t, gri_outcome *j)
{
    const bool scores = gr_type_is_float(gr_type_of(y)), labels = gr_type_of(t) == GR_I32;
    const int samples = scores ? gr_ndim(y) - 1 : gr_ndim(y);
    if ((!scores && gr_type_of(y) != GR_I32) || (!labels && !gr_type_is_float(gr_type_of(t))))
        return fail_operands(what, GR_ERR_TYPE, "scores that are floats or classes of i32, and labels of i32",
                             y, t);
    const bool fit = labels ? samples >= 0 && same_axes(y, t, samples)
                            : scores && samples >= 0 && same_axes(y, t, gr_ndim(y));
    if (!fit)
        return fail_operands(what, GR_ERR_SHAPE,
                             scores ? "scores [..., classes] and labels [...], or targets [..., classes]"
                                    : "classes [...] and labels [...]",
                             y, t);
    const gr_tensor said = scores ? gr_argmax(y, -1, false) : gr_contiguous(y);
    const gr_tensor is = labels ? gr_contiguous(t) : gr_argmax(t, -1, false);
    *j = (gri_outcome){.said = gr_data(said), .is = gr_data(is), .n = gr_count(is)};
    if (scores) j->classes = gr_dim(y, -1);
    return gr_graph_status(y.graph);
}

gr_status gri_outcome_label(gr_graph *g, const char *what, int64_t sample, int32_t label, int64_t classes)
{
    if (label >= 0 && label < classes) return GR_OK;
    return gr_graph_fail(g, GR_ERR_INDEX,
                         "%s: sample %" PRId64 " has class %" PRId32 ", expected one in [0, %" PRId64 ")",
                         what, sample, label, classes);
}

/* ---- Using one ---- */

gr_status gr_metric_add(const gr_metric *metric, gr_tensor y, gr_tensor t, gr_average *average)
{
    const char *what = metric ? name_of(metric) : "metric_add";
    const gr_status status = gri_outcome_operands(what, y, t);
    if (status != GR_OK) return status;
    if (!metric || !metric->add || !average)
        return gr_graph_fail(y.graph, GR_ERR_ARGUMENT, "%s: %s", what,
                             average ? "there is no function `add`" : "there is no average to add to");
    gr_average sum = *average;
    const gr_scope scope = gr_scope_begin(y.graph);
    gr_no_grad_begin(y.graph);
    const gr_status added = metric->add(metric, y, t, &sum);
    gr_no_grad_end(y.graph);
    gr_scope_end(scope, 0, NULL);
    if (added != GR_OK) gr_graph_fail(y.graph, added, "%s: its function failed", what);
    if (gr_graph_status(y.graph) == GR_OK) *average = sum;
    return gr_graph_status(y.graph);
}

static double value_of(gr_metric metric, gr_tensor y, gr_tensor t)
{
    gr_average average = {0, 0};
    return gr_metric_add(&metric, y, t, &average) == GR_OK ? gr_average_value(average) : (double)NAN;
}

double gr_accuracy(gr_tensor y, gr_tensor t) { return value_of(gr_metric_accuracy(), y, t); }

double gr_top_k_accuracy(gr_tensor y, gr_tensor t, int64_t k) { return value_of(gr_metric_top_k(k), y, t); }

double gr_binary_accuracy(gr_tensor y, gr_tensor t, double threshold)
{
    return value_of(gr_metric_binary_accuracy(threshold), y, t);
}

double gr_mean_absolute_error(gr_tensor y, gr_tensor t)
{
    return value_of(gr_metric_mean_absolute_error(), y, t);
}

double gr_mean_squared_error(gr_tensor y, gr_tensor t)
{
    return value_of(gr_metric_mean_squared_error(), y, t);
}

/* ---- Classes ---- */

/* Counts the samples that have been judged, and those of them that `right` says are right. */
typedef bool right_function(const gri_outcome *j, const double *scores, int64_t i, int64_t k);

static gr_status add_right(const gr_metric *m, gr_tensor y, const gri_outcome *j, const double *scores,
                           right_function *right, gr_average *average)
{
    for (int64_t i = 0; i < j->n; i++) {
        if (m->ignore && j->is[i] == m->ignore_index) continue;
        if (j->classes > 0) {
            const gr_status status = gri_outcome_label(y.graph, name_of(m), i, j->is[i], j->classes);
            if (status != GR_OK) return status;
        }
        average->sum += right(j, scores, i, m->count);
        average->weight++;
    }
    return GR_OK;
}

static bool is_said(const gri_outcome *j, const double *scores, int64_t i, int64_t k)
{
    (void)scores, (void)k;
    return j->said[i] == j->is[i];
}

static gr_status add_accuracy(const gr_metric *m, gr_tensor y, gr_tensor t, gr_average *average)
{
    gri_outcome j;
    const gr_status status = gri_outcome_of(name_of(m), y, t, &j);
    return status == GR_OK ? add_right(m, y, &j, NULL, is_said, average) : status;
}

gr_metric gr_metric_accuracy(void) { return (gr_metric){.name = "accuracy", .add = add_accuracy}; }

/* Whether class `a` goes before class `b`: by score, NaN first, and then by number. */
static bool goes_before(const double *scores, int64_t a, int64_t b)
{
    const bool a_nan = isnan(scores[a]), b_nan = isnan(scores[b]);
    if (a_nan != b_nan) return a_nan;
    return scores[a] > scores[b] || ((a_nan || scores[a] == scores[b]) && a < b);
}

static bool is_among(const gri_outcome *j, const double *scores, int64_t i, int64_t k)
{
    const double *row = scores + i * j->classes;
    int64_t before = 0;
    for (int64_t c = 0; c < j->classes; c++) before += goes_before(row, c, j->is[i]);
    return before < k;
}

static gr_status add_top_k(const gr_metric *m, gr_tensor y, gr_tensor t, gr_average *average)
{
    gri_outcome j;
    const gr_status status = gri_outcome_of(name_of(m), y, t, &j);
    if (status != GR_OK) return status;
    if (j.classes == 0) return fail_operands(name_of(m), GR_ERR_TYPE, "scores, which are floats", y, t);
    if (m->count < 1 || m->count > j.classes)
        return gr_graph_fail(y.graph, GR_ERR_ARGUMENT,
                             "%s: k is %" PRId64 " of %" PRId64 " classes, expected 1 to %" PRId64,
                             name_of(m), m->count, j.classes, j.classes);
    const double *scores = gr_data(gr_contiguous(gr_cast(y, GR_F64)));
    if (gr_graph_status(y.graph) != GR_OK) return gr_graph_status(y.graph);
    return add_right(m, y, &j, scores, is_among, average);
}

gr_metric gr_metric_top_k(int64_t k) { return (gr_metric){.name = "top_k", .add = add_top_k, .count = k}; }

/* ---- Element by element ---- */

/* Adds the sum over all elements. */
static gr_status add_elements(gr_tensor each, gr_average *average)
{
    average->sum += gr_item(gr_sum(gr_cast(each, GR_F64), GR_ALL_AXES, false));
    average->weight += (double)gr_count(each);
    return gr_graph_status(each.graph);
}

static gr_status add_binary(const gr_metric *m, gr_tensor y, gr_tensor t, gr_average *average)
{
    if (!gr_type_is_float(gr_type_of(y)))
        return fail_operands(name_of(m), GR_ERR_TYPE, "predictions that are floats", y, t);
    if (!same_axes(y, t, gr_ndim(y))) return fail_operands(name_of(m), GR_ERR_SHAPE, "one shape", y, t);
    if (isnan(m->number))
        return gr_graph_fail(y.graph, GR_ERR_ARGUMENT, "%s: the threshold is NaN", name_of(m));
    const gr_tensor said = gr_greater(gr_cast(y, GR_F64), gr_scalar(y.graph, GR_F64, m->number));
    const gr_tensor is = gr_greater(gr_cast(t, GR_F64), gr_scalar(y.graph, GR_F64, 0.5));
    return add_elements(gr_equal(said, is), average);
}

gr_metric gr_metric_binary_accuracy(double threshold)
{
    return (gr_metric){.name = "accuracy", .add = add_binary, .number = threshold};
}

/* The differences in f64, or an invalid handle. */
static gr_tensor difference(const gr_metric *m, gr_tensor y, gr_tensor t)
{
    const gr_tensor none = {y.graph, 0, 0};
    if (!gr_type_is_float(gr_type_of(y)) || gr_type_of(y) != gr_type_of(t)) {
        fail_operands(name_of(m), GR_ERR_TYPE, "one float type", y, t);
        return none;
    }
    if (same_axes(y, t, gr_ndim(y))) return gr_sub(gr_cast(y, GR_F64), gr_cast(t, GR_F64));
    fail_operands(name_of(m), GR_ERR_SHAPE, "one shape", y, t);
    return none;
}

static gr_status add_absolute(const gr_metric *m, gr_tensor y, gr_tensor t, gr_average *average)
{
    return add_elements(gr_abs(difference(m, y, t)), average);
}

gr_metric gr_metric_mean_absolute_error(void)
{
    return (gr_metric){.name = "mean_absolute_error", .add = add_absolute};
}

static gr_status add_squared(const gr_metric *m, gr_tensor y, gr_tensor t, gr_average *average)
{
    return add_elements(gr_square(difference(m, y, t)), average);
}

gr_metric gr_metric_mean_squared_error(void)
{
    return (gr_metric){.name = "mean_squared_error", .add = add_squared};
}
