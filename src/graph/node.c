/*
 * Slots, nodes, buffers, the arena: see graph.h for how they fit together. Nothing here knows what an
 * operation means.
 */
#include "graph/record.h"
#include "ops/kernels/copy.h"

#include <string.h>

enum { NODE_ALIGN = 16, FIRST_SLOTS = 64, FIRST_CHUNK_BYTES = 1 << 14, LARGEST_CHUNK_BYTES = 1 << 20 };

/* ---- Buffers ---- */

gri_buffer *gri_buffer_create(gr_graph *g, size_t bytes)
{
    gri_buffer *buffer = gri_alloc(&g->memory, bytes + GRI_ALIGN);
    if (!buffer) return NULL;
    buffer->references = 1;
    buffer->bytes = bytes;
    return buffer;
}

void gri_buffer_release(gr_graph *g, gri_buffer *buffer)
{
    if (buffer && --buffer->references == 0) gri_free(&g->memory, buffer, buffer->bytes + GRI_ALIGN);
}

/* ---- Slots ---- */

/* Room for one more slot. */
bool gri_grow_slots(gr_graph *g, gri_slots *table)
{
    if (table->top < table->capacity) return true;
    const uint32_t capacity = table->capacity ? table->capacity * 2 : FIRST_SLOTS;
    if (capacity >= GRI_KEPT) return false;
    const size_t old_bytes = table->capacity * sizeof(gri_slot), bytes = capacity * sizeof(gri_slot);
    gri_slot *slot = gri_grow(&g->memory, table->slot, old_bytes, bytes);
    if (!slot) return false;
    memset((char *)slot + old_bytes, 0, bytes - old_bytes);
    table->slot = slot;
    table->capacity = capacity;
    if (table->top == 0) table->top = 1; /* index 0 means invalid */
    return true;
}

/* ---- The arena ---- */

/* Goes on to the next chunk, or makes one, that has room for a record. */
bool gri_arena_advance(gr_graph *g, size_t bytes)
{
    const size_t needed = bytes + GRI_ALIGN;
    gri_chunk **link = g->chunk ? &g->chunk->next : &g->first_chunk;
    if (*link && (*link)->bytes < needed) { /* too small for this record: it goes, with all behind it */
        gri_arena_trim(g);
    }
    if (!*link) {
        size_t size = g->chunk ? g->chunk->bytes * 2 : FIRST_CHUNK_BYTES;
        if (size > LARGEST_CHUNK_BYTES) size = LARGEST_CHUNK_BYTES;
        if (size < needed) size = needed;
        gri_chunk *chunk = gri_alloc(&g->memory, size);
        if (!chunk) return false;
        chunk->next = NULL;
        chunk->bytes = size;
        *link = chunk;
    }
    g->chunk = *link;
    g->offset = GRI_ALIGN;
    return true;
}

void gri_arena_trim(gr_graph *g)
{
    gri_chunk **link = g->chunk ? &g->chunk->next : &g->first_chunk;
    while (*link) {
        gri_chunk *chunk = *link;
        *link = chunk->next;
        gri_free(&g->memory, chunk, chunk->bytes);
    }
}

/* ---- Nodes ---- */

static const char *what_of(const gri_recipe *r) { return r->op ? r->op->name : "tensor"; }

gri_buffer *gri_make_elements(gr_graph *g, const gri_recipe *r)
{
    const size_t bytes = (size_t)r->count * gri_element_bytes(r->type);
    gri_buffer *fresh = gri_buffer_create(g, bytes);
    if (!fresh) gri_fail_memory(g, what_of(r), bytes);
    return fresh;
}

void gri_push_failed(gr_graph *g, const gri_recipe *r, gri_buffer *fresh, size_t bytes)
{
    gri_buffer_release(g, fresh);
    gri_fail_memory(g, what_of(r), bytes);
}

gri_node *gri_push(gr_graph *g, const gri_recipe *r) { return gri_push_record(g, r); }

gri_node *gri_keep_new(gr_graph *g, const gri_recipe *r)
{
    const gri_record_size s = gri_measure(r);
    gri_slots *table = &g->kept;
    gri_buffer *fresh = NULL;
    if (s.in_buffer && !(fresh = gri_make_elements(g, r))) return NULL;
    void *record = gri_alloc(&g->memory, s.total);
    if (!record || (!table->first_free && !gri_grow_slots(g, table))) {
        gri_free(&g->memory, record, s.total);
        gri_push_failed(g, r, fresh, s.total);
        return NULL;
    }
    uint32_t i = table->first_free;
    if (i)
        table->first_free = table->slot[i].next_free;
    else
        i = table->top++;
    gri_node *node = gri_fill_record(record, r, &s, fresh);
    node->flags |= (uint32_t)g->naming.scope << GRI_NAME_SCOPE_SHIFT;
    node->index = i | GRI_KEPT;
    table->slot[i].node = node;
    node->generation = ++table->slot[i].generation;
    return node;
}

/* A recipe for a leaf that shares the elements of `node`. */
static gri_recipe value_recipe(const gri_node *node)
{
    return (gri_recipe){.type = node->array.type,
                        .ndim = node->array.ndim,
                        .dims = node->array.dims,
                        .strides = node->buffer ? node->array.strides : NULL,
                        .count = node->array.count,
                        .buffer = node->buffer,
                        .data = node->array.data};
}

static gri_node *with_value(gri_node *copy, const gri_node *node)
{
    if (copy && !node->buffer)
        memcpy(copy->array.data, node->array.data,
               (size_t)node->array.count * gri_element_bytes(node->array.type));
    return copy;
}

gri_node *gri_keep_value(gr_graph *g, const gri_node *node)
{
    const gri_recipe r = value_recipe(node);
    return with_value(gri_keep_new(g, &r), node);
}

gri_node *gri_push_value(gr_graph *g, const gri_node *node)
{
    const gri_recipe r = value_recipe(node);
    return with_value(gri_push(g, &r), node);
}

gr_status gri_set_name(gr_graph *g, gri_node *node, const char *name)
{
    char *copy = NULL;
    if (name && *name) {
        const size_t bytes = strlen(name) + 1;
        copy = gri_alloc(&g->memory, bytes);
        if (!copy) return gri_fail_memory(g, "name", bytes);
        memcpy(copy, name, bytes);
    }
    if (node->name) gri_free(&g->memory, node->name, strlen(node->name) + 1);
    node->name = copy;
    gri_note_owner(g, node);
    return GR_OK;
}

/* What a node owns outside its record. */
static inline void release_belongings(gr_graph *g, gri_node *node)
{
    if (node->buffer) gri_buffer_release(g, node->buffer);
    if (node->gradient) gri_drop_gradient(g, node);
    if (node->flags & GRI_HOOKED) gri_drop_hooks(g, node);
    if (node->name) gri_set_name(g, node, NULL);
}

void gri_kept_release(gr_graph *g, gri_node *node)
{
    const gri_recipe r = {.type = node->array.type,
                          .ndim = node->array.ndim,
                          .count = node->array.count,
                          .buffer = node->buffer};
    const gri_record_size s = gri_measure(&r);
    const uint32_t i = node->index & ~GRI_KEPT;
    release_belongings(g, node);
    g->kept.slot[i].node = NULL;
    g->kept.slot[i].generation++;
    g->kept.slot[i].next_free = g->kept.first_free;
    g->kept.first_free = i;
    gri_free(&g->memory, node, s.total);
}

gr_status gri_make_writable(gr_graph *g, gri_node *node, bool keep)
{
    const bool contiguous = node->flags & GRI_CONTIGUOUS;
    if (contiguous && (!node->buffer || node->buffer->references == 1)) return GR_OK;
    const size_t bytes = (size_t)node->array.count * gri_element_bytes(node->array.type);
    gri_buffer *own = gri_buffer_create(g, bytes);
    if (!own) return gri_fail_memory(g, "write", bytes);
    if (keep) gri_copy_array(gri_buffer_data(own), &node->array);
    gri_buffer_release(g, node->buffer);
    node->buffer = own;
    node->array.data = gri_buffer_data(own);
    gri_row_major(node->array.ndim, node->array.dims, (int64_t *)node->array.strides);
    node->flags |= GRI_CONTIGUOUS;
    return GR_OK;
}

/* ---- Popping ---- */

void gri_pop(gr_graph *g, gri_mark mark)
{
    const uint32_t bottom = mark.top ? mark.top : 1;
    for (uint32_t i = g->step.top; i-- > bottom;) {
        const gri_slot *slot = &g->step.slot[i];
        if (slot->owns && slot->node) release_belongings(g, slot->node);
    }
    if (g->step.top > bottom) g->step.top = bottom;
    g->chunk = mark.chunk;
    g->offset = mark.offset;
}

/* Marks i if it lies in the scope. needed[i - bottom] is one byte per slot. */
static void need(uint8_t *needed, uint32_t bottom, uint32_t index)
{
    if (!(index & GRI_KEPT) && index >= bottom) needed[index - bottom] = 1;
}

gr_status gri_pop_keeping(gr_graph *g, gri_mark mark, int n, const gr_tensor *survivors)
{
    const uint32_t bottom = mark.top ? mark.top : 1, top = g->step.top;
    const size_t bytes = top > bottom ? top - bottom : 1;
    uint8_t *needed = gri_alloc_zeroed(&g->memory, bytes);
    if (!needed) return gri_fail_memory(g, "scope_end", bytes);
    for (int i = 0; i < n; i++) {
        const gr_tensor t = survivors[i]; /* those that are gone, or another graph's, name nothing here */
        if (t.graph == g && gri_lookup(g, t.index, t.generation)) need(needed, bottom, t.index);
    }
    uint32_t last = 0;
    for (uint32_t i = top; i-- > bottom;) {
        gri_node *node = g->step.slot[i].node;
        if (!node) continue;
        if (!needed[i - bottom]) {
            release_belongings(g, node);
            g->step.slot[i].node = NULL;
            continue;
        }
        if (last == 0) last = i;
        for (uint32_t k = 0; k < node->n_operands; k++) need(needed, bottom, gri_operands(node)[k].index);
    }
    gri_free(&g->memory, needed, bytes);
    if (last == 0)
        gri_pop(g, mark);
    else
        g->step.top = last + 1;
    return GR_OK;
}

void *gri_own(gr_graph *g, const char *what, size_t bytes)
{
    gri_owned *block = gri_alloc(&g->memory, bytes + GRI_ALIGN);
    if (!block) {
        gri_fail_memory(g, what, bytes);
        return NULL;
    }
    block->bytes = bytes + GRI_ALIGN;
    block->end = NULL;
    block->next = g->owned;
    g->owned = block;
    return (char *)block + GRI_ALIGN;
}

static gri_owned *owned_of(void *block) { return (gri_owned *)(void *)((char *)block - GRI_ALIGN); }

void gri_own_end(void *block, void (*end)(gr_graph *g, void *block)) { owned_of(block)->end = end; }

void gri_disown(gr_graph *g, void *block)
{
    gri_owned *owned = owned_of(block), **at = &g->owned;
    while (*at != owned) at = &(*at)->next;
    *at = owned->next;
    if (owned->end) owned->end(g, block);
    gri_free(&g->memory, owned, owned->bytes);
}
