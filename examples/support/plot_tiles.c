/* Matrices and images as tiles: see plot.h. */
#include "support/plot.h"
#include "support/plot_colour.h"

#include <math.h>
#include <string.h>

enum {
    MARGIN = 20,
    GAP = 8,
    TITLE = 24,
    LABEL = 16,
    AXIS_LABEL = 20,
    WIDTH = 600,
    MOST_CELL = 40,
    LEAST_VALUE_CELL = 24, /* for a number in it */
    ROW_DISTANCE = 13,     /* between names, at least */
    COLUMN_DISTANCE = 22,
    MOST_NAME = 150,
    LEAST_BAR = 120,
    MOST_SIZE = 1 << 12
};

static const colour_stop sequential_stops[] = {{0, {0, 0, 0}}, {1, {255, 255, 255}}};
static const colour_stop diverging_stops[] = {{0, {4, 30, 92}},
                                              {0.25, {49, 96, 150}},
                                              {0.5, {150, 150, 150}},
                                              {0.75, {222, 191, 96}},
                                              {1, {255, 244, 140}}};
static const colour_stop ink_stops[] = {{0, {255, 255, 255}}, {0.5, {124, 164, 206}}, {1, {8, 40, 96}}};
static const colour_map maps[] = {[PLOT_SEQUENTIAL] = {2, sequential_stops},
                                  [PLOT_DIVERGING] = {5, diverging_stops},
                                  [PLOT_INK] = {3, ink_stops}};

/* Where everything is. */
typedef struct layout {
    int rows, columns; /* of the largest tile */
    int across, down, cell;
    int left, top;               /* of the first tile, behind what stands beside a single one */
    int row_names, column_names; /* pixels for these; 0: none */
    bool upright;                /* names of columns */
    int step_x, step_y, label;
    bool single;
    int grid_width, grid_height, bar_height;
    int width, height; /* of the picture */
} layout;

static bool is_drawable(const plot_tile *t)
{
    return t->values && t->rows > 0 && t->columns > 0 && t->rows <= MOST_SIZE && t->columns <= MOST_SIZE;
}

/* ---- Names of rows and columns ---- */

static const char *name_of(const char *const *names, int i, char number[16])
{
    snprintf(number, 16, "%d", i);
    return !names ? number : names[i] ? names[i] : "";
}

static double widest(const char *const *names, int n)
{
    char number[16];
    double width = 0;
    for (int i = names ? 0 : n - 1; i < n; i++)
        width = fmax(width, svg_text_width(name_of(names, i, number), 12));
    return width;
}

/* Every so many of them have room: 1, 2, 5, 10, ... */
static int every(int cell, double distance)
{
    static const int parts[] = {1, 2, 5};
    for (int power = 1; power < MOST_SIZE; power *= 10)
        for (int k = 0; k < 3; k++)
            if ((double)cell * parts[k] * power >= distance) return parts[k] * power;
    return MOST_SIZE;
}

static void put_names(FILE *f, const plot_tiles_options *o, const layout *l)
{
    char number[16];
    const int bottom = l->top + l->rows * l->cell;
    const double distance = l->upright ? ROW_DISTANCE
                                       : fmax(COLUMN_DISTANCE, widest(o->column_names, l->columns) + 4);
    for (int i = 0, step = every(l->cell, ROW_DISTANCE); i < l->rows; i += step)
        svg_put_text(f, l->left - 6, l->top + (i + 0.5) * l->cell + 4, "text-anchor=\"end\"", 12,
                     l->row_names, name_of(o->row_names, i, number));
    for (int i = 0, step = every(l->cell, distance); i < l->columns; i += step) {
        const double x = l->left + (i + 0.5) * l->cell;
        char turn[96] = "text-anchor=\"middle\"";
        if (l->upright)
            snprintf(turn, sizeof turn, "text-anchor=\"end\" transform=\"rotate(-90 %ld %d)\"", lround(x + 4),
                     bottom + 6);
        svg_put_text(f, l->upright ? (double)lround(x + 4) : x, bottom + (l->upright ? 6 : 16), turn, 12,
                     MOST_NAME, name_of(o->column_names, i, number));
    }
    svg_put_text(f, l->left + l->grid_width / 2.0, bottom + l->column_names + 12, "text-anchor=\"middle\"",
                 12, l->grid_width + 40, o->x_label);
    svg_put_upright(f, MARGIN - 4, l->top + l->grid_height / 2.0, l->grid_height + 40, o->y_label);
}

/* ---- Layout ---- */

static void measure_names(layout *l, const plot_tiles_options *o)
{
    const double row = fmin(widest(o->row_names, l->rows), MOST_NAME);
    const double column = fmin(widest(o->column_names, l->columns), MOST_NAME);
    l->row_names = (int)ceil(row) + 8;
    l->upright = o->column_names && column + 4 > l->cell;
    l->column_names = l->upright ? (int)ceil(column) + 10 : 20;
    l->left += l->row_names + (o->y_label ? AXIS_LABEL : 0);
}

static layout arrange(const plot_tiles_options *o, int n, const plot_tile *tiles, double bar_width)
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
    const int wide = (WIDTH - (l.across - 1) * GAP) / (l.across * l.columns);
    const int high = n == 1 ? WIDTH / l.rows : MOST_CELL, fits = wide < high ? wide : high;
    l.cell = o->cell > 0 ? o->cell : fits < 1 ? 1 : fits > MOST_CELL ? MOST_CELL : fits;
    l.step_x = l.columns * l.cell + GAP;
    l.step_y = l.rows * l.cell + GAP + l.label;
    l.grid_width = l.across * l.step_x - GAP;
    l.grid_height = l.down * l.step_y - GAP - l.label;
    l.left = MARGIN;
    l.top = MARGIN + (o->title ? TITLE : 0) + l.label;
    l.single = n == 1;
    if (l.single) measure_names(&l, o);
    const int below = n > 1 ? 0 : l.column_names + (o->x_label ? AXIS_LABEL : 0);
    l.bar_height = l.grid_height > LEAST_BAR ? l.grid_height : LEAST_BAR;
    const int height = l.grid_height + below > l.bar_height ? l.grid_height + below : l.bar_height;
    l.width = l.left + l.grid_width + 2 * GAP + (int)bar_width + MARGIN / 2;
    l.height = l.top + height + MARGIN;
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
            if (svg_can_show(&range, tiles[i].values[k])) svg_widen(&range, tiles[i].values[k]);
    }
    if (range.low > range.high) range.low = range.high = 0; /* only NaN: hatching */
    if (o->low < o->high) range = (svg_axis){.low = o->low, .high = o->high};
    if (o->colours == PLOT_DIVERGING) {
        range.high = fmax(fabs(range.low), fabs(range.high));
        range.low = -range.high;
    }
    svg_settle(&range, false);
    const bool known = o->colours == PLOT_DIVERGING || o->colours == PLOT_INK;
    *s = (colour_scale){&maps[known ? o->colours : PLOT_SEQUENTIAL], range.low, range.high};
    return any;
}

/* ---- The picture ---- */

static void put_values(FILE *f, const layout *l, const colour_scale *scale, const plot_tile *t, double x,
                       double y)
{
    for (int i = 0; i < t->rows; i++)
        for (int k = 0; k < t->columns; k++) {
            const double v = t->values[(size_t)i * (size_t)t->columns + (size_t)k];
            char number[SVG_NUMBER_BYTES];
            if (isnan(v)) continue;
            svg_number(number, v, fabs(v) >= 1000 && fabs(v) < 1e5 ? 5 : 3);
            svg_put_text(f, x + (k + 0.5) * l->cell, y + (i + 0.5) * l->cell + 4,
                         colour_is_dark(scale, v) ? "text-anchor=\"middle\" fill=\"white\""
                                                  : "text-anchor=\"middle\"",
                         11, l->cell, number);
        }
}

static bool put_tile(FILE *f, const plot_tiles_options *o, const layout *l, const colour_scale *scale,
                     const plot_tile *t, double x, double y)
{
    const double width = t->columns * l->cell, height = t->rows * l->cell;
    const bool done = colour_put_matrix(f, scale, t->values, t->rows, t->columns,
                                        &(colour_box){x, y, width, height, l->cell});
    if (o->colours == PLOT_INK) { /* its 0 is the white of the paper */
        fputs("<rect", f);
        svg_put_attribute(f, "x", x);
        svg_put_attribute(f, "y", y);
        svg_put_attribute(f, "width", width);
        svg_put_attribute(f, "height", height);
        fputs(" fill=\"none\" stroke=\"#444\" stroke-width=\"0.5\"/>\n", f);
    }
    if (o->show_values && l->cell >= LEAST_VALUE_CELL) put_values(f, l, scale, t, x, y);
    const double middle = x + width / 2, beside = 2 * fmin(middle, l->width - middle) - 4;
    svg_put_text(f, middle, y - 4, "text-anchor=\"middle\"", 11, l->single ? beside : l->step_x - GAP,
                 t->label);
    return done;
}

static bool put_tiles(FILE *f, const plot_tiles_options *o, const layout *l, const colour_scale *scale, int n,
                      const plot_tile *tiles)
{
    bool done = true;
    svg_begin(f, l->width, l->height);
    colour_define(f, scale->map);
    svg_put_text(f, l->width / 2.0, MARGIN + 8, "text-anchor=\"middle\"", 15, l->width - 8, o->title);
    for (int i = 0; i < n && done; i++)
        if (is_drawable(&tiles[i]))
            done = put_tile(f, o, l, scale, &tiles[i], l->left + i % l->across * l->step_x,
                            l->top + i / l->across * l->step_y);
    if (n == 1) put_names(f, o, l);
    colour_put_bar(f, scale, l->left + l->grid_width + 2 * GAP, l->top, l->bar_height, o->bar_label);
    fputs("</svg>\n", f);
    return done;
}

bool plot_tiles(const char *path, const plot_tiles_options *options, int n, const plot_tile *tiles)
{
    const plot_tiles_options o = options ? *options : (plot_tiles_options){.title = NULL};
    colour_scale scale;
    if (n < 1 || !set_range(&scale, &o, n, tiles)) return false;
    const layout l = arrange(&o, n, tiles, colour_bar_width(&scale, o.bar_label));
    FILE *f = fopen(path, "w");
    if (!f) return false;
    const bool written = put_tiles(f, &o, &l, &scale, n, tiles) && !ferror(f);
    return fclose(f) == 0 && written;
}
