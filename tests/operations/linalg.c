/* Rows of operations of linear algebra. */
#include "table.h"

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

BUILD(b_matmul, gr_matmul(x[0], x[1]))

const row linalg_rows[] = {
    {USE(matmul, "ff", matmul_cases, expect_matmul), .layout_tolerance = 64},
    {.name = NULL},
};
