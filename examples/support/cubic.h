/*
 * The cubic of the lecture notes, 10 + 5 x + 4 x^2 + 6 x^3 on [-3, 3], and 20 points of it with noise of up to 50: what
 * small networks are to find, and what they see.
 */
#ifndef EXAMPLES_SUPPORT_CUBIC_H
#define EXAMPLES_SUPPORT_CUBIC_H

enum { CUBIC_POINTS = 20, CUBIC_CURVE = 121 };

/* Targets are scaled to [0, 1] by these two. */
static const double cubic_lowest = -131, cubic_highest = 223;

typedef struct cubic_data {
    double x[CUBIC_POINTS], y[CUBIC_POINTS];    /* what is seen */
    double at[CUBIC_CURVE], truth[CUBIC_CURVE]; /* what is to be found */
} cubic_data;

/* The same points each time. */
void cubic_make(cubic_data *d);

#endif
