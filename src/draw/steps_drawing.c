/*
 * Steps as drawings: the text for Graphviz at one position.
 *
 * Invariant: nothing that dot's layout depends on differs from one position to another. Nodes have a least width that
 * no label of theirs exceeds at any position; the formula below stands in a cell of fixed size.
 */
#include "draw/steps.h"
#include "draw/table.h"

#include <stdio.h>
#include <string.h>

enum { FONT_POINTS = 11, CAPTION_POINTS = 13, POINTS_PER_INCH = 72, SHORT_SYMBOL = 6 };

static void put(gri_steps_out *out, const char *text) { gri_text_put(&out->text, text); }

static void put_unsigned(gri_steps_out *out, uint32_t n) { gri_text_unsigned(&out->text, n); }

/* ---- Labels ---- */

/* "h1 = 0.59327" */
static void put_value_line(gri_steps_out *out, const gri_step_number *n, uint32_t i, bool computed)
{
    if (!n->bare) gri_put_number_name(out, i);
    if (!n->bare) put(out, " = ");
    if (computed)
        gri_put_value_of(out, n);
    else
        put(out, "?");
}

/* How an adjoint stands. */
typedef struct standing {
    bool computed, partial, complete;
    double adjoint;
} standing;

static void put_adjoint_line(gri_steps_out *out, const standing *now)
{
    if (!now->partial && !now->complete) {
        put(out, "&#160;");
        return;
    }
    put(out, "grad ");
    gri_put_gradient(out, now->adjoint);
    if (now->partial) gri_text_symbol(&out->text, " + …", " + ...");
}

/* ---- Widths ---- */

/* No character of Helvetica and what stands in for it (Arial, DejaVu Sans) is wider, in thousandths of the size of the
   font. */
static unsigned most_width(uint32_t c)
{
    if (c >= '0' && c <= '9') return 637;
    if (c >= 'a' && c <= 'z') return c == 'm' ? 975 : c == 'w' ? 820 : 650;
    if (c >= 'A' && c <= 'Z') return c == 'W' ? 990 : c == 'M' ? 865 : 790;
    if (c == ' ' || c == '.' || c == ',') return 320;
    if (c < 0x80) return c == '@' || c == '%' ? 1015 : 840;
    return c >= 0x370 && c < 0x400 ? 900 : 1250;
}

typedef struct ruler {
    char kept[8]; /* bytes of a character whose end has not come */
    size_t n_kept;
    uint64_t width;
} ruler;

static bool measure(const char *text, size_t length, void *user)
{
    ruler *r = user;
    for (size_t i = 0; i < length; i++) {
        uint32_t c = 0;
        r->kept[r->n_kept++] = text[i];
        r->kept[r->n_kept] = '\0';
        const size_t bytes = gri_text_decode(r->kept, &c);
        if (bytes == 0 && r->n_kept < 4) continue;
        r->width += most_width(c);
        r->n_kept = 0;
    }
    return true;
}

static void ruler_begin(gri_steps_out *to, const gri_steps_out *out, ruler *r)
{
    *r = (ruler){.width = 0};
    gri_steps_out_measure(to, out, measure, r);
}

/* The widest that the node gets at any position, in points: its value, and each sum that it holds on the way. */
static double node_width(const gri_steps_out *out, uint32_t i, double widest_adjoint)
{
    gri_steps_out to;
    ruler r;
    ruler_begin(&to, out, &r);
    put_value_line(&to, &gri_steps_numbers(out->s)[i], i, true);
    gri_text_end(&to.text);
    const double value = (double)r.width * FONT_POINTS / 1000;
    return (value > widest_adjoint ? value : widest_adjoint) + FONT_POINTS;
}

static double adjoint_width(const gri_steps_out *out, const standing *now)
{
    gri_steps_out to;
    ruler r;
    ruler_begin(&to, out, &r);
    put_adjoint_line(&to, now);
    gri_text_end(&to.text);
    return (double)r.width * FONT_POINTS / 1000;
}

static double caption_width(const gri_steps_out *out, const gri_step *step)
{
    gri_steps_out to;
    ruler r;
    ruler_begin(&to, out, &r);
    for (int part = 0; part < GRI_STEP_PARTS; part++) gri_put_step_part(&to, step, part);
    gri_text_end(&to.text);
    return (double)r.width * CAPTION_POINTS / 1000 + (GRI_STEP_PARTS + 2) * CAPTION_POINTS / 2.0;
}

/* ---- Nodes and edges ---- */

/* What is looked up while a drawing is written: by number, in memory of the graph. */
typedef struct frame {
    gri_steps_out *out;
    int64_t position;    /* GR_STEPS_PAGE: everything has happened */
    const gri_step *now; /* the step just taken; NULL: none */
    standing *stands;
    double *widths; /* of adjoints */
    uint8_t *edge_done;
} frame;

/* Lengths in inches, with a point in any locale. */
static void put_inches(gri_steps_out *out, double points)
{
    const unsigned hundredths = (unsigned)(points * 100 / POINTS_PER_INCH + 1);
    char text[32];
    snprintf(text, sizeof text, "%u.%02u", hundredths / 100, hundredths % 100);
    put(out, text);
}

/* Shape says what a number is; line what its adjoint is like; the fills repeat the first, and mark those that take part
   in the step. */
static void put_node_look(const frame *f, uint32_t i)
{
    static const char *const shapes[] = {[GRI_ROLE_INPUT] = "shape=ellipse, fillcolor=\"#E3F2FB\"",
                                         [GRI_ROLE_PARAMETER] = "shape=box, fillcolor=\"#F9F2AE\"",
                                         [GRI_ROLE_OPERATION] = "shape=box, fillcolor=white",
                                         [GRI_ROLE_ROOT] = "shape=box, peripheries=2, fillcolor=\"#E4E4E4\""};
    const gri_step_number *n = &gri_steps_numbers(f->out->s)[i];
    const standing *stands = &f->stands[i];
    const bool rounded = n->role == GRI_ROLE_OPERATION, dashed = stands->partial;
    put(f->out, shapes[n->role]);
    put(f->out, ", style=\"filled");
    put(f->out, rounded ? ",rounded" : "");
    put(f->out, dashed ? ",dashed" : "");
    put(f->out, stands->complete || stands->partial ? "\", penwidth=2.5" : "\", penwidth=0.8");
}

static void put_node(const frame *f, uint32_t i)
{
    gri_steps_out *out = f->out;
    const gri_step_number *n = &gri_steps_numbers(out->s)[i];
    const double lines = n->differentiable ? 2 : 1;
    const double ellipse = n->role == GRI_ROLE_INPUT ? 1.42 : 1; /* that a rectangle fits into it */
    put(out, "  n");
    put_unsigned(out, i);
    put(out, " [id=\"gr_n");
    put_unsigned(out, i);
    put(out, "\", label=<"); /* like HTML: elsewhere dot knows no references beyond U+FFFF */
    put_value_line(out, n, i, f->stands[i].computed);
    if (n->differentiable) {
        put(out, "<BR/>");
        put_adjoint_line(out, &f->stands[i]);
    }
    put(out, ">, width=");
    put_inches(out, ellipse * node_width(out, i, f->widths[i]));
    put(out, ", height=");
    put_inches(out, ellipse * (lines * 1.4 * FONT_POINTS + FONT_POINTS));
    put(out, ", ");
    put_node_look(f, i);
    put(out, "];\n");
}

/* "w5 = 0.4"; a long symbol has a line of its own. */
static void put_edge_label(gri_steps_out *out, const gri_step_edge *edge)
{
    const char *symbol = gri_steps_text(out->s, edge->symbol[out->text.ascii]);
    if (*symbol) {
        gri_put_foreign(out, symbol, GRI_STEP_SYMBOL_CHARACTERS);
        put(out, gri_text_columns(symbol) > SHORT_SYMBOL ? "<BR/>= " : " = ");
    }
    gri_put_local_value(out, edge);
}

static void put_edge_look(const frame *f, uint32_t i)
{
    const gri_step_edge *edge = &gri_steps_edges(f->out->s)[i];
    const gri_step *now = f->now;
    const bool current = now && now->kind == GR_STEP_EDGE && now->edge == i;
    const bool computing = now && now->kind == GR_STEP_VALUE && now->to == edge->from;
    if (f->position == GR_STEPS_PAGE)
        put(f->out, edge->carries ? ", dir=both" : ", style=dotted, color=\"#999999\"");
    else if (current)
        put(f->out, ", dir=back, style=dashed, penwidth=4, color=\"#D55E00\", fontcolor=black");
    else if (computing)
        put(f->out, ", style=dashed, penwidth=4, color=\"#D55E00\", fontcolor=black");
    else if (f->edge_done[i])
        put(f->out, ", dir=back, penwidth=2.2, color=black, fontcolor=black");
    else if (!edge->carries)
        put(f->out, ", style=dotted, color=\"#999999\"");
}

static void put_edge(const frame *f, uint32_t i)
{
    gri_steps_out *out = f->out;
    const gri_step_edge *edge = &gri_steps_edges(out->s)[i];
    put(out, "  n");
    put_unsigned(out, edge->to);
    put(out, " -> n");
    put_unsigned(out, edge->from);
    put(out, " [id=\"gr_e");
    put_unsigned(out, i);
    put(out, "\"");
    if (edge->carries) {
        put(out, ", label=<");
        put_edge_label(out, edge);
        put(out, ">");
    }
    put_edge_look(f, i);
    put(out, "];\n");
}

/* ---- The whole ---- */

/* The numbers of one name scope, in a frame; those of none without. */
static void put_scope(const frame *f, uint32_t first)
{
    gri_steps_out *out = f->out;
    const gri_step_number *number = gri_steps_numbers(out->s);
    const char *path = gri_steps_text(out->s, number[first].scope);
    if (*path) {
        put(out, "  subgraph cluster_");
        put_unsigned(out, first);
        put(out, " {\n  graph [label=<");
        gri_put_foreign(out, path, GRI_STEP_TITLE_CHARACTERS);
        put(out, ">, labelloc=t, style=\"rounded,dashed\", color=\"#999999\", fontsize=12];\n");
    }
    for (uint32_t i = first; i < out->s->n_numbers && !out->text.failed; i++)
        if (number[i].scope_id == number[first].scope_id) put_node(f, i);
    if (*path) put(out, "  }\n");
}

/* A scope stands where its first number is. */
static void put_nodes(const frame *f)
{
    const gri_steps *s = f->out->s;
    const gri_step_number *number = gri_steps_numbers(s);
    for (uint32_t i = 0; i < s->n_numbers && !f->out->text.failed; i++) {
        bool first = true;
        for (uint32_t k = 0; k < i && first; k++) first = number[k].scope_id != number[i].scope_id;
        if (first) put_scope(f, i);
    }
}

/* What numbers and edges are like at the position, and the widest adjoint of each number on the way. */
static void play(frame *f)
{
    const gri_steps *s = f->out->s;
    const gri_step_number *number = gri_steps_numbers(s);
    const gri_step *list = gri_steps_list(s);
    for (uint32_t i = 0; i < s->n_numbers; i++) f->stands[i].computed = true;
    for (uint32_t i = 0; i < s->n_steps; i++)
        if (list[i].kind == GR_STEP_VALUE) f->stands[list[i].to].computed = false;
    for (uint32_t i = 0; i < s->n_steps; i++) {
        const gri_step *step = &list[i];
        const bool complete = step->arrival == number[step->to].arrivals;
        standing next = {true, !complete, complete, step->sum};
        if (step->kind == GR_STEP_VALUE) next = (standing){.computed = true};
        const double width = adjoint_width(f->out, &next);
        if (width > f->widths[step->to]) f->widths[step->to] = width;
        if (f->position != GR_STEPS_PAGE && i >= f->position) continue;
        f->stands[step->to] = next;
        if (step->kind == GR_STEP_EDGE) f->edge_done[step->edge] = true;
        f->now = step;
    }
    if (f->position == GR_STEPS_PAGE) f->now = NULL;
}

/* The formula of the step, in a cell that holds each of them. */
static void put_caption(const frame *f)
{
    gri_steps_out *out = f->out;
    const gri_steps *s = out->s;
    double width = 0;
    for (uint32_t i = 0; i < s->n_steps; i++) {
        const double w = caption_width(out, &gri_steps_list(s)[i]);
        width = w > width ? w : width;
    }
    put(out, "<TR><TD FIXEDSIZE=\"TRUE\" WIDTH=\"");
    put_unsigned(out, (uint32_t)width + 1);
    put(out, "\" HEIGHT=\"24\">");
    for (int part = 0; f->now && part < GRI_STEP_PARTS; part++) {
        if (gri_step_part_columns(out, f->now, part) == 0) continue;
        if (part > 0) put(out, part == GRI_PART_ARRIVAL ? "&#160; &#160; " : " ");
        gri_put_step_part(out, f->now, part);
    }
    if (!f->now) put(out, "&#160;");
    put(out, "</TD></TR>");
}

static void put_beginning(const frame *f, const gr_steps_style *style)
{
    gri_steps_out *out = f->out;
    const char *title = style ? style->title : NULL;
    const bool page = f->position == GR_STEPS_PAGE;
    put(out, "digraph steps {\n  graph [rankdir=");
    put(out, style && style->downwards ? "TB" : "LR");
    put(out, ", newrank=true, bgcolor=white, fontname=\"Helvetica\", fontsize=13, nodesep=0.2, ranksep=0.5");
    if (!page) {
        put(out, ", labelloc=b, label=<<TABLE BORDER=\"0\" CELLPADDING=\"3\">");
        if (title) {
            put(out, "<TR><TD><B>");
            gri_put_foreign(out, title, GRI_STEP_TITLE_CHARACTERS);
            put(out, "</B></TD></TR>");
        }
        put_caption(f);
        put(out, "</TABLE>>");
    }
    put(out, "];\n"
             "  node [color=\"#333333\", fontname=\"Helvetica\", fontsize=11, margin=\"0.05,0.03\"];\n"
             "  edge [color=\"#888888\", penwidth=0.9, arrowsize=0.7, fontname=\"Helvetica\", fontsize=10, "
             "fontcolor=\"#555555\"];\n");
}

static void put_drawing(frame *f, const gr_steps_style *style)
{
    const gri_steps *s = f->out->s;
    play(f);
    put_beginning(f, style);
    put_nodes(f);
    for (uint32_t i = 0; i < s->n_edges && !f->out->text.failed; i++) put_edge(f, i);
    put(f->out, "}\n");
}

gr_status gr_steps_write_dot(gr_steps steps, int64_t position, gr_writer *write, void *user,
                             const gr_steps_style *style)
{
    static const char what[] = "steps_write_dot";
    gri_steps_out out;
    const gri_steps *s = gri_steps_out_begin(&out, steps, what, GRI_TO_DOT, write, user, style);
    gr_graph *g = steps.graph;
    if (!s) return g ? g->status : GR_ERR_HANDLE;
    if (position != GR_STEPS_PAGE && (position < 0 || position > s->n_steps))
        return gri_fail(g, GR_ERR_INDEX, "%s: position %lld of %lu steps", what, (long long)position,
                        (unsigned long)s->n_steps);
    const size_t n = s->n_numbers, bytes = n * (sizeof(standing) + sizeof(double)) + s->n_edges;
    frame f = {.out = &out, .position = position, .stands = gri_alloc_zeroed(&g->memory, bytes)};
    if (!f.stands) return gri_fail_memory(g, what, bytes);
    f.widths = (double *)(uintptr_t)(f.stands + n);
    f.edge_done = (uint8_t *)(f.widths + n);
    put_drawing(&f, style);
    gri_free(&g->memory, f.stands, bytes);
    return gri_steps_out_end(&out, steps, what);
}
