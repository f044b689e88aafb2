/* Derivation paths as aligned text. */
#include "draw/derivation.h"
#include "draw/table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CELL_BYTES = 1024, LINE_WIDTH = 100, INDENT = 9 };

/* The rows of a path. */
typedef enum row { DERIVATIVES, SYMBOLS, NUMBERS } row;

typedef struct cell {
    char text[CELL_BYTES];
    size_t used;
} cell;

static bool fill_cell(const char *text, size_t length, void *user)
{
    cell *c = user;
    const size_t room = CELL_BYTES - 1 - c->used, n = length < room ? length : room;
    memcpy(c->text + c->used, text, n);
    c->used += n;
    return true;
}

static void put(gri_paths_writing *w, const char *text) { gri_text_put(&w->text, text); }

static void put_blanks(gri_paths_writing *w, int n)
{
    for (; n > 0; n--) put(w, " ");
}

static void put_derivative(gri_text *t, const char *of, const char *by)
{
    gri_text_symbol(t, "∂", "d");
    gri_put_name(t, of, GRI_PLAIN);
    gri_text_put(t, "/");
    gri_text_symbol(t, "∂", "d");
    gri_put_name(t, by, GRI_PLAIN);
}

/* What is summed or multiplied up. */
static void put_result(gri_paths_writing *w, double value) { gri_put_figure(w, value, true, GRI_COMPUTED); }

static void put_partial(const gri_paths_writing *w, gri_text *t, const gri_scalar_edge *e)
{
    char number[GRI_NUMBER_BYTES];
    gri_figure(number, e->partial, w->format.digits, false, gri_origin_of_partial(w->s, e));
    gri_text_number(t, number);
}

/* One factor, as it stands in a row. What begins with a minus is put in parentheses. */
static void fill(gri_paths_writing *w, uint32_t step, row which, cell *c)
{
    const gri_scalar_edge *e = &w->s->edge[w->d->steps[step]];
    const bool symbol = which == SYMBOLS && gri_has_symbol(w->s, e);
    static const char *const minus[] = {"−", "-"};
    gri_text t;
    c->used = 0;
    gri_text_begin(&t, fill_cell, c, w->format.ascii);
    if (which == DERIVATIVES)
        put_derivative(&t, w->s->node[e->from].name, w->s->node[e->to].name);
    else if (symbol)
        gri_put_symbol(&t, w->s, e, GRI_PLAIN);
    else
        put_partial(w, &t, e);
    gri_text_end(&t);
    c->text[c->used] = '\0';
    if (strncmp(c->text, minus[w->format.ascii], strlen(minus[w->format.ascii])) == 0 &&
        c->used < CELL_BYTES - 2) {
        memmove(c->text + 1, c->text, c->used + 1);
        c->text[0] = '(';
        strcpy(c->text + c->used + 1, ")");
        c->used += 2;
    }
}

static int widest(gri_paths_writing *w, uint32_t step)
{
    cell c;
    int width = 0;
    for (int which = DERIVATIVES; which <= NUMBERS; which++) {
        fill(w, step, (row)which, &c);
        const int own = gri_text_columns(c.text);
        if (own > width) width = own;
    }
    return width;
}

/* A row of the factors from `first` to before `end`, which begin the product or go on with it. */
static void put_row(gri_paths_writing *w, const char *label, uint32_t route, uint32_t first, uint32_t end,
                    row which)
{
    const uint32_t start = w->d->routes[route].first;
    cell c;
    put(w, label);
    put_blanks(w, INDENT - 2 - gri_text_columns(label));
    put(w, which == DERIVATIVES || first > start ? "  " : "= ");
    for (uint32_t i = first; i < end; i++) {
        fill(w, i, which, &c);
        if (i > start && which == NUMBERS)
            gri_text_symbol(&w->text, i > first ? " × " : "× ", i > first ? " * " : "* ");
        else if (i > start)
            gri_text_symbol(&w->text, i > first ? " · " : "· ", i > first ? " . " : ". ");
        put(w, c.text);
        if (i + 1 < end) put_blanks(w, widest(w, i) - gri_text_columns(c.text));
    }
    put(w, "\n");
}

static bool has_symbols(gri_paths_writing *w, gri_route r)
{
    for (uint32_t i = 0; i < r.n; i++)
        if (gri_has_symbol(w->s, &w->s->edge[w->d->steps[r.first + i]])) return true;
    return false;
}

/* What kills a path: "dnet_h1/dw1 = i1 = 0". */
static void put_zeros(gri_paths_writing *w, gri_route r)
{
    const char *separator = ", for ";
    cell c;
    for (uint32_t i = r.first; i < r.first + r.n; i++) {
        const gri_scalar_edge *e = &w->s->edge[w->d->steps[i]];
        if (e->partial != 0) continue;
        put(w, separator);
        fill(w, i, DERIVATIVES, &c);
        put(w, c.text);
        put(w, " = ");
        fill(w, i, SYMBOLS, &c);
        put(w, c.text);
        if (gri_has_symbol(w->s, e)) put(w, " = 0");
        separator = ", ";
    }
}

static void put_path(gri_paths_writing *w, uint32_t route)
{
    const gri_route r = w->d->routes[route];
    char label[32];
    snprintf(label, sizeof label, "path %u", (unsigned)route + 1);
    const bool symbols = has_symbols(w, r);
    for (uint32_t first = r.first; first < r.first + r.n;) {
        uint32_t end = first;
        for (int width = INDENT;
             end < r.first + r.n && (end == first || width + widest(w, end) <= LINE_WIDTH); end++)
            width += widest(w, end) + 3;
        put_row(w, first == r.first ? label : "", route, first, end, DERIVATIVES);
        if (symbols) put_row(w, "", route, first, end, SYMBOLS);
        put_row(w, "", route, first, end, NUMBERS);
        first = end;
    }
    if (r.n == 0) put(w, label);
    put_blanks(w, INDENT - 2 - (r.n == 0 ? gri_text_columns(label) : 0));
    put(w, "= ");
    put_result(w, w->p->paths[route].product);
    put_zeros(w, r);
    put(w, "\n\n");
}

enum { SUM_LABEL = 12 };

static void put_sum_line(gri_paths_writing *w, const char *label, double value)
{
    put(w, label);
    put_blanks(w, SUM_LABEL - gri_text_columns(label));
    put_result(w, value);
    put(w, "\n");
}

/* "+37 more    -0.0125", its number below the others as far as that can be. */
static void put_more(gri_paths_writing *w)
{
    char count[GRI_COUNT_BYTES];
    gri_count_text(w, w->p->more_count, count);
    const int width = gri_text_columns(count) + (int)strlen("+ more");
    put(w, "+");
    put(w, count);
    put(w, " more");
    put_blanks(w, width < SUM_LABEL ? SUM_LABEL - width : 2);
    put_result(w, w->p->more_sum);
    put(w, "\n");
}

static void put_sum(gri_paths_writing *w)
{
    const gr_paths *p = w->p;
    char label[48];
    for (int i = 0; i < p->n && p->count > 1; i++) {
        snprintf(label, sizeof label, "path %d", i + 1);
        put_sum_line(w, label, p->paths[i].product);
    }
    if (p->more_count > 0) put_more(w);
    if (p->count > 1) put_sum_line(w, "sum", p->total);
    if (p->has_gradient) put_sum_line(w, "backward", p->gradient);
}

static void put_heading(gri_paths_writing *w)
{
    const gr_paths *p = w->p;
    put_derivative(&w->text, p->of, p->by);
    put(w, " = ");
    put_result(w, p->total);
    put(w, ": ");
    if (p->count == 0) {
        put(w, "no path leads from ");
        gri_put_name(&w->text, p->of, GRI_PLAIN);
        put(w, " to ");
        gri_put_name(&w->text, p->by, GRI_PLAIN);
    } else {
        gri_put_count(w, p->count);
        put(w, p->count == 1 ? " path" : " paths");
        if (p->zero_count > 0) put(w, ", ");
        if (p->zero_count > 0 && p->zero_count < p->count) {
            gri_put_count(w, p->zero_count);
            put(w, " of them 0");
        } else if (p->zero_count > 0) {
            put(w, p->count == 1 ? "which is 0" : p->count == 2 ? "both 0" : "all of them 0");
        }
    }
    put(w, "\n\n");
}

void gri_write_paths_text(gri_paths_writing *w)
{
    put_heading(w);
    for (uint32_t i = 0; i < w->d->n_routes && !w->text.failed; i++) put_path(w, i);
    put_sum(w);
}
