/*
 * Bytes to be read: of memory, of a file, or of a stream whose end nobody knows. The readers of all formats
 * stand on this one.
 *
 * What has been read stands in one block, from the first byte on. A reader asks for so many bytes to be there
 * and looks at them; the block grows as they arrive.
 *
 * Invariant: bytes[0 .. n) are there, and no memory is taken for bytes that are not: the word of a header
 * alone costs nothing.
 */
#ifndef GRI_IO_SOURCE_H
#define GRI_IO_SOURCE_H

#include "graph/graph.h"

#include <stdio.h>

typedef struct gri_source {
    gr_graph *graph;
    const char *format;   /* "idx": messages begin with it */
    const char *name;     /* the path, what the user calls the stream, or "memory" */
    const uint8_t *bytes; /* moves when more are asked for */
    size_t n;
    int64_t length; /* of everything from the first byte on; -1: nobody knows */
    FILE *stream;   /* NULL: memory */
    bool ended;     /* nothing follows */
    bool opened;    /* the stream is ours to close */
    uint8_t *block; /* GRI_ALIGN bytes for the list of the graph, then `room` for what is read */
    size_t room;
} gri_source;

/* Three ways to begin. Each checks the graph, a pending error and the source itself; gri_source_close is due after
   success only. */
gr_status gri_source_memory(gri_source *s, gr_graph *g, const char *format, const void *bytes, size_t n);
gr_status gri_source_stream(gri_source *s, gr_graph *g, const char *format, FILE *stream, const char *name);
gr_status gri_source_file(gri_source *s, gr_graph *g, const char *format, const char *path);

/* Reads on until `n` bytes are there, or all that there are. Errors: GR_ERR_IO, memory. */
gr_status gri_source_need(gri_source *s, size_t n);
/* Reads all that there is. */
gr_status gri_source_rest(gri_source *s);
/* Copies `n` bytes from position `at` on, which is at most s->n. What is not there yet is read straight into place
   and not kept. *got: how many there were. */
gr_status gri_source_take(gri_source *s, size_t at, void *to, size_t n, size_t *got);
/* The bytes that are there live as long as the graph from here on. Those of memory are the user's, as before. */
void gri_source_keep(gri_source *s);
void gri_source_close(gri_source *s);

/* Sets the error "format: name: text". */
gr_status gri_source_fail(const gri_source *s, gr_status status, const char *format, ...) GR_PRINTF(3, 4);

#endif
