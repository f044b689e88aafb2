/*
 * What the rows of the table of operations and the reference values cannot say of losses: that the short forms are the long
 * ones with defaults, how reductions relate, options and their errors, extremes, numbers of worked examples.
 */
#include "test.h"
#include "gradus.h"

#define INF ((double)INFINITY)

typedef gr_tensor loss_with(gr_tensor y, gr_tensor target, const gr_loss_options *options);

/* What a loss takes, and which options it knows. */
typedef struct known_loss {
    const char *name;
    gr_loss *plain;
    loss_with *with;
    char target; /* t as y, l labels */
    const char *options;
} known_loss;

#define KNOWN(NAME, TARGET, OPTIONS)                        \
    {                                                       \
#        NAME, gr_##NAME, gr_##NAME##_with, TARGET, OPTIONS \
    }
static const known_loss losses[] = {
    KNOWN(mse, 't', ""),
    KNOWN(half_sum_squares, 't', ""),
    KNOWN(l1_loss, 't', ""),
    KNOWN(huber, 't', "delta"),
    KNOWN(smooth_l1_loss, 't', "beta"),
    KNOWN(log_cosh_loss, 't', ""),
    KNOWN(bce, 't', ""),
    KNOWN(bce_with_logits, 't', "positive_weight"),
    KNOWN(hinge, 't', "margin no_margin"),
    KNOWN(softmax_cross_entropy, 'l', "label_smoothing ignore class_weights"),
    KNOWN(softmax_cross_entropy_onehot, 't', "label_smoothing class_weights"),
    KNOWN(nll, 'l', "ignore class_weights"),
    KNOWN(multi_margin, 'l', "margin no_margin class_weights"),
    KNOWN(kl_div, 't', "log_target"),
    KNOWN(cosine_loss, 't', ""),
};
enum { LOSSES = sizeof losses / sizeof *losses, SAMPLES = 3, CLASSES = 4 };
static const double predictions[] = {0.1, 0.7, 0.15, 0.05, 0.25, 0.35, 0.2, 0.2, 0.9, 0.02, 0.05, 0.03};
static const double targets[] = {0, 1, 0, 0, 0.25, 0.25, 0.25, 0.25, 0.5, 0.5, 0, 0};
static const int32_t labels[] = {1, 3, 0};

static void expect(gr_graph *g, gr_status status, const char *message)
{
    CHECK(gr_graph_status(g) == status);
    CHECK_TEXT(gr_graph_error(g), message);
    gr_graph_clear_error(g);
}

static gr_tensor prediction(gr_graph *g)
{
    return gr_constant(g, GR_F64, GR_SHAPE(SAMPLES, CLASSES), predictions);
}
static gr_tensor target_of(gr_graph *g, const known_loss *l)
{
    if (l->target == 'l') return gr_constant(g, GR_I32, GR_SHAPE(SAMPLES), labels);
    return gr_constant(g, GR_F64, GR_SHAPE(SAMPLES, CLASSES), targets);
}

static double reduced(const known_loss *l, gr_tensor y, gr_tensor t, gr_reduction r)
{
    return gr_item(l->with(y, t, &(gr_loss_options){.reduction = r}));
}

static void test_reductions(void)
{
    gr_graph *g = gr_graph_create(NULL);
    for (const known_loss *l = losses; l < losses + LOSSES; l++) {
        const gr_tensor y = prediction(g), t = target_of(g, l);
        const gr_tensor each = l->with(y, t, &(gr_loss_options){.reduction = GR_REDUCE_NONE});
        const double sum = gr_item(gr_sum(each, GR_ALL_AXES, false)), n = (double)gr_count(each);
        const bool of_samples = gr_ndim(each) == 1, sums = !strcmp(l->name, "half_sum_squares");
        CHECK(gr_dim(each, 0) == SAMPLES && n == SAMPLES * (of_samples ? 1 : CLASSES));
        CHECK_NEAR(reduced(l, y, t, GR_REDUCE_SUM), sum, 1e-14);
        CHECK_NEAR(reduced(l, y, t, GR_REDUCE_MEAN), sum / n, 1e-14);
        CHECK_NEAR(reduced(l, y, t, GR_REDUCE_BATCH_MEAN), sum / SAMPLES, 1e-14);
        CHECK(gr_item(l->plain(y, t)) == gr_item(l->with(y, t, NULL)));
        CHECK(gr_item(l->plain(y, t)) == reduced(l, y, t, sums ? GR_REDUCE_SUM : GR_REDUCE_MEAN));
        if (gr_graph_status(g) != GR_OK) printf("  %s: %s\n", l->name, gr_graph_error(g));
        CHECK(gr_graph_status(g) == GR_OK);
        gr_graph_clear_error(g);
    }
    gr_graph_destroy(g);
}

/* The defaults of the options are what the header says. */
static void test_defaults(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor y = gr_scale(prediction(g), 6),
                    t = gr_constant(g, GR_F64, GR_SHAPE(SAMPLES, CLASSES), targets);
    const gr_tensor signs = gr_add_scalar(gr_scale(gr_unit_step(gr_add_scalar(t, -0.3)), 2), -1);
    const gr_tensor l = gr_constant(g, GR_I32, GR_SHAPE(SAMPLES), labels);
    CHECK(gr_item(gr_huber(y, t)) == gr_item(gr_huber_with(y, t, &(gr_loss_options){.delta = 1})));
    CHECK(gr_item(gr_smooth_l1_loss(y, t)) ==
          gr_item(gr_smooth_l1_loss_with(y, t, &(gr_loss_options){.beta = 1})));
    CHECK(gr_item(gr_hinge(y, signs)) == gr_item(gr_hinge_with(y, signs, &(gr_loss_options){.margin = 1})));
    CHECK(gr_item(gr_multi_margin(y, l)) ==
          gr_item(gr_multi_margin_with(y, l, &(gr_loss_options){.margin = 1})));
    CHECK(gr_item(gr_huber(y, t)) != gr_item(gr_huber_with(y, t, &(gr_loss_options){.delta = 2})));
    CHECK(gr_item(gr_smooth_l1_loss(y, t)) !=
          gr_item(gr_smooth_l1_loss_with(y, t, &(gr_loss_options){.beta = 2})));
    /* A margin of 0: that of the perceptron. */
    const gr_tensor perceptron = gr_hinge_with(y, signs, &(gr_loss_options){.no_margin = true});
    CHECK(gr_item(perceptron) == gr_item(gr_mean(gr_relu(gr_neg(gr_mul(y, signs))), GR_ALL_AXES, false)));
    CHECK_NEAR(gr_item(gr_multi_margin_with(y, l, &(gr_loss_options){.no_margin = true})), 0.1, 1e-15);
    const gr_tensor a = gr_select(y, 0, 0), b = gr_select(y, 0, 1), c = gr_select(y, 0, 2);
    CHECK(gr_item(gr_triplet_margin(a, b, c)) ==
          gr_item(gr_triplet_margin_with(a, b, c, &(gr_loss_options){.margin = 1})));
    const gr_tensor apart = gr_scalar(g, GR_F64, -1), together = gr_scalar(g, GR_F64, 1);
    const double cosine = gr_item(gr_cosine_similarity(a, b, -1));
    CHECK_NEAR(gr_item(gr_cosine_embedding(a, b, apart)), cosine, 1e-15);
    CHECK_NEAR(gr_item(gr_cosine_embedding(a, b, together)), 1 - cosine, 1e-15);
    CHECK_NEAR(gr_item(gr_cosine_embedding_with(a, b, apart, &(gr_loss_options){.margin = 0.25})),
               cosine - 0.25, 1e-15);
    CHECK(gr_item(gr_cosine_embedding_with(a, b, apart, &(gr_loss_options){.margin = 0.999})) == 0);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* The numbers are PyTorch's: value, and the gradients weighted with 1, 2, 3, ... */
static void test_triplet_options(void)
{
    static const struct {
        gr_loss_options o;
        double value, by[3];
    } cases[] = {
        {{.order = 1}, 0.06666799999999995, {7.333333333333333, 1.333333333333333, -8.6666666666666661}},
        {{.order = 3}, 0.26861630836557088, {5.3393580275694612, 0.23415267778361909, -5.5735107053530797}},
        {{.swap = true}, 0.41174359408960665, {3.5495783726717316, 4.1621867251354692, -7.7117650978072012}},
        {{.order = 1, .swap = true, .margin = 0.3}, 0, {0, 0, 0}},
    };
    gr_graph *g = gr_graph_create(NULL);
    const double numbers[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const gr_tensor weight = gr_constant(g, GR_F64, GR_SHAPE(SAMPLES, CLASSES), numbers);
    const gr_tensor y = prediction(g), t = gr_constant(g, GR_F64, GR_SHAPE(SAMPLES, CLASSES), targets);
    gr_tensor x[] = {y, t, gr_keep(gr_scale(gr_flip(y, GR_AXES(0)), 2))};
    for (int i = 0; i < 3; i++) gr_set_requires_grad(x[i], true);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const gr_tensor loss = gr_triplet_margin_with(x[0], x[1], x[2], &cases[k].o);
        gr_tensor by[3];
        CHECK(gr_grad(1, &loss, 3, x, NULL, NULL, by) == GR_OK);
        CHECK_NEAR(gr_item(loss), cases[k].value, 1e-14);
        for (int i = 0; i < 3; i++)
            CHECK_NEAR(gr_item(gr_sum(gr_mul(by[i], weight), GR_ALL_AXES, false)), cases[k].by[i], 1e-13);
    }
    const gr_tensor none = gr_triplet_margin_with(x[0], x[1], x[2], &(gr_loss_options){.no_margin = true});
    const gr_tensor tiny = gr_triplet_margin_with(x[0], x[1], x[2], &(gr_loss_options){.margin = 1e-300});
    CHECK(gr_item(none) == gr_item(tiny) && gr_graph_status(g) == GR_OK);
    gr_triplet_margin_with(x[0], x[1], x[2], &(gr_loss_options){.margin = 1, .no_margin = true});
    expect(g, GR_ERR_ARGUMENT, "triplet_margin: no_margin is 1");
    gr_triplet_margin_with(x[0], x[1], x[2], &(gr_loss_options){.order = (double)NAN});
    expect(g, GR_ERR_ARGUMENT, "triplet_margin: order is nan");
    gr_graph_destroy(g);
}

/* An option that a loss does not know is refused, one that it knows is not. */
static void test_unknown_options(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor ones = gr_keep(gr_ones(g, GR_F64, GR_SHAPE(CLASSES)));
    const struct {
        const char *name;
        gr_loss_options o;
    } options[] = {{"delta", {.delta = 2}},
                   {"beta", {.beta = 2}},
                   {"margin", {.margin = 2}},
                   {"no_margin", {.no_margin = true}},
                   {"order", {.order = 1}},
                   {"swap", {.swap = true}},
                   {"label_smoothing", {.label_smoothing = 0.1}},
                   {"log_target", {.log_target = true}},
                   {"ignore", {.ignore = true, .ignore_index = -1}},
                   {"class_weights", {.class_weights = ones}},
                   {"positive_weight", {.positive_weight = ones}}};
    for (const known_loss *l = losses; l < losses + LOSSES; l++)
        for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
            const gr_tensor loss = l->with(prediction(g), target_of(g, l), &options[i].o);
            if (strstr(l->options, options[i].name)) {
                CHECK(gr_is_valid(loss) && gr_graph_status(g) == GR_OK);
            } else {
                char message[128];
                snprintf(message, sizeof message, "%s: there is no option %s here", l->name, options[i].name);
                CHECK(!gr_is_valid(loss));
                expect(g, GR_ERR_ARGUMENT, message);
            }
            gr_graph_clear_error(g);
        }
    gr_graph_destroy(g);
}

static void test_options_out_of_range(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor y = prediction(g), t = gr_constant(g, GR_F64, GR_SHAPE(SAMPLES, CLASSES), targets),
                    l = gr_constant(g, GR_I32, GR_SHAPE(SAMPLES), labels);
    const double bad[] = {-1, INF, (double)NAN};
    for (int i = 0; i < 3; i++) {
        gr_huber_with(y, t, &(gr_loss_options){.delta = bad[i]});
        expect(g, GR_ERR_ARGUMENT, "huber: delta is ");
        gr_smooth_l1_loss_with(y, t, &(gr_loss_options){.beta = bad[i]});
        expect(g, GR_ERR_ARGUMENT, "smooth_l1_loss: beta is ");
        gr_softmax_cross_entropy_with(y, l, &(gr_loss_options){.label_smoothing = bad[i]});
        expect(g, GR_ERR_ARGUMENT, "softmax_cross_entropy: label_smoothing is ");
        if (i > 0) gr_hinge_with(y, t, &(gr_loss_options){.margin = bad[i]});
        if (i > 0) expect(g, GR_ERR_ARGUMENT, "hinge: margin is ");
        gr_mse_with(y, t, &(gr_loss_options){.reduction = (gr_reduction)(5 + i)});
        expect(g, GR_ERR_ARGUMENT, "mse: reduction is ");
    }
    gr_softmax_cross_entropy_onehot_with(y, t, &(gr_loss_options){.label_smoothing = 1.1});
    expect(g, GR_ERR_ARGUMENT, "label_smoothing is 1.1");
    CHECK(gr_is_valid(gr_softmax_cross_entropy_with(y, l, &(gr_loss_options){.label_smoothing = 1})));
    gr_graph_destroy(g);
}

static void test_weights_that_do_not_fit(void)
{
    gr_graph *g = gr_graph_create(NULL), *other = gr_graph_create(NULL);
    const gr_tensor y = prediction(g), t = gr_constant(g, GR_F64, GR_SHAPE(SAMPLES, CLASSES), targets),
                    l = gr_constant(g, GR_I32, GR_SHAPE(SAMPLES), labels);
    const gr_tensor bad[] = {gr_named(gr_ones(g, GR_F64, GR_SHAPE(3)), "w"),
                             gr_ones(g, GR_F32, GR_SHAPE(CLASSES)),
                             gr_ones(g, GR_F64, GR_SHAPE(1, CLASSES, 1))};
    for (int i = 0; i < 3; i++) {
        CHECK(!gr_is_valid(gr_nll_with(y, l, &(gr_loss_options){.class_weights = bad[i]})));
        expect(g, GR_ERR_SHAPE,
               "nll: class weights must be [classes], of its type: prediction [3, 4], class_weights ");
        gr_softmax_cross_entropy_onehot_with(y, t, &(gr_loss_options){.class_weights = bad[i]});
        expect(g, GR_ERR_SHAPE, "softmax_cross_entropy_onehot: class weights");
        CHECK(!gr_is_valid(gr_bce_with_logits_with(y, t, &(gr_loss_options){.positive_weight = bad[i]})));
        expect(g, GR_ERR_SHAPE, "bce_with_logits: the weight must have its type, and broadcast to its shape");
    }
    gr_nll_with(y, l, &(gr_loss_options){.class_weights = {g, 0, 0}});
    expect(g, GR_ERR_HANDLE, "invalid handle");
    gr_bce_with_logits_with(y, t, &(gr_loss_options){.positive_weight = {g, 0, 0}});
    expect(g, GR_ERR_HANDLE, "invalid handle");
    gr_nll_with(y, l, &(gr_loss_options){.class_weights = gr_ones(other, GR_F64, GR_SHAPE(CLASSES))});
    expect(g, GR_ERR_GRAPH, "nll: class_weights belongs to another graph");
    gr_graph_destroy(g);
    gr_graph_destroy(other);
}

static void test_operands_that_do_not_fit(void)
{
    gr_graph *g = gr_graph_create(NULL), *other = gr_graph_create(NULL);
    const gr_tensor y = gr_named(prediction(g), "y"),
                    t = gr_constant(g, GR_F64, GR_SHAPE(SAMPLES, 1), targets);
    for (const known_loss *l = losses; l < losses + LOSSES; l++) {
        CHECK(!gr_is_valid(l->plain(y, t)));
        expect(g, l->target == 'l' ? GR_ERR_TYPE : GR_ERR_SHAPE, l->name);
        l->plain(y, gr_zeros(g, GR_I32, GR_SHAPE(SAMPLES, CLASSES)));
        expect(g, l->target == 'l' ? GR_ERR_SHAPE : GR_ERR_TYPE, l->name);
        l->plain(y, gr_zeros(g, GR_F32, GR_SHAPE(SAMPLES, CLASSES)));
        expect(g, GR_ERR_TYPE, l->name);
        l->plain(y, gr_zeros(other, GR_F64, GR_SHAPE(SAMPLES, CLASSES)));
        expect(g, GR_ERR_GRAPH, l->name);
        l->plain(y, (gr_tensor){g, 0, 0});
        expect(g, GR_ERR_HANDLE, "invalid handle");
        if (l->target == 'l') l->plain(y, gr_full(g, GR_I32, GR_SHAPE(SAMPLES), CLASSES));
        if (l->target == 'l') expect(g, GR_ERR_INDEX, "label 4 of sample 0 is outside [0, 4)");
    }
    const gr_tensor one = gr_scalar(g, GR_F64, 1);
    gr_cosine_loss(one, one);
    expect(g, GR_ERR_SHAPE, "cosine_loss: needs an axis");
    gr_cosine_embedding(y, y, y);
    expect(g, GR_ERR_SHAPE,
           "cosine_embedding: needs vectors [..., n] and targets [...]: prediction y [3, 4], target y");
    gr_cosine_embedding(y, y, gr_zeros(other, GR_F64, GR_SHAPE(SAMPLES)));
    expect(g, GR_ERR_GRAPH, "cosine_embedding: operands belong to different graphs");
    gr_triplet_margin(y, y, t);
    expect(g, GR_ERR_SHAPE, "triplet_margin: shapes must be the same: prediction y [3, 4], target [3, 1]");
    gr_triplet_margin(y, y, (gr_tensor){g, 0, 0});
    expect(g, GR_ERR_HANDLE, "invalid handle");
    gr_graph_destroy(g);
    gr_graph_destroy(other);
}

/* All samples ignored: a mean of nothing, and no gradient; a sum of 0. An ignored label may be one of the classes. */
static void test_nothing_is_left(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor y = gr_set_requires_grad(prediction(g), true),
                    l = gr_full(g, GR_I32, GR_SHAPE(SAMPLES), -7);
    gr_loss_options o = {.ignore = true, .ignore_index = -7};
    const gr_tensor loss = gr_softmax_cross_entropy_with(y, l, &o);
    CHECK(isnan(gr_item(loss)));
    gr_backward(loss);
    for (int i = 0; i < SAMPLES * CLASSES; i++) CHECK(GR_AT(gr_gradient(y), i / CLASSES, i % CLASSES) == 0);
    o.reduction = GR_REDUCE_SUM;
    CHECK(gr_item(gr_nll_with(y, l, &o)) == 0);
    const gr_tensor real = gr_constant(g, GR_I32, GR_SHAPE(SAMPLES), labels);
    const gr_loss_options one = {.ignore = true, .ignore_index = 3};
    CHECK_NEAR(gr_item(gr_nll_with(y, real, &one)), -(predictions[1] + predictions[8]) / 2, 1e-15);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* With operands of 1e4 in f32, values are exact and derivatives of two orders are finite. */
static void test_extremes(void)
{
    static const float far[] = {1e4f, -1e4f, 1e4f, -1e4f, 0, 1e4f, -1e4f, 1e4f, -1e4f, -1e4f, -1e4f, 1e4f};
    static const float to[] = {1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0};
    for (const known_loss *l = losses; l < losses + LOSSES; l++) {
        if (!strcmp(l->name, "bce")) continue; /* takes probabilities */
        gr_graph *g = gr_graph_create(NULL);
        const gr_tensor y = gr_set_requires_grad(gr_constant(g, GR_F32, GR_SHAPE(SAMPLES, CLASSES), far),
                                                 true);
        const gr_tensor t = l->target == 'l' ? gr_constant(g, GR_I32, GR_SHAPE(SAMPLES), labels)
                                             : gr_constant(g, GR_F32, GR_SHAPE(SAMPLES, CLASSES), to);
        const gr_tensor loss = l->plain(y, t);
        gr_tensor first, second;
        CHECK(isfinite(gr_item(loss)));
        gr_grad(1, &loss, 1, &y, NULL, &(gr_grad_options){.record = true}, &first);
        if (gr_requires_grad(first)) /* else constant */
            gr_grad(1, &first, 1, &y, &y, NULL, &second);
        else
            second = first;
        for (int i = 0; i < SAMPLES * CLASSES; i++)
            CHECK(isfinite(GR_AT(first, i / CLASSES, i % CLASSES)) &&
                  isfinite(GR_AT(second, i / CLASSES, i % CLASSES)));
        if (gr_graph_status(g) != GR_OK) printf("  %s: %s\n", l->name, gr_graph_error(g));
        CHECK(gr_graph_status(g) == GR_OK);
        gr_graph_destroy(g);
    }
}

/* Small differences in f32: |d| + ln(1 + e^(-2 |d|)) - ln 2 would be wrong by a tenth. Large ones, whose square overflows. */
static void test_small_and_large(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor zero = gr_scalar(g, GR_F32, 0), small = gr_scalar(g, GR_F32, 1e-3),
                    large = gr_scalar(g, GR_F32, 1e30);
    CHECK_NEAR(gr_item(gr_log_cosh_loss(small, zero)), 5e-7, 1e-12);
    CHECK_NEAR(gr_item(gr_log_cosh_loss(large, zero)) / 1e30, 1, 1e-6);
    CHECK_NEAR(gr_item(gr_huber(large, zero)) / 1e30, 1, 1e-6);
    CHECK_NEAR(gr_item(gr_cosine_similarity(gr_full(g, GR_F32, GR_SHAPE(3), 1e30),
                                            gr_full(g, GR_F32, GR_SHAPE(3), 1e-7), 0)),
               1, 1e-6);
    /* -ln(1 - y) for small y. */
    CHECK_NEAR(gr_item(gr_bce(gr_scalar(g, GR_F32, 1e-9), zero)), 1e-9, 1e-15);
    gr_graph_destroy(g);
}

/* From a lecture on back-propagation: the divergence of two outputs of an XOR net from their labels. */
static void test_worked_example(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const double outputs[] = {.07158904, .92822515, .11774177, .88200493};
    const double expected[] = {0.074480957, 0.125557633};
    const gr_tensor p = gr_constant(g, GR_F64, GR_SHAPE(2, 2), outputs);
    const gr_tensor t = gr_one_hot(gr_full(g, GR_I32, GR_SHAPE(2), 1), 2, GR_F64);
    const gr_tensor each = gr_kl_div_with(gr_log(p), t, &(gr_loss_options){.reduction = GR_REDUCE_NONE});
    for (int i = 0; i < 2; i++) CHECK_NEAR(GR_AT(each, i, 0) + GR_AT(each, i, 1), expected[i], 1e-8);
    CHECK_NEAR(gr_item(gr_log_cosh_loss(gr_scalar(g, GR_F64, 0.5), gr_scalar(g, GR_F64, 0))), 0.120114507,
               1e-9);
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_reductions);
    RUN(test_defaults);
    RUN(test_triplet_options);
    RUN(test_unknown_options);
    RUN(test_options_out_of_range);
    RUN(test_weights_that_do_not_fit);
    RUN(test_operands_that_do_not_fit);
    RUN(test_nothing_is_left);
    RUN(test_extremes);
    RUN(test_small_and_large);
    RUN(test_worked_example);
    return TEST_EXIT;
}
