/*
 * Layers (init.h: initialisers, loss.h: losses), composed from the operations of ops.h: nothing here has a
 * derivative rule of its own, and nothing here could not be written in your program. Here are those that every
 * network has; layers.h has convolutions and embeddings, normalisation.h, attention.h and recurrent.h the rest.
 * nn.h includes all of them.
 *
 * A layer is a value: a few handles to parameters that the graph owns. Copy it, pass it, forget it.
 *
 *     gr_mlp net = gr_mlp_create(g, "", GR_F32, 3, (int64_t[]){784, 512, 10}, gr_relu, gr_init_he_normal);
 *     gr_tensor logits = gr_mlp_forward(net, x);
 *     gr_tensor loss = gr_softmax_cross_entropy(logits, labels);
 *
 * Conventions: a weight is indexed (from, to), so that a layer computes y = x W + b on rows x; the last axis
 * is the one of features, the axes before it are of samples. Errors are those of graph.h: layers and losses
 * return invalid handles, initialisers a gr_status.
 */
#ifndef GRADUS_NN_H
#define GRADUS_NN_H

#include "gradus/init.h"
#include "gradus/loss.h"
#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* ---- Linear layer ---- */

typedef struct gr_linear {
    gr_tensor weight; /* [in, out] */
    gr_tensor bias;   /* [out] */
} gr_linear;

/* Parameters "<name>.weight", drawn by `init` (NULL: xavier_uniform), and "<name>.bias", zeros. type: f32 or
   f64. On error no parameter stays behind and both handles are invalid. */
GR_API gr_linear gr_linear_create(gr_graph *g, const char *name, gr_type type, int64_t in, int64_t out,
                                  gr_initializer *init);
/* y = x W + b. x: [..., in] -> [..., out]. Made in the name scope "<name>" (graph.h). */
GR_API gr_tensor gr_linear_forward(gr_linear layer, gr_tensor x);

/* ---- Multilayer perceptron ---- */

/* An activation function: gr_tanh, any of activations.h that takes x alone, or your own. */
typedef gr_tensor gr_activation(gr_tensor x);

typedef struct gr_mlp {
    int n_layers;
    gr_linear *layers; /* memory of the graph */
    gr_activation *activation;
} gr_mlp;

/* Linear layers from sizes[0] to sizes[1] to ... sizes[n_sizes - 1], n_sizes >= 2. Layer i, counted from 1,
   has the parameters "<prefix>fc<i>.weight" and "<prefix>fc<i>.bias"; a NULL prefix is an empty one.
   `activation` stands between the layers, not behind the last one; NULL: none. `init` as for a linear layer.
   On error no parameter stays behind, and n_layers is 0. */
GR_API gr_mlp gr_mlp_create(gr_graph *g, const char *prefix, gr_type type, int n_sizes, const int64_t *sizes,
                            gr_activation *activation, gr_initializer *init);
/* What the last layer puts out, without activation: logits, for classes.
   x: [..., sizes[0]] -> [..., sizes[n_sizes - 1]]. Made in the name scope "<prefix>", without a point at its end, and
   there each layer in "fc<i>"; an empty prefix opens none. */
GR_API gr_tensor gr_mlp_forward(gr_mlp net, gr_tensor x);

/* ---- Dropout ---- */

/* In training each element is 0 with probability p, else x / (1 - p), so that the mean stays ("inverted
   dropout"; Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, 2014); the gradient is treated the
   same. Otherwise x itself. Draws from the generator of the graph. float; p outside [0, 1):
   GR_ERR_ARGUMENT. */
GR_API gr_tensor gr_dropout(gr_tensor x, double p, bool training);

GR_END_DECLS

/* More layers, by topic. */
#include "gradus/attention.h"
#include "gradus/layers.h"
#include "gradus/normalisation.h"
#include "gradus/recurrent.h"

#endif
