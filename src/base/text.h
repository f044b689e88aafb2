/*
 * Text on its way out: collected in a small buffer and handed to a gr_writer in pieces, with what drawings
 * need to write names and numbers.
 *
 * Invariant: after the writer has refused a piece it is not called again, and what is put in goes nowhere.
 */
#ifndef GRI_BASE_TEXT_H
#define GRI_BASE_TEXT_H

#include "gradus/api.h"

enum { GRI_TEXT_BYTES = 4096, GRI_NUMBER_BYTES = 32 };

typedef struct gri_text {
    gr_writer *write;
    void *user;
    bool ascii; /* symbols and names in ASCII only */
    bool failed;
    size_t used;
    char buffer[GRI_TEXT_BYTES];
} gri_text;

void gri_text_begin(gri_text *t, gr_writer *write, void *user, bool ascii);
/* Hands over what is left. Whether the writer took everything. */
bool gri_text_end(gri_text *t);

void gri_text_put(gri_text *t, const char *text);
void gri_text_unsigned(gri_text *t, uint64_t n);
/* A symbol of ours, in UTF-8, or how it is written in ASCII. */
void gri_text_symbol(gri_text *t, const char *utf8, const char *ascii);
/* Text of others, of at most `most` characters (then "..."), safe in both HTML-like labels and quoted
   strings. Bytes that are no UTF-8, and control characters, are written as \x1F. `lines`: a newline becomes a
   line break instead (HTML-like labels only). */
void gri_text_escaped(gri_text *t, const char *text, size_t most, bool lines);

/* The first character of a text that is not at its end, and the number of its bytes; 0 if they are no UTF-8
   or no character that XML allows above the control characters. */
size_t gri_text_decode(const char *text, uint32_t *character);

/* A number of so many significant digits, in any locale with a point; `sign`: also a plus. Zero has none.
   Returns its length. */
int gri_number(char to[GRI_NUMBER_BYTES], double value, int digits, bool sign);
/* The same for numbers of a derivation, in which what was rounded looks rounded and columns line up: what was computed
   has all of its digits, trailing zeros too (0.175510), unless it is a whole number (1). What was given, a weight of
   0.4, is short if that is exactly what it is in its type. */
typedef enum gri_origin { GRI_COMPUTED, GRI_GIVEN_F32, GRI_GIVEN_F64 } gri_origin;
int gri_figure(char to[GRI_NUMBER_BYTES], double value, int digits, bool sign, gri_origin origin);
/* Puts it; a minus is the symbol. */
void gri_text_number(gri_text *t, const char *number);

#endif
