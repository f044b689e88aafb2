/*
 * What fuzz targets share. A target is a file fuzz_<reader>.c with one function, which is given an input and ends the
 * process if the library does with it what it must not do. It is linked with libFuzzer, which makes inputs up, or with
 * replay.c, which takes the seeds and damages them.
 */
#ifndef GRADUS_FUZZ_TARGET_H
#define GRADUS_FUZZ_TARGET_H

#include "gradus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How many inputs the library took; a run in which it took none would show little. Each target defines it. */
extern unsigned long fuzz_sound;

/* A promise of the library. */
#define MUST(condition)                                                             \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                \
        }                                                                           \
    } while (0)

/* An allocator that holds the library to its word: what is asked for is in proportion to the input. */
typedef struct meter {
    size_t out, most;
} meter;

static void *metered_allocate(size_t bytes, void *user)
{
    meter *m = user;
    MUST(bytes <= m->most && m->out <= m->most - bytes);
    m->out += bytes;
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

static void metered_free(void *block, size_t bytes, void *user)
{
    ((meter *)user)->out -= bytes;
    free(block);
}

enum { FUZZ_FIXED_BYTES = 1 << 18, FUZZ_FACTOR = 64 };

/* A graph for an input of that size. */
static inline gr_graph *metered_graph(meter *m, size_t size)
{
    *m = (meter){.out = 0, .most = FUZZ_FIXED_BYTES + FUZZ_FACTOR * size};
    return gr_graph_create(&(gr_graph_options){.allocator = {metered_allocate, metered_free, m}});
}

static inline void end_graph(gr_graph *g, const meter *m)
{
    gr_graph_destroy(g);
    MUST(m->out == 0);
}

/* A reader either succeeds, or has an error with a message; the error is cleared. */
static inline bool is_read(gr_graph *g, gr_status status)
{
    MUST(status == gr_graph_status(g));
    MUST((status == GR_OK) == (*gr_graph_error(g) == '\0'));
    MUST(status == GR_OK || status == GR_ERR_FORMAT || status == GR_ERR_TYPE || status == GR_ERR_NDIM ||
         status == GR_ERR_NAME || status == GR_ERR_SHAPE || status == GR_ERR_ARGUMENT);
    gr_graph_clear_error(g);
    return status == GR_OK;
}

/* The input as a stream whose end nobody knows; NULL: it is empty. */
static inline FILE *as_stream(const uint8_t *data, size_t size)
{
    return size > 0 ? fmemopen((void *)(uintptr_t)data, size, "rb") : NULL;
}

/* Where writers write to. */
typedef struct sink {
    uint8_t *bytes;
    size_t n, room;
} sink;

static inline bool sink_write(const char *text, size_t length, void *user)
{
    sink *s = user;
    if (length > s->room - s->n) {
        s->room = 2 * s->room + length;
        s->bytes = realloc(s->bytes, s->room);
        MUST(s->bytes);
    }
    memcpy(s->bytes + s->n, text, length);
    s->n += length;
    return true;
}

/* Whether two tensors are the same in type, shape and bits. */
static inline bool is_same(gr_tensor a, gr_tensor b)
{
    const gr_shape s = gr_shape_of(a), t = gr_shape_of(b);
    if (gr_type_of(a) != gr_type_of(b) || s.ndim != t.ndim) return false;
    for (int i = 0; i < s.ndim; i++)
        if (s.dims[i] != t.dims[i]) return false;
    const size_t bytes = (size_t)gr_count(a) * gr_type_size(gr_type_of(a));
    return bytes == 0 || memcmp(gr_data(a), gr_data(b), bytes) == 0;
}

/* A safetensors file of an input. One that begins with a brace is a header and, behind the first zero byte,
   data: the length is put before it, which inputs would rarely get right. Anything else is a file as it is. The
   result is to be freed; *n: its size. */
static inline uint8_t *as_safetensors(const uint8_t *data, size_t size, size_t *n)
{
    const bool bare = size > 0 && data[0] == '{';
    const uint8_t *zero = bare ? memchr(data, 0, size) : NULL;
    const size_t header = zero ? (size_t)(zero - data) : size, rest = zero ? size - header - 1 : 0;
    *n = bare ? 8 + header + rest : size;
    uint8_t *file = malloc(*n + 1);
    MUST(file);
    if (!bare) {
        if (size > 0) memcpy(file, data, size);
        return file;
    }
    for (int i = 0; i < 8; i++) file[i] = (uint8_t)(header >> (8 * i));
    memcpy(file + 8, data, header);
    if (rest > 0) memcpy(file + 8 + header, zero + 1, rest);
    return file;
}

#endif
