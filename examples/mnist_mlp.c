/*
 * The main job: a multilayer perceptron learns Fashion-MNIST.
 *
 *     mnist_mlp [--epochs N] [--hidden N] [--lr RATE] [--batch N] [--seed N] [--threads N]
 *               [--data DIR | --data none] [--limit N] [--out DIR]
 *
 * 784-784-784-10, ReLU, softmax cross-entropy, Adam, batches of 200, f32, pixels / 255. Before the training
 * the gradients of this very model are checked against numbers, in f64; after it the graph of one step, the curves
 * and the weights of the first layer are drawn. The same seed gives the same losses, bit for bit, for any number of threads.
 */
#include <gradus.h>
#include "support/graphviz.h"
#include "support/image_job.h"
#include "support/plot.h"

#include <stdio.h>

typedef struct job {
    image_job common; /* first: functions of the training get a pointer to it */
    gr_mlp net;
} job;

/* ---- Gradient check ---- */

typedef struct checked_model {
    gr_mlp net;
    gr_tensor x, labels;
} checked_model;

static gr_tensor checked_loss(gr_graph *g, int n, const gr_tensor *parameters, void *user)
{
    const checked_model *m = user; /* holds the parameters, too */
    (void)g, (void)n, (void)parameters;
    return gr_softmax_cross_entropy(gr_mlp_forward(m->net, m->x), m->labels);
}

/* Copies the parameters of the model into a graph of f64. */
static void copy_parameters(gr_graph *from, gr_graph *to)
{
    for (int i = 0; i < gr_param_count(from); i++) {
        const gr_tensor p = gr_param_at(from, i), q = gr_param_at(to, i);
        const float *values = gr_data(p);
        double *copy = gr_data_for_writing(q);
        for (int64_t k = 0; values && copy && k < gr_count(p); k++) copy[k] = (double)values[k];
    }
}

/* Checks the model as it stands, with its weights and a few of its images, in a graph of its own: all six
   parameters, some elements of each. */
static bool check_gradients(const image_job *j)
{
    enum { SAMPLES = 4, ELEMENTS = 100, PARAMETERS = 6 };
    gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = (int)j->threads});
    const int64_t sizes[] = {IMAGE_PIXELS, j->width, j->width, IMAGE_CLASSES};
    checked_model m = {.net = gr_mlp_create(g, "", GR_F64, 4, sizes, gr_relu, NULL),
                       .x = gr_constant(g, GR_F64, GR_SHAPE(SAMPLES, IMAGE_PIXELS), NULL),
                       .labels = gr_constant(g, GR_I32, GR_SHAPE(SAMPLES), NULL)};
    copy_parameters(j->g, g);
    gr_batches_next(gr_batches_create(g, &j->set.train_images, &j->set.train_labels, SAMPLES, 0, NULL), m.x,
                    m.labels);
    gr_tensor parameters[PARAMETERS];
    for (int i = 0; i < PARAMETERS; i++) parameters[i] = gr_param_at(g, i);
    gr_check_result result = {0};
    char text[GR_CHECK_REPORT_BYTES];
    /* Small steps: a large one would carry some of the many ReLUs across their kink. */
    const gr_check_options options = {
        .seed = (uint64_t)j->seed, .max_elements = ELEMENTS, .step = 1e-4, .atol = 1e-9};
    const double start = image_job_seconds();
    const gr_status status = gr_gradcheck(g, checked_loss, PARAMETERS, parameters, &m, &options, &result);
    if (status != GR_OK) fprintf(stderr, "mnist_mlp: %s\n", gr_graph_error(g));
    gr_check_report(&result, text, sizeof text);
    printf("gradient check of this model in f64, %.1f s: %s\n", image_job_seconds() - start, text);
    gr_graph_destroy(g);
    return status == GR_OK && result.passed;
}

/* ---- Training ---- */

static gr_tensor forward(gr_graph *g, gr_tensor x, bool training, void *user)
{
    (void)g, (void)training; /* it is the same in evaluation */
    return gr_mlp_forward(((const job *)user)->net, x);
}

/* Of the first m images of the batch that is there, for the drawing and the table. */
static gr_tensor loss_of(const job *j, int64_t m)
{
    const gr_tensor x = m < j->common.batch ? gr_slice(j->common.x, 0, 0, m, 1) : j->common.x;
    const gr_tensor labels = m < j->common.batch ? gr_slice(j->common.labels, 0, 0, m, 1) : j->common.labels;
    return gr_named(gr_softmax_cross_entropy(gr_mlp_forward(j->net, x), labels), "loss");
}

/* ---- Drawing ---- */

enum { PATH_BYTES = 4096 };

/* A curve of a column of the history. */
static plot_series curve(const image_job *j, const char *label, const char *column)
{
    return (plot_series){.label = label,
                         .x = gr_history_values(j->history, "epoch"),
                         .y = gr_history_values(j->history, column),
                         .n = (int)gr_history_rows(j->history),
                         .style = PLOT_LINE_AND_POINTS};
}

static void draw_curves(const image_job *j)
{
    char path[PATH_BYTES];
    if (gr_history_rows(j->history) < 2) return; /* a point is no curve */
    const plot_series losses[] = {curve(j, "training", "loss"), curve(j, "test", "val_loss")};
    const plot_series accuracies[] = {curve(j, "training", "accuracy"), curve(j, "test", "val_accuracy")};
    const plot_options of_losses = {.title = "Cross-entropy", .x_label = "epoch"},
                       of_accuracies = {.title = "Images that it gets right", .x_label = "epoch"};
    snprintf(path, sizeof path, "%s/mnist_mlp_loss.svg", j->out);
    image_job_report_drawing(j, "the losses", path, plot_write(path, &of_losses, 2, losses));
    snprintf(path, sizeof path, "%s/mnist_mlp_test.svg", j->out);
    image_job_report_drawing(j, "what it gets right of the images", path,
                             plot_write(path, &of_accuracies, 2, accuracies));
}

/* The weights that lead to each of the first hidden units, as images of what it looks for. */
static void draw_weights(const job *j)
{
    enum { UNITS = 16, SIDE = 28 };
    static double values[UNITS][IMAGE_PIXELS];
    static char labels[UNITS][12];
    plot_tile tiles[UNITS];
    char path[PATH_BYTES];
    const gr_tensor w = j->net.layers[0].weight; /* [pixels, hidden] */
    const int64_t hidden = gr_dim(w, 1);
    const float *weights = gr_data(w);
    const int n = hidden < UNITS ? (int)hidden : UNITS;
    if (!weights) return;
    for (int k = 0; k < n; k++) {
        for (int i = 0; i < IMAGE_PIXELS; i++) values[k][i] = (double)weights[i * hidden + k];
        snprintf(labels[k], sizeof labels[k], "%d", k);
        tiles[k] = (plot_tile){values[k], SIDE, SIDE, labels[k]};
    }
    const plot_tiles_options options = {
        .title = "Weights to the first hidden units", .colours = PLOT_DIVERGING, .bar_label = "weight"};
    snprintf(path, sizeof path, "%s/mnist_mlp_weights.svg", j->common.out);
    image_job_report_drawing(&j->common, "the weights of the first layer", path,
                             plot_tiles(path, &options, n, tiles));
}

/* Draws one step, gradients included. */
static void draw_step(const job *j)
{
    const image_job *c = &j->common;
    char dot[PATH_BYTES], svg[PATH_BYTES];
    snprintf(dot, sizeof dot, "%s/mnist_mlp.dot", c->out);
    snprintf(svg, sizeof svg, "%s/mnist_mlp.svg", c->out);
    gr_batches_start(c->test, 0);
    const int64_t m = gr_batches_next(c->test, c->x, c->labels);
    const gr_tensor loss = loss_of(j, m);
    gr_clear_grads(c->g);
    gr_backward(loss);
    if (gr_dot_write_file(loss, dot, NULL) != GR_OK) return;
    if (graphviz_render(dot, "svg", svg))
        printf("the graph of one step: %s, %s\n", dot, svg);
    else
        printf("the graph of one step: %s (no SVG: Graphviz' dot is missing or failed)\n", dot);
    gr_graph_reset(c->g);
}

/* ---- The whole ---- */

static void describe(const job *j)
{
    const image_job *c = &j->common;
    int64_t parameters = 0;
    for (int i = 0; i < gr_param_count(c->g); i++) parameters += gr_count(gr_param_at(c->g, i));
    printf("%d-%lld-%lld-%d, %lld parameters; ", IMAGE_PIXELS, (long long)c->width, (long long)c->width,
           IMAGE_CLASSES, (long long)parameters);
    image_job_describe(c);
}

/* The table of a forward pass over one batch. */
static void summarise(const job *j)
{
    putchar('\n');
    gr_model_summary(loss_of(j, j->common.batch), gr_stream_writer, stdout, NULL);
    putchar('\n');
    fflush(stdout);
    gr_graph_reset(j->common.g);
}

static bool run(image_job *common)
{
    job *j = (job *)common;
    gr_graph *g = common->g;
    const int64_t sizes[] = {IMAGE_PIXELS, common->width, common->width, IMAGE_CLASSES};
    j->net = gr_mlp_create(g, "", GR_F32, 4, sizes, gr_relu, gr_init_xavier_uniform);
    const gr_fit_plan plan = {
        .forward = forward, .loss = gr_softmax_cross_entropy, .optimizer = gr_adam(g, common->rate)};
    describe(j);
    if (gr_graph_status(g) == GR_OK) summarise(j);
    if (gr_graph_status(g) != GR_OK || !check_gradients(common)) return false;
    if (image_job_train(common, plan) != GR_OK) return false;
    draw_step(j);
    draw_curves(common);
    draw_weights(j);
    return true;
}

int main(int argc, char **argv)
{
    job j = {.common = {.program = "mnist_mlp",
                        .epochs = 5,
                        .batch = 200,
                        .rate = 1e-3,
                        .width = 784,
                        .width_name = "hidden"}};
    return image_job_main(&j.common, argc, argv, GR_SHAPE(IMAGE_PIXELS), run);
}
