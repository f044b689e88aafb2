/*
 * What the plots have in common: axes and their ticks (plot_axis.c), and the writing of SVG. Only for plot*.c.
 *
 * Invariant: numbers are written so that no locale changes the text; text of others is escaped, and is UTF-8 whatever
 * its bytes are.
 */
#ifndef EXAMPLES_SUPPORT_PLOT_SVG_H
#define EXAMPLES_SUPPORT_PLOT_SVG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { SVG_MOST_TICKS = 64, SVG_STYLES = 6 };

/* The colours of Okabe and Ito (2008), in the order of the series. */
extern const char *const svg_colours[SVG_STYLES];

/* ---- Axes ---- */

/* An axis maps data to pixels. low and high are of the data, or of its logarithm to base 10; `from` and `to` are
   pixels. */
typedef struct svg_axis {
    bool logarithmic;
    bool whole; /* of integers: no ticks between them */
    double low, high, from, to;
    double step; /* between ticks, in data; 0 on logarithmic axes of a decade or more. Set by svg_settle */
} svg_axis;

/* Beyond 1e300 differences overflow. */
bool svg_can_show(const svg_axis *a, double v);
double svg_scaled(const svg_axis *a, double v);
double svg_pixel(const svg_axis *a, double v);
void svg_widen(svg_axis *a, double v);
/* Makes an empty range one that has a width, chooses ticks, and rounds outwards to them if it is asked for. */
void svg_settle(svg_axis *a, bool outwards);
/* Positions of labelled ticks, in data; returns how many. */
int svg_ticks(const svg_axis *a, double *ticks);
/* The label of a tick, with as many digits as tell it from the next one. */
void svg_put_tick(FILE *f, const svg_axis *a, double v);
/* Pixels that the widest label of the axis takes, about. */
double svg_tick_width(const svg_axis *a);
/* Both axes, with ticks and grid lines across. */
void svg_put_axes(FILE *f, const svg_axis *x, const svg_axis *y);
/* Pixels that a y axis needs on its left: for labels, and a title. */
double svg_left_margin(const svg_axis *y, bool titled);
/* Title above, labels beside the axes; the picture begins at x = 0. */
void svg_put_titles(FILE *f, const svg_axis *x, const svg_axis *y, const char *title, const char *x_label,
                    const char *y_label);

/* ---- Writing ---- */

/* A number with so many significant digits, as %g has it, with a point in every locale. */
enum { SVG_NUMBER_BYTES = 48 };
void svg_number(char to[SVG_NUMBER_BYTES], double v, int digits);

/* Begins a picture of that size, on white. */
void svg_begin(FILE *f, int width, int height);
/* A number of pixels, with two digits behind a point. */
void svg_put_pixels(FILE *f, double v);
/* name="pixels", behind a blank. */
void svg_put_attribute(FILE *f, const char *name, double v);
/* `style`: more attributes. */
void svg_put_line(FILE *f, double x1, double y1, double x2, double y2, const char *style);
void svg_begin_text(FILE *f, double x, double y, const char *style);
/* Pixels that a text takes at a size of the letters, about. */
double svg_text_width(const char *text, double size);
/* Nothing if the text is NULL. What is wider than `room` is set smaller, and, where that is not enough, cut. */
void svg_put_text(FILE *f, double x, double y, const char *style, double size, double room, const char *text);
/* The same from below upwards, around its middle. */
void svg_put_upright(FILE *f, double x, double y, double room, const char *text);
/* The mark of series k: a disc, square, triangle or diamond, filled or not; of about 3 pixels from
   its middle, times `size`. */
void svg_put_mark(FILE *f, int k, double x, double y, double size);
/* Attributes of the line of series k: colour and pattern. */
void svg_put_stroke(FILE *f, int k);

#endif
