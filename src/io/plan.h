/*
 * A plan: which numbers go into a file of tensors, and come back out of it, under which names. Saving and loading
 * make the same plan, so that they cannot differ about what belongs to it.
 *
 * Invariant: checking, fetching and opening change nothing that a user can see, and nothing can fail in
 * gri_plan_commit, which comes after them.
 */
#ifndef GRI_IO_PLAN_H
#define GRI_IO_PLAN_H

#include "io/safetensors.h"

/* A tensor of the graph, or numbers of 8 bytes each that are none. */
typedef struct gri_item {
    size_t name; /* where it begins in the text of the plan */
    const gri_st_type *type;
    gr_shape shape;
    int64_t count;
    gri_node *node;           /* NULL: numbers */
    void *numbers;            /* `count` of them */
    const gri_st_entry *from; /* of the file being loaded */
} gri_item;

typedef struct gri_plan {
    gr_graph *g;
    const char *call; /* "save": begins messages */
    gri_item *item;
    uint32_t n, capacity;
    char *text; /* all names, each with a zero behind it */
    size_t text_used, text_room;
    uint32_t *order; /* by name; made by gri_plan_finish */
} gri_plan;

static inline gri_plan gri_plan_begin(gr_graph *g, const char *call)
{
    return (gri_plan){.g = g, .call = call};
}
void gri_plan_end(gri_plan *p);

/* A name in parts, which are put together. */
#define GRI_PARTS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Adds a tensor, or numbers of a type of 8 bytes, of shape [n]. */
gr_status gri_plan_add(gri_plan *p, gr_tensor t, const char *const *parts);
gr_status gri_plan_add_numbers(gri_plan *p, const char *type, void *numbers, int64_t n,
                               const char *const *parts);
/* After the last one: names must differ, and be names that the format allows. */
gr_status gri_plan_finish(gri_plan *p);

static inline const char *gri_item_name(const gri_plan *p, const gri_item *item)
{
    return p->text + item->name;
}

/* ---- Writing: plan_write.c ---- */

/* What is written: a gri_content (replace.h). */
typedef struct gri_plan_file {
    const gri_plan *plan;
    const gr_metadata *metadata;
    int n_metadata;
} gri_plan_file;
gr_status gri_plan_write(void *plan_file, gr_writer *write, void *user);

/* ---- Loading ---- */

/* What of a file may be there without being planned. */
typedef struct gri_others {
    bool all;
    const char *prefix; /* names that do not begin so; NULL: none */
} gri_others;

/* Finds each item in the file, and makes sure that it is there, of the same type and shape, with elements that
   a tensor can hold, and that nothing else is there. */
gr_status gri_plan_check(gri_plan *p, const gr_safetensors *file, const gri_others *others);
/* Copies numbers out of the file; tensors stay as they are. */
void gri_plan_fetch(const gri_plan *p, const gr_safetensors *file);
/* Makes all tensors writable. */
gr_status gri_plan_open(const gri_plan *p);
/* Writes them. */
void gri_plan_commit(const gri_plan *p, const gr_safetensors *file);

#endif
