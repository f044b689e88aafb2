/*
 * Elementwise computation over strided, broadcasting arrays of any number of axes.
 *
 * A gri_loop computes one row: n elements, the result at p[0], operands at p[1], p[2], ..., neighbours s[i]
 * elements apart. gri_map walks the other axes. Kernels know nothing of graphs.
 */
#ifndef GRI_OPS_KERNELS_MAP_H
#define GRI_OPS_KERNELS_MAP_H

#include "gradus/custom.h"
#include "base/threads.h"

enum { GRI_MAP_MOST = 7 }; /* arrays of one map, the result included */

typedef void gri_loop(int64_t n, void *const *p, const int64_t *s, const void *parameter);

/* One loop per element type, indexed by gr_type; NULL where there is none. */
typedef struct gri_loops {
    gri_loop *f32, *f64, *i32, *boolean;
} gri_loops;

static inline gri_loop *gri_loop_of(const gri_loops *loops, gr_type type)
{
    return type == GR_F32   ? loops->f32
           : type == GR_F64 ? loops->f64
           : type == GR_I32 ? loops->i32
                            : loops->boolean;
}

/* Of more than one element, or of none. */
void gri_map_many(gri_threads *threads, gri_loop *loop, const void *parameter, const gr_array *out, int n_in,
                  const gr_array *const *in);

/* out[...] = loop(in[0][...], in[1][...], ...), where each `in` broadcasts to the shape of `out`.
   n_in < GRI_MAP_MOST. Arrays may be strided, but elements of `out` must not overlap. Big maps are split over
   the threads; each element is computed by one of them. Inline, for with single numbers it is most of the work. */
static inline void gri_map(gri_threads *threads, gri_loop *loop, const void *parameter, const gr_array *out,
                           int n_in, const gr_array *const *in)
{
    static const int64_t unit[GRI_MAP_MOST] = {1, 1, 1, 1, 1, 1, 1};
    if (out->count != 1) {
        gri_map_many(threads, loop, parameter, out, n_in, in);
        return;
    }
    void *p[GRI_MAP_MOST];
    p[0] = out->data;
    for (int i = 0; i < n_in; i++) p[i + 1] = in[i]->data;
    loop(1, p, unit, parameter);
}

/* Defines a loop: GRI_LOOP1(name, type of result, type of operand, expression of x). The unit-stride branch
   is the one that compilers vectorise. `parameter` is a pointer to const void. */
#define GRI_LOOP1(NAME, R, T, EXPRESSION)                                                \
    static void NAME(int64_t n, void *const *p, const int64_t *s, const void *parameter) \
    {                                                                                    \
        R *restrict y_ = p[0];                                                           \
        const T *restrict x_ = p[1];                                                     \
        (void)parameter;                                                                 \
        if (s[0] == 1 && s[1] == 1) {                                                    \
            for (int64_t i_ = 0; i_ < n; i_++) {                                         \
                const T x = x_[i_];                                                      \
                y_[i_] = EXPRESSION;                                                     \
            }                                                                            \
            return;                                                                      \
        }                                                                                \
        for (int64_t i_ = 0; i_ < n; i_++) {                                             \
            const T x = x_[i_ * s[1]];                                                   \
            y_[i_ * s[0]] = EXPRESSION;                                                  \
        }                                                                                \
    }

/* GRI_LOOP2(name, type of result, type of operands, expression of a and b). */
#define GRI_LOOP2(NAME, R, T, EXPRESSION)                                                \
    static void NAME(int64_t n, void *const *p, const int64_t *s, const void *parameter) \
    {                                                                                    \
        R *restrict y_ = p[0];                                                           \
        const T *restrict a_ = p[1], *restrict b_ = p[2];                                \
        (void)parameter;                                                                 \
        if (s[0] == 1 && s[1] == 1 && s[2] == 1) {                                       \
            for (int64_t i_ = 0; i_ < n; i_++) {                                         \
                const T a = a_[i_], b = b_[i_];                                          \
                y_[i_] = EXPRESSION;                                                     \
            }                                                                            \
            return;                                                                      \
        }                                                                                \
        for (int64_t i_ = 0; i_ < n; i_++) {                                             \
            const T a = a_[i_ * s[1]], b = b_[i_ * s[2]];                                \
            y_[i_ * s[0]] = EXPRESSION;                                                  \
        }                                                                                \
    }

#endif
