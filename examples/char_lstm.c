/*
 * An LSTM learns to write like the manual of Gradus, character by character.
 *
 *     char_lstm [--text FILE] [--steps N] [--hidden N] [--embed N] [--batch N] [--length N] [--lr RATE] [--dropout P]
 *               [--prompt TEXT] [--temperature T] [--sample N] [--seed N] [--threads N] [--out DIR]
 *
 *     characters [time, n]  ->  embedding  ->  LSTM  ->  dropout  ->  linear  ->  logits [time, n, vocabulary]
 *
 * The text is cut into n lanes that are read side by side, some characters per step. What the LSTM remembers goes on to the
 * next step, the gradient does not ("truncated back-propagation through time"; Williams and Peng, 1990). Gradients are
 * clipped by their norm; AdamW; the rate rises at first and then falls along a cosine.
 *
 * The loss of validation, in bits per character, stands beside what counting single characters, and pairs, would reach: a
 * model that is no better than the former is an error. At the end it writes: each character is drawn from what the
 * network thinks of the next one, and is its next input.
 *
 * As seen with the default settings on 321,000 characters of the manual (34,000 for validation), with two threads on a
 * virtual machine of two cores: 5 minutes; 1.36 bits per character in training, 1.80 in validation, a perplexity of 3.5.
 * Counting pairs comes to 3.72 bits, counting single characters to 4.93. Of its writing (it makes up operations, too):
 *
 *     The gradient for each tangents of a write below by any axes. The number that can be whole same different axis
 *     is computed in f64 and memory, what all of them that the same derivative is a step tensors for the step and
 *     leads are differentiable, and can be nodes, as in PyTorch, and a tensor may be random from an errors is
 *     [...] GR_API gr_tensor gr_cosv_loss(gr_tensor x, int64_t step);
 */
#include <gradus.h>
#include "support/corpus.h"
#include "support/language.h"
#include "support/options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_PROMPT = 256 };

typedef struct settings {
    int64_t steps, hidden, embed, batch, length, sample, seed, threads;
    double rate, dropout, temperature;
    const char *text, *prompt, *out;
} settings;

typedef struct network {
    gr_embedding_layer embedding;
    gr_recurrent lstm;
    gr_linear out;
    double dropout;
} network;

/* Lanes that are read side by side, and what the network remembers of each. */
typedef struct reader {
    const int32_t *text;
    int64_t lane, at;         /* characters of a lane, and the next one to be read */
    gr_tensor x, next;        /* i32 [time, n]: the characters of a step, and those that follow each */
    gr_recurrent_state state; /* leaves */
} reader;

static bool read_options(settings *s, int argc, char **argv)
{
    *s = (settings){.steps = 2500,
                    .hidden = 256,
                    .embed = 48,
                    .batch = 32,
                    .length = 64,
                    .sample = 500,
                    .seed = 1,
                    .threads = gr_processor_count(),
                    .rate = 4e-3,
                    .dropout = 0.3,
                    .temperature = 0.7,
                    .prompt = "The gradient ",
                    .out = "."};
    const option options[] = {
        {"text", "FILE", .text = &s->text},
        {"steps", "N", .count = &s->steps, .least = 1},
        {"hidden", "N", .count = &s->hidden, .least = 1},
        {"embed", "N", .count = &s->embed, .least = 1},
        {"batch", "N", .count = &s->batch, .least = 1},
        {"length", "N", .count = &s->length, .least = 1},
        {"lr", "RATE", .number = &s->rate},
        {"dropout", "P", .number = &s->dropout},
        {"prompt", "TEXT", .text = &s->prompt},
        {"temperature", "T", .number = &s->temperature},
        {"sample", "N", .count = &s->sample},
        {"seed", "N", .count = &s->seed},
        {"threads", "N", .count = &s->threads, .least = 1},
        {"out", "DIR", .text = &s->out},
    };
    return options_read("char_lstm", argc, argv, (int)(sizeof options / sizeof *options), options);
}

/* ---- The network ---- */

static network make_network(gr_graph *g, const settings *s, int vocabulary)
{
    network net = {.dropout = s->dropout};
    net.embedding = gr_embedding_layer_create(g, "embedding", GR_F32, vocabulary, s->embed, NULL);
    net.lstm = gr_recurrent_create(g, "lstm", GR_F32, GR_LSTM, s->embed, s->hidden, NULL);
    net.out = gr_linear_create(g, "out", GR_F32, s->hidden, vocabulary, NULL);
    return net;
}

/* x: i32 [time, n] -> logits [time, n, vocabulary] */
static gr_tensor forward(const network *net, gr_tensor x, gr_recurrent_state *state, bool training)
{
    const gr_tensor h = gr_recurrent_forward(net->lstm, gr_embedding_layer_forward(net->embedding, x), state,
                                             NULL);
    return gr_linear_forward(net->out, gr_dropout(h, net->dropout, training));
}

/* ---- Reading ---- */

static gr_recurrent_state blank(gr_graph *g, int64_t n, int64_t hidden)
{
    return (gr_recurrent_state){gr_constant(g, GR_F32, GR_SHAPE(n, hidden), NULL),
                                gr_constant(g, GR_F32, GR_SHAPE(n, hidden), NULL)};
}

static reader make_reader(gr_graph *g, const settings *s, const int32_t *text, int64_t length)
{
    return (reader){.text = text,
                    .lane = length / s->batch,
                    .x = gr_constant(g, GR_I32, GR_SHAPE(s->length, s->batch), NULL),
                    .next = gr_constant(g, GR_I32, GR_SHAPE(s->length, s->batch), NULL),
                    .state = blank(g, s->batch, s->hidden)};
}

/* Back to the start of the lanes, of which nothing is remembered. */
static void rewind_reader(reader *r)
{
    r->at = 0;
    gr_init_zeros(r->state.h);
    gr_init_zeros(r->state.c);
}

/* The next characters of each lane; false: there are not so many. */
static bool read_on(reader *r)
{
    const int64_t length = gr_dim(r->x, 0), n = gr_dim(r->x, 1);
    if (r->at + length >= r->lane) return false;
    int32_t *x = gr_data_for_writing(r->x), *next = gr_data_for_writing(r->next);
    for (int64_t t = 0; x && next && t < length; t++)
        for (int64_t i = 0; i < n; i++) {
            const int32_t *from = r->text + i * r->lane + r->at + t;
            x[t * n + i] = from[0];
            next[t * n + i] = from[1];
        }
    r->at += length;
    return x && next;
}

/* The loss of the characters that were read; `state` becomes what is remembered then. */
static gr_tensor loss_of(const network *net, const reader *r, gr_recurrent_state *state, bool training)
{
    *state = r->state;
    return gr_softmax_cross_entropy(forward(net, r->x, state, training), r->next);
}

/* Only the values: no history goes on to the next step. */
static void remember(gr_recurrent_state to, gr_recurrent_state from)
{
    gr_assign(to.h, from.h);
    gr_assign(to.c, from.c);
}

/* ---- Training ---- */

static double validate(gr_graph *g, const network *net, reader *r)
{
    double sum = 0;
    int n = 0;
    gr_no_grad_begin(g);
    for (rewind_reader(r); read_on(r); n++) {
        gr_recurrent_state state;
        sum += gr_item(loss_of(net, r, &state, false));
        remember(r->state, state);
        gr_graph_reset(g);
    }
    gr_no_grad_end(g);
    return sum / n;
}

static bool train(gr_graph *g, const settings *s, const network *net, const corpus *text, language_course *c)
{
    reader learning = make_reader(g, s, text->train, text->n_train),
           judging = make_reader(g, s, text->validation, text->n_validation);
    if (s->length >= judging.lane) {
        fprintf(stderr, "char_lstm: the text is too short for %d lanes of %d characters\n", (int)s->batch,
                (int)s->length);
        return false;
    }
    gr_optimizer *adam = language_optimizer(g, s->rate, 0.01);
    const int64_t warmup = s->steps / 20;
    const gr_schedule rates = gr_schedule_warmup(gr_schedule_cosine(s->steps - warmup, 0.05), warmup, 0.1);
    for (int64_t step = 1; step <= s->steps && gr_graph_status(g) == GR_OK; step++) {
        if (!read_on(&learning)) {
            rewind_reader(&learning);
            read_on(&learning);
        }
        gr_recurrent_state state;
        const gr_tensor loss = loss_of(net, &learning, &state, true);
        gr_clear_grads(g);
        gr_backward(loss);
        gr_clip_grad_norm(g, 1, 0, NULL, NULL);
        gr_schedule_apply(&rates, adam, step - 1);
        gr_optimizer_step(adam);
        remember(learning.state, state); /* after the walk back, which needs the old one */
        const bool time_to_look = language_step(c, step, gr_item(loss));
        gr_graph_reset(g);
        if (time_to_look) language_point(c, step, validate(g, net, &judging));
    }
    return gr_graph_status(g) == GR_OK;
}

/* ---- Writing ---- */

/* The logits of what follows a character. */
static gr_tensor after(const network *net, gr_tensor x, int32_t character, gr_recurrent_state state)
{
    gr_recurrent_state now = state;
    gr_write(x, &character, 1);
    const gr_tensor logits = forward(net, x, &now, false);
    remember(state, now);
    return logits;
}

static bool write_sample(gr_graph *g, const settings *s, const network *net, const corpus *text)
{
    int32_t prompt[MOST_PROMPT];
    char utf8[CORPUS_UTF8_BYTES];
    const int64_t n = corpus_encode(text, s->prompt, MOST_PROMPT, prompt);
    const gr_recurrent_state state = blank(g, 1, s->hidden);
    const gr_tensor x = gr_constant(g, GR_I32, GR_SHAPE(1, 1), NULL);
    int32_t character = 0;
    printf("\nWhat it writes after \"%s\", at temperature %g:\n\n%s", s->prompt, s->temperature, s->prompt);
    gr_no_grad_begin(g);
    for (int64_t i = 0; i < n + s->sample - 1; i++) {
        const gr_tensor logits = after(net, x, i < n ? prompt[i] : character, state);
        if (i >= n - 1) {
            character = language_choose(logits, s->temperature);
            corpus_decode(text, character, utf8);
            fputs(utf8, stdout);
        }
        gr_graph_reset(g);
    }
    gr_no_grad_end(g);
    puts("\n");
    return gr_graph_status(g) == GR_OK;
}

int main(int argc, char **argv)
{
    settings s;
    corpus text;
    language_course course;
    if (!read_options(&s, argc, argv)) return 2;
    if (!corpus_read("char_lstm", s.text, &text)) return 1;
    gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = (int)s.threads, .seed = (uint64_t)s.seed});
    const network net = make_network(g, &s, text.vocabulary);
    const bool fine = corpus_knows("char_lstm", &text, s.prompt) &&
                      language_begin(&course, "char_lstm", &text, s.steps) &&
                      train(g, &s, &net, &text, &course) && write_sample(g, &s, &net, &text) &&
                      language_end(&course, "char_lstm", s.out);
    if (gr_graph_status(g) != GR_OK) fprintf(stderr, "char_lstm: %s\n", gr_graph_error(g));
    gr_graph_destroy(g);
    corpus_free(&text);
    return fine ? 0 : 1;
}
