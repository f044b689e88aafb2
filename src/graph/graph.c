/*
 * The life of a graph: creation, reset, scopes, recording, memory figures, random state, destruction.
 */
#include "graph/graph.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SCOPES = 8 };

static bool choose_isa(gr_isa wanted, gri_isa *isa)
{
    switch (wanted) {
    case GR_ISA_AUTO:
        *isa = gri_isa_best();
        return true;
    case GR_ISA_PORTABLE:
        *isa = GRI_ISA_PORTABLE;
        return true;
    case GR_ISA_AVX2:
        *isa = GRI_ISA_AVX2;
        break;
    case GR_ISA_AVX512:
        *isa = GRI_ISA_AVX512;
        break;
    default:
        return false;
    }
    return gri_isa_available(*isa);
}

gr_graph *gr_graph_create(const gr_graph_options *options)
{
    const gr_graph_options o = options ? *options : (gr_graph_options){0};
    gri_isa isa;
    if (o.threads < 0 || !choose_isa(o.isa, &isa) || !o.allocator.allocate != !o.allocator.deallocate)
        return NULL;
    gri_memory memory;
    gri_memory_init(&memory, &o.allocator, o.byte_limit);
    gr_graph *g = gri_alloc_zeroed(&memory, sizeof *g);
    if (!g) return NULL;
    g->memory = memory;
    g->isa = isa;
    g->recording = true;
    g->rng.seed = o.seed;
    g->n_threads = o.threads > 1 ? o.threads : 1;
    if (g->n_threads > 1) {
        g->threads = gri_threads_create(&g->memory, g->n_threads);
        if (!g->threads) {
            gr_graph_destroy(g);
            return NULL;
        }
    }
    return g;
}

void gr_graph_destroy(gr_graph *g)
{
    if (!g) return;
    if (g->threads) gri_threads_destroy(g->threads);
    gri_pop(g, (gri_mark){0});
    gri_arena_trim(g);
    /* Gradients first: they are kept nodes, too, and go with their owners. */
    for (uint32_t i = 1; i < g->kept.top; i++)
        if (g->kept.slot[i].node) gri_drop_gradient(g, g->kept.slot[i].node);
    for (uint32_t i = 1; i < g->kept.top; i++)
        if (g->kept.slot[i].node) gri_kept_release(g, g->kept.slot[i].node);
    while (g->owned) gri_disown(g, (char *)g->owned + GRI_ALIGN);
    gri_free_hooks(g);
    gri_free_names(g);
    gri_free(&g->memory, g->step.slot, g->step.capacity * sizeof(gri_slot));
    gri_free(&g->memory, g->kept.slot, g->kept.capacity * sizeof(gri_slot));
    gri_free(&g->memory, g->scopes, g->scope_capacity * sizeof *g->scopes);
    gri_free(&g->memory, g->params, g->param_capacity * sizeof *g->params);
    gri_memory memory = g->memory; /* the graph itself is one of its blocks */
    gri_free(&memory, g, sizeof *g);
    gri_memory_trim(&memory);
}

/* ---- Lifetimes ---- */

gr_status gri_check_no_walk(gr_graph *g, const char *what)
{
    return g->walks == 0 ? GR_OK
                         : gri_fail(g, GR_ERR_STATE,
                                    "%s: called by a rule while a walk is under way, or by a hook", what);
}

void gri_tidy_up(gr_graph *g, const gri_tidy *before)
{
    g->n_scopes = before->n_scopes;
    g->naming = before->naming;
    g->no_grad_depth = before->no_grad_depth;
    g->recording = before->recording;
}

gr_tensor gri_call_function(gr_graph *g, gr_function f, int n, const gr_tensor *inputs, void *user,
                            bool *tidy)
{
    const gri_tidy before = gri_tidy_here(g);
    const uint32_t guarded = g->guarded_scopes;
    g->guarded_scopes = g->n_scopes;
    const gr_tensor y = f(g, n, inputs, user);
    g->guarded_scopes = guarded;
    *tidy = gri_is_tidy(g, &before);
    if (!*tidy) gri_tidy_up(g, &before);
    return y;
}

gr_status gr_graph_reset(gr_graph *g)
{
    if (!g) return GR_ERR_HANDLE;
    if (g->n_scopes)
        return gri_fail(g, GR_ERR_STATE, "graph_reset: %u scopes are open; gr_scope_end frees their tensors",
                        g->n_scopes);
    const gr_status status = gri_check_no_walk(g, "reset");
    if (status != GR_OK) return status;
    gri_pop(g, (gri_mark){0});
    return GR_OK;
}

gr_scope gr_scope_begin(gr_graph *g)
{
    const gr_scope none = {g, 0, 0};
    if (!g) return none;
    if (g->n_scopes == g->scope_capacity) {
        const uint32_t capacity = g->scope_capacity ? 2 * g->scope_capacity : FIRST_SCOPES;
        gri_open_scope *scopes = gri_grow(&g->memory, g->scopes, g->scope_capacity * sizeof *scopes,
                                          capacity * sizeof *scopes);
        if (!scopes) {
            gri_fail_memory(g, "scope_begin", capacity * sizeof *scopes);
            return none;
        }
        g->scopes = scopes;
        g->scope_capacity = capacity;
    }
    if (++g->next_scope_id == 0) g->next_scope_id = 1;
    g->scopes[g->n_scopes] = (gri_open_scope){gri_mark_here(g), g->next_scope_id};
    g->n_scopes++;
    return (gr_scope){g, g->n_scopes, g->next_scope_id};
}

/* Reports survivors that cannot survive; the others still must. One that failed to be made has its error. */
static gr_status check_survivors(gr_graph *g, int n, const gr_tensor *survivors)
{
    gr_status status = GR_OK;
    for (int i = 0; i < n; i++) {
        const gr_tensor t = survivors[i];
        if (t.graph == g && t.index == 0 && g->status != GR_OK) continue;
        if (t.index == 0 || !t.graph)
            status = gri_fail(g, GR_ERR_HANDLE, "scope_end: survivors[%d] is an invalid handle", i);
        else if (t.graph != g)
            status = gri_fail(g, GR_ERR_GRAPH, "scope_end: survivors[%d] belongs to another graph", i);
        else if (!gri_resolve(t, "scope_end"))
            status = g->status;
    }
    return status == GR_OK ? GR_OK : g->status;
}

gr_status gr_scope_end(gr_scope scope, int n, const gr_tensor *survivors)
{
    gr_graph *g = scope.graph;
    if (!g) return GR_ERR_HANDLE;
    if (scope.depth == 0 && scope.id == 0 && g->status != GR_OK) return g->status; /* its begin failed */
    if (scope.depth == 0 || scope.depth > g->n_scopes || g->scopes[scope.depth - 1].id != scope.id)
        return gri_fail(g, GR_ERR_STATE, "scope_end: this scope is not open");
    if (scope.depth <= g->guarded_scopes)
        return gri_fail(g, GR_ERR_STATE,
                        "scope_end: this scope was opened before the walk or check that is under way");
    if (n < 0 || (n > 0 && !survivors))
        return gri_fail(g, GR_ERR_ARGUMENT, "scope_end: %d survivors at NULL", n);
    gr_status status = check_survivors(g, n, survivors);
    const gri_mark mark = g->scopes[scope.depth - 1].mark;
    if (n == 0) {
        gri_pop(g, mark);
    } else {
        const gr_status popped = gri_pop_keeping(g, mark, n, survivors);
        if (popped != GR_OK) status = popped; /* nothing was freed; the enclosing scope will do it */
    }
    g->n_scopes = scope.depth - 1;
    return status;
}

void gr_no_grad_begin(gr_graph *g)
{
    if (!g) return;
    g->no_grad_depth++;
    g->recording = false;
}

void gr_no_grad_end(gr_graph *g)
{
    if (!g) return;
    if (g->no_grad_depth == 0) {
        gri_fail(g, GR_ERR_STATE, "no_grad_end: without a gr_no_grad_begin");
        return;
    }
    g->recording = --g->no_grad_depth == 0;
}

bool gr_is_recording(const gr_graph *g) { return g && g->recording; }

/* ---- Memory ---- */

gr_memory_info gr_graph_memory(const gr_graph *g)
{
    if (!g) return (gr_memory_info){0};
    const gri_memory *m = &g->memory;
    return (gr_memory_info){
        m->used,       m->used_peak, m->reserved, m->reserved_peak, m->limit == SIZE_MAX ? 0 : m->limit,
        m->allocations};
}

void gr_graph_reset_memory_peak(gr_graph *g)
{
    if (!g) return;
    g->memory.used_peak = g->memory.used;
    g->memory.reserved_peak = g->memory.reserved;
}

void gr_graph_trim(gr_graph *g)
{
    if (!g) return;
    gri_arena_trim(g);
    gri_memory_trim(&g->memory);
}

void *gr_graph_alloc(gr_graph *g, size_t bytes)
{
    if (!g) return NULL;
    if (bytes > SIZE_MAX / 2) {
        gri_fail(g, GR_ERR_OVERFLOW, "graph_alloc: %zu bytes", bytes);
        return NULL;
    }
    void *block = gri_own(g, "graph_alloc", bytes);
    if (block) memset(block, 0, bytes);
    return block;
}

/* ---- Random state and machine ---- */

void gr_seed(gr_graph *g, uint64_t seed)
{
    if (g) g->rng = (gr_rng_state){seed, 0};
}

gr_rng_state gr_rng_get(const gr_graph *g) { return g ? g->rng : (gr_rng_state){0}; }

void gr_rng_set(gr_graph *g, gr_rng_state state)
{
    if (g) g->rng = state;
}

int gr_graph_threads(const gr_graph *g) { return g ? g->n_threads : 0; }
const char *gr_graph_isa(const gr_graph *g) { return g ? gri_isa_name(g->isa) : ""; }
int gr_processor_count(void) { return gri_processors(); }
