/* Derivation paths for LaTeX: displays of the package amsmath, symbols first, then numbers. */
#include "draw/derivation.h"
#include "draw/table.h"

#include <math.h>

/* A line of a page: so many characters of factors, or terms. */
enum { LINE_WIDTH = 84, GAP = 3, TERMS = 5, SYMBOL_BYTES = 512 };

static void put(gri_paths_writing *w, const char *text) { gri_text_put(&w->text, text); }

static void put_derivative(gri_paths_writing *w, const char *of, const char *by)
{
    put(w, "\\frac{\\partial ");
    gri_put_name(&w->text, of, GRI_LATEX);
    put(w, "}{\\partial ");
    gri_put_name(&w->text, by, GRI_LATEX);
    put(w, "}");
}

/* A number: 1e-05 is 10 to a power. */
static void put_number(gri_paths_writing *w, double value, gri_origin origin)
{
    char number[GRI_NUMBER_BYTES], piece[2] = {0};
    gri_figure(number, value, w->format.digits, false, origin);
    const char *c = number;
    for (; *c && *c != 'e' && *c != 'n' && *c != 'i'; c++) {
        piece[0] = *c;
        put(w, piece);
    }
    if (*c == 'n') put(w, "\\mathrm{nan}");
    if (*c == 'i') put(w, "\\infty");
    if (*c != 'e') return;
    put(w, " \\times 10^{");
    if (*++c == '-') put(w, "-");
    for (c += *c == '-' || *c == '+'; *c == '0'; c++) continue;
    put(w, c);
    put(w, "}");
}

/* The number of a factor; negative ones in parentheses. */
static void put_factor(gri_paths_writing *w, const gri_scalar_edge *e)
{
    if (e->partial < 0) put(w, "(");
    put_number(w, e->partial, gri_origin_of_partial(w->s, e));
    if (e->partial < 0) put(w, ")");
}

static bool is_negative(const gri_scalars *s, const gri_scalar_edge *e)
{
    if (e->kind == GRI_SYMBOL_FORM) return gri_forms[e->form].latex[0] == '-';
    return e->factor < 0 && !(e->factor == -1 && e->other >= s->n_nodes); /* -(t - o) is written (o - t) */
}

static void put_symbol(gri_paths_writing *w, const gri_scalar_edge *e)
{
    if (!gri_has_symbol(w->s, e)) {
        put_factor(w, e);
        return;
    }
    const bool negative = is_negative(w->s, e);
    if (negative) put(w, "(");
    gri_put_symbol(&w->text, w->s, e, GRI_LATEX);
    if (negative) put(w, ")");
}

typedef enum row { DERIVATIVES, SYMBOLS, NUMBERS } row;

/* The characters that a factor takes in the widest of its rows, nearly: a fraction has one name above the other. */
static int width_of(const gri_paths_writing *w, const gri_scalar_edge *e)
{
    char symbol[SYMBOL_BYTES];
    const int of = gri_text_columns(w->s->node[e->from].name), by = gri_text_columns(w->s->node[e->to].name);
    int width = of > by ? of : by;
    if (width < w->format.digits + 2) width = w->format.digits + 2;
    if (gri_has_symbol(w->s, e) && gri_symbol_text(w->s, e, symbol, sizeof symbol) > 0) {
        const int own = gri_text_columns(symbol);
        if (own > width) width = own;
    }
    return width + GAP;
}

static void put_row(gri_paths_writing *w, gri_route r, row which)
{
    for (uint32_t i = 0, used = 0; i < r.n; i++) {
        const gri_scalar_edge *e = &w->s->edge[w->d->steps[r.first + i]];
        const uint32_t width = (uint32_t)width_of(w, e);
        const bool wrap = i > 0 && used + width > LINE_WIDTH;
        used = wrap ? width : used + width;
        if (wrap) put(w, " \\\\\n  &\\qquad");
        if (i > 0) put(w, which == NUMBERS ? " \\times " : " \\cdot ");
        if (which == DERIVATIVES)
            put_derivative(w, w->s->node[e->from].name, w->s->node[e->to].name);
        else if (which == SYMBOLS)
            put_symbol(w, e);
        else
            put_factor(w, e);
    }
}

static bool has_symbols(const gri_paths_writing *w, gri_route r)
{
    for (uint32_t i = 0; i < r.n; i++)
        if (gri_has_symbol(w->s, &w->s->edge[w->d->steps[r.first + i]])) return true;
    return false;
}

static void put_path(gri_paths_writing *w, uint32_t route)
{
    const gri_route r = w->d->routes[route];
    put(w, "\\begin{align*}\n  p_{");
    gri_text_unsigned(&w->text, (uint64_t)route + 1);
    put(w, "} ");
    if (r.n > 0) {
        put(w, "&= ");
        put_row(w, r, DERIVATIVES);
        if (has_symbols(w, r)) {
            put(w, " \\\\\n  &= ");
            put_row(w, r, SYMBOLS);
        }
        put(w, " \\\\\n  &= ");
        put_row(w, r, NUMBERS);
        put(w, " \\\\\n  ");
    }
    put(w, "&= ");
    put_number(w, w->p->paths[route].product, GRI_COMPUTED);
    put(w, "\n\\end{align*}\n");
}

/* The lines of a long sum. */
static void put_break(gri_paths_writing *w, int term)
{
    if (term > 0 && term % TERMS == 0) put(w, " \\\\\n  &\\qquad");
}

static void put_count(gri_paths_writing *w, double count)
{
    if (count < GRI_EXACT_COUNT) {
        gri_put_count(w, count);
        return;
    }
    put(w, isinf(count) ? "" : "\\approx ");
    put_number(w, count, GRI_COMPUTED);
}

/* "p_1 + p_2 + 5 more". */
static void put_names(gri_paths_writing *w)
{
    const gr_paths *p = w->p;
    for (int i = 0; i < p->n; i++) {
        if (i % (2 * TERMS) == 0) put_break(w, i);
        put(w, i ? " + p_{" : "p_{");
        gri_text_unsigned(&w->text, (uint64_t)i + 1);
        put(w, "}");
    }
    if (p->more_count > 0) {
        put(w, " + \\underbrace{\\cdots}_{");
        put_count(w, p->more_count);
        put(w, "\\ \\mathrm{more}}");
    }
}

static void put_term(gri_paths_writing *w, bool first, double value)
{
    const bool minus = value < 0;
    put(w, minus ? first ? "-" : " - " : first ? "" : " + ");
    put_number(w, minus ? -value : value, GRI_COMPUTED);
}

static void put_terms(gri_paths_writing *w)
{
    const gr_paths *p = w->p;
    for (int i = 0; i < p->n; i++) {
        put_break(w, i);
        put_term(w, i == 0, p->paths[i].product);
    }
    if (p->more_count > 0) put_break(w, p->n);
    if (p->more_count > 0) put_term(w, false, p->more_sum);
}

static void put_sum(gri_paths_writing *w)
{
    const gr_paths *p = w->p;
    put(w, "\\begin{align*}\n  ");
    put_derivative(w, p->of, p->by);
    put(w, " ");
    if (p->count > 0) {
        put(w, "&= ");
        put_names(w);
        put(w, " \\\\\n  ");
    }
    if (p->count > 1) {
        put(w, "&= ");
        put_terms(w);
        put(w, " \\\\\n  ");
    }
    put(w, "&= ");
    put_number(w, p->total, GRI_COMPUTED);
    put(w, "\n\\end{align*}\n");
}

void gri_write_paths_latex(gri_paths_writing *w)
{
    w->text.ascii = true; /* whatever the encoding of the document */
    if (w->format.document)
        put(w, "\\documentclass{article}\n\\usepackage{amsmath}\n\\usepackage[margin=15mm]{geometry}\n"
               "\\pagestyle{empty}\n\\allowdisplaybreaks\n\\begin{document}\n");
    for (uint32_t i = 0; i < w->d->n_routes && !w->text.failed; i++) put_path(w, i);
    put_sum(w);
    if (w->format.document) put(w, "\\end{document}\n");
}
