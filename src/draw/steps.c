/*
 * Steps: making the list of them out of the graph of single numbers, and going along it. What steps are is in
 * gradus/steps.h; how they are kept, in draw/steps.h.
 *
 * Two passes over the graph of numbers: the first counts steps and bytes of texts, the second fills the block, by the same
 * functions. All sums are formed then: going forward and back only moves them in and out of the numbers.
 *
 * Invariant: when `position` steps are taken, each number holds what these have brought it, and no more.
 */
#include "draw/steps.h"

#include <string.h>

static const char create_what[] = "steps_create";

/* ---- Texts ---- */

/* Where texts of the block go; `to` is NULL while they are counted. */
typedef struct shelf {
    char *to;
    size_t used;
    uint32_t scope; /* the path that was put last, and its number */
    uint16_t scope_id;
} shelf;

static bool shelve(const char *text, size_t length, void *user)
{
    shelf *s = user;
    if (s->to) memcpy(s->to + s->used, text, length);
    s->used += length;
    return true;
}

/* Ends a text, and tells where it began. */
static uint32_t shelved(shelf *s, size_t began)
{
    shelve("", 1, s);
    return (uint32_t)began;
}

static uint32_t shelve_text(shelf *s, const char *text)
{
    const size_t began = s->used;
    if (!*text && began > 0) return 0;
    shelve(text, strlen(text), s);
    return shelved(s, began);
}

/* Most numbers are in the scope of the one before. */
static uint32_t shelve_scope(shelf *s, const gr_graph *g, uint16_t id)
{
    if (id == 0) return 0;
    if (id != s->scope_id) {
        s->scope = shelve_text(s, gri_name_path(g, id));
        s->scope_id = id;
    }
    return s->scope;
}

static uint32_t shelve_symbol(shelf *s, const gri_scalars *from, const gri_scalar_edge *edge, bool ascii)
{
    const size_t began = s->used;
    gri_text text;
    if (!gri_has_symbol(from, edge)) return 0;
    gri_text_begin(&text, shelve, s, ascii);
    gri_put_symbol(&text, from, edge, GRI_PLAIN);
    gri_text_end(&text);
    return shelved(s, began);
}

/* ---- Filling the block ---- */

/* Whether gradients flow to a number. */
static bool is_differentiable(const gri_scalars *from, const gri_scalar *node)
{
    return from->tensor[node->tensor].node->flags & GRI_REQUIRES_GRAD;
}

static gri_step_role role_of(const gri_scalars *from, uint32_t i)
{
    const gri_scalar *node = &from->node[i];
    return i == from->root ? GRI_ROLE_ROOT
           : node->param   ? GRI_ROLE_PARAMETER
           : node->leaf    ? GRI_ROLE_INPUT
                           : GRI_ROLE_OPERATION;
}

/* A name that is a number is that of a constant without one. */
static bool is_bare(const gri_scalar *node) { return node->leaf && !node->named && !node->param; }

static gri_step_number number_of(const gri_scalars *from, uint32_t i, bool forward, shelf *texts)
{
    const gri_scalar *node = &from->node[i];
    const bool one = node->op && node->n_edges > 0 && !node->composed;
    return (gri_step_number){.name = shelve_text(texts, node->name),
                             .operation = shelve_text(texts, one ? node->op->name : ""),
                             .scope = shelve_scope(texts, from->g, node->scope),
                             .scope_id = node->scope,
                             .first_edge = node->first_edge,
                             .n_edges = node->n_edges,
                             .first_term = node->first_term,
                             .n_terms = node->n_terms,
                             .role = (uint8_t)role_of(from, i),
                             .origin = (uint8_t)gri_origin_of_value(node),
                             .bare = is_bare(node),
                             .differentiable = is_differentiable(from, node),
                             .computed = !forward || node->n_edges == 0,
                             .value = node->value};
}

static gri_step_edge edge_of(const gri_scalars *from, uint32_t i, shelf *texts)
{
    const gri_scalar_edge *edge = &from->edge[i];
    const bool carries = is_differentiable(from, &from->node[edge->from]) &&
                         is_differentiable(from, &from->node[edge->to]);
    return (gri_step_edge){
        .from = edge->from,
        .to = edge->to,
        .symbol = {shelve_symbol(texts, from, edge, false), shelve_symbol(texts, from, edge, true)},
        .carries = carries,
        .known = edge->kind != GRI_SYMBOL_NONE,
        .origin = (uint8_t)gri_origin_of_partial(from, edge),
        .local = edge->partial};
}

/* Numbers, edges, terms and texts; into `s`, or counted only if it is NULL. */
static void fill(gri_steps *s, const gri_scalars *from, const gr_steps_options *options, shelf *texts)
{
    shelve_text(texts, "");
    for (uint32_t i = 0; i < from->n_nodes; i++) {
        const gri_step_number n = number_of(from, i, options->forward, texts);
        if (s) gri_steps_numbers(s)[i] = n;
    }
    for (uint32_t i = 0; i < from->n_edges; i++) {
        const gri_step_edge e = edge_of(from, i, texts);
        if (s) gri_steps_edges(s)[i] = e;
    }
    if (s && s->n_terms > 0) memcpy(gri_steps_terms(s), from->term, s->n_terms * sizeof *from->term);
}

/* ---- The list of steps ---- */

static uint32_t count_steps(const gri_scalars *from, const gr_steps_options *options)
{
    uint32_t n = 1;
    for (uint32_t i = 0; i < from->n_nodes; i++) n += options->forward && from->node[i].n_edges > 0;
    for (uint32_t i = 0; i < from->n_edges; i++) {
        const gri_scalar_edge *edge = &from->edge[i];
        n += is_differentiable(from, &from->node[edge->from]) &&
             is_differentiable(from, &from->node[edge->to]);
    }
    return n;
}

double gri_step_contribution(const gri_steps *s, const gri_step *step)
{
    return gri_chain(step->adjoint, gri_steps_edges(s)[step->edge].local);
}

static void list_values(const gri_steps *s, gri_step **next)
{
    for (uint32_t i = 0; i < s->n_numbers; i++)
        if (!gri_steps_numbers(s)[i].computed) *(*next)++ = (gri_step){.kind = GR_STEP_VALUE, .to = i};
}

/* The numbers in the order of the sweep: by their longest distance from the root, so that no number comes before one that
   it is an operand of; at the same distance as they are numbered. `order` has room for three times as many. */
static void put_in_order(const gri_steps *s, uint32_t *order)
{
    const uint32_t n = s->n_numbers;
    const gri_step_number *number = gri_steps_numbers(s);
    uint32_t *distance = order + n, *start = distance + n;
    memset(distance, 0, 2 * n * sizeof *distance);
    for (uint32_t i = n; i-- > 0;)
        for (uint32_t k = 0; k < number[i].n_edges; k++) {
            uint32_t *to = &distance[gri_steps_edges(s)[number[i].first_edge + k].to];
            if (*to <= distance[i]) *to = distance[i] + 1;
        }
    for (uint32_t i = 0; i < n; i++)
        if (distance[i] + 1 < n) start[distance[i] + 1]++;
    for (uint32_t d = 1; d < n; d++) start[d] += start[d - 1];
    for (uint32_t i = 0; i < n; i++) order[start[distance[i]]++] = i;
}

/* Numbers hold their sums while the list is made. */
static void list_edges_of(const gri_steps *s, uint32_t i, gri_step **next)
{
    gri_step_number *number = gri_steps_numbers(s);
    for (uint32_t k = 0; k < number[i].n_edges; k++) {
        const uint32_t at = number[i].first_edge + k;
        const gri_step_edge *edge = &gri_steps_edges(s)[at];
        gri_step_number *to = &number[edge->to];
        if (!edge->carries) continue;
        gri_step *step = (*next)++;
        *step = (gri_step){.kind = GR_STEP_EDGE, .edge = at, .to = edge->to, .arrival = ++to->arrivals};
        step->adjoint = number[i].adjoint;
        step->before = to->adjoint;
        to->adjoint += gri_step_contribution(s, step);
        step->sum = to->adjoint;
    }
}

static void list_edges(const gri_steps *s, const uint32_t *order, gri_step **next)
{
    gri_step_number *number = gri_steps_numbers(s);
    number[s->root].adjoint = 1;
    number[s->root].arrivals = 1;
    *(*next)++ = (gri_step){.kind = GR_STEP_SEED, .to = s->root, .arrival = 1, .sum = 1};
    for (uint32_t i = 0; i < s->n_numbers; i++) list_edges_of(s, order[i], next);
    for (uint32_t i = 0; i < s->n_numbers; i++) number[i].adjoint = 0;
}

/* ---- Making and freeing ---- */

/* The kept tensor that holds a block of so many bytes. */
static gri_node *make_holder(gr_graph *g, size_t bytes)
{
    const int64_t count = (int64_t)bytes;
    const gri_recipe r = {.type = GR_BOOL, .ndim = 1, .dims = &count, .count = count, .in_buffer = true};
    return gri_keep_new(g, &r);
}

/* Fills the block of the holder. */
static gr_status fill_block(gr_graph *g, gri_steps *s, const gri_scalars *from,
                            const gr_steps_options *options)
{
    const size_t bytes = (size_t)s->n_numbers * 3 * sizeof(uint32_t);
    uint32_t *order = gri_alloc(&g->memory, bytes);
    if (!order) return gri_fail_memory(g, create_what, bytes);
    shelf texts = {.to = (char *)(uintptr_t)gri_steps_text(s, 0)};
    fill(s, from, options, &texts);
    put_in_order(s, order);
    gri_step *next = gri_steps_list(s);
    list_values(s, &next);
    list_edges(s, order, &next);
    gri_free(&g->memory, order, bytes);
    return GR_OK;
}

static gr_steps make(gr_graph *g, const gri_scalars *from, const gr_steps_options *options)
{
    const gr_steps none = {g, 0, 0};
    shelf texts = {.to = NULL};
    fill(NULL, from, options, &texts);
    if (texts.used > UINT32_MAX) {
        gri_fail(g, GR_ERR_LIMIT, "%s: %zu bytes of names", create_what, texts.used);
        return none;
    }
    const uint32_t n_steps = count_steps(from, options);
    const size_t bytes = GRI_ALIGN + from->n_nodes * sizeof(gri_step_number) +
                         from->n_edges * sizeof(gri_step_edge) + from->n_terms * sizeof(gri_term) +
                         n_steps * sizeof(gri_step) + texts.used;
    gri_node *holder = make_holder(g, bytes);
    if (!holder) return none;
    gri_steps *s = holder->array.data;
    *s = (gri_steps){.tag = GRI_STEPS_TAG,
                     .n_numbers = from->n_nodes,
                     .n_edges = from->n_edges,
                     .n_terms = from->n_terms,
                     .n_steps = n_steps,
                     .root = from->root};
    if (fill_block(g, s, from, options) == GR_OK) return (gr_steps){g, holder->index, holder->generation};
    gri_kept_release(g, holder);
    return none;
}

static gr_status check_loss(gr_graph *g, const gri_node *loss)
{
    if (loss->array.count != 1)
        return gri_fail_about(g, GR_ERR_NOT_SCALAR, loss, "%s: the loss must have one element", create_what);
    if (!(loss->flags & GRI_REQUIRES_GRAD))
        return gri_fail_about(g, GR_ERR_NO_HISTORY, loss, "%s: depends on nothing that requires a gradient",
                              create_what);
    return GR_OK;
}

gr_steps gr_steps_create(gr_tensor loss, const gr_steps_options *options)
{
    gr_graph *g = loss.graph;
    const gr_steps none = {g, 0, 0};
    if (!g || g->status != GR_OK) return none;
    const gri_node *node = gri_resolve(loss, create_what);
    if (!node || check_loss(g, node) != GR_OK) return none;
    const gr_steps_options o = options ? *options : (gr_steps_options){0};
    gri_scalars from;
    const gri_scalars_options how = {.limits = o.limits, .names = o.names, .only_named = o.only_named};
    if (gri_scalars_build(&from, create_what, loss, 0, &how) != GR_OK) return none;
    const gr_steps steps = make(g, &from, &o);
    gri_scalars_free(&from);
    return steps;
}

/* Sets no error. */
static gri_node *holder_of(gr_steps steps)
{
    gri_node *node = steps.graph && steps.index & GRI_KEPT
                         ? gri_lookup(steps.graph, steps.index, steps.generation)
                         : NULL;
    const bool room = node && node->array.type == GR_BOOL && node->array.count >= GRI_ALIGN;
    return room && ((const gri_steps *)node->array.data)->tag == GRI_STEPS_TAG ? node : NULL;
}

static gr_status fail_handle(gr_steps steps, const char *what)
{
    if (!steps.index) return gri_fail(steps.graph, GR_ERR_HANDLE, "%s: an invalid handle", what);
    return gri_fail(steps.graph, GR_ERR_STALE, "%s: the steps were released", what);
}

gri_steps *gri_steps_resolve(gr_steps steps, const char *what)
{
    gri_node *holder = holder_of(steps);
    if (holder) return holder->array.data;
    fail_handle(steps, what);
    return NULL;
}

gr_status gr_steps_release(gr_steps steps)
{
    gri_node *holder = holder_of(steps);
    if (!holder) return fail_handle(steps, "steps_release");
    gri_kept_release(steps.graph, holder);
    return GR_OK;
}

/* ---- Going along ---- */

static void take(gri_steps *s)
{
    const gri_step *step = &gri_steps_list(s)[s->position++];
    gri_step_number *to = &gri_steps_numbers(s)[step->to];
    to->computed = true;
    if (step->kind == GR_STEP_VALUE) return;
    to->arrived = step->arrival;
    to->adjoint = step->sum;
}

static void take_back(gri_steps *s)
{
    const gri_step *step = &gri_steps_list(s)[--s->position];
    gri_step_number *to = &gri_steps_numbers(s)[step->to];
    if (step->kind == GR_STEP_VALUE) {
        to->computed = false;
    } else {
        to->arrived = step->arrival - 1;
        to->adjoint = step->before;
    }
}

static void describe(const gri_steps *s, uint32_t i, gr_step *to)
{
    const gri_step *step = &gri_steps_list(s)[i];
    const gri_step_number *number = gri_steps_numbers(s);
    if (!to) return;
    *to = (gr_step){.kind = (gr_step_kind)step->kind,
                    .index = i,
                    .from = -1,
                    .to = step->to,
                    .edge = -1,
                    .from_name = "",
                    .to_name = gri_steps_text(s, number[step->to].name),
                    .to_value = number[step->to].value,
                    .symbol = "",
                    .before = step->before,
                    .sum = step->sum,
                    .arrival = (int)step->arrival,
                    .arrivals = (int)number[step->to].arrivals};
    to->complete = to->kind != GR_STEP_VALUE && to->arrival == to->arrivals;
    if (to->kind != GR_STEP_EDGE) return;
    const gri_step_edge *edge = &gri_steps_edges(s)[step->edge];
    to->from = edge->from;
    to->edge = step->edge;
    to->from_name = gri_steps_text(s, number[edge->from].name);
    to->from_value = number[edge->from].value;
    to->adjoint = step->adjoint;
    to->local = edge->local;
    to->symbol = gri_steps_text(s, edge->symbol[0]);
    to->contribution = gri_step_contribution(s, step);
}

int64_t gr_steps_count(gr_steps steps)
{
    const gri_steps *s = gri_steps_resolve(steps, "steps_count");
    return s ? (int64_t)s->n_steps : -1;
}

int64_t gr_steps_position(gr_steps steps)
{
    const gri_steps *s = gri_steps_resolve(steps, "steps_position");
    return s ? (int64_t)s->position : -1;
}

bool gr_steps_next(gr_steps steps, gr_step *step)
{
    gri_steps *s = gri_steps_resolve(steps, "steps_next");
    if (!s || s->position == s->n_steps) return false;
    describe(s, s->position, step);
    take(s);
    return true;
}

bool gr_steps_back(gr_steps steps, gr_step *step)
{
    gri_steps *s = gri_steps_resolve(steps, "steps_back");
    if (!s || s->position == 0) return false;
    take_back(s);
    describe(s, s->position, step);
    return true;
}

gr_status gr_steps_go(gr_steps steps, int64_t position)
{
    static const char what[] = "steps_go";
    gri_steps *s = gri_steps_resolve(steps, what);
    if (!s) return steps.index ? GR_ERR_STALE : GR_ERR_HANDLE;
    if (position < 0 || position > s->n_steps)
        return gri_fail(steps.graph, GR_ERR_INDEX, "%s: position %lld of %lu steps", what,
                        (long long)position, (unsigned long)s->n_steps);
    while (s->position < position) take(s);
    while (s->position > position) take_back(s);
    return GR_OK;
}

gr_status gr_steps_at(gr_steps steps, int64_t i, gr_step *step)
{
    static const char what[] = "steps_at";
    const gri_steps *s = gri_steps_resolve(steps, what);
    if (!s) return steps.index ? GR_ERR_STALE : GR_ERR_HANDLE;
    if (i < 0 || i >= s->n_steps)
        return gri_fail(steps.graph, GR_ERR_INDEX, "%s: step %lld of %lu", what, (long long)i,
                        (unsigned long)s->n_steps);
    describe(s, (uint32_t)i, step);
    return GR_OK;
}

/* ---- Numbers ---- */

int64_t gr_steps_number_count(gr_steps steps)
{
    const gri_steps *s = gri_steps_resolve(steps, "steps_number_count");
    return s ? (int64_t)s->n_numbers : -1;
}

gr_status gr_steps_number_at(gr_steps steps, int64_t i, gr_steps_number *number)
{
    static const char what[] = "steps_number_at";
    const gri_steps *s = gri_steps_resolve(steps, what);
    if (!s) return steps.index ? GR_ERR_STALE : GR_ERR_HANDLE;
    if (i < 0 || i >= s->n_numbers)
        return gri_fail(steps.graph, GR_ERR_INDEX, "%s: number %lld of %lu", what, (long long)i,
                        (unsigned long)s->n_numbers);
    const gri_step_number *n = &gri_steps_numbers(s)[i];
    if (number)
        *number = (gr_steps_number){.name = gri_steps_text(s, n->name),
                                    .value = n->value,
                                    .computed = n->computed,
                                    .differentiable = n->differentiable,
                                    .adjoint = n->adjoint,
                                    .arrived = (int)n->arrived,
                                    .arrivals = (int)n->arrivals};
    return GR_OK;
}
