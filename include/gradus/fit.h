/*
 * A training loop: epochs over batches, validation, metrics, schedules, early stopping, a history, and something to
 * look at meanwhile.
 *
 *     static gr_tensor forward(gr_graph *g, gr_tensor inputs, bool training, void *user)
 *     {
 *         const gr_mlp *net = user;
 *         return gr_mlp_forward(*net, gr_dropout(inputs, 0.1, training));
 *     }
 *     ...
 *     gr_batches *train = gr_batches_create_tensors(g, x, labels, 32, seed, NULL);
 *     const gr_metric accuracy = gr_metric_accuracy();
 *     const gr_fit_plan plan = {.forward = forward,
 *                               .user = &net,
 *                               .loss = gr_softmax_cross_entropy,
 *                               .optimizer = gr_adam(g, 1e-3),
 *                               .validation = gr_batches_split(train, 0.2),
 *                               .train = train,
 *                               .n_metrics = 1,
 *                               .metrics = &accuracy,
 *                               .progress = gr_stream_writer,
 *                               .progress_user = stdout,
 *                               .terminal = isatty(STDOUT_FILENO)};
 *     gr_history *history = gr_history_create(g);
 *     gr_fit(g, &plan, 10, history);
 *     printf("%g\n", gr_history_last(history, "val_accuracy"));
 *     gr_fit(g, &plan, 5, history);                                       five more
 *
 * NOTHING HIDDEN
 *   The loop is made of public calls alone, and has no state: what goes on from one call to the next is in the objects
 *   that it is given. Written out, it is this, from which you may go your own way; gr_fit gives the same losses and
 *   parameters, bit for bit. What is left out here is the history, the callbacks, the texts and the reasons to stop.
 *
 *     static gr_status one_epoch(gr_graph *g, const gr_fit_plan *p, gr_tensor x, gr_tensor t, int64_t *step,
 *                                double *loss, double *metric)
 *     {
 *         gr_average losses = {0}, values = {0};
 *         int64_t m;
 *         while ((m = gr_batches_next(p->train, x, t)) > 0) {
 *             const gr_scope scope = gr_scope_begin(g);
 *             const gr_tensor inputs = m < gr_dim(x, 0) ? gr_slice(x, 0, 0, m, 1) : x;
 *             const gr_tensor targets = m < gr_dim(x, 0) ? gr_slice(t, 0, 0, m, 1) : t;
 *             const gr_tensor prediction = p->forward(g, inputs, true, p->user);
 *             const gr_tensor one = p->loss(prediction, targets);
 *             gr_metric_add(&p->metrics[0], prediction, targets, &values);
 *             gr_clear_grads(g);
 *             gr_backward(p->penalty ? gr_add(one, p->penalty(g, p->user)) : one);
 *             if (p->clip_value > 0) gr_clip_grad_value(g, p->clip_value, 0, NULL);
 *             if (p->clip_norm > 0) gr_clip_grad_norm(g, p->clip_norm, 0, NULL, NULL);
 *             if (p->schedule) gr_schedule_apply(p->schedule, p->optimizer, *step);
 *             if (gr_optimizer_step(p->optimizer) == GR_OK) {
 *                 losses.sum += gr_item(one) * (double)m;
 *                 losses.weight += (double)m;
 *                 ++*step;
 *             }
 *             gr_scope_end(scope, 0, NULL);
 *         }
 *         *loss = gr_average_value(losses);
 *         *metric = gr_average_value(values);
 *         return gr_graph_status(g);
 *     }
 *
 *     static gr_status validate(gr_graph *g, const gr_fit_plan *p, gr_tensor x, gr_tensor t, double *loss)
 *     {
 *         gr_average losses = {0};
 *         int64_t m;
 *         gr_batches_start(p->validation, 0);
 *         gr_no_grad_begin(g);
 *         while ((m = gr_batches_next(p->validation, x, t)) > 0) {
 *             const gr_scope scope = gr_scope_begin(g);
 *             const gr_tensor inputs = m < gr_dim(x, 0) ? gr_slice(x, 0, 0, m, 1) : x;
 *             const gr_tensor targets = m < gr_dim(x, 0) ? gr_slice(t, 0, 0, m, 1) : t;
 *             losses.sum += gr_item(p->loss(p->forward(g, inputs, false, p->user), targets)) * (double)m;
 *             losses.weight += (double)m;
 *             gr_scope_end(scope, 0, NULL);
 *         }
 *         gr_no_grad_end(g);
 *         *loss = gr_average_value(losses);
 *         return gr_graph_status(g);
 *     }
 *
 *     static gr_status train(gr_graph *g, const gr_fit_plan *p, int64_t epochs, double *losses, double *metrics)
 *     {
 *         gr_tensor x, t, vx, vt;
 *         int64_t step = 0;
 *         double validation = 0;
 *         bool stop = false;
 *         gr_batches_leaves(p->train, &x, &t);
 *         gr_batches_leaves(p->validation, &vx, &vt);
 *         for (int64_t epoch = 0; epoch < epochs && !stop; epoch++) {
 *             if (one_epoch(g, p, x, t, &step, &losses[epoch], &metrics[epoch]) != GR_OK) break;
 *             if (validate(g, p, vx, vt, &validation) != GR_OK) break;
 *             if (p->plateau) gr_plateau_step(p->plateau, p->optimizer, validation);
 *             if (p->early_stopping) gr_early_stopping_update(p->early_stopping, validation, &stop);
 *         }
 *         if (stop && p->restore_best) gr_early_stopping_restore(p->early_stopping);
 *         return gr_graph_status(g);
 *     }
 *
 * STOPPING
 *   After the batch that is under way, by a callback, or by a signal: Gradus installs no handlers, but looks at a variable
 *   that yours sets.
 *
 *     static volatile sig_atomic_t stop;
 *     static void on_signal(int number) { stop = number; }
 *     ...
 *     signal(SIGINT, on_signal);
 *     gr_fit(g, &(gr_fit_plan){..., .stop = &stop}, 100, history);
 *     if (gr_history_reason(history) == GR_FIT_SIGNAL) gr_save(g, "model.safetensors", NULL);
 *
 *   Whatever ended it, parameters, optimiser, batches and history are as they were after the last whole step, and another
 *   gr_fit goes on from there, in the middle of the epoch if need be: with `stop` set to 0 again, or after
 *   gr_graph_clear_error, as if nothing had been between. An epoch that was ended by an error goes on behind the batch that
 *   failed, which does not count.
 *
 *   To go on in another process, save the run (gr_save_training, with .batches = train) where an epoch has ended, as in
 *   on_epoch, together with the numbers of gr_history_get, which gr_history_set takes. Then it goes on bit for bit, too.
 *
 * PROGRESS
 *   A line for each epoch goes to the writer `progress`. On a terminal, which you say, there is a bar in between that
 *   overwrites itself, with examples per second and the seconds left of the epoch; it is made for 80 columns. Without a writer
 *   all is silent.
 *
 *     epoch 3/10  [#######...........]  41 %  5312 examples/s  ETA 7 s  loss 0.412305
 *     epoch 3/10  loss 0.398127  accuracy 0.8554  val_loss 0.409876  val_accuracy 0.852  rate 0.001  5290 examples/s
 */
#ifndef GRADUS_FIT_H
#define GRADUS_FIT_H

#include <signal.h>

#include "gradus/io.h"
#include "gradus/loss.h"
#include "gradus/metrics.h"
#include "gradus/regularise.h"

GR_BEGIN_DECLS

typedef struct gr_fit_plan gr_fit_plan;
typedef struct gr_history gr_history;

/* ---- What you give it ---- */

/* The prediction for a batch. inputs: [m, ...], m of the batch's size or, at the end of an epoch, fewer. training: false in
   evaluation; layers with dropout or running figures take it on. */
typedef gr_tensor gr_fit_forward(gr_graph *g, gr_tensor inputs, bool training, void *user);

/* What is added to the loss of each batch that is trained on, and of none that is evaluated: gr_l2_penalty(g, ...). */
typedef gr_tensor gr_fit_penalty(gr_graph *g, void *user);

/* What callbacks are told. */
typedef struct gr_fit_event {
    gr_graph *graph;
    const gr_fit_plan *plan; /* a copy of it, which ends with the call */
    gr_history *history;     /* NULL in gr_evaluate */
    bool training;           /* of a batch: trained on, and not evaluated */
    int64_t epoch;           /* from 1, over all calls with this history; 0 in gr_evaluate */
    int64_t batch, batches;  /* of the epoch, from 1; of on_epoch: both the number of its batches */
    int64_t examples;        /* in the batch; in the epoch */
    double loss;             /* their mean */
    gr_tensor inputs, targets, prediction; /* of the batch, until the callback returns; on_epoch: invalid */
} gr_fit_event;

typedef enum gr_fit_verdict { GR_FIT_GO_ON = 0, GR_FIT_STOP } gr_fit_verdict;

/* It may read everything, and save, set rates and write parameters, which the next batch then sees, and evaluate, batches of
   training as well; it must not call gr_graph_reset, or gr_fit with the same history (GR_ERR_STATE). To end the loop
   with an error: gr_graph_fail. */
typedef gr_fit_verdict gr_fit_callback(const gr_fit_event *event, void *user);

/* What is to be done. Everything that is not said to be needed may be left zero. Set fields by name: more will be added. A
   call copies the structure when it begins: what is changed later is for the next call. */
struct gr_fit_plan {
    /* The model. */
    gr_fit_forward *forward; /* needed */
    gr_loss *loss;           /* needed: a mean over the batch, as gr_mse; batches count by their examples */
    gr_fit_penalty *penalty;
    gr_optimizer *optimizer; /* needed by gr_fit */
    void *user;              /* for all functions of the plan */

    /* The data. */
    gr_batches *train; /* needed by gr_fit */
    gr_batches
        *validation; /* others; evaluated at the end of each epoch, always in the order of its epoch 0 */
    /* Leaves for batches, all of one size; both or none. Zero: gr_batches_leaves makes them, and they go when the call returns. */
    gr_tensor inputs, targets;

    /* What is measured, besides the loss. */
    int n_metrics; /* at most GR_FIT_METRICS, with different names */
    const gr_metric *metrics;
    gr_confusion *confusion; /* of what was evaluated last: cleared, and counted, by each evaluation */

    /* Steps. Gradients are clipped by value first, then by norm; 0: not at all. */
    double clip_value, clip_norm;
    const gr_schedule *schedule;       /* applied before each step, to the number of steps of the history */
    bool schedule_by_epoch;            /* to that of epochs */
    gr_plateau *plateau;               /* at the end of an epoch, with the value of what is monitored */
    gr_early_stopping *early_stopping; /* the same */
    bool restore_best;   /* when it has stopped, gr_early_stopping_restore, which needs its keep_best */
    const char *monitor; /* a column of the history; NULL: "val_loss", or without validation "loss" */
    bool require_finite; /* a loss, penalty included, that is NaN or infinite: GR_ERR_NOT_FINITE, no step */

    /* Being told, and stopping. */
    gr_fit_callback *on_batch;         /* after each batch, evaluated ones too */
    gr_fit_callback *on_epoch;         /* when all of an epoch is in the history */
    const volatile sig_atomic_t *stop; /* looked at before each batch: anything but 0 stops */

    /* Progress. */
    gr_writer *progress; /* NULL: silence */
    void *progress_user;
    bool terminal; /* the text goes to a terminal: a bar, redrawn ten times per second at most */
    bool bar_only; /* no lines for epochs: on_epoch writes its own, on an empty line */
    double (*clock)(void *user); /* seconds from any beginning; NULL: the time of the system */
};

enum { GR_FIT_METRICS = 16, GR_FIT_NAME_BYTES = 64 };

/* ---- The loop ---- */

/* Trains for so many epochs more, >= 1; one that was interrupted counts. Returns GR_OK however it ended, but for an error,
   which it returns. GR_ERR_ARGUMENT: something needed is missing, epochs < 1, a column that is not there to be monitored,
   validation that is train; GR_ERR_GRAPH: objects of different graphs; GR_ERR_STATE: the history has other columns than
   this plan would fill, or is in use by a gr_fit that this one was called from; GR_ERR_INDEX: restore_best without keep_best;
   GR_ERR_NAME: two metrics of one name, or one of none; and all that the functions report that it calls. */
GR_API gr_status gr_fit(gr_graph *g, const gr_fit_plan *plan, int64_t epochs, gr_history *history);

/* Evaluates batches, from the start of their epoch 0: forward without training, nothing recorded. Of the plan it uses
   the model, the metrics, confusion and on_batch, and inputs and targets, if given. *loss: the mean over the examples; metrics:
   n_metrics values; each may be NULL. They are NaN on error, and what on_batch stops is the mean of what was seen. The batches
   stand afterwards where they stood before, but after an error behind the batch that failed. */
GR_API gr_status gr_evaluate(gr_graph *g, const gr_fit_plan *plan, gr_batches *batches, double *loss,
                             double *metrics);

/* ---- The history ---- */

/* Why a gr_fit ended. */
typedef enum gr_fit_reason {
    GR_FIT_EPOCHS = 0, /* all epochs are done; or none has begun yet */
    GR_FIT_EARLY,      /* early stopping */
    GR_FIT_CALLBACK,   /* a callback said GR_FIT_STOP */
    GR_FIT_SIGNAL,     /* *stop was not 0 */
    GR_FIT_ERROR       /* gr_fit returned it, and gr_graph_error says more */
} gr_fit_reason;
/* "all epochs", "early stopping", "callback", "signal", "error". */
GR_API const char *gr_fit_reason_name(gr_fit_reason reason);

/* A row for each epoch that was finished, in the columns
     epoch               from 1
     loss, <metric>...   means over the examples that were trained on, as seen while training, without penalty
     seconds             that training took
     val_loss, val_<metric>..., val_seconds   with validation only
     rate                of the first group, times the factor, in the last step
   It belongs to its graph, and grows by doubling. NULL on error. */
GR_API gr_history *gr_history_create(gr_graph *g);

/* Of a NULL history these return 0, NULL, NaN or GR_FIT_ERROR. */
GR_API gr_fit_reason gr_history_reason(const gr_history *history);
GR_API int64_t gr_history_rows(const gr_history *history);
/* The names of the columns; NULL out of range. There are none before the first gr_fit. */
GR_API int gr_history_columns(const gr_history *history);
GR_API const char *gr_history_name(const gr_history *history, int column);
/* The values of a column, one for each row: valid until the next gr_fit. NULL: there is no such column. */
GR_API const double *gr_history_values(const gr_history *history, const char *name);
/* The last value; NaN if there is none. */
GR_API double gr_history_last(const gr_history *history, const char *name);
/* CSV (csv.h reads it): the names, then a line for each row, in as many digits as tell doubles apart. GR_ERR_IO: the writer
   refused. */
GR_API gr_status gr_history_write(const gr_history *history, gr_writer *write, void *user);

/* How much has been trained: with these in a history without rows, training goes on in another process. */
typedef struct gr_history_state {
    int64_t epochs; /* finished */
    int64_t steps;  /* of the optimiser */
} gr_history_state;
GR_API gr_history_state gr_history_get(const gr_history *history);
/* GR_ERR_ARGUMENT: a number < 0 or > 2^53; GR_ERR_STATE: a gr_fit or an epoch is under way, or there are rows. */
GR_API gr_status gr_history_set(gr_history *history, gr_history_state state);

GR_END_DECLS

#endif
