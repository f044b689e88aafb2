/*
 * Hooks on gradients: a table by the index of the tensor, so that a node carries but a flag. When hooks run is
 * decided in backward.c.
 *
 * Invariants: an entry in use names a living tensor, whose flag GRI_HOOKED is set; the entries of one tensor stand
 * in its bucket in the order in which they were added. Entries are used again: what adds and frees as many hooks in
 * each step takes no memory after the first.
 */
#include "graph/graph.h"

#include <string.h>

enum { FIRST_HOOKS = 16, TEXT_BYTES = 256 };

/* The bucket of a tensor: indices of neighbours differ in the low bits. */
static uint32_t *bucket_of(const gri_hooks *hooks, uint32_t node)
{
    return &hooks->bucket[(node ^ node >> 16) & (hooks->capacity - 1)];
}

/* Puts an entry at the end of its bucket. */
static void append(gri_hooks *hooks, uint32_t i)
{
    uint32_t *link = bucket_of(hooks, hooks->entry[i].node);
    while (*link) link = &hooks->entry[*link].next;
    hooks->entry[i].next = 0;
    *link = i;
}

/* Distributes the entries anew. Those of one tensor come from one bucket, so they keep their order. */
static void distribute(gri_hooks *hooks, const uint32_t *old, uint32_t n_old)
{
    for (uint32_t k = 0; k < n_old; k++)
        for (uint32_t i = old[k], next; i; i = next) {
            next = hooks->entry[i].next;
            append(hooks, i);
        }
}

/* Room for one more entry. */
static gr_status grow(gr_graph *g)
{
    gri_hooks *hooks = &g->hooks;
    if (hooks->first_free || hooks->top < hooks->capacity) return GR_OK;
    const uint32_t old = hooks->capacity, capacity = old ? 2 * old : FIRST_HOOKS;
    const size_t bytes = capacity * sizeof(gri_hook);
    if (capacity > UINT32_MAX / 4) return gri_fail_memory(g, "add_hook", bytes);
    uint32_t *bucket = gri_alloc_zeroed(&g->memory, capacity * sizeof *bucket);
    gri_hook *entry = bucket ? gri_grow(&g->memory, hooks->entry, old * sizeof *entry, bytes) : NULL;
    if (!entry) {
        gri_free(&g->memory, bucket, capacity * sizeof *bucket);
        return gri_fail_memory(g, "add_hook", bytes);
    }
    memset(entry + old, 0, (capacity - old) * sizeof *entry);
    uint32_t *old_bucket = hooks->bucket;
    hooks->entry = entry;
    hooks->bucket = bucket;
    hooks->capacity = capacity;
    if (hooks->top == 0) hooks->top = 1; /* index 0 means none */
    distribute(hooks, old_bucket, old);
    gri_free(&g->memory, old_bucket, old * sizeof *old_bucket);
    return GR_OK;
}

/* The first hook of a tensor that was added after `after` and not after `last`; NULL: none. */
static const gri_hook *next_hook(const gri_hooks *hooks, uint32_t node, uint64_t after, uint64_t last)
{
    for (uint32_t i = *bucket_of(hooks, node); i; i = hooks->entry[i].next) {
        const gri_hook *hook = &hooks->entry[i];
        if (hook->node == node && hook->order > after && hook->order <= last) return hook;
    }
    return NULL;
}

/* Frees the entry that a link of a bucket leads to. */
static void unlink_entry(gri_hooks *hooks, uint32_t *link)
{
    const uint32_t i = *link;
    gri_hook *hook = &hooks->entry[i];
    *link = hook->next;
    hook->node = 0;
    hook->generation++;
    hook->next = hooks->first_free;
    hooks->first_free = i;
}

void gri_drop_hooks(gr_graph *g, gri_node *node)
{
    uint32_t *link = bucket_of(&g->hooks, node->index);
    while (*link)
        if (g->hooks.entry[*link].node == node->index)
            unlink_entry(&g->hooks, link);
        else
            link = &g->hooks.entry[*link].next;
    node->flags &= ~(uint32_t)GRI_HOOKED;
}

void gri_free_hooks(gr_graph *g)
{
    gri_free(&g->memory, g->hooks.entry, g->hooks.capacity * sizeof *g->hooks.entry);
    gri_free(&g->memory, g->hooks.bucket, g->hooks.capacity * sizeof *g->hooks.bucket);
}

/* ---- Adding and removing ---- */

gr_hook gr_add_hook(gr_tensor t, gr_hook_function *f, void *user)
{
    gr_graph *g = t.graph;
    const gr_hook none = {g, 0, 0};
    gri_node *node = gri_resolve(t, "add_hook");
    if (!node) return none;
    if (!f) {
        gri_fail_about(g, GR_ERR_ARGUMENT, node, "add_hook: NULL for the function");
        return none;
    }
    if (!(node->flags & GRI_REQUIRES_GRAD)) {
        gri_fail_about(g, GR_ERR_NO_HISTORY, node,
                       "add_hook: it depends on nothing that requires a gradient");
        return none;
    }
    if (grow(g) != GR_OK) return none;
    gri_hooks *hooks = &g->hooks;
    uint32_t i = hooks->first_free;
    if (i)
        hooks->first_free = hooks->entry[i].next;
    else
        i = hooks->top++;
    gri_hook *hook = &hooks->entry[i];
    const uint32_t generation = hook->generation + 1;
    *hook = (gri_hook){f, user, ++hooks->added, node->index, generation, 0};
    append(hooks, i);
    node->flags |= GRI_HOOKED;
    gri_note_owner(g, node);
    return (gr_hook){g, i, generation};
}

gr_status gr_remove_hook(gr_hook hook)
{
    gr_graph *g = hook.graph;
    if (!g) return GR_ERR_HANDLE;
    if (hook.index == 0) return gri_fail(g, GR_ERR_HANDLE, "remove_hook: invalid handle");
    gri_hooks *hooks = &g->hooks;
    const bool is_there = hook.index < hooks->top && hooks->entry[hook.index].generation == hook.generation &&
                          hooks->entry[hook.index].node;
    if (!is_there)
        return gri_fail(g, GR_ERR_STALE, "remove_hook: it was removed before, or its tensor was freed");
    const uint32_t index = hooks->entry[hook.index].node;
    uint32_t *link = bucket_of(hooks, index);
    while (*link != hook.index) link = &hooks->entry[*link].next;
    unlink_entry(hooks, link);
    if (!next_hook(hooks, index, 0, UINT64_MAX)) {
        gri_node *node = index & GRI_KEPT ? gri_kept_node(g, index) : g->step.slot[index].node;
        node->flags &= ~(uint32_t)GRI_HOOKED;
    }
    return GR_OK;
}

/* ---- Running ---- */

/* Takes what a hook returned in place of the gradient. */
static gr_status replace(gr_graph *g, const char *what, const gri_node *of, gr_tensor *gradient,
                         gr_tensor given)
{
    if (!given.graph && given.index == 0) return GR_OK; /* it only looked */
    char text[TEXT_BYTES], returned[TEXT_BYTES];
    gri_describe(text, sizeof text, of, true);
    const gri_node *node = given.graph == g ? gri_lookup(g, given.index, given.generation) : NULL;
    if (!node)
        return gri_fail(g, GR_ERR_CALLBACK, "%s: a hook of %s returned no tensor of this graph", what, text);
    const bool same_type = node->array.type == of->array.type;
    if (!same_type || !gri_same_dims(&node->array, &of->array)) {
        gri_describe(returned, sizeof returned, node, true);
        return gri_fail(g, same_type ? GR_ERR_SHAPE : GR_ERR_TYPE, "%s: a hook of %s returned %s", what, text,
                        returned);
    }
    *gradient = given;
    return GR_OK;
}

gr_status gri_run_hooks(gr_graph *g, const char *what, const gri_node *node, gr_tensor *gradient)
{
    const gr_tensor of = gri_handle(g, node);
    const gri_tidy tidy = gri_tidy_here(g);
    const uint64_t last = g->hooks.added;
    const gri_hook *hook;
    for (uint64_t done = 0; (hook = next_hook(&g->hooks, node->index, done, last));) {
        done = hook->order; /* the entry may be gone after the call */
        const gr_tensor given = hook->f(*gradient, of, hook->user);
        if (!gri_is_tidy(g, &tidy)) {
            gri_tidy_up(g, &tidy);
            gri_fail_about(g, GR_ERR_STATE, node,
                           "%s: a hook opened a scope or a no_grad region and left it open", what);
        }
        if (g->status != GR_OK) return g->status;
        const gr_status status = replace(g, what, node, gradient, given);
        if (status != GR_OK) return status;
    }
    return GR_OK;
}
