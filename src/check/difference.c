#include "check/difference.h"

#include <math.h>
#include <string.h>

/* An estimated error below this part of the tolerance is small enough. */
static const double enough = 0.01;
/* Rounding moves a difference of one-sided slopes by so many times as much as the central slope. */
static const double bend_noise = 8;
/* The slopes of a smooth function approach each other: what is left at step 0 is below this part of what there
   is at the smallest step. */
static const double approached = 0.05;

void gri_table_clear(gri_table *t, double factor)
{
    *t = (gri_table){.factor = factor, .value = NAN, .error = INFINITY};
}

/* An error in units of what is tolerated at this value. Across a pole the differences are small, and so are
   their errors, but not in these units. */
static double in_tolerances(gri_tolerance t, double error, double value)
{
    return error / gri_tolerated(t, value);
}

static void remember(gri_table *t, const gri_slope *s)
{
    for (int i = GRI_RECENT - 1; i > 0; i--) {
        t->slope[i] = t->slope[i - 1];
        t->h[i] = t->h[i - 1];
        t->bend[i] = t->bend[i - 1];
    }
    t->slope[0] = s->value;
    t->h[0] = s->h;
    t->bend[0] = s->bend;
    if (t->rows++ == 0) t->first_step = s->h;
}

void gri_table_add(gri_table *t, gri_tolerance tolerance, gri_slope s)
{
    double row[GRI_COLUMNS] = {s.value}, factor = 1;
    int n = 1;
    const bool flat = t->moved && s.value == 0;
    t->moved |= s.value != 0;
    remember(t, &s);
    for (; n <= t->n && n < GRI_COLUMNS; n++) {
        factor *= t->factor;
        row[n] = row[n - 1] + (row[n - 1] - t->row[n - 1]) / (factor - 1);
        const double error = fmax(fabs(row[n] - row[n - 1]), fabs(row[n] - t->row[n - 1])) + s.noise;
        const double before = in_tolerances(tolerance, t->error, t->value);
        if (!isnan(before) && !(in_tolerances(tolerance, error, row[n]) < before)) continue;
        t->value = row[n];
        t->error = error;
        t->step = s.h;
        t->flat = flat && row[n] == 0;
    }
    memcpy(t->row, row, sizeof row);
    t->n = n;
}

bool gri_table_done(const gri_table *t, gri_tolerance tolerance, double noise, int least_rows)
{
    if (t->rows < least_rows) return false;
    const double error = in_tolerances(tolerance, t->error, t->value);
    return error <= enough || in_tolerances(tolerance, noise, t->slope[0]) >= error;
}

/* The bend of a smooth function has odd powers of h only. Extrapolated to step 0, free of h and h^3, it is
   gone; at a kink it is what it is. */
static bool is_bent(const gri_table *t, double threshold)
{
    const double first = GRI_SHRINK - 1, third = GRI_SHRINK * GRI_SHRINK * GRI_SHRINK - 1;
    const double last = t->bend[0];
    if (t->rows < 3 || !(fabs(last) > threshold)) return false;
    const double a = last + (last - t->bend[1]) / first;
    const double b = t->bend[1] + (t->bend[1] - t->bend[2]) / first;
    const double left = a + (a - b) / third;
    return fabs(left) > threshold + approached * fabs(last) + fabs(left - a);
}

gri_estimate gri_table_result(const gri_table *t, gri_tolerance tolerance, double noise)
{
    gri_estimate e = {.made = true, .value = t->value, .error = t->error, .step = t->step, .flat = t->flat};
    e.bend = fabs(t->bend[0]);
    e.bent = is_bent(t, gri_tolerated(tolerance, isnan(t->value) ? 0 : t->value) + bend_noise * noise);
    e.n_recent = t->rows < GRI_RECENT ? t->rows : GRI_RECENT;
    memcpy(e.slope, t->slope, sizeof e.slope);
    memcpy(e.h, t->h, sizeof e.h);
    return e;
}
