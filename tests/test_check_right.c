/*
 * Right derivatives of functions that are hard to check: huge, tiny, steep, oscillating, nearly kinked,
 * ill-scaled, near the edge of their domain. All must be accepted, with nothing left undecided, at the
 * default step and tolerance unless the function's values are themselves inexact.
 *
 * To add one of one number: a line in ONE_NUMBER. Of several: value and derivatives, a row in the table.
 */
#include "check_lists.h"

static const double pi = 3.14159265358979323846;

static double square(double x) { return x * x; }
static double cube(double x) { return x * x * x; }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

/* ---- Functions of one number ---- */

/* e^(-1/x^2), flat as no polynomial at 0. */
static double flat(double x) { return x == 0 ? 0 : exp(-1 / (x * x)); }
static double flat_slope(double x) { return x == 0 ? 0 : 2 / cube(x) * flat(x); }

/* sin of sin of ..., 50 times. */
static double many_sines(double x)
{
    for (int i = 0; i < 50; i++) x = sin(x);
    return x;
}

static double many_sines_slope(double x)
{
    double slope = 1;
    for (int i = 0; i < 50; i++) slope *= cos(x), x = sin(x);
    return slope;
}

/* x -> 4 x (1 - x), ten times: a polynomial of degree 1024 that folds [0, 1] 1024 times. */
static double chaos(double x)
{
    for (int i = 0; i < 10; i++) x = 4 * x * (1 - x);
    return x;
}

static double chaos_slope(double x)
{
    double slope = 1;
    for (int i = 0; i < 10; i++) slope *= 4 - 8 * x, x = 4 * x * (1 - x);
    return slope;
}

/* 1 - x^2/2 + x^4/24 - ..., summed as it stands: large terms cancel. */
static double cosine_series(double x)
{
    double sum = 1, term = 1;
    for (int k = 1; k < 60; k++) sum += term *= -x * x / ((2 * k - 1) * (2 * k));
    return sum;
}

/* Name, order to check, x, f, f', f'' (0 if the order is 1). */
/* clang-format off */
#define ONE_NUMBER(F) \
    /* Steep. */ \
    F(exp_30x, 2, 1, exp(30 * x), 30 * exp(30 * x), 900 * exp(30 * x)) \
    F(exp_minus_30x, 2, 1, exp(-30 * x), -30 * exp(-30 * x), 900 * exp(-30 * x)) \
    F(exp_large, 2, 700, exp(x), exp(x), exp(x)) \
    F(cosh_next_to_overflow, 2, 701, cosh(x), sinh(x), cosh(x)) \
    F(x_to_the_x, 2, 100, pow(x, x), pow(x, x) * (1 + log(x)), pow(x, x) * (square(1 + log(x)) + 1 / x)) \
    F(steep_tanh, 2, 1e-4, tanh(1e3 * x), 1e3 / square(cosh(1e3 * x)), \
      -2e6 * tanh(1e3 * x) / square(cosh(1e3 * x))) \
    F(steep_tanh_saturating, 1, 0.01, tanh(1e3 * x), 1e3 / square(cosh(1e3 * x)), 0) \
    F(fermi, 2, 0.5, sigmoid(1e3 * (x - 0.5)), 1e3 * sigmoid(1e3 * (x - 0.5)) * sigmoid(-1e3 * (x - 0.5)), \
      1e6 * sigmoid(1e3 * (x - 0.5)) * sigmoid(-1e3 * (x - 0.5)) * (sigmoid(-1e3 * \
      (x - 0.5)) - sigmoid(1e3 * (x - 0.5)))) \
    F(steep_atan, 2, 1e-3, atan(1e6 * x), 1e6 / (1 + 1e12 * x * x), -2e18 * x / square(1 + 1e12 * x * x)) \
    F(power_100, 2, 1.5, pow(x, 100), 100 * pow(x, 99), 9900 * pow(x, 98)) \
    /* Oscillating. */ \
    F(fast_sine, 2, 0.3, sin(1e3 * x), 1e3 * cos(1e3 * x), -1e6 * sin(1e3 * x)) \
    F(very_fast_sine, 1, 1e-8, sin(1e8 * x), 1e8 * cos(1e8 * x), 0) \
    F(sine_of_inverse, 2, 0.05, sin(1 / x), -cos(1 / x) / square(x), \
      2 * cos(1 / x) / cube(x) - sin(1 / x) / square(square(x))) \
    F(sine_of_inverse_nearer, 1, 0.003, sin(1 / x), -cos(1 / x) / square(x), 0) \
    F(sine_of_a_large_number, 2, 1e6, sin(x), cos(x), -sin(x)) \
    F(sine_of_square, 2, 100, sin(x * x), 2 * x * cos(x * x), 2 * cos(x * x) - 4 * x * x * sin(x * x)) \
    F(period_is_the_step, 2, 0.1, sin(2 * pi * 73 * x), 146 * pi * cos(2 * pi * 73 * x), \
      -square(146 * pi) * sin(2 * pi * 73 * x)) \
    F(period_is_twice_the_step, 2, 0.25, sin(pi * 73 * x), 73 * pi * cos(pi * 73 * x), \
      -square(73 * pi) * sin(pi * 73 * x)) \
    F(line_with_ripple, 1, 0.1, x + 1e-3 * sin(2 * pi * 73e3 * x), 1 + 146 * pi * cos(2 * pi * 73e3 * x), 0) \
    F(fifty_sines, 1, 0.9, many_sines(x), many_sines_slope(x), 0) \
    F(logistic_map, 1, 0.3, chaos(x), chaos_slope(x), 0) \
    /* Nearly kinked, or smooth once only. */ \
    F(nearly_abs, 2, 3e-7, sqrt(x * x + 1e-12), x / sqrt(x * x + 1e-12), 1e-12 / cube(sqrt(x * x + 1e-12))) \
    F(nearly_abs_at_0, 2, 0, sqrt(x * x + 1e-12), x / sqrt(x * x + 1e-12), \
      1e-12 / cube(sqrt(x * x + 1e-12))) \
    F(sharp_softplus, 2, 1e-4, log1p(exp(1e3 * x)) / 1e3, sigmoid(1e3 * x), \
      1e3 * sigmoid(1e3 * x) * sigmoid(-1e3 * x)) \
    F(sharp_softplus_at_0, 2, 0, log1p(exp(1e3 * x)) / 1e3, sigmoid(1e3 * x), \
      1e3 * sigmoid(1e3 * x) * sigmoid(-1e3 * x)) \
    F(relu_after_its_kink, 2, 1e-4, fmax(x, 0), x > 0, 0 * x) \
    F(relu_before_its_kink, 2, -1e-4, fmax(x, 0), x > 0, 0 * x) \
    F(relu_next_to_its_kink, 2, 1e-7, fmax(x, 0), x > 0, 0 * x) \
    F(abs_next_to_its_kink, 2, -1e-3, fabs(x), x > 0 ? 1 : -1, 0 * x) \
    F(fraction_next_to_its_jump, 2, 1.001, x - floor(x), 1 + 0 * x, 0 * x) \
    F(abs_to_the_1_5_at_0, 1, 0, pow(fabs(x), 1.5), 1.5 * copysign(sqrt(fabs(x)), x), 0) \
    F(x_abs_x_at_0, 1, 0, x * fabs(x), 2 * fabs(x), 0) \
    F(huber_at_its_knot, 1, 1, fabs(x) <= 1 ? 0.5 * x * x : fabs(x) - 0.5, \
      fabs(x) <= 1 ? x : copysign(1, x), 0) \
    F(squared_hinge_at_its_knot, 1, 1, square(fmax(0, 1 - x)), -2 * fmax(0, 1 - x), 0) \
    F(elu_at_its_knot, 1, 0, x > 0 ? x : expm1(x), x > 0 ? 1 : exp(x), 0) \
    F(cubic_spline_at_a_knot, 2, 0.5, x < 0.5 ? x * x : x * x + cube(x - 0.5), \
      x < 0.5 ? 2 * x : 2 * x + 3 * square(x - 0.5), \
      x < 0.5 ? 2 : 2 + 6 * (x - 0.5)) \
    /* Huge and tiny. */ \
    F(huge_values, 2, 1, 1e150 * sin(x), 1e150 * cos(x), -1e150 * sin(x)) \
    F(tiny_values, 2, 1, 1e-150 * sin(x), 1e-150 * cos(x), -1e-150 * sin(x)) \
    F(nearly_denormal_values, 2, 0.5, 1e-300 * exp(x), 1e-300 * exp(x), 1e-300 * exp(x)) \
    F(denormal_values, 1, 0.5, 1e-310 * exp(x), 1e-310 * exp(x), 0) \
    F(square_of_huge, 2, 1e150, x * x, 2 * x, 2 + 0 * x) \
    F(square_of_tiny, 2, 1e-150, x * x, 2 * x, 2 + 0 * x) \
    F(square_of_small, 2, 1e-10, x * x, 2 * x, 2 + 0 * x) \
    F(cube_of_large, 2, -1e8, cube(x), 3 * x * x, 6 * x) \
    F(root_of_large, 2, 1e12, sqrt(x), 0.5 / sqrt(x), -0.25 / (x * sqrt(x))) \
    F(inverse_of_huge, 2, 1e100, 1 / x, -1 / (x * x), 2 / cube(x)) \
    F(sigmoid_saturated, 2, 40, sigmoid(x), sigmoid(x) * sigmoid(-x), \
      sigmoid(x) * sigmoid(-x) * (sigmoid(-x) - sigmoid(x))) \
    F(sigmoid_vanishing, 2, -40, sigmoid(x), sigmoid(x) * sigmoid(-x), \
      sigmoid(x) * sigmoid(-x) * (sigmoid(-x) - sigmoid(x))) \
    F(sigmoid_nearly_denormal, 1, -700, sigmoid(x), sigmoid(x) * sigmoid(-x), 0) \
    F(erfc_tail, 1, 10, erfc(x), -2 / sqrt(pi) * exp(-x * x), 0) \
    F(log_cosh, 2, 100, log(cosh(x)), tanh(x), 1 / square(cosh(x))) \
    F(underflowing_exp, 2, -1000, exp(x), exp(x), exp(x)) \
    F(constant, 2, 3, 42 + 0 * x, 0 * x, 0 * x) \
    /* Flat, or hidden in a corner. */ \
    F(fourth_power_at_0, 2, 0, square(x * x), 4 * cube(x), 12 * x * x) \
    F(cube_at_0, 2, 0, cube(x), 3 * x * x, 6 * x) \
    F(flattest_at_0, 1, 0, flat(x), flat_slope(x), 0) \
    F(flattest_near_0, 1, 0.1, flat(x), flat_slope(x), 0) \
    F(cosine_at_0, 2, 0, cos(x), -sin(x), -cos(x)) \
    F(plateau_then_slope, 1, 0.5, x < 0.499 ? 0 : square(x - 0.499), x < 0.499 ? 0 : 2 * (x - 0.499), 0) \
    F(narrow_bell, 2, 1e-3, exp(-1e6 * x * x), -2e6 * x * exp(-1e6 * x * x), \
      (4e12 * x * x - 2e6) * exp(-1e6 * x * x)) \
    F(needle, 1, 1e-4, exp(-1e8 * x * x), -2e8 * x * exp(-1e8 * x * x), 0) \
    F(narrow_resonance, 2, 1e-4, 1 / (1 + 1e8 * x * x), -2e8 * x / square(1 + 1e8 * x * x), \
      (6e16 * x * x - 2e8) / cube(1 + 1e8 * x * x)) \
    F(needle_on_a_line, 1, 0.5001, x + 1e-3 * exp(-1e8 * square(x - 0.5)), \
      1 - 2e5 * (x - 0.5) * exp(-1e8 * square(x - 0.5)), 0) \
    /* Poles and edges of domains. */ \
    F(inverse_near_its_pole, 2, 1e-6, 1 / x, -1 / (x * x), 2 / cube(x)) \
    F(inverse_near_its_pole_below, 2, -1e-3, 1 / x, -1 / (x * x), 2 / cube(x)) \
    F(tan_near_its_pole, 2, 1.57, tan(x), 1 + square(tan(x)), 2 * tan(x) * (1 + square(tan(x)))) \
    F(gravity_near_the_centre, 2, 1e-4, -1 / fabs(x), x / cube(fabs(x)), -2 / cube(fabs(x))) \
    F(log_near_0, 2, 1e-12, log(x), 1 / x, -1 / (x * x)) \
    F(log_nearly_at_0, 2, 1e-100, log(x), 1 / x, -1 / (x * x)) \
    F(sqrt_near_0, 2, 1e-8, sqrt(x), 0.5 / sqrt(x), -0.25 / (x * sqrt(x))) \
    F(cbrt_near_0, 2, 1e-9, cbrt(x), 1 / (3 * square(cbrt(x))), -2 / (9 * x * square(cbrt(x)))) \
    F(x_log_x_near_0, 2, 1e-10, x * log(x), 1 + log(x), 1 / x) \
    F(acos_near_1, 2, 1 - 1e-9, acos(x), -1 / sqrt((1 - x) * (1 + x)), -x / cube(sqrt((1 - x) * (1 + x)))) \
    F(asin_near_minus_1, 2, -1 + 1e-6, asin(x), 1 / sqrt((1 - x) * (1 + x)), \
      x / cube(sqrt((1 - x) * (1 + x)))) \
    F(acosh_near_1, 2, 1 + 1e-8, acosh(x), 1 / sqrt((x - 1) * (x + 1)), -x / cube(sqrt((x - 1) * (x + 1)))) \
    F(atanh_near_1, 2, 1 - 1e-8, atanh(x), 1 / ((1 - x) * (1 + x)), 2 * x / square((1 - x) * (1 + x))) \
    F(half_circle_near_its_end, 2, 0.9999, sqrt(1 - x * x), -x / sqrt(1 - x * x), \
      -1 / cube(sqrt(1 - x * x))) \
    F(ends_within_a_step, 2, 0.995, pow(1 - x, 0.3), -0.3 * pow(1 - x, -0.7), -0.21 * pow(1 - x, -1.7)) \
    F(pole_within_a_step, 2, 0.99, log(1 - x), -1 / (1 - x), -1 / square(1 - x)) \
    /* Offsets and cancellation. */ \
    F(large_offset, 2, 0.5, 1e6 + x * x, 2 * x, 2 + 0 * x) \
    F(large_negative_offset, 2, 0.5, exp(x) - 1e6, exp(x), exp(x)) \
    F(exp_minus_its_tangent, 2, 1e-5, exp(x) - 1 - x, expm1(x), exp(x)) \
    F(one_minus_cosine, 1, 1e-4, (1 - cos(x)) / (x * x), -x / 12, 0) \
    F(difference_of_roots, 1, 1e6, sqrt(x + 1) - sqrt(x), \
      -0.5 / (sqrt(x) * sqrt(x + 1) * (sqrt(x) + sqrt(x + 1))), 0) \
    F(series_with_large_terms, 1, 10, cosine_series(x), -sin(x), 0) \
    F(telescope, 2, 2, (x * x - 1) / (x - 1), 1 + 0 * x, 0 * x)
/* clang-format on */

#define DEFINE(name, order, at, f, f1, f2)                   \
    static void name(const double *p, double *y)             \
    {                                                        \
        const double x = p[0];                               \
        y[0] = f;                                            \
    }                                                        \
    static void name##_slope(const double *p, double *y)     \
    {                                                        \
        const double x = p[0];                               \
        y[0] = f1;                                           \
    }                                                        \
    static void name##_curvature(const double *p, double *y) \
    {                                                        \
        const double x = p[0];                               \
        (void)x;                                             \
        y[0] = f2;                                           \
    }
ONE_NUMBER(DEFINE)

/* ---- Ill-scaled, and derivatives of very different sizes ---- */

/* e^(1e8 a) + e^(1e-8 b) at (1e-8, 1e8). */
static void ill_scaled(const double *x, double *y) { y[0] = exp(1e8 * x[0]) + exp(1e-8 * x[1]); }

static void ill_scaled_gradient(const double *x, double *g)
{
    g[0] = 1e8 * exp(1e8 * x[0]);
    g[1] = 1e-8 * exp(1e-8 * x[1]);
}

static void ill_scaled_hessian(const double *x, double *h)
{
    h[0] = 1e16 * exp(1e8 * x[0]);
    h[1] = h[2] = 0;
    h[3] = 1e-16 * exp(1e-8 * x[1]);
}

static void one_scalar(const double *x, double *y) { y[0] = 1e12 * sin(x[0]) + 1e-12 * sin(x[1]); }

static void one_scalar_gradient(const double *x, double *g)
{
    g[0] = 1e12 * cos(x[0]);
    g[1] = 1e-12 * cos(x[1]);
}

static void apart(const double *x, double *y)
{
    y[0] = 1e12 * sin(x[0]);
    y[1] = 1e-12 * sin(x[1]);
}

static void apart_jacobian(const double *x, double *j)
{
    j[0] = 1e12 * cos(x[0]);
    j[1] = j[2] = 0;
    j[3] = 1e-12 * cos(x[1]);
}

/* (10^k x)^2, k from -2 to 2, summed. */
static void ellipsoid(const double *x, double *y)
{
    y[0] = 0;
    for (int k = 0; k < 13; k++) y[0] += square(pow(10, k / 3.0 - 2) * x[k]);
}

static void ellipsoid_gradient(const double *x, double *g)
{
    for (int k = 0; k < 13; k++) g[k] = 2 * pow(100, k / 3.0 - 2) * x[k];
}

/* x' H x / 2 with H_ij = 1 / (i + j + 1): condition 1.6e13. */
enum { HILBERT = 10 };

static void hilbert_gradient(const double *x, double *g)
{
    for (int i = 0; i < HILBERT; i++) {
        g[i] = 0;
        for (int j = 0; j < HILBERT; j++) g[i] += x[j] / (i + j + 1);
    }
}

static void hilbert(const double *x, double *y)
{
    double g[HILBERT];
    hilbert_gradient(x, g);
    y[0] = 0;
    for (int i = 0; i < HILBERT; i++) y[0] += x[i] * g[i] / 2;
}

static void hilbert_hessian(const double *x, double *h)
{
    (void)x;
    for (int i = 0; i < HILBERT * HILBERT; i++) h[i] = 1.0 / (i / HILBERT + i % HILBERT + 1);
}

static void hilbert_hvp(const double *x, const double *v, double *p)
{
    (void)x;
    hilbert_gradient(v, p);
}

enum { MANY = 10000 };

static void linear(const double *x, double *y)
{
    y[0] = 0;
    for (int k = 0; k < MANY; k++) y[0] += ((k & 15) - 7.5) * x[k];
}

static void linear_gradient(const double *x, double *g)
{
    (void)x;
    for (int k = 0; k < MANY; k++) g[k] = (k & 15) - 7.5;
}

/* ---- Saturated ---- */

static double largest_of(const double *x, int n)
{
    double most = x[0];
    for (int i = 1; i < n; i++) most = fmax(most, x[i]);
    return most;
}

static void softmax(const double *x, double *y)
{
    const double most = largest_of(x, 4);
    double sum = 0;
    for (int i = 0; i < 4; i++) sum += y[i] = exp(x[i] - most);
    for (int i = 0; i < 4; i++) y[i] /= sum;
}

static void softmax_jacobian(const double *x, double *j)
{
    double y[4], others;
    softmax(x, y);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++) {
            if (i == k) { /* 1 - y_i without cancellation */
                others = 0;
                for (int l = 0; l < 4; l++) others += l == i ? 0 : y[l];
            }
            j[4 * i + k] = i == k ? y[i] * others : -y[i] * y[k];
        }
}

static void softmax_vjp(const double *x, const double *u, double *p)
{
    double j[16];
    softmax_jacobian(x, j);
    for (int k = 0; k < 4; k++) p[k] = u[0] * j[k] + u[1] * j[4 + k] + u[2] * j[8 + k] + u[3] * j[12 + k];
}

static void softmax_jvp(const double *x, const double *v, double *p)
{
    double j[16];
    softmax_jacobian(x, j);
    for (int i = 0; i < 4; i++)
        p[i] = v[0] * j[4 * i] + v[1] * j[4 * i + 1] + v[2] * j[4 * i + 2] + v[3] * j[4 * i + 3];
}

static void log_sum_exp(const double *x, double *y)
{
    const double most = largest_of(x, 4);
    y[0] = 0;
    for (int i = 0; i < 4; i++) y[0] += exp(x[i] - most);
    y[0] = most + log(y[0]);
}

/* Its Hessian is the Jacobian of softmax. */
static void log_sum_exp_hessian(const double *x, double *h) { softmax_jacobian(x, h); }

/* ---- Independent outputs: a Jacobian full of zeros ---- */

enum { APART = 20 };

static void independent(const double *x, double *y)
{
    for (int i = 0; i < APART; i++) y[i] = exp(0.5 * i * x[i]) + i;
}

static void independent_jacobian(const double *x, double *j)
{
    memset(j, 0, APART * APART * sizeof *j);
    for (int i = 0; i < APART; i++) j[(APART + 1) * i] = 0.5 * i * exp(0.5 * i * x[i]);
}

/* sin(x_0 + sin(x_1 + sin(... ))) */
enum { CHAIN = 8 };

static void chain(const double *x, double *y)
{
    y[0] = 0;
    for (int i = CHAIN - 1; i >= 0; i--) y[0] = sin(3 * (x[i] + y[0]));
}

static void chain_gradient(const double *x, double *g)
{
    double inner[CHAIN + 1], slope = 1;
    inner[CHAIN] = 0;
    for (int i = CHAIN - 1; i >= 0; i--) inner[i] = sin(3 * (x[i] + inner[i + 1]));
    for (int i = 0; i < CHAIN; i++) g[i] = slope *= 3 * cos(3 * (x[i] + inner[i + 1]));
}

/* ---- Values that are not exact ---- */

/* Computed in float. */
static void in_float(const double *x, double *y)
{
    const float a = (float)x[0], b = (float)x[1];
    y[0] = sinf(a) * expf(b) + a * a * b;
}

static void in_float_gradient(const double *x, double *g)
{
    g[0] = cos(x[0]) * exp(x[1]) + 2 * x[0] * x[1];
    g[1] = sin(x[0]) * exp(x[1]) + x[0] * x[0];
}

/* A root found by bisection, to 1e-10 of itself: of t^3 + a t = b. */
static void bisected(const double *x, double *y)
{
    double low = 0, high = 16;
    while (high - low > 1e-10 * high) {
        const double t = (low + high) / 2;
        *(t * t * t + x[0] * t > x[1] ? &high : &low) = t;
    }
    y[0] = low;
}

static void bisected_gradient(const double *x, double *g)
{
    double t = 1;
    for (int i = 0; i < 60; i++) t -= (cube(t) + x[0] * t - x[1]) / (3 * t * t + x[0]);
    g[0] = -t / (3 * t * t + x[0]);
    g[1] = 1 / (3 * t * t + x[0]);
}

/* Arithmetic-geometric mean, stopped when its bounds agree to 1e-10; its derivatives are not. */
static void agm(const double *x, double *y)
{
    double a = x[0], b = x[1];
    while (fabs(a - b) > 1e-10 * a) {
        const double mean = (a + b) / 2;
        b = sqrt(a * b);
        a = mean;
    }
    y[0] = a;
}

static void agm_gradient(const double *x, double *g)
{
    for (int k = 0; k < 2; k++) {
        double a = x[0], b = x[1], da = k == 0, db = k == 1;
        for (int i = 0; i < 30; i++) {
            const double mean = (a + b) / 2, root = sqrt(a * b), dmean = (da + db) / 2;
            db = (da * b + a * db) / (2 * root);
            a = mean, b = root, da = dmean;
        }
        g[k] = da;
    }
}

/* ---- Moré, Garbow and Hillstrom, "Testing unconstrained optimization software", 1981 ---- */

static void rosenbrock(const double *x, double *y)
{
    for (int i = 0; i < 10; i += 2) {
        y[i] = 10 * (x[i + 1] - x[i] * x[i]);
        y[i + 1] = 1 - x[i];
    }
}

static void rosenbrock_jacobian(const double *x, double *j)
{
    memset(j, 0, 100 * sizeof *j);
    for (int i = 0; i < 10; i += 2) {
        j[11 * i] = -20 * x[i];
        j[11 * i + 1] = 10;
        j[11 * i + 10] = -1;
    }
}

static void rosenbrock_sum(const double *x, double *y)
{
    y[0] = 100 * square(x[1] - x[0] * x[0]) + square(1 - x[0]);
}

static void rosenbrock_sum_gradient(const double *x, double *g)
{
    g[0] = -400 * x[0] * (x[1] - x[0] * x[0]) - 2 * (1 - x[0]);
    g[1] = 200 * (x[1] - x[0] * x[0]);
}

static void rosenbrock_sum_hessian(const double *x, double *h)
{
    h[0] = 1200 * x[0] * x[0] - 400 * x[1] + 2;
    h[1] = h[2] = -400 * x[0];
    h[3] = 200;
}

static void freudenstein_roth(const double *x, double *y)
{
    y[0] = -13 + x[0] + ((5 - x[1]) * x[1] - 2) * x[1];
    y[1] = -29 + x[0] + ((x[1] + 1) * x[1] - 14) * x[1];
}

static void freudenstein_roth_jacobian(const double *x, double *j)
{
    j[0] = j[2] = 1;
    j[1] = 10 * x[1] - 3 * x[1] * x[1] - 2;
    j[3] = 3 * x[1] * x[1] + 2 * x[1] - 14;
}

static void powell_badly_scaled(const double *x, double *y)
{
    y[0] = 1e4 * x[0] * x[1] - 1;
    y[1] = exp(-x[0]) + exp(-x[1]) - 1.0001;
}

static void powell_badly_scaled_jacobian(const double *x, double *j)
{
    j[0] = 1e4 * x[1];
    j[1] = 1e4 * x[0];
    j[2] = -exp(-x[0]);
    j[3] = -exp(-x[1]);
}

static void brown_badly_scaled(const double *x, double *y)
{
    y[0] = x[0] - 1e6;
    y[1] = x[1] - 2e-6;
    y[2] = x[0] * x[1] - 2;
}

static void brown_badly_scaled_jacobian(const double *x, double *j)
{
    j[0] = j[3] = 1;
    j[1] = j[2] = 0;
    j[4] = x[1];
    j[5] = x[0];
}

static void beale(const double *x, double *y)
{
    static const double data[] = {1.5, 2.25, 2.625};
    for (int i = 0; i < 3; i++) y[i] = data[i] - x[0] * (1 - pow(x[1], i + 1));
}

static void beale_jacobian(const double *x, double *j)
{
    for (int i = 0; i < 3; i++) {
        j[2 * i] = pow(x[1], i + 1) - 1;
        j[2 * i + 1] = x[0] * (i + 1) * pow(x[1], i);
    }
}

static void jennrich_sampson(const double *x, double *y)
{
    for (int i = 1; i <= 10; i++) y[i - 1] = 2 + 2 * i - (exp(i * x[0]) + exp(i * x[1]));
}

static void jennrich_sampson_jacobian(const double *x, double *j)
{
    for (int i = 1; i <= 10; i++)
        for (int k = 0; k < 2; k++) j[2 * (i - 1) + k] = -i * exp(i * x[k]);
}

static void helical_valley(const double *x, double *y)
{
    const double turns = atan(x[1] / x[0]) / (2 * pi) + (x[0] < 0 ? 0.5 : 0);
    y[0] = 10 * (x[2] - 10 * turns);
    y[1] = 10 * (hypot(x[0], x[1]) - 1);
    y[2] = x[2];
}

static void helical_valley_jacobian(const double *x, double *j)
{
    const double r2 = x[0] * x[0] + x[1] * x[1], r = sqrt(r2);
    const double rows[3][3] = {
        {50 / pi * x[1] / r2, -50 / pi * x[0] / r2, 10}, {10 * x[0] / r, 10 * x[1] / r, 0}, {0, 0, 1}};
    memcpy(j, rows, sizeof rows);
}

static const double bard_data[] = {0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39,
                                   0.37, 0.58, 0.73, 0.96, 1.34, 2.1,  4.39};

static void bard(const double *x, double *y)
{
    for (int i = 0; i < 15; i++) {
        const double u = i + 1, v = 15 - i, w = fmin(u, v);
        y[i] = bard_data[i] - (x[0] + u / (v * x[1] + w * x[2]));
    }
}

static void bard_jacobian(const double *x, double *j)
{
    for (int i = 0; i < 15; i++) {
        const double u = i + 1, v = 15 - i, w = fmin(u, v), d = square(v * x[1] + w * x[2]);
        j[3 * i] = -1;
        j[3 * i + 1] = u * v / d;
        j[3 * i + 2] = u * w / d;
    }
}

static const double gaussian_data[] = {0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989,
                                       0.3521, 0.2420, 0.1295, 0.0540, 0.0175, 0.0044, 0.0009};

static void gaussian(const double *x, double *y)
{
    for (int i = 0; i < 15; i++) {
        const double t = (7 - i) / 2.0;
        y[i] = x[0] * exp(-x[1] * square(t - x[2]) / 2) - gaussian_data[i];
    }
}

static void gaussian_jacobian(const double *x, double *j)
{
    for (int i = 0; i < 15; i++) {
        const double d = (7 - i) / 2.0 - x[2], e = exp(-x[1] * d * d / 2);
        j[3 * i] = e;
        j[3 * i + 1] = -x[0] * d * d / 2 * e;
        j[3 * i + 2] = x[0] * x[1] * d * e;
    }
}

static const double meyer_data[] = {34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744,
                                    8261,  7030,  6005,  5147,  4427,  3820,  3307,  2872};

static void meyer(const double *x, double *y)
{
    for (int i = 0; i < 16; i++) y[i] = x[0] * exp(x[1] / (50 + 5 * i + x[2])) - meyer_data[i];
}

static void meyer_jacobian(const double *x, double *j)
{
    for (int i = 0; i < 16; i++) {
        const double t = 50 + 5 * i + x[2], e = exp(x[1] / t);
        j[3 * i] = e;
        j[3 * i + 1] = x[0] * e / t;
        j[3 * i + 2] = -x[0] * x[1] * e / (t * t);
    }
}

static void box(const double *x, double *y)
{
    for (int i = 0; i < 10; i++) {
        const double t = 0.1 * (i + 1);
        y[i] = exp(-t * x[0]) - exp(-t * x[1]) - x[2] * (exp(-t) - exp(-10 * t));
    }
}

static void box_jacobian(const double *x, double *j)
{
    for (int i = 0; i < 10; i++) {
        const double t = 0.1 * (i + 1);
        j[3 * i] = -t * exp(-t * x[0]);
        j[3 * i + 1] = t * exp(-t * x[1]);
        j[3 * i + 2] = exp(-10 * t) - exp(-t);
    }
}

static void powell_singular(const double *x, double *y)
{
    y[0] = x[0] + 10 * x[1];
    y[1] = sqrt(5) * (x[2] - x[3]);
    y[2] = square(x[1] - 2 * x[2]);
    y[3] = sqrt(10) * square(x[0] - x[3]);
}

static void powell_singular_jacobian(const double *x, double *j)
{
    const double a = 2 * (x[1] - 2 * x[2]), b = 2 * sqrt(10) * (x[0] - x[3]);
    const double rows[4][4] = {{1, 10, 0, 0}, {0, 0, sqrt(5), -sqrt(5)}, {0, a, -2 * a, 0}, {b, 0, 0, -b}};
    memcpy(j, rows, sizeof rows);
}

static void wood(const double *x, double *y)
{
    y[0] = 10 * (x[1] - x[0] * x[0]);
    y[1] = 1 - x[0];
    y[2] = sqrt(90) * (x[3] - x[2] * x[2]);
    y[3] = 1 - x[2];
    y[4] = sqrt(10) * (x[1] + x[3] - 2);
    y[5] = (x[1] - x[3]) / sqrt(10);
}

static void wood_jacobian(const double *x, double *j)
{
    const double a = sqrt(10), b = sqrt(90);
    const double rows[6][4] = {{-20 * x[0], 10, 0, 0}, {-1, 0, 0, 0}, {0, 0, -2 * b * x[2], b},
                               {0, 0, -1, 0},          {0, a, 0, a},  {0, 1 / a, 0, -1 / a}};
    memcpy(j, rows, sizeof rows);
}

static const double kowalik_u[] = {4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625};
static const double kowalik_y[] = {0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627,
                                   0.0456, 0.0342, 0.0323, 0.0235, 0.0246};

static void kowalik_osborne(const double *x, double *y)
{
    for (int i = 0; i < 11; i++) {
        const double u = kowalik_u[i];
        y[i] = kowalik_y[i] - x[0] * (u * u + u * x[1]) / (u * u + u * x[2] + x[3]);
    }
}

static void kowalik_osborne_jacobian(const double *x, double *j)
{
    for (int i = 0; i < 11; i++) {
        const double u = kowalik_u[i], top = u * u + u * x[1], bottom = u * u + u * x[2] + x[3];
        j[4 * i] = -top / bottom;
        j[4 * i + 1] = -x[0] * u / bottom;
        j[4 * i + 2] = x[0] * top * u / square(bottom);
        j[4 * i + 3] = x[0] * top / square(bottom);
    }
}

static void brown_dennis(const double *x, double *y)
{
    for (int i = 0; i < 20; i++) {
        const double t = (i + 1) / 5.0;
        y[i] = square(x[0] + t * x[1] - exp(t)) + square(x[2] + x[3] * sin(t) - cos(t));
    }
}

static void brown_dennis_jacobian(const double *x, double *j)
{
    for (int i = 0; i < 20; i++) {
        const double t = (i + 1) / 5.0, a = 2 * (x[0] + t * x[1] - exp(t));
        const double b = 2 * (x[2] + x[3] * sin(t) - cos(t));
        j[4 * i] = a;
        j[4 * i + 1] = a * t;
        j[4 * i + 2] = b;
        j[4 * i + 3] = b * sin(t);
    }
}

static const double osborne_data[] = {0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818,
                                      0.784, 0.751, 0.718, 0.685, 0.658, 0.628, 0.603, 0.580, 0.558,
                                      0.538, 0.522, 0.506, 0.490, 0.478, 0.467, 0.457, 0.448, 0.438,
                                      0.431, 0.424, 0.420, 0.414, 0.411, 0.406};

static void osborne(const double *x, double *y)
{
    for (int i = 0; i < 33; i++)
        y[i] = osborne_data[i] - (x[0] + x[1] * exp(-10 * i * x[3]) + x[2] * exp(-10 * i * x[4]));
}

static void osborne_jacobian(const double *x, double *j)
{
    for (int i = 0; i < 33; i++) {
        const double t = 10 * i, a = exp(-t * x[3]), b = exp(-t * x[4]);
        const double row[] = {-1, -a, -b, t * x[1] * a, t * x[2] * b};
        memcpy(j + 5 * i, row, sizeof row);
    }
}

static void biggs(const double *x, double *y)
{
    for (int i = 0; i < 13; i++) {
        const double t = 0.1 * (i + 1), data = exp(-t) - 5 * exp(-10 * t) + 3 * exp(-4 * t);
        y[i] = x[2] * exp(-t * x[0]) - x[3] * exp(-t * x[1]) + x[5] * exp(-t * x[4]) - data;
    }
}

static void biggs_jacobian(const double *x, double *j)
{
    for (int i = 0; i < 13; i++) {
        const double t = 0.1 * (i + 1), a = exp(-t * x[0]), b = exp(-t * x[1]), c = exp(-t * x[4]);
        const double row[] = {-t * x[2] * a, t * x[3] * b, a, -b, -t * x[5] * c, c};
        memcpy(j + 6 * i, row, sizeof row);
    }
}

enum { WATSON = 9 };

static void watson(const double *x, double *y)
{
    for (int i = 0; i < 29; i++) {
        const double t = (i + 1) / 29.0;
        double slope = 0, sum = 0;
        for (int k = 0; k < WATSON; k++) {
            if (k > 0) slope += k * x[k] * pow(t, k - 1);
            sum += x[k] * pow(t, k);
        }
        y[i] = slope - sum * sum - 1;
    }
    y[29] = x[0];
    y[30] = x[1] - x[0] * x[0] - 1;
}

static void watson_jacobian(const double *x, double *j)
{
    memset(j, 0, 31 * WATSON * sizeof *j);
    for (int i = 0; i < 29; i++) {
        const double t = (i + 1) / 29.0;
        double sum = 0;
        for (int k = 0; k < WATSON; k++) sum += x[k] * pow(t, k);
        for (int k = 0; k < WATSON; k++)
            j[WATSON * i + k] = (k > 0 ? k * pow(t, k - 1) : 0) - 2 * sum * pow(t, k);
    }
    j[29 * WATSON] = j[30 * WATSON + 1] = 1;
    j[30 * WATSON] = -2 * x[0];
}

static void trigonometric(const double *x, double *y)
{
    double sum = 0;
    for (int k = 0; k < 6; k++) sum += cos(x[k]);
    for (int i = 0; i < 6; i++) y[i] = 6 - sum + (i + 1) * (1 - cos(x[i])) - sin(x[i]);
}

static void trigonometric_jacobian(const double *x, double *j)
{
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < 6; k++) j[6 * i + k] = sin(x[k]) + (i == k ? (i + 1) * sin(x[i]) - cos(x[i]) : 0);
}

static void brown_almost_linear(const double *x, double *y)
{
    double sum = 0, product = 1;
    for (int k = 0; k < 10; k++) sum += x[k], product *= x[k];
    for (int i = 0; i < 9; i++) y[i] = x[i] + sum - 11;
    y[9] = product - 1;
}

static void brown_almost_linear_jacobian(const double *x, double *j)
{
    for (int i = 0; i < 9; i++)
        for (int k = 0; k < 10; k++) j[10 * i + k] = 1 + (i == k);
    for (int k = 0; k < 10; k++) {
        j[90 + k] = 1;
        for (int l = 0; l < 10; l++) j[90 + k] *= l == k ? 1 : x[l];
    }
}

enum { BOUNDARY = 10 };

static void boundary_value(const double *x, double *y)
{
    const double h = 1.0 / (BOUNDARY + 1);
    for (int i = 0; i < BOUNDARY; i++)
        y[i] = 2 * x[i] - (i > 0 ? x[i - 1] : 0) - (i < BOUNDARY - 1 ? x[i + 1] : 0) +
               h * h * cube(x[i] + (i + 1) * h + 1) / 2;
}

static void boundary_value_jacobian(const double *x, double *j)
{
    const double h = 1.0 / (BOUNDARY + 1);
    memset(j, 0, BOUNDARY * BOUNDARY * sizeof *j);
    for (int i = 0; i < BOUNDARY; i++) {
        j[(BOUNDARY + 1) * i] = 2 + 1.5 * h * h * square(x[i] + (i + 1) * h + 1);
        if (i > 0) j[(BOUNDARY + 1) * i - 1] = -1;
        if (i < BOUNDARY - 1) j[(BOUNDARY + 1) * i + 1] = -1;
    }
}

static void broyden_tridiagonal(const double *x, double *y)
{
    for (int i = 0; i < 10; i++)
        y[i] = (3 - 2 * x[i]) * x[i] - (i > 0 ? x[i - 1] : 0) - 2 * (i < 9 ? x[i + 1] : 0) + 1;
}

static void broyden_tridiagonal_jacobian(const double *x, double *j)
{
    memset(j, 0, 100 * sizeof *j);
    for (int i = 0; i < 10; i++) {
        j[11 * i] = 3 - 4 * x[i];
        if (i > 0) j[11 * i - 1] = -1;
        if (i < 9) j[11 * i + 1] = -2;
    }
}

/* Chebyshev polynomials T_1 .. T_8 of 8 numbers in [0, 1], averaged, against their integrals. */
static void chebyquad(const double *x, double *y)
{
    for (int i = 1; i <= 8; i++) {
        y[i - 1] = i % 2 ? 0 : 1.0 / (i * i - 1);
        for (int k = 0; k < 8; k++) y[i - 1] += cos(i * acos(2 * x[k] - 1)) / 8;
    }
}

static void chebyquad_jacobian(const double *x, double *j)
{
    for (int i = 1; i <= 8; i++)
        for (int k = 0; k < 8; k++) {
            const double angle = acos(2 * x[k] - 1);
            j[8 * (i - 1) + k] = i * sin(i * angle) / sin(angle) / 4;
        }
}

/* ---- The list ---- */

typedef struct right {
    const char *name;
    plain f;
    const double *x; /* NULL: made up */
    double accuracy, rtol;
    bool full_only; /* combined outputs differ too much in size */
} right;

/* clang-format off */
static const right list[] = {
    {"inputs of 1e-8 and 1e8", {2, 1, ill_scaled, ill_scaled_gradient, ill_scaled_hessian}, X(1e-8, 1e8)},
    {"1e-12 beside 1e12 in one number", {2, 1, one_scalar, one_scalar_gradient}, X(0.4, 0.9)},
    {"1e-12 beside 1e12, apart", {2, 2, apart, apart_jacobian}, X(0.4, 0.9), .full_only = true},
    {"ellipsoid of axes 1e-2 to 1e2", {13, 1, ellipsoid, ellipsoid_gradient}},
    {"Hilbert's matrix", {HILBERT, 1, hilbert, hilbert_gradient, hilbert_hessian}},
    {"Hilbert's matrix, products", {HILBERT, 1, hilbert, hilbert_gradient, .hvp = hilbert_hvp}},
    {"linear in 10^4 numbers", {MANY, 1, linear, linear_gradient}},
    {"softmax saturated", {4, 4, softmax, softmax_jacobian}, X(0, 50, -50, 3)},
    {"softmax saturated, products", {4, 4, softmax, .vjp = softmax_vjp, .jvp = softmax_jvp},
     X(0, 50, -50, 3)},
    {"softmax of large numbers", {4, 4, softmax, softmax_jacobian}, X(1000, 1001, 999.5, -1000)},
    {"log-sum-exp of 700", {4, 1, log_sum_exp, softmax, log_sum_exp_hessian}, X(700, 699, 700.5, -700)},
    {"log-sum-exp of -700", {4, 1, log_sum_exp, softmax, log_sum_exp_hessian}, X(-700, -699, -700.5, -703)},
    {"20 independent outputs", {APART, APART, independent, independent_jacobian}},
    {"chain of sines", {CHAIN, 1, chain, chain_gradient}},
    {"computed in float", {2, 1, in_float, in_float_gradient}, X(0.7, 0.4), .accuracy = 1e-7, .rtol = 1e-3},
    {"root by bisection, to 1e-10", {2, 1, bisected, bisected_gradient}, X(2, 5), .accuracy = 1e-10},
    {"arithmetic-geometric mean, to 1e-10", {2, 1, agm, agm_gradient}, X(1, 3), .accuracy = 1e-10},
    {"Rosenbrock", {10, 10, rosenbrock, rosenbrock_jacobian}, X(-1.2, 1, -1.2, 1, -1.2, 1, 1, 1, 1, 1)},
    {"Rosenbrock's sum of squares", {2, 1, rosenbrock_sum, rosenbrock_sum_gradient, rosenbrock_sum_hessian},
     X(-1.2, 1)},
    {"Rosenbrock's at its minimum", {2, 1, rosenbrock_sum, rosenbrock_sum_gradient, rosenbrock_sum_hessian},
     X(1, 1)},
    {"Freudenstein and Roth", {2, 2, freudenstein_roth, freudenstein_roth_jacobian}, X(0.5, -2)},
    {"Powell badly scaled", {2, 2, powell_badly_scaled, powell_badly_scaled_jacobian}, X(0, 1)},
    {"Powell badly scaled at its root", {2, 2, powell_badly_scaled, powell_badly_scaled_jacobian},
     X(1.098e-5, 9.106)},
    {"Brown badly scaled", {2, 3, brown_badly_scaled, brown_badly_scaled_jacobian}, X(1, 1)},
    {"Brown badly scaled at its root", {2, 3, brown_badly_scaled, brown_badly_scaled_jacobian},
     X(1e6, 2e-6)},
    {"Beale", {2, 3, beale, beale_jacobian}, X(1, 1)},
    {"Beale at its root", {2, 3, beale, beale_jacobian}, X(3, 0.5)},
    {"Jennrich and Sampson", {2, 10, jennrich_sampson, jennrich_sampson_jacobian}, X(0.3, 0.4)},
    {"helical valley", {3, 3, helical_valley, helical_valley_jacobian}, X(-1, 0, 0)},
    {"helical valley at its root", {3, 3, helical_valley, helical_valley_jacobian}, X(1, 0, 0)},
    {"Bard", {3, 15, bard, bard_jacobian}, X(1, 1, 1)},
    {"Bard far away", {3, 15, bard, bard_jacobian}, X(0.8406, 1e5, 1e4)},
    {"Gaussian", {3, 15, gaussian, gaussian_jacobian}, X(0.4, 1, 0)},
    {"Meyer", {3, 16, meyer, meyer_jacobian}, X(0.02, 4000, 250)},
    {"Meyer at its minimum", {3, 16, meyer, meyer_jacobian}, X(0.0056096, 6181.3, 345.22)},
    {"Box in three dimensions", {3, 10, box, box_jacobian}, X(0, 10, 20)},
    {"Powell singular", {4, 4, powell_singular, powell_singular_jacobian}, X(3, -1, 0, 1)},
    {"Powell singular at its root", {4, 4, powell_singular, powell_singular_jacobian}, X(0, 0, 0, 0)},
    {"Wood", {4, 6, wood, wood_jacobian}, X(-3, -1, -3, -1)},
    {"Kowalik and Osborne", {4, 11, kowalik_osborne, kowalik_osborne_jacobian}, X(0.25, 0.39, 0.415, 0.39)},
    {"Brown and Dennis", {4, 20, brown_dennis, brown_dennis_jacobian}, X(25, 5, -5, -1)},
    {"Osborne 1", {5, 33, osborne, osborne_jacobian}, X(0.5, 1.5, -1, 0.01, 0.02)},
    {"Biggs EXP6", {6, 13, biggs, biggs_jacobian}, X(1, 2, 1, 1, 1, 1)},
    {"Watson", {WATSON, 31, watson, watson_jacobian}, X(0, 0, 0, 0, 0, 0, 0, 0, 0)},
    {"trigonometric", {6, 6, trigonometric, trigonometric_jacobian}, X(0.16, 0.17, 0.18, 0.19, 0.2, 0.21)},
    {"Brown almost linear", {10, 10, brown_almost_linear, brown_almost_linear_jacobian},
     X(1, 1, 1, 1, 1, 1, 1, 1, 1, 1)},
    {"boundary value", {BOUNDARY, BOUNDARY, boundary_value, boundary_value_jacobian}},
    {"Broyden tridiagonal", {10, 10, broyden_tridiagonal, broyden_tridiagonal_jacobian}},
    {"Chebyquad", {8, 8, chebyquad, chebyquad_jacobian}, X(1e-3, 0.12, 0.3, 0.4, 0.6, 0.7, 0.9, 0.999)},
};
/* clang-format on */

/* ---- Functions of tensors ---- */

#define TENSORS(name) static gr_tensor name(gr_graph *g, int n, const gr_tensor *in, void *user)
#define UNUSED        (void)g, (void)n, (void)user

/* tanh(x w + b) v */
TENSORS(network)
{
    UNUSED;
    return gr_matmul(gr_tanh(gr_add(gr_matmul(in[0], in[1]), in[2])), in[3]);
}

/* softmax(q k' / 2) v */
TENSORS(attention)
{
    UNUSED;
    return gr_matmul(gr_softmax(gr_scale(gr_matmul(in[0], gr_transpose(in[1], -1, -2)), 0.5), -1), in[2]);
}

TENSORS(normalised)
{
    UNUSED;
    const gr_tensor centred = gr_sub(in[0], gr_mean(in[0], GR_AXES(-1), true));
    const gr_tensor variance = gr_mean(gr_square(centred), GR_AXES(-1), true);
    const gr_tensor scale = gr_pow_scalar(gr_add_scalar(variance, 1e-5), -0.5);
    return gr_add(gr_mul(gr_mul(centred, scale), in[1]), in[2]);
}

/* The exponential linear form of GELU, by tanh. */
TENSORS(gelu)
{
    UNUSED;
    const gr_tensor inner = gr_scale(gr_add(in[0], gr_scale(gr_pow_scalar(in[0], 3), 0.044715)),
                                     0.7978845608);
    return gr_scale(gr_mul(in[0], gr_add_scalar(gr_tanh(inner), 1)), 0.5);
}

/* x [2, 6] with a kernel [3], by windows. */
TENSORS(convolution)
{
    UNUSED;
    gr_tensor sum = gr_mul(gr_slice(in[0], 1, 0, 4, 1), gr_select(in[1], 0, 0));
    for (int k = 1; k < 3; k++)
        sum = gr_add(sum, gr_mul(gr_slice(in[0], 1, k, k + 4, 1), gr_select(in[1], 0, k)));
    return sum;
}

/* Ten steps of h <- tanh(h w + x_t). */
TENSORS(recurrent)
{
    UNUSED;
    gr_tensor h = gr_select(in[0], 0, 0);
    for (int t = 1; t < 10; t++) h = gr_tanh(gr_add(gr_matmul(h, in[1]), gr_select(in[0], 0, t)));
    return h;
}

/* sqrt above 0, else a line; NaN in neither branch, which takes a second where. */
TENSORS(guarded)
{
    UNUSED;
    const gr_tensor zero = gr_zeros(g, gr_type_of(in[0]), GR_SCALAR), positive = gr_greater(in[0], zero);
    return gr_where(positive, gr_sqrt(gr_where(positive, in[0], gr_add_scalar(zero, 1))), in[0]);
}

TENSORS(largest_rows)
{
    UNUSED;
    return gr_add(gr_max(in[0], GR_AXES(1), true), gr_maximum(in[0], in[1]));
}

/* Rows 2, 0, 2, 1, 2: what comes often adds up. */
TENSORS(repeated)
{
    UNUSED;
    const gr_tensor rows = gr_constant(g, GR_I32, GR_SHAPE(5), (int32_t[]){2, 0, 2, 1, -1});
    return gr_square(gr_index_select(in[0], 0, rows));
}

TENSORS(cross_entropy)
{
    UNUSED;
    return gr_softmax_cross_entropy(in[0], gr_constant(g, GR_I32, GR_SHAPE(3), (int32_t[]){1, 0, 2}));
}

TENSORS(log_sum)
{
    UNUSED;
    return gr_logsumexp(in[0], GR_AXES(-1), false);
}
TENSORS(log_soft)
{
    UNUSED;
    return gr_log_softmax(in[0], -1);
}
TENSORS(gates)
{
    UNUSED;
    return gr_mul(gr_sigmoid(in[0]), gr_softplus(in[1]));
}
TENSORS(powers)
{
    UNUSED;
    return gr_pow(in[0], in[1]);
}
TENSORS(quotients)
{
    UNUSED;
    return gr_div(in[0], in[1]);
}
TENSORS(logarithms)
{
    UNUSED;
    return gr_add(gr_log(in[0]), gr_log1p(in[0]));
}
TENSORS(steep)
{
    UNUSED;
    return gr_tanh(gr_scale(in[0], 100));
}
TENSORS(waves)
{
    UNUSED;
    return gr_sin(gr_scale(in[0], 300));
}
TENSORS(kinks_near)
{
    UNUSED;
    return gr_add(gr_relu(in[0]), gr_abs(in[0]));
}
TENSORS(huge)
{
    UNUSED;
    return gr_scale(gr_exp(in[0]), 1e150);
}
TENSORS(tiny)
{
    UNUSED;
    return gr_scale(gr_exp(in[0]), 1e-150);
}
TENSORS(offset)
{
    UNUSED;
    return gr_add_scalar(gr_square(in[0]), 1e5);
}
TENSORS(products)
{
    UNUSED;
    return gr_mul(in[0], in[0]);
}
TENSORS(broadcast)
{
    UNUSED;
    return gr_mul(gr_exp(in[0]), gr_add(in[1], in[2]));
}
TENSORS(sum_of_exp)
{
    UNUSED;
    return gr_sum(gr_exp(in[0]), GR_ALL_AXES, false);
}
TENSORS(each_exp)
{
    UNUSED;
    return gr_exp(in[0]);
}
TENSORS(bilinear)
{
    UNUSED;
    return gr_matmul(gr_matmul(in[0], in[1]), in[2]);
}

typedef struct tensor_function {
    const char *name;
    gr_function f;
    int order, order_f32; /* orders to check in f64 and in f32; 0: its 24 bits do not suffice */
    struct {
        gr_shape shape;
        double low, high;
    } inputs[4]; /* up to the first with low = high */
} tensor_function;

/* clang-format off */
static const tensor_function tensor_list[] = {
    {"network", network, 3, 2,
     {{SHAPE(3, 4), -1, 1}, {SHAPE(4, 5), -1, 1}, {SHAPE(5), -1, 1}, {SHAPE(5, 2), -1, 1}}},
    {"attention", attention, 2, 1,
     {{SHAPE(2, 3, 4), -1, 1}, {SHAPE(2, 3, 4), -1, 1}, {SHAPE(2, 3, 4), -1, 1}}},
    {"layer norm", normalised, 2, 1, {{SHAPE(3, 5), -2, 2}, {SHAPE(5), 0.5, 1.5}, {SHAPE(5), -1, 1}}},
    {"GELU", gelu, 3, 2, {{SHAPE(3, 4), -3, 3}}},
    {"convolution", convolution, 2, 2, {{SHAPE(2, 6), -1, 1}, {SHAPE(3), -1, 1}}},
    {"recurrent", recurrent, 2, 1, {{SHAPE(10, 3), -1, 1}, {SHAPE(3, 3), -1, 1}}},
    {"a guarded square root", guarded, 2, 1, {{SHAPE(4, 3), -2, 2}}},
    {"maxima", largest_rows, 2, 1, {{SHAPE(3, 4), -1, 1}, {SHAPE(4), -1, 1}}},
    {"repeated rows", repeated, 2, 2, {{SHAPE(3, 2), -1, 1}}},
    {"cross-entropy", cross_entropy, 3, 1, {{SHAPE(3, 4), -2, 2}}},
    {"cross-entropy, saturated", cross_entropy, 2, 0, {{SHAPE(3, 4), -40, 40}}},
    {"log-sum-exp of 700", log_sum, 2, 0, {{SHAPE(2, 5), 695, 700}}},
    {"log-sum-exp of -700", log_sum, 2, 0, {{SHAPE(2, 5), -705, -695}}},
    {"log-softmax", log_soft, 2, 1, {{SHAPE(2, 5), -2, 2}}},
    {"log-softmax of large numbers", log_soft, 2, 0, {{SHAPE(2, 5), -30, 30}}},
    {"saturated gates", gates, 2, 1, {{SHAPE(3, 4), -40, 40}, {SHAPE(3, 4), -40, 40}}},
    {"powers", powers, 3, 1, {{SHAPE(3, 4), 0.1, 3}, {SHAPE(4), -3, 3}}},
    {"powers of small numbers", powers, 2, 0, {{SHAPE(3), 1e-8, 2e-8}, {SHAPE(3), 0.5, 2.5}}},
    {"powers of large numbers", powers, 2, 0, {{SHAPE(3), 1e7, 1e8}, {SHAPE(3), -2, 2}}},
    {"quotients near a pole", quotients, 2, 0, {{SHAPE(3, 4), -1, 1}, {SHAPE(4), 1e-3, 2e-3}}},
    {"logarithms near 0", logarithms, 2, 0, {{SHAPE(5), 1e-9, 1e-7}}},
    {"logarithms", logarithms, 3, 1, {{SHAPE(5), 0.3, 4}}},
    {"steep", steep, 2, 0, {{SHAPE(5), -0.02, 0.02}}},
    {"oscillating", waves, 3, 0, {{SHAPE(5), -1, 1}}},
    {"next to kinks", kinks_near, 2, 1, {{SHAPE(4), 1e-3, 2e-3}}},
    {"huge", huge, 2, 0, {{SHAPE(4), -1, 1}}},
    {"tiny", tiny, 2, 0, {{SHAPE(4), -1, 1}}},
    {"large offset", offset, 2, 0, {{SHAPE(4), 0.5, 1}}},
    {"the same operand twice", products, 3, 2, {{SHAPE(4), -1, 1}}},
    {"broadcast", broadcast, 3, 1, {{SHAPE(2, 1, 3), -1, 1}, {SHAPE(4, 1), -1, 1}, {SHAPE(1), -1, 1}}},
    {"sum of 10^4", sum_of_exp, 1, 0, {{SHAPE(100, 100), -1, 1}}},
    {"10^4 apart", each_exp, 1, 1, {{SHAPE(100, 100), -1, 1}}},
    {"ill-scaled product", bilinear, 2, 1,
     {{SHAPE(2, 3), 1e-8, 2e-8}, {SHAPE(3, 2), 1e8, 2e8}, {SHAPE(2, 2), -1, 1}}},
    {"scalar", network, 2, 1,
     {{SHAPE(1, 1), -1, 1}, {SHAPE(1, 1), -1, 1}, {{0}, -1, 1}, {SHAPE(1, 1), -1, 1}}},
};
/* clang-format on */

/* ---- Tests ---- */

#define ROW(name, order, at, f, f1, f2) {#name, order, at, {1, 1, name, name##_slope, name##_curvature}},
static const struct row {
    const char *name;
    int order;
    double x;
    plain f;
} rows[] = {ONE_NUMBER(ROW)};

static void test_functions_of_one_number(void)
{
    for (size_t i = 0; i < LENGTH(rows); i++)
        for (gr_check_mode mode = GR_CHECK_AUTO; mode <= GR_CHECK_FAST; mode++) {
            plain f = rows[i].f;
            if (rows[i].order == 1) f.hessian = NULL;
            const gr_check_result r = check_plain(rows[i].name, &f, &rows[i].x,
                                                  &(gr_check_options){.mode = mode});
            CHECK(r.order == rows[i].order);
            expect_accepted(rows[i].name, mode, &r);
        }
    printf("%d right functions of one number\n", (int)LENGTH(rows));
}

static void test_functions_of_many_numbers(void)
{
    for (size_t i = 0; i < LENGTH(list); i++) {
        double *made_up = malloc((size_t)list[i].f.n * sizeof *made_up);
        for (int k = 0; k < list[i].f.n; k++) made_up[k] = 0.3 + sin(1.7 * k);
        const double *x = list[i].x ? list[i].x : made_up;
        for (gr_check_mode mode = GR_CHECK_AUTO; mode <= GR_CHECK_FAST; mode++) {
            if (list[i].full_only && mode > GR_CHECK_FULL) continue;
            if (list[i].f.n == MANY && (mode == GR_CHECK_FULL || mode == GR_CHECK_COTANGENTS))
                continue; /* long */
            const gr_check_options o = {.mode = mode, .accuracy = list[i].accuracy, .rtol = list[i].rtol};
            const gr_check_result r = check_plain(list[i].name, &list[i].f, x, &o);
            expect_accepted(list[i].name, mode, &r);
        }
        free(made_up);
    }
    printf("%d right functions of several numbers\n", (int)LENGTH(list));
}

/* ---- Nothing above is accepted out of leniency: the same derivatives times a number ---- */

typedef struct tampering {
    const plain *f;
    double factor;
    double *right; /* J [m, n] */
    int64_t at_odds, wrong;
} tampering;

static tampering *tampered; /* now */

static void tampered_jacobian(const double *x, double *j)
{
    tampered->f->jacobian(x, j);
    for (int64_t i = 0; i < (int64_t)tampered->f->m * tampered->f->n; i++) j[i] *= tampered->factor;
}

/* Right where the change is less than the tolerance. Where it is more: not right, and wrong if it is a
   hundredth of the derivative or more. */
static void judge_tampered(const gr_check_element *e, void *user)
{
    tampering *t = user;
    const double change = fabs(t->right[e->of.element * t->f->n + e->at.element] * (t->factor - 1));
    const bool coarse = fabs(t->factor - 1) >= 0.01;
    if (change < e->tolerance / 3) t->at_odds += e->verdict != GR_CHECK_RIGHT;
    if (change <= 3 * e->tolerance) return;
    t->at_odds += coarse ? e->verdict != GR_CHECK_WRONG : e->verdict == GR_CHECK_RIGHT;
    t->wrong++;
}

static void expect_sharpness(const char *name, const plain *f, const double *x, double accuracy, double rtol)
{
    static const double factors[] = {-1, 0, 1.02, 1 + 1e-3, 1 + 1e-5};
    if (!f->jacobian || f->n == MANY) return;
    for (size_t k = 0; k < LENGTH(factors); k++) {
        const int failures = test_failures;
        tampering t = {.f = f, .factor = factors[k]};
        t.right = calloc((size_t)f->m * (size_t)f->n, sizeof *t.right);
        f->jacobian(x, t.right);
        tampered = &t;
        const plain wrong = {f->n, f->m, f->value, tampered_jacobian};
        const gr_check_options o = {.mode = GR_CHECK_FULL,
                                    .accuracy = accuracy,
                                    .rtol = rtol,
                                    .each = judge_tampered,
                                    .each_user = &t};
        const gr_check_result r = check_plain(name, &wrong, x, &o);
        CHECK(t.at_odds == 0);
        CHECK(t.wrong == 0 || !r.passed);
        if (test_failures > failures) printf("  derivatives times %.9g\n", factors[k]);
        explain_since(failures, name, GR_CHECK_FULL, &r);
        free(t.right);
    }
}

static void test_sharpness(void)
{
    for (size_t i = 0; i < LENGTH(rows); i++) expect_sharpness(rows[i].name, &rows[i].f, &rows[i].x, 0, 0);
    for (size_t i = 0; i < LENGTH(list); i++) {
        double made_up[32];
        for (int k = 0; k < list[i].f.n && k < 32; k++) made_up[k] = 0.3 + sin(1.7 * k);
        expect_sharpness(list[i].name, &list[i].f, list[i].x ? list[i].x : made_up, list[i].accuracy,
                         list[i].rtol);
    }
}

static void check_tensors(gr_graph *g, const tensor_function *t, gr_type type, gr_check_mode mode)
{
    gr_tensor in[LENGTH(t->inputs)];
    int n = 0;
    for (; n < (int)LENGTH(in) && t->inputs[n].low < t->inputs[n].high; n++)
        in[n] = gr_keep(gr_uniform(g, type, t->inputs[n].shape, t->inputs[n].low, t->inputs[n].high));
    const int failures = test_failures, order = type == GR_F64 ? t->order : t->order_f32;
    const gr_check_options o = {.mode = mode, .order = order, .name = t->name};
    gr_check_result r;
    CHECK(gr_gradcheck(g, t->f, n, in, NULL, &o, &r) == GR_OK);
    CHECK(r.order == order);
    expect_accepted(t->name, mode, &r);
    if (test_failures > failures) printf("  in %s: %s\n", gr_type_name(type), gr_graph_error(g));
    gr_graph_clear_error(g);
    for (int i = 0; i < n; i++) gr_release(in[i]);
}

static void test_functions_of_tensors(void)
{
    gr_graph *g = gr_graph_create(NULL);
    for (size_t i = 0; i < LENGTH(tensor_list); i++) {
        const tensor_function *t = &tensor_list[i];
        for (gr_check_mode mode = GR_CHECK_AUTO; mode <= GR_CHECK_FAST; mode++) {
            const bool many = t->f == each_exp || (t->f == sum_of_exp && mode != GR_CHECK_AUTO);
            if (many && mode != GR_CHECK_FAST) continue; /* 10^4 inputs take seconds */
            check_tensors(g, t, GR_F64, mode);
            if (t->order_f32) check_tensors(g, t, GR_F32, mode);
        }
    }
    printf("%d right functions of tensors\n", (int)LENGTH(tensor_list));
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_functions_of_one_number);
    RUN(test_functions_of_many_numbers);
    RUN(test_sharpness);
    RUN(test_functions_of_tensors);
    return TEST_EXIT;
}
