/*
 * Pooling, a row of windows at a time: the inner loops go along the row, so that they vectorise. Means are
 * summed in double, first over the rows of the windows, then over their columns.
 */
#include "ops/kernels/pooling.h"
#include "ops/kernels/windows.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum { BLOCK = 128 };     /* windows of a row, or columns, that are computed together */
enum { GRAIN = 1 << 14 }; /* elements that pay for a task */

static int64_t smaller(int64_t x, int64_t y) { return x < y ? x : y; }
static int64_t larger(int64_t x, int64_t y) { return x > y ? x : y; }

typedef struct job job;
typedef void plane_function(const job *j, int64_t plane);

struct job {
    const gri_pool *p;
    const void *x, *gy;
    void *y, *gx;
    int32_t *positions;
    plane_function *plane;
    int64_t per_task;
};

static int64_t elements(const gri_pool *p) { return p->axis[0].size * p->axis[1].size; }
static int64_t windows(const gri_pool *p) { return p->axis[0].result * p->axis[1].result; }

/* ---- The largest ---- */

/* One tap over windows [start, end): each sees x[place + s step]. A constant step vectorises. */
#define LARGER_LOOP(STEP)                                                      \
    for (INDEX_ s = (INDEX_)start; s < (INDEX_)end; s++) {                     \
        const INDEX_ from = place + s * (STEP);                                \
        best[s] = x[from] > best[s] || x[from] != x[from] ? x[from] : best[s]; \
    }
#define LARGEST_LOOP(STEP)                                                           \
    for (INDEX_ s = (INDEX_)start; s < (INDEX_)end; s++) {                           \
        const INDEX_ from = place + s * (STEP);                                      \
        const bool taken = (x[from] > best[s]) | (x[from] != x[from]) | (at[s] < 0); \
        best[s] = taken ? x[from] : best[s];                                         \
        at[s] = taken ? from : at[s];                                                \
    }

#define MAX_POOL(SUFFIX, T, INDEX)                                                                             \
    static void tap_##SUFFIX(const T *restrict x, int64_t start, int64_t end, INDEX place, INDEX step,         \
                             T *restrict best, INDEX *restrict at)                                             \
    {                                                                                                          \
        typedef INDEX INDEX_;                                                                                  \
        if (!at && step == 1)                                                                                  \
            LARGER_LOOP(1)                                                                                     \
        else if (!at && step == 2)                                                                             \
            LARGER_LOOP(2)                                                                                     \
        else if (!at)                                                                                          \
            LARGER_LOOP(step)                                                                                  \
        else if (step == 2)                                                                                    \
            LARGEST_LOOP(2)                                                                                    \
        else                                                                                                   \
            LARGEST_LOOP(step)                                                                                 \
    }                                                                                                          \
    /* Window s of row r, for s in [first, first + n): the largest elements, and, unless NULL, their         \
       positions. */ \
    static void largest_##SUFFIX(const gri_pool *p, const T *x, int64_t r, int64_t first, int64_t n,           \
                                 T *best, INDEX *at)                                                           \
    {                                                                                                          \
        const gri_pool_axis *row = &p->axis[0], *col = &p->axis[1];                                            \
        for (int64_t s = 0; s < n; s++) best[s] = (T)-INFINITY;                                                \
        for (int64_t s = 0; at && s < n; s++) at[s] = -1;                                                      \
        for (int64_t i = 0; i < row->kernel; i++) {                                                            \
            const int64_t h = r * row->stride - row->padding + i * row->dilation;                              \
            if (h < 0 || h >= row->size) continue;                                                             \
            for (int64_t j = 0; j < col->kernel; j++) {                                                        \
                int64_t start, end;                                                                            \
                const int64_t v = first * col->stride - col->padding + j * col->dilation;                      \
                gri_windows_seeing(v, col->stride, col->size, n, &start, &end);                                \
                tap_##SUFFIX(x, start, end, (INDEX)(h * col->size + v), (INDEX)col->stride, best, at);         \
            }                                                                                                  \
        }                                                                                                      \
    }                                                                                                          \
    static void max_plane_##SUFFIX(const job *j, int64_t plane)                                                \
    {                                                                                                          \
        const gri_pool *p = j->p;                                                                              \
        const T *x = (const T *)j->x + plane * elements(p);                                                    \
        T best[BLOCK];                                                                                         \
        INDEX at[BLOCK];                                                                                       \
        INDEX *positions = j->positions || j->gx ? at : NULL;                                                  \
        if (j->gx) memset((T *)j->gx + plane * elements(p), 0, (size_t)elements(p) * sizeof(T));               \
        for (int64_t r = 0; r < p->axis[0].result; r++)                                                        \
            for (int64_t first = 0; first < p->axis[1].result; first += BLOCK) {                               \
                const int64_t n = smaller(BLOCK, p->axis[1].result - first);                                   \
                const int64_t to = plane * windows(p) + r * p->axis[1].result + first;                         \
                largest_##SUFFIX(p, x, r, first, n, best, positions);                                          \
                if (j->y) memcpy((T *)j->y + to, best, (size_t)n * sizeof(T));                                 \
                for (int64_t s = 0; s < n && j->positions; s++) j->positions[to + s] = (int32_t)at[s];         \
                for (int64_t s = 0; s < n && j->gx; s++)                                                       \
                    ((T *)j->gx)[plane * elements(p) + at[s]] += ((const T *)j->gy)[to + s];                   \
            }                                                                                                  \
    }
/* Positions are as wide as elements, which vectorises. */
MAX_POOL(f32, float, int32_t)
MAX_POOL(f64, double, int64_t)

/* ---- The mean ---- */

/* The elements of window r, and how many the mean is over. */
static int64_t window(const gri_pool_axis *a, int64_t r, int64_t *start, int64_t *end)
{
    if (a->adaptive) {
        *start = r * a->size / a->result;
        *end = ((r + 1) * a->size + a->result - 1) / a->result;
        return *end - *start;
    }
    const int64_t first = r * a->stride - a->padding,
                  behind = smaller(first + a->kernel, a->size + a->padding);
    *start = larger(first, 0);
    *end = smaller(behind, a->size);
    if (a->divisor) return a->divisor;
    return a->exclude_padding ? *end - *start : behind - first;
}

/* Windows [first, last) of a row whose columns, [low, high), fit into a block; or one that does not fit. */
typedef struct stretch {
    int64_t first, last, low, high;
} stretch;

static stretch next_stretch(const gri_pool_axis *a, int64_t first)
{
    stretch s = {.first = first, .last = first};
    int64_t start, end;
    window(a, first, &s.low, &s.high);
    for (int64_t r = first; r < a->result; r++, s.last = r) {
        window(a, r, &start, &end);
        if (r > first && (end - s.low > BLOCK || r - first == BLOCK)) break;
        s.high = end;
    }
    return s;
}

#define AVG_POOL(SUFFIX, T)                                                                           \
    /* total[s] = sum over rows [top, bottom) of window s */                                          \
    static void sum_##SUFFIX(const gri_pool_axis *col, const T *x, int64_t top, int64_t bottom,       \
                             const stretch *s, double *total)                                         \
    {                                                                                                 \
        double column[BLOCK];                                                                         \
        for (int64_t k = s->first; k < s->last; k++) total[k - s->first] = 0;                         \
        for (int64_t low = s->low; low < s->high; low += BLOCK) {                                     \
            const int64_t n = smaller(BLOCK, s->high - low);                                          \
            for (int64_t v = 0; v < n; v++) column[v] = 0;                                            \
            for (int64_t h = top; h < bottom; h++)                                                    \
                for (int64_t v = 0; v < n; v++) column[v] += (double)x[h * col->size + low + v];      \
            for (int64_t k = s->first; k < s->last; k++) {                                            \
                int64_t start, end;                                                                   \
                window(col, k, &start, &end);                                                         \
                for (int64_t v = larger(start, low); v < smaller(end, low + n); v++)                  \
                    total[k - s->first] += column[v - low];                                           \
            }                                                                                         \
        }                                                                                             \
    }                                                                                                 \
    /* share[s] added to rows [top, bottom) of window s */                                            \
    static void spread_##SUFFIX(const gri_pool_axis *col, T *x, int64_t top, int64_t bottom,          \
                                const stretch *s, const double *share)                                \
    {                                                                                                 \
        double column[BLOCK];                                                                         \
        for (int64_t low = s->low; low < s->high; low += BLOCK) {                                     \
            const int64_t n = smaller(BLOCK, s->high - low);                                          \
            for (int64_t v = 0; v < n; v++) column[v] = 0;                                            \
            for (int64_t k = s->first; k < s->last; k++) {                                            \
                int64_t start, end;                                                                   \
                window(col, k, &start, &end);                                                         \
                for (int64_t v = larger(start, low); v < smaller(end, low + n); v++)                  \
                    column[v - low] += share[k - s->first];                                           \
            }                                                                                         \
            for (int64_t h = top; h < bottom; h++)                                                    \
                for (int64_t v = 0; v < n; v++)                                                       \
                    x[h * col->size + low + v] = (T)((double)x[h * col->size + low + v] + column[v]); \
        }                                                                                             \
    }                                                                                                 \
    static void avg_plane_##SUFFIX(const job *j, int64_t plane)                                       \
    {                                                                                                 \
        const gri_pool_axis *row = &j->p->axis[0], *col = &j->p->axis[1];                             \
        const int64_t at = plane * elements(j->p);                                                    \
        double value[BLOCK];                                                                          \
        if (j->gx) memset((T *)j->gx + at, 0, (size_t)elements(j->p) * sizeof(T));                    \
        for (int64_t r = 0; r < row->result; r++) {                                                   \
            int64_t top, bottom, start, end;                                                          \
            const double rows = (double)window(row, r, &top, &bottom);                                \
            for (stretch s = {0}; s.last < col->result;) {                                            \
                s = next_stretch(col, s.last);                                                        \
                const int64_t to = plane * windows(j->p) + r * col->result;                           \
                if (j->y) sum_##SUFFIX(col, (const T *)j->x + at, top, bottom, &s, value);            \
                for (int64_t k = s.first; k < s.last; k++) {                                          \
                    const double n = rows * (double)window(col, k, &start, &end);                     \
                    if (j->y)                                                                         \
                        ((T *)j->y)[to + k] = (T)(value[k - s.first] / n);                            \
                    else                                                                              \
                        value[k - s.first] = (double)((const T *)j->gy)[to + k] / n;                  \
                }                                                                                     \
                if (j->gx) spread_##SUFFIX(col, (T *)j->gx + at, top, bottom, &s, value);             \
            }                                                                                         \
        }                                                                                             \
    }
AVG_POOL(f32, float)
AVG_POOL(f64, double)

/* ---- Over the planes ---- */

static void planes_task(void *arg, int64_t task)
{
    const job *j = arg;
    const int64_t end = smaller(j->p->planes, (task + 1) * j->per_task);
    for (int64_t plane = task * j->per_task; plane < end; plane++) j->plane(j, plane);
}

static void run(gri_threads *threads, job *j)
{
    j->per_task = larger(1, GRAIN / larger(1, elements(j->p)));
    const int64_t tasks = (j->p->planes + j->per_task - 1) / j->per_task;
    if (tasks == 1)
        planes_task(j, 0);
    else
        gri_threads_run(threads, tasks, planes_task, j);
}

void gri_max_pool(gri_threads *threads, const gri_pool *p, const void *x, void *y, int32_t *positions)
{
    job j = {.p = p, .x = x, .y = y, .positions = positions};
    j.plane = p->is_f64 ? max_plane_f64 : max_plane_f32;
    run(threads, &j);
}

void gri_max_pool_back(gri_threads *threads, const gri_pool *p, const void *x, const void *gy, void *gx)
{
    job j = {.p = p, .x = x, .gy = gy, .gx = gx};
    j.plane = p->is_f64 ? max_plane_f64 : max_plane_f32;
    run(threads, &j);
}

void gri_avg_pool(gri_threads *threads, const gri_pool *p, const void *x, void *y)
{
    job j = {.p = p, .x = x, .y = y};
    j.plane = p->is_f64 ? avg_plane_f64 : avg_plane_f32;
    run(threads, &j);
}

void gri_avg_pool_back(gri_threads *threads, const gri_pool *p, const void *gy, void *gx)
{
    job j = {.p = p, .gy = gy, .gx = gx};
    j.plane = p->is_f64 ? avg_plane_f64 : avg_plane_f32;
    run(threads, &j);
}
