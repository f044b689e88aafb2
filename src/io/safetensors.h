/*
 * Files of tensors, as what reads and writes them share: types, and the index of a file that has been read.
 *
 * Invariant: an index that exists has been checked against its file, every entry of it: name, type, shape and place
 * can be believed.
 */
#ifndef GRI_IO_SAFETENSORS_H
#define GRI_IO_SAFETENSORS_H

#include "gradus/save.h"
#include "io/elements.h"
#include "io/source.h"

enum { GRI_ST_LENGTH_BYTES = 8, GRI_ST_ALIGN = 8 };
/* What the format allows for a header. */
#define GRI_ST_MOST_HEADER ((size_t)100000000)
#define GRI_ST_METADATA    "__metadata__"

/* A type of the format. The table is in the order in which files have them, the last first. */
typedef struct gri_st_type {
    const char *name;
    gri_elements elements;
} gri_st_type;
extern const gri_st_type gri_st_types[];
extern const int gri_st_type_count;
const gri_st_type *gri_st_type_find(const char *name);
const gri_st_type *gri_st_type_of(gr_type type);

typedef struct gri_st_entry {
    const char *name;
    const gri_st_type *type;
    gr_shape shape;
    int64_t count;
    int64_t begin, end; /* in bytes from the first one behind the header */
} gri_st_entry;

struct gr_safetensors {
    gr_graph *graph;
    gri_source source;
    const uint8_t *data; /* the first byte behind the header */
    gri_st_entry *entry; /* in the order of the header */
    gr_metadata *metadata;
    uint32_t n, capacity, n_metadata, metadata_capacity;
    uint32_t *by_name; /* indices of entries */
    char *strings;     /* of the header, decoded */
    size_t string_bytes;
};

static inline const uint8_t *gri_st_data(const gr_safetensors *file, const gri_st_entry *e)
{
    return file->data + e->begin;
}

/* Checks that each element of an entry is one that a tensor can hold. `call` and `name` are for the message: the call and
   the file. */
gr_status gri_st_check_elements(gr_graph *g, const char *call, const gr_safetensors *file,
                                const gri_st_entry *e);

#endif
