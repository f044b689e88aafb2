/* The multilayer perceptron: linear layers with an activation between them. */
#include "gradus/nn.h"
#include "gradus/ops.h"

#include <stdio.h>

enum { NAME_BYTES = 256 };

static void release_layers(const gr_mlp *net)
{
    for (int i = 0; i < net->n_layers; i++) {
        gr_release(net->layers[i].weight);
        gr_release(net->layers[i].bias);
    }
}

static bool add_layer(gr_graph *g, gr_mlp *net, const char *prefix, gr_type type, const int64_t *sizes,
                      gr_initializer *init)
{
    char name[NAME_BYTES];
    const int i = net->n_layers, length = snprintf(name, sizeof name, "%sfc%d", prefix, i + 1);
    if (length < 0 || (size_t)length >= sizeof name) {
        gr_graph_fail(g, GR_ERR_NAME, "mlp_create: the prefix is too long");
        return false;
    }
    net->layers[i] = gr_linear_create(g, name, type, sizes[i], sizes[i + 1], init);
    if (net->layers[i].weight.index == 0) return false;
    net->n_layers++;
    return true;
}

gr_mlp gr_mlp_create(gr_graph *g, const char *prefix, gr_type type, int n_sizes, const int64_t *sizes,
                     gr_activation *activation, gr_initializer *init)
{
    const gr_mlp none = {0, NULL, NULL};
    if (!g || gr_graph_status(g) != GR_OK) return none;
    if (n_sizes < 2 || !sizes) {
        gr_graph_fail(g, GR_ERR_ARGUMENT, "mlp_create: %d sizes%s; needs those of input and output at least",
                      n_sizes, sizes ? "" : " at NULL");
        return none;
    }
    gr_mlp net = {0, gr_graph_alloc(g, (size_t)(n_sizes - 1) * sizeof *net.layers), activation};
    if (!net.layers) return none;
    while (net.n_layers < n_sizes - 1) {
        if (add_layer(g, &net, prefix ? prefix : "", type, sizes, init)) continue;
        release_layers(&net);
        return none;
    }
    return net;
}

gr_tensor gr_mlp_forward(gr_mlp net, gr_tensor x)
{
    if (net.n_layers < 1) {
        gr_graph_fail(x.graph, GR_ERR_HANDLE, "mlp_forward: the net has no layers: its creation failed");
        return (gr_tensor){x.graph, 0, 0};
    }
    for (int i = 0; i < net.n_layers; i++) {
        if (i > 0 && net.activation) x = net.activation(x);
        x = gr_linear_forward(net.layers[i], x);
    }
    return x;
}
