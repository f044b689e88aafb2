/* What an optimiser is made of, for the files of this layer. */
#ifndef GRI_OPTIM_OPTIMIZER_H
#define GRI_OPTIM_OPTIMIZER_H

#include "gradus/optim.h"
#include "graph/graph.h"

/* A parameter and what is remembered of it. */
typedef struct gri_entry {
    gr_tensor param;
    gr_tensor state[GR_RULE_MAX_STATES];
    int64_t steps;
    int group;
    bool active; /* takes part in the step under way */
} gri_entry;

typedef struct gri_group {
    int n; /* parameters */
    double rate, weight_decay;
    gr_decay decay;
} gri_group;

struct gr_optimizer {
    gr_graph *graph;
    const gr_rule *rule;
    void *options;
    double factor;      /* of all rates */
    gri_entry *entries; /* in the order of their groups; NULL: released */
    int n, n_groups;
    gri_group groups[];
};

/* Whether calls that execute something can go on; the error is set. */
gr_status gri_optimizer_check(const gr_optimizer *o);

/* Checks of settings; `rule` names the rule. */
gr_status gri_check_rate(gr_graph *g, const char *rule, const char *what, double rate);
gr_status gri_check_decay(gr_graph *g, const char *rule, double weight_decay, gr_decay decay);

static inline gri_node *gri_node_of(gr_tensor t) { return gri_lookup(t.graph, t.index, t.generation); }

/* The parameters that a function works on: the n that it was given, or with n = 0 all of the graph. */
static inline gr_tensor gri_listed_param(gr_graph *g, int n, const gr_tensor *params, int i)
{
    return n > 0 ? params[i] : gri_handle(g, gri_kept_node(g, g->params[i]));
}

/* Checks such a list: n >= 0 living parameters of the graph, at least one, none twice. *count: how many there are.
   `what` names the call. */
gr_status gri_check_params(gr_graph *g, const char *what, int n, const gr_tensor *params, int *count);
/* Checks parameter i of a list. */
gr_status gri_check_param(gr_graph *g, const char *what, int i, gr_tensor t);

/* A kept leaf of so many elements, zeros; NULL and the error set on failure. `like`: for its type and shape. */
gri_node *gri_keep_zeros_like(gr_graph *g, const gri_node *like);
gri_node *gri_keep_zeros(gr_graph *g, gr_type type, int ndim, const int64_t *dims, int64_t count);

#endif
