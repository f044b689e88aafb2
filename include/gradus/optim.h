/*
 * Optimisers: rules that move parameters along their gradients.
 *
 *     gr_optimizer *opt = gr_adam(g, 1e-3);          after the parameters are made
 *     for (...) {
 *         gr_tensor loss = ...;
 *         gr_clear_grads(g);                         gradients add up otherwise
 *         gr_backward(loss);
 *         gr_optimizer_step(opt);
 *         gr_graph_reset(g);
 *     }
 *
 * An optimiser belongs to its graph and ends with it. What it remembers between steps are kept tensors of the
 * graph: they can be read, saved and written back.
 *
 * Every rule is a constant descriptor, gr_rule: those here and your own are made of the same.
 */
#ifndef GRADUS_OPTIM_H
#define GRADUS_OPTIM_H

#include "gradus/tensor.h"

GR_BEGIN_DECLS

typedef struct gr_optimizer gr_optimizer;
typedef struct gr_rule gr_rule;

/* ---- Making one ---- */

/* x: a parameter, g: its gradient, a: the learning rate, t: the number of this step, from 1. All over the
   parameters that the graph has at the moment (GR_ERR_ARGUMENT if it has none); gr_optimizer_create takes a
   list. NULL on error, and while an error is pending. Rate: finite, >= 0 (GR_ERR_ARGUMENT). */

/* Gradient descent: x <- x - a g. */
GR_API gr_optimizer *gr_sgd(gr_graph *g, double rate);

/* Momentum (Polyak, 1964; in this form Rumelhart, Hinton and Williams, 1986): v <- beta v - a g; x <- x + v.
   The rate is inside v: a new rate holds from its step on and does not rescale what was gathered before.
   PyTorch and others keep v / -a instead, which is the same while the rate is constant. 0 <= beta < 1. */
GR_API gr_optimizer *gr_momentum(gr_graph *g, double rate, double beta);

/* Adam (Kingma and Ba, 2015): m <- beta1 m + (1 - beta1) g; v <- beta2 v + (1 - beta2) g^2;
   x <- x - a (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon). With the values of the paper: beta1
   0.9, beta2 0.999, epsilon 1e-8. */
GR_API gr_optimizer *gr_adam(gr_graph *g, double rate);

/* Any rule, over n parameters of one graph (n = 0: all that the graph has). options: the rule's structure,
   copied, every field of which counts; NULL: its defaults. A tensor that is no parameter is
   GR_ERR_ARGUMENT, one listed twice too. */
GR_API gr_optimizer *gr_optimizer_create(gr_graph *g, const gr_rule *rule, double rate, const void *options,
                                         int n, const gr_tensor *params);

/* ---- Using it ---- */

/* One step over all its parameters, or an error and no change at all.
   Skipped: parameters without a gradient, and frozen ones (gr_set_requires_grad); t counts the steps of each
   parameter. If nothing is left: GR_ERR_NO_GRADIENT. A parameter that gr_release has freed: GR_ERR_STALE.
   Each step raises the version of what it writes: a backward pass over values from before is GR_ERR_MODIFIED.
   After the first step none calls the allocator, unless other tensors share a parameter's elements (gr_keep,
   views): then the parameter gets new ones. */
GR_API gr_status gr_optimizer_step(gr_optimizer *optimizer);

/* The learning rate; NaN for NULL. */
GR_API double gr_optimizer_rate(const gr_optimizer *optimizer);
GR_API gr_status gr_optimizer_set_rate(gr_optimizer *optimizer, double rate);

/* Frees what it remembers, before the graph ends. Every later call with it is GR_ERR_STATE. */
GR_API gr_status gr_optimizer_release(gr_optimizer *optimizer);

/* Its rule, its parameters in order, and how many steps parameter i has made. An index out of range is
   GR_ERR_INDEX. */
GR_API const gr_rule *gr_optimizer_rule(const gr_optimizer *optimizer);
GR_API int gr_optimizer_param_count(const gr_optimizer *optimizer);
GR_API gr_tensor gr_optimizer_param(gr_optimizer *optimizer, int i);
GR_API int64_t gr_optimizer_steps(gr_optimizer *optimizer, int i);
GR_API gr_status gr_optimizer_set_steps(gr_optimizer *optimizer, int i, int64_t steps); /* >= 0 */
/* What it remembers of parameter i: tensor k of rule->n_states. It can be read and written. */
GR_API gr_tensor gr_optimizer_state(gr_optimizer *optimizer, int i, int k);

/* ---- Rules of your own ---- */

/* For example, a descent by the sign of the gradient, for f64:

       static void sign_update(const gr_update *u)
       {
           double *x = u->param;
           const double *g = u->gradient;
           for (int64_t i = 0; i < u->count; i++) x[i] -= u->rate * ((g[i] > 0) - (g[i] < 0));
       }
       static const gr_rule sign_rule = {.name = "sign", .update = sign_update};

       gr_optimizer *opt = gr_optimizer_create(g, &sign_rule, 0.01, NULL, 0, NULL); */

enum { GR_RULE_MAX_STATES = 4 };

/* A run of elements of one parameter in one step. */
typedef struct gr_update {
    gr_type type;         /* of parameter, gradient and state: f32 or f64 */
    int64_t count;        /* elements */
    void *param;          /* to be updated */
    const void *gradient; /* of the loss with respect to it */
    void *state[GR_RULE_MAX_STATES];
    double rate;
    int64_t step; /* t: 1 in the first step of this parameter */
    const void *options;
} gr_update;

struct gr_rule {
    const char *name;                            /* lower case, as in messages */
    int n_states;                                /* tensors remembered per parameter; zeros at first */
    const char *state_names[GR_RULE_MAX_STATES]; /* "m", "v": to tell them apart in files */
    size_t option_bytes;
    const void *default_options; /* of option_bytes; NULL only if there are none */

    /* Why the options cannot be used, or NULL if they can. Itself NULL: any can. */
    const char *(*check)(const void *options);

    /* Updates a run of elements. Each element by itself: a parameter comes in runs of unspecified length, in
       any order and on several threads. Cannot fail. */
    void (*update)(const gr_update *update);
};

GR_API extern const gr_rule gr_rule_sgd;

typedef struct gr_momentum_options {
    double beta; /* default 0.9 */
} gr_momentum_options;
GR_API extern const gr_rule gr_rule_momentum;

typedef struct gr_adam_options {
    double beta1, beta2; /* in [0, 1); default 0.9 and 0.999 */
    double epsilon;      /* >= 0; default 1e-8 */
} gr_adam_options;
GR_API extern const gr_rule gr_rule_adam;

GR_END_DECLS

#endif
