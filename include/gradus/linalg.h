/* Linear algebra. What all operations have in common stands in ops.h. */
#ifndef GRADUS_LINALG_H
#define GRADUS_LINALG_H

#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* ---- Matrix product ---- */

/* a: [..., m, k], b: [..., k, n] -> [..., m, n]; leading axes broadcast. float. As in NumPy a 1-d operand is
   a row on the left, a column on the right, and its axis is dropped from the result: [k] @ [k, n] -> [n],
   [m, k] @ [k] -> [m], [k] @ [k] -> []. Transposed and other strided operands are read in place. k = 0 gives
   zeros. Inner sizes that differ: GR_ERR_SHAPE; scalars: GR_ERR_NDIM. */
GR_API gr_tensor gr_matmul(gr_tensor a, gr_tensor b);

GR_END_DECLS

#endif
