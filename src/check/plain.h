/*
 * Checks of plain C functions with memory from elsewhere: for tests in which it runs out.
 */
#ifndef GRI_CHECK_PLAIN_H
#define GRI_CHECK_PLAIN_H

#include "gradus/check.h"

gr_status gri_check_plain(const gr_allocator *allocator, const gr_plain_function *f, const double *x,
                          const gr_check_options *options, gr_check_result *result);

#endif
