/* The update rules: each a block of its formula's scalars, its descriptor and its constructor. */
#include "gradus/optim.h"
#include "ops/kernels/update.h"

#include <math.h>

static bool is_decay(double beta) { return beta >= 0 && beta < 1; }
static bool is_finite_size(double x) { return x >= 0 && isfinite(x); }

static gr_optimizer *over_all(gr_graph *g, const gr_rule *rule, double rate, const void *options)
{
    return gr_optimizer_create(g, rule, rate, options, 0, NULL);
}

static gr_optimizer *decoupled(gr_graph *g, const gr_rule *rule, double rate, double weight_decay)
{
    const gr_param_group all = {.rate = rate, .weight_decay = weight_decay, .decay = GR_DECAY_DECOUPLED};
    return gr_optimizer_create_groups(g, rule, NULL, 1, &all);
}

/* ---- sgd ---- */

static void sgd_update(const gr_update *u)
{
    gri_update_sgd(u->type, u->count, u->param, u->gradient, u->rate);
}

const gr_rule gr_rule_sgd = {.name = "sgd", .update = sgd_update};

gr_optimizer *gr_sgd(gr_graph *g, double rate) { return over_all(g, &gr_rule_sgd, rate, NULL); }

/* ---- momentum, nesterov ---- */

static const gr_momentum_options momentum_defaults = {.beta = 0.9};

static const char *momentum_check(const void *options)
{
    return is_decay(((const gr_momentum_options *)options)->beta) ? NULL : "beta must be in [0, 1)";
}

static gri_momentum momentum_scalars(const gr_update *u)
{
    const gr_momentum_options *o = u->options;
    return (gri_momentum){o->beta, o->rate_outside ? 1 : u->rate, o->rate_outside ? u->rate : 1};
}

static void momentum_update(const gr_update *u)
{
    const gri_momentum k = momentum_scalars(u);
    gri_update_momentum(u->type, u->count, u->param, u->gradient, u->state[0], &k);
}

static void nesterov_update(const gr_update *u)
{
    const gri_momentum k = momentum_scalars(u);
    gri_update_nesterov(u->type, u->count, u->param, u->gradient, u->state[0], &k);
}

const gr_rule gr_rule_momentum = {.name = "momentum",
                                  .n_states = 1,
                                  .state_names = {"v"},
                                  .option_bytes = sizeof(gr_momentum_options),
                                  .default_options = &momentum_defaults,
                                  .check = momentum_check,
                                  .update = momentum_update};

const gr_rule gr_rule_nesterov = {.name = "nesterov",
                                  .n_states = 1,
                                  .state_names = {"v"},
                                  .option_bytes = sizeof(gr_momentum_options),
                                  .default_options = &momentum_defaults,
                                  .check = momentum_check,
                                  .update = nesterov_update};

gr_optimizer *gr_momentum(gr_graph *g, double rate, double beta)
{
    return over_all(g, &gr_rule_momentum, rate, &(gr_momentum_options){.beta = beta});
}

gr_optimizer *gr_nesterov(gr_graph *g, double rate, double beta)
{
    return over_all(g, &gr_rule_nesterov, rate, &(gr_momentum_options){.beta = beta});
}

/* ---- adagrad ---- */

static const gr_adagrad_options adagrad_defaults = {.epsilon = 1e-10};

static const char *adagrad_check(const void *options)
{
    const gr_adagrad_options *o = options;
    if (!is_finite_size(o->rate_decay)) return "rate_decay must be finite and not negative";
    if (!is_finite_size(o->start)) return "start must be finite and not negative";
    return is_finite_size(o->epsilon) ? NULL : "epsilon must be finite and not negative";
}

static void adagrad_update(const gr_update *u)
{
    const gr_adagrad_options *o = u->options;
    const gri_adagrad k = {.rate = u->rate / (1 + (double)(u->step - 1) * o->rate_decay),
                           .start = u->step == 1 ? o->start : 0,
                           .epsilon = o->epsilon};
    gri_update_adagrad(u->type, u->count, u->param, u->gradient, u->state[0], &k);
}

const gr_rule gr_rule_adagrad = {.name = "adagrad",
                                 .n_states = 1,
                                 .state_names = {"r"},
                                 .option_bytes = sizeof(gr_adagrad_options),
                                 .default_options = &adagrad_defaults,
                                 .check = adagrad_check,
                                 .update = adagrad_update};

gr_optimizer *gr_adagrad(gr_graph *g, double rate) { return over_all(g, &gr_rule_adagrad, rate, NULL); }

/* ---- rmsprop ---- */

static const gr_rmsprop_options rmsprop_defaults = {.rho = 0.99, .epsilon = 1e-8};
static const gr_rmsprop_options rmsprop_momentum_defaults = {
    .rho = 0.99, .epsilon = 1e-8, .momentum = 0.9, .epsilon_inside = true};
static const gr_rmsprop_options rmsprop_centred_defaults = {
    .rho = 0.99, .epsilon = 1e-8, .rate_outside = true};

static const char *rmsprop_momentum_check(const void *options)
{
    const gr_rmsprop_options *o = options;
    if (!is_decay(o->rho)) return "rho must be in [0, 1)";
    if (!is_decay(o->momentum)) return "momentum must be in [0, 1)";
    return is_finite_size(o->epsilon) ? NULL : "epsilon must be finite and not negative";
}

static const char *rmsprop_check(const void *options)
{
    if (((const gr_rmsprop_options *)options)->momentum != 0)
        return "keeps no momentum: use gr_rule_rmsprop_momentum";
    return rmsprop_momentum_check(options);
}

static gri_rmsprop rmsprop_scalars(const gr_update *u)
{
    const gr_rmsprop_options *o = u->options;
    return (gri_rmsprop){.rho = o->rho,
                         .inside = o->epsilon_inside ? o->epsilon : 0,
                         .outside = o->epsilon_inside ? 0 : o->epsilon,
                         .beta = o->momentum,
                         .into = o->rate_outside ? 1 : u->rate,
                         .out = o->rate_outside ? u->rate : 1};
}

static void rmsprop_update(const gr_update *u)
{
    const gri_rmsprop k = rmsprop_scalars(u);
    gri_update_rmsprop(u->type, u->count, u->param, u->gradient, u->state[0], &k);
}

static void rmsprop_momentum_update(const gr_update *u)
{
    const gri_rmsprop k = rmsprop_scalars(u);
    gri_update_rmsprop_momentum(u->type, u->count, u->param, u->gradient, u->state[0], u->state[1], &k);
}

static void rmsprop_centred_update(const gr_update *u)
{
    const gri_rmsprop k = rmsprop_scalars(u);
    gri_update_rmsprop_centred(u->type, u->count, u->param, u->gradient, u->state[0], u->state[1],
                               u->state[2], &k);
}

const gr_rule gr_rule_rmsprop = {.name = "rmsprop",
                                 .n_states = 1,
                                 .state_names = {"r"},
                                 .option_bytes = sizeof(gr_rmsprop_options),
                                 .default_options = &rmsprop_defaults,
                                 .check = rmsprop_check,
                                 .update = rmsprop_update};

const gr_rule gr_rule_rmsprop_momentum = {.name = "rmsprop_momentum",
                                          .n_states = 2,
                                          .state_names = {"r", "b"},
                                          .option_bytes = sizeof(gr_rmsprop_options),
                                          .default_options = &rmsprop_momentum_defaults,
                                          .check = rmsprop_momentum_check,
                                          .update = rmsprop_momentum_update};

const gr_rule gr_rule_rmsprop_centred = {.name = "rmsprop_centred",
                                         .n_states = 3,
                                         .state_names = {"r", "m", "b"},
                                         .option_bytes = sizeof(gr_rmsprop_options),
                                         .default_options = &rmsprop_centred_defaults,
                                         .check = rmsprop_momentum_check,
                                         .update = rmsprop_centred_update};

gr_optimizer *gr_rmsprop(gr_graph *g, double rate) { return over_all(g, &gr_rule_rmsprop, rate, NULL); }

gr_optimizer *gr_rmsprop_momentum(gr_graph *g, double rate, double beta)
{
    gr_rmsprop_options o = rmsprop_momentum_defaults;
    o.momentum = beta;
    return over_all(g, &gr_rule_rmsprop_momentum, rate, &o);
}

/* ---- adadelta ---- */

static const gr_adadelta_options adadelta_defaults = {.rho = 0.9, .epsilon = 1e-6};

static const char *adadelta_check(const void *options)
{
    const gr_adadelta_options *o = options;
    if (!is_decay(o->rho)) return "rho must be in [0, 1)";
    return is_finite_size(o->epsilon) ? NULL : "epsilon must be finite and not negative";
}

static void adadelta_update(const gr_update *u)
{
    const gr_adadelta_options *o = u->options;
    const gri_adadelta k = {u->rate, o->rho, o->epsilon};
    gri_update_adadelta(u->type, u->count, u->param, u->gradient, u->state[0], u->state[1], &k);
}

const gr_rule gr_rule_adadelta = {.name = "adadelta",
                                  .n_states = 2,
                                  .state_names = {"r", "u"},
                                  .option_bytes = sizeof(gr_adadelta_options),
                                  .default_options = &adadelta_defaults,
                                  .check = adadelta_check,
                                  .update = adadelta_update};

gr_optimizer *gr_adadelta(gr_graph *g, double rate) { return over_all(g, &gr_rule_adadelta, rate, NULL); }

/* ---- adam, amsgrad, adamw ---- */

static const gr_adam_options adam_defaults = {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};

static const char *adam_check(const void *options)
{
    const gr_adam_options *o = options;
    if (!is_decay(o->beta1) || !is_decay(o->beta2)) return "beta1 and beta2 must be in [0, 1)";
    return is_finite_size(o->epsilon) ? NULL : "epsilon must be finite and not negative";
}

/* The corrections of the bias, which depend on the step alone. */
static void adam_begin(gr_update *u)
{
    const gr_adam_options *o = u->options;
    u->number[0] = u->rate / (1 - pow(o->beta1, (double)u->step));
    u->number[1] = sqrt(1 - pow(o->beta2, (double)u->step));
}

static gri_adam adam_scalars(const gr_update *u)
{
    const gr_adam_options *o = u->options;
    return (gri_adam){.rate = u->number[0],
                      .root = u->number[1],
                      .beta1 = o->beta1,
                      .beta2 = o->beta2,
                      .epsilon = o->epsilon};
}

static void adam_update(const gr_update *u)
{
    const gri_adam k = adam_scalars(u);
    gri_update_adam(u->type, u->count, u->param, u->gradient, u->state[0], u->state[1], &k);
}

static void amsgrad_update(const gr_update *u)
{
    const gri_adam k = adam_scalars(u);
    gri_update_amsgrad(u->type, u->count, u->param, u->gradient, u->state[0], u->state[1], u->state[2], &k);
}

const gr_rule gr_rule_adam = {.name = "adam",
                              .n_states = 2,
                              .state_names = {"m", "v"},
                              .option_bytes = sizeof(gr_adam_options),
                              .default_options = &adam_defaults,
                              .check = adam_check,
                              .begin = adam_begin,
                              .update = adam_update};

const gr_rule gr_rule_amsgrad = {.name = "amsgrad",
                                 .n_states = 3,
                                 .state_names = {"m", "v", "w"},
                                 .option_bytes = sizeof(gr_adam_options),
                                 .default_options = &adam_defaults,
                                 .check = adam_check,
                                 .begin = adam_begin,
                                 .update = amsgrad_update};

const gr_rule gr_rule_adamw = {.name = "adamw",
                               .n_states = 2,
                               .state_names = {"m", "v"},
                               .option_bytes = sizeof(gr_adam_options),
                               .default_options = &adam_defaults,
                               .check = adam_check,
                               .begin = adam_begin,
                               .update = adam_update,
                               .weight_decay = 0.01,
                               .decay = GR_DECAY_DECOUPLED};

gr_optimizer *gr_adam(gr_graph *g, double rate) { return over_all(g, &gr_rule_adam, rate, NULL); }
gr_optimizer *gr_amsgrad(gr_graph *g, double rate) { return over_all(g, &gr_rule_amsgrad, rate, NULL); }

gr_optimizer *gr_adamw(gr_graph *g, double rate, double weight_decay)
{
    return decoupled(g, &gr_rule_adamw, rate, weight_decay);
}

/* ---- nadam ---- */

static const gr_nadam_options nadam_defaults = {
    .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .momentum_decay = 4e-3};

static const char *nadam_check(const void *options)
{
    const gr_nadam_options *o = options;
    if (!is_decay(o->beta1) || !is_decay(o->beta2)) return "beta1 and beta2 must be in [0, 1)";
    if (!is_finite_size(o->momentum_decay)) return "momentum_decay must be finite and not negative";
    return is_finite_size(o->epsilon) ? NULL : "epsilon must be finite and not negative";
}

/* mu(t), which warms up from about beta1 / 2 to beta1. */
static double nadam_mu(const gr_nadam_options *o, double t)
{
    return o->beta1 * (1 - 0.5 * pow(0.96, t * o->momentum_decay));
}

/* The product of all mu so far is a state: it has no closed form. */
static void nadam_begin(gr_update *u)
{
    const gr_nadam_options *o = u->options;
    const double t = (double)u->step, now = nadam_mu(o, t), next = nadam_mu(o, t + 1);
    double *product = u->state[2];
    *product = u->step == 1 ? now : *product * now;
    u->number[0] = u->rate * (1 - now) / (1 - *product);
    u->number[1] = u->rate * next / (1 - *product * next);
    u->number[2] = sqrt(1 - pow(o->beta2, t));
}

static void nadam_update(const gr_update *u)
{
    const gr_nadam_options *o = u->options;
    const gri_adam k = {.by_gradient = u->number[0],
                        .rate = u->number[1],
                        .root = u->number[2],
                        .beta1 = o->beta1,
                        .beta2 = o->beta2,
                        .epsilon = o->epsilon};
    gri_update_nadam(u->type, u->count, u->param, u->gradient, u->state[0], u->state[1], &k);
}

const gr_rule gr_rule_nadam = {.name = "nadam",
                               .n_states = 3,
                               .n_scalars = 1,
                               .state_names = {"m", "v", "product"},
                               .option_bytes = sizeof(gr_nadam_options),
                               .default_options = &nadam_defaults,
                               .check = nadam_check,
                               .begin = nadam_begin,
                               .update = nadam_update};

gr_optimizer *gr_nadam(gr_graph *g, double rate) { return over_all(g, &gr_rule_nadam, rate, NULL); }

/* ---- lion ---- */

static const gr_lion_options lion_defaults = {.beta1 = 0.9, .beta2 = 0.99};

static const char *lion_check(const void *options)
{
    const gr_lion_options *o = options;
    return is_decay(o->beta1) && is_decay(o->beta2) ? NULL : "beta1 and beta2 must be in [0, 1)";
}

static void lion_update(const gr_update *u)
{
    const gr_lion_options *o = u->options;
    const gri_lion k = {u->rate, o->beta1, o->beta2};
    gri_update_lion(u->type, u->count, u->param, u->gradient, u->state[0], &k);
}

const gr_rule gr_rule_lion = {.name = "lion",
                              .n_states = 1,
                              .state_names = {"m"},
                              .option_bytes = sizeof(gr_lion_options),
                              .default_options = &lion_defaults,
                              .check = lion_check,
                              .update = lion_update,
                              .decay = GR_DECAY_DECOUPLED};

gr_optimizer *gr_lion(gr_graph *g, double rate, double weight_decay)
{
    return decoupled(g, &gr_rule_lion, rate, weight_decay);
}
