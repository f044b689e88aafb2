/* Metrics and confusion matrices, against counts by hand and the definitions of others. */
#include "gradus.h"
#include "test.h"

#include <stdint.h>

static gr_graph *g;

static gr_tensor f32(int64_t rows, int64_t columns, const float *x)
{
    return gr_constant(g, GR_F32, GR_SHAPE(rows, columns), x);
}

static gr_tensor labels(int64_t n, const int32_t *x) { return gr_constant(g, GR_I32, GR_SHAPE(n), x); }

static gr_status failed(void)
{
    const gr_status status = gr_graph_status(g);
    gr_graph_clear_error(g);
    return status;
}

/* ---- Classes ---- */

static const float scores[] = {0.1f, 0.7f,  0.2f,  /* 1, then 2, then 0 */
                               3.0f, -1.0f, 2.0f,  /* 0, 2, 1 */
                               0.5f, 0.5f,  0.1f,  /* a tie: 0, 1, 2 */
                               1.0f, 1.0f,  1.0f,  /* 0, 1, 2 */
                               -3.f, -2.f,  -9.f}; /* 1, 0, 2 */
static const int32_t truth[] = {1, 2, 1, 2, 0};

static void accuracies(void)
{
    const gr_tensor y = f32(5, 3, scores), t = labels(5, truth);
    CHECK_NEAR(gr_accuracy(y, t), 0.2, 0);
    CHECK_NEAR(gr_top_k_accuracy(y, t, 1), 0.2, 0);
    CHECK_NEAR(gr_top_k_accuracy(y, t, 2), 0.8, 0); /* all but the last of the tie of three */
    CHECK_NEAR(gr_top_k_accuracy(y, t, 3), 1, 0);
    /* Probabilities as targets, what is said itself, f64, more axes, strides. */
    CHECK_NEAR(gr_accuracy(y, gr_one_hot(t, 3, GR_F32)), 0.2, 0);
    CHECK_NEAR(gr_top_k_accuracy(y, gr_one_hot(t, 3, GR_F64), 2), 0.8, 0);
    CHECK_NEAR(gr_accuracy(labels(5, (int32_t[]){1, 2, 0, 2, 1}), t), 0.6, 1e-15);
    CHECK_NEAR(gr_accuracy(gr_cast(y, GR_F64), t), 0.2, 0);
    const gr_tensor deep = gr_reshape(y, GR_SHAPE(1, 5, 1, 3));
    CHECK_NEAR(gr_accuracy(deep, gr_reshape(t, GR_SHAPE(1, 5, 1))), 0.2, 0);
    float columns[15];
    gr_read(gr_transpose(y, 0, 1), columns, 15);
    const gr_tensor turned = gr_transpose(f32(3, 5, columns), 0, 1);
    CHECK(!gr_is_contiguous(turned));
    CHECK_NEAR(gr_top_k_accuracy(turned, t, 2), 0.8, 0);
    const gr_tensor every_other = gr_slice(labels(10, (int32_t[]){1, 9, 2, 9, 1, 9, 2, 9, 0, 9}), 0, 0, 10,
                                           2);
    CHECK_NEAR(gr_accuracy(y, every_other), 0.2, 0);
    CHECK_NEAR(gr_accuracy(gr_constant(g, GR_F32, GR_SHAPE(3), scores), gr_full(g, GR_I32, GR_SCALAR, 1)), 1,
               0);
    CHECK(isnan(gr_accuracy(gr_zeros(g, GR_F32, GR_SHAPE(0, 3)), gr_zeros(g, GR_I32, GR_SHAPE(0)))));
    CHECK(failed() == GR_OK);
}

/* A NaN goes before all numbers, as in argmax. */
static void scores_that_are_not_numbers(void)
{
    const gr_tensor y = f32(2, 3, (float[]){1, NAN, 2, NAN, INFINITY, NAN});
    CHECK_NEAR(gr_accuracy(y, labels(2, (int32_t[]){1, 0})), 1, 0);
    CHECK_NEAR(gr_top_k_accuracy(y, labels(2, (int32_t[]){2, 2}), 2), 1, 0);
    CHECK_NEAR(gr_top_k_accuracy(y, labels(2, (int32_t[]){0, 1}), 2), 0, 0);
}

static void leaves_out_what_is_ignored(void)
{
    gr_average average = {0};
    gr_metric metric = gr_metric_accuracy();
    const gr_tensor y = f32(5, 3, scores), t = labels(5, (int32_t[]){1, -100, 1, -100, 1});
    CHECK(gr_metric_add(&metric, y, t, &average) == GR_ERR_INDEX && average.weight == 0 && average.sum == 0);
    CHECK_TEXT(gr_graph_error(g), "accuracy: sample 1 has class -100, expected one in [0, 3)");
    failed();
    metric.ignore = true;
    metric.ignore_index = -100;
    CHECK(gr_metric_add(&metric, y, t, &average) == GR_OK && average.weight == 3 && average.sum == 2);
    metric = gr_metric_top_k(2);
    metric.ignore = true;
    metric.ignore_index = 1;
    CHECK(gr_metric_add(&metric, y, labels(5, (int32_t[]){1, 1, 1, 1, 2}), &average) == GR_OK);
    CHECK(average.weight == 4 && average.sum == 2);
}

static void binary_accuracies(void)
{
    const gr_tensor p = f32(2, 3, (float[]){0.2f, 0.5f, 0.51f, 0.9f, 0.4f, NAN});
    const gr_tensor t = f32(2, 3, (float[]){0, 1, 1, 0, 0, 0});
    CHECK_NEAR(gr_binary_accuracy(p, t, 0.5), 4.0 / 6,
               1e-15); /* 0.5 is not above 0.5; NaN is above nothing */
    CHECK_NEAR(gr_binary_accuracy(p, gr_cast(t, GR_BOOL), 0.45), 5.0 / 6, 1e-15);
    CHECK_NEAR(gr_binary_accuracy(gr_add_scalar(p, -0.5), gr_cast(t, GR_I32), 0), 4.0 / 6, 1e-15);
    CHECK(isnan(gr_binary_accuracy(p, t, (double)NAN)) && failed() == GR_ERR_ARGUMENT);
    CHECK(isnan(gr_binary_accuracy(p, gr_reshape(t, GR_SHAPE(3, 2)), 0)) && failed() == GR_ERR_SHAPE);
    CHECK(isnan(gr_binary_accuracy(gr_cast(t, GR_I32), t, 0)) && failed() == GR_ERR_TYPE);
}

/* ---- Numbers ---- */

static void errors_of_numbers(void)
{
    const gr_tensor y = f32(2, 2, (float[]){1, 2, 3, 4}), t = f32(2, 2, (float[]){1, 0, 6, 4.5f});
    CHECK_NEAR(gr_mean_absolute_error(y, t), 5.5 / 4, 0);
    CHECK_NEAR(gr_mean_squared_error(y, t), 13.25 / 4, 0);
    CHECK_NEAR(gr_mean_absolute_error(gr_cast(y, GR_F64), gr_cast(t, GR_F64)), 5.5 / 4, 0);
    CHECK(isnan(gr_mean_absolute_error(y, gr_cast(t, GR_F64))) && failed() == GR_ERR_TYPE);
    CHECK(isnan(gr_mean_squared_error(y, gr_reshape(t, GR_SHAPE(4)))));
    CHECK_TEXT(gr_graph_error(g),
               "mean_squared_error: needs one shape: prediction [2, 2] of f32, targets [4] of f32");
    CHECK(failed() == GR_ERR_SHAPE);
    /* Differences of f32 that f32 would lose. */
    const gr_tensor large = gr_full(g, GR_F32, GR_SHAPE(3), 16777216),
                    small = gr_full(g, GR_F32, GR_SHAPE(3), 0.5);
    CHECK_NEAR(gr_mean_absolute_error(large, small), 16777215.5, 0);
}

/* Batches of 3, 3 and 1 give the mean over 7, not that of the means. */
static void means_count_by_samples(void)
{
    const gr_tensor y = gr_arange(g, GR_F64, 7, 0, 1), t = gr_zeros(g, GR_F64, GR_SHAPE(7));
    const gr_metric metric = gr_metric_mean_absolute_error();
    gr_average average = {0};
    CHECK(isnan(gr_average_value(average)));
    for (int64_t at = 0; at < 7; at += 3)
        gr_metric_add(&metric, gr_slice(y, 0, at, at + 3, 1), gr_slice(t, 0, at, at + 3, 1), &average);
    CHECK_NEAR(gr_average_value(average), 3, 0);
    CHECK(average.weight == 7);
}

/* The rank of the label, from 1: what a user would write. */
static gr_status mean_rank(const gr_metric *m, gr_tensor y, gr_tensor t, gr_average *average)
{
    const gr_tensor own = gr_gather(y, 1, gr_unsqueeze(t, 1));
    average->sum += m->number * (double)gr_count(t) +
                    gr_item(gr_cast(gr_count_nonzero(gr_greater(y, own), GR_ALL_AXES, false), GR_F64));
    average->weight += (double)gr_count(t);
    return gr_graph_status(y.graph);
}

static void metrics_of_ones_own(void)
{
    const gr_metric rank = {.name = "rank", .add = mean_rank, .number = 1}, none = {.name = "none"};
    const gr_tensor w = gr_param(g, "w", GR_F32, GR_SHAPE(5, 3), scores), t = labels(5, truth);
    gr_average average = {0};
    CHECK(gr_metric_add(&rank, w, t, &average) == GR_OK && gr_average_value(average) == 7.0 / 5);
    CHECK(gr_is_recording(g));
    CHECK(gr_metric_add(&none, w, t, &average) == GR_ERR_ARGUMENT);
    CHECK_TEXT(gr_graph_error(g), "none: there is no function `add`");
    failed();
    CHECK(gr_metric_add(NULL, w, t, &average) == GR_ERR_ARGUMENT && failed() == GR_ERR_ARGUMENT);
    CHECK(gr_metric_add(&rank, w, t, NULL) == GR_ERR_ARGUMENT && failed() == GR_ERR_ARGUMENT);
    CHECK(average.weight == 5);
    gr_release(w);
}

/* ---- Confusion ---- */

static bool append(const char *text, size_t length, void *user)
{
    char *to = user;
    if (strlen(to) + length >= 1000) return false;
    strncat(to, text, length);
    return true;
}

static bool refuse(const char *text, size_t length, void *user)
{
    (void)text, (void)length, (void)user;
    return false;
}

/* is: cat cat cat dog dog ant; said: cat dog cat dog dog cat. As sklearn.metrics.confusion_matrix. */
static void confusions(void)
{
    static const char *const names[] = {"cat", "dog", "f\xC3\xB6rmica"};
    int64_t counts[9] = {0};
    gr_confusion c = {.classes = 3, .counts = counts};
    const gr_tensor is = labels(6, (int32_t[]){0, 0, 0, 1, 1, 2}),
                    said = labels(6, (int32_t[]){0, 1, 0, 1, 1, 0});
    CHECK(gr_confusion_add(&c, gr_one_hot(said, 3, GR_F32), is) == GR_OK);
    const int64_t expected[] = {2, 1, 0, 0, 2, 0, 1, 0, 0};
    CHECK(!memcmp(counts, expected, sizeof counts));
    CHECK_NEAR(gr_confusion_accuracy(&c), 4.0 / 6, 1e-15);
    CHECK_NEAR(gr_confusion_precision(&c, 0), 2.0 / 3, 1e-15);
    CHECK_NEAR(gr_confusion_recall(&c, 0), 2.0 / 3, 1e-15);
    CHECK_NEAR(gr_confusion_precision(&c, 1), 2.0 / 3, 1e-15);
    CHECK_NEAR(gr_confusion_recall(&c, 1), 1, 0);
    CHECK_NEAR(gr_confusion_f1(&c, 1), 0.8, 1e-15);
    CHECK(isnan(gr_confusion_precision(&c, 2)) && gr_confusion_f1(&c, 2) == 0 &&
          isnan(gr_confusion_recall(&c, 3)));
    char text[1000] = "";
    CHECK(gr_confusion_write(&c, names, append, text) == GR_OK);
    CHECK(!strcmp(text, "            cat     dog f\xC3\xB6rmica\n"
                        "    cat       2       1       0   66.7 %\n"
                        "    dog       0       2       0  100.0 %\n"
                        "f\xC3\xB6rmica       1       0       0    0.0 %\n"));
    /* It adds up; numbers for names; a class that never was has no percent. */
    CHECK(gr_confusion_add(&c, said, is) == GR_OK && counts[0] == 4 && counts[6] == 2);
    gr_confusion_clear(&c);
    CHECK(gr_confusion_add(&c, labels(1, (int32_t[]){2}), labels(1, (int32_t[]){0})) == GR_OK);
    text[0] = '\0';
    CHECK(gr_confusion_write(&c, NULL, append, text) == GR_OK);
    CHECK(!strcmp(text, "  0 1 2\n0 0 0 1    0.0 %\n1 0 0 0\n2 0 0 0\n"));
    CHECK(gr_confusion_write(&c, NULL, refuse, NULL) == GR_ERR_IO);
    CHECK(gr_confusion_write(&c, NULL, NULL, NULL) == GR_ERR_ARGUMENT);
    CHECK(failed() == GR_OK);
}

/* A batch that cannot be counted as a whole is not counted at all. */
static void confusions_refuse(void)
{
    int64_t counts[9] = {0};
    const int64_t zeros[9] = {0};
    gr_confusion c = {.classes = 3, .counts = counts};
    const gr_tensor is = labels(2, (int32_t[]){0, 3}), said = labels(2, (int32_t[]){0, 2});
    CHECK(gr_confusion_add(&c, said, is) == GR_ERR_INDEX);
    CHECK_TEXT(gr_graph_error(g), "confusion_add: sample 1 has class 3, expected one in [0, 3)");
    failed();
    CHECK(gr_confusion_add(&c, is, said) == GR_ERR_INDEX && failed() == GR_ERR_INDEX);
    CHECK(gr_confusion_add(&c, gr_one_hot(is, 4, GR_F32), said) == GR_ERR_SHAPE);
    CHECK_TEXT(gr_graph_error(g), "scores of 4 classes, expected 3");
    failed();
    CHECK(gr_confusion_add(NULL, said, said) == GR_ERR_ARGUMENT && failed() == GR_ERR_ARGUMENT);
    CHECK(!memcmp(counts, zeros, sizeof counts));
    c.ignore = true;
    c.ignore_index = 3;
    CHECK(gr_confusion_add(&c, said, is) == GR_OK && counts[0] == 1 && gr_confusion_accuracy(&c) == 1);
}

/* ---- What does not fit ---- */

static void refuses_operands(void)
{
    const gr_tensor y = f32(5, 3, scores), t = labels(5, truth);
    gr_graph *other = gr_graph_create(NULL);
    CHECK(isnan(gr_accuracy(y, labels(4, truth))));
    CHECK_TEXT(gr_graph_error(g),
               "accuracy: needs scores [..., classes] and labels [...], or targets [..., classes]: "
               "prediction [5, 3] of f32, targets [4] of i32");
    CHECK(failed() == GR_ERR_SHAPE);
    CHECK(isnan(gr_accuracy(y, gr_unsqueeze(t, 1))) && failed() == GR_ERR_SHAPE);
    CHECK(isnan(gr_accuracy(t, labels(4, truth))) && failed() == GR_ERR_SHAPE);
    CHECK(isnan(gr_accuracy(y, gr_cast(t, GR_BOOL))) && failed() == GR_ERR_TYPE);
    CHECK(isnan(gr_accuracy(gr_scalar(g, GR_F32, 1), gr_full(g, GR_I32, GR_SCALAR, 0))) &&
          failed() == GR_ERR_SHAPE);
    CHECK(isnan(gr_accuracy(y, gr_constant(other, GR_I32, GR_SHAPE(5), truth))) && failed() == GR_ERR_GRAPH);
    CHECK(isnan(gr_accuracy(y, (gr_tensor){g, 0, 0})) && failed() == GR_ERR_HANDLE);
    CHECK(isnan(gr_accuracy((gr_tensor){NULL, 0, 0}, t)) && failed() == GR_OK);
    CHECK(isnan(gr_top_k_accuracy(t, t, 1)) && failed() == GR_ERR_TYPE);
    CHECK(isnan(gr_top_k_accuracy(y, t, 0)));
    CHECK_TEXT(gr_graph_error(g), "top_k: k is 0 of 3 classes, expected 1 to 3");
    CHECK(failed() == GR_ERR_ARGUMENT);
    CHECK(isnan(gr_top_k_accuracy(y, t, 4)) && failed() == GR_ERR_ARGUMENT);
    gr_metric nameless = gr_metric_accuracy();
    gr_average average = {0, 0};
    nameless.name = NULL;
    CHECK(gr_metric_add(&nameless, y, gr_full(g, GR_I32, GR_SHAPE(5), 7), &average) == GR_ERR_INDEX &&
          average.weight == 0);
    CHECK_TEXT(gr_graph_error(g), "metric_add: sample 0 has class 7, expected one in [0, 3)");
    CHECK(failed() == GR_ERR_INDEX);
    const gr_tensor gone = gr_neg(y);
    gr_graph_reset(g);
    CHECK(isnan(gr_accuracy(gone, t)) && failed() == GR_ERR_STALE);
    gr_graph_fail(g, GR_ERR_CALLBACK, "pending");
    CHECK(isnan(gr_accuracy(y, t)) && failed() == GR_ERR_CALLBACK);
    gr_graph_destroy(other);
}

int main(void)
{
    g = gr_graph_create(NULL);
    RUN(accuracies);
    RUN(scores_that_are_not_numbers);
    RUN(leaves_out_what_is_ignored);
    RUN(binary_accuracies);
    RUN(errors_of_numbers);
    RUN(means_count_by_samples);
    RUN(metrics_of_ones_own);
    RUN(confusions);
    RUN(confusions_refuse);
    RUN(refuses_operands);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
    return TEST_EXIT;
}
