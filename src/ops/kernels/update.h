/*
 * The updates of optimisers: one pass over memory, in place. f32 is computed in f32. x: parameter, g:
 * gradient, both of `type` (f32 or f64) and n elements, as is every array of state.
 */
#ifndef GRI_OPS_KERNELS_UPDATE_H
#define GRI_OPS_KERNELS_UPDATE_H

#include "gradus/tensor.h"

/* x -= rate g */
void gri_update_sgd(gr_type type, int64_t n, void *x, const void *g, double rate);

/* v = beta v - rate g; x += v */
void gri_update_momentum(gr_type type, int64_t n, void *x, const void *g, void *v, double rate, double beta);

/* m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; x -= rate m / (sqrt(v) / root + epsilon). The
   caller puts the corrections of the bias into rate and root. */
typedef struct gri_adam {
    double rate, root, beta1, beta2, epsilon;
} gri_adam;
void gri_update_adam(gr_type type, int64_t n, void *x, const void *g, void *m, void *v, const gri_adam *k);

#endif
