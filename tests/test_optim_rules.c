/*
 * Every update rule over ten steps: against its paper's formula, written down here once more, number by number; in
 * f32 and f64; scalars, vectors and matrices; groups with rates of their own, rates that change; without weight decay
 * and with it, coupled and decoupled. And against what PyTorch gives. Weight decay, groups and what a resumed
 * optimiser needs are tested here, too.
 */
#include "gradus.h"
#include "test.h"
#include "optim_golden.h"

enum { N_A = 5, N_B = 6, N_S = 1, N = N_A + N_B + N_S, STEPS = 10 };

static const double start[N] = {0.5, -1.25, 2.0, 1e-3, -1.5, 0.7, -0.4, 1.1, 0.0, -2.0, 0.25, 0.75};
static const double target[N] = {1.0, 0.25, -0.5, 0.0, -3.0, 0.5, 0.5, -1.0, 0.125, -1.0, 0.25, -0.5};
static const double curvature[N] = {1.0, 4.0, 0.1, 10.0, 0.25, 2.0, 0.5, 1.0, 3.0, 0.2, 5.0, 0.3};
static const double factors[STEPS] = {1, 1, 1, 0.5, 0.5, 2, 2, 1, 1, 1};

/* d/dx of the sum of c (d^4 / 4 + d^2 / 2), d = x - target: the gradient changes from step to step, and is 0 at place
   10, where a rule must not divide 0 by 0. */
static double slope(int i, double x)
{
    const double d = x - target[i];
    return curvature[i] * (d * d * d + d);
}

static gr_tensor part_of_loss(gr_tensor x, int first)
{
    gr_graph *g = x.graph;
    const gr_shape shape = gr_shape_of(x);
    gr_tensor t = gr_constant(g, GR_F64, shape, target + first),
              c = gr_constant(g, GR_F64, shape, curvature + first);
    if (gr_type_of(x) == GR_F32) t = gr_cast(t, GR_F32), c = gr_cast(c, GR_F32);
    const gr_tensor d2 = gr_square(gr_sub(x, t));
    return gr_sum(gr_mul(c, gr_add(gr_scale(gr_square(d2), 0.25), gr_scale(d2, 0.5))), GR_ALL_AXES, false);
}

/* ---- The formulas, for one number ---- */

typedef struct number {
    double x, s[3]; /* the parameter, and the states in the order of the rule */
} number;

/* g: the gradient, with coupled decay; a: the rate; t: from 1. */
typedef void formula(number *n, double g, double a, int t, const void *options);

static void sgd(number *n, double g, double a, int t, const void *options)
{
    (void)t, (void)options;
    n->x = n->x - a * g;
}

static void momentum(number *n, double g, double a, int t, const void *options)
{
    const gr_momentum_options *o = options;
    (void)t;
    if (o->rate_outside) {
        n->s[0] = o->beta * n->s[0] - g;
        n->x += a * n->s[0];
    } else {
        n->s[0] = o->beta * n->s[0] - a * g;
        n->x += n->s[0];
    }
}

/* As in the paper: y is the point, x = y + beta v the place of the gradient. */
static void nesterov(number *n, double g, double a, int t, const void *options)
{
    const gr_momentum_options *o = options;
    (void)t;
    if (o->rate_outside) { /* PyTorch: buf = momentum buf + g; x -= a (g + momentum buf) */
        const double buffer = o->beta * -n->s[0] + g;
        n->x -= a * (g + o->beta * buffer);
        n->s[0] = -buffer;
    } else {
        double y = n->x - o->beta * n->s[0];
        const double v = o->beta * n->s[0] - a * g;
        y = y + v;
        n->x = y + o->beta * v;
        n->s[0] = v;
    }
}

static void adagrad(number *n, double g, double a, int t, const void *options)
{
    const gr_adagrad_options *o = options;
    if (t == 1) n->s[0] = o->start;
    n->s[0] += pow(g, 2);
    n->x -= a / (1 + (t - 1) * o->rate_decay) * g / (sqrt(n->s[0]) + o->epsilon);
}

static double rms_step(double r, double g, const gr_rmsprop_options *o)
{
    return o->epsilon_inside ? g / sqrt(r + o->epsilon) : g / (sqrt(r) + o->epsilon);
}

static void rmsprop(number *n, double g, double a, int t, const void *options)
{
    const gr_rmsprop_options *o = options;
    (void)t;
    n->s[0] = o->rho * n->s[0] + (1 - o->rho) * g * g;
    n->x -= a * rms_step(n->s[0], g, o);
}

static void rms_move(number *n, double *b, double d, double a, const gr_rmsprop_options *o)
{
    *b = o->momentum * *b + (o->rate_outside ? 1 : a) * d;
    n->x -= (o->rate_outside ? a : 1) * *b;
}

static void rmsprop_momentum(number *n, double g, double a, int t, const void *options)
{
    const gr_rmsprop_options *o = options;
    (void)t;
    n->s[0] = o->rho * n->s[0] + (1 - o->rho) * g * g;
    rms_move(n, &n->s[1], rms_step(n->s[0], g, o), a, o);
}

static void rmsprop_centred(number *n, double g, double a, int t, const void *options)
{
    const gr_rmsprop_options *o = options;
    (void)t;
    n->s[0] = o->rho * n->s[0] + (1 - o->rho) * g * g;
    n->s[1] = o->rho * n->s[1] + (1 - o->rho) * g;
    rms_move(n, &n->s[2], rms_step(n->s[0] - n->s[1] * n->s[1], g, o), a, o);
}

static void adadelta(number *n, double g, double a, int t, const void *options)
{
    const gr_adadelta_options *o = options;
    (void)t;
    n->s[0] = o->rho * n->s[0] + (1 - o->rho) * g * g;
    const double d = -sqrt(n->s[1] + o->epsilon) / sqrt(n->s[0] + o->epsilon) * g;
    n->s[1] = o->rho * n->s[1] + (1 - o->rho) * d * d;
    n->x += a * d;
}

static double adam_direction(double m, double v, int t, const gr_adam_options *o)
{
    return m / (1 - pow(o->beta1, t)) / (sqrt(v / (1 - pow(o->beta2, t))) + o->epsilon);
}

static void adam(number *n, double g, double a, int t, const void *options)
{
    const gr_adam_options *o = options;
    n->s[0] = o->beta1 * n->s[0] + (1 - o->beta1) * g;
    n->s[1] = o->beta2 * n->s[1] + (1 - o->beta2) * g * g;
    n->x -= a * adam_direction(n->s[0], n->s[1], t, o);
}

static void amsgrad(number *n, double g, double a, int t, const void *options)
{
    const gr_adam_options *o = options;
    n->s[0] = o->beta1 * n->s[0] + (1 - o->beta1) * g;
    n->s[1] = o->beta2 * n->s[1] + (1 - o->beta2) * g * g;
    n->s[2] = fmax(n->s[2], n->s[1]);
    n->x -= a * adam_direction(n->s[0], n->s[2], t, o);
}

static void nadam(number *n, double g, double a, int t, const void *options)
{
    const gr_nadam_options *o = options;
    double product = 1, mu = 0;
    for (int i = 1; i <= t; i++) {
        mu = o->beta1 * (1 - pow(0.96, i * o->momentum_decay) / 2);
        product *= mu;
    }
    const double next = o->beta1 * (1 - pow(0.96, (t + 1) * o->momentum_decay) / 2);
    n->s[0] = o->beta1 * n->s[0] + (1 - o->beta1) * g;
    n->s[1] = o->beta2 * n->s[1] + (1 - o->beta2) * g * g;
    const double m = next * n->s[0] / (1 - product * next) + (1 - mu) * g / (1 - product);
    n->x -= a * m / (sqrt(n->s[1] / (1 - pow(o->beta2, t))) + o->epsilon);
    n->s[2] = product;
}

static void lion(number *n, double g, double a, int t, const void *options)
{
    const gr_lion_options *o = options;
    const double c = o->beta1 * n->s[0] + (1 - o->beta1) * g;
    (void)t;
    n->x -= a * (c > 0 ? 1.0 : c < 0 ? -1.0 : 0.0);
    n->s[0] = o->beta2 * n->s[0] + (1 - o->beta2) * g;
}

/* ---- The cases ---- */

static const gr_momentum_options outside = {.beta = 0.9, .rate_outside = true};
static const gr_adagrad_options decaying = {.epsilon = 1e-10, .rate_decay = 0.1, .start = 0.2};
static const gr_rmsprop_options inside = {.rho = 0.9, .epsilon = 1e-3, .epsilon_inside = true};
static const gr_rmsprop_options torch_momentum = {
    .rho = 0.9, .epsilon = 1e-8, .momentum = 0.5, .rate_outside = true};
static const gr_rmsprop_options torch_centred = {
    .rho = 0.9, .epsilon = 1e-4, .momentum = 0.5, .rate_outside = true};
static const gr_rmsprop_options graves = {
    .rho = 0.95, .epsilon = 1e-4, .momentum = 0.9, .epsilon_inside = true};
static const gr_adam_options forgetful = {.beta1 = 0.9, .beta2 = 0.8, .epsilon = 1e-8};
static const gr_nadam_options quick = {.beta1 = 0.8, .beta2 = 0.99, .epsilon = 1e-6, .momentum_decay = 0.5};

typedef struct rule_case {
    const char *name;
    const gr_rule *rule;
    formula *formula;
    double rate;
    const void *options;    /* NULL: the defaults */
    bool golden, decoupled; /* there are numbers of PyTorch, with such a decay */
} rule_case;

static const rule_case cases[] = {
    {"sgd", &gr_rule_sgd, sgd, 0.02, NULL, true, false},
    {"momentum, rate inside", &gr_rule_momentum, momentum, 0.005, NULL, false, false},
    {"momentum", &gr_rule_momentum, momentum, 0.005, &outside, true, false},
    {"nesterov, rate inside", &gr_rule_nesterov, nesterov, 0.005, NULL, false, false},
    {"nesterov", &gr_rule_nesterov, nesterov, 0.005, &outside, true, false},
    {"adagrad", &gr_rule_adagrad, adagrad, 0.1, NULL, true, false},
    {"adagrad, decaying", &gr_rule_adagrad, adagrad, 0.1, &decaying, true, false},
    {"rmsprop", &gr_rule_rmsprop, rmsprop, 0.01, NULL, true, false},
    {"rmsprop, epsilon inside", &gr_rule_rmsprop, rmsprop, 0.01, &inside, false, false},
    {"rmsprop_momentum", &gr_rule_rmsprop_momentum, rmsprop_momentum, 0.01, NULL, false, false},
    {"rmsprop, momentum", &gr_rule_rmsprop_momentum, rmsprop_momentum, 0.01, &torch_momentum, true, false},
    {"rmsprop, centred", &gr_rule_rmsprop_centred, rmsprop_centred, 0.01, NULL, true, false},
    {"rmsprop, centred, momentum", &gr_rule_rmsprop_centred, rmsprop_centred, 0.01, &torch_centred, true,
     false},
    {"rmsprop, as Graves", &gr_rule_rmsprop_centred, rmsprop_centred, 0.01, &graves, false, false},
    {"adadelta", &gr_rule_adadelta, adadelta, 1, NULL, true, false},
    {"adam", &gr_rule_adam, adam, 0.05, NULL, true, false},
    {"amsgrad", &gr_rule_amsgrad, amsgrad, 0.05, &forgetful, true, false},
    {"adamw", &gr_rule_adamw, adam, 0.05, NULL, true, true},
    {"nadam", &gr_rule_nadam, nadam, 0.05, NULL, true, false},
    {"nadam, decoupled", &gr_rule_nadam, nadam, 0.05, &quick, true, true},
    {"lion", &gr_rule_lion, lion, 0.02, NULL, false, false},
};
enum { N_CASES = sizeof cases / sizeof *cases };

/* ---- Ours ---- */

typedef struct model {
    gr_graph *g;
    gr_tensor a, b, s; /* [5], [2, 3], [] */
    gr_optimizer *opt;
} model;

static gr_tensor param_of(gr_graph *g, const char *name, gr_type type, gr_shape shape, int first)
{
    float narrow[N];
    for (int i = first; i < N; i++) narrow[i] = (float)start[i];
    return gr_param(g, name, type, shape,
                    type == GR_F32 ? (const void *)(narrow + first) : (const void *)(start + first));
}

/* Two groups: a; b and s, with half the rate and the decay. */
static model make_model(const rule_case *c, gr_type type, double weight_decay, gr_decay decay)
{
    model m = {.g = gr_graph_create(NULL)};
    m.a = param_of(m.g, "a", type, GR_SHAPE(5), 0);
    m.b = param_of(m.g, "b", type, GR_SHAPE(2, 3), N_A);
    m.s = param_of(m.g, "s", type, GR_SCALAR, N_A + N_B);
    const gr_param_group groups[] = {{.n = 1, .params = &m.a, .rate = c->rate},
                                     {.rate = c->rate / 2, .weight_decay = weight_decay, .decay = decay}};
    m.opt = gr_optimizer_create_groups(m.g, c->rule, c->options, 2, groups);
    CHECK(m.opt != NULL);
    return m;
}

static void backward(const model *m)
{
    const gr_scope scope = gr_scope_begin(m->g);
    gr_clear_grads(m->g);
    const gr_tensor loss = gr_add(part_of_loss(m->a, 0), part_of_loss(m->b, N_A));
    CHECK(gr_backward(gr_add(loss, part_of_loss(m->s, N_A + N_B))) == GR_OK);
    gr_scope_end(scope, 0, NULL);
}

static void step(const model *m, int t)
{
    backward(m);
    CHECK(gr_optimizer_set_rate_factor(m->opt, factors[t - 1]) == GR_OK);
    CHECK(gr_optimizer_step(m->opt) == GR_OK);
}

static double read_one(gr_tensor t, int64_t i)
{
    const void *data = gr_data(t);
    return !data                     ? (double)NAN
           : gr_type_of(t) == GR_F32 ? (double)((const float *)data)[i]
                                     : ((const double *)data)[i];
}

/* Number i of all, of the parameter (k < 0) or its state k. */
static double read_number(const model *m, int i, int k)
{
    const int which = i < N_A ? 0 : i < N_A + N_B ? 1 : 2;
    const gr_tensor param = which == 0 ? m->a : which == 1 ? m->b : m->s;
    const gr_tensor t = k < 0 ? param : gr_optimizer_state(m->opt, which, k);
    return read_one(t, gr_ndim(t) == 0 ? 0 : i - (which == 0 ? 0 : N_A));
}

/* ---- Rules against formulas ---- */

static void compare(const rule_case *c, gr_type type, double weight_decay, gr_decay decay)
{
    const model m = make_model(c, type, weight_decay, decay);
    const void *options = c->options ? c->options : c->rule->default_options;
    const double narrow = c->formula == rmsprop_centred ? 2e-4 : 2e-5; /* the variance cancels digits */
    const double tolerance = type == GR_F32 ? narrow : 1e-13;
    number numbers[N];
    for (int i = 0; i < N; i++) numbers[i] = (number){.x = read_number(&m, i, -1)};
    for (int t = 1; t <= STEPS; t++) {
        step(&m, t);
        for (int i = 0; i < N; i++) {
            number *n = &numbers[i];
            const double rate = factors[t - 1] * (i < N_A ? c->rate : c->rate / 2);
            const double wd = i < N_A ? 0 : weight_decay;
            double gradient = slope(i, n->x);
            if (decay == GR_DECAY_COUPLED) gradient += wd * n->x;
            if (decay == GR_DECAY_DECOUPLED) n->x -= rate * wd * n->x;
            c->formula(n, gradient, rate, t, options);
            CHECK_NEAR(read_number(&m, i, -1), n->x, tolerance * (1 + fabs(n->x)));
            for (int k = 0; k < c->rule->n_states; k++)
                CHECK_NEAR(read_number(&m, i, k), n->s[k], tolerance * (1 + fabs(n->s[k])));
        }
    }
    CHECK(gr_optimizer_steps(m.opt, 0) == STEPS && gr_optimizer_steps(m.opt, 2) == STEPS);
    CHECK(gr_graph_status(m.g) == GR_OK);
    gr_graph_destroy(m.g);
}

static void test_formulas(void)
{
    for (int i = 0; i < N_CASES; i++)
        for (int type = GR_F32; type <= GR_F64; type++) {
            const int before = test_failures;
            compare(&cases[i], (gr_type)type, 0, GR_DECAY_COUPLED);
            compare(&cases[i], (gr_type)type, 0.1, GR_DECAY_COUPLED);
            compare(&cases[i], (gr_type)type, 0.1, GR_DECAY_DECOUPLED);
            if (test_failures > before) printf("    in %s, %s\n", cases[i].name, gr_type_name((gr_type)type));
        }
}

/* ---- Rules against PyTorch ---- */

static void test_pytorch(void)
{
    size_t compared = 0;
    for (int i = 0; i < N_CASES; i++) {
        const rule_case *c = &cases[i];
        if (!c->golden) continue;
        const golden *expected = NULL;
        for (size_t k = 0; k < sizeof goldens / sizeof *goldens; k++)
            if (!strcmp(goldens[k].name, c->name)) expected = &goldens[k];
        CHECK(expected != NULL);
        if (!expected) continue;
        const model m = make_model(c, GR_F64, 0.1, c->decoupled ? GR_DECAY_DECOUPLED : GR_DECAY_COUPLED);
        for (int t = 1; t <= STEPS; t++) step(&m, t);
        for (int k = 0; k < N_A + N_B; k++)
            CHECK_NEAR(read_number(&m, k, -1), expected->x[k], 1e-13 * (1 + fabs(expected->x[k])));
        gr_graph_destroy(m.g);
        compared++;
    }
    CHECK(compared == sizeof goldens / sizeof *goldens);
}

/* ---- The short constructors ---- */

static bool made_by(gr_optimizer *opt, const gr_rule *rule, double rate, double weight_decay, gr_decay decay)
{
    if (!opt) return false;
    const gr_param_group group = gr_optimizer_group(opt, 0);
    return gr_optimizer_rule(opt) == rule && gr_optimizer_rate(opt) == rate && group.rate == rate &&
           group.weight_decay == weight_decay && (weight_decay == 0 || group.decay == decay) &&
           group.n == 1 && gr_optimizer_group_count(opt) == 1;
}

static void test_constructors(void)
{
    gr_graph *g = gr_graph_create(NULL);
    param_of(g, "a", GR_F64, GR_SHAPE(5), 0);
    const gr_decay none = GR_DECAY_COUPLED, apart = GR_DECAY_DECOUPLED;
    CHECK(made_by(gr_sgd(g, 0.5), &gr_rule_sgd, 0.5, 0, none));
    CHECK(made_by(gr_momentum(g, 0.5, 0.75), &gr_rule_momentum, 0.5, 0, none));
    CHECK(made_by(gr_nesterov(g, 0.5, 0.75), &gr_rule_nesterov, 0.5, 0, none));
    CHECK(made_by(gr_adagrad(g, 0.5), &gr_rule_adagrad, 0.5, 0, none));
    CHECK(made_by(gr_rmsprop(g, 0.5), &gr_rule_rmsprop, 0.5, 0, none));
    CHECK(made_by(gr_rmsprop_momentum(g, 0.5, 0.75), &gr_rule_rmsprop_momentum, 0.5, 0, none));
    CHECK(made_by(gr_adadelta(g, 1), &gr_rule_adadelta, 1, 0, none));
    CHECK(made_by(gr_adam(g, 0.5), &gr_rule_adam, 0.5, 0, none));
    CHECK(made_by(gr_amsgrad(g, 0.5), &gr_rule_amsgrad, 0.5, 0, none));
    CHECK(made_by(gr_adamw(g, 0.5, 0.25), &gr_rule_adamw, 0.5, 0.25, apart));
    CHECK(made_by(gr_optimizer_create(g, &gr_rule_adamw, 0.5, NULL, 0, NULL), &gr_rule_adamw, 0.5, 0.01,
                  apart));
    CHECK(made_by(gr_nadam(g, 0.5), &gr_rule_nadam, 0.5, 0, none));
    CHECK(made_by(gr_lion(g, 0.5, 0.25), &gr_rule_lion, 0.5, 0.25, apart));
    CHECK(made_by(gr_optimizer_create(g, &gr_rule_lion, 0.5, NULL, 0, NULL), &gr_rule_lion, 0.5, 0, apart));
    const gr_momentum_options *m = gr_optimizer_options(gr_nesterov(g, 0.5, 0.75));
    CHECK(m && m->beta == 0.75 && !m->rate_outside);
    const gr_rmsprop_options *r = gr_optimizer_options(gr_rmsprop_momentum(g, 0.5, 0.75));
    CHECK(r && r->momentum == 0.75 && r->rho == 0.99 && r->epsilon_inside && !r->rate_outside);
    CHECK(gr_optimizer_options(gr_sgd(g, 0.5)) == NULL);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* ---- Edges of formulas ---- */

/* A parameter of one number under a rule, with gradients that are written by hand. */
static void feed(gr_optimizer *opt, gr_tensor x, double gradient)
{
    gr_clear_grad(x);
    CHECK(gr_backward(gr_scale(x, 1)) == GR_OK);
    gr_write(gr_gradient(x), &gradient, 1);
    CHECK(gr_optimizer_step(opt) == GR_OK);
    gr_graph_reset(x.graph);
}

/* Gradients of 0 leave every parameter where it is, at first and after others. */
static void test_zero_gradients(void)
{
    for (int i = 0; i < N_CASES; i++) {
        gr_graph *g = gr_graph_create(NULL);
        const gr_tensor x = gr_param(g, "x", GR_F64, GR_SCALAR, &(double){1.5});
        gr_optimizer *opt = gr_optimizer_create(g, cases[i].rule, 0.1, cases[i].options, 0, NULL);
        CHECK(gr_optimizer_set_decay(opt, 0, GR_DECAY_COUPLED) == GR_OK);
        for (int t = 0; t < 3; t++) feed(opt, x, 0);
        CHECK(gr_item(x) == 1.5);
        for (int t = 0; t < 3; t++) feed(opt, x, -2);
        CHECK(gr_item(x) > 1.5);
        gr_graph_destroy(g);
    }
}

/* A gradient of NaN shows in the parameter; a Lion that took its sign for 0 would hide it. */
static void test_nan_is_not_hidden(void)
{
    for (int i = 0; i < N_CASES; i++) {
        gr_graph *g = gr_graph_create(NULL);
        const gr_tensor x = gr_param(g, "x", GR_F64, GR_SCALAR, &(double){1.5});
        gr_optimizer *opt = gr_optimizer_create(g, cases[i].rule, 0.1, cases[i].options, 0, NULL);
        feed(opt, x, 1);
        feed(opt, x, (double)NAN);
        CHECK(isnan(gr_item(x)));
        gr_graph_destroy(g);
    }
}

/* A variance that rounding has made negative counts as 0: a long step, but not NaN. */
static void test_centred_variance_below_zero(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_param(g, "x", GR_F64, GR_SCALAR, &(double){0});
    gr_optimizer *opt = gr_optimizer_create(g, &gr_rule_rmsprop_centred, 1e-6, NULL, 0, NULL);
    gr_write(gr_optimizer_state(opt, 0, 0), &(double){0.25 - 1e-9}, 1);
    gr_write(gr_optimizer_state(opt, 0, 1), &(double){0.5}, 1);
    feed(opt, x, 0.5);
    CHECK(gr_item(gr_optimizer_state(opt, 0, 0)) < 0.25);
    CHECK_NEAR(gr_item(x), -1e-6 * 0.5 / 1e-8, 1e-9);
    gr_graph_destroy(g);
}

/* ---- Groups and decay ---- */

static void test_groups(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = param_of(g, "a", GR_F64, GR_SHAPE(5), 0),
                    b = param_of(g, "b", GR_F64, GR_SHAPE(2, 3), N_A),
                    s = param_of(g, "s", GR_F64, GR_SCALAR, N_A + N_B);
    const gr_param_group groups[] = {{.rate = 0.5, .weight_decay = 0.125, .decay = GR_DECAY_DECOUPLED},
                                     {.n = 1, .params = &b, .rate = 0.25}};
    gr_optimizer *opt = gr_optimizer_create_groups(g, &gr_rule_sgd, NULL, 2, groups);
    CHECK(opt && gr_optimizer_group_count(opt) == 2 && gr_optimizer_param_count(opt) == 3);
    CHECK(gr_same(gr_optimizer_param(opt, 0), a) && gr_same(gr_optimizer_param(opt, 1), s) &&
          gr_same(gr_optimizer_param(opt, 2), b)); /* in the order of the groups */
    CHECK(gr_optimizer_param_group(opt, 1) == 0 && gr_optimizer_param_group(opt, 2) == 1);
    const gr_param_group first = gr_optimizer_group(opt, 0), second = gr_optimizer_group(opt, 1);
    CHECK(first.n == 2 && first.rate == 0.5 && first.weight_decay == 0.125 &&
          first.decay == GR_DECAY_DECOUPLED);
    CHECK(second.n == 1 && second.rate == 0.25 && second.weight_decay == 0 && second.params == NULL);
    CHECK(gr_optimizer_rate(opt) == 0.5);

    CHECK(gr_optimizer_set_group_rate(opt, 1, 2) == GR_OK && gr_optimizer_group(opt, 1).rate == 2);
    CHECK(gr_optimizer_group(opt, 0).rate == 0.5);
    CHECK(gr_optimizer_set_rate_factor(opt, 0.5) == GR_OK && gr_optimizer_rate_factor(opt) == 0.5);
    CHECK(gr_optimizer_group(opt, 1).rate == 2 && gr_optimizer_rate(opt) == 0.5); /* the factor is apart */
    CHECK(gr_optimizer_set_rate(opt, 0.75) == GR_OK);
    CHECK(gr_optimizer_group(opt, 0).rate == 0.75 && gr_optimizer_group(opt, 1).rate == 0.75);
    CHECK(gr_optimizer_set_group_decay(opt, 1, 0.5, GR_DECAY_COUPLED) == GR_OK);
    CHECK(gr_optimizer_group(opt, 1).weight_decay == 0.5 && gr_optimizer_group(opt, 0).weight_decay == 0.125);
    CHECK(gr_optimizer_set_decay(opt, 0.0625, GR_DECAY_DECOUPLED) == GR_OK);
    CHECK(gr_optimizer_group(opt, 1).weight_decay == 0.0625 &&
          gr_optimizer_group(opt, 1).decay == GR_DECAY_DECOUPLED);

    /* one step with those: 0.75 * 0.5, decay 0.0625 */
    gr_backward(gr_add(gr_sum(a, GR_ALL_AXES, false), gr_add(gr_sum(b, GR_ALL_AXES, false), s)));
    CHECK(gr_optimizer_step(opt) == GR_OK);
    CHECK_NEAR(gr_item(s), 0.75 * (1 - 0.375 * 0.0625) - 0.375, 1e-15);
    CHECK_NEAR(GR_AT(b, 0, 0), 0.7 * (1 - 0.375 * 0.0625) - 0.375, 1e-15);
    CHECK(GR_AT(gr_gradient(b), 0, 0) == 1);
    gr_graph_destroy(g);
}

/* Coupled decay leaves the stored gradient alone, and big parameters, cut into runs, get the same as small ones. */
static void test_decay_of_many(void)
{
    enum { MANY = 70001 };
    static float values[MANY];
    for (int i = 0; i < MANY; i++) values[i] = (float)sin(i);
    for (int decoupled = 0; decoupled < 2; decoupled++) {
        gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = 2});
        const gr_tensor x = gr_param(g, "x", GR_F32, GR_SHAPE(MANY), values);
        const gr_param_group all = {.rate = 0.25, .weight_decay = 0.5, .decay = (gr_decay)decoupled};
        gr_optimizer *opt = gr_optimizer_create_groups(g, &gr_rule_momentum, NULL, 1, &all);
        gr_backward(gr_sum(x, GR_ALL_AXES, false));
        CHECK(gr_optimizer_step(opt) == GR_OK && gr_optimizer_step(opt) == GR_OK);
        const float *after = gr_data(x), *gradient = gr_data(gr_gradient(x));
        int wrong = 0;
        for (int i = 0; i < MANY; i++) {
            double y = values[i], v = 0;
            for (int t = 0; t < 2; t++) {
                v = 0.9 * v - 0.25 * (decoupled ? 1 : 1 + 0.5 * y);
                y = (decoupled ? y * (1 - 0.125) : y) + v;
            }
            wrong += !(fabs(after[i] - y) <= 1e-6) || gradient[i] != 1;
        }
        CHECK(wrong == 0);
        gr_graph_destroy(g);
    }
}

static void expect(gr_graph *g, gr_status status, const char *part)
{
    CHECK(gr_graph_status(g) == status);
    CHECK_TEXT(gr_graph_error(g), part);
    gr_graph_clear_error(g);
}

static void refuse(gr_graph *g, const gr_rule *rule, const void *options, const char *part)
{
    CHECK(gr_optimizer_create(g, rule, 0.1, options, 0, NULL) == NULL);
    expect(g, GR_ERR_ARGUMENT, part);
}

static void test_bad_options(void)
{
    gr_graph *g = gr_graph_create(NULL);
    param_of(g, "a", GR_F64, GR_SHAPE(5), 0);
    const double nan = (double)NAN;
    refuse(g, &gr_rule_nesterov, &(gr_momentum_options){.beta = -0.1}, "nesterov: beta");
    refuse(g, &gr_rule_adagrad, &(gr_adagrad_options){.epsilon = -1}, "adagrad: epsilon");
    refuse(g, &gr_rule_adagrad, &(gr_adagrad_options){.rate_decay = nan}, "adagrad: rate_decay");
    refuse(g, &gr_rule_adagrad, &(gr_adagrad_options){.start = -1}, "adagrad: start");
    refuse(g, &gr_rule_rmsprop, &(gr_rmsprop_options){.rho = 1}, "rmsprop: rho");
    refuse(g, &gr_rule_rmsprop, &(gr_rmsprop_options){.rho = 0.9, .momentum = 0.9},
           "rmsprop: keeps no momentum: use gr_rule_rmsprop_momentum");
    refuse(g, &gr_rule_rmsprop_momentum, &(gr_rmsprop_options){.rho = 0.9, .momentum = 1},
           "rmsprop_momentum: momentum");
    refuse(g, &gr_rule_rmsprop_centred, &(gr_rmsprop_options){.epsilon = nan}, "rmsprop_centred: epsilon");
    refuse(g, &gr_rule_adadelta, &(gr_adadelta_options){.rho = -1}, "adadelta: rho");
    refuse(g, &gr_rule_adadelta, &(gr_adadelta_options){.epsilon = (double)INFINITY}, "adadelta: epsilon");
    refuse(g, &gr_rule_amsgrad, &(gr_adam_options){.beta1 = 1}, "amsgrad: beta1 and beta2");
    refuse(g, &gr_rule_adamw, &(gr_adam_options){.beta2 = nan}, "adamw: beta1 and beta2");
    refuse(g, &gr_rule_nadam, &(gr_nadam_options){.beta2 = 2}, "nadam: beta1 and beta2");
    refuse(g, &gr_rule_nadam, &(gr_nadam_options){.momentum_decay = -1}, "nadam: momentum_decay");
    refuse(g, &gr_rule_nadam, &(gr_nadam_options){.epsilon = -1}, "nadam: epsilon");
    refuse(g, &gr_rule_lion, &(gr_lion_options){.beta1 = -1}, "lion: beta1 and beta2");
    CHECK(gr_adamw(g, 0.1, -1) == NULL);
    expect(g, GR_ERR_ARGUMENT, "adamw: the weight decay must be finite and not negative, not -1");
    const gr_rule scalars = {.name = "scalars", .update = gr_rule_sgd.update, .n_states = 1, .n_scalars = 2};
    refuse(g, &scalars, NULL, "a rule needs");
    gr_graph_destroy(g);
}

/* What groups refuse. Long because it is a list. */
static void test_bad_groups(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = param_of(g, "a", GR_F64, GR_SHAPE(5), 0);
    const gr_param_group rest = {.rate = 0.1}, one = {.n = 1, .params = &a, .rate = 0.1};
    CHECK(gr_optimizer_create_groups(g, &gr_rule_sgd, NULL, 0, &rest) == NULL);
    expect(g, GR_ERR_ARGUMENT, "sgd: 0 groups");
    CHECK(gr_optimizer_create_groups(g, &gr_rule_sgd, NULL, 1, NULL) == NULL);
    expect(g, GR_ERR_ARGUMENT, "sgd: 1 groups of parameters at NULL");
    CHECK(gr_optimizer_create_groups(g, &gr_rule_sgd, NULL, 2, (gr_param_group[]){rest, rest}) == NULL);
    expect(g, GR_ERR_ARGUMENT, "sgd: groups 1 and 2 of 2 list no parameters");
    CHECK(gr_optimizer_create_groups(g, &gr_rule_sgd, NULL, 2, (gr_param_group[]){one, rest}) == NULL);
    expect(g, GR_ERR_ARGUMENT, "sgd: no parameters are left for group 2 of 2");
    CHECK(gr_optimizer_create_groups(g, &gr_rule_sgd, NULL, 2, (gr_param_group[]){one, one}) == NULL);
    expect(g, GR_ERR_ARGUMENT, "sgd: parameter a is listed twice");
    CHECK(gr_optimizer_create_groups(g, &gr_rule_sgd, NULL, 1, &(gr_param_group){.n = -1}) == NULL);
    expect(g, GR_ERR_ARGUMENT, "sgd: -1 parameters");
    CHECK(gr_optimizer_create_groups(g, &gr_rule_sgd, NULL, 1, &(gr_param_group){.n = 1}) == NULL);
    expect(g, GR_ERR_ARGUMENT, "sgd: 1 parameters at NULL");
    CHECK(gr_optimizer_create_groups(g, &gr_rule_sgd, NULL, 1, &(gr_param_group){.rate = -1}) == NULL);
    expect(g, GR_ERR_ARGUMENT, "sgd: the learning rate");
    CHECK(gr_optimizer_create_groups(g, &gr_rule_sgd, NULL, 1, &(gr_param_group){.decay = (gr_decay)7}) ==
          NULL);
    expect(g, GR_ERR_ARGUMENT, "sgd: 7 is no kind of weight decay");
    CHECK(gr_optimizer_create_groups(NULL, &gr_rule_sgd, NULL, 1, &rest) == NULL);

    gr_optimizer *opt = gr_optimizer_create_groups(g, &gr_rule_adam, NULL, 1, &one);
    CHECK(gr_optimizer_set_group_rate(opt, 1, 0.1) == GR_ERR_INDEX);
    expect(g, GR_ERR_INDEX, "adam: there is no group 1; there are 1");
    CHECK(gr_optimizer_set_group_rate(opt, 0, -0.1) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "adam: the learning rate");
    CHECK(gr_optimizer_set_group_decay(opt, -1, 0.1, GR_DECAY_COUPLED) == GR_ERR_INDEX);
    expect(g, GR_ERR_INDEX, "adam: there is no group -1");
    CHECK(gr_optimizer_set_decay(opt, (double)NAN, GR_DECAY_COUPLED) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "adam: the weight decay");
    CHECK(gr_optimizer_set_rate_factor(opt, (double)INFINITY) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "adam: the factor of the rates");
    CHECK(isnan(gr_optimizer_group(opt, 4).rate));
    expect(g, GR_ERR_INDEX, "no group 4");
    CHECK(gr_optimizer_param_group(opt, 9) == -1);
    expect(g, GR_ERR_INDEX, "no parameter 9");
    CHECK(gr_optimizer_set_steps(opt, 0, -1) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "adam: -1 steps");
    CHECK(gr_optimizer_set_steps(opt, 3, 1) == GR_ERR_INDEX);
    expect(g, GR_ERR_INDEX, "no parameter 3");
    CHECK(gr_optimizer_set_options(opt, NULL) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "adam: needs options");
    CHECK(gr_optimizer_set_options(opt, &(gr_adam_options){.beta1 = 2}) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "adam: beta1");
    CHECK(gr_optimizer_set_options(gr_sgd(g, 0.1), &rest) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "sgd: has no options");
    CHECK(gr_optimizer_set_options(opt, &(gr_adam_options){0.5, 0.75, 1e-6}) == GR_OK);
    CHECK(((const gr_adam_options *)gr_optimizer_options(opt))->beta2 == 0.75);
    CHECK(gr_optimizer_release(opt) == GR_OK && gr_optimizer_group_count(opt) == 0);
    CHECK(gr_optimizer_set_steps(opt, 0, 1) == GR_ERR_STATE);
    expect(g, GR_ERR_STATE, "adam: the optimiser was released");
    CHECK(isnan(gr_optimizer_group(opt, 0).rate));
    expect(g, GR_ERR_STATE, "adam: the optimiser was released");
    CHECK(gr_optimizer_set_rate_factor(NULL, 1) == GR_ERR_HANDLE && isnan(gr_optimizer_rate_factor(NULL)));
    CHECK(gr_optimizer_set_steps(NULL, 0, 1) == GR_ERR_HANDLE && gr_optimizer_group_count(NULL) == 0);
    CHECK(gr_optimizer_set_group_rate(NULL, 0, 1) == GR_ERR_HANDLE && gr_optimizer_options(NULL) == NULL);
    gr_graph_destroy(g);
}

/* One that cannot be made leaves nothing behind. */
static void test_failed_creation(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = param_of(g, "a", GR_F64, GR_SHAPE(5), 0);
    gr_optimizer_release(gr_nadam(g, 0.1));
    const size_t used = gr_graph_memory(g).used;
    for (int i = 0; i < 3; i++) {
        CHECK(gr_optimizer_create(g, &gr_rule_nadam, 0.1, &(gr_nadam_options){.beta1 = 7}, 0, NULL) == NULL);
        gr_graph_clear_error(g);
        CHECK(gr_optimizer_create(g, &gr_rule_nadam, 0.1, NULL, 2, (gr_tensor[]){a, a}) == NULL);
        gr_graph_clear_error(g);
    }
    CHECK(gr_graph_memory(g).used == used);
    gr_graph_destroy(g);
}

/* ---- Resuming ---- */

/* Copies all that a step depends on, by public calls. */
static void copy_optimizer(const model *from, const model *to)
{
    double values[N];
    for (int i = 0; i < 3; i++) {
        gr_tensor a = gr_optimizer_param(from->opt, i), b = gr_optimizer_param(to->opt, i);
        CHECK(gr_read(a, values, gr_count(a)) == GR_OK && gr_write(b, values, gr_count(b)) == GR_OK);
        CHECK(gr_optimizer_set_steps(to->opt, i, gr_optimizer_steps(from->opt, i)) == GR_OK);
        for (int k = 0; k < gr_optimizer_rule(from->opt)->n_states; k++) {
            a = gr_optimizer_state(from->opt, i, k);
            b = gr_optimizer_state(to->opt, i, k);
            CHECK(gr_read(a, values, gr_count(a)) == GR_OK && gr_write(b, values, gr_count(b)) == GR_OK);
        }
    }
}

static void test_resuming(void)
{
    for (int i = 0; i < N_CASES; i++) {
        model one = make_model(&cases[i], GR_F64, 0.1, GR_DECAY_COUPLED);
        for (int t = 1; t <= 4; t++) step(&one, t);
        model other = make_model(&cases[i], GR_F64, 0.1, GR_DECAY_COUPLED);
        copy_optimizer(&one, &other);
        for (int t = 5; t <= STEPS; t++) step(&one, t), step(&other, t);
        for (int k = 0; k < N; k++) CHECK(read_number(&one, k, -1) == read_number(&other, k, -1));
        gr_graph_destroy(one.g);
        gr_graph_destroy(other.g);
    }
}

/* After the first step nothing is allocated, whatever the rule. */
static void test_no_allocation(void)
{
    for (int i = 0; i < N_CASES; i++) {
        const model m = make_model(&cases[i], GR_F32, 0.1, GR_DECAY_COUPLED);
        uint64_t allocations = 0;
        for (int t = 1; t <= 5; t++) {
            step(&m, t);
            if (t == 2) allocations = gr_graph_memory(m.g).allocations;
        }
        CHECK(gr_graph_memory(m.g).allocations == allocations);
        gr_graph_destroy(m.g);
    }
}

int main(void)
{
    RUN(test_formulas);
    RUN(test_pytorch);
    RUN(test_constructors);
    RUN(test_zero_gradients);
    RUN(test_nan_is_not_hidden);
    RUN(test_centred_variance_below_zero);
    RUN(test_groups);
    RUN(test_decay_of_many);
    RUN(test_bad_options);
    RUN(test_bad_groups);
    RUN(test_failed_creation);
    RUN(test_resuming);
    RUN(test_no_allocation);
    return TEST_EXIT;
}
