/*
 * Matrix products: GFLOP/s, the best of many runs, one JSON object per line.
 *
 *     gemm [threads [isa]]
 *
 * `layout` says how A and B lie: N by rows, T by columns. The workspace is there before the clock starts,
 * packing is measured.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "ops/kernels/gemm.h"

static const double SECONDS = 0.25; /* for each shape and layout */
enum { BATCH_SIZE = 2000000 };      /* multiply-adds between two looks at the clock, at least */

static const struct shape {
    int64_t m, n, k;
    const char *layouts;
} shapes[] = {
    {200, 784, 784, "NN NT TN TT"},
    {784, 784, 200, "NN TN"},
    {64, 64, 64, "NN NT TN"},
    {256, 256, 256, "NN NT TN"},
    {1024, 1024, 1024, "NN NT TN"},
    {32, 784, 784, "NN NT"},
    {200, 10, 784, "NN NT"},
    {200, 784, 10, "NN NT"},
    {784, 10, 200, "TN"},
    {10, 784, 200, "TN"},
    {1, 784, 784, "NN NT"},
    {784, 784, 1, "TN"},
    {4, 784, 784, "NN NT"},
    {1, 10, 784, "NN NT"},
    {16, 16, 16, "NN NT TN"},
    {8, 8, 8, "NN NT TN"},
    {4, 4, 4, "NN"},
    {1, 2, 2, "NN NT"},
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Either type, in memory that the caller gave. */
typedef struct operands {
    bool is_double;
    gri_isa isa;
    gri_gemm g;
    void *a, *b, *c, *workspace;
    gri_threads *threads;
} operands;

static void multiply(const operands *o)
{
    if (o->is_double)
        gri_gemm_f64(o->isa, &o->g, o->a, o->b, o->c, o->workspace, o->threads);
    else
        gri_gemm_f32(o->isa, &o->g, o->a, o->b, o->c, o->workspace, o->threads);
}

static double best_seconds(const operands *o)
{
    const int64_t work = o->g.m * o->g.n * o->g.k;
    const int64_t batch = work < BATCH_SIZE ? BATCH_SIZE / work : 1;
    double best = 1e30;
    multiply(o);
    for (const double end = now() + SECONDS; now() < end;) {
        const double start = now();
        for (int64_t i = 0; i < batch; i++) multiply(o);
        const double each = (now() - start) / (double)batch;
        if (each < best) best = each;
    }
    return best;
}

static void *filled(int64_t count, bool is_double)
{
    const size_t bytes = (size_t)count * (is_double ? sizeof(double) : sizeof(float));
    void *block = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!block) {
        fprintf(stderr, "out of memory\n");
        exit(EXIT_FAILURE);
    }
    for (int64_t i = 0; i < count; i++) {
        const double value = (double)(i % 17 - 8) / 8;
        if (is_double)
            ((double *)block)[i] = value;
        else
            ((float *)block)[i] = (float)value;
    }
    return block;
}

static void measure(const struct shape *s, const char *layout, bool is_double, gri_isa isa,
                    gri_threads *threads)
{
    operands o = {.is_double = is_double, .isa = isa, .threads = threads};
    const bool a_transposed = layout[0] == 'T', b_transposed = layout[1] == 'T';
    o.g = (gri_gemm){.m = s->m, .n = s->n, .k = s->k, .c_row = s->n, .c_col = 1};
    o.g.a_row = a_transposed ? 1 : s->k;
    o.g.a_col = a_transposed ? s->m : 1;
    o.g.b_row = b_transposed ? 1 : s->n;
    o.g.b_col = b_transposed ? s->k : 1;
    o.a = filled(s->m * s->k, is_double);
    o.b = filled(s->k * s->n, is_double);
    o.c = filled(s->m * s->n, is_double);
    const size_t bytes = is_double ? gri_gemm_workspace_f64(isa, &o.g) : gri_gemm_workspace_f32(isa, &o.g);
    o.workspace = filled((int64_t)(bytes / sizeof(float)) + 1, false);
    const double seconds = best_seconds(&o);
    printf("{\"bench\":\"gemm\",\"type\":\"%s\",\"isa\":\"%s\",\"m\":%lld,\"n\":%lld,\"k\":%lld,\"layout\":"
           "\"%.2s\","
           "\"threads\":%d,\"ns\":%.1f,\"gflops\":%.2f}\n",
           is_double ? "f64" : "f32", gri_isa_name(isa), (long long)s->m, (long long)s->n, (long long)s->k,
           layout, gri_threads_count(threads), seconds * 1e9,
           2e-9 * (double)s->m * (double)s->n * (double)s->k / seconds);
    fflush(stdout);
    free(o.a);
    free(o.b);
    free(o.c);
    free(o.workspace);
}

int main(int argc, char **argv)
{
    const int thread_count = argc > 1 ? atoi(argv[1]) : 1;
    const gr_allocator none = {0};
    gri_memory memory;
    gri_memory_init(&memory, &none, SIZE_MAX);
    gri_threads *threads = thread_count > 1 ? gri_threads_create(&memory, thread_count) : NULL;
    for (int isa = 0; isa < GRI_ISA_COUNT; isa++) {
        const bool chosen = argc > 2 ? strcmp(argv[2], gri_isa_name((gri_isa)isa)) == 0
                                     : isa == (int)gri_isa_best();
        if (!chosen || !gri_isa_available((gri_isa)isa)) continue;
        for (int type = 0; type < 2; type++)
            for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
                for (const char *layout = shapes[i].layouts; *layout; layout += layout[2] ? 3 : 2)
                    measure(&shapes[i], layout, type == 1, (gri_isa)isa, threads);
    }
    gri_threads_destroy(threads);
    gri_memory_trim(&memory);
    return 0;
}
