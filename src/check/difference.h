/*
 * Numeric derivatives: central differences, extrapolated to step 0, with an estimate of their error. Knows
 * nothing of tensors: what is differentiated is m numbers y of one number x, weighed in several directions at
 * once.
 *
 * Invariant: the value returned is that of the smallest estimated error met, in units of the tolerance, and
 * the estimate never falls below what the rounding of y alone would cause.
 */
#ifndef GRI_CHECK_DIFFERENCE_H
#define GRI_CHECK_DIFFERENCE_H

#include "gradus/graph.h"

enum { GRI_MOST_DIRECTIONS = 16 };

/* Computes y[0..m) at x. */
typedef gr_status gri_curve(void *user, double x, double *y);

typedef struct gri_difference {
    int64_t m;
    int n;                                      /* number of directions */
    const double *weights[GRI_MOST_DIRECTIONS]; /* m numbers each */
    double step;                                /* first h, in units of max(|x|, 1) */
    double atol, rtol;    /* accurate enough: an error far below atol + rtol |derivative| */
    double *plus, *minus; /* scratch, m numbers each */
    uint8_t *moved;       /* scratch, m bytes */
} gri_difference;

typedef struct gri_estimate {
    double value; /* NaN if y was not finite around x, at any step */
    double error;
} gri_estimate;

/* out[k] = d/dx of weights[k] . y. An error of the curve is passed on. */
gr_status gri_differentiate(const gri_difference *d, gri_curve *curve, void *user, double x,
                            gri_estimate *out);

#endif
