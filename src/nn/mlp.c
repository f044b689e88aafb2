/* The multilayer perceptron: linear layers with an activation between them. */
#include "nn/layer.h"
#include "gradus/ops.h"

#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = GRI_LAYER_NAME_BYTES };

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

/* The prefix that the names of the layers were made with, and its length; 0 if they were made otherwise. */
static size_t prefix_of(gr_mlp net, char prefix[NAME_BYTES])
{
    static const char first[] = "fc1";
    const size_t length = gri_layer_name(net.layers[0], prefix), tail = sizeof first - 1;
    if (length <= tail || strcmp(prefix + length - tail, first) != 0) return 0;
    prefix[length - tail] = '\0';
    return length - tail;
}

/* One layer, in the scope of its name without the prefix. */
static gr_tensor forward_one(gr_linear layer, gr_tensor x, const char *prefix, size_t length)
{
    char name[NAME_BYTES];
    const size_t n = gri_layer_name(layer, name);
    const bool has_prefix = n > length && strncmp(name, prefix, length) == 0;
    return gri_linear_in_scope(layer, x, has_prefix ? name + length : name);
}

gr_tensor gr_mlp_forward(gr_mlp net, gr_tensor x)
{
    if (net.n_layers < 1) {
        gr_graph_fail(x.graph, GR_ERR_HANDLE, "mlp_forward: the net has no layers: its creation failed");
        return (gr_tensor){x.graph, 0, 0};
    }
    char prefix[NAME_BYTES], scope[NAME_BYTES];
    const size_t length = prefix_of(net, prefix),
                 end = length && prefix[length - 1] == '.' ? length - 1 : length;
    if (end) {
        memcpy(scope, prefix, end);
        scope[end] = '\0';
        gr_name_scope_begin(x.graph, scope);
    }
    for (int i = 0; i < net.n_layers; i++) {
        if (i > 0 && net.activation) x = net.activation(x);
        x = forward_one(net.layers[i], x, prefix, length);
    }
    if (end) gr_name_scope_end(x.graph);
    return x;
}
