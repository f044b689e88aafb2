/*
 * The inside of a walk down, reverse mode: for backward.c, which says how it goes, and for hvp.c, which has two of them go
 * down the same nodes side by side.
 */
#ifndef GRI_GRAPH_DESCENT_H
#define GRI_GRAPH_DESCENT_H

#include "graph/walk.h"

/* What a walk knows of a node: an adjoint of it is needed, and stays until the end; it has an operand that is needed, so
   that its rule runs. */
enum { GRI_NEEDED = 1, GRI_TARGET = 2, GRI_PASSED = 4 };

/* An adjoint that was there and is gone: a kept index that names nothing. */
#define GRI_SPENT GRI_KEPT

/* Spent adjoints without a buffer, all of one type and shape, for the next ones: most of a long chain have the same. */
enum { GRI_SPARES = 4 };
typedef struct gri_spares {
    gri_node *node[GRI_SPARES];
    int n;
} gri_spares;

/* What a walk, its segments and one beside it have in common. */
typedef struct gri_walk_common {
    gri_spares spares;
    bool tainted; /* anomaly mode: something that is not finite has come in, and may */
} gri_walk_common;

typedef struct walk {
    gr_graph *g;
    const char *what;                      /* the call, for messages */
    const struct walk *parent;             /* of a segment; NULL: a walk of its own */
    uint32_t first;                        /* see backward.c */
    uint32_t step_top, kept_top;           /* kept_top is 0 where no kept node matters, and in a segment */
    uint32_t *step_adjoint, *kept_adjoint; /* of step nodes from `first` on */
    uint8_t *step_need, *kept_need;        /* NULL: whatever requires a gradient is needed */
    uint32_t at;                           /* the step node that is being visited */
    uint32_t reached;                      /* the last step node that was visited */
    bool record, release;
    bool watched;                 /* anomaly mode: what arrives is judged */
    bool bare;                    /* what arrives is no gradient: no hooks are called */
    gri_walk_common own, *common; /* of a segment: that of its parent */
    gri_walk_state state;         /* while rules run */
} walk;

static inline gri_node *gri_node_at(const gr_graph *g, uint32_t index)
{
    return index & GRI_KEPT ? gri_kept_node(g, index) : g->step.slot[index].node;
}

/* ---- Nodes ---- */

/* The walk that has, or would have, the adjoint of a node. */
static inline const walk *gri_owner_of(const walk *w, uint32_t index)
{
    while (w->parent && (index & GRI_KEPT || index < w->first)) w = w->parent;
    return w;
}

/* Whether its owner has an adjoint for the node; if not, it does not matter, or was made since the walk began. */
static inline bool gri_is_in_range(const walk *owner, uint32_t index)
{
    return index & GRI_KEPT ? (index & ~GRI_KEPT) < owner->kept_top
                            : index >= owner->first && index < owner->step_top;
}

static inline uint32_t *gri_adjoint_of(const walk *w, uint32_t index)
{
    w = gri_owner_of(w, index);
    return index & GRI_KEPT ? &w->kept_adjoint[index & ~GRI_KEPT] : &w->step_adjoint[index - w->first];
}

static inline uint8_t *gri_need_of(const walk *owner, uint32_t index)
{
    return index & GRI_KEPT ? &owner->kept_need[index & ~GRI_KEPT] : &owner->step_need[index - owner->first];
}

static inline bool gri_is_needed(const walk *w, const gri_node *node)
{
    if (!(node->flags & GRI_REQUIRES_GRAD)) return false;
    if (!w->step_need) return true;
    w = gri_owner_of(w, node->index);
    return gri_is_in_range(w, node->index) && *gri_need_of(w, node->index) != 0;
}

/* ---- Adjoints ---- */

/* Whether it is as it was made: a rule can have set something on the cotangent that it was given. */
static inline bool gri_is_plain(const gri_node *node)
{
    return !node->buffer && !node->name && !node->gradient && (uint16_t)node->flags == GRI_CONTIGUOUS;
}

static inline bool gri_is_alike(const gr_array *a, const gr_array *b)
{
    return a->type == b->type && gri_same_dims(a, b);
}

static inline void gri_free_spares(const walk *w)
{
    gri_spares *s = &w->common->spares;
    while (s->n) gri_kept_release(w->g, s->node[--s->n]);
}

/* Frees an adjoint, or keeps it as a spare one. */
static inline void gri_discard(const walk *w, gri_node *node)
{
    gri_spares *s = &w->common->spares;
    if (!gri_is_plain(node) || s->n == GRI_SPARES) {
        gri_kept_release(w->g, node);
        return;
    }
    if (s->n && !gri_is_alike(&s->node[0]->array, &node->array)) gri_free_spares(w);
    node->generation = ++w->g->kept.slot[node->index & ~GRI_KEPT].generation; /* handles of it are stale */
    s->node[s->n++] = node;
}

/* A spare one if it has the type and shape of `a`; NULL otherwise. */
static inline gri_node *gri_take_spare(const walk *w, const gr_array *a)
{
    gri_spares *s = &w->common->spares;
    if (!s->n || !gri_is_alike(&s->node[0]->array, a)) return NULL;
    gri_node *node = s->node[--s->n];
    node->flags = GRI_CONTIGUOUS | (uint32_t)w->g->naming.scope << GRI_NAME_SCOPE_SHIFT;
    return node;
}

/* A kept tensor of the type and shape of `a`; NULL, and the error set, if memory runs out. Apart from the next, which is
   inline and seldom needs it. */
gri_node *gri_keep_like(gr_graph *g, const gr_array *a);
/* The same for an adjoint: a spare one if there is one. */
static inline gri_node *gri_new_part(const walk *w, const gr_array *a)
{
    gri_node *spare = gri_take_spare(w, a);
    return spare ? spare : gri_keep_like(w->g, a);
}

static inline void gri_drop(const walk *w, uint32_t *adjoint)
{
    if (*adjoint && *adjoint != GRI_SPENT && !w->record) gri_discard(w, gri_kept_node(w->g, *adjoint));
    *adjoint = 0;
}

/* Adds the value of `part` to an adjoint. */
gr_status gri_accumulate_part(const walk *w, uint32_t *adjoint, const gri_node *part);
/* The same with a part of gri_new_part, which goes, or becomes the adjoint. */
static inline gr_status gri_hand_over(const walk *w, uint32_t *adjoint, gri_node *part)
{
    if (!*adjoint) {
        *adjoint = part->index;
        return GR_OK;
    }
    const gr_status status = gri_accumulate_part(w, adjoint, part);
    gri_discard(w, part);
    return status;
}

/* ---- backward.c ---- */

/* The lowest step node that can lead from the inputs to anything, and whether kept nodes can; checks the inputs. */
gr_status gri_find_range(walk *w, int n, const gr_tensor *inputs);
/* The rest of a walk of which it is set what it is for. To be ended if it succeeds. */
gr_status gri_walk_begin(walk *w, bool targeted);
void gri_walk_end(walk *w);
/* Marks the inputs as targets, and what leads from them upwards. */
void gri_mark_needs(const walk *w, int n, const gr_tensor *inputs);
/* Hands the adjoint of a call on to those operands that need it; to operand i, if it needs it, of a primitive that has
   not vjp_all. */
gr_status gri_pass(const walk *w, gri_running_call *r, const gri_node *adjoint);
gr_status gri_pass_to(const walk *w, const gr_call *call, const gri_node *adjoint, int i);
/* What a rule returned for an operand, checked, and summed where broadcasting repeated; NULL, and the error set, if it
   does not fit. */
const gri_node *gri_fit(const walk *w, const gr_call *call, int i, gr_tensor part, const gri_node *operand);
/* The adjoints of the inputs, zeros where none has arrived. */
gr_status gri_collect(const walk *w, int n, const gr_tensor *inputs, gr_tensor *gradients);

#endif
