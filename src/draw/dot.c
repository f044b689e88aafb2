/*
 * Drawing the graph of a tensor as text for Graphviz: what gradus/dot.h describes.
 *
 * Three loops over the step slots, which stand in topological order: from the root down, marking what it was
 * made from; up, numbering and writing nodes, a leaf just before its first use; up again, writing arrows. All
 * that is known of an operation is its descriptor.
 *
 * Invariants: the text depends on the drawn graph and the options only, not on indices or on what else is in
 * the graph. Every text of others goes through gri_text_escaped. The graph is not changed.
 */
#include "gradus/dot.h"
#include "graph/graph.h"
#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
    DEFAULT_DIGITS = 6,
    MOST_DIGITS = 17,
    DEFAULT_ELEMENTS = 6,
    SUMMARY_DIGITS = 4,
    NAME_CHARACTERS = 48,
    TITLE_CHARACTERS = 400
};

#define UNNUMBERED UINT32_MAX

typedef struct drawing {
    gr_graph *g;
    const gri_node *root;
    gr_dot_options options; /* defaults filled in */
    /* By index, for each of the two tables. 0: not drawn; UNNUMBERED: to be drawn; else 1 + the number of
       the node. */
    uint32_t *step_id, *kept_id;
    uint32_t step_top, kept_top;
    uint32_t n_nodes; /* numbered so far */
    gri_text text;
} drawing;

static void put(drawing *d, const char *text) { gri_text_put(&d->text, text); }

static uint32_t *id_of(const drawing *d, uint32_t index)
{
    return index & GRI_KEPT ? &d->kept_id[index & ~GRI_KEPT] : &d->step_id[index];
}

/* ---- Values ---- */

/* Where the element of row-major position i lies. */
static int64_t offset_of(const gr_array *a, int64_t i)
{
    int64_t offset = 0;
    for (int axis = a->ndim; axis-- > 0;) {
        offset += i % a->dims[axis] * a->strides[axis];
        i /= a->dims[axis];
    }
    return offset;
}

/* How numbers of one tensor are written. */
typedef struct number_style {
    int digits;
    bool sign;
} number_style;

/* Integers are exact: the largest has ten digits. */
static number_style style_of(const drawing *d, const gr_array *a, bool sign)
{
    return (number_style){gr_type_is_float(a->type) ? d->options.digits : 10, sign};
}

static void put_number(drawing *d, double value, number_style style)
{
    char number[GRI_NUMBER_BYTES];
    gri_number(number, value, style.digits, style.sign);
    gri_text_number(&d->text, number);
}

/* All elements, a line for each row; columns stand below each other. */
static void put_rows(drawing *d, const gr_array *a, number_style style)
{
    char number[GRI_NUMBER_BYTES];
    const int64_t columns = a->ndim > 0 ? a->dims[a->ndim - 1] : 1;
    int width = 0;
    for (int64_t i = 0; i < a->count; i++) {
        const int length = gri_number(number, gri_element(a, offset_of(a, i)), style.digits, style.sign);
        if (length > width) width = length;
    }
    put(d, "<FONT FACE=\"Courier\">");
    for (int64_t i = 0; i < a->count; i++) {
        int length = gri_number(number, gri_element(a, offset_of(a, i)), style.digits, style.sign);
        if (i > 0) put(d, i % columns == 0 ? "<BR/>" : "&#160;&#160;");
        for (; length < width && columns > 1; length++) put(d, "&#160;");
        gri_text_number(&d->text, number);
    }
    put(d, "</FONT>");
}

/* What a tensor too large to be shown comes down to. A NaN anywhere makes all three NaN: it would be the
   first thing to look for. */
typedef struct summary {
    double low, high, norm;
} summary;

static summary summarise(const gr_array *a)
{
    const int64_t columns = a->ndim > 0 ? a->dims[a->ndim - 1] : 1;
    const int64_t stride = a->ndim > 0 ? a->strides[a->ndim - 1] : 0;
    summary s = {INFINITY, -INFINITY, 0};
    double largest = 0, sum = 0; /* sum of (x / largest)^2: no overflow, no underflow */
    for (int64_t row = 0; row < a->count; row += columns) {
        const int64_t first = offset_of(a, row);
        for (int64_t column = 0; column < columns; column++) {
            const double x = gri_element(a, first + column * stride), size = fabs(x);
            s.low = x < s.low || isnan(x) ? x : s.low;
            s.high = x > s.high || isnan(x) ? x : s.high;
            if (size > largest) {
                sum = 1 + sum * (largest / size) * (largest / size);
                largest = size;
            } else if (size > 0) {
                sum += (size / largest) * (size / largest);
            }
        }
    }
    s.norm = isnan(s.low) ? s.low : isinf(largest) ? largest : largest * sqrt(sum);
    return s;
}

/* Numbers that stand for many need not be long. */
static number_style summary_style(const drawing *d, const gr_array *a)
{
    number_style style = style_of(d, a, false);
    if (gr_type_is_float(a->type) && style.digits > SUMMARY_DIGITS) style.digits = SUMMARY_DIGITS;
    return style;
}

static void put_norm(drawing *d, const gr_array *a)
{
    gri_text_symbol(&d->text, "‖·‖ = ", "||.|| = ");
    put_number(d, summarise(a).norm, summary_style(d, a));
}

static void put_range(drawing *d, const gr_array *a)
{
    const summary s = summarise(a);
    const bool one = s.low == s.high;
    if (one) put(d, "all ");
    put_number(d, s.low, summary_style(d, a));
    if (one) return;
    gri_text_symbol(&d->text, " … ", " ... ");
    put_number(d, s.high, summary_style(d, a));
}

static bool in_full(const drawing *d, const gr_array *a) { return a->count <= d->options.max_elements; }

/* ---- Labels ---- */

/* A label is a table of one column: dot gives lines of mixed size room only then. */
static void put_row_break(drawing *d) { put(d, "</TD></TR><TR><TD>"); }

/* "2×3", "[3]", or nothing for a scalar. */
static void put_shape(drawing *d, const gr_array *a)
{
    if (a->ndim == 1) put(d, "[");
    for (int axis = 0; axis < a->ndim; axis++) {
        if (axis > 0) gri_text_symbol(&d->text, "×", "x");
        gri_text_unsigned(&d->text, (uint64_t)a->dims[axis]);
    }
    if (a->ndim == 1) put(d, "]");
}

/* Name, operation, shape; the value of a scalar. */
static void put_heading(drawing *d, const gri_node *node)
{
    const gr_array *a = &node->array;
    const bool value = a->ndim == 0 && !d->options.hide_values;
    if (node->name) {
        put(d, "<B>");
        gri_text_escaped(&d->text, node->name, NAME_CHARACTERS, false);
        put(d, "</B>");
    }
    const bool made = node->op && (node->op->arity != 0 || !value); /* "2" says more than "full = 2" */
    if (made) {
        if (node->name) put(d, " = ");
        gri_text_escaped(&d->text, node->op->name, NAME_CHARACTERS, false);
    }
    const bool bare = !node->name && !made;
    if (bare && !value) put(d, "constant");
    if (value) {
        if (!bare) put(d, " = ");
        put_number(d, gri_element(a, 0), style_of(d, a, false));
    }
    if (a->ndim > 0) {
        put(d, " <FONT POINT-SIZE=\"9\" COLOR=\"#555555\">");
        put_shape(d, a);
        put(d, "</FONT>");
    }
}

static void put_value(drawing *d, const gri_node *node)
{
    const gr_array *a = &node->array;
    if (d->options.hide_values || a->ndim == 0 || a->count == 0) return;
    put_row_break(d);
    if (in_full(d, a))
        put_rows(d, a, style_of(d, a, false));
    else
        put_range(d, a);
}

/* Whether backward passes store a gradient for it. */
static bool has_gradient(const gri_node *node)
{
    return (node->flags & GRI_REQUIRES_GRAD) && (!node->n_operands || (node->flags & GRI_RETAIN_GRAD));
}

static void put_gradient(drawing *d, const gri_node *node)
{
    if (d->options.hide_gradients || !(has_gradient(node) || node->gradient)) return;
    put_row_break(d);
    put(d, "<I>gradient</I>");
    if (!node->gradient) {
        put(d, ": not computed");
        return;
    }
    const gr_array *a = &gri_kept_node(d->g, node->gradient)->array;
    if (a->count == 0) return;
    if (a->count == 1) {
        put(d, " ");
        put_number(d, gri_element(a, offset_of(a, 0)), style_of(d, a, true));
    } else if (in_full(d, a)) {
        put(d, "<BR/>");
        put_rows(d, a, style_of(d, a, true));
    } else {
        put(d, " ");
        put_norm(d, a);
    }
}

/* Type, shape as in messages, formula: seen when the pointer rests on the node of an SVG. */
static void put_tooltip(drawing *d, const gri_node *node)
{
    char shape[256];
    gri_describe_shape(shape, sizeof shape, node->array.ndim, node->array.dims);
    put(d, gr_type_name(node->array.type));
    put(d, " ");
    put(d, shape);
    if (!node->op || !node->op->formula) return;
    put(d, ": ");
    gri_text_escaped(&d->text, node->op->formula, TITLE_CHARACTERS, false);
}

/* ---- Nodes ---- */

/* The defaults, set once at the top, are those of an operation: rounded, thin, white. Shape and line come
   first; the fills, light tints of the palette of Okabe and Ito (2002), repeat what these say. */

#define PARAMETER_FILL "#F9F2AE"
#define INPUT_FILL     "#E3F2FB"
#define ROOT_FILL      "#E4E4E4"

static const char *look_of(const drawing *d, const gri_node *node)
{
    const bool differentiable = node->flags & GRI_REQUIRES_GRAD;
    if (node->flags & GRI_PARAM)
        return differentiable
                   ? ", style=filled, penwidth=3, color=black, fillcolor=\"" PARAMETER_FILL "\""
                   : ", style=\"filled,dashed\", penwidth=3, color=black, fillcolor=\"" PARAMETER_FILL "\"";
    if (node == d->root) return ", style=filled, penwidth=1.6, color=black, fillcolor=\"" ROOT_FILL "\"";
    if (node->n_operands) return node->flags & GRI_RETAIN_GRAD ? ", penwidth=2" : "";
    if (node->op && node->op->arity != 0)
        return ", shape=ellipse, style=\"filled,dashed\", fillcolor=\"" INPUT_FILL "\"";
    return differentiable ? ", shape=ellipse, style=filled, penwidth=3, fillcolor=\"" INPUT_FILL "\""
                          : ", shape=ellipse, style=filled, fillcolor=\"" INPUT_FILL "\"";
}

static void put_id(drawing *d, uint32_t id)
{
    put(d, "n");
    gri_text_unsigned(&d->text, id - 1);
}

static void put_node(drawing *d, const gri_node *node)
{
    uint32_t *id = id_of(d, node->index);
    *id = ++d->n_nodes;
    put(d, "  ");
    put_id(d, *id);
    put(d, " [label=<<TABLE BORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"1\"><TR><TD>");
    put_heading(d, node);
    put_value(d, node);
    put_gradient(d, node);
    put(d, "</TD></TR></TABLE>>");
    put(d, look_of(d, node));
    if (node == d->root) put(d, ", peripheries=2");
    put(d, ", tooltip=\"");
    put_tooltip(d, node);
    put(d, "\"];\n");
}

/* ---- Arrows ---- */

/* What stands for an operand that is gone: a node of its own, named after its user and place. */
static void put_released_id(drawing *d, uint32_t user_id, uint32_t k)
{
    put_id(d, user_id);
    put(d, "_");
    gri_text_unsigned(&d->text, k + 1);
}

/* Attributes of an arrow; `operand` is NULL if it is gone. */
static void put_arrow_look(drawing *d, const gri_node *node, uint32_t k, const gri_node *operand)
{
    const char *separator = " [";
    if (node->n_operands > 1 && !node->op->commutative) {
        put(d, " [headlabel=\"");
        gri_text_unsigned(&d->text, k + 1);
        put(d, "\"");
        separator = ", ";
    }
    if (!operand || !(operand->flags & GRI_REQUIRES_GRAD)) {
        put(d, separator);
        put(d, "color=\"#999999\", penwidth=0.8");
        separator = ", ";
    }
    if (operand && operand->version != gri_operands(node)[k].version) {
        put(d, separator);
        put(d, "style=dashed, label=\"changed since\"");
        separator = ", ";
    }
    put(d, *separator == ',' ? "];\n" : ";\n");
}

/* The arrow from operand k of a node. */
static void put_arrow(drawing *d, const gri_node *node, uint32_t k)
{
    const gri_operand *use = &gri_operands(node)[k];
    const gri_node *operand = gri_lookup(d->g, use->index, use->generation);
    const uint32_t id = *id_of(d, node->index);
    put(d, "  ");
    if (operand) {
        put_id(d, *id_of(d, use->index));
    } else {
        put_released_id(d, id, k);
        put(d, " [label=\"released\", shape=ellipse, style=dotted];\n  ");
        put_released_id(d, id, k);
    }
    put(d, " -> ");
    put_id(d, id);
    put_arrow_look(d, node, k, operand);
}

/* ---- The whole ---- */

static void put_legend(drawing *d)
{
    put(d, "<TR><TD><FONT POINT-SIZE=\"9\">thick box: parameter &#160; ellipse: input &#160; "
           "rounded box: operation &#160; double line: ");
    put(d, d->root->array.count == 1 ? "loss" : "result");
    put(d, " &#160; black arrow: gradients flow back along it</FONT></TD></TR>");
}

static void put_beginning(drawing *d)
{
    static const char *const directions[] = {"LR", "TB", "RL", "BT"};
    const char *title = d->options.title;
    put(d, "digraph gradus {\n  graph [rankdir=");
    put(d, directions[d->options.direction]);
    put(d, ", bgcolor=white, fontname=\"Helvetica\", fontsize=13, nodesep=0.3, ranksep=0.45");
    if (title || d->options.legend) {
        put(d, d->options.legend ? ", labelloc=b" : ", labelloc=t");
        put(d, ", label=<<TABLE BORDER=\"0\" CELLPADDING=\"3\">");
        if (title) {
            put(d, "<TR><TD><B>");
            gri_text_escaped(&d->text, title, TITLE_CHARACTERS, true);
            put(d, "</B></TD></TR>");
        }
        if (d->options.legend) put_legend(d);
        put(d, "</TABLE>>");
    }
    put(d, "];\n"
           "  node [shape=box, style=\"rounded,filled\", fillcolor=white, color=\"#444444\", "
           "fontname=\"Helvetica\", fontsize=11, margin=\"0.08,0.06\"];\n"
           "  edge [color=\"#222222\", penwidth=1.4, arrowsize=0.6, fontname=\"Helvetica\", fontsize=9, "
           "labelfontsize=8, labelfontcolor=\"#555555\", labeldistance=1.3];\n");
}

/* Marks what the root was made from. Operands stand before what uses them, so one pass down is enough. */
static void mark(drawing *d)
{
    *id_of(d, d->root->index) = UNNUMBERED;
    for (uint32_t i = d->step_top; i-- > 1;) {
        if (!d->step_id[i]) continue;
        const gri_node *node = d->g->step.slot[i].node;
        for (uint32_t k = 0; k < node->n_operands; k++) {
            const gri_operand *o = &gri_operands(node)[k];
            if (gri_lookup(d->g, o->index, o->generation)) *id_of(d, o->index) = UNNUMBERED;
        }
    }
}

static void put_nodes(drawing *d)
{
    for (uint32_t i = 1; i < d->step_top && !d->text.failed; i++) {
        const gri_node *node = d->step_id[i] ? d->g->step.slot[i].node : NULL;
        if (!node || !node->n_operands) continue; /* leaves come with their first use */
        for (uint32_t k = 0; k < node->n_operands; k++) {
            const gri_operand *o = &gri_operands(node)[k];
            const gri_node *operand = gri_lookup(d->g, o->index, o->generation);
            if (operand && *id_of(d, o->index) == UNNUMBERED) put_node(d, operand);
        }
        put_node(d, node);
    }
    if (*id_of(d, d->root->index) == UNNUMBERED) put_node(d, d->root); /* a leaf */
}

static void put_arrows(drawing *d)
{
    for (uint32_t i = 1; i < d->step_top && !d->text.failed; i++) {
        const gri_node *node = d->step_id[i] ? d->g->step.slot[i].node : NULL;
        for (uint32_t k = 0; node && k < node->n_operands; k++) put_arrow(d, node, k);
    }
}

static gr_status fill_options(gr_graph *g, const gr_dot_options *given, gr_dot_options *o)
{
    *o = given ? *given : (gr_dot_options){.title = NULL};
    if (o->digits < 0 || o->digits > MOST_DIGITS)
        return gri_fail(g, GR_ERR_ARGUMENT, "dot: %d digits; 1 to %d are possible, 0 means %d", o->digits,
                        MOST_DIGITS, DEFAULT_DIGITS);
    if ((int)o->direction < GR_DOT_LEFT_TO_RIGHT || o->direction > GR_DOT_BOTTOM_TO_TOP)
        return gri_fail(g, GR_ERR_ARGUMENT, "dot: %d is no direction", (int)o->direction);
    if (o->digits == 0) o->digits = DEFAULT_DIGITS;
    if (o->max_elements == 0) o->max_elements = DEFAULT_ELEMENTS;
    return GR_OK;
}

/* Checks all that can be checked before a file is opened; fills in root and options. */
static gr_status begin(drawing *d, gr_tensor root, const gr_dot_options *options)
{
    gr_graph *g = d->g = root.graph;
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    d->root = gri_resolve(root, "dot");
    return d->root ? fill_options(g, options, &d->options) : g->status;
}

/* Writes the text. An error of memory is set; that the writer refused is left to the caller to report, as
   GR_ERR_IO. */
static gr_status draw(drawing *d, gr_writer *write, void *user)
{
    gri_memory *m = &d->g->memory;
    d->step_top = d->root->index & GRI_KEPT ? 1 : d->root->index + 1;
    d->kept_top = d->g->kept.top ? d->g->kept.top : 1;
    d->n_nodes = 0;
    const size_t step_bytes = d->step_top * sizeof(uint32_t), kept_bytes = d->kept_top * sizeof(uint32_t);
    d->step_id = gri_alloc_zeroed(m, step_bytes);
    d->kept_id = gri_alloc_zeroed(m, kept_bytes);
    gr_status status = GR_OK;
    if (!d->step_id || !d->kept_id) {
        status = gri_fail_memory(d->g, "dot", step_bytes + kept_bytes);
    } else {
        gri_text_begin(&d->text, write, user, d->options.ascii);
        mark(d);
        put_beginning(d);
        put_nodes(d);
        put_arrows(d);
        put(d, "}\n");
        if (!gri_text_end(&d->text)) status = GR_ERR_IO;
    }
    gri_free(m, d->step_id, step_bytes);
    gri_free(m, d->kept_id, kept_bytes);
    return status;
}

gr_status gr_dot_write(gr_tensor root, gr_writer *write, void *user, const gr_dot_options *options)
{
    drawing d;
    gr_status status = begin(&d, root, options);
    if (status != GR_OK) return status;
    if (!write) return gri_fail(d.g, GR_ERR_ARGUMENT, "dot: NULL for the writer");
    status = draw(&d, write, user);
    return status == GR_ERR_IO ? gri_fail(d.g, status, "dot: the writer did not take the text") : status;
}

/* ---- Into memory ---- */

typedef struct string {
    char *to;
    size_t room, length;
} string;

static bool write_string(const char *text, size_t length, void *user)
{
    string *s = user;
    if (s->length < s->room) {
        const size_t left = s->room - s->length;
        memcpy(s->to + s->length, text, length < left ? length : left);
    }
    s->length += length;
    return true;
}

gr_status gr_dot_write_string(gr_tensor root, char *to, size_t room, size_t *length,
                              const gr_dot_options *options)
{
    string s = {to, room > 0 ? room - 1 : 0, 0};
    drawing d;
    gr_status status = begin(&d, root, options);
    if (status == GR_OK && room > 0 && !to) status = gri_fail(d.g, GR_ERR_ARGUMENT, "dot: NULL for the text");
    if (status == GR_OK) status = draw(&d, write_string, &s);
    if (status != GR_OK) s.length = 0;
    if (to && room > 0) to[s.length < s.room ? s.length : s.room] = '\0';
    if (length) *length = s.length;
    return status;
}

/* ---- Into a file ---- */

static bool write_file(const char *text, size_t length, void *user)
{
    return fwrite(text, 1, length, (FILE *)user) == length;
}

/* `temporary`: nothing is left of it on failure. */
static gr_status draw_file(drawing *d, const char *path, bool temporary)
{
    errno = 0;
    FILE *file = fopen(path, "wb");
    if (!file) return gri_fail(d->g, GR_ERR_IO, "dot: cannot open %s: %s", path, strerror(errno));
    gr_status status = draw(d, write_file, file);
    int reason = errno;
    if (fclose(file) != 0 && status == GR_OK) {
        status = GR_ERR_IO;
        reason = errno;
    }
    if (status == GR_ERR_IO) gri_fail(d->g, status, "dot: cannot write %s: %s", path, strerror(reason));
    if (status != GR_OK && temporary) remove(path);
    return status;
}

/* Writes beside the file and puts the text in its place. */
static gr_status replace_file(drawing *d, const char *path)
{
    static const char suffix[] = ".part";
    const size_t length = strlen(path), bytes = length + sizeof suffix;
    char *part = gri_alloc(&d->g->memory, bytes);
    if (!part) return gri_fail_memory(d->g, "dot", bytes);
    memcpy(part, path, length);
    memcpy(part + length, suffix, sizeof suffix);
    gr_status status = draw_file(d, part, true);
    if (status == GR_OK && rename(part, path) != 0) {
        status = gri_fail(d->g, GR_ERR_IO, "dot: cannot write %s: %s", path, strerror(errno));
        remove(part);
    }
    gri_free(&d->g->memory, part, bytes);
    return status;
}

gr_status gr_dot_write_file(gr_tensor root, const char *path, const gr_dot_options *options)
{
    drawing d;
    const gr_status status = begin(&d, root, options);
    if (status != GR_OK) return status;
    if (!path || !*path) return gri_fail(d.g, GR_ERR_ARGUMENT, "dot: no path");
    struct stat there;
    const bool special = lstat(path, &there) == 0 && !S_ISREG(there.st_mode);
    return special ? draw_file(&d, path, false) : replace_file(&d, path);
}
