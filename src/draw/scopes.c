/*
 * Where items are drawn: each in the frame of its name scope, or in the box that a scope comes down to.
 *
 * A tensor made in a scope is in it. A parameter, which is made before any, and the forward tensors that a
 * backward graph reads, are in the innermost scope that all their users are in.
 *
 * Names are younger than the ones that they are in: what goes from outer to inner scopes goes up the numbers.
 */
#include "draw/picture.h"

#include <string.h>

/* ---- The scope of each item ---- */

static bool is_placed_by_use(const gri_item *item)
{
    return item->flags & GRI_ITEM_READ || item->node->flags & GRI_PARAM;
}

static uint16_t common_scope(const gri_picture *p, uint16_t a, uint16_t b)
{
    while (a != b) {
        if (a > b)
            a = gri_parent_scope(p, a);
        else
            b = gri_parent_scope(p, b);
    }
    return a;
}

static void place(gri_picture *p)
{
    for (uint32_t i = 0; i < p->n_items; i++) {
        gri_item *item = &p->items[i];
        item->flags &= (uint16_t)~GRI_ITEM_BEFORE; /* from here on: its place is known */
        item->scope = is_placed_by_use(item) ? 0 : gri_name_scope(item->node);
    }
    for (uint32_t i = 0; i < p->n_items; i++) {
        const gri_item *user = &p->items[i];
        for (uint32_t k = 0; k < gri_drawn_operands(p, user->node); k++) {
            gri_item *item = gri_operand_item(p, user->node, k, NULL);
            if (!item || !is_placed_by_use(item)) continue;
            /* Where forward and backward are both drawn, a parameter belongs to the forward graph. */
            if ((user->flags ^ item->flags) & GRI_ITEM_BACKWARD) continue;
            const bool first = !(item->flags & GRI_ITEM_BEFORE);
            item->scope = first ? user->scope : common_scope(p, item->scope, user->scope);
            item->flags |= GRI_ITEM_BEFORE;
        }
    }
}

/* ---- Boxes ---- */

static bool fits(const char *path, const char *name)
{
    const size_t length = strlen(name);
    if (length > 0 && name[length - 1] == '*') return strncmp(path, name, length - 1) == 0;
    return strcmp(path, name) == 0;
}

static bool is_asked_for(const gri_picture *p, uint16_t scope)
{
    const gr_dot_options *o = &p->options;
    if (o->collapse_depth > 0 && p->frames[2 * scope].depth == o->collapse_depth) return true;
    if (o->collapse_layers && !p->frames[2 * scope].holds && !p->frames[2 * scope + 1].holds) return true;
    for (int i = 0; i < o->n_collapse; i++)
        if (fits(gri_name_path(p->g, scope), o->collapse[i])) return true;
    return false;
}

/* The outermost scope that is asked for is the box of all that is in it. */
static void collapse(gri_picture *p)
{
    for (uint32_t s = 1; s < gri_n_scopes(p); s++) {
        const uint16_t parent = gri_parent_scope(p, (uint16_t)s);
        const bool asked = !p->frames[2 * parent].box && is_asked_for(p, (uint16_t)s);
        for (uint32_t side = 0; side < 2; side++) {
            const uint32_t around = p->frames[2 * parent + side].box;
            p->frames[2 * s + side].box = asked ? 2 * s + side : around;
        }
    }
}

/* Every name is one of a scope with something in it. */
static gr_status check_names(gri_picture *p)
{
    for (int i = 0; i < p->options.n_collapse; i++) {
        bool found = false;
        for (uint32_t f = 2; f < p->n_frames && !found; f++)
            found = p->frames[f].used && fits(gri_name_path(p->g, (uint16_t)(f / 2)), p->options.collapse[i]);
        if (found) continue;
        return gri_fail(p->g, GR_ERR_ARGUMENT, "dot: to collapse: there is no name scope %s in the drawing",
                        p->options.collapse[i]);
    }
    return GR_OK;
}

static void count_into_box(gri_picture *p, const gri_item *item)
{
    gri_frame *box = &p->frames[gri_box_of(p, item)];
    box->flags |= item->flags;
    if (item->node->flags & GRI_PARAM) {
        box->has_params = true;
        box->param_elements += (uint64_t)item->node->array.count;
    } else if (gri_drawn_operands(p, item->node) > 0) {
        box->n_operations++;
    }
}

/* Marks what one box, or none, takes from another. Parameters, which rules read, are none of its results. */
static void find_outputs(gri_picture *p)
{
    for (uint32_t i = 0; i < p->n_items; i++) {
        gri_item *item = &p->items[i];
        const uint32_t box = gri_box_of(p, gri_twin(p, item));
        if (item->flags & GRI_ITEM_ROOT) p->items[item->twin].flags |= GRI_ITEM_OUTPUT;
        for (uint32_t k = 0; k < gri_drawn_operands(p, item->node); k++) {
            const gri_item *operand = gri_operand_item(p, item->node, k, NULL);
            if (operand && !(operand->node->flags & GRI_PARAM) && gri_box_of(p, gri_twin(p, operand)) != box)
                p->items[operand->twin].flags |= GRI_ITEM_OUTPUT;
        }
    }
}

/* ---- Frames ---- */

static void use(gri_picture *p, uint32_t frame)
{
    while (frame >= 2 && !p->frames[frame].used) {
        p->frames[frame].used = true;
        frame = 2 * (uint32_t)gri_parent_scope(p, (uint16_t)(frame / 2)) + frame % 2;
        p->frames[frame].holds = true;
    }
}

/* Enters a frame, and those around it, where it will be drawn. */
static void meet(gri_picture *p, uint32_t frame)
{
    while (!p->frames[frame].met) {
        p->frames[frame].met = true;
        if (frame < 2) return;
        const uint32_t parent = 2 * (uint32_t)gri_parent_scope(p, (uint16_t)(frame / 2)) + frame % 2;
        gri_frame *around = &p->frames[parent];
        if (around->first)
            p->frames[around->last].next = frame;
        else
            around->first = frame;
        around->last = frame;
        frame = parent;
    }
}

static void note_what_occurs(gri_picture *p)
{
    for (uint32_t f = 2; f < p->n_frames; f++) {
        const gri_frame *frame = &p->frames[f];
        if (!frame->met) continue;
        if (frame->box)
            p->has |= GRI_HAS_BOXES;
        else if (!p->options.no_frames)
            p->has |= GRI_HAS_FRAMES;
        if (frame->repeats) p->has |= GRI_HAS_REPEATS;
    }
}

static void fill_frames(gri_picture *p)
{
    for (uint32_t i = 0; i < p->n_items; i++) {
        const gri_item *item = &p->items[i];
        if (item->twin != i) continue;
        const uint32_t box = gri_box_of(p, item);
        meet(p, box ? box : gri_frame_of(item));
        if (box) count_into_box(p, item);
    }
    for (uint32_t i = p->n_items; i-- > 0;) { /* down, so that the first is put in last */
        const gri_item *item = &p->items[i];
        const uint32_t box = gri_box_of(p, item);
        if (item->twin != i || (box && !(item->flags & GRI_ITEM_OUTPUT))) continue;
        gri_frame *frame = &p->frames[box ? box : gri_frame_of(item)];
        uint32_t *list = box ? &frame->outputs : &frame->items;
        p->next_item[i] = *list;
        *list = i + 1;
    }
    note_what_occurs(p);
}
static gr_status make_frames(gri_picture *p)
{
    gri_memory *m = &p->g->memory;
    const uint32_t n_scopes = p->g->names.top ? p->g->names.top : 1;
    const size_t frame_bytes = 2 * n_scopes * sizeof *p->frames, item_bytes = p->room * sizeof(uint32_t);
    p->frames = gri_alloc_zeroed(m, frame_bytes);
    p->next_item = p->frames ? gri_alloc_zeroed(m, item_bytes) : NULL;
    if (!p->next_item) {
        gri_free(m, p->frames, frame_bytes);
        p->frames = NULL;
        return gri_fail_memory(p->g, "dot", frame_bytes + item_bytes);
    }
    p->n_frames = 2 * n_scopes;
    return GR_OK;
}

gr_status gri_dot_frames(gri_picture *p)
{
    if (p->g->names.top <= 1 || p->n_items == 0) return GR_OK;
    if (make_frames(p) != GR_OK) return p->g->status;
    fill_frames(p);
    return GR_OK;
}

gr_status gri_dot_scope(gri_picture *p)
{
    const bool any = p->g->names.top > 1 || p->options.mode == GR_DOT_BOTH || p->options.n_collapse > 0;
    if (!any || p->n_items == 0) return GR_OK;
    if (make_frames(p) != GR_OK) return p->g->status;
    for (uint32_t s = 1; s < gri_n_scopes(p); s++) {
        const uint16_t parent = gri_parent_scope(p, (uint16_t)s);
        p->frames[2 * s].depth = p->frames[2 * s + 1].depth = (uint16_t)(p->frames[2 * parent].depth + 1);
    }
    place(p);
    for (uint32_t i = 0; i < p->n_items; i++) use(p, gri_frame_of(&p->items[i]));
    gr_status status = check_names(p);
    if (status == GR_OK && p->options.fold) status = gri_dot_fold(p);
    if (status != GR_OK) return status;
    collapse(p);
    find_outputs(p);
    fill_frames(p);
    return GR_OK;
}

void gri_dot_unscope(gri_picture *p)
{
    gri_memory *m = &p->g->memory;
    if (!p->frames) return;
    gri_free(m, p->copy_scope, p->n_frames * sizeof *p->copy_scope);
    gri_free(m, p->frames, p->n_frames * sizeof *p->frames);
    gri_free(m, p->next_item, p->room * sizeof *p->next_item);
}
