/*
 * Overfitting and its three cures, on the cubic of cubic_fit: penalties, early stopping, dropout.
 *
 * A 1-10-15-1 network of sigmoids sees 20 points with noise of up to 50, and has time for 10000 epochs: enough to learn the noise
 * by heart. What it ought to learn is measured at 121 points of the cubic itself, which early stopping may look at, and
 * the others may not.
 *
 *     overfitting [--out DIR]         writes overfitting.svg (the curves) and overfitting_loss.svg there
 */
#include <gradus.h>
#include "support/cubic.h"
#include "support/options.h"
#include "support/plot.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { POINTS = CUBIC_POINTS, CURVE = CUBIC_CURVE, EPOCHS = 10000, CURES = 7 };

typedef struct cure {
    const char *name;
    double l1, l2;   /* of the weights */
    bool all_layers; /* penalties on all weights, not on those of the second layer only */
    double drop[2];  /* dropout behind the first and second hidden layer */
    bool stop_early;
} cure;

static const cure cures[CURES] = {
    {.name = "none"},
    {.name = "L2 0.001, second layer", .l2 = 0.001},
    {.name = "L2 0.001, all layers", .l2 = 0.001, .all_layers = true},
    {.name = "L1 0.001, all layers", .l1 = 0.001, .all_layers = true},
    {.name = "early stopping", .stop_early = true},
    {.name = "dropout 0.1 behind the first layer", .drop = {0.1, 0}},
    {.name = "dropout 0.5 behind the second layer", .drop = {0, 0.5}},
};

typedef struct outcome {
    double curve[CURVE];
    double validation[EPOCHS]; /* mean square distance from the truth, scaled */
    double seen, distance;     /* root of the mean square: from the points, from the truth; in units of y */
    int epochs;
} outcome;

typedef struct model {
    const cure *cure;
    gr_linear layer[3];
    gr_tensor x, t, at, truth;
} model;

static gr_tensor scaled(gr_graph *g, int n, const double *y)
{
    const gr_tensor t = gr_constant(g, GR_F64, GR_SHAPE(n, 1), y);
    return gr_keep(gr_scale(gr_add_scalar(t, -cubic_lowest), 1 / (cubic_highest - cubic_lowest)));
}

static model make_model(gr_graph *g, const cure *c, const cubic_data *d)
{
    static const int64_t sizes[] = {1, 10, 15, 1};
    model m = {.cure = c,
               .x = gr_constant(g, GR_F64, GR_SHAPE(POINTS, 1), d->x),
               .t = scaled(g, POINTS, d->y),
               .at = gr_constant(g, GR_F64, GR_SHAPE(CURVE, 1), d->at),
               .truth = scaled(g, CURVE, d->truth)};
    for (int i = 0; i < 3; i++) {
        const char *const names[] = {"first", "second", "last"};
        m.layer[i] = gr_linear_create(g, names[i], GR_F64, sizes[i], sizes[i + 1], gr_init_small_uniform);
    }
    return m;
}

/* x: [n, 1] -> [n, 1] */
static gr_tensor predict(const model *m, gr_tensor x, bool training)
{
    gr_tensor h = x;
    for (int i = 0; i < 3; i++) {
        h = gr_sigmoid(gr_linear_forward(m->layer[i], h));
        if (i < 2) h = gr_dropout(h, m->cure->drop[i], training);
    }
    return h;
}

static gr_tensor penalised(const model *m, gr_tensor loss)
{
    gr_graph *g = loss.graph;
    const gr_tensor weights[] = {m->layer[1].weight, m->layer[0].weight, m->layer[2].weight};
    const int n = m->cure->all_layers ? 3 : 1;
    if (m->cure->l1 > 0) loss = gr_add(loss, gr_l1_penalty(g, m->cure->l1, n, weights));
    if (m->cure->l2 > 0) loss = gr_add(loss, gr_l2_penalty(g, m->cure->l2, n, weights));
    return loss;
}

static double distance(const model *m, gr_tensor x, gr_tensor t)
{
    gr_no_grad_begin(x.graph);
    const double square = gr_item(gr_mse(predict(m, x, false), t));
    gr_no_grad_end(x.graph);
    return square;
}

/* The training itself, stopped early or not. */
static int train(gr_graph *g, const model *m, double validation[EPOCHS])
{
    gr_optimizer *adam = gr_adam(g, 0.01);
    gr_early_stopping *early = gr_early_stopping_create(
        g, &(gr_early_stopping_options){.min_delta = 1e-6, .patience = 200, .keep_best = true}, 0, NULL);
    bool stop = false;
    int epoch = 0;
    for (; epoch < EPOCHS && !stop && gr_graph_status(g) == GR_OK; epoch++) {
        const gr_tensor loss = penalised(m, gr_mse(predict(m, m->x, true), m->t));
        gr_clear_grads(g);
        gr_backward(loss);
        gr_optimizer_step(adam);
        validation[epoch] = distance(m, m->at, m->truth);
        if (m->cure->stop_early) gr_early_stopping_update(early, validation[epoch], &stop);
        gr_graph_reset(g);
    }
    if (stop) gr_early_stopping_restore(early);
    return epoch;
}

static bool try_cure(const cure *c, const cubic_data *d, outcome *o)
{
    const double scale = cubic_highest - cubic_lowest;
    gr_graph *g = gr_graph_create(NULL);
    gr_seed(g, 7);
    const model m = make_model(g, c, d);
    o->epochs = train(g, &m, o->validation);
    o->seen = scale * sqrt(distance(&m, m.x, m.t));
    o->distance = scale * sqrt(distance(&m, m.at, m.truth));
    gr_read(predict(&m, m.at, false), o->curve, CURVE);
    for (int i = 0; i < CURVE; i++) o->curve[i] = cubic_lowest + scale * o->curve[i];
    printf("  %-36s %6d  %8.2f  %8.2f\n", c->name, o->epochs, o->seen, o->distance);
    const bool fine = gr_graph_status(g) == GR_OK;
    if (!fine) fprintf(stderr, "overfitting: %s\n", gr_graph_error(g));
    gr_graph_destroy(g);
    return fine;
}

static bool draw(const char *directory, const cubic_data *d, const outcome *o)
{
    static double epochs[EPOCHS];
    char fits[4096], losses[4096];
    plot_series fit[4] = {{.label = "20 points", .x = d->x, .y = d->y, .n = POINTS, .style = PLOT_POINTS},
                          {.label = "the cubic", .x = d->at, .y = d->truth, .n = CURVE},
                          {.label = "no cure", .x = d->at, .y = o[0].curve, .n = CURVE},
                          {.label = "early stopping", .x = d->at, .y = o[4].curve, .n = CURVE}};
    plot_series course[CURES];
    for (int i = 0; i < EPOCHS; i++) epochs[i] = i + 1;
    for (int k = 0; k < CURES; k++)
        course[k] = (plot_series){
            .label = cures[k].name, .x = epochs, .y = o[k].validation, .n = o[k].epochs};
    snprintf(fits, sizeof fits, "%s/overfitting.svg", directory);
    snprintf(losses, sizeof losses, "%s/overfitting_loss.svg", directory);
    const plot_options of_fits = {
        .title = "Learnt by heart, and stopped in time", .x_label = "x", .y_label = "y"};
    const plot_options of_losses = {.title = "Distance from the truth, which training does not see",
                                    .x_label = "epoch",
                                    .y_label = "mean square",
                                    .log_x = true,
                                    .log_y = true};
    if (!plot_write(fits, &of_fits, 4, fit) || !plot_write(losses, &of_losses, CURES, course)) {
        fprintf(stderr, "overfitting: cannot write into %s: %s\n", directory, strerror(errno));
        return false;
    }
    printf("wrote %s and %s\n", fits, losses);
    return true;
}

int main(int argc, char **argv)
{
    static cubic_data d;
    static outcome outcomes[CURES];
    const char *out = NULL;
    if (!options_read("overfitting", argc, argv, 1, &(option){"out", "DIR", .text = &out})) return 2;
    cubic_make(&d);
    printf("  %-36s %6s  %8s  %8s\n", "cure", "epochs", "points", "truth");
    bool fine = true;
    for (int k = 0; k < CURES; k++) fine &= try_cure(&cures[k], &d, &outcomes[k]);
    puts(
        "points, truth: how far the curve is from the 20 points, and from the cubic; the noise alone is 29.");
    if (out) fine &= draw(out, &d, outcomes);
    return fine ? 0 : 1;
}
