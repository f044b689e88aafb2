/* The texts of the examples: characters are those of UTF-8, no part of them is lost or used twice, and what is no text is
   refused. */
#include "gradus.h"
#include "support/corpus.h"
#include "support/language.h"
#include "test.h"

#include <stdlib.h>

static const char path[] = "test_corpus.txt";

static void write_text(const char *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(bytes, 1, n, file) == n && fclose(file) == 0);
}

/* `repeats` times the same characters, of one to four bytes each. */
static void write_repeated(int repeats, const char *piece)
{
    const size_t n = strlen(piece);
    char *all = malloc(n * (size_t)repeats + 1);
    if (!all) return;
    for (int i = 0; i < repeats; i++) memcpy(all + (size_t)i * n, piece, n);
    write_text(all, n * (size_t)repeats);
    free(all);
}

static void test_characters(void)
{
    static const char *const in_order[] = {"\n", "a", "b", "\xC3\xA9", "\xE6\xA2\xAF", "\xF0\x9D\x84\x9E"};
    corpus c;
    int32_t numbers[8];
    write_repeated(500, "ab\xE6\xA2\xAF\xC3\xA9\xF0\x9D\x84\x9E\n");
    CHECK(corpus_read("test_corpus", path, &c));
    CHECK(c.vocabulary == 6 && c.n_train == 2700 && c.n_validation == 300);
    for (int i = 0; i < 6; i++) {
        char text[CORPUS_UTF8_BYTES];
        corpus_decode(&c, i, text);
        CHECK(strcmp(text, in_order[i]) == 0);
        CHECK(corpus_encode(&c, in_order[i], 8, numbers) == 1 && numbers[0] == i);
    }
    CHECK(corpus_encode(&c,
                        "b\xE6\xA2\xAF"
                        "a",
                        8, numbers) == 3 &&
          numbers[0] == 2 && numbers[1] == 4 && numbers[2] == 1);
    CHECK(corpus_encode(&c, "baba", 2, numbers) == 2);
    CHECK(corpus_encode(&c, "aaab", 2, numbers) == 2 && numbers[0] != numbers[1]); /* the last ones */
    CHECK(corpus_knows("test_corpus", &c, "baba") && corpus_knows("test_corpus", &c, "b"));
    CHECK(!corpus_knows("test_corpus", &c, "") && !corpus_knows("test_corpus", &c, "bad"));
    CHECK(!corpus_knows("test_corpus", &c, "a\xE6\xA2"));
    CHECK(corpus_encode(&c, "bad", 8, numbers) == -1);
    CHECK(corpus_encode(&c, "a\xE6\xA2", 8, numbers) == -1);
    corpus_free(&c);
}

/* 5000 characters: of each 500, the last 50 are for validation. Pairs are certain, single characters are not. */
static void test_parts(void)
{
    corpus c;
    write_repeated(1000, "abcde");
    CHECK(corpus_read("test_corpus", path, &c));
    CHECK(c.n_train == 4500 && c.n_validation == 500);
    for (int64_t i = 0; i < c.n_train; i++)
        if (c.train[i] != i % 5) CHECK(c.train[i] == i % 5);
    for (int64_t i = 0; i < c.n_validation; i++)
        if (c.validation[i] != i % 5) CHECK(c.validation[i] == i % 5);
    CHECK_NEAR(corpus_unigram_bits(&c), log2(5), 1e-3);
    /* After 899 or 900 of each: (900 + 5 / 5) / (900 + 5). */
    CHECK_NEAR(corpus_bigram_bits(&c), -log2(901.0 / 905), 1e-4);
    corpus_free(&c);
}

static void test_windows(void)
{
    enum { N = 50, LENGTH = 7 };
    corpus c;
    write_repeated(1000, "abcde");
    CHECK(corpus_read("test_corpus", path, &c));
    gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = 3});
    const gr_tensor x = gr_constant(g, GR_I32, GR_SHAPE(N, LENGTH), NULL),
                    next = gr_constant(g, GR_I32, GR_SHAPE(N, LENGTH), NULL);
    CHECK(corpus_windows(&c, x, next) == GR_OK);
    int starts[5] = {0};
    for (int64_t i = 0; i < N; i++) {
        const int first = (int)GR_AT(x, i, 0);
        starts[first]++;
        for (int64_t k = 0; k < LENGTH; k++)
            CHECK(GR_AT(x, i, k) == (first + k) % 5 && GR_AT(next, i, k) == (first + k + 1) % 5);
    }
    for (int k = 0; k < 5; k++) CHECK(starts[k] > 0);
    const gr_tensor wide = gr_constant(g, GR_I32, GR_SHAPE(1, 4500), NULL);
    CHECK(corpus_windows(&c, wide, wide) == GR_ERR_SHAPE);
    gr_graph_destroy(g);
    corpus_free(&c);
}

/* No UTF-8: a byte that begins nothing, too long a form, half a pair, beyond the last code point, cut off. */
static void test_refused(void)
{
    static const char *const ends[] = {"\x80",     "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                                       "\xE6\xA2", "\xFF"};
    corpus c;
    char text[1200];
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        memset(text, 'a', 1000);
        memcpy(text + 1000, ends[i], strlen(ends[i]));
        write_text(text, 1000 + strlen(ends[i]));
        CHECK(!corpus_read("expected", path, &c) && !c.train && !c.characters);
    }
    write_text(text, 999);
    CHECK(!corpus_read("expected", path, &c));
    write_text(text, 1000);
    CHECK(corpus_read("expected", path, &c) && c.vocabulary == 1);
    corpus_free(&c);
    remove(path);
    CHECK(!corpus_read("expected", path, &c));
    CHECK(corpus_read("test_corpus", NULL, &c) && c.n_train > 100000 &&
          c.vocabulary < 300); /* its own text */
    corpus_free(&c);
}

/* Characters come as often as softmax says. */
static void test_choice(void)
{
    enum { DRAWS = 4000 };
    gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = 5});
    const double p[] = {0.1, 0.2, 0.7};
    int drawn[3] = {0}, sharp[3] = {0};
    const gr_tensor logits = gr_constant(g, GR_F32, GR_SHAPE(1, 3),
                                         (float[]){logf(0.1F), logf(0.2F), logf(0.7F)});
    for (int i = 0; i < DRAWS; i++) {
        drawn[language_choose(logits, 1)]++;
        sharp[language_choose(logits, 0.5)]++; /* by the squares */
        gr_graph_reset(g);
    }
    for (int k = 0; k < 3; k++) {
        const double q = p[k] * p[k] / 0.54;
        CHECK_NEAR(drawn[k], DRAWS * p[k], 5 * sqrt(DRAWS * p[k] * (1 - p[k])));
        CHECK_NEAR(sharp[k], DRAWS * q, 5 * sqrt(DRAWS * q * (1 - q)));
    }
    for (int i = 0; i < 20; i++) CHECK(language_choose(logits, 0) == 2);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_characters);
    RUN(test_parts);
    RUN(test_windows);
    RUN(test_refused);
    RUN(test_choice);
    return TEST_EXIT;
}
