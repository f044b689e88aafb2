/* What models of text have in common: see language.h. */
#include "support/language.h"
#include "support/plot.h"
#include "gradus/activations.h"
#include "gradus/ops.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_POINTS = 25, STEPS_PER_POINT = 60 };

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

gr_optimizer *language_optimizer(gr_graph *g, double rate, double decay)
{
    const gr_adam_options options = {.beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8};
    const int n = gr_param_count(g);
    gr_tensor *matrices = malloc((size_t)(n > 0 ? n : 1) * sizeof *matrices);
    if (!matrices) {
        gr_graph_fail(g, GR_ERR_MEMORY, "language_optimizer: no memory for a list of %d parameters", n);
        return NULL;
    }
    gr_param_group groups[] = {
        {.params = matrices, .rate = rate, .weight_decay = decay, .decay = GR_DECAY_DECOUPLED},
        {.rate = rate}, /* the others */
    };
    for (int i = 0; i < n; i++)
        if (gr_ndim(gr_param_at(g, i)) > 1) matrices[groups[0].n++] = gr_param_at(g, i);
    gr_optimizer *adam = gr_optimizer_create_groups(g, &gr_rule_adam, &options, 2, groups);
    free(matrices);
    return adam;
}

/* The largest of x_i / t - ln(-ln u_i), u_i uniform, is number i with the probability softmax(x / t)_i (Gumbel, 1954). */
int32_t language_choose(gr_tensor logits, double temperature)
{
    gr_graph *g = logits.graph;
    gr_tensor x = gr_reshape(logits, GR_SHAPE(-1));
    if (temperature > 0) {
        const gr_tensor u = gr_uniform(g, GR_F32, gr_shape_of(x), 1e-30, 1);
        x = gr_sub(gr_scale(x, 1 / temperature), gr_log(gr_neg(gr_log(u))));
    }
    const double chosen = gr_item(gr_argmax(x, 0, false));
    return isfinite(chosen) ? (int32_t)chosen : 0;
}

/* ---- The course of a training ---- */

bool language_begin(language_course *c, const char *program, const corpus *text, int64_t steps)
{
    *c = (language_course){.text = text,
                           .unigram = corpus_unigram_bits(text),
                           .bigram = corpus_bigram_bits(text),
                           .steps = steps,
                           .start = seconds()};
    if (isnan(c->unigram) || isnan(c->bigram)) {
        fprintf(stderr, "%s: not enough memory to count characters\n", program);
        return false;
    }
    printf("%lld characters to learn from, %lld to be judged by, %d different ones\n\n"
           "   step      time   train  validation  bits per character\n",
           (long long)text->n_train, (long long)text->n_validation, text->vocabulary);
    return true;
}

bool language_step(language_course *c, int64_t step, double loss)
{
    const int64_t wanted = c->steps / STEPS_PER_POINT + 1,
                  points = wanted < MOST_POINTS ? wanted : MOST_POINTS;
    c->seen += loss;
    c->n_seen++;
    return step * points / c->steps != (step - 1) * points / c->steps;
}

void language_point(language_course *c, int64_t step, double validation)
{
    const int i = c->n < MOST_POINTS ? c->n++ : MOST_POINTS - 1;
    c->step[i] = (double)step;
    c->train[i] = c->seen / (double)c->n_seen / log(2);
    c->validation[i] = validation / log(2);
    c->seen = 0;
    c->n_seen = 0;
    printf("%7lld  %6.0f s  %6.3f      %6.3f\n", (long long)step, seconds() - c->start, c->train[i],
           c->validation[i]);
    fflush(stdout);
}

static bool draw(const language_course *c, const char *name, const char *directory)
{
    char path[4096];
    const double ends[] = {0, (double)c->steps}, unigram[] = {c->unigram, c->unigram},
                 bigram[] = {c->bigram, c->bigram};
    const plot_series series[] = {
        {.label = "training", .x = c->step, .y = c->train, .n = c->n},
        {.label = "validation", .x = c->step, .y = c->validation, .n = c->n, .style = PLOT_LINE_AND_POINTS},
        {.label = "single characters counted", .x = ends, .y = unigram, .n = 2},
        {.label = "pairs counted", .x = ends, .y = bigram, .n = 2},
    };
    const plot_options options = {.title = "Guessing the next character",
                                  .x_label = "step",
                                  .y_label = "bits per character",
                                  .y_max = ceil(c->unigram) + 1};
    snprintf(path, sizeof path, "%s/%s.svg", directory, name);
    if (!plot_write(path, &options, 4, series)) {
        fprintf(stderr, "%s: cannot write %s: %s\n", name, path, strerror(errno));
        return false;
    }
    printf("wrote %s\n", path);
    return true;
}

static void print_row(const char *who, double bits)
{
    printf("%-36s %6.3f  %10.1f\n", who, bits, pow(2, bits));
}

bool language_end(const language_course *c, const char *name, const char *directory)
{
    const double reached = c->n > 0 ? c->validation[c->n - 1] : NAN;
    puts("\nvalidation                             bits  perplexity");
    print_row("all characters equally likely", log2(c->text->vocabulary));
    print_row("single characters counted", c->unigram);
    print_row("pairs counted", c->bigram);
    print_row("this model", reached);
    if (!(reached < c->unigram)) {
        fprintf(stderr, "%s: has learnt nothing: %g bits per character\n", name, reached);
        return false;
    }
    return !directory || draw(c, name, directory);
}
