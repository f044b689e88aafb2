/*
 * Derivation paths as a drawing for Graphviz.
 *
 * Edges lead from operands to results, as data flows; those on a path have their arrow at the other end, as backward goes.
 * Line style and width tell the paths apart, then colour.
 */
#include "draw/derivation.h"

#include <string.h>

enum {
    PALETTE = 7,
    DARK = 3, /* colours of it that letters can have */
    STYLES = 3,
    LINES = 4,
    LOOKS = 2 * STYLES, /* that paths can be told apart by, without colour */
    FACTORS = 9,
    FORMULA_COLUMNS = 26,
    TITLE_CHARACTERS = 400
};

/* Which of the listed paths an edge is on: how many, and the first of them. */
typedef struct lines {
    uint32_t n, first[LINES];
} lines;

typedef struct drawing {
    gri_paths_writing *w;
    lines *lines;    /* by edge */
    uint32_t *id;    /* by node: 0: not drawn; else 1 + its number */
    uint8_t *listed; /* by node: on a listed path */
    uint8_t *aside;  /* by node: written where it acts */
} drawing;

/* The lines of a label: dot leaves them room only in a table. */
#define LINES_BEGIN "<TABLE BORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"1\"><TR><TD>"
#define LINES_BREAK "</TD></TR><TR><TD>"
#define LINES_END   "</TD></TR></TABLE>"

static void put(const drawing *d, const char *text) { gri_text_put(&d->w->text, text); }
static void put_name(const drawing *d, uint32_t node)
{
    gri_put_scalar(&d->w->text, d->w->s, node, GRI_LABEL);
}

static void put_value(const drawing *d, uint32_t node)
{
    const gri_scalar *n = &d->w->s->node[node];
    gri_put_figure(d->w, n->value, false, gri_origin_of_value(n));
}
static void put_partial(const drawing *d, const gri_scalar_edge *e)
{
    gri_put_figure(d->w, e->partial, false, gri_origin_of_partial(d->w->s, e));
}
/* What is summed or multiplied up. */
static void put_result(const drawing *d, double value) { gri_put_figure(d->w, value, true, GRI_COMPUTED); }

/* ---- How paths look ---- */

/* The palette of Okabe and Ito (2002), the darker colours first. */
static const char *const palette[PALETTE] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                             "#E69F00", "#56B4E9", "#000000"};
static const char *const styles[STYLES] = {"solid", "dashed", "dotted"};

static const char *colour_of(uint32_t route) { return palette[route % PALETTE]; }
/* Of letters: the colour, if it is a dark one. */
static const char *ink_of(uint32_t route) { return route % PALETTE < DARK ? colour_of(route) : "#333333"; }
static const char *style_of(uint32_t route) { return styles[route % STYLES]; }
static const char *width_of(uint32_t route) { return route < STYLES ? "3" : "1.5"; }

/* A piece of the line, for the table. */
static void put_sample(const drawing *d, uint32_t route)
{
    static const char *const thick[STYLES] = {"━━━", "╍╍╍", "▪▪▪"}, *const thin[STYLES] = {"───", "╌╌╌",
                                                                                           "···"};
    static const char *const ascii[STYLES] = {"---", "- -", ". ."};
    const uint32_t style = route % STYLES;
    gri_text_symbol(&d->w->text, route < STYLES ? thick[style] : thin[style], ascii[style]);
    if (route >= STYLES && d->w->text.ascii) put(d, " thin");
}

/* ---- What is drawn ---- */

static void find_lines(const drawing *d)
{
    const gri_derivation *all = d->w->d;
    for (uint32_t route = 0; route < all->n_routes; route++)
        for (uint32_t k = 0; k < all->routes[route].n; k++) {
            const uint32_t edge = all->steps[all->routes[route].first + k];
            lines *l = &d->lines[edge];
            if (l->n < LINES) l->first[l->n] = route;
            l->n++;
            d->listed[d->w->s->edge[edge].from] = d->listed[d->w->s->edge[edge].to] = 1;
        }
}

static bool is_end(const drawing *d, uint32_t node) { return node == d->w->s->root || node == d->w->d->by; }

static bool is_nameless(const gri_scalar *node) { return node->leaf && !node->named; }

/* Whether what a node is of its operands is written in it: if it is short. */
static bool shows_formula(const drawing *d, uint32_t i)
{
    const gri_paths_writing *w = d->w;
    const int columns = gri_formula_columns(w->s, i, w->format.digits, w->text.ascii);
    return columns > 0 && columns <= FORMULA_COLUMNS;
}

/* Whether an edge's operand is what another is compared with, as a target is: 1/2 (o - t)^2. */
static bool is_compared(const drawing *d, const gri_scalar_edge *e)
{
    const gri_scalar *from = &d->w->s->node[e->from];
    const gri_term *term = &d->w->s->term[from->first_term];
    for (uint32_t k = 0; k < from->n_terms; k++)
        if (term[k].kind == GRI_TERM_DIFFERENCE && (term[k].a == e->to || term[k].b == e->to))
            return shows_formula(d, e->from);
    return false;
}

/* Whether the effect of an edge's operand can be read off elsewhere: it is compared with something, or a parameter that
   is a term, or the symbol of another edge. */
static bool is_explained(const drawing *d, const gri_scalar_edge *e)
{
    const gri_scalars *s = d->w->s;
    const gri_scalar *from = &s->node[e->from];
    if (is_compared(d, e)) return true;
    if (!s->node[e->to].param) return false;
    if (e->kind == GRI_SYMBOL_CONSTANT) return true;
    for (uint32_t k = 0; k < from->n_edges; k++) {
        const gri_scalar_edge *other = &s->edge[from->first_edge + k];
        if (other->kind == GRI_SYMBOL_ELEMENT && other->other == e->to) return true;
    }
    return false;
}

/* Leaves that are written where they act, and numbers without a name. */
static void find_asides(const drawing *d)
{
    const gri_scalars *s = d->w->s;
    for (uint32_t i = 0; i < s->n_nodes; i++)
        d->aside[i] = s->node[i].leaf && !d->w->d->leads[i] && !is_end(d, i);
    for (uint32_t k = 0; k < s->n_edges; k++) {
        const gri_scalar_edge *e = &s->edge[k];
        if (d->aside[e->to] && !is_nameless(&s->node[e->to]) && !is_explained(d, e)) d->aside[e->to] = 0;
    }
}

static bool is_drawn(const drawing *d, uint32_t node)
{
    if (is_end(d, node)) return true;
    if (d->w->format.extent == GR_PATHS_LISTED) return d->listed[node];
    if (d->w->format.extent == GR_PATHS_ON_PATHS) return d->w->d->leads[node];
    return !d->aside[node];
}

static void number_nodes(const drawing *d)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->w->s->n_nodes; i++)
        if (is_drawn(d, i)) d->id[i] = ++n;
}

/* ---- Nodes ---- */

static void put_id(const drawing *d, uint32_t node)
{
    put(d, "n");
    gri_text_unsigned(&d->w->text, d->id[node] - 1);
}

static void put_derivative(const drawing *d, uint32_t of, uint32_t by)
{
    gri_text_symbol(&d->w->text, "∂", "d");
    put_name(d, of);
    put(d, "/");
    gri_text_symbol(&d->w->text, "∂", "d");
    put_name(d, by);
}

#define SMALL_LINE LINES_BREAK "<FONT POINT-SIZE=\"9\" COLOR=\"#555555\">"

/* "= i1 · w1 + i2 · w2 + b1" */
static void put_formula(const drawing *d, uint32_t i)
{
    put(d, SMALL_LINE "= ");
    gri_put_formula(&d->w->text, d->w->s, i, d->w->format.digits, GRI_LABEL);
    put(d, "</FONT>");
}

/* The sign, and the factor, of a term whose formula is not shown. */
static void put_sign(const drawing *d, const gri_scalar_edge *e)
{
    if (e->partial == -1)
        gri_text_symbol(&d->w->text, "− ", "- ");
    else
        put(d, "+ ");
    if (e->partial == 1 || e->partial == -1) return;
    put_partial(d, e);
    put(d, " ");
}

/* Operands that are no nodes: "b1 = 0.35" below a formula, else "+ b1 = 0.35". */
static void put_asides(const drawing *d, uint32_t i, bool formula)
{
    const gri_scalars *s = d->w->s;
    const gri_scalar *node = &s->node[i];
    for (uint32_t k = 0; k < node->n_edges; k++) {
        const gri_scalar_edge *e = &s->edge[node->first_edge + k];
        if (!d->aside[e->to] || is_nameless(&s->node[e->to])) continue;
        if (e->kind != GRI_SYMBOL_CONSTANT && !is_compared(d, e)) continue;
        put(d, SMALL_LINE);
        if (!formula) put_sign(d, e);
        put_name(d, e->to);
        put(d, " = ");
        put_value(d, e->to);
        put(d, "</FONT>");
    }
}

#define BY_LOOK ", style=filled, penwidth=3, color=black, fillcolor=\"#F9F2AE\""

static const char *look_of(const drawing *d, uint32_t i)
{
    const gri_scalar *node = &d->w->s->node[i];
    if (i == d->w->d->by) return BY_LOOK;
    if (i == d->w->s->root)
        return ", style=filled, penwidth=1.6, color=black, fillcolor=\"#E4E4E4\", peripheries=2";
    if (d->w->d->leads[i]) return node->leaf ? ", shape=ellipse, penwidth=2" : ", penwidth=2";
    if (node->param) return ", style=filled, penwidth=1.6, color=\"#999999\", fontcolor=\"#666666\"";
    return node->leaf ? ", shape=ellipse, color=\"#999999\", fontcolor=\"#666666\""
                      : ", color=\"#B0B0B0\", fontcolor=\"#666666\"";
}

static void put_node(const drawing *d, uint32_t i)
{
    const gri_scalars *s = d->w->s;
    const gri_scalar *node = &s->node[i];
    put(d, "    ");
    put_id(d, i);
    put(d, " [label=<" LINES_BEGIN);
    const bool bold = node->named && d->w->d->leads[i];
    put(d, bold ? "<B>" : "");
    if (!is_nameless(node)) put_name(d, i);
    if (!is_nameless(node)) put(d, bold ? " </B>= " : " = "); /* the blank: see label.c */
    put_value(d, i);
    if (d->w->d->leads[i] && i != s->root) {
        put(d, LINES_BREAK);
        put_derivative(d, s->root, i);
        put(d, " = ");
        put_result(d, node->adjoint);
    }
    const bool formula = shows_formula(d, i);
    if (formula) put_formula(d, i);
    put_asides(d, i, formula);
    put(d, LINES_END ">");
    put(d, look_of(d, i));
    if (node->op && !node->composed) {
        put(d, ", tooltip=\"");
        gri_text_escaped(&d->w->text, node->op->formula ? node->op->formula : node->op->name,
                         TITLE_CHARACTERS, false);
        put(d, "\"");
    }
    put(d, "];\n");
}

/* What there is no path to. */
static void put_unconnected(const drawing *d)
{
    const gr_paths *p = d->w->p;
    put(d, "    by [label=<" LINES_BEGIN "<B>");
    gri_put_name(&d->w->text, p->by, GRI_LABEL);
    put(d, " </B>= ");
    gri_put_figure(d->w, p->by_value, false, d->w->d->by_origin);
    put(d, LINES_END ">" BY_LOOK "];\n");
}

/* The nodes of one name scope, in a frame; those of none without. */
static void put_scope(const drawing *d, uint16_t scope)
{
    const gri_scalars *s = d->w->s;
    if (scope) {
        put(d, "  subgraph cluster_");
        gri_text_unsigned(&d->w->text, scope);
        put(d, " {\n    graph [label=<");
        gri_text_escaped(&d->w->text, gri_name_path(s->g, scope), TITLE_CHARACTERS, false);
        put(d, ">, labelloc=t, style=\"rounded,dashed\", color=\"#999999\"];\n");
    }
    for (uint32_t i = 0; i < s->n_nodes; i++)
        if (d->id[i] && s->node[i].scope == scope) put_node(d, i);
    if (scope) put(d, "  }\n");
}

static void put_nodes(const drawing *d)
{
    const gri_scalars *s = d->w->s;
    for (uint32_t i = 0; i < s->n_nodes && !d->w->text.failed; i++) {
        bool first = d->id[i] != 0;
        for (uint32_t k = 0; k < i && first; k++) first = !d->id[k] || s->node[k].scope != s->node[i].scope;
        if (first) put_scope(d, s->node[i].scope);
    }
}

/* ---- Edges ---- */

/* Begins a line of an edge's label; where the edge goes down, a little to the side of it. */
static void put_line(const drawing *d, bool first, const lines *l)
{
    put(d, first ? LINES_BEGIN : LINES_BREAK);
    if (d->w->format.top_to_bottom)
        put(d, l->n > 1 ? "&#160;&#160;&#160;&#160;&#160;&#160;" : "&#160;&#160;");
}

/* Which of many paths an edge is on, where its lines do not say so: there are no more than four of them, and alike but for
   colour. */
static void put_routes(const drawing *d, const lines *l)
{
    const uint32_t n_routes = (uint32_t)d->w->d->n_routes;
    const bool told = l->n > 1 ? n_routes == 2 : n_routes <= LOOKS;
    if (l->n == 0 || told) return;
    put_line(d, false, l);
    if (l->n == n_routes && d->w->p->more_count == 0) {
        put(d, "all paths");
        return;
    }
    put(d, l->n > 1 ? "paths " : "path ");
    for (uint32_t k = 0; k < l->n && k < LINES; k++) {
        put(d, k ? ", " : "");
        gri_text_unsigned(&d->w->text, (uint64_t)l->first[k] + 1);
    }
    if (l->n <= LINES) return;
    put(d, " and ");
    gri_text_unsigned(&d->w->text, l->n - LINES);
    put(d, " more");
}

/* "∂h1/∂net_h1 = h1(1 − h1) = 0.241301", a line for each; a symbol that is short stands beside its number. Labels stand
   above edges that go across, on a line of their own where those are wide. */
static void put_edge_label(const drawing *d, const gri_scalar_edge *e, const lines *l)
{
    put(d, "label=<");
    put_line(d, true, l);
    put_derivative(d, e->from, e->to);
    put_line(d, false, l);
    put(d, "= ");
    if (gri_has_symbol(d->w->s, e)) {
        const bool brief = e->kind == GRI_SYMBOL_ELEMENT && e->other < d->w->s->n_nodes;
        gri_put_symbol(&d->w->text, d->w->s, e, GRI_LABEL);
        if (!brief) put_line(d, false, l);
        put(d, brief ? " = " : "= ");
    }
    put(d, e->partial == 0 ? "<B>" : "");
    put_partial(d, e);
    put(d, e->partial == 0 ? "</B>" : "");
    put_routes(d, l);
    if (!d->w->format.top_to_bottom)
        put(d, l->n > 1 ? LINES_BREAK "<FONT POINT-SIZE=\"9\">&#160;</FONT>"
                        : LINES_BREAK "<FONT POINT-SIZE=\"3\">&#160;</FONT>");
    put(d, LINES_END ">");
}

/* One line for each path; the white ones between them. */
static void put_parallel(const drawing *d, const lines *l)
{
    const uint32_t n = l->n < LINES ? l->n : LINES;
    put(d, ", style=solid, penwidth=1.6, fontcolor=black, color=\"");
    for (uint32_t k = 0; k < n; k++) {
        put(d, k ? ":white:" : "");
        put(d, colour_of(l->first[k]));
        put(d, ":");
        put(d, colour_of(l->first[k]));
    }
    put(d, "\"");
}

static void put_path_edge(const drawing *d, const gri_scalar_edge *e, const lines *l)
{
    put(d, " [");
    put_edge_label(d, e, l);
    put(d, ", dir=back, weight=4, arrowsize=0.8");
    if (e->partial == 0) put(d, ", arrowtail=tee");
    if (l->n > 1) {
        put_parallel(d, l);
    } else if (l->n == 1) {
        put(d, ", style=");
        put(d, style_of(l->first[0]));
        put(d, ", penwidth=");
        put(d, width_of(l->first[0]));
        put(d, ", color=\"");
        put(d, colour_of(l->first[0]));
        put(d, "\", fontcolor=\"");
        put(d, ink_of(l->first[0]));
        put(d, "\"");
    } else { /* of a path that is not listed */
        put(d, ", penwidth=1, color=\"#666666\", fontcolor=\"#666666\"");
    }
    put(d, "];\n");
}

/* An edge on no path: the weight that it is multiplied by, if that is no node. */
static void put_other_edge(const drawing *d, const gri_scalar_edge *e)
{
    const bool weight = e->kind == GRI_SYMBOL_ELEMENT && e->other < d->w->s->n_nodes && d->aside[e->other] &&
                        !is_nameless(&d->w->s->node[e->other]);
    if (weight) {
        put(d, " [label=<");
        gri_put_symbol(&d->w->text, d->w->s, e, GRI_LABEL);
        put(d, " = ");
        put_partial(d, e);
        put(d, ">]");
    }
    put(d, ";\n");
}

static void put_edges(const drawing *d)
{
    const gri_scalars *s = d->w->s;
    const uint8_t *leads = d->w->d->leads;
    for (uint32_t i = 0; i < s->n_edges && !d->w->text.failed; i++) {
        const gri_scalar_edge *e = &s->edge[i];
        const bool on_path = leads[e->from] && leads[e->to] && e->from != d->w->d->by;
        if (!d->id[e->from] || !d->id[e->to]) continue;
        if (d->w->format.extent == GR_PATHS_LISTED && d->lines[i].n == 0) continue;
        put(d, "  ");
        put_id(d, e->to);
        put(d, " -> ");
        put_id(d, e->from);
        if (on_path)
            put_path_edge(d, e, &d->lines[i]);
        else
            put_other_edge(d, e);
    }
}

/* ---- The table ---- */

/* The numbers of a path; of a long one the first and the last. */
static void put_product(const drawing *d, gri_route r)
{
    for (uint32_t k = 0; k < r.n; k++) {
        if (k > 0) gri_text_symbol(&d->w->text, " × ", " * ");
        if (r.n > FACTORS && k == FACTORS - 2) {
            gri_text_symbol(&d->w->text, "… × ", "... * ");
            k = r.n - 1;
        }
        const gri_scalar_edge *e = &d->w->s->edge[d->w->d->steps[r.first + k]];
        if (e->partial < 0) put(d, "(");
        put_partial(d, e);
        if (e->partial < 0) put(d, ")");
    }
}

static void put_row_end(const drawing *d, double value, bool bold)
{
    put(d, "</TD><TD ALIGN=\"RIGHT\">");
    put(d, bold ? "<B>= " : "= ");
    put_result(d, value);
    put(d, bold ? "</B></TD></TR>\n" : "</TD></TR>\n");
}

static void put_route_row(const drawing *d, uint32_t route)
{
    put(d, "      <TR><TD ALIGN=\"LEFT\"><FONT COLOR=\"");
    put(d, colour_of(route));
    put(d, "\"><B>");
    put_sample(d, route);
    put(d, " </B></FONT><FONT COLOR=\"");
    put(d, ink_of(route));
    put(d, "\"><B>path ");
    gri_text_unsigned(&d->w->text, (uint64_t)route + 1);
    put(d, "</B></FONT></TD><TD ALIGN=\"LEFT\">");
    put_product(d, d->w->d->routes[route]);
    put_row_end(d, d->w->p->paths[route].product, false);
}

static void put_heading(const drawing *d)
{
    const gr_paths *p = d->w->p;
    put(d, "      <TR><TD ALIGN=\"LEFT\" COLSPAN=\"3\"><B>");
    gri_text_symbol(&d->w->text, "∂", "d");
    gri_put_name(&d->w->text, p->of, GRI_LABEL);
    put(d, "/");
    gri_text_symbol(&d->w->text, "∂", "d");
    gri_put_name(&d->w->text, p->by, GRI_LABEL);
    gri_text_symbol(&d->w->text, " — ", ": ");
    if (p->count == 0) {
        put(d, "no path");
    } else {
        gri_put_count(d->w, p->count);
        put(d, p->count == 1 ? " derivation path" : " derivation paths");
    }
    if (p->zero_count > 0) {
        put(d, ", ");
        if (p->zero_count < p->count) gri_put_count(d->w, p->zero_count);
        put(d, p->zero_count < p->count ? " of them 0" : p->count == 1 ? "which is 0" : "all 0");
    }
    put(d, "</B></TD></TR>\n");
}

static bool has_shared(const drawing *d)
{
    for (uint32_t i = 0; i < d->w->s->n_edges; i++)
        if (d->lines[i].n > 1) return true;
    return false;
}

static bool has_hidden_lines(const drawing *d)
{
    for (uint32_t i = 0; i < d->w->s->n_edges; i++)
        if (d->lines[i].n > LINES) return true;
    return false;
}

static void put_table(const drawing *d)
{
    const gr_paths *p = d->w->p;
    put(d,
        "    <TABLE BORDER=\"1\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"3\" COLOR=\"#999999\">\n");
    put_heading(d);
    for (uint32_t i = 0; i < d->w->d->n_routes; i++) put_route_row(d, i);
    if (p->more_count > 0) {
        put(d, "      <TR><TD ALIGN=\"LEFT\">+");
        gri_put_count(d->w, p->more_count);
        put(d, " more</TD><TD ALIGN=\"LEFT\">thin lines, and along those above");
        put_row_end(d, p->more_sum, false);
    }
    if (has_shared(d)) {
        put(d, "      <TR><TD ALIGN=\"LEFT\"><B>");
        gri_text_symbol(&d->w->text, "═══", "===");
        put(d, " shared</B></TD><TD ALIGN=\"LEFT\" COLSPAN=\"2\">");
        put(d,
            has_hidden_lines(d) ? "on several paths (no more than 4 lines are drawn)" : "on several paths");
        put(d, "</TD></TR>\n");
    }
    put(d, "      <TR><TD ALIGN=\"LEFT\"><B>sum</B></TD><TD ALIGN=\"LEFT\">");
    put(d, p->has_gradient ? "the gradient that backward gives" : "of the paths");
    put_row_end(d, p->total, true);
    put(d, "    </TABLE>");
}

/* ---- The whole ---- */

static void put_all(const drawing *d)
{
    const gr_paths_format *f = &d->w->format;
    put(d, "digraph paths {\n  graph [rankdir=");
    put(d, f->top_to_bottom ? "TB" : "LR");
    put(d, ", newrank=true, bgcolor=white, fontname=\"Helvetica\", fontsize=12, nodesep=0.45, ranksep=0.5, "
           "labelloc=b, "
           "label=<\n");
    if (f->title) {
        put(d, "    <TABLE BORDER=\"0\"><TR><TD><B>");
        gri_text_escaped(&d->w->text, f->title, TITLE_CHARACTERS, true);
        put(d, "</B></TD></TR><TR><TD>\n");
    }
    put_table(d);
    put(d, f->title ? "</TD></TR></TABLE>" : "");
    put(d, ">];\n"
           "  node [shape=box, style=\"rounded,filled\", fillcolor=white, color=\"#444444\", "
           "fontname=\"Helvetica\", "
           "fontsize=11, margin=\"0.1,0.05\"];\n"
           "  edge [color=\"#B0B0B0\", fontcolor=\"#666666\", arrowsize=0.6, fontname=\"Helvetica\", "
           "fontsize=10];\n");
    put_nodes(d);
    if (d->w->d->by == GRI_NO_SCALAR) put_unconnected(d);
    put_edges(d);
    put(d, "}\n");
}

void gri_write_paths_dot(gri_paths_writing *w)
{
    const gri_scalars *s = w->s;
    gri_memory *m = &s->g->memory;
    const size_t n = s->n_nodes, line_bytes = s->n_edges * sizeof(lines);
    drawing d = {.w = w,
                 .lines = gri_alloc_zeroed(m, line_bytes),
                 .id = gri_alloc_zeroed(m, n * sizeof *d.id),
                 .listed = gri_alloc_zeroed(m, n),
                 .aside = gri_alloc_zeroed(m, n)};
    if (d.lines && d.id && d.listed && d.aside) {
        find_lines(&d);
        find_asides(&d);
        number_nodes(&d);
        put_all(&d);
    } else {
        gri_fail_memory(s->g, "paths", line_bytes);
    }
    gri_free(m, d.lines, line_bytes);
    gri_free(m, d.id, n * sizeof *d.id);
    gri_free(m, d.listed, n);
    gri_free(m, d.aside, n);
}
