/*
 * Norms. What they expect of their operands is checked here, so that a message names the norm and not an operation
 * inside it.
 */
#include "nn/layer.h"
#include "gradus/normalisation.h"
#include "gradus/ops.h"

#include <inttypes.h>

static gr_tensor invalid(gr_tensor like) { return (gr_tensor){like.graph, 0, 0}; }

/* A handle that was never set stands for no weight. One that failed does not. */
static bool is_given(gr_tensor t) { return t.graph != NULL; }

/* The shape of x; false, and the error set, for a bad handle or fewer axes than are needed. */
static bool get_shape(const char *norm, gr_tensor x, int least, gr_shape *shape)
{
    if (!gri_layer_check(norm, "x", x)) return false;
    *shape = gr_shape_of(x);
    if (shape->ndim >= least) return true;
    gr_graph_fail(x.graph, GR_ERR_NDIM, "%s: needs at least %d axes; there are %d", norm, least, shape->ndim);
    return false;
}

/* Whether t, if it is given, has axes [first, last) of the shape. */
static bool fits(const char *norm, const char *what, gr_tensor t, const gr_shape *shape, int first, int last)
{
    if (!is_given(t)) return true;
    if (!gri_layer_check(norm, what, t)) return false;
    const gr_shape own = gr_shape_of(t);
    bool same = own.ndim == last - first;
    for (int i = 0; same && i < own.ndim; i++) same = own.dims[i] == shape->dims[first + i];
    if (!same)
        gr_graph_fail(t.graph, GR_ERR_SHAPE,
                      "%s: the %s %s must have the sizes of axes %d to %d of the operand", norm, what,
                      gr_name(t), first, last - 1);
    return same;
}

/* y weight + bias, each broadcast as it is. */
static gr_tensor affine(gr_tensor y, gr_tensor weight, gr_tensor bias)
{
    if (is_given(weight)) y = gr_mul(y, weight);
    return is_given(bias) ? gr_add(y, bias) : y;
}

/* [channels] as it broadcasts to [n, channels, ...]. */
static gr_tensor per_channel(gr_tensor t, int ndim)
{
    if (!is_given(t)) return t;
    gr_shape shape = {.ndim = ndim - 1, .dims = {gr_count(t)}};
    for (int i = 1; i < shape.ndim; i++) shape.dims[i] = 1;
    return gr_reshape(t, shape);
}

/* ---- Over the last axes ---- */

static bool get_last(const char *norm, gr_tensor x, int n_axes, gr_shape *shape, gr_axes *axes)
{
    if (!get_shape(norm, x, n_axes > 0 ? n_axes : 0, shape)) return false;
    if (n_axes < 1) {
        gr_graph_fail(x.graph, GR_ERR_ARGUMENT, "%s: over %d axes; at least 1 is needed", norm, n_axes);
        return false;
    }
    axes->n = n_axes;
    for (int i = 0; i < n_axes; i++) axes->axis[i] = shape->ndim - n_axes + i;
    return true;
}

gr_tensor gr_layer_norm(gr_tensor x, int n_axes, gr_tensor weight, gr_tensor bias, double eps)
{
    gr_shape s;
    gr_axes axes;
    if (!get_last("layer_norm", x, n_axes, &s, &axes)) return invalid(x);
    if (!fits("layer_norm", "weight", weight, &s, s.ndim - n_axes, s.ndim) ||
        !fits("layer_norm", "bias", bias, &s, s.ndim - n_axes, s.ndim))
        return invalid(x);
    return affine(gr_standardize(x, axes, eps), weight, bias);
}

gr_tensor gr_rms_norm(gr_tensor x, int n_axes, gr_tensor weight, double eps)
{
    gr_shape s;
    gr_axes axes;
    if (!get_last("rms_norm", x, n_axes, &s, &axes)) return invalid(x);
    if (!fits("rms_norm", "weight", weight, &s, s.ndim - n_axes, s.ndim)) return invalid(x);
    if (!(eps >= 0) || eps > 1e300) {
        gr_graph_fail(x.graph, GR_ERR_ARGUMENT, "rms_norm: eps must be finite and not negative: %g", eps);
        return invalid(x);
    }
    const gr_tensor size = gr_sqrt(gr_add_scalar(gr_mean(gr_square(x), axes, true), eps));
    return affine(gr_div(x, size), weight, (gr_tensor){NULL, 0, 0});
}

/* ---- By channels ---- */

gr_tensor gr_group_norm(gr_tensor x, int64_t groups, gr_tensor weight, gr_tensor bias, double eps)
{
    gr_shape s;
    if (!get_shape("group_norm", x, 2, &s)) return invalid(x);
    if (groups < 1 || s.dims[1] % groups) {
        gr_graph_fail(x.graph, groups < 1 ? GR_ERR_ARGUMENT : GR_ERR_SHAPE,
                      "group_norm: %" PRId64 " channels cannot be cut into %" PRId64 " groups", s.dims[1],
                      groups);
        return invalid(x);
    }
    if (!fits("group_norm", "weight", weight, &s, 1, 2) || !fits("group_norm", "bias", bias, &s, 1, 2))
        return invalid(x);
    int64_t each = s.dims[1] / groups;
    for (int i = 2; i < s.ndim; i++) each *= s.dims[i];
    const gr_tensor grouped = gr_reshape(x, GR_SHAPE(s.dims[0], groups, each));
    const gr_tensor y = gr_reshape(gr_standardize(grouped, GR_AXES(-1), eps), s);
    return affine(y, per_channel(weight, s.ndim), per_channel(bias, s.ndim));
}

/* All axes but that of the channels. */
static gr_axes around_channels(int ndim)
{
    gr_axes axes = {.n = 0};
    for (int i = 0; i < ndim; i++)
        if (i != 1) axes.axis[axes.n++] = i;
    return axes;
}

gr_tensor gr_batch_norm(gr_tensor x, gr_tensor mean, gr_tensor variance, gr_tensor weight, gr_tensor bias,
                        double eps)
{
    gr_shape s;
    if (!get_shape("batch_norm", x, 2, &s)) return invalid(x);
    if (is_given(mean) != is_given(variance)) {
        gr_graph_fail(x.graph, GR_ERR_ARGUMENT, "batch_norm: needs both mean and variance, or neither");
        return invalid(x);
    }
    if (!fits("batch_norm", "weight", weight, &s, 1, 2) || !fits("batch_norm", "bias", bias, &s, 1, 2) ||
        !fits("batch_norm", "mean", mean, &s, 1, 2) || !fits("batch_norm", "variance", variance, &s, 1, 2))
        return invalid(x);
    const gr_tensor w = per_channel(weight, s.ndim), b = per_channel(bias, s.ndim);
    if (!is_given(mean)) return affine(gr_standardize(x, around_channels(s.ndim), eps), w, b);
    if (!(eps >= 0) || eps > 1e300) {
        gr_graph_fail(x.graph, GR_ERR_ARGUMENT, "batch_norm: eps must be finite and not negative: %g", eps);
        return invalid(x);
    }
    const gr_tensor deviation = gr_sqrt(gr_add_scalar(per_channel(variance, s.ndim), eps));
    const gr_tensor centred = gr_sub(x, per_channel(mean, s.ndim));
    if (!is_given(w)) return affine(gr_div(centred, deviation), w, b);
    return affine(centred, gr_div(w, deviation), b); /* one pass over x less */
}

/* ---- Layers ---- */

gr_batch_norm_layer gr_batch_norm_layer_create(gr_graph *g, const char *name, gr_type type, int64_t channels)
{
    const gr_tensor bad = {g, 0, 0};
    const gr_batch_norm_layer none = {
        .weight = bad, .bias = bad, .running_mean = bad, .running_variance = bad};
    gri_layer l = gri_layer_begin(g, "batch_norm_layer_create", name, type);
    gr_batch_norm_layer layer = {.eps = 1e-5, .momentum = 0.1};
    layer.weight = gri_layer_param(&l, "weight", GR_SHAPE(channels), gri_init_ones);
    layer.bias = gri_layer_param(&l, "bias", GR_SHAPE(channels), NULL);
    layer.running_mean = gri_layer_state(&l, "running_mean", GR_SHAPE(channels), 0);
    layer.running_variance = gri_layer_state(&l, "running_var", GR_SHAPE(channels), 1);
    return gri_layer_end(&l) ? layer : none;
}

/* to += momentum (value - to) */
static void move_towards(gr_tensor to, gr_tensor value, double momentum)
{
    gr_assign(to, gr_add(gr_scale(to, 1 - momentum), gr_scale(value, momentum)));
}

/* n: elements per channel. */
static void update_running(gr_batch_norm_layer layer, gr_tensor x, int64_t n)
{
    gr_graph *g = x.graph;
    const gr_scope scope = gr_scope_begin(g);
    gr_no_grad_begin(g);
    const gr_tensor moments = gr_moments(x, around_channels(gr_ndim(x)));
    const gr_tensor mean = gr_select(moments, 0, 0);
    const gr_tensor variance = gr_scale(gr_select(moments, 0, 1), (double)n / (double)(n - 1));
    if (gr_graph_status(g) == GR_OK) { /* both or none */
        move_towards(layer.running_mean, mean, layer.momentum);
        move_towards(layer.running_variance, variance, layer.momentum);
    }
    gr_no_grad_end(g);
    gr_scope_end(scope, 0, NULL);
}

static gr_tensor train_batch_norm(gr_batch_norm_layer layer, gr_tensor x)
{
    const gr_tensor none = {NULL, 0, 0};
    gr_shape s;
    if (!get_shape("batch_norm_layer_forward", x, 2, &s)) return invalid(x);
    if (!(layer.momentum >= 0 && layer.momentum <= 1)) { /* else the running figures were lost */
        gr_graph_fail(x.graph, GR_ERR_ARGUMENT,
                      "batch_norm_layer_forward: the momentum must be in [0, 1], not %g", layer.momentum);
        return invalid(x);
    }
    const int64_t n = s.dims[1] > 0 ? gr_count(x) / s.dims[1] : 2;
    if (n < 2) {
        gr_graph_fail(x.graph, GR_ERR_SHAPE,
                      "batch_norm_layer_forward: %" PRId64 " elements per channel; training needs at least 2",
                      n);
        return invalid(x);
    }
    const gr_tensor y = gr_batch_norm(x, none, none, layer.weight, layer.bias, layer.eps);
    if (gr_is_valid(y)) update_running(layer, x, n);
    return gr_graph_status(x.graph) == GR_OK ? y : invalid(x);
}

gr_tensor gr_batch_norm_layer_forward(gr_batch_norm_layer layer, gr_tensor x, bool training)
{
    const bool scoped = gri_layer_scope_begin(layer.weight, "weight");
    const gr_tensor y = training ? train_batch_norm(layer, x)
                                 : gr_batch_norm(x, layer.running_mean, layer.running_variance, layer.weight,
                                                 layer.bias, layer.eps);
    if (scoped) gr_name_scope_end(layer.weight.graph);
    return y;
}

gr_norm_layer gr_norm_layer_create(gr_graph *g, const char *name, gr_type type, gr_shape shape)
{
    const gr_norm_layer none = {.weight = {g, 0, 0}, .bias = {g, 0, 0}};
    gri_layer l = gri_layer_begin(g, "norm_layer_create", name, type);
    gr_norm_layer layer = {.eps = 1e-5};
    layer.weight = gri_layer_param(&l, "weight", shape, gri_init_ones);
    layer.bias = gri_layer_param(&l, "bias", shape, NULL);
    return gri_layer_end(&l) ? layer : none;
}

gr_tensor gr_norm_layer_forward(gr_norm_layer layer, gr_tensor x)
{
    const bool scoped = gri_layer_scope_begin(layer.weight, "weight");
    const gr_tensor y = gr_layer_norm(x, gr_is_valid(layer.weight) ? gr_ndim(layer.weight) : 1, layer.weight,
                                      layer.bias, layer.eps);
    if (scoped) gr_name_scope_end(layer.weight.graph);
    return y;
}
