/*
 * Plots as SVG: see plot.h. An axis maps data to pixels and knows its ticks; everything is drawn through two of
 * them.
 *
 * Invariant: numbers are written from integers, so that no locale changes the text.
 */
#include "support/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WIDTH = 720,
    HEIGHT = 440,
    LEFT = 78,
    RIGHT = 20,
    TOP = 40,
    BOTTOM = 56,
    MOST_TICKS = 64,
    STYLES = 6,
    LEGEND_WIDTH = 220,
    LEGEND_LINE = 18
};

static const char *const colours[STYLES] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"};
static const char *const dashes[STYLES] = {"", "7 4", "2 3", "9 3 2 3", "14 4", "4 2"};

/* ---- Axes ---- */

/* low and high are of the data, or of its logarithm to base 10; `from` and `to` are pixels. */
typedef struct axis {
    bool logarithmic;
    double low, high, from, to;
} axis;

static bool can_show(const axis *a, double v) { return isfinite(v) && (!a->logarithmic || v > 0); }
static double scaled(const axis *a, double v) { return a->logarithmic ? log10(v) : v; }
static double pixel(const axis *a, double v)
{
    return a->from + (scaled(a, v) - a->low) / (a->high - a->low) * (a->to - a->from);
}

/* The distance of about `wanted` ticks over a range: 1, 2 or 5 times a power of 10. */
static double tick_step(double range, double wanted)
{
    const double power = pow(10, floor(log10(range / wanted))), rest = range / wanted / power;
    return power * (rest < 1.5 ? 1 : rest < 3.5 ? 2 : rest < 7.5 ? 5 : 10);
}

/* Makes an empty range one that has a width, and rounds a linear one outwards to whole ticks. */
static void settle(axis *a, bool outwards)
{
    if (!(a->high > a->low)) {
        const double margin = a->logarithmic ? 0.5 : fmax(fabs(a->low) * 0.1, 0.5);
        a->low -= margin;
        a->high += margin;
    }
    if (!outwards) return;
    const double step = a->logarithmic ? 1 : tick_step(a->high - a->low, 6);
    a->low = floor(a->low / step + 1e-9) * step;
    a->high = ceil(a->high / step - 1e-9) * step;
}

static void widen(axis *a, double v)
{
    const double s = scaled(a, v);
    a->low = fmin(a->low, s);
    a->high = fmax(a->high, s);
}

/* Positions of labelled ticks, in data; returns how many. Less than two decades get 2 and 5, too. */
static int ticks_of(const axis *a, double *ticks)
{
    int n = 0;
    if (!a->logarithmic) {
        const double step = tick_step(a->high - a->low, 6);
        for (double k = ceil(a->low / step - 1e-9); k * step <= a->high + 1e-9 * step && n < MOST_TICKS; k++)
            ticks[n++] = k * step;
        return n;
    }
    const double decades = a->high - a->low;
    const int every = decades > 10 ? (int)ceil(decades / 8) : 1;
    static const double parts[] = {1, 2, 5};
    for (int e = (int)floor(a->low); e <= (int)ceil(a->high); e++)
        for (int k = 0; k < (decades < 2 ? 3 : 1); k++) {
            const double at = e + log10(parts[k]);
            const bool inside = at >= a->low - 1e-9 && at <= a->high + 1e-9;
            if (inside && e % every == 0 && n < MOST_TICKS) ticks[n++] = parts[k] * pow(10, e);
        }
    return n;
}

/* ---- Writing ---- */

/* A number of pixels, with two digits behind a point. */
static void put_pixels(FILE *f, double v)
{
    const long hundredths = lround(v * 100);
    fprintf(f, "%s%ld.%02ld", hundredths < 0 ? "-" : "", labs(hundredths) / 100, labs(hundredths) % 100);
}

static void put_attribute(FILE *f, const char *name, double v)
{
    fprintf(f, " %s=\"", name);
    put_pixels(f, v);
    fputc('"', f);
}

static void put_escaped(FILE *f, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            fputs("&lt;", f);
        else if (*text == '&')
            fputs("&amp;", f);
        else if (*text == '"')
            fputs("&quot;", f);
        else if ((unsigned char)*text >= 0x20)
            fputc(*text, f);
    }
}

/* The label of a tick: powers of 10 with an exponent on logarithmic axes, else as short as %g has it. */
static void put_tick(FILE *f, const axis *a, double v)
{
    const double e = v != 0 ? log10(fabs(v)) : 0;
    const bool wide = a->logarithmic && a->high - a->low > 3;
    if (wide && fabs(e - round(e)) < 1e-9 && fabs(e) > 0.5) {
        fprintf(f, "10<tspan dy=\"-5\" font-size=\"9\">%s%d</tspan>", e < 0 ? "−" : "", abs((int)lround(e)));
        return;
    }
    char text[32];
    snprintf(text, sizeof text, "%.6g", fabs(v));
    for (char *c = text; *c; c++)
        if (*c == ',') *c = '.';
    fprintf(f, "%s%s", v < 0 ? "−" : "", text);
}

static void put_line(FILE *f, double x1, double y1, double x2, double y2, const char *style)
{
    fputs("<line", f);
    put_attribute(f, "x1", x1);
    put_attribute(f, "y1", y1);
    put_attribute(f, "x2", x2);
    put_attribute(f, "y2", y2);
    fprintf(f, " %s/>\n", style);
}

static void begin_text(FILE *f, double x, double y, const char *style)
{
    fputs("<text", f);
    put_attribute(f, "x", x);
    put_attribute(f, "y", y);
    fprintf(f, " %s>", style);
}

static void put_text(FILE *f, double x, double y, const char *style, const char *text)
{
    if (!text) return;
    begin_text(f, x, y, style);
    put_escaped(f, text);
    fputs("</text>\n", f);
}

static void put_axes(FILE *f, const axis *x, const axis *y)
{
    double ticks[MOST_TICKS];
    int n = ticks_of(y, ticks);
    for (int i = 0; i < n; i++) {
        const double at = pixel(y, ticks[i]);
        put_line(f, x->from, at, x->to, at, "stroke=\"#ddd\"");
        begin_text(f, x->from - 7, at + 4, "text-anchor=\"end\"");
        put_tick(f, y, ticks[i]);
        fputs("</text>\n", f);
    }
    n = ticks_of(x, ticks);
    for (int i = 0; i < n; i++) {
        const double at = pixel(x, ticks[i]);
        put_line(f, at, y->from, at, y->from + 5, "stroke=\"#444\"");
        begin_text(f, at, y->from + 19, "text-anchor=\"middle\"");
        put_tick(f, x, ticks[i]);
        fputs("</text>\n", f);
    }
    put_line(f, x->from, y->from, x->to, y->from, "stroke=\"#444\"");
    put_line(f, x->from, y->from, x->from, y->to, "stroke=\"#444\"");
}

/* ---- Series ---- */

/* The mark of series k: a disc, square, triangle or diamond, filled or not. */
static void put_mark(FILE *f, int k, double x, double y)
{
    static const double shapes[][8] = {
        {-3, -3, 3, -3, 3, 3, -3, 3}, {0, -4, 4, 3, -4, 3, 0, -4}, {0, -4, 4, 0, 0, 4, -4, 0}};
    const char *colour = colours[k % STYLES], *fill = k % 2 ? "white" : colour;
    if (k % 4 == 0) {
        fputs("<circle", f);
        put_attribute(f, "cx", x);
        put_attribute(f, "cy", y);
        fprintf(f, " r=\"3\" fill=\"%s\" stroke=\"%s\"/>\n", fill, colour);
        return;
    }
    fputs("<polygon points=\"", f);
    for (int i = 0; i < 8; i++) {
        put_pixels(f, shapes[k % 4 - 1][i] + (i % 2 ? y : x));
        fputc(i < 7 ? (i % 2 ? ' ' : ',') : '"', f);
    }
    fprintf(f, " fill=\"%s\" stroke=\"%s\"/>\n", fill, colour);
}

static void put_stroke(FILE *f, int k)
{
    fprintf(f, "fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\" stroke-dasharray=\"%s\"",
            colours[k % STYLES], dashes[k % STYLES][0] ? dashes[k % STYLES] : "none");
}

static double x_of(const plot_series *s, int i) { return s->x ? s->x[i] : i; }

static void put_series(FILE *f, const axis *x, const axis *y, int k, const plot_series *s)
{
    fputs("<g clip-path=\"url(#frame)\">\n", f);
    bool open = false;
    for (int i = 0; i < s->n && s->style != PLOT_POINTS; i++) {
        if (!can_show(x, x_of(s, i)) || !can_show(y, s->y[i])) {
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
        put_pixels(f, pixel(x, x_of(s, i)));
        fputc(',', f);
        put_pixels(f, pixel(y, s->y[i]));
        fputc(' ', f);
    }
    if (open) fputs("\"/>\n", f);
    for (int i = 0; i < s->n && s->style != PLOT_LINE; i++)
        if (can_show(x, x_of(s, i)) && can_show(y, s->y[i]))
            put_mark(f, k, pixel(x, x_of(s, i)), pixel(y, s->y[i]));
    fputs("</g>\n", f);
}

/* How many points of the data lie in a box of pixels. */
static int points_in(const axis *x, const axis *y, int n, const plot_series *series, double left, double top)
{
    int inside = 0;
    for (int k = 0; k < n; k++)
        for (int i = 0; i < series[k].n; i++) {
            if (!can_show(x, x_of(&series[k], i)) || !can_show(y, series[k].y[i])) continue;
            const double px = pixel(x, x_of(&series[k], i)) - left, py = pixel(y, series[k].y[i]) - top;
            inside += px >= 0 && px <= LEGEND_WIDTH && py >= 0 && py <= n * LEGEND_LINE;
        }
    return inside;
}

/* In the corner that hides least of the data. */
static void put_legend(FILE *f, const axis *x, const axis *y, int n, const plot_series *series)
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
    double at = best_top + 13;
    for (int k = 0; k < n; k++) {
        if (!series[k].label) continue;
        if (series[k].style != PLOT_POINTS) {
            fputs("<line", f);
            put_attribute(f, "x1", best_left);
            put_attribute(f, "x2", best_left + 34);
            put_attribute(f, "y1", at - 4);
            put_attribute(f, "y2", at - 4);
            fputc(' ', f);
            put_stroke(f, k);
            fputs("/>\n", f);
        }
        if (series[k].style != PLOT_LINE) put_mark(f, k, best_left + 17, at - 4);
        put_text(f, best_left + 42, at, "", series[k].label);
        at += LEGEND_LINE;
    }
}

/* ---- The plot ---- */

/* The ranges of the data, where none are asked for; false if there is nothing to be drawn. */
static bool set_ranges(axis *x, axis *y, const plot_options *o, int n, const plot_series *series)
{
    *x = (axis){.logarithmic = o->log_x, .low = INFINITY, .high = -INFINITY};
    *y = (axis){.logarithmic = o->log_y, .low = INFINITY, .high = -INFINITY};
    for (int k = 0; k < n; k++)
        for (int i = 0; i < series[k].n; i++) {
            if (!can_show(x, x_of(&series[k], i)) || !can_show(y, series[k].y[i])) continue;
            widen(x, x_of(&series[k], i));
            widen(y, series[k].y[i]);
        }
    if (x->low > x->high) return false;
    const bool x_given = o->x_min != 0 || o->x_max != 0, y_given = o->y_min != 0 || o->y_max != 0;
    if (x_given && can_show(x, o->x_min) && can_show(x, o->x_max)) {
        x->low = scaled(x, o->x_min);
        x->high = scaled(x, o->x_max);
    }
    if (y_given && can_show(y, o->y_min) && can_show(y, o->y_max)) {
        y->low = scaled(y, o->y_min);
        y->high = scaled(y, o->y_max);
    }
    settle(x, false);
    settle(y, !y_given);
    return true;
}

static void put_plot(FILE *f, const plot_options *o, int n, const plot_series *series, axis *x, axis *y)
{
    const int width = o->width > 0 ? o->width : WIDTH, height = o->height > 0 ? o->height : HEIGHT;
    x->from = LEFT;
    x->to = width - RIGHT;
    y->from = height - BOTTOM;
    y->to = TOP;
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
            "font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n",
            width, height, width, height);
    fprintf(f, "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n", width, height);
    fprintf(f, "<clipPath id=\"frame\"><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/></clipPath>\n",
            LEFT - 4, TOP - 4, width - LEFT - RIGHT + 8, height - TOP - BOTTOM + 8);
    put_text(f, (x->from + x->to) / 2, 22, "text-anchor=\"middle\" font-size=\"15\"", o->title);
    put_text(f, (x->from + x->to) / 2, height - 14, "text-anchor=\"middle\"", o->x_label);
    char turn[96];
    snprintf(turn, sizeof turn, "text-anchor=\"middle\" transform=\"rotate(-90 18 %d)\"", height / 2);
    put_text(f, 18, height / 2, turn, o->y_label);
    put_axes(f, x, y);
    for (int k = 0; k < n; k++) put_series(f, x, y, k, &series[k]);
    put_legend(f, x, y, n, series);
    fputs("</svg>\n", f);
}

bool plot_write(const char *path, const plot_options *options, int n, const plot_series *series)
{
    const plot_options o = options ? *options : (plot_options){0};
    axis x, y;
    if (!set_ranges(&x, &y, &o, n, series)) return false;
    FILE *f = fopen(path, "w");
    if (!f) return false;
    put_plot(f, &o, n, series, &x, &y);
    const bool written = !ferror(f);
    return fclose(f) == 0 && written;
}
