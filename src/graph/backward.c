/*
 * Reverse mode. A walk visits the step nodes from the outputs down, in reverse order of creation, which is a
 * reverse topological order; at each it asks the primitive's rule for the contribution to every operand that
 * matters, sums away what broadcasting repeated, and adds it to what has arrived there before.
 *
 * The adjoint of a node is a tensor, named by its index in one array per slot table; 0 means that none has
 * arrived. In a walk that is not recorded adjoints are kept nodes, freed as soon as they are spent, and what
 * a rule builds on the way is popped at once. In a recorded walk they are step tensors with a history of
 * their own.
 *
 * A rule can make operations of its own and have them walked as a part of the walk that called it: a segment. It has
 * adjoints for what was made since its floor; those of anything before are its parent's.
 *
 * Invariant: until the walk has succeeded nothing that a user can see is changed.
 */
#include "graph/call.h"
#include "gradus/ops.h"
#include "ops/kernels/accumulate.h"

#include <inttypes.h>
#include <string.h>

enum { NEEDED = 1, TARGET = 2, PASSED = 4 /* an operand is needed: the rule runs */, TEXT_BYTES = 256 };

/* An adjoint that was there and is gone: a kept index that names nothing. */
#define SPENT GRI_KEPT

typedef struct walk {
    gr_graph *g;
    const char *what;          /* the call, for messages */
    const struct walk *parent; /* of a segment; NULL: a walk of its own */
    uint32_t floor;            /* of a segment: the step index where it begins. Else 0 */
    uint32_t at;               /* the step node that is being visited */
    uint32_t step_top, kept_top;
    uint32_t *step_adjoint, *kept_adjoint; /* of step nodes from the floor on */
    uint8_t *step_need, *kept_need;        /* NULL: whatever requires a gradient is needed */
    uint32_t reached;                      /* the last step node that was visited */
    bool record, release;
    gri_tidy tidy; /* what a rule finds, and leaves */
    bool watched;  /* anomaly mode: what arrives is judged */
    bool *tainted; /* something that is not finite has come in, and may */
} walk;

/* Whether a node was made before the segment began. */
static bool is_before(const walk *w, uint32_t index)
{
    return w->parent && (index & GRI_KEPT || index < w->floor);
}

/* The walk that has the adjoint of a node. */
static const walk *owner_of(const walk *w, uint32_t index)
{
    while (is_before(w, index)) w = w->parent;
    return w;
}

static uint32_t *adjoint_of(const walk *w, uint32_t index)
{
    w = owner_of(w, index);
    return index & GRI_KEPT ? &w->kept_adjoint[index & ~GRI_KEPT] : &w->step_adjoint[index - w->floor];
}

static uint8_t *need_of(const walk *w, uint32_t index)
{
    return index & GRI_KEPT ? &w->kept_need[index & ~GRI_KEPT] : &w->step_need[index - w->floor];
}

/* Whether the node was there when the walk that has, or would have, its adjoint began. */
static bool is_known(const walk *owner, uint32_t index)
{
    return (index & ~GRI_KEPT) < (index & GRI_KEPT ? owner->kept_top : owner->step_top);
}

static bool is_needed(const walk *w, const gri_node *node)
{
    if (!(node->flags & GRI_REQUIRES_GRAD)) return false;
    w = owner_of(w, node->index);
    return w->step_need ? is_known(w, node->index) && *need_of(w, node->index) != 0 : true;
}

/* Whether the walk goes on through this node, once an adjoint has arrived at it. */
static bool is_passed(const walk *w, const gri_node *node)
{
    if (!node->n_operands) return false;
    return w->step_need ? *need_of(w, node->index) & PASSED : (node->flags & GRI_REQUIRES_GRAD) != 0;
}

static gri_node *node_at(const gr_graph *g, uint32_t index)
{
    return index & GRI_KEPT ? gri_kept_node(g, index) : g->step.slot[index].node;
}

/* ---- Adjoints ---- */

static void drop(const walk *w, uint32_t *adjoint)
{
    if (*adjoint && *adjoint != SPENT && !w->record) gri_kept_release(w->g, gri_kept_node(w->g, *adjoint));
    *adjoint = 0;
}

static bool is_exclusive(const gri_node *node)
{
    return (node->flags & GRI_CONTIGUOUS) && (!node->buffer || node->buffer->references == 1);
}

/* Adds the value of `part` to an adjoint. */
static gr_status accumulate(const walk *w, uint32_t *adjoint, const gri_node *part)
{
    gr_graph *g = w->g;
    if (w->record) {
        const gr_tensor sum = *adjoint ? gr_add(gri_handle(g, node_at(g, *adjoint)), gri_handle(g, part))
                                       : gri_handle(g, part);
        if (sum.index == 0) return g->status;
        *adjoint = sum.index;
        return GR_OK;
    }
    gri_node *before = *adjoint ? gri_kept_node(g, *adjoint) : NULL;
    if (before && is_exclusive(before)) {
        gri_accumulate(g->threads, &before->array, &part->array);
        return GR_OK;
    }
    const gri_node *sum = part;
    if (before) {
        const gr_tensor t = gr_add(gri_handle(g, before), gri_handle(g, part));
        sum = gri_lookup(g, t.index, t.generation);
        if (!sum) return g->status;
    }
    const gri_node *kept = gri_keep_value(g, sum);
    if (!kept) return g->status;
    drop(w, adjoint);
    *adjoint = kept->index;
    return GR_OK;
}

/* ---- One node ---- */

static gr_status fail_released(const walk *w, const gri_node *node)
{
    char text[TEXT_BYTES];
    gri_describe(text, sizeof text, node, false);
    return gri_fail(
        w->g, GR_ERR_HISTORY_RELEASED,
        "%s: the history of %s was released by an earlier backward pass: ask that one to retain it", w->what,
        text);
}

/* Says why the recorded operand `i` is not what it was: it is gone, or has been written. */
static gr_status fail_operand(const walk *w, const gri_node *node, uint32_t i, const gri_node *now)
{
    char text[TEXT_BYTES], operand[TEXT_BYTES];
    gri_describe(text, sizeof text, node, false);
    if (!now)
        return gri_fail(w->g, GR_ERR_STALE, "%s: operand %u of %s was released after its use", w->what, i + 1,
                        text);
    gri_describe(operand, sizeof operand, now, false);
    return gri_fail(w->g, GR_ERR_MODIFIED,
                    "%s: %s was written between its use in %s and this pass (version %u, now %u)", w->what,
                    operand, text, gri_operands(node)[i].version, now->version);
}

/* Checks what a rule returned, and sums what broadcasting repeated. */
static const gri_node *fit(const walk *w, const gr_call *call, int i, gr_tensor part, const gri_node *operand)
{
    gr_graph *g = w->g;
    const gri_node *node = part.graph == g ? gri_lookup(g, part.index, part.generation) : NULL;
    if (!node) {
        if (g->status == GR_OK)
            gri_fail(g, GR_ERR_CALLBACK, "%s: the rule of %s for operand %d returned no tensor of this graph",
                     w->what, call->op->name, i + 1);
        return NULL;
    }
    const gr_array *a = &node->array, *to = &operand->array;
    const bool same_type = a->type == to->type;
    if (same_type && gri_same_dims(a, to)) return node;
    if (!same_type || !gri_broadcasts_to(to->ndim, to->dims, a->ndim, a->dims)) {
        char given[TEXT_BYTES], wanted[TEXT_BYTES];
        gri_describe(given, sizeof given, node, true);
        gri_describe(wanted, sizeof wanted, operand, true);
        gri_fail(g, GR_ERR_SHAPE, "%s: the rule of %s for operand %d returned %s, which does not fit %s",
                 w->what, call->op->name, i + 1, given, wanted);
        return NULL;
    }
    gr_shape shape = {.ndim = to->ndim};
    memcpy(shape.dims, to->dims, (size_t)to->ndim * sizeof *to->dims);
    const gr_tensor summed = gr_sum_to(part, shape);
    return gri_lookup(g, summed.index, summed.generation);
}

/* By the primitive's fast path, if it has one that applies: straight into the adjoint, or beside it and
   then added. */
static bool pull(const walk *w, const gr_call *call, const gr_array *gy, int i, const gri_node *operand)
{
    gr_graph *g = w->g;
    const gr_array *a = &operand->array;
    const gri_recipe r = {.type = a->type, .ndim = a->ndim, .dims = a->dims, .count = a->count};
    gri_node *part = gri_keep_new(g, &r);
    if (!part) return true; /* the error is set */
    uint32_t *adjoint = adjoint_of(w, operand->index);
    const bool done = call->op->pull(call, gy, i, &part->array);
    if (done && w->watched &&
        gri_judge_contribution(call, w->what, gy, i, &part->array, w->tainted) != GR_OK) {
        gri_kept_release(g, part);
        return true;
    }
    if (done && !*adjoint) {
        *adjoint = part->index;
        return true;
    }
    if (done) accumulate(w, adjoint, part);
    gri_kept_release(g, part);
    return done;
}

/* After a rule: its error, or GR_ERR_STATE if it left a scope or a gr_no_grad_begin open, which end here. */
static gr_status check_tidy(const walk *w, const gr_call *call)
{
    if (!gri_tidy_up(w->g, &w->tidy))
        gri_fail(w->g, GR_ERR_STATE, "%s: the rule of %s opened a scope or a no_grad region and left it open",
                 w->what, call->op->name);
    return w->g->status;
}

/* Whether the fast path made the contribution, or failed. */
static bool is_pulled(const walk *w, const gr_call *call, const gri_node *adjoint, int i,
                      const gri_node *operand)
{
    if (w->record || !call->op->pull) return false;
    return pull(w, call, &adjoint->array, i, operand) || w->g->status != GR_OK;
}

/* Takes what a rule returned for operand i; GR_NONE contributes nothing. */
static gr_status take(const walk *w, const gr_call *call, const gri_node *adjoint, int i, gr_tensor part)
{
    if (part.index == 0 && !part.graph) return GR_OK;
    const gri_node *operand = (const gri_node *)call->in[i];
    const gri_node *node = fit(w, call, i, part, operand);
    if (!node) return w->g->status;
    const gr_status status = !w->watched ? GR_OK
                                         : gri_judge_contribution(call, w->what, &adjoint->array, i,
                                                                  &node->array, w->tainted);
    return status == GR_OK ? accumulate(w, adjoint_of(w, operand->index), node) : status;
}

static gr_status contribute(const walk *w, const gr_call *call, const gri_node *adjoint, int i,
                            const gri_node *operand)
{
    gr_graph *g = w->g;
    if (is_pulled(w, call, adjoint, i, operand)) return g->status;
    const gri_mark mark = gri_mark_here(g);
    const gr_tensor part = call->op->vjp(call, gri_handle(g, adjoint), i);
    gr_status status = check_tidy(w, call);
    if (status == GR_OK) status = take(w, call, adjoint, i, part);
    if (!w->record) gri_pop(g, mark);
    return status;
}

/* The same for all operands at once, which share the work of one rule. */
static gr_status contribute_all(const walk *w, gri_running_call *r, const gri_node *adjoint)
{
    gr_graph *g = w->g;
    const gr_call *call = &r->call;
    const size_t n = (size_t)call->n;
    gr_tensor few[GRI_FEW], *parts = n > GRI_FEW ? gr_call_scratch(call, n * sizeof *parts) : few;
    bool few_needed[GRI_FEW], *needed = n > GRI_FEW ? gr_call_scratch(call, n) : few_needed;
    if (!parts || !needed) return g->status;
    bool any = false;
    for (int i = 0; i < call->n; i++) {
        const gri_node *operand = (const gri_node *)call->in[i];
        parts[i] = GR_NONE;
        needed[i] = is_needed(w, operand) && !is_pulled(w, call, adjoint, i, operand);
        if (g->status != GR_OK) return g->status;
        any |= needed[i];
    }
    if (!any) return GR_OK;
    const gri_mark mark = gri_mark_here(g);
    const gr_status given = call->op->vjp_all(call, gri_handle(g, adjoint), needed, parts);
    gr_status status = check_tidy(w, call);
    if (status == GR_OK && given != GR_OK)
        status = gri_fail(g, GR_ERR_CALLBACK, "%s: the rule of %s failed without saying why", w->what,
                          call->op->name);
    for (int i = 0; i < call->n && status == GR_OK; i++)
        if (needed[i]) status = take(w, call, adjoint, i, parts[i]);
    if (!w->record) gri_pop(g, mark);
    return status;
}

/* The operands as handles and arrays, each checked to be what it was when it was used. */
static gr_status operands_of(const walk *w, const gri_node *node, gr_tensor *operands, const gr_array **in)
{
    gr_graph *g = w->g;
    for (uint32_t i = 0; i < node->n_operands; i++) {
        const gri_operand *o = &gri_operands(node)[i];
        const gri_node *now = gri_lookup(g, o->index, o->generation);
        if (!now || now->version != o->version) return fail_operand(w, node, i, now);
        operands[i] = (gr_tensor){g, o->index, o->generation};
        in[i] = &now->array;
    }
    return GR_OK;
}

static gr_status visit(const walk *w, const gri_node *node, const gri_node *adjoint)
{
    gr_graph *g = w->g;
    if (node->flags & GRI_RELEASED) return fail_released(w, node);
    gr_tensor few[GRI_FEW], *operands = few;
    const gr_array *few_in[GRI_FEW], **in = few_in;
    gri_running_call r;
    r.scratch = NULL;
    r.call = (gr_call){.graph = g,
                       .op = node->op,
                       .n = (int)node->n_operands,
                       .attributes = gri_attributes(node),
                       .out = &node->array,
                       .output = gri_handle(g, node)};
    if (node->n_operands > GRI_FEW) {
        operands = gr_call_scratch(&r.call, node->n_operands * sizeof *operands);
        in = gr_call_scratch(&r.call, node->n_operands * sizeof *in);
    }
    r.call.operands = operands;
    r.call.in = in;
    gr_status status = operands && in ? operands_of(w, node, operands, in) : g->status;
    if (status == GR_OK && node->op->vjp_all) {
        status = contribute_all(w, &r, adjoint);
    } else {
        for (int i = 0; i < r.call.n && status == GR_OK; i++) {
            const gri_node *operand = (const gri_node *)in[i];
            if (is_needed(w, operand)) status = contribute(w, &r.call, adjoint, i, operand);
        }
    }
    if (r.scratch) gri_free_scratch(&r);
    return status;
}

/* Hands the complete adjoint of a node to its hooks, and goes on with what they return. They see a step tensor, which
   cannot be written. */
static gr_status run_hooks(const walk *w, const gri_node *node, uint32_t *adjoint)
{
    gr_graph *g = w->g;
    const gri_mark mark = gri_mark_here(g);
    const gri_node *arrived = node_at(g, *adjoint);
    if (!w->record && !(arrived = gri_push_value(g, arrived))) return g->status;
    const gr_tensor before = gri_handle(g, arrived);
    gr_tensor gradient = before;
    gr_status status = gri_run_hooks(g, w->what, node, &gradient);
    if (status == GR_OK && !gr_same(before, gradient)) {
        const gri_node *replacement = node_at(g, gradient.index);
        if (!w->record) replacement = gri_keep_value(g, replacement);
        if (replacement) {
            drop(w, adjoint);
            *adjoint = replacement->index;
        } else {
            status = g->status;
        }
    }
    if (!w->record) gri_pop(g, mark);
    return status;
}

/* In anomaly mode: what has arrived at a node, or come from its hook, is finite. */
static gr_status judge(const walk *w, const gri_node *node, uint32_t adjoint, bool of_hook)
{
    if (*w->tainted) return GR_OK;
    return gri_judge_gradient(w->g, w->what, node, &node_at(w->g, adjoint)->array, of_hook);
}

static gr_status complete_adjoint(const walk *w, const gri_node *node, uint32_t *adjoint)
{
    if (!is_needed(w, node)) return GR_OK;
    gr_status status = w->watched ? judge(w, node, *adjoint, false) : GR_OK;
    if (status == GR_OK && node->flags & GRI_HOOKED) {
        status = run_hooks(w, node, adjoint);
        if (status == GR_OK && w->watched) status = judge(w, node, *adjoint, true);
    }
    return status;
}

/* To be called when all contributions to a node have arrived. */
static inline gr_status complete(const walk *w, const gri_node *node, uint32_t *adjoint)
{
    return w->watched || node->flags & GRI_HOOKED ? complete_adjoint(w, node, adjoint) : GR_OK;
}

/* Kept leaves come last: all that could contribute has been visited. */
static gr_status complete_kept(const walk *w)
{
    gr_status status = GR_OK;
    for (uint32_t i = 1; i < w->kept_top && status == GR_OK; i++)
        if (w->kept_adjoint[i]) status = complete(w, w->g->kept.slot[i].node, &w->kept_adjoint[i]);
    return status;
}

/* ---- The walk ---- */

static void walk_end(walk *w)
{
    gr_graph *g = w->g;
    const uint32_t n = w->step_top - w->floor;
    for (uint32_t i = 0; w->step_adjoint && i < n; i++) drop(w, &w->step_adjoint[i]);
    for (uint32_t i = 1; w->kept_adjoint && i < w->kept_top; i++) drop(w, &w->kept_adjoint[i]);
    gri_free(&g->memory, w->step_adjoint, n * sizeof(uint32_t));
    gri_free(&g->memory, w->kept_adjoint, w->kept_top * sizeof(uint32_t));
    gri_free(&g->memory, w->step_need, n);
    gri_free(&g->memory, w->kept_need, w->kept_top);
}

static gr_status walk_begin(walk *w, gr_graph *g, const char *what, bool record, bool retain, bool targeted)
{
    gri_memory *m = &g->memory;
    *w = (walk){.g = g,
                .what = what,
                .record = record,
                .release = !record && !retain,
                .watched = g->watching,
                .tidy = {g->n_scopes, record ? 0 : g->no_grad_depth + 1, g->naming, record},
                .step_top = g->step.top,
                .reached = g->step.top,
                .kept_top = g->kept.top};
    w->step_adjoint = gri_alloc_zeroed(m, w->step_top * sizeof(uint32_t));
    w->kept_adjoint = gri_alloc_zeroed(m, w->kept_top * sizeof(uint32_t));
    if (targeted) {
        w->step_need = gri_alloc_zeroed(m, w->step_top);
        w->kept_need = gri_alloc_zeroed(m, w->kept_top);
    }
    if (w->step_adjoint && w->kept_adjoint && (!targeted || (w->step_need && w->kept_need))) return GR_OK;
    walk_end(w);
    return gri_fail_memory(g, what, w->step_top * sizeof(uint32_t));
}

/* Whether the adjoint of a visited node must stay until the end. */
static bool wanted_at_end(const walk *w, const gri_node *node)
{
    if (w->parent) return false;
    return w->step_need ? *need_of(w, node->index) & TARGET : (node->flags & GRI_RETAIN_GRAD) != 0;
}

static gr_status walk_down(walk *w)
{
    gr_graph *g = w->g;
    const bool was_recording = g->recording, was_watching = g->watching;
    const uint32_t depth = g->no_grad_depth, guarded = g->guarded_scopes;
    const uint16_t name_scope = g->naming.scope;
    const walk *outer = g->walk;
    g->walk = w;
    g->watching = false; /* rules and hooks are judged by what they return */
    g->no_grad_depth = w->tidy.no_grad_depth;
    g->recording = w->record;
    g->guarded_scopes = g->n_scopes;
    g->walks++;
    gr_status status = GR_OK;
    uint32_t i = w->step_top;
    while (status == GR_OK && i-- > w->floor) {
        uint32_t *adjoint = &w->step_adjoint[i - w->floor];
        if (!*adjoint) continue; /* index 0, which names nothing, has none */
        w->at = i;
        gri_node *node = g->step.slot[i].node;
        g->naming.scope = gri_name_scope(node); /* what a rule makes belongs where its operation was made */
        status = complete(w, node, adjoint);
        if (status != GR_OK || !is_passed(w, node)) continue;
        status = visit(w, node, node_at(g, *adjoint));
        if (status != GR_OK) break;
        w->reached = i;
        if (w->release) node->flags |= GRI_RELEASED;
        if (!wanted_at_end(w, node)) {
            drop(w, adjoint);
            *adjoint = SPENT;
        }
    }
    if (status == GR_OK && (g->hooks.top || w->watched)) status = complete_kept(w);
    g->walks--;
    g->walk = outer;
    g->watching = was_watching;
    g->naming.scope = name_scope;
    g->guarded_scopes = guarded;
    g->recording = was_recording;
    g->no_grad_depth = depth;
    return status;
}

/* After a failure: what was visited can be walked again. */
static void restore_history(const walk *w)
{
    for (uint32_t i = w->reached; w->release && i < w->step_top; i++) {
        gri_node *node = w->g->step.slot[i].node;
        if (w->step_adjoint[i] && is_passed(w, node)) node->flags &= ~(uint32_t)GRI_RELEASED;
    }
}

/* A tensor of ones like `node`, kept or on the step stack. */
static gri_node *ones_like(gr_graph *g, const gri_node *node, double value, bool kept)
{
    const gri_recipe r = {.type = node->array.type,
                          .ndim = node->array.ndim,
                          .dims = node->array.dims,
                          .count = node->array.count};
    gri_node *ones = kept ? gri_keep_new(g, &r) : gri_push(g, &r);
    if (ones) gri_fill(&ones->array, value);
    return ones;
}

static gr_status check_cotangent(const walk *w, const gri_node *output, gr_tensor cotangent)
{
    gr_graph *g = w->g;
    char a[TEXT_BYTES], b[TEXT_BYTES];
    if (cotangent.graph != g)
        return gri_fail(g, GR_ERR_GRAPH, "%s: the cotangent belongs to another graph", w->what);
    const gri_node *node = gri_resolve(cotangent, w->what);
    if (!node) return g->status;
    gri_describe(a, sizeof a, node, true);
    gri_describe(b, sizeof b, output, true);
    if (node->array.type != output->array.type)
        return gri_fail(g, GR_ERR_TYPE, "%s: cotangent %s for output %s", w->what, a, b);
    if (!gri_same_dims(&node->array, &output->array))
        return gri_fail(g, GR_ERR_SHAPE, "%s: cotangent %s for output %s", w->what, a, b);
    return GR_OK;
}

static bool is_unset(gr_tensor t) { return !t.graph && t.index == 0; }

/* Starts the walk at one output. */
static gr_status seed(const walk *w, const gri_node *output, gr_tensor cotangent)
{
    gr_graph *g = w->g;
    uint32_t *adjoint = adjoint_of(w, output->index);
    if (!is_unset(cotangent)) {
        gr_status status = check_cotangent(w, output, cotangent);
        const gri_mark mark = gri_mark_here(g);
        if (status == GR_OK && w->watched)
            status = gri_judge_cotangent(g, w->what, output, &node_at(g, cotangent.index)->array, w->tainted);
        if (status == GR_OK) status = accumulate(w, adjoint, node_at(g, cotangent.index));
        if (!w->record) gri_pop(g, mark);
        return status;
    }
    if (output->array.count != 1) {
        char text[TEXT_BYTES];
        gri_describe(text, sizeof text, output, false);
        return gri_fail(g, GR_ERR_NOT_SCALAR,
                        "%s: %s has %" PRId64 " elements: give a cotangent, or reduce it to a scalar",
                        w->what, text, output->array.count);
    }
    const gri_mark mark = gri_mark_here(g);
    const gri_node *one = ones_like(g, output, 1, false);
    const gr_status status = one ? accumulate(w, adjoint, one) : g->status;
    if (!w->record) gri_pop(g, mark);
    return status;
}

/* ---- Gradients of leaves ---- */

void gri_drop_gradient(gr_graph *g, gri_node *node)
{
    if (!node->gradient) return;
    gri_kept_release(g, gri_kept_node(g, node->gradient));
    node->gradient = 0;
}

/* Whether the adjoint of this node goes into its gradient. */
static bool takes_gradient(const gri_node *node)
{
    return node && (node->flags & GRI_REQUIRES_GRAD) &&
           (!node->n_operands || (node->flags & GRI_RETAIN_GRAD));
}

/* All that storing a gradient needs and that can fail. */
static gr_status prepare(gr_graph *g, gri_node *node, uint32_t adjoint)
{
    gri_node *target = gri_kept_node(g, node->gradient ? node->gradient : adjoint);
    return gri_make_writable(g, target, true);
}

static void store_gradient(gr_graph *g, gri_node *node, uint32_t *adjoint)
{
    gri_node *arrived = gri_kept_node(g, *adjoint);
    if (!node->gradient) {
        node->gradient = *adjoint;
        gri_note_owner(g, node);
    } else {
        gri_node *sum = gri_kept_node(g, node->gradient);
        gri_accumulate(g->threads, &sum->array, &arrived->array);
        sum->version++;
        gri_kept_release(g, arrived);
    }
    *adjoint = SPENT;
}

/* First all that can fail, then the rest: gradients change together or not at all. */
static gr_status store_gradients(const walk *w)
{
    gr_graph *g = w->g;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 1; i < w->step_top + w->kept_top; i++) {
            const bool kept = i >= w->step_top;
            uint32_t *adjoint = kept ? &w->kept_adjoint[i - w->step_top] : &w->step_adjoint[i];
            if (!*adjoint || *adjoint == SPENT) continue;
            gri_node *node = kept ? g->kept.slot[i - w->step_top].node : g->step.slot[i].node;
            if (!takes_gradient(node)) continue;
            if (pass == 0) {
                const gr_status status = prepare(g, node, *adjoint);
                if (status != GR_OK) return status;
            } else {
                store_gradient(g, node, adjoint);
            }
        }
    }
    return GR_OK;
}

static gr_status check_differentiable(gr_graph *g, const char *what, const gri_node *output)
{
    if (output->flags & GRI_REQUIRES_GRAD) return GR_OK;
    char text[TEXT_BYTES];
    gri_describe(text, sizeof text, output, false);
    return gri_fail(g, GR_ERR_NO_HISTORY, "%s: %s depends on nothing that requires a gradient", what, text);
}

gr_status gr_backward_with(gr_tensor output, const gr_backward_options *options)
{
    gr_graph *g = output.graph;
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    const gri_node *node = gri_resolve(output, "backward");
    if (!node) return g->status;
    gr_status status = check_differentiable(g, "backward", node);
    walk w;
    bool tainted = false;
    if (status == GR_OK) status = walk_begin(&w, g, "backward", false, options && options->retain, false);
    if (status != GR_OK) return status;
    w.tainted = &tainted;
    status = seed(&w, node, options ? options->cotangent : GR_NONE);
    if (status == GR_OK) status = walk_down(&w);
    if (status == GR_OK) status = store_gradients(&w);
    if (status != GR_OK) restore_history(&w);
    walk_end(&w);
    return status;
}

gr_status gr_backward(gr_tensor loss) { return gr_backward_with(loss, NULL); }

gr_tensor gr_gradient(gr_tensor t)
{
    const gri_node *node = gri_resolve(t, "gradient");
    if (!node) return gri_invalid(t.graph);
    if (!node->gradient) {
        char text[TEXT_BYTES];
        gri_describe(text, sizeof text, node, false);
        gri_fail(t.graph, GR_ERR_NO_GRADIENT, "gradient: none has arrived at %s: %s", text,
                 !(node->flags & GRI_REQUIRES_GRAD) ? "it does not require one"
                 : node->n_operands && !(node->flags & GRI_RETAIN_GRAD)
                     ? "interior tensors need gr_retain_grad before gr_backward"
                     : "no gr_backward has reached it");
        return gri_invalid(t.graph);
    }
    return gri_handle(t.graph, gri_kept_node(t.graph, node->gradient));
}

bool gr_has_gradient(gr_tensor t)
{
    const gri_node *node = gr_is_valid(t) ? gri_lookup(t.graph, t.index, t.generation) : NULL;
    return node && node->gradient;
}

gr_tensor gr_retain_grad(gr_tensor t)
{
    gri_node *node = gri_resolve(t, "retain_grad");
    if (!node || check_differentiable(t.graph, "retain_grad", node) != GR_OK) return gri_invalid(t.graph);
    node->flags |= GRI_RETAIN_GRAD;
    return t;
}

gr_status gr_clear_grad(gr_tensor t)
{
    gri_node *node = gri_resolve(t, "clear_grad");
    if (!node) return t.graph ? t.graph->status : GR_ERR_HANDLE;
    const gr_status status = gri_check_no_walk(t.graph, "clear_grad");
    if (status == GR_OK) gri_drop_gradient(t.graph, node);
    return status;
}

static gr_status zero_gradient(gr_graph *g, gri_node *node)
{
    if (!node->gradient) {
        const gri_node *zeros = ones_like(g, node, 0, true);
        if (!zeros) return g->status;
        node->gradient = zeros->index;
        gri_note_owner(g, node);
        return GR_OK;
    }
    gri_node *gradient = gri_kept_node(g, node->gradient);
    const gr_status status = gri_make_writable(g, gradient, false);
    if (status != GR_OK) return status;
    gri_fill(&gradient->array, 0);
    gradient->version++;
    return GR_OK;
}

gr_status gr_zero_grad(gr_tensor t)
{
    gri_node *node = gri_resolve(t, "zero_grad");
    if (!node) return t.graph ? t.graph->status : GR_ERR_HANDLE;
    const gr_status status = check_differentiable(t.graph, "zero_grad", node);
    return status == GR_OK ? zero_gradient(t.graph, node) : status;
}

gr_status gr_clear_grads(gr_graph *g)
{
    if (!g) return GR_ERR_HANDLE;
    const gr_status status = gri_check_no_walk(g, "clear_grads");
    if (status != GR_OK) return status;
    for (uint32_t i = 0; i < g->n_params; i++) gri_drop_gradient(g, gri_kept_node(g, g->params[i]));
    return GR_OK;
}

gr_status gr_zero_grads(gr_graph *g)
{
    if (!g) return GR_ERR_HANDLE;
    gr_status status = GR_OK;
    for (uint32_t i = 0; i < g->n_params && status == GR_OK; i++)
        status = zero_gradient(g, gri_kept_node(g, g->params[i]));
    return status;
}

/* ---- Gradients as tensors ---- */

static gr_status mark_targets(const walk *w, int n, const gr_tensor *inputs)
{
    gr_graph *g = w->g;
    for (int i = 0; i < n; i++) {
        if (inputs[i].graph && inputs[i].graph != g)
            return gri_fail(g, GR_ERR_GRAPH, "grad: input %d belongs to another graph", i + 1);
        if (inputs[i].index == 0 || !inputs[i].graph)
            return gri_fail(g, GR_ERR_HANDLE, "grad: input %d is an invalid handle", i + 1);
        const gri_node *node = gri_resolve(inputs[i], "grad");
        if (!node) return g->status;
        const gr_status status = check_differentiable(g, "grad", node);
        if (status != GR_OK) return status;
        *need_of(w, node->index) = NEEDED | TARGET;
    }
    return GR_OK;
}

/* What leads from the targets upwards is needed. Operands come before what uses them: one pass suffices. */
static void spread_need(const walk *w)
{
    for (uint32_t i = w->floor ? w->floor : 1; i < w->step_top; i++) {
        const gri_node *node = w->g->step.slot[i].node;
        if (!node || !node->n_operands) continue;
        for (uint32_t k = 0; k < node->n_operands; k++) {
            const gri_operand *o = &gri_operands(node)[k];
            const walk *owner = owner_of(w, o->index);
            if (is_known(owner, o->index) && *need_of(owner, o->index) &&
                gri_lookup(w->g, o->index, o->generation))
                *need_of(w, i) |= NEEDED | PASSED;
        }
    }
}

static gr_status collect(const walk *w, int n, const gr_tensor *inputs, gr_tensor *gradients)
{
    gr_graph *g = w->g;
    for (int i = 0; i < n; i++) {
        const uint32_t adjoint = *adjoint_of(w, inputs[i].index);
        const gri_node *result;
        if (!adjoint)
            result = ones_like(g, node_at(g, inputs[i].index), 0, false);
        else
            result = w->record ? node_at(g, adjoint) : gri_push_value(g, gri_kept_node(g, adjoint));
        if (!result) return g->status;
        gradients[i] = gri_handle(g, result);
    }
    return GR_OK;
}

static gr_status seed_all(const walk *w, int n, const gr_tensor *outputs, const gr_tensor *cotangents)
{
    gr_graph *g = w->g;
    gr_status status = GR_OK;
    for (int i = 0; i < n && status == GR_OK; i++) {
        if (outputs[i].graph != g)
            return gri_fail(g, GR_ERR_GRAPH, "grad: output %d belongs to another graph", i + 1);
        const gri_node *node = gri_resolve(outputs[i], "grad");
        if (!node) return g->status;
        if (!gr_type_is_float(node->array.type))
            return gri_fail(g, GR_ERR_TYPE, "grad: output %d is %s; only floats can be differentiated", i + 1,
                            gr_type_name(node->array.type));
        status = seed(w, node, cotangents ? cotangents[i] : GR_NONE);
    }
    return status;
}

gr_status gr_grad(int n_outputs, const gr_tensor *outputs, int n_inputs, const gr_tensor *inputs,
                  const gr_tensor *cotangents, const gr_grad_options *options, gr_tensor *gradients)
{
    gr_graph *g = n_outputs > 0 && outputs ? outputs[0].graph
                  : n_inputs > 0 && inputs ? inputs[0].graph
                                           : NULL;
    for (int i = 0; gradients && i < n_inputs; i++) gradients[i] = gri_invalid(g);
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    if (n_outputs <= 0 || n_inputs < 0 || !outputs || (n_inputs > 0 && (!inputs || !gradients)))
        return gri_fail(g, GR_ERR_ARGUMENT, "grad: %d outputs and %d inputs, or NULL for them", n_outputs,
                        n_inputs);
    const gr_grad_options o = options ? *options : (gr_grad_options){false, false};
    walk w;
    bool tainted = false;
    gr_status status = walk_begin(&w, g, "grad", o.record, o.retain, true);
    if (status != GR_OK) return status;
    w.tainted = &tainted;
    const gri_mark mark = gri_mark_here(g);
    status = mark_targets(&w, n_inputs, inputs);
    if (status == GR_OK) {
        spread_need(&w);
        status = seed_all(&w, n_outputs, outputs, cotangents);
    }
    if (status == GR_OK) status = walk_down(&w);
    if (status == GR_OK) status = collect(&w, n_inputs, inputs, gradients);
    if (status != GR_OK) restore_history(&w);
    walk_end(&w);
    if (status != GR_OK) {
        gri_pop(g, mark);
        for (int i = 0; i < n_inputs; i++) gradients[i] = gri_invalid(g);
    }
    return status;
}

/* ---- Segments ---- */

/* Whether the adjoint of a node is still to be visited by the walk that has it. */
static bool is_ahead(const walk *w, uint32_t index)
{
    if (!is_before(w, index)) return true;
    w = owner_of(w, index);
    return is_known(w, index) && (index & GRI_KEPT || index < w->at);
}

/* Everything that the segment would contribute to is. */
static gr_status check_reach(const walk *w)
{
    for (uint32_t i = w->floor; i < w->step_top; i++) {
        const gri_node *node = w->g->step.slot[i].node;
        for (uint32_t k = 0; node && k < node->n_operands; k++) {
            const gri_operand *o = &gri_operands(node)[k];
            const gri_node *operand = gri_lookup(w->g, o->index, o->generation);
            if (!operand || !(operand->flags & GRI_REQUIRES_GRAD) || is_ahead(w, o->index)) continue;
            char text[TEXT_BYTES];
            gri_describe(text, sizeof text, operand, false);
            return gri_fail(w->g, GR_ERR_CALLBACK,
                            "%s: a function that was run again used %s, which was made after its first run",
                            w->what, text);
        }
    }
    return GR_OK;
}

gr_status gri_walk_made_since(gr_graph *g, uint32_t floor, const gri_node *output, gr_tensor cotangent)
{
    const walk *parent = g->walk;
    const uint32_t n = g->step.top - floor;
    if (!parent)
        return gri_fail(
            g, GR_ERR_STATE,
            "checkpoint: what it made is gone, and comes back in a walk only: it has no derivatives by "
            "itself");
    if (!(output->flags & GRI_REQUIRES_GRAD)) return GR_OK;
    walk w = {.g = g,
              .what = parent->what,
              .parent = parent,
              .floor = floor,
              .step_top = g->step.top,
              .reached = g->step.top,
              .record = parent->record,
              .tidy = parent->tidy,
              .watched = parent->watched,
              .tainted = parent->tainted};
    w.step_adjoint = gri_alloc_zeroed(&g->memory, n * sizeof(uint32_t));
    if (parent->step_need) w.step_need = gri_alloc_zeroed(&g->memory, n);
    gr_status status = w.step_adjoint && (!parent->step_need || w.step_need)
                           ? check_reach(&w)
                           : gri_fail_memory(g, w.what, n * sizeof(uint32_t));
    if (status == GR_OK) {
        if (w.step_need) spread_need(&w);
        status = accumulate(&w, adjoint_of(&w, output->index), node_at(g, cotangent.index));
    }
    if (status == GR_OK) status = walk_down(&w);
    walk_end(&w);
    return status;
}

gr_tensor gr_derivative(gr_tensor y, gr_tensor x)
{
    const gri_node *node = gri_resolve(y, "derivative");
    if (!node || y.graph->status != GR_OK) return gri_invalid(y.graph);
    if (!gr_type_is_float(node->array.type)) {
        char text[TEXT_BYTES];
        gri_describe(text, sizeof text, node, true);
        gri_fail(y.graph, GR_ERR_TYPE, "derivative: only floats can be differentiated, not %s", text);
        return gri_invalid(y.graph);
    }
    const gri_node *ones = ones_like(y.graph, node, 1, false);
    if (!ones) return gri_invalid(y.graph);
    const gr_tensor cotangent = gri_handle(y.graph, ones);
    gr_tensor gradient = gri_invalid(y.graph);
    gr_grad(1, &y, 1, &x, &cotangent, &(gr_grad_options){.record = true}, &gradient);
    return gradient;
}
