/*
 * What functions of one operand cost, per element of f32: forward, and the walk back to the operand, in nanoseconds.
 *
 *     pointwise [rounds [threads [elements]]]      default: 20 rounds, 1 thread, 2^18 elements of N(0, 4)
 *
 * Those that take less than 1 ns are vectorised; the others call the C library for each element.
 */
#include <gradus.h>

#include "bench.h"

static gr_tensor clamp(gr_tensor x) { return gr_clamp(x, -1, 1); }

#define OF(NAME)         \
    {                    \
#        NAME, gr_##NAME \
    }
static const struct {
    const char *name;
    gr_tensor (*f)(gr_tensor x);
} functions[] = {
    OF(abs),  OF(acosh),     OF(asinh),       OF(atan),        OF(celu),     {"clamp", clamp},
    OF(cosh), OF(elu),       OF(erf),         OF(exp),         OF(expm1),    OF(floor),
    OF(gelu), OF(gelu_tanh), OF(hardsigmoid), OF(hardswish),   OF(hardtanh), OF(leaky_relu),
    OF(log),  OF(log1p),     OF(log_cosh),    OF(log_sigmoid), OF(mish),     OF(reciprocal),
    OF(relu), OF(round),     OF(rsqrt),       OF(sigmoid),     OF(sign),     OF(silu),
    OF(sin),  OF(softplus),  OF(softsign),    OF(sqrt),        OF(square),   OF(tan),
    OF(tanh), OF(unit_step),
};

int main(int argc, char **argv)
{
    const int rounds = argc > 1 ? atoi(argv[1]) : 20, threads = argc > 2 ? atoi(argv[2]) : 1;
    const int64_t n = argc > 3 ? atoll(argv[3]) : 1 << 18;
    gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = threads, .seed = 1});
    const gr_tensor x = gr_set_requires_grad(gr_keep(gr_normal(g, GR_F32, GR_SHAPE(n), 0, 2)), true);
    const gr_tensor ones = gr_keep(gr_ones(g, GR_F32, GR_SHAPE(n)));
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        double forward = 1, backward = 1;
        for (int round = 0; round < rounds; round++) {
            gr_tensor by;
            const double start = bench_seconds();
            const gr_tensor y = functions[i].f(x);
            const double between = bench_seconds();
            gr_grad(1, &y, 1, &x, &ones, NULL, &by);
            const double end = bench_seconds();
            if (between - start < forward) forward = between - start;
            if (end - between < backward) backward = end - between;
            gr_graph_reset(g);
        }
        printf("{\"bench\": \"pointwise\", \"function\": \"%s\", \"threads\": %d, \"forward_ns\": %.3f, "
               "\"backward_ns\": %.3f}\n",
               functions[i].name, threads, 1e9 * forward / (double)n, 1e9 * backward / (double)n);
    }
    const gr_status status = gr_graph_status(g);
    if (status != GR_OK) fprintf(stderr, "%s\n", gr_graph_error(g));
    gr_graph_destroy(g);
    return status != GR_OK;
}
