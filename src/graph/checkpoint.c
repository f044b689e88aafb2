/*
 * Checkpoints: a function whose interior is freed after it has run, and made again when a walk comes to it.
 *
 * The node of a checkpoint is a view of the value, which is a leaf. Its operands are the value, the inputs, and what
 * else the function read, found out by looking at each operation that it made: so that a walk knows what leads
 * where, and that nothing has been written since. Its rule runs the function again, recorded, and has what that made
 * walked as a part of the walk under way (see gri_walk_made_since), instead of returning contributions.
 *
 * Invariant: a second run finds the same operands and random numbers as the first; that it made the same result is
 * checked.
 */
#include "graph/graph.h"

#include <string.h>

enum { FIRST_FOUND = 16, TEXT_BYTES = 256 };

/* ---- What a function reads ---- */

/* Where in the table a tensor is, or would be. */
static uint32_t *place_of(const gri_capture *c, gr_tensor t)
{
    const uint32_t mask = 2 * c->capacity - 1;
    uint32_t i = (t.index ^ t.index >> 16 ^ t.generation * UINT32_C(0x9E3779B1)) & mask;
    while (c->table[i] && !gr_same(c->found[c->table[i] - 1], t)) i = (i + 1) & mask;
    return &c->table[i];
}

static size_t table_bytes(uint32_t capacity) { return 2 * (size_t)capacity * sizeof(uint32_t); }

static void free_capture(gr_graph *g, const gri_capture *c)
{
    gri_free(&g->memory, c->found, c->capacity * sizeof *c->found);
    gri_free(&g->memory, c->table, table_bytes(c->capacity));
}

/* Room for one more. */
static gr_status grow(gr_graph *g, gri_capture *c)
{
    if (c->n < c->capacity) return GR_OK;
    gri_capture larger = *c;
    larger.capacity = c->capacity ? 2 * c->capacity : FIRST_FOUND;
    const size_t bytes = larger.capacity * sizeof *larger.found;
    larger.table = gri_alloc_zeroed(&g->memory, table_bytes(larger.capacity));
    larger.found = gri_alloc(&g->memory, bytes);
    if (!larger.table || !larger.found) {
        free_capture(g, &larger);
        return gri_fail_memory(g, "checkpoint", bytes);
    }
    for (uint32_t i = 0; i < c->n; i++) {
        larger.found[i] = c->found[i];
        *place_of(&larger, c->found[i]) = i + 1;
    }
    free_capture(g, c);
    *c = larger;
    return GR_OK;
}

static gr_status note(gr_graph *g, gri_capture *c, gr_tensor t)
{
    const gr_status status = grow(g, c);
    if (status != GR_OK) return status;
    uint32_t *place = place_of(c, t);
    if (*place) return GR_OK;
    c->found[c->n++] = t;
    *place = c->n;
    return GR_OK;
}

gr_status gri_note_operands(const gr_call *call)
{
    gri_capture *c = call->graph->capture;
    gr_status status = GR_OK;
    for (int i = 0; i < call->n && status == GR_OK; i++) {
        const gr_tensor t = call->operands[i];
        if (t.index & GRI_KEPT || t.index < c->floor) status = note(call->graph, c, t);
    }
    return status;
}

/* ---- Running the function ---- */

typedef struct attributes {
    gr_function f;
    void *user;
    gr_rng_state rng; /* that the first run began with */
    int n_inputs;
} attributes;

/* Runs the function in a scope, which stays open. Its result; NULL, and the error set, if there is none. */
static gri_node *run(gr_graph *g, const attributes *a, const gr_tensor *inputs)
{
    bool tidy;
    const gr_tensor y = gri_call_function(g, a->f, a->n_inputs, inputs, a->user, &tidy);
    if (!tidy) {
        gri_fail(g, GR_ERR_STATE,
                 "checkpoint: the function opened a scope or a no_grad region and left it open");
        return NULL;
    }
    gri_node *node = y.graph == g ? gri_lookup(g, y.index, y.generation) : NULL;
    if (!node && g->status == GR_OK)
        gri_fail(g, GR_ERR_CALLBACK, "checkpoint: the function returned no tensor of this graph");
    return node;
}

/* ---- The node ---- */

static gr_status infer(const gr_call *c, gr_layout *out)
{
    const gr_array *value = c->in[0];
    out->type = value->type;
    out->ndim = value->ndim;
    out->alias = 0;
    out->offset = 0;
    for (int i = 0; i < value->ndim; i++) {
        out->dims[i] = value->dims[i];
        out->strides[i] = value->strides[i];
    }
    return GR_OK;
}

static bool same_elements(const gr_array *a, const gr_array *b)
{
    int64_t index[GR_MAX_NDIM] = {0}, at_a = 0, at_b = 0;
    if (gri_is_contiguous(a->ndim, a->dims, a->strides) && gri_is_contiguous(b->ndim, b->dims, b->strides))
        return a->count == 0 || memcmp(a->data, b->data, (size_t)a->count * gri_element_bytes(a->type)) == 0;
    for (int64_t i = 0; i < a->count; i++) {
        const double x = gri_element(a, at_a), y = gri_element(b, at_b);
        if (memcmp(&x, &y, sizeof x) != 0) return false;
        for (int axis = a->ndim; axis-- > 0;) { /* on to the next */
            at_a += a->strides[axis];
            at_b += b->strides[axis];
            if (++index[axis] < a->dims[axis]) break;
            at_a -= index[axis] * a->strides[axis];
            at_b -= index[axis] * b->strides[axis];
            index[axis] = 0;
        }
    }
    return true;
}

/* Whether the second run made what the first one made. */
static gr_status compare(const gr_call *c, const gri_node *again)
{
    gr_graph *g = c->graph;
    const gri_node *value = (const gri_node *)c->in[0];
    const bool same_type = value->array.type == again->array.type;
    const bool same_dims = gri_same_dims(&value->array, &again->array);
    if (same_type && same_dims && same_elements(&value->array, &again->array)) return GR_OK;
    char first[TEXT_BYTES], second[TEXT_BYTES];
    gri_describe_shape(first, sizeof first, value->array.ndim, value->array.dims);
    gri_describe(second, sizeof second, again, true);
    return gri_fail(
        g,
        !same_type   ? GR_ERR_TYPE
        : !same_dims ? GR_ERR_SHAPE
                     : GR_ERR_CALLBACK,
        "checkpoint: the function returned %s when it was run again, at first %s %s%s: it must be "
        "a function of its operands",
        second, gr_type_name(value->array.type), first, same_type && same_dims ? ", of other values" : "");
}

/* The rule: what the function made, made again and walked. */
static gr_status vjp_all(const gr_call *c, gr_tensor gy, const bool *needed, gr_tensor *contributions)
{
    (void)needed, (void)contributions; /* they go straight into the walk */
    gr_graph *g = c->graph;
    const attributes *a = c->attributes;
    const gr_rng_state rng = g->rng;
    const gri_tidy before = gri_tidy_here(g);
    const uint32_t floor = g->step.top;
    if (gr_scope_begin(g).depth == 0)
        return g->status; /* constants that the function makes are step tensors */
    g->rng = a->rng;
    g->recording = true;
    g->no_grad_depth = 0;
    g->watching = g->anomaly;
    const gri_node *y = run(g, a, c->operands + 1);
    g->watching = false;
    g->no_grad_depth = before.no_grad_depth;
    g->recording = before.recording;
    g->rng = rng;
    g->n_scopes = before.n_scopes; /* and what was made in it stays */
    gr_status status = y && g->status == GR_OK ? compare(c, y) : g->status;
    if (status == GR_OK && (y->index & GRI_KEPT || y->index < floor))
        status = gri_fail(
            g, GR_ERR_CALLBACK,
            "checkpoint: the function returned a tensor that it did not make when it was run again");
    return status == GR_OK ? gri_walk_made_since(g, floor, y, gy) : status;
}

static const gr_op checkpoint = {.name = "checkpoint",
                                 .arity = GR_VARIADIC,
                                 .attribute_bytes = sizeof(attributes),
                                 .formula = "y = f(x), made again for the gradient",
                                 .infer = infer,
                                 .vjp_all = vjp_all};

/* ---- Making it ---- */

/* The value without what led to it; closes the scope. A buffer larger than the value is not kept for its sake. NULL,
   and the error set, on failure. */
static gri_node *take_value(gr_graph *g, gr_scope scope, const gri_node *y)
{
    const size_t bytes = (size_t)y->array.count * gri_element_bytes(y->array.type);
    gri_node *kept = gri_keep_value(g, y), *value = NULL;
    if (kept && kept->buffer && kept->buffer->bytes > bytes && gri_make_writable(g, kept, true) != GR_OK) {
        gri_kept_release(g, kept);
        kept = NULL;
    }
    gr_scope_end(scope, 0, NULL);
    if (kept) value = gri_push_value(g, kept);
    if (kept) gri_kept_release(g, kept);
    return value;
}

/* The recorded node over the value. */
static gr_tensor make_node(gr_graph *g, const attributes *a, const gr_tensor *inputs, const gri_node *value,
                           const gri_capture *c, uint32_t first)
{
    const size_t most = 1 + (size_t)a->n_inputs + c->n, bytes = most * sizeof(gr_tensor);
    gr_tensor *operands = gri_alloc(&g->memory, bytes);
    if (!operands) {
        gri_fail_memory(g, "checkpoint", bytes);
        return gri_invalid(g);
    }
    int n = 0;
    operands[n++] = gri_handle(g, value);
    for (int i = 0; i < a->n_inputs; i++) operands[n++] = inputs[i];
    for (uint32_t i = first; i < c->n; i++) /* what the function freed itself it had made itself */
        if (gri_lookup(g, c->found[i].index, c->found[i].generation)) operands[n++] = c->found[i];
    const gr_tensor y = gr_apply(g, &checkpoint, n, operands, a);
    if (y.index) g->step.slot[y.index].node->flags |= GRI_RERUN;
    gri_free(&g->memory, operands, bytes);
    return y;
}

static gr_status check_inputs(gr_graph *g, const attributes *a, const gr_tensor *inputs)
{
    if (!a->f || a->n_inputs < 0 || (a->n_inputs > 0 && !inputs))
        return gri_fail(g, GR_ERR_ARGUMENT, "checkpoint: NULL for the function, or %d inputs at NULL",
                        a->n_inputs);
    for (int i = 0; i < a->n_inputs; i++) {
        if (inputs[i].graph && inputs[i].graph != g)
            return gri_fail(g, GR_ERR_GRAPH, "checkpoint: inputs[%d] belongs to another graph", i);
        if (!inputs[i].graph)
            return gri_fail(g, GR_ERR_HANDLE, "checkpoint: inputs[%d] is an invalid handle", i);
        if (!gri_resolve(inputs[i], "checkpoint")) return g->status;
    }
    return GR_OK;
}

/* Runs the function for the first time and makes the node of its result. */
static gr_tensor run_first(gr_graph *g, const attributes *a, const gr_tensor *inputs, gri_capture *c)
{
    gr_status status = GR_OK;
    for (int i = 0; i < a->n_inputs && status == GR_OK; i++) status = note(g, c, inputs[i]);
    const uint32_t first = c->n;
    c->floor = g->step.top;
    const gr_scope scope = status == GR_OK ? gr_scope_begin(g) : (gr_scope){g, 0, 0};
    if (scope.depth == 0) return gri_invalid(g);
    g->capture = c;
    const gri_node *y = run(g, a, inputs);
    g->capture = c->outer;
    if (!y || y->index & GRI_KEPT || y->index < c->floor) {
        const gr_tensor result = y ? gri_handle(g, y) : gri_invalid(g);
        gr_scope_end(scope, 0, NULL);
        return result;
    }
    const bool recorded = y->flags & GRI_REQUIRES_GRAD;
    const gri_node *value = take_value(g, scope, y);
    if (!value) return gri_invalid(g);
    return recorded ? make_node(g, a, inputs, value, c, first) : gri_handle(g, value);
}

gr_tensor gr_checkpoint(gr_graph *g, gr_function f, int n_inputs, const gr_tensor *inputs, void *user)
{
    if (!g) return gri_invalid(g);
    const attributes a = {f, user, g->rng, n_inputs};
    if (check_inputs(g, &a, inputs) != GR_OK) return gri_invalid(g);
    gri_capture c = {.outer = g->capture};
    const gr_tensor y = run_first(g, &a, inputs, &c);
    free_capture(g, &c);
    return y;
}
