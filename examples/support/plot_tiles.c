/* Matrices and images as tiles: see plot.h. */
#include "support/plot.h"
#include "support/plot_colour.h"

#include <math.h>

enum {
    MARGIN = 20,
    GAP = 8,
    TITLE = 24,
    LABEL = 16,
    NUMBERS = 30,
    WIDTH = 600,
    LEAST_BAR = 120,
    MOST_SIZE = 1 << 12
};

static const colour_stop sequential_stops[] = {{0, {0, 0, 0}}, {1, {255, 255, 255}}};
static const colour_stop diverging_stops[] = {{0, {4, 30, 92}},
                                              {0.25, {49, 96, 150}},
                                              {0.5, {150, 150, 150}},
                                              {0.75, {222, 191, 96}},
                                              {1, {255, 244, 140}}};
static const colour_map maps[] = {
    [PLOT_SEQUENTIAL] = {2, sequential_stops}, [PLOT_DIVERGING] = {5, diverging_stops}};

/* Where everything is. */
typedef struct layout {
    int rows, columns; /* of the largest tile */
    int across, down, cell;
    int left, top; /* of the first tile, behind the numbers of a single one */
    int step_x, step_y, label;
    int width, height; /* of the picture */
} layout;

static bool is_drawable(const plot_tile *t)
{
    return t->values && t->rows > 0 && t->columns > 0 && t->rows <= MOST_SIZE && t->columns <= MOST_SIZE;
}

static layout arrange(const plot_tiles_options *o, int n, const plot_tile *tiles)
{
    layout l = {.rows = 1, .columns = 1};
    for (int i = 0; i < n; i++) {
        if (!is_drawable(&tiles[i])) continue;
        if (tiles[i].rows > l.rows) l.rows = tiles[i].rows;
        if (tiles[i].columns > l.columns) l.columns = tiles[i].columns;
        if (tiles[i].label) l.label = LABEL;
    }
    const double square = sqrt((double)n * l.rows / l.columns);
    l.across = o->across > 0 ? o->across : (int)fmax(1, ceil(square - 1e-9));
    if (l.across > n) l.across = n;
    l.down = (n + l.across - 1) / l.across;
    const int fits = (WIDTH - (l.across - 1) * GAP) / (l.across * l.columns);
    l.cell = o->cell > 0 ? o->cell : fits < 1 ? 1 : fits > 40 ? 40 : fits;
    l.step_x = l.columns * l.cell + GAP;
    l.step_y = l.rows * l.cell + GAP + l.label;
    l.left = MARGIN + (n == 1 ? NUMBERS : 0);
    l.top = MARGIN + (o->title ? TITLE : 0) + l.label;
    const int grid = l.down * l.step_y - l.label, least = LEAST_BAR;
    l.width = l.left + l.across * l.step_x + GAP + COLOUR_BAR_WIDTH + MARGIN / 2;
    l.height = l.top + (grid > least ? grid : least) + (n == 1 ? NUMBERS : 0) + MARGIN - GAP;
    return l;
}

/* False if there is no element to be drawn. */
static bool set_range(colour_scale *s, const plot_tiles_options *o, int n, const plot_tile *tiles)
{
    svg_axis range = {.low = INFINITY, .high = -INFINITY};
    bool any = false;
    for (int i = 0; i < n; i++) {
        if (!is_drawable(&tiles[i])) continue;
        any = true;
        for (long k = 0; k < (long)tiles[i].rows * tiles[i].columns; k++)
            if (isfinite(tiles[i].values[k])) svg_widen(&range, tiles[i].values[k]);
    }
    if (range.low > range.high) range.low = range.high = 0; /* only NaN: hatching */
    if (o->low != 0 || o->high != 0) range = (svg_axis){.low = o->low, .high = o->high};
    if (o->colours == PLOT_DIVERGING) {
        range.high = fmax(fabs(range.low), fabs(range.high));
        range.low = -range.high;
    }
    svg_settle(&range, false);
    *s = (colour_scale){&maps[o->colours == PLOT_DIVERGING], range.low, range.high};
    return any;
}

/* Numbers of rows and columns, at the middle of them, for a single matrix. */
static void put_numbers(FILE *f, const layout *l)
{
    double ticks[SVG_MOST_TICKS];
    const double right = l->left + l->columns * l->cell, bottom = l->top + l->rows * l->cell;
    const svg_axis x = {.whole = true, .low = -0.5, .high = l->columns - 0.5, .from = l->left, .to = right};
    const svg_axis y = {.whole = true, .low = -0.5, .high = l->rows - 0.5, .from = l->top, .to = bottom};
    int n = svg_ticks(&x, ticks);
    for (int i = 0; i < n; i++) {
        svg_begin_text(f, svg_pixel(&x, ticks[i]), bottom + 16, "text-anchor=\"middle\"");
        svg_put_tick(f, &x, ticks[i]);
        fputs("</text>\n", f);
    }
    n = svg_ticks(&y, ticks);
    for (int i = 0; i < n; i++) {
        svg_begin_text(f, l->left - 6, svg_pixel(&y, ticks[i]) + 4, "text-anchor=\"end\"");
        svg_put_tick(f, &y, ticks[i]);
        fputs("</text>\n", f);
    }
}

static bool put_tiles(FILE *f, const plot_tiles_options *o, const layout *l, const colour_scale *scale, int n,
                      const plot_tile *tiles)
{
    bool done = true;
    const int grid = l->across * l->step_x - GAP;
    svg_begin(f, l->width, l->height);
    colour_define(f, scale->map);
    svg_put_text(f, l->left + grid / 2.0, MARGIN + 8, "text-anchor=\"middle\" font-size=\"15\"", o->title);
    for (int i = 0; i < n && done; i++) {
        const plot_tile *t = &tiles[i];
        const double x = l->left + i % l->across * l->step_x, y = l->top + i / l->across * l->step_y;
        const double width = t->columns * l->cell, height = t->rows * l->cell;
        if (!is_drawable(t)) continue;
        done = colour_put_matrix(f, scale, t->values, t->rows, t->columns,
                                 &(colour_box){x, y, width, height, l->cell});
        svg_put_text(f, x + width / 2, y - 4, "text-anchor=\"middle\" font-size=\"11\"", t->label);
    }
    if (n == 1) put_numbers(f, l);
    const int height = l->down * l->step_y - GAP - l->label;
    colour_put_bar(f, scale, l->left + grid + 2 * GAP, l->top, height > LEAST_BAR ? height : LEAST_BAR,
                   o->bar_label);
    fputs("</svg>\n", f);
    return done;
}

bool plot_tiles(const char *path, const plot_tiles_options *options, int n, const plot_tile *tiles)
{
    const plot_tiles_options o = options ? *options : (plot_tiles_options){.title = NULL};
    colour_scale scale;
    if (n < 1 || !set_range(&scale, &o, n, tiles)) return false;
    const layout l = arrange(&o, n, tiles);
    FILE *f = fopen(path, "w");
    if (!f) return false;
    const bool written = put_tiles(f, &o, &l, &scale, n, tiles) && !ferror(f);
    return fclose(f) == 0 && written;
}
