/*
 * Functions, elementwise, of one operand and of two. Each line: formula, value, rule, and, for one operand, the rule
 * once more in the scalars g, x and y, and for GRI_CURVED how that moves with x, in these and dx. Activation functions stand in activation.c.
 *
 * What could be composed of others is here for its accuracy or its range, or, where the line says nothing, because one
 * pass with one record takes the place of several.
 */
#include "ops/ops.h"

#include <tgmath.h>

#define LN2             0.69314718055994531
#define INV_LN2         1.4426950408889634
#define INV_LN10        0.43429448190325183
#define TWO_INV_ROOT_PI 1.1283791670955126 /* 2 / pi^(1/2) */

/* ---- Exponentials, logarithms, roots ---- */

GRI_CURVED(exp, "y = e^x", exp(x), gr_chain_mul(gy, y), GRI_CHAIN_MUL(g, y),
           GRI_CHAIN_MUL(g, GRI_CHAIN_MUL(dx, y)))
/* The slope is not taken as y + 1, which is 0 long before e^x is. */
GRI_CURVED(expm1, "y = e^x - 1", expm1(x), gr_chain_mul(gy, gr_exp(x)), GRI_CHAIN_MUL(g, exp(x)),
           GRI_CHAIN_MUL(g, GRI_CHAIN_MUL(dx, exp(x))))
GRI_CURVED(log, "y = ln x", log(x), gr_chain_div(gy, x), GRI_CHAIN_DIV(g, x),
           -GRI_CHAIN_DIV(GRI_CHAIN_MUL(dx, GRI_CHAIN_DIV(g, x)), x))
GRI_CURVED(log1p, "y = ln(1 + x)", log1p(x), gr_chain_div(gy, gr_add_scalar(x, 1)), GRI_CHAIN_DIV(g, x + 1),
           -GRI_CHAIN_DIV(GRI_CHAIN_MUL(dx, GRI_CHAIN_DIV(g, x + 1)), x + 1))
GRI_CURVED(log2, "y = ln x / ln 2", log2(x), gr_chain_div(gr_scale(gy, INV_LN2), x),
           GRI_CHAIN_DIV(g *GRI_LIKE(g, INV_LN2), x),
           -GRI_CHAIN_DIV(GRI_CHAIN_MUL(dx, GRI_CHAIN_DIV(g *GRI_LIKE(g, INV_LN2), x)), x))
GRI_CURVED(log10, "y = ln x / ln 10", log10(x), gr_chain_div(gr_scale(gy, INV_LN10), x),
           GRI_CHAIN_DIV(g *GRI_LIKE(g, INV_LN10), x),
           -GRI_CHAIN_DIV(GRI_CHAIN_MUL(dx, GRI_CHAIN_DIV(g *GRI_LIKE(g, INV_LN10), x)), x))
GRI_CURVED(sqrt, "y = x^(1/2)", sqrt(x), gr_chain_div(gr_scale(gy, 0.5), y), GRI_CHAIN_DIV(g / 2, y),
           -GRI_CHAIN_DIV(GRI_CHAIN_MUL(GRI_CHAIN_DIV(dx / 2, y), GRI_CHAIN_DIV(g / 2, y)), y))
GRI_UNARY(rsqrt, "y = x^(-1/2)", 1 / sqrt(x), gr_chain_div(gr_chain_mul(gr_scale(gy, -0.5), y), x),
          GRI_CHAIN_DIV(GRI_CHAIN_MUL(g / -2, y), x))
GRI_CURVED(reciprocal, "y = 1 / x", 1 / x, gr_neg(gr_chain_mul(gy, gr_square(y))), -GRI_CHAIN_MUL(g, y *y),
           2 * GRI_CHAIN_MUL(g, GRI_CHAIN_MUL(GRI_CHAIN_MUL(dx, y *y), y)))

/* ln(e^a + e^b) without overflow. Its slopes are sigmoids of the difference of the operands; that of two equal
   infinities is taken as -inf or 0, for slopes of 0 (as of logsumexp) or one half (as of maximum). */
static gr_tensor difference(gr_tensor a, gr_tensor b)
{
    const gr_tensor apart = gr_logical_and(gr_isinf(a), gr_equal(a, b));
    return gr_where(apart, gr_minimum(a, gri_zero_like(a)), gr_sub(a, b));
}
#define LOGADDEXP (a == b ? a + GRI_LIKE(a, LN2) : (a > b || a != a ? a : b) + log1p(exp(-fabs(a - b))))
GRI_BINARY(logaddexp, NULL, "y = ln(e^a + e^b)", LOGADDEXP, gr_chain_mul(gy, gr_sigmoid(difference(a, b))),
           gr_chain_mul(gy, gr_sigmoid(difference(b, a))))

/* Binary cross-entropy of a probability a for a target b. Logarithms are cut off at -100, and so that certain and wrong
   predictions can still move, the divisor a (1 - a) at 1e-12 and not where the logarithms are. ln(1 - a) is exact for
   small a. */
#define CUT(LOGARITHM) ((LOGARITHM) < -100 ? -100 : (LOGARITHM))
static gr_tensor cut(gr_tensor logarithm) { return gr_clamp(logarithm, -100, (double)INFINITY); }
static gr_tensor log_loss_slope(gr_tensor gy, gr_tensor a, gr_tensor b)
{
    const gr_tensor spread = gr_mul(a, gr_add_scalar(gr_neg(a), 1));
    return gr_chain_mul(gy, gr_chain_div(gr_sub(a, b), gr_clamp(spread, 1e-12, (double)INFINITY)));
}
GRI_BINARY(log_loss, NULL, "y = -b ln a - (1 - b) ln(1 - a)", -(b *CUT(log(a)) + (1 - b) * CUT(log1p(-a))),
           log_loss_slope(gy, a, b), gr_chain_mul(gy, gr_sub(cut(gr_log1p(gr_neg(a))), cut(gr_log(a)))))

/* ln cosh x by a form that is exact near 0, and one that does not overflow. */
#define LOG_COSH \
    (fabs(x) < 1 ? log1p(sinh(x) * sinh(x)) / 2 : fabs(x) - GRI_LIKE(x, LN2) + log1p(exp(-2 * fabs(x))))
GRI_CURVED(log_cosh, "y = ln cosh x", LOG_COSH, gr_chain_mul(gy, gr_tanh(x)), GRI_CHAIN_MUL(g, tanh(x)),
           GRI_CHAIN_MUL(g, GRI_CHAIN_MUL(dx, 1 - tanh(x) * tanh(x))))

/* ---- Of angles, and hyperbolic ---- */

/* 1 - x^2, exact near 1 and -1, where x^2 would be rounded. */
static gr_tensor one_less_square(gr_tensor x)
{
    return gr_mul(gr_add_scalar(gr_neg(x), 1), gr_add_scalar(x, 1));
}
#define ONE_LESS_SQUARE ((1 - x) * (1 + x))

/* The length of (x, 1): (x^2 + 1)^(1/2) that does not overflow. */
static gr_tensor length_with_one(gr_tensor x) { return gr_hypot(x, gr_scalar(x.graph, gr_type_of(x), 1)); }

/* (x^2 - 1)^(1/2), which does not overflow and is NaN below 1. */
static gr_tensor acosh_divisor(gr_tensor x)
{
    return gr_mul(gr_sqrt(gr_add_scalar(x, -1)), gr_sqrt(gr_add_scalar(x, 1)));
}

GRI_CURVED(sin, "y = sin x", sin(x), gr_chain_mul(gy, gr_cos(x)), GRI_CHAIN_MUL(g, cos(x)),
           -GRI_CHAIN_MUL(g, GRI_CHAIN_MUL(dx, y)))
GRI_CURVED(cos, "y = cos x", cos(x), gr_neg(gr_chain_mul(gy, gr_sin(x))), -GRI_CHAIN_MUL(g, sin(x)),
           -GRI_CHAIN_MUL(g, GRI_CHAIN_MUL(dx, y)))
GRI_CURVED(tan, "y = tan x", tan(x), gr_chain_mul(gy, gr_add_scalar(gr_square(y), 1)),
           GRI_CHAIN_MUL(g, 1 + y * y), 2 * GRI_CHAIN_MUL(g, GRI_CHAIN_MUL(GRI_CHAIN_MUL(dx, 1 + y * y), y)))
GRI_UNARY(asin, "y = arcsin x", asin(x), gr_chain_div(gy, gr_sqrt(one_less_square(x))),
          GRI_CHAIN_DIV(g, sqrt(ONE_LESS_SQUARE)))
GRI_UNARY(acos, "y = arccos x", acos(x), gr_neg(gr_chain_div(gy, gr_sqrt(one_less_square(x)))),
          -GRI_CHAIN_DIV(g, sqrt(ONE_LESS_SQUARE)))
GRI_CURVED(atan, "y = arctan x", atan(x), gr_chain_div(gy, gr_add_scalar(gr_square(x), 1)),
           GRI_CHAIN_DIV(g, 1 + x * x),
           -2 * GRI_CHAIN_DIV(GRI_CHAIN_MUL(GRI_CHAIN_MUL(dx, x), GRI_CHAIN_DIV(g, 1 + x * x)), 1 + x * x))
GRI_CURVED(sinh, "y = sinh x", sinh(x), gr_chain_mul(gy, gr_cosh(x)), GRI_CHAIN_MUL(g, cosh(x)),
           GRI_CHAIN_MUL(g, GRI_CHAIN_MUL(dx, y)))
GRI_CURVED(cosh, "y = cosh x", cosh(x), gr_chain_mul(gy, gr_sinh(x)), GRI_CHAIN_MUL(g, sinh(x)),
           GRI_CHAIN_MUL(g, GRI_CHAIN_MUL(dx, y)))
GRI_CURVED(tanh, "y = tanh x", tanh(x), gr_chain_mul(gy, gr_add_scalar(gr_neg(gr_square(y)), 1)),
           GRI_CHAIN_MUL(g, 1 - y * y), -2 * GRI_CHAIN_MUL(g, GRI_CHAIN_MUL(GRI_CHAIN_MUL(dx, 1 - y * y), y)))
GRI_UNARY(asinh, "y = arsinh x", asinh(x), gr_chain_div(gy, length_with_one(x)),
          GRI_CHAIN_DIV(g, hypot(x, GRI_LIKE(x, 1.0))))
GRI_UNARY(acosh, "y = arcosh x", acosh(x), gr_chain_div(gy, acosh_divisor(x)),
          GRI_CHAIN_DIV(g, sqrt(x - 1) * sqrt(x + 1)))
GRI_UNARY(atanh, "y = artanh x", atanh(x), gr_chain_div(gy, one_less_square(x)),
          GRI_CHAIN_DIV(g, ONE_LESS_SQUARE))

/* (a^2 + b^2)^(1/2) without overflow or underflow of the squares; what the rule of atan2 is made of. A length of 0 is
   replaced by infinity, to divide by: quotients and their derivatives are 0 there. */
static gr_tensor safe_length(gr_tensor length)
{
    const gr_tensor infinity = gr_scalar(length.graph, gr_type_of(length), (double)INFINITY);
    return gr_where(gr_equal(length, gri_zero_like(length)), infinity, length);
}
GRI_BINARY(hypot, NULL, "y = (a^2 + b^2)^(1/2)", hypot(a, b),
           gr_chain_mul(gy, gr_chain_div(a, safe_length(y))),
           gr_chain_mul(gy, gr_chain_div(b, safe_length(y))))

/* part / (a^2 + b^2). */
static gr_tensor by_square_of_length(gr_tensor part, gr_tensor a, gr_tensor b)
{
    const gr_tensor length = safe_length(gr_hypot(a, b));
    return gr_chain_div(gr_chain_div(part, length), length);
}
GRI_BINARY(atan2, NULL, "y = the angle of (b, a)", atan2(a, b),
           gr_chain_mul(gy, by_square_of_length(b, a, b)),
           gr_neg(gr_chain_mul(gy, by_square_of_length(a, a, b))))

/* ---- The error function ---- */

/* 2/pi^(1/2) e^(-x^2) */
static gr_tensor erf_slope(gr_tensor x) { return gr_scale(gr_exp(gr_neg(gr_square(x))), TWO_INV_ROOT_PI); }
#define ERF_SLOPE (exp(-(x * x)) * GRI_LIKE(x, TWO_INV_ROOT_PI))
GRI_CURVED(erf, "y = erf x", erf(x), gr_chain_mul(gy, erf_slope(x)), GRI_CHAIN_MUL(g, ERF_SLOPE),
           -2 * GRI_CHAIN_MUL(g, GRI_CHAIN_MUL(GRI_CHAIN_MUL(dx, x), ERF_SLOPE)))
/* Exact far out, where erf is 1. */
GRI_CURVED(erfc, "y = 1 - erf x", erfc(x), gr_neg(gr_chain_mul(gy, erf_slope(x))),
           -GRI_CHAIN_MUL(g, ERF_SLOPE), 2 * GRI_CHAIN_MUL(g, GRI_CHAIN_MUL(GRI_CHAIN_MUL(dx, x), ERF_SLOPE)))

/* ---- Corners and steps ---- */

GRI_STRAIGHT(abs, "y = |x|", fabs(x), gr_chain_mul(gy, gr_sign(x)),
             x > 0   ? g
             : x < 0 ? -g
                     : GRI_CHAIN_MUL(g, x))
/* Steps: their derivative is 0 everywhere, also where they jump. */
GRI_STRAIGHT(sign, "y = sign x", x > 0 ? 1 : x < 0 ? -1 : x, GR_NONE, 0)
GRI_STRAIGHT(unit_step, "y = 1 where x > 0, else 0", x > 0 ? 1 : x <= 0 ? 0 : x, GR_NONE, 0)
GRI_STRAIGHT(floor, "y = the largest whole number <= x", floor(x), GR_NONE, 0)
GRI_STRAIGHT(ceil, "y = the least whole number >= x", ceil(x), GR_NONE, 0)
GRI_STRAIGHT(trunc, "y = x without its fraction", trunc(x), GR_NONE, 0)
GRI_STRAIGHT(round, "y = the nearest whole number, of two the even one", rint(x), GR_NONE, 0)

gr_tensor gr_heaviside(gr_tensor x, gr_tensor values)
{
    return gr_where(gr_equal(x, gri_zero_like(x)), values, gr_unit_step(x));
}

/* Remainders are exact, which a - b trunc(a / b) is not. The quotient, a whole number, is their slope by b. */
static gr_tensor quotient(gr_tensor a, gr_tensor b, gr_tensor remainder)
{
    return gr_round(gr_div(gr_sub(a, remainder), b));
}
#define FLOORED (fmod(a, b) != 0 && (fmod(a, b) < 0) != (b < 0) ? fmod(a, b) + b : fmod(a, b))
GRI_BINARY_AND(fmod, NULL, "y = a - b trunc(a / b)", fmod(a, b), gy,
               gr_neg(gr_chain_mul(gy, quotient(a, b, y))), .straight = true)
GRI_BINARY_AND(remainder, NULL, "y = a - b floor(a / b)", FLOORED, gy,
               gr_neg(gr_chain_mul(gy, quotient(a, b, y))), .straight = true)

/* ---- Between two ends: clamp, and hardtanh, which differ in their slopes at the ends ---- */

typedef struct interval {
    double low, high;
} interval;

static gr_status clamp_infer(const gr_call *c, gr_layout *out)
{
    const interval *ends = c->attributes;
    if (isnan(ends->low) || isnan(ends->high))
        return gr_call_fail(c, GR_ERR_ARGUMENT, "an end is NaN", "from %g to %g", ends->low, ends->high);
    return gr_infer_like(c, out, 0);
}

static gr_status hardtanh_infer(const gr_call *c, gr_layout *out)
{
    const interval *ends = c->attributes;
    if (!(ends->low <= ends->high))
        return gr_call_fail(c, GR_ERR_ARGUMENT, "needs ends in ascending order", "from %g to %g", ends->low,
                            ends->high);
    return gr_infer_like(c, out, 0);
}

/* gy where the mask of what is outside the ends, which `below` and `above` compare with, does not hold. A NaN is not
   outside: its cotangent passes, as that of relu. */
typedef gr_tensor comparison(gr_tensor a, gr_tensor b);
static gr_tensor inside(const gr_call *c, gr_tensor gy, comparison *below, comparison *above)
{
    const interval *ends = c->attributes;
    const gr_tensor x = c->operands[0];
    const gr_type type = gr_type_of(x);
    const gr_tensor outside = gr_logical_or(below(x, gr_scalar(c->graph, type, ends->low)),
                                            above(x, gr_scalar(c->graph, type, ends->high)));
    return gr_where(outside, gri_zero_like(gy), gy);
}

/* The ends in the type of the loop. */
#define LOW(T)           ((T)((const interval *)parameter)->low)
#define HIGH(T)          ((T)((const interval *)parameter)->high)
#define RAISED(T)        (x < LOW(T) ? LOW(T) : x)
#define CLAMPED(T)       (RAISED(T) > HIGH(T) ? HIGH(T) : RAISED(T))
#define PULL_CLAMP(T)    (((x < LOW(T)) | (x > HIGH(T))) ? 0 : g)
#define PULL_HARDTANH(T) (((x <= LOW(T)) | (x >= HIGH(T))) ? 0 : g)

GRI_UNARY_WITH(clamp, interval, "y = min(max(x, low), high)", clamp_infer, CLAMPED,
               inside(c, gy, gr_less, gr_greater), PULL_CLAMP, .straight = true)
gr_tensor gr_clamp(gr_tensor x, double low, double high)
{
    return gri_apply1(&gri_op_clamp, x, &(interval){low, high});
}

GRI_UNARY_WITH(hardtanh, interval, "y = min(max(x, low), high)", hardtanh_infer, CLAMPED,
               inside(c, gy, gr_less_equal, gr_greater_equal), PULL_HARDTANH, .straight = true)
gr_tensor gr_hardtanh_with(gr_tensor x, double low, double high)
{
    return gri_apply1(&gri_op_hardtanh, x, &(interval){low, high});
}
gr_tensor gr_hardtanh(gr_tensor x) { return gr_hardtanh_with(x, -1, 1); }
