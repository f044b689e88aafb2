/* Axes, and the writing of SVG: see plot_svg.h. */
#include "support/plot_svg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const svg_colours[SVG_STYLES] = {"#0072b2", "#d55e00", "#009e73",
                                             "#cc79a7", "#e69f00", "#56b4e9"};

/* ---- Axes ---- */

bool svg_can_show(const svg_axis *a, double v) { return isfinite(v) && (!a->logarithmic || v > 0); }
double svg_scaled(const svg_axis *a, double v) { return a->logarithmic ? log10(v) : v; }
double svg_pixel(const svg_axis *a, double v)
{
    return a->from + (svg_scaled(a, v) - a->low) / (a->high - a->low) * (a->to - a->from);
}

/* The distance of about `wanted` ticks over a range: 1, 2 or 5 times a power of 10. */
static double tick_step(double range, double wanted)
{
    const double power = pow(10, floor(log10(range / wanted))), rest = range / wanted / power;
    return power * (rest < 1.5 ? 1 : rest < 3.5 ? 2 : rest < 7.5 ? 5 : 10);
}

/* Makes an empty range one that has a width, and rounds a linear one outwards to whole ticks. */
void svg_settle(svg_axis *a, bool outwards)
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

void svg_widen(svg_axis *a, double v)
{
    const double s = svg_scaled(a, v);
    a->low = fmin(a->low, s);
    a->high = fmax(a->high, s);
}

/* Positions of labelled ticks, in data; returns how many. Less than two decades get 2 and 5, too. */
int svg_ticks(const svg_axis *a, double *ticks)
{
    int n = 0;
    if (!a->logarithmic) {
        const double wanted = tick_step(a->high - a->low, 6), step = a->whole ? fmax(wanted, 1) : wanted;
        for (double k = ceil(a->low / step - 1e-9); k * step <= a->high + 1e-9 * step && n < SVG_MOST_TICKS;
             k++)
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
            if (inside && e % every == 0 && n < SVG_MOST_TICKS) ticks[n++] = parts[k] * pow(10, e);
        }
    return n;
}

/* ---- Writing ---- */

void svg_begin(FILE *f, int width, int height)
{
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
            "font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n",
            width, height, width, height);
    fprintf(f, "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n", width, height);
}

/* A number of pixels, with two digits behind a point. */
void svg_put_pixels(FILE *f, double v)
{
    const long hundredths = lround(v * 100);
    fprintf(f, "%s%ld.%02ld", hundredths < 0 ? "-" : "", labs(hundredths) / 100, labs(hundredths) % 100);
}

void svg_put_attribute(FILE *f, const char *name, double v)
{
    fprintf(f, " %s=\"", name);
    svg_put_pixels(f, v);
    fputc('"', f);
}

void svg_put_escaped(FILE *f, const char *text)
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
void svg_put_tick(FILE *f, const svg_axis *a, double v)
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

void svg_put_line(FILE *f, double x1, double y1, double x2, double y2, const char *style)
{
    fputs("<line", f);
    svg_put_attribute(f, "x1", x1);
    svg_put_attribute(f, "y1", y1);
    svg_put_attribute(f, "x2", x2);
    svg_put_attribute(f, "y2", y2);
    fprintf(f, " %s/>\n", style);
}

void svg_begin_text(FILE *f, double x, double y, const char *style)
{
    fputs("<text", f);
    svg_put_attribute(f, "x", x);
    svg_put_attribute(f, "y", y);
    fprintf(f, " %s>", style);
}

void svg_put_text(FILE *f, double x, double y, const char *style, const char *text)
{
    if (!text) return;
    svg_begin_text(f, x, y, style);
    svg_put_escaped(f, text);
    fputs("</text>\n", f);
}

void svg_put_axes(FILE *f, const svg_axis *x, const svg_axis *y)
{
    double ticks[SVG_MOST_TICKS];
    int n = svg_ticks(y, ticks);
    for (int i = 0; i < n; i++) {
        const double at = svg_pixel(y, ticks[i]);
        svg_put_line(f, x->from, at, x->to, at, "stroke=\"#ddd\"");
        svg_begin_text(f, x->from - 7, at + 4, "text-anchor=\"end\"");
        svg_put_tick(f, y, ticks[i]);
        fputs("</text>\n", f);
    }
    n = svg_ticks(x, ticks);
    for (int i = 0; i < n; i++) {
        const double at = svg_pixel(x, ticks[i]);
        svg_put_line(f, at, y->from, at, y->from + 5, "stroke=\"#444\"");
        svg_begin_text(f, at, y->from + 19, "text-anchor=\"middle\"");
        svg_put_tick(f, x, ticks[i]);
        fputs("</text>\n", f);
    }
    svg_put_line(f, x->from, y->from, x->to, y->from, "stroke=\"#444\"");
    svg_put_line(f, x->from, y->from, x->from, y->to, "stroke=\"#444\"");
}

void svg_put_titles(FILE *f, const svg_axis *x, const svg_axis *y, const char *title, const char *x_label,
                    const char *y_label)
{
    const double middle = (x->from + x->to) / 2;
    svg_put_text(f, middle, y->to - 18, "text-anchor=\"middle\" font-size=\"15\"", title);
    svg_put_text(f, middle, y->from + 42, "text-anchor=\"middle\"", x_label);
    const int height = (int)lround((y->from + y->to) / 2), left = (int)lround(x->from) - 60;
    char turn[96];
    snprintf(turn, sizeof turn, "text-anchor=\"middle\" transform=\"rotate(-90 %d %d)\"", left, height);
    svg_put_text(f, left, height, turn, y_label);
}

/* ---- Marks ---- */

/* The mark of series k: a disc, square, triangle or diamond, filled or not. */
void svg_put_mark(FILE *f, int k, double x, double y, double size)
{
    static const double shapes[][8] = {
        {-3, -3, 3, -3, 3, 3, -3, 3}, {0, -4, 4, 3, -4, 3, 0, -4}, {0, -4, 4, 0, 0, 4, -4, 0}};
    const char *colour = svg_colours[k % SVG_STYLES], *fill = k % 2 ? "white" : colour;
    if (k % 4 == 0) {
        fputs("<circle", f);
        svg_put_attribute(f, "cx", x);
        svg_put_attribute(f, "cy", y);
        svg_put_attribute(f, "r", 3 * size);
        fprintf(f, " fill=\"%s\" stroke=\"%s\"/>\n", fill, colour);
        return;
    }
    fputs("<polygon points=\"", f);
    for (int i = 0; i < 8; i++) {
        svg_put_pixels(f, size * shapes[k % 4 - 1][i] + (i % 2 ? y : x));
        fputc(i < 7 ? (i % 2 ? ' ' : ',') : '"', f);
    }
    fprintf(f, " fill=\"%s\" stroke=\"%s\"/>\n", fill, colour);
}
