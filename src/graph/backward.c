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
 * A walk has adjoints for the step nodes from its `first` on. Those before it matter to nobody: they were made before
 * all that is differentiated by. Unless the walk is a segment: a rule can make operations of its own and have them walked
 * as a part of the walk that called it. Then they, and all kept nodes, are its parent's.
 *
 * Invariant: until the walk has succeeded nothing that a user can see is changed.
 */
#include "graph/descent.h"
#include "gradus/ops.h"
#include "ops/kernels/accumulate.h"

#include <inttypes.h>
#include <string.h>

enum { TEXT_BYTES = 256 };

/* Whether the walk goes on through this node, once an adjoint has arrived at it. */
static bool is_passed(const walk *w, const gri_node *node)
{
    if (!node->n_operands) return false;
    return w->step_need ? *gri_need_of(w, node->index) & GRI_PASSED : (node->flags & GRI_REQUIRES_GRAD) != 0;
}

/* ---- Adjoints ---- */

static bool is_exclusive(const gri_node *node)
{
    return (node->flags & GRI_CONTIGUOUS) && (!node->buffer || node->buffer->references == 1);
}

gri_node *gri_keep_like(gr_graph *g, const gr_array *a)
{
    const gri_recipe r = {.type = a->type, .ndim = a->ndim, .dims = a->dims, .count = a->count};
    return gri_keep_new(g, &r);
}

gr_status gri_add_to(gr_graph *g, bool record, uint32_t *adjoint, const gri_node *part)
{
    if (record) {
        const gr_tensor sum = *adjoint ? gr_add(gri_handle(g, gri_node_at(g, *adjoint)), gri_handle(g, part))
                                       : gri_handle(g, part);
        if (sum.index == 0) return g->status;
        *adjoint = sum.index;
        return GR_OK;
    }
    gri_node *before = *adjoint ? gri_node_at(g, *adjoint) : NULL;
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
    if (before && before->index & GRI_KEPT) gri_kept_release(g, before);
    *adjoint = kept->index;
    return GR_OK;
}

gr_status gri_accumulate_part(const walk *w, uint32_t *adjoint, const gri_node *part)
{
    gri_node *spare = w->record || *adjoint || part->buffer ? NULL : gri_take_spare(w, &part->array);
    if (!spare) return gri_add_to(w->g, w->record, adjoint, part);
    memcpy(spare->array.data, part->array.data,
           (size_t)part->array.count * gri_element_bytes(part->array.type));
    *adjoint = spare->index;
    return GR_OK;
}

/* ---- One node ---- */

const gri_node *gri_fit(const walk *w, const gr_call *call, int i, gr_tensor part, const gri_node *operand)
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
static inline bool pull(const walk *w, const gr_call *call, const gr_array *gy, int i,
                        const gri_node *operand)
{
    gri_node *part = gri_new_part(w, &operand->array);
    if (!part) return true; /* the error is set */
    uint32_t *adjoint = gri_adjoint_of(w, operand->index);
    const bool done = call->op->pull(call, gy, i, &part->array);
    if (done && w->watched &&
        gri_judge_contribution(call, w->what, gy, i, &part->array, &w->common->tainted) != GR_OK) {
        gri_discard(w, part);
        return true;
    }
    if (done)
        gri_hand_over(w, adjoint, part);
    else
        gri_discard(w, part);
    return done;
}

void gri_fail_untidy(gr_graph *g, const char *what, const gr_op *op, const gri_tidy *inside)
{
    gri_tidy_up(g, inside);
    gri_fail(g, GR_ERR_STATE, "%s: the rule of %s opened a scope or a no_grad region and left it open", what,
             op->name);
}

/* Whether the fast path made the contribution, or failed. */
static inline bool is_pulled(const walk *w, const gr_call *call, const gri_node *adjoint, int i,
                             const gri_node *operand)
{
    if (w->record || !call->op->pull) return false;
    return pull(w, call, &adjoint->array, i, operand) || w->g->status != GR_OK;
}

/* Takes what a rule returned for operand i; GR_NONE contributes nothing. */
static inline gr_status take(const walk *w, const gr_call *call, const gri_node *adjoint, int i,
                             gr_tensor part)
{
    if (part.index == 0 && !part.graph) return GR_OK;
    const gri_node *operand = (const gri_node *)call->in[i];
    const gri_node *node = gri_fit(w, call, i, part, operand);
    if (!node) return w->g->status;
    const gr_status status = !w->watched ? GR_OK
                                         : gri_judge_contribution(call, w->what, &adjoint->array, i,
                                                                  &node->array, &w->common->tainted);
    return status == GR_OK ? gri_accumulate_part(w, gri_adjoint_of(w, operand->index), node) : status;
}

static inline gr_status contribute(const walk *w, const gr_call *call, const gri_node *adjoint, int i,
                                   const gri_node *operand)
{
    gr_graph *g = w->g;
    if (is_pulled(w, call, adjoint, i, operand)) return g->status;
    const gri_mark mark = gri_mark_here(g);
    const gr_tensor part = call->op->vjp(call, gri_handle(g, adjoint), i);
    gr_status status = gri_check_tidy(g, w->what, call->op, &w->state.inside);
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
        needed[i] = gri_is_needed(w, operand) && !is_pulled(w, call, adjoint, i, operand);
        if (g->status != GR_OK) return g->status;
        any |= needed[i];
    }
    if (!any) return GR_OK;
    const gri_mark mark = gri_mark_here(g);
    const gr_status given = call->op->vjp_all(call, gri_handle(g, adjoint), needed, parts);
    gr_status status = gri_check_tidy(g, w->what, call->op, &w->state.inside);
    if (status == GR_OK && given != GR_OK)
        status = gri_fail(g, GR_ERR_CALLBACK, "%s: the rule of %s failed without saying why", w->what,
                          call->op->name);
    for (int i = 0; i < call->n && status == GR_OK; i++)
        if (needed[i]) status = take(w, call, adjoint, i, parts[i]);
    if (!w->record) gri_pop(g, mark);
    return status;
}

/* Hands the adjoint of a call on to those operands that need it. */
static inline gr_status pass(const walk *w, gri_running_call *r, const gri_node *adjoint)
{
    const gr_call *call = &r->call;
    gr_status status = GR_OK;
    if (call->op->vjp_all) return contribute_all(w, r, adjoint);
    for (int i = 0; i < call->n && status == GR_OK; i++) {
        const gri_node *operand = (const gri_node *)call->in[i];
        if (gri_is_needed(w, operand)) status = contribute(w, call, adjoint, i, operand);
    }
    return status;
}

gr_status gri_pass(const walk *w, gri_running_call *r, const gri_node *adjoint)
{
    return pass(w, r, adjoint);
}

gr_status gri_pass_to(const walk *w, const gr_call *call, const gri_node *adjoint, int i)
{
    const gri_node *operand = (const gri_node *)call->in[i];
    return gri_is_needed(w, operand) ? contribute(w, call, adjoint, i, operand) : GR_OK;
}

static gr_status visit(const walk *w, const gri_node *node, const gri_node *adjoint)
{
    gri_recall r;
    gr_status status = gri_recall_begin(&r, w->g, w->what, node);
    if (status == GR_OK) status = pass(w, &r.running, adjoint);
    gri_recall_end(&r);
    return status;
}

/* Hands the complete adjoint of a node to its hooks, and goes on with what they return. They see a step tensor, which
   cannot be written. */
static gr_status run_hooks(const walk *w, const gri_node *node, uint32_t *adjoint)
{
    gr_graph *g = w->g;
    const gri_mark mark = gri_mark_here(g);
    const gri_node *arrived = gri_node_at(g, *adjoint);
    if (!w->record && !(arrived = gri_push_value(g, arrived))) return g->status;
    const gr_tensor before = gri_handle(g, arrived);
    gr_tensor gradient = before;
    gr_status status = gri_run_hooks(g, w->what, node, &gradient);
    if (status == GR_OK && !gr_same(before, gradient)) {
        const gri_node *replacement = gri_node_at(g, gradient.index);
        if (!w->record) replacement = gri_keep_value(g, replacement);
        if (replacement) {
            gri_drop(w, adjoint);
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
    if (w->common->tainted) return GR_OK;
    return gri_judge_gradient(w->g, w->what, node, &gri_node_at(w->g, adjoint)->array, of_hook);
}

static gr_status complete_adjoint(const walk *w, const gri_node *node, uint32_t *adjoint)
{
    if (!gri_is_needed(w, node)) return GR_OK;
    gr_status status = w->watched ? judge(w, node, *adjoint, false) : GR_OK;
    if (status == GR_OK && node->flags & GRI_HOOKED && !w->bare) {
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
    for (uint32_t i = 1; i < w->kept_top && status == GR_OK; i++) {
        if (!w->kept_adjoint[i]) continue;
        const gri_node *node = w->g->kept.slot[i].node;
        w->g->naming.scope = gri_name_scope(node);
        status = complete(w, node, &w->kept_adjoint[i]);
    }
    return status;
}

/* ---- The walk ---- */

void gri_walk_end(walk *w)
{
    gr_graph *g = w->g;
    const uint32_t n_steps = w->step_top - w->first;
    for (uint32_t i = 0; w->step_adjoint && i < n_steps; i++) gri_drop(w, &w->step_adjoint[i]);
    for (uint32_t i = 1; w->kept_adjoint && i < w->kept_top; i++) gri_drop(w, &w->kept_adjoint[i]);
    if (w->common == &w->own) gri_free_spares(w);
    gri_free(&g->memory, w->step_adjoint, n_steps * sizeof(uint32_t));
    gri_free(&g->memory, w->kept_adjoint, w->kept_top * sizeof(uint32_t));
    gri_free(&g->memory, w->step_need, n_steps);
    gri_free(&g->memory, w->kept_need, w->kept_top);
}

gr_status gri_walk_begin(walk *w, bool targeted)
{
    gri_memory *m = &w->g->memory;
    w->reached = w->step_top;
    if (!w->common) w->common = w->parent ? w->parent->common : &w->own;
    const uint32_t n_steps = w->step_top - w->first;
    w->step_adjoint = gri_alloc_zeroed(m, n_steps * sizeof(uint32_t));
    w->kept_adjoint = gri_alloc_zeroed(m, w->kept_top * sizeof(uint32_t));
    if (targeted) {
        w->step_need = gri_alloc_zeroed(m, n_steps);
        w->kept_need = gri_alloc_zeroed(m, w->kept_top);
    }
    if (w->step_adjoint && w->kept_adjoint && (!targeted || (w->step_need && w->kept_need))) return GR_OK;
    gri_walk_end(w);
    return gri_fail_memory(w->g, w->what, n_steps * sizeof(uint32_t));
}

/* Whether the adjoint of a visited node must stay until the end. */
static bool wanted_at_end(const walk *w, const gri_node *node)
{
    if (w->parent) return false;
    return w->step_need ? *gri_need_of(w, node->index) & GRI_TARGET : (node->flags & GRI_RETAIN_GRAD) != 0;
}

static gr_status walk_down(walk *w)
{
    gr_graph *g = w->g;
    w->state = gri_walk_enter(g, w, w->record);
    gr_status status = GR_OK;
    uint32_t i = w->step_top;
    while (status == GR_OK && i-- > w->first) {
        uint32_t *adjoint = &w->step_adjoint[i - w->first];
        if (!*adjoint) continue; /* index 0, which names nothing, has none */
        w->at = i;
        gri_node *node = g->step.slot[i].node;
        g->naming.scope = gri_name_scope(node); /* what a rule makes belongs where its operation was made */
        status = complete(w, node, adjoint);
        if (status != GR_OK || !is_passed(w, node)) continue;
        status = visit(w, node, gri_node_at(g, *adjoint));
        if (status != GR_OK) break;
        w->reached = i;
        if (w->release) node->flags |= GRI_RELEASED;
        if (!wanted_at_end(w, node)) {
            gri_drop(w, adjoint);
            *adjoint = GRI_SPENT;
        }
    }
    if (status == GR_OK && (g->hooks.top || w->watched)) status = complete_kept(w);
    gri_walk_leave(g, &w->state);
    return status;
}

/* After a failure: what was visited can be walked again. */
static void restore_history(const walk *w)
{
    for (uint32_t i = w->reached; w->release && i < w->step_top; i++) {
        gri_node *node = w->g->step.slot[i].node;
        if (w->step_adjoint[i - w->first] && is_passed(w, node)) node->flags &= ~(uint32_t)GRI_RELEASED;
    }
}

gri_node *gri_filled_like(gr_graph *g, const gri_node *node, double value, bool kept)
{
    const gri_recipe r = {.type = node->array.type,
                          .ndim = node->array.ndim,
                          .dims = node->array.dims,
                          .count = node->array.count};
    gri_node *filled = kept ? gri_keep_new(g, &r) : gri_push(g, &r);
    if (filled) gri_fill(&filled->array, value);
    return filled;
}

gri_node *gri_resolve_seed(gr_graph *g, const char *what, const char *seed, gr_tensor t, const char *of,
                           const gri_node *end)
{
    char a[TEXT_BYTES], b[TEXT_BYTES];
    gri_node *node = NULL;
    if (t.graph && t.graph != g)
        gri_fail(g, GR_ERR_GRAPH, "%s: the %s belongs to another graph", what, seed);
    else if (t.index == 0 || !t.graph)
        gri_fail(g, GR_ERR_HANDLE, "%s: the %s is an invalid handle", what, seed);
    else
        node = gri_resolve(t, what);
    if (!node) return NULL;
    const bool same_type = node->array.type == end->array.type;
    if (same_type && gri_same_dims(&node->array, &end->array)) return node;
    gri_describe(a, sizeof a, node, true);
    gri_describe(b, sizeof b, end, true);
    gri_fail(g, same_type ? GR_ERR_SHAPE : GR_ERR_TYPE, "%s: %s %s for %s %s", what, seed, a, of, b);
    return NULL;
}

/* Starts the walk at one output. */
static gr_status seed(const walk *w, const gri_node *output, gr_tensor cotangent)
{
    gr_graph *g = w->g;
    const bool matters = gri_is_in_range(w, output->index); /* else it was made before all targets */
    uint32_t *adjoint = matters ? gri_adjoint_of(w, output->index) : NULL;
    if (!gri_is_unset(cotangent)) {
        const gri_node *given = gri_resolve_seed(g, w->what, "cotangent", cotangent, "output", output);
        gr_status status = given ? GR_OK : g->status;
        const gri_mark mark = gri_mark_here(g);
        if (given && w->watched)
            status = gri_judge_seed(g, w->what, "cotangent", output, &given->array, &w->common->tainted);
        if (status == GR_OK && matters) status = gri_accumulate_part(w, adjoint, given);
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
    if (!matters) return GR_OK;
    const gri_mark mark = gri_mark_here(g);
    const gri_node *one = gri_filled_like(g, output, 1, false);
    const gr_status status = one ? gri_accumulate_part(w, adjoint, one) : g->status;
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
    *adjoint = GRI_SPENT;
}

/* First all that can fail, then the rest: gradients change together or not at all. */
static gr_status store_gradients(const walk *w)
{
    gr_graph *g = w->g;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 1; i < w->step_top + w->kept_top; i++) {
            const bool kept = i >= w->step_top;
            uint32_t *adjoint = kept ? &w->kept_adjoint[i - w->step_top] : &w->step_adjoint[i];
            if (!*adjoint || *adjoint == GRI_SPENT) continue;
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
    walk w = {.g = g,
              .what = "backward",
              .step_top = g->step.top,
              .kept_top = g->kept.top,
              .release = !(options && options->retain),
              .watched = g->watching};
    if (status == GR_OK) status = gri_walk_begin(&w, false);
    if (status != GR_OK) return status;
    status = seed(&w, node, options ? options->cotangent : GR_NONE);
    if (status == GR_OK) status = walk_down(&w);
    if (status == GR_OK) status = store_gradients(&w);
    if (status != GR_OK) restore_history(&w);
    gri_walk_end(&w);
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
        const gri_node *zeros = gri_filled_like(g, node, 0, true);
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

gri_node *gri_resolve_input(gr_graph *g, const char *what, int i, gr_tensor input)
{
    gri_node *node = NULL;
    if (input.graph && input.graph != g)
        gri_fail(g, GR_ERR_GRAPH, "%s: inputs[%d] belongs to another graph", what, i);
    else if (input.index == 0 || !input.graph)
        gri_fail(g, GR_ERR_HANDLE, "%s: inputs[%d] is an invalid handle", what, i);
    else
        node = gri_resolve(input, what);
    return node && check_differentiable(g, what, node) == GR_OK ? node : NULL;
}

gr_status gri_find_range(walk *w, int n, const gr_tensor *inputs)
{
    gr_graph *g = w->g;
    w->first = w->step_top = g->step.top;
    w->kept_top = 0;
    for (int i = 0; i < n; i++) {
        const gri_node *node = gri_resolve_input(g, w->what, i, inputs[i]);
        if (!node) return g->status;
        if (node->index & GRI_KEPT) w->kept_top = g->kept.top;
        const uint32_t first = node->index & GRI_KEPT ? 0 : node->index;
        if (first < w->first) w->first = first;
    }
    return GR_OK;
}

/* What leads from the targets upwards is needed. Operands come before what uses them: one pass suffices. */
static void spread_need(const walk *w)
{
    for (uint32_t i = w->first ? w->first : 1; i < w->step_top; i++) {
        const gri_node *node = w->g->step.slot[i].node;
        if (!node || !node->n_operands) continue;
        for (uint32_t k = 0; k < node->n_operands; k++) {
            const gri_operand *o = &gri_operands(node)[k];
            const walk *owner = gri_owner_of(w, o->index);
            if (gri_is_in_range(owner, o->index) && *gri_need_of(owner, o->index) &&
                gri_lookup(w->g, o->index, o->generation))
                w->step_need[i - w->first] |= GRI_NEEDED | GRI_PASSED;
        }
    }
}

void gri_mark_needs(const walk *w, int n, const gr_tensor *inputs)
{
    for (int i = 0; i < n; i++) *gri_need_of(w, inputs[i].index) = GRI_NEEDED | GRI_TARGET;
    spread_need(w);
}

gr_status gri_collect(const walk *w, int n, const gr_tensor *inputs, gr_tensor *gradients)
{
    gr_graph *g = w->g;
    for (int i = 0; i < n; i++) {
        const uint32_t adjoint = *gri_adjoint_of(w, inputs[i].index);
        const gri_node *result;
        if (!adjoint)
            result = gri_filled_like(g, gri_node_at(g, inputs[i].index), 0, false);
        else
            result = w->record ? gri_node_at(g, adjoint) : gri_push_value(g, gri_kept_node(g, adjoint));
        if (!result) return g->status;
        gradients[i] = gri_handle(g, result);
    }
    return GR_OK;
}

gri_node *gri_resolve_output(gr_graph *g, const char *what, int i, gr_tensor output)
{
    gri_node *node = NULL;
    if (output.graph && output.graph != g)
        gri_fail(g, GR_ERR_GRAPH, "%s: outputs[%d] belongs to another graph", what, i);
    else if (output.index == 0 || !output.graph)
        gri_fail(g, GR_ERR_HANDLE, "%s: outputs[%d] is an invalid handle", what, i);
    else
        node = gri_resolve(output, what);
    if (!node || gr_type_is_float(node->array.type)) return node;
    gri_fail(g, GR_ERR_TYPE, "%s: outputs[%d] is %s; only floats can be differentiated", what, i,
             gr_type_name(node->array.type));
    return NULL;
}

static gr_status seed_all(const walk *w, int n, const gr_tensor *outputs, const gr_tensor *cotangents)
{
    gr_status status = GR_OK;
    for (int i = 0; i < n && status == GR_OK; i++) {
        const gri_node *node = gri_resolve_output(w->g, w->what, i, outputs[i]);
        status = node ? seed(w, node, cotangents ? cotangents[i] : GR_NONE) : w->g->status;
    }
    return status;
}

gr_status gri_grad(const char *what, int n_outputs, const gr_tensor *outputs, int n_inputs,
                   const gr_tensor *inputs, const gr_tensor *cotangents, const gr_grad_options *options,
                   gr_tensor *gradients)
{
    gr_graph *g = n_outputs > 0 && outputs ? outputs[0].graph
                  : n_inputs > 0 && inputs ? inputs[0].graph
                                           : NULL;
    for (int i = 0; gradients && i < n_inputs; i++) gradients[i] = gri_invalid(g);
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    if (n_outputs <= 0 || n_inputs < 0 || !outputs || (n_inputs > 0 && (!inputs || !gradients)))
        return gri_fail(g, GR_ERR_ARGUMENT, "%s: %d outputs and %d inputs, or NULL for them", what, n_outputs,
                        n_inputs);
    const gr_grad_options o = options ? *options : (gr_grad_options){false, false};
    walk w = {
        .g = g, .what = what, .record = o.record, .release = !o.record && !o.retain, .watched = g->watching};
    gr_status status = gri_find_range(&w, n_inputs, inputs);
    if (status == GR_OK) status = gri_walk_begin(&w, true);
    if (status != GR_OK) return status;
    const gri_mark mark = gri_mark_here(g);
    gri_mark_needs(&w, n_inputs, inputs);
    status = seed_all(&w, n_outputs, outputs, cotangents);
    if (status == GR_OK) status = walk_down(&w);
    if (status == GR_OK) status = gri_collect(&w, n_inputs, inputs, gradients);
    if (status != GR_OK) restore_history(&w);
    gri_walk_end(&w);
    if (status != GR_OK) {
        gri_pop(g, mark);
        for (int i = 0; i < n_inputs; i++) gradients[i] = gri_invalid(g);
    }
    return status;
}

gr_status gr_grad(int n_outputs, const gr_tensor *outputs, int n_inputs, const gr_tensor *inputs,
                  const gr_tensor *cotangents, const gr_grad_options *options, gr_tensor *gradients)
{
    return gri_grad("grad", n_outputs, outputs, n_inputs, inputs, cotangents, options, gradients);
}

/* ---- Segments ---- */

/* Whether the walk that has the adjoint of a node is still to come to it; nothing comes too late where it does not
   matter. */
static bool is_ahead(const walk *w, uint32_t index)
{
    const walk *owner = gri_owner_of(w, index);
    if (owner == w) return true;
    if (index & GRI_KEPT) return owner->kept_top == 0 || (index & ~GRI_KEPT) < owner->kept_top;
    return index < owner->at;
}

/* Everything that the segment would contribute to is. */
static gr_status check_reach(const walk *w)
{
    for (uint32_t i = w->first; i < w->step_top; i++) {
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
    if (!parent)
        return gri_fail(g, GR_ERR_STATE,
                        "checkpoint: what it made is gone, and comes back in a walk only: it has no "
                        "derivatives by itself");
    if (!(output->flags & GRI_REQUIRES_GRAD)) return GR_OK;
    walk w = {.g = g,
              .what = parent->what,
              .parent = parent,
              .first = floor,
              .step_top = g->step.top,
              .record = parent->record,
              .watched = parent->watched,
              .bare = parent->bare};
    gr_status status = gri_walk_begin(&w, parent->step_need != NULL);
    if (status != GR_OK) return status;
    status = check_reach(&w);
    if (status == GR_OK) {
        if (w.step_need) spread_need(&w);
        status = gri_accumulate_part(&w, gri_adjoint_of(&w, output->index), gri_node_at(g, cotangent.index));
    }
    if (status == GR_OK) status = walk_down(&w);
    gri_walk_end(&w);
    return status;
}

/* ---- One call alone ---- */

walk *gri_single_create(gr_graph *g, const char *what, uint32_t first, uint32_t step_top, uint32_t kept_top)
{
    walk *w = gri_alloc(&g->memory, sizeof *w);
    if (!w) {
        gri_fail_memory(g, what, sizeof *w);
        return NULL;
    }
    *w = (walk){.g = g,
                .what = what,
                .first = first,
                .step_top = step_top,
                .kept_top = kept_top,
                .record = true,
                .bare = true};
    if (gri_walk_begin(w, true) == GR_OK) return w;
    gri_free(&g->memory, w, sizeof *w);
    return NULL;
}

void gri_single_free(walk *w)
{
    if (!w) return;
    gri_memory *m = &w->g->memory;
    gri_walk_end(w);
    gri_free(m, w, sizeof *w);
}

gr_status gri_single_walk(walk *w, gri_running_call *r, gr_tensor cotangent, const bool *wanted,
                          gr_tensor *contributions)
{
    gr_graph *g = w->g;
    const gr_call *call = &r->call;
    for (int i = 0; i < call->n; i++)
        if (wanted[i]) *gri_need_of(w, call->operands[i].index) = GRI_NEEDED;
    w->at = call->output.index;
    w->state = gri_walk_enter(g, w, true);
    const gr_status status = pass(w, r, gri_node_at(g, cotangent.index));
    gri_walk_leave(g, &w->state);
    for (int i = 0; i < call->n; i++) {
        contributions[i] = GR_NONE;
        if (!wanted[i]) continue;
        uint32_t *adjoint = gri_adjoint_of(w, call->operands[i].index);
        if (*adjoint) contributions[i] = gri_handle(g, gri_node_at(g, *adjoint));
        *adjoint = 0; /* an operand that is there twice has got all at its first place */
        *gri_need_of(w, call->operands[i].index) = 0;
    }
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
    const gri_node *ones = gri_filled_like(y.graph, node, 1, false);
    if (!ones) return gri_invalid(y.graph);
    const gr_tensor cotangent = gri_handle(y.graph, ones);
    gr_tensor gradient = gri_invalid(y.graph);
    gr_grad(1, &y, 1, &x, &cotangent, &(gr_grad_options){.record = true}, &gradient);
    return gradient;
}
