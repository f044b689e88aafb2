#ifndef ROSENBROCK_H
#define ROSENBROCK_H

#ifdef __cplusplus
extern "C" {
#endif

/* (1 - x_0)^2 + 100 (x_1 - x_0^2)^2, its gradient [2] and its Hessian [2, 2]. */
int rosenbrock(const double *x, double *y, void *user);
int rosenbrock_gradient(const double *x, double *g, void *user);
int rosenbrock_hessian(const double *x, double *h, void *user);

#ifdef __cplusplus
}
#endif

#endif
