/*
 * Doubts come in an order. The first estimate settles nearly all; a second, from much smaller steps, says whether
 * the first was of a place too far away, and how rough the values are; slopes from both sides say whether there
 * is a kink. "Wrong" needs two estimates that agree with each other and none that takes the other side.
 */
#include "check/judge.h"

#include <math.h>

/* A difference of less than so many estimated errors of the numeric derivative proves nothing. */
static const double proof = 4;
/* Slopes from two sides that differ by less than so many estimated errors are no kink. A derivative like
   |x|^0.2, which has no kink, is told from one by this. */
static const double kink_proof = 10;
/* An analytic value this far from the numeric one, in units of the bend that is left, is in no kink. */
static const double beyond_bend = 0.1;
/* A derivative known no better than by this part of itself may be one that there is not. */
static const double unsettled = 0.1;
/* One known to this part of itself is not of noise. */
static const double exact = 0.01;
/* Structure below this part of the function's size, at small steps only, is roughness and not the function. */
static const double roughness_part = 1e-6;
/* Estimates agree if they are this much nearer to each other than the analytic value is to them. One of this error
   can tell them apart. */
static const double agreement = 0.25, precision = 0.1;
/* An estimate's own scatter is that of a few numbers: the truth may be so many times as large. */
static const double biased = 10;
/* Derivatives beyond so many absolute tolerances do not agree by chance. */
static const double by_chance = 100;

enum { ESTIMATES = 5 };

static void list(const gri_numbers *n, const gri_estimate *all[ESTIMATES])
{
    all[0] = &n->first;
    all[1] = &n->second;
    all[2] = &n->near;
    all[3] = &n->third;
    all[4] = &n->wide;
}

/* ---- How far an estimate can be trusted ---- */

static bool is_coarse(const gri_numbers *n, const gri_estimate *e) { return e == &n->first || e == &n->wide; }

/* How far the values that an estimate is made of scatter: as those nearby do, but not more by far than its own. */
static double scatter(const gri_numbers *n, const gri_estimate *e)
{
    const double own = gri_roughness(e, e->value);
    if (!is_coarse(n, e) || !n->second.made) return own;
    return fmin(gri_roughness(&n->second, e->value), biased * own);
}

/* The estimated error, but not less than that scatter makes of the step. The smallest of many rough numbers is
   small by chance. */
static double honest_error(const gri_numbers *n, const gri_estimate *e)
{
    return fmax(e->error, 2 * scatter(n, e) / e->step) + n->quiet;
}

/* Whether an estimate is known to more than its first digits. Those of noise never are. */
static bool is_exact(const gri_numbers *n, const gri_estimate *e, gri_tolerance t)
{
    const double error = honest_error(n, e);
    return error <= exact * fabs(e->value) || error <= gri_tolerated(t, e->value);
}

/* Whether an estimate of smaller steps contradicts the first. */
static bool contradicts(const gri_numbers *n, const gri_estimate *e, gri_tolerance t)
{
    const gri_estimate *a = &n->first;
    if (is_coarse(n, e) || !e->made || isnan(a->value) || isnan(e->value)) return false;
    return fabs(a->value - e->value) > gri_tolerated(t, a->value) + honest_error(n, a) + honest_error(n, e);
}

/* If it does, one of the two is of no account. The function may still be on the line of the first at those small
   steps, as nearly as matters: then the other is of its roughness. If not, the first was of too large steps. */
static bool is_of_roughness(const gri_numbers *n, const gri_estimate *e, gri_tolerance t)
{
    return contradicts(n, e, t) && e->residual <= roughness_part * n->size;
}

static bool refutes_first(const gri_numbers *n, const gri_estimate *e, gri_tolerance t)
{
    return is_exact(n, e, t) && contradicts(n, e, t) && e->residual > roughness_part * n->size;
}

/* Whether the value at x itself is beside the lines through its neighbours. What holds for these does not for
   the derivative at x. */
static bool is_apart(const gri_numbers *n)
{
    return n->second.made && n->second.bend / 2 * n->second.h[0] > roughness_part * n->size;
}

static bool counts(const gri_numbers *n, const gri_estimate *e, gri_tolerance t)
{
    if (!e->made || isnan(e->value)) return false;
    if (n->third.made && e != &n->third && is_exact(n, &n->third, t) && is_apart(n)) return false;
    if (!is_coarse(n, e)) return !is_of_roughness(n, e, t);
    return !refutes_first(n, &n->second, t) && !refutes_first(n, &n->near, t) &&
           !refutes_first(n, &n->third, t);
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

/* The same of an estimate that was asked for to settle a doubt: it must be accurate itself, and, if it is of the
   roughness of the function, no zero that fits by chance. */
static bool fits_well(const gri_numbers *n, const gri_estimate *e, double analytic, gri_tolerance t)
{
    if (!fits(e, analytic, t) || !(e->error <= gri_tolerated(t, e->value))) return false;
    return fabs(e->value) > by_chance * t.absolute || !is_of_roughness(n, e, t);
}

static gri_want conclude(gr_check_element *e, const gri_estimate *numeric, double analytic, gri_tolerance t,
                         gr_verdict verdict)
{
    fill(e, analytic, numeric->value, numeric->error, gri_tolerated(t, numeric->value));
    e->verdict = verdict;
    return GRI_ENOUGH;
}

static gri_want right(gr_check_element *e, const gri_estimate *numeric, double analytic, gri_tolerance t)
{
    return conclude(e, numeric, analytic, t, GR_CHECK_RIGHT);
}

/* There is no numeric derivative. */
static gri_want nothing(gr_check_element *e, double analytic, gri_tolerance t)
{
    fill(e, analytic, NAN, INFINITY, t.absolute);
    e->verdict = GR_CHECK_WRONG;
    return GRI_ENOUGH;
}

/* ---- Kinks ---- */

static bool is_kink(const gri_numbers *n, gri_tolerance t)
{
    const gri_side *a = &n->side[0], *b = &n->side[1];
    if (a->edge || b->edge || isinf(a->value) || isinf(b->value)) return true;
    const double rough = 2 * gri_roughness(&n->second, n->second.value);
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
    const double most = isinf(low) ? high : isinf(high) ? low : fmax(fabs(low), fabs(high));
    double slack = gri_tolerated(t, most);
    for (int i = 0; i < 2; i++)
        if (isfinite(n->side[i].value)) slack += proof * n->side[i].error;
    return value >= low - slack && value <= high + slack;
}

static gri_want kink(const gri_numbers *n, double analytic, gri_tolerance t, gr_check_element *e)
{
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

static bool is_any_exact(const gri_numbers *n, gri_tolerance t)
{
    const gri_estimate *all[ESTIMATES];
    bool any = false;
    list(n, all);
    for (int i = 0; i < ESTIMATES; i++) any |= counts(n, all[i], t) && is_exact(n, all[i], t);
    return any;
}

/* The estimate of the smallest error, in units of the tolerance if any is exact; else, that is of noise, which is
   the larger the smaller steps are, in itself. */
static const gri_estimate *best_of(const gri_numbers *n, gri_tolerance t)
{
    const gri_estimate *all[ESTIMATES], *best = NULL;
    double least = INFINITY;
    const bool any = is_any_exact(n, t);
    list(n, all);
    for (int i = 0; i < ESTIMATES; i++) {
        if (!counts(n, all[i], t)) continue;
        const double error = honest_error(n, all[i]) / (any ? gri_tolerated(t, all[i]->value) : 1);
        if (best && !(error < least)) continue;
        best = all[i];
        least = error;
    }
    return best;
}

/* Whether there was a kink as large as that at large steps, and at small ones rounding hides it. */
static bool may_have_drowned(const gri_numbers *n, double apart, gri_tolerance t)
{
    if (!n->first.bent || !n->second.made || is_of_roughness(n, &n->second, t)) return false;
    return apart <= n->first.bend && apart <= n->second.blur;
}

/* Whether the estimates deny the analytic value: the best does, one of the others agrees with it, and none that
   could tell the two apart takes the other side. If none of the others could, the best must be far from it. */
static bool is_denied(const gri_numbers *n, const gri_estimate *best, double analytic, gri_tolerance t)
{
    const gri_estimate *all[ESTIMATES];
    const double apart = fabs(analytic - best->value), doubt = proof * honest_error(n, best);
    int precise = 0, agreeing = 0;
    if (!(apart > doubt) || may_have_drowned(n, apart, t)) return false;
    /* Beside a kink, nearer than steps reach, one of the two slopes is that of x. */
    if (best->bent && fabs(apart - best->bend / 2) <= exact * best->bend) return false;
    list(n, all);
    for (int i = 0; i < ESTIMATES; i++) {
        if (all[i] == best || !counts(n, all[i], t)) continue;
        const double error = honest_error(n, all[i]);
        agreeing += fabs(all[i]->value - best->value) <= agreement * apart;
        if (!(error <= precision * apart)) continue;
        precise++;
        if (fabs(analytic - all[i]->value) <= proof * error) return false;
    }
    return agreeing > 0 || (precise == 0 && apart > proof * doubt);
}

/* Whether the function is a staircase that nobody declared, and the analytic value is that of the stairs. */
static bool is_of_stairs(const gri_line *l, const gri_numbers *n, const gri_estimate *best, double analytic,
                         gri_tolerance t)
{
    const bool declared = n->staircase <= proof * l->accuracy * n->size;
    return !declared && fabs(analytic) <= t.absolute && honest_error(n, best) > gri_tolerated(t, best->value);
}

static gri_want settle(const gri_line *l, const gri_numbers *n, double analytic, gr_check_element *e)
{
    const gri_tolerance t = gri_line_tolerance(l, n);
    const gri_estimate *best = best_of(n, t);
    if (!best) return nothing(e, analytic, t);
    if (!n->wide.made && !is_any_exact(n, t)) return GRI_WIDE;
    if (counts(n, &n->wide, t) && fits_well(n, &n->wide, analytic, t)) return right(e, &n->wide, analytic, t);
    fill(e, analytic, best->value, honest_error(n, best), gri_tolerated(t, best->value));
    const bool denied = is_denied(n, best, analytic, t) && !is_of_stairs(l, n, best, analytic, t);
    const bool fitting = fits(best, analytic, t); /* it was not the first */
    e->verdict = fitting ? GR_CHECK_RIGHT : denied ? GR_CHECK_WRONG : GR_CHECK_UNDECIDED;
    return e->verdict == GR_CHECK_UNDECIDED && !n->wide.made ? GRI_WIDE : GRI_ENOUGH;
}

/* ---- The order of doubts ---- */

/* Whether the analytic value could be one between the slopes of a kink, or the slopes go nowhere. */
static bool may_be_kink(const gri_estimate *e, double analytic)
{
    return e->bent || e->error > unsettled * fabs(e->value) || isnan(e->value) ||
           e->bend > beyond_bend * fabs(analytic - e->value);
}

static bool is_flat(const gri_numbers *n)
{
    return n->first.flat || n->second.flat || n->near.flat || n->third.flat || n->wide.flat;
}

/* Asks the sides, and those who came from there. */
static gri_want follow_sides(const gri_line *l, const gri_numbers *n, double analytic, gr_check_element *e)
{
    const gri_tolerance t = gri_line_tolerance(l, n);
    if (!n->sided) return GRI_SIDES;
    if (is_kink(n, t)) return kink(n, analytic, t, e);
    if (!n->third.made) return GRI_THIRD;
    if (fits_well(n, &n->third, analytic, t)) return right(e, &n->third, analytic, t);
    if (fits(&n->first, analytic, t) && counts(n, &n->first, t)) return right(e, &n->first, analytic, t);
    return settle(l, n, analytic, e);
}

gri_want gri_judge(const gri_line *l, const gri_numbers *n, double analytic, gr_check_element *e)
{
    const gri_tolerance t = gri_line_tolerance(l, n);
    if (!n->finite || !isfinite(l->at)) return nothing(e, analytic, t);
    if (!n->first.made) return GRI_FIRST;
    if (!isfinite(analytic)) return conclude(e, &n->first, analytic, t, GR_CHECK_WRONG);
    if (is_flat(n) && !n->stepped) return GRI_PLATEAU;
    const bool first = fits(&n->first, analytic, t);
    if (first && !n->first.bent) return right(e, &n->first, analytic, t);
    if (!n->second.made) return GRI_SECOND;
    if (fits_well(n, &n->second, analytic, t) && !n->second.bent) return right(e, &n->second, analytic, t);
    const bool rough = is_of_roughness(n, &n->second, t);
    if (first && (rough || (!n->second.bent && !refutes_first(n, &n->second, t))))
        return right(e, &n->first, analytic, t);
    if (rough) return settle(l, n, analytic, e);
    if (l->near > 0 && !n->near.made) return GRI_NEAR;
    if (fits_well(n, &n->near, analytic, t) && !n->near.bent) return right(e, &n->near, analytic, t);
    if (may_be_kink(n->near.made ? &n->near : &n->second, analytic)) return follow_sides(l, n, analytic, e);
    return settle(l, n, analytic, e);
}
