#include "rosenbrock.h"

int rosenbrock(const double *x, double *y, void *user)
{
    (void)user;
    const double a = 1 - x[0], b = x[1] - x[0] * x[0];
    y[0] = a * a + 100 * b * b;
    return 0;
}

int rosenbrock_gradient(const double *x, double *g, void *user)
{
    (void)user;
    const double b = x[1] - x[0] * x[0];
    g[0] = -2 * (1 - x[0]) - 400 * b * x[0];
    g[1] = 200 * b;
    return 0;
}

int rosenbrock_hessian(const double *x, double *h, void *user)
{
    (void)user;
    h[0] = 2 - 400 * x[1] + 1200 * x[0] * x[0];
    h[1] = h[2] = -400 * x[0];
    h[3] = 200;
    return 0;
}
