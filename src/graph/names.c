/*
 * Name scopes: labels for what is made. A path is stored once and has a number, which is all that a node carries.
 *
 * Invariants: a path, once made, stays, so a step that repeats itself takes no memory; each end undoes one begin,
 * failed or not.
 */
#include "graph/graph.h"

#include <string.h>

enum { FIRST_NAMES = 16, MOST_NAMES = UINT16_MAX };

/* FNV-1a (Fowler, Noll and Vo), begun with the parent. */
static uint32_t hash_of(uint16_t parent, const char *name)
{
    uint32_t h = UINT32_C(2166136261) ^ parent;
    for (; *name; name++) h = (h ^ (unsigned char)*name) * UINT32_C(16777619);
    return h ^ h >> 16;
}

static uint16_t *bucket_of(const gri_names *names, uint16_t parent, const char *name)
{
    return &names->bucket[hash_of(parent, name) & (names->capacity - 1)];
}

const char *gri_name_path(const gr_graph *g, uint16_t id) { return id ? g->names.entry[id].path : ""; }

void gri_free_names(gr_graph *g) /* the paths are the graph's, as gri_own gives them */
{
    gri_free(&g->memory, g->names.entry, g->names.capacity * sizeof *g->names.entry);
    gri_free(&g->memory, g->names.bucket, g->names.capacity * sizeof *g->names.bucket);
}

static void enter(gri_names *names, uint16_t id)
{
    gri_name *entry = &names->entry[id];
    uint16_t *bucket = bucket_of(names, entry->parent, entry->name);
    entry->next = *bucket;
    *bucket = id;
}

/* Room for one more path. */
static gr_status grow(gr_graph *g)
{
    gri_names *names = &g->names;
    if (names->top < names->capacity) return GR_OK;
    const uint32_t old = names->capacity, capacity = old ? 2 * old : FIRST_NAMES;
    const size_t bytes = capacity * sizeof(gri_name);
    uint16_t *bucket = gri_alloc_zeroed(&g->memory, capacity * sizeof *bucket);
    gri_name *entry = bucket ? gri_grow(&g->memory, names->entry, old * sizeof *entry, bytes) : NULL;
    if (!entry) {
        gri_free(&g->memory, bucket, capacity * sizeof *bucket);
        return gri_fail_memory(g, "name_scope_begin", bytes);
    }
    gri_free(&g->memory, names->bucket, old * sizeof *bucket);
    names->entry = entry;
    names->bucket = bucket;
    names->capacity = capacity;
    if (names->top == 0) names->top = 1; /* id 0 means none */
    for (uint32_t id = 1; id < names->top; id++) enter(names, (uint16_t)id);
    return GR_OK;
}

/* A new path; 0, and the error set, if there can be none. */
static uint16_t add(gr_graph *g, uint16_t parent, const char *name)
{
    gri_names *names = &g->names;
    if (names->top > MOST_NAMES) {
        gri_fail(g, GR_ERR_LIMIT, "name_scope_begin: no room for %s: the graph has %d name scopes already",
                 name, MOST_NAMES);
        return 0;
    }
    if (grow(g) != GR_OK) return 0;
    const char *above = gri_name_path(g, parent);
    const size_t head = parent ? strlen(above) + 1 : 0, tail = strlen(name) + 1;
    char *path = gri_own(g, "name_scope_begin", head + tail);
    if (!path) return 0;
    if (head) memcpy(path, above, head - 1);
    if (head) path[head - 1] = '/';
    memcpy(path + head, name, tail);
    const uint16_t id = (uint16_t)names->top++;
    names->entry[id] = (gri_name){path, path + head, parent, 0};
    enter(names, id);
    return id;
}

/* The path of a name inside another; made if it is new. */
static uint16_t intern(gr_graph *g, uint16_t parent, const char *name)
{
    const gri_names *names = &g->names;
    uint16_t id = names->capacity ? *bucket_of(names, parent, name) : 0;
    for (; id; id = names->entry[id].next)
        if (names->entry[id].parent == parent && strcmp(names->entry[id].name, name) == 0) return id;
    return add(g, parent, name);
}

gr_status gr_name_scope_begin(gr_graph *g, const char *name)
{
    if (!g) return GR_ERR_HANDLE;
    gri_naming *at = &g->naming;
    at->depth++;
    if (at->unlabelled) {
        at->unlabelled++;
        return g->status;
    }
    uint16_t id = 0;
    if (!name || !*name)
        gri_fail(g, GR_ERR_NAME, "name_scope_begin: a name scope needs a name");
    else
        id = intern(g, at->scope, name);
    if (id)
        at->scope = id;
    else
        at->unlabelled = 1;
    return id ? GR_OK : g->status;
}

gr_status gr_name_scope_end(gr_graph *g)
{
    if (!g) return GR_ERR_HANDLE;
    gri_naming *at = &g->naming;
    if (at->depth == 0) return gri_fail(g, GR_ERR_STATE, "name_scope_end: without a gr_name_scope_begin");
    at->depth--;
    if (at->unlabelled)
        at->unlabelled--;
    else if (at->scope) /* a rule can be in none although some are open */
        at->scope = g->names.entry[at->scope].parent;
    return GR_OK;
}

const char *gr_name_scope_of(gr_tensor t)
{
    const gri_node *node = gri_resolve(t, "name_scope_of");
    return node ? gri_name_path(t.graph, gri_name_scope(node)) : "";
}
