/*
 * Metrics: how good predictions are, in numbers that people understand. No derivative goes through them.
 *
 *     double right = gr_accuracy(logits, labels);               of one batch, or of all there is
 *
 *     gr_average top5 = {0};                                    over batches, which need not be of one size
 *     const gr_metric metric = gr_metric_top_k(5);
 *     while (...) gr_metric_add(&metric, logits, labels, &top5);
 *     printf("%.1f %%\n", 100 * gr_average_value(top5));
 *
 * A metric is the mean of a number that each sample has (of accuracies: 1 where it is right). It is kept as a sum and
 * what that is to be divided by, so batches count by their samples, and a last one that is smaller counts less.
 *
 * PREDICTIONS AND TARGETS OF CLASSES
 *   prediction: float [..., classes], scores of any kind: logits, probabilities, logarithms of these. What is said is the
 *   class with the largest, the first of those that tie; NaN goes before all numbers, as in gr_argmax. Or i32 [...],
 *   what is said itself.
 *   targets: i32 [...], labels; or float [..., classes], probabilities, as one-hot vectors: the class with the largest.
 *
 * ERRORS
 *   As executors, functions refuse while an error is pending (graph.h). On error averages and counts are as they were, and
 *   what returns a number returns NaN. GR_ERR_SHAPE, GR_ERR_TYPE: prediction and targets do not fit each other;
 *   GR_ERR_INDEX: a label that is no class.
 */
#ifndef GRADUS_METRICS_H
#define GRADUS_METRICS_H

#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* ---- Means over batches ---- */

/* Zeroed: of nothing yet. */
typedef struct gr_average {
    double sum;
    double weight; /* the number of samples, for all metrics here */
} gr_average;
/* sum / weight; of nothing: NaN. */
GR_API double gr_average_value(gr_average average);

/* ---- Metrics ---- */

typedef struct gr_metric gr_metric;

/* Adds a batch. Tensors that it makes are freed behind it; it returns GR_OK, or an error. */
typedef gr_status gr_metric_function(const gr_metric *metric, gr_tensor prediction, gr_tensor targets,
                                     gr_average *average);

/* Those below are made of the same as your own: {.name = "rank", .add = f, .user = ...}. */
struct gr_metric {
    const char *name; /* of its columns and messages; may be changed */
    gr_metric_function *add;
    double number;
    int64_t count;
    bool ignore;          /* of classes: samples labelled ignore_index do not count, as in loss.h */
    int32_t ignore_index; /* what it is */
    const void *user;
};

/* Adds a batch to an average, of which nothing is recorded. */
GR_API gr_status gr_metric_add(const gr_metric *metric, gr_tensor prediction, gr_tensor targets,
                               gr_average *average);

/* "accuracy": the part of the samples of which what is said is what is. */
GR_API gr_metric gr_metric_accuracy(void);
/* "top_k": of which the label is among the k classes of the largest scores, 1 <= k <= classes (GR_ERR_ARGUMENT). Of those that
   tie, the first ones: top 1 is the accuracy. Needs scores. */
GR_API gr_metric gr_metric_top_k(int64_t k);
/* "accuracy", of two classes, element by element: said is 1 where the prediction is > threshold, which is 1/2 for
   probabilities and 0 for logits, and is 1 where the target is > 1/2. prediction: float; targets: its shape, any type. */
GR_API gr_metric gr_metric_binary_accuracy(double threshold);
/* "mean_absolute_error": |y - t|, over all elements; one float type, one shape. Added up in f64. */
GR_API gr_metric gr_metric_mean_absolute_error(void);
/* "mean_squared_error": (y - t)^2, the same. */
GR_API gr_metric gr_metric_mean_squared_error(void);

/* The same of one prediction. */
GR_API double gr_accuracy(gr_tensor prediction, gr_tensor targets);
GR_API double gr_top_k_accuracy(gr_tensor prediction, gr_tensor targets, int64_t k);
GR_API double gr_binary_accuracy(gr_tensor prediction, gr_tensor targets, double threshold);
GR_API double gr_mean_absolute_error(gr_tensor prediction, gr_tensor targets);
GR_API double gr_mean_squared_error(gr_tensor prediction, gr_tensor targets);

/* ---- Confusion matrix ---- */

/*     int64_t counts[10 * 10] = {0};
       gr_confusion confusion = {.classes = 10, .counts = counts};
       while (...) gr_confusion_add(&confusion, logits, labels);
       gr_confusion_write(&confusion, names, gr_stream_writer, stdout);

   Yours, memory and all: copy it, save it, add two of them up. */
typedef struct gr_confusion {
    int64_t classes;
    int64_t *counts;      /* [is][said], row by row: how many samples of a class were said to be of which */
    bool ignore;          /* samples labelled ignore_index do not count */
    int32_t ignore_index; /* what it is */
} gr_confusion;

GR_API void gr_confusion_clear(gr_confusion *confusion);
/* Counts a batch; scores have as many classes as the matrix. */
GR_API gr_status gr_confusion_add(gr_confusion *confusion, gr_tensor prediction, gr_tensor targets);

/* What follows from it; 0/0 is NaN, as for a class that never was. Classes out of range: NaN. */
/* The part of all samples of which what was said is what is. */
GR_API double gr_confusion_accuracy(const gr_confusion *confusion);
/* Of those that were said to be of a class, the part that is. */
GR_API double gr_confusion_precision(const gr_confusion *confusion, int64_t which);
/* Of those that are of a class, the part that was said to be. */
GR_API double gr_confusion_recall(const gr_confusion *confusion, int64_t which);
/* 2 right / (those that are + those that were said to be): the harmonic mean of the two. */
GR_API double gr_confusion_f1(const gr_confusion *confusion, int64_t which);

/* Writes it as a table: a row for what is, with its recall in percent at the end, a column for what was said. names: of the
   classes, in UTF-8; NULL: their numbers. Belongs to no graph, so the status is all: GR_ERR_ARGUMENT, GR_ERR_IO. */
GR_API gr_status gr_confusion_write(const gr_confusion *confusion, const char *const *names, gr_writer *write,
                                    void *user);

GR_END_DECLS

#endif
