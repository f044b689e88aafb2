/*
 * Search along a line for a point where the strong Wolfe conditions hold. Knows numbers only: a function phi of the
 * step, and its slope.
 */
#ifndef GRI_OPTIM_LINE_SEARCH_H
#define GRI_OPTIM_LINE_SEARCH_H

#include <stdbool.h>

typedef struct gri_line_point {
    double at, value, slope; /* value is infinity where phi or its slope cannot be used */
} gri_line_point;

typedef struct gri_line {
    /* Fills p->value and p->slope at p->at > 0; false: the search must end. */
    bool (*evaluate)(void *user, gri_line_point *p);
    void *user;
    gri_line_point start; /* at 0; its slope is negative */
    double first;         /* the step to try first; > 0 */
    double c1, c2;        /* 0 < c1 < c2 < 1 */
    double resolution;    /* steps that differ by no more are the same to phi */
    double noise;         /* values that differ by no more may be equal */
} gri_line;

typedef enum gri_line_end {
    GRI_LINE_WOLFE,    /* *found, which was evaluated last, meets both conditions */
    GRI_LINE_NONE,     /* no such point was found */
    GRI_LINE_ABANDONED /* evaluate said so */
} gri_line_end;

gri_line_end gri_line_search(const gri_line *line, gri_line_point *found);

/* Where the cubic through two points with these slopes has its minimum; NaN if it has none. */
double gri_cubic_minimum(const gri_line_point *a, const gri_line_point *b);

#endif
