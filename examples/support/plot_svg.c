/* The writing of SVG: see plot_svg.h. */
#include "support/plot_svg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const svg_colours[SVG_STYLES] = {"#0072b2", "#d55e00", "#009e73",
                                             "#cc79a7", "#e69f00", "#56b4e9"};
static const char *const dashes[SVG_STYLES] = {"none", "7 4", "2 3", "9 3 2 3", "14 4", "4 2"};

/* ---- Numbers ---- */

void svg_number(char to[SVG_NUMBER_BYTES], double v, int digits)
{
    int n = 0;
    bool in_point = false;
    snprintf(to, SVG_NUMBER_BYTES, "%.*g", digits, v);
    for (const char *c = to; *c; c++) { /* whatever the locale puts for the point, of several bytes perhaps */
        const bool usual = (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') || *c == '+' || *c == '-';
        if (usual || !in_point) to[n++] = usual ? *c : '.';
        in_point = !usual;
    }
    to[n] = '\0';
}

void svg_begin(FILE *f, int width, int height)
{
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
            "font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n",
            width, height, width, height);
    fprintf(f, "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n", width, height);
}

/* What is far outside the picture is as good at a million: no overflow. */
void svg_put_pixels(FILE *f, double v)
{
    const long hundredths = lround(fmin(fmax(v, -1e6), 1e6) * 100);
    fprintf(f, "%s%ld.%02ld", hundredths < 0 ? "-" : "", labs(hundredths) / 100, labs(hundredths) % 100);
}

void svg_put_attribute(FILE *f, const char *name, double v)
{
    fprintf(f, " %s=\"", name);
    svg_put_pixels(f, v);
    fputc('"', f);
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

/* ---- Text ---- */

/* The length of the character at the beginning of a text; 0: it is no UTF-8. */
static size_t character_at(const char *text, unsigned *character)
{
    static const unsigned smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *s = (const unsigned char *)text;
    const size_t n = s[0] < 0x80   ? 1
                     : s[0] < 0xC0 ? 0
                     : s[0] < 0xE0 ? 2
                     : s[0] < 0xF0 ? 3
                     : s[0] < 0xF8 ? 4
                                   : 0;
    if (n < 2) {
        *character = s[0];
        return n;
    }
    unsigned c = s[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80) return 0;
        c = c << 6 | (s[i] & 0x3Fu);
    }
    *character = c;
    const bool none = (c >= 0xD800 && c <= 0xDFFF) || (c & 0xFFFE) == 0xFFFE || c > 0x10FFFF;
    return c < smallest[n] || none ? 0 : n;
}

static double character_width(unsigned c)
{
    static const char narrow[] = "ijlftr.,:;'|!()[] ";
    if (c >= 0x2E80) return 1;
    if (c < 0x80 && strchr(narrow, (int)c)) return 0.36;
    return c == 'm' || c == 'w' || (c >= 'A' && c <= 'Z') ? 0.75 : 0.62;
}

double svg_text_width(const char *text, double size)
{
    double width = 0;
    while (*text) {
        unsigned c = '?';
        const size_t n = character_at(text, &c);
        width += character_width(n ? c : '?');
        text += n ? n : 1;
    }
    return width * size;
}

/* As many characters as have room at a size. Control characters, which XML has none of, are left out, and bytes that
   are no UTF-8 are shown as U+FFFD. */
static void put_escaped(FILE *f, const char *text, double size, double room)
{
    const bool cut = svg_text_width(text, size) > room;
    for (double used = cut ? size : 0; *text;) {
        unsigned c = 0xFFFD;
        const size_t n = character_at(text, &c);
        used += size * character_width(n ? c : '?');
        if (cut && used > room) {
            fputs("…", f);
            return;
        }
        if (n == 0)
            fputs("\xEF\xBF\xBD", f);
        else if (c == '<')
            fputs("&lt;", f);
        else if (c == '&')
            fputs("&amp;", f);
        else if (c == '"')
            fputs("&quot;", f);
        else if (c >= 0x20)
            fwrite(text, 1, n, f);
        text += n ? n : 1;
    }
}

void svg_begin_text(FILE *f, double x, double y, const char *style)
{
    fputs("<text", f);
    svg_put_attribute(f, "x", x);
    svg_put_attribute(f, "y", y);
    fprintf(f, " %s>", style);
}

void svg_put_text(FILE *f, double x, double y, const char *style, double size, double room, const char *text)
{
    enum { SMALLEST = 9, ATTRIBUTES = 160 };
    if (!text) return;
    const double width = svg_text_width(text, size);
    const double set = width > room ? fmax(floor(size * room / width), SMALLEST) : size;
    char attributes[ATTRIBUTES];
    snprintf(attributes, sizeof attributes, "%s%sfont-size=\"%d\"", style, *style ? " " : "", (int)set);
    svg_begin_text(f, x, y, attributes);
    put_escaped(f, text, set, room);
    fputs("</text>\n", f);
}

void svg_put_upright(FILE *f, double x, double y, double room, const char *text)
{
    char turn[96];
    snprintf(turn, sizeof turn, "text-anchor=\"middle\" transform=\"rotate(-90 %ld %ld)\"", lround(x),
             lround(y));
    svg_put_text(f, (double)lround(x), (double)lround(y), turn, 12, room, text);
}

/* ---- Series ---- */

/* Where colours come again patterns do not, six times six. */
void svg_put_stroke(FILE *f, int k)
{
    fprintf(f, "fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\" stroke-dasharray=\"%s\"",
            svg_colours[k % SVG_STYLES], dashes[(k + k / SVG_STYLES) % SVG_STYLES]);
}

/* A disc, square, triangle or diamond, filled or not: two times four. */
void svg_put_mark(FILE *f, int k, double x, double y, double size)
{
    static const double shapes[][8] = {
        {-3, -3, 3, -3, 3, 3, -3, 3}, {0, -4, 4, 3, -4, 3, 0, -4}, {0, -4, 4, 0, 0, 4, -4, 0}};
    const char *colour = svg_colours[k % SVG_STYLES], *fill = (k + k / 4) % 2 ? "white" : colour;
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
