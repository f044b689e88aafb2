/* Windows along an axis: which of them see an element. */
#ifndef GRI_OPS_KERNELS_WINDOWS_H
#define GRI_OPS_KERNELS_WINDOWS_H

#include <stdint.h>

/* Of windows 0 to n - 1, those in [*start, *end) see an element: window r sees position offset + r stride of an
   axis of `size` elements, if there is such a position. */
static inline void gri_windows_seeing(int64_t offset, int64_t stride, int64_t size, int64_t n, int64_t *start,
                                      int64_t *end)
{
    const int64_t first = offset < 0 ? (-offset + stride - 1) / stride : 0;
    const int64_t behind = size > offset ? (size - 1 - offset) / stride + 1 : 0;
    *start = first < n ? first : n;
    *end = behind < n ? behind : n;
    if (*end < *start) *end = *start;
}

#endif
