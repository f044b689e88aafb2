/*
 * Numbers from evaluations of a subject along a line through x: one element changed, or all in a direction.
 * One pair of evaluations serves all rows, a row being one element of y, or a combination of all.
 *
 * Invariant: afterwards x is as it was, bit for bit.
 */
#ifndef GRI_CHECK_LINE_H
#define GRI_CHECK_LINE_H

#include "check/blocks.h"
#include "check/difference.h"
#include "check/subject.h"

/* What can be found out about a row, each the answer to a doubt about those before it. */
typedef enum gri_want {
    GRI_ENOUGH = 0,
    GRI_FIRST,   /* central differences from the largest step */
    GRI_PLATEAU, /* whether the function is a staircase */
    GRI_SECOND,  /* central differences from a much smaller step: more local */
    GRI_NEAR,    /* central differences from steps of the size of x, where that is tiny */
    GRI_SIDES,   /* slopes from the left and from the right */
    GRI_THIRD,   /* central differences from where these converged */
    GRI_WIDE     /* central differences from a larger step: less rounding */
} gri_want;

/* The slope on one side. */
typedef struct gri_side {
    gri_table table;
    double value,
        error; /* +-inf: grows without bound; NaN: no function there, or no convergence (error inf) */
    double step;
    bool edge;  /* not finite at the smallest steps */
    int finite; /* steps in a row at which it was */
    int steps;  /* that were taken at all */
    double
        change[GRI_COLUMNS]; /* y - y(x) at the last steps at which it was worth mention, the newest first */
    int changes;
    bool faded; /* they are worth no mention any more */
    double noise, scatter;
} gri_side;

typedef struct gri_numbers {
    bool finite; /* y(x) is */
    gri_estimate first, second, near, third, wide;
    gri_side side[2];    /* from below, from above */
    bool sided, stepped; /* whether the answers about sides and plateaus are there */
    double size;         /* of y: the most that was met */
    double quiet;        /* rounding error of a slope through what did not move, at the largest step */
    uint8_t seen[2];     /* on the sides: standing still, moving, or both */
    double staircase;    /* height of the steps of a staircase; 0: it is none */
    gri_table table;     /* under way */
    double noise;        /* of its last slope */
} gri_numbers;

typedef struct gri_line {
    gri_subject *subject;
    int64_t rows;
    const double *weights; /* [rows, m]; NULL: the identity */
    const double *x, *y;   /* n and m numbers */
    double step, rtol, atol /* 0: automatic */, accuracy;
    double inner_size; /* of what y is computed from, per unit of x: it is rounded, too */
    int64_t *evaluations;
    /* The line. */
    int64_t element; /* -1: a direction */
    const double *direction;
    double at, scale; /* x_j, and the unit of steps */
    double near;      /* the size of x, if it is tiny; else 0 */
    double grain;     /* a step of which x + step is x, or nearly */
    /* What is found out. */
    gri_numbers *numbers;  /* of each row */
    uint8_t *active;       /* rows that still want it */
    double *above, *below; /* scratch, m numbers each */
    uint8_t *moved;        /* outputs that have moved on this line */
} gri_line;

/* Memory for so many rows; false if there is none. */
bool gri_line_prepare(gri_line *l, gri_blocks *blocks);
/* To element j, or, if j is -1, to a direction. */
void gri_line_begin(gri_line *l, int64_t j, const double *direction);
/* Finds it out for the rows that are active. */
gr_status gri_line_find(gri_line *l, gri_want what);
gr_status gri_line_end(gri_line *l);

/* The automatic absolute tolerance for a function of size 1 or more, and the tolerance for a row. */
double gri_line_most_absolute(const gri_line *l);
gri_tolerance gri_line_tolerance(const gri_line *l, const gri_numbers *n);

#endif
