/* Sorting of indices: see sort.h. */
#include "io/sort.h"

static void swap(uint32_t *a, uint32_t *b)
{
    const uint32_t t = *a;
    *a = *b;
    *b = t;
}

/* Restores the heap order[root .. n), largest first, where the root alone may be out of order. */
static void sift(uint32_t *order, size_t root, size_t n, gri_before *before, const void *of)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && before(of, order[child], order[child + 1])) child++;
        if (!before(of, order[root], order[child])) return;
        swap(&order[root], &order[child]);
    }
}

void gri_sort(uint32_t *order, uint32_t n, gri_before *before, const void *of)
{
    for (uint32_t i = 0; i < n; i++) order[i] = i;
    for (size_t root = n / 2; root-- > 0;) sift(order, root, n, before, of);
    for (size_t left = n; left-- > 1;) {
        swap(&order[0], &order[left]);
        sift(order, 0, left, before, of);
    }
}
