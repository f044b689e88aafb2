/*
 * The precision report as text. Columns are as wide as their widest cell, counted in characters of UTF-8; the
 * last one, of the operands, needs no width.
 */
#include "gradus/precision.h"
#include "base/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { CELL_BYTES = 96, DIGITS_SHOWN = 8, MOST_OF_A_NAME = GR_PRECISION_NAME_BYTES - 1 };
enum { LOST, LEFT, AT, OPERATION, RESULT, ELEMENT, F32, F64, ERROR, COLUMNS };

typedef struct row {
    char cell[COLUMNS][CELL_BYTES];
} row;

typedef struct table {
    char *to;
    size_t room, length;
    row rows[1 + GR_PRECISION_ROWS]; /* the first: the heads of the columns */
} table;

static void add(table *t, const char *format, ...) GR_PRINTF(2, 3);
static void add(table *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const size_t at = t->length < t->room ? t->length : t->room;
    const int n = vsnprintf(at < t->room ? t->to + at : NULL, t->room - at, format, arguments);
    va_end(arguments);
    if (n > 0) t->length += (size_t)n;
}

/* A number of digits with one decimal, whatever the locale puts for the point. */
static void write_digits(char *to, size_t room, double digits)
{
    const long tenths = lround(10 * digits);
    snprintf(to, room, "%ld.%ld", tenths / 10, tenths % 10);
}

static void write_list(char to[CELL_BYTES], int n, const int64_t *list)
{
    size_t length = 1;
    to[0] = '[';
    for (int i = 0; i < n && length < CELL_BYTES; i++) {
        const int wrote = snprintf(to + length, CELL_BYTES - length, i ? ", %" PRId64 : "%" PRId64, list[i]);
        length += wrote > 0 ? (size_t)wrote : 0;
    }
    if (length < CELL_BYTES) snprintf(to + length, CELL_BYTES - length, "]");
}

/* Text of others, without what would break a line. */
static void tame(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F) *text = '?';
}

static const char *cause(const gr_precision_loss *loss)
{
    if (loss->shadow == GR_SHADOW_NONE) return "unknown";
    if (loss->broken && isnan(loss->value)) return "NaN";
    if (loss->broken) return isinf(loss->value) ? "infinite" : "finite";
    return loss->made >= loss->inherited ? "made here" : "magnified";
}

static void fill_row(row *r, const gr_precision_loss *loss)
{
    write_digits(r->cell[LOST], CELL_BYTES, loss->lost);
    write_digits(r->cell[LEFT], CELL_BYTES, loss->left);
    snprintf(r->cell[AT], CELL_BYTES, "#%" PRId64, loss->position);
    snprintf(r->cell[OPERATION], CELL_BYTES, loss->name[0] ? "%.*s %s" : "%.*s", MOST_OF_A_NAME, loss->op,
             loss->name);
    tame(r->cell[OPERATION]);
    write_list(r->cell[RESULT], loss->ndim, loss->dims);
    write_list(r->cell[ELEMENT], loss->ndim, loss->index);
    gri_number(r->cell[F32], loss->value, DIGITS_SHOWN, false);
    gri_number(r->cell[F64], loss->exact, DIGITS_SHOWN, false);
    snprintf(r->cell[ERROR], CELL_BYTES, "%s", cause(loss));
}

/* Columns of a terminal, nearly: characters. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text; text++) width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

static void add_operands(table *t, const gr_precision_loss *loss)
{
    for (int i = 0; i < loss->n_operands && i < GR_PRECISION_OPERANDS; i++) {
        const gr_precision_operand *o = &loss->operands[i];
        char name[GR_PRECISION_NAME_BYTES], digits[GRI_NUMBER_BYTES];
        snprintf(name, sizeof name, "%s", o->name);
        tame(name);
        write_digits(digits, sizeof digits, o->digits);
        if (i) add(t, ", ");
        if (o->position)
            add(t, "#%" PRId64 " %s %s", o->position, name, digits);
        else
            add(t, "%s", name);
    }
    if (loss->n_operands > GR_PRECISION_OPERANDS)
        add(t, ", %d more", loss->n_operands - GR_PRECISION_OPERANDS);
}

static void add_rows(table *t, const gr_precision_report *report)
{
    int width[COLUMNS] = {0};
    for (int i = 0; i <= report->n_rows; i++)
        for (int k = 0; k < COLUMNS; k++) {
            const int w = width_of(t->rows[i].cell[k]);
            if (w > width[k]) width[k] = w;
        }
    for (int i = 0; i <= report->n_rows; i++) {
        for (int k = 0; k < COLUMNS; k++) {
            const char *cell = t->rows[i].cell[k];
            const int gap = width[k] - width_of(cell);
            if (k <= AT) /* numbers: to the right */
                add(t, "  %*s%s", gap, "", cell);
            else
                add(t, "  %s%*s", cell, gap, "");
        }
        add(t, "  ");
        if (i == 0)
            add(t, "operands");
        else
            add_operands(t, &report->rows[i - 1]);
        add(t, "\n");
    }
}

/* How many, and how it ended. */
static void add_summary(table *t, const gr_precision_report *report)
{
    row last;
    char all[GRI_NUMBER_BYTES];
    fill_row(&last, &report->result);
    write_digits(all, sizeof all, 24 * log10(2));
    add(t, "precision shadow of %" PRId64 " operations: %s of %s digits left%s\n", report->operations,
        last.cell[LEFT], all, report->elementwise ? ", by elements" : "");
    add(t, "  result: %s %s %s, at %s f32 %s, f64 %s\n", last.cell[AT], last.cell[OPERATION],
        last.cell[RESULT], last.cell[ELEMENT], last.cell[F32], last.cell[F64]);
    if (report->in_f32 + report->restarted)
        add(t, "  refused f64: %" PRId64 " of the operations; without a shadow of their own: %" PRId64 "\n",
            report->in_f32 + report->restarted, report->restarted);
}

static void add_end(table *t, const gr_precision_report *report)
{
    char least[GRI_NUMBER_BYTES];
    gri_number(least, report->least, 2, false);
    const char *unit = report->least == 1 ? "digit" : "digits";
    if (report->losing > report->n_rows)
        add(t, "  and %" PRId64 " more that lost %s %s or more\n", report->losing - report->n_rows, least,
            unit);
    if (report->losing > 0) return;
    add(t, "  no operation lost %s %s or more\n", least, unit);
    if (24 * log10(2) - report->result.left >= report->least)
        add(t, "  the loss is spread over many operations\n");
}

size_t gr_precision_table(const gr_precision_report *report, char *to, size_t room)
{
    table t;
    t.to = to;
    t.room = to ? room : 0;
    t.length = 0;
    if (t.room) to[0] = '\0';
    if (!report) return 0;
    if (!report->result.op) {
        add(&t, "precision shadow: not made\n");
        return t.length;
    }
    static const row heads = {
        {"lost", "left", "at", "operation", "result", "element", "f32", "f64", "error"}};
    t.rows[0] = heads;
    for (int i = 0; i < report->n_rows; i++) fill_row(&t.rows[i + 1], &report->rows[i]);
    add_summary(&t, report);
    if (report->n_rows > 0) add_rows(&t, report);
    add_end(&t, report);
    return t.length;
}
