/*
 * Forward mode. A walk visits the step nodes from the inputs up, in order of creation, which is a topological
 * order; at each that an output needs it makes the tangent of the result from those of the operands. How, the
 * descriptor says (gr_tangent): by the primitive itself, by its rule, or by the transpose of its rule. So
 * there are no rules for forward mode, and what is recorded of the walk can be differentiated again, either
 * way.
 *
 * The tangent of a node is a tensor, named by its index in one array per slot table; 0 stands for zero. In a
 * walk that is not recorded tangents are kept nodes, freed after their last use, and what is built on the way
 * is popped at once. In a recorded walk they are step tensors with a history of their own.
 *
 * Invariant: the graph below the walk is not changed, whether it succeeds or not.
 */
#include "graph/walk.h"
#include "gradus/ops.h"

#include <string.h>

enum { TEXT_BYTES = 256 };

/* The last use of a tangent that is a result. */
#define RESULT UINT32_MAX
/* Where the result is made of a node of which nobody needs the tangent. */
#define NO_USE UINT32_C(1)

typedef struct climb {
    gr_graph *g;
    const char *what;    /* the call, for messages */
    uint32_t first, top; /* step nodes outside [first, top) do not matter */
    uint32_t kept_top;   /* 0: no kept node matters */
    uint32_t *tangent, *kept_tangent;
    uint32_t *last_use; /* of a step node's tangent: the last node that needs it; 0: none does */
    bool record;
    /* Only those tangents are made that a Jacobian may turn with. They stay after their last use, and may be on the step
       stack, which the caller pops. */
    bool keep;
    bool watched;         /* anomaly mode: tangents are judged */
    bool tainted;         /* something that is not finite has come in, and may */
    struct walk *single;  /* for rules that are transposed; NULL until one is */
    gri_walk_state state; /* while rules run */
} climb;

/* Where the tangent of a node is named; NULL: it has none, and never will. */
static uint32_t *tangent_of(const climb *c, uint32_t index)
{
    if (index & GRI_KEPT) {
        const uint32_t i = index & ~GRI_KEPT;
        return i < c->kept_top ? &c->kept_tangent[i] : NULL;
    }
    return index >= c->first && index < c->top ? &c->tangent[index - c->first] : NULL;
}

static gri_node *node_at(const gr_graph *g, uint32_t index)
{
    return index & GRI_KEPT ? gri_kept_node(g, index) : g->step.slot[index].node;
}

/* The tangent of an operand, or NULL. */
static const gri_node *tangent_node(const climb *c, const gri_node *operand)
{
    const uint32_t *tangent = tangent_of(c, operand->index);
    return tangent && *tangent ? node_at(c->g, *tangent) : NULL;
}

static void drop(const climb *c, uint32_t *tangent)
{
    if (*tangent & GRI_KEPT && !c->record) gri_kept_release(c->g, gri_kept_node(c->g, *tangent));
    *tangent = 0;
}

static gr_shape shape_of(const gr_array *a)
{
    gr_shape shape = {.ndim = a->ndim};
    memcpy(shape.dims, a->dims, (size_t)a->ndim * sizeof *a->dims);
    return shape;
}

/* t in the shape of `like`, to which it broadcasts. */
static gr_tensor expanded(gr_graph *g, const gri_node *t, const gr_array *like)
{
    return gri_same_dims(&t->array, like) ? gri_handle(g, t) : gr_expand(gri_handle(g, t), shape_of(like));
}

/* Room for something about each operand of a call: where there is some for few, or scratch memory; NULL, and the error set, if memory runs
   out. */
static void *room_for(const gr_call *call, void *few, size_t bytes_each)
{
    return call->n > GRI_FEW ? gr_call_scratch(call, (size_t)call->n * bytes_each) : few;
}

/* ---- One operand: J t ---- */

/* Each returns a tensor, GR_NONE for zero, or an invalid handle and the error set. */

/* J = J', once t is repeated to the shape of the result: the rule. */
static gr_tensor by_symmetry(const climb *c, const gr_call *call, int i, const gri_node *t)
{
    const gr_tensor wide = expanded(c->g, t, call->out);
    if (wide.index == 0) return wide;
    const gr_tensor part = call->op->vjp(call, wide, i);
    return gri_check_tidy(c->g, c->what, call->op, &c->state.inside) == GR_OK ? part : gri_invalid(c->g);
}

/* Linear: the primitive, with t in the place of the operand. */
static gr_tensor by_linearity(const climb *c, gri_running_call *r, int i, const gri_node *t)
{
    const gr_call *call = &r->call;
    gr_tensor few[GRI_FEW], *operands = room_for(call, few, sizeof *few);
    if (!operands) return gri_invalid(c->g);
    memcpy(operands, call->operands, (size_t)call->n * sizeof *operands);
    operands[i] = gri_handle(c->g, t);
    return gr_apply(c->g, call->op, call->n, operands, call->attributes);
}

/* By the fast path of a rule that is symmetric: straight into the tangent of the result, or beside it and
   then added. */
static bool pull(const climb *c, const gr_call *call, int i, const gri_node *t, uint32_t *tangent)
{
    gr_graph *g = c->g;
    const gr_array *a = call->out;
    const gri_recipe r = {.type = a->type, .ndim = a->ndim, .dims = a->dims, .count = a->count};
    const gri_mark mark = gri_mark_here(g);
    gri_node *part = c->keep ? gri_push(g, &r) : gri_keep_new(g, &r);
    if (!part) return true; /* the error is set */
    const bool done = call->op->pull(call, &t->array, i, &part->array);
    if (done && !*tangent) {
        *tangent = part->index;
        return true;
    }
    if (done) gri_add_to(g, false, tangent, part);
    if (c->keep)
        gri_pop(g, mark);
    else
        gri_kept_release(g, part);
    return done;
}

/* ---- What an operand gives the result ---- */

/* The node of what a way has given, in the shape of the result; NULL, and the error set, if it cannot be. */
static const gri_node *fit(const climb *c, const gr_call *call, gr_tensor part)
{
    gr_graph *g = c->g;
    const gri_node *node = part.graph == g ? gri_lookup(g, part.index, part.generation) : NULL;
    if (!node) {
        gri_fail(g, GR_ERR_CALLBACK, "%s: the rule of %s returned no tensor of this graph", c->what,
                 call->op->name);
        return NULL;
    }
    const gr_array *a = &node->array, *to = call->out;
    if (a->type == to->type && gri_same_dims(a, to)) return node;
    if (a->type == to->type && gri_broadcasts_to(a->ndim, a->dims, to->ndim, to->dims)) {
        const gr_tensor wide = expanded(g, node, to);
        return gri_lookup(g, wide.index, wide.generation);
    }
    char given[TEXT_BYTES], wanted[TEXT_BYTES];
    gri_describe(given, sizeof given, node, true);
    gri_describe(wanted, sizeof wanted, (const gri_node *)to, true);
    gri_fail(g, GR_ERR_SHAPE, "%s: %s carries a tangent to %s, which does not fit its result %s", c->what,
             call->op->name, given, wanted);
    return NULL;
}

/* Whether a part that stays on the stack is all that was built for it. */
static bool is_alone(const gri_node *part, const gr_graph *g, gri_mark mark)
{
    return part->index == mark.top && g->step.top == mark.top + 1;
}

/* Adds a part to the tangent of the result, and pops what was built for it. */
static gr_status add_part(const climb *c, const gr_call *call, gr_tensor part, gri_mark mark,
                          uint32_t *tangent)
{
    gr_graph *g = c->g;
    gr_status status = g->status;
    if (status == GR_OK && !gri_is_unset(part)) {
        const gri_node *node = fit(c, call, part);
        if (node && !*tangent && (c->record || (c->keep && is_alone(node, g, mark)))) {
            *tangent = node->index;
            return GR_OK;
        }
        status = node ? gri_add_to(g, c->record, tangent, node) : g->status;
    }
    if (!c->record) gri_pop(g, mark);
    return status;
}

static bool is_symmetric(const gr_op *op)
{
    return op->vjp && (op->tangent == GR_TANGENT_SYMMETRIC || op->tangent == GR_TANGENT_SYMMETRIC_JOINT);
}

static gr_status contribute(const climb *c, gri_running_call *r, int i, uint32_t *tangent)
{
    gr_graph *g = c->g;
    const gr_call *call = &r->call;
    const gri_node *t = tangent_node(c, (const gri_node *)call->in[i]);
    if (!t || t->array.count == 0) return GR_OK;
    const bool symmetric = is_symmetric(call->op);
    if (symmetric && !c->record && call->op->pull && gri_same_dims(&t->array, call->out) &&
        pull(c, call, i, t, tangent))
        return g->status;
    if (g->status != GR_OK) return g->status;
    const gri_mark mark = gri_mark_here(g);
    const gr_tensor part = symmetric ? by_symmetry(c, call, i, t) : by_linearity(c, r, i, t);
    return add_part(c, call, part, mark, tangent);
}

/* ---- All operands at once ---- */

/* Sum of J t for contributions J' u of a rule: the derivative of u -> J' u by u, transposed. */
static gr_tensor transposed(const climb *c, const gr_call *call, gr_tensor u, gr_tensor *contributions,
                            gr_tensor *tangents)
{
    gr_graph *g = c->g;
    int n = 0;
    for (int i = 0; i < call->n; i++) {
        if (gri_is_unset(contributions[i]) || !gr_requires_grad(contributions[i])) continue; /* J' u is 0 */
        tangents[n] = gri_handle(g, tangent_node(c, (const gri_node *)call->in[i]));
        contributions[n++] = contributions[i];
    }
    gr_tensor result = GR_NONE;
    if (n)
        gri_grad(c->what, n, contributions, 1, &u, tangents, &(gr_grad_options){.record = c->record},
                 &result);
    return result;
}

/* Always: by the rule, which is a linear function of its cotangent. */
static gr_status contribute_by_transposing(climb *c, gri_running_call *r, uint32_t *tangent)
{
    gr_graph *g = c->g;
    const gr_call *call = &r->call;
    gr_tensor few[GRI_FEW], few_tangents[GRI_FEW];
    bool few_wanted[GRI_FEW];
    gr_tensor *contributions = room_for(call, few, sizeof *few);
    gr_tensor *tangents = room_for(call, few_tangents, sizeof *few_tangents);
    bool *wanted = room_for(call, few_wanted, sizeof *few_wanted);
    if (!contributions || !tangents || !wanted) return g->status;
    if (!c->single && !(c->single = gri_single_create(g, c->what, c->first, c->top, c->kept_top)))
        return g->status;
    for (int i = 0; i < call->n; i++) wanted[i] = tangent_node(c, (const gri_node *)call->in[i]) != NULL;
    const gri_mark mark = gri_mark_here(g);
    gri_node *node = gri_filled_like(g, (const gri_node *)call->out, 0, false);
    if (!node) return g->status;
    node->flags |= GRI_REQUIRES_GRAD;
    const gr_tensor u = gri_handle(g, node);
    gr_tensor part = gri_invalid(g);
    if (gri_single_walk(c->single, r, u, wanted, contributions) == GR_OK)
        part = transposed(c, call, u, contributions, tangents);
    return add_part(c, call, part, mark, tangent);
}

/* Linear in all operands together: one use of the primitive, of their tangents. */
static gr_status contribute_jointly(const climb *c, gri_running_call *r, uint32_t *tangent)
{
    gr_graph *g = c->g;
    const gr_call *call = &r->call;
    const gri_mark mark = gri_mark_here(g);
    gr_tensor few[GRI_FEW], *tangents = room_for(call, few, sizeof *few);
    if (!tangents) return g->status;
    for (int i = 0; i < call->n; i++) {
        const gri_node *operand = (const gri_node *)call->in[i], *t = tangent_node(c, operand);
        if (!t && gr_type_is_float(operand->array.type)) t = gri_filled_like(g, operand, 0, false);
        if (g->status != GR_OK) break;
        tangents[i] = t ? gri_handle(g, t) : call->operands[i];
    }
    gr_tensor part = gri_invalid(g);
    if (g->status == GR_OK) part = gr_apply(g, call->op, call->n, tangents, call->attributes);
    return add_part(c, call, part, mark, tangent);
}

/* Whether a primitive that is linear in all operands together is to be used once, of their tangents. */
static bool goes_jointly(const climb *c, const gr_call *call)
{
    if (call->op->tangent == GR_TANGENT_JOINT) return true;
    if (call->op->tangent != GR_TANGENT_SYMMETRIC_JOINT) return false;
    for (int i = 0; i < call->n; i++)
        if (!tangent_node(c, (const gri_node *)call->in[i])) return false;
    return true;
}

static bool has_tangents(const climb *c, const gri_node *node)
{
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const uint32_t *tangent = tangent_of(c, gri_operands(node)[k].index);
        if (tangent && *tangent) return true;
    }
    return false;
}

/* In anomaly mode: the tangent of a result is finite if those of the operands are. */
static gr_status judge(climb *c, const gr_call *call, uint32_t tangent)
{
    const gr_array *few[GRI_FEW], **given = room_for(call, few, sizeof *few);
    if (!given) return c->g->status;
    for (int i = 0; i < call->n; i++) {
        const gri_node *t = tangent_node(c, (const gri_node *)call->in[i]);
        given[i] = t ? &t->array : NULL;
    }
    return gri_judge_tangent(call, c->what, given, &node_at(c->g, tangent)->array, &c->tainted);
}

static gr_status carry(climb *c, gri_running_call *r, uint32_t *tangent)
{
    const gr_op *op = r->call.op;
    gr_status status = GR_OK;
    if (goes_jointly(c, &r->call)) return contribute_jointly(c, r, tangent);
    if (!is_symmetric(op) && op->tangent != GR_TANGENT_LINEAR)
        return contribute_by_transposing(c, r, tangent);
    for (int i = 0; i < r->call.n && status == GR_OK; i++) status = contribute(c, r, i, tangent);
    return status;
}

static gr_status visit(climb *c, const gri_node *node)
{
    uint32_t *tangent = tangent_of(c, node->index);
    gri_recall r;
    gr_status status = gri_recall_begin(&r, c->g, c->what, node);
    if (status == GR_OK) status = carry(c, &r.running, tangent);
    if (status == GR_OK && c->watched && *tangent) status = judge(c, &r.running.call, *tangent);
    gri_recall_end(&r);
    for (uint32_t k = 0; k < node->n_operands && !c->record && !c->keep; k++) {
        const uint32_t index = gri_operands(node)[k].index;
        uint32_t *spent = index & GRI_KEPT ? NULL : tangent_of(c, index);
        if (spent && c->last_use[index - c->first] == node->index) drop(c, spent);
    }
    return status;
}

/* ---- The walk ---- */

static void climb_end(climb *c)
{
    gri_memory *m = &c->g->memory;
    const uint32_t n = c->top - c->first;
    gri_single_free(c->single);
    for (uint32_t i = 0; c->tangent && i < n; i++) drop(c, &c->tangent[i]);
    for (uint32_t i = 1; c->kept_tangent && i < c->kept_top; i++) drop(c, &c->kept_tangent[i]);
    gri_free(m, c->tangent, n * sizeof(uint32_t));
    gri_free(m, c->last_use, n * sizeof(uint32_t));
    gri_free(m, c->kept_tangent, c->kept_top * sizeof(uint32_t));
}

/* Which nodes lie between inputs and outputs, at most; checks both. */
static gr_status find_range(climb *c, int n_outputs, const gr_tensor *outputs, int n_inputs,
                            const gr_tensor *inputs)
{
    gr_graph *g = c->g;
    c->first = g->step.top;
    c->top = 0;
    for (int i = 0; i < n_inputs; i++) {
        const gri_node *node = gri_resolve_input(g, c->what, i, inputs[i]);
        if (!node) return g->status;
        if (node->index & GRI_KEPT) c->kept_top = g->kept.top;
        const uint32_t first = node->index & GRI_KEPT ? 1 : node->index;
        if (first < c->first) c->first = first;
    }
    for (int i = 0; i < n_outputs; i++) {
        const gri_node *node = gri_resolve_output(g, c->what, i, outputs[i]);
        if (!node) return g->status;
        if (!(node->index & GRI_KEPT) && node->index >= c->top) c->top = node->index + 1;
    }
    if (c->top < c->first) c->top = c->first;
    return GR_OK;
}

static gr_status climb_begin(climb *c)
{
    gri_memory *m = &c->g->memory;
    const size_t bytes = (c->top - c->first) * sizeof(uint32_t);
    c->tangent = gri_alloc_zeroed(m, bytes);
    c->last_use = gri_alloc_zeroed(m, bytes);
    c->kept_tangent = gri_alloc_zeroed(m, c->kept_top * sizeof(uint32_t));
    if (c->tangent && c->last_use && c->kept_tangent) return GR_OK;
    climb_end(c);
    return gri_fail_memory(c->g, c->what, bytes);
}

/* Downwards from the outputs: what they are made of, and where each tangent is used last. */
static void find_uses(const climb *c, int n_outputs, const gr_tensor *outputs)
{
    for (int i = 0; i < n_outputs; i++)
        if (!(outputs[i].index & GRI_KEPT) && outputs[i].index >= c->first)
            c->last_use[outputs[i].index - c->first] = c->keep ? NO_USE : RESULT;
    for (uint32_t i = c->top; i-- > c->first;) {
        if (!c->last_use[i - c->first]) continue;
        const gri_node *node = c->g->step.slot[i].node;
        const bool used = c->last_use[i - c->first] != NO_USE ||
                          (node->n_operands && gri_may_turn(node->op, node->n_operands));
        for (uint32_t k = 0; k < node->n_operands; k++) {
            const uint32_t index = gri_operands(node)[k].index;
            if (index & GRI_KEPT || index < c->first || index >= i) continue;
            if (c->last_use[index - c->first] <= NO_USE && c->g->step.slot[index].node)
                c->last_use[index - c->first] = used ? i : NO_USE;
        }
    }
}

static gr_status seed(climb *c, int n_inputs, const gr_tensor *inputs, const gr_tensor *tangents)
{
    gr_graph *g = c->g;
    for (int i = 0; i < n_inputs; i++) {
        if (gri_is_unset(tangents[i])) continue;
        const gri_node *input = node_at(g, inputs[i].index);
        const gri_node *t = gri_resolve_seed(g, c->what, "tangent", tangents[i], "input", input);
        if (!t) return g->status;
        if (c->watched && gri_judge_seed(g, c->what, "tangent", input, &t->array, &c->tainted) != GR_OK)
            return g->status;
        uint32_t *tangent = tangent_of(c, input->index);
        if (tangent && gri_add_to(g, c->record, tangent, t) != GR_OK) return g->status;
    }
    return GR_OK;
}

static gr_status walk_up(climb *c)
{
    gr_graph *g = c->g;
    gr_status status = GR_OK;
    for (uint32_t i = c->first; i < c->top && status == GR_OK; i++) {
        if (c->last_use[i - c->first] <= NO_USE) continue;
        const gri_node *node = g->step.slot[i].node;
        g->naming.scope = gri_name_scope(node); /* what is made of an operation belongs where that was made */
        if (has_tangents(c, node)) status = visit(c, node);
    }
    return status;
}

static gr_status collect(const climb *c, int n, const gr_tensor *outputs, gr_tensor *results)
{
    gr_graph *g = c->g;
    for (int i = 0; i < n; i++) {
        const gri_node *output = node_at(g, outputs[i].index), *t = tangent_node(c, output);
        if (!t)
            t = gri_filled_like(g, output, 0, false);
        else if (!c->record)
            t = gri_push_value(g, t);
        if (!t) return g->status;
        results[i] = gri_handle(g, t);
    }
    return GR_OK;
}

/* The whole walk, in which `collect` makes the results, if there are to be any. To be ended if it succeeds. */
static gr_status climb_from(climb *c, int n_outputs, const gr_tensor *outputs, int n_inputs,
                            const gr_tensor *inputs, const gr_tensor *tangents, gr_tensor *results)
{
    gr_graph *g = c->g;
    gr_status status = find_range(c, n_outputs, outputs, n_inputs, inputs);
    if (status == GR_OK) status = climb_begin(c);
    if (status != GR_OK) return status;
    const gri_mark mark = gri_mark_here(g);
    c->state = gri_walk_enter(g, NULL, c->record);
    find_uses(c, n_outputs, outputs);
    status = seed(c, n_inputs, inputs, tangents);
    if (status == GR_OK) status = walk_up(c);
    if (status == GR_OK && results) status = collect(c, n_outputs, outputs, results);
    gri_walk_leave(g, &c->state);
    if (status == GR_OK) return GR_OK;
    climb_end(c);
    gri_pop(g, mark);
    return status;
}

gr_status gri_push_forward(const char *what, int n_outputs, const gr_tensor *outputs, int n_inputs,
                           const gr_tensor *inputs, const gr_tensor *tangents, bool record,
                           gr_tensor *results)
{
    gr_graph *g = outputs[0].graph;
    climb c = {.g = g, .what = what, .record = record, .watched = g->watching};
    const gr_status status = climb_from(&c, n_outputs, outputs, n_inputs, inputs, tangents, results);
    if (status == GR_OK) climb_end(&c);
    for (int i = 0; i < n_outputs && status != GR_OK; i++) results[i] = gri_invalid(g);
    return status;
}

gr_status gri_make_tangents(const char *what, gr_tensor y, int n_inputs, const gr_tensor *inputs,
                            const gr_tensor *tangents, gri_tangents *made)
{
    climb c = {.g = y.graph, .what = what, .keep = true};
    const gr_status status = climb_from(&c, 1, &y, n_inputs, inputs, tangents, NULL);
    if (status != GR_OK) return status;
    *made = (gri_tangents){.g = c.g,
                           .first = c.first,
                           .top = c.top,
                           .kept_top = c.kept_top,
                           .step = c.tangent,
                           .kept = c.kept_tangent,
                           .uses = c.last_use};
    c.tangent = c.kept_tangent = c.last_use = NULL;
    climb_end(&c);
    return GR_OK;
}

void gri_free_tangents(gri_tangents *t)
{
    climb c = {.g = t->g,
               .first = t->first,
               .top = t->top,
               .kept_top = t->kept_top,
               .tangent = t->step,
               .kept_tangent = t->kept,
               .last_use = t->uses};
    climb_end(&c);
}
