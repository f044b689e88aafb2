/*
 * The step-by-step example of so many lectures: a 2-2-2 sigmoid network, one sample, step 0.5; every number of its first
 * step, and what becomes of it in 10000 steps, in five variants.
 *
 * The second variant is the mistake that the lecture notes print: the output weights are updated before the errors of the
 * hidden layer are computed from them. It is so small a mistake that training does not show it, which is why one
 * compares derivatives with numbers. Weights are indexed (from, to): h = sigmoid(x W1 + b1), o = sigmoid(h W2 + b2),
 * E = 1/2 sum (o - t)^2; w1..w8 of the notes are W1 and W2 column by column.
 *
 *     step_by_step [--out DIR]         writes step_by_step.svg there: the errors of all variants
 */
#include <gradus.h>
#include "support/options.h"
#include "support/plot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { STEPS = 10000, VARIANTS = 5 };
static const double rate = 0.5;

typedef enum biases { FROZEN, PER_NEURON, PER_LAYER } biases;

typedef struct variant {
    const char *name;
    biases biases;
    bool too_early; /* the output weights are updated before the hidden layer has its errors */
    double target;  /* of the second output */
} variant;

static const variant variants[VARIANTS] = {
    {"all gradients first, biases frozen", FROZEN, false, 0.99},
    {"output weights updated too early", FROZEN, true, 0.99},
    {"biases trained, one per neuron", PER_NEURON, false, 0.99},
    {"biases trained, one per layer", PER_LAYER, false, 0.99},
    {"second target 0.09, by a slip", FROZEN, false, 0.09},
};

typedef struct network {
    gr_graph *g;
    gr_tensor w1, b1, w2, b2, x, target;
} network;

typedef struct pass {
    gr_tensor net_h, h, net_o, o, error;
} pass;

/* A bias of one number serves its whole layer: it is broadcast, and its derivatives add up. */
static network make_network(const variant *v)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_shape shape = v->biases == PER_LAYER ? GR_SHAPE(1) : GR_SHAPE(2);
    const network n = {
        .g = g,
        .w1 = gr_param(g, "W1", GR_F64, GR_SHAPE(2, 2), (double[]){0.15, 0.25, 0.20, 0.30}),
        .b1 = gr_param(g, "b1", GR_F64, shape, (double[]){0.35, 0.35}),
        .w2 = gr_param(g, "W2", GR_F64, GR_SHAPE(2, 2), (double[]){0.40, 0.50, 0.45, 0.55}),
        .b2 = gr_param(g, "b2", GR_F64, shape, (double[]){0.6, 0.6}),
        .x = gr_constant(g, GR_F64, GR_SHAPE(1, 2), (double[]){0.05, 0.10}),
        .target = gr_constant(g, GR_F64, GR_SHAPE(1, 2), (double[]){0.01, v->target}),
    };
    if (v->biases == FROZEN) {
        gr_set_requires_grad(n.b1, false);
        gr_set_requires_grad(n.b2, false);
    }
    return n;
}

static pass forward(const network *n)
{
    pass p;
    p.net_h = gr_add(gr_matmul(n->x, n->w1), n->b1);
    p.h = gr_sigmoid(p.net_h);
    p.net_o = gr_add(gr_matmul(p.h, n->w2), n->b2);
    p.o = gr_sigmoid(p.net_o);
    p.error = gr_half_sum_squares(p.o, n->target);
    return p;
}

/* d y / d x for the cotangent gy of y (GR_NONE: 1); the record stays. */
static gr_tensor derivative(gr_tensor y, gr_tensor x, gr_tensor gy)
{
    gr_tensor d = GR_NONE;
    gr_grad(1, &y, 1, &x, gy.graph ? &gy : NULL, &(gr_grad_options){.retain = true}, &d);
    return d;
}

static void descend(gr_tensor parameter, gr_tensor slope)
{
    gr_assign(parameter, gr_sub(parameter, gr_scale(slope, rate)));
}

/* The mistake: errors of the hidden layer from output weights that have moved already. */
static void mistaken_step(const network *n, const pass *p)
{
    const gr_tensor delta_o = derivative(p->error, p->net_o, GR_NONE);
    const gr_tensor slope2 = derivative(p->net_o, n->w2, delta_o);
    const gr_tensor moved = gr_sub(gr_detach(n->w2), gr_scale(slope2, rate));
    const gr_tensor error_h = gr_matmul(delta_o, gr_transpose(moved, 0, 1));
    const gr_tensor slope1 = derivative(p->h, n->w1, error_h);
    descend(n->w1, slope1);
    descend(n->w2, slope2);
}

/* ---- The first step, in numbers ---- */

static void print(const char *what, gr_tensor t)
{
    const gr_tensor flat = gr_reshape(t, GR_SHAPE(-1));
    printf("  %-26s", what);
    for (int64_t i = 0; i < gr_count(flat); i++) printf(" %13.9f", GR_AT(flat, i));
    putchar('\n');
}

/* Column by column, as the notes count. */
static gr_tensor columns(gr_tensor w) { return gr_transpose(w, 0, 1); }

static void print_errors(const network *n, const pass *p)
{
    const gr_tensor delta_o = derivative(p->error, p->net_o, GR_NONE);
    const gr_tensor w2 = gr_detach(n->w2);
    print("delta of the outputs", delta_o);
    for (int j = 0; j < 2; j++) {
        const double first = GR_AT(delta_o, 0, 0) * GR_AT(w2, j, 0),
                     second = GR_AT(delta_o, 0, 1) * GR_AT(w2, j, 1);
        printf("  dE/dh%d, by its two paths     %12.9f + %12.9f = %12.9f\n", j + 1, first, second,
               first + second);
    }
    print("dE/dh, by the backward pass", derivative(p->error, p->h, GR_NONE));
    print("delta of the hidden layer", derivative(p->error, p->net_h, GR_NONE));
}

static void first_step(void)
{
    const network n = make_network(&variants[0]);
    gr_optimizer *descent = gr_sgd(n.g, rate);
    const pass p = forward(&n);
    puts("Forward:");
    print("net_h", p.net_h);
    print("h", p.h);
    print("net_o", p.net_o);
    print("o", p.o);
    const gr_tensor parts = gr_scale(gr_square(gr_sub(p.o, n.target)), 0.5);
    print("E, of both outputs", parts);
    print("E", p.error);
    puts("\nBackward:");
    print_errors(&n, &p);
    gr_backward(p.error);
    print("dE/dw1..w4", columns(gr_gradient(n.w1)));
    print("dE/dw5..w8", columns(gr_gradient(n.w2)));
    gr_optimizer_step(descent);
    puts("\nAfter the step of 0.5:");
    print("w1..w4", columns(n.w1));
    print("w5..w8", columns(n.w2));
    if (gr_graph_status(n.g) != GR_OK) fprintf(stderr, "step_by_step: %s\n", gr_graph_error(n.g));
    gr_graph_destroy(n.g);
}

/* ---- 10000 steps, five ways ---- */

static bool train(const variant *v, double errors[STEPS + 1])
{
    const network n = make_network(v);
    gr_optimizer *descent = gr_sgd(n.g, rate);
    for (int step = 0; step < STEPS; step++) {
        const pass p = forward(&n);
        errors[step] = gr_item(p.error);
        if (v->too_early) {
            mistaken_step(&n, &p);
        } else {
            gr_clear_grads(n.g);
            gr_backward(p.error);
            gr_optimizer_step(descent);
        }
        gr_graph_reset(n.g);
    }
    const pass p = forward(&n);
    errors[STEPS] = gr_item(p.error);
    printf("  %-36s %.12f  %.9e  %.9f, %.9f\n", v->name, errors[1], errors[STEPS], GR_AT(p.o, 0, 0),
           GR_AT(p.o, 0, 1));
    const bool fine = gr_graph_status(n.g) == GR_OK;
    if (!fine) fprintf(stderr, "step_by_step: %s\n", gr_graph_error(n.g));
    gr_graph_destroy(n.g);
    return fine;
}

static bool draw(const char *directory, double errors[VARIANTS][STEPS + 1])
{
    static double steps[STEPS + 1];
    plot_series series[VARIANTS];
    char path[4096];
    for (int i = 0; i <= STEPS; i++) steps[i] = i;
    for (int v = 0; v < VARIANTS; v++)
        series[v] = (plot_series){.label = variants[v].name, .x = steps + 1, .y = errors[v] + 1, .n = STEPS};
    snprintf(path, sizeof path, "%s/step_by_step.svg", directory);
    const plot_options options = {
        .title = "Five variants: the mistaken one cannot be told from the right one",
        .x_label = "step",
        .y_label = "E",
        .log_x = true,
        .log_y = true};
    if (!plot_write(path, &options, VARIANTS, series)) {
        fprintf(stderr, "step_by_step: cannot write %s: %s\n", path, strerror(errno));
        return false;
    }
    printf("\nwrote %s\n", path);
    return true;
}

int main(int argc, char **argv)
{
    static double errors[VARIANTS][STEPS + 1];
    const char *out = NULL;
    if (!options_read("step_by_step", argc, argv, 1, &(option){"out", "DIR", .text = &out})) return 2;
    first_step();
    printf("\n%d steps, five ways:\n  %-36s %-14s  %-15s  %s\n", STEPS, "", "E after 1", "E after all",
           "outputs");
    bool fine = true;
    for (int v = 0; v < VARIANTS; v++) fine &= train(&variants[v], errors[v]);
    printf("\nThe right one and the mistaken one differ by %.1e after one step.\n",
           errors[1][1] - errors[0][1]);
    if (out) fine &= draw(out, errors);
    return fine ? 0 : 1;
}
