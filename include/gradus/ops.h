/*
 * Operations, by topic in the headers below. Each returns a new step tensor, or an invalid handle (see graph.h for errors).
 *
 * Broadcasting (NumPy's rules): shapes are aligned at their last axes; an axis of size 1, or a missing one,
 * is repeated. Operands of one call have one type, unless it is said otherwise; "float" means f32 or f64. All
 * float operands are differentiable, to any order, and gradients flow only through floats. i32 and bool have
 * none. Gradients of broadcast operands are summed over the repeated axes.
 *
 * Kinks: where a function has no derivative, or an infinite one, the convention stands with the function;
 * docs/kinks.md has all of them in one table, first and second derivatives, which the tests read. On the way
 * back a factor of exactly 0 ends a path, whatever it meets: the derivative of gr_sqrt(gr_mul(x, x)) at 0 is
 * 0, not 0 times infinity; gr_matmul alone keeps to IEEE 754 there. NaN in an operand gives NaN in the elements
 * computed from it, in maximum, minimum and max too.
 */
#ifndef GRADUS_OPS_H
#define GRADUS_OPS_H

#include "gradus/activations.h"
#include "gradus/convolution.h"
#include "gradus/elementwise.h"
#include "gradus/linalg.h"
#include "gradus/movement.h"
#include "gradus/reductions.h"

#endif
