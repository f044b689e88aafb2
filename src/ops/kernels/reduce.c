/*
 * Two walks. If the axis whose elements lie closest together is reduced, each result folds whole rows, in
 * LANES running results that are joined at the end in a fixed order. If it is kept, a strip of STRIP
 * neighbouring results is folded at once, row after row, so that memory is read in its order.
 */
#include "ops/kernels/reduce.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum { LANES = 16, STRIP = 64, BLOCK = 1024, TASK_GRAIN = 1 << 15 };

typedef struct axes_list {
    int n;
    int64_t dims[GR_MAX_NDIM], strides[GR_MAX_NDIM];
    int64_t count;
} axes_list;

typedef struct reduction reduction;
typedef void fold_one(const reduction *r, int64_t out_index, int64_t in_offset);
typedef void fold_strip(const reduction *r, int64_t out_index, int64_t in_offset, int64_t n);

struct reduction {
    axes_list kept, reduced;
    const gr_array *in, *out;
    fold_one *one;
    fold_strip *strip;
    int64_t per_task; /* results, or strips */
    int64_t strips_per_row;
};

static void add_axis(axes_list *list, int64_t dim, int64_t stride)
{
    list->count *= dim;
    if (dim == 1) return;
    if (list->n > 0 && list->strides[list->n - 1] == stride * dim) { /* runs on without a seam */
        list->dims[list->n - 1] *= dim;
        list->strides[list->n - 1] = stride;
        return;
    }
    list->dims[list->n] = dim;
    list->strides[list->n++] = stride;
}

/* Offset of the element with row-major number `index` over the first `n` axes of the list. */
static int64_t offset_of(const axes_list *list, int n, int64_t index)
{
    int64_t offset = 0;
    for (int axis = n - 1; axis >= 0; axis--) {
        offset += index % list->dims[axis] * list->strides[axis];
        index /= list->dims[axis];
    }
    return offset;
}

/* Defines the two folds of one reduction for element type T and running type A. START: the result of nothing.
   JOIN(r, x): the running result r and one more. BLOCKED: whether running results are set aside every BLOCK
   rows and joined later. */
#define FOLDS(NAME, T, A, START, JOIN)                                                                     \
    static A NAME##_row(const T *x, int64_t n, int64_t s)                                                  \
    {                                                                                                      \
        A total = START;                                                                                   \
        if (n < LANES) {                                                                                   \
            for (int64_t i = 0; i < n; i++) total = JOIN(total, (A)x[i * s]);                              \
            return total;                                                                                  \
        }                                                                                                  \
        for (int64_t first = 0; first < n; first += BLOCK) {                                               \
            const int64_t m = n - first < BLOCK ? n - first : BLOCK;                                       \
            const T *restrict b = x + first * s;                                                           \
            A lane[LANES];                                                                                 \
            for (int l = 0; l < LANES; l++) lane[l] = START;                                               \
            int64_t i = 0;                                                                                 \
            if (s == 1) {                                                                                  \
                for (; i + LANES <= m; i += LANES)                                                         \
                    for (int l = 0; l < LANES; l++) lane[l] = JOIN(lane[l], (A)b[i + l]);                  \
            }                                                                                              \
            for (; i < m; i++) lane[i % LANES] = JOIN(lane[i % LANES], (A)b[i * s]);                       \
            for (int width = LANES / 2; width > 0; width /= 2)                                             \
                for (int l = 0; l < width; l++) lane[l] = JOIN(lane[l], lane[l + width]);                  \
            total = JOIN(total, lane[0]);                                                                  \
        }                                                                                                  \
        return total;                                                                                      \
    }                                                                                                      \
    static void NAME##_one(const reduction *r, int64_t out_index, int64_t in_offset)                       \
    {                                                                                                      \
        const T *x = (const T *)r->in->data + in_offset;                                                   \
        const axes_list *list = &r->reduced;                                                               \
        const int last = list->n - 1;                                                                      \
        const int64_t n = list->n ? list->dims[last] : list->count, s = list->n ? list->strides[last] : 1; \
        const int64_t rows = n ? list->count / n : 0;                                                      \
        A total = START;                                                                                   \
        for (int64_t row = 0; row < rows; row++) {                                                         \
            const A part = NAME##_row(x + offset_of(list, last, row), n, s);                               \
            total = JOIN(total, part);                                                                     \
        }                                                                                                  \
        ((T *)r->out->data)[out_index] = (T)total;                                                         \
    }                                                                                                      \
    static void NAME##_strip(const reduction *r, int64_t out_index, int64_t in_offset, int64_t n)          \
    {                                                                                                      \
        const axes_list *list = &r->reduced;                                                               \
        const int64_t step = r->kept.strides[r->kept.n - 1];                                               \
        const T *base = (const T *)r->in->data + in_offset;                                                \
        A total[STRIP], running[STRIP];                                                                    \
        for (int64_t j = 0; j < n; j++) total[j] = START;                                                  \
        for (int64_t first = 0; first < list->count; first += BLOCK) {                                     \
            const int64_t end = list->count - first < BLOCK ? list->count : first + BLOCK;                 \
            for (int64_t j = 0; j < n; j++) running[j] = START;                                            \
            for (int64_t row = first; row < end; row++) {                                                  \
                const T *restrict x = base + offset_of(list, list->n, row);                                \
                if (step == 1) {                                                                           \
                    for (int64_t j = 0; j < n; j++) running[j] = JOIN(running[j], (A)x[j]);                \
                } else {                                                                                   \
                    for (int64_t j = 0; j < n; j++) running[j] = JOIN(running[j], (A)x[j * step]);         \
                }                                                                                          \
            }                                                                                              \
            for (int64_t j = 0; j < n; j++) total[j] = JOIN(total[j], running[j]);                         \
        }                                                                                                  \
        for (int64_t j = 0; j < n; j++) ((T *)r->out->data)[out_index + j] = (T)total[j];                  \
    }

#define PLUS(R, X)    ((R) + (X))
#define TIMES(R, X)   ((R) * (X))
#define LARGER(R, X)  ((X) > (R) || (X) != (X) ? (X) : (R))
#define SMALLER(R, X) ((X) < (R) || (X) != (X) ? (X) : (R))
#define OR(R, X)      ((uint8_t)((R) | ((X) != 0)))
#define AND(R, X)     ((uint8_t)((R) & ((X) != 0)))
/* i32 sums wrap around, as arithmetic on i32 does; addition of uint64_t does so without being undefined. */
#define PLUS_I32(R, X) ((R) + (X))

FOLDS(sum_f32, float, double, 0.0, PLUS)
FOLDS(sum_f64, double, double, 0.0, PLUS)
FOLDS(sum_i32, int32_t, int64_t, 0, PLUS_I32)
FOLDS(prod_f32, float, double, 1.0, TIMES)
FOLDS(prod_f64, double, double, 1.0, TIMES)
FOLDS(prod_i32, int32_t, uint32_t, 1, TIMES)
FOLDS(max_f32, float, float, -INFINITY, LARGER)
FOLDS(max_f64, double, double, (double)-INFINITY, LARGER)
FOLDS(max_i32, int32_t, int32_t, INT32_MIN, LARGER)
FOLDS(min_f32, float, float, INFINITY, SMALLER)
FOLDS(min_f64, double, double, (double)INFINITY, SMALLER)
FOLDS(min_i32, int32_t, int32_t, INT32_MAX, SMALLER)
FOLDS(any_bool, uint8_t, uint8_t, 0, OR)
FOLDS(all_bool, uint8_t, uint8_t, 1, AND)

static void one_task(void *arg, int64_t task)
{
    const reduction *r = arg;
    const int64_t first = task * r->per_task, end = first + r->per_task;
    for (int64_t o = first; o < end && o < r->out->count; o++)
        r->one(r, o, offset_of(&r->kept, r->kept.n, o));
}

static void strip_task(void *arg, int64_t task)
{
    const reduction *r = arg;
    const int64_t row_length = r->kept.dims[r->kept.n - 1], rows = r->kept.count / row_length;
    const int64_t first = task * r->per_task, end = first + r->per_task;
    for (int64_t k = first; k < end && k < rows * r->strips_per_row; k++) {
        const int64_t row = k / r->strips_per_row, at = k % r->strips_per_row * STRIP;
        const int64_t n = row_length - at < STRIP ? row_length - at : STRIP;
        const int64_t offset = offset_of(&r->kept, r->kept.n - 1, row) + at * r->kept.strides[r->kept.n - 1];
        r->strip(r, row * row_length + at, offset, n);
    }
}

static void reduce(gri_threads *threads, const gr_array *out, const gr_array *in, uint32_t axes,
                   fold_one *one, fold_strip *strip)
{
    if (out->count == 0) return;
    reduction r = {.in = in, .out = out, .one = one, .strip = strip};
    r.kept.count = r.reduced.count = 1;
    for (int axis = 0; axis < in->ndim; axis++)
        add_axis(axes >> axis & 1 ? &r.reduced : &r.kept, in->dims[axis], in->strides[axis]);
    const int64_t kept_step = r.kept.n ? llabs(r.kept.strides[r.kept.n - 1]) : INT64_MAX;
    const int64_t reduced_step = r.reduced.n ? llabs(r.reduced.strides[r.reduced.n - 1]) : 0;
    const bool strips = r.reduced.count > 0 && r.kept.n > 0 && r.reduced.n > 0 && kept_step < reduced_step;
    int64_t units = out->count;
    if (strips) {
        const int64_t row_length = r.kept.dims[r.kept.n - 1];
        r.strips_per_row = (row_length + STRIP - 1) / STRIP;
        units = r.kept.count / row_length * r.strips_per_row;
    }
    const int64_t work = r.reduced.count * (strips ? STRIP : 1);
    r.per_task = work >= TASK_GRAIN ? 1 : TASK_GRAIN / (work ? work : 1);
    gri_task *task = strips ? strip_task : one_task;
    const int64_t tasks = (units + r.per_task - 1) / r.per_task;
    if (tasks == 1)
        task(&r, 0);
    else
        gri_threads_run(threads, tasks, task, &r);
}

/* The reductions of numbers: f32, f64, i32. */
#define REDUCE_NUMBERS(NAME)                                                                             \
    void gri_reduce_##NAME(gri_threads *threads, const gr_array *out, const gr_array *in, uint32_t axes) \
    {                                                                                                    \
        if (in->type == GR_F32)                                                                          \
            reduce(threads, out, in, axes, NAME##_f32_one, NAME##_f32_strip);                            \
        else if (in->type == GR_F64)                                                                     \
            reduce(threads, out, in, axes, NAME##_f64_one, NAME##_f64_strip);                            \
        else                                                                                             \
            reduce(threads, out, in, axes, NAME##_i32_one, NAME##_i32_strip);                            \
    }
REDUCE_NUMBERS(sum)
REDUCE_NUMBERS(prod)
REDUCE_NUMBERS(max)
REDUCE_NUMBERS(min)

/* Those of masks. */
#define REDUCE_MASKS(NAME)                                                                               \
    void gri_reduce_##NAME(gri_threads *threads, const gr_array *out, const gr_array *in, uint32_t axes) \
    {                                                                                                    \
        reduce(threads, out, in, axes, NAME##_bool_one, NAME##_bool_strip);                              \
    }
REDUCE_MASKS(any)
REDUCE_MASKS(all)

/* ---- Along the last axis ---- */

typedef struct rows_plan rows_plan;
typedef void row_kernel(const rows_plan *p, int64_t row, int64_t in_offset);

struct rows_plan {
    const gr_array *in, *out;
    axes_list outer;
    int64_t n, s; /* of the last axis */
    row_kernel *kernel;
    int64_t per_task;
};

/* shift: a row's largest element, or 0 if that is infinite, so that x - shift is never NaN for numbers. log_sum is
   ln sum e^(x - shift), as log1p of all terms but one that is 1: digits near 0 are kept. f32 is computed in f64: a row of
   many small terms would lose digits. Exponentials are what softmax costs: the first ones of a row are not computed twice. */
enum { KEPT_TERMS = 512 };
#define ROW_KERNELS(SUFFIX, T)                                                                \
    static double log_sum_##SUFFIX(const rows_plan *p, const T *x, double *shift)             \
    {                                                                                         \
        const double m = (double)max_##SUFFIX##_row(x, p->n, p->s);                           \
        *shift = isinf(m) ? 0 : m;                                                            \
        if (isinf(m)) return m;                                                               \
        double others = 0;                                                                    \
        bool found = false;                                                                   \
        for (int64_t i = 0; i < p->n; i++) {                                                  \
            const double d = (double)x[i * p->s] - m;                                         \
            if (d == 0 && !found)                                                             \
                found = true;                                                                 \
            else                                                                              \
                others += exp(d);                                                             \
        }                                                                                     \
        return log1p(others);                                                                 \
    }                                                                                         \
    static void logsumexp_##SUFFIX(const rows_plan *p, int64_t row, int64_t offset)           \
    {                                                                                         \
        double shift;                                                                         \
        const double l = log_sum_##SUFFIX(p, (const T *)p->in->data + offset, &shift);        \
        ((T *)p->out->data)[row] = (T)(shift + l);                                            \
    }                                                                                         \
    static void log_softmax_##SUFFIX(const rows_plan *p, int64_t row, int64_t offset)         \
    {                                                                                         \
        const T *x = (const T *)p->in->data + offset;                                         \
        T *y = (T *)p->out->data + row * p->n;                                                \
        double shift;                                                                         \
        const double l = log_sum_##SUFFIX(p, x, &shift);                                      \
        const double all = l == (double)-INFINITY ? 0 : l; /* a row of -inf stays one */      \
        for (int64_t i = 0; i < p->n; i++) y[i] = (T)((double)x[i * p->s] - shift - all);     \
    }                                                                                         \
    static void softmax_##SUFFIX(const rows_plan *p, int64_t row, int64_t offset)             \
    {                                                                                         \
        const T *x = (const T *)p->in->data + offset;                                         \
        T *y = (T *)p->out->data + row * p->n;                                                \
        const double m = (double)max_##SUFFIX##_row(x, p->n, p->s), shift = isinf(m) ? 0 : m; \
        double term[KEPT_TERMS], sum = 0;                                                     \
        for (int64_t i = 0; i < p->n; i++) {                                                  \
            const double e = exp((double)x[i * p->s] - shift);                                \
            if (i < KEPT_TERMS) term[i] = e;                                                  \
            sum += e;                                                                         \
        }                                                                                     \
        if (sum == 0) sum = 1; /* a row of -inf: nothing to share out */                      \
        for (int64_t i = 0; i < p->n; i++) {                                                  \
            const double e = i < KEPT_TERMS ? term[i] : exp((double)x[i * p->s] - shift);     \
            y[i] = (T)(e / sum);                                                              \
        }                                                                                     \
    }
ROW_KERNELS(f32, float)
ROW_KERNELS(f64, double)

/* sum (factor x)^2 of a row, in lanes and blocks as sums are; and the norm: elements are scaled by the power
   of two that brings the largest of them near 1, so that squares neither overflow nor vanish. A largest element
   that is 0, infinite or NaN is the norm itself. */
#define NORM_KERNELS(SUFFIX, T)                                                                  \
    static double squares_##SUFFIX(const T *x, int64_t n, int64_t s, double factor)              \
    {                                                                                            \
        double total = 0;                                                                        \
        for (int64_t first = 0; first < n; first += BLOCK) {                                     \
            const int64_t m = n - first < BLOCK ? n - first : BLOCK;                             \
            double lane[LANES] = {0};                                                            \
            for (int64_t i = 0; i < m; i++) {                                                    \
                const double v = (double)x[(first + i) * s] * factor;                            \
                lane[i % LANES] += v * v;                                                        \
            }                                                                                    \
            for (int width = LANES / 2; width > 0; width /= 2)                                   \
                for (int l = 0; l < width; l++) lane[l] += lane[l + width];                      \
            total += lane[0];                                                                    \
        }                                                                                        \
        return total;                                                                            \
    }                                                                                            \
    static void norm_##SUFFIX(const rows_plan *p, int64_t row, int64_t offset)                   \
    {                                                                                            \
        const T *x = (const T *)p->in->data + offset;                                            \
        double largest = 0;                                                                      \
        for (int64_t i = 0; i < p->n; i++) largest = LARGER(largest, fabs((double)x[i * p->s])); \
        double y = largest;                                                                      \
        if (largest > 0 && largest <= DBL_MAX) {                                                 \
            const double factor = scalbn(1, -clamp(ilogb(largest)));                             \
            y = sqrt(squares_##SUFFIX(x, p->n, p->s, factor)) / factor;                          \
        }                                                                                        \
        ((T *)p->out->data)[row] = (T)y;                                                         \
    }

/* Exponents whose powers of two, and their inverses, are normal numbers. */
static int clamp(int exponent) { return exponent < -1000 ? -1000 : exponent > 1000 ? 1000 : exponent; }
NORM_KERNELS(f32, float)
NORM_KERNELS(f64, double)

/* Where the first of the largest, or smallest, elements of a row is; a NaN goes before all numbers. */
#define ARG_KERNEL(NAME, T, BETTER)                                          \
    static void NAME(const rows_plan *p, int64_t row, int64_t offset)        \
    {                                                                        \
        const T *x = (const T *)p->in->data + offset;                        \
        T best = x[0];                                                       \
        int64_t at = 0;                                                      \
        for (int64_t i = 1; i < p->n; i++) {                                 \
            const T v = x[i * p->s];                                         \
            if (v BETTER best || (v != v && best == best)) best = v, at = i; \
        }                                                                    \
        ((int32_t *)p->out->data)[row] = (int32_t)at;                        \
    }
#define ARG_KERNELS(NAME, BETTER)           \
    ARG_KERNEL(NAME##_f32, float, BETTER)   \
    ARG_KERNEL(NAME##_f64, double, BETTER)  \
    ARG_KERNEL(NAME##_i32, int32_t, BETTER) \
    ARG_KERNEL(NAME##_bool, uint8_t, BETTER)
ARG_KERNELS(argmax, >)
ARG_KERNELS(argmin, <)

static void rows_task(void *arg, int64_t task)
{
    const rows_plan *p = arg;
    const int64_t first = task * p->per_task, end = first + p->per_task;
    for (int64_t row = first; row < end && row < p->outer.count; row++)
        p->kernel(p, row, offset_of(&p->outer, p->outer.n, row));
}

static void run_rows(gri_threads *threads, const gr_array *out, const gr_array *in, row_kernel *kernel)
{
    if (out->count == 0) return;
    const int last = in->ndim - 1;
    rows_plan p = {.in = in, .out = out, .n = in->dims[last], .s = in->strides[last], .kernel = kernel};
    p.outer.count = 1;
    for (int axis = 0; axis < last; axis++) add_axis(&p.outer, in->dims[axis], in->strides[axis]);
    p.per_task = p.n >= TASK_GRAIN ? 1 : TASK_GRAIN / (p.n ? p.n : 1);
    const int64_t tasks = (p.outer.count + p.per_task - 1) / p.per_task;
    if (tasks == 1)
        rows_task(&p, 0);
    else
        gri_threads_run(threads, tasks, rows_task, &p);
}

void gri_softmax(gri_threads *threads, const gr_array *out, const gr_array *in)
{
    run_rows(threads, out, in, in->type == GR_F32 ? softmax_f32 : softmax_f64);
}

void gri_log_softmax(gri_threads *threads, const gr_array *out, const gr_array *in)
{
    run_rows(threads, out, in, in->type == GR_F32 ? log_softmax_f32 : log_softmax_f64);
}

void gri_logsumexp(gri_threads *threads, const gr_array *out, const gr_array *in)
{
    run_rows(threads, out, in, in->type == GR_F32 ? logsumexp_f32 : logsumexp_f64);
}

void gri_norm(gri_threads *threads, const gr_array *out, const gr_array *in)
{
    run_rows(threads, out, in, in->type == GR_F32 ? norm_f32 : norm_f64);
}

#define ARG_REDUCTION(NAME)                                                                                \
    void gri_##NAME(gri_threads *threads, const gr_array *out, const gr_array *in)                         \
    {                                                                                                      \
        static row_kernel *const kernels[] = {                                                             \
            [GR_F32] = NAME##_f32, [GR_F64] = NAME##_f64, [GR_I32] = NAME##_i32, [GR_BOOL] = NAME##_bool}; \
        run_rows(threads, out, in, kernels[in->type]);                                                     \
    }
ARG_REDUCTION(argmax)
ARG_REDUCTION(argmin)
