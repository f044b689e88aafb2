/* The linear layer. Invariant: a layer that could not be made leaves no parameter behind. */
#include "nn/layer.h"
#include "gradus/ops.h"

#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = GRI_LAYER_NAME_BYTES };

/* The parameter "<layer>.<part>". */
static gr_tensor make_param(gr_graph *g, const char *layer, const char *part, gr_type type, gr_shape shape)
{
    char name[NAME_BYTES];
    const int length = snprintf(name, sizeof name, "%s.%s", layer, part);
    if (length < 0 || (size_t)length >= sizeof name) {
        gr_graph_fail(g, GR_ERR_NAME, "linear_create: a name of %d bytes; at most %d are possible", length,
                      NAME_BYTES - 1);
        return (gr_tensor){g, 0, 0};
    }
    return gr_param(g, name, type, shape, NULL);
}

gr_linear gr_linear_create(gr_graph *g, const char *name, gr_type type, int64_t in, int64_t out,
                           gr_initializer *init)
{
    const gr_linear none = {{g, 0, 0}, {g, 0, 0}};
    if (!g || gr_graph_status(g) != GR_OK) return none;
    if (!name || !*name) {
        gr_graph_fail(g, GR_ERR_NAME, "linear_create: a layer needs a name");
        return none;
    }
    gr_linear layer = none;
    layer.weight = make_param(g, name, "weight", type, GR_SHAPE(in, out));
    if (layer.weight.index) layer.bias = make_param(g, name, "bias", type, GR_SHAPE(out));
    if (layer.bias.index && (init ? init : gr_init_xavier_uniform)(layer.weight) == GR_OK) return layer;
    if (gr_graph_status(g) == GR_OK)
        gr_graph_fail(g, GR_ERR_CALLBACK, "linear_create: the initialiser of %s failed", name);
    if (layer.weight.index) gr_release(layer.weight);
    if (layer.bias.index) gr_release(layer.bias);
    return none;
}

size_t gri_layer_name(gr_linear layer, char name[GRI_LAYER_NAME_BYTES])
{
    static const char suffix[] = ".weight";
    name[0] = '\0';
    if (!gr_is_valid(layer.weight)) return 0; /* the error is for the operation to set */
    const char *weight = gr_name(layer.weight);
    const size_t length = strlen(weight), tail = sizeof suffix - 1;
    if (length <= tail || length - tail >= NAME_BYTES || strcmp(weight + length - tail, suffix) != 0)
        return 0;
    memcpy(name, weight, length - tail);
    name[length - tail] = '\0';
    return length - tail;
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
    char name[NAME_BYTES];
    gri_layer_name(layer, name);
    return gri_linear_in_scope(layer, x, name);
}
