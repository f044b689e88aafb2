/*
 * Activation functions that are composed of public operations; those that are primitives stand in src/ops/activation.c.
 * What a function of its own expects of its operands is checked here, so that a message names the function.
 */
#include "gradus/activations.h"
#include "gradus/ops.h"
#include "nn/describe.h"

#include <inttypes.h>
#include <math.h>

static gr_tensor invalid(gr_tensor like) { return (gr_tensor){like.graph, 0, 0}; }

gr_tensor gr_relu6(gr_tensor x) { return gr_hardtanh_with(x, 0, 6); }

/* A product of the chain rule: 0 at -inf. */
gr_tensor gr_hardswish(gr_tensor x) { return gr_chain_mul(x, gr_hardsigmoid(x)); }

gr_tensor gr_log_sigmoid(gr_tensor x) { return gr_neg(gr_softplus(gr_neg(x))); }

gr_tensor gr_softplus_with(gr_tensor x, double beta)
{
    if (beta == 0 || !isfinite(beta)) {
        gr_graph_fail(x.graph, GR_ERR_ARGUMENT, "softplus: beta must be finite and not 0, not %g", beta);
        return invalid(x);
    }
    return gr_scale(gr_softplus(gr_scale(x, beta)), 1 / beta);
}

/* ---- Learned slopes ---- */

/* The shape in which slopes broadcast against x: a scalar, or [channels, 1, ...]; ndim -1 if they do not fit. */
static gr_shape shape_of_slopes(const gr_shape *x, const gr_shape *slope, int64_t n)
{
    if (n == 1) return GR_SCALAR;
    if (slope->ndim != 1 || x->ndim < 2 || x->dims[1] != n) return (gr_shape){.ndim = -1};
    gr_shape shape = {.ndim = x->ndim - 1, .dims = {n}};
    for (int axis = 1; axis < shape.ndim; axis++) shape.dims[axis] = 1;
    return shape;
}

gr_tensor gr_prelu(gr_tensor x, gr_tensor slope)
{
    const gr_shape of_x = gr_shape_of(x), of_slope = gr_shape_of(slope);
    if (of_x.ndim < 0 || of_slope.ndim < 0) return invalid(x);
    const gr_shape shape = shape_of_slopes(&of_x, &of_slope, gr_count(slope));
    if (shape.ndim < 0) {
        char a[GRI_DESCRIPTION_BYTES], b[GRI_DESCRIPTION_BYTES];
        gri_describe_tensor(a, x);
        gri_describe_tensor(b, slope);
        gr_graph_fail(x.graph, GR_ERR_SHAPE,
                      "prelu: needs one slope, or one for each channel, which is axis 1: %s, slopes %s", a,
                      b);
        return invalid(x);
    }
    const gr_tensor product = gr_mul(gr_reshape(slope, shape), x);
    const gr_tensor zero = gr_scalar(x.graph, gr_type_of(x), 0);
    return gr_where(gr_greater(x, zero), x, product);
}

/* ---- Along an axis ---- */

/* The axis in [0, ndim), and whether its size is a multiple of n; else an error is set. */
static bool splits(const char *what, gr_tensor x, int64_t n, int *axis, gr_shape *shape)
{
    *shape = gr_shape_of(x);
    if (shape->ndim < 0) return false;
    const int given = *axis;
    if (given < 0) *axis += shape->ndim;
    if (*axis < 0 || *axis >= shape->ndim) {
        gr_graph_fail(x.graph, GR_ERR_AXIS, "%s: axis %d of a tensor of %d axes", what, given, shape->ndim);
        return false;
    }
    if (shape->dims[*axis] % n == 0) return true;
    char text[GRI_DESCRIPTION_BYTES];
    gri_describe_tensor(text, x);
    gr_graph_fail(x.graph, GR_ERR_SHAPE, "%s: axis %d does not split by %" PRId64 ": %s", what, given, n,
                  text);
    return false;
}

gr_tensor gr_maxout(gr_tensor x, int64_t pieces, int axis)
{
    gr_shape shape;
    if (pieces < 1) {
        gr_graph_fail(x.graph, GR_ERR_ARGUMENT, "maxout: %" PRId64 " pieces", pieces);
        return invalid(x);
    }
    if (!splits("maxout", x, pieces, &axis, &shape)) return invalid(x);
    if (shape.ndim == GR_MAX_NDIM) {
        gr_graph_fail(x.graph, GR_ERR_NDIM, "maxout: at most %d axes", GR_MAX_NDIM - 1);
        return invalid(x);
    }
    for (int i = shape.ndim++; i > axis + 1; i--) shape.dims[i] = shape.dims[i - 1];
    shape.dims[axis] /= pieces;
    shape.dims[axis + 1] = pieces;
    return gr_max(gr_reshape(x, shape), GR_AXES(axis + 1), false);
}

gr_tensor gr_glu(gr_tensor x, int axis)
{
    gr_shape shape;
    if (!splits("glu", x, 2, &axis, &shape)) return invalid(x);
    const int64_t half = shape.dims[axis] / 2;
    const gr_tensor a = gr_slice(x, axis, 0, half, 1), b = gr_slice(x, axis, half, 2 * half, 1);
    return gr_mul(a, gr_sigmoid(b));
}
