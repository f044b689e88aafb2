/*
 * The options of a check.
 */
#ifndef GRI_CHECK_OPTIONS_H
#define GRI_CHECK_OPTIONS_H

#include "check/subject.h"

enum { GRI_MOST_ORDERS = 4, GRI_MOST_PLAIN_ORDERS = 2 };

/* NULL if all are within their limits, else what is wrong. */
const char *gri_bad_option(const gr_check_options *o, int most_orders);

/* The number that stands for 0. */
static inline double gri_or(double value, double standard) { return value > 0 ? value : standard; }
static inline int gri_directions(const gr_check_options *o) { return o->directions > 0 ? o->directions : 2; }

#endif
