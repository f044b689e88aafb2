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
/* The smallest step in units of max(|x|, 1); one at x itself of |x|. */
static const double least_step = 1e-24, least_part = 8;
/* A side that is followed from here, in units of the first step. */
static const double side_start = 1.0 / 16;

enum { MOST_STEPS = 48, SIDE_STEPS = 18, FIRST_ROWS = 3, SECOND_ROWS = 6, PLATEAU_POINTS = 9 };

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

void gri_line_begin(gri_line *l, int64_t j, const double *direction)
{
    l->element = j;
    l->direction = direction;
    l->at = j >= 0 ? l->x[j] : 0;
    l->scale = fmax(fabs(l->at), 1);
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

gri_tolerance gri_line_tolerance(const gri_line *l, const gri_numbers *n)
{
    const double automatic = l->rtol / 100 * fmin(1, fmax(n->size, l->subject->size) / l->scale);
    const double least = least_roundings * epsilon_of(l) / l->scale;
    return (gri_tolerance){l->atol > 0 ? l->atol : fmax(automatic, least), l->rtol};
}

/* ---- Central differences ---- */

/* Adds what a pair of evaluations says about a row. False if it is not finite there. */
static bool add_pair(gri_line *l, int64_t k, double low, double high, int least_rows)
{
    gri_numbers *n = &l->numbers[k];
    gri_table *t = &n->table;
    if (!is_finite(l, k, l->above) || !is_finite(l, k, l->below)) {
        gri_table_clear(t, GRI_SHRINK * GRI_SHRINK);
        return false;
    }
    const double width = high - low, size = size_of(l, k, l->above, l->below, 1);
    n->size = fmax(n->size, size_of(l, k, l->above, l->below, -1));
    n->noise = (l->accuracy * size + n->staircase) / width;
    const double right = difference_of(l, k, l->above, l->y) / (high - l->at);
    const double left = difference_of(l, k, l->y, l->below) / (l->at - low);
    const gri_tolerance tolerance = gri_line_tolerance(l, n);
    gri_table_add(t, tolerance,
                  (gri_slope){.h = width / 2,
                              .value = difference_of(l, k, l->above, l->below) / width,
                              .noise = n->noise,
                              .bend = right - left});
    t->done = gri_table_done(t, tolerance, n->noise, least_rows);
    return true;
}

/* All rows that are active and not done. *any: one of them is finite here; returns whether all are done. */
static bool add_pairs(gri_line *l, double low, double high, int least_rows, bool *any)
{
    bool done = true;
    *any = false;
    for (int64_t i = 0; i < l->subject->m; i++) l->moved[i] |= l->above[i] != l->below[i];
    for (int64_t k = 0; k < l->rows; k++) {
        if (!l->active[k] || l->numbers[k].table.done) continue;
        *any |= add_pair(l, k, low, high, least_rows);
        done &= l->numbers[k].table.done;
    }
    return done;
}

static gr_status pass(gri_line *l, double h, int least_rows)
{
    for (int64_t k = 0; k < l->rows; k++)
        if (l->active[k]) gri_table_clear(&l->numbers[k].table, GRI_SHRINK * GRI_SHRINK);
    for (int i = 0; i < MOST_STEPS && h > least_step * l->scale; i++) {
        double high, low;
        gr_status status = evaluate(l, l->at + h, &high, l->above);
        if (status == GR_OK) status = evaluate(l, l->at - h, &low, l->below);
        if (status != GR_OK) return status;
        if (!(high > l->at && l->at > low)) break;
        bool any;
        if (add_pairs(l, low, high, least_rows, &any)) break;
        h /= any ? GRI_SHRINK : shrink_into_domain;
    }
    return GR_OK;
}

static gri_estimate *estimate_of(gri_numbers *n, gri_want what)
{
    return what == GRI_FIRST ? &n->first : what == GRI_SECOND ? &n->second : &n->third;
}

/* The step that a row's pass is to begin with. */
static double start_of(const gri_line *l, const gri_numbers *n, gri_want what)
{
    const double first = n->table.rows ? n->table.first_step : l->step * l->scale;
    if (what == GRI_FIRST) return l->step * l->scale;
    if (what == GRI_SECOND) return first / (l->accuracy > few_digits ? less_local : more_local);
    return fmin(fmax(n->side[0].step, n->side[1].step) * side_shrink, first);
}

static gr_status find_slopes(gri_line *l, gri_want what)
{
    double h = INFINITY;
    for (int64_t k = 0; k < l->rows; k++)
        if (l->active[k]) h = fmin(h, start_of(l, &l->numbers[k], what));
    const gr_status status = pass(l, h, what == GRI_FIRST ? FIRST_ROWS : SECOND_ROWS);
    for (int64_t k = 0; k < l->rows && status == GR_OK; k++) {
        gri_numbers *n = &l->numbers[k];
        if (!l->active[k]) continue;
        *estimate_of(n, what) = gri_table_result(&n->table, gri_line_tolerance(l, n), n->noise);
        if (what == GRI_FIRST)
            n->quiet = l->accuracy * size_of(l, k, l->y, l->y, 0) / (2 * l->step * l->scale);
    }
    return status;
}

/* ---- Slopes from one side ---- */

static void add_side(gri_line *l, int64_t k, int which, double distance, const double *y)
{
    gri_numbers *n = &l->numbers[k];
    gri_side *s = &n->side[which];
    if (!is_finite(l, k, y)) {
        gri_table_clear(&s->table, side_shrink);
        s->finite = 0;
        s->scatter = 0;
        return;
    }
    const double size = size_of(l, k, y, l->y, 1), sign = which ? 1 : -1;
    n->size = fmax(n->size, size);
    for (int i = GRI_COLUMNS - 1; i > 0; i--) s->change[i] = s->change[i - 1];
    s->change[0] = sign * difference_of(l, k, y, l->y);
    s->noise = 2 * l->accuracy * size + n->staircase;
    s->finite++;
    const double before = s->table.step;
    gri_table_add(&s->table, gri_line_tolerance(l, n),
                  (gri_slope){.h = distance, .value = s->change[0] / distance, .noise = s->noise / distance});
    /* How far the function is from the line of the best slope so far, at steps that are smaller yet. */
    s->scatter = s->table.step != before ? 0
                                         : fmax(s->scatter, fabs(s->change[0] - s->table.value * distance));
}

/* Whether the slope grows as a power of the step, steadily: at a jump as 1/h. */
static bool is_unbounded(const gri_side *s)
{
    const double least = 1.2 / side_shrink, most = 1.2, steady = 0.2;
    if (s->finite < GRI_COLUMNS || !(fabs(s->change[0]) > 10 * s->noise)) return false;
    const double ratio = s->change[0] / s->change[1];
    if (!(ratio > least && ratio < most)) return false;
    for (int i = 1; i + 1 < GRI_COLUMNS; i++)
        if (!(fabs(s->change[i] / s->change[i + 1] - ratio) < steady * ratio)) return false;
    return true;
}

static void finish_side(gri_side *s)
{
    s->edge = s->finite == 0;
    s->value = s->table.value;
    s->step = s->table.step;
    s->error = fmax(s->table.error, 2 * s->scatter / s->step);
    if (s->edge) {
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
            gri_table_clear(&l->numbers[k].side[side].table, side_shrink);
        }
    double h = l->step * side_start * l->scale;
    for (int i = 0; i < SIDE_STEPS && h > least_part * epsilon_of(l) * fabs(l->at); i++, h /= side_shrink) {
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
        h = fmax(h, fmax(n->first.flat ? n->first.step : 0, n->second.flat ? n->second.step : 0));
    }
    for (int side = -1; side <= 1; side += 2) {
        double got;
        for (int i = 0; i <= PLATEAU_POINTS; i++) {
            double *now = i % 2 ? l->above : l->below, *before = i % 2 ? l->below : l->above;
            const gr_status status = evaluate(l, l->at + side * h * (i + GRI_SHRINK), &got, now);
            if (status != GR_OK) return status;
            for (int64_t k = 0; k < l->rows && i > 0; k++) {
                gri_numbers *n = &l->numbers[k];
                if (!l->active[k]) continue;
                const double change = fabs(difference_of(l, k, now, before));
                n->staircase = fmax(n->staircase, change);
                n->seen[side > 0] |= change > 0 ? MOVES : STANDS;
            }
        }
    }
    for (int64_t k = 0; k < l->rows; k++) {
        gri_numbers *n = &l->numbers[k];
        if (!l->active[k]) continue;
        if (n->seen[0] != (STANDS | MOVES) || n->seen[1] != (STANDS | MOVES)) n->staircase = 0;
        if (n->staircase > 0) n->first.made = n->second.made = n->third.made = n->sided = false;
    }
    return GR_OK;
}

gr_status gri_line_find(gri_line *l, gri_want what)
{
    if (what == GRI_PLATEAU) return find_plateaus(l);
    return what == GRI_SIDES ? find_sides(l) : find_slopes(l, what);
}
