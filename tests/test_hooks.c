/*
 * Hooks on gradients: when they are called and with what, what their results change, how long they live, and that
 * one which misbehaves ends in an error that names the tensor, with nothing changed that a user can see.
 */
#include "gradus.h"
#include "ledger.h"
#include "test.h"

static gr_graph *g;

static gr_tensor total(gr_tensor x) { return gr_sum(x, GR_ALL_AXES, false); }
static gr_tensor param(const char *name, double a, double b)
{
    return gr_param(g, name, GR_F64, GR_SHAPE(2), (double[]){a, b});
}
static bool is(gr_tensor t, double a, double b)
{
    double values[2] = {0};
    return gr_read(t, values, 2) == GR_OK && values[0] == a && values[1] == b;
}

/* ---- Hooks to test with ---- */

/* What the calls saw. */
typedef struct record {
    int calls;
    double first[8]; /* element of the gradient */
    gr_tensor of;
    bool stored; /* a gradient was there already */
} record;

static gr_tensor observe(gr_tensor gradient, gr_tensor of, void *user)
{
    record *r = user;
    if (r->calls < 8) r->first[r->calls] = GR_AT(gradient, 0);
    r->calls++;
    r->of = of;
    r->stored |= gr_has_gradient(of);
    return GR_NONE;
}
static gr_tensor times(gr_tensor gradient, gr_tensor of, void *user)
{
    (void)of;
    return gr_scale(gradient, *(const double *)user);
}
static gr_tensor plus(gr_tensor gradient, gr_tensor of, void *user)
{
    (void)of;
    return gr_add_scalar(gradient, *(const double *)user);
}
static gr_tensor squared(gr_tensor gradient, gr_tensor of, void *user)
{
    (void)of, (void)user;
    return gr_square(gradient);
}
static const double two = 2, three = 3;
#define NUMBER(N) ((void *)(uintptr_t) & (N))

/* ---- What they see ---- */

static void test_observing(void)
{
    g = gr_graph_create(NULL);
    record of_p = {0}, of_c = {0}, of_h = {0}, of_unused = {0}, of_data = {0};
    const gr_tensor p = param("p", 1, 2), unused = param("unused", 0, 0);
    const gr_tensor c = gr_set_requires_grad(gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){5, 7}), true);
    const gr_scope scope = gr_scope_begin(g);
    const gr_tensor data = gr_set_requires_grad(gr_constant(g, GR_F64, GR_SHAPE(2), NULL), true); /* step */
    const gr_tensor h = gr_mul(p, c);
    CHECK(gr_add_hook(p, observe, &of_p).index && gr_add_hook(c, observe, &of_c).index);
    CHECK(gr_add_hook(h, observe, &of_h).index && gr_add_hook(unused, observe, &of_unused).index);
    CHECK(gr_add_hook(data, observe, &of_data).index);
    /* h arrives by three ways: its hook sees the sum, once. */
    const gr_tensor loss = total(gr_add(gr_add(gr_scale(h, 3), gr_add(h, h)), data));
    CHECK(gr_backward_with(loss, &(gr_backward_options){.retain = true}) == GR_OK);
    CHECK(of_h.calls == 1 && of_h.first[0] == 5 && gr_same(of_h.of, h));
    CHECK(of_p.calls == 1 && of_p.first[0] == 25 && gr_same(of_p.of, p) && !of_p.stored);
    CHECK(of_c.calls == 1 && of_c.first[0] == 5 && !of_c.stored);
    CHECK(of_data.calls == 1 && of_data.first[0] == 1 && !of_data.stored && of_unused.calls == 0);
    CHECK(is(gr_gradient(p), 25, 35) && is(gr_gradient(c), 5, 10) && is(gr_gradient(data), 1, 1));

    /* gr_grad: targets and what lies on the way; not what leads to no target. */
    gr_tensor gradient;
    CHECK(gr_grad(1, &loss, 1, &p, NULL, &(gr_grad_options){.retain = true}, &gradient) == GR_OK);
    CHECK(of_h.calls == 2 && of_p.calls == 2 && of_c.calls == 1 && of_data.calls == 1);
    CHECK(is(gradient, 25, 35));
    /* With respect to an interior tensor the walk ends there. */
    CHECK(gr_grad(1, &loss, 1, &h, NULL, &(gr_grad_options){.retain = true}, &gradient) == GR_OK);
    CHECK(of_h.calls == 3 && of_h.first[2] == 5 && of_p.calls == 2 && is(gradient, 5, 5));
    /* An output that leads to no input is not differentiated. */
    const gr_tensor outputs[] = {loss, data}, cotangents[] = {{0}, gr_ones(g, GR_F64, GR_SHAPE(2))};
    CHECK(gr_grad(2, outputs, 1, &p, cotangents, NULL, &gradient) == GR_OK);
    CHECK(of_data.calls == 1 && of_p.calls == 3 && of_unused.calls == 0);
    gr_scope_end(scope, 0, NULL);
    gr_graph_destroy(g);
}

static gr_tensor note_all_stored(gr_tensor gradient, gr_tensor of, void *user)
{
    (void)gradient;
    bool *any = user;
    for (int i = 0; i < gr_param_count(of.graph); i++) *any |= gr_has_gradient(gr_param_at(of.graph, i));
    return GR_NONE;
}

/* Hooks run before any gradient is stored: the last of them can still refuse. */
static gr_tensor refuse(gr_tensor gradient, gr_tensor of, void *user)
{
    (void)user;
    gr_graph_fail(of.graph, GR_ERR_CALLBACK, "%s is too steep", gr_name(of));
    return gradient;
}
static void test_before_anything_is_stored(void)
{
    g = gr_graph_create(NULL);
    bool any = false;
    const gr_tensor p[] = {param("p", 1, 2), param("q", 3, 4), param("r", 5, 6)};
    gr_hook last = {0};
    for (int i = 0; i < 3; i++) last = gr_add_hook(p[i], note_all_stored, &any);
    const gr_tensor h = gr_retain_grad(gr_mul(gr_mul(p[0], p[1]), p[2]));
    const gr_tensor loss = total(h);
    const gr_hook refusing = gr_add_hook(p[2], refuse, NULL);
    CHECK(gr_backward(loss) == GR_ERR_CALLBACK && !any);
    CHECK_TEXT(gr_graph_error(g), "r is too steep");
    for (int i = 0; i < 3; i++) CHECK(!gr_has_gradient(p[i]));
    CHECK(!gr_has_gradient(h));
    gr_graph_clear_error(g);
    CHECK(gr_remove_hook(refusing) == GR_OK && gr_remove_hook(last) == GR_OK);
    CHECK(gr_backward(loss) == GR_OK && !any); /* its history was not released */
    CHECK(is(gr_gradient(p[2]), 3, 8) && is(gr_gradient(h), 1, 1));
    gr_graph_destroy(g);
}

/* ---- What they change ---- */

static void test_replacing(void)
{
    g = gr_graph_create(NULL);
    const gr_tensor p = param("p", 1, 2), q = param("q", 3, 4);
    const gr_tensor h = gr_retain_grad(gr_mul(p, q));
    record seen = {0};
    gr_add_hook(h, times, NUMBER(two));
    gr_add_hook(h, plus, NUMBER(three));
    gr_add_hook(h, observe, &seen);
    const gr_hook on_q = gr_add_hook(q, times, NUMBER(three));
    /* (1 * 2 + 3) q; and not 2 (1 + 3) */
    CHECK(gr_backward_with(total(h), &(gr_backward_options){.retain = true}) == GR_OK);
    CHECK(seen.calls == 1 && seen.first[0] == 5 && is(gr_gradient(h), 5, 5));
    CHECK(is(gr_gradient(p), 15, 20) && is(gr_gradient(q), 15, 30));
    gr_tensor gradients[2];
    for (int way = 0; way < 2; way++) {
        const gr_tensor loss = total(h);
        CHECK(gr_grad(1, &loss, 2, (gr_tensor[]){q, h}, NULL, &(gr_grad_options){way == 1, true},
                      gradients) == GR_OK);
        CHECK(is(gradients[0], 15, 30) && is(gradients[1], 5, 5));
    }
    /* Gradients add up after the hook. */
    CHECK(gr_backward(total(h)) == GR_OK && is(gr_gradient(q), 30, 60));
    CHECK(gr_remove_hook(on_q) == GR_OK);
    CHECK(gr_backward(total(gr_mul(p, q))) == GR_OK && is(gr_gradient(q), 31, 62));
    /* On the loss itself, of an inline scalar. */
    gr_clear_grads(g);
    const gr_tensor loss = total(p);
    gr_add_hook(loss, times, NUMBER(three));
    CHECK(gr_backward(loss) == GR_OK && is(gr_gradient(p), 3, 3));
    gr_graph_destroy(g);
}

static gr_tensor constant_of_user(gr_tensor gradient, gr_tensor of, void *user)
{
    (void)gradient, (void)of;
    return *(const gr_tensor *)user;
}

/* A replacement that shares elements with something that lives must not be written by what is added to it. */
static void test_replaced_by_what_is_alive(void)
{
    g = gr_graph_create(NULL);
    gr_tensor p = param("p", 1, 2), kept = gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){10, 20});
    gr_add_hook(p, constant_of_user, &kept);
    for (int pass = 1; pass <= 3; pass++) {
        CHECK(gr_backward(total(gr_square(p))) == GR_OK);
        CHECK(is(kept, 10, 20) && is(gr_gradient(p), 10 * pass, 20 * pass));
    }
    /* By a view with strides of 0, and by the parameter itself. */
    gr_tensor q = param("q", 3, 4);
    gr_add_hook(q, constant_of_user, &q);
    CHECK(gr_backward(total(gr_square(q))) == GR_OK && gr_backward(total(gr_square(q))) == GR_OK);
    CHECK(is(q, 3, 4) && is(gr_gradient(q), 6, 8));
    gr_tensor r = param("r", 3, 4), ones = gr_expand(gr_scalar(g, GR_F64, 1), GR_SHAPE(2));
    gr_add_hook(r, constant_of_user, &ones);
    CHECK(gr_backward(total(gr_square(r))) == GR_OK && gr_backward(total(gr_square(r))) == GR_OK);
    CHECK(is(gr_gradient(r), 2, 2));
    gr_graph_destroy(g);
}

/* In a recorded walk a hook is a function like others: y = p^3, the hook on h = p^3 squares, the hook on p doubles:
   d = 2 (u^2 3 p^2), and its derivatives by p and by u. */
static void test_recorded(void)
{
    g = gr_graph_create(NULL);
    gr_tensor p = param("p", 1.5, -2), u = param("u", 0.5, 3), d, second[2];
    const gr_tensor h = gr_pow_scalar(p, 3);
    gr_add_hook(h, squared, NULL);
    const gr_hook on_p = gr_add_hook(p, times, NUMBER(two));
    CHECK(gr_grad(1, &h, 1, &p, &u, &(gr_grad_options){.record = true}, &d) == GR_OK);
    CHECK(is(d, 2 * 0.25 * 3 * 2.25, 2 * 9 * 3 * 4.0));
    CHECK(gr_remove_hook(on_p) == GR_OK);
    const gr_tensor sum = total(d), inputs[] = {p, u};
    CHECK(gr_grad(1, &sum, 2, inputs, NULL, NULL, second) == GR_OK);
    CHECK(is(second[0], 2 * 0.25 * 6 * 1.5, 2 * 9 * 6 * -2.0));
    CHECK(is(second[1], 2 * 2 * 0.5 * 3 * 2.25, 2 * 2 * 3 * 3 * 4.0));
    gr_graph_destroy(g);
}

/* ---- How long they live ---- */

static void test_lives(void)
{
    g = gr_graph_create(NULL);
    record r = {0};
    const gr_tensor p = param("p", 1, 2), c = gr_set_requires_grad(gr_keep(p), true);
    const gr_hook on_p = gr_add_hook(p, observe, &r), on_c = gr_add_hook(c, observe, &r);
    gr_tensor h = gr_square(p);
    gr_hook on_h = gr_add_hook(h, observe, &r);
    gr_graph_reset(g);
    CHECK(gr_remove_hook(on_h) == GR_ERR_STALE);
    CHECK_TEXT(gr_graph_error(g), "remove_hook: it was removed before, or its tensor was freed");
    gr_graph_clear_error(g);
    h = gr_square(p); /* takes the place of the old one, not its hook */
    CHECK(gr_backward(total(h)) == GR_OK && r.calls == 1);
    CHECK(gr_release(c) == GR_OK && gr_remove_hook(on_c) == GR_ERR_STALE);
    gr_graph_clear_error(g);
    const gr_tensor again = gr_set_requires_grad(gr_keep(p), true); /* in the place of c */
    CHECK(gr_backward(total(again)) == GR_OK && r.calls == 1);
    CHECK(gr_remove_hook(on_p) == GR_OK && gr_remove_hook(on_p) == GR_ERR_STALE);
    gr_graph_clear_error(g);
    CHECK(gr_backward(total(p)) == GR_OK && r.calls == 1);

    /* A survivor of a scope keeps its hook, what is swept loses it. */
    const gr_scope scope = gr_scope_begin(g);
    const gr_tensor lost = gr_exp(p), kept = gr_square(p);
    on_h = gr_add_hook(lost, observe, &r);
    gr_add_hook(kept, observe, &r);
    gr_scope_end(scope, 1, &kept);
    CHECK(gr_remove_hook(on_h) == GR_ERR_STALE);
    gr_graph_clear_error(g);
    CHECK(gr_backward(total(kept)) == GR_OK && r.calls == 2);

    /* Works while an error is pending, as all that tidies up. */
    const gr_hook late = gr_add_hook(p, observe, &r);
    gr_graph_fail(g, GR_ERR_IO, "pending");
    CHECK(gr_remove_hook(late) == GR_OK && gr_graph_status(g) == GR_ERR_IO);
    gr_graph_destroy(g);
}

static void test_handles(void)
{
    g = gr_graph_create(NULL);
    const gr_tensor p = param("p", 1, 2), data = gr_constant(g, GR_F64, GR_SHAPE(2), NULL);
    CHECK(gr_add_hook(p, NULL, NULL).index == 0 && gr_graph_status(g) == GR_ERR_ARGUMENT);
    CHECK_TEXT(gr_graph_error(g), "add_hook: NULL for the function: p [2]");
    gr_graph_clear_error(g);
    CHECK(gr_add_hook(data, squared, NULL).index == 0 && gr_graph_status(g) == GR_ERR_NO_HISTORY);
    gr_graph_clear_error(g);
    CHECK(gr_add_hook((gr_tensor){g, 0, 0}, squared, NULL).index == 0 && gr_graph_status(g) == GR_ERR_HANDLE);
    gr_graph_clear_error(g);
    const gr_hook none = gr_add_hook((gr_tensor){0}, squared, NULL);
    CHECK(!none.graph && !none.index && gr_remove_hook(none) == GR_ERR_HANDLE);
    CHECK(gr_remove_hook((gr_hook){g, 0, 0}) == GR_ERR_HANDLE);
    gr_graph_clear_error(g);
    const gr_hook odd[] = {{g, 1, 0}, {g, 7, 1}, {g, UINT32_MAX, UINT32_MAX}};
    for (int i = 0; i < 3; i++) {
        CHECK(gr_remove_hook(odd[i]) == GR_ERR_STALE);
        gr_graph_clear_error(g);
    }
    const gr_hook hook = gr_add_hook(p, squared, NULL);
    CHECK(gr_remove_hook((gr_hook){g, hook.index, hook.generation + 1}) == GR_ERR_STALE);
    gr_graph_clear_error(g);
    CHECK(gr_remove_hook(hook) == GR_OK);
    gr_graph_destroy(g);
}

/* More hooks than the table begins with, on many tensors: each has its own, in order. */
static gr_tensor digit(gr_tensor gradient, gr_tensor of, void *user)
{
    (void)of;
    return gr_add_scalar(gr_scale(gradient, 10), (double)*(const char *)user);
}
static void test_many(void)
{
    enum { MANY = 3000 };
    static gr_tensor h[MANY];
    static gr_hook third[MANY];
    static const char digits[] = {1, 2, 3, 4};
    g = gr_graph_create(NULL);
    const gr_tensor p = param("p", 1, 2);
    for (int i = 0; i < MANY; i++) h[i] = gr_retain_grad(gr_scale(p, i));
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < MANY; i++) third[i] = gr_add_hook(h[i], digit, NUMBER(digits[k]));
    for (int i = 0; i < MANY; i += 2) CHECK(gr_remove_hook(third[i]) == GR_OK);
    gr_tensor sum = h[0];
    for (int i = 1; i < MANY; i++) sum = gr_add(sum, h[i]);
    for (int i = 0; i < MANY; i += 4) gr_add_hook(h[i], digit, NUMBER(digits[3]));
    CHECK(gr_backward(total(sum)) == GR_OK);
    for (int i = 0; i < MANY; i++) CHECK(GR_AT(gr_gradient(h[i]), 0) == (i % 2 ? 1123 : i % 4 ? 112 : 1124));
    gr_graph_destroy(g);
}

/* A loop that hooks an interior tensor in each step takes no memory after the first ones. */
static void test_no_growth(void)
{
    enum { STEPS = 100000, WARM = 3 };
    ledger books = {0};
    g = ledger_graph(&books, 0);
    record r = {0};
    const gr_tensor p = param("p", 0.5, 0.25);
    const double small = 1e-6;
    gr_add_hook(p, times, NUMBER(small));
    size_t used = 0;
    long calls = 0;
    for (int step = 0; step < STEPS; step++) {
        const gr_tensor h = gr_tanh(p);
        for (int k = 0; k < 20; k++) gr_add_hook(h, observe, &r); /* more than the table begins with */
        const gr_hook removed = gr_add_hook(h, observe, &r);
        gr_remove_hook(removed);
        gr_clear_grads(g);
        gr_backward(total(gr_square(h)));
        gr_graph_reset(g);
        if (step == WARM) {
            used = gr_graph_memory(g).used;
            calls = books.calls;
        }
    }
    CHECK(gr_graph_status(g) == GR_OK && r.calls == STEPS * 20);
    CHECK(gr_graph_memory(g).used == used && books.calls == calls);
    gr_graph_destroy(g);
    CHECK(ledger_balances(&books));
}

/* ---- Hooks inside hooks ---- */

typedef struct inside {
    gr_hook self, later;
    record seen;
    int calls;
} inside;

static gr_tensor adds(gr_tensor gradient, gr_tensor of, void *user)
{
    inside *s = user;
    (void)gradient;
    s->calls++;
    for (int i = 0; i < 100; i++) s->later = gr_add_hook(of, observe, &s->seen); /* the table grows */
    return GR_NONE;
}
static gr_tensor removes(gr_tensor gradient, gr_tensor of, void *user)
{
    inside *s = user;
    (void)gradient, (void)of;
    s->calls++;
    gr_remove_hook(s->self);
    gr_remove_hook(s->later);
    return GR_NONE;
}

static void test_inside(void)
{
    g = gr_graph_create(NULL);
    const gr_tensor p = param("p", 1, 2);
    inside a = {.calls = 0};
    const gr_hook adding = gr_add_hook(p, adds, &a);
    CHECK(gr_backward(total(p)) == GR_OK && a.calls == 1 && a.seen.calls == 0);
    gr_remove_hook(adding);
    CHECK(gr_backward(total(p)) == GR_OK && a.calls == 1 && a.seen.calls == 100);

    const gr_tensor q = param("q", 1, 2);
    inside b = {.calls = 0};
    b.self = gr_add_hook(q, removes, &b);
    b.later = gr_add_hook(q, observe, &b.seen);
    gr_add_hook(q, times, NUMBER(three));
    CHECK(gr_backward(total(q)) == GR_OK && b.calls == 1 && b.seen.calls == 0);
    CHECK(is(gr_gradient(q), 3, 3));
    CHECK(gr_backward(total(q)) == GR_OK && b.calls == 1 && is(gr_gradient(q), 6, 6));
    gr_graph_destroy(g);
}

/* ---- Hooks that misbehave ---- */

typedef struct stage {
    gr_graph *other;
    gr_scope outer;
    gr_tensor param, second, stale;
    gr_optimizer *optimizer;
} stage;
static stage s;

#define HOSTILE(NAME, CALL)                                             \
    static gr_tensor NAME(gr_tensor gradient, gr_tensor of, void *user) \
    {                                                                   \
        (void)gradient, (void)of, (void)user;                           \
        CALL;                                                           \
    }
HOSTILE(resets, return gr_graph_reset(g) == GR_OK ? of : GR_NONE)
HOSTILE(ends_scope, return gr_scope_end(s.outer, 0, NULL) == GR_OK ? of : GR_NONE)
HOSTILE(releases, return gr_release(s.second) == GR_OK ? of : GR_NONE)
HOSTILE(releases_own, return gr_release(of) == GR_OK ? of : GR_NONE)
HOSTILE(clears_all, return gr_clear_grads(g) == GR_OK ? of : GR_NONE)
HOSTILE(clears_one, return gr_clear_grad(s.second) == GR_OK ? of : GR_NONE)
HOSTILE(releases_optimizer, return gr_optimizer_release(s.optimizer) == GR_OK ? of : GR_NONE)
HOSTILE(opens_scope, gr_scope_begin(g); return gradient)
HOSTILE(opens_no_grad, gr_no_grad_begin(g); return gradient)
HOSTILE(closes_no_grad, gr_no_grad_end(g); return gradient)
HOSTILE(writes_gradient, gr_write(gradient, (double[]){9, 9}, 2); return GR_NONE)
HOSTILE(returns_foreign, return gr_ones(s.other, GR_F64, GR_SHAPE(2)))
HOSTILE(returns_stale, return s.stale)
HOSTILE(returns_invalid, return (gr_tensor){.graph = g})
HOSTILE(returns_wild, gr_tensor t = {.graph = g}; t.index = UINT32_MAX; return t)
HOSTILE(returns_shape, return total(gradient))
HOSTILE(returns_type, return gr_cast(gradient, GR_F32))
HOSTILE(fails_silently, gr_graph_fail(g, GR_ERR_CALLBACK, "hook of %s", gr_name(of)); return GR_NONE)

typedef struct hostile {
    const char *name;
    gr_hook_function *f;
    gr_status expected;
    const char *text;
} hostile;
static const hostile all[] = {
    {"reset", resets, GR_ERR_STATE, "graph_reset: "},
    {"scope_end", ends_scope, GR_ERR_STATE, "scope_end: this scope was opened before"},
    {"release", releases, GR_ERR_STATE, "release: called by a "},
    {"release own", releases_own, GR_ERR_STATE, "release: called by a "},
    {"clear_grads", clears_all, GR_ERR_STATE, "clear_grads: called by a "},
    {"clear_grad", clears_one, GR_ERR_STATE, "clear_grad: called by a "},
    {"optimizer", releases_optimizer, GR_ERR_STATE, "while a walk is under way"},
    {"scope left open", opens_scope, GR_ERR_STATE,
     "a hook opened a scope or a no_grad region and left it open: p [2]"},
    {"no_grad left open", opens_no_grad, GR_ERR_STATE, "left it open: p [2]"},
    {"no_grad closed", closes_no_grad, GR_ERR_STATE, ""},
    {"foreign", returns_foreign, GR_ERR_CALLBACK, "a hook of p f64 [2] returned no tensor of this graph"},
    {"stale", returns_stale, GR_ERR_CALLBACK, "a hook of p f64 [2] returned no tensor"},
    {"invalid", returns_invalid, GR_ERR_CALLBACK, "a hook of p f64 [2] returned no tensor"},
    {"wild", returns_wild, GR_ERR_CALLBACK, "a hook of p f64 [2] returned no tensor"},
    {"shape", returns_shape, GR_ERR_SHAPE, "a hook of p f64 [2] returned sum f64 []"},
    {"type", returns_type, GR_ERR_TYPE, "a hook of p f64 [2] returned cast f32 [2]"},
    {"fails", fails_silently, GR_ERR_CALLBACK, "hook of p"},
    {"writes", writes_gradient, GR_ERR_STATE, "write: only parameters, constants and gradients"},
};

static gr_tensor build(void) { return total(gr_mul(s.param, gr_square(s.second))); }

static void check_misbehaving(const hostile *h, bool recorded)
{
    g = gr_graph_create(NULL);
    s = (stage){.other = gr_graph_create(NULL), .param = param("p", 1, 2), .second = param("q", 3, 4)};
    s.optimizer = gr_adam(g, 0.1);
    s.stale = gr_ones(g, GR_F64, GR_SHAPE(2));
    gr_graph_reset(g);
    s.outer = gr_scope_begin(g);
    CHECK(gr_backward(build()) == GR_OK);
    gr_tensor loss = build(), gradient;
    const gr_hook hook = gr_add_hook(s.param, h->f, NULL);
    const gr_status status = recorded ? gr_grad(1, &loss, 1, &s.param, NULL,
                                                &(gr_grad_options){.record = true}, &gradient)
                                      : gr_backward(loss);
    CHECK(status == h->expected && gr_graph_status(g) == h->expected);
    CHECK_TEXT(gr_graph_error(g), h->text);
    if (status != h->expected) printf("%s: %s\n", h->name, gr_graph_error(g));
    CHECK(gr_is_recording(g) && is(gr_gradient(s.param), 9, 16) && is(gr_gradient(s.second), 6, 16));
    gr_graph_clear_error(g);
    gr_clear_grads(g);
    CHECK(gr_remove_hook(hook) == GR_OK);
    CHECK(gr_backward(loss) == GR_OK && is(gr_gradient(s.param), 9, 16));
    CHECK(gr_scope_end(s.outer, 0, NULL) == GR_OK && gr_graph_reset(g) == GR_OK);
    CHECK(gr_backward(build()) == GR_OK && is(gr_gradient(s.param), 18, 32));
    gr_graph_destroy(s.other);
    gr_graph_destroy(g);
}

static void test_misbehaving(void)
{
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        check_misbehaving(&all[k], false);
        check_misbehaving(&all[k], true);
    }
}

/* A hook may differentiate, also something that has hooks. */
static gr_tensor differentiates(gr_tensor gradient, gr_tensor of, void *user)
{
    gr_tensor inner;
    const gr_tensor y = *(const gr_tensor *)user;
    (void)of;
    gr_grad(1, &y, 1, &s.second, NULL, &(gr_grad_options){.retain = true}, &inner);
    return gr_mul(gradient, inner);
}
static void test_walk_inside(void)
{
    g = gr_graph_create(NULL);
    record r = {0};
    s = (stage){.param = param("p", 1, 2), .second = param("q", 3, 4)};
    gr_tensor y = total(gr_square(s.second));
    gr_add_hook(s.second, observe, &r);
    gr_add_hook(s.param, differentiates, &y);
    CHECK(gr_backward(total(gr_mul(s.param, s.second))) == GR_OK);
    CHECK(is(gr_gradient(s.param), 18, 32) && is(gr_gradient(s.second), 1, 2) && r.calls == 2);
    gr_graph_destroy(g);
}

/* ---- Forward mode ---- */

static gr_tensor hooked_inside(gr_graph *graph, int n, const gr_tensor *in, void *user)
{
    (void)graph, (void)n;
    const gr_tensor y = gr_square(in[0]);
    gr_add_hook(y, observe, user);
    gr_add_hook(y, times, NUMBER(three));
    return total(gr_mul(y, in[0]));
}

/* Tangents are no gradients: hooks are not called with them; but with the gradients of what is made of them. */
static void test_tangents(void)
{
    g = gr_graph_create(NULL);
    record seen = {0};
    const gr_tensor p = param("p", 3, 5), t = gr_ones(g, GR_F64, GR_SHAPE(2)), h = gr_exp(gr_log(p));
    const gr_tensor y = gr_norm(gr_square(gr_checkpoint(g, hooked_inside, 1, &h, &seen)), GR_ALL_AXES, false);
    gr_add_hook(p, observe, &seen);
    gr_add_hook(h, times, NUMBER(two));
    gr_tensor tangent, gradient, hv;
    for (int k = 0; k < 2; k++) {
        if (k) gr_no_grad_begin(g);
        CHECK(gr_jvp(1, &y, 1, &p, &t, &tangent) == GR_OK && seen.calls == 0);
        CHECK_NEAR(gr_item(tangent), 2 * 152 * 3 * (9 + 25), 1e-9 * 31008);
        if (k) gr_no_grad_end(g);
    }
    CHECK(gr_vjp(1, &y, 1, &p, NULL, &gradient) == GR_OK && seen.calls == 2);
    CHECK_NEAR(GR_AT(gradient, 0), 2 * (2 * 152 * (9 + 3 * 18)), 1e-9 * 38304);
    const gr_tensor z = total(gr_square(p));
    seen.calls = 0;
    CHECK(gr_hvp(z, 1, &p, &t, &hv) == GR_OK && is(hv, 2, 2) && seen.calls == 1);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* What a function that is differentiated adds inside acts there. */
static void test_in_functions(void)
{
    g = gr_graph_create(NULL);
    record seen = {0};
    const gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){1, 2});
    gr_tensor gradient, value;
    CHECK(gr_function_vjp(g, hooked_inside, 1, &x, &seen, GR_NONE, &gradient, &value) == GR_OK);
    CHECK(seen.calls == 1 && seen.first[0] == 1 && gr_item(value) == 9);
    CHECK(is(gradient, 1 + 3 * 2, 4 + 3 * 8));
    CHECK(gr_item(gr_function_jvp(g, hooked_inside, 1, &x, &seen, &x, NULL)) == 27 && seen.calls == 1);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_observing);
    RUN(test_before_anything_is_stored);
    RUN(test_replacing);
    RUN(test_replaced_by_what_is_alive);
    RUN(test_recorded);
    RUN(test_lives);
    RUN(test_handles);
    RUN(test_many);
    RUN(test_no_growth);
    RUN(test_inside);
    RUN(test_misbehaving);
    RUN(test_walk_inside);
    RUN(test_tangents);
    RUN(test_in_functions);
    return TEST_EXIT;
}
