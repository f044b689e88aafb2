/* Files that are replaced as a whole: see replace.h. Drawings, which can be made again, go by draw/output.h. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "io/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef PATH_MAX
#    define PATH_MAX 4096
#endif

enum { TEXT_BYTES = 256, MOST_TRIES = 1000, SUFFIX_BYTES = 64 };

gr_status gri_write_through(gr_graph *g, const char *call, gr_writer *write, void *user, gri_content *content,
                            void *what)
{
    if (!write) return gri_fail(g, GR_ERR_ARGUMENT, "%s: NULL for the writer", call);
    const gr_status status = content(what, write, user);
    return status == GR_ERR_IO ? gri_fail(g, status, "%s: the writer did not take the bytes", call) : status;
}

/* One replacement under way. */
typedef struct replacement {
    gr_graph *g;
    const char *call, *path; /* as the user gave it, for messages */
    const char *target;      /* the file itself */
    char *part; /* the name of the file beside it, in a block of part_bytes; NULL: written directly */
    size_t part_bytes;
    FILE *file;
    int error; /* of the system, where a write failed */
} replacement;

static gr_status fail(const replacement *r, const char *what, int error)
{
    char text[TEXT_BYTES];
    if (strerror_r(error, text, sizeof text) != 0) snprintf(text, sizeof text, "error %d", error);
    return gri_fail(r->g, GR_ERR_IO, "%s: %s %s: %s", r->call, what, r->path, text);
}

static bool write_file(const char *bytes, size_t length, void *user)
{
    replacement *r = user;
    errno = 0;
    if (fwrite(bytes, 1, length, r->file) == length) return true;
    r->error = errno;
    return false;
}

/* Opens a new file beside the target, under a name that nobody has. Left over by a process that was killed, others may
   be there already. */
static gr_status open_part(replacement *r)
{
    const size_t length = strlen(r->target);
    r->part_bytes = length + SUFFIX_BYTES;
    r->part = gri_alloc(&r->g->memory, r->part_bytes);
    if (!r->part) return gri_fail_memory(r->g, r->call, r->part_bytes);
    memcpy(r->part, r->target, length);
    int descriptor = -1;
    for (int i = 0; descriptor < 0 && i < MOST_TRIES; i++) {
        snprintf(r->part + length, SUFFIX_BYTES, ".%" PRIdMAX "-%d.part", (intmax_t)getpid(), i);
        descriptor = open(r->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor < 0 && errno != EEXIST) break;
    }
    if (descriptor < 0) return fail(r, "cannot make a file beside", errno);
    r->file = fdopen(descriptor, "wb");
    if (r->file) return GR_OK;
    const int error = errno;
    close(descriptor);
    remove(r->part);
    return fail(r, "cannot open", error);
}

/* The name of the directory lasts as well, as far as the file system can promise that; the file is complete in any
   case. */
static void sync_directory(const replacement *r)
{
    char *slash = strrchr(r->part, '/');
    if (slash) slash[slash == r->part] = '\0'; /* the part has its new name by now */
    const int directory = open(slash ? r->part : ".", O_RDONLY | O_CLOEXEC);
    if (directory < 0) return;
    fsync(directory);
    close(directory);
}

/* All that was put into the file is on the disk, and the file closed; else r->error says why not. */
static bool finish(replacement *r, const struct stat *old)
{
    bool done = fflush(r->file) == 0;
    if (done && r->part) {
        done = fsync(fileno(r->file)) == 0;
        if (done && old) done = fchmod(fileno(r->file), old->st_mode & 07777) == 0;
    }
    if (!done) r->error = errno;
    if (fclose(r->file) != 0 && done) {
        r->error = errno;
        return false;
    }
    return done;
}

/* `old`: what is there; NULL: nothing. */
static gr_status replace(replacement *r, const struct stat *old, gri_content *content, void *what)
{
    gr_status status = content(what, write_file, r);
    if (status != GR_OK)
        fclose(r->file);
    else if (!finish(r, old))
        status = GR_ERR_IO;
    if (status == GR_ERR_IO) fail(r, "cannot write", r->error);
    if (status == GR_OK && r->part && rename(r->part, r->target) != 0)
        status = fail(r, "cannot replace", errno);
    if (status != GR_OK && r->part) remove(r->part);
    if (status == GR_OK && r->part) sync_directory(r);
    return status;
}

gr_status gri_replace_file(gr_graph *g, const char *call, const char *path, gri_content *content, void *what)
{
    if (!path || !*path) return gri_fail(g, GR_ERR_ARGUMENT, "%s: no path", call);
    char target[PATH_MAX];
    struct stat old;
    const bool there = stat(path, &old) == 0, dangling = !there && lstat(path, &old) == 0;
    const bool direct = dangling || (there && !S_ISREG(old.st_mode));
    replacement r = {.g = g, .call = call, .path = path, .target = path};
    if (there && !direct) r.target = realpath(path, target);
    if (!r.target) return fail(&r, "cannot find", errno);
    gr_status status = GR_OK;
    if (direct) {
        r.file = fopen(path, "wb");
        if (!r.file) status = fail(&r, "cannot open", errno);
    } else {
        status = open_part(&r);
    }
    if (status == GR_OK) status = replace(&r, there ? &old : NULL, content, what);
    gri_free(&g->memory, r.part, r.part_bytes);
    return status;
}
