/*
 * Anomaly mode: finding the operation that made the first NaN or infinity.
 *
 * Invariant: an operation is blamed only for what its operands, and in a walk its cotangent, do not explain; else what
 * they come from is.
 */
#include "graph/graph.h"
#include "base/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { TEXT_BYTES = 160, DIGITS = 6 };

gr_status gr_anomaly_begin(gr_graph *g, const gr_anomaly_options *options)
{
    if (!g) return GR_ERR_HANDLE;
    const gr_status status = gri_check_no_walk(g, "anomaly_begin");
    if (status != GR_OK) return status;
    if (g->anomaly) return gri_fail(g, GR_ERR_STATE, "anomaly_begin: it was begun before, and not ended");
    g->anomaly_options = options ? *options : (gr_anomaly_options){false, false};
    g->anomaly = g->watching = true;
    return GR_OK;
}

gr_status gr_anomaly_end(gr_graph *g)
{
    if (!g) return GR_ERR_HANDLE;
    const gr_status status = gri_check_no_walk(g, "anomaly_end");
    if (status != GR_OK) return status;
    if (!g->anomaly) return gri_fail(g, GR_ERR_STATE, "anomaly_end: without a gr_anomaly_begin");
    g->anomaly = g->watching = false;
    return GR_OK;
}

/* ---- Looking ---- */

/* The element at a position in row-major order. */
static double element_at(const gr_array *a, int64_t position)
{
    int64_t offset = 0;
    for (int axis = a->ndim; axis-- > 0; position /= a->dims[axis])
        offset += position % a->dims[axis] * a->strides[axis];
    return gri_element(a, offset);
}

/* The position of the first element that is an anomaly; -1: none. Integers are none. */
static int64_t first_bad(const gr_graph *g, const gr_array *a)
{
    if (!gr_type_is_float(a->type)) return -1;
    const bool contiguous = gri_is_contiguous(a->ndim, a->dims, a->strides);
    for (int64_t i = 0; i < a->count; i++) {
        const double x = contiguous ? gri_element(a, i) : element_at(a, i);
        if (isnan(x) || (isinf(x) && !g->anomaly_options.allow_infinite)) return i;
    }
    return -1;
}

static bool is_bad(const gr_graph *g, const gri_node *node)
{
    return node && first_bad(g, &node->array) >= 0;
}

/* ---- Telling ---- */

/* Text that grows as far as there is room. */
typedef struct line {
    char text[GRI_MESSAGE_BYTES];
    size_t length;
} line;

static void put(line *l, const char *format, ...) GR_PRINTF(2, 3);
static void put(line *l, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const size_t room = sizeof l->text - l->length;
    const int n = vsnprintf(l->text + l->length, room, format, arguments);
    va_end(arguments);
    if (n > 0) l->length += (size_t)n < room ? (size_t)n : room - 1;
}

/* "nan at [0, 1]"; of a scalar "nan". */
static void put_bad(line *l, const gr_array *a, int64_t position)
{
    char number[GRI_NUMBER_BYTES];
    int64_t index[GR_MAX_NDIM], rest = position;
    for (int axis = a->ndim; axis-- > 0; rest /= a->dims[axis]) index[axis] = rest % a->dims[axis];
    gri_number(number, element_at(a, position), DIGITS, false);
    put(l, "%s", number);
    if (a->ndim == 0) return;
    put(l, " at [");
    for (int axis = 0; axis < a->ndim; axis++) put(l, axis ? ", %" PRId64 : "%" PRId64, index[axis]);
    put(l, "]");
}

/* " from -1 to 4"; NaN anywhere makes both NaN. */
static void put_range(line *l, const gr_array *a)
{
    char low[GRI_NUMBER_BYTES], high[GRI_NUMBER_BYTES];
    if (a->count == 0) return;
    double least = INFINITY, most = -INFINITY;
    for (int64_t i = 0; i < a->count; i++) {
        const double x = element_at(a, i);
        if (x < least || isnan(x)) least = x;
        if (x > most || isnan(x)) most = x;
    }
    gri_number(low, least, DIGITS, false);
    gri_number(high, most, DIGITS, false);
    put(l, " from %s to %s", low, high);
}

static void put_tensor(line *l, const gri_node *node)
{
    char text[TEXT_BYTES];
    gri_describe(text, sizeof text, node, true);
    put(l, "%s", text);
}

/* An operation, of which there is a call or a recorded node. */
typedef struct subject {
    gr_graph *g;
    const gr_op *op;
    uint16_t name_scope;
    int n;
    const gr_tensor *operands;
    const gri_operand *recorded; /* where operands is NULL */
} subject;

static const gri_node *operand_of(const subject *s, int i)
{
    return s->operands ? gri_lookup(s->g, s->operands[i].index, s->operands[i].generation)
                       : gri_lookup(s->g, s->recorded[i].index, s->recorded[i].generation);
}

static subject subject_of_node(gr_graph *g, const gri_node *node)
{
    return (subject){g, node->op, gri_name_scope(node), (int)node->n_operands, NULL, gri_operands(node)};
}

static subject subject_of_call(const gr_call *call)
{
    return (subject){call->graph, call->op, call->graph->naming.scope, call->n, call->operands, NULL};
}

/* "log (y = ln x) in encoder: " */
static void put_operation(line *l, const subject *s)
{
    put(l, "%s", s->op->name);
    if (s->op->formula) put(l, " (%s)", s->op->formula);
    if (s->name_scope) put(l, " in %s", gri_name_path(s->g, s->name_scope));
    put(l, ": ");
}

static void put_operands(line *l, const subject *s)
{
    for (int i = 0; i < s->n && l->length + 1 < sizeof l->text; i++) {
        const gri_node *node = operand_of(s, i);
        put(l, "%s operand %d, ", i ? ";" : ":", i + 1);
        if (node) put_tensor(l, node);
        if (node) put_range(l, &node->array);
    }
}

static gr_status fail(gr_graph *g, const line *l) { return gri_fail(g, GR_ERR_NOT_FINITE, "%s", l->text); }

static gr_status blame_value(const subject *s, const char *what, const gr_array *value)
{
    line l = {.length = 0};
    if (what) put(&l, "%s: ", what);
    put_operation(&l, s);
    put(&l, "the value became ");
    put_bad(&l, value, first_bad(s->g, value));
    put_operands(&l, s);
    return fail(s->g, &l);
}

/* What the values of a node that is not finite come from: a leaf, or an operation of finite operands. */
static const gri_node *origin_of(gr_graph *g, const gri_node *node)
{
    for (;;) {
        const subject s = subject_of_node(g, node);
        const gri_node *bad = NULL;
        for (int i = 0; i < s.n && !bad; i++) {
            const gri_node *operand = operand_of(&s, i);
            if (is_bad(g, operand)) bad = operand;
        }
        if (!bad) return node;
        node = bad;
    }
}

/* Blames what an operand that is not finite comes from; with allow_data nobody, if that is a leaf. */
static gr_status blame_origin(const subject *s, const char *what, int i, const gri_node *operand,
                              bool *tainted)
{
    gr_graph *g = s->g;
    const gri_node *origin = origin_of(g, operand);
    if (origin->n_operands) {
        const subject of_origin = subject_of_node(g, origin);
        return blame_value(&of_origin, what, &origin->array);
    }
    if (g->anomaly_options.allow_data) {
        *tainted = true;
        return GR_OK;
    }
    line l = {.length = 0};
    if (what) put(&l, "%s: ", what);
    put_operation(&l, s);
    put(&l, "operand %d was not finite before: ", i + 1);
    if (origin != operand) put(&l, "it comes from ");
    put_tensor(&l, origin);
    if (gri_name_scope(origin)) put(&l, " of %s", gri_name_path(g, gri_name_scope(origin)));
    put(&l, ", which is ");
    put_bad(&l, &origin->array, first_bad(g, &origin->array));
    return fail(g, &l);
}

/* ---- Judging ---- */

/* The first operand that is not finite; -1: none. */
static int bad_operand(const subject *s)
{
    for (int i = 0; i < s->n; i++)
        if (is_bad(s->g, operand_of(s, i))) return i;
    return -1;
}

gr_status gri_judge_value(const gr_call *call, const gri_node *node)
{
    gr_graph *g = call->graph;
    if (call->n == 0 || first_bad(g, &node->array) < 0) return GR_OK; /* without operands it is data */
    const subject s = subject_of_call(call);
    const int i = bad_operand(&s);
    bool tainted = false;
    return i < 0 ? blame_value(&s, NULL, &node->array)
                 : blame_origin(&s, NULL, i, operand_of(&s, i), &tainted);
}

/* Whether operands or result of a call in a walk were not finite before, which explains what comes of it. They are
   blamed. */
static bool is_explained(const subject *s, const char *what, const gr_array *value, bool *tainted)
{
    const int k = bad_operand(s);
    if (k >= 0)
        blame_origin(s, what, k, operand_of(s, k), tainted);
    else if (first_bad(s->g, value) >= 0)
        blame_value(s, what, value);
    else
        return false;
    return true;
}

gr_status gri_judge_contribution(const gr_call *call, const char *what, const gr_array *gy, int i,
                                 const gr_array *part, bool *tainted)
{
    gr_graph *g = call->graph;
    const int64_t bad = first_bad(g, part);
    if (bad < 0 || first_bad(g, gy) >= 0) return GR_OK; /* gy was judged before */
    const subject s = subject_of_call(call);
    if (is_explained(&s, what, call->out, tainted)) return g->status;
    line l = {.length = 0};
    put(&l, "%s: ", what);
    put_operation(&l, &s);
    put(&l, "the gradient to operand %d became ", i + 1);
    put_bad(&l, part, bad);
    put_operands(&l, &s);
    put(&l, "; cotangent");
    put_range(&l, gy);
    return fail(g, &l);
}

gr_status gri_judge_tangent(const gr_call *call, const char *what, const gr_array *const *given,
                            const gr_array *tangent, bool *tainted)
{
    gr_graph *g = call->graph;
    const int64_t bad = first_bad(g, tangent);
    if (bad < 0) return GR_OK;
    for (int i = 0; i < call->n; i++)
        if (given[i] && first_bad(g, given[i]) >= 0) return GR_OK; /* it was judged before */
    const subject s = subject_of_call(call);
    if (is_explained(&s, what, call->out, tainted)) return g->status;
    line l = {.length = 0};
    put(&l, "%s: ", what);
    put_operation(&l, &s);
    put(&l, "the tangent became ");
    put_bad(&l, tangent, bad);
    put_operands(&l, &s);
    for (int i = 0; i < call->n && l.length + 1 < sizeof l.text; i++) {
        if (!given[i]) continue;
        put(&l, "; tangent of operand %d", i + 1);
        put_range(&l, given[i]);
    }
    return fail(g, &l);
}

gr_status gri_judge_seed(gr_graph *g, const char *what, const char *seed, const gri_node *end,
                         const gr_array *given, bool *tainted)
{
    const int64_t bad = first_bad(g, given);
    if (bad < 0) return GR_OK;
    if (g->anomaly_options.allow_data) {
        *tainted = true;
        return GR_OK;
    }
    line l = {.length = 0};
    put(&l, "%s: the %s given for ", what, seed);
    put_tensor(&l, end);
    put(&l, " is ");
    put_bad(&l, given, bad);
    return fail(g, &l);
}

gr_status gri_judge_gradient(gr_graph *g, const char *what, const gri_node *node, const gr_array *gradient,
                             bool of_hook)
{
    const int64_t bad = first_bad(g, gradient);
    if (bad < 0) return GR_OK;
    line l = {.length = 0};
    put(&l, "%s: ", what);
    if (of_hook) put(&l, "a hook of ");
    put_tensor(&l, node);
    if (gri_name_scope(node)) put(&l, " of %s", gri_name_path(g, gri_name_scope(node)));
    put(&l,
        of_hook ? " returned " : ": the sum of the contributions to its gradient, which are finite, became ");
    put_bad(&l, gradient, bad);
    return fail(g, &l);
}
