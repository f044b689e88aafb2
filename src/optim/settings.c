/* Asking an optimiser and changing it between steps. */
#include "optim/optimizer.h"

#include <math.h>
#include <string.h>

/* ---- Checks, shared by this layer ---- */

gr_status gri_optimizer_check(const gr_optimizer *o)
{
    if (!o) return GR_ERR_HANDLE;
    if (o->graph->status != GR_OK) return o->graph->status;
    if (!o->entries) return gri_fail(o->graph, GR_ERR_STATE, "%s: the optimiser was released", o->rule->name);
    return GR_OK;
}

gr_status gri_check_rate(gr_graph *g, const char *rule, const char *what, double rate)
{
    if (rate >= 0 && isfinite(rate)) return GR_OK;
    return gri_fail(g, GR_ERR_ARGUMENT, "%s: the %s must be finite and not negative, not %g", rule, what,
                    rate);
}

gr_status gri_check_decay(gr_graph *g, const char *rule, double weight_decay, gr_decay decay)
{
    if (decay != GR_DECAY_COUPLED && decay != GR_DECAY_DECOUPLED)
        return gri_fail(g, GR_ERR_ARGUMENT, "%s: %d is no kind of weight decay", rule, (int)decay);
    return gri_check_rate(g, rule, "weight decay", weight_decay);
}

gr_status gri_check_param(gr_graph *g, const char *what, int i, gr_tensor t)
{
    if (t.graph && t.graph != g)
        return gri_fail(g, GR_ERR_GRAPH, "%s: parameter %d belongs to another graph", what, i + 1);
    if (!t.graph) return gri_fail(g, GR_ERR_HANDLE, "%s: parameter %d is an invalid handle", what, i + 1);
    const gri_node *node = gri_resolve(t, what);
    if (!node) return g->status;
    if (node->flags & GRI_PARAM) return GR_OK;
    char text[GRI_MESSAGE_BYTES / 4];
    gri_describe(text, sizeof text, node, false);
    return gri_fail(g, GR_ERR_ARGUMENT, "%s: %s is not a parameter", what, text);
}

gr_status gri_check_params(gr_graph *g, const char *what, int n, const gr_tensor *params, int *count)
{
    if (n < 0 || (n > 0 && !params))
        return gri_fail(g, GR_ERR_ARGUMENT, "%s: %d parameters%s", what, n, n > 0 ? " at NULL" : "");
    *count = n > 0 ? n : (int)g->n_params;
    if (*count == 0) return gri_fail(g, GR_ERR_ARGUMENT, "%s: the graph has no parameters yet", what);
    for (int i = 0; i < n; i++) {
        const gr_status status = gri_check_param(g, what, i, params[i]);
        if (status != GR_OK) return status;
        for (int k = 0; k < i; k++)
            if (params[k].index == params[i].index)
                return gri_fail(g, GR_ERR_ARGUMENT, "%s: parameter %s is listed twice", what,
                                gri_node_of(params[i])->name);
    }
    return GR_OK;
}

gri_node *gri_keep_zeros(gr_graph *g, gr_type type, int ndim, const int64_t *dims, int64_t count)
{
    const gri_recipe r = {
        .type = type, .ndim = ndim, .dims = dims, .count = count, .flags = GRI_LEAF, .in_buffer = true};
    gri_node *node = gri_keep_new(g, &r);
    if (node) memset(node->array.data, 0, (size_t)count * gri_element_bytes(type));
    return node;
}

gri_node *gri_keep_zeros_like(gr_graph *g, const gri_node *like)
{
    const gr_array *a = &like->array;
    return gri_keep_zeros(g, a->type, a->ndim, a->dims, a->count);
}

/* ---- Rates, decays, options ---- */

double gr_optimizer_rate(const gr_optimizer *o) { return o ? o->groups[0].rate : NAN; }

gr_status gr_optimizer_set_rate(gr_optimizer *o, double rate)
{
    gr_status status = gri_optimizer_check(o);
    if (status == GR_OK) status = gri_check_rate(o->graph, o->rule->name, "learning rate", rate);
    if (status != GR_OK) return status;
    for (int k = 0; k < o->n_groups; k++) o->groups[k].rate = rate;
    return GR_OK;
}

double gr_optimizer_rate_factor(const gr_optimizer *o) { return o ? o->factor : NAN; }

gr_status gr_optimizer_set_rate_factor(gr_optimizer *o, double factor)
{
    gr_status status = gri_optimizer_check(o);
    if (status == GR_OK) status = gri_check_rate(o->graph, o->rule->name, "factor of the rates", factor);
    if (status == GR_OK) o->factor = factor;
    return status;
}

int gr_optimizer_group_count(const gr_optimizer *o) { return o && o->entries ? o->n_groups : 0; }

/* Group k, or NULL and the error set. */
static gri_group *group_at(gr_optimizer *o, int k)
{
    if (!o) return NULL;
    if (!o->entries) {
        gri_fail(o->graph, GR_ERR_STATE, "%s: the optimiser was released", o->rule->name);
        return NULL;
    }
    if (k >= 0 && k < o->n_groups) return &o->groups[k];
    gri_fail(o->graph, GR_ERR_INDEX, "%s: there is no group %d; there are %d", o->rule->name, k, o->n_groups);
    return NULL;
}

gr_param_group gr_optimizer_group(gr_optimizer *o, int k)
{
    const gri_group *group = group_at(o, k);
    if (!group) return (gr_param_group){.rate = NAN, .weight_decay = NAN};
    return (gr_param_group){
        .n = group->n, .rate = group->rate, .weight_decay = group->weight_decay, .decay = group->decay};
}

gr_status gr_optimizer_set_group_rate(gr_optimizer *o, int k, double rate)
{
    gr_status status = gri_optimizer_check(o);
    if (status != GR_OK) return status;
    gri_group *group = group_at(o, k);
    if (!group) return o->graph->status;
    status = gri_check_rate(o->graph, o->rule->name, "learning rate", rate);
    if (status == GR_OK) group->rate = rate;
    return status;
}

gr_status gr_optimizer_set_group_decay(gr_optimizer *o, int k, double weight_decay, gr_decay decay)
{
    gr_status status = gri_optimizer_check(o);
    if (status != GR_OK) return status;
    gri_group *group = group_at(o, k);
    if (!group) return o->graph->status;
    status = gri_check_decay(o->graph, o->rule->name, weight_decay, decay);
    if (status != GR_OK) return status;
    group->weight_decay = weight_decay;
    group->decay = decay;
    return GR_OK;
}

gr_status gr_optimizer_set_decay(gr_optimizer *o, double weight_decay, gr_decay decay)
{
    gr_status status = gri_optimizer_check(o);
    for (int k = 0; status == GR_OK && k < o->n_groups; k++)
        status = gr_optimizer_set_group_decay(o, k, weight_decay, decay);
    return status;
}

const void *gr_optimizer_options(const gr_optimizer *o) { return o ? o->options : NULL; }

gr_status gr_optimizer_set_options(gr_optimizer *o, const void *options)
{
    const gr_status status = gri_optimizer_check(o);
    if (status != GR_OK) return status;
    const gr_rule *rule = o->rule;
    if (!options || !rule->option_bytes)
        return gri_fail(o->graph, GR_ERR_ARGUMENT, "%s: %s", rule->name,
                        rule->option_bytes ? "needs options" : "has no options");
    const char *why = rule->check ? rule->check(options) : NULL;
    if (why) return gri_fail(o->graph, GR_ERR_ARGUMENT, "%s: %s", rule->name, why);
    memmove(o->options, options, rule->option_bytes);
    return GR_OK;
}

/* ---- Parameters and what is remembered of them ---- */

const gr_rule *gr_optimizer_rule(const gr_optimizer *o) { return o ? o->rule : NULL; }
int gr_optimizer_param_count(const gr_optimizer *o) { return o && o->entries ? o->n : 0; }

/* Entry i, or NULL and the error set. */
static gri_entry *entry_at(gr_optimizer *o, int i)
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
    const gri_entry *e = entry_at(o, i);
    return e ? e->param : gri_invalid(o ? o->graph : NULL);
}

int gr_optimizer_param_group(gr_optimizer *o, int i)
{
    const gri_entry *e = entry_at(o, i);
    return e ? e->group : -1;
}

int64_t gr_optimizer_steps(gr_optimizer *o, int i)
{
    const gri_entry *e = entry_at(o, i);
    return e ? e->steps : 0;
}

gr_status gr_optimizer_set_steps(gr_optimizer *o, int i, int64_t steps)
{
    const gr_status status = gri_optimizer_check(o);
    if (status != GR_OK) return status;
    gri_entry *e = entry_at(o, i);
    if (!e) return o->graph->status;
    if (steps < 0)
        return gri_fail(o->graph, GR_ERR_ARGUMENT, "%s: %lld steps cannot have been made", o->rule->name,
                        (long long)steps);
    e->steps = steps;
    return GR_OK;
}

gr_tensor gr_optimizer_state(gr_optimizer *o, int i, int k)
{
    const gri_entry *e = entry_at(o, i);
    if (!e) return gri_invalid(o ? o->graph : NULL);
    if (k >= 0 && k < o->rule->n_states) return e->state[k];
    gri_fail(o->graph, GR_ERR_INDEX, "%s: there is no state %d; there are %d", o->rule->name, k,
             o->rule->n_states);
    return gri_invalid(o->graph);
}
