/* Layers of convolutions, and embeddings: parameters beside the operation that takes them. */
#include "nn/layer.h"
#include "gradus/layers.h"
#include "gradus/ops.h"

#include <inttypes.h>

/* ---- Convolutions ---- */

/* channels: the two of the weight's shape before the division by the groups, which is that of the second; bias:
   of the result. */
static gr_conv_layer make(gr_graph *g, const char *call, const char *name, gr_type type, gr_shape weight,
                          int64_t bias, const gr_conv_options *options, gr_convolution *convolve,
                          gr_initializer *init)
{
    const gr_conv_layer none = {.weight = {g, 0, 0}, .bias = {g, 0, 0}, .convolve = convolve};
    gr_conv_layer layer = {.convolve = convolve};
    if (options) layer.options = *options;
    const int64_t groups = layer.options.groups ? layer.options.groups : 1;
    gri_layer l = gri_layer_begin(g, call, name, type);
    if (!l.failed && (groups < 1 || weight.dims[0] % groups || weight.dims[1] % groups)) {
        gr_graph_fail(g, GR_ERR_SHAPE,
                      "%s: %" PRId64 " and %" PRId64 " channels cannot be cut into %" PRId64 " groups", call,
                      weight.dims[0], weight.dims[1], groups);
        l.failed = true;
    }
    if (l.failed) return none;
    weight.dims[1] /= groups;
    layer.weight = gri_layer_param(&l, "weight", weight, init ? init : gr_init_he_uniform);
    layer.bias = gri_layer_param(&l, "bias", GR_SHAPE(bias), NULL);
    return gri_layer_end(&l) ? layer : none;
}

gr_conv_layer gr_conv1d_layer_create(gr_graph *g, const char *name, gr_type type, int64_t in, int64_t out,
                                     int64_t kernel, const gr_conv_options *options, gr_initializer *init)
{
    return make(g, "conv1d_layer_create", name, type, GR_SHAPE(out, in, kernel), out, options, gr_conv1d,
                init);
}

gr_conv_layer gr_conv2d_layer_create(gr_graph *g, const char *name, gr_type type, int64_t in, int64_t out,
                                     const int64_t kernel[2], const gr_conv_options *options,
                                     gr_initializer *init)
{
    return make(g, "conv2d_layer_create", name, type,
                GR_SHAPE(out, in, kernel ? kernel[0] : -1, kernel ? kernel[1] : -1), out, options, gr_conv2d,
                init);
}

gr_conv_layer gr_conv_transpose2d_layer_create(gr_graph *g, const char *name, gr_type type, int64_t in,
                                               int64_t out, const int64_t kernel[2],
                                               const gr_conv_options *options, gr_initializer *init)
{
    return make(g, "conv_transpose2d_layer_create", name, type,
                GR_SHAPE(in, out, kernel ? kernel[0] : -1, kernel ? kernel[1] : -1), out, options,
                gr_conv_transpose2d, init);
}

gr_tensor gr_conv_layer_forward(gr_conv_layer layer, gr_tensor x)
{
    if (!layer.convolve) {
        gr_graph_fail(x.graph, GR_ERR_HANDLE, "conv_layer_forward: the layer was never made");
        return (gr_tensor){x.graph, 0, 0};
    }
    const bool scoped = gri_layer_scope_begin(layer.weight, "weight");
    const gr_tensor y = layer.convolve(x, layer.weight, layer.bias, &layer.options);
    if (scoped) gr_name_scope_end(layer.weight.graph);
    return y;
}

/* ---- Embedding ---- */

static gr_status standard_normal(gr_tensor w) { return gr_init_normal(w, 0, 1); }

gr_embedding_layer gr_embedding_layer_create(gr_graph *g, const char *name, gr_type type, int64_t entries,
                                             int64_t features, gr_initializer *init)
{
    const gr_embedding_layer none = {.weight = {g, 0, 0}};
    gri_layer l = gri_layer_begin(g, "embedding_layer_create", name, type);
    gr_embedding_layer layer;
    layer.weight = gri_layer_param(&l, "weight", GR_SHAPE(entries, features), init ? init : standard_normal);
    return gri_layer_end(&l) ? layer : none;
}

gr_tensor gr_embedding_layer_forward(gr_embedding_layer layer, gr_tensor index)
{
    const bool scoped = gri_layer_scope_begin(layer.weight, "weight");
    const gr_tensor y = gr_index_select(layer.weight, 0, index);
    if (scoped) gr_name_scope_end(layer.weight.graph);
    return y;
}
