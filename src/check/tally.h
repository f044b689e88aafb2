/*
 * The result of a check, as it grows: counts, and the list of the worst.
 */
#ifndef GRI_CHECK_TALLY_H
#define GRI_CHECK_TALLY_H

#include "check/subject.h"

/* Whether a check fails by an element of this verdict. */
static inline bool gri_fails(gr_verdict verdict, bool accept_kinks)
{
    return verdict != GR_CHECK_RIGHT && !(verdict == GR_CHECK_NOT_DIFFERENTIABLE && accept_kinks);
}

/* Whether a is worse than b: by verdict, then by order, the first before the second, then elements before
   combinations, then by error in tolerances; NaN is the worst. */
bool gri_is_worse(const gr_check_element *a, const gr_check_element *b);

/* Empty, and not passed. */
void gri_result_begin(gr_check_result *r, const char *name);
/* The check could be made. Returns GR_OK. */
gr_status gri_result_end(gr_check_result *r);
/* It could not: nothing is left but the name, the status and why. r may be NULL. Returns status. */
gr_status gri_result_fail(gr_check_result *r, gr_status status, const char *why);

/* Fills in where a comparison was made: at x_j, of y_i; -1: a combination. */
void gri_locate(const gri_subject *s, int64_t j, int64_t i, gr_check_element *e);

/* Counts a comparison made at x_j, of y_i. Where that is is filled in if anyone looks at it. */
void gri_tally(gr_check_result *r, const gr_check_options *o, const gri_subject *s, int64_t j, int64_t i,
               gr_check_element *e);

#endif
