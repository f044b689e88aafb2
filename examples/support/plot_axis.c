/* Axes: see plot_svg.h. */
#include "support/plot_svg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WANTED = 6, LABEL_SIZE = 12, GAP = 7, MOST_DIGITS = 15, FEW_DIGITS = 7 };

/* Where numbers are too large for their differences, and where differences are too small to be divided. */
#define LARGEST  1e300
#define SMALLEST 1e-290

bool svg_can_show(const svg_axis *a, double v) { return fabs(v) <= LARGEST && (!a->logarithmic || v > 0); }
double svg_scaled(const svg_axis *a, double v) { return a->logarithmic ? log10(v) : v; }
double svg_pixel(const svg_axis *a, double v)
{
    return a->from + (svg_scaled(a, v) - a->low) / (a->high - a->low) * (a->to - a->from);
}

void svg_widen(svg_axis *a, double v)
{
    const double s = svg_scaled(a, v);
    a->low = fmin(a->low, s);
    a->high = fmax(a->high, s);
}

/* ---- Ranges ---- */

/* The distance of about `wanted` ticks over a range: 1, 2 or 5 times a power of 10. */
static double tick_step(double range, double wanted)
{
    const double power = pow(10, floor(log10(range / wanted))), rest = range / wanted / power;
    return power * (rest < 1.5 ? 1 : rest < 3.5 ? 2 : rest < 7.5 ? 5 : 10);
}

/* What varies by no more than rounding, or by what is too small for arithmetic, is constant: it gets a tenth of its
   size to both sides. */
static void make_room(svg_axis *a)
{
    const double size = fmax(fabs(a->low), fabs(a->high)), range = a->high - a->low;
    if (range > 1e-13 * size && range > SMALLEST) return;
    const double margin = a->logarithmic ? 0.5 : size > SMALLEST ? 0.1 * size : 0.5;
    a->low -= margin;
    a->high += margin;
}

/* The largest of 1, 2 and 5 times powers of 10 that is not above, or the smallest that is not below: logarithms. */
static double round_decade(double s, bool up)
{
    static const double parts[] = {1, 2, 5, 10};
    const double e = floor(s + 1e-9);
    double best = up ? e + 1 : e;
    for (int k = 0; k < 4; k++) {
        const double at = e + log10(parts[up ? 3 - k : k]);
        if (up ? at >= s - 1e-9 : at <= s + 1e-9) best = at;
    }
    return best;
}

static void round_linear(double *low, double *high, double step)
{
    *low = floor(*low / step + 1e-9) * step;
    *high = ceil(*high / step - 1e-9) * step;
}

/* Of less than a decade: ticks are those of a linear axis. */
static void settle_part_of_decade(svg_axis *a, bool outwards)
{
    double low = pow(10, a->low), high = pow(10, a->high);
    a->step = tick_step(high - low, WANTED);
    if (!outwards) return;
    round_linear(&low, &high, a->step);
    if (low > 0) a->low = log10(low);
    a->high = log10(high);
}

void svg_settle(svg_axis *a, bool outwards)
{
    make_room(a);
    a->step = 0;
    if (a->logarithmic && a->high - a->low < 1 - 1e-9) {
        settle_part_of_decade(a, outwards);
    } else if (a->logarithmic && outwards) {
        const bool few = a->high - a->low < 2;
        a->low = few ? round_decade(a->low, false) : floor(a->low + 1e-9);
        a->high = few ? round_decade(a->high, true) : ceil(a->high - 1e-9);
    }
    if (a->logarithmic) return;
    for (int pass = 0; pass < 2; pass++) { /* rounding may make the range one of larger steps */
        a->step = tick_step(a->high - a->low, WANTED);
        if (outwards) round_linear(&a->low, &a->high, a->step);
    }
    if (a->whole) a->step = fmax(a->step, 1);
}

/* ---- Ticks ---- */

/* Up to two decades get 2 and 5, too. */
static int decade_ticks(const svg_axis *a, double *ticks)
{
    static const double parts[] = {1, 2, 5};
    const double decades = a->high - a->low;
    const int every = decades > 10 ? (int)ceil(decades / 8) : 1;
    int n = 0;
    for (int e = (int)floor(a->low); e <= (int)ceil(a->high); e++)
        for (int k = 0; k < (decades < 2 + 1e-9 ? 3 : 1); k++) {
            const double at = e + log10(parts[k]);
            const bool inside = at >= a->low - 1e-9 && at <= a->high + 1e-9;
            if (inside && e % every == 0 && n < SVG_MOST_TICKS) ticks[n++] = parts[k] * pow(10, e);
        }
    return n;
}

int svg_ticks(const svg_axis *a, double *ticks)
{
    if (a->step == 0) return decade_ticks(a, ticks);
    const double low = a->logarithmic ? pow(10, a->low) : a->low,
                 high = a->logarithmic ? pow(10, a->high) : a->high;
    int n = 0;
    for (double k = ceil(low / a->step - 1e-9); k <= high / a->step + 1e-9 && n < SVG_MOST_TICKS; k++)
        ticks[n++] = k * a->step;
    return n;
}

/* A number in parts: mantissa, "" if it is 1, and an exponent of 10, 0 if there is none. */
typedef struct tick_text {
    char mantissa[SVG_NUMBER_BYTES];
    int exponent;
} tick_text;

static tick_text text_of(const svg_axis *a, double v)
{
    tick_text t = {"", 0};
    const bool powers = a->logarithmic && a->step == 0 &&
                        (a->high - a->low > 3 || a->high > 5 || a->low < -4);
    if (powers && v != 0) { /* all of them as powers of 10 */
        t.exponent = (int)floor(log10(fabs(v)) + 1e-9);
        if (t.exponent != 0) v /= pow(10, t.exponent);
        if (fabs(v - 1) > 1e-9 || t.exponent == 0) svg_number(t.mantissa, v, 1);
        return t;
    }
    const double size = fmax(fabs(v), a->logarithmic ? pow(10, a->high) : fmax(fabs(a->low), fabs(a->high)));
    const int needed = a->step > 0 ? (int)(floor(log10(size)) - floor(log10(a->step) + 1e-9)) + 1 : 0;
    const int digits = needed < FEW_DIGITS ? FEW_DIGITS : needed > MOST_DIGITS ? MOST_DIGITS : needed;
    svg_number(t.mantissa, fabs(v), digits);
    char *exponent = strchr(t.mantissa, 'e');
    if (!exponent) return t;
    t.exponent = atoi(exponent + 1);
    *exponent = '\0';
    if (!strcmp(t.mantissa, "1")) t.mantissa[0] = '\0';
    return t;
}

void svg_put_tick(FILE *f, const svg_axis *a, double v)
{
    const tick_text t = text_of(a, v);
    fprintf(f, "%s%s", v < 0 ? "−" : "", t.mantissa);
    if (t.exponent == 0) return;
    fprintf(f, "%s10<tspan dy=\"-5\" font-size=\"9\">%s%d</tspan>", t.mantissa[0] ? "×" : "",
            t.exponent < 0 ? "−" : "", abs(t.exponent));
}

double svg_tick_width(const svg_axis *a)
{
    double ticks[SVG_MOST_TICKS], widest = 0;
    const int n = svg_ticks(a, ticks);
    for (int i = 0; i < n; i++) {
        const tick_text t = text_of(a, ticks[i]);
        char exponent[24] = "";
        if (t.exponent != 0) snprintf(exponent, sizeof exponent, "%d", t.exponent);
        const char *ten = t.exponent == 0 ? "" : t.mantissa[0] ? "×10" : "10";
        widest = fmax(widest, svg_text_width(ticks[i] < 0 ? "−" : "", LABEL_SIZE) +
                                  svg_text_width(t.mantissa, LABEL_SIZE) + svg_text_width(ten, LABEL_SIZE) +
                                  svg_text_width(exponent, 9));
    }
    return widest;
}

/* ---- Both ---- */

void svg_put_axes(FILE *f, const svg_axis *x, const svg_axis *y)
{
    double ticks[SVG_MOST_TICKS];
    int n = svg_ticks(y, ticks);
    for (int i = 0; i < n; i++) {
        const double at = svg_pixel(y, ticks[i]);
        svg_put_line(f, x->from, at, x->to, at, "stroke=\"#ddd\"");
        svg_begin_text(f, x->from - GAP, at + 4, "text-anchor=\"end\"");
        svg_put_tick(f, y, ticks[i]);
        fputs("</text>\n", f);
    }
    n = svg_ticks(x, ticks);
    double free = -INFINITY; /* labels that would touch the one before are left out */
    const double half = svg_tick_width(x) / 2 + 3;
    for (int i = 0; i < n; i++) {
        const double at = svg_pixel(x, ticks[i]);
        svg_put_line(f, at, y->from, at, y->from + 5, "stroke=\"#444\"");
        if (at - half < free) continue;
        free = at + half;
        svg_begin_text(f, at, y->from + 19, "text-anchor=\"middle\"");
        svg_put_tick(f, x, ticks[i]);
        fputs("</text>\n", f);
    }
    svg_put_line(f, x->from, y->from, x->to, y->from, "stroke=\"#444\"");
    svg_put_line(f, x->from, y->from, x->from, y->to, "stroke=\"#444\"");
}

double svg_left_margin(const svg_axis *y, bool titled)
{
    return ceil(svg_tick_width(y) + GAP + (titled ? 26 : 10));
}

void svg_put_titles(FILE *f, const svg_axis *x, const svg_axis *y, const char *title, const char *x_label,
                    const char *y_label)
{
    const double middle = (x->from + x->to) / 2, room = x->to - x->from + 40;
    svg_put_text(f, middle, y->to - 18, "text-anchor=\"middle\"", 15, room, title);
    svg_put_text(f, middle, y->from + 42, "text-anchor=\"middle\"", 12, room, x_label);
    svg_put_upright(f, 16, (y->from + y->to) / 2, y->from - y->to + 40, y_label);
}
