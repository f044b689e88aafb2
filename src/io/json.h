/*
 * JSON (RFC 8259), as much of it as headers of files need: a reader that is asked for what must come next, and
 * a writer of strings.
 *
 * Invariant: nothing here calls itself: how deep a text may nest is decided by who asks. No byte beyond `end`
 * is looked at.
 */
#ifndef GRI_IO_JSON_H
#define GRI_IO_JSON_H

#include "base/text.h"

typedef struct gri_json {
    const uint8_t *at, *end;
    char
        *strings; /* where decoded strings go, each with a zero behind it; as many bytes as the text has do */
    const char *why; /* what is wrong at `at`, after a false */
} gri_json;

/* Each skips blanks first, and returns false, with `why` set and `at` where it is wrong, if something else is
   there. c: a brace, a bracket or a colon. */
bool gri_json_expect(gri_json *j, char c);
/* A string in valid UTF-8, with its escapes replaced. None of them may stand for a zero byte. */
bool gri_json_string(gri_json *j, const char **string);
/* An integer, not negative, in digits alone, below 2^63. */
bool gri_json_integer(gri_json *j, int64_t *value);

/* Whether c comes next, after blanks; it is taken then. */
bool gri_json_follows(gri_json *j, char c);
/* Whether there is nothing left but blanks. */
bool gri_json_is_over(gri_json *j);

/* The number of bytes of the UTF-8 character that begins at `at`; 0: there is none. */
size_t gri_utf8_length(const uint8_t *at, const uint8_t *end);
/* Whether a string is valid UTF-8. */
bool gri_utf8_is_valid(const char *string);

/* Writes a string that is valid UTF-8 with its quotes, and with those escapes that it must have. */
void gri_json_put_string(gri_text *t, const char *string);

#endif
