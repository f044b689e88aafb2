/* Every primitive, one line each, in alphabetical order. What the tests sweep is this list. */
#ifndef GRI_OPS_REGISTRY_H
#define GRI_OPS_REGISTRY_H

#include "gradus/custom.h"

#define GRI_PRIMITIVES(X) \
    X(abs)                \
    X(add)                \
    X(add_scalar)         \
    X(all)                \
    X(any)                \
    X(arange)             \
    X(argmax)             \
    X(argmin)             \
    X(bernoulli)          \
    X(cast)               \
    X(chain_div)          \
    X(chain_mul)          \
    X(cholesky)           \
    X(concat)             \
    X(contiguous)         \
    X(cos)                \
    X(cumprod)            \
    X(cumsum)             \
    X(detach)             \
    X(diag_embed)         \
    X(diagonal)           \
    X(div)                \
    X(equal)              \
    X(exp)                \
    X(expand)             \
    X(flatnonzero)        \
    X(full)               \
    X(gather)             \
    X(greater)            \
    X(greater_equal)      \
    X(index_add)          \
    X(index_select)       \
    X(inv)                \
    X(less)               \
    X(less_equal)         \
    X(linspace)           \
    X(log)                \
    X(log1p)              \
    X(log_softmax)        \
    X(logsumexp)          \
    X(matmul)             \
    X(max)                \
    X(maximum)            \
    X(mean)               \
    X(min)                \
    X(minimum)            \
    X(mul)                \
    X(mul_scaled)         \
    X(neg)                \
    X(norm)               \
    X(normal)             \
    X(not_equal)          \
    X(one_hot)            \
    X(permute)            \
    X(pow)                \
    X(pow_scalar)         \
    X(prod)               \
    X(recurrence)         \
    X(relu)               \
    X(reshape)            \
    X(scale)              \
    X(scatter_add)        \
    X(sigmoid)            \
    X(sign)               \
    X(sin)                \
    X(slice)              \
    X(slice_backward)     \
    X(slogdet)            \
    X(softmax)            \
    X(softplus)           \
    X(solve)              \
    X(solve_triangular)   \
    X(sqrt)               \
    X(square)             \
    X(sub)                \
    X(sum)                \
    X(sum_to)             \
    X(tanh)               \
    X(unfold)             \
    X(unfold_backward)    \
    X(uniform)            \
    X(where)

#define GRI_DECLARE(NAME) extern const gr_op gri_op_##NAME;
GRI_PRIMITIVES(GRI_DECLARE)
#undef GRI_DECLARE

#endif
