/*
 * What the manual says of kinks, ties, ends of domains, NaN and large numbers: value and first derivatives at single
 * points, in both float types, by the fast paths of a backward pass and by the rules of a recorded walk. Differences
 * cannot check these: there is no derivative to approximate.
 */
#include "test.h"
#include "gradus.h"

#define INF ((double)INFINITY)

typedef gr_tensor binary(gr_tensor a, gr_tensor b);

#define UNARY(NAME)                                             \
    static gr_tensor NAME##_of_a(gr_tensor a, gr_tensor unused) \
    {                                                           \
        (void)unused;                                           \
        return gr_##NAME(a);                                    \
    }
UNARY(abs)
UNARY(log)
UNARY(log1p)
UNARY(relu)
UNARY(sigmoid)
UNARY(sign)
UNARY(softplus)
UNARY(sqrt)

static gr_tensor power_0(gr_tensor a, gr_tensor unused)
{
    (void)unused;
    return gr_pow_scalar(a, 0);
}

static gr_tensor power_1(gr_tensor a, gr_tensor unused)
{
    (void)unused;
    return gr_pow_scalar(a, 1);
}

/* by_b: of no meaning for functions of a alone. */
typedef struct point {
    const char *what;
    binary *f;
    double a, b, value, by_a, by_b;
} point;

/* clang-format off */
static const point points[] = {
    {"relu",     relu_of_a,     0, 0, 0, 0, 0},
    {"relu",     relu_of_a,     -2, 0, 0, 0, 0},
    {"relu",     relu_of_a,     NAN, 0, NAN, 1, 0},
    {"abs",      abs_of_a,      0, 0, 0, 0, 0},
    {"abs",      abs_of_a,      -3, 0, 3, -1, 0},
    {"abs",      abs_of_a,      NAN, 0, NAN, NAN, 0},
    {"sign",     sign_of_a,     0, 0, 0, 0, 0},
    {"sign",     sign_of_a,     -INF, 0, -1, 0, 0},
    {"log",      log_of_a,      0, 0, -INF, INF, 0},
    {"log",      log_of_a,      -1, 0, NAN, -1, 0},
    {"log1p",    log1p_of_a,    1e-30, 0, 1e-30, 1, 0},
    {"sqrt",     sqrt_of_a,     0, 0, 0, INF, 0},
    {"sqrt",     sqrt_of_a,     -1, 0, NAN, NAN, 0},
    {"sigmoid",  sigmoid_of_a,  1e4, 0, 1, 0, 0},
    {"sigmoid",  sigmoid_of_a,  -1e4, 0, 0, 0, 0},
    {"sigmoid",  sigmoid_of_a,  NAN, 0, NAN, NAN, 0},
    {"softplus", softplus_of_a, 1e4, 0, 1e4, 1, 0},
    {"softplus", softplus_of_a, -1e4, 0, 0, 0, 0},
    {"softplus", softplus_of_a, NAN, 0, NAN, NAN, 0},
    {"x^0",      power_0,       0, 0, 1, 0, 0},
    {"x^0",      power_0,       -2, 0, 1, 0, 0},
    {"x^1",      power_1,       0, 0, 0, 1, 0},
    {"pow",      gr_pow,        0, 0, 1, 0, 0},
    {"pow",      gr_pow,        0, 2, 0, 0, 0},
    {"pow",      gr_pow,        0, 1, 0, 1, 0},
    {"pow",      gr_pow,        3, 0, 1, 0, 1.0986122886681098},
    {"pow",      gr_pow,        -2, 3, -8, 12, NAN},
    {"pow",      gr_pow,        0, -1, INF, -INF, -INF},
    {"maximum",  gr_maximum,    2, 2, 2, 0.5, 0.5},
    {"maximum",  gr_maximum,    2, 1, 2, 1, 0},
    {"maximum",  gr_maximum,    1, 2, 2, 0, 1},
    {"maximum",  gr_maximum,    NAN, 2, NAN, 1, 1},
    {"maximum",  gr_maximum,    2, NAN, NAN, 1, 1},
    {"minimum",  gr_minimum,    2, 2, 2, 0.5, 0.5},
    {"minimum",  gr_minimum,    2, 1, 1, 0, 1},
    {"minimum",  gr_minimum,    NAN, 2, NAN, 1, 1},
    {"minimum",  gr_minimum,    2, NAN, NAN, 1, 1},
    {"div",      gr_div,        1, 0, INF, INF, -INF},
};
/* clang-format on */

/* NaN where NaN is expected, the same infinity, or close. */
static bool is(double actual, double expected, double tolerance)
{
    if (isnan(expected) || isnan(actual)) return isnan(expected) && isnan(actual);
    return actual == expected || fabs(actual - expected) <= tolerance * fabs(expected);
}

static void check_point(gr_graph *g, const point *p, gr_type type, bool record)
{
    const int failures = test_failures;
    const double tolerance = type == GR_F32 ? 1e-6 : 1e-15;
    const gr_scope scope = gr_scope_begin(g);
    gr_tensor in[2] = {gr_scalar(g, type, p->a), gr_scalar(g, type, p->b)}, by[2];
    for (int i = 0; i < 2; i++) in[i] = gr_set_requires_grad(gr_keep(in[i]), true);
    const gr_tensor y = p->f(in[0], in[1]);
    CHECK(is(gr_item(y), p->value, tolerance));
    CHECK(gr_grad(1, &y, 2, in, NULL, &(gr_grad_options){.record = record}, by) == GR_OK);
    CHECK(is(gr_item(by[0]), p->by_a, tolerance));
    CHECK(is(gr_item(by[1]), p->by_b, tolerance));
    if (test_failures > failures)
        printf("  %s %s at %g, %g%s: %g, %g, %g\n", gr_type_name(type), p->what, p->a, p->b,
               record ? ", recorded" : "", gr_item(y), gr_item(by[0]), gr_item(by[1]));
    for (int i = 0; i < 2; i++) gr_release(in[i]);
    gr_scope_end(scope, 0, NULL);
}

static void test_points(void)
{
    gr_graph *g = gr_graph_create(NULL);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        for (int k = 0; k < 4; k++) check_point(g, &points[i], k & 1 ? GR_F32 : GR_F64, k & 2);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* ---- Rows ---------------------------------------------------------------------------------------------- */

enum { N = 4 };

static gr_tensor max_of(gr_tensor x) { return gr_max(x, GR_ALL_AXES, false); }
static gr_tensor logsumexp_of(gr_tensor x) { return gr_logsumexp(x, GR_ALL_AXES, false); }
static gr_tensor softmax_first(gr_tensor x) { return gr_select(gr_softmax(x, 0), 0, 0); }
static gr_tensor log_softmax_first(gr_tensor x) { return gr_select(gr_log_softmax(x, 0), 0, 0); }

typedef struct points_row {
    const char *what;
    gr_tensor (*f)(gr_tensor x);
    double x[N], value, by_x[N];
} points_row;

static const double third = 1.0 / 3, ln2 = 0.69314718055994531;

static void check_row(gr_graph *g, const points_row *r, gr_type type, bool record)
{
    const int failures = test_failures;
    /* Derivatives are e^(x - y) with a rounded y: they have the digits that y has behind its point. */
    const double digits = fabs(r->value) < INF ? fmax(1, fabs(r->value)) : 1;
    const double tolerance = (type == GR_F32 ? 1e-7 : 1e-15) * 4 * digits;
    const gr_scope scope = gr_scope_begin(g);
    const gr_tensor x = gr_set_requires_grad(
        gr_keep(gr_cast(gr_constant(g, GR_F64, GR_SHAPE(N), r->x), type)), true);
    const gr_tensor y = r->f(x);
    gr_tensor by;
    CHECK(is(gr_item(y), r->value, tolerance));
    CHECK(gr_grad(1, &y, 1, &x, NULL, &(gr_grad_options){.record = record}, &by) == GR_OK);
    for (int i = 0; i < N; i++) CHECK(is(GR_AT(by, i), r->by_x[i], tolerance));
    if (test_failures > failures)
        printf("  %s %s%s of %g, %g, %g, %g: %g by %g, %g, %g, %g\n", gr_type_name(type), r->what,
               record ? ", recorded" : "", r->x[0], r->x[1], r->x[2], r->x[3], gr_item(y), GR_AT(by, 0),
               GR_AT(by, 1), GR_AT(by, 2), GR_AT(by, 3));
    gr_release(x);
    gr_scope_end(scope, 0, NULL);
}

/* Large values, infinite ones and ties in reductions of a row. */
static void test_rows(void)
{
    const points_row rows[] = {
        {"max", max_of, {5, 1, 5, 5}, 5, {third, 0, third, third}},
        {"max", max_of, {-INF, -INF, -INF, -INF}, -INF, {0.25, 0.25, 0.25, 0.25}},
        {"max", max_of, {1, NAN, 3, 2}, NAN, {NAN, NAN, NAN, NAN}},
        {"logsumexp", logsumexp_of, {3e4, 3e4, -3e4, -INF}, 3e4 + ln2, {0.5, 0.5, 0, 0}},
        {"logsumexp", logsumexp_of, {-3e4, -3e4, -INF, -INF}, -3e4 + ln2, {0.5, 0.5, 0, 0}},
        {"logsumexp", logsumexp_of, {-INF, -INF, -INF, -INF}, -INF, {0, 0, 0, 0}},
        {"softmax", softmax_first, {3e4, 3e4, -3e4, -INF}, 0.5, {0.25, -0.25, 0, 0}},
        {"softmax", softmax_first, {-3e4, -3e4, -INF, -INF}, 0.5, {0.25, -0.25, 0, 0}},
        {"log_softmax", log_softmax_first, {3e4, 3e4, -3e4, -INF}, -ln2, {0.5, -0.5, 0, 0}},
        {"log_softmax", log_softmax_first, {-3e4, -3e4, -INF, -INF}, -ln2, {0.5, -0.5, 0, 0}},
    };
    gr_graph *g = gr_graph_create(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int k = 0; k < 4; k++) check_row(g, &rows[i], k & 1 ? GR_F32 : GR_F64, k & 2);
    CHECK(gr_item(logsumexp_of(gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){INF, 1}))) == INF);
    CHECK(gr_item(logsumexp_of(gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){INF, -INF}))) == INF);
    CHECK(isnan(gr_item(logsumexp_of(gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){INF, NAN})))));
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* Far out, sigmoid and softplus are e^x and not 0: no digits are lost. */
static void test_tails(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const double far = -720; /* e^720 overflows; e^-720 is there, but subnormal */
    CHECK_NEAR(gr_item(gr_sigmoid(gr_scalar(g, GR_F64, far))) / exp(far), 1, 1e-14);
    CHECK_NEAR(gr_item(gr_softplus(gr_scalar(g, GR_F64, -40))) / exp(-40), 1, 1e-14);
    CHECK_NEAR(gr_item(gr_sigmoid(gr_scalar(g, GR_F32, -95))) / exp(-95), 1, 1e-3);
    gr_graph_destroy(g);
}

/* As C converts, and INT32_MIN where C does not say. */
static void test_casts(void)
{
    static const struct {
        double from, to_i32;
        bool to_bool;
    } rows[] = {{0, 0, false},
                {-0.0, 0, false},
                {0.5, 0, true},
                {-0.75, 0, true},
                {256, 256, true},
                {-2.9, -2, true},
                {NAN, INT32_MIN, true},
                {INF, INT32_MIN, true},
                {-INF, INT32_MIN, true},
                {2147483647.5, INT32_MAX, true},
                {2147483648.0, INT32_MIN, true},
                {-2147483648.5, INT32_MIN, true},
                {-2147483649.0, INT32_MIN, true}};
    gr_graph *g = gr_graph_create(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const gr_tensor x = gr_scalar(g, GR_F64, rows[i].from);
        CHECK(gr_item(gr_cast(x, GR_I32)) == rows[i].to_i32);
        CHECK(gr_item(gr_cast(x, GR_BOOL)) == rows[i].to_bool);
        CHECK(gr_item(gr_cast(gr_cast(x, GR_F32), GR_BOOL)) == rows[i].to_bool);
    }
    CHECK(gr_item(gr_cast(gr_scalar(g, GR_F32, 0x1p31), GR_I32)) == INT32_MIN);
    CHECK(gr_item(gr_cast(gr_scalar(g, GR_I32, 512), GR_BOOL)) == 1);
    CHECK(gr_item(gr_cast(gr_scalar(g, GR_BOOL, 7), GR_F32)) == 1);
    gr_graph_destroy(g);
}

/* A probability next to 1 has a logarithm next to 0, of which no digit may be lost. */
static void test_log_softmax_near_zero(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(2, 3), (double[]){-40, 0, -41, 700, 664, -1e300});
    const gr_tensor y = gr_log_softmax(x, -1);
    const double first = exp(-40.0) + exp(-41.0), second = exp(-36.0);
    CHECK_NEAR(GR_AT(y, 0, 1) / -first, 1, 1e-15);
    CHECK_NEAR(GR_AT(y, 1, 0) / -second, 1, 1e-15);
    CHECK_NEAR(GR_AT(y, 0, 0), -40, 1e-14);
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_points);
    RUN(test_rows);
    RUN(test_tails);
    RUN(test_casts);
    RUN(test_log_softmax_near_zero);
    return TEST_EXIT;
}
