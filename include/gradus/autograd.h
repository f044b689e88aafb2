/*
 * Differentiation, in reverse mode.
 *
 * Each operation on a tensor that requires a gradient records how it came about. gr_backward and gr_grad walk
 * that record backwards, from results to leaves, apply each primitive's derivative rule to the cotangent of
 * its result, and add what arrives at each operand. The walk is a loop: depth costs no stack.
 *
 * The record of what was walked is released after the walk (values stay readable); a second walk over it is
 * GR_ERR_HISTORY_RELEASED unless the first was asked to retain it.
 *
 * Rules are written in the operations of ops.h, so that a walk can itself be recorded (`record`): the
 * gradients then have a history and can be differentiated again, to any order.
 */
#ifndef GRADUS_AUTOGRAD_H
#define GRADUS_AUTOGRAD_H

#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* ---- Gradients into parameters ---- */

/* d loss / d p for every leaf p that requires a gradient and that the loss depends on, added to p's gradient.
   loss: one element, float. GR_ERR_NOT_SCALAR for several elements, GR_ERR_NO_HISTORY if it depends on no
   such leaf. */
GR_API gr_status gr_backward(gr_tensor loss);

typedef struct gr_backward_options {
    gr_tensor cotangent; /* v of v . d output: of the output's type and shape; zeroed: 1, for one element */
    bool retain;         /* keep the record for another walk */
} gr_backward_options;
GR_API gr_status gr_backward_with(gr_tensor output, const gr_backward_options *options);

/* The gradient that backward passes have added up: a tensor of the shape and type of t. GR_ERR_NO_GRADIENT if
   none has arrived. Kept as long as t, unless gr_clear_grad or gr_clear_grads takes it away. It can be
   written (gr_write, gr_assign), to clip it before an optimiser's step. */
GR_API gr_tensor gr_gradient(gr_tensor t);
/* Whether there is one. Sets no error. */
GR_API bool gr_has_gradient(gr_tensor t);
/* Asks backward to keep the gradient of an interior tensor, too. Call it before the pass. Returns t.
   GR_ERR_NO_HISTORY if t does not require a gradient. */
GR_API gr_tensor gr_retain_grad(gr_tensor t);

/* Gradients of all parameters: filled with zeros, made if there were none, or taken away (reading one is an
   error until the next backward). Taking away is faster: the next pass stores instead of adding. */
GR_API gr_status gr_zero_grads(gr_graph *g);
GR_API gr_status gr_clear_grads(gr_graph *g);
/* The same for one tensor. */
GR_API gr_status gr_zero_grad(gr_tensor t);
GR_API gr_status gr_clear_grad(gr_tensor t);

/* ---- Gradients as tensors ---- */

typedef struct gr_grad_options {
    bool record; /* record the walk, so that the gradients can be differentiated; implies retain */
    bool retain; /* keep the record of the outputs for another walk */
} gr_grad_options;

/* gradients[j] = sum_i cotangents[i] . d outputs[i] / d inputs[j]: step tensors of the shape and type of
   inputs[j]. Inputs may be leaves or interior tensors; each must require a gradient (GR_ERR_NO_HISTORY). One
   on which no output depends gets zeros. cotangents: of the shapes of the outputs; NULL, or an entry left
   zero, means 1 for a one-element output. Gradients of parameters (gr_gradient) are not touched. On error all
   gradients are invalid handles. options may be NULL. */
GR_API gr_status gr_grad(int n_outputs, const gr_tensor *outputs, int n_inputs, const gr_tensor *inputs,
                         const gr_tensor *cotangents, const gr_grad_options *options, gr_tensor *gradients);

/* The derivative of one tensor by one other, recorded: gr_derivative(gr_derivative(y, x), x) is the second.
   y: one element, or a y of which each element depends on its own element of x only, which gives the
   elementwise derivative (the cotangent is ones). */
GR_API gr_tensor gr_derivative(gr_tensor y, gr_tensor x);

/* ---- Functions ---- */

/* A function of n tensors, made of its inputs by operations of the graph: what is differentiated, checked or
   recomputed as a whole. To fail, it returns an invalid handle: after a failed operation, or after
   gr_graph_fail. */
typedef gr_tensor (*gr_function)(gr_graph *g, int n_inputs, const gr_tensor *inputs, void *user);

GR_END_DECLS

#endif
