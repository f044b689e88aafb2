/*
 * Where right and wrong are not the whole answer: kinks, jumps, rough values, functions that are not
 * deterministic, edges of domains. The checker must say what is the case, with the slopes on both sides of a
 * kink, and must neither accept nor condemn what numbers cannot decide.
 *
 * To add one: a value, a row with the derivative that is claimed for it, and the verdict.
 */
#include "check_lists.h"

/* ---- Functions, and a derivative that is whatever the row claims ---- */

static const double *claimed;
static int claimed_count;

static void claim(const double *x, double *j)
{
    (void)x;
    memcpy(j, claimed, (size_t)claimed_count * sizeof *j);
}

static void relu(const double *x, double *y) { y[0] = fmax(x[0], 0); }
static void absolute(const double *x, double *y) { y[0] = fabs(x[0]); }
static void absolute_from_03(const double *x, double *y) { y[0] = fabs(x[0] - 0.3); }
static void absolute_from_1e6(const double *x, double *y) { y[0] = fabs(x[0] - 1e6); }
static void root_of_square(const double *x, double *y) { y[0] = sqrt(x[0] * x[0]); }
static void roof(const double *x, double *y) { y[0] = x[0] < 0 ? 3 * x[0] : -5 * x[0]; }
static void clamp(const double *x, double *y) { y[0] = fmin(fmax(x[0], -1), 1); }
static void larger(const double *x, double *y) { y[0] = fmax(x[0], x[1]); }
static void sum_of_absolutes(const double *x, double *y)
{
    y[0] = fabs(x[0]) + fabs(x[1]) + fabs(x[2]) + exp(x[3]);
}
static void two_relus(const double *x, double *y) { y[0] = fmax(x[0], 0), y[1] = fmax(x[1], 0) * x[0]; }
static void slight_kink(const double *x, double *y) { y[0] = x[0] * x[0] + 1e-3 * fabs(x[0]); }
static void kink_on_a_slope(const double *x, double *y) { y[0] = 1e3 * x[0] + fabs(x[0]); }
static void kink_below_tolerance(const double *x, double *y) { y[0] = x[0] + 1e-12 * fabs(x[0]); }
static void cusp(const double *x, double *y) { y[0] = sqrt(fabs(x[0])); }
static void jump(const double *x, double *y) { y[0] = floor(x[0]); }
static void jump_and_slope(const double *x, double *y) { y[0] = x[0] > 2 ? x[0] + 1 : x[0]; }
static void large_offset(const double *x, double *y) { y[0] = 1e10 + x[0] * x[0]; }
static void logarithm(const double *x, double *y) { y[0] = log(x[0]); }
static void power_1_5(const double *x, double *y) { y[0] = pow(x[0], 1.5); }
static void arc(const double *x, double *y) { y[0] = acos(x[0]); }
static void inverse(const double *x, double *y) { y[0] = 1 / x[0]; }

/* In [-1, 1], from the bits of x alone. */
static double scatter(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits ^ bits >> 31) * 0x9E3779B97F4A7C15u;
    bits = (bits ^ bits >> 29) * 0xBF58476D1CE4E5B9u;
    return (double)(bits >> 11) / 4503599627370496.0 - 1;
}

static void rough(const double *x, double *y) { y[0] = sin(x[0]) + 1e-4 * scatter(x[0]); }
static void rounded(const double *x, double *y) { y[0] = round(sin(x[0]) * 1e4) / 1e4; }
static void in_float(const double *x, double *y) { y[0] = (double)sinf((float)x[0]); }

/* y_1 is smooth, y_0 is not. */
static void rough_and_smooth(const double *x, double *y) { rough(x, y), y[1] = exp(x[0]); }

static int calls;
static void counting(const double *x, double *y) { y[0] = sin(x[0]) + 1e-3 * calls++; }
static void counting_slowly(const double *x, double *y) { y[0] = sin(x[0]) + 1e-9 * calls++; }
static void random_noise(const double *x, double *y) { y[0] = sin(x[0]) + 1e-6 * scatter(calls++); }
static void one_random(const double *x, double *y)
{
    y[0] = sin(x[0]), y[1] = x[0] + 1e-4 * scatter(calls++);
}
static void sometimes_nan(const double *x, double *y) { y[0] = calls++ % 3 == 2 ? NAN : sin(x[0]); }

/* ---- The list ---- */

typedef struct honest {
    const char *name;
    plain f;
    const double *x, *claimed;
    unsigned verdicts;  /* those that are true of it */
    double left, right; /* slopes, if not differentiable */
    int64_t at;         /* element of x */
    double accuracy, rtol;
    int64_t not_differentiable; /* elements, in full mode; 0: 1 if that is the verdict */
    bool full_only;
} honest;

enum {
    RIGHT = 1 << GR_CHECK_RIGHT,
    KINK = 1 << GR_CHECK_NOT_DIFFERENTIABLE,
    UNDECIDED = 1 << GR_CHECK_UNDECIDED,
    WRONG = 1 << GR_CHECK_WRONG,
    NOT_DETERMINISTIC = 1 << GR_CHECK_NOT_DETERMINISTIC
};

/* clang-format off */
#define ONE(f) {1, 1, f, claim}

static const honest list[] = {
    {"relu at 0: 0", ONE(relu), X(0), X(0), KINK, 0, 1},
    {"relu at 0: 1", ONE(relu), X(0), X(1), KINK, 0, 1},
    {"relu at 0: 1/2", ONE(relu), X(0), X(0.5), KINK, 0, 1},
    {"relu at 0: 2", ONE(relu), X(0), X(2), WRONG},
    {"relu at 0: -0.1", ONE(relu), X(0), X(-0.1), WRONG},
    {"relu at 0: NaN", ONE(relu), X(0), X(NAN), WRONG},
    {"abs at 0: 0", ONE(absolute), X(0), X(0), KINK, -1, 1},
    {"abs at 0: -1", ONE(absolute), X(0), X(-1), KINK, -1, 1},
    {"abs at 0: 1.5", ONE(absolute), X(0), X(1.5), WRONG},
    {"|x - 0.3| at 0.3", ONE(absolute_from_03), X(0.3), X(0), KINK, -1, 1},
    {"|x - 1e6| at 1e6", ONE(absolute_from_1e6), X(1e6), X(0), KINK, -1, 1},
    {"sqrt(x^2) at 0", ONE(root_of_square), X(0), X(0), KINK, -1, 1},
    {"a roof, 3 up and 5 down", ONE(roof), X(0), X(0), KINK, 3, -5},
    {"a roof: 4", ONE(roof), X(0), X(4), WRONG},
    {"clamp at its bound: 0", ONE(clamp), X(1), X(0), KINK, 1, 0},
    {"clamp at its lower bound: 1", ONE(clamp), X(-1), X(1), KINK, 0, 1},
    {"max at a tie: halves", {2, 1, larger, claim}, X(2, 2), X(0.5, 0.5), KINK, 0, 1,
     .not_differentiable = 2},
    {"max at a tie: the first", {2, 1, larger, claim}, X(2, 2), X(1, 0), KINK, 0, 1,
     .not_differentiable = 2},
    {"max at a tie: twice", {2, 1, larger, claim}, X(2, 2), X(0.5, 2), WRONG, .at = 1,
     .not_differentiable = 1},
    {"one of four at a kink", {4, 1, sum_of_absolutes, claim}, X(1, 0, -2, 0), X(1, 0, -1, 1), KINK, -1, 1,
     .at = 1},
    {"one of four at a kink, another wrong", {4, 1, sum_of_absolutes, claim}, X(1, 0, -2, 0), X(1, 0, 1, 1),
     WRONG, .at = 2, .not_differentiable = 1},
    {"relu of two", {2, 2, two_relus, claim}, X(2, 0), X(1, 0, 0, 0), KINK, 0, 2, .at = 1},
    {"a slight kink", ONE(slight_kink), X(0), X(0), KINK, -1e-3, 1e-3},
    {"a slight kink: 2e-3", ONE(slight_kink), X(0), X(2e-3), WRONG},
    {"a kink on a slope", ONE(kink_on_a_slope), X(0), X(1000), KINK, 999, 1001},
    {"a kink on a slope: 1002", ONE(kink_on_a_slope), X(0), X(1002), WRONG},
    {"a kink below the tolerance", ONE(kink_below_tolerance), X(0), X(1), RIGHT},
    {"a cusp", ONE(cusp), X(0), X(0), KINK, -INFINITY, INFINITY},
    {"floor at a jump", ONE(jump), X(1), X(0), KINK, INFINITY, 0},
    {"a jump on a slope", ONE(jump_and_slope), X(2), X(1), KINK, 1, INFINITY},
    {"rough by 1e-4", ONE(rough), X(0.5), X(0.8775825618903728), UNDECIDED},
    {"rough by 1e-4, twice", ONE(rough), X(0.5), X(1.7551651237807455), WRONG},
    {"rough by 1e-4, sign", ONE(rough), X(0.5), X(-0.8775825618903728), WRONG},
    {"rough by 1e-4, declared", ONE(rough), X(0.5), X(0.8775825618903728), RIGHT, .accuracy = 3e-4,
     .rtol = 0.1},
    {"a staircase of 1e-4", ONE(rounded), X(0.5), X(0.8775825618903728), UNDECIDED | WRONG},
    {"a staircase of 1e-4: 0", ONE(rounded), X(0.5), X(0), RIGHT | UNDECIDED},
    {"in float, not declared", ONE(in_float), X(0.5), X(0.8775825618903728), RIGHT | UNDECIDED},
    {"in float, declared", ONE(in_float), X(0.5), X(0.8775825618903728), RIGHT, .accuracy = 1e-7,
     .rtol = 1e-3},
    {"in float, declared, factor 1.01", ONE(in_float), X(0.5), X(0.8863583875), WRONG, .accuracy = 1e-7,
     .rtol = 1e-3},
    {"large offset", ONE(large_offset), X(0.5), X(1), RIGHT | UNDECIDED},
    {"large offset, twice", ONE(large_offset), X(0.5), X(2), WRONG},
    {"rough output beside a wrong one", {1, 2, rough_and_smooth, claim}, X(0.5), X(0.8775825618903728, 1.7),
     WRONG, .full_only = true},
    {"a counter", ONE(counting), X(0.5), X(0.8775825618903728), NOT_DETERMINISTIC},
    {"a slow counter", ONE(counting_slowly), X(0.5), X(0.8775825618903728), NOT_DETERMINISTIC},
    {"random noise", ONE(random_noise), X(0.5), X(0.8775825618903728), NOT_DETERMINISTIC},
    {"random noise in one output", {1, 2, one_random, claim}, X(0.5), X(0.8775825618903728, 1),
     NOT_DETERMINISTIC},
    {"NaN from time to time", ONE(sometimes_nan), X(0.5), X(0.8775825618903728), NOT_DETERMINISTIC | WRONG},
    {"log of a negative number: NaN", ONE(logarithm), X(-1), X(NAN), WRONG},
    {"log of a negative number: 1/x", ONE(logarithm), X(-1), X(-1), WRONG},
    {"log at 0: infinite", ONE(logarithm), X(0), X(INFINITY), WRONG},
    {"1/x at 0: infinite", ONE(inverse), X(0), X(-INFINITY), WRONG},
    {"acos at 1: infinite", ONE(arc), X(1), X(-INFINITY), WRONG},
    {"x^1.5 at 0, nothing below", ONE(power_1_5), X(0), X(0), KINK, NAN, 0},
};
/* clang-format on */

static bool near(double a, double b)
{
    if (isnan(b)) return isnan(a);
    return isinf(b) ? a == b : fabs(a - b) <= 1e-4 * fmax(fabs(b), 1e-3);
}

static void expect_outcome(const honest *h, gr_check_mode mode, bool accept_kinks)
{
    const int failures = test_failures;
    claimed = h->claimed;
    claimed_count = h->f.m * h->f.n;
    calls = 0;
    const gr_check_options o = {
        .mode = mode, .accuracy = h->accuracy, .rtol = h->rtol, .accept_kinks = accept_kinks};
    const gr_check_result r = check_plain(h->name, &h->f, h->x, &o);
    const gr_verdict v = r.verdict;
    CHECK(r.status == GR_OK);
    CHECK(h->verdicts >> v & 1);
    CHECK(r.passed == (v == GR_CHECK_RIGHT || (accept_kinks && v == GR_CHECK_NOT_DIFFERENTIABLE)));
    if (v == GR_CHECK_NOT_DETERMINISTIC)
        CHECK(r.message[0] != 0);
    else
        CHECK(r.worst.verdict == v);
    if (mode == GR_CHECK_FULL && v != GR_CHECK_NOT_DETERMINISTIC) {
        const int64_t kinks = h->not_differentiable > 0 ? h->not_differentiable
                                                        : v == GR_CHECK_NOT_DIFFERENTIABLE;
        CHECK(r.not_differentiable == kinks);
        CHECK(h->at == 0 || r.worst.at.element == h->at);
    }
    if (mode == GR_CHECK_FULL && v == GR_CHECK_NOT_DIFFERENTIABLE)
        CHECK(near(r.worst.left, h->left) && near(r.worst.right, h->right));
    if (v == GR_CHECK_RIGHT) CHECK(isnan(r.worst.left) && isnan(r.worst.right));
    explain_since(failures, h->name, mode, &r);
}

static void test_honest_outcomes(void)
{
    for (size_t i = 0; i < LENGTH(list); i++)
        for (gr_check_mode mode = GR_CHECK_FULL; mode <= GR_CHECK_FAST; mode++) {
            if (list[i].full_only && mode != GR_CHECK_FULL) continue;
            expect_outcome(&list[i], mode, false);
            expect_outcome(&list[i], mode, true);
        }
    printf("%d honest outcomes\n", (int)LENGTH(list));
}

/* ---- Second derivatives that jump ---- */

static void smooth_once(const double *x, double *y) { y[0] = x[0] * fabs(x[0]); }
static void smooth_once_slope(const double *x, double *g) { g[0] = 2 * fabs(x[0]); }
static void huber(const double *x, double *y) { y[0] = fabs(x[0]) <= 1 ? x[0] * x[0] / 2 : fabs(x[0]) - 0.5; }
static void huber_slope(const double *x, double *g) { g[0] = fmax(-1, fmin(x[0], 1)); }

static void test_kinks_of_the_slope(void)
{
    static const struct kink {
        const char *name;
        plain f;
        double x, second;
        gr_verdict verdict;
        double left, right;
    } kinks[] = {
        {"x |x| at 0: 0",
         {1, 1, smooth_once, smooth_once_slope, claim},
         0,
         0,
         GR_CHECK_NOT_DIFFERENTIABLE,
         -2,
         2},
        {"x |x| at 0: 3", {1, 1, smooth_once, smooth_once_slope, claim}, 0, 3, GR_CHECK_WRONG, NAN, NAN},
        {"Huber at its knot: 1", {1, 1, huber, huber_slope, claim}, 1, 1, GR_CHECK_NOT_DIFFERENTIABLE, 1, 0},
        {"Huber at its knot: 0", {1, 1, huber, huber_slope, claim}, 1, 0, GR_CHECK_NOT_DIFFERENTIABLE, 1, 0},
        {"Huber at its knot: -1", {1, 1, huber, huber_slope, claim}, 1, -1, GR_CHECK_WRONG, NAN, NAN},
    };
    for (size_t i = 0; i < LENGTH(kinks); i++) {
        const int failures = test_failures;
        claimed = &kinks[i].second;
        claimed_count = 1;
        const gr_check_result r = check_plain(kinks[i].name, &kinks[i].f, &kinks[i].x, NULL);
        CHECK(r.verdict == kinks[i].verdict && r.worst.order == 2 && r.elements == 2 && r.failed == 1);
        if (r.verdict == GR_CHECK_NOT_DIFFERENTIABLE)
            CHECK(near(r.worst.left, kinks[i].left) && near(r.worst.right, kinks[i].right));
        explain_since(failures, kinks[i].name, GR_CHECK_AUTO, &r);
    }
}

/* ---- Functions of tensors ---- */

typedef gr_tensor unary(gr_tensor x);

static gr_tensor apply_unary(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n;
    return (*(unary *const *)user)(in[0]);
}

static gr_tensor row_max(gr_tensor x) { return gr_max(x, GR_AXES(-1), false); }
static gr_tensor dropped(gr_tensor x) { return gr_dropout(gr_exp(x), 0.5, true); }
static gr_tensor clamped(gr_tensor x) { return gr_maximum(x, gr_full(x.graph, GR_F64, GR_SCALAR, -1)); }
static gr_tensor counted(gr_tensor x) { return gr_add_scalar(gr_exp(x), 1e-6 * calls++); }

static void test_tensors(void)
{
    static const struct outcome {
        const char *name;
        unary *f;
        double x[4];
        gr_verdict verdict;
        double left, right;
        int64_t at;
    } outcomes[] = {
        {"relu", gr_relu, {1, -2, 0, 3}, GR_CHECK_NOT_DIFFERENTIABLE, 0, 1, 2},
        {"abs", gr_abs, {1, 0, -2, 3}, GR_CHECK_NOT_DIFFERENTIABLE, -1, 1, 1},
        {"maximum", clamped, {1, -2, 3, -1}, GR_CHECK_NOT_DIFFERENTIABLE, 0, 1, 3},
        {"max with a tie", row_max, {1, 3, -2, 3}, GR_CHECK_NOT_DIFFERENTIABLE, 0, 1, -1},
        {"dropout draws the same numbers in each call", dropped, {1, 3, -2, 0}, GR_CHECK_RIGHT, NAN, NAN, -1},
        {"a counter", counted, {1, 3, -2, 0}, GR_CHECK_NOT_DETERMINISTIC, NAN, NAN, -1},
    };
    gr_graph *g = gr_graph_create(NULL);
    for (size_t i = 0; i < LENGTH(outcomes); i++)
        for (gr_check_mode mode = GR_CHECK_FULL; mode <= GR_CHECK_FAST; mode++) {
            const int failures = test_failures;
            const gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(4), outcomes[i].x);
            unary *f = outcomes[i].f;
            gr_check_result r, accepting;
            CHECK(gr_gradcheck(g, apply_unary, 1, &x, &f, &(gr_check_options){.mode = mode}, &r) == GR_OK);
            const gr_check_options kinks = {.mode = mode, .accept_kinks = true};
            CHECK(gr_gradcheck(g, apply_unary, 1, &x, &f, &kinks, &accepting) == GR_OK);
            CHECK(r.verdict == outcomes[i].verdict && accepting.verdict == r.verdict);
            CHECK(r.passed == (r.verdict == GR_CHECK_RIGHT));
            CHECK(accepting.passed == (r.verdict <= GR_CHECK_NOT_DIFFERENTIABLE));
            CHECK(outcomes[i].at < 0 || r.worst.at.element == outcomes[i].at);
            if (mode == GR_CHECK_FULL && r.verdict == GR_CHECK_NOT_DIFFERENTIABLE)
                CHECK(near(r.worst.left, outcomes[i].left) && near(r.worst.right, outcomes[i].right));
            explain_since(failures, outcomes[i].name, mode, &r);
            gr_graph_clear_error(g);
            gr_release(x);
        }
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_honest_outcomes);
    RUN(test_kinks_of_the_slope);
    RUN(test_tensors);
    return TEST_EXIT;
}
