/*
 * What models of text have in common, whatever they are inside: their optimiser, choosing the next character, and the
 * course of their training in bits per character.
 *
 * A loss of b bits per character is that of a reader who wavers between 2^b characters that seem equally likely, the
 * "perplexity". Losses of Gradus are in nats: a bit is ln 2 of them.
 */
#ifndef EXAMPLES_SUPPORT_LANGUAGE_H
#define EXAMPLES_SUPPORT_LANGUAGE_H

#include "gradus/optim.h"
#include "support/corpus.h"

/* AdamW with 0.99 for the mean of squares, over all parameters of the graph; matrices are decayed, vectors, which are
   biases and scales of norms, are not. NULL: an error of the graph. */
gr_optimizer *language_optimizer(gr_graph *g, double rate, double decay);

/* A character, drawn by softmax(logits / temperature) from the generator of the graph. logits: f32, [vocabulary], or any shape of
   as many elements. At temperature 0 the likeliest. */
int32_t language_choose(gr_tensor logits, double temperature);

/* The course of a training: some points, and the time. */
typedef struct language_course {
    const corpus *text;
    double unigram, bigram; /* bits: what counting reaches */
    int64_t steps;          /* there will be */
    double start;           /* seconds, of a clock of its own */
    int n;
    double step[25], train[25], validation[25]; /* bits */
    double seen;                                /* nats of the steps since the last point */
    int64_t n_seen;
} language_course;

/* Prints what there is to learn. False: no memory, said on stderr. */
bool language_begin(language_course *c, const char *program, const corpus *text, int64_t steps);
/* Notes the loss of a step of training, in nats; steps count from 1. True: it is time to call language_point, which is so after
   the last step, and at most 25 times. */
bool language_step(language_course *c, int64_t step, double loss);
/* Takes the loss of validation, in nats, and prints a line. */
void language_point(language_course *c, int64_t step, double validation);
/* Prints what it came to beside what counting reaches, and draws the course to DIR/<name>.svg unless `directory` is NULL. False: the
   model knows no more than how often each character occurs, or nothing can be drawn; said on stderr. */
bool language_end(const language_course *c, const char *name, const char *directory);

#endif
