/* Curves and points: see plot.h. Everything is drawn through two axes. */
#include "support/plot.h"
#include "support/plot_svg.h"

#include <math.h>
#include <stdio.h>

enum {
    WIDTH = 720,
    HEIGHT = 440,
    LEAST_WIDTH = 240,
    LEAST_HEIGHT = 180,
    RIGHT = 24,
    TOP = 40,
    BOTTOM = 34,
    LABEL = 22, /* of the x axis, below */
    LEGEND_LINE = 18,
    LEGEND_MARK = 42, /* before the text */
    MARK_DISTANCE = 7 /* at which marks do not touch */
};

/* ---- Series ---- */

static double x_of(const plot_series *s, int i) { return s->x ? s->x[i] : i; }

static bool is_shown(const svg_axis *x, const svg_axis *y, const plot_series *s, int i)
{
    return i < s->n && s->y && svg_can_show(x, x_of(s, i)) && svg_can_show(y, s->y[i]);
}

static void put_line(FILE *f, const svg_axis *x, const svg_axis *y, int k, const plot_series *s)
{
    bool open = false;
    for (int i = 0; i < s->n; i++) {
        if (!is_shown(x, y, s, i)) continue;
        const bool alone = !open && !is_shown(x, y, s, i + 1);
        const double px = svg_pixel(x, x_of(s, i)), py = svg_pixel(y, s->y[i]);
        if (alone) { /* no line would show it */
            if (s->style == PLOT_LINE) svg_put_mark(f, k, px, py, 0.8);
            continue;
        }
        if (!open) {
            fputs("<polyline ", f);
            svg_put_stroke(f, k);
            fputs(" points=\"", f);
        }
        svg_put_pixels(f, px);
        fputc(',', f);
        svg_put_pixels(f, py);
        open = is_shown(x, y, s, i + 1);
        fputs(open ? " " : "\"/>\n", f);
    }
}

/* On a line marks only tell it from others: those that would touch the one before are left out. */
static void put_marks(FILE *f, const svg_axis *x, const svg_axis *y, int k, const plot_series *s)
{
    double last_x = -INFINITY, last_y = -INFINITY;
    for (int i = 0; i < s->n; i++) {
        if (!is_shown(x, y, s, i)) continue;
        const double px = svg_pixel(x, x_of(s, i)), py = svg_pixel(y, s->y[i]);
        if (s->style == PLOT_LINE_AND_POINTS && hypot(px - last_x, py - last_y) < MARK_DISTANCE) continue;
        last_x = px;
        last_y = py;
        svg_put_mark(f, k, px, py, 1);
    }
}

static void put_series(FILE *f, const svg_axis *x, const svg_axis *y, int k, const plot_series *s)
{
    fputs("<g clip-path=\"url(#frame)\">\n", f);
    if (s->style != PLOT_POINTS) put_line(f, x, y, k, s);
    if (s->style != PLOT_LINE) put_marks(f, x, y, k, s);
    fputs("</g>\n", f);
}

/* ---- Legend ---- */

typedef struct legend {
    double width, height, left, top;
} legend;

/* How many points of the data lie in it. */
static int points_in(const svg_axis *x, const svg_axis *y, int n, const plot_series *series, const legend *l)
{
    int inside = 0;
    for (int k = 0; k < n; k++)
        for (int i = 0; i < series[k].n; i++) {
            if (!is_shown(x, y, &series[k], i)) continue;
            const double right = svg_pixel(x, x_of(&series[k], i)) - l->left,
                         down = svg_pixel(y, series[k].y[i]) - l->top;
            inside += right >= -5 && right <= l->width + 5 && down >= -5 && down <= l->height + 5;
        }
    return inside;
}

/* In the corner that hides least of the data. */
static legend place_legend(const svg_axis *x, const svg_axis *y, int n, const plot_series *series)
{
    legend l = {0}, best = {0};
    for (int k = 0; k < n; k++) {
        if (!series[k].label) continue;
        l.width = fmax(l.width, LEGEND_MARK + svg_text_width(series[k].label, 12) + 6);
        l.height += LEGEND_LINE;
    }
    l.width = fmin(l.width, 0.7 * (x->to - x->from));
    int least = -1;
    for (int corner = 0; corner < 4; corner++) {
        l.left = corner % 2 ? x->from + 8 : x->to - l.width - 2;
        l.top = corner / 2 ? y->from - l.height - 8 : y->to + 2;
        const int hidden = points_in(x, y, n, series, &l);
        if (least >= 0 && hidden >= least) continue;
        least = hidden;
        best = l;
    }
    return best;
}

static void put_legend(FILE *f, const svg_axis *x, const svg_axis *y, int n, const plot_series *series)
{
    const legend l = place_legend(x, y, n, series);
    if (l.height == 0) return;
    fputs("<rect", f);
    svg_put_attribute(f, "x", l.left - 4);
    svg_put_attribute(f, "y", l.top);
    svg_put_attribute(f, "width", l.width + 4);
    svg_put_attribute(f, "height", l.height + 2);
    fputs(" fill=\"white\" fill-opacity=\"0.8\"/>\n", f);
    double at = l.top + 13;
    for (int k = 0; k < n; k++) {
        if (!series[k].label) continue;
        if (series[k].style != PLOT_POINTS) {
            fputs("<line", f);
            svg_put_attribute(f, "x1", l.left);
            svg_put_attribute(f, "x2", l.left + 34);
            svg_put_attribute(f, "y1", at - 4);
            svg_put_attribute(f, "y2", at - 4);
            fputc(' ', f);
            svg_put_stroke(f, k);
            fputs("/>\n", f);
        }
        if (series[k].style != PLOT_LINE) svg_put_mark(f, k, l.left + 17, at - 4, 1);
        svg_put_text(f, l.left + LEGEND_MARK, at, "", 12, l.width - LEGEND_MARK, series[k].label);
        at += LEGEND_LINE;
    }
}

/* ---- The plot ---- */

/* Sets what is asked for, if it is a range that the axis can show. */
static bool set_given(svg_axis *a, double low, double high)
{
    if (!(low < high) || !svg_can_show(a, low) || !svg_can_show(a, high)) return false;
    a->low = svg_scaled(a, low);
    a->high = svg_scaled(a, high);
    return true;
}

/* The ranges of the data, where none are asked for; false if there is nothing to be drawn. */
static bool set_ranges(svg_axis *x, svg_axis *y, const plot_options *o, int n, const plot_series *series)
{
    *x = (svg_axis){.logarithmic = o->log_x, .whole = true, .low = INFINITY, .high = -INFINITY};
    *y = (svg_axis){.logarithmic = o->log_y, .low = INFINITY, .high = -INFINITY};
    for (int k = 0; k < n; k++)
        for (int i = 0; i < series[k].n; i++) {
            if (!is_shown(x, y, &series[k], i)) continue;
            svg_widen(x, x_of(&series[k], i));
            x->whole &= x_of(&series[k], i) == floor(x_of(&series[k], i));
            svg_widen(y, series[k].y[i]);
        }
    if (x->low > x->high) return false;
    set_given(x, o->x_min, o->x_max);
    const bool y_given = set_given(y, o->y_min, o->y_max);
    svg_settle(x, false);
    svg_settle(y, !y_given);
    return true;
}

static int size_of(int asked, int otherwise, int least)
{
    return asked <= 0 ? otherwise : asked < least ? least : asked;
}

static void put_plot(FILE *f, const plot_options *o, int n, const plot_series *series, svg_axis *x,
                     svg_axis *y)
{
    const int width = size_of(o->width, WIDTH, LEAST_WIDTH),
              height = size_of(o->height, HEIGHT, LEAST_HEIGHT);
    x->from = svg_left_margin(y, o->y_label);
    x->to = width - RIGHT;
    y->from = height - BOTTOM - (o->x_label ? LABEL : 0);
    y->to = TOP;
    svg_begin(f, width, height);
    fputs("<clipPath id=\"frame\"><rect", f); /* marks at the edge are whole */
    svg_put_attribute(f, "x", x->from - 4);
    svg_put_attribute(f, "y", y->to - 4);
    svg_put_attribute(f, "width", x->to - x->from + 8);
    svg_put_attribute(f, "height", y->from - y->to + 8);
    fputs("/></clipPath>\n", f);
    svg_put_titles(f, x, y, o->title, o->x_label, o->y_label);
    svg_put_axes(f, x, y);
    for (int k = 0; k < n; k++) put_series(f, x, y, k, &series[k]);
    put_legend(f, x, y, n, series);
    fputs("</svg>\n", f);
}

bool plot_write(const char *path, const plot_options *options, int n, const plot_series *series)
{
    const plot_options o = options ? *options : (plot_options){0};
    svg_axis x, y;
    if (!set_ranges(&x, &y, &o, n, series)) return false;
    FILE *f = fopen(path, "w");
    if (!f) return false;
    put_plot(f, &o, n, series, &x, &y);
    const bool written = !ferror(f);
    return fclose(f) == 0 && written;
}
