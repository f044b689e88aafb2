/*
 * What a number is of its operands, read off its partial derivatives: where each of these is a constant, a multiple of
 * an operand or of a difference of two, everywhere, the number is a polynomial of the second degree and nothing else;
 * what is missing to its value is its constant term. "net_h1 = i1 · w1 + i2 · w2 + b1", "E1 = ½ (o1 − t1)²".
 *
 * Invariant: each partial derivative of the terms of a node is, in sum, that of its edges.
 */
#include "draw/scalars.h"
#include "draw/table.h"

#include <math.h>
#include <string.h>

enum { MOST_TERMS = 12, MOST_EDGES = 2 * MOST_TERMS, FACTOR_DIGITS = 6 };

/* ---- Finding them ---- */

/* An edge to b for the edge to a that makes the term factor a b of both: of each the derivative is a multiple of the
   other's end. */
static bool is_product(const gri_scalar_edge *a, const gri_scalar_edge *b)
{
    return a->kind == GRI_SYMBOL_ELEMENT && b->kind == GRI_SYMBOL_ELEMENT && a->other == b->to &&
           b->other == a->to && a->factor == b->factor;
}

/* The coefficient of node `of` in the derivative of an edge that is a multiple of a sum; NaN: none. */
static double coefficient(const gri_scalars *s, const gri_scalar_edge *e, uint32_t of)
{
    if (e->kind != GRI_SYMBOL_ELEMENT || e->other < s->n_nodes) return NAN;
    const gri_scalar_sum *sum = &s->sum[e->other - s->n_nodes];
    for (int k = 0; k < 2; k++)
        if (sum->term[k] == of) return sum->minus[k] ? -e->factor : e->factor;
    return NAN;
}

/* d/da = 2 factor (a - b), d/db = 2 factor (b - a). */
static bool is_difference(const gri_scalars *s, const gri_scalar_edge *a, const gri_scalar_edge *b)
{
    const double c = coefficient(s, a, a->to);
    return a->to != b->to && coefficient(s, a, b->to) == -c && coefficient(s, b, b->to) == c &&
           coefficient(s, b, a->to) == -c;
}

/* Takes edge k, and the other one that makes a term with it. */
static bool take_term(const gri_scalars *s, const gri_scalar *node, uint32_t k, bool *taken, gri_term *to)
{
    const gri_scalar_edge *e = &s->edge[node->first_edge], *a = &e[k];
    taken[k] = true;
    if (a->kind == GRI_SYMBOL_CONSTANT) {
        *to = (gri_term){a->partial, a->to, a->to, GRI_TERM_LINEAR};
        return true;
    }
    for (uint32_t i = k + 1; i < node->n_edges; i++) {
        const bool product = !taken[i] && is_product(a, &e[i]);
        if (!product && (taken[i] || !is_difference(s, a, &e[i]))) continue;
        taken[i] = true;
        *to = product ? (gri_term){a->factor, a->to, a->other, GRI_TERM_PRODUCT}
                      : (gri_term){coefficient(s, a, a->to) / 2, a->to, e[i].to, GRI_TERM_DIFFERENCE};
        return true;
    }
    *to = (gri_term){a->factor / 2, a->to, a->to, GRI_TERM_PRODUCT}; /* a square, by one edge */
    return a->kind == GRI_SYMBOL_ELEMENT && a->other == a->to;
}

static double value_of(const gri_scalars *s, const gri_term *term)
{
    const double a = s->node[term->a].value, b = s->node[term->b].value;
    const double of_kind[] = {[GRI_TERM_CONSTANT] = 1,
                              [GRI_TERM_LINEAR] = a,
                              [GRI_TERM_PRODUCT] = a * b,
                              [GRI_TERM_DIFFERENCE] = (a - b) * (a - b)};
    return term->factor * of_kind[term->kind];
}

/* Adds the constant term, if there is one; false if the sum is not a number. */
static bool add_constant(const gri_scalars *s, const gri_scalar *node, gri_term *term, uint32_t *n)
{
    double sum = 0, size = fabs(node->value);
    for (uint32_t i = 0; i < *n; i++) {
        const double value = value_of(s, &term[i]);
        sum += value;
        size += fabs(value);
    }
    const double rest = node->value - sum, rounding = (node->single ? 1e-5 : 1e-13) * size;
    if (!isfinite(rest)) return false;
    if (fabs(rest) > rounding) term[(*n)++] = (gri_term){.factor = rest, .kind = GRI_TERM_CONSTANT};
    return true;
}

static uint32_t find_terms(const gri_scalars *s, const gri_scalar *node, gri_term *term)
{
    bool taken[MOST_EDGES] = {false};
    uint32_t n = 0;
    if (node->n_edges == 0 || node->n_edges > MOST_EDGES) return 0;
    for (uint32_t k = 0; k < node->n_edges; k++) {
        if (taken[k]) continue;
        if (n == MOST_TERMS || !take_term(s, node, k, taken, &term[n])) return 0;
        if (term[n].factor != 0) n++;
    }
    return add_constant(s, node, term, &n) ? n : 0;
}

gr_status gri_scalars_terms(gri_scalars *s)
{
    gri_term term[MOST_TERMS + 1];
    s->term_capacity = (size_t)s->n_edges + s->n_nodes; /* no more, with the constant ones */
    s->term = gri_alloc(&s->g->memory, s->term_capacity * sizeof *s->term);
    if (!s->term) return gri_fail_memory(s->g, s->what, s->term_capacity * sizeof *s->term);
    for (uint32_t i = 0; i < s->n_nodes; i++) {
        gri_scalar *node = &s->node[i];
        node->first_term = s->n_terms;
        node->n_terms = find_terms(s, node, term);
        for (uint32_t k = 0; k < node->n_terms; k++) s->term[s->n_terms++] = term[k];
    }
    return GR_OK;
}

/* ---- Writing them ---- */

static void put_number(gri_text *t, double value)
{
    char number[GRI_NUMBER_BYTES];
    gri_number(number, value, FACTOR_DIGITS, false);
    gri_text_number(t, number);
}

static void put_times(gri_text *t) { gri_text_symbol(t, " · ", " * "); }
static void put_squared(gri_text *t) { gri_text_symbol(t, "²", "^2"); }

/* The size of a factor; that of 1 is not written. */
static void put_factor(gri_text *t, const gri_term *term)
{
    const double size = fabs(term->factor);
    const bool half = size == 0.5 && term->kind == GRI_TERM_DIFFERENCE && !t->ascii;
    if (size == 1) return;
    if (half) {
        gri_text_put(t, "½ ");
        return;
    }
    put_number(t, size);
    put_times(t);
}

static void put_term(gri_text *t, const gri_term *term, gri_put_operand *put, void *user)
{
    const bool difference = term->kind == GRI_TERM_DIFFERENCE;
    if (term->kind == GRI_TERM_CONSTANT) {
        put_number(t, fabs(term->factor));
        return;
    }
    put_factor(t, term);
    if (difference) gri_text_put(t, "(");
    put(user, term->a);
    if (difference) {
        gri_text_symbol(t, " − ", " - ");
        put(user, term->b);
        gri_text_put(t, ")");
        put_squared(t);
    } else if (term->kind == GRI_TERM_PRODUCT && term->a == term->b) {
        put_squared(t);
    } else if (term->kind == GRI_TERM_PRODUCT) {
        put_times(t);
        put(user, term->b);
    }
}

void gri_put_terms(gri_text *t, const gri_term *term, uint32_t n, gri_put_operand *put, void *user)
{
    for (uint32_t i = 0; i < n; i++) {
        const bool minus = term[i].factor < 0;
        if (minus)
            gri_text_symbol(t, i ? " − " : "−", i ? " - " : "-");
        else if (i)
            gri_text_put(t, " + ");
        put_term(t, &term[i], put, user);
    }
}

typedef struct putter {
    gri_text *text;
    const gri_scalars *s;
    int digits;
    gri_flavour flavour;
    bool argument; /* of a function: nothing binds it more closely than a minus does */
} putter;

static void put_operand(void *user, uint32_t node)
{
    const putter *p = user;
    const gri_scalar *operand = &p->s->node[node];
    char number[GRI_NUMBER_BYTES];
    if (!operand->leaf || operand->named) {
        gri_put_scalar(p->text, p->s, node, p->flavour);
        return;
    }
    gri_figure(number, operand->value, p->digits, false, gri_origin_of_value(operand));
    const bool negative = operand->value < 0 && !p->argument;
    if (negative) gri_text_put(p->text, "(");
    gri_text_number(p->text, number);
    if (negative) gri_text_put(p->text, ")");
}

/* Each operand once, as far as one can take them in. */
static void put_application(putter *p, const gri_scalar *node)
{
    const gri_scalar_edge *e = &p->s->edge[node->first_edge];
    gri_put_name(p->text, node->op->name, p->flavour);
    gri_text_put(p->text, "(");
    for (uint32_t i = 0, shown = 0; i < node->n_edges; i++) {
        bool before = false;
        for (uint32_t k = 0; k < i && !before; k++) before = e[k].to == e[i].to;
        if (before) continue;
        if (i > 0) gri_text_put(p->text, ", ");
        if (shown++ == MOST_TERMS) {
            gri_text_symbol(p->text, "…", "...");
            break;
        }
        put_operand(p, e[i].to);
    }
    gri_text_put(p->text, ")");
}

void gri_put_formula(gri_text *t, const gri_scalars *s, uint32_t node, int digits, gri_flavour flavour)
{
    const gri_scalar *n = &s->node[node];
    putter p = {t, s, digits, flavour, n->n_terms == 0};
    if (n->n_terms > 0)
        gri_put_terms(t, &s->term[n->first_term], n->n_terms, put_operand, &p);
    else if (n->op && n->n_edges > 0 && !n->composed)
        put_application(&p, n);
}

/* What does not fit is cut from what is measured. */
typedef struct measured {
    char text[1024];
    size_t used;
} measured;

static bool keep(const char *text, size_t length, void *user)
{
    measured *m = user;
    const size_t room = sizeof m->text - 1 - m->used, n = length < room ? length : room;
    memcpy(m->text + m->used, text, n);
    m->used += n;
    m->text[m->used] = '\0';
    return true;
}

int gri_formula_columns(const gri_scalars *s, uint32_t node, int digits, bool ascii)
{
    measured m = {.used = 0};
    gri_text t;
    gri_text_begin(&t, keep, &m, ascii);
    gri_put_formula(&t, s, node, digits, GRI_PLAIN);
    gri_text_end(&t);
    return gri_text_columns(m.text);
}
