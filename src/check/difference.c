#include "check/difference.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Steps shrink by no simple fraction, so that a periodic function is not sampled in its period. */
static const double shrink = 2.61803398874989485;
/* Faster where the function is not finite: its domain ends there. */
static const double shrink_into_domain = 8;
/* An estimated error below this part of the tolerance is small enough. */
static const double enough = 0.01;

enum { COLUMNS = 5, LEAST_ROWS = 3, MOST_STEPS = 48 };

/* The last row of the extrapolation: entry j is free of the errors h^2, ..., h^2j. Rows end at COLUMNS, so
   that entries made of large steps, which may lie across a kink, are forgotten. */
typedef struct table {
    double row[COLUMNS];
    int n;
} table;

/* An error in units of what is tolerated at this value. Across a pole the differences are small, and so are
   their errors, but not in these units. */
static double in_tolerances(const gri_difference *d, double error, double value)
{
    return error / (d->atol + d->rtol * fabs(value));
}

/* Adds the next slope, of a step smaller by `shrink` and of rounding error `noise`; keeps the best entry in
   *best. */
static void extrapolate(const gri_difference *d, table *t, double slope, double noise, gri_estimate *best)
{
    double row[COLUMNS] = {slope}, factor = 1;
    int n = 1;
    for (; n <= t->n && n < COLUMNS; n++) {
        factor *= shrink * shrink;
        row[n] = row[n - 1] + (row[n - 1] - t->row[n - 1]) / (factor - 1);
        const double error = fmax(fabs(row[n] - row[n - 1]), fabs(row[n] - t->row[n - 1])) + noise;
        const double before = in_tolerances(d, best->error, best->value);
        if (isnan(before) || in_tolerances(d, error, row[n]) < before) *best = (gri_estimate){row[n], error};
    }
    memcpy(t->row, row, sizeof row);
    t->n = n;
}

/* slope[k] = weights[k] . (plus - minus) / width, and how far the rounding of plus and minus can change it.
   Outputs that have not moved at larger steps either do not depend on x: they add no noise. False if an
   output is not finite. */
static bool slopes(const gri_difference *d, double width, double *slope, double *noise)
{
    for (int64_t i = 0; i < d->m; i++) {
        if (!isfinite(d->plus[i]) || !isfinite(d->minus[i])) return false;
        if (d->plus[i] != d->minus[i]) d->moved[i] = 1;
    }
    for (int k = 0; k < d->n; k++) {
        double sum = 0, rounding = 0;
        for (int64_t i = 0; i < d->m; i++) {
            if (!d->moved[i]) continue;
            const double weight = d->weights[k][i];
            sum += weight * (d->plus[i] - d->minus[i]);
            rounding += fabs(weight) * fmax(fabs(d->plus[i]), fabs(d->minus[i]));
        }
        slope[k] = sum / width;
        noise[k] = rounding * DBL_EPSILON / width;
    }
    return true;
}

static void forget(const gri_difference *d, table *tables, gri_estimate *out)
{
    memset(d->moved, 0, (size_t)d->m);
    for (int k = 0; k < d->n; k++) {
        tables[k].n = 0;
        out[k] = (gri_estimate){NAN, INFINITY};
    }
}

/* Whether smaller steps are of no use: all accurate enough, or rounding is all that is left. */
static bool is_done(const gri_difference *d, const gri_estimate *out, const double *slope,
                    const double *noise)
{
    bool accurate = true, noisy = true;
    for (int k = 0; k < d->n; k++) {
        const double error = in_tolerances(d, out[k].error, out[k].value);
        accurate &= error <= enough;
        noisy &= in_tolerances(d, noise[k], slope[k]) >= error;
    }
    return accurate || noisy;
}

gr_status gri_differentiate(const gri_difference *d, gri_curve *curve, void *user, double x,
                            gri_estimate *out)
{
    table tables[GRI_MOST_DIRECTIONS];
    double slope[GRI_MOST_DIRECTIONS], noise[GRI_MOST_DIRECTIONS];
    forget(d, tables, out);
    double h = d->step * fmax(fabs(x), 1);
    for (int i = 0, rows = 0; i < MOST_STEPS; i++) {
        const double high = x + h, low = x - h;
        if (!(high > x && x > low)) break;
        gr_status status = curve(user, high, d->plus);
        if (status == GR_OK) status = curve(user, low, d->minus);
        if (status != GR_OK) return status;
        if (!slopes(d, high - low, slope, noise)) {
            forget(d, tables, out);
            rows = 0;
            h /= shrink_into_domain;
            continue;
        }
        for (int k = 0; k < d->n; k++) extrapolate(d, &tables[k], slope[k], noise[k], &out[k]);
        if (++rows >= LEAST_ROWS && is_done(d, out, slope, noise)) break;
        h /= shrink;
    }
    return GR_OK;
}
