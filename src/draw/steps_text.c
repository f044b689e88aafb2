/*
 * Steps as text: a line for each, in columns. The parts of a line are used by drawings and pages, too.
 *
 * Invariant: text of others goes out through gri_put_foreign, which knows where it goes.
 */
#include "draw/steps.h"
#include "draw/table.h"

#include <stdio.h>
#include <string.h>

enum { MOST_DIGITS = 17, MOST_OPERANDS = 12, MOST_VALUES = 3 };

/* ---- Beginning and end ---- */

const gri_steps *gri_steps_out_begin(gri_steps_out *out, gr_steps steps, const char *what, gri_target target,
                                     gr_writer *write, void *user, const gr_steps_style *style)
{
    gr_graph *g = steps.graph;
    if (!g || g->status != GR_OK) return NULL;
    const gri_steps *s = gri_steps_resolve(steps, what);
    if (!s) return NULL;
    const int digits = style ? style->digits : 0;
    if (!write) {
        gri_fail(g, GR_ERR_ARGUMENT, "%s: NULL for the writer", what);
        return NULL;
    }
    if (digits < 0 || digits > MOST_DIGITS) {
        gri_fail(g, GR_ERR_ARGUMENT, "%s: %d digits; it can be 1 to %d, or 0 for %d", what, digits,
                 MOST_DIGITS, GRI_STEP_DIGITS);
        return NULL;
    }
    out->s = s;
    out->target = target;
    out->digits = digits ? digits : GRI_STEP_DIGITS;
    gri_text_begin(&out->text, write, user, style && style->ascii);
    return s;
}

void gri_steps_out_measure(gri_steps_out *to, const gri_steps_out *out, gr_writer *write, void *user)
{
    to->s = out->s; /* its buffer is left as it is: this is called for each part of each line */
    to->target = GRI_TO_TEXT;
    to->digits = out->digits;
    gri_text_begin(&to->text, write, user, out->text.ascii);
}

gr_status gri_steps_out_end(gri_steps_out *out, gr_steps steps, const char *what)
{
    if (gri_text_end(&out->text)) return GR_OK;
    return gri_fail(steps.graph, GR_ERR_IO, "%s: the writer did not take the text", what);
}

/* ---- Pieces ---- */

static void put(gri_steps_out *out, const char *text) { gri_text_put(&out->text, text); }

static void put_code(gri_steps_out *out, const char *format, unsigned code)
{
    char text[24];
    snprintf(text, sizeof text, format, code);
    put(out, text);
}

/* One character of others, of so many bytes; 0: a byte that is none. */
static void put_character(gri_steps_out *out, uint32_t c, const char *bytes, size_t length)
{
    const bool html = out->target == GRI_TO_HTML;
    const bool special = html && (c == '<' || c == '>' || c == '&' || c == '"' || c == '\'');
    if (length == 0) {
        put_code(out, "\\x%02X", (unsigned char)*bytes);
    } else if (c < 0x20 || (c >= 0x7F && c < 0xA0)) {
        put_code(out, "\\x%02X", c);
    } else if (special || (html && c >= 0x80 && out->text.ascii)) {
        put_code(out, "&#%u;", c);
    } else if (c >= 0x80 && out->text.ascii) {
        put_code(out, c > 0xFFFF ? "\\U%08X" : "\\u%04X", c);
    } else {
        char text[8] = {0};
        memcpy(text, bytes, length);
        put(out, text);
    }
}

/* Characters that turn the direction of what follows them: they would turn our text around. */
static bool turns(uint32_t c)
{
    return c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

void gri_put_foreign(gri_steps_out *out, const char *text, size_t most)
{
    if (out->target == GRI_TO_DOT) {
        gri_text_escaped(&out->text, text, most, false);
        return;
    }
    for (size_t shown = 0; *text; shown++) {
        if (shown == most) {
            gri_text_symbol(&out->text, "…", "...");
            return;
        }
        uint32_t c = 0;
        const size_t length = gri_text_decode(text, &c);
        if (length > 0 && turns(c))
            put_code(out, "\\u%04X", c);
        else
            put_character(out, c, text, length);
        text += length > 0 ? length : 1;
    }
}

static void put_figure(gri_steps_out *out, double value, bool sign, gri_origin origin)
{
    char number[GRI_NUMBER_BYTES];
    gri_figure(number, value, out->digits, sign, origin);
    gri_text_number(&out->text, number);
}

void gri_put_value(gri_steps_out *out, double value) { put_figure(out, value, false, GRI_COMPUTED); }
void gri_put_gradient(gri_steps_out *out, double value) { put_figure(out, value, true, GRI_COMPUTED); }

void gri_put_value_of(gri_steps_out *out, const gri_step_number *number)
{
    put_figure(out, number->value, false, (gri_origin)number->origin);
}

void gri_put_local_value(gri_steps_out *out, const gri_step_edge *edge)
{
    put_figure(out, edge->local, false, (gri_origin)edge->origin);
}

/* The local derivative as a number behind a sign of multiplication. */
static void put_factor(gri_steps_out *out, const gri_step_edge *edge)
{
    const bool negative = edge->local < 0;
    if (negative) put(out, "(");
    gri_put_local_value(out, edge);
    if (negative) put(out, ")");
}

void gri_put_number_name(gri_steps_out *out, uint32_t number)
{
    gri_put_foreign(out, gri_steps_text(out->s, gri_steps_numbers(out->s)[number].name),
                    GRI_STEP_NAME_CHARACTERS);
}

static void put_partial(gri_steps_out *out, uint32_t of, uint32_t by)
{
    gri_text_symbol(&out->text, "∂", "d");
    gri_put_number_name(out, of);
    gri_text_symbol(&out->text, "/∂", "/d");
    gri_put_number_name(out, by);
}

void gri_put_derivative(gri_steps_out *out, uint32_t number) { put_partial(out, out->s->root, number); }

static void put_times(gri_steps_out *out) { gri_text_symbol(&out->text, " · ", " * "); }

/* Whether a symbol is a sum, which needs parentheses as a factor: there is a plus or minus outside of brackets, or it
   begins with one. */
static bool is_sum(const char *symbol)
{
    int depth = 0;
    for (const char *c = symbol; *c; c++) {
        if (strchr("([{", *c)) depth++;
        if (strchr(")]}", *c)) depth--;
        if (depth <= 0 && (*c == '+' || *c == '-' || strncmp(c, "−", strlen("−")) == 0)) return true;
    }
    return false;
}

void gri_put_local(gri_steps_out *out, const gri_step_edge *edge)
{
    const char *symbol = gri_steps_text(out->s, edge->symbol[out->text.ascii]);
    if (!*symbol && edge->known) {
        put_factor(out, edge);
        return;
    }
    if (!*symbol) {
        put_partial(out, edge->from, edge->to);
        return;
    }
    const bool sum = is_sum(symbol);
    if (sum) put(out, "(");
    gri_put_foreign(out, symbol, GRI_STEP_SYMBOL_CHARACTERS);
    if (sum) put(out, ")");
}

/* ---- The parts of a line ---- */

/* "0.0553994 − 0.0190491 = 0.0363503" */
static void put_running_sum(gri_steps_out *out, const gri_step *step, double contribution)
{
    gri_put_value(out, step->before);
    if (contribution < 0)
        gri_text_symbol(&out->text, " − ", " - ");
    else
        put(out, " + ");
    gri_put_value(out, contribution < 0 ? -contribution : contribution);
    put(out, " = ");
    gri_put_value(out, step->sum);
}

/* "2 of 2:" */
static void put_arrival(gri_steps_out *out, const gri_step *step)
{
    gri_text_unsigned(&out->text, step->arrival);
    put(out, " of ");
    gri_text_unsigned(&out->text, gri_steps_numbers(out->s)[step->to].arrivals);
    if (step->arrival > 1) put(out, ":");
}

static void put_edge_part(gri_steps_out *out, const gri_step *step, int part)
{
    const gri_step_edge *edge = &gri_steps_edges(out->s)[step->edge];
    const double contribution = gri_step_contribution(out->s, step);
    switch (part) {
    case GRI_PART_LEFT:
        gri_put_derivative(out, step->to);
        break;
    case GRI_PART_SYMBOLS:
        put(out, "+= ");
        gri_put_derivative(out, edge->from);
        put_times(out);
        gri_put_local(out, edge);
        break;
    case GRI_PART_NUMBERS:
        put(out, "= ");
        gri_put_value(out, step->adjoint);
        put_times(out);
        put_factor(out, edge);
        break;
    case GRI_PART_RESULT:
        put(out, "= ");
        gri_put_value(out, contribution);
        break;
    case GRI_PART_ARRIVAL:
        if (gri_steps_numbers(out->s)[step->to].arrivals > 1) put_arrival(out, step);
        break;
    default:
        if (step->arrival > 1) put_running_sum(out, step, contribution);
    }
}

/* A number of a formula as its value, or as its name; one without a name has only a value. */
typedef struct operand_writer {
    gri_steps_out *out;
    bool values;
    bool argument; /* of a function: nothing binds it more closely than a minus does */
} operand_writer;

static void put_operand(void *user, uint32_t i)
{
    const operand_writer *w = user;
    const gri_step_number *number = &gri_steps_numbers(w->out->s)[i];
    const bool value = w->values || number->bare, negative = value && number->value < 0 && !w->argument;
    if (!value) gri_put_number_name(w->out, i);
    if (negative) put(w->out, "(");
    if (value) gri_put_value_of(w->out, number);
    if (negative) put(w->out, ")");
}

/* "sigmoid(net_h1)"; each operand once, as far as one can take them in. */
static void put_application(operand_writer *w, const gri_step_number *number)
{
    const gri_step_edge *edge = gri_steps_edges(w->out->s) + number->first_edge;
    const char *operation = gri_steps_text(w->out->s, number->operation);
    gri_put_foreign(w->out, *operation ? operation : "f", GRI_STEP_NAME_CHARACTERS);
    put(w->out, "(");
    for (uint32_t i = 0, shown = 0; i < number->n_edges; i++) {
        bool before = false;
        for (uint32_t k = 0; k < i && !before; k++) before = edge[k].to == edge[i].to;
        if (before) continue;
        if (i > 0) put(w->out, ", ");
        if (shown++ == MOST_OPERANDS) {
            gri_text_symbol(&w->out->text, "…", "...");
            break;
        }
        put_operand(w, edge[i].to);
    }
    put(w->out, ")");
}

/* "= i1 · w1 + i2 · w2 + b1", "= sigmoid(net_h1)"; the same with numbers, where that is not too much. */
static void put_formula(gri_steps_out *out, const gri_step_number *number, bool values)
{
    operand_writer w = {out, values, number->n_terms == 0};
    const bool operation = *gri_steps_text(out->s, number->operation);
    if (values && number->n_terms == 0 && (!operation || number->n_edges > MOST_VALUES)) return;
    put(out, "= ");
    if (number->n_terms > 0)
        gri_put_terms(&out->text, gri_steps_terms(out->s) + number->first_term, number->n_terms, put_operand,
                      &w);
    else
        put_application(&w, number);
}

static void put_value_part(gri_steps_out *out, const gri_step *step, int part)
{
    const gri_step_number *number = &gri_steps_numbers(out->s)[step->to];
    if (part == GRI_PART_LEFT) gri_put_number_name(out, step->to);
    if (part == GRI_PART_SYMBOLS) put_formula(out, number, false);
    if (part == GRI_PART_NUMBERS) put_formula(out, number, true);
    if (part == GRI_PART_RESULT) {
        put(out, "= ");
        gri_put_value_of(out, number);
    }
}

static void put_seed_part(gri_steps_out *out, const gri_step *step, int part)
{
    if (part == GRI_PART_LEFT) gri_put_derivative(out, step->to);
    if (part == GRI_PART_RESULT) put(out, "= 1");
}

void gri_put_step_part(gri_steps_out *out, const gri_step *step, int part)
{
    if (step->kind == GR_STEP_EDGE)
        put_edge_part(out, step, part);
    else if (step->kind == GR_STEP_SEED)
        put_seed_part(out, step, part);
    else
        put_value_part(out, step, part);
}

/* ---- Columns ---- */

/* A part written into memory. It is at most a few names and numbers long: what does not fit is cut from what is measured,
   not from what is written. */
typedef struct part_text {
    char text[GRI_STEP_PART_BYTES];
    size_t used;
} part_text;

static bool keep_part(const char *text, size_t length, void *user)
{
    part_text *p = user;
    const size_t room = sizeof p->text - 1 - p->used, n = length < room ? length : room;
    memcpy(p->text + p->used, text, n);
    p->used += n;
    p->text[p->used] = '\0';
    return true;
}

size_t gri_step_part_columns(const gri_steps_out *out, const gri_step *step, int part)
{
    part_text p;
    p.used = 0;
    p.text[0] = '\0';
    gri_steps_out to;
    gri_steps_out_measure(&to, out, keep_part, &p);
    gri_put_step_part(&to, step, part);
    gri_text_end(&to.text);
    return (size_t)gri_text_columns(p.text);
}

/* Blanks are put before a part, not behind: lines do not end with any. */
static void put_line(gri_steps_out *out, const gri_step *step, const size_t *widths)
{
    size_t blanks = 0;
    for (int part = 0; part < GRI_STEP_PARTS; part++) {
        const size_t columns = gri_step_part_columns(out, step, part);
        if (columns > 0) {
            for (; blanks > 0; blanks--) put(out, " ");
            gri_put_step_part(out, step, part);
        }
        if (widths[part] > 0) blanks += widths[part] - columns + 1;
    }
    put(out, "\n");
}

gr_status gr_steps_write_text(gr_steps steps, gr_writer *write, void *user, const gr_steps_style *style)
{
    static const char what[] = "steps_write_text";
    gri_steps_out out;
    const gri_steps *s = gri_steps_out_begin(&out, steps, what, GRI_TO_TEXT, write, user, style);
    if (!s) return steps.graph ? steps.graph->status : GR_ERR_HANDLE;
    size_t widths[GRI_STEP_PARTS] = {0};
    const gri_step *list = gri_steps_list(s);
    for (uint32_t i = 0; i < s->n_steps; i++)
        for (int part = 0; part < GRI_STEP_PARTS; part++) {
            const size_t columns = gri_step_part_columns(&out, &list[i], part);
            if (columns > widths[part]) widths[part] = columns;
        }
    for (uint32_t i = 0; i < s->n_steps && !out.text.failed; i++) put_line(&out, &list[i], widths);
    return gri_steps_out_end(&out, steps, what);
}
