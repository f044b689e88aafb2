/* Curves and points: see plot.h. Everything is drawn through two axes. */
#include "support/plot.h"
#include "support/plot_contour.h"
#include "support/plot_svg.h"

#include <math.h>
#include <stdio.h>

enum {
    WIDTH = 720,
    HEIGHT = 440,
    LEFT = 78,
    RIGHT = 20,
    TOP = 40,
    BOTTOM = 56,
    LEGEND_WIDTH = 220,
    LEGEND_LINE = 18
};

static const char *const dashes[SVG_STYLES] = {"", "7 4", "2 3", "9 3 2 3", "14 4", "4 2"};

/* ---- Series ---- */

static void put_stroke(FILE *f, int k)
{
    fprintf(f, "fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\" stroke-dasharray=\"%s\"",
            svg_colours[k % SVG_STYLES], dashes[k % SVG_STYLES][0] ? dashes[k % SVG_STYLES] : "none");
}

static double x_of(const plot_series *s, int i) { return s->x ? s->x[i] : i; }

static void put_series(FILE *f, const svg_axis *x, const svg_axis *y, int k, const plot_series *s)
{
    fputs("<g clip-path=\"url(#frame)\">\n", f);
    bool open = false;
    for (int i = 0; i < s->n && s->style != PLOT_POINTS; i++) {
        if (!svg_can_show(x, x_of(s, i)) || !svg_can_show(y, s->y[i])) {
            if (open) fputs("\"/>\n", f);
            open = false;
            continue;
        }
        if (!open) {
            fputs("<polyline ", f);
            put_stroke(f, k);
            fputs(" points=\"", f);
        }
        open = true;
        svg_put_pixels(f, svg_pixel(x, x_of(s, i)));
        fputc(',', f);
        svg_put_pixels(f, svg_pixel(y, s->y[i]));
        fputc(' ', f);
    }
    if (open) fputs("\"/>\n", f);
    for (int i = 0; i < s->n && s->style != PLOT_LINE; i++)
        if (svg_can_show(x, x_of(s, i)) && svg_can_show(y, s->y[i]))
            svg_put_mark(f, k, svg_pixel(x, x_of(s, i)), svg_pixel(y, s->y[i]), 1);
    fputs("</g>\n", f);
}

/* How many points of the data lie in a box of pixels. */
static int points_in(const svg_axis *x, const svg_axis *y, int n, const plot_series *series, double left,
                     double top)
{
    int inside = 0;
    for (int k = 0; k < n; k++)
        for (int i = 0; i < series[k].n; i++) {
            if (!svg_can_show(x, x_of(&series[k], i)) || !svg_can_show(y, series[k].y[i])) continue;
            const double px = svg_pixel(x, x_of(&series[k], i)) - left,
                         py = svg_pixel(y, series[k].y[i]) - top;
            inside += px >= 0 && px <= LEGEND_WIDTH && py >= 0 && py <= n * LEGEND_LINE;
        }
    return inside;
}

/* Something pale to read the legend on, where there are lines behind it. */
static void put_veil(FILE *f, double left, double top, int n, const plot_series *series)
{
    int lines = 0;
    for (int k = 0; k < n; k++) lines += series[k].label != NULL;
    if (lines == 0) return;
    fputs("<rect fill=\"#fff\" fill-opacity=\"0.85\"", f);
    svg_put_attribute(f, "x", left - 6);
    svg_put_attribute(f, "y", top - 4);
    svg_put_attribute(f, "width", LEGEND_WIDTH);
    svg_put_attribute(f, "height", lines * LEGEND_LINE + 6);
    fputs("/>\n", f);
}

/* In the corner that hides least of the data. */
static void put_legend(FILE *f, const svg_axis *x, const svg_axis *y, bool veil, int n,
                       const plot_series *series)
{
    double best_left = 0, best_top = 0;
    int least = -1;
    for (int corner = 0; corner < 4; corner++) {
        const double left = corner % 2 ? x->from + 8 : x->to - LEGEND_WIDTH;
        const double top = corner / 2 ? y->from - n * LEGEND_LINE - 8 : y->to + 4;
        const int hidden = points_in(x, y, n, series, left, top);
        if (least >= 0 && hidden >= least) continue;
        least = hidden;
        best_left = left;
        best_top = top;
    }
    if (veil) put_veil(f, best_left, best_top, n, series);
    double at = best_top + 13;
    for (int k = 0; k < n; k++) {
        if (!series[k].label) continue;
        if (series[k].style != PLOT_POINTS) {
            fputs("<line", f);
            svg_put_attribute(f, "x1", best_left);
            svg_put_attribute(f, "x2", best_left + 34);
            svg_put_attribute(f, "y1", at - 4);
            svg_put_attribute(f, "y2", at - 4);
            fputc(' ', f);
            put_stroke(f, k);
            fputs("/>\n", f);
        }
        if (series[k].style != PLOT_LINE) svg_put_mark(f, k, best_left + 17, at - 4, 1);
        svg_put_text(f, best_left + 42, at, "", series[k].label);
        at += LEGEND_LINE;
    }
}

/* ---- The plot ---- */

/* The ranges of the data, where none are asked for; false if there is nothing to be drawn. */
static bool set_ranges(svg_axis *x, svg_axis *y, const plot_options *o, int n, const plot_series *series)
{
    *x = (svg_axis){.logarithmic = o->log_x, .whole = true, .low = INFINITY, .high = -INFINITY};
    *y = (svg_axis){.logarithmic = o->log_y, .low = INFINITY, .high = -INFINITY};
    for (int k = 0; k < n; k++)
        for (int i = 0; i < series[k].n; i++) {
            if (!svg_can_show(x, x_of(&series[k], i)) || !svg_can_show(y, series[k].y[i])) continue;
            svg_widen(x, x_of(&series[k], i));
            x->whole &= x_of(&series[k], i) == floor(x_of(&series[k], i));
            svg_widen(y, series[k].y[i]);
        }
    if (x->low > x->high) return false;
    const bool x_given = o->x_min != 0 || o->x_max != 0, y_given = o->y_min != 0 || o->y_max != 0;
    if (x_given && svg_can_show(x, o->x_min) && svg_can_show(x, o->x_max)) {
        x->low = svg_scaled(x, o->x_min);
        x->high = svg_scaled(x, o->x_max);
    }
    if (y_given && svg_can_show(y, o->y_min) && svg_can_show(y, o->y_max)) {
        y->low = svg_scaled(y, o->y_min);
        y->high = svg_scaled(y, o->y_max);
    }
    svg_settle(x, false);
    svg_settle(y, !y_given);
    return true;
}

static bool put_plot(FILE *f, const plot_options *o, int n, const plot_series *series, svg_axis *x,
                     svg_axis *y)
{
    const int width = o->width > 0 ? o->width : WIDTH, height = o->height > 0 ? o->height : HEIGHT;
    x->from = LEFT;
    x->to = width - RIGHT;
    y->from = height - BOTTOM;
    y->to = TOP;
    svg_begin(f, width, height);
    fprintf(f, "<clipPath id=\"frame\"><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/></clipPath>\n",
            LEFT - 4, TOP - 4, width - LEFT - RIGHT + 8, height - TOP - BOTTOM + 8);
    svg_put_titles(f, x, y, o->title, o->x_label, o->y_label);
    svg_put_axes(f, x, y);
    const bool done = !o->contours || contour_put(f, x, y, o->contours);
    for (int k = 0; k < n; k++) put_series(f, x, y, k, &series[k]);
    put_legend(f, x, y, o->contours != NULL, n, series);
    fputs("</svg>\n", f);
    return done;
}

bool plot_write(const char *path, const plot_options *options, int n, const plot_series *series)
{
    const plot_options o = options ? *options : (plot_options){0};
    svg_axis x, y;
    if (!set_ranges(&x, &y, &o, n, series)) return false;
    FILE *f = fopen(path, "w");
    if (!f) return false;
    const bool done = put_plot(f, &o, n, series, &x, &y), written = done && !ferror(f);
    return fclose(f) == 0 && written;
}
