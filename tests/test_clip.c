/*
 * Clipping of gradients: by the norm of all together, against sums in long double, at the ends of the ranges of f32 and
 * f64; by value; what is skipped, what is refused, and that a refusal changes nothing.
 */
#include "gradus.h"
#include "ledger.h"
#include "test.h"

static const double inf = (double)INFINITY, nan_ = (double)NAN;

static gr_tensor total(gr_tensor x) { return gr_sum(x, GR_ALL_AXES, false); }

/* A parameter whose gradient is what is written here. */
static gr_tensor with_gradient(gr_graph *g, const char *name, gr_type type, gr_shape shape,
                               const void *gradient)
{
    const gr_tensor p = gr_param(g, name, type, shape, NULL);
    CHECK(gr_backward(total(p)) == GR_OK);
    CHECK(gr_write(gr_gradient(p), gradient, gr_count(p)) == GR_OK);
    gr_graph_reset(g);
    return p;
}

static void expect(gr_graph *g, gr_status status, const char *part)
{
    CHECK(gr_graph_status(g) == status);
    CHECK_TEXT(gr_graph_error(g), part);
    gr_graph_clear_error(g);
}

/* ---- By norm ---- */

static void test_norm(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = with_gradient(g, "a", GR_F64, GR_SHAPE(2, 2), (double[]){1, -2, 3, -4});
    const gr_tensor b = with_gradient(g, "b", GR_F32, GR_SHAPE(3), (float[]){0.5f, 0, -6});
    const gr_tensor c = with_gradient(g, "c", GR_F64, GR_SCALAR, &(double){7});
    const double expected = sqrt(1 + 4 + 9 + 16 + 0.25 + 36 + 49);
    double norm = 0;
    CHECK(gr_clip_grad_norm(g, 100, 0, NULL, &norm) == GR_OK);
    CHECK_NEAR(norm, expected, 1e-14);
    CHECK(GR_AT(gr_gradient(a), 1, 1) == -4 && GR_AT(gr_gradient(b), 2) == -6 &&
          gr_item(gr_gradient(c)) == 7);
    CHECK(gr_clip_grad_norm(g, inf, 0, NULL, &norm) == GR_OK); /* only measures */
    CHECK_NEAR(norm, expected, 1e-14);
    CHECK(GR_AT(gr_gradient(a), 1, 1) == -4);
    CHECK(gr_clip_grad_norm(g, 2, 0, NULL, &norm) == GR_OK);
    CHECK_NEAR(norm, expected, 1e-14);
    const double factor = 2 / (expected + 1e-6); /* PyTorch's */
    CHECK_NEAR(GR_AT(gr_gradient(a), 0, 1), -2 * factor, 1e-15);
    CHECK_NEAR(GR_AT(gr_gradient(b), 2), -6 * factor, 1e-7);
    CHECK_NEAR(gr_item(gr_gradient(c)), 7 * factor, 1e-15);
    CHECK(gr_clip_grad_norm(g, 1, 0, NULL, &norm) == GR_OK);
    CHECK_NEAR(norm, 2, 2e-6); /* it is what it was asked to be */
    /* a part of the parameters: the others count for nothing and stay */
    gr_write(gr_gradient(c), &(double){3}, 1);
    const double before = GR_AT(gr_gradient(a), 0, 0);
    CHECK(gr_clip_grad_norm(g, 1.5, 1, &c, &norm) == GR_OK);
    CHECK(norm == 3 && GR_AT(gr_gradient(a), 0, 0) == before);
    CHECK_NEAR(gr_item(gr_gradient(c)), 1.5 * 3 / (3 + 1e-6), 1e-15);
    CHECK(gr_clip_grad_norm(g, 0, 0, NULL, NULL) == GR_OK); /* all gone */
    CHECK(GR_AT(gr_gradient(a), 0, 0) == 0 && gr_item(gr_gradient(c)) == 0);
    CHECK(gr_clip_grad_norm(g, 0, 0, NULL, &norm) == GR_OK && norm == 0);
    CHECK(gr_clip_grad_norm(g, 1, 0, NULL, &norm) == GR_OK && norm == 0);
    gr_graph_destroy(g);
}

/* Squares that neither type can hold. */
static void test_ranges(void)
{
    static const double f64[] = {3e200, 4e200, 3e-200, 4e-200, 3e307, 4e307, 3e-320, 4e-320, 3, 4};
    static const float f32[] = {3e30f, 4e30f, 3e-40f, 4e-40f, 1.8e38f, 2.4e38f};
    for (int i = 0; i < 10; i += 2) {
        gr_graph *g = gr_graph_create(NULL);
        const gr_tensor p = with_gradient(g, "p", GR_F64, GR_SHAPE(2), f64 + i);
        double norm;
        const double size = hypot(f64[i], f64[i + 1]);
        CHECK(gr_clip_grad_norm(g, inf, 0, NULL, &norm) == GR_OK);
        CHECK_NEAR(norm / size, 1, size < 1e-300 ? 1e-3 : 1e-15);
        CHECK(gr_clip_grad_norm(g, 1, 0, NULL, &norm) == GR_OK);
        const double factor = size > 1 ? 1 / (size + 1e-6) : 1;
        CHECK_NEAR(GR_AT(gr_gradient(p), 0), f64[i] * factor, 1e-15);
        CHECK_NEAR(GR_AT(gr_gradient(p), 1), f64[i + 1] * factor, 1e-15);
        gr_graph_destroy(g);
    }
    for (int i = 0; i < 6; i += 2) {
        gr_graph *g = gr_graph_create(NULL);
        const gr_tensor p = with_gradient(g, "p", GR_F32, GR_SHAPE(2), f32 + i);
        double norm;
        const double size = hypot((double)f32[i], (double)f32[i + 1]);
        CHECK(gr_clip_grad_norm(g, 1, 0, NULL, &norm) == GR_OK);
        CHECK_NEAR(norm / size, 1, 1e-14);
        CHECK_NEAR(GR_AT(gr_gradient(p), 1), size > 1 ? (double)f32[i + 1] / size : (double)f32[i + 1], 1e-6);
        gr_graph_destroy(g);
    }
}

/* A norm that is no f64 any more still gives the direction. */
static void test_norm_beyond_f64(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor p = with_gradient(g, "p", GR_F64, GR_SHAPE(4),
                                      (double[]){1.5e308, -1.5e308, 1.5e308, 1.5e308});
    double norm;
    CHECK(gr_clip_grad_norm(g, 1, 0, NULL, &norm) == GR_OK);
    CHECK(norm == inf);
    for (int i = 0; i < 4; i++) CHECK_NEAR(GR_AT(gr_gradient(p), i), i == 1 ? -0.5 : 0.5, 1e-14);
    gr_graph_destroy(g);
}

/* Many elements, in several blocks: against the sum in long double, and the same for any number of threads. */
static void test_many(void)
{
    enum { MANY = 100003 };
    static double values[MANY];
    static float narrow[MANY];
    long double sum = 0, sum_narrow = 0;
    for (int i = 0; i < MANY; i++) {
        values[i] = sin(i) * exp(5 * cos(3 * i));
        narrow[i] = (float)values[i];
        sum += (long double)values[i] * (long double)values[i];
        sum_narrow += (long double)narrow[i] * (long double)narrow[i];
    }
    double first[2] = {0, 0};
    for (int threads = 1; threads < 4; threads++) {
        gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = threads});
        const gr_tensor p = with_gradient(g, "p", GR_F64, GR_SHAPE(MANY), values),
                        q = with_gradient(g, "q", GR_F32, GR_SHAPE(MANY), narrow);
        double norm[2];
        CHECK(gr_clip_grad_norm(g, 1, 1, &p, &norm[0]) == GR_OK &&
              gr_clip_grad_norm(g, 1, 1, &q, &norm[1]) == GR_OK);
        CHECK_NEAR(norm[0] / (double)sqrtl(sum), 1, 1e-14);
        CHECK_NEAR(norm[1] / (double)sqrtl(sum_narrow), 1, 1e-14);
        if (threads == 1) memcpy(first, norm, sizeof norm);
        CHECK(memcmp(first, norm, sizeof norm) == 0);
        CHECK_NEAR(GR_AT(gr_gradient(p), MANY - 1), values[MANY - 1] / first[0], 1e-9);
        gr_graph_destroy(g);
    }
}

/* Whatever the place of the element that is not finite: an error that names the parameter, and nothing is changed. */
static void test_not_finite(void)
{
    for (int place = 0; place < 19; place++)
        for (int kind = 0; kind < 3; kind++) {
            gr_graph *g = gr_graph_create(NULL);
            double values[19];
            for (int i = 0; i < 19; i++) values[i] = i + 1;
            const gr_tensor a = with_gradient(g, "a", GR_F64, GR_SCALAR, &(double){5});
            values[place] = kind == 0 ? nan_ : kind == 1 ? inf : -inf;
            with_gradient(g, "layer.bad", GR_F64, GR_SHAPE(19), values);
            double norm;
            CHECK(gr_clip_grad_norm(g, 1, 0, NULL, &norm) == GR_ERR_NOT_FINITE);
            CHECK(isnan(norm) && gr_item(gr_gradient(a)) == 5);
            expect(g, GR_ERR_NOT_FINITE,
                   kind == 0 ? "clip_grad_norm: the gradient of layer.bad has nan in it"
                             : "clip_grad_norm: the gradient of layer.bad has infinity in it");
            CHECK(gr_clip_grad_norm(g, 1, 1, &a, &norm) == GR_OK && norm == 5); /* the others go on */
            gr_graph_destroy(g);
        }
}

/* ---- By value ---- */

static void test_value(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const double values[] = {1, -2, 0.5, -0.5, inf, -inf, nan_, 0, 1e300, -1e-300};
    const gr_tensor a = with_gradient(g, "a", GR_F64, GR_SHAPE(10), values);
    const gr_tensor b = with_gradient(g, "b", GR_F32, GR_SHAPE(2), (float[]){3e38f, -0.75f});
    CHECK(gr_clip_grad_value(g, 1e301, 0, NULL) == GR_OK);
    CHECK(GR_AT(gr_gradient(a), 4) == 1e301 && GR_AT(gr_gradient(a), 8) == 1e300);
    CHECK(GR_AT(gr_gradient(b), 0) == (double)3e38f);
    CHECK(gr_clip_grad_value(g, 0.5, 1, &a) == GR_OK);
    for (int i = 0; i < 10; i++) {
        const double x = GR_AT(gr_gradient(a), i);
        if (isnan(values[i]))
            CHECK(isnan(x));
        else
            CHECK(x == fmin(fmax(values[i], -0.5), 0.5));
    }
    CHECK(GR_AT(gr_gradient(b), 1) == -0.75);
    CHECK(gr_clip_grad_value(g, 0, 1, &b) == GR_OK && GR_AT(gr_gradient(b), 0) == 0);
    gr_graph_destroy(g);
}

/* ---- What counts ---- */

static void test_skipped(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = with_gradient(g, "a", GR_F64, GR_SCALAR, &(double){3}),
                    frozen = with_gradient(g, "frozen", GR_F64, GR_SCALAR, &(double){4});
    const gr_tensor none = gr_param(g, "none", GR_F64, GR_SCALAR, NULL),
                    empty = gr_param(g, "empty", GR_F64, GR_SHAPE(0, 2), NULL);
    CHECK(gr_backward(total(empty)) == GR_OK);
    gr_set_requires_grad(frozen, false);
    double norm;
    CHECK(gr_clip_grad_norm(g, 1, 0, NULL, &norm) == GR_OK && norm == 3);
    CHECK(gr_item(gr_gradient(frozen)) == 4);
    CHECK(gr_clip_grad_value(g, 0.25, 0, NULL) == GR_OK && gr_item(gr_gradient(frozen)) == 4 &&
          gr_item(gr_gradient(a)) == 0.25);
    CHECK(gr_clip_grad_norm(g, 1, 1, &none, &norm) == GR_ERR_NO_GRADIENT);
    expect(g, GR_ERR_NO_GRADIENT, "clip_grad_norm: none of 1 parameters has a gradient");
    CHECK(gr_clip_grad_value(g, 1, 1, &frozen) == GR_ERR_NO_GRADIENT);
    expect(g, GR_ERR_NO_GRADIENT, "clip_grad_value: none of 1 parameters has a gradient");
    CHECK(gr_clip_grad_norm(g, 1, 1, &empty, &norm) == GR_OK && norm == 0);
    gr_graph_destroy(g);
}

/* A tensor that shares the elements of a gradient keeps the old ones, and a use of the gradient is noticed. */
static void test_shared_gradient(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = with_gradient(g, "a", GR_F64, GR_SHAPE(20), (double[20]){3, 4});
    const gr_tensor before = gr_keep(gr_gradient(a));
    gr_set_requires_grad(before, true);
    const gr_tensor used = total(gr_mul(before, gr_gradient(a)));
    CHECK(gr_clip_grad_norm(g, 1, 0, NULL, NULL) == GR_OK);
    CHECK(GR_AT(before, 0) == 3 && GR_AT(gr_gradient(a), 0) < 1);
    CHECK(gr_backward(used) == GR_ERR_MODIFIED);
    gr_graph_destroy(g);
}

/* Norms by p, against long double, from the smallest numbers to the largest; the factor is that norm's. */
static void test_other_norms(void)
{
    static const double sizes[] = {1, 1e-300, 1e300}, powers[] = {1, 3, 0.5, 2, 70};
    for (int s = 0; s < 3; s++) {
        gr_graph *g = gr_graph_create(NULL);
        double x[20];
        for (int i = 0; i < 20; i++) x[i] = sizes[s] * sin(i + 1);
        const gr_tensor a = with_gradient(g, "a", GR_F64, GR_SHAPE(20), x);
        const gr_tensor b = with_gradient(g, "b", GR_F32, GR_SHAPE(2), (float[]){s ? 0 : -3, 0});
        double norm = 0;
        for (int k = 0; k < 5; k++) {
            long double sum = s ? 0 : powl(3, powers[k]);
            for (int i = 0; i < 20; i++) sum += powl(fabsl((long double)x[i] / sizes[s]), powers[k]);
            const double expected = (double)powl(sum, 1 / (long double)powers[k]) * sizes[s];
            CHECK(gr_clip_grad_norm_p(g, inf, powers[k], 0, NULL, &norm) == GR_OK);
            CHECK_NEAR(norm / expected, 1, 1e-14);
        }
        const double most = s ? sizes[s] * sin(11) : -3;
        CHECK(gr_clip_grad_norm_p(g, inf, inf, 0, NULL, &norm) == GR_OK && norm == fabs(most));
        CHECK(GR_AT(gr_gradient(a), 3) == x[3]);
        const double half = fabs(most) / 2;
        CHECK(gr_clip_grad_norm_p(g, half, inf, 0, NULL, NULL) == GR_OK);
        if (s == 0) CHECK_NEAR(GR_AT(gr_gradient(a), 3), x[3] * half / (2 * half + 1e-6), 1e-16);
        if (s == 0) CHECK_NEAR(GR_AT(gr_gradient(b), 0), -1.5, 1e-6);
        if (s == 2) CHECK_NEAR(GR_AT(gr_gradient(a), 3) / x[3], 0.5, 1e-15);
        CHECK(gr_clip_grad_norm_p(g, 1, 0, 0, NULL, &norm) == GR_ERR_ARGUMENT && isnan(norm));
        expect(g, GR_ERR_ARGUMENT, "clip_grad_norm: p must be positive, and is 0");
        CHECK(gr_clip_grad_norm_p(g, 1, nan_, 0, NULL, &norm) == GR_ERR_ARGUMENT);
        gr_graph_destroy(g);
    }
}

static void test_misuse(void)
{
    gr_graph *g = gr_graph_create(NULL), *other = gr_graph_create(NULL);
    double norm = 0;
    CHECK(gr_clip_grad_norm(NULL, 1, 0, NULL, &norm) == GR_ERR_HANDLE && isnan(norm));
    CHECK(gr_clip_grad_value(NULL, 1, 0, NULL) == GR_ERR_HANDLE);
    CHECK(gr_clip_grad_norm(g, 1, 0, NULL, NULL) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "clip_grad_norm: the graph has no parameters yet");
    const gr_tensor a = with_gradient(g, "a", GR_F64, GR_SCALAR, &(double){3}),
                    data = gr_constant(g, GR_F64, GR_SCALAR, NULL),
                    foreign = gr_param(other, "foreign", GR_F64, GR_SCALAR, NULL);
    CHECK(gr_clip_grad_norm(g, -1, 0, NULL, NULL) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "clip_grad_norm: max_norm must not be negative, and is -1");
    CHECK(gr_clip_grad_norm(g, nan_, 0, NULL, NULL) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "clip_grad_norm: max_norm");
    CHECK(gr_clip_grad_value(g, -0.5, 0, NULL) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "clip_grad_value: limit must not be negative, and is -0.5");
    CHECK(gr_clip_grad_value(g, 1, 2, (gr_tensor[]){a, a}) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "clip_grad_value: parameter a is listed twice");
    CHECK(gr_clip_grad_value(g, 1, 1, &data) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "is not a parameter");
    CHECK(gr_clip_grad_value(g, 1, 1, &foreign) == GR_ERR_GRAPH);
    expect(g, GR_ERR_GRAPH, "clip_grad_value: parameter 1 belongs to another graph");
    const gr_tensor none = GR_NONE;
    CHECK(gr_clip_grad_value(g, 1, 1, &none) == GR_ERR_HANDLE);
    expect(g, GR_ERR_HANDLE, "clip_grad_value: parameter 1 is an invalid handle");
    CHECK(gr_clip_grad_value(g, 1, -1, &a) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "clip_grad_value: -1 parameters");
    CHECK(gr_clip_grad_value(g, 1, 1, NULL) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "clip_grad_value: 1 parameters at NULL");
    gr_graph_fail(g, GR_ERR_CALLBACK, "pending");
    CHECK(gr_clip_grad_norm(g, 1, 0, NULL, NULL) == GR_ERR_CALLBACK && gr_item(gr_gradient(a)) == 3);
    gr_graph_clear_error(g);
    gr_release(a);
    CHECK(gr_clip_grad_value(g, 1, 1, &a) == GR_ERR_STALE);
    expect(g, GR_ERR_STALE, "clip_grad_value: stale handle");
    gr_graph_destroy(g);
    gr_graph_destroy(other);
}

/* The second gradient cannot be made writable: the first one is as it was. */
static void test_memory_runs_out(void)
{
    ledger books = {0};
    gr_graph *g = ledger_graph(&books, 0);
    static double big[5000];
    big[0] = 9;
    const gr_tensor a = with_gradient(g, "a", GR_F64, GR_SCALAR, &(double){3});
    const gr_tensor b = with_gradient(g, "b", GR_F64, GR_SHAPE(5000), big);
    const gr_tensor share = gr_keep(gr_gradient(b));
    gr_graph_trim(g);
    books.fail_at = books.calls + 1;
    books.fail_after = true;
    CHECK(gr_clip_grad_norm(g, 1, 0, NULL, NULL) == GR_ERR_MEMORY);
    CHECK(gr_item(gr_gradient(a)) == 3 && GR_AT(gr_gradient(b), 0) == 9);
    books.fail_at = 0;
    gr_graph_clear_error(g);
    CHECK(gr_clip_grad_norm(g, 1, 0, NULL, NULL) == GR_OK && GR_AT(share, 0) == 9);
    gr_graph_destroy(g);
    CHECK(ledger_balances(&books));
}

int main(void)
{
    RUN(test_norm);
    RUN(test_ranges);
    RUN(test_norm_beyond_f64);
    RUN(test_many);
    RUN(test_not_finite);
    RUN(test_value);
    RUN(test_skipped);
    RUN(test_shared_gradient);
    RUN(test_other_norms);
    RUN(test_misuse);
    RUN(test_memory_runs_out);
    return TEST_EXIT;
}
