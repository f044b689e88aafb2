/*
 * The matrix product. The primitive takes operands of at least two axes and broadcasts the leading ones; the
 * constructor gives 1-d operands a second axis, as NumPy does. Strided operands are read in place.
 */
#include "ops/axes.h"
#include "ops/matrix.h"
#include "ops/kernels/gemm.h"

#include <inttypes.h>

static gr_status matmul_infer(const gr_call *c, gr_layout *out)
{
    const gr_array *a = c->in[0], *b = c->in[1];
    if (a->type != b->type) return gr_call_fail(c, GR_ERR_TYPE, "types differ", NULL);
    if (!gr_type_is_float(a->type)) return gr_call_fail(c, GR_ERR_TYPE, "needs f32 or f64", NULL);
    if (a->ndim < 2 || b->ndim < 2)
        return gr_call_fail(c, GR_ERR_NDIM, "scalars have no matrix product", NULL);
    const int64_t m = a->dims[a->ndim - 2], k = a->dims[a->ndim - 1], n = b->dims[b->ndim - 1];
    if (k != b->dims[b->ndim - 2])
        return gr_call_fail(c, GR_ERR_SHAPE, "inner sizes differ", "%" PRId64 " vs %" PRId64, k,
                            b->dims[b->ndim - 2]);
    const gr_array a_lead = {.type = a->type, .ndim = a->ndim - 2, .dims = a->dims};
    const gr_array b_lead = {.type = b->type, .ndim = b->ndim - 2, .dims = b->dims};
    const gr_array *const leading[] = {&a_lead, &b_lead};
    gr_call call = *c;
    call.in = leading;
    const gr_status status = gr_infer_broadcast(&call, out);
    if (status != GR_OK) return status;
    out->dims[out->ndim++] = m;
    out->dims[out->ndim++] = n;
    return GR_OK;
}

/* y = a b, or y += a b: of two-dimensional matrices, or of stacks of them whose leading axes broadcast to y's. */
static gr_status multiply(const gr_call *c, const gr_array *a, const gr_array *b, const gr_array *y,
                          bool accumulate)
{
    if (y->count == 0) return GR_OK;
    const gr_graph *g = c->graph;
    const gri_gemm p = {.m = y->dims[y->ndim - 2],
                        .n = y->dims[y->ndim - 1],
                        .k = a->dims[a->ndim - 1],
                        .a_row = a->strides[a->ndim - 2],
                        .a_col = a->strides[a->ndim - 1],
                        .b_row = b->strides[b->ndim - 2],
                        .b_col = b->strides[b->ndim - 1],
                        .c_row = y->dims[y->ndim - 1],
                        .c_col = 1,
                        .accumulate = accumulate};
    const bool is_f32 = y->type == GR_F32;
    const size_t bytes = is_f32 ? gri_gemm_workspace_f32(g->isa, &p) : gri_gemm_workspace_f64(g->isa, &p);
    void *workspace = NULL;
    if (bytes && !(workspace = gr_call_scratch(c, bytes))) return g->status;
    const int64_t size = p.m * p.n, batches = y->ndim == 2 ? 1 : y->count / size;
    for (int64_t i = 0; i < batches; i++) {
        const int64_t at_a = batches > 1 ? gri_matrix_offset(a, y, i) : 0;
        const int64_t at_b = batches > 1 ? gri_matrix_offset(b, y, i) : 0;
        if (is_f32)
            gri_gemm_f32(g->isa, &p, (const float *)a->data + at_a, (const float *)b->data + at_b,
                         (float *)y->data + i * size, workspace, g->threads);
        else
            gri_gemm_f64(g->isa, &p, (const double *)a->data + at_a, (const double *)b->data + at_b,
                         (double *)y->data + i * size, workspace, g->threads);
    }
    return GR_OK;
}

static gr_status matmul_forward(const gr_call *c) { return multiply(c, c->in[0], c->in[1], c->out, false); }

/* An array with its last two axes swapped. */
typedef struct transposed {
    gr_array array;
    int64_t dims[GR_MAX_NDIM], strides[GR_MAX_NDIM];
} transposed;

static const gr_array *transpose(transposed *t, const gr_array *a)
{
    const int last = a->ndim - 1;
    t->array = *a;
    for (int axis = 0; axis <= last; axis++) {
        const int from = axis < last - 1 ? axis : axis == last ? last - 1 : last;
        t->dims[axis] = a->dims[from];
        t->strides[axis] = a->strides[from];
    }
    t->array.dims = t->dims;
    t->array.strides = t->strides;
    return &t->array;
}

/* Whether operand i, of the shape of `to`, has all the matrices of gy's stack. Not where they were broadcast: that needs
   a sum. */
static bool has_whole_stack(const gr_array *gy, const gr_array *to)
{
    if (to->ndim != gy->ndim) return false;
    for (int axis = 0; axis < to->ndim - 2; axis++)
        if (to->dims[axis] != gy->dims[axis]) return false;
    return true;
}

/* gy B' for operand 0, A' gy for operand 1, with `other` the other one. */
static bool pull_by(const gr_call *c, const gr_array *gy, const gr_array *other, int i, const gr_array *to,
                    bool accumulate)
{
    transposed t;
    if (i == 0) return multiply(c, gy, transpose(&t, other), to, accumulate) == GR_OK;
    return multiply(c, transpose(&t, other), gy, to, accumulate) == GR_OK;
}

/* The rule below without its views. */
static bool matmul_pull(const gr_call *c, const gr_array *gy, int i, const gr_array *to)
{
    return has_whole_stack(gy, to) && pull_by(c, gy, c->in[1 - i], i, to, false);
}

static bool matmul_pull_tangent(const gr_call *c, const gr_moving *m, int i, const gr_array *to)
{
    const gr_array *other = m->in_tangents[1 - i];
    if (!has_whole_stack(m->gy, to) || !other || !pull_by(c, m->gy, other, i, to, false)) return false;
    return !m->gy_tangent || pull_by(c, m->gy_tangent, c->in[1 - i], i, to, true);
}

/* Y = A B: gA = gY B', gB = A' gY. What batches repeated is summed by the engine. */
GRI_RULE2(matmul, gr_matmul(gy, gr_transpose(b, -2, -1)), gr_matmul(gr_transpose(a, -2, -1), gy))

static double matmul_flops(const gr_call *c)
{
    const gr_array *a = c->in[0];
    return 2 * (double)c->out->count * (double)a->dims[a->ndim - 1];
}

const gr_op gri_op_matmul = {.name = "matmul",
                             .arity = 2,
                             .strided = true,
                             .infix = "@",
                             .formula = "Y = A B",
                             .infer = matmul_infer,
                             .forward = matmul_forward,
                             .vjp = matmul_vjp,
                             .pull = matmul_pull,
                             .pull_tangent = matmul_pull_tangent,
                             .tangent = GR_TANGENT_LINEAR,
                             .flops = matmul_flops};

gr_tensor gr_matmul(gr_tensor a, gr_tensor b)
{
    const bool known = gr_is_valid(a) && gr_is_valid(b) && a.graph == b.graph;
    const int a_ndim = known ? gri_array(a)->ndim : 2, b_ndim = known ? gri_array(b)->ndim : 2;
    if (a_ndim != 1 && b_ndim != 1) return gri_apply2(&gri_op_matmul, a, b, NULL);
    const gr_array *x = gri_array(a), *w = gri_array(b);
    if (a_ndim > 0 && b_ndim > 0 && x->dims[a_ndim - 1] != w->dims[b_ndim > 1 ? b_ndim - 2 : 0]) {
        /* Reported here, with the shapes that the user knows. */
        const gr_tensor operands[] = {a, b};
        const gr_call call = {.graph = a.graph, .op = &gri_op_matmul, .n = 2, .operands = operands};
        gr_call_fail(&call, GR_ERR_SHAPE, "inner sizes differ", "%" PRId64 " vs %" PRId64,
                     x->dims[a_ndim - 1], w->dims[b_ndim > 1 ? b_ndim - 2 : 0]);
        return gri_invalid(a.graph);
    }
    const gr_tensor y = gri_apply2(&gri_op_matmul, a_ndim == 1 ? gr_unsqueeze(a, 0) : a,
                                   b_ndim == 1 ? gr_unsqueeze(b, 1) : b, NULL);
    if (a_ndim == 1 && b_ndim == 1) return gr_reshape(y, GR_SCALAR);
    return gr_squeeze(y, a_ndim == 1 ? GR_AXES(-2) : GR_AXES(-1));
}

/* ---- Of vectors ---- */

static bool are_vectors(const char *name, gr_tensor a, gr_tensor b)
{
    const gr_array *x = gri_array_of(a, name), *y = x ? gri_array_of(b, name) : NULL;
    if (!y) return false;
    if (x->ndim == 1 && y->ndim == 1) return true;
    const gr_tensor operands[] = {a, b};
    GRI_NAMED_CALL(call, name, 2, operands);
    gr_call_fail(&call, GR_ERR_NDIM, "needs two vectors", NULL);
    return false;
}

gr_tensor gr_dot(gr_tensor a, gr_tensor b)
{
    return are_vectors("dot", a, b) ? gr_matmul(a, b) : gri_invalid(a.graph ? a.graph : b.graph);
}

gr_tensor gr_outer(gr_tensor a, gr_tensor b)
{
    return are_vectors("outer", a, b) ? gr_mul(gr_unsqueeze(a, 1), b)
                                      : gri_invalid(a.graph ? a.graph : b.graph);
}
