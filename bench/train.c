/*
 * The rate of the main job: 784-784-784-10, ReLU, softmax cross-entropy, Adam, batches of 200, f32; images
 * per second, with random images.
 *
 *     train [threads [steps]]     default: 1 thread, 60 steps per measurement
 */
#include <gradus.h>

#include "bench.h"

enum { BATCH = 200, INPUTS = 784, CLASSES = 10, RUNS = 5, WARM_UP = 3 };

typedef struct job {
    gr_graph *g;
    gr_mlp net;
    gr_optimizer *adam;
    gr_tensor x, labels;
} job;

static double train_step(const job *j)
{
    const gr_tensor loss = gr_softmax_cross_entropy(gr_mlp_forward(j->net, j->x), j->labels);
    gr_clear_grads(j->g);
    gr_backward(loss);
    gr_optimizer_step(j->adam);
    const double value = gr_item(loss);
    gr_graph_reset(j->g);
    return value;
}

int main(int argc, char **argv)
{
    const int threads = argc > 1 ? atoi(argv[1]) : 1, steps = argc > 2 ? atoi(argv[2]) : 60;
    gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = threads, .seed = 1});
    job j = {.g = g};
    j.net = gr_mlp_create(g, "", GR_F32, 4, (int64_t[]){INPUTS, INPUTS, INPUTS, CLASSES}, gr_relu,
                          gr_init_he_uniform);
    j.adam = gr_adam(g, 1e-3);
    j.x = gr_keep(gr_uniform(g, GR_F32, GR_SHAPE(BATCH, INPUTS), 0, 1));
    j.labels = gr_keep(gr_cast(gr_uniform(g, GR_F32, GR_SHAPE(BATCH), 0, CLASSES), GR_I32));
    double rate[RUNS], loss = 0;
    for (int i = 0; i < WARM_UP; i++) loss = train_step(&j);
    const uint64_t allocations = gr_graph_memory(g).allocations;
    for (int run = 0; run < RUNS; run++) {
        const double start = bench_seconds();
        for (int i = 0; i < steps; i++) loss = train_step(&j);
        rate[run] = (double)steps * BATCH / (bench_seconds() - start);
    }
    const gr_status status = gr_graph_status(g);
    if (status != GR_OK) fprintf(stderr, "train: %s\n", gr_graph_error(g));
    const double median = bench_median(rate, RUNS);
    printf("{\"bench\":\"train\",\"threads\":%d,\"isa\":\"%s\",\"images_per_second\":%.0f,\"median\":%.0f,"
           "\"allocations\":%llu,\"peak_bytes\":%zu,\"loss\":%.9g}\n",
           threads, gr_graph_isa(g), rate[RUNS - 1], median,
           (unsigned long long)(gr_graph_memory(g).allocations - allocations),
           gr_graph_memory(g).reserved_peak, loss);
    gr_graph_destroy(g);
    return status == GR_OK ? 0 : 1;
}
