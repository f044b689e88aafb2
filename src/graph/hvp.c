/*
 * Hessian-vector products that are not recorded: how the gradient moves when the inputs move along the vectors.
 *
 * One walk up makes the tangents of what lies between. Then two walks go down the same nodes side by side: one has the
 * adjoint a of each node, the other the change of it, da. To an operand with the local Jacobian J a node gives J' a and
 * J' da + dJ' a. J' is the rule of the primitive; where J moves, dJ' comes from the descriptor's pull_tangent, or else from
 * the rule: it is asked at stand-ins of its operands, recorded, and tangents are carried through what it made. So nothing
 * but the function itself is recorded, and each operation is passed once in each direction.
 *
 * Of a function that is straight here or there much falls away: a tangent is made where a Jacobian farther up may turn
 * with it, an adjoint where one farther down may turn. Still each operation between inputs and result is brought back: a
 * history that is gone is an error, not a zero.
 *
 * What is recorded is made otherwise, as the gradient of a recorded tangent (functional.c). So is what would differ: with
 * hooks, which that calls once for each tensor; in anomaly mode; with operations whose rules read more than operands; and
 * where one input is made of another, for then the gradient by it also sees how rules use its value.
 *
 * Invariant: the graph below is not changed, whether this succeeds or not.
 */
#include "graph/descent.h"

#include <string.h>

typedef struct descent {
    gr_graph *g;
    const char *what;
    gri_tangents tangents;
    walk change, adjoint; /* of the same step nodes; adjoints of what leads nowhere are not needed */
} descent;

/* A node that is being passed. */
typedef struct passage {
    gri_running_call *r;
    const gri_node *adjoint, *change; /* NULL: zero */
    const gr_array **tangents;        /* of the operands; NULL: zero */
    int n_moving;                     /* so many are not NULL */
} passage;

/* ---- By the rule, differentiated ---- */

/* The call at stand-ins of its operands and its output, and what is made of it. */
typedef struct stand_ins {
    gri_running_call r;
    gr_tensor cotangent;
    gr_tensor *operands;       /* of the call: stand-ins of those that move, */
    const gr_array **in;       /* and their elements */
    gr_tensor *inputs, *seeds; /* the stand-ins, and their tangents */
    int n_inputs;
    gr_tensor *contributions, *changes; /* of the rule, and how they move */
    int *position;                      /* to which operands they go */
    int n_contributions;
} stand_ins;

enum { LISTS = 5, NOT_OPERANDS = 2 /* of the stand-ins: output and cotangent */ };

static gr_status begin_stand_ins(stand_ins *s, const gr_call *call)
{
    const size_t n = (size_t)call->n + NOT_OPERANDS;
    *s = (stand_ins){.r = {.call = *call}};
    gr_tensor *lists = gr_call_scratch(&s->r.call, LISTS * n * sizeof *lists);
    s->in = gr_call_scratch(&s->r.call, n * sizeof *s->in);
    s->position = gr_call_scratch(&s->r.call, n * sizeof *s->position);
    if (!lists || !s->in || !s->position) return call->graph->status;
    s->operands = lists;
    s->inputs = lists + n;
    s->seeds = lists + 2 * n;
    s->contributions = lists + 3 * n;
    s->changes = lists + 4 * n;
    memcpy(s->operands, call->operands, (size_t)call->n * sizeof *s->operands);
    memcpy(s->in, call->in, (size_t)call->n * sizeof *s->in);
    s->r.call.operands = s->operands;
    s->r.call.in = s->in;
    return GR_OK;
}

/* A leaf of the same value, which moves along t; NULL, and the error set, if memory runs out. */
static gri_node *stand_in(stand_ins *s, const gri_node *node, const gri_node *t)
{
    gr_graph *g = s->r.call.graph;
    gri_node *leaf = gri_push_value(g, node);
    if (!leaf || !t) return leaf;
    leaf->flags |= GRI_REQUIRES_GRAD;
    s->inputs[s->n_inputs] = gri_handle(g, leaf);
    s->seeds[s->n_inputs++] = gri_handle(g, t);
    return leaf;
}

/* The output as it moves with the stand-ins: made again where nobody needed its tangent. */
static const gri_node *output_of(stand_ins *s, const gri_node *output, const gri_node *t)
{
    gr_graph *g = s->r.call.graph;
    const gr_call *call = &s->r.call;
    if (t) return stand_in(s, output, t);
    const gri_walk_state state = gri_walk_enter(g, NULL, true);
    const gr_tensor again = gr_apply(g, call->op, call->n, call->operands, call->attributes);
    gri_walk_leave(g, &state);
    return gri_lookup(g, again.index, again.generation);
}

static gr_status make_stand_ins(descent *d, stand_ins *s, const passage *p)
{
    const gr_call *call = &p->r->call;
    const gri_node *output = (const gri_node *)call->out, *t = gri_tangent_of(&d->tangents, output->index);
    for (int i = 0; i < call->n; i++) {
        if (!p->tangents[i]) continue;
        const gri_node *leaf = stand_in(s, (const gri_node *)call->in[i], (const gri_node *)p->tangents[i]);
        if (!leaf) return d->g->status;
        s->operands[i] = gri_handle(d->g, leaf);
        s->in[i] = &leaf->array;
    }
    const gri_node *cotangent = stand_in(s, p->adjoint, p->change),
                   *leaf = cotangent ? output_of(s, output, t) : NULL;
    if (!leaf) return d->g->status;
    s->cotangent = gri_handle(d->g, cotangent);
    s->r.call.output = gri_handle(d->g, leaf);
    s->r.call.out = &leaf->array;
    return GR_OK;
}

/* Notes what a rule has given operand i, in its shape. What depends on no stand-in does not move. */
static gr_status note(descent *d, stand_ins *s, int i, gr_tensor part, const gr_call *call)
{
    if (gri_is_unset(part)) return GR_OK;
    const gri_node *node = gri_fit(&d->change, call, i, part, (const gri_node *)call->in[i]);
    if (!node || !(node->flags & GRI_REQUIRES_GRAD)) return d->g->status;
    s->position[s->n_contributions] = i;
    s->contributions[s->n_contributions++] = gri_handle(d->g, node);
    return GR_OK;
}

/* What the rule gives the wanted operands, recorded. */
static gr_status ask(descent *d, stand_ins *s, const bool *wanted)
{
    const gr_call *call = &s->r.call;
    gr_graph *g = d->g;
    gr_tensor *parts = s->changes; /* for a while */
    const gri_walk_state state = gri_walk_enter(g, NULL, true);
    gr_status status = GR_OK;
    for (int i = 0; i < call->n; i++) parts[i] = GR_NONE;
    if (call->op->vjp_all) status = call->op->vjp_all(call, s->cotangent, wanted, parts);
    for (int i = 0; i < call->n && g->status == GR_OK; i++)
        if (wanted[i] && !call->op->vjp_all) parts[i] = call->op->vjp(call, s->cotangent, i);
    if (gri_check_tidy(g, d->what, call->op, &state.inside) == GR_OK && status != GR_OK)
        gri_fail(g, GR_ERR_CALLBACK, "%s: the rule of %s failed without saying why", d->what, call->op->name);
    for (int i = 0; i < call->n && g->status == GR_OK; i++)
        if (wanted[i]) note(d, s, i, parts[i], call);
    gri_walk_leave(g, &state);
    return g->status;
}

/* J' da + dJ' a for the wanted operands. */
static gr_status differentiate(descent *d, const passage *p, const bool *wanted)
{
    gr_graph *g = d->g;
    const gri_mark mark = gri_mark_here(g);
    stand_ins s;
    gr_status status = begin_stand_ins(&s, &p->r->call);
    if (status == GR_OK) status = make_stand_ins(d, &s, p);
    if (status == GR_OK) status = ask(d, &s, wanted);
    if (status == GR_OK && s.n_contributions)
        status = gri_push_forward(d->what, s.n_contributions, s.contributions, s.n_inputs, s.inputs, s.seeds,
                                  false, s.changes);
    for (int k = 0; k < s.n_contributions && status == GR_OK; k++) {
        const gri_node *operand = (const gri_node *)p->r->call.in[s.position[k]];
        status = gri_accumulate_part(&d->change, gri_adjoint_of(&d->change, operand->index),
                                     gri_node_at(g, s.changes[k].index));
    }
    gri_free_scratch(&s.r);
    gri_pop(g, mark);
    return status;
}

/* ---- One node ---- */

/* Whether the Jacobian by an operand moves where so many operands move, itself one of them or not. */
static bool turns(const gr_op *op, int n_moving, bool moving)
{
    return gri_may_turn(op, UINT32_MAX) && n_moving > (op->tangent == GR_TANGENT_LINEAR && moving);
}

/* J' da + dJ' a by the fast path; false where it does not apply. */
static bool pull_tangent(descent *d, const passage *p, int i)
{
    const gr_call *call = &p->r->call;
    const gri_node *operand = (const gri_node *)call->in[i];
    if (!call->op->pull_tangent) return false;
    gri_node *part = gri_new_part(&d->change, call->in[i]);
    if (!part) return true; /* the error is set */
    const gr_moving moving = {&p->adjoint->array, p->change ? &p->change->array : NULL, p->tangents};
    const bool done = call->op->pull_tangent(call, &moving, i, &part->array);
    if (done)
        gri_hand_over(&d->change, gri_adjoint_of(&d->change, operand->index), part);
    else
        gri_discard(&d->change, part);
    return done || d->g->status != GR_OK;
}

/* J' da + dJ' a for each operand. A rule for all operands is not asked twice. */
static gr_status pass_change(descent *d, const passage *p)
{
    const gr_call *call = &p->r->call;
    bool few[GRI_FEW], *wanted = call->n > GRI_FEW ? gr_call_scratch(call, (size_t)call->n) : few,
                       any = false;
    if (!wanted) return d->g->status;
    for (int i = 0; i < call->n && d->g->status == GR_OK; i++) {
        wanted[i] = false;
        if (!gri_is_needed(&d->change, (const gri_node *)call->in[i])) continue;
        if (turns(call->op, p->n_moving, p->tangents[i] != NULL))
            wanted[i] = !pull_tangent(d, p, i);
        else if (call->op->vjp_all)
            wanted[i] = true;
        else if (p->change)
            gri_pass_to(&d->change, call, p->change, i);
        any |= wanted[i];
    }
    return any && d->g->status == GR_OK ? differentiate(d, p, wanted) : d->g->status;
}

static gr_status pass(descent *d, passage *p)
{
    const gr_call *call = &p->r->call;
    const gr_array *few[GRI_FEW];
    p->tangents = call->n > GRI_FEW ? gr_call_scratch(call, (size_t)call->n * sizeof *few) : few;
    if (!p->tangents) return d->g->status;
    for (int i = 0; i < call->n; i++) {
        const gri_node *t = gri_tangent_of(&d->tangents, ((const gri_node *)call->in[i])->index);
        p->tangents[i] = t ? &t->array : NULL;
        p->n_moving += t != NULL;
    }
    gr_status status = GR_OK;
    if (p->adjoint && turns(call->op, p->n_moving, false))
        status = pass_change(d, p);
    else if (p->change)
        status = gri_pass(&d->change, p->r, p->change);
    return status == GR_OK && p->adjoint ? gri_pass(&d->adjoint, p->r, p->adjoint) : status;
}

static gr_status visit(descent *d, const gri_node *node, uint32_t adjoint, uint32_t change)
{
    gri_recall r;
    passage p = {.r = &r.running,
                 .adjoint = adjoint ? gri_kept_node(d->g, adjoint) : NULL,
                 .change = change ? gri_kept_node(d->g, change) : NULL};
    gr_status status = gri_recall_begin(&r, d->g, d->what, node);
    if (status == GR_OK) status = pass(d, &p);
    gri_recall_end(&r);
    return status;
}

/* A node that gives nothing, as far as it can be brought back. */
static gr_status pass_over(const descent *d, const gri_node *node)
{
    gri_recall r;
    const gr_status status = gri_recall_begin(&r, d->g, d->what, node);
    gri_recall_end(&r);
    return status;
}

/* ---- The walk ---- */

static gr_status seed(const descent *d, gr_tensor y)
{
    const walk *adjoint = &d->adjoint;
    if (!gri_is_in_range(adjoint, y.index) || !*gri_need_of(adjoint, y.index)) return GR_OK;
    const gri_node *one = gri_filled_like(d->g, gri_node_at(d->g, y.index), 1, true);
    if (one) *gri_adjoint_of(adjoint, y.index) = one->index;
    return d->g->status;
}

static gr_status walk_down(descent *d, gr_tensor y)
{
    gr_graph *g = d->g;
    walk *change = &d->change, *adjoint = &d->adjoint;
    gr_status status = seed(d, y);
    for (uint32_t i = d->tangents.top; i-- > change->first && status == GR_OK;) {
        const uint8_t need = change->step_need[i - change->first];
        uint32_t *a = &adjoint->step_adjoint[i - change->first],
                 *da = &change->step_adjoint[i - change->first];
        if (!(need & GRI_PASSED)) continue;
        const gri_node *node = g->step.slot[i].node;
        if (!*a && !*da) {
            if (gri_is_used(&d->tangents, i)) status = pass_over(d, node);
            continue;
        }
        g->naming.scope = gri_name_scope(node); /* what a rule makes belongs where its operation was made */
        status = visit(d, node, *a, *da);
        gri_drop(adjoint, a);
        gri_drop(change, da);
    }
    return status;
}

/* Whether the adjoint of a node that is passed is needed: a Jacobian may turn here, or farther down. */
static bool is_bent(const walk *adjoint, const gri_node *node)
{
    if (gri_may_turn(node->op, node->n_operands)) return true;
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const uint32_t index = gri_operands(node)[k].index;
        if (gri_is_in_range(adjoint, index) && *gri_need_of(adjoint, index)) return true;
    }
    return false;
}

/* Which adjoints are needed. Whether nothing is in the way. Operands come before what uses them: one pass suffices. */
static bool prepare(descent *d, int n, const gr_tensor *inputs)
{
    const walk *w = &d->change;
    gri_mark_needs(w, n, inputs);
    for (int i = 0; i < n; i++) {
        if (gri_node_at(d->g, inputs[i].index)->flags & GRI_HOOKED) return false;
        if (*gri_need_of(w, inputs[i].index) & GRI_PASSED) return false; /* it is made of another input */
    }
    for (uint32_t i = w->first ? w->first : 1; i < w->step_top; i++) {
        if (!(w->step_need[i - w->first] & GRI_PASSED)) continue;
        const gri_node *node = d->g->step.slot[i].node;
        if (node->flags & (GRI_HOOKED | GRI_RERUN)) return false;
        d->adjoint.step_need[i - w->first] = is_bent(&d->adjoint, node) ? GRI_NEEDED : 0;
    }
    return true;
}

static gr_status go(descent *d, gr_tensor y, int n, const gr_tensor *inputs, const gr_tensor *vectors,
                    gr_tensor *products)
{
    gr_graph *g = d->g;
    const gri_mark mark = gri_mark_here(g);
    gr_status status = gri_make_tangents(d->what, y, n, inputs, vectors, &d->tangents);
    if (status != GR_OK) return status;
    d->change.state = gri_walk_enter(g, NULL, false);
    d->adjoint.state = d->change.state;
    status = walk_down(d, y);
    if (status == GR_OK) status = gri_collect(&d->change, n, inputs, products);
    gri_walk_leave(g, &d->change.state);
    gri_free_tangents(&d->tangents);
    if (status != GR_OK) gri_pop(g, mark);
    return status;
}

gr_status gri_push_hvp(const char *what, gr_tensor y, int n, const gr_tensor *inputs,
                       const gr_tensor *vectors, gr_tensor *products, bool *made)
{
    gr_graph *g = y.graph;
    descent d = {.g = g, .what = what, .change = {.g = g, .what = what, .bare = true}};
    *made = false;
    if (g->watching) return GR_OK;
    gr_status status = gri_find_range(&d.change, n, inputs);
    d.adjoint = d.change;
    d.adjoint.kept_top = 0;
    d.adjoint.common = &d.change.own;
    if (status == GR_OK) status = gri_walk_begin(&d.change, true);
    if (status == GR_OK) {
        status = gri_walk_begin(&d.adjoint, true);
        if (status == GR_OK) {
            *made = prepare(&d, n, inputs);
            if (*made) status = go(&d, y, n, inputs, vectors, products);
            gri_walk_end(&d.adjoint);
        }
        gri_walk_end(&d.change);
    }
    for (int i = 0; i < n && status != GR_OK; i++) products[i] = gri_invalid(g);
    return status;
}
