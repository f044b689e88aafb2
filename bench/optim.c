/*
 * What a step of each rule costs, on a parameter of 4 million f32 elements, which no cache holds: ns per element,
 * and the bytes that must move (parameter and states read and written, gradient read) per second, beside those of
 * plain copying.
 *
 *     optim [threads]     default: 1
 */
#include <gradus.h>

#include <string.h>

#include "bench.h"

enum { ELEMENTS = 1 << 22, RUNS = 9 };

typedef struct bench_rule {
    const char *label;
    const gr_rule *rule;
    double weight_decay;
} bench_rule;

static void report(const char *label, int threads, double seconds, double bytes)
{
    printf("{\"bench\":\"optim\",\"rule\":\"%s\",\"threads\":%d,\"ns_per_element\":%.3f,\"gb_per_second\":%."
           "2f}\n",
           label, threads, seconds / ELEMENTS * 1e9, bytes / seconds / 1e9);
}

static void copying(void)
{
    static float a[ELEMENTS], b[ELEMENTS];
    double seconds[RUNS];
    memset(a, 1, sizeof a);
    memset(b, 1, sizeof b);
    for (int run = 0; run < RUNS; run++) {
        a[run] = (float)run;
        const double start = bench_seconds();
        memcpy(b, a, sizeof a);
        seconds[run] = bench_seconds() - start;
    }
    bench_median(seconds, RUNS); /* sorts */
    report(b[RUNS - 1] > 0 ? "copy" : "", 1, seconds[0], 2.0 * sizeof a);
}

static bool stepping(const bench_rule *r, int threads)
{
    gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = threads});
    gr_tensor x = gr_param(g, "x", GR_F32, GR_SHAPE(ELEMENTS), NULL);
    gr_assign(x, gr_uniform(g, GR_F32, GR_SHAPE(ELEMENTS), -1, 1));
    gr_backward(gr_sum(gr_mul(x, x), GR_ALL_AXES, false));
    gr_graph_reset(g);
    const gr_param_group all = {.rate = 1e-3, .weight_decay = r->weight_decay};
    gr_optimizer *opt = gr_optimizer_create_groups(g, r->rule, NULL, 1, &all);
    double seconds[RUNS];
    for (int run = -1; run < RUNS; run++) {
        const double start = bench_seconds();
        gr_optimizer_step(opt);
        if (run >= 0) seconds[run] = bench_seconds() - start;
    }
    bench_median(seconds, RUNS);
    const int states = r->rule->n_states - r->rule->n_scalars;
    report(r->label, threads, seconds[0], (3.0 + 2.0 * states) * sizeof(float) * ELEMENTS);
    const bool good = gr_graph_status(g) == GR_OK;
    gr_graph_destroy(g);
    return good;
}

int main(int argc, char **argv)
{
    static const bench_rule rules[] = {
        {"sgd", &gr_rule_sgd, 0},
        {"momentum", &gr_rule_momentum, 0},
        {"nesterov", &gr_rule_nesterov, 0},
        {"adagrad", &gr_rule_adagrad, 0},
        {"rmsprop", &gr_rule_rmsprop, 0},
        {"rmsprop_momentum", &gr_rule_rmsprop_momentum, 0},
        {"rmsprop_centred", &gr_rule_rmsprop_centred, 0},
        {"adadelta", &gr_rule_adadelta, 0},
        {"adam", &gr_rule_adam, 0},
        {"adam with weight decay", &gr_rule_adam, 0.01},
        {"amsgrad", &gr_rule_amsgrad, 0},
        {"nadam", &gr_rule_nadam, 0},
        {"lion", &gr_rule_lion, 0},
    };
    const int threads = argc > 1 ? atoi(argv[1]) : 1;
    bool good = true;
    copying();
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) good &= stepping(&rules[i], threads);
    return good ? 0 : 1;
}
