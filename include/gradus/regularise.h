/*
 * Against overfitting: penalties on parameters, and stopping before a model learns its data by heart. Dropout is in
 * nn.h, weight decay in optim.h.
 */
#ifndef GRADUS_REGULARISE_H
#define GRADUS_REGULARISE_H

#include "gradus/schedule.h"

GR_BEGIN_DECLS

/* ---- Penalties ---- */

/* To be added to a loss:

       loss = gr_add(loss, gr_l2_penalty(g, 0.001, 1, &net.layers[1].weight));

   Of n tensors of one float type (GR_ERR_TYPE), usually weights, or with n = 0 of all parameters of the graph
   (GR_ERR_ARGUMENT if it has none) -> a scalar, composed of the operations of ops.h. factor: finite, >= 0
   (GR_ERR_ARGUMENT). Biases are usually left out. */

/* factor sum |w|. Derivative factor sign(w), 0 at 0. */
GR_API gr_tensor gr_l1_penalty(gr_graph *g, double factor, int n, const gr_tensor *tensors);
/* factor sum w^2, as in Keras. Derivative 2 factor w: what a coupled weight decay of 2 factor adds to the gradient. */
GR_API gr_tensor gr_l2_penalty(gr_graph *g, double factor, int n, const gr_tensor *tensors);

/* ---- Early stopping ---- */

/* Ends training when what is monitored, usually the loss of validation, has stopped to become better, and brings back
   the parameters with which it was best (Prechelt, "Early stopping - but when?", 1998; the rule is that of Keras).

       gr_early_stopping *early = gr_early_stopping_create(g, &(gr_early_stopping_options){
           .min_delta = 1e-6, .patience = 5, .keep_best = true}, 0, NULL);
       bool stop = false;
       while (!stop) {
           ... an epoch ...
           gr_early_stopping_update(early, validation_loss, &stop);
           if (gr_graph_status(g) != GR_OK) break;
       }
       gr_early_stopping_restore(early);

   It belongs to its graph and ends with it. */
typedef struct gr_early_stopping gr_early_stopping;

/* A zeroed structure, or NULL, gives the defaults. */
typedef struct gr_early_stopping_options {
    gr_monitor_mode mode; /* GR_MONITOR_MIN: small is better; GR_MONITOR_MAX: large */
    double min_delta; /* >= 0, finite: better is less than best - min_delta, or more than best + min_delta */
    int64_t patience; /* >= 0: stops when the value was no better so many times in a row; 0 is like 1 */
    bool keep_best;   /* copy the tensors whenever the value is better, for gr_early_stopping_restore */
} gr_early_stopping_options;

/* n: tensors to be copied, parameters or kept constants of the graph, none twice; 0: all parameters that the graph has,
   and what else belongs to the model, as running means (gr_set_model_state). Copies take their memory here. NULL on error, and while one is pending. */
GR_API gr_early_stopping *gr_early_stopping_create(gr_graph *g, const gr_early_stopping_options *options,
                                                   int n, const gr_tensor *tensors);
/* Takes the next value. *stop (may be NULL): whether it is time. NaN is no better than any value. On error nothing has
   changed, and *stop is false: a tensor or a copy was released (GR_ERR_STALE), memory ran out because other tensors
   share a copy's elements. */
GR_API gr_status gr_early_stopping_update(gr_early_stopping *early, double value, bool *stop);
/* Writes the best values back, and raises the versions of the tensors. GR_ERR_STATE if there are none: without
   keep_best, or before the first value that was better than none, which NaN is not. On error nothing has changed. */
GR_API gr_status gr_early_stopping_restore(gr_early_stopping *early);
/* Frees the copies. Every later call with it is GR_ERR_STATE. */
GR_API gr_status gr_early_stopping_release(gr_early_stopping *early);

/* Where it is: read it and the copies, and write them back, to go on later. */
typedef struct gr_early_stopping_state {
    double best;     /* infinity, or -infinity for GR_MONITOR_MAX, at first */
    int64_t best_at; /* which value it was, from 0; -1: none yet */
    int64_t seen;    /* values so far */
    int64_t waited;  /* how many in a row were no better */
} gr_early_stopping_state;
/* Of NULL: best NaN. */
GR_API gr_early_stopping_state gr_early_stopping_get(const gr_early_stopping *early);
/* Counts that cannot be: GR_ERR_ARGUMENT. */
GR_API gr_status gr_early_stopping_set(gr_early_stopping *early, gr_early_stopping_state state);
/* How many tensors there are; tensor i, and its copy: a kept tensor. Without keep_best, or for an i out of range, an
   invalid handle and GR_ERR_INDEX. */
GR_API int gr_early_stopping_count(const gr_early_stopping *early);
GR_API gr_tensor gr_early_stopping_tensor(gr_early_stopping *early, int i);
GR_API gr_tensor gr_early_stopping_copy(gr_early_stopping *early, int i);

GR_END_DECLS

#endif
