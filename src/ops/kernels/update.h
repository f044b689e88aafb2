/*
 * The updates of optimisers: one pass over memory, in place. f32 is computed in f32. x: parameter, g:
 * gradient, both of `type` (f32 or f64) and n elements, as is every array of state. What depends on the step
 * and not on the element has been computed before.
 */
#ifndef GRI_OPS_KERNELS_UPDATE_H
#define GRI_OPS_KERNELS_UPDATE_H

#include "gradus/tensor.h"

/* x -= rate g */
void gri_update_sgd(gr_type type, int64_t n, void *x, const void *g, double rate);

/* v = beta v - into g; x += out v, or with Nesterov x += out (beta v - into g). */
typedef struct gri_momentum {
    double beta, into, out;
} gri_momentum;
void gri_update_momentum(gr_type type, int64_t n, void *x, const void *g, void *v, const gri_momentum *k);
void gri_update_nesterov(gr_type type, int64_t n, void *x, const void *g, void *v, const gri_momentum *k);

/* r = r + start + g^2; x -= rate g / (sqrt(r) + epsilon) */
typedef struct gri_adagrad {
    double rate, start, epsilon;
} gri_adagrad;
void gri_update_adagrad(gr_type type, int64_t n, void *x, const void *g, void *r, const gri_adagrad *k);

/* r = rho r + (1 - rho) g^2; d = g / (sqrt(r + inside) + outside); x -= out into d.
   With momentum: b = beta b + into d; x -= out b.
   Centred: m = rho m + (1 - rho) g, too, and max(r - m^2, 0) in place of r in d. */
typedef struct gri_rmsprop {
    double rho, inside, outside, beta, into, out;
} gri_rmsprop;
void gri_update_rmsprop(gr_type type, int64_t n, void *x, const void *g, void *r, const gri_rmsprop *k);
void gri_update_rmsprop_momentum(gr_type type, int64_t n, void *x, const void *g, void *r, void *b,
                                 const gri_rmsprop *k);
void gri_update_rmsprop_centred(gr_type type, int64_t n, void *x, const void *g, void *r, void *m, void *b,
                                const gri_rmsprop *k);

/* r = rho r + (1 - rho) g^2; d = sqrt(u + epsilon) / sqrt(r + epsilon) g; u = rho u + (1 - rho) d^2; x -= rate d */
typedef struct gri_adadelta {
    double rate, rho, epsilon;
} gri_adadelta;
void gri_update_adadelta(gr_type type, int64_t n, void *x, const void *g, void *r, void *u,
                         const gri_adadelta *k);

/* m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; x -= rate m / (sqrt(v) / root + epsilon). The
   caller puts the corrections of the bias into rate and root.
   AMSGrad: w = max(w, v), and w in place of v in the last.
   NAdam: x -= (by_gradient g + rate m) / (sqrt(v) / root + epsilon). */
typedef struct gri_adam {
    double rate, root, beta1, beta2, epsilon, by_gradient;
} gri_adam;
void gri_update_adam(gr_type type, int64_t n, void *x, const void *g, void *m, void *v, const gri_adam *k);
void gri_update_amsgrad(gr_type type, int64_t n, void *x, const void *g, void *m, void *v, void *w,
                        const gri_adam *k);
void gri_update_nadam(gr_type type, int64_t n, void *x, const void *g, void *m, void *v, const gri_adam *k);

/* x -= rate sign(beta1 m + (1 - beta1) g), where sign(NaN) is NaN; m = beta2 m + (1 - beta2) g */
typedef struct gri_lion {
    double rate, beta1, beta2;
} gri_lion;
void gri_update_lion(gr_type type, int64_t n, void *x, const void *g, void *m, const gri_lion *k);

/* ---- Beside the rules ---- */

/* x *= factor */
void gri_update_scale(gr_type type, int64_t n, void *x, double factor);
/* to = g + factor x */
void gri_update_add_scaled(gr_type type, int64_t n, void *to, const void *g, const void *x, double factor);
/* x = min(max(x, -limit), limit); NaN stays */
void gri_update_clamp(gr_type type, int64_t n, void *x, double limit);
/* The largest |x|, or NaN if one is NaN; of nothing: 0. */
double gri_largest(gr_type type, int64_t n, const void *x);
/* The sum of (x scale)^2, in f64, in an order that depends on n alone. */
double gri_sum_squares(gr_type type, int64_t n, const void *x, double scale);
/* The sum of |x scale|^p, in the same order. */
double gri_sum_powers(gr_type type, int64_t n, const void *x, double scale, double p);

#endif
