#include "check/tally.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool gri_is_worse(const gr_check_element *a, const gr_check_element *b)
{
    if (a->verdict != b->verdict) return a->verdict > b->verdict;
    if (a->order != b->order) return a->order < b->order; /* the next one is of what is wrong already */
    const bool place = a->at.element >= 0;
    if (place != (b->at.element >= 0)) return place; /* that of a direction says little */
    const double x = a->error / a->tolerance, y = b->error / b->tolerance;
    if (isnan(x) || isnan(y)) return isnan(x) && !isnan(y);
    return x > y;
}

void gri_result_begin(gr_check_result *r, const char *name)
{
    memset(r, 0, sizeof *r);
    snprintf(r->name, sizeof r->name, "%s", name);
}

gr_status gri_result_end(gr_check_result *r)
{
    r->passed = r->failed == 0 && r->verdict != GR_CHECK_NOT_DETERMINISTIC;
    return GR_OK;
}

gr_status gri_result_fail(gr_check_result *r, gr_status status, const char *why)
{
    if (!r) return status;
    char name[GR_CHECK_NAME_BYTES], message[sizeof r->message];
    snprintf(name, sizeof name, "%s", r->name);
    snprintf(message, sizeof message, "%s", why); /* it may be in r */
    gri_result_begin(r, name);
    snprintf(r->message, sizeof r->message, "%s", message);
    r->status = status;
    return status;
}

static void find_place(gr_check_place *place, const gr_shape *shape, int64_t first, int64_t element)
{
    *place = (gr_check_place){.element = element < 0 ? -1 : element - first};
    if (element < 0) return;
    int64_t rest = place->element;
    place->ndim = shape->ndim;
    for (int axis = shape->ndim - 1; axis >= 0; axis--) {
        place->index[axis] = rest % shape->dims[axis];
        rest /= shape->dims[axis];
    }
}

void gri_locate(const gri_subject *s, int64_t j, int64_t i, gr_check_element *e)
{
    e->order = s->order;
    e->input = -1;
    e->name[0] = '\0';
    e->at = (gr_check_place){.element = -1};
    for (int p = 0; p < s->n_parts && j >= 0; p++) {
        const gri_part *part = &s->parts[p];
        if (j < part->first || j >= part->first + part->count) continue;
        e->input = part->position;
        snprintf(e->name, sizeof e->name, "%s", part->name);
        find_place(&e->at, &part->shape, part->first, j);
    }
    find_place(&e->of, &s->output, 0, i);
}

/* Into the list, which is in order; what was there first stays first among equals. */
static void insert(gr_check_result *r, const gr_check_element *e)
{
    int at = r->n_worst;
    while (at > 0 && gri_is_worse(e, &r->worst_elements[at - 1])) at--;
    if (at == GR_CHECK_WORST) return;
    if (r->n_worst < GR_CHECK_WORST) r->n_worst++;
    for (int i = r->n_worst - 1; i > at; i--) r->worst_elements[i] = r->worst_elements[i - 1];
    r->worst_elements[at] = *e;
}

/* Whether it belongs in the list: of what fails, or of what passes the least exact one. */
static bool belongs(const gr_check_result *r, const gr_check_element *e, bool fails)
{
    if (!fails) return r->failed == 0 && (r->n_worst == 0 || gri_is_worse(e, &r->worst_elements[0]));
    return r->n_worst < GR_CHECK_WORST || gri_is_worse(e, &r->worst_elements[GR_CHECK_WORST - 1]);
}

void gri_tally(gr_check_result *r, const gr_check_options *o, const gri_subject *s, int64_t j, int64_t i,
               gr_check_element *e)
{
    const bool fails = gri_fails(e->verdict, o->accept_kinks);
    e->order = s->order;
    e->at.element = j;
    if (fails && r->failed == 0) r->n_worst = 0; /* there was the least exact one of those that pass */
    r->elements++;
    r->failed += fails;
    r->wrong += e->verdict == GR_CHECK_WRONG;
    r->undecided += e->verdict == GR_CHECK_UNDECIDED;
    r->not_differentiable += e->verdict == GR_CHECK_NOT_DIFFERENTIABLE;
    if (e->verdict > r->verdict) r->verdict = e->verdict;
    const bool listed = belongs(r, e, fails);
    if (listed || o->each) gri_locate(s, j, i, e);
    if (listed && !fails) r->n_worst = 0;
    if (listed) insert(r, e);
    if (r->n_worst > 0) r->worst = r->worst_elements[0];
    if (o->each) o->each(e, o->each_user);
}
