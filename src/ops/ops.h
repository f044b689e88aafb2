/*
 * What the files of src/ops share. A primitive is one block: its loops or kernel call, its rule, its
 * descriptor gri_op_<name>, its public constructor. GRI_UNARY and GRI_BINARY make the block of an elementwise
 * one; attributes, types other than float and fast paths of two operands are written out as in arithmetic.c.
 *
 * To add a primitive: its block in one of the files, its line in registry.h, its prototype in the
 * header of its topic (gradus/ops.h lists them), its row in tests/operations/, without which the suite fails.
 *
 * A rule multiplies with gr_chain_mul and divides with gr_chain_div wherever a factor can be 0 while the
 * other is infinite or NaN, and a fast path with GRI_CHAIN_MUL and GRI_CHAIN_DIV: see docs/kinks.md.
 *
 * Rules are given as expressions of gy (cotangent of the result), y (the result) and the operands by their
 * names.
 */
#ifndef GRI_OPS_OPS_H
#define GRI_OPS_OPS_H

#include "gradus/custom.h"
#include "gradus/ops.h"
#include "graph/graph.h"
#include "ops/registry.h"
#include "ops/kernels/map.h"

#include <math.h>

/* Runs the loop for the type of the last operand over all operands. Its parameter: the attributes. */
static inline gr_status gri_map_call(const gr_call *c, const gri_loops *loops)
{
    gri_loop *loop = gri_loop_of(loops, c->in[c->n - 1]->type);
    gri_map(c->graph->threads, loop, c->attributes, c->out, c->n, c->in);
    return GR_OK;
}

/* For a pull: runs the loop for the type of `to`, which becomes the first of its arrays. */
static inline bool gri_map_pull(const gr_call *c, gri_loop *f32, gri_loop *f64, const gr_array *to, int n,
                                const gr_array *const *in)
{
    gri_map(c->graph->threads, to->type == GR_F32 ? f32 : f64, c->attributes, to, n, in);
    return true;
}

/* For a pull_tangent: a tangent that is not there as the number 0, which broadcasts. */
static inline const gr_array *gri_or_zero(const gr_array *tangent, gr_type type)
{
    static const double zero; /* all bits 0: in f32, too */
    static const gr_array zeros[] = {
        [GR_F32] = {.data = (void *)(uintptr_t)&zero, .count = 1, .type = GR_F32},
        [GR_F64] = {.data = (void *)(uintptr_t)&zero, .count = 1, .type = GR_F64}};
    return tangent ? tangent : &zeros[type];
}

/* Infers an elementwise operation that is defined for float only. */
static inline gr_status gri_infer_float_broadcast(const gr_call *c, gr_layout *out)
{
    const gr_status status = gr_infer_broadcast(c, out);
    if (status != GR_OK) return status;
    return gr_type_is_float(out->type) ? GR_OK : gr_call_fail(c, GR_ERR_TYPE, "needs f32 or f64", NULL);
}

/* The shape of one operand, which must be a float: for operations of one operand. */
static inline gr_status gri_infer_float(const gr_call *c, gr_layout *out) { return gr_infer_like(c, out, 0); }

static inline gr_tensor gri_apply1(const gr_op *op, gr_tensor x, const void *attributes)
{
    return gr_apply(x.graph, op, 1, &x, attributes);
}

static inline gr_tensor gri_apply2(const gr_op *op, gr_tensor a, gr_tensor b, const void *attributes)
{
    const gr_tensor operands[] = {a, b};
    return gr_apply(NULL, op, 2, operands, attributes);
}

/* Costs (gr_op.flops): of what moves elements, and of what passes over those of its first operand once. */
static inline double gri_flops_none(const gr_call *c)
{
    (void)c;
    return 0;
}
static inline double gri_flops_operand(const gr_call *c) { return (double)c->in[0]->count; }

/* The shape of a node by value. */
static inline gr_shape gri_shape(const gr_array *a)
{
    gr_shape shape;
    shape.ndim = a->ndim;
    for (int i = 0; i < GR_MAX_NDIM; i++) shape.dims[i] = i < a->ndim ? a->dims[i] : 0;
    return shape;
}

/* The array of a live handle. For rules and for constructors that have checked. */
static inline const gr_array *gri_array(gr_tensor t)
{
    return &gri_lookup(t.graph, t.index, t.generation)->array;
}

/* The scalar 0 of the type of x. */
static inline gr_tensor gri_zero_like(gr_tensor x) { return gr_scalar(x.graph, gr_type_of(x), 0); }

/* ---- Products and quotients of the chain rule, in scalars: gr_chain_mul and gr_chain_div ---- */

/* g d, and 0 where either is 0. Both sides are computed, so that loops over it vectorise. */
static inline float gri_chain_mul_f32(float g, float d)
{
    const float product = g * d;
    return ((g != 0) & (d != 0)) ? product : 0;
}

static inline double gri_chain_mul_f64(double g, double d)
{
    const double product = g * d;
    return ((g != 0) & (d != 0)) ? product : 0;
}

/* g / d, and 0 where g or 1/d is 0. */
static inline float gri_chain_div_f32(float g, float d)
{
    const float quotient = g / d;
    return ((g == 0) | (d == INFINITY) | (d == -INFINITY)) ? 0 : quotient;
}

static inline double gri_chain_div_f64(double g, double d)
{
    const double infinity = (double)INFINITY, quotient = g / d;
    return ((g == 0) | (d == infinity) | (d == -infinity)) ? 0 : quotient;
}

/* By the type of g. */
#define GRI_CHAIN_MUL(G, D) _Generic((G), float : gri_chain_mul_f32, double : gri_chain_mul_f64)(G, D)
#define GRI_CHAIN_DIV(G, D) _Generic((G), float : gri_chain_div_f32, double : gri_chain_div_f64)(G, D)

/* A constant in the type of X: a double would make loops over floats those over doubles. */
#define GRI_LIKE(X, VALUE) _Generic((X), float : (float)(VALUE), double : (VALUE))

/* C ? A : B with both sides computed, so that loops over it vectorise also where one side reads attributes. */
static inline float gri_either_f32(bool c, float a, float b) { return c ? a : b; }
static inline double gri_either_f64(bool c, double a, double b) { return c ? a : b; }
#define GRI_EITHER(C, A, B) _Generic((A), float : gri_either_f32, double : gri_either_f64)(C, A, B)

/* Loops for f32 and f64 from one expression, and the forward that runs them. By <tgmath.h> exp(x) of a float
   is expf(x). */
#define GRI_FORWARD1(NAME, EXPRESSION)                                       \
    GRI_LOOP1(NAME##_f32, float, float, EXPRESSION)                          \
    GRI_LOOP1(NAME##_f64, double, double, EXPRESSION)                        \
    static gr_status NAME##_forward(const gr_call *c)                        \
    {                                                                        \
        static const gri_loops loops = {NAME##_f32, NAME##_f64, NULL, NULL}; \
        return gri_map_call(c, &loops);                                      \
    }

#define GRI_FORWARD2(NAME, EXPRESSION)                                       \
    GRI_LOOP2(NAME##_f32, float, float, EXPRESSION)                          \
    GRI_LOOP2(NAME##_f64, double, double, EXPRESSION)                        \
    static gr_status NAME##_forward(const gr_call *c)                        \
    {                                                                        \
        static const gri_loops loops = {NAME##_f32, NAME##_f64, NULL, NULL}; \
        return gri_map_call(c, &loops);                                      \
    }

/* The rule of an operation of one operand x. */
#define GRI_RULE1(NAME, RULE)                                          \
    static gr_tensor NAME##_vjp(const gr_call *c, gr_tensor gy, int i) \
    {                                                                  \
        const gr_tensor x = c->operands[0], y = c->output;             \
        (void)i, (void)x, (void)y, (void)gy;                           \
        return RULE;                                                   \
    }

/* The rules of an operation of operands a and b. */
#define GRI_RULE2(NAME, RULE_A, RULE_B)                                        \
    static gr_tensor NAME##_vjp(const gr_call *c, gr_tensor gy, int i)         \
    {                                                                          \
        const gr_tensor a = c->operands[0], b = c->operands[1], y = c->output; \
        (void)a, (void)b, (void)y, (void)gy;                                   \
        return i == 0 ? RULE_A : RULE_B;                                       \
    }

/* The fast path of an operation of one operand: its contribution from the scalars g (cotangent), x and y. */
#define GRI_PULL1_LOOP(NAME, T, PULL)                                                    \
    static void NAME(int64_t n, void *const *p, const int64_t *s, const void *parameter) \
    {                                                                                    \
        T *restrict to_ = p[0];                                                          \
        const T *restrict g_ = p[1], *restrict x_ = p[2], *restrict y_ = p[3];           \
        (void)parameter;                                                                 \
        if (s[0] == 1 && s[1] == 1 && s[2] == 1 && s[3] == 1) {                          \
            for (int64_t i_ = 0; i_ < n; i_++) {                                         \
                const T g = g_[i_], x = x_[i_], y = y_[i_];                              \
                (void)g, (void)x, (void)y;                                               \
                to_[i_] = PULL;                                                          \
            }                                                                            \
            return;                                                                      \
        }                                                                                \
        for (int64_t i_ = 0; i_ < n; i_++) {                                             \
            const T g = g_[i_ * s[1]], x = x_[i_ * s[2]], y = y_[i_ * s[3]];             \
            (void)g, (void)x, (void)y;                                                   \
            to_[i_ * s[0]] = PULL;                                                       \
        }                                                                                \
    }

#define GRI_PULL1(NAME, PULL)                                                                \
    GRI_PULL1_LOOP(NAME##_pull_f32, float, PULL)                                             \
    GRI_PULL1_LOOP(NAME##_pull_f64, double, PULL)                                            \
    static bool NAME##_pull(const gr_call *c, const gr_array *gy, int i, const gr_array *to) \
    {                                                                                        \
        const gr_array *const in[] = {gy, c->in[0], c->out};                                 \
        (void)i;                                                                             \
        return gri_map_pull(c, NAME##_pull_f32, NAME##_pull_f64, to, 3, in);                 \
    }

/* How that contribution moves: PULL of the tangent of g, and BEND, what PULL of g does when x moves by dx, in the scalars
   g, x, y and dx. */
#define GRI_TURN1_STEP(T, PULL, BEND, I, STRIDE)                                       \
    {                                                                                  \
        const T x = x_[I * STRIDE(3)], y = y_[I * STRIDE(4)], dx = dx_[I * STRIDE(5)]; \
        T part;                                                                        \
        (void)x, (void)y;                                                              \
        {                                                                              \
            const T g = dg_[I * STRIDE(2)];                                            \
            part = PULL;                                                               \
        }                                                                              \
        const T g = g_[I * STRIDE(1)];                                                 \
        to_[I * STRIDE(0)] = part + BEND;                                              \
    }
#define GRI_UNIT(K)   1
#define GRI_STRIDE(K) s[K]
#define GRI_TURN1_LOOP(NAME, T, PULL, BEND)                                                          \
    static void NAME(int64_t n, void *const *p, const int64_t *s, const void *parameter)             \
    {                                                                                                \
        T *restrict to_ = p[0];                                                                      \
        const T *restrict g_ = p[1], *restrict dg_ = p[2], *restrict x_ = p[3], *restrict y_ = p[4], \
                          *restrict dx_ = p[5];                                                      \
        (void)parameter;                                                                             \
        if (s[0] == 1 && s[1] == 1 && s[2] == 1 && s[3] == 1 && s[4] == 1 && s[5] == 1) {            \
            for (int64_t i_ = 0; i_ < n; i_++) GRI_TURN1_STEP(T, PULL, BEND, i_, GRI_UNIT)           \
            return;                                                                                  \
        }                                                                                            \
        for (int64_t i_ = 0; i_ < n; i_++) GRI_TURN1_STEP(T, PULL, BEND, i_, GRI_STRIDE)             \
    }

#define GRI_TURN1(NAME, PULL, BEND)                                                                  \
    GRI_TURN1_LOOP(NAME##_turn_f32, float, PULL, BEND)                                               \
    GRI_TURN1_LOOP(NAME##_turn_f64, double, PULL, BEND)                                              \
    static bool NAME##_pull_tangent(const gr_call *c, const gr_moving *m, int i, const gr_array *to) \
    {                                                                                                \
        const gr_array *const in[] = {m->gy, gri_or_zero(m->gy_tangent, to->type), c->in[0], c->out, \
                                      m->in_tangents[0]};                                            \
        (void)i;                                                                                     \
        return gri_map_pull(c, NAME##_turn_f32, NAME##_turn_f64, to, 5, in);                         \
    }

/* A whole elementwise primitive gr_<name>(x) for f32 and f64: formula as text, value as an expression of x,
   rule, fast path. More fields of the descriptor go to the end. */
#define GRI_UNARY_AND(NAME, FORMULA, EXPRESSION, RULE, PULL, ...) \
    GRI_FORWARD1(NAME, EXPRESSION)                                \
    GRI_RULE1(NAME, RULE)                                         \
    GRI_PULL1(NAME, PULL)                                         \
    const gr_op gri_op_##NAME = {.name = #NAME,                   \
                                 .arity = 1,                      \
                                 .strided = true,                 \
                                 .formula = FORMULA,              \
                                 .infer = gri_infer_float,        \
                                 .forward = NAME##_forward,       \
                                 .vjp = NAME##_vjp,               \
                                 .pull = NAME##_pull,             \
                                 .tangent = GR_TANGENT_SYMMETRIC, \
                                 __VA_ARGS__};                    \
    gr_tensor gr_##NAME(gr_tensor x) { return gri_apply1(&gri_op_##NAME, x, NULL); }

/* One that says nothing of how it moves, one that says it by BEND, and one that is straight but at kinks. */
#define GRI_UNARY(NAME, FORMULA, EXPRESSION, RULE, PULL) \
    GRI_UNARY_AND(NAME, FORMULA, EXPRESSION, RULE, PULL, .pull_tangent = NULL)
#define GRI_CURVED(NAME, FORMULA, EXPRESSION, RULE, PULL, BEND) \
    GRI_TURN1(NAME, PULL, BEND)                                 \
    GRI_UNARY_AND(NAME, FORMULA, EXPRESSION, RULE, PULL, .pull_tangent = NAME##_pull_tangent)
#define GRI_STRAIGHT(NAME, FORMULA, EXPRESSION, RULE, PULL) \
    GRI_UNARY_AND(NAME, FORMULA, EXPRESSION, RULE, PULL, .straight = true)

/* GRI_UNARY_AND with attributes: value and fast path are macros of the type of the loop, EXPRESSION(T) and PULL(T), which find
   the attributes at `parameter`, the rule finds them in the call c. `infer` checks them. The public constructor is
   written by hand. */
#define GRI_UNARY_WITH(NAME, ATTRIBUTES, FORMULA, INFER, EXPRESSION, RULE, PULL, ...)        \
    GRI_LOOP1(NAME##_f32, float, float, EXPRESSION(float))                                   \
    GRI_LOOP1(NAME##_f64, double, double, EXPRESSION(double))                                \
    static gr_status NAME##_forward(const gr_call *c)                                        \
    {                                                                                        \
        static const gri_loops loops = {NAME##_f32, NAME##_f64, NULL, NULL};                 \
        return gri_map_call(c, &loops);                                                      \
    }                                                                                        \
    GRI_RULE1(NAME, RULE)                                                                    \
    GRI_PULL1_LOOP(NAME##_pull_f32, float, PULL(float))                                      \
    GRI_PULL1_LOOP(NAME##_pull_f64, double, PULL(double))                                    \
    static bool NAME##_pull(const gr_call *c, const gr_array *gy, int i, const gr_array *to) \
    {                                                                                        \
        const gr_array *const in[] = {gy, c->in[0], c->out};                                 \
        (void)i;                                                                             \
        return gri_map_pull(c, NAME##_pull_f32, NAME##_pull_f64, to, 3, in);                 \
    }                                                                                        \
    const gr_op gri_op_##NAME = {.name = #NAME,                                              \
                                 .arity = 1,                                                 \
                                 .strided = true,                                            \
                                 .formula = FORMULA,                                         \
                                 .attribute_bytes = sizeof(ATTRIBUTES),                      \
                                 .infer = INFER,                                             \
                                 .forward = NAME##_forward,                                  \
                                 .vjp = NAME##_vjp,                                          \
                                 .pull = NAME##_pull,                                        \
                                 .tangent = GR_TANGENT_SYMMETRIC,                            \
                                 __VA_ARGS__};

/* A whole elementwise broadcasting primitive gr_<name>(a, b) for f32 and f64. More fields of the descriptor go to the
   end. */
#define GRI_BINARY_AND(NAME, INFIX, FORMULA, EXPRESSION, RULE_A, RULE_B, ...) \
    GRI_FORWARD2(NAME, EXPRESSION)                                            \
    GRI_RULE2(NAME, RULE_A, RULE_B)                                           \
    const gr_op gri_op_##NAME = {.name = #NAME,                               \
                                 .arity = 2,                                  \
                                 .strided = true,                             \
                                 .infix = INFIX,                              \
                                 .formula = FORMULA,                          \
                                 .infer = gri_infer_float_broadcast,          \
                                 .forward = NAME##_forward,                   \
                                 .vjp = NAME##_vjp,                           \
                                 .tangent = GR_TANGENT_SYMMETRIC,             \
                                 __VA_ARGS__};                                \
    gr_tensor gr_##NAME(gr_tensor a, gr_tensor b) { return gri_apply2(&gri_op_##NAME, a, b, NULL); }
#define GRI_BINARY(NAME, INFIX, FORMULA, EXPRESSION, RULE_A, RULE_B) \
    GRI_BINARY_AND(NAME, INFIX, FORMULA, EXPRESSION, RULE_A, RULE_B, .pull = NULL)

#endif
