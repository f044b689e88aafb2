/*
 * Normalisation: batch, layer, RMS and group norm, as operations and, where they have state, as layers; and the two
 * operations that they are made of.
 *
 * All are float and differentiable to any order. Mean and variance are computed in two passes, in f64: the
 * variance is that of differences from the mean, so large means cost no digits. `eps`, which is finite and not
 * negative (GR_ERR_ARGUMENT), is added to the variance inside the root. Without it, elements that are all the
 * same give 0/0.
 */
#ifndef GRADUS_NORMALISATION_H
#define GRADUS_NORMALISATION_H

#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* ---- Operations ---- */

/* Over the axes of a list, or GR_ALL_AXES: mean and variance, side by side. x: [s...] -> [2, the axes that
   stay]: first the means m, then mean (x - m)^2, divided by the number of elements (the "biased" variance). Of
   nothing: NaN. */
GR_API gr_tensor gr_moments(gr_tensor x, gr_axes axes);
/* (x - m) / (v + eps)^(1/2), of the shape of x. */
GR_API gr_tensor gr_standardize(gr_tensor x, gr_axes axes, double eps);

/* Weights and biases below may be GR_NONE (custom.h): 1 and 0. Of another shape than is said: GR_ERR_SHAPE. */

/* Standardised over the last n_axes axes, times weight, plus bias, which have the sizes of these axes (Ba,
   Kiros and Hinton, "Layer normalization", 2016). */
GR_API gr_tensor gr_layer_norm(gr_tensor x, int n_axes, gr_tensor weight, gr_tensor bias, double eps);
/* x / (mean x^2 + eps)^(1/2) over the last n_axes axes, times weight (Zhang and Sennrich, "Root mean square layer
   normalization", 2019). */
GR_API gr_tensor gr_rms_norm(gr_tensor x, int n_axes, gr_tensor weight, double eps);
/* x: [n, channels, ...], weight, bias: [channels]. The channels are cut into groups of neighbours; each group
   of each sample is standardised, each channel scaled and moved (Wu and He, "Group normalization", 2018). One
   channel per group is "instance norm". GR_ERR_SHAPE where the channels cannot be cut so. */
GR_API gr_tensor gr_group_norm(gr_tensor x, int64_t groups, gr_tensor weight, gr_tensor bias, double eps);
/* x: [n, channels, ...], the others: [channels]. With mean and variance: (x - mean) / (variance + eps)^(1/2)
   weight + bias. With GR_NONE for both, each channel is standardised by its own elements (Ioffe and Szegedy,
   "Batch normalization", 2015). One without the other: GR_ERR_ARGUMENT. */
GR_API gr_tensor gr_batch_norm(gr_tensor x, gr_tensor mean, gr_tensor variance, gr_tensor weight,
                               gr_tensor bias, double eps);

/* ---- Layers ---- */

/* See nn.h for what layers have in common. */

typedef struct gr_batch_norm_layer {
    gr_tensor weight, bias;                   /* [channels]: 1 and 0 at first */
    gr_tensor running_mean, running_variance; /* [channels], constants: 0 and 1 at first */
    double eps, momentum;                     /* may be changed; momentum: in [0, 1] (GR_ERR_ARGUMENT) */
} gr_batch_norm_layer;

/* Parameters "<name>.weight" and "<name>.bias", constants "<name>.running_mean" and "<name>.running_var", which are
   saved with them (gr_set_model_state); eps 1e-5, momentum 0.1. On error nothing stays behind and all handles are invalid. */
GR_API gr_batch_norm_layer gr_batch_norm_layer_create(gr_graph *g, const char *name, gr_type type,
                                                      int64_t channels);
/* In training by the elements of x, of which there must be two per channel (GR_ERR_SHAPE), and the running
   figures move towards theirs: running += momentum (own - running), where the variance is divided by n - 1, as
   PyTorch does it. Otherwise by the running figures. A gr_checkpoint, which computes twice, moves them twice. */
GR_API gr_tensor gr_batch_norm_layer_forward(gr_batch_norm_layer layer, gr_tensor x, bool training);

/* The other three have no state; a layer is their weight and bias, made by
       gr_norm_layer norm = gr_norm_layer_create(g, "norm1", GR_F32, GR_SHAPE(512));
       h = gr_layer_norm(h, 1, norm.weight, norm.bias, norm.eps);
   or forward for short: the layer norm over as many axes as the weight has. */
typedef struct gr_norm_layer {
    gr_tensor weight, bias; /* 1 and 0 at first */
    double eps;             /* 1e-5 */
} gr_norm_layer;
GR_API gr_norm_layer gr_norm_layer_create(gr_graph *g, const char *name, gr_type type, gr_shape shape);
GR_API gr_tensor gr_norm_layer_forward(gr_norm_layer layer, gr_tensor x);

GR_END_DECLS

#endif
