/* A text for models of language: see corpus.h. All of a file is checked before anything is kept of it. */
#include "support/corpus.h"
#include "gradus/ops.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST = 1000, PARTS = 10, LONGEST_PIECE = 20000, MOST_BYTES = 1 << 30, CODE_POINTS = 0x110000 };

/* ---- UTF-8 ---- */

/* The code point at `at`, which moves on behind it; -1: none is there. */
static int32_t next_character(const unsigned char **at, const unsigned char *end)
{
    static const int32_t least[] = {0, 0x80, 0x800, 0x10000}; /* shorter ones must be written shorter */
    const unsigned char first = *(*at)++;
    const int more = first < 0x80 ? 0 : first < 0xC0 ? -1 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    if (more < 0 || first > 0xF4 || end - *at < more) return -1;
    int32_t code = more ? first & (0x3F >> more) : first;
    for (int i = 0; i < more; i++, (*at)++) {
        if ((**at & 0xC0) != 0x80) return -1;
        code = code << 6 | (**at & 0x3F);
    }
    const bool surrogate = code >= 0xD800 && code < 0xE000;
    return code < least[more] || code >= CODE_POINTS || surrogate ? -1 : code;
}

void corpus_decode(const corpus *c, int32_t number, char utf8[CORPUS_UTF8_BYTES])
{
    const uint32_t code = number >= 0 && number < c->vocabulary ? c->characters[number] : '?';
    const int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned mark[] = {0, 0xC0, 0xE0, 0xF0};
    utf8[0] = (char)(mark[more] | code >> 6 * more);
    for (int i = 1; i <= more; i++) utf8[i] = (char)(0x80 | (code >> 6 * (more - i) & 0x3F));
    utf8[more + 1] = '\0';
}

/* ---- Reading ---- */

/* All bytes of a file; NULL, and errno set, if it cannot be read. */
static unsigned char *read_bytes(const char *path, size_t *n)
{
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    size_t room = 1 << 16;
    unsigned char *bytes = malloc(room);
    for (*n = 0; bytes;) {
        *n += fread(bytes + *n, 1, room - *n, file);
        if (*n < room) break;
        unsigned char *more = room < MOST_BYTES ? realloc(bytes, room *= 2) : NULL;
        if (!more) errno = room < MOST_BYTES ? ENOMEM : EFBIG;
        if (!more) free(bytes);
        bytes = more;
    }
    if (bytes && ferror(file)) {
        free(bytes);
        bytes = NULL;
    }
    fclose(file);
    return bytes;
}

/* The number of a code point, or -1. */
static int32_t number_of(const corpus *c, uint32_t code)
{
    int low = 0, high = c->vocabulary;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (c->characters[middle] < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->vocabulary && c->characters[low] == code ? low : -1;
}

/* The vocabulary of n code points. */
static bool collect(corpus *c, const int32_t *code, int64_t n)
{
    unsigned char *seen = calloc(CODE_POINTS, 1);
    for (int64_t i = 0; seen && i < n; i++) c->vocabulary += !seen[code[i]]++ ? 1 : 0, seen[code[i]] = 1;
    c->characters = seen ? malloc((size_t)c->vocabulary * sizeof *c->characters) : NULL;
    for (uint32_t k = 0, number = 0; c->characters && k < CODE_POINTS; k++)
        if (seen[k]) c->characters[number++] = k;
    free(seen);
    return c->characters;
}

/* Puts n code points, as numbers, where they belong. */
static bool divide(corpus *c, const int32_t *code, int64_t n)
{
    const int64_t piece = n / PARTS < LONGEST_PIECE ? n / PARTS : LONGEST_PIECE;
    c->train = malloc((size_t)n * sizeof *c->train);
    c->validation = malloc((size_t)n * sizeof *c->validation);
    for (int64_t i = 0; c->train && c->validation && i < n; i++) {
        const int32_t number = number_of(c, (uint32_t)code[i]);
        if (i % piece < piece - piece / 10)
            c->train[c->n_train++] = number;
        else
            c->validation[c->n_validation++] = number;
    }
    return c->train && c->validation;
}

/* Why the n bytes of a file make no corpus, or NULL: they have been made one. */
static const char *understand(corpus *c, const unsigned char *bytes, size_t n)
{
    int32_t *code = malloc((n + 1) * sizeof *code);
    if (!code) return "not enough memory";
    const unsigned char *at = bytes, *end = bytes + n;
    int64_t length = 0;
    const char *why = NULL;
    while (!why && at < end)
        if ((code[length++] = next_character(&at, end)) < 0) why = "not UTF-8";
    if (!why && length < LEAST) why = "too short: at least 1000 characters are needed";
    if (!why && (!collect(c, code, length) || !divide(c, code, length))) why = "not enough memory";
    free(code);
    if (why) corpus_free(c);
    return why;
}

bool corpus_read(const char *program, const char *path, corpus *c)
{
    size_t n = 0;
    *c = (corpus){.vocabulary = 0};
    if (!path) path = EXAMPLES_TEXT;
    unsigned char *bytes = read_bytes(path, &n);
    const char *why = bytes ? understand(c, bytes, n) : strerror(errno);
    free(bytes);
    if (why) fprintf(stderr, "%s: cannot use the text %s: %s\n", program, path, why);
    return !why;
}

void corpus_free(corpus *c)
{
    free(c->characters);
    free(c->train);
    free(c->validation);
    *c = (corpus){.vocabulary = 0};
}

int64_t corpus_encode(const corpus *c, const char *utf8, int64_t room, int32_t *numbers)
{
    const unsigned char *at = (const unsigned char *)utf8, *end = at + strlen(utf8);
    int64_t n = 0;
    while (at < end) {
        const int32_t code = next_character(&at, end), number = code < 0 ? -1 : number_of(c, (uint32_t)code);
        if (number < 0) return -1;
        if (n == room) memmove(numbers, numbers + 1, (size_t)--n * sizeof *numbers);
        numbers[n++] = number;
    }
    return n;
}

bool corpus_knows(const char *program, const corpus *c, const char *prompt)
{
    int32_t last;
    if (corpus_encode(c, prompt, 1, &last) == 1) return true;
    fprintf(stderr, "%s: the prompt \"%s\" is empty, or has characters that the text has not: use --prompt\n",
            program, prompt);
    return false;
}

gr_status corpus_windows(const corpus *c, gr_tensor x, gr_tensor next)
{
    const int64_t n = gr_dim(x, 0), length = gr_dim(x, 1);
    gr_graph *g = x.graph;
    if (c->n_train <= length)
        return gr_graph_fail(g, GR_ERR_SHAPE, "corpus_windows: windows of %lld characters out of %lld",
                             (long long)length, (long long)c->n_train);
    const gr_tensor place = gr_uniform(g, GR_F64, GR_SHAPE(n), 0, (double)(c->n_train - length));
    int32_t *to = gr_data_for_writing(x), *after = gr_data_for_writing(next);
    const double *start = gr_data(place);
    for (int64_t i = 0; to && after && start && i < n; i++) {
        const int32_t *from = c->train + (int64_t)start[i];
        memcpy(to + i * length, from, (size_t)length * sizeof *to);
        memcpy(after + i * length, from + 1, (size_t)length * sizeof *to);
    }
    return gr_graph_status(g);
}

/* ---- What counting knows ---- */

/* How often each character occurs, as probabilities; no one is impossible. */
static double *frequencies(const corpus *c)
{
    double *p = malloc((size_t)c->vocabulary * sizeof *p);
    for (int k = 0; p && k < c->vocabulary; k++) p[k] = 1;
    for (int64_t i = 0; p && i < c->n_train; i++) p[c->train[i]]++;
    for (int k = 0; p && k < c->vocabulary; k++) p[k] /= (double)(c->n_train + c->vocabulary);
    return p;
}

double corpus_unigram_bits(const corpus *c)
{
    double *p = frequencies(c), sum = p ? 0 : NAN;
    for (int64_t i = 1; p && i < c->n_validation; i++) sum -= log2(p[c->validation[i]]);
    free(p);
    return sum / (double)(c->n_validation - 1);
}

double corpus_bigram_bits(const corpus *c)
{
    static const double prior = 5; /* the frequencies weigh as much as so many pairs */
    const size_t n = (size_t)c->vocabulary;
    double *p = frequencies(c), *pairs = calloc(n * n, sizeof *pairs), *firsts = calloc(n, sizeof *firsts);
    double sum = p && pairs && firsts ? 0 : NAN;
    for (int64_t i = 1; sum == 0 && i < c->n_train; i++) {
        firsts[c->train[i - 1]]++;
        pairs[(size_t)c->train[i - 1] * n + (size_t)c->train[i]]++;
    }
    for (int64_t i = 1; !isnan(sum) && i < c->n_validation; i++) {
        const size_t first = (size_t)c->validation[i - 1], second = (size_t)c->validation[i];
        sum -= log2((pairs[first * n + second] + prior * p[second]) / (firsts[first] + prior));
    }
    free(p);
    free(pairs);
    free(firsts);
    return sum / (double)(c->n_validation - 1);
}
