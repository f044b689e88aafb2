/*
 * The table of primitives. Each row says how a primitive is used, what it computes, in plain C on doubles,
 * and on which operands; from that come, for every case and every layout of the operands (contiguous,
 * transposed, sliced with a step, reversed, expanded):
 *
 *   forward in f64 and f32 (and i32 where there is one) against the formula; shape and type of the result;
 *   the result does not depend on the layout, and the operands are not modified;
 *   first and second derivatives against differences, in f64;
 *   tangents as the descriptor says they go, against the general way and against the rule.
 *
 * A registered primitive without a row fails, and so does a row that does not use its primitive. Adding a
 * primitive is adding a row.
 */
#include "test.h"
#include "gradus.h"
#include "graph/graph.h"

#include <float.h>
#include <inttypes.h>
#include <stdlib.h>

enum { MOST_ELEMENTS = 2400, MOST_OPERANDS = 3, FULLY_CHECKED = 64, SAMPLED = 3 };

/* ---- Arrays of the test, independent of tensors: row-major doubles ---- */

typedef struct array {
    gr_shape shape;
    double v[MOST_ELEMENTS];
} array;

static int64_t count_of(gr_shape s)
{
    int64_t n = 1;
    for (int i = 0; i < s.ndim; i++) n *= s.dims[i];
    return n;
}

/* Multi-index of an element, and back. */
static void index_of(gr_shape s, int64_t element, int64_t *index)
{
    for (int i = s.ndim - 1; i >= 0; i--) {
        index[i] = element % s.dims[i];
        element /= s.dims[i];
    }
}

static int64_t element_of(gr_shape s, const int64_t *index)
{
    int64_t element = 0;
    for (int i = 0; i < s.ndim; i++) element = element * s.dims[i] + index[i];
    return element;
}

/* The element of x that broadcasting puts at `index` of a shape of `ndim` axes. */
static double broadcast_at(const array *x, int ndim, const int64_t *index)
{
    int64_t own[GR_MAX_NDIM];
    for (int i = 0; i < x->shape.ndim; i++)
        own[i] = x->shape.dims[i] == 1 ? 0 : index[i + ndim - x->shape.ndim];
    return x->v[element_of(x->shape, own)];
}

static gr_shape broadcast_shape(int n, const array *x)
{
    gr_shape s = {.ndim = 0};
    for (int k = 0; k < n; k++)
        if (x[k].shape.ndim > s.ndim) s.ndim = x[k].shape.ndim;
    for (int i = 0; i < s.ndim; i++) {
        s.dims[i] = 1;
        for (int k = 0; k < n; k++) {
            const int own = i - (s.ndim - x[k].shape.ndim);
            if (own >= 0 && x[k].shape.dims[own] != 1) s.dims[i] = x[k].shape.dims[own];
        }
    }
    return s;
}

/* ---- Rows and cases ---- */

/* Shapes of operands, and what the primitive needs besides. */
typedef struct test_case {
    gr_shape shape[MOST_OPERANDS];
    gr_axes axes;
    bool keepdims;
    int axis;
    int64_t start, stop, step; /* of a slice */
    int64_t size;              /* positions of an index lie in [low, size) */
    int64_t low;
    double number;
    gr_shape to;
} test_case;

typedef struct row row;
struct row {
    const char *name;
    const char *operands; /* one letter each: f a float, i an index, m a mask */
    const test_case *cases;
    /* How it is used: one of these. */
    gr_tensor (*unary)(gr_tensor x);
    gr_tensor (*binary)(gr_tensor a, gr_tensor b);
    gr_tensor (*build)(gr_graph *g, const gr_tensor *x, const test_case *c, gr_type type);
    /* What it computes: `expect` fills in shape and values; the formulas are for those that need them. */
    void (*expect)(const row *r, const test_case *c, int n, const array *x, array *y);
    double (*formula1)(double x);
    double (*formula2)(double a, double b);
    double (*fold)(const double *x, int64_t n);
    /* Values of operands: distinct numbers in [low, high), none in (-gap, gap). 0, 0: [-2, 2). */
    double low, high, gap;
    bool whole;                     /* whole numbers in [-2, 2], so that there are ties */
    bool integers;                  /* has i32 as well */
    bool needs_elements;            /* cannot reduce nothing */
    const char *not_differentiable; /* why; NULL: it is differentiable */
    gr_type result;                 /* type of the result if `typed` */
    bool typed;
    double layout_tolerance; /* in units of eps max(1, |y|); 0: 1 */
};

typedef enum layout { CONTIGUOUS, TRANSPOSED, STEPPED, REVERSED, EXPANDED, LAYOUTS } layout;
static const char *const layout_names[] = {"contiguous", "transposed", "stepped", "reversed", "expanded"};

#define OF(...) .shape = {__VA_ARGS__}
#define END               \
    {                     \
        .axis = INT32_MIN \
    }
#define IS_END(C) ((C)->axis == INT32_MIN)
#define S(...)                                           \
    {                                                    \
        GR_COUNT_(int64_t, __VA_ARGS__), { __VA_ARGS__ } \
    }
#define S0       \
    {            \
        0, { 0 } \
    }
#define AXES(...)                                    \
    {                                                \
        GR_COUNT_(int, __VA_ARGS__), { __VA_ARGS__ } \
    }
#define ALL       \
    {             \
        -1, { 0 } \
    }

static const test_case unary_cases[] = {
    {OF(S0)},      {OF(S(0))},       {OF(S(2, 0, 3))}, {OF(S(1))},      {OF(S(1, 1))}, {OF(S(5))},
    {OF(S(3, 4))}, {OF(S(2, 3, 4))}, {OF(S(1, 3, 1))}, {OF(S(33, 65))}, END,
};
static const test_case number_cases[] = {
    {OF(S0), .number = 3},
    {OF(S(0)), .number = 2},
    {OF(S(1)), .number = -1},
    {OF(S(3, 4)), .number = 2},
    {OF(S(5)), .number = 0},
    {OF(S(3, 4)), .number = 1},
    {OF(S(7)), .number = -0.5},
    {OF(S(33, 65)), .number = 2.5},
    {OF(S(2, 3)), .number = 3},
    {OF(S(3, 2)), .number = -2},
    END,
};
static const test_case binary_cases[] = {
    {OF(S0, S0)},
    {OF(S(3), S(3))},
    {OF(S0, S(4))},
    {OF(S(4), S0)},
    {OF(S(3, 1), S(1, 4))},
    {OF(S(2, 3, 4), S(3, 1))},
    {OF(S(1), S(5))},
    {OF(S(0), S(1))},
    {OF(S(0, 3), S(3))},
    {OF(S(2, 1), S(1, 0))},
    {OF(S(1, 1), S(1))},
    {OF(S(2, 1, 3), S(4, 1))},
    {OF(S(3, 4), S(3, 4))},
    {OF(S(13, 20), S(20))},
    {OF(S(13, 20), S(13, 1))},
    END,
};
static const test_case where_cases[] = {
    {OF(S0, S0, S0)},
    {OF(S(3, 4), S(3, 4), S(3, 4))},
    {OF(S(4), S(3, 1), S0)},
    {OF(S(0), S(1), S(0))},
    {OF(S(2, 3, 1), S(1), S(3, 4))},
    {OF(S(1), S(1), S(1))},
    {OF(S(30, 20), S(20), S(30, 1))},
    END,
};
static const test_case reduction_cases[] = {
    {OF(S0), .axes = ALL},
    {OF(S(1)), .axes = ALL},
    {OF(S(5)), .axes = AXES(0)},
    {OF(S(5)), .axes = ALL, .keepdims = true},
    {OF(S(0)), .axes = ALL},
    {OF(S(0, 3)), .axes = AXES(1)},
    {OF(S(3, 0)), .axes = AXES(0), .keepdims = true},
    {OF(S(2, 0)), .axes = AXES(1)},
    {OF(S(1, 1)), .axes = AXES(0)},
    {OF(S(3, 4)), .axes = AXES(0)},
    {OF(S(3, 4)), .axes = AXES(1), .keepdims = true},
    {OF(S(3, 4)), .axes = ALL},
    {OF(S(3, 4)), .axes = {0, {0}}},
    {OF(S(2, 3, 4)), .axes = AXES(0, -1)},
    {OF(S(2, 3, 4)), .axes = AXES(1), .keepdims = true},
    {OF(S(2, 3, 2, 2)), .axes = AXES(-2, 0)},
    {OF(S(33, 65)), .axes = AXES(0)},
    {OF(S(33, 65)), .axes = AXES(1)},
    {OF(S(33, 65)), .axes = ALL},
    END,
};
static const test_case along_cases[] = {
    {OF(S(1)), .axis = 0},       {OF(S(5)), .axis = -1},      {OF(S(0)), .axis = 0},
    {OF(S(3, 0)), .axis = 1},    {OF(S(3, 0)), .axis = 0},    {OF(S(3, 4)), .axis = 1},
    {OF(S(3, 4)), .axis = 0},    {OF(S(2, 3, 4)), .axis = 1}, {OF(S(4, 1)), .axis = -1},
    {OF(S(17, 33)), .axis = -1}, {OF(S(17, 33)), .axis = 0},  END,
};
static const test_case matmul_cases[] = {
    {OF(S(2, 3), S(3, 4))},
    {OF(S(3), S(3, 4))},
    {OF(S(2, 3), S(3))},
    {OF(S(3), S(3))},
    {OF(S(1, 1), S(1, 1))},
    {OF(S(1), S(1))},
    {OF(S(5, 2, 3), S(5, 3, 4))},
    {OF(S(5, 2, 3), S(3, 4))},
    {OF(S(2, 3), S(4, 3, 2))},
    {OF(S(2, 1, 2, 3), S(3, 3, 2))},
    {OF(S(0, 3), S(3, 2))},
    {OF(S(2, 0), S(0, 3))},
    {OF(S(0, 2, 3), S(3, 2))},
    {OF(S(0), S(0))},
    {OF(S(2, 3), S(3, 0))},
    {OF(S(17, 33), S(33, 19))},
    {OF(S(3), S(2, 3, 2))},
    {OF(S(2, 2, 3), S(3))},
    END,
};
static const test_case reshape_cases[] = {
    {OF(S0), .to = S(1, 1)},          {OF(S(1)), .to = S0},
    {OF(S(6)), .to = S(2, 3)},        {OF(S(2, 3)), .to = S(6)},
    {OF(S(3, 4)), .to = S(2, -1, 3)}, {OF(S(2, 3, 4)), .to = S(4, 6)},
    {OF(S(0)), .to = S(3, 0)},        {OF(S(2, 0)), .to = S(0)},
    {OF(S(3, 4)), .to = S(3, 1, 4)},  {OF(S(30, 40)), .to = S(24, 50)},
    {OF(S(2, 3)), .to = S(2, 3)},     END,
};
static const test_case permute_cases[] = {
    {OF(S0), .axes = {0, {0}}},
    {OF(S(3)), .axes = AXES(0)},
    {OF(S(3, 4)), .axes = AXES(1, 0)},
    {OF(S(2, 3, 4)), .axes = AXES(1, 2, 0)},
    {OF(S(2, 3, 4)), .axes = AXES(-1, 0, 1)},
    {OF(S(2, 0)), .axes = AXES(1, 0)},
    {OF(S(1, 1)), .axes = AXES(1, 0)},
    {OF(S(33, 65)), .axes = AXES(1, 0)},
    {OF(S(2, 1, 3)), .axes = AXES(2, 1, 0)},
    END,
};
static const test_case slice_cases[] = {
    {OF(S(5)), .start = 1, .stop = 4, .step = 1},
    {OF(S(5)), .start = 0, .stop = 5, .step = 2},
    {OF(S(5)), .start = 4, .stop = 0, .step = -2},
    {OF(S(5)), .start = 3, .stop = 3, .step = 1},
    {OF(S(1)), .start = 0, .stop = 1, .step = 3},
    {OF(S(0)), .start = 0, .stop = 0, .step = 1},
    {OF(S(3, 4)), .axis = 1, .start = 1, .stop = 3, .step = 1},
    {OF(S(3, 4)), .axis = 0, .start = 2, .stop = 0, .step = -1},
    {OF(S(2, 3, 4)), .axis = 1, .start = 0, .stop = 3, .step = 2},
    {OF(S(33, 65)), .axis = 1, .start = 60, .stop = 3, .step = -7},
    END,
};
static const test_case expand_cases[] = {
    {OF(S0), .to = S(3)},
    {OF(S0), .to = S0},
    {OF(S(1)), .to = S(4)},
    {OF(S(3, 1)), .to = S(3, 4)},
    {OF(S(1, 4)), .to = S(2, 3, 4)},
    {OF(S(1)), .to = S(0)},
    {OF(S(0)), .to = S(2, 0)},
    {OF(S(3)), .to = S(3)},
    {OF(S(1, 1)), .to = S(30, 20)},
    END,
};
static const test_case sum_to_cases[] = {
    {OF(S(3)), .to = S0},
    {OF(S(3, 4)), .to = S(4)},
    {OF(S(3, 4)), .to = S(3, 1)},
    {OF(S(2, 3, 4)), .to = S(3, 1)},
    {OF(S(2, 3)), .to = S(2, 3)},
    {OF(S0), .to = S0},
    {OF(S(0, 3)), .to = S(3)},
    {OF(S(0)), .to = S(1)},
    {OF(S(2, 0)), .to = S(1, 0)},
    {OF(S(33, 65)), .to = S(65)},
    {OF(S(33, 65)), .to = S(33, 1)},
    END,
};
static const test_case concat_cases[] = {
    {OF(S(2), S(3), S(1)), .axis = 0},
    {OF(S(2, 3), S(2, 1), S(2, 2)), .axis = 1},
    {OF(S(2, 3), S(0, 3), S(1, 3)), .axis = -2},
    {OF(S(0), S(0), S(0)), .axis = 0},
    {OF(S(2, 1, 2), S(2, 2, 2), S(2, 1, 2)), .axis = 1},
    {OF(S(20, 30), S(20, 3), S(20, 1)), .axis = -1},
    END,
};
static const test_case index_select_cases[] = {
    {OF(S(4), S(6)), .axis = 0, .low = -4, .size = 4},
    {OF(S(4), S0), .axis = 0, .low = -4, .size = 4},
    {OF(S(3, 4), S(2, 2)), .axis = 1, .low = -4, .size = 4},
    {OF(S(3, 4), S(5)), .axis = -2, .low = -3, .size = 3},
    {OF(S(2, 3, 2), S(2)), .axis = 1, .low = -3, .size = 3},
    {OF(S(3), S(0)), .axis = 0, .low = -3, .size = 3},
    {OF(S(0, 3), S(2)), .axis = 1, .low = -3, .size = 3},
    {OF(S(1), S(1)), .axis = 0, .low = -1, .size = 1},
    {OF(S(20, 30), S(40)), .axis = 0, .low = -20, .size = 20},
    END,
};
static const test_case index_add_cases[] = {
    {OF(S(6), S(6)), .axis = 0, .low = -4, .size = 4},
    {OF(S0, S0), .axis = 0, .low = -4, .size = 4},
    {OF(S(3, 2, 2), S(2, 2)), .axis = 1, .low = -5, .size = 5},
    {OF(S(2, 3), S(2)), .axis = -2, .low = -3, .size = 3},
    {OF(S(2, 4, 2), S(4)), .axis = 1, .low = -3, .size = 3},
    {OF(S(0), S(0)), .axis = 0, .low = -3, .size = 3},
    {OF(S(1), S(1)), .axis = 0, .low = -1, .size = 1},
    {OF(S(40, 30), S(40)), .axis = 0, .low = -20, .size = 20},
    END,
};
static const test_case gather_cases[] = {
    {OF(S(4), S(6)), .axis = 0, .low = -4, .size = 4},
    {OF(S(3, 4), S(3, 2)), .axis = 1, .low = -4, .size = 4},
    {OF(S(3, 4), S(5, 4)), .axis = -2, .low = -3, .size = 3},
    {OF(S(2, 3, 2), S(2, 1, 2)), .axis = 1, .low = -3, .size = 3},
    {OF(S(3), S(0)), .axis = 0, .low = -3, .size = 3},
    {OF(S(0, 3), S(0, 2)), .axis = 1, .low = -3, .size = 3},
    {OF(S(1), S(1)), .axis = 0, .low = -1, .size = 1},
    {OF(S(20, 30), S(20, 1)), .axis = 1, .low = -30, .size = 30},
    END,
};
static const test_case scatter_add_cases[] = {
    {OF(S(6), S(6)), .axis = 0, .low = -4, .size = 4},
    {OF(S(3, 2), S(3, 2)), .axis = 1, .low = -4, .size = 4},
    {OF(S(5, 4), S(5, 4)), .axis = -2, .low = -3, .size = 3},
    {OF(S(2, 3, 2), S(2, 3, 2)), .axis = 1, .low = -2, .size = 2},
    {OF(S(0), S(0)), .axis = 0, .low = -3, .size = 3},
    {OF(S(1), S(1)), .axis = 0, .low = -1, .size = 1},
    {OF(S(20, 30), S(20, 30)), .axis = 1, .low = -10, .size = 10},
    END,
};
static const test_case one_hot_cases[] = {
    {OF(S0), .low = 0, .size = 3},
    {OF(S(4)), .low = 0, .size = 3},
    {OF(S(2, 3)), .low = 0, .size = 4},
    {OF(S(0)), .low = 0, .size = 3},
    {OF(S(1)), .low = 0, .size = 1},
    {OF(S(100)), .low = 0, .size = 10},
    END,
};
static const test_case creation_cases[] = {
    {.to = S0}, {.to = S(0)}, {.to = S(1)}, {.to = S(7)}, {.to = S(3, 4)}, {.to = S(20, 31)}, END,
};

/* ---- What primitives compute ---- */

static void expect_elementwise(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)c;
    y->shape = broadcast_shape(n, x);
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        int64_t index[GR_MAX_NDIM];
        index_of(y->shape, e, index);
        const double a = broadcast_at(&x[0], y->shape.ndim, index);
        y->v[e] = r->formula1 ? r->formula1(a) : r->formula2(a, broadcast_at(&x[1], y->shape.ndim, index));
    }
}

static void expect_number(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)n;
    y->shape = x->shape;
    for (int64_t e = 0; e < count_of(y->shape); e++) y->v[e] = r->formula2(x->v[e], c->number);
}

static void expect_where(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)c;
    y->shape = broadcast_shape(n, x);
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        int64_t index[GR_MAX_NDIM];
        index_of(y->shape, e, index);
        y->v[e] = broadcast_at(&x[broadcast_at(&x[0], y->shape.ndim, index) != 0 ? 1 : 2], y->shape.ndim,
                               index);
    }
}

static bool is_reduced(gr_axes axes, int axis, int ndim)
{
    for (int i = 0; i < axes.n; i++)
        if (axes.axis[i] == axis || axes.axis[i] + ndim == axis) return true;
    return axes.n < 0;
}

/* Applies r->fold to each group of elements that end up in one. */
static void expect_fold(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)n;
    const gr_shape s = x->shape;
    gr_shape full = s; /* of the result, with the reduced axes */
    y->shape.ndim = 0;
    for (int i = 0; i < s.ndim; i++) {
        const bool reduced = is_reduced(c->axes, i, s.ndim);
        if (reduced) full.dims[i] = 1;
        if (!reduced || c->keepdims) y->shape.dims[y->shape.ndim++] = full.dims[i];
    }
    for (int64_t out = 0; out < count_of(full); out++) {
        double group[MOST_ELEMENTS];
        int64_t members = 0;
        for (int64_t e = 0; e < count_of(s); e++) {
            int64_t index[GR_MAX_NDIM];
            index_of(s, e, index);
            for (int i = 0; i < s.ndim; i++)
                if (full.dims[i] == 1) index[i] = 0;
            if (element_of(full, index) == out) group[members++] = x->v[e];
        }
        y->v[out] = r->fold(group, members);
    }
}

/* y_i = formula2(x_i, sum over the axis of e^x). */
static void expect_along(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)n;
    const gr_shape s = y->shape = x->shape;
    const int axis = c->axis < 0 ? c->axis + s.ndim : c->axis;
    for (int64_t e = 0; e < count_of(s); e++) {
        int64_t index[GR_MAX_NDIM];
        index_of(s, e, index);
        double sum = 0;
        for (index[axis] = 0; index[axis] < s.dims[axis]; index[axis]++)
            sum += exp(x->v[element_of(s, index)]);
        y->v[e] = r->formula2(x->v[e], sum);
    }
}

static void expect_matmul(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)c, (void)n;
    static array lead[2];
    const bool row_vector = x[0].shape.ndim == 1, column = x[1].shape.ndim == 1;
    gr_shape a = x[0].shape, b = x[1].shape;
    if (row_vector) a = (gr_shape)S(1, x[0].shape.dims[0]);
    if (column) b = (gr_shape)S(x[1].shape.dims[0], 1);
    lead[0].shape = a, lead[1].shape = b;
    lead[0].shape.ndim -= 2, lead[1].shape.ndim -= 2;
    gr_shape full = broadcast_shape(2, lead);
    const int at = full.ndim;
    full.dims[full.ndim++] = a.dims[a.ndim - 2];
    full.dims[full.ndim++] = b.dims[b.ndim - 1];
    for (int64_t e = 0; e < count_of(full); e++) {
        int64_t index[GR_MAX_NDIM], ia[GR_MAX_NDIM], ib[GR_MAX_NDIM];
        index_of(full, e, index);
        for (int i = 0; i < a.ndim - 2; i++) ia[i] = a.dims[i] == 1 ? 0 : index[i + full.ndim - a.ndim];
        for (int i = 0; i < b.ndim - 2; i++) ib[i] = b.dims[i] == 1 ? 0 : index[i + full.ndim - b.ndim];
        ia[a.ndim - 2] = index[at];
        ib[b.ndim - 1] = index[at + 1];
        y->v[e] = 0;
        for (int64_t k = 0; k < a.dims[a.ndim - 1]; k++) {
            ia[a.ndim - 1] = ib[b.ndim - 2] = k;
            y->v[e] += x[0].v[element_of(a, ia)] * x[1].v[element_of(b, ib)];
        }
    }
    y->shape.ndim = 0;
    for (int i = 0; i < full.ndim; i++)
        if (!(row_vector && i == at) && !(column && i == at + 1))
            y->shape.dims[y->shape.ndim++] = full.dims[i];
}

static void expect_same(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)c, (void)n;
    *y = *x;
}

static void expect_reshape(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    *y = *x;
    y->shape = c->to;
    int64_t known = 1;
    for (int i = 0; i < c->to.ndim; i++)
        if (c->to.dims[i] != -1) known *= c->to.dims[i];
    for (int i = 0; i < c->to.ndim; i++)
        if (c->to.dims[i] == -1) y->shape.dims[i] = count_of(x->shape) / known;
}

static void expect_permute(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    const int ndim = y->shape.ndim = x->shape.ndim;
    int from[GR_MAX_NDIM];
    for (int i = 0; i < ndim; i++) {
        from[i] = c->axes.axis[i] < 0 ? c->axes.axis[i] + ndim : c->axes.axis[i];
        y->shape.dims[i] = x->shape.dims[from[i]];
    }
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        int64_t index[GR_MAX_NDIM], source[GR_MAX_NDIM];
        index_of(y->shape, e, index);
        for (int i = 0; i < ndim; i++) source[from[i]] = index[i];
        y->v[e] = x->v[element_of(x->shape, source)];
    }
}

static int64_t slice_length(const test_case *c)
{
    int64_t length = 0;
    for (int64_t i = c->start; c->step > 0 ? i < c->stop : i > c->stop; i += c->step) length++;
    return length;
}

static void expect_slice(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    y->shape = x->shape;
    y->shape.dims[c->axis] = slice_length(c);
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        int64_t index[GR_MAX_NDIM];
        index_of(y->shape, e, index);
        index[c->axis] = c->start + index[c->axis] * c->step;
        y->v[e] = x->v[element_of(x->shape, index)];
    }
}

/* The operand has the shape of the case with the axis replaced: it is the cotangent of a slice. */
static void expect_slice_backward(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    y->shape = c->shape[0];
    memset(y->v, 0, (size_t)count_of(y->shape) * sizeof *y->v);
    for (int64_t e = 0; e < count_of(x->shape); e++) {
        int64_t index[GR_MAX_NDIM];
        index_of(x->shape, e, index);
        index[c->axis] = c->start + index[c->axis] * c->step;
        y->v[element_of(y->shape, index)] = x->v[e];
    }
}

static void expect_expand(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    y->shape = c->to;
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        int64_t index[GR_MAX_NDIM];
        index_of(y->shape, e, index);
        y->v[e] = broadcast_at(x, y->shape.ndim, index);
    }
}

static void expect_sum_to(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    y->shape = c->to;
    memset(y->v, 0, (size_t)count_of(y->shape) * sizeof *y->v);
    for (int64_t e = 0; e < count_of(x->shape); e++) {
        int64_t index[GR_MAX_NDIM], own[GR_MAX_NDIM];
        index_of(x->shape, e, index);
        for (int i = 0; i < c->to.ndim; i++)
            own[i] = c->to.dims[i] == 1 ? 0 : index[i + x->shape.ndim - c->to.ndim];
        y->v[element_of(c->to, own)] += x->v[e];
    }
}

static void expect_concat(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r;
    const int axis = c->axis < 0 ? c->axis + x->shape.ndim : c->axis;
    y->shape = x->shape;
    for (int k = 1; k < n; k++) y->shape.dims[axis] += x[k].shape.dims[axis];
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        int64_t index[GR_MAX_NDIM];
        index_of(y->shape, e, index);
        int k = 0;
        for (; index[axis] >= x[k].shape.dims[axis]; k++) index[axis] -= x[k].shape.dims[axis];
        y->v[e] = x[k].v[element_of(x[k].shape, index)];
    }
}

/* Where element `e` of the side that has the index's shape is on the other side. select: whole slices. */
static int64_t indexed(const test_case *c, const array *x, bool select, gr_shape from, int64_t e, gr_shape to)
{
    int64_t index[GR_MAX_NDIM], other[GR_MAX_NDIM], position[GR_MAX_NDIM];
    const int axis = c->axis < 0 ? c->axis + to.ndim : c->axis, wide = x[1].shape.ndim;
    index_of(from, e, index);
    for (int i = 0; i < to.ndim; i++)
        other[i] = index[!select || i < axis ? i : i + wide - 1 < 0 ? 0 : i + wide - 1];
    for (int i = 0; i < wide; i++) position[i] = index[select ? axis + i : i];
    const int64_t at = (int64_t)x[1].v[element_of(x[1].shape, position)];
    other[axis] = at < 0 ? at + c->size : at;
    return element_of(to, other);
}

static void expect_take(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)n;
    const bool select = r->name[0] == 'i';
    const int ndim = x->shape.ndim, axis = c->axis < 0 ? c->axis + ndim : c->axis;
    y->shape = x[1].shape;
    if (select) {
        y->shape.ndim = 0;
        for (int i = 0; i < axis; i++) y->shape.dims[y->shape.ndim++] = x->shape.dims[i];
        for (int i = 0; i < x[1].shape.ndim; i++) y->shape.dims[y->shape.ndim++] = x[1].shape.dims[i];
        for (int i = axis + 1; i < ndim; i++) y->shape.dims[y->shape.ndim++] = x->shape.dims[i];
    }
    for (int64_t e = 0; e < count_of(y->shape); e++)
        y->v[e] = x->v[indexed(c, x, select, y->shape, e, x->shape)];
}

static void expect_put(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)n;
    const bool select = r->name[0] == 'i';
    const int wide = select ? x[1].shape.ndim : 1, ndim = x->shape.ndim - wide + 1;
    const int axis = c->axis < 0 ? c->axis + ndim : c->axis;
    y->shape.ndim = ndim;
    for (int i = 0; i < ndim; i++)
        y->shape.dims[i] = i < axis ? x->shape.dims[i] : i == axis ? c->size : x->shape.dims[i + wide - 1];
    memset(y->v, 0, (size_t)count_of(y->shape) * sizeof *y->v);
    for (int64_t e = 0; e < count_of(x->shape); e++)
        y->v[indexed(c, x, select, x->shape, e, y->shape)] += x->v[e];
}

static void expect_one_hot(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    y->shape = x->shape;
    y->shape.dims[y->shape.ndim++] = c->size;
    for (int64_t e = 0; e < count_of(y->shape); e++) y->v[e] = x->v[e / c->size] == (double)(e % c->size);
}

/* ---- Random numbers, written down a second time: Philox 4x32-10 ---- */

enum { RANDOM_SEED = 77 };

static void philox(uint64_t seed, uint64_t block, uint64_t out[2])
{
    uint32_t c[4] = {(uint32_t)block, (uint32_t)(block >> 32), 0, 0}, k0 = (uint32_t)seed,
             k1 = (uint32_t)(seed >> 32);
    for (int i = 0; i < 10; i++) {
        const uint64_t p = (uint64_t)0xD2511F53u * c[0], q = (uint64_t)0xCD9E8D57u * c[2];
        const uint32_t next[4] = {(uint32_t)(q >> 32) ^ c[1] ^ k0, (uint32_t)q,
                                  (uint32_t)(p >> 32) ^ c[3] ^ k1, (uint32_t)p};
        memcpy(c, next, sizeof c);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int i = 0; i < 2; i++) out[i] = (uint64_t)c[2 * i] << 32 | c[2 * i + 1];
}

/* Number i of the uniform stream. */
static double uniform_number(int64_t i)
{
    uint64_t words[2];
    philox(RANDOM_SEED, (uint64_t)i / 2, words);
    return (double)(words[i % 2] >> 11) / 9007199254740992.0;
}

static double normal_number(int64_t i)
{
    const double u = uniform_number(i / 2 * 2), v = uniform_number(i / 2 * 2 + 1), pi = acos(-1);
    return sqrt(-2 * log(1 - u)) * (i % 2 ? sin(2 * pi * v) : cos(2 * pi * v));
}

/* formula1 of the element's number. */
static void expect_creation(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)n, (void)x;
    y->shape = c->to;
    if (!strcmp(r->name, "arange")) y->shape = (gr_shape)S(count_of(c->to));
    for (int64_t e = 0; e < count_of(y->shape); e++) y->v[e] = r->formula1((double)e);
}

/* ---- Formulas ---- */

static double f_add(double a, double b) { return a + b; }
static double f_sub(double a, double b) { return a - b; }
static double f_mul(double a, double b) { return a * b; }
static double f_div(double a, double b) { return a / b; }
static double f_mul_scaled(double a, double b) { return 2.5 * a * b; }
static double f_neg(double x) { return -x; }
static double f_square(double x) { return x * x; }
static double f_sign(double x) { return (x > 0) - (x < 0); }
static double f_relu(double x) { return x > 0 ? x : 0; }
static double f_sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double f_softplus(double x) { return log(1 + exp(x)); }
static double f_equal(double a, double b) { return a == b; }
static double f_not_equal(double a, double b) { return a != b; }
static double f_less(double a, double b) { return a < b; }
static double f_less_equal(double a, double b) { return a <= b; }
static double f_greater(double a, double b) { return a > b; }
static double f_greater_equal(double a, double b) { return a >= b; }
static double f_softmax(double x, double sum) { return exp(x) / sum; }
static double f_log_softmax(double x, double sum) { return log(exp(x) / sum); }
static double f_full(double i) { return i * 0 + 2.5; }
static double f_arange(double i) { return 1.5 - 0.25 * i; }
static double f_uniform(double i) { return -1 + 4 * uniform_number((int64_t)i); }
static double f_normal(double i) { return 0.5 + 2 * normal_number((int64_t)i); }
static double f_bernoulli(double i) { return uniform_number((int64_t)i) < 0.3; }

static double fold_sum(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum;
}
static double fold_mean(const double *x, int64_t n) { return fold_sum(x, n) / (double)n; }
static double fold_max(const double *x, int64_t n)
{
    double most = x[0];
    for (int64_t i = 1; i < n; i++) most = fmax(most, x[i]);
    return most;
}
static double fold_logsumexp(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += exp(x[i]);
    return log(sum);
}

static double fold_norm(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
    return sqrt(sum);
}

/* ---- Uses ---- */

static const gr_op *find_op(const char *name)
{
    for (const gr_op *const *p = gr_primitives(); *p; p++)
        if (!strcmp((*p)->name, name)) return *p;
    return NULL;
}

#define BUILD(NAME, EXPRESSION)                                                              \
    static gr_tensor NAME(gr_graph *g, const gr_tensor *x, const test_case *c, gr_type type) \
    {                                                                                        \
        (void)g, (void)x, (void)c, (void)type;                                               \
        return EXPRESSION;                                                                   \
    }
BUILD(b_scale, gr_scale(x[0], c->number))
BUILD(b_mul_scaled, gr_apply(g, find_op("mul_scaled"), 2, x, &(double){2.5}))
BUILD(b_add_scalar, gr_add_scalar(x[0], c->number))
BUILD(b_pow_scalar, gr_pow_scalar(x[0], c->number))
BUILD(b_detach, gr_detach(x[0]))
BUILD(b_matmul, gr_matmul(x[0], x[1]))
BUILD(b_where, gr_where(x[0], x[1], x[2]))
BUILD(b_sum, gr_sum(x[0], c->axes, c->keepdims))
BUILD(b_mean, gr_mean(x[0], c->axes, c->keepdims))
BUILD(b_max, gr_max(x[0], c->axes, c->keepdims))
BUILD(b_logsumexp, gr_logsumexp(x[0], c->axes, c->keepdims))
BUILD(b_norm, gr_norm(x[0], c->axes, c->keepdims))
BUILD(b_softmax, gr_softmax(x[0], c->axis))
BUILD(b_log_softmax, gr_log_softmax(x[0], c->axis))
BUILD(b_reshape, gr_reshape(x[0], c->to))
BUILD(b_permute, gr_permute(x[0], c->axes))
BUILD(b_slice, gr_slice(x[0], c->axis, c->start, c->stop < 0 ? GR_SLICE_DEFAULT : c->stop, c->step))
BUILD(b_expand, gr_expand(x[0], c->to))
BUILD(b_sum_to, gr_sum_to(x[0], c->to))
BUILD(b_cast, gr_cast(x[0], GR_F64))
BUILD(b_contiguous, gr_apply(g, find_op("contiguous"), 1, x, NULL))
BUILD(b_concat, gr_concat(3, x, c->axis))
BUILD(b_index_select, gr_index_select(x[0], c->axis, x[1]))
BUILD(b_index_add, gr_index_add(x[0], c->axis, x[1], c->size))
BUILD(b_gather, gr_gather(x[0], c->axis, x[1]))
BUILD(b_scatter_add, gr_scatter_add(x[0], c->axis, x[1], c->size))
BUILD(b_one_hot, gr_one_hot(x[0], c->size, type))
BUILD(b_full, gr_full(g, type, c->to, 2.5))
BUILD(b_arange, gr_arange(g, type, count_of(c->to), 1.5, -0.25))
BUILD(b_uniform, (gr_seed(g, RANDOM_SEED), gr_uniform(g, type, c->to, -1, 3)))
BUILD(b_normal, (gr_seed(g, RANDOM_SEED), gr_normal(g, type, c->to, 0.5, 2)))
BUILD(b_bernoulli, (gr_seed(g, RANDOM_SEED), gr_bernoulli(g, c->to, 0.3)))

/* The gradient of a slice, as a function of the cotangent. */
static gr_tensor b_slice_backward(gr_graph *g, const gr_tensor *x, const test_case *c, gr_type type)
{
    const gr_tensor whole = gr_set_requires_grad(gr_constant(g, type, c->shape[0], NULL), true);
    const gr_tensor y = b_slice(g, &whole, c, type);
    gr_tensor gradient;
    gr_grad(1, &y, 1, &whole, x, &(gr_grad_options){.record = true}, &gradient);
    return gradient;
}

/* ---- The table ---- */

#define UNARY(NAME, FORMULA)                                                                                \
    .name = #NAME, .operands = "f", .cases = unary_cases, .unary = gr_##NAME, .expect = expect_elementwise, \
    .formula1 = FORMULA
#define BINARY(NAME, FORMULA)                                                    \
    .name = #NAME, .operands = "ff", .cases = binary_cases, .binary = gr_##NAME, \
    .expect = expect_elementwise, .formula2 = FORMULA
#define COMPARISON(NAME)                                                                                   \
    BINARY(NAME, f_##NAME), .whole = true, .integers = true, .not_differentiable = "its result is a mask", \
                            .typed = true, .result = GR_BOOL
#define USE(NAME, OPERANDS, CASES, EXPECT) \
    .name = #NAME, .operands = OPERANDS, .cases = CASES, .build = b_##NAME, .expect = EXPECT

static const char random_reason[] = "has no operands";
static const row rows[] = {
    {UNARY(abs, fabs), .gap = 0.1},
    {BINARY(add, f_add), .integers = true},
    {USE(add_scalar, "f", number_cases, expect_number), .formula2 = f_add},
    {USE(arange, "", creation_cases, expect_creation), .formula1 = f_arange,
     .not_differentiable = random_reason},
    {USE(bernoulli, "", creation_cases, expect_creation), .formula1 = f_bernoulli,
     .not_differentiable = random_reason, .typed = true, .result = GR_BOOL},
    {USE(cast, "f", unary_cases, expect_same), .typed = true, .result = GR_F64},
    {BINARY(chain_div, f_div), .gap = 0.5},
    {BINARY(chain_mul, f_mul)},
    {USE(concat, "fff", concat_cases, expect_concat), .integers = true},
    {USE(contiguous, "f", unary_cases, expect_same), .integers = true},
    {UNARY(cos, cos)},
    {USE(detach, "f", unary_cases, expect_same), .not_differentiable = "it is there to cut the history"},
    {BINARY(div, f_div), .gap = 0.5},
    {COMPARISON(equal)},
    {UNARY(exp, exp)},
    {USE(expand, "f", expand_cases, expect_expand), .integers = true},
    {USE(full, "", creation_cases, expect_creation), .formula1 = f_full, .not_differentiable = random_reason},
    {USE(gather, "fi", gather_cases, expect_take), .integers = true},
    {COMPARISON(greater)},
    {COMPARISON(greater_equal)},
    {USE(index_add, "fi", index_add_cases, expect_put), .layout_tolerance = 16},
    {USE(index_select, "fi", index_select_cases, expect_take), .integers = true},
    {COMPARISON(less)},
    {COMPARISON(less_equal)},
    {UNARY(log, log), .low = 0.2, .high = 4},
    {UNARY(log1p, log1p), .low = -0.8, .high = 3},
    {USE(log_softmax, "f", along_cases, expect_along), .formula2 = f_log_softmax, .layout_tolerance = 16},
    {USE(logsumexp, "f", reduction_cases, expect_fold), .fold = fold_logsumexp, .needs_elements = true,
     .layout_tolerance = 16},
    {USE(matmul, "ff", matmul_cases, expect_matmul), .layout_tolerance = 64},
    {USE(max, "f", reduction_cases, expect_fold), .fold = fold_max, .needs_elements = true, .integers = true},
    {BINARY(maximum, fmax)},
    {USE(mean, "f", reduction_cases, expect_fold), .fold = fold_mean, .needs_elements = true,
     .layout_tolerance = 16},
    {BINARY(minimum, fmin)},
    {BINARY(mul, f_mul), .integers = true},
    {USE(mul_scaled, "ff", binary_cases, expect_elementwise), .formula2 = f_mul_scaled},
    {UNARY(neg, f_neg), .integers = true},
    {USE(norm, "f", reduction_cases, expect_fold), .fold = fold_norm, .gap = 0.1, .layout_tolerance = 16},
    {USE(normal, "", creation_cases, expect_creation), .formula1 = f_normal,
     .not_differentiable = random_reason},
    {COMPARISON(not_equal)},
    {USE(one_hot, "i", one_hot_cases, expect_one_hot), .not_differentiable = "its operand is i32"},
    {USE(permute, "f", permute_cases, expect_permute), .integers = true},
    {BINARY(pow, pow), .low = 0.3, .high = 2.5},
    {USE(pow_scalar, "f", number_cases, expect_number), .formula2 = pow, .low = 0.3, .high = 2.5},
    {UNARY(relu, f_relu), .gap = 0.1},
    {USE(reshape, "f", reshape_cases, expect_reshape), .integers = true},
    {USE(scale, "f", number_cases, expect_number), .formula2 = f_mul},
    {USE(scatter_add, "fi", scatter_add_cases, expect_put), .layout_tolerance = 16},
    {UNARY(sigmoid, f_sigmoid), .low = -5, .high = 5},
    {UNARY(sign, f_sign), .gap = 0.1},
    {UNARY(sin, sin)},
    {USE(slice, "f", slice_cases, expect_slice), .integers = true},
    {USE(slice_backward, "f", slice_cases, expect_slice_backward)},
    {USE(softmax, "f", along_cases, expect_along), .formula2 = f_softmax, .layout_tolerance = 16},
    {UNARY(softplus, f_softplus), .low = -5, .high = 5},
    {UNARY(sqrt, sqrt), .low = 0.2, .high = 4},
    {UNARY(square, f_square)},
    {BINARY(sub, f_sub), .integers = true},
    {USE(sum, "f", reduction_cases, expect_fold), .fold = fold_sum, .integers = true, .layout_tolerance = 64},
    {USE(sum_to, "f", sum_to_cases, expect_sum_to), .integers = true, .layout_tolerance = 64},
    {UNARY(tanh, tanh)},
    {USE(uniform, "", creation_cases, expect_creation), .formula1 = f_uniform,
     .not_differentiable = random_reason},
    {USE(where, "mff", where_cases, expect_where), .integers = true},
};
enum { ROWS = sizeof rows / sizeof *rows };

/* ---- Operands ---- */

/* What is being tested, and in which layout; handed to the checker as `user`. */
typedef struct subject {
    const row *r;
    const test_case *c;
    layout how;
    gr_type type; /* of the floats */
    int n;
    array x[MOST_OPERANDS]; /* the operands as the primitive is to see them */
} subject;

static uint32_t random_state = 1;
static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)random_state * n >> 32);
}

/* Distinct values for all float operands together: a shuffled grid, each rounded to f32. */
static void sample_values(subject *s)
{
    static uint32_t slot[MOST_OPERANDS * MOST_ELEMENTS];
    const row *r = s->r;
    const double low = r->low < r->high ? r->low : -2, high = r->low < r->high ? r->high : 2;
    uint32_t total = 0, next = 0;
    for (int k = 0; k < s->n; k++) total += (uint32_t)count_of(s->x[k].shape);
    for (uint32_t i = 0; i < total; i++) slot[i] = i;
    for (uint32_t i = total; i > 1; i--) {
        const uint32_t j = random_below(i), t = slot[i - 1];
        slot[i - 1] = slot[j];
        slot[j] = t;
    }
    for (int k = 0; k < s->n; k++) {
        for (int64_t e = 0; e < count_of(s->x[k].shape); e++) {
            const double u = (slot[next++] + 0.5) / total, v = low + (high - low) * u;
            const int64_t range = s->c->size - s->c->low;
            double *to = &s->x[k].v[e];
            if (r->operands[k] == 'm')
                *to = random_below(2);
            else if (r->operands[k] == 'i')
                *to = (double)(s->c->low + random_below((uint32_t)range));
            else if (r->whole || s->type == GR_I32)
                *to = (double)random_below(5) - 2;
            else
                *to = (double)(float)(v < 0 ? v - r->gap : v + r->gap);
        }
    }
}

/* An expanded operand is the same along its first axis. */
static void repeat_first_axis(array *x)
{
    const int64_t n = x->shape.ndim ? x->shape.dims[0] : 0, inner = n ? count_of(x->shape) / n : 0;
    for (int64_t e = inner; e < n * inner; e++) x->v[e] = x->v[e % inner];
}

static gr_type type_of(const subject *s, int k)
{
    const char kind = s->r->operands[k];
    return kind == 'm' ? GR_BOOL : kind == 'i' ? GR_I32 : s->type;
}

/* The shape of the leaf whose view is an operand of this shape. */
static gr_shape leaf_shape(gr_shape s, layout how)
{
    gr_shape leaf = s;
    const int last = s.ndim - 1;
    if (s.ndim == 0) return s;
    if (how == TRANSPOSED)
        for (int i = 0; i < s.ndim; i++) leaf.dims[i] = s.dims[last - i];
    if (how == STEPPED) leaf.dims[last] = 2 * s.dims[last] + 1;
    if (how == EXPANDED) leaf.dims[0] = 1;
    return leaf;
}

static gr_tensor view_of(gr_tensor leaf, gr_shape s, layout how)
{
    if (s.ndim == 0) return leaf;
    switch (how) {
    case TRANSPOSED:
        return gr_permute(leaf, GR_ALL_AXES);
    case STEPPED:
        return gr_slice(leaf, -1, 1, GR_SLICE_DEFAULT, 2);
    case REVERSED:
        return gr_slice(leaf, 0, GR_SLICE_DEFAULT, GR_SLICE_DEFAULT, -1);
    case EXPANDED:
        return gr_expand(leaf, s);
    default:
        return leaf;
    }
}

/* The leaf element that element e of the operand is a view of. */
static int64_t leaf_element(gr_shape s, gr_shape leaf, layout how, int64_t e)
{
    int64_t index[GR_MAX_NDIM], own[GR_MAX_NDIM];
    const int last = s.ndim - 1;
    index_of(s, e, index);
    for (int i = 0; i < s.ndim; i++) own[i] = how == TRANSPOSED ? index[last - i] : index[i];
    if (s.ndim && how == STEPPED) own[last] = 2 * index[last] + 1;
    if (s.ndim && how == REVERSED) own[0] = s.dims[0] - 1 - index[0];
    if (s.ndim && how == EXPANDED) own[0] = 0;
    return element_of(leaf, own);
}

static void store(void *to, gr_type type, int64_t i, double v)
{
    if (type == GR_F32) ((float *)to)[i] = (float)v;
    if (type == GR_F64) ((double *)to)[i] = v;
    if (type == GR_I32) ((int32_t *)to)[i] = (int32_t)v;
    if (type == GR_BOOL) ((uint8_t *)to)[i] = v != 0;
}

static gr_tensor make_leaf(gr_graph *g, const subject *s, int k)
{
    static double data[2 * MOST_ELEMENTS + 512];
    const gr_shape shape = s->x[k].shape, leaf = leaf_shape(shape, s->how);
    const gr_type type = type_of(s, k);
    CHECK(count_of(leaf) <= (int64_t)(sizeof data / sizeof *data));
    for (int64_t i = 0; i < count_of(leaf); i++) store(data, type, i, 99); /* not part of the view */
    for (int64_t e = 0; e < count_of(shape); e++)
        store(data, type, leaf_element(shape, leaf, s->how, e), s->x[k].v[e]);
    return gr_constant(g, type, leaf, data);
}

/* gr_function: the primitive on the views of the leaves. */
static gr_tensor use(gr_graph *g, int n, const gr_tensor *leaves, void *user)
{
    const subject *s = user;
    gr_tensor x[MOST_OPERANDS];
    for (int k = 0; k < n; k++) x[k] = view_of(leaves[k], s->x[k].shape, s->how);
    if (s->r->unary) return s->r->unary(x[0]);
    if (s->r->binary) return s->r->binary(x[0], x[1]);
    return s->r->build(g, x, s->c, s->type);
}

/* ---- The tests ---- */

/* Says which row and case a check belongs to, once one has failed. */
static void explain(const subject *s, int failures_before)
{
    if (test_failures == failures_before) return;
    printf("  in row %s, case %d, %s %s\n", s->r->name, (int)(s->c - s->r->cases), gr_type_name(s->type),
           layout_names[s->how]);
}

static double value_at(gr_tensor t, int64_t e)
{
    int64_t index[GR_MAX_NDIM];
    const gr_shape s = gr_shape_of(t);
    index_of(s, e, index);
    return gr_at(t, s.ndim, index);
}

static void check_forward(const subject *s, gr_tensor y, const array *expected)
{
    const gr_shape shape = gr_shape_of(y);
    const gr_type type = s->r->typed ? s->r->result : s->type;
    CHECK(gr_type_of(y) == type);
    CHECK(shape.ndim == expected->shape.ndim);
    if (shape.ndim != expected->shape.ndim) return;
    bool same = true;
    for (int i = 0; i < shape.ndim; i++) same &= shape.dims[i] == expected->shape.dims[i];
    CHECK(same);
    if (!same) return;
    for (int64_t e = 0; e < count_of(shape); e++) {
        const double v = expected->v[e], tolerance = s->type == GR_F32 ? 4e-6 : s->type == GR_F64 ? 1e-13 : 0;
        CHECK_NEAR(value_at(y, e), v, tolerance * fmax(1, fabs(v)));
    }
}

/* Whether the primitive was applied since the step stack had `from` tensors. */
static bool uses(const gr_graph *g, const gr_op *op, uint32_t from)
{
    for (uint32_t i = from; i < g->step.top; i++)
        if (g->step.slot[i].node && g->step.slot[i].node->op == op) return true;
    return false;
}

/* The same operands, contiguous, give the same. */
static void check_layout(gr_graph *g, const subject *s, gr_tensor y)
{
    static subject plain;
    plain = *s;
    plain.how = CONTIGUOUS;
    gr_tensor leaves[MOST_OPERANDS];
    for (int k = 0; k < s->n; k++) leaves[k] = make_leaf(g, &plain, k);
    const gr_tensor z = use(g, s->n, leaves, &plain);
    const double eps = s->type == GR_F32 ? FLT_EPSILON : DBL_EPSILON;
    const double units = s->r->layout_tolerance > 0 ? s->r->layout_tolerance : 1;
    CHECK(gr_count(y) == gr_count(z));
    for (int64_t e = 0; e < gr_count(y) && e < gr_count(z); e++) {
        const double v = value_at(z, e);
        CHECK_NEAR(value_at(y, e), v, units * eps * fmax(1, fabs(v)));
    }
}

static void check_unmodified(const subject *s, const gr_tensor *leaves)
{
    for (int k = 0; k < s->n; k++) {
        const gr_shape leaf = gr_shape_of(leaves[k]);
        for (int64_t e = 0; e < count_of(s->x[k].shape); e++)
            CHECK(value_at(leaves[k], leaf_element(s->x[k].shape, leaf, s->how, e)) == s->x[k].v[e]);
    }
}

static void check_derivatives(gr_graph *g, subject *s, const gr_tensor *leaves, bool large)
{
    gr_check_result result;
    char text[GR_CHECK_REPORT_BYTES];
    const gr_check_options o = {.order = 2, .seed = 5, .max_elements = large ? SAMPLED : 0};
    CHECK(gr_gradcheck(g, use, s->n, leaves, s, &o, &result) == GR_OK);
    CHECK(result.passed && result.order == 2);
    gr_check_report(&result, text, sizeof text);
    if (!result.passed) printf("%s%s\n", text, gr_graph_error(g));
}

/* Gradients by the leaves, for cotangents that are strided where they can be; not a walk that is recorded
   unless `record`. */
static void gradients_of(gr_graph *g, subject *s, bool record, gr_tensor *leaves, gr_tensor *gradients)
{
    static double data[MOST_ELEMENTS];
    int n = 0;
    gr_tensor by[MOST_OPERANDS];
    for (int k = 0; k < s->n; k++) {
        leaves[k] = make_leaf(g, s, k);
        if (gr_type_is_float(type_of(s, k))) by[n++] = gr_set_requires_grad(leaves[k], true);
    }
    const gr_tensor y = use(g, s->n, leaves, s);
    const gr_shape shape = gr_shape_of(y);
    const layout how = shape.ndim > 1 ? TRANSPOSED : CONTIGUOUS;
    for (int64_t e = 0; e < count_of(shape); e++) {
        const double u = (double)((e * 37 + 11) % 64 - 31) / 16;
        store(data, gr_type_of(y), leaf_element(shape, leaf_shape(shape, how), how, e), u);
    }
    const gr_tensor cotangent = view_of(gr_constant(g, gr_type_of(y), leaf_shape(shape, how), data), shape,
                                        how);
    gr_grad(1, &y, n, by, &cotangent, &(gr_grad_options){.record = record}, gradients);
}

static void check_same_gradients(const subject *s, const gr_tensor *a, const gr_tensor *b, double tolerance)
{
    int n = 0;
    for (int k = 0; k < s->n; k++) n += s->r->operands[k] == 'f';
    for (int i = 0; i < n; i++) {
        CHECK(gr_count(a[i]) == gr_count(b[i]));
        for (int64_t e = 0; e < gr_count(a[i]) && e < gr_count(b[i]); e++) {
            const double v = value_at(b[i], e);
            CHECK_NEAR(value_at(a[i], e), v, tolerance * fmax(1, fabs(v)));
        }
    }
}

/* The fast path gives what the rule gives, and f32 what f64 gives. */
static void check_paths(gr_graph *g, const subject *s)
{
    static subject single;
    static subject twice;
    gr_tensor leaves[MOST_OPERANDS], fast[MOST_OPERANDS], rule[MOST_OPERANDS];
    single = *s;
    single.type = GR_F32;
    twice = *s;
    gradients_of(g, &twice, false, leaves, fast);
    gradients_of(g, &twice, true, leaves, rule);
    check_same_gradients(s, fast, rule, 1e-13);
    gradients_of(g, &single, false, leaves, fast);
    check_same_gradients(s, fast, rule, 2e-5);
}

/* A number for element e that depends on nothing else. */
static double weight(int64_t e, int64_t salt) { return (double)((e * 29 + salt * 7 + 5) % 61 - 30) / 16; }

/* A tensor of such numbers in the shape of `like`, strided where that can be. */
static gr_tensor weights_like(gr_graph *g, gr_tensor like, int64_t salt)
{
    static double data[MOST_ELEMENTS + 512];
    const gr_shape shape = gr_shape_of(like);
    const gr_type type = gr_type_of(like);
    const layout how = shape.ndim > 1 ? TRANSPOSED : CONTIGUOUS;
    CHECK(gr_count(like) <= (int64_t)(sizeof data / sizeof *data));
    for (int64_t e = 0; e < gr_count(like); e++)
        store(data, type, leaf_element(shape, leaf_shape(shape, how), how, e), weight(e, salt));
    return view_of(gr_constant(g, type, leaf_shape(shape, how), data), shape, how);
}

/* The tangent of the result, where the operand of that number, or with -1 each, has one; by the descriptor, or
   in the general way. The operands themselves are the inputs, so that only the primitive is passed. */
static gr_tensor tangent_of(gr_graph *g, const subject *s, bool general, bool record, int only,
                            gr_tensor *cotangent, double *expected)
{
    gr_tensor x[MOST_OPERANDS], by[MOST_OPERANDS], tangents[MOST_OPERANDS], gradients[MOST_OPERANDS], result;
    int n = 0;
    for (int k = 0; k < s->n; k++) {
        gr_tensor leaf = make_leaf(g, s, k);
        if (gr_type_is_float(type_of(s, k))) gr_set_requires_grad(leaf, true);
        x[k] = view_of(leaf, s->x[k].shape, s->how);
        if (!gr_type_is_float(type_of(s, k)) || (only >= 0 && k != only)) continue;
        by[n] = x[k];
        tangents[n++] = weights_like(g, x[k], k);
    }
    const uint32_t from = g->step.top;
    const gr_tensor y = s->r->unary    ? s->r->unary(x[0])
                        : s->r->binary ? s->r->binary(x[0], x[1])
                                       : s->r->build(g, x, s->c, s->type);
    gr_op changed[8]; /* descriptors of this use that claim nothing */
    int n_changed = 0;
    for (uint32_t i = from; general && i < g->step.top; i++) {
        gri_node *node = g->step.slot[i].node;
        if (!node || !node->n_operands || n_changed == 8) continue;
        changed[n_changed] = *node->op;
        changed[n_changed].tangent = GR_TANGENT_GENERAL;
        node->op = &changed[n_changed++];
    }
    *cotangent = weights_like(g, y, 9);
    if (!record) gr_no_grad_begin(g);
    CHECK(gr_jvp(1, &y, n, by, tangents, &result) == GR_OK);
    if (!record) gr_no_grad_end(g);
    CHECK(gr_grad(1, &y, n, by, cotangent, &(gr_grad_options){.record = true}, gradients) == GR_OK);
    *expected = 0;
    for (int k = 0; k < n; k++)
        for (int64_t e = 0; e < gr_count(by[k]); e++)
            *expected += value_at(gradients[k], e) * value_at(tangents[k], e);
    CHECK(gr_type_of(result) == gr_type_of(y) && gr_count(result) == gr_count(y));
    gr_tensor copy = gr_detach(result); /* nothing that is used later refers to the changed descriptors */
    return copy;
}

static void check_tangents_of(gr_graph *g, const subject *s, int only)
{
    gr_tensor u, ignored;
    double expected, product = 0, size = 0, unused;
    const gr_tensor told = tangent_of(g, s, false, false, only, &u, &expected);
    const gr_tensor recorded = tangent_of(g, s, false, true, only, &ignored, &unused);
    const gr_tensor general = tangent_of(g, s, true, false, only, &ignored, &unused);
    for (int64_t e = 0; e < gr_count(told); e++) {
        const double v = value_at(general, e), tolerance = 1e-13 * fmax(1, fabs(v)) * 8;
        CHECK_NEAR(value_at(told, e), v, tolerance);
        CHECK_NEAR(value_at(recorded, e), v, tolerance);
        product += value_at(u, e) * value_at(told, e);
        size += fabs(value_at(u, e) * value_at(told, e));
    }
    CHECK_NEAR(product, expected, 1e-12 * fmax(1, size)); /* u (J t) = (u J) t */
}

/* The promise of the descriptor, for all operands together and for each alone. */
static void check_tangents(gr_graph *g, const subject *s)
{
    static subject own;
    own = *s;
    int floats = 0;
    for (int k = 0; k < s->n; k++) floats += type_of(s, k) == GR_F64;
    check_tangents_of(g, &own, -1);
    for (int k = 0; k < s->n && floats > 1; k++)
        if (type_of(s, k) == GR_F64) check_tangents_of(g, &own, k);
}

/* One row, case, layout and type. */
static void check_subject(gr_graph *g, subject *s, const array *expected)
{
    const int failures = test_failures;
    const gr_scope scope = gr_scope_begin(g);
    gr_tensor leaves[MOST_OPERANDS];
    bool large = false, floats = false;
    for (int k = 0; k < s->n; k++) {
        leaves[k] = make_leaf(g, s, k);
        large |= gr_count(leaves[k]) > FULLY_CHECKED;
        floats |= type_of(s, k) == GR_F64;
        if (gr_type_is_float(type_of(s, k))) gr_set_requires_grad(leaves[k], true);
    }
    const uint32_t from = g->step.top;
    const gr_tensor y = use(g, s->n, leaves, s);
    CHECK(gr_graph_status(g) == GR_OK);
    if (gr_graph_status(g) == GR_OK) {
        CHECK(uses(g, find_op(s->r->name), from));
        CHECK(gr_requires_grad(y) == (s->n > 0 && !s->r->not_differentiable && gr_type_is_float(s->type)));
        check_forward(s, y, expected);
        if (s->n && s->how != CONTIGUOUS) check_layout(g, s, y);
        check_unmodified(s, leaves);
        const bool tied = s->how == EXPANDED && s->r->fold == fold_max; /* a kink */
        if (floats && !s->r->not_differentiable && !tied) check_derivatives(g, s, leaves, large);
        if (floats && !s->r->not_differentiable) check_paths(g, s);
        if (floats && !s->r->not_differentiable) check_tangents(g, s);
        check_unmodified(s, leaves);
    }
    if (gr_graph_status(g) != GR_OK) printf("  %s\n", gr_graph_error(g));
    CHECK(gr_graph_status(g) == GR_OK);
    explain(s, failures);
    gr_graph_clear_error(g);
    gr_scope_end(scope, 0, NULL);
}

/* Whether the case reduces no elements to results, which the row cannot do. */
static bool is_impossible(const row *r, const test_case *c)
{
    int64_t members = 1, results = 1;
    for (int i = 0; i < c->shape[0].ndim; i++)
        *(is_reduced(c->axes, i, c->shape[0].ndim) ? &members : &results) *= c->shape[0].dims[i];
    return r->needs_elements && members == 0 && results > 0;
}

static void check_case(gr_graph *g, const row *r, const test_case *c, gr_type type, layout how)
{
    static subject s;
    static array expected;
    s = (subject){.r = r, .c = c, .how = how, .type = type, .n = (int)strlen(r->operands)};
    for (int k = 0; k < s.n; k++) s.x[k].shape = c->shape[k];
    if (r->expect == expect_slice_backward) s.x[0].shape.dims[c->axis] = slice_length(c);
    sample_values(&s);
    for (int k = 0; k < s.n && how == EXPANDED; k++) repeat_first_axis(&s.x[k]);
    r->expect(r, c, s.n, s.x, &expected);
    check_subject(g, &s, &expected);
}

static void check_row(gr_graph *g, const row *r)
{
    static const gr_type types[] = {GR_F64, GR_F32, GR_I32};
    for (const test_case *c = r->cases; !IS_END(c); c++) {
        if (is_impossible(r, c)) continue;
        for (int how = 0; how < (r->operands[0] ? LAYOUTS : 1); how++) {
            for (int t = 0; t < (r->integers ? 3 : 2); t++) check_case(g, r, c, types[t], (layout)how);
        }
    }
}

static void test_table(void)
{
    gr_graph *g = gr_graph_create(NULL);
    for (int i = 0; i < ROWS; i++) check_row(g, &rows[i]);
    gr_graph_destroy(g);
}

static void test_every_primitive_has_a_row(void)
{
    for (const gr_op *const *p = gr_primitives(); *p; p++) {
        int found = 0;
        for (int i = 0; i < ROWS; i++) found += !strcmp(rows[i].name, (*p)->name);
        if (found != 1) printf("  %s: %d rows\n", (*p)->name, found);
        CHECK(found == 1);
    }
    for (int i = 0; i < ROWS; i++) CHECK(find_op(rows[i].name) != NULL);
}

/* A row without derivatives must say the truth: differentiable primitives have a rule, the others none, or
   one that gives zero. */
static void test_rules(void)
{
    for (int i = 0; i < ROWS; i++) {
        const gr_op *op = find_op(rows[i].name);
        if (!op) continue;
        if (!rows[i].not_differentiable) CHECK(op->vjp != NULL || op->vjp_all != NULL);
        if (rows[i].not_differentiable) CHECK((!op->vjp && !op->vjp_all) || !strcmp(op->name, "detach"));
    }
}

int main(void)
{
    RUN(test_every_primitive_has_a_row);
    RUN(test_rules);
    RUN(test_table);
    return TEST_EXIT;
}
