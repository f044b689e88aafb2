/*
 * The derivation of one weight of 784-784-784-10, ReLU, softmax cross-entropy, batch of 200, f32, as shares of the tensors:
 * how long it takes beside a backward pass over the same graph. Taken in turn, best of each.
 *
 *     derivation [threads [rounds]]     default: 1 thread, 20 rounds
 */
#include <gradus.h>

#include "bench.h"

enum { BATCH = 200, INPUTS = 784, CLASSES = 10 };

int main(int argc, char **argv)
{
    const int threads = argc > 1 ? atoi(argv[1]) : 1, rounds = argc > 2 ? atoi(argv[2]) : 20;
    gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = threads, .seed = 1});
    const gr_mlp net = gr_mlp_create(g, "", GR_F32, 4, (int64_t[]){INPUTS, INPUTS, INPUTS, CLASSES}, gr_relu,
                                     gr_init_he_uniform);
    const gr_tensor x = gr_keep(gr_uniform(g, GR_F32, GR_SHAPE(BATCH, INPUTS), 0, 1));
    const gr_tensor labels = gr_keep(gr_cast(gr_uniform(g, GR_F32, GR_SHAPE(BATCH), 0, CLASSES), GR_I32));
    const gr_tensor weight = gr_param_at(g, 0);
    const gr_backward_options retain = {.retain = true};
    double backward = 1e9, derivation = 1e9, gradient = 0, difference = 0;
    int edges = 0;
    const gr_tensor loss = gr_softmax_cross_entropy(gr_mlp_forward(net, x), labels);
    for (int round = 0; round < rounds && gr_graph_status(g) == GR_OK; round++) {
        gr_clear_grads(g);
        double start = bench_seconds();
        gr_backward_with(loss, &retain);
        const double one = bench_seconds() - start;
        start = bench_seconds();
        gr_shares *s = gr_shares_create(loss, weight, &(gr_paths_options){.by_element = 5 * INPUTS + 3});
        const double other = bench_seconds() - start;
        if (!s) break;
        backward = one < backward ? one : backward;
        derivation = other < derivation ? other : derivation;
        gradient = s->gradient;
        difference = gradient - GR_AT(gr_gradient(weight), 5, 3);
        edges = s->n;
        gr_shares_release(s);
    }
    const gr_status status = gr_graph_status(g);
    if (status != GR_OK) fprintf(stderr, "derivation: %s\n", gr_graph_error(g));
    printf(
        "{\"bench\":\"derivation\",\"threads\":%d,\"isa\":\"%s\",\"backward_ms\":%.3f,\"derivation_ms\":%.3f,"
        "\"backward_passes\":%.3f,\"edges\":%d,\"gradient\":%.6g,\"difference\":%.3g}\n",
        threads, gr_graph_isa(g), 1e3 * backward, 1e3 * derivation, derivation / backward, edges, gradient,
        difference);
    gr_graph_destroy(g);
    return status == GR_OK ? 0 : 1;
}
