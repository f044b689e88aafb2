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
/* x^p for one exponent; p = 0 has derivative 0 everywhere, also at x = 0. Second derivatives likewise:
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

GR_API gr_tensor gr_exp(gr_tensor x);   /* e^x */
GR_API gr_tensor gr_log(gr_tensor x);   /* ln x; -inf at 0, NaN below. dy/dx = 1/x */
GR_API gr_tensor gr_log1p(gr_tensor x); /* ln(1 + x), exact near 0. dy/dx = 1/(1 + x) */
GR_API gr_tensor gr_sqrt(gr_tensor x);  /* x^(1/2); NaN below 0. dy/dx = 1/(2y): +inf at 0, second -inf */
GR_API gr_tensor gr_sin(gr_tensor x);   /* sin x, radians */
GR_API gr_tensor gr_cos(gr_tensor x);   /* cos x, radians */
GR_API gr_tensor gr_tanh(gr_tensor x);  /* tanh x; dy/dx = 1 - y^2 */
GR_API gr_tensor gr_abs(gr_tensor x);   /* |x|; derivative 0 at 0 */
GR_API gr_tensor gr_sign(gr_tensor x);  /* -1, 0 or 1; derivative 0 */

/* ---- Comparisons and selection ---- */

/* Elementwise, broadcasting, any one type -> bool. With NaN all are false but not_equal, which is true. */
GR_API gr_tensor gr_equal(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_not_equal(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_less(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_less_equal(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_greater(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_greater_equal(gr_tensor a, gr_tensor b);

/* a where the mask (bool) holds, else b; all three broadcast; a and b: any one type. The cotangent of the
   branch not taken is exactly 0, in every order, also where its values or derivatives are NaN or infinite. */
GR_API gr_tensor gr_where(gr_tensor mask, gr_tensor a, gr_tensor b);

/* Converts elements as C does; to bool: x != 0 (NaN is true). From float to i32, values outside the range of
   i32 and NaN give INT32_MIN. The cotangent is converted back between floats; none flows through i32 or
   bool. */
GR_API gr_tensor gr_cast(gr_tensor x, gr_type type);

GR_END_DECLS

#endif
