/*
 * Convolutions of typical layers: forward, gradients by the operand and by the weight, in GFLOP/s, the best of many
 * runs, one JSON object per line.
 *
 *     conv [threads]
 */
#include <gradus.h>
#include "bench.h"

static const double SECONDS = 0.3; /* for each number */

typedef struct layer {
    const char *name;
    int64_t n, in, size, out, kernel, stride, padding, groups;
    bool transposed;
} layer;

static const layer layers[] = {
    {"first 1-32 3x3", 128, 1, 28, 32, 3, 1, 1, 1, false},
    {"32-64 3x3", 128, 32, 14, 64, 3, 1, 1, 1, false},
    {"first 3-64 7x7 /2", 8, 3, 224, 64, 7, 2, 3, 1, false},
    {"64-64 3x3", 8, 64, 56, 64, 3, 1, 1, 1, false},
    {"128-128 3x3", 8, 128, 28, 128, 3, 1, 1, 1, false},
    {"128-256 3x3 /2", 8, 128, 28, 256, 3, 2, 1, 1, false},
    {"512-512 3x3", 8, 512, 7, 512, 3, 1, 1, 1, false},
    {"64-256 1x1", 8, 64, 56, 256, 1, 1, 0, 1, false},
    {"256-64 1x1", 8, 256, 56, 64, 1, 1, 0, 1, false},
    {"depthwise 128 3x3", 8, 128, 56, 128, 3, 1, 1, 128, false},
    {"depthwise 128 3x3 /2", 8, 128, 56, 128, 3, 2, 1, 128, false},
    {"grouped 128 3x3 32", 8, 128, 28, 128, 3, 1, 1, 32, false},
    {"6-16 5x5", 128, 6, 14, 16, 5, 1, 0, 1, false},
    {"transposed 64-32 4x4 /2", 8, 64, 28, 32, 4, 2, 1, 1, true},
};

/* What is measured: the convolution, or its recorded gradient by one of its operands. */
typedef enum pass { FORWARD, BY_X, BY_W, PASSES } pass;
static const char *const pass_names[] = {"forward", "by x", "by w"};

static double once(gr_graph *g, const layer *l, gr_tensor x, gr_tensor w, gr_tensor gy, pass what)
{
    const gr_conv_options o = {
        .stride = {l->stride, l->stride}, .padding = {l->padding, l->padding}, .groups = l->groups};
    gr_tensor (*convolve)(gr_tensor, gr_tensor, gr_tensor,
                          const gr_conv_options *) = l->transposed ? gr_conv_transpose2d : gr_conv2d;
    gr_set_requires_grad(x, what == BY_X);
    gr_set_requires_grad(w, what == BY_W);
    double start = bench_seconds();
    const gr_tensor y = convolve(x, w, GR_NONE, &o);
    if (what != FORWARD) {
        const gr_tensor by = what == BY_X ? x : w;
        gr_tensor gradient;
        start = bench_seconds();
        gr_grad(1, &y, 1, &by, &gy, NULL, &gradient);
    }
    const double seconds = bench_seconds() - start;
    gr_graph_reset(g);
    return seconds;
}

static void measure(gr_graph *g, const layer *l)
{
    const int64_t first = l->transposed ? l->in : l->out, second = l->transposed ? l->out : l->in;
    const int64_t result = l->transposed ? (l->size - 1) * l->stride - 2 * l->padding + l->kernel
                                         : (l->size + 2 * l->padding - l->kernel) / l->stride + 1;
    gr_tensor x = gr_keep(gr_normal(g, GR_F32, GR_SHAPE(l->n, l->in, l->size, l->size), 0, 1));
    gr_tensor w = gr_keep(
        gr_normal(g, GR_F32, GR_SHAPE(first, second / l->groups, l->kernel, l->kernel), 0, 1));
    gr_tensor gy = gr_keep(gr_normal(g, GR_F32, GR_SHAPE(l->n, l->out, result, result), 0, 1));
    gr_graph_reset(g);
    const int64_t windows = l->transposed ? l->size * l->size : result * result;
    const double flops = 2.0 * (double)(l->n * l->in) * (double)l->out / (double)l->groups *
                         (double)(l->kernel * l->kernel) * (double)windows;
    for (int p = 0; p < PASSES; p++) {
        double best = 1e30;
        for (const double end = bench_seconds() + SECONDS; bench_seconds() < end;) {
            const double seconds = once(g, l, x, w, gy, (pass)p);
            if (seconds < best) best = seconds;
        }
        printf(
            "{\"bench\":\"conv\",\"layer\":\"%s\",\"batch\":%lld,\"pass\":\"%s\",\"threads\":%d,\"ms\":%.3f,"
            "\"gflops\":%.1f}\n",
            l->name, (long long)l->n, pass_names[p], gr_graph_threads(g), best * 1e3, flops / best * 1e-9);
        fflush(stdout);
    }
    if (gr_graph_status(g) != GR_OK) fprintf(stderr, "%s\n", gr_graph_error(g));
    gr_release(x);
    gr_release(w);
    gr_release(gy);
}

int main(int argc, char **argv)
{
    gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = argc > 1 ? atoi(argv[1]) : 1});
    if (!g) return 1;
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) measure(g, &layers[i]);
    const bool ok = gr_graph_status(g) == GR_OK;
    gr_graph_destroy(g);
    return ok ? 0 : 1;
}
