/*
 * The writer of safetensors files.
 *
 * Invariant: the bytes follow from names, types, shapes and elements of what is planned alone.
 */
#include "io/plan.h"
#include "io/json.h"
#include "ops/kernels/copy.h"

#include <string.h>

static gr_status out_of_bytes(const gri_plan *p)
{
    return gri_fail(p->g, GR_ERR_OVERFLOW, "%s: more bytes than fit in 63 bits", p->call);
}

/* Calls `each` for the items in the order of the file: by type, the last of the table first, and by name. */
typedef gr_status item_function(const gri_plan *p, const gri_item *item, void *user);
static gr_status for_items(const gri_plan *p, item_function *each, void *user)
{
    for (int type = gri_st_type_count; type-- > 0;) {
        for (uint32_t i = 0; i < p->n; i++) {
            const gri_item *item = &p->item[p->order[i]];
            if (item->type != &gri_st_types[type]) continue;
            const gr_status status = each(p, item, user);
            if (status != GR_OK) return status;
        }
    }
    return GR_OK;
}

/* ---- The header ---- */

typedef struct header {
    gri_text text;
    bool first;   /* nothing has been put into the object yet */
    uint64_t end; /* of the elements so far */
} header;

static void put_key(header *h, const char *key)
{
    if (!h->first) gri_text_put(&h->text, ",");
    h->first = false;
    gri_json_put_string(&h->text, key);
    gri_text_put(&h->text, ":");
}

static gr_status put_item(const gri_plan *p, const gri_item *item, void *user)
{
    header *h = user;
    gri_text *t = &h->text;
    const uint64_t bytes = (uint64_t)item->count * (uint64_t)item->type->elements.bytes;
    if (bytes > INT64_MAX - h->end) return out_of_bytes(p);
    put_key(h, gri_item_name(p, item));
    gri_text_put(t, "{\"dtype\":\"");
    gri_text_put(t, item->type->name);
    gri_text_put(t, "\",\"shape\":[");
    for (int i = 0; i < item->shape.ndim; i++) {
        if (i > 0) gri_text_put(t, ",");
        gri_text_unsigned(t, (uint64_t)item->shape.dims[i]);
    }
    gri_text_put(t, "],\"data_offsets\":[");
    gri_text_unsigned(t, h->end);
    h->end += bytes;
    gri_text_put(t, ",");
    gri_text_unsigned(t, h->end);
    gri_text_put(t, "]}");
    return GR_OK;
}

static void put_metadata(header *h, const gri_plan_file *f)
{
    put_key(h, GRI_ST_METADATA);
    gri_text_put(&h->text, "{");
    h->first = true;
    for (int i = 0; i < f->n_metadata; i++) {
        put_key(h, f->metadata[i].key);
        gri_json_put_string(&h->text, f->metadata[i].value);
    }
    gri_text_put(&h->text, "}");
    h->first = false;
}

/* Writes the header; GR_ERR_IO if the writer did not take it. */
static gr_status write_header(const gri_plan_file *f, gr_writer *write, void *user)
{
    header h = {.first = true};
    gri_text_begin(&h.text, write, user, false);
    gri_text_put(&h.text, "{");
    if (f->n_metadata > 0) put_metadata(&h, f);
    const gr_status status = for_items(f->plan, put_item, &h);
    gri_text_put(&h.text, "}");
    return !gri_text_end(&h.text) && status == GR_OK ? GR_ERR_IO : status;
}

static bool count_bytes(const char *text, size_t length, void *user)
{
    (void)text;
    *(size_t *)user += length;
    return true;
}

/* ---- The elements ---- */

typedef struct sink {
    gr_writer *write;
    void *user;
} sink;

static gr_status write_elements(const gri_plan *p, const gri_item *item, void *user)
{
    const sink *to = user;
    const gri_elements how = item->type->elements;
    const gri_node *node = item->node;
    const void *data = node ? node->array.data : item->numbers;
    const size_t bytes = (size_t)item->count * (size_t)how.bytes;
    void *copy = NULL;
    if (node && !(node->flags & GRI_CONTIGUOUS) && bytes > 0) {
        copy = gri_alloc(&p->g->memory, bytes);
        if (!copy) return gri_fail_memory(p->g, p->call, bytes);
        gri_copy_array(copy, &node->array);
        data = copy;
    }
    const bool taken = gri_elements_write(how, data, item->count, to->write, to->user);
    gri_free(&p->g->memory, copy, bytes);
    return taken ? GR_OK : GR_ERR_IO;
}

gr_status gri_plan_write(void *plan_file, gr_writer *write, void *user)
{
    const gri_plan_file *f = plan_file;
    size_t length = 0;
    gr_status status = write_header(f, count_bytes, &length);
    if (status != GR_OK) return status;
    const size_t blanks = (GRI_ST_ALIGN - length % GRI_ST_ALIGN) % GRI_ST_ALIGN;
    if (length > GRI_ST_MOST_HEADER - blanks)
        return gri_fail(f->plan->g, GR_ERR_LIMIT, "%s: a header of %zu bytes; the format allows %zu",
                        f->plan->call, length, GRI_ST_MOST_HEADER);
    char bytes[GRI_ST_LENGTH_BYTES];
    for (int i = 0; i < GRI_ST_LENGTH_BYTES; i++) bytes[i] = (char)((length + blanks) >> (8 * i) & 0xFF);
    if (!write(bytes, sizeof bytes, user)) return GR_ERR_IO;
    status = write_header(f, write, user);
    if (status == GR_OK && blanks > 0 && !write("        ", blanks, user)) status = GR_ERR_IO;
    return status == GR_OK ? for_items(f->plan, write_elements, &(sink){write, user}) : status;
}
