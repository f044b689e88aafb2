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

/* A function of n tensors: returns a tensor made of its inputs, and of others that it knows, by operations of the graph.
   To fail, return an invalid handle: after a failed operation, or after gr_graph_fail. */
typedef gr_tensor (*gr_function)(gr_graph *g, int n_inputs, const gr_tensor *inputs, void *user);

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

/* ---- Less memory for more time ---- */

/* f(inputs), without keeping what f makes on the way: that is freed when f returns, and computed once more when a walk
   comes to it. A chain of n operations in segments of sqrt n needs memory for about 2 sqrt n results instead of n, for
   one more run forwards (Chen, Xu, Zhang and Guestrin, "Training deep nets with sublinear memory cost", 2016).

       static gr_tensor block(gr_graph *g, int n, const gr_tensor *in, void *user)
       {
           return gr_dropout(gr_mlp_forward(*(const gr_mlp *)user, in[0]), 0.1, true);
       }
       ...
       h = gr_checkpoint(g, block, 1, &h, &net);

   Gradients are those of f called directly: bit for bit in the first order, where f is differentiated as it was
   recorded; to any order with `record`. So are those of parameters and other tensors that f comes to otherwise than by its
   inputs. Tangents of forward mode (functional.h) go through, too, for a run of f each time. Random numbers: the second
   run starts from the state of the generator that the first one started from, and afterwards the state is as before.
   Checkpoints nest.

   f must be a function of the tensors that it reads: run again it must make the same result (GR_ERR_TYPE, GR_ERR_SHAPE
   and GR_ERR_CALLBACK if it does not, GR_ERR_MODIFIED if a tensor that it read has been written since), and its
   other effects happen twice. `user`, and what it points to, must live as long as walks can come here. The handles
   that f makes are gone after it: gr_retain_grad in it has no effect, hooks that it adds are called in the walk, once. f
   runs in a scope of its own, in which, as in rules of primitives, it cannot free what was there before.

   If nothing is recorded (gr_no_grad_begin, or nothing in f requires a gradient), only the memory is freed. If f
   returns a tensor that it did not make, that tensor is returned. */
GR_API gr_tensor gr_checkpoint(gr_graph *g, gr_function f, int n_inputs, const gr_tensor *inputs, void *user);

/* ---- Hooks ---- */

/* A function that is called with the gradient of a tensor, to look at it or to replace it:

       static gr_tensor clip(gr_tensor gradient, gr_tensor of, void *user)
       {
           return gr_minimum(gradient, gr_full(gradient.graph, gr_type_of(gradient), GR_SCALAR, 1));
       }
       ...
       gr_add_hook(h, clip, NULL);

   gr_backward and gr_grad call it once per walk that reaches the tensor, when all contributions to its gradient have
   been summed, and before the gradient is passed on or stored: what it returns is what goes on to the operands of
   `of`, into gr_gradient(of), and into the results of gr_grad. GR_NONE leaves the gradient as it is; else it
   must be of the same type and shape (GR_ERR_TYPE, GR_ERR_SHAPE; GR_ERR_CALLBACK for what is no living tensor of
   the graph). In a walk that is recorded (`record`) what it does is recorded, too, and differentiated with the rest;
   else it is not.

   So does all else that walks back (functional.h: gr_vjp, and gr_hvp, with the gradient of the tangent). Forward mode
   calls none: tangents are no gradients. gr_jacobian takes the mode that is cheaper, so of what hooks replace the
   gradients of, take none.

   `gradient` is a step tensor that is gone after the call, unless the walk is recorded: read it, or gr_keep it.
   Gradients of leaves are stored after all hooks have run; a walk that a hook makes fail (an operation that fails,
   gr_graph_fail) stores none. What holds for rules of primitives (custom.h) holds for hooks: nothing that is walked
   over can be freed, and a scope or a gr_no_grad_begin left open is GR_ERR_STATE. */
typedef gr_tensor gr_hook_function(gr_tensor gradient, gr_tensor of, void *user);

typedef struct gr_hook {
    gr_graph *graph;
    uint32_t index; /* 0: invalid */
    uint32_t generation;
} gr_hook;

/* Adds a hook to a tensor that requires a gradient (else GR_ERR_NO_HISTORY): a parameter, a constant, or an interior
   tensor. It stays until it is removed or the tensor is freed: on a parameter across steps, on an interior tensor
   for this step. Several hooks of one tensor are called in the order in which they were added, each with what the
   one before it returned. On error the handle is invalid.
   Inside a hook, hooks can be added and removed: one that is added to the same tensor there is first called in the
   next walk; one that is removed before its turn is not called. */
GR_API gr_hook gr_add_hook(gr_tensor t, gr_hook_function *f, void *user);
/* Removes it. GR_ERR_STALE if it is gone: removed before, or its tensor freed. Works while an error is pending. */
GR_API gr_status gr_remove_hook(gr_hook hook);

/* ---- Anomalies ---- */

/* Where does the NaN come from? Between these two, the value of each operation is looked at when it has been computed,
   in gr_backward, gr_grad and all that walks back each contribution of a rule, each gradient that is complete, and
   what hooks return, and in forward mode (gr_jvp) each tangent.
   The first operation whose value, gradient or tangent is NaN or infinite, although its operands and the cotangent or
   tangents that it was given are finite, is the error GR_ERR_NOT_FINITE, which names the operation, its formula, the name
   scope in which it was made, value, tangent, or gradient and to which operand, the first element that is not finite,
   and the operands with the range of their values:

       log (y = ln x) in encoder/fc1: the value became nan at [0, 1]: operand 1, h f64 [2, 3] from -0.25 to 4

   If an operand was not finite before, the error names the leaf that it comes from (a parameter, a constant, what was
   made without operands), or the operation, if that was before gr_anomaly_begin. A leaf alone is no error: not before
   something that is not finite has been computed from it.
   The operation fails like any other: no tensor, no gradient is left behind by it. The operations by which rules and
   hooks compute are not looked at one by one. It costs a reading of each tensor; when it is off, nothing.
   GR_ERR_STATE for a begin after a begin, an end without one, and inside a walk. */
typedef struct gr_anomaly_options {
    bool allow_infinite; /* only NaN is an anomaly: masks of -inf are common */
    bool allow_data; /* leaves, cotangents and tangents need not be finite, nor what is computed from such */
} gr_anomaly_options;
/* options may be NULL. */
GR_API gr_status gr_anomaly_begin(gr_graph *g, const gr_anomaly_options *options);
GR_API gr_status gr_anomaly_end(gr_graph *g);

GR_END_DECLS

#endif
