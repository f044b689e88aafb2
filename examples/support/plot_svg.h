/*
 * What the plots have in common: axes and their ticks, and the writing of SVG. Only for plot*.c.
 *
 * Invariant: numbers are written from integers, or with their locale's comma replaced, so that no locale changes the
 * text; text of others is escaped.
 */
#ifndef EXAMPLES_SUPPORT_PLOT_SVG_H
#define EXAMPLES_SUPPORT_PLOT_SVG_H

#include <stdbool.h>
#include <stdio.h>

enum { SVG_MOST_TICKS = 64, SVG_STYLES = 6 };

/* The colours of Okabe and Ito (2008), in the order of the series. */
extern const char *const svg_colours[SVG_STYLES];

/* An axis maps data to pixels. low and high are of the data, or of its logarithm to base 10; `from` and `to` are
   pixels. */
typedef struct svg_axis {
    bool logarithmic;
    bool whole; /* of integers: no ticks between them */
    double low, high, from, to;
} svg_axis;

bool svg_can_show(const svg_axis *a, double v);
double svg_scaled(const svg_axis *a, double v);
double svg_pixel(const svg_axis *a, double v);
/* Makes an empty range one that has a width, and rounds a linear one outwards to whole ticks. */
void svg_settle(svg_axis *a, bool outwards);
void svg_widen(svg_axis *a, double v);
/* Positions of labelled ticks, in data; returns how many. Less than two decades get 2 and 5, too. */
int svg_ticks(const svg_axis *a, double *ticks);

/* Begins a picture of that size, on white. */
void svg_begin(FILE *f, int width, int height);
/* A number of pixels, with two digits behind a point. */
void svg_put_pixels(FILE *f, double v);
/* name="pixels", behind a blank. */
void svg_put_attribute(FILE *f, const char *name, double v);
void svg_put_escaped(FILE *f, const char *text);
/* The label of a tick. */
void svg_put_tick(FILE *f, const svg_axis *a, double v);
/* `style`: more attributes. */
void svg_put_line(FILE *f, double x1, double y1, double x2, double y2, const char *style);
void svg_begin_text(FILE *f, double x, double y, const char *style);
/* Nothing if the text is NULL. */
void svg_put_text(FILE *f, double x, double y, const char *style, const char *text);
/* Both axes, with ticks and grid lines across. */
void svg_put_axes(FILE *f, const svg_axis *x, const svg_axis *y);
/* Title above, labels beside the axes. */
void svg_put_titles(FILE *f, const svg_axis *x, const svg_axis *y, const char *title, const char *x_label,
                    const char *y_label);
/* The mark of series k: a disc, square, triangle or diamond, filled or not; of about 3 pixels from
   its middle, times `size`. */
void svg_put_mark(FILE *f, int k, double x, double y, double size);

#endif
