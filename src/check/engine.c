/*
 * A level: the derivatives of one order, compared element by element, or along random directions.
 *
 * Invariant: x is as it was when a level returns with GR_OK; all memory is given back, however it returns.
 */
#include "check/engine.h"
#include "check/fault.h"
#include "check/judge.h"
#include "check/tally.h"
#include "base/random.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double default_rtol = 1e-6, default_step = 1.0 / 73;
static const double single_rtol = 1e-3, single_step = 1.0 / 17;

/* Each element of the Jacobian is compared up to these numbers. */
enum { FULL_OUTPUTS = 64, FULL_RATIO = 4, FULL_ELEMENTS = 1 << 20, GUESS_ELEMENTS = 1 << 21 };

/* ---- Helpers ---- */

double gri_draw(gri_level *l)
{
    const uint64_t orders = UINT64_C(0x9e3779b97f4a7c15); /* keeps the streams of the orders apart */
    double u[2];
    gri_uniform_pair(l->o->seed + orders * (uint64_t)l->s->order, l->drawn / 2, u);
    return u[l->drawn++ % 2];
}

double gri_draw_weight(gri_level *l)
{
    const double size = 0.5 + gri_draw(l);
    return gri_draw(l) < 0.5 ? -size : size;
}

gr_status gri_level_take(gri_level *l, int64_t count, int64_t each, size_t size, void *block)
{
    void *taken = gri_take_matrix(&l->blocks, count, each, size);
    memcpy(block, &taken, sizeof taken);
    return taken ? GR_OK : l->s->no_memory(l->s, l->blocks.refused);
}

double gri_combine(const gri_level *l, int64_t k, const double *y)
{
    if (!l->line.weights) return y[k];
    const double *w = l->line.weights + k * l->s->m;
    double sum = 0;
    for (int64_t i = 0; i < l->s->m; i++) sum += w[i] * y[i];
    return sum;
}

static bool is_same(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

/* ---- The same again ---- */

static gr_status not_deterministic(gri_level *l, const char *what, double first, double then)
{
    gr_check_result *r = l->result;
    r->verdict = GR_CHECK_NOT_DETERMINISTIC;
    snprintf(r->message, sizeof r->message, "%s: not deterministic: %s is %.17g at first, and %.17g then",
             r->name, what, first, then);
    return GR_OK;
}

static bool is_deterministic(const gri_level *l) { return l->result->verdict != GR_CHECK_NOT_DETERMINISTIC; }

/* y(x), once more, must be what it was. */
static gr_status evaluate_again(gri_level *l)
{
    const gr_status status = l->s->value(l->s, l->again);
    l->result->evaluations++;
    if (status != GR_OK) return status;
    for (int64_t i = 0; i < l->s->m; i++) {
        if (is_same(l->y[i], l->again[i])) continue;
        char what[64];
        snprintf(what, sizeof what, "element [%" PRId64 "] of its %s", i,
                 l->s->order == 1 ? "value" : "first derivatives");
        return not_deterministic(l, what, l->y[i], l->again[i]);
    }
    return GR_OK;
}

/* ---- Analytic derivatives ---- */

static gr_status compute_form(gri_level *l, gri_form form, double *to)
{
    gri_subject *s = l->s;
    const int64_t rows = l->line.rows, n = s->n;
    if (form == GRI_REVERSE) return s->reverse(s, rows, l->line.weights, to);
    double *j = l->line.weights ? l->jacobian : to;
    const gr_status status = s->jacobian(s, j);
    if (status != GR_OK || !l->line.weights) return status;
    memset(to, 0, (size_t)(rows * n) * sizeof *to);
    for (int64_t k = 0; k < rows; k++)
        for (int64_t i = 0; i < s->m; i++)
            for (int64_t e = 0; e < n; e++) to[k * n + e] += l->line.weights[k * s->m + i] * j[i * n + e];
    return GR_OK;
}

/* By rows. */
static gr_status differentiate(gri_level *l, gri_source *source)
{
    const gr_status status = gri_level_take(l, l->line.rows, l->s->n, sizeof(double), &source->rows);
    if (status != GR_OK || source->form == GRI_FORWARD) return status;
    return compute_form(l, source->form, source->rows);
}

/* The derivatives, once more, must be what they were: now that the function was called elsewhere. */
static gr_status differentiate_again(gri_level *l, const gri_source *source)
{
    gri_subject *s = l->s;
    const int64_t rows = l->line.rows, n = s->n;
    gri_blocks blocks = {.memory = s->memory};
    double *again = gri_take_matrix(&blocks, rows, n, sizeof(double));
    gr_status status = again ? compute_form(l, source->form, again) : s->no_memory(s, blocks.refused);
    for (int64_t i = 0; status == GR_OK && i < rows * n; i++) {
        if (is_same(source->rows[i], again[i])) continue;
        gr_check_element e;
        char what[GR_CHECK_NAME_BYTES + 64];
        gri_locate(s, i % n, -1, &e);
        snprintf(what, sizeof what, "its derivative by element [%" PRId64 "] of inputs[%d]%s%s", e.at.element,
                 e.input, e.name[0] ? ", " : "", e.name);
        status = not_deterministic(l, what, source->rows[i], again[i]);
        break;
    }
    gri_give_back(&blocks);
    return status;
}

static gr_status differentiate_all(gri_level *l)
{
    gri_subject *s = l->s;
    gr_status status = GR_OK;
    if (s->jacobian) l->source[l->n_sources++].form = GRI_JACOBIAN;
    if (s->reverse) l->source[l->n_sources++].form = GRI_REVERSE;
    if (s->forward) l->source[l->n_sources++].form = GRI_FORWARD;
    if (s->jacobian && l->line.weights) status = gri_level_take(l, s->m, s->n, sizeof(double), &l->jacobian);
    for (int i = 0; i < l->n_sources && status == GR_OK; i++) {
        if (l->source[i].form == GRI_FORWARD && l->mode == GR_CHECK_FAST) continue;
        status = differentiate(l, &l->source[i]);
        if (l->source[i].form == GRI_JACOBIAN && !l->line.weights) l->jacobian = l->source[i].rows;
    }
    if (status == GR_OK) status = gri_level_take(l, l->n_sources, l->line.rows, sizeof(double), &l->analytic);
    return status;
}

/* Those along the line to element j, or along a direction, for all forms. */
static gr_status find_analytic(gri_level *l, int64_t j, const double *direction)
{
    const int64_t rows = l->line.rows, n = l->s->n;
    for (int i = 0; i < l->n_sources; i++) {
        const gri_source *source = &l->source[i];
        double *to = l->analytic + i * rows;
        if (source->form == GRI_FORWARD) {
            const double unit = gri_unit(j);
            if (j >= 0) l->unit[j] = unit;
            const gr_status status = l->s->forward(l->s, j >= 0 ? l->unit : direction, l->column);
            if (j >= 0) l->unit[j] = 0;
            if (status != GR_OK) return status;
            for (int64_t y = 0; y < l->s->m && j >= 0; y++) l->column[y] /= unit;
        }
        for (int64_t k = 0; k < rows; k++) {
            if (source->form == GRI_FORWARD) {
                to[k] = gri_combine(l, k, l->column);
                if (j >= 0 && source->rows) source->rows[k * n + j] = to[k];
            } else if (j >= 0) {
                to[k] = source->rows[k * n + j];
            } else {
                to[k] = 0;
                for (int64_t e = 0; e < n; e++)
                    if (direction[e] != 0) to[k] += source->rows[k * n + e] * direction[e];
            }
        }
    }
    return GR_OK;
}

/* ---- Comparing ---- */

/* Asks for all verdicts and finds out what they need, until none needs more. */
static gr_status find_numbers(gri_level *l)
{
    gri_line *line = &l->line;
    const int64_t rows = line->rows;
    for (;;) {
        gri_want what = GRI_ENOUGH;
        for (int pass = 0; pass < 2; pass++) /* what is wanted first, then by whom */
            for (int64_t k = 0; k < rows; k++) {
                gri_want row = GRI_ENOUGH;
                for (int i = 0; i < l->n_sources; i++) {
                    gr_check_element e;
                    const gri_want w = gri_judge(line, &line->numbers[k], l->analytic[i * rows + k], &e);
                    if (w != GRI_ENOUGH && (row == GRI_ENOUGH || w < row)) row = w;
                }
                if (pass == 0 && row != GRI_ENOUGH && (what == GRI_ENOUGH || row < what)) what = row;
                if (pass == 1) line->active[k] = row == what;
            }
        if (what == GRI_ENOUGH) return GR_OK;
        const gr_status status = gri_line_find(line, what);
        if (status != GR_OK) return status;
    }
}

/* For guesses at a fault. */
static void note(gri_level *l, int64_t k, int64_t j, const gr_check_element *e)
{
    if (!l->numeric || j < 0) return;
    const bool counts = isnan(e->left) && isnan(e->right); /* at a kink there is no number to explain */
    l->numeric[k * l->s->n + j] = counts ? e->numeric : NAN;
    l->slack[k * l->s->n + j] = e->tolerance + 4 * e->numeric_error;
}

static void finish(gri_level *l, int source, int64_t j, int64_t row, gr_check_element *e)
{
    const gri_form form = l->source[source].form;
    e->comparison = form == GRI_FORWARD ? GR_COMPARE_FORWARD : GR_COMPARE_REVERSE;
    l->wrong[form] += e->verdict == GR_CHECK_WRONG;
    gri_tally(l->result, l->o, l->s, j, row, e);
}

/* Each row is an element, or the worst of them is. */
static void count(gri_level *l, int64_t j, bool tally, bool *fails)
{
    const gri_line *line = &l->line;
    *fails = false;
    for (int i = 0; i < l->n_sources; i++) {
        gr_check_element worst, e;
        memset(&e, 0, sizeof e);
        for (int64_t k = 0; k < line->rows; k++) {
            gri_judge(line, &line->numbers[k], l->analytic[i * line->rows + k], &e);
            *fails |= gri_fails(e.verdict, l->o->accept_kinks);
            note(l, k, j, &e);
            if (!tally) continue;
            if (!line->weights)
                finish(l, i, j, k, &e);
            else if (k == 0 || gri_is_worse(&e, &worst))
                worst = e;
        }
        if (tally && line->weights) finish(l, i, j, -1, &worst);
    }
}

gr_status gri_compare(gri_level *l, int64_t j, const double *direction, bool tally, bool *fails)
{
    gr_status status = find_analytic(l, j, direction);
    gri_line_begin(&l->line, j, direction);
    if (status == GR_OK) status = find_numbers(l);
    if (status == GR_OK) status = gri_line_end(&l->line);
    if (status == GR_OK) count(l, j, tally, fails);
    return status;
}

/* All elements of all inputs, or as many as wanted, each set of them being as likely. */
static gr_status compare_all(gri_level *l)
{
    for (int p = 0; p < l->s->n_parts; p++) {
        const gri_part *part = &l->s->parts[p];
        const int64_t most = l->o->max_elements;
        int64_t wanted = most > 0 && most < part->count ? most : part->count;
        for (int64_t i = 0; i < part->count && wanted > 0; i++) {
            const int64_t left = part->count - i;
            if (wanted < left && gri_draw(l) * (double)left >= (double)wanted) continue;
            wanted--;
            bool fails = false;
            const gr_status status = gri_compare(l, part->first + i, NULL, true, &fails);
            if (status != GR_OK) return status;
        }
    }
    return GR_OK;
}

/* ---- A level ---- */

static void choose_mode(gri_level *l)
{
    const int64_t n = l->s->n, m = l->s->m;
    l->mode = l->o->mode;
    if (l->mode == GR_CHECK_AUTO) {
        const bool few = m <= FULL_OUTPUTS || m / FULL_RATIO <= n;
        const bool small = m == 0 || n <= FULL_ELEMENTS / m;
        l->mode = m <= gri_directions(l->o) || (few && small) ? GR_CHECK_FULL : GR_CHECK_COTANGENTS;
    }
    if (l->s->order == 1) l->result->mode = l->mode;
}

/* The largest |x|, but at least 1. */
static double largest_x(const gri_level *l)
{
    double most = 1;
    for (int64_t j = 0; j < l->s->n; j++)
        if (fabs(l->x[j]) > most) most = fabs(l->x[j]);
    return most;
}

static gr_status prepare_line(gri_level *l)
{
    gri_subject *s = l->s;
    gri_line *line = &l->line;
    const double epsilon = s->single ? FLT_EPSILON : DBL_EPSILON;
    *line = (gri_line){.subject = s,
                       .rows = s->m,
                       .x = l->x,
                       .y = l->y,
                       .step = gri_or(l->o->step, s->single ? single_step : default_step),
                       .rtol = gri_or(l->o->rtol, s->single ? single_rtol : default_rtol),
                       .atol = l->o->atol,
                       .accuracy = fmax(l->o->accuracy, epsilon),
                       .inner_size = s->size / largest_x(l),
                       .evaluations = &l->result->evaluations};
    gr_status status = GR_OK;
    if (l->mode != GR_CHECK_FULL) {
        double *weights;
        line->rows = gri_directions(l->o);
        status = gri_level_take(l, line->rows, s->m, sizeof *weights, &weights);
        for (int64_t i = 0; status == GR_OK && i < line->rows * s->m; i++) weights[i] = gri_draw_weight(l);
        line->weights = weights;
    }
    if (status == GR_OK && !gri_line_prepare(line, &l->blocks)) status = s->no_memory(s, l->blocks.refused);
    return status;
}

static gr_status prepare_guesses(gri_level *l)
{
    const int64_t rows = l->line.rows, n = l->s->n;
    if (l->mode == GR_CHECK_FAST || rows == 0 || n > GUESS_ELEMENTS / rows) return GR_OK;
    gr_status status = gri_level_take(l, rows, n, sizeof(double), &l->numeric);
    if (status == GR_OK) status = gri_level_take(l, rows, n, sizeof(double), &l->slack);
    for (int64_t i = 0; status == GR_OK && i < rows * n; i++) l->numeric[i] = NAN;
    return status;
}

static gr_status prepare(gri_level *l)
{
    gri_subject *s = l->s;
    gr_status status = gri_level_take(l, s->n, 1, sizeof(double), &l->x);
    if (status == GR_OK) status = gri_level_take(l, s->m, 1, sizeof(double), &l->y);
    if (status == GR_OK) status = gri_level_take(l, s->m, 1, sizeof(double), &l->again);
    if (status == GR_OK) status = gri_level_take(l, s->m, 1, sizeof(double), &l->column);
    if (status == GR_OK) status = gri_level_take(l, s->n, 1, sizeof(double), &l->unit);
    if (status == GR_OK) status = s->get(s, l->x);
    if (status == GR_OK) status = s->value(s, l->y);
    if (status == GR_OK) l->result->evaluations++;
    return status == GR_OK ? evaluate_again(l) : status;
}

static gr_status check(gri_level *l)
{
    gr_status status = prepare(l);
    if (status != GR_OK || !is_deterministic(l)) return status;
    choose_mode(l);
    status = prepare_line(l);
    if (status == GR_OK) status = differentiate_all(l);
    if (status == GR_OK) status = prepare_guesses(l);
    if (status == GR_OK) status = l->mode == GR_CHECK_FAST ? gri_compare_fast(l) : compare_all(l);
    if (status == GR_OK) status = gri_compare_adjoint(l);
    if (status == GR_OK) gri_guess_faults(l);
    if (status == GR_OK) l->result->order = l->s->order;
    for (int i = 0; i < l->n_sources && status == GR_OK && is_deterministic(l); i++)
        if (l->source[i].form != GRI_FORWARD) status = differentiate_again(l, &l->source[i]);
    return status == GR_OK && is_deterministic(l) ? evaluate_again(l) : status;
}

gr_status gri_check_level(gri_subject *s, const gr_check_options *o, gr_check_result *r,
                          int64_t wrong[GRI_FORMS])
{
    gri_level l = {.s = s, .o = o, .result = r, .blocks = {.memory = s->memory}};
    const gr_status status = check(&l);
    memcpy(wrong, l.wrong, sizeof l.wrong);
    gri_give_back(&l.blocks);
    return status;
}
