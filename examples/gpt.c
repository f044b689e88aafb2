/*
 * A small GPT learns to write like the manual of Gradus, character by character (Radford and others, 2018 and 2019).
 *
 *     gpt [--text FILE] [--steps N] [--layers N] [--heads N] [--embed N] [--context N] [--batch N] [--lr RATE]
 *         [--dropout P] [--prompt TEXT] [--temperature T] [--sample N] [--seed N] [--threads N] [--out DIR]
 *
 *     h = token embedding + position embedding                    [n, length, embed]
 *     each block:  h = h + attention(layer norm(h)),  causal, several heads
 *                  h = h + linear(GELU(linear(layer norm(h)))),  4 embed wide
 *     logits = layer norm(h) @ token embedding'                   [n, length, vocabulary]
 *
 * Token embedding and last layer share their weights (Press and Wolf, 2017). AdamW that decays matrices only; the rate rises
 * at first and then falls along a cosine; gradients are clipped by their norm. Before the training the table of layers is
 * printed. Afterwards the model writes: each character is drawn from what it thinks of the next one, given those before, as
 * many as the context holds.
 *
 * Drawn are the losses, and where each head of each layer looks while the prompt is read; that of one head with the
 * characters beside it.
 *
 * As seen with the default settings on 321,000 characters of the manual (34,000 for validation), with two threads on a
 * virtual machine of two cores: 816,000 parameters; 14 minutes of processor time, both cores together, which took 35 minutes
 * beside other work; 1.92 bits per character in training, 1.98 in validation, a perplexity of 3.9, and still falling. Counting
 * pairs comes to 3.72 bits, counting single characters to 4.93. The LSTM of char_lstm, seeing as short a text, gets
 * further, to 1.80, in less time. Of its writing:
 *
 *     The gradient of the loss operands as of the drawing and in ruled the same that step or and before in the
 *     structures of the new. The stands same in results the first of the same tensors change is its not from
 *     arrivative that root: GR_ERR_SHAPE. [...] gr_tensor x; [...] has a beginstan of the read are the same
 *
 * The head that is drawn looks back, in "gradient" and "loss", at the letter that the word begins with.
 */
#include <gradus.h>
#include "support/corpus.h"
#include "support/language.h"
#include "support/options.h"
#include "support/plot.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LAYERS = 12, MOST_HEADS = 16, MOST_CONTEXT = 1024, MOST_SEEN = 40, PATH_BYTES = 4096 };

typedef struct settings {
    int64_t steps, layers, heads, embed, context, batch, sample, seed, threads;
    double rate, dropout, temperature;
    const char *text, *prompt, *out;
} settings;

typedef struct block {
    gr_norm_layer norm1, norm2;
    gr_multihead_attention attention;
    gr_linear widen, narrow;
} block;

typedef struct network {
    gr_embedding_layer token, position;
    block blocks[MOST_LAYERS];
    gr_norm_layer norm;
    int layers;
    double dropout;
} network;

static bool read_options(settings *s, int argc, char **argv)
{
    *s = (settings){.steps = 1500,
                    .layers = 4,
                    .heads = 4,
                    .embed = 128,
                    .context = 64,
                    .batch = 32,
                    .sample = 500,
                    .seed = 1,
                    .threads = gr_processor_count(),
                    .rate = 3e-3,
                    .dropout = 0.1,
                    .temperature = 0.7,
                    .prompt = "The gradient of the loss ",
                    .out = "."};
    const option options[] = {
        {"text", "FILE", .text = &s->text},
        {"steps", "N", .count = &s->steps, .least = 1},
        {"layers", "N", .count = &s->layers, .least = 1},
        {"heads", "N", .count = &s->heads, .least = 1},
        {"embed", "N", .count = &s->embed, .least = 1},
        {"context", "N", .count = &s->context, .least = 2},
        {"batch", "N", .count = &s->batch, .least = 1},
        {"lr", "RATE", .number = &s->rate},
        {"dropout", "P", .number = &s->dropout},
        {"prompt", "TEXT", .text = &s->prompt},
        {"temperature", "T", .number = &s->temperature},
        {"sample", "N", .count = &s->sample},
        {"seed", "N", .count = &s->seed},
        {"threads", "N", .count = &s->threads, .least = 1},
        {"out", "DIR", .text = &s->out},
    };
    if (!options_read("gpt", argc, argv, (int)(sizeof options / sizeof *options), options)) return false;
    const bool fits = s->layers <= MOST_LAYERS && s->heads <= MOST_HEADS && s->context <= MOST_CONTEXT;
    if (!fits)
        fprintf(stderr, "gpt: at most %d layers, %d heads and a context of %d\n", MOST_LAYERS, MOST_HEADS,
                MOST_CONTEXT);
    return fits;
}

/* ---- The network ---- */

/* What a block adds is small at first, so that all of them pass on what they were given. Embeddings of 0.02, as in GPT-2, make a
   small model stay longer at what pairs of characters tell: 3.6 bits after 200 steps, in place of 3.35. */
static gr_status small(gr_tensor w) { return gr_init_normal(w, 0, 0.02); }
static gr_status middling(gr_tensor w) { return gr_init_normal(w, 0, 0.1); }

static network make_network(gr_graph *g, const settings *s, int vocabulary)
{
    network net = {.layers = (int)s->layers, .dropout = s->dropout};
    net.token = gr_embedding_layer_create(g, "token", GR_F32, vocabulary, s->embed, middling);
    net.position = gr_embedding_layer_create(g, "position", GR_F32, s->context, s->embed, middling);
    for (int i = 0; i < net.layers; i++) {
        block *b = &net.blocks[i];
        char name[5][40];
        const char *const parts[5] = {"norm1", "attention", "norm2", "widen", "narrow"};
        for (int k = 0; k < 5; k++) snprintf(name[k], sizeof name[k], "block%d.%s", i + 1, parts[k]);
        b->norm1 = gr_norm_layer_create(g, name[0], GR_F32, GR_SHAPE(s->embed));
        b->attention = gr_multihead_attention_create(g, name[1], GR_F32, s->embed, s->heads, NULL);
        b->norm2 = gr_norm_layer_create(g, name[2], GR_F32, GR_SHAPE(s->embed));
        b->widen = gr_linear_create(g, name[3], GR_F32, s->embed, 4 * s->embed, NULL);
        b->narrow = gr_linear_create(g, name[4], GR_F32, 4 * s->embed, s->embed, small);
    }
    net.norm = gr_norm_layer_create(g, "norm", GR_F32, GR_SHAPE(s->embed));
    return net;
}

/* h: [n, length, embed]. weights: where the attention looks, [n, heads, length, length], unless NULL. */
static gr_tensor block_forward(const block *b, gr_tensor h, double dropout, bool training, gr_tensor *weights)
{
    const gr_attention_options options = {
        .causal = true, .dropout = dropout, .training = training, .weights = weights};
    const gr_tensor x = gr_norm_layer_forward(b->norm1, h);
    const gr_tensor seen = gr_multihead_attention_forward(b->attention, x, x, x, &options);
    h = gr_add(h, gr_dropout(seen, dropout, training));
    const gr_tensor wide = gr_gelu(gr_linear_forward(b->widen, gr_norm_layer_forward(b->norm2, h)));
    return gr_add(h, gr_dropout(gr_linear_forward(b->narrow, wide), dropout, training));
}

/* x: i32 [n, length] -> logits [n, length, vocabulary]. weights: room for those of each block, or NULL. */
static gr_tensor forward(const network *net, gr_tensor x, bool training, gr_tensor *weights)
{
    const gr_tensor place = gr_arange(x.graph, GR_I32, gr_dim(x, 1), 0, 1);
    gr_tensor h = gr_add(gr_embedding_layer_forward(net->token, x),
                         gr_embedding_layer_forward(net->position, place));
    h = gr_dropout(h, net->dropout, training);
    for (int i = 0; i < net->layers; i++) {
        char name[24];
        snprintf(name, sizeof name, "block%d", i + 1);
        gr_name_scope_begin(x.graph, name);
        h = block_forward(&net->blocks[i], h, net->dropout, training, weights ? &weights[i] : NULL);
        gr_name_scope_end(x.graph);
    }
    return gr_matmul(gr_norm_layer_forward(net->norm, h), gr_transpose(net->token.weight, 0, 1));
}

/* ---- Training ---- */

/* Windows one behind the other: each character is judged once, and sees those of its window before it. */
static double validate(gr_graph *g, const network *net, const corpus *text, gr_tensor x, gr_tensor next)
{
    const int64_t n = gr_dim(x, 0), length = gr_dim(x, 1), count = n * length;
    double sum = 0;
    int batches = 0;
    gr_no_grad_begin(g);
    for (int64_t at = 0; at + count < text->n_validation; at += count, batches++) {
        gr_write(x, text->validation + at, count);
        gr_write(next, text->validation + at + 1, count);
        sum += gr_item(gr_softmax_cross_entropy(forward(net, x, false, NULL), next));
        gr_graph_reset(g);
    }
    gr_no_grad_end(g);
    return sum / batches;
}

static bool train(gr_graph *g, const settings *s, const network *net, const corpus *text, language_course *c)
{
    const gr_tensor x = gr_constant(g, GR_I32, GR_SHAPE(s->batch, s->context), NULL);
    const gr_tensor next = gr_constant(g, GR_I32, GR_SHAPE(s->batch, s->context), NULL);
    gr_optimizer *adam = language_optimizer(g, s->rate, 0.1);
    const int64_t warmup = s->steps / 20;
    const gr_schedule rates = gr_schedule_warmup(gr_schedule_cosine(s->steps - warmup, 0.05), warmup, 0.1);
    if (s->batch * s->context >= text->n_validation) {
        fprintf(stderr, "gpt: the text is too short for %d windows of %d characters\n", (int)s->batch,
                (int)s->context);
        return false;
    }
    for (int64_t step = 1; step <= s->steps && gr_graph_status(g) == GR_OK; step++) {
        corpus_windows(text, x, next);
        const gr_tensor loss = gr_softmax_cross_entropy(forward(net, x, true, NULL), next);
        gr_clear_grads(g);
        gr_backward(loss);
        gr_clip_grad_norm(g, 1, 0, NULL, NULL);
        gr_schedule_apply(&rates, adam, step - 1);
        gr_optimizer_step(adam);
        const bool time_to_look = language_step(c, step, gr_item(loss));
        gr_graph_reset(g);
        if (time_to_look) language_point(c, step, validate(g, net, text, x, next));
    }
    return gr_graph_status(g) == GR_OK;
}

/* ---- What came of it ---- */

static bool to_stdout(const char *text, size_t length, void *user)
{
    (void)user;
    return fwrite(text, 1, length, stdout) == length;
}

static void print_layers(gr_graph *g, const network *net)
{
    const gr_tensor x = gr_named(gr_zeros(g, GR_I32, GR_SHAPE(1, gr_dim(net->position.weight, 0))), "x");
    gr_model_summary(forward(net, x, false, NULL), to_stdout, NULL, &(gr_summary_options){.max_depth = 1});
    gr_graph_reset(g);
    puts("");
}

static bool write_sample(gr_graph *g, const settings *s, const network *net, const corpus *text)
{
    int32_t seen[MOST_CONTEXT];
    char utf8[CORPUS_UTF8_BYTES];
    int64_t n = corpus_encode(text, s->prompt, s->context,
                              seen); /* its end, if the context does not hold it */
    printf("\nWhat it writes after \"%s\", at temperature %g:\n\n%s", s->prompt, s->temperature, s->prompt);
    gr_no_grad_begin(g);
    for (int64_t i = 0; i < s->sample; i++) {
        const gr_scope scope = gr_scope_begin(g);
        const gr_tensor logits = forward(net, gr_constant(g, GR_I32, GR_SHAPE(1, n), seen), false, NULL);
        const int32_t character = language_choose(gr_slice(logits, 1, n - 1, n, 1), s->temperature);
        gr_scope_end(scope, 0, NULL);
        corpus_decode(text, character, utf8);
        fputs(utf8, stdout);
        if (n == s->context) memmove(seen, seen + 1, (size_t)--n * sizeof *seen);
        seen[n++] = character;
    }
    gr_no_grad_end(g);
    puts("\n");
    return gr_graph_status(g) == GR_OK;
}

static bool drawn(const char *path, bool done)
{
    if (done)
        printf("wrote %s\n", path);
    else
        fprintf(stderr, "gpt: cannot draw %s: %s\n", path, strerror(errno));
    return done;
}

/* All heads as tiles. weights: n heads of [length, length], one behind the other. */
static bool draw_heads(const settings *s, const double *weights, int n, int length)
{
    static char labels[MOST_LAYERS * MOST_HEADS][24];
    plot_tile tiles[MOST_LAYERS * MOST_HEADS];
    char path[PATH_BYTES];
    for (int k = 0; k < n; k++) {
        snprintf(labels[k], sizeof labels[k], "%d, %d", k / (int)s->heads + 1, k % (int)s->heads + 1);
        tiles[k] = (plot_tile){weights + k * length * length, length, length, labels[k]};
    }
    const plot_tiles_options options = {.title = "Where each layer's heads look (layer, head)",
                                        .colours = PLOT_INK,
                                        .bar_label = "attention",
                                        .high = 1,
                                        .across = (int)s->heads};
    snprintf(path, sizeof path, "%s/gpt_heads.svg", s->out);
    return drawn(path, plot_tiles(path, &options, n, tiles));
}

/* How much a head looks at other places than the character itself and the one before. */
static double farsight(const double *weights, int length)
{
    double sum = 0;
    for (int i = 2; i < length; i++)
        for (int j = 0; j < i - 1; j++) sum += weights[i * length + j] * weights[i * length + j];
    return sum;
}

/* The head that looks farthest, with the characters beside it. */
static bool draw_head(const settings *s, const corpus *text, const int32_t *seen, const double *weights,
                      int n, int length)
{
    static char names[MOST_SEEN][CORPUS_UTF8_BYTES];
    const char *name[MOST_SEEN];
    char path[PATH_BYTES], title[80];
    int best = 0;
    for (int k = 1; k < n; k++)
        if (farsight(weights + k * length * length, length) >
            farsight(weights + best * length * length, length))
            best = k;
    for (int i = 0; i < length; i++) {
        corpus_decode(text, seen[i], names[i]);
        name[i] = names[i][0] > ' ' || names[i][0] < 0 ? names[i] : "_";
    }
    snprintf(title, sizeof title, "Layer %d, head %d: where each character (rows) looks",
             best / (int)s->heads + 1, best % (int)s->heads + 1);
    const plot_tiles_options options = {.title = title,
                                        .colours = PLOT_INK,
                                        .bar_label = "attention",
                                        .x_label = "at what",
                                        .y_label = "who looks",
                                        .high = 1,
                                        .row_names = name,
                                        .column_names = name};
    const plot_tile tile = {weights + best * length * length, length, length, NULL};
    snprintf(path, sizeof path, "%s/gpt_attention.svg", s->out);
    return drawn(path, plot_tiles(path, &options, 1, &tile));
}

static bool draw(gr_graph *g, const settings *s, const network *net, const corpus *text)
{
    static double values[MOST_LAYERS * MOST_HEADS * MOST_SEEN * MOST_SEEN];
    int32_t seen[MOST_CONTEXT];
    gr_tensor weights[MOST_LAYERS];
    int64_t length = corpus_encode(text, s->prompt, s->context, seen);
    if (length > MOST_SEEN) length = MOST_SEEN;
    const int n = (int)(s->layers * s->heads);
    const int64_t per_layer = s->heads * length * length;
    gr_no_grad_begin(g);
    forward(net, gr_constant(g, GR_I32, GR_SHAPE(1, length), seen), false, weights);
    for (int i = 0; i < net->layers; i++)
        gr_read(gr_cast(weights[i], GR_F64), values + i * per_layer, per_layer);
    gr_no_grad_end(g);
    return gr_graph_status(g) == GR_OK && draw_heads(s, values, n, (int)length) &&
           draw_head(s, text, seen, values, n, (int)length);
}

int main(int argc, char **argv)
{
    settings s;
    corpus text;
    language_course course;
    if (!read_options(&s, argc, argv)) return 2;
    if (!corpus_read("gpt", s.text, &text)) return 1;
    gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = (int)s.threads, .seed = (uint64_t)s.seed});
    const network net = make_network(g, &s, text.vocabulary);
    print_layers(g, &net);
    const bool fine = corpus_knows("gpt", &text, s.prompt) &&
                      language_begin(&course, "gpt", &text, s.steps) && train(g, &s, &net, &text, &course) &&
                      write_sample(g, &s, &net, &text) && language_end(&course, "gpt", s.out) &&
                      draw(g, &s, &net, &text);
    if (gr_graph_status(g) != GR_OK) fprintf(stderr, "gpt: %s\n", gr_graph_error(g));
    gr_graph_destroy(g);
    corpus_free(&text);
    return fine ? 0 : 1;
}
