/*
 * Attention (Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser and Polosukhin, "Attention is all you
 * need", 2017).
 */
#ifndef GRADUS_ATTENTION_H
#define GRADUS_ATTENTION_H

#include "gradus/nn.h"

GR_BEGIN_DECLS

/* A zeroed structure, or NULL, gives the defaults. */
typedef struct gr_attention_options {
    gr_tensor
        mask; /* broadcasts to [..., l, s]. bool: a query sees the keys where it is 1; float: added to the scores
                       (-inf hides), and differentiable. Zeroed: none */
    bool causal;    /* query i sees keys 0 to i only; together with a mask, what both let through */
    double scale;   /* of the scores; 0: 1 / d^(1/2) */
    double dropout; /* of the weights, in training: see gr_dropout */
    bool training;
    gr_tensor *weights; /* if not NULL: gets the weights [..., l, s], before dropout */
} gr_attention_options;

/* Scaled dot-product attention: softmax(scale q k' + mask) v, the softmax over the keys.
   q: [..., l, d], k: [..., s, d], v: [..., s, e] -> [..., l, e]; leading axes broadcast. float.
   A query that sees no key has weights 0, so its result is 0, and its gradients are 0, too (PyTorch's differ
   between its versions: 0 or NaN). Sizes that do not fit are GR_ERR_SHAPE, scalars and vectors GR_ERR_NDIM. */
GR_API gr_tensor gr_attention(gr_tensor q, gr_tensor k, gr_tensor v, const gr_attention_options *options);

/* Attention with several heads, of which each sees a projection of its own. */
typedef struct gr_multihead_attention {
    gr_linear in;  /* weight [embed, 3 embed]: columns of queries, of keys, of values, each by heads */
    gr_linear out; /* weight [embed, embed] */
    int64_t heads;
} gr_multihead_attention;

/* Parameters "<name>.in.weight", "<name>.in.bias", "<name>.out.weight", "<name>.out.bias"; the weights drawn by
   `init` (NULL: xavier_uniform). embed must be a multiple of heads (GR_ERR_SHAPE). On error no parameter stays
   behind and all handles are invalid. Weights of PyTorch's layer are the transposed ones. */
GR_API gr_multihead_attention gr_multihead_attention_create(gr_graph *g, const char *name, gr_type type,
                                                            int64_t embed, int64_t heads,
                                                            gr_initializer *init);
/* query: [n, l, embed], key, value: [n, s, embed] -> [n, l, embed]. Where all three are the same tensor
   (self-attention) they are projected in one product. options: a mask broadcasts to [n, heads, l, s]: [l, s]
   for all, [n, 1, 1, s] for keys that are padding; weights are [n, heads, l, s]. Made in the name scope
   "<name>". */
GR_API gr_tensor gr_multihead_attention_forward(gr_multihead_attention layer, gr_tensor query, gr_tensor key,
                                                gr_tensor value, const gr_attention_options *options);

GR_END_DECLS

#endif
