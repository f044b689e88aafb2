/* Text on its way out: see text.h. */
#include "base/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gri_text_begin(gri_text *t, gr_writer *write, void *user, bool ascii)
{
    t->write = write;
    t->user = user;
    t->ascii = ascii;
    t->failed = false;
    t->used = 0;
}

static void flush(gri_text *t)
{
    if (!t->failed && t->used > 0 && !t->write(t->buffer, t->used, t->user)) t->failed = true;
    t->used = 0;
}

bool gri_text_end(gri_text *t)
{
    flush(t);
    return !t->failed;
}

static void put_bytes(gri_text *t, const char *text, size_t length)
{
    while (length > 0) {
        if (t->used == GRI_TEXT_BYTES) flush(t);
        const size_t room = GRI_TEXT_BYTES - t->used, n = length < room ? length : room;
        memcpy(t->buffer + t->used, text, n);
        t->used += n;
        text += n;
        length -= n;
    }
}

void gri_text_put(gri_text *t, const char *text) { put_bytes(t, text, strlen(text)); }

void gri_text_unsigned(gri_text *t, uint64_t n)
{
    char digits[24];
    const int length = snprintf(digits, sizeof digits, "%" PRIu64, n);
    put_bytes(t, digits, (size_t)length);
}

void gri_text_symbol(gri_text *t, const char *utf8, const char *ascii)
{
    gri_text_put(t, t->ascii ? ascii : utf8);
}

/* ---- Text of others ---- */

size_t gri_text_decode(const char *text, uint32_t *character)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80) {
        *character = s[0];
        return 1;
    }
    const size_t length = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC0 || s[0] >= 0xF8) return 0;
    uint32_t c = s[0] & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xC0) != 0x80) return 0; /* the zero at the end is one of these */
        c = c << 6 | (s[i] & 0x3Fu);
    }
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF, none = (c & 0xFFFE) == 0xFFFE;
    if (c < smallest[length] || c > 0x10FFFF || surrogate || none) return 0;
    *character = c;
    return length;
}

/* In labels dot replaces \N by the name of the node, and so on, even where the backslash is a reference; a
   doubled one it takes for one. */
#define BACKSLASH "&#92;&#92;"

/* Bytes that cannot be shown, as \x1F. */
static void put_hexadecimal(gri_text *t, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char code[24];
        snprintf(code, sizeof code, BACKSLASH "x%02X", (unsigned)(unsigned char)bytes[i]);
        gri_text_put(t, code);
    }
}

static void put_character(gri_text *t, uint32_t c, const char *bytes, size_t length)
{
    const bool special = c == '<' || c == '>' || c == '&' || c == '"';
    if (c < 0x20 || (c >= 0x7F && c < 0xA0)) {
        put_hexadecimal(t, bytes, length);
    } else if (c == '\\') {
        gri_text_put(t, BACKSLASH);
    } else if (t->ascii && c > 0xFFFF) { /* in quoted strings dot makes invalid UTF-8 of such a reference */
        put_hexadecimal(t, bytes, length);
    } else if (special || (c >= 0x80 && t->ascii)) {
        gri_text_put(t, "&#");
        gri_text_unsigned(t, c);
        gri_text_put(t, ";");
    } else {
        put_bytes(t, bytes, length);
    }
}

void gri_text_escaped(gri_text *t, const char *text, size_t most, bool lines)
{
    for (size_t shown = 0; *text; shown++) {
        if (shown == most) {
            gri_text_symbol(t, "…", "...");
            return;
        }
        uint32_t c = 0;
        size_t length = gri_text_decode(text, &c);
        if (length == 0)
            put_hexadecimal(t, text, length = 1);
        else if (c == '\n' && lines)
            gri_text_put(t, "<BR/>");
        else
            put_character(t, c, text, length);
        text += length;
    }
}

/* ---- Numbers ---- */

/* Makes a point of whatever the locale puts for it, of several bytes perhaps; one that no digit follows goes. Returns
   the length. */
static int settle_point(char *number, int length)
{
    int n = 0;
    bool in_point = false;
    for (int i = 0; i < length; i++) {
        const char c = number[i];
        const bool digit = c >= '0' && c <= '9',
                   usual = digit || (c >= 'a' && c <= 'z') || c == '+' || c == '-';
        if (in_point && usual && !digit) n--;
        if (usual || !in_point) number[n++] = usual ? c : '.';
        in_point = !usual;
    }
    if (in_point) n--;
    number[n] = '\0';
    return n;
}

int gri_number(char to[GRI_NUMBER_BYTES], double value, int digits, bool sign)
{
    if (value == 0 || isnan(value)) return snprintf(to, GRI_NUMBER_BYTES, value == 0 ? "0" : "nan");
    return settle_point(to, snprintf(to, GRI_NUMBER_BYTES, sign ? "%+.*g" : "%.*g", digits, value));
}

/* Whether so many digits are exactly the number. */
static bool is_exact(double value, int digits, gri_origin origin)
{
    char text[GRI_NUMBER_BYTES];
    if (snprintf(text, sizeof text, "%.*g", digits, value) <= 0) return false;
    return origin == GRI_GIVEN_F32 ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value;
}

int gri_figure(char to[GRI_NUMBER_BYTES], double value, int digits, bool sign, gri_origin origin)
{
    const bool whole = value == floor(value) && fabs(value) < pow(10, digits);
    if (whole || !isfinite(value)) return gri_number(to, value, digits, sign);
    if (origin != GRI_COMPUTED)
        for (int fewer = 1; fewer < digits; fewer++)
            if (is_exact(value, fewer, origin)) return gri_number(to, value, fewer, sign);
    return settle_point(to, snprintf(to, GRI_NUMBER_BYTES, sign ? "%+#.*g" : "%#.*g", digits, value));
}

void gri_text_number(gri_text *t, const char *number)
{
    for (; *number; number++) {
        if (*number == '-')
            gri_text_symbol(t, "−", "-");
        else
            put_bytes(t, number, 1);
    }
}
