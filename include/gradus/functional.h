/*
 * Derivatives as functions: products with Jacobians and Hessians, and these matrices themselves, each in one
 * call, of results that have been recorded or of a function (gr_function).
 *
 *     gr_hvp(loss, 2, (gr_tensor[]){w, b}, v, hv);               hv = H v of a loss that w and b have made
 *     gr_tensor h = gr_function_hessian(g, energy, 1, &x, NULL, 0, 0, NULL);           energy''(x)
 *
 * NAMES
 *   The terms are those of the field: jvp, J v, is forward mode; vjp, u J, is reverse mode; hvp is H v. A name
 *   without prefix takes tensors whose history is recorded; gr_function_<name> takes the function instead.
 *
 * OF RECORDED RESULTS
 *   y has been made of the inputs by operations. Inputs are leaves or interior tensors and must require a
 *   gradient (GR_ERR_NO_HISTORY). An output that does not depend on an input has the derivative 0 by it. An
 *   input given twice counts twice, as if its tangents were added. The history of the outputs is not released:
 *   it can be walked again, by these and by gr_backward. A history that is gone, or whose operands were
 *   written since, is the error that it is in gr_backward.
 *
 * OF A FUNCTION
 *   f is evaluated once, at any tensors of the graph: parameters, constants, step tensors, whether they
 *   require a gradient or not. It gets stand-ins for them, and the derivative is the one by its arguments
 *   only: what f reaches in another way, through `user`, is constant, even if it is one of the inputs.
 *   Derivatives around that see everything: in d/dx (x * d/dy (x + y)) the inner derivative is 1, and so is
 *   the outer one. i32 and bool inputs are passed on as they are, and have no derivative. f may return f32
 *   or f64; `value`, if not NULL, receives what it returned. f cannot end scopes that were opened before it,
 *   and what it leaves open is closed.
 *
 * HISTORY AND COST
 *   These are operations like any other: what they return are step tensors, and if recording is on and
 *   something below requires a gradient, they have a history and can be differentiated again, by any means
 *   and to any order. That takes memory and time, as always; between gr_no_grad_begin and gr_no_grad_end
 *   nothing is recorded, and all that a call made on its way is freed when it returns.
 *   In evaluations of the function, its own included, a gr_function_jvp costs 2 to 3, a vjp about 3, an hvp 2
 *   to 6 (bench/hvp.c), in sums, products and functions as gr_sin on single numbers, too, where operations cost what
 *   the graph does. In primitives that say nothing of how their Jacobians move (pull_tangent and straight in
 *   custom.h), as gr_pow, gr_gelu and gr_asin, it is much more on tensors that small: 20 to 70 times were seen. Where
 *   it is recorded it is twice to three times as much. A Jacobian takes as many walks as x or y
 *   has elements, whichever are fewer, a Hessian one per element of a or b, its diagonal one per element of x.
 *
 * ERRORS
 *   Those of gr_grad, and those of f. On error all results are invalid handles and nothing is left behind.
 */
#ifndef GRADUS_FUNCTIONAL_H
#define GRADUS_FUNCTIONAL_H

#include "gradus/autograd.h"

GR_BEGIN_DECLS

/* ---- Of recorded results ---- */

/* Forward mode: output_tangents[i] = sum_j d outputs[i] / d inputs[j] . tangents[j], of the type and shape of
   outputs[i]. tangents: of the types and shapes of the inputs; an entry left zero is no tangent. */
GR_API gr_status gr_jvp(int n_outputs, const gr_tensor *outputs, int n_inputs, const gr_tensor *inputs,
                        const gr_tensor *tangents, gr_tensor *output_tangents);

/* Reverse mode: input_cotangents[j] = sum_i cotangents[i] . d outputs[i] / d inputs[j], of the type and shape
   of inputs[j]: gr_grad, recorded when recording is on, and without releasing the history. cotangents: NULL,
   or an entry left zero, means 1 for a one-element output. */
GR_API gr_status gr_vjp(int n_outputs, const gr_tensor *outputs, int n_inputs, const gr_tensor *inputs,
                        const gr_tensor *cotangents, gr_tensor *input_cotangents);

/* products[j] = sum_k d2 y / d inputs[j] d inputs[k] . vectors[k], of the type and shape of inputs[j], for a y
   of one element (GR_ERR_NOT_SCALAR). vectors: as tangents of gr_jvp. They are held fast while y is differentiated, also
   where they are inputs or made of them; products that are recorded have a history that leads to them, too, as those of
   PyTorch's functional.hvp with create_graph. */
GR_API gr_status gr_hvp(gr_tensor y, int n_inputs, const gr_tensor *inputs, const gr_tensor *vectors,
                        gr_tensor *products);

/* d y / d x, of the shape of y followed by the shape of x, of the type of y. Row by row in reverse mode if y
   has fewer elements than x, else column by column in forward mode. More than GR_MAX_NDIM axes: GR_ERR_NDIM;
   reshape x or y before. */
GR_API gr_tensor gr_jacobian(gr_tensor y, gr_tensor x);

/* d2 y / d a d b, of the shape of a followed by the shape of b, of the type of a, for a y of one element; a
   and b are usually the same. */
GR_API gr_tensor gr_hessian(gr_tensor y, gr_tensor a, gr_tensor b);

/* d2 y / d x_i^2 for each element of x, of the shape and type of x, for a y of one element, in memory
   proportional to x. */
GR_API gr_tensor gr_hessian_diagonal(gr_tensor y, gr_tensor x);

/* ---- Of a function ---- */

/* J t at the inputs, of the type and shape of what f returns. tangents[j]: as in gr_jvp; those of i32 and
   bool inputs are not looked at. */
GR_API gr_tensor gr_function_jvp(gr_graph *g, gr_function f, int n_inputs, const gr_tensor *inputs,
                                 void *user, const gr_tensor *tangents, gr_tensor *value);

/* u J at the inputs: gradients[j] of the type and shape of inputs[j], a zeroed handle for i32 and bool ones.
   The cotangent has the type and shape of what f returns; left zero: 1, for one element. */
GR_API gr_status gr_function_vjp(gr_graph *g, gr_function f, int n_inputs, const gr_tensor *inputs,
                                 void *user, gr_tensor cotangent, gr_tensor *gradients, gr_tensor *value);

/* H v at the inputs, for an f of one element: products[j] of the type and shape of inputs[j], a zeroed handle
   for i32 and bool ones. vectors: as tangents of gr_function_jvp. */
GR_API gr_status gr_function_hvp(gr_graph *g, gr_function f, int n_inputs, const gr_tensor *inputs,
                                 void *user, const gr_tensor *vectors, gr_tensor *products, gr_tensor *value);

/* d f / d inputs[by], as gr_jacobian. */
GR_API gr_tensor gr_function_jacobian(gr_graph *g, gr_function f, int n_inputs, const gr_tensor *inputs,
                                      void *user, int by, gr_tensor *value);

/* d2 f / d inputs[a] d inputs[b], as gr_hessian. */
GR_API gr_tensor gr_function_hessian(gr_graph *g, gr_function f, int n_inputs, const gr_tensor *inputs,
                                     void *user, int a, int b, gr_tensor *value);

/* The diagonal of d2 f / d inputs[by]^2, as gr_hessian_diagonal. */
GR_API gr_tensor gr_function_hessian_diagonal(gr_graph *g, gr_function f, int n_inputs,
                                              const gr_tensor *inputs, void *user, int by, gr_tensor *value);

GR_END_DECLS

#endif
