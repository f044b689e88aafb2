/*
 * Products from the left against products from the right: u . (J v) = (J' u) . v, whatever J is. No numbers of
 * the function itself are needed, so it holds to near the rounding of the type.
 */
#include "check/engine.h"
#include "check/tally.h"

#include <math.h>

/* In units of the terms of both sums. */
static const double tolerance_part = 0.01;

static const gri_source *source_of(const gri_level *l, gri_form form)
{
    for (int i = 0; i < l->n_sources; i++)
        if (l->source[i].form == form) return &l->source[i];
    return NULL;
}

/* J' u, by products if there are, else from the whole Jacobian. */
static gr_status pull(gri_level *l, const double *u, double *to)
{
    gri_subject *s = l->s;
    if (source_of(l, GRI_REVERSE)) return s->reverse(s, 1, u, to);
    for (int64_t j = 0; j < s->n; j++) {
        to[j] = 0;
        for (int64_t i = 0; i < s->m; i++) to[j] += u[i] * l->jacobian[i * s->n + j];
    }
    return GR_OK;
}

static void compare(gri_level *l, const double *u, const double *jv, const double *v, const double *ju)
{
    gr_check_element e = {.comparison = GR_COMPARE_ADJOINT, .left = NAN, .right = NAN};
    double terms = 0;
    for (int64_t i = 0; i < l->s->m; i++) {
        e.numeric += u[i] * jv[i];
        terms += fabs(u[i] * jv[i]);
    }
    for (int64_t j = 0; j < l->s->n; j++) {
        e.analytic += ju[j] * v[j];
        terms += fabs(ju[j] * v[j]);
    }
    e.error = fabs(e.analytic - e.numeric);
    e.numeric_error = l->line.accuracy * terms;
    e.tolerance = tolerance_part * l->line.rtol * terms;
    e.verdict = e.error <= e.tolerance ? GR_CHECK_RIGHT : GR_CHECK_WRONG;
    l->wrong[GRI_FORWARD] += e.verdict == GR_CHECK_WRONG;
    gri_tally(l->result, l->o, l->s, -1, -1, &e);
}

gr_status gri_compare_adjoint(gri_level *l)
{
    gri_subject *s = l->s;
    if (!source_of(l, GRI_FORWARD) || l->n_sources < 2 || s->n == 0 || s->m == 0) return GR_OK;
    double *u, *v, *ju;
    gr_status status = gri_level_take(l, s->m, 1, sizeof *u, &u);
    if (status == GR_OK) status = gri_level_take(l, s->n, 1, sizeof *v, &v);
    if (status == GR_OK) status = gri_level_take(l, s->n, 1, sizeof *ju, &ju);
    for (int d = 0; d < gri_directions(l->o) && status == GR_OK; d++) {
        for (int64_t i = 0; i < s->m; i++) u[i] = gri_draw_weight(l);
        for (int64_t j = 0; j < s->n; j++)
            v[j] = gri_draw_weight(l) * (isfinite(l->x[j]) ? fmax(fabs(l->x[j]), 1) : 1);
        status = s->forward(s, v, l->column);
        if (status == GR_OK) status = pull(l, u, ju);
        if (status == GR_OK) compare(l, u, l->column, v, ju);
    }
    return status;
}
