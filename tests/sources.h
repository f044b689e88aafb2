/*
 * Bytes to read from and to write to, for tests of readers and writers: streams of all kinds over an array, streams that
 * break off, memory that grows.
 */
#ifndef GRADUS_TEST_SOURCES_H
#define GRADUS_TEST_SOURCES_H

#include "test.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

/* ---- To read from ---- */

/* A regular file, whose length is known. */
static inline FILE *as_file(const void *bytes, size_t n)
{
    FILE *stream = tmpfile();
    CHECK(stream && fwrite(bytes, 1, n, stream) == n);
    rewind(stream);
    return stream;
}

/* A stream that cannot seek and does not know its length. A child writes, so that it may be longer than the buffer of a
   pipe; it ends when all is read, or when the stream is closed. */
static inline FILE *as_pipe(const void *bytes, size_t n)
{
    int ends[2];
    fflush(NULL);
    if (pipe(ends) != 0) return NULL;
    const bool fits = n <= 4096;
    const pid_t child = fits ? 0 : fork();
    if (fits || child == 0) {
        for (size_t at = 0; at < n;) {
            const ssize_t written = write(ends[1], (const char *)bytes + at, n - at);
            if (written <= 0) break;
            at += (size_t)written;
        }
        if (!fits) _exit(0);
    }
    close(ends[1]);
    return fdopen(ends[0], "rb");
}

/* A stream that has these bytes, and then an error (ECONNRESET): its other end is closed over what it has not read. */
static inline FILE *as_broken(const void *bytes, size_t n)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return NULL;
    CHECK(write(ends[0], "unread", 6) == 6);
    CHECK(write(ends[1], bytes, n) == (ssize_t)n);
    close(ends[1]);
    return fdopen(ends[0], "rb");
}

/* ---- To write to ---- */

typedef struct blob {
    uint8_t *bytes;
    size_t n;
    size_t most; /* it takes no more; 0: everything */
} blob;

/* The room that so many bytes get. */
static inline size_t blob_room(size_t n)
{
    size_t room = 64;
    while (room < n) room *= 2;
    return room;
}

/* A gr_writer. */
static inline bool blob_write(const char *text, size_t length, void *user)
{
    blob *b = user;
    if (b->most && b->n + length > b->most) return false;
    const size_t room = blob_room(b->n + length);
    if (!b->bytes || room > blob_room(b->n)) {
        uint8_t *bytes = realloc(b->bytes, room);
        if (!bytes) return false;
        b->bytes = bytes;
    }
    memcpy(b->bytes + b->n, text, length);
    b->n += length;
    return true;
}

static inline void blob_free(blob *b)
{
    free(b->bytes);
    *b = (blob){NULL, 0, 0};
}

static inline blob blob_of_file(const char *path)
{
    blob b = {NULL, 0, 0};
    char chunk[4096];
    FILE *file = fopen(path, "rb");
    for (size_t n; file && (n = fread(chunk, 1, sizeof chunk, file)) > 0;) blob_write(chunk, n, &b);
    if (file) fclose(file);
    return b;
}

static inline bool blob_is(const blob *b, const void *bytes, size_t n)
{
    return b->n == n && b->bytes && memcmp(b->bytes, bytes, n) == 0;
}

#endif
