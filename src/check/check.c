/*
 * Gradient checking. A level checks the first derivatives of one function; the next order is a level for the
 * function that the gradients of the level before are.
 *
 * Inputs are changed in place, as their users may reach them by other ways than the handles that the function
 * gets. Elements in a buffer are not touched at all: the leaf gets a working copy for the time of the check.
 *
 * Invariant: the leaves get their values back without needing memory, whatever has failed in between.
 */
#include "graph/graph.h"
#include "check/difference.h"
#include "gradus/check.h"
#include "gradus/ops.h"
#include "base/random.h"
#include "ops/kernels/copy.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 256, MOST_ORDERS = 4, LEAST_DIRECTIONS = 2, DEFAULT_DIRECTIONS = 2 };

static const double default_atol = 1e-8, default_rtol = 1e-6, default_step = 1.0 / 73;
/* A difference of less than so many estimated errors of the numeric derivative proves nothing. */
static const double proof = 4;

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
        return gri_fail(g, GR_ERR_GRAPH, "gradcheck: input %d belongs to another graph", i + 1);
    if (!input.graph) return gri_fail(g, GR_ERR_HANDLE, "gradcheck: input %d is an invalid handle", i + 1);
    const gri_node *node = gri_resolve(input, "gradcheck");
    if (!node) return g->status;
    gri_describe(text, sizeof text, node, true);
    if (node->array.type == GR_F32)
        return gri_fail(g, GR_ERR_TYPE,
                        "gradcheck: input %d is %s: differences of f32 values are too rough: use f64", i + 1,
                        text);
    if (node->array.type == GR_F64 && !(node->flags & GRI_LEAF))
        return gri_fail(
            g, GR_ERR_STATE,
            "gradcheck: input %d is %s: only parameters and constants can be changed: use gr_keep", i + 1,
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
    node->flags = saved->flags;
    node->version = saved->version;
}

/* ---- One level ---- */

typedef struct level {
    gr_graph *g;
    gr_function f;
    void *user;
    int n;
    const gr_tensor *inputs;
    int order;
    const gr_check_options *o;
    gr_rng_state rng; /* that each call of the function starts from */
    gr_check_result *result;
    uint64_t drawn; /* random numbers taken for this level */
    gri_difference difference;
    gr_tensor cotangents[GRI_MOST_DIRECTIONS];
    const double *analytic[GRI_MOST_DIRECTIONS]; /* gradients by all inputs, one behind the other */
    int input;                                   /* that is being changed, */
    int64_t element;                             /* at this element */
} level;

/* A number in [0, 1). */
static double draw(level *l)
{
    const uint64_t orders = UINT64_C(0x9e3779b97f4a7c15); /* keeps the streams of the orders apart */
    double u[2];
    gri_uniform_pair(l->o->seed + orders * (uint64_t)l->order, l->drawn / 2, u);
    return u[l->drawn++ % 2];
}

/* The output of the level's function; NULL, and the error set, if it has none that can be checked. */
static gri_node *call(level *l)
{
    gr_graph *g = l->g;
    g->rng = l->rng;
    const uint32_t guarded = g->guarded_scopes;
    g->guarded_scopes = g->n_scopes; /* what is checked lives in these: the function cannot end them */
    const gr_tensor y = l->f(g, l->n, l->inputs, l->user);
    g->guarded_scopes = guarded;
    if (g->status != GR_OK) return NULL;
    gri_node *node = y.graph == g ? gri_lookup(g, y.index, y.generation) : NULL;
    if (!node) {
        gri_fail(g, GR_ERR_CALLBACK, "gradcheck: the function returned no tensor of this graph");
        return NULL;
    }
    if (node->array.type == GR_F64) return node;
    char text[TEXT_BYTES];
    gri_describe(text, sizeof text, node, true);
    gri_fail(g, GR_ERR_TYPE, "gradcheck: the function returned %s; f64 can be checked", text);
    return NULL;
}

/* Changes the element that is at its turn. The function may have shared the leaf's elements or freed it. */
static gr_status set_element(const level *l, double x)
{
    gri_node *leaf = gri_resolve(l->inputs[l->input], "gradcheck");
    if (!leaf) return l->g->status;
    const gr_status status = gri_make_writable(l->g, leaf, true);
    if (status != GR_OK) return status;
    ((double *)leaf->array.data)[l->element] = x;
    leaf->version++;
    return GR_OK;
}

/* gri_curve: the output where the element that is being changed is x. */
static gr_status value_at(void *user, double x, double *y)
{
    level *l = user;
    gr_graph *g = l->g;
    gr_status status = set_element(l, x);
    if (status != GR_OK) return status;
    const gr_scope scope = gr_scope_begin(g);
    const gri_node *node = call(l);
    if (node && node->array.count != l->difference.m)
        gri_fail(g, GR_ERR_SHAPE,
                 "gradcheck: the function returned %" PRId64 " elements, and %" PRId64 " before",
                 node->array.count, l->difference.m);
    else if (node)
        gri_copy_array(y, &node->array);
    status = g->status;
    gr_scope_end(scope, 0, NULL);
    return status;
}

/* A function whose gradients are a function again: its inputs and a cotangent of its output. */
typedef struct gradient_function {
    gr_function f;
    void *user;
    bool record;
} gradient_function;

/* The gradients by all f64 inputs, flattened and joined. */
static gr_tensor gradients_of(gr_graph *g, int n, const gr_tensor *inputs, void *user)
{
    const gradient_function *k = user;
    const gr_tensor u = inputs[n - 1], y = k->f(g, n - 1, inputs, k->user);
    const size_t bytes = 2 * (size_t)n * sizeof(gr_tensor);
    gr_tensor *by = gri_alloc(&g->memory, bytes), result = gri_invalid(g);
    if (!by) {
        gri_fail_memory(g, "gradcheck", bytes);
        return result;
    }
    gr_tensor *gradients = by + n;
    int n_by = 0;
    for (int i = 0; i < n - 1; i++)
        if (gr_type_of(inputs[i]) == GR_F64) by[n_by++] = inputs[i];
    if (gr_grad(1, &y, n_by, by, &u, &(gr_grad_options){.record = k->record}, gradients) == GR_OK) {
        for (int i = 0; i < n_by; i++) gradients[i] = gr_reshape(gradients[i], GR_SHAPE(-1));
        result = gr_concat(n_by, gradients, 0);
    }
    gri_free(&g->memory, by, bytes);
    return result;
}

/* A leaf of the step stack: memory that the scope frees. NULL on error. */
static double *make_leaf(gr_graph *g, gr_shape shape, gr_tensor *leaf)
{
    *leaf = gr_constant(g, GR_F64, shape, NULL);
    return gr_data_for_writing(*leaf);
}

/* Random cotangents in the shape of the output, and scratch memory. */
static gr_status prepare(level *l)
{
    gr_graph *g = l->g;
    gri_difference *d = &l->difference;
    const gr_scope scope = gr_scope_begin(g);
    const gri_node *node = call(l);
    gr_shape shape = {.ndim = node ? node->array.ndim : 0};
    if (node) memcpy(shape.dims, node->array.dims, (size_t)shape.ndim * sizeof *shape.dims);
    d->m = node ? node->array.count : 0;
    gr_scope_end(scope, 0, NULL);
    if (g->status != GR_OK) return g->status;
    for (int k = 0; k < l->o->directions; k++) {
        double *u = make_leaf(g, shape, &l->cotangents[k]);
        if (!u) return g->status;
        gr_named(l->cotangents[k], "cotangent");
        for (int64_t i = 0; i < d->m; i++) {
            const double size = 0.5 + draw(l);
            u[i] = draw(l) < 0.5 ? -size : size;
        }
        d->weights[k] = u;
    }
    gr_tensor scratch, flags;
    d->plus = make_leaf(g, GR_SHAPE(d->m), &scratch);
    d->minus = make_leaf(g, GR_SHAPE(d->m), &scratch);
    flags = gr_constant(g, GR_BOOL, GR_SHAPE(d->m), NULL);
    d->moved = gr_data_for_writing(flags);
    d->n = l->o->directions;
    d->step = l->o->step;
    d->atol = l->o->atol;
    d->rtol = l->o->rtol;
    return g->status;
}

/* Inputs of this level with one more behind them; NULL, and the error set, if memory runs out. */
static gr_tensor *with_cotangent(const level *l, gr_tensor u, size_t *bytes)
{
    *bytes = ((size_t)l->n + 1) * sizeof(gr_tensor);
    gr_tensor *inputs = gri_alloc(&l->g->memory, *bytes);
    if (!inputs) {
        gri_fail_memory(l->g, "gradcheck", *bytes);
        return NULL;
    }
    memcpy(inputs, l->inputs, (size_t)l->n * sizeof *inputs);
    inputs[l->n] = u;
    return inputs;
}

static gr_status differentiate(level *l)
{
    gr_graph *g = l->g;
    gradient_function gradient = {l->f, l->user, false};
    for (int k = 0; k < l->o->directions; k++) {
        size_t bytes;
        gr_tensor *inputs = with_cotangent(l, l->cotangents[k], &bytes);
        if (!inputs) return g->status;
        const gr_scope scope = gr_scope_begin(g);
        g->rng = l->rng;
        gr_tensor all = gr_contiguous(gr_detach(gradients_of(g, l->n + 1, inputs, &gradient)));
        gri_free(&g->memory, inputs, bytes);
        gr_scope_end(scope, 1, &all);
        if (g->status != GR_OK) return g->status;
        l->analytic[k] = gr_data(all);
    }
    return g->status;
}

/* ---- Comparing ---- */

static double badness(const gr_check_element *e)
{
    const double ratio = e->error / e->tolerance;
    return isnan(ratio) ? INFINITY : ratio;
}

/* Fills in where the element is. */
static void locate(const level *l, gr_check_element *e)
{
    const gr_tensor input = l->inputs[l->input];
    const gri_node *leaf = gri_lookup(l->g, input.index, input.generation);
    const gr_array *a = &leaf->array;
    e->order = l->order;
    e->input = l->input;
    snprintf(e->name, sizeof e->name, "%s", leaf->name ? leaf->name : "");
    e->at.element = l->element;
    e->at.ndim = a->ndim;
    int64_t rest = l->element;
    for (int axis = a->ndim - 1; axis >= 0; axis--) {
        e->at.index[axis] = rest % a->dims[axis];
        rest /= a->dims[axis];
    }
}

/* Counts an element for which the comparisons of all directions have been made, of which e is the worst. */
static void count(level *l, gr_check_element *e)
{
    gr_check_result *r = l->result;
    r->elements++;
    r->failed += e->verdict != GR_CHECK_RIGHT;
    r->undecided += e->verdict == GR_CHECK_UNDECIDED;
    if (r->elements > 1 && badness(e) <= badness(&r->worst)) return;
    locate(l, e);
    r->worst = *e;
}

/* Compares at one element. `at`: its position in the gradients. */
static gr_status compare(level *l, int64_t at)
{
    gri_estimate numeric[GRI_MOST_DIRECTIONS];
    const gr_tensor input = l->inputs[l->input];
    const gri_node *leaf = gri_resolve(input, "gradcheck");
    if (!leaf) return l->g->status;
    const double x = ((const double *)leaf->array.data)[l->element];
    gr_status status = gri_differentiate(&l->difference, value_at, l, x, numeric);
    if (status == GR_OK) status = set_element(l, x);
    if (status != GR_OK) return status; /* the leaf gets its values back in the end */
    gr_check_element worst = {.verdict = GR_CHECK_RIGHT};
    for (int k = 0; k < l->difference.n; k++) {
        gr_check_element e = {
            .analytic = l->analytic[k][at], .numeric = numeric[k].value, .numeric_error = numeric[k].error};
        e.error = fabs(e.analytic - e.numeric);
        e.tolerance = l->o->atol + l->o->rtol * fabs(e.numeric);
        if (!(e.error <= e.tolerance))
            e.verdict = e.error <= proof * e.numeric_error ? GR_CHECK_UNDECIDED : GR_CHECK_WRONG;
        if (k == 0 || badness(&e) > badness(&worst)) worst = e;
    }
    count(l, &worst);
    return GR_OK;
}

/* Compares at all elements of all inputs, or at as many as wanted, each set of them being as likely. */
static gr_status compare_all(level *l)
{
    int64_t at = 0;
    for (l->input = 0; l->input < l->n; l->input++) {
        if (gr_type_of(l->inputs[l->input]) != GR_F64) continue;
        const int64_t size = gr_count(l->inputs[l->input]), most = l->o->max_elements;
        int64_t wanted = most > 0 && most < size ? most : size;
        for (l->element = 0; l->element < size && wanted > 0; l->element++) {
            const int64_t left = size - l->element;
            if (wanted < left && draw(l) * (double)left >= (double)wanted) continue;
            wanted--;
            const gr_status status = compare(l, at + l->element);
            if (status != GR_OK) return status;
        }
        at += size;
    }
    return l->g->status;
}

static gr_status check_level(level *l);

/* The derivatives of the gradients. */
static gr_status check_next_order(level *l)
{
    size_t bytes;
    gr_tensor *inputs = with_cotangent(l, l->cotangents[0], &bytes);
    if (!inputs) return l->g->status;
    gradient_function gradient = {l->f, l->user, true};
    gr_set_requires_grad(l->cotangents[0], true);
    level next = {.g = l->g,
                  .f = gradients_of,
                  .user = &gradient,
                  .n = l->n + 1,
                  .inputs = inputs,
                  .order = l->order + 1,
                  .o = l->o,
                  .rng = l->rng,
                  .result = l->result};
    const gr_status status = check_level(&next);
    gri_free(&l->g->memory, inputs, bytes);
    return status;
}

static gr_status check_level(level *l)
{
    gr_graph *g = l->g;
    const gr_scope scope = gr_scope_begin(g);
    gr_status status = g->status;
    if (status == GR_OK) status = prepare(l);
    if (status == GR_OK) status = differentiate(l);
    if (status == GR_OK) status = compare_all(l);
    if (status == GR_OK) l->result->order = l->order;
    if (status == GR_OK && l->order < l->o->order) status = check_next_order(l);
    gr_scope_end(scope, 0, NULL);
    return status;
}

/* ---- The call ---- */

static gr_status complete_options(gr_graph *g, gr_check_options *o)
{
    if (o->order == 0) o->order = 1;
    if (o->directions == 0) o->directions = DEFAULT_DIRECTIONS;
    if (o->atol == 0) o->atol = default_atol;
    if (o->rtol == 0) o->rtol = default_rtol;
    if (o->step == 0) o->step = default_step;
    if (o->order < 0 || o->order > MOST_ORDERS)
        return gri_fail(g, GR_ERR_ARGUMENT, "gradcheck: order %d; 1 to %d are possible", o->order,
                        MOST_ORDERS);
    if (o->directions < LEAST_DIRECTIONS || o->directions > GRI_MOST_DIRECTIONS)
        return gri_fail(g, GR_ERR_ARGUMENT, "gradcheck: %d directions; %d to %d are possible", o->directions,
                        LEAST_DIRECTIONS, GRI_MOST_DIRECTIONS);
    if (!(o->atol > 0 && o->rtol > 0 && o->step > 0 && isfinite(o->atol) && o->rtol < 1 && o->step < 1))
        return gri_fail(g, GR_ERR_ARGUMENT,
                        "gradcheck: atol %g, rtol %g, step %g: must be positive and finite, the last two "
                        "below 1",
                        o->atol, o->rtol, o->step);
    if (o->max_elements < 0)
        return gri_fail(g, GR_ERR_ARGUMENT, "gradcheck: max_elements is %" PRId64, o->max_elements);
    return GR_OK;
}

static gr_status check_inputs(gr_graph *g, gr_function f, int n, const gr_tensor *inputs)
{
    if (!f || n < 1 || !inputs)
        return gri_fail(g, GR_ERR_ARGUMENT, "gradcheck: needs a function and at least one input");
    bool any = false;
    for (int i = 0; i < n; i++) {
        const gr_status status = check_leaf(g, i, inputs[i]);
        if (status != GR_OK) return status;
        any |= gr_type_of(inputs[i]) == GR_F64;
    }
    return any ? GR_OK : gri_fail(g, GR_ERR_TYPE, "gradcheck: no input is f64: nothing to differentiate by");
}

/* Opens the leaves, checks, and closes in reverse order those that were opened: one may be there twice. */
static gr_status check_with_leaves(level *l, saved_leaf *saved)
{
    gr_graph *g = l->g;
    gr_status status = GR_OK;
    int opened = 0;
    for (int i = 0; i < l->n && status == GR_OK; i++) {
        if (gr_type_of(l->inputs[i]) != GR_F64) continue;
        status = open_leaf(g, l->inputs[i], &saved[opened]);
        if (status == GR_OK) opened++;
    }
    if (status == GR_OK) status = check_level(l);
    while (opened > 0) close_leaf(g, &saved[--opened]);
    return status;
}

gr_status gr_gradcheck(gr_graph *g, gr_function f, int n_inputs, const gr_tensor *inputs, void *user,
                       const gr_check_options *options, gr_check_result *result)
{
    if (result) *result = (gr_check_result){.passed = false};
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    if (!result) return gri_fail(g, GR_ERR_ARGUMENT, "gradcheck: NULL for the result");
    gr_check_options o = options ? *options : (gr_check_options){0};
    gr_status status = complete_options(g, &o);
    if (status == GR_OK) status = check_inputs(g, f, n_inputs, inputs);
    if (status != GR_OK) return status;
    const size_t bytes = (size_t)n_inputs * sizeof(saved_leaf);
    saved_leaf *saved = gri_alloc(&g->memory, bytes);
    if (!saved) return gri_fail_memory(g, "gradcheck", bytes);
    const bool recording = g->recording;
    const uint32_t no_grad_depth = g->no_grad_depth;
    const gr_rng_state rng = g->rng;
    g->recording = true;
    g->no_grad_depth = 0;
    level first = {.g = g,
                   .f = f,
                   .user = user,
                   .n = n_inputs,
                   .inputs = inputs,
                   .order = 1,
                   .o = &o,
                   .rng = rng,
                   .result = result};
    status = check_with_leaves(&first, saved);
    g->recording = recording;
    g->no_grad_depth = no_grad_depth;
    g->rng = rng;
    gri_free(&g->memory, saved, bytes);
    if (status != GR_OK)
        *result = (gr_check_result){.passed = false};
    else
        result->passed = result->failed == 0;
    return status;
}
