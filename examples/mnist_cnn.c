/*
 * A small convolution network learns Fashion-MNIST.
 *
 *     mnist_cnn [--epochs N] [--channels N] [--lr RATE] [--batch N] [--seed N] [--threads N]
 *               [--data DIR | --data none] [--limit N] [--out DIR]
 *
 *     images [n, 1, 28, 28]
 *       conv 5x5, 16 filters - batch norm - ReLU - the largest of 2x2      [n, 16, 14, 14]
 *       conv 3x3, 32 filters - batch norm - ReLU - the largest of 2x2      [n, 32, 7, 7]
 *       linear, 128 units - ReLU - dropout - linear                         [n, 10]
 *
 * Adam, batches of 100, f32, a rate that is cut to a tenth for the last quarter of the epochs. Before the
 * training the gradients of this very network are checked against numbers, in f64; after it, the confusion
 * matrix is printed, and drawn are the filters of the first layer, what they make of one image, and the images
 * that were most certainly mistaken for something else. The same seed gives the same numbers, bit for bit, for
 * any number of threads.
 */
#include <gradus.h>
#include "support/image_job.h"
#include "support/plot.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { FILTER = 5, HIDDEN = 128, PATH_BYTES = 4096, MISTAKES = 24 };

/* Of Fashion-MNIST, and of images that are made here. */
static const char *const made_names[IMAGE_CLASSES] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
static const char *const class_names[IMAGE_CLASSES] = {"T-shirt", "trouser", "pullover", "dress", "coat",
                                                       "sandal",  "shirt",   "sneaker",  "bag",   "boot"};

typedef struct network {
    gr_conv_layer conv1, conv2;
    gr_batch_norm_layer norm1, norm2;
    gr_linear hidden, out;
} network;

/* An image that was mistaken, and how certainly. */
typedef struct mistake {
    float pixels[IMAGE_PIXELS];
    int said, is;
    double certainty;
} mistake;

typedef struct job {
    image_job common; /* first: functions of the training get a pointer to it */
    network net;
    int64_t counts[IMAGE_CLASSES * IMAGE_CLASSES];
    gr_confusion confusion;     /* of the test images */
    const char *const *names;   /* of the classes */
    mistake mistakes[MISTAKES]; /* of the test images; the most certain first */
    int n_mistakes;
} job;

/* ---- The network ---- */

static network make_network(gr_graph *g, gr_type type, int64_t channels)
{
    const gr_conv_options same5 = {.padding = {2, 2}}, same3 = {.padding = {1, 1}};
    const int64_t k5[] = {FILTER, FILTER}, k3[] = {3, 3},
                  features = 2 * channels * (IMAGE_SIDE / 4) * (IMAGE_SIDE / 4);
    network net;
    net.conv1 = gr_conv2d_layer_create(g, "conv1", type, 1, channels, k5, &same5, gr_init_he_normal);
    net.norm1 = gr_batch_norm_layer_create(g, "norm1", type, channels);
    net.conv2 = gr_conv2d_layer_create(g, "conv2", type, channels, 2 * channels, k3, &same3,
                                       gr_init_he_normal);
    net.norm2 = gr_batch_norm_layer_create(g, "norm2", type, 2 * channels);
    net.hidden = gr_linear_create(g, "hidden", type, features, HIDDEN, gr_init_he_normal);
    net.out = gr_linear_create(g, "out", type, HIDDEN, IMAGE_CLASSES, gr_init_xavier_uniform);
    return net;
}

/* What the first layer makes of images, before the largest are taken. */
static gr_tensor first_features(const network *net, gr_tensor x, bool training)
{
    return gr_relu(gr_batch_norm_layer_forward(net->norm1, gr_conv_layer_forward(net->conv1, x), training));
}

static gr_tensor forward(const network *net, gr_tensor x, bool training)
{
    const gr_pool_options halve = {.kernel = {2, 2}};
    gr_tensor h = gr_max_pool2d(first_features(net, x, training), &halve);
    h = gr_relu(gr_batch_norm_layer_forward(net->norm2, gr_conv_layer_forward(net->conv2, h), training));
    h = gr_reshape(gr_max_pool2d(h, &halve), GR_SHAPE(gr_dim(x, 0), -1));
    h = gr_relu(gr_linear_forward(net->hidden, h));
    return gr_linear_forward(net->out, gr_dropout(h, 0.3, training));
}

/* ---- Gradient check ---- */

typedef struct checked_network {
    network net;
    gr_tensor x, labels;
} checked_network;

static gr_tensor checked_loss(gr_graph *g, int n, const gr_tensor *parameters, void *user)
{
    const checked_network *c = user; /* holds the parameters, too */
    (void)g, (void)n, (void)parameters;
    return gr_softmax_cross_entropy(forward(&c->net, c->x, false), c->labels);
}

/* In a graph of its own, of f64, with other weights: some elements of all twelve parameters. */
static bool check_gradients(const image_job *s)
{
    enum { SAMPLES = 3, ELEMENTS = 12, MOST = 16 };
    gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = (int)s->threads, .seed = (uint64_t)s->seed});
    checked_network c = {.net = make_network(g, GR_F64, s->width),
                         .x = gr_constant(g, GR_F64, GR_SHAPE(SAMPLES, 1, IMAGE_SIDE, IMAGE_SIDE), NULL),
                         .labels = gr_constant(g, GR_I32, GR_SHAPE(SAMPLES), NULL)};
    gr_batches_next(gr_batches_create(g, &s->set.train_images, &s->set.train_labels, SAMPLES, 0, NULL), c.x,
                    c.labels);
    gr_tensor parameters[MOST];
    const int n = gr_param_count(g);
    for (int i = 0; i < n && i < MOST; i++) {
        parameters[i] = gr_param_at(g, i);
        /* Biases of 0 put the black of the background on the kink of ReLU. */
        if (gr_ndim(parameters[i]) == 1) gr_init_normal(parameters[i], 0.1, 0.1);
    }
    gr_check_result result = {0};
    char text[GR_CHECK_REPORT_BYTES];
    /* Small steps: a large one would carry some of the many ReLUs, and ties of the pooling, across their kink. */
    const gr_check_options options = {.max_elements = ELEMENTS, .step = 1e-5, .atol = 1e-8};
    const double start = image_job_seconds();
    const gr_status status = gr_gradcheck(g, checked_loss, n, parameters, &c, &options, &result);
    if (status != GR_OK) fprintf(stderr, "mnist_cnn: %s\n", gr_graph_error(g));
    gr_check_report(&result, text, sizeof text);
    printf("gradient check of this network in f64, %.1f s: %s\n", image_job_seconds() - start, text);
    fflush(stdout);
    gr_graph_destroy(g);
    return status == GR_OK && result.passed;
}

/* ---- Training ---- */

static gr_tensor forward_batch(gr_graph *g, gr_tensor x, bool training, void *user)
{
    (void)g;
    return forward(&((const job *)user)->net, x, training);
}

/* Keeps the most certain mistakes, in order. */
static void note_mistake(job *j, const float *pixels, int is, int said, double certainty)
{
    int at = j->n_mistakes;
    while (at > 0 && j->mistakes[at - 1].certainty < certainty) at--;
    if (at == MISTAKES) return;
    if (j->n_mistakes < MISTAKES) j->n_mistakes++;
    memmove(&j->mistakes[at + 1], &j->mistakes[at], (size_t)(j->n_mistakes - 1 - at) * sizeof *j->mistakes);
    mistake *k = &j->mistakes[at];
    k->is = is;
    k->said = said;
    k->certainty = certainty;
    memcpy(k->pixels, pixels, sizeof k->pixels);
}

/* Looks for mistakes in a batch of test images. */
static gr_fit_verdict note_mistakes(const gr_fit_event *e, void *user)
{
    job *j = user;
    if (e->training) return GR_FIT_GO_ON;
    if (e->batch == 1) j->n_mistakes = 0;
    const float *p = gr_data(gr_softmax(e->prediction, -1)), *x = gr_data(gr_contiguous(e->inputs));
    const int32_t *said = gr_data(gr_argmax(e->prediction, -1, false)),
                  *is = gr_data(gr_contiguous(e->targets));
    for (int64_t i = 0; p && x && said && is && i < e->examples; i++)
        if (said[i] != is[i])
            note_mistake(j, x + i * IMAGE_PIXELS, is[i], said[i], (double)p[i * IMAGE_CLASSES + said[i]]);
    return GR_FIT_GO_ON;
}

static gr_status train(job *j)
{
    const int64_t epochs = j->common.epochs, last_quarter = epochs - epochs / 4;
    const gr_schedule schedule = gr_schedule_multi_step(1, &last_quarter, 0.1);
    return image_job_train(&j->common, (gr_fit_plan){.forward = forward_batch,
                                                     .loss = gr_softmax_cross_entropy,
                                                     .optimizer = gr_adam(j->common.g, j->common.rate),
                                                     .schedule = &schedule,
                                                     .schedule_by_epoch = true,
                                                     .confusion = &j->confusion,
                                                     .on_batch = note_mistakes});
}

/* ---- What came of it ---- */

/* n planes of f32, one behind the other, as tiles with numbers. */
static void draw_planes(const image_job *j, const char *what, const char *path, const plot_tiles_options *o,
                        const float *planes, int n, int side)
{
    enum { MOST_TILES = 64 };
    static double values[MOST_TILES][IMAGE_PIXELS];
    static char labels[MOST_TILES][12];
    plot_tile tiles[MOST_TILES];
    n = n < MOST_TILES ? n : MOST_TILES;
    for (int k = 0; k < n && planes; k++) {
        for (int i = 0; i < side * side; i++) values[k][i] = (double)planes[k * side * side + i];
        snprintf(labels[k], sizeof labels[k], "%d", k);
        tiles[k] = (plot_tile){values[k], side, side, labels[k]};
    }
    image_job_report_drawing(j, what, path, planes && plot_tiles(path, o, n, tiles));
}

static void draw_mistakes(const job *j, const char *path)
{
    static double values[MISTAKES][IMAGE_PIXELS];
    static char labels[MISTAKES][40];
    plot_tile tiles[MISTAKES];
    if (j->n_mistakes == 0) return;
    for (int k = 0; k < j->n_mistakes; k++) {
        const mistake *m = &j->mistakes[k];
        for (int i = 0; i < IMAGE_PIXELS; i++) values[k][i] = (double)m->pixels[i];
        snprintf(labels[k], sizeof labels[k], "%s? %s", j->names[m->said], j->names[m->is]);
        tiles[k] = (plot_tile){values[k], IMAGE_SIDE, IMAGE_SIDE, labels[k]};
    }
    const plot_tiles_options o = {.title = "Mistaken with most certainty: what was said, and what it is",
                                  .bar_label = "pixel",
                                  .across = 6,
                                  .cell = 5};
    image_job_report_drawing(&j->common, "the worst mistakes", path,
                             plot_tiles(path, &o, j->n_mistakes, tiles));
}

static void draw(const job *j)
{
    const image_job *c = &j->common;
    char path[PATH_BYTES];
    const int filters = (int)gr_dim(j->net.conv1.weight, 0);
    const plot_tiles_options of_filters = {.title = "The filters of the first layer",
                                           .colours = PLOT_DIVERGING,
                                           .bar_label = "weight",
                                           .cell = 16};
    snprintf(path, sizeof path, "%s/mnist_cnn_filters.svg", c->out);
    draw_planes(c, "the filters of the first layer", path, &of_filters, gr_data(j->net.conv1.weight), filters,
                FILTER);
    gr_no_grad_begin(c->g);
    gr_batches_start(c->test, 0);
    gr_batches_next(c->test, c->x, c->labels);
    const gr_tensor seen = first_features(&j->net, gr_slice(c->x, 0, 0, 1, 1), false);
    const plot_tiles_options of_features = {.title = "What they make of the first test image",
                                            .bar_label = "ReLU"};
    snprintf(path, sizeof path, "%s/mnist_cnn_features.svg", c->out);
    draw_planes(c, "what they make of an image", path, &of_features, gr_data(gr_contiguous(seen)), filters,
                IMAGE_SIDE);
    gr_no_grad_end(c->g);
    gr_graph_reset(c->g);
    snprintf(path, sizeof path, "%s/mnist_cnn_mistakes.svg", c->out);
    draw_mistakes(j, path);
}

/* ---- The whole ---- */

/* The table of a forward pass over one batch, as in evaluation. */
static void summarise(const job *j)
{
    image_job_describe(&j->common);
    putchar('\n');
    gr_model_summary(gr_named(forward(&j->net, j->common.x, false), "logits"), gr_stream_writer, stdout,
                     NULL);
    putchar('\n');
    fflush(stdout);
    gr_graph_reset(j->common.g);
}

static bool run(image_job *common)
{
    job *j = (job *)common;
    gr_graph *g = common->g;
    const double start = image_job_seconds();
    j->names = common->set.made ? made_names : class_names;
    j->confusion = (gr_confusion){.classes = IMAGE_CLASSES, .counts = j->counts};
    j->net = make_network(g, GR_F32, common->width);
    if (gr_graph_status(g) == GR_OK) summarise(j);
    if (gr_graph_status(g) != GR_OK || !check_gradients(common) || train(j) != GR_OK) return false;
    printf("\nwhat is (rows), and what was said:\n");
    gr_confusion_write(&j->confusion, j->names, gr_stream_writer, stdout);
    printf("\n");
    draw(j);
    printf("%.2f %% of the test images right, after %.0f s, of which the processors worked %.0f\n",
           100 * gr_history_last(common->history, "val_accuracy"), image_job_seconds() - start,
           (double)clock() / CLOCKS_PER_SEC);
    return true;
}

int main(int argc, char **argv)
{
    static job j = {.common = {.program = "mnist_cnn", /* its mistakes are images */
                               .epochs = 8,
                               .batch = 100,
                               .least_batch = 2, /* of one sample there is no variance */
                               .rate = 2e-3,
                               .width = 16,
                               .width_name = "channels"}};
    return image_job_main(&j.common, argc, argv, GR_SHAPE(1, IMAGE_SIDE, IMAGE_SIDE), run);
}
