/*
 * Convolutions: three primitives, each of which computes one side of the form of kernels/convolution.h of the other
 * two. The rules of each are the others, so derivatives of all orders are made of the three:
 *
 *     y = conv2d(x, w)              by x: conv_transpose2d(gy, w)   by w: conv2d_weight(x, gy)
 *     x = conv_transpose2d(y, w)    by y: conv2d(gx, w)             by w: conv2d_weight(gx, y)
 *     w = conv2d_weight(x, y)       by x: conv_transpose2d(y, gw)   by y: conv2d(x, gw)
 *
 * They are primitives for speed and memory: the unrolled windows, of which a composition would make a tensor, are
 * kh kw times as large as the image. Sequences are images of one row; a bias is an addition.
 */
#include "ops/ops.h"
#include "ops/kernels/convolution.h"

#include <inttypes.h>

typedef struct conv_attributes {
    int64_t stride[2], padding[2], dilation[2], output_padding[2];
    int64_t groups;
    int64_t missing[2]; /* the size of the planes of the side that is computed; -1: as the header says */
} conv_attributes;

enum { NONE = -1, AXES = 2 };
/* No size beyond this, so that sums of sizes do not overflow. */
static const int64_t MOST = (int64_t)1 << 40;

/* ---- Sizes ---- */

/* The operands of the three: positions of x, w and y; NONE is the result. */
typedef struct sides {
    int x, w, y;
} sides;
static const sides of_y = {0, 1, NONE}, of_x = {NONE, 1, 0}, of_w = {0, NONE, 1};

static gr_status check_options(const gr_call *c, const conv_attributes *k)
{
    for (int a = 0; a < AXES; a++) {
        if (k->stride[a] < 1 || k->dilation[a] < 1)
            return gr_call_fail(c, GR_ERR_ARGUMENT,
                                "stride and dilation must be positive, of both axes or left 0",
                                "stride %" PRId64 ", dilation %" PRId64, k->stride[a], k->dilation[a]);
        if (k->padding[a] < 0 || k->output_padding[a] < 0)
            return gr_call_fail(c, GR_ERR_ARGUMENT, "negative padding", "%" PRId64,
                                k->padding[a] < 0 ? k->padding[a] : k->output_padding[a]);
        if (k->output_padding[a] > 0 && k->output_padding[a] >= k->stride[a] &&
            k->output_padding[a] >= k->dilation[a])
            return gr_call_fail(c, GR_ERR_ARGUMENT, "output_padding must be smaller than stride or dilation",
                                "%" PRId64, k->output_padding[a]);
        if (k->stride[a] > MOST || k->dilation[a] > MOST || k->padding[a] > MOST)
            return gr_call_fail(c, GR_ERR_OVERFLOW, "too large a stride, dilation or padding", NULL);
    }
    if (k->groups < 1)
        return gr_call_fail(c, GR_ERR_ARGUMENT, "groups must be positive", "%" PRId64, k->groups);
    return GR_OK;
}

static gr_status check_arrays(const gr_call *c)
{
    if (c->in[0]->type != c->in[1]->type) return gr_call_fail(c, GR_ERR_TYPE, "types differ", NULL);
    if (!gr_type_is_float(c->in[0]->type)) return gr_call_fail(c, GR_ERR_TYPE, "needs f32 or f64", NULL);
    for (int i = 0; i < 2; i++) {
        if (c->in[i]->ndim != 4) return gr_call_fail(c, GR_ERR_NDIM, "needs four axes", "operand %d", i + 1);
        for (int axis = 0; axis < 4; axis++)
            if (c->in[i]->dims[axis] > MOST) return gr_call_fail(c, GR_ERR_OVERFLOW, "too large", NULL);
    }
    return GR_OK;
}

/* Channels of both sides, of all groups, to those of one. */
static gr_status settle_channels(const gr_call *c, gri_conv *k, int64_t in, int64_t out)
{
    k->in = in / k->groups;
    k->out = out / k->groups;
    if (in % k->groups || out % k->groups)
        return gr_call_fail(c, GR_ERR_SHAPE, "the channels cannot be cut into the groups",
                            "%" PRId64 " and %" PRId64 " channels, %" PRId64 " groups", in, out, k->groups);
    return GR_OK;
}

/* n, groups and channels, as the two operands tell them. */
static gr_status settle_batch(const gr_call *c, gri_conv *k, sides s)
{
    const int64_t *x = s.x >= 0 ? c->in[s.x]->dims : NULL, *w = s.w >= 0 ? c->in[s.w]->dims : NULL;
    const int64_t *y = s.y >= 0 ? c->in[s.y]->dims : NULL;
    k->n = x ? x[0] : y[0];
    if (x && y && x[0] != y[0]) return gr_call_fail(c, GR_ERR_SHAPE, "numbers of images differ", NULL);
    if (!w) return settle_channels(c, k, x[1], y[1]);
    if (w[1] > MOST / k->groups) return gr_call_fail(c, GR_ERR_OVERFLOW, "too many channels", NULL);
    const int64_t in = w[1] * k->groups, out = w[0];
    if ((x && x[1] != in) || (y && y[1] != out))
        return gr_call_fail(c, GR_ERR_SHAPE, "the channels are not those of the weight",
                            "%" PRId64 " vs %" PRId64, x ? x[1] : y[1], x ? in : out);
    return settle_channels(c, k, in, out);
}

/* Sizes along one axis, of which at most one is missing, if it is NONE. */
static gr_status settle_axis(const gr_call *c, gri_conv *k, int a, int64_t output_padding)
{
    if (k->kernel[a] < 1) return gr_call_fail(c, GR_ERR_SHAPE, "the kernel has no elements", NULL);
    if (k->dilation[a] > MOST / k->kernel[a] || (k->result[a] > 0 && k->stride[a] > MOST / k->result[a]))
        return gr_call_fail(c, GR_ERR_OVERFLOW, "the planes are too large", NULL);
    const int64_t reach = k->dilation[a] * (k->kernel[a] - 1) + 1;
    if (k->size[a] == NONE) {
        k->size[a] = (k->result[a] - 1) * k->stride[a] - 2 * k->padding[a] + reach + output_padding;
        return k->size[a] >= 0 && k->result[a] > 0
                   ? GR_OK
                   : gr_call_fail(c, GR_ERR_SHAPE, "nothing is left between the padding", "axis %d",
                                  a - AXES);
    }
    const int64_t room = k->size[a] + 2 * k->padding[a] - reach;
    if (k->result[a] == NONE) {
        if (room < 0)
            return gr_call_fail(c, GR_ERR_SHAPE, "the kernel is larger than the padded plane",
                                "axis %d: %" PRId64 " vs %" PRId64, a - AXES, reach,
                                k->size[a] + 2 * k->padding[a]);
        k->result[a] = room / k->stride[a] + 1;
    }
    return GR_OK;
}

static gr_status settle(const gr_call *c, gri_conv *k, sides s)
{
    const conv_attributes *given = c->attributes;
    gr_status status = check_options(c, given);
    if (status == GR_OK) status = check_arrays(c);
    if (status != GR_OK) return status;
    *k = (gri_conv){.groups = given->groups, .is_f64 = c->in[0]->type == GR_F64};
    status = settle_batch(c, k, s);
    for (int a = 0; a < AXES && status == GR_OK; a++) {
        k->stride[a] = given->stride[a];
        k->padding[a] = given->padding[a];
        k->dilation[a] = given->dilation[a];
        k->size[a] = s.x >= 0 ? c->in[s.x]->dims[2 + a] : given->missing[a];
        k->kernel[a] = s.w >= 0 ? c->in[s.w]->dims[2 + a] : given->missing[a];
        k->result[a] = s.y >= 0 ? c->in[s.y]->dims[2 + a] : given->missing[a];
        status = settle_axis(c, k, a, given->output_padding[a]);
    }
    return status;
}

static gr_status infer(const gr_call *c, gr_layout *out, sides s)
{
    gri_conv k;
    const gr_status status = settle(c, &k, s);
    if (status != GR_OK) return status;
    out->type = c->in[0]->type;
    out->ndim = 4;
    out->dims[0] = s.w < 0 ? k.out * k.groups : k.n;
    out->dims[1] = s.w < 0 ? k.in : s.x < 0 ? k.in * k.groups : k.out * k.groups;
    for (int a = 0; a < AXES; a++)
        out->dims[2 + a] = s.x < 0 ? k.size[a] : s.w < 0 ? k.kernel[a] : k.result[a];
    return GR_OK;
}

/* ---- The primitives ---- */

static gr_status compute(const gr_call *c, sides s)
{
    gri_conv k;
    const gr_status status = settle(c, &k, s);
    if (status != GR_OK) return status;
    const gri_conv_side side = s.y < 0 ? GRI_CONV_Y : s.x < 0 ? GRI_CONV_X : GRI_CONV_W;
    const gr_graph *g = c->graph;
    const size_t bytes = gri_convolve_workspace(g->isa, &k, side, g->threads);
    void *workspace = NULL;
    if (bytes && !(workspace = gr_call_scratch(c, bytes))) return g->status;
    const gr_array *x = s.x < 0 ? c->out : c->in[s.x], *w = s.w < 0 ? c->out : c->in[s.w],
                   *y = s.y < 0 ? c->out : c->in[s.y];
    gri_convolve(g->isa, &k, side, x->data, w->data, y->data, workspace, g->threads);
    return GR_OK;
}

static double cost(const gr_call *c, sides s)
{
    gri_conv k;
    if (settle(c, &k, s) != GR_OK) return 0;
    return 2 * (double)(k.n * k.groups) * (double)(k.in * k.out) * (double)(k.kernel[0] * k.kernel[1]) *
           (double)(k.result[0] * k.result[1]);
}

/* The side that has planes like those of `like`, of the other two. */
static gr_tensor side(const gr_call *c, const gr_op *op, gr_tensor a, gr_tensor b, gr_tensor like)
{
    conv_attributes k = *(const conv_attributes *)c->attributes;
    for (int axis = 0; axis < AXES; axis++) k.missing[axis] = gri_array(like)->dims[2 + axis];
    return gri_apply2(op, a, b, &k);
}
#define X_SIDE(Y, W, LIKE) side(c, &gri_op_conv_transpose2d, Y, W, LIKE)
#define W_SIDE(X, Y, LIKE) side(c, &gri_op_conv2d_weight, X, Y, LIKE)
#define Y_SIDE(X, W, LIKE) side(c, &gri_op_conv2d, X, W, LIKE)
GRI_RULE2(conv2d, X_SIDE(gy, b, a), W_SIDE(a, gy, b))
GRI_RULE2(conv_transpose2d, Y_SIDE(gy, b, a), W_SIDE(gy, a, b))
GRI_RULE2(conv2d_weight, X_SIDE(b, gy, a), Y_SIDE(a, gy, b))

#define CONVOLUTION(NAME, SIDES, FORMULA)                                                            \
    static gr_status NAME##_infer(const gr_call *c, gr_layout *out) { return infer(c, out, SIDES); } \
    static gr_status NAME##_forward(const gr_call *c) { return compute(c, SIDES); }                  \
    static double NAME##_flops(const gr_call *c) { return cost(c, SIDES); }                          \
    const gr_op gri_op_##NAME = {.name = #NAME,                                                      \
                                 .arity = 2,                                                         \
                                 .attribute_bytes = sizeof(conv_attributes),                         \
                                 .formula = FORMULA,                                                 \
                                 .infer = NAME##_infer,                                              \
                                 .forward = NAME##_forward,                                          \
                                 .vjp = NAME##_vjp,                                                  \
                                 .tangent = GR_TANGENT_LINEAR,                                       \
                                 .flops = NAME##_flops};
CONVOLUTION(conv2d, of_y, "y[r] = sum w[i] x[r stride + i dilation - padding]")
CONVOLUTION(conv_transpose2d, of_x, "y[r stride + i dilation - padding] += w[i] x[r]")
CONVOLUTION(conv2d_weight, of_w, "w[i] = sum y[r] x[r stride + i dilation - padding]")

/* ---- Constructors ---- */

/* What one of them is: its name and axes, and the primitive that does it. */
typedef struct kind {
    gr_op label; /* for messages */
    const gr_op *op;
    sides sides;
    int axes;
} kind;

/* A pair of options, of the last `axes` axes: those before have `single`. Both 0: `fallback`. */
static void read_pair(const int64_t given[AXES], int axes, int64_t single, int64_t fallback, int64_t *pair)
{
    const bool none = given[0] == 0 && given[1] == 0;
    pair[0] = axes == 1 ? single : none ? fallback : given[0];
    pair[1] = none ? fallback : given[axes - 1];
}

static conv_attributes read_options(const gr_conv_options *o, int axes)
{
    static const gr_conv_options none = {.groups = 0};
    conv_attributes k = {.missing = {NONE, NONE}};
    if (!o) o = &none;
    read_pair(o->stride, axes, 1, 1, k.stride);
    read_pair(o->padding, axes, 0, 0, k.padding);
    read_pair(o->dilation, axes, 1, 1, k.dilation);
    read_pair(o->output_padding, axes, 0, 0, k.output_padding);
    k.groups = o->groups ? o->groups : 1;
    return k;
}

/* What a sequence has no second of. */
static bool has_second(const gr_conv_options *o)
{
    return o && (o->stride[1] || o->padding[1] || o->dilation[1] || o->output_padding[1]);
}

/* The shape with an axis of images, if there is none, and with one of rows. */
static gr_shape lifted(const gr_array *a, int axes)
{
    gr_shape shape = {.ndim = 0};
    if (a->ndim == axes + 1) shape.dims[shape.ndim++] = 1;
    for (int i = 0; i < a->ndim; i++) {
        if (axes == 1 && i == a->ndim - 1) shape.dims[shape.ndim++] = 1;
        shape.dims[shape.ndim++] = a->dims[i];
    }
    return shape;
}

/* Checks everything, in the words of the call that was made. */
static gr_status check(const kind *k, gr_tensor x, gr_tensor w, gr_tensor bias, const gr_conv_options *o,
                       const conv_attributes *given)
{
    const gr_tensor operands[] = {x, w, bias};
    const gr_array *plain[] = {gri_array(x), gri_array(w), NULL};
    const bool biased = bias.graph != NULL;
    gr_call call = {.graph = x.graph, .op = &k->label, .n = 2, .operands = operands, .attributes = given};
    if (o && !(k->sides.x < 0) && (o->output_padding[0] || o->output_padding[1]))
        return gr_call_fail(&call, GR_ERR_ARGUMENT, "output_padding is for transposed convolutions", NULL);
    if (k->axes == 1 && has_second(o))
        return gr_call_fail(&call, GR_ERR_ARGUMENT, "sequences have one axis: the second of each pair is 0",
                            NULL);
    const int ndim = plain[0]->ndim, full = k->axes + 2;
    if ((ndim != full && ndim != full - 1) || plain[1]->ndim != full)
        return gr_call_fail(&call, GR_ERR_NDIM,
                            k->axes == 1 ? "needs x [n, in, l] or [in, l] and a weight of 3 axes"
                                         : "needs x [n, in, h, w] or [in, h, w] and a weight "
                                           "of 4 axes",
                            NULL);
    const gr_shape shapes[] = {lifted(plain[0], k->axes), lifted(plain[1], k->axes)};
    gr_array lifted_x = *plain[0], lifted_w = *plain[1];
    lifted_x.dims = shapes[0].dims;
    lifted_w.dims = shapes[1].dims;
    lifted_x.ndim = lifted_w.ndim = 4;
    const gr_array *const in[] = {&lifted_x, &lifted_w};
    call.in = in;
    gri_conv geometry;
    const gr_status status = settle(&call, &geometry, k->sides);
    if (status != GR_OK || !biased) return status;
    plain[2] = gri_array(bias);
    call.n = 3;
    const int64_t channels = geometry.groups * (k->sides.x < 0 ? geometry.in : geometry.out);
    if (plain[2]->type != plain[0]->type) return gr_call_fail(&call, GR_ERR_TYPE, "types differ", NULL);
    if (plain[2]->ndim != 1 || plain[2]->dims[0] != channels)
        return gr_call_fail(&call, GR_ERR_SHAPE, "the bias must have one element per channel of the result",
                            "%" PRId64, channels);
    return GR_OK;
}

static gr_tensor convolve(const kind *k, gr_tensor x, gr_tensor w, gr_tensor bias, const gr_conv_options *o)
{
    const conv_attributes given = read_options(o, k->axes);
    const bool biased = bias.graph != NULL;
    const gr_tensor operands[] = {x, w, bias};
    if (!gr_is_valid(x) || !gr_is_valid(w) || x.graph != w.graph ||
        (biased && (!gr_is_valid(bias) || bias.graph != x.graph))) {
        gr_op label = k->label; /* for what is said about a handle that is none, by gr_apply */
        label.arity = biased ? 3 : 2;
        label.infer = k->op->infer;
        return gr_apply(NULL, &label, label.arity, operands, NULL);
    }
    if (check(k, x, w, bias, o, &given) != GR_OK) return gri_invalid(x.graph);
    const gr_array *a = gri_array(x);
    const bool as_is = a->ndim == 4;
    const gr_shape x_shape = lifted(a, k->axes), w_shape = lifted(gri_array(w), k->axes);
    gr_tensor y = gri_apply2(k->op, as_is ? x : gr_reshape(x, x_shape),
                             k->axes == 2 ? w : gr_reshape(w, w_shape), &given);
    if (biased) y = gr_add(y, gr_reshape(bias, GR_SHAPE(-1, 1, 1)));
    if (as_is || !gr_is_valid(y)) return y;
    const int64_t *dims = gri_array(y)->dims;
    gr_shape shape = {.ndim = 0};
    if (gri_array(x)->ndim == k->axes + 2) shape.dims[shape.ndim++] = dims[0];
    shape.dims[shape.ndim++] = dims[1];
    if (k->axes == 2) shape.dims[shape.ndim++] = dims[2];
    shape.dims[shape.ndim++] = dims[3];
    return gr_reshape(y, shape);
}

#define CONSTRUCTOR(NAME, OP, SIDES, N)                                                                \
    gr_tensor gr_##NAME(gr_tensor x, gr_tensor weight, gr_tensor bias, const gr_conv_options *options) \
    {                                                                                                  \
        const kind k = {.label = {.name = #NAME}, .op = &gri_op_##OP, .sides = SIDES, .axes = N};      \
        return convolve(&k, x, weight, bias, options);                                                 \
    }
CONSTRUCTOR(conv2d, conv2d, of_y, 2)
CONSTRUCTOR(conv1d, conv2d, of_y, 1)
CONSTRUCTOR(conv_transpose2d, conv_transpose2d, of_x, 2)
CONSTRUCTOR(conv_transpose1d, conv_transpose2d, of_x, 1)
