/*
 * Checkpoints: gradients are those of the same function called directly, bit for bit, whatever it reads and draws;
 * memory falls as promised; and a function that is none of its operands is found out.
 */
#include "gradus.h"
#include "ledger.h"
#include "test.h"

static bool direct; /* the function is called without a checkpoint */

static gr_tensor segment(gr_graph *g, gr_function f, int n, const gr_tensor *in, void *user)
{
    return direct ? f(g, n, in, user) : gr_checkpoint(g, f, n, in, user);
}

static gr_tensor total(gr_tensor x) { return gr_sum(x, GR_ALL_AXES, false); }

/* ---- The same bits ---- */

typedef struct model {
    gr_type type;
    gr_tensor x, w, v, b; /* [5, 8], [8, 8], [8, 8], [8]: parameters */
    gr_tensor scale;      /* data that is read through this structure */
    gr_tensor extra;      /* an interior tensor of the model */
} model;

static void setup(model *m, gr_graph *g, gr_type type)
{
    *m = (model){.type = type};
    m->x = gr_param(g, "x", type, GR_SHAPE(5, 8), NULL);
    m->w = gr_param(g, "w", type, GR_SHAPE(8, 8), NULL);
    m->v = gr_param(g, "v", type, GR_SHAPE(8, 8), NULL);
    m->b = gr_param(g, "b", type, GR_SHAPE(8), NULL);
    for (int i = 0; i < gr_param_count(g); i++) gr_init_normal(gr_param_at(g, i), 0, 0.6);
    m->scale = gr_keep(gr_uniform(g, type, GR_SHAPE(8), 0.5, 1.5));
}

static gr_tensor dense(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    const model *m = user;
    (void)g, (void)n;
    return gr_tanh(gr_add(gr_matmul(in[0], m->w), m->b));
}
/* Uses everything several times: inputs, what it captures, an interior tensor beside its input, random numbers,
   constants that it makes. */
static gr_tensor busy(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    const model *m = user;
    const gr_tensor h = gr_mul(gr_dropout(gr_matmul(in[0], m->w), 0.3, true), m->scale);
    const gr_tensor noise = gr_normal(g, m->type, GR_SHAPE(5, 8), 0, 0.1);
    const gr_tensor k = gr_mul(gr_sigmoid(gr_add(h, m->b)), gr_add(in[n - 1], noise));
    const gr_tensor e = m->extra.graph ? gr_mul(m->extra, gr_exp(gr_neg(gr_square(m->extra)))) : k;
    const gr_tensor half = gr_constant(g, m->type, GR_SCALAR,
                                       m->type == GR_F64 ? (const void *)(double[]){0.5}
                                                         : (const void *)(float[]){0.5f});
    return gr_add(gr_mul(gr_matmul(k, m->w), half), gr_mul(gr_add(e, in[0]), m->b));
}
static gr_tensor nested(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    const gr_tensor h = segment(g, busy, n, in, user);
    const gr_tensor k = segment(g, dense, 1, &h, user);
    const gr_tensor both[] = {gr_dropout(k, 0.2, true), h};
    return gr_add(segment(g, busy, 2, both, user), in[0]);
}
static gr_tensor view(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    const model *m = user;
    const gr_tensor all = gr_concat(2, (gr_tensor[]){gr_matmul(in[0], m->v), gr_exp(in[0])}, 1);
    (void)g, (void)n;
    return gr_transpose(gr_slice(all, 1, 3, 11, 1), 0, 1); /* a part, and not contiguous */
}

typedef gr_tensor loss_of(gr_graph *g, model *m);

static gr_tensor l_simple(gr_graph *g, model *m)
{
    return gr_mean(segment(g, dense, 1, &m->x, m), GR_ALL_AXES, false);
}
static gr_tensor l_busy(gr_graph *g, model *m)
{
    const gr_tensor in[] = {m->x, gr_matmul(m->x, m->v)};
    return total(gr_square(segment(g, busy, 2, in, m)));
}
/* Parameters and inputs are used before, inside and after: the order of sums matters. */
static gr_tensor l_around(gr_graph *g, model *m)
{
    const gr_tensor before = gr_mul(gr_matmul(m->x, m->w), m->b);
    m->extra = gr_sin(before);
    const gr_tensor in[] = {before, m->extra};
    const gr_tensor y = segment(g, busy, 2, in, m);
    const gr_tensor z = gr_add(gr_mul(y, in[0]), gr_mul(gr_matmul(y, m->w), in[1]));
    return total(gr_mul(gr_add(z, y), gr_add(m->b, m->x)));
}
static gr_tensor l_chain(gr_graph *g, model *m)
{
    gr_tensor h = m->x;
    for (int i = 0; i < 5; i++) {
        h = segment(g, i % 2 ? busy : dense, 1, &h, m);
        if (i == 2) h = gr_dropout(h, 0.5, true); /* random numbers between */
    }
    return total(gr_square(h));
}
static gr_tensor l_nested(gr_graph *g, model *m)
{
    const gr_tensor in[] = {m->x, gr_matmul(m->x, m->v)};
    return total(gr_tanh(segment(g, nested, 2, in, m)));
}
static gr_tensor l_view(gr_graph *g, model *m)
{
    const gr_tensor y = segment(g, view, 1, &m->x, m);
    return total(gr_mul(y, gr_square(y)));
}
static gr_tensor l_twice(gr_graph *g, model *m)
{
    const gr_tensor a = segment(g, busy, 1, &m->x, m), b = segment(g, busy, 1, &m->x, m);
    return total(gr_mul(a, gr_add(b, a)));
}
static loss_of *const losses[] = {l_simple, l_busy, l_around, l_chain, l_nested, l_view, l_twice};
enum { LOSSES = sizeof losses / sizeof *losses, BYTES = (5 * 8 + 2 * 8 * 8 + 8) * 8 };

/* Values and gradients as bytes, and the next random number. */
typedef struct outcome {
    unsigned char bytes[BYTES];
    double loss, next;
} outcome;

static void differentiate(gr_graph *g, gr_tensor loss, int way, outcome *o)
{
    gr_tensor in[4], gradients[4];
    for (int i = 0; i < 4; i++) in[i] = gr_param_at(g, i);
    if (way == 0) {
        CHECK(gr_backward(loss) == GR_OK);
        for (int i = 0; i < 4; i++) /* a parameter that plays no part has none */
            gradients[i] = gr_has_gradient(in[i]) ? gr_gradient(in[i]) : gr_scale(in[i], 0);
    } else {
        CHECK(gr_grad(1, &loss, 4, in, NULL, &(gr_grad_options){.record = way == 2}, gradients) == GR_OK);
    }
    size_t at = 0;
    for (int i = 0; i < 4; i++) {
        const int64_t n = gr_count(in[i]);
        CHECK(gr_read(gradients[i], o->bytes + at, n) == GR_OK);
        at += (size_t)n * gr_type_size(gr_type_of(in[i]));
    }
}

static void run_once(loss_of *f, gr_type type, int way, int threads, outcome *o)
{
    memset(o, 0, sizeof *o);
    gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = threads, .seed = 5});
    model m;
    setup(&m, g, type);
    const gr_tensor loss = f(g, &m);
    o->loss = gr_item(loss);
    differentiate(g, loss, way, o);
    o->next = gr_item(gr_uniform(g, GR_F64, GR_SCALAR, 0, 1));
    CHECK(gr_graph_status(g) == GR_OK);
    if (gr_graph_status(g) != GR_OK) printf("%s\n", gr_graph_error(g));
    gr_graph_destroy(g);
}

static void test_same_bits(void)
{
    for (int k = 0; k < LOSSES * 12; k++) {
        outcome expected, got;
        loss_of *const f = losses[k / 12];
        const gr_type type = k % 2 ? GR_F32 : GR_F64;
        const int way = k / 2 % 3, threads = 1 + k / 6 % 2;
        direct = true;
        run_once(f, type, way, threads, &expected);
        direct = false;
        run_once(f, type, way, threads, &got);
        CHECK(isfinite(expected.loss) && memcmp(&expected, &got, sizeof got) == 0);
        if (memcmp(&expected, &got, sizeof got) != 0)
            printf("  loss %d, %s, way %d\n", k / 12, gr_type_name(type), way);
    }
}

/* Second derivatives by two walks, the second through the record of the first. */
static void second_order(loss_of *f, double *to)
{
    gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = 5});
    model m;
    setup(&m, g, GR_F64);
    const gr_tensor loss = f(g, &m), in[] = {m.x, m.w, m.v, m.b};
    gr_tensor first[4], sum = gr_scalar(g, GR_F64, 0), second[4];
    CHECK(gr_grad(1, &loss, 4, in, NULL, &(gr_grad_options){.record = true}, first) == GR_OK);
    for (int i = 0; i < 4; i++)
        sum = gr_add(sum, total(gr_mul(gr_square(first[i]), gr_add(in[i], first[i]))));
    CHECK(gr_grad(1, &sum, 4, in, NULL, NULL, second) == GR_OK);
    for (int i = 0; i < 4; to += gr_count(in[i]), i++)
        CHECK(gr_read(second[i], to, gr_count(in[i])) == GR_OK);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

static void test_second_order(void)
{
    enum { N = BYTES / 8 };
    for (int k = 0; k < LOSSES; k++) {
        double expected[N], got[N], largest = 0;
        direct = true;
        second_order(losses[k], expected);
        direct = false;
        second_order(losses[k], got);
        for (int i = 0; i < N; i++) largest = fmax(largest, fabs(expected[i]));
        CHECK(largest > 0);
        for (int i = 0; i < N; i++) CHECK_NEAR(got[i], expected[i], 1e-12 * largest);
    }
}

/* Of a loss, all that forward mode has a part in: results for each parameter, one behind the other. */
enum { JVP, JVP_RECORDED, HVP, JACOBIAN, HESSIAN, FORWARD_WAYS };
static gr_tensor forwards(gr_graph *g, gr_tensor loss, gr_tensor in, gr_tensor t, int way)
{
    gr_tensor result = GR_NONE;
    gr_tensor parts = gr_mul(loss, gr_full(g, GR_F64, GR_SHAPE(100), 1)); /* of more elements than `in` */
    if (way == JVP) gr_no_grad_begin(g);
    if (way == JVP || way == JVP_RECORDED) gr_jvp(1, &loss, 1, &in, &t, &result);
    if (way == JVP) gr_no_grad_end(g);
    if (way == JVP_RECORDED) { /* differentiated again, in reverse */
        gr_tensor tangent = result;
        gr_grad(1, &tangent, 1, &in, NULL, NULL, &result);
    }
    if (way == HVP) gr_hvp(loss, 1, &in, &t, &result);
    if (way == JACOBIAN) result = gr_slice(gr_jacobian(parts, in), 0, 3, 4, 1);
    if (way == HESSIAN) result = gr_hessian(loss, in, in);
    return gr_reshape(result, GR_SHAPE(-1));
}

static int64_t run_forwards(loss_of *f, int parameter, int way, double *to)
{
    gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = 5});
    model m;
    setup(&m, g, GR_F64);
    const gr_tensor in[] = {m.x, m.w, m.v, m.b}, t = gr_normal(g, GR_F64, gr_shape_of(in[parameter]), 0, 1);
    const gr_tensor result = forwards(g, f(g, &m), in[parameter], t, way);
    const int64_t n = gr_is_valid(result) ? gr_count(result) : 0;
    CHECK(gr_read(result, to, n) == GR_OK && gr_graph_status(g) == GR_OK);
    if (gr_graph_status(g) != GR_OK) printf("%s\n", gr_graph_error(g));
    gr_graph_destroy(g);
    return n;
}

/* Tangents go through inputs, captured parameters, random numbers and checkpoints inside as without a checkpoint. */
static void test_forward(void)
{
    static double expected[64 * 64], got[64 * 64];
    for (int k = 0; k < LOSSES * 4 * FORWARD_WAYS; k++) {
        const int way = k % FORWARD_WAYS, parameter = k / FORWARD_WAYS % 4;
        loss_of *const f = losses[k / FORWARD_WAYS / 4];
        double largest = 0;
        direct = true;
        const int64_t n = run_forwards(f, parameter, way, expected);
        direct = false;
        CHECK(n > 0 && run_forwards(f, parameter, way, got) == n);
        for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(expected[i]));
        bool same = true;
        for (int64_t i = 0; i < n; i++) same &= fabs(got[i] - expected[i]) <= 1e-12 * fmax(1, largest);
        CHECK(same);
        if (!same) printf("  loss %d, parameter %d, way %d\n", k / FORWARD_WAYS / 4, parameter, way);
    }
}

/* A function that is differentiated, with a checkpoint in it that captures what is around: an input of the same
   function, and a parameter of the graph. */
typedef struct surroundings {
    gr_tensor w, *argument;
} surroundings;
static gr_tensor captures(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    const surroundings *s = user;
    (void)g, (void)n;
    return gr_mul(gr_exp(in[0]), gr_mul(s->w, gr_sin(*s->argument)));
}
static gr_tensor surrounds(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    surroundings *s = user;
    (void)n;
    *s->argument = in[1];
    return total(gr_square(segment(g, captures, 1, in, s)));
}
static void test_functions(void)
{
    double results[2][5][9] = {{{0}}};
    for (int k = 0; k < 2; k++) {
        gr_graph *g = gr_graph_create(NULL);
        direct = k == 0;
        gr_tensor argument;
        surroundings s = {gr_param(g, "w", GR_F64, GR_SHAPE(3), (double[]){0.5, -1, 2}), &argument};
        const gr_tensor in[] = {gr_constant(g, GR_F64, GR_SHAPE(3), (double[]){0.1, 0.2, -0.3}),
                                gr_constant(g, GR_F64, GR_SHAPE(3), (double[]){1, 2, 3})};
        gr_tensor hv[2];
        CHECK(gr_function_hvp(g, surrounds, 2, in, &s, in, hv, NULL) == GR_OK);
        gr_read(hv[0], results[k][0], 3);
        gr_read(hv[1], results[k][1], 3);
        gr_read(gr_function_hessian(g, surrounds, 2, in, &s, 0, 1, NULL), results[k][2], 9);
        gr_read(gr_function_jvp(g, surrounds, 2, in, &s, in, NULL), results[k][3], 1);
        CHECK(gr_backward(gr_add(total(hv[0]), total(hv[1]))) == GR_OK);
        gr_read(gr_gradient(s.w), results[k][4], 3);
        CHECK(gr_graph_status(g) == GR_OK);
        gr_graph_destroy(g);
    }
    direct = false;
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 9; j++)
            CHECK_NEAR(results[1][i][j], results[0][i][j], 1e-13 * fmax(1, fabs(results[0][i][j])));
    CHECK(results[0][0][0] != 0 && results[0][1][0] != 0 && results[0][2][0] != 0 && results[0][3][0] != 0 &&
          results[0][4][0] != 0);
}

static gr_tensor checked(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    model m = {.type = GR_F64, .w = in[1], .b = in[2], .scale = *(gr_tensor *)user};
    static model kept; /* what `user` points to has to live */
    kept = m;
    (void)n;
    return gr_checkpoint(g, nested, 1, in, &kept);
}
static void test_gradient_check(void)
{
    gr_graph *g = gr_graph_create(NULL);
    model m;
    gr_check_result result;
    char text[GR_CHECK_REPORT_BYTES];
    setup(&m, g, GR_F64);
    const gr_tensor in[] = {m.x, m.w, m.b};
    direct = false;
    CHECK(gr_gradcheck(g, checked, 3, in, &m.scale, &(gr_check_options){.order = 2, .max_elements = 6},
                       &result) == GR_OK);
    CHECK(result.passed);
    gr_check_report(&result, text, sizeof text);
    if (!result.passed) printf("%s\n%s\n", gr_graph_error(g), text);
    gr_graph_destroy(g);
}

/* ---- With hooks, retained gradients, interior inputs ---- */

typedef struct seen {
    int calls;
    double last;
} seen;
static gr_tensor observe(gr_tensor gradient, gr_tensor of, void *user)
{
    seen *s = user;
    (void)of;
    s->calls++;
    s->last = gr_item(total(gradient));
    return GR_NONE;
}
static gr_tensor triples(gr_tensor gradient, gr_tensor of, void *user)
{
    (void)of, (void)user;
    return gr_scale(gradient, 3);
}
/* Its interior has hooks, one of which replaces; it retains what it cannot keep. */
static gr_tensor hooked(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    const gr_tensor h = gr_retain_grad(gr_mul(in[0], in[n - 1]));
    (void)g;
    gr_add_hook(h, triples, NULL);
    gr_add_hook(h, observe, user);
    return gr_add(gr_square(h), h);
}

static void test_hooks_and_interiors(void)
{
    double gradients[2][4];
    for (int k = 0; k < 2; k++) {
        gr_graph *g = gr_graph_create(NULL);
        direct = k == 0;
        seen inside = {0}, before = {0}, of_value = {0};
        const gr_tensor p = gr_param(g, "p", GR_F64, GR_SCALAR, (double[]){0.5});
        const gr_tensor x = gr_retain_grad(gr_exp(p)), in[] = {x, p};
        gr_add_hook(x, triples, NULL);
        gr_add_hook(x, observe, &before);
        const gr_tensor y = gr_retain_grad(segment(g, hooked, 2, in, &inside));
        gr_add_hook(y, observe, &of_value);
        CHECK(inside.calls == 0);
        const gr_tensor loss = gr_square(y);
        CHECK(gr_backward_with(loss, &(gr_backward_options){.retain = true}) == GR_OK);
        CHECK(inside.calls == 1 && before.calls == 1 && of_value.calls == 1);
        gradients[k][0] = gr_item(gr_gradient(p));
        gradients[k][1] = gr_item(gr_gradient(x));
        gradients[k][2] = inside.last;
        CHECK(gr_item(gr_gradient(y)) == 2 * gr_item(y) && before.last == gr_item(gr_gradient(x)));
        /* With respect to the interior tensor below, and to the value: nothing runs that is not needed. */
        gr_tensor d;
        CHECK(gr_grad(1, &loss, 1, &x, NULL, &(gr_grad_options){.retain = true}, &d) == GR_OK);
        CHECK(gr_item(d) == gradients[k][1] && inside.calls == 2 && before.calls == 2);
        CHECK(gr_grad(1, &loss, 1, &y, NULL, &(gr_grad_options){.retain = true}, &d) == GR_OK);
        CHECK(gr_item(d) == 2 * gr_item(y) && inside.calls == 2);
        gr_grad(1, &loss, 1, &p, NULL, &(gr_grad_options){.retain = true}, &d);
        gradients[k][3] = gr_item(d);
        CHECK(gradients[k][3] == gradients[k][0] && gr_graph_status(g) == GR_OK);
        gr_graph_destroy(g);
    }
    CHECK(memcmp(gradients[0], gradients[1], sizeof gradients[0]) == 0);
}

/* What leads to no input that was asked for is not computed in the second run's walk either. */
static int rules_run;
static gr_status like_first(const gr_call *c, gr_layout *out) { return gr_infer_like(c, out, 0); }
static gr_status copy(const gr_call *c)
{
    memcpy(c->out->data, c->in[0]->data, (size_t)c->out->count * sizeof(double));
    return GR_OK;
}
static gr_tensor counting_rule(const gr_call *c, gr_tensor gy, int i)
{
    (void)c, (void)i;
    rules_run++;
    return gy;
}
static const gr_op counting = {
    .name = "counting", .arity = 1, .infer = like_first, .forward = copy, .vjp = counting_rule};
static gr_tensor two_ways(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    const gr_tensor x = gr_scale(in[0], 1);
    (void)n, (void)user;
    return gr_mul(gr_apply(g, &counting, 1, &x, NULL), gr_exp(in[1]));
}
static void test_only_what_is_needed(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor in[] = {gr_param(g, "a", GR_F64, GR_SCALAR, (double[]){2}),
                            gr_param(g, "b", GR_F64, GR_SCALAR, (double[]){0})};
    gr_tensor y = gr_checkpoint(g, two_ways, 2, in, NULL), d;
    CHECK(gr_grad(1, &y, 1, &in[1], NULL, &(gr_grad_options){.retain = true}, &d) == GR_OK);
    CHECK(gr_item(d) == 2 && rules_run == 0);
    CHECK(gr_grad(1, &y, 1, &in[0], NULL, &(gr_grad_options){.retain = true}, &d) == GR_OK);
    CHECK(gr_item(d) == 1 && rules_run == 1);
    /* One that was frozen in between gets nothing, and nothing is run for it. */
    gr_set_requires_grad(in[0], false);
    CHECK(gr_backward(y) == GR_OK && rules_run == 1);
    CHECK(!gr_has_gradient(in[0]) && gr_item(gr_gradient(in[1])) == 2);
    CHECK(gr_backward(y) == GR_ERR_HISTORY_RELEASED);
    gr_graph_destroy(g);
}

/* A function that differentiates itself: y = x d(x^3)/dx = 3 x^3. */
static gr_tensor differentiating(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return gr_mul(in[0], gr_derivative(gr_mul(in[0], gr_square(in[0])), in[0]));
}
static void test_derivative_inside(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_param(g, "x", GR_F64, GR_SHAPE(2), (double[]){2, -1});
    const gr_tensor y = gr_checkpoint(g, differentiating, 1, &x, NULL), d = gr_derivative(y, x);
    CHECK(GR_AT(y, 0) == 24 && GR_AT(d, 0) == 36 && GR_AT(d, 1) == 9);
    CHECK(GR_AT(gr_derivative(d, x), 0) == 36);
    gr_graph_destroy(g);
}

/* ---- Memory ---- */

enum { LAYERS = 64, SEGMENTS = 8, SIZE = 1 << 14 };

static gr_tensor layers(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    const gr_tensor w = *(const gr_tensor *)user;
    gr_tensor h = in[0];
    (void)g, (void)n;
    for (int i = 0; i < LAYERS / SEGMENTS; i++) h = gr_tanh(gr_mul(h, w));
    return h;
}

/* Bytes of the peak above what is there before; the gradient goes to `to`. */
static size_t peak(double *to)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(SIZE), NULL);
    gr_init_uniform(w, 0.5, 1.5);
    gr_tensor h = gr_constant(g, GR_F64, GR_SHAPE(SIZE), NULL);
    gr_init_uniform(h, -1, 1);
    gr_graph_reset_memory_peak(g);
    const size_t before = gr_graph_memory(g).used;
    for (int i = 0; i < SEGMENTS; i++) h = segment(g, layers, 1, &h, &w);
    CHECK(gr_backward(total(h)) == GR_OK && gr_read(gr_gradient(w), to, SIZE) == GR_OK);
    const size_t most = gr_graph_memory(g).used_peak - before;
    gr_graph_destroy(g);
    return most;
}

/* Directly: two results of each layer. With checkpoints: one of each segment, and two of each layer of one of them.
   Both: up to five tensors of gradients on the way. The rest are records of nodes, less than one tensor together. */
static void test_peak(void)
{
    static double expected[SIZE], got[SIZE];
    gr_graph *g = gr_graph_create(NULL);
    gr_zeros(g, GR_F64, GR_SHAPE(1)); /* tables and arena */
    const size_t before = gr_graph_memory(g).used;
    gr_zeros(g, GR_F64, GR_SHAPE(SIZE));
    const size_t bytes = gr_graph_memory(g).used - before; /* of one tensor */
    gr_graph_destroy(g);
    direct = true;
    const size_t without = peak(expected);
    direct = false;
    const size_t with = peak(got);
    CHECK(memcmp(expected, got, sizeof got) == 0);
    CHECK(without >= 2 * LAYERS * bytes);
    CHECK(with <= (SEGMENTS + 2 * LAYERS / SEGMENTS + 5 + 1) * bytes);
    CHECK(with * 4 <= without); /* 30 of 128 */
    if (with * 4 > without) printf("    %zu and %zu bytes, a tensor has %zu\n", without, with, bytes);
}

/* The value does not hold the larger buffer of which it is a part. */
static gr_tensor small_part(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return gr_slice(gr_exp(in[0]), 0, 0, 16, 1);
}
static void test_value_is_no_part(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_param(g, "x", GR_F64, GR_SHAPE(SIZE), NULL);
    const size_t before = gr_graph_memory(g).used;
    const gr_tensor y = gr_checkpoint(g, small_part, 1, &x, NULL);
    CHECK(gr_graph_memory(g).used - before < SIZE * sizeof(double) / 2);
    CHECK(gr_backward(total(y)) == GR_OK && GR_AT(gr_gradient(x), 15) == 1 && GR_AT(gr_gradient(x), 16) == 0);
    gr_graph_destroy(g);
}

static void test_no_growth(void)
{
    ledger books = {0};
    gr_graph *g = ledger_graph(&books, 0);
    model m;
    setup(&m, g, GR_F32);
    long calls = 0;
    size_t used = 0;
    direct = false;
    for (int step = 0; step < 1000; step++) {
        gr_clear_grads(g);
        gr_backward(l_nested(g, &m));
        gr_graph_reset(g);
        if (step == 5) calls = books.calls;
        if (step == 5) used = gr_graph_memory(g).used;
    }
    CHECK(gr_graph_status(g) == GR_OK && books.calls == calls && gr_graph_memory(g).used == used);
    gr_graph_destroy(g);
    CHECK(ledger_balances(&books));
}

/* More tensors from outside than the first table has room for. */
enum { MANY = 500 };
static gr_tensor sum_of_many(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    const gr_tensor *many = user;
    gr_tensor sum = gr_scalar(g, GR_F64, 0);
    (void)n, (void)in;
    for (int i = 0; i < 2 * MANY; i++) sum = gr_add(sum, gr_scale(many[i % MANY], i));
    return sum;
}
static void test_many_captured(void)
{
    static gr_tensor many[MANY];
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor p[2];
    for (int i = 0; i < 2; i++) p[i] = gr_param(g, i ? "q" : "p", GR_F64, GR_SCALAR, NULL);
    for (int i = 0; i < MANY; i++) many[i] = gr_exp(p[i % 2]);
    const gr_tensor y = gr_checkpoint(g, sum_of_many, 0, NULL, many);
    CHECK(gr_backward(y) == GR_OK);
    CHECK(gr_item(gr_gradient(p[0])) + gr_item(gr_gradient(p[1])) == MANY * (2 * MANY - 1));
    gr_graph_destroy(g);
}

/* ---- Without a record ---- */

static gr_tensor identity(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    gr_exp(in[0]);
    return in[0];
}
static gr_tensor cube(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return gr_mul(in[0], gr_square(in[0]));
}
static void test_without_record(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_param(g, "x", GR_F64, GR_SHAPE(2), (double[]){2, -1});
    const gr_tensor data = gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){3, 4});
    CHECK(gr_same(gr_checkpoint(g, identity, 1, &x, NULL), x));
    gr_tensor y = gr_checkpoint(g, cube, 1, &data, NULL);
    CHECK(GR_AT(y, 0) == 27 && !gr_requires_grad(y));
    gr_no_grad_begin(g);
    y = gr_checkpoint(g, cube, 1, &x, NULL);
    CHECK(GR_AT(y, 0) == 8 && !gr_requires_grad(y));
    gr_no_grad_end(g);
    CHECK(gr_requires_grad(gr_checkpoint(g, cube, 1, &x, NULL)) && gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* In the walk recording is on for the function, whatever it is outside, and what it was afterwards. */
static void test_walk_in_no_grad(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_param(g, "x", GR_F64, GR_SHAPE(2), (double[]){2, -1});
    const gr_tensor y = gr_checkpoint(g, cube, 1, &x, NULL);
    gr_no_grad_begin(g);
    CHECK(gr_backward(total(y)) == GR_ERR_NO_HISTORY);
    gr_graph_clear_error(g);
    const gr_tensor ones = gr_ones(g, GR_F64, GR_SHAPE(2));
    CHECK(gr_backward_with(y, &(gr_backward_options){.cotangent = ones}) == GR_OK);
    CHECK(GR_AT(gr_gradient(x), 0) == 12 && !gr_is_recording(g));
    gr_no_grad_end(g);
    CHECK(gr_is_recording(g));
    gr_graph_destroy(g);
}

/* ---- Functions that are none of their operands ---- */

static int run_number;      /* of the function, from 1 */
static gr_tensor something; /* that it finds */
static gr_scope outer;

static gr_tensor other_shape(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return run_number++ ? total(in[0]) : gr_exp(in[0]);
}
static gr_tensor other_type(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return run_number++ ? gr_cast(in[0], GR_F32) : gr_exp(in[0]);
}
static gr_tensor other_values(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return gr_transpose(gr_scale(in[0], run_number++), 0, 1);
}
static gr_tensor other_tensor(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return run_number++ ? something : gr_scale(in[0], 1);
}
/* Made after the first run, and used in the second without changing the result. */
static gr_tensor later_tensor(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return gr_add(in[0], gr_scale(run_number++ ? something : in[0], 0));
}
static gr_tensor fails_later(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)n, (void)user;
    if (run_number++) gr_graph_fail(g, GR_ERR_IO, "gone");
    return gr_exp(in[0]);
}
static gr_tensor nothing_later(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return run_number++ ? GR_NONE : gr_exp(in[0]);
}
static gr_tensor opens_later(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)n, (void)user;
    if (run_number++) gr_scope_begin(g);
    return gr_exp(in[0]);
}
static gr_tensor no_grad_later(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)n, (void)user;
    if (run_number++) gr_no_grad_end(g);
    return gr_exp(in[0]);
}
static gr_tensor ends_outer_later(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    if (run_number++) gr_scope_end(outer, 0, NULL);
    return gr_exp(in[0]);
}
static gr_tensor releases_later(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    if (run_number++) gr_release(in[0]);
    return gr_exp(in[0]);
}

static const struct {
    gr_function f;
    gr_status expected;
    const char *text;
} impure[] = {
    {other_shape, GR_ERR_SHAPE,
     "checkpoint: the function returned sum f64 [] when it was run again, at first f64 [2, 3]"},
    {other_type, GR_ERR_TYPE, "checkpoint: the function returned cast f32 [2, 3] when it was run again"},
    {other_values, GR_ERR_CALLBACK, "of other values: it must be a function of its operands"},
    {other_tensor, GR_ERR_CALLBACK, "checkpoint: the function returned a tensor that it did not make"},
    {later_tensor, GR_ERR_CALLBACK, "a function that was run again used later [2, 3], which was made after"},
    {fails_later, GR_ERR_IO, "gone"},
    {nothing_later, GR_ERR_CALLBACK, "checkpoint: the function returned no tensor of this graph"},
    {opens_later, GR_ERR_STATE, "checkpoint: the function opened a scope or a no_grad region"},
    {no_grad_later, GR_ERR_STATE, "no_grad_end"},
    {ends_outer_later, GR_ERR_STATE, "scope_end: this scope was opened before"},
    {releases_later, GR_ERR_STATE, "release: called by a rule"},
};

static void test_impure(void)
{
    for (size_t k = 0; k < sizeof impure / sizeof *impure; k++)
        for (int way = 0; way < 2; way++) {
            gr_graph *g = gr_graph_create(NULL);
            const gr_tensor p = gr_param(g, "p", GR_F64, GR_SHAPE(2, 3), (double[]){1, 2, 3, 4, 5, 6});
            outer = gr_scope_begin(g);
            run_number = 0;
            const gr_tensor y = gr_checkpoint(g, impure[k].f, 1, &p, NULL);
            something = gr_named(gr_scale(p, 1), "later"); /* of the values that other_tensor should return */
            gr_tensor loss = total(gr_square(y)), d;
            const gr_rng_state rng = gr_rng_get(g);
            const gr_status status = way ? gr_grad(1, &loss, 1, &p, NULL, &(gr_grad_options){.record = true},
                                                   &d)
                                         : gr_backward(loss);
            CHECK(status == impure[k].expected);
            CHECK_TEXT(gr_graph_error(g), impure[k].text);
            if (status != impure[k].expected) printf("    %zu: %s\n", k, gr_graph_error(g));
            CHECK(!gr_has_gradient(p) && gr_is_valid(loss) && gr_is_recording(g));
            CHECK(gr_rng_get(g).counter == rng.counter && gr_rng_get(g).seed == rng.seed);
            gr_graph_clear_error(g);
            run_number = 0; /* and now it does what it did */
            if (k != 2) CHECK(gr_backward(loss) == GR_OK && gr_has_gradient(p));
            CHECK(gr_scope_end(outer, 0, NULL) == GR_OK && gr_graph_reset(g) == GR_OK);
            gr_graph_destroy(g);
        }
}

/* What was written between: inputs, parameters, and data that the function only reads. */
static void test_written_between(void)
{
    for (int k = 0; k < 3; k++) {
        gr_graph *g = gr_graph_create(NULL);
        model m;
        setup(&m, g, GR_F64);
        const gr_tensor y = gr_checkpoint(g, busy, 1, &m.x, &m), written[] = {m.x, m.w, m.scale};
        CHECK(gr_data_for_writing(written[k]) != NULL);
        CHECK(gr_backward(total(y)) == GR_ERR_MODIFIED);
        gr_graph_destroy(g);
    }
}

/* ---- Errors of the first run ---- */

static gr_tensor fails(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return gr_matmul(in[0], in[0]);
}
static gr_tensor resets(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)n, (void)user;
    gr_graph_reset(g);
    return gr_exp(in[0]);
}
static gr_tensor leaves_open(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)n, (void)user;
    gr_scope_begin(g);
    return gr_exp(in[0]);
}
static gr_tensor releases_own(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    const gr_tensor k = gr_keep(in[0]), y = gr_mul(in[0], k);
    (void)g, (void)n, (void)user;
    gr_release(k);
    return y;
}
static void test_errors(void)
{
    gr_graph *g = gr_graph_create(NULL), *other = gr_graph_create(NULL);
    const gr_tensor p = gr_param(g, "p", GR_F64, GR_SHAPE(2, 3), NULL), foreign = gr_scalar(other, GR_F64, 1);
    const gr_tensor unset = {0}, stale = gr_exp(p);
    gr_graph_reset(g);
    const struct {
        gr_function f;
        int n;
        const gr_tensor *in;
        gr_status expected;
        const char *text;
    } cases[] = {
        {NULL, 1, &p, GR_ERR_ARGUMENT, "checkpoint: NULL for the function"},
        {cube, -1, &p, GR_ERR_ARGUMENT, "checkpoint: "},
        {cube, 1, NULL, GR_ERR_ARGUMENT, "1 inputs at NULL"},
        {cube, 1, &foreign, GR_ERR_GRAPH, "checkpoint: inputs[0] belongs to another graph"},
        {cube, 1, &unset, GR_ERR_HANDLE, "checkpoint: inputs[0] is an invalid handle"},
        {cube, 1, &stale, GR_ERR_STALE, "checkpoint: stale handle"},
        {fails, 1, &p, GR_ERR_SHAPE, "matmul: inner sizes differ"},
        {nothing_later, 1, &p, GR_ERR_CALLBACK, "checkpoint: the function returned no tensor"},
        {resets, 1, &p, GR_ERR_STATE, "graph_reset: 1 scopes are open"},
        {leaves_open, 1, &p, GR_ERR_STATE, "checkpoint: the function opened a scope"},
        {releases_own, 1, &p, GR_OK, ""},
    };
    run_number = 1;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const gr_tensor y = gr_checkpoint(g, cases[k].f, cases[k].n, cases[k].in, NULL);
        CHECK(gr_graph_status(g) == cases[k].expected);
        CHECK_TEXT(gr_graph_error(g), cases[k].text);
        CHECK(cases[k].expected != GR_OK || gr_is_valid(y));
        gr_graph_clear_error(g);
        CHECK(gr_graph_reset(g) == GR_OK && gr_is_recording(g));
    }
    CHECK(!gr_is_valid(gr_checkpoint(NULL, cube, 1, &p, NULL)));
    gr_graph_destroy(g);
    gr_graph_destroy(other);
}

/* An anomaly that first shows when the function is run again names the operation and where it was made. */
static gr_tensor divides(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)n, (void)user;
    gr_name_scope_begin(g, "inner");
    const gr_tensor y = gr_log(in[0]);
    gr_name_scope_end(g);
    return gr_where(gr_less(in[0], gr_zeros(g, GR_F64, GR_SCALAR)), in[0], gr_exp(gr_neg(gr_abs(y))));
}
static void test_anomaly(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor p = gr_param(g, "p", GR_F64, GR_SHAPE(2), (double[]){1, -1});
    gr_name_scope_begin(g, "outer");
    const gr_tensor y = gr_checkpoint(g, divides, 1, &p, NULL);
    gr_name_scope_end(g);
    CHECK(gr_anomaly_begin(g, NULL) == GR_OK);
    CHECK(gr_backward(total(y)) == GR_ERR_NOT_FINITE);
    CHECK_TEXT(gr_graph_error(g),
               ") in outer/inner: the value became nan at [1]: operand 1, p f64 [2] from -1 to 1");
    gr_graph_clear_error(g);
    CHECK(gr_anomaly_end(g) == GR_OK && !gr_has_gradient(p));
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_same_bits);
    RUN(test_second_order);
    RUN(test_forward);
    RUN(test_functions);
    RUN(test_gradient_check);
    RUN(test_hooks_and_interiors);
    RUN(test_only_what_is_needed);
    RUN(test_derivative_inside);
    RUN(test_peak);
    RUN(test_value_is_no_part);
    RUN(test_no_growth);
    RUN(test_many_captured);
    RUN(test_without_record);
    RUN(test_walk_in_no_grad);
    RUN(test_impure);
    RUN(test_written_between);
    RUN(test_errors);
    RUN(test_anomaly);
    return TEST_EXIT;
}
