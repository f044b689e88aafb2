/* Sorting of indices. */
#ifndef GRI_IO_SORT_H
#define GRI_IO_SORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a comes before b. */
typedef bool gri_before(const void *of, uint32_t a, uint32_t b);

/* Makes order[0 .. n) the indices 0 .. n-1 in ascending order. By heaps: in place, and n log n whatever a hostile file
   holds. Equals come in no particular order. */
void gri_sort(uint32_t *order, uint32_t n, gri_before *before, const void *of);

#endif
