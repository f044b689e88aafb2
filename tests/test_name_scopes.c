/*
 * Name scopes: what is made carries the path of those that are open, layers open their own, rules of a recorded walk
 * work in that of their operation, and coming back to a path takes no memory.
 */
#include "gradus.h"
#include "ledger.h"
#include "test.h"

static bool in(gr_tensor t, const char *scope) { return !strcmp(gr_name_scope_of(t), scope); }
static gr_tensor total(gr_tensor x) { return gr_sum(x, GR_ALL_AXES, false); }

static void test_nesting(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor before = gr_scalar(g, GR_F64, 1);
    CHECK(gr_name_scope_begin(g, "encoder") == GR_OK);
    const gr_tensor p = gr_param(g, "p", GR_F64, GR_SHAPE(2), (double[]){1, 2});
    CHECK(gr_name_scope_begin(g, "fc1") == GR_OK);
    const gr_tensor h = gr_square(p), kept = gr_keep(h), view = gr_reshape(h, GR_SHAPE(2, 1));
    CHECK(gr_name_scope_end(g) == GR_OK);
    const gr_tensor middle = gr_exp(h);
    CHECK(gr_name_scope_end(g) == GR_OK);
    const gr_tensor after = gr_exp(h);
    CHECK(in(before, "") && in(after, "") && in(p, "encoder") && in(middle, "encoder"));
    CHECK(in(h, "encoder/fc1") && in(kept, "encoder/fc1") && in(view, "encoder/fc1"));
    /* The same names elsewhere are other paths; the same path is the same text. */
    gr_name_scope_begin(g, "fc1");
    const gr_tensor alone = gr_exp(h);
    gr_name_scope_begin(g, "encoder");
    const gr_tensor turned = gr_exp(h);
    gr_name_scope_end(g);
    gr_name_scope_end(g);
    gr_name_scope_begin(g, "encoder");
    gr_name_scope_begin(g, "fc1");
    const gr_tensor again = gr_exp(h);
    CHECK(in(alone, "fc1") && in(turned, "fc1/encoder") && in(again, "encoder/fc1"));
    CHECK(gr_name_scope_of(again) == gr_name_scope_of(h));
    /* No lifetime: a reset leaves it open, and a scope does not end it. */
    CHECK(gr_graph_reset(g) == GR_OK);
    const gr_scope scope = gr_scope_begin(g);
    CHECK(gr_scope_end(scope, 0, NULL) == GR_OK && in(gr_exp(p), "encoder/fc1"));
    gr_name_scope_end(g);
    gr_name_scope_end(g);
    CHECK(in(gr_exp(p), "") && gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

static void test_errors(void)
{
    gr_graph *g = gr_graph_create(NULL);
    CHECK(gr_name_scope_end(g) == GR_ERR_STATE);
    CHECK_TEXT(gr_graph_error(g), "name_scope_end: without a gr_name_scope_begin");
    gr_graph_clear_error(g);
    gr_name_scope_begin(g, "outer");
    /* One that fails is open all the same, and so are those in it: their ends do not end `outer`. */
    CHECK(gr_name_scope_begin(g, "") == GR_ERR_NAME);
    gr_graph_clear_error(g);
    CHECK(gr_name_scope_begin(g, "inner") == GR_OK);
    CHECK(in(gr_scalar(g, GR_F64, 1), "outer"));
    CHECK(gr_name_scope_end(g) == GR_OK && gr_name_scope_end(g) == GR_OK);
    CHECK(in(gr_scalar(g, GR_F64, 1), "outer"));
    CHECK(gr_name_scope_begin(g, NULL) == GR_ERR_NAME && gr_name_scope_end(g) == GR_OK);
    /* While an error is pending, too. */
    CHECK(gr_name_scope_begin(g, "pending") == GR_OK && gr_name_scope_end(g) == GR_OK);
    CHECK(gr_name_scope_end(g) == GR_OK && gr_name_scope_end(g) == GR_ERR_STATE);
    gr_graph_clear_error(g);
    CHECK(in((gr_tensor){g, 0, 0}, "") && gr_graph_status(g) == GR_ERR_HANDLE);
    CHECK(in((gr_tensor){0}, ""));
    CHECK(gr_name_scope_begin(NULL, "x") == GR_ERR_HANDLE && gr_name_scope_end(NULL) == GR_ERR_HANDLE);
    gr_graph_destroy(g);
}

/* 65535 different paths, and not one more; those that are there can be opened still. */
static void test_limit(void)
{
    enum { MOST = 65535 };
    gr_graph *g = gr_graph_create(NULL);
    char name[16];
    for (int i = 0; i < MOST; i++) {
        snprintf(name, sizeof name, "%d", i);
        if (gr_name_scope_begin(g, name) != GR_OK) break;
        if (i % 2) gr_name_scope_end(g); /* every second one inside the one before it */
        if (i % 2) gr_name_scope_end(g);
    }
    gr_name_scope_end(g);
    CHECK(gr_graph_status(g) == GR_OK);
    CHECK(gr_name_scope_begin(g, "too many") == GR_ERR_LIMIT);
    CHECK_TEXT(gr_graph_error(g), "name_scope_begin: no room for too many: the graph has 65535 name scopes");
    gr_graph_clear_error(g);
    CHECK(in(gr_scalar(g, GR_F64, 1), "") && gr_name_scope_end(g) == GR_OK);
    CHECK(gr_name_scope_begin(g, "65532") == GR_OK && gr_name_scope_begin(g, "65533") == GR_OK);
    CHECK(in(gr_scalar(g, GR_F64, 1), "65532/65533"));
    gr_graph_destroy(g);
}

static gr_tensor seen_by_activation;
static gr_tensor activation(gr_tensor x)
{
    seen_by_activation = gr_tanh(x);
    return seen_by_activation;
}

static void test_layers(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const int64_t sizes[] = {2, 3, 2};
    const gr_tensor x = gr_ones(g, GR_F64, GR_SHAPE(4, 2));
    const gr_linear layer = gr_linear_create(g, "head", GR_F64, 2, 5, NULL);
    CHECK(in(gr_linear_forward(layer, x), "head"));
    const gr_mlp plain = gr_mlp_create(g, "", GR_F64, 3, sizes, activation, NULL);
    CHECK(in(gr_mlp_forward(plain, x), "fc2") && in(seen_by_activation, ""));
    const gr_mlp named = gr_mlp_create(g, "encoder.", GR_F64, 3, sizes, activation, NULL);
    gr_name_scope_begin(g, "model");
    CHECK(in(gr_mlp_forward(named, x), "model/encoder/fc2"));
    CHECK(in(seen_by_activation, "model/encoder"));
    gr_name_scope_end(g);
    CHECK(in(gr_scalar(g, GR_F64, 1), ""));

    /* A layer put together by hand, of other names or none, opens none; a failed one leaves none open. */
    const gr_linear own = {gr_param(g, "w", GR_F64, GR_SHAPE(2, 2), NULL), gr_zeros(g, GR_F64, GR_SHAPE(2))};
    CHECK(in(gr_linear_forward(own, x), ""));
    gr_linear layers[] = {own, layer};
    CHECK(in(gr_mlp_forward((gr_mlp){2, layers, NULL}, x), "head"));
    CHECK(!gr_is_valid(gr_linear_forward(layer, gr_zeros(g, GR_F64, GR_SHAPE(4, 7)))));
    gr_graph_clear_error(g);
    CHECK(!gr_is_valid(gr_mlp_forward(named, gr_zeros(g, GR_F64, GR_SHAPE(4, 7)))));
    gr_graph_clear_error(g);
    CHECK(in(gr_scalar(g, GR_F64, 1), "") && gr_name_scope_end(g) == GR_ERR_STATE);
    gr_graph_destroy(g);
}

static gr_tensor note(gr_tensor gradient, gr_tensor of, void *user)
{
    *(gr_tensor *)user = gr_keep(gradient);
    return gr_scale(gradient, of.index ? 1 : 2);
}

/* What a recorded walk makes belongs to the operation that it is the derivative of. */
static void test_recorded_walks(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor p = gr_param(g, "p", GR_F64, GR_SHAPE(2), (double[]){1, 2});
    gr_tensor kept = {0}, gradients[2];
    gr_name_scope_begin(g, "first");
    const gr_tensor h = gr_square(p);
    gr_name_scope_end(g);
    gr_name_scope_begin(g, "second");
    const gr_tensor y = total(gr_exp(h)), inputs[] = {p, h};
    gr_name_scope_end(g);
    gr_name_scope_begin(g, "walk");
    CHECK(gr_grad(1, &y, 2, inputs, NULL, &(gr_grad_options){.record = true}, gradients) == GR_OK);
    CHECK(in(gradients[0], "first") && in(gradients[1], "second"));
    gr_add_hook(h, note, &kept);
    CHECK(gr_grad(1, &y, 1, inputs, NULL, &(gr_grad_options){.record = true}, gradients) == GR_OK);
    CHECK(in(kept, "first") && in(gr_scalar(g, GR_F64, 1), "walk"));
    gr_name_scope_end(g);
    CHECK(gr_name_scope_end(g) == GR_ERR_STATE);
    gr_graph_destroy(g);
}

/* Rules and hooks that leave one open, or end one of others. */
static gr_tensor opens(gr_tensor gradient, gr_tensor of, void *user)
{
    (void)user;
    gr_name_scope_begin(of.graph, "left open");
    return gradient;
}
static gr_tensor ends(gr_tensor gradient, gr_tensor of, void *user)
{
    (void)user;
    gr_name_scope_end(of.graph);
    return gradient;
}
static gr_status like_first(const gr_call *c, gr_layout *out) { return gr_infer_like(c, out, 0); }
static gr_status copy(const gr_call *c)
{
    memcpy(c->out->data, c->in[0]->data, (size_t)c->out->count * sizeof(double));
    return GR_OK;
}
static gr_tensor opening_rule(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    return opens(gy, c->output, NULL);
}
static void test_untidy(void)
{
    static const gr_op op = {
        .name = "untidy", .arity = 1, .infer = like_first, .forward = copy, .vjp = opening_rule};
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor p = gr_param(g, "p", GR_F64, GR_SHAPE(2), (double[]){1, 2});
    gr_name_scope_begin(g, "outer");
    for (int way = 0; way < 3; way++) {
        gr_hook hook = {0};
        gr_tensor y = gr_square(p);
        if (way < 2) hook = gr_add_hook(p, way ? ends : opens, NULL);
        if (way == 2) y = gr_apply(g, &op, 1, &p, NULL);
        CHECK(gr_backward(total(y)) == GR_ERR_STATE && !gr_has_gradient(p));
        gr_graph_clear_error(g);
        if (way < 2) CHECK(gr_remove_hook(hook) == GR_OK);
        CHECK(in(gr_exp(p), "outer"));
    }
    CHECK(gr_name_scope_end(g) == GR_OK && gr_name_scope_end(g) == GR_ERR_STATE);
    gr_graph_destroy(g);
}

static void test_no_growth(void)
{
    ledger books = {0};
    gr_graph *g = ledger_graph(&books, 0);
    const gr_mlp net = gr_mlp_create(g, "net.", GR_F32, 3, (int64_t[]){4, 3, 2}, gr_relu, NULL);
    const gr_tensor x = gr_constant(g, GR_F32, GR_SHAPE(5, 4), NULL);
    long calls = 0;
    size_t used = 0;
    for (int step = 0; step < 2000; step++) {
        gr_name_scope_begin(g, step % 2 ? "odd" : "even");
        gr_clear_grads(g);
        gr_backward(total(gr_square(gr_mlp_forward(net, x))));
        gr_name_scope_end(g);
        gr_graph_reset(g);
        if (step == 10) calls = books.calls;
        if (step == 10) used = gr_graph_memory(g).used;
    }
    CHECK(gr_graph_status(g) == GR_OK && books.calls == calls && gr_graph_memory(g).used == used);
    gr_graph_destroy(g);
    CHECK(ledger_balances(&books));
}

int main(void)
{
    RUN(test_nesting);
    RUN(test_errors);
    RUN(test_limit);
    RUN(test_layers);
    RUN(test_recorded_walks);
    RUN(test_untidy);
    RUN(test_no_growth);
    return TEST_EXIT;
}
