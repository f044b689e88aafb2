/*
 * Arithmetic: add, sub, mul, div, chain_mul, chain_div, neg, scale, add_scalar, square, mul_scaled, pow,
 * pow_scalar, maximum, minimum.
 */
#include "ops/ops.h"

#include <tgmath.h>

/* Integers wrap around, as unsigned arithmetic does. */
#define WRAP(EXPRESSION) (int32_t)(EXPRESSION)
#define U(X)             ((uint32_t)(X))

static gr_status infer_number_broadcast(const gr_call *c, gr_layout *out)
{
    const gr_status status = gr_infer_broadcast(c, out);
    if (status != GR_OK) return status;
    return out->type != GR_BOOL ? GR_OK : gr_call_fail(c, GR_ERR_TYPE, "needs f32, f64 or i32", NULL);
}

/* add, sub, mul: as GRI_BINARY, and for i32, too. */
#define ARITHMETIC(NAME, INFIX, COMMUTATIVE, FORMULA, EXPRESSION, INTEGER, RULE_A, RULE_B, TANGENT, ...) \
    GRI_LOOP2(NAME##_f32, float, float, EXPRESSION)                                                      \
    GRI_LOOP2(NAME##_f64, double, double, EXPRESSION)                                                    \
    GRI_LOOP2(NAME##_i32, int32_t, int32_t, INTEGER)                                                     \
    static gr_status NAME##_forward(const gr_call *c)                                                    \
    {                                                                                                    \
        static const gri_loops loops = {NAME##_f32, NAME##_f64, NAME##_i32, NULL};                       \
        return gri_map_call(c, &loops);                                                                  \
    }                                                                                                    \
    GRI_RULE2(NAME, RULE_A, RULE_B)                                                                      \
    const gr_op gri_op_##NAME = {.name = #NAME,                                                          \
                                 .arity = 2,                                                             \
                                 .strided = true,                                                        \
                                 .infix = INFIX,                                                         \
                                 .formula = FORMULA,                                                     \
                                 .commutative = COMMUTATIVE,                                             \
                                 .infer = infer_number_broadcast,                                        \
                                 .forward = NAME##_forward,                                              \
                                 .vjp = NAME##_vjp,                                                      \
                                 .tangent = TANGENT,                                                     \
                                 __VA_ARGS__};                                                           \
    gr_tensor gr_##NAME(gr_tensor a, gr_tensor b) { return gri_apply2(&gri_op_##NAME, a, b, NULL); }

ARITHMETIC(add, "+", true, "y = a + b", a + b, WRAP(U(a) + U(b)), gy, gy, GR_TANGENT_SYMMETRIC_JOINT,
           .straight = true)
ARITHMETIC(sub, "-", false, "y = a - b", a - b, WRAP(U(a) - U(b)), gy, gr_neg(gy), GR_TANGENT_SYMMETRIC_JOINT,
           .straight = true)

/* Products and quotients of derivative rules. Their own rules are made of them: a zero ends a path in every
   order. */

GRI_FORWARD2(chain_mul, GRI_CHAIN_MUL(a, b))
GRI_RULE2(chain_mul, gr_chain_mul(gy, b), gr_chain_mul(gy, a))

/* Of mul and chain_mul. */
static bool mul_pull(const gr_call *c, const gr_array *gy, int i, const gr_array *to)
{
    if (!gri_same_dims(gy, to)) return false; /* operand i was broadcast: the rule knows how to sum */
    const gr_array *const in[] = {gy, c->in[1 - i]};
    return gri_map_pull(c, chain_mul_f32, chain_mul_f64, to, 2, in);
}

/* How the contribution to a moves: (dg b + g db) times a factor. */
#define TURN_PRODUCT_LOOP(NAME, T, FACTOR)                                                        \
    static void NAME(int64_t n, void *const *p, const int64_t *s, const void *parameter)          \
    {                                                                                             \
        T *restrict to = p[0];                                                                    \
        const T *restrict g = p[1], *restrict dg = p[2], *restrict b = p[3], *restrict db = p[4]; \
        (void)parameter;                                                                          \
        if (s[0] == 1 && s[1] == 1 && s[2] == 1 && s[3] == 1 && s[4] == 1) {                      \
            for (int64_t i = 0; i < n; i++)                                                       \
                to[i] = (GRI_CHAIN_MUL(dg[i], b[i]) + GRI_CHAIN_MUL(g[i], db[i])) * FACTOR;       \
            return;                                                                               \
        }                                                                                         \
        for (int64_t i = 0; i < n; i++)                                                           \
            to[i * s[0]] = (GRI_CHAIN_MUL(dg[i * s[2]], b[i * s[3]]) +                            \
                            GRI_CHAIN_MUL(g[i * s[1]], db[i * s[4]])) *                           \
                           FACTOR;                                                                \
    }
TURN_PRODUCT_LOOP(mul_turn_f32, float, 1)
TURN_PRODUCT_LOOP(mul_turn_f64, double, 1)

/* By such loops. */
static bool turn_product(const gr_call *c, gri_loop *f32, gri_loop *f64, const gr_moving *m, int i,
                         const gr_array *to)
{
    if (!gri_same_dims(m->gy, to)) return false; /* operand i was broadcast */
    const gr_array *const in[] = {m->gy, gri_or_zero(m->gy_tangent, to->type), c->in[1 - i],
                                  gri_or_zero(m->in_tangents[1 - i], to->type)};
    return gri_map_pull(c, f32, f64, to, 4, in);
}

static bool mul_pull_tangent(const gr_call *c, const gr_moving *m, int i, const gr_array *to)
{
    return turn_product(c, mul_turn_f32, mul_turn_f64, m, i, to);
}

const gr_op gri_op_chain_mul = {.name = "chain_mul",
                                .arity = 2,
                                .strided = true,
                                .formula = "y = a b, 0 where a or b is 0",
                                .commutative = true,
                                .infer = gri_infer_float_broadcast,
                                .forward = chain_mul_forward,
                                .vjp = chain_mul_vjp,
                                .pull = mul_pull,
                                .pull_tangent = mul_pull_tangent,
                                .tangent = GR_TANGENT_SYMMETRIC};
gr_tensor gr_chain_mul(gr_tensor a, gr_tensor b) { return gri_apply2(&gri_op_chain_mul, a, b, NULL); }

/* The cotangent of b: -gy y / b. */
static gr_tensor by_divisor(gr_tensor gy, gr_tensor y, gr_tensor b)
{
    return gr_neg(gr_chain_div(gr_chain_mul(gy, y), b));
}

/* Of div and chain_div, in scalars: the contributions, from g, y and b; and how they move, with the tangents of these and
   of a. */
#define BY_DIVISOR(G, Y, B)            (-GRI_CHAIN_DIV(GRI_CHAIN_MUL(G, Y), B))
#define BY_DIVIDEND_TURN(G, DG, B, DB) (GRI_CHAIN_DIV(DG, B) + BY_DIVISOR(DB, GRI_CHAIN_DIV(G, B), B))
#define BY_DIVISOR_TURN(G, DG, Y, DY, B, DB) \
    (BY_DIVISOR(DG, Y, B) + BY_DIVISOR(G, DY, B) + BY_DIVISOR(DB, BY_DIVISOR(G, Y, B), B))
#define DIV_LOOPS(NAME, T)                                                                                \
    static void by_divisor_##NAME(int64_t n, void *const *p, const int64_t *s, const void *parameter)     \
    {                                                                                                     \
        T *restrict to = p[0];                                                                            \
        const T *restrict g = p[1], *restrict y = p[2], *restrict b = p[3];                               \
        (void)parameter;                                                                                  \
        for (int64_t i = 0; i < n; i++) to[i * s[0]] = BY_DIVISOR(g[i * s[1]], y[i * s[2]], b[i * s[3]]); \
    }                                                                                                     \
    static void dividend_turn_##NAME(int64_t n, void *const *p, const int64_t *s, const void *parameter)  \
    {                                                                                                     \
        T *restrict to = p[0];                                                                            \
        const T *restrict g = p[1], *restrict dg = p[2], *restrict b = p[3], *restrict db = p[4];         \
        (void)parameter;                                                                                  \
        for (int64_t i = 0; i < n; i++)                                                                   \
            to[i * s[0]] = BY_DIVIDEND_TURN(g[i * s[1]], dg[i * s[2]], b[i * s[3]], db[i * s[4]]);        \
    }                                                                                                     \
    static void divisor_turn_##NAME(int64_t n, void *const *p, const int64_t *s, const void *parameter)   \
    {                                                                                                     \
        T *restrict to = p[0];                                                                            \
        const T *restrict g_ = p[1], *restrict dg_ = p[2], *restrict y_ = p[3], *restrict da_ = p[4],     \
                          *restrict b_ = p[5], *restrict db_ = p[6];                                      \
        (void)parameter;                                                                                  \
        for (int64_t i = 0; i < n; i++) {                                                                 \
            const T g = g_[i * s[1]], dg = dg_[i * s[2]], y = y_[i * s[3]], b = b_[i * s[5]];             \
            const T db = db_[i * s[6]], dy = GRI_CHAIN_DIV(da_[i * s[4]], b) + BY_DIVISOR(db, y, b);      \
            to[i * s[0]] = BY_DIVISOR_TURN(g, dg, y, dy, b, db);                                          \
        }                                                                                                 \
    }
DIV_LOOPS(f32, float)
DIV_LOOPS(f64, double)
GRI_LOOP2(by_dividend_f32, float, float, GRI_CHAIN_DIV(a, b))
GRI_LOOP2(by_dividend_f64, double, double, GRI_CHAIN_DIV(a, b))

static bool div_pull(const gr_call *c, const gr_array *gy, int i, const gr_array *to)
{
    if (!gri_same_dims(gy, to)) return false; /* operand i was broadcast: the rule knows how to sum */
    const gr_array *const by_a[] = {gy, c->in[1]}, *const by_b[] = {gy, c->out, c->in[1]};
    return i == 0 ? gri_map_pull(c, by_dividend_f32, by_dividend_f64, to, 2, by_a)
                  : gri_map_pull(c, by_divisor_f32, by_divisor_f64, to, 3, by_b);
}

static bool div_pull_tangent(const gr_call *c, const gr_moving *m, int i, const gr_array *to)
{
    if (!gri_same_dims(m->gy, to)) return false;
    const gr_array *dg = gri_or_zero(m->gy_tangent, to->type), *b = c->in[1],
                   *da = gri_or_zero(m->in_tangents[0], to->type),
                   *db = gri_or_zero(m->in_tangents[1], to->type);
    const gr_array *const by_a[] = {m->gy, dg, b, db}, *const by_b[] = {m->gy, dg, c->out, da, b, db};
    return i == 0 ? gri_map_pull(c, dividend_turn_f32, dividend_turn_f64, to, 4, by_a)
                  : gri_map_pull(c, divisor_turn_f32, divisor_turn_f64, to, 6, by_b);
}

GRI_BINARY_AND(chain_div, NULL, "y = a / b, 0 where a or 1/b is 0", GRI_CHAIN_DIV(a, b), gr_chain_div(gy, b),
               by_divisor(gy, y, b), .pull = div_pull, .pull_tangent = div_pull_tangent)

ARITHMETIC(mul, "*", true, "y = a b", a *b, WRAP(U(a) * U(b)), gr_chain_mul(gy, b), gr_chain_mul(gy, a),
           GR_TANGENT_SYMMETRIC, .pull = mul_pull, .pull_tangent = mul_pull_tangent)
GRI_BINARY_AND(div, "/", "y = a / b", a / b, gr_chain_div(gy, b), by_divisor(gy, y, b), .pull = div_pull,
               .pull_tangent = div_pull_tangent)

/* ---- neg ---- */

GRI_LOOP1(neg_f32, float, float, -x)
GRI_LOOP1(neg_f64, double, double, -x)
GRI_LOOP1(neg_i32, int32_t, int32_t, WRAP(0u - U(x)))
static gr_status neg_forward(const gr_call *c)
{
    static const gri_loops loops = {neg_f32, neg_f64, neg_i32, NULL};
    return gri_map_call(c, &loops);
}
GRI_RULE1(neg, gr_neg(gy))
static bool neg_pull(const gr_call *c, const gr_array *gy, int i, const gr_array *to)
{
    (void)i;
    return gri_map_pull(c, neg_f32, neg_f64, to, 1, &gy);
}
const gr_op gri_op_neg = {.name = "neg",
                          .arity = 1,
                          .strided = true,
                          .formula = "y = -x",
                          .infer = infer_number_broadcast,
                          .forward = neg_forward,
                          .vjp = neg_vjp,
                          .pull = neg_pull,
                          .tangent = GR_TANGENT_SYMMETRIC,
                          .straight = true};
gr_tensor gr_neg(gr_tensor x) { return gri_apply1(&gri_op_neg, x, NULL); }

/* ---- With one number: scale, add_scalar, pow_scalar ---- */

#define NUMBER_OF(CALL) (*(const double *)(CALL)->attributes)
/* The number, rounded to the type of the loop: f32 arithmetic stays f32. */
#define NUMBER(T) ((T)(*(const double *)parameter))

/* A primitive gr_<name>(x, number); EXPRESSION(T) is the value of the loop of type T. */
#define WITH_NUMBER(NAME, FORMULA, EXPRESSION, RULE, PULL, ...)              \
    GRI_LOOP1(NAME##_f32, float, float, EXPRESSION(float))                   \
    GRI_LOOP1(NAME##_f64, double, double, EXPRESSION(double))                \
    static gr_status NAME##_forward(const gr_call *c)                        \
    {                                                                        \
        static const gri_loops loops = {NAME##_f32, NAME##_f64, NULL, NULL}; \
        return gri_map_call(c, &loops);                                      \
    }                                                                        \
    GRI_RULE1(NAME, RULE)                                                    \
    const gr_op gri_op_##NAME = {.name = #NAME,                              \
                                 .arity = 1,                                 \
                                 .strided = true,                            \
                                 .formula = FORMULA,                         \
                                 .attribute_bytes = sizeof(double),          \
                                 .infer = gri_infer_float,                   \
                                 .forward = NAME##_forward,                  \
                                 .vjp = NAME##_vjp,                          \
                                 .pull = PULL,                               \
                                 .tangent = GR_TANGENT_SYMMETRIC,            \
                                 __VA_ARGS__};                               \
    gr_tensor gr_##NAME(gr_tensor x, double number) { return gri_apply1(&gri_op_##NAME, x, &number); }

#define SCALE(T)      x *NUMBER(T)
#define ADD_SCALAR(T) x + NUMBER(T)
#define POW_SCALAR(T) (NUMBER(T) == 2 ? x * x : pow(x, NUMBER(T)))

/* Whether the factor, as loops of this type see it, is 0, infinite or NaN: what rules treat apart. */
static bool is_singular(const gr_call *c, gr_type type)
{
    const double factor = NUMBER_OF(c), seen = type == GR_F32 ? (double)(float)factor : factor;
    return seen == 0 || !isfinite(seen);
}

static gr_tensor scale_rule(const gr_call *c, gr_tensor gy)
{
    const gr_type type = gr_type_of(gy);
    const double factor = NUMBER_OF(c);
    return is_singular(c, type) ? gr_chain_mul(gy, gr_scalar(c->graph, type, factor)) : gr_scale(gy, factor);
}

static bool scale_pull(const gr_call *c, const gr_array *gy, int i, const gr_array *to);
WITH_NUMBER(scale, "y = factor x", SCALE, scale_rule(c, gy), scale_pull, .straight = true)
static bool scale_pull(const gr_call *c, const gr_array *gy, int i, const gr_array *to)
{
    (void)i;
    return !is_singular(c, to->type) && gri_map_pull(c, scale_f32, scale_f64, to, 1, &gy);
}

WITH_NUMBER(add_scalar, "y = x + term", ADD_SCALAR, gy, NULL, .straight = true)

/* gy p x^(p-1); x^0 is constant, also at 0: zeros. */
static gr_tensor pow_scalar_rule(gr_tensor gy, gr_tensor x, double p)
{
    const gr_tensor slope = p == 0 ? gri_zero_like(x) : gr_scale(gr_pow_scalar(x, p - 1), p);
    return gr_chain_mul(gy, slope);
}

/* p x^(p-1), and by it the contribution and how that moves. */
#define POW_LOOPS(NAME, T)                                                                                \
    static inline T pow_slope_##NAME(T x, T p)                                                            \
    {                                                                                                     \
        return p == 0 ? 0 : p == 1 ? 1 : p == 2 ? x * p : p == 3 ? x * x * p : pow(x, p - 1) * p;         \
    }                                                                                                     \
    static void pow_pull_##NAME(int64_t n, void *const *p, const int64_t *s, const void *parameter)       \
    {                                                                                                     \
        T *restrict to = p[0];                                                                            \
        const T *restrict g = p[1], *restrict x = p[2];                                                   \
        for (int64_t i = 0; i < n; i++)                                                                   \
            to[i * s[0]] = GRI_CHAIN_MUL(g[i * s[1]], pow_slope_##NAME(x[i * s[2]], NUMBER(T)));          \
    }                                                                                                     \
    static void pow_turn_##NAME(int64_t n, void *const *p, const int64_t *s, const void *parameter)       \
    {                                                                                                     \
        T *restrict to = p[0];                                                                            \
        const T *restrict g = p[1], *restrict dg = p[2], *restrict x_ = p[3], *restrict dx = p[4];        \
        const T power = NUMBER(T);                                                                        \
        for (int64_t i = 0; i < n; i++) {                                                                 \
            const T x = x_[i * s[3]], bend = GRI_CHAIN_MUL(dx[i * s[4]], pow_slope_##NAME(x, power - 1)); \
            to[i * s[0]] = GRI_CHAIN_MUL(dg[i * s[2]], pow_slope_##NAME(x, power)) +                      \
                           GRI_CHAIN_MUL(g[i * s[1]], power == 0 ? 0 : bend * power);                     \
        }                                                                                                 \
    }
POW_LOOPS(f32, float)
POW_LOOPS(f64, double)

static bool pow_scalar_pull(const gr_call *c, const gr_array *gy, int i, const gr_array *to)
{
    const gr_array *const in[] = {gy, c->in[0]};
    (void)i;
    return isfinite(NUMBER_OF(c)) && gri_map_pull(c, pow_pull_f32, pow_pull_f64, to, 2, in);
}

static bool pow_scalar_pull_tangent(const gr_call *c, const gr_moving *m, int i, const gr_array *to)
{
    const gr_array *const in[] = {m->gy, gri_or_zero(m->gy_tangent, to->type), c->in[0], m->in_tangents[0]};
    (void)i;
    return isfinite(NUMBER_OF(c)) && gri_map_pull(c, pow_turn_f32, pow_turn_f64, to, 4, in);
}
WITH_NUMBER(pow_scalar, "y = x^p", POW_SCALAR, pow_scalar_rule(gy, x, NUMBER_OF(c)), pow_scalar_pull,
            .pull_tangent = pow_scalar_pull_tangent)

/* ---- square, mul_scaled ---- */

/* A product of the chain rule with a number: the rule of square in one pass over the elements. */
static gr_tensor mul_scaled(gr_tensor a, gr_tensor b, double factor)
{
    return gri_apply2(&gri_op_mul_scaled, a, b, &factor);
}

#define MUL_SCALED(T) GRI_CHAIN_MUL(a, b) * NUMBER(T)
GRI_LOOP2(mul_scaled_f32, float, float, MUL_SCALED(float))
GRI_LOOP2(mul_scaled_f64, double, double, MUL_SCALED(double))
static gr_status mul_scaled_forward(const gr_call *c)
{
    static const gri_loops loops = {mul_scaled_f32, mul_scaled_f64, NULL, NULL};
    return gri_map_call(c, &loops);
}
GRI_RULE2(mul_scaled, mul_scaled(gy, b, NUMBER_OF(c)), mul_scaled(gy, a, NUMBER_OF(c)))
static bool mul_scaled_pull(const gr_call *c, const gr_array *gy, int i, const gr_array *to)
{
    if (!gri_same_dims(gy, to)) return false; /* operand i was broadcast: the rule knows how to sum */
    const gr_array *const in[] = {gy, c->in[1 - i]};
    return gri_map_pull(c, mul_scaled_f32, mul_scaled_f64, to, 2, in);
}
TURN_PRODUCT_LOOP(mul_scaled_turn_f32, float, NUMBER(float))
TURN_PRODUCT_LOOP(mul_scaled_turn_f64, double, NUMBER(double))
static bool mul_scaled_pull_tangent(const gr_call *c, const gr_moving *m, int i, const gr_array *to)
{
    return turn_product(c, mul_scaled_turn_f32, mul_scaled_turn_f64, m, i, to);
}
const gr_op gri_op_mul_scaled = {.name = "mul_scaled",
                                 .arity = 2,
                                 .strided = true,
                                 .formula = "y = factor a b, 0 where a or b is 0",
                                 .commutative = true,
                                 .attribute_bytes = sizeof(double),
                                 .infer = gri_infer_float_broadcast,
                                 .forward = mul_scaled_forward,
                                 .vjp = mul_scaled_vjp,
                                 .pull = mul_scaled_pull,
                                 .pull_tangent = mul_scaled_pull_tangent,
                                 .tangent = GR_TANGENT_SYMMETRIC};

GRI_CURVED(square, "y = x^2", x *x, mul_scaled(gy, x, 2), 2 * GRI_CHAIN_MUL(g, x), 2 * GRI_CHAIN_MUL(g, dx))

/* ---- pow ---- */

/* b a^(b-1): 0 where b = 0, also where a^-1 is infinite. */
static gr_tensor pow_by_base(gr_tensor a, gr_tensor b)
{
    return gr_chain_mul(b, gr_pow(a, gr_add_scalar(b, -1)));
}

/* a^b ln a, with 0 at a = 0 <= b: there the logarithm is of 1. */
static gr_tensor pow_by_exponent(gr_tensor a, gr_tensor b, gr_tensor y)
{
    const gr_tensor zero = gri_zero_like(a), one = gr_scalar(a.graph, gr_type_of(a), 1);
    const gr_tensor safe = gr_where(gr_equal(a, zero), gr_where(gr_greater_equal(b, zero), one, a), a);
    return gr_chain_mul(y, gr_log(safe));
}

GRI_BINARY(pow, "^", "y = a^b", pow(a, b), gr_chain_mul(gy, pow_by_base(a, b)),
           gr_chain_mul(gy, pow_by_exponent(a, b, y)))

/* ---- maximum, minimum ---- */

/* The cotangent where the operand was the one taken: none where it `lost`, half of it at a tie. */
static gr_tensor share(gr_tensor gy, gr_tensor lost, gr_tensor tie)
{
    return gr_where(lost, gri_zero_like(gy), gr_where(tie, gr_scale(gy, 0.5), gy));
}

GRI_BINARY_AND(maximum, NULL, "y = max(a, b)", a > b || a != a ? a : b,
               share(gy, gr_less(a, b), gr_equal(a, b)), share(gy, gr_less(b, a), gr_equal(a, b)),
               .straight = true)
GRI_BINARY_AND(minimum, NULL, "y = min(a, b)", a < b || a != a ? a : b,
               share(gy, gr_greater(a, b), gr_equal(a, b)), share(gy, gr_greater(b, a), gr_equal(a, b)),
               .straight = true)

/* ---- lerp, composed ---- */

/* (1 - w) a + w b and not a + w (b - a), which at w = 1 is not b where a is much larger. */
gr_tensor gr_lerp(gr_tensor a, gr_tensor b, gr_tensor weight)
{
    return gr_add(gr_mul(gr_add_scalar(gr_neg(weight), 1), a), gr_mul(weight, b));
}

gr_tensor gr_lerp_scalar(gr_tensor a, gr_tensor b, double weight)
{
    return gr_add(gr_scale(a, 1 - weight), gr_scale(b, weight));
}
