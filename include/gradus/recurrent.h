/*
 * Recurrent layers: Elman's network, LSTM, GRU, as cells and over sequences. Formulae and order of the gates
 * are PyTorch's; its weights are the transposed ones.
 *
 *     gr_recurrent lstm = gr_recurrent_create(g, "lstm", GR_F32, GR_LSTM, 26, 128, NULL);
 *     gr_recurrent_state state = {0};                          zeros
 *     gr_tensor h = gr_recurrent_forward(lstm, x, &state, NULL);
 *
 * With s the logistic function, * the product of elements, and each name a column block of the two products
 * that a step makes, x_t W_ih + b_ih and h W_hh + b_hh:
 *
 *     GR_RNN_TANH   h' = tanh(x + h)                         (Elman, 1990)
 *     GR_RNN_RELU   h' = relu(x + h)
 *     GR_LSTM       i = s(x_i + h_i), f = s(x_f + h_f), g = tanh(x_g + h_g), o = s(x_o + h_o),
 *                   c' = f * c + i * g, h' = o * tanh(c')    (Hochreiter and Schmidhuber, 1997; Gers, Schmidhuber
 *                                                             and Cummins, 2000)
 *     GR_GRU        r = s(x_r + h_r), z = s(x_z + h_z), n = tanh(x_n + r * h_n),
 *                   h' = (1 - z) * n + z * h                 (Cho and others, 2014)
 *
 * "Finding structure in time"; "Long short-term memory", with the forget gate of "Learning to forget"; "Learning phrase
 * representations using RNN encoder-decoder".
 */
#ifndef GRADUS_RECURRENT_H
#define GRADUS_RECURRENT_H

#include "gradus/nn.h"

GR_BEGIN_DECLS

typedef enum gr_recurrent_kind { GR_RNN_TANH = 0, GR_RNN_RELU, GR_LSTM, GR_GRU } gr_recurrent_kind;

typedef struct gr_recurrent {
    gr_recurrent_kind kind;
    int64_t hidden;
    gr_tensor weight_ih,
        weight_hh; /* [in, gates hidden], [hidden, gates hidden]; gates: 1, 1, 4 (i f g o), 3 (r z n) */
    gr_tensor bias_ih, bias_hh; /* [gates hidden] */
} gr_recurrent;

/* Parameters "<name>.weight_ih" and so on. Weights are drawn by `init`; NULL: from U(-a, a), a = 1 /
   hidden^(1/2), as PyTorch; biases are zeros. On error nothing stays behind and all handles are invalid. */
GR_API gr_recurrent gr_recurrent_create(gr_graph *g, const char *name, gr_type type, gr_recurrent_kind kind,
                                        int64_t in, int64_t hidden, gr_initializer *init);

/* What a layer remembers. A handle that was never set (a zeroed structure) means zeros. */
typedef struct gr_recurrent_state {
    gr_tensor h; /* [n, hidden] */
    gr_tensor c; /* the same; of an LSTM only */
} gr_recurrent_state;

/* The cell: one step. x: [n, in] -> the new state, whose h is the result. Without an axis n the state has none,
   either. */
GR_API gr_recurrent_state gr_recurrent_step(gr_recurrent layer, gr_tensor x, gr_recurrent_state state);

/* A zeroed structure, or NULL, gives the defaults. */
typedef struct gr_recurrent_options {
    bool batch_first; /* x: [n, time, in] -> [n, time, hidden] */
} gr_recurrent_options;

/* A sequence. x: [time, n, in], or [time, in] -> every h: [time, n, hidden]. The products of all x are one.
   `state`: the first one, replaced by the last; may be NULL. Of no steps: an empty result, and the state as it
   was. Made in the name scope "<name>". For the next part of a long sequence, gr_detach the state, or the
   gradients go back all the way. */
GR_API gr_tensor gr_recurrent_forward(gr_recurrent layer, gr_tensor x, gr_recurrent_state *state,
                                      const gr_recurrent_options *options);

GR_END_DECLS

#endif
