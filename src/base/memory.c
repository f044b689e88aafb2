/*
 * The pool of memory.h. Size classes: multiples of 64 bytes up to 1 KiB, then eight classes per doubling, so
 * that at most an eighth of a block is wasted.
 */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { SMALL_SHIFT = 6, SMALL_CLASSES = 16, STEPS_SHIFT = 3, SMALL_LIMIT_SHIFT = 10 };

static void *default_allocate(size_t bytes, void *user)
{
    (void)user;
    return aligned_alloc(GRI_ALIGN, bytes);
}

static void default_deallocate(void *block, size_t bytes, void *user)
{
    (void)bytes;
    (void)user;
    free(block);
}

static int highest_bit(size_t x)
{
    int bit = 0;
#if defined(__GNUC__)
    bit = 63 - __builtin_clzll((unsigned long long)x);
#else
    while (x >>= 1) bit++;
#endif
    return bit;
}

/* The class of a request and the size that its blocks have. Requests too large for any class get class -1. */
static int size_class(size_t bytes, size_t *block_bytes)
{
    if (bytes == 0) bytes = 1;
    if (bytes <= (size_t)SMALL_CLASSES << SMALL_SHIFT) {
        const size_t units = (bytes + GRI_ALIGN - 1) >> SMALL_SHIFT;
        *block_bytes = units << SMALL_SHIFT;
        return (int)units - 1;
    }
    if (bytes > SIZE_MAX / 4) return -1;
    const int top = highest_bit(bytes - 1); /* 2^top < bytes <= 2^(top+1), top >= 10 */
    const int shift = top - STEPS_SHIFT;
    const size_t units = ((bytes - 1) >> shift) + 1; /* in (8, 16] */
    *block_bytes = units << shift;
    return SMALL_CLASSES + ((top - SMALL_LIMIT_SHIFT) << STEPS_SHIFT) + (int)units - (1 << STEPS_SHIFT) - 1;
}

void gri_memory_init(gri_memory *m, const gr_allocator *allocator, size_t limit)
{
    memset(m, 0, sizeof *m);
    m->allocator = *allocator;
    if (!m->allocator.allocate) {
        m->allocator.allocate = default_allocate;
        m->allocator.deallocate = default_deallocate;
    }
    m->limit = limit ? limit : SIZE_MAX;
}

void gri_memory_trim(gri_memory *m)
{
    for (int c = 0; c < GRI_SIZE_CLASSES; c++) {
        while (m->free[c]) {
            gri_free_block *block = m->free[c];
            m->free[c] = block->next;
            m->reserved -= block->bytes;
            m->allocator.deallocate(block, block->bytes, m->allocator.user);
        }
    }
}

static void *take_from_allocator(gri_memory *m, size_t bytes)
{
    const bool beyond = bytes > m->limit || m->reserved > m->limit - bytes;
    void *block = beyond ? NULL : m->allocator.allocate(bytes, m->allocator.user);
    if (!block) {
        m->limit_hit = beyond;
        return NULL;
    }
    m->allocations++;
    m->reserved += bytes;
    if (m->reserved > m->reserved_peak) m->reserved_peak = m->reserved;
    return block;
}

void *gri_alloc(gri_memory *m, size_t bytes)
{
    size_t block_bytes = 0;
    const int c = size_class(bytes, &block_bytes);
    if (c < 0) {
        m->limit_hit = m->limit != SIZE_MAX;
        return NULL;
    }
    void *block = m->free[c];
    if (block) {
        m->free[c] = m->free[c]->next;
    } else {
        block = take_from_allocator(m, block_bytes);
        if (!block) {
            gri_memory_trim(m);
            block = take_from_allocator(m, block_bytes);
        }
        if (!block) return NULL;
    }
    m->used += block_bytes;
    if (m->used > m->used_peak) m->used_peak = m->used;
    return block;
}

void *gri_alloc_zeroed(gri_memory *m, size_t bytes)
{
    void *block = gri_alloc(m, bytes);
    if (block) memset(block, 0, bytes);
    return block;
}

void gri_free(gri_memory *m, void *block, size_t bytes)
{
    if (!block) return;
    size_t block_bytes = 0;
    const int c = size_class(bytes, &block_bytes);
    gri_free_block *free_block = block;
    free_block->bytes = block_bytes;
    free_block->next = m->free[c];
    m->free[c] = free_block;
    m->used -= block_bytes;
}

void *gri_grow(gri_memory *m, void *block, size_t old_bytes, size_t new_bytes)
{
    void *larger = gri_alloc(m, new_bytes);
    if (!larger) return NULL;
    if (block) memcpy(larger, block, old_bytes);
    gri_free(m, block, old_bytes);
    return larger;
}

bool gri_mul_size(size_t a, size_t b, size_t *result)
{
    if (a != 0 && b > SIZE_MAX / a) return false;
    *result = a * b;
    return true;
}

bool gri_add_size(size_t a, size_t b, size_t *result)
{
    if (b > SIZE_MAX - a) return false;
    *result = a + b;
    return true;
}
