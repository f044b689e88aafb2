/* Diagonals of matrices, as views, matrices of a diagonal, triangles, and what is made of them: traces, identities. */
#include "ops/axes.h"
#include "ops/kernels/copy.h"

#include <inttypes.h>
#include <string.h>

/* ---- diagonal, diag_embed ---- */

/* The diagonal of a matrix of rows and columns that starts in column `offset`, or, if that is negative, in row -offset. Both
   primitives work on the last two axes; each is the adjoint of the other. */
typedef struct diagonal_attributes {
    int64_t offset, rows, columns;
} diagonal_attributes;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t diagonal_length(const diagonal_attributes *k)
{
    if (k->offset >= 0) return k->offset >= k->columns ? 0 : least(k->rows, k->columns - k->offset);
    return k->offset <= -k->rows ? 0 : least(k->rows + k->offset, k->columns);
}

/* Where it starts in an array whose last axes are those of the matrix; in elements. */
static int64_t diagonal_start(const diagonal_attributes *k, const gr_array *matrix)
{
    if (diagonal_length(k) == 0) return 0;
    const int64_t *strides = matrix->strides + matrix->ndim - 2;
    return k->offset >= 0 ? k->offset * strides[1] : -k->offset * strides[0];
}

static gr_status diagonal_infer(const gr_call *c, gr_layout *out)
{
    const diagonal_attributes *k = c->attributes;
    const gr_array *x = c->in[0];
    out->type = x->type;
    out->ndim = x->ndim - 1;
    out->alias = 0;
    out->offset = diagonal_start(k, x);
    const int at = x->ndim - 2;
    for (int axis = 0; axis < at; axis++) {
        out->dims[axis] = x->dims[axis];
        out->strides[axis] = x->strides[axis];
    }
    out->dims[at] = diagonal_length(k);
    out->strides[at] = x->strides[at] + x->strides[at + 1];
    return GR_OK;
}

static gr_status diag_embed_infer(const gr_call *c, gr_layout *out)
{
    const diagonal_attributes *k = c->attributes;
    const gr_array *x = c->in[0];
    if (x->ndim == 0) return gr_call_fail(c, GR_ERR_NDIM, "needs at least one axis", NULL);
    if (x->ndim == GR_MAX_NDIM)
        return gr_call_fail(c, GR_ERR_NDIM, "the result would have too many axes", NULL);
    out->type = x->type;
    out->ndim = x->ndim + 1;
    for (int axis = 0; axis < x->ndim - 1; axis++) out->dims[axis] = x->dims[axis];
    out->dims[x->ndim - 1] = k->rows;
    out->dims[x->ndim] = k->columns;
    return GR_OK;
}

static gr_status diag_embed_forward(const gr_call *c)
{
    const diagonal_attributes *k = c->attributes;
    const gr_array *x = c->in[0], *y = c->out;
    const int at = x->ndim - 1;
    memset(y->data, 0, (size_t)y->count * gr_type_size(y->type));
    if (x->count == 0) return GR_OK;
    int64_t strides[GR_MAX_NDIM];
    for (int axis = 0; axis < at; axis++) strides[axis] = y->strides[axis];
    strides[at] = y->strides[at] + y->strides[at + 1];
    gr_array diagonal = *x;
    diagonal.data = (char *)y->data + diagonal_start(k, y) * (int64_t)gr_type_size(y->type);
    diagonal.strides = strides;
    gri_copy_strided(c->graph->threads, &diagonal, x);
    return GR_OK;
}

static gr_tensor diagonal_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    return gri_apply1(&gri_op_diag_embed, gy, c->attributes);
}
GRI_RULE1(diag_embed, gri_apply1(&gri_op_diagonal, gy, c->attributes))

const gr_op gri_op_diagonal = {.name = "diagonal",
                               .arity = 1,
                               .strided = true,
                               .attribute_bytes = sizeof(diagonal_attributes),
                               .formula = "y[i] = x[i, i + offset]",
                               .infer = diagonal_infer,
                               .vjp = diagonal_vjp,
                               .tangent = GR_TANGENT_LINEAR};
const gr_op gri_op_diag_embed = {.name = "diag_embed",
                                 .arity = 1,
                                 .strided = true,
                                 .attribute_bytes = sizeof(diagonal_attributes),
                                 .formula = "y[i, i + offset] = x[i], else 0",
                                 .infer = diag_embed_infer,
                                 .forward = diag_embed_forward,
                                 .vjp = diag_embed_vjp,
                                 .tangent = GR_TANGENT_LINEAR,
                                 .flops = gri_flops_none};

gr_tensor gr_diagonal(gr_tensor x, int64_t offset, int axis1, int axis2)
{
    const gr_array *a = gri_array_of(x, "diagonal");
    if (!a) return gri_invalid(x.graph);
    const int row = gri_check_axis(x, "diagonal", axis1, a->ndim);
    const int column = row < 0 ? -1 : gri_check_axis(x, "diagonal", axis2, a->ndim);
    if (column < 0) return gri_invalid(x.graph);
    if (row == column) {
        gri_fail_about(x.graph, GR_ERR_AXIS, gri_resolve(x, "diagonal"), "diagonal: axis %d is named twice",
                       row);
        return gri_invalid(x.graph);
    }
    const diagonal_attributes k = {offset, a->dims[row], a->dims[column]};
    gr_axes order = {.n = a->ndim};
    int at = 0;
    for (int axis = 0; axis < a->ndim; axis++)
        if (axis != row && axis != column) order.axis[at++] = axis;
    order.axis[at] = row;
    order.axis[at + 1] = column;
    const bool last = row == a->ndim - 2 && column == a->ndim - 1;
    return gri_apply1(&gri_op_diagonal, last ? x : gr_permute(x, order), &k);
}

gr_tensor gr_diag_embed(gr_tensor x, int64_t offset)
{
    const gr_array *a = gri_array_of(x, "diag_embed");
    if (!a) return gri_invalid(x.graph);
    const int64_t n = a->ndim ? a->dims[a->ndim - 1] : 0, most = INT64_MAX / 2;
    if (offset > most || offset < -most) {
        gri_fail_about(x.graph, GR_ERR_OVERFLOW, gri_resolve(x, "diag_embed"),
                       "diag_embed: an offset of %" PRId64, offset);
        return gri_invalid(x.graph);
    }
    const int64_t size = n + (offset < 0 ? -offset : offset);
    const diagonal_attributes k = {offset, size, size};
    return gri_apply1(&gri_op_diag_embed, x, &k);
}

gr_tensor gr_diag(gr_tensor x, int64_t offset)
{
    const gr_array *a = gri_array_of(x, "diag");
    if (!a) return gri_invalid(x.graph);
    if (a->ndim == 1) return gr_diag_embed(x, offset);
    if (a->ndim == 2) return gr_diagonal(x, offset, 0, 1);
    gri_fail_about(x.graph, GR_ERR_NDIM, gri_resolve(x, "diag"), "diag: needs a vector or a matrix");
    return gri_invalid(x.graph);
}

/* ---- Triangles ---- */

/* The elements at or above diagonal k, if `upper`, or those at or below it; zeros elsewhere, whatever stood there. */
static gr_tensor triangle(const char *name, gr_tensor x, int64_t k, bool upper)
{
    const gr_array *a = gri_array_of(x, name);
    if (!a) return gri_invalid(x.graph);
    if (a->ndim < 2) {
        gri_fail_about(x.graph, GR_ERR_NDIM, gri_resolve(x, name), "%s: needs at least two axes", name);
        return gri_invalid(x.graph);
    }
    const int64_t rows = a->dims[a->ndim - 2], columns = a->dims[a->ndim - 1];
    const gr_type type = a->type;
    const int64_t offset = k < -rows ? -rows : k > columns ? columns : k; /* beyond, nothing changes */
    const gr_tensor row = gr_unsqueeze(gr_arange(x.graph, GR_I32, rows, 0, 1), 1);
    const gr_tensor column = gr_arange(x.graph, GR_I32, columns, (double)-offset, 1);
    const gr_tensor keep = upper ? gr_less_equal(row, column) : gr_greater_equal(row, column);
    return gr_where(keep, x, gr_full(x.graph, type, GR_SCALAR, 0));
}

gr_tensor gr_triu(gr_tensor x, int64_t k) { return triangle("triu", x, k, true); }
gr_tensor gr_tril(gr_tensor x, int64_t k) { return triangle("tril", x, k, false); }

/* ---- trace, eye ---- */

gr_tensor gr_trace(gr_tensor a)
{
    const gr_array *x = gri_array_of(a, "trace");
    if (!x) return gri_invalid(a.graph);
    if (x->ndim >= 2) return gr_sum(gr_diagonal(a, 0, -2, -1), GR_AXES(-1), false);
    gri_fail_about(a.graph, GR_ERR_NDIM, gri_resolve(a, "trace"), "trace: needs at least two axes");
    return gri_invalid(a.graph);
}

gr_tensor gr_eye(gr_graph *g, gr_type type, int64_t rows, int64_t columns)
{
    const diagonal_attributes k = {0, rows, columns};
    const int64_t n = least(rows, columns); /* a negative size is an error of gr_ones */
    return gri_apply1(&gri_op_diag_embed, gr_ones(g, type, GR_SHAPE(n)), &k);
}
