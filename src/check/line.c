#include "check/line.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Derivatives are sums of terms of which we do not know the size: so many roundings of terms of size 1 pass. */
static const double least_roundings = 8;
/* Where the function is not finite at all steps shrink faster: its domain ends there. */
static const double shrink_into_domain = 8;
static const double side_shrink = GRI_SHRINK * GRI_SHRINK;
/* The second pass begins at a step smaller by the first, or by the second with values of few digits. */
static const double more_local = 200, less_local = 8, few_digits = 1e-10;
/* Where values are of few digits, steps that are larger by this, but below 1, are tried, too. */
static const double wider = 16, widest = 0.9;
/* Where |x| is below this part of its unit, steps of its own size are tried, too. */
static const double tiny = 1e-3;
/* The smallest step in units of max(|x|, 1), or of |x|, if that is smaller; and that on one side of x, in
   roundings of x. */
static const double least_step = 1e-24, least_part = 1e-4, least_roundings_of_x = 8;
/* A side that is followed from here, in units of the first step. */
static const double side_start = 1.0 / 16;

enum {
    MOST_STEPS = 48,
    WIDE_STEPS = 6,
    MOST_SHRINKS = 400,
    STEP_BITS = 6,
    SIDE_STEPS = 18,
    LEAST_ROWS = 3,
    MORE_ROWS = 2,
    PLATEAU_POINTS = 9
};

bool gri_line_prepare(gri_line *l, gri_blocks *blocks)
{
    const int64_t m = l->subject->m;
    l->numbers = gri_take(blocks, l->rows, sizeof *l->numbers);
    l->active = l->numbers ? gri_take(blocks, l->rows, 1) : NULL;
    l->above = l->active ? gri_take(blocks, m, sizeof *l->above) : NULL;
    l->below = l->above ? gri_take(blocks, m, sizeof *l->below) : NULL;
    l->moved = l->below ? gri_take(blocks, m, 1) : NULL;
    return l->moved != NULL;
}

static double epsilon_of(const gri_line *l) { return l->subject->single ? FLT_EPSILON : DBL_EPSILON; }

/* ---- Rows: combinations of outputs ---- */

/* The outputs of row k: from first to last, with weights; *weight is NULL for a weight of 1. */
static void outputs_of(const gri_line *l, int64_t k, int64_t *first, int64_t *last, const double **weight)
{
    const int64_t m = l->subject->m;
    *first = l->weights ? 0 : k;
    *last = l->weights ? m : k + 1;
    *weight = l->weights ? l->weights + k * m : NULL;
}

/* sum_i w_i (a_i - b_i). */
static double difference_of(const gri_line *l, int64_t k, const double *a, const double *b)
{
    if (!l->weights) return a[k] - b[k];
    const double *w = l->weights + k * l->subject->m;
    double sum = 0;
    for (int64_t i = 0; i < l->subject->m; i++) sum += w[i] * (a[i] - b[i]);
    return sum;
}

static bool is_finite(const gri_line *l, int64_t k, const double *y)
{
    if (!l->weights) return isfinite(y[k]);
    for (int64_t i = 0; i < l->subject->m; i++)
        if (!isfinite(y[i])) return false;
    return true;
}

/* sum_i |w_i| max(|a_i|, |b_i|), of the outputs that have moved, or have not, or (`which` < 0) of all. */
static double size_of(const gri_line *l, int64_t k, const double *a, const double *b, int which)
{
    int64_t first, last;
    const double *w;
    double sum = 0;
    outputs_of(l, k, &first, &last, &w);
    for (int64_t i = first; i < last; i++)
        if (which < 0 || l->moved[i] == which) sum += (w ? fabs(w[i]) : 1) * fmax(fabs(a[i]), fabs(b[i]));
    return sum;
}

/* ---- Evaluating ---- */

/* The size of the smallest x on the line that is not 0. */
static double smallest_x(const gri_line *l)
{
    double least = INFINITY;
    if (l->element >= 0) return l->at != 0 ? fabs(l->at) : INFINITY;
    for (int64_t j = 0; j < l->subject->n; j++)
        if (l->direction[j] != 0 && l->x[j] != 0) least = fmin(least, fabs(l->x[j]));
    return least;
}

/* The step that is lost to the rounding of x, or of one of them. */
static double grain_of(const gri_line *l)
{
    double most = l->element >= 0 ? fabs(l->at) : 0;
    for (int64_t j = 0; l->element < 0 && j < l->subject->n; j++)
        if (l->direction[j] != 0) most = fmax(most, fabs(l->x[j] / l->direction[j]));
    return epsilon_of(l) * most;
}

void gri_line_begin(gri_line *l, int64_t j, const double *direction)
{
    l->element = j;
    l->direction = direction;
    l->at = j >= 0 ? l->x[j] : 0;
    l->scale = fmax(fabs(l->at), 1);
    l->near = smallest_x(l);
    if (!(l->near < tiny * l->scale)) l->near = 0;
    l->grain = grain_of(l);
    memset(l->moved, 0, (size_t)l->subject->m);
    for (int64_t k = 0; k < l->rows; k++) {
        l->numbers[k] = (gri_numbers){.finite = is_finite(l, k, l->y)};
        l->numbers[k].size = size_of(l, k, l->y, l->y, -1);
    }
}

/* y at the position on the line; *got is where that really is. */
static gr_status evaluate(gri_line *l, double position, double *got, double *y)
{
    gri_subject *s = l->subject;
    *got = position;
    const gr_status status = l->element >= 0 ? s->set(s, l->element, position, got)
                                             : s->move(s, l->x, position, l->direction);
    if (status != GR_OK) return status;
    ++*l->evaluations;
    return s->value(s, y);
}

gr_status gri_line_end(gri_line *l)
{
    double got;
    return l->element >= 0 ? l->subject->set(l->subject, l->element, l->at, &got)
                           : l->subject->move(l->subject, l->x, 0, NULL);
}

double gri_line_most_absolute(const gri_line *l) { return l->rtol / (l->subject->single ? 10 : 100); }

gri_tolerance gri_line_tolerance(const gri_line *l, const gri_numbers *n)
{
    const double automatic = gri_line_most_absolute(l) * fmin(1, fmax(n->size, l->subject->size) / l->scale);
    const double least = least_roundings * epsilon_of(l) / l->scale;
    return (gri_tolerance){l->atol > 0 ? l->atol : fmax(automatic, least), l->rtol};
}

/* ---- Central differences ---- */

/* Adds what a pair of evaluations says about a row. False if it is not finite there. */
/* The size of the numbers whose rounding is in values of a size: from order 2 on they are those of the function, per
   unit of x, which cancel in its derivatives (1 - y^2 of a tanh). What does not move has none of it. */
static double rounded_size(const gri_line *l, double size)
{
    return size > 0 ? fmax(size, l->inner_size) : 0;
}

static bool add_pair(gri_line *l, int64_t k, double low, double high, int more)
{
    gri_numbers *n = &l->numbers[k];
    gri_table *t = &n->table;
    if (!is_finite(l, k, l->above) || !is_finite(l, k, l->below)) {
        const double expected = t->expected;
        gri_table_clear(t, 2);
        t->expected = expected;
        return false;
    }
    const double width = high - low, size = size_of(l, k, l->above, l->below, 1);
    n->size = fmax(n->size, size_of(l, k, l->above, l->below, -1));
    n->noise = (l->accuracy * rounded_size(l, size) + n->staircase) / width;
    const double right = difference_of(l, k, l->above, l->y) / (high - l->at);
    const double left = difference_of(l, k, l->y, l->below) / (l->at - low);
    const gri_tolerance tolerance = gri_line_tolerance(l, n);
    gri_table_add(t, tolerance,
                  (gri_slope){.h = width / 2,
                              .value = difference_of(l, k, l->above, l->below) / width,
                              .noise = n->noise,
                              .bend = right - left});
    t->done = gri_table_done(t, tolerance, n->noise, LEAST_ROWS, more);
    return true;
}

/* All rows that are active and not done. *any: one of them is finite here; returns whether all are done. */
static bool add_pairs(gri_line *l, double low, double high, int more, bool *any)
{
    bool done = true;
    *any = false;
    for (int64_t i = 0; i < l->subject->m; i++) l->moved[i] |= l->above[i] != l->below[i];
    for (int64_t k = 0; k < l->rows; k++) {
        if (!l->active[k] || l->numbers[k].table.done) continue;
        *any |= add_pair(l, k, low, high, more);
        done &= l->numbers[k].table.done;
    }
    return done;
}

/* h with its first bits only, so that x + h is exact. */
static double round_step(double h)
{
    int exponent;
    const double fraction = frexp(h, &exponent);
    return ldexp(floor(ldexp(fraction, STEP_BITS)), exponent - STEP_BITS);
}

static gr_status pass(gri_line *l, double h, gri_want what)
{
    const double tiniest = fmin(least_step * l->scale, l->near > 0 ? l->near * least_part : INFINITY);
    const double least = fmax(tiniest, l->element < 0 ? least_roundings_of_x * l->grain : 0);
    const int more = what == GRI_FIRST || what == GRI_WIDE ? 0
                                                           : MORE_ROWS; /* they are to show roughness, too */
    for (int64_t k = 0; k < l->rows; k++) {
        if (!l->active[k]) continue;
        gri_table_clear(&l->numbers[k].table, 2);
        if (more > 0) l->numbers[k].table.expected = l->numbers[k].first.value;
    }
    const int most = what == GRI_WIDE ? WIDE_STEPS : MOST_STEPS;
    for (int steps = 0, shrinks = 0; steps < most && shrinks < MOST_SHRINKS && h > least;) {
        const double step = round_step(h);
        double high, low;
        gr_status status = evaluate(l, l->at + step, &high, l->above);
        if (status == GR_OK) status = evaluate(l, l->at - step, &low, l->below);
        if (status != GR_OK) return status;
        if (!(high > l->at && l->at > low)) break;
        bool any;
        if (add_pairs(l, low, high, more, &any)) break;
        h /= any ? GRI_SHRINK : shrink_into_domain;
        steps += any;
        shrinks += !any;
    }
    return GR_OK;
}

static gri_estimate *estimate_of(gri_numbers *n, gri_want what)
{
    return what == GRI_FIRST    ? &n->first
           : what == GRI_SECOND ? &n->second
           : what == GRI_NEAR   ? &n->near
           : what == GRI_WIDE   ? &n->wide
                                : &n->third;
}

/* The step that a row's pass is to begin with. */
static double start_of(const gri_line *l, const gri_numbers *n, gri_want what)
{
    const double first = n->table.rows ? n->table.first_step : l->step * l->scale;
    if (what == GRI_FIRST) return l->step * l->scale;
    if (what == GRI_NEAR) return l->step * l->near;
    if (what == GRI_WIDE) return fmin(l->step * wider, widest) * l->scale;
    if (what == GRI_SECOND) return first / (l->accuracy > few_digits ? less_local : more_local);
    return fmin(fmax(n->side[0].step, n->side[1].step) * side_shrink, first);
}

static gr_status find_slopes(gri_line *l, gri_want what)
{
    double h = INFINITY;
    for (int64_t k = 0; k < l->rows; k++)
        if (l->active[k]) h = fmin(h, start_of(l, &l->numbers[k], what));
    const gr_status status = pass(l, h, what);
    for (int64_t k = 0; k < l->rows && status == GR_OK; k++) {
        gri_numbers *n = &l->numbers[k];
        if (!l->active[k]) continue;
        *estimate_of(n, what) = gri_table_result(&n->table, gri_line_tolerance(l, n), n->noise);
        gri_estimate *e = estimate_of(n, what);
        e->blur = GRI_BEND_NOISE * l->accuracy * rounded_size(l, size_of(l, k, l->y, l->y, -1)) /
                  (2 * e->step);
        if (what == GRI_FIRST)
            n->quiet = l->accuracy * size_of(l, k, l->y, l->y, 0) / (2 * l->step * l->scale);
    }
    return status;
}

/* ---- Slopes from one side ---- */

/* From where they are much smaller than the function they are not looked at: that may be rounding. */
static void note_change(gri_side *s, double change)
{
    for (int i = GRI_COLUMNS - 1; i > 0; i--) s->change[i] = s->change[i - 1];
    s->change[0] = change;
    s->changes++;
}

static void add_side(gri_line *l, int64_t k, int which, double distance, const double *y)
{
    gri_numbers *n = &l->numbers[k];
    gri_side *s = &n->side[which];
    s->steps++;
    if (!is_finite(l, k, y)) {
        gri_table_clear(&s->table, 1);
        s->finite = s->changes = 0;
        s->faded = false;
        s->scatter = 0;
        return;
    }
    const double size = size_of(l, k, y, l->y, 1), sign = which ? 1 : -1;
    n->size = fmax(n->size, size);
    const double change = sign * difference_of(l, k, y, l->y);
    s->noise = 2 * l->accuracy * rounded_size(l, size) + n->staircase;
    s->finite++;
    s->faded |= !(fabs(change) > sqrt(l->accuracy) * n->size);
    if (!s->faded) note_change(s, change);
    const double before = s->table.step;
    gri_table_add(&s->table, gri_line_tolerance(l, n),
                  (gri_slope){.h = distance, .value = change / distance, .noise = s->noise / distance});
    /* How far the function is from the line of the best slope so far, at steps that are smaller yet. */
    s->scatter = s->table.step != before ? 0 : fmax(s->scatter, fabs(change - s->table.value * distance));
}

/* Whether the slope grows as a power of the step, steadily: at a jump as 1/h. */
static bool is_unbounded(const gri_side *s)
{
    const double least = 1.2 / side_shrink, most = 1.2, steady = 0.2;
    if (s->changes < GRI_COLUMNS || !(fabs(s->change[0]) > 10 * s->noise)) return false;
    const double ratio = s->change[0] / s->change[1];
    for (int i = 0; i + 1 < GRI_COLUMNS; i++) {
        const double other = s->change[i] / s->change[i + 1];
        if (!(other > least && other < most && fabs(other - ratio) < steady * ratio)) return false;
    }
    return true;
}

static void finish_side(gri_side *s)
{
    s->edge = s->finite == 0 && s->steps > 0;
    s->value = s->table.value;
    s->step = s->table.step;
    s->error = fmax(s->table.error, 2 * s->scatter / s->step);
    if (s->finite == 0) {
        s->value = NAN;
        s->error = INFINITY;
    } else if (is_unbounded(s)) {
        s->value = copysign(INFINITY, s->change[0]);
        s->error = 0;
    }
}

static gr_status find_sides(gri_line *l)
{
    for (int64_t k = 0; k < l->rows; k++)
        for (int side = 0; side < 2 && l->active[k]; side++) {
            l->numbers[k].side[side] = (gri_side){.value = NAN};
            gri_table_clear(&l->numbers[k].side[side].table, 1);
        }
    double h = l->step * side_start * (l->near > 0 ? l->near : l->scale);
    for (int i = 0; i < SIDE_STEPS && h > least_roundings_of_x * l->grain; i++, h /= side_shrink) {
        double high, low;
        gr_status status = evaluate(l, l->at + h, &high, l->above);
        if (status == GR_OK) status = evaluate(l, l->at - h, &low, l->below);
        if (status != GR_OK) return status;
        for (int64_t y = 0; y < l->subject->m; y++)
            l->moved[y] |= l->above[y] != l->y[y] || l->below[y] != l->y[y];
        for (int64_t k = 0; k < l->rows; k++) {
            if (!l->active[k]) continue;
            add_side(l, k, 0, l->at - low, l->below);
            add_side(l, k, 1, high - l->at, l->above);
        }
    }
    for (int64_t k = 0; k < l->rows; k++) {
        if (!l->active[k]) continue;
        finish_side(&l->numbers[k].side[0]);
        finish_side(&l->numbers[k].side[1]);
        l->numbers[k].sided = true;
    }
    return GR_OK;
}

/* ---- Staircases ---- */

/* The largest step of those where it was flat. */
static double flat_step(const gri_numbers *n)
{
    const gri_estimate *all[] = {&n->first, &n->second, &n->near, &n->third, &n->wide};
    double h = 0;
    for (int i = 0; i < 5; i++)
        if (all[i]->flat) h = fmax(h, all[i]->step);
    return h;
}

/* A function computed in few digits is flat near x although it is not; so is a relu. The one has more flat
   places with steps between them, on both sides. Looks at points farther out than the kink of a relu can be. */
static gr_status find_plateaus(gri_line *l)
{
    enum { STANDS = 1, MOVES = 2 };
    double h = 0;
    for (int64_t k = 0; k < l->rows; k++) {
        gri_numbers *n = &l->numbers[k];
        if (!l->active[k]) continue;
        n->stepped = true;
        n->staircase = 0;
        h = fmax(h, flat_step(n));
    }
    for (int side = -1; side <= 1; side += 2) {
        double got;
        for (int i = 0; i <= PLATEAU_POINTS; i++) {
            double *now = i % 2 ? l->above : l->below, *before = i % 2 ? l->below : l->above;
            const gr_status status = evaluate(l, l->at + side * h * (i + GRI_SHRINK), &got, now);
            if (status != GR_OK) return status;
            for (int64_t k = 0; k < l->rows; k++) {
                gri_numbers *n = &l->numbers[k];
                if (!l->active[k]) continue;
                const double change = fabs(difference_of(l, k, now, i == 0 ? l->y : before));
                n->staircase = fmax(n->staircase, change);
                n->seen[side > 0] |= change > 0 ? MOVES : STANDS;
            }
        }
    }
    for (int64_t k = 0; k < l->rows; k++) {
        gri_numbers *n = &l->numbers[k];
        if (!l->active[k]) continue;
        if (n->seen[0] != (STANDS | MOVES) || n->seen[1] != (STANDS | MOVES)) n->staircase = 0;
        if (n->staircase > 0)
            n->first.made = n->second.made = n->near.made = n->third.made = n->wide.made = n->sided = false;
    }
    return GR_OK;
}

gr_status gri_line_find(gri_line *l, gri_want what)
{
    if (what == GRI_PLATEAU) return find_plateaus(l);
    return what == GRI_SIDES ? find_sides(l) : find_slopes(l, what);
}
