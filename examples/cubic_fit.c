/*
 * Small networks fit a cubic: 10 + 5 x + 4 x^2 + 6 x^3 on [-3, 3], of which they see 20 points with noise of up to 50.
 *
 * Three questions of the lecture notes: how large must the network be (1-1-1, 1-2-1, 1-5-5-1, 1-10-15-1), how long must it
 * train (1000, 3000, 5000, 10000 epochs), and what do softplus and scaled targets change. Nets of sigmoids end in a sigmoid, so
 * their targets are scaled to (y + 131) / (223 + 131); those of softplus end in a linear neuron. Small uniform weights,
 * zero biases, all 20 points in a batch, Adam.
 *
 *     cubic_fit [--out DIR]         writes cubic_sizes.svg, cubic_epochs.svg, cubic_softplus.svg and cubic_loss.svg there
 */
#include <gradus.h>
#include "support/cubic.h"
#include "support/options.h"
#include "support/plot.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { POINTS = CUBIC_POINTS, CURVE = CUBIC_CURVE, EPOCHS = 10000, SNAPSHOTS = 4, NETS = 6 };
static const int shown[SNAPSHOTS] = {1000, 3000, 5000, 10000};

typedef struct setting {
    const char *name;
    int n_sizes;
    int64_t sizes[4];
    gr_activation *activation;
    bool sigmoid_output, scaled;
} setting;

static const setting settings[NETS] = {
    {"1-1-1", 3, {1, 1, 1}, gr_sigmoid, true, true},
    {"1-2-1", 3, {1, 2, 1}, gr_sigmoid, true, true},
    {"1-5-5-1", 4, {1, 5, 5, 1}, gr_sigmoid, true, true},
    {"1-10-15-1", 4, {1, 10, 15, 1}, gr_sigmoid, true, true},
    {"1-5-5-1, softplus", 4, {1, 5, 5, 1}, gr_softplus, false, true},
    {"1-5-5-1, softplus, not scaled", 4, {1, 5, 5, 1}, gr_softplus, false, false},
};

/* What the training of one net leaves. */
typedef struct outcome {
    double curve[SNAPSHOTS][CURVE]; /* in the units of y */
    double loss[EPOCHS];            /* mean square, of scaled targets */
    double error;                   /* root of the mean square distance from the truth */
} outcome;

/* x: [n, 1] -> [n, 1] */
static gr_tensor predict(const setting *s, gr_mlp net, gr_tensor x)
{
    const gr_tensor y = gr_mlp_forward(net, x);
    return s->sigmoid_output ? gr_sigmoid(y) : y;
}

static void read_curve(const setting *s, gr_mlp net, gr_tensor at, double curve[CURVE])
{
    gr_graph *g = at.graph;
    gr_no_grad_begin(g);
    gr_read(predict(s, net, at), curve, CURVE);
    gr_no_grad_end(g);
    for (int i = 0; i < CURVE && s->scaled; i++)
        curve[i] = cubic_lowest + (cubic_highest - cubic_lowest) * curve[i];
}

static void measure(const cubic_data *d, outcome *o)
{
    o->error = 0;
    for (int i = 0; i < CURVE; i++) {
        const double off = o->curve[SNAPSHOTS - 1][i] - d->truth[i];
        o->error += off * off / CURVE;
    }
    o->error = sqrt(o->error);
}

static bool train(const setting *s, const cubic_data *d, outcome *o)
{
    const double scale = cubic_highest - cubic_lowest;
    double targets[POINTS];
    for (int i = 0; i < POINTS; i++) targets[i] = s->scaled ? (d->y[i] - cubic_lowest) / scale : d->y[i];
    gr_graph *g = gr_graph_create(NULL);
    gr_seed(g, 7);
    const gr_mlp net = gr_mlp_create(g, "", GR_F64, s->n_sizes, s->sizes, s->activation,
                                     gr_init_small_uniform);
    const gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(POINTS, 1), d->x);
    const gr_tensor t = gr_constant(g, GR_F64, GR_SHAPE(POINTS, 1), targets);
    const gr_tensor at = gr_constant(g, GR_F64, GR_SHAPE(CURVE, 1), d->at);
    gr_optimizer *adam = gr_adam(g, 0.01);
    int next = 0;
    for (int epoch = 1; epoch <= EPOCHS && gr_graph_status(g) == GR_OK; epoch++) {
        const gr_tensor loss = gr_mse(predict(s, net, x), t);
        o->loss[epoch - 1] = gr_item(loss) / (s->scaled ? 1 : scale * scale);
        gr_clear_grads(g);
        gr_backward(loss);
        gr_optimizer_step(adam);
        if (epoch == shown[next]) read_curve(s, net, at, o->curve[next++]);
        gr_graph_reset(g);
    }
    measure(d, o);
    printf("  %-30s", s->name);
    for (int i = 0; i < SNAPSHOTS; i++) printf("  %.6f", o->loss[shown[i] - 1]);
    printf("  %8.2f\n", o->error);
    const bool fine = gr_graph_status(g) == GR_OK;
    if (!fine) fprintf(stderr, "cubic_fit: %s\n", gr_graph_error(g));
    gr_graph_destroy(g);
    return fine;
}

/* ---- Pictures ---- */

static bool say(bool written, const char *path)
{
    if (written)
        printf("wrote %s\n", path);
    else
        fprintf(stderr, "cubic_fit: cannot write %s: %s\n", path, strerror(errno));
    return written;
}

/* n curves over the cubic and its points. */
static bool draw_fits(const char *directory, const char *file, const char *title, const cubic_data *d, int n,
                      const char *const *names, const double *const *curves)
{
    char path[4096];
    plot_series series[2 + NETS] = {
        {.label = "20 points", .x = d->x, .y = d->y, .n = POINTS, .style = PLOT_POINTS},
        {.label = "the cubic", .x = d->at, .y = d->truth, .n = CURVE},
    };
    for (int i = 0; i < n; i++)
        series[2 + i] = (plot_series){.label = names[i], .x = d->at, .y = curves[i], .n = CURVE};
    snprintf(path, sizeof path, "%s/%s.svg", directory, file);
    return say(
        plot_write(path, &(plot_options){.title = title, .x_label = "x", .y_label = "y"}, 2 + n, series),
        path);
}

static bool draw_losses(const char *directory, const outcome *o)
{
    static double epochs[EPOCHS];
    char path[4096];
    plot_series series[NETS];
    for (int i = 0; i < EPOCHS; i++) epochs[i] = i + 1;
    for (int k = 0; k < NETS; k++)
        series[k] = (plot_series){.label = settings[k].name, .x = epochs, .y = o[k].loss, .n = EPOCHS};
    snprintf(path, sizeof path, "%s/cubic_loss.svg", directory);
    const plot_options options = {.title = "Plateaus, and how networks leave them",
                                  .x_label = "epoch",
                                  .y_label = "mean square error",
                                  .log_x = true,
                                  .log_y = true};
    return say(plot_write(path, &options, NETS, series), path);
}

static bool draw(const char *directory, const cubic_data *d, const outcome *o)
{
    const char *const sizes[] = {settings[0].name, settings[1].name, settings[2].name, settings[3].name};
    const double *const by_size[] = {o[0].curve[3], o[1].curve[3], o[2].curve[3], o[3].curve[3]};
    const char *const epochs[] = {"1000 epochs", "3000 epochs", "5000 epochs", "10000 epochs"};
    const double *const by_epoch[] = {o[2].curve[0], o[2].curve[1], o[2].curve[2], o[2].curve[3]};
    const char *const targets[] = {"softplus, scaled", "softplus, not scaled"};
    const double *const by_target[] = {o[4].curve[3], o[5].curve[3]};
    return draw_fits(directory, "cubic_sizes", "Four networks after 10000 epochs", d, 4, sizes, by_size) &&
           draw_fits(directory, "cubic_epochs", "1-5-5-1 as it learns", d, 4, epochs, by_epoch) &&
           draw_fits(directory, "cubic_softplus", "Softplus: what the scale of the targets does", d, 2,
                     targets, by_target) &&
           draw_losses(directory, o);
}

int main(int argc, char **argv)
{
    static cubic_data d;
    static outcome outcomes[NETS];
    const char *out = NULL;
    if (!options_read("cubic_fit", argc, argv, 1, &(option){"out", "DIR", .text = &out})) return 2;
    cubic_make(&d);
    puts("Mean square error after so many epochs, and how far the curve is from the cubic at last (noise: up "
         "to 50):");
    printf("  %-30s", "");
    for (int i = 0; i < SNAPSHOTS; i++) printf("  %8d", shown[i]);
    puts("  distance");
    bool fine = true;
    for (int k = 0; k < NETS; k++) fine &= train(&settings[k], &d, &outcomes[k]);
    if (out) fine &= draw(out, &d, outcomes);
    return fine ? 0 : 1;
}
