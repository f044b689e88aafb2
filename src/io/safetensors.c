/*
 * The reader of safetensors files. A header is read into an index, one JSON token after the other; then the index is
 * checked as a whole: names are different, and the places of the tensors cover the rest of the file without holes and
 * overlaps.
 *
 * Invariant: of a file that is not sound nothing is left, and no memory is taken that is not in proportion to bytes that
 * are there.
 */
#include "io/safetensors.h"
#include "io/json.h"
#include "io/sort.h"

#include <inttypes.h>
#include <string.h>

enum { FIRST_ENTRIES = 16, TEXT_BYTES = 256, SHOWN_BYTES = 100 };

/* As the reference sorts them, ascending. */
const gri_st_type gri_st_types[] = {
    {"BOOL", {GRI_MASK, 1, false}},      {"U8", {GRI_UNSIGNED, 1, false}},
    {"I8", {GRI_SIGNED, 1, false}},      {"F8_E5M2", {GRI_OPAQUE, 1, false}},
    {"F8_E4M3", {GRI_OPAQUE, 1, false}}, {"F8_E8M0", {GRI_OPAQUE, 1, false}},
    {"I16", {GRI_SIGNED, 2, false}},     {"U16", {GRI_UNSIGNED, 2, false}},
    {"F16", {GRI_FLOAT, 2, false}},      {"BF16", {GRI_BRAIN_FLOAT, 2, false}},
    {"I32", {GRI_SIGNED, 4, false}},     {"U32", {GRI_UNSIGNED, 4, false}},
    {"F32", {GRI_FLOAT, 4, false}},      {"C64", {GRI_OPAQUE, 8, false}},
    {"F64", {GRI_FLOAT, 8, false}},      {"I64", {GRI_SIGNED, 8, false}},
    {"U64", {GRI_UNSIGNED, 8, false}}};
const int gri_st_type_count = sizeof gri_st_types / sizeof *gri_st_types;

const gri_st_type *gri_st_type_find(const char *name)
{
    for (int i = 0; i < gri_st_type_count; i++)
        if (strcmp(gri_st_types[i].name, name) == 0) return &gri_st_types[i];
    return NULL;
}

const gri_st_type *gri_st_type_of(gr_type type)
{
    return gri_st_type_find(type == GR_F32   ? "F32"
                            : type == GR_F64 ? "F64"
                            : type == GR_I32 ? "I32"
                                             : "BOOL");
}

/* ---- The header, token by token ---- */

/* A header being read into the index of a file. */
typedef struct header {
    gr_safetensors *file;
    gri_json json;
    bool has_metadata;
} header;

static gr_status fail_json(const header *h)
{
    const gri_source *s = &h->file->source;
    return gri_source_fail(s, GR_ERR_FORMAT, "byte %zu of the file, in its header: %s",
                           (size_t)(h->json.at - s->bytes), h->json.why);
}

/* A name that is too long for a message is cut. */
static gr_status fail_entry(const gr_safetensors *file, const gri_st_entry *e, gr_status status,
                            const char *what)
{
    return gri_source_fail(&file->source, status, "tensor \"%.*s\": %s", SHOWN_BYTES, e->name, what);
}

/* Room for one more of `bytes` bytes each. Returns the block, moved or not; NULL: no memory. */
static void *grow(gr_safetensors *file, void *block, uint32_t n, uint32_t *capacity, size_t bytes)
{
    if (n < *capacity) return block;
    const uint32_t more = *capacity ? 2 * *capacity : FIRST_ENTRIES; /* no header has 2^31 of anything */
    void *larger = gri_grow(&file->graph->memory, block, *capacity * bytes, more * bytes);
    if (larger)
        *capacity = more;
    else
        gri_fail_memory(file->graph, "safetensors", more * bytes);
    return larger;
}

/* What follows "__metadata__": an object of strings. */
static gr_status read_metadata(header *h)
{
    gri_json *j = &h->json;
    gr_safetensors *f = h->file;
    if (h->has_metadata) return gri_source_fail(&f->source, GR_ERR_FORMAT, "metadata are there twice");
    h->has_metadata = true;
    if (!gri_json_expect(j, ':') || !gri_json_expect(j, '{')) return fail_json(h);
    if (gri_json_follows(j, '}')) return GR_OK;
    do {
        gr_metadata pair;
        if (!gri_json_string(j, &pair.key) || !gri_json_expect(j, ':') || !gri_json_string(j, &pair.value))
            return fail_json(h);
        gr_metadata *pairs = grow(f, f->metadata, f->n_metadata, &f->metadata_capacity, sizeof pair);
        if (!pairs) return f->graph->status;
        f->metadata = pairs;
        pairs[f->n_metadata++] = pair;
    } while (gri_json_follows(j, ','));
    return gri_json_expect(j, '}') ? GR_OK : fail_json(h);
}

/* A list of integers; *n: how many, up to `most`. */
static bool read_integers(gri_json *j, int most, int64_t *to, int *n)
{
    *n = 0;
    if (!gri_json_expect(j, '[')) return false;
    if (gri_json_follows(j, ']')) return true;
    do {
        if (*n == most) {
            j->why = most == GR_MAX_NDIM ? "more than 8 axes" : "more than two offsets";
            return false;
        }
        if (!gri_json_integer(j, &to[(*n)++])) return false;
    } while (gri_json_follows(j, ','));
    return gri_json_expect(j, ']');
}

enum { HAS_TYPE = 1, HAS_SHAPE = 2, HAS_OFFSETS = 4, HAS_ALL = 7 };

/* One field of an entry; *has: which there were. */
static gr_status read_field(header *h, gri_st_entry *e, int *has)
{
    static const char *const keys[] = {"dtype", "shape", "data_offsets"};
    gri_json *j = &h->json;
    const char *key, *type;
    if (!gri_json_string(j, &key) || !gri_json_expect(j, ':')) return fail_json(h);
    int field = 0;
    while (field < 3 && strcmp(key, keys[field]) != 0) field++;
    if (field == 3) return fail_entry(h->file, e, GR_ERR_FORMAT, "it has a field that the format does not");
    if (*has & 1 << field) return fail_entry(h->file, e, GR_ERR_FORMAT, "it has a field twice");
    *has |= 1 << field;
    int64_t offsets[2];
    int n = 2;
    const bool read = field == 0   ? gri_json_string(j, &type)
                      : field == 1 ? read_integers(j, GR_MAX_NDIM, e->shape.dims, &e->shape.ndim)
                                   : read_integers(j, 2, offsets, &n);
    if (!read) return fail_json(h);
    if (n != 2) return fail_entry(h->file, e, GR_ERR_FORMAT, "it needs two offsets");
    if (field == 0 && !(e->type = gri_st_type_find(type)))
        return fail_entry(h->file, e, GR_ERR_FORMAT, "its type is none that is known");
    if (field == 2) {
        e->begin = offsets[0];
        e->end = offsets[1];
    }
    return GR_OK;
}

/* Whether type, shape and place of an entry agree. */
static gr_status check_entry(const gr_safetensors *file, gri_st_entry *e)
{
    char shape[TEXT_BYTES], text[2 * TEXT_BYTES];
    gri_describe_shape(shape, sizeof shape, e->shape.ndim, e->shape.dims);
    /* A count of bytes is that of a mask's elements. */
    int64_t dims[GR_MAX_NDIM + 1] = {e->type->elements.bytes}, bytes;
    memcpy(dims + 1, e->shape.dims, (size_t)e->shape.ndim * sizeof *dims);
    if (!gri_count(e->shape.ndim + 1, dims, GR_BOOL, &bytes)) {
        snprintf(text, sizeof text, "%s %s: more bytes than fit in 63 bits", e->type->name, shape);
        return fail_entry(file, e, GR_ERR_FORMAT, text);
    }
    e->count = bytes / e->type->elements.bytes;
    if (e->begin <= e->end && e->end - e->begin == bytes) return GR_OK;
    snprintf(text, sizeof text, "%s %s takes %" PRId64 " bytes, but its offsets are %" PRId64 " and %" PRId64,
             e->type->name, shape, bytes, e->begin, e->end);
    return fail_entry(file, e, GR_ERR_FORMAT, text);
}

/* What follows the name of a tensor. */
static gr_status read_entry(header *h, const char *name)
{
    gri_json *j = &h->json;
    gr_safetensors *f = h->file;
    gri_st_entry e = {.name = name};
    int has = 0;
    if (!gri_json_expect(j, ':') || !gri_json_expect(j, '{')) return fail_json(h);
    if (!gri_json_follows(j, '}')) {
        do {
            const gr_status status = read_field(h, &e, &has);
            if (status != GR_OK) return status;
        } while (gri_json_follows(j, ','));
        if (!gri_json_expect(j, '}')) return fail_json(h);
    }
    if (has != HAS_ALL)
        return fail_entry(f, &e, GR_ERR_FORMAT, "it needs dtype, shape and data_offsets, and lacks some");
    const gr_status status = check_entry(f, &e);
    if (status != GR_OK) return status;
    gri_st_entry *entries = grow(f, f->entry, f->n, &f->capacity, sizeof e);
    if (!entries) return f->graph->status;
    f->entry = entries;
    entries[f->n++] = e;
    return GR_OK;
}

static gr_status read_header(header *h)
{
    gri_json *j = &h->json;
    /* The format wants no blank before it. */
    if (j->at == j->end || *j->at != '{') {
        j->why = "expected {";
        return fail_json(h);
    }
    j->at++;
    if (!gri_json_follows(j, '}')) {
        do {
            const char *name;
            if (!gri_json_string(j, &name)) return fail_json(h);
            const gr_status status = strcmp(name, GRI_ST_METADATA) == 0 ? read_metadata(h)
                                                                        : read_entry(h, name);
            if (status != GR_OK) return status;
        } while (gri_json_follows(j, ','));
        if (!gri_json_expect(j, '}')) return fail_json(h);
    }
    j->why = "text behind the header";
    return gri_json_is_over(j) ? GR_OK : fail_json(h);
}

/* ---- The index as a whole ---- */

static bool name_before(const void *of, uint32_t a, uint32_t b)
{
    const gri_st_entry *e = ((const gr_safetensors *)of)->entry;
    return strcmp(e[a].name, e[b].name) < 0;
}

static bool key_before(const void *of, uint32_t a, uint32_t b)
{
    const gr_metadata *m = ((const gr_safetensors *)of)->metadata;
    return strcmp(m[a].key, m[b].key) < 0;
}

/* An empty tensor stands before one that begins where it does. */
static bool place_before(const void *of, uint32_t a, uint32_t b)
{
    const gri_st_entry *e = ((const gr_safetensors *)of)->entry;
    return e[a].begin != e[b].begin ? e[a].begin < e[b].begin : e[a].end < e[b].end;
}

static gr_status check_names(gr_safetensors *f, uint32_t *order)
{
    gri_sort(order, f->n_metadata, key_before, f);
    for (uint32_t i = 1; i < f->n_metadata; i++)
        if (strcmp(f->metadata[order[i - 1]].key, f->metadata[order[i]].key) == 0)
            return gri_source_fail(&f->source, GR_ERR_FORMAT, "metadata \"%.*s\" are there twice",
                                   SHOWN_BYTES, f->metadata[order[i]].key);
    gri_sort(f->by_name, f->n, name_before, f);
    for (uint32_t i = 1; i < f->n; i++)
        if (strcmp(f->entry[f->by_name[i - 1]].name, f->entry[f->by_name[i]].name) == 0)
            return fail_entry(f, &f->entry[f->by_name[i]], GR_ERR_FORMAT, "it is there twice");
    return GR_OK;
}

/* Each tensor begins where the one before ends. *end: where the last one does. */
static gr_status check_places(gr_safetensors *f, uint32_t *order, int64_t *end)
{
    gri_sort(order, f->n, place_before, f);
    *end = 0;
    for (uint32_t i = 0; i < f->n; i++) {
        const gri_st_entry *e = &f->entry[order[i]];
        if (e->begin != *end) {
            char text[TEXT_BYTES];
            snprintf(text, sizeof text,
                     "it begins at %" PRId64 ", expected %" PRId64 ", where the one before it ends: %s",
                     e->begin, *end, e->begin < *end ? "they overlap" : "there is a hole");
            return fail_entry(f, e, GR_ERR_FORMAT, text);
        }
        *end = e->end;
    }
    return GR_OK;
}

/* *end: the number of bytes that the data must have. */
static gr_status check_index(gr_safetensors *f, int64_t *end)
{
    gri_memory *memory = &f->graph->memory;
    const size_t most = f->n > f->n_metadata ? f->n : f->n_metadata;
    uint32_t *order = gri_alloc(memory, most * sizeof *order);
    f->by_name = gri_alloc(memory, f->n * sizeof *f->by_name);
    gr_status status = order && f->by_name ? GR_OK
                                           : gri_fail_memory(f->graph, "safetensors", most * sizeof *order);
    if (status == GR_OK) status = check_names(f, order);
    if (status == GR_OK) status = check_places(f, order, end);
    gri_free(memory, order, most * sizeof *order);
    return status;
}

/* ---- The file ---- */

static gr_status fail_length(const gr_safetensors *f, int64_t expected, uint64_t found)
{
    return gri_source_fail(&f->source, GR_ERR_FORMAT,
                           "the tensors take %" PRId64 " bytes behind the header; found %" PRIu64
                           ": the file is %s",
                           expected, found, found < (uint64_t)expected ? "truncated" : "too long");
}

/* The header and what it takes to have it in memory; *bytes: its length. */
static gr_status need_header(gri_source *s, size_t *bytes)
{
    gr_status status = gri_source_need(s, GRI_ST_LENGTH_BYTES);
    if (status != GR_OK) return status;
    if (s->n < GRI_ST_LENGTH_BYTES)
        return gri_source_fail(s, GR_ERR_FORMAT,
                               "not a safetensors file: it has %zu bytes, expected at least 10", s->n);
    uint64_t length = 0;
    for (int i = GRI_ST_LENGTH_BYTES; i-- > 0;) length = length << 8 | s->bytes[i];
    if (length < 2 || length > GRI_ST_MOST_HEADER)
        return gri_source_fail(s, GR_ERR_FORMAT,
                               "not a safetensors file: a header of %" PRIu64 " bytes, expected 2 to %zu",
                               length, GRI_ST_MOST_HEADER);
    *bytes = (size_t)length;
    status = gri_source_need(s, GRI_ST_LENGTH_BYTES + *bytes);
    if (status != GR_OK || s->n - GRI_ST_LENGTH_BYTES >= *bytes) return status;
    return gri_source_fail(s, GR_ERR_FORMAT,
                           "the file ends within its header: found %zu bytes of it, expected %zu",
                           s->n - GRI_ST_LENGTH_BYTES, *bytes);
}

static gr_status read_index(gr_safetensors *f, size_t header_bytes)
{
    f->string_bytes = header_bytes;
    f->strings = gri_alloc(&f->graph->memory, header_bytes);
    if (!f->strings) return gri_fail_memory(f->graph, "safetensors", header_bytes);
    const uint8_t *text = f->source.bytes + GRI_ST_LENGTH_BYTES;
    header h = {.file = f, .json = {.at = text, .end = text + header_bytes, .strings = f->strings}};
    return read_header(&h);
}

static gr_status read_file(gr_safetensors *f)
{
    gri_source *s = &f->source;
    size_t header_bytes = 0;
    int64_t data_bytes = 0;
    gr_status status = need_header(s, &header_bytes);
    if (status == GR_OK) status = read_index(f, header_bytes);
    if (status == GR_OK) status = check_index(f, &data_bytes);
    if (status != GR_OK) return status;
    const size_t begin = GRI_ST_LENGTH_BYTES + header_bytes;
    if (s->length >= 0 && s->length - (int64_t)begin != data_bytes)
        return fail_length(f, data_bytes, (uint64_t)s->length - begin);
    if ((uint64_t)data_bytes > SIZE_MAX - begin - 1) return fail_length(f, data_bytes, 0);
    const size_t end = begin + (size_t)data_bytes;
    status = gri_source_need(s, end + 1);
    if (status != GR_OK) return status;
    if (s->n != end) return fail_length(f, data_bytes, s->n - begin);
    f->data = s->bytes + begin;
    return GR_OK;
}

/* Gives back what a file holds, before its own block goes. */
static void end_file(gr_graph *g, void *block)
{
    gr_safetensors *f = block;
    gri_memory *memory = &g->memory;
    gri_free(memory, f->entry, f->capacity * sizeof *f->entry);
    gri_free(memory, f->metadata, f->metadata_capacity * sizeof *f->metadata);
    gri_free(memory, f->by_name, f->n * sizeof *f->by_name);
    gri_free(memory, f->strings, f->string_bytes);
    gri_source_close(&f->source);
}

static gr_safetensors *open_source(gri_source *s)
{
    const size_t name_bytes = strlen(s->name) + 1; /* the user's may be gone when a later message needs it */
    gr_safetensors *f = gri_own(s->graph, "safetensors", sizeof *f + name_bytes);
    if (!f) {
        gri_source_close(s);
        return NULL;
    }
    *f = (gr_safetensors){.graph = s->graph, .source = *s};
    f->source.name = memcpy(f + 1, s->name, name_bytes);
    gri_own_end(f, end_file);
    const gr_status status = read_file(f);
    if (status == GR_OK) return f;
    gr_safetensors_close(f);
    return NULL;
}

gr_safetensors *gr_safetensors_open(gr_graph *g, const char *path)
{
    gri_source s;
    return gri_source_file(&s, g, "safetensors", path) == GR_OK ? open_source(&s) : NULL;
}

gr_safetensors *gr_safetensors_read(gr_graph *g, FILE *stream, const char *name)
{
    gri_source s;
    return gri_source_stream(&s, g, "safetensors", stream, name) == GR_OK ? open_source(&s) : NULL;
}

gr_safetensors *gr_safetensors_parse(gr_graph *g, const void *bytes, size_t n)
{
    gri_source s;
    return gri_source_memory(&s, g, "safetensors", bytes, n) == GR_OK ? open_source(&s) : NULL;
}

void gr_safetensors_close(gr_safetensors *file)
{
    if (file) gri_disown(file->graph, file);
}

/* ---- Asking ---- */

int gr_safetensors_count(const gr_safetensors *file) { return file ? (int)file->n : 0; }

gr_safetensors_entry gr_safetensors_at(const gr_safetensors *file, int i)
{
    if (!file || i < 0 || (uint32_t)i >= file->n) return (gr_safetensors_entry){.shape = {.ndim = -1}};
    const gri_st_entry *e = &file->entry[i];
    return (gr_safetensors_entry){.name = e->name,
                                  .type = e->type->name,
                                  .shape = e->shape,
                                  .data = gri_st_data(file, e),
                                  .bytes = (size_t)(e->end - e->begin)};
}

int gr_safetensors_find(const gr_safetensors *file, const char *name)
{
    if (!file || !name) return -1;
    uint32_t low = 0, high = file->n;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2, i = file->by_name[middle];
        const int order = strcmp(name, file->entry[i].name);
        if (order == 0) return (int)i;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

int gr_safetensors_metadata_count(const gr_safetensors *file) { return file ? (int)file->n_metadata : 0; }

gr_metadata gr_safetensors_metadata_at(const gr_safetensors *file, int i)
{
    return file && i >= 0 && (uint32_t)i < file->n_metadata ? file->metadata[i] : (gr_metadata){NULL, NULL};
}

const char *gr_safetensors_metadata(const gr_safetensors *file, const char *key)
{
    if (!file || !key) return NULL;
    for (uint32_t i = 0; i < file->n_metadata; i++)
        if (strcmp(file->metadata[i].key, key) == 0) return file->metadata[i].value;
    return NULL;
}

/* ---- Tensors ---- */

gr_status gri_st_check_elements(gr_graph *g, const char *call, const gr_safetensors *file,
                                const gri_st_entry *e)
{
    const uint8_t *data = gri_st_data(file, e);
    const gri_elements how = e->type->elements;
    const int64_t at = gri_elements_check(how, data, e->count);
    if (at == e->count) return GR_OK;
    char text[GRI_INTEGER_BYTES];
    gri_elements_describe(how, data + at * how.bytes, text);
    const bool mask = how.kind == GRI_MASK;
    return gri_fail(g, mask ? GR_ERR_FORMAT : GR_ERR_TYPE,
                    "%s: %s: tensor \"%.*s\": element %" PRId64 " is %s: %s", call, file->source.name,
                    SHOWN_BYTES, e->name, at, text, mask ? "a mask has 0 and 1" : "i32 cannot hold it");
}

gr_tensor gr_safetensors_tensor(gr_graph *g, const gr_safetensors *file, int i)
{
    if (!g || g->status != GR_OK) return gri_invalid(g);
    if (!file || i < 0 || (uint32_t)i >= file->n) {
        gri_fail(g, file ? GR_ERR_INDEX : GR_ERR_HANDLE, "safetensors: there is no tensor %d; there are %d",
                 i, gr_safetensors_count(file));
        return gri_invalid(g);
    }
    const gri_st_entry *e = &file->entry[i];
    gri_recipe r = {.ndim = e->shape.ndim,
                    .dims = e->shape.dims,
                    .count = e->count,
                    .flags = GRI_LEAF,
                    .in_buffer = true};
    if (!gri_elements_type(e->type->elements, &r.type)) {
        gri_fail(g, GR_ERR_TYPE, "safetensors: %s: tensor \"%.*s\": no tensor can hold elements of type %s",
                 file->source.name, SHOWN_BYTES, e->name, e->type->name);
        return gri_invalid(g);
    }
    if (gri_st_check_elements(g, "safetensors", file, e) != GR_OK) return gri_invalid(g);
    if (!gri_count(r.ndim, r.dims, r.type, &r.count)) {
        gri_fail(g, GR_ERR_OVERFLOW, "safetensors: tensor \"%.*s\"", SHOWN_BYTES, e->name);
        return gri_invalid(g);
    }
    gri_node *node = gri_keep_new(g, &r);
    if (!node) return gri_invalid(g);
    gri_elements_decode(e->type->elements, gri_st_data(file, e), e->count, node->array.data);
    return gri_handle(g, node);
}
