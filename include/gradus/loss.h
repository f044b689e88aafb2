/*
 * Losses, composed of operations.
 *
 * gr_<name>(y, target) is the loss with its defaults, a scalar; gr_<name>_with(y, target, options) takes a structure of
 * which everything that is left out has its default:
 *
 *     gr_tensor loss = gr_huber(y, t);
 *     gr_tensor each = gr_huber_with(y, t, &(gr_loss_options){.delta = 0.5, .reduction = GR_REDUCE_NONE});
 *
 * All of the first form are functions of one type, gr_loss, but for two that take three tensors. Definitions are
 * PyTorch's, where it has the loss; where classes are an axis, it is the last one here (PyTorch: the second).
 *
 * Prediction and target have one shape and one float type, unless it is said otherwise (GR_ERR_SHAPE, GR_ERR_TYPE): nothing
 * is broadcast, for a [n, 1] against a [n] would be an n by n of differences. Both are differentiable. In products of a target
 * with a logarithm 0 times infinity is 0. docs/kinks.md has what happens at corners and at extreme operands.
 */
#ifndef GRADUS_LOSS_H
#define GRADUS_LOSS_H

#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* What becomes of the losses of single elements or, where a loss is one of a sample (a row of classes, a vector), of
   samples. The mean of nothing is NaN, the sum 0. */
typedef enum gr_reduction {
    GR_REDUCE_DEFAULT = 0, /* their mean, unless the loss says another */
    GR_REDUCE_MEAN,
    GR_REDUCE_SUM,
    GR_REDUCE_NONE,      /* they are returned as they are */
    GR_REDUCE_BATCH_MEAN /* their sum over the size of the first axis, that of the batch */
} gr_reduction;

/* A zeroed structure, or NULL, gives the defaults. An option that the loss does not know is GR_ERR_ARGUMENT if it is set, and
   so is one outside its range. */
typedef struct gr_loss_options {
    gr_reduction reduction;
    double delta;           /* huber: > 0; 0 stands for 1 */
    double beta;            /* smooth_l1_loss: > 0; 0 stands for 1 */
    double margin;          /* hinge, multi_margin, triplet_margin: 0 stands for 1; cosine_embedding */
    bool no_margin;         /* the same, where 1 is the default: the margin is 0 */
    double order;           /* triplet_margin: of the norm, as in gr_vector_norm; 0 stands for 2 */
    bool swap;              /* triplet_margin: the negative is as near as it is to anchor or positive */
    double label_smoothing; /* softmax_cross_entropy, .._onehot: in [0, 1] */
    bool log_target;        /* kl_div: the target is given by its logarithm */
    bool ignore;            /* softmax_cross_entropy, nll: samples labelled ignore_index do not count */
    int32_t ignore_index;   /* what it is; PyTorch: always on, -100 */
    /* softmax_cross_entropy, .._onehot, nll, multi_margin: [classes], of the type of y */
    gr_tensor class_weights;
    /* bce_with_logits: weight of what t is 1 for, of the type of y; it broadcasts to its shape */
    gr_tensor positive_weight;
} gr_loss_options;

typedef gr_tensor gr_loss(gr_tensor y, gr_tensor target);

/* ---- Of differences d = y - t, element by element ---- */

/* d^2 */
GR_API gr_tensor gr_mse(gr_tensor y, gr_tensor target);
GR_API gr_tensor gr_mse_with(gr_tensor y, gr_tensor target, const gr_loss_options *options);
/* d^2 / 2; the default is the sum. */
GR_API gr_tensor gr_half_sum_squares(gr_tensor y, gr_tensor target);
GR_API gr_tensor gr_half_sum_squares_with(gr_tensor y, gr_tensor target, const gr_loss_options *options);
/* |d|; derivative 0 at 0 */
GR_API gr_tensor gr_l1_loss(gr_tensor y, gr_tensor target);
GR_API gr_tensor gr_l1_loss_with(gr_tensor y, gr_tensor target, const gr_loss_options *options);
/* d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2) (Huber, 1964). The derivative is d between -delta and delta; the
   second one is 0 at both, as in PyTorch. */
GR_API gr_tensor gr_huber(gr_tensor y, gr_tensor target);
GR_API gr_tensor gr_huber_with(gr_tensor y, gr_tensor target, const gr_loss_options *options);
/* huber / beta with delta = beta: d^2 / (2 beta) where |d| <= beta, else |d| - beta / 2 (Girshick, 2015). */
GR_API gr_tensor gr_smooth_l1_loss(gr_tensor y, gr_tensor target);
GR_API gr_tensor gr_smooth_l1_loss_with(gr_tensor y, gr_tensor target, const gr_loss_options *options);
/* ln cosh d, as gr_log_cosh: exact for small differences and for large ones. */
GR_API gr_tensor gr_log_cosh_loss(gr_tensor y, gr_tensor target);
GR_API gr_tensor gr_log_cosh_loss_with(gr_tensor y, gr_tensor target, const gr_loss_options *options);

/* ---- Two classes, element by element ---- */

/* Binary cross-entropy of probabilities y in [0, 1]: -t ln y - (1 - t) ln(1 - y), for targets in [0, 1]. As in PyTorch, logarithms
   are -100 at least, so that the loss is finite, and so are the derivatives by y: the divisor in (y - t) / (y (1 - y)) is 1e-12
   at least. A prediction outside [0, 1] gives NaN. From logits gr_bce_with_logits is more exact. */
GR_API gr_tensor gr_bce(gr_tensor y, gr_tensor target);
GR_API gr_tensor gr_bce_with(gr_tensor y, gr_tensor target, const gr_loss_options *options);
/* The same for y = sigmoid(logits), with w for positive_weight, which is 1 by default: w t softplus(-x) +
   (1 - t) softplus(x), with neither overflow nor cancellation, however large the logits are. */
GR_API gr_tensor gr_bce_with_logits(gr_tensor logits, gr_tensor target);
GR_API gr_tensor gr_bce_with_logits_with(gr_tensor logits, gr_tensor target, const gr_loss_options *options);
/* max(0, margin - t y), for targets -1 and 1 (Cortes and Vapnik, 1995); derivative 0 at the corner. */
GR_API gr_tensor gr_hinge(gr_tensor y, gr_tensor target);
GR_API gr_tensor gr_hinge_with(gr_tensor y, gr_tensor target, const gr_loss_options *options);

/* ---- Classes along the last axis, a loss for each sample ---- */

/* In those with labels: y: [..., classes], labels: i32 [...] -> [...]. A label outside [0, classes) is GR_ERR_INDEX, unless it is
   that of ignored samples. With class weights w the mean is the weighted one: the sum over samples over the sum of
   their w_label; that of the others is over their number. If all samples are ignored it is NaN. */

/* Cross-entropy of softmax: -w_label ln softmax(x)_label, computed by log_softmax. With label smoothing s (Szegedy et al.,
   2016) the target is 1 - s of the label and s shared among all classes. */
GR_API gr_tensor gr_softmax_cross_entropy(gr_tensor logits, gr_tensor labels);
GR_API gr_tensor gr_softmax_cross_entropy_with(gr_tensor logits, gr_tensor labels,
                                               const gr_loss_options *options);
/* The same from probabilities t of all classes, of which one-hot vectors are the usual case: -sum_k w_k t_k ln softmax(x)_k;
   its mean is over the number of samples, with weights, too. target: as logits. */
GR_API gr_tensor gr_softmax_cross_entropy_onehot(gr_tensor logits, gr_tensor target);
GR_API gr_tensor gr_softmax_cross_entropy_onehot_with(gr_tensor logits, gr_tensor target,
                                                      const gr_loss_options *options);
/* Negative log-likelihood: -w_label y_label of y that are logarithms of probabilities, as gr_log_softmax gives. */
GR_API gr_tensor gr_nll(gr_tensor y, gr_tensor labels);
GR_API gr_tensor gr_nll_with(gr_tensor y, gr_tensor labels, const gr_loss_options *options);
/* Hinge for many classes: w_label sum_k max(0, margin - y_label + y_k) / classes over the k that are not the label (Weston and
   Watkins, 1999). Its mean is over the number of samples, with weights, too. No sample is ignored. */
GR_API gr_tensor gr_multi_margin(gr_tensor y, gr_tensor labels);
GR_API gr_tensor gr_multi_margin_with(gr_tensor y, gr_tensor labels, const gr_loss_options *options);

/* ---- Distributions and directions ---- */

/* Kullback-Leibler divergence of probabilities t from those whose logarithms are y: t (ln t - y), element by element, or with
   log_target, t being given as logarithms, e^t (t - y). The divergence itself is the sum over all classes: GR_REDUCE_BATCH_MEAN
   gives its mean over samples, the default, as in PyTorch, that over all elements. */
GR_API gr_tensor gr_kl_div(gr_tensor y, gr_tensor target);
GR_API gr_tensor gr_kl_div_with(gr_tensor y, gr_tensor target, const gr_loss_options *options);

/* An operation: sum a b / (|a| |b|) along one axis, which is dropped; broadcasting; float. Each length is 1e-8 at least, so that it
   is 0 of zeros; one that is shorter is a constant to the derivative (PyTorch differentiates it nevertheless). Lengths are computed without overflow or underflow. */
GR_API gr_tensor gr_cosine_similarity(gr_tensor a, gr_tensor b, int axis);
/* Its negative along the last axis, a loss for each vector: -1 where directions agree. */
GR_API gr_tensor gr_cosine_loss(gr_tensor y, gr_tensor target);
GR_API gr_tensor gr_cosine_loss_with(gr_tensor y, gr_tensor target, const gr_loss_options *options);
/* With c the similarity of a and b along the last axis: 1 - c where the target is 1, max(0, c - margin) where it is -1. a and b:
   [..., n], target: [...], of their type. */
GR_API gr_tensor gr_cosine_embedding(gr_tensor a, gr_tensor b, gr_tensor target);
GR_API gr_tensor gr_cosine_embedding_with(gr_tensor a, gr_tensor b, gr_tensor target,
                                          const gr_loss_options *options);
/* max(0, |a - p + e| - |a - n + e| + margin), Euclidean lengths along the last axis, for an anchor a, a positive p of its class
   and a negative n of another (Schroff, Kalenichenko and Philbin, 2015); with `swap`, |p - n + e| counts in place of |a - n + e|
   where it is less (Balntas, Riba, Ponsa and Mikolajczyk, 2016). e is 1e-6, as in PyTorch, so that the length has a
   derivative where a = p. All three: [..., n] -> [...]. */
GR_API gr_tensor gr_triplet_margin(gr_tensor anchor, gr_tensor positive, gr_tensor negative);
GR_API gr_tensor gr_triplet_margin_with(gr_tensor anchor, gr_tensor positive, gr_tensor negative,
                                        const gr_loss_options *options);

GR_END_DECLS

#endif
