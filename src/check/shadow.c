/*
 * A tensor and its shadow. Axes along which elements are repeated are walked once: what an expanded tensor
 * costs is what it holds.
 */
#include "check/shadow.h"

#include <math.h>
#include <string.h>

enum { MOST_ARRAYS = 3 };

/* ---- Walking over arrays of one shape ---- */

typedef struct cursor {
    int ndim, n; /* axes, arrays */
    int64_t dims[GR_MAX_NDIM], index[GR_MAX_NDIM];
    int64_t strides[MOST_ARRAYS][GR_MAX_NDIM];
    int64_t offset[MOST_ARRAYS];
} cursor;

static cursor start(int n, const gr_array *const *arrays)
{
    cursor c = {.ndim = arrays[0]->ndim, .n = n};
    for (int axis = 0; axis < c.ndim; axis++) {
        bool repeated = true;
        for (int k = 0; k < n; k++) {
            c.strides[k][axis] = arrays[k]->strides[axis];
            repeated &= arrays[k]->strides[axis] == 0;
        }
        c.dims[axis] = repeated ? 1 : arrays[0]->dims[axis];
    }
    return c;
}

/* On to the next element; false after the last one. */
static bool advance(cursor *c)
{
    for (int axis = c->ndim - 1; axis >= 0; axis--) {
        const bool wraps = ++c->index[axis] == c->dims[axis];
        for (int k = 0; k < c->n; k++)
            c->offset[k] += wraps ? -(c->dims[axis] - 1) * c->strides[k][axis] : c->strides[k][axis];
        if (!wraps) return true;
        c->index[axis] = 0;
    }
    return false;
}

/* ---- Converting ---- */

/* The offsets of the outermost elements, in elements. */
static void reach(const gr_array *a, int64_t *low, int64_t *high)
{
    *low = *high = 0;
    for (int axis = 0; axis < a->ndim; axis++)
        *(a->strides[axis] < 0 ? low : high) += (a->dims[axis] - 1) * a->strides[axis];
}

/* A leaf of the same layout; elements not set. */
static gri_node *push_like(gr_graph *g, const gri_node *node, gr_type type)
{
    const gr_array *a = &node->array;
    gri_recipe r = {.type = type, .ndim = a->ndim, .dims = a->dims, .count = a->count};
    if ((node->flags & GRI_CONTIGUOUS) || a->count == 0) return gri_push(g, &r);
    int64_t low, high;
    reach(a, &low, &high);
    const size_t element = gri_element_bytes(type), bytes = (size_t)(high - low + 1) * element;
    r.buffer = gri_buffer_create(g, bytes);
    if (!r.buffer) {
        gri_fail_memory(g, "precision_shadow", bytes);
        return NULL;
    }
    memset(gri_buffer_data(r.buffer), 0, bytes); /* what lies between the elements */
    r.data = (char *)gri_buffer_data(r.buffer) + (size_t)-low * element;
    r.strides = a->strides;
    gri_node *copy = gri_push(g, &r);
    gri_buffer_release(g, r.buffer);
    return copy;
}

gri_node *gri_convert(gr_graph *g, const gri_node *node, gr_type type)
{
    gri_node *copy = push_like(g, node, type);
    if (!copy || copy->array.count == 0) return copy;
    const gr_array *const arrays[] = {&copy->array, &node->array};
    cursor c = start(2, arrays);
    do {
        const double x = gri_element(&node->array, c.offset[1]);
        if (type == GR_F64)
            ((double *)copy->array.data)[c.offset[0]] = x;
        else
            ((float *)copy->array.data)[c.offset[0]] = (float)x;
    } while (advance(&c));
    return copy;
}

/* ---- Comparing ---- */

static bool is_same(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

/* |a - b|; infinite if one of them is no number and the other is something else. */
static double distance(double a, double b)
{
    if (is_same(a, b)) return 0;
    return isfinite(a) && isfinite(b) ? fabs(a - b) : INFINITY;
}

static double ratio(double error, double size) { return error == 0 ? 0 : error / size; }

static double larger(double a, double b) { return a > b ? a : b; }

/* What has been seen so far: errors, relative ones if elementwise. */
typedef struct tally {
    gri_discrepancy d;
    double worst, size; /* error of the worst element; size of the largest shadow */
} tally;

static void look_at(tally *t, const cursor *c, double value, double exact, double local,
                    const gri_measure_of_error *m)
{
    const double own = isfinite(exact) ? larger(fabs(exact), m->tiny) : m->tiny;
    const double size = m->elementwise ? own : 1, whole = distance(value, exact);
    const double error = ratio(whole, size);
    const bool broken = isinf(whole);
    t->size = larger(t->size, own);
    t->d.error = larger(t->d.error, error);
    t->d.made = larger(t->d.made, ratio(distance(value, local), size));
    t->d.inherited = larger(t->d.inherited, ratio(distance(local, exact), size));
    t->d.same &= whole == 0;
    t->d.broken += broken;
    if (broken ? t->d.broken > 1 : t->d.broken > 0 || error <= t->worst) return;
    t->worst = error;
    memcpy(t->d.index, c->index, sizeof t->d.index);
    t->d.value = value;
    t->d.exact = exact;
}

gri_discrepancy gri_discrepancy_of(const gr_array *value, const gr_array *shadow, const gr_array *local,
                                   gri_measure_of_error measure)
{
    tally t = {.d = {.same = true}, .worst = -1, .size = measure.tiny};
    if (value->count == 0) return t.d;
    const gr_array *const arrays[] = {value, shadow, local ? local : value};
    cursor c = start(MOST_ARRAYS, arrays);
    do {
        look_at(&t, &c, gri_element(arrays[0], c.offset[0]), gri_element(arrays[1], c.offset[1]),
                gri_element(arrays[2], c.offset[2]), &measure);
    } while (advance(&c));
    if (!measure.elementwise) {
        t.d.error = ratio(t.d.error, t.size);
        t.d.made = ratio(t.d.made, t.size);
        t.d.inherited = ratio(t.d.inherited, t.size);
    }
    return t.d;
}
