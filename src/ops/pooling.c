/*
 * Pooling. Primitives for speed: as compositions they would unroll the windows.
 *
 * Which element is the largest of a window does not change with small changes of it, so max_pool2d is, for its
 * rule, a choice of elements: the rule finds their positions and is gr_scatter_add, whose rules go on. A mean
 * is linear: avg_pool2d and its adjoint are the rules of each other, to any order. All take any number of axes
 * before the plane.
 */
#include "ops/ops.h"
#include "ops/kernels/pooling.h"

#include <inttypes.h>
#include <string.h>

typedef struct pool_attributes {
    int64_t kernel[2], stride[2], padding[2], dilation[2];
    int64_t result[2]; /* of an adaptive one */
    int64_t size[2];   /* of the planes of x, for the adjoint */
    int64_t divisor;
    bool adaptive, ceil_mode, exclude_padding;
} pool_attributes;

enum { AXES = 2 };
/* No size beyond this, so that sums and products of sizes do not overflow. */
static const int64_t MOST = (int64_t)1 << 30;

/* ---- Sizes ---- */

static gr_status check_attributes(const gr_call *c, const pool_attributes *k)
{
    for (int a = 0; a < AXES; a++) {
        if (k->adaptive && (k->result[a] < 1 || k->result[a] > MOST))
            return gr_call_fail(c, GR_ERR_ARGUMENT, "the result needs a size", "%" PRId64, k->result[a]);
        if (k->adaptive) continue;
        if (k->kernel[a] < 1 || k->kernel[a] > MOST)
            return gr_call_fail(c, GR_ERR_ARGUMENT, "the window needs a size, of both axes", "%" PRId64,
                                k->kernel[a]);
        if (k->stride[a] < 1 || k->dilation[a] < 1)
            return gr_call_fail(c, GR_ERR_ARGUMENT,
                                "stride and dilation must be positive, of both axes or left 0",
                                "stride %" PRId64 ", dilation %" PRId64, k->stride[a], k->dilation[a]);
        if (k->stride[a] > MOST || k->dilation[a] > MOST / k->kernel[a])
            return gr_call_fail(c, GR_ERR_OVERFLOW, "too large a stride or dilation", NULL);
        const int64_t reach = k->dilation[a] * (k->kernel[a] - 1) + 1;
        if (k->padding[a] < 0 || k->padding[a] > reach / 2)
            return gr_call_fail(c, GR_ERR_ARGUMENT, "the padding must be within half of the window",
                                "%" PRId64 " of %" PRId64, k->padding[a], reach);
    }
    return GR_OK;
}

/* Whether each window holds an element: with a dilation some may see padding alone. */
static bool sees_something(const gri_pool_axis *a)
{
    for (int64_t r = 0; r < a->result; r++) {
        bool found = false;
        for (int64_t i = 0; i < a->kernel && !found; i++) {
            const int64_t at = r * a->stride - a->padding + i * a->dilation;
            found = at >= 0 && at < a->size;
        }
        if (!found) return false;
    }
    return true;
}

/* One axis of planes of that size: how many windows there are. */
static gr_status settle_axis(const gr_call *c, const pool_attributes *k, int a, int64_t size,
                             gri_pool_axis *axis)
{
    *axis = (gri_pool_axis){.size = size,
                            .result = k->result[a],
                            .kernel = k->kernel[a],
                            .stride = k->stride[a],
                            .padding = k->padding[a],
                            .dilation = k->dilation[a],
                            .adaptive = k->adaptive,
                            .exclude_padding = k->exclude_padding,
                            .divisor = k->divisor == 0 ? 0
                                       : a == 0        ? k->divisor
                                                       : 1};
    if (size < 1) return gr_call_fail(c, GR_ERR_SHAPE, "the planes have no elements", NULL);
    if (size > MOST) return gr_call_fail(c, GR_ERR_OVERFLOW, "the planes are too large", NULL);
    if (k->adaptive) return GR_OK;
    const int64_t reach = k->dilation[a] * (k->kernel[a] - 1) + 1, room = size + 2 * k->padding[a] - reach;
    if (room < 0)
        return gr_call_fail(c, GR_ERR_SHAPE, "the window is larger than the padded plane",
                            "axis %d: %" PRId64 " vs %" PRId64, a - AXES, reach, size + 2 * k->padding[a]);
    axis->result = (room + (k->ceil_mode ? k->stride[a] - 1 : 0)) / k->stride[a] + 1;
    if ((axis->result - 1) * k->stride[a] >= size + k->padding[a])
        axis->result--; /* begins in the padding behind */
    if (!sees_something(axis))
        return gr_call_fail(c, GR_ERR_SHAPE, "a window holds nothing but padding", "axis %d", a - AXES);
    return GR_OK;
}

static gr_status settle(const gr_call *c, gri_pool *p, bool backwards)
{
    const pool_attributes *k = c->attributes;
    const gr_array *x = c->in[0];
    if (!gr_type_is_float(x->type)) return gr_call_fail(c, GR_ERR_TYPE, "needs f32 or f64", NULL);
    if (x->ndim < AXES) return gr_call_fail(c, GR_ERR_NDIM, "needs planes: at least two axes", NULL);
    *p = (gri_pool){.planes = 1, .is_f64 = x->type == GR_F64};
    gr_status status = check_attributes(c, k);
    for (int i = 0; i < x->ndim - AXES; i++) p->planes = x->count ? p->planes * x->dims[i] : 0;
    for (int a = 0; a < AXES && status == GR_OK; a++) {
        const int64_t own = x->dims[x->ndim - AXES + a];
        status = settle_axis(c, k, a, backwards ? k->size[a] : own, &p->axis[a]);
        if (status == GR_OK && backwards && own != p->axis[a].result)
            status = gr_call_fail(c, GR_ERR_SHAPE, "the sizes are not those of the windows", NULL);
    }
    return status;
}

static gr_status infer(const gr_call *c, gr_layout *out, bool backwards)
{
    gri_pool p;
    const gr_status status = settle(c, &p, backwards);
    if (status != GR_OK) return status;
    gr_infer_like(c, out, 0);
    for (int a = 0; a < AXES; a++)
        out->dims[out->ndim - AXES + a] = backwards ? p.axis[a].size : p.axis[a].result;
    return GR_OK;
}

static gr_status pool_infer(const gr_call *c, gr_layout *out) { return infer(c, out, false); }

/* A pass over the elements of all windows. */
static double pool_flops(const gr_call *c)
{
    gri_pool p;
    if (settle(c, &p, false) != GR_OK) return 0;
    double each = 1;
    for (int a = 0; a < AXES; a++)
        each *= p.axis[a].adaptive ? (double)p.axis[a].size / (double)p.axis[a].result
                                   : (double)p.axis[a].kernel;
    return each * (double)c->out->count;
}

/* ---- The largest ---- */

static gr_status max_pool2d_infer(const gr_call *c, gr_layout *out)
{
    const gr_status status = pool_infer(c, out);
    const gr_array *x = c->in[0];
    if (status == GR_OK && x->dims[x->ndim - 2] > INT32_MAX / x->dims[x->ndim - 1])
        return gr_call_fail(c, GR_ERR_OVERFLOW, "planes of more elements than i32 can count", NULL);
    return status;
}

static gr_status max_pool2d_index_infer(const gr_call *c, gr_layout *out)
{
    const gr_status status = max_pool2d_infer(c, out);
    out->type = GR_I32;
    return status;
}

static gr_status max_pool2d_forward(const gr_call *c)
{
    gri_pool p;
    const gr_status status = settle(c, &p, false);
    if (status == GR_OK) gri_max_pool(c->graph->threads, &p, c->in[0]->data, c->out->data, NULL);
    return status;
}

static gr_status max_pool2d_index_forward(const gr_call *c)
{
    gri_pool p;
    const gr_status status = settle(c, &p, false);
    if (status == GR_OK) gri_max_pool(c->graph->threads, &p, c->in[0]->data, NULL, c->out->data);
    return status;
}

const gr_op gri_op_max_pool2d_index = {.name = "max_pool2d_index",
                                       .arity = 1,
                                       .attribute_bytes = sizeof(pool_attributes),
                                       .formula = "y = where in its plane the largest x of the window is",
                                       .infer = max_pool2d_index_infer,
                                       .forward = max_pool2d_index_forward,
                                       .flops = pool_flops};

/* t with its planes as rows. */
static gr_tensor rows_of(gr_tensor t)
{
    gr_shape shape = gr_shape_of(t);
    if (shape.ndim < AXES) return t; /* an invalid one */
    shape.dims[shape.ndim - 2] *= shape.dims[shape.ndim - 1];
    shape.ndim--;
    return gr_reshape(t, shape);
}

static gr_tensor max_pool2d_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    const gr_tensor x = c->operands[0];
    const gr_tensor positions = gri_apply1(&gri_op_max_pool2d_index, gr_detach(x), c->attributes);
    const int64_t size = gr_dim(x, -1) * gr_dim(x, -2);
    return gr_reshape(gr_scatter_add(rows_of(gy), -1, rows_of(positions), size), gr_shape_of(x));
}

static bool contiguous(const gr_array *a) { return gri_is_contiguous(a->ndim, a->dims, a->strides); }

/* Without the tensor of positions: finding them again costs as much as keeping them. */
static bool max_pool2d_pull(const gr_call *c, const gr_array *gy, int i, const gr_array *to)
{
    (void)i;
    gri_pool p;
    if (!contiguous(c->in[0]) || !contiguous(gy) || settle(c, &p, false) != GR_OK) return false;
    gri_max_pool_back(c->graph->threads, &p, c->in[0]->data, gy->data, to->data);
    return true;
}

const gr_op gri_op_max_pool2d = {.name = "max_pool2d",
                                 .arity = 1,
                                 .attribute_bytes = sizeof(pool_attributes),
                                 .formula = "y = max x in the window",
                                 .infer = max_pool2d_infer,
                                 .forward = max_pool2d_forward,
                                 .vjp = max_pool2d_vjp,
                                 .pull = max_pool2d_pull,
                                 .flops = pool_flops};

/* ---- The mean ---- */

static gr_status avg_pool2d_forward(const gr_call *c)
{
    gri_pool p;
    const gr_status status = settle(c, &p, false);
    if (status == GR_OK) gri_avg_pool(c->graph->threads, &p, c->in[0]->data, c->out->data);
    return status;
}

static gr_status avg_unpool2d_infer(const gr_call *c, gr_layout *out) { return infer(c, out, true); }

static gr_status avg_unpool2d_forward(const gr_call *c)
{
    gri_pool p;
    const gr_status status = settle(c, &p, true);
    if (status == GR_OK) gri_avg_pool_back(c->graph->threads, &p, c->in[0]->data, c->out->data);
    return status;
}

static gr_tensor avg_pool2d_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    pool_attributes k = *(const pool_attributes *)c->attributes;
    for (int a = 0; a < AXES; a++) k.size[a] = gr_dim(c->operands[0], a - AXES);
    return gri_apply1(&gri_op_avg_unpool2d, gy, &k);
}
GRI_RULE1(avg_unpool2d, gri_apply1(&gri_op_avg_pool2d, gy, c->attributes))

const gr_op gri_op_avg_pool2d = {.name = "avg_pool2d",
                                 .arity = 1,
                                 .attribute_bytes = sizeof(pool_attributes),
                                 .formula = "y = mean x in the window",
                                 .infer = pool_infer,
                                 .forward = avg_pool2d_forward,
                                 .vjp = avg_pool2d_vjp,
                                 .tangent = GR_TANGENT_LINEAR,
                                 .flops = pool_flops};
const gr_op gri_op_avg_unpool2d = {.name = "avg_unpool2d",
                                   .arity = 1,
                                   .attribute_bytes = sizeof(pool_attributes),
                                   .formula = "gx += gy / n in the window",
                                   .infer = avg_unpool2d_infer,
                                   .forward = avg_unpool2d_forward,
                                   .vjp = avg_unpool2d_vjp,
                                   .tangent = GR_TANGENT_LINEAR,
                                   .flops = gri_flops_operand};

/* ---- Constructors ---- */

static bool is_zero(const int64_t pair[AXES]) { return pair[0] == 0 && pair[1] == 0; }

/* The options for planes. Of a sequence, rows are windows of one. */
static pool_attributes read_options(const gr_pool_options *o, int axes)
{
    static const gr_pool_options none = {.ceil_mode = false};
    if (!o) o = &none;
    pool_attributes k = {
        .ceil_mode = o->ceil_mode, .exclude_padding = o->exclude_padding, .divisor = o->divisor};
    for (int a = 0; a < AXES; a++) {
        const int from = axes == 1 ? 0 : a;
        const bool real = axes == AXES || a == 1;
        k.kernel[a] = real ? o->kernel[from] : 1;
        k.stride[a] = !real ? 1 : is_zero(o->stride) ? k.kernel[a] : o->stride[from];
        k.padding[a] = real ? o->padding[from] : 0;
        k.dilation[a] = !real || is_zero(o->dilation) ? 1 : o->dilation[from];
    }
    return k;
}

/* op of x under the name of the call that was made, which has `axes` axes. Errors are found before anything is
   made. */
static gr_tensor pool(const char *name, const gr_op *op, gr_tensor x, const pool_attributes *k, int axes)
{
    const gri_node *node = gri_resolve(x, name);
    if (!node) return gri_invalid(x.graph);
    gr_op label = *op;
    label.name = name;
    const bool row = axes == 1 && node->array.ndim > 0;
    int64_t dims[GR_MAX_NDIM + 1];
    gr_array lifted = node->array;
    if (row) { /* [..., 1, l] */
        memcpy(dims, lifted.dims, (size_t)lifted.ndim * sizeof *dims);
        dims[lifted.ndim] = dims[lifted.ndim - 1];
        dims[lifted.ndim - 1] = 1;
        lifted.dims = dims;
        lifted.ndim++;
    }
    const gr_array *const in[] = {&lifted};
    const gr_call call = {.graph = x.graph, .op = &label, .n = 1, .operands = &x, .attributes = k, .in = in};
    gr_layout layout;
    if (lifted.ndim <= GR_MAX_NDIM && op->infer(&call, &layout) != GR_OK) return gri_invalid(x.graph);
    if (!row) return gri_apply1(op, x, k);
    return gr_squeeze(gri_apply1(op, gr_unsqueeze(x, -2), k), GR_AXES(-2));
}

/* Options that the call does not have; the first of them. */
static gr_status refuse(const char *name, gr_tensor x, const gr_pool_options *o, int axes, bool mean)
{
    const char *what = NULL;
    if (!o) return GR_OK;
    if (axes == 1 && (o->kernel[1] || o->stride[1] || o->padding[1] || o->dilation[1]))
        what = "sequences have one axis: the second of each pair is 0";
    else if (mean && !is_zero(o->dilation))
        what = "means have no dilation";
    else if (!mean && o->exclude_padding)
        what = "exclude_padding is for means";
    else if (!mean && o->divisor)
        what = "a divisor is for means";
    else if (o->divisor < 0)
        what = "the divisor is negative";
    return what ? gri_fail(x.graph, GR_ERR_ARGUMENT, "%s: %s", name, what) : GR_OK;
}

#define POOLING(NAME, OP, N, MEAN)                                                    \
    gr_tensor gr_##NAME(gr_tensor x, const gr_pool_options *options)                  \
    {                                                                                 \
        const pool_attributes k = read_options(options, N);                           \
        if (refuse(#NAME, x, options, N, MEAN) != GR_OK) return gri_invalid(x.graph); \
        return pool(#NAME, &gri_op_##OP, x, &k, N);                                   \
    }
POOLING(max_pool2d, max_pool2d, 2, false)
POOLING(max_pool1d, max_pool2d, 1, false)
POOLING(max_pool2d_index, max_pool2d_index, 2, false)
POOLING(avg_pool2d, avg_pool2d, 2, true)
POOLING(avg_pool1d, avg_pool2d, 1, true)

gr_tensor gr_adaptive_avg_pool2d(gr_tensor x, int64_t rows, int64_t columns)
{
    const pool_attributes k = {.adaptive = true, .result = {rows, columns}};
    return pool("adaptive_avg_pool2d", &gri_op_avg_pool2d, x, &k, 2);
}

gr_tensor gr_adaptive_avg_pool1d(gr_tensor x, int64_t length)
{
    const pool_attributes k = {.adaptive = true, .result = {1, length}};
    return pool("adaptive_avg_pool1d", &gri_op_avg_pool2d, x, &k, 1);
}
