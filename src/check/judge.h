/*
 * The verdict on one analytic derivative, from the numbers about its row, and what else has to be found out first.
 */
#ifndef GRI_CHECK_JUDGE_H
#define GRI_CHECK_JUDGE_H

#include "check/line.h"

/* Fills verdict, analytic, numeric, numeric_error, error, tolerance, left and right of e. Anything but
   GRI_ENOUGH: find that out and ask again; e is not filled then. */
gri_want gri_judge(const gri_line *l, const gri_numbers *n, double analytic, gr_check_element *e);

#endif
