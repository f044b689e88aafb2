/* Comparisons, logic, selection, conversion between types. */
#include "ops/ops.h"

#define COMPARE_LOOPS(NAME, EXPRESSION)                 \
    GRI_LOOP2(NAME##_f32, uint8_t, float, EXPRESSION)   \
    GRI_LOOP2(NAME##_f64, uint8_t, double, EXPRESSION)  \
    GRI_LOOP2(NAME##_i32, uint8_t, int32_t, EXPRESSION) \
    GRI_LOOP2(NAME##_bool, uint8_t, uint8_t, EXPRESSION)

static gr_status compare_infer(const gr_call *c, gr_layout *out)
{
    const gr_status status = gr_infer_broadcast(c, out);
    out->type = GR_BOOL;
    return status;
}

/* The result is a mask: no gradient flows through it, so there is no rule. */
#define COMPARE(NAME, INFIX, EXPRESSION)                                                  \
    COMPARE_LOOPS(NAME, EXPRESSION)                                                       \
    static gr_status NAME##_forward(const gr_call *c)                                     \
    {                                                                                     \
        static const gri_loops loops = {NAME##_f32, NAME##_f64, NAME##_i32, NAME##_bool}; \
        return gri_map_call(c, &loops);                                                   \
    }                                                                                     \
    const gr_op gri_op_##NAME = {.name = #NAME,                                           \
                                 .arity = 2,                                              \
                                 .strided = true,                                         \
                                 .infix = INFIX,                                          \
                                 .formula = "y = a " INFIX " b",                          \
                                 .infer = compare_infer,                                  \
                                 .forward = NAME##_forward};                              \
    gr_tensor gr_##NAME(gr_tensor a, gr_tensor b) { return gri_apply2(&gri_op_##NAME, a, b, NULL); }

COMPARE(equal, "==", a == b)
COMPARE(not_equal, "!=", a != b)
COMPARE(less, "<", a < b)
COMPARE(less_equal, "<=", a <= b)
COMPARE(greater, ">", a > b)
COMPARE(greater_equal, ">=", a >= b)

/* ---- Logic of masks ---- */

static gr_status mask_infer(const gr_call *c, gr_layout *out)
{
    const gr_status status = gr_infer_broadcast(c, out);
    if (status != GR_OK) return status;
    return out->type == GR_BOOL ? GR_OK : gr_call_fail(c, GR_ERR_TYPE, "needs masks (bool)", NULL);
}

#define LOGICAL(NAME, WORD, EXPRESSION)                                 \
    GRI_LOOP2(NAME##_loop, uint8_t, uint8_t, EXPRESSION)                \
    static gr_status NAME##_forward(const gr_call *c)                   \
    {                                                                   \
        static const gri_loops loops = {NULL, NULL, NULL, NAME##_loop}; \
        return gri_map_call(c, &loops);                                 \
    }                                                                   \
    const gr_op gri_op_##NAME = {.name = #NAME,                         \
                                 .arity = 2,                            \
                                 .strided = true,                       \
                                 .infix = WORD,                         \
                                 .formula = "y = a " WORD " b",         \
                                 .commutative = true,                   \
                                 .infer = mask_infer,                   \
                                 .forward = NAME##_forward};            \
    gr_tensor gr_##NAME(gr_tensor a, gr_tensor b) { return gri_apply2(&gri_op_##NAME, a, b, NULL); }

LOGICAL(logical_and, "and", (a != 0) & (b != 0))
LOGICAL(logical_or, "or", (a != 0) | (b != 0))
LOGICAL(logical_xor, "xor", (a != 0) ^ (b != 0))

/* ---- Questions about one operand ---- */

/* A mask of one operand; the loops that there are say of which types. */
#define QUESTION(NAME, FORMULA, INFER, ...)                  \
    static gr_status NAME##_forward(const gr_call *c)        \
    {                                                        \
        static const gri_loops loops = {__VA_ARGS__};        \
        return gri_map_call(c, &loops);                      \
    }                                                        \
    const gr_op gri_op_##NAME = {.name = #NAME,              \
                                 .arity = 1,                 \
                                 .strided = true,            \
                                 .formula = FORMULA,         \
                                 .infer = INFER,             \
                                 .forward = NAME##_forward}; \
    gr_tensor gr_##NAME(gr_tensor x) { return gri_apply1(&gri_op_##NAME, x, NULL); }

static gr_status float_question_infer(const gr_call *c, gr_layout *out)
{
    const gr_status status = gr_infer_like(c, out, 0);
    out->type = GR_BOOL;
    return status;
}

GRI_LOOP1(not_loop, uint8_t, uint8_t, x == 0)
GRI_LOOP1(isnan_f32, uint8_t, float, x != x)
GRI_LOOP1(isnan_f64, uint8_t, double, x != x)
GRI_LOOP1(isinf_f32, uint8_t, float, fabsf(x) == INFINITY)
GRI_LOOP1(isinf_f64, uint8_t, double, fabs(x) == (double)INFINITY)
GRI_LOOP1(isfinite_f32, uint8_t, float, fabsf(x) < INFINITY)
GRI_LOOP1(isfinite_f64, uint8_t, double, fabs(x) < (double)INFINITY)
QUESTION(logical_not, "y = not x", mask_infer, NULL, NULL, NULL, not_loop)
QUESTION(isnan, "y = x is NaN", float_question_infer, isnan_f32, isnan_f64, NULL, NULL)
QUESTION(isinf, "y = x is inf or -inf", float_question_infer, isinf_f32, isinf_f64, NULL, NULL)
QUESTION(isfinite, "y = x is a finite number", float_question_infer, isfinite_f32, isfinite_f64, NULL, NULL)

/* ---- where ---- */

/* Selects bits, so one loop serves all types of a size, and NaNs keep theirs. */
#define WHERE_LOOP(NAME, T)                                                                       \
    static void NAME(int64_t n, void *const *p, const int64_t *s, const void *parameter)          \
    {                                                                                             \
        T *restrict y = p[0];                                                                     \
        const uint8_t *restrict mask = p[1];                                                      \
        const T *restrict a = p[2], *restrict b = p[3];                                           \
        (void)parameter;                                                                          \
        for (int64_t i = 0; i < n; i++) y[i * s[0]] = mask[i * s[1]] ? a[i * s[2]] : b[i * s[3]]; \
    }
WHERE_LOOP(where_1, uint8_t)
WHERE_LOOP(where_4, uint32_t)
WHERE_LOOP(where_8, uint64_t)

static gr_status where_infer(const gr_call *c, gr_layout *out)
{
    if (c->in[0]->type != GR_BOOL) return gr_call_fail(c, GR_ERR_TYPE, "the mask must be bool", NULL);
    if (c->in[1]->type != c->in[2]->type) return gr_call_fail(c, GR_ERR_TYPE, "types differ", NULL);
    const gr_array mask = {.dims = c->in[0]->dims, .ndim = c->in[0]->ndim, .type = c->in[1]->type};
    const gr_array *const in[] = {&mask, c->in[1], c->in[2]};
    gr_call shapes = *c;
    shapes.in = in;
    return gr_infer_broadcast(&shapes, out);
}

static gr_status where_forward(const gr_call *c)
{
    static const gri_loops loops = {where_4, where_8, where_4, where_1};
    return gri_map_call(c, &loops);
}

static gr_tensor where_vjp(const gr_call *c, gr_tensor gy, int i)
{
    const gr_tensor zero = gr_scalar(c->graph, gr_type_of(gy), 0), mask = c->operands[0];
    return i == 1 ? gr_where(mask, gy, zero) : gr_where(mask, zero, gy);
}

const gr_op gri_op_where = {.name = "where",
                            .arity = 3,
                            .strided = true,
                            .formula = "y = a where mask, else b",
                            .infer = where_infer,
                            .forward = where_forward,
                            .vjp = where_vjp,
                            .tangent = GR_TANGENT_SYMMETRIC,
                            .straight = true};

gr_tensor gr_where(gr_tensor mask, gr_tensor a, gr_tensor b)
{
    const gr_tensor operands[] = {mask, a, b};
    return gr_apply(NULL, &gri_op_where, 3, operands, NULL);
}

/* ---- cast ---- */

/* x is in range of int32_t; false for NaN. Both bounds are exact in double. */
#define IN_I32(X) ((double)(X) > -2147483649.0 && (double)(X) < 2147483648.0)

#define CAST_FROM(NAME, T, TO_I32)                 \
    GRI_LOOP1(NAME##_to_f32, float, T, (float)x)   \
    GRI_LOOP1(NAME##_to_f64, double, T, (double)x) \
    GRI_LOOP1(NAME##_to_i32, int32_t, T, TO_I32)   \
    GRI_LOOP1(NAME##_to_bool, uint8_t, T, x != 0)
CAST_FROM(f32, float, IN_I32(x) ? (int32_t)x : INT32_MIN)
CAST_FROM(f64, double, IN_I32(x) ? (int32_t)x : INT32_MIN)
CAST_FROM(i32, int32_t, x)
CAST_FROM(bool, uint8_t, x)

static gr_status cast_infer(const gr_call *c, gr_layout *out)
{
    const gr_type type = *(const gr_type *)c->attributes;
    if (gr_type_size(type) == 0) return gr_call_fail(c, GR_ERR_TYPE, "not a type", "%d", (int)type);
    const gr_array *x = c->in[0];
    out->type = type;
    out->ndim = x->ndim;
    for (int axis = 0; axis < x->ndim; axis++) out->dims[axis] = x->dims[axis];
    return GR_OK;
}

static gr_status cast_forward(const gr_call *c)
{
    static const gri_loops from_f32 = {f32_to_f32, f32_to_f64, f32_to_i32, f32_to_bool};
    static const gri_loops from_f64 = {f64_to_f32, f64_to_f64, f64_to_i32, f64_to_bool};
    static const gri_loops from_i32 = {i32_to_f32, i32_to_f64, i32_to_i32, i32_to_bool};
    static const gri_loops from_bool = {bool_to_f32, bool_to_f64, bool_to_i32, bool_to_bool};
    static const gri_loops *const from[] = {
        [GR_F32] = &from_f32, [GR_F64] = &from_f64, [GR_I32] = &from_i32, [GR_BOOL] = &from_bool};
    gri_map(c->graph->threads, gri_loop_of(from[c->in[0]->type], c->out->type), NULL, c->out, 1, c->in);
    return GR_OK;
}

GRI_RULE1(cast, gr_cast(gy, gr_type_of(x)))

const gr_op gri_op_cast = {.name = "cast",
                           .arity = 1,
                           .strided = true,
                           .attribute_bytes = sizeof(gr_type),
                           .formula = "y = x as another type",
                           .infer = cast_infer,
                           .forward = cast_forward,
                           .vjp = cast_vjp,
                           .tangent = GR_TANGENT_LINEAR,
                           .flops = gri_flops_none};

gr_tensor gr_cast(gr_tensor x, gr_type type) { return gri_apply1(&gri_op_cast, x, &type); }
