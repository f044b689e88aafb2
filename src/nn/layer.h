/* What layers share: how parameters are made and given back, and the name scope that each computes in. */
#ifndef GRI_NN_LAYER_H
#define GRI_NN_LAYER_H

#include "gradus/nn.h"

enum { GRI_LAYER_NAME_BYTES = 256, GRI_LAYER_MOST_PARTS = 8 };

/* A layer in the making. Nothing is made once something has failed, and what was made is given back at the end: a
   layer that could not be made leaves no parameter behind. */
typedef struct gri_layer {
    gr_graph *graph;
    const char *call, *name; /* the function that makes it, for messages; the layer */
    gr_type type;
    bool failed;
    int n;
    gr_tensor made[GRI_LAYER_MOST_PARTS];
} gri_layer;

/* Failed from the start, if an error is pending, or there is no name. */
gri_layer gri_layer_begin(gr_graph *g, const char *call, const char *name, gr_type type);
/* The parameter "<layer>.<part>", drawn by `init`; NULL: zeros. An invalid handle once something has failed. */
gr_tensor gri_layer_param(gri_layer *l, const char *part, gr_shape shape, gr_initializer *init);
/* A constant "<layer>.<part>" of one value, kept: state that is not trained. */
gr_tensor gri_layer_state(gri_layer *l, const char *part, gr_shape shape, double value);
/* An initialiser: ones. */
gr_status gri_init_ones(gr_tensor w);
/* Whether all could be made; if not, there is an error, and nothing of the layer is left. */
bool gri_layer_end(gri_layer *l);

/* Whether an operand is alive; if not, the error says so in the name of the call. */
bool gri_layer_check(const char *call, const char *operand, gr_tensor t);

/* The name of the layer whose parameter "<layer>.<part>" is, and its length; "" if it is named otherwise. */
size_t gri_layer_name_of(gr_tensor parameter, const char *part, char name[GRI_LAYER_NAME_BYTES]);
/* Opens the scope of that name; false if there is none to be opened, and so none to be ended. */
bool gri_layer_scope_begin(gr_tensor parameter, const char *part);

/* The name that a linear layer was created with, and its length; "" if its parameters were named otherwise. */
size_t gri_layer_name(gr_linear layer, char name[GRI_LAYER_NAME_BYTES]);
/* y = x W + b, made in a name scope; "": in none of its own. */
gr_tensor gri_linear_in_scope(gr_linear layer, gr_tensor x, const char *scope);

#endif
