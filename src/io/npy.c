/*
 * NumPy's .npy files. The header is a Python literal; of Python as much is understood as a header can hold: a
 * dictionary of three keys, with a text, True or False, and a tuple of integers.
 *
 * Invariant: no memory is taken on the word of a header: a file must be as long as it says, or its bytes must have
 * arrived.
 */
#include "gradus/npy.h"
#include "io/elements.h"
#include "io/replace.h"
#include "io/source.h"
#include "ops/kernels/copy.h"

#include <inttypes.h>
#include <string.h>

enum {
    MAGIC_BYTES = 6,
    FIXED_BYTES = 8,       /* magic and version */
    MOST_HEADER = 1 << 16, /* version 1.0 has no longer ones, and no plain array needs one */
    HEADER_ALIGN = 64,     /* of the elements, as NumPy writes them */
    TEXT_BYTES = 256,
    TYPE_BYTES = 32,
    HEADER_ROOM = 384 /* of a header that is written: sizes have some thirty digits together */
};
static const uint8_t magic[MAGIC_BYTES] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

/* What a header says. */
typedef struct header {
    size_t begin, end; /* of its text, in the file */
    char type[TYPE_BYTES];
    gri_elements elements;
    bool fortran;
    gr_shape shape;
} header;

/* ---- Python ---- */

/* A literal being read: the text from `at` to `end`. */
typedef struct literal {
    const uint8_t *at, *end;
    const char *why; /* what is wrong, after a false */
} literal;

static bool wrong(literal *l, const char *why)
{
    l->why = why;
    return false;
}

static bool follows(literal *l, char c)
{
    while (l->at < l->end && (*l->at == ' ' || *l->at == '\t' || *l->at == '\n' || *l->at == '\r')) l->at++;
    if (l->at == l->end || *l->at != (uint8_t)c) return false;
    l->at++;
    return true;
}

/* A text in quotes of either kind, without escapes, of less than `room` bytes. */
static bool take_string(literal *l, char *to, size_t room)
{
    const char quote = follows(l, '\'') ? '\'' : follows(l, '"') ? '"' : '\0';
    if (!quote) return wrong(l, "expected a text");
    size_t n = 0;
    for (; l->at < l->end && *l->at != (uint8_t)quote; l->at++) {
        if (n + 1 == room || *l->at < 0x20 || *l->at >= 0x7F || *l->at == '\\')
            return wrong(l, "a text that no plain array has");
        to[n++] = (char)*l->at;
    }
    if (l->at == l->end) return wrong(l, "the header ends within a text");
    l->at++;
    to[n] = '\0';
    return true;
}

static bool take_bool(literal *l, bool *value)
{
    while (follows(l, ' ')) continue;
    static const char *const words[] = {"False", "True"};
    for (int i = 0; i < 2; i++) {
        const size_t n = strlen(words[i]);
        if ((size_t)(l->end - l->at) < n || memcmp(l->at, words[i], n) != 0) continue;
        l->at += n;
        *value = i;
        return true;
    }
    return wrong(l, "expected True or False");
}

static bool is_digit(const literal *l) { return l->at < l->end && *l->at >= '0' && *l->at <= '9'; }

static bool take_size(literal *l, int64_t *value)
{
    while (follows(l, ' ')) continue;
    if (!is_digit(l)) return wrong(l, "expected a size");
    *value = 0;
    for (const uint8_t *first = l->at; is_digit(l); l->at++) {
        const int digit = *l->at - '0';
        if (*first == '0' && l->at > first) return wrong(l, "a size that begins with 0");
        if (*value > (INT64_MAX - digit) / 10) return wrong(l, "a size of more than 63 bits");
        *value = 10 * *value + digit;
    }
    if (l->at < l->end && *l->at == 'L') l->at++; /* NumPy under Python 2 wrote 3L */
    return true;
}

/* (), (3,), (2, 3), (2, 3,). Axes beyond GR_MAX_NDIM are counted only. */
static bool take_shape(literal *l, gr_shape *shape)
{
    shape->ndim = 0;
    if (!follows(l, '(')) return wrong(l, "expected a tuple of sizes");
    bool comma = true;
    while (!follows(l, ')')) {
        int64_t size;
        if (!comma) return wrong(l, "expected , or )");
        if (!take_size(l, &size)) return false;
        if (shape->ndim < GR_MAX_NDIM) shape->dims[shape->ndim] = size;
        shape->ndim++;
        comma = follows(l, ',');
    }
    if (shape->ndim == 1 && !comma) return wrong(l, "a tuple of one size needs a comma");
    return true;
}

/* ---- The header ---- */

static gr_status fail_literal(const gri_source *s, const literal *l)
{
    return gri_source_fail(s, GR_ERR_FORMAT, "byte %zu of the file, in its header: %s",
                           (size_t)(l->at - s->bytes), l->why);
}

static gr_status need(gri_source *s, size_t n)
{
    const gr_status status = gri_source_need(s, n);
    if (status != GR_OK || s->n >= n) return status;
    return gri_source_fail(
        s, GR_ERR_FORMAT, "the file ends within its header: found %zu bytes, expected at least %zu", s->n, n);
}

/* Magic, version and the length of the text, which is there then. */
static gr_status find_header(gri_source *s, header *h)
{
    gr_status status = need(s, FIXED_BYTES);
    if (status != GR_OK) return status;
    if (memcmp(s->bytes, magic, MAGIC_BYTES) != 0)
        return gri_source_fail(s, GR_ERR_FORMAT, "not a .npy file: it does not begin with \\x93NUMPY");
    const int major = s->bytes[MAGIC_BYTES], minor = s->bytes[MAGIC_BYTES + 1];
    if (major < 1 || major > 3 || minor != 0)
        return gri_source_fail(s, GR_ERR_FORMAT, "version %d.%d of the format, expected 1.0, 2.0 or 3.0",
                               major, minor);
    const size_t bytes = major == 1 ? 2 : 4;
    h->begin = FIXED_BYTES + bytes;
    status = need(s, h->begin);
    if (status != GR_OK) return status;
    size_t length = 0;
    for (size_t i = bytes; i-- > 0;) length = length << 8 | s->bytes[FIXED_BYTES + i];
    if (length > MOST_HEADER)
        return gri_source_fail(s, GR_ERR_FORMAT, "a header of %zu bytes, expected at most %d", length,
                               MOST_HEADER);
    h->end = h->begin + length;
    return need(s, h->end);
}

enum { HAS_TYPE = 1, HAS_ORDER = 2, HAS_SHAPE = 4, HAS_ALL = 7 };

static gr_status read_key(const gri_source *s, literal *l, header *h, int *has)
{
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    char key[TYPE_BYTES];
    if (!take_string(l, key, sizeof key)) return fail_literal(s, l);
    int k = 0;
    while (k < 3 && strcmp(key, keys[k]) != 0) k++;
    if (k == 3 || *has & 1 << k)
        return gri_source_fail(s, GR_ERR_FORMAT, "the header has the key '%s'%s", key,
                               k == 3 ? ", which the format has not" : " twice");
    *has |= 1 << k;
    if (!follows(l, ':')) {
        l->why = "expected :";
        return fail_literal(s, l);
    }
    if (k == 0 && follows(l, '['))
        return gri_source_fail(s, GR_ERR_TYPE, "elements are structures, which no tensor can hold");
    const bool taken = k == 0   ? take_string(l, h->type, sizeof h->type)
                       : k == 1 ? take_bool(l, &h->fortran)
                                : take_shape(l, &h->shape);
    return taken ? GR_OK : fail_literal(s, l);
}

static gr_status read_literal(const gri_source *s, header *h)
{
    literal l = {.at = s->bytes + h->begin, .end = s->bytes + h->end, .why = "expected {"};
    if (!follows(&l, '{')) return fail_literal(s, &l);
    int has = 0;
    bool comma = true;
    while (!follows(&l, '}')) {
        l.why = "expected , or }";
        if (!comma) return fail_literal(s, &l);
        const gr_status status = read_key(s, &l, h, &has);
        if (status != GR_OK) return status;
        comma = follows(&l, ',');
    }
    l.why = "text behind the dictionary";
    follows(&l, ' '); /* skips blanks */
    if (l.at < l.end) return fail_literal(s, &l);
    return has == HAS_ALL ? GR_OK
                          : gri_source_fail(s, GR_ERR_FORMAT,
                                            "the header lacks some of 'descr', 'fortran_order' and 'shape'");
}

/* '<f4' and its like. */
static gr_status read_type(const gri_source *s, header *h)
{
    static const struct {
        char letter;
        gri_element_kind kind;
        const char *sizes;
    } known[] = {{'f', GRI_FLOAT, "248"},
                 {'i', GRI_SIGNED, "1248"},
                 {'u', GRI_UNSIGNED, "1248"},
                 {'b', GRI_MASK, "1"}};
    const char *t = h->type;
    for (size_t i = 0; strlen(t) == 3 && i < sizeof known / sizeof *known; i++) {
        if (t[1] != known[i].letter || !strchr(known[i].sizes, t[2])) continue;
        if (!strchr("<>|", t[0]) || (t[0] == '|' && t[2] != '1')) break;
        h->elements.kind = known[i].kind;
        h->elements.bytes = t[2] - '0';
        h->elements.big = t[0] == '>';
        return GR_OK;
    }
    return gri_source_fail(s, GR_ERR_TYPE, "elements of type '%s', which no tensor can hold", t);
}

static gr_status read_header(gri_source *s, header *h)
{
    gr_status status = find_header(s, h);
    if (status == GR_OK) status = read_literal(s, h);
    if (status == GR_OK) status = read_type(s, h);
    if (status != GR_OK) return status;
    if (h->shape.ndim > GR_MAX_NDIM)
        return gri_source_fail(s, GR_ERR_NDIM, "%d axes, expected at most %d", h->shape.ndim, GR_MAX_NDIM);
    return GR_OK;
}

/* ---- The elements ---- */

static gr_status fail_length(const gri_source *s, const header *h, uint64_t expected, uint64_t found)
{
    char shape[TEXT_BYTES];
    gri_describe_shape(shape, sizeof shape, h->shape.ndim, h->shape.dims);
    return gri_source_fail(s, GR_ERR_FORMAT,
                           "the header says %s %s, so %" PRIu64 " bytes follow it; found %" PRIu64
                           "%s: the file is %s",
                           h->type, shape, expected, found, found > expected ? " or more" : "",
                           found < expected ? "truncated" : "too long");
}

/* The node to be filled, as its shape in the file is: reversed if that is in Fortran's order. */
static gri_node *make_node(gr_graph *g, const gri_recipe *like, const gr_shape *shape)
{
    gri_recipe r = *like;
    r.ndim = shape->ndim;
    r.dims = shape->dims;
    r.flags = GRI_LEAF;
    r.in_buffer = true;
    return gri_keep_new(g, &r);
}

/* Elements of the file, from byte h->end on, in the order of the file, into `to`. Where they take as many bytes in
   memory as in the file they are read straight into place. */
static gr_status read_elements(gri_source *s, const header *h, int64_t count, void *to, size_t element_bytes)
{
    const size_t bytes = (size_t)count * (size_t)h->elements.bytes;
    const uint8_t *from = to;
    gr_status status = GR_OK;
    if (element_bytes == (size_t)h->elements.bytes) {
        size_t got;
        status = gri_source_take(s, h->end, to, bytes, &got);
        if (status == GR_OK && got < bytes) status = fail_length(s, h, bytes, got);
    } else {
        status = gri_source_need(s, h->end + bytes);
        if (status == GR_OK && s->n - h->end < bytes) status = fail_length(s, h, bytes, s->n - h->end);
        from = s->bytes + h->end;
    }
    if (status != GR_OK) return status;
    const int64_t at = gri_elements_check(h->elements, from, count);
    if (at < count) {
        char text[GRI_INTEGER_BYTES];
        gri_elements_describe(h->elements, from + at * h->elements.bytes, text);
        const bool mask = h->elements.kind == GRI_MASK;
        return gri_source_fail(s, mask ? GR_ERR_FORMAT : GR_ERR_TYPE,
                               "element %" PRId64 " of the file is %s: %s", at, text,
                               mask ? "a mask has 0 and 1" : "i32 cannot hold it");
    }
    gri_elements_decode(h->elements, from, count, to);
    return GR_OK;
}

/* What was read in Fortran's order, turned. Takes `node` in any case. */
static gri_node *turn(gr_graph *g, gri_node *node, const gri_recipe *recipe, const gr_shape *shape)
{
    gri_node *turned = make_node(g, recipe, shape);
    if (turned) {
        int64_t strides[GR_MAX_NDIM];
        for (int i = 0; i < shape->ndim; i++) strides[i] = node->array.strides[shape->ndim - 1 - i];
        const gr_array there = {.data = node->array.data,
                                .dims = shape->dims,
                                .strides = strides,
                                .count = node->array.count,
                                .type = node->array.type,
                                .ndim = shape->ndim};
        if (there.count > 0) gri_copy_array(turned->array.data, &there);
    }
    gri_kept_release(g, node);
    return turned;
}

/* Whether the file is as long as its header says; of a stream, whose end nobody knows, all of it arrives first. */
static gr_status check_length(gri_source *s, const header *h, gri_recipe *r)
{
    char shape[TEXT_BYTES];
    gri_elements_type(h->elements, &r->type);
    const gr_type wider = h->elements.bytes == 8 ? GR_F64 : r->type; /* both counts of bytes must fit */
    if (!gri_count(h->shape.ndim, h->shape.dims, wider, &r->count)) {
        gri_describe_shape(shape, sizeof shape, h->shape.ndim, h->shape.dims);
        return gri_source_fail(s, GR_ERR_FORMAT, "the header says %s %s: more bytes than fit in 63 bits",
                               h->type, shape);
    }
    const uint64_t bytes = (uint64_t)r->count * (uint64_t)h->elements.bytes;
    if (bytes > SIZE_MAX - h->end - 1) return fail_length(s, h, bytes, 0);
    if (s->length < 0) {
        const gr_status status = gri_source_need(s, h->end + (size_t)bytes + 1);
        if (status != GR_OK) return status;
    }
    const uint64_t found = (s->length < 0 ? s->n : (uint64_t)s->length) - h->end;
    return found == bytes ? GR_OK : fail_length(s, h, bytes, found);
}

static gr_status read_array(gri_source *s, gr_tensor *t)
{
    header h = {.begin = 0};
    gri_recipe r = {.type = GR_F32};
    gr_status status = read_header(s, &h);
    if (status == GR_OK) status = check_length(s, &h, &r);
    if (status != GR_OK) return status;
    const bool turned = h.fortran && h.shape.ndim > 1;
    gr_shape shape = h.shape;
    for (int i = 0; turned && i < shape.ndim; i++) shape.dims[i] = h.shape.dims[shape.ndim - 1 - i];
    gri_node *node = make_node(s->graph, &r, &shape);
    if (!node) return s->graph->status;
    status = read_elements(s, &h, r.count, node->array.data, gri_element_bytes(r.type));
    if (status != GR_OK) {
        gri_kept_release(s->graph, node);
        return status;
    }
    if (turned) node = turn(s->graph, node, &r, &h.shape);
    if (!node) return s->graph->status;
    *t = gri_handle(s->graph, node);
    return GR_OK;
}

/* ---- Three ways in ---- */

static gr_status begin(gr_graph *g, gr_tensor *t)
{
    if (t) *t = gri_invalid(g);
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    return t ? GR_OK : gri_fail(g, GR_ERR_ARGUMENT, "npy: the result is NULL");
}

static gr_status read_and_close(gri_source *s, gr_tensor *t)
{
    const gr_status status = read_array(s, t);
    gri_source_close(s);
    return status;
}

gr_status gr_npy_parse(gr_graph *g, const void *bytes, size_t n, gr_tensor *t)
{
    gri_source s;
    gr_status status = begin(g, t);
    if (status == GR_OK) status = gri_source_memory(&s, g, "npy", bytes, n);
    return status == GR_OK ? read_and_close(&s, t) : status;
}

gr_status gr_npy_read(gr_graph *g, FILE *stream, const char *name, gr_tensor *t)
{
    gri_source s;
    gr_status status = begin(g, t);
    if (status == GR_OK) status = gri_source_stream(&s, g, "npy", stream, name);
    return status == GR_OK ? read_and_close(&s, t) : status;
}

gr_status gr_npy_read_file(gr_graph *g, const char *path, gr_tensor *t)
{
    gri_source s;
    gr_status status = begin(g, t);
    if (status == GR_OK) status = gri_source_file(&s, g, "npy", path);
    return status == GR_OK ? read_and_close(&s, t) : status;
}

/* ---- Writing ---- */

/* Magic, version, length and text, as NumPy has it; returns the length of all. */
static size_t make_header(const gr_array *a, char to[HEADER_ROOM])
{
    static const char *const types[] = {
        [GR_F32] = "<f4", [GR_F64] = "<f8", [GR_I32] = "<i4", [GR_BOOL] = "|b1"};
    const size_t begin = FIXED_BYTES + 2;
    int n = snprintf(to + begin, HEADER_ROOM - begin, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                     types[a->type]);
    for (int i = 0; i < a->ndim; i++)
        n += snprintf(to + begin + n, HEADER_ROOM - begin - (size_t)n, "%s%" PRId64 "%s", i > 0 ? " " : "",
                      a->dims[i], i + 1 < a->ndim || a->ndim == 1 ? "," : "");
    n += snprintf(to + begin + n, HEADER_ROOM - begin - (size_t)n, "), }");
    size_t end = begin + (size_t)n;
    while ((end + 1) % HEADER_ALIGN != 0) to[end++] = ' ';
    to[end++] = '\n';
    memcpy(to, magic, MAGIC_BYTES);
    to[MAGIC_BYTES] = 1;
    to[MAGIC_BYTES + 1] = 0;
    to[FIXED_BYTES] = (char)((end - begin) & 0xFF);
    to[FIXED_BYTES + 1] = (char)((end - begin) >> 8);
    return end;
}

/* Writes a node: a gri_content. */
typedef struct writing {
    gr_graph *g;
    const gri_node *node;
} writing;
static gr_status write_node(void *what, gr_writer *write, void *user)
{
    const writing *w = what;
    const gr_array *a = &w->node->array;
    char bytes[HEADER_ROOM];
    const size_t n = make_header(a, bytes), size = (size_t)a->count * gri_element_bytes(a->type);
    if (!write(bytes, n, user)) return GR_ERR_IO;
    void *copy = NULL;
    if (!(w->node->flags & GRI_CONTIGUOUS) && size > 0) {
        copy = gri_alloc(&w->g->memory, size);
        if (!copy) return gri_fail_memory(w->g, "npy", size);
        gri_copy_array(copy, a);
    }
    const bool taken = gri_elements_write(gri_elements_of(a->type), copy ? copy : a->data, a->count, write,
                                          user);
    gri_free(&w->g->memory, copy, size);
    return taken ? GR_OK : GR_ERR_IO;
}

static gr_status begin_writing(gr_tensor t, writing *w)
{
    *w = (writing){.g = t.graph, .node = gri_resolve(t, "npy")};
    if (!w->g) return GR_ERR_HANDLE;
    return w->g->status; /* of a handle that names nothing, too */
}

gr_status gr_npy_write_file(gr_tensor t, const char *path)
{
    writing w;
    const gr_status status = begin_writing(t, &w);
    return status == GR_OK ? gri_replace_file(w.g, "npy", path, write_node, &w) : status;
}

gr_status gr_npy_write(gr_tensor t, gr_writer *write, void *user)
{
    writing w;
    const gr_status status = begin_writing(t, &w);
    return status == GR_OK ? gri_write_through(w.g, "npy", write, user, write_node, &w) : status;
}
