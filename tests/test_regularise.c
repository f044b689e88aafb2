/*
 * Against overfitting: penalties with their derivatives, and early stopping: when it stops, what it brings back, and
 * that a failure changes nothing.
 */
#include "gradus.h"
#include "ledger.h"
#include "test.h"

static const double inf = (double)INFINITY, nan_ = (double)NAN;

static void expect(gr_graph *g, gr_status status, const char *part)
{
    CHECK(gr_graph_status(g) == status);
    CHECK_TEXT(gr_graph_error(g), part);
    gr_graph_clear_error(g);
}

/* ---- Penalties ---- */

static const double a_values[] = {1, -2, 0, 0.5, -0.0, 3}, b_values[] = {-4, 0.25};

static void test_penalties(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = gr_param(g, "a", GR_F64, GR_SHAPE(2, 3), a_values),
                    b = gr_param(g, "b", GR_F64, GR_SHAPE(2), b_values);
    const gr_tensor l1 = gr_l1_penalty(g, 0.125, 0, NULL), l2 = gr_l2_penalty(g, 0.125, 0, NULL);
    CHECK(gr_ndim(l1) == 0 && gr_item(l1) == 0.125 * (6.5 + 4.25));
    CHECK_NEAR(gr_item(l2), 0.125 * (1 + 4 + 0.25 + 9 + 16 + 0.0625), 1e-15);
    CHECK(gr_item(gr_l1_penalty(g, 2, 1, &b)) == 8.5 && gr_item(gr_l2_penalty(g, 1, 1, &b)) == 16.0625);
    CHECK(gr_item(gr_l1_penalty(g, 0, 0, NULL)) == 0);
    CHECK(gr_backward(l1) == GR_OK);
    for (int i = 0; i < 6; i++)
        CHECK(GR_AT(gr_gradient(a), i / 3, i % 3) ==
              0.125 * ((a_values[i] > 0) - (a_values[i] < 0))); /* 0 at 0 */
    gr_clear_grads(g);
    CHECK(gr_backward(l2) == GR_OK);
    for (int i = 0; i < 2; i++) CHECK(GR_AT(gr_gradient(b), i) == 0.25 * b_values[i]);
    gr_tensor second;
    const gr_tensor v = gr_detach(b);
    CHECK(gr_hvp(gr_l2_penalty(g, 0.125, 1, &b), 1, &b, &v, &second) == GR_OK);
    CHECK(GR_AT(second, 1) == 0.25 * 0.25);
    gr_graph_destroy(g);
}

/* What the header says: an L2 penalty is coupled weight decay of twice the factor. */
static void test_penalty_is_decay(void)
{
    double result[2][2];
    for (int decay = 0; decay < 2; decay++) {
        gr_graph *g = gr_graph_create(NULL);
        const gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(2), b_values);
        gr_optimizer *opt = gr_adam(g, 0.1);
        if (decay) gr_optimizer_set_decay(opt, 0.5, GR_DECAY_COUPLED);
        for (int t = 0; t < 5; t++) {
            gr_tensor loss = gr_sum(gr_exp(w), GR_ALL_AXES, false);
            if (!decay) loss = gr_add(loss, gr_l2_penalty(g, 0.25, 0, NULL));
            gr_clear_grads(g);
            gr_backward(loss);
            CHECK(gr_optimizer_step(opt) == GR_OK);
            gr_graph_reset(g);
        }
        gr_read(w, result[decay], 2);
        gr_graph_destroy(g);
    }
    for (int i = 0; i < 2; i++) CHECK_NEAR(result[0][i], result[1][i], 1e-12);
    CHECK(result[0][0] != b_values[0]);
}

static void refuse(gr_tensor result, gr_graph *g, gr_status status, const char *part)
{
    CHECK(!gr_is_valid(result) && result.graph == g);
    expect(g, status, part);
}

static void test_penalty_misuse(void)
{
    gr_graph *g = gr_graph_create(NULL), *other = gr_graph_create(NULL);
    refuse(gr_l1_penalty(g, 1, 0, NULL), g, GR_ERR_ARGUMENT, "l1_penalty: the graph has no parameters yet");
    const gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(2), b_values),
                    n = gr_param(g, "narrow", GR_F32, GR_SHAPE(2), NULL),
                    labels = gr_constant(g, GR_I32, GR_SHAPE(2), NULL),
                    foreign = gr_param(other, "f", GR_F64, GR_SHAPE(2), NULL);
    refuse(gr_l2_penalty(g, -1, 1, &w), g, GR_ERR_ARGUMENT,
           "l2_penalty: the factor must be finite and not negative, not -1");
    refuse(gr_l2_penalty(g, nan_, 1, &w), g, GR_ERR_ARGUMENT, "l2_penalty: the factor");
    refuse(gr_l1_penalty(g, 1, -2, &w), g, GR_ERR_ARGUMENT, "l1_penalty: -2 tensors");
    refuse(gr_l1_penalty(g, 1, 2, NULL), g, GR_ERR_ARGUMENT, "l1_penalty: 2 tensors at NULL");
    refuse(gr_l1_penalty(g, 1, 0, NULL), g, GR_ERR_TYPE, "tensor 2, \"narrow\", is f32, the first one f64");
    refuse(gr_l1_penalty(g, 1, 1, &labels), g, GR_ERR_TYPE,
           "l1_penalty: needs tensors of f32, or of f64: tensor 1, \"\", is i32");
    refuse(gr_l1_penalty(g, 1, 2, (gr_tensor[]){w, foreign}), g, GR_ERR_GRAPH,
           "l1_penalty: tensor 2 belongs to another graph");
    refuse(gr_l1_penalty(g, 1, 2, (gr_tensor[]){w, {g, 0, 0}}), g, GR_ERR_HANDLE,
           "l1_penalty: tensor 2 is an invalid handle");
    const gr_tensor gone = gr_neg(w);
    gr_graph_reset(g);
    refuse(gr_l1_penalty(g, 1, 1, &gone), g, GR_ERR_STALE, "stale handle");
    CHECK(!gr_is_valid(gr_l1_penalty(NULL, 1, 1, &w)));
    CHECK(gr_item(gr_l1_penalty(g, 1, 1, &n)) == 0);
    gr_graph_destroy(g);
    gr_graph_destroy(other);
}

/* ---- Early stopping ---- */

/* Where it stops: the first value of the list after which it says so, or -1; the best so far in *best_at. */
static int stops_at(gr_monitor_mode mode, double min_delta, int64_t patience, int n, const double *values,
                    int64_t *best_at)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_early_stopping *e = gr_early_stopping_create(
        g, &(gr_early_stopping_options){.mode = mode, .min_delta = min_delta, .patience = patience}, 0, NULL);
    int at = -1;
    for (int i = 0; i < n && at < 0; i++) {
        bool stop = true;
        CHECK(gr_early_stopping_update(e, values[i], &stop) == GR_OK);
        if (stop) at = i;
    }
    *best_at = gr_early_stopping_get(e).best_at;
    CHECK(gr_early_stopping_get(e).seen == (at < 0 ? n : at + 1));
    gr_graph_destroy(g);
    return at;
}

static void test_when_it_stops(void)
{
    static const double losses[] = {5, 4, 3, 3, 3.5, 2.5, 2.6, 2.4999, 2.6, 2.7};
    static const double accuracies[] = {0.1, 0.5, 0.4, 0.6, 0.61, 0.61, 0.61};
    const double broken[] = {nan_, nan_, 7, nan_, nan_};
    int64_t best;
    CHECK(stops_at(GR_MONITOR_MIN, 0, 0, 10, losses, &best) == 3 && best == 2);
    CHECK(stops_at(GR_MONITOR_MIN, 0, 1, 10, losses, &best) == 3 && best == 2); /* 0 is like 1 */
    CHECK(stops_at(GR_MONITOR_MIN, 0, 2, 10, losses, &best) == 4 && best == 2);
    CHECK(stops_at(GR_MONITOR_MIN, 0, 3, 10, losses, &best) == -1 && best == 7);
    CHECK(stops_at(GR_MONITOR_MIN, 1e-3, 3, 10, losses, &best) == 8 && best == 5); /* 2.4999 is not enough */
    CHECK(stops_at(GR_MONITOR_MIN, 1, 2, 10, losses, &best) == 4 && best == 2);
    CHECK(stops_at(GR_MONITOR_MIN, 1, 2, 3, (double[]){5, 4, 4}, &best) == 2 &&
          best == 0); /* 1 is not more than 1 */
    CHECK(stops_at(GR_MONITOR_MAX, 0, 2, 7, accuracies, &best) == 6 && best == 4);
    CHECK(stops_at(GR_MONITOR_MAX, 0.05, 2, 7, accuracies, &best) == 5 && best == 3);
    CHECK(stops_at(GR_MONITOR_MAX, 0, 1, 7, accuracies, &best) == 2 && best == 1);
    CHECK(stops_at(GR_MONITOR_MIN, 0, 3, 5, broken, &best) == -1 && best == 2);
    CHECK(stops_at(GR_MONITOR_MAX, 0, 2, 5, broken, &best) == 1 && best == -1);
    CHECK(stops_at(GR_MONITOR_MIN, 0, 2, 2, (double[]){inf, inf}, &best) == 1 && best == -1);
}

/* The best values come back, in all types and shapes, to parameters and to constants. */
static void test_restoring(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = gr_param(g, "a", GR_F64, GR_SHAPE(2, 3), a_values),
                    b = gr_param(g, "b", GR_F32, GR_SCALAR, NULL);
    const gr_tensor count = gr_constant(g, GR_I32, GR_SHAPE(3), NULL);
    gr_early_stopping *e = gr_early_stopping_create(
        g, &(gr_early_stopping_options){.patience = 2, .keep_best = true}, 3, (gr_tensor[]){a, count, b});
    CHECK(e && gr_early_stopping_count(e) == 3);
    CHECK(gr_same(gr_early_stopping_tensor(e, 1), count));
    CHECK(gr_early_stopping_restore(e) == GR_ERR_STATE);
    expect(g, GR_ERR_STATE, "early_stopping: no value was good so far, of 0");
    static const double losses[] = {3, 1, 2, 1.5};
    bool stop = false;
    for (int i = 0; i < 4; i++) {
        double values[6];
        for (int k = 0; k < 6; k++) values[k] = 10 * i + k;
        gr_write(a, values, 6);
        gr_write(b, &(float){(float)i}, 1);
        gr_write(count, (int32_t[]){i, i + 1, i + 2}, 3);
        CHECK(!stop && gr_early_stopping_update(e, losses[i], &stop) == GR_OK);
    }
    CHECK(stop);
    const gr_early_stopping_state state = gr_early_stopping_get(e);
    CHECK(state.best == 1 && state.best_at == 1 && state.seen == 4 && state.waited == 2);
    CHECK(GR_AT(gr_early_stopping_copy(e, 0), 1, 2) == 15 && GR_AT(gr_early_stopping_copy(e, 1), 0) == 1);
    const gr_tensor used = gr_sum(gr_mul(a, a), GR_ALL_AXES, false), last = gr_keep(a);
    CHECK(gr_early_stopping_restore(e) == GR_OK);
    for (int k = 0; k < 6; k++)
        CHECK(GR_AT(a, k / 3, k % 3) == 10 + k && GR_AT(last, k / 3, k % 3) == 30 + k);
    CHECK(gr_item(b) == 1 && GR_AT(count, 2) == 3);
    CHECK(gr_backward(used) == GR_ERR_MODIFIED);
    gr_graph_clear_error(g);
    gr_write(b, &(float){9}, 1);
    CHECK(gr_early_stopping_restore(e) == GR_OK && gr_item(b) == 1); /* as often as one likes */
    CHECK(gr_early_stopping_update(e, 0.5, NULL) == GR_OK && gr_early_stopping_get(e).best_at == 4);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* Without a list, running figures come back with the parameters. */
static void test_restoring_model_state(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_batch_norm_layer norm = gr_batch_norm_layer_create(g, "norm", GR_F64, 1);
    gr_early_stopping *e = gr_early_stopping_create(g, &(gr_early_stopping_options){.keep_best = true}, 0,
                                                    NULL);
    CHECK(gr_early_stopping_count(e) == 4 && gr_same(gr_early_stopping_tensor(e, 0), norm.weight));
    gr_write(norm.running_mean, &(double){3}, 1);
    CHECK(gr_early_stopping_update(e, 1, NULL) == GR_OK);
    gr_write(norm.running_mean, &(double){4}, 1);
    CHECK(gr_early_stopping_update(e, 2, NULL) == GR_OK && gr_early_stopping_restore(e) == GR_OK);
    CHECK(gr_item(norm.running_mean) == 3 && gr_item(norm.running_variance) == 1);
    CHECK(gr_early_stopping_set(e, (gr_early_stopping_state){1, 0, INT64_MAX, 1}) == GR_ERR_ARGUMENT);
    gr_graph_destroy(g);
}

/* Trained with a validation loss that turns: the parameters of the turning point are there in the end. */
static void test_in_training(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = gr_param(g, "w", GR_F64, GR_SCALAR, &(double){0});
    gr_optimizer *opt = gr_sgd(g, 0.1);
    gr_early_stopping *e = gr_early_stopping_create(
        g, &(gr_early_stopping_options){.patience = 3, .keep_best = true}, 0, NULL);
    bool stop = false;
    int epochs = 0;
    double best = inf, best_w = 0;
    for (; !stop && epochs < 100; epochs++) {
        gr_clear_grads(g);
        gr_backward(gr_square(gr_add_scalar(w, -2))); /* learns 2 */
        gr_optimizer_step(opt);
        const double validation = (gr_item(w) - 1) * (gr_item(w) - 1); /* but 1 is true */
        if (validation < best) best = validation, best_w = gr_item(w);
        CHECK(gr_early_stopping_update(e, validation, &stop) == GR_OK);
        gr_graph_reset(g);
    }
    CHECK(stop && epochs == 6 && gr_item(w) > 1.4); /* w: 0.4 0.72 0.976 1.18 1.34 1.48 */
    CHECK(gr_early_stopping_restore(e) == GR_OK && gr_item(w) == best_w);
    CHECK_NEAR(best_w, 0.976, 1e-12);
    gr_graph_destroy(g);
}

/* Saved after the second value and continued elsewhere: the same answers and the same weights. */
static void test_resuming(void)
{
    static const double losses[] = {3, 1, 2, 1.5, 1.2};
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(2), b_values);
    const gr_early_stopping_options o = {.patience = 3, .keep_best = true};
    gr_early_stopping *first = gr_early_stopping_create(g, &o, 0, NULL),
                      *second = gr_early_stopping_create(g, &o, 0, NULL);
    gr_early_stopping_update(first, losses[0], NULL);
    gr_early_stopping_update(first, losses[1], NULL);
    double copy[2];
    gr_read(gr_early_stopping_copy(first, 0), copy, 2);
    CHECK(gr_write(gr_early_stopping_copy(second, 0), copy, 2) == GR_OK);
    CHECK(gr_early_stopping_set(second, gr_early_stopping_get(first)) == GR_OK);
    gr_write(w, (double[]){7, 8}, 2);
    for (int i = 2; i < 5; i++) {
        bool stop[2];
        gr_early_stopping_update(first, losses[i], &stop[0]);
        gr_early_stopping_update(second, losses[i], &stop[1]);
        CHECK(stop[0] == stop[1] && stop[1] == (i == 4));
    }
    CHECK(gr_early_stopping_restore(second) == GR_OK && GR_AT(w, 0) == b_values[0]);
    gr_graph_destroy(g);
}

static void refuse_early(gr_graph *g, const gr_early_stopping_options *o, int n, const gr_tensor *tensors,
                         gr_status status, const char *part)
{
    CHECK(gr_early_stopping_create(g, o, n, tensors) == NULL);
    expect(g, status, part);
}

/* What early stopping refuses. Long because it is a list. */
static void test_early_misuse(void)
{
    gr_graph *g = gr_graph_create(NULL), *other = gr_graph_create(NULL);
    const gr_early_stopping_options keep = {.keep_best = true};
    refuse_early(g, &keep, 0, NULL, GR_ERR_ARGUMENT, "early_stopping: the graph has no parameters yet");
    const gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(2), b_values),
                    v = gr_param(g, "v", GR_F64, GR_SHAPE(2), b_values),
                    foreign = gr_param(other, "f", GR_F64, GR_SHAPE(2), NULL),
                    result = gr_named(gr_neg(w), "result");
    refuse_early(g, &(gr_early_stopping_options){.mode = (gr_monitor_mode)3}, 0, NULL, GR_ERR_ARGUMENT,
                 "early_stopping: mode");
    refuse_early(g, &(gr_early_stopping_options){.min_delta = -1}, 0, NULL, GR_ERR_ARGUMENT,
                 "early_stopping: min_delta");
    refuse_early(g, &(gr_early_stopping_options){.min_delta = inf}, 0, NULL, GR_ERR_ARGUMENT,
                 "early_stopping: min_delta");
    refuse_early(g, &(gr_early_stopping_options){.patience = -1}, 0, NULL, GR_ERR_ARGUMENT,
                 "early_stopping: patience");
    refuse_early(g, &keep, -1, &w, GR_ERR_ARGUMENT, "early_stopping: -1 tensors");
    refuse_early(g, &keep, 1, NULL, GR_ERR_ARGUMENT, "early_stopping: 1 tensors at NULL");
    refuse_early(g, &keep, 2, (gr_tensor[]){w, w}, GR_ERR_ARGUMENT,
                 "early_stopping: a tensor is listed twice: w [2]");
    refuse_early(g, &keep, 1, &result, GR_ERR_ARGUMENT,
                 "only parameters and kept constants can be copied: result [2]");
    refuse_early(g, &keep, 2, (gr_tensor[]){w, foreign}, GR_ERR_GRAPH,
                 "early_stopping: tensor 2 belongs to another graph");
    refuse_early(g, &keep, 2, (gr_tensor[]){w, {NULL, 0, 0}}, GR_ERR_HANDLE,
                 "early_stopping: tensor 2 is an invalid handle");
    CHECK(gr_early_stopping_create(NULL, &keep, 1, &w) == NULL);

    bool stop = true;
    gr_early_stopping *plain = gr_early_stopping_create(g, NULL, 0, NULL),
                      *e = gr_early_stopping_create(g, &keep, 0, NULL);
    CHECK(gr_early_stopping_update(plain, 1, NULL) == GR_OK &&
          gr_early_stopping_restore(plain) == GR_ERR_STATE);
    expect(g, GR_ERR_STATE, "early_stopping: it keeps no copies: keep_best was not set");
    CHECK(!gr_is_valid(gr_early_stopping_copy(plain, 0)));
    expect(g, GR_ERR_INDEX, "early_stopping: it keeps no copies");
    CHECK(!gr_is_valid(gr_early_stopping_tensor(e, 2)));
    expect(g, GR_ERR_INDEX, "early_stopping: there is no tensor 2; there are 2");
    static const gr_early_stopping_state wrong[] = {{1, 3, 3, 0},  {1, -2, 3, 0}, {1, 0, -1, 0},
                                                    {1, 0, 3, -1}, {1, 0, 3, 4},  {(double)NAN, 0, 3, 1}};
    for (int i = 0; i < 6; i++) {
        CHECK(gr_early_stopping_set(e, wrong[i]) == GR_ERR_ARGUMENT);
        expect(g, GR_ERR_ARGUMENT, "early_stopping: a state that cannot be");
    }
    CHECK(gr_early_stopping_set(e, gr_early_stopping_get(e)) == GR_OK);
    gr_graph_fail(g, GR_ERR_CALLBACK, "pending");
    CHECK(gr_early_stopping_update(e, 1, &stop) == GR_ERR_CALLBACK && !stop &&
          gr_early_stopping_get(e).seen == 0);
    gr_graph_clear_error(g);

    CHECK(gr_early_stopping_update(e, 2, NULL) == GR_OK);
    gr_release(v);
    stop = true;
    CHECK(gr_early_stopping_update(e, 1, &stop) == GR_ERR_STALE && !stop);
    expect(g, GR_ERR_STALE, "early_stopping: tensor 2 of 2 was released");
    CHECK(gr_early_stopping_get(e).best == 2 && gr_early_stopping_get(e).seen == 1);
    gr_write(w, (double[]){7, 8}, 2);
    CHECK(gr_early_stopping_restore(e) == GR_ERR_STALE && GR_AT(w, 0) == 7);
    gr_graph_clear_error(g);
    CHECK(gr_early_stopping_release(e) == GR_OK && gr_early_stopping_count(e) == 0);
    CHECK(gr_early_stopping_release(e) == GR_ERR_STATE);
    expect(g, GR_ERR_STATE, "early_stopping: it was released before");
    CHECK(gr_early_stopping_update(e, 1, NULL) == GR_ERR_STATE && !gr_is_valid(gr_early_stopping_copy(e, 0)));
    expect(g, GR_ERR_STATE, "early_stopping: it was released");
    e = gr_early_stopping_create(g, &keep, 1, &w);
    gr_release(gr_early_stopping_copy(e, 0));
    CHECK(gr_early_stopping_update(e, 1, NULL) == GR_ERR_STALE);
    expect(g, GR_ERR_STALE, "early_stopping: copy 1 of 1 was released");
    CHECK(gr_early_stopping_update(NULL, 1, NULL) == GR_ERR_HANDLE &&
          gr_early_stopping_restore(NULL) == GR_ERR_HANDLE);
    CHECK(gr_early_stopping_release(NULL) == GR_ERR_HANDLE && isnan(gr_early_stopping_get(NULL).best));
    CHECK(gr_early_stopping_count(NULL) == 0 && !gr_is_valid(gr_early_stopping_copy(NULL, 0)));
    gr_graph_destroy(g);
    gr_graph_destroy(other);
}

/* Copies that others share need memory; if there is none, the first copy is not newer than the second. */
static void test_memory_runs_out(void)
{
    ledger books = {0};
    gr_graph *g = ledger_graph(&books, 0);
    const gr_tensor a = gr_param(g, "a", GR_F64, GR_SHAPE(2), b_values),
                    b = gr_param(g, "b", GR_F64, GR_SHAPE(5000), NULL);
    gr_early_stopping *e = gr_early_stopping_create(g, &(gr_early_stopping_options){.keep_best = true}, 0,
                                                    NULL);
    CHECK(gr_early_stopping_update(e, 2, NULL) == GR_OK);
    const gr_tensor share = gr_keep(gr_early_stopping_copy(e, 0)),
                    shares = gr_keep(gr_early_stopping_copy(e, 1));
    gr_write(a, (double[]){7, 8}, 2);
    gr_graph_trim(g);
    books.fail_at = books.calls + 2; /* there is memory for the first one */
    books.fail_after = true;
    CHECK(gr_early_stopping_update(e, 1, NULL) == GR_ERR_MEMORY);
    CHECK(GR_AT(gr_early_stopping_copy(e, 0), 0) == b_values[0] && gr_early_stopping_get(e).best == 2);
    gr_graph_clear_error(g);
    books.fail_at = 0;
    const gr_tensor keeps = gr_keep(b); /* now restoring needs some, too */
    gr_graph_trim(g);
    books.fail_at = books.calls + 1;
    CHECK(gr_early_stopping_restore(e) == GR_ERR_MEMORY && GR_AT(a, 0) == 7);
    gr_graph_clear_error(g);
    books.fail_at = 0;
    CHECK(gr_early_stopping_restore(e) == GR_OK && GR_AT(a, 0) == b_values[0]);
    CHECK(gr_is_valid(share) && gr_is_valid(shares) && gr_is_valid(keeps));
    gr_graph_destroy(g);
    CHECK(ledger_balances(&books));
}

int main(void)
{
    RUN(test_penalties);
    RUN(test_penalty_is_decay);
    RUN(test_penalty_misuse);
    RUN(test_when_it_stops);
    RUN(test_restoring);
    RUN(test_restoring_model_state);
    RUN(test_in_training);
    RUN(test_resuming);
    RUN(test_early_misuse);
    RUN(test_memory_runs_out);
    return TEST_EXIT;
}
