/* Tables of plain text: see table.h. */
#include "draw/table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GAP = 2 };

/* ---- Widths ---- */

typedef struct range {
    uint32_t first, last;
} range;

static bool is_in(uint32_t c, int n, const range *ranges)
{
    for (int i = 0; i < n; i++)
        if (c >= ranges[i].first && c <= ranges[i].last) return true;
    return false;
}

/* The blocks of Unicode's East Asian Width that are wide, and of the characters that combine: as much as names are
   likely to have. */
static int columns_of(uint32_t c)
{
    static const range wide[] = {{0x1100, 0x115F},   {0x2E80, 0x303E},  {0x3041, 0xA4CF}, {0xAC00, 0xD7A3},
                                 {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},  {0xFF00, 0xFF60}, {0xFFE0, 0xFFE6},
                                 {0x1F300, 0x1FAFF}, {0x20000, 0x3FFFD}};
    static const range none[] = {{0x300, 0x36F},   {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF},
                                 {0x200B, 0x200F}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}};
    if (is_in(c, (int)(sizeof none / sizeof *none), none)) return 0;
    return is_in(c, (int)(sizeof wide / sizeof *wide), wide) ? 2 : 1;
}

int gri_text_columns(const char *text)
{
    int n = 0;
    while (*text) {
        uint32_t c = '?';
        const size_t length = gri_text_decode(text, &c);
        n += columns_of(c);
        text += length ? length : 1;
    }
    return n;
}

/* ---- Cells ---- */

void gri_cell_text(char cell[GRI_CELL_BYTES], const char *text, int most, bool ascii)
{
    enum { LONGEST = 16 + 4 }; /* a character of four bytes as \x1F each, and what ends a text that is cut */
    size_t n = strlen(cell);
    for (int shown = 0; *text && n + LONGEST < GRI_CELL_BYTES; shown++) {
        if (shown == most) {
            strcpy(cell + n, ascii ? "..." : "…");
            return;
        }
        uint32_t c = 0;
        size_t length = gri_text_decode(text, &c);
        const bool plain = length > 0 && c >= 0x20 && c != 0x7F && (c < 0x80 || (c >= 0xA0 && !ascii));
        if (length == 0) length = 1;
        for (size_t i = 0; i < length; i++, text++)
            n += (size_t)snprintf(cell + n, GRI_CELL_BYTES - n, plain ? "%c" : "\\x%02X",
                                  plain ? *text : (unsigned char)*text);
    }
}

void gri_grouped(char *to, double value)
{
    if (!(value < 1e18)) { /* beyond what is exact by far */
        gri_number(to, value, 4, false);
        return;
    }
    char digits[GRI_GROUPED_BYTES];
    const int n = snprintf(digits, sizeof digits, "%.0f", value);
    for (int i = 0; i < n; i++) {
        *to++ = digits[i];
        if ((n - i) % 3 == 1 && i + 1 < n) *to++ = ',';
    }
    *to = '\0';
}

/* ---- The table ---- */

void gri_table_columns(gri_table *t, int columns, int first_right)
{
    t->columns = columns;
    t->first_right = first_right;
    t->pending = 0;
    memset(t->width, 0, sizeof t->width);
}

void gri_table_measure(gri_table *t, int column, const char *cell)
{
    const int n = gri_text_columns(cell);
    if (n > t->width[column]) t->width[column] = n;
}

static void put(gri_table *t, const char *text)
{
    if (!*text) return;
    for (; t->pending > 0; t->pending--) gri_text_put(&t->text, " ");
    gri_text_put(&t->text, text);
}

void gri_table_put(gri_table *t, int column, const char *cell)
{
    const int room = t->width[column] - gri_text_columns(cell);
    const bool right = column >= t->first_right;
    if (column > 0) t->pending += GAP;
    if (right) t->pending += room;
    put(t, cell);
    if (!right) t->pending += room;
}

void gri_table_end_line(gri_table *t, const char *notes)
{
    t->pending += GAP;
    put(t, notes);
    t->pending = 0;
    gri_text_put(&t->text, "\n");
}

void gri_table_rule(gri_table *t)
{
    int n = (t->columns - 1) * GAP;
    for (int i = 0; i < t->columns; i++) n += t->width[i];
    while (n-- > 0) gri_text_symbol(&t->text, "─", "-");
    gri_text_put(&t->text, "\n");
}
