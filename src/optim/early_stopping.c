/*
 * Early stopping: a rule over a series of values, and copies of tensors from when the value was best.
 *
 * Invariant: all that can fail (handles, elements that must become writable) is done for every tensor before the
 * first one is copied, and the state changes last.
 */
#include "gradus/regularise.h"
#include "optim/optimizer.h"
#include "ops/kernels/copy.h"

#include <math.h>

typedef struct snapshot {
    gr_tensor tensor, copy; /* copy: zeroed without keep_best */
} snapshot;

struct gr_early_stopping {
    gr_graph *graph;
    gr_early_stopping_options options;
    gr_early_stopping_state state;
    snapshot *snapshots; /* NULL: released */
    int n;
};

static const char what[] = "early_stopping";

/* ---- Making one ---- */

static gr_status check_options(gr_graph *g, const gr_early_stopping_options *o)
{
    if (o->mode != GR_MONITOR_MIN && o->mode != GR_MONITOR_MAX)
        return gri_fail(g, GR_ERR_ARGUMENT, "%s: mode is neither minimum nor maximum", what);
    if (!(o->min_delta >= 0 && isfinite(o->min_delta)))
        return gri_fail(g, GR_ERR_ARGUMENT, "%s: min_delta must be finite and not negative, not %g", what,
                        o->min_delta);
    if (o->patience < 0)
        return gri_fail(g, GR_ERR_ARGUMENT, "%s: patience must not be negative, and is %lld", what,
                        (long long)o->patience);
    return GR_OK;
}

/* Whether tensor i is a kept leaf of the graph, and was not listed before. */
static gr_status check_tensor(const gr_early_stopping *e, int i, gr_tensor t)
{
    gr_graph *g = e->graph;
    if (t.graph && t.graph != g)
        return gri_fail(g, GR_ERR_GRAPH, "%s: tensor %d belongs to another graph", what, i + 1);
    if (!t.graph) return gri_fail(g, GR_ERR_HANDLE, "%s: tensor %d is an invalid handle", what, i + 1);
    const gri_node *node = gri_resolve(t, what);
    if (!node) return g->status;
    if (!(node->index & GRI_KEPT) || !(node->flags & GRI_LEAF))
        return gri_fail_about(g, GR_ERR_ARGUMENT, node,
                              "%s: only parameters and kept constants can be copied", what);
    for (int k = 0; k < i; k++)
        if (gr_same(e->snapshots[k].tensor, t))
            return gri_fail_about(g, GR_ERR_ARGUMENT, node, "%s: a tensor is listed twice", what);
    return GR_OK;
}

static void release_copies(gr_early_stopping *e)
{
    for (int i = 0; i < e->n; i++) {
        const gr_tensor t = e->snapshots[i].copy;
        gri_node *copy = t.index ? gri_node_of(t) : NULL;
        if (copy) gri_kept_release(e->graph, copy);
    }
    gri_disown(e->graph, e->snapshots);
    e->snapshots = NULL;
}

static gr_status add_tensor(gr_early_stopping *e, int i, gr_tensor t)
{
    const gr_status status = check_tensor(e, i, t);
    if (status != GR_OK) return status;
    e->snapshots[i].tensor = t;
    if (!e->options.keep_best) return GR_OK;
    const gri_node *copy = gri_keep_zeros_like(e->graph, gri_node_of(t));
    if (!copy) return e->graph->status;
    e->snapshots[i].copy = gri_handle(e->graph, copy);
    return GR_OK;
}

/* All parameters, and what else belongs to the model. */
static int count_all(const gr_graph *g)
{
    int64_t count = g->n_params;
    const gri_node *state = gri_next_model_state(g, NULL);
    for (; state; state = gri_next_model_state(g, state)) count++;
    return count < INT32_MAX ? (int)count : INT32_MAX;
}

gr_early_stopping *gr_early_stopping_create(gr_graph *g, const gr_early_stopping_options *options, int n,
                                            const gr_tensor *tensors)
{
    const gr_early_stopping_options o = options ? *options : (gr_early_stopping_options){0};
    if (!g || g->status != GR_OK || check_options(g, &o) != GR_OK) return NULL;
    if (n < 0 || (n > 0 && !tensors)) {
        gri_fail(g, GR_ERR_ARGUMENT, "%s: %d tensors%s", what, n, n > 0 ? " at NULL" : "");
        return NULL;
    }
    const int count = n > 0 ? n : count_all(g);
    if (count == 0 && o.keep_best) {
        gri_fail(g, GR_ERR_ARGUMENT, "%s: the graph has no parameters yet", what);
        return NULL;
    }
    gr_early_stopping *e = gr_graph_alloc(g, sizeof *e);
    if (!e) return NULL;
    e->graph = g;
    e->options = o;
    e->state = (gr_early_stopping_state){.best = o.mode == GR_MONITOR_MAX ? -INFINITY : INFINITY,
                                         .best_at = -1};
    e->n = count;
    e->snapshots = gr_graph_alloc(g, (size_t)count * sizeof *e->snapshots);
    gr_status status = e->snapshots ? GR_OK : g->status;
    const gri_node *state = NULL;
    for (int i = 0; i < count && status == GR_OK; i++) {
        const bool is_state = n == 0 && i >= (int)g->n_params;
        if (is_state) state = gri_next_model_state(g, state);
        status = add_tensor(e, i, is_state ? gri_handle(g, state) : gri_listed_param(g, n, tensors, i));
    }
    if (status == GR_OK) return e;
    if (e->snapshots) release_copies(e);
    gri_disown(g, e);
    return NULL;
}

/* ---- Copying ---- */

static gr_status check_usable(const gr_early_stopping *e)
{
    if (!e) return GR_ERR_HANDLE;
    if (e->graph->status != GR_OK) return e->graph->status;
    if (!e->snapshots) return gri_fail(e->graph, GR_ERR_STATE, "%s: it was released", what);
    return GR_OK;
}

/* Both nodes of snapshot i; the one that is to be overwritten is made writable. */
static gr_status open_snapshot(const gr_early_stopping *e, int i, bool restoring)
{
    gri_node *tensor = gri_node_of(e->snapshots[i].tensor), *copy = gri_node_of(e->snapshots[i].copy);
    if (!tensor || !copy)
        return gri_fail(e->graph, GR_ERR_STALE, "%s: %s %d of %d was released", what,
                        tensor ? "copy" : "tensor", i + 1, e->n);
    return gri_make_writable(e->graph, restoring ? tensor : copy, true); /* should a later one fail */
}

/* Copies all tensors, one way or the other, or none. */
static gr_status copy_all(const gr_early_stopping *e, bool restoring)
{
    for (int i = 0; i < e->n; i++) {
        const gr_status status = open_snapshot(e, i, restoring);
        if (status != GR_OK) return status;
    }
    for (int i = 0; i < e->n; i++) {
        gri_node *tensor = gri_node_of(e->snapshots[i].tensor), *copy = gri_node_of(e->snapshots[i].copy);
        gri_node *to = restoring ? tensor : copy;
        gri_copy_array(to->array.data, restoring ? &copy->array : &tensor->array);
        to->version++;
    }
    return GR_OK;
}

/* ---- Using it ---- */

static bool is_better(const gr_early_stopping *e, double value)
{
    return e->options.mode == GR_MONITOR_MAX ? value > e->state.best + e->options.min_delta
                                             : value < e->state.best - e->options.min_delta;
}

gr_status gr_early_stopping_update(gr_early_stopping *e, double value, bool *stop)
{
    if (stop) *stop = false;
    gr_status status = check_usable(e);
    if (status != GR_OK) return status;
    gr_early_stopping_state *s = &e->state;
    const bool better = is_better(e, value);
    if (better && e->options.keep_best) status = copy_all(e, false);
    if (status != GR_OK) return status;
    if (better) {
        s->best = value;
        s->best_at = s->seen;
        s->waited = 0;
    } else {
        s->waited++;
    }
    s->seen++;
    if (stop) *stop = !better && s->waited >= e->options.patience;
    return GR_OK;
}

gr_status gr_early_stopping_restore(gr_early_stopping *e)
{
    const gr_status status = check_usable(e);
    if (status != GR_OK) return status;
    if (!e->options.keep_best)
        return gri_fail(e->graph, GR_ERR_STATE, "%s: it keeps no copies: keep_best was not set", what);
    if (e->state.best_at < 0)
        return gri_fail(e->graph, GR_ERR_STATE, "%s: no value was good so far, of %lld", what,
                        (long long)e->state.seen);
    return copy_all(e, true);
}

gr_status gr_early_stopping_release(gr_early_stopping *e)
{
    if (!e) return GR_ERR_HANDLE;
    if (!e->snapshots) return gri_fail(e->graph, GR_ERR_STATE, "%s: it was released before", what);
    const gr_status status = gri_check_no_walk(e->graph, what);
    if (status == GR_OK) release_copies(e);
    return status;
}

/* ---- Asking and setting ---- */

gr_early_stopping_state gr_early_stopping_get(const gr_early_stopping *e)
{
    return e ? e->state : (gr_early_stopping_state){.best = NAN, .best_at = -1};
}

gr_status gr_early_stopping_set(gr_early_stopping *e, gr_early_stopping_state state)
{
    const gr_status status = check_usable(e);
    if (status != GR_OK) return status;
    if (state.best_at < -1 || state.seen < 0 || state.waited < 0 || state.best_at >= state.seen ||
        state.seen == INT64_MAX || state.waited > state.seen || isnan(state.best))
        return gri_fail(e->graph, GR_ERR_ARGUMENT,
                        "%s: a state that cannot be: best %g at %lld of %lld, %lld waited", what, state.best,
                        (long long)state.best_at, (long long)state.seen, (long long)state.waited);
    e->state = state;
    return GR_OK;
}

int gr_early_stopping_count(const gr_early_stopping *e) { return e && e->snapshots ? e->n : 0; }

/* Snapshot i, or NULL and the error set. */
static const snapshot *snapshot_at(const gr_early_stopping *e, int i)
{
    if (!e) return NULL;
    if (!e->snapshots)
        gri_fail(e->graph, GR_ERR_STATE, "%s: it was released", what);
    else if (i < 0 || i >= e->n)
        gri_fail(e->graph, GR_ERR_INDEX, "%s: there is no tensor %d; there are %d", what, i, e->n);
    else
        return &e->snapshots[i];
    return NULL;
}

gr_tensor gr_early_stopping_tensor(gr_early_stopping *e, int i)
{
    const snapshot *s = snapshot_at(e, i);
    return s ? s->tensor : gri_invalid(e ? e->graph : NULL);
}

gr_tensor gr_early_stopping_copy(gr_early_stopping *e, int i)
{
    const snapshot *s = snapshot_at(e, i);
    if (!s) return gri_invalid(e ? e->graph : NULL);
    if (e->options.keep_best) return s->copy;
    gri_fail(e->graph, GR_ERR_INDEX, "%s: it keeps no copies: keep_best was not set", what);
    return gri_invalid(e->graph);
}
