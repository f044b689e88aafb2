/*
 * Each update is written once, as a statement over element i of arrays of T, and instantiated for both types.
 * The loops have nothing that keeps a compiler from vectorising them: scalars are locals, arrays do not overlap.
 */
#include "ops/kernels/update.h"

#include <tgmath.h>

/* Defines loops NAME_f32 and NAME_f64 with the parameters given as PARAMETERS(T). */
#define BOTH_TYPES(NAME)    \
    NAME(NAME##_f32, float) \
    NAME(NAME##_f64, double)

/* Calls the one for `type`. */
#define BY_TYPE(NAME, ...)           \
    do {                             \
        if (type == GR_F32)          \
            NAME##_f32(__VA_ARGS__); \
        else                         \
            NAME##_f64(__VA_ARGS__); \
    } while (0)

#define sgd(NAME, T)                                                          \
    static void NAME(int64_t n, T *restrict x, const T *restrict g, double a) \
    {                                                                         \
        const T rate = (T)a;                                                  \
        for (int64_t i = 0; i < n; i++) x[i] -= rate * g[i];                  \
    }
BOTH_TYPES(sgd)

void gri_update_sgd(gr_type type, int64_t n, void *x, const void *g, double rate)
{
    BY_TYPE(sgd, n, x, g, rate);
}

/* ---- Momentum ---- */

#define momentum(NAME, T)                                                                                 \
    static void NAME(int64_t n, T *restrict x, const T *restrict g, T *restrict v, const gri_momentum *k) \
    {                                                                                                     \
        const T beta = (T)k->beta, into = (T)k->into, out = (T)k->out;                                    \
        for (int64_t i = 0; i < n; i++) {                                                                 \
            v[i] = beta * v[i] - into * g[i];                                                             \
            x[i] += out * v[i];                                                                           \
        }                                                                                                 \
    }
BOTH_TYPES(momentum)

void gri_update_momentum(gr_type type, int64_t n, void *x, const void *g, void *v, const gri_momentum *k)
{
    BY_TYPE(momentum, n, x, g, v, k);
}

#define nesterov(NAME, T)                                                                                 \
    static void NAME(int64_t n, T *restrict x, const T *restrict g, T *restrict v, const gri_momentum *k) \
    {                                                                                                     \
        const T beta = (T)k->beta, into = (T)k->into, out = (T)k->out;                                    \
        for (int64_t i = 0; i < n; i++) {                                                                 \
            const T push = into * g[i];                                                                   \
            v[i] = beta * v[i] - push;                                                                    \
            x[i] += out * (beta * v[i] - push);                                                           \
        }                                                                                                 \
    }
BOTH_TYPES(nesterov)

void gri_update_nesterov(gr_type type, int64_t n, void *x, const void *g, void *v, const gri_momentum *k)
{
    BY_TYPE(nesterov, n, x, g, v, k);
}

/* ---- Rates for each element ---- */

#define adagrad(NAME, T)                                                                                 \
    static void NAME(int64_t n, T *restrict x, const T *restrict g, T *restrict r, const gri_adagrad *k) \
    {                                                                                                    \
        const T rate = (T)k->rate, start = (T)k->start, epsilon = (T)k->epsilon;                         \
        for (int64_t i = 0; i < n; i++) {                                                                \
            r[i] = (r[i] + start) + g[i] * g[i];                                                         \
            x[i] -= rate * g[i] / (sqrt(r[i]) + epsilon);                                                \
        }                                                                                                \
    }
BOTH_TYPES(adagrad)

void gri_update_adagrad(gr_type type, int64_t n, void *x, const void *g, void *r, const gri_adagrad *k)
{
    BY_TYPE(adagrad, n, x, g, r, k);
}

#define rmsprop(NAME, T)                                                                                 \
    static void NAME(int64_t n, T *restrict x, const T *restrict g, T *restrict r, const gri_rmsprop *k) \
    {                                                                                                    \
        const T rho = (T)k->rho, rest = (T)(1 - k->rho), inside = (T)k->inside;                          \
        const T outside = (T)k->outside, rate = (T)(k->into * k->out);                                   \
        for (int64_t i = 0; i < n; i++) {                                                                \
            r[i] = rho * r[i] + rest * (g[i] * g[i]);                                                    \
            x[i] -= rate * g[i] / (sqrt(r[i] + inside) + outside);                                       \
        }                                                                                                \
    }
BOTH_TYPES(rmsprop)

void gri_update_rmsprop(gr_type type, int64_t n, void *x, const void *g, void *r, const gri_rmsprop *k)
{
    BY_TYPE(rmsprop, n, x, g, r, k);
}

#define rmsprop_momentum(NAME, T)                                                                 \
    static void NAME(int64_t n, T *restrict x, const T *restrict g, T *restrict r, T *restrict b, \
                     const gri_rmsprop *k)                                                        \
    {                                                                                             \
        const T rho = (T)k->rho, rest = (T)(1 - k->rho), inside = (T)k->inside;                   \
        const T outside = (T)k->outside, beta = (T)k->beta, into = (T)k->into, out = (T)k->out;   \
        for (int64_t i = 0; i < n; i++) {                                                         \
            r[i] = rho * r[i] + rest * (g[i] * g[i]);                                             \
            b[i] = beta * b[i] + into * g[i] / (sqrt(r[i] + inside) + outside);                   \
            x[i] -= out * b[i];                                                                   \
        }                                                                                         \
    }
BOTH_TYPES(rmsprop_momentum)

void gri_update_rmsprop_momentum(gr_type type, int64_t n, void *x, const void *g, void *r, void *b,
                                 const gri_rmsprop *k)
{
    BY_TYPE(rmsprop_momentum, n, x, g, r, b, k);
}

#define rmsprop_centred(NAME, T)                                                                  \
    static void NAME(int64_t n, T *restrict x, const T *restrict g, T *restrict r, T *restrict m, \
                     T *restrict b, const gri_rmsprop *k)                                         \
    {                                                                                             \
        const T rho = (T)k->rho, rest = (T)(1 - k->rho), inside = (T)k->inside;                   \
        const T outside = (T)k->outside, beta = (T)k->beta, into = (T)k->into, out = (T)k->out;   \
        for (int64_t i = 0; i < n; i++) {                                                         \
            r[i] = rho * r[i] + rest * (g[i] * g[i]);                                             \
            m[i] = rho * m[i] + rest * g[i];                                                      \
            const T variance = r[i] - m[i] * m[i];                                                \
            const T clipped = variance < 0 ? 0 : variance; /* NaN stays */                        \
            b[i] = beta * b[i] + into * g[i] / (sqrt(clipped + inside) + outside);                \
            x[i] -= out * b[i];                                                                   \
        }                                                                                         \
    }
BOTH_TYPES(rmsprop_centred)

void gri_update_rmsprop_centred(gr_type type, int64_t n, void *x, const void *g, void *r, void *m, void *b,
                                const gri_rmsprop *k)
{
    BY_TYPE(rmsprop_centred, n, x, g, r, m, b, k);
}

#define adadelta(NAME, T)                                                                         \
    static void NAME(int64_t n, T *restrict x, const T *restrict g, T *restrict r, T *restrict u, \
                     const gri_adadelta *k)                                                       \
    {                                                                                             \
        const T rate = (T)k->rate, epsilon = (T)k->epsilon;                                       \
        const T rho = (T)k->rho, rest = (T)(1 - k->rho);                                          \
        for (int64_t i = 0; i < n; i++) {                                                         \
            r[i] = rho * r[i] + rest * (g[i] * g[i]);                                             \
            const T d = sqrt(u[i] + epsilon) / sqrt(r[i] + epsilon) * g[i];                       \
            u[i] = rho * u[i] + rest * (d * d);                                                   \
            x[i] -= rate * d;                                                                     \
        }                                                                                         \
    }
BOTH_TYPES(adadelta)

void gri_update_adadelta(gr_type type, int64_t n, void *x, const void *g, void *r, void *u,
                         const gri_adadelta *k)
{
    BY_TYPE(adadelta, n, x, g, r, u, k);
}

/* ---- Adam and its kin ---- */

#define ADAM_SCALARS(T)                                                                  \
    const T rate = (T)k->rate, inverse_root = (T)(1 / k->root), epsilon = (T)k->epsilon; \
    const T beta1 = (T)k->beta1, beta2 = (T)k->beta2;                                    \
    const T rest1 = (T)(1 - k->beta1), rest2 = (T)(1 - k->beta2)

#define adam(NAME, T)                                                                             \
    static void NAME(int64_t n, T *restrict x, const T *restrict g, T *restrict m, T *restrict v, \
                     const gri_adam *k)                                                           \
    {                                                                                             \
        ADAM_SCALARS(T);                                                                          \
        for (int64_t i = 0; i < n; i++) {                                                         \
            m[i] = beta1 * m[i] + rest1 * g[i];                                                   \
            v[i] = beta2 * v[i] + rest2 * (g[i] * g[i]);                                          \
            x[i] -= rate * m[i] / (sqrt(v[i]) * inverse_root + epsilon);                          \
        }                                                                                         \
    }
BOTH_TYPES(adam)

void gri_update_adam(gr_type type, int64_t n, void *x, const void *g, void *m, void *v, const gri_adam *k)
{
    BY_TYPE(adam, n, x, g, m, v, k);
}

#define amsgrad(NAME, T)                                                                          \
    static void NAME(int64_t n, T *restrict x, const T *restrict g, T *restrict m, T *restrict v, \
                     T *restrict w, const gri_adam *k)                                            \
    {                                                                                             \
        ADAM_SCALARS(T);                                                                          \
        for (int64_t i = 0; i < n; i++) {                                                         \
            m[i] = beta1 * m[i] + rest1 * g[i];                                                   \
            v[i] = beta2 * v[i] + rest2 * (g[i] * g[i]);                                          \
            w[i] = w[i] >= v[i] ? w[i] : v[i]; /* v, if it is NaN */                              \
            x[i] -= rate * m[i] / (sqrt(w[i]) * inverse_root + epsilon);                          \
        }                                                                                         \
    }
BOTH_TYPES(amsgrad)

void gri_update_amsgrad(gr_type type, int64_t n, void *x, const void *g, void *m, void *v, void *w,
                        const gri_adam *k)
{
    BY_TYPE(amsgrad, n, x, g, m, v, w, k);
}

#define nadam(NAME, T)                                                                            \
    static void NAME(int64_t n, T *restrict x, const T *restrict g, T *restrict m, T *restrict v, \
                     const gri_adam *k)                                                           \
    {                                                                                             \
        ADAM_SCALARS(T);                                                                          \
        const T by_gradient = (T)k->by_gradient;                                                  \
        for (int64_t i = 0; i < n; i++) {                                                         \
            m[i] = beta1 * m[i] + rest1 * g[i];                                                   \
            v[i] = beta2 * v[i] + rest2 * (g[i] * g[i]);                                          \
            x[i] -= (by_gradient * g[i] + rate * m[i]) / (sqrt(v[i]) * inverse_root + epsilon);   \
        }                                                                                         \
    }
BOTH_TYPES(nadam)

void gri_update_nadam(gr_type type, int64_t n, void *x, const void *g, void *m, void *v, const gri_adam *k)
{
    BY_TYPE(nadam, n, x, g, m, v, k);
}

#define lion(NAME, T)                                                                                 \
    static void NAME(int64_t n, T *restrict x, const T *restrict g, T *restrict m, const gri_lion *k) \
    {                                                                                                 \
        const T rate = (T)k->rate, beta1 = (T)k->beta1, beta2 = (T)k->beta2;                          \
        const T rest1 = (T)(1 - k->beta1), rest2 = (T)(1 - k->beta2);                                 \
        for (int64_t i = 0; i < n; i++) {                                                             \
            const T c = beta1 * m[i] + rest1 * g[i];                                                  \
            x[i] -= rate * (c > 0 ? 1 : c < 0 ? -1 : c);                                              \
            m[i] = beta2 * m[i] + rest2 * g[i];                                                       \
        }                                                                                             \
    }
BOTH_TYPES(lion)

void gri_update_lion(gr_type type, int64_t n, void *x, const void *g, void *m, const gri_lion *k)
{
    BY_TYPE(lion, n, x, g, m, k);
}

/* ---- Beside the rules ---- */

#define scale(NAME, T)                                        \
    static void NAME(int64_t n, T *restrict x, double by)     \
    {                                                         \
        const T factor = (T)by;                               \
        for (int64_t i = 0; i < n; i++) x[i] = factor * x[i]; \
    }
BOTH_TYPES(scale)

void gri_update_scale(gr_type type, int64_t n, void *x, double factor) { BY_TYPE(scale, n, x, factor); }

#define add_scaled(NAME, T)                                                                          \
    static void NAME(int64_t n, T *restrict to, const T *restrict g, const T *restrict x, double by) \
    {                                                                                                \
        const T factor = (T)by;                                                                      \
        for (int64_t i = 0; i < n; i++) to[i] = g[i] + factor * x[i];                                \
    }
BOTH_TYPES(add_scaled)

void gri_update_add_scaled(gr_type type, int64_t n, void *to, const void *g, const void *x, double factor)
{
    BY_TYPE(add_scaled, n, to, g, x, factor);
}

#define clamp(NAME, T)                                                                       \
    static void NAME(int64_t n, T *restrict x, double most)                                  \
    {                                                                                        \
        const T high = (T)most, low = -high;                                                 \
        for (int64_t i = 0; i < n; i++) x[i] = x[i] > high ? high : x[i] < low ? low : x[i]; \
    }
BOTH_TYPES(clamp)

void gri_update_clamp(gr_type type, int64_t n, void *x, double limit) { BY_TYPE(clamp, n, x, limit); }

/* Maximum and sum go through LANES of their own, which a compiler can keep in vectors. */
enum { LANES = 8 };

/* The larger of two; NaN, if one is. */
#define LARGER(a, b) ((a) >= (b) || (a) != (a) ? (a) : (b))

#define largest(NAME, T)                                                               \
    static double NAME(int64_t n, const T *x)                                          \
    {                                                                                  \
        T lane[LANES] = {0}, all = 0;                                                  \
        int64_t i = 0;                                                                 \
        for (; n - i >= LANES; i += LANES)                                             \
            for (int k = 0; k < LANES; k++) lane[k] = LARGER(lane[k], fabs(x[i + k])); \
        for (; i < n; i++) all = LARGER(all, fabs(x[i]));                              \
        for (int k = 0; k < LANES; k++) all = LARGER(all, lane[k]);                    \
        return (double)all;                                                            \
    }
BOTH_TYPES(largest)

double gri_largest(gr_type type, int64_t n, const void *x)
{
    return type == GR_F32 ? largest_f32(n, x) : largest_f64(n, x);
}

/* Blocks keep the rounding error from growing with n. */
enum { BLOCK = 1 << 12 };

/* The sum of TERM(y) over y = x by. */
#define SUM_TERMS(NAME, T, TERM)                                       \
    static double NAME(int64_t n, const T *x, double by, double p)     \
    {                                                                  \
        (void)p;                                                       \
        double total = 0;                                              \
        for (int64_t first = 0; first < n; first += BLOCK) {           \
            const int64_t end = n - first < BLOCK ? n : first + BLOCK; \
            double lane[LANES] = {0}, rest = 0;                        \
            int64_t i = first;                                         \
            for (; end - i >= LANES; i += LANES)                       \
                for (int k = 0; k < LANES; k++) {                      \
                    const double y = (double)x[i + k] * by;            \
                    lane[k] += TERM(y);                                \
                }                                                      \
            for (; i < end; i++) {                                     \
                const double y = (double)x[i] * by;                    \
                rest += TERM(y);                                       \
            }                                                          \
            for (int k = 0; k < LANES; k++) rest += lane[k];           \
            total += rest;                                             \
        }                                                              \
        return total;                                                  \
    }
#define SQUARE(y)            ((y) * (y))
#define POWER(y)             pow(fabs(y), p)
#define sum_squares(NAME, T) SUM_TERMS(NAME, T, SQUARE)
#define sum_powers(NAME, T)  SUM_TERMS(NAME, T, POWER)
BOTH_TYPES(sum_squares)
BOTH_TYPES(sum_powers)

double gri_sum_squares(gr_type type, int64_t n, const void *x, double scale)
{
    return type == GR_F32 ? sum_squares_f32(n, x, scale, 2) : sum_squares_f64(n, x, scale, 2);
}

double gri_sum_powers(gr_type type, int64_t n, const void *x, double scale, double p)
{
    return type == GR_F32 ? sum_powers_f32(n, x, scale, p) : sum_powers_f64(n, x, scale, p);
}
