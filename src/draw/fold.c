/*
 * Repeated scopes. Of neighbours in one scope that hold the same operations on the same types and shapes, wired
 * alike, the first is drawn, and stands for the others: each of their items gets its like there as a twin.
 *
 * Scopes are neighbours if no other operation was made between them. It is done for outer scopes first, and
 * within the one that stands for its likes for the scopes inside it.
 */
#include "draw/picture.h"

#include <string.h>

/* The like of an item, in the comparison under way: valid if the stamp is that of the comparison. */
typedef struct likeness {
    uint32_t to, to_stamp, from, from_stamp;
} likeness;

typedef struct folding {
    gri_picture *p;
    likeness *like; /* by item */
    uint32_t stamp;
    /* Operations in scopes of the depth at hand or deeper, and a GAP where others stand between them. */
    uint32_t *list;
    uint32_t n;
    /* Scopes of that depth or deeper; and by scope the one of that depth that it is in, 0: none. */
    uint16_t *scopes, *outer;
    uint32_t n_scopes;
    uint8_t *pieces; /* by frame: in how many pieces it was made, at most 2 */
} folding;

#define GAP UINT32_MAX

/* Operations made one after the other in one scope of the depth at hand. */
typedef struct piece {
    uint32_t first, n; /* in the list */
    uint32_t frame;    /* of that scope */
} piece;

static uint32_t outer_frame(const folding *f, const gri_item *item)
{
    const uint32_t outer = f->outer[item->scope];
    return outer ? 2 * outer + gri_frame_of(item) % 2 : 0;
}

/* The piece that begins at a place of the list; of none if that is a gap, or the end. */
static piece piece_at(const folding *f, uint32_t at)
{
    piece s = {.first = at};
    while (at + s.n < f->n && f->list[at + s.n] != GAP) {
        const uint32_t frame = outer_frame(f, &f->p->items[f->list[at + s.n]]);
        if (s.n > 0 && frame != s.frame) break;
        s.frame = frame;
        s.n++;
    }
    return s;
}

/* Goes down to a depth: what is not so deep leaves the lists. */
static void go_down(folding *f, uint32_t depth)
{
    const gri_picture *p = f->p;
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->n_scopes; i++) {
        const uint16_t s = f->scopes[i];
        const uint32_t own = p->frames[2 * s].depth;
        f->outer[s] = own < depth ? 0 : own == depth ? s : f->outer[gri_parent_scope(p, s)];
        if (own >= depth) f->scopes[n++] = s;
    }
    f->n_scopes = n;
    n = 0;
    for (uint32_t k = 0; k < f->n; k++) {
        const uint32_t i = f->list[k];
        if (i != GAP && p->items[i].twin != i) continue;
        const bool gap = i == GAP || !f->outer[p->items[i].scope];
        if (!gap || n == 0 || f->list[n - 1] != GAP) f->list[n++] = gap ? GAP : i;
    }
    f->n = n;
}

/* ---- Likeness ---- */

/* Whether two items can be each other's like, and nobody else's. */
static bool liken(folding *f, uint32_t x, uint32_t y)
{
    likeness *lx = &f->like[x], *ly = &f->like[y];
    if (lx->to_stamp == f->stamp) return lx->to == y;
    if (ly->from_stamp == f->stamp) return false;
    lx->to = y;
    ly->from = x;
    lx->to_stamp = ly->from_stamp = f->stamp;
    return true;
}

static bool is_local(const folding *f, const gri_item *item, uint32_t frame)
{
    return outer_frame(f, item) == frame;
}

/* The part of the path of an item's scope inside the frame. */
static const char *path_inside(const folding *f, const gri_item *item, uint32_t frame)
{
    const gr_graph *g = f->p->g;
    return gri_name_path(g, item->scope) + strlen(gri_name_path(g, (uint16_t)(frame / 2)));
}

static bool same_kind(const gri_node *x, const gri_node *y)
{
    return x->op == y->op && x->array.type == y->array.type && gri_same_dims(&x->array, &y->array) &&
           !((x->flags ^ y->flags) & (GRI_PARAM | GRI_REQUIRES_GRAD | GRI_RETAIN_GRAD));
}

/* Operand k of two likes. What is outside may be of any make: a first layer reads data, a second one the
   first. */
static bool alike_operands(folding *f, const piece *a, const piece *b, const gri_item *x, const gri_item *y,
                           uint32_t k)
{
    bool gone_x, gone_y;
    const gri_item *ox = gri_operand_item(f->p, x->node, k, &gone_x),
                   *oy = gri_operand_item(f->p, y->node, k, &gone_y);
    if (!ox || !oy) return !ox && !oy && gone_x == gone_y;
    const bool local = is_local(f, ox, a->frame);
    if (local != is_local(f, oy, b->frame)) return false;
    if (local && (!same_kind(ox->node, oy->node) ||
                  strcmp(path_inside(f, ox, a->frame), path_inside(f, oy, b->frame)) != 0))
        return false;
    return gri_same_dims(&ox->node->array, &oy->node->array) &&
           liken(f, (uint32_t)(ox - f->p->items), (uint32_t)(oy - f->p->items));
}

static bool alike(folding *f, const piece *a, const piece *b)
{
    f->stamp++;
    if (a->n != b->n) return false;
    for (uint32_t at = 0; at < a->n; at++) {
        const uint32_t i = f->list[a->first + at], j = f->list[b->first + at];
        const gri_item *x = &f->p->items[i], *y = &f->p->items[j];
        const uint32_t n = x->node->n_operands;
        if (!same_kind(x->node, y->node) || n != y->node->n_operands || !liken(f, i, j) ||
            strcmp(path_inside(f, x, a->frame), path_inside(f, y, b->frame)) != 0)
            return false;
        for (uint32_t k = 0; k < n; k++)
            if (!alike_operands(f, a, b, x, y, k)) return false;
    }
    return true;
}

/* ---- Folding ---- */

static void twin(folding *f, uint32_t j)
{
    gri_item *items = f->p->items;
    if (items[j].twin != j) return;
    const uint32_t i = f->like[j].from;
    items[j].twin = i;
    items[j].copy = f->p->n_copies;
    items[j].flags |= GRI_ITEM_FOLDED;
    items[i].flags |= GRI_ITEM_FOLDED;
    items[i].flags |= items[j].flags & (GRI_ITEM_MARKED | GRI_ITEM_ROOT);
}

/* Draws b as a, its like. */
static void fold(folding *f, const piece *a, const piece *b)
{
    gri_picture *p = f->p;
    p->copy_scope[++p->n_copies] = (uint16_t)(a->frame / 2);
    p->frames[a->frame].repeats++;
    p->frames[a->frame].last_scope = (uint16_t)(b->frame / 2);
    for (uint32_t at = 0; at < b->n; at++) {
        const uint32_t j = f->list[b->first + at];
        const gri_node *node = p->items[j].node;
        for (uint32_t k = 0; k < node->n_operands; k++) {
            const gri_item *operand = gri_operand_item(p, node, k, NULL);
            if (operand && is_local(f, operand, b->frame)) twin(f, (uint32_t)(operand - p->items));
        }
        twin(f, j);
    }
}

static bool are_neighbours(const folding *f, const piece *a, const piece *b)
{
    if (a->n == 0 || b->n == 0 || a->frame % 2 != b->frame % 2) return false;
    return gri_parent_scope(f->p, (uint16_t)(a->frame / 2)) ==
               gri_parent_scope(f->p, (uint16_t)(b->frame / 2)) &&
           f->pieces[a->frame] == 1 && f->pieces[b->frame] == 1;
}

static void fold_depth(folding *f, uint32_t depth)
{
    go_down(f, depth);
    for (uint32_t at = 0; at < f->n;) {
        const piece s = piece_at(f, at);
        if (s.n > 0 && f->pieces[s.frame] < 2) f->pieces[s.frame]++;
        at += s.n > 0 ? s.n : 1;
    }
    piece first = {.n = 0};
    for (uint32_t at = 0; at < f->n;) {
        const piece s = piece_at(f, at);
        if (are_neighbours(f, &first, &s) && alike(f, &first, &s))
            fold(f, &first, &s);
        else
            first = s; /* a gap is nobody's neighbour */
        at += s.n > 0 ? s.n : 1;
    }
}

static void begin_lists(folding *f)
{
    gri_picture *p = f->p;
    for (uint32_t s = 1; s < gri_n_scopes(p); s++)
        if (p->frames[2 * s].used || p->frames[2 * s + 1].used) f->scopes[f->n_scopes++] = (uint16_t)s;
    for (uint32_t i = 0; i < p->n_items; i++)
        if (gri_drawn_operands(p, p->items[i].node) > 0) f->list[f->n++] = i;
}

static bool allocate(folding *f)
{
    gri_picture *p = f->p;
    gri_memory *m = &p->g->memory;
    f->like = gri_alloc_zeroed(m, p->n_items * sizeof *f->like);
    f->list = gri_alloc(m, p->n_items * sizeof *f->list);
    f->scopes = gri_alloc(m, gri_n_scopes(p) * sizeof *f->scopes);
    f->outer = gri_alloc_zeroed(m, gri_n_scopes(p) * sizeof *f->outer);
    f->pieces = gri_alloc_zeroed(m, p->n_frames);
    p->copy_scope = gri_alloc(m, p->n_frames * sizeof *p->copy_scope);
    return f->like && f->list && f->scopes && f->outer && f->pieces && p->copy_scope;
}

static void release(folding *f)
{
    const gri_picture *p = f->p;
    gri_memory *m = &p->g->memory;
    gri_free(m, f->like, p->n_items * sizeof *f->like);
    gri_free(m, f->list, p->n_items * sizeof *f->list);
    gri_free(m, f->scopes, gri_n_scopes(p) * sizeof *f->scopes);
    gri_free(m, f->outer, gri_n_scopes(p) * sizeof *f->outer);
    gri_free(m, f->pieces, p->n_frames);
}

gr_status gri_dot_fold(gri_picture *p)
{
    folding f = {.p = p};
    gr_status status = GR_OK;
    if (allocate(&f)) {
        begin_lists(&f);
        for (uint32_t depth = 1; f.n_scopes > 0; depth++) fold_depth(&f, depth);
        for (uint32_t i = 0; i < p->n_items; i++) /* the like of a like */
            while (p->items[i].twin != p->items[p->items[i].twin].twin)
                p->items[i].twin = p->items[p->items[i].twin].twin;
    } else {
        status = gri_fail_memory(p->g, "dot", p->n_items * (sizeof *f.like + sizeof *f.list));
    }
    release(&f);
    return status;
}
