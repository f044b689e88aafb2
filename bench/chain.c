/*
 * A chain of scalar operations, sin and multiplication by a constant in turn, f64: built, evaluated and
 * differentiated; nanoseconds per operation for chains of growing length. Flat is what to look for.
 *
 *     chain [most]        lengths 10^3, 10^4, ... up to `most`, 10^7 if not given
 */
#include <gradus.h>

#include "bench.h"

enum { RUNS = 5, WORK = 2000000 }; /* operations per measurement, at least */

/* One chain, there and back; returns the derivative by x. */
static double chain(gr_graph *g, gr_tensor x, gr_tensor c, int64_t n)
{
    gr_tensor y = x;
    for (int64_t i = 0; i < n; i += 2) y = gr_mul(gr_sin(y), c);
    gr_clear_grads(g);
    gr_backward(y);
    const double d = gr_item(gr_gradient(x));
    gr_graph_reset(g);
    return d;
}

static gr_status measure(int64_t n)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_param(g, "x", GR_F64, GR_SCALAR, &(double){0.5});
    /* A constant of 1 keeps values and derivative among ordinary numbers, however long the chain is. */
    const gr_tensor c = gr_constant(g, GR_F64, GR_SCALAR, &(double){1});
    const int64_t repeats = n < WORK ? WORK / n : 1;
    double ns[RUNS], d = chain(g, x, c, n);
    for (int run = 0; run < RUNS; run++) {
        const double start = bench_seconds();
        for (int64_t i = 0; i < repeats; i++) d = chain(g, x, c, n);
        ns[run] = (bench_seconds() - start) / (double)(repeats * n) * 1e9;
    }
    const gr_status status = gr_graph_status(g);
    if (status != GR_OK) fprintf(stderr, "chain: %s\n", gr_graph_error(g));
    const double median = bench_median(ns, RUNS);
    printf("{\"bench\":\"scalar_chain\",\"operations\":%lld,\"ns_per_operation\":%.1f,\"median_ns\":%.1f,"
           "\"peak_bytes_per_operation\":%.1f,\"derivative\":%.9g}\n",
           (long long)n, ns[0], median, (double)gr_graph_memory(g).used_peak / (double)n, d);
    fflush(stdout);
    gr_graph_destroy(g);
    return status;
}

int main(int argc, char **argv)
{
    const double most = argc > 1 ? atof(argv[1]) : 1e7;
    gr_status status = GR_OK;
    for (int64_t n = 1000; (double)n <= most && status == GR_OK; n *= 10) status = measure(n);
    return status == GR_OK ? 0 : 1;
}
