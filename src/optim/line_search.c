/*
 * Nocedal and Wright, "Numerical optimization", 2006, algorithms 3.5 (bracket: steps grow until an interval must hold
 * a good one) and 3.6 (zoom: that interval shrinks).
 *
 * Invariant of the zoom: `low` meets the first condition and is the lowest such point so far; the slope at it leads
 * towards `high`.
 */
#include "optim/line_search.h"

#include <math.h>

enum { MOST_BRACKETS = 40, MOST_ZOOMS = 60 };

static const double least_growth = 2, most_growth = 10; /* from one bracketing step to the next */
static const double margin = 0.1;                       /* part of an interval kept from its ends */
static const double from_wall = 0.1;                    /* part of the way to a point that cannot be used */

double gri_cubic_minimum(const gri_line_point *a, const gri_line_point *b)
{
    const double d1 = a->slope + b->slope - 3 * (a->value - b->value) / (a->at - b->at);
    const double square = d1 * d1 - a->slope * b->slope;
    if (!(square >= 0)) return NAN;
    const double d2 = b->at > a->at ? sqrt(square) : -sqrt(square);
    return b->at - (b->at - a->at) * (b->slope + d2 - d1) / (b->slope - a->slope + 2 * d2);
}

/* ---- The conditions ---- */

static bool decreases(const gri_line *l, const gri_line_point *p)
{
    return p->value <= l->start.value + l->c1 * p->at * l->start.slope; /* false for infinity */
}

static bool is_flat(const gri_line *l, const gri_line_point *p)
{
    return fabs(p->slope) <= -l->c2 * l->start.slope;
}

/* ---- Zoom ---- */

/* A step inside the interval: the minimum of the cubic, kept from the ends; the middle if there is none. */
static double inside(const gri_line_point *low, const gri_line_point *high)
{
    const double width = high->at - low->at; /* may be negative */
    if (!isfinite(high->value)) return low->at + from_wall * width;
    const double part = (gri_cubic_minimum(low, high) - low->at) / width;
    if (!(part > 0 && part < 1)) return low->at + 0.5 * width;
    return low->at + fmin(fmax(part, margin), 1 - margin) * width;
}

/* Whether no step in the interval can be told from its ends. */
static bool is_too_small(const gri_line *l, const gri_line_point *low, const gri_line_point *high)
{
    const double width = fabs(high->at - low->at);
    return !(width > l->resolution) || !(fabs(low->slope) * width > l->noise);
}

static gri_line_end zoom(const gri_line *l, gri_line_point low, gri_line_point high, gri_line_point *found)
{
    for (int i = 0; i < MOST_ZOOMS; i++) {
        gri_line_point p = {.at = inside(&low, &high)};
        if (is_too_small(l, &low, &high) || p.at == low.at || p.at == high.at) return GRI_LINE_NONE;
        if (!l->evaluate(l->user, &p)) return GRI_LINE_ABANDONED;
        if (!decreases(l, &p) || p.value > low.value) { /* of equal values the slopes decide */
            high = p;
            continue;
        }
        if (is_flat(l, &p)) {
            *found = p;
            return GRI_LINE_WOLFE;
        }
        if (p.slope * (high.at - low.at) >= 0) high = low;
        low = p;
    }
    return GRI_LINE_NONE;
}

/* ---- Bracket ---- */

/* The next, larger step. */
static double beyond(const gri_line_point *before, const gri_line_point *now)
{
    const double guess = gri_cubic_minimum(before, now);
    if (!(guess > now->at)) return most_growth * now->at;
    return fmin(fmax(guess, least_growth * now->at), most_growth * now->at);
}

gri_line_end gri_line_search(const gri_line *l, gri_line_point *found)
{
    gri_line_point before = l->start, p = {.at = l->first};
    for (int i = 0; i < MOST_BRACKETS && isfinite(p.at); i++) {
        if (!l->evaluate(l->user, &p)) return GRI_LINE_ABANDONED;
        if (!decreases(l, &p) || (i > 0 && p.value >= before.value)) return zoom(l, before, p, found);
        if (is_flat(l, &p)) {
            *found = p;
            return GRI_LINE_WOLFE;
        }
        if (p.slope >= 0) return zoom(l, p, before, found);
        const double next = beyond(&before, &p);
        before = p;
        p = (gri_line_point){.at = next};
    }
    return GRI_LINE_NONE;
}
