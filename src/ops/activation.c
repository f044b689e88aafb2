/*
 * Activation functions that are primitives, as in pointwise.c; those that are composed of public operations stand in
 * src/nn/activation.c.
 */
#include "ops/ops.h"

#include <tgmath.h>

/* NaN passes. */
GRI_UNARY(relu, "y = max(x, 0)", x <= 0 ? 0 : x,
          gr_where(gr_less_equal(y, gri_zero_like(y)), gri_zero_like(y), gy), y <= 0 ? 0 : g)

/* 1/(1 + e^-|x|) is sigmoid(|x|), and e^-|x| times that is sigmoid(-|x|): nothing overflows. */
#define SIGMOID ((x < 0 ? exp(-fabs(x)) : 1) / (1 + exp(-fabs(x))))
GRI_UNARY(sigmoid, "y = 1 / (1 + e^-x)", SIGMOID, gr_chain_mul(gy, gr_mul(y, gr_add_scalar(gr_neg(y), 1))),
          GRI_CHAIN_MUL(g, y *(1 - y)))
GRI_UNARY(softplus, "y = ln(1 + e^x)", (x > 0 ? x : 0) + log1p(exp(-fabs(x))),
          gr_chain_mul(gy, gr_sigmoid(x)), GRI_CHAIN_MUL(g, SIGMOID))
