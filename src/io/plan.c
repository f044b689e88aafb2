/* What is saved and loaded: see plan.h. Each item is looked for by walking two lists of names, both sorted. */
#include "io/plan.h"
#include "io/json.h"
#include "io/sort.h"

#include <inttypes.h>
#include <string.h>

enum { FIRST_ITEMS = 16, FIRST_TEXT = 256, TEXT_BYTES = 256, SHOWN_BYTES = 100, NUMBER_BYTES = 8 };

/* ---- Making one ---- */

void gri_plan_end(gri_plan *p)
{
    gri_memory *memory = &p->g->memory;
    gri_free(memory, p->item, p->capacity * sizeof *p->item);
    gri_free(memory, p->text, p->text_room);
    gri_free(memory, p->order, p->n * sizeof *p->order);
    *p = gri_plan_begin(p->g, p->call);
}

/* Puts the parts together, as the next name; *name: where it is. */
static gr_status add_name(gri_plan *p, const char *const *parts, size_t *name)
{
    size_t bytes = 1;
    for (int i = 0; parts[i]; i++) bytes += strlen(parts[i]);
    if (bytes > p->text_room - p->text_used) {
        size_t room = p->text_room ? 2 * p->text_room : FIRST_TEXT;
        if (room - p->text_used < bytes) room = p->text_used + bytes;
        char *text = gri_grow(&p->g->memory, p->text, p->text_room, room);
        if (!text) return gri_fail_memory(p->g, p->call, room);
        p->text = text;
        p->text_room = room;
    }
    *name = p->text_used;
    for (int i = 0; parts[i]; i++) {
        const size_t length = strlen(parts[i]);
        memcpy(p->text + p->text_used, parts[i], length);
        p->text_used += length;
    }
    p->text[p->text_used++] = '\0';
    return GR_OK;
}

static gr_status add(gri_plan *p, gri_item item, const char *const *parts)
{
    if (p->n == p->capacity) {
        if (p->n > UINT32_MAX / 2) return gri_fail(p->g, GR_ERR_OVERFLOW, "%s: %u tensors", p->call, p->n);
        const uint32_t capacity = p->capacity ? 2 * p->capacity : FIRST_ITEMS;
        gri_item *items = gri_grow(&p->g->memory, p->item, p->capacity * sizeof item, capacity * sizeof item);
        if (!items) return gri_fail_memory(p->g, p->call, capacity * sizeof item);
        p->item = items;
        p->capacity = capacity;
    }
    const gr_status status = add_name(p, parts, &item.name);
    if (status == GR_OK) p->item[p->n++] = item;
    return status;
}

gr_status gri_plan_add(gri_plan *p, gr_tensor t, const char *const *parts)
{
    if (t.graph != p->g)
        return gri_fail(p->g, t.graph ? GR_ERR_GRAPH : GR_ERR_HANDLE, "%s: %s", p->call,
                        t.graph ? "a tensor of another graph" : "an invalid handle");
    gri_node *node = gri_resolve(t, p->call);
    if (!node) return p->g->status;
    gri_item item = {.type = gri_st_type_of(node->array.type),
                     .shape = {.ndim = node->array.ndim},
                     .count = node->array.count,
                     .node = node};
    memcpy(item.shape.dims, node->array.dims, (size_t)node->array.ndim * sizeof *item.shape.dims);
    return add(p, item, parts);
}

gr_status gri_plan_add_numbers(gri_plan *p, const char *type, void *numbers, int64_t n,
                               const char *const *parts)
{
    const gri_item item = {
        .type = gri_st_type_find(type), .shape = {.ndim = 1, .dims = {n}}, .count = n, .numbers = numbers};
    return add(p, item, parts);
}

static bool name_before(const void *of, uint32_t a, uint32_t b)
{
    const gri_plan *p = of;
    return strcmp(gri_item_name(p, &p->item[a]), gri_item_name(p, &p->item[b])) < 0;
}

gr_status gri_plan_finish(gri_plan *p)
{
    p->order = gri_alloc(&p->g->memory, p->n * sizeof *p->order);
    if (!p->order) return gri_fail_memory(p->g, p->call, p->n * sizeof *p->order);
    gri_sort(p->order, p->n, name_before, p);
    for (uint32_t i = 0; i < p->n; i++) {
        const char *name = gri_item_name(p, &p->item[p->order[i]]);
        const char *why = !*name                               ? "a tensor without a name"
                          : !gri_utf8_is_valid(name)           ? "a name that is no UTF-8"
                          : strcmp(name, GRI_ST_METADATA) == 0 ? "a name that the format has for itself"
                          : i > 0 && strcmp(name, gri_item_name(p, &p->item[p->order[i - 1]])) == 0
                              ? "two tensors of one name"
                              : NULL;
        if (why) return gri_fail(p->g, GR_ERR_NAME, "%s: %s: \"%.*s\"", p->call, why, SHOWN_BYTES, name);
    }
    return GR_OK;
}

/* ---- Against a file ---- */

/* Writes "F32 [2, 3]". */
static const char *describe(char text[TEXT_BYTES], const gri_st_type *type, const gr_shape *shape)
{
    const int n = snprintf(text, TEXT_BYTES, "%s ", type->name);
    gri_describe_shape(text + n, TEXT_BYTES - (size_t)n, shape->ndim, shape->dims);
    return text;
}

static gr_status fail_missing(const gri_plan *p, const gr_safetensors *file, const gri_item *item)
{
    char text[TEXT_BYTES];
    uint32_t others = 0;
    for (uint32_t i = 0; i < p->n; i++)
        others += &p->item[i] != item && gr_safetensors_find(file, gri_item_name(p, &p->item[i])) < 0;
    return gri_fail(p->g, GR_ERR_NAME,
                    "%s: %s: there is no tensor \"%.*s\", expected %s (%u more are missing)", p->call,
                    file->source.name, SHOWN_BYTES, gri_item_name(p, item),
                    describe(text, item->type, &item->shape), others);
}

static gr_status fail_unexpected(const gri_plan *p, const gr_safetensors *file, const gri_st_entry *e)
{
    char text[TEXT_BYTES];
    return gri_fail(p->g, GR_ERR_NAME,
                    "%s: %s: there is a tensor \"%.*s\", %s, that nothing here is named after", p->call,
                    file->source.name, SHOWN_BYTES, e->name, describe(text, e->type, &e->shape));
}

static bool same_shape(const gr_shape *a, const gr_shape *b)
{
    return a->ndim == b->ndim &&
           (a->ndim == 0 || memcmp(a->dims, b->dims, (size_t)a->ndim * sizeof *a->dims) == 0);
}

static gr_status check_item(const gri_plan *p, const gr_safetensors *file, const gri_item *item)
{
    const gri_st_entry *e = item->from;
    const bool same_type = e->type == item->type;
    if (!same_type || !same_shape(&e->shape, &item->shape)) {
        char there[TEXT_BYTES], here[TEXT_BYTES];
        return gri_fail(p->g, same_type ? GR_ERR_SHAPE : GR_ERR_TYPE,
                        "%s: %s: \"%.*s\" is %s in the file, expected %s", p->call, file->source.name,
                        SHOWN_BYTES, e->name, describe(there, e->type, &e->shape),
                        describe(here, item->type, &item->shape));
    }
    if (!item->node) return GR_OK;
    if (!(item->node->flags & GRI_LEAF) && !(item->node->index & GRI_KEPT))
        return gri_fail(
            p->g, GR_ERR_STATE,
            "%s: only parameters, constants and gradients can be written: \"%.*s\" is the result of "
            "an operation",
            p->call, SHOWN_BYTES, e->name);
    return gri_st_check_elements(p->g, p->call, file, e);
}

/* Whether an entry of the file may be there although nothing is planned for it. */
static bool is_allowed(const gri_st_entry *e, const gri_others *others)
{
    return others->all || (others->prefix && strncmp(e->name, others->prefix, strlen(others->prefix)) != 0);
}

/* Pairs items with entries: a step further in the list whose name comes first. */
static gr_status pair_up(gri_plan *p, const gr_safetensors *file, const gri_others *others)
{
    uint32_t i = 0, k = 0;
    while (i < p->n || k < file->n) {
        gri_item *item = i < p->n ? &p->item[p->order[i]] : NULL;
        const gri_st_entry *e = k < file->n ? &file->entry[file->by_name[k]] : NULL;
        const int order = !item ? 1 : !e ? -1 : strcmp(gri_item_name(p, item), e->name);
        if (order < 0) return fail_missing(p, file, item);
        if (order > 0 && !is_allowed(e, others)) return fail_unexpected(p, file, e);
        if (order == 0) item->from = e;
        i += order == 0;
        k++;
    }
    return GR_OK;
}

gr_status gri_plan_check(gri_plan *p, const gr_safetensors *file, const gri_others *others)
{
    gr_status status = pair_up(p, file, others);
    for (uint32_t i = 0; i < p->n && status == GR_OK; i++)
        status = check_item(p, file, &p->item[p->order[i]]);
    return status;
}

void gri_plan_fetch(const gri_plan *p, const gr_safetensors *file)
{
    /* Whatever the numbers are: eight bytes of a file become eight of memory. */
    static const gri_elements eight_bytes = {GRI_FLOAT, NUMBER_BYTES, false};
    for (uint32_t i = 0; i < p->n; i++) {
        const gri_item *item = &p->item[i];
        if (!item->node)
            gri_elements_decode(eight_bytes, gri_st_data(file, item->from), item->count, item->numbers);
    }
}

gr_status gri_plan_open(const gri_plan *p)
{
    gr_status status = GR_OK;
    for (uint32_t i = 0; i < p->n && status == GR_OK; i++)
        if (p->item[i].node) status = gri_make_writable(p->g, p->item[i].node, true);
    return status;
}

void gri_plan_commit(const gri_plan *p, const gr_safetensors *file)
{
    for (uint32_t i = 0; i < p->n; i++) {
        const gri_item *item = &p->item[i];
        if (!item->node) continue;
        gri_elements_decode(item->from->type->elements, gri_st_data(file, item->from), item->count,
                            item->node->array.data);
        item->node->version++;
    }
}
