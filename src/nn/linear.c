/* The linear layer. */
#include "nn/layer.h"
#include "gradus/ops.h"

gr_linear gr_linear_create(gr_graph *g, const char *name, gr_type type, int64_t in, int64_t out,
                           gr_initializer *init)
{
    const gr_linear none = {{g, 0, 0}, {g, 0, 0}};
    gri_layer l = gri_layer_begin(g, "linear_create", name, type);
    gr_linear layer;
    layer.weight = gri_layer_param(&l, "weight", GR_SHAPE(in, out), init ? init : gr_init_xavier_uniform);
    layer.bias = gri_layer_param(&l, "bias", GR_SHAPE(out), NULL);
    return gri_layer_end(&l) ? layer : none;
}

size_t gri_layer_name(gr_linear layer, char name[GRI_LAYER_NAME_BYTES])
{
    return gri_layer_name_of(layer.weight, "weight", name);
}

gr_tensor gri_linear_in_scope(gr_linear layer, gr_tensor x, const char *scope)
{
    gr_graph *g = layer.weight.graph;
    if (*scope) gr_name_scope_begin(g, scope);
    const gr_tensor y = gr_add(gr_matmul(x, layer.weight), layer.bias);
    if (*scope) gr_name_scope_end(g);
    return y;
}

gr_tensor gr_linear_forward(gr_linear layer, gr_tensor x)
{
    char name[GRI_LAYER_NAME_BYTES];
    gri_layer_name(layer, name);
    return gri_linear_in_scope(layer, x, name);
}
