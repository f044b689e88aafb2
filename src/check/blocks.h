/*
 * Blocks of memory that are freed together.
 */
#ifndef GRI_CHECK_BLOCKS_H
#define GRI_CHECK_BLOCKS_H

#include "base/memory.h"

enum { GRI_MOST_BLOCKS = 32 };

typedef struct gri_blocks {
    gri_memory *memory;
    size_t refused; /* bytes of the request that failed; 0: none did */
    int n;
    struct {
        void *block;
        size_t bytes;
    } list[GRI_MOST_BLOCKS];
} gri_blocks;

/* `count` things of `size` bytes, all zero; NULL, and `refused` set, if they cannot be had. Of 0 things: a
   block all the same. */
void *gri_take(gri_blocks *b, int64_t count, size_t size);
/* The same for count x each. */
void *gri_take_matrix(gri_blocks *b, int64_t count, int64_t each, size_t size);
void gri_give_back(gri_blocks *b);

#endif
