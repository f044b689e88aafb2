/* What messages of layers, losses and activation functions say of tensors. */
#ifndef GRI_NN_DESCRIBE_H
#define GRI_NN_DESCRIBE_H

#include "gradus/tensor.h"

enum { GRI_DESCRIPTION_BYTES = 256 };

/* Writes "name [2, 3]" or, for a tensor without name, "[2, 3]". */
void gri_describe_tensor(char to[GRI_DESCRIPTION_BYTES], gr_tensor t);

#endif
