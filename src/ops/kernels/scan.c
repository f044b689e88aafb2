#include "ops/kernels/scan.h"

enum { TASK_GRAIN = 1 << 15, OPERANDS = 2 };

typedef struct scan scan;
/* One row: n elements; neighbours of operand k are step[k] elements apart. */
typedef void row_scan(const scan *s, void *y, const void *const *x);

struct scan {
    const gr_array *y, *x[OPERANDS];
    int n_operands;
    int64_t n, step[OPERANDS]; /* along the last axis */
    row_scan *row;
    bool delayed;
    int64_t rows, per_task;
};

#define CUMULATIVE(NAME, T, A, START, JOIN)                        \
    static void NAME(const scan *s, void *y, const void *const *x) \
    {                                                              \
        const T *from = x[0];                                      \
        T *to = y;                                                 \
        A running = START;                                         \
        for (int64_t i = 0; i < s->n; i++) {                       \
            running = (A)(running JOIN(A) from[i * s->step[0]]);   \
            to[i] = (T)running;                                    \
        }                                                          \
    }
/* i32 wraps around, as arithmetic on i32 does. */
CUMULATIVE(cumsum_f32, float, double, 0, +)
CUMULATIVE(cumsum_f64, double, double, 0, +)
CUMULATIVE(cumsum_i32, int32_t, uint32_t, 0, +)
CUMULATIVE(cumprod_f32, float, double, 1, *)
CUMULATIVE(cumprod_f64, double, double, 1, *)

#define RECURRENCE(NAME, T)                                                  \
    static void NAME(const scan *s, void *y, const void *const *x)           \
    {                                                                        \
        const T *a = x[0], *b = x[1];                                        \
        T *to = y;                                                           \
        double running = 0;                                                  \
        for (int64_t i = 0; i < s->n; i++) {                                 \
            const int64_t at = s->delayed && i > 0 ? i - 1 : i;              \
            const double f = (double)a[at * s->step[0]];                     \
            const double product = f == 0 || running == 0 ? 0 : f * running; \
            running = (double)b[i * s->step[1]] + product;                   \
            to[i] = (T)running;                                              \
        }                                                                    \
    }
RECURRENCE(recurrence_f32, float)
RECURRENCE(recurrence_f64, double)

static void rows_task(void *arg, int64_t task)
{
    const scan *s = arg;
    const int last = s->y->ndim - 1;
    const int64_t first = task * s->per_task, end = first + s->per_task;
    const int64_t element = (int64_t)gr_type_size(s->y->type);
    for (int64_t row = first; row < end && row < s->rows; row++) {
        const void *x[OPERANDS];
        for (int k = 0; k < s->n_operands; k++) {
            int64_t offset = 0, rest = row;
            for (int axis = last - 1; axis >= 0; axis--) {
                offset += rest % s->y->dims[axis] * s->x[k]->strides[axis];
                rest /= s->y->dims[axis];
            }
            x[k] = (const char *)s->x[k]->data + offset * element;
        }
        s->row(s, (char *)s->y->data + row * s->n * element, x);
    }
}

static void run(gri_threads *threads, scan *s)
{
    if (s->y->count == 0) return;
    const int last = s->y->ndim - 1;
    s->n = s->y->dims[last];
    for (int k = 0; k < s->n_operands; k++) s->step[k] = s->x[k]->strides[last];
    s->rows = s->y->count / s->n;
    s->per_task = s->n >= TASK_GRAIN ? 1 : TASK_GRAIN / s->n;
    const int64_t tasks = (s->rows + s->per_task - 1) / s->per_task;
    if (tasks == 1)
        rows_task(s, 0);
    else
        gri_threads_run(threads, tasks, rows_task, s);
}

void gri_cumsum(gri_threads *threads, const gr_array *y, const gr_array *x)
{
    row_scan *row = y->type == GR_F32 ? cumsum_f32 : y->type == GR_F64 ? cumsum_f64 : cumsum_i32;
    run(threads, &(scan){.y = y, .x = {x}, .n_operands = 1, .row = row});
}

void gri_cumprod(gri_threads *threads, const gr_array *y, const gr_array *x)
{
    row_scan *row = y->type == GR_F32 ? cumprod_f32 : cumprod_f64;
    run(threads, &(scan){.y = y, .x = {x}, .n_operands = 1, .row = row});
}

void gri_recurrence(gri_threads *threads, const gr_array *y, const gr_array *a, const gr_array *b,
                    bool delayed)
{
    row_scan *row = y->type == GR_F32 ? recurrence_f32 : recurrence_f64;
    run(threads, &(scan){.y = y, .x = {a, b}, .n_operands = 2, .row = row, .delayed = delayed});
}
