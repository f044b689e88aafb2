/*
 * Schedules: learning rates that change with time.
 *
 * A schedule is a value, and a pure function of the number of the step: it gives the factor by which all rates of an
 * optimiser are multiplied, so that groups keep their proportions. It has no state: save the number of the step, and
 * training goes on as if it had not stopped.
 *
 *     gr_schedule schedule = gr_schedule_warmup(gr_schedule_cosine(1000, 0), 100, 0.01);
 *     for (int64_t step = 0; step < 1100; step++) {
 *         gr_schedule_apply(&schedule, opt, step);
 *         ...
 *         gr_optimizer_step(opt);
 *     }
 *
 * Steps count from 0, and may as well be epochs: what the numbers of the schedule are meant in. The rate of the
 * optimiser (of each group) is the one where the factor is 1; what PyTorch gives as a rate (eta_min, max_lr) is here a
 * part of that. Formulas are PyTorch's, closed form.
 *
 * gr_plateau, below, is different: it looks at what is measured, and has a state.
 *
 * ERRORS
 *   Options that cannot be used make a schedule that says why in `invalid`; its factors are NaN, and gr_schedule_apply
 *   is GR_ERR_ARGUMENT.
 */
#ifndef GRADUS_SCHEDULE_H
#define GRADUS_SCHEDULE_H

#include "gradus/optim.h"

GR_BEGIN_DECLS

typedef struct gr_schedule gr_schedule;
typedef double gr_schedule_function(const gr_schedule *schedule, int64_t step);

/* Those below are made of the same as your own: {.factor = f, .user = ...}. */
struct gr_schedule {
    gr_schedule_function *factor;   /* at step >= 0, of what stands here and nothing else; finite, >= 0 */
    gr_schedule_function *momentum; /* as gr_schedule_momentum; NULL: none */
    double number[6];
    int64_t count[4];
    const void *user;
    int64_t warmup; /* steps before `factor` begins with step 0: see gr_schedule_warmup */
    double warmup_start;
    const char *invalid; /* why it cannot be used; NULL: it can */
};

/* ---- Using one ---- */

/* The factor at a step; a negative step is 0. NaN for an invalid schedule. */
GR_API double gr_schedule_factor(const gr_schedule *schedule, int64_t step);
/* Sets the factor of the optimiser's rates (gr_optimizer_set_rate_factor). */
GR_API gr_status gr_schedule_apply(const gr_schedule *schedule, gr_optimizer *optimizer, int64_t step);
/* What the momentum should be at a step, if the schedule says so (gr_schedule_one_cycle); else NaN. With Adam, for
   example:

       gr_adam_options o = *(const gr_adam_options *)gr_optimizer_options(adam);
       o.beta1 = gr_schedule_momentum(&schedule, step);
       gr_optimizer_set_options(adam, &o); */
GR_API double gr_schedule_momentum(const gr_schedule *schedule, int64_t step);

/* ---- Schedules ---- */

/* 1 */
GR_API gr_schedule gr_schedule_constant(void);
/* gamma^floor(t / period); period >= 1, gamma finite and >= 0. PyTorch: StepLR */
GR_API gr_schedule gr_schedule_step(int64_t period, double gamma);
/* gamma^k, where k of the n milestones are <= t. The milestones must not decrease; the array is not copied and must live
   as long as the schedule. PyTorch: MultiStepLR */
GR_API gr_schedule gr_schedule_multi_step(int n, const int64_t *milestones, double gamma);
/* gamma^t. PyTorch: ExponentialLR */
GR_API gr_schedule gr_schedule_exponential(double gamma);
/* From start to end on a line, start + (end - start) min(t, steps) / steps; steps >= 1; both finite and >= 0. PyTorch:
   LinearLR */
GR_API gr_schedule gr_schedule_linear(int64_t steps, double start, double end);

/* From 1 down to `floor`, in [0, 1], along half a cosine: floor + (1 - floor) (1 + cos(pi t / period)) / 2, and `floor`
   from t = period on, where PyTorch's CosineAnnealingLR climbs again. period >= 1. */
GR_API gr_schedule gr_schedule_cosine(int64_t period, double floor);
/* The same, beginning anew with 1 whenever a period is over, each period `multiplier` >= 1 times as long as the one
   before it (Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017). PyTorch:
   CosineAnnealingWarmRestarts, without the need to know its last period. */
GR_API gr_schedule gr_schedule_cosine_restarts(int64_t period, int64_t multiplier, double floor);

/* A schedule that begins `steps` later, after a linear warm-up: its first factor, times start + (1 - start) t / steps.
   start in [0, 1]; steps >= 0. A warm-up alone is gr_schedule_warmup(gr_schedule_constant(), steps, start). One that
   has a warm-up already is invalid. PyTorch: SequentialLR of LinearLR and the other. */
GR_API gr_schedule gr_schedule_warmup(gr_schedule schedule, int64_t steps, double start);

/* One cycle (Smith and Topin, "Super-convergence: very fast training of neural networks using large learning rates",
   2019): up from 1/divisor to 1, the largest rate, and down far below where it began; the momentum goes the other way.
   With the options zero it is PyTorch's OneCycleLR; the last step is total - 1, and what comes after stays as it is
   there, where PyTorch reports an error. The steps of the turn need not be whole numbers, as in PyTorch: up until
   rise total - 1, then down. */
typedef struct gr_one_cycle_options {
    double rise;          /* part of the steps that go up, in (0, 1]; 0: 0.3. In (0, 0.5] for three phases */
    double divisor;       /* the first factor is 1 / divisor; > 0; 0: 25 */
    double final_divisor; /* the last one is 1 / (divisor final_divisor); > 0; 0: 1e4 */
    bool linear;          /* on lines, not along half a cosine */
    bool three_phases;    /* down to where it began as fast as up, and then on to the last */
    double low_momentum;  /* at the largest rate; in [0, 1); with high_momentum, both 0: 0.85 */
    double high_momentum; /* at first and at last; in [0, 1); with low_momentum, both 0: 0.95 */
} gr_one_cycle_options;
/* total >= 1; options may be NULL. */
GR_API gr_schedule gr_schedule_one_cycle(int64_t total, const gr_one_cycle_options *options);

/* ---- Reduce on plateau ---- */

/* Whether what is monitored should become small (a loss) or large (an accuracy). */
typedef enum gr_monitor_mode { GR_MONITOR_MIN = 0, GR_MONITOR_MAX } gr_monitor_mode;

/* Reduces the rates when a measured value, as the loss of validation, has stopped to become better: PyTorch's
   ReduceLROnPlateau.

       gr_plateau plateau = gr_plateau_start(GR_MONITOR_MIN);
       plateau.patience = 5;
       for (each epoch) {
           ...
           gr_plateau_step(&plateau, opt, validation_loss);
       }

   A plain structure: copying it saves it. It changes the rates of the groups (not the factor, so that a schedule can
   work beside it), and these have to be saved with it. */
typedef struct gr_plateau {
    /* Settings, to be changed before the first step. */
    gr_monitor_mode mode;
    double factor;    /* in [0, 1): rates are multiplied by it; 0.1 */
    int64_t patience; /* >= 0: the value may be no better so many times in a row; 10 */
    double
        threshold; /* >= 0, finite: better is less than best (1 - threshold), or more than best (1 + threshold); 1e-4.
                          For values that are positive, as PyTorch's */
    bool absolute;     /* better is less than best - threshold, or more than best + threshold; false */
    int64_t cooldown;  /* >= 0: so many steps after a reduction nothing is counted; 0 */
    double min_rate;   /* >= 0: no rate is reduced below it; 0 */
    double min_change; /* >= 0: no rate is changed by less or as much; 1e-8. PyTorch: eps */
    /* State. */
    double best;
    int64_t waited;     /* steps in a row that were no better */
    int64_t cooling;    /* steps of the cooldown that are left */
    int64_t reductions; /* so far */
} gr_plateau;

GR_API gr_plateau gr_plateau_start(gr_monitor_mode mode);
/* Takes the next value (NaN is no better than any), and reduces the rates of all groups if it is time. Settings out of
   their ranges: GR_ERR_ARGUMENT, and nothing changes. */
GR_API gr_status gr_plateau_step(gr_plateau *plateau, gr_optimizer *optimizer, double value);

GR_END_DECLS

#endif
