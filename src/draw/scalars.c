/*
 * The graph of single numbers: see scalars.h.
 *
 * Elements are numbered first, those of all tensors of the slice, operands before results. From the root down each
 * element that was reached asks for its row of the local Jacobian; an element that is a copy is merged with what it
 * copies. Then what is left is numbered again, without gaps.
 */
#include "draw/scalars.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    DEFAULT_LIMIT_ELEMENTS = 4096,
    DEFAULT_LIMIT_EDGES = 65536,
    FIRST_EDGES = 256,
    NAME_BYTES = 256,
    TEXT_BYTES = 256
};

#define UNNUMBERED UINT32_MAX

/* What is known of an element while the graph is made. */
typedef struct raw {
    uint32_t copy_of; /* itself, or the element that it always equals; complete once `merge` has run */
    uint32_t first_edge, n_edges;
    uint32_t shown; /* the element after which it is named */
    bool reached, named, kept;
    bool composed; /* other operations have been multiplied into its edges */
} raw;

typedef struct builder {
    gri_scalars *s;
    const gri_scalars_options *o;
    gr_graph *g;
    const char *what;
    const gri_node *root;
    /* By index: 0: not in the slice; UNNUMBERED: in it; else 1 + position among the tensors. */
    uint32_t *step_id, *kept_id;
    uint32_t step_top, kept_top;
    raw *raw;
    uint32_t *stamp; /* by element: the last edge to it that was made */
    gri_scalar_edge *edge;
    size_t n_edges, edge_capacity;
    int64_t most_edges;
    uint32_t keep; /* among all elements; GRI_NO_SCALAR: none */
} builder;

static gri_memory *memory_of(const builder *b) { return &b->g->memory; }

static uint32_t *id_of(const builder *b, uint32_t index)
{
    return index & GRI_KEPT ? &b->kept_id[index & ~GRI_KEPT] : &b->step_id[index];
}

/* ---- The slice ---- */

/* Whether what a node was made of is still what it was; marks it. */
static gr_status mark_operands(const builder *b, const gri_node *node)
{
    char text[TEXT_BYTES], other[TEXT_BYTES];
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const gri_operand *use = &gri_operands(node)[k];
        const gri_node *operand = gri_lookup(b->g, use->index, use->generation);
        gri_describe(text, sizeof text, node, false);
        if (!operand)
            return gri_fail(b->g, GR_ERR_STALE, "%s: operand %u of %s was released after its use", b->what,
                            k + 1, text);
        if (operand->version != use->version) {
            gri_describe(other, sizeof other, operand, false);
            return gri_fail(
                b->g, GR_ERR_MODIFIED,
                "%s: %s was written since its use in %s (version %u, now %u): ask for derivations "
                "before parameters are updated",
                b->what, other, text, use->version, operand->version);
        }
        *id_of(b, use->index) = UNNUMBERED;
    }
    return GR_OK;
}

/* Operands stand before what uses them, so one pass down is enough. Counts the tensors. */
static gr_status mark(builder *b)
{
    gr_status status = GR_OK;
    *id_of(b, b->root->index) = UNNUMBERED;
    for (uint32_t i = b->step_top; i-- > 1 && status == GR_OK;)
        if (b->step_id[i]) status = mark_operands(b, b->g->step.slot[i].node);
    for (uint32_t i = 1; i < b->step_top; i++) b->s->n_tensors += b->step_id[i] != 0;
    for (uint32_t i = 1; i < b->kept_top; i++) b->s->n_tensors += b->kept_id[i] != 0;
    return status;
}

/* Gives a tensor its place; false if its elements are too many to be counted. */
static bool add_tensor(builder *b, const gri_node *node, uint32_t *n, uint64_t *elements)
{
    uint32_t *id = id_of(b, node->index);
    if (*id != UNNUMBERED) return true;
    b->s->tensor[*n] = (gri_scalar_tensor){
        .tensor = gri_handle(b->g, node), .node = node, .first = (uint32_t)*elements};
    *id = ++*n;
    *elements += (uint64_t)node->array.count;
    return *elements < UNNUMBERED;
}

/* ---- Numbers of tensors ---- */

/* Two that need numbers to be told apart. */
static bool is_like(const gri_node *a, const gri_node *b)
{
    if (a->name && b->name) return strcmp(a->name, b->name) == 0;
    return !a->name && !b->name && a->op == b->op;
}

static uint32_t hash_of(const gri_node *node)
{
    uint64_t hash = (uint64_t)(uintptr_t)node->op * UINT64_C(0x9E3779B97F4A7C15) >> 32;
    if (node->name) { /* FNV-1a */
        hash = UINT32_C(2166136261);
        for (const char *c = node->name; *c; c++)
            hash = (hash ^ (unsigned char)*c) * UINT32_C(16777619) & UINT32_MAX;
    }
    return (uint32_t)(hash ^ hash >> 15);
}

/* Which of the list are alike, and how many: a table of so many places, a power of 2. */
typedef struct likes {
    const gri_node *const *node;
    uint32_t *first; /* 1 + the first of them; 0: a free place */
    uint32_t *count;
    uint32_t mask;
} likes;

static uint32_t place_of(const likes *l, const gri_node *node)
{
    uint32_t at = hash_of(node) & l->mask;
    while (l->first[at] && !is_like(l->node[l->first[at] - 1], node)) at = (at + 1) & l->mask;
    return at;
}

static void number_likes(const likes *l, uint32_t n, uint32_t *number)
{
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t at = place_of(l, l->node[i]);
        if (!l->first[at]) l->first[at] = i + 1;
        number[i] = ++l->count[at];
    }
    for (uint32_t i = 0; i < n; i++) /* a name that is the only one needs none */
        if (l->node[i]->name && l->count[place_of(l, l->node[i])] == 1) number[i] = 0;
}

gr_status gri_number_tensors(gr_graph *g, const char *what, uint32_t n, const gri_node *const *node,
                             uint32_t *number)
{
    size_t places = 2;
    while (places < 2 * (size_t)n) places *= 2;
    const size_t bytes = 2 * places * sizeof(uint32_t);
    uint32_t *table = gri_alloc_zeroed(&g->memory, bytes);
    if (!table) return gri_fail_memory(g, what, bytes);
    const likes l = {node, table, table + places, (uint32_t)(places - 1)};
    number_likes(&l, n, number);
    gri_free(&g->memory, table, bytes);
    return GR_OK;
}

static gr_status number_tensors(const builder *b)
{
    gri_scalars *s = b->s;
    const size_t n = s->n_tensors, bytes = n * (sizeof(gri_node *) + sizeof(uint32_t));
    const gri_node **node = gri_alloc(memory_of(b), bytes);
    if (!node) return gri_fail_memory(b->g, b->what, bytes);
    uint32_t *number = (uint32_t *)(uintptr_t)(node + n);
    for (uint32_t i = 0; i < n; i++) node[i] = s->tensor[i].node;
    const gr_status status = gri_number_tensors(b->g, b->what, s->n_tensors, node, number);
    for (uint32_t i = 0; i < n && status == GR_OK; i++) s->tensor[i].number = number[i];
    gri_free(memory_of(b), node, bytes);
    return status;
}

/* ---- The list of tensors ---- */

static gr_status check_limit(const builder *b, bool counted, uint64_t elements)
{
    const gr_scalar_limits *l = &b->o->limits;
    const int64_t most = l->elements ? l->elements : DEFAULT_LIMIT_ELEMENTS;
    if (counted && (l->none || elements <= (uint64_t)most)) return GR_OK;
    char text[TEXT_BYTES];
    gri_describe(text, sizeof text, b->root, false);
    return gri_fail(b->g, GR_ERR_LIMIT,
                    "%s: %s was made of %s%" PRIu64 " numbers, the limit is %" PRId64
                    ": raise it, or look at whole tensors instead (gr_dot_write, gr_shares_create)",
                    b->what, text, counted ? "" : "more than ", elements,
                    counted ? most : (int64_t)UNNUMBERED);
}

/* Lists the tensors: operations in the order of their creation, leaves before their first use. */
static gr_status list_tensors(builder *b)
{
    gri_scalars *s = b->s;
    const size_t bytes = s->n_tensors * sizeof *s->tensor;
    s->tensor = gri_alloc(memory_of(b), bytes);
    if (!s->tensor) return gri_fail_memory(b->g, b->what, bytes);
    uint32_t n = 0;
    uint64_t elements = 0;
    bool counted = true;
    for (uint32_t i = 1; i < b->step_top && counted; i++) {
        const gri_node *node = b->step_id[i] ? b->g->step.slot[i].node : NULL;
        if (!node || !node->n_operands) continue;
        for (uint32_t k = 0; k < node->n_operands && counted; k++) {
            const gri_operand *use = &gri_operands(node)[k];
            counted = add_tensor(b, gri_lookup(b->g, use->index, use->generation), &n, &elements);
        }
        counted = counted && add_tensor(b, node, &n, &elements);
    }
    counted = counted && add_tensor(b, b->root, &n, &elements); /* a leaf */
    const gr_status status = check_limit(b, counted, elements);
    s->n_elements = (uint32_t)elements;
    return status == GR_OK ? number_tensors(b) : status;
}

static gr_status slice(builder *b)
{
    b->step_top = b->root->index & GRI_KEPT ? 1 : b->root->index + 1;
    b->kept_top = b->g->kept.top ? b->g->kept.top : 1;
    const size_t step_bytes = b->step_top * sizeof(uint32_t), kept_bytes = b->kept_top * sizeof(uint32_t);
    b->step_id = gri_alloc_zeroed(memory_of(b), step_bytes);
    b->kept_id = gri_alloc_zeroed(memory_of(b), kept_bytes);
    if (!b->step_id || !b->kept_id) return gri_fail_memory(b->g, b->what, step_bytes + kept_bytes);
    const gr_status status = mark(b);
    return status == GR_OK ? list_tensors(b) : status;
}

/* ---- Edges of elements ---- */

/* Room for one more edge, within the limit. */
static gr_status grow_edges(builder *b)
{
    if (!b->o->limits.none && (int64_t)b->n_edges >= b->most_edges)
        return gri_fail(b->g, GR_ERR_LIMIT,
                        "%s: more than %" PRId64 " partial derivatives: raise the limit, or look at whole "
                        "tensors instead (gr_dot_write, gr_shares_create)",
                        b->what, b->most_edges);
    if (b->n_edges < b->edge_capacity) return GR_OK;
    const size_t capacity = b->edge_capacity ? 2 * b->edge_capacity : FIRST_EDGES;
    gri_scalar_edge *grown = capacity < UNNUMBERED
                                 ? gri_grow(memory_of(b), b->edge, b->edge_capacity * sizeof *grown,
                                            capacity * sizeof *grown)
                                 : NULL;
    if (!grown) return gri_fail_memory(b->g, b->what, capacity * sizeof *grown);
    b->edge = grown;
    b->edge_capacity = capacity;
    return GR_OK;
}

/* The element of all that is element i of the operands of a node, one after the other; of its result behind. */
static uint32_t element_of(const builder *b, const gri_scalar_tensor *t, uint32_t i)
{
    for (uint32_t k = 0; k < t->node->n_operands; k++) {
        const gri_scalar_tensor *operand = &b->s->tensor[*id_of(b, gri_operands(t->node)[k].index) - 1];
        if (i < operand->node->array.count) return operand->first + i;
        i -= (uint32_t)operand->node->array.count;
    }
    return t->first + i;
}

static gr_status add_row(builder *b, const gri_scalar_tensor *t, uint32_t element, const gri_jacobian *j)
{
    const uint32_t from = t->first + element;
    raw *r = &b->raw[from];
    r->first_edge = (uint32_t)b->n_edges;
    for (uint32_t i = 0; i < j->n_row; i++) {
        const gri_partial *p = &j->row[i];
        const uint32_t to = element_of(b, t, p->element);
        b->raw[to].reached = true;
        if (j->is_copy && from != b->keep) {
            r->copy_of = to;
            return GR_OK;
        }
        const gr_status status = grow_edges(b);
        if (status != GR_OK) return status;
        b->edge[b->n_edges++] = (gri_scalar_edge){
            .from = from,
            .to = to,
            .partial = p->value,
            .factor = p->factor,
            .other = p->kind < GRI_SYMBOL_ELEMENT ? from : element_of(b, t, p->other),
            .x = to,
            .y = from,
            .kind = p->kind,
            .form = p->form,
        };
        r->n_edges++;
    }
    return GR_OK;
}

/* Edges of the reached elements of one tensor. */
static gr_status add_rows(builder *b, const gri_scalar_tensor *t)
{
    const uint32_t n = (uint32_t)t->node->array.count;
    uint32_t i = 0;
    while (i < n && !b->raw[t->first + i].reached) i++;
    if (i == n || !t->node->n_operands) return GR_OK;
    gri_jacobian j;
    gr_status status = gri_jacobian_begin(&j, b->g, b->what, t->node);
    for (; i < n && status == GR_OK; i++) {
        if (!b->raw[t->first + i].reached) continue;
        status = gri_jacobian_row(&j, i);
        if (status == GR_OK) status = add_row(b, t, i, &j);
    }
    gri_jacobian_end(&j);
    return status;
}

static gr_status unroll(builder *b, uint32_t root)
{
    gri_scalars *s = b->s;
    const size_t bytes = s->n_elements * sizeof *b->raw;
    b->raw = gri_alloc_zeroed(memory_of(b), bytes);
    b->stamp = gri_alloc(memory_of(b), s->n_elements * sizeof *b->stamp);
    if (!b->raw || !b->stamp) return gri_fail_memory(b->g, b->what, bytes);
    for (uint32_t i = 0; i < s->n_elements; i++) b->raw[i].copy_of = b->raw[i].shown = i;
    b->raw[root].reached = true;
    const gri_calm before = gri_calm_begin(b->g);
    gr_status status = GR_OK;
    for (uint32_t i = s->n_tensors; i-- > 0 && status == GR_OK;) status = add_rows(b, &s->tensor[i]);
    gri_calm_end(b->g, &before);
    return status;
}

/* ---- Names ---- */

int64_t gri_element_offset(const gr_array *a, int64_t i)
{
    int64_t offset = 0;
    for (int axis = a->ndim; axis-- > 0; i /= a->dims[axis]) offset += i % a->dims[axis] * a->strides[axis];
    return offset;
}

static size_t cut(const char *name, size_t length, size_t room)
{
    if (length < room) return length;
    for (length = room - 1; length > 0 && (name[length] & 0xC0) == 0x80;) length--;
    return length;
}

/* Word number `i` of a list; its length, 0 if there is none. */
static size_t word_of(const char *list, int64_t i, const char **word)
{
    for (;; i--) {
        list += strspn(list, " \t\n");
        const size_t length = strcspn(list, " \t\n");
        *word = list;
        if (i == 0 || length == 0) return length == 1 && *list == '-' ? 0 : length;
        list += length;
    }
}

/* By the user's lists, or his function. */
static size_t given_name(const gr_naming *names, gr_tensor t, int64_t element, char *to, size_t room)
{
    for (int k = 0; k < names->n_lists; k++) {
        const char *word;
        if (!gr_same(names->lists[k].tensor, t) || !names->lists[k].names) continue;
        const size_t length = cut(NULL, word_of(names->lists[k].names, element, &word), SIZE_MAX);
        if (length == 0) continue;
        const size_t fits = cut(word, length, room);
        memcpy(to, word, fits);
        to[fits] = '\0';
        return fits;
    }
    if (!names->namer) return 0;
    memset(to, 0, room);
    t.graph->walks++; /* what is being looked at stays as it is */
    const size_t length = names->namer(t, element, to, room, names->user);
    t.graph->walks--;
    to[room - 1] = '\0';
    const size_t fits = cut(to, length, room);
    to[fits] = '\0';
    return strlen(to);
}

/* Puts "[0,1]" behind a name, for an element of several. */
static void put_index(char *name, size_t length, const gr_array *a, int64_t element)
{
    if (a->count == 1) return;
    int64_t index[GR_MAX_NDIM];
    for (int axis = a->ndim; axis-- > 0; element /= a->dims[axis]) index[axis] = element % a->dims[axis];
    for (int axis = 0; axis < a->ndim && length < NAME_BYTES - 1; axis++)
        length += (size_t)snprintf(name + length, NAME_BYTES - length, "%c%" PRId64, axis ? ',' : '[',
                                   index[axis]);
    if (length < NAME_BYTES - 1) snprintf(name + length, NAME_BYTES - length, "]");
}

static const gri_scalar_tensor *tensor_of(const gri_scalars *s, uint32_t element)
{
    uint32_t low = 0, high = s->n_tensors; /* the last that begins at or before the element */
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (s->tensor[middle].first <= element)
            low = middle;
        else
            high = middle;
    }
    return &s->tensor[low];
}

void gri_name_tensor(const gri_node *node, uint32_t number, char *name, size_t room)
{
    if (node->name) {
        const size_t length = cut(node->name, strlen(node->name), room);
        memcpy(name, node->name, length);
        name[length] = '\0';
        if (number && length + 12 < room) snprintf(name + length, room - length, "#%" PRIu32, number);
        return;
    }
    const char *op = node->op ? node->op->name : "constant";
    const int most = (int)cut(op, strlen(op), room / 2);
    if (number)
        snprintf(name, room, "%.*s%" PRIu32, most, op, number);
    else
        snprintf(name, room, "%.*s", most, op);
}

/* Writes the name of element i of a tensor; whether it is the user's. */
static bool name_element_of(const gr_naming *names, const gri_scalar_tensor *t, int64_t i,
                            char name[NAME_BYTES])
{
    const gri_node *node = t->node;
    if (given_name(names, t->tensor, i, name, NAME_BYTES) > 0) return true;
    gri_name_tensor(node, t->number, name, NAME_BYTES / 2);
    const size_t length = strlen(name);
    put_index(name, length, &node->array, i);
    return node->name != NULL;
}

static bool name_element(const builder *b, uint32_t element, char name[NAME_BYTES])
{
    const gri_scalar_tensor *t = tensor_of(b->s, element);
    return name_element_of(&b->o->names, t, element - t->first, name);
}

gr_status gri_describe_element(gr_tensor t, uint32_t number, int64_t element, const gr_naming *names,
                               char *name, size_t room, double *value)
{
    char full[NAME_BYTES];
    const gri_node *node = gri_resolve(t, "paths");
    if (!node) return t.graph->status;
    const gri_scalar_tensor tensor = {.tensor = t, .node = node, .number = number};
    *value = gri_element(&node->array, gri_element_offset(&node->array, element));
    name_element_of(names, &tensor, element, full);
    snprintf(name, room, "%s", full);
    return t.graph->status;
}

gr_status gri_check_naming(gr_graph *g, const char *what, const gr_naming *names)
{
    if (names->n_lists < 0)
        return gri_fail(g, GR_ERR_ARGUMENT, "%s: %d lists of names", what, names->n_lists);
    if (names->n_lists > 0 && !names->lists)
        return gri_fail(g, GR_ERR_ARGUMENT, "%s: %d lists of names at NULL", what, names->n_lists);
    return GR_OK;
}

/* Follows copies to what they copy, and finds the element after which each is named: the first that has a name. */
static void merge(const builder *b)
{
    char name[NAME_BYTES];
    for (uint32_t i = 0; i < b->s->n_elements; i++) {
        raw *r = &b->raw[i];
        if (!r->reached) continue;
        r->copy_of = b->raw[r->copy_of].copy_of;
        raw *one = &b->raw[r->copy_of];
        if (one->named || !name_element(b, i, name)) continue;
        one->named = true;
        one->shown = i;
    }
    for (size_t k = 0; k < b->n_edges; k++) {
        gri_scalar_edge *e = &b->edge[k];
        e->to = b->raw[e->to].copy_of;
        e->other = b->raw[e->other].copy_of;
        e->x = b->raw[e->x].copy_of;
    }
}

/* ---- Named numbers only ---- */

/* The edge that is two edges one after the other. */
static gri_scalar_edge compose(const gri_scalar_edge *first, const gri_scalar_edge *second)
{
    const bool constant = first->kind == GRI_SYMBOL_CONSTANT, unchanged = constant && first->partial == 1;
    const gri_scalar_edge *symbol = constant ? second : first;
    const bool other_constant = (constant ? second : first)->kind == GRI_SYMBOL_CONSTANT;
    gri_scalar_edge e = *symbol;
    e.from = first->from;
    e.to = second->to;
    e.partial = gri_chain(first->partial, second->partial);
    const double factor = constant ? first->partial : second->partial;
    const bool by_constant = constant || second->kind == GRI_SYMBOL_CONSTANT;
    if (constant && other_constant) return e;
    if (!by_constant || (e.kind == GRI_SYMBOL_FORM && !unchanged && factor != 1)) e.kind = GRI_SYMBOL_NONE;
    if (e.kind == GRI_SYMBOL_ELEMENT) e.factor *= factor;
    return e;
}

/* Two edges of the same ends become one: what is known of both is known of their sum. */
static void join(gri_scalar_edge *to, const gri_scalar_edge *e)
{
    const bool constants = to->kind == GRI_SYMBOL_CONSTANT && e->kind == GRI_SYMBOL_CONSTANT;
    const bool multiples = to->kind == GRI_SYMBOL_ELEMENT && e->kind == GRI_SYMBOL_ELEMENT &&
                           to->other == e->other;
    to->partial += e->partial;
    if (multiples) to->factor += e->factor;
    if (!constants && !multiples)
        to->kind = GRI_SYMBOL_NONE;
    else if (multiples && to->factor == 0)
        to->kind = GRI_SYMBOL_CONSTANT;
}

/* Adds an edge of the node whose edges begin at `first`, or adds it to the one that has the same end. */
static gr_status add_or_sum(builder *b, size_t first, const gri_scalar_edge *e)
{
    const uint32_t at = b->stamp[e->to];
    gri_scalar_edge *same = at != UNNUMBERED && at >= first ? &b->edge[at] : NULL;
    if (same) {
        join(same, e);
        return GR_OK;
    }
    const gri_scalar_edge copy = *e; /* which may be one of those that are about to move */
    const gr_status status = grow_edges(b);
    if (status != GR_OK) return status;
    b->stamp[copy.to] = (uint32_t)b->n_edges;
    b->edge[b->n_edges++] = copy;
    return GR_OK;
}

/* Edges of one element, with those to elements that go replaced by what these lead to. */
static gr_status expand(builder *b, const gri_scalar_edge *before, uint32_t element)
{
    raw *r = &b->raw[element];
    const gri_scalar_edge *own = before + r->first_edge;
    const uint32_t n = r->n_edges;
    const size_t first = b->n_edges;
    gr_status status = GR_OK;
    for (uint32_t i = 0; i < n && status == GR_OK; i++) {
        const raw *to = &b->raw[own[i].to];
        if (!to->kept) r->composed = true;
        if (to->kept) status = add_or_sum(b, first, &own[i]);
        for (uint32_t k = 0; !to->kept && k < to->n_edges && status == GR_OK; k++) {
            const gri_scalar_edge e = compose(&own[i], &b->edge[to->first_edge + k]);
            status = add_or_sum(b, first, &e);
        }
    }
    r->first_edge = (uint32_t)first;
    r->n_edges = (uint32_t)(b->n_edges - first);
    return status;
}

/* A multiple of a constant that goes is a constant. */
static void settle_constants(const builder *b)
{
    for (size_t k = 0; k < b->n_edges; k++) {
        gri_scalar_edge *e = &b->edge[k];
        const raw *other = &b->raw[e->other];
        const bool leaf = tensor_of(b->s, e->other)->node->n_operands == 0;
        if (e->kind == GRI_SYMBOL_ELEMENT && leaf && !other->kept) e->kind = GRI_SYMBOL_CONSTANT;
    }
}

static gr_status keep_named(builder *b)
{
    settle_constants(b);
    gri_scalar_edge *before = b->edge;
    const size_t bytes = b->edge_capacity * sizeof *before;
    b->edge = NULL;
    b->n_edges = b->edge_capacity = 0;
    for (uint32_t i = 0; i < b->s->n_elements; i++) b->stamp[i] = UNNUMBERED;
    gr_status status = GR_OK;
    for (uint32_t i = 0; i < b->s->n_elements && status == GR_OK; i++)
        if (b->raw[i].reached && b->raw[i].copy_of == i) status = expand(b, before, i);
    gri_free(memory_of(b), before, bytes);
    return status;
}

/* ---- The result ---- */

/* Numbers what the root leads to. Elements that go have no number. */
static void number_nodes(const builder *b, uint32_t root)
{
    gri_scalars *s = b->s;
    for (uint32_t i = 0; i < s->n_elements; i++) s->of_element[i] = GRI_NO_SCALAR;
    s->of_element[root] = 0;
    for (uint32_t i = root + 1; i-- > 0;) {
        const raw *r = &b->raw[i];
        if (s->of_element[i] == GRI_NO_SCALAR) continue;
        s->n_nodes++;
        s->n_edges += r->n_edges;
        for (uint32_t k = 0; k < r->n_edges; k++) s->of_element[b->edge[r->first_edge + k].to] = 0;
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_elements; i++)
        if (s->of_element[i] != GRI_NO_SCALAR) s->of_element[i] = n++;
}

/* Behind the others; the place of a text moves, so nodes note where it is. */
static gr_status add_name(const builder *b, const char *name, size_t *used)
{
    gri_scalars *s = b->s;
    const size_t bytes = strlen(name) + 1;
    if (*used + bytes > s->name_bytes) {
        const size_t room = 2 * (s->name_bytes + NAME_BYTES);
        char *grown = gri_grow(&s->g->memory, s->names, s->name_bytes, room);
        if (!grown) return gri_fail_memory(s->g, s->what, room);
        s->names = grown;
        s->name_bytes = room;
    }
    memcpy(s->names + *used, name, bytes);
    *used += bytes;
    return GR_OK;
}

static double value_of(const gri_scalars *s, uint32_t element)
{
    const gri_scalar_tensor *t = tensor_of(s, element);
    return gri_element(&t->node->array, gri_element_offset(&t->node->array, element - t->first));
}

/* Whether an element that goes can be written as a sum of two that stay; makes it one. */
static bool make_sum(const builder *b, uint32_t element, uint32_t *to)
{
    gri_scalars *s = b->s;
    const raw *r = &b->raw[element];
    const gri_scalar_edge *e = b->edge + r->first_edge;
    double value = 0;
    if (r->n_edges != 2) return false;
    gri_scalar_sum *sum = &s->sum[s->n_sums];
    for (int k = 0; k < 2; k++) {
        const double sign = e[k].partial;
        if (e[k].kind != GRI_SYMBOL_CONSTANT || fabs(sign) != 1) return false;
        sum->term[k] = s->of_element[e[k].to];
        if (sum->term[k] == GRI_NO_SCALAR) return false;
        sum->minus[k] = sign < 0;
        value += sign * value_of(s, e[k].to);
    }
    if (value != value_of(s, element)) return false; /* there is more to it than the two */
    *to = s->n_nodes + s->n_sums++;
    return true;
}

/* An edge between the nodes of the result; its symbol goes if it speaks of what has gone. */
static gri_scalar_edge final_edge(const builder *b, const gri_scalar_edge *e)
{
    const gri_scalars *s = b->s;
    gri_scalar_edge f = *e;
    f.from = s->of_element[e->from];
    f.to = s->of_element[e->to];
    f.other = s->of_element[e->other];
    f.x = s->of_element[e->x];
    f.y = s->of_element[e->y];
    if (f.kind == GRI_SYMBOL_FORM) {
        if (f.x == GRI_NO_SCALAR || f.y == GRI_NO_SCALAR || f.other == GRI_NO_SCALAR)
            f.kind = GRI_SYMBOL_NONE;
    } else if (f.kind == GRI_SYMBOL_ELEMENT && f.other == GRI_NO_SCALAR) {
        if (!make_sum(b, e->other, &f.other)) f.kind = GRI_SYMBOL_NONE;
    }
    return f;
}

static gr_status fill_nodes(builder *b)
{
    gri_scalars *s = b->s;
    char name[NAME_BYTES];
    size_t used = 0;
    uint32_t n_edges = 0;
    for (uint32_t i = 0; i < s->n_elements; i++) {
        if (s->of_element[i] == GRI_NO_SCALAR) continue;
        const raw *r = &b->raw[i];
        const gri_scalar_tensor *own = tensor_of(s, i), *shown = tensor_of(s, r->shown);
        gri_scalar *node = &s->node[s->of_element[i]];
        *node = (gri_scalar){.tensor = (uint32_t)(shown - s->tensor),
                             .element = r->shown - shown->first,
                             .first_edge = n_edges,
                             .n_edges = r->n_edges,
                             .value = value_of(s, i),
                             .named = r->named,
                             .op = own->node->op,
                             .scope = gri_name_scope(own->node),
                             .leaf = own->node->n_operands == 0,
                             .param = own->node->flags & GRI_PARAM,
                             .composed = r->composed,
                             .single = own->node->array.type == GR_F32};
        for (uint32_t k = 0; k < r->n_edges; k++)
            s->edge[n_edges++] = final_edge(b, &b->edge[r->first_edge + k]);
        name_element(b, r->shown, name);
        b->stamp[s->of_element[i]] = (uint32_t)used;
        const gr_status status = add_name(b, name, &used);
        if (status != GR_OK) return status;
    }
    for (uint32_t i = 0; i < s->n_nodes; i++) s->node[i].name = s->names + b->stamp[i];
    return GR_OK;
}

static void sum_adjoints(const gri_scalars *s)
{
    s->node[s->root].adjoint = 1;
    for (uint32_t i = s->n_nodes; i-- > 0;) {
        const gri_scalar *node = &s->node[i];
        for (uint32_t k = 0; k < node->n_edges; k++) {
            const gri_scalar_edge *e = &s->edge[node->first_edge + k];
            s->node[e->to].adjoint += gri_chain(node->adjoint, e->partial);
        }
    }
}

static gr_status finish(builder *b, uint32_t root)
{
    gri_scalars *s = b->s;
    gri_memory *m = memory_of(b);
    s->of_element = gri_alloc(m, s->n_elements * sizeof *s->of_element);
    if (!s->of_element) return gri_fail_memory(b->g, b->what, s->n_elements * sizeof *s->of_element);
    root = b->raw[root].copy_of;
    number_nodes(b, root);
    s->node_capacity = s->n_nodes;
    s->edge_capacity = s->sum_capacity = s->n_edges;
    s->node = gri_alloc(m, s->node_capacity * sizeof *s->node);
    s->edge = gri_alloc(m, s->edge_capacity * sizeof *s->edge);
    s->sum = gri_alloc(m, s->sum_capacity * sizeof *s->sum);
    if (!s->node || !s->edge || !s->sum)
        return gri_fail_memory(b->g, b->what, s->edge_capacity * sizeof *s->edge);
    const gr_status status = fill_nodes(b);
    if (status != GR_OK) return status;
    s->root = s->of_element[root];
    sum_adjoints(s);
    for (uint32_t i = 0; i < s->n_elements; i++) /* copies are what they copy */
        if (b->raw[i].reached) s->of_element[i] = s->of_element[b->raw[i].copy_of];
    return gri_scalars_terms(s);
}

static void free_builder(builder *b)
{
    gri_memory *m = memory_of(b);
    gri_free(m, b->edge, b->edge_capacity * sizeof *b->edge);
    gri_free(m, b->raw, b->s->n_elements * sizeof *b->raw);
    gri_free(m, b->stamp, b->s->n_elements * sizeof *b->stamp);
    gri_free(m, b->step_id, b->step_top * sizeof *b->step_id);
    gri_free(m, b->kept_id, b->kept_top * sizeof *b->kept_id);
}

/* Position of an element of a tensor among all; GRI_NO_SCALAR if it is not in the slice. */
static uint32_t position_of(const builder *b, gr_tensor t, int64_t element)
{
    const bool kept = t.index & GRI_KEPT;
    const uint32_t i = t.index & ~GRI_KEPT;
    if (!t.graph || i >= (kept ? b->kept_top : b->step_top)) return GRI_NO_SCALAR;
    const uint32_t id = *id_of(b, t.index);
    return id ? b->s->tensor[id - 1].first + (uint32_t)element : GRI_NO_SCALAR;
}

static gr_status build(builder *b, int64_t element)
{
    gr_status status = slice(b);
    if (status != GR_OK) return status;
    const uint32_t root = position_of(b, gri_handle(b->g, b->root), element);
    const uint32_t keep = b->keep = position_of(b, b->o->keep, b->o->keep_element);
    status = unroll(b, root);
    if (status != GR_OK) return status;
    merge(b);
    for (uint32_t i = 0; i < b->s->n_elements; i++) b->raw[i].kept = b->raw[i].named;
    b->raw[b->raw[root].copy_of].kept = true;
    if (keep != GRI_NO_SCALAR) b->raw[b->raw[keep].copy_of].kept = true;
    if (b->o->only_named) status = keep_named(b);
    return status == GR_OK ? finish(b, root) : status;
}

gr_status gri_check_element(const char *what, gr_tensor t, int64_t element)
{
    gr_graph *g = t.graph;
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    const gri_node *node = gri_resolve(t, what);
    if (!node) return g->status;
    if (!gr_type_is_float(node->array.type))
        return gri_fail_about(g, GR_ERR_TYPE, node, "%s: only floats have derivatives", what);
    if (element < 0 || element >= node->array.count)
        return gri_fail_about(g, GR_ERR_INDEX, node, "%s: no element [%" PRId64 "]", what, element);
    return GR_OK;
}

gr_status gri_scalars_build(gri_scalars *s, const char *what, gr_tensor root, int64_t element,
                            const gri_scalars_options *options)
{
    gr_graph *g = root.graph;
    *s = (gri_scalars){.g = g, .what = what};
    gr_status status = gri_check_element(what, root, element);
    if (status == GR_OK) status = gri_check_no_walk(g, what);
    if (status != GR_OK) return status;
    builder b = {.s = s,
                 .o = options,
                 .g = g,
                 .what = what,
                 .root = gri_resolve(root, what),
                 .most_edges = options->limits.edges ? options->limits.edges : DEFAULT_LIMIT_EDGES};
    if (options->limits.elements < 0 || options->limits.edges < 0)
        return gri_fail(g, GR_ERR_ARGUMENT, "%s: a limit is negative", what);
    status = gri_check_naming(g, what, &options->names);
    if (status != GR_OK) return status;
    status = build(&b, element);
    if (status == GR_OK) status = g->status; /* of what gives names */
    free_builder(&b);
    if (status != GR_OK) gri_scalars_free(s);
    return status;
}

void gri_scalars_free(gri_scalars *s)
{
    gri_memory *m = &s->g->memory;
    gri_free(m, s->node, s->node_capacity * sizeof *s->node);
    gri_free(m, s->edge, s->edge_capacity * sizeof *s->edge);
    gri_free(m, s->sum, s->sum_capacity * sizeof *s->sum);
    gri_free(m, s->term, s->term_capacity * sizeof *s->term);
    gri_free(m, s->tensor, s->n_tensors * sizeof *s->tensor);
    gri_free(m, s->of_element, s->n_elements * sizeof *s->of_element);
    gri_free(m, s->names, s->name_bytes);
    *s = (gri_scalars){.g = s->g, .what = s->what};
}

uint32_t gri_scalars_find(const gri_scalars *s, gr_tensor t, int64_t element)
{
    for (uint32_t i = 0; i < s->n_tensors; i++)
        if (gr_same(s->tensor[i].tensor, t)) return s->of_element[s->tensor[i].first + (uint32_t)element];
    return GRI_NO_SCALAR;
}
