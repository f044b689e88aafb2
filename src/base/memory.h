/*
 * Memory of one graph: a size-class pool over the caller's allocator, with a byte limit and counts.
 *
 * Blocks are 64-byte aligned. Freed blocks go to the free list of their size class and are handed out
 * again without calling the allocator, so a program that repeats itself stops allocating. When the
 * allocator refuses or the limit would be passed, the free lists are given back first and the request is
 * tried once more.
 *
 * Invariant: used <= reserved <= limit, and reserved is what was taken from the allocator and not yet
 * given back.
 */
#ifndef GRI_BASE_MEMORY_H
#define GRI_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "gradus/graph.h"

enum { GRI_ALIGN = 64, GRI_SIZE_CLASSES = 448 };

/* What a block holds while it waits on a free list. */
typedef struct gri_free_block {
    struct gri_free_block *next;
    size_t bytes;
} gri_free_block;

typedef struct gri_memory {
    gr_allocator allocator;
    size_t limit; /* bytes; SIZE_MAX when there is none */
    size_t used, used_peak, reserved, reserved_peak;
    uint64_t allocations; /* calls of the allocator that succeeded */
    bool limit_hit;       /* the last failure came from the limit, not from the allocator */
    gri_free_block *free[GRI_SIZE_CLASSES];
} gri_memory;

void gri_memory_init(gri_memory *m, const gr_allocator *allocator, size_t limit);
/* Gives the cached blocks back. Blocks still in use are the caller's to free first. */
void gri_memory_trim(gri_memory *m);

/* At least `bytes` bytes, 64-byte aligned, not cleared; NULL when memory or limit is exhausted. */
void *gri_alloc(gri_memory *m, size_t bytes);
void *gri_alloc_zeroed(gri_memory *m, size_t bytes);
/* `bytes` must be what was asked for when the block was allocated. NULL is allowed. */
void gri_free(gri_memory *m, void *block, size_t bytes);
/* Grows a block, keeping its first `old_bytes` bytes; on failure NULL, and the old block stays. */
void *gri_grow(gri_memory *m, void *block, size_t old_bytes, size_t new_bytes);

/* a * b and a + b; false on overflow, and then *result is untouched. */
bool gri_mul_size(size_t a, size_t b, size_t *result);
bool gri_add_size(size_t a, size_t b, size_t *result);

#endif
