/*
 * Single numbers: a small graph of tensors drawn as the graph of its elements (scalars.h), as textbooks draw networks.
 *
 * A parameter that is in nothing but products is written at the arrow of the other factor, one that is in nothing but
 * sums is written in the sum: weights and biases. What is a product is seen from the symbols of its two partial
 * derivatives, of which each is the other factor; a sum, from one that is constant. A sum of such products that
 * goes into a sum and nowhere else is a part of that.
 */
#include "draw/picture.h"
#include "draw/scalars.h"

#include <inttypes.h>

enum { EDGES_PER_SCALAR = 64 };

#define NONE UINT32_MAX

typedef struct gri_neurons {
    gri_scalars s;
    uint32_t n;
    bool *written;  /* by number: a parameter without a node of its own */
    uint32_t *part; /* by number: the number that it is a part of; itself if of none */
    uint32_t *edge; /* by number: scratch, the last edge to it that was looked at; then its item */
} gri_neurons;

/* ---- Weights and biases ---- */

/* The edge beside e whose number is the other factor: of e the derivative is x, of that one w. NONE: no such. */
static uint32_t other_factor(const gri_neurons *w, const gri_scalar_edge *e)
{
    const gri_scalars *s = &w->s;
    if (e->kind != GRI_SYMBOL_ELEMENT || e->factor != 1 || e->other >= s->n_nodes) return NONE;
    const uint32_t k = w->edge[e->other];
    const bool beside = k < s->n_edges && s->edge[k].from == e->from && s->edge[k].to == e->other;
    if (!beside || s->edge[k].kind != GRI_SYMBOL_ELEMENT || s->edge[k].factor != 1) return NONE;
    return s->edge[k].other == e->to ? k : NONE;
}

static bool is_term(const gri_scalar_edge *e) { return e->kind == GRI_SYMBOL_CONSTANT && e->partial == 1; }

static bool is_param(const gri_scalars *s, uint32_t i) { return s->node[i].leaf && s->node[i].param; }

/* The edges of a number, so that others beside them can be found. */
static void look_at(gri_neurons *w, uint32_t i)
{
    const gri_scalar *node = &w->s.node[i];
    for (uint32_t k = 0; k < node->n_edges; k++) {
        const uint32_t e = node->first_edge + k;
        w->edge[w->s.edge[e].to] = e;
    }
}

static void find_written(gri_neurons *w)
{
    const gri_scalars *s = &w->s;
    for (uint32_t i = 0; i < s->n_nodes; i++) {
        w->written[i] = is_param(s, i) && i != s->root;
        w->edge[i] = NONE;
    }
    for (uint32_t i = 0; i < s->n_nodes; i++) {
        look_at(w, i);
        for (uint32_t k = 0; k < s->node[i].n_edges; k++) {
            const gri_scalar_edge *e = &s->edge[s->node[i].first_edge + k];
            const uint32_t factor = other_factor(w, e);
            const bool weight = factor != NONE && !is_param(s, s->edge[factor].to);
            if (!weight && !(is_term(e) && s->node[i].n_edges > 1)) w->written[e->to] = false;
        }
    }
}

/* Whether a number is a sum of products with factors that are written at arrows. */
static bool is_written_out(const gri_neurons *w, uint32_t i)
{
    const gri_scalars *s = &w->s;
    for (uint32_t k = 0; k < s->node[i].n_edges; k++) {
        const gri_scalar_edge *e = &s->edge[s->node[i].first_edge + k];
        const uint32_t factor = other_factor(w, e);
        if (factor == NONE || !(w->written[e->to] || w->written[s->edge[factor].to])) return false;
    }
    return true;
}

/* What something else is a part of has a term, so it is no part itself. */
static void find_parts(gri_neurons *w)
{
    const gri_scalars *s = &w->s;
    for (uint32_t i = 0; i < s->n_nodes; i++) {
        w->part[i] = NONE; /* no use was met */
        look_at(w, i);
        const gri_scalar *node = &s->node[i];
        if (node->n_edges == 0 || node->named || !is_written_out(w, i)) w->part[i] = i;
    }
    for (uint32_t k = 0; k < s->n_edges; k++) {
        const gri_scalar_edge *e = &s->edge[k];
        if (w->part[e->to] == e->to) continue;
        const bool once = w->part[e->to] == NONE && is_term(e) && s->node[e->from].n_edges > 1;
        w->part[e->to] = once ? e->from : e->to;
    }
    if (w->part[s->root] == NONE) w->part[s->root] = s->root;
}

/* ---- Making it ---- */

static gr_status check_size(gri_picture *p, int64_t *elements)
{
    const int64_t most = p->options.max_scalars;
    gr_status status = gri_dot_select(p);
    *elements = 0;
    for (uint32_t i = 0; i < p->n_items && status == GR_OK; i++) *elements += p->items[i].node->array.count;
    gri_dot_unselect(p);
    if (status != GR_OK || most < 0 || *elements <= most) return status;
    return gri_fail(
        p->g, GR_ERR_LIMIT,
        "dot: %" PRId64 " single numbers are too many to be read (the limit is %" PRId64
        "): draw tensors (mode forward, with collapse_depth or a slice), or the paths to one weight "
        "(gr_paths_create); max_scalars raises the limit",
        *elements, most);
}

/* One item for each number. */
static gr_status make_items(gri_picture *p, const gri_scalars *s)
{
    p->items = gri_alloc(&p->g->memory, s->n_nodes * sizeof *p->items);
    if (!p->items) return gri_fail_memory(p->g, "dot", s->n_nodes * sizeof *p->items);
    p->room = s->n_nodes;
    for (uint32_t i = 0; i < s->n_nodes; i++) {
        if (p->neurons->written[i]) p->has |= GRI_HAS_FACTORS;
        if (p->neurons->written[i] || p->neurons->part[i] != i) continue;
        const gr_tensor t = s->tensor[s->node[i].tensor].tensor;
        const gri_node *node = gri_lookup(p->g, t.index, t.generation);
        const uint16_t flags = i == s->root ? GRI_ITEM_ROOT : 0;
        p->neurons->edge[i] = p->n_items; /* from here on: its item */
        p->items[p->n_items] = (gri_item){
            .node = node, .id = i, .twin = p->n_items, .scope = gri_name_scope(node), .flags = flags};
        p->n_items++;
    }
    return GR_OK;
}

gr_status gri_dot_neurons(gri_picture *p)
{
    gri_memory *m = &p->g->memory;
    int64_t elements;
    gr_status status = check_size(p, &elements);
    if (status != GR_OK) return status;
    gri_neurons *w = p->neurons = gri_alloc_zeroed(m, sizeof *w);
    if (!w) return gri_fail_memory(p->g, "dot", sizeof *w);
    w->s.g = p->g;
    const gri_scalars_options options = {
        .names = p->options.names,
        .limits = {elements, EDGES_PER_SCALAR * elements, p->options.max_scalars < 0}};
    status = gri_scalars_build(&w->s, "dot", gri_handle(p->g, p->root), 0, &options);
    if (status != GR_OK) return status;
    w->n = w->s.n_nodes;
    w->written = gri_alloc(m, w->n * sizeof *w->written);
    w->part = gri_alloc(m, w->n * sizeof *w->part);
    w->edge = gri_alloc(m, w->n * sizeof *w->edge);
    if (!w->written || !w->part || !w->edge) return gri_fail_memory(p->g, "dot", 2 * w->n * sizeof *w->edge);
    find_written(w);
    find_parts(w);
    status = make_items(p, &w->s);
    return status == GR_OK ? gri_dot_frames(p) : status;
}

void gri_dot_unneuron(gri_picture *p)
{
    gri_memory *m = &p->g->memory;
    gri_neurons *w = p->neurons;
    if (!w) return;
    gri_free(m, w->written, w->n * sizeof *w->written);
    gri_free(m, w->part, w->n * sizeof *w->part);
    gri_free(m, w->edge, w->n * sizeof *w->edge);
    gri_scalars_free(&w->s);
    gri_free(m, w, sizeof *w);
    p->neurons = NULL;
}

/* ---- Writing it ---- */

static void put_figure(gri_picture *p, double value, bool sign, gri_origin origin)
{
    char number[GRI_NUMBER_BYTES];
    gri_figure(number, value, p->options.digits, sign, origin);
    gri_text_number(&p->text, number);
}

/* "= 0.15" */
static void put_value(gri_picture *p, const gri_scalar *node)
{
    if (p->options.hide_values) return;
    gri_put(p, "= ");
    put_figure(p, node->value, false, gri_origin_of_value(node));
}

/* A parameter that is written at an arrow, or in a sum; and its gradient. */
static void put_written(gri_picture *p, uint32_t i, const char *before, const char *between)
{
    const gri_scalars *s = &p->neurons->s;
    gri_put(p, before);
    gri_put_scalar(&p->text, s, i, GRI_LABEL);
    if (!p->options.hide_values) gri_put(p, " ");
    put_value(p, &s->node[i]);
    if (p->options.hide_gradients) return;
    gri_put(p, between);
    gri_put(p, "<I>grad ");
    put_figure(p, s->node[i].adjoint, true, GRI_COMPUTED);
    gri_put(p, "</I>");
}

/* Whether the walk has anything to do here. */
static bool is_differentiated(const gri_item *item) { return item->node->flags & GRI_REQUIRES_GRAD; }

static void put_neuron_label(gri_picture *p, const gri_item *item, uint32_t i)
{
    const gri_scalars *s = &p->neurons->s;
    const gri_scalar *node = &s->node[i];
    const bool nameless = node->leaf && !node->param && !node->named;
    gri_put(p, "<TABLE BORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"1\"><TR><TD>");
    if (nameless) {
        put_figure(p, node->value, false, gri_origin_of_value(node));
    } else {
        const bool made = node->named && !node->leaf, value = !p->options.hide_values;
        gri_put(p, "<B>");
        gri_put_scalar(&p->text, s, i, GRI_LABEL);
        gri_put(p, made || value ? " </B>" : "</B>"); /* the blank: see label.c */
        if (made) {
            gri_put(p, "= ");
            gri_text_escaped(&p->text, item->node->op->name, GRI_NAME_CHARACTERS, false);
            if (value) gri_put(p, " ");
        }
        put_value(p, node);
    }
    for (uint32_t k = 0; k < node->n_edges; k++) {
        const gri_scalar_edge *e = &s->edge[node->first_edge + k];
        if (p->neurons->written[e->to] && is_term(e))
            put_written(p, e->to, "</TD></TR><TR><TD>+ ", " &#160;");
    }
    if (!p->options.hide_gradients && is_differentiated(item)) {
        gri_put(p, "</TD></TR><TR><TD><I>gradient ");
        put_figure(p, node->adjoint, true, GRI_COMPUTED);
        gri_put(p, "</I>");
    }
    gri_put(p, "</TD></TR></TABLE>");
}

void gri_put_neurons(gri_picture *p)
{
    for (uint32_t k = 0; k < p->n_items && !p->text.failed; k++) {
        gri_item *item = &p->items[k];
        const uint32_t i = item->id; /* so far: the number that it is */
        item->id = ++p->n_ids;
        gri_put(p, "  ");
        gri_put_id(p, item->id);
        gri_put(p, " [label=<");
        put_neuron_label(p, item, i);
        gri_put(p, ">");
        gri_put_look(p, item);
        if (item->node->op && item->node->op->formula)
            gri_text_escaped(&p->text, item->node->op->formula, GRI_TITLE_CHARACTERS, false);
        gri_put(p, "\"];\n");
    }
}

/* The arrow of an edge, with the factor that is written at it. */
static void put_synapse(gri_picture *p, const gri_scalar_edge *e)
{
    const gri_neurons *w = p->neurons;
    const gri_item *from = &p->items[w->edge[e->to]], *to = &p->items[w->edge[w->part[e->from]]];
    const bool weighted = e->kind == GRI_SYMBOL_ELEMENT && e->other < w->n && w->written[e->other];
    gri_put(p, "  ");
    gri_put_id(p, from->id);
    gri_put(p, " -> ");
    gri_put_id(p, to->id);
    if (weighted) {
        put_written(p, e->other, " [label=<", "<BR/>");
        gri_put(p, ">]");
    } else if (!is_differentiated(from)) {
        gri_put(p, " [color=\"#999999\", penwidth=0.8]");
    }
    gri_put(p, ";\n");
}

void gri_put_synapses(gri_picture *p)
{
    const gri_scalars *s = &p->neurons->s;
    for (uint32_t k = 0; k < s->n_edges && !p->text.failed; k++) {
        const uint32_t to = s->edge[k].to;
        if (!p->neurons->written[to] && p->neurons->part[to] == to) put_synapse(p, &s->edge[k]);
    }
}
