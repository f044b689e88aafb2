/*
 * Verdicts where a function has no derivative, and where it nearly has none: kinks, jumps, vertical tangents, the
 * edges of domains; conventions are told from mistakes, and smooth functions from all of these.
 */
#include "test.h"
#include "gradus.h"

typedef double real_function(double x);

typedef struct pair {
    real_function *f;
    double derivative;
} pair;

static int value(const double *x, double *y, void *user)
{
    y[0] = ((const pair *)user)->f(x[0]);
    return 0;
}

static int derivative(const double *x, double *g, void *user)
{
    (void)x;
    g[0] = ((const pair *)user)->derivative;
    return 0;
}

static gr_check_result check(real_function *f, double x, double analytic, const gr_check_options *o)
{
    pair p = {f, analytic};
    const gr_plain_function plain = {.n = 1, .m = 1, .value = value, .jacobian = derivative, .user = &p};
    gr_check_result r;
    CHECK(gr_check_plain(&plain, &x, o, &r) == GR_OK);
    return r;
}

static double absolute(double x) { return fabs(x); }
static double absolute_far_up(double x) { return 1000 + fabs(x); }
static double relu(double x) { return fmax(x, 0); }
static double leaky(double x) { return x > 0 ? 3 * x : 0.5 * x; }
static double bent_a_little(double x) { return x + 1e-3 * fabs(x); }
static double bent_and_curved(double x) { return fabs(x) + 300 * x * x; }
static double step_at_0(double x) { return x >= 0 ? 1 : 0; }
static double sign(double x) { return (x > 0) - (x < 0); }
static double jump_on_a_slope(double x) { return x > 0 ? 2 * x + 0.01 : 2 * x; }
static double square_root(double x) { return sqrt(x); }
static double root_of_size(double x) { return sqrt(fabs(x)); }
static double cubic_root(double x) { return cbrt(x); }
static double three_halves(double x) { return x * sqrt(x); }
static double arc_sine(double x) { return asin(x); }
static double logarithm(double x) { return log(x); }
static double nearly_absolute(double x) { return sqrt(x * x + 1e-12); }
static double power(double x) { return pow(fabs(x), 1.5); }
static double odd_square(double x) { return x * fabs(x); }
static double cube(double x) { return x * x * x; }
static double ninth(double x) { return pow(x, 9); }
static double fourth(double x) { return x * x * x * x; }
static double curved(double x) { return 1e6 * x * x; }
static double sharp(double x) { return tanh(1e9 * x); }
static double huge_offset(double x) { return fabs(x) + 1e12; }

/* ---- Not differentiable ---- */

static void test_kinks(void)
{
    static const struct kink {
        const char *name;
        real_function *f;
        double x, left, right;
    } kinks[] = {
        {"|x|", absolute, 0, -1, 1},
        {"|x| + 1000", absolute_far_up, 0, -1, 1},
        {"relu", relu, 0, 0, 1},
        {"leaky relu", leaky, 0, 0.5, 3},
        {"a small kink", bent_a_little, 0, 1 - 1e-3, 1 + 1e-3},
        {"a kink on a curve", bent_and_curved, 0, -1, 1},
        {"a step", step_at_0, 0, INFINITY, 0},
        {"sign", sign, 0, INFINITY, INFINITY},
        {"a jump on a slope", jump_on_a_slope, 0, 2, INFINITY},
        {"sqrt", square_root, 0, NAN, INFINITY},
        {"sqrt |x|", root_of_size, 0, -INFINITY, INFINITY},
        {"cbrt", cubic_root, 0, INFINITY, INFINITY},
        {"x^1.5", three_halves, 0, NAN, 0},
        {"asin", arc_sine, 1, INFINITY, NAN},
    };
    for (size_t i = 0; i < sizeof kinks / sizeof *kinks; i++) {
        const struct kink *k = &kinks[i];
        const int failures = test_failures;
        const bool left = isfinite(k->left), right = isfinite(k->right);
        const double low = fmin(k->left, k->right), high = fmax(k->left, k->right);
        const double convention = left && right ? (k->left + k->right) / 2
                                  : left        ? k->left
                                  : right       ? k->right
                                                : 0;
        gr_check_result r = check(k->f, k->x, convention, NULL);
        CHECK(!r.passed && r.verdict == GR_CHECK_NOT_DIFFERENTIABLE && r.not_differentiable == 1);
        CHECK(r.failed == 1 && r.wrong == 0 && r.worst.verdict == GR_CHECK_NOT_DIFFERENTIABLE);
        if (left) CHECK_NEAR(r.worst.left, k->left, 1e-6);
        if (!left) CHECK(isnan(k->left) ? isnan(r.worst.left) : r.worst.left == k->left);
        if (right) CHECK_NEAR(r.worst.right, k->right, 1e-6);
        if (!right) CHECK(isnan(k->right) ? isnan(r.worst.right) : r.worst.right == k->right);
        r = check(k->f, k->x, convention, &(gr_check_options){.accept_kinks = true});
        CHECK(r.passed && r.failed == 0 && r.verdict == GR_CHECK_NOT_DIFFERENTIABLE && r.n_worst == 1);
        for (int side = 0; side < 2; side++) { /* no convention: outside what the slopes enclose */
            const double end = side ? high : low;
            if (isinf(end) || (isnan(k->left) && isinf(k->right)) || (isnan(k->right) && isinf(k->left)))
                continue;
            r = check(k->f, k->x, end + (side ? 0.2 : -0.2), &(gr_check_options){.accept_kinks = true});
            CHECK(!r.passed && r.verdict == GR_CHECK_WRONG && r.wrong == 1);
            if (left) CHECK_NEAR(r.worst.left, k->left, 1e-6);
        }
        CHECK(check(k->f, k->x, NAN, NULL).verdict == GR_CHECK_WRONG);
        CHECK(check(k->f, k->x, INFINITY, NULL).verdict == GR_CHECK_WRONG);
        if (test_failures > failures) printf("  in %s\n", k->name);
    }
}

/* ---- Differentiable, although it does not look so ---- */

static void test_no_kinks(void)
{
    static const struct smooth {
        const char *name;
        real_function *f;
        double x, slope;
    } smooth[] = {
        {"relu 1e-4 above", relu, 1e-4, 1},
        {"relu 1e-4 below", relu, -1e-4, 0},
        {"relu 1e-9 above", relu, 1e-9, 1},
        {"|x| at 1e-6", absolute, 1e-6, 1},
        {"|x| + 1000 at -1e-4", absolute_far_up, -1e-4, -1},
        {"step 1e-5 away", step_at_0, 1e-5, 0},
        {"jump on a slope, 1e-5 away", jump_on_a_slope, -1e-5, 2},
        {"sqrt at 1e-8", square_root, 1e-8, 5e3},
        {"asin next to 1", arc_sine, 0.99999, 223.60735667}, /* 1 / sqrt(1 - x^2) */
        {"log at 1e-12", logarithm, 1e-12, 1e12},
        {"sqrt(x^2 + 1e-12)", nearly_absolute, 0, 0},
        {"|x|^1.5", power, 0, 0},
        {"x |x|", odd_square, 0, 0},
        {"x^3", cube, 0, 0},
        {"x^4", fourth, 0, 0},
        {"x^9", ninth, 0, 0},
        {"10^6 x^2 at 0", curved, 0, 0},
        {"10^6 x^2 at 1e-3", curved, 1e-3, 2e3},
        {"tanh 10^9 x", sharp, 0, 1e9},
    };
    for (size_t i = 0; i < sizeof smooth / sizeof *smooth; i++) {
        const struct smooth *s = &smooth[i];
        const int failures = test_failures;
        gr_check_result r = check(s->f, s->x, s->slope, NULL);
        CHECK(r.passed && r.verdict == GR_CHECK_RIGHT);
        CHECK(isnan(r.worst.left) && isnan(r.worst.right));
        for (int kind = 0; kind < 3; kind++) { /* no convention, however near to a kink */
            const double wrong = kind == 0   ? s->slope + 0.3 * fmax(1, fabs(s->slope))
                                 : kind == 1 ? 1.01 * s->slope - 1e-4
                                             : -s->slope - 0.5;
            r = check(s->f, s->x, wrong, &(gr_check_options){.accept_kinks = true});
            CHECK(!r.passed && r.verdict == GR_CHECK_WRONG);
        }
        if (test_failures > failures) printf("  in %s\n", s->name);
    }
}

/* The values swallow the kink. */
static void test_too_rough(void)
{
    const gr_check_result r = check(huge_offset, 0, 0.3, NULL);
    CHECK(!r.passed && r.verdict == GR_CHECK_UNDECIDED && r.undecided == 1);
}

static void test_not_finite(void)
{
    CHECK(check(logarithm, -1, -1, NULL).verdict == GR_CHECK_WRONG);
    CHECK(check(logarithm, 0, 0, NULL).verdict == GR_CHECK_WRONG);
    CHECK(check(absolute, INFINITY, 1, NULL).verdict == GR_CHECK_WRONG);
    CHECK(check(absolute, NAN, NAN, NULL).verdict == GR_CHECK_WRONG);
}

/* ---- Of tensors, in all modes ---- */

static gr_tensor relus(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return gr_relu(gr_mul(in[0], in[1]));
}

static void test_tensors(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor in[] = {gr_constant(g, GR_F64, GR_SHAPE(4), (double[]){1, 0, -2, 3}),
                            gr_constant(g, GR_F64, GR_SHAPE(4), (double[]){1, 2, 3, 4})};
    for (gr_check_mode mode = GR_CHECK_FULL; mode <= GR_CHECK_FAST; mode++) {
        gr_check_result r;
        gr_check_options o = {.mode = mode, .forward = true};
        CHECK(gr_gradcheck(g, relus, 2, in, NULL, &o, &r) == GR_OK);
        CHECK(!r.passed && r.verdict == GR_CHECK_NOT_DIFFERENTIABLE && r.mode == mode);
        CHECK(r.worst.input == 0 && r.worst.at.element == 1 && r.wrong == 0 && r.undecided == 0);
        if (mode == GR_CHECK_FULL) CHECK(r.worst.of.element == 1 && r.not_differentiable == 2);
        if (mode == GR_CHECK_FULL) CHECK_NEAR(r.worst.right, 2, 1e-9);
        o.accept_kinks = true;
        CHECK(gr_gradcheck(g, relus, 2, in, NULL, &o, &r) == GR_OK && r.passed);
    }
    gr_graph_destroy(g);
}

/* Nearer to a kink than the rounding of x a check may see the kink, or nothing; the slope of its side is never
   wrong. */
static double relu_from_1(double x) { return fmax(x - 1, 0); }

static void test_beside_kinks(void)
{
    static const struct beside {
        const char *name;
        real_function *f;
        double x, slope;
    } list[] = {
        {"relu 1e-10 below", relu, -1e-10, 0},
        {"relu 1e-11 below", relu, -1e-11, 0},
        {"relu 1e-15 below", relu, -1e-15, 0},
        {"relu 1e-300 below", relu, -1e-300, 0},
        {"relu 1e-300 above", relu, 1e-300, 1},
        {"relu(x - 1) 1e-12 below", relu_from_1, 1 - 1e-12, 0},
        {"relu(x - 1) 1e-13 above", relu_from_1, 1 + 1e-13, 1},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        const int failures = test_failures;
        const gr_check_result r = check(list[i].f, list[i].x, list[i].slope, NULL);
        CHECK(r.verdict != GR_CHECK_WRONG);
        if (test_failures > failures) printf("  %s: numeric %.17g\n", list[i].name, r.worst.numeric);
    }
}

int main(void)
{
    RUN(test_kinks);
    RUN(test_no_kinks);
    RUN(test_beside_kinks);
    RUN(test_too_rough);
    RUN(test_not_finite);
    RUN(test_tensors);
    return TEST_EXIT;
}
