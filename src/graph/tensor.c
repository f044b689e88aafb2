/* Handles as users see them: leaves, questions, reading, writing, names. */
#include "graph/graph.h"
#include "ops/kernels/copy.h"

#include <inttypes.h>
#include <string.h>

enum { FIRST_PARAMS = 16, TEXT_BYTES = 256 };

gri_node *gri_resolve(gr_tensor t, const char *what)
{
    gr_graph *g = t.graph;
    if (!g) return NULL;
    if (t.index == 0) {
        gri_fail(g, GR_ERR_HANDLE, "%s: invalid handle", what);
        return NULL;
    }
    gri_node *node = gri_lookup(g, t.index, t.generation);
    if (!node)
        gri_fail(g, GR_ERR_STALE,
                 "%s: stale handle: its tensor was freed by a reset, the end of its scope or gr_release",
                 what);
    return node;
}

/* ---- Making leaves ---- */

static void set_elements(gri_node *node, const void *data)
{
    const size_t bytes = (size_t)node->array.count * gr_type_size(node->array.type);
    if (bytes == 0) return;
    if (data)
        memcpy(node->array.data, data, bytes);
    else
        memset(node->array.data, 0, bytes);
}

static gri_node *make_leaf(gr_graph *g, const char *what, gr_type type, const gr_shape *shape,
                           const void *data, bool kept)
{
    int64_t count;
    if (gri_check_shape(g, what, type, shape, &count) != GR_OK) return NULL;
    const gri_recipe r = {.type = type,
                          .ndim = shape->ndim,
                          .dims = shape->dims,
                          .count = count,
                          .flags = GRI_LEAF,
                          .in_buffer = true};
    gri_node *node = kept ? gri_keep_new(g, &r) : gri_push(g, &r);
    if (node) set_elements(node, data);
    return node;
}

static gri_node *find_param(const gr_graph *g, const char *name)
{
    for (uint32_t i = 0; i < g->n_params; i++) {
        gri_node *node = gri_kept_node(g, g->params[i]);
        if (node->name && strcmp(node->name, name) == 0) return node;
    }
    return NULL;
}

/* Room for one more parameter in the list. */
static gr_status grow_params(gr_graph *g)
{
    if (g->n_params < g->param_capacity) return GR_OK;
    const uint32_t capacity = g->param_capacity ? 2 * g->param_capacity : FIRST_PARAMS;
    uint32_t *params = gri_grow(&g->memory, g->params, g->param_capacity * sizeof *params,
                                capacity * sizeof *params);
    if (!params) return gri_fail_memory(g, "param", capacity * sizeof *params);
    g->params = params;
    g->param_capacity = capacity;
    return GR_OK;
}

gr_tensor gr_param(gr_graph *g, const char *name, gr_type type, gr_shape shape, const void *data)
{
    if (!g) return gri_invalid(g);
    if (!name || !*name) {
        gri_fail(g, GR_ERR_NAME, "param: a parameter needs a name");
        return gri_invalid(g);
    }
    if (find_param(g, name)) {
        gri_fail(g, GR_ERR_NAME, "param: there is a parameter named %s already", name);
        return gri_invalid(g);
    }
    if (!gr_type_is_float(type)) {
        gri_fail(g, GR_ERR_TYPE, "param: %s is %s; parameters are f32 or f64", name, gr_type_name(type));
        return gri_invalid(g);
    }
    if (grow_params(g) != GR_OK) return gri_invalid(g);
    gri_node *node = make_leaf(g, "param", type, &shape, data, true);
    if (!node) return gri_invalid(g);
    if (gri_set_name(g, node, name) != GR_OK) {
        gri_kept_release(g, node);
        return gri_invalid(g);
    }
    node->flags |= GRI_PARAM | GRI_REQUIRES_GRAD;
    g->params[g->n_params++] = node->index;
    return gri_handle(g, node);
}

gr_tensor gr_constant(gr_graph *g, gr_type type, gr_shape shape, const void *data)
{
    if (!g) return gri_invalid(g);
    gri_node *node = make_leaf(g, "constant", type, &shape, data, g->n_scopes == 0);
    return node ? gri_handle(g, node) : gri_invalid(g);
}

/* ---- Asking ---- */

bool gr_is_valid(gr_tensor t) { return t.graph && t.index && gri_lookup(t.graph, t.index, t.generation); }

bool gr_same(gr_tensor a, gr_tensor b)
{
    return a.graph == b.graph && a.index == b.index && a.generation == b.generation;
}

gr_type gr_type_of(gr_tensor t)
{
    const gri_node *node = gri_resolve(t, "type_of");
    return node ? node->array.type : GR_F32;
}

gr_shape gr_shape_of(gr_tensor t)
{
    gr_shape shape = {.ndim = -1};
    const gri_node *node = gri_resolve(t, "shape_of");
    if (!node) return shape;
    shape.ndim = node->array.ndim;
    for (int i = 0; i < shape.ndim; i++) shape.dims[i] = node->array.dims[i];
    return shape;
}

int gr_ndim(gr_tensor t)
{
    const gri_node *node = gri_resolve(t, "ndim");
    return node ? node->array.ndim : 0;
}

int64_t gr_dim(gr_tensor t, int axis)
{
    const gri_node *node = gri_resolve(t, "dim");
    if (!node) return -1;
    const int ndim = node->array.ndim, at = axis < 0 ? axis + ndim : axis;
    if (at < 0 || at >= ndim) {
        gri_fail_about(t.graph, GR_ERR_AXIS, node, "dim: there is no axis %d", axis);
        return -1;
    }
    return node->array.dims[at];
}

int64_t gr_count(gr_tensor t)
{
    const gri_node *node = gri_resolve(t, "count");
    return node ? node->array.count : 0;
}

gr_status gr_strides(gr_tensor t, int64_t *strides)
{
    const gri_node *node = gri_resolve(t, "strides");
    if (!node) return t.graph ? t.graph->status : GR_ERR_HANDLE;
    if (!strides && node->array.ndim > 0)
        return gri_fail(t.graph, GR_ERR_ARGUMENT, "strides: NULL for %d strides", node->array.ndim);
    for (int i = 0; i < node->array.ndim; i++) strides[i] = node->array.strides[i];
    return GR_OK;
}

static bool has_flag(gr_tensor t, const char *what, uint32_t flag)
{
    const gri_node *node = gri_resolve(t, what);
    return node && (node->flags & flag);
}

bool gr_is_contiguous(gr_tensor t) { return has_flag(t, "is_contiguous", GRI_CONTIGUOUS); }
bool gr_requires_grad(gr_tensor t) { return has_flag(t, "requires_grad", GRI_REQUIRES_GRAD); }
bool gr_is_param(gr_tensor t) { return has_flag(t, "is_param", GRI_PARAM); }
bool gr_is_model_state(gr_tensor t) { return has_flag(t, "is_model_state", GRI_MODEL_STATE); }

const char *gr_name(gr_tensor t)
{
    const gri_node *node = gri_resolve(t, "name");
    return node && node->name ? node->name : "";
}

gr_tensor gr_named(gr_tensor t, const char *name)
{
    gri_node *node = gri_resolve(t, "named");
    if (!node) return gri_invalid(t.graph);
    if (node->flags & GRI_PARAM) {
        gri_fail(t.graph, GR_ERR_STATE, "named: parameter %s keeps its name", node->name);
        return gri_invalid(t.graph);
    }
    return gri_set_name(t.graph, node, name) == GR_OK ? t : gri_invalid(t.graph);
}

/* ---- Reading ---- */

static gr_status status_of(gr_tensor t)
{
    return !t.graph ? GR_ERR_HANDLE : t.graph->status != GR_OK ? t.graph->status : GR_ERR_HANDLE;
}

static gr_status bad_elements(gr_graph *g, const char *what, const gri_node *node, const void *memory,
                              int64_t count)
{
    char text[TEXT_BYTES];
    gri_describe(text, sizeof text, node, false);
    if (!memory && count == node->array.count)
        return gri_fail(g, GR_ERR_ARGUMENT, "%s: NULL for the elements of %s", what, text);
    return gri_fail(g, GR_ERR_SHAPE, "%s: %" PRId64 " elements given for %s, which has %" PRId64, what, count,
                    text, node->array.count);
}

static gr_status check_count(gr_graph *g, const char *what, const gri_node *node, const void *memory,
                             int64_t count)
{
    const bool fits = count == node->array.count && (memory || count == 0);
    return fits ? GR_OK : bad_elements(g, what, node, memory, count);
}

gr_status gr_read(gr_tensor t, void *to, int64_t count)
{
    const gri_node *node = gri_resolve(t, "read");
    if (!node) return status_of(t);
    const gr_status status = check_count(t.graph, "read", node, to, count);
    if (status == GR_OK && count > 0) gri_copy_array(to, &node->array);
    return status;
}

double gri_element(const gr_array *a, int64_t offset)
{
    switch (a->type) {
    case GR_F32:
        return (double)((const float *)a->data)[offset];
    case GR_F64:
        return ((const double *)a->data)[offset];
    case GR_I32:
        return ((const int32_t *)a->data)[offset];
    case GR_BOOL:
        return ((const uint8_t *)a->data)[offset];
    }
    return 0;
}

static const double not_a_number = (double)(0.0f / 0.0f);

double gr_item(gr_tensor t)
{
    const gri_node *node = gri_resolve(t, "item");
    if (!node) return not_a_number;
    if (node->array.count != 1) {
        gri_fail_about(t.graph, GR_ERR_SHAPE, node, "item: needs a tensor of one element");
        return not_a_number;
    }
    return gri_element(&node->array, 0);
}

static double bad_index(gr_tensor t, const gri_node *node, gr_status status, int n_index, int axis,
                        int64_t index)
{
    char text[TEXT_BYTES];
    gri_describe(text, sizeof text, node, false);
    if (status == GR_ERR_NDIM)
        gri_fail(t.graph, status, "at: %d indices for %s", n_index, text);
    else
        gri_fail(t.graph, status, "at: index %" PRId64 " of axis %d is outside %s", index, axis, text);
    return not_a_number;
}

double gr_at(gr_tensor t, int n_index, const int64_t *index)
{
    const gri_node *node = gri_resolve(t, "at");
    if (!node) return not_a_number;
    if (n_index != node->array.ndim || (n_index > 0 && !index))
        return bad_index(t, node, GR_ERR_NDIM, n_index, 0, 0);
    int64_t offset = 0;
    for (int i = 0; i < n_index; i++) {
        const int64_t size = node->array.dims[i], at = index[i] < 0 ? index[i] + size : index[i];
        if (at < 0 || at >= size) return bad_index(t, node, GR_ERR_INDEX, n_index, i, index[i]);
        offset += at * node->array.strides[i];
    }
    return gri_element(&node->array, offset);
}

const void *gr_data(gr_tensor t)
{
    const gri_node *node = gri_resolve(t, "data");
    if (!node) return NULL;
    if (!(node->flags & GRI_CONTIGUOUS)) {
        gri_fail_about(t.graph, GR_ERR_SHAPE, node, "data: not contiguous, use gr_read or gr_contiguous");
        return NULL;
    }
    return node->array.data;
}

/* ---- Writing leaves ---- */

/* The leaf or gradient, ready to be written; its version is raised. NULL on error. `keep`: its old values
   matter. What is kept and no leaf is a gradient. */
static gri_node *open_leaf(gr_tensor t, const char *what, bool keep)
{
    gri_node *node = gri_resolve(t, what);
    if (!node) return NULL;
    if (!(node->flags & GRI_LEAF) && !(node->index & GRI_KEPT)) {
        gri_fail_about(
            t.graph, GR_ERR_STATE, node,
            "%s: only parameters, constants and gradients can be written, not results of operations", what);
        return NULL;
    }
    if (gri_make_writable(t.graph, node, keep) != GR_OK) return NULL;
    node->version++;
    return node;
}

gr_status gr_write(gr_tensor t, const void *from, int64_t count)
{
    const gri_node *node = gri_resolve(t, "write");
    if (!node || t.graph->status != GR_OK) return status_of(t);
    const gr_status status = check_count(t.graph, "write", node, from, count);
    if (status != GR_OK) return status;
    gri_node *leaf = open_leaf(t, "write", false);
    if (!leaf) return status_of(t);
    if (count > 0) memcpy(leaf->array.data, from, (size_t)count * gr_type_size(leaf->array.type));
    return GR_OK;
}

gr_status gr_assign(gr_tensor to, gr_tensor from)
{
    const gri_node *source = gri_resolve(from, "assign"), *target = gri_resolve(to, "assign");
    if (!source || !target) return source ? status_of(to) : status_of(from);
    gr_graph *g = to.graph;
    if (g->status != GR_OK) return g->status;
    if (from.graph != g) return gri_fail(g, GR_ERR_GRAPH, "assign: tensors of different graphs");
    const bool types_differ = source->array.type != target->array.type;
    if (types_differ || !gri_same_dims(&source->array, &target->array)) {
        char a[TEXT_BYTES], b[TEXT_BYTES];
        gri_describe(a, sizeof a, target, types_differ);
        gri_describe(b, sizeof b, source, types_differ);
        return gri_fail(g, types_differ ? GR_ERR_TYPE : GR_ERR_SHAPE, "assign: %s differ: %s = %s",
                        types_differ ? "types" : "shapes", a, b);
    }
    if (source == target) return GR_OK;
    gri_node *leaf = open_leaf(to, "assign", false);
    if (!leaf) return status_of(to);
    if (leaf->array.count > 0) gri_copy_array(leaf->array.data, &source->array);
    return GR_OK;
}

void *gr_data_for_writing(gr_tensor t)
{
    gri_node *leaf = open_leaf(t, "data_for_writing", true);
    return leaf ? leaf->array.data : NULL;
}

/* ---- Lifetimes and roles ---- */

gr_tensor gr_keep(gr_tensor t)
{
    const gri_node *node = gri_resolve(t, "keep");
    if (!node) return gri_invalid(t.graph);
    gri_node *kept = gri_keep_value(t.graph, node);
    if (!kept) return gri_invalid(t.graph);
    kept->flags |= GRI_LEAF;
    return gri_handle(t.graph, kept);
}

gr_status gr_release(gr_tensor t)
{
    gri_node *node = gri_resolve(t, "release");
    if (!node) return status_of(t);
    gr_graph *g = t.graph;
    const gr_status status = gri_check_no_walk(g, "release");
    if (status != GR_OK) return status;
    if (!(node->index & GRI_KEPT) || !(node->flags & GRI_LEAF))
        return gri_fail_about(g, GR_ERR_STATE, node,
                              "release: only kept parameters and constants can be released");
    if (node->flags & GRI_PARAM) {
        uint32_t i = 0;
        while (g->params[i] != node->index) i++;
        memmove(g->params + i, g->params + i + 1, (g->n_params - i - 1) * sizeof *g->params);
        g->n_params--;
    }
    gri_kept_release(g, node);
    return GR_OK;
}

gr_tensor gr_set_requires_grad(gr_tensor t, bool requires_grad)
{
    gri_node *node = gri_resolve(t, "set_requires_grad");
    if (!node) return gri_invalid(t.graph);
    const bool is_leaf = node->flags & GRI_LEAF;
    if (!is_leaf || (requires_grad && !gr_type_is_float(node->array.type))) {
        gri_fail_about(t.graph, is_leaf ? GR_ERR_TYPE : GR_ERR_STATE, node, "set_requires_grad: only for %s",
                       is_leaf ? "floats" : "parameters and constants");
        return gri_invalid(t.graph);
    }
    if (requires_grad)
        node->flags |= GRI_REQUIRES_GRAD;
    else
        node->flags &= ~(uint32_t)GRI_REQUIRES_GRAD;
    return t;
}

gr_tensor gr_set_model_state(gr_tensor t, bool is_state)
{
    gri_node *node = gri_resolve(t, "set_model_state");
    if (!node) return gri_invalid(t.graph);
    if (!(node->index & GRI_KEPT) || !(node->flags & GRI_LEAF) || node->flags & GRI_PARAM) {
        gri_fail_about(t.graph, GR_ERR_STATE, node, "set_model_state: only for kept constants");
        return gri_invalid(t.graph);
    }
    if (is_state && !node->name) {
        gri_fail_about(t.graph, GR_ERR_NAME, node, "set_model_state: it needs a name");
        return gri_invalid(t.graph);
    }
    if (is_state)
        node->flags |= GRI_MODEL_STATE;
    else
        node->flags &= ~(uint32_t)GRI_MODEL_STATE;
    return t;
}

gri_node *gri_next_model_state(const gr_graph *g, const gri_node *after)
{
    for (uint32_t i = after ? (after->index & ~GRI_KEPT) + 1 : 1; i < g->kept.top; i++) {
        gri_node *node = g->kept.slot[i].node;
        if (node && node->flags & GRI_MODEL_STATE) return node;
    }
    return NULL;
}

int gr_param_count(const gr_graph *g) { return g ? (int)g->n_params : 0; }

gr_tensor gr_param_at(gr_graph *g, int i)
{
    if (!g) return gri_invalid(g);
    if (i < 0 || (uint32_t)i >= g->n_params) {
        gri_fail(g, GR_ERR_INDEX, "param_at: there is no parameter %d; there are %u", i, g->n_params);
        return gri_invalid(g);
    }
    return gri_handle(g, gri_kept_node(g, g->params[i]));
}

gr_tensor gr_param_find(gr_graph *g, const char *name)
{
    if (!g) return gri_invalid(g);
    gri_node *node = name ? find_param(g, name) : NULL;
    if (!node) {
        gri_fail(g, GR_ERR_NAME, "param_find: there is no parameter named %s", name ? name : "NULL");
        return gri_invalid(g);
    }
    return gri_handle(g, node);
}
