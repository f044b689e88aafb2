/*
 * The perceptron and its learning rule: AND, OR, NAND and NOT are learnt in a few epochs, XOR never is, and is then built of
 * perceptrons that have learnt what they can.
 *
 * The rule (Rosenblatt, 1958): y = u(w x + theta), u the unit step; after each sample w <- w + (t - y) x and
 * theta <- theta + (t - y). It is gradient descent with step 1 on the perceptron criterion E = -(t - y) (w x + theta), y
 * taken as a constant; so nothing is written down here but E. Two conventions for u(0), at the kink: 0 and 1. Both learn
 * the same weights, with another threshold.
 *
 * A step has no slope to learn by through several layers. What took its place comes last: units that have one, in numbers,
 * with what is said of classes and errors by them.
 *
 *     perceptron [--out DIR]         writes perceptron_xor.svg there
 */
#include <gradus.h>
#include "support/options.h"
#include "support/plot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MOST_EPOCHS = 100, MOST_SAMPLES = 4 };

/* A truth table. */
typedef struct gate {
    const char *name;
    int inputs, samples;
    double target[MOST_SAMPLES];
} gate;

static const double rows[MOST_SAMPLES][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
static const double single[2][1] = {{0}, {1}};

typedef struct perceptron {
    gr_tensor w, theta; /* [inputs], [] */
} perceptron;

/* The unit step of any shape, as numbers; u(0) is 0 or 1. A step has derivative 0: nothing flows through it. */
static gr_tensor unit_step(gr_tensor z, bool one_at_zero)
{
    const gr_tensor zero = gr_scalar(z.graph, GR_F64, 0);
    return gr_cast(one_at_zero ? gr_greater_equal(z, zero) : gr_greater(z, zero), GR_F64);
}

static gr_tensor field(perceptron p, gr_tensor x) { return gr_add(gr_matmul(x, p.w), p.theta); }
static gr_tensor fires(perceptron p, gr_tensor x) { return unit_step(field(p, x), false); }

static perceptron make_perceptron(gr_graph *g, int inputs)
{
    return (perceptron){gr_param(g, "w", GR_F64, GR_SHAPE(inputs), (double[]){0, 0}),
                        gr_param(g, "theta", GR_F64, GR_SCALAR, (double[]){0})};
}

/* One pass over the samples; how many were wrong. */
static int epoch(perceptron p, const gate *gate_, bool one_at_zero, gr_optimizer *rule)
{
    gr_graph *g = p.w.graph;
    int wrong = 0;
    for (int s = 0; s < gate_->samples; s++) {
        const double *row = gate_->inputs == 2 ? rows[s] : single[s];
        const gr_scope scope = gr_scope_begin(g);
        const gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(gate_->inputs), row);
        const gr_tensor z = field(p, x), y = unit_step(z, one_at_zero);
        const double error = gate_->target[s] - gr_item(y);
        wrong += error != 0;
        gr_clear_grads(g);
        gr_backward(gr_scale(z, -error)); /* the criterion; 0 where the answer was right */
        gr_optimizer_step(rule);
        gr_scope_end(scope, 0, NULL);
    }
    return wrong;
}

/* Trains until all samples are right, and says what came out. In each graph there is one perceptron only. */
static bool learn(const gate *gate_, bool one_at_zero, double w[2], double *theta)
{
    gr_graph *g = gr_graph_create(NULL);
    const perceptron p = make_perceptron(g, gate_->inputs);
    gr_optimizer *rule = gr_sgd(g, 1);
    int epochs = 1;
    while (epochs <= MOST_EPOCHS && gr_graph_status(g) == GR_OK && epoch(p, gate_, one_at_zero, rule) > 0)
        epochs++;
    gr_read(p.w, w, gate_->inputs);
    *theta = gr_item(p.theta);
    const bool learnt = epochs <= MOST_EPOCHS;
    printf("  %-5s", gate_->name);
    if (learnt)
        printf(" learnt in %d epochs: ", epochs);
    else
        printf(" not learnt in %d epochs; at last: ", MOST_EPOCHS);
    printf(gate_->inputs == 2 ? "w = (%g, %g)" : "w = %g", w[0], w[1]);
    printf(", theta = %g\n", *theta);
    if (gr_graph_status(g) != GR_OK) fprintf(stderr, "perceptron: %s\n", gr_graph_error(g));
    const bool fine = gr_graph_status(g) == GR_OK;
    gr_graph_destroy(g);
    return fine && learnt;
}

/* ---- XOR, of perceptrons ---- */

typedef struct composite {
    perceptron first, second, last; /* last of (first, second) */
} composite;

/* x: [samples, 2] -> [samples] */
static gr_tensor composed(const composite *c, gr_tensor x)
{
    const gr_tensor hidden[] = {gr_unsqueeze(fires(c->first, x), -1), gr_unsqueeze(fires(c->second, x), -1)};
    return fires(c->last, gr_concat(2, hidden, -1));
}

static perceptron fixed(gr_graph *g, const double w[2], double theta)
{
    return (perceptron){gr_constant(g, GR_F64, GR_SHAPE(2), w), gr_scalar(g, GR_F64, theta)};
}

/* Prints the four answers; whether they are those of XOR. */
static bool print_table(const char *how, const composite *c, gr_tensor x)
{
    const gr_tensor y = composed(c, x);
    bool right = true;
    printf("  %s:", how);
    for (int s = 0; s < MOST_SAMPLES; s++) {
        const double answer = GR_AT(y, s);
        printf("  (%g, %g) -> %g", rows[s][0], rows[s][1], answer);
        right &= answer == (rows[s][0] != rows[s][1]);
    }
    printf("  %s\n", right ? "right" : "WRONG");
    return right;
}

/* What the composite says of a point, for the drawing. */
static double answer_at(double x1, double x2, void *user)
{
    const composite *c = user;
    gr_graph *g = c->last.w.graph;
    const gr_scope scope = gr_scope_begin(g);
    const double y = GR_AT(composed(c, gr_constant(g, GR_F64, GR_SHAPE(1, 2), (double[]){x1, x2})), 0);
    gr_scope_end(scope, 0, NULL);
    return y;
}

static bool draw(const char *directory, composite *c)
{
    char path[4096];
    const plot_class classes[] = {{.label = "0", .x = (double[]){0, 1}, .y = (double[]){0, 1}, .n = 2},
                                  {.label = "1", .x = (double[]){0, 1}, .y = (double[]){1, 0}, .n = 2}};
    const plot_regions_options options = {.title = "XOR = AND(NAND, OR): two lines and what is between them",
                                          .x_label = "x1",
                                          .y_label = "x2",
                                          .bar_label = "answer",
                                          .x_min = -0.5,
                                          .x_max = 1.5,
                                          .y_min = -0.5,
                                          .y_max = 1.5};
    snprintf(path, sizeof path, "%s/perceptron_xor.svg", directory);
    if (!plot_regions(path, &options, answer_at, c, 2, classes)) {
        fprintf(stderr, "perceptron: cannot write %s: %s\n", path, strerror(errno));
        return false;
    }
    printf("wrote %s\n", path);
    return true;
}

/* ---- Units that have a slope ---- */

static gr_tensor vector(gr_graph *g, gr_type type, int n, const double *values)
{
    return gr_cast(gr_constant(g, GR_F64, GR_SHAPE(n), values), type);
}

/* n numbers, each with its slope, if there is a point x to take it at. */
static void print_numbers(const char *what, gr_tensor y, const gr_tensor *x)
{
    gr_tensor slope = GR_NONE;
    const gr_tensor total = gr_sum(y, GR_ALL_AXES, false); /* each y depends on its own x alone */
    if (x) gr_grad(1, &total, 1, x, NULL, NULL, &slope);
    printf("  %-19s", what);
    for (int64_t i = 0; i < gr_count(y); i++) {
        printf("  %12.9f", GR_AT(y, i));
        if (x) printf("/%.9f", GR_AT(slope, i));
    }
    putchar('\n');
}

/* sum t ln(t / y), in bounds that keep the logarithms finite if they are not 0. */
static double divergence(gr_tensor y, gr_tensor t, double bound)
{
    if (bound > 0) y = gr_clamp(y, bound, 1), t = gr_clamp(t, bound, 1);
    return gr_item(gr_kl_div_with(gr_log(y), t, &(gr_loss_options){.reduction = GR_REDUCE_SUM}));
}

static void print_divergences(gr_graph *g)
{
    static const double outputs[2][2] = {{.07158904, .92822515}, {.11774177, .88200493}}, label[] = {0, 1};
    for (int i = 0; i < 2; i++)
        printf("  KL divergence of (%.8f, %.8f) from (0, 1): %.9f; in f32, between 1e-7 and 1: %.8f\n",
               outputs[i][0], outputs[i][1],
               divergence(vector(g, GR_F64, 2, outputs[i]), vector(g, GR_F64, 2, label), 0),
               divergence(vector(g, GR_F32, 2, outputs[i]), vector(g, GR_F32, 2, label), 1e-7));
}

static void print_units(gr_graph *g)
{
    static const struct {
        const char *name;
        gr_activation *f;
    } units[] = {{"unit step", gr_unit_step}, {"sigmoid", gr_sigmoid}, {"tanh", gr_tanh},
                 {"softplus", gr_softplus},   {"ELU", gr_elu},         {"SELU", gr_selu},
                 {"swish", gr_silu}};
    const gr_tensor x = gr_set_requires_grad(gr_constant(g, GR_F64, GR_SHAPE(3), (double[]){-1, 1, 2}), true);
    const gr_tensor half = gr_set_requires_grad(gr_constant(g, GR_F64, GR_SHAPE(1), &(double){0.5}), true);
    puts("Units, their values and slopes at -1, 1 and 2:");
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) print_numbers(units[i].name, units[i].f(x), &x);
    puts("At other places:");
    print_numbers("sigmoid(1, 10, 2)", gr_sigmoid(vector(g, GR_F64, 3, (double[]){1, 10, 2})), NULL);
    print_numbers("softmax(1, 2, 3)", gr_softmax(vector(g, GR_F64, 3, (double[]){1, 2, 3}), -1), NULL);
    print_numbers("ln cosh(0.5)", gr_log_cosh(half), &half);
    /* SELU is scale x above 0, and goes to -scale alpha far below. */
    const gr_tensor ends = gr_selu(vector(g, GR_F64, 2, (double[]){1, -1000}));
    printf("  SELU: scale %.16f, alpha %.16f\n", GR_AT(ends, 0), -GR_AT(ends, 1) / GR_AT(ends, 0));
    print_divergences(g);
}

int main(int argc, char **argv)
{
    static const gate gates[] = {{"AND", 2, 4, {0, 0, 0, 1}},
                                 {"OR", 2, 4, {0, 1, 1, 1}},
                                 {"NAND", 2, 4, {1, 1, 1, 0}},
                                 {"NOT", 1, 2, {1, 0}}};
    static const gate xor_gate = {"XOR", 2, 4, {0, 1, 1, 0}};
    enum { AND, OR, NAND, NOT, GATES };
    const char *out = NULL;
    if (!options_read("perceptron", argc, argv, 1, &(option){"out", "DIR", .text = &out})) return 2;
    double w[GATES + 1][2], theta[GATES + 1]; /* the last: of XOR */
    bool fine = true;
    for (int one_at_zero = 1; one_at_zero >= 0; one_at_zero--) {
        printf("From zero, step 1, with u(0) = %d:\n", one_at_zero);
        for (int i = 0; i < GATES; i++) fine &= learn(&gates[i], one_at_zero, w[i], &theta[i]);
        fine &= !learn(&xor_gate, one_at_zero, w[GATES], &theta[GATES]);
    }
    puts("No line has (0, 1) and (1, 0) on one side, and (0, 0) and (1, 1) on the other. Of two lines it can "
         "be made:");
    gr_graph *g = gr_graph_create(NULL);
    composite learnt = {fixed(g, w[NAND], theta[NAND]), fixed(g, w[OR], theta[OR]),
                        fixed(g, w[AND], theta[AND])};
    const composite by_hand = {fixed(g, (double[]){2, 2}, -1), fixed(g, (double[]){-2, -2}, 3),
                               fixed(g, (double[]){2, 2}, -3)};
    const gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(4, 2), rows);
    fine &= print_table("AND(NAND, OR), as learnt", &learnt, x);
    fine &= print_table("by hand, h1 = u(2 x1 + 2 x2 - 1), h2 = u(-2 x1 - 2 x2 + 3), u(2 h1 + 2 h2 - 3)",
                        &by_hand, x);
    if (out) fine &= draw(out, &learnt);
    print_units(g);
    if (gr_graph_status(g) != GR_OK) fprintf(stderr, "perceptron: %s\n", gr_graph_error(g));
    fine &= gr_graph_status(g) == GR_OK;
    gr_graph_destroy(g);
    return fine ? 0 : 1;
}
