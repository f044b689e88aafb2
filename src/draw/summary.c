/*
 * A recorded pass as a table: what gradus/summary.h describes.
 *
 * The step slots stand in topological order: a pass down marks what the root was made from and which name scopes
 * occur, a pass up makes rows of them, a tree, and adds every operation to its row. Then the rows are put in the
 * order of the table; what they and those below them use of parameters is counted; and the table is gone through
 * twice, to measure its columns and to write it. All that is known of an operation is its descriptor.
 *
 * Invariants: the rows below a row follow it, up to its `end`. The text depends on the pass and the options only.
 * The graph is not changed.
 */
#include "gradus/summary.h"
#include "draw/output.h"
#include "draw/table.h"
#include "graph/graph.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    NAME_CHARACTERS = 48,
    TITLE_CHARACTERS = 400,
    DEFAULT_OPERATIONS = 50,
    DEEPEST_INDENT = 20,
    SHAPE_BYTES = 256
};

/* A tensor that the pass did not make, in the order of first use. */
typedef struct leaf {
    const gri_node *node;
    uint32_t owner; /* of a parameter: the row that uses it first */
    uint32_t stamp; /* of a parameter: the row for which it was counted last */
} leaf;

typedef struct use {
    uint32_t leaf;
    uint32_t next; /* of the row; 0: none */
} use;

/* A line for a scope, an operation, or the operations of a scope that are too many. Row 0 is the whole. */
typedef struct row {
    const gri_node *last;                 /* the last operation in it, whose result is its output */
    const char *scope;                    /* NULL: no scope */
    uint32_t parent, first, newest, next; /* rows below it, and beside it; 0: none */
    uint32_t uses;                        /* of parameters, in itself; 0: none */
    uint32_t n_shown;                     /* rows for single operations below it */
    uint32_t rest;                        /* row of those that are too many; 0: none */
    uint32_t depth;
    uint32_t end;       /* in the order of the table: behind the rows below it */
    int64_t operations; /* from here on with those below it */
    int64_t bytes, unknown;
    int64_t parameters, frozen, shared;
    double flops;
    bool released, changed;
} row;

typedef struct block {
    void *memory;
    size_t bytes;
} block;

enum { MOST_BLOCKS = 16 };

typedef struct summary {
    gr_graph *g;
    const gri_node *root;
    gr_summary_options options; /* defaults filled in */
    uint32_t step_top, kept_top;
    /* By index: 0: not of the pass. Of an operation 1; of a leaf 1, then 1 + its number. */
    uint32_t *step_mark, *kept_mark;
    uint32_t *scope_row; /* by id: its row; 0: none yet */
    bool *present,
        *container; /* by id: whether operations are in it, or in one below it; whether it has such a one */
    leaf *leaves;
    use *uses; /* entry 0 is never used */
    row *rows;
    uint32_t *order; /* of the table, but row 0 */
    uint32_t n_leaves, n_uses, n_rows;
    const gr_array **in; /* for the call that a cost is asked of */
    gr_tensor *operands;
    gr_model_totals totals;
    block blocks[MOST_BLOCKS];
    int n_blocks;
    gr_status status;
} summary;

/* Cleared memory until the end; NULL, and the error set, if there is none. */
static void *take(summary *s, size_t count, size_t size)
{
    const size_t bytes = (count ? count : 1) * size;
    if (s->status != GR_OK) return NULL;
    void *memory = gri_alloc_zeroed(&s->g->memory, bytes);
    if (!memory)
        s->status = gri_fail_memory(s->g, "model_summary", bytes);
    else
        s->blocks[s->n_blocks++] = (block){memory, bytes};
    return memory;
}

static void give_back(summary *s)
{
    while (s->n_blocks > 0) {
        const block *b = &s->blocks[--s->n_blocks];
        gri_free(&s->g->memory, b->memory, b->bytes);
    }
}

/* ---- What belongs to the pass ---- */

static uint32_t *mark_of(const summary *s, uint32_t index)
{
    return index & GRI_KEPT ? &s->kept_mark[index & ~GRI_KEPT] : &s->step_mark[index];
}

static const gri_node *operand_of(const summary *s, const gri_node *node, uint32_t k)
{
    const gri_operand *o = &gri_operands(node)[k];
    return gri_lookup(s->g, o->index, o->generation);
}

/* The next operation of the pass from a step index on; NULL behind the last. */
static const gri_node *next_operation(const summary *s, uint32_t *i)
{
    while (*i < s->step_top) {
        const uint32_t at = (*i)++;
        const gri_node *node = s->step_mark[at] ? s->g->step.slot[at].node : NULL;
        if (node && node->n_operands) return node;
    }
    return NULL;
}

/* Sizes of what is to be allocated. */
typedef struct extent {
    size_t operations, leaves, uses, operands;
} extent;

static void mark_operand(summary *s, const gri_node *operand, extent *e)
{
    if (!operand) return;
    uint32_t *mark = mark_of(s, operand->index);
    if (operand->flags & GRI_PARAM) e->uses++;
    if (!operand->n_operands && !*mark) e->leaves++;
    *mark = 1;
}

static extent mark(summary *s)
{
    extent e = {0};
    *mark_of(s, s->root->index) = 1;
    if (!s->root->n_operands) e.leaves++;
    for (uint32_t i = s->step_top; i-- > 1;) {
        const gri_node *node = s->step_mark[i] ? s->g->step.slot[i].node : NULL;
        if (!node || !node->n_operands) continue;
        e.operations++;
        if (node->n_operands > e.operands) e.operands = node->n_operands;
        for (uint32_t k = 0; k < node->n_operands; k++) mark_operand(s, operand_of(s, node, k), &e);
    }
    return e;
}

/* ---- Scopes ---- */

static uint16_t parent_of(const summary *s, uint16_t scope) { return s->g->names.entry[scope].parent; }

static int depth_of(const summary *s, uint16_t scope)
{
    int depth = 0;
    for (; scope; scope = parent_of(s, scope)) depth++;
    return depth;
}

/* The scope whose row an operation belongs to or below. */
static uint16_t scope_of(const summary *s, const gri_node *node)
{
    uint16_t scope = gri_name_scope(node);
    if (s->options.max_depth > 0)
        for (int depth = depth_of(s, scope); depth > s->options.max_depth; depth--)
            scope = parent_of(s, scope);
    return scope;
}

static void find_scopes(summary *s)
{
    const gri_node *node;
    for (uint32_t i = 1; (node = next_operation(s, &i));)
        for (uint16_t scope = scope_of(s, node); scope && !s->present[scope]; scope = parent_of(s, scope)) {
            s->present[scope] = true;
            s->container[parent_of(s, scope)] = true;
        }
    s->container[0] = true;
}

/* ---- Rows ---- */

static uint32_t add_row(summary *s, uint32_t parent, const char *scope)
{
    const uint32_t at = s->n_rows++;
    row *above = &s->rows[parent];
    s->rows[at] = (row){.parent = parent, .scope = scope, .depth = parent ? above->depth + 1 : 0};
    if (above->newest)
        s->rows[above->newest].next = at;
    else
        above->first = at;
    above->newest = at;
    return at;
}

/* The row of a scope, made if need be, and those of the scopes around it. Depth is small: each begin nests once. */
static uint32_t row_of_scope(summary *s, uint16_t scope)
{
    while (scope && !s->scope_row[scope]) { /* from the outermost one that is missing */
        uint16_t missing = scope;
        while (parent_of(s, missing) && !s->scope_row[parent_of(s, missing)]) missing = parent_of(s, missing);
        const uint32_t above = s->scope_row[parent_of(s, missing)];
        s->scope_row[missing] = add_row(s, above, s->g->names.entry[missing].name);
    }
    return s->scope_row[scope];
}

/* The row that an operation is added to. */
static uint32_t row_of(summary *s, const gri_node *node)
{
    const uint16_t scope = scope_of(s, node);
    const uint32_t around = row_of_scope(s, scope);
    if (!s->container[scope] && !s->options.operations) return around;
    row *r = &s->rows[around];
    if (r->n_shown < (uint32_t)s->options.max_operations) {
        r->n_shown++;
        return add_row(s, around, NULL);
    }
    if (!r->rest) {
        const uint32_t rest = add_row(s, around, NULL);
        s->rows[around].rest = rest;
    }
    return s->rows[around].rest;
}

static void put_leaf(summary *s, const gri_node *node)
{
    uint32_t *number = mark_of(s, node->index);
    s->leaves[s->n_leaves++] = (leaf){.node = node};
    *number = s->n_leaves + 1; /* 1 is what it was */
}

/* Number of a leaf, which gets one if it has none. */
static uint32_t leaf_number(summary *s, const gri_node *node)
{
    if (*mark_of(s, node->index) == 1) put_leaf(s, node);
    return *mark_of(s, node->index) - 2;
}

/* Whether its elements are those of an operand. */
static bool is_view(const summary *s, const gri_node *node)
{
    if (!node->op->forward) return true;
    for (uint32_t k = 0; node->buffer && k < node->n_operands; k++) {
        const gri_node *operand = operand_of(s, node, k);
        if (operand && operand->buffer == node->buffer) return true;
    }
    return false;
}

static int64_t bytes_of(const gri_node *node)
{
    return node->array.count * (int64_t)gri_element_bytes(node->array.type);
}

/* What its descriptor says of the cost; a number below 0 or NaN if it cannot be said. */
static double ask_cost(const summary *s, const gri_node *node)
{
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const gri_node *operand = operand_of(s, node, k);
        if (!operand) return -1;
        s->in[k] = &operand->array;
        s->operands[k] = gri_handle(s->g, operand);
    }
    const gr_call call = {.graph = s->g,
                          .op = node->op,
                          .n = (int)node->n_operands,
                          .operands = s->operands,
                          .attributes = gri_attributes(node),
                          .in = s->in,
                          .out = &node->array,
                          .output = gri_handle(s->g, node)};
    return node->op->flops(&call);
}

/* Adds an operation to its row and to those around it. */
static void count(summary *s, uint32_t at, const gri_node *node)
{
    const bool view = is_view(s, node);
    const double cost = node->op->flops ? ask_cost(s, node) : view ? 0 : (double)node->array.count;
    const bool known = isfinite(cost) && cost >= 0;
    bool released = false, changed = false;
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const gri_node *operand = operand_of(s, node, k);
        released |= !operand;
        changed |= operand && operand->version != gri_operands(node)[k].version;
    }
    for (bool top = false; !top; at = s->rows[at].parent) {
        row *r = &s->rows[at];
        r->last = node;
        r->operations++;
        r->bytes += view ? 0 : bytes_of(node);
        r->flops += known ? cost : 0;
        r->unknown += !known;
        r->released |= released;
        r->changed |= changed;
        top = at == 0;
    }
}

static void make_rows(summary *s)
{
    const gri_node *node;
    s->n_rows = 1;
    s->n_uses = 1;
    for (uint32_t i = 1; (node = next_operation(s, &i));) {
        const uint32_t at = row_of(s, node);
        for (uint32_t k = 0; k < node->n_operands; k++) {
            const gri_node *operand = operand_of(s, node, k);
            if (!operand || operand->n_operands) continue;
            const uint32_t number = leaf_number(s, operand);
            if (!(operand->flags & GRI_PARAM)) continue;
            if (!s->leaves[number].owner) s->leaves[number].owner = at;
            s->uses[s->n_uses] = (use){number, s->rows[at].uses};
            s->rows[at].uses = s->n_uses++;
        }
        count(s, at, node);
    }
    if (!s->root->n_operands) put_leaf(s, s->root); /* there is nothing else */
}

/* Puts the rows in the order of the table, and sets their ends. */
static void put_in_order(summary *s)
{
    uint32_t at = s->rows[0].first, n = 0;
    while (at) {
        s->order[n++] = at;
        uint32_t next = s->rows[at].first;
        while (at && !next) { /* up, until there is one beside */
            s->rows[at].end = n;
            next = s->rows[at].next;
            at = s->rows[at].parent;
        }
        at = next;
    }
    s->rows[0].end = n;
}

/* ---- Parameters ---- */

/* Counts the parameters that a row and those below it use, which stand in the order from `from` on: those whose first
   use it is, and the others. `place`: where in the order each row stands. */
static void count_parameters(summary *s, uint32_t at, uint32_t from, const uint32_t *place)
{
    row *r = &s->rows[at];
    for (uint32_t i = from; i < r->end; i++)
        for (uint32_t u = s->rows[s->order[i]].uses; u; u = s->uses[u].next) {
            leaf *l = &s->leaves[s->uses[u].leaf];
            if (l->stamp == at + 1) continue;
            l->stamp = at + 1;
            const bool own = place[l->owner] >= from && place[l->owner] < r->end;
            if (!own) {
                r->shared += l->node->array.count;
                continue;
            }
            r->parameters += l->node->array.count;
            if (!(l->node->flags & GRI_REQUIRES_GRAD)) r->frozen += l->node->array.count;
        }
}

static void count_all_parameters(summary *s, uint32_t *place)
{
    const uint32_t n = s->rows[0].end;
    for (uint32_t i = 0; i < n; i++) place[s->order[i]] = i;
    for (uint32_t i = 0; i < n; i++) count_parameters(s, s->order[i], i, place);
}

static void fill_totals(summary *s)
{
    gr_model_totals *t = &s->totals;
    const row *whole = &s->rows[0];
    int64_t all = 0;
    for (uint32_t i = 0; i < s->n_leaves; i++) {
        const gri_node *node = s->leaves[i].node;
        const bool parameter = node->flags & GRI_PARAM, trained = node->flags & GRI_REQUIRES_GRAD;
        *(parameter ? &t->parameter_bytes : &t->input_bytes) += bytes_of(node);
        if (parameter) *(trained ? &t->trainable : &t->frozen) += node->array.count;
        if (trained) t->gradient_bytes += bytes_of(node);
    }
    for (uint32_t i = 0; i < s->g->n_params; i++) all += gri_kept_node(s->g, s->g->params[i])->array.count;
    t->operations = whole->operations;
    t->parameters = t->trainable + t->frozen;
    t->unreached = all - t->parameters;
    t->flops = whole->flops;
    t->unknown = whole->unknown;
    t->activation_bytes = whole->bytes;
    t->training_bytes = t->parameter_bytes + t->gradient_bytes + t->activation_bytes + t->input_bytes;
}

/* All that is known before the first line is written; s->status says whether there was memory. */
static void gather(summary *s)
{
    s->step_top = s->root->index & GRI_KEPT ? 1 : s->root->index + 1;
    s->kept_top = s->g->kept.top ? s->g->kept.top : 1;
    const size_t names = s->g->names.top ? s->g->names.top : 1;
    s->step_mark = take(s, s->step_top, sizeof *s->step_mark);
    s->kept_mark = take(s, s->kept_top, sizeof *s->kept_mark);
    s->scope_row = take(s, names, sizeof *s->scope_row);
    s->present = take(s, names, sizeof *s->present);
    s->container = take(s, names, sizeof *s->container);
    if (s->status != GR_OK) return;
    const extent e = mark(s);
    find_scopes(s);
    size_t scopes = 1;
    for (size_t i = 1; i < names; i++) scopes += s->present[i];
    const size_t rows = e.operations +
                        2 * scopes; /* a scope has one of its own, and one of what is too much */
    s->leaves = take(s, e.leaves, sizeof *s->leaves);
    s->uses = take(s, e.uses + 1, sizeof *s->uses);
    s->rows = take(s, rows, sizeof *s->rows);
    s->order = take(s, rows, sizeof *s->order);
    uint32_t *place = take(s, rows, sizeof *place);
    s->in = take(s, e.operands, sizeof *s->in);
    s->operands = take(s, e.operands, sizeof *s->operands);
    if (s->status != GR_OK) return;
    make_rows(s);
    put_in_order(s);
    count_all_parameters(s, place);
    fill_totals(s);
}

/* ---- The cells ---- */

enum { LAYER, OUTPUT, PARAMETERS, FLOPS, BYTES, COLUMNS };

/* A line of the table, and the notes behind it. */
typedef struct line {
    char cell[COLUMNS][GRI_CELL_BYTES];
    char notes[GRI_CELL_BYTES];
} line;

static void put_nothing(const summary *s, line *l)
{
    l->notes[0] = '\0';
    for (int i = 0; i < COLUMNS; i++) strcpy(l->cell[i], i < PARAMETERS ? "" : s->options.ascii ? "-" : "–");
}

static void put_output(char cell[GRI_CELL_BYTES], const gri_node *node)
{
    char shape[SHAPE_BYTES];
    gri_describe_shape(shape, sizeof shape, node->array.ndim, node->array.dims);
    snprintf(cell, GRI_CELL_BYTES, "%s %s", gr_type_name(node->array.type), shape);
}

/* Adds a note, behind a comma if there are others. */
static void note(line *l, const char *before, int64_t n, const char *after)
{
    char number[GRI_GROUPED_BYTES] = "";
    if (n >= 0) gri_grouped(number, (double)n);
    const size_t at = strlen(l->notes);
    snprintf(l->notes + at, sizeof l->notes - at, "%s%s%s%s", at ? ", " : "", before, number, after);
}

static void put_notes(line *l, const row *r)
{
    if (r->shared) note(l, "shares ", r->shared, "");
    if (r->frozen && r->frozen == r->parameters) note(l, "frozen", -1, "");
    if (r->frozen && r->frozen != r->parameters) note(l, "", r->frozen, " frozen");
    if (r->released) note(l, "operand released", -1, "");
    if (r->changed) note(l, "operand changed since", -1, "");
    if (r->unknown)
        note(l, "FLOPs of ", r->unknown, r->unknown > 1 ? " operations unknown" : " operation unknown");
}

/* "h = tanh", or "tanh", indented. */
static void put_layer(const summary *s, char cell[GRI_CELL_BYTES], uint32_t at)
{
    const row *r = &s->rows[at];
    const uint32_t depth = r->depth < DEEPEST_INDENT ? r->depth : DEEPEST_INDENT;
    size_t n = 2 * (size_t)depth;
    memset(cell, ' ', n);
    cell[n] = '\0';
    if (r->scope) {
        gri_cell_text(cell, r->scope, NAME_CHARACTERS, s->options.ascii);
    } else if (s->rows[r->parent].rest == at) {
        char number[GRI_GROUPED_BYTES];
        gri_grouped(number, (double)r->operations);
        snprintf(cell + n, GRI_CELL_BYTES - n, "%s more operation%s", number, r->operations == 1 ? "" : "s");
    } else {
        if (r->last->name) gri_cell_text(cell, r->last->name, NAME_CHARACTERS, s->options.ascii);
        if (r->last->name) strcat(cell, " = ");
        gri_cell_text(cell, r->last->op->name, NAME_CHARACTERS, s->options.ascii);
    }
}

static void put_row(const summary *s, line *l, uint32_t at)
{
    const row *r = &s->rows[at];
    put_nothing(s, l);
    put_layer(s, l->cell[LAYER], at);
    put_output(l->cell[OUTPUT], r->last);
    if (r->parameters) gri_grouped(l->cell[PARAMETERS], (double)r->parameters);
    if (r->flops > 0) gri_grouped(l->cell[FLOPS], r->flops);
    if (r->bytes > 0) gri_grouped(l->cell[BYTES], (double)r->bytes);
    put_notes(l, r);
}

/* ---- Inputs ---- */

/* Whether it has a row of its own. */
static bool is_worth_a_row(const gri_node *node) { return node->name || node->array.count != 1; }

/* The next input, from a leaf on; NULL behind the last. Parameters are none. */
static const gri_node *next_input(const summary *s, uint32_t *i)
{
    while (*i < s->n_leaves) {
        const gri_node *node = s->leaves[(*i)++].node;
        if (!(node->flags & GRI_PARAM)) return node;
    }
    return NULL;
}

/* The operation that an input was made of other tensors by; NULL: by none. */
static const gr_op *maker_of(const gri_node *node)
{
    return node->op && node->op->arity != 0 ? node->op : NULL;
}

/* Whether two have nothing that would tell them apart in the table. */
static bool are_alike(const gri_node *a, const gri_node *b)
{
    return !a->name && !b->name && maker_of(a) == maker_of(b) && a->array.type == b->array.type &&
           gri_same_dims(&a->array, &b->array) && !((a->flags ^ b->flags) & GRI_REQUIRES_GRAD);
}

/* `n`: so many that are alike share the row. */
static void put_input(const summary *s, line *l, const gri_node *node, int64_t n)
{
    const gr_op *maker = maker_of(node);
    put_nothing(s, l);
    gri_cell_text(l->cell[LAYER],
                  node->name ? node->name
                  : maker    ? maker->name
                             : "constant",
                  NAME_CHARACTERS, s->options.ascii);
    if (n > 1) {
        const size_t at = strlen(l->cell[LAYER]);
        snprintf(l->cell[LAYER] + at, GRI_CELL_BYTES - at, " %s%" PRId64, s->options.ascii ? "x" : "×", n);
    }
    put_output(l->cell[OUTPUT], node);
    gri_grouped(l->cell[BYTES], (double)n * (double)bytes_of(node));
    note(l, n > 1 ? "inputs" : "input", -1, node->flags & GRI_REQUIRES_GRAD ? ", differentiable" : "");
}

/* Those that share a row. */
static void put_other_inputs(const summary *s, line *l, int64_t n, int64_t bytes)
{
    put_nothing(s, l);
    char number[GRI_GROUPED_BYTES];
    gri_grouped(number, (double)n);
    snprintf(l->cell[LAYER], GRI_CELL_BYTES, n == 1 ? "%s constant" : "%s constants", number);
    gri_grouped(l->cell[BYTES], (double)bytes);
    note(l, n == 1 ? "input" : "inputs", -1, "");
}

/* ---- The table ---- */

typedef void each_line(gri_table *t, const line *l);

static void measure(gri_table *t, const line *l)
{
    for (int i = 0; i < COLUMNS; i++) gri_table_measure(t, i, l->cell[i]);
}

static void write_line(gri_table *t, const line *l)
{
    for (int i = 0; i < COLUMNS; i++) gri_table_put(t, i, l->cell[i]);
    gri_table_end_line(t, l->notes);
}

static void headings(line *l)
{
    static const char *const names[COLUMNS] = {"layer", "output", "parameters", "FLOPs", "bytes"};
    for (int i = 0; i < COLUMNS; i++) strcpy(l->cell[i], names[i]);
    l->notes[0] = '\0';
}

static void put_total(const summary *s, line *l)
{
    const gr_model_totals *t = &s->totals;
    put_nothing(s, l);
    strcpy(l->cell[LAYER], "total");
    gri_grouped(l->cell[PARAMETERS], (double)t->parameters);
    gri_grouped(l->cell[FLOPS], t->flops);
    gri_grouped(l->cell[BYTES], (double)(t->activation_bytes + t->input_bytes));
    put_notes(l, &(row){.unknown = t->unknown});
}

/* Every line between the rules. */
static void for_body(const summary *s, gri_table *t, each_line *each)
{
    line l;
    int64_t shown = 0, others = 0, bytes = 0;
    uint32_t i = 0;
    for (const gri_node *node = next_input(s, &i), *next; node; node = next) {
        int64_t n = 1;
        for (next = next_input(s, &i); next && are_alike(node, next); next = next_input(s, &i)) n++;
        if (is_worth_a_row(node) && shown < s->options.max_operations) {
            shown++;
            put_input(s, &l, node, n);
            each(t, &l);
        } else {
            others += n;
            bytes += n * bytes_of(node);
        }
    }
    if (others) {
        put_other_inputs(s, &l, others, bytes);
        each(t, &l);
    }
    for (i = 0; i < s->rows[0].end && !t->text.failed; i++) {
        put_row(s, &l, s->order[i]);
        each(t, &l);
    }
}

/* The lines below the table. */
static void put_totals(const summary *s, gri_table *t)
{
    const gr_model_totals *n = &s->totals;
    char parts[GRI_CELL_BYTES], trainable[GRI_GROUPED_BYTES], frozen[GRI_GROUPED_BYTES];
    gri_grouped(trainable, (double)n->trainable);
    gri_grouped(frozen, (double)n->frozen);
    snprintf(parts, sizeof parts, "%s trainable, %s frozen", trainable, frozen);
    const struct {
        const char *what;
        double value;
        const char *remark;
        bool hidden;
    } lines[] = {
        {"parameters", (double)n->parameters, parts, false},
        {"parameters not reached", (double)n->unreached, "of the graph, which the pass does not use",
         n->unreached <= 0},
        {"FLOPs forward", n->flops, "", false},
        {"bytes of parameters", (double)n->parameter_bytes, "", false},
        {"bytes of gradients", (double)n->gradient_bytes, "", false},
        {"bytes of results", (double)n->activation_bytes, "", false},
        {"bytes of inputs", (double)n->input_bytes, "", false},
        {"bytes to train", (double)n->training_bytes,
         "these four; what the optimiser keeps, and adjoints on the way, come on top", false},
    };
    const int count_of_lines = (int)(sizeof lines / sizeof *lines);
    gri_table_columns(t, 2, 1);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < count_of_lines; i++) {
            char number[GRI_CELL_BYTES];
            if (lines[i].hidden) continue;
            gri_grouped(number, lines[i].value);
            if (pass == 0) {
                gri_table_measure(t, 0, lines[i].what);
                gri_table_measure(t, 1, number);
            } else {
                gri_table_put(t, 0, lines[i].what);
                gri_table_put(t, 1, number);
                gri_table_end_line(t, lines[i].remark);
            }
        }
}

static void put_title(const summary *s, gri_table *t)
{
    char title[GRI_CELL_BYTES] = "";
    if (!s->options.title) return;
    gri_cell_text(title, s->options.title, TITLE_CHARACTERS, s->options.ascii);
    gri_text_put(&t->text, title);
    gri_text_put(&t->text, "\n\n");
}

/* Whether the writer took everything. */
static bool put_table(const summary *s, gr_writer *to, void *user)
{
    gri_table t;
    line heading, total;
    gri_text_begin(&t.text, to, user, s->options.ascii);
    put_title(s, &t);
    gri_table_columns(&t, COLUMNS, PARAMETERS);
    headings(&heading);
    put_total(s, &total);
    measure(&t, &heading);
    measure(&t, &total);
    for_body(s, &t, measure);
    write_line(&t, &heading);
    gri_table_rule(&t);
    for_body(s, &t, write_line);
    gri_table_rule(&t);
    write_line(&t, &total);
    gri_text_put(&t.text, "\n");
    put_totals(s, &t);
    return gri_text_end(&t.text);
}

/* ---- The calls ---- */

static gr_status begin(summary *s, gr_tensor root, const gr_summary_options *options)
{
    gr_graph *g = root.graph;
    memset(s, 0, sizeof *s);
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    s->g = g;
    s->root = gri_resolve(root, "model_summary");
    if (!s->root) return g->status;
    if (options) s->options = *options;
    if (s->options.max_depth < 0 || s->options.max_operations < 0)
        return gri_fail(g, GR_ERR_ARGUMENT,
                        "model_summary: %d for max_depth, %d for max_operations; none can be below 0",
                        s->options.max_depth, s->options.max_operations);
    if (s->options.max_operations == 0) s->options.max_operations = DEFAULT_OPERATIONS;
    return GR_OK;
}

/* Gathers, and writes if there is a writer; memory is given back. That the writer refused is left to the caller to
   report, as GR_ERR_IO. */
static gr_status finish(summary *s, gr_writer *to, void *user)
{
    gather(s);
    if (s->status == GR_OK && to && !put_table(s, to, user)) s->status = GR_ERR_IO;
    give_back(s);
    return s->status;
}

/* A gri_draw. */
static gr_status draw(void *s, gr_writer *to, void *user) { return finish(s, to, user); }

gr_status gr_model_summary(gr_tensor root, gr_writer *to, void *user, const gr_summary_options *options)
{
    summary s;
    const gr_status status = begin(&s, root, options);
    return status == GR_OK ? gri_output(s.g, "model_summary", draw, &s, to, user) : status;
}

gr_status gr_model_summary_string(gr_tensor root, char *to, size_t room, size_t *length,
                                  const gr_summary_options *options)
{
    summary s;
    const gr_status status = begin(&s, root, options);
    return status == GR_OK ? gri_output_string(s.g, "model_summary", draw, &s, to, room, length)
                           : gri_output_nothing(status, to, room, length);
}

gr_status gr_model_count(gr_tensor root, gr_model_totals *totals)
{
    summary s;
    gr_status status = begin(&s, root, NULL);
    if (status == GR_OK && !totals)
        status = gri_fail(s.g, GR_ERR_ARGUMENT, "model_count: NULL for the totals");
    if (status == GR_OK) status = finish(&s, NULL, NULL);
    if (totals) *totals = status == GR_OK ? s.totals : (gr_model_totals){0};
    return status;
}
