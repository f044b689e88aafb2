/*
 * The training loop: the same numbers as the loop that the manual has written out, whatever ends it goes on as if nothing
 * had been, and what it shows, keeps and refuses.
 */
#include "gradus.h"
#include "test.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>

#include "loop.inc" /* from fit.h: one_epoch, validate, train */

enum { N = 61, FEATURES = 4, CLASSES = 3, BATCH = 8, EPOCHS = 5, PARTS = 9 };

/* A network with dropout and running figures on a set with an incomplete last batch. */
typedef struct rig {
    gr_graph *g;
    gr_linear first, last;
    gr_batch_norm_layer norm;
    gr_metric accuracy;
    gr_schedule schedule;
    gr_plateau plateau;
    gr_fit_plan plan;
    gr_history *history;
    /* What callbacks do. */
    int64_t stop_epoch, stop_batch; /* 0: nowhere */
    bool stop_training;             /* else in evaluation */
    void (*at_stop)(struct rig *r, const gr_fit_event *event);
    int called;
    double ticks, step; /* of clocks */
} rig;

static gr_tensor forward(gr_graph *g, gr_tensor x, bool training, void *user)
{
    const rig *r = user;
    (void)g;
    const gr_tensor h = gr_batch_norm_layer_forward(r->norm, gr_linear_forward(r->first, x), training);
    return gr_linear_forward(r->last, gr_dropout(gr_tanh(h), 0.25, training));
}

static gr_tensor penalty(gr_graph *g, void *user)
{
    const rig *r = user;
    return gr_l2_penalty(g, 0.01, 1, &r->first.weight);
}

static gr_tensor inputs_of(gr_graph *g, int64_t n)
{
    double x[N * FEATURES];
    for (int i = 0; i < N * FEATURES; i++) x[i] = sin(1.3 * i) + (i / FEATURES % CLASSES == i % FEATURES);
    return gr_constant(g, GR_F64, GR_SHAPE(n, FEATURES), x);
}

static gr_tensor labels_of(gr_graph *g, int64_t n)
{
    int32_t labels[N];
    for (int i = 0; i < N; i++) labels[i] = i % CLASSES;
    return gr_constant(g, GR_I32, GR_SHAPE(n), labels);
}

static void make_bare(rig *r)
{
    *r = (rig){.g = gr_graph_create(&(gr_graph_options){.seed = 11}), .accuracy = gr_metric_accuracy()};
    r->first = gr_linear_create(r->g, "first", GR_F64, FEATURES, 6, NULL);
    r->norm = gr_batch_norm_layer_create(r->g, "norm", GR_F64, 6);
    r->last = gr_linear_create(r->g, "last", GR_F64, 6, CLASSES, NULL);
    gr_batches *batches = gr_batches_create_tensors(r->g, inputs_of(r->g, N), labels_of(r->g, N), BATCH, 5,
                                                    NULL);
    gr_batches *validation = gr_batches_split(batches, 0.3);
    r->plan = (gr_fit_plan){.forward = forward,
                            .loss = gr_softmax_cross_entropy,
                            .user = r,
                            .optimizer = gr_adam(r->g, 0.02),
                            .train = batches,
                            .validation = validation};
    r->history = gr_history_create(r->g);
    CHECK(gr_graph_status(r->g) == GR_OK);
}

/* With all that a plan can have. */
static void make(rig *r)
{
    make_bare(r);
    r->schedule = gr_schedule_cosine(60, 0.1);
    r->plateau = gr_plateau_start(GR_MONITOR_MIN);
    r->plateau.patience = 0;
    r->plan.penalty = penalty;
    r->plan.n_metrics = 1;
    r->plan.metrics = &r->accuracy;
    r->plan.clip_norm = 0.5;
    r->plan.clip_value = 0.3;
    r->plan.schedule = &r->schedule;
    r->plan.plateau = &r->plateau;
    r->plan.early_stopping = gr_early_stopping_create(
        r->g, &(gr_early_stopping_options){.patience = 2, .min_delta = 0.02, .keep_best = true}, 0, NULL);
    r->plan.restore_best = true;
    CHECK(gr_graph_status(r->g) == GR_OK);
}

/* Whether all parameters and running figures are the same, bit for bit. */
static bool same_models(const rig *a, const rig *b)
{
    gr_tensor x[PARTS] = {a->norm.running_mean, a->norm.running_variance},
              y[PARTS] = {b->norm.running_mean, b->norm.running_variance};
    const int n = gr_param_count(a->g);
    for (int i = 0; i < n && i + 2 < PARTS; i++) {
        x[i + 2] = gr_param_at(a->g, i);
        y[i + 2] = gr_param_at(b->g, i);
    }
    for (int i = 0; i < n + 2 && i < PARTS; i++) {
        const void *p = gr_data(x[i]), *q = gr_data(y[i]);
        if (!p || !q || memcmp(p, q, (size_t)gr_count(x[i]) * sizeof(double)) != 0) return false;
    }
    return n > 0;
}

/* Whether both have the same rows, but for times. */
static bool same_histories(const gr_history *a, const gr_history *b)
{
    const int64_t rows = gr_history_rows(a);
    if (rows != gr_history_rows(b) || gr_history_columns(a) != gr_history_columns(b) || rows == 0)
        return false;
    for (int i = 0; i < gr_history_columns(a); i++) {
        const char *name = gr_history_name(a, i);
        if (strstr(name, "seconds")) continue;
        if (memcmp(gr_history_values(a, name), gr_history_values(b, name), (size_t)rows * sizeof(double)) !=
            0)
            return false;
    }
    return true;
}

/* ---- Nothing hidden ---- */

static void compare_with_the_manual(bool everything, int64_t epochs, bool stops_early)
{
    rig a, b;
    double losses[64] = {0}, metrics[64] = {0};
    make(&a);
    make(&b);
    rig *const both[] = {&a, &b};
    for (int i = 0; i < 2 && !everything; i++) {
        both[i]->plan.penalty = NULL;
        both[i]->plan.schedule = NULL;
        both[i]->plan.plateau = NULL;
        both[i]->plan.early_stopping = NULL;
        both[i]->plan.clip_norm = both[i]->plan.clip_value = 0;
    }
    CHECK(gr_fit(a.g, &a.plan, epochs, a.history) == GR_OK);
    CHECK(train(b.g, &b.plan, epochs, losses, metrics) == GR_OK);
    const int64_t rows = gr_history_rows(a.history);
    CHECK((gr_history_reason(a.history) == GR_FIT_EARLY) == stops_early);
    CHECK((rows < epochs) == stops_early && rows > 0);
    CHECK(same_models(&a, &b));
    CHECK(!memcmp(gr_history_values(a.history, "loss"), losses, (size_t)rows * sizeof *losses));
    CHECK(!memcmp(gr_history_values(a.history, "accuracy"), metrics, (size_t)rows * sizeof *metrics));
    CHECK(losses[rows - 1] < losses[0] && losses[rows] == 0);
    CHECK(gr_graph_status(a.g) == GR_OK && gr_graph_status(b.g) == GR_OK);
    gr_graph_destroy(a.g);
    gr_graph_destroy(b.g);
}

static void is_the_loop_of_the_manual(void)
{
    compare_with_the_manual(false, EPOCHS, false);
    compare_with_the_manual(true, EPOCHS, false);
    compare_with_the_manual(true, 60, true);
}

/* ---- Stopping, and going on ---- */

static volatile sig_atomic_t stopped;
static void on_signal(int number)
{
    stopped = number;
    signal(number, on_signal); /* some systems take the handler away when it is called */
}

static gr_fit_verdict on_batch(const gr_fit_event *e, void *user)
{
    rig *r = user;
    r->called++;
    CHECK(e->graph == r->g && e->history == r->history && e->plan->user == r);
    CHECK(gr_dim(e->inputs, 0) == e->examples && gr_dim(e->prediction, 0) == e->examples);
    CHECK(gr_count(e->targets) == e->examples && e->batch >= 1 && e->batch <= e->batches);
    if (e->epoch != r->stop_epoch || e->batch != r->stop_batch || e->training != r->stop_training)
        return GR_FIT_GO_ON;
    if (!r->at_stop) return GR_FIT_STOP;
    r->at_stop(r, e);
    return GR_FIT_GO_ON;
}

static void raise_signal(rig *r, const gr_fit_event *e)
{
    (void)r, (void)e;
    raise(SIGINT);
}

static void fail(rig *r, const gr_fit_event *e)
{
    (void)e;
    gr_graph_fail(r->g, GR_ERR_CALLBACK, "on purpose");
}

static void interrupt(bool training, int64_t epoch, int64_t batch, void (*how)(rig *, const gr_fit_event *),
                      gr_fit_reason reason)
{
    rig whole, cut;
    make(&whole);
    make(&cut);
    CHECK(gr_fit(whole.g, &whole.plan, EPOCHS, whole.history) == GR_OK);
    CHECK(gr_history_reason(whole.history) == GR_FIT_EPOCHS);
    stopped = 0;
    cut.plan.stop = &stopped;
    cut.plan.on_batch = on_batch;
    cut.stop_epoch = epoch;
    cut.stop_batch = batch;
    cut.stop_training = training;
    cut.at_stop = how;
    const gr_status status = gr_fit(cut.g, &cut.plan, EPOCHS, cut.history);
    CHECK(status == (reason == GR_FIT_ERROR ? GR_ERR_CALLBACK : GR_OK));
    CHECK(gr_history_reason(cut.history) == reason);
    CHECK(gr_history_rows(cut.history) == epoch - 1);
    CHECK(!same_models(&whole, &cut) || (epoch == EPOCHS && !training));
    /* The graph is usable in between. */
    gr_graph_clear_error(cut.g);
    CHECK(gr_graph_reset(cut.g) == GR_OK && gr_is_recording(cut.g));
    stopped = 0;
    cut.stop_epoch = 0;
    CHECK(gr_fit(cut.g, &cut.plan, EPOCHS - gr_history_rows(cut.history), cut.history) == GR_OK);
    CHECK(gr_history_reason(cut.history) == GR_FIT_EPOCHS);
    CHECK(same_models(&whole, &cut));
    CHECK(same_histories(whole.history, cut.history));
    CHECK(gr_history_get(cut.history).steps == gr_history_get(whole.history).steps);
    gr_graph_destroy(whole.g);
    gr_graph_destroy(cut.g);
}

static void goes_on_where_it_was_stopped(void)
{
    signal(SIGINT, on_signal);
    interrupt(true, 2, 3, NULL, GR_FIT_CALLBACK);
    interrupt(true, 1, 1, NULL, GR_FIT_CALLBACK);
    interrupt(true, 3, 6, NULL, GR_FIT_CALLBACK); /* the last batch of the epoch */
    interrupt(true, 2, 3, raise_signal, GR_FIT_SIGNAL);
    interrupt(true, 4, 6, raise_signal, GR_FIT_SIGNAL);
    interrupt(false, 2, 1, raise_signal, GR_FIT_SIGNAL); /* the evaluation is done anew */
    interrupt(false, EPOCHS, 2, NULL, GR_FIT_CALLBACK);
    interrupt(true, 2, 5, fail, GR_FIT_ERROR);
    interrupt(false, 1, 2, fail, GR_FIT_ERROR);
    signal(SIGINT, SIG_DFL);
}

static gr_fit_verdict stop_after_two(const gr_fit_event *e, void *user)
{
    rig *r = user;
    r->called++;
    CHECK(e->epoch == gr_history_rows(e->history) && e->examples == 43 && e->batches == 6);
    CHECK(e->loss == gr_history_last(e->history, "loss") && !e->inputs.graph);
    return e->epoch == 2 ? GR_FIT_STOP : GR_FIT_GO_ON;
}

static void stops_between_epochs(void)
{
    rig r;
    make_bare(&r);
    r.plan.on_epoch = stop_after_two;
    CHECK(gr_fit(r.g, &r.plan, EPOCHS, r.history) == GR_OK);
    CHECK(gr_history_reason(r.history) == GR_FIT_CALLBACK && gr_history_rows(r.history) == 2 &&
          r.called == 2);
    /* Set before the first batch: nothing is trained. */
    stopped = 1;
    r.plan.stop = &stopped;
    CHECK(gr_fit(r.g, &r.plan, 1, r.history) == GR_OK && gr_history_rows(r.history) == 2);
    CHECK(gr_history_reason(r.history) == GR_FIT_SIGNAL && gr_history_get(r.history).steps == 12);
    CHECK(!strcmp(gr_fit_reason_name(GR_FIT_SIGNAL), "signal"));
    gr_graph_destroy(r.g);
}

/* The state of a run, saved where an epoch has ended, goes on in another graph. */
static const char saved_path[] = "test_fit.safetensors";

static gr_training training_of(rig *r, gr_tensor tensors[2])
{
    tensors[0] = r->norm.running_mean;
    tensors[1] = r->norm.running_variance;
    return (gr_training){.n_optimizers = 1,
                         .optimizers = &r->plan.optimizer,
                         .n_batches = 1,
                         .batches = &r->plan.train,
                         .n_tensors = 2,
                         .tensors = tensors};
}

static gr_fit_verdict save_second(const gr_fit_event *e, void *user)
{
    gr_tensor tensors[2];
    const gr_training training = training_of(user, tensors);
    if (e->epoch == 2) CHECK(gr_save_training(e->graph, saved_path, &training) == GR_OK);
    return GR_FIT_GO_ON;
}

static void goes_on_in_another_process(void)
{
    rig whole, other;
    gr_tensor tensors[2];
    make_bare(&whole);
    make_bare(&other);
    whole.schedule = other.schedule = gr_schedule_exponential(0.97);
    whole.plan.schedule = &whole.schedule;
    other.plan.schedule = &other.schedule;
    whole.plan.on_epoch = save_second;
    CHECK(gr_fit(whole.g, &whole.plan, EPOCHS, whole.history) == GR_OK);
    const gr_training training = training_of(&other, tensors);
    CHECK(gr_load_training(other.g, saved_path, &training) == GR_OK);
    CHECK(gr_history_set(other.history, (gr_history_state){.epochs = 2, .steps = 12}) == GR_OK);
    CHECK(gr_fit(other.g, &other.plan, EPOCHS - 2, other.history) == GR_OK);
    CHECK(same_models(&whole, &other));
    CHECK(gr_history_rows(other.history) == EPOCHS - 2 && gr_history_values(other.history, "epoch")[0] == 3);
    CHECK(gr_history_last(other.history, "val_loss") == gr_history_last(whole.history, "val_loss"));
    CHECK(gr_history_set(other.history, (gr_history_state){0, 0}) == GR_ERR_STATE);
    gr_graph_clear_error(other.g);
    CHECK(gr_history_set(gr_history_create(other.g), (gr_history_state){-1, 0}) == GR_ERR_ARGUMENT);
    CHECK(gr_history_set(NULL, (gr_history_state){0, 0}) == GR_ERR_HANDLE);
    remove(saved_path);
    gr_graph_destroy(whole.g);
    gr_graph_destroy(other.g);
}

/* ---- Errors in the middle ---- */

static gr_tensor forward_bad(gr_graph *g, gr_tensor x, bool training, void *user)
{
    rig *r = user;
    const gr_tensor y = forward(g, x, training, user);
    if (++r->called != 9) return y;
    return gr_scale(y, (double)NAN);
}

static void a_loss_that_is_not_finite(void)
{
    rig r, same;
    make_bare(&r);
    make_bare(&same);
    r.plan.forward = same.plan.forward = forward_bad;
    r.plan.validation = same.plan.validation = NULL;
    r.plan.require_finite = true;
    CHECK(gr_fit(r.g, &r.plan, 3, r.history) == GR_ERR_NOT_FINITE);
    CHECK_TEXT(gr_graph_error(r.g), "fit: the loss of batch 3 of epoch 2 is nan");
    CHECK(gr_history_reason(r.history) == GR_FIT_ERROR && gr_history_rows(r.history) == 1);
    CHECK(gr_history_get(r.history).steps == 8); /* and the parameters are of these */
    CHECK(isfinite(GR_AT(r.last.weight, 0, 0)));
    CHECK(gr_fit(r.g, &r.plan, 3, r.history) == GR_ERR_NOT_FINITE); /* it is pending */
    gr_graph_clear_error(r.g);
    CHECK(gr_fit(r.g, &r.plan, 2, r.history) == GR_OK && gr_history_rows(r.history) == 3);
    CHECK(isfinite(gr_history_last(r.history, "loss")) && gr_history_get(r.history).steps == 17);
    CHECK(gr_fit(same.g, &same.plan, 3, same.history) == GR_OK); /* not asked for: it goes its way */
    CHECK(isnan(gr_history_last(same.history, "loss")));
    gr_graph_destroy(r.g);
    gr_graph_destroy(same.g);
}

static gr_tensor endless_penalty(gr_graph *g, void *user)
{
    (void)user;
    return gr_scalar(g, GR_F64, INFINITY);
}

static void a_penalty_that_is_not_finite(void)
{
    rig r;
    make_bare(&r);
    r.plan.penalty = endless_penalty;
    r.plan.require_finite = true;
    CHECK(gr_fit(r.g, &r.plan, 1, r.history) == GR_ERR_NOT_FINITE && gr_history_get(r.history).steps == 0);
    CHECK_TEXT(gr_graph_error(r.g), "fit: the loss of batch 1 of epoch 1 is infinite");
    gr_graph_destroy(r.g);
}

static void a_label_that_is_no_class(void)
{
    rig r;
    int32_t labels[N] = {0};
    make_bare(&r);
    labels[17] = CLASSES;
    const gr_tensor t = gr_constant(r.g, GR_I32, GR_SHAPE(N), labels);
    r.plan.train = gr_batches_create_tensors(r.g, inputs_of(r.g, N), t, BATCH, 0,
                                             &(gr_batches_options){.in_order = true});
    r.plan.validation = NULL;
    CHECK(gr_fit(r.g, &r.plan, 1, r.history) == GR_ERR_INDEX);
    CHECK(gr_history_get(r.history).steps == 2 && gr_history_rows(r.history) == 0);
    gr_graph_destroy(r.g);
}

static gr_status metric_that_fails(const gr_metric *m, gr_tensor y, gr_tensor t, gr_average *average)
{
    (void)m, (void)y, (void)t;
    average->sum = 1;
    return GR_ERR_CALLBACK;
}

static void a_metric_that_fails(void)
{
    rig r;
    make_bare(&r);
    const gr_metric bad = {.name = "bad", .add = metric_that_fails};
    r.plan.metrics = &bad;
    r.plan.n_metrics = 1;
    CHECK(gr_fit(r.g, &r.plan, 1, r.history) == GR_ERR_CALLBACK);
    CHECK_TEXT(gr_graph_error(r.g), "bad: its function failed");
    CHECK(gr_history_get(r.history).steps == 0);
    gr_graph_destroy(r.g);
}

/* ---- What it refuses ---- */

static gr_status refuse(const gr_fit_plan *changed, rig *r, int64_t epochs, const char *text)
{
    const gr_status status = gr_fit(r->g, changed, epochs, r->history);
    CHECK(status != GR_OK && status == gr_graph_status(r->g));
    CHECK_TEXT(gr_graph_error(r->g), text);
    CHECK(gr_history_reason(r->history) == GR_FIT_ERROR);
    CHECK(gr_history_get(r->history).steps == 6 * gr_history_rows(r->history));
    gr_graph_clear_error(r->g);
    return status;
}

/* A plan with one thing changed. */
#define CHANGED(field, value) (plan = r.plan, plan.field = value, &plan)

static void refuses_plans(void)
{
    rig r, other;
    gr_fit_plan plan;
    make_bare(&r);
    make_bare(&other);
    const gr_metric twice[] = {gr_metric_accuracy(), gr_metric_binary_accuracy(0)},
                    nameless = {.add = metric_that_fails},
                    seconds = {.name = "seconds", .add = metric_that_fails},
                    comma = {.name = "a,b", .add = metric_that_fails};
    CHECK(refuse(CHANGED(forward, NULL), &r, 1, "the plan has no forward") == GR_ERR_ARGUMENT);
    CHECK(refuse(CHANGED(loss, NULL), &r, 1, "the plan has no loss") == GR_ERR_ARGUMENT);
    CHECK(refuse(CHANGED(optimizer, NULL), &r, 1, "the plan has no optimizer") == GR_ERR_ARGUMENT);
    CHECK(refuse(CHANGED(train, NULL), &r, 1, "the plan has no train") == GR_ERR_ARGUMENT);
    CHECK(refuse(CHANGED(n_metrics, 1), &r, 1, "the plan has no metrics") == GR_ERR_ARGUMENT);
    CHECK(refuse(CHANGED(n_metrics, -1), &r, 1, "-1 metrics, expected 0 to 16") == GR_ERR_ARGUMENT);
    CHECK(refuse(&r.plan, &r, 0, "0 epochs, expected at least 1") == GR_ERR_ARGUMENT);
    CHECK(refuse(&r.plan, &r, -3, "-3 epochs") == GR_ERR_ARGUMENT);
    CHECK(refuse(CHANGED(clip_norm, -1), &r, 1, "clip_norm -1") == GR_ERR_ARGUMENT);
    CHECK(refuse(CHANGED(clip_value, (double)NAN), &r, 1, "clip_value nan") == GR_ERR_ARGUMENT);
    CHECK(refuse(CHANGED(optimizer, other.plan.optimizer), &r, 1, "optimizer belongs to another") ==
          GR_ERR_GRAPH);
    CHECK(refuse(CHANGED(train, other.plan.train), &r, 1, "batches belong to another graph") == GR_ERR_GRAPH);
    CHECK(refuse(CHANGED(validation, other.plan.validation), &r, 1, "batches belong to another graph") ==
          GR_ERR_GRAPH);
    CHECK(gr_batches_get(r.plan.train).position == 0); /* nothing has been trained for that */
    CHECK(refuse(CHANGED(inputs, inputs_of(r.g, BATCH)), &r, 1, "the plan has no targets, but inputs") ==
          GR_ERR_ARGUMENT);
    CHECK(refuse(CHANGED(targets, labels_of(r.g, BATCH)), &r, 1, "the plan has no inputs, but targets") ==
          GR_ERR_ARGUMENT);
    CHECK(refuse(CHANGED(validation, r.plan.train), &r, 1, "validation hands out the batches of training") ==
          GR_ERR_ARGUMENT);
    plan = r.plan;
    plan.n_metrics = 2;
    CHECK(refuse((plan.metrics = twice, &plan), &r, 1, "two columns would be named \"accuracy\"") ==
          GR_ERR_NAME);
    plan.n_metrics = 1;
    CHECK(refuse((plan.metrics = &nameless, &plan), &r, 1, "metric 1 needs a name") == GR_ERR_NAME);
    CHECK(refuse((plan.metrics = &seconds, &plan), &r, 1, "two columns would be named \"seconds\"") ==
          GR_ERR_NAME);
    CHECK(refuse((plan.metrics = &comma, &plan), &r, 1, "has \"a,b\"") == GR_ERR_NAME);
    CHECK(refuse(CHANGED(monitor, "val_accuracy"), &r, 1, "\"val_accuracy\" is to be monitored") ==
          GR_ERR_ARGUMENT);
    CHECK(gr_history_columns(r.history) == 0);
    CHECK(gr_fit(r.g, &r.plan, 1, r.history) == GR_OK);
    CHECK(refuse(CHANGED(validation, NULL), &r, 1,
                 "column 4 of this history is val_loss, and of this plan rate") == GR_ERR_STATE);
    gr_history *const mine = r.history;
    CHECK(gr_fit(r.g, NULL, 1, mine) == GR_ERR_ARGUMENT);
    gr_graph_clear_error(r.g);
    CHECK(gr_fit(r.g, &r.plan, 1, NULL) == GR_ERR_ARGUMENT);
    gr_graph_clear_error(r.g);
    CHECK(gr_fit(r.g, &r.plan, 1, other.history) == GR_ERR_GRAPH);
    gr_graph_clear_error(r.g);
    CHECK(gr_fit(NULL, &r.plan, 1, mine) == GR_ERR_HANDLE);
    /* None of this was in the way. */
    CHECK(gr_fit(r.g, &r.plan, 1, mine) == GR_OK && gr_history_rows(mine) == 2);
    gr_graph_destroy(r.g);
    gr_graph_destroy(other.g);
}

/* What could end a run only after all its epochs is refused before the first. */
static void refuses_early_stopping_that_cannot_be(void)
{
    rig r, other;
    make_bare(&r);
    make(&other);
    r.plan.early_stopping = other.plan.early_stopping;
    CHECK(refuse(&r.plan, &r, 1, "early stopping belongs to another graph") == GR_ERR_GRAPH);
    r.plan.early_stopping = gr_early_stopping_create(r.g, NULL, 0, NULL);
    CHECK(gr_fit(r.g, &r.plan, 1, r.history) == GR_OK && gr_history_rows(r.history) == 1);
    r.plan.restore_best = true;
    CHECK(refuse(&r.plan, &r, 1, "keep_best was not set") == GR_ERR_INDEX);
    CHECK(gr_history_rows(r.history) == 1 && gr_early_stopping_get(r.plan.early_stopping).seen == 1);
    gr_graph_destroy(r.g);
    gr_graph_destroy(other.g);
}

static gr_tensor foreign;
static gr_tensor foreign_loss(gr_tensor y, gr_tensor t)
{
    (void)y, (void)t;
    return foreign;
}

static void a_loss_of_another_graph(void)
{
    rig r, other;
    make_bare(&r);
    make_bare(&other);
    foreign = gr_sum(other.first.weight, GR_ALL_AXES, false);
    r.plan.loss = foreign_loss;
    CHECK(refuse(&r.plan, &r, 1, "fit: the loss belongs to another graph") == GR_ERR_GRAPH);
    CHECK(!gr_gradient(other.first.weight).index);
    gr_graph_destroy(r.g);
    gr_graph_destroy(other.g);
}

/* ---- What callbacks do inside ---- */

/* Trains with the history that is in use. */
static void train_inside(rig *r, const gr_fit_event *e)
{
    CHECK(gr_fit(e->graph, e->plan, 40, e->history) == GR_ERR_STATE);
    CHECK_TEXT(gr_graph_error(r->g), "fit: a gr_fit with this history is under way");
    gr_graph_clear_error(r->g);
    CHECK(gr_history_set(e->history, (gr_history_state){9, 9}) == GR_ERR_STATE);
    gr_graph_clear_error(r->g);
}

/* Changes its plan into one that fills more columns. */
static void change_plan(rig *r, const gr_fit_event *e)
{
    static gr_metric many[GR_FIT_METRICS];
    for (int i = 0; i < GR_FIT_METRICS; i++) many[i] = gr_metric_accuracy();
    (void)e;
    r->plan.metrics = many;
    r->plan.n_metrics = GR_FIT_METRICS;
}

/* Evaluates on the set that is trained on. */
static void evaluate_train(rig *r, const gr_fit_event *e)
{
    gr_fit_plan plan = *e->plan;
    double loss = 0;
    plan.on_batch = NULL;
    const gr_batches_state before = gr_batches_get(plan.train);
    CHECK(gr_evaluate(r->g, &plan, plan.train, &loss, NULL) == GR_OK && loss > 0);
    const gr_batches_state behind = gr_batches_get(plan.train);
    CHECK(behind.epoch == before.epoch && behind.position == before.position);
}

/* Whether training is the same as if the callback had done nothing. */
static void does_no_harm(void (*what)(rig *, const gr_fit_event *))
{
    rig a, b;
    make(&a);
    make(&b);
    a.plan.on_batch = b.plan.on_batch = on_batch;
    b.stop_training = true;
    b.stop_epoch = 2;
    b.stop_batch = 3;
    b.at_stop = what;
    CHECK(gr_fit(a.g, &a.plan, EPOCHS, a.history) == GR_OK &&
          gr_fit(b.g, &b.plan, EPOCHS, b.history) == GR_OK);
    CHECK(same_models(&a, &b) && same_histories(a.history, b.history));
    gr_graph_destroy(a.g);
    gr_graph_destroy(b.g);
}

static void callbacks_do_no_harm(void)
{
    does_no_harm(train_inside);
    does_no_harm(change_plan);
    does_no_harm(evaluate_train);
}

/* ---- Data of all kinds ---- */

static gr_tensor table_forward(gr_graph *g, gr_tensor x, bool training, void *user)
{
    (void)g, (void)training;
    return gr_embedding(*(gr_tensor *)user, x, GR_NO_PADDING);
}

/* Inputs of i32, targets that are numbers: each row of a table learns the mean of its targets. */
static void numbers_from_indices(void)
{
    static const int32_t index[] = {0, 1, 2, 0, 1, 2, 0};
    static const double target[] = {1, -2, 3, 1, -2, 3, 1};
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor table = gr_param(g, "table", GR_F64, GR_SHAPE(3, 1), NULL);
    const gr_metric error = gr_metric_mean_absolute_error();
    const gr_tensor t = gr_constant(g, GR_F64, GR_SHAPE(7, 1), target);
    gr_history *h = gr_history_create(g);
    gr_fit_plan plan = {.forward = table_forward,
                        .user = &table,
                        .loss = gr_mse,
                        .optimizer = gr_sgd(g, 1),
                        .n_metrics = 1,
                        .metrics = &error};
    plan.train = gr_batches_create_tensors(g, gr_constant(g, GR_I32, GR_SHAPE(7), index), t, 3, 1, NULL);
    double loss, metric;
    CHECK(gr_evaluate(g, &plan, plan.train, &loss, &metric) == GR_OK);
    CHECK_NEAR(loss, 29.0 / 7, 1e-15); /* (3 * 1 + 2 * 4 + 2 * 9) / 7, whatever the batches are */
    CHECK_NEAR(metric, 13.0 / 7, 1e-15);
    CHECK(gr_fit(g, &plan, 30, h) == GR_OK);
    CHECK(gr_history_last(h, "loss") < 1e-9 && gr_history_last(h, "mean_absolute_error") < 1e-4);
    CHECK_NEAR(GR_AT(table, 2, 0), 3, 1e-4);
    CHECK(isnan(gr_history_last(h, "val_loss")) && !gr_history_values(h, "val_loss"));
    gr_graph_destroy(g);
}

static void one_example_and_dropped_ones(void)
{
    for (int drop = 0; drop < 2; drop++) {
        rig r;
        make_bare(&r);
        const int64_t n = drop ? 20 : 1;
        const gr_batches_options o = {.drop_last = drop};
        r.norm.eps = 1; /* and no variance of one example */
        r.plan.validation = gr_batches_create_tensors(r.g, inputs_of(r.g, 1), labels_of(r.g, 1), 7, 5, NULL);
        r.plan.train = gr_batches_create_tensors(r.g, inputs_of(r.g, n), labels_of(r.g, n), BATCH, 5, &o);
        if (drop) {
            CHECK(gr_fit(r.g, &r.plan, 2, r.history) == GR_OK);
            CHECK(gr_history_get(r.history).steps == 4);
        } else { /* batch norm needs two, and says so; without it one will do */
            CHECK(gr_fit(r.g, &r.plan, 2, r.history) == GR_ERR_SHAPE);
            gr_graph_clear_error(r.g);
            gr_tensor table = gr_param(r.g, "table", GR_F64, GR_SHAPE(1, 1), NULL);
            r.plan = (gr_fit_plan){.forward = table_forward,
                                   .user = &table,
                                   .loss = gr_mse,
                                   .optimizer = gr_sgd(r.g, 0.5),
                                   .train = gr_batches_create_tensors(
                                       r.g, gr_constant(r.g, GR_I32, GR_SHAPE(1), (int32_t[]){0}),
                                       gr_constant(r.g, GR_F64, GR_SHAPE(1, 1), (double[]){2}), 1, 0, NULL)};
            r.history = gr_history_create(r.g);
            CHECK(gr_fit(r.g, &r.plan, 2, r.history) == GR_OK && gr_item(table) == 2);
        }
        gr_graph_destroy(r.g);
    }
}

/* The mean over uneven batches is that over the examples; nothing is recorded, drawn or changed. */
static void evaluates(void)
{
    rig r;
    make(&r);
    int64_t counts[CLASSES * CLASSES];
    gr_confusion confusion = {.classes = CLASSES, .counts = counts};
    r.plan.confusion = &confusion;
    double loss, metric, again;
    const gr_rng_state before = gr_rng_get(r.g);
    CHECK(gr_evaluate(r.g, &r.plan, r.plan.validation, &loss, &metric) == GR_OK);
    CHECK(gr_rng_get(r.g).counter == before.counter && gr_is_recording(r.g));
    const gr_tensor x = gr_slice(inputs_of(r.g, N), 0, 43, N, 1),
                    t = gr_slice(labels_of(r.g, N), 0, 43, N, 1);
    const gr_tensor y = forward(r.g, x, false, &r);
    CHECK_NEAR(loss, gr_item(gr_softmax_cross_entropy(y, t)), 1e-14);
    CHECK_NEAR(metric, gr_accuracy(y, t), 1e-15);
    CHECK_NEAR(gr_confusion_accuracy(&confusion), metric, 1e-15);
    CHECK(gr_evaluate(r.g, &r.plan, r.plan.validation, &again, NULL) == GR_OK && again == loss);
    /* With leaves of one's own. */
    CHECK(gr_batches_leaves(r.plan.validation, &r.plan.inputs, &r.plan.targets) == GR_OK);
    CHECK(gr_evaluate(r.g, &r.plan, r.plan.validation, &again, NULL) == GR_OK && again == loss);
    CHECK(gr_evaluate(r.g, &r.plan, NULL, &again, NULL) == GR_ERR_ARGUMENT && isnan(again));
    gr_graph_destroy(r.g);
}

static void takes_no_memory_in_the_long_run(void)
{
    rig r;
    make(&r);
    r.plan.early_stopping = NULL;
    CHECK(gr_fit(r.g, &r.plan, 3, r.history) == GR_OK);
    const uint64_t before = gr_graph_memory(r.g).allocations;
    CHECK(gr_fit(r.g, &r.plan, 13, r.history) == GR_OK && gr_fit(r.g, &r.plan, 1, r.history) == GR_OK);
    const uint64_t after = gr_graph_memory(r.g).allocations;
    CHECK(before > 0 && after - before <= 1); /* the rows of the history */
    gr_graph_destroy(r.g);
}

/* ---- History and progress ---- */

typedef struct text {
    char bytes[1 << 14];
    size_t n;
    bool refuses;
} text;
static text out;

static bool collect(const char *piece, size_t length, void *user)
{
    text *t = user;
    if (t->refuses || t->n + length >= sizeof t->bytes) return false;
    memcpy(t->bytes + t->n, piece, length);
    t->n += length;
    t->bytes[t->n] = '\0';
    return true;
}

/* A quarter of a second for each look. */
static double fake_clock(void *user) { return 0.25 * ++((rig *)user)->ticks; }

static double clock_of_steps(void *user) { return ((rig *)user)->ticks += ((rig *)user)->step; }

static gr_tensor half(gr_graph *g, gr_tensor x, bool training, void *user)
{
    (void)g, (void)training;
    return gr_scale(gr_sum(gr_mul(x, gr_scale(((rig *)user)->first.weight, 0)), GR_AXES(1), true), 0);
}

/* Predictions with many digits in their loss. */
static gr_tensor thirds(gr_graph *g, gr_tensor x, bool training, void *user)
{
    return gr_add_scalar(half(g, x, training, user), 2 - 1e-3 / 3);
}

/* A model whose loss is known: predictions are 0, targets 2, rates 0. */
static void make_known(rig *r)
{
    *r = (rig){.g = gr_graph_create(NULL)};
    r->first.weight = gr_param(r->g, "w", GR_F64, GR_SHAPE(1, 2), (double[]){1, 1});
    const double two[] = {2, 2, 2, 2, 2, 2};
    const gr_tensor x = gr_constant(r->g, GR_F64, GR_SHAPE(6, 2), NULL),
                    t = gr_constant(r->g, GR_F64, GR_SHAPE(6, 1), two);
    gr_batches *batches = gr_batches_create_tensors(r->g, x, t, 2, 0, NULL);
    r->accuracy = gr_metric_mean_absolute_error();
    r->accuracy.name = "error";
    r->plan = (gr_fit_plan){.forward = half,
                            .user = r,
                            .loss = gr_mse,
                            .optimizer = gr_sgd(r->g, 0.001),
                            .train = batches,
                            .validation = gr_batches_split(batches, 0.3),
                            .n_metrics = 1,
                            .metrics = &r->accuracy,
                            .progress = collect,
                            .progress_user = &out,
                            .clock = fake_clock};
    r->history = gr_history_create(r->g);
    out.n = 0;
    out.refuses = false;
}

static void writes_lines(void)
{
    rig r;
    make_known(&r);
    CHECK(gr_fit(r.g, &r.plan, 2, r.history) == GR_OK);
    CHECK(!strcmp(out.bytes,
                  "epoch 1/2  loss 4  error 2  val_loss 4  val_error 2  rate 0.001  5.33 examples/s\n"
                  "epoch 2/2  loss 4  error 2  val_loss 4  val_error 2  rate 0.001  5.33 examples/s\n"));
    out.n = 0;
    r.plan.progress = NULL;
    CHECK(gr_fit(r.g, &r.plan, 1, r.history) == GR_OK && out.n == 0); /* silence */
    r.plan.progress = collect;
    CHECK(gr_fit(r.g, &r.plan, 2, r.history) == GR_OK);
    CHECK_TEXT(out.bytes, "epoch 4/5  loss");
    gr_graph_destroy(r.g);
}

static void draws_bars(void)
{
    rig r;
    make_known(&r);
    r.plan.terminal = true;
    CHECK(gr_fit(r.g, &r.plan, 1, r.history) == GR_OK);
    CHECK(!strcmp(out.bytes,
                  "\repoch 1/1  [##############...............]  50 %  8 examples/s  ETA 1 s  loss 4\033[K"
                  "\repoch 1/1  [#############################] 100 %  8 examples/s  loss 4\033[K"
                  "\repoch 1/1  validation\033[K"
                  "\r\033[K"
                  "epoch 1/1  loss 4  error 2  val_loss 4  val_error 2  rate 0.001  5.33 examples/s\n"));
    out.n = 0;
    r.plan.bar_only = true;
    CHECK(gr_fit(r.g, &r.plan, 1, r.history) == GR_OK);
    CHECK(out.n > 4 && !strcmp(out.bytes + out.n - 4, "\r\033[K") && !strchr(out.bytes, '\n'));
    /* Ended by an error, the bar goes, too; a writer that refuses is an error. */
    out.refuses = true;
    r.plan.bar_only = false;
    CHECK(gr_fit(r.g, &r.plan, 1, r.history) == GR_ERR_IO);
    CHECK_TEXT(gr_graph_error(r.g), "fit: the writer refused the progress");
    gr_graph_destroy(r.g);
}

/* A line that reached the end of a terminal would be broken there, and the next would not overwrite it. */
static void bars_fit_into_80_columns(void)
{
    static const double steps[] = {0.25, 1e-7, 700, 1e-200, 0, -1, 1e300, (double)NAN};
    static int n;
    for (int i = 0; i < (int)(sizeof steps / sizeof *steps); i++) {
        rig r;
        make_known(&r);
        r.plan.terminal = true;
        r.plan.clock = clock_of_steps;
        r.step = steps[i];
        CHECK(gr_history_set(r.history, (gr_history_state){.epochs = 995}) == GR_OK);
        r.plan.forward = thirds;
        CHECK(gr_fit(r.g, &r.plan, 5, r.history) == GR_OK);
        for (const char *line = out.bytes; (line = strstr(line, "\repoch ")); line++) {
            const int length = (int)(strstr(line, "\033[K") - line) - 1;
            CHECK(length > 0 && length < 80);
            n++;
        }
        CHECK(!strstr(out.bytes, "inf"));
        gr_graph_destroy(r.g);
    }
    CHECK(n >= 80);
}

static void writes_into_streams(void)
{
    char line[16] = "";
    FILE *file = tmpfile();
    CHECK(file && gr_stream_writer("abcdef", 3, file) && gr_stream_writer("xy", 2, file));
    if (!file) return;
    rewind(file);
    CHECK(fgets(line, sizeof line, file) && !strcmp(line, "abcxy"));
    fclose(file);
    CHECK(!gr_stream_writer("abc", 3, NULL));
}

static void keeps_a_history(void)
{
    static const char *const names[] = {"epoch",    "loss",         "accuracy",    "seconds",
                                        "val_loss", "val_accuracy", "val_seconds", "rate"};
    rig r;
    make(&r);
    r.plan.early_stopping = NULL;
    r.plan.clock = fake_clock;
    const int64_t most = (int64_t)1 << 53;
    CHECK(gr_history_set(r.history, (gr_history_state){most + 1, 0}) == GR_ERR_ARGUMENT);
    CHECK_TEXT(gr_graph_error(r.g), "expected numbers from 0 to 2^53");
    gr_graph_clear_error(r.g);
    CHECK(gr_history_set(r.history, (gr_history_state){0, INT64_MAX}) == GR_ERR_ARGUMENT);
    gr_graph_clear_error(r.g);
    CHECK(gr_history_set(r.history, (gr_history_state){0, most}) == GR_OK);
    CHECK(gr_history_set(r.history, (gr_history_state){0, 0}) == GR_OK);
    CHECK(gr_fit(r.g, &r.plan, 20, r.history) == GR_OK);
    CHECK(gr_history_columns(r.history) == 8 && gr_history_rows(r.history) == 20);
    for (int i = 0; i < 8; i++) CHECK(!strcmp(gr_history_name(r.history, i), names[i]));
    CHECK(!gr_history_name(r.history, 8) && !gr_history_name(r.history, -1));
    CHECK(gr_history_last(r.history, "epoch") == 20 && gr_history_last(r.history, "seconds") == 1.75);
    /* CSV, read again, has every bit. */
    gr_csv csv;
    out.n = 0;
    out.refuses = false;
    CHECK(gr_history_write(r.history, collect, &out) == GR_OK);
    CHECK(gr_csv_parse(r.g, out.bytes, out.n, &(gr_csv_options){.header = true, .type = GR_F64}, &csv) ==
          GR_OK);
    CHECK(csv.columns == 8 && gr_dim(csv.table, 0) == 20);
    for (int i = 0; i < 8 && csv.columns == 8; i++) {
        CHECK(!strcmp(csv.names[i], names[i]));
        for (int k = 0; k < 20; k++)
            CHECK(GR_AT(csv.table, k, i) == gr_history_values(r.history, names[i])[k]);
    }
    out.refuses = true;
    CHECK(gr_history_write(r.history, collect, &out) == GR_ERR_IO);
    CHECK(gr_history_write(NULL, collect, &out) == GR_ERR_ARGUMENT && !gr_history_create(NULL));
    CHECK(isnan(gr_history_last(NULL, "loss")) && gr_history_reason(NULL) == GR_FIT_ERROR);
    gr_graph_destroy(r.g);
}

/* By steps and by epochs; the plateau multiplies the rates. */
static void applies_schedules(void)
{
    for (int by_epoch = 0; by_epoch < 2; by_epoch++) {
        rig r;
        make_bare(&r);
        r.schedule = gr_schedule_exponential(0.9);
        r.plan.schedule = &r.schedule;
        r.plan.schedule_by_epoch = by_epoch;
        CHECK(gr_fit(r.g, &r.plan, 2, r.history) == GR_OK && gr_fit(r.g, &r.plan, 2, r.history) == GR_OK);
        const double *rates = gr_history_values(r.history, "rate");
        for (int i = 0; i < 4 && rates; i++)
            CHECK_NEAR(rates[i], 0.02 * pow(0.9, by_epoch ? i : 6 * i + 5), 1e-15);
        gr_graph_destroy(r.g);
    }
    rig r;
    make_bare(&r);
    r.plateau = gr_plateau_start(
        GR_MONITOR_MAX); /* of the loss, which falls: after a first value nothing is better */
    r.plateau.patience = 0;
    r.plateau.factor = 0.5;
    r.plan.plateau = &r.plateau;
    r.plan.monitor = "loss";
    CHECK(gr_fit(r.g, &r.plan, 3, r.history) == GR_OK);
    CHECK_NEAR(gr_history_last(r.history, "rate"), 0.01, 1e-15);
    gr_graph_destroy(r.g);
}

int main(void)
{
    RUN(is_the_loop_of_the_manual);
    RUN(goes_on_where_it_was_stopped);
    RUN(stops_between_epochs);
    RUN(goes_on_in_another_process);
    RUN(a_loss_that_is_not_finite);
    RUN(a_penalty_that_is_not_finite);
    RUN(a_label_that_is_no_class);
    RUN(a_metric_that_fails);
    RUN(refuses_plans);
    RUN(refuses_early_stopping_that_cannot_be);
    RUN(a_loss_of_another_graph);
    RUN(callbacks_do_no_harm);
    RUN(numbers_from_indices);
    RUN(one_example_and_dropped_ones);
    RUN(evaluates);
    RUN(takes_no_memory_in_the_long_run);
    RUN(writes_lines);
    RUN(draws_bars);
    RUN(bars_fit_into_80_columns);
    RUN(writes_into_streams);
    RUN(keeps_a_history);
    RUN(applies_schedules);
    return TEST_EXIT;
}
