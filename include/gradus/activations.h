/*
 * Activation functions. What all operations have in common stands in ops.h.
 *
 * Names, definitions and defaults are PyTorch's. gr_<name>(x) has the default parameters, so that it can be handed to a
 * layer (gr_activation in nn.h); gr_<name>_with(x, ...) takes them. gr_tanh, gr_sign and gr_unit_step stand in elementwise.h.
 *
 * All are exact far out, in f32 too: neither value nor derivatives of any order overflow or become NaN there, and at inf
 * and -inf they have their limits. At corners the derivative is that of one side, or 0, as said; second derivatives
 * there are those of the same side. NaN stays NaN.
 */
#ifndef GRADUS_ACTIVATIONS_H
#define GRADUS_ACTIVATIONS_H

#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* ---- With corners; elementwise; float ---- */

GR_API gr_tensor gr_relu(gr_tensor x);  /* max(x, 0); derivative 0 at 0, 1 at NaN */
GR_API gr_tensor gr_relu6(gr_tensor x); /* min(max(x, 0), 6); derivative 0 at 0 and 6 */

/* x where x > 0, else slope x; derivative `slope` at 0. slope: 0.01 (Maas, Hannun and Ng, 2013); not finite:
   GR_ERR_ARGUMENT. */
GR_API gr_tensor gr_leaky_relu(gr_tensor x);
GR_API gr_tensor gr_leaky_relu_with(gr_tensor x, double slope);
/* The same with slopes that are learned (He, Zhang, Ren and Sun, 2015, who start at 0.25). slope: one element, or as many
   as x has channels, which are axis 1 of x; else GR_ERR_SHAPE. dy/dx at 0: the slope, for second derivatives, too (PyTorch's are those of
   the right side there); dy/dslope = min(x, 0). */
GR_API gr_tensor gr_prelu(gr_tensor x, gr_tensor slope);

/* min(max(x, low), high), low and high being -1 and 1 for gr_hardtanh. As gr_clamp, but that dy/dx is 0 at both ends.
   low > high, NaN: GR_ERR_ARGUMENT. */
GR_API gr_tensor gr_hardtanh(gr_tensor x);
GR_API gr_tensor gr_hardtanh_with(gr_tensor x, double low, double high);
/* min(max(x + 3, 0), 6) / 6; derivative 1/6 inside, 0 at -3 and 3 */
GR_API gr_tensor gr_hardsigmoid(gr_tensor x);
/* x hardsigmoid(x) (Howard et al., 2019). dy/dx = x/3 + 1/2 inside; 0 at -3, 1 at 3. */
GR_API gr_tensor gr_hardswish(gr_tensor x);

/* Exponential units. elu: x where x > 0, else alpha (e^x - 1) (Clevert, Unterthiner and Hochreiter, 2016); derivative
   alpha at 0, the second one 0. celu: x where x > 0, else alpha (e^(x/alpha) - 1) (Barron, 2017), whose derivative has no jump. selu: 1.0507...
   times elu with alpha = 1.6732... (Klambauer et al., 2017). alpha: 1; not finite, or 0 for celu: GR_ERR_ARGUMENT. */
GR_API gr_tensor gr_elu(gr_tensor x);
GR_API gr_tensor gr_elu_with(gr_tensor x, double alpha);
GR_API gr_tensor gr_celu(gr_tensor x);
GR_API gr_tensor gr_celu_with(gr_tensor x, double alpha);
GR_API gr_tensor gr_selu(gr_tensor x);

/* ---- Smooth; elementwise; float ---- */

GR_API gr_tensor gr_sigmoid(gr_tensor x);     /* 1 / (1 + e^-x); dy/dx = y (1 - y) */
GR_API gr_tensor gr_log_sigmoid(gr_tensor x); /* -ln(1 + e^-x); dy/dx = sigmoid(-x) */
/* ln(1 + e^(beta x)) / beta; dy/dx = sigmoid(beta x). beta: 1; 0 or not finite: GR_ERR_ARGUMENT. There is no threshold
   beyond which y is x, as there is in PyTorch (beta x > 20, where the difference is 2e-9 / beta at most). */
GR_API gr_tensor gr_softplus(gr_tensor x);
GR_API gr_tensor gr_softplus_with(gr_tensor x, double beta);
/* x / (1 + |x|); dy/dx = 1/(1 + |x|)^2; second derivative 0 at 0 */
GR_API gr_tensor gr_softsign(gr_tensor x);

/* x sigmoid(x), also called swish (Ramachandran, Zoph and Le, 2017); as in the next three, dy/dx = p + x p', p being what x is
   multiplied with. */
GR_API gr_tensor gr_silu(gr_tensor x);
GR_API gr_tensor gr_mish(gr_tensor x); /* x tanh(softplus(x)) (Misra, 2019) */
GR_API gr_tensor gr_gelu(gr_tensor x); /* x (1 + erf(x / 2^(1/2))) / 2 (Hendrycks and Gimpel, 2016) */
/* The approximation of gr_gelu by x (1 + tanh((2/pi)^(1/2) (x + 0.044715 x^3))) / 2, from the same paper. */
GR_API gr_tensor gr_gelu_tanh(gr_tensor x);

/* ---- Along an axis ---- */

/* Along one axis; float; a scalar is GR_ERR_NDIM. softmax: y_i = e^x_i / sum e^x, and 0 where all x are -inf.
   log_softmax: its logarithm, computed as x - logsumexp(x); where all x are -inf: -inf, with derivative 1 by
   x_i. */
GR_API gr_tensor gr_softmax(gr_tensor x, int axis);
GR_API gr_tensor gr_log_softmax(gr_tensor x, int axis);

/* The largest of each `pieces` neighbours along an axis (Goodfellow et al., 2013): x: [..., n pieces, ...] ->
   [..., n, ...]. The neighbours are what a linear layer of n units with `pieces` outputs each puts out. Ties share the
   cotangent evenly, as in gr_max. A size that `pieces` does not divide: GR_ERR_SHAPE; pieces < 1: GR_ERR_ARGUMENT. */
GR_API gr_tensor gr_maxout(gr_tensor x, int64_t pieces, int axis);
/* a sigmoid(b), a and b being the halves of x along an axis (Dauphin, Fan, Auli and Grangier, 2017):
   x: [..., 2 n, ...] -> [..., n, ...]. An odd size: GR_ERR_SHAPE. */
GR_API gr_tensor gr_glu(gr_tensor x, int axis);

GR_END_DECLS

#endif
