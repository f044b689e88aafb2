/*
 * An auto-encoder: 784-128-16-128-784 puts an image into 16 numbers and makes the image of them again.
 *
 *     autoencoder [--epochs N] [--code N] [--batch N] [--lr RATE] [--seed N] [--threads N]
 *                 [--data DIR | --data none] [--limit N] [--out DIR]
 *
 * Fashion-MNIST, or images that the program makes. The loss is binary cross-entropy, a pixel being a probability; the figure
 * that is printed beside it is the mean square error of pixels, and for comparison that of the best code there is
 * without looking, the mean image. Writes autoencoder.svg: test images above what has become of them.
 */
#include <gradus.h>
#include "support/fashion_mnist.h"
#include "support/options.h"
#include "support/plot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { HIDDEN = 128, SHOWN = 10 };

typedef struct settings {
    int64_t epochs, code, batch, seed, threads, limit;
    double rate;
    const char *data, *out;
} settings;

typedef struct job {
    gr_graph *g;
    gr_mlp encoder, decoder;
    gr_optimizer *adam;
    gr_tensor x, labels; /* one batch; the labels are not used */
    gr_batches *train, *test;
} job;

static gr_tensor encode(const job *j, gr_tensor x) { return gr_mlp_forward(j->encoder, x); }
/* Logits of the pixels. */
static gr_tensor decode(const job *j, gr_tensor code) { return gr_mlp_forward(j->decoder, code); }

/* The first m rows: at the end of an epoch not all are filled. */
static gr_tensor rows(gr_tensor x, int64_t m) { return gr_slice(x, 0, 0, m, 1); }

static double train_epoch(const job *j)
{
    double sum = 0;
    int64_t m, n = 0;
    while ((m = gr_batches_next(j->train, j->x, j->labels)) > 0) {
        const gr_tensor x = rows(j->x, m);
        const gr_tensor loss = gr_bce_with_logits(decode(j, encode(j, x)), x);
        gr_clear_grads(j->g);
        gr_backward(loss);
        if (gr_optimizer_step(j->adam) != GR_OK) return 0;
        sum += gr_item(loss) * (double)m;
        n += m;
        gr_graph_reset(j->g);
    }
    return sum / (double)n;
}

/* The mean square error of test images: of what the decoder makes of them, and of the mean image of the batch. */
static void evaluate(const job *j, double *error, double *of_mean)
{
    int64_t m, n = 0;
    *error = *of_mean = 0;
    gr_no_grad_begin(j->g);
    while ((m = gr_batches_next(j->test, j->x, j->labels)) > 0) {
        const gr_tensor x = rows(j->x, m);
        const gr_tensor y = gr_sigmoid(decode(j, encode(j, x)));
        const gr_tensor mean = gr_expand(gr_mean(x, GR_AXES(0), true), gr_shape_of(x));
        *error += gr_item(gr_mse(y, x)) * (double)m;
        *of_mean += gr_item(gr_mse(mean, x)) * (double)m;
        n += m;
        gr_graph_reset(j->g);
    }
    gr_no_grad_end(j->g);
    *error /= (double)n;
    *of_mean /= (double)n;
}

/* The first test images, and below each what comes out. */
static bool draw(const job *j, const char *directory)
{
    static double pixels[2][SHOWN * IMAGE_PIXELS];
    plot_tile tiles[2 * SHOWN];
    char path[4096];
    gr_batches_start(j->test, 0);
    const int64_t m = gr_batches_next(j->test, j->x, j->labels);
    const int n = m < SHOWN ? (int)m : SHOWN;
    const gr_tensor x = rows(j->x, n), y = gr_sigmoid(decode(j, encode(j, x)));
    gr_read(gr_cast(x, GR_F64), pixels[0], n * IMAGE_PIXELS);
    gr_read(gr_cast(y, GR_F64), pixels[1], n * IMAGE_PIXELS);
    for (int k = 0; k < 2 * n; k++)
        tiles[k] = (plot_tile){&pixels[k / n][k % n * IMAGE_PIXELS], IMAGE_SIDE, IMAGE_SIDE, NULL};
    snprintf(path, sizeof path, "%s/autoencoder.svg", directory);
    const plot_tiles_options options = {.title = "Test images, and what a few numbers keep of them",
                                        .low = 0,
                                        .high = 1,
                                        .across = n,
                                        .cell = 2,
                                        .bar_label = "pixel"};
    if (!plot_tiles(path, &options, 2 * n, tiles)) {
        fprintf(stderr, "autoencoder: cannot write %s: %s\n", path, strerror(errno));
        return false;
    }
    printf("wrote %s\n", path);
    return true;
}

static job make_job(gr_graph *g, const settings *s, const image_set *set)
{
    const uint64_t seed = (uint64_t)s->seed;
    const int64_t down[] = {IMAGE_PIXELS, HIDDEN, s->code}, up[] = {s->code, HIDDEN, IMAGE_PIXELS};
    job j = {.g = g};
    j.encoder = gr_mlp_create(g, "encoder.", GR_F32, 3, down, gr_relu, gr_init_he_normal);
    j.decoder = gr_mlp_create(g, "decoder.", GR_F32, 3, up, gr_relu, gr_init_he_normal);
    j.adam = gr_adam(g, s->rate);
    j.x = gr_constant(g, GR_F32, GR_SHAPE(s->batch, IMAGE_PIXELS), NULL);
    j.labels = gr_constant(g, GR_I32, GR_SHAPE(s->batch), NULL);
    j.train = gr_batches_create(g, &set->train_images, &set->train_labels, s->batch, seed, NULL);
    j.test = gr_batches_create(g, &set->test_images, &set->test_labels, s->batch, seed,
                               &(gr_batches_options){.in_order = true});
    return j;
}

static bool run(gr_graph *g, const settings *s, const image_set *set)
{
    const job j = make_job(g, s, set);
    printf("784-%d-%d-%d-784, %d images to train on\n", HIDDEN, (int)s->code, HIDDEN,
           (int)set->train_labels.count);
    for (int64_t epoch = 1; epoch <= s->epochs && gr_graph_status(g) == GR_OK; epoch++) {
        double error, of_mean;
        const double loss = train_epoch(&j);
        evaluate(&j, &error, &of_mean);
        printf("epoch %2d/%d  loss %.5f  test error %.5f (of the mean image: %.5f)\n", (int)epoch,
               (int)s->epochs, loss, error, of_mean);
        fflush(stdout);
    }
    const bool drawn = gr_graph_status(g) == GR_OK && draw(&j, s->out);
    if (gr_graph_status(g) != GR_OK) fprintf(stderr, "autoencoder: %s\n", gr_graph_error(g));
    return drawn && gr_graph_status(g) == GR_OK;
}

int main(int argc, char **argv)
{
    settings s = {.epochs = 10,
                  .code = 16,
                  .batch = 100,
                  .seed = 1,
                  .threads = gr_processor_count(),
                  .rate = 1e-3,
                  .out = "."};
    const option options[] = {
        {"epochs", "N", .count = &s.epochs, .least = 1},
        {"code", "N", .count = &s.code, .least = 1},
        {"batch", "N", .count = &s.batch, .least = 1},
        {"lr", "RATE", .number = &s.rate},
        {"seed", "N", .count = &s.seed},
        {"threads", "N", .count = &s.threads, .least = 1},
        {"data", "DIR", .text = &s.data},
        {"limit", "N", .count = &s.limit, .least = 1},
        {"out", "DIR", .text = &s.out},
    };
    if (!options_read("autoencoder", argc, argv, (int)(sizeof options / sizeof *options), options)) return 2;
    gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = (int)s.threads, .seed = (uint64_t)s.seed});
    if (!g) {
        fprintf(stderr, "autoencoder: no memory for a graph\n");
        return 1;
    }
    image_set set = {.made = NULL};
    const bool done = image_set_obtain(g, "autoencoder", s.data, (uint64_t)s.seed, s.limit, &set) &&
                      run(g, &s, &set);
    image_set_free(&set);
    gr_graph_destroy(g);
    return done ? 0 : 1;
}
