/*
 * Linear algebra: products, sums of products by subscripts, systems of equations, factors. What all operations have in common stands
 * in ops.h.
 *
 * Matrices are the last two axes; the axes before them count matrices, and broadcast. All operands are float, and differentiable. None
 * has a kink. Factors are of small dense matrices, computed in f64 for f32, too. A matrix that has no inverse is GR_ERR_SINGULAR,
 * never NaN: one of which a pivot is exactly 0; one that is nearly singular is computed, with what rounding leaves of it. Derivatives
 * keep to IEEE 754, as those of gr_matmul.
 */
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
/* Of two vectors (else GR_ERR_NDIM): a: [n], b: [n] -> [], sum a_i b_i; a: [m], b: [n] -> [m, n], a_i b_j. As torch.dot and
   torch.outer. */
GR_API gr_tensor gr_dot(gr_tensor a, gr_tensor b);
GR_API gr_tensor gr_outer(gr_tensor a, gr_tensor b);

/* Sums of products by subscripts, as numpy.einsum and torch.einsum: "ij,jk->ik" is the matrix product.

     ii->i          diagonal: a letter that an operand has twice
     ij->j          a letter that the result does not have is summed
     bij,bjk->bik   batched products
     ...ij,...jk    an ellipsis stands for axes that broadcast; in the result without an arrow, it comes first,
                    and the letters that stand once follow in alphabetical order, capitals first
     ij,jk,kl->il   any number of operands, joined two by two, the cheapest pair first

   Letters are a-z and A-Z; blanks do not count. Sizes of a letter are the same, or one of them is 1, which broadcasts (not within
   one operand); else GR_ERR_SHAPE. An ellipsis that an explicit result leaves out is summed, as in PyTorch. Bad subscripts:
   GR_ERR_ARGUMENT; a number of axes that does not fit: GR_ERR_NDIM. Whatever is summed over two operands is a gr_matmul of
   them, reshaped, and as fast; no tensor on the way has more than GR_MAX_NDIM axes. */
GR_API gr_tensor gr_einsum(const char *subscripts, int n, const gr_tensor *operands);

/* ---- Diagonals; see also movement.h ---- */

/* The sum of the diagonal: [..., m, n] -> [...]. */
GR_API gr_tensor gr_trace(gr_tensor a);
/* A step tensor with ones on its diagonal, zeros elsewhere: -> [rows, columns]; any type. */
GR_API gr_tensor gr_eye(gr_graph *g, gr_type type, int64_t rows, int64_t columns);

/* ---- Systems of equations ---- */

/* a: [..., n, n]. b: [n], a vector, or [..., n, k], k right-hand sides -> shape of b, leading axes broadcast. Other sizes:
   GR_ERR_SHAPE. (As in NumPy 2; torch.linalg.solve takes some b of more axes for vectors.) */

/* X with A X = B, by LU factors with row exchanges. gB = A'^-1 gX, gA = -gB X'. */
GR_API gr_tensor gr_solve(gr_tensor a, gr_tensor b);
/* The same for T, one triangle of A: the other is not read, and gets no gradient. flags: any of those below. As
   torch.linalg.solve_triangular; X T = B is the system of T' and B'. */
enum {
    GR_LOWER = 0,
    GR_UPPER = 1,        /* T is the upper triangle */
    GR_TRANSPOSED = 2,   /* T' X = B */
    GR_UNIT_DIAGONAL = 4 /* the diagonal of T is ones, and not read */
};
GR_API gr_tensor gr_solve_triangular(gr_tensor a, gr_tensor b, unsigned flags);
/* A^-1. gA = -Y' gY Y'. gr_solve is more exact, and faster. */
GR_API gr_tensor gr_inv(gr_tensor a);

/* ---- Determinants, factors; a: [..., n, n] ---- */

/* ln |A|; NaN where the determinant is negative, as torch.logdet. gA = gy A'^-1. */
GR_API gr_tensor gr_logdet(gr_tensor a);
/* The sign of the determinant, a constant, and the logarithm of its size, [...] each; either pointer may be NULL. On error both
   are invalid. A singular matrix is an error here, too, unlike in PyTorch and NumPy. */
GR_API gr_status gr_slogdet(gr_tensor a, gr_tensor *sign, gr_tensor *logarithm);
/* The determinant. gA = gy times the cofactors, which are y A'^-1. Of a matrix of which a pivot is exactly 0 it is 0, and no error:
   the derivatives, which need not be 0, are then those of a polynomial without divisions, exact in every order (PyTorch: of slightly
   changed factors), in n^4 steps. */
GR_API gr_tensor gr_det(gr_tensor a);
/* L with A = L L', lower triangular, of a positive definite A (else GR_ERR_SINGULAR; the message says which pivot was not
   positive). A is taken for symmetric: what is factored is (A + A')/2, and so the gradient is symmetric, as in PyTorch and
   JAX (Murray, "Differentiation of the Cholesky decomposition", 2016). */
GR_API gr_tensor gr_cholesky(gr_tensor a);

GR_END_DECLS

#endif
