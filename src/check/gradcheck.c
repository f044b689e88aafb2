/*
 * Functions of tensors as subjects of a check. The next order is a subject, too: the function of the inputs and a
 * cotangent that the gradients are.
 *
 * Inputs are changed in place, as their users may reach them by other ways than the handles that the function
 * gets. Elements in a buffer are not touched at all: the leaf gets a working copy for the time of the check.
 *
 * Invariant: the leaves get their values back without needing memory, whatever has failed in between.
 */
#include "graph/graph.h"
#include "check/engine.h"
#include "check/tally.h"
#include "gradus/functional.h"
#include "gradus/ops.h"
#include "base/random.h"
#include "ops/kernels/copy.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 256 };

/* ---- Leaves that are changed ---- */

/* What a leaf was before the check. */
typedef struct saved_leaf {
    gr_tensor handle;
    gri_buffer *buffer; /* NULL: the elements were inside the record, and are copied here */
    void *data;
    int64_t strides[GR_MAX_NDIM];
    char elements[GRI_INLINE_BYTES];
    uint32_t flags, version;
} saved_leaf;

static gr_status check_leaf(gr_graph *g, int i, gr_tensor input)
{
    char text[TEXT_BYTES];
    if (input.graph && input.graph != g)
        return gri_fail(g, GR_ERR_GRAPH, "gradcheck: inputs[%d] belongs to another graph", i);
    if (!input.graph) return gri_fail(g, GR_ERR_HANDLE, "gradcheck: inputs[%d] is an invalid handle", i);
    const gri_node *node = gri_resolve(input, "gradcheck");
    if (!node) return g->status;
    gri_describe(text, sizeof text, node, true);
    if (gr_type_is_float(node->array.type) && !(node->flags & GRI_LEAF))
        return gri_fail(
            g, GR_ERR_STATE,
            "gradcheck: inputs[%d] is %s: only parameters and constants can be changed: use gr_keep", i,
            text);
    return GR_OK;
}

/* Makes a leaf ready to be changed. */
static gr_status open_leaf(gr_graph *g, gr_tensor input, saved_leaf *saved)
{
    gri_node *node = gri_resolve(input, "gradcheck");
    gr_array *a = &node->array;
    *saved = (saved_leaf){.handle = input,
                          .buffer = node->buffer,
                          .data = a->data,
                          .flags = node->flags,
                          .version = node->version};
    const size_t bytes = (size_t)a->count * gr_type_size(a->type);
    if (!node->buffer) {
        memcpy(saved->elements, a->data, bytes);
    } else {
        gri_buffer *own = gri_buffer_create(g, bytes);
        if (!own) return gri_fail_memory(g, "gradcheck", bytes);
        gri_copy_array(gri_buffer_data(own), a);
        node->buffer = own;
        a->data = gri_buffer_data(own);
        memcpy(saved->strides, a->strides, (size_t)a->ndim * sizeof *a->strides);
        gri_row_major(a->ndim, a->dims, (int64_t *)a->strides);
    }
    node->flags |= GRI_CONTIGUOUS | GRI_REQUIRES_GRAD;
    return GR_OK;
}

/* Everything as before. The version, too: a history recorded before finds the values that it used. */
static void close_leaf(gr_graph *g, const saved_leaf *saved)
{
    gri_node *node = gri_lookup(g, saved->handle.index, saved->handle.generation);
    if (!node) { /* released by the function */
        gri_buffer_release(g, saved->buffer);
        return;
    }
    gr_array *a = &node->array;
    if (saved->buffer) {
        gri_buffer_release(g, node->buffer);
        node->buffer = saved->buffer;
        a->data = saved->data;
        memcpy((int64_t *)a->strides, saved->strides, (size_t)a->ndim * sizeof *a->strides);
    } else {
        memcpy(a->data, saved->elements, (size_t)a->count * gr_type_size(a->type));
    }
    const uint32_t changed = GRI_CONTIGUOUS | GRI_REQUIRES_GRAD; /* others, as of hooks, are the function's */
    node->flags = (node->flags & ~changed) | (saved->flags & changed);
    node->version = saved->version;
}

/* ---- The subject ---- */

typedef struct tensors {
    gri_subject subject; /* first: a subject is cast to this */
    gr_graph *g;
    gr_function f;
    void *user;
    int n;
    const gr_tensor *inputs;
    const gr_check_options *o;
    gr_rng_state rng; /* that each call of the function starts from */
    gr_type type;     /* of the output */
    double output_size;
    gri_part *parts; /* one for each float input; of one that is given twice, once */
    int part;        /* that was looked up last */
} tensors;

/* The output of the function; NULL, and the error set, if it has none that can be checked. */
static gri_node *call(tensors *t)
{
    gr_graph *g = t->g;
    g->rng = t->rng;
    bool tidy; /* what it left open is closed */
    const gr_tensor y = gri_call_function(g, t->f, t->n, t->inputs, t->user, &tidy);
    if (g->status != GR_OK) return NULL;
    gri_node *node = y.graph == g ? gri_lookup(g, y.index, y.generation) : NULL;
    if (!node) {
        gri_fail(g, GR_ERR_CALLBACK, "gradcheck: the function returned no tensor of this graph");
        return NULL;
    }
    if (gr_type_is_float(node->array.type)) return node;
    char text[TEXT_BYTES];
    gri_describe(text, sizeof text, node, true);
    gri_fail(g, GR_ERR_TYPE, "gradcheck: the function returned %s; f64 and f32 can be checked", text);
    return NULL;
}

/* The same, of the shape that it had at first. */
static gri_node *call_again(tensors *t)
{
    gri_node *node = call(t);
    if (!node || node->array.count == t->subject.m) return node;
    gri_fail(t->g, GR_ERR_SHAPE,
             "gradcheck: the function returned %" PRId64 " elements, and %" PRId64 " before",
             node->array.count, t->subject.m);
    return NULL;
}

/* All elements, in row-major order. */
static void copy_out(double *to, const gr_array *a)
{
    gri_copy_array(to, a);
    if (a->type == GR_F64) return;
    for (int64_t i = a->count - 1; i >= 0; i--) { /* floats, to be spread out from the end */
        float value;
        memcpy(&value, (const char *)to + (size_t)i * sizeof value, sizeof value);
        to[i] = (double)value;
    }
}

static void store(void *data, gr_type type, int64_t i, double value)
{
    if (type == GR_F64)
        ((double *)data)[i] = value;
    else
        ((float *)data)[i] = (float)value;
}

static double load(const void *data, gr_type type, int64_t i)
{
    return type == GR_F64 ? ((const double *)data)[i] : (double)((const float *)data)[i];
}

/* A leaf of the step stack, for the scope that is open. NULL on error. */
static void *make_leaf(gr_graph *g, gr_type type, gr_shape shape, gr_tensor *leaf)
{
    *leaf = gr_constant(g, type, shape, NULL);
    return gr_data_for_writing(*leaf);
}

static gr_tensor input_of(const tensors *t, int part) { return t->inputs[t->parts[part].position]; }

/* ---- x ---- */

/* The leaf of a part, ready to be changed. The function may have shared its elements or freed it. */
static gri_node *writable(tensors *t, int part)
{
    gri_node *leaf = gri_resolve(input_of(t, part), "gradcheck");
    return leaf && gri_make_writable(t->g, leaf, true) == GR_OK ? leaf : NULL;
}

static gr_status get(gri_subject *s, double *x)
{
    tensors *t = (tensors *)s;
    for (int p = 0; p < s->n_parts; p++) {
        const gri_node *leaf = gri_resolve(input_of(t, p), "gradcheck");
        if (!leaf) return t->g->status;
        copy_out(x + t->parts[p].first, &leaf->array);
    }
    return GR_OK;
}

static gr_status set(gri_subject *s, int64_t j, double value, double *got)
{
    tensors *t = (tensors *)s;
    while (j < t->parts[t->part].first) t->part--;
    while (j >= t->parts[t->part].first + t->parts[t->part].count) t->part++;
    gri_node *leaf = writable(t, t->part);
    if (!leaf) return t->g->status;
    const int64_t i = j - t->parts[t->part].first;
    store(leaf->array.data, leaf->array.type, i, value);
    *got = load(leaf->array.data, leaf->array.type, i);
    leaf->version++;
    return GR_OK;
}

static gr_status move(gri_subject *s, const double *x0, double step, const double *v)
{
    tensors *t = (tensors *)s;
    for (int p = 0; p < s->n_parts; p++) {
        gri_node *leaf = writable(t, p);
        if (!leaf) return t->g->status;
        for (int64_t i = 0; i < t->parts[p].count; i++) {
            const int64_t j = t->parts[p].first + i;
            store(leaf->array.data, leaf->array.type, i, v && v[j] != 0 ? x0[j] + step * v[j] : x0[j]);
        }
        leaf->version++;
    }
    return GR_OK;
}

static gr_status value(gri_subject *s, double *y)
{
    tensors *t = (tensors *)s;
    const gr_scope scope = gr_scope_begin(t->g);
    const gri_node *node = call_again(t);
    if (node) copy_out(y, &node->array);
    const gr_status status = t->g->status;
    gr_scope_end(scope, 0, NULL);
    return status;
}

/* ---- Derivatives ---- */

/* A list of the inputs that are differentiated by, and room for as many gradients behind it. */
static gr_tensor *list_inputs(tensors *t, size_t *bytes)
{
    const int n = t->subject.n_parts;
    *bytes = 2 * (size_t)n * sizeof(gr_tensor);
    gr_tensor *by = gri_alloc(&t->g->memory, *bytes);
    if (!by) gri_fail_memory(t->g, "gradcheck", *bytes);
    for (int p = 0; by && p < n; p++) by[p] = input_of(t, p);
    return by;
}

/* A leaf with the values, or with row `unit` of the identity. */
static gr_tensor leaf_of(gr_graph *g, gr_type type, gr_shape shape, const double *values, int64_t unit)
{
    gr_tensor leaf;
    void *data = make_leaf(g, type, shape, &leaf);
    const int64_t count = data ? gr_count(leaf) : 0;
    for (int64_t i = 0; i < count; i++)
        store(data, type, i, values ? values[i] : i == unit ? gri_unit(unit) : 0);
    return leaf;
}

static gr_status reverse(gri_subject *s, int64_t rows, const double *u, double *to)
{
    tensors *t = (tensors *)s;
    gr_graph *g = t->g;
    size_t bytes;
    gr_tensor *by = list_inputs(t, &bytes);
    if (!by) return g->status;
    gr_tensor *gradients = by + s->n_parts;
    const gr_scope scope = gr_scope_begin(g);
    const gri_node *node = call_again(t);
    const gr_tensor y = node ? gri_handle(g, node) : gri_invalid(g);
    for (int64_t k = 0; k < rows && g->status == GR_OK; k++) {
        const gr_scope inner = gr_scope_begin(g);
        const gr_tensor cotangent = leaf_of(g, t->type, s->output, u ? u + k * s->m : NULL, k);
        gr_grad(1, &y, s->n_parts, by, &cotangent, &(gr_grad_options){.retain = true}, gradients);
        double *row = to + k * s->n;
        for (int p = 0; p < s->n_parts && g->status == GR_OK; p++)
            copy_out(row + t->parts[p].first, &gri_resolve(gradients[p], "gradcheck")->array);
        for (int64_t j = 0; j < s->n && !u; j++) row[j] /= gri_unit(k);
        gr_scope_end(inner, 0, NULL);
    }
    gr_scope_end(scope, 0, NULL);
    gri_free(&g->memory, by, bytes);
    return g->status;
}

/* J v, by forward mode. */
static gr_status forward(gri_subject *s, const double *v, double *to)
{
    tensors *t = (tensors *)s;
    gr_graph *g = t->g;
    size_t bytes;
    gr_tensor *by = list_inputs(t, &bytes);
    if (!by) return g->status;
    gr_tensor *tangents = by + s->n_parts, result;
    const gr_scope scope = gr_scope_begin(g);
    const gri_node *node = call_again(t);
    const gr_tensor y = node ? gri_handle(g, node) : gri_invalid(g);
    for (int p = 0; p < s->n_parts; p++)
        tangents[p] = leaf_of(g, gr_type_of(by[p]), t->parts[p].shape, v + t->parts[p].first, -1);
    gr_no_grad_begin(g);
    if (gr_jvp(1, &y, s->n_parts, by, tangents, &result) == GR_OK)
        copy_out(to, &gri_resolve(result, "gradcheck")->array);
    gr_no_grad_end(g);
    gr_scope_end(scope, 0, NULL);
    gri_free(&g->memory, by, bytes);
    return g->status;
}

static gr_status no_memory(gri_subject *s, size_t bytes)
{
    return gri_fail_memory(((tensors *)s)->g, "gradcheck", bytes);
}

/* ---- Levels ---- */

/* A function whose gradients are a function again: its inputs and a cotangent of its output. */
typedef struct gradient_function {
    gr_function f;
    void *user;
} gradient_function;

/* The gradients by all float inputs, flattened and joined, in f64 unless all are f32. */
static gr_tensor gradients_of(gr_graph *g, int n, const gr_tensor *inputs, void *user)
{
    const gradient_function *k = user;
    bool tidy; /* see call */
    const gr_tensor u = inputs[n - 1], y = gri_call_function(g, k->f, n - 1, inputs, k->user, &tidy);
    const size_t bytes = 2 * (size_t)n * sizeof(gr_tensor);
    gr_tensor *by = gri_alloc(&g->memory, bytes), result = gri_invalid(g);
    if (!by) {
        gri_fail_memory(g, "gradcheck", bytes);
        return result;
    }
    gr_tensor *gradients = by + n;
    int n_by = 0;
    gr_type type = GR_F32;
    for (int i = 0; i < n - 1; i++) {
        if (!gr_type_is_float(gr_type_of(inputs[i]))) continue;
        if (gr_type_of(inputs[i]) == GR_F64) type = GR_F64;
        by[n_by++] = inputs[i];
    }
    if (gr_grad(1, &y, n_by, by, &u, &(gr_grad_options){.record = true}, gradients) == GR_OK) {
        for (int i = 0; i < n_by; i++) {
            if (gr_type_of(gradients[i]) != type) gradients[i] = gr_cast(gradients[i], type);
            gradients[i] = gr_reshape(gradients[i], GR_SHAPE(-1));
        }
        result = gr_concat(n_by, gradients, 0);
    }
    gri_free(&g->memory, by, bytes);
    return result;
}

static bool is_given_before(const tensors *t, int i)
{
    for (int before = 0; before < i; before++)
        if (gr_same(t->inputs[before], t->inputs[i])) return true;
    return false;
}

/* Fills t->parts, which has room for all inputs. */
static gr_status divide(tensors *t)
{
    gri_subject *s = &t->subject;
    for (int i = 0; i < t->n; i++) {
        const gri_node *leaf = gri_resolve(t->inputs[i], "gradcheck");
        if (!leaf) return t->g->status;
        if (!gr_type_is_float(leaf->array.type) || is_given_before(t, i)) continue;
        gri_part *part = &t->parts[s->n_parts++];
        *part = (gri_part){.position = i, .first = s->n, .count = leaf->array.count};
        part->shape.ndim = leaf->array.ndim;
        memcpy(part->shape.dims, leaf->array.dims, (size_t)leaf->array.ndim * sizeof *leaf->array.dims);
        snprintf(part->name, sizeof part->name, "%s", leaf->name ? leaf->name : "");
        s->n += part->count;
        s->single |= leaf->array.type == GR_F32;
    }
    s->parts = t->parts;
    return GR_OK;
}

/* The sum of the absolute values of a tensor that is contiguous or not. */
static double size_of(const gr_array *a)
{
    double sum = 0;
    for (int64_t i = 0; i < a->count; i++) {
        int64_t rest = i, offset = 0;
        for (int axis = a->ndim - 1; axis >= 0; axis--) {
            offset += rest % a->dims[axis] * a->strides[axis];
            rest /= a->dims[axis];
        }
        sum += fabs(gri_element(a, offset));
    }
    return sum;
}

/* Calls the function for the first time: what it returns, later calls must. */
static gr_status look_at_output(tensors *t)
{
    gri_subject *s = &t->subject;
    const gr_scope scope = gr_scope_begin(t->g);
    const gri_node *node = call(t);
    if (node) {
        s->m = node->array.count;
        s->output.ndim = node->array.ndim;
        memcpy(s->output.dims, node->array.dims, (size_t)node->array.ndim * sizeof *node->array.dims);
        t->type = node->array.type;
        s->single |= t->type == GR_F32;
        t->output_size = size_of(&node->array);
    }
    gr_scope_end(scope, 0, NULL);
    return t->g->status;
}

static gr_status check_orders(tensors *t, gr_check_result *r);

/* A cotangent of random numbers, to be differentiated by. */
static gr_tensor random_cotangent(const tensors *t)
{
    gr_tensor u;
    void *data = make_leaf(t->g, t->type, t->subject.output, &u);
    for (int64_t i = 0; data && i < t->subject.m; i++) {
        double pair[2];
        gri_uniform_pair(t->o->seed + UINT64_C(0xd1b54a32d192ed03) * (uint64_t)t->subject.order, (uint64_t)i,
                         pair);
        store(data, t->type, i, (0.5 + pair[0]) * (pair[1] < 0.5 ? -1 : 1));
    }
    gr_named(u, "cotangent");
    return gr_set_requires_grad(u, true);
}

/* The derivatives of the gradients. */
static gr_status check_next_order(tensors *t, gr_check_result *r)
{
    gr_graph *g = t->g;
    const size_t bytes = ((size_t)t->n + 1) * sizeof(gr_tensor);
    gr_tensor *inputs = gri_alloc(&g->memory, bytes);
    if (!inputs) return gri_fail_memory(g, "gradcheck", bytes);
    const gr_scope scope = gr_scope_begin(g);
    memcpy(inputs, t->inputs, (size_t)t->n * sizeof *inputs);
    inputs[t->n] = random_cotangent(t);
    gradient_function gradient = {t->f, t->user};
    tensors next = {.subject.order = t->subject.order + 1,
                    .subject.size = fmax(t->subject.size, t->output_size),
                    .g = g,
                    .f = gradients_of,
                    .user = &gradient,
                    .n = t->n + 1,
                    .inputs = inputs,
                    .o = t->o,
                    .rng = t->rng};
    const gr_status status = g->status == GR_OK ? check_orders(&next, r) : g->status;
    gr_scope_end(scope, 0, NULL);
    gri_free(&g->memory, inputs, bytes);
    return status;
}

static gr_status check_order(tensors *t, gr_check_result *r)
{
    gri_subject *s = &t->subject;
    int64_t wrong[GRI_FORMS];
    s->memory = &t->g->memory;
    s->get = get;
    s->set = set;
    s->move = move;
    s->value = value;
    s->reverse = reverse;
    s->forward = t->o->forward ? forward : NULL;
    s->no_memory = no_memory;
    gr_status status = divide(t);
    if (status == GR_OK) status = look_at_output(t);
    if (status == GR_OK) status = gri_check_level(s, t->o, r, wrong);
    if (status != GR_OK || r->verdict == GR_CHECK_NOT_DETERMINISTIC) return status;
    return s->order < t->o->order ? check_next_order(t, r) : GR_OK;
}

/* This order and those above. */
static gr_status check_orders(tensors *t, gr_check_result *r)
{
    const size_t bytes = (size_t)t->n * sizeof *t->parts;
    t->parts = gri_alloc(&t->g->memory, bytes);
    if (!t->parts) return gri_fail_memory(t->g, "gradcheck", bytes);
    const gr_scope scope = gr_scope_begin(t->g);
    gr_status status = t->g->status;
    if (status == GR_OK) status = check_order(t, r);
    gr_scope_end(scope, 0, NULL);
    gri_free(&t->g->memory, t->parts, bytes);
    return status;
}

/* ---- The call ---- */

static gr_status check_inputs(gr_graph *g, gr_function f, int n, const gr_tensor *inputs)
{
    if (!f || n < 1 || !inputs)
        return gri_fail(g, GR_ERR_ARGUMENT, "gradcheck: needs a function and at least one input");
    bool any = false;
    for (int i = 0; i < n; i++) {
        const gr_status status = check_leaf(g, i, inputs[i]);
        if (status != GR_OK) return status;
        any |= gr_type_is_float(gr_type_of(inputs[i]));
    }
    return any ? GR_OK
               : gri_fail(g, GR_ERR_TYPE, "gradcheck: no input is f64 or f32: nothing to differentiate by");
}

/* Opens the leaves, checks, and closes in reverse order those that were opened: one may be there twice. */
static gr_status check_with_leaves(tensors *t, saved_leaf *saved, gr_check_result *r)
{
    gr_graph *g = t->g;
    gr_status status = GR_OK;
    int opened = 0;
    for (int i = 0; i < t->n && status == GR_OK; i++) {
        if (!gr_type_is_float(gr_type_of(t->inputs[i]))) continue;
        status = open_leaf(g, t->inputs[i], &saved[opened]);
        if (status == GR_OK) opened++;
    }
    if (status == GR_OK) status = check_orders(t, r);
    for (int i = 0; i < opened && status == GR_OK; i++) /* the function may have released one */
        if (!gri_resolve(saved[i].handle, "gradcheck")) status = g->status;
    while (opened > 0) close_leaf(g, &saved[--opened]);
    return status;
}

static gr_status check(tensors *t, gr_check_result *r)
{
    gr_graph *g = t->g;
    const size_t bytes = (size_t)t->n * sizeof(saved_leaf);
    saved_leaf *saved = gri_alloc(&g->memory, bytes);
    if (!saved) return gri_fail_memory(g, "gradcheck", bytes);
    const bool recording = g->recording, watching = g->watching;
    const uint32_t no_grad_depth = g->no_grad_depth;
    g->recording = true;
    g->no_grad_depth = 0;
    g->watching = false; /* steps may lead out of the domain */
    const gr_status status = check_with_leaves(t, saved, r);
    if (watching) g->watching = g->anomaly; /* which the function may have ended */
    g->recording = recording;
    g->no_grad_depth = no_grad_depth;
    g->rng = t->rng;
    gri_free(&g->memory, saved, bytes);
    return status;
}

gr_status gr_gradcheck(gr_graph *g, gr_function f, int n_inputs, const gr_tensor *inputs, void *user,
                       const gr_check_options *options, gr_check_result *result)
{
    gr_check_options o = options ? *options : (gr_check_options){0};
    if (result) gri_result_begin(result, o.name ? o.name : "function");
    if (!g) return gri_result_fail(result, GR_ERR_HANDLE, "gradcheck: NULL for the graph");
    if (g->status != GR_OK) return gri_result_fail(result, g->status, g->message);
    if (!result) return gri_fail(g, GR_ERR_ARGUMENT, "gradcheck: NULL for the result");
    const char *bad = gri_bad_option(&o, GRI_MOST_ORDERS);
    gr_status status = bad ? gri_fail(g, GR_ERR_ARGUMENT, "gradcheck: %s", bad) : GR_OK;
    if (status == GR_OK) status = check_inputs(g, f, n_inputs, inputs);
    if (o.order == 0) o.order = 1;
    tensors first = {.subject.order = 1,
                     .g = g,
                     .f = f,
                     .user = user,
                     .n = n_inputs,
                     .inputs = inputs,
                     .o = &o,
                     .rng = g->rng};
    if (status == GR_OK) status = check(&first, result);
    return status == GR_OK ? gri_result_end(result) : gri_result_fail(result, status, g->message);
}
