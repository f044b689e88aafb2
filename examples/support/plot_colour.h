/*
 * Values as colours: the maps, their bar, and matrices as images. Only for plot*.c.
 */
#ifndef EXAMPLES_SUPPORT_PLOT_COLOUR_H
#define EXAMPLES_SUPPORT_PLOT_COLOUR_H

#include "support/plot_svg.h"

typedef struct colour_stop {
    double at; /* 0 to 1 */
    unsigned char rgb[3];
} colour_stop;

/* Straight lines in RGB between stops, which an SVG can show as a gradient, too. */
typedef struct colour_map {
    int n;
    const colour_stop *stops;
} colour_map;

/* A map, and the values of its ends. */
typedef struct colour_scale {
    const colour_map *map;
    double low, high;
} colour_scale;

/* Definitions that the others refer to: the gradient of the bar, the hatching of what is NaN. */
void colour_define(FILE *f, const colour_map *map);
/* Where a matrix is drawn. cell: elements are squares of so many pixels; 0: one pixel each, stretched. */
typedef struct colour_box {
    double x, y, width, height;
    int cell;
} colour_box;
/* False if there is no memory. */
bool colour_put_matrix(FILE *f, const colour_scale *scale, const double *values, int rows, int columns,
                       const colour_box *box);
/* Whether text on it should be white. */
bool colour_is_dark(const colour_scale *scale, double value);
/* Pixels that the bar takes, with ticks and label. */
double colour_bar_width(const colour_scale *scale, const char *label);
/* The bar, upright, with ticks on its right and a label beside them. */
void colour_put_bar(FILE *f, const colour_scale *scale, double x, double y, double height, const char *label);

#endif
