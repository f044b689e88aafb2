/* Losses, composed of operations. */
#ifndef GRADUS_LOSS_H
#define GRADUS_LOSS_H

#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* Each returns a scalar. Prediction and target have one shape and one float type (GR_ERR_SHAPE, GR_ERR_TYPE):
   nothing is broadcast, for a [n, 1] against a [n] would be an n by n of differences. Both are
   differentiable. The mean of nothing is NaN, the sum 0. */

/* mean (y - t)^2, over all elements */
GR_API gr_tensor gr_mse(gr_tensor y, gr_tensor target);
/* 1/2 sum (y - t)^2, over all elements */
GR_API gr_tensor gr_half_sum_squares(gr_tensor y, gr_tensor target);

/* Binary cross-entropy of p = sigmoid(x): mean of -t ln p - (1 - t) ln(1 - p), for targets in [0, 1].
   Computed as t softplus(-x) + (1 - t) softplus(x): neither overflow nor cancellation, however large the
   logits are. */
GR_API gr_tensor gr_bce_with_logits(gr_tensor logits, gr_tensor target);

/* Cross-entropy of softmax along the last axis: mean over the samples of -ln softmax(x)_label, computed by
   log_softmax. logits: [..., classes], labels: i32 [...]. A label outside [0, classes) is GR_ERR_INDEX. */
GR_API gr_tensor gr_softmax_cross_entropy(gr_tensor logits, gr_tensor labels);
/* The same from probabilities, of which one-hot vectors are the usual case: mean over the samples of
   -sum_k t_k ln softmax(x)_k, where t_k = 0 gives 0 also for a logit of -inf. target: as logits. */
GR_API gr_tensor gr_softmax_cross_entropy_onehot(gr_tensor logits, gr_tensor target);

GR_END_DECLS

#endif
