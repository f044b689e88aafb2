/*
 * What a function decides over a plane: see plot.h. It is evaluated once at each point of a grid, of which both the
 * picture and the line between the regions are made: they agree.
 */
#include "support/plot.h"
#include "support/plot_colour.h"
#include "support/plot_level.h"

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
    LEGEND_LINE = 20
};

#define MARK 1.8 /* times the size of marks in curves */

/* Light tints, so that marks and line stand out; lightness rises with the value. */
static const colour_stop tint_stops[] = {{0, {128, 172, 210}}, {0.5, {205, 212, 212}}, {1, {255, 245, 190}}};
static const colour_map tints = {3, tint_stops};

/* Values at (steps + 1)^2 points, row by row, y falling: as an image. */
typedef struct grid {
    int steps;
    double *value;
    svg_axis x, y;
    colour_scale scale;
    double level;
} grid;

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

static void put_boundary(FILE *f, const grid *g)
{
    fputs("<path fill=\"none\" stroke=\"#000\" stroke-width=\"2\" stroke-linecap=\"round\" d=\"", f);
    level_put(f, &(level_grid){g->steps, g->value, g->x.from, g->x.to, g->y.to, g->y.from}, g->level);
    fputs("\"/>\n", f);
}

/* ---- The picture ---- */

static void put_points(FILE *f, const grid *g, int n, const plot_class *classes)
{
    for (int k = 0; k < n; k++)
        for (int i = 0; i < classes[k].n; i++)
            if (isfinite(classes[k].x[i]) && isfinite(classes[k].y[i]))
                svg_put_mark(f, k, svg_pixel(&g->x, classes[k].x[i]), svg_pixel(&g->y, classes[k].y[i]),
                             MARK);
}

/* To the right, under the bar. */
static void put_legend(FILE *f, double left, double top, int n, const plot_class *classes)
{
    for (int k = 0; k < n; k++) {
        if (!classes[k].label) continue;
        svg_put_mark(f, k, left + 7, top - 4, MARK);
        svg_put_text(f, left + 20, top, "", classes[k].label);
        top += LEGEND_LINE;
    }
    svg_put_line(f, left, top - 4, left + 14, top - 4, "stroke=\"#000\" stroke-width=\"2\"");
}

static int labelled(int n, const plot_class *classes)
{
    int lines = 0;
    for (int k = 0; k < n; k++) lines += classes[k].label != NULL;
    return lines;
}

static bool put_regions(FILE *f, const plot_regions_options *o, const grid *g, int n,
                        const plot_class *classes)
{
    const double half_x = (g->x.to - g->x.from) / g->steps / 2, half_y = (g->y.from - g->y.to) / g->steps / 2;
    const double side = g->x.to - g->x.from;
    const colour_box box = {g->x.from - half_x, g->y.to - half_y, side + 2 * half_x, side + 2 * half_y, 0};
    svg_begin(f, (int)g->x.to + GAP + COLOUR_BAR_WIDTH + 12, (int)g->y.from + BOTTOM);
    colour_define(f, &tints);
    fputs("<clipPath id=\"frame\"><rect", f);
    svg_put_attribute(f, "x", g->x.from);
    svg_put_attribute(f, "y", g->y.to);
    svg_put_attribute(f, "width", side);
    svg_put_attribute(f, "height", side);
    fputs("/></clipPath>\n", f);
    svg_put_titles(f, &g->x, &g->y, o->title, o->x_label, o->y_label);
    svg_put_axes(f, &g->x, &g->y);
    fputs("<g clip-path=\"url(#frame)\">\n", f);
    const bool done = colour_put_matrix(f, &g->scale, g->value, g->steps + 1, g->steps + 1, &box);
    put_boundary(f, g);
    fputs("</g>\n", f);
    put_points(f, g, n, classes);
    const int lines = labelled(n, classes) + 1;
    const double left = g->x.to + GAP, under = lines * LEGEND_LINE + 20;
    colour_put_bar(f, &g->scale, left, g->y.to, side - under, o->bar_label);
    put_legend(f, left, g->y.from - lines * LEGEND_LINE + 14, n, classes);
    svg_begin_text(f, left + 20, g->y.from - 6, "");
    svg_put_tick(f, &(svg_axis){.low = 0}, g->level);
    fputs("</text>\n</svg>\n", f);
    return done;
}

static void set_up(grid *g, const plot_regions_options *o)
{
    const bool x_given = o->x_min < o->x_max, y_given = o->y_min < o->y_max, given = o->low < o->high;
    const int size = o->size > 0 ? o->size : SIZE;
    g->x = (svg_axis){
        .low = x_given ? o->x_min : 0, .high = x_given ? o->x_max : 1, .from = LEFT, .to = LEFT + size};
    g->y = (svg_axis){
        .low = y_given ? o->y_min : 0, .high = y_given ? o->y_max : 1, .from = TOP + size, .to = TOP};
    g->scale = (colour_scale){&tints, given ? o->low : 0, given ? o->high : 1};
    g->level = o->level != 0 ? o->level : (g->scale.low + g->scale.high) / 2;
    g->steps = o->steps > 0 && o->steps <= MOST_STEPS ? o->steps : STEPS;
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
    FILE *file = fopen(path, "w");
    bool written = file && put_regions(file, &o, &g, n, classes);
    if (file) {
        written = !ferror(file) && written;
        written = fclose(file) == 0 && written;
    }
    free(g.value);
    return written;
}
