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
#include "support/fashion_mnist.h"
#include "support/options.h"
#include "support/plot.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

typedef struct settings {
    int64_t epochs, hidden, batch, seed, threads, limit; /* limit: images to train on; 0: all */
    double rate;
    const char *data, *out;
} settings;

/* What each epoch has given, for the curves. */
typedef struct course {
    double *epoch, *train_loss, *test_loss, *accuracy; /* in percent; one block, at epoch */
    int n;
} course;

typedef struct job {
    gr_graph *g;
    gr_mlp net;
    gr_optimizer *adam;
    gr_tensor x, labels; /* one batch */
    gr_batches *train, *test;
    int64_t n_train, n_test, batch;
    int epoch, epochs;
    course course;
} job;

typedef struct score {
    double loss, accuracy;
} score;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool read_options(settings *s, int argc, char **argv)
{
    *s = (settings){.epochs = 5,
                    .hidden = 784,
                    .batch = 200,
                    .seed = 1,
                    .threads = gr_processor_count(),
                    .rate = 1e-3,
                    .out = "."};
    const option options[] = {
        {"epochs", "N", .count = &s->epochs}, {"hidden", "N", .count = &s->hidden, .least = 1},
        {"lr", "RATE", .number = &s->rate},   {"batch", "N", .count = &s->batch, .least = 1},
        {"seed", "N", .count = &s->seed},     {"threads", "N", .count = &s->threads, .least = 1},
        {"data", "DIR", .text = &s->data},    {"limit", "N", .count = &s->limit, .least = 1},
        {"out", "DIR", .text = &s->out},
    };
    return options_read("mnist_mlp", argc, argv, (int)(sizeof options / sizeof *options), options);
}

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
static bool check_gradients(gr_graph *model, const settings *s, const image_set *set)
{
    enum { SAMPLES = 4, ELEMENTS = 100, PARAMETERS = 6 };
    gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = (int)s->threads});
    const int64_t sizes[] = {IMAGE_PIXELS, s->hidden, s->hidden, IMAGE_CLASSES};
    checked_model m = {.net = gr_mlp_create(g, "", GR_F64, 4, sizes, gr_relu, NULL),
                       .x = gr_constant(g, GR_F64, GR_SHAPE(SAMPLES, IMAGE_PIXELS), NULL),
                       .labels = gr_constant(g, GR_I32, GR_SHAPE(SAMPLES), NULL)};
    copy_parameters(model, g);
    gr_batches_next(gr_batches_create(g, &set->train_images, &set->train_labels, SAMPLES, 0, NULL), m.x,
                    m.labels);
    gr_tensor parameters[PARAMETERS];
    for (int i = 0; i < PARAMETERS; i++) parameters[i] = gr_param_at(g, i);
    gr_check_result result = {0};
    char text[GR_CHECK_REPORT_BYTES];
    /* Small steps: a large one would carry some of the many ReLUs across their kink. */
    const gr_check_options options = {
        .seed = (uint64_t)s->seed, .max_elements = ELEMENTS, .step = 1e-4, .atol = 1e-9};
    const double start = seconds();
    const gr_status status = gr_gradcheck(g, checked_loss, PARAMETERS, parameters, &m, &options, &result);
    if (status != GR_OK) fprintf(stderr, "mnist_mlp: %s\n", gr_graph_error(g));
    gr_check_report(&result, text, sizeof text);
    printf("gradient check of this model in f64, %.1f s: %s\n", seconds() - start, text);
    gr_graph_destroy(g);
    return status == GR_OK && result.passed;
}

/* ---- Training ---- */

/* The first m rows of the batch: all of them, but at the end of an epoch. */
static gr_tensor rows(gr_tensor batch, int64_t m)
{
    return m == gr_dim(batch, 0) ? batch : gr_slice(batch, 0, 0, m, 1);
}

static gr_tensor loss_of(const job *j, int64_t m)
{
    return gr_softmax_cross_entropy(gr_mlp_forward(j->net, rows(j->x, m)), rows(j->labels, m));
}

/* A bar that overwrites itself, on a terminal; nothing elsewhere. */
static void show_progress(const job *j, int64_t done, double elapsed)
{
    enum { WIDTH = 30 };
    static double last;
    if (!isatty(STDOUT_FILENO) || (done < j->n_train && elapsed - last < 0.1 && elapsed > last)) return;
    last = elapsed;
    char bar[WIDTH + 1];
    const int64_t filled = done * WIDTH / j->n_train;
    for (int i = 0; i < WIDTH; i++) bar[i] = i < filled ? '#' : '.';
    bar[WIDTH] = '\0';
    const double rate = (double)done / elapsed;
    printf("\repoch %d/%d  [%s] %3d %%  %.0f images/s  ETA %.0f s \033[K", j->epoch, j->epochs, bar,
           (int)(done * 100 / j->n_train), rate, (double)(j->n_train - done) / rate);
    fflush(stdout);
}

/* One epoch; returns the mean loss as seen while training. */
static double train_epoch(const job *j, double *rate)
{
    double sum = 0;
    int64_t m, done = 0;
    const double start = seconds();
    while ((m = gr_batches_next(j->train, j->x, j->labels)) > 0) {
        const gr_tensor loss = loss_of(j, m);
        gr_clear_grads(j->g);
        gr_backward(loss);
        if (gr_optimizer_step(j->adam) != GR_OK) break;
        sum += gr_item(loss) * (double)m;
        gr_graph_reset(j->g);
        done += m;
        show_progress(j, done, seconds() - start);
    }
    *rate = (double)done / (seconds() - start);
    return sum / (double)done;
}

static int64_t count_right(gr_tensor logits, gr_tensor labels, int64_t m)
{
    const float *y = gr_data(logits);
    const int32_t *label = gr_data(labels);
    int64_t right = 0;
    for (int64_t i = 0; y && label && i < m; i++) {
        int best = 0;
        for (int k = 1; k < IMAGE_CLASSES; k++)
            if (y[i * IMAGE_CLASSES + k] > y[i * IMAGE_CLASSES + best]) best = k;
        right += best == label[i];
    }
    return right;
}

static score evaluate(const job *j)
{
    score s = {0, 0};
    int64_t m;
    gr_no_grad_begin(j->g);
    while ((m = gr_batches_next(j->test, j->x, j->labels)) > 0) {
        const gr_tensor logits = gr_mlp_forward(j->net, rows(j->x, m));
        s.loss += gr_item(gr_softmax_cross_entropy(logits, rows(j->labels, m))) * (double)m;
        s.accuracy += (double)count_right(logits, j->labels, m);
        gr_graph_reset(j->g);
    }
    gr_no_grad_end(j->g);
    s.loss /= (double)j->n_test;
    s.accuracy /= (double)j->n_test;
    return s;
}

/* Without memory there is no curve. */
static void note_epoch(course *c, int epoch, double train_loss, score test)
{
    if (!c->epoch) return;
    c->epoch[c->n] = epoch;
    c->train_loss[c->n] = train_loss;
    c->test_loss[c->n] = test.loss;
    c->accuracy[c->n++] = 100 * test.accuracy;
}

static course make_course(int epochs)
{
    const size_t n = (size_t)epochs;
    course c = {.epoch = malloc(4 * (n + 1) * sizeof(double))};
    if (!c.epoch) return c;
    c.train_loss = c.epoch + n;
    c.test_loss = c.train_loss + n;
    c.accuracy = c.test_loss + n;
    return c;
}

static void train(job *j)
{
    const char *erase = isatty(STDOUT_FILENO) ? "\r\033[K" : "";
    for (j->epoch = 1; j->epoch <= j->epochs; j->epoch++) {
        double rate;
        const double loss = train_epoch(j, &rate);
        if (gr_graph_status(j->g) != GR_OK) return;
        const score test = evaluate(j);
        printf("%sepoch %d/%d  train loss %.9g  test loss %.9g  test accuracy %.2f %%  %.0f images/s\n",
               erase, j->epoch, j->epochs, loss, test.loss, 100 * test.accuracy, rate);
        fflush(stdout);
        note_epoch(&j->course, j->epoch, loss, test);
    }
}

/* ---- Drawing ---- */

enum { PATH_BYTES = 4096 };

/* Says what has been drawn, or why not. */
static void report_drawing(const char *what, const char *path, bool drawn)
{
    if (drawn)
        printf("%s: %s\n", what, path);
    else
        fprintf(stderr, "mnist_mlp: cannot draw %s: %s\n", path, strerror(errno));
}

static void draw_curves(const course *c, const char *directory)
{
    char path[PATH_BYTES];
    if (c->n < 2) return; /* a point is no curve */
    const plot_series losses[] = {
        {.label = "training", .x = c->epoch, .y = c->train_loss, .n = c->n, .style = PLOT_LINE_AND_POINTS},
        {.label = "test", .x = c->epoch, .y = c->test_loss, .n = c->n, .style = PLOT_LINE_AND_POINTS}};
    const plot_series accuracy = {.x = c->epoch, .y = c->accuracy, .n = c->n, .style = PLOT_LINE_AND_POINTS};
    snprintf(path, sizeof path, "%s/mnist_mlp_loss.svg", directory);
    report_drawing(
        "the losses", path,
        plot_write(path, &(plot_options){.title = "Cross-entropy", .x_label = "epoch"}, 2, losses));
    snprintf(path, sizeof path, "%s/mnist_mlp_test.svg", directory);
    report_drawing("what it got right of the test images", path,
                   plot_write(path,
                              &(plot_options){.title = "Accuracy on the test images, %", .x_label = "epoch"},
                              1, &accuracy));
}

/* The weights that lead to each of the first hidden units, as images of what it looks for. */
static void draw_weights(const job *j, const char *directory)
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
    snprintf(path, sizeof path, "%s/mnist_mlp_weights.svg", directory);
    report_drawing("the weights of the first layer", path, plot_tiles(path, &options, n, tiles));
}

/* Runs "dot -Tsvg from -o to"; false if there is no dot, or it fails. */
static bool render(char *from, char *to)
{
    char *const command[] = {"dot", "-Tsvg", from, "-o", to, NULL};
    pid_t child;
    int state;
    if (posix_spawnp(&child, "dot", NULL, NULL, command, environ) != 0) return false;
    return waitpid(child, &state, 0) == child && WIFEXITED(state) && WEXITSTATUS(state) == 0;
}

/* Draws one step, gradients included. */
static void draw(const job *j, const char *directory)
{
    char dot[PATH_BYTES], svg[PATH_BYTES];
    snprintf(dot, sizeof dot, "%s/mnist_mlp.dot", directory);
    snprintf(svg, sizeof svg, "%s/mnist_mlp.svg", directory);
    gr_batches_start(j->train, 0);
    const int64_t m = gr_batches_next(j->train, j->x, j->labels);
    const gr_tensor loss = gr_named(loss_of(j, m), "loss");
    gr_clear_grads(j->g);
    gr_backward(loss);
    if (gr_dot_write_file(loss, dot, NULL) != GR_OK) return;
    if (render(dot, svg))
        printf("the graph of one step: %s, %s\n", dot, svg);
    else
        printf("the graph of one step: %s (no SVG: Graphviz' dot is missing or failed)\n", dot);
    gr_graph_reset(j->g);
}

/* ---- The whole ---- */

static job make_job(gr_graph *g, const settings *s, const image_set *set)
{
    const int64_t sizes[] = {IMAGE_PIXELS, s->hidden, s->hidden, IMAGE_CLASSES};
    const uint64_t seed = (uint64_t)s->seed;
    job j = {.g = g, .batch = s->batch, .epochs = (int)s->epochs};
    j.n_train = set->train_labels.count;
    j.n_test = set->test_labels.count;
    j.net = gr_mlp_create(g, "", GR_F32, 4, sizes, gr_relu, gr_init_xavier_uniform);
    j.adam = gr_adam(g, s->rate);
    j.x = gr_named(gr_constant(g, GR_F32, GR_SHAPE(s->batch, IMAGE_PIXELS), NULL), "images");
    j.labels = gr_named(gr_constant(g, GR_I32, GR_SHAPE(s->batch), NULL), "labels");
    j.train = gr_batches_create(g, &set->train_images, &set->train_labels, s->batch, seed, NULL);
    j.test = gr_batches_create(g, &set->test_images, &set->test_labels, s->batch, seed,
                               &(gr_batches_options){.in_order = true});
    return j;
}

static void describe(const job *j, const settings *s)
{
    int64_t parameters = 0;
    for (int i = 0; i < gr_param_count(j->g); i++) parameters += gr_count(gr_param_at(j->g, i));
    printf("%d-%lld-%lld-%d, %lld parameters; %lld images to train on, %lld to test; batch %lld, Adam %g, "
           "seed %lld; "
           "%d threads, %s\n",
           IMAGE_PIXELS, (long long)s->hidden, (long long)s->hidden, IMAGE_CLASSES, (long long)parameters,
           (long long)j->n_train, (long long)j->n_test, (long long)s->batch, s->rate, (long long)s->seed,
           gr_graph_threads(j->g), gr_graph_isa(j->g));
    fflush(stdout);
}

static bool to_stdout(const char *text, size_t length, void *user)
{
    (void)user;
    return fwrite(text, 1, length, stdout) == length;
}

/* The table of a forward pass over one batch. */
static void summarise(const job *j)
{
    putchar('\n');
    gr_model_summary(gr_named(loss_of(j, j->batch), "loss"), to_stdout, NULL, NULL);
    putchar('\n');
    fflush(stdout);
    gr_graph_reset(j->g);
}

static bool run(gr_graph *g, const settings *s, const image_set *set)
{
    job j = make_job(g, s, set);
    describe(&j, s);
    if (gr_graph_status(g) == GR_OK) summarise(&j);
    if (gr_graph_status(g) == GR_OK && !check_gradients(g, s, set)) return false;
    j.course = make_course(j.epochs);
    if (gr_graph_status(g) == GR_OK) train(&j);
    if (gr_graph_status(g) == GR_OK) draw(&j, s->out);
    if (gr_graph_status(g) == GR_OK) draw_curves(&j.course, s->out);
    if (gr_graph_status(g) == GR_OK) draw_weights(&j, s->out);
    free(j.course.epoch);
    if (gr_graph_status(g) == GR_OK) return true;
    fprintf(stderr, "mnist_mlp: %s\n", gr_graph_error(g));
    return false;
}

int main(int argc, char **argv)
{
    settings s;
    if (!read_options(&s, argc, argv)) return 2;
    gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = (int)s.threads, .seed = (uint64_t)s.seed});
    if (!g) {
        fprintf(stderr, "mnist_mlp: no memory for a graph\n");
        return 1;
    }
    image_set set = {.made = NULL};
    const bool done = image_set_obtain(g, "mnist_mlp", s.data, (uint64_t)s.seed, s.limit, &set) &&
                      run(g, &s, &set);
    image_set_free(&set);
    gr_graph_destroy(g);
    return done ? 0 : 1;
}
