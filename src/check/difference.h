/*
 * Numeric derivatives of one number by one other, from differences at shrinking steps, extrapolated to step 0
 * with an estimate of their error. Pure numbers: what is evaluated, and where, is decided in line.c.
 *
 * Invariant: the value kept is that of the smallest estimated error met, in units of the tolerance, and the
 * estimate never falls below what the given rounding of the differences alone would cause.
 */
#ifndef GRI_CHECK_DIFFERENCE_H
#define GRI_CHECK_DIFFERENCE_H

#include <stdbool.h>

enum { GRI_COLUMNS = 5, GRI_KEPT_ROWS = 3 };

/* Steps shrink by no simple fraction, so that a periodic function is not sampled in its period. */
#define GRI_SHRINK 2.61803398874989485

typedef struct gri_estimate {
    bool made;
    double value; /* NaN: there was no finite difference */
    double error;
    double step; /* h of the best entry */
    bool bent;   /* slopes from both sides do not approach each other */
    double bend; /* how far they are apart at the smallest step */
    double blur; /* how far apart rounding alone can make them there */
    bool
        flat; /* 0, because the function did not move any more at small steps, although it did at large ones */
    double residual; /* how far the function was, at all steps, from the line that was expected */
    int rows;        /* of the last steps, the newest first: what was extrapolated, and h */
    double row[GRI_KEPT_ROWS][GRI_COLUMNS], h[GRI_KEPT_ROWS];
} gri_estimate;

/* The last rows of an extrapolation: entry j is free of the errors of the j lowest powers of h. Rows end at
   GRI_COLUMNS, so that entries made of large steps, which may lie across a kink, are forgotten. */
typedef struct gri_table {
    int power;                              /* 2: errors have even powers of h only, 1: all */
    double row[GRI_KEPT_ROWS][GRI_COLUMNS]; /* the last ones, the newest first */
    int n;                                  /* entries of the newest */
    int rows;                               /* added in all */
    double value, error, step, first_step;
    double h[GRI_COLUMNS], bend[GRI_COLUMNS];
    double expected,
        residual; /* a slope, or NaN; how far the function was from a line through x of this slope */
    bool moved, flat, done;
    int good; /* steps since smaller ones are of no use */
} gri_table;

/* A slope, from a step h. */
typedef struct gri_slope {
    double h, value;
    double noise; /* how far rounding can change it */
    double bend;  /* slope from the right minus that from the left */
} gri_slope;

typedef struct gri_tolerance {
    double absolute, relative;
} gri_tolerance;

static inline double gri_tolerated(gri_tolerance t, double value)
{
    return t.absolute + t.relative * (value < 0 ? -value : value);
}

/* Rounding moves a difference of one-sided slopes by so many times as much as the central slope. */
#define GRI_BEND_NOISE 8.0

/* Empties it. */
void gri_table_clear(gri_table *t, int power);
/* Adds the slope of the next smaller step. */
void gri_table_add(gri_table *t, gri_tolerance tolerance, gri_slope slope);
/* Whether smaller steps are of no use, and have been for a number of steps: accurate enough, or rounding is all that
   is left. To be called once for each step. */
bool gri_table_done(gri_table *t, gri_tolerance tolerance, double noise, int least_rows, int more);
/* What has come out. `noise`: of the last slope. */
gri_estimate gri_table_result(const gri_table *t, gri_tolerance tolerance, double noise);

/* How far the values of the function scatter around a line of this slope, at the smallest steps: by what
   extrapolation leaves of the differences. */
double gri_roughness(const gri_estimate *e, double slope);

#endif
