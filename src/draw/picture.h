/*
 * A drawing of a graph while it is made: what the files behind gradus/dot.h share.
 *
 *   options.c  what was asked for, checked
 *   select.c   which tensors are drawn, in which order: modes, slices, highlighting
 *   scopes.c   where they are drawn: frames and boxes, fold.c repeated scopes
 *   neurons.c  the mode scalars, which draws elements instead of tensors
 *   label.c    what a node says, value.c how numbers are shown
 *   write.c    the text
 *   dot.c      all of these, one after the other; output.c where the text goes
 *
 * Invariants: items stand in topological order, operations in the order of their creation. What is decided
 * depends on the drawn graph and the options only, not on indices or on what else is in the graph. The graph
 * is not changed. Every text of others goes through gri_text_escaped.
 */
#ifndef GRI_DRAW_PICTURE_H
#define GRI_DRAW_PICTURE_H

#include "gradus/dot.h"
#include "graph/graph.h"
#include "base/text.h"

enum { GRI_NAME_CHARACTERS = 48, GRI_TITLE_CHARACTERS = 400 };

/* Of an item. */
enum {
    GRI_ITEM_ROOT = 1 << 0,     /* the root, or one of the gradients: double line */
    GRI_ITEM_BACKWARD = 1 << 1, /* what derivative rules built */
    GRI_ITEM_READ = 1 << 2,   /* with BACKWARD, of a backward graph alone: a forward tensor, drawn as input */
    GRI_ITEM_BEFORE = 1 << 3, /* scratch: leads to what was asked for, or is that */
    GRI_ITEM_AFTER = 1 << 4,  /* scratch: depends on what was asked for, or is that */
    GRI_ITEM_NEAR = 1 << 5,   /* scratch: within the distance */
    GRI_ITEM_CUT_IN = 1 << 6, /* an operand was cut away */
    GRI_ITEM_CUT_OUT = 1 << 7, /* something that uses it was cut away */
    GRI_ITEM_MARKED = 1 << 8,  /* highlighted */
    GRI_ITEM_FOLDED = 1 << 9,  /* stands, or is drawn as one that stands, for its likes in other scopes */
    GRI_ITEM_OUTPUT = 1 << 10  /* in a box, and used outside it or a root */
};

/* A tensor that is drawn, or that something else is drawn for. */
typedef struct gri_item {
    const gri_node *node;
    uint32_t id;    /* of its node in the text, counted from 1; those of a box share one. 0: none yet */
    uint32_t twin;  /* the item that it is drawn as: itself, or its like in the first of repeated scopes */
    uint32_t copy;  /* of what is drawn as another: number of the repetition. Else 0 */
    uint16_t scope; /* the name scope in whose frame it is */
    uint16_t flags;
} gri_item;

/* A name scope of one side, forward or backward: frame 2 * scope + side. Frames 0 and 1 are what is in no scope; 0
   means none elsewhere. */
typedef struct gri_frame {
    uint32_t box;         /* the frame that is drawn as a box around this one, or is this one; 0: none */
    uint32_t first, last; /* frames right inside it, in the order in which they are met; 0: none */
    uint32_t next;        /* its neighbour in the same frame; 0: none */
    uint32_t items;       /* 1 + the first item right inside it; 0: none */
    uint32_t repeats;     /* beside it so many scopes are drawn as this one */
    uint32_t id;          /* of the node of a box; 0: none yet */
    uint32_t outputs;     /* of a box: 1 + the first item in it that is used outside, or a root; 0: none */
    uint32_t n_operations;
    uint64_t param_elements;
    uint16_t flags;      /* of a box: what any of its items has */
    uint16_t last_scope; /* of those drawn as this one */
    uint16_t depth;
    bool has_params;
    bool used;  /* a tensor of it is in the drawing, */
    bool met;   /* and is drawn as itself */
    bool holds; /* so is one of a scope inside it */
} gri_frame;

/* What occurs, for the legend. */
enum {
    GRI_HAS_FRAMES = 1 << 0,
    GRI_HAS_BOXES = 1 << 1,
    GRI_HAS_REPEATS = 1 << 2,
    GRI_HAS_CUTS = 1 << 3,
    GRI_HAS_MARKS = 1 << 4,
    GRI_HAS_REUSE = 1 << 5,  /* arrows from forward to backward */
    GRI_HAS_FACTORS = 1 << 6 /* parameters at arrows */
};

typedef struct gri_picture {
    gr_graph *g;
    const gri_node *root;
    gr_dot_options options; /* defaults filled in */
    /* By index, for each of the two tables: 1 + the number of the item; 0: not drawn. */
    uint32_t *step_item, *kept_item;
    uint32_t step_top, kept_top;
    gri_item *items;
    uint32_t n_items, room; /* room: items that there is memory for */
    gri_frame *frames;      /* NULL: there are no scopes */
    uint32_t n_frames;
    uint32_t *next_item;  /* with frames: 1 + the next item right inside the same frame, or of the same
                             outputs; 0: none */
    uint16_t *copy_scope; /* with fold: by number of the repetition, the scope that it is drawn as */
    uint32_t n_copies;
    uint32_t n_ids; /* numbers given so far, */
    uint32_t n_drawn_frames;
    uint32_t has;
    struct gri_neurons *neurons; /* of the mode scalars, else NULL */
    gri_text text;
} gri_picture;

static inline void gri_put(gri_picture *p, const char *text) { gri_text_put(&p->text, text); }

static inline bool gri_is_forward(const gri_picture *p, const gri_node *node)
{
    const bool alone = p->options.mode == GR_DOT_FORWARD || p->options.mode == GR_DOT_SCALARS;
    if (alone || node->index & GRI_KEPT) return true;
    return !(p->root->index & GRI_KEPT) && node->index <= p->root->index;
}

/* The number of operands that arrows are drawn from. */
static inline uint32_t gri_drawn_operands(const gri_picture *p, const gri_node *node)
{
    return p->options.mode == GR_DOT_BACKWARD && gri_is_forward(p, node) ? 0 : node->n_operands;
}

static inline uint32_t *gri_item_number(const gri_picture *p, uint32_t index)
{
    return index & GRI_KEPT ? &p->kept_item[index & ~GRI_KEPT] : &p->step_item[index];
}

/* The item of operand k of a node; NULL if it is gone (*gone, which may be NULL) or not drawn. */
static inline gri_item *gri_operand_item(const gri_picture *p, const gri_node *node, uint32_t k, bool *gone)
{
    const gri_operand *o = &gri_operands(node)[k];
    const bool lost = !gri_lookup(p->g, o->index, o->generation);
    const uint32_t number = lost ? 0 : *gri_item_number(p, o->index);
    if (gone) *gone = lost;
    return number ? &p->items[number - 1] : NULL;
}

/* Whether a rule reads what the forward pass computed. */
static inline bool gri_is_reuse(const gri_item *user, const gri_item *operand)
{
    return user->flags & GRI_ITEM_BACKWARD &&
           (!(operand->flags & GRI_ITEM_BACKWARD) || operand->flags & GRI_ITEM_READ);
}

/* ---- options.c ---- */

/* Checks the options and fills in the defaults. */
gr_status gri_dot_options(gri_picture *p, const gr_dot_options *given);
/* The node of a handle of the options; NULL, and the error set, if there is none. `what` names the option. */
const gri_node *gri_dot_node(gri_picture *p, gr_tensor t, const char *what);

/* ---- select.c ---- */

/* Makes the items. On failure, too, what it allocated is for gri_dot_unselect to free. */
gr_status gri_dot_select(gri_picture *p);
void gri_dot_unselect(gri_picture *p);

/* ---- scopes.c, fold.c ---- */

/* Puts the items into frames. On failure, too, what it allocated is for gri_dot_unscope to free. */
gr_status gri_dot_scope(gri_picture *p);
void gri_dot_unscope(gri_picture *p);
/* The frames of items whose scopes are known. */
gr_status gri_dot_frames(gri_picture *p);
/* Finds scopes that repeat the one before them. */
gr_status gri_dot_fold(gri_picture *p);

static inline uint32_t gri_n_scopes(const gri_picture *p) { return p->n_frames / 2; }

static inline uint16_t gri_parent_scope(const gri_picture *p, uint16_t scope)
{
    return p->g->names.entry[scope].parent;
}

/* The frame of an item's scope, forward or backward. */
static inline uint32_t gri_frame_of(const gri_item *item)
{
    return 2 * (uint32_t)item->scope + (item->flags & GRI_ITEM_BACKWARD ? 1 : 0);
}

/* The frame that is drawn as a box around an item; 0: none. */
static inline uint32_t gri_box_of(const gri_picture *p, const gri_item *item)
{
    return p->frames ? p->frames[gri_frame_of(item)].box : 0;
}

/* Whether a scope is another, or inside it. A path is younger than what it is in. */
static inline bool gri_is_inside(const gri_picture *p, uint16_t scope, uint16_t outer)
{
    while (scope > outer) scope = gri_parent_scope(p, scope);
    return scope == outer;
}

/* ---- value.c ---- */

/* Values of a node: the only one; all. Those of a gradient have signs. */
void gri_put_element(gri_picture *p, const gri_node *node, bool gradient);
void gri_put_rows(gri_picture *p, const gri_node *node, bool gradient);
/* The norm of a gradient, and the extremes of values, where they are many. */
void gri_put_norm(gri_picture *p, const gri_node *node);
void gri_put_range(gri_picture *p, const gri_node *node);
/* "2×3", "[3]", or nothing for a scalar. */
void gri_put_shape(gri_picture *p, const gr_array *a);

/* ---- label.c ---- */

/* The label of a tensor, and of a frame that is drawn as a box. */
void gri_put_label(gri_picture *p, const gri_item *item);
void gri_put_box_label(gri_picture *p, uint32_t frame);
/* Title of a frame: its name, and how often it is repeated. `whole`: the path. */
void gri_put_frame_title(gri_picture *p, uint32_t frame, bool whole);
void gri_put_tooltip(gri_picture *p, const gri_node *node);

/* ---- neurons.c ---- */

/* Unrolls the graph of the root. On failure, too, what it allocated is for gri_dot_unneuron to free. */
gr_status gri_dot_neurons(gri_picture *p);
void gri_dot_unneuron(gri_picture *p);
void gri_put_neurons(gri_picture *p);
void gri_put_synapses(gri_picture *p);

/* ---- arrows.c, write.c ---- */

static inline const gri_item *gri_twin(const gri_picture *p, const gri_item *item)
{
    return &p->items[item->twin];
}

/* The number of the node of an item; all have been written. */
static inline uint32_t gri_id_of(const gri_picture *p, const gri_item *item)
{
    const gri_item *twin = gri_twin(p, item);
    const uint32_t box = gri_box_of(p, twin);
    return box ? p->frames[box].id : twin->id;
}

void gri_put_id(gri_picture *p, uint32_t id);
/* Attributes of the node of an item, up to the beginning of the tooltip. */
void gri_put_look(gri_picture *p, const gri_item *item);
gr_status gri_put_arrows(gri_picture *p);

/* The whole, through p->text. */
gr_status gri_dot_text(gri_picture *p);

#endif
