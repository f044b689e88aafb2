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
 * Every rule is a constant descriptor, gr_rule: those here and your own are made of the same. Weight decay and
 * groups of parameters are no part of a rule: any rule can have them.
 *
 * Elsewhere: learning rates that change with time, schedule.h; penalties and early stopping, regularise.h; a
 * minimiser for functions without noise, lbfgs.h.
 */
#ifndef GRADUS_OPTIM_H
#define GRADUS_OPTIM_H

#include "gradus/tensor.h"

GR_BEGIN_DECLS

typedef struct gr_optimizer gr_optimizer;
typedef struct gr_rule gr_rule;

/* ---- Making one ---- */

/* x: a parameter, g: its gradient, a: the learning rate, t: the number of this step, from 1; squares, roots and
   quotients are those of each element. All over the parameters that the graph has at the moment
   (GR_ERR_ARGUMENT if it has none); gr_optimizer_create takes a list, and options. NULL on error, and while an error is
   pending. Rate: finite, >= 0 (GR_ERR_ARGUMENT). There is no rate that suits all problems; where PyTorch has a
   default one it stands with the rule. Formulas and defaults are PyTorch's, unless it is said otherwise. */

/* Gradient descent: x <- x - a g. (PyTorch: a = 1e-3.) */
GR_API gr_optimizer *gr_sgd(gr_graph *g, double rate);

/* Momentum (Polyak, 1964; in this form Rumelhart, Hinton and Williams, 1986): v <- beta v - a g; x <- x + v.
   The rate is inside v: a new rate holds from its step on and does not rescale what was gathered before.
   PyTorch and others keep v / -a instead, which is the same while the rate is constant: the option
   rate_outside. 0 <= beta < 1. */
GR_API gr_optimizer *gr_momentum(gr_graph *g, double rate, double beta);

/* Nesterov's momentum (Nesterov, 1983; in this form Sutskever, Martens, Dahl and Hinton, "On the importance of
   initialization and momentum in deep learning", 2013): the gradient is taken where the momentum alone leads to,
   y + beta v for a point y. The parameter is that place, x = y + beta v, so that the gradient at x is the one needed:
   v <- beta v - a g; x <- x + beta v - a g. rate_outside as above: PyTorch's SGD with nesterov. */
GR_API gr_optimizer *gr_nesterov(gr_graph *g, double rate, double beta);

/* Adagrad (Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic
   optimization", 2011): r <- r + g^2; x <- x - a / (1 + (t - 1) rate_decay) g / (sqrt(r) + epsilon).
   epsilon 1e-10, rate_decay 0, r starts with 0. (PyTorch: a = 1e-2.) */
GR_API gr_optimizer *gr_adagrad(gr_graph *g, double rate);

/* RMSProp (Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning", 2012), epsilon outside the root:
   r <- rho r + (1 - rho) g^2; x <- x - a g / (sqrt(r) + epsilon). rho 0.99, epsilon 1e-8. (PyTorch: a = 1e-2.) */
GR_API gr_optimizer *gr_rmsprop(gr_graph *g, double rate);

/* RMSProp with momentum, epsilon inside the root, the rate inside the momentum, as in TensorFlow:
   r <- rho r + (1 - rho) g^2; b <- beta b + a g / sqrt(r + epsilon); x <- x - b. rho and epsilon as above. PyTorch's
   RMSprop with momentum leaves both outside: b <- beta b + g / (sqrt(r) + epsilon); x <- x - a b, which two options
   say; so does the rule gr_rule_rmsprop_centred, which subtracts the square of the mean of g (below). */
GR_API gr_optimizer *gr_rmsprop_momentum(gr_graph *g, double rate, double beta);

/* Adadelta (Zeiler, "ADADELTA: an adaptive learning rate method", 2012): r <- rho r + (1 - rho) g^2;
   d = sqrt(u + epsilon) / sqrt(r + epsilon) g; u <- rho u + (1 - rho) d^2; x <- x - a d. rho 0.9, epsilon 1e-6.
   (PyTorch: a = 1, as the paper, which has none.) */
GR_API gr_optimizer *gr_adadelta(gr_graph *g, double rate);

/* Adam (Kingma and Ba, "Adam: a method for stochastic optimization", 2015): m <- beta1 m + (1 - beta1) g;
   v <- beta2 v + (1 - beta2) g^2; x <- x - a (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon). With the values
   of the paper: beta1 0.9, beta2 0.999, epsilon 1e-8. (Paper and PyTorch: a = 1e-3, for the next two, too.) */
GR_API gr_optimizer *gr_adam(gr_graph *g, double rate);

/* AMSGrad (Reddi, Kale and Kumar, "On the convergence of Adam and beyond", 2018): Adam with the largest v so far in
   place of v: w <- max(w, v); x <- x - a (m / (1 - beta1^t)) / (sqrt(w / (1 - beta2^t)) + epsilon). The paper has no
   corrections of the bias and no epsilon; PyTorch has both. */
GR_API gr_optimizer *gr_amsgrad(gr_graph *g, double rate);

/* AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019): Adam with decoupled weight decay, 0.01
   by default: x <- x - a weight_decay x, then the step of Adam. Here a scales the decay, as in PyTorch; in the paper
   only the schedule does. gr_optimizer_create with gr_rule_adamw takes 0.01. */
GR_API gr_optimizer *gr_adamw(gr_graph *g, double rate, double weight_decay);

/* NAdam (Dozat, "Incorporating Nesterov momentum into Adam", 2016): with mu(t) = beta1 (1 - 0.96^(t momentum_decay) / 2)
   and p the product of mu(1) to mu(t); m and v as in Adam;
   x <- x - a ((1 - mu(t)) g / (1 - p) + mu(t+1) m / (1 - p mu(t+1))) / (sqrt(v / (1 - beta2^t)) + epsilon).
   beta1 0.9, beta2 0.999, epsilon 1e-8, momentum_decay 4e-3. (PyTorch: a = 2e-3.) */
GR_API gr_optimizer *gr_nadam(gr_graph *g, double rate);

/* Lion (Chen and others, "Symbolic discovery of optimization algorithms", 2023), with decoupled weight decay:
   x <- x - a weight_decay x; x <- x - a sign(beta1 m + (1 - beta1) g); m <- beta2 m + (1 - beta2) g. beta1 0.9,
   beta2 0.99; sign(0) is 0. gr_optimizer_create with gr_rule_lion takes no decay. (The paper: a = 1e-4, and 3 to 10 times
   smaller than for AdamW, with a decay as many times larger.) */
GR_API gr_optimizer *gr_lion(gr_graph *g, double rate, double weight_decay);

/* Any rule, over n parameters of one graph (n = 0: all that the graph has). options: the rule's structure,
   copied, every field of which counts; NULL: its defaults. A tensor that is no parameter is
   GR_ERR_ARGUMENT, one listed twice too. One group, with the weight decay that the rule begins with: none, but 0.01
   decoupled for gr_rule_adamw. */
GR_API gr_optimizer *gr_optimizer_create(gr_graph *g, const gr_rule *rule, double rate, const void *options,
                                         int n, const gr_tensor *params);

/* ---- Groups of parameters, weight decay ---- */

/* Weight decay pulls parameters towards 0, for any rule.
   Coupled: g + weight_decay x in place of g, in all of the rule's formula: the gradient of 1/2 weight_decay |x|^2
   added to the loss. PyTorch's weight_decay of all optimisers but AdamW. The stored gradient stays as it is.
   Decoupled: x <- (1 - a weight_decay) x before the rule's step, which sees nothing of it (Loshchilov and Hutter,
   2019). For plain gradient descent both are the same. */
typedef enum gr_decay { GR_DECAY_COUPLED = 0, GR_DECAY_DECOUPLED } gr_decay;

/* Parameters that share a rate and a decay: biases and scales of norms, for example, are usually not decayed, and layers
   that have been trained before learn slowly. */
typedef struct gr_param_group {
    int n; /* 0, in one group at most: all parameters of the graph that are in no other group */
    const gr_tensor *params;
    double rate;         /* finite, >= 0 */
    double weight_decay; /* finite, >= 0 */
    gr_decay decay;
} gr_param_group;

/*     const gr_param_group groups[] = {
           {.n = 2, .params = biases, .rate = 1e-3},
           {.rate = 1e-3, .weight_decay = 0.01, .decay = GR_DECAY_DECOUPLED}, the others
       };
       gr_optimizer *opt = gr_optimizer_create_groups(g, &gr_rule_adam, NULL, 2, groups);

   As gr_optimizer_create; the parameters are counted in the order of the groups. Every field counts: a rule's own decay
   does not. A group without a parameter is GR_ERR_ARGUMENT. */
GR_API gr_optimizer *gr_optimizer_create_groups(gr_graph *g, const gr_rule *rule, const void *options,
                                                int n_groups, const gr_param_group *groups);

/* ---- Using it ---- */

/* One step over all its parameters, or an error and no change at all.
   Skipped: parameters without a gradient, and frozen ones (gr_set_requires_grad); t counts the steps of each
   parameter. If nothing is left: GR_ERR_NO_GRADIENT. A parameter that gr_release has freed: GR_ERR_STALE.
   Each step raises the version of what it writes: a backward pass over values from before is GR_ERR_MODIFIED.
   After the first step none calls the allocator, unless other tensors share a parameter's elements (gr_keep,
   views): then the parameter gets new ones. */
GR_API gr_status gr_optimizer_step(gr_optimizer *optimizer);

/* The learning rate, of the first group if there are several; NaN for NULL. Set: of all groups. */
GR_API double gr_optimizer_rate(const gr_optimizer *optimizer);
GR_API gr_status gr_optimizer_set_rate(gr_optimizer *optimizer, double rate);
/* What the rates of all groups are multiplied by in a step; 1 at first; finite, >= 0. Schedules set it (schedule.h) and
   leave the rates themselves alone. */
GR_API double gr_optimizer_rate_factor(const gr_optimizer *optimizer);
GR_API gr_status gr_optimizer_set_rate_factor(gr_optimizer *optimizer, double factor);

/* Its groups; one, if it was not made of several. gr_optimizer_group: n is the number of its parameters, params NULL. */
GR_API int gr_optimizer_group_count(const gr_optimizer *optimizer);
GR_API gr_param_group gr_optimizer_group(gr_optimizer *optimizer, int group);
GR_API gr_status gr_optimizer_set_group_rate(gr_optimizer *optimizer, int group, double rate);
GR_API gr_status gr_optimizer_set_group_decay(gr_optimizer *optimizer, int group, double weight_decay,
                                              gr_decay decay);
/* The decay of all groups. */
GR_API gr_status gr_optimizer_set_decay(gr_optimizer *optimizer, double weight_decay, gr_decay decay);

/* Its copy of the rule's options, NULL if the rule has none; and another copy in its place, checked. */
GR_API const void *gr_optimizer_options(const gr_optimizer *optimizer);
GR_API gr_status gr_optimizer_set_options(gr_optimizer *optimizer, const void *options);

/* Frees what it remembers, before the graph ends. Every later call with it is GR_ERR_STATE. */
GR_API gr_status gr_optimizer_release(gr_optimizer *optimizer);

/* Its rule, its parameters in order, the group of parameter i. An index out of range is GR_ERR_INDEX. */
GR_API const gr_rule *gr_optimizer_rule(const gr_optimizer *optimizer);
GR_API int gr_optimizer_param_count(const gr_optimizer *optimizer);
GR_API gr_tensor gr_optimizer_param(gr_optimizer *optimizer, int i);
GR_API int gr_optimizer_param_group(gr_optimizer *optimizer, int i);

/* What goes on from step to step: how many steps parameter i has made, t - 1 in the next one, and tensor k of
   rule->n_states that is remembered of it, of the parameter's type and shape (the last rule->n_scalars: f64, []). Both can
   be set (gr_write): with these, the parameters, the rates and decays of all groups, and the factor as they were, steps
   continue bit for bit. */
GR_API int64_t gr_optimizer_steps(gr_optimizer *optimizer, int i);
GR_API gr_status gr_optimizer_set_steps(gr_optimizer *optimizer, int i, int64_t steps); /* >= 0 */
GR_API gr_tensor gr_optimizer_state(gr_optimizer *optimizer, int i, int k);

/* ---- Clipping gradients ---- */

/* Between gr_backward and the step: of n parameters of one graph, or with n = 0 of all that it has. Parameters that a
   step would skip are left out; if none is left: GR_ERR_NO_GRADIENT. An error changes nothing. */

/* Scales all gradients by one factor, min(1, max_norm / (norm + 1e-6)), so that the norm of all of them together is at
   most max_norm (Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013; the 1e-6 is
   PyTorch's). norm: the root of the sum of the squares of all elements of all gradients, computed in f64, without
   overflow or underflow. *norm, unless NULL: what it was before. A gradient with NaN or infinity in it is
   GR_ERR_NOT_FINITE, where PyTorch by default makes all gradients NaN or 0. max_norm: >= 0, infinity too, which
   only measures. */
GR_API gr_status gr_clip_grad_norm(gr_graph *g, double max_norm, int n, const gr_tensor *params,
                                   double *norm);
/* The same with the p-norm, (sum |g_i|^p)^(1/p), or for p = INFINITY the largest |g_i|. p: > 0 (GR_ERR_ARGUMENT; PyTorch's
   norm_type, which may be 0 or negative, too). */
GR_API gr_status gr_clip_grad_norm_p(gr_graph *g, double max_norm, double p, int n, const gr_tensor *params,
                                     double *norm);
/* Brings each element of each gradient into [-limit, limit]; infinities too, and NaN stays NaN. limit: >= 0. */
GR_API gr_status gr_clip_grad_value(gr_graph *g, double limit, int n, const gr_tensor *params);

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

enum { GR_RULE_MAX_STATES = 4, GR_RULE_MAX_NUMBERS = 4 };

/* A run of elements of one parameter in one step. */
typedef struct gr_update {
    gr_type type;         /* of parameter, gradient and state: f32 or f64 */
    int64_t count;        /* elements */
    void *param;          /* to be updated */
    const void *gradient; /* of the loss with respect to it, with coupled decay, if there is one */
    void *state[GR_RULE_MAX_STATES];
    double rate;  /* of the group, times the factor of the optimiser */
    int64_t step; /* t: 1 in the first step of this parameter */
    const void *options;
    double number[GR_RULE_MAX_NUMBERS]; /* what `begin` has put there */
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

    /* So many of the states, the last ones, are one f64 number per parameter (shape []), not one per element. */
    int n_scalars;

    /* Called once for each parameter in each step, before its runs: the place to change scalar states, and to put what
       all runs need into `number`. param, gradient and count are not for it. NULL: nothing to do. */
    void (*begin)(gr_update *update);

    /* The decay that gr_optimizer_create begins with. */
    double weight_decay;
    gr_decay decay;
};

GR_API extern const gr_rule gr_rule_sgd;

typedef struct gr_momentum_options {
    double beta; /* in [0, 1); default 0.9 */
    bool
        rate_outside; /* v <- beta v - g; x <- x + a v, or x <- x + a (beta v - g) for Nesterov. PyTorch's form */
} gr_momentum_options;
GR_API extern const gr_rule gr_rule_momentum; /* PyTorch's dampening is left out: it only scales the rate */
GR_API extern const gr_rule gr_rule_nesterov;

typedef struct gr_adagrad_options {
    double epsilon;    /* >= 0; default 1e-10 */
    double rate_decay; /* >= 0; default 0 */
    double start;      /* of r; >= 0; default 0. PyTorch: initial_accumulator_value */
} gr_adagrad_options;
GR_API extern const gr_rule gr_rule_adagrad;

typedef struct gr_rmsprop_options {
    double rho;      /* in [0, 1); default 0.99. PyTorch: alpha */
    double epsilon;  /* >= 0; default 1e-8 */
    double momentum; /* beta, in [0, 1); default 0, 0.9 and 0; only 0 for gr_rule_rmsprop, which keeps no b */
    bool epsilon_inside; /* sqrt(r + epsilon), not sqrt(r) + epsilon; default false, true and false */
    bool rate_outside;   /* b without a, x <- x - a b; default false, false and true */
} gr_rmsprop_options;
GR_API extern const gr_rule gr_rule_rmsprop;
GR_API extern const gr_rule gr_rule_rmsprop_momentum;
/* Divided by the deviation of g, not its size (Graves, "Generating sequences with recurrent neural networks", 2013):
   m <- rho m + (1 - rho) g, and r - m^2 in place of r in what divides; where rounding makes it negative, 0. With the
   defaults PyTorch's RMSprop with `centered`. */
GR_API extern const gr_rule gr_rule_rmsprop_centred;

typedef struct gr_adadelta_options {
    double rho;     /* in [0, 1); default 0.9 */
    double epsilon; /* >= 0; default 1e-6 */
} gr_adadelta_options;
GR_API extern const gr_rule gr_rule_adadelta;

typedef struct gr_adam_options {
    double beta1, beta2; /* in [0, 1); default 0.9 and 0.999 */
    double epsilon;      /* >= 0; default 1e-8 */
} gr_adam_options;
GR_API extern const gr_rule gr_rule_adam;
GR_API extern const gr_rule gr_rule_amsgrad;
GR_API extern const gr_rule gr_rule_adamw;

typedef struct gr_nadam_options {
    double beta1, beta2;   /* in [0, 1); default 0.9 and 0.999 */
    double epsilon;        /* >= 0; default 1e-8 */
    double momentum_decay; /* >= 0; default 4e-3 */
} gr_nadam_options;
GR_API extern const gr_rule gr_rule_nadam;

typedef struct gr_lion_options {
    double beta1, beta2; /* in [0, 1); default 0.9 and 0.99 */
} gr_lion_options;
GR_API extern const gr_rule gr_rule_lion;

GR_END_DECLS

#endif
