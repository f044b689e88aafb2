/* Operations that go element by element, broadcasting: arithmetic, functions, comparisons, selection. What
 * all operations have in common stands in ops.h. */
#ifndef GRADUS_ELEMENTWISE_H
#define GRADUS_ELEMENTWISE_H

#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* ---- Arithmetic, elementwise, broadcasting; float (add, sub, mul, neg also i32) ---- */

GR_API gr_tensor gr_add(gr_tensor a, gr_tensor b);        /* a + b */
GR_API gr_tensor gr_sub(gr_tensor a, gr_tensor b);        /* a - b */
GR_API gr_tensor gr_mul(gr_tensor a, gr_tensor b);        /* a b */
GR_API gr_tensor gr_div(gr_tensor a, gr_tensor b);        /* a / b; at b = 0 by IEEE 754, derivatives too */
GR_API gr_tensor gr_neg(gr_tensor x);                     /* -x */
GR_API gr_tensor gr_scale(gr_tensor x, double factor);    /* factor x; float */
GR_API gr_tensor gr_add_scalar(gr_tensor x, double term); /* x + term; float */
GR_API gr_tensor gr_square(gr_tensor x);                  /* x x; dy/dx = 2 x */

/* a^b as C's pow. dy/da = b a^(b-1), which is 0 where b = 0; second derivatives likewise: that of a^2 is 2.
   dy/db = a^b ln a, which is 0 where a = 0 and b >= 0, and NaN where a < 0. */
GR_API gr_tensor gr_pow(gr_tensor a, gr_tensor b);
/* x^p for one exponent, as C's pow and NumPy, so that (-inf)^0.5 is inf (PyTorch takes a root: NaN); p = 0 has derivative 0 everywhere, also at x = 0. Second derivatives likewise:
   that of x^2 is 2. */
GR_API gr_tensor gr_pow_scalar(gr_tensor x, double p);

/* The larger (smaller) of two. At a tie each operand gets half of the cotangent, beside a NaN all of it. */
GR_API gr_tensor gr_maximum(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_minimum(gr_tensor a, gr_tensor b);

/* Products and quotients of the chain rule, for derivative rules: gr_chain_mul(cotangent, derivative). As
   gr_mul and gr_div, but a factor of exactly 0 ends a path whatever it meets, infinity and NaN too:
   gr_chain_mul is 0 where a or b is 0, gr_chain_div is 0 where a is 0 or b infinite. float; their own
   derivatives are made of them. docs/kinks.md says what follows. */
GR_API gr_tensor gr_chain_mul(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_chain_div(gr_tensor a, gr_tensor b);

/* ---- Functions of one operand, elementwise; float ---- */

/* Exponentials, logarithms, roots. At the ends of their domains values and slopes are infinite, beyond them NaN (slopes
   as their formula says), by IEEE 754. */
GR_API gr_tensor gr_exp(gr_tensor x);   /* e^x; dy/dx = y */
GR_API gr_tensor gr_expm1(gr_tensor x); /* e^x - 1, exact near 0; dy/dx = e^x */
GR_API gr_tensor gr_log(gr_tensor x);   /* ln x; -inf at 0, NaN below. dy/dx = 1/x */
GR_API gr_tensor gr_log1p(gr_tensor x); /* ln(1 + x), exact near 0. dy/dx = 1/(1 + x) */
GR_API gr_tensor gr_log2(gr_tensor x);  /* ln x / ln 2; dy/dx = 1/(x ln 2) */
GR_API gr_tensor gr_log10(gr_tensor x); /* ln x / ln 10; dy/dx = 1/(x ln 10) */
GR_API gr_tensor gr_sqrt(gr_tensor x);  /* x^(1/2); NaN below 0. dy/dx = 1/(2y): +inf at 0, second -inf */
GR_API gr_tensor gr_rsqrt(gr_tensor x); /* x^(-1/2); inf at 0, NaN below. dy/dx = -y/(2x): -inf at 0 */
GR_API gr_tensor gr_reciprocal(gr_tensor x); /* 1/x; inf at 0. dy/dx = -y^2: -inf at 0 */

/* Of angles in radians. */
GR_API gr_tensor gr_sin(gr_tensor x); /* sin x; dy/dx = cos x */
GR_API gr_tensor gr_cos(gr_tensor x); /* cos x; dy/dx = -sin x */
GR_API gr_tensor gr_tan(gr_tensor x); /* tan x; dy/dx = 1 + y^2 */
/* arcsin x in [-pi/2, pi/2]; dy/dx = 1/(1 - x^2)^(1/2): inf at -1 and 1 */
GR_API gr_tensor gr_asin(gr_tensor x);
GR_API gr_tensor gr_acos(gr_tensor x); /* arccos x in [0, pi]; dy/dx = -1/(1 - x^2)^(1/2): -inf at -1 and 1 */
GR_API gr_tensor gr_atan(gr_tensor x); /* arctan x in [-pi/2, pi/2]; dy/dx = 1/(1 + x^2) */

/* Hyperbolic. */
GR_API gr_tensor gr_sinh(gr_tensor x);  /* (e^x - e^-x)/2; dy/dx = cosh x */
GR_API gr_tensor gr_cosh(gr_tensor x);  /* (e^x + e^-x)/2; dy/dx = sinh x */
GR_API gr_tensor gr_tanh(gr_tensor x);  /* tanh x; dy/dx = 1 - y^2 */
GR_API gr_tensor gr_asinh(gr_tensor x); /* arsinh x; dy/dx = 1/(x^2 + 1)^(1/2) */
GR_API gr_tensor gr_acosh(gr_tensor x); /* arcosh x; NaN below 1. dy/dx = 1/(x^2 - 1)^(1/2): inf at 1 */
GR_API gr_tensor gr_atanh(gr_tensor x); /* artanh x; inf at 1, -inf at -1. dy/dx = 1/(1 - x^2): inf at both */

/* ln cosh x, exact near 0 and without overflow; dy/dx = tanh x. */
GR_API gr_tensor gr_log_cosh(gr_tensor x);

/* 2/pi^(1/2) times the integral of e^-t^2 from 0 to x; dy/dx = 2/pi^(1/2) e^-x^2 */
GR_API gr_tensor gr_erf(gr_tensor x);
/* 1 - erf x, exact where erf x is nearly 1; dy/dx = -2/pi^(1/2) e^-x^2 */
GR_API gr_tensor gr_erfc(gr_tensor x);

/* Corners and steps. A step has derivative 0 everywhere, also where it jumps. */
GR_API gr_tensor gr_abs(gr_tensor x);   /* |x|; derivative 0 at 0, NaN at NaN (PyTorch: 0) */
GR_API gr_tensor gr_sign(gr_tensor x);  /* -1, 0 or 1; NaN of NaN, as NumPy (PyTorch: 0); derivative 0 */
GR_API gr_tensor gr_floor(gr_tensor x); /* the largest whole number <= x; derivative 0 */
GR_API gr_tensor gr_ceil(gr_tensor x);  /* the least whole number >= x; derivative 0 */
GR_API gr_tensor gr_trunc(gr_tensor x); /* x without its fraction; derivative 0 */
/* The nearest whole number; of two the even one, as NumPy and PyTorch, not as C's round; derivative 0. */
GR_API gr_tensor gr_round(gr_tensor x);
/* 1 where x > 0, 0 where x <= 0; derivative 0. It is the derivative of gr_relu, at 0 too. */
GR_API gr_tensor gr_unit_step(gr_tensor x);
/* gr_unit_step with the values of your choice where x is 0; broadcasting. values: differentiable (1 where x = 0, else 0). NaN
   stays NaN, as in NumPy; in PyTorch it is 0. */
GR_API gr_tensor gr_heaviside(gr_tensor x, gr_tensor values);
/* min(max(x, low), high), so `high` everywhere if low > high; -INFINITY or INFINITY for an end that there is not.
   dy/dx = 1 inside, at both ends too (as in PyTorch until its version 2.15, which has 0 there: so has gr_hardtanh), and 0
   outside. A NaN stays one, with derivative 1 as that of gr_relu (PyTorch: 0). NaN for an end: GR_ERR_ARGUMENT. For
   tensors as ends: gr_minimum(gr_maximum(x, low), high). */
GR_API gr_tensor gr_clamp(gr_tensor x, double low, double high);

/* ---- Functions of two operands, elementwise, broadcasting; float ---- */

/* ln(e^a + e^b) without overflow; -inf of two -inf. dy/da = sigmoid(a - b), dy/db = sigmoid(b - a); of two -inf both are
   0, of two inf one half (PyTorch: NaN). */
GR_API gr_tensor gr_logaddexp(gr_tensor a, gr_tensor b);
/* (a^2 + b^2)^(1/2) without overflow or underflow of the squares. dy/da = a/y, dy/db = b/y; where both are 0 the
   derivatives are 0, and the second ones, as those of gr_norm. */
GR_API gr_tensor gr_hypot(gr_tensor a, gr_tensor b);
/* The angle in [-pi, pi] of the point with abscissa b and ordinate a: arctan(a/b) for b > 0. dy/da = b/(a^2 + b^2),
   dy/db = -a/(a^2 + b^2), both 0 where both are 0 (PyTorch: NaN). Jumps by 2 pi where a changes its sign and b < 0. */
GR_API gr_tensor gr_atan2(gr_tensor a, gr_tensor b);
/* Remainders of the division of a by b, computed exactly; NaN for b = 0. fmod: a - b trunc(a/b), of the sign of a, as
   C's fmod. remainder: a - b floor(a/b), of the sign of b, as in Python, NumPy and PyTorch, and not as C's remainder.
   dy/da = 1, dy/db = -trunc(a/b) or -floor(a/b), also where they jump; of the exact quotient, so -9 for fmod(1, 0.1) (PyTorch, which
   rounds the quotient first: -10). Where b is 0, dy/db is NaN (PyTorch: infinite). */
GR_API gr_tensor gr_fmod(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_remainder(gr_tensor a, gr_tensor b);

/* Binary cross-entropy: -b ln a - (1 - b) ln(1 - a) of a probability a in [0, 1] for a target b in [0, 1]. gr_bce in loss.h is
   its mean.
   Logarithms are -100 at least; dy/da = (a - b)/(a (1 - a)), where the divisor is 1e-12 at least, so that it is 0 where a = b,
   also at 0 and 1, as in PyTorch; dy/db = ln(1 - a) - ln a. NaN for an a outside [0, 1] (PyTorch: an error). */
GR_API gr_tensor gr_log_loss(gr_tensor a, gr_tensor b);

/* (1 - w) a + w b: from a at w = 0 to b at w = 1, exact at both ends; w is not limited to [0, 1]. dy/da = 1 - w,
   dy/db = w, dy/dw = b - a. All three broadcast. */
GR_API gr_tensor gr_lerp(gr_tensor a, gr_tensor b, gr_tensor weight);
GR_API gr_tensor gr_lerp_scalar(gr_tensor a, gr_tensor b, double weight);

/* ---- Comparisons, logic, selection ---- */

/* Elementwise, broadcasting, any one type -> bool. With NaN all are false but not_equal, which is true. */
GR_API gr_tensor gr_equal(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_not_equal(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_less(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_less_equal(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_greater(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_greater_equal(gr_tensor a, gr_tensor b);

/* Masks of masks; broadcasting. Operands that are not bool: GR_ERR_TYPE; gr_cast(x, GR_BOOL) makes x != 0 of them. */
GR_API gr_tensor gr_logical_and(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_logical_or(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_logical_xor(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_logical_not(gr_tensor x);

/* float -> bool. */
GR_API gr_tensor gr_isnan(gr_tensor x);
GR_API gr_tensor gr_isinf(gr_tensor x); /* of either sign */
GR_API gr_tensor gr_isfinite(gr_tensor x);

/* a where the mask (bool) holds, else b; all three broadcast; a and b: any one type. The cotangent of the
   branch not taken is exactly 0, in every order, also where its values or derivatives are NaN or infinite. */
GR_API gr_tensor gr_where(gr_tensor mask, gr_tensor a, gr_tensor b);

/* Converts elements as C does; to bool: x != 0 (NaN is true). From float to i32, values outside the range of
   i32 and NaN give INT32_MIN. The cotangent is converted back between floats; none flows through i32 or
   bool. */
GR_API gr_tensor gr_cast(gr_tensor x, gr_type type);

GR_END_DECLS

#endif
