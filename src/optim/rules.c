/* The update rules: each a block of its formula's scalars, its descriptor and its constructor. */
#include "gradus/optim.h"
#include "ops/kernels/update.h"

#include <math.h>

static bool is_decay(double beta) { return beta >= 0 && beta < 1; }

/* ---- sgd ---- */

static void sgd_update(const gr_update *u)
{
    gri_update_sgd(u->type, u->count, u->param, u->gradient, u->rate);
}

const gr_rule gr_rule_sgd = {.name = "sgd", .update = sgd_update};

gr_optimizer *gr_sgd(gr_graph *g, double rate)
{
    return gr_optimizer_create(g, &gr_rule_sgd, rate, NULL, 0, NULL);
}

/* ---- momentum ---- */

static const gr_momentum_options momentum_defaults = {.beta = 0.9};

static const char *momentum_check(const void *options)
{
    return is_decay(((const gr_momentum_options *)options)->beta) ? NULL : "beta must be in [0, 1)";
}

static void momentum_update(const gr_update *u)
{
    const gr_momentum_options *o = u->options;
    gri_update_momentum(u->type, u->count, u->param, u->gradient, u->state[0], u->rate, o->beta);
}

const gr_rule gr_rule_momentum = {.name = "momentum",
                                  .n_states = 1,
                                  .state_names = {"v"},
                                  .option_bytes = sizeof(gr_momentum_options),
                                  .default_options = &momentum_defaults,
                                  .check = momentum_check,
                                  .update = momentum_update};

gr_optimizer *gr_momentum(gr_graph *g, double rate, double beta)
{
    const gr_momentum_options o = {.beta = beta};
    return gr_optimizer_create(g, &gr_rule_momentum, rate, &o, 0, NULL);
}

/* ---- adam ---- */

static const gr_adam_options adam_defaults = {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};

static const char *adam_check(const void *options)
{
    const gr_adam_options *o = options;
    if (!is_decay(o->beta1) || !is_decay(o->beta2)) return "beta1 and beta2 must be in [0, 1)";
    return o->epsilon >= 0 && isfinite(o->epsilon) ? NULL : "epsilon must be finite and not negative";
}

static void adam_update(const gr_update *u)
{
    const gr_adam_options *o = u->options;
    const double t = (double)u->step;
    const gri_adam k = {.rate = u->rate / (1 - pow(o->beta1, t)),
                        .root = sqrt(1 - pow(o->beta2, t)),
                        .beta1 = o->beta1,
                        .beta2 = o->beta2,
                        .epsilon = o->epsilon};
    gri_update_adam(u->type, u->count, u->param, u->gradient, u->state[0], u->state[1], &k);
}

const gr_rule gr_rule_adam = {.name = "adam",
                              .n_states = 2,
                              .state_names = {"m", "v"},
                              .option_bytes = sizeof(gr_adam_options),
                              .default_options = &adam_defaults,
                              .check = adam_check,
                              .update = adam_update};

gr_optimizer *gr_adam(gr_graph *g, double rate)
{
    return gr_optimizer_create(g, &gr_rule_adam, rate, NULL, 0, NULL);
}
