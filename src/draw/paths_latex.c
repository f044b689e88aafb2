/* Derivation paths for LaTeX: displays of the package amsmath, symbols first, then numbers. */
#include "draw/derivation.h"

enum { PER_LINE = 7 }; /* factors */

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
static void put_number(gri_paths_writing *w, double value, bool sign)
{
    char number[GRI_NUMBER_BYTES], piece[2] = {0};
    gri_number(number, value, w->format.digits, sign);
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

/* A number in a product: negative ones, and powers of ten, in parentheses. */
static void put_factor(gri_paths_writing *w, double value)
{
    if (value < 0) put(w, "(");
    put_number(w, value, false);
    if (value < 0) put(w, ")");
}

static bool is_negative(const gri_scalars *s, const gri_scalar_edge *e)
{
    if (e->kind == GRI_SYMBOL_FORM) return gri_forms[e->form].latex[0] == '-';
    return e->factor < 0 && !(e->factor == -1 && e->other >= s->n_nodes); /* -(t - o) is written (o - t) */
}

static void put_symbol(gri_paths_writing *w, const gri_scalar_edge *e)
{
    if (!gri_has_symbol(w->s, e)) {
        put_factor(w, e->partial);
        return;
    }
    const bool negative = is_negative(w->s, e);
    if (negative) put(w, "(");
    gri_put_symbol(&w->text, w->s, e, GRI_LATEX);
    if (negative) put(w, ")");
}

typedef enum row { DERIVATIVES, SYMBOLS, NUMBERS } row;

static void put_row(gri_paths_writing *w, gri_route r, row which)
{
    for (uint32_t i = 0; i < r.n; i++) {
        const gri_scalar_edge *e = &w->s->edge[w->d->steps[r.first + i]];
        if (i > 0 && i % PER_LINE == 0) put(w, " \\\\\n  &\\qquad");
        if (i > 0) put(w, which == NUMBERS ? " \\times " : " \\cdot ");
        if (which == DERIVATIVES)
            put_derivative(w, w->s->node[e->from].name, w->s->node[e->to].name);
        else if (which == SYMBOLS)
            put_symbol(w, e);
        else
            put_factor(w, e->partial);
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
    put_number(w, w->p->paths[route].product, false);
    put(w, "\n\\end{align*}\n");
}

/* "p_1 + p_2 + 5 more". */
static void put_names(gri_paths_writing *w)
{
    const gr_paths *p = w->p;
    for (int i = 0; i < p->n; i++) {
        put(w, i ? " + p_{" : "p_{");
        gri_text_unsigned(&w->text, (uint64_t)i + 1);
        put(w, "}");
    }
    if (p->more_count > 0) {
        put(w, " + \\underbrace{\\cdots}_{");
        gri_put_count(w, p->more_count);
        put(w, "\\ \\mathrm{more}}");
    }
}

static void put_term(gri_paths_writing *w, bool first, double value)
{
    const bool minus = value < 0;
    put(w, minus ? first ? "-" : " - " : first ? "" : " + ");
    put_number(w, minus ? -value : value, false);
}

static void put_terms(gri_paths_writing *w)
{
    const gr_paths *p = w->p;
    for (int i = 0; i < p->n; i++) put_term(w, i == 0, p->paths[i].product);
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
    put_number(w, p->total, false);
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
