/*
 * The mechanism that all update rules share: which parameters, what is remembered of each, and a step that
 * happens as a whole or not at all.
 *
 * Invariant: a step first does all that can fail (handles, gradients, elements that must become writable) for
 * every parameter, and then only arithmetic. Nothing here knows what a rule computes.
 */
#include "gradus/optim.h"
#include "graph/graph.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 1 << 15, TEXT_BYTES = 256 }; /* elements of one task, whatever the number of threads */

/* A parameter and what is remembered of it. */
typedef struct entry {
    gr_tensor param;
    gr_tensor state[GR_RULE_MAX_STATES];
    int64_t steps;
    bool active; /* takes part in the step under way */
} entry;

struct gr_optimizer {
    gr_graph *graph;
    const gr_rule *rule;
    void *options;
    double rate;
    entry *entries; /* NULL: released */
    int n;
};

/* ---- Making one ---- */

static gr_status check_rate(gr_graph *g, const char *rule, double rate)
{
    if (rate >= 0 && isfinite(rate)) return GR_OK;
    return gri_fail(g, GR_ERR_ARGUMENT, "%s: the learning rate must be finite and not negative, not %g", rule,
                    rate);
}

static gr_status check_rule(gr_graph *g, const gr_rule *rule, double rate, const void *options)
{
    if (!rule || !rule->name || !rule->update || rule->n_states < 0 || rule->n_states > GR_RULE_MAX_STATES)
        return gri_fail(g, GR_ERR_ARGUMENT,
                        "optimizer_create: a rule needs a name, an update and 0 to %d states",
                        GR_RULE_MAX_STATES);
    const void *o = options ? options : rule->default_options;
    if (rule->option_bytes && !o) return gri_fail(g, GR_ERR_ARGUMENT, "%s: needs options", rule->name);
    const char *why = rule->check ? rule->check(o) : NULL;
    if (why) return gri_fail(g, GR_ERR_ARGUMENT, "%s: %s", rule->name, why);
    return check_rate(g, rule->name, rate);
}

/* Whether entry i of the list is a parameter that was not listed before. */
static gr_status check_param(const gr_optimizer *o, int i, gr_tensor t)
{
    gr_graph *g = o->graph;
    const char *rule = o->rule->name;
    if (t.graph && t.graph != g)
        return gri_fail(g, GR_ERR_GRAPH, "%s: parameter %d belongs to another graph", rule, i + 1);
    if (!t.graph) return gri_fail(g, GR_ERR_HANDLE, "%s: parameter %d is an invalid handle", rule, i + 1);
    const gri_node *node = gri_resolve(t, rule);
    if (!node) return g->status;
    char text[TEXT_BYTES];
    gri_describe(text, sizeof text, node, false);
    if (!(node->flags & GRI_PARAM))
        return gri_fail(g, GR_ERR_ARGUMENT, "%s: %s is not a parameter", rule, text);
    for (int k = 0; k < i; k++)
        if (o->entries[k].param.index == t.index)
            return gri_fail(g, GR_ERR_ARGUMENT, "%s: parameter %s is listed twice", rule, text);
    return GR_OK;
}

/* Zeros like the parameter, kept. */
static gr_status make_states(const gr_optimizer *o, entry *e)
{
    gr_graph *g = o->graph;
    const gr_array *x = &gri_lookup(g, e->param.index, e->param.generation)->array;
    for (int k = 0; k < o->rule->n_states; k++) {
        const gri_recipe r = {.type = x->type,
                              .ndim = x->ndim,
                              .dims = x->dims,
                              .count = x->count,
                              .flags = GRI_LEAF,
                              .in_buffer = true};
        gri_node *state = gri_keep_new(g, &r);
        if (!state) return g->status;
        memset(state->array.data, 0, (size_t)x->count * gr_type_size(x->type));
        e->state[k] = gri_handle(g, state);
    }
    return GR_OK;
}

static void release_states(gr_optimizer *o)
{
    for (int i = 0; i < o->n; i++)
        for (int k = 0; k < o->rule->n_states; k++) {
            const gr_tensor t = o->entries[i].state[k];
            gri_node *state = t.index ? gri_lookup(o->graph, t.index, t.generation) : NULL;
            if (state) gri_kept_release(o->graph, state);
        }
}

/* The block of the optimiser itself, its entries and its options. */
static gr_optimizer *make_block(gr_graph *g, const gr_rule *rule, const void *options, int n)
{
    gr_optimizer *o = gr_graph_alloc(g, sizeof *o);
    if (!o) return NULL;
    o->graph = g;
    o->rule = rule;
    o->n = n;
    o->entries = gr_graph_alloc(g, (size_t)n * sizeof *o->entries);
    if (!o->entries) return NULL;
    if (rule->option_bytes) {
        o->options = gr_graph_alloc(g, rule->option_bytes);
        if (!o->options) return NULL;
        memcpy(o->options, options ? options : rule->default_options, rule->option_bytes);
    }
    return o;
}

gr_optimizer *gr_optimizer_create(gr_graph *g, const gr_rule *rule, double rate, const void *options, int n,
                                  const gr_tensor *params)
{
    if (!g || g->status != GR_OK || check_rule(g, rule, rate, options) != GR_OK) return NULL;
    if (n < 0 || (n > 0 && !params)) {
        gri_fail(g, GR_ERR_ARGUMENT, "%s: %d parameters%s", rule->name, n, n > 0 ? " at NULL" : "");
        return NULL;
    }
    const int count = n > 0 ? n : gr_param_count(g);
    if (count == 0) {
        gri_fail(g, GR_ERR_ARGUMENT, "%s: the graph has no parameters yet", rule->name);
        return NULL;
    }
    gr_optimizer *o = make_block(g, rule, options, count);
    if (!o) return NULL;
    o->rate = rate;
    gr_status status = GR_OK;
    for (int i = 0; i < count && status == GR_OK; i++) {
        const gr_tensor param = n > 0 ? params[i] : gr_param_at(g, i);
        status = check_param(o, i, param);
        o->entries[i].param = param;
        if (status == GR_OK) status = make_states(o, &o->entries[i]);
    }
    if (status == GR_OK) return o;
    release_states(o);
    return NULL;
}

/* ---- A step ---- */

static gr_status check_usable(const gr_optimizer *o)
{
    if (!o) return GR_ERR_HANDLE;
    if (o->graph->status != GR_OK) return o->graph->status;
    if (!o->entries) return gri_fail(o->graph, GR_ERR_STATE, "%s: the optimiser was released", o->rule->name);
    return GR_OK;
}

static gri_node *node_of(gr_tensor t) { return gri_lookup(t.graph, t.index, t.generation); }

static gr_status prepare_states(const gr_optimizer *o, int i, const gri_node *param)
{
    gr_graph *g = o->graph;
    for (int k = 0; k < o->rule->n_states; k++) {
        gri_node *state = node_of(o->entries[i].state[k]);
        if (!state)
            return gri_fail(g, GR_ERR_STALE, "%s: what it remembers of %s was released", o->rule->name,
                            param->name);
        const gr_status status = gri_make_writable(g, state, true);
        if (status != GR_OK) return status;
    }
    return GR_OK;
}

/* All of a step of entry i that can fail. */
static gr_status prepare(const gr_optimizer *o, int i)
{
    gr_graph *g = o->graph;
    entry *e = &o->entries[i];
    gri_node *param = node_of(e->param);
    if (!param)
        return gri_fail(g, GR_ERR_STALE, "%s: parameter %d of %d was released: make a new optimiser",
                        o->rule->name, i + 1, o->n);
    e->active = param->gradient && (param->flags & GRI_REQUIRES_GRAD);
    if (!e->active) return GR_OK;
    const gr_status status = gri_make_writable(g, param, true);
    return status == GR_OK ? prepare_states(o, i, param) : status;
}

/* An update cut into chunks, which are the same for any number of threads. */
typedef struct cut_update {
    const gr_rule *rule;
    gr_update whole;
} cut_update;

static void update_chunk(void *argument, int64_t task)
{
    const cut_update *cut = argument;
    const int64_t first = task * CHUNK, left = cut->whole.count - first;
    const size_t offset = (size_t)first * gr_type_size(cut->whole.type);
    gr_update u = cut->whole;
    u.count = left < CHUNK ? left : CHUNK;
    u.param = (char *)u.param + offset;
    u.gradient = (const char *)u.gradient + offset;
    for (int k = 0; k < cut->rule->n_states; k++) u.state[k] = (char *)u.state[k] + offset;
    cut->rule->update(&u);
}

static void update_entry(const gr_optimizer *o, entry *e)
{
    gri_node *param = node_of(e->param);
    const int64_t count = param->array.count;
    e->steps++;
    cut_update cut = {o->rule,
                      {.type = param->array.type,
                       .count = count,
                       .param = param->array.data,
                       .gradient = gri_kept_node(o->graph, param->gradient)->array.data,
                       .rate = o->rate,
                       .step = e->steps,
                       .options = o->options}};
    for (int k = 0; k < o->rule->n_states; k++) {
        gri_node *state = node_of(e->state[k]);
        cut.whole.state[k] = state->array.data;
        state->version++;
    }
    param->version++;
    gri_threads_run(o->graph->threads, (count + CHUNK - 1) / CHUNK, update_chunk, &cut);
}

gr_status gr_optimizer_step(gr_optimizer *o)
{
    gr_status status = check_usable(o);
    if (status != GR_OK) return status;
    bool any = false;
    for (int i = 0; i < o->n; i++) {
        status = prepare(o, i);
        if (status != GR_OK) return status;
        any |= o->entries[i].active;
    }
    if (!any)
        return gri_fail(o->graph, GR_ERR_NO_GRADIENT,
                        "%s: none of its %d parameters has a gradient: gr_backward comes before the step",
                        o->rule->name, o->n);
    for (int i = 0; i < o->n; i++)
        if (o->entries[i].active) update_entry(o, &o->entries[i]);
    return GR_OK;
}

/* ---- Asking and setting ---- */

double gr_optimizer_rate(const gr_optimizer *o) { return o ? o->rate : NAN; }

gr_status gr_optimizer_set_rate(gr_optimizer *o, double rate)
{
    gr_status status = check_usable(o);
    if (status == GR_OK) status = check_rate(o->graph, o->rule->name, rate);
    if (status == GR_OK) o->rate = rate;
    return status;
}

gr_status gr_optimizer_release(gr_optimizer *o)
{
    if (!o) return GR_ERR_HANDLE;
    if (!o->entries)
        return gri_fail(o->graph, GR_ERR_STATE, "%s: the optimiser was released before", o->rule->name);
    const gr_status status = gri_check_no_walk(o->graph, o->rule->name);
    if (status != GR_OK) return status;
    release_states(o);
    o->entries = NULL;
    return GR_OK;
}

const gr_rule *gr_optimizer_rule(const gr_optimizer *o) { return o ? o->rule : NULL; }
int gr_optimizer_param_count(const gr_optimizer *o) { return o && o->entries ? o->n : 0; }

/* Entry i, or NULL and the error set. */
static const entry *entry_at(const gr_optimizer *o, int i)
{
    if (!o) return NULL;
    if (!o->entries) {
        gri_fail(o->graph, GR_ERR_STATE, "%s: the optimiser was released", o->rule->name);
        return NULL;
    }
    if (i >= 0 && i < o->n) return &o->entries[i];
    gri_fail(o->graph, GR_ERR_INDEX, "%s: there is no parameter %d; there are %d", o->rule->name, i, o->n);
    return NULL;
}

gr_tensor gr_optimizer_param(gr_optimizer *o, int i)
{
    const entry *e = entry_at(o, i);
    return e ? e->param : gri_invalid(o ? o->graph : NULL);
}

int64_t gr_optimizer_steps(gr_optimizer *o, int i)
{
    const entry *e = entry_at(o, i);
    return e ? e->steps : 0;
}

gr_status gr_optimizer_set_steps(gr_optimizer *o, int i, int64_t steps)
{
    const gr_status status = check_usable(o);
    if (status != GR_OK) return status;
    if (!entry_at(o, i)) return o->graph->status;
    if (steps < 0) return gri_fail(o->graph, GR_ERR_ARGUMENT, "%s: a number of steps below 0", o->rule->name);
    o->entries[i].steps = steps;
    return GR_OK;
}

gr_tensor gr_optimizer_state(gr_optimizer *o, int i, int k)
{
    const entry *e = entry_at(o, i);
    if (!e) return gri_invalid(o ? o->graph : NULL);
    if (k >= 0 && k < o->rule->n_states) return e->state[k];
    gri_fail(o->graph, GR_ERR_INDEX, "%s: there is no state %d; there are %d", o->rule->name, k,
             o->rule->n_states);
    return gri_invalid(o->graph);
}
