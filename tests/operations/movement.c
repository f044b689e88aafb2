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

static const test_case stack_cases[] = {
    {OF(S(3), S(3), S(3)), .axis = 0},
    {OF(S(3), S(3), S(3)), .axis = 1},
    {OF(S0, S0, S0), .axis = 0},
    {OF(S(2, 3), S(2, 3), S(2, 3)), .axis = 1},
    {OF(S(2, 3), S(2, 3), S(2, 3)), .axis = -1},
    {OF(S(0, 2), S(0, 2), S(0, 2)), .axis = -3},
    {OF(S(1), S(1), S(1)), .axis = -1},
    {OF(S(20, 30), S(20, 30), S(20, 30)), .axis = 0},
    END,
};
/* The part that begins at `start`, behind one of as many elements. */
static const test_case split_cases[] = {
    {OF(S(6)), .axis = 0, .start = 2, .size = 3},       {OF(S(3, 4)), .axis = 1, .start = 1, .size = 0},
    {OF(S(3, 4)), .axis = -2, .start = 0, .size = 3},   {OF(S(0)), .axis = 0, .start = 0, .size = 0},
    {OF(S(1)), .axis = 0, .start = 0, .size = 1},       {OF(S(2, 6, 2)), .axis = 1, .start = 2, .size = 4},
    {OF(S(40, 30)), .axis = 0, .start = 7, .size = 12}, END,
};
/* The last of at most `stop` parts, which has `size` elements from `start` on. */
static const test_case chunk_cases[] = {
    {OF(S(6)), .axis = 0, .stop = 3, .start = 4, .size = 2},
    {OF(S(7)), .axis = 0, .stop = 3, .start = 6, .size = 1},
    {OF(S(5)), .axis = 0, .stop = 4, .start = 4, .size = 1},
    {OF(S(3, 4)), .axis = -1, .stop = 1, .start = 0, .size = 4},
    {OF(S(3, 4)), .axis = 0, .stop = 5, .start = 2, .size = 1},
    {OF(S(0, 2)), .axis = 0, .stop = 3, .start = 0, .size = 0},
    {OF(S(1)), .axis = 0, .stop = 2, .start = 0, .size = 1},
    {OF(S(33, 65)), .axis = 1, .stop = 4, .start = 51, .size = 14},
    END,
};
/* For gr_repeat from the third on: it needs a number for each axis. */
static const test_case tile_cases[] = {
    {OF(S(2, 3)), .to = S(4)},
    {OF(S(2, 3, 2)), .to = S(2)},
    {OF(S(3)), .to = S(2)},
    {OF(S0), .to = S(3)},
    {OF(S0), .to = S0},
    {OF(S(3)), .to = S(2, 1, 2)},
    {OF(S(2, 3)), .to = S(2, 3)},
    {OF(S(2, 3)), .to = S(0, 2)},
    {OF(S(0, 2)), .to = S(3, 2)},
    {OF(S(1)), .to = S(1)},
    {OF(S(1, 2, 1, 3)), .to = S(2, 2, 3, 2)},
    {OF(S(10, 12)), .to = S(3, 5)},
    END,
};
static const test_case interleave_cases[] = {
    {OF(S(3)), .axis = 0, .size = 2},
    {OF(S(2, 3)), .axis = 1, .size = 3},
    {OF(S(2, 3)), .axis = 0, .size = 2},
    {OF(S(2, 3, 2)), .axis = -2, .size = 2},
    {OF(S(0)), .axis = 0, .size = 3},
    {OF(S(3)), .axis = 0, .size = 0},
    {OF(S(1)), .axis = 0, .size = 1},
    {OF(S(20, 30)), .axis = 1, .size = 4},
    END,
};
static const test_case flip_cases[] = {
    {OF(S0), .axes = ALL},
    {OF(S(5)), .axes = AXES(0)},
    {OF(S(3, 4)), .axes = AXES(-1)},
    {OF(S(3, 4)), .axes = ALL},
    {OF(S(3, 4)), .axes = {0, {0}}},
    {OF(S(2, 3, 4)), .axes = AXES(0, 2)},
    {OF(S(2, 0)), .axes = AXES(1)},
    {OF(S(1)), .axes = AXES(0)},
    {OF(S(33, 65)), .axes = AXES(1)},
    END,
};
static const test_case roll_cases[] = {
    {OF(S(5)), .axis = 0, .step = 2},
    {OF(S(5)), .axis = 0, .step = -1},
    {OF(S(5)), .axis = 0, .step = 12},
    {OF(S(5)), .axis = 0, .step = -11},
    {OF(S(5)), .axis = 0, .step = 0},
    {OF(S(3, 4)), .axis = 1, .step = 1},
    {OF(S(3, 4)), .axis = -2, .step = 1},
    {OF(S(0)), .axis = 0, .step = 3},
    {OF(S(1)), .axis = 0, .step = 1},
    {OF(S(33, 65)), .axis = 0, .step = 10},
    END,
};
/* number: the value; size: the mode. */
static const test_case pad_cases[] = {
    {OF(S0), .before = S0, .after = S0},
    {OF(S(3)), .before = S(2), .after = S(1), .number = 7},
    {OF(S(3)), .before = S(0), .after = S(0), .size = GR_PAD_REFLECT},
    {OF(S(0)), .before = S(1), .after = S(2), .number = -1},
    {OF(S(2, 3)), .before = S(1, 0), .after = S(0, 2)},
    {OF(S(3)), .before = S(2), .after = S(2), .size = GR_PAD_REFLECT},
    {OF(S(4, 3)), .before = S(3, 1), .after = S(1, 0), .size = GR_PAD_REFLECT},
    {OF(S(1)), .before = S(0), .after = S(0), .size = GR_PAD_REFLECT},
    {OF(S(3)), .before = S(4), .after = S(2), .size = GR_PAD_REPLICATE},
    {OF(S(2, 3, 2)), .before = S(1, 0, 2), .after = S(1, 1, 0), .size = GR_PAD_REPLICATE},
    {OF(S(1, 2)), .before = S(2, 1), .after = S(1, 3), .size = GR_PAD_REPLICATE},
    {OF(S(3)), .before = S(3), .after = S(2), .size = GR_PAD_CIRCULAR},
    {OF(S(2, 3)), .before = S(1, 1), .after = S(2, 0), .size = GR_PAD_CIRCULAR},
    {OF(S(20, 30)), .before = S(3, 19), .after = S(5, 7), .size = GR_PAD_REFLECT},
    END,
};
static const test_case triangle_cases[] = {
    {OF(S(3, 3)), .step = 0},         {OF(S(3, 4)), .step = 1},
    {OF(S(3, 4)), .step = -1},        {OF(S(4, 2)), .step = -2},
    {OF(S(2, 3, 3)), .step = 0},      {OF(S(3, 3)), .step = 9},
    {OF(S(3, 3)), .step = -9},        {OF(S(0, 3)), .step = 0},
    {OF(S(2, 0)), .step = 1},         {OF(S(1, 1)), .step = 0},
    {OF(S(1, 1)), .step = INT64_MIN}, {OF(S(1, 1)), .step = INT64_MAX},
    {OF(S(33, 65)), .step = 5},       END,
};
static const test_case diagonal_cases[] = {
    {OF(S(3, 3)), .axes = AXES(0, 1), .step = 0},      {OF(S(3, 4)), .axes = AXES(0, 1), .step = 1},
    {OF(S(3, 4)), .axes = AXES(0, 1), .step = -2},     {OF(S(3, 4)), .axes = AXES(1, 0), .step = 1},
    {OF(S(3, 4)), .axes = AXES(0, 1), .step = 4},      {OF(S(3, 4)), .axes = AXES(0, 1), .step = -3},
    {OF(S(4, 2)), .axes = AXES(0, 1), .step = -1},     {OF(S(2, 5)), .axes = AXES(0, 1), .step = 1},
    {OF(S(2, 3, 4)), .axes = AXES(-2, -1), .step = 0}, {OF(S(2, 3, 4)), .axes = AXES(0, 2), .step = 2},
    {OF(S(2, 3, 4)), .axes = AXES(2, 1), .step = -1},  {OF(S(0, 3)), .axes = AXES(0, 1), .step = 0},
    {OF(S(2, 0)), .axes = AXES(0, 1), .step = 1},      {OF(S(1, 1)), .axes = AXES(0, 1), .step = 0},
    {OF(S(33, 65)), .axes = AXES(0, 1), .step = 7},    END,
};
static const test_case diag_embed_cases[] = {
    {OF(S(3)), .step = 0},
    {OF(S(3)), .step = 1},
    {OF(S(3)), .step = -2},
    {OF(S(2, 3)), .step = 1},
    {OF(S(0)), .step = 0},
    {OF(S(0)), .step = 2},
    {OF(S(2, 0)), .step = -1},
    {OF(S(1)), .step = 0},
    {OF(S(2, 2, 2)), .step = -1},
    {OF(S(30)), .step = 10},
    END,
};
static const test_case diag_cases[] = {
    {OF(S(3)), .step = 0},      {OF(S(3)), .step = -1},
    {OF(S(3, 3)), .step = 0},   {OF(S(3, 4)), .step = 2},
    {OF(S(4, 3)), .step = -1},  {OF(S(0)), .step = 0},
    {OF(S(1, 1)), .step = 1},   {OF(S(1)), .step = 0},
    {OF(S(30, 40)), .step = 3}, END,
};
static const test_case unfold_cases[] = {
    {OF(S(7)), .axis = 0, .size = 3, .step = 1},      {OF(S(7)), .axis = 0, .size = 3, .step = 2},
    {OF(S(7)), .axis = 0, .size = 2, .step = 3},      {OF(S(7)), .axis = 0, .size = 7, .step = 1},
    {OF(S(7)), .axis = 0, .size = 5, .step = 1},      {OF(S(7)), .axis = 0, .size = 1, .step = 1},
    {OF(S(3, 5)), .axis = -1, .size = 2, .step = 1},  {OF(S(5, 3)), .axis = 0, .size = 3, .step = 1},
    {OF(S(5, 3)), .axis = 0, .size = 4, .step = 1},   {OF(S(2, 5, 2)), .axis = 1, .size = 3, .step = 2},
    {OF(S(0, 3)), .axis = 1, .size = 2, .step = 1},   {OF(S(1)), .axis = 0, .size = 1, .step = 5},
    {OF(S(12, 20)), .axis = 1, .size = 6, .step = 2}, END,
};
/* The operand: of the shape of a result of unfold; to: of what was unfolded. */
static const test_case unfold_backward_cases[] = {
    {OF(S(5, 3)), .to = S(7), .axis = 0, .size = 3, .step = 1},
    {OF(S(3, 3)), .to = S(7), .axis = 0, .size = 3, .step = 2},
    {OF(S(2, 2)), .to = S(7), .axis = 0, .size = 2, .step = 3},
    {OF(S(2, 6)), .to = S(7), .axis = 0, .size = 6, .step = 1},
    {OF(S(1, 1)), .to = S(1), .axis = 0, .size = 1, .step = 1},
    {OF(S(2, 2, 2, 3)), .to = S(2, 5, 2), .axis = 1, .size = 3, .step = 2},
    {OF(S(0, 2, 2)), .to = S(0, 3), .axis = 1, .size = 2, .step = 1},
    {OF(S(12, 8, 6)), .to = S(12, 20), .axis = 1, .size = 6, .step = 2},
    END,
};
static const test_case take_along_cases[] = {
    {OF(S(4), S(6)), .axis = 0, .low = -4, .size = 4},
    {OF(S(3, 4), S(1, 2)), .axis = 1, .low = -4, .size = 4},
    {OF(S(1, 4), S(3, 2)), .axis = -1, .low = -4, .size = 4},
    {OF(S(2, 3, 1), S(1, 2, 4)), .axis = 1, .low = -3, .size = 3},
    {OF(S(1), S(1)), .axis = 0, .low = -1, .size = 1},
    {OF(S(3), S(0)), .axis = 0, .low = -3, .size = 3},
    {OF(S(20, 30), S(1, 7)), .axis = 1, .low = -30, .size = 30},
    END,
};
static const test_case embedding_cases[] = {
    {OF(S(4, 3), S(5)), .low = 0, .size = 4, .step = GR_NO_PADDING},
    {OF(S(4, 3), S(2, 3)), .low = 0, .size = 4, .step = GR_NO_PADDING},
    {OF(S(4), S(6)), .low = 0, .size = 4, .step = GR_NO_PADDING},
    {OF(S(4, 2, 2), S0), .low = 0, .size = 4, .step = GR_NO_PADDING},
    {OF(S(4, 2), S(0)), .low = 0, .size = 4, .step = GR_NO_PADDING},
    {OF(S(1, 1), S(1)), .low = 0, .size = 1, .step = GR_NO_PADDING},
    {OF(S(20, 30), S(6, 8)), .low = 0, .size = 20, .step = GR_NO_PADDING},
    END,
};
static const test_case masked_fill_cases[] = {
    {OF(S0, S0), .number = 3},
    {OF(S(3, 4), S(3, 4)), .number = 3},
    {OF(S(3, 4), S(4)), .number = -1},
    {OF(S(3, 4), S(3, 1)), .number = 0},
    {OF(S(2, 3, 4), S0), .number = 5},
    {OF(S(0), S(1)), .number = 5},
    {OF(S(1), S(1)), .number = 5},
    {OF(S(30, 20), S(20)), .number = 5},
    END,
};
static const test_case masked_select_cases[] = {
    {OF(S0, S0)},
    {OF(S(3, 4), S(3, 4))},
    {OF(S(3, 4), S(4))},
    {OF(S(4), S(3, 1))},
    {OF(S0, S(2, 3))},
    {OF(S(0), S(1))},
    {OF(S(1), S(1))},
    {OF(S(2, 1, 3), S(2, 1))},
    {OF(S(20, 30), S(20, 30))},
    END,
};
static const test_case meshgrid_cases[] = {
    {OF(S(2), S(3), S(4)), .axis = 0},   {OF(S(2), S(3), S(4)), .axis = 1},
    {OF(S(2), S(3), S(4)), .axis = 2},   {OF(S(2), S0, S(1)), .axis = 0},
    {OF(S(2), S0, S(1)), .axis = 1},     {OF(S(2), S(0), S(1)), .axis = 2},
    {OF(S(10), S(12), S(9)), .axis = 1}, END,
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

/* ---- What moves: for each element of the result, where it comes from ---- */

/* Fills y, whose shape is set: `source` turns an index of the result into one of x, or returns false for what is no
   element of x, which gets the number of the case. */
static void move(const test_case *c, const array *x, array *y,
                 bool (*source)(const test_case *c, gr_shape from, gr_shape to, int64_t *index))
{
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        int64_t index[GR_MAX_NDIM];
        index_of(y->shape, e, index);
        y->v[e] = source(c, x->shape, y->shape, index) ? x->v[element_of(x->shape, index)] : c->number;
    }
}

static int axis_of(const test_case *c, int ndim) { return c->axis < 0 ? c->axis + ndim : c->axis; }

static void expect_stack(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r;
    const int axis = axis_of(c, x->shape.ndim + 1);
    y->shape.ndim = x->shape.ndim + 1;
    for (int i = 0; i < y->shape.ndim; i++)
        y->shape.dims[i] = i < axis ? x->shape.dims[i] : i == axis ? n : x->shape.dims[i - 1];
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        int64_t index[GR_MAX_NDIM];
        index_of(y->shape, e, index);
        const int64_t k = index[axis];
        memmove(index + axis, index + axis + 1, (size_t)(GR_MAX_NDIM - axis - 1) * sizeof *index);
        y->v[e] = x[k].v[element_of(x->shape, index)];
    }
}

static bool from_part(const test_case *c, gr_shape from, gr_shape to, int64_t *index)
{
    (void)to;
    index[axis_of(c, from.ndim)] += c->start;
    return true;
}
static void expect_part(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    y->shape = x->shape;
    y->shape.dims[axis_of(c, x->shape.ndim)] = c->size;
    move(c, x, y, from_part);
}

static bool from_tile(const test_case *c, gr_shape from, gr_shape to, int64_t *index)
{
    (void)c;
    for (int i = 0; i < from.ndim; i++) index[i] = index[i + to.ndim - from.ndim] % from.dims[i];
    return true;
}
static void expect_tile(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    const gr_shape s = x->shape;
    const int ndim = y->shape.ndim = s.ndim > c->to.ndim ? s.ndim : c->to.ndim;
    for (int i = 0; i < ndim; i++) {
        const int own = i - (ndim - s.ndim), times = i - (ndim - c->to.ndim);
        y->shape.dims[i] = (own < 0 ? 1 : s.dims[own]) * (times < 0 ? 1 : c->to.dims[times]);
    }
    move(c, x, y, from_tile);
}

static bool from_interleave(const test_case *c, gr_shape from, gr_shape to, int64_t *index)
{
    (void)to;
    index[axis_of(c, from.ndim)] /= c->size;
    return true;
}
static void expect_interleave(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    y->shape = x->shape;
    y->shape.dims[axis_of(c, x->shape.ndim)] *= c->size;
    move(c, x, y, from_interleave);
}

static bool from_flip(const test_case *c, gr_shape from, gr_shape to, int64_t *index)
{
    (void)to;
    for (int i = 0; i < from.ndim; i++)
        if (is_reduced(c->axes, i, from.ndim)) index[i] = from.dims[i] - 1 - index[i];
    return true;
}
static void expect_flip(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    y->shape = x->shape;
    move(c, x, y, from_flip);
}

static bool from_roll(const test_case *c, gr_shape from, gr_shape to, int64_t *index)
{
    (void)to;
    const int axis = axis_of(c, from.ndim);
    const int64_t n = from.dims[axis];
    index[axis] = ((index[axis] - c->step) % n + n) % n;
    return true;
}
static void expect_roll(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    y->shape = x->shape;
    move(c, x, y, from_roll);
}

static bool from_pad(const test_case *c, gr_shape from, gr_shape to, int64_t *index)
{
    (void)to;
    bool inside = true;
    for (int i = 0; i < from.ndim; i++) {
        const int64_t n = from.dims[i];
        int64_t at = index[i] - c->before.dims[i];
        inside &= at >= 0 && at < n;
        if (c->size == GR_PAD_REFLECT) at = at < 0 ? -at : at >= n ? 2 * (n - 1) - at : at;
        if (c->size == GR_PAD_REPLICATE) at = at < 0 ? 0 : at >= n ? n - 1 : at;
        if (c->size == GR_PAD_CIRCULAR) at = (at + n) % n;
        index[i] = at;
    }
    return inside || c->size != GR_PAD_CONSTANT;
}
static void expect_pad(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    y->shape = x->shape;
    for (int i = 0; i < x->shape.ndim; i++) y->shape.dims[i] += c->before.dims[i] + c->after.dims[i];
    move(c, x, y, from_pad);
}

/* The distance of an element from the diagonal: how far right of it. */
static double beside(gr_shape s, const int64_t *index)
{
    return (double)index[s.ndim - 1] - (double)index[s.ndim - 2];
}
static bool from_triu(const test_case *c, gr_shape from, gr_shape to, int64_t *index)
{
    (void)to;
    return beside(from, index) >= (double)c->step;
}
static bool from_tril(const test_case *c, gr_shape from, gr_shape to, int64_t *index)
{
    (void)to;
    return beside(from, index) <= (double)c->step;
}
static void expect_triangle(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)n;
    y->shape = x->shape;
    move(c, x, y, r->name[3] == 'u' ? from_triu : from_tril);
}

static bool from_diagonal(const test_case *c, gr_shape from, gr_shape to, int64_t *index)
{
    const int ndim = from.ndim, down = (c->axes.axis[0] + ndim) % ndim,
              column = (c->axes.axis[1] + ndim) % ndim;
    const int64_t at = index[to.ndim - 1], start = c->step;
    for (int i = ndim - 1, own = to.ndim - 2; i >= 0; i--)
        if (i != down && i != column) index[i] = index[own--];
    index[down] = at - (start < 0 ? start : 0);
    index[column] = at + (start > 0 ? start : 0);
    return true;
}
static void expect_diagonal(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    const gr_shape s = x->shape;
    const int down = (c->axes.axis[0] + s.ndim) % s.ndim, column = (c->axes.axis[1] + s.ndim) % s.ndim;
    int64_t length = 0;
    for (int64_t i = 0; i < s.dims[down]; i++) length += i + c->step >= 0 && i + c->step < s.dims[column];
    y->shape.ndim = 0;
    for (int i = 0; i < s.ndim; i++)
        if (i != down && i != column) y->shape.dims[y->shape.ndim++] = s.dims[i];
    y->shape.dims[y->shape.ndim++] = length;
    move(c, x, y, from_diagonal);
}

static bool from_diag_embed(const test_case *c, gr_shape from, gr_shape to, int64_t *index)
{
    const int last = from.ndim - 1;
    const bool on = beside(to, index) == (double)c->step;
    index[last] = index[last] < index[last + 1] ? index[last] : index[last + 1];
    return on;
}
static void expect_diag_embed(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    const int last = x->shape.ndim - 1;
    y->shape = x->shape;
    y->shape.ndim++;
    y->shape.dims[last] += c->step < 0 ? -c->step : c->step;
    y->shape.dims[last + 1] = y->shape.dims[last];
    move(c, x, y, from_diag_embed);
}
static void expect_diag(const row *r, const test_case *c, int n, const array *x, array *y)
{
    test_case own = *c;
    own.axes = (gr_axes)AXES(0, 1);
    if (x->shape.ndim == 1)
        expect_diag_embed(r, c, n, x, y);
    else
        expect_diagonal(r, &own, n, x, y);
}

static bool from_unfold(const test_case *c, gr_shape from, gr_shape to, int64_t *index)
{
    const int axis = axis_of(c, from.ndim);
    index[axis] = index[axis] * c->step + index[to.ndim - 1];
    return true;
}
static void expect_unfold(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    const int axis = axis_of(c, x->shape.ndim);
    int64_t windows = 0;
    while (windows * c->step + c->size <= x->shape.dims[axis]) windows++;
    y->shape = x->shape;
    y->shape.dims[axis] = windows;
    y->shape.dims[y->shape.ndim++] = c->size;
    move(c, x, y, from_unfold);
}
static void expect_unfold_backward(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    y->shape = c->to;
    memset(y->v, 0, (size_t)count_of(y->shape) * sizeof *y->v);
    for (int64_t e = 0; e < count_of(x->shape); e++) {
        int64_t index[GR_MAX_NDIM];
        index_of(x->shape, e, index);
        from_unfold(c, c->to, x->shape, index);
        y->v[element_of(y->shape, index)] += x->v[e];
    }
}

/* ---- What an index or a mask selects ---- */

static void expect_take_along(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r;
    static array beside_axis[2];
    const int ndim = x->shape.ndim, axis = axis_of(c, ndim);
    for (int k = 0; k < n; k++) {
        beside_axis[k].shape = x[k].shape;
        beside_axis[k].shape.dims[axis] = 1;
    }
    y->shape = broadcast_shape(n, beside_axis);
    y->shape.dims[axis] = x[1].shape.dims[axis];
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        int64_t index[GR_MAX_NDIM], own[GR_MAX_NDIM];
        index_of(y->shape, e, index);
        for (int i = 0; i < ndim; i++) own[i] = x[1].shape.dims[i] == 1 ? 0 : index[i];
        const int64_t at = (int64_t)x[1].v[element_of(x[1].shape, own)];
        for (int i = 0; i < ndim; i++) own[i] = x[0].shape.dims[i] == 1 ? 0 : index[i];
        own[axis] = at < 0 ? at + c->size : at;
        y->v[e] = x->v[element_of(x->shape, own)];
    }
}

static void expect_embedding(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n, (void)c;
    y->shape = x[1].shape;
    for (int i = 1; i < x->shape.ndim; i++) y->shape.dims[y->shape.ndim++] = x->shape.dims[i];
    const int64_t width = x->shape.dims[0] ? count_of(x->shape) / x->shape.dims[0] : 0;
    for (int64_t e = 0; e < count_of(y->shape); e++)
        y->v[e] = x->v[(int64_t)x[1].v[e / width] * width + e % width];
}

static void expect_masked_fill(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    y->shape = x->shape;
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        int64_t index[GR_MAX_NDIM];
        index_of(y->shape, e, index);
        y->v[e] = broadcast_at(&x[1], y->shape.ndim, index) != 0 ? c->number : x->v[e];
    }
}

static void expect_masked_select(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)c;
    const gr_shape all = broadcast_shape(n, x);
    y->shape = (gr_shape)S(0);
    for (int64_t e = 0; e < count_of(all); e++) {
        int64_t index[GR_MAX_NDIM];
        index_of(all, e, index);
        if (broadcast_at(&x[1], all.ndim, index) != 0)
            y->v[y->shape.dims[0]++] = broadcast_at(&x[0], all.ndim, index);
    }
}

static void expect_flatnonzero(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)c, (void)n;
    y->shape = (gr_shape)S(0);
    for (int64_t e = 0; e < count_of(x->shape); e++)
        if (x->v[e] != 0) y->v[y->shape.dims[0]++] = (double)e;
}

static void expect_meshgrid(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r;
    y->shape.ndim = n;
    for (int k = 0; k < n; k++) y->shape.dims[k] = count_of(x[k].shape);
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        int64_t index[GR_MAX_NDIM];
        index_of(y->shape, e, index);
        y->v[e] = x[c->axis].v[index[c->axis]];
    }
}

static gr_tensor b_split(gr_graph *g, const gr_tensor *x, const test_case *c, gr_type type)
{
    (void)g, (void)type;
    const int64_t left = gr_dim(x[0], c->axis) - c->start - c->size, sizes[] = {c->start, c->size, left};
    gr_tensor parts[3];
    gr_split(x[0], c->axis, 3, sizes, parts);
    return parts[1];
}

/* The part that comes last. */
static gr_tensor b_chunk(gr_graph *g, const gr_tensor *x, const test_case *c, gr_type type)
{
    (void)g, (void)type;
    gr_tensor parts[8];
    const int n = gr_chunk(x[0], c->axis, (int)c->stop, parts);
    return n > 0 ? parts[n - 1] : GR_NONE;
}

static gr_tensor b_meshgrid(gr_graph *g, const gr_tensor *x, const test_case *c, gr_type type)
{
    (void)g, (void)type;
    gr_tensor grids[3];
    gr_meshgrid(3, x, grids);
    return grids[c->axis];
}

/* The gradient of windows, as a function of the cotangent. */
static gr_tensor b_unfold_backward(gr_graph *g, const gr_tensor *x, const test_case *c, gr_type type)
{
    const gr_tensor whole = gr_set_requires_grad(gr_constant(g, type, c->to, NULL), true);
    const gr_tensor y = gr_unfold(whole, c->axis, c->size, c->step);
    gr_tensor gradient;
    gr_grad(1, &y, 1, &whole, x, &(gr_grad_options){.record = true}, &gradient);
    return gradient;
}

BUILD(b_stack, gr_stack(3, x, c->axis))
BUILD(b_tile, gr_tile(x[0], c->to))
BUILD(b_repeat, gr_repeat(x[0], c->to))
BUILD(b_repeat_interleave, gr_repeat_interleave(x[0], c->axis, c->size))
BUILD(b_flip, gr_flip(x[0], c->axes))
BUILD(b_roll, gr_roll(x[0], c->axis, c->step))
BUILD(b_pad, gr_pad(x[0], c->before, c->after, (gr_pad_mode)c->size, c->number))
BUILD(b_triu, gr_triu(x[0], c->step))
BUILD(b_tril, gr_tril(x[0], c->step))
BUILD(b_diagonal, gr_diagonal(x[0], c->step, c->axes.axis[0], c->axes.axis[1]))
BUILD(b_diag_embed, gr_diag_embed(x[0], c->step))
BUILD(b_diag, gr_diag(x[0], c->step))
BUILD(b_unfold, gr_unfold(x[0], c->axis, c->size, c->step))
BUILD(b_take_along_axis, gr_take_along_axis(x[0], c->axis, x[1]))
BUILD(b_embedding, gr_embedding(x[0], x[1], c->step))
BUILD(b_masked_fill, gr_masked_fill(x[0], x[1], c->number))
BUILD(b_masked_select, gr_masked_select(x[0], x[1]))
BUILD(b_flatnonzero, gr_flatnonzero(x[0]))
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

/* Views that are made of others. */

static const test_case transpose_cases[] = {
    {OF(S(3, 4)), .axes = AXES(1, 0), .start = 0, .stop = 1},
    {OF(S(2, 3, 4)), .axes = AXES(2, 1, 0), .start = -1, .stop = 0},
    {OF(S(2, 3, 4)), .axes = AXES(0, 1, 2), .start = 1, .stop = 1},
    {OF(S(2, 0)), .axes = AXES(1, 0), .start = 1, .stop = 0},
    {OF(S(33, 65)), .axes = AXES(1, 0), .start = 0, .stop = 1},
    END,
};
static const test_case select_cases[] = {
    {OF(S(5)), .axis = 0, .start = 2},       {OF(S(3, 4)), .axis = 1, .start = -1},
    {OF(S(3, 4)), .axis = -2, .start = 0},   {OF(S(2, 3, 4)), .axis = 1, .start = -3},
    {OF(S(1)), .axis = 0, .start = 0},       {OF(S(3, 0)), .axis = 0, .start = 1},
    {OF(S(33, 65)), .axis = 1, .start = 64}, END,
};
static const test_case squeeze_cases[] = {
    {OF(S(1)), .axes = ALL, .to = S0},
    {OF(S(1, 3, 1)), .axes = ALL, .to = S(3)},
    {OF(S(1, 3, 1)), .axes = AXES(-1), .to = S(1, 3)},
    {OF(S(2, 1, 3)), .axes = AXES(1), .to = S(2, 3)},
    {OF(S(1, 0)), .axes = AXES(0), .to = S(0)},
    {OF(S(3, 4)), .axes = ALL, .to = S(3, 4)},
    END,
};
static const test_case unsqueeze_cases[] = {
    {OF(S0), .axis = 0, .to = S(1)},
    {OF(S(3)), .axis = 0, .to = S(1, 3)},
    {OF(S(3)), .axis = -1, .to = S(3, 1)},
    {OF(S(3, 4)), .axis = 1, .to = S(3, 1, 4)},
    {OF(S(0)), .axis = -2, .to = S(1, 0)},
    {OF(S(33, 65)), .axis = 2, .to = S(33, 65, 1)},
    END,
};

static void expect_select(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    const int ndim = x->shape.ndim, axis = c->axis < 0 ? c->axis + ndim : c->axis;
    y->shape.ndim = ndim - 1;
    for (int i = 0; i < ndim - 1; i++) y->shape.dims[i] = x->shape.dims[i + (i >= axis)];
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        int64_t index[GR_MAX_NDIM], source[GR_MAX_NDIM];
        index_of(y->shape, e, index);
        for (int i = 0; i < ndim; i++) source[i] = index[i > axis ? i - 1 : i];
        source[axis] = c->start < 0 ? c->start + x->shape.dims[axis] : c->start;
        y->v[e] = x->v[element_of(x->shape, source)];
    }
}

BUILD(b_transpose, gr_transpose(x[0], (int)c->start, (int)c->stop))
BUILD(b_select, gr_select(x[0], c->axis, c->start))
BUILD(b_squeeze, gr_squeeze(x[0], c->axes))
BUILD(b_unsqueeze, gr_unsqueeze(x[0], c->axis))

const row movement_rows[] = {
    {USE(chunk, "f", chunk_cases, expect_part), .integers = true, .composed = true},
    {USE(concat, "fff", concat_cases, expect_concat), .integers = true},
    {USE(contiguous, "f", unary_cases, expect_same), .integers = true},
    {USE(diag, "f", diag_cases, expect_diag), .integers = true, .composed = true},
    {USE(diag_embed, "f", diag_embed_cases, expect_diag_embed), .integers = true},
    {USE(diagonal, "f", diagonal_cases, expect_diagonal), .integers = true},
    {USE(embedding, "fi", embedding_cases, expect_embedding), .integers = true, .composed = true},
    {USE(expand, "f", expand_cases, expect_expand), .integers = true},
    {USE(flatnonzero, "m", unary_cases, expect_flatnonzero), .not_differentiable = "its operand is a mask",
     .typed = true, .result = GR_I32},
    {USE(flip, "f", flip_cases, expect_flip), .integers = true, .composed = true},
    {USE(gather, "fi", gather_cases, expect_take), .integers = true},
    {USE(index_add, "fi", index_add_cases, expect_put), .layout_tolerance = 16},
    {USE(index_select, "fi", index_select_cases, expect_take), .integers = true},
    {USE(masked_fill, "fm", masked_fill_cases, expect_masked_fill), .integers = true, .composed = true},
    {USE(masked_select, "fm", masked_select_cases, expect_masked_select), .integers = true, .composed = true},
    {USE(meshgrid, "fff", meshgrid_cases, expect_meshgrid), .integers = true, .composed = true},
    {USE(one_hot, "i", one_hot_cases, expect_one_hot), .not_differentiable = "its operand is i32"},
    {USE(pad, "f", pad_cases, expect_pad), .integers = true, .composed = true},
    {USE(permute, "f", permute_cases, expect_permute), .integers = true},
    {USE(repeat, "f", tile_cases + 2, expect_tile), .integers = true, .composed = true},
    {USE(repeat_interleave, "f", interleave_cases, expect_interleave), .integers = true, .composed = true},
    {USE(reshape, "f", reshape_cases, expect_reshape), .integers = true},
    {USE(roll, "f", roll_cases, expect_roll), .integers = true, .composed = true},
    {USE(scatter_add, "fi", scatter_add_cases, expect_put), .layout_tolerance = 16},
    {USE(slice, "f", slice_cases, expect_slice), .integers = true},
    {USE(slice_backward, "f", slice_cases, expect_slice_backward), .reshape_operands = reshape_cotangent},
    {USE(split, "f", split_cases, expect_part), .integers = true, .composed = true},
    {USE(stack, "fff", stack_cases, expect_stack), .integers = true, .composed = true},
    {USE(take_along_axis, "fi", take_along_cases, expect_take_along), .integers = true, .composed = true},
    {USE(tile, "f", tile_cases, expect_tile), .integers = true, .composed = true},
    {USE(tril, "f", triangle_cases, expect_triangle), .integers = true, .composed = true},
    {USE(triu, "f", triangle_cases, expect_triangle), .integers = true, .composed = true},
    {USE(unfold, "f", unfold_cases, expect_unfold), .integers = true},
    {USE(unfold_backward, "f", unfold_backward_cases, expect_unfold_backward), .layout_tolerance = 16},
    {USE(transpose, "f", transpose_cases, expect_permute), .integers = true, .composed = true},
    {USE(select, "f", select_cases, expect_select), .integers = true, .composed = true},
    {USE(squeeze, "f", squeeze_cases, expect_reshape), .integers = true, .composed = true},
    {USE(unsqueeze, "f", unsqueeze_cases, expect_reshape), .integers = true, .composed = true},
    {.name = NULL},
};
