/* Lines of equal value through a grid, by marching squares. Only for plot*.c. */
#ifndef EXAMPLES_SUPPORT_PLOT_LEVEL_H
#define EXAMPLES_SUPPORT_PLOT_LEVEL_H

#include <stdio.h>

/* Values at (steps + 1)^2 points, row by row from the top, and the pixels that the outermost of them lie on. */
typedef struct level_grid {
    int steps;
    const double *value;
    double left, right, top, bottom;
} level_grid;

/* Writes the line as data of a path. It ends where values are not finite. */
void level_put(FILE *f, const level_grid *g, double level);

#endif
