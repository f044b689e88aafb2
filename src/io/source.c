/* Bytes to be read: see source.h. */
#include "io/source.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

enum {
    FIRST_BYTES = 1 << 12,
    LARGE_BYTES = 1 << 20,
    TEXT_BYTES = 512
}; /* room to begin with; too much to pool */

/* ---- Messages ---- */

gr_status gri_source_fail(const gri_source *s, gr_status status, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return gri_fail(s->graph, status, "%s: %s: %s", s->format, s->name, text);
}

static gr_status fail_system(const gri_source *s, const char *what, int error)
{
    char text[TEXT_BYTES];
    if (strerror_r(error, text, sizeof text) != 0) snprintf(text, sizeof text, "error %d", error);
    return gri_source_fail(s, GR_ERR_IO, "%s: %s", what, text);
}

/* ---- Beginning ---- */

static gr_status begin(gri_source *s, gr_graph *g, const char *format, const char *name, const void *source)
{
    *s = (gri_source){.graph = g, .format = format, .name = name, .length = -1};
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    return source ? GR_OK : gri_fail(g, GR_ERR_ARGUMENT, "%s: the source is NULL", format);
}

gr_status gri_source_memory(gri_source *s, gr_graph *g, const char *format, const void *bytes, size_t n)
{
    const gr_status status = begin(s, g, format, "memory", bytes);
    if (status != GR_OK) return status;
    if (n > INT64_MAX) return gri_fail(g, GR_ERR_ARGUMENT, "%s: %zu bytes of memory", format, n);
    s->bytes = bytes;
    s->n = n;
    s->length = (int64_t)n;
    s->ended = true;
    return GR_OK;
}

/* The number of bytes from here to the end of the file; -1 where nobody knows: pipes, devices, streams of memory. */
static int64_t bytes_left(FILE *stream)
{
    struct stat info;
    const off_t at = ftello(stream);
    if (at < 0 || fileno(stream) < 0 || fstat(fileno(stream), &info) != 0) return -1;
    return S_ISREG(info.st_mode) && info.st_size >= at ? (int64_t)(info.st_size - at) : -1;
}

gr_status gri_source_stream(gri_source *s, gr_graph *g, const char *format, FILE *stream, const char *name)
{
    const gr_status status = begin(s, g, format, name ? name : "stream", stream);
    if (status != GR_OK) return status;
    s->stream = stream;
    s->length = bytes_left(stream);
    return GR_OK;
}

gr_status gri_source_file(gri_source *s, gr_graph *g, const char *format, const char *path)
{
    const gr_status status = begin(s, g, format, path, path);
    if (status != GR_OK) return status;
    errno = 0;
    s->stream = fopen(path, "rb");
    if (!s->stream) return fail_system(s, "cannot be opened", errno);
    s->opened = true;
    s->length = bytes_left(s->stream);
    return GR_OK;
}

/* ---- Reading ---- */

/* Reads up to `n` bytes; fewer at the end only. */
static gr_status read_some(gri_source *s, uint8_t *to, size_t n, size_t *got)
{
    errno = 0;
    *got = fread(to, 1, n, s->stream);
    if (*got == n) return GR_OK;
    if (ferror(s->stream)) return fail_system(s, "cannot be read", errno);
    s->ended = true;
    return GR_OK;
}

/* Makes room for more, of `n` bytes in all: at once as far as a file is known to have them, else for twice as many
   as there are. */
static gr_status grow(gri_source *s, size_t n)
{
    const bool known = s->length >= 0 && (uint64_t)s->length > s->room && (uint64_t)s->length <= SIZE_MAX;
    size_t room = s->room < FIRST_BYTES ? FIRST_BYTES : s->room > SIZE_MAX / 4 ? SIZE_MAX / 2 : 2 * s->room;
    if (known && room < n) room = n;
    if (known && room > (size_t)s->length) room = (size_t)s->length;
    if (!known && room > n && s->room > 0) room = n;
    gri_memory *memory = &s->graph->memory;
    uint8_t *block = s->block ? gri_grow(memory, s->block, s->room + GRI_ALIGN, room + GRI_ALIGN)
                              : gri_alloc(memory, room + GRI_ALIGN);
    if (!block) return gri_fail_memory(s->graph, s->format, room);
    if (s->block) gri_memory_trim(memory); /* nobody has a use for blocks of all the sizes before */
    s->block = block;
    s->room = room;
    s->bytes = block + GRI_ALIGN;
    return GR_OK;
}

/* Sets `ended` if nothing follows. */
static gr_status look_ahead(gri_source *s)
{
    errno = 0;
    const int c = fgetc(s->stream);
    if (c != EOF) {
        ungetc(c, s->stream);
        return GR_OK;
    }
    if (ferror(s->stream)) return fail_system(s, "cannot be read", errno);
    s->ended = true;
    return GR_OK;
}

gr_status gri_source_need(gri_source *s, size_t n)
{
    while (!s->ended && s->n < n) {
        if (s->n == s->room) { /* where all the room is used the next byte may be the end */
            gr_status status = s->room > 0 ? look_ahead(s) : GR_OK;
            if (status == GR_OK && !s->ended) status = grow(s, n);
            if (status != GR_OK || s->ended) return status;
        }
        const size_t most = n < s->room ? n : s->room;
        size_t got;
        const gr_status status = read_some(s, s->block + GRI_ALIGN + s->n, most - s->n, &got);
        if (status != GR_OK) return status;
        s->n += got;
    }
    return GR_OK;
}

gr_status gri_source_rest(gri_source *s) { return gri_source_need(s, SIZE_MAX); }

gr_status gri_source_take(gri_source *s, size_t at, void *to, size_t n, size_t *got)
{
    const size_t here = s->n - at < n ? s->n - at : n;
    if (here > 0) memcpy(to, s->bytes + at, here);
    *got = here;
    if (here == n || s->ended) return GR_OK;
    size_t more;
    const gr_status status = read_some(s, (uint8_t *)to + here, n - here, &more);
    *got += more;
    return status;
}

/* ---- Ending ---- */

void gri_source_keep(gri_source *s)
{
    if (!s->block) return;
    gri_owned *owned = (gri_owned *)(void *)s->block;
    *owned = (gri_owned){.next = s->graph->owned, .bytes = s->room + GRI_ALIGN};
    s->graph->owned = owned;
    s->block = NULL;
}

void gri_source_close(gri_source *s)
{
    if (s->opened) fclose(s->stream); /* only read: nothing can be lost */
    gri_memory *memory = &s->graph->memory;
    gri_free(memory, s->block, s->room + GRI_ALIGN);
    if (s->block && s->room >= LARGE_BYTES) gri_memory_trim(memory); /* a training loop has no use for it */
    s->opened = false;
    s->block = NULL;
}
