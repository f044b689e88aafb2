/*
 * The sweep of primitives: right ones of every family pass; one mistake each in otherwise right ones is found, and
 * named. A mistake is switched on in a primitive by its number, so that all but one line is known to be right.
 */
#include "gradus.h"
#include "ledger.h"
#include "test.h"

enum mistake {
    NO_MISTAKE,
    /* in the rule */
    RULE_FACTOR,
    RULE_SIGN,
    RULE_NOTHING,
    RULE_IGNORES_COTANGENT,
    RULE_BROADCAST,
    RULE_SIZE_ONE,
    RULE_EMPTY,
    RULE_SECOND_ORDER,
    RULE_SHAPE,
    RULE_TYPE,
    RULE_LARGE,
    RULE_F32,
    RULE_ATTRIBUTE,
    RULE_SCOPE,
    RULE_NOT_DIFFERENTIABLE_TWICE,
    RULE_OTHER_OPERAND,
    RULE_MODIFIES_ATTRIBUTES,
    RULE_STRIDED,
    /* in pull */
    PULL_FACTOR,
    PULL_STRIDED,
    PULL_UNWRITTEN,
    PULL_COTANGENT_STRIDED,
    PULL_MODIFIES,
    /* in pull_tangent */
    TANGENT_FACTOR,
    TANGENT_OF_COTANGENT,
    TANGENT_STRIDED,
    TANGENT_COTANGENT_STRIDED,
    TANGENT_CHANGE_STRIDED,
    TANGENT_OF_OPERAND_STRIDED,
    TANGENT_UNWRITTEN,
    TANGENT_OF_OTHER,
    /* in infer */
    SHAPE_OF_SCALAR,
    SHAPE_OF_BROADCAST,
    TYPE_BY_LAYOUT,
    REFUSES_EMPTY,
    REFUSES_ALL,
    /* in forward */
    MODIFIES_OPERAND,
    UNWRITTEN_LAST,
    ACCUMULATES,
    COUNTS,
    NAN_SOMEWHERE,
    IGNORES_STRIDES,
    EXPANDED_STRIDE,
    SHORT_COUNTER,
    F32_LOOP,
    MODIFIES_ATTRIBUTES,
    WRITES_BEHIND,
    WRITES_BEFORE,
    READS_BEHIND,
    ASKS_RECORDING,
    LEAVES_NO_GRAD,
    LEAVES_SCOPE,
    SAYS_NOTHING,
    MASK_255,
    /* in those of other families */
    EMPTY_ROW,
    SYMMETRIC,
    NOT_TRANSPOSED,
    REPEATED_INDEX,
    INDEX_STRIDED,
    WRONG_PART,
    FIRST_PART_ONLY,
    VIEW_OFFSET,
    TIE_BROKEN
};
static enum mistake mistake;
static bool wants_large = true; /* large samples, too */

/* gr_sample_sizes. */
static bool sizes(int number, int n, const int64_t *least, int64_t *size)
{
    for (int i = 0, taken = 0; gr_sample_sizes(i, n, least, size); i++) {
        bool large = false;
        for (int axis = 0; axis < n; axis++) large |= size[axis] > 65536;
        if ((wants_large || !large) && taken++ == number) return true;
    }
    return false;
}

/* ---- Blend: y = c a^2 b, elementwise, strided, with attributes and pull ---- */

typedef struct blend_attributes {
    double c;
    int64_t unused;
} blend_attributes;

#define BLEND(T, NAME)                                                                    \
    static void NAME(int64_t n, void *const *p, const int64_t *s, const void *attributes) \
    {                                                                                     \
        const blend_attributes *k = attributes;                                           \
        T *y = p[0];                                                                      \
        const T *a = p[1], *b = p[2];                                                     \
        for (int64_t i = 0; i < n; i++) {                                                 \
            const T u = a[i * s[1]], v = b[i * s[2]];                                     \
            T value = (T)k->c * u * u * v;                                                \
            if (mistake == F32_LOOP && sizeof(T) == 4) value = (T)k->c * u * v;           \
            if (mistake == NAN_SOMEWHERE && u > (T)1.7) value = (T)NAN;                   \
            y[i * s[0]] = mistake == ACCUMULATES ? y[i * s[0]] + value : value;           \
        }                                                                                 \
    }
BLEND(double, blend_f64)
BLEND(float, blend_f32)

static bool same_shape(const gr_array *a, const gr_array *b)
{
    if (a->ndim != b->ndim) return false;
    for (int i = 0; i < a->ndim; i++)
        if (a->dims[i] != b->dims[i]) return false;
    return true;
}

static bool is_row_major(const gr_array *a)
{
    int64_t stride = 1;
    for (int i = a->ndim - 1; i >= 0; stride *= a->dims[i--])
        if (a->dims[i] > 1 && a->strides[i] != stride) return false;
    return true;
}

static gr_status blend_infer(const gr_call *c, gr_layout *out)
{
    const gr_status status = gr_infer_broadcast(c, out);
    if (status != GR_OK) return status;
    if (!gr_type_is_float(out->type)) return gr_call_fail(c, GR_ERR_TYPE, "needs floats", NULL);
    if (mistake == SHAPE_OF_SCALAR && out->ndim == 0) {
        out->ndim = 1;
        out->dims[0] = 1;
    }
    if (mistake == SHAPE_OF_BROADCAST && !same_shape(c->in[0], c->in[1])) {
        for (int i = out->ndim++; i > 0; i--) out->dims[i] = out->dims[i - 1];
        out->dims[0] = 1;
    }
    if (mistake == TYPE_BY_LAYOUT && !is_row_major(c->in[1])) out->type = GR_I32;
    if (mistake == REFUSES_EMPTY && c->in[0]->count == 0)
        return gr_call_fail(c, GR_ERR_SHAPE, "is for elements", NULL);
    if (mistake == REFUSES_ALL) return gr_call_fail(c, GR_ERR_TYPE, "likes none", NULL);
    return GR_OK;
}

static double *f64_of(const gr_array *a) { return a->type == GR_F64 ? a->data : NULL; }

static gr_status blend_forward(const gr_call *c)
{
    static double calls;
    double *y = f64_of(c->out), *a = f64_of(c->in[0]);
    const double *b = f64_of(c->in[1]);
    const int64_t n = c->out->count;
    const bool equal = y && b && same_shape(c->in[0], c->out) && same_shape(c->in[1], c->out);
    const double factor = ((const blend_attributes *)c->attributes)->c;
    if (mistake == SAYS_NOTHING && n == 2) return GR_ERR_CALLBACK;
    if (mistake == TYPE_BY_LAYOUT && c->out->type == GR_I32) {
        memset(c->out->data, 0, (size_t)n * sizeof(int32_t));
        return GR_OK;
    }
    if (equal && (mistake == IGNORES_STRIDES || mistake == SHORT_COUNTER || mistake == UNWRITTEN_LAST)) {
        const int64_t m = mistake == SHORT_COUNTER             ? (uint16_t)n
                          : mistake == UNWRITTEN_LAST && n > 3 ? n - 1
                                                               : n;
        if (mistake == IGNORES_STRIDES || (is_row_major(c->in[0]) && is_row_major(c->in[1]))) {
            for (int64_t i = 0; i < m; i++) y[i] = factor * a[i] * a[i] * b[i];
            return GR_OK;
        }
    }
    if (mistake == READS_BEHIND && equal && n == 5) {
        for (int64_t i = 0; i < n; i++) y[i] = factor * a[i] * a[i] * b[i];
        y[4] += 0 * a[5];
        return is_row_major(c->in[0]) ? GR_OK : gr_call_map(c, blend_f64);
    }
    const gr_status status = gr_call_map(c, c->out->type == GR_F64 ? blend_f64 : blend_f32);
    if (mistake == MODIFIES_OPERAND && a && c->in[0]->count == 6) a[3] += 1;
    if (mistake == COUNTS && y && n == 3) y[2] += calls++;
    if (mistake == MODIFIES_ATTRIBUTES) ((blend_attributes *)(uintptr_t)c->attributes)->unused++;
    if (mistake == WRITES_BEHIND && y && n > 8) y[n] = 0;
    if (mistake == WRITES_BEFORE && y && n > 8) y[-1] = 0;
    if (mistake == LEAVES_NO_GRAD) gr_no_grad_begin(c->graph);
    if (mistake == LEAVES_SCOPE) gr_name_scope_begin(c->graph, "inside");
    if (mistake == ASKS_RECORDING && y && n > 0 && !gr_is_recording(c->graph)) y[0] += 1;
    if (mistake == EXPANDED_STRIDE && y && n > 0 && c->in[0]->ndim == 2 && c->in[0]->strides[0] == 0)
        y[0] += 1;
    return status;
}

/* A primitive without a rule, for rules that should not use it. */
static gr_status plain_infer(const gr_call *c, gr_layout *out) { return gr_infer_like(c, out, 0); }
static void plain_f64(int64_t n, void *const *p, const int64_t *s, const void *attributes)
{
    (void)attributes;
    for (int64_t i = 0; i < n; i++) ((double *)p[0])[i * s[0]] = ((const double *)p[1])[i * s[1]];
}
static void plain_f32(int64_t n, void *const *p, const int64_t *s, const void *attributes)
{
    (void)attributes;
    for (int64_t i = 0; i < n; i++) ((float *)p[0])[i * s[0]] = ((const float *)p[1])[i * s[1]];
}
static gr_status plain_forward(const gr_call *c)
{
    return gr_call_map(c, c->out->type == GR_F64 ? plain_f64 : plain_f32);
}
static const gr_samples anywhere = {.elementwise = true};
static const gr_op plain = {.name = "plain",
                            .arity = 1,
                            .strided = true,
                            .infer = plain_infer,
                            .forward = plain_forward,
                            .samples = &anywhere};

/* The values in memory, as if they were contiguous: what a rule must not do. */
static gr_tensor as_it_lies(gr_graph *g, const gr_array *a)
{
    const gr_shape shape = {.ndim = a->ndim};
    gr_shape s = shape;
    for (int i = 0; i < a->ndim; i++) s.dims[i] = a->dims[i];
    return gr_constant(g, a->type, s, a->data);
}

static bool has_size_one(const gr_array *a)
{
    for (int i = 0; i < a->ndim; i++)
        if (a->dims[i] == 1) return true;
    return false;
}

static gr_tensor blend_mistake(const gr_call *c, gr_tensor gy, gr_tensor right, int i)
{
    const gr_array *in = c->in[i];
    gr_graph *g = gy.graph;
    switch (mistake) {
    case RULE_FACTOR:
        return i == 0 ? gr_scale(right, 0.5) : right;
    case RULE_SIGN:
        return i == 1 ? gr_neg(right) : right;
    case RULE_NOTHING:
        return i == 1 ? GR_NONE : right;
    case RULE_BROADCAST:
        return same_shape(c->out, in) ? right : gr_scale(right, 2);
    case RULE_SIZE_ONE:
        return has_size_one(in) ? gr_scale(right, 2) : right;
    case RULE_EMPTY:
        return in->count == 0 ? gr_ones(g, in->type, GR_SHAPE(7)) : right;
    case RULE_SHAPE:
        return in->ndim == 2 ? gr_sum(right, GR_AXES(1), false) : right;
    case RULE_TYPE:
        return gr_cast(right, in->type == GR_F64 ? GR_F32 : GR_F64);
    case RULE_LARGE:
        return c->out->count > 65536 ? gr_scale(right, 1.01) : right;
    case RULE_F32:
        return in->type == GR_F32 ? gr_scale(right, 1.01) : right;
    case RULE_SCOPE:
        gr_scope_begin(g);
        return right;
    case RULE_NOT_DIFFERENTIABLE_TWICE:
        return gr_apply(g, &plain, 1, &right, NULL);
    case RULE_MODIFIES_ATTRIBUTES:
        ((blend_attributes *)(uintptr_t)c->attributes)->unused = 3;
        return right;
    default:
        return right;
    }
}

static gr_tensor blend_vjp(const gr_call *c, gr_tensor gy, int i)
{
    double factor = ((const blend_attributes *)c->attributes)->c;
    gr_tensor a = c->operands[0], b = c->operands[1];
    if (mistake == RULE_SECOND_ORDER) a = gr_detach(a);
    if (mistake == RULE_ATTRIBUTE) factor = 1;
    if (mistake == RULE_STRIDED && !is_row_major(c->in[0])) a = as_it_lies(gy.graph, c->in[0]);
    if (mistake == RULE_OTHER_OPERAND) b = a;
    if (mistake == RULE_IGNORES_COTANGENT && i == 0)
        return gr_scale(gr_mul(gr_mul(a, b), gr_ones(gy.graph, gr_type_of(gy), gr_shape_of(gy))), 2 * factor);
    const gr_tensor d = i == 0 ? gr_scale(gr_mul(a, b), 2 * factor) : gr_scale(gr_square(a), factor);
    return blend_mistake(c, gy, gr_mul(gy, d), i);
}

static double at(const gr_array *x, int64_t offset)
{
    return x->type == GR_F64 ? ((const double *)x->data)[offset] : (double)((const float *)x->data)[offset];
}

static int64_t offset_of(const gr_array *x, int64_t e)
{
    int64_t offset = 0;
    for (int i = x->ndim - 1; i >= 0; e /= x->dims[i--]) offset += e % x->dims[i] * x->strides[i];
    return offset;
}

static bool blend_pull(const gr_call *c, const gr_array *gy, int i, const gr_array *to)
{
    const gr_array *a = c->in[0], *b = c->in[1];
    if (!same_shape(a, c->out) || !same_shape(b, c->out)) return false;
    const double factor = ((const blend_attributes *)c->attributes)->c;
    const int64_t n = mistake == PULL_UNWRITTEN && to->count > 4 ? to->count - 1 : to->count;
    for (int64_t e = 0; e < n; e++) {
        const int64_t of_a = mistake == PULL_STRIDED ? e : offset_of(a, e);
        const double u = at(a, of_a), v = at(b, offset_of(b, e));
        const double g = at(gy, mistake == PULL_COTANGENT_STRIDED ? e : offset_of(gy, e));
        double d = g * factor * (i == 0 ? 2 * u * v : u * u);
        if (mistake == PULL_FACTOR && i == 1) d *= 2;
        if (to->type == GR_F64)
            ((double *)to->data)[e] = d;
        else
            ((float *)to->data)[e] = (float)d;
    }
    if (mistake == PULL_MODIFIES && a->count == 5 && f64_of(a)) f64_of(a)[0] = 1;
    return true;
}

/* Element e of a tangent, in row-major order; by one who makes that mistake, as it lies in memory. */
static double at_or_zero(const gr_array *x, int64_t e, enum mistake in_memory)
{
    return x ? at(x, mistake == in_memory ? e : offset_of(x, e)) : 0;
}

static bool blend_pull_tangent(const gr_call *c, const gr_moving *m, int i, const gr_array *to)
{
    const gr_array *a = c->in[0], *b = c->in[1];
    if (!same_shape(a, c->out) || !same_shape(b, c->out)) return false;
    const double factor = ((const blend_attributes *)c->attributes)->c;
    const int64_t n = mistake == TANGENT_UNWRITTEN && to->count > 4 ? to->count - 1 : to->count;
    for (int64_t e = 0; e < n; e++) {
        const double u = at(a, mistake == TANGENT_STRIDED ? e : offset_of(a, e)), v = at(b, offset_of(b, e));
        const double du = at_or_zero(m->in_tangents[0], e, TANGENT_OF_OPERAND_STRIDED);
        const double g = at_or_zero(m->gy, e, TANGENT_COTANGENT_STRIDED);
        const double dg = mistake == TANGENT_OF_COTANGENT
                              ? 0
                              : at_or_zero(m->gy_tangent, e, TANGENT_CHANGE_STRIDED);
        const double dv = mistake == TANGENT_OF_OTHER ? 0
                                                      : at_or_zero(m->in_tangents[1], e, TANGENT_OF_OTHER);
        double d = i == 0 ? dg * 2 * u * v + g * 2 * (du * v + u * dv) : dg * u * u + g * 2 * u * du;
        if (mistake == TANGENT_FACTOR && i == 1) d *= 2;
        if (to->type == GR_F64)
            ((double *)to->data)[e] = factor * d;
        else
            ((float *)to->data)[e] = (float)(factor * d);
    }
    return true;
}

static const blend_attributes one_and_a_half = {1.5, 0};
static const gr_samples blend_samples = {.elementwise = true, .attributes = &one_and_a_half};
/* The same without the large ones, which come last; or with one of them. */
static bool blend_make(int number, gr_sample *sample, void *attributes)
{
    (void)number, (void)attributes;
    for (int i = 0; i < sample->shape[0].ndim; i++)
        if (sample->shape[0].dims[i] > 50 && !(wants_large && sample->shape[0].ndim == 1)) return false;
    return true;
}
static const gr_samples small_samples = {
    .elementwise = true, .attributes = &one_and_a_half, .make = blend_make};
static const gr_op blend = {.name = "blend",
                            .arity = 2,
                            .strided = true,
                            .attribute_bytes = sizeof(blend_attributes),
                            .samples = &blend_samples,
                            .infer = blend_infer,
                            .forward = blend_forward,
                            .vjp = blend_vjp,
                            .pull = blend_pull,
                            .pull_tangent = blend_pull_tangent};

/* ---- Above: a > b, a mask ---- */

static gr_status above_infer(const gr_call *c, gr_layout *out)
{
    const gr_status status = gr_infer_broadcast(c, out);
    out->type = GR_BOOL;
    return status;
}

static void above_f64(int64_t n, void *const *p, const int64_t *s, const void *attributes)
{
    (void)attributes;
    for (int64_t i = 0; i < n; i++) {
        const bool above = ((const double *)p[1])[i * s[1]] > ((const double *)p[2])[i * s[2]];
        ((uint8_t *)p[0])[i * s[0]] = above ? mistake == MASK_255 ? 255 : 1 : 0;
    }
}
static void above_f32(int64_t n, void *const *p, const int64_t *s, const void *attributes)
{
    (void)attributes;
    for (int64_t i = 0; i < n; i++)
        ((uint8_t *)p[0])[i * s[0]] = ((const float *)p[1])[i * s[1]] > ((const float *)p[2])[i * s[2]];
}
static gr_status above_forward(const gr_call *c)
{
    return gr_call_map(c, c->in[0]->type == GR_F64 ? above_f64 : above_f32);
}
static const gr_op above = {.name = "above",
                            .arity = 2,
                            .strided = true,
                            .samples = &anywhere,
                            .infer = above_infer,
                            .forward = above_forward};

/* ---- Pick: a where the mask holds, else 0; contiguous, f64, hence no broadcasting ---- */

static bool pick_make(int number, gr_sample *sample, void *attributes)
{
    int64_t size[2];
    (void)attributes;
    if (!sizes(number, 2, NULL, size)) return false;
    sample->shape[0] = sample->shape[1] = GR_SHAPE(size[0], size[1]);
    return true;
}
static gr_status pick_infer(const gr_call *c, gr_layout *out)
{
    if (c->in[0]->type != GR_BOOL || c->in[1]->type != GR_F64)
        return gr_call_fail(c, GR_ERR_TYPE, "needs a mask and f64", NULL);
    return gr_infer_like(c, out, 1);
}
static gr_status pick_forward(const gr_call *c)
{
    const uint8_t *mask = c->in[0]->data;
    for (int64_t i = 0; i < c->out->count; i++)
        ((double *)c->out->data)[i] = mask[i] ? ((const double *)c->in[1]->data)[i] : 0;
    return GR_OK;
}
static gr_tensor pick_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    return gr_mul(gy, gr_cast(c->operands[0], GR_F64));
}
static const gr_samples pick_samples = {.domain = {{.kind = GR_SAMPLE_MASK}}, .make = pick_make};
static const gr_op pick = {.name = "pick",
                           .arity = 2,
                           .samples = &pick_samples,
                           .infer = pick_infer,
                           .forward = pick_forward,
                           .vjp = pick_vjp};

/* ---- Peak: the largest of the last axis, f64; of nothing an error ---- */

static bool rows_make(int number, gr_sample *sample, void *attributes)
{
    int64_t size[2];
    (void)attributes;
    if (!sizes(number, 2, (int64_t[]){0, 1}, size)) return false;
    sample->shape[0] = GR_SHAPE(size[0], size[1]);
    return true;
}
static gr_status last_infer(const gr_call *c, gr_layout *out)
{
    const gr_status status = gr_infer_like(c, out, 0);
    if (status != GR_OK) return status;
    if (out->type != GR_F64) return gr_call_fail(c, GR_ERR_TYPE, "needs f64", NULL);
    if (out->ndim == 0) return gr_call_fail(c, GR_ERR_NDIM, "needs an axis", NULL);
    out->ndim--;
    return GR_OK;
}
static gr_status peak_forward(const gr_call *c)
{
    const int64_t n = c->in[0]->dims[c->in[0]->ndim - 1];
    const double *x = c->in[0]->data;
    for (int64_t i = 0; i < c->out->count; i++) {
        double most = x[i * n];
        for (int64_t j = 1; j < n; j++) most = fmax(most, x[i * n + j]);
        ((double *)c->out->data)[i] = most;
    }
    return GR_OK;
}
static gr_tensor peak_vjp(const gr_call *c, gr_tensor gy, int i)
{
    const gr_tensor y = gr_unsqueeze(c->output, -1);
    const gr_tensor first = mistake == TIE_BROKEN ? gr_greater(y, c->operands[i])
                                                  : gr_equal(y, c->operands[i]);
    return gr_mul(gr_unsqueeze(gy, -1), gr_cast(first, GR_F64));
}
static const gr_samples peak_samples = {.domain = {{.distinct = true}}, .make = rows_make};
static const gr_op peak = {.name = "peak",
                           .arity = 1,
                           .samples = &peak_samples,
                           .infer = last_infer,
                           .forward = peak_forward,
                           .vjp = peak_vjp};

/* ---- Energy: the sum of squares along the last axis, f64, strided ---- */

static bool energy_make(int number, gr_sample *sample, void *attributes)
{
    int64_t size[2];
    (void)attributes;
    if (!sizes(number, 2, NULL, size)) return false;
    sample->shape[0] = GR_SHAPE(size[0], size[1]);
    return true;
}
static gr_status energy_forward(const gr_call *c)
{
    const gr_array *x = c->in[0];
    double *y = c->out->data;
    if (mistake == EMPTY_ROW && x->count == 0) return GR_OK;
    for (int64_t i = 0; i < x->dims[0]; i++) {
        y[i] = 0;
        for (int64_t j = 0; j < x->dims[1]; j++) {
            const double v = ((const double *)x->data)[i * x->strides[0] + j * x->strides[1]];
            y[i] += v * v;
        }
    }
    return GR_OK;
}
static gr_tensor energy_vjp(const gr_call *c, gr_tensor gy, int i)
{
    return gr_scale(gr_mul(gr_unsqueeze(gy, -1), c->operands[i]), 2);
}
static const gr_samples energy_samples = {.make = energy_make, .types = GR_SAMPLE_F64};
static const gr_op energy = {.name = "energy",
                             .arity = 1,
                             .strided = true,
                             .samples = &energy_samples,
                             .infer = last_infer,
                             .forward = energy_forward,
                             .vjp = energy_vjp};

/* ---- Single: x^2 in f32 only ---- */

static gr_status single_infer(const gr_call *c, gr_layout *out)
{
    if (c->in[0]->type != GR_F32) return gr_call_fail(c, GR_ERR_TYPE, "needs f32", NULL);
    return gr_infer_like(c, out, 0);
}
static gr_status single_forward(const gr_call *c)
{
    const float *x = c->in[0]->data;
    for (int64_t i = 0; i < c->out->count; i++) ((float *)c->out->data)[i] = x[i] * x[i];
    return GR_OK;
}
static gr_tensor single_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    return gr_scale(gr_mul(gy, c->operands[0]), mistake == RULE_FACTOR ? 2.1 : 2);
}
static const gr_op single = {.name = "single",
                             .arity = 1,
                             .samples = &anywhere,
                             .infer = single_infer,
                             .forward = single_forward,
                             .vjp = single_vjp};

/* ---- Product: [m, k] @ [k, n], contiguous, f64 ---- */

static bool product_make(int number, gr_sample *sample, void *attributes)
{
    int64_t size[3];
    (void)attributes;
    if (number == 0) { /* a square */
        sample->shape[0] = sample->shape[1] = GR_SHAPE(3, 3);
        return true;
    }
    if (!sizes(number - 1, 3, NULL, size)) return false;
    sample->shape[0] = GR_SHAPE(size[0], size[1]);
    sample->shape[1] = GR_SHAPE(size[1], size[2]);
    return true;
}
static gr_status product_infer(const gr_call *c, gr_layout *out)
{
    const gr_array *a = c->in[0], *b = c->in[1];
    if (a->type != GR_F64 || b->type != GR_F64) return gr_call_fail(c, GR_ERR_TYPE, "needs f64", NULL);
    if (a->ndim != 2 || b->ndim != 2 || a->dims[1] != b->dims[0])
        return gr_call_fail(c, GR_ERR_SHAPE, "needs [m, k] and [k, n]", NULL);
    *out = (gr_layout){.type = GR_F64, .ndim = 2, .dims = {a->dims[0], b->dims[1]}, .alias = -1};
    return GR_OK;
}
static gr_status product_forward(const gr_call *c)
{
    const gr_array *a = c->in[0], *b = c->in[1];
    const int64_t m = a->dims[0], k = a->dims[1], n = b->dims[1];
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t l = 0; l < k; l++) sum += f64_of(a)[i * k + l] * f64_of(b)[l * n + j];
            f64_of(c->out)[i * n + j] = sum;
        }
    }
    return GR_OK;
}
static gr_tensor product_vjp(const gr_call *c, gr_tensor gy, int i)
{
    const bool square = c->in[0]->dims[0] == c->in[0]->dims[1] && c->in[1]->dims[0] == c->in[1]->dims[1];
    const gr_tensor b = square && mistake == SYMMETRIC ? c->operands[1] : gr_transpose(c->operands[1], 0, 1);
    const gr_tensor da = gr_matmul(gy, b);
    if (mistake == NOT_TRANSPOSED && i == 0) return gr_transpose(da, 0, 1);
    return i == 0 ? da : gr_matmul(gr_transpose(c->operands[0], 0, 1), gy);
}
static const gr_samples product_samples = {.make = product_make};
static const gr_op product = {.name = "product",
                              .arity = 2,
                              .samples = &product_samples,
                              .infer = product_infer,
                              .forward = product_forward,
                              .vjp = product_vjp};

/* ---- Take: x [n, d], index [m] -> [m, d], strided, f32 and f64 ---- */

static bool take_make(int number, gr_sample *sample, void *attributes)
{
    int64_t size[3];
    (void)attributes;
    if (!sizes(number, 3, (int64_t[]){1, 0, 0}, size)) return false;
    sample->shape[0] = GR_SHAPE(size[0], size[1]);
    sample->shape[1] = GR_SHAPE(size[2]);
    sample->domain[1] = (gr_domain){.kind = GR_SAMPLE_INDEX, .high = (double)size[0]};
    return true;
}
static gr_status take_infer(const gr_call *c, gr_layout *out)
{
    const gr_status status = gr_infer_like(c, out, 0);
    if (status != GR_OK) return status;
    if (c->in[1]->type != GR_I32) return gr_call_fail(c, GR_ERR_TYPE, "needs an i32 index", NULL);
    out->dims[0] = c->in[1]->dims[0];
    return GR_OK;
}
static gr_status take_forward(const gr_call *c)
{
    const gr_array *x = c->in[0], *index = c->in[1];
    const int64_t d = x->dims[1], step = mistake == INDEX_STRIDED ? 1 : index->strides[0];
    const size_t size = gr_type_size(x->type);
    for (int64_t i = 0; i < index->dims[0]; i++) {
        const int32_t row = ((const int32_t *)index->data)[i * step];
        if (row < 0 || row >= x->dims[0]) return gr_call_fail(c, GR_ERR_INDEX, "no such row", "%d", row);
        for (int64_t j = 0; j < d; j++)
            memcpy((char *)c->out->data + (size_t)(i * d + j) * size,
                   (const char *)x->data + (row * x->strides[0] + j * x->strides[1]) * (int64_t)size, size);
    }
    return GR_OK;
}
static gr_tensor take_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    const gr_tensor sum = gr_index_add(gy, 0, c->operands[1], c->in[0]->dims[0]);
    if (mistake != REPEATED_INDEX) return sum;
    const gr_tensor ones = gr_ones(gy.graph, gr_type_of(gy), gr_shape_of(gy));
    const gr_tensor times = gr_index_add(ones, 0, c->operands[1], c->in[0]->dims[0]);
    return gr_div(sum, gr_maximum(times, gr_ones(gy.graph, gr_type_of(gy), GR_SCALAR)));
}
static const gr_samples take_samples = {.make = take_make};
static const gr_op take = {.name = "take",
                           .arity = 2,
                           .strided = true,
                           .samples = &take_samples,
                           .infer = take_infer,
                           .forward = take_forward,
                           .vjp = take_vjp};

/* ---- Chain: any number of [n_i] joined to one; f64 ---- */

static bool chain_make(int number, gr_sample *sample, void *attributes)
{
    static const int64_t lengths[][3] = {{2, 3, 4}, {1, 1, 1}, {0, 0, 0}, {5, 0, 1}, {3, 70001, 2}};
    const int cases = wants_large ? 5 : 4;
    (void)attributes;
    if (number >= 3 * cases) return false;
    sample->n = 1 + number / cases;
    for (int k = 0; k < sample->n; k++) sample->shape[k] = GR_SHAPE(lengths[number % cases][k]);
    return true;
}
static gr_status chain_infer(const gr_call *c, gr_layout *out)
{
    *out = (gr_layout){.type = GR_F64, .ndim = 1, .alias = -1};
    for (int k = 0; k < c->n; k++) {
        if (c->in[k]->type != GR_F64) return gr_call_fail(c, GR_ERR_TYPE, "needs f64", NULL);
        out->dims[0] += c->in[k]->count;
    }
    return GR_OK;
}
static gr_status chain_forward(const gr_call *c)
{
    char *to = c->out->data;
    for (int k = 0; k < c->n; k++) {
        const size_t bytes = (size_t)c->in[k]->count * sizeof(double);
        if (bytes) memcpy(to, c->in[k]->data, bytes);
        to += bytes;
    }
    return GR_OK;
}
static gr_tensor chain_vjp(const gr_call *c, gr_tensor gy, int i)
{
    int64_t start = mistake == WRONG_PART && i == 2 ? -1 : 0;
    for (int k = 0; k < i; k++) start += c->in[k]->count;
    if (mistake == FIRST_PART_ONLY && i > 0) return GR_NONE;
    if (start < 0) start = 0;
    return gr_slice(gy, 0, start, start + c->in[i]->count, 1);
}
static const gr_samples chain_samples = {.make = chain_make};
static const gr_op chain = {.name = "chain",
                            .arity = GR_VARIADIC,
                            .samples = &chain_samples,
                            .infer = chain_infer,
                            .forward = chain_forward,
                            .vjp = chain_vjp};

/* ---- Total: any number of operands added up, elementwise; the first alone decides the type ---- */

static gr_status total_forward(const gr_call *c)
{
    for (int64_t e = 0; e < c->out->count; e++) {
        double sum = 0;
        for (int k = 0; k < c->n; k++) {
            gr_array wide = *c->in[k];
            int64_t offset = 0, rest = e;
            for (int i = c->out->ndim - 1; i >= 0; rest /= c->out->dims[i--]) {
                const int own = i - (c->out->ndim - wide.ndim);
                if (own >= 0 && wide.dims[own] != 1) offset += rest % c->out->dims[i] * wide.strides[own];
            }
            sum += at(&wide, offset);
        }
        if (c->out->type == GR_F64)
            ((double *)c->out->data)[e] = sum;
        else
            ((float *)c->out->data)[e] = (float)sum;
    }
    return GR_OK;
}
static gr_tensor total_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)c, (void)i;
    return gy;
}
static const gr_op total = {.name = "total",
                            .arity = GR_VARIADIC,
                            .samples = &anywhere,
                            .infer = gr_infer_broadcast,
                            .forward = total_forward,
                            .vjp = total_vjp};

/* ---- Flip: the last axis backwards, a view ---- */

static gr_status flip_infer(const gr_call *c, gr_layout *out)
{
    const gr_array *x = c->in[0];
    const gr_status status = gr_infer_like(c, out, 0);
    if (status != GR_OK) return status;
    out->alias = 0;
    out->offset = 0;
    for (int i = 0; i < x->ndim; i++) out->strides[i] = x->strides[i];
    if (x->ndim == 0 || x->count == 0) return GR_OK;
    const int last = x->ndim - 1;
    const bool wrong = mistake == VIEW_OFFSET && x->strides[last] != 1;
    out->offset = wrong ? 0 : (x->dims[last] - 1) * x->strides[last];
    out->strides[last] = wrong ? x->strides[last] : -x->strides[last];
    return GR_OK;
}
static gr_tensor flip_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)i;
    if (c->in[0]->ndim == 0) return gy;
    return gr_slice(gy, -1, GR_SLICE_DEFAULT, GR_SLICE_DEFAULT, -1);
}
static const gr_op flip = {
    .name = "flip", .arity = 1, .strided = true, .samples = &anywhere, .infer = flip_infer, .vjp = flip_vjp};

/* ---- Ramp: 0, 1, ..., of no operands ---- */

static bool ramp_make(int number, gr_sample *sample, void *attributes)
{
    static const int64_t lengths[] = {7, 1, 0, 70001};
    (void)sample;
    if (number >= 4) return false;
    memcpy(attributes, &lengths[number], sizeof *lengths);
    return true;
}
static gr_status ramp_infer(const gr_call *c, gr_layout *out)
{
    *out = (gr_layout){.type = GR_I32, .ndim = 1, .dims = {*(const int64_t *)c->attributes}, .alias = -1};
    return GR_OK;
}
static gr_status ramp_forward(const gr_call *c)
{
    for (int32_t i = 0; i < c->out->count; i++) ((int32_t *)c->out->data)[i] = i;
    return GR_OK;
}
static const gr_samples ramp_samples = {.make = ramp_make};
static const gr_op ramp = {.name = "ramp",
                           .attribute_bytes = sizeof(int64_t),
                           .samples = &ramp_samples,
                           .infer = ramp_infer,
                           .forward = ramp_forward};

/* ---- Sweeping ---- */

static gr_sweep_result sweep(const gr_op *op, const gr_sweep_options *options)
{
    gr_sweep_result r;
    CHECK(gr_sweep(op, options, &r) == GR_OK);
    return r;
}

static void print(const gr_sweep_result *r)
{
    static char text[GR_SWEEP_REPORT_BYTES];
    CHECK(gr_sweep_report(r, text, sizeof text) < sizeof text);
    printf("%s", text);
}

static gr_sweep_result check_passes(const gr_op *op, const gr_sweep_options *options, bool f32, bool f64,
                                    bool differentiable)
{
    const gr_sweep_result r = sweep(op, options);
    CHECK(r.passed && r.failed == 0 && r.n_failures == 0 && r.left_out == 0);
    CHECK(r.f32 == f32 && r.f64 == f64 && r.differentiable == differentiable);
    CHECK(r.samples > 0 && r.comparisons > 100);
    CHECK((r.check.elements > 0) == differentiable);
    CHECK_TEXT(r.name, op->name);
    if (!r.passed) print(&r);
    return r;
}

static void test_right_ones_pass(void)
{
    mistake = NO_MISTAKE;
    const gr_sweep_result r = check_passes(&blend, NULL, true, true, true);
    CHECK(r.samples == 43);
    CHECK(r.check.order >= 1 && r.check.passed);
    check_passes(&above, NULL, true, true, false);
    check_passes(&plain, NULL, true, true, false);
    check_passes(&pick, NULL, false, true, true);
    check_passes(&peak, NULL, false, true, true);
    check_passes(&energy, NULL, false, true, true);
    check_passes(&single, NULL, true, false, true);
    check_passes(&product, NULL, false, true, true);
    check_passes(&take, NULL, true, true, true);
    check_passes(&chain, NULL, false, true, true);
    check_passes(&total, NULL, true, true, true);
    check_passes(&flip, NULL, true, true, true);
    check_passes(&ramp, NULL, false, false, false);
}

static const gr_op *find_op(const char *name)
{
    for (const gr_op *const *p = gr_primitives(); *p; p++)
        if (!strcmp((*p)->name, name)) return *p;
    return NULL;
}

/* The primitives of Gradus are of the same kind; on several threads, and in both orders of what is checked. */
static void test_primitives_pass(void)
{
    static const gr_samples positive = {.elementwise = true,
                                        .domain = {{.low = 0.2, .high = 4}, {.low = 0.2, .high = 4}}};
    static const gr_samples away = {.elementwise = true, .domain = {{.gap = 0.1}, {.gap = 0.5}}};
    static const gr_samples masked = {.elementwise = true, .domain = {{.kind = GR_SAMPLE_MASK}}};
    static const struct {
        const char *name;
        const gr_samples *samples;
    } some[] = {{"div", &away},  {"pow", &positive}, {"where", &masked},
                {"relu", &away}, {"mul", &anywhere}, {"sqrt", &positive}};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        const gr_sweep_options o = {.samples = some[i].samples, .graph = {.threads = 2, .seed = 11}};
        check_passes(find_op(some[i].name), &o, true, true, true);
    }
}

/* ---- Mistakes ---- */

typedef struct wrong {
    const gr_op *op;
    enum mistake mistake;
    gr_sweep_cause cause;
    const char *message; /* of the first failure */
} wrong;

#define W(OP, MISTAKE, CAUSE, MESSAGE)          \
    {                                           \
        &OP, MISTAKE, GR_SWEEP_##CAUSE, MESSAGE \
    }
static const wrong mistakes[] = {
    W(blend, RULE_FACTOR, DERIVATIVE, "by operand 1"),
    W(blend, RULE_SIGN, DERIVATIVE, "by operand 2"),
    W(blend, RULE_NOTHING, DERIVATIVE, "by operand 2"),
    W(blend, RULE_IGNORES_COTANGENT, DERIVATIVE, "order 1"),
    W(blend, RULE_BROADCAST, DERIVATIVE, "order 1"),
    W(blend, RULE_SIZE_ONE, DERIVATIVE, "order 1"),
    W(blend, RULE_EMPTY, RULE, "[7]"),
    W(blend, RULE_SECOND_ORDER, SECOND_DERIVATIVE, "order 2"),
    W(blend, RULE_SHAPE, RULE, "does not fit"),
    W(blend, RULE_TYPE, RULE, "does not fit"),
    W(blend, RULE_LARGE, DERIVATIVE, "order 1"),
    W(blend, RULE_F32, PRECISION, "the gradient of operand 1"),
    W(blend, RULE_ATTRIBUTE, DERIVATIVE, "order 1"),
    W(blend, RULE_SCOPE, RULE, "left it open"),
    W(blend, RULE_NOT_DIFFERENTIABLE_TWICE, RULE, "plain"),
    W(blend, RULE_OTHER_OPERAND, DERIVATIVE, "by operand 1"),
    W(blend, RULE_MODIFIES_ATTRIBUTES, ATTRIBUTES, "by the rule"),
    W(blend, RULE_STRIDED, DERIVATIVE, "order 1"),
    W(blend, PULL_FACTOR, PULL, "the gradient of operand 2"),
    W(blend, PULL_STRIDED, PULL, "the gradient of operand 1"),
    W(blend, PULL_UNWRITTEN, UNWRITTEN, "by pull"),
    W(blend, PULL_COTANGENT_STRIDED, PULL, "strided cotangent"),
    W(blend, PULL_MODIFIES, OPERAND, "operand 1"),
    W(blend, TANGENT_FACTOR, PULL_TANGENT, "the Hessian-vector product of operand 2"),
    W(blend, TANGENT_OF_COTANGENT, PULL_TANGENT, "the Hessian-vector product of operand 1"),
    W(blend, TANGENT_COTANGENT_STRIDED, PULL_TANGENT, "with it"),
    W(blend, TANGENT_CHANGE_STRIDED, PULL_TANGENT, "with it"),
    W(blend, TANGENT_OF_OPERAND_STRIDED, PULL_TANGENT, "with it"),
    W(blend, TANGENT_STRIDED, PULL_TANGENT, "with it"),
    W(blend, TANGENT_UNWRITTEN, PULL_TANGENT, "with it"),
    W(blend, TANGENT_OF_OTHER, PULL_TANGENT, "the Hessian-vector product of operand 1"),
    W(blend, SHAPE_OF_SCALAR, SHAPE, "the shape is [1]"),
    W(blend, SHAPE_OF_BROADCAST, SHAPE, "what the operands broadcast to"),
    W(blend, TYPE_BY_LAYOUT, TYPE, "the type is i32"),
    W(blend, REFUSES_EMPTY, ERROR, "blend: is for elements"),
    W(blend, REFUSES_ALL, ERROR, "refuses f64 and f32: blend: likes none: "),
    W(blend, MODIFIES_OPERAND, OPERAND, "operand 1"),
    W(blend, UNWRITTEN_LAST, UNWRITTEN, "[1, 2] is"),
    W(blend, ACCUMULATES, UNWRITTEN, ""),
    W(blend, COUNTS, NOT_DETERMINISTIC, "[2] is"),
    W(blend, NAN_SOMEWHERE, VALUE, "nan"),
    W(blend, IGNORES_STRIDES, LAYOUT, "transposed"),
    W(blend, EXPANDED_STRIDE, LAYOUT, "expanded"),
    W(blend, SHORT_COUNTER, UNWRITTEN, "[4465] is"),
    W(blend, F32_LOOP, PRECISION, "in f32"),
    W(blend, MODIFIES_ATTRIBUTES, ATTRIBUTES, "the attributes were modified"),
    W(blend, WRITES_BEHIND, OUTSIDE, "next to the result"),
    W(blend, WRITES_BEFORE, OUTSIDE, "next to the result"),
    W(blend, READS_BEHIND, UNWRITTEN, "[4] is"),
    W(blend, ASKS_RECORDING, RECORDING, "no_grad"),
    W(blend, LEAVES_NO_GRAD, ERROR, "left it open"),
    W(blend, LEAVES_SCOPE, ERROR, "left it open"),
    W(blend, SAYS_NOTHING, ERROR, "blend"),
    W(above, MASK_255, VALUE, "255 in a mask"),
    W(energy, EMPTY_ROW, UNWRITTEN, "[0] is"),
    W(single, RULE_FACTOR, DERIVATIVE, "by operand 1"),
    W(product, SYMMETRIC, DERIVATIVE, "by operand 1"),
    W(product, NOT_TRANSPOSED, DERIVATIVE, "by operand 1"),
    W(take, REPEATED_INDEX, DERIVATIVE, "by operand 1"),
    W(take, INDEX_STRIDED, LAYOUT, "stepped"),
    W(chain, WRONG_PART, DERIVATIVE, "by operand 3"),
    W(chain, FIRST_PART_ONLY, DERIVATIVE, "by operand 2"),
    W(flip, VIEW_OFFSET, LAYOUT, "transposed"),
    W(peak, TIE_BROKEN, DERIVATIVE, "by operand 1"),
};

static int64_t count_of(gr_shape s)
{
    int64_t n = 1;
    for (int i = 0; i < s.ndim; i++) n *= s.dims[i];
    return n;
}

/* What else is known of the first failure. */
static void check_place(const wrong *w, const gr_sweep_failure *f)
{
    const bool broadcast = f->n == 2 && count_of(f->shape[0]) != count_of(f->shape[1]);
    switch (w->mistake) {
    case RULE_BROADCAST:
        CHECK(broadcast);
        return;
    case RULE_EMPTY:
    case REFUSES_EMPTY:
    case EMPTY_ROW:
        CHECK(count_of(f->shape[0]) == 0);
        return;
    case RULE_LARGE:
    case SHORT_COUNTER:
        CHECK(count_of(f->shape[0]) > 65536);
        return;
    case RULE_F32:
    case F32_LOOP:
    case REFUSES_ALL:
        CHECK(f->type == GR_F32);
        return;
    case RULE_STRIDED:
    case PULL_STRIDED:
    case IGNORES_STRIDES:
        CHECK_TEXT(f->layout, "transposed");
        return;
    case EXPANDED_STRIDE:
        CHECK_TEXT(f->layout, "expanded");
        return;
    case SHAPE_OF_SCALAR:
        CHECK(f->shape[0].ndim == 0 && f->shape[1].ndim == 0);
        return;
    case SYMMETRIC:
        CHECK(f->sample == 0);
        return;
    default:
        CHECK(f->type == (w->op == &single ? GR_F32 : GR_F64));
    }
}

/* Tangents that are not what the descriptor promises are named as such: the rule is right. */
static void test_wrong_tangents(void)
{
    gr_op op = blend;
    mistake = NO_MISTAKE;
    op.tangent = GR_TANGENT_LINEAR;
    const gr_sweep_options small = {.samples = &small_samples};
    const gr_sweep_result r = sweep(&op, &small);
    CHECK(!r.passed && r.failures[0].cause == GR_SWEEP_DERIVATIVE);
    CHECK_TEXT(r.failures[0].message, ", by JVP: analytic ");
    CHECK_TEXT(r.failures[0].message, ": wrong; is its `tangent` right?");
    op.tangent = GR_TANGENT_GENERAL;
    CHECK(sweep(&op, &small).passed);
}

/* So are Jacobians that move although the descriptor promises that they do not. */
static void test_wrong_straight(void)
{
    gr_op op = blend;
    mistake = NO_MISTAKE;
    op.straight = true;
    const gr_sweep_options small = {.samples = &small_samples};
    for (int i = 0; i < 2; i++) {
        op.pull_tangent = i ? NULL : blend_pull_tangent;
        const gr_sweep_result r = sweep(&op, &small);
        CHECK(!r.passed && r.failures[0].cause == GR_SWEEP_STRAIGHT);
        CHECK_TEXT(r.failures[0].message, "the Hessian-vector product of operand 1 at ");
    }
    CHECK(sweep(find_op("mul"), &(gr_sweep_options){.samples = &anywhere}).passed);
    op = *find_op("mul");
    op.straight = true;
    const gr_sweep_result r = sweep(&op, &(gr_sweep_options){.samples = &anywhere});
    CHECK(!r.passed && r.failures[0].cause == GR_SWEEP_STRAIGHT && r.failed_by[GR_SWEEP_PULL_TANGENT] == 0);
}

static void test_mistakes_are_named(void)
{
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        const wrong *w = &mistakes[i];
        const int before = test_failures;
        mistake = w->mistake;
        const gr_sweep_options small = {.samples = w->op == &blend ? &small_samples : NULL};
        wants_large = w->mistake == RULE_LARGE || w->mistake == SHORT_COUNTER;
        const gr_sweep_result r = sweep(w->op, &small);
        wants_large = true;
        CHECK(!r.passed && r.status == GR_OK && r.failed > 0 && r.n_failures > 0);
        CHECK(r.failed_by[w->cause] > 0);
        CHECK(r.failures[0].cause == w->cause);
        CHECK_TEXT(r.failures[0].message, w->message);
        if (w->cause == GR_SWEEP_DERIVATIVE || w->cause == GR_SWEEP_SECOND_DERIVATIVE) {
            CHECK(!r.check.passed && r.check.worst.verdict == GR_CHECK_WRONG);
            CHECK(r.check.worst.error > r.check.worst.tolerance);
        }
        if (r.n_failures) check_place(w, &r.failures[0]);
        if (test_failures == before) continue;
        printf("  mistake %d, expected %s:\n", (int)w->mistake, gr_sweep_cause_name(w->cause));
        print(&r);
    }
    mistake = NO_MISTAKE;
}

/* A primitive without a rule fails where it is recorded, by name. */
static void test_recording_without_rule(void)
{
    wants_large = false;
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor p = gr_param(g, "p", GR_F64, GR_SHAPE(2), NULL);
    CHECK(!gr_is_valid(gr_apply(g, &plain, 1, &p, NULL)));
    CHECK(gr_graph_status(g) == GR_ERR_NOT_DIFFERENTIABLE);
    CHECK_TEXT(gr_graph_error(g), "plain: has no derivative rule");
    gr_graph_destroy(g);
    gr_op named = blend;
    named.name = "without a rule";
    named.vjp = NULL;
    named.pull = NULL;
    named.pull_tangent = NULL;
    const gr_sweep_result r = check_passes(&named, &(gr_sweep_options){.samples = &small_samples}, true, true,
                                           false);
    char text[GR_SWEEP_REPORT_BYTES];
    gr_sweep_report(&r, text, sizeof text);
    CHECK_TEXT(text, "sweep of without a rule passed: 39 samples in f32 and f64, ");
    CHECK_TEXT(text, "no derivatives");
    wants_large = true;
}

/* ---- Samples ---- */

static void test_sizes(void)
{
    int64_t size[8];
    int n = 0, zeros = 0, ones = 0, large = 0;
    for (; gr_sample_sizes(n, 3, NULL, size); n++) {
        zeros += size[0] == 0, ones += size[1] == 1, large += size[2] > 65536;
        CHECK(size[0] * size[1] * size[2] <= 300000);
    }
    CHECK(n == 12 && zeros == 2 && ones == 2 && large == 1);
    CHECK(gr_sample_sizes(0, 3, NULL, size) && size[0] != size[1] && size[1] != size[2] &&
          size[0] != size[2]);
    for (n = 0; gr_sample_sizes(n, 2, (int64_t[]){1, 3}, size); n++) CHECK(size[0] >= 1 && size[1] >= 3);
    CHECK(n >= 4);
    for (n = 0; gr_sample_sizes(n, 1, NULL, size);) n++;
    CHECK(n == 4);
    CHECK(!gr_sample_sizes(-1, 2, NULL, size) && !gr_sample_sizes(0, 0, NULL, size));
    CHECK(!gr_sample_sizes(0, 9, NULL, size) && !gr_sample_sizes(0, 2, NULL, NULL));
}

/* What the operands of a primitive were: the least and the largest, and how near to a point they came. */
static struct {
    double low, high, nearest_to_1;
    bool equal, whole;
    int64_t count;
} seen;

static gr_status watch_forward(const gr_call *c)
{
    for (int64_t i = 0; i < c->in[0]->count; i++) {
        const double x = c->in[0]->type == GR_I32 ? ((int32_t *)c->in[0]->data)[i] : at(c->in[0], i);
        seen.low = fmin(seen.low, x);
        seen.high = fmax(seen.high, x);
        seen.nearest_to_1 = fmin(seen.nearest_to_1, fabs(x - 1));
        seen.whole &= x == floor(x);
        for (int64_t j = 0; j < i && i < 1000 && c->in[0]->type == GR_F64; j++)
            seen.equal |= x == at(c->in[0], j);
        seen.count++;
    }
    memset(c->out->data, 0, (size_t)c->out->count * sizeof(int32_t));
    return GR_OK;
}
static gr_status watch_infer(const gr_call *c, gr_layout *out)
{
    out->type = GR_I32;
    out->ndim = c->in[0]->ndim;
    for (int i = 0; i < out->ndim; i++) out->dims[i] = c->in[0]->dims[i];
    return GR_OK;
}
static const gr_op watch = {.name = "watch", .arity = 1, .infer = watch_infer, .forward = watch_forward};

static void watch_samples(gr_domain domain)
{
    const gr_samples samples = {.elementwise = true, .domain = {domain}};
    memset(&seen, 0, sizeof seen);
    seen.low = seen.nearest_to_1 = INFINITY;
    seen.high = -INFINITY;
    seen.whole = true;
    const gr_sweep_result r = sweep(&watch, &(gr_sweep_options){.samples = &samples});
    CHECK(r.passed && seen.count > 70001);
    if (!r.passed) print(&r);
}

static void test_domains(void)
{
    watch_samples((gr_domain){.kind = GR_SAMPLE_REAL});
    CHECK(seen.low >= -2 && seen.low < -1.99 && seen.high < 2 && seen.high > 1.99 && seen.equal &&
          !seen.whole);
    watch_samples((gr_domain){.low = 0.1, .high = 0.2, .distinct = true});
    CHECK(seen.low >= 0.1 && seen.high < 0.2 && !seen.equal);
    watch_samples((gr_domain){.low = -3, .high = 5, .gap = 0.25, .n_kinks = 3, .kinks = {1.3, -3, 1}});
    CHECK(seen.low >= -2.75 && seen.high > 4.9 && seen.nearest_to_1 >= 0.2499 && seen.nearest_to_1 < 0.26);
    watch_samples((gr_domain){.kind = GR_SAMPLE_INDEX, .low = -2, .high = 3});
    CHECK(seen.low == -2 && seen.high == 2 && seen.whole);
}

static bool endless_make(int number, gr_sample *sample, void *attributes)
{
    (void)number, (void)attributes;
    sample->shape[0] = GR_SHAPE(1);
    return true;
}
static gr_sample asked;
static bool asked_make(int number, gr_sample *sample, void *attributes)
{
    (void)attributes;
    *sample = asked;
    return number == 0;
}

static void check_refused(const gr_op *op, const gr_samples *samples, const char *message)
{
    gr_sweep_result r;
    char text[GR_SWEEP_REPORT_BYTES];
    CHECK(gr_sweep(op, &(gr_sweep_options){.samples = samples}, &r) == GR_ERR_ARGUMENT);
    CHECK(!r.passed && r.status == GR_ERR_ARGUMENT);
    CHECK_TEXT(r.message, message);
    gr_sweep_report(&r, text, sizeof text);
    CHECK_TEXT(text, "not made: ");
}

static void check_asked(gr_sample sample, const char *message)
{
    const gr_samples samples = {.make = asked_make};
    asked = sample;
    check_refused(&watch, &samples, message);
}

static void test_bad_arguments(void)
{
    gr_sweep_result r;
    gr_op op = watch;
    const gr_samples neither = {.types = GR_SAMPLE_F64}, endless = {.make = endless_make};
    const gr_samples bad_types = {.elementwise = true, .types = 8},
                     bad_rounding = {.elementwise = true, .rounding = -1};
    CHECK(gr_sweep(&blend, NULL, NULL) == GR_ERR_ARGUMENT);
    check_refused(NULL, NULL, "NULL for the primitive");
    check_refused(&watch, NULL, "watch declares no samples");
    check_refused(&watch, &neither, "neither elementwise nor made");
    check_refused(&watch, &endless, "more than 1000");
    check_refused(&watch, &bad_types, "types or rounding");
    check_refused(&watch, &bad_rounding, "types or rounding");
    for (int i = 0; i < 3; i++) {
        op.tangent = (gr_tangent)(const int[]){3, 6, -1}[i];
        check_refused(&op, &anywhere, "the tangent of ");
    }
    op.tangent = GR_TANGENT_GENERAL;
    op.arity = 9;
    check_refused(&op, &anywhere, "9 operands");
    check_asked((gr_sample){.n = 2}, "another number of operands");
    check_asked((gr_sample){.n = 1, .shape = {{.ndim = 9}}}, "number of axes");
    check_asked((gr_sample){.n = 1, .shape = {{1, {-1}}}}, "impossible shape");
    check_asked((gr_sample){.n = 1, .domain = {{.low = 1, .high = 1}}}, "no values");
    check_asked((gr_sample){.n = 1, .domain = {{.low = 1, .high = 0}}}, "low <= high");
    check_asked((gr_sample){.n = 1, .domain = {{.low = NAN}}}, "low <= high");
    check_asked((gr_sample){.n = 1, .domain = {{.low = -1, .high = 1, .gap = 1}}}, "no values");
    check_asked((gr_sample){.n = 1, .domain = {{.n_kinks = 9}}}, "too many kinks");
    check_asked((gr_sample){.n = 1, .domain = {{.kind = GR_SAMPLE_INDEX}}}, "no values");
    check_asked((gr_sample){.n = 1, .domain = {{.kind = GR_SAMPLE_INDEX, .high = 1e10}}}, "i32");
    asked = (gr_sample){.n = 1, .shape = {{1, {1 << 23}}}};
    CHECK(gr_sweep(&watch, &(gr_sweep_options){.samples = &(gr_samples){.make = asked_make}}, &r) ==
          GR_ERR_ARGUMENT);
    CHECK(r.left_out == 1 && r.samples == 0);
    const gr_sweep_options fifth = {.check = {.order = 5}}, threads = {.graph = {.threads = -1}};
    CHECK(gr_sweep(&plain, &fifth, &r) == GR_ERR_ARGUMENT);
    CHECK_TEXT(r.message, "order: 1 to 4");
    CHECK(gr_sweep(&plain, &threads, &r) == GR_ERR_ARGUMENT);
    CHECK_TEXT(r.message, "options");
    const gr_sweep_options lame = {.graph = {.allocator = {.allocate = ledger_allocate}}};
    CHECK(gr_sweep(&plain, &lame, &r) == GR_ERR_ARGUMENT);
    CHECK(!strcmp(gr_sweep_cause_name(GR_SWEEP_PULL), "pull") &&
          !strcmp(gr_sweep_cause_name((gr_sweep_cause)99), "unknown cause"));
}

/* Values that the sample gives are used as they are. */
static void test_given_values(void)
{
    static const double given[] = {4, 1, 7, 4};
    asked = (gr_sample){.n = 1, .shape = {{2, {2, 2}}}, .values = {given}};
    memset(&seen, 0, sizeof seen);
    seen.low = INFINITY;
    const gr_sweep_result r = sweep(&watch,
                                    &(gr_sweep_options){.samples = &(gr_samples){.make = asked_make}});
    CHECK(r.passed && seen.low == 1 && seen.high == 7 && seen.equal);
}

/* A declared type must be taken; and the second order is not asked for where it is not wanted. */
static void test_options(void)
{
    const gr_samples both = {
        .make = pick_make, .domain = {{.kind = GR_SAMPLE_MASK}}, .types = GR_SAMPLE_F32 | GR_SAMPLE_F64};
    wants_large = false;
    gr_sweep_result r = sweep(&pick, &(gr_sweep_options){.samples = &both});
    CHECK(!r.passed && r.failed == r.failed_by[GR_SWEEP_ERROR] && r.failures[0].status == GR_ERR_TYPE);
    mistake = RULE_SECOND_ORDER;
    r = sweep(&blend, &(gr_sweep_options){.samples = &small_samples, .check = {.order = 1}});
    CHECK(r.passed && r.differentiable);
    r = sweep(&blend, &(gr_sweep_options){.samples = &small_samples});
    CHECK(!r.passed && r.failed == r.failed_by[GR_SWEEP_SECOND_DERIVATIVE]);
    mistake = NO_MISTAKE;
    wants_large = true;
}

/* ---- Results, memory ---- */

static void test_report(void)
{
    wants_large = false;
    mistake = RULE_FACTOR;
    const gr_sweep_options o = {.samples = &small_samples};
    const gr_sweep_result r = sweep(&blend, &o);
    mistake = NO_MISTAKE;
    char text[GR_SWEEP_REPORT_BYTES], part[100];
    const size_t length = gr_sweep_report(&r, text, sizeof text);
    CHECK(length == strlen(text) && gr_sweep_report(&r, NULL, 0) == length);
    memset(part, 'x', sizeof part);
    CHECK(gr_sweep_report(&r, part, sizeof part) == length);
    CHECK(strlen(part) == sizeof part - 1 && !strncmp(part, text, sizeof part - 1));
    CHECK_TEXT(text, "sweep of blend FAILED: 39 samples in f32 and f64, ");
    CHECK_TEXT(text,
               "  derivative: sample 0, f64, [2, 3] [2, 3], contiguous\n    order 1, by operand 1 at [");
    CHECK_TEXT(text, "analytic");
    CHECK(r.failed_by[GR_SWEEP_DERIVATIVE] > 2 && r.n_failures == 2); /* only the first of many are told */
    wants_large = true;
    CHECK(gr_sweep_report(NULL, text, sizeof text) == 0 && text[0] == '\0');
}

static void test_deterministic(void)
{
    wants_large = false;
    gr_sweep_result a, b;
    mistake = PULL_FACTOR;
    const gr_sweep_options one = {.samples = &small_samples, .graph = {.seed = 3}};
    gr_sweep_options two = one;
    two.graph.threads = 3;
    gr_sweep(&blend, &one, &a);
    gr_sweep(&blend, &two, &b);
    mistake = NO_MISTAKE;
    wants_large = true;
    CHECK(a.comparisons == b.comparisons && a.failed == b.failed && a.n_failures == b.n_failures);
    CHECK(a.n_failures > 0 && !strcmp(a.failures[0].message, b.failures[0].message));
    CHECK(a.check.worst.analytic == b.check.worst.analytic);
}

static bool tiny_make(int number, gr_sample *sample, void *attributes)
{
    (void)attributes;
    sample->shape[0] = GR_SHAPE(9);
    return number == 0;
}

/* Each allocation fails in turn, and a limit is reached: the sweep ends with that, and nothing leaks. */
static void test_memory(void)
{
    const gr_samples tiny = {.make = tiny_make, .types = GR_SAMPLE_F64};
    bool failed = true;
    for (int after = 0; after < 2; after++) {
        long n = 1;
        for (failed = true; failed; n++) {
            ledger books = {.fail_at = n, .fail_after = after};
            const gr_sweep_options o = {.samples = &tiny,
                                        .graph = {.allocator = {ledger_allocate, ledger_deallocate, &books}}};
            gr_sweep_result r;
            const gr_status status = gr_sweep(find_op("tanh"), &o, &r);
            failed = books.failed > 0;
            /* One failure may be made good by giving back what is pooled. */
            CHECK(status == GR_ERR_MEMORY || (status == GR_OK && r.passed && !(failed && after)));
            CHECK(status == GR_OK || r.message[0]);
            CHECK(ledger_balances(&books));
        }
        CHECK(n > 10);
    }
    gr_sweep_result r;
    const gr_sweep_options o = {.samples = &anywhere, .graph = {.byte_limit = 1 << 20}};
    CHECK(gr_sweep(find_op("tanh"), &o, &r) == GR_ERR_LIMIT);
    CHECK(!r.passed && r.status == GR_ERR_LIMIT && r.samples > 5);
    CHECK_TEXT(r.message, "sample ");
}

int main(void)
{
    RUN(test_right_ones_pass);
    RUN(test_primitives_pass);
    RUN(test_mistakes_are_named);
    RUN(test_wrong_tangents);
    RUN(test_wrong_straight);
    RUN(test_recording_without_rule);
    RUN(test_sizes);
    RUN(test_domains);
    RUN(test_bad_arguments);
    RUN(test_given_values);
    RUN(test_options);
    RUN(test_report);
    RUN(test_deterministic);
    RUN(test_memory);
    return TEST_EXIT;
}
