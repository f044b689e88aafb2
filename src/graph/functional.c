/*
 * Derivatives as functions: of recorded results, and of a function that is called at stand-ins for its inputs.
 * Composed of the two walks: a Hessian is the Jacobian of a recorded gradient, a Hessian-vector product that is recorded
 * the gradient of a recorded tangent. One that is not stands in hvp.c.
 *
 * Invariant: of a call that is not recorded nothing stays but its results.
 */
#include "graph/walk.h"
#include "gradus/functional.h"
#include "gradus/ops.h"
#include "ops/kernels/accumulate.h"

#include <string.h>

enum { TEXT_BYTES = 256 };

/* ---- Temporaries ---- */

static const gri_node *node_of(gr_tensor t) { return gri_lookup(t.graph, t.index, t.generation); }

/* Whether a tensor was made since the mark. */
static bool is_since(gri_mark mark, gr_tensor t)
{
    return !gri_is_unset(t) && !(t.index & GRI_KEPT) && t.index >= mark.top;
}

/* Pops what was made since the mark but the values of some tensors, which become leaves. On failure all of
   them are invalid. */
static gr_status settle(gr_graph *g, gri_mark mark, int n, gr_tensor *tensors)
{
    gr_status status = g->status;
    int kept = 0;
    for (; kept < n && status == GR_OK; kept++) {
        if (!is_since(mark, tensors[kept])) continue;
        const gri_node *node = gri_keep_value(g, node_of(tensors[kept]));
        if (!node) {
            status = g->status;
            break;
        }
        tensors[kept] = gri_handle(g, node);
        tensors[kept].graph = NULL; /* until it is back on the step stack */
    }
    gri_pop(g, mark);
    for (int i = 0; i < kept; i++) {
        if (tensors[i].graph || !tensors[i].index) continue;
        gri_node *value = gri_kept_node(g, tensors[i].index);
        const gri_node *node = status == GR_OK ? gri_push_value(g, value) : NULL;
        if (!node) status = g->status;
        if (node) tensors[i] = gri_handle(g, node);
        gri_kept_release(g, value);
    }
    for (int i = 0; i < n && status != GR_OK; i++) tensors[i] = gri_invalid(g);
    if (status != GR_OK) gri_pop(g, mark);
    return status;
}

/* What a call has made is left as it is, or only the values of its results. */
static gr_status finish(gr_graph *g, bool record, gri_mark mark, gr_status status, int n, gr_tensor *results)
{
    if (status == GR_OK && !record) return settle(g, mark, n, results);
    if (status == GR_OK) return GR_OK;
    gri_pop(g, mark);
    for (int i = 0; i < n; i++) results[i] = gri_invalid(g);
    return status;
}

/* The same for one result. */
static gr_tensor finish_one(gr_graph *g, bool record, gri_mark mark, gr_tensor result)
{
    finish(g, record, mark, g->status, 1, &result);
    return result;
}

/* ---- Stand-ins ---- */

/* Stands for a tensor: the same value, and the end of every derivative inside. A function gets it for an input. */
static gr_status argument_infer(const gr_call *c, gr_layout *out)
{
    const gr_array *x = c->in[0];
    out->type = x->type;
    out->ndim = x->ndim;
    out->alias = 0;
    out->offset = 0;
    memcpy(out->dims, x->dims, (size_t)x->ndim * sizeof *x->dims);
    memcpy(out->strides, x->strides, (size_t)x->ndim * sizeof *x->strides);
    return GR_OK;
}

static gr_tensor argument_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)c, (void)i;
    return gy;
}

static const gr_op argument = {.name = "argument",
                               .arity = 1,
                               .strided = true,
                               .formula = "y = x",
                               .infer = argument_infer,
                               .vjp = argument_vjp,
                               .tangent = GR_TANGENT_SYMMETRIC};

static bool requires_grad(gr_tensor t)
{
    const gri_node *node = t.graph ? node_of(t) : NULL;
    return node && node->flags & GRI_REQUIRES_GRAD;
}

/* ---- Walks ---- */

/* Stand-ins without a history for the vectors that have one, which may be the inputs: the gradient is not to see it. */
static gr_status hold(gr_graph *g, int n, const gr_tensor *vectors, gr_tensor *held)
{
    for (int i = 0; i < n; i++) {
        held[i] = vectors[i];
        if (vectors[i].graph != g || !requires_grad(vectors[i])) continue;
        held[i] = gr_apply(g, &argument, 1, &vectors[i], NULL);
        if (held[i].index == 0) return g->status;
        gri_node *node = g->step.slot[held[i].index].node;
        node->n_operands = 0;
        node->flags |= GRI_REQUIRES_GRAD; /* what is made of it is recorded */
    }
    return GR_OK;
}

/* Gives them their history back. */
static void let_go(gr_graph *g, int n, const gr_tensor *vectors, const gr_tensor *held, bool record)
{
    for (int i = 0; i < n; i++)
        if (!gr_same(vectors[i], held[i])) g->step.slot[held[i].index].node->n_operands = record ? 1 : 0;
}

static gr_status gradient_of_tangent(const char *what, gr_tensor y, int n, const gr_tensor *inputs,
                                     const gr_tensor *vectors, bool record, gr_tensor *products)
{
    gr_tensor tangent;
    const gr_status status = gri_push_forward(what, 1, &y, n, inputs, vectors, true, &tangent);
    if (status != GR_OK) return status;
    return gri_grad(what, 1, &tangent, n, inputs, NULL, &(gr_grad_options){record, true}, products);
}

static gr_status hvp(const char *what, gr_tensor y, int n, const gr_tensor *inputs, const gr_tensor *vectors,
                     bool record, gr_tensor *products)
{
    gr_graph *g = y.graph;
    bool made = false;
    gr_status status = record ? GR_OK : gri_push_hvp(what, y, n, inputs, vectors, products, &made);
    if (status != GR_OK || made) return status;
    const size_t bytes = (size_t)n * sizeof(gr_tensor);
    gr_tensor few[GRI_FEW], *held = n > GRI_FEW ? gri_alloc(&g->memory, bytes) : few;
    if (!held) return gri_fail_memory(g, what, bytes);
    status = hold(g, n, vectors, held);
    if (status == GR_OK) {
        status = gradient_of_tangent(what, y, n, inputs, held, record, products);
        let_go(g, n, vectors, held, record);
    }
    if (held != few) gri_free(&g->memory, held, bytes);
    return status;
}

static gr_status check_scalar(gr_graph *g, const char *what, const gri_node *y)
{
    if (y->array.count == 1) return GR_OK;
    return gri_fail_about(g, GR_ERR_NOT_SCALAR, y, "%s: needs a result of one element", what);
}

/* The shape of y followed by that of x, of so many elements. */
static gr_status joined_shape(gr_graph *g, const char *what, const gri_node *y, const gri_node *x,
                              gr_shape *shape, int64_t *count)
{
    const gr_array *a = &y->array, *b = &x->array;
    char of[TEXT_BYTES], by[TEXT_BYTES];
    shape->ndim = a->ndim + b->ndim;
    if (shape->ndim <= GR_MAX_NDIM) {
        memcpy(shape->dims, a->dims, (size_t)a->ndim * sizeof *a->dims);
        memcpy(shape->dims + a->ndim, b->dims, (size_t)b->ndim * sizeof *b->dims);
        if (gri_count(shape->ndim, shape->dims, a->type, count)) return GR_OK;
    }
    gri_describe(of, sizeof of, y, false);
    gri_describe(by, sizeof by, x, false);
    if (shape->ndim > GR_MAX_NDIM)
        return gri_fail(g, GR_ERR_NDIM, "%s: of %s by %s has %d axes, at most %d are possible: reshape them",
                        what, of, by, shape->ndim, GR_MAX_NDIM);
    return gri_fail(g, GR_ERR_OVERFLOW, "%s: of %s by %s has too many elements to count", what, of, by);
}

/* Zeros like `node`, but 1 in one place; invalid, and the error set, if memory runs out. */
static gr_tensor unit_like(gr_graph *g, const gri_node *node, int64_t place)
{
    const gri_node *unit = gri_filled_like(g, node, 0, false);
    if (!unit) return gri_invalid(g);
    if (unit->array.type == GR_F32)
        ((float *)unit->array.data)[place] = 1;
    else
        ((double *)unit->array.data)[place] = 1;
    return gri_handle(g, unit);
}

/* A matrix of derivatives, or its diagonal, put together of walks. */
typedef struct assembly {
    gr_graph *g;
    const char *what;
    gr_tensor y, x;
    bool record, forwards, diagonal;
} assembly;

/* One column or row, flat, or one element. */
static gr_tensor part(const assembly *a, int64_t place)
{
    gr_graph *g = a->g;
    const gri_mark mark = gri_mark_here(g);
    gr_tensor flat = gri_invalid(g);
    const gr_tensor unit = unit_like(g, node_of(a->forwards ? a->x : a->y), place);
    if (unit.index == 0) return flat;
    if (a->forwards)
        gri_push_forward(a->what, 1, &a->y, 1, &a->x, &unit, a->record, &flat);
    else
        gri_grad(a->what, 1, &a->y, 1, &a->x, &unit, &(gr_grad_options){a->record, true}, &flat);
    if (flat.index) flat = gr_reshape(flat, GR_SHAPE(-1));
    if (flat.index && a->diagonal) flat = gr_slice(flat, 0, place, place + 1, 1);
    return finish_one(g, a->record, mark, flat);
}

/* n parts, one behind the other. */
static gr_tensor parts(const assembly *a, int64_t n)
{
    gr_graph *g = a->g;
    gr_tensor result = gri_invalid(g);
    const size_t bytes = (size_t)n * sizeof(gr_tensor);
    gr_tensor *list = n <= INT32_MAX ? gri_alloc(&g->memory, bytes) : NULL;
    if (!list) {
        gri_fail_memory(g, a->what, bytes);
        return result;
    }
    int64_t made = 0;
    while (made < n && (list[made] = part(a, made)).index) made++;
    if (made == n) result = gr_concat((int)n, list, 0);
    gri_free(&g->memory, list, bytes);
    return result;
}

/* A matrix of derivatives of y by a, or by a and b, recorded or not; whatever is built stays on the step stack. */
typedef gr_tensor derivative(const char *what, gr_tensor y, gr_tensor a, gr_tensor b, bool record);

/* d y / d x. */
static gr_tensor jacobian(const char *what, gr_tensor y, gr_tensor x, gr_tensor unused, bool record)
{
    (void)unused;
    gr_graph *g = y.graph;
    gr_shape shape;
    int64_t count;
    const gri_node *of = gri_resolve_output(g, what, 0, y),
                   *by = of ? gri_resolve_input(g, what, 0, x) : NULL;
    if (!by || joined_shape(g, what, of, by, &shape, &count) != GR_OK) return gri_invalid(g);
    const gr_type type = of->array.type;
    if (count == 0) return gr_zeros(g, type, shape);
    const int64_t rows = of->array.count, columns = by->array.count;
    const assembly a = {.g = g, .what = what, .y = y, .x = x, .record = record, .forwards = columns <= rows};
    gr_tensor matrix = parts(&a, a.forwards ? columns : rows);
    if (matrix.index && a.forwards && rows > 1 && columns > 1)
        matrix = gr_contiguous(gr_transpose(gr_reshape(matrix, GR_SHAPE(columns, rows)), 0, 1));
    if (matrix.index && gr_type_of(matrix) != type) matrix = gr_cast(matrix, type);
    return matrix.index ? gr_reshape(matrix, shape) : matrix;
}

/* The gradient of a y of one element by x, recorded. */
static gr_tensor gradient(const char *what, gr_tensor y, gr_tensor x)
{
    gr_tensor by_x = gri_invalid(y.graph);
    const gri_node *of = gri_resolve_output(y.graph, what, 0, y);
    if (of && check_scalar(y.graph, what, of) == GR_OK)
        gri_grad(what, 1, &y, 1, &x, NULL, &(gr_grad_options){.record = true}, &by_x);
    return by_x;
}

static gr_tensor hessian(const char *what, gr_tensor y, gr_tensor a, gr_tensor b, bool record)
{
    gr_graph *g = y.graph;
    gr_shape shape;
    int64_t count;
    const gri_node *by_a = gri_resolve_input(g, what, 0, a);
    const gri_node *by_b = by_a ? gri_resolve_input(g, what, 1, b) : NULL;
    if (!by_b || joined_shape(g, what, by_a, by_b, &shape, &count) != GR_OK) return gri_invalid(g);
    const gr_tensor first = gradient(what, y, a);
    return first.index ? jacobian(what, first, b, b, record) : first;
}

static gr_tensor hessian_diagonal(const char *what, gr_tensor y, gr_tensor x, gr_tensor unused, bool record)
{
    (void)unused;
    gr_graph *g = y.graph;
    const gri_node *by = gri_resolve_input(g, what, 0, x);
    const gr_tensor first = by ? gradient(what, y, x) : gri_invalid(g);
    if (first.index == 0) return first;
    const assembly a = {
        .g = g, .what = what, .y = first, .x = x, .record = record, .forwards = true, .diagonal = true};
    if (by->array.count == 0) return first;
    const gr_tensor flat = parts(&a, by->array.count);
    return flat.index ? gr_reshape(flat, gr_shape_of(x)) : flat;
}

/* ---- Of recorded results ---- */

/* Checks the lists of a call; GR_OK: there is a graph and no error is pending. */
static gr_status check_lists(const char *what, int n_outputs, const gr_tensor *outputs, int n_inputs,
                             const gr_tensor *inputs, const gr_tensor *seeds, gr_tensor *results,
                             int n_results)
{
    gr_graph *g = n_outputs > 0 && outputs ? outputs[0].graph
                  : n_inputs > 0 && inputs ? inputs[0].graph
                                           : NULL;
    for (int i = 0; results && i < n_results; i++) results[i] = gri_invalid(g);
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    if (n_outputs > 0 && outputs && n_inputs >= 0 && (n_inputs == 0 || (inputs && seeds)) &&
        (n_results == 0 || results))
        return GR_OK;
    return gri_fail(g, GR_ERR_ARGUMENT, "%s: %d outputs and %d inputs, or NULL for them", what, n_outputs,
                    n_inputs);
}

gr_status gr_jvp(int n_outputs, const gr_tensor *outputs, int n_inputs, const gr_tensor *inputs,
                 const gr_tensor *tangents, gr_tensor *output_tangents)
{
    const gr_status status = check_lists("jvp", n_outputs, outputs, n_inputs, inputs, tangents,
                                         output_tangents, n_outputs);
    if (status != GR_OK) return status;
    return gri_push_forward("jvp", n_outputs, outputs, n_inputs, inputs, tangents,
                            gr_is_recording(outputs[0].graph), output_tangents);
}

gr_status gr_vjp(int n_outputs, const gr_tensor *outputs, int n_inputs, const gr_tensor *inputs,
                 const gr_tensor *cotangents, gr_tensor *input_cotangents)
{
    const gr_graph *g = n_outputs > 0 && outputs ? outputs[0].graph : NULL;
    return gri_grad("vjp", n_outputs, outputs, n_inputs, inputs, cotangents,
                    &(gr_grad_options){.record = gr_is_recording(g), .retain = true}, input_cotangents);
}

gr_status gr_hvp(gr_tensor y, int n_inputs, const gr_tensor *inputs, const gr_tensor *vectors,
                 gr_tensor *products)
{
    gr_graph *g = y.graph;
    gr_status status = check_lists("hvp", 1, &y, n_inputs, inputs, vectors, products, n_inputs);
    if (status != GR_OK) return status;
    const gri_node *node = gri_resolve_output(g, "hvp", 0, y);
    if (!node || check_scalar(g, "hvp", node) != GR_OK) return g->status;
    const gri_mark mark = gri_mark_here(g);
    status = hvp("hvp", y, n_inputs, inputs, vectors, g->recording, products);
    return finish(g, g->recording, mark, status, n_inputs, products);
}

static gr_tensor of_result(const char *what, derivative *make, gr_tensor y, gr_tensor a, gr_tensor b)
{
    gr_graph *g = y.graph;
    if (!g || g->status != GR_OK) return gri_invalid(g);
    const gri_mark mark = gri_mark_here(g);
    return finish_one(g, g->recording, mark, make(what, y, a, b, g->recording));
}

gr_tensor gr_jacobian(gr_tensor y, gr_tensor x) { return of_result("jacobian", jacobian, y, x, x); }
gr_tensor gr_hessian(gr_tensor y, gr_tensor a, gr_tensor b) { return of_result("hessian", hessian, y, a, b); }
gr_tensor gr_hessian_diagonal(gr_tensor y, gr_tensor x)
{
    return of_result("hessian_diagonal", hessian_diagonal, y, x, x);
}

/* ---- Of a function ---- */

/* A function that is being differentiated. The lists have room for a handle per input and one more. */
typedef struct evaluation {
    gr_graph *g;
    const char *what;
    int n, n_by;          /* inputs, floats among them */
    gr_tensor *arguments; /* what f gets */
    gr_tensor *by;        /* those that are floats, */
    gr_tensor *seeds;     /* the tangents that belong to them, */
    gr_tensor *results;   /* and what they are to become; then the value */
    gr_tensor y;          /* what f returned */
    gr_scope scope;
    gri_mark mark;
    bool record;
} evaluation;

enum { LISTS = 4 };
static size_t list_bytes(int n) { return LISTS * ((size_t)n + 1) * sizeof(gr_tensor); }

static gr_status fail_arguments(gr_graph *g, const char *what, gr_function f, int n)
{
    return gri_fail(g, GR_ERR_ARGUMENT, "%s: %s", what,
                    !f      ? "no function given"
                    : n < 0 ? "a negative number of inputs"
                            : "NULL for inputs, vectors or results");
}

/* Makes the stand-ins; those of floats require a gradient, whether the inputs do or not. */
static gr_status make_arguments(evaluation *e, const gr_tensor *inputs, const gr_tensor *seeds)
{
    gr_graph *g = e->g;
    for (int i = 0; i < e->n; i++) {
        if (inputs[i].graph && inputs[i].graph != g)
            return gri_fail(g, GR_ERR_GRAPH, "%s: inputs[%d] belongs to another graph", e->what, i);
        if (!inputs[i].graph || inputs[i].index == 0)
            return gri_fail(g, GR_ERR_HANDLE, "%s: inputs[%d] is an invalid handle", e->what, i);
        const gri_node *input = gri_resolve(inputs[i], e->what);
        if (!input) return g->status;
        e->arguments[i] = inputs[i];
        if (!gr_type_is_float(input->array.type)) continue;
        const gr_tensor t = gr_apply(g, &argument, 1, &inputs[i], NULL);
        if (t.index == 0) return g->status;
        g->step.slot[t.index].node->flags |= GRI_REQUIRES_GRAD;
        e->arguments[i] = e->by[e->n_by] = t;
        e->seeds[e->n_by++] = seeds ? seeds[i] : (gr_tensor){NULL, 0, 0};
    }
    return GR_OK;
}

/* Calls f, with recording on, and puts the graph back into the state of before. */
static gr_status call(evaluation *e, gr_function f, void *user)
{
    gr_graph *g = e->g;
    const gri_tidy outside = gri_tidy_here(g);
    bool tidy; /* what it left open is closed */
    g->recording = true;
    g->no_grad_depth = 0;
    e->y = gri_call_function(g, f, e->n, e->arguments, user, &tidy);
    g->no_grad_depth = outside.no_grad_depth;
    g->recording = outside.recording;
    if (g->status != GR_OK) return g->status;
    if (e->y.graph != g || !node_of(e->y))
        return gri_fail(g, GR_ERR_CALLBACK, "%s: the function returned no tensor of this graph", e->what);
    const gri_node *y = node_of(e->y);
    if (gr_type_is_float(y->array.type)) return GR_OK;
    return gri_fail_about(g, GR_ERR_TYPE, y, "%s: the function returned what has no derivative", e->what);
}

/* Whether what was made since the mark, or a tangent, depends on something older that requires a gradient. */
static bool is_rooted(const evaluation *e)
{
    const gr_graph *g = e->g;
    for (int i = 0; i < e->n_by; i++)
        if (requires_grad(e->seeds[i])) return true;
    for (uint32_t i = e->mark.top ? e->mark.top : 1; i < g->step.top; i++) {
        const gri_node *node = g->step.slot[i].node;
        for (uint32_t k = 0; node && k < node->n_operands; k++) {
            const gri_operand *o = &gri_operands(node)[k];
            if (!(o->index & GRI_KEPT) && o->index >= e->mark.top) continue;
            const gri_node *operand = gri_lookup(g, o->index, o->generation);
            if (operand && operand->flags & GRI_REQUIRES_GRAD) return true;
        }
    }
    return false;
}

/* Evaluates f. To be ended, whatever the status, unless e->arguments is NULL. */
static gr_status begin(evaluation *e, const char *what, gr_graph *g, gr_function f, int n,
                       const gr_tensor *inputs, void *user, const gr_tensor *seeds)
{
    *e = (evaluation){.g = g, .what = what, .n = n};
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    if (!f || n < 0 || (n > 0 && !inputs)) return fail_arguments(g, what, f, n);
    const gr_scope scope = gr_scope_begin(g);
    if (scope.depth == 0) return g->status;
    e->scope = scope;
    e->mark = g->scopes[scope.depth - 1].mark;
    gr_tensor *lists = gri_alloc_zeroed(&g->memory, list_bytes(n));
    if (!lists) {
        gr_scope_end(scope, 0, NULL);
        return gri_fail_memory(g, what, list_bytes(n));
    }
    e->arguments = lists;
    e->by = lists + (n + 1);
    e->seeds = lists + 2 * (n + 1);
    e->results = lists + 3 * (n + 1);
    gr_status status = make_arguments(e, inputs, seeds);
    if (status == GR_OK) status = call(e, f, user);
    if (status == GR_OK) e->record = g->recording && is_rooted(e);
    return status;
}

/* The stand-ins of inputs that require no gradient do so no longer: no later walk is to look at them. */
static void retire_arguments(const evaluation *e)
{
    for (int i = 0; i < e->n_by; i++) {
        gri_node *node = gri_lookup(e->g, e->by[i].index, e->by[i].generation);
        if (node && !node->n_operands) node->flags &= ~(uint32_t)GRI_REQUIRES_GRAD;
    }
}

/* Ends with so many results in the list, and the value if it is wanted. */
static gr_status end(evaluation *e, gr_status status, int n_results, gr_tensor *value)
{
    gr_graph *g = e->g;
    if (value) *value = gri_invalid(g);
    if (!e->arguments) return status;
    int n = n_results;
    if (value) e->results[n++] = e->y;
    if (status != GR_OK) {
        gr_scope_end(e->scope, 0, NULL);
    } else if (e->record) {
        retire_arguments(e);
        status = gr_scope_end(e->scope, n, e->results);
    } else {
        status = settle(g, e->mark, n, e->results);
        g->n_scopes = e->scope.depth - 1;
    }
    for (int i = 0; i < n && status != GR_OK; i++) e->results[i] = gri_invalid(g);
    if (value) *value = e->results[n_results];
    return status;
}

static void release(evaluation *e)
{
    if (e->arguments) gri_free(&e->g->memory, e->arguments, list_bytes(e->n));
}

/* For functions that return one result. */
static gr_tensor end_one(evaluation *e, gr_tensor result, gr_tensor *value)
{
    gr_graph *g = e->g;
    if (e->arguments) e->results[0] = result;
    gr_status status = g ? g->status : GR_ERR_HANDLE;
    status = end(e, status, 1, value);
    if (e->arguments && status == GR_OK) result = e->results[0];
    release(e);
    return status == GR_OK ? result : gri_invalid(g);
}

/* For those that return one per input. */
static gr_status end_all(evaluation *e, gr_status status, const gr_tensor *inputs, gr_tensor *results,
                         gr_tensor *value)
{
    status = end(e, status, e->n_by, value);
    for (int i = 0, k = 0; results && i < e->n; i++) {
        if (status != GR_OK)
            results[i] = gri_invalid(e->g);
        else if (gr_same(e->arguments[i], inputs[i]))
            results[i] = (gr_tensor){NULL, 0, 0}; /* not a float */
        else
            results[i] = e->results[k++];
    }
    release(e);
    return status;
}

gr_tensor gr_function_jvp(gr_graph *g, gr_function f, int n_inputs, const gr_tensor *inputs, void *user,
                          const gr_tensor *tangents, gr_tensor *value)
{
    static const char what[] = "function_jvp";
    evaluation e;
    gr_tensor tangent = gri_invalid(g);
    if (g && g->status == GR_OK && n_inputs > 0 && !tangents) fail_arguments(g, what, f, n_inputs);
    if (begin(&e, what, g, f, n_inputs, inputs, user, tangents) == GR_OK)
        gri_push_forward(what, 1, &e.y, e.n_by, e.by, e.seeds, e.record, &tangent);
    return end_one(&e, tangent, value);
}

gr_status gr_function_vjp(gr_graph *g, gr_function f, int n_inputs, const gr_tensor *inputs, void *user,
                          gr_tensor cotangent, gr_tensor *gradients, gr_tensor *value)
{
    static const char what[] = "function_vjp";
    evaluation e;
    if (g && g->status == GR_OK && n_inputs > 0 && !gradients) fail_arguments(g, what, f, n_inputs);
    gr_status status = begin(&e, what, g, f, n_inputs, inputs, user, NULL);
    if (status == GR_OK) {
        e.record |= g->recording && requires_grad(cotangent);
        status = gri_grad(what, 1, &e.y, e.n_by, e.by, &cotangent, &(gr_grad_options){e.record, true},
                          e.results);
    }
    return end_all(&e, status, inputs, gradients, value);
}

gr_status gr_function_hvp(gr_graph *g, gr_function f, int n_inputs, const gr_tensor *inputs, void *user,
                          const gr_tensor *vectors, gr_tensor *products, gr_tensor *value)
{
    static const char what[] = "function_hvp";
    evaluation e;
    if (g && g->status == GR_OK && n_inputs > 0 && (!vectors || !products))
        fail_arguments(g, what, f, n_inputs);
    gr_status status = begin(&e, what, g, f, n_inputs, inputs, user, vectors);
    if (status == GR_OK) status = check_scalar(g, what, node_of(e.y));
    if (status == GR_OK) status = hvp(what, e.y, e.n_by, e.by, e.seeds, e.record, e.results);
    return end_all(&e, status, inputs, products, value);
}

/* The stand-in of input number `by`; an invalid handle, and the error set, if it has none. */
static gr_tensor argument_of(const evaluation *e, int by)
{
    gr_graph *g = e->g;
    if (by < 0 || by >= e->n) {
        gri_fail(g, GR_ERR_ARGUMENT, "%s: by inputs[%d], but there are %d inputs", e->what, by, e->n);
        return gri_invalid(g);
    }
    const gri_node *node = node_of(e->arguments[by]);
    if (node && gr_type_is_float(node->array.type)) return e->arguments[by];
    if (node) gri_fail_about(g, GR_ERR_TYPE, node, "%s: inputs[%d] has no derivative", e->what, by);
    return gri_invalid(g);
}

static gr_tensor of_function(const char *what, derivative *make, gr_graph *g, gr_function f, int n_inputs,
                             const gr_tensor *inputs, void *user, int a, int b, gr_tensor *value)
{
    evaluation e;
    gr_tensor result = gri_invalid(g);
    if (begin(&e, what, g, f, n_inputs, inputs, user, NULL) == GR_OK) {
        const gr_tensor by_a = argument_of(&e, a), by_b = by_a.index ? argument_of(&e, b) : by_a;
        if (by_b.index) result = make(what, e.y, by_a, by_b, e.record);
    }
    return end_one(&e, result, value);
}

gr_tensor gr_function_jacobian(gr_graph *g, gr_function f, int n_inputs, const gr_tensor *inputs, void *user,
                               int by, gr_tensor *value)
{
    return of_function("function_jacobian", jacobian, g, f, n_inputs, inputs, user, by, by, value);
}

gr_tensor gr_function_hessian(gr_graph *g, gr_function f, int n_inputs, const gr_tensor *inputs, void *user,
                              int a, int b, gr_tensor *value)
{
    return of_function("function_hessian", hessian, g, f, n_inputs, inputs, user, a, b, value);
}

gr_tensor gr_function_hessian_diagonal(gr_graph *g, gr_function f, int n_inputs, const gr_tensor *inputs,
                                       void *user, int by, gr_tensor *value)
{
    return of_function("function_hessian_diagonal", hessian_diagonal, g, f, n_inputs, inputs, user, by, by,
                       value);
}
