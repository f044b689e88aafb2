/*
 * Tables of numbers from text. The text is gone through twice by the same reader of fields: once to count, once to
 * convert, so that memory is taken for what is there.
 *
 * Invariant: both passes see the same fields; the second finds no error of form.
 */
#include "gradus/csv.h"
#include "io/source.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_BYTES = 40, TEXT_BYTES = 64 };

typedef gr_csv_options options;

/* ---- Fields ---- */

/* A place in the text. */
typedef struct reader {
    const gri_source *s;
    const options *o;
    const uint8_t *at, *end;
    int64_t line;   /* from 1 */
    int64_t column; /* of the field that was read last, from 1; 0: none of this row */
} reader;

typedef struct field {
    const uint8_t *text; /* between the quotes, if there are any */
    size_t n;
    bool quoted;
    int64_t line; /* where it begins */
} field;

static gr_status fail_at(const reader *r, int64_t line, int64_t column, const char *what)
{
    return gri_source_fail(r->s, GR_ERR_FORMAT, "line %" PRId64 ", column %" PRId64 ": %s", line, column,
                           what);
}

static bool is_blank(const reader *r, uint8_t c)
{
    return c == ' ' || (c == '\t' && r->o->separator != '\t');
}

static bool is_line_end(uint8_t c) { return c == '\n' || c == '\r'; }

static void skip_blanks(reader *r)
{
    while (r->at < r->end && is_blank(r, *r->at)) r->at++;
}

/* Over LF, CR LF or CR. */
static void skip_line_end(reader *r)
{
    if (*r->at == '\r' && r->at + 1 < r->end && r->at[1] == '\n') r->at++;
    r->at++;
    r->line++;
}

static void skip_line(reader *r)
{
    while (r->at < r->end && !is_line_end(*r->at)) r->at++;
    if (r->at < r->end) skip_line_end(r);
}

static reader begin_reading(const gri_source *s, const options *o)
{
    reader r = {.s = s, .o = o, .at = s->bytes, .end = s->bytes + s->n, .line = 1};
    if (s->n >= 3 && memcmp(s->bytes, "\xEF\xBB\xBF", 3) == 0) r.at += 3;
    for (int64_t i = 0; i < o->skip && r.at < r.end; i++) skip_line(&r);
    return r;
}

/* Goes to the next row, over lines that are empty or comments. False: there is none. */
static bool next_row(reader *r)
{
    r->column = 0;
    while (r->at < r->end) {
        const uint8_t *start = r->at;
        skip_blanks(r);
        const bool comment = r->at < r->end && r->o->comment && *r->at == (uint8_t)r->o->comment;
        if (!comment && r->at < r->end && !is_line_end(*r->at)) {
            /* Blanks that separate were skipped for good, others belong to the first field, which will skip them. */
            if (r->o->separator != ' ') r->at = start;
            return true;
        }
        skip_line(r);
    }
    return false;
}

/* What is between quotes; the first of them is taken already. */
static gr_status take_quoted(reader *r, field *f)
{
    f->quoted = true;
    f->text = r->at;
    for (; r->at < r->end; r->at++) {
        if (*r->at == '"') {
            if (r->at + 1 == r->end || r->at[1] != '"') break;
            r->at++;
        } else if (*r->at == '\n' || (*r->at == '\r' && (r->at + 1 == r->end || r->at[1] != '\n'))) {
            r->line++;
        }
    }
    if (r->at == r->end) return fail_at(r, f->line, r->column, "quotes without an end");
    f->n = (size_t)(r->at - f->text);
    r->at++;
    return GR_OK;
}

static bool ends_field(const reader *r)
{
    return r->at == r->end || is_line_end(*r->at) || *r->at == (uint8_t)r->o->separator ||
           (r->o->separator == ' ' && *r->at == '\t');
}

/* The next field of the row; *last: no more follow, and the end of the line has been taken. */
static gr_status next_field(reader *r, field *f, bool *last)
{
    r->column++;
    skip_blanks(r);
    *f = (field){.text = r->at, .line = r->line};
    if (r->at < r->end && *r->at == '"') {
        r->at++;
        const gr_status status = take_quoted(r, f);
        if (status != GR_OK) return status;
    } else {
        while (!ends_field(r)) r->at++;
        const uint8_t *end = r->at;
        while (end > f->text && is_blank(r, end[-1])) end--;
        f->n = (size_t)(end - f->text);
    }
    skip_blanks(r);
    const bool separated = r->at < r->end && *r->at == (uint8_t)r->o->separator;
    *last = r->at == r->end || is_line_end(*r->at);
    const bool blanks = r->o->separator == ' ' && (!f->quoted || r->at == r->end || is_blank(r, r->at[-1]));
    if (!*last && !separated && !blanks) return fail_at(r, r->line, r->column, "text behind quotes");
    if (separated && r->o->separator != ' ') r->at++;
    if (*last && r->at < r->end) skip_line_end(r);
    return GR_OK;
}

/* ---- Counting ---- */

typedef struct counts {
    int64_t rows, columns; /* of numbers; columns -1: not known yet */
    int64_t first_line;    /* of the row that decided about columns */
    size_t longest;        /* bytes of a field */
    size_t name_bytes;     /* of all names, with a zero behind each */
} counts;

static gr_status count_row(reader *r, counts *c, bool names)
{
    field f;
    bool last = false;
    const int64_t line = r->line;
    while (!last) {
        const gr_status status = next_field(r, &f, &last);
        if (status != GR_OK) return status;
        if (f.n > c->longest) c->longest = f.n;
        if (names) c->name_bytes += f.n + 1;
        if (c->columns >= 0 && r->column > c->columns) break;
    }
    if (c->columns < 0) {
        c->columns = r->column;
        c->first_line = line;
    }
    if (r->column == c->columns) return GR_OK;
    char text[2 * TEXT_BYTES];
    snprintf(text, sizeof text, "the row %s; expected %" PRId64 " fields, as in line %" PRId64,
             r->column > c->columns ? "goes on" : "ends here", c->columns, c->first_line);
    return fail_at(r, f.line, r->column, text);
}

static gr_status count_all(const gri_source *s, const options *o, counts *c)
{
    reader r = begin_reading(s, o);
    *c = (counts){.columns = -1};
    if (o->header) {
        if (!next_row(&r)) return gri_source_fail(s, GR_ERR_FORMAT, "there is no line with names");
        const gr_status status = count_row(&r, c, true);
        if (status != GR_OK) return status;
    }
    for (; next_row(&r); c->rows++) {
        const gr_status status = count_row(&r, c, false);
        if (status != GR_OK) return status;
    }
    if (c->columns < 0) c->columns = 0;
    return GR_OK;
}

/* ---- Numbers ---- */

/* Where fields become numbers: strtod and strtof round once, as they should, but take the point from the locale. */
typedef struct conversion {
    locale_t c, before; /* the locale "C", and that of the thread */
    char *text;         /* room for the longest field and a zero */
} conversion;

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static const char *skip_digits(const char *at)
{
    while (is_digit(*at)) at++;
    return at;
}

/* Whether a text is `word`, in letters of either case. */
static bool is_word(const char *text, const char *word)
{
    for (; *word; text++, word++)
        if ((*text | 0x20) != *word) return false;
    return *text == '\0';
}

/* What strtod takes and more than that is a number in other places: hexadecimal ones, nan(1), blanks. */
typedef enum { NO_NUMBER, NUMBER, INFINITE_OR_NAN } number_kind;
static number_kind kind_of(const char *text)
{
    const char *at = text + (*text == '-' || *text == '+');
    if (is_word(at, "nan") || is_word(at, "inf") || is_word(at, "infinity")) return INFINITE_OR_NAN;
    const char *whole = skip_digits(at);
    const char *fraction = *whole == '.' ? whole + 1 : whole, *end = skip_digits(fraction);
    if (whole == at && end == fraction) return NO_NUMBER;
    if ((*end | 0x20) == 'e') {
        const char *exponent = end + 1 + (end[1] == '-' || end[1] == '+');
        end = skip_digits(exponent);
        if (end == exponent) return NO_NUMBER;
    }
    return *end ? NO_NUMBER : NUMBER;
}

/* A field as a message shows it: without what is no character of a line. */
static void show(const field *f, char to[TEXT_BYTES])
{
    size_t n = 0;
    to[n++] = '"';
    for (size_t i = 0; i < f->n && i < SHOWN_BYTES; i++)
        to[n++] = f->text[i] < 0x20 || f->text[i] >= 0x7F ? '?' : (char)f->text[i];
    snprintf(to + n, TEXT_BYTES - n, "\"%s", f->n > SHOWN_BYTES ? "..." : "");
}

static gr_status fail_number(const reader *r, const field *f, const char *why)
{
    char shown[TEXT_BYTES], text[3 * TEXT_BYTES];
    show(f, shown);
    snprintf(text, sizeof text, "%s %s", shown, why);
    return fail_at(r, f->line, r->column, text);
}

static bool is_missing(const options *o, const field *f)
{
    if (f->n == 0) return true;
    return o->missing_text && strlen(o->missing_text) == f->n && memcmp(o->missing_text, f->text, f->n) == 0;
}

static gr_status convert_missing(const reader *r, const field *f, double *value)
{
    if (r->o->missing == GR_CSV_MISSING_ERROR)
        return f->n ? fail_number(r, f, "stands for a number that is missing")
                    : fail_at(r, f->line, r->column, "a number is missing");
    *value = r->o->missing == GR_CSV_MISSING_NAN ? NAN : r->o->missing_value;
    return GR_OK;
}

/* Converts a field; of an f32 the value is one that f32 has. */
static gr_status convert(const reader *r, const conversion *c, const field *f, double *value)
{
    if (is_missing(r->o, f)) return convert_missing(r, f, value);
    if (memchr(f->text, 0, f->n)) return fail_number(r, f, "is no number");
    memcpy(c->text, f->text, f->n);
    c->text[f->n] = '\0';
    const number_kind kind = kind_of(c->text);
    if (kind == NO_NUMBER) return fail_number(r, f, "is no number");
    *value = r->o->type == GR_F64 ? strtod(c->text, NULL) : (double)strtof(c->text, NULL);
    if (kind == NUMBER && !isfinite(*value))
        return fail_number(
            r, f, r->o->type == GR_F64 ? "is beyond the range of f64" : "is beyond the range of f32");
    return GR_OK;
}

static gr_status convert_all(const gri_source *s, const options *o, const conversion *c, void *to)
{
    reader r = begin_reading(s, o);
    if (o->header && next_row(&r)) {
        field f;
        for (bool last = false; !last;) next_field(&r, &f, &last);
    }
    int64_t i = 0;
    while (next_row(&r)) {
        for (bool last = false; !last; i++) {
            field f;
            double value = 0;
            gr_status status = next_field(&r, &f, &last);
            if (status == GR_OK) status = convert(&r, c, &f, &value);
            if (status != GR_OK) return status;
            if (o->type == GR_F64)
                ((double *)to)[i] = value;
            else
                ((float *)to)[i] = (float)value;
        }
    }
    return GR_OK;
}

/* With the locale "C" for this thread while it lasts. */
static gr_status convert_in_c(const gri_source *s, const options *o, size_t longest, void *to)
{
    gr_graph *g = s->graph;
    conversion c = {.text = gri_alloc(&g->memory, longest + 1)};
    if (!c.text) return gri_fail_memory(g, "csv", longest + 1);
    gr_status status;
    c.c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c.c) {
        c.before = uselocale(c.c);
        status = convert_all(s, o, &c, to);
        uselocale(c.before);
        freelocale(c.c);
    } else {
        status = gri_fail(g, GR_ERR_MEMORY, "csv: no memory for a locale");
    }
    gri_free(&g->memory, c.text, longest + 1);
    return status;
}

/* ---- Names ---- */

/* Copies a name, its doubled quotes made single. Returns what follows it. */
static char *put_name(char *to, const field *f)
{
    for (size_t i = 0; i < f->n; i++) {
        *to++ = (char)f->text[i];
        if (f->quoted && f->text[i] == '"') i++;
    }
    *to++ = '\0';
    return to;
}

/* One block: the pointers, then the texts. */
static gr_status read_names(const gri_source *s, const options *o, const counts *c, const char *const **names)
{
    const size_t pointer_bytes = (size_t)c->columns * sizeof(char *);
    const char **list = gri_own(s->graph, "csv", pointer_bytes + c->name_bytes);
    if (!list) return s->graph->status;
    char *to = (char *)list + pointer_bytes;
    reader r = begin_reading(s, o);
    next_row(&r);
    field f;
    bool last = false;
    for (int64_t i = 0; i < c->columns && !last; i++) {
        next_field(&r, &f, &last);
        list[i] = to;
        to = put_name(to, &f);
    }
    *names = list;
    return GR_OK;
}

/* ---- The table ---- */

static gr_status check_options(gr_graph *g, const options *o)
{
    static const char taken[] = "\"+-.\r\n";
    const char s = o->separator, c = o->comment;
    const bool letter = (s >= 'a' && s <= 'z') || (s >= 'A' && s <= 'Z') || is_digit(s) || strchr(taken, s);
    const char *why = o->type != GR_F32 && o->type != GR_F64 ? "a type other than f32 and f64"
                      : letter                               ? "a separator that could be part of a field"
                      : c && (c == s || is_digit(c) || strchr(taken, c) || c == ' ')
                          ? "a sign of comments that could begin a field"
                      : o->skip < 0 ? "a number of lines below 0"
                      : o->missing < GR_CSV_MISSING_ERROR || o->missing > GR_CSV_MISSING_VALUE
                          ? "no policy for what is missing"
                          : NULL;
    return why ? gri_fail(g, GR_ERR_ARGUMENT, "csv: options: %s", why) : GR_OK;
}

static gr_status read_table(gri_source *s, const options *o, gr_csv *csv)
{
    counts c;
    gr_status status = gri_source_rest(s);
    if (status == GR_OK) status = count_all(s, o, &c);
    if (status != GR_OK) return status;
    /* Each number took a byte or more of text: the product cannot be too large. */
    const gri_recipe r = {.type = o->type,
                          .ndim = 2,
                          .dims = (int64_t[]){c.rows, c.columns},
                          .count = c.rows * c.columns,
                          .flags = GRI_LEAF,
                          .in_buffer = true};
    gri_node *node = gri_keep_new(s->graph, &r);
    if (!node) return s->graph->status;
    status = convert_in_c(s, o, c.longest, node->array.data);
    if (status == GR_OK && o->header) status = read_names(s, o, &c, &csv->names);
    if (status != GR_OK) {
        gri_kept_release(s->graph, node);
        return status;
    }
    csv->table = gri_handle(s->graph, node);
    csv->columns = c.columns;
    return GR_OK;
}

/* ---- Three ways in ---- */

/* The result is zeroed, the options are completed. */
static gr_status begin(gr_graph *g, const options *given, gr_csv *csv, options *o)
{
    *o = given ? *given : (options){.type = GR_F32};
    if (!o->separator) o->separator = ',';
    if (csv) *csv = (gr_csv){.table = gri_invalid(g)};
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    return csv ? check_options(g, o) : gri_fail(g, GR_ERR_ARGUMENT, "csv: the result is NULL");
}

static gr_status read_and_close(gri_source *s, const options *o, gr_csv *csv)
{
    const gr_status status = read_table(s, o, csv);
    gri_source_close(s);
    return status;
}

gr_status gr_csv_parse(gr_graph *g, const void *bytes, size_t n, const gr_csv_options *given, gr_csv *csv)
{
    gri_source s;
    options o;
    gr_status status = begin(g, given, csv, &o);
    if (status == GR_OK) status = gri_source_memory(&s, g, "csv", bytes, n);
    return status == GR_OK ? read_and_close(&s, &o, csv) : status;
}

gr_status gr_csv_read(gr_graph *g, FILE *stream, const char *name, const gr_csv_options *given, gr_csv *csv)
{
    gri_source s;
    options o;
    gr_status status = begin(g, given, csv, &o);
    if (status == GR_OK) status = gri_source_stream(&s, g, "csv", stream, name);
    return status == GR_OK ? read_and_close(&s, &o, csv) : status;
}

gr_status gr_csv_read_file(gr_graph *g, const char *path, const gr_csv_options *given, gr_csv *csv)
{
    gri_source s;
    options o;
    gr_status status = begin(g, given, csv, &o);
    if (status == GR_OK) status = gri_source_file(&s, g, "csv", path);
    return status == GR_OK ? read_and_close(&s, &o, csv) : status;
}
