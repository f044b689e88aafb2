/* What layers share: the name scope that each computes in. */
#ifndef GRI_NN_LAYER_H
#define GRI_NN_LAYER_H

#include "gradus/nn.h"

enum { GRI_LAYER_NAME_BYTES = 256 };

/* The name that a linear layer was created with, and its length; "" if its parameters were named otherwise. */
size_t gri_layer_name(gr_linear layer, char name[GRI_LAYER_NAME_BYTES]);
/* y = x W + b, made in a name scope; "": in none of its own. */
gr_tensor gri_linear_in_scope(gr_linear layer, gr_tensor x, const char *scope);

#endif
