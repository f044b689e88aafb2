/* Functions of one operand, elementwise, and the fused derivatives of those that are used most. */
#include "ops/ops.h"

#include <tgmath.h>

GRI_UNARY(exp, "y = e^x", exp(x), gr_mul(gy, y))
GRI_UNARY(log, "y = ln x", log(x), gr_div(gy, x))
GRI_UNARY(log1p, "y = ln(1 + x)", log1p(x), gr_div(gy, gr_add_scalar(x, 1)))
GRI_UNARY(sqrt, "y = x^(1/2)", sqrt(x), gr_div(gr_scale(gy, 0.5), y))
GRI_UNARY(sin, "y = sin x", sin(x), gr_mul(gy, gr_cos(x)))
GRI_UNARY(cos, "y = cos x", cos(x), gr_neg(gr_mul(gy, gr_sin(x))))
GRI_UNARY(abs, "y = |x|", fabs(x), gr_mul(gy, gr_sign(x)))
GRI_UNARY(sign, "y = sign x", x > 0 ? 1 : x < 0 ? -1 : x, GR_NONE)
/* 1/(1 + e^-|x|) is sigmoid(|x|), and e^-|x| times that is sigmoid(-|x|): e^x never overflows. */
GRI_UNARY(softplus, "y = ln(1 + e^x)", (x > 0 ? x : 0) + log1p(exp(-fabs(x))), gr_mul(gy, gr_sigmoid(x)))

/* ---- With a fused derivative: one pass over memory instead of three or four ---- */

static gr_tensor tanh_backward(gr_tensor gy, gr_tensor y);
static gr_tensor sigmoid_backward(gr_tensor gy, gr_tensor y);
static gr_tensor relu_backward(gr_tensor gy, gr_tensor y);

GRI_UNARY(tanh, "y = tanh x", tanh(x), tanh_backward(gy, y))
GRI_UNARY(sigmoid, "y = 1 / (1 + e^-x)", (x < 0 ? exp(-fabs(x)) : 1) / (1 + exp(-fabs(x))),
          sigmoid_backward(gy, y))
/* NaN passes. */
GRI_UNARY(relu, "y = max(x, 0)", x <= 0 ? 0 : x, relu_backward(gy, y))

/* A primitive of the cotangent a of f(x) and the value b = f(x), used by rules only. */
#define BACKWARD(NAME, FORMULA, EXPRESSION, RULE_A, RULE_B)          \
    GRI_FORWARD2(NAME, EXPRESSION)                                   \
    GRI_RULE2(NAME, RULE_A, RULE_B)                                  \
    const gr_op gri_op_##NAME = {.name = #NAME,                      \
                                 .arity = 2,                         \
                                 .strided = true,                    \
                                 .formula = FORMULA,                 \
                                 .infer = gri_infer_float_broadcast, \
                                 .forward = NAME##_forward,          \
                                 .vjp = NAME##_vjp};                 \
    static gr_tensor NAME(gr_tensor gy, gr_tensor y) { return gri_apply2(&gri_op_##NAME, gy, y, NULL); }

BACKWARD(tanh_backward, "gx = gy (1 - y^2)", a *(1 - b * b), tanh_backward(gy, b),
         gr_mul(gy, gr_scale(gr_mul(a, b), -2)))
BACKWARD(sigmoid_backward, "gx = gy y (1 - y)", a *b *(1 - b), sigmoid_backward(gy, b),
         gr_mul(gy, gr_mul(a, gr_add_scalar(gr_scale(b, -2), 1))))
BACKWARD(relu_backward, "gx = gy where y > 0", b <= 0 ? 0 : a, relu_backward(gy, b), GR_NONE)
