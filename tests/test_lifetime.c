/*
 * Who lives how long, who knows about it, and what it costs: handles, scopes, gradients, memory figures; and
 * that a training step, once warm, never calls the allocator.
 */
#include "gradus.h"
#include "ledger.h"
#include "test.h"

static gr_tensor total(gr_tensor x) { return gr_sum(x, GR_ALL_AXES, false); }

static void finish(gr_graph *g)
{
    CHECK(gr_graph_status(g) == GR_OK);
    if (gr_graph_status(g) != GR_OK) printf("    %s\n", gr_graph_error(g));
    gr_graph_destroy(g);
}

static void test_kept_and_step(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor p = gr_param(g, "p", GR_F64, GR_SHAPE(2), (double[]){1, 2});
    const gr_tensor c = gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){3, 4});
    const gr_tensor h = gr_mul(p, c), kept = gr_keep(h), s = gr_scalar(g, GR_F64, 2);
    CHECK(gr_backward(total(h)) == GR_OK);
    const gr_tensor gradient = gr_gradient(p);
    CHECK(gr_graph_reset(g) == GR_OK);
    CHECK(gr_is_valid(p) && gr_is_valid(c) && gr_is_valid(kept) && gr_is_valid(gradient));
    CHECK(!gr_is_valid(h) && !gr_is_valid(s));
    CHECK(GR_AT(kept, 1) == 8 && GR_AT(gradient, 0) == 3 && !gr_requires_grad(kept));
    const gr_tensor again = gr_mul(p, c); /* in the place of h, told apart from it */
    CHECK(gr_is_valid(again) && !gr_is_valid(h) && !gr_same(again, h));
    CHECK(gr_release(kept) == GR_OK && !gr_is_valid(kept));
    const gr_tensor other = gr_keep(again);
    CHECK(gr_is_valid(other) && !gr_is_valid(kept));
    CHECK(gr_release(p) == GR_OK && gr_param_count(g) == 0 && !gr_is_valid(gradient));
    CHECK(gr_is_valid(gr_param(g, "p", GR_F64, GR_SHAPE(2), NULL)));
    finish(g);
}

/* A gradient may lie in a slot before that of its owner. */
static void test_destroy_in_any_order(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor early = gr_constant(g, GR_F64, GR_SCALAR, NULL);
    const gr_tensor p = gr_param(g, "p", GR_F64, GR_SCALAR, NULL);
    CHECK(gr_release(early) == GR_OK && gr_zero_grad(p) == GR_OK);
    CHECK(gr_gradient(p).index < p.index);
    finish(g);
}

static void test_parameters_in_order(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor p[40];
    char name[16];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "p%d", i);
        p[i] = gr_param(g, name, GR_F32, GR_SHAPE(i), NULL);
    }
    CHECK(gr_release(p[7]) == GR_OK && gr_param_count(g) == 39);
    for (int i = 0, k = 0; i < 40; i++)
        if (i != 7)
            CHECK(gr_same(gr_param_at(g, k++), p[i]) && gr_same(gr_param_find(g, gr_name(p[i])), p[i]));
    finish(g);
}

/* Writing a kept value does not reach through to what shares its elements. */
static void test_values_do_not_change(void)
{
    gr_graph *g = gr_graph_create(NULL);
    double values[100], out[100];
    for (int i = 0; i < 100; i++) values[i] = i;
    const gr_tensor p = gr_param(g, "p", GR_F64, GR_SHAPE(10, 10), values);
    const gr_tensor view = gr_transpose(p, 0, 1), detached = gr_detach(p), kept = gr_keep(view);
    for (int i = 0; i < 100; i++) values[i] = -1;
    CHECK(gr_write(p, values, 100) == GR_OK);
    CHECK(gr_read(view, out, 100) == GR_OK && out[1] == 10 && out[10] == 1);
    CHECK(GR_AT(detached, 3, 4) == 34 && GR_AT(kept, 3, 4) == 43 && GR_AT(p, 3, 4) == -1);
    double *raw = gr_data_for_writing(kept);
    CHECK(raw != NULL);
    if (raw) raw[34] = 99;
    CHECK(GR_AT(kept, 3, 4) == 99 && GR_AT(view, 3, 4) == 43 && GR_AT(detached, 4, 3) == 43);
    CHECK(gr_assign(p, gr_transpose(gr_keep(view), 0, 1)) == GR_OK && GR_AT(p, 3, 4) == 34);
    CHECK(gr_assign(p, gr_transpose(p, 0, 1)) == GR_OK && GR_AT(p, 3, 4) == 43);
    finish(g);
}

/* ---- Scopes ---- */

static void test_scopes(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor outside = gr_ones(g, GR_F64, GR_SHAPE(20));
    const gr_scope a = gr_scope_begin(g);
    const gr_tensor in_a = gr_tanh(outside), constant = gr_constant(g, GR_F64, GR_SHAPE(20), NULL);
    const gr_tensor p = gr_param(g, "p", GR_F64, GR_SHAPE(1), NULL), kept = gr_keep(in_a);
    const gr_scope b = gr_scope_begin(g);
    const gr_tensor in_b = gr_tanh(in_a), twice = gr_tanh(in_b), passed = gr_tanh(twice);
    CHECK(gr_scope_end(b, 1, &passed) == GR_OK);
    CHECK(!gr_is_valid(in_b) && !gr_is_valid(twice) && gr_is_valid(passed) && gr_is_valid(in_a));
    CHECK_NEAR(GR_AT(passed, 3), tanh(tanh(tanh(tanh(1.0)))), 1e-15);
    const gr_tensor survivors[] = {passed, p, outside, passed, constant};
    CHECK(gr_scope_end(a, 5, survivors) == GR_OK);
    for (int i = 0; i < 5; i++) CHECK(gr_is_valid(survivors[i]));
    CHECK(!gr_is_valid(in_a) && gr_is_valid(kept));
    CHECK(gr_graph_reset(g) == GR_OK);
    CHECK(!gr_is_valid(passed) && !gr_is_valid(constant) && !gr_is_valid(outside) && gr_is_valid(p));
    finish(g);
}

static void test_outer_end_closes_inner(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_scope outer = gr_scope_begin(g);
    gr_scope inner[20];
    gr_tensor last = gr_scalar(g, GR_F64, 1);
    for (int i = 0; i < 20; i++) {
        inner[i] = gr_scope_begin(g);
        last = gr_add_scalar(last, 1);
    }
    CHECK(gr_scope_end(inner[10], 1, &last) == GR_OK && gr_item(last) == 21);
    CHECK(gr_scope_end(inner[15], 0, NULL) == GR_ERR_STATE);
    gr_graph_clear_error(g);
    CHECK(gr_scope_end(outer, 0, NULL) == GR_OK && !gr_is_valid(last));
    CHECK(gr_graph_reset(g) == GR_OK);
    finish(g);
}

/* The loss of a small model; with `scoped` its parts are made in scopes from which only the value goes on. */
static gr_tensor model(gr_tensor w, gr_tensor x, bool scoped)
{
    gr_graph *g = w.graph;
    gr_tensor h = x;
    for (int layer = 0; layer < 3; layer++) {
        const gr_scope scope = scoped ? gr_scope_begin(g) : (gr_scope){0};
        gr_exp(h); /* not needed by anyone */
        h = gr_tanh(gr_add(gr_matmul(h, w), gr_full(g, GR_F64, GR_SHAPE(4), 0.1)));
        gr_sin(h);
        if (scoped) CHECK(gr_scope_end(scope, 1, &h) == GR_OK);
    }
    return total(gr_square(h));
}

static void test_survivors_keep_their_history(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = gr_set_requires_grad(gr_keep(gr_normal(g, GR_F64, GR_SHAPE(4, 4), 0, 0.5)), true);
    const gr_tensor x = gr_keep(gr_normal(g, GR_F64, GR_SHAPE(5, 4), 0, 1));
    double gradient[2][16], curvature[2][16];
    for (int scoped = 0; scoped < 2; scoped++) {
        gr_graph_reset(g);
        const gr_tensor loss = model(w, x, scoped), slope = gr_derivative(loss, w);
        CHECK(gr_read(slope, gradient[scoped], 16) == GR_OK);
        CHECK(gr_backward(total(gr_square(slope))) == GR_OK);
        CHECK(gr_read(gr_gradient(w), curvature[scoped], 16) == GR_OK);
        gr_clear_grad(w);
    }
    CHECK(memcmp(gradient[0], gradient[1], sizeof gradient[0]) == 0);
    CHECK(memcmp(curvature[0], curvature[1], sizeof curvature[0]) == 0);
    finish(g);
}

/* Failing survivors do not keep the others from surviving. */
static void test_some_survivors_fail(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_scope scope = gr_scope_begin(g);
    const gr_tensor good = gr_ones(g, GR_F64, GR_SHAPE(3)), bad = gr_reshape(good, GR_SHAPE(4));
    const gr_tensor both[] = {bad, good};
    CHECK(gr_graph_status(g) == GR_ERR_SHAPE);
    CHECK(gr_scope_end(scope, 2, both) == GR_OK); /* the error is another one's, and still pending */
    CHECK(gr_is_valid(good) && gr_graph_status(g) == GR_ERR_SHAPE);
    gr_graph_clear_error(g);
    CHECK(gr_item(total(good)) == 3);
    finish(g);
}

/* The index of another graph's tensor, or of one that is gone, names nothing that would survive for it. */
static void test_strangers_do_not_survive(void)
{
    gr_graph *g = gr_graph_create(NULL), *other = gr_graph_create(NULL);
    gr_tensor foreign = gr_scalar(other, GR_F64, 1);
    for (int i = 0; i < 20; i++) foreign = gr_sin(foreign);
    for (int stale = 0; stale < 2; stale++) {
        const gr_scope scope = gr_scope_begin(g);
        gr_tensor inner = gr_scalar(g, GR_F64, 1), stranger = foreign;
        if (stale) stranger = (gr_tensor){g, inner.index, inner.generation - 1};
        for (int i = 0; i < 40; i++) gr_sin(inner);
        CHECK(gr_scope_end(scope, 1, &stranger) == (stale ? GR_ERR_STALE : GR_ERR_GRAPH));
        gr_graph_clear_error(g);
        CHECK(!gr_is_valid(inner));
        inner = gr_scalar(g, GR_F64, 1);
        CHECK(inner.index == 1); /* nothing stands before it */
        gr_graph_reset(g);
    }
    finish(g);
    finish(other);
}

/* A kept view may be all that is left of what it was a view of: writing does not take it for contiguous. */
static void test_writing_a_kept_view(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const double values[] = {0, 1, 2, 3, 4, 5};
    const gr_tensor kept = gr_keep(gr_transpose(gr_zeros(g, GR_F64, GR_SHAPE(30, 20)), 0, 1));
    const gr_tensor row = gr_keep(gr_expand(gr_zeros(g, GR_F64, GR_SHAPE(1, 20)), GR_SHAPE(3, 20)));
    const gr_tensor few = gr_keep(gr_transpose(gr_constant(g, GR_F64, GR_SHAPE(2, 3), values), 0, 1));
    gr_graph_reset(g);
    double *x = gr_data_for_writing(kept), *y = gr_data_for_writing(row);
    for (int i = 0; i < 600; i++) x[i] = i;
    for (int i = 0; i < 60; i++) y[i] = i;
    CHECK(GR_AT(kept, 3, 7) == 3 * 30 + 7 && gr_is_contiguous(kept));
    CHECK(GR_AT(row, 0, 5) == 5 && GR_AT(row, 2, 5) == 45);
    CHECK(gr_write(few, values, 6) == GR_OK && GR_AT(few, 1, 1) == 3 && GR_AT(few, 2, 0) == 4);
    finish(g);
}

/* ---- Recording ---- */

static void test_no_grad_and_detach(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_param(g, "x", GR_F64, GR_SCALAR, (double[]){0.5});
    CHECK(gr_is_recording(g));
    gr_no_grad_begin(g);
    gr_no_grad_begin(g);
    CHECK(!gr_is_recording(g) && !gr_requires_grad(gr_sin(x)));
    gr_no_grad_end(g);
    CHECK(!gr_is_recording(g) && !gr_requires_grad(gr_sin(x)));
    const gr_tensor frozen = gr_sin(x);
    gr_no_grad_end(g);
    CHECK(gr_is_recording(g) && gr_requires_grad(gr_sin(x)));
    const gr_tensor d = gr_detach(gr_cos(x));
    CHECK(!gr_requires_grad(d) && gr_item(d) == cos(0.5) && gr_is_recording(g));
    CHECK(gr_backward(gr_mul(gr_mul(x, frozen), d)) == GR_OK); /* frozen and d are constants */
    CHECK_NEAR(gr_item(gr_gradient(x)), sin(0.5) * cos(0.5), 1e-15);
    /* backward works inside no_grad, and leaves recording as it was */
    gr_clear_grads(g);
    const gr_tensor y = gr_square(x);
    gr_no_grad_begin(g);
    CHECK(gr_backward(y) == GR_OK && !gr_is_recording(g));
    gr_no_grad_end(g);
    CHECK(gr_item(gr_gradient(x)) == 1 && gr_is_recording(g));
    /* freezing */
    gr_set_requires_grad(x, false);
    CHECK(!gr_requires_grad(gr_sin(x)) && gr_is_param(x));
    gr_set_requires_grad(x, true);
    CHECK(gr_requires_grad(gr_sin(x)));
    finish(g);
}

static void test_gradients_add_up(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_param(g, "x", GR_F64, GR_SHAPE(2), (double[]){1, -2});
    const gr_tensor data = gr_set_requires_grad(gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){5, 7}), true);
    for (int pass = 1; pass <= 3; pass++) {
        const gr_tensor h = gr_retain_grad(gr_square(x)), other = gr_square(x);
        CHECK(!gr_has_gradient(h));
        CHECK(gr_backward(total(gr_mul(gr_add(h, other), data))) == GR_OK);
        CHECK(GR_AT(gr_gradient(x), 0) == 20 * pass && GR_AT(gr_gradient(x), 1) == -56 * pass);
        CHECK(GR_AT(gr_gradient(data), 1) == 8 * pass);
        CHECK(gr_has_gradient(h) && GR_AT(gr_gradient(h), 0) == 5 && !gr_has_gradient(other));
        CHECK(gr_graph_reset(g) == GR_OK);
    }
    const gr_tensor gradient = gr_gradient(x);
    CHECK(gr_zero_grads(g) == GR_OK && gr_is_valid(gradient) && GR_AT(gradient, 0) == 0);
    CHECK(GR_AT(gr_gradient(data), 0) != 0); /* of parameters only */
    CHECK(gr_zero_grad(data) == GR_OK && GR_AT(gr_gradient(data), 0) == 0);
    CHECK(gr_clear_grads(g) == GR_OK && !gr_has_gradient(x) && !gr_is_valid(gradient));
    CHECK(gr_clear_grad(data) == GR_OK && !gr_has_gradient(data));
    CHECK(gr_clear_grad(data) == GR_OK);
    CHECK(gr_zero_grads(g) == GR_OK && GR_AT(gr_gradient(x), 1) == 0);
    finish(g);
}

/* The gradients of two leaves that got one cotangent do not share what is added to them. */
static void test_gradients_are_apart(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = gr_param(g, "a", GR_F64, GR_SHAPE(100), NULL),
                    b = gr_param(g, "b", GR_F64, GR_SHAPE(100), NULL);
    CHECK(gr_backward(total(gr_add(a, b))) == GR_OK);
    const gr_tensor seen = gr_reshape(gr_gradient(a), GR_SHAPE(10, 10));
    CHECK(gr_backward(total(gr_scale(a, 2))) == GR_OK);
    CHECK(GR_AT(gr_gradient(a), 7) == 3 && GR_AT(gr_gradient(b), 7) == 1 && GR_AT(seen, 0, 7) == 1);
    CHECK(gr_zero_grad(b) == GR_OK && GR_AT(gr_gradient(a), 7) == 3);
    finish(g);
}

/* ---- Memory ---- */

static void test_figures(void)
{
    ledger books = {0};
    gr_graph *g = ledger_graph(&books, 0);
    gr_memory_info m = gr_graph_memory(g);
    CHECK(m.used > 0 && m.reserved == books.bytes && m.limit == 0);
    const size_t start = m.used;
    const gr_tensor big = gr_zeros(g, GR_F64, GR_SHAPE(1000, 100));
    m = gr_graph_memory(g);
    CHECK(m.used >= start + 800000 && m.used_peak >= m.used && m.reserved == books.bytes);
    CHECK(m.allocations == (uint64_t)books.calls);
    gr_graph_reset(g);
    CHECK(!gr_is_valid(big));
    m = gr_graph_memory(g);
    CHECK(m.used < start + 800000 && m.used_peak >= start + 800000 && m.reserved >= 800000);
    gr_graph_reset_memory_peak(g);
    m = gr_graph_memory(g);
    CHECK(m.used_peak == m.used && m.reserved_peak == m.reserved);
    gr_graph_trim(g);
    m = gr_graph_memory(g);
    CHECK(m.reserved < 800000 && m.reserved == books.bytes && m.reserved == m.used);
    CHECK(m.reserved_peak == books.most_bytes && m.reserved_peak >= 800000);
    gr_graph_reset_memory_peak(g);
    CHECK(gr_graph_memory(g).reserved_peak == m.reserved);
    gr_zeros(g, GR_F64, GR_SHAPE(3000));
    CHECK(gr_graph_memory(g).reserved_peak >= m.reserved + 24000);
    gr_graph_reset(g);
    const gr_tensor p = gr_param(g, "p", GR_F64, GR_SHAPE(4000), NULL);
    gr_graph_trim(g);
    const size_t with_p = gr_graph_memory(g).used;
    CHECK(gr_release(p) == GR_OK && gr_graph_memory(g).used + 32000 <= with_p);
    finish(g);
    CHECK(ledger_balances(&books) && books.blocks == 0);
}

/* Trimming in the middle of things takes nothing that is in use. */
/* Trimming gives the arena's chunks back, too. */
static void test_trim_after_many(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor x = gr_scalar(g, GR_F64, 1);
    for (int i = 0; i < 20000; i++) x = gr_sin(x);
    const size_t most = gr_graph_memory(g).used;
    gr_graph_reset(g);
    gr_graph_trim(g);
    CHECK(gr_graph_memory(g).used < most / 2);
    finish(g);
}

static void test_trim_in_scopes(void)
{
    ledger books = {0};
    gr_graph *g = ledger_graph(&books, 0);
    const gr_tensor x = gr_param(g, "x", GR_F64, GR_SHAPE(3), (double[]){1, 2, 3});
    for (int round = 0; round < 3; round++) {
        gr_graph_trim(g);
        gr_tensor y = gr_tanh(x);
        const gr_scope scope = gr_scope_begin(g);
        for (int i = 0; i < 3000; i++) y = gr_add(y, x);
        gr_graph_trim(g);
        CHECK(gr_scope_end(scope, 0, NULL) == GR_OK);
        gr_graph_trim(g);
        gr_tensor z = gr_tanh(x);
        for (int i = 0; i < 100; i++) z = gr_add(z, x);
        CHECK(gr_backward(total(z)) == GR_OK);
        CHECK_NEAR(GR_AT(gr_gradient(x), 0), 100 + 1 - tanh(1.0) * tanh(1.0), 1e-12);
        gr_clear_grads(g);
        gr_graph_reset(g);
    }
    finish(g);
    CHECK(ledger_balances(&books));
}

/* One step of a classifier [16 -> 32 -> 4], written by hand. */
typedef struct classifier {
    gr_tensor w1, b1, w2, b2, x, labels;
} classifier;

enum { BATCH = 8, IN = 16, HIDDEN = 32, CLASSES = 4 };

static gr_tensor random_param(gr_graph *g, const char *name, gr_shape shape)
{
    const gr_tensor p = gr_param(g, name, GR_F32, shape, NULL);
    gr_assign(p, gr_normal(g, GR_F32, shape, 0, 0.3));
    return p;
}

static void make_classifier(gr_graph *g, classifier *m)
{
    m->w1 = random_param(g, "fc1.weight", GR_SHAPE(IN, HIDDEN));
    m->b1 = random_param(g, "fc1.bias", GR_SHAPE(HIDDEN));
    m->w2 = random_param(g, "fc2.weight", GR_SHAPE(HIDDEN, CLASSES));
    m->b2 = random_param(g, "fc2.bias", GR_SHAPE(CLASSES));
    m->x = gr_constant(g, GR_F32, GR_SHAPE(BATCH, IN), NULL);
    m->labels = gr_constant(g, GR_I32, GR_SHAPE(BATCH, 1), NULL);
}

static double train_classifier(gr_graph *g, const classifier *m, int step)
{
    float x[BATCH * IN];
    int32_t labels[BATCH];
    for (int i = 0; i < BATCH * IN; i++) x[i] = (float)sin(0.1 * i * (1 + step % 4));
    for (int i = 0; i < BATCH; i++) labels[i] = (i + step) % CLASSES;
    gr_write(m->x, x, BATCH * IN);
    gr_write(m->labels, labels, BATCH);
    const gr_tensor h = gr_named(gr_relu(gr_add(gr_matmul(m->x, m->w1), m->b1)), "h");
    const gr_tensor logits = gr_add(gr_matmul(h, m->w2), m->b2);
    const gr_tensor picked = gr_gather(gr_log_softmax(logits, -1), 1, m->labels);
    const gr_tensor loss = gr_neg(gr_mean(picked, GR_ALL_AXES, false));
    gr_backward(loss);
    gr_no_grad_begin(g);
    for (int i = 0; i < gr_param_count(g); i++) {
        const gr_scope scope = gr_scope_begin(g);
        const gr_tensor p = gr_param_at(g, i);
        gr_assign(p, gr_sub(p, gr_scale(gr_gradient(p), 0.5)));
        gr_scope_end(scope, 0, NULL);
    }
    gr_no_grad_end(g);
    const double value = gr_item(loss);
    gr_clear_grads(g);
    gr_graph_reset(g);
    return value;
}

static void test_warm_steps_do_not_allocate(void)
{
    ledger books = {0};
    gr_graph *g = ledger_graph(&books, 0);
    classifier m;
    make_classifier(g, &m);
    gr_graph_reset(g);
    const double first = train_classifier(g, &m, 0);
    train_classifier(g, &m, 0);
    const long calls = books.calls;
    const size_t used = gr_graph_memory(g).used, bytes = books.bytes;
    double last = first;
    for (int step = 0; step < 200; step++) last = train_classifier(g, &m, 0);
    CHECK(books.calls == calls);
    CHECK(gr_graph_memory(g).used == used && books.bytes == bytes);
    CHECK(last < 0.2 * first && last > 0);
    finish(g);
    CHECK(ledger_balances(&books));
}

/* Gradients that are added up, and not cleared, take no more memory with each pass. */
static void test_adding_up_takes_no_memory(void)
{
    ledger books = {0};
    gr_graph *g = ledger_graph(&books, 0);
    const gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(30), NULL),
                    s = gr_param(g, "s", GR_F64, GR_SCALAR, NULL);
    size_t used = 0;
    long calls = 0;
    for (int pass = 0; pass < 50; pass++) {
        const gr_tensor h = gr_retain_grad(gr_scale(s, 2)); /* owns nothing but its gradient */
        CHECK(gr_backward(total(gr_mul(gr_add(w, h), gr_exp(w)))) == GR_OK && gr_has_gradient(h));
        CHECK(gr_zero_grad(gr_scale(s, 3)) == GR_OK);
        gr_named(gr_scale(s, 4), "nothing but its name");
        gr_tensor d[2];
        const gr_tensor y = total(gr_exp(gr_add(w, s))), by[] = {w, s};
        CHECK(gr_grad(1, &y, 2, by, NULL, NULL, d) == GR_OK);
        gr_graph_reset(g);
        if (pass == 2) used = gr_graph_memory(g).used, calls = books.calls;
    }
    CHECK(gr_graph_memory(g).used == used && books.calls == calls);
    finish(g);
    CHECK(ledger_balances(&books));
}

/* What rules build during a walk that is not recorded is gone after it. */
static void test_walks_leave_nothing(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(3), (double[]){1, 2, 3});
    gr_tensor d;
    const gr_tensor y = total(gr_div(gr_softmax(w, 0), gr_maximum(w, gr_square(w)))),
                    before = gr_scalar(g, GR_F64, 1);
    CHECK(gr_grad(1, &y, 1, &w, NULL, &(gr_grad_options){.retain = true}, &d) == GR_OK);
    CHECK(d.index == before.index + 1 && gr_backward(y) == GR_OK);
    CHECK(gr_scalar(g, GR_F64, 1).index == d.index + 1);
    const gr_tensor far = gr_full(g, GR_I32, GR_SHAPE(1), 9); /* nor does what fails, however late */
    CHECK(!gr_is_valid(gr_index_select(w, 0, far)) && gr_graph_status(g) == GR_ERR_INDEX);
    gr_graph_clear_error(g);
    CHECK(gr_scalar(g, GR_F64, 1).index == far.index + 1);
    finish(g);
}

/* A record larger than the chunk of the arena that comes next, left from before a reset. */
static void test_large_records(void)
{
    enum { PARTS = 6000 };
    static gr_tensor parts[PARTS];
    ledger books = {0};
    gr_graph *g = ledger_graph(&books, 0);
    const gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(1), (double[]){2});
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < PARTS; i++) parts[i] = w;
        for (int i = 0; i < 150; i++) parts[i] = gr_square(w); /* into the second chunk, not beyond */
        gr_graph_reset(g);
        for (int i = 0; i < 3; i++) parts[i] = gr_square(w);
        for (int i = 3; i < PARTS; i++) parts[i] = w;
        const gr_tensor y = total(gr_concat(PARTS, parts, 0));
        CHECK(gr_item(y) == 3 * 4 + (PARTS - 3) * 2 && gr_backward(y) == GR_OK);
        CHECK(GR_AT(gr_gradient(w), 0) == 3 * 4 + (PARTS - 3));
        gr_clear_grads(g);
        gr_graph_reset(g);
        gr_graph_trim(g);
    }
    finish(g);
    CHECK(ledger_balances(&books));
}

/* The limit is never passed; what does not fit is an error; what fits goes on. */
static void test_limit_is_exact(void)
{
    size_t needed = 0;
    bool succeeded = false;
    for (size_t limit = 4096; !succeeded && limit < (1 << 20); limit += 1024) {
        ledger books = {0};
        gr_graph *g = ledger_graph(&books, limit);
        if (!g) {
            CHECK(ledger_balances(&books));
            continue;
        }
        classifier m;
        make_classifier(g, &m);
        for (int step = 0; step < 3; step++) train_classifier(g, &m, step);
        CHECK(books.most_bytes <= limit && gr_graph_memory(g).reserved_peak <= limit);
        CHECK(gr_graph_memory(g).limit == limit);
        const gr_status status = gr_graph_status(g);
        CHECK(status == GR_OK || status == GR_ERR_LIMIT);
        succeeded = status == GR_OK;
        needed = books.most_bytes;
        if (gr_is_valid(m.b2)) { /* after the error there is room for small things */
            gr_graph_clear_error(g);
            gr_graph_reset(g);
            gr_clear_grads(g);
            CHECK(isfinite(gr_item(total(m.b2))) || gr_graph_status(g) == GR_ERR_LIMIT);
        }
        gr_graph_destroy(g);
        CHECK(ledger_balances(&books));
    }
    CHECK(succeeded);
    /* exactly what it takes is enough */
    ledger books = {0};
    gr_graph *g = ledger_graph(&books, needed);
    classifier m;
    make_classifier(g, &m);
    for (int step = 0; step < 3; step++) train_classifier(g, &m, step);
    finish(g);
    CHECK(books.most_bytes <= needed);
}

/* One large tensor at a time fits; two do not; after the first is gone the second does. */
static void test_limit_is_recoverable(void)
{
    ledger books = {0};
    gr_graph *g = ledger_graph(&books, 200000);
    for (int round = 0; round < 10; round++) {
        const gr_tensor a = gr_zeros(g, GR_F64, GR_SHAPE(15000 + 500 * round));
        CHECK(gr_is_valid(a));
        CHECK(!gr_is_valid(gr_zeros(g, GR_F64, GR_SHAPE(15000))) && gr_graph_status(g) == GR_ERR_LIMIT);
        CHECK(gr_is_valid(a));
        gr_graph_clear_error(g);
        gr_graph_reset(g);
    }
    finish(g);
    CHECK(books.most_bytes <= 200000 && ledger_balances(&books));
}

int main(void)
{
    RUN(test_kept_and_step);
    RUN(test_destroy_in_any_order);
    RUN(test_parameters_in_order);
    RUN(test_values_do_not_change);
    RUN(test_scopes);
    RUN(test_outer_end_closes_inner);
    RUN(test_survivors_keep_their_history);
    RUN(test_some_survivors_fail);
    RUN(test_strangers_do_not_survive);
    RUN(test_writing_a_kept_view);
    RUN(test_no_grad_and_detach);
    RUN(test_gradients_add_up);
    RUN(test_gradients_are_apart);
    RUN(test_figures);
    RUN(test_trim_after_many);
    RUN(test_trim_in_scopes);
    RUN(test_warm_steps_do_not_allocate);
    RUN(test_adding_up_takes_no_memory);
    RUN(test_walks_leave_nothing);
    RUN(test_large_records);
    RUN(test_limit_is_exact);
    RUN(test_limit_is_recoverable);
    return TEST_EXIT;
}
