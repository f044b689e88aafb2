/*
 * Writing the drawing of a large graph: 10,000 tensors with values and gradients in 100 name scopes, in the modes that
 * have the most to do. The text is counted and thrown away.
 */
#include <gradus.h>

#include "bench.h"

enum { SCOPES = 100, DEPTH = 33, RUNS = 9 };

static bool count(const char *text, size_t length, void *user)
{
    (void)text;
    *(size_t *)user += length;
    return true;
}

static gr_tensor chain(gr_graph *g, gr_tensor x)
{
    for (int i = 0; i < SCOPES; i++) {
        char name[32];
        snprintf(name, sizeof name, "w%d", i);
        const gr_tensor w = gr_param(g, name, GR_F64, GR_SHAPE(2, 2), (double[]){0.5, -0.4, 0.3, 0.6});
        snprintf(name, sizeof name, "block%d", i);
        gr_name_scope_begin(g, name);
        for (int j = 0; j < DEPTH; j++)
            x = gr_retain_grad(gr_add(gr_retain_grad(gr_tanh(gr_matmul(x, w))), x));
        gr_name_scope_end(g);
    }
    return gr_sum(x, GR_ALL_AXES, false);
}

static void measure(const char *what, gr_tensor root, const gr_dot_options *options)
{
    double ms[RUNS];
    size_t bytes = 0;
    for (int run = 0; run < RUNS; run++) {
        bytes = 0;
        const double start = bench_seconds();
        gr_dot_write(root, count, &bytes, options);
        ms[run] = (bench_seconds() - start) * 1e3;
    }
    const double median = bench_median(ms, RUNS);
    printf("{\"bench\":\"draw\",\"what\":\"%s\",\"ms\":%.3f,\"median_ms\":%.3f,\"bytes\":%zu}\n", what, ms[0],
           median, bytes);
}

int main(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_named(gr_constant(g, GR_F64, GR_SHAPE(1, 2), (double[]){0.3, 0.1}), "x");
    const gr_tensor loss = chain(g, x), w0 = gr_param_find(g, "w0");
    gr_tensor gradient;
    gr_grad(1, &loss, 1, &w0, NULL, &(gr_grad_options){.record = true}, &gradient);
    gr_backward_with(loss, &(gr_backward_options){.retain = true});
    measure("annotated, 10000 tensors", loss, NULL);
    measure("collapsed", loss, &(gr_dot_options){.collapse_depth = 1});
    measure("folded", loss, &(gr_dot_options){.fold = true});
    measure("slice", loss, &(gr_dot_options){.around = loss, .distance = 100});
    measure("forward and backward", loss,
            &(gr_dot_options){.mode = GR_DOT_BOTH, .n_gradients = 1, .gradients = &gradient, .inputs = &w0});
    const gr_status status = gr_graph_status(g);
    if (status != GR_OK) fprintf(stderr, "draw: %s\n", gr_graph_error(g));
    gr_graph_destroy(g);
    return status == GR_OK ? 0 : 1;
}
