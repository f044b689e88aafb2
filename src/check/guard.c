#include "check/guard.h"

#include <string.h>

enum { MARGIN = 64 }; /* numbers; one row too many of most matrices is noticed */

/* A quiet NaN with a payload that no computation makes. */
static const uint64_t untouched = UINT64_C(0x7ff8675261647573);

static void fill(double *at, int64_t count)
{
    for (int64_t i = 0; i < count; i++) memcpy(at + i, &untouched, sizeof untouched);
}

static bool is_untouched(const double *at) { return memcmp(at, &untouched, sizeof untouched) == 0; }

bool gri_guarded_take(gri_guarded *a, gri_blocks *blocks, int64_t rows, int64_t columns)
{
    size_t count, bytes;
    a->data = NULL;
    if (!gri_mul_size((size_t)rows, (size_t)columns, &count) || !gri_add_size(count, 2 * MARGIN, &bytes) ||
        bytes > INT64_MAX / sizeof(double)) {
        blocks->refused = SIZE_MAX;
        return false;
    }
    double *block = gri_take(blocks, (int64_t)bytes, sizeof(double));
    if (!block) return false;
    a->data = block + MARGIN;
    a->count = (int64_t)count;
    return true;
}

void gri_guarded_reset(gri_guarded *a) { fill(a->data - MARGIN, a->count + 2 * MARGIN); }

bool gri_guarded_is_intact(const gri_guarded *a)
{
    for (int64_t i = 1; i <= MARGIN; i++)
        if (!is_untouched(a->data - i) || !is_untouched(a->data + a->count - 1 + i)) return false;
    return true;
}

int64_t gri_guarded_unwritten(const gri_guarded *a)
{
    for (int64_t i = 0; i < a->count; i++)
        if (is_untouched(a->data + i)) return i;
    return -1;
}
