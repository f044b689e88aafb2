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

enum { GRI_COLUMNS = 5, GRI_RECENT = 4 };

/* Steps shrink by no simple fraction, so that a periodic function is not sampled in its period. */
#define GRI_SHRINK 2.61803398874989485

typedef struct gri_estimate {
    bool made;
    double value; /* NaN: there was no finite difference */
    double error;
    double step; /* h of the best entry */
    bool bent;   /* slopes from both sides do not approach each other */
    double bend; /* how far they are apart at the smallest step */
    bool
        flat; /* 0, because the function did not move any more at small steps, although it did at large ones */
    int n_recent;
    double slope[GRI_RECENT], h[GRI_RECENT]; /* of the last steps */
} gri_estimate;

/* The last row of an extrapolation: entry j is free of the errors of the j lowest powers of h. Rows end at
   GRI_COLUMNS, so that entries made of large steps, which may lie across a kink, are forgotten. */
typedef struct gri_table {
    double factor; /* by which the error of the lowest power falls from row to row: shrink^2 if the powers
                      are even, shrink if there are all; those behind it fall by its powers */
    double row[GRI_COLUMNS];
    int n;
    int rows; /* added in all */
    double value, error, step, first_step;
    double slope[GRI_RECENT], h[GRI_RECENT], bend[GRI_RECENT]; /* the last ones, the newest first */
    bool moved, flat, done;
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

/* Empties it. */
void gri_table_clear(gri_table *t, double factor);
/* Adds the slope of the next smaller step. */
void gri_table_add(gri_table *t, gri_tolerance tolerance, gri_slope slope);
/* Whether smaller steps are of no use: accurate enough, or rounding is all that is left. */
bool gri_table_done(const gri_table *t, gri_tolerance tolerance, double noise, int least_rows);
/* What has come out. `noise`: of the last slope. */
gri_estimate gri_table_result(const gri_table *t, gri_tolerance tolerance, double noise);

#endif
