/*
 * Where a drawing goes: to a writer, into memory, into a file. How it is made: see picture.h.
 *
 * Invariant: what can be found wrong before a file is opened is found then.
 */
#include "draw/picture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Checks all that can be checked before a file is opened; fills in root and options. */
static gr_status begin(gri_picture *p, gr_tensor root, const gr_dot_options *options)
{
    gr_graph *g = root.graph;
    *p = (gri_picture){.g = g};
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    p->root = gri_resolve(root, "dot");
    return p->root ? gri_dot_options(p, options) : g->status;
}

/* Writes the text. That the writer refused is left to the caller to report, as GR_ERR_IO; other errors are
   set. */
static gr_status draw(gri_picture *p, gr_writer *write, void *user)
{
    const bool scalars = p->options.mode == GR_DOT_SCALARS;
    gr_status status = scalars ? gri_dot_neurons(p) : gri_dot_select(p);
    if (status == GR_OK && !scalars) status = gri_dot_scope(p);
    if (status == GR_OK) {
        gri_text_begin(&p->text, write, user, p->options.ascii);
        status = gri_dot_text(p);
        if (!gri_text_end(&p->text) && status == GR_OK) status = GR_ERR_IO;
    }
    gri_dot_unneuron(p);
    gri_dot_unscope(p);
    gri_dot_unselect(p);
    return status;
}

gr_status gr_dot_write(gr_tensor root, gr_writer *write, void *user, const gr_dot_options *options)
{
    gri_picture p;
    gr_status status = begin(&p, root, options);
    if (status != GR_OK) return status;
    if (!write) return gri_fail(p.g, GR_ERR_ARGUMENT, "dot: NULL for the writer");
    status = draw(&p, write, user);
    return status == GR_ERR_IO ? gri_fail(p.g, status, "dot: the writer did not take the text") : status;
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

gr_status gr_dot_write_string(gr_tensor root, char *to, size_t room, size_t *length,
                              const gr_dot_options *options)
{
    string s = {to, room > 0 ? room - 1 : 0, 0};
    gri_picture p;
    gr_status status = begin(&p, root, options);
    if (status == GR_OK && room > 0 && !to) status = gri_fail(p.g, GR_ERR_ARGUMENT, "dot: NULL for the text");
    if (status == GR_OK) status = draw(&p, write_string, &s);
    if (status != GR_OK) s.length = 0;
    if (to && room > 0) to[s.length < s.room ? s.length : s.room] = '\0';
    if (length) *length = s.length;
    return status;
}

/* ---- Into a file ---- */

static bool write_file(const char *text, size_t length, void *user)
{
    return fwrite(text, 1, length, (FILE *)user) == length;
}

/* `temporary`: nothing is left of it on failure. */
static gr_status draw_file(gri_picture *p, const char *path, bool temporary)
{
    errno = 0;
    FILE *file = fopen(path, "wb");
    if (!file) return gri_fail(p->g, GR_ERR_IO, "dot: cannot open %s: %s", path, strerror(errno));
    gr_status status = draw(p, write_file, file);
    int reason = errno;
    if (fclose(file) != 0 && status == GR_OK) {
        status = GR_ERR_IO;
        reason = errno;
    }
    if (status == GR_ERR_IO) gri_fail(p->g, status, "dot: cannot write %s: %s", path, strerror(reason));
    if (status != GR_OK && temporary) remove(path);
    return status;
}

/* Writes beside the file and puts the text in its place. */
static gr_status replace_file(gri_picture *p, const char *path)
{
    static const char suffix[] = ".part";
    const size_t length = strlen(path), bytes = length + sizeof suffix;
    char *part = gri_alloc(&p->g->memory, bytes);
    if (!part) return gri_fail_memory(p->g, "dot", bytes);
    memcpy(part, path, length);
    memcpy(part + length, suffix, sizeof suffix);
    gr_status status = draw_file(p, part, true);
    if (status == GR_OK && rename(part, path) != 0) {
        status = gri_fail(p->g, GR_ERR_IO, "dot: cannot write %s: %s", path, strerror(errno));
        remove(part);
    }
    gri_free(&p->g->memory, part, bytes);
    return status;
}

gr_status gr_dot_write_file(gr_tensor root, const char *path, const gr_dot_options *options)
{
    gri_picture p;
    const gr_status status = begin(&p, root, options);
    if (status != GR_OK) return status;
    if (!path || !*path) return gri_fail(p.g, GR_ERR_ARGUMENT, "dot: no path");
    struct stat there;
    const bool special = lstat(path, &there) == 0 && !S_ISREG(there.st_mode);
    return special ? draw_file(&p, path, false) : replace_file(&p, path);
}
