/*
 * Activation functions that are primitives, as in pointwise.c; those that are composed of public operations stand in
 * src/nn/activation.c.
 */
#include "ops/ops.h"

#include <tgmath.h>

/* ---- With corners ---- */

/* NaN passes. */
GRI_STRAIGHT(relu, "y = max(x, 0)", x <= 0 ? 0 : x,
             gr_where(gr_less_equal(y, gri_zero_like(y)), gri_zero_like(y), gy), y <= 0 ? 0 : g)

/* The slope of what is straight on both sides of 0: `right` where x > 0, else `left`. */
static gr_tensor two_slopes(gr_tensor x, double right, double left)
{
    const gr_type type = gr_type_of(x);
    return gr_where(gr_greater(x, gri_zero_like(x)), gr_scalar(x.graph, type, right),
                    gr_scalar(x.graph, type, left));
}

static gr_status leaky_relu_infer(const gr_call *c, gr_layout *out)
{
    const double slope = *(const double *)c->attributes;
    if (!isfinite(slope)) return gr_call_fail(c, GR_ERR_ARGUMENT, "needs a finite slope", "%g", slope);
    return gr_infer_like(c, out, 0);
}

#define SLOPE(T)      ((T)(*(const double *)parameter))
#define LEAKY(T)      GRI_EITHER(x > 0, x, SLOPE(T) * x)
#define PULL_LEAKY(T) GRI_EITHER(x > 0, g, GRI_CHAIN_MUL(g, SLOPE(T)))
GRI_UNARY_WITH(leaky_relu, double, "y = x where x > 0, else slope x", leaky_relu_infer, LEAKY,
               gr_chain_mul(gy, two_slopes(x, 1, *(const double *)c->attributes)), PULL_LEAKY,
               .straight = true)
gr_tensor gr_leaky_relu_with(gr_tensor x, double slope) { return gri_apply1(&gri_op_leaky_relu, x, &slope); }
gr_tensor gr_leaky_relu(gr_tensor x) { return gr_leaky_relu_with(x, 0.01); }

/* Straight between corners at -3 and 3; NaN passes, as that of relu. */
#define HARDSIGMOID (x <= -3 ? 0 : x >= 3 ? 1 : (x + 3) / 6)
static gr_tensor hardsigmoid_rule(gr_tensor gy, gr_tensor x)
{
    const gr_tensor flat = gr_greater_equal(gr_abs(x), gr_scalar(x.graph, gr_type_of(x), 3));
    return gr_where(flat, gri_zero_like(gy), gr_scale(gy, 1.0 / 6));
}
GRI_STRAIGHT(hardsigmoid, "y = min(max(x + 3, 0), 6) / 6", HARDSIGMOID, hardsigmoid_rule(gy, x),
             fabs(x) >= 3 ? 0 : g * GRI_LIKE(g, 1.0 / 6))

/* ---- Exponential units: elu, celu and selu, which differ in their numbers ---- */

/* y = right x where x > 0, else left (e^(rate x) - 1). */
typedef struct exponential_unit {
    double right, left, rate;
    double slope; /* left rate: that on the left of 0 */
} exponential_unit;

static gr_status exponential_unit_infer(const gr_call *c, gr_layout *out)
{
    const exponential_unit *k = c->attributes;
    if (!isfinite(k->left) || !isfinite(k->rate))
        return gr_call_fail(c, GR_ERR_ARGUMENT, "alpha must be finite, and for celu not 0", "%g", k->left);
    return gr_infer_like(c, out, 0);
}

/* On the right the exponential is of 0: it could overflow. At 0 itself it is, too, so that the second derivative there is 0, as in
   PyTorch. */
static gr_tensor exponential_unit_slope(const gr_call *c)
{
    const exponential_unit *k = c->attributes;
    const gr_tensor x = c->operands[0], zero = gri_zero_like(x), right = gr_greater(x, zero);
    const gr_tensor flat = gr_greater_equal(x, zero);
    const gr_tensor decay = gr_exp(gr_scale(gr_where(flat, zero, x), k->rate));
    return gr_where(right, gr_scalar(c->graph, gr_type_of(x), k->right), gr_scale(decay, k->slope));
}

#define UNIT(T, FIELD) ((T)((const exponential_unit *)parameter)->FIELD)
#define UNIT_VALUE(T)  (x > 0 ? UNIT(T, right) * x : UNIT(T, left) * expm1(UNIT(T, rate) * x))
#define UNIT_SLOPE(T)  (x > 0 ? UNIT(T, right) : UNIT(T, slope) * exp(UNIT(T, rate) * x))
#define PULL_UNIT(T)   GRI_CHAIN_MUL(g, UNIT_SLOPE(T))
#define EXPONENTIAL(NAME, FORMULA)                                                      \
    GRI_UNARY_WITH(NAME, exponential_unit, FORMULA, exponential_unit_infer, UNIT_VALUE, \
                   gr_chain_mul(gy, exponential_unit_slope(c)), PULL_UNIT, .straight = false)

EXPONENTIAL(elu, "y = x where x > 0, else alpha (e^x - 1)")
gr_tensor gr_elu_with(gr_tensor x, double alpha)
{
    return gri_apply1(&gri_op_elu, x, &(exponential_unit){1, alpha, 1, alpha});
}
gr_tensor gr_elu(gr_tensor x) { return gr_elu_with(x, 1); }

EXPONENTIAL(celu, "y = x where x > 0, else alpha (e^(x / alpha) - 1)")
gr_tensor gr_celu_with(gr_tensor x, double alpha)
{
    return gri_apply1(&gri_op_celu, x, &(exponential_unit){1, alpha, 1 / alpha, 1});
}
gr_tensor gr_celu(gr_tensor x) { return gr_celu_with(x, 1); }

EXPONENTIAL(selu, "y = scale x where x > 0, else scale alpha (e^x - 1)")
gr_tensor gr_selu(gr_tensor x)
{
    static const double scale = 1.0507009873554804934193349852946, alpha = 1.6732632423543772848170429916717;
    return gri_apply1(&gri_op_selu, x, &(exponential_unit){scale, scale * alpha, 1, scale * alpha});
}

/* ---- Smooth ones ---- */

/* 1/(1 + e^-|x|) is sigmoid(|x|), and e^-|x| times that is sigmoid(-|x|): nothing overflows. */
#define SIGMOID (GRI_EITHER(x < 0, exp(-fabs(x)), GRI_LIKE(x, 1.0)) / (1 + exp(-fabs(x))))
GRI_CURVED(sigmoid, "y = 1 / (1 + e^-x)", SIGMOID, gr_chain_mul(gy, gr_mul(y, gr_add_scalar(gr_neg(y), 1))),
           GRI_CHAIN_MUL(g, y *(1 - y)),
           GRI_CHAIN_MUL(g, GRI_CHAIN_MUL(GRI_CHAIN_MUL(dx, y *(1 - y)), 1 - 2 * y)))
GRI_CURVED(softplus, "y = ln(1 + e^x)", (x > 0 ? x : 0) + log1p(exp(-fabs(x))),
           gr_chain_mul(gy, gr_sigmoid(x)), GRI_CHAIN_MUL(g, SIGMOID),
           GRI_CHAIN_MUL(g, GRI_CHAIN_MUL(dx, SIGMOID *(1 - SIGMOID))))

/* A primitive because 1/d - |x|/d^2, which the rules of a quotient make of its slope, cancels far out. d = 1 + |x|. */
static gr_tensor softsign_slope(gr_tensor gy, gr_tensor x)
{
    const gr_tensor d = gr_add_scalar(gr_abs(x), 1);
    return gr_chain_div(gr_chain_div(gy, d), d);
}
#define SOFTSIGN (fabs(x) <= GRI_LIKE(x, 1e30) ? x / (1 + fabs(x)) : x > 0 ? 1 : x < 0 ? -1 : x)
GRI_UNARY(softsign, "y = x / (1 + |x|)", SOFTSIGN, softsign_slope(gy, x),
          GRI_CHAIN_DIV(GRI_CHAIN_DIV(g, 1 + fabs(x)), 1 + fabs(x)))

/* ---- x times a gate that goes from 0 to 1: y = x p, dy/dx = p + x p' ---- */

/* Products of the chain rule, so that they have their limits: 0 times infinity is 0. Each is one pass with one record,
   where composing takes two to six; its fast path gets the gate back from y, without the function that it is made of. */
static gr_tensor gated(gr_tensor gy, gr_tensor x, gr_tensor gate, gr_tensor gate_slope)
{
    return gr_chain_mul(gy, gr_add(gate, gr_chain_mul(x, gate_slope)));
}
/* The slope from what y / x, which is the gate, makes of it: near 0 it is that at 0, and beyond 1000 the gate is 0 or 1.
   These are written so that no branch is a constant, or gcc does not vectorise the loop. */
static inline float settled_f32(float x, float at_0, float slope)
{
    const float inner = fabsf(x) < 1e-30f ? at_0 + x : slope, outer = 0.5f + copysignf(0.5f, x);
    return fabsf(x) > 1000 ? outer : inner;
}
static inline double settled_f64(double x, double at_0, double slope)
{
    const double inner = fabs(x) < 1e-30 ? at_0 + x : slope, outer = 0.5 + copysign(0.5, x);
    return fabs(x) > 1000 ? outer : inner;
}
#define SETTLED(X, AT_0, SLOPE) \
    _Generic((X), float : settled_f32, double : settled_f64)(X, GRI_LIKE(X, AT_0), SLOPE)
#define PULL_GATED(AT_0, X_GATE_SLOPE) GRI_CHAIN_MUL(g, SETTLED(x, AT_0, y / x + X_GATE_SLOPE))

/* p (1 - p), the derivative of a sigmoid p. */
static gr_tensor sigmoid_slope(gr_tensor p) { return gr_mul(p, gr_add_scalar(gr_neg(p), 1)); }

static gr_tensor silu_rule(gr_tensor gy, gr_tensor x)
{
    const gr_tensor p = gr_sigmoid(x);
    return gated(gy, x, p, sigmoid_slope(p));
}
GRI_UNARY(silu, "y = x / (1 + e^-x)", GRI_CHAIN_MUL(x, SIGMOID), silu_rule(gy, x),
          PULL_GATED(0.5, y *(1 - y / x)))

/* The gate tanh(softplus(x)) is n / (n + 2) with n = e^x (e^x + 2), its derivative 4 e^x (e^x + 1) / (n + 2)^2. With
   e^x = a/b, the larger of a and b being 1, nothing overflows: one exponential, where the composition takes three
   functions. */
#define MISH_A       GRI_EITHER(x < 0, exp(-fabs(x)), GRI_LIKE(x, 1.0))
#define MISH_B       GRI_EITHER(x < 0, GRI_LIKE(x, 1.0), exp(-fabs(x)))
#define MISH_DIVISOR (MISH_A * (MISH_A + 2 * MISH_B) + 2 * MISH_B * MISH_B)
#define MISH_GATE    (MISH_A * (MISH_A + 2 * MISH_B) / MISH_DIVISOR)
#define MISH_SLOPE   (4 * MISH_A * (MISH_A + MISH_B) * MISH_B * MISH_B / (MISH_DIVISOR * MISH_DIVISOR))
static gr_tensor mish_rule(gr_tensor gy, gr_tensor x)
{
    const gr_tensor p = gr_tanh(gr_softplus(x)), one_less_square = gr_add_scalar(gr_neg(gr_square(p)), 1);
    return gated(gy, x, p, gr_mul(one_less_square, gr_sigmoid(x)));
}
GRI_UNARY(mish, "y = x tanh(ln(1 + e^x))", GRI_CHAIN_MUL(x, MISH_GATE), mish_rule(gy, x),
          PULL_GATED(0.6, x *MISH_SLOPE))

/* The gate is the distribution function of N(0, 1), by erfc, which does not cancel on the left; its derivative the
   density. */
#define INV_ROOT_2    0.70710678118654752
#define INV_ROOT_2_PI 0.39894228040143268
static gr_tensor gelu_rule(gr_tensor gy, gr_tensor x)
{
    const gr_tensor p = gr_scale(gr_erfc(gr_scale(x, -INV_ROOT_2)), 0.5);
    return gated(gy, x, p, gr_scale(gr_exp(gr_scale(gr_square(x), -0.5)), INV_ROOT_2_PI));
}
#define NORMAL         (erfc(x * GRI_LIKE(x, -INV_ROOT_2)) / 2)
#define NORMAL_DENSITY (exp(x * x / -2) * GRI_LIKE(x, INV_ROOT_2_PI))
GRI_UNARY(gelu, "y = x P(N(0, 1) <= x)", GRI_CHAIN_MUL(x, NORMAL), gelu_rule(gy, x),
          PULL_GATED(0.5, x *NORMAL_DENSITY))

/* (1 + tanh u)/2 is sigmoid(2 u), which does not cancel on the left; 2 u = x (A + B x^2). */
#define GELU_A 1.5957691216057308   /* 2 (2/pi)^(1/2) */
#define GELU_B 0.071354816272600245 /* 0.044715 A */
static gr_tensor gelu_tanh_rule(gr_tensor gy, gr_tensor x)
{
    const gr_tensor square = gr_square(x);
    const gr_tensor p = gr_sigmoid(gr_mul(x, gr_add_scalar(gr_scale(square, GELU_B), GELU_A)));
    const gr_tensor inner = gr_add_scalar(gr_scale(square, 3 * GELU_B), GELU_A);
    return gated(gy, x, p, gr_chain_mul(sigmoid_slope(p), inner));
}
#define GELU_U     (x * (GRI_LIKE(x, GELU_A) + GRI_LIKE(x, GELU_B) * (x * x)))
#define GELU_GATE  (GRI_EITHER(x < 0, exp(-fabs(GELU_U)), GRI_LIKE(x, 1.0)) / (1 + exp(-fabs(GELU_U))))
#define GELU_INNER (GRI_LIKE(x, GELU_A) + GRI_LIKE(x, 3 * GELU_B) * (x * x))
GRI_UNARY(gelu_tanh, "y = x (1 + tanh((2/pi)^(1/2) (x + 0.044715 x^3))) / 2", GRI_CHAIN_MUL(x, GELU_GATE),
          gelu_tanh_rule(gy, x), PULL_GATED(0.5, y *(1 - y / x) * GELU_INNER))
