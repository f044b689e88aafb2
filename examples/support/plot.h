/*
 * Plots as SVG, for the examples: curves and points over linear or logarithmic axes; matrices and images as tiles;
 * what a classifier decides over a plane, contours, and paths over them.
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

/* n points. Those that are not finite, beyond 1e300, or not positive on a logarithmic axis, are left out and break the
   line; a point between two of them is a small mark. With PLOT_LINE_AND_POINTS marks that would touch are left out. */
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
    double x_min, x_max, y_min,
        y_max;         /* range of an axis; unless min < max: that of the data, rounded outwards on y */
    int width, height; /* in pixels; 0: 720 and 440; at least 240 and 180 */
} plot_options;

/* Writes the plot; false if the file cannot be written (errno says why), or there is no point to be drawn. */
bool plot_write(const char *path, const plot_options *options, int n, const plot_series *series);

/* ---- Matrices and images ---- */

/* All have lightness that only rises, or only falls, with the value, so that they can be read in grey. */
typedef enum plot_colours {
    PLOT_SEQUENTIAL = 0, /* from black to white: images */
    PLOT_DIVERGING, /* dark blue below 0, grey at 0, light yellow above: weights. The range is symmetric */
    PLOT_INK        /* from white to dark blue: counts, attention weights */
} plot_colours;

/* Row by row, the first one at the top. What is NaN is hatched. */
typedef struct plot_tile {
    const double *values;
    int rows, columns;
    const char *label; /* above the tile; NULL: none */
} plot_tile;

/* A zeroed structure, or NULL, gives the defaults. */
typedef struct plot_tiles_options {
    const char *title;
    plot_colours colours;
    double low, high;      /* range of the colours, the same for all tiles; both 0: that of the data */
    const char *bar_label; /* what the colours stand for */
    int across;            /* tiles side by side; 0: about as many as below each other */
    int cell;              /* pixels per element; 0: such that the whole is about 600 pixels wide or high */
    bool show_values;      /* as numbers in cells of at least 24 pixels: a confusion matrix */
    /* Of a single matrix: what stands beside it. */
    const char *x_label, *y_label;
    const char *const *row_names;    /* one for each row; NULL: numbers */
    const char *const *column_names; /* one for each column; NULL: numbers */
} plot_tiles_options;

/* Writes n matrices, in a grid, with a bar that explains the colours; a single one also gets names or numbers of its rows
   and columns. The elements are an image inside the SVG (a PNG of a byte each), not shapes. False if the file cannot
   be written, there is no memory, or no tile with an element. */
bool plot_tiles(const char *path, const plot_tiles_options *options, int n, const plot_tile *tiles);

/* ---- Decisions, and functions of two variables ---- */

typedef double plot_function(double x, double y, void *user);

/* The samples of a class: n points. Or a path, as that of an optimiser. */
typedef struct plot_class {
    const char *label; /* for the legend; NULL: none */
    const double *x, *y;
    int n;
    bool joined; /* by a line, in their order; marks that would touch are left out */
} plot_class;

typedef struct plot_regions_options {
    const char *title, *x_label, *y_label, *bar_label;
    double x_min, x_max, y_min, y_max; /* unless min < max: 0 to 1 */
    double low, high; /* range of the colours; unless low < high: 0 to 1, with contours that of the values */
    double level;     /* of the line between the regions; 0: half way from low to high, with contours none */
    int contours; /* thin lines at the values beside the bar, and so many - 1 between two of them, at most 19; 0: none */
    int steps; /* the function is evaluated at (steps + 1)^2 points; 0: 100 */
    int size;  /* of the square, in pixels; 0: 440; at least 200 */
} plot_regions_options;

/* Writes what f says over a rectangle: as colour, in light tints; the line where it passes the level, or contours; the
   points of the classes, each with a mark of its own. Where f is NaN is hatched. False as above.

       plot_regions("path.svg", &(plot_regions_options){.x_min = -2, .x_max = 2, .y_min = -1, .y_max = 3, .contours = 2},
                    f, NULL, 1, &(plot_class){.label = "Adam", .x = x, .y = y, .n = n, .joined = true}); */
bool plot_regions(const char *path, const plot_regions_options *options, plot_function *f, void *user, int n,
                  const plot_class *classes);

#endif
