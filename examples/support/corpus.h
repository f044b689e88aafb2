/*
 * A text for models of language: its characters as numbers, cut into a part to learn from and a part to be judged by.
 *
 *     corpus text;
 *     if (!corpus_read("program", path, &text)) return 1;      NULL: the project's own text
 *     corpus_windows(&text, x, next);                          random places of the part to learn from
 *     ...
 *     corpus_free(&text);
 *
 * Characters are those of Unicode (code points), in UTF-8; each that occurs in the text has a number, from 0, in the order
 * of code points. The project's own text is what it says of itself in English: its pages and public headers, joined
 * when the examples are built; operations.md, which is made of the headers, is left out.
 *
 * Of each tenth of a long text, but of each 20000 characters at most, the last tenth is for validation: such pieces are long
 * beside what a model looks back on, and all parts of the text have some. Where a piece was taken out the rest is
 * joined.
 */
#ifndef EXAMPLES_SUPPORT_CORPUS_H
#define EXAMPLES_SUPPORT_CORPUS_H

#include "gradus/tensor.h"

enum { CORPUS_UTF8_BYTES = 5 }; /* of one character, and the zero */

typedef struct corpus {
    int vocabulary;       /* different characters */
    uint32_t *characters; /* their code points, ascending */
    int64_t n_train, n_validation;
    int32_t *train, *validation; /* numbers of characters */
} corpus;

/* Reads a file of UTF-8. false: it cannot be read, is no UTF-8, has fewer than 1000 characters, or is larger than 1 GB; or
   there is no memory. `program` has said so on stderr, and there is nothing to free. */
bool corpus_read(const char *program, const char *path, corpus *c);
void corpus_free(corpus *c);

/* The numbers of the characters of a text, of the last `room` >= 1 if it is longer, and how many they are; -1: one does not
   occur in the corpus, or is none. */
int64_t corpus_encode(const corpus *c, const char *utf8, int64_t room, int32_t *numbers);
/* Whether a prompt has a character, and none that the corpus has not; else `program` says so on stderr. To be asked before the
   training, not after it. */
bool corpus_knows(const char *program, const corpus *c, const char *prompt);
/* The character of a number, as a string. */
void corpus_decode(const corpus *c, int32_t number, char utf8[CORPUS_UTF8_BYTES]);

/* Random windows of the part to learn from, drawn from the generator of the graph: the characters into x, those that follow
   each into `next`. Both i32 [n, length], leaves. */
gr_status corpus_windows(const corpus *c, gr_tensor x, gr_tensor next);

/* What the validation part costs, in bits per character, if each is guessed by how often it occurs in the part to learn from; or
   by how often it follows the one before, and where that is rare, by how often it occurs (MacKay and Peto, 1995). NaN:
   no memory. */
double corpus_unigram_bits(const corpus *c);
double corpus_bigram_bits(const corpus *c);

#endif
