/* Activation functions. What all operations have in common stands in ops.h. */
#ifndef GRADUS_ACTIVATIONS_H
#define GRADUS_ACTIVATIONS_H

#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* ---- Elementwise; float ---- */

GR_API gr_tensor gr_sigmoid(gr_tensor x);  /* 1 / (1 + e^-x), without overflow; dy/dx = y (1 - y) */
GR_API gr_tensor gr_relu(gr_tensor x);     /* max(x, 0); derivative 0 at 0, 1 at NaN */
GR_API gr_tensor gr_softplus(gr_tensor x); /* ln(1 + e^x), without overflow; dy/dx = sigmoid(x) */

/* ---- Along an axis ---- */

/* Along one axis; float; a scalar is GR_ERR_NDIM. softmax: y_i = e^x_i / sum e^x, and 0 where all x are -inf.
   log_softmax: its logarithm, computed as x - logsumexp(x); where all x are -inf: -inf, with derivative 1 by
   x_i. */
GR_API gr_tensor gr_softmax(gr_tensor x, int axis);
GR_API gr_tensor gr_log_softmax(gr_tensor x, int axis);

GR_END_DECLS

#endif
