/*
 * What docs/kinks.md and the headers promise where there is no derivative, or no number.
 *
 * The rows of the document are the data of the first test, which knows the functions by the names they have there: value, first
 * and second derivative of each, in f32 and f64, for single elements and in rows of many, by every kind of walk. A row
 * of an unknown function fails, and so does a function without a row. The other tests are of what does not
 * fit into a row: batches, sweeps over places, casts.
 */
#include "test.h"

#include <gradus.h>

#include <float.h>
#include <stdlib.h>

#define INF ((double)INFINITY)

/* ---- The functions of the document ---- */

/* f of operands a and b (columns of x, if there are two), or of all of x along its last axis. The result has the
   shape of a column. */
typedef struct operands {
    gr_tensor x, a, b;
} operands;

static gr_graph *g;
static gr_type type;

static gr_tensor number_of_type(double value) { return gr_scalar(g, type, value); }

static gr_tensor element(gr_tensor y, int64_t i) { return gr_select(y, -1, i); }

/* Two columns side by side. */
static gr_tensor pair(gr_tensor a, gr_tensor b)
{
    return gr_concat(2, (gr_tensor[]){gr_unsqueeze(a, -1), gr_unsqueeze(b, -1)}, -1);
}

static gr_tensor labels_like(gr_tensor column) { return gr_zeros(g, GR_I32, gr_shape_of(column)); }
static gr_tensor first_class(gr_tensor x)
{
    return gr_one_hot(labels_like(element(x, 0)), gr_dim(x, -1), gr_type_of(x));
}

static gr_tensor ones_like(gr_tensor t) { return gr_ones(g, gr_type_of(t), gr_shape_of(t)); }
static gr_tensor zeros_like(gr_tensor t) { return gr_zeros(g, gr_type_of(t), gr_shape_of(t)); }

/* A mean over all rows, of which each is the same, as one value per row. */
static gr_tensor per_row(gr_tensor mean, gr_tensor column) { return gr_expand(mean, gr_shape_of(column)); }

/* The rows are channels, each with a slope of its own. */
static gr_tensor prelu_of_each(gr_tensor x, gr_tensor slopes)
{
    if (gr_ndim(x) == 0) return gr_prelu(x, slopes);
    return gr_reshape(gr_prelu(gr_reshape(x, GR_SHAPE(1, -1)), slopes), GR_SHAPE(-1));
}

#define C(VALUE) number_of_type(VALUE)
#define FUNCTIONS(X)                                                                                        \
    X(relu, "relu(x)", gr_relu(k.a))                                                                        \
    X(relu6, "relu6(x)", gr_relu6(k.a))                                                                     \
    X(leaky_relu, "leaky_relu(x)", gr_leaky_relu(k.a))                                                      \
    X(hardtanh, "hardtanh(x)", gr_hardtanh(k.a))                                                            \
    X(hardsigmoid, "hardsigmoid(x)", gr_hardsigmoid(k.a))                                                   \
    X(hardswish, "hardswish(x)", gr_hardswish(k.a))                                                         \
    X(elu, "elu(x)", gr_elu(k.a))                                                                           \
    X(celu, "celu(x)", gr_celu(k.a))                                                                        \
    X(selu, "selu(x)", gr_selu(k.a))                                                                        \
    X(log_sigmoid, "log_sigmoid(x)", gr_log_sigmoid(k.a))                                                   \
    X(softsign, "softsign(x)", gr_softsign(k.a))                                                            \
    X(silu, "silu(x)", gr_silu(k.a))                                                                        \
    X(mish, "mish(x)", gr_mish(k.a))                                                                        \
    X(gelu, "gelu(x)", gr_gelu(k.a))                                                                        \
    X(gelu_tanh, "gelu_tanh(x)", gr_gelu_tanh(k.a))                                                         \
    X(leaky_flat, "leaky_relu(x, 0)", gr_leaky_relu_with(k.a, 0))                                           \
    X(elu_2, "elu(x, 2)", gr_elu_with(k.a, 2))                                                              \
    X(celu_2, "celu(x, 2)", gr_celu_with(k.a, 2))                                                           \
    X(softplus_2, "softplus(x, 2)", gr_softplus_with(k.a, 2))                                               \
    X(prelu, "prelu(a, b)", prelu_of_each(k.a, k.b))                                                        \
    X(maxout, "maxout(x, 2)", element(gr_maxout(k.x, 2, -1), 0))                                            \
    X(glu, "glu(x)", element(gr_glu(k.x, -1), 0))                                                           \
    X(abs, "abs(x)", gr_abs(k.a))                                                                           \
    X(sign, "sign(x)", gr_sign(k.a))                                                                        \
    X(asin, "asin(x)", gr_asin(k.a))                                                                        \
    X(acos, "acos(x)", gr_acos(k.a))                                                                        \
    X(atan, "atan(x)", gr_atan(k.a))                                                                        \
    X(acosh, "acosh(x)", gr_acosh(k.a))                                                                     \
    X(atanh, "atanh(x)", gr_atanh(k.a))                                                                     \
    X(tan, "tan(x)", gr_tan(k.a))                                                                           \
    X(asinh, "asinh(x)", gr_asinh(k.a))                                                                     \
    X(sinh, "sinh(x)", gr_sinh(k.a))                                                                        \
    X(cosh, "cosh(x)", gr_cosh(k.a))                                                                        \
    X(erf, "erf(x)", gr_erf(k.a))                                                                           \
    X(erfc, "erfc(x)", gr_erfc(k.a))                                                                        \
    X(expm1, "expm1(x)", gr_expm1(k.a))                                                                     \
    X(log2, "log2(x)", gr_log2(k.a))                                                                        \
    X(log10, "log10(x)", gr_log10(k.a))                                                                     \
    X(rsqrt, "rsqrt(x)", gr_rsqrt(k.a))                                                                     \
    X(reciprocal, "reciprocal(x)", gr_reciprocal(k.a))                                                      \
    X(floor, "floor(x)", gr_floor(k.a))                                                                     \
    X(ceil, "ceil(x)", gr_ceil(k.a))                                                                        \
    X(trunc, "trunc(x)", gr_trunc(k.a))                                                                     \
    X(round, "round(x)", gr_round(k.a))                                                                     \
    X(unit_step, "unit_step(x)", gr_unit_step(k.a))                                                         \
    X(heaviside, "heaviside(a, b)", gr_heaviside(k.a, k.b))                                                 \
    X(clamp, "clamp(x, -1, 2)", gr_clamp(k.a, -1, 2))                                                       \
    X(clamp_low, "clamp(x, 0, inf)", gr_clamp(k.a, 0, INF))                                                 \
    X(clamp_crossed, "clamp(x, 2, -1)", gr_clamp(k.a, 2, -1))                                               \
    X(logaddexp, "logaddexp(a, b)", gr_logaddexp(k.a, k.b))                                                 \
    X(hypot, "hypot(a, b)", gr_hypot(k.a, k.b))                                                             \
    X(atan2, "atan2(a, b)", gr_atan2(k.a, k.b))                                                             \
    X(fmod, "fmod(a, b)", gr_fmod(k.a, k.b))                                                                \
    X(remainder, "remainder(a, b)", gr_remainder(k.a, k.b))                                                 \
    X(lerp, "lerp(a, b, 0)", gr_lerp(k.a, k.b, C(0)))                                                       \
    X(where_asin, "where(x < 1, asin(x), 0)", gr_where(gr_less(k.a, C(1)), gr_asin(k.a), C(0)))             \
    X(maximum, "maximum(a, b)", gr_maximum(k.a, k.b))                                                       \
    X(maximum_same, "maximum(x, x)", gr_maximum(k.a, k.a))                                                  \
    X(minimum, "minimum(a, b)", gr_minimum(k.a, k.b))                                                       \
    X(max, "max(x)", gr_max(k.x, GR_AXES(-1), false))                                                       \
    X(max_pool, "max_pool1d(x)[0]",                                                                         \
      element(gr_max_pool1d(k.x, &(gr_pool_options){.kernel = {gr_dim(k.x, -1)}}), 0))                      \
    X(square_max, "square(max(x))", gr_square(gr_max(k.x, GR_AXES(-1), false)))                             \
    X(min, "min(x)", gr_min(k.x, GR_AXES(-1), false))                                                       \
    X(prod, "prod(x)", gr_prod(k.x, GR_AXES(-1), false))                                                    \
    X(square_prod, "square(prod(x))", gr_square(gr_prod(k.x, GR_AXES(-1), false)))                          \
    X(cumprod_0, "cumprod(x)[0]", element(gr_cumprod(k.x, -1), 0))                                          \
    X(cumprod_last, "cumprod(x)[-1]", element(gr_cumprod(k.x, -1), -1))                                     \
    X(cumsum_last, "cumsum(x)[-1]", element(gr_cumsum(k.x, -1), -1))                                        \
    X(sqrt, "sqrt(x)", gr_sqrt(k.a))                                                                        \
    X(sqrt_mul, "sqrt(x * x)", gr_sqrt(gr_mul(k.a, k.a)))                                                   \
    X(sqrt_square, "sqrt(square(x))", gr_sqrt(gr_square(k.a)))                                              \
    X(sqrt_abs, "sqrt(abs(x))", gr_sqrt(gr_abs(k.a)))                                                       \
    X(sqrt_cos, "sqrt(1 - cos(x))", gr_sqrt(gr_sub(C(1), gr_cos(k.a))))                                     \
    X(sqrt_exp, "sqrt(exp(x))", gr_sqrt(gr_exp(k.a)))                                                       \
    X(zero_sqrt, "0 * sqrt(x)", gr_mul(C(0), gr_sqrt(k.a)))                                                 \
    X(scale_sqrt, "scale(sqrt(x), 0)", gr_scale(gr_sqrt(k.a), 0))                                           \
    X(sqrt_scale, "sqrt(scale(x, 0))", gr_sqrt(gr_scale(k.a, 0)))                                           \
    X(square_sqrt, "square(sqrt(x))", gr_square(gr_sqrt(k.a)))                                              \
    X(log, "log(x)", gr_log(k.a))                                                                           \
    X(log1p, "log1p(x)", gr_log1p(k.a))                                                                     \
    X(zero_log, "0 * log(x)", gr_mul(C(0), gr_log(k.a)))                                                    \
    X(entropy, "chain_mul(x, log(x))", gr_chain_mul(k.a, gr_log(k.a)))                                      \
    X(power_0, "pow_scalar(x, 0)", gr_pow_scalar(k.a, 0))                                                   \
    X(power_1, "pow_scalar(x, 1)", gr_pow_scalar(k.a, 1))                                                   \
    X(power_2, "pow_scalar(x, 2)", gr_pow_scalar(k.a, 2))                                                   \
    X(power_3, "pow_scalar(x, 3)", gr_pow_scalar(k.a, 3))                                                   \
    X(power_half, "pow_scalar(x, 0.5)", gr_pow_scalar(k.a, 0.5))                                            \
    X(power_3_halves, "pow_scalar(x, 1.5)", gr_pow_scalar(k.a, 1.5))                                        \
    X(power_minus_1, "pow_scalar(x, -1)", gr_pow_scalar(k.a, -1))                                           \
    X(power_of_square, "pow_scalar(square(x), 0.5)", gr_pow_scalar(gr_square(k.a), 0.5))                    \
    X(pow, "pow(a, b)", gr_pow(k.a, k.b))                                                                   \
    X(pow_2, "pow(x, 2)", gr_pow(k.a, C(2)))                                                                \
    X(pow_3, "pow(x, 3)", gr_pow(k.a, C(3)))                                                                \
    X(div, "a / b", gr_div(k.a, k.b))                                                                       \
    X(zero_div, "0 * (a / b)", gr_mul(C(0), gr_div(k.a, k.b)))                                              \
    X(chain_div, "chain_div(a, b)", gr_chain_div(k.a, k.b))                                                 \
    X(chain_mul, "chain_mul(a, b)", gr_chain_mul(k.a, k.b))                                                 \
    X(exp, "exp(x)", gr_exp(k.a))                                                                           \
    X(tanh, "tanh(x)", gr_tanh(k.a))                                                                        \
    X(sigmoid, "sigmoid(x)", gr_sigmoid(k.a))                                                               \
    X(softplus, "softplus(x)", gr_softplus(k.a))                                                            \
    X(sin, "sin(x)", gr_sin(k.a))                                                                           \
    X(where_log, "where(x > 0, log(x), 0)", gr_where(gr_greater(k.a, C(0)), gr_log(k.a), C(0)))             \
    X(where_sqrt, "where(x > 0, sqrt(x), 0)", gr_where(gr_greater(k.a, C(0)), gr_sqrt(k.a), C(0)))          \
    X(where_log_sqrt, "where(x > 0, log(sqrt(x)), 0)",                                                      \
      gr_where(gr_greater(k.a, C(0)), gr_log(gr_sqrt(k.a)), C(0)))                                          \
    X(where_sin, "where(x > 0, sin(1 / x), 0)",                                                             \
      gr_where(gr_greater(k.a, C(0)), gr_sin(gr_div(C(1), k.a)), C(0)))                                     \
    X(where_pow, "where(x > 0, pow(x, x), 1)", gr_where(gr_greater(k.a, C(0)), gr_pow(k.a, k.a), C(1)))     \
    X(where_power, "where(x > 0, pow_scalar(x, 0.5), x)",                                                   \
      gr_where(gr_greater(k.a, C(0)), gr_pow_scalar(k.a, 0.5), k.a))                                        \
    X(where_sign, "where(x == 0, 0, x / abs(x))",                                                           \
      gr_where(gr_equal(k.a, C(0)), C(0), gr_div(k.a, gr_abs(k.a))))                                        \
    X(where_sinc, "where(x == 0, 1, sin(x) / x)",                                                           \
      gr_where(gr_equal(k.a, C(0)), C(1), gr_div(gr_sin(k.a), k.a)))                                        \
    X(where_exp, "where(x < 1, exp(x), x)", gr_where(gr_less(k.a, C(1)), gr_exp(k.a), k.a))                 \
    X(where_tanh, "where(x > 0, tanh(log(x)), sigmoid(x))",                                                 \
      gr_where(gr_greater(k.a, C(0)), gr_tanh(gr_log(k.a)), gr_sigmoid(k.a)))                               \
    X(where_norm, "where(x > 0, norm(x, log(x)), 0)",                                                       \
      gr_where(gr_greater(k.a, C(0)), gr_norm(pair(k.a, gr_log(k.a)), GR_AXES(-1), false), C(0)))           \
    X(where_softmax, "where(x > 0, softmax(log(x), 0)[0], 0)",                                              \
      gr_where(gr_greater(k.a, C(0)), element(gr_softmax(pair(gr_log(k.a), gr_scale(k.a, 0)), -1), 0),      \
               C(0)))                                                                                       \
    X(norm, "norm(x)", gr_norm(k.x, GR_AXES(-1), false))                                                    \
    X(square_norm, "square(norm(x))", gr_square(gr_norm(k.x, GR_AXES(-1), false)))                          \
    X(norm_1, "vector_norm(x, 1)", gr_vector_norm(k.x, 1, GR_AXES(-1), false))                              \
    X(norm_inf, "vector_norm(x, inf)", gr_vector_norm(k.x, INF, GR_AXES(-1), false))                        \
    X(norm_least, "vector_norm(x, -inf)", gr_vector_norm(k.x, -INF, GR_AXES(-1), false))                    \
    X(norm_0, "vector_norm(x, 0)", gr_vector_norm(k.x, 0, GR_AXES(-1), false))                              \
    X(norm_3, "vector_norm(x, 3)", gr_vector_norm(k.x, 3, GR_AXES(-1), false))                              \
    X(norm_half, "vector_norm(x, 0.5)", gr_vector_norm(k.x, 0.5, GR_AXES(-1), false))                       \
    X(norm_minus_1, "vector_norm(x, -1)", gr_vector_norm(k.x, -1, GR_AXES(-1), false))                      \
    X(var, "var(x)", gr_var(k.x, GR_AXES(-1), 1, false))                                                    \
    X(std, "std(x)", gr_std(k.x, GR_AXES(-1), 1, false))                                                    \
    X(square_std, "square(std(x))", gr_square(gr_std(k.x, GR_AXES(-1), 1, false)))                          \
    X(softmax_0, "softmax(x)[0]", element(gr_softmax(k.x, -1), 0))                                          \
    X(softmax_1, "softmax(x)[1]", element(gr_softmax(k.x, -1), 1))                                          \
    X(log_softmax_0, "log_softmax(x)[0]", element(gr_log_softmax(k.x, -1), 0))                              \
    X(log_softmax_1, "log_softmax(x)[1]", element(gr_log_softmax(k.x, -1), 1))                              \
    X(logsumexp, "logsumexp(x)", gr_logsumexp(k.x, GR_AXES(-1), false))                                     \
    X(cross_entropy, "softmax_cross_entropy(x, 0)",                                                         \
      per_row(gr_softmax_cross_entropy(k.x, labels_like(k.a)), k.a))                                        \
    X(cross_entropy_onehot, "softmax_cross_entropy_onehot(x, 1 0 0)",                                       \
      per_row(gr_softmax_cross_entropy_onehot(k.x, first_class(k.x)), k.a))                                 \
    X(bce_0, "bce_with_logits(x, 0)",                                                                       \
      per_row(gr_bce_with_logits(k.a, gr_zeros(g, type, gr_shape_of(k.a))), k.a))                           \
    X(bce_1, "bce_with_logits(x, 1)",                                                                       \
      per_row(gr_bce_with_logits(k.a, gr_ones(g, type, gr_shape_of(k.a))), k.a))                            \
    X(sum, "sum(x)", gr_sum(k.x, GR_AXES(-1), false))                                                       \
    X(mean, "mean(x)", gr_mean(k.x, GR_AXES(-1), false))                                                    \
    X(l1, "l1_loss(x, 0)", per_row(gr_l1_loss(k.a, zeros_like(k.a)), k.a))                                  \
    X(huber, "huber(x, 0)", per_row(gr_huber(k.a, zeros_like(k.a)), k.a))                                   \
    X(smooth_l1, "smooth_l1_loss(x, 0)", per_row(gr_smooth_l1_loss(k.a, zeros_like(k.a)), k.a))             \
    X(log_cosh_loss, "log_cosh_loss(x, 0)", per_row(gr_log_cosh_loss(k.a, zeros_like(k.a)), k.a))           \
    X(log_cosh, "log_cosh(x)", gr_log_cosh(k.a))                                                            \
    X(log_loss, "log_loss(a, b)", gr_log_loss(k.a, k.b))                                                    \
    X(bce_p0, "bce(x, 0)", per_row(gr_bce(k.a, zeros_like(k.a)), k.a))                                      \
    X(bce_p1, "bce(x, 1)", per_row(gr_bce(k.a, ones_like(k.a)), k.a))                                       \
    X(hinge, "hinge(x, 1)", per_row(gr_hinge(k.a, ones_like(k.a)), k.a))                                    \
    X(kl_0, "kl_div(x, 0)", per_row(gr_kl_div(k.a, zeros_like(k.a)), k.a))                                  \
    X(kl_t, "kl_div(0, x)", per_row(gr_kl_div(zeros_like(k.a), k.a), k.a))                                  \
    X(nll, "nll(x, 0)", per_row(gr_nll(k.x, labels_like(k.a)), k.a))                                        \
    X(smoothed, "softmax_cross_entropy(x, 0, smoothing 0.5)",                                               \
      per_row(                                                                                              \
          gr_softmax_cross_entropy_with(k.x, labels_like(k.a), &(gr_loss_options){.label_smoothing = 0.5}), \
          k.a))                                                                                             \
    X(multi_margin, "multi_margin(x, 0)", per_row(gr_multi_margin(k.x, labels_like(k.a)), k.a))             \
    X(cosine, "cosine_similarity(x, 1 0 0)", gr_cosine_similarity(k.x, first_class(k.x), -1))               \
    X(triplet, "triplet_margin(x, x, 0)", per_row(gr_triplet_margin(k.x, k.x, zeros_like(k.x)), k.a))

#define DEFINE(NAME, TEXT, EXPRESSION) \
    static gr_tensor f_##NAME(operands k) { return EXPRESSION; }
FUNCTIONS(DEFINE)

typedef struct function {
    const char *text; /* as the document writes it */
    gr_tensor (*f)(operands k);
} function;

#define ENTRY(NAME, TEXT, EXPRESSION) {TEXT, f_##NAME},
static const function functions[] = {FUNCTIONS(ENTRY)};
enum { N_FUNCTIONS = sizeof functions / sizeof *functions, MOST = 8, COLUMNS = 6 };

/* ---- Rows of the document ---- */

typedef struct document_row {
    int line, n; /* elements of x */
    gr_tensor (*f)(operands k);
    const char *text;
    bool fails; /* the value is an error */
    double x[MOST], value, first[MOST], second[MOST];
} document_row;

/* A number, or the quotient of two; moves on. */
static double read_number(char **at)
{
    double v = strtod(*at, at);
    if (**at == '/') {
        ++*at;
        v /= strtod(*at, at);
    }
    return v;
}

/* The numbers of a cell, separated by commas; how many there are, or -1. "empty" and "none" are none. */
static int read_numbers(char *cell, double *to)
{
    if (!strcmp(cell, "empty") || !strcmp(cell, "none")) return 0;
    for (int n = 0; n < MOST;) {
        char *end = cell;
        to[n++] = read_number(&end);
        if (end == cell) return -1;
        if (*end == '\0') return n;
        if (*end != ',') return -1;
        cell = end + 1;
    }
    return -1;
}

/* The numbers of a cell for n elements; one number stands for all. */
static bool read_all(char *cell, int n, double *to)
{
    const int found = read_numbers(cell, to);
    for (int i = 1; found == 1 && i < n; i++) to[i] = to[0];
    return found == n || (found == 1 && n > 1);
}

/* Splits "| `f(x)` | at | ... |" in place. */
static bool split(char *line, char *cell[COLUMNS])
{
    char *at = line + 1;
    for (int n = 0; n < COLUMNS; n++) {
        char *end = strchr(at, '|'), *last = end;
        if (!end) return false;
        while (*at == ' ') at++;
        while (last > at && last[-1] == ' ') last--;
        cell[n] = at;
        at = end + 1;
        *end = *last = '\0';
    }
    return true;
}

/* The row of a line; false if the line cannot be read, or its function is unknown. */
static bool read_row(char *line, document_row *r, bool *used)
{
    char *cell[COLUMNS];
    if (!split(line, cell)) return false;
    char *name = cell[0] + 1, *end = strchr(name, '`');
    if (!end) return false;
    *end = '\0';
    r->f = NULL;
    for (int i = 0; i < N_FUNCTIONS; i++)
        if (!strcmp(functions[i].text, name)) {
            r->f = functions[i].f;
            r->text = functions[i].text;
            used[i] = true;
        }
    r->fails = !strcmp(cell[2], "error");
    r->n = read_numbers(cell[1], r->x);
    return r->f && r->n >= 0 && (r->fails || read_numbers(cell[2], &r->value) == 1) &&
           read_all(cell[3], r->n, r->first) && read_all(cell[4], r->n, r->second);
}

/* ---- One row ---- */

static double tolerance(void) { return type == GR_F32 ? 2e-6 : 1e-14; }

/* NaN where NaN is expected, the same infinity, or close. */
static bool is(double actual, double expected)
{
    if (isnan(expected) || isnan(actual)) return isnan(expected) && isnan(actual);
    return actual == expected || fabs(actual - expected) <= tolerance() * fabs(expected);
}

static double at(gr_tensor t, int64_t copy, int i, bool single)
{
    return single ? gr_at(t, 1, (int64_t[]){i}) : gr_at(t, 2, (int64_t[]){copy, i});
}

/* Whether column i of t, shaped as x, is v in all copies. */
static bool column_is(gr_tensor t, int i, int64_t copies, double v)
{
    bool same = gr_is_valid(t);
    for (int64_t copy = 0; copy < (copies ? copies : 1); copy++) same &= is(at(t, copy, i, !copies), v);
    return same;
}

static bool columns_are(gr_tensor t, const document_row *r, int64_t copies, const double *expected)
{
    bool same = gr_is_valid(t);
    for (int i = 0; i < r->n; i++) same &= column_is(t, i, copies, expected[i]);
    return same;
}

enum { BACKWARD, GRAD, RECORDED, WALKS, FORWARD = WALKS, FORWARD_RECORDED, ALL_WALKS };
static const char *const walks[] = {"gr_backward", "gr_grad", "recorded gr_grad", "gr_jvp",
                                    "recorded gr_jvp"};

/* The gradient of sum y by x. */
static gr_tensor gradient(gr_tensor y, gr_tensor x, int walk)
{
    const gr_tensor ones = ones_like(y);
    gr_tensor by = GR_NONE;
    if (walk != BACKWARD) {
        gr_grad(1, &y, 1, &x, &ones, &(gr_grad_options){.record = walk == RECORDED, .retain = true}, &by);
        return by;
    }
    gr_clear_grad(x);
    gr_backward_with(y, &(gr_backward_options){.cotangent = ones, .retain = true});
    return gr_gradient(x);
}

static void explain(const document_row *r, const char *what, int walk, gr_tensor t)
{
    char text[256] = "";
    for (int64_t i = 0, at_text = 0; i < r->n && gr_ndim(t) > 0; i++)
        at_text += snprintf(text + at_text, sizeof text - (size_t)at_text, " %.9g",
                            at(t, 0, (int)i, gr_ndim(t) == 1));
    printf("  docs/kinks.md:%d: %s, %s: %s by %s:%s\n", r->line, r->text, gr_type_name(type), what,
           walks[walk], text);
}

static bool all_finite(const double *v, int n)
{
    bool finite = true;
    for (int i = 0; i < n; i++) finite &= isfinite(v[i]) != 0;
    return finite;
}

/* Second derivatives, from the recorded first. Mixed ones are not NaN where the others are numbers. */
static void check_second(const document_row *r, gr_tensor x, gr_tensor first, int64_t copies)
{
    const bool ordinary = all_finite(r->first, r->n) && all_finite(r->second, r->n);
    for (int i = 0; i < r->n; i++) {
        const gr_tensor slope = gr_select(first, -1, i);
        for (int walk = 0; walk < WALKS; walk++) {
            if (walk == BACKWARD && !gr_requires_grad(slope)) continue; /* a constant: nothing to walk */
            const gr_tensor by = gradient(slope, x, walk);
            bool good = column_is(by, i, copies, r->second[i]);
            for (int j = 0; j < r->n && ordinary; j++) good &= !isnan(at(by, 0, j, !copies));
            CHECK(good);
            if (!good) explain(r, "second", walk, by);
        }
    }
}

/* The tangent of y, for one of column i of x alone, is derivative i. Of no columns, it is 0. */
static void check_forward(const document_row *r, gr_tensor y, gr_tensor x, int64_t copies, int walk)
{
    for (int i = 0; i < (r->n ? r->n : 1); i++) {
        const gr_tensor place = gr_full(g, GR_I32, GR_SCALAR, i);
        const gr_tensor unit = r->n ? gr_one_hot(place, r->n, type) : ones_like(x),
                        t = gr_contiguous(gr_expand(unit, gr_shape_of(x)));
        gr_tensor by = GR_NONE;
        if (walk == FORWARD) gr_no_grad_begin(g);
        CHECK(gr_jvp(1, &y, 1, &x, &t, &by) == GR_OK);
        if (walk == FORWARD) gr_no_grad_end(g);
        bool good = gr_is_valid(by);
        for (int64_t copy = 0; good && copy < (copies ? copies : 1); copy++)
            good = is(copies ? gr_at(by, 1, &copy) : gr_item(by), r->n ? r->first[i] : 0);
        CHECK(good);
        if (!good)
            printf("  docs/kinks.md:%d: %s, %s: first by %s of element %d\n", r->line, r->text,
                   gr_type_name(type), walks[walk], i);
    }
}

/* The same to a few roundings of terms of the size of 1 that cancel. */
static bool column_is_near(gr_tensor t, int i, int64_t copies, double v)
{
    const double epsilon = type == GR_F32 ? FLT_EPSILON : DBL_EPSILON;
    bool same = gr_is_valid(t);
    for (int64_t copy = 0; copy < (copies ? copies : 1); copy++)
        same &= fabs(at(t, copy, i, !copies) - v) <= 4 * epsilon * fmax(1, fabs(v));
    return same;
}

/* Second derivatives by Hessian-vector products along the columns. */
static void check_products(const document_row *r, gr_tensor y, gr_tensor x, int64_t copies)
{
    const gr_tensor sum = gr_sum(y, GR_ALL_AXES, false);
    for (int i = 0; i < 2 * r->n; i++) {
        const gr_tensor place = gr_full(g, GR_I32, GR_SCALAR, i / 2);
        const gr_tensor v = gr_contiguous(gr_expand(gr_one_hot(place, r->n, type), gr_shape_of(x)));
        gr_tensor by = GR_NONE;
        if (i % 2) gr_no_grad_begin(g);
        CHECK(gr_hvp(sum, 1, &x, &v, &by) == GR_OK);
        if (i % 2) gr_no_grad_end(g);
        bool good = column_is(by, i / 2, copies, r->second[i / 2]);
        if (i % 2) good = good || column_is_near(by, i / 2, copies, r->second[i / 2]);
        CHECK(good);
        if (!good) explain(r, i % 2 ? "product" : "recorded product", GRAD, by);
    }
}

/* `copies` times below each other, or, for 0, one without an axis for it. */
static void check_row(const document_row *r, int64_t copies)
{
    static double values[32 * MOST];
    const gr_scope scope = gr_scope_begin(g);
    for (int64_t i = 0; i < (copies ? copies : 1) * r->n; i++) values[i] = r->x[i % r->n];
    const gr_shape shape = copies ? GR_SHAPE(copies, r->n) : GR_SHAPE(r->n);
    const gr_tensor x = gr_set_requires_grad(gr_keep(gr_cast(gr_constant(g, GR_F64, shape, values), type)),
                                             true);
    operands k = {.x = x};
    if (r->n > 0) k.a = gr_select(x, -1, 0);
    if (r->n > 1) k.b = gr_select(x, -1, 1);
    const gr_tensor y = r->f(k);
    if (r->fails) {
        CHECK(!gr_is_valid(y) && gr_graph_status(g) == GR_ERR_SHAPE);
        gr_graph_clear_error(g);
    } else {
        bool good = gr_is_valid(y);
        for (int64_t i = 0; good && i < (copies ? copies : 1); i++)
            good &= is(copies ? gr_at(y, 1, &i) : gr_item(y), r->value);
        CHECK(good);
        if (!good) printf("  docs/kinks.md:%d: %s, %s: value\n", r->line, r->text, gr_type_name(type));
        for (int walk = 0; walk < WALKS; walk++) {
            const gr_tensor by = gradient(y, x, walk);
            const bool right = columns_are(by, r, copies, r->first);
            CHECK(right);
            if (!right) explain(r, "first", walk, by);
            if (walk == RECORDED) check_second(r, x, by, copies);
        }
        for (int walk = FORWARD; walk < ALL_WALKS; walk++) check_forward(r, y, x, copies, walk);
        check_products(r, y, x, copies);
    }
    CHECK(gr_graph_status(g) == GR_OK);
    gr_release(x);
    gr_scope_end(scope, 0, NULL);
}

static void test_document(void)
{
    static bool used[N_FUNCTIONS];
    char line[512];
    FILE *document = fopen(KINKS_DOCUMENT, "r");
    CHECK(document != NULL);
    g = gr_graph_create(NULL);
    for (int number = 1; document && fgets(line, sizeof line, document); number++) {
        if (strncmp(line, "| `", 3) != 0) continue;
        document_row r = {.line = number};
        const bool understood = read_row(line, &r, used);
        CHECK(understood);
        if (!understood) printf("  docs/kinks.md:%d: not a row that this test can compute\n", number);
        for (int i = 0; understood && i < 4; i++) {
            type = i & 1 ? GR_F32 : GR_F64;
            check_row(&r, i & 2 ? 19 : 0);
        }
        if (gr_graph_status(g) != GR_OK) printf("  docs/kinks.md:%d: %s\n", number, gr_graph_error(g));
        gr_graph_clear_error(g);
    }
    for (int i = 0; i < N_FUNCTIONS; i++) {
        CHECK(used[i]);
        if (!used[i]) printf("  docs/kinks.md has no row of %s\n", functions[i].text);
    }
    gr_graph_destroy(g);
    if (document) fclose(document);
}

/* ---- All functions at all special points ---- */

static const double special[] = {0,    -0.0,  1,      -1,    2,   -2.5, 1e-40, -1e-40,
                                 1e30, -1e30, 1e-310, 1e300, INF, -INF, NAN};
enum { SPECIAL = sizeof special / sizeof *special, PAIRS = SPECIAL * SPECIAL };

/* The gradient of each of the pairs, with one cotangent for all. */
static gr_tensor pull_back(const function *f, gr_tensor x, double cotangent, bool record)
{
    const operands k = {x, gr_select(x, -1, 0), gr_select(x, -1, 1)};
    const gr_tensor y = f->f(k), gy = gr_full(g, type, gr_shape_of(y), cotangent);
    gr_tensor by = GR_NONE;
    gr_grad(1, &y, 1, &x, &gy, &(gr_grad_options){.record = record}, &by);
    return by;
}

/* A cotangent of 0 gives 0, whatever the operands are; and the fast paths give what the rules give. */
static void check_function(const function *f, gr_tensor x)
{
    static const double cotangents[] = {0, 1, -0.75, INF, NAN};
    for (int c = 0; c < 5; c++) {
        const gr_scope scope = gr_scope_begin(g);
        const gr_tensor fast = pull_back(f, x, cotangents[c], false),
                        rule = pull_back(f, x, cotangents[c], true);
        bool agree = true, none = true;
        for (int64_t i = 0; i < PAIRS; i++)
            for (int j = 0; j < 2; j++) {
                agree &= is(GR_AT(fast, i, j), GR_AT(rule, i, j));
                none &= GR_AT(fast, i, j) == 0;
            }
        CHECK(agree && (none || cotangents[c] != 0));
        if (!agree || (!none && cotangents[c] == 0))
            printf("  %s, %s, cotangent %g\n", f->text, gr_type_name(type), cotangents[c]);
        gr_scope_end(scope, 0, NULL);
    }
}

static void test_special_points(void)
{
    double pairs[PAIRS][2];
    for (int i = 0; i < PAIRS; i++) {
        pairs[i][0] = special[i / SPECIAL];
        pairs[i][1] = special[i % SPECIAL];
    }
    for (int i = 0; i < 2; i++) {
        g = gr_graph_create(NULL);
        type = i ? GR_F32 : GR_F64;
        const gr_tensor x = gr_set_requires_grad(
            gr_keep(gr_cast(gr_constant(g, GR_F64, GR_SHAPE(PAIRS, 2), pairs), type)), true);
        for (int f = 0; f < N_FUNCTIONS; f++) check_function(&functions[f], x);
        CHECK(gr_graph_status(g) == GR_OK);
        gr_graph_destroy(g);
    }
}

/* ---- What does not fit into a row ---- */

static gr_tensor number(double value)
{
    return gr_set_requires_grad(gr_keep(gr_full(g, type, GR_SCALAR, value)), true);
}

static double slope(gr_tensor y, gr_tensor x) { return gr_item(gr_derivative(y, x)); }
static double curvature(gr_tensor y, gr_tensor x) { return slope(gr_derivative(y, x), x); }

static void in_both_types(void (*test)(void))
{
    for (int i = 0; i < 2; i++) {
        g = gr_graph_create(NULL);
        type = i ? GR_F64 : GR_F32;
        test();
        CHECK(gr_graph_status(g) == GR_OK);
        gr_graph_destroy(g);
    }
}

static void ties(void)
{
    const gr_tensor a = number(2), b = number(2);
    CHECK(slope(gr_maximum(a, b), a) == 0.5 && slope(gr_maximum(a, b), b) == 0.5);
    CHECK(slope(gr_minimum(a, b), a) == 0.5 && slope(gr_minimum(a, b), b) == 0.5);
    CHECK(slope(gr_maximum(a, a), a) == 1);
    const gr_tensor x = gr_reshape(
        gr_concat(4,
                  (gr_tensor[]){gr_reshape(a, GR_SHAPE(1)), gr_reshape(b, GR_SHAPE(1)),
                                gr_reshape(number(1), GR_SHAPE(1)), gr_reshape(a, GR_SHAPE(1))},
                  0),
        GR_SHAPE(2, 2));
    const gr_tensor y = gr_square(gr_max(x, GR_ALL_AXES, false)); /* a comes twice */
    CHECK_NEAR(slope(y, a), 4 * 2 / 3.0, 1e-6);
    CHECK_NEAR(slope(y, b), 4 * 1 / 3.0, 1e-6);
    CHECK_NEAR(curvature(y, a), 2 * 4 / 9.0, 1e-6);
}

static void powers(void)
{
    const double tiny = type == GR_F32 ? 1e-40 : 1e-310;
    const double bases[] = {0, -0.0, tiny, -tiny, 1, 2, -2, 1e30, INFINITY};
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
        const gr_tensor a = number(bases[i]), none = number(0);
        CHECK(gr_item(gr_pow(a, none)) == 1 && slope(gr_pow(a, none), a) == 0);
        CHECK(slope(gr_pow_scalar(a, 0), a) == 0 && slope(gr_pow_scalar(a, 1), a) == 1);
        if (isfinite(bases[i])) CHECK(curvature(gr_pow_scalar(a, 2), a) == 2);
    }
    const gr_tensor zero = number(0);
    const double exponents[] = {0, 0.5, 1, 2, 3, INFINITY};
    for (size_t i = 0; i < sizeof exponents / sizeof *exponents; i++) {
        const gr_tensor b = number(exponents[i]);
        CHECK(slope(gr_pow(zero, b), b) == 0);
    }
    CHECK(slope(gr_pow(zero, number(1)), zero) == 1 && slope(gr_pow(zero, number(2)), zero) == 0);
    CHECK(isnan(gr_item(gr_pow(number(-2), number(0.5)))));
}

static void not_a_number(void)
{
    const gr_tensor x = number(NAN), one = number(1);
    const gr_tensor results[] = {
        gr_maximum(x, one), gr_maximum(one, x), gr_minimum(x, one), gr_minimum(one, x), gr_relu(x),
        gr_abs(x),          gr_sign(x),         gr_sigmoid(x),      gr_softplus(x),     gr_tanh(x)};
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) CHECK(isnan(gr_item(results[i])));
    /* At any place of rows short and long, side by side and not. */
    for (int64_t n = 1; n < 40; n++)
        for (int64_t at = 0; at < n; at++) {
            const gr_scope scope = gr_scope_begin(g);
            const gr_tensor places = gr_arange(g, type, n, 0, 1),
                            here = gr_equal(places, gr_full(g, type, GR_SCALAR, (double)at));
            const gr_tensor row = gr_where(here, x, places),
                            columns = gr_contiguous(gr_expand(gr_unsqueeze(row, 1), GR_SHAPE(n, 3)));
            CHECK(isnan(gr_item(gr_max(row, GR_ALL_AXES, false))) &&
                  isnan(gr_item(gr_logsumexp(row, GR_ALL_AXES, false))));
            CHECK(isnan(GR_AT(gr_max(columns, GR_AXES(0), false), 2)) && isnan(GR_AT(gr_softmax(row, 0), 0)));
            gr_scope_end(scope, 0, NULL);
        }
    /* What is not taken counts for nothing. */
    const gr_tensor yes = gr_ones(g, GR_BOOL, GR_SCALAR);
    CHECK(slope(gr_where(yes, one, gr_log(gr_scale(one, -1))), one) == 1);
}

/* A batch of which some rows are at the kink: these, and no others, get its convention. */
static void batches(void)
{
    static const double rows[4][2] = {{0, 0}, {3, 4}, {0, 0}, {-8, 6}};
    static const double slopes[4][2] = {{0, 0}, {0.6, 0.8}, {0, 0}, {-0.8, 0.6}};
    static const double curvatures[4][2] = {{0, 0}, {0.128, 0.072}, {0, 0}, {0.036, 0.064}};
    const gr_tensor x = gr_set_requires_grad(
        gr_keep(gr_cast(gr_constant(g, GR_F64, GR_SHAPE(4, 2), rows), type)), true);
    const gr_tensor y = gr_norm(x, GR_AXES(1), true), first = gr_derivative(y, x);
    CHECK(gr_dim(y, 0) == 4 && gr_dim(y, 1) == 1 && GR_AT(y, 3, 0) == 10);
    for (int i = 0; i < 2; i++) {
        const gr_tensor second = gr_derivative(gr_select(first, 1, i), x);
        for (int row = 0; row < 4; row++) {
            CHECK(is(GR_AT(first, row, i), slopes[row][i]));
            CHECK(is(GR_AT(second, row, i), curvatures[row][i]));
        }
    }
    /* A row of -inf between others; along the first axis. */
    const gr_tensor z = gr_set_requires_grad(
        gr_keep(gr_where(gr_equal(x, number_of_type(0)), number_of_type(-INF), gr_detach(x))), true);
    const gr_tensor parts[] = {gr_transpose(gr_softmax(gr_transpose(z, 0, 1), 0), 0, 1), gr_softmax(z, 1)};
    for (int i = 0; i < 2; i++) {
        const gr_tensor by = gr_derivative(gr_select(parts[i], 1, 0), z);
        const double p = 1 / (1 + exp(1));
        CHECK(GR_AT(parts[i], 0, 0) == 0 && GR_AT(parts[i], 2, 1) == 0 && is(GR_AT(parts[i], 1, 0), p));
        CHECK(GR_AT(by, 0, 0) == 0 && GR_AT(by, 2, 1) == 0 && is(GR_AT(by, 1, 0), p * (1 - p)));
    }
}

/* Sizes whose squares, or sums, are beyond the type. */
static void sizes(void)
{
    const double huge = type == GR_F32 ? 3e38 : 1.5e308, least = type == GR_F32 ? 1e-44 : 1e-321;
    static const double units[] = {1e-30, 1, 1e30, 1e-300, 1e300};
    for (int i = 0; i < (type == GR_F32 ? 3 : 5); i++) {
        const gr_tensor x = gr_set_requires_grad(gr_keep(gr_scale(gr_arange(g, type, 1000, 1, 1), units[i])),
                                                 true);
        const gr_tensor y = gr_norm(x, GR_ALL_AXES, false), by = gr_derivative(y, x);
        const double norm = sqrt(1000.0 * 1001 * 2001 / 6);
        CHECK(is(gr_item(y), norm * units[i]) && is(GR_AT(by, 999), 1000 / norm));
    }
    for (int i = 0; i < (type == GR_F32 ? 3 : 5); i++) { /* functions whose slopes have squares in them */
        const gr_tensor a = number(3 * units[i]), b = number(4 * units[i]);
        CHECK(is(slope(gr_hypot(a, b), a), 0.6) && is(gr_item(gr_hypot(a, b)), 5 * units[i]));
        CHECK(is(slope(gr_atan2(a, b), a), 0.16 / units[i]) &&
              is(slope(gr_atan2(a, b), b), -0.12 / units[i]));
        CHECK(is(slope(gr_asinh(a), a), 1 / hypot(1, 3 * units[i])));
        CHECK(units[i] < 1 ||
              is(slope(gr_acosh(a), a), 1 / (sqrt(3 * units[i] - 1) * sqrt(3 * units[i] + 1))));
    }
    CHECK(gr_item(gr_norm(gr_full(g, type, GR_SHAPE(1), -least), GR_ALL_AXES, false)) ==
          gr_item(number_of_type(least)));
    CHECK(gr_item(gr_norm(gr_full(g, type, GR_SHAPE(1), -huge), GR_ALL_AXES, false)) ==
          gr_item(number_of_type(huge)));
    const gr_tensor rows = gr_mul(gr_full(g, type, GR_SHAPE(1, 3), huge),
                                  gr_reshape(gr_arange(g, type, 4, 1, -1), GR_SHAPE(4, 1)));
    const gr_tensor means = gr_mean(gr_slice(rows, 0, 0, 3, 1), GR_AXES(1), false); /* of h, 0, -h */
    CHECK(is(GR_AT(means, 0), huge) && GR_AT(means, 1) == 0 && is(GR_AT(means, 2), -huge));
    CHECK(GR_AT(gr_mean(rows, GR_AXES(1), false), 3) == -INF); /* -2 h is beyond the type */
    const gr_tensor x = number(huge);
    CHECK(is(slope(gr_mean(gr_expand(x, GR_SHAPE(2, 5)), GR_ALL_AXES, false), x), 1));
}

static void casts(void)
{
    const double values[] = {2147483648.0, -2147483904.0, 1e300, -1e300, INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        CHECK(gr_item(gr_cast(number(values[i]), GR_I32)) == INT32_MIN);
        CHECK(gr_item(gr_cast(number(values[i]), GR_BOOL)) == 1);
    }
    CHECK(gr_item(gr_cast(number(-0.9), GR_I32)) == 0 && gr_item(gr_cast(number(-0.9), GR_BOOL)) == 1);
    CHECK(gr_item(gr_cast(number(2147483520.0), GR_I32)) == 2147483520.0);
    const gr_tensor x = number(3), y = gr_cast(gr_square(gr_cast(x, GR_F64)), GR_F32);
    CHECK(slope(y, x) == 6);
}

static void test_ties(void) { in_both_types(ties); }
static void test_powers(void) { in_both_types(powers); }
static void test_not_a_number(void) { in_both_types(not_a_number); }
static void test_batches(void) { in_both_types(batches); }
static void test_sizes(void) { in_both_types(sizes); }
static void test_casts(void) { in_both_types(casts); }

int main(void)
{
    RUN(test_document);
    RUN(test_special_points);
    RUN(test_ties);
    RUN(test_powers);
    RUN(test_not_a_number);
    RUN(test_batches);
    RUN(test_sizes);
    RUN(test_casts);
    return TEST_EXIT;
}
