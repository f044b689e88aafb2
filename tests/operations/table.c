/* What the families of the table of operations share: arrays, cases, what is expected of the usual kinds. */
#include "table.h"

/* clang-format off */
const row *const families[] = {
    elementwise_rows,
    activation_rows,
    reduction_rows,
    movement_rows,
    linalg_rows,
    creation_rows,
    neural_rows,
    loss_rows,
    NULL,
};
/* clang-format on */

int64_t count_of(gr_shape s)
{
    int64_t n = 1;
    for (int i = 0; i < s.ndim; i++) n *= s.dims[i];
    return n;
}

void index_of(gr_shape s, int64_t element, int64_t *index)
{
    for (int i = s.ndim - 1; i >= 0; i--) {
        index[i] = element % s.dims[i];
        element /= s.dims[i];
    }
}

int64_t element_of(gr_shape s, const int64_t *index)
{
    int64_t element = 0;
    for (int i = 0; i < s.ndim; i++) element = element * s.dims[i] + index[i];
    return element;
}

double broadcast_at(const array *x, int ndim, const int64_t *index)
{
    int64_t own[GR_MAX_NDIM];
    for (int i = 0; i < x->shape.ndim; i++)
        own[i] = x->shape.dims[i] == 1 ? 0 : index[i + ndim - x->shape.ndim];
    return x->v[element_of(x->shape, own)];
}

gr_shape broadcast_shape(int n, const array *x)
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

const test_case unary_cases[] = {
    {OF(S0)},      {OF(S(0))},       {OF(S(2, 0, 3))}, {OF(S(1))},      {OF(S(1, 1))}, {OF(S(5))},
    {OF(S(3, 4))}, {OF(S(2, 3, 4))}, {OF(S(1, 3, 1))}, {OF(S(33, 65))}, END,
};
const test_case number_cases[] = {
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
const test_case binary_cases[] = {
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
const test_case reduction_cases[] = {
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
const test_case along_cases[] = {
    {OF(S(1)), .axis = 0},       {OF(S(5)), .axis = -1},      {OF(S(0)), .axis = 0},
    {OF(S(3, 0)), .axis = 1},    {OF(S(3, 0)), .axis = 0},    {OF(S(3, 4)), .axis = 1},
    {OF(S(3, 4)), .axis = 0},    {OF(S(2, 3, 4)), .axis = 1}, {OF(S(4, 1)), .axis = -1},
    {OF(S(17, 33)), .axis = -1}, {OF(S(17, 33)), .axis = 0},  END,
};

void expect_elementwise(const row *r, const test_case *c, int n, const array *x, array *y)
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

void expect_number(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)n;
    y->shape = x->shape;
    for (int64_t e = 0; e < count_of(y->shape); e++) y->v[e] = r->formula2(x->v[e], c->number);
}

bool is_reduced(gr_axes axes, int axis, int ndim)
{
    for (int i = 0; i < axes.n; i++)
        if (axes.axis[i] == axis || axes.axis[i] + ndim == axis) return true;
    return axes.n < 0;
}

void expect_fold(const row *r, const test_case *c, int n, const array *x, array *y)
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

void expect_same(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)c, (void)n;
    *y = *x;
}

const gr_op *find_op(const char *name)
{
    for (const gr_op *const *p = gr_primitives(); *p; p++)
        if (!strcmp((*p)->name, name)) return *p;
    return NULL;
}
