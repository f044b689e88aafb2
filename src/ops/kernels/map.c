/*
 * The walk over axes. Neighbouring axes that all arrays step through evenly are merged first, so that most
 * maps are one row; the last axis is then the row.
 */
#include "ops/kernels/map.h"
#include "ops/kernels/copy.h"

#include <string.h>

enum {
    THREAD_GRAIN = 1 << 15, /* elements below which a thread is not worth waking */
    BLOCK = 256             /* elements of a repeated operand that are written down for a long row */
};

/* Writes BLOCK copies of one element: what there is, behind itself, over and over. */
static void repeat(void *block, const void *from, size_t element)
{
    memcpy(block, from, element);
    for (size_t n = 1; n < BLOCK; n *= 2) memcpy((char *)block + n * element, block, n * element);
}

/* One row. Loops are vectorised for neighbours one apart: for a long row an operand that is repeated is
   written down, as far as it stays in the nearest cache, and the row is taken in pieces of that. */
static void run_row(gri_loop *loop, const void *parameter, int64_t n, int n_arrays, void *const *p,
                    const int64_t *s, const size_t *element)
{
    uint64_t block[GRI_MAP_MOST][BLOCK];
    void *at[GRI_MAP_MOST];
    int64_t steps[GRI_MAP_MOST];
    int repeated = 0;
    bool dense = n >= BLOCK && s[0] == 1;
    for (int i = 1; i < n_arrays && dense; i++) {
        repeated += s[i] == 0;
        dense = s[i] == 0 || s[i] == 1;
    }
    if (!dense || !repeated) {
        loop(n, p, s, parameter);
        return;
    }
    for (int i = 0; i < n_arrays; i++) {
        steps[i] = 1;
        at[i] = i > 0 && s[i] == 0 ? block[i] : p[i];
        if (at[i] == block[i]) repeat(block[i], p[i], element[i]);
    }
    for (int64_t done = 0; done < n; done += BLOCK) {
        loop(n - done < BLOCK ? n - done : BLOCK, at, steps, parameter);
        for (int i = 0; i < n_arrays; i++)
            if (at[i] != block[i]) at[i] = (char *)at[i] + BLOCK * element[i];
    }
}

typedef struct map_plan {
    gri_loop *loop;
    const void *parameter;
    int n; /* arrays; array 0 is the result */
    int ndim;
    int64_t dims[GR_MAX_NDIM];
    int64_t strides[GRI_MAP_MOST][GR_MAX_NDIM];
    size_t element[GRI_MAP_MOST]; /* bytes */
    char *data[GRI_MAP_MOST];
    int64_t rows, row_grain;
} map_plan;

/* Whether axis `outer` steps over axis `inner` without a seam in every array. */
static bool mergeable(const map_plan *plan, int outer, int inner)
{
    for (int i = 0; i < plan->n; i++)
        if (plan->strides[i][outer] != plan->strides[i][inner] * plan->dims[inner]) return false;
    return true;
}

/* Drops axes of size 1 and merges what can be merged. */
static void simplify(map_plan *plan)
{
    int kept = 0;
    for (int axis = 0; axis < plan->ndim; axis++) {
        if (plan->dims[axis] == 1) continue;
        plan->dims[kept] = plan->dims[axis];
        for (int i = 0; i < plan->n; i++) plan->strides[i][kept] = plan->strides[i][axis];
        if (kept > 0 && mergeable(plan, kept - 1, kept)) {
            plan->dims[kept - 1] *= plan->dims[kept];
            for (int i = 0; i < plan->n; i++) plan->strides[i][kept - 1] = plan->strides[i][kept];
        } else {
            kept++;
        }
    }
    plan->ndim = kept;
}

static void add_array(map_plan *plan, const gr_array *a, const gr_array *out)
{
    const int i = plan->n++, missing = out->ndim - a->ndim;
    for (int axis = 0; axis < out->ndim; axis++) {
        const bool repeated = axis < missing || (a->dims[axis - missing] == 1 && out->dims[axis] != 1);
        plan->strides[i][axis] = repeated ? 0 : a->strides[axis - missing];
    }
    plan->element[i] = gr_type_size(a->type);
    plan->data[i] = a->data;
}

/* Rows [first, last) of the plan. */
static void run_rows(const map_plan *plan, int64_t first, int64_t last)
{
    const int row = plan->ndim - 1;
    int64_t index[GR_MAX_NDIM] = {0}, inner[GRI_MAP_MOST];
    void *p[GRI_MAP_MOST];
    int64_t rest = first;
    for (int axis = row - 1; axis >= 0; axis--) {
        index[axis] = rest % plan->dims[axis];
        rest /= plan->dims[axis];
    }
    for (int i = 0; i < plan->n; i++) {
        int64_t offset = 0;
        for (int axis = 0; axis < row; axis++) offset += index[axis] * plan->strides[i][axis];
        p[i] = plan->data[i] + offset * (int64_t)plan->element[i];
        inner[i] = plan->strides[i][row];
    }
    for (int64_t r = first; r < last; r++) {
        run_row(plan->loop, plan->parameter, plan->dims[row], plan->n, p, inner, plan->element);
        for (int axis = row - 1; axis >= 0; axis--) {
            const bool wraps = ++index[axis] == plan->dims[axis];
            for (int i = 0; i < plan->n; i++) {
                const int64_t steps = wraps ? 1 - plan->dims[axis] : 1;
                p[i] = (char *)p[i] + steps * plan->strides[i][axis] * (int64_t)plan->element[i];
            }
            if (!wraps) break;
            index[axis] = 0;
        }
    }
}

static void row_task(void *arg, int64_t task)
{
    const map_plan *plan = arg;
    const int64_t first = task * plan->row_grain, last = first + plan->row_grain;
    run_rows(plan, first, last < plan->rows ? last : plan->rows);
}

/* A part of the only row. */
static void part_task(void *arg, int64_t task)
{
    const map_plan *plan = arg;
    const int64_t first = task * THREAD_GRAIN, left = plan->dims[0] - first;
    int64_t inner[GRI_MAP_MOST];
    void *p[GRI_MAP_MOST];
    for (int i = 0; i < plan->n; i++) {
        inner[i] = plan->strides[i][0];
        p[i] = plan->data[i] + first * inner[i] * (int64_t)plan->element[i];
    }
    run_row(plan->loop, plan->parameter, left < THREAD_GRAIN ? left : THREAD_GRAIN, plan->n, p, inner,
            plan->element);
}

static void run_plan(gri_threads *threads, map_plan *plan)
{
    int64_t rows = 1;
    for (int axis = 0; axis < plan->ndim - 1; axis++) rows *= plan->dims[axis];
    const int64_t row = plan->dims[plan->ndim - 1];
    const bool split = gri_threads_count(threads) > 1 && rows * row >= 2 * THREAD_GRAIN;
    plan->rows = rows;
    if (!split) {
        run_rows(plan, 0, rows);
    } else if (rows == 1) {
        gri_threads_run(threads, (row + THREAD_GRAIN - 1) / THREAD_GRAIN, part_task, plan);
    } else {
        plan->row_grain = row >= THREAD_GRAIN ? 1 : THREAD_GRAIN / row;
        gri_threads_run(threads, (rows + plan->row_grain - 1) / plan->row_grain, row_task, plan);
    }
}

static bool is_row_major(const gr_array *a)
{
    int64_t stride = 1;
    for (int axis = a->ndim - 1; axis >= 0; axis--) {
        if (a->dims[axis] != 1 && a->strides[axis] != stride) return false;
        stride *= a->dims[axis];
    }
    return true;
}

/* Most maps: the result is contiguous, every operand, too, and of its shape, or has one element. */
static bool run_flat(gri_loop *loop, const void *parameter, const gr_array *out, int n_in,
                     const gr_array *const *in)
{
    void *p[GRI_MAP_MOST];
    int64_t s[GRI_MAP_MOST];
    if (!is_row_major(out)) return false; /* a part of a larger one, as in concat */
    p[0] = out->data;
    s[0] = 1;
    for (int i = 0; i < n_in; i++) {
        const gr_array *a = in[i];
        p[i + 1] = a->data;
        if (a->count == 1) {
            s[i + 1] = 0;
        } else if (a->count == out->count) {
            if (!is_row_major(a)) return false;
            s[i + 1] = 1;
        } else {
            return false;
        }
    }
    if (out->count < BLOCK) { /* too short for blocks: small tensors do not pay for them */
        loop(out->count, p, s, parameter);
        return true;
    }
    size_t element[GRI_MAP_MOST] = {gr_type_size(out->type)};
    for (int i = 0; i < n_in; i++) element[i + 1] = gr_type_size(in[i]->type);
    run_row(loop, parameter, out->count, n_in + 1, p, s, element);
    return true;
}

/* By axes: for strided results, too. The result has more than one element. */
static void map_axes(gri_threads *threads, gri_loop *loop, const void *parameter, const gr_array *out,
                     int n_in, const gr_array *const *in)
{
    map_plan plan;
    plan.loop = loop;
    plan.parameter = parameter;
    plan.n = 0;
    plan.ndim = out->ndim;
    memcpy(plan.dims, out->dims, (size_t)out->ndim * sizeof *plan.dims);
    add_array(&plan, out, out);
    for (int i = 0; i < n_in; i++) add_array(&plan, in[i], out);
    simplify(&plan);
    run_plan(threads, &plan);
}

void gri_map_many(gri_threads *threads, gri_loop *loop, const void *parameter, const gr_array *out, int n_in,
                  const gr_array *const *in)
{
    if (out->count == 0) return;
    const bool big = gri_threads_count(threads) > 1 && out->count >= 2 * THREAD_GRAIN;
    if (!big && run_flat(loop, parameter, out, n_in, in)) return;
    map_axes(threads, loop, parameter, out, n_in, in);
}

/* ---- copy.h ---- */

#define COPY_LOOP(BYTES, T) GRI_LOOP1(copy_##BYTES, T, T, x)
COPY_LOOP(1, uint8_t)
COPY_LOOP(4, uint32_t)
COPY_LOOP(8, uint64_t)

void gri_copy_strided(gri_threads *threads, const gr_array *to, const gr_array *from)
{
    const size_t element = gr_type_size(from->type);
    gri_loop *loop = element == 1 ? copy_1 : element == 4 ? copy_4 : copy_8;
    gri_map(threads, loop, NULL, to, 1, &from);
}

void gri_copy_array(void *to, const gr_array *from)
{
    int64_t strides[GR_MAX_NDIM], stride = 1;
    for (int axis = from->ndim - 1; axis >= 0; axis--) {
        strides[axis] = stride;
        stride *= from->dims[axis];
    }
    const gr_array out = {.data = to,
                          .dims = from->dims,
                          .strides = strides,
                          .count = from->count,
                          .type = from->type,
                          .ndim = from->ndim};
    gri_copy_strided(NULL, &out, from);
}
