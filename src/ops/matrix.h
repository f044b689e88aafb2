/* What operations on matrices share: these are the last two axes; the axes before them count matrices, and broadcast. */
#ifndef GRI_OPS_MATRIX_H
#define GRI_OPS_MATRIX_H

#include "ops/ops.h"

/* Offset of matrix number `index` of the result's leading axes in an operand that broadcasts to them. */
static inline int64_t gri_matrix_offset(const gr_array *x, const gr_array *out, int64_t index)
{
    int64_t offset = 0;
    for (int axis = out->ndim - 3; axis >= 0; axis--) {
        const int own = axis - (out->ndim - x->ndim);
        if (own >= 0 && x->dims[own] != 1) offset += index % out->dims[axis] * x->strides[own];
        index /= out->dims[axis];
    }
    return offset;
}

#endif
