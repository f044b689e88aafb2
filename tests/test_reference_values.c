/*
 * Reductions, movement and linear algebra against numbers of another library: the values, and the gradients, that PyTorch 2.15
 * gives in f64 for the same operands and cotangents. Where a shape is given, it is PyTorch's.
 *
 * Operands are made of whole numbers by formulas, so that they are the same everywhere; so are cotangents. An array is compared by
 * a sum in which each element has a weight of its own.
 */
#include "test.h"

#include <gradus.h>

#include <stdint.h>

enum { MOST_OPERANDS = 4, MOST_ELEMENTS = 512 };

static gr_graph *g;

/* ---- Numbers ---- */

/* Element e of operand number `salt`. f: 64 different numbers; w: -2 to 2, with ties and zeros; m: a mask; i: an index in
   [0, size). */
static double element(char kind, int64_t e, int64_t salt, int64_t size)
{
    const int64_t k = e * 37 + salt * 11 + 5;
    return kind == 'f'   ? (double)(k % 64 - 31) / 16
           : kind == 'w' ? (double)(k % 5 - 2)
           : kind == 'm' ? (double)(k % 3 == 0)
                         : (double)(k % size);
}

static gr_tensor operand(char kind, gr_shape shape, int64_t salt, int64_t size)
{
    double v[MOST_ELEMENTS];
    int64_t n = 1;
    for (int i = 0; i < shape.ndim; i++) n *= shape.dims[i];
    CHECK(n <= MOST_ELEMENTS);
    for (int64_t e = 0; e < n; e++) v[e] = element(kind, e, salt, size);
    const gr_tensor x = gr_constant(g, GR_F64, shape, v);
    return kind == 'i' ? gr_cast(x, GR_I32) : kind == 'm' ? gr_cast(x, GR_BOOL) : x;
}

/* The sum of the elements, each with its weight; and of their sizes, which the rounding is a part of. */
static double digest(gr_tensor t, double *size)
{
    double v[MOST_ELEMENTS], sum = 0;
    const int64_t n = gr_count(t);
    CHECK(n <= MOST_ELEMENTS && gr_read(gr_cast(t, GR_F64), v, n) == GR_OK);
    for (int64_t e = 0; e < n; e++) {
        const double term = v[e] * (double)((e * 29 + 7) % 61 + 1) / 16;
        sum += term;
        *size += fabs(term);
    }
    return sum;
}

static void check_digest(gr_tensor t, double expected)
{
    double size = 1;
    const double found = digest(t, &size);
    CHECK_NEAR(found, expected, 1e-13 * size);
}

/* ---- What the rows are made of ---- */

/* The gradient of y by x, as a function of x, with the numbers of a fourth operand for the cotangent. */
static gr_tensor second(gr_tensor x, gr_tensor y)
{
    const gr_tensor u = operand('f', gr_shape_of(y), 4, 0);
    gr_tensor gradient;
    gr_grad(1, &y, 1, &x, &u, &(gr_grad_options){.record = true}, &gradient);
    return gradient;
}

#define S(...)                                           \
    {                                                    \
        GR_COUNT_(int64_t, __VA_ARGS__), { __VA_ARGS__ } \
    }
#define S0       \
    {            \
        0, { 0 } \
    }
#define ARGS(...)   \
    {               \
        __VA_ARGS__ \
    }

#define REDUCTIONS(X)                                                                                        \
    X(min_ties, "w", ARGS(S(3, 4)), 0, gr_min(x[0], GR_AXES(1), false), S(3), -6.25, ARGS(2.109375))         \
    X(max_ties, "w", ARGS(S(3, 4)), 0, gr_max(x[0], GR_AXES(0), true), S(1, 4), 7.6875, ARGS(-2.19140625))   \
    X(prod_zeros, "w", ARGS(S(5, 7)), 0, gr_prod(x[0], GR_AXES(1), false), S(5), 0, ARGS(-38.359375))        \
    X(prod_zero, "w", ARGS(S(6, 2)), 0, gr_prod(x[0], GR_AXES(1), true), S(6, 1), -5.375, ARGS(-5.49609375)) \
    X(prod_all, "f", ARGS(S(2, 3)), 0, gr_prod(x[0], GR_ALL_AXES, false), S0, -0.53268241882324219,          \
      ARGS(-3.0138122588396072))                                                                             \
    X(prod_twice, "f", ARGS(S(4, 3)), 0,                                                                     \
      gr_prod(gr_square(gr_prod(x[0], GR_AXES(1), false)), GR_ALL_AXES, false), S0, 0.0029302883171447853,   \
      ARGS(0.1046780069214254))                                                                              \
    X(prod_second, "w", ARGS(S(5, 3)), 0, second(x[0], gr_prod(x[0], GR_AXES(1), false)), S(5, 3),           \
      -9.29296875, ARGS(-6.553466796875))                                                                    \
    X(var_1, "f", ARGS(S(3, 4)), 0, gr_var(x[0], GR_AXES(1), 1, false), S(3), 5.90966796875,                 \
      ARGS(3.0419921874999996))                                                                              \
    X(var_0, "f", ARGS(S(3, 4)), 0, gr_var(x[0], GR_ALL_AXES, 0, true), S(1, 1), 0.64436848958333337,        \
      ARGS(0.92889404296875))                                                                                \
    X(std_1, "f", ARGS(S(2, 3, 4)), 0, gr_std(x[0], GR_AXES(0, 2), 1, true), S(1, 3, 1), 3.9877287393412306, \
      ARGS(1.0312006664138875))                                                                              \
    X(std_2, "f", ARGS(S(3, 4)), 0, gr_std(x[0], GR_AXES(1), 2, false), S(3), 5.2460230307676623,            \
      ARGS(1.7350586252101687))                                                                              \
    X(norm_1, "w", ARGS(S(3, 4)), 0, gr_vector_norm(x[0], 1, GR_AXES(1), false), S(3), 15.3125,              \
      ARGS(-7.61328125))                                                                                     \
    X(norm_2, "f", ARGS(S(3, 4)), 0, gr_vector_norm(x[0], 2, GR_AXES(0), true), S(1, 4), 10.777978038160017, \
      ARGS(2.3078153788562479))                                                                              \
    X(norm_inf, "w", ARGS(S(3, 4)), 0, gr_vector_norm(x[0], (double)INFINITY, GR_AXES(1), false), S(3),      \
      6.25, ARGS(-3.955078125))                                                                              \
    X(norm_least, "f", ARGS(S(3, 4)), 0, gr_vector_norm(x[0], (double)-INFINITY, GR_ALL_AXES, false), S0,    \
      0.09375, ARGS(-0.7734375))                                                                             \
    X(norm_0, "w", ARGS(S(3, 4)), 0, gr_vector_norm(x[0], 0, GR_AXES(1), false), S(3), 9.375, ARGS(0))       \
    X(norm_3, "w", ARGS(S(3, 4)), 0, gr_vector_norm(x[0], 3, GR_AXES(1), false), S(3), 7.9049903143612497,   \
      ARGS(-4.1037600030435266))                                                                             \
    X(norm_3_halves, "w", ARGS(S(3, 4)), 0, gr_vector_norm(x[0], 1.5, GR_ALL_AXES, true), S(1, 1),           \
      3.4521973154463867, ARGS(-1.9915755664319241))                                                         \
    X(norm_half, "w", ARGS(S(3, 4)), 0, gr_vector_norm(x[0], 0.5, GR_AXES(1), false), S(3),                  \
      44.865169529663682, ARGS(-22.613496697221862))                                                         \
    X(norm_minus_2, "f", ARGS(S(3, 4)), 0, gr_vector_norm(x[0], -2, GR_AXES(1), false), S(3),                \
      0.77659238125979368, ARGS(-3.1334274272555298))                                                        \
    X(argmax_ties, "w", ARGS(S(4, 6)), 0, gr_argmax(x[0], 1, false), S(4), 11.8125, ARGS(0))                 \
    X(argmin, "f", ARGS(S(4, 6)), 0, gr_argmin(x[0], 0, true), S(1, 6), 21, ARGS(0))                         \
    X(cumsum, "f", ARGS(S(2, 3, 4)), 0, gr_cumsum(x[0], 1), S(2, 3, 4), -15.5078125, ARGS(0.1953125))        \
    X(cumprod_zeros, "w", ARGS(S(5, 7)), 0, gr_cumprod(x[0], 1), S(5, 7), 4.5625, ARGS(32.26953125))         \
    X(cumprod_down, "w", ARGS(S(7, 5)), 0, gr_cumprod(x[0], -2), S(7, 5), 265.0625, ARGS(23.390625))         \
    X(cumprod_second, "w", ARGS(S(3, 5)), 0, second(x[0], gr_cumprod(x[0], 1)), S(3, 5), -11.12890625,       \
      ARGS(54.928955078125))                                                                                 \
    X(any, "m", ARGS(S(4, 3)), 0, gr_any(x[0], GR_AXES(1), false), S(4), 5.25, ARGS(0))                      \
    X(all, "m", ARGS(S(9, 1)), 0, gr_all(x[0], GR_AXES(1), true), S(9, 1), 4.1875, ARGS(0))                  \
    X(count_nonzero, "w", ARGS(S(3, 4)), 0, gr_count_nonzero(x[0], GR_AXES(0), false), S(4), 11, ARGS(0))

/* ---- The table ---- */

#define DEFINE(NAME, KINDS, SHAPES, SIZE, EXPRESSION, ...) \
    static gr_tensor f_##NAME(const gr_tensor *x) { return EXPRESSION; }
REDUCTIONS(DEFINE)

typedef struct row {
    const char *name, *kinds;
    gr_tensor (*f)(const gr_tensor *x);
    int64_t size; /* of what an index points into */
    gr_shape shapes[MOST_OPERANDS], result;
    double value, gradients[MOST_OPERANDS]; /* digests */
} row;

#define ENTRY(NAME, KINDS, SHAPES, SIZE, EXPRESSION, ...) {#NAME, KINDS, f_##NAME, SIZE, SHAPES, __VA_ARGS__},
static const row rows[] = {REDUCTIONS(ENTRY)};

static bool same_shape(gr_shape a, gr_shape b)
{
    bool same = a.ndim == b.ndim;
    for (int i = 0; same && i < a.ndim; i++) same = a.dims[i] == b.dims[i];
    return same;
}

static void check_gradients(const row *r, gr_tensor y, int n, const gr_tensor *x, bool record)
{
    gr_tensor by[MOST_OPERANDS], gradients[MOST_OPERANDS];
    int floats = 0;
    for (int k = 0; k < n; k++)
        if (gr_type_of(x[k]) == GR_F64) by[floats++] = x[k];
    const gr_tensor u = operand('f', gr_shape_of(y), 9, 0);
    CHECK(gr_grad(1, &y, floats, by, &u, &(gr_grad_options){.record = record, .retain = true}, gradients) ==
          GR_OK);
    for (int k = 0, i = 0; k < n; k++)
        if (gr_type_of(x[k]) == GR_F64) check_digest(gradients[i++], r->gradients[k]);
}

static void check_row(const row *r)
{
    const int failures = test_failures, n = (int)strlen(r->kinds);
    const gr_scope scope = gr_scope_begin(g);
    gr_tensor x[MOST_OPERANDS];
    for (int k = 0; k < n; k++) {
        x[k] = operand(r->kinds[k], r->shapes[k], k, r->size);
        if (gr_type_of(x[k]) == GR_F64) gr_set_requires_grad(x[k], true);
    }
    const gr_tensor y = r->f(x);
    CHECK(gr_is_valid(y) && same_shape(gr_shape_of(y), r->result));
    if (gr_is_valid(y)) check_digest(y, r->value);
    for (int record = 0; gr_is_valid(y) && gr_requires_grad(y) && record < 2; record++)
        check_gradients(r, y, n, x, record);
    CHECK(gr_graph_status(g) == GR_OK);
    if (test_failures > failures) printf("  in row %s: %s\n", r->name, gr_graph_error(g));
    gr_graph_clear_error(g);
    gr_scope_end(scope, 0, NULL);
}

static void test_rows(void)
{
    g = gr_graph_create(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(&rows[i]);
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_rows);
    return TEST_EXIT;
}
