/*
 * Functions of one operand, elementwise. Each line: formula, value, rule, and the rule once more in the
 * scalars g, x and y.
 */
#include "ops/ops.h"

#include <tgmath.h>

GRI_UNARY(exp, "y = e^x", exp(x), gr_chain_mul(gy, y), GRI_CHAIN_MUL(g, y))
GRI_UNARY(log, "y = ln x", log(x), gr_chain_div(gy, x), GRI_CHAIN_DIV(g, x))
GRI_UNARY(log1p, "y = ln(1 + x)", log1p(x), gr_chain_div(gy, gr_add_scalar(x, 1)), GRI_CHAIN_DIV(g, x + 1))
GRI_UNARY(sqrt, "y = x^(1/2)", sqrt(x), gr_chain_div(gr_scale(gy, 0.5), y), GRI_CHAIN_DIV(g / 2, y))
GRI_UNARY(sin, "y = sin x", sin(x), gr_chain_mul(gy, gr_cos(x)), GRI_CHAIN_MUL(g, cos(x)))
GRI_UNARY(cos, "y = cos x", cos(x), gr_neg(gr_chain_mul(gy, gr_sin(x))), -GRI_CHAIN_MUL(g, sin(x)))
GRI_UNARY(tanh, "y = tanh x", tanh(x), gr_chain_mul(gy, gr_add_scalar(gr_neg(gr_square(y)), 1)),
          GRI_CHAIN_MUL(g, 1 - y * y))
GRI_UNARY(abs, "y = |x|", fabs(x), gr_chain_mul(gy, gr_sign(x)), x > 0 ? g : x < 0 ? -g : GRI_CHAIN_MUL(g, x))
/* A step: its derivative is 0 everywhere, also at 0. */
GRI_UNARY(sign, "y = sign x", x > 0 ? 1 : x < 0 ? -1 : x, GR_NONE, 0)
/* NaN passes. */
GRI_UNARY(relu, "y = max(x, 0)", x <= 0 ? 0 : x,
          gr_where(gr_less_equal(y, gri_zero_like(y)), gri_zero_like(y), gy), y <= 0 ? 0 : g)

/* 1/(1 + e^-|x|) is sigmoid(|x|), and e^-|x| times that is sigmoid(-|x|): nothing overflows. */
#define SIGMOID ((x < 0 ? exp(-fabs(x)) : 1) / (1 + exp(-fabs(x))))
GRI_UNARY(sigmoid, "y = 1 / (1 + e^-x)", SIGMOID, gr_chain_mul(gy, gr_mul(y, gr_add_scalar(gr_neg(y), 1))),
          GRI_CHAIN_MUL(g, y *(1 - y)))
GRI_UNARY(softplus, "y = ln(1 + e^x)", (x > 0 ? x : 0) + log1p(exp(-fabs(x))),
          gr_chain_mul(gy, gr_sigmoid(x)), GRI_CHAIN_MUL(g, SIGMOID))
