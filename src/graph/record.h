/*
 * Making a node: its record is measured, its memory taken, its fields filled. Inline, because gr_apply makes
 * nearly every node, and then keeps what the recipe says in registers.
 */
#ifndef GRI_GRAPH_RECORD_H
#define GRI_GRAPH_RECORD_H

#include "graph/graph.h"

enum { GRI_NODE_ALIGN = 16 };

/* Offsets in a record, and its bytes. */
typedef struct gri_record_size {
    size_t shape, elements, total;
    bool in_buffer;
} gri_record_size;

/* Room for one more slot, where there is none; false if memory ran out. */
bool gri_grow_slots(gr_graph *g, gri_slots *table);
/* Goes on to the next chunk of the arena that has room for a record, or makes one; false: out of memory. */
bool gri_arena_advance(gr_graph *g, size_t bytes);
/* The buffer of a new node's elements; NULL, and the error set, if memory ran out. */
gri_buffer *gri_make_elements(gr_graph *g, const gri_recipe *r);
/* Gives the buffer back and sets the error. */
void gri_push_failed(gr_graph *g, const gri_recipe *r, gri_buffer *fresh, size_t bytes);

/* n and to are positive, `to` a power of two. */
static inline size_t gri_round_up(size_t n, size_t to) { return (n + to - 1) & ~(to - 1); }

static inline gri_record_size gri_measure(const gri_recipe *r)
{
    gri_record_size s;
    const size_t bytes = (size_t)r->count * gri_element_bytes(r->type);
    s.in_buffer = !r->buffer && (r->in_buffer || bytes > GRI_INLINE_BYTES);
    const size_t operands = gri_round_up(r->n_operands * sizeof(gri_operand), sizeof(int64_t));
    s.shape = sizeof(gri_node) + operands + gri_round_up(r->attribute_bytes, sizeof(int64_t));
    s.elements = gri_round_up(s.shape + 2 * sizeof(int64_t) * (size_t)r->ndim, GRI_NODE_ALIGN);
    s.total = s.elements + (r->buffer || s.in_buffer ? 0 : gri_round_up(bytes, GRI_NODE_ALIGN));
    return s;
}

/* Dims and strides; returns whether they are contiguous. */
static inline bool gri_fill_shape(int64_t *dims, int64_t *strides, const gri_recipe *r)
{
    for (int i = 0; i < r->ndim; i++) dims[i] = r->dims[i];
    if (!r->strides) {
        gri_row_major(r->ndim, dims, strides);
        return true;
    }
    for (int i = 0; i < r->ndim; i++) strides[i] = r->strides[i];
    return gri_is_contiguous(r->ndim, dims, strides);
}

/* Fills a record; index, generation and name scope are the caller's to set. Takes over `fresh`, the buffer of new
   elements, or NULL. */
static inline gri_node *gri_fill_record(void *record, const gri_recipe *r, const gri_record_size *s,
                                        gri_buffer *fresh)
{
    gri_node *node = record;
    char *base = record;
    int64_t *dims = (int64_t *)(void *)(base + s->shape), *strides = dims + r->ndim;
    const bool contiguous = r->ndim == 0 || gri_fill_shape(dims, strides, r);
    if (r->buffer) r->buffer->references++;
    node->array.data = r->buffer ? r->data : fresh ? gri_buffer_data(fresh) : base + s->elements;
    node->array.dims = dims;
    node->array.strides = strides;
    node->array.count = r->count;
    node->array.type = r->type;
    node->array.ndim = r->ndim;
    node->op = r->op;
    node->buffer = r->buffer ? r->buffer : fresh;
    node->name = NULL;
    node->n_operands = (uint32_t)r->n_operands;
    node->version = 0;
    node->flags = r->flags | (contiguous ? GRI_CONTIGUOUS : 0);
    node->gradient = 0;
    return node;
}

/* A new node on the step stack; elements not cleared. NULL, and the error set, if memory runs out. */
static inline gri_node *gri_push_record(gr_graph *g, const gri_recipe *r)
{
    const gri_record_size s = gri_measure(r);
    gri_buffer *fresh = NULL;
    if (s.in_buffer && !(fresh = gri_make_elements(g, r))) return NULL;
    if ((g->step.top >= g->step.capacity && !gri_grow_slots(g, &g->step)) ||
        ((!g->chunk || g->offset + s.total > g->chunk->bytes) && !gri_arena_advance(g, s.total))) {
        gri_push_failed(g, r, fresh, s.total);
        return NULL;
    }
    gri_node *node = gri_fill_record((char *)g->chunk + g->offset, r, &s, fresh);
    g->offset += s.total;
    node->flags |= (uint32_t)g->naming.scope << GRI_NAME_SCOPE_SHIFT;
    node->index = g->step.top++;
    gri_slot *slot = &g->step.slot[node->index];
    slot->node = node;
    slot->owns = node->buffer != NULL;
    node->generation = ++slot->generation;
    return node;
}

#endif
