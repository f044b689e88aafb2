/*
 * The training loop, made of public calls: fit.h has it written out.
 *
 * Invariant: what a batch adds to the history is added after its step, all of it or nothing; so whatever ends the loop,
 * history, parameters and batches agree, and the next call goes on from there.
 */
#include "gradus/fit.h"
#include "gradus/autograd.h"
#include "gradus/ops.h"
#include "train/history.h"
#include "train/progress.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* A loop under way, of gr_fit or of gr_evaluate. */
typedef struct loop {
    gr_graph *graph;
    const gr_fit_plan *plan;
    gr_history *history; /* NULL: of gr_evaluate */
    gri_progress progress;
    bool stopped;
    gr_fit_reason reason; /* why it stopped */
} loop;

/* A batch that has been handed out, and what became of it. */
typedef struct batch {
    gr_tensor inputs, targets, prediction, loss;
    int64_t examples;
    double value; /* of the loss */
} batch;

static gr_status status_of(const loop *l) { return gr_graph_status(l->graph); }

/* What a call on another object returned becomes the error of this graph, if there is none. */
static gr_status check(const loop *l, gr_status status, const char *what)
{
    if (status != GR_OK) gr_graph_fail(l->graph, status, "fit: %s", what);
    return status_of(l);
}

static void stop(loop *l, gr_fit_reason reason)
{
    if (!l->stopped) l->reason = reason;
    l->stopped = true;
}

/* Whether the loop goes on with another batch. */
static bool goes_on(loop *l)
{
    if (l->history && l->plan->stop && *l->plan->stop) stop(l, GR_FIT_SIGNAL);
    return !l->stopped && status_of(l) == GR_OK;
}

/* ---- Before the first batch ---- */

static gr_status check_model(const loop *l)
{
    const gr_fit_plan *p = l->plan;
    const char *missing = !p->forward ? "forward" : !p->loss ? "loss" : NULL;
    if (!missing && l->history) missing = !p->optimizer ? "optimizer" : !p->train ? "train" : NULL;
    if (!missing && p->n_metrics > 0 && !p->metrics) missing = "metrics";
    if (!missing && !p->inputs.graph != !p->targets.graph)
        missing = p->inputs.graph ? "targets, but inputs" : "inputs, but targets";
    if (missing) return gr_graph_fail(l->graph, GR_ERR_ARGUMENT, "fit: the plan has no %s", missing);
    if (p->n_metrics >= 0 && p->n_metrics <= GR_FIT_METRICS) return GR_OK;
    return gr_graph_fail(l->graph, GR_ERR_ARGUMENT, "fit: %d metrics, expected 0 to %d", p->n_metrics,
                         GR_FIT_METRICS);
}

/* Found here, and not when the epochs have been spent. */
static gr_status check_early_stopping(const loop *l)
{
    gr_early_stopping *early = l->plan->early_stopping;
    if (gr_early_stopping_count(early) > 0 && gr_early_stopping_tensor(early, 0).graph != l->graph)
        return gr_graph_fail(l->graph, GR_ERR_GRAPH, "fit: early stopping belongs to another graph");
    if (l->plan->restore_best) gr_early_stopping_copy(early, 0);
    return status_of(l);
}

static gr_status check_plan(const loop *l, int64_t epochs)
{
    const gr_fit_plan *p = l->plan;
    const gr_status status = check_model(l);
    if (status != GR_OK) return status;
    if (epochs < 1)
        return gr_graph_fail(l->graph, GR_ERR_ARGUMENT, "fit: %" PRId64 " epochs, expected at least 1",
                             epochs);
    if (!(p->clip_norm >= 0 && p->clip_value >= 0))
        return gr_graph_fail(l->graph, GR_ERR_ARGUMENT,
                             "fit: clip_norm %g, clip_value %g, expected numbers >= 0 (0: no clipping)",
                             p->clip_norm, p->clip_value);
    if (gr_optimizer_param_count(p->optimizer) > 0 && gr_optimizer_param(p->optimizer, 0).graph != l->graph)
        return gr_graph_fail(l->graph, GR_ERR_GRAPH, "fit: the optimizer belongs to another graph");
    if (p->validation == p->train)
        return gr_graph_fail(
            l->graph, GR_ERR_ARGUMENT,
            "fit: validation hands out the batches of training; make others of the same set");
    return p->early_stopping ? check_early_stopping(l) : GR_OK;
}

/* The leaves that batches go into: of the plan, or made here. */
static gr_status find_leaves(const loop *l, gr_batches *batches, gr_tensor leaf[2])
{
    leaf[0] = l->plan->inputs;
    leaf[1] = l->plan->targets;
    if (leaf[0].graph || leaf[1].graph) return GR_OK;
    const gr_status status = gr_batches_leaves(batches, &leaf[0], &leaf[1]);
    if (leaf[0].graph != l->graph)
        return gr_graph_fail(l->graph, GR_ERR_GRAPH, "fit: the batches belong to another graph");
    return check(l, status, "there are no leaves for batches");
}

/* Whether there can be leaves for validation: else an epoch would be trained before this is found. */
static gr_status check_validation(const loop *l)
{
    gr_tensor leaf[2];
    if (!l->plan->validation) return GR_OK;
    const gr_scope scope = gr_scope_begin(l->graph);
    find_leaves(l, l->plan->validation, leaf);
    gr_scope_end(scope, 0, NULL);
    return status_of(l);
}

/* ---- One batch ---- */

/* The next number of examples; 0: the epoch is over, or there is an error. */
static int64_t next_batch(const loop *l, gr_batches *batches, const gr_tensor leaf[2])
{
    const int64_t m = gr_batches_next(batches, leaf[0], leaf[1]);
    if (m < 0) check(l, GR_ERR_GRAPH, "the batches could not be handed out into leaves of this graph");
    return m > 0 ? m : 0;
}

/* The first m rows: all of them, but at the end of an epoch. */
static gr_tensor rows(gr_tensor leaf, int64_t m)
{
    return m < gr_dim(leaf, 0) ? gr_slice(leaf, 0, 0, m, 1) : leaf;
}

/* Prediction and loss, and their numbers in copies of the sums. */
static gr_status judge(const loop *l, batch *b, const gr_tensor leaf[2], int64_t m, bool training,
                       gri_fit_sums *sums)
{
    const gr_fit_plan *p = l->plan;
    *b = (batch){.inputs = rows(leaf[0], m), .targets = rows(leaf[1], m), .examples = m};
    b->prediction = p->forward(l->graph, b->inputs, training, p->user);
    b->loss = p->loss(b->prediction, b->targets);
    if (!b->loss.index)
        return check(l, GR_ERR_CALLBACK, "the plan's functions returned no loss, and no error");
    if (b->loss.graph != l->graph) return check(l, GR_ERR_GRAPH, "the loss belongs to another graph");
    b->value = gr_item(b->loss);
    sums->loss.sum += b->value * (double)m;
    sums->loss.weight += (double)m;
    sums->batches++;
    for (int i = 0; i < p->n_metrics; i++)
        gr_metric_add(&p->metrics[i], b->prediction, b->targets, &sums->metrics[i]);
    return status_of(l);
}

static void call_back(loop *l, const batch *b, bool training, const gri_fit_sums *sums, int64_t batches)
{
    if (!l->plan->on_batch || status_of(l) != GR_OK) return;
    const gr_fit_event event = {.graph = l->graph,
                                .plan = l->plan,
                                .history = l->history,
                                .training = training,
                                .epoch = l->history ? l->history->state.epochs + 1 : 0,
                                .batch = sums->batches,
                                .batches = batches,
                                .examples = b->examples,
                                .loss = b->value,
                                .inputs = b->inputs,
                                .targets = b->targets,
                                .prediction = b->prediction};
    if (l->plan->on_batch(&event, l->plan->user) != GR_FIT_GO_ON) stop(l, GR_FIT_CALLBACK);
}

/* From the loss to the step. */
static gr_status make_step(const loop *l, const batch *b, const gri_fit_sums *sums)
{
    const gr_fit_plan *p = l->plan;
    gr_history *h = l->history;
    const gr_tensor total = p->penalty ? gr_add(b->loss, p->penalty(l->graph, p->user)) : b->loss;
    const double value = p->require_finite ? gr_item(total) : 0;
    if (!isfinite(value))
        return gr_graph_fail(l->graph, GR_ERR_NOT_FINITE,
                             "fit: the loss of batch %" PRId64 " of epoch %" PRId64 " is %s", sums->batches,
                             h->state.epochs + 1, isnan(value) ? "nan" : "infinite");
    gr_clear_grads(l->graph);
    gr_backward(total);
    if (p->clip_value > 0) gr_clip_grad_value(l->graph, p->clip_value, 0, NULL);
    if (p->clip_norm > 0) gr_clip_grad_norm(l->graph, p->clip_norm, 0, NULL, NULL);
    if (p->schedule)
        gr_schedule_apply(p->schedule, p->optimizer, p->schedule_by_epoch ? h->state.epochs : h->state.steps);
    if (status_of(l) != GR_OK) return status_of(l);
    return check(l, gr_optimizer_step(p->optimizer), "the optimizer made no step");
}

static void train_batch(loop *l, const gr_tensor leaf[2], int64_t m)
{
    gr_history *h = l->history;
    gri_fit_sums sums = h->sums;
    batch b;
    const gr_scope scope = gr_scope_begin(l->graph);
    if (judge(l, &b, leaf, m, true, &sums) == GR_OK && make_step(l, &b, &sums) == GR_OK) {
        h->sums = sums;
        h->state.steps++;
        h->rate = gr_optimizer_rate(l->plan->optimizer) * gr_optimizer_rate_factor(l->plan->optimizer);
        call_back(l, &b, true, &h->sums, gr_batches_per_epoch(l->plan->train));
    }
    gr_scope_end(scope, 0, NULL);
}

/* ---- One epoch ---- */

/* Trains until the epoch is over; h->trained says whether it is. */
static void train(loop *l, const gr_tensor leaf[2])
{
    gr_history *h = l->history;
    double before = gri_progress_clock(l->plan);
    while (!h->trained && goes_on(l)) {
        const int64_t m = next_batch(l, l->plan->train, leaf);
        if (status_of(l) != GR_OK) break;
        if (m > 0) train_batch(l, leaf, m);
        /* Batches that stood at the end of an epoch begin the next one. */
        h->trained = m == 0 && h->sums.batches > 0;
        const double now = gri_progress_clock(l->plan);
        h->seconds += now - before;
        before = now;
        if (m > 0 && status_of(l) == GR_OK)
            check(l, gri_progress_batch(&l->progress, now), "the writer refused the progress");
    }
}

/* Evaluates from the first batch on, and leaves the batches where they were: training may be in the middle of them. */
static gr_status evaluate(loop *l, gr_batches *batches, gri_fit_sums *sums)
{
    gr_tensor leaf[2];
    int64_t m;
    const gr_batches_state before = gr_batches_get(batches);
    memset(sums, 0, sizeof *sums);
    gr_confusion_clear(l->plan->confusion);
    const gr_scope all = gr_scope_begin(l->graph);
    gr_no_grad_begin(l->graph);
    gr_batches_start(batches, 0);
    find_leaves(l, batches, leaf);
    while (goes_on(l) && (m = next_batch(l, batches, leaf)) > 0) {
        gri_fit_sums sum = *sums;
        batch b;
        const gr_scope scope = gr_scope_begin(l->graph);
        judge(l, &b, leaf, m, false, &sum);
        if (l->plan->confusion && status_of(l) == GR_OK)
            gr_confusion_add(l->plan->confusion, b.prediction, b.targets);
        if (status_of(l) == GR_OK) {
            *sums = sum;
            call_back(l, &b, false, sums, gr_batches_per_epoch(batches));
        }
        gr_scope_end(scope, 0, NULL);
    }
    gr_no_grad_end(l->graph);
    gr_scope_end(all, 0, NULL);
    gr_batches_set(batches, before);
    return status_of(l);
}

/* What follows from the last row: rates, whether it is time to stop, the line, the callback. */
static void end_epoch(loop *l, double examples, int64_t batches)
{
    const gr_fit_plan *p = l->plan;
    const gr_history *h = l->history;
    const double monitored = gr_history_last(h, p->monitor      ? p->monitor
                                                : p->validation ? "val_loss"
                                                                : "loss");
    bool early = false;
    if (p->plateau)
        check(l, gr_plateau_step(p->plateau, p->optimizer, monitored), "the plateau has another graph");
    if (p->early_stopping)
        check(l, gr_early_stopping_update(p->early_stopping, monitored, &early),
              "early stopping has another graph");
    check(l, gri_progress_erase(&l->progress), "the writer refused the progress");
    check(l, gri_progress_epoch(&l->progress, examples), "the writer refused the progress");
    if (early) stop(l, GR_FIT_EARLY);
    if (!p->on_epoch || status_of(l) != GR_OK) return;
    const gr_fit_event event = {.graph = l->graph,
                                .plan = p,
                                .history = l->history,
                                .epoch = h->state.epochs,
                                .batch = batches,
                                .batches = batches,
                                .examples = (int64_t)examples,
                                .loss = gr_history_last(h, "loss")};
    if (p->on_epoch(&event, p->user) != GR_FIT_GO_ON) stop(l, GR_FIT_CALLBACK);
}

static void run_epoch(loop *l, const gr_tensor leaf[2])
{
    gr_history *h = l->history;
    gri_fit_sums validation;
    double seconds = 0;
    if (gri_history_reserve(h) != GR_OK) return;
    train(l, leaf);
    if (!h->trained || status_of(l) != GR_OK) return;
    if (l->plan->validation) {
        const double before = gri_progress_clock(l->plan);
        check(l, gri_progress_validation(&l->progress), "the writer refused the progress");
        evaluate(l, l->plan->validation, &validation);
        seconds = gri_progress_clock(l->plan) - before;
        /* What was stopped inside is done anew by the next call. */
        if (l->stopped || status_of(l) != GR_OK) return;
    }
    const gri_fit_sums sums = h->sums;
    gri_history_add(h, l->plan, l->plan->validation ? &validation : NULL, seconds);
    end_epoch(l, sums.loss.weight, sums.batches);
}

/* ---- The loop ---- */

/* What the end of a loop leaves to be done, whatever the reason. */
static gr_status finish(loop *l)
{
    const gr_fit_plan *p = l->plan;
    const bool best = l->stopped && l->reason == GR_FIT_EARLY && p->restore_best &&
                      gr_early_stopping_get(p->early_stopping).best_at >= 0;
    if (best && status_of(l) == GR_OK)
        check(l, gr_early_stopping_restore(p->early_stopping), "the best parameters could not be restored");
    check(l, gri_progress_erase(&l->progress), "the writer refused the progress");
    l->history->reason = status_of(l) != GR_OK ? GR_FIT_ERROR : l->stopped ? l->reason : GR_FIT_EPOCHS;
    l->history->running = false;
    return status_of(l);
}

/* The examples that an epoch hands out. */
static int64_t examples_of(const gr_batches *batches)
{
    const gr_batches_state state = gr_batches_get(batches);
    return state.drop_last ? state.batch * gr_batches_per_epoch(batches) : state.samples;
}

gr_status gr_fit(gr_graph *g, const gr_fit_plan *plan, int64_t epochs, gr_history *history)
{
    if (!g) return GR_ERR_HANDLE;
    if (gr_graph_status(g) != GR_OK) return gr_graph_status(g);
    if (!plan || !history)
        return gr_graph_fail(g, GR_ERR_ARGUMENT, "fit: there is no %s", plan ? "history" : "plan");
    if (history->graph != g)
        return gr_graph_fail(g, GR_ERR_GRAPH, "fit: the history belongs to another graph");
    if (history->running)
        return gr_graph_fail(g, GR_ERR_STATE, "fit: a gr_fit with this history is under way");
    const gr_fit_plan own =
        *plan; /* callbacks may change theirs; the columns of the history are those of this one */
    loop l = {.graph = g, .plan = &own, .history = history};
    l.progress = (gri_progress){.plan = &own, .history = history};
    gr_tensor leaf[2];
    history->running = true;
    if (check_plan(&l, epochs) != GR_OK) return finish(&l);
    const int64_t done = history->state.epochs;
    l.progress.epochs = epochs > INT64_MAX - done ? INT64_MAX : done + epochs;
    l.progress.examples = examples_of(own.train);
    const gr_scope scope = gr_scope_begin(g);
    if (find_leaves(&l, own.train, leaf) == GR_OK && check_validation(&l) == GR_OK)
        gri_history_begin(history, &own);
    for (int64_t i = 0; i < epochs && goes_on(&l); i++) run_epoch(&l, leaf);
    gr_scope_end(scope, 0, NULL);
    return finish(&l);
}

gr_status gr_evaluate(gr_graph *g, const gr_fit_plan *plan, gr_batches *batches, double *loss,
                      double *metrics)
{
    const gr_fit_plan own = plan ? *plan : (gr_fit_plan){.n_metrics = 0};
    loop l = {.graph = g, .plan = &own};
    gri_fit_sums sums = {.batches = 0};
    gr_status status = g ? gr_graph_status(g) : GR_ERR_HANDLE;
    if (status == GR_OK && (!plan || !batches))
        status = gr_graph_fail(g, GR_ERR_ARGUMENT, "fit: there are no %s", plan ? "batches" : "plans");
    if (status == GR_OK) status = check_model(&l);
    if (status == GR_OK) status = evaluate(&l, batches, &sums);
    if (status != GR_OK) sums = (gri_fit_sums){.batches = 0};
    if (loss) *loss = gr_average_value(sums.loss);
    for (int i = 0; metrics && i < own.n_metrics && i < GR_FIT_METRICS; i++)
        metrics[i] = gr_average_value(sums.metrics[i]);
    return status;
}
