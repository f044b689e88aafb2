/*
 * Using a primitive: handles to nodes, inference, elements, forward, record. The one way by which operations
 * come into a graph, for the primitives of Gradus as for those of users.
 *
 * Invariant: on failure nothing is left behind but the error.
 */
#include "graph/call.h"
#include "graph/record.h"
#include "ops/kernels/copy.h"
#include "ops/kernels/map.h"

#include <string.h>

void *gr_call_scratch(const gr_call *call, size_t bytes)
{
    gri_running_call *r = (gri_running_call *)(uintptr_t)call; /* see call.h */
    gri_scratch *block = bytes <= SIZE_MAX - GRI_ALIGN ? gri_alloc(&call->graph->memory, bytes + GRI_ALIGN)
                                                       : NULL;
    if (!block) {
        gri_fail_memory(call->graph, call->op->name, bytes);
        return NULL;
    }
    block->bytes = bytes + GRI_ALIGN;
    block->next = r->scratch;
    r->scratch = block;
    return (char *)block + GRI_ALIGN;
}

void gri_free_scratch(gri_running_call *r)
{
    while (r->scratch) {
        gri_scratch *block = r->scratch;
        r->scratch = block->next;
        gri_free(&r->call.graph->memory, block, block->bytes);
    }
}

/* Says why an operand's handle cannot be used. */
static void report_operand(gr_graph *g, const gr_op *op, int i, gr_tensor t)
{
    if (t.graph && t.graph != g)
        gri_fail(g, GR_ERR_GRAPH, "%s: operand %d belongs to another graph", op->name, i + 1);
    else if (t.index == 0)
        gri_fail(g, GR_ERR_HANDLE, "%s: operand %d is an invalid handle", op->name, i + 1);
    else
        gri_fail(g, GR_ERR_STALE,
                 "%s: operand %d is a stale handle: its tensor was freed by a reset, the end of its scope or "
                 "gr_release",
                 op->name, i + 1);
}

/* Looks the operands up; `requires_grad` is set if one of them does. */
static bool resolve_operands(gri_running_call *r, const gr_array **in, bool *requires_grad)
{
    gr_graph *g = r->call.graph;
    uint32_t flags = 0;
    for (int i = 0; i < r->call.n; i++) {
        const gr_tensor t = r->call.operands[i];
        const gri_node *node = t.graph == g && t.index ? gri_lookup(g, t.index, t.generation) : NULL;
        if (!node) {
            report_operand(g, r->call.op, i, t);
            return false;
        }
        flags |= node->flags;
        in[i] = &node->array;
    }
    *requires_grad = flags & GRI_REQUIRES_GRAD;
    return true;
}

/* Replaces operands that are not contiguous by copies in scratch memory. */
static gr_status make_contiguous(gri_running_call *r, const gr_array **in)
{
    for (int i = 0; i < r->call.n; i++) {
        const gri_node *node = (const gri_node *)in[i];
        if (node->flags & GRI_CONTIGUOUS) continue;
        const size_t shape_bytes = sizeof(int64_t) * (size_t)in[i]->ndim;
        const size_t bytes = (size_t)in[i]->count * gri_element_bytes(in[i]->type);
        gr_array *copy = gr_call_scratch(&r->call, sizeof *copy);
        int64_t *strides = gr_call_scratch(&r->call, shape_bytes);
        void *data = gr_call_scratch(&r->call, bytes);
        if (!copy || !strides || !data) return r->call.graph->status;
        gri_row_major(in[i]->ndim, in[i]->dims, strides);
        *copy = *in[i];
        copy->data = data;
        copy->strides = strides;
        gri_copy_strided(r->call.graph->threads, copy, in[i]);
        in[i] = copy;
    }
    return GR_OK;
}

/* Adds the bytes from the first element of a view to its outermost one along one axis; false if they cannot be
 * counted. */
static bool extend(int64_t *bytes, int64_t steps, int64_t stride, int64_t element)
{
    const int64_t most = INT64_MAX / 4;
    if (steps > 0 && (stride > most / element / steps || stride < -(most / element / steps))) return false;
    *bytes += steps * stride * element;
    return *bytes <= most && *bytes >= -most;
}

/* Whether a view stays inside the elements that it shares: a primitive of a user may ask for any. */
static bool view_is_inside(const gr_layout *layout, const gri_node *source, int64_t count)
{
    const int64_t element = (int64_t)gri_element_bytes(layout->type);
    const int64_t of_source = (int64_t)gri_element_bytes(source->array.type);
    const char *start = source->buffer ? gri_buffer_data(source->buffer) : source->array.data;
    const int64_t room = source->buffer ? (int64_t)source->buffer->bytes : source->array.count * of_source;
    if (element != of_source) return false;
    if (count == 0) return true;
    int64_t low = (const char *)source->array.data - start;
    if (!extend(&low, 1, layout->offset, element)) return false;
    int64_t high = low;
    for (int axis = 0; axis < layout->ndim; axis++) {
        const int64_t stride = layout->strides[axis];
        if (!extend(stride < 0 ? &low : &high, layout->dims[axis] - 1, stride, element)) return false;
    }
    return low >= 0 && high + element <= room;
}

static void record(gri_node *node, const gr_call *call)
{
    for (int i = 0; i < call->n; i++) {
        const gri_node *operand = (const gri_node *)call->in[i];
        gri_operands(node)[i] = (gri_operand){operand->index, operand->generation, operand->version};
    }
    if (call->op->attribute_bytes) memcpy(gri_attributes(node), call->attributes, call->op->attribute_bytes);
}

static gr_status check_layout(const gr_call *call, const gr_layout *layout, int64_t *count)
{
    char text[GRI_MESSAGE_BYTES / 4];
    if (layout->alias < 0 && !call->op->forward)
        return gr_call_fail(call, GR_ERR_ARGUMENT, "has no forward function, and made no view", NULL);
    if (layout->alias >= call->n || layout->ndim < 0 || (unsigned)layout->type > GR_BOOL)
        return gr_call_fail(call, GR_ERR_CALLBACK, "infer gave no possible layout", NULL);
    if (layout->ndim > GR_MAX_NDIM)
        return gr_call_fail(call, GR_ERR_NDIM, "the result would have too many axes", "%d, at most %d",
                            layout->ndim, GR_MAX_NDIM);
    if (layout->ndim == 0) {
        *count = 1;
        return GR_OK;
    }
    if (gri_count(layout->ndim, layout->dims, layout->type, count)) return GR_OK;
    gri_describe_shape(text, sizeof text, layout->ndim, layout->dims);
    return gr_call_fail(call, GR_ERR_OVERFLOW, "the result has more bytes than can be counted", "%s", text);
}

/* What of the node does not depend on where its elements are. */
static inline gri_recipe recipe_of(const gr_call *call, const gr_layout *layout, int64_t count, bool recorded)
{
    return (gri_recipe){.op = call->op,
                        .type = layout->type,
                        .ndim = layout->ndim,
                        .dims = layout->dims,
                        .count = count,
                        .n_operands = recorded ? (size_t)call->n : 0,
                        .attribute_bytes = recorded ? call->op->attribute_bytes : 0,
                        .flags = recorded ? GRI_REQUIRES_GRAD : 0};
}

/* A node whose elements forward computes. */
static gri_node *compute(gri_running_call *r, const gr_array **in, const gr_layout *layout, int64_t count,
                         bool recorded)
{
    gr_call *call = &r->call;
    const gri_recipe recipe = recipe_of(call, layout, count, recorded);
    const gri_mark mark = gri_mark_here(call->graph);
    gri_node *node = gri_push_record(call->graph, &recipe);
    if (!node) return NULL;
    if (recorded) record(node, call); /* before operands are replaced by copies */
    call->out = &node->array;
    if ((call->op->strided || make_contiguous(r, in) == GR_OK) && call->op->forward(call) == GR_OK)
        return node;
    gri_pop(call->graph, mark);
    return NULL;
}

/* A buffer with the elements of a node that has them inside its record; NULL, and the error set, if memory runs out. */
static gri_buffer *buffer_of_inline(gr_graph *g, const gri_node *source)
{
    const size_t bytes = (size_t)source->array.count * gri_element_bytes(source->array.type);
    gri_buffer *buffer = gri_buffer_create(g, bytes);
    if (buffer)
        memcpy(gri_buffer_data(buffer), source->array.data, bytes);
    else
        gri_fail_memory(g, "view", bytes);
    return buffer;
}

/* A node that shares the elements of an operand. Those inside the operand's record it copies, for the record may go before
   the view does: into its own record, or, if it repeats them so often that they do not fit there, into a buffer. */
static gri_node *make_view(const gr_call *call, const gr_layout *layout, int64_t count, bool recorded)
{
    gr_graph *g = call->graph;
    const gri_node *source = (const gri_node *)call->in[layout->alias];
    const int64_t element = (int64_t)gri_element_bytes(layout->type);
    const int64_t offset = count ? layout->offset * element : 0;
    gri_recipe recipe = recipe_of(call, layout, count, recorded);
    gri_buffer *fresh = NULL;
    if (!source->buffer && count * element > GRI_INLINE_BYTES && !(fresh = buffer_of_inline(g, source)))
        return NULL;
    recipe.buffer = fresh ? fresh : source->buffer;
    char *first = fresh ? gri_buffer_data(fresh) : source->array.data;
    if (recipe.buffer) {
        recipe.data = first + offset;
        recipe.strides = layout->strides;
    }
    gri_node *node = gri_push_record(g, &recipe);
    gri_buffer_release(g, fresh);
    if (node && !recipe.buffer) {
        const gr_array viewed = {.data = first + offset,
                                 .dims = layout->dims,
                                 .strides = layout->strides,
                                 .count = count,
                                 .type = layout->type,
                                 .ndim = layout->ndim};
        gri_copy_array(node->array.data, &viewed);
    }
    if (node && recorded) record(node, call);
    return node;
}

static gri_node *run(gri_running_call *r, const gr_array **in, bool requires_grad)
{
    gr_call *call = &r->call;
    gr_layout layout;
    layout.alias = -1;
    int64_t count;
    if (call->op->infer(call, &layout) != GR_OK || check_layout(call, &layout, &count) != GR_OK) return NULL;
    const bool is_float = layout.type == GR_F32 || layout.type == GR_F64;
    const bool recorded = requires_grad && call->graph->recording && is_float;
    if (recorded && !call->op->vjp && !call->op->vjp_all) {
        gr_call_fail(call, GR_ERR_NOT_DIFFERENTIABLE,
                     "has no derivative rule, but an operand requires a gradient", NULL);
        return NULL;
    }
    if (layout.alias < 0) return compute(r, in, &layout, count, recorded);
    if (view_is_inside(&layout, (const gri_node *)in[layout.alias], count))
        return make_view(call, &layout, count, recorded);
    gr_call_fail(call, GR_ERR_CALLBACK, "infer gave a view of more than there is", NULL);
    return NULL;
}

/* gr_apply for anomaly mode and checkpoints, which look at what came of it. */
static gr_tensor apply_inspected(gr_graph *g, const gr_op *op, int n, const gr_tensor *operands,
                                 const void *attributes)
{
    const bool watching = g->watching;
    gri_capture *capture = g->capture;
    const gri_mark mark = gri_mark_here(g);
    g->watching = false;
    g->capture = NULL;
    const gr_tensor y = gr_apply(g, op, n, operands, attributes);
    g->watching = watching;
    g->capture = capture;
    if (y.index == 0) return y;
    const gr_call call = {.graph = g, .op = op, .n = n, .operands = operands, .attributes = attributes};
    gr_status status = watching ? gri_judge_value(&call, gri_lookup(g, y.index, y.generation)) : GR_OK;
    if (status == GR_OK && capture) status = gri_note_operands(&call);
    if (status == GR_OK) return y;
    gri_pop(g, mark);
    return gri_invalid(g);
}

gr_tensor gr_apply(gr_graph *g, const gr_op *op, int n, const gr_tensor *operands, const void *attributes)
{
    /* That of the first operand that knows one: an operand that was never set must not hide the error. */
    for (int i = 0; !g && operands && i < n; i++) g = operands[i].graph;
    if (!g) return gri_invalid(g);
    if (!op || !op->name || !op->infer || (n > 0 && !operands) || (!attributes && op->attribute_bytes)) {
        gri_fail(g, GR_ERR_ARGUMENT, "%s: NULL for the primitive, its name, infer, operands or attributes",
                 op && op->name ? op->name : "apply");
        return gri_invalid(g);
    }
    if (n < 0 || (op->arity != GR_VARIADIC && n != op->arity)) {
        gri_fail(g, GR_ERR_ARGUMENT, "%s: %d operands given, %d needed", op->name, n, op->arity);
        return gri_invalid(g);
    }
    if (g->watching || g->capture) return apply_inspected(g, op, n, operands, attributes);
    gri_running_call r;
    const gr_array *few[GRI_FEW];
    r.scratch = NULL;
    r.call = (gr_call){.graph = g, .op = op, .n = n, .operands = operands, .attributes = attributes};
    const gr_array **in = few;
    if (n > GRI_FEW) in = gr_call_scratch(&r.call, (size_t)n * sizeof *in);
    r.call.in = in;
    bool requires_grad = false;
    gri_node *node = NULL;
    if (in && resolve_operands(&r, in, &requires_grad)) node = run(&r, in, requires_grad);
    if (r.scratch) gri_free_scratch(&r);
    if (!node && g->status == GR_OK) gri_fail(g, GR_ERR_CALLBACK, "%s: failed without saying why", op->name);
    return node ? gri_handle(g, node) : gri_invalid(g);
}

/* ---- For infer ---- */

gr_status gr_infer_like(const gr_call *call, gr_layout *out, int i)
{
    const gr_array *a = call->in[i];
    if (!gr_type_is_float(a->type)) return gr_call_fail(call, GR_ERR_TYPE, "needs f32 or f64", NULL);
    out->type = a->type;
    out->ndim = a->ndim;
    for (int axis = 0; axis < a->ndim; axis++) out->dims[axis] = a->dims[axis];
    return GR_OK;
}

/* Widens out to the shape that it and `a` broadcast to. */
static bool broadcast_with(gr_layout *out, const gr_array *a)
{
    while (out->ndim < a->ndim) {
        for (int axis = out->ndim; axis > 0; axis--) out->dims[axis] = out->dims[axis - 1];
        out->dims[0] = 1;
        out->ndim++;
    }
    const int missing = out->ndim - a->ndim;
    for (int axis = 0; axis < a->ndim; axis++) {
        int64_t *d = &out->dims[axis + missing];
        if (*d == 1)
            *d = a->dims[axis];
        else if (a->dims[axis] != 1 && a->dims[axis] != *d)
            return false;
    }
    return true;
}

gr_status gr_infer_broadcast(const gr_call *call, gr_layout *out)
{
    if (call->n == 0) return gr_call_fail(call, GR_ERR_ARGUMENT, "needs operands", NULL);
    const gr_array *first = call->in[0];
    out->type = first->type;
    out->ndim = first->ndim;
    for (int axis = 0; axis < first->ndim; axis++) out->dims[axis] = first->dims[axis];
    for (int i = 1; i < call->n; i++) {
        const gr_array *a = call->in[i];
        if (a->type != out->type) return gr_call_fail(call, GR_ERR_TYPE, "types differ", NULL);
        if (!gri_same_dims(a, first) && !broadcast_with(out, a))
            return gr_call_fail(call, GR_ERR_SHAPE, "shapes do not broadcast", NULL);
    }
    return GR_OK;
}

int gr_call_axis(const gr_call *call, int axis, int ndim)
{
    const int at = axis < 0 ? axis + ndim : axis;
    if (at >= 0 && at < ndim) return at;
    gr_call_fail(call, GR_ERR_AXIS, "axis out of range", "%d of %d axes", axis, ndim);
    return -1;
}

/* Whether each axis of `a` is one of out's, or of size 1. */
static bool broadcasts_to(const gr_array *a, const gr_array *out)
{
    const int missing = out->ndim - a->ndim;
    if (missing < 0) return false;
    for (int axis = 0; axis < a->ndim; axis++)
        if (a->dims[axis] != 1 && a->dims[axis] != out->dims[axis + missing]) return false;
    return true;
}

enum { MOST_MAPPED = 3 }; /* operands of a map of the user */

gr_status gr_call_map(const gr_call *call, gr_loop *loop)
{
    if (!loop || call->n > MOST_MAPPED)
        return gr_call_fail(call, GR_ERR_ARGUMENT, "a map needs a loop and at most three operands", NULL);
    for (int i = 0; i < call->n; i++)
        if (!broadcasts_to(call->in[i], call->out))
            return gr_call_fail(call, GR_ERR_SHAPE, "operands do not broadcast to the result", NULL);
    gri_map(call->graph->threads, loop, call->attributes, call->out, call->n, call->in);
    return GR_OK;
}
