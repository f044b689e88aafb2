/* A gradient with a mistake: the check must fail. */
#include <gradus/check_test.h>

#include "rosenbrock.h"

static int flipped(const double *x, double *g, void *user)
{
    const int status = rosenbrock_gradient(x, g, user);
    g[0] = -g[0];
    return status;
}

static gr_status sign(gr_check_result *result)
{
    const gr_plain_function f = {.n = 2, .m = 1, .value = rosenbrock, .jacobian = flipped};
    return gr_check_plain(&f, (double[]){-1.2, 1}, NULL, result);
}

GR_CHECK_MAIN({"sign of the first part", sign})
