/*
 * A guess is a rule that says which number each analytic derivative should be if a certain mistake was made, in terms
 * of the numeric ones. It is given if all that was compared of an input is so, within the tolerance, and not all is
 * as it should be. Simple mistakes are tried before others.
 */
#include "check/fault.h"

#include <math.h>
#include <string.h>

enum { MOST_OFFSET = 3, MOST_DENOMINATOR = 12, PLACE_UNKNOWN = -1, PLACE_ZERO = -2 };

/* A factor this near to a simple fraction is that. */
static const double simple = 1e-7;

/* The derivatives of one input in one form. */
typedef struct matrix {
    const gri_level *l;
    const double *analytic; /* [rows, n] */
    gr_comparison comparison;
    const gri_part *part;
    int64_t rows, n;
    bool full; /* a row is an output */
} matrix;

/* What a mistake makes of the numeric derivatives: that at another place, times a factor, plus a constant. */
typedef struct rule {
    gr_check_fault fault;
    /* Row-major position in [rows, n] of the one that stands at row k, element j of the input; PLACE_UNKNOWN, or
       PLACE_ZERO if there should be nothing. */
    int64_t (*place)(const matrix *a, const struct rule *r, int64_t k, int64_t j);
    double factor, constant;
    int variant;
    int64_t position;
} rule;

/* ---- Places ---- */

static int64_t same(const matrix *a, const rule *r, int64_t k, int64_t j)
{
    (void)r;
    return k * a->n + a->part->first + j;
}

/* The whole Jacobian laid out as its transpose, or read so. */
static int64_t transposed(const matrix *a, const rule *r, int64_t k, int64_t j)
{
    const int64_t column = a->part->first + j, p = k * a->n + column;
    return r->variant == 0 ? p % a->rows * a->n + p / a->rows : column * a->rows + k;
}

/* The gradient by a matrix laid out as its transpose, or read so. */
static int64_t matrix_transposed(const matrix *a, const rule *r, int64_t k, int64_t j)
{
    const gr_shape *s = &a->part->shape;
    const int64_t p = s->dims[s->ndim - 2], q = s->dims[s->ndim - 1], t = j % (p * q);
    const int64_t other = r->variant == 0 ? t % p * q + t / p : t % q * p + t / q;
    return same(a, r, k, j - t + other);
}

/* Elements from one place to the next along an axis. */
static int64_t stride_of(const gr_shape *s, int axis)
{
    int64_t stride = 1;
    for (int i = s->ndim - 1; i > axis; i--) stride *= s->dims[i];
    return stride;
}

/* Only outputs at one position along an axis count. */
static int64_t unsummed(const matrix *a, const rule *r, int64_t k, int64_t j)
{
    const gr_shape *s = &a->l->s->output;
    const int64_t at = k / stride_of(s, r->fault.axis) % s->dims[r->fault.axis];
    return at == r->position ? same(a, r, k, j) : PLACE_ZERO;
}

/* Off by some places along an axis: around its end, into nothing, or into something unknown. */
static int64_t shifted(const matrix *a, const rule *r, int64_t k, int64_t j)
{
    const gr_shape *s = r->fault.of_output ? &a->l->s->output : &a->part->shape;
    const int64_t stride = stride_of(s, r->fault.axis), size = s->dims[r->fault.axis];
    const int64_t element = r->fault.of_output ? k : j, at = element / stride % size;
    int64_t from = at - r->fault.offset;
    if (from < 0 || from >= size) {
        if (r->variant > 0) return r->variant == 1 ? PLACE_ZERO : PLACE_UNKNOWN;
        from = (from + size) % size;
    }
    const int64_t other = element + (from - at) * stride;
    return r->fault.of_output ? same(a, r, other, j) : same(a, r, k, other);
}

/* ---- Whether a rule explains all ---- */

/* The most by which the analytic derivative may be off what the rule says. */
static double slack_of(const matrix *a, const rule *r, int64_t here, int64_t from)
{
    const double own = a->l->slack[here];
    return from < 0 ? own : fmax(own, fmax(1, fabs(r->factor)) * a->l->slack[from]);
}

/* Whether all that was compared is as the rule says; *wrong is how much of it is not as it should be. The rule
   may leave open what stands at a border, but not most. */
static bool explains(const matrix *a, const rule *r, int64_t *wrong)
{
    const double *numeric = a->l->numeric;
    int64_t open = 0;
    *wrong = 0;
    for (int64_t k = 0; k < a->rows; k++)
        for (int64_t j = 0; j < a->part->count; j++) {
            const int64_t here = same(a, r, k, j);
            if (isnan(numeric[here])) continue;
            const bool is_wrong = !(fabs(a->analytic[here] - numeric[here]) <= a->l->slack[here]);
            const int64_t from = r->place(a, r, k, j);
            if (from == PLACE_UNKNOWN || (from >= 0 && isnan(numeric[from]))) {
                open += is_wrong;
                continue;
            }
            *wrong += is_wrong;
            const double expected = (from == PLACE_ZERO ? 0 : r->factor * numeric[from]) + r->constant;
            if (!(fabs(a->analytic[here] - expected) <= slack_of(a, r, here, from))) return false;
        }
    return open <= *wrong;
}

/* Adds the guess to the result if it explains all, of which so many at least are wrong. */
static bool try_rule(const matrix *a, rule r, int64_t least, gr_check_result *to)
{
    int64_t wrong;
    if (!explains(a, &r, &wrong) || wrong < least) return false;
    r.fault.order = a->l->s->order;
    r.fault.input = a->part->position;
    r.fault.comparison = a->comparison;
    memcpy(r.fault.name, a->part->name, sizeof r.fault.name);
    r.fault.elements = wrong;
    for (int i = 0; i < to->n_faults; i++) { /* another form of the derivatives had the same */
        const gr_check_fault *f = &to->faults[i];
        if (f->kind == r.fault.kind && f->order == r.fault.order && f->input == r.fault.input) return true;
    }
    if (to->n_faults < GR_CHECK_FAULTS) to->faults[to->n_faults++] = r.fault;
    return true;
}

/* ---- Numbers that all have in common ---- */

/* What was compared, and how much of it is neither 0 nor too rough. The ratio of the most exact of these, and
   the mean difference. */
typedef struct summary {
    int64_t compared, telling;
    double ratio, difference;
} summary;

static summary sum_up(const matrix *a)
{
    summary s = {0};
    double most = 0, total = 0;
    for (int64_t k = 0; k < a->rows; k++)
        for (int64_t j = 0; j < a->part->count; j++) {
            const int64_t here = k * a->n + a->part->first + j;
            const double numeric = a->l->numeric[here], exact = fabs(numeric) / a->l->slack[here];
            if (isnan(numeric)) continue;
            s.compared++;
            s.telling += exact > 1;
            total += a->analytic[here] - numeric;
            if (!(exact > most)) continue;
            most = exact;
            s.ratio = a->analytic[here] / numeric;
        }
    s.difference = s.compared ? total / (double)s.compared : 0;
    return s;
}

/* A simple fraction, if the factor is one but for rounding. */
static double simplify(double factor)
{
    for (int q = 1; q <= MOST_DENOMINATOR; q++) {
        const double fraction = round(factor * q) / q;
        if (fraction != 0 && fabs(factor - fraction) <= simple * fabs(factor)) return fraction;
    }
    return factor;
}

/* ---- The mistakes ---- */

static bool try_factors(const matrix *a, gr_check_result *to)
{
    const summary s = sum_up(a);
    const rule zero = {.fault.kind = GR_FAULT_ZERO, .place = same, .factor = 0};
    const rule sign = {.fault.kind = GR_FAULT_SIGN, .place = same, .factor = -1};
    if (try_rule(a, zero, 1, to) || try_rule(a, sign, 1, to)) return true;
    if (s.telling < (s.compared > 1 ? 2 : 1)) return false; /* any factor would do, or none */
    const double factor = simplify(s.ratio);
    const rule scaled = {
        .fault = {.kind = GR_FAULT_FACTOR, .factor = factor}, .place = same, .factor = factor};
    return isfinite(factor) && try_rule(a, scaled, 1, to);
}

static bool try_transposed(const matrix *a, gr_check_result *to)
{
    const int ndim = a->part->shape.ndim;
    for (int variant = 0; variant < 2; variant++) {
        rule r = {.fault.kind = GR_FAULT_TRANSPOSED, .factor = 1, .variant = variant};
        r.place = transposed;
        if (a->full && a->rows > 1 && a->n > 1 && try_rule(a, r, 2, to)) return true;
        r.place = matrix_transposed;
        if (ndim >= 2 && try_rule(a, r, 2, to)) return true;
    }
    return false;
}

static bool try_broadcast(const matrix *a, gr_check_result *to)
{
    const gr_shape *s = &a->l->s->output;
    for (int axis = 0; a->full && axis < s->ndim; axis++)
        for (int64_t position = 0; s->dims[axis] > 1 && position < s->dims[axis]; position++) {
            const rule r = {.fault = {.kind = GR_FAULT_BROADCAST, .axis = axis},
                            .place = unsummed,
                            .factor = 1,
                            .position = position};
            if (try_rule(a, r, 2, to)) return true;
        }
    return false;
}

static bool try_shifted_along(const matrix *a, bool of_output, gr_check_result *to)
{
    const gr_shape *s = of_output ? &a->l->s->output : &a->part->shape;
    for (int variant = 0; variant < 3; variant++)
        for (int size = 1; size <= MOST_OFFSET; size++)
            for (int axis = 0; axis < s->ndim; axis++)
                for (int sign = 1; sign >= -1 && size < s->dims[axis]; sign -= 2) {
                    const rule r = {.fault = {.kind = GR_FAULT_SHIFTED,
                                              .axis = axis,
                                              .offset = sign * size,
                                              .of_output = of_output},
                                    .place = shifted,
                                    .factor = 1,
                                    .variant = variant};
                    if (try_rule(a, r, 2, to)) return true;
                }
    return false;
}

static bool try_constant(const matrix *a, gr_check_result *to)
{
    const summary s = sum_up(a);
    const double constant = simplify(s.difference);
    const rule r = {.fault = {.kind = GR_FAULT_CONSTANT, .factor = constant},
                    .place = same,
                    .factor = 1,
                    .constant = constant};
    return isfinite(constant) && try_rule(a, r, 2, to);
}

static void guess(const matrix *a, gr_check_result *to)
{
    int64_t wrong;
    const rule right = {.place = same, .factor = 1};
    if (explains(a, &right, &wrong)) return;
    if (try_factors(a, to) || try_transposed(a, to) || try_broadcast(a, to)) return;
    if (try_shifted_along(a, false, to)) return;
    if (a->full && try_shifted_along(a, true, to)) return;
    try_constant(a, to);
}

void gri_guess_faults(const gri_level *l)
{
    if (!l->numeric) return;
    for (int i = 0; i < l->n_sources; i++) {
        matrix a = {.l = l,
                    .analytic = l->source[i].rows,
                    .comparison = l->source[i].form == GRI_FORWARD ? GR_COMPARE_FORWARD : GR_COMPARE_REVERSE,
                    .rows = l->line.rows,
                    .n = l->s->n,
                    .full = l->mode == GR_CHECK_FULL};
        for (int p = 0; p < l->s->n_parts && l->wrong[l->source[i].form] > 0; p++) {
            a.part = &l->s->parts[p];
            if (a.part->count > 0) guess(&a, l->result);
        }
    }
}
