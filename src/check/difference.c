#include "check/difference.h"

#include <math.h>
#include <string.h>

/* An estimated error below this part of the tolerance is small enough. */
static const double enough = 0.01;
/* The slopes of a smooth function approach each other: what is left at step 0 is below this part of what there
   is at the smallest step. */
static const double approached = 0.05;

void gri_table_clear(gri_table *t, int power)
{
    *t = (gri_table){.power = power, .expected = NAN, .value = NAN, .error = INFINITY};
}

/* An error in units of what is tolerated at this value. Across a pole the differences are small, and so are
   their errors, but not in these units. */
static double in_tolerances(gri_tolerance t, double error, double value)
{
    return error / gri_tolerated(t, value);
}

static void remember(gri_table *t, const gri_slope *s)
{
    for (int i = GRI_COLUMNS - 1; i > 0; i--) {
        t->h[i] = t->h[i - 1];
        t->bend[i] = t->bend[i - 1];
    }
    for (int i = GRI_KEPT_ROWS - 1; i > 0; i--) memcpy(t->row[i], t->row[i - 1], sizeof t->row[i]);
    t->h[0] = s->h;
    t->bend[0] = s->bend;
    if (t->rows++ == 0) t->first_step = s->h;
}

void gri_table_add(gri_table *t, gri_tolerance tolerance, gri_slope s)
{
    int n = 1;
    const bool flat = t->moved && s.value == 0;
    t->moved |= s.value != 0;
    remember(t, &s);
    if (!isnan(t->expected)) t->residual = fmax(t->residual, fabs(s.value - t->expected) * s.h);
    double *row = t->row[0];
    const double *last = t->row[1];
    row[0] = s.value;
    for (; n <= t->n && n < GRI_COLUMNS; n++) {
        const double ratio = t->h[n] / t->h[0]; /* what was asked for, but for the rounding of x */
        row[n] = row[n - 1] + (row[n - 1] - last[n - 1]) / ((t->power == 2 ? ratio * ratio : ratio) - 1);
        const double error = fmax(fabs(row[n] - row[n - 1]), fabs(row[n] - last[n - 1])) + s.noise;
        const double before = in_tolerances(tolerance, t->error, t->value);
        if (!isnan(before) && !(in_tolerances(tolerance, error, row[n]) < before)) continue;
        t->value = row[n];
        t->error = error;
        t->step = s.h;
        t->flat = flat && row[n] == 0;
    }
    t->n = n;
}

bool gri_table_done(gri_table *t, gri_tolerance tolerance, double noise, int least_rows, int more)
{
    if (t->rows < least_rows) return false;
    const double error = in_tolerances(tolerance, t->error, t->value);
    const bool good = error <= enough || in_tolerances(tolerance, noise, t->row[0][0]) >= error;
    t->good = good ? t->good + 1 : 0;
    return t->good > more;
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
    e.residual = t->residual;
    e.bent = is_bent(t, gri_tolerated(tolerance, isnan(t->value) ? 0 : t->value) + GRI_BEND_NOISE * noise);
    e.rows = t->rows < GRI_KEPT_ROWS ? t->rows : GRI_KEPT_ROWS;
    memcpy(e.row, t->row, sizeof e.row);
    memcpy(e.h, t->h, sizeof e.h);
    return e;
}

double gri_roughness(const gri_estimate *e, double slope)
{
    double most = 0;
    for (int i = 0; i < e->rows && !isnan(slope); i++) {
        double least = INFINITY;
        for (int c = 0; c < GRI_COLUMNS - i; c++) least = fmin(least, fabs(e->row[i][c] - slope));
        most = fmax(most, least * e->h[i]);
    }
    return most;
}
