/* What the nodes of a drawing say. A label is a table of one column: dot gives lines of mixed size room only
   then. A blank between letters of two kinds ends the first of them, for where letters change dot begins a text of its
   own in an SVG, and those who show that drop blanks that a text begins with. */
#include "draw/picture.h"
#include "draw/table.h"

enum { SHOWN_OUTPUTS = 3 };

static void put_row_break(gri_picture *p) { gri_put(p, "</TD></TR><TR><TD>"); }

static void put_begin(gri_picture *p)
{
    gri_put(p, "<TABLE BORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"1\"><TR><TD>");
}

static void put_end(gri_picture *p) { gri_put(p, "</TD></TR></TABLE>"); }

/* ---- Of a tensor ---- */

/* An item that stands for others has no values of its own to show. */
static bool shows_values(const gri_picture *p, const gri_item *item)
{
    return !p->options.hide_values && !(item->flags & GRI_ITEM_FOLDED);
}

/* Gradients have signs. */
static bool is_gradient(const gri_item *item)
{
    return item->flags & GRI_ITEM_ROOT && item->flags & GRI_ITEM_BACKWARD;
}

/* Type and shape, small. */
static void put_kind(gri_picture *p, const gr_array *a)
{
    const bool type = p->options.show_types;
    if (a->ndim == 0 && !type) return;
    gri_put(p, " <FONT POINT-SIZE=\"9\" COLOR=\"#555555\">");
    if (type) gri_put(p, gr_type_name(a->type));
    if (type && a->ndim > 0) gri_put(p, " ");
    gri_put_shape(p, a);
    gri_put(p, "</FONT>");
}

/* Name, operation, shape; the value of a scalar. */
static void put_heading(gri_picture *p, const gri_item *item)
{
    const gri_node *node = item->node;
    const gr_array *a = &node->array;
    const bool value = a->ndim == 0 && shows_values(p, item);
    const bool made = node->op && (node->op->arity != 0 || !value); /* "2" says more than "full = 2" */
    if (node->name) {
        gri_put(p, "<B>");
        gri_text_escaped(&p->text, node->name, GRI_NAME_CHARACTERS, false);
        gri_put(p, made || value ? " </B>= " : "</B>");
    }
    if (made) gri_text_escaped(&p->text, node->op->name, GRI_NAME_CHARACTERS, false);
    if (made && value) gri_put(p, " = ");
    if (value)
        gri_put_element(p, node, is_gradient(item));
    else if (!node->name && !made)
        gri_put(p, "constant");
    put_kind(p, a);
}

static bool in_full(const gri_picture *p, const gr_array *a) { return a->count <= p->options.max_elements; }

static void put_value(gri_picture *p, const gri_item *item)
{
    const gr_array *a = &item->node->array;
    if (!shows_values(p, item) || a->ndim == 0) return;
    put_row_break(p);
    if (a->count == 0)
        gri_put(p, "no elements");
    else if (in_full(p, a))
        gri_put_rows(p, item->node, is_gradient(item));
    else if (is_gradient(item))
        gri_put_norm(p, item->node);
    else
        gri_put_range(p, item->node);
}

/* Whether backward passes store a gradient for it. */
static bool has_gradient(const gri_node *node)
{
    return (node->flags & GRI_REQUIRES_GRAD) && (!node->n_operands || (node->flags & GRI_RETAIN_GRAD));
}

static void put_gradient(gri_picture *p, const gri_item *item)
{
    const gri_node *node = item->node;
    if (p->options.hide_gradients || item->flags & (GRI_ITEM_FOLDED | GRI_ITEM_READ)) return;
    if ((!has_gradient(node) && !node->gradient) || node->array.count == 0) return;
    put_row_break(p);
    if (!node->gradient) {
        gri_put(p, "<I>gradient</I>: not computed");
        return;
    }
    const gri_node *gradient = gri_kept_node(p->g, node->gradient);
    const int64_t count = gradient->array.count;
    const bool rows = count > 1 && in_full(p, &gradient->array);
    gri_put(p, rows ? "<I>gradient</I><BR/>" : "<I>gradient </I>");
    if (rows)
        gri_put_rows(p, gradient, true);
    else if (count == 1)
        gri_put_element(p, gradient, true);
    else
        gri_put_norm(p, gradient);
}

static void put_name_or(gri_picture *p, const gri_node *node, const char *otherwise)
{
    if (node->name)
        gri_text_escaped(&p->text, node->name, GRI_NAME_CHARACTERS, false);
    else
        gri_put(p, otherwise);
}

/* By what a gradient is the derivative of the root. One tensor can be the gradient of several. A line for each,
   which begins or ends with a break. */
static void put_derivatives(gri_picture *p, const gri_item *item, bool break_first)
{
    const gr_dot_options *o = &p->options;
    for (int i = 0; is_gradient(item) && o->inputs && i < o->n_gradients; i++) {
        if (o->gradients[i].index != item->node->index) continue;
        const gr_tensor input = o->inputs[i];
        if (break_first) put_row_break(p);
        gri_text_symbol(&p->text, "<B>∂", "<B>d");
        put_name_or(p, p->root, "y");
        gri_text_symbol(&p->text, "/∂", "/d");
        put_name_or(p, gri_lookup(p->g, input.index, input.generation), "x");
        gri_put(p, "</B>");
        if (!break_first) put_row_break(p);
    }
}

void gri_put_label(gri_picture *p, const gri_item *item)
{
    put_begin(p);
    put_derivatives(p, item, false);
    put_heading(p, item);
    put_value(p, item);
    put_gradient(p, item);
    put_end(p);
}

/* Type, shape as in messages, formula: seen when the pointer rests on the node of an SVG. */
void gri_put_tooltip(gri_picture *p, const gri_node *node)
{
    char shape[256];
    gri_describe_shape(shape, sizeof shape, node->array.ndim, node->array.dims);
    gri_put(p, gr_type_name(node->array.type));
    gri_put(p, " ");
    gri_put(p, shape);
    if (!node->op || !node->op->formula) return;
    gri_put(p, ": ");
    gri_text_escaped(&p->text, node->op->formula, GRI_TITLE_CHARACTERS, false);
}

/* ---- Of a scope ---- */

void gri_put_frame_title(gri_picture *p, uint32_t frame, bool whole)
{
    const gri_frame *f = &p->frames[frame];
    const gri_name *first = &p->g->names.entry[frame / 2], *last = &p->g->names.entry[f->last_scope];
    gri_text_escaped(&p->text, whole ? first->path : first->name, GRI_NAME_CHARACTERS, false);
    if (f->repeats == 0) return;
    gri_text_symbol(&p->text, " … ", " ... ");
    gri_text_escaped(&p->text, last->name, GRI_NAME_CHARACTERS, false);
    gri_text_symbol(&p->text, "  ×", "  x");
    gri_text_unsigned(&p->text, (uint64_t)f->repeats + 1);
}

static void put_count(gri_picture *p, uint64_t n, const char *what)
{
    char number[GRI_GROUPED_BYTES];
    gri_grouped(number, (double)n);
    gri_put(p, number);
    gri_put(p, " ");
    gri_put(p, what);
    if (n != 1) gri_put(p, "s");
}

/* Shapes of what others take from it. */
static void put_outputs(gri_picture *p, uint32_t frame)
{
    const gri_frame *box = &p->frames[frame];
    uint32_t n = 0;
    for (uint32_t i = box->outputs; i > 0; i = p->next_item[i - 1]) {
        const gr_array *a = &p->items[i - 1].node->array;
        if (n == 0) {
            put_row_break(p);
            gri_text_symbol(&p->text, "→ ", "out ");
        } else {
            gri_put(p, ", ");
        }
        if (n++ == SHOWN_OUTPUTS) {
            gri_text_symbol(&p->text, "…", "...");
            return;
        }
        if (a->ndim == 0) gri_put(p, "scalar");
        gri_put_shape(p, a);
    }
}

void gri_put_box_label(gri_picture *p, uint32_t frame)
{
    const gri_frame *box = &p->frames[frame];
    put_begin(p);
    gri_put(p, "<B>");
    gri_put_frame_title(p, frame, true);
    gri_put(p, "</B>");
    put_row_break(p);
    put_count(p, box->n_operations, "operation");
    if (box->repeats) gri_put(p, " each");
    if (box->has_params) {
        put_row_break(p);
        put_count(p, box->param_elements, "parameter");
        if (box->repeats) gri_put(p, " each");
    }
    put_outputs(p, frame);
    for (uint32_t i = box->outputs; i > 0; i = p->next_item[i - 1])
        put_derivatives(p, &p->items[i - 1], true);
    put_end(p);
}
