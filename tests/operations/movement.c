/* Rows of operations that move elements: views, joining, indexing. */
#include "table.h"

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

BUILD(b_reshape, gr_reshape(x[0], c->to))
BUILD(b_permute, gr_permute(x[0], c->axes))
BUILD(b_slice, gr_slice(x[0], c->axis, c->start, c->stop < 0 ? GR_SLICE_DEFAULT : c->stop, c->step))
BUILD(b_expand, gr_expand(x[0], c->to))
BUILD(b_contiguous, gr_apply(g, find_op("contiguous"), 1, x, NULL))
BUILD(b_concat, gr_concat(3, x, c->axis))
BUILD(b_index_select, gr_index_select(x[0], c->axis, x[1]))
BUILD(b_index_add, gr_index_add(x[0], c->axis, x[1], c->size))
BUILD(b_gather, gr_gather(x[0], c->axis, x[1]))
BUILD(b_scatter_add, gr_scatter_add(x[0], c->axis, x[1], c->size))
BUILD(b_one_hot, gr_one_hot(x[0], c->size, type))

/* The gradient of a slice, as a function of the cotangent. */
static gr_tensor b_slice_backward(gr_graph *g, const gr_tensor *x, const test_case *c, gr_type type)
{
    const gr_tensor whole = gr_set_requires_grad(gr_constant(g, type, c->shape[0], NULL), true);
    const gr_tensor y = b_slice(g, &whole, c, type);
    gr_tensor gradient;
    gr_grad(1, &y, 1, &whole, x, &(gr_grad_options){.record = true}, &gradient);
    return gradient;
}

static void reshape_cotangent(const test_case *c, array *x) { x->shape.dims[c->axis] = slice_length(c); }

const row movement_rows[] = {
    {USE(concat, "fff", concat_cases, expect_concat), .integers = true},
    {USE(contiguous, "f", unary_cases, expect_same), .integers = true},
    {USE(expand, "f", expand_cases, expect_expand), .integers = true},
    {USE(gather, "fi", gather_cases, expect_take), .integers = true},
    {USE(index_add, "fi", index_add_cases, expect_put), .layout_tolerance = 16},
    {USE(index_select, "fi", index_select_cases, expect_take), .integers = true},
    {USE(one_hot, "i", one_hot_cases, expect_one_hot), .not_differentiable = "its operand is i32"},
    {USE(permute, "f", permute_cases, expect_permute), .integers = true},
    {USE(reshape, "f", reshape_cases, expect_reshape), .integers = true},
    {USE(scatter_add, "fi", scatter_add_cases, expect_put), .layout_tolerance = 16},
    {USE(slice, "f", slice_cases, expect_slice), .integers = true},
    {USE(slice_backward, "f", slice_cases, expect_slice_backward), .reshape_operands = reshape_cotangent},
    {.name = NULL},
};
