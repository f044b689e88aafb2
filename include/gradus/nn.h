/*
 * Layers, initialisers and, in loss.h, losses, composed from the operations of ops.h: nothing here has a
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

#include "gradus/loss.h"
#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* ---- Initialisers ---- */

/* Each overwrites a parameter (or constant) with numbers drawn from the generator of its graph, raises its
   version, and refuses, as every executor does, while an error is pending. Those that scale with the size of
   the layer need a weight of shape [n_in, n_out], or that of a convolution, [out, in, kernel...], of which n_in
   is in times the elements of the kernel, n_out likewise (GR_ERR_SHAPE).

     name            distribution                          source
     xavier_uniform  U(-a, a), a = sqrt(6/(n_in + n_out))  Glorot and Bengio, 2010
     xavier_normal   N(0, 2/(n_in + n_out))                the same
     lecun_uniform   U(-a, a), a = sqrt(3/n_in)            LeCun, Bottou, Orr and Mueller, 1998 ("Efficient
     lecun_normal    N(0, 1/n_in)                          BackProp"); some texts call this one "Xavier"
     he_uniform      U(-a, a), a = sqrt(6/n_in)            He, Zhang, Ren and Sun, 2015; also called MSRA
     he_normal       N(0, 2/n_in)                          the same

   N(m, v) is the normal distribution of mean m and variance v; U(a, b) is uniform on [a, b). */
GR_API gr_status gr_init_constant(gr_tensor w, double value);
GR_API gr_status gr_init_normal(gr_tensor w, double mean, double std);  /* std >= 0 */
GR_API gr_status gr_init_uniform(gr_tensor w, double low, double high); /* low <= high */
GR_API gr_status gr_init_xavier_uniform(gr_tensor w);
GR_API gr_status gr_init_xavier_normal(gr_tensor w);
GR_API gr_status gr_init_lecun_uniform(gr_tensor w);
GR_API gr_status gr_init_lecun_normal(gr_tensor w);
GR_API gr_status gr_init_he_uniform(gr_tensor w);
GR_API gr_status gr_init_he_normal(gr_tensor w);

/* What layers take: one of the above, or a function of your own, such as
       static gr_status small(gr_tensor w) { return gr_init_normal(w, 0, 0.05); } */
typedef gr_status gr_initializer(gr_tensor w);

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

/* An activation function: gr_relu, gr_tanh, gr_sigmoid, or your own. */
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
