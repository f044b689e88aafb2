/*
 * Which tensors are drawn. From the roots down all that they were made from is marked, then listed upwards,
 * leaves just before their first use; slices take items away again; highlighting marks some.
 *
 * Step slots stand in topological order, and so do items: whatever spreads along arrows does so in one pass.
 */
#include "draw/picture.h"

#define MARKED UINT32_MAX

/* ---- Roots ---- */

static uint32_t n_roots(const gri_picture *p)
{
    const uint32_t n = (uint32_t)p->options.n_gradients;
    if (p->options.mode == GR_DOT_BACKWARD) return n;
    return p->options.mode == GR_DOT_BOTH ? n + 1 : 1;
}

/* The root of the forward graph is the first. */
static const gri_node *root_at(const gri_picture *p, uint32_t i)
{
    if (p->options.mode != GR_DOT_BACKWARD && i-- == 0) return p->root;
    const gr_tensor t = p->options.gradients[i];
    return gri_lookup(p->g, t.index, t.generation);
}

/* ---- Items ---- */

static bool claim(gri_picture *p, uint32_t index)
{
    uint32_t *number = gri_item_number(p, index);
    if (*number) return false;
    *number = MARKED;
    p->room++;
    return true;
}

/* Marks what the roots were made from. Operands stand before what uses them, so one pass down is enough. */
static void mark(gri_picture *p)
{
    for (uint32_t i = 0; i < n_roots(p); i++) claim(p, root_at(p, i)->index);
    for (uint32_t i = p->step_top; i-- > 1;) {
        if (!p->step_item[i]) continue;
        const gri_node *node = p->g->step.slot[i].node;
        for (uint32_t k = 0; k < gri_drawn_operands(p, node); k++) {
            const gri_operand *o = &gri_operands(node)[k];
            if (gri_lookup(p->g, o->index, o->generation)) claim(p, o->index);
        }
    }
}

static void list_node(gri_picture *p, const gri_node *node)
{
    uint32_t *number = gri_item_number(p, node->index);
    if (*number != MARKED) return;
    uint16_t flags = 0;
    if (!gri_is_forward(p, node))
        flags = GRI_ITEM_BACKWARD;
    else if (p->options.mode == GR_DOT_BACKWARD)
        flags = GRI_ITEM_BACKWARD | GRI_ITEM_READ;
    p->items[p->n_items] = (gri_item){.node = node, .twin = p->n_items, .flags = flags};
    *number = ++p->n_items;
}

static void list(gri_picture *p)
{
    for (uint32_t i = 1; i < p->step_top; i++) {
        const gri_node *node = p->step_item[i] ? p->g->step.slot[i].node : NULL;
        const uint32_t n = node ? gri_drawn_operands(p, node) : 0;
        if (n == 0) continue; /* leaves come with their first use */
        for (uint32_t k = 0; k < n; k++) {
            const gri_operand *o = &gri_operands(node)[k];
            const gri_node *operand = gri_lookup(p->g, o->index, o->generation);
            if (operand) list_node(p, operand);
        }
        list_node(p, node);
    }
    for (uint32_t i = 0; i < n_roots(p); i++) list_node(p, root_at(p, i)); /* those that are leaves */
    for (uint32_t i = 0; i < n_roots(p); i++)
        p->items[*gri_item_number(p, root_at(p, i)->index) - 1].flags |= GRI_ITEM_ROOT;
}

static gr_status make_items(gri_picture *p)
{
    gri_memory *m = &p->g->memory;
    p->step_top = 1;
    for (uint32_t i = 0; i < n_roots(p); i++) {
        const uint32_t index = root_at(p, i)->index;
        if (!(index & GRI_KEPT) && index >= p->step_top) p->step_top = index + 1;
    }
    p->kept_top = p->g->kept.top ? p->g->kept.top : 1;
    const size_t step_bytes = p->step_top * sizeof(uint32_t), kept_bytes = p->kept_top * sizeof(uint32_t);
    p->step_item = gri_alloc_zeroed(m, step_bytes);
    p->kept_item = gri_alloc_zeroed(m, kept_bytes);
    if (!p->step_item || !p->kept_item) return gri_fail_memory(p->g, "dot", step_bytes + kept_bytes);
    mark(p);
    p->items = gri_alloc(m, p->room * sizeof *p->items);
    if (!p->items) return gri_fail_memory(p->g, "dot", p->room * sizeof *p->items);
    list(p);
    return GR_OK;
}

/* ---- What spreads along arrows ---- */

/* From items with these flags: BEFORE to all that they were made from, AFTER to all that is made of them. */
static void spread(gri_picture *p)
{
    for (uint32_t i = p->n_items; i-- > 0;) {
        const gri_item *item = &p->items[i];
        const uint32_t n = item->flags & GRI_ITEM_BEFORE ? gri_drawn_operands(p, item->node) : 0;
        for (uint32_t k = 0; k < n; k++) {
            gri_item *operand = gri_operand_item(p, item->node, k, NULL);
            if (operand) operand->flags |= GRI_ITEM_BEFORE;
        }
    }
    for (uint32_t i = 0; i < p->n_items; i++) {
        gri_item *item = &p->items[i];
        for (uint32_t k = 0; k < gri_drawn_operands(p, item->node); k++) {
            const gri_item *operand = gri_operand_item(p, item->node, k, NULL);
            if (operand) item->flags |= operand->flags & GRI_ITEM_AFTER;
        }
    }
}

/* Sets a flag on the item of a handle; GR_ERR_ARGUMENT if it is not drawn. */
static gr_status seed(gri_picture *p, gr_tensor t, uint16_t flag, const char *what)
{
    const gri_node *node = gri_dot_node(p, t, what);
    if (!node) return p->g->status;
    const uint32_t top = node->index & GRI_KEPT ? p->kept_top : p->step_top;
    const uint32_t number = (node->index & ~GRI_KEPT) < top ? *gri_item_number(p, node->index) : 0;
    if (number == 0)
        return gri_fail_about(p->g, GR_ERR_ARGUMENT, node, "dot: %s: a tensor that is not in the drawing",
                              what);
    p->items[number - 1].flags |= flag;
    return GR_OK;
}

/* ---- Distance ---- */

/* The users of each item, one after the other: those of item i from start[i] to start[i + 1]. */
typedef struct users {
    uint32_t *start, *user, *queue;
    size_t n_items, n_arrows;
} users;

static void free_users(gri_picture *p, users *u)
{
    gri_free(&p->g->memory, u->start, (u->n_items + 1) * sizeof *u->start);
    gri_free(&p->g->memory, u->user, u->n_arrows * sizeof *u->user);
    gri_free(&p->g->memory, u->queue, u->n_items * sizeof *u->queue);
}

static gr_status make_users(gri_picture *p, users *u)
{
    gri_memory *m = &p->g->memory;
    *u = (users){.n_items = p->n_items, .n_arrows = 1};
    for (uint32_t i = 0; i < p->n_items; i++) u->n_arrows += gri_drawn_operands(p, p->items[i].node);
    u->start = gri_alloc_zeroed(m, (u->n_items + 1) * sizeof *u->start);
    u->user = gri_alloc(m, u->n_arrows * sizeof *u->user);
    u->queue = gri_alloc(m, u->n_items * sizeof *u->queue);
    if (!u->start || !u->user || !u->queue) {
        free_users(p, u);
        return gri_fail_memory(p->g, "dot", (2 * u->n_items + u->n_arrows + 1) * sizeof *u->user);
    }
    /* Counted, summed, and filled from the end of each list to its beginning. */
    for (int fill = 0; fill < 2; fill++) {
        for (uint32_t i = 0; i < p->n_items; i++) {
            for (uint32_t k = 0; k < gri_drawn_operands(p, p->items[i].node); k++) {
                const gri_item *operand = gri_operand_item(p, p->items[i].node, k, NULL);
                if (operand && fill) u->user[--u->start[operand - p->items]] = i;
                if (operand && !fill) u->start[operand - p->items]++;
            }
        }
        for (uint32_t i = 1; !fill && i <= p->n_items; i++) u->start[i] += u->start[i - 1];
    }
    return GR_OK;
}

static void come_near(gri_picture *p, users *u, uint32_t *end, gri_item *item)
{
    if (item->flags & GRI_ITEM_NEAR) return;
    item->flags |= GRI_ITEM_NEAR;
    u->queue[(*end)++] = (uint32_t)(item - p->items);
}

/* Breadth first, from the one item that is near already. A leaf leads nowhere but from there: what shares a parameter
   or a constant is not near for that. */
static gr_status spread_near(gri_picture *p)
{
    users u;
    if (make_users(p, &u) != GR_OK) return p->g->status;
    uint32_t at = 0, end = 0;
    for (uint32_t i = 0; i < p->n_items; i++)
        if (p->items[i].flags & GRI_ITEM_NEAR) u.queue[end++] = i;
    for (int step = 0; step < p->options.distance && at < end; step++) {
        for (const uint32_t ring = end; at < ring; at++) {
            const uint32_t i = u.queue[at];
            for (uint32_t k = 0; k < gri_drawn_operands(p, p->items[i].node); k++) {
                gri_item *operand = gri_operand_item(p, p->items[i].node, k, NULL);
                if (operand) come_near(p, &u, &end, operand);
            }
            const bool leads_on = step == 0 || gri_drawn_operands(p, p->items[i].node) > 0;
            for (uint32_t k = u.start[i]; leads_on && k < u.start[i + 1]; k++)
                come_near(p, &u, &end, &p->items[u.user[k]]);
        }
    }
    free_users(p, &u);
    return GR_OK;
}

/* ---- Slices ---- */

static void note_cuts(gri_picture *p, uint16_t wanted)
{
    for (uint32_t i = 0; i < p->n_items; i++) {
        gri_item *item = &p->items[i];
        const bool stays = (item->flags & wanted) == wanted;
        for (uint32_t k = 0; k < gri_drawn_operands(p, item->node); k++) {
            gri_item *operand = gri_operand_item(p, item->node, k, NULL);
            if (!operand) continue;
            const bool operand_stays = (operand->flags & wanted) == wanted;
            if (stays && !operand_stays) item->flags |= GRI_ITEM_CUT_IN;
            if (operand_stays && !stays) operand->flags |= GRI_ITEM_CUT_OUT;
            if (stays != operand_stays) p->has |= GRI_HAS_CUTS;
        }
    }
}

/* Takes away the items without one of these flags. */
static void keep(gri_picture *p, uint16_t wanted)
{
    note_cuts(p, wanted);
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n_items; i++) {
        gri_item item = p->items[i];
        uint32_t *number = gri_item_number(p, item.node->index);
        *number = 0;
        if ((item.flags & wanted) != wanted) continue;
        item.flags &= (uint16_t)~wanted;
        item.twin = n;
        p->items[n] = item;
        *number = ++n;
    }
    p->n_items = n;
}

static gr_status slice(gri_picture *p)
{
    const gr_dot_options *o = &p->options;
    uint16_t wanted = 0;
    gr_status status = GR_OK;
    if (o->ancestors_of.graph) {
        status = seed(p, o->ancestors_of, GRI_ITEM_BEFORE, "ancestors_of");
        wanted |= GRI_ITEM_BEFORE;
    }
    if (status == GR_OK && o->descendants_of.graph) {
        status = seed(p, o->descendants_of, GRI_ITEM_AFTER, "descendants_of");
        wanted |= GRI_ITEM_AFTER;
    }
    if (status == GR_OK && wanted) spread(p);
    if (status == GR_OK && o->around.graph) {
        status = seed(p, o->around, GRI_ITEM_NEAR, "around");
        wanted |= GRI_ITEM_NEAR;
        if (status == GR_OK) status = spread_near(p);
    }
    if (status == GR_OK && wanted) keep(p, wanted);
    return status;
}

/* ---- Highlighting ---- */

static gr_status highlight(gri_picture *p)
{
    const gr_dot_options *o = &p->options;
    const uint16_t both = GRI_ITEM_BEFORE | GRI_ITEM_AFTER;
    if (o->n_highlight == 0) return GR_OK;
    for (uint32_t i = 0; i < p->n_items; i++) p->items[i].flags &= (uint16_t)~both;
    for (int i = 0; i < o->n_highlight; i++)
        if (seed(p, o->highlight[i], both, "highlight") != GR_OK) return p->g->status;
    spread(p);
    for (uint32_t i = 0; i < p->n_items; i++)
        if ((p->items[i].flags & both) == both) p->items[i].flags |= GRI_ITEM_MARKED;
    p->has |= GRI_HAS_MARKS;
    return GR_OK;
}

/* Whether derivative rules read what the forward pass computed. */
static void note_reuse(gri_picture *p)
{
    for (uint32_t i = 0; i < p->n_items; i++) {
        const gri_item *item = &p->items[i];
        if (!(item->flags & GRI_ITEM_BACKWARD)) continue;
        for (uint32_t k = 0; k < gri_drawn_operands(p, item->node); k++) {
            const gri_item *operand = gri_operand_item(p, item->node, k, NULL);
            if (operand && gri_is_reuse(item, operand)) p->has |= GRI_HAS_REUSE;
        }
    }
}

gr_status gri_dot_select(gri_picture *p)
{
    gr_status status = make_items(p);
    if (status == GR_OK) status = slice(p);
    if (status == GR_OK) status = highlight(p);
    if (status == GR_OK) note_reuse(p);
    return status;
}

void gri_dot_unselect(gri_picture *p)
{
    gri_memory *m = &p->g->memory;
    gri_free(m, p->step_item, p->step_top * sizeof(uint32_t));
    gri_free(m, p->kept_item, p->kept_top * sizeof(uint32_t));
    gri_free(m, p->items, p->room * sizeof *p->items);
    p->step_item = p->kept_item = NULL;
    p->items = NULL;
    p->n_items = p->room = 0;
}
