/*
 * Checking derivatives that are written by hand, in a program that uses Gradus for nothing else.
 *
 * 1. The Jacobian of a model of measurements, y(t) = A e^(-k t) cos(w t + p), by its four parameters, as a
 *    least-squares solver wants it. A mistake is planted: the minus in dy/dk is forgotten.
 * 2. The gradient of a layer, sum_bi u_bi tanh(x_b W + c)_i, by input, weights and bias. A mistake is planted:
 *    the gradient of the bias takes the first row of the batch instead of the sum of all.
 *
 * Each is checked, found wrong and explained, mended, and found right. The program ends with 0 if all of this
 * came out so.
 */
#include <gradus/check.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- 1. A damped oscillation ---- */

enum { TIMES = 8, PARAMETERS = 4 };

/* What the callbacks share. */
typedef struct model {
    double t[TIMES];
    bool mended;
} model;

static int oscillation(const double *x, double *y, void *user)
{
    const model *s = user;
    const double a = x[0], k = x[1], w = x[2], p = x[3];
    for (int i = 0; i < TIMES; i++) y[i] = a * exp(-k * s->t[i]) * cos(w * s->t[i] + p);
    return 0;
}

/* dy_i/dx_j at jacobian[i * PARAMETERS + j] */
static int oscillation_jacobian(const double *x, double *jacobian, void *user)
{
    const model *s = user;
    const double a = x[0], k = x[1], w = x[2], p = x[3];
    for (int i = 0; i < TIMES; i++) {
        const double t = s->t[i], decay = exp(-k * t), c = cos(w * t + p), sine = sin(w * t + p);
        double *row = &jacobian[i * PARAMETERS];
        row[0] = decay * c;
        row[1] = s->mended ? -t * a * decay * c : t * a * decay * c; /* the planted mistake: no minus */
        row[2] = -t * a * decay * sine;
        row[3] = -a * decay * sine;
    }
    return 0;
}

/* ---- 2. A layer and its gradient ---- */

enum { BATCH = 3, IN = 4, OUT = 2, X = BATCH * IN, W = IN * OUT, LAYER = X + W + OUT };

/* y [BATCH, OUT] = tanh(x W + c), with x, W and c one behind the other in `in`. */
static int layer(const double *in, double *y, void *user)
{
    const double *x = in, *w = in + X, *c = in + X + W;
    (void)user;
    for (int b = 0; b < BATCH; b++)
        for (int i = 0; i < OUT; i++) {
            double z = c[i];
            for (int k = 0; k < IN; k++) z += x[b * IN + k] * w[k * OUT + i];
            y[b * OUT + i] = tanh(z);
        }
    return 0;
}

/* The vector-Jacobian product: gradients of sum u y by x, W and c. */
static int layer_backward(const double *in, const double *u, double *gradient, void *user)
{
    const double *x = in, *w = in + X;
    const bool mended = ((const model *)user)->mended;
    double y[BATCH * OUT], *gx = gradient, *gw = gradient + X, *gc = gradient + X + W;
    layer(in, y, user);
    memset(gradient, 0, LAYER * sizeof *gradient);
    for (int b = 0; b < BATCH; b++)
        for (int i = 0; i < OUT; i++) {
            const double gz = u[b * OUT + i] * (1 - y[b * OUT + i] * y[b * OUT + i]);
            for (int k = 0; k < IN; k++) {
                gx[b * IN + k] += gz * w[k * OUT + i];
                gw[k * OUT + i] += gz * x[b * IN + k];
            }
            if (mended || b == 0) gc[i] += gz; /* the planted mistake: only the first row */
        }
    return 0;
}

/* ---- Checking ---- */

/* Checks a function as it is, and prints the report. */
static bool check(const char *title, const gr_plain_function *f, const double *x)
{
    gr_check_result result;
    char report[GR_CHECK_REPORT_BYTES];
    gr_check_plain(f, x, NULL, &result);
    gr_check_report(&result, report, sizeof report);
    printf("%s\n%s\n", title, report);
    return result.passed;
}

int main(void)
{
    model s = {.t = {0.1, 0.4, 0.9, 1.3, 1.8, 2.2, 2.9, 3.5}};
    const gr_plain_input parameters[] = {{"A", {0, {0}}}, {"k", {0, {0}}}, {"w", {0, {0}}}, {"p", {0, {0}}}};
    const gr_plain_function damped = {.name = "damped oscillation",
                                      .m = TIMES,
                                      .value = oscillation,
                                      .jacobian = oscillation_jacobian,
                                      .user = &s,
                                      .n_inputs = PARAMETERS,
                                      .inputs = parameters};
    const double fit[] = {2.0, 0.3, 1.7, 0.4};

    const gr_plain_input arrays[] = {{"x", {2, {BATCH, IN}}}, {"W", {2, {IN, OUT}}}, {"c", {1, {OUT}}}};
    const gr_plain_function dense = {.name = "tanh layer",
                                     .m = BATCH * OUT,
                                     .value = layer,
                                     .vjp = layer_backward,
                                     .user = &s,
                                     .n_inputs = 3,
                                     .inputs = arrays,
                                     .output = {2, {BATCH, OUT}}};
    double in[LAYER];
    for (int i = 0; i < LAYER; i++) in[i] = sin(1.0 + 1.7 * i);

    bool found = !check("1. The Jacobian as it was written", &damped, fit);
    found &= !check("2. The gradient of the layer as it was written", &dense, in);
    s.mended = true;
    bool right = check("1. Mended", &damped, fit);
    right &= check("2. Mended", &dense, in);

    printf("planted mistakes %s, mended code %s\n", found ? "found" : "NOT FOUND", right ? "right" : "WRONG");
    return found && right ? 0 : 1;
}
