#include "ops/kernels/accumulate.h"

#define ACCUMULATE(NAME, T)                                                              \
    static void NAME(int64_t n, void *const *p, const int64_t *s, const void *parameter) \
    {                                                                                    \
        T *restrict y = p[0];                                                            \
        const T *restrict x = p[1];                                                      \
        (void)parameter;                                                                 \
        if (s[0] == 1 && s[1] == 1) {                                                    \
            for (int64_t i = 0; i < n; i++) y[i] += x[i];                                \
        } else {                                                                         \
            for (int64_t i = 0; i < n; i++) y[i * s[0]] += x[i * s[1]];                  \
        }                                                                                \
    }
ACCUMULATE(accumulate_f32, float)
ACCUMULATE(accumulate_f64, double)

void gri_accumulate(gri_threads *threads, const gr_array *to, const gr_array *from)
{
    gri_map(threads, to->type == GR_F32 ? accumulate_f32 : accumulate_f64, NULL, to, 1, &from);
}

void gri_fill(const gr_array *to, double value)
{
    if (to->type == GR_F32) {
        float *y = to->data;
        for (int64_t i = 0; i < to->count; i++) y[i] = (float)value;
    } else {
        double *y = to->data;
        for (int64_t i = 0; i < to->count; i++) y[i] = value;
    }
}
