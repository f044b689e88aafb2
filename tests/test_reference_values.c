/*
 * Values and slopes against numbers that another implementation computed: reference/ says which. So definitions, defaults
 * and what happens at corners are the ones that people know, in f64 to 12 digits, in f32 to 5.
 *
 * Where Gradus differs on purpose, as its headers say, the tables have no point; docs/kinks.md has.
 */
#include "test.h"
#include "gradus.h"

#define INF ((double)INFINITY)

typedef struct unary_reference {
    const char *name;
    gr_tensor (*f)(gr_tensor x);
    int n;
    const double (*v)[3]; /* x, value, slope */
} unary_reference;

typedef struct number_reference {
    const char *name;
    gr_tensor (*with1)(gr_tensor x, double p);
    gr_tensor (*with2)(gr_tensor x, double p, double q);
    double p, q;
    int n;
    const double (*v)[3];
} number_reference;

typedef struct binary_reference {
    const char *name;
    gr_tensor (*f)(gr_tensor a, gr_tensor b);
    int n;
    const double (*v)[5]; /* a, b, value, slopes by a and b */
} binary_reference;

#define ROWS(N, ...) \
    (int)(sizeof((const double[][N]){__VA_ARGS__}) / sizeof(double[N])), (const double[][N]) { __VA_ARGS__ }
#define UNARY(NAME, ...)                       \
    {                                          \
#        NAME, gr_##NAME, ROWS(3, __VA_ARGS__) \
    }
#define WITH1(NAME, P, ...)                                \
    {                                                      \
#        NAME, gr_##NAME, NULL, P, 0, ROWS(3, __VA_ARGS__) \
    }
#define WITH2(NAME, P, Q, ...)                             \
    {                                                      \
#        NAME, NULL, gr_##NAME, P, Q, ROWS(3, __VA_ARGS__) \
    }
#define BINARY(NAME, ...)                      \
    {                                          \
#        NAME, gr_##NAME, ROWS(5, __VA_ARGS__) \
    }

#include "reference/elementwise.h"
#include "reference/activations.h"

#define LENGTH(TABLE) (int)(sizeof(TABLE) / sizeof *(TABLE))

typedef struct loss_reference {
    const char *name;
    struct {
        gr_tensor (*two)(gr_tensor y, gr_tensor target, const gr_loss_options *o);
        gr_tensor (*three)(gr_tensor a, gr_tensor b, gr_tensor c, const gr_loss_options *o);
    } f;
    gr_loss_options o;         /* of the weights, handles that stand for those of the tables */
    const double *operands[3]; /* [3, 4] each */
    const int32_t *labels;     /* [3], in place of a second operand */
    int n;
    const double *value, *by[3];
} loss_reference;
#define REFERENCE1(KEY) \
    LENGTH(KEY##_value), KEY##_value, { KEY##_by_0 }
#define REFERENCE2(KEY) \
    LENGTH(KEY##_value), KEY##_value, { KEY##_by_0, KEY##_by_1 }
#define REFERENCE3(KEY) \
    LENGTH(KEY##_value), KEY##_value, { KEY##_by_0, KEY##_by_1, KEY##_by_2 }
#define STAND_IN   \
    {              \
        NULL, 1, 0 \
    }
#define CLASS_WEIGHTS   STAND_IN
#define POSITIVE_WEIGHT STAND_IN

#include "reference/losses.h"

enum { MOST = 64 };

static gr_graph *g;

/* NaN where NaN is expected, the same infinity, or close. What f32 cannot hold is not asked of it. */
static bool is(double actual, double expected, gr_type type)
{
    if (isnan(expected) || isnan(actual)) return isnan(expected) && isnan(actual);
    if (type == GR_F32 && fabs(expected) > 1e38) return true;
    const double tolerance = type == GR_F32 ? 2e-5 * fabs(expected) + 1e-6 : 1e-12 * fabs(expected) + 1e-15;
    return actual == expected || fabs(actual - expected) <= tolerance;
}

/* Operand k of rows of `width` numbers. */
static gr_tensor operand(const double *rows, int n, int width, int k, gr_type type)
{
    double column[MOST];
    for (int i = 0; i < n; i++) column[i] = rows[i * width + k];
    const gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(n), column);
    return gr_set_requires_grad(gr_keep(gr_cast(x, type)), true);
}

/* y and the slopes by x[0], ..., against rows of operands, value, slopes. */
static void check_rows(const char *name, gr_tensor y, int n_operands, gr_tensor *x, const double *rows, int n)
{
    const gr_type type = gr_type_of(x[0]);
    const gr_tensor ones = gr_ones(g, type, GR_SHAPE(n));
    const int width = 2 * n_operands + 1;
    CHECK(n <= MOST && gr_graph_status(g) == GR_OK);
    for (int record = 0; record < 2; record++) {
        gr_tensor by[2];
        CHECK(gr_grad(1, &y, n_operands, x, &ones, &(gr_grad_options){.record = record == 1, .retain = true},
                      by) == GR_OK);
        for (int i = 0; i < n; i++) {
            const double *row = rows + i * width;
            bool good = is(GR_AT(y, i), row[n_operands], type);
            for (int k = 0; k < n_operands; k++) good &= is(GR_AT(by[k], i), row[n_operands + 1 + k], type);
            CHECK(good);
            if (good) continue;
            printf("  %s, %s, at %.17g", name, gr_type_name(type), row[0]);
            for (int k = 1; k < n_operands; k++) printf(", %.17g", row[k]);
            printf(": %.17g", GR_AT(y, i));
            for (int k = 0; k < n_operands; k++) printf(", %.17g", GR_AT(by[k], i));
            printf("; expected %.17g", row[n_operands]);
            for (int k = 0; k < n_operands; k++) printf(", %.17g", row[n_operands + 1 + k]);
            printf("\n");
        }
    }
    for (int k = 0; k < n_operands; k++) gr_release(x[k]);
    gr_graph_reset(g);
}

static void check_unary(const unary_reference *table, int n, gr_type type)
{
    for (const unary_reference *r = table; r < table + n; r++) {
        gr_tensor x = operand(r->v[0], r->n, 3, 0, type);
        check_rows(r->name, r->f(x), 1, &x, r->v[0], r->n);
    }
}

static void check_numbers(const number_reference *table, int n, gr_type type)
{
    for (const number_reference *r = table; r < table + n; r++) {
        gr_tensor x = operand(r->v[0], r->n, 3, 0, type);
        check_rows(r->name, r->with1 ? r->with1(x, r->p) : r->with2(x, r->p, r->q), 1, &x, r->v[0], r->n);
    }
}

static void check_binary(const binary_reference *table, int n, gr_type type)
{
    for (const binary_reference *r = table; r < table + n; r++) {
        gr_tensor x[2] = {operand(r->v[0], r->n, 5, 0, type), operand(r->v[0], r->n, 5, 1, type)};
        check_rows(r->name, r->f(x[0], x[1]), 2, x, r->v[0], r->n);
    }
}

static void elementwise(gr_type type)
{
    check_unary(elementwise_unary, LENGTH(elementwise_unary), type);
    check_numbers(elementwise_numbers, LENGTH(elementwise_numbers), type);
    check_binary(elementwise_binary, LENGTH(elementwise_binary), type);
}

/* ---- Activation functions ---- */

static gr_tensor leaf(gr_shape shape, const double *values, gr_type type)
{
    return gr_set_requires_grad(gr_keep(gr_cast(gr_constant(g, GR_F64, shape, values), type)), true);
}

static void check_array(const char *what, gr_tensor t, const double *expected, int n)
{
    double values[MOST];
    const gr_type type = gr_type_of(t);
    CHECK(gr_count(t) == n && n <= MOST);
    if (gr_count(t) != n || n > MOST) return;
    gr_read(gr_cast(t, GR_F64), values, n);
    for (int i = 0; i < n; i++) {
        const bool good = is(values[i], expected[i], type);
        CHECK(good);
        if (!good)
            printf("  %s[%d], %s: %.17g, expected %.17g\n", what, i, gr_type_name(type), values[i],
                   expected[i]);
    }
}
#define CHECK_ARRAY(TENSOR, EXPECTED) check_array(#EXPECTED, TENSOR, EXPECTED, LENGTH(EXPECTED))

/* Cotangents of 0.5, -1, 1.5, -2, ... */
static gr_tensor alternating(gr_tensor y)
{
    double values[MOST];
    for (int i = 0; i < MOST; i++) values[i] = 0.5 * (i + 1) * (i % 2 ? -1 : 1);
    return gr_cast(gr_constant(g, GR_F64, gr_shape_of(y), values), gr_type_of(y));
}

static void along_axes(gr_type type)
{
    gr_tensor by[2];
    const gr_tensor in[] = {leaf(GR_SHAPE(2, 3, 2), prelu_x, type), leaf(GR_SHAPE(3), prelu_slope, type)};
    gr_tensor y = gr_prelu(in[0], in[1]), u = alternating(y);
    gr_grad(1, &y, 2, in, &u, NULL, by);
    CHECK_ARRAY(y, prelu_y);
    CHECK_ARRAY(by[0], prelu_by_x);
    CHECK_ARRAY(by[1], prelu_by_slope);
    const gr_tensor x = leaf(GR_SHAPE(2, 4), glu_x, type);
    y = gr_glu(x, -1);
    u = alternating(y);
    gr_grad(1, &y, 1, &x, &u, NULL, by);
    CHECK_ARRAY(y, glu_y);
    CHECK_ARRAY(by[0], glu_by_x);
}

static void activations(gr_type type)
{
    check_unary(activation_unary, LENGTH(activation_unary), type);
    check_numbers(activation_numbers, LENGTH(activation_numbers), type);
    along_axes(type);
}

/* ---- Losses ---- */

static void check_loss(const loss_reference *r, gr_type type)
{
    gr_tensor x[3], by[3], weights;
    gr_loss_options o = r->o;
    int n = 0;
    for (; n < 3 && r->operands[n]; n++) x[n] = leaf(GR_SHAPE(3, 4), r->operands[n], type);
    weights = leaf(GR_SHAPE(4), o.class_weights.index ? loss_class_weights : loss_positive_weight, type);
    if (o.class_weights.index) o.class_weights = weights;
    if (o.positive_weight.index) o.positive_weight = weights;
    const gr_tensor labels = r->labels ? gr_constant(g, GR_I32, GR_SHAPE(3), r->labels) : GR_NONE;
    const gr_tensor y = r->f.three ? r->f.three(x[0], x[1], x[2], &o)
                                   : r->f.two(x[0], r->labels ? labels : x[1], &o);
    const gr_tensor u = o.reduction == GR_REDUCE_NONE ? alternating(y) : gr_ones(g, type, GR_SCALAR);
    CHECK(gr_ndim(y) == (r->n == 12 ? 2 : r->n == 3 ? 1 : 0));
    for (int record = 0; record < 2; record++) {
        gr_grad(1, &y, n, x, &u, &(gr_grad_options){.record = record == 1, .retain = true}, by);
        check_array(r->name, y, r->value, r->n);
        for (int k = 0; k < n; k++) check_array(r->name, by[k], r->by[k], 12);
    }
    for (int k = 0; k < n; k++) gr_release(x[k]);
    gr_release(weights);
    if (r->labels) gr_release(labels);
    gr_graph_reset(g);
}

static void of_losses(gr_type type)
{
    for (int i = 0; i < LENGTH(losses); i++) check_loss(&losses[i], type);
}

static void in_both_types(void (*test)(gr_type type))
{
    for (int i = 0; i < 2; i++) {
        g = gr_graph_create(NULL);
        test(i ? GR_F32 : GR_F64);
        CHECK(gr_graph_status(g) == GR_OK);
        gr_graph_destroy(g);
    }
}

static void test_elementwise(void) { in_both_types(elementwise); }
static void test_activations(void) { in_both_types(activations); }
static void test_losses(void) { in_both_types(of_losses); }

int main(void)
{
    RUN(test_elementwise);
    RUN(test_activations);
    RUN(test_losses);
    return TEST_EXIT;
}
