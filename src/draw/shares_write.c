/* Shares as a table and as a drawing for Graphviz. */
#include "draw/flow.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SUMMARY_DIGITS = 4, TITLE_CHARACTERS = 400, NUMBER_WIDTH = 16 };

static void put(gri_shares_writing *w, const char *text) { gri_text_put(&w->text, text); }

static int put_number(gri_shares_writing *w, double value, int digits, bool sign)
{
    char number[GRI_NUMBER_BYTES];
    const int length = gri_figure(number, value, digits, sign, GRI_COMPUTED);
    gri_text_number(&w->text, number);
    return length;
}

static int summary_digits(const gri_shares_writing *w)
{
    return w->format.digits < SUMMARY_DIGITS ? w->format.digits : SUMMARY_DIGITS;
}

static void put_derivative(gri_shares_writing *w, const char *of, const char *by, gri_flavour flavour)
{
    gri_text_symbol(&w->text, "∂", "d");
    gri_put_name(&w->text, of, flavour);
    put(w, "/");
    gri_text_symbol(&w->text, "∂", "d");
    gri_put_name(&w->text, by, flavour);
}

static void put_heading(gri_shares_writing *w, gri_flavour flavour)
{
    put_derivative(w, w->p->of, w->p->by, flavour);
    put(w, " = ");
    put_number(w, w->p->gradient, w->format.digits, true);
    if (w->p->n_nodes == 0) put(w, ": not connected");
}

/* Name and shape; one number has none to speak of. */
static void put_tensor(gri_shares_writing *w, int node)
{
    const gr_share_node *n = &w->p->nodes[node];
    gri_put_name(&w->text, n->name, GRI_PLAIN);
    if (strcmp(n->shape, "[]") == 0) return;
    put(w, " ");
    put(w, n->shape);
}

/* ---- The table ---- */

static void put_percent(gri_shares_writing *w, double share)
{
    if (w->p->gradient == 0 || !isfinite(share / w->p->gradient)) return;
    put(w, " (");
    put_number(w, 100 * share / w->p->gradient, SUMMARY_DIGITS, false);
    put(w, "%)");
}

void gri_write_shares_text(gri_shares_writing *w)
{
    const gr_shares *p = w->p;
    put_heading(w, GRI_PLAIN);
    put(w, "\n\n");
    for (int i = p->n; i-- > 0 && !w->text.failed;) {
        const gr_share *s = &p->shares[i];
        int length = put_number(w, s->value, w->format.digits, true);
        for (; length < NUMBER_WIDTH; length++) put(w, " ");
        put_tensor(w, s->result);
        put(w, " <- ");
        put_tensor(w, s->operand);
        put_percent(w, s->value);
        put(w, "\n");
    }
}

/* ---- The drawing ---- */

static double largest_share(const gr_shares *p)
{
    double largest = 0;
    for (int i = 0; i < p->n; i++)
        if (isfinite(p->shares[i].value) && fabs(p->shares[i].value) > largest)
            largest = fabs(p->shares[i].value);
    return largest;
}

static void put_id(gri_shares_writing *w, int node)
{
    put(w, "n");
    gri_text_unsigned(&w->text, (uint64_t)node);
}

static void put_norm(gri_shares_writing *w, const char *of, const char *by, double norm)
{
    put(w, "</TD></TR><TR><TD><FONT POINT-SIZE=\"9\" COLOR=\"#555555\">");
    gri_text_symbol(&w->text, "‖", "||");
    put_derivative(w, of, by, GRI_LABEL);
    gri_text_symbol(&w->text, "‖", "||");
    put(w, " = ");
    put_number(w, norm, summary_digits(w), false);
    put(w, "</FONT>");
}

static void put_node(gri_shares_writing *w, int i)
{
    const gr_shares *p = w->p;
    const gr_share_node *node = &p->nodes[i];
    put(w, "    ");
    put_id(w, i);
    put(w, " [label=<<TABLE BORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"1\"><TR><TD><B>");
    gri_put_name(&w->text, node->name, GRI_LABEL);
    const bool shape = strcmp(node->shape, "[]") != 0;
    put(w, shape ? " </B>" : "</B>"); /* the blank: see label.c */
    if (shape) put(w, node->shape);
    if (i < p->n_nodes - 1) put_norm(w, p->of, node->name, node->adjoint_norm);
    if (i > 0) put_norm(w, node->name, p->by, node->tangent_norm);
    put(w, "</TD></TR></TABLE>>");
    if (i == p->n_nodes - 1)
        put(w, ", style=filled, penwidth=1.6, color=black, fillcolor=\"#E4E4E4\", peripheries=2");
    else if (i == 0)
        put(w, ", style=filled, penwidth=3, color=black, fillcolor=\"#F9F2AE\"");
    put(w, "];\n");
}

static void put_scope(gri_shares_writing *w, int first)
{
    const gr_shares *p = w->p;
    const char *scope = p->nodes[first].scope;
    if (*scope) {
        put(w, "  subgraph cluster_");
        gri_text_unsigned(&w->text, (uint64_t)first);
        put(w, " {\n    graph [label=<");
        gri_text_escaped(&w->text, scope, TITLE_CHARACTERS, false);
        put(w, ">, labelloc=t, style=\"rounded,dashed\", color=\"#999999\"];\n");
    }
    for (int i = first; i < p->n_nodes; i++)
        if (strcmp(p->nodes[i].scope, scope) == 0) put_node(w, i);
    if (*scope) put(w, "  }\n");
}

static void put_nodes(gri_shares_writing *w)
{
    const gr_shares *p = w->p;
    for (int i = 0; i < p->n_nodes && !w->text.failed; i++) {
        bool first = true;
        for (int k = 0; k < i && first; k++) first = strcmp(p->nodes[k].scope, p->nodes[i].scope) != 0;
        if (first) put_scope(w, i);
    }
}

/* Width by size, line by sign, colour last. */
static void put_edge(gri_shares_writing *w, const gr_share *s, double largest)
{
    const bool shows = largest > 0 && isfinite(s->value);
    put(w, "  ");
    put_id(w, s->operand);
    put(w, " -> ");
    put_id(w, s->result);
    put(w, " [label=<");
    if (w->format.top_to_bottom) put(w, "&#160;&#160;"); /* beside the line, however wide it is */
    put_number(w, s->value, w->format.digits, true);
    put_percent(w, s->value);
    put(w, ">, penwidth=");
    char width[GRI_NUMBER_BYTES];
    gri_number(width, 0.5 + (shows ? 5.5 * fabs(s->value) / largest : 0), 3, false);
    put(w, width);
    put(w, s->value > 0   ? ", style=solid, color=\"#0072B2\"];\n"
           : s->value < 0 ? ", style=dashed, color=\"#D55E00\"];\n"
                          : ", style=dotted, color=\"#777777\"];\n");
}

void gri_write_shares_dot(gri_shares_writing *w)
{
    const gr_shares *p = w->p;
    put(w, "digraph shares {\n  graph [rankdir=");
    put(w, w->format.top_to_bottom ? "TB" : "LR");
    put(w, ", newrank=true, bgcolor=white, fontname=\"Helvetica\", fontsize=12, nodesep=0.4, ranksep=0.6, "
           "labelloc=b, "
           "label=<\n    <TABLE BORDER=\"0\" CELLPADDING=\"3\">");
    if (w->format.title) {
        put(w, "<TR><TD><B>");
        gri_text_escaped(&w->text, w->format.title, TITLE_CHARACTERS, true);
        put(w, "</B></TD></TR>");
    }
    put(w, "<TR><TD><B>");
    put_heading(w, GRI_LABEL);
    put(w, "</B></TD></TR><TR><TD><FONT POINT-SIZE=\"10\">width of a line: its share &#160; solid: positive "
           "&#160; "
           "dashed: negative &#160; dotted: 0</FONT></TD></TR></TABLE>>];\n"
           "  node [shape=box, style=\"rounded,filled\", fillcolor=white, color=\"#444444\", "
           "fontname=\"Helvetica\", "
           "fontsize=11, margin=\"0.1,0.05\"];\n"
           "  edge [dir=back, arrowsize=0.6, fontname=\"Helvetica\", fontsize=10];\n");
    put_nodes(w);
    const double largest = largest_share(p);
    for (int i = 0; i < p->n && !w->text.failed; i++) put_edge(w, &p->shares[i], largest);
    put(w, "}\n");
}
