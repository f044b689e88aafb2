/* Where a text goes: see output.h. */
#include "draw/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

gr_status gri_output(gr_graph *g, const char *what, gri_draw *draw, void *drawing, gr_writer *write,
                     void *user)
{
    if (!write) return gri_fail(g, GR_ERR_ARGUMENT, "%s: NULL for the writer", what);
    const gr_status status = draw(drawing, write, user);
    return status == GR_ERR_IO ? gri_fail(g, status, "%s: the writer did not take the text", what) : status;
}

/* ---- Into memory ---- */

typedef struct string {
    char *to;
    size_t room, length;
} string;

static bool write_string(const char *text, size_t length, void *user)
{
    string *s = user;
    if (s->length < s->room) {
        const size_t left = s->room - s->length;
        memcpy(s->to + s->length, text, length < left ? length : left);
    }
    s->length += length;
    return true;
}

gr_status gri_output_string(gr_graph *g, const char *what, gri_draw *draw, void *drawing, char *to,
                            size_t room, size_t *length)
{
    string s = {to, room > 0 ? room - 1 : 0, 0};
    gr_status status = GR_OK;
    if (room > 0 && !to) status = gri_fail(g, GR_ERR_ARGUMENT, "%s: NULL for the text", what);
    if (status == GR_OK) status = draw(drawing, write_string, &s);
    if (status != GR_OK) s.length = 0;
    if (to && room > 0) to[s.length < s.room ? s.length : s.room] = '\0';
    if (length) *length = s.length;
    return status;
}

gr_status gri_output_nothing(gr_status status, char *to, size_t room, size_t *length)
{
    if (to && room > 0) *to = '\0';
    if (length) *length = 0;
    return status;
}

/* ---- Into a file ---- */

static bool write_file(const char *text, size_t length, void *user)
{
    return fwrite(text, 1, length, (FILE *)user) == length;
}

/* `temporary`: nothing is left of it on failure. */
static gr_status draw_file(gr_graph *g, const char *what, gri_draw *draw, void *drawing, const char *path,
                           bool temporary)
{
    errno = 0;
    FILE *file = fopen(path, "wb");
    if (!file) return gri_fail(g, GR_ERR_IO, "%s: cannot open %s: %s", what, path, strerror(errno));
    gr_status status = draw(drawing, write_file, file);
    int reason = errno;
    if (fclose(file) != 0 && status == GR_OK) {
        status = GR_ERR_IO;
        reason = errno;
    }
    if (status == GR_ERR_IO) gri_fail(g, status, "%s: cannot write %s: %s", what, path, strerror(reason));
    if (status != GR_OK && temporary) remove(path);
    return status;
}

gr_status gri_output_file(gr_graph *g, const char *what, gri_draw *draw, void *drawing, const char *path)
{
    static const char suffix[] = ".part";
    if (!path || !*path) return gri_fail(g, GR_ERR_ARGUMENT, "%s: no path", what);
    struct stat there;
    if (lstat(path, &there) == 0 && !S_ISREG(there.st_mode)) /* a device or a link: written directly */
        return draw_file(g, what, draw, drawing, path, false);
    const size_t length = strlen(path), bytes = length + sizeof suffix;
    char *part = gri_alloc(&g->memory, bytes);
    if (!part) return gri_fail_memory(g, what, bytes);
    memcpy(part, path, length);
    memcpy(part + length, suffix, sizeof suffix);
    gr_status status = draw_file(g, what, draw, drawing, part, true);
    if (status == GR_OK && rename(part, path) != 0) {
        status = gri_fail(g, GR_ERR_IO, "%s: cannot write %s: %s", what, path, strerror(errno));
        remove(part);
    }
    gri_free(&g->memory, part, bytes);
    return status;
}
