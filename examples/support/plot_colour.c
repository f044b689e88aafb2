/* Values as colours: see plot_colour.h. */
#include "support/plot_colour.h"
#include "support/plot_png.h"

#include <math.h>
#include <stdlib.h>

enum { LEVELS = 255 }; /* entries 1 to LEVELS of the palette; 0 is for NaN, and transparent */

static void colour_at(const colour_map *map, double t, unsigned char rgb[3])
{
    int k = 1;
    while (k < map->n - 1 && t > map->stops[k].at) k++;
    const colour_stop *a = &map->stops[k - 1], *b = &map->stops[k];
    const double part = (t - a->at) / (b->at - a->at);
    for (int i = 0; i < 3; i++) rgb[i] = (unsigned char)lround(a->rgb[i] + part * (b->rgb[i] - a->rgb[i]));
}

void colour_define(FILE *f, const colour_map *map)
{
    fputs("<defs>\n<linearGradient id=\"scale\" x1=\"0\" y1=\"1\" x2=\"0\" y2=\"0\">\n", f);
    for (int i = 0; i < map->n; i++) {
        const colour_stop *s = &map->stops[i];
        fprintf(f, "<stop offset=\"%d%%\" stop-color=\"#%02x%02x%02x\"/>\n", (int)lround(100 * s->at),
                s->rgb[0], s->rgb[1], s->rgb[2]);
    }
    fputs(
        "</linearGradient>\n"
        "<pattern id=\"nan\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">"
        "<rect width=\"6\" height=\"6\" fill=\"white\"/><path d=\"M0 6L6 0\" stroke=\"#d55e00\"/></pattern>\n"
        "</defs>\n",
        f);
}

static void put_box(FILE *f, const char *element, double x, double y, double width, double height)
{
    fprintf(f, "<%s", element);
    svg_put_attribute(f, "x", x);
    svg_put_attribute(f, "y", y);
    svg_put_attribute(f, "width", width);
    svg_put_attribute(f, "height", height);
}

/* The entry of the palette. Beyond the ends it is that of the end. */
static unsigned char level_of(const colour_scale *s, double value)
{
    if (isnan(value)) return 0;
    const double t = (value - s->low) / (s->high - s->low);
    return (unsigned char)(1 + lround(fmin(fmax(t, 0), 1) * (LEVELS - 1)));
}

bool colour_is_dark(const colour_scale *s, double value)
{
    unsigned char rgb[3];
    if (isnan(value)) return false;
    colour_at(s->map, fmin(fmax((value - s->low) / (s->high - s->low), 0), 1), rgb);
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2] < 128;
}

bool colour_put_matrix(FILE *f, const colour_scale *scale, const double *values, int rows, int columns,
                       const colour_box *box)
{
    const size_t n = (size_t)rows * (size_t)columns;
    unsigned char *pixels = malloc(n);
    if (!pixels) return false;
    bool holes = false;
    for (size_t i = 0; i < n; i++) {
        pixels[i] = level_of(scale, values[i]);
        holes |= pixels[i] == 0;
    }
    png_palette palette = {.n = LEVELS + 1};
    for (int i = 0; i < LEVELS; i++) colour_at(scale->map, (double)i / (LEVELS - 1), palette.colour[i + 1]);
    if (holes) {
        put_box(f, "rect", box->x, box->y, box->width, box->height);
        fputs(" fill=\"url(#nan)\"/>\n", f);
    }
    put_box(f, "image", box->x, box->y, box->width, box->height);
    fputs(" preserveAspectRatio=\"none\"", f);
    if (box->cell) fputs(" style=\"image-rendering:pixelated\"", f);
    fputs(" href=\"data:image/png;base64,", f);
    const png_image image = {rows, columns, box->cell ? box->cell : 1, pixels};
    const bool done = png_put_base64(f, &image, &palette);
    fputs("\"/>\n", f);
    free(pixels);
    return done;
}

static svg_axis axis_of(const colour_scale *scale)
{
    svg_axis axis = {.low = scale->low, .high = scale->high};
    svg_settle(&axis, false);
    return axis;
}

enum { WIDTH = 14, GAP = 7, LABEL = 20 };

double colour_bar_width(const colour_scale *scale, const char *label)
{
    const svg_axis axis = axis_of(scale);
    return ceil(WIDTH + GAP + svg_tick_width(&axis) + (label ? LABEL : 4));
}

void colour_put_bar(FILE *f, const colour_scale *scale, double x, double y, double height, const char *label)
{
    double ticks[SVG_MOST_TICKS];
    svg_axis axis = axis_of(scale);
    axis.from = y + height;
    axis.to = y;
    put_box(f, "rect", x, y, WIDTH, height);
    fputs(" fill=\"url(#scale)\" stroke=\"#444\" stroke-width=\"0.5\"/>\n", f);
    const int n = svg_ticks(&axis, ticks);
    for (int i = 0; i < n; i++) {
        const double at = svg_pixel(&axis, ticks[i]);
        svg_put_line(f, x + WIDTH, at, x + WIDTH + 4, at, "stroke=\"#444\"");
        svg_begin_text(f, x + WIDTH + GAP, at + 4, "");
        svg_put_tick(f, &axis, ticks[i]);
        fputs("</text>\n", f);
    }
    svg_put_upright(f, x + colour_bar_width(scale, label) - 4, y + height / 2, height + 40, label);
}
