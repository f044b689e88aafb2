#include "check/blocks.h"

void *gri_take_matrix(gri_blocks *b, int64_t count, int64_t each, size_t size)
{
    size_t n = SIZE_MAX, bytes = SIZE_MAX;
    void *block = NULL;
    const bool fits = gri_mul_size(count > 0 ? (size_t)count : 1, each > 0 ? (size_t)each : 1, &n) &&
                      gri_mul_size(n, size, &bytes);
    if (fits && b->n < GRI_MOST_BLOCKS) block = gri_alloc_zeroed(b->memory, bytes);
    if (!block) {
        b->refused = bytes;
        return NULL;
    }
    b->list[b->n].block = block;
    b->list[b->n++].bytes = bytes;
    return block;
}

void *gri_take(gri_blocks *b, int64_t count, size_t size) { return gri_take_matrix(b, count, 1, size); }

void gri_give_back(gri_blocks *b)
{
    while (b->n > 0) {
        b->n--;
        gri_free(b->memory, b->list[b->n].block, b->list[b->n].bytes);
    }
}
