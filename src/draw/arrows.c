/*
 * The arrows of a drawing: one from each operand that is drawn, for each place that it takes. Those that begin
 * or end in a box, or lead into repeated scopes, are drawn once for each pair of nodes, with their number.
 */
#include "draw/picture.h"

enum {
    FLOWS = 1 << 0,   /* gradients flow back along it */
    CHANGED = 1 << 1, /* the operand was written since */
    MARKED = 1 << 2,
    REUSE = 1 << 3,    /* from forward to backward */
    MIRRORED = 1 << 4, /* drawn from right to left */
    ONWARD = 1 << 5    /* from one of repeated scopes to the next */
};

typedef struct arrow {
    uint32_t from, to; /* ids */
    uint32_t count;    /* stands for so many */
    uint32_t place;    /* of the operand, from 1, if it matters; else 0 */
    uint32_t looks;
} arrow;

typedef enum drawn_as { HIDDEN, ALONE, TOGETHER } drawn_as;

/* ---- One arrow ---- */

/* Begins an attribute list, or goes on with it. */
static void put_attribute(gri_picture *p, bool *any, const char *text)
{
    gri_put(p, *any ? ", " : " [");
    gri_put(p, text);
    *any = true;
}

static void put_line(gri_picture *p, const arrow *a, bool *any)
{
    if (!(a->looks & FLOWS)) put_attribute(p, any, "color=\"#999999\", penwidth=0.8");
    if (a->looks & ONWARD) {
        put_attribute(p, any, "style=dotted, constraint=false");
    } else if (a->looks & (CHANGED | REUSE)) {
        put_attribute(p, any, "style=dashed");
        if (a->looks & CHANGED) put_attribute(p, any, "label=\"changed since\"");
        if (a->looks & REUSE && a->looks & FLOWS) put_attribute(p, any, "color=\"#555555\", penwidth=1");
    }
    if (a->looks & MARKED) put_attribute(p, any, "color=\"#0072B2\", penwidth=3.5");
    if (a->looks & MIRRORED) put_attribute(p, any, "dir=back");
}

static void put_arrow(gri_picture *p, const arrow *a)
{
    const bool mirrored = a->looks & MIRRORED;
    bool any = false;
    gri_put(p, "  ");
    gri_put_id(p, mirrored ? a->to : a->from);
    gri_put(p, " -> ");
    gri_put_id(p, mirrored ? a->from : a->to);
    if (a->place) {
        put_attribute(p, &any, mirrored ? "taillabel=\"" : "headlabel=\"");
        gri_text_unsigned(&p->text, a->place);
        gri_put(p, "\"");
    }
    put_line(p, a, &any);
    if (a->count > 1) {
        put_attribute(p, &any, "label=\"");
        gri_text_symbol(&p->text, "×", "x");
        gri_text_unsigned(&p->text, a->count);
        gri_put(p, "\"");
    }
    gri_put(p, any ? "];\n" : ";\n");
}

/* What stands for an operand that is gone: a node of its own, named after its user and place. */
static void put_released_id(gri_picture *p, uint32_t user_id, uint32_t k)
{
    gri_put_id(p, user_id);
    gri_put(p, "_");
    gri_text_unsigned(&p->text, k + 1);
}

static void put_released(gri_picture *p, const gri_item *item, uint32_t k)
{
    const gri_node *node = item->node;
    gri_put(p, "  ");
    put_released_id(p, item->id, k);
    gri_put(p, " [label=\"released\", shape=ellipse, style=dotted];\n  ");
    put_released_id(p, item->id, k);
    gri_put(p, " -> ");
    gri_put_id(p, item->id);
    bool any = false;
    if (node->n_operands > 1 && !node->op->commutative) {
        put_attribute(p, &any, "headlabel=\"");
        gri_text_unsigned(&p->text, k + 1);
        gri_put(p, "\"");
    }
    put_attribute(p, &any, "color=\"#999999\", penwidth=0.8];\n");
}

/* ---- Which arrow ---- */

/* Whether an item, and the other end of its arrow, are drawn in the scope that its own one repeats. */
static bool stays_in(const gri_picture *p, const gri_item *item, const gri_item *other)
{
    if (item->copy == 0) return false;
    const uint16_t scope = p->copy_scope[item->copy];
    return gri_is_inside(p, gri_twin(p, item)->scope, scope) &&
           gri_is_inside(p, gri_twin(p, other)->scope, scope) &&
           gri_frame_of(item) % 2 == gri_frame_of(other) % 2;
}

static arrow arrow_of(const gri_picture *p, const gri_item *user, uint32_t k, const gri_item *operand)
{
    const gri_node *node = user->node;
    const uint16_t back = user->flags & operand->flags & GRI_ITEM_BACKWARD;
    arrow a = {gri_id_of(p, operand), gri_id_of(p, user), 1, 0, 0};
    if (node->n_operands > 1 && !node->op->commutative) a.place = k + 1;
    if (operand->node->flags & GRI_REQUIRES_GRAD) a.looks |= FLOWS;
    if (operand->node->version != gri_operands(node)[k].version) a.looks |= CHANGED;
    if (user->flags & operand->flags & GRI_ITEM_MARKED) a.looks |= MARKED;
    if (gri_is_reuse(user, operand)) a.looks |= REUSE;
    if (back && p->options.mode == GR_DOT_BOTH) a.looks |= MIRRORED;
    if (user->copy != operand->copy && (stays_in(p, user, operand) || stays_in(p, operand, user)))
        a.looks |= ONWARD;
    return a;
}

static drawn_as how(const gri_picture *p, const gri_item *user, const gri_item *operand, const arrow *a)
{
    if (!p->frames) return ALONE;
    if (user->copy != 0 && user->copy == operand->copy) return HIDDEN;
    const uint32_t to = gri_box_of(p, gri_twin(p, user)), from = gri_box_of(p, gri_twin(p, operand));
    if (to && to == from && !(a->looks & ONWARD)) return HIDDEN;
    if (to || from || user->copy != operand->copy) return TOGETHER;
    return (user->flags ^ operand->flags) & GRI_ITEM_FOLDED ? TOGETHER : ALONE;
}

/* ---- Arrows that are drawn together ---- */

/* Sorts by `from`, or by `to`, and keeps the order of equal ones. `start` has room for n_ids + 2. */
static void sort(const gri_picture *p, arrow *sorted, const arrow *arrows, uint32_t n, uint32_t *start,
                 bool by_from)
{
    for (uint32_t id = 0; id < p->n_ids + 2; id++) start[id] = 0;
    for (uint32_t i = 0; i < n; i++) start[(by_from ? arrows[i].from : arrows[i].to) + 1]++;
    for (uint32_t id = 1; id < p->n_ids + 2; id++) start[id] += start[id - 1];
    for (uint32_t i = 0; i < n; i++) sorted[start[by_from ? arrows[i].from : arrows[i].to]++] = arrows[i];
}

/* Arrows on to the next of repeated scopes are not joined with those inside one. */
static bool join(arrow *a, const arrow *b)
{
    if (a->from != b->from || a->to != b->to || (a->looks ^ b->looks) & ONWARD) return false;
    a->count += b->count;
    a->looks |= b->looks;
    return true;
}

static void put_together(gri_picture *p, arrow *arrows, arrow *scratch, uint32_t *start, uint32_t n)
{
    sort(p, scratch, arrows, n, start, true);
    sort(p, arrows, scratch, n, start, false);
    for (uint32_t i = 0; i < n;) {
        arrow whole = arrows[i++];
        whole.place = 0;
        while (i < n && join(&whole, &arrows[i])) i++;
        put_arrow(p, &whole);
    }
}

/* ---- All arrows ---- */

/* Writes those that stand alone (`alone`), puts the others into the list, if there is one; returns their
   number. */
static uint32_t each_arrow(gri_picture *p, bool alone, arrow *together)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n_items && !p->text.failed; i++) {
        const gri_item *user = &p->items[i];
        for (uint32_t k = 0; k < gri_drawn_operands(p, user->node); k++) {
            bool gone;
            const gri_item *operand = gri_operand_item(p, user->node, k, &gone);
            if (gone && alone && user->twin == i && !gri_box_of(p, user)) put_released(p, user, k);
            if (!operand) continue;
            const arrow a = arrow_of(p, user, k, operand);
            const drawn_as as = how(p, user, operand, &a);
            if (as == ALONE && alone) put_arrow(p, &a);
            if (as != TOGETHER) continue;
            if (together) together[n] = a;
            n++;
        }
    }
    return n;
}

gr_status gri_put_arrows(gri_picture *p)
{
    gri_memory *m = &p->g->memory;
    const uint32_t n = each_arrow(p, true, NULL);
    if (n == 0 || p->text.failed) return GR_OK;
    const size_t bytes = 2 * n * sizeof(arrow), start_bytes = (p->n_ids + 2) * sizeof(uint32_t);
    arrow *arrows = gri_alloc(m, bytes);
    uint32_t *start = arrows ? gri_alloc(m, start_bytes) : NULL;
    if (start) {
        each_arrow(p, false, arrows);
        put_together(p, arrows, arrows + n, start, n);
        gri_free(m, start, start_bytes);
    }
    gri_free(m, arrows, bytes);
    return start ? GR_OK : gri_fail_memory(p->g, "dot", bytes + start_bytes);
}
