/* Joining, and reading and adding at positions that an index tensor names. */
#include "ops/axes.h"
#include "ops/kernels/copy.h"

#include <inttypes.h>
#include <string.h>

/* ---- concat ---- */

static gr_status concat_infer(const gr_call *c, gr_layout *out)
{
    const gr_array *first = c->in[0];
    if (first->ndim == 0) return gr_call_fail(c, GR_ERR_NDIM, "scalars have no axis to join along", NULL);
    const int axis = gr_call_axis(c, *(const int *)c->attributes, first->ndim);
    if (axis < 0) return GR_ERR_AXIS;
    out->type = first->type;
    out->ndim = first->ndim;
    for (int i = 0; i < first->ndim; i++) out->dims[i] = first->dims[i];
    for (int k = 1; k < c->n; k++) {
        const gr_array *x = c->in[k];
        if (x->type != out->type) return gr_call_fail(c, GR_ERR_TYPE, "types differ", NULL);
        if (x->ndim != out->ndim) return gr_call_fail(c, GR_ERR_NDIM, "numbers of axes differ", NULL);
        for (int i = 0; i < x->ndim; i++)
            if (i != axis && x->dims[i] != out->dims[i])
                return gr_call_fail(c, GR_ERR_SHAPE, "sizes differ", "axis %d of operand %d", i, k + 1);
        if (x->dims[axis] > INT64_MAX - out->dims[axis])
            return gr_call_fail(c, GR_ERR_OVERFLOW, "too long", NULL);
        out->dims[axis] += x->dims[axis];
    }
    return GR_OK;
}

static gr_status concat_forward(const gr_call *c)
{
    const int given = *(const int *)c->attributes, axis = given < 0 ? given + c->out->ndim : given;
    const int64_t element = (int64_t)gr_type_size(c->out->type), stride = c->out->strides[axis];
    int64_t at = 0;
    for (int k = 0; k < c->n; k++) {
        gr_array part = *c->in[k];
        if (part.count == 0) continue;
        part.data = (char *)c->out->data + at * stride * element;
        part.strides = c->out->strides;
        gri_copy_strided(c->graph->threads, &part, c->in[k]);
        at += part.dims[axis];
    }
    return GR_OK;
}

/* All at once: where an operand starts is known only after all before it. */
static gr_status concat_vjp_all(const gr_call *c, gr_tensor gy, const bool *needed, gr_tensor *contributions)
{
    const int axis = *(const int *)c->attributes;
    int64_t start = 0;
    for (int k = 0; k < c->n; k++) {
        const int64_t end = start + gr_dim(c->operands[k], axis);
        if (needed[k]) contributions[k] = gr_slice(gy, axis, start, end, 1);
        start = end;
    }
    return gr_graph_status(c->graph);
}

const gr_op gri_op_concat = {.name = "concat",
                             .arity = GR_VARIADIC,
                             .strided = true,
                             .attribute_bytes = sizeof(int),
                             .formula = "y = operands, one behind the other",
                             .infer = concat_infer,
                             .forward = concat_forward,
                             .vjp_all = concat_vjp_all,
                             .tangent = GR_TANGENT_JOINT,
                             .flops = gri_flops_none};

gr_tensor gr_concat(int n, const gr_tensor *tensors, int axis)
{
    if (n < 1 || !tensors) {
        gr_graph *g = tensors && n > 0 ? tensors[0].graph : NULL;
        gri_fail(g, GR_ERR_ARGUMENT, "concat: needs at least one tensor");
        return gri_invalid(g);
    }
    return gr_apply(NULL, &gri_op_concat, n, tensors, &axis);
}

/* ---- Along an axis by an index ---- */

/* An array is seen as [outer, size, inner] around the axis. index_select and index_add move slices [outer,
   inner], gather and scatter_add single elements; the second of each pair is the adjoint of the first, and
   the first of the second. Operands come contiguous; size: of the axis on the side that is indexed. */

typedef struct index_attributes {
    int axis;
    int64_t size;
} index_attributes;

typedef struct blocks {
    int64_t outer, inner;
} blocks;

static blocks around(const gr_array *a, int first, int last)
{
    blocks b = {1, 1};
    for (int i = 0; i < first; i++) b.outer *= a->dims[i];
    for (int i = last; i < a->ndim; i++) b.inner *= a->dims[i];
    return b;
}

static gr_status check_index_type(const gr_call *c)
{
    return c->in[1]->type == GR_I32 ? GR_OK : gr_call_fail(c, GR_ERR_TYPE, "the index must be i32", NULL);
}

/* Position k of the index, in [0, size); -1, and the error set, if it is outside. */
static int64_t position(const gr_call *c, int64_t k, int64_t size)
{
    const int32_t given = ((const int32_t *)c->in[1]->data)[k];
    const int64_t at = given < 0 ? given + size : given;
    if (at >= 0 && at < size) return at;
    gr_call_fail(c, GR_ERR_INDEX, "position outside the axis", "position %" PRId32 ", size %" PRId64, given,
                 size);
    return -1;
}

static gr_tensor apply_indexed(const gr_op *op, gr_tensor x, gr_tensor index, int axis, int64_t size)
{
    const index_attributes k = {axis, size};
    return gri_apply2(op, x, index, &k);
}

#define INDEX_OF(C) ((const index_attributes *)(C)->attributes)

/* ---- index_select: y[o, k, i] = x[o, index[k], i] ---- */

static gr_status index_select_infer(const gr_call *c, gr_layout *out)
{
    const gr_array *x = c->in[0], *index = c->in[1];
    const int axis = gr_call_axis(c, INDEX_OF(c)->axis, x->ndim);
    if (axis < 0) return GR_ERR_AXIS;
    if (check_index_type(c) != GR_OK) return GR_ERR_TYPE;
    out->type = x->type;
    out->ndim = x->ndim - 1 + index->ndim;
    if (out->ndim > GR_MAX_NDIM)
        return gr_call_fail(c, GR_ERR_NDIM, "the result would have too many axes", NULL);
    int at = 0;
    for (int i = 0; i < axis; i++) out->dims[at++] = x->dims[i];
    for (int i = 0; i < index->ndim; i++) out->dims[at++] = index->dims[i];
    for (int i = axis + 1; i < x->ndim; i++) out->dims[at++] = x->dims[i];
    return GR_OK;
}

static gr_status index_select_forward(const gr_call *c)
{
    const gr_array *x = c->in[0];
    const int axis = gr_call_axis(c, INDEX_OF(c)->axis, x->ndim);
    const blocks b = around(x, axis, axis + 1);
    const int64_t size = x->dims[axis], n = c->in[1]->count;
    const size_t bytes = (size_t)b.inner * gr_type_size(x->type);
    const char *from = x->data;
    char *to = c->out->data;
    for (int64_t k = 0; k < n; k++) {
        const int64_t at = position(c, k, size);
        if (at < 0) return GR_ERR_INDEX;
        for (int64_t o = 0; o < b.outer && bytes; o++)
            memcpy(to + (size_t)(o * n + k) * bytes, from + (size_t)(o * size + at) * bytes, bytes);
    }
    return GR_OK;
}

static gr_tensor index_select_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    const int ndim = gr_ndim(c->operands[0]), axis = INDEX_OF(c)->axis;
    return gr_index_add(gy, axis < 0 ? axis + ndim : axis, c->operands[1], gr_dim(c->operands[0], axis));
}

const gr_op gri_op_index_select = {.name = "index_select",
                                   .arity = 2,
                                   .attribute_bytes = sizeof(index_attributes),
                                   .formula = "y[k] = x[index[k]]",
                                   .infer = index_select_infer,
                                   .forward = index_select_forward,
                                   .vjp = index_select_vjp,
                                   .tangent = GR_TANGENT_LINEAR,
                                   .flops = gri_flops_none};

gr_tensor gr_index_select(gr_tensor x, int axis, gr_tensor index)
{
    return apply_indexed(&gri_op_index_select, x, index, axis, 0);
}

/* ---- index_add: y[o, index[k], i] += x[o, k, i] ---- */

static gr_status index_add_infer(const gr_call *c, gr_layout *out)
{
    const gr_array *y = c->in[0], *index = c->in[1];
    const index_attributes *k = INDEX_OF(c);
    if (!gr_type_is_float(y->type)) return gr_call_fail(c, GR_ERR_TYPE, "needs f32 or f64", NULL);
    if (check_index_type(c) != GR_OK) return GR_ERR_TYPE;
    const int ndim = y->ndim - index->ndim + 1;
    if (ndim <= 0) return gr_call_fail(c, GR_ERR_NDIM, "the index has more axes than the operand", NULL);
    if (ndim > GR_MAX_NDIM) return gr_call_fail(c, GR_ERR_NDIM, "the result would have too many axes", NULL);
    const int axis = gr_call_axis(c, k->axis, ndim);
    if (axis < 0) return GR_ERR_AXIS;
    for (int i = 0; i < index->ndim; i++)
        if (y->dims[axis + i] != index->dims[i])
            return gr_call_fail(c, GR_ERR_SHAPE,
                                "the operand does not have the axes of the index at this axis", "axis %d",
                                axis);
    if (k->size < 0) return gr_call_fail(c, GR_ERR_SHAPE, "negative size", "%" PRId64, k->size);
    out->type = y->type;
    out->ndim = ndim;
    for (int i = 0; i < axis; i++) out->dims[i] = y->dims[i];
    out->dims[axis] = k->size;
    for (int i = axis + 1; i < ndim; i++) out->dims[i] = y->dims[i + index->ndim - 1];
    return GR_OK;
}

/* to[0..n) += from[0..n) of either float type. */
static void add_into(gr_type type, void *to, int64_t to_at, const void *from, int64_t from_at, int64_t n)
{
    if (type == GR_F32) {
        float *y = (float *)to + to_at;
        const float *x = (const float *)from + from_at;
        for (int64_t i = 0; i < n; i++) y[i] += x[i];
    } else {
        double *y = (double *)to + to_at;
        const double *x = (const double *)from + from_at;
        for (int64_t i = 0; i < n; i++) y[i] += x[i];
    }
}

static gr_status index_add_forward(const gr_call *c)
{
    const gr_array *x = c->in[0], *y = c->out;
    const int axis = gr_call_axis(c, INDEX_OF(c)->axis, y->ndim);
    const blocks b = around(y, axis, axis + 1);
    const int64_t size = y->dims[axis], n = c->in[1]->count;
    memset(y->data, 0, (size_t)y->count * gr_type_size(y->type));
    for (int64_t k = 0; k < n; k++) {
        const int64_t at = position(c, k, size);
        if (at < 0) return GR_ERR_INDEX;
        for (int64_t o = 0; o < b.outer; o++)
            add_into(y->type, y->data, (o * size + at) * b.inner, x->data, (o * n + k) * b.inner, b.inner);
    }
    return GR_OK;
}

static gr_tensor index_add_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    return gr_index_select(gy, INDEX_OF(c)->axis, c->operands[1]);
}

const gr_op gri_op_index_add = {.name = "index_add",
                                .arity = 2,
                                .attribute_bytes = sizeof(index_attributes),
                                .formula = "y[index[k]] += x[k]",
                                .infer = index_add_infer,
                                .forward = index_add_forward,
                                .vjp = index_add_vjp,
                                .tangent = GR_TANGENT_LINEAR,
                                .flops = gri_flops_operand};

gr_tensor gr_index_add(gr_tensor y, int axis, gr_tensor index, int64_t size)
{
    return apply_indexed(&gri_op_index_add, y, index, axis, size);
}

/* ---- gather: y[o, k, i] = x[o, index[o, k, i], i] ---- */

/* Both operands have the same axes and, but along `axis`, the same sizes. */
static gr_status check_gather(const gr_call *c, int *axis)
{
    const gr_array *x = c->in[0], *index = c->in[1];
    if (check_index_type(c) != GR_OK) return GR_ERR_TYPE;
    *axis = gr_call_axis(c, INDEX_OF(c)->axis, x->ndim);
    if (*axis < 0) return GR_ERR_AXIS;
    if (x->ndim != index->ndim) return gr_call_fail(c, GR_ERR_NDIM, "numbers of axes differ", NULL);
    for (int i = 0; i < x->ndim; i++)
        if (i != *axis && x->dims[i] != index->dims[i])
            return gr_call_fail(c, GR_ERR_SHAPE, "sizes differ", "axis %d", i);
    return GR_OK;
}

static gr_status gather_infer(const gr_call *c, gr_layout *out)
{
    int axis;
    const gr_status status = check_gather(c, &axis);
    if (status != GR_OK) return status;
    out->type = c->in[0]->type;
    out->ndim = c->in[1]->ndim;
    for (int i = 0; i < out->ndim; i++) out->dims[i] = c->in[1]->dims[i];
    return GR_OK;
}

static gr_status gather_forward(const gr_call *c)
{
    const gr_array *x = c->in[0], *y = c->out;
    const int axis = gr_call_axis(c, INDEX_OF(c)->axis, x->ndim);
    const blocks b = around(x, axis, axis + 1);
    const int64_t size = x->dims[axis], n = y->dims[axis];
    const size_t element = gr_type_size(x->type);
    for (int64_t k = 0; k < y->count; k++) {
        const int64_t at = position(c, k, size);
        if (at < 0) return GR_ERR_INDEX;
        const int64_t o = k / (n * b.inner), i = k % b.inner;
        memcpy((char *)y->data + (size_t)k * element,
               (const char *)x->data + (size_t)((o * size + at) * b.inner + i) * element, element);
    }
    return GR_OK;
}

static gr_tensor gather_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    const int axis = INDEX_OF(c)->axis;
    return gr_scatter_add(gy, axis, c->operands[1], gr_dim(c->operands[0], axis));
}

const gr_op gri_op_gather = {.name = "gather",
                             .arity = 2,
                             .attribute_bytes = sizeof(index_attributes),
                             .formula = "y[i] = x[index[i]]",
                             .infer = gather_infer,
                             .forward = gather_forward,
                             .vjp = gather_vjp,
                             .tangent = GR_TANGENT_LINEAR,
                             .flops = gri_flops_none};

gr_tensor gr_gather(gr_tensor x, int axis, gr_tensor index)
{
    return apply_indexed(&gri_op_gather, x, index, axis, 0);
}

/* ---- scatter_add: y[o, index[o, k, i], i] += x[o, k, i] ---- */

static gr_status scatter_add_infer(const gr_call *c, gr_layout *out)
{
    int axis;
    const gr_array *y = c->in[0];
    if (!gr_type_is_float(y->type)) return gr_call_fail(c, GR_ERR_TYPE, "needs f32 or f64", NULL);
    const gr_status status = check_gather(c, &axis);
    if (status != GR_OK) return status;
    if (y->dims[axis] != c->in[1]->dims[axis])
        return gr_call_fail(c, GR_ERR_SHAPE, "sizes differ", "axis %d", axis);
    if (INDEX_OF(c)->size < 0)
        return gr_call_fail(c, GR_ERR_SHAPE, "negative size", "%" PRId64, INDEX_OF(c)->size);
    out->type = y->type;
    out->ndim = y->ndim;
    for (int i = 0; i < out->ndim; i++) out->dims[i] = i == axis ? INDEX_OF(c)->size : y->dims[i];
    return GR_OK;
}

static gr_status scatter_add_forward(const gr_call *c)
{
    const gr_array *x = c->in[0], *y = c->out;
    const int axis = gr_call_axis(c, INDEX_OF(c)->axis, x->ndim);
    const blocks b = around(x, axis, axis + 1);
    const int64_t size = y->dims[axis], n = x->dims[axis];
    memset(y->data, 0, (size_t)y->count * gr_type_size(y->type));
    for (int64_t k = 0; k < x->count; k++) {
        const int64_t at = position(c, k, size);
        if (at < 0) return GR_ERR_INDEX;
        const int64_t o = k / (n * b.inner), i = k % b.inner;
        add_into(y->type, y->data, (o * size + at) * b.inner + i, x->data, k, 1);
    }
    return GR_OK;
}

static gr_tensor scatter_add_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    return gr_gather(gy, INDEX_OF(c)->axis, c->operands[1]);
}

const gr_op gri_op_scatter_add = {.name = "scatter_add",
                                  .arity = 2,
                                  .attribute_bytes = sizeof(index_attributes),
                                  .formula = "y[index[i]] += x[i]",
                                  .infer = scatter_add_infer,
                                  .forward = scatter_add_forward,
                                  .vjp = scatter_add_vjp,
                                  .tangent = GR_TANGENT_LINEAR,
                                  .flops = gri_flops_operand};

gr_tensor gr_scatter_add(gr_tensor y, int axis, gr_tensor index, int64_t size)
{
    return apply_indexed(&gri_op_scatter_add, y, index, axis, size);
}

/* ---- one_hot ---- */

typedef struct one_hot_attributes {
    int64_t classes;
    gr_type type;
} one_hot_attributes;

static gr_status one_hot_infer(const gr_call *c, gr_layout *out)
{
    const one_hot_attributes *k = c->attributes;
    const gr_array *x = c->in[0];
    if (x->type != GR_I32) return gr_call_fail(c, GR_ERR_TYPE, "labels must be i32", NULL);
    if (!gr_type_is_float(k->type))
        return gr_call_fail(c, GR_ERR_TYPE, "the result must be f32 or f64", NULL);
    if (k->classes < 0)
        return gr_call_fail(c, GR_ERR_ARGUMENT, "negative number of classes", "%" PRId64, k->classes);
    if (x->ndim == GR_MAX_NDIM)
        return gr_call_fail(c, GR_ERR_NDIM, "the result would have too many axes", NULL);
    out->type = k->type;
    out->ndim = x->ndim + 1;
    for (int i = 0; i < x->ndim; i++) out->dims[i] = x->dims[i];
    out->dims[x->ndim] = k->classes;
    return GR_OK;
}

static gr_status one_hot_forward(const gr_call *c)
{
    const one_hot_attributes *k = c->attributes;
    const gr_array *x = c->in[0], *y = c->out;
    const int32_t *labels = x->data;
    memset(y->data, 0, (size_t)y->count * gr_type_size(y->type));
    for (int64_t i = 0; i < x->count; i++) {
        if (labels[i] < 0 || labels[i] >= k->classes)
            return gr_call_fail(c, GR_ERR_INDEX, "label outside the classes",
                                "label %" PRId32 ", %" PRId64 " classes", labels[i], k->classes);
        if (y->type == GR_F32)
            ((float *)y->data)[i * k->classes + labels[i]] = 1;
        else
            ((double *)y->data)[i * k->classes + labels[i]] = 1;
    }
    return GR_OK;
}

const gr_op gri_op_one_hot = {.name = "one_hot",
                              .arity = 1,
                              .attribute_bytes = sizeof(one_hot_attributes),
                              .formula = "y[i, label_i] = 1, else 0",
                              .infer = one_hot_infer,
                              .forward = one_hot_forward,
                              .flops = gri_flops_none};

gr_tensor gr_one_hot(gr_tensor labels, int64_t classes, gr_type type)
{
    const one_hot_attributes k = {classes, type};
    return gri_apply1(&gri_op_one_hot, labels, &k);
}

/* ---- take_along_axis ---- */

/* The two shapes with axes of size 1, but for `axis`, repeated to the size of the other; false if they do not fit. */
static bool broadcast_beside(gr_shape *a, gr_shape *b, int axis)
{
    if (a->ndim != b->ndim) return false;
    for (int i = 0; i < a->ndim; i++) {
        if (i == axis || a->dims[i] == b->dims[i]) continue;
        if (a->dims[i] != 1 && b->dims[i] != 1) return false;
        if (a->dims[i] == 1)
            a->dims[i] = b->dims[i];
        else
            b->dims[i] = a->dims[i];
    }
    return true;
}

gr_tensor gr_take_along_axis(gr_tensor x, int axis, gr_tensor index)
{
    static const char name[] = "take_along_axis";
    const gr_array *a = gri_array_of(x, name), *i = a ? gri_array_of(index, name) : NULL;
    const int at = i ? gri_check_axis(x, name, axis, a->ndim) : -1;
    if (at < 0) return gri_invalid(x.graph);
    gr_shape from = gri_shape(a), places = gri_shape(i);
    if (!broadcast_beside(&from, &places, at)) {
        const gr_tensor operands[] = {x, index};
        GRI_NAMED_CALL(call, name, 2, operands);
        gr_call_fail(&call, GR_ERR_SHAPE, "shapes do not broadcast beside the axis", "axis %d", at);
        return gri_invalid(x.graph);
    }
    return gr_gather(gr_expand(x, from), at, gr_expand(index, places));
}

/* ---- embedding ---- */

/* A negative position is a mistake here, not one that counts from the end. */
static bool are_rows(gr_tensor weight, gr_tensor index, int64_t rows)
{
    if (gr_type_of(index) != GR_I32) return true; /* what index_select says */
    const int64_t n = gr_count(index);
    const int32_t *position = gr_data(gr_contiguous(index));
    for (int64_t i = 0; position && i < n; i++) {
        if (position[i] >= 0 && position[i] < rows) continue;
        const gr_tensor operands[] = {weight, index};
        GRI_NAMED_CALL(call, "embedding", 2, operands);
        gr_call_fail(&call, GR_ERR_INDEX, "position outside the rows",
                     "position %" PRId32 " of %" PRId64 " rows", position[i], rows);
        return false;
    }
    return position != NULL;
}

gr_tensor gr_embedding(gr_tensor weight, gr_tensor index, int64_t padding)
{
    const gr_array *w = gri_array_of(weight, "embedding"), *i = w ? gri_array_of(index, "embedding") : NULL;
    if (!i) return gri_invalid(weight.graph);
    const int64_t rows = w->ndim ? w->dims[0] : 0, pad = padding < 0 ? padding + rows : padding;
    gr_shape mask = gri_shape(i); /* an axis of size 1 for each that a row has */
    if (!are_rows(weight, index, rows)) return gri_invalid(weight.graph);
    const gr_tensor y = gr_index_select(weight, 0, index);
    if (padding == GR_NO_PADDING || !gr_is_valid(y)) return y;
    if (pad < 0 || pad >= rows) {
        gri_fail_about(weight.graph, GR_ERR_INDEX, gri_resolve(weight, "embedding"),
                       "embedding: row %" PRId64 " for padding", padding);
        return gri_invalid(weight.graph);
    }
    while (mask.ndim < gr_ndim(y)) mask.dims[mask.ndim++] = 1;
    const gr_tensor place = gr_full(weight.graph, GR_I32, GR_SCALAR, (double)pad);
    return gr_where(gr_reshape(gr_equal(index, place), mask), gr_detach(y), y);
}

/* ---- masked_fill, flatnonzero, masked_select ---- */

static bool is_mask_for(const char *name, gr_tensor x, gr_tensor mask, bool both)
{
    const gr_array *a = gri_array_of(x, name), *m = a ? gri_array_of(mask, name) : NULL;
    if (!m) return false;
    const gr_tensor operands[] = {x, mask};
    GRI_NAMED_CALL(call, name, 2, operands);
    if (m->type != GR_BOOL) {
        gr_call_fail(&call, GR_ERR_TYPE, "the mask must be bool", NULL);
        return false;
    }
    if (both || gri_broadcasts_to(m->ndim, m->dims, a->ndim, a->dims)) return true;
    gr_call_fail(&call, GR_ERR_SHAPE, "the mask does not broadcast to the operand", NULL);
    return false;
}

gr_tensor gr_masked_fill(gr_tensor x, gr_tensor mask, double value)
{
    if (!is_mask_for("masked_fill", x, mask, false)) return gri_invalid(x.graph);
    return gr_where(mask, gr_full(x.graph, gr_type_of(x), GR_SCALAR, value), x);
}

/* The primitive's operand is contiguous: its size depends on the elements, and infer reads them. */
static gr_status flatnonzero_infer(const gr_call *c, gr_layout *out)
{
    const gr_array *x = c->in[0];
    if (x->type != GR_BOOL) return gr_call_fail(c, GR_ERR_TYPE, "needs a mask of bool", NULL);
    if (x->count > INT32_MAX) return gr_call_fail(c, GR_ERR_OVERFLOW, "positions that i32 cannot hold", NULL);
    if (x->ndim != 1 || (x->count > 1 && x->strides[0] != 1))
        return gr_call_fail(c, GR_ERR_NDIM, "needs a contiguous vector", NULL);
    out->type = GR_I32;
    out->ndim = 1;
    out->dims[0] = 0;
    const uint8_t *mask = x->data;
    for (int64_t i = 0; i < x->count; i++) out->dims[0] += mask[i] != 0;
    return GR_OK;
}

static gr_status flatnonzero_forward(const gr_call *c)
{
    const uint8_t *mask = c->in[0]->data;
    int32_t *to = c->out->data;
    for (int64_t i = 0; i < c->in[0]->count; i++)
        if (mask[i]) *to++ = (int32_t)i;
    return GR_OK;
}

const gr_op gri_op_flatnonzero = {.name = "flatnonzero",
                                  .arity = 1,
                                  .strided = true,
                                  .formula = "y = each i with x_i",
                                  .infer = flatnonzero_infer,
                                  .forward = flatnonzero_forward,
                                  .flops = gri_flops_operand};

gr_tensor gr_flatnonzero(gr_tensor mask)
{
    return gri_apply1(&gri_op_flatnonzero, gr_contiguous(gr_reshape(mask, GR_SHAPE(-1))), NULL);
}

gr_tensor gr_masked_select(gr_tensor x, gr_tensor mask)
{
    if (!is_mask_for("masked_select", x, mask, true)) return gri_invalid(x.graph);
    gr_shape from = gri_shape(gri_array(x)), places = gri_shape(gri_array(mask));
    gr_shape *shorter = from.ndim < places.ndim ? &from : &places;
    const int ndim = from.ndim < places.ndim ? places.ndim : from.ndim;
    while (shorter->ndim < ndim) {
        memmove(shorter->dims + 1, shorter->dims, (size_t)shorter->ndim * sizeof *shorter->dims);
        shorter->dims[0] = 1;
        shorter->ndim++;
    }
    if (!broadcast_beside(&from, &places, -1)) {
        const gr_tensor operands[] = {x, mask};
        GRI_NAMED_CALL(call, "masked_select", 2, operands);
        gr_call_fail(&call, GR_ERR_SHAPE, "shapes do not broadcast", NULL);
        return gri_invalid(x.graph);
    }
    const gr_tensor all = gr_reshape(gr_expand(x, from), GR_SHAPE(-1));
    return gr_index_select(all, 0, gr_flatnonzero(gr_expand(mask, places)));
}
