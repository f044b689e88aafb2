/* Moments, in blocks of so many groups that their elements are read in runs. */
#include "ops/kernels/moments.h"

#include <math.h>
#include <stddef.h>

enum { BLOCK = 64 }; /* groups of a block, at most; elements of a run, at least, where that is possible */
enum { LANES = 8 };  /* of a sum */
enum { GRAIN = 1 << 14 }; /* elements that pay for a task */

typedef struct job job;
typedef void block_function(const job *j, int64_t first, int64_t n);

struct job {
    const gri_groups *k;
    const void *x, *y, *gy;
    void *to, *mean, *variance;
    double eps, count; /* elements of a group */
    block_function *block;
    int64_t groups_per_block, blocks_per_task;
};

/* Sum of TERM over the elements i of a run. */
#define SUM_RUN(NAME, T, TERM, ...)                     \
    static double NAME(int64_t n, __VA_ARGS__)          \
    {                                                   \
        double lane[LANES] = {0}, sum = 0;              \
        int64_t at = 0;                                 \
        for (; at + LANES <= n; at += LANES)            \
            for (int64_t l = 0; l < LANES; l++) {       \
                const int64_t i = at + l;               \
                lane[l] += TERM;                        \
            }                                           \
        for (int64_t i = at; i < n; i++) sum += TERM;   \
        for (int l = 0; l < LANES; l++) sum += lane[l]; \
        return sum;                                     \
    }

#define SQUARE(V) ((V) * (V))

/* Each function goes over the runs of groups [first, first + n): there are `outer` of each. */
#define EACH_RUN(J, FIRST, N, G, AT)                                                       \
    for (int64_t o_ = 0; o_ < (J)->k->outer; o_++)                                         \
        for (int64_t G = 0, AT = (o_ * (J)->k->groups + (FIRST)) * (J)->k->inner; G < (N); \
             G++, AT += (J)->k->inner)

#define MOMENTS(SUFFIX, T)                                                                             \
    SUM_RUN(sum_##SUFFIX, T, (double)x[i], const T *x)                                                 \
    SUM_RUN(squares_##SUFFIX, T, SQUARE((double)x[i] - mean), const T *x, double mean)                 \
    SUM_RUN(products_##SUFFIX, T, (double)x[i] * (double)y[i], const T *x, const T *y)                 \
    static void find_##SUFFIX(const job *j, int64_t first, int64_t n, double *mean, double *variance)  \
    {                                                                                                  \
        const T *x = j->x;                                                                             \
        for (int64_t g = 0; g < n; g++) mean[g] = variance[g] = 0;                                     \
        EACH_RUN(j, first, n, g, at) mean[g] += sum_##SUFFIX(j->k->inner, x + at);                     \
        for (int64_t g = 0; g < n; g++) mean[g] /= j->count;                                           \
        EACH_RUN(j, first, n, g, at) variance[g] += squares_##SUFFIX(j->k->inner, x + at, mean[g]);    \
        for (int64_t g = 0; g < n; g++) variance[g] /= j->count;                                       \
    }                                                                                                  \
    static void moments_##SUFFIX(const job *j, int64_t first, int64_t n)                               \
    {                                                                                                  \
        double mean[BLOCK], variance[BLOCK];                                                           \
        find_##SUFFIX(j, first, n, mean, variance);                                                    \
        for (int64_t g = 0; g < n; g++) {                                                              \
            ((T *)j->mean)[first + g] = (T)mean[g];                                                    \
            ((T *)j->variance)[first + g] = (T)variance[g];                                            \
        }                                                                                              \
    }                                                                                                  \
    static void standardize_##SUFFIX(const job *j, int64_t first, int64_t n)                           \
    {                                                                                                  \
        double mean[BLOCK], scale[BLOCK];                                                              \
        find_##SUFFIX(j, first, n, mean, scale);                                                       \
        for (int64_t g = 0; g < n; g++) scale[g] = 1 / sqrt(scale[g] + j->eps);                        \
        EACH_RUN(j, first, n, g, at)                                                                   \
        {                                                                                              \
            const T *restrict x = (const T *)j->x + at;                                                \
            T *restrict y = (T *)j->to + at;                                                           \
            for (int64_t i = 0; i < j->k->inner; i++) y[i] = (T)(((double)x[i] - mean[g]) * scale[g]); \
        }                                                                                              \
    }                                                                                                  \
    static void standardize_back_##SUFFIX(const job *j, int64_t first, int64_t n)                      \
    {                                                                                                  \
        double mean[BLOCK], scale[BLOCK], along[BLOCK];                                                \
        const T *y = j->y, *gy = j->gy;                                                                \
        find_##SUFFIX(j, first, n, mean, scale);                                                       \
        for (int64_t g = 0; g < n; g++) {                                                              \
            scale[g] = 1 / sqrt(scale[g] + j->eps);                                                    \
            mean[g] = along[g] = 0; /* from here on of gy, and of gy y */                              \
        }                                                                                              \
        EACH_RUN(j, first, n, g, at)                                                                   \
        {                                                                                              \
            mean[g] += sum_##SUFFIX(j->k->inner, gy + at) / j->count;                                  \
            along[g] += products_##SUFFIX(j->k->inner, gy + at, y + at) / j->count;                    \
        }                                                                                              \
        EACH_RUN(j, first, n, g, at)                                                                   \
        {                                                                                              \
            T *restrict gx = (T *)j->to + at;                                                          \
            for (int64_t i = 0; i < j->k->inner; i++)                                                  \
                gx[i] = (T)(scale[g] * ((double)gy[at + i] - mean[g] - (double)y[at + i] * along[g])); \
        }                                                                                              \
    }
MOMENTS(f32, float)
MOMENTS(f64, double)

static void blocks_task(void *arg, int64_t task)
{
    const job *j = arg;
    for (int64_t b = 0; b < j->blocks_per_task; b++) {
        const int64_t first = (task * j->blocks_per_task + b) * j->groups_per_block;
        const int64_t left = j->k->groups - first;
        if (left > 0) j->block(j, first, left < j->groups_per_block ? left : j->groups_per_block);
    }
}

static void run(gri_threads *threads, job *j, block_function *f32, block_function *f64)
{
    const gri_groups *k = j->k;
    if (k->groups == 0) return;
    j->block = k->is_f64 ? f64 : f32;
    j->count = (double)k->outer * (double)k->inner;
    j->groups_per_block = k->inner >= BLOCK || k->outer == 1 ? 1 : k->inner > 0 ? BLOCK / k->inner : BLOCK;
    const double work = j->count * (double)j->groups_per_block;
    j->blocks_per_task = work >= GRAIN ? 1 : (int64_t)(GRAIN / (work + 1));
    if (j->blocks_per_task < 1) j->blocks_per_task = 1;
    const int64_t per_task = j->groups_per_block * j->blocks_per_task,
                  tasks = (k->groups + per_task - 1) / per_task;
    if (tasks == 1)
        blocks_task(j, 0);
    else
        gri_threads_run(threads, tasks, blocks_task, j);
}

void gri_moments(gri_threads *threads, const gri_groups *k, const void *x, void *mean, void *variance)
{
    job j = {.k = k, .x = x, .mean = mean, .variance = variance};
    run(threads, &j, moments_f32, moments_f64);
}

void gri_standardize(gri_threads *threads, const gri_groups *k, double eps, const void *x, void *y)
{
    job j = {.k = k, .x = x, .to = y, .eps = eps};
    run(threads, &j, standardize_f32, standardize_f64);
}

void gri_standardize_back(gri_threads *threads, const gri_groups *k, double eps, const void *x, const void *y,
                          const void *gy, void *gx)
{
    job j = {.k = k, .x = x, .y = y, .gy = gy, .to = gx, .eps = eps};
    run(threads, &j, standardize_back_f32, standardize_back_f64);
}
