/*
 * Systems of equations, inverses, determinants and factors of dense matrices.
 *
 * Each primitive factors its operand anew, also in its rule: nothing is kept from one call for another, so all of them are plain
 * functions of their operands. What is computed is f64, for f32, too. A matrix that has no inverse or no factor is an error, found
 * as a pivot of exactly 0; one that nearly has none is computed. Rules are made of matrix products, and keep to IEEE 754 as
 * these do.
 */
#include "ops/axes.h"
#include "ops/matrix.h"
#include "ops/kernels/factor.h"

#include <inttypes.h>
#include <string.h>

/* ---- Shapes ---- */

/* Whether a is of square matrices of floats. */
static gr_status check_square(const gr_call *c)
{
    const gr_array *a = c->in[0];
    if (!gr_type_is_float(a->type)) return gr_call_fail(c, GR_ERR_TYPE, "needs f32 or f64", NULL);
    if (a->ndim < 2) return gr_call_fail(c, GR_ERR_NDIM, "needs a matrix", NULL);
    const int64_t rows = a->dims[a->ndim - 2], columns = a->dims[a->ndim - 1];
    if (rows == columns) return GR_OK;
    return gr_call_fail(c, GR_ERR_SHAPE, "the matrix is not square", "%" PRId64 " by %" PRId64, rows,
                        columns);
}

static gr_status square_infer(const gr_call *c, gr_layout *out)
{
    const gr_status status = check_square(c);
    return status == GR_OK ? gr_infer_like(c, out, 0) : status;
}

/* a: [..., n, n], b: [..., n, k] -> [..., n, k] */
static gr_status system_infer(const gr_call *c, gr_layout *out)
{
    const gr_array *a = c->in[0], *b = c->in[1];
    if (a->type != b->type) return gr_call_fail(c, GR_ERR_TYPE, "types differ", NULL);
    const gr_status square = check_square(c);
    if (square != GR_OK) return square;
    if (b->ndim < 2) return gr_call_fail(c, GR_ERR_NDIM, "needs right-hand sides", NULL);
    const int64_t n = a->dims[a->ndim - 1], rows = b->dims[b->ndim - 2];
    if (n != rows)
        return gr_call_fail(c, GR_ERR_SHAPE, "numbers of equations differ", "%" PRId64 " vs %" PRId64, n,
                            rows);
    const gr_array a_lead = {.type = a->type, .ndim = a->ndim - 2, .dims = a->dims};
    const gr_array b_lead = {.type = b->type, .ndim = b->ndim - 2, .dims = b->dims};
    const gr_array *const leading[] = {&a_lead, &b_lead};
    gr_call call = *c;
    call.in = leading;
    const gr_status status = gr_infer_broadcast(&call, out);
    if (status != GR_OK) return status;
    out->dims[out->ndim++] = n;
    out->dims[out->ndim++] = b->dims[b->ndim - 1];
    return GR_OK;
}

/* ---- Matrices on their way to the kernels and back ---- */

GRI_LOOP1(widen_f32, double, float, (double)x)
GRI_LOOP1(narrow_f32, float, double, (float)x)
GRI_LOOP1(copy_f64, double, double, x)

/* The matrix at an offset in x, as dense rows of f64. */
static void load(const gr_call *c, const gr_array *x, int64_t offset, double *to)
{
    const int64_t *dims = x->dims + x->ndim - 2, strides[] = {dims[1], 1};
    const gr_array from = {.data = (char *)x->data + offset * (int64_t)gr_type_size(x->type),
                           .dims = dims,
                           .strides = x->strides + x->ndim - 2,
                           .count = dims[0] * dims[1],
                           .type = x->type,
                           .ndim = 2};
    const gr_array dense = {
        .data = to, .dims = dims, .strides = strides, .count = from.count, .type = GR_F64, .ndim = 2};
    const gr_array *const in[] = {&from};
    gri_map(c->graph->threads, x->type == GR_F32 ? widen_f32 : copy_f64, NULL, &dense, 1, in);
}

/* n numbers as those of the result from number `at` on. */
static void store(const gr_call *c, const double *from, int64_t n, int64_t at)
{
    const int64_t stride = 1;
    const gr_array dense = {.data = (void *)(uintptr_t)from,
                            .dims = &n,
                            .strides = &stride,
                            .count = n,
                            .type = GR_F64,
                            .ndim = 1};
    gr_array to = dense;
    to.type = c->out->type;
    to.data = (char *)c->out->data + at * (int64_t)gr_type_size(to.type);
    const gr_array *const in[] = {&dense};
    gri_map(c->graph->threads, to.type == GR_F32 ? narrow_f32 : copy_f64, NULL, &to, 1, in);
}

/* What a forward works with; of n equations and k right-hand sides. */
typedef struct workplace {
    gri_factor_context context;
    int64_t n, k;
    double *a, *b;
    int64_t *swaps;
} workplace;

/* Scratch memory for it, with `bytes` for the kernels; false, and the error set, if there is none. */
static bool furnish(const gr_call *c, int64_t n, int64_t k, size_t bytes, workplace *w)
{
    const size_t element = sizeof(double);
    *w = (workplace){.context = {.isa = c->graph->isa, .threads = c->graph->threads}, .n = n, .k = k};
    w->a = gr_call_scratch(c, (size_t)(n * n) * element);
    w->b = w->a ? gr_call_scratch(c, (size_t)(n * k) * element) : NULL;
    w->swaps = w->b ? gr_call_scratch(c, (size_t)n * sizeof *w->swaps) : NULL;
    w->context.workspace = w->swaps ? gr_call_scratch(c, bytes) : NULL;
    return w->context.workspace != NULL;
}

/* The factors of a matrix, whose number is for the message. */
static gr_status factor(const gr_call *c, const workplace *w, int64_t number)
{
    const int64_t step = gri_lu(&w->context, w->n, w->a, w->swaps);
    if (step < 0) return GR_OK;
    return gr_call_fail(c, GR_ERR_SINGULAR, "the matrix is singular",
                        "matrix %" PRId64 ", no pivot in column %" PRId64, number, step);
}

static gri_triangle factor_triangle(const workplace *w, bool upper)
{
    return (gri_triangle){.t = w->a, .row = w->n, .col = 1, .upper = upper, .unit = !upper};
}

static size_t largest(size_t a, size_t b) { return a > b ? a : b; }

/* For factors and systems with them. */
static size_t system_workspace(gri_isa isa, int64_t n, int64_t k)
{
    size_t bytes = gri_lu_workspace(isa, n);
    for (int upper = 0; upper < 2; upper++) {
        const gri_triangle t = {.row = n, .col = 1, .upper = upper, .unit = !upper};
        bytes = largest(bytes, gri_solve_triangle_workspace(isa, n, k, t));
    }
    return bytes;
}

/* b = A^-1 b, by the factors. */
static void solve_factored(const workplace *w)
{
    for (int64_t i = 0; i < w->n; i++) {
        double *x = w->b + i * w->k, *y = w->b + w->swaps[i] * w->k;
        for (int64_t c = 0; c < w->k && x != y; c++) {
            const double t = x[c];
            x[c] = y[c];
            y[c] = t;
        }
    }
    gri_solve_triangle(&w->context, w->n, w->k, factor_triangle(w, false), w->b);
    gri_solve_triangle(&w->context, w->n, w->k, factor_triangle(w, true), w->b);
}

static gr_tensor transposed(gr_tensor x) { return gr_transpose(x, -2, -1); }

/* Costs of a matrix or system, times how many there are. */
static double matrices(const gr_array *x)
{
    const double n = (double)x->dims[x->ndim - 2] * (double)x->dims[x->ndim - 1];
    return n > 0 ? (double)x->count / n : 0;
}
static double order_cubed(const gr_array *a)
{
    const double n = (double)a->dims[a->ndim - 1];
    return n * n * n;
}

/* ---- solve ---- */

static gr_status solve_forward(const gr_call *c)
{
    const gr_array *a = c->in[0], *b = c->in[1], *y = c->out;
    const int64_t n = y->dims[y->ndim - 2], k = y->dims[y->ndim - 1];
    workplace w;
    if (y->count == 0) return GR_OK;
    if (!furnish(c, n, k, system_workspace(c->graph->isa, n, k), &w)) return c->graph->status;
    int64_t factored = -1;
    for (int64_t i = 0; i < y->count / (n * k); i++) {
        const int64_t at = gri_matrix_offset(a, y, i);
        if (i == 0 || at != factored) { /* else it was repeated: its factors are there */
            load(c, a, at, w.a);
            if (factor(c, &w, i) != GR_OK) return GR_ERR_SINGULAR;
            factored = at;
        }
        load(c, b, gri_matrix_offset(b, y, i), w.b);
        solve_factored(&w);
        store(c, w.b, n * k, i * n * k);
    }
    return GR_OK;
}

/* A X = B: gB = A'^-1 gX, gA = -gB X'. */
static gr_status solve_vjp_all(const gr_call *c, gr_tensor gy, const bool *needed, gr_tensor *contributions)
{
    const gr_tensor gb = gri_apply2(&gri_op_solve, transposed(c->operands[0]), gy, NULL);
    if (needed[0]) contributions[0] = gr_neg(gr_matmul(gb, transposed(c->output)));
    if (needed[1]) contributions[1] = gb;
    return gr_graph_status(c->graph);
}

static double solve_flops(const gr_call *c)
{
    const gr_array *a = c->in[0], *y = c->out;
    return matrices(a) * order_cubed(a) * 2 / 3 + 2 * (double)y->count * (double)a->dims[a->ndim - 1];
}

const gr_op gri_op_solve = {.name = "solve",
                            .arity = 2,
                            .strided = true,
                            .formula = "Y = A^-1 B",
                            .infer = system_infer,
                            .forward = solve_forward,
                            .vjp_all = solve_vjp_all,
                            .flops = solve_flops};

/* A system with a vector on its right is one with a matrix of one column. */
static gr_tensor apply_system(const gr_op *op, gr_tensor a, gr_tensor b, const void *attributes)
{
    const gr_array *right = gr_is_valid(b) ? gri_array(b) : NULL;
    if (!right || right->ndim != 1) return gri_apply2(op, a, b, attributes);
    return gr_squeeze(gri_apply2(op, a, gr_unsqueeze(b, 1), attributes), GR_AXES(-1));
}

gr_tensor gr_solve(gr_tensor a, gr_tensor b) { return apply_system(&gri_op_solve, a, b, NULL); }

/* ---- solve_triangular ---- */

typedef struct triangular_attributes {
    unsigned flags;
} triangular_attributes;

static unsigned flags_of(const gr_call *c) { return ((const triangular_attributes *)c->attributes)->flags; }

/* The system as the kernel sees it: a transposed upper triangle is a lower one. */
static gri_triangle triangle_of(unsigned flags, int64_t n, const double *a)
{
    const bool upper = flags & GR_UPPER, across = flags & GR_TRANSPOSED;
    return (gri_triangle){.t = a,
                          .row = across ? 1 : n,
                          .col = across ? n : 1,
                          .upper = upper != across,
                          .unit = flags & GR_UNIT_DIAGONAL};
}

static gr_status check_diagonal(const gr_call *c, const workplace *w, int64_t number)
{
    for (int64_t i = 0; i < w->n && !(flags_of(c) & GR_UNIT_DIAGONAL); i++)
        if (w->a[i * (w->n + 1)] == 0)
            return gr_call_fail(c, GR_ERR_SINGULAR, "the matrix is singular",
                                "matrix %" PRId64 ", element %" PRId64 " of the diagonal is 0", number, i);
    return GR_OK;
}

static gr_status solve_triangular_forward(const gr_call *c)
{
    const gr_array *a = c->in[0], *b = c->in[1], *y = c->out;
    const int64_t n = y->dims[y->ndim - 2], k = y->dims[y->ndim - 1];
    const unsigned flags = flags_of(c);
    workplace w;
    if (y->count == 0) return GR_OK;
    const size_t bytes = gri_solve_triangle_workspace(c->graph->isa, n, k, triangle_of(flags, n, NULL));
    if (!furnish(c, n, k, bytes, &w)) return c->graph->status;
    for (int64_t i = 0; i < y->count / (n * k); i++) {
        load(c, a, gri_matrix_offset(a, y, i), w.a);
        if (check_diagonal(c, &w, i) != GR_OK) return GR_ERR_SINGULAR;
        load(c, b, gri_matrix_offset(b, y, i), w.b);
        gri_solve_triangle(&w.context, n, k, triangle_of(flags, n, w.a), w.b);
        store(c, w.b, n * k, i * n * k);
    }
    return GR_OK;
}

/* As for solve, of the triangle alone. */
static gr_status solve_triangular_vjp_all(const gr_call *c, gr_tensor gy, const bool *needed,
                                          gr_tensor *contributions)
{
    const unsigned flags = flags_of(c);
    const triangular_attributes across = {flags ^ GR_TRANSPOSED};
    const gr_tensor x = c->output;
    const gr_tensor gb = gri_apply2(&gri_op_solve_triangular, c->operands[0], gy, &across);
    if (needed[1]) contributions[1] = gb;
    if (!needed[0]) return gr_graph_status(c->graph);
    const gr_tensor ga = flags & GR_TRANSPOSED ? gr_matmul(x, transposed(gb)) : gr_matmul(gb, transposed(x));
    const int64_t inside = flags & GR_UNIT_DIAGONAL ? 1 : 0;
    contributions[0] = gr_neg(flags & GR_UPPER ? gr_triu(ga, inside) : gr_tril(ga, -inside));
    return gr_graph_status(c->graph);
}

static double solve_triangular_flops(const gr_call *c)
{
    return (double)c->out->count * (double)c->in[0]->dims[c->in[0]->ndim - 1];
}

const gr_op gri_op_solve_triangular = {.name = "solve_triangular",
                                       .arity = 2,
                                       .strided = true,
                                       .attribute_bytes = sizeof(triangular_attributes),
                                       .formula = "Y = T^-1 B, T a triangle of A",
                                       .infer = system_infer,
                                       .forward = solve_triangular_forward,
                                       .vjp_all = solve_triangular_vjp_all,
                                       .flops = solve_triangular_flops};

gr_tensor gr_solve_triangular(gr_tensor a, gr_tensor b, unsigned flags)
{
    const triangular_attributes k = {flags};
    if (flags <= (GR_UPPER | GR_TRANSPOSED | GR_UNIT_DIAGONAL))
        return apply_system(&gri_op_solve_triangular, a, b, &k);
    gri_fail(a.graph, GR_ERR_ARGUMENT, "solve_triangular: flags %u", flags);
    return gri_invalid(a.graph);
}

/* ---- inv ---- */

/* A primitive, though it is solve with the identity: its rule needs no factors, and for their price has one product less. */

static gr_status inv_forward(const gr_call *c)
{
    const gr_array *a = c->in[0], *y = c->out;
    const int64_t n = y->dims[y->ndim - 1];
    workplace w;
    if (y->count == 0) return GR_OK;
    if (!furnish(c, n, n, system_workspace(c->graph->isa, n, n), &w)) return c->graph->status;
    for (int64_t i = 0; i < y->count / (n * n); i++) {
        load(c, a, gri_matrix_offset(a, y, i), w.a);
        if (factor(c, &w, i) != GR_OK) return GR_ERR_SINGULAR;
        memset(w.b, 0, (size_t)(n * n) * sizeof *w.b);
        for (int64_t j = 0; j < n; j++) w.b[j * (n + 1)] = 1;
        solve_factored(&w);
        store(c, w.b, n * n, i * n * n);
    }
    return GR_OK;
}

/* gA = -Y' gY Y' */
GRI_RULE1(inv, gr_neg(gr_matmul(gr_matmul(transposed(y), gy), transposed(y))))
static double inv_flops(const gr_call *c) { return 2 * matrices(c->in[0]) * order_cubed(c->in[0]); }
const gr_op gri_op_inv = {.name = "inv",
                          .arity = 1,
                          .strided = true,
                          .formula = "Y = A^-1",
                          .infer = square_infer,
                          .forward = inv_forward,
                          .vjp = inv_vjp,
                          .flops = inv_flops};

gr_tensor gr_inv(gr_tensor a) { return gri_apply1(&gri_op_inv, a, NULL); }

/* ---- slogdet, logdet, det ---- */

/* [..., n, n] -> [..., 2]: the sign of the determinant, and the logarithm of its size. One primitive, for both come from the
   same factors. */
static gr_status slogdet_infer(const gr_call *c, gr_layout *out)
{
    const gr_status status = square_infer(c, out);
    if (status != GR_OK) return status;
    out->ndim--;
    out->dims[out->ndim - 1] = 2;
    return GR_OK;
}

static gr_status slogdet_forward(const gr_call *c)
{
    const gr_array *a = c->in[0];
    const int64_t n = a->dims[a->ndim - 1];
    workplace w;
    if (!furnish(c, n, 0, gri_lu_workspace(c->graph->isa, n), &w)) return c->graph->status;
    const gr_array out = {.ndim = a->ndim, .dims = a->dims}; /* leading axes count matrices */
    for (int64_t i = 0; i < c->out->count / 2; i++) {
        load(c, a, gri_matrix_offset(a, &out, i), w.a);
        if (factor(c, &w, i) != GR_OK) return GR_ERR_SINGULAR;
        double result[2] = {1, 0};
        for (int64_t j = 0; j < n; j++) {
            const double pivot = w.a[j * (n + 1)];
            if ((pivot < 0) != (w.swaps[j] != j)) result[0] = -result[0];
            result[1] += log(fabs(pivot));
        }
        if (isnan(result[1])) result[0] = result[1];
        store(c, result, 2, 2 * i);
    }
    return GR_OK;
}

/* The cotangent of the logarithm times A'^-1; the sign is a step. */
static gr_tensor slogdet_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    const gr_tensor factor = gr_unsqueeze(gr_slice(gy, -1, 1, 2, 1), -1); /* [..., 1, 1] */
    return gr_chain_mul(factor, transposed(gr_inv(c->operands[0])));
}
static double slogdet_flops(const gr_call *c) { return matrices(c->in[0]) * order_cubed(c->in[0]) * 2 / 3; }
const gr_op gri_op_slogdet = {.name = "slogdet",
                              .arity = 1,
                              .strided = true,
                              .formula = "y = sign det A, ln |det A|",
                              .infer = slogdet_infer,
                              .forward = slogdet_forward,
                              .vjp = slogdet_vjp,
                              .flops = slogdet_flops};

/* The parts of it: 0, the sign, which is constant; 1, the logarithm. */
static gr_tensor sign_of(gr_tensor both) { return gr_detach(gr_select(both, -1, 0)); }
static gr_tensor logarithm_of(gr_tensor both) { return gr_select(both, -1, 1); }

gr_status gr_slogdet(gr_tensor a, gr_tensor *sign, gr_tensor *logarithm)
{
    const gr_tensor both = gri_apply1(&gri_op_slogdet, a, NULL);
    const gr_tensor s = sign_of(both), l = logarithm_of(both);
    const bool valid = gr_is_valid(s) && gr_is_valid(l);
    if (sign) *sign = valid ? s : gri_invalid(a.graph);
    if (logarithm) *logarithm = valid ? l : gri_invalid(a.graph);
    return valid ? GR_OK : a.graph ? a.graph->status : GR_ERR_HANDLE;
}

gr_tensor gr_logdet(gr_tensor a)
{
    const gr_tensor both = gri_apply1(&gri_op_slogdet, a, NULL);
    return gr_add(logarithm_of(both), gr_log(sign_of(both)));
}

/* [..., n, n] -> bool [..., 1, 1]: whether a matrix has a pivot that is exactly 0. */
static gr_status is_singular_infer(const gr_call *c, gr_layout *out)
{
    const gr_status status = square_infer(c, out);
    out->type = GR_BOOL;
    if (status == GR_OK) out->dims[out->ndim - 1] = out->dims[out->ndim - 2] = 1;
    return status;
}

static gr_status is_singular_forward(const gr_call *c)
{
    const gr_array *a = c->in[0];
    const int64_t n = a->dims[a->ndim - 1];
    uint8_t *singular = c->out->data;
    workplace w;
    if (!furnish(c, n, 0, gri_lu_workspace(c->graph->isa, n), &w)) return c->graph->status;
    const gr_array out = {.ndim = a->ndim, .dims = a->dims}; /* leading axes count matrices */
    for (int64_t i = 0; i < c->out->count; i++) {
        load(c, a, gri_matrix_offset(a, &out, i), w.a);
        singular[i] = gri_lu(&w.context, n, w.a, w.swaps) >= 0;
    }
    return GR_OK;
}
const gr_op gri_op_is_singular = {.name = "is_singular",
                                  .arity = 1,
                                  .strided = true,
                                  .formula = "y = (det A = 0)",
                                  .infer = is_singular_infer,
                                  .forward = is_singular_forward,
                                  .flops = slogdet_flops};

/* The determinant as a polynomial, by n products of matrices and no division (Bird, "A simple division-free algorithm for
   computing determinants", 2011): its derivatives are exact where there are no factors that could tell them. */
static gr_tensor det_without_division(gr_tensor a)
{
    const int64_t n = gr_dim(a, -1);
    const gr_tensor later = gr_tril(gr_full(a.graph, gr_type_of(a), GR_SHAPE(n, n), -1), -1);
    gr_tensor f = a;
    for (int64_t i = 1; i < n && gr_is_valid(f); i++) {
        const gr_tensor diagonal = gr_unsqueeze(gr_diagonal(f, 0, -2, -1), -2);
        const gr_tensor below = gr_squeeze(gr_matmul(diagonal, later), GR_AXES(-2));
        f = gr_matmul(gr_add(gr_triu(f, 1), gr_diag_embed(below, 0)), a);
    }
    const gr_tensor corner = gr_select(gr_select(f, -1, 0), -1, 0);
    return n % 2 ? corner : gr_neg(corner);
}

/* Of a singular matrix the value is 0, whatever the polynomial was rounded to. The other way takes the identity in its place. */
static gr_tensor det_of_singular(gr_tensor a, gr_tensor singular)
{
    const int64_t n = gr_dim(a, -1);
    const gr_type type = gr_type_of(a);
    const gr_tensor rest = gr_where(singular, gr_eye(a.graph, type, n, n), a);
    const gr_tensor polynomial = det_without_division(gr_where(singular, a, gr_scalar(a.graph, type, 0)));
    const gr_tensor slope = gr_sub(polynomial, gr_detach(polynomial));
    return gr_where(gr_squeeze(singular, GR_AXES(-2, -1)), slope, gr_det(rest));
}

/* Whether it is float matrices with as many rows as columns; false, and the error set under the name of the call, if not. */
static bool are_square(const char *name, gr_tensor a)
{
    const gr_array *array = gri_array_of(a, name);
    if (!array) return false;
    const gr_op label = {.name = name};
    const gr_array *const in[] = {array};
    const gr_call call = {.graph = a.graph, .op = &label, .n = 1, .operands = &a, .in = in};
    gr_layout layout;
    return square_infer(&call, &layout) == GR_OK;
}

gr_tensor gr_det(gr_tensor a)
{
    if (!are_square("det", a)) return gri_invalid(a.graph);
    const gr_tensor singular = gri_apply1(&gri_op_is_singular, a, NULL);
    const gr_tensor any = gr_any(singular, GR_ALL_AXES, false);
    if (!gr_is_valid(any)) return gri_invalid(a.graph);
    if (gr_item(any) != 0) return det_of_singular(a, singular);
    const gr_tensor both = gri_apply1(&gri_op_slogdet, a, NULL);
    return gr_mul(sign_of(both), gr_exp(logarithm_of(both)));
}

/* ---- cholesky ---- */

static gr_status cholesky_forward(const gr_call *c)
{
    const gr_array *a = c->in[0], *y = c->out;
    const int64_t n = y->dims[y->ndim - 1];
    workplace w;
    if (y->count == 0) return GR_OK;
    if (!furnish(c, n, n, gri_cholesky_workspace(c->graph->isa, n), &w)) return c->graph->status;
    for (int64_t i = 0; i < y->count / (n * n); i++) {
        load(c, a, gri_matrix_offset(a, y, i), w.b);
        for (int64_t row = 0; row < n; row++)
            for (int64_t j = 0; j <= row; j++) w.a[row * n + j] = (w.b[row * n + j] + w.b[j * n + row]) / 2;
        double pivot = 0;
        const int64_t failed = gri_cholesky(&w.context, n, w.a, &pivot);
        if (failed >= 0)
            return gr_call_fail(c, GR_ERR_SINGULAR, "the matrix is not positive definite",
                                "matrix %" PRId64 ", pivot %" PRId64 " is %g", i, failed, pivot);
        for (int64_t row = 0; row < n; row++)
            memset(w.a + row * n + row + 1, 0, (size_t)(n - row - 1) * sizeof *w.a);
        store(c, w.a, n * n, i * n * n);
    }
    return GR_OK;
}

/* gA = (S + S') / 2, S = L'^-1 P L^-1, where P is the lower triangle of L' gL with half its diagonal (Murray, "Differentiation of
   the Cholesky decomposition", 2016). */
static gr_tensor cholesky_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    const gr_tensor l = c->output, product = gr_matmul(transposed(l), gy);
    const gr_tensor p = gr_scale(gr_add(gr_tril(product, 0), gr_tril(product, -1)), 0.5);
    const gr_tensor left = gr_solve_triangular(l, p, GR_TRANSPOSED);
    const gr_tensor s = gr_solve_triangular(l, transposed(left), GR_TRANSPOSED); /* S', which is as good */
    return gr_scale(gr_add(s, transposed(s)), 0.5);
}
static double cholesky_flops(const gr_call *c) { return matrices(c->in[0]) * order_cubed(c->in[0]) / 3; }
const gr_op gri_op_cholesky = {.name = "cholesky",
                               .arity = 1,
                               .strided = true,
                               .formula = "A = L L'",
                               .infer = square_infer,
                               .forward = cholesky_forward,
                               .vjp = cholesky_vjp,
                               .flops = cholesky_flops};

gr_tensor gr_cholesky(gr_tensor a) { return gri_apply1(&gri_op_cholesky, a, NULL); }
