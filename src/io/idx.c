/*
 * The IDX reader: one understanding of the format, over bytes from anywhere (source.h).
 *
 * Invariant: no byte is looked at before it is known to be there, and no memory is taken on the word of a
 * header alone.
 */
#include "gradus/io.h"
#include "io/source.h"

#include <inttypes.h>
#include <string.h>

enum {
    MAGIC_BYTES = 4,
    SIZE_BYTES = 4, /* of one axis */
    TYPE_U8 = 0x08,
    TEXT_BYTES = 256
};

/* ---- Messages ---- */

static gr_status fail_length(const gri_source *s, const gr_idx *idx, const char *found)
{
    char shape[TEXT_BYTES];
    gri_describe_shape(shape, sizeof shape, idx->shape.ndim, idx->shape.dims);
    return gri_source_fail(s, GR_ERR_FORMAT,
                           "the header says u8 %s, so %" PRId64 " elements follow it; found %s", shape,
                           idx->count, found);
}

static gr_status fail_found(const gri_source *s, const gr_idx *idx, uint64_t found)
{
    char text[TEXT_BYTES];
    snprintf(text, sizeof text, "%" PRIu64 ": the file is %s", found,
             found < (uint64_t)idx->count ? "truncated" : "too long");
    return fail_length(s, idx, text);
}

/* ---- The header ---- */

/* Sees to it that the first `n` bytes are there, which belong to the header. */
static gr_status need_header(gri_source *s, size_t n)
{
    const gr_status status = gri_source_need(s, n);
    if (status != GR_OK || s->n >= n) return status;
    return gri_source_fail(
        s, GR_ERR_FORMAT, "the file ends within its header: found %zu bytes, expected at least %zu", s->n, n);
}

static const char *type_name(uint8_t type)
{
    static const struct {
        uint8_t type;
        const char *name;
    } known[] = {{TYPE_U8, "u8"}, {0x09, "i8"}, {0x0B, "i16"}, {0x0C, "i32"}, {0x0D, "f32"}, {0x0E, "f64"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].type == type) return known[i].name;
    return "no type of IDX";
}

/* The first four bytes; sets the number of axes. */
static gr_status read_magic(const gri_source *s, gr_idx *idx)
{
    const uint8_t *magic = s->bytes;
    if (magic[0] != 0 || magic[1] != 0) {
        const bool gzip = magic[0] == 0x1f && magic[1] == 0x8b;
        return gri_source_fail(s, GR_ERR_FORMAT,
                               "not an IDX file: it starts with bytes %02x %02x, expected 00 00%s", magic[0],
                               magic[1], gzip ? " (it is compressed; read it through gzip -dc)" : "");
    }
    if (magic[2] != TYPE_U8)
        return gri_source_fail(s, GR_ERR_FORMAT, "elements of type 0x%02x (%s), expected 0x%02x (u8)",
                               magic[2], type_name(magic[2]), TYPE_U8);
    if (magic[3] < 1 || magic[3] > GR_MAX_NDIM)
        return gri_source_fail(s, GR_ERR_FORMAT, "%d axes, expected 1 to %d", magic[3], GR_MAX_NDIM);
    idx->shape.ndim = magic[3];
    return GR_OK;
}

/* The sizes of the axes, SIZE_BYTES each. */
static gr_status read_sizes(const gri_source *s, gr_idx *idx)
{
    for (int i = 0; i < idx->shape.ndim; i++) {
        const uint8_t *b = s->bytes + MAGIC_BYTES + SIZE_BYTES * i;
        idx->shape.dims[i] = (int64_t)b[0] << 24 | (int64_t)b[1] << 16 | (int64_t)b[2] << 8 | (int64_t)b[3];
    }
    /* A mask takes one byte per element, as the elements of the file do. */
    if (gri_count(idx->shape.ndim, idx->shape.dims, GR_BOOL, &idx->count)) return GR_OK;
    char shape[TEXT_BYTES];
    gri_describe_shape(shape, sizeof shape, idx->shape.ndim, idx->shape.dims);
    return gri_source_fail(s, GR_ERR_FORMAT, "the header says u8 %s: more elements than fit in 63 bits",
                           shape);
}

/* ---- The elements ---- */

/* Reads the elements, which start at `header`, and makes sure that nothing follows. */
static gr_status read_elements(gri_source *s, size_t header, gr_idx *idx)
{
    if ((uint64_t)idx->count > SIZE_MAX - 1 - header) return fail_length(s, idx, "no room for them");
    const size_t end = header + (size_t)idx->count;
    if (s->length >= 0 && (uint64_t)s->length != end) return fail_found(s, idx, (uint64_t)s->length - header);
    const gr_status status = gri_source_need(s, end + 1);
    if (status != GR_OK) return status;
    if (s->n > end) return fail_length(s, idx, "more: the file is too long");
    if (s->n < end) return fail_found(s, idx, s->n - header);
    gri_source_keep(s);
    idx->data = s->bytes + header;
    return GR_OK;
}

/* Reads everything, closes the source. */
static gr_status read_idx(gri_source *s, gr_idx *idx)
{
    gr_status status = need_header(s, MAGIC_BYTES);
    if (status == GR_OK) status = read_magic(s, idx);
    const size_t header = MAGIC_BYTES + SIZE_BYTES * (size_t)idx->shape.ndim;
    if (status == GR_OK) status = need_header(s, header);
    if (status == GR_OK) status = read_sizes(s, idx);
    if (status == GR_OK) status = read_elements(s, header, idx);
    gri_source_close(s);
    if (status != GR_OK) memset(idx, 0, sizeof *idx);
    return status;
}

/* ---- Three ways in ---- */

/* Whether there is a place for the result, which is zeroed. */
static gr_status begin(gr_graph *g, gr_idx *idx)
{
    if (idx) memset(idx, 0, sizeof *idx);
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    return idx ? GR_OK : gri_fail(g, GR_ERR_ARGUMENT, "idx: the result is NULL");
}

gr_status gr_idx_parse(gr_graph *g, const void *bytes, size_t n, gr_idx *idx)
{
    gri_source s;
    gr_status status = begin(g, idx);
    if (status == GR_OK) status = gri_source_memory(&s, g, "idx", bytes, n);
    return status == GR_OK ? read_idx(&s, idx) : status;
}

gr_status gr_idx_read(gr_graph *g, FILE *stream, const char *name, gr_idx *idx)
{
    gri_source s;
    gr_status status = begin(g, idx);
    if (status == GR_OK) status = gri_source_stream(&s, g, "idx", stream, name);
    return status == GR_OK ? read_idx(&s, idx) : status;
}

gr_status gr_idx_read_file(gr_graph *g, const char *path, gr_idx *idx)
{
    gri_source s;
    gr_status status = begin(g, idx);
    if (status == GR_OK) status = gri_source_file(&s, g, "idx", path);
    return status == GR_OK ? read_idx(&s, idx) : status;
}
