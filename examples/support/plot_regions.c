/*
 * What a function decides over a plane: see plot.h. It is evaluated once at each point of a grid, of which both the
 * picture and the line between the regions are made: they agree.
 */
#include "support/plot.h"
#include "support/plot_colour.h"

#include <math.h>
#include <stdlib.h>

enum {
    LEFT = 78,
    TOP = 40,
    BOTTOM = 56,
    GAP = 18,
    STEPS = 100,
    MOST_STEPS = 2000,
    SIZE = 440,
    LEAST_SIZE = 200,
    LEAST_BAR = 60,
    LEGEND_LINE = 20,
    LEGEND_TEXT = 22,
    LEAST_LEGEND = 70,
    MOST_LEGEND = 260,
    MOST_PARTS = 20,
    PATH_MARK_DISTANCE = 9
};

#define MARK      1.8 /* times the size of marks in curves */
#define PATH_MARK 1.1

/* Light tints, so that marks and line stand out; lightness rises with the value. */
static const colour_stop tint_stops[] = {{0, {128, 172, 210}}, {0.5, {205, 212, 212}}, {1, {255, 245, 190}}};
static const colour_map tints = {3, tint_stops};

/* Values at (steps + 1)^2 points, row by row, y falling: as an image. */
typedef struct grid {
    int steps;
    double *value;
    svg_axis x, y;
    colour_scale scale;
} grid;

static double at(const grid *g, int row, int column)
{
    return g->value[(size_t)row * (size_t)(g->steps + 1) + (size_t)column];
}

static void evaluate(grid *g, plot_function *f, void *user)
{
    double *to = g->value;
    for (int row = 0; row <= g->steps; row++)
        for (int column = 0; column <= g->steps; column++) {
            const double right = (double)column / g->steps, down = (double)row / g->steps;
            *to++ = f(g->x.low + right * (g->x.high - g->x.low), g->y.high - down * (g->y.high - g->y.low),
                      user);
        }
}

/* ---- The line: marching squares ---- */

/* The point of an edge of a cell where the level is passed: edges 0 to 3 are top, right, bottom, left. */
static void put_crossing(FILE *f, const grid *g, double level, int row, int column, int edge)
{
    static const int from[4][2] = {{0, 0}, {0, 1}, {1, 0}, {0, 0}},
                     to[4][2] = {{0, 1}, {1, 1}, {1, 1}, {1, 0}};
    const int r0 = row + from[edge][0], c0 = column + from[edge][1];
    const int r1 = row + to[edge][0], c1 = column + to[edge][1];
    const double a = at(g, r0, c0), b = at(g, r1, c1), part = (level - a) / (b - a);
    const double cell_x = (g->x.to - g->x.from) / g->steps, cell_y = (g->y.from - g->y.to) / g->steps;
    svg_put_pixels(f, g->x.from + cell_x * (c0 + part * (c1 - c0)));
    fputc(' ', f);
    svg_put_pixels(f, g->y.to + cell_y * (r0 + part * (r1 - r0)));
}

static void put_segment(FILE *f, const grid *g, double level, int row, int column, int edge_a, int edge_b)
{
    fputc('M', f);
    put_crossing(f, g, level, row, column, edge_a);
    fputc('L', f);
    put_crossing(f, g, level, row, column, edge_b);
}

/* The line through one cell. Where opposite corners are alike their mean decides which of them are joined. */
static void put_cell(FILE *f, const grid *g, double level, int row, int column)
{
    const double v[4] = {at(g, row, column), at(g, row, column + 1), at(g, row + 1, column + 1),
                         at(g, row + 1, column)};
    int edges[4], n = 0;
    for (int k = 0; k < 4; k++)
        if (!isfinite(v[k])) return;
    for (int k = 0; k < 4; k++) /* edge k lies between corners k and k + 1 */
        if ((v[k] > level) != (v[(k + 1) % 4] > level)) edges[n++] = k;
    if (n == 2) put_segment(f, g, level, row, column, edges[0], edges[1]);
    if (n != 4) return;
    const bool joined = (v[0] > level) == ((v[0] + v[1] + v[2] + v[3]) / 4 > level);
    put_segment(f, g, level, row, column, 0, joined ? 1 : 3);
    put_segment(f, g, level, row, column, 2, joined ? 3 : 1);
}

/* Contours alone have no regions. */
static bool has_boundary(const plot_regions_options *o) { return o->contours <= 0 || o->level != 0; }

static double level_of(const grid *g, const plot_regions_options *o)
{
    return o->level != 0 ? o->level : (g->scale.low + g->scale.high) / 2;
}

static void put_level(FILE *f, const grid *g, double level, const char *width)
{
    fprintf(f, "<path fill=\"none\" stroke=\"#000\" stroke-width=\"%s\" stroke-linecap=\"round\" d=\"",
            width);
    for (int row = 0; row < g->steps; row++)
        for (int column = 0; column < g->steps; column++) put_cell(f, g, level, row, column);
    fputs("\"/>\n", f);
}

/* Thin lines at the ticks of the bar, and `parts` - 1 between two of them. */
static void put_contours(FILE *f, const grid *g, int parts)
{
    svg_axis bar = {.low = g->scale.low, .high = g->scale.high};
    svg_settle(&bar, false);
    const double step = bar.step / (parts < MOST_PARTS ? parts : MOST_PARTS);
    for (double k = ceil(bar.low / step - 1e-9); k <= bar.high / step + 1e-9; k++)
        put_level(f, g, k * step, "0.6");
}

/* ---- The picture ---- */

/* A path, on a line of white that lifts it from what it crosses. */
static void put_path(FILE *f, const grid *g, int k, const plot_class *c)
{
    for (int pass = 0; pass < 2; pass++) {
        bool any = false;
        if (pass == 0)
            fputs("<polyline fill=\"none\" stroke=\"#fff\" stroke-width=\"4\"", f);
        else
            fputs("<polyline ", f);
        if (pass == 1) svg_put_stroke(f, k);
        fputs(" points=\"", f);
        for (int i = 0; i < c->n; i++) {
            if (!isfinite(c->x[i]) || !isfinite(c->y[i])) continue;
            if (any) fputc(' ', f);
            svg_put_pixels(f, svg_pixel(&g->x, c->x[i]));
            fputc(',', f);
            svg_put_pixels(f, svg_pixel(&g->y, c->y[i]));
            any = true;
        }
        fputs("\"/>\n", f);
    }
}

static void put_points(FILE *f, const grid *g, int n, const plot_class *classes)
{
    for (int k = 0; k < n; k++) {
        const plot_class *c = &classes[k];
        double last_x = -INFINITY, last_y = -INFINITY;
        if (c->joined) put_path(f, g, k, c);
        for (int i = 0; i < c->n; i++) {
            if (!isfinite(c->x[i]) || !isfinite(c->y[i])) continue;
            const double x = svg_pixel(&g->x, c->x[i]), y = svg_pixel(&g->y, c->y[i]);
            if (c->joined && hypot(x - last_x, y - last_y) < PATH_MARK_DISTANCE) continue;
            last_x = x;
            last_y = y;
            svg_put_mark(f, k, x, y, c->joined ? PATH_MARK : MARK);
        }
    }
}

static int labelled(int n, const plot_class *classes)
{
    int lines = 0;
    for (int k = 0; k < n; k++) lines += classes[k].label != NULL;
    return lines;
}

static double legend_width(int n, const plot_class *classes)
{
    double widest = LEAST_LEGEND;
    for (int k = 0; k < n; k++)
        if (classes[k].label) widest = fmax(widest, LEGEND_TEXT + svg_text_width(classes[k].label, 12));
    return fmin(widest, MOST_LEGEND);
}

/* To the right, under the bar. */
static void put_legend(FILE *f, const grid *g, const plot_regions_options *o, double left, double top, int n,
                       const plot_class *classes)
{
    const double room = legend_width(n, classes) - LEGEND_TEXT;
    for (int k = 0; k < n; k++) {
        if (!classes[k].label) continue;
        if (classes[k].joined) {
            fputs("<path d=\"M", f);
            svg_put_pixels(f, left - 4);
            fputc(' ', f);
            svg_put_pixels(f, top - 4);
            fputs("h22\" ", f);
            svg_put_stroke(f, k);
            fputs("/>\n", f);
        }
        svg_put_mark(f, k, left + 7, top - 4, classes[k].joined ? PATH_MARK : MARK);
        svg_put_text(f, left + LEGEND_TEXT, top, "", 12, room, classes[k].label);
        top += LEGEND_LINE;
    }
    if (!has_boundary(o)) return;
    svg_put_line(f, left, top - 4, left + 14, top - 4, "stroke=\"#000\" stroke-width=\"2\"");
    svg_begin_text(f, left + LEGEND_TEXT, top, "");
    svg_put_tick(f, &(svg_axis){.low = 0}, level_of(g, o));
    fputs("</text>\n", f);
}

static void put_frame(FILE *f, const char *id, const grid *g, double margin)
{
    const double side = g->x.to - g->x.from + 2 * margin;
    fprintf(f, "<clipPath id=\"%s\"><rect", id);
    svg_put_attribute(f, "x", g->x.from - margin);
    svg_put_attribute(f, "y", g->y.to - margin);
    svg_put_attribute(f, "width", side);
    svg_put_attribute(f, "height", side);
    fputs("/></clipPath>\n", f);
}

static bool put_regions(FILE *f, const plot_regions_options *o, const grid *g, int n,
                        const plot_class *classes)
{
    const double half_x = (g->x.to - g->x.from) / g->steps / 2, half_y = (g->y.from - g->y.to) / g->steps / 2;
    const double side = g->x.to - g->x.from, bar = colour_bar_width(&g->scale, o->bar_label);
    const colour_box box = {g->x.from - half_x, g->y.to - half_y, side + 2 * half_x, side + 2 * half_y, 0};
    svg_begin(f, (int)(g->x.to + GAP + fmax(bar, legend_width(n, classes)) + 12), (int)g->y.from + BOTTOM);
    colour_define(f, &tints);
    put_frame(f, "frame", g, 0);
    put_frame(f, "marks", g, 7);
    svg_put_titles(f, &g->x, &g->y, o->title, o->x_label, o->y_label);
    svg_put_axes(f, &g->x, &g->y);
    fputs("<g clip-path=\"url(#frame)\">\n", f);
    const bool done = colour_put_matrix(f, &g->scale, g->value, g->steps + 1, g->steps + 1, &box);
    if (o->contours > 0) put_contours(f, g, o->contours);
    if (has_boundary(o)) put_level(f, g, level_of(g, o), "2");
    fputs("</g>\n<g clip-path=\"url(#marks)\">\n", f);
    put_points(f, g, n, classes);
    fputs("</g>\n", f);
    const int lines = labelled(n, classes) + has_boundary(o);
    const double left = g->x.to + GAP, under = lines > 0 ? lines * LEGEND_LINE + 20 : 0;
    colour_put_bar(f, &g->scale, left, g->y.to, fmax(side - under, LEAST_BAR), o->bar_label);
    put_legend(f, g, o, left, g->y.from - lines * LEGEND_LINE + 14, n, classes);
    fputs("</svg>\n", f);
    return done;
}

static void set_axis(svg_axis *a, double low, double high)
{
    const bool given = low < high && svg_can_show(a, low) && svg_can_show(a, high);
    a->low = given ? low : 0;
    a->high = given ? high : 1;
    svg_settle(a, false);
}

static void set_scale(grid *g, const plot_regions_options *o)
{
    svg_axis range = {.low = INFINITY, .high = -INFINITY};
    const size_t n = (size_t)(g->steps + 1) * (size_t)(g->steps + 1);
    for (size_t i = 0; i < n && o->contours > 0; i++)
        if (svg_can_show(&range, g->value[i])) svg_widen(&range, g->value[i]);
    if (range.low > range.high) range = (svg_axis){.low = 0, .high = 1};
    if (o->low < o->high) range = (svg_axis){.low = o->low, .high = o->high};
    svg_settle(&range, false);
    g->scale = (colour_scale){&tints, range.low, range.high};
}

static void set_up(grid *g, const plot_regions_options *o)
{
    const int size = o->size > 0 ? o->size > LEAST_SIZE ? o->size : LEAST_SIZE : SIZE;
    *g = (grid){.steps = o->steps > 0 && o->steps <= MOST_STEPS ? o->steps : STEPS};
    set_axis(&g->x, o->x_min, o->x_max);
    set_axis(&g->y, o->y_min, o->y_max);
    g->x.from = fmax(LEFT, svg_left_margin(&g->y, o->y_label));
    g->x.to = g->x.from + size;
    g->y.from = TOP + size;
    g->y.to = TOP;
}

bool plot_regions(const char *path, const plot_regions_options *options, plot_function *f, void *user, int n,
                  const plot_class *classes)
{
    const plot_regions_options o = options ? *options : (plot_regions_options){.title = NULL};
    grid g;
    set_up(&g, &o);
    g.value = malloc((size_t)(g.steps + 1) * (size_t)(g.steps + 1) * sizeof *g.value);
    if (!g.value) return false;
    evaluate(&g, f, user);
    set_scale(&g, &o);
    FILE *file = fopen(path, "w");
    bool written = file && put_regions(file, &o, &g, n, classes);
    if (file) {
        written = !ferror(file) && written;
        written = fclose(file) == 0 && written;
    }
    free(g.value);
    return written;
}
