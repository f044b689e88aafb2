/* JSON of headers: see json.h. */
#include "io/json.h"

#include <stdio.h>
#include <string.h>

static bool wrong(gri_json *j, const char *why)
{
    j->why = why;
    return false;
}

static void skip_blanks(gri_json *j)
{
    while (j->at < j->end && (*j->at == ' ' || *j->at == '\t' || *j->at == '\n' || *j->at == '\r')) j->at++;
}

bool gri_json_follows(gri_json *j, char c)
{
    skip_blanks(j);
    if (j->at == j->end || *j->at != (uint8_t)c) return false;
    j->at++;
    return true;
}

bool gri_json_is_over(gri_json *j)
{
    skip_blanks(j);
    return j->at == j->end;
}

bool gri_json_expect(gri_json *j, char c)
{
    if (gri_json_follows(j, c)) return true;
    switch (c) {
    case '{':
        return wrong(j, "expected {");
    case '}':
        return wrong(j, "expected , or }");
    case '[':
        return wrong(j, "expected [");
    case ']':
        return wrong(j, "expected , or ]");
    default:
        return wrong(j, "expected :");
    }
}

/* ---- Strings ---- */

size_t gri_utf8_length(const uint8_t *at, const uint8_t *end)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (at == end) return 0;
    if (*at < 0x80) return 1;
    if (*at < 0xC0 || *at >= 0xF8) return 0;
    const size_t length = *at >= 0xF0 ? 4 : *at >= 0xE0 ? 3 : 2;
    if ((size_t)(end - at) < length) return 0;
    uint32_t c = *at & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80) return 0;
        c = c << 6 | (at[i] & 0x3Fu);
    }
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    return c < smallest[length] || c > 0x10FFFF || surrogate ? 0 : length;
}

bool gri_utf8_is_valid(const char *string)
{
    const uint8_t *at = (const uint8_t *)string, *end = at + strlen(string);
    size_t n;
    for (; at < end; at += n)
        if ((n = gri_utf8_length(at, end)) == 0) return false;
    return true;
}

/* Four hexadecimal digits. */
static bool take_hexadecimal(gri_json *j, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < 4; i++, j->at++) {
        const int c = j->at < j->end ? *j->at : 0;
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0) return wrong(j, "expected four hexadecimal digits");
        *value = *value << 4 | (uint32_t)digit;
    }
    return true;
}

static void put_utf8(gri_json *j, uint32_t c)
{
    const int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t first[] = {0, 0xC0, 0xE0, 0xF0};
    *j->strings++ = (char)(first[more] | c >> (6 * more));
    for (int i = more; i-- > 0;) *j->strings++ = (char)(0x80 | (c >> (6 * i) & 0x3F));
}

/* What follows \u: a character, in two escapes if it takes two. */
static bool take_character(gri_json *j)
{
    uint32_t c, low;
    if (!take_hexadecimal(j, &c)) return false;
    if (c == 0) return wrong(j, "a zero byte in a string");
    if (c >= 0xDC00 && c <= 0xDFFF) return wrong(j, "half a character in a string");
    if (c >= 0xD800 && c <= 0xDBFF) {
        if (j->end - j->at < 2 || j->at[0] != '\\' || j->at[1] != 'u')
            return wrong(j, "half a character in a string");
        j->at += 2;
        if (!take_hexadecimal(j, &low)) return false;
        if (low < 0xDC00 || low > 0xDFFF) return wrong(j, "half a character in a string");
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
    put_utf8(j, c);
    return true;
}

/* The letters of short escapes, and what they stand for. */
static const char short_escapes[] = "\"\\/bfnrt", short_meanings[] = "\"\\/\b\f\n\r\t";

/* What follows a backslash. */
static bool take_escape(gri_json *j)
{
    if (j->at == j->end) return wrong(j, "the text ends within a string");
    const char c = (char)*j->at++;
    if (c == 'u') return take_character(j);
    const char *found = c ? strchr(short_escapes, c) : NULL;
    if (!found) return wrong(j, "no such escape");
    *j->strings++ = short_meanings[found - short_escapes];
    return true;
}

bool gri_json_string(gri_json *j, const char **string)
{
    if (!gri_json_follows(j, '"')) return wrong(j, "expected a string");
    *string = j->strings;
    while (j->at < j->end && *j->at != '"') {
        if (*j->at == '\\') {
            j->at++;
            if (!take_escape(j)) return false;
            continue;
        }
        if (*j->at < 0x20) return wrong(j, "a control character in a string");
        const size_t n = gri_utf8_length(j->at, j->end);
        if (n == 0) return wrong(j, "not valid UTF-8");
        memcpy(j->strings, j->at, n);
        j->strings += n;
        j->at += n;
    }
    if (j->at == j->end) return wrong(j, "the text ends within a string");
    j->at++;
    *j->strings++ = '\0';
    return true;
}

void gri_json_put_string(gri_text *t, const char *string)
{
    gri_text_put(t, "\"");
    for (; *string; string++) {
        const char c = *string;
        char text[8] = {c};
        if ((uint8_t)c < 0x20 || c == '"' || c == '\\') {
            const char *special = strchr(short_meanings, c);
            if (special)
                snprintf(text, sizeof text, "\\%c", short_escapes[special - short_meanings]);
            else
                snprintf(text, sizeof text, "\\u%04x", (unsigned)(uint8_t)c);
        }
        gri_text_put(t, text);
    }
    gri_text_put(t, "\"");
}

/* ---- Numbers ---- */

static bool is_digit(const gri_json *j) { return j->at < j->end && *j->at >= '0' && *j->at <= '9'; }

bool gri_json_integer(gri_json *j, int64_t *value)
{
    skip_blanks(j);
    if (!is_digit(j)) return wrong(j, "expected an integer, not negative");
    *value = 0;
    for (const uint8_t *first = j->at; is_digit(j); j->at++) {
        const int digit = *j->at - '0';
        if (*first == '0' && j->at > first) return wrong(j, "an integer that begins with 0");
        if (*value > (INT64_MAX - digit) / 10) return wrong(j, "an integer of more than 63 bits");
        *value = 10 * *value + digit;
    }
    const char c = j->at < j->end ? (char)*j->at : ' ';
    if (c == '.' || c == 'e' || c == 'E')
        return wrong(j, "expected an integer, without fraction or exponent");
    return true;
}
