/*
 * Layers of convolutions, and embeddings. See nn.h for what layers have in common.
 */
#ifndef GRADUS_LAYERS_H
#define GRADUS_LAYERS_H

#include "gradus/convolution.h"
#include "gradus/nn.h"

GR_BEGIN_DECLS

/* ---- Convolutions ---- */

/* gr_conv1d, gr_conv2d, gr_conv_transpose1d or gr_conv_transpose2d. */
typedef gr_tensor gr_convolution(gr_tensor x, gr_tensor weight, gr_tensor bias,
                                 const gr_conv_options *options);

typedef struct gr_conv_layer {
    gr_tensor weight, bias; /* as the operation takes them */
    gr_conv_options options;
    gr_convolution *convolve;
} gr_conv_layer;

/* Parameters "<name>.weight", drawn by `init` (NULL: he_uniform), and "<name>.bias", zeros. kernel: (rows,
   columns), as in (int64_t[]){3, 3}; of the first one, a number. options may be NULL. Initialisers that scale
   count kernel elements times channels of a group. On error nothing stays behind and both handles are invalid.
   A layer without a bias, as before a batch norm: gr_release(layer.bias), then layer.bias = GR_NONE. */
GR_API gr_conv_layer gr_conv1d_layer_create(gr_graph *g, const char *name, gr_type type, int64_t in,
                                            int64_t out, int64_t kernel, const gr_conv_options *options,
                                            gr_initializer *init);
GR_API gr_conv_layer gr_conv2d_layer_create(gr_graph *g, const char *name, gr_type type, int64_t in,
                                            int64_t out, const int64_t kernel[2],
                                            const gr_conv_options *options, gr_initializer *init);
GR_API gr_conv_layer gr_conv_transpose2d_layer_create(gr_graph *g, const char *name, gr_type type, int64_t in,
                                                      int64_t out, const int64_t kernel[2],
                                                      const gr_conv_options *options, gr_initializer *init);
/* The operation, in the name scope "<name>". */
GR_API gr_tensor gr_conv_layer_forward(gr_conv_layer layer, gr_tensor x);

/* ---- Embedding ---- */

typedef struct gr_embedding_layer {
    gr_tensor weight; /* [entries, features] */
} gr_embedding_layer;

/* A table of vectors: parameter "<name>.weight", drawn by `init`; NULL: from N(0, 1). */
GR_API gr_embedding_layer gr_embedding_layer_create(gr_graph *g, const char *name, gr_type type,
                                                    int64_t entries, int64_t features, gr_initializer *init);
/* Its rows at positions: i32 [...] -> [..., features]. Negative ones count from the end, others outside are
   GR_ERR_INDEX. */
GR_API gr_tensor gr_embedding_layer_forward(gr_embedding_layer layer, gr_tensor index);

GR_END_DECLS

#endif
