/*
 * Each update is written once, as a statement over element i of arrays of T, and instantiated for both types.
 * The loops have nothing that keeps a compiler from vectorising them.
 */
#include "ops/kernels/update.h"

#include <tgmath.h>

/* Defines loops NAME_f32 and NAME_f64 with the parameters given as PARAMETERS(T). */
#define BOTH_TYPES(NAME)    \
    NAME(NAME##_f32, float) \
    NAME(NAME##_f64, double)

#define sgd(NAME, T)                                                        \
    static void NAME(int64_t n, T *restrict x, const T *restrict g, T rate) \
    {                                                                       \
        for (int64_t i = 0; i < n; i++) x[i] -= rate * g[i];                \
    }
BOTH_TYPES(sgd)

void gri_update_sgd(gr_type type, int64_t n, void *x, const void *g, double rate)
{
    if (type == GR_F32)
        sgd_f32(n, x, g, (float)rate);
    else
        sgd_f64(n, x, g, rate);
}

#define momentum(NAME, T)                                                                          \
    static void NAME(int64_t n, T *restrict x, const T *restrict g, T *restrict v, T rate, T beta) \
    {                                                                                              \
        for (int64_t i = 0; i < n; i++) {                                                          \
            v[i] = beta * v[i] - rate * g[i];                                                      \
            x[i] += v[i];                                                                          \
        }                                                                                          \
    }
BOTH_TYPES(momentum)

void gri_update_momentum(gr_type type, int64_t n, void *x, const void *g, void *v, double rate, double beta)
{
    if (type == GR_F32)
        momentum_f32(n, x, g, v, (float)rate, (float)beta);
    else
        momentum_f64(n, x, g, v, rate, beta);
}

#define adam(NAME, T)                                                                             \
    static void NAME(int64_t n, T *restrict x, const T *restrict g, T *restrict m, T *restrict v, \
                     const gri_adam *k)                                                           \
    {                                                                                             \
        const T rate = (T)k->rate, inverse_root = (T)(1 / k->root), epsilon = (T)k->epsilon;      \
        const T beta1 = (T)k->beta1, beta2 = (T)k->beta2;                                         \
        const T rest1 = (T)(1 - k->beta1), rest2 = (T)(1 - k->beta2);                             \
        for (int64_t i = 0; i < n; i++) {                                                         \
            m[i] = beta1 * m[i] + rest1 * g[i];                                                   \
            v[i] = beta2 * v[i] + rest2 * (g[i] * g[i]);                                          \
            x[i] -= rate * m[i] / (sqrt(v[i]) * inverse_root + epsilon);                          \
        }                                                                                         \
    }
BOTH_TYPES(adam)

void gri_update_adam(gr_type type, int64_t n, void *x, const void *g, void *m, void *v, const gri_adam *k)
{
    if (type == GR_F32)
        adam_f32(n, x, g, m, v, k);
    else
        adam_f64(n, x, g, m, v, k);
}
