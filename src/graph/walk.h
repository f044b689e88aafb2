/*
 * What the two walks over the record share, down in backward.c and up in forward.c: a recorded use of a
 * primitive brought back as a call, the state in which rules run, sums of what arrives at a node.
 */
#ifndef GRI_GRAPH_WALK_H
#define GRI_GRAPH_WALK_H

#include "graph/call.h"

/* A recorded operation as the call that it was. */
typedef struct gri_recall {
    gri_running_call running;
    gr_tensor few[GRI_FEW];
    const gr_array *few_in[GRI_FEW];
} gri_recall;

/* Say why a recorded node cannot be brought back; of an operand: it is gone (`now` is NULL) or was written. */
gr_status gri_fail_released(gr_graph *g, const char *what, const gri_node *node);
gr_status gri_fail_operand(gr_graph *g, const char *what, const gri_node *node, uint32_t i,
                           const gri_node *now);

/* Brings a recorded node back: each operand is checked to be what it was when it was used. `what` names the
   walk. GR_ERR_HISTORY_RELEASED, GR_ERR_STALE or GR_ERR_MODIFIED. To be ended, whatever the status. */
static inline gr_status gri_recall_begin(gri_recall *r, gr_graph *g, const char *what, const gri_node *node)
{
    gr_tensor *operands = r->few;
    const gr_array **in = r->few_in;
    r->running.scratch = NULL;
    r->running.call = (gr_call){.graph = g,
                                .op = node->op,
                                .n = (int)node->n_operands,
                                .attributes = gri_attributes(node),
                                .out = &node->array,
                                .output = gri_handle(g, node)};
    if (node->flags & GRI_RELEASED) return gri_fail_released(g, what, node);
    if (node->n_operands > GRI_FEW) {
        operands = gr_call_scratch(&r->running.call, node->n_operands * sizeof *operands);
        in = gr_call_scratch(&r->running.call, node->n_operands * sizeof *in);
        if (!operands || !in) return g->status;
    }
    r->running.call.operands = operands;
    r->running.call.in = in;
    for (uint32_t i = 0; i < node->n_operands; i++) {
        const gri_operand *o = &gri_operands(node)[i];
        const gri_node *now = gri_lookup(g, o->index, o->generation);
        if (!now || now->version != o->version) return gri_fail_operand(g, what, node, i, now);
        operands[i] = (gr_tensor){g, o->index, o->generation};
        in[i] = &now->array;
    }
    return GR_OK;
}
static inline void gri_recall_end(gri_recall *r)
{
    if (r->running.scratch) gri_free_scratch(&r->running);
}

/* While a walk is under way rules run in a state of their own: recording or not, judged only by what they return, with
   the scopes that are open guarded against them. */
typedef struct gri_walk_state {
    gri_tidy outside, inside; /* what the walk found; what rules find, and leave */
    uint32_t guarded_scopes;
    bool watching;
    const struct walk *walk;
} gri_walk_state;
/* walk: that of backward.c, or NULL. */
static inline gri_walk_state gri_walk_enter(gr_graph *g, const struct walk *walk, bool record)
{
    gri_walk_state s = {.outside = gri_tidy_here(g),
                        .guarded_scopes = g->guarded_scopes,
                        .watching = g->watching,
                        .walk = g->walk};
    g->no_grad_depth = record ? 0 : g->no_grad_depth + 1;
    g->recording = record;
    g->guarded_scopes = g->n_scopes;
    g->watching = false;
    g->walk = walk;
    g->walks++;
    s.inside = gri_tidy_here(g);
    return s;
}
static inline void gri_walk_leave(gr_graph *g, const gri_walk_state *s)
{
    g->walks--;
    g->walk = s->walk;
    g->watching = s->watching;
    g->guarded_scopes = s->guarded_scopes;
    g->naming.scope = s->outside.naming.scope;
    g->recording = s->outside.recording;
    g->no_grad_depth = s->outside.no_grad_depth;
}

/* ---- backward.c ---- */

/* After a rule: its error, or GR_ERR_STATE if it left a scope or a gr_no_grad_begin open, which end here. */
void gri_fail_untidy(gr_graph *g, const char *what, const gr_op *op, const gri_tidy *inside);
static inline gr_status gri_check_tidy(gr_graph *g, const char *what, const gr_op *op, const gri_tidy *inside)
{
    if (!gri_is_tidy(g, inside)) gri_fail_untidy(g, what, op, inside);
    return g->status;
}

/* Adds the value of `part` to a tensor named by its index, 0 if there is none yet. Recorded: by an operation.
   Else the sum is a kept node, formed in place where it is nobody else's. */
gr_status gri_add_to(gr_graph *g, bool record, uint32_t *sum, const gri_node *part);

/* The node of inputs[i]; NULL, and the error set, if there is none or if it requires no gradient. */
gri_node *gri_resolve_input(gr_graph *g, const char *what, int i, gr_tensor input);
/* The same for an output, which must be a float. */
gri_node *gri_resolve_output(gr_graph *g, const char *what, int i, gr_tensor output);

/* Left out by the caller: a zeroed handle. */
static inline bool gri_is_unset(gr_tensor t) { return !t.graph && t.index == 0; }
/* The node of a cotangent or tangent, as `seed` says, of an output or input `end`, as `of` says; NULL, and the
   error set, if it has not the type and shape of that. */
gri_node *gri_resolve_seed(gr_graph *g, const char *what, const char *seed, gr_tensor t, const char *of,
                           const gri_node *end);

/* A tensor of one value, of the type and shape of `node`, kept or on the step stack. */
gri_node *gri_filled_like(gr_graph *g, const gri_node *node, double value, bool kept);

/* gr_grad for the call `what`. */
gr_status gri_grad(const char *what, int n_outputs, const gr_tensor *outputs, int n_inputs,
                   const gr_tensor *inputs, const gr_tensor *cotangents, const gr_grad_options *options,
                   gr_tensor *gradients);

/* A walk of single calls, each by itself, for forward mode: recorded, without hooks. It knows the step nodes in [first,
   step_top) and the kept ones below kept_top, and is made once for many calls. NULL, and the error set, if memory runs
   out. */
struct walk *gri_single_create(gr_graph *g, const char *what, uint32_t first, uint32_t step_top,
                               uint32_t kept_top);
void gri_single_free(struct walk *w); /* NULL allowed */
/* contributions[i] of a cotangent of the result to operand i, of its type and shape, where wanted[i]; GR_NONE where
   there is none. An operand that is there twice gets all at its first place. */
gr_status gri_single_walk(struct walk *w, gri_running_call *r, gr_tensor cotangent, const bool *wanted,
                          gr_tensor *contributions);

/* Whether a Jacobian of an operation can move with its operands, as far as its descriptor tells. */
static inline bool gri_may_turn(const gr_op *op, uint32_t n_operands)
{
    if (op->straight || op->tangent == GR_TANGENT_JOINT || op->tangent == GR_TANGENT_SYMMETRIC_JOINT)
        return false;
    return op->tangent != GR_TANGENT_LINEAR || n_operands > 1; /* with the others */
}

/* ---- forward.c ---- */

/* results[i] = sum_j d outputs[i] / d inputs[j] . tangents[j], step tensors; a tangent left unset is zero.
   The history of the outputs stays. Recorded or not, as in gr_grad. On error nothing is left behind, and the
   results are invalid. */
gr_status gri_push_forward(const char *what, int n_outputs, const gr_tensor *outputs, int n_inputs,
                           const gr_tensor *inputs, const gr_tensor *tangents, bool record,
                           gr_tensor *results);

/* The tangents of what lies between inputs and a result, where a Jacobian farther up may turn with them: indices of nodes,
   0 for zero. */
typedef struct gri_tangents {
    gr_graph *g;
    uint32_t first, top, kept_top;
    uint32_t *step, *kept; /* of the step nodes in [first, top), and of the kept ones below kept_top */
    uint32_t *uses; /* of the step nodes: not 0 where the result is made of them, with a tangent or not */
} gri_tangents;
/* Not recorded. To be freed if it succeeds; then what was made on the step stack is to be popped. */
gr_status gri_make_tangents(const char *what, gr_tensor y, int n_inputs, const gr_tensor *inputs,
                            const gr_tensor *tangents, gri_tangents *made);
void gri_free_tangents(gri_tangents *t);
/* The tangent of a node; NULL: zero. */
static inline const gri_node *gri_tangent_of(const gri_tangents *t, uint32_t index)
{
    uint32_t tangent = 0;
    if (index & GRI_KEPT)
        tangent = (index & ~GRI_KEPT) < t->kept_top ? t->kept[index & ~GRI_KEPT] : 0;
    else if (index >= t->first && index < t->top)
        tangent = t->step[index - t->first];
    if (!tangent) return NULL;
    return tangent & GRI_KEPT ? gri_kept_node(t->g, tangent) : t->g->step.slot[tangent].node;
}

/* Whether the result of a walk up is made of a step node. */
static inline bool gri_is_used(const gri_tangents *t, uint32_t index)
{
    return index >= t->first && index < t->top && t->uses[index - t->first];
}

/* ---- hvp.c ---- */

/* products[i] = sum_j d2 y / d inputs[i] d inputs[j] . vectors[j] for a y of one element, not recorded: step tensors, with
   others below them, which the caller pops (settle in functional.c); a vector left unset is zero. Only where *made is set: else something is in the way that has to be done by two walks, one
   after the other. On error nothing is left behind, and the products are invalid. */
gr_status gri_push_hvp(const char *what, gr_tensor y, int n, const gr_tensor *inputs,
                       const gr_tensor *vectors, gr_tensor *products, bool *made);

#endif
