/*
 * The mechanism that all update rules share: which parameters, in which groups, what is remembered of each, and
 * a step that happens as a whole or not at all.
 *
 * Invariant: a step first does all that can fail (handles, gradients, elements that must become writable) for
 * every parameter, and then only arithmetic. Nothing here knows what a rule computes.
 */
#include "optim/optimizer.h"
#include "ops/kernels/update.h"

#include <math.h>
#include <string.h>

enum {
    CHUNK = 1 << 15, /* elements of one task, whatever the number of threads */
    BLOCK = 1 << 9   /* elements that weight decay prepares at a time: they stay in the nearest cache */
};

/* ---- Checking what it is made of ---- */

static gr_status check_rule(gr_graph *g, const gr_rule *rule, const void *options)
{
    if (!rule || !rule->name || !rule->update || rule->n_states < 0 || rule->n_states > GR_RULE_MAX_STATES ||
        rule->n_scalars < 0 || rule->n_scalars > rule->n_states)
        return gri_fail(g, GR_ERR_ARGUMENT,
                        "optimizer_create: a rule needs a name, an update and 0 to %d states",
                        GR_RULE_MAX_STATES);
    const void *o = options ? options : rule->default_options;
    if (rule->option_bytes && !o) return gri_fail(g, GR_ERR_ARGUMENT, "%s: needs options", rule->name);
    const char *why = rule->check ? rule->check(o) : NULL;
    return why ? gri_fail(g, GR_ERR_ARGUMENT, "%s: %s", rule->name, why) : GR_OK;
}

/* Whether parameter i of all is one, and was not listed before. */
static gr_status check_entry(const gr_optimizer *o, int i, gr_tensor t)
{
    const gr_status status = gri_check_param(o->graph, o->rule->name, i, t);
    for (int k = 0; k < i && status == GR_OK; k++)
        if (o->entries[k].param.index == t.index)
            return gri_fail(o->graph, GR_ERR_ARGUMENT, "%s: parameter %s is listed twice", o->rule->name,
                            gri_node_of(t)->name);
    return status;
}

/* Checks the groups, and counts what they list. *rest: the group that takes the others; -1: none. */
static gr_status check_groups(gr_graph *g, const char *rule, int n_groups, const gr_param_group *groups,
                              int64_t *listed, int *rest)
{
    *listed = 0;
    *rest = -1;
    if (n_groups < 1 || !groups)
        return gri_fail(g, GR_ERR_ARGUMENT, "%s: %d groups of parameters%s", rule, n_groups,
                        groups ? "" : " at NULL");
    for (int k = 0; k < n_groups; k++) {
        const gr_param_group *group = &groups[k];
        gr_status status = gri_check_rate(g, rule, "learning rate", group->rate);
        if (status == GR_OK) status = gri_check_decay(g, rule, group->weight_decay, group->decay);
        if (status != GR_OK) return status;
        if (group->n < 0 || (group->n > 0 && !group->params))
            return gri_fail(g, GR_ERR_ARGUMENT, "%s: %d parameters%s", rule, group->n,
                            group->n > 0 ? " at NULL" : "");
        if (group->n == 0 && *rest >= 0)
            return gri_fail(g, GR_ERR_ARGUMENT,
                            "%s: groups %d and %d of %d list no parameters: one at most can", rule, *rest + 1,
                            k + 1, n_groups);
        if (group->n == 0) *rest = k;
        *listed += group->n;
    }
    return GR_OK;
}

/* ---- Making one ---- */

/* States like the parameter, and scalar ones, kept. */
static gr_status make_states(const gr_optimizer *o, gri_entry *e)
{
    gr_graph *g = o->graph;
    const int by_element = o->rule->n_states - o->rule->n_scalars;
    for (int k = 0; k < o->rule->n_states; k++) {
        const gri_node *state = k < by_element ? gri_keep_zeros_like(g, gri_node_of(e->param))
                                               : gri_keep_zeros(g, GR_F64, 0, NULL, 1);
        if (!state) return g->status;
        e->state[k] = gri_handle(g, state);
    }
    return GR_OK;
}

static void release_entries(gr_optimizer *o)
{
    for (int i = 0; i < o->n; i++)
        for (int k = 0; k < o->rule->n_states; k++) {
            const gr_tensor t = o->entries[i].state[k];
            gri_node *state = t.index ? gri_node_of(t) : NULL;
            if (state) gri_kept_release(o->graph, state);
        }
    gri_disown(o->graph, o->entries);
    o->entries = NULL;
}

/* The block of the optimiser itself, its entries and its options. On failure nothing stays. */
static gr_optimizer *make_blocks(gr_graph *g, const gr_rule *rule, const void *options, int n, int n_groups)
{
    gr_optimizer *o = gr_graph_alloc(g, sizeof *o + (size_t)n_groups * sizeof *o->groups);
    if (!o) return NULL;
    o->graph = g;
    o->rule = rule;
    o->n = n;
    o->n_groups = n_groups;
    o->factor = 1;
    o->entries = gr_graph_alloc(g, (size_t)n * sizeof *o->entries);
    o->options = o->entries && rule->option_bytes ? gr_graph_alloc(g, rule->option_bytes) : NULL;
    if (o->entries && (o->options || !rule->option_bytes)) {
        if (o->options) memcpy(o->options, options ? options : rule->default_options, rule->option_bytes);
        return o;
    }
    if (o->entries) gri_disown(g, o->entries);
    gri_disown(g, o);
    return NULL;
}

/* Whether a group lists the parameter. */
static bool is_listed(int n_groups, const gr_param_group *groups, gr_tensor t)
{
    for (int k = 0; k < n_groups; k++)
        for (int i = 0; i < groups[k].n; i++)
            if (gr_same(groups[k].params[i], t)) return true;
    return false;
}

/* Entry number `at`, of group k. */
static gr_status add_entry(gr_optimizer *o, int at, int k, gr_tensor param)
{
    const gr_status status = check_entry(o, at, param);
    if (status != GR_OK) return status;
    o->entries[at].param = param;
    o->entries[at].group = k;
    o->groups[k].n++;
    return make_states(o, &o->entries[at]);
}

/* All entries, in the order of the groups. */
static gr_status add_entries(gr_optimizer *o, const gr_param_group *groups)
{
    gr_graph *g = o->graph;
    gr_status status = GR_OK;
    int at = 0;
    for (int k = 0; k < o->n_groups && status == GR_OK; k++) {
        const gr_param_group *group = &groups[k];
        o->groups[k] = (gri_group){0, group->rate, group->weight_decay, group->decay};
        for (int i = 0; i < group->n && status == GR_OK; i++)
            status = add_entry(o, at++, k, group->params[i]);
        for (int i = 0; group->n == 0 && i < (int)g->n_params && status == GR_OK; i++) {
            const gr_tensor t = gri_listed_param(g, 0, NULL, i);
            if (!is_listed(o->n_groups, groups, t)) status = add_entry(o, at++, k, t);
        }
    }
    return status;
}

/* How many entries there will be; 0, and the error set, if they cannot be counted. */
static int count_entries(gr_graph *g, const char *rule, int n_groups, const gr_param_group *groups)
{
    int64_t count;
    int rest;
    if (check_groups(g, rule, n_groups, groups, &count, &rest) != GR_OK) return 0;
    int64_t others = 0;
    for (int i = 0; rest >= 0 && i < (int)g->n_params; i++)
        others += !is_listed(n_groups, groups, gri_listed_param(g, 0, NULL, i));
    count += others;
    if (rest >= 0 && others == 0) {
        if (g->n_params == 0)
            gri_fail(g, GR_ERR_ARGUMENT, "%s: the graph has no parameters yet", rule);
        else
            gri_fail(g, GR_ERR_ARGUMENT, "%s: no parameters are left for group %d of %d", rule, rest + 1,
                     n_groups);
        return 0;
    }
    if (count <= INT32_MAX) return (int)count;
    gri_fail(g, GR_ERR_OVERFLOW, "%s: %lld parameters", rule, (long long)count);
    return 0;
}

gr_optimizer *gr_optimizer_create_groups(gr_graph *g, const gr_rule *rule, const void *options, int n_groups,
                                         const gr_param_group *groups)
{
    if (!g || g->status != GR_OK || check_rule(g, rule, options) != GR_OK) return NULL;
    const int count = count_entries(g, rule->name, n_groups, groups);
    gr_optimizer *o = count > 0 ? make_blocks(g, rule, options, count, n_groups) : NULL;
    if (!o || add_entries(o, groups) == GR_OK) return o;
    release_entries(o);
    if (o->options) gri_disown(g, o->options);
    gri_disown(g, o);
    return NULL;
}

gr_optimizer *gr_optimizer_create(gr_graph *g, const gr_rule *rule, double rate, const void *options, int n,
                                  const gr_tensor *params)
{
    const gr_param_group all = {.n = n,
                                .params = params,
                                .rate = rate,
                                .weight_decay = rule ? rule->weight_decay : 0,
                                .decay = rule ? rule->decay : GR_DECAY_COUPLED};
    return gr_optimizer_create_groups(g, rule, options, 1, &all);
}

/* ---- A step ---- */

static gr_status prepare_states(const gr_optimizer *o, int i, const gri_node *param)
{
    gr_graph *g = o->graph;
    for (int k = 0; k < o->rule->n_states; k++) {
        gri_node *state = gri_node_of(o->entries[i].state[k]);
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
    gri_entry *e = &o->entries[i];
    gri_node *param = gri_node_of(e->param);
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
    int by_element; /* so many of the states have an element for each of the parameter's */
    double keep;    /* decoupled decay: what the parameter is multiplied by */
    double pull;    /* coupled decay: how much of the parameter is added to the gradient */
} cut_update;

/* The part of an update that begins at element `first`. */
static gr_update part_of(const cut_update *cut, const gr_update *of, int64_t first, int64_t most)
{
    const size_t offset = (size_t)first * gri_element_bytes(of->type);
    gr_update u = *of;
    u.count = of->count - first < most ? of->count - first : most;
    u.param = (char *)u.param + offset;
    u.gradient = (const char *)u.gradient + offset;
    for (int k = 0; k < cut->by_element; k++) u.state[k] = (char *)u.state[k] + offset;
    return u;
}

/* With weight decay, block by block. */
static void update_decayed(const cut_update *cut, const gr_update *chunk)
{
    union {
        float f32[BLOCK];
        double f64[BLOCK];
    } pulled;
    for (int64_t first = 0; first < chunk->count; first += BLOCK) {
        gr_update u = part_of(cut, chunk, first, BLOCK);
        if (cut->pull != 0) {
            gri_update_add_scaled(u.type, u.count, &pulled, u.gradient, u.param, cut->pull);
            u.gradient = &pulled;
        }
        if (cut->keep != 1) gri_update_scale(u.type, u.count, u.param, cut->keep);
        cut->rule->update(&u);
    }
}

static void update_chunk(void *argument, int64_t task)
{
    const cut_update *cut = argument;
    const gr_update chunk = part_of(cut, &cut->whole, task * CHUNK, CHUNK);
    if (cut->pull != 0 || cut->keep != 1)
        update_decayed(cut, &chunk);
    else
        cut->rule->update(&chunk);
}

static void update_entry(const gr_optimizer *o, gri_entry *e)
{
    const gr_rule *rule = o->rule;
    const gri_group *group = &o->groups[e->group];
    const double rate = group->rate * o->factor;
    const bool decoupled = group->decay == GR_DECAY_DECOUPLED;
    gri_node *param = gri_node_of(e->param);
    const int64_t count = param->array.count;
    if (e->steps < INT64_MAX) e->steps++; /* a file can say that as many were made */
    cut_update cut = {.rule = rule,
                      .by_element = rule->n_states - rule->n_scalars,
                      .keep = decoupled ? 1 - rate * group->weight_decay : 1,
                      .pull = decoupled ? 0 : group->weight_decay,
                      .whole = {.type = param->array.type,
                                .count = count,
                                .param = param->array.data,
                                .gradient = gri_kept_node(o->graph, param->gradient)->array.data,
                                .rate = rate,
                                .step = e->steps,
                                .options = o->options}};
    for (int k = 0; k < rule->n_states; k++) {
        gri_node *state = gri_node_of(e->state[k]);
        cut.whole.state[k] = state->array.data;
        state->version++;
    }
    param->version++;
    if (rule->begin) rule->begin(&cut.whole);
    gri_threads_run(o->graph->threads, (count + CHUNK - 1) / CHUNK, update_chunk, &cut);
}

gr_status gr_optimizer_step(gr_optimizer *o)
{
    gr_status status = gri_optimizer_check(o);
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

gr_status gr_optimizer_release(gr_optimizer *o)
{
    if (!o) return GR_ERR_HANDLE;
    if (!o->entries)
        return gri_fail(o->graph, GR_ERR_STATE, "%s: the optimiser was released before", o->rule->name);
    const gr_status status = gri_check_no_walk(o->graph, o->rule->name);
    if (status != GR_OK) return status;
    release_entries(o);
    return GR_OK;
}
