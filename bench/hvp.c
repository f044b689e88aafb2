/*
 * What a Hessian-vector product costs, in evaluations of the function: f itself with recording off and on,
 * gr_function_hvp (which evaluates f), and gr_hvp of a result that is there already, measured in turn.
 *
 *     hvp [rounds [threads [function]]]      default: 15 rounds, 1 thread, all functions
 *
 * `ratio` is the best time of gr_function_hvp over that of f with recording off, `ratio_median` the median of
 * the ratios of single rounds; `ratio_recorded` compares with f recorded. `hvp_recorded_us` is that of an hvp
 * that is recorded itself.
 */
#include <gradus.h>

#include "bench.h"
#include <string.h>

enum {
    MOST_INPUTS = 8,
    MOST_ROUNDS = 200,
    BATCH = 200,
    PIXELS = 784,
    CLASSES = 10,
    CHAIN = 100,
    WAYS = 5,
    SUBJECTS = 6
};
enum { OFF, RECORDED, FUNCTION, RESULT, AGAIN };

typedef struct subject {
    const char *name;
    gr_function f;
    int repeats; /* per measurement */
    int n;
    gr_tensor inputs[MOST_INPUTS], vectors[MOST_INPUTS];
    gr_tensor data[2];
    gr_mlp net;
} subject;

static gr_tensor total(gr_tensor x) { return gr_sum(x, GR_ALL_AXES, false); }

/* 784-784-784-10 with its weights as arguments. */
static gr_tensor mlp_loss(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    const subject *s = user;
    gr_tensor h = s->data[0];
    (void)g;
    for (int i = 0; i < n; i += 2) {
        h = gr_add(gr_matmul(h, in[i]), in[i + 1]);
        if (i + 2 < n) h = gr_relu(h);
    }
    return gr_softmax_cross_entropy(h, s->data[1]);
}

/* sum of sin(x) exp(-x^2) + x tanh(x) / 2. */
static gr_tensor elementwise(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    const gr_tensor x = in[0];
    (void)g, (void)n, (void)user;
    const gr_tensor a = gr_mul(gr_sin(x), gr_exp(gr_neg(gr_square(x))));
    return total(gr_add(a, gr_scale(gr_mul(x, gr_tanh(x)), 0.5)));
}

/* sum of 100 (x_{i+1} - x_i^2)^2 + (1 - x_i)^2. */
static gr_tensor rosenbrock(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    const gr_tensor a = gr_slice(in[0], 0, 0, -1, 1), b = gr_slice(in[0], 0, 1, GR_SLICE_DEFAULT, 1);
    return gr_add(gr_scale(total(gr_square(gr_sub(b, gr_square(a)))), 100),
                  total(gr_square(gr_add_scalar(gr_neg(a), 1))));
}

/* Mean of ln(1 + e^z) - t z for z = X w + b. */
static gr_tensor logistic(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    const subject *s = user;
    (void)g, (void)n;
    const gr_tensor z = gr_add(gr_matmul(s->data[0], in[0]), in[1]);
    return gr_mean(gr_sub(gr_softplus(z), gr_mul(s->data[1], z)), GR_ALL_AXES, false);
}

/* sin and a product with a constant, or with x itself, in turn, of one number. */
static gr_tensor chain(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    const subject *s = user;
    const gr_tensor factor = s->data[0].graph ? s->data[0] : in[0];
    gr_tensor y = in[0];
    (void)g, (void)n;
    for (int i = 0; i < CHAIN; i += 2) y = gr_mul(gr_sin(y), factor);
    return y;
}

static gr_tensor parameter(gr_tensor values) { return gr_set_requires_grad(gr_keep(values), true); }

static void add_input(subject *s, gr_graph *g, gr_type type, gr_shape shape, double spread)
{
    s->inputs[s->n] = parameter(gr_normal(g, type, shape, 0, spread));
    s->vectors[s->n++] = gr_keep(gr_normal(g, type, shape, 0, 1));
}

static void make_subjects(gr_graph *g, subject *s)
{
    s[0] = (subject){.name = "mlp", .f = mlp_loss, .repeats = 1};
    const int64_t sizes[] = {PIXELS, PIXELS, PIXELS, CLASSES};
    for (int i = 0; i < 3; i++) {
        add_input(&s[0], g, GR_F32, GR_SHAPE(sizes[i], sizes[i + 1]), 0.05);
        add_input(&s[0], g, GR_F32, GR_SHAPE(sizes[i + 1]), 0.05);
    }
    s[0].data[0] = gr_keep(gr_uniform(g, GR_F32, GR_SHAPE(BATCH, PIXELS), 0, 1));
    s[0].data[1] = gr_keep(gr_cast(gr_uniform(g, GR_F32, GR_SHAPE(BATCH), 0, CLASSES), GR_I32));
    s[1] = (subject){.name = "elementwise", .f = elementwise, .repeats = 3};
    add_input(&s[1], g, GR_F64, GR_SHAPE(100000), 1);
    s[2] = (subject){.name = "rosenbrock", .f = rosenbrock, .repeats = 10};
    add_input(&s[2], g, GR_F64, GR_SHAPE(100000), 1);
    s[3] = (subject){.name = "logistic", .f = logistic, .repeats = 20};
    add_input(&s[3], g, GR_F64, GR_SHAPE(100, 1), 0.1);
    add_input(&s[3], g, GR_F64, GR_SHAPE(1), 0.1);
    s[3].data[0] = gr_keep(gr_normal(g, GR_F64, GR_SHAPE(2000, 100), 0, 1));
    s[3].data[1] = gr_keep(gr_cast(gr_bernoulli(g, GR_SHAPE(2000, 1), 0.5), GR_F64));
    s[4] = (subject){.name = "scalar_chain", .f = chain, .repeats = 100};
    add_input(&s[4], g, GR_F64, GR_SCALAR, 0.5);
    s[4].data[0] = gr_constant(g, GR_F64, GR_SCALAR, &(double){1});
    s[5] = (subject){.name = "scalar_products", .f = chain, .repeats = 100};
    add_input(&s[5], g, GR_F64, GR_SCALAR, 0.5);
}

/* One use; what it makes is freed. */
static void run(gr_graph *g, subject *s, int way, gr_tensor y)
{
    gr_tensor products[MOST_INPUTS];
    const gr_scope scope = gr_scope_begin(g);
    if (way == RECORDED) s->f(g, s->n, s->inputs, s);
    if (way == AGAIN) gr_function_hvp(g, s->f, s->n, s->inputs, s, s->vectors, products, NULL);
    gr_no_grad_begin(g);
    if (way == OFF) s->f(g, s->n, s->inputs, s);
    if (way == FUNCTION) gr_function_hvp(g, s->f, s->n, s->inputs, s, s->vectors, products, NULL);
    if (way == RESULT) gr_hvp(y, s->n, s->inputs, s->vectors, products);
    gr_no_grad_end(g);
    gr_scope_end(scope, 0, NULL);
}

static void measure(gr_graph *g, subject *s, int rounds)
{
    static double times[WAYS][MOST_ROUNDS], ratios[MOST_ROUNDS];
    const gr_tensor y = s->f(g, s->n, s->inputs, s);
    for (int r = -1; r < rounds; r++) { /* the first is to warm up */
        for (int way = 0; way < WAYS; way++) {
            const double start = bench_seconds();
            for (int i = 0; i < s->repeats; i++) run(g, s, way, y);
            if (r >= 0) times[way][r] = (bench_seconds() - start) / s->repeats * 1e6;
        }
        if (r >= 0) ratios[r] = times[FUNCTION][r] / times[OFF][r];
    }
    const double ratio = bench_median(ratios, rounds);
    double median[WAYS], best[WAYS];
    for (int way = 0; way < WAYS; way++) {
        median[way] = bench_median(times[way], rounds);
        best[way] = times[way][0];
    }
    printf("{\"bench\":\"hvp\",\"function\":\"%s\",\"f_us\":%.2f,\"f_recorded_us\":%.2f,\"hvp_us\":%.2f,"
           "\"hvp_of_result_us\":%.2f,\"hvp_recorded_us\":%.2f,\"f_median_us\":%.2f,\"hvp_median_us\":%.2f,"
           "\"ratio\":%.2f,\"ratio_median\":%.2f,\"ratio_recorded\":%.2f}\n",
           s->name, best[OFF], best[RECORDED], best[FUNCTION], best[RESULT], best[AGAIN], median[OFF],
           median[FUNCTION], best[FUNCTION] / best[OFF], ratio, best[FUNCTION] / best[RECORDED]);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const int given = argc > 1 ? atoi(argv[1]) : 15, threads = argc > 2 ? atoi(argv[2]) : 1;
    const int rounds = given < 1 ? 1 : given > MOST_ROUNDS ? MOST_ROUNDS : given;
    gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = threads, .seed = 1});
    static subject subjects[SUBJECTS];
    make_subjects(g, subjects);
    const char *only = argc > 3 ? argv[3] : NULL;
    for (int i = 0; i < SUBJECTS; i++)
        if (!only || !strcmp(only, subjects[i].name)) measure(g, &subjects[i], rounds);
    const gr_status status = gr_graph_status(g);
    if (status != GR_OK) fprintf(stderr, "hvp: %s\n", gr_graph_error(g));
    gr_graph_destroy(g);
    return status == GR_OK ? 0 : 1;
}
