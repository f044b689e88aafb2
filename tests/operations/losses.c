/*
 * Rows of losses. A case says in `stop` how it is reduced, and in `start` what is added to the prediction, so that differences
 * stay off corners; `number` is the parameter. Targets of -1 and 1 are signs of an operand.
 */
#include "table.h"

#define OPTIONS(...) (&(gr_loss_options){.reduction = (gr_reduction)c->stop, __VA_ARGS__})

/* Losses of elements or samples, in the shape of y, reduced as the case says. */
static void reduce(const test_case *c, array *y)
{
    const int64_t n = count_of(y->shape), batch = y->shape.ndim ? y->shape.dims[0] : 1;
    double sum = 0;
    if (c->stop == GR_REDUCE_NONE) return;
    for (int64_t e = 0; e < n; e++) sum += y->v[e];
    y->v[0] = c->stop == GR_REDUCE_SUM ? sum : sum / (double)(c->stop == GR_REDUCE_BATCH_MEAN ? batch : n);
    y->shape.ndim = 0;
}

/* ---- Element by element ---- */

static const test_case element_cases[] = {
    {OF(S0, S0), .stop = GR_REDUCE_MEAN, .number = 5, .start = 9},
    {OF(S(0), S(0)), .stop = GR_REDUCE_SUM, .number = 5, .start = 9},
    {OF(S(0, 3), S(0, 3)), .stop = GR_REDUCE_NONE, .number = 5, .start = 9},
    {OF(S(3, 4), S(3, 4)), .stop = GR_REDUCE_NONE, .number = 20, .start = 9},
    {OF(S(3, 4), S(3, 4)), .stop = GR_REDUCE_MEAN, .number = 0.25, .start = -9},
    {OF(S(2, 3, 2), S(2, 3, 2)), .stop = GR_REDUCE_BATCH_MEAN, .number = 0.25, .start = 9},
    {OF(S(2, 3, 2), S(2, 3, 2)), .stop = GR_REDUCE_SUM, .number = 20, .start = -9},
    {OF(S(13, 20), S(13, 20)), .stop = GR_REDUCE_NONE, .number = 0.25, .start = 9},
    END,
};

/* The formula of the prediction, moved by `start`, and the target. */
typedef double of_element(const test_case *c, double y, double t);
static double huber(double d, double delta)
{
    return fabs(d) <= delta ? d * d / 2 : delta * (fabs(d) - delta / 2);
}
static double e_mse(const test_case *c, double y, double t) { return (void)c, (y - t) * (y - t); }
static double e_half_sum_squares(const test_case *c, double y, double t)
{
    return (void)c, (y - t) * (y - t) / 2;
}
static double e_l1_loss(const test_case *c, double y, double t) { return fabs(y + (double)c->start - t); }
static double e_huber(const test_case *c, double y, double t)
{
    return huber(y + (double)c->start - t, c->number);
}
static double e_smooth_l1_loss(const test_case *c, double y, double t)
{
    return huber(y + (double)c->start - t, c->number) / c->number;
}
static double e_log_cosh_loss(const test_case *c, double y, double t) { return (void)c, log(cosh(y - t)); }
static double e_bce(const test_case *c, double y, double t)
{
    return (void)c, -t * log(y) - (1 - t) * log(1 - y);
}
static double e_bce_with_logits(const test_case *c, double y, double t)
{
    return (void)c, t * log(1 + exp(-y)) + (1 - t) * log(1 + exp(y));
}
static double e_hinge(const test_case *c, double y, double t)
{
    return fmax(0, c->number - y * (t > 0 ? 1 : -1));
}
static double e_kl_div(const test_case *c, double y, double t) { return (void)c, t * (log(t) - y); }
static double e_kl_div_log(const test_case *c, double y, double t) { return (void)c, exp(t) * (t - y); }

#define ELEMENTS(NAME)                                                                                \
    static void expect_##NAME(const row *r, const test_case *c, int n, const array *x, array *y)      \
    {                                                                                                 \
        (void)r, (void)n;                                                                             \
        y->shape = x->shape;                                                                          \
        for (int64_t e = 0; e < count_of(y->shape); e++) y->v[e] = e_##NAME(c, x[0].v[e], x[1].v[e]); \
        reduce(c, y);                                                                                 \
    }
ELEMENTS(mse)
ELEMENTS(half_sum_squares)
ELEMENTS(l1_loss)
ELEMENTS(huber)
ELEMENTS(smooth_l1_loss)
ELEMENTS(log_cosh_loss)
ELEMENTS(bce)
ELEMENTS(bce_with_logits)
ELEMENTS(hinge)
ELEMENTS(kl_div)
ELEMENTS(kl_div_log)

#define MOVED gr_add_scalar(x[0], (double)c->start)
BUILD(b_mse, gr_mse_with(x[0], x[1], OPTIONS()))
BUILD(b_half_sum_squares, gr_half_sum_squares_with(x[0], x[1], OPTIONS()))
BUILD(b_l1_loss, gr_l1_loss_with(MOVED, x[1], OPTIONS()))
BUILD(b_huber, gr_huber_with(MOVED, x[1], OPTIONS(.delta = c->number)))
BUILD(b_smooth_l1_loss, gr_smooth_l1_loss_with(MOVED, x[1], OPTIONS(.beta = c->number)))
BUILD(b_log_cosh_loss, gr_log_cosh_loss_with(x[0], x[1], OPTIONS()))
BUILD(b_bce, gr_bce_with(x[0], x[1], OPTIONS()))
BUILD(b_bce_with_logits, gr_bce_with_logits_with(x[0], x[1], OPTIONS()))
BUILD(b_hinge, gr_hinge_with(x[0], gr_sign(x[1]), OPTIONS(.margin = c->number)))
BUILD(b_kl_div, gr_kl_div_with(x[0], x[1], OPTIONS()))
BUILD(b_kl_div_log, gr_kl_div_with(x[0], x[1], OPTIONS(.log_target = true)))

static const test_case positive_weight_cases[] = {
    {OF(S(3, 4), S(3, 4), S(4)), .stop = GR_REDUCE_NONE},
    {OF(S(3, 4), S(3, 4), S(3, 1)), .stop = GR_REDUCE_MEAN},
    {OF(S(5), S(5), S0), .stop = GR_REDUCE_SUM},
    {OF(S(13, 20), S(13, 20), S(13, 20)), .stop = GR_REDUCE_MEAN},
    END,
};
static void expect_positive_weight(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    y->shape = x->shape;
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        int64_t index[GR_MAX_NDIM];
        index_of(y->shape, e, index);
        const double w = broadcast_at(&x[2], y->shape.ndim, index), v = x[0].v[e], t = x[1].v[e];
        y->v[e] = w * t * log(1 + exp(-v)) + (1 - t) * log(1 + exp(v));
    }
    reduce(c, y);
}
BUILD(b_positive_weight, gr_bce_with_logits_with(x[0], x[1], OPTIONS(.positive_weight = x[2])))

/* ---- Labels, class weights, samples that are ignored: those with the label `size` - 1, if `low` is 0 ---- */

/* `size` is one more than there are classes. */
static const test_case label_cases[] = {
    {OF(S(4), S0, S(4)), .stop = GR_REDUCE_NONE, .size = 4, .number = 0.1},
    {OF(S(3, 4), S(3), S(4)), .stop = GR_REDUCE_MEAN, .size = 4, .number = 0.1},
    {OF(S(3, 4), S(3), S(4)), .stop = GR_REDUCE_NONE, .size = 4, .number = 1},
    {OF(S(2, 3, 4), S(2, 3), S(4)), .stop = GR_REDUCE_SUM, .size = 4, .number = 0.3},
    {OF(S(2, 3, 4), S(2, 3), S(4)), .stop = GR_REDUCE_BATCH_MEAN, .size = 4, .number = 0.3},
    {OF(S(0, 4), S(0), S(4)), .stop = GR_REDUCE_SUM, .size = 4, .number = 0.2},
    {OF(S(7, 9), S(7), S(9)), .stop = GR_REDUCE_MEAN, .size = 9, .number = 0.2},
    END,
};
/* The last class is the one of ignored samples. */
static const test_case ignored_cases[] = {
    {OF(S(3, 4, 3), S(3, 4), S(3)), .stop = GR_REDUCE_MEAN, .size = 4},
    {OF(S(9, 3), S(9), S(3)), .stop = GR_REDUCE_NONE, .size = 4},
    {OF(S(4, 3, 3), S(4, 3), S(3)), .stop = GR_REDUCE_SUM, .size = 4},
    END,
};

static double logsumexp(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t k = 0; k < n; k++) sum += exp(x[k]);
    return log(sum);
}

/* By x: predictions, labels and, if there are three operands, class weights. */
static void expect_labelled(const test_case *c, int n, const array *x, array *y, bool softmax,
                            double smoothing)
{
    const int64_t classes = x->shape.dims[x->shape.ndim - 1], samples = count_of(x[1].shape);
    double weights = 0;
    y->shape = x[1].shape;
    for (int64_t i = 0; i < samples; i++) {
        const double *v = x->v + i * classes, z = softmax ? logsumexp(v, classes) : 0;
        const int64_t label = (int64_t)x[1].v[i];
        y->v[i] = 0;
        if (label >= classes) continue;
        const double w = n > 2 ? x[2].v[label] : 1;
        y->v[i] = -(1 - smoothing) * w * (v[label] - z);
        for (int64_t k = 0; k < classes; k++)
            y->v[i] -= smoothing / (double)classes * (n > 2 ? x[2].v[k] : 1) * (v[k] - z);
        weights += w;
    }
    for (int64_t i = 0; i < samples && c->stop == GR_REDUCE_MEAN; i++) y->v[i] *= (double)samples / weights;
    reduce(c, y);
}
#define LABELLED(NAME, SOFTMAX, SMOOTHING)                                                       \
    static void expect_##NAME(const row *r, const test_case *c, int n, const array *x, array *y) \
    {                                                                                            \
        (void)r;                                                                                 \
        expect_labelled(c, n, x, y, SOFTMAX, SMOOTHING);                                         \
    }
LABELLED(cross_entropy, true, 0)
LABELLED(smoothed, true, c->number)
LABELLED(nll, false, 0)
#define IGNORED .ignore = true, .ignore_index = (int32_t)c->size - 1
BUILD(b_cross_entropy, gr_softmax_cross_entropy_with(x[0], x[1], OPTIONS()))
BUILD(b_smoothed, gr_softmax_cross_entropy_with(x[0], x[1], OPTIONS(.label_smoothing = c->number)))
BUILD(b_weighted,
      gr_softmax_cross_entropy_with(x[0], x[1], OPTIONS(.label_smoothing = c->number, .class_weights = x[2])))
BUILD(b_ignored, gr_softmax_cross_entropy_with(x[0], x[1], OPTIONS(IGNORED)))
BUILD(b_ignored_weighted, gr_softmax_cross_entropy_with(x[0], x[1], OPTIONS(IGNORED, .class_weights = x[2])))
BUILD(b_nll, gr_nll_with(x[0], x[1], OPTIONS()))
BUILD(b_nll_weighted, gr_nll_with(x[0], x[1], OPTIONS(IGNORED, .class_weights = x[2])))

/* Predictions are less than the margin of 1 apart, so that each class counts; with that of the number, -3, none does. */
static void expect_multi_margin(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r;
    const int64_t classes = x->shape.dims[x->shape.ndim - 1];
    y->shape = x[1].shape;
    for (int64_t i = 0; i < count_of(y->shape); i++) {
        const double *v = x->v + i * classes;
        const int64_t label = (int64_t)x[1].v[i];
        y->v[i] = 0;
        for (int64_t k = 0; k < classes; k++)
            if (k != label && c->number > 0) y->v[i] += 1 - v[label] + v[k];
        y->v[i] *= (n > 2 ? x[2].v[label] : 1) / (double)classes;
    }
    reduce(c, y);
}
static const test_case multi_margin_cases[] = {
    {OF(S(3, 4), S(3), S(4)), .stop = GR_REDUCE_NONE, .size = 4, .number = 1},
    {OF(S(3, 4), S(3), S(4)), .stop = GR_REDUCE_MEAN, .size = 4, .number = 1},
    {OF(S(5), S0, S(5)), .stop = GR_REDUCE_SUM, .size = 5, .number = 1},
    {OF(S(2, 3, 4), S(2, 3), S(4)), .stop = GR_REDUCE_MEAN, .size = 4, .number = -3},
    END,
};
BUILD(b_multi_margin, gr_multi_margin_with(x[0], x[1], OPTIONS(.margin = c->number)))
BUILD(b_multi_margin_weighted,
      gr_multi_margin_with(x[0], x[1], OPTIONS(.margin = c->number, .class_weights = x[2])))

/* ---- Rows of classes and vectors ---- */

static const test_case row_cases[] = {
    {OF(S(4), S(4), S(4)), .stop = GR_REDUCE_NONE, .number = 0.1},
    {OF(S(3, 4), S(3, 4), S(4)), .stop = GR_REDUCE_MEAN, .number = 0.1},
    {OF(S(2, 3, 4), S(2, 3, 4), S(4)), .stop = GR_REDUCE_BATCH_MEAN, .number = 0.4},
    {OF(S(0, 3), S(0, 3), S(3)), .stop = GR_REDUCE_SUM, .number = 0.5},
    {OF(S(7, 9), S(7, 9), S(9)), .stop = GR_REDUCE_NONE, .number = 0.2},
    END,
};

static double cross_entropy_of_row(const double *v, const double *t, const double *w, int64_t n, double s)
{
    double sum = 0;
    const double z = logsumexp(v, n);
    for (int64_t k = 0; k < n; k++) sum -= (w ? w[k] : 1) * (t[k] * (1 - s) + s / (double)n) * (v[k] - z);
    return sum;
}
static void expect_onehot(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r;
    const int64_t classes = x->shape.dims[x->shape.ndim - 1];
    y->shape = x->shape;
    y->shape.ndim--;
    for (int64_t i = 0; i < count_of(y->shape); i++)
        y->v[i] = cross_entropy_of_row(x[0].v + i * classes, x[1].v + i * classes, n > 2 ? x[2].v : NULL,
                                       classes, c->number);
    reduce(c, y);
}
BUILD(b_onehot, gr_softmax_cross_entropy_onehot_with(x[0], x[1], OPTIONS(.label_smoothing = c->number)))
BUILD(b_onehot_weighted,
      gr_softmax_cross_entropy_onehot_with(x[0], x[1],
                                           OPTIONS(.label_smoothing = c->number, .class_weights = x[2])))

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t k = 0; k < n; k++) sum += a[k] * b[k];
    return sum;
}
static double cosine(const double *a, const double *b, int64_t n)
{
    return dot(a, b, n) / sqrt(dot(a, a, n) * dot(b, b, n));
}
static double distance(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t k = 0; k < n; k++) sum += (a[k] - b[k] + 1e-6) * (a[k] - b[k] + 1e-6);
    return sqrt(sum);
}

/* What is expected of rows a, b and, of a third operand, a row or one number. */
#define VECTORS(NAME, EXPRESSION)                                                                            \
    static void expect_##NAME(const row *r, const test_case *c, int operands, const array *x, array *y)      \
    {                                                                                                        \
        (void)r, (void)operands;                                                                             \
        const int64_t n = x->shape.dims[x->shape.ndim - 1];                                                  \
        y->shape = x->shape;                                                                                 \
        y->shape.ndim--;                                                                                     \
        for (int64_t i = 0; i < count_of(y->shape); i++) {                                                   \
            const double *a = x[0].v + i * n, *b = x[1].v + i * n, *third = x[2].v + i * n, one = x[2].v[i]; \
            (void)third, (void)one;                                                                          \
            y->v[i] = EXPRESSION;                                                                            \
        }                                                                                                    \
        reduce(c, y);                                                                                        \
    }
VECTORS(cosine_loss, -cosine(a, b, n))
VECTORS(cosine_embedding, one > 0 ? 1 - cosine(a, b, n) : cosine(a, b, n) + 2)
VECTORS(triplet_margin, fmax(0, distance(a, b, n) - distance(a, third, n) + c->number))
static const test_case embedding_cases[] = {
    {OF(S(4), S(4), S0), .stop = GR_REDUCE_NONE},
    {OF(S(3, 4), S(3, 4), S(3)), .stop = GR_REDUCE_MEAN},
    {OF(S(2, 3, 4), S(2, 3, 4), S(2, 3)), .stop = GR_REDUCE_BATCH_MEAN},
    END,
};
/* Margins with which each sample counts, and none. */
static const test_case triplet_cases[] = {
    {OF(S(4), S(4), S(4)), .stop = GR_REDUCE_NONE, .number = 50},
    {OF(S(3, 4), S(3, 4), S(3, 4)), .stop = GR_REDUCE_MEAN, .number = 50},
    {OF(S(2, 3, 4), S(2, 3, 4), S(2, 3, 4)), .stop = GR_REDUCE_SUM, .number = -50},
    {OF(S(7, 9), S(7, 9), S(7, 9)), .stop = GR_REDUCE_NONE, .number = 50},
    END,
};
BUILD(b_cosine_loss, gr_cosine_loss_with(x[0], x[1], OPTIONS()))
BUILD(b_cosine_embedding, gr_cosine_embedding_with(x[0], x[1], gr_sign(x[2]), OPTIONS(.margin = -2)))
BUILD(b_triplet_margin, gr_triplet_margin_with(x[0], x[1], x[2], OPTIONS(.margin = c->number)))

static const test_case similarity_cases[] = {
    {OF(S(3), S(3)), .axis = 0},
    {OF(S(3, 4), S(3, 4)), .axis = 1},
    {OF(S(3, 4), S(4)), .axis = -1},
    {OF(S(3, 1, 4), S(2, 4)), .axis = -1},
    {OF(S(4, 3), S(4, 3)), .axis = 0},
    {OF(S(7, 9), S(7, 9)), .axis = 0},
    END,
};
static void expect_cosine_similarity(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r;
    const gr_shape s = broadcast_shape(n, x);
    const int axis = c->axis < 0 ? c->axis + s.ndim : c->axis;
    gr_shape one = s;
    one.dims[axis] = 1;
    y->shape.ndim = 0;
    for (int i = 0; i < s.ndim; i++)
        if (i != axis) y->shape.dims[y->shape.ndim++] = s.dims[i];
    for (int64_t e = 0; e < count_of(one); e++) {
        int64_t index[GR_MAX_NDIM];
        double a[64], b[64];
        index_of(one, e, index);
        for (int64_t k = 0; k < s.dims[axis]; k++) {
            index[axis] = k;
            a[k] = broadcast_at(&x[0], s.ndim, index);
            b[k] = broadcast_at(&x[1], s.ndim, index);
        }
        y->v[e] = cosine(a, b, s.dims[axis]);
    }
}
BUILD(b_cosine_similarity, gr_cosine_similarity(x[0], x[1], c->axis))

#define LOSS(NAME, OPERANDS, CASES, EXPECT, BUILT) \
    .name = #NAME, .operands = OPERANDS, .cases = CASES, .build = BUILT, .expect = EXPECT, .composed = true
#define ELEMENT_LOSS(NAME) LOSS(NAME, "ff", element_cases, expect_##NAME, b_##NAME)

const row loss_rows[] = {
    {ELEMENT_LOSS(bce), .low = 0.1, .high = 0.9},
    {ELEMENT_LOSS(bce_with_logits)},
    {LOSS(bce_with_logits_with positive_weight, "fff", positive_weight_cases, expect_positive_weight,
          b_positive_weight)},
    {LOSS(cosine_embedding, "fff", embedding_cases, expect_cosine_embedding, b_cosine_embedding), .gap = 0.1},
    {LOSS(cosine_loss, "ff", row_cases, expect_cosine_loss, b_cosine_loss)},
    {LOSS(cosine_similarity, "ff", similarity_cases, expect_cosine_similarity, b_cosine_similarity),
     .gap = 0.2},
    {ELEMENT_LOSS(half_sum_squares)},
    {ELEMENT_LOSS(hinge), .low = -0.2, .high = 0.2, .gap = 0.01},
    {ELEMENT_LOSS(huber)},
    {ELEMENT_LOSS(kl_div), .low = 0.1, .high = 0.9},
    {ELEMENT_LOSS(kl_div_log)},
    {ELEMENT_LOSS(l1_loss)},
    {ELEMENT_LOSS(log_cosh_loss)},
    {ELEMENT_LOSS(mse)},
    {LOSS(multi_margin, "fi", multi_margin_cases, expect_multi_margin, b_multi_margin), .low = -0.4,
     .high = 0.4},
    {LOSS(multi_margin_with class_weights, "fif", multi_margin_cases, expect_multi_margin,
          b_multi_margin_weighted),
     .low = -0.4, .high = 0.4},
    {LOSS(nll, "fi", label_cases, expect_nll, b_nll)},
    {LOSS(nll_with class_weights, "fif", ignored_cases, expect_nll, b_nll_weighted), .low = 0.1, .high = 2},
    {ELEMENT_LOSS(smooth_l1_loss)},
    {LOSS(softmax_cross_entropy, "fi", label_cases, expect_cross_entropy, b_cross_entropy)},
    {LOSS(softmax_cross_entropy_onehot, "ff", row_cases, expect_onehot, b_onehot)},
    {LOSS(softmax_cross_entropy_onehot_with class_weights, "fff", row_cases, expect_onehot,
          b_onehot_weighted)},
    {LOSS(softmax_cross_entropy_with class_weights, "fif", label_cases, expect_smoothed, b_weighted),
     .low = 0.1, .high = 2},
    {LOSS(softmax_cross_entropy_with ignore, "fi", ignored_cases, expect_cross_entropy, b_ignored)},
    {LOSS(softmax_cross_entropy_with ignore and class_weights, "fif", ignored_cases, expect_cross_entropy,
          b_ignored_weighted),
     .low = 0.1, .high = 2},
    {LOSS(softmax_cross_entropy_with label_smoothing, "fi", label_cases, expect_smoothed, b_smoothed)},
    {LOSS(triplet_margin, "fff", triplet_cases, expect_triplet_margin, b_triplet_margin)},
    {.name = NULL},
};
