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
#include "support/fashion_mnist.h"
#include "support/options.h"
#include "support/plot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FILTER = 5, HIDDEN = 128, PATH_BYTES = 4096, MISTAKES = 24 };

/* Of Fashion-MNIST, and of images that are made here. */
static const char *const made_names[IMAGE_CLASSES] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
static const char *const class_names[IMAGE_CLASSES] = {"T-shirt", "trouser", "pullover", "dress", "coat",
                                                       "sandal",  "shirt",   "sneaker",  "bag",   "boot"};

typedef struct settings {
    int64_t epochs, channels, batch, seed, threads, limit; /* limit: images to train on; 0: all */
    double rate;
    const char *data, *out;
} settings;

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

typedef struct score {
    double loss, accuracy;
    int64_t confusion[IMAGE_CLASSES][IMAGE_CLASSES]; /* [is][said] */
} score;

typedef struct job {
    gr_graph *g;
    network net;
    gr_optimizer *adam;
    gr_tensor x, labels; /* one batch */
    gr_batches *train, *test;
    int64_t n_train, n_test;
    int epochs;
    const char *const *names;   /* of the classes */
    mistake mistakes[MISTAKES]; /* the most certain first */
    int n_mistakes;
} job;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool read_options(settings *s, int argc, char **argv)
{
    *s = (settings){.epochs = 8,
                    .channels = 16,
                    .batch = 100,
                    .seed = 1,
                    .threads = gr_processor_count(),
                    .rate = 2e-3,
                    .out = "."};
    const option options[] = {
        {"epochs", "N", .count = &s->epochs, .least = 1},
        {"channels", "N", .count = &s->channels, .least = 1},
        {"lr", "RATE", .number = &s->rate},
        {"batch", "N", .count = &s->batch, .least = 2}, /* of one sample there is no variance */
        {"seed", "N", .count = &s->seed},
        {"threads", "N", .count = &s->threads, .least = 1},
        {"data", "DIR", .text = &s->data},
        {"limit", "N", .count = &s->limit, .least = 2},
        {"out", "DIR", .text = &s->out},
    };
    return options_read("mnist_cnn", argc, argv, (int)(sizeof options / sizeof *options), options);
}

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

/* The first m samples of the batch: all of them, but at the end of an epoch. */
static gr_tensor rows(gr_tensor batch, int64_t m)
{
    return m == gr_dim(batch, 0) ? batch : gr_slice(batch, 0, 0, m, 1);
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
static bool check_gradients(const settings *s, const image_set *set)
{
    enum { SAMPLES = 3, ELEMENTS = 12, MOST = 16 };
    gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = (int)s->threads, .seed = (uint64_t)s->seed});
    checked_network c = {.net = make_network(g, GR_F64, s->channels),
                         .x = gr_constant(g, GR_F64, GR_SHAPE(SAMPLES, 1, IMAGE_SIDE, IMAGE_SIDE), NULL),
                         .labels = gr_constant(g, GR_I32, GR_SHAPE(SAMPLES), NULL)};
    gr_batches_next(gr_batches_create(g, &set->train_images, &set->train_labels, SAMPLES, 0, NULL), c.x,
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
    const double start = seconds();
    const gr_status status = gr_gradcheck(g, checked_loss, n, parameters, &c, &options, &result);
    if (status != GR_OK) fprintf(stderr, "mnist_cnn: %s\n", gr_graph_error(g));
    gr_check_report(&result, text, sizeof text);
    printf("gradient check of this network in f64, %.1f s: %s\n", seconds() - start, text);
    fflush(stdout);
    gr_graph_destroy(g);
    return status == GR_OK && result.passed;
}

/* ---- Training ---- */

/* A bar that overwrites itself, on a terminal; nothing elsewhere. */
static void show_progress(const job *j, int epoch, int64_t done, double elapsed)
{
    enum { WIDTH = 30 };
    static double last;
    if (!isatty(STDOUT_FILENO) || (done < j->n_train && elapsed - last < 0.1 && elapsed > last)) return;
    last = elapsed;
    char bar[WIDTH + 1];
    for (int i = 0; i < WIDTH; i++) bar[i] = i < done * WIDTH / j->n_train ? '#' : '.';
    bar[WIDTH] = '\0';
    const double rate = (double)done / elapsed;
    printf("\repoch %d/%d  [%s]  %.0f images/s  ETA %.0f s \033[K", epoch, j->epochs, bar, rate,
           (double)(j->n_train - done) / rate);
    fflush(stdout);
}

/* One epoch; returns the mean loss as seen while training. */
static double train_epoch(const job *j, int epoch, double *rate)
{
    double sum = 0;
    int64_t m, done = 0;
    const double start = seconds();
    while ((m = gr_batches_next(j->train, j->x, j->labels)) > 0) {
        const gr_tensor loss = gr_softmax_cross_entropy(forward(&j->net, rows(j->x, m), true),
                                                        rows(j->labels, m));
        gr_clear_grads(j->g);
        gr_backward(loss);
        if (gr_optimizer_step(j->adam) != GR_OK) break;
        sum += gr_item(loss) * (double)m;
        gr_graph_reset(j->g);
        done += m;
        show_progress(j, epoch, done, seconds() - start);
    }
    *rate = (double)done / (seconds() - start);
    return sum / (double)done;
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

/* Adds one batch to the score. p: [m, classes], probabilities. */
static void judge(job *j, score *s, gr_tensor probabilities, int64_t m)
{
    const float *p = gr_data(probabilities), *x = gr_data(j->x);
    const int32_t *label = gr_data(j->labels);
    for (int64_t i = 0; p && x && label && i < m; i++, p += IMAGE_CLASSES) {
        int said = 0;
        for (int k = 1; k < IMAGE_CLASSES; k++)
            if (p[k] > p[said]) said = k;
        s->confusion[label[i]][said]++;
        s->accuracy += said == label[i];
        if (said != label[i]) note_mistake(j, x + i * IMAGE_PIXELS, label[i], said, (double)p[said]);
    }
}

static score evaluate(job *j)
{
    score s = {.loss = 0};
    int64_t m;
    j->n_mistakes = 0;
    gr_no_grad_begin(j->g);
    while ((m = gr_batches_next(j->test, j->x, j->labels)) > 0) {
        const gr_tensor logits = forward(&j->net, rows(j->x, m), false);
        s.loss += gr_item(gr_softmax_cross_entropy(logits, rows(j->labels, m))) * (double)m;
        judge(j, &s, gr_softmax(logits, -1), m);
        gr_graph_reset(j->g);
    }
    gr_no_grad_end(j->g);
    s.loss /= (double)j->n_test;
    s.accuracy /= (double)j->n_test;
    return s;
}

static score train(job *j, double rate)
{
    const char *erase = isatty(STDOUT_FILENO) ? "\r\033[K" : "";
    score test = {.loss = 0};
    for (int epoch = 1; epoch <= j->epochs; epoch++) {
        double speed;
        if (epoch > j->epochs - j->epochs / 4) gr_optimizer_set_rate(j->adam, rate / 10);
        const double loss = train_epoch(j, epoch, &speed);
        if (gr_graph_status(j->g) != GR_OK) break;
        test = evaluate(j);
        printf("%sepoch %d/%d  train loss %.6f  test loss %.6f  test accuracy %.2f %%  %.0f images/s\n",
               erase, epoch, j->epochs, loss, test.loss, 100 * test.accuracy, speed);
        fflush(stdout);
    }
    return test;
}

/* ---- What came of it ---- */

static void print_confusion(const job *j, const score *s)
{
    printf("\nwhat is (rows), and what was said:\n%10s", "");
    for (int k = 0; k < IMAGE_CLASSES; k++) printf(" %8s", j->names[k]);
    for (int i = 0; i < IMAGE_CLASSES; i++) {
        int64_t all = 0;
        printf("\n%10s", j->names[i]);
        for (int k = 0; k < IMAGE_CLASSES; k++) {
            printf(" %8lld", (long long)s->confusion[i][k]);
            all += s->confusion[i][k];
        }
        printf("   %5.1f %%", all ? 100 * (double)s->confusion[i][i] / (double)all : 0.0);
    }
    printf("\n\n");
}

/* Says what has been drawn, or why not. */
static void report_drawing(const char *what, const char *path, bool drawn)
{
    if (drawn)
        printf("%s: %s\n", what, path);
    else
        fprintf(stderr, "mnist_cnn: cannot draw %s: %s\n", path, strerror(errno));
}

/* n planes of f32, one behind the other, as tiles with numbers. */
static void draw_planes(const char *what, const char *path, const plot_tiles_options *o, const float *planes,
                        int n, int side)
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
    report_drawing(what, path, planes && plot_tiles(path, o, n, tiles));
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
    report_drawing("the worst mistakes", path, plot_tiles(path, &o, j->n_mistakes, tiles));
}

static void draw(job *j, const char *directory)
{
    char path[PATH_BYTES];
    const int filters = (int)gr_dim(j->net.conv1.weight, 0);
    const plot_tiles_options of_filters = {.title = "The filters of the first layer",
                                           .colours = PLOT_DIVERGING,
                                           .bar_label = "weight",
                                           .cell = 16};
    snprintf(path, sizeof path, "%s/mnist_cnn_filters.svg", directory);
    draw_planes("the filters of the first layer", path, &of_filters, gr_data(j->net.conv1.weight), filters,
                FILTER);
    gr_no_grad_begin(j->g);
    gr_batches_start(j->test, 0);
    gr_batches_next(j->test, j->x, j->labels);
    const gr_tensor seen = first_features(&j->net, gr_slice(j->x, 0, 0, 1, 1), false);
    const plot_tiles_options of_features = {.title = "What they make of the first test image",
                                            .bar_label = "ReLU"};
    snprintf(path, sizeof path, "%s/mnist_cnn_features.svg", directory);
    draw_planes("what they make of an image", path, &of_features, gr_data(gr_contiguous(seen)), filters,
                IMAGE_SIDE);
    gr_no_grad_end(j->g);
    gr_graph_reset(j->g);
    snprintf(path, sizeof path, "%s/mnist_cnn_mistakes.svg", directory);
    draw_mistakes(j, path);
}

/* ---- The whole ---- */

static void make_job(job *j, gr_graph *g, const settings *s, const image_set *set)
{
    const uint64_t seed = (uint64_t)s->seed;
    j->g = g;
    j->epochs = (int)s->epochs;
    j->names = set->made ? made_names : class_names;
    j->n_train = set->train_labels.count;
    j->n_test = set->test_labels.count;
    j->net = make_network(g, GR_F32, s->channels);
    j->adam = gr_adam(g, s->rate);
    j->x = gr_named(gr_constant(g, GR_F32, GR_SHAPE(s->batch, 1, IMAGE_SIDE, IMAGE_SIDE), NULL), "images");
    j->labels = gr_named(gr_constant(g, GR_I32, GR_SHAPE(s->batch), NULL), "labels");
    j->train = gr_batches_create(g, &set->train_images, &set->train_labels, s->batch, seed, NULL);
    j->test = gr_batches_create(g, &set->test_images, &set->test_labels, s->batch, seed,
                                &(gr_batches_options){.in_order = true});
}

static bool to_stdout(const char *text, size_t length, void *user)
{
    (void)user;
    return fwrite(text, 1, length, stdout) == length;
}

/* The table of a forward pass over one batch, as in evaluation. */
static void summarise(const job *j, const settings *s)
{
    printf("%lld images to train on, %lld to test; batch %lld, Adam %g, seed %lld; %d threads, %s\n\n",
           (long long)j->n_train, (long long)j->n_test, (long long)s->batch, s->rate, (long long)s->seed,
           gr_graph_threads(j->g), gr_graph_isa(j->g));
    gr_model_summary(gr_named(forward(&j->net, j->x, false), "logits"), to_stdout, NULL, NULL);
    putchar('\n');
    fflush(stdout);
    gr_graph_reset(j->g);
}

static bool run(gr_graph *g, const settings *s, const image_set *set)
{
    static job j; /* its mistakes are images */
    const double start = seconds();
    make_job(&j, g, s, set);
    if (gr_graph_status(g) == GR_OK) summarise(&j, s);
    if (gr_graph_status(g) == GR_OK && !check_gradients(s, set)) return false;
    score test = {.loss = 0};
    if (gr_graph_status(g) == GR_OK) test = train(&j, s->rate);
    if (gr_graph_status(g) == GR_OK) {
        print_confusion(&j, &test);
        draw(&j, s->out);
        printf("%.2f %% of the test images right, after %.0f s, of which the processors worked %.0f\n",
               100 * test.accuracy, seconds() - start, (double)clock() / CLOCKS_PER_SEC);
    }
    if (gr_graph_status(g) == GR_OK) return true;
    fprintf(stderr, "mnist_cnn: %s\n", gr_graph_error(g));
    return false;
}

int main(int argc, char **argv)
{
    settings s;
    if (!read_options(&s, argc, argv)) return 2;
    gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = (int)s.threads, .seed = (uint64_t)s.seed});
    if (!g) {
        fprintf(stderr, "mnist_cnn: no memory for a graph\n");
        return 1;
    }
    image_set set = {.made = NULL};
    const bool done = image_set_obtain(g, "mnist_cnn", s.data, (uint64_t)s.seed, s.limit, &set) &&
                      run(g, &s, &set);
    image_set_free(&set);
    gr_graph_destroy(g);
    return done ? 0 : 1;
}
