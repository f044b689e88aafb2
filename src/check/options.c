#include "check/options.h"

#include <math.h>

static bool is_between(double value, double most) { return value >= 0 && value < most; }

const char *gri_bad_option(const gr_check_options *o, int most_orders)
{
    if ((int)o->mode < GR_CHECK_AUTO || o->mode > GR_CHECK_FAST) return "mode: not one of gr_check_mode";
    if (o->order < 0 || o->order > most_orders)
        return most_orders == GRI_MOST_PLAIN_ORDERS ? "order: 1 or 2 is possible for plain functions"
                                                    : "order: 1 to 4 are possible";
    if (o->directions != 0 && (o->directions < 2 || o->directions > GRI_MOST_DIRECTIONS))
        return "directions: 2 to 16 are possible";
    if (!is_between(o->rtol, 1)) return "rtol: must be positive and below 1";
    if (!is_between(o->atol, INFINITY)) return "atol: must be positive and finite";
    if (!is_between(o->step, 1)) return "step: must be positive and below 1";
    if (!is_between(o->accuracy, 1)) return "accuracy: must be positive and below 1";
    if (o->max_elements < 0) return "max_elements: must not be negative";
    return NULL;
}
