#include "check/judge.h"

#include <math.h>

/* A difference of less than so many estimated errors of the numeric derivative proves nothing. */
static const double proof = 4;
/* Slopes from two sides that differ by less than so many estimated errors are no kink. A derivative like
   |x|^0.2, which has no kink, is told from one by this. */
static const double kink_proof = 10;
/* An analytic value this far from the numeric one, in units of the bend that is left, is in no kink. */
static const double beyond_bend = 0.1;

/* ---- How rough the numbers are ---- */

/* How far the values of the function scatter around a line of this slope, at the smallest steps. */
static double roughness(const gri_estimate *e, double slope)
{
    double most = 0;
    for (int i = 0; i < e->n_recent && !isnan(slope); i++)
        most = fmax(most, fabs(e->slope[i] - slope) * e->h[i]);
    return most;
}

/* The estimated error, but not less than what that scatter makes at the step of the estimate. The smallest of
   many rough numbers is small by chance. */
static double honest_error(const gri_numbers *n, const gri_estimate *e)
{
    double rough = 0;
    if (n->second.made && n->second.n_recent > 0) rough = roughness(&n->second, e->value);
    return fmax(e->error, 2 * rough / e->step) + n->quiet;
}

/* ---- One number ---- */

static void fill(gr_check_element *e, double analytic, double numeric, double error, double tolerance)
{
    e->analytic = analytic;
    e->numeric = numeric;
    e->numeric_error = error;
    e->error = fabs(analytic - numeric);
    e->tolerance = tolerance;
    e->left = e->right = NAN;
}

static bool fits(const gri_estimate *e, double analytic, gri_tolerance t)
{
    return e->made && fabs(analytic - e->value) <= gri_tolerated(t, e->value);
}

static gri_want right(gr_check_element *e, const gri_estimate *numeric, double analytic, gri_tolerance t)
{
    fill(e, analytic, numeric->value, numeric->error, gri_tolerated(t, numeric->value));
    e->verdict = GR_CHECK_RIGHT;
    return GRI_ENOUGH;
}

/* ---- Kinks ---- */

static bool is_kink(const gri_numbers *n, gri_tolerance t)
{
    const gri_side *a = &n->side[0], *b = &n->side[1];
    if (a->edge || b->edge || isinf(a->value) || isinf(b->value)) return true;
    const double rough = 2 * roughness(&n->second, n->second.value);
    const double error = fmax(a->error, rough / a->step) + fmax(b->error, rough / b->step);
    const double apart = fabs(a->value - b->value);
    return apart > gri_tolerated(t, fmax(fabs(a->value), fabs(b->value))) + kink_proof * error;
}

/* Whether a value is one that a convention could give: not outside the slopes of the sides. */
static bool is_between(const gri_numbers *n, double value, gri_tolerance t)
{
    const double a = n->side[0].value, b = n->side[1].value;
    if (isnan(a) && isnan(b)) return false; /* there is no function around */
    if (isinf(a) && isinf(b)) return true;
    const double low = fmin(a, b), high = fmax(a, b); /* of one, if the other is NaN */
    if (isinf(low) && isinf(high)) return true;
    const double slack = gri_tolerated(t, isinf(low)    ? high
                                          : isinf(high) ? low
                                                        : fmax(fabs(low), fabs(high)));
    return value >= low - slack && value <= high + slack;
}

static gri_want kink(const gri_line *l, const gri_numbers *n, double analytic, gr_check_element *e)
{
    const gri_tolerance t = gri_line_tolerance(l, n);
    const double a = n->side[0].value, b = n->side[1].value;
    const double middle = isfinite(a) && isfinite(b) ? a / 2 + b / 2
                          : isfinite(a)              ? a
                          : isfinite(b)              ? b
                                                     : NAN;
    const double error = (isfinite(a) ? n->side[0].error : 0) + (isfinite(b) ? n->side[1].error : 0);
    fill(e, analytic, middle, error, gri_tolerated(t, isnan(middle) ? 0 : middle));
    e->left = a;
    e->right = b;
    e->verdict = is_between(n, analytic, t) ? GR_CHECK_NOT_DIFFERENTIABLE : GR_CHECK_WRONG;
    return GRI_ENOUGH;
}

/* ---- Nothing fits ---- */

/* Whether the estimate denies the analytic value. */
static bool denies(const gri_numbers *n, const gri_estimate *e, double analytic)
{
    return !e->made || isnan(e->value) || fabs(analytic - e->value) > proof * honest_error(n, e);
}

/* The estimate of the smallest error, in units of the tolerance. */
static const gri_estimate *best_of(const gri_numbers *n, gri_tolerance t)
{
    const gri_estimate *all[] = {&n->first, &n->second, &n->third}, *best = NULL;
    double least = INFINITY;
    for (int i = 0; i < 3; i++) {
        if (!all[i]->made || isnan(all[i]->value)) continue;
        const double error = honest_error(n, all[i]) / gri_tolerated(t, all[i]->value);
        if (best && !(error < least)) continue;
        best = all[i];
        least = error;
    }
    return best;
}

/* Values that scatter by more than their rounding come from larger numbers: of these the size counts. Only for
   differences that the scatter explains. */
static double rough_tolerance(const gri_line *l, const gri_numbers *n, const gri_estimate *best)
{
    if (l->atol > 0 || !n->second.made) return 0;
    const double size = roughness(&n->second, best->value) / l->accuracy;
    return l->rtol / 100 * fmin(1, size / l->scale);
}

static gri_want settle(const gri_line *l, const gri_numbers *n, double analytic, gr_check_element *e)
{
    const gri_tolerance t = gri_line_tolerance(l, n);
    const gri_estimate *best = best_of(n, t);
    if (!best) {
        fill(e, analytic, NAN, INFINITY, t.absolute);
        e->verdict = GR_CHECK_WRONG;
        return GRI_ENOUGH;
    }
    fill(e, analytic, best->value, honest_error(n, best), gri_tolerated(t, best->value));
    const double rough = rough_tolerance(l, n, best) + t.relative * fabs(best->value);
    if (denies(n, &n->first, analytic) && denies(n, &n->second, analytic) && denies(n, &n->third, analytic))
        e->verdict = GR_CHECK_WRONG;
    else if (e->error <= rough) {
        e->tolerance = rough;
        e->verdict = GR_CHECK_RIGHT;
    } else
        e->verdict = GR_CHECK_UNDECIDED;
    return GRI_ENOUGH;
}

/* ---- The order of doubts ---- */

/* Whether the analytic value could be one between the slopes of a kink. */
static bool may_be_kink(const gri_estimate *e, double analytic)
{
    return e->bent || isnan(e->value) || e->bend > beyond_bend * fabs(analytic - e->value);
}

gri_want gri_judge(const gri_line *l, const gri_numbers *n, double analytic, gr_check_element *e)
{
    const gri_tolerance t = gri_line_tolerance(l, n);
    if (!n->finite || !isfinite(l->at)) {
        fill(e, analytic, NAN, INFINITY, t.absolute);
        e->verdict = GR_CHECK_WRONG;
        return GRI_ENOUGH;
    }
    if (!n->first.made) return GRI_FIRST;
    if (!isfinite(analytic)) {
        fill(e, analytic, n->first.value, n->first.error, gri_tolerated(t, n->first.value));
        e->verdict = GR_CHECK_WRONG;
        return GRI_ENOUGH;
    }
    if ((n->first.flat || n->second.flat) && !n->stepped) return GRI_PLATEAU;
    const bool first = fits(&n->first, analytic, t);
    if (first && !n->first.bent) return right(e, &n->first, analytic, t);
    if (!n->second.made) return GRI_SECOND;
    const bool second = fits(&n->second, analytic, t) && n->second.error <= gri_tolerated(t, n->second.value);
    if (second && !n->second.bent) return right(e, &n->second, analytic, t);
    if (first && !n->second.bent) return right(e, &n->first, analytic, t);
    if (!may_be_kink(&n->second, analytic)) return settle(l, n, analytic, e);
    if (!n->sided) return GRI_SIDES;
    if (is_kink(n, t)) return kink(l, n, analytic, e);
    if (!n->third.made) return GRI_THIRD;
    if (fits(&n->third, analytic, t) && n->third.error <= gri_tolerated(t, n->third.value))
        return right(e, &n->third, analytic, t);
    if (first) return right(e, &n->first, analytic, t);
    return settle(l, n, analytic, e);
}
