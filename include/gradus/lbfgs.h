/*
 * L-BFGS: minimises a function of the parameters that can be evaluated again and again without noise.
 *
 *     static gr_tensor loss(gr_graph *g, void *user)
 *     {
 *         const problem *p = user;
 *         return gr_mse(gr_mlp_forward(p->net, p->x), p->t);
 *     }
 *     ...
 *     gr_lbfgs_result result;
 *     gr_lbfgs_minimize(g, loss, &problem, NULL, &result);
 *     printf("%g, for %s\n", result.loss, gr_lbfgs_stop_text(result.stop));
 *
 * METHOD
 *   Each iteration goes along p = -H g, where H, which stands for the inverse of the Hessian, comes from the last
 *   `history` changes of parameters and gradient (Nocedal, "Updating quasi-Newton matrices with limited storage", 1980;
 *   Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", 1989; Nocedal and Wright,
 *   "Numerical optimization", 2006, algorithms 7.4 and 7.5, scaled by s.y / y.y). The step along p is found by algorithms
 *   3.5 and 3.6 of that book, with cubic interpolation, such that the strong Wolfe conditions hold:
 *
 *       f(x + a p) <= f(x) + c1 a g(x).p     and     |g(x + a p).p| <= c2 |g(x).p|
 *
 *   The first trial is a = 1, and min(1, 1 / sum |g_i|) as long as there is no history, as in PyTorch. If there is no
 *   such point within the evaluations of a search, the lowest one that it has come by is taken; if none is lower, the
 *   history is forgotten, and if the gradient alone does not lead lower either, it is over.
 *
 * GUARANTEES
 *   Whatever happens, an error included, the parameters end at the lowest point that was accepted, which is never higher
 *   than the start. Trial points where loss or gradient are NaN or infinite are walls that the search steps back from.
 *   Parameters are f32 or f64; all else is computed in f64. The same calls give the same bits, for any number of
 *   threads. After the second evaluation nothing is allocated, unless the loss does or tensors share the elements of
 *   parameters. The gradients of gr_gradient are not touched.
 *
 * THE LOSS
 *   It returns one element, float, that depends on the parameters; all that it makes is freed after each evaluation. It
 *   must be a function: each evaluation of a run draws the same random numbers (the generator is set back to where it
 *   was, and afterwards stands where one evaluation leaves it), so dropout is one fixed mask. It must not write the
 *   parameters. Mini-batches that change from one evaluation to the next are not for L-BFGS.
 */
#ifndef GRADUS_LBFGS_H
#define GRADUS_LBFGS_H

#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* The loss at the present values of the parameters. To fail, return an invalid handle: after a failed operation, or
   after gr_graph_fail. */
typedef gr_tensor gr_loss_function(gr_graph *g, void *user);

/* What an iteration has done. The parameters are at the new point. */
typedef struct gr_lbfgs_step {
    int iteration;       /* of this run, from 1 */
    int evaluations;     /* of this run, so far */
    double loss;         /* at the new point */
    double gradient_max; /* the largest element of the gradient there, without sign */
    double length;       /* a: of the step along p */
    double change_max;   /* the largest change of a parameter's element */
    bool wolfe;          /* the strong Wolfe conditions hold */
} gr_lbfgs_step;

/* A zeroed structure, or NULL, gives the defaults. */
typedef struct gr_lbfgs_options {
    int n; /* parameters; 0: all of the graph that require a gradient */
    const gr_tensor *params;
    int history; /* 0: 10. Memory for 2 history + 4 numbers per element. PyTorch's 100 is seldom better */
    int max_iterations;        /* of a run; 0: 1000, for a run is meant to arrive. PyTorch: 20 */
    int max_evaluations;       /* of a run; 0: 10 max_iterations, more than it usually takes. PyTorch: 5/4 */
    double gradient_tolerance; /* 0: 1e-7, as PyTorch; negative: none */
    double change_tolerance;   /* 0: 1e-9, as PyTorch; negative: none */
    double c1, c2;             /* 0 < c1 < c2 < 1; 0: 1e-4 and 0.9 */
    bool (*on_step)(const gr_lbfgs_step *step,
                    void *user); /* called after each iteration; false ends the run. NULL: none */
    void *on_step_user;
} gr_lbfgs_options;

/* Why a run has ended. */
typedef enum gr_lbfgs_stop {
    GR_LBFGS_FAILED = 0, /* there is an error */
    GR_LBFGS_GRADIENT,   /* arrived: no element of the gradient is larger than gradient_tolerance */
    GR_LBFGS_CHANGE, /* no element of a parameter, or not the loss, changed by more than change_tolerance */
    GR_LBFGS_MAX_ITERATIONS,  /* max_iterations are done */
    GR_LBFGS_MAX_EVALUATIONS, /* max_evaluations are done */
    GR_LBFGS_NO_DECREASE, /* no lower point was found along the gradient: what is left is rounding, or the loss is
                                 not differentiable here */
    GR_LBFGS_ON_STEP      /* on_step returned false */
} gr_lbfgs_stop;
/* One line of text, such as "the gradient is small enough"; "unknown" for a number that is none of them. */
GR_API const char *gr_lbfgs_stop_text(gr_lbfgs_stop stop);

typedef struct gr_lbfgs_result {
    gr_lbfgs_stop stop;
    int iterations, evaluations; /* an evaluation is of loss and gradient */
    double first_loss;           /* where the run began */
    double loss;                 /* where the parameters are now */
    double gradient_max;         /* the largest element of the gradient there, without sign */
} gr_lbfgs_result;

/* Minimises, and forgets. *result may be NULL. Errors: those of the loss and of gr_grad; GR_ERR_NOT_FINITE if loss or
   gradient are not finite at the start; GR_ERR_ARGUMENT for options; GR_ERR_STATE in a hook or a rule, or if the loss
   leaves a scope open; GR_ERR_CALLBACK if it returns no tensor. */
GR_API gr_status gr_lbfgs_minimize(gr_graph *g, gr_loss_function *loss, void *user,
                                   const gr_lbfgs_options *options, gr_lbfgs_result *result);

/* ---- In several runs ---- */

/* The same in portions, with the history kept between them: two runs of 10 iterations are one of 20. Belongs to its graph
   and ends with it. NULL on error, and while one is pending. */
typedef struct gr_lbfgs gr_lbfgs;
GR_API gr_lbfgs *gr_lbfgs_create(gr_graph *g, const gr_lbfgs_options *options);
GR_API gr_status gr_lbfgs_run(gr_lbfgs *lbfgs, gr_loss_function *loss, void *user, gr_lbfgs_result *result);
/* Frees its memory before the graph ends. Every later call with it is GR_ERR_STATE; so is any call, but asking, by the
   loss or on_step of its own run. */
GR_API gr_status gr_lbfgs_release(gr_lbfgs *lbfgs);

/* What goes on from run to run: `pairs` rows of two kept tensors of f64, [history, elements of all parameters], of which
   row `next` is written next: changes of the parameters, and of the gradient. Read them and the state, write them back,
   and set the state (which reads them), and runs continue bit for bit. {0, 0} forgets the history. */
typedef struct gr_lbfgs_state {
    int pairs, next;
} gr_lbfgs_state;
GR_API gr_lbfgs_state gr_lbfgs_get(const gr_lbfgs *lbfgs);
/* GR_ERR_ARGUMENT unless 0 <= pairs <= history and 0 <= next < history, and where fewer than history pairs end with
   row next - 1, next == pairs. */
GR_API gr_status gr_lbfgs_set(gr_lbfgs *lbfgs, gr_lbfgs_state state);
GR_API gr_tensor gr_lbfgs_changes(gr_lbfgs *lbfgs);
GR_API gr_tensor gr_lbfgs_gradient_changes(gr_lbfgs *lbfgs);

GR_END_DECLS

#endif
