/* The same from C++. */
#include <gradus/check_test.h>

#include "rosenbrock.h"

static gr_status gradient(gr_check_result *result)
{
    const double x[] = {-1.2, 1};
    gr_plain_function f = {};
    f.n = 2;
    f.m = 1;
    f.value = rosenbrock;
    f.jacobian = rosenbrock_gradient;
    return gr_check_plain(&f, x, nullptr, result);
}

GR_CHECK_MAIN({"gradient", gradient})
