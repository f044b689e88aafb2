/*
 * Plots as SVG, for the examples: curves and points over linear or logarithmic axes.
 *
 *     const plot_series series[] = {
 *         {.label = "gradient descent", .y = slow, .n = 200},
 *         {.label = "Newton", .y = fast, .n = 9, .style = PLOT_LINE_AND_POINTS},
 *     };
 *     plot_write("loss.svg", &(plot_options){.title = "Loss", .x_label = "step", .log_y = true}, 2, series);
 *
 * One self-contained file: no scripts, no fonts but the reader's own. Series can be told apart without colour,
 * by the pattern of the line and the shape of the points; colours are those of Okabe and Ito (2008). The same
 * data give the same bytes, in every locale.
 */
#ifndef EXAMPLES_SUPPORT_PLOT_H
#define EXAMPLES_SUPPORT_PLOT_H

#include <stdbool.h>

typedef enum plot_style { PLOT_LINE = 0, PLOT_POINTS, PLOT_LINE_AND_POINTS } plot_style;

/* n points. Those that are not finite, or not positive on a logarithmic axis, are left out and break the line. */
typedef struct plot_series {
    const char *label; /* for the legend; NULL: none */
    const double *x;   /* NULL: 0, 1, 2, ... */
    const double *y;
    int n;
    plot_style style;
} plot_series;

/* A zeroed structure, or NULL, gives the defaults. */
typedef struct plot_options {
    const char *title, *x_label, *y_label; /* UTF-8; NULL: none */
    bool log_x, log_y;
    double x_min, x_max, y_min, y_max; /* range of an axis; both 0: that of the data, rounded outwards on y */
    int width, height;                 /* in pixels; 0: 720 and 440 */
} plot_options;

/* Writes the plot; false if the file cannot be written (errno says why), or there is no point to be drawn. */
bool plot_write(const char *path, const plot_options *options, int n, const plot_series *series);

#endif
