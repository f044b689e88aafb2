/*
 * The IDX reader. Three ways in (file, stream, memory), one understanding of the header.
 *
 * Invariant: no byte is looked at before it is known to be there, and no memory is taken on the word of a
 * header alone.
 */
#include "gradus/io.h"
#include "graph/graph.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

enum {
    MAGIC_BYTES = 4,
    SIZE_BYTES = 4, /* of one axis */
    TYPE_U8 = 0x08,
    FIRST_BYTES = 1 << 16, /* room to begin with where the length of a stream is unknown */
    TEXT_BYTES = 256
};

/* ---- Messages ---- */

static gr_status fail_length(gr_graph *g, const char *name, const gr_idx *idx, const char *found)
{
    char shape[TEXT_BYTES];
    gri_describe_shape(shape, sizeof shape, idx->shape.ndim, idx->shape.dims);
    return gri_fail(g, GR_ERR_FORMAT,
                    "idx: %s: the header says u8 %s, so %" PRId64 " elements follow it; found %s", name,
                    shape, idx->count, found);
}

static gr_status fail_found(gr_graph *g, const char *name, const gr_idx *idx, uint64_t found)
{
    char text[TEXT_BYTES];
    snprintf(text, sizeof text, "%" PRIu64 ": the file is %s", found,
             found < (uint64_t)idx->count ? "truncated" : "too long");
    return fail_length(g, name, idx, text);
}

static gr_status fail_header(gr_graph *g, const char *name, size_t found, size_t expected)
{
    return gri_fail(g, GR_ERR_FORMAT,
                    "idx: %s: the file ends within its header: found %zu bytes, expected at least %zu", name,
                    found, expected);
}

static gr_status fail_system(gr_graph *g, const char *name, const char *what, int error)
{
    char text[TEXT_BYTES];
    if (strerror_r(error, text, sizeof text) != 0) snprintf(text, sizeof text, "error %d", error);
    return gri_fail(g, GR_ERR_IO, "idx: %s: %s: %s", name, what, text);
}

/* ---- The header ---- */

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
static gr_status read_magic(gr_graph *g, const char *name, const uint8_t *magic, gr_idx *idx)
{
    if (magic[0] != 0 || magic[1] != 0) {
        const bool gzip = magic[0] == 0x1f && magic[1] == 0x8b;
        return gri_fail(g, GR_ERR_FORMAT,
                        "idx: %s: not an IDX file: it starts with bytes %02x %02x, expected 00 00%s", name,
                        magic[0], magic[1], gzip ? " (it is compressed; read it through gzip -dc)" : "");
    }
    if (magic[2] != TYPE_U8)
        return gri_fail(g, GR_ERR_FORMAT, "idx: %s: elements of type 0x%02x (%s), expected 0x%02x (u8)", name,
                        magic[2], type_name(magic[2]), TYPE_U8);
    if (magic[3] < 1 || magic[3] > GR_MAX_NDIM)
        return gri_fail(g, GR_ERR_FORMAT, "idx: %s: %d axes, expected 1 to %d", name, magic[3], GR_MAX_NDIM);
    idx->shape.ndim = magic[3];
    return GR_OK;
}

/* The sizes of the axes, SIZE_BYTES each. */
static gr_status read_sizes(gr_graph *g, const char *name, const uint8_t *bytes, gr_idx *idx)
{
    for (int i = 0; i < idx->shape.ndim; i++) {
        const uint8_t *b = bytes + SIZE_BYTES * i;
        idx->shape.dims[i] = (int64_t)b[0] << 24 | (int64_t)b[1] << 16 | (int64_t)b[2] << 8 | (int64_t)b[3];
    }
    /* A mask takes one byte per element, as the elements of the file do. */
    if (gri_count(idx->shape.ndim, idx->shape.dims, GR_BOOL, &idx->count)) return GR_OK;
    char shape[TEXT_BYTES];
    gri_describe_shape(shape, sizeof shape, idx->shape.ndim, idx->shape.dims);
    return gri_fail(g, GR_ERR_FORMAT, "idx: %s: the header says u8 %s: more elements than fit in 63 bits",
                    name, shape);
}

/* Whether reading may begin; *idx is zeroed. */
static gr_status begin(gr_graph *g, const void *source, gr_idx *idx)
{
    if (idx) memset(idx, 0, sizeof *idx);
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    if (!source || !idx)
        return gri_fail(g, GR_ERR_ARGUMENT, "idx: %s is NULL", idx ? "the source" : "the result");
    return GR_OK;
}

static gr_status finish(gr_status status, gr_idx *idx)
{
    if (status != GR_OK) memset(idx, 0, sizeof *idx);
    return status;
}

/* ---- From memory ---- */

static gr_status parse(gr_graph *g, const uint8_t *bytes, size_t n, gr_idx *idx)
{
    const char *name = "memory";
    if (n < MAGIC_BYTES) return fail_header(g, name, n, MAGIC_BYTES);
    gr_status status = read_magic(g, name, bytes, idx);
    if (status != GR_OK) return status;
    const size_t header = MAGIC_BYTES + SIZE_BYTES * (size_t)idx->shape.ndim;
    if (n < header) return fail_header(g, name, n, header);
    status = read_sizes(g, name, bytes + MAGIC_BYTES, idx);
    if (status != GR_OK) return status;
    if (n - header != (uint64_t)idx->count) return fail_found(g, name, idx, n - header);
    idx->data = bytes + header;
    return GR_OK;
}

gr_status gr_idx_parse(gr_graph *g, const void *bytes, size_t n, gr_idx *idx)
{
    const gr_status status = begin(g, bytes, idx);
    return status == GR_OK ? finish(parse(g, bytes, n, idx), idx) : status;
}

/* ---- From a stream ---- */

/* Reads `wanted` bytes. Fewer are an error; `had` bytes came before them. */
static gr_status read_part(gr_graph *g, FILE *stream, const char *name, uint8_t *to, size_t had,
                           size_t wanted)
{
    errno = 0;
    const size_t n = fread(to, 1, wanted, stream);
    if (n == wanted) return GR_OK;
    return ferror(stream) ? fail_system(g, name, "cannot be read", errno)
                          : fail_header(g, name, had + n, had + wanted);
}

/* The number of bytes from here to the end of the file; -1 where nobody knows: pipes, devices, memory. */
static int64_t bytes_left(FILE *stream)
{
    struct stat info;
    const off_t at = ftello(stream);
    if (at < 0 || fileno(stream) < 0 || fstat(fileno(stream), &info) != 0) return -1;
    return S_ISREG(info.st_mode) && info.st_size >= at ? (int64_t)(info.st_size - at) : -1;
}

/* Makes a block of `bytes` bytes, whose first GRI_ALIGN bytes are free for it, live as long as the graph. */
static void adopt(gr_graph *g, void *block, size_t bytes)
{
    gri_owned *owned = block;
    *owned = (gri_owned){.next = g->owned, .bytes = bytes};
    g->owned = owned;
}

/* A block being filled: GRI_ALIGN bytes for the list of the graph, then the elements. */
typedef struct filling {
    uint8_t *block;
    size_t room, filled; /* elements */
} filling;

/* Reads until `count` elements are there or the stream ends. */
static gr_status fill(gr_graph *g, FILE *stream, size_t count, filling *f)
{
    f->block = gri_alloc(&g->memory, f->room + GRI_ALIGN);
    if (!f->block) return gri_fail_memory(g, "idx", f->room + GRI_ALIGN);
    for (;;) {
        f->filled += fread(f->block + GRI_ALIGN + f->filled, 1, f->room - f->filled, stream);
        if (f->filled < f->room || f->room == count) return GR_OK;
        const size_t room = f->room > count / 2 ? count : 2 * f->room;
        uint8_t *block = gri_grow(&g->memory, f->block, f->room + GRI_ALIGN, room + GRI_ALIGN);
        if (!block) return gri_fail_memory(g, "idx", room + GRI_ALIGN);
        f->block = block;
        f->room = room;
        gri_memory_trim(&g->memory); /* blocks of all the sizes before would be of no use to anyone */
    }
}

static gr_status read_elements(gr_graph *g, FILE *stream, const char *name, gr_idx *idx)
{
    const int64_t left = bytes_left(stream);
    if (left >= 0 && left != idx->count) return fail_found(g, name, idx, (uint64_t)left);
    if ((uint64_t)idx->count > SIZE_MAX - GRI_ALIGN) return fail_length(g, name, idx, "no room for them");
    const size_t count = (size_t)idx->count;
    filling f = {NULL, left >= 0 || count < FIRST_BYTES ? count : FIRST_BYTES, 0};
    errno = 0;
    gr_status status = fill(g, stream, count, &f);
    const int error = errno;
    const bool more = status == GR_OK && f.filled == count && fgetc(stream) != EOF;
    if (status == GR_OK && ferror(stream))
        status = fail_system(g, name, "cannot be read", error ? error : errno);
    else if (status == GR_OK && more)
        status = fail_length(g, name, idx, "more: the file is too long");
    else if (status == GR_OK && f.filled < count)
        status = fail_found(g, name, idx, f.filled);
    if (status == GR_OK) {
        adopt(g, f.block, f.room + GRI_ALIGN);
        idx->data = f.block + GRI_ALIGN;
    } else {
        gri_free(&g->memory, f.block, f.room + GRI_ALIGN);
    }
    return status;
}

static gr_status read_stream(gr_graph *g, FILE *stream, const char *name, gr_idx *idx)
{
    uint8_t magic[MAGIC_BYTES], sizes[GR_MAX_NDIM * SIZE_BYTES];
    gr_status status = read_part(g, stream, name, magic, 0, MAGIC_BYTES);
    if (status == GR_OK) status = read_magic(g, name, magic, idx);
    if (status == GR_OK)
        status = read_part(g, stream, name, sizes, MAGIC_BYTES, SIZE_BYTES * (size_t)idx->shape.ndim);
    if (status == GR_OK) status = read_sizes(g, name, sizes, idx);
    if (status == GR_OK) status = read_elements(g, stream, name, idx);
    return status;
}

gr_status gr_idx_read(gr_graph *g, FILE *stream, const char *name, gr_idx *idx)
{
    const gr_status status = begin(g, stream, idx);
    return status == GR_OK ? finish(read_stream(g, stream, name ? name : "stream", idx), idx) : status;
}

gr_status gr_idx_read_file(gr_graph *g, const char *path, gr_idx *idx)
{
    const gr_status status = begin(g, path, idx);
    if (status != GR_OK) return status;
    FILE *file = fopen(path, "rb");
    if (!file) return fail_system(g, path, "cannot be opened", errno);
    const gr_status read = finish(read_stream(g, file, path, idx), idx);
    fclose(file); /* only read: nothing can be lost */
    return read;
}
