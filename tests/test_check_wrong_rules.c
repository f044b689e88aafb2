/*
 * Mistakes that people make in the derivative rules of primitives. Each must be rejected with exactly those
 * elements called wrong that are, and each has a right twin, the same primitive with the mistake switched off,
 * which must be accepted. Mistakes in plain functions: test_check_wrong.c.
 *
 * To add one: a primitive, a mistake number in its rule, a row in the table. Which first derivatives are wrong
 * needs no saying: the driver computes the Jacobian with and without the mistake.
 */
#include "check_lists.h"

static int bad; /* the number of the mistake that is made now; 0: none */

/* ---- Writing primitives down ---- */

static double square(double x) { return x * x; }

static gr_status like_first(const gr_call *c, gr_layout *out) { return gr_infer_like(c, out, 0); }
static gr_status broadcast(const gr_call *c, gr_layout *out) { return gr_infer_broadcast(c, out); }

static gr_status scalar(const gr_call *c, gr_layout *out)
{
    const gr_status status = gr_infer_like(c, out, 0);
    out->ndim = 0;
    return status;
}

/* Without the last axis. */
static gr_status rows(const gr_call *c, gr_layout *out)
{
    const gr_status status = gr_infer_like(c, out, 0);
    out->ndim--;
    return status;
}

/* [m, k], [k, n] -> [m, n] */
static gr_status product_shape(const gr_call *c, gr_layout *out)
{
    const gr_status status = gr_infer_like(c, out, 0);
    out->dims[1] = c->in[1]->dims[1];
    return status;
}

static const double *input(const gr_call *c, int i) { return c->in[i]->data; }
static double *result(const gr_call *c) { return c->out->data; }

/* A rule, given as an expression of the operands x and w, the result y and the cotangent gy. */
#define RULE(op, expression)                                           \
    static gr_tensor op##_rule(const gr_call *c, gr_tensor gy, int i)  \
    {                                                                  \
        const gr_tensor x = c->operands[0], w = c->operands[c->n > 1]; \
        const gr_tensor y = c->output;                                 \
        (void)x, (void)w, (void)y, (void)i;                            \
        return expression;                                             \
    }

/* A primitive with its rule. */
#define PRIMITIVE(op, operands, shape, expression) \
    RULE(op, expression)                           \
    static const gr_op op = {                      \
        .name = #op, .arity = operands, .infer = shape, .forward = op##_forward, .vjp = op##_rule};

/* An elementwise one of one operand: its value is an expression of the double x. */
#define ELEMENTWISE(op, value, expression)            \
    static gr_status op##_forward(const gr_call *c)   \
    {                                                 \
        for (int64_t k = 0; k < c->out->count; k++) { \
            const double x = input(c, 0)[k];          \
            result(c)[k] = value;                     \
        }                                             \
        return GR_OK;                                 \
    }                                                 \
    PRIMITIVE(op, 1, like_first, expression)

/* Elementwise of two that broadcast: its value is an expression of the doubles x and w. */
#define BINARY(op, value, expression)                                                                  \
    static void op##_loop(int64_t n, void *const *at, const int64_t *s, const void *unused)            \
    {                                                                                                  \
        (void)unused;                                                                                  \
        for (int64_t k = 0; k < n; k++) {                                                              \
            const double x = ((const double *)at[1])[k * s[1]], w = ((const double *)at[2])[k * s[2]]; \
            ((double *)at[0])[k * s[0]] = value;                                                       \
        }                                                                                              \
    }                                                                                                  \
    static gr_status op##_forward(const gr_call *c) { return gr_call_map(c, op##_loop); }              \
    PRIMITIVE(op, 2, broadcast, expression)

/* Like x: `there` at one element, `elsewhere` at the others. */
static gr_tensor at_element(gr_tensor x, int64_t element, double there, double elsewhere)
{
    const gr_tensor t = gr_constant(x.graph, GR_F64, gr_shape_of(x), NULL);
    double *to = gr_data_for_writing(t);
    for (int64_t k = 0; to && k < gr_count(t); k++) to[k] = k == element ? there : elsewhere;
    return t;
}

static gr_tensor mask(gr_tensor x, gr_tensor (*compare)(gr_tensor, gr_tensor), double with)
{
    return gr_cast(compare(x, gr_scalar(x.graph, GR_F64, with)), GR_F64);
}

/* ---- Elementwise ---- */

ELEMENTWISE(cubed, square(x) * x, gr_mul(gy, gr_scale(gr_square(x), bad == 1 ? -3 : bad == 2 ? 2 : 3)))
ELEMENTWISE(squared, square(x),
            gr_mul(gy, gr_scale(x, bad == 1   ? 1
                                   : bad == 2 ? 4
                                   : bad == 3 ? 2 * (1 + 1e-3)
                                   : bad == 4 ? 2 * (1 + 2e-5)
                                              : 2)))
ELEMENTWISE(sine_3x, sin(3 * x),
            gr_scale(gr_mul(gy, gr_cos(gr_scale(x, bad == 2 ? 1 : 3))), bad == 1 ? 1 : 3))
ELEMENTWISE(cosine, cos(x), bad ? gr_mul(gy, gr_sin(x)) : gr_neg(gr_mul(gy, gr_sin(x))))
ELEMENTWISE(hyperbolic, tanh(x), gr_mul(gy, gr_add_scalar(gr_neg(bad ? y : gr_square(y)), 1)))
ELEMENTWISE(logistic, 1 / (1 + exp(-x)),
            gr_mul(gy, gr_mul(y, gr_add_scalar(bad == 1 ? y : gr_neg(bad == 2 ? x : y), 1))))
ELEMENTWISE(exponential, exp(x), bad == 1 ? gy : bad == 2 ? y : gr_mul(gy, y))
ELEMENTWISE(inverse, 1 / x, gr_neg(gr_mul(gy, bad ? gr_pow_scalar(x, -1) : gr_square(y))))
ELEMENTWISE(root, sqrt(x), gr_div(gr_scale(gy, bad == 1 ? 2 : 0.5), y))
ELEMENTWISE(lg, log10(x), gr_div(gy, gr_scale(x, bad ? 1 : log(10))))
ELEMENTWISE(distance, fabs(x), bad ? gy : gr_mul(gy, gr_sign(x)))
ELEMENTWISE(clamped, fmin(fmax(x, -1), 1),
            bad == 1 ? gy : gr_mul(gy, gr_mul(mask(x, gr_greater, bad == 2 ? -9 : -1), mask(x, gr_less, 1))))
ELEMENTWISE(leaky, x > 0 ? x : 0.1 * x,
            gr_mul(gy, gr_add_scalar(gr_scale(mask(x, bad ? gr_less : gr_greater, 0), 0.9), 0.1)))
ELEMENTWISE(hinge, x > 1 ? x - 1 : 0, gr_mul(gy, mask(x, gr_greater, bad ? 0 : 1)))
ELEMENTWISE(missing, exp(x), bad == 1 ? GR_NONE : bad == 2 ? gr_detach(gr_mul(gy, y)) : gr_mul(gy, y))
ELEMENTWISE(shifted_by, square(x) + 1, gr_add_scalar(gr_mul(gy, gr_scale(x, 2)), bad ? 0.5 : 0))
ELEMENTWISE(one_element, square(x),
            gr_mul(gr_mul(gy, gr_scale(x, 2)), at_element(x, 6,
                                                          bad == 1   ? NAN
                                                          : bad == 2 ? INFINITY
                                                          : bad == 3 ? 1 + 1e-4
                                                                     : 1,
                                                          1)))
ELEMENTWISE(ten_thousand, sin(x), gr_mul(gr_mul(gy, gr_cos(x)), at_element(x, 7341, bad ? 1 + 1e-3 : 1, 1)))

/* Right at first order; the second derivative is not that of the first. */
ELEMENTWISE(cube_detached, square(x) * x,
            gr_mul(gy, gr_scale(bad ? gr_detach(gr_square(x)) : gr_square(x), 3)))
ELEMENTWISE(cube_half_detached, square(x) * x, gr_mul(gy, gr_scale(gr_mul(x, bad ? gr_detach(x) : x), 3)))
ELEMENTWISE(exponential_frozen, exp(x), gr_mul(gy, bad ? gr_detach(y) : y))
/* 2 fixed - x has the value of x and the slope -1. */
ELEMENTWISE(square_mirrored, square(x),
            gr_mul(gy, gr_scale(bad ? gr_sub(gr_scale(gr_detach(x), 2), x) : x, 2)))
ELEMENTWISE(cotangent_detached, sin(x), gr_mul(bad ? gr_detach(gy) : gy, gr_cos(x)))

/* ---- Two operands that broadcast ---- */

BINARY(times, x *w,
       bad == 1 && i == 0                                     ? gr_mul(gy, x)
       : bad == 2 && i == 1                                   ? gr_neg(gr_mul(gy, x))
       : bad == 3 && i == 1 && gr_same(x, w)                  ? GR_NONE
       : bad == 4 && i == 1 && gr_ndim(w) < gr_ndim(gy)       ? gr_mean(gr_mul(gy, x), GR_AXES(0), false)
       : bad == 5 && i == 1 && gr_ndim(w) < gr_ndim(gy)       ? gr_select(gr_mul(gy, x), 0, 0)
       : bad == 6 && i == 1 && gr_dim(w, -1) < gr_dim(gy, -1) ? gr_slice(gr_mul(gy, x), -1, 0, 1, 1)
       : bad == 7                                             ? gr_mul(gy, gr_detach(i == 0 ? w : x))
                                                              : gr_mul(gy, i == 0 ? w : x))
BINARY(square_times, square(x) * w,
       i == 1 ? gr_mul(gy, gr_square(x)) : gr_scale(gr_mul(gy, gr_mul(x, w)), bad == 1 ? 1 : 2))
BINARY(divided, x / w,
       i == 0     ? gr_div(gy, w)
       : bad == 1 ? gr_div(gr_mul(gy, x), gr_square(w))
       : bad == 2 ? gr_neg(gr_div(gr_mul(gy, x), w))
                  : gr_neg(gr_div(gr_mul(gy, x), gr_square(w))))
BINARY(power, pow(x, w),
       i == 0     ? gr_mul(gr_mul(gy, w), gr_pow(x, bad == 1 ? w : gr_add_scalar(w, -1)))
           : bad == 2 ? gr_mul(gy, y)
                  : gr_mul(gr_mul(gy, y), gr_log(x)))
BINARY(larger, fmax(x, w),
       gr_mul(gy, gr_cast((i == 0) == (bad != 1) ? gr_greater(x, w) : gr_less(x, w), GR_F64)))
BINARY(angle, atan2(x, w),
       gr_div(gr_mul(gy, i == 0 ? w
                         : bad  ? x
                                : gr_neg(x)),
              gr_add(gr_square(x), gr_square(w))))

/* x [2, 3, 4] + b [4]; the rule sums for itself. */
static gr_status biased_forward(const gr_call *c)
{
    for (int64_t k = 0; k < c->out->count; k++)
        result(c)[k] = input(c, 0)[k] + input(c, 1)[k % c->in[1]->count];
    return GR_OK;
}
PRIMITIVE(biased, 2, like_first,
          i == 0     ? gy
          : bad == 1 ? gr_mean(gy, GR_AXES(0, 1), false)
          : bad == 2 ? gr_sum(gr_select(gy, 0, 0), GR_AXES(0), false) /* sum over axis 0 missing */
          : bad == 3 ? gr_sum(gr_select(gy, 1, 0), GR_AXES(0), false) /* over axis 1 */
          : bad == 4 ? gr_sum(gr_slice(gy, 1, 0, -1, 1), GR_AXES(0, 1), false)
                     : gr_sum(gy, GR_AXES(0, 1), false))

/* x [3, 3] + b [3] */
#define biased_square_forward biased_forward
PRIMITIVE(biased_square, 2, like_first, i == 0 ? gy : gr_sum(gy, GR_AXES(bad ? 1 : 0), false))

/* ---- Matrices ---- */

static gr_tensor transposed(gr_tensor t) { return gr_transpose(t, -1, -2); }

static gr_status matrix_product_forward(const gr_call *c)
{
    const int64_t n = c->out->dims[1], inner = c->in[0]->dims[1];
    for (int64_t k = 0; k < c->out->count; k++) {
        result(c)[k] = 0;
        for (int64_t l = 0; l < inner; l++)
            result(c)[k] += input(c, 0)[k / n * inner + l] * input(c, 1)[l * n + k % n];
    }
    return GR_OK;
}
PRIMITIVE(matrix_product, 2, product_shape,
          bad == 1 && i == 0   ? transposed(gr_matmul(gy, transposed(w)))
          : bad == 2 && i == 0 ? gr_matmul(gy, w)
          : bad == 3 && i == 1 ? gr_matmul(x, gy)
          : bad == 4 && i == 1 ? gr_neg(gr_matmul(transposed(x), gy))
          : i == 0             ? gr_matmul(gy, transposed(w))
                               : gr_matmul(transposed(x), gy))

/* x' w x for x [n], w [n, n]. */
static gr_status form_forward(const gr_call *c)
{
    const int64_t n = c->in[0]->count;
    result(c)[0] = 0;
    for (int64_t k = 0; k < n * n; k++)
        result(c)[0] += input(c, 0)[k / n] * input(c, 1)[k] * input(c, 0)[k % n];
    return GR_OK;
}
PRIMITIVE(form, 2, scalar,
          i == 0
              ? gr_mul(gy, bad == 1 ? gr_scale(gr_matmul(w, x), 2) : gr_add(gr_matmul(w, x), gr_matmul(x, w)))
              : gr_mul(gy, gr_mul(gr_unsqueeze(x, 1), bad == 2 ? gr_detach(x) : x)))

/* Axis j of the result is axis j - 1 of x [3, 3, 3]. */
static gr_status turned_forward(const gr_call *c)
{
    for (int k = 0; k < 27; k++) result(c)[k] = input(c, 0)[k / 3 % 3 * 9 + k % 3 * 3 + k / 9];
    return GR_OK;
}
PRIMITIVE(turned, 1, like_first, gr_permute(gy, bad ? GR_AXES(2, 0, 1) : GR_AXES(1, 2, 0)))

/* ---- Along an axis of x [m, n] ---- */

/* One row after the other. */
static gr_status each_row(const gr_call *c, void (*f)(int64_t n, const double *x, double *y))
{
    const int64_t n = c->in[0]->dims[c->in[0]->ndim - 1],
                  out = n > 0 ? c->out->count * n / c->in[0]->count : 0;
    for (int64_t r = 0; n > 0 && r < c->in[0]->count / n; r++) f(n, input(c, 0) + r * n, result(c) + r * out);
    return GR_OK;
}

/* A primitive of rows, of the function op_row. */
#define ROWS(op, shape, expression)                                                   \
    static gr_status op##_forward(const gr_call *c) { return each_row(c, op##_row); } \
    PRIMITIVE(op, 1, shape, expression)

static gr_tensor total(gr_tensor t) { return gr_sum(t, GR_AXES(-1), true); }
static gr_tensor average(gr_tensor t) { return gr_mean(t, GR_AXES(-1), true); }
static gr_tensor column(gr_tensor t) { return gr_unsqueeze(t, -1); }

static void softmax_row(int64_t n, const double *x, double *y)
{
    double sum = 0;
    for (int64_t k = 0; k < n; k++) sum += y[k] = exp(x[k]);
    for (int64_t k = 0; k < n; k++) y[k] /= sum;
}
ROWS(softmax, like_first,
     bad == 1   ? gr_mul(gy, gr_sub(y, gr_square(y)))
     : bad == 2 ? gr_mul(y, gr_sub(gy, gr_sum(gr_mul(gy, y), GR_AXES(0), true)))
     : bad == 3 ? gr_mul(y, gr_sub(gy, total(gy)))
                : gr_mul(y, gr_sub(gy, total(gr_mul(gy, y)))))
static void log_softmax_row(int64_t n, const double *x, double *y)
{
    double sum = 0;
    for (int64_t k = 0; k < n; k++) sum += exp(x[k]);
    for (int64_t k = 0; k < n; k++) y[k] = x[k] - log(sum);
}
ROWS(log_softmax, like_first,
     gr_sub(gy, gr_mul(gr_exp(y), bad ? gr_ones(gy.graph, GR_F64, GR_SCALAR) : total(gy))))
static void log_sum_exp_row(int64_t n, const double *x, double *y)
{
    y[0] = 0;
    for (int64_t k = 0; k < n; k++) y[0] += exp(x[k]);
    y[0] = log(y[0]);
}
ROWS(log_sum_exp, rows, gr_mul(column(gy), bad ? gr_exp(x) : gr_exp(gr_sub(x, column(y)))))
static void norm_row(int64_t n, const double *x, double *y)
{
    y[0] = 0;
    for (int64_t k = 0; k < n; k++) y[0] += x[k] * x[k];
    y[0] = sqrt(y[0]);
}
ROWS(norm, rows,
     gr_mul(column(gy), gr_div(gr_scale(x, bad == 1 ? 2 : 1), bad == 2 ? gr_square(column(y)) : column(y))))
static void variance_row(int64_t n, const double *x, double *y)
{
    double mean = 0;
    for (int64_t k = 0; k < n; k++) mean += x[k] / (double)n;
    y[0] = 0;
    for (int64_t k = 0; k < n; k++) y[0] += (x[k] - mean) * (x[k] - mean) / (double)n;
}
ROWS(variance, rows,
     gr_scale(gr_mul(column(gy), bad == 2 ? x : gr_sub(x, average(x))),
              2.0 / (double)(gr_dim(x, -1) - (bad == 1))))
static void running_sum_row(int64_t n, const double *x, double *y)
{
    double sum = 0;
    for (int64_t k = 0; k < n; k++) y[k] = sum += x[k];
}
ROWS(running_sum, like_first,
     bad == 1
         ? gr_matmul(gy, gr_cast(gr_greater_equal(gr_arange(gy.graph, GR_F64, gr_dim(x, -1), 0, 1),
                                                  column(gr_arange(gy.graph, GR_F64, gr_dim(x, -1), 0, 1))),
                                 GR_F64))
     : bad == 2
         ? gr_sub(gr_add(total(gy), gr_zeros(gy.graph, GR_F64, gr_shape_of(gy))), gy)
         : gr_matmul(gy, gr_cast(gr_less_equal(gr_arange(gy.graph, GR_F64, gr_dim(x, -1), 0, 1),
                                               column(gr_arange(gy.graph, GR_F64, gr_dim(x, -1), 0, 1))),
                                 GR_F64)))

/* t moved to the right by 1 (or left by -1), around the end or leaving 0 behind. */
static gr_tensor moved(gr_tensor t, int by, bool around)
{
    const gr_tensor head = by > 0 ? gr_slice(t, -1, -1, GR_SLICE_DEFAULT, 1)
                                  : gr_slice(t, -1, 1, GR_SLICE_DEFAULT, 1);
    const gr_tensor tail = by > 0 ? gr_slice(t, -1, 0, -1, 1) : gr_slice(t, -1, 0, 1, 1);
    const gr_tensor end = by > 0 ? head : tail;
    const gr_tensor rim = around ? end : gr_zeros(t.graph, GR_F64, gr_shape_of(end));
    return by > 0 ? gr_concat(2, (gr_tensor[]){rim, tail}, -1) : gr_concat(2, (gr_tensor[]){head, rim}, -1);
}

/* y_k = x_(k-1), around the end. */
static void rolled_row(int64_t n, const double *x, double *y)
{
    for (int64_t k = 0; k < n; k++) y[k] = x[(k + n - 1) % n];
}
ROWS(rolled, like_first,
     bad == 1   ? moved(gy, 1, true)
     : bad == 2 ? moved(gy, -1, false)
                : moved(gy, -1, true))
/* y_k = x_k^2 - x_(k-1)^2, the first x_0^2. */
static void differences_row(int64_t n, const double *x, double *y)
{
    for (int64_t k = 0; k < n; k++) y[k] = x[k] * x[k] - (k > 0 ? x[k - 1] * x[k - 1] : 0);
}
ROWS(differences, like_first,
     gr_scale(gr_mul(x, gr_sub(gy, bad == 1   ? moved(gy, -1, true)
                                   : bad == 2 ? moved(gy, 1, false)
                                              : moved(gy, -1, false))),
              2))
static void shifted_row(int64_t n, const double *x, double *y)
{
    for (int64_t k = 0; k < n; k++) y[k] = exp(x[k]);
}
ROWS(shifted, like_first, bad ? moved(gr_mul(gy, y), 1, false) : gr_mul(gy, y))
static void largest_row(int64_t n, const double *x, double *y)
{
    y[0] = x[0];
    for (int64_t k = 1; k < n; k++) y[0] = fmax(y[0], x[k]);
}
ROWS(largest, rows,
     bad == 1   ? gr_mul(column(gy), at_element(x, 0, 1, 0))
     : bad == 2 ? gr_add(column(gy), gr_zeros(gy.graph, GR_F64, gr_shape_of(x)))
                : gr_mul(column(gy), gr_cast(gr_equal(x, column(y)), GR_F64)))
static void flipped_row(int64_t n, const double *x, double *y)
{
    for (int64_t k = 0; k < n; k++) y[k] = x[n - 1 - k] * x[n - 1 - k];
}
ROWS(flipped, like_first,
     gr_mul(bad ? gy : gr_slice(gy, -1, GR_SLICE_DEFAULT, GR_SLICE_DEFAULT, -1), gr_scale(x, 2)))

/* (x - mean) / sqrt(variance + 1e-5) of each row. */
static void layer_norm_row(int64_t n, const double *x, double *y)
{
    double mean = 0, square = 0;
    for (int64_t k = 0; k < n; k++) mean += x[k] / (double)n;
    for (int64_t k = 0; k < n; k++) square += (x[k] - mean) * (x[k] - mean) / (double)n;
    for (int64_t k = 0; k < n; k++) y[k] = (x[k] - mean) / sqrt(square + 1e-5);
}
ROWS(layer_norm, like_first,
     gr_mul(gr_pow_scalar(gr_add_scalar(average(gr_square(gr_sub(x, average(x)))), 1e-5),
                          bad == 3 ? -1 : -0.5),
            gr_sub(bad == 1 ? gy : gr_sub(gy, average(gy)),
                   bad == 2 ? gr_scale(y, 0) : gr_mul(y, average(gr_mul(gy, y))))))

/* Columns of x [m, n] standardised, times w [n]: batch normalisation. */
static gr_status batch_norm_forward(const gr_call *c)
{
    const int64_t m = c->out->dims[0], n = c->out->dims[1];
    for (int64_t j = 0; j < n; j++) {
        const double *x = input(c, 0) + j;
        double mean = 0, square = 0;
        for (int64_t k = 0; k < m; k++) mean += x[k * n] / (double)m;
        for (int64_t k = 0; k < m; k++) square += (x[k * n] - mean) * (x[k * n] - mean) / (double)m;
        for (int64_t k = 0; k < m; k++)
            result(c)[k * n + j] = input(c, 1)[j] * (x[k * n] - mean) / sqrt(square + 1e-5);
    }
    return GR_OK;
}

static gr_tensor batch_norm_rule(const gr_call *c, gr_tensor gy, int i)
{
    const gr_tensor x = c->operands[0], w = c->operands[1];
    const gr_tensor centred = gr_sub(x, gr_mean(x, GR_AXES(0), true));
    const gr_tensor scale = gr_pow_scalar(gr_add_scalar(gr_mean(gr_square(centred), GR_AXES(0), true), 1e-5),
                                          -0.5);
    const gr_tensor standard = gr_mul(centred, scale), back = gr_mul(gy, w);
    if (i == 1) return bad == 1 ? gr_mul(gy, x) : gr_mul(gy, standard);
    if (bad == 2) return gr_mul(back, scale); /* statistics taken for constants, as at inference */
    const gr_tensor by_mean = gr_mean(back, GR_AXES(0), true);
    const gr_tensor by_variance = gr_mul(standard, gr_mean(gr_mul(back, standard), GR_AXES(0), true));
    return gr_mul(scale, gr_sub(gr_sub(back, by_mean), bad == 3 ? gr_scale(by_variance, 0) : by_variance));
}

static const gr_op batch_norm = {.name = "batch_norm",
                                 .arity = 2,
                                 .infer = like_first,
                                 .forward = batch_norm_forward,
                                 .vjp = batch_norm_rule};

/* y_k = sum_l w_l x_(k+l) for x [n], w [3] -> [n - 2]. */
static gr_status convolved_shape(const gr_call *c, gr_layout *out)
{
    const gr_status status = gr_infer_like(c, out, 0);
    out->dims[0] -= 2;
    return status;
}

static gr_status convolved_forward(const gr_call *c)
{
    const double *x = input(c, 0), *w = input(c, 1);
    for (int64_t k = 0; k < c->out->count; k++)
        result(c)[k] = w[0] * x[k] + w[1] * x[k + 1] + w[2] * x[k + 2];
    return GR_OK;
}

/* t with zeros before and after it. */
static gr_tensor padded(gr_tensor t, int64_t before, int64_t after)
{
    return gr_concat(3,
                     (gr_tensor[]){gr_zeros(t.graph, GR_F64, GR_SHAPE(before)), t,
                                   gr_zeros(t.graph, GR_F64, GR_SHAPE(after))},
                     0);
}

static gr_tensor convolved_rule(const gr_call *c, gr_tensor gy, int i)
{
    const gr_tensor x = c->operands[0], w = c->operands[1];
    const int64_t n = gr_dim(gy, 0);
    gr_tensor parts[3];
    for (int l = 0; l < 3; l++) {
        const int from = bad == 1 ? 2 - l : l; /* 1: the kernel turned around, as for a true convolution */
        const int64_t off = bad == 2 && l == 0 ? 1 : l;
        parts[l] = i == 0 ? gr_mul(padded(gy, l, 2 - l), gr_select(w, 0, from))
                          : gr_unsqueeze(
                                gr_sum(gr_mul(gy, gr_slice(x, 0, off, off + n, 1)), GR_ALL_AXES, false), 0);
    }
    return i == 0 ? gr_add(gr_add(parts[0], parts[1]), parts[2]) : gr_concat(3, parts, 0);
}

static const gr_op convolved = {.name = "convolved",
                                .arity = 2,
                                .infer = convolved_shape,
                                .forward = convolved_forward,
                                .vjp = convolved_rule};

/* Rows 2, 0, 2, 3 of x [4, n]. */
static const int32_t chosen[] = {2, 0, 2, 3};

static gr_status taken_forward(const gr_call *c)
{
    const int64_t n = c->out->count / 4;
    for (int64_t k = 0; k < 4 * n; k++) result(c)[k] = input(c, 0)[chosen[k / n] * n + k % n];
    return GR_OK;
}

static gr_tensor taken_rule(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    gr_tensor part[4];
    for (int r = 0; r < 4; r++) {
        part[r] = gr_zeros(c->graph, GR_F64, GR_SHAPE(gr_dim(gy, 1)));
        for (int k = 0; k < 4; k++) {
            if (chosen[k] != r || (bad == 2 && r == 0)) continue; /* 2: row 0 taken for padding */
            const gr_tensor row = gr_select(gy, 0, k);
            part[r] = bad == 1 ? row : gr_add(part[r], row); /* 1: written instead of added */
        }
        part[r] = gr_unsqueeze(part[r], 0);
    }
    return gr_concat(4, part, 0);
}

static const gr_op taken = {
    .name = "taken", .arity = 1, .infer = like_first, .forward = taken_forward, .vjp = taken_rule};

/* Mean of -log softmax at the labels 2, 0, 1 of x [3, 4]. */
static const int32_t classes[] = {2, 0, 1};

static gr_status cross_entropy_forward(const gr_call *c)
{
    result(c)[0] = 0;
    for (int r = 0; r < 3; r++) {
        double sum = 0;
        for (int k = 0; k < 4; k++) sum += exp(input(c, 0)[4 * r + k]);
        result(c)[0] += (log(sum) - input(c, 0)[4 * r + classes[r]]) / 3;
    }
    return GR_OK;
}

static gr_tensor cross_entropy_rule(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    int32_t index[3];
    for (int r = 0; r < 3; r++) index[r] = classes[r] + (bad == 2); /* 2: classes counted from 1 */
    const gr_tensor target = gr_one_hot(gr_constant(c->graph, GR_I32, GR_SHAPE(3), index), 4, GR_F64);
    const gr_tensor p = gr_softmax(c->operands[0], bad == 3 ? 0 : 1),
                    error = bad == 4 ? gr_sub(target, p) : gr_sub(p, target);
    return gr_mul(gy, gr_scale(bad == 5 ? gr_detach(error) : error, bad == 1 ? 1 : 1.0 / 3));
}

static const gr_op cross_entropy = {.name = "cross_entropy",
                                    .arity = 1,
                                    .infer = scalar,
                                    .forward = cross_entropy_forward,
                                    .vjp = cross_entropy_rule};

/* A rule that is right, and a faster form of it for walks that are not recorded. */
static gr_status fast_square_forward(const gr_call *c)
{
    for (int64_t k = 0; k < c->out->count; k++) result(c)[k] = input(c, 0)[k] * input(c, 0)[k];
    return GR_OK;
}
RULE(fast_square, gr_mul(gy, gr_scale(x, 2)))

static bool fast_square_pull(const gr_call *c, const gr_array *gy, int i, const gr_array *to)
{
    (void)i;
    if (!bad) return false; /* right: the rule is used */
    for (int64_t k = 0; k < to->count; k++)
        ((double *)to->data)[k] = ((const double *)gy->data)[0] * ((const double *)c->in[0]->data)[k];
    return true;
}

static const gr_op fast_square = {.name = "fast_square",
                                  .arity = 1,
                                  .infer = like_first,
                                  .forward = fast_square_forward,
                                  .vjp = fast_square_rule,
                                  .pull = fast_square_pull};

/* ---- The list ---- */

typedef struct wrong_rule {
    const char *name;
    int mistake;
    const gr_op *op;
    struct {
        const char *name;
        gr_shape shape;
        double low, high; /* 0 and 0: from 0.5 to 1.5 */
    } inputs[2];          /* up to the first without a name */
    const char *input;    /* of one wrong element that must be named: the input's name, and */
    gr_shape at, of;      /* its places */
    gr_check_fault fault; /* the guess; kind 0: any or none */
    bool twice;           /* the operation is used on the input and itself: op(x, x) */
    int order;            /* at which it shows; 0: 1 */
    bool nonlinear;       /* in the cotangent: elements that are right for unit vectors may count as wrong */
} wrong_rule;

/* clang-format off */
#define ONE            {{"x", SHAPE(3, 4)}}
#define SIGNED         {{"x", SHAPE(3, 4), -2, 2}}
#define TWO            {{"x", SHAPE(3, 4)}, {"w", SHAPE(3, 4)}}

static const wrong_rule list[] = {
    {"x^3: sign", 1, &cubed, ONE, .fault = SIGN},
    {"x^3: 2 instead of 3", 2, &cubed, ONE, .fault = FACTOR(2.0 / 3)},
    {"x^2: 2 forgotten", 1, &squared, ONE, .fault = FACTOR(0.5)},
    {"x^2: twice", 2, &squared, ONE, .fault = FACTOR(2)},
    {"x^2: 1 + 1e-3 times", 3, &squared, ONE, .fault = FACTOR(1 + 1e-3)},
    {"x^2: 1 + 2e-5 times", 4, &squared, ONE, .fault = FACTOR(1 + 2e-5)},
    {"sin 3x: inner derivative forgotten", 1, &sine_3x, ONE, .fault = FACTOR(1.0 / 3)},
    {"sin 3x: cosine of x", 2, &sine_3x, ONE},
    {"cos: sign", 1, &cosine, SIGNED, .fault = SIGN},
    {"tanh: 1 - y", 1, &hyperbolic, SIGNED, "x", AT(1, 2), AT(1, 2)},
    {"sigmoid: y (1 + y)", 1, &logistic, SIGNED},
    {"sigmoid: y (1 - x)", 2, &logistic, SIGNED},
    {"exp: derivative forgotten", 1, &exponential, ONE, "x", AT(2, 3), AT(2, 3)},
    {"exp: cotangent forgotten", 2, &exponential, ONE, .nonlinear = true},
    {"1/x: -1/x", 1, &inverse, ONE},
    {"sqrt: 2/y", 1, &root, ONE, .fault = FACTOR(4)},
    {"log10: base forgotten", 1, &lg, ONE, .fault = FACTOR(2.302585092994046)},
    {"abs: 1 for negative numbers, too", 1, &distance, SIGNED},
    {"clamp: derivative 1 outside", 1, &clamped, SIGNED},
    {"clamp: derivative 1 below", 2, &clamped, SIGNED},
    {"leaky relu: slopes swapped", 1, &leaky, SIGNED},
    {"hinge: from 0 instead of 1", 1, &hinge, {{"x", SHAPE(12), -2, 3}}},
    {"derivative missing", 1, &missing, ONE, .fault = {.kind = GR_FAULT_ZERO}},
    {"a constant too much", 1, &shifted_by, ONE},
    {"NaN in one element", 1, &one_element, ONE, "x", AT(1, 2), AT(1, 2)},
    {"infinity in one element", 2, &one_element, ONE, "x", AT(1, 2), AT(1, 2)},
    {"one element by 1e-4 of itself", 3, &one_element, ONE, "x", AT(1, 2), AT(1, 2)},
    {"one of 10^4 by 1e-3 of itself", 1, &ten_thousand, {{"x", SHAPE(100, 100)}}, "x", AT(73, 41)},
    {"x^3: second derivative missing", 1, &cube_detached, ONE, "x", .order = 2},
    {"x^3: half of the second derivative", 1, &cube_half_detached, ONE, "x", .order = 2},
    {"exp: second derivative missing", 1, &exponential_frozen, ONE, "x", .order = 2},
    {"x^2: sign of the second derivative", 1, &square_mirrored, ONE, "x", .order = 2},
    {"sin: derivative by the cotangent missing", 1, &cotangent_detached, ONE, .order = 2},
    {"gradient kept from being differentiated", 2, &missing, ONE, "x", .order = 2},
    {"x w: x instead of w", 1, &times, TWO, "x", AT(0, 1), AT(0, 1)},
    {"x w: sign by w", 2, &times, TWO, "w", AT(0, 1), AT(0, 1), SIGN},
    {"x w: the same operand twice", 3, &times, ONE, .twice = true, .fault = FACTOR(0.5)},
    {"x w: mean where broadcast", 4, &times, {{"x", SHAPE(3, 4)}, {"w", SHAPE(4)}}, "w", AT(2)},
    {"x w: first row where broadcast", 5, &times, {{"x", SHAPE(3, 4)}, {"w", SHAPE(4)}}, "w", AT(2),
     AT(1, 2), {.kind = GR_FAULT_BROADCAST, .axis = 0}},
    {"x w: first column where broadcast", 6, &times, {{"x", SHAPE(3, 4)}, {"w", SHAPE(3, 1)}}, "w", AT(1, 0),
     AT(1, 2), {.kind = GR_FAULT_BROADCAST, .axis = 1}},
    {"x w: mixed second derivatives missing", 7, &times, TWO, .order = 2},
    {"x^2 w: half of the product rule", 1, &square_times, TWO, "x", AT(1, 1), AT(1, 1), FACTOR(0.5)},
    {"x / w: sign by w", 1, &divided, TWO, "w", AT(1, 1), AT(1, 1), SIGN},
    {"x / w: w instead of w^2", 2, &divided, TWO, "w", AT(1, 1), AT(1, 1)},
    {"x^w: exponent not lowered", 1, &power, {{"x", SHAPE(5), 2, 3}, {"w", SHAPE(5)}}, "x", AT(3), AT(3)},
    {"x^w: logarithm forgotten", 2, &power, {{"x", SHAPE(5), 2, 3}, {"w", SHAPE(5)}}, "w", AT(3), AT(3)},
    {"max: the smaller operand", 1, &larger, TWO},
    {"atan2: sign by the second operand", 1, &angle, TWO, "w", AT(2, 2), AT(2, 2), SIGN},
    {"bias: mean instead of sum", 1, &biased, {{"x", SHAPE(2, 3, 4)}, {"b", SHAPE(4)}}, "b", AT(1),
     AT(1, 2, 1)},
    {"bias: not summed over axis 0", 2, &biased, {{"x", SHAPE(2, 3, 4)}, {"b", SHAPE(4)}}, "b", AT(1),
     AT(1, 2, 1), {.kind = GR_FAULT_BROADCAST, .axis = 0}},
    {"bias: not summed over axis 1", 3, &biased, {{"x", SHAPE(2, 3, 4)}, {"b", SHAPE(4)}}, "b", AT(1),
     AT(1, 2, 1), {.kind = GR_FAULT_BROADCAST, .axis = 1}},
    {"bias: last of axis 1 left out", 4, &biased, {{"x", SHAPE(2, 3, 4)}, {"b", SHAPE(4)}}, "b", AT(3),
     AT(0, 2, 3)},
    {"bias: summed over the wrong axis", 1, &biased_square, {{"x", SHAPE(3, 3)}, {"b", SHAPE(3)}}, "b",
     AT(1), AT(2, 1)},
    {"matrix product: first gradient transposed", 1, &matrix_product,
     {{"a", SHAPE(3, 3)}, {"b", SHAPE(3, 3)}}, "a", AT(0, 1), AT(0, 2)},
    {"matrix product: b not transposed", 2, &matrix_product, {{"a", SHAPE(2, 3)}, {"b", SHAPE(3, 3)}}, "a",
     AT(0, 1), AT(0, 2)},
    {"matrix product: a not transposed", 3, &matrix_product, {{"a", SHAPE(3, 3)}, {"b", SHAPE(3, 2)}}, "b",
     AT(0, 1), AT(2, 1)},
    {"matrix product: sign", 4, &matrix_product, {{"a", SHAPE(2, 3)}, {"b", SHAPE(3, 4)}}, "b", AT(0, 1),
     AT(1, 1), SIGN},
    {"x' w x: 2 w x", 1, &form, {{"x", SHAPE(3)}, {"w", SHAPE(3, 3)}}, "x", AT(1)},
    {"x' w x: half of the mixed derivative", 2, &form, {{"x", SHAPE(3)}, {"w", SHAPE(3, 3)}}, .order = 2},
    {"permuted axes: not the inverse", 1, &turned, {{"x", SHAPE(3, 3, 3)}}, "x", AT(0, 1, 2), AT(2, 0, 1)},
    {"softmax: diagonal only", 1, &softmax, SIGNED, "x", AT(1, 0), AT(1, 3)},
    {"softmax: wrong axis", 2, &softmax, SIGNED, "x", AT(0, 1), AT(2, 1)},
    {"softmax: sum of gy instead of gy y", 3, &softmax, SIGNED},
    {"log-softmax: right for a one-hot cotangent only", 1, &log_softmax, SIGNED, .nonlinear = true},
    {"log-sum-exp: not divided", 1, &log_sum_exp, SIGNED},
    {"norm: 2 x / y", 1, &norm, ONE, .fault = FACTOR(2)},
    {"norm: x / y^2", 2, &norm, ONE},
    {"variance: n - 1", 1, &variance, SIGNED, .fault = FACTOR(4.0 / 3)},
    {"variance: mean forgotten", 2, &variance, SIGNED, "x", AT(2, 1), AT(2)},
    {"running sum: not from the other end", 1, &running_sum, {{"x", SHAPE(1, 5)}}, "x", AT(0, 1), AT(0, 0),
     TRANSPOSED},
    {"running sum: all but itself", 2, &running_sum, {{"x", SHAPE(1, 5)}}, "x", AT(0, 1), AT(0, 0)},
    {"roll: the same way again", 1, &rolled, {{"x", SHAPE(1, 5)}}, "x", AT(0, 1), AT(0, 0), TRANSPOSED},
    {"roll: not around the end", 2, &rolled, {{"x", SHAPE(2, 5)}}, "x", AT(1, 4), AT(1, 0)},
    {"differences: around the end", 1, &differences, ONE, "x", AT(1, 3), AT(1, 0)},
    {"differences: the neighbour on the other side", 2, &differences, ONE, "x", AT(1, 1), AT(1, 0)},
    {"exp: one to the right", 1, &shifted, {{"x", SHAPE(2, 5)}}, "x", AT(1, 0), AT(1, 0),
     {.kind = GR_FAULT_SHIFTED, .axis = 1, .offset = 1}},
    {"max of a row: the first", 1, &largest, SIGNED},
    {"max of a row: all", 2, &largest, SIGNED},
    {"reversed: not back", 1, &flipped, {{"x", SHAPE(2, 5)}}, "x", AT(0, 1), AT(0, 1)},
    {"layer norm: mean taken for a constant", 1, &layer_norm, SIGNED},
    {"layer norm: variance taken for a constant", 2, &layer_norm, SIGNED},
    {"layer norm: variance instead of deviation", 3, &layer_norm, SIGNED},
    {"batch norm: scale by x, not standardised", 1, &batch_norm,
     {{"x", SHAPE(4, 2), -2, 2}, {"w", SHAPE(2)}}, "w", AT(1), AT(3, 1)},
    {"batch norm: statistics taken for constants", 2, &batch_norm,
     {{"x", SHAPE(4, 2), -2, 2}, {"w", SHAPE(2)}}, "x", AT(2, 1), AT(3, 1)},
    {"batch norm: variance taken for a constant", 3, &batch_norm,
     {{"x", SHAPE(4, 2), -2, 2}, {"w", SHAPE(2)}}},
    {"convolution: kernel turned around", 1, &convolved, {{"x", SHAPE(6)}, {"w", SHAPE(3)}}, "x", AT(2),
     AT(2)},
    {"convolution: window off by one", 2, &convolved, {{"x", SHAPE(6)}, {"w", SHAPE(3)}}, "w", AT(0), AT(3)},
    {"rows: written instead of added", 1, &taken, {{"x", SHAPE(4, 3)}}, "x", AT(2, 1), AT(0, 1)},
    {"rows: row 0 taken for padding", 2, &taken, {{"x", SHAPE(4, 3)}}, "x", AT(0, 1), AT(1, 1)},
    {"cross-entropy: not divided by the batch", 1, &cross_entropy, SIGNED, .fault = FACTOR(3)},
    {"cross-entropy: labels off by one", 2, &cross_entropy, SIGNED, "x", AT(1, 1)},
    {"cross-entropy: softmax along the batch", 3, &cross_entropy, SIGNED},
    {"cross-entropy: target - p", 4, &cross_entropy, SIGNED, .fault = SIGN},
    {"cross-entropy: Hessian missing", 5, &cross_entropy, SIGNED, "x", .order = 2},
    {"x^2: right rule, wrong pull", 1, &fast_square, ONE},
};
/* clang-format on */

/* ---- The driver ---- */

enum { MOST_PAIRS = 1 << 20 };

/* Which elements of the Jacobian are wrong, of each input; where there are too many: in which input elements. */
typedef struct truth {
    int64_t rows, columns[2], count;
    bool *wrong[2]; /* [rows, columns] */
} truth;

typedef struct judge {
    const wrong_rule *entry;
    truth truth;
    int64_t rightly, at_odds, found;
    bool named;
} judge;

static gr_tensor apply(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    const wrong_rule *w = user;
    return w->twice ? gr_apply(g, w->op, 2, (gr_tensor[]){in[0], in[0]}, NULL)
                    : gr_apply(g, w->op, n, in, NULL);
}

/* Row `row` of the Jacobian (-1: u J for u of ones), by all inputs, one behind the other. */
static void pull_row(gr_tensor y, int n, const gr_tensor *in, int64_t row, double *to)
{
    const gr_tensor u = row < 0 ? gr_ones(y.graph, GR_F64, gr_shape_of(y)) : at_element(y, row, 1, 0);
    gr_tensor grads[2];
    CHECK(gr_grad(1, &y, n, in, &u, &(gr_grad_options){.retain = true}, grads) == GR_OK);
    for (int i = 0; i < n; to += gr_count(in[i++])) CHECK(gr_read(grads[i], to, gr_count(in[i])) == GR_OK);
}

static truth find_truth(const wrong_rule *w, gr_graph *g, int n, const gr_tensor *in)
{
    truth t = {.columns = {gr_count(in[0]), n > 1 ? gr_count(in[1]) : 0}};
    const gr_scope s = gr_scope_begin(g);
    for (int i = 0; i < n; i++) gr_set_requires_grad(in[i], true);
    const gr_tensor y = apply(g, n, in, (void *)w);
    const int64_t columns = t.columns[0] + t.columns[1];
    t.rows = gr_count(y) * columns > MOST_PAIRS ? 1 : gr_count(y);
    double *right = malloc((size_t)columns * sizeof *right), *now = malloc((size_t)columns * sizeof *now);
    for (int i = 0; i < n; i++) t.wrong[i] = calloc((size_t)(t.rows * t.columns[i]), sizeof(bool));
    for (int64_t r = 0; r < t.rows; r++) {
        const int64_t row = t.rows == gr_count(y) ? r : -1;
        bad = 0;
        pull_row(y, n, in, row, right);
        bad = w->mistake;
        pull_row(y, n, in, row, now);
        for (int64_t k = 0; k < columns; k++) {
            const int i = k >= t.columns[0];
            const bool differs = !(fabs(now[k] - right[k]) <= 1e-9 * fabs(right[k]));
            t.wrong[i][r * t.columns[i] + k - i * t.columns[0]] = differs;
            t.count += differs;
        }
    }
    for (int i = 0; i < n; i++) gr_set_requires_grad(in[i], false);
    gr_scope_end(s, 0, NULL);
    free(right);
    free(now);
    return t;
}

static bool is_wrong(const truth *t, const gr_check_element *e)
{
    const bool any = e->of.element < 0 || t->rows == 1;
    for (int64_t r = any ? 0 : e->of.element; r < (any ? t->rows : e->of.element + 1); r++)
        if (t->wrong[e->input][r * t->columns[e->input] + e->at.element]) return true;
    return false;
}

static void judge_element(const gr_check_element *e, void *user)
{
    judge *j = user;
    const wrong_rule *w = j->entry;
    const int order = w->order ? w->order : 1;
    j->found += e->verdict == GR_CHECK_WRONG;
    if (order == 2 && e->order == 1) j->at_odds += e->verdict != GR_CHECK_RIGHT;
    j->named |= e->order == order && e->verdict == GR_CHECK_WRONG && w->input && !strcmp(e->name, w->input) &&
                (w->at.ndim == 0 || is_at(&e->at, &w->at)) &&
                (w->of.ndim == 0 || e->of.element < 0 || is_at(&e->of, &w->of));
    if (order == 2 || e->order != 1 || e->at.element < 0 || e->comparison == GR_COMPARE_ADJOINT) return;
    const bool expected = is_wrong(&j->truth, e);
    if (e->verdict == (expected ? GR_CHECK_WRONG : GR_CHECK_RIGHT))
        j->rightly += expected;
    else if (expected || !w->nonlinear)
        j->at_odds++;
}

static void expect_rejected(const wrong_rule *w, gr_graph *g, int n, const gr_tensor *in, gr_check_mode mode)
{
    const int failures = test_failures;
    judge j = {.entry = w, .truth = find_truth(w, g, n, in)};
    bad = w->mistake;
    const gr_check_options o = {
        .mode = mode, .order = w->order, .name = w->name, .each = judge_element, .each_user = &j};
    gr_check_result r;
    CHECK(gr_gradcheck(g, apply, n, in, (void *)w, &o, &r) == GR_OK);
    CHECK(!r.passed && r.failed > 0 && r.undecided == 0);
    CHECK(r.verdict == GR_CHECK_WRONG && r.worst.verdict == GR_CHECK_WRONG && r.wrong == j.found);
    CHECK(r.worst.at.element >= 0 && r.worst.order == (w->order ? w->order : 1));
    CHECK(j.at_odds == 0);
    if (mode == GR_CHECK_FULL && !w->order) CHECK(j.rightly == j.truth.count);
    if (mode != GR_CHECK_FAST && w->input) CHECK(j.named);
    if (mode == GR_CHECK_FULL && w->fault.kind) CHECK(is_guessed(&w->fault, &r));
    explain_since(failures, w->name, mode, &r);
    gr_graph_clear_error(g);
    free(j.truth.wrong[0]);
    free(j.truth.wrong[1]);
}

/* Without the mistake, to second order. */
static void expect_twin_accepted(const wrong_rule *w, gr_graph *g, int n, const gr_tensor *in,
                                 gr_check_mode mode)
{
    bad = 0;
    const int order = gr_count(in[0]) > 1000 ? 1 : 2;
    gr_check_result r;
    const gr_check_options o = {.mode = mode, .order = order, .name = w->name};
    CHECK(gr_gradcheck(g, apply, n, in, (void *)w, &o, &r) == GR_OK);
    expect_accepted(w->name, mode, &r);
    gr_graph_clear_error(g);
}

static void test_wrong_rules(void)
{
    gr_graph *g = gr_graph_create(NULL);
    for (size_t k = 0; k < LENGTH(list); k++) {
        const wrong_rule *w = &list[k];
        gr_tensor in[2];
        int n = 0;
        for (; n < 2 && w->inputs[n].name; n++) {
            const bool given = w->inputs[n].low < w->inputs[n].high;
            const double low = given ? w->inputs[n].low : 0.5, high = given ? w->inputs[n].high : 1.5;
            in[n] = gr_named(gr_keep(gr_uniform(g, GR_F64, w->inputs[n].shape, low, high)),
                             w->inputs[n].name);
        }
        for (gr_check_mode mode = GR_CHECK_FULL; mode <= GR_CHECK_FAST; mode++) {
            if (mode != GR_CHECK_FAST && gr_count(in[0]) > 1000) continue; /* takes half a minute */
            expect_twin_accepted(w, g, n, in, mode);
            expect_rejected(w, g, n, in, mode);
        }
        for (int i = 0; i < n; i++) gr_release(in[i]);
    }
    printf("%d wrong rules of primitives\n", (int)LENGTH(list));
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_wrong_rules);
    return TEST_EXIT;
}
