/*
 * The precision shadow: what was recorded is done again, in f64, and compared.
 *
 * A first pass, from the roots down, marks what is needed and checks that it is what it was. A second one, in
 * the order of creation, does each operation twice: on the shadows of its operands, which gives its own
 * shadow, and on its operands as they are, converted, which tells what was rounded here. Shadows are kept
 * nodes, freed after their last use; all else that is made for an operation is popped before the next.
 *
 * Invariant: the shadow of a contiguous tensor is contiguous, and that of another has its strides, as far as
 * its primitive lets it: a view that was possible then is possible now.
 */
#include "check/shadow.h"
#include "graph/walk.h"
#include "gradus/ops.h"
#include "gradus/precision.h"

#include <math.h>
#include <string.h>

enum { TEXT_BYTES = 256, DEFAULT_ROWS = 10 };

/* Half a unit in the last place of f32: one rounding. */
static const double one_rounding = 0x1p-24;

enum {
    NEEDED = 1 << 0,
    ROOT = 1 << 1,
    ITSELF = 1 << 2, /* the shadow is the tensor itself: it is not f32, and has no history */
    SAME = 1 << 3    /* the shadow has the value of the tensor */
};

/* What is known of a slot. */
typedef struct entry {
    uint32_t shadow;   /* index of a node; 0: none */
    uint32_t last_use; /* index of a step node; 0: none */
    uint32_t position; /* among the recorded operations; 0: not one */
    uint32_t flags;
    double error; /* relative */
} entry;

typedef struct replay {
    gr_graph *g;
    uint32_t step_top, kept_top;
    entry *step, *kept;
    uint32_t most_operands;
    gr_tensor *operands; /* of the operation that is being done */
    uint32_t position;   /* of it */
    bool any_f32;
    gr_precision_options o;
    gr_precision_report *report;
} replay;

static entry *entry_of(const replay *r, uint32_t index)
{
    return index & GRI_KEPT ? &r->kept[index & ~GRI_KEPT] : &r->step[index];
}

static gri_node *node_at(const gr_graph *g, uint32_t index)
{
    return index & GRI_KEPT ? gri_kept_node(g, index) : g->step.slot[index].node;
}

/* ---- What is needed ---- */

static gr_status mark_operands(replay *r, const gri_node *node)
{
    if (node->flags & GRI_RELEASED) return gri_fail_released(r->g, "precision_shadow", node);
    for (uint32_t i = 0; i < node->n_operands; i++) {
        const gri_operand *o = &gri_operands(node)[i];
        const gri_node *operand = gri_lookup(r->g, o->index, o->generation);
        if (!operand || operand->version != o->version)
            return gri_fail_operand(r->g, "precision_shadow", node, i, operand);
        entry *e = entry_of(r, operand->index);
        e->flags |= NEEDED;
        if (!e->last_use) e->last_use = node->index; /* the walk goes down: the first to be met is the last */
        r->any_f32 |= operand->array.type == GR_F32;
    }
    if (node->n_operands > r->most_operands) r->most_operands = node->n_operands;
    r->any_f32 |= node->array.type == GR_F32;
    return GR_OK;
}

static gr_status mark(replay *r)
{
    for (uint32_t i = r->step_top; i-- > 1;) {
        if (!(r->step[i].flags & NEEDED)) continue;
        const gr_status status = mark_operands(r, r->g->step.slot[i].node);
        if (status != GR_OK) return status;
    }
    if (r->any_f32) return GR_OK;
    return gri_fail(r->g, GR_ERR_TYPE,
                    "precision_shadow: nothing below the roots is f32: there is no loss to be seen from f64");
}

/* ---- One operation ---- */

static bool is_recorded(const gri_node *node) { return node->n_operands > 0; }

static bool is_float(const gri_node *node) { return gr_type_is_float(node->array.type); }

/* Keeps a node as the shadow of another. */
static gr_status set_shadow(const replay *r, const gri_node *node, const gri_node *shadow)
{
    const gri_node *kept = gri_keep_value(r->g, shadow);
    if (!kept) return r->g->status;
    entry_of(r, node->index)->shadow = kept->index;
    return GR_OK;
}

/* Of what was not recorded: its value. */
static gr_status shadow_leaf(const replay *r, const gri_node *node)
{
    entry *e = entry_of(r, node->index);
    e->flags |= SAME;
    if (node->array.type != GR_F32) {
        e->flags |= ITSELF;
        e->shadow = node->index;
        return GR_OK;
    }
    const gri_node *shadow = gri_convert(r->g, node, GR_F64);
    return shadow ? set_shadow(r, node, shadow) : r->g->status;
}

/* Whether the error that is pending says that a primitive would not, and not that memory ran out. */
static bool is_refusal(const gr_graph *g) { return g->status != GR_ERR_MEMORY && g->status != GR_ERR_LIMIT; }

/* Does the operation on r->operands. NULL: it refuses, or its result has another shape or is no float; or memory
   ran out, and then the error is set. */
static gri_node *perform(const replay *r, const gri_node *node)
{
    gr_graph *g = r->g;
    const gr_tensor t = gr_apply(g, node->op, (int)node->n_operands, r->operands, gri_attributes(node));
    gri_node *result = gri_lookup(g, t.index, t.generation);
    if (!result && is_refusal(g)) gr_graph_clear_error(g);
    return result && is_float(result) && gri_same_dims(&result->array, &node->array) ? result : NULL;
}

/* The operands of a node as an operation takes them. `as_they_are`: their values, those of f32 converted; else
   their shadows, converted to f32 if they shadow one and that is asked for. */
static gr_status gather(const replay *r, const gri_node *node, bool as_they_are, bool in_f32)
{
    gr_graph *g = r->g;
    for (uint32_t i = 0; i < node->n_operands; i++) {
        const gri_operand *o = &gri_operands(node)[i];
        const gri_node *operand = node_at(g, o->index), *used = node_at(g, entry_of(r, o->index)->shadow);
        const bool narrow = operand->array.type == GR_F32;
        if (as_they_are && !(entry_of(r, o->index)->flags & SAME))
            used = narrow ? gri_convert(g, operand, GR_F64) : operand;
        else if (in_f32 && narrow)
            used = gri_convert(g, used, GR_F32);
        if (!used) return g->status;
        r->operands[i] = gri_handle(g, used);
    }
    return GR_OK;
}

/* In f64, and contiguous if the tensor is. NULL, and the error set, if memory runs out. */
static gri_node *fit(const replay *r, const gri_node *node, gri_node *result)
{
    gr_graph *g = r->g;
    if (result && result->array.type == GR_F32) result = gri_convert(g, result, GR_F64);
    if (!result || !(node->flags & GRI_CONTIGUOUS) || (result->flags & GRI_CONTIGUOUS)) return result;
    const gr_tensor t = gr_contiguous(gri_handle(g, result));
    return gri_lookup(g, t.index, t.generation);
}

/* The shadow of a recorded node, as a step tensor; NULL, and the error set, if memory runs out. */
static gri_node *shadow_of(const replay *r, const gri_node *node, gr_shadow *how)
{
    gr_graph *g = r->g;
    for (*how = GR_SHADOW_F64; *how != GR_SHADOW_NONE; *how = *how + 1) {
        if (gather(r, node, false, *how == GR_SHADOW_F32) != GR_OK) return NULL;
        gri_node *result = perform(r, node);
        if (g->status != GR_OK) return NULL;
        if (result) return fit(r, node, result);
    }
    return gri_convert(g, node, GR_F64);
}

/* What the operation yields in f64 on its operands as they are, into *local; NULL if that cannot be told, or need
   not be, because the operands are their shadows. */
static gr_status do_locally(const replay *r, const gri_node *node, gr_shadow how, const gri_node **local)
{
    *local = NULL;
    bool same = true;
    for (uint32_t i = 0; i < node->n_operands; i++)
        same &= entry_of(r, gri_operands(node)[i].index)->flags & SAME ? true : false;
    if (same || how != GR_SHADOW_F64) return GR_OK;
    const gr_status status = gather(r, node, true, false);
    if (status == GR_OK) *local = perform(r, node);
    return r->g->status;
}

/* ---- Digits ---- */

static double digits_of(double error)
{
    if (error <= one_rounding) return -log10(one_rounding);
    return error < 1 ? -log10(error) : 0;
}

static double digits_of_operands(const replay *r, const gri_node *node)
{
    double worst = 0;
    for (uint32_t i = 0; i < node->n_operands; i++) {
        const double error = entry_of(r, gri_operands(node)[i].index)->error;
        if (error > worst) worst = error;
    }
    return digits_of(worst);
}

/* A name of someone, cut off where a character of UTF-8 begins. */
static void copy_name(char to[GR_PRECISION_NAME_BYTES], const char *name)
{
    const size_t room = GR_PRECISION_NAME_BYTES - 1;
    size_t length = strlen(name);
    if (length > room) {
        length = room;
        while (length > 0 && ((unsigned char)name[length] & 0xC0) == 0x80) length--;
    }
    memcpy(to, name, length);
    to[length] = '\0';
}

static void tell_operands(const replay *r, const gri_node *node, gr_precision_loss *loss)
{
    loss->n_operands = (int)node->n_operands;
    for (uint32_t i = 0; i < node->n_operands && i < GR_PRECISION_OPERANDS; i++) {
        const uint32_t index = gri_operands(node)[i].index;
        const gri_node *operand = node_at(r->g, index);
        const entry *e = entry_of(r, index);
        gr_precision_operand *to = &loss->operands[i];
        copy_name(to->name, operand->name ? operand->name : operand->op ? operand->op->name : "constant");
        to->position = e->position;
        to->digits = digits_of(e->error);
    }
}

static gr_precision_loss tell(const replay *r, const gri_node *node, gr_shadow how, const gri_discrepancy *d)
{
    const gr_array *a = &node->array;
    gr_precision_loss loss = {.op = node->op->name,
                              .position = r->position,
                              .shadow = how,
                              .type = a->type,
                              .ndim = a->ndim,
                              .left = digits_of(d->error),
                              .error = d->error,
                              .made = d->made,
                              .inherited = d->inherited,
                              .broken = d->broken,
                              .value = d->value,
                              .exact = d->exact};
    const double before = digits_of_operands(r, node);
    loss.lost = before > loss.left ? before - loss.left : 0;
    copy_name(loss.name, node->name ? node->name : "");
    for (int axis = 0; axis < a->ndim; axis++) {
        loss.dims[axis] = a->dims[axis];
        loss.index[axis] = d->index[axis];
    }
    tell_operands(r, node, &loss);
    return loss;
}

/* Where NaN or infinity arose, nothing is worse. */
static double severity(const gr_precision_loss *loss)
{
    return loss->broken && loss->lost > 0 ? INFINITY : loss->lost;
}

/* Puts a loss among the worst, behind those that are as bad. */
static void rank(const replay *r, const gr_precision_loss *loss)
{
    gr_precision_report *report = r->report;
    const double how_bad = severity(loss);
    if (how_bad < r->o.least) return;
    report->losing++;
    int at = report->n_rows;
    while (at > 0 && severity(&report->rows[at - 1]) < how_bad) at--;
    if (at == r->o.rows) return;
    if (report->n_rows < r->o.rows) report->n_rows++;
    memmove(&report->rows[at + 1], &report->rows[at],
            (size_t)(report->n_rows - 1 - at) * sizeof *report->rows);
    report->rows[at] = *loss;
}

static void account(const replay *r, const gri_node *node, gr_shadow how, const gri_discrepancy *d)
{
    gr_precision_report *report = r->report;
    const gr_precision_loss loss = tell(r, node, how, d);
    report->operations++;
    report->in_f32 += how == GR_SHADOW_F32;
    report->restarted += how == GR_SHADOW_NONE;
    rank(r, &loss);
    if (!(entry_of(r, node->index)->flags & ROOT)) return;
    if (!report->result.op || loss.error > report->result.error) report->result = loss;
}

/* ---- The walk ---- */

static void drop_shadow(const replay *r, entry *e)
{
    if (e->shadow && !(e->flags & ITSELF)) gri_kept_release(r->g, gri_kept_node(r->g, e->shadow));
    e->shadow = 0;
}

/* Shadows that are not needed after this operation. */
static void drop_used(const replay *r, const gri_node *node)
{
    for (uint32_t i = 0; i < node->n_operands; i++) {
        entry *e = entry_of(r, gri_operands(node)[i].index);
        if (e->last_use == node->index) drop_shadow(r, e);
    }
    entry *own = entry_of(r, node->index);
    if (!own->last_use) drop_shadow(r, own);
}

/* The leaves among the operands that are used for the first time. */
static gr_status shadow_leaves(const replay *r, const gri_node *node)
{
    for (uint32_t i = 0; i < node->n_operands; i++) {
        const gri_node *operand = node_at(r->g, gri_operands(node)[i].index);
        if (is_recorded(operand) || entry_of(r, operand->index)->shadow) continue;
        const gr_status status = shadow_leaf(r, operand);
        if (status != GR_OK) return status;
    }
    return GR_OK;
}

static gr_status visit(replay *r, const gri_node *node)
{
    gr_status status = shadow_leaves(r, node);
    if (status != GR_OK) return status;
    entry *e = entry_of(r, node->index);
    e->position = ++r->position;
    gr_shadow how;
    const gri_node *local = NULL, *shadow = shadow_of(r, node, &how);
    if (!shadow) return r->g->status;
    status = set_shadow(r, node, shadow);
    if (status == GR_OK) status = do_locally(r, node, how, &local);
    if (status != GR_OK) return status;
    const gri_measure_of_error measure = {r->o.elementwise, r->o.tiny};
    const bool rounded_here = !local && how == GR_SHADOW_F64; /* the operands are exact */
    const gri_discrepancy d = gri_discrepancy_of(&node->array, &shadow->array,
                                                 local          ? &local->array
                                                 : rounded_here ? &shadow->array
                                                                : NULL,
                                                 measure);
    e->error = d.error;
    if (d.same) e->flags |= SAME;
    account(r, node, how, &d);
    drop_used(r, node);
    return GR_OK;
}

static gr_status walk_up(replay *r)
{
    gr_graph *g = r->g;
    gr_status status = GR_OK;
    const bool recording = g->recording, watching = g->watching;
    g->recording = false;
    g->watching = false; /* what is not finite is compared with what was not */
    g->no_grad_depth++;
    for (uint32_t i = 1; i < r->step_top && status == GR_OK; i++) {
        if (!(r->step[i].flags & NEEDED)) continue;
        const gri_node *node = g->step.slot[i].node;
        const gri_mark mark_here = gri_mark_here(g);
        if (is_recorded(node)) status = visit(r, node);
        gri_pop(g, mark_here);
    }
    g->no_grad_depth--;
    g->watching = watching;
    g->recording = recording;
    return status;
}

/* ---- The call ---- */

static gr_status check_options(gr_graph *g, const gr_precision_options *given, gr_precision_options *o)
{
    *o = given ? *given : (gr_precision_options){.rows = 0};
    if (o->rows < 0 || o->rows > GR_PRECISION_ROWS)
        return gri_fail(g, GR_ERR_ARGUMENT, "precision_shadow: %d rows; 1 to %d are possible, 0 means %d",
                        o->rows, GR_PRECISION_ROWS, DEFAULT_ROWS);
    if (!(o->least >= 0 && o->tiny >= 0 && isfinite(o->least) && isfinite(o->tiny)))
        return gri_fail(g, GR_ERR_ARGUMENT,
                        "precision_shadow: least %g, tiny %g: must be finite and not negative", o->least,
                        o->tiny);
    if (o->rows == 0) o->rows = DEFAULT_ROWS;
    if (o->least == 0) o->least = 1;
    return GR_OK;
}

/* Checks the roots and finds the topmost. */
static gr_status check_roots(replay *r, int n, const gr_tensor *roots)
{
    gr_graph *g = r->g;
    for (int i = 0; i < n; i++) {
        if (roots[i].graph && roots[i].graph != g)
            return gri_fail(g, GR_ERR_GRAPH, "precision_shadow: root %d belongs to another graph", i + 1);
        if (!roots[i].graph)
            return gri_fail(g, GR_ERR_HANDLE, "precision_shadow: root %d is an invalid handle", i + 1);
        const gri_node *node = gri_resolve(roots[i], "precision_shadow");
        if (!node) return g->status;
        if (!is_recorded(node)) {
            char text[TEXT_BYTES];
            gri_describe(text, sizeof text, node, false);
            return gri_fail(g, GR_ERR_NO_HISTORY,
                            "precision_shadow: %s was not recorded: it is a leaf, or depends on nothing that "
                            "requires a gradient",
                            text);
        }
        if (node->index >= r->step_top) r->step_top = node->index + 1;
    }
    return GR_OK;
}

static void end(replay *r)
{
    gri_memory *m = &r->g->memory;
    for (uint32_t i = 1; r->step && i < r->step_top; i++) drop_shadow(r, &r->step[i]);
    for (uint32_t i = 1; r->kept && i < r->kept_top; i++) drop_shadow(r, &r->kept[i]);
    gri_free(m, r->operands, r->most_operands * sizeof *r->operands);
    gri_free(m, r->step, r->step_top * sizeof *r->step);
    gri_free(m, r->kept, r->kept_top * sizeof *r->kept);
}

static gr_status begin(replay *r, int n, const gr_tensor *roots)
{
    gri_memory *m = &r->g->memory;
    r->kept_top = r->g->kept.top ? r->g->kept.top : 1;
    r->step = gri_alloc_zeroed(m, r->step_top * sizeof *r->step);
    r->kept = gri_alloc_zeroed(m, r->kept_top * sizeof *r->kept);
    if (!r->step || !r->kept)
        return gri_fail_memory(r->g, "precision_shadow", (r->step_top + r->kept_top) * sizeof(entry));
    for (int i = 0; i < n; i++) r->step[roots[i].index].flags |= NEEDED | ROOT;
    const gr_status status = mark(r);
    if (status != GR_OK) return status;
    r->operands = gri_alloc(m, r->most_operands * sizeof *r->operands);
    if (r->operands) return GR_OK;
    return gri_fail_memory(r->g, "precision_shadow", r->most_operands * sizeof *r->operands);
}

gr_status gr_precision_shadow(int n_roots, const gr_tensor *roots, const gr_precision_options *options,
                              gr_precision_report *report)
{
    if (report) *report = (gr_precision_report){.operations = 0};
    gr_graph *g = NULL;
    for (int i = 0; !g && roots && i < n_roots; i++) g = roots[i].graph;
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    if (!report) return gri_fail(g, GR_ERR_ARGUMENT, "precision_shadow: NULL for the report");
    replay r = {.g = g, .report = report};
    gr_status status = check_options(g, options, &r.o);
    if (status == GR_OK) status = check_roots(&r, n_roots, roots);
    if (status != GR_OK) return status;
    status = begin(&r, n_roots, roots);
    report->least = r.o.least;
    report->elementwise = r.o.elementwise;
    if (status == GR_OK) status = walk_up(&r);
    end(&r);
    if (status != GR_OK) *report = (gr_precision_report){.operations = 0};
    return status;
}
