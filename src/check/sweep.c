/*
 * The sweep of a primitive. A sample is tried in each type and each arrangement of its operands in memory; a trial
 * is one use of the primitive on operands made for it.
 *
 * Each sample has a graph, whose memory comes from here: every block is filled with a pattern and fenced in, so
 * that what is left unwritten, and what is written outside, shows. The graph's own pool is emptied before each
 * use, so that no block comes from there.
 *
 * Invariant: what the primitive does is counted as its failure; only memory that is missing ends the sweep.
 */
#include "check/options.h"
#include "check/sample.h"
#include "gradus/ops.h"
#include "gradus/functional.h"
#include "gradus/sweep.h"
#include "base/text.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    MOST_SAMPLES = 1000,
    FENCE = GRI_ALIGN,
    FENCE_BYTE = 0xA5,
    DIGITS = 9,
    TEXT_BYTES = 256,
    DEFAULT_ORDER = 2,
    FULLY_CHECKED = 64
};

static const double default_rounding = 64;
/* Rules are made of several operations, and their roundings add up. */
static const double rule_rounding = 4;

typedef struct sweep {
    const gr_op *op;
    gr_op rule; /* the same without its fast path, */
    gr_op bare; /* without what it promises of second derivatives, too, */
    gr_op told; /* and with the promise, but no fast path for them */
    const gr_samples *declared;
    gr_sweep_options o;
    gr_sweep_result *result;
    gri_memory memory; /* that graphs take theirs from */
    bool refused_memory;
    unsigned char pattern;
    void *attributes, *attributes_before;
    bool known[2], refused[2]; /* by gr_type: whether the primitive takes f32, f64 */
    gr_graph *g;               /* of the sample */
    int number;
    gr_sample sample;
    gri_operand_sample operand[GR_SAMPLE_OPERANDS];
    int64_t elements;
    gr_type type;                            /* of the reals, */
    gri_arrangement how;                     /* and how operands lie, at the moment */
    uint32_t failed_so_far;                  /* causes, one bit each, of these three */
    bool wrong_derivative[GRI_ARRANGEMENTS]; /* of the sample, in the first type */
} sweep;

/* ---- Failures ---- */

const char *gr_sweep_cause_name(gr_sweep_cause cause)
{
    static const char *const names[] = {
        [GR_SWEEP_ERROR] = "error",
        [GR_SWEEP_TYPE] = "type",
        [GR_SWEEP_SHAPE] = "shape",
        [GR_SWEEP_VALUE] = "value",
        [GR_SWEEP_NOT_DETERMINISTIC] = "not deterministic",
        [GR_SWEEP_UNWRITTEN] = "unwritten",
        [GR_SWEEP_OUTSIDE] = "written outside",
        [GR_SWEEP_OPERAND] = "operand modified",
        [GR_SWEEP_ATTRIBUTES] = "attributes modified",
        [GR_SWEEP_LAYOUT] = "layout",
        [GR_SWEEP_PRECISION] = "precision",
        [GR_SWEEP_RECORDING] = "recording",
        [GR_SWEEP_RULE] = "rule",
        [GR_SWEEP_DERIVATIVE] = "derivative",
        [GR_SWEEP_SECOND_DERIVATIVE] = "second derivative",
        [GR_SWEEP_PULL] = "pull",
        [GR_SWEEP_STRAIGHT] = "straight",
        [GR_SWEEP_PULL_TANGENT] = "pull_tangent",
    };
    return (unsigned)cause < GR_SWEEP_CAUSES ? names[cause] : "unknown cause";
}

/* Counts a failure, each cause once for each sample, type and arrangement. */
static void fail(sweep *s, gr_sweep_cause cause, gr_status status, const char *format, ...) GR_PRINTF(4, 5);
static void fail(sweep *s, gr_sweep_cause cause, gr_status status, const char *format, ...)
{
    gr_sweep_result *r = s->result;
    if (s->failed_so_far >> cause & 1) return;
    s->failed_so_far |= UINT32_C(1) << cause;
    r->failed++;
    if (r->failed_by[cause]++ >= GR_SWEEP_OF_ONE_CAUSE || r->n_failures == GR_SWEEP_FAILURES) return;
    gr_sweep_failure *f = &r->failures[r->n_failures++];
    *f = (gr_sweep_failure){.cause = cause,
                            .sample = s->number,
                            .type = s->type,
                            .layout = gri_arrangement_name(s->how),
                            .n = s->sample.n,
                            .status = status};
    memcpy(f->shape, s->sample.shape, sizeof f->shape);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(f->message, sizeof f->message, format, arguments);
    va_end(arguments);
}

/* Ends the sweep. */
static gr_status stop(sweep *s, gr_status status, const char *format, ...) GR_PRINTF(3, 4);
static gr_status stop(sweep *s, gr_status status, const char *format, ...)
{
    gr_sweep_result *r = s->result;
    if (r->status != GR_OK) return r->status;
    r->status = status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->message, sizeof r->message, format, arguments);
    va_end(arguments);
    return status;
}

static bool stopped(const sweep *s) { return s->result->status != GR_OK; }

/* What happened in the graph: false, and it is a failure of that cause, or the end, if there was an error. */
static bool went_well(sweep *s, gr_sweep_cause cause, const char *what)
{
    const gr_status status = gr_graph_status(s->g);
    if (status == GR_OK) return true;
    if (status == GR_ERR_MEMORY || status == GR_ERR_LIMIT)
        stop(s, status, "sample %d: %s", s->number, gr_graph_error(s->g));
    else
        fail(s, cause, status, "%s%s", what, gr_graph_error(s->g));
    gr_graph_clear_error(s->g);
    return false;
}

/* ---- Memory ---- */

/* A block and what is around it: its size and a fence before, a fence behind. */
static void *allocate(size_t bytes, void *user)
{
    sweep *s = user;
    unsigned char *whole = gri_alloc(&s->memory, bytes + 2 * FENCE);
    if (!whole) {
        s->refused_memory = true;
        return NULL;
    }
    memset(whole, FENCE_BYTE, FENCE);
    memcpy(whole, &bytes, sizeof bytes);
    memset(whole + FENCE, s->pattern, bytes);
    memset(whole + FENCE + bytes, FENCE_BYTE, FENCE);
    return whole + FENCE;
}

static void deallocate(void *block, size_t bytes, void *user)
{
    sweep *s = user;
    gri_free(&s->memory, (unsigned char *)block - FENCE, bytes + 2 * FENCE);
}

/* From here on, memory that is taken holds the pattern. */
static void blank(sweep *s, unsigned char pattern)
{
    gr_graph *g = s->g;
    s->pattern = pattern;
    gr_graph_trim(g);
    if (g->chunk) memset((char *)g->chunk + g->offset, pattern, g->chunk->bytes - g->offset);
}

static bool all_are(const unsigned char *from, const unsigned char *to, unsigned char byte)
{
    for (; from < to; from++)
        if (*from != byte) return false;
    return true;
}

/* Whether nothing was written around the elements of a node made since `blank`. */
static bool is_intact(const sweep *s, const gri_node *node)
{
    const size_t bytes = (size_t)node->array.count * gri_element_bytes(node->array.type);
    const gr_graph *g = s->g;
    if (node->buffer) {
        const unsigned char *block = (const unsigned char *)node->buffer, *data = block + GRI_ALIGN;
        size_t whole;
        memcpy(&whole, block - FENCE, sizeof whole);
        if (node->buffer->bytes + GRI_ALIGN > whole) return false; /* its header is overwritten */
        return all_are(block - FENCE + sizeof whole, block, FENCE_BYTE) &&
               all_are(block + sizeof *node->buffer, data, s->pattern) &&
               all_are(data + node->buffer->bytes, block + whole, s->pattern) &&
               all_are(block + whole, block + whole + FENCE, FENCE_BYTE);
    }
    if (node->index != g->step.top - 1) return true; /* others stand behind it */
    const unsigned char *end = (const unsigned char *)node->array.data + bytes, *chunk = (void *)g->chunk;
    const unsigned char *last = chunk + g->chunk->bytes;
    return all_are(end, last - end > FENCE ? end + FENCE : last, s->pattern);
}

/* ---- Trials ---- */

/* One use of the primitive. */
typedef struct trial {
    const gr_op *op;
    gr_type type;
    gri_arrangement how, values; /* `values`: as of operands that lie so; expanded ones repeat theirs */
    unsigned char pattern;
    bool differentiable, no_grad;
    bool transposed; /* of products: what reaches the operation on the way down */
} trial;

typedef struct operands {
    gr_tensor leaf[GR_SAMPLE_OPERANDS];
    gr_tensor twin[GR_SAMPLE_OPERANDS]; /* what the leaf was */
    gr_tensor view[GR_SAMPLE_OPERANDS];
} operands;

static const gri_node *node_of(gr_tensor t) { return gri_lookup(t.graph, t.index, t.generation); }

static bool is_real(const sweep *s, int k) { return s->operand[k].domain->kind == GR_SAMPLE_REAL; }

static gr_tensor make_leaf(sweep *s, const trial *t, int k)
{
    static const gr_type types[] = {
        [GR_SAMPLE_REAL] = GR_F64, [GR_SAMPLE_INDEX] = GR_I32, [GR_SAMPLE_MASK] = GR_BOOL};
    const gri_operand_sample *o = &s->operand[k];
    const gri_arrangement how = gri_arranged(o, k, t->how);
    const gr_type type = is_real(s, k) ? t->type : types[o->domain->kind];
    const gr_tensor leaf = gr_constant(s->g, type, gri_leaf_shape(o->shape, how), NULL);
    if (leaf.index)
        gri_fill_leaf(&node_of(leaf)->array, o, how, gri_arranged(o, k, t->values) == GRI_EXPANDED);
    return leaf;
}

static gr_tensor make_twin(gr_tensor leaf)
{
    return leaf.index ? gr_constant(leaf.graph, gr_type_of(leaf), gr_shape_of(leaf), gr_data(leaf)) : leaf;
}

static bool make_operands(sweep *s, const trial *t, operands *x)
{
    blank(s, t->pattern);
    for (int k = 0; k < s->sample.n; k++) {
        x->leaf[k] = make_leaf(s, t, k);
        x->twin[k] = make_twin(x->leaf[k]);
        if (is_real(s, k) && t->differentiable) gr_set_requires_grad(x->leaf[k], true);
        x->view[k] = gri_view_of(x->leaf[k], s->operand[k].shape, gri_arranged(&s->operand[k], k, t->how));
    }
    return went_well(s, GR_SWEEP_ERROR, "");
}

/* Operands and attributes are as they were, and nothing was written around them. */
static void check_operands(sweep *s, const operands *x)
{
    for (int k = 0; k < s->sample.n; k++) {
        const gri_node *leaf = node_of(x->leaf[k]), *twin = node_of(x->twin[k]);
        if (!leaf || !twin) {
            fail(s, GR_SWEEP_OPERAND, GR_OK, "operand %d is gone", k + 1);
            continue;
        }
        const size_t bytes = (size_t)leaf->array.count * gri_element_bytes(leaf->array.type);
        if (bytes && memcmp(leaf->array.data, twin->array.data, bytes) != 0)
            fail(s, GR_SWEEP_OPERAND, GR_OK, "operand %d was modified", k + 1);
        if (!is_intact(s, leaf))
            fail(s, GR_SWEEP_OUTSIDE, GR_OK, "memory next to operand %d was written", k + 1);
    }
    if (!s->op->attribute_bytes || !memcmp(s->attributes, s->attributes_before, s->op->attribute_bytes))
        return;
    fail(s, GR_SWEEP_ATTRIBUTES, GR_OK, "the attributes were modified");
    memcpy(s->attributes, s->attributes_before, s->op->attribute_bytes);
}

static gr_tensor apply(sweep *s, const trial *t, const operands *x)
{
    gr_graph *g = s->g;
    blank(s, t->pattern);
    if (t->no_grad) gr_no_grad_begin(g);
    const gri_tidy before = gri_tidy_here(g);
    const gr_tensor y = gr_apply(g, t->op, s->sample.n, x->view, s->attributes);
    if (!gri_is_tidy(g, &before)) {
        fail(s, GR_SWEEP_ERROR, GR_ERR_STATE, "%s opened a scope or a no_grad region and left it open",
             t->op->name);
        gri_tidy_up(g, &before);
    }
    if (t->no_grad) gr_no_grad_end(g);
    return y;
}

/* Uses the primitive once; what is reported apart from its result is checked. The result, contiguous; an invalid
   handle if there is none. */
static gr_tensor try_once(sweep *s, const trial *t)
{
    operands x;
    const gr_tensor none = gri_invalid(s->g);
    if (!make_operands(s, t, &x)) return none;
    const gr_tensor y = apply(s, t, &x);
    const bool made = went_well(s, GR_SWEEP_ERROR, "");
    check_operands(s, &x);
    const gri_node *node = made ? node_of(y) : NULL;
    if (!node) return none;
    const bool shares = node->buffer && node->buffer->references > 1;
    if (!shares && !is_intact(s, node))
        fail(s, GR_SWEEP_OUTSIDE, GR_OK, "memory next to the result was written");
    if (t->no_grad && gr_requires_grad(y))
        fail(s, GR_SWEEP_RECORDING, GR_OK, "the result requires a gradient under gr_no_grad_begin");
    const gr_tensor whole = gr_contiguous(gr_detach(y));
    return went_well(s, GR_SWEEP_ERROR, "") ? whole : none;
}

/* ---- Comparing results ---- */

static void describe_place(char *to, size_t room, const gr_array *a, int64_t element)
{
    int64_t index[GR_MAX_NDIM];
    for (int axis = a->ndim - 1; axis >= 0; axis--) {
        index[axis] = element % a->dims[axis];
        element /= a->dims[axis];
    }
    gri_describe_shape(to, room, a->ndim, index);
}

/* Type and shape of y are those of z. */
static bool same_kind(sweep *s, const gr_array *y, const gr_array *z, const char *what, const char *other)
{
    char a[TEXT_BYTES], b[TEXT_BYTES];
    if (y->type != z->type)
        fail(s, GR_SWEEP_TYPE, GR_OK, "the type is %s %s, but %s %s", gr_type_name(y->type), what,
             gr_type_name(z->type), other);
    if (y->type != z->type || gri_same_dims(y, z)) return y->type == z->type;
    gri_describe_shape(a, sizeof a, y->ndim, y->dims);
    gri_describe_shape(b, sizeof b, z->ndim, z->dims);
    fail(s, GR_SWEEP_SHAPE, GR_OK, "the shape is %s %s, but %s %s", a, what, b, other);
    return false;
}

/* Says that element e of y is not what it is in z. `of`: of what they are elements. */
static void fail_values(sweep *s, gr_sweep_cause cause, const char *of, const gr_array *y, const gr_array *z,
                        int64_t e, const char *what, const char *other)
{
    char place[TEXT_BYTES], a[GRI_NUMBER_BYTES], b[GRI_NUMBER_BYTES];
    describe_place(place, sizeof place, y, e);
    gri_number(a, gri_element(y, e), DIGITS, false);
    gri_number(b, gri_element(z, e), DIGITS, false);
    fail(s, cause, GR_OK, "%s%s is %s %s, but %s %s", of, place, a, what, b, other);
}

/* y and z, of one kind, have the same bits. */
static bool same_bits(sweep *s, gr_sweep_cause cause, const char *of, gr_tensor ty, gr_tensor tz,
                      const char *what, const char *other)
{
    const gri_node *y = node_of(ty), *z = node_of(tz);
    if (!y || !z || !same_kind(s, &y->array, &z->array, what, other)) return false;
    const size_t size = gri_element_bytes(y->array.type);
    s->result->comparisons += y->array.count;
    for (int64_t e = 0; e < y->array.count; e++) {
        const size_t at = (size_t)e * size;
        if (!memcmp((char *)y->array.data + at, (char *)z->array.data + at, size)) continue;
        fail_values(s, cause, of, &y->array, &z->array, e, what, other);
        return false;
    }
    return true;
}

/* Tolerance of values, relative to |y| + min(1, largest |y|), for elements that are made of so many others. */
static double tolerance(const sweep *s, gr_type type, double made_of)
{
    const double units = s->declared->rounding > 0 ? s->declared->rounding : default_rounding;
    return units * (type == GR_F32 ? FLT_EPSILON : DBL_EPSILON) * sqrt(fmax(1, made_of));
}

/* y and z, of one shape, agree within the tolerance. */
static bool agree(sweep *s, gr_sweep_cause cause, const char *of, const gr_array *y, const gr_array *z,
                  double within, const char *what, const char *other)
{
    double largest = 0;
    for (int64_t e = 0; e < z->count; e++) largest = fmax(largest, fabs(gri_element(z, e)));
    s->result->comparisons += y->count;
    for (int64_t e = 0; e < y->count; e++) {
        const double a = gri_element(y, e), b = gri_element(z, e);
        if (a == b || fabs(a - b) <= within * (fabs(b) + fmin(1, largest))) continue;
        fail_values(s, cause, of, y, z, e, what, other);
        return false;
    }
    return true;
}

/* ---- Values ---- */

/* The shape to which the operands broadcast. */
static gr_shape broadcast_shape(const sweep *s)
{
    gr_shape shape = {.ndim = 0};
    for (int k = 0; k < s->sample.n; k++)
        if (s->sample.shape[k].ndim > shape.ndim) shape.ndim = s->sample.shape[k].ndim;
    for (int i = 0; i < shape.ndim; i++) {
        shape.dims[i] = 1;
        for (int k = 0; k < s->sample.n; k++) {
            const gr_shape *own = &s->sample.shape[k];
            const int axis = i - (shape.ndim - own->ndim);
            if (axis >= 0 && own->dims[axis] != 1) shape.dims[i] = own->dims[axis];
        }
    }
    return shape;
}

static bool check_broadcast(sweep *s, const gr_array *y)
{
    const gr_shape shape = broadcast_shape(s);
    const gr_array wanted = {.type = y->type, .ndim = shape.ndim, .dims = shape.dims};
    return !s->declared->elementwise || same_kind(s, y, &wanted, "", "is what the operands broadcast to");
}

static bool check_values(sweep *s, const gr_array *y)
{
    char place[TEXT_BYTES], number[GRI_NUMBER_BYTES];
    for (int64_t e = 0; e < y->count; e++) {
        const double v = gri_element(y, e);
        if (isfinite(v) && (y->type != GR_BOOL || v == 0 || v == 1)) continue;
        describe_place(place, sizeof place, y, e);
        gri_number(number, v, DIGITS, false);
        fail(s, GR_SWEEP_VALUE, GR_OK, "%s is %s%s", place, number, y->type == GR_BOOL ? " in a mask" : "");
        return false;
    }
    return true;
}

/* The result is the same again, whatever memory held, and recorded or not. NaN, and large numbers of both signs. */
static bool check_repeats(sweep *s, const trial *first, gr_tensor y)
{
    trial t = *first;
    gr_tensor z = try_once(s, &t);
    if (!same_bits(s, GR_SWEEP_NOT_DETERMINISTIC, "", z, y, "the second time", "the first")) return false;
    for (int i = 0; i < 2; i++) {
        t.pattern = i ? 0xFE : 0x7F;
        z = try_once(s, &t);
        if (!same_bits(s, GR_SWEEP_UNWRITTEN, "", z, y, "where memory held other bytes before", "else"))
            return false;
    }
    t.differentiable = t.no_grad = true;
    z = try_once(s, &t);
    return same_bits(s, GR_SWEEP_RECORDING, "", z, y, "under gr_no_grad_begin", "else");
}

static double made_of(const sweep *s, int64_t results)
{
    return (double)s->elements / (double)(results > 0 ? results : 1);
}

/* The result for contiguous operands is the same. */
static bool check_layout(sweep *s, const trial *first, gr_tensor y)
{
    trial t = *first;
    t.how = GRI_CONTIGUOUS_OPERANDS;
    const gr_tensor z = try_once(s, &t);
    const char *name = gri_arrangement_name(first->how);
    if (!s->op->strided) return same_bits(s, GR_SWEEP_LAYOUT, "", y, z, name, "contiguous");
    const gri_node *a = node_of(y), *b = node_of(z);
    if (!a || !b || !same_kind(s, &a->array, &b->array, name, "contiguous")) return false;
    const double within = gr_type_is_float(a->array.type)
                              ? tolerance(s, a->array.type, made_of(s, a->array.count))
                              : 0;
    return agree(s, GR_SWEEP_LAYOUT, "", &a->array, &b->array, within, name, "contiguous");
}

/* Whether both types are swept, and this is the second of them: it is held against the first. */
static bool is_second_type(const sweep *s) { return s->type == GR_F32 && s->result->f64; }

/* The result for f64 is the same, but for roundings of f32; or types of results do not depend on the operands'. */
static bool check_precision(sweep *s, const trial *first, gr_tensor y)
{
    trial t = *first;
    t.type = GR_F64;
    const gri_node *a = node_of(y), *b = node_of(try_once(s, &t));
    if (!a || !b) return false;
    gr_array single = b->array;
    if (single.type == GR_F64) single.type = a->array.type == GR_F64 ? GR_F64 : GR_F32;
    if (!same_kind(s, &a->array, &single, "in f32", "in f64")) return false;
    const double within = gr_type_is_float(a->array.type) ? tolerance(s, GR_F32, made_of(s, a->array.count))
                                                          : 0;
    return agree(s, GR_SWEEP_PRECISION, "", &a->array, &b->array, within, "in f32", "in f64");
}

/* ---- Derivatives ---- */

/* gr_function: the primitive on views of the inputs. */
static gr_tensor use_rule(gr_graph *g, int n, const gr_tensor *leaves, void *user)
{
    const sweep *s = user;
    gr_tensor view[GR_SAMPLE_OPERANDS];
    for (int k = 0; k < n; k++)
        view[k] = gri_view_of(leaves[k], s->operand[k].shape, gri_arranged(&s->operand[k], k, s->how));
    return gr_apply(g, &s->rule, n, view, s->attributes);
}

static double badness(const gr_check_result *r)
{
    const double ratio = r->worst.error / r->worst.tolerance;
    return isnan(ratio) ? INFINITY : ratio;
}

/* Keeps the result in which a derivative is worse than in those before. */
static void keep_worst(sweep *s, const gr_check_result *r)
{
    gr_check_result *worst = &s->result->check;
    const bool worse = r->passed != worst->passed     ? worst->passed
                       : r->verdict != worst->verdict ? r->verdict > worst->verdict
                                                      : badness(r) > badness(worst);
    if (r->elements > 0 && (worst->elements == 0 || worse)) *worst = *r;
}

static const char *form_name(gr_comparison comparison)
{
    return comparison == GR_COMPARE_FORWARD   ? ", by JVP"
           : comparison == GR_COMPARE_ADJOINT ? ", VJP against JVP"
                                              : "";
}

/* Where to look if it is the tangents alone that fail, and the descriptor promises something of them. */
static const char *promise_of(const sweep *s, const gr_check_result *r)
{
    if (s->op->tangent == GR_TANGENT_GENERAL) return "";
    for (int i = 0; i < r->n_worst; i++)
        if (r->worst_elements[i].comparison == GR_COMPARE_REVERSE) return "";
    return "; is its `tangent` right?";
}

static void fail_derivative(sweep *s, const gr_check_result *r)
{
    const gr_check_element *e = &r->worst;
    const gr_sweep_cause cause = e->order > 1 ? GR_SWEEP_SECOND_DERIVATIVE : GR_SWEEP_DERIVATIVE;
    char place[TEXT_BYTES] = "", a[GRI_NUMBER_BYTES], b[GRI_NUMBER_BYTES], by[2 * TEXT_BYTES];
    if (r->message[0] && r->verdict == GR_CHECK_NOT_DETERMINISTIC) {
        fail(s, GR_SWEEP_NOT_DETERMINISTIC, GR_OK, "%s", r->message);
        return;
    }
    if (e->at.element >= 0) gri_describe_shape(place, sizeof place, e->at.ndim, e->at.index);
    gri_number(a, e->analytic, DIGITS, false);
    gri_number(b, e->numeric, DIGITS, false);
    if (e->input < 0)
        snprintf(by, sizeof by, "in a random direction");
    else if (e->input < s->sample.n)
        snprintf(by, sizeof by, "by operand %d%s%s", e->input + 1, place[0] ? " at " : "", place);
    else
        snprintf(by, sizeof by, "by a cotangent%s%s", place[0] ? " at " : "", place);
    fail(s, cause, GR_OK, "order %d, %s%s: analytic %s, numeric %s: %s%s", e->order, by,
         form_name(e->comparison), a, b, gr_verdict_name(e->verdict), promise_of(s, r));
}

/* Checks up to one order; whether it passed. An error is left in the graph. */
static bool check_order(sweep *s, int order, gr_check_result *r)
{
    operands x;
    const trial t = {.op = &s->rule, .type = s->type, .how = s->how, .values = s->how, .pattern = 0};
    gr_check_options o = s->o.check;
    o.order = order;
    o.forward = true; /* what the descriptor says of tangents, too */
    if (!o.seed) o.seed = s->o.graph.seed;
    if (!o.name) o.name = s->op->name;
    if (o.mode == GR_CHECK_AUTO && s->elements > FULLY_CHECKED) o.mode = GR_CHECK_FAST;
    *r = (gr_check_result){.passed = false};
    if (!make_operands(s, &t, &x)) return false;
    gr_gradcheck(s->g, use_rule, s->sample.n, x.leaf, s, &o, r);
    s->result->comparisons += r->elements;
    const bool passed = gr_graph_status(s->g) == GR_OK && r->passed;
    if (passed) check_operands(s, &x);
    return passed;
}

/* Of what a check of several orders found wrong the lowest is reported. */
static bool check_by_differences(sweep *s)
{
    gr_check_result r;
    int order = s->o.check.order > 0 ? s->o.check.order : DEFAULT_ORDER;
    if (s->elements > GRI_SAMPLE_LARGE && s->how != GRI_CONTIGUOUS_OPERANDS)
        order = 1; /* it takes its time */
    bool passed = check_order(s, order, &r);
    for (int lower = 1; lower < order && !passed && !stopped(s); lower++) {
        const gr_check_result higher = r;
        const gr_status status = gr_graph_status(s->g);
        char message[sizeof s->g->message];
        memcpy(message, s->g->message, sizeof message);
        gr_graph_clear_error(s->g);
        if (!check_order(s, lower, &r)) break;
        r = higher;
        if (status != GR_OK) gri_fail(s->g, status, "%s", message);
    }
    if (!went_well(s, GR_SWEEP_RULE, "")) return false;
    keep_worst(s, &r);
    if (!passed) fail_derivative(s, &r);
    return passed;
}

/* 32 bits that look random (the end of SplitMix64; Steele, Lea, Flood, 2014). */
static uint32_t scatter(uint64_t x)
{
    x *= UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(x >> 32);
}

/* A cotangent of random numbers, of y's type and shape. */
static gr_tensor make_cotangent(sweep *s, const gr_array *y, bool strided)
{
    static const gr_domain anything = {.kind = GR_SAMPLE_REAL};
    gr_graph *g = s->g;
    gri_operand_sample o = {.domain = &anything, .count = y->count};
    o.shape.ndim = y->ndim;
    memcpy(o.shape.dims, y->dims, (size_t)y->ndim * sizeof *y->dims);
    o.values = gr_data_for_writing(gr_constant(g, GR_F64, GR_SHAPE(y->count), NULL));
    for (int64_t e = 0; o.values && e < y->count; e++) {
        const uint32_t bits = scatter((uint64_t)e + s->o.graph.seed);
        const double size = 0.5 + (double)(bits >> 12) * 0x1p-20;
        o.values[e] = bits & 1 ? -size : size;
    }
    const gri_arrangement how = gri_arranged(
        &o, 0, strided ? (y->ndim > 1 ? GRI_TRANSPOSED : GRI_STEPPED) : GRI_CONTIGUOUS_OPERANDS);
    const gr_tensor leaf = gr_constant(g, y->type, gri_leaf_shape(o.shape, how), NULL);
    if (o.values && leaf.index) gri_fill_leaf(&node_of(leaf)->array, &o, how, false);
    return gri_view_of(leaf, o.shape, how);
}

/* The attributes that the rule saw, in the node. */
static void check_recorded_attributes(sweep *s, gr_tensor y)
{
    const gri_node *node = node_of(y);
    const size_t bytes = s->op->attribute_bytes;
    if (bytes && node && node->n_operands && memcmp(gri_attributes(node), s->attributes_before, bytes))
        fail(s, GR_SWEEP_ATTRIBUTES, GR_OK, "the attributes were modified by the rule");
}

/* Gradients by all reals, in one walk that is not recorded. `cause`: of its failure. */
static bool make_gradients(sweep *s, const trial *t, bool strided, gr_sweep_cause cause, gr_tensor *gradients)
{
    operands x;
    gr_tensor by[GR_SAMPLE_OPERANDS];
    int n = 0;
    if (!make_operands(s, t, &x)) return false;
    for (int k = 0; k < s->sample.n; k++)
        if (is_real(s, k)) by[n++] = x.leaf[k];
    const gr_tensor y = apply(s, t, &x);
    if (!went_well(s, GR_SWEEP_ERROR, "")) return false;
    const gr_tensor cotangent = make_cotangent(s, &node_of(y)->array, strided);
    blank(s, t->pattern);
    gr_grad(1, &y, n, by, &cotangent, NULL, gradients);
    if (!went_well(s, cause, "")) return false;
    check_operands(s, &x);
    check_recorded_attributes(s, y);
    for (int i = 0; i < n; i++) gradients[i] = gr_contiguous(gradients[i]);
    return went_well(s, cause, "");
}

static bool gradients_agree(sweep *s, gr_sweep_cause cause, const gr_tensor *a, const gr_tensor *b,
                            const char *what, const char *other)
{
    for (int k = 0, i = 0; k < s->sample.n; k++) {
        if (!is_real(s, k)) continue;
        char of[TEXT_BYTES];
        snprintf(of, sizeof of, "the gradient of operand %d at ", k + 1);
        const gr_array *y = &node_of(a[i])->array, *z = &node_of(b[i])->array;
        const int64_t others = s->elements + s->sample.n; /* each may be made of all */
        const double within = rule_rounding * tolerance(s, s->type, (double)others / (double)(y->count + 1));
        if (!agree(s, cause, of, y, z, within, what, other)) return false;
        i++;
    }
    return true;
}

static bool gradients_same(sweep *s, const gr_tensor *a, const gr_tensor *b)
{
    for (int k = 0, i = 0; k < s->sample.n; k++) {
        if (!is_real(s, k)) continue;
        char of[TEXT_BYTES];
        snprintf(of, sizeof of, "by pull, the gradient of operand %d at ", k + 1);
        if (!same_bits(s, GR_SWEEP_UNWRITTEN, of, a[i], b[i], "where memory held other bytes before", "else"))
            return false;
        i++;
    }
    return true;
}

/* The fast path gives what the rule gives, for strided cotangents, too. */
static void check_pull(sweep *s, trial t, gr_tensor *const rule[2])
{
    gr_tensor pulled[GR_SAMPLE_OPERANDS], again[GR_SAMPLE_OPERANDS];
    t.op = s->op;
    for (int strided = 0; strided < 2; strided++) {
        t.pattern = 0xFF;
        if (!make_gradients(s, &t, strided, GR_SWEEP_PULL, pulled)) return;
        t.pattern = 0x7F;
        if (!make_gradients(s, &t, strided, GR_SWEEP_PULL, again)) return;
        if (!gradients_same(s, pulled, again)) return;
        if (!gradients_agree(s, GR_SWEEP_PULL, pulled, rule[strided],
                             strided ? "by pull, of a strided cotangent," : "by pull", "by the rule"))
            return;
    }
}

/* ---- Hessian-vector products ---- */

/* Those of u (y + y^2 / 2), so that the cotangent of y moves, too, by all reals, in a walk that is not recorded; all of
   them move, or, if it is not -1, that operand only. `cause`: of its failure. Transposed: the same of u and y with their
   axes in reverse, so that the cotangent of y and its tangent are strided. */
static bool make_products(sweep *s, const trial *t, int only, gr_sweep_cause cause, gr_tensor *products)
{
    operands x;
    gr_tensor by[GR_SAMPLE_OPERANDS], vectors[GR_SAMPLE_OPERANDS];
    int n = 0;
    if (!make_operands(s, t, &x)) return false;
    for (int k = 0; k < s->sample.n; k++) {
        if (!is_real(s, k)) continue;
        const bool moves = only < 0 || only == k;
        vectors[n] = moves ? make_cotangent(s, &node_of(x.leaf[k])->array, false) : GR_NONE;
        by[n++] = x.leaf[k];
    }
    gr_tensor y = apply(s, t, &x);
    if (!went_well(s, GR_SWEEP_ERROR, "")) return false;
    gr_tensor u = make_cotangent(s, &node_of(y)->array, false);
    if (t->transposed) {
        y = gr_permute(y, GR_ALL_AXES);
        u = gr_permute(u, GR_ALL_AXES);
    }
    const gr_tensor sum = gr_sum(gr_mul(u, gr_add(y, gr_scale(gr_square(y), 0.5))), GR_ALL_AXES, false);
    blank(s, t->pattern);
    gr_no_grad_begin(s->g);
    gr_hvp(sum, n, by, vectors, products);
    gr_no_grad_end(s->g);
    if (!went_well(s, cause, "")) return false;
    check_operands(s, &x);
    for (int i = 0; i < n; i++) products[i] = gr_contiguous(products[i]);
    return went_well(s, cause, "");
}

static bool products_agree(sweep *s, gr_sweep_cause cause, const gr_tensor *a, const gr_tensor *b, int only)
{
    for (int k = 0, i = 0; k < s->sample.n; k++) {
        if (!is_real(s, k)) continue;
        char of[TEXT_BYTES];
        const gr_array *y = &node_of(a[i])->array, *z = &node_of(b[i])->array;
        const int64_t others = s->elements + s->sample.n;
        const double within = 4 * rule_rounding *
                              tolerance(s, s->type, (double)others / (double)(y->count + 1));
        if (only < 0)
            snprintf(of, sizeof of, "the Hessian-vector product of operand %d at ", k + 1);
        else
            snprintf(of, sizeof of, "where operand %d moves, the Hessian-vector product of operand %d at ",
                     only + 1, k + 1);
        if (!agree(s, cause, of, y, z, within, "with it", "without")) return false;
        i++;
    }
    return true;
}

/* They are the same without what the descriptor says to make them cheap. */
static bool check_products(sweep *s, trial t, int only)
{
    gr_tensor plain[GR_SAMPLE_OPERANDS], told[GR_SAMPLE_OPERANDS];
    t.op = &s->bare;
    if (!make_products(s, &t, only, GR_SWEEP_RULE, plain)) return false;
    t.op = &s->told;
    if (s->op->straight && (!make_products(s, &t, only, GR_SWEEP_STRAIGHT, told) ||
                            !products_agree(s, GR_SWEEP_STRAIGHT, told, plain, only)))
        return false;
    t.op = s->op;
    for (int i = 0; i < 2 && s->op->pull_tangent; i++) {
        t.pattern = i ? 0x7F : 0xFF; /* what is not written is NaN, or a large number */
        t.transposed = i;
        if (!make_products(s, &t, only, GR_SWEEP_PULL_TANGENT, told) ||
            !products_agree(s, GR_SWEEP_PULL_TANGENT, told, plain, only))
            return false;
    }
    return true;
}

static void check_second_paths(sweep *s, const trial *t)
{
    if ((!s->op->straight && !s->op->pull_tangent) || s->o.check.order == 1) return;
    int reals = 0;
    for (int k = 0; k < s->sample.n; k++) reals += is_real(s, k);
    if (s->elements > GRI_SAMPLE_LARGE && s->how != GRI_CONTIGUOUS_OPERANDS) return; /* it takes its time */
    if (!check_products(s, *t, -1)) return;
    for (int k = 0; k < s->sample.n && reals > 1; k++)
        if (is_real(s, k) && !check_products(s, *t, k)) return;
}

/* By walks: for strided cotangents, by the fast path, in both types. */
static void check_gradients(sweep *s)
{
    gr_tensor plain[GR_SAMPLE_OPERANDS], strided[GR_SAMPLE_OPERANDS], twice[GR_SAMPLE_OPERANDS];
    gr_tensor *const rule[2] = {plain, strided};
    trial t = {.op = &s->rule,
               .type = s->type,
               .how = s->how,
               .values = s->how,
               .pattern = 0xFF,
               .differentiable = true};
    if (!make_gradients(s, &t, false, GR_SWEEP_RULE, plain)) return;
    if (!make_gradients(s, &t, true, GR_SWEEP_RULE, strided)) return;
    if (!gradients_agree(s, GR_SWEEP_LAYOUT, strided, plain, "of a strided cotangent", "of a contiguous one"))
        return;
    trial wide = t;
    wide.type = GR_F64;
    if (is_second_type(s) && (!make_gradients(s, &wide, false, GR_SWEEP_RULE, twice) ||
                              !gradients_agree(s, GR_SWEEP_PRECISION, plain, twice, "in f32", "in f64")))
        return;
    if (s->op->pull) check_pull(s, t, rule);
    check_second_paths(s, &t);
}

/* Whether the result can be recorded. The error of a primitive without a rule names it. */
static bool is_recorded(sweep *s, const trial *first, gr_tensor y)
{
    trial t = *first;
    operands x;
    bool any = false;
    for (int k = 0; k < s->sample.n; k++) any |= is_real(s, k);
    if (!any || !gr_type_is_float(node_of(y)->array.type)) return false;
    t.differentiable = true;
    if (!make_operands(s, &t, &x)) return false;
    const gr_tensor z = apply(s, &t, &x);
    if (gr_graph_status(s->g) == GR_ERR_NOT_DIFFERENTIABLE && strstr(gr_graph_error(s->g), s->op->name)) {
        gr_graph_clear_error(s->g);
        return false;
    }
    if (!went_well(s, GR_SWEEP_ERROR, "recorded: ")) return false;
    const gr_tensor whole = gr_contiguous(gr_detach(z));
    if (!went_well(s, GR_SWEEP_ERROR, "")) return false;
    return same_bits(s, GR_SWEEP_RECORDING, "", whole, y, "when recorded", "else");
}

static void check_derivatives(sweep *s, const trial *first, gr_tensor y)
{
    if (!is_recorded(s, first, y)) return;
    s->result->differentiable = true;
    bool *wrong = &s->wrong_derivative[s->how];
    if (!is_second_type(s)) *wrong = !check_by_differences(s);
    if (!*wrong) check_gradients(s);
}

/* ---- The sweep ---- */

/* The first use of a type shows whether it is taken. */
static bool is_refused(sweep *s, bool real)
{
    const bool asks = real && !s->known[s->type] && s->how == GRI_CONTIGUOUS_OPERANDS;
    if (!asks) return false;
    const trial t = {.op = s->op, .type = s->type, .pattern = 0xFF};
    operands x;
    if (!make_operands(s, &t, &x)) return true;
    apply(s, &t, &x);
    s->known[s->type] = true;
    const bool refused = gr_graph_status(s->g) == GR_ERR_TYPE && !s->declared->types;
    s->refused[s->type] = refused;
    if (refused && s->refused[GR_F64] && s->refused[GR_F32])
        fail(s, GR_SWEEP_ERROR, GR_ERR_TYPE, "refuses f64 and f32: %s", gr_graph_error(s->g));
    gr_graph_clear_error(s->g);
    if (refused) return true;
    *(s->type == GR_F64 ? &s->result->f64 : &s->result->f32) = true;
    return false;
}

/* One sample, type and arrangement. */
static void try_arrangement(sweep *s, bool real)
{
    if (is_refused(s, real)) return;
    const trial t = {.op = s->op, .type = s->type, .how = s->how, .values = s->how, .pattern = 0xFF};
    const gr_tensor y = try_once(s, &t);
    const gri_node *node = node_of(y);
    if (!node) return;
    bool good = check_repeats(s, &t, y);
    good = good && check_broadcast(s, &node->array);
    good = good && check_values(s, &node->array);
    if (good && s->how != GRI_CONTIGUOUS_OPERANDS) good = check_layout(s, &t, y);
    if (good && real && is_second_type(s)) good = check_precision(s, &t, y);
    if (good) check_derivatives(s, &t, y);
}

/* Whether operands can lie so, and are worth it: large ones take their time. */
static bool is_arranged(const sweep *s)
{
    if (s->how == GRI_CONTIGUOUS_OPERANDS) return true;
    const bool few = s->elements > GRI_SAMPLE_LARGE;
    if (few && s->how != GRI_STEPPED && (s->how != GRI_TRANSPOSED || is_second_type(s))) return false;
    if ((s->how == GRI_MIXED || s->how == GRI_MIXED_OTHER) && s->sample.n < 2) return false;
    for (int k = 0; k < s->sample.n; k++)
        if (gri_arranged(&s->operand[k], k, s->how) != GRI_CONTIGUOUS_OPERANDS) return true;
    return false;
}

static void try_types(sweep *s)
{
    bool real = false;
    for (int k = 0; k < s->sample.n; k++) real |= is_real(s, k);
    memset(s->wrong_derivative, 0, sizeof s->wrong_derivative);
    for (int i = 0; i < (real ? 2 : 1); i++) {
        s->type = i ? GR_F32 : GR_F64;
        const unsigned bit = i ? GR_SAMPLE_F32 : GR_SAMPLE_F64;
        if (real && s->declared->types && !(s->declared->types & bit)) continue;
        for (int how = 0; how < GRI_ARRANGEMENTS && !stopped(s); how++) {
            s->how = (gri_arrangement)how;
            s->failed_so_far = 0;
            if (!is_arranged(s) || (real && s->refused[s->type])) continue;
            const gr_scope scope = gr_scope_begin(s->g);
            if (went_well(s, GR_SWEEP_ERROR, "")) try_arrangement(s, real);
            gr_scope_end(scope, 0, NULL);
            gr_graph_clear_error(s->g);
        }
    }
}

/* Values of the sample's operands, one behind the other in a block. */
static void set_operands(sweep *s, double *values)
{
    for (int k = 0; k < s->sample.n; k++) {
        gri_operand_sample *o = &s->operand[k];
        *o = (gri_operand_sample){.domain = &s->sample.domain[k],
                                  .shape = s->sample.shape[k],
                                  .count = 1,
                                  .values = values,
                                  .fixed = s->sample.values[k] != NULL};
        for (int axis = 0; axis < o->shape.ndim; axis++) o->count *= o->shape.dims[axis];
        if (o->fixed && o->count) memcpy(values, s->sample.values[k], (size_t)o->count * sizeof *values);
        values += o->count;
    }
    gri_fill_values(s->sample.n, s->operand, s->o.graph.seed + 7 * (uint64_t)s->number);
}

static gr_status try_sample(sweep *s)
{
    const size_t bytes = ((size_t)s->elements + 1) * sizeof(double);
    double *values = gri_alloc(&s->memory, bytes);
    if (!values) return stop(s, GR_ERR_MEMORY, "sample %d: no memory for %zu bytes", s->number, bytes);
    set_operands(s, values);
    gr_graph_options o = s->o.graph;
    o.allocator = (gr_allocator){allocate, deallocate, s};
    s->g = gr_graph_create(&o);
    if (s->g) {
        s->result->samples++;
        try_types(s);
        gr_graph_destroy(s->g);
    } else {
        stop(s, s->refused_memory ? GR_ERR_MEMORY : GR_ERR_ARGUMENT, "sample %d: %s", s->number,
             s->refused_memory ? "no memory for a graph" : "no graph has the options that are given");
    }
    gri_free(&s->memory, values, bytes);
    return s->result->status;
}

static gr_status try_all(sweep *s)
{
    for (s->number = 0;; s->number++) {
        if (!gri_make_sample(s->op, s->declared, s->number, &s->sample, s->attributes)) break;
        if (s->number == MOST_SAMPLES)
            return stop(s, GR_ERR_ARGUMENT,
                        "samples: more than %d: make returns false when there are no more", MOST_SAMPLES);
        const char *problem = gri_check_sample(&s->sample, s->op->arity, &s->elements);
        if (problem) return stop(s, GR_ERR_ARGUMENT, "sample %d: %s", s->number, problem);
        if (s->elements > GRI_SAMPLE_ELEMENTS) {
            s->result->left_out++;
            continue;
        }
        if (s->op->attribute_bytes) memcpy(s->attributes_before, s->attributes, s->op->attribute_bytes);
        if (try_sample(s) != GR_OK) return s->result->status;
    }
    if (s->result->samples == 0) return stop(s, GR_ERR_ARGUMENT, "samples: there are none");
    return GR_OK;
}

/* Attributes, twice: to be used, and to be compared with. */
static gr_status sweep_with_attributes(sweep *s)
{
    const size_t room = s->op->attribute_bytes ? s->op->attribute_bytes : 1;
    s->attributes = gri_alloc_zeroed(&s->memory, room);
    s->attributes_before = gri_alloc_zeroed(&s->memory, room);
    if (s->attributes && s->attributes_before)
        try_all(s);
    else
        stop(s, GR_ERR_MEMORY, "attributes: no memory for %zu bytes", room);
    gri_free(&s->memory, s->attributes, room);
    gri_free(&s->memory, s->attributes_before, room);
    return s->result->status;
}

static bool is_known(gr_tangent tangent)
{
    static const gr_tangent known[] = {GR_TANGENT_GENERAL, GR_TANGENT_SYMMETRIC, GR_TANGENT_LINEAR,
                                       GR_TANGENT_JOINT, GR_TANGENT_SYMMETRIC_JOINT};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (tangent == known[i]) return true;
    return false;
}

static gr_status check_arguments(sweep *s)
{
    const gr_allocator *a = &s->o.graph.allocator;
    if (!s->op || !s->op->infer || !s->op->name)
        return stop(s, GR_ERR_ARGUMENT, "sweep: NULL for the primitive");
    if (!s->declared)
        return stop(s, GR_ERR_ARGUMENT, "sweep: %s declares no samples, and none are given", s->op->name);
    if (!s->declared->elementwise && !s->declared->make)
        return stop(s, GR_ERR_ARGUMENT, "sweep: samples of %s are neither elementwise nor made by a function",
                    s->op->name);
    if (s->op->arity > GR_SAMPLE_OPERANDS || (s->op->arity < 0 && s->op->arity != GR_VARIADIC))
        return stop(s, GR_ERR_ARGUMENT, "sweep: %s has %d operands; at most %d can be made", s->op->name,
                    s->op->arity, GR_SAMPLE_OPERANDS);
    if (!is_known(s->op->tangent))
        return stop(s, GR_ERR_ARGUMENT, "sweep: the tangent of %s is %d, which says nothing", s->op->name,
                    (int)s->op->tangent);
    if (!a->allocate != !a->deallocate)
        return stop(s, GR_ERR_ARGUMENT, "sweep: one function of the allocator is missing");
    const char *problem = gri_bad_option(&s->o.check, GRI_MOST_ORDERS);
    if (problem) return stop(s, GR_ERR_ARGUMENT, "sweep: options of the check: %s", problem);
    if (s->declared->types > (GR_SAMPLE_F32 | GR_SAMPLE_F64) || !(s->declared->rounding >= 0))
        return stop(s, GR_ERR_ARGUMENT, "sweep: types or rounding of the samples of %s are impossible",
                    s->op->name);
    return GR_OK;
}

gr_status gr_sweep(const gr_op *op, const gr_sweep_options *options, gr_sweep_result *result)
{
    if (!result) return GR_ERR_ARGUMENT;
    *result = (gr_sweep_result){.passed = false};
    sweep s = {.op = op, .result = result};
    if (options) s.o = *options;
    s.declared = s.o.samples || !op ? s.o.samples : op->samples;
    if (check_arguments(&s) != GR_OK) return result->status;
    snprintf(result->name, sizeof result->name, "%s", op->name);
    s.rule = *op;
    s.rule.pull = NULL;
    s.rule.pull_tangent = NULL;
    s.told = s.bare = s.rule;
    s.bare.straight = false;
    gri_memory_init(&s.memory, &s.o.graph.allocator, 0);
    sweep_with_attributes(&s);
    gri_memory_trim(&s.memory);
    result->passed = result->status == GR_OK && result->failed == 0;
    return result->status;
}
