/*
 * Three ways in which gradients fail to teach, in numbers and pictures: they vanish in deep nets of sigmoids, they zigzag where
 * all inputs are positive, and a ReLU that never fires learns nothing any more.
 *
 *     gradient_flow [--out DIR]         writes vanishing_gradient.svg, zigzag.svg and dead_relu.svg there
 */
#include <gradus.h>
#include "support/options.h"
#include "support/plot.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static bool failed(gr_graph *g)
{
    if (gr_graph_status(g) != GR_OK) fprintf(stderr, "gradient_flow: %s\n", gr_graph_error(g));
    return gr_graph_status(g) != GR_OK;
}

static bool say(bool written, const char *path)
{
    if (written)
        printf("  wrote %s\n", path);
    else
        fprintf(stderr, "gradient_flow: cannot write %s: %s\n", path, strerror(errno));
    return written;
}

static double norm(gr_tensor t) { return gr_item(gr_norm(t, GR_ALL_AXES, false)); }

/* ---- Vanishing ---- */

enum { DEPTH = 10, WIDTH = 32, SAMPLES = 64, KINDS = 4 };

typedef struct kind {
    const char *name;
    gr_activation *activation;
    gr_initializer *init;
} kind;

static gr_status lecture_normal(gr_tensor w) { return gr_init_normal(w, 0, 0.05); }

static const kind kinds[KINDS] = {
    {"sigmoid, Xavier", gr_sigmoid, gr_init_xavier_normal},
    {"tanh, Xavier", gr_tanh, gr_init_xavier_normal},
    {"ReLU, N(0, 0.05^2)", gr_relu, lecture_normal},
    {"ReLU, He", gr_relu, gr_init_he_normal},
};

/* The norm of dE/dW of each layer, at the start. */
static bool layer_norms(const kind *k, double to[DEPTH])
{
    int64_t sizes[DEPTH + 1];
    for (int i = 0; i <= DEPTH; i++) sizes[i] = WIDTH;
    gr_graph *g = gr_graph_create(NULL);
    gr_seed(g, 5);
    const gr_mlp net = gr_mlp_create(g, "", GR_F64, DEPTH + 1, sizes, k->activation, k->init);
    const gr_tensor x = gr_normal(g, GR_F64, GR_SHAPE(SAMPLES, WIDTH), 0, 1);
    const gr_tensor t = gr_normal(g, GR_F64, GR_SHAPE(SAMPLES, WIDTH), 0, 1);
    gr_backward(gr_mse(gr_mlp_forward(net, x), t));
    for (int i = 0; i < DEPTH; i++) to[i] = norm(gr_gradient(net.layers[i].weight));
    const bool bad = failed(g);
    gr_graph_destroy(g);
    return !bad;
}

static bool vanishing(const char *out)
{
    static double norms[KINDS][DEPTH], layers[DEPTH];
    char path[4096];
    plot_series series[KINDS];
    bool fine = true;
    printf("Vanishing: the norm of dE/dW by layer, %d layers of %d neurons, at the start\n  %-20s", DEPTH,
           WIDTH, "");
    for (int i = 0; i < DEPTH; i++) printf(" %8d", i + 1), layers[i] = i + 1;
    puts("   last/first");
    for (int k = 0; k < KINDS; k++) {
        fine &= layer_norms(&kinds[k], norms[k]);
        printf("  %-20s", kinds[k].name);
        for (int i = 0; i < DEPTH; i++) printf(" %8.1e", norms[k][i]);
        printf("   %.1e\n", norms[k][DEPTH - 1] / norms[k][0]);
        series[k] = (plot_series){kinds[k].name, layers, norms[k], DEPTH, PLOT_LINE_AND_POINTS};
    }
    puts("  A sigmoid passes on at most a quarter of what it gets; weights that are too small do the same.");
    if (!fine || !out) return fine;
    snprintf(path, sizeof path, "%s/vanishing_gradient.svg", out);
    const plot_options options = {.title = "How much of the gradient arrives",
                                  .x_label = "layer, from the input",
                                  .y_label = "norm of dE/dW",
                                  .y_min = 1e-8,
                                  .y_max = 1e4, /* room for the legend */
                                  .log_y = true};
    return say(plot_write(path, &options, KINDS, series), path);
}

/* ---- Zigzag ---- */

enum { STEPS = 40, SEEN = 4 };

/* One neuron o = h w with two inputs, one sample at a time; the weights should become (1, -1). */
typedef struct walk {
    double w[2][STEPS + 1];
    int same_sign;           /* steps in which both weights moved the same way, or one did not move */
    double length, distance; /* of the way; of its end from the goal */
} walk;

static bool descend(const double (*inputs)[2], walk *to)
{
    static const double goal[2] = {1, -1};
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(2), (double[]){-1, 1});
    const gr_tensor h = gr_constant(g, GR_F64, GR_SHAPE(2), NULL);
    const gr_tensor t = gr_constant(g, GR_F64, GR_SCALAR, NULL);
    gr_optimizer *descent = gr_sgd(g, 0.7);
    *to = (walk){.w = {{-1}, {1}}};
    for (int step = 0; step < STEPS; step++) {
        const double *input = inputs[step % SEEN];
        gr_write(h, input, 2);
        gr_write(t, (double[]){input[0] * goal[0] + input[1] * goal[1]}, 1);
        gr_clear_grads(g);
        gr_backward(gr_half_sum_squares(gr_matmul(h, w), t));
        to->same_sign += GR_AT(gr_gradient(w), 0) * GR_AT(gr_gradient(w), 1) >= 0;
        gr_optimizer_step(descent);
        for (int i = 0; i < 2; i++) to->w[i][step + 1] = GR_AT(w, i);
        to->length += hypot(to->w[0][step + 1] - to->w[0][step], to->w[1][step + 1] - to->w[1][step]);
        gr_graph_reset(g);
    }
    to->distance = hypot(GR_AT(w, 0) - goal[0], GR_AT(w, 1) - goal[1]);
    const bool bad = failed(g);
    gr_graph_destroy(g);
    return !bad;
}

/* Takes the mean away, and makes the root of the mean square what it was. */
static void centre(const double from[SEEN][2], double to[SEEN][2])
{
    double mean[2] = {0}, before = 0, after = 0;
    for (int i = 0; i < SEEN; i++)
        for (int k = 0; k < 2; k++) mean[k] += from[i][k] / SEEN, before += from[i][k] * from[i][k];
    for (int i = 0; i < SEEN; i++)
        for (int k = 0; k < 2; k++) to[i][k] = from[i][k] - mean[k], after += to[i][k] * to[i][k];
    for (int i = 0; i < SEEN; i++)
        for (int k = 0; k < 2; k++) to[i][k] *= sqrt(before / after);
}

static bool zigzag(const char *out)
{
    /* What sigmoids hand on; and the same numbers less their mean, as large on the whole. */
    static const double positive[SEEN][2] = {{0.9, 0.4}, {0.4, 0.9}, {0.8, 0.2}, {0.2, 0.7}};
    double centred[SEEN][2];
    static walk with_positive, with_centred;
    char path[4096];
    centre(positive, centred);
    if (!descend(positive, &with_positive) || !descend((const double(*)[2])centred, &with_centred))
        return false;
    printf("\nZigzag: two weights go from (-1, 1) to (1, -1), %.2f away, in %d steps\n"
           "  inputs positive: both weights moved the same way in %d steps; way %.2f, distance left %.4f\n"
           "  inputs centred:  both weights moved the same way in %d steps; way %.2f, distance left %.4f\n",
           hypot(2, 2), STEPS, with_positive.same_sign, with_positive.length, with_positive.distance,
           with_centred.same_sign, with_centred.length, with_centred.distance);
    puts("  dE/dw = (o - t) h: with all h > 0 the signs are all that of (o - t), and the way to the goal is "
         "a detour.");
    if (!out) return true;
    const plot_series series[] = {
        {"inputs positive", with_positive.w[0], with_positive.w[1], STEPS + 1, PLOT_LINE_AND_POINTS},
        {"inputs centred", with_centred.w[0], with_centred.w[1], STEPS + 1, PLOT_LINE_AND_POINTS},
        {"goal", (double[]){1}, (double[]){-1}, 1, PLOT_POINTS},
    };
    snprintf(path, sizeof path, "%s/zigzag.svg", out);
    const plot_options options = {
        .title = "The way of two weights", .x_label = "w1", .y_label = "w2", .width = 560};
    return say(plot_write(path, &options, 3, series), path);
}

/* ---- Dead ReLUs ---- */

enum { HIDDEN = 32, EPOCHS = 200, RATES = 4 };
static const double rates[RATES] = {0.1, 1, 3, 5};

static gr_tensor leaky(gr_tensor x) { return gr_maximum(x, gr_scale(x, 0.01)); }

/* Units that give 0 for every sample: where all that is larger is 0. */
static int count_dead(gr_tensor h)
{
    const gr_tensor largest = gr_max(h, GR_AXES(0), false);
    int dead = 0;
    for (int64_t i = 0; i < gr_count(largest); i++) dead += GR_AT(largest, i) <= 0;
    return dead;
}

/* Trains 1-32-1 to say where a sine is positive; the number of units that never fire after each epoch, and the loss at last. */
static bool train(gr_activation *activation, double rate, double dead[EPOCHS], double *loss_at_last)
{
    double x[SAMPLES], y[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) x[i] = -3 + 6.0 * i / (SAMPLES - 1), y[i] = sin(2 * x[i]) > 0;
    gr_graph *g = gr_graph_create(NULL);
    gr_seed(g, 11);
    const gr_linear first = gr_linear_create(g, "first", GR_F64, 1, HIDDEN, gr_init_he_normal);
    const gr_linear last = gr_linear_create(g, "last", GR_F64, HIDDEN, 1, gr_init_he_normal);
    const gr_tensor in = gr_constant(g, GR_F64, GR_SHAPE(SAMPLES, 1), x);
    const gr_tensor t = gr_constant(g, GR_F64, GR_SHAPE(SAMPLES, 1), y);
    gr_optimizer *descent = gr_sgd(g, rate);
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        const gr_tensor h = activation(gr_linear_forward(first, in));
        const gr_tensor loss = gr_bce_with_logits(gr_linear_forward(last, h), t);
        dead[epoch] = count_dead(h);
        *loss_at_last = gr_item(loss);
        gr_clear_grads(g);
        gr_backward(loss);
        gr_optimizer_step(descent);
        gr_graph_reset(g);
    }
    const bool bad = failed(g);
    gr_graph_destroy(g);
    return !bad;
}

static bool dead_relu(const char *out)
{
    static double dead[RATES + 1][EPOCHS];
    char path[4096], labels[RATES][32];
    plot_series series[RATES];
    double loss;
    printf("\nDead ReLUs: 1-%d-1 learns where a sine is positive; units that fire for no sample\n"
           "  %6s %10s %10s %12s\n",
           HIDDEN, "rate", "at first", "at last", "loss");
    for (int i = 0; i < RATES; i++) {
        if (!train(gr_relu, rates[i], dead[i], &loss)) return false;
        printf("  %6g %10g %10g %12.4g\n", rates[i], dead[i][0], dead[i][EPOCHS - 1], loss);
        snprintf(labels[i], sizeof labels[i], "rate %g", rates[i]);
        series[i] = (plot_series){.label = labels[i], .y = dead[i], .n = EPOCHS};
    }
    puts("  A unit that is 0 for all samples has derivative 0 by all its weights: it stays as it is, for "
         "good.");
    if (!train(leaky, rates[RATES - 1], dead[RATES], &loss)) return false;
    printf("  With a slope of 0.01 below 0, rate %g: %g units negative for all samples at last, loss %.4g\n",
           rates[RATES - 1], dead[RATES][EPOCHS - 1], loss);
    if (!out) return true;
    snprintf(path, sizeof path, "%s/dead_relu.svg", out);
    const plot_options options = {.title = "Too large a step, and units never fire again",
                                  .x_label = "epoch",
                                  .y_label = "dead units of 32",
                                  .y_max = 45};
    return say(plot_write(path, &options, RATES, series), path);
}

int main(int argc, char **argv)
{
    const char *out = NULL;
    if (!options_read("gradient_flow", argc, argv, 1, &(option){"out", "DIR", .text = &out})) return 2;
    return vanishing(out) && zigzag(out) && dead_relu(out) ? 0 : 1;
}
