/*
 * Fast checks: all rows along random directions, a few evaluations each. Where that fails the direction is
 * halved until one element is left.
 */
#include "check/engine.h"

#include <math.h>
#include <string.h>

/* Steps in the direction have few bits, too, so that x + t v is mostly exact. */
static double few_bits(double weight) { return round(weight * 64) / 64; }

/* The largest that is not above it. */
static double power_of_two(double size)
{
    int exponent;
    frexp(size, &exponent);
    return isfinite(size) ? ldexp(1, exponent - 1) : 1;
}

/* v on [first, end), 0 elsewhere. */
static void restrict_to(double *to, const double *v, int64_t n, int64_t first, int64_t end)
{
    memset(to, 0, (size_t)n * sizeof *to);
    memcpy(to + first, v + first, (size_t)(end - first) * sizeof *to);
}

/* Finds an element by which the direction fails, if one of the halves always does. */
static gr_status find_element(gri_level *l, const double *v, double *part)
{
    const int64_t n = l->s->n;
    int64_t first = 0, end = n;
    bool fails = true;
    while (end - first > 1) {
        const int64_t middle = first + (end - first) / 2;
        restrict_to(part, v, n, first, middle);
        gr_status status = gri_compare(l, -1, part, false, &fails);
        if (status != GR_OK) return status;
        if (fails) {
            end = middle;
            continue;
        }
        restrict_to(part, v, n, middle, end);
        status = gri_compare(l, -1, part, false, &fails);
        if (status != GR_OK) return status;
        if (!fails) return GR_OK;
        first = middle;
    }
    return gri_compare(l, first, NULL, true, &fails);
}

gr_status gri_compare_fast(gri_level *l)
{
    const int64_t n = l->s->n;
    double *v, *part;
    gr_status status = gri_level_take(l, n, 1, sizeof *v, &v);
    if (status == GR_OK) status = gri_level_take(l, n, 1, sizeof *part, &part);
    bool found = false;
    for (int d = 0; d < gri_directions(l->o) && status == GR_OK && n > 0; d++) {
        bool fails = false;
        for (int64_t j = 0; j < n; j++)
            v[j] = few_bits(gri_draw_weight(l)) * power_of_two(fmax(fabs(l->x[j]), 1));
        status = gri_compare(l, -1, v, true, &fails);
        if (status == GR_OK && fails && !found) status = find_element(l, v, part);
        found |= fails;
    }
    return status;
}
