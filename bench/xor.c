/*
 * One training step of a 2-2-2 sigmoid network on one sample, f64: the graph is built anew, values and
 * gradients are computed, parameters updated. All cost is overhead: there is next to no arithmetic.
 */
#include <gradus.h>

#include "bench.h"

enum { STEPS = 100000, RUNS = 9 };

int main(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w1 = gr_param(g, "W1", GR_F64, GR_SHAPE(2, 2), (double[]){0.1, 0.2, 0.2, 0.3});
    const gr_tensor b1 = gr_param(g, "b1", GR_F64, GR_SHAPE(2), (double[]){0.3, 0.3});
    const gr_tensor w2 = gr_param(g, "W2", GR_F64, GR_SHAPE(2, 2), (double[]){0.4, 0.5, 0.4, 0.5});
    const gr_tensor b2 = gr_param(g, "b2", GR_F64, GR_SHAPE(2), (double[]){0.6, 0.6});
    const gr_tensor x[] = {gr_constant(g, GR_F64, GR_SHAPE(1, 2), (double[]){0, 1}),
                           gr_constant(g, GR_F64, GR_SHAPE(1, 2), (double[]){1, 1})};
    const gr_tensor t[] = {gr_constant(g, GR_F64, GR_SHAPE(1, 2), (double[]){1, 0}),
                           gr_constant(g, GR_F64, GR_SHAPE(1, 2), (double[]){0, 1})};
    gr_optimizer *descent = gr_sgd(g, 0.5);
    double ns[RUNS], loss = 0;
    for (int run = 0; run < RUNS; run++) {
        const double start = bench_seconds();
        for (int i = 0; i < STEPS; i++) {
            const gr_tensor y1 = gr_sigmoid(gr_add(gr_matmul(x[i % 2], w1), b1));
            const gr_tensor y2 = gr_sigmoid(gr_add(gr_matmul(y1, w2), b2));
            const gr_tensor e = gr_half_sum_squares(y2, t[i % 2]);
            gr_clear_grads(g);
            gr_backward(e);
            gr_optimizer_step(descent);
            loss = gr_item(e);
            gr_graph_reset(g);
        }
        ns[run] = (bench_seconds() - start) / STEPS * 1e9;
    }
    const gr_status status = gr_graph_status(g);
    if (status != GR_OK) fprintf(stderr, "xor: %s\n", gr_graph_error(g));
    const double median = bench_median(ns, RUNS);
    printf("{\"bench\":\"xor_step\",\"ns\":%.1f,\"median_ns\":%.1f,\"loss\":%.9g}\n", ns[0], median, loss);
    gr_graph_destroy(g);
    return status == GR_OK ? 0 : 1;
}
