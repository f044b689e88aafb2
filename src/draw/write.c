/*
 * The text of a drawing: what holds for all of it, nodes, stubs where something was cut away, frames, arrows.
 * Shape and line come first; the fills, light tints of the palette of Okabe and Ito (2002), repeat what these
 * say.
 */
#include "draw/picture.h"

#define PARAMETER_FILL "#F9F2AE"
#define INPUT_FILL     "#E3F2FB"
#define ROOT_FILL      "#E4E4E4"
#define BOX_FILL       "#E0F2EC"
#define MARK_LINE      "#0072B2"

void gri_put_id(gri_picture *p, uint32_t id)
{
    gri_put(p, "n");
    gri_text_unsigned(&p->text, id - 1);
}

/* ---- The beginning ---- */

static const char *root_name(const gri_picture *p)
{
    if (p->options.mode == GR_DOT_BACKWARD) return "gradient";
    const bool loss = p->root->array.count == 1;
    if (p->options.mode == GR_DOT_BOTH) return loss ? "loss, gradient" : "result, gradient";
    return loss ? "loss" : "result";
}

static void put_legend_row(gri_picture *p, const char *text)
{
    gri_put(p, "<TR><TD><FONT POINT-SIZE=\"9\">");
    gri_put(p, text);
    gri_put(p, "</FONT></TD></TR>");
}

static void put_legend(gri_picture *p)
{
    static const struct {
        uint32_t has;
        const char *text;
    } rows[] = {
        {GRI_HAS_FRAMES, "dashed frame: name scope"},
        {GRI_HAS_BOXES, "solid body: all of a name scope &#160; number on an arrow: it stands for so many"},
        {GRI_HAS_REPEATS,
         "thick frame or &#215;n: scopes alike, drawn once &#160; dotted arrow: on to the next one"},
        {GRI_HAS_REUSE, "dashed arrow: a derivative rule reads what the forward pass computed"},
        {GRI_HAS_FACTORS, "at an arrow: a parameter that is a factor"},
        {GRI_HAS_CUTS, "dots: more of the graph, cut away"},
        {GRI_HAS_MARKS, "very thick (blue): highlighted, and on the paths between"}};
    gri_put(p, "<TR><TD><FONT POINT-SIZE=\"9\">thick box: parameter &#160; ellipse: input &#160; "
               "rounded box: operation &#160; double line: ");
    gri_put(p, root_name(p));
    gri_put(p, " &#160; black arrow: gradients flow back along it</FONT></TD></TR>");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (p->has & rows[i].has) put_legend_row(p, rows[i].text);
}

static void put_beginning(gri_picture *p)
{
    static const char *const directions[] = {"LR", "TB", "RL", "BT"};
    const char *title = p->options.title;
    gri_put(p, "digraph gradus {\n  graph [rankdir=");
    gri_put(p, directions[p->options.direction]);
    /* newrank: arrows keep the direction across frames, too. Without it dot lays out each frame by itself. */
    gri_put(p,
            ", newrank=true, bgcolor=white, fontname=\"Helvetica\", fontsize=13, nodesep=0.3, ranksep=0.45");
    if (title || p->options.legend) {
        gri_put(p, p->options.legend ? ", labelloc=b" : ", labelloc=t");
        gri_put(p, ", label=<<TABLE BORDER=\"0\" CELLPADDING=\"3\">");
        if (title) {
            gri_put(p, "<TR><TD><B>");
            gri_text_escaped(&p->text, title, GRI_TITLE_CHARACTERS, true);
            gri_put(p, "</B></TD></TR>");
        }
        if (p->options.legend) put_legend(p);
        gri_put(p, "</TABLE>>");
    }
    gri_put(p, "];\n"
               "  node [shape=box, style=\"rounded,filled\", fillcolor=white, color=\"#444444\", "
               "fontname=\"Helvetica\", fontsize=11, margin=\"0.08,0.06\"];\n"
               "  edge [color=\"#222222\", penwidth=1.4, arrowsize=0.6, fontname=\"Helvetica\", fontsize=9, "
               "labelfontsize=8, labelfontcolor=\"#555555\", labeldistance=1.3];\n");
}

/* ---- Nodes ---- */

/* The defaults, set once at the top, are those of an operation: rounded, thin, white. */
static const char *look_of(const gri_item *item)
{
    const gri_node *node = item->node;
    const bool differentiable = node->flags & GRI_REQUIRES_GRAD;
    if (item->flags & GRI_ITEM_READ)
        return ", shape=ellipse, style=filled, penwidth=0.7, color=\"#777777\", fillcolor=\"" INPUT_FILL "\"";
    if (node->flags & GRI_PARAM)
        return differentiable
                   ? ", style=filled, penwidth=3, color=black, fillcolor=\"" PARAMETER_FILL "\""
                   : ", style=\"filled,dashed\", penwidth=3, color=black, fillcolor=\"" PARAMETER_FILL "\"";
    if (item->flags & GRI_ITEM_ROOT)
        return ", style=filled, penwidth=1.6, color=black, fillcolor=\"" ROOT_FILL "\"";
    if (node->n_operands) return node->flags & GRI_RETAIN_GRAD ? ", penwidth=2" : "";
    if (node->op && node->op->arity != 0)
        return ", shape=ellipse, style=\"filled,dashed\", fillcolor=\"" INPUT_FILL "\"";
    return differentiable ? ", shape=ellipse, style=filled, penwidth=3, fillcolor=\"" INPUT_FILL "\""
                          : ", shape=ellipse, style=filled, fillcolor=\"" INPUT_FILL "\"";
}

static void put_looks(gri_picture *p, const char *look, uint16_t flags)
{
    gri_put(p, look);
    if (flags & GRI_ITEM_ROOT) gri_put(p, ", peripheries=2");
    if (flags & GRI_ITEM_MARKED) { /* the last one counts. A double line is to stay one */
        gri_put(p, ", color=\"" MARK_LINE "\", penwidth=");
        gri_put(p, flags & GRI_ITEM_ROOT ? "2.8" : "4.5");
    }
    gri_put(p, ", tooltip=\"");
}

void gri_put_look(gri_picture *p, const gri_item *item) { put_looks(p, look_of(item), item->flags); }

/* "…" before a node whose operands were cut away, and behind one whose users were. */
static void put_stubs(gri_picture *p, uint32_t id, uint16_t flags)
{
    static const char *const names[] = {"_in", "_out"};
    for (int out = 0; out < 2; out++) {
        if (!(flags & (out ? GRI_ITEM_CUT_OUT : GRI_ITEM_CUT_IN))) continue;
        gri_put(p, "  ");
        gri_put_id(p, id);
        gri_put(p, names[out]);
        gri_put(p, " [label=\"");
        gri_text_symbol(&p->text, "…", "...");
        gri_put(p, "\", shape=plaintext, style=\"\", width=0.3, height=0.2];\n  ");
        gri_put_id(p, id);
        gri_put(p, out ? " -> " : "_in -> ");
        gri_put_id(p, id);
        gri_put(p, out ? "_out" : "");
        gri_put(p, " [style=dotted, penwidth=1];\n");
    }
}

static void put_node(gri_picture *p, gri_item *item)
{
    item->id = ++p->n_ids;
    gri_put(p, "  ");
    gri_put_id(p, item->id);
    gri_put(p, " [label=<");
    gri_put_label(p, item);
    gri_put(p, ">");
    gri_put_look(p, item);
    gri_put_tooltip(p, item->node);
    gri_put(p, "\"];\n");
    put_stubs(p, item->id, item->flags);
}

static void put_box(gri_picture *p, uint32_t frame)
{
    gri_frame *box = &p->frames[frame];
    if (box->id) return;
    box->id = ++p->n_ids;
    gri_put(p, "  ");
    gri_put_id(p, box->id);
    gri_put(p, " [label=<");
    gri_put_box_label(p, frame);
    gri_put(p, ">");
    put_looks(p, ", shape=box3d, style=filled, margin=\"0.14,0.11\", fillcolor=\"" BOX_FILL "\"", box->flags);
    gri_text_escaped(&p->text, gri_name_path(p->g, (uint16_t)(frame / 2)), GRI_TITLE_CHARACTERS, false);
    gri_put(p, "\"];\n");
    put_stubs(p, box->id, box->flags);
}

static void put_nodes(gri_picture *p)
{
    for (uint32_t i = 0; i < p->n_items && !p->text.failed; i++) {
        gri_item *item = &p->items[i];
        if (item->twin != i) continue;
        const uint32_t box = gri_box_of(p, item);
        if (box)
            put_box(p, box);
        else
            put_node(p, item);
    }
}

/* ---- Frames ---- */

static bool is_drawn(const gri_picture *p, uint32_t frame)
{
    if (frame < 2) return p->options.mode == GR_DOT_BOTH;
    return p->frames[frame].repeats || !p->options.no_frames;
}

static void put_frame_begin(gri_picture *p, uint32_t frame)
{
    const bool repeated = p->frames[frame].repeats;
    gri_put(p, "  subgraph cluster_");
    gri_text_unsigned(&p->text, p->n_drawn_frames++);
    gri_put(p, " {\n    label=\"");
    if (frame < 2)
        gri_put(p, frame == 0 ? "forward" : "backward");
    else
        gri_put_frame_title(p, frame, false);
    /* Frames inside others would take over what these say: all of it is said of each. Arrows come in anywhere but
       at the corner. */
    gri_put(p, "\"; labelloc=t; labeljust=l; ");
    gri_put(p, frame < 2  ? "style=solid; color=\"#BBBBBB\";\n"
               : repeated ? "style=rounded; color=\"#444444\"; penwidth=2.5; fontsize=11;\n"
                          : "style=\"rounded,dashed\"; color=\"#777777\"; penwidth=1; fontsize=11;\n");
}

static void put_members(gri_picture *p, uint32_t frame)
{
    const gri_frame *f = &p->frames[frame];
    if (!f->items) return;
    gri_put(p, "   ");
    for (uint32_t i = f->items; i > 0; i = p->next_item[i - 1]) {
        gri_put(p, " ");
        gri_put_id(p, p->items[i - 1].id);
        gri_put(p, ";");
    }
    gri_put(p, "\n");
}

/* A frame, and those inside it: a walk over the tree without a stack. */
static void put_frames(gri_picture *p, uint32_t top)
{
    uint32_t frame = top, open = 0;
    bool down = true;
    while (!p->text.failed) {
        const gri_frame *f = &p->frames[frame];
        const bool drawn = is_drawn(p, frame);
        if (down && f->box) {
            if (open > 0) {
                gri_put(p, "    ");
                gri_put_id(p, f->id);
                gri_put(p, ";\n");
            }
        } else if (down) {
            if (drawn) put_frame_begin(p, frame);
            open += drawn;
            if (open > 0) put_members(p, frame);
            if (f->first) {
                frame = f->first;
                continue;
            }
        }
        if (!f->box && drawn) gri_put(p, "  }\n");
        if (!f->box) open -= drawn;
        if (frame == top) return;
        down = f->next != 0;
        frame = down ? f->next : 2 * (uint32_t)gri_parent_scope(p, (uint16_t)(frame / 2)) + frame % 2;
    }
}

gr_status gri_dot_text(gri_picture *p)
{
    put_beginning(p);
    if (p->neurons)
        gri_put_neurons(p);
    else
        put_nodes(p);
    for (uint32_t side = 0; p->frames && side < 2; side++)
        if (p->frames[side].met) put_frames(p, side);
    gr_status status = GR_OK;
    if (p->neurons)
        gri_put_synapses(p);
    else
        status = gri_put_arrows(p);
    gri_put(p, "}\n");
    return status;
}
