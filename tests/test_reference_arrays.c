/*
 * Reductions, movement and linear algebra against numbers of another library: the values, and the gradients, that PyTorch 2.15
 * gives in f64 for the same operands and cotangents. Where a shape is given, it is PyTorch's.
 *
 * Operands are made of whole numbers by formulas, so that they are the same everywhere; so are cotangents. An array is compared by
 * a sum in which each element has a weight of its own.
 */
#include "test.h"

#include <gradus.h>

#include <stdint.h>

enum { MOST_OPERANDS = 4, MOST_ELEMENTS = 512 };

static gr_graph *g;

/* ---- Numbers ---- */

/* Element e of operand number `salt`. f: 64 different numbers; w: -2 to 2, with ties and zeros; m: a mask; i: an index in
   [0, size). */
static double element(char kind, int64_t e, int64_t salt, int64_t size)
{
    const int64_t k = e * 37 + salt * 11 + 5;
    return kind == 'f'   ? (double)(k % 64 - 31) / 16
           : kind == 'w' ? (double)(k % 5 - 2)
           : kind == 'm' ? (double)(k % 3 == 0)
                         : (double)(k % size);
}

static gr_tensor operand(char kind, gr_shape shape, int64_t salt, int64_t size)
{
    double v[MOST_ELEMENTS];
    int64_t n = 1;
    for (int i = 0; i < shape.ndim; i++) n *= shape.dims[i];
    CHECK(n <= MOST_ELEMENTS);
    for (int64_t e = 0; e < n; e++) v[e] = element(kind, e, salt, size);
    const gr_tensor x = gr_constant(g, GR_F64, shape, v);
    return kind == 'i' ? gr_cast(x, GR_I32) : kind == 'm' ? gr_cast(x, GR_BOOL) : x;
}

/* The sum of the elements, each with its weight; and of their sizes, which the rounding is a part of. */
static double digest(gr_tensor t, double *size)
{
    double v[MOST_ELEMENTS], sum = 0;
    const int64_t n = gr_count(t);
    CHECK(n <= MOST_ELEMENTS && gr_read(gr_cast(t, GR_F64), v, n) == GR_OK);
    for (int64_t e = 0; e < n; e++) {
        const double term = v[e] * (double)((e * 29 + 7) % 61 + 1) / 16;
        sum += term;
        *size += fabs(term);
    }
    return sum;
}

static void check_digest(gr_tensor t, double expected)
{
    double size = 1;
    const double found = digest(t, &size);
    CHECK_NEAR(found, expected, 1e-13 * size);
}

/* ---- What the rows are made of ---- */

/* The gradient of y by x, as a function of x, with the numbers of a fourth operand for the cotangent. */
static gr_tensor second(gr_tensor x, gr_tensor y)
{
    const gr_tensor u = operand('f', gr_shape_of(y), 4, 0);
    gr_tensor gradient;
    gr_grad(1, &y, 1, &x, &u, &(gr_grad_options){.record = true}, &gradient);
    return gradient;
}

static gr_tensor part(gr_tensor x, int axis, int n, const int64_t *sizes, int which)
{
    gr_tensor parts[8];
    CHECK(gr_split(x, axis, n, sizes, parts) == GR_OK);
    return parts[which];
}

static gr_tensor last_chunk(gr_tensor x, int axis, int n)
{
    gr_tensor parts[8];
    const int made = gr_chunk(x, axis, n, parts);
    CHECK(made > 0 && made <= n);
    return parts[made > 0 ? made - 1 : 0];
}

static gr_tensor grid(const gr_tensor *x, int which)
{
    gr_tensor grids[3];
    CHECK(gr_meshgrid(3, x, grids) == GR_OK);
    return grids[which];
}

/* Matrices that have inverses, and factors. */
static gr_tensor identity(gr_tensor a) { return gr_eye(g, GR_F64, gr_dim(a, -1), gr_dim(a, -1)); }
static gr_tensor regular(gr_tensor a) { return gr_add(gr_scale(a, 0.25), gr_scale(identity(a), 2)); }
static gr_tensor definite(gr_tensor a)
{
    return gr_add(gr_scale(gr_matmul(a, gr_transpose(a, -2, -1)), 0.25), identity(a));
}
static gr_tensor symmetric(gr_tensor a)
{
    return gr_scale(gr_add(regular(a), gr_transpose(regular(a), -2, -1)), 0.5);
}
static gr_tensor log_size(gr_tensor a)
{
    gr_tensor sign, logarithm;
    CHECK(gr_slogdet(a, &sign, &logarithm) == GR_OK && !gr_requires_grad(sign));
    return logarithm;
}

#define S(...)                                           \
    {                                                    \
        GR_COUNT_(int64_t, __VA_ARGS__), { __VA_ARGS__ } \
    }
#define S0       \
    {            \
        0, { 0 } \
    }
#define ARGS(...)   \
    {               \
        __VA_ARGS__ \
    }

#define REDUCTIONS(X)                                                                                        \
    X(min_ties, "w", ARGS(S(3, 4)), 0, gr_min(x[0], GR_AXES(1), false), S(3), -6.25, ARGS(2.109375))         \
    X(max_ties, "w", ARGS(S(3, 4)), 0, gr_max(x[0], GR_AXES(0), true), S(1, 4), 7.6875, ARGS(-2.19140625))   \
    X(prod_zeros, "w", ARGS(S(5, 7)), 0, gr_prod(x[0], GR_AXES(1), false), S(5), 0, ARGS(-38.359375))        \
    X(prod_zero, "w", ARGS(S(6, 2)), 0, gr_prod(x[0], GR_AXES(1), true), S(6, 1), -5.375, ARGS(-5.49609375)) \
    X(prod_all, "f", ARGS(S(2, 3)), 0, gr_prod(x[0], GR_ALL_AXES, false), S0, -0.53268241882324219,          \
      ARGS(-3.0138122588396072))                                                                             \
    X(prod_twice, "f", ARGS(S(4, 3)), 0,                                                                     \
      gr_prod(gr_square(gr_prod(x[0], GR_AXES(1), false)), GR_ALL_AXES, false), S0, 0.0029302883171447853,   \
      ARGS(0.1046780069214254))                                                                              \
    X(prod_second, "w", ARGS(S(5, 3)), 0, second(x[0], gr_prod(x[0], GR_AXES(1), false)), S(5, 3),           \
      -9.29296875, ARGS(-6.553466796875))                                                                    \
    X(var_1, "f", ARGS(S(3, 4)), 0, gr_var(x[0], GR_AXES(1), 1, false), S(3), 5.90966796875,                 \
      ARGS(3.0419921874999996))                                                                              \
    X(var_0, "f", ARGS(S(3, 4)), 0, gr_var(x[0], GR_ALL_AXES, 0, true), S(1, 1), 0.64436848958333337,        \
      ARGS(0.92889404296875))                                                                                \
    X(std_1, "f", ARGS(S(2, 3, 4)), 0, gr_std(x[0], GR_AXES(0, 2), 1, true), S(1, 3, 1), 3.9877287393412306, \
      ARGS(1.0312006664138875))                                                                              \
    X(std_2, "f", ARGS(S(3, 4)), 0, gr_std(x[0], GR_AXES(1), 2, false), S(3), 5.2460230307676623,            \
      ARGS(1.7350586252101687))                                                                              \
    X(norm_1, "w", ARGS(S(3, 4)), 0, gr_vector_norm(x[0], 1, GR_AXES(1), false), S(3), 15.3125,              \
      ARGS(-7.61328125))                                                                                     \
    X(norm_2, "f", ARGS(S(3, 4)), 0, gr_vector_norm(x[0], 2, GR_AXES(0), true), S(1, 4), 10.777978038160017, \
      ARGS(2.3078153788562479))                                                                              \
    X(norm_inf, "w", ARGS(S(3, 4)), 0, gr_vector_norm(x[0], (double)INFINITY, GR_AXES(1), false), S(3),      \
      6.25, ARGS(-3.955078125))                                                                              \
    X(norm_least, "f", ARGS(S(3, 4)), 0, gr_vector_norm(x[0], (double)-INFINITY, GR_ALL_AXES, false), S0,    \
      0.09375, ARGS(-0.7734375))                                                                             \
    X(norm_0, "w", ARGS(S(3, 4)), 0, gr_vector_norm(x[0], 0, GR_AXES(1), false), S(3), 9.375, ARGS(0))       \
    X(norm_3, "w", ARGS(S(3, 4)), 0, gr_vector_norm(x[0], 3, GR_AXES(1), false), S(3), 7.9049903143612497,   \
      ARGS(-4.1037600030435266))                                                                             \
    X(norm_3_halves, "w", ARGS(S(3, 4)), 0, gr_vector_norm(x[0], 1.5, GR_ALL_AXES, true), S(1, 1),           \
      3.4521973154463867, ARGS(-1.9915755664319241))                                                         \
    X(norm_half, "w", ARGS(S(3, 4)), 0, gr_vector_norm(x[0], 0.5, GR_AXES(1), false), S(3),                  \
      44.865169529663682, ARGS(-22.613496697221862))                                                         \
    X(norm_minus_2, "f", ARGS(S(3, 4)), 0, gr_vector_norm(x[0], -2, GR_AXES(1), false), S(3),                \
      0.77659238125979368, ARGS(-3.1334274272555298))                                                        \
    X(argmax_ties, "w", ARGS(S(4, 6)), 0, gr_argmax(x[0], 1, false), S(4), 11.8125, ARGS(0))                 \
    X(argmin, "f", ARGS(S(4, 6)), 0, gr_argmin(x[0], 0, true), S(1, 6), 21, ARGS(0))                         \
    X(cumsum, "f", ARGS(S(2, 3, 4)), 0, gr_cumsum(x[0], 1), S(2, 3, 4), -15.5078125, ARGS(0.1953125))        \
    X(cumprod_zeros, "w", ARGS(S(5, 7)), 0, gr_cumprod(x[0], 1), S(5, 7), 4.5625, ARGS(32.26953125))         \
    X(cumprod_down, "w", ARGS(S(7, 5)), 0, gr_cumprod(x[0], -2), S(7, 5), 265.0625, ARGS(23.390625))         \
    X(cumprod_second, "w", ARGS(S(3, 5)), 0, second(x[0], gr_cumprod(x[0], 1)), S(3, 5), -11.12890625,       \
      ARGS(54.928955078125))                                                                                 \
    X(any, "m", ARGS(S(4, 3)), 0, gr_any(x[0], GR_AXES(1), false), S(4), 5.25, ARGS(0))                      \
    X(all, "m", ARGS(S(9, 1)), 0, gr_all(x[0], GR_AXES(1), true), S(9, 1), 4.1875, ARGS(0))                  \
    X(count_nonzero, "w", ARGS(S(3, 4)), 0, gr_count_nonzero(x[0], GR_AXES(0), false), S(4), 11, ARGS(0))

#define MOVEMENT(X)                                                                                          \
    X(stack, "ff", ARGS(S(2, 3), S(2, 3)), 0, gr_stack(2, x, 1), S(2, 2, 3), 11.49609375,                    \
      ARGS(-6.9921875, 10.73828125))                                                                         \
    X(stack_last, "ff", ARGS(S(2, 3), S(2, 3)), 0, gr_stack(2, x, -1), S(2, 3, 2), 11.6484375,               \
      ARGS(-0.44921875, 3.9609375))                                                                          \
    X(split_sizes, "f", ARGS(S(3, 7)), 0, part(x[0], 1, 3, (int64_t[]){2, 4, 1}, 1), S(3, 4), 3.4453125,     \
      ARGS(-0.62890625))                                                                                     \
    X(split_equal, "f", ARGS(S(6, 2)), 0, part(x[0], 0, 3, NULL, 2), S(2, 2), -1.37109375, ARGS(3.56640625)) \
    X(chunk_of_7, "f", ARGS(S(7, 2)), 0, last_chunk(x[0], 0, 3), S(1, 2), 0.07421875, ARGS(0.45703125))      \
    X(chunk_of_5, "f", ARGS(S(2, 5)), 0, last_chunk(x[0], -1, 4), S(2, 1), -2.06640625, ARGS(-1.6875))       \
    X(repeat, "f", ARGS(S(2, 3)), 0, gr_repeat(x[0], GR_SHAPE(2, 1, 3)), S(2, 2, 9), 14.296875,              \
      ARGS(9.6328125))                                                                                       \
    X(tile_short, "f", ARGS(S(2, 3)), 0, gr_tile(x[0], GR_SHAPE(2)), S(2, 6), 9.77734375, ARGS(3.74609375))  \
    X(tile_long, "f", ARGS(S(3)), 0, gr_tile(x[0], GR_SHAPE(2, 2)), S(2, 6), -14.88671875, ARGS(3.28125))    \
    X(repeat_interleave, "f", ARGS(S(2, 3)), 0, gr_repeat_interleave(x[0], 1, 3), S(2, 9), 3.21875,          \
      ARGS(10.9140625))                                                                                      \
    X(flip, "f", ARGS(S(2, 3, 4)), 0, gr_flip(x[0], GR_AXES(0, -1)), S(2, 3, 4), -0.48046875,                \
      ARGS(15.265625))                                                                                       \
    X(roll, "f", ARGS(S(3, 5)), 0, gr_roll(x[0], 1, 2), S(3, 5), -0.0078125, ARGS(7.1875))                   \
    X(roll_back, "f", ARGS(S(3, 5)), 0, gr_roll(x[0], 0, -4), S(3, 5), -5.91015625, ARGS(5.4375))            \
    X(pad_constant, "f", ARGS(S(3, 4)), 0,                                                                   \
      gr_pad(x[0], GR_SHAPE(1, 2), GR_SHAPE(0, 1), GR_PAD_CONSTANT, 2.5), S(4, 7), 77.08984375,              \
      ARGS(-2.921875))                                                                                       \
    X(pad_reflect, "f", ARGS(S(3, 4)), 0, gr_pad(x[0], GR_SHAPE(0, 3), GR_SHAPE(0, 2), GR_PAD_REFLECT, 0),   \
      S(3, 9), -1.58984375, ARGS(14.671875))                                                                 \
    X(pad_reflect_2, "f", ARGS(S(1, 3, 4)), 0,                                                               \
      gr_pad(x[0], GR_SHAPE(0, 2, 1), GR_SHAPE(0, 1, 3), GR_PAD_REFLECT, 0), S(1, 6, 8), 53.7578125,         \
      ARGS(-1.3125))                                                                                         \
    X(pad_replicate, "f", ARGS(S(1, 3, 2)), 0,                                                               \
      gr_pad(x[0], GR_SHAPE(0, 1, 4), GR_SHAPE(0, 2, 0), GR_PAD_REPLICATE, 0), S(1, 6, 6), -36.91796875,     \
      ARGS(10.84765625))                                                                                     \
    X(pad_circular, "f", ARGS(S(1, 3, 4)), 0,                                                                \
      gr_pad(x[0], GR_SHAPE(0, 3, 1), GR_SHAPE(0, 0, 2), GR_PAD_CIRCULAR, 0), S(1, 6, 7), -17.9921875,       \
      ARGS(9.90234375))                                                                                      \
    X(triu, "f", ARGS(S(2, 3, 4)), 0, gr_triu(x[0], 1), S(2, 3, 4), -1.1015625, ARGS(-8.66796875))           \
    X(tril, "f", ARGS(S(4, 3)), 0, gr_tril(x[0], -1), S(4, 3), 4.74609375, ARGS(-1.765625))                  \
    X(diag_of_vector, "f", ARGS(S(3)), 0, gr_diag(x[0], -2), S(5, 5), -5.80078125, ARGS(3.28125))            \
    X(diag_of_matrix, "f", ARGS(S(3, 4)), 0, gr_diag(x[0], 1), S(3), 0.86328125, ARGS(-1.28515625))          \
    X(diagonal, "f", ARGS(S(3, 2, 4)), 0, gr_diagonal(x[0], -1, 0, 2), S(2, 2), 1.49609375, ARGS(4.65625))   \
    X(diagonal_swapped, "f", ARGS(S(3, 2, 4)), 0, gr_diagonal(x[0], -1, 2, 0), S(2, 3), 6.3984375,           \
      ARGS(2.74609375))                                                                                      \
    X(diag_embed, "f", ARGS(S(2, 3)), 0, gr_diag_embed(x[0], 1), S(2, 4, 4), 4.8125, ARGS(-5.82421875))      \
    X(unfold, "f", ARGS(S(2, 7)), 0, gr_unfold(x[0], 1, 3, 2), S(2, 3, 3), -6.234375, ARGS(4.859375))        \
    X(unfold_twice, "f", ARGS(S(4, 5)), 0, gr_unfold(gr_unfold(x[0], 0, 2, 1), 1, 3, 1), S(3, 3, 2, 3),      \
      -9.54296875, ARGS(32.9296875))                                                                         \
    X(unfold_square, "f", ARGS(S(6)), 0, gr_square(gr_unfold(x[0], 0, 5, 1)), S(2, 5), 20.450927734375,      \
      ARGS(7.7763671875))                                                                                    \
    X(take_along_axis, "fi", ARGS(S(3, 4), S(1, 2)), 4, gr_take_along_axis(x[0], 1, x[1]), S(3, 2), 3.3125,  \
      ARGS(3.51171875, 0))                                                                                   \
    X(take_along_wide, "fi", ARGS(S(1, 4), S(3, 6)), 4, gr_take_along_axis(x[0], 1, x[1]), S(3, 6),          \
      -13.41796875, ARGS(2.3203125, 0))                                                                      \
    X(gather, "fi", ARGS(S(3, 4), S(3, 6)), 4, gr_gather(x[0], 1, x[1]), S(3, 6), 11.30078125,               \
      ARGS(4.98046875, 0))                                                                                   \
    X(scatter_add, "ffi", ARGS(S(3, 4), S(3, 6), S(3, 6)), 4,                                                \
      gr_add(x[0], gr_scatter_add(x[1], 1, x[2], 4)), S(3, 4), 12.39453125,                                  \
      ARGS(-6.5859375, 19.69921875, 0))                                                                      \
    X(masked_fill, "fm", ARGS(S(3, 4), S(4)), 0, gr_masked_fill(x[0], x[1], -1.5), S(3, 4), -4.80859375,     \
      ARGS(-0.04296875, 0))                                                                                  \
    X(masked_select, "fm", ARGS(S(3, 4), S(3, 4)), 0, gr_masked_select(x[0], x[1]), S(4), 3.85546875,        \
      ARGS(1.5390625, 0))                                                                                    \
    X(masked_select_row, "fm", ARGS(S(3, 1), S(4)), 0, gr_masked_select(x[0], x[1]), S(3), 0.46484375,       \
      ARGS(-1.94921875, 0))                                                                                  \
    X(flatnonzero, "m", ARGS(S(3, 4)), 0, gr_flatnonzero(x[0]), S(4), 33.1875, ARGS(0))                      \
    X(embedding, "fi", ARGS(S(5, 3), S(2, 4)), 5, gr_embedding(x[0], x[1], GR_NO_PADDING), S(2, 4, 3),       \
      -21.66015625, ARGS(18.82421875, 0))                                                                    \
    X(embedding_padding, "fi", ARGS(S(5, 3), S(2, 4)), 5, gr_embedding(x[0], x[1], 2), S(2, 4, 3),           \
      -21.66015625, ARGS(7.08984375, 0))                                                                     \
    X(embedding_last, "fi", ARGS(S(5, 3), S(7)), 5, gr_embedding(x[0], x[1], -1), S(7, 3), -22.24609375,     \
      ARGS(16.83984375, 0))                                                                                  \
    X(index_select, "fi", ARGS(S(4, 3), S(6)), 4, gr_index_select(x[0], 0, x[1]), S(6, 3), 6.50390625,       \
      ARGS(-10.95703125, 0))                                                                                 \
    X(meshgrid, "fff", ARGS(S(2), S(3), S(2)), 0, grid(x, 1), S(2, 3, 2), 0.4765625, ARGS(0, 3.046875, 0))   \
    X(linspace, "f", ARGS(S0), 0, gr_mul(x[0], gr_linspace(g, GR_F64, 7, -2, 0.3)), S(7),                    \
      9.7906250000000004, ARGS(-0.8354166666666667))

#define LINALG(X)                                                                                            \
    X(dot, "ff", ARGS(S(5), S(5)), 0, gr_dot(x[0], x[1]), S0, 2.64453125,                                    \
      ARGS(3.882568359375, 1.803955078125))                                                                  \
    X(outer, "ff", ARGS(S(3), S(4)), 0, gr_outer(x[0], x[1]), S(3, 4), -8.30517578125,                       \
      ARGS(1.4892578125, -0.387451171875))                                                                   \
    X(trace, "f", ARGS(S(3, 4)), 0, gr_trace(x[0]), S0, 0.90625, ARGS(3.26953125))                           \
    X(einsum_product, "ff", ARGS(S(2, 3), S(3, 4)), 0, gr_einsum("ij,jk->ik", 2, x), S(2, 4),                \
      -20.121826171875, ARGS(17.71630859375, 11.55615234375))                                                \
    X(einsum_implicit, "ff", ARGS(S(2, 3), S(4, 2)), 0, gr_einsum("ba,cb", 2, x), S(3, 4), 11.242431640625,  \
      ARGS(-7.4765625, 4.4287109375))                                                                        \
    X(einsum_capitals, "ff", ARGS(S(2, 3), S(3, 4)), 0, gr_einsum("aB,BC", 2, x), S(4, 2), -9.6904296875,    \
      ARGS(1.80859375, -10.677490234375))                                                                    \
    X(einsum_trace, "f", ARGS(S(3, 3)), 0, gr_einsum("ii", 1, x), S0, -0.5625, ARGS(2.35546875))             \
    X(einsum_diagonal, "f", ARGS(S(3, 3)), 0, gr_einsum("ii->i", 1, x), S(3), -1.40625, ARGS(4.37109375))    \
    X(einsum_transpose, "f", ARGS(S(2, 3, 4)), 0, gr_einsum("ijk->kji", 1, x), S(4, 3, 2), 4.0546875,        \
      ARGS(-3.38671875))                                                                                     \
    X(einsum_sum_all, "f", ARGS(S(2, 3)), 0, gr_einsum("ij->", 1, x), S0, 0.46875, ARGS(4.11328125))         \
    X(einsum_sum_one, "f", ARGS(S(2, 3)), 0, gr_einsum("ij->j", 1, x), S(3), 0.859375, ARGS(1.40625))        \
    X(einsum_batch, "ff", ARGS(S(2, 3, 4), S(2, 4, 2)), 0, gr_einsum("bij,bjk->bik", 2, x), S(2, 3, 2),      \
      -13.8798828125, ARGS(15.972412109375, 6.870849609375))                                                 \
    X(einsum_ellipsis, "ff", ARGS(S(2, 1, 2, 3), S(3, 3, 2)), 0, gr_einsum("...ij,...jk->...ik", 2, x),      \
      S(2, 3, 2, 2), -15.7158203125, ARGS(4.750244140625, -21.310546875))                                    \
    X(einsum_ellipsis_implicit, "ff", ARGS(S(2, 3), S(4, 2)), 0, gr_einsum("...a,b...", 2, x), S(2, 3, 4),   \
      5.233642578125, ARGS(-8.78515625, -1.4111328125))                                                      \
    X(einsum_ellipsis_summed, "f", ARGS(S(2, 3, 4)), 0, gr_einsum("...i->i", 1, x), S(4), 2.4609375,         \
      ARGS(12.44140625))                                                                                     \
    X(einsum_ellipsis_in_front, "f", ARGS(S(2, 3, 4)), 0, gr_einsum("i...->...i", 1, x), S(3, 4, 2),         \
      5.41796875, ARGS(1.55859375))                                                                          \
    X(einsum_broadcast, "ff", ARGS(S(1, 3), S(2, 3)), 0, gr_einsum("ij,ij->ij", 2, x), S(2, 3),              \
      -1.169921875, ARGS(-3.20068359375, -0.9765625))                                                        \
    X(einsum_bilinear, "fff", ARGS(S(2, 3), S(4, 3, 2), S(2, 2)), 0, gr_einsum("bi,oij,bj->bo", 3, x),       \
      S(2, 4), 3.698394775390625, ARGS(-13.53350830078125, -11.64501953125, 3.02850341796875))               \
    X(einsum_chain, "ffff", ARGS(S(2, 3), S(3, 4), S(4, 2), S(2, 3)), 0, gr_einsum("ij,jk,kl,lm->im", 4, x), \
      S(2, 3), 29.29408073425293,                                                                            \
      ARGS(-25.32362174987793, -173.3880729675293, -43.985324859619141, 27.851743698120117))                 \
    X(einsum_repeated_three, "ff", ARGS(S(3, 3, 2), S(3, 2)), 0, gr_einsum("iij,ij->j", 2, x), S(2),         \
      -6.41015625, ARGS(-6.2314453125, -3.87158203125))                                                      \
    X(einsum_triple_diagonal, "f", ARGS(S(3, 3, 3)), 0, gr_einsum("iii->i", 1, x), S(3), -0.26953125,        \
      ARGS(1.171875))                                                                                        \
    X(einsum_attention, "ff", ARGS(S(2, 3, 2, 2), S(2, 4, 2, 2)), 0, gr_einsum("bqhd,bkhd->bhqk", 2, x),     \
      S(2, 2, 3, 4), -16.865234375, ARGS(-1.33544921875, 3.199951171875))                                    \
    X(einsum_outer_three, "fff", ARGS(S(2), S(3), S(2)), 0, gr_einsum("a,b,c->cab", 3, x), S(2, 2, 3),       \
      -9.1772003173828125, ARGS(6.4156494140625, -0.1832427978515625, -11.21575927734375))                   \
    X(einsum_hadamard, "ff", ARGS(S(2, 3), S(2, 3)), 0, gr_einsum("ij,ij->", 2, x), S0, 1.3125,              \
      ARGS(2.384033203125, 3.91552734375))                                                                   \
    X(einsum_scalar, "ff", ARGS(S0, S(2, 3)), 0, gr_einsum(",ij->ij", 2, x), S(2, 3), -6.88720703125,        \
      ARGS(-1.525390625, 4.13232421875))                                                                     \
    X(einsum_blanks, "ff", ARGS(S(2, 3), S(3, 2)), 0, gr_einsum(" i j , j k ", 2, x), S(2, 2),               \
      -1.88818359375, ARGS(-8.055419921875, 2.288818359375))                                                 \
    X(solve, "ff", ARGS(S(3, 3), S(3, 2)), 0, gr_solve(regular(x[0]), x[1]), S(3, 2), 2.5980244227665099,    \
      ARGS(0.94174987592349124, -1.5114218541652045))                                                        \
    X(solve_vector, "ff", ARGS(S(3, 3), S(3)), 0, gr_solve(regular(x[0]), x[1]), S(3), 1.5954365218611832,   \
      ARGS(-0.15573610685532405, -0.72175240367745097))                                                      \
    X(solve_stack, "ff", ARGS(S(2, 3, 3), S(3, 2)), 0, gr_solve(regular(x[0]), x[1]), S(2, 3, 2),            \
      2.3018626769385255, ARGS(-0.72173441864460863, 2.0884369391595712))                                    \
    X(solve_indefinite, "ff", ARGS(S(4, 4), S(4, 1)), 0, gr_solve(x[0], x[1]), S(4, 1), -18.662500000000005, \
      ARGS(29.783593750000019, 2.3437500000000009))                                                          \
    X(inv, "f", ARGS(S(2, 3, 3)), 0, gr_inv(regular(x[0])), S(2, 3, 3), 3.3942785172591896,                  \
      ARGS(0.36674535658076846))                                                                             \
    X(det, "f", ARGS(S(2, 3, 3)), 0, gr_det(regular(x[0])), S(2), 25.468963623046879,                        \
      ARGS(-3.5822167396545419))                                                                             \
    X(det_negative, "f", ARGS(S(3, 3)), 0, gr_det(x[0]), S0, -1.3281249999999998, ARGS(1.3092956542968754))  \
    X(logdet, "f", ARGS(S(3, 3)), 0, gr_logdet(regular(x[0])), S0, 0.96991151081819527,                      \
      ARGS(0.25661607557986527))                                                                             \
    X(slogdet, "f", ARGS(S(2, 3, 3)), 0, log_size(x[0]), S(2), 2.7475744322547841,                           \
      ARGS(-0.32705652573529398))                                                                            \
    X(cholesky, "f", ARGS(S(3, 3)), 0, gr_cholesky(definite(x[0])), S(3, 3), 2.5768131389731108,             \
      ARGS(6.0914535468971502))                                                                              \
    X(cholesky_stack, "f", ARGS(S(2, 4, 4)), 0, gr_cholesky(definite(x[0])), S(2, 4, 4), 20.535645757069364, \
      ARGS(1.3362833155427183))                                                                              \
    X(cholesky_itself, "f", ARGS(S(3, 3)), 0, gr_cholesky(symmetric(x[0])), S(3, 3), 6.3393210824525905,     \
      ARGS(-0.97448801974235399))                                                                            \
    X(lower, "ff", ARGS(S(3, 3), S(3, 2)), 0, gr_solve_triangular(regular(x[0]), x[1], GR_LOWER), S(3, 2),   \
      2.6485944354652502, ARGS(0.77234901746538442, -1.517907832724408))                                     \
    X(upper_stack, "ff", ARGS(S(2, 3, 3), S(3, 2)), 0, gr_solve_triangular(regular(x[0]), x[1], GR_UPPER),   \
      S(2, 3, 2), 2.2156460418503845, ARGS(0.091777242339118867, 1.8412601122747454))                        \
    X(upper_unit, "ff", ARGS(S(3, 3), S(3, 2)), 0,                                                           \
      gr_solve_triangular(regular(x[0]), x[1], GR_UPPER | GR_UNIT_DIAGONAL), S(3, 2), 3.8306293487548828,    \
      ARGS(1.3808746337890625, -2.4679069519042969))                                                         \
    X(lower_transposed, "ff", ARGS(S(3, 3), S(3, 2)), 0,                                                     \
      gr_solve_triangular(regular(x[0]), x[1], GR_LOWER | GR_TRANSPOSED), S(3, 2), 2.0798767209492892,       \
      ARGS(-0.14450543639486058, -1.3636259456449398))                                                       \
    X(solve_second, "ff", ARGS(S(3, 3), S(3, 1)), 0, second(x[0], gr_solve(regular(x[0]), x[1])), S(3, 3),   \
      -0.11024564489077865, ARGS(0.15451693540896949, 0.18374788491706864))                                  \
    X(cholesky_second, "f", ARGS(S(3, 3)), 0, second(x[0], gr_cholesky(definite(x[0]))), S(3, 3),            \
      2.2610432913163399, ARGS(0.2304161739103045))

/* ---- The table ---- */

#define DEFINE(NAME, KINDS, SHAPES, SIZE, EXPRESSION, ...) \
    static gr_tensor f_##NAME(const gr_tensor *x) { return EXPRESSION; }
REDUCTIONS(DEFINE)
MOVEMENT(DEFINE)
LINALG(DEFINE)

typedef struct row {
    const char *name, *kinds;
    gr_tensor (*f)(const gr_tensor *x);
    int64_t size; /* of what an index points into */
    gr_shape shapes[MOST_OPERANDS], result;
    double value, gradients[MOST_OPERANDS]; /* digests */
} row;

#define ENTRY(NAME, KINDS, SHAPES, SIZE, EXPRESSION, ...) {#NAME, KINDS, f_##NAME, SIZE, SHAPES, __VA_ARGS__},
static const row rows[] = {REDUCTIONS(ENTRY) MOVEMENT(ENTRY) LINALG(ENTRY)};

static bool same_shape(gr_shape a, gr_shape b)
{
    bool same = a.ndim == b.ndim;
    for (int i = 0; same && i < a.ndim; i++) same = a.dims[i] == b.dims[i];
    return same;
}

static void check_gradients(const row *r, gr_tensor y, int n, const gr_tensor *x, bool record)
{
    gr_tensor by[MOST_OPERANDS], gradients[MOST_OPERANDS];
    int floats = 0;
    for (int k = 0; k < n; k++)
        if (gr_type_of(x[k]) == GR_F64) by[floats++] = x[k];
    const gr_tensor u = operand('f', gr_shape_of(y), 9, 0);
    CHECK(gr_grad(1, &y, floats, by, &u, &(gr_grad_options){.record = record, .retain = true}, gradients) ==
          GR_OK);
    for (int k = 0, i = 0; k < n; k++)
        if (gr_type_of(x[k]) == GR_F64) check_digest(gradients[i++], r->gradients[k]);
}

static void check_row(const row *r)
{
    const int failures = test_failures, n = (int)strlen(r->kinds);
    const gr_scope scope = gr_scope_begin(g);
    gr_tensor x[MOST_OPERANDS];
    for (int k = 0; k < n; k++) {
        x[k] = operand(r->kinds[k], r->shapes[k], k, r->size);
        if (gr_type_of(x[k]) == GR_F64) gr_set_requires_grad(x[k], true);
    }
    const gr_tensor y = r->f(x);
    CHECK(gr_is_valid(y) && same_shape(gr_shape_of(y), r->result));
    if (gr_is_valid(y)) check_digest(y, r->value);
    for (int record = 0; gr_is_valid(y) && gr_requires_grad(y) && record < 2; record++)
        check_gradients(r, y, n, x, record);
    CHECK(gr_graph_status(g) == GR_OK);
    if (test_failures > failures) printf("  in row %s: %s\n", r->name, gr_graph_error(g));
    gr_graph_clear_error(g);
    gr_scope_end(scope, 0, NULL);
}

static void test_rows(void)
{
    g = gr_graph_create(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(&rows[i]);
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_rows);
    return TEST_EXIT;
}
