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

/* ---- Vectors, diagonals ---- */

static const test_case dot_cases[] = {
    {OF(S(3), S(3))}, {OF(S(1), S(1))}, {OF(S(0), S(0))}, {OF(S(50), S(50))}, END,
};
static const test_case outer_cases[] = {
    {OF(S(3), S(4))}, {OF(S(1), S(1))}, {OF(S(0), S(2))}, {OF(S(2), S(0))}, {OF(S(30), S(40))}, END,
};
static const test_case trace_cases[] = {
    {OF(S(3, 3))},    {OF(S(2, 4))}, {OF(S(2, 3, 2))}, {OF(S(0, 3))},
    {OF(S(0, 2, 2))}, {OF(S(1, 1))}, {OF(S(40, 30))},  END,
};
static const test_case eye_cases[] = {
    {.to = S(3, 3)},
    {.to = S(2, 4)},
    {.to = S(4, 2)},
    {.to = S(0, 3)},
    {.to = S(1, 1)},
    {.to = S(30, 40)},
    END,
};

static void expect_outer(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)c, (void)n;
    const int64_t rows = count_of(x[0].shape), columns = count_of(x[1].shape);
    y->shape = (gr_shape)S(rows, columns);
    for (int64_t e = 0; e < count_of(y->shape); e++) y->v[e] = x[0].v[e / columns] * x[1].v[e % columns];
}

static void expect_trace(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)c, (void)n;
    const int64_t rows = x->shape.dims[x->shape.ndim - 2], columns = x->shape.dims[x->shape.ndim - 1];
    y->shape = x->shape;
    y->shape.ndim -= 2;
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        y->v[e] = 0;
        for (int64_t i = 0; i < rows && i < columns; i++)
            y->v[e] += x->v[e * rows * columns + i * columns + i];
    }
}

static void expect_eye(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n, (void)x;
    y->shape = c->to;
    for (int64_t e = 0; e < count_of(y->shape); e++) y->v[e] = e / c->to.dims[1] == e % c->to.dims[1];
}

/* ---- Sums of products ---- */

static const test_case einsum_cases[] = {
    {OF(S(2, 3), S(3, 4)), .text = "ij,jk->ik"},
    {OF(S(2, 3), S(3, 4)), .text = "ij,jk->ki"},
    {OF(S(2, 3), S(3, 4)), .text = "ij,jk"},
    {OF(S(2, 3), S(4, 2)), .text = "ab, ca -> bc"},
    {OF(S(3), S(3)), .text = "i,i->"},
    {OF(S(3), S(3)), .text = "i,i->i"},
    {OF(S(3), S(4)), .text = "i,j->ji"},
    {OF(S(2, 3), S(2, 3)), .text = "ij,ij->i"},
    {OF(S(2, 3), S(4, 5)), .text = "ij,kl->il"},
    {OF(S(3, 3), S(3)), .text = "ii,i->i"},
    {OF(S(2, 3, 2), S(2, 3)), .text = "iji,ij"},
    {OF(S(5, 2, 3), S(5, 3, 4)), .text = "bij,bjk->bik"},
    {OF(S(5, 2, 3), S(1, 3, 4)), .text = "...ij,...jk->...ik"},
    {OF(S(2, 1, 2, 3), S(3, 3, 2)), .text = "...ij,...jk"},
    {OF(S(2, 3, 2), S(3)), .text = "...,z->z..."},
    {OF(S(1, 3), S(2, 3)), .text = "ij,ij->ij"},
    {OF(S(2, 3, 4, 2), S(2, 4, 2)), .text = "abcd,dca->b"},
    {OF(S0, S(3)), .text = ",i->i"},
    {OF(S0, S0), .text = ","},
    {OF(S(0, 3), S(3, 2)), .text = "ij,jk->ik"},
    {OF(S(2, 0), S(0, 3)), .text = "ij,jk->ik"},
    {OF(S(1, 1), S(1, 1)), .text = "ij,jk->ik"},
    {OF(S(17, 33), S(19, 33)), .text = "ij,kj->ik"},
    {OF(S(6, 5, 7), S(7, 6, 9)), .text = "abc,cad->bd"},
    END,
};

/* Plain sums over all values of all labels; an ellipsis is of labels 1, 2, ... from its right. */
static int read_labels(const char **at, int ndim, char *label)
{
    char letters[16];
    int n = 0, dots = -1, made = 0;
    for (; **at && **at != ',' && **at != '-'; ++*at) {
        if (**at == ' ') continue;
        if (**at == '.') {
            dots = n;
            *at += 2;
        } else {
            letters[n++] = **at;
        }
    }
    for (int i = 0; i <= n; i++) {
        for (int k = ndim - n; i == dots && k > 0; k--) label[made++] = (char)k;
        if (i < n) label[made++] = letters[i];
    }
    return made;
}

static void expect_einsum(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r;
    char label[3][GR_MAX_NDIM], all[GR_MAX_NDIM * 3];
    int64_t size[128], value[128] = {0}, times[128] = {0};
    int n_all = 0, wide = 0;
    const char *at = c->text;
    for (int i = 0; i < 128; i++) size[i] = -1;
    for (int k = 0; k < n; k++, at++) {
        const int count = read_labels(&at, x[k].shape.ndim, label[k]);
        for (int i = 0; i < count; i++) {
            const int l = label[k][i];
            times[l]++;
            if (size[l] < 0) all[n_all++] = (char)l;
            if (size[l] < 0 || size[l] == 1) size[l] = x[k].shape.dims[i];
            if (l < 9 && l > wide) wide = l;
        }
    }
    at--;
    int results = 0;
    if (*at == '-') {
        at += 2;
        int letters = 0;
        for (const char *p = at; *p; p++) letters += *p != ' ' && *p != '.';
        results = read_labels(&at, letters + (strchr(at, '.') ? wide : 0), label[2]);
    } else {
        for (int k = wide; k > 0; k--) label[2][results++] = (char)k;
        for (int l = 'A'; l < 128; l++)
            if (times[l] == 1) label[2][results++] = (char)l;
    }
    y->shape.ndim = results;
    int64_t total = 1;
    for (int i = 0; i < results; i++) y->shape.dims[i] = size[(int)label[2][i]];
    for (int i = 0; i < n_all; i++) total *= size[(int)all[i]];
    memset(y->v, 0, (size_t)count_of(y->shape) * sizeof *y->v);
    for (int64_t e = 0; e < total; e++) {
        int64_t rest = e;
        for (int i = 0; i < n_all; i++) {
            value[(int)all[i]] = rest % size[(int)all[i]];
            rest /= size[(int)all[i]];
        }
        double product = 1;
        for (int k = 0; k < n; k++) {
            int64_t index[GR_MAX_NDIM];
            for (int i = 0; i < x[k].shape.ndim; i++)
                index[i] = x[k].shape.dims[i] == 1 ? 0 : value[(int)label[k][i]];
            product *= x[k].v[element_of(x[k].shape, index)];
        }
        int64_t index[GR_MAX_NDIM];
        for (int i = 0; i < results; i++) index[i] = value[(int)label[2][i]];
        y->v[element_of(y->shape, index)] += product;
    }
}

/* ---- Systems and factors ---- */

static const test_case system_cases[] = {
    {OF(S(3, 3), S(3, 2))},
    {OF(S(3, 3), S(3))},
    {OF(S(1, 1), S(1, 1))},
    {OF(S(1, 1), S(1))},
    {OF(S(0, 0), S(0, 2))},
    {OF(S(0, 0), S(0))},
    {OF(S(2, 2), S(2, 0))},
    {OF(S(2, 3, 3), S(2, 3, 2))},
    {OF(S(2, 3, 3), S(3, 2))},
    {OF(S(3, 3), S(2, 3, 2))},
    {OF(S(2, 1, 2, 2), S(3, 2, 1))},
    {OF(S(0, 2, 2), S(2, 1))},
    {OF(S(2, 2, 2), S(2))},
    {OF(S(40, 40), S(40, 3))},
    END,
};
/* step: the flags. */
static const test_case triangular_cases[] = {
    {OF(S(3, 3), S(3, 2)), .step = GR_LOWER},
    {OF(S(3, 3), S(3, 2)), .step = GR_UPPER},
    {OF(S(3, 3), S(3, 2)), .step = GR_LOWER | GR_TRANSPOSED},
    {OF(S(3, 3), S(3, 2)), .step = GR_UPPER | GR_TRANSPOSED},
    {OF(S(3, 3), S(3, 2)), .step = GR_LOWER | GR_UNIT_DIAGONAL},
    {OF(S(3, 3), S(3, 2)), .step = GR_UPPER | GR_UNIT_DIAGONAL},
    {OF(S(3, 3), S(3)), .step = GR_LOWER | GR_TRANSPOSED | GR_UNIT_DIAGONAL},
    {OF(S(3, 3), S(3)), .step = GR_UPPER | GR_TRANSPOSED | GR_UNIT_DIAGONAL},
    {OF(S(1, 1), S(1, 1)), .step = GR_UPPER},
    {OF(S(0, 0), S(0, 2)), .step = GR_LOWER},
    {OF(S(2, 2), S(2, 0)), .step = GR_LOWER},
    {OF(S(2, 3, 3), S(3, 2)), .step = GR_UPPER},
    {OF(S(3, 3), S(2, 3, 2)), .step = GR_LOWER},
    {OF(S(2, 1, 2, 2), S(3, 2, 1)), .step = GR_LOWER},
    {OF(S(40, 40), S(40, 3)), .step = GR_LOWER},
    {OF(S(40, 40), S(40, 3)), .step = GR_UPPER | GR_TRANSPOSED},
    {OF(S(40, 40), S(40, 3)), .step = GR_UPPER},
    {OF(S(40, 40), S(40, 3)), .step = GR_LOWER | GR_TRANSPOSED},
    END,
};
static const test_case square_cases[] = {
    {OF(S(3, 3))},       {OF(S(1, 1))},   {OF(S(0, 0))}, {OF(S(2, 3, 3))}, {OF(S(0, 2, 2))}, {OF(S(3, 0, 0))},
    {OF(S(2, 1, 2, 2))}, {OF(S(40, 40))}, END,
};

/* Small elements, and a diagonal of 2: far from singular, determinant positive, positive definite. `turned`: with the last row
   first, so that rows have to be exchanged. */
static void make_regular(array *a, bool turned)
{
    const int64_t n = a->shape.dims[a->shape.ndim - 1], size = n * n;
    static double old[MOST_ELEMENTS];
    for (int64_t e = 0; e < count_of(a->shape); e++) {
        const int64_t i = e % size / n, j = e % n;
        old[e] = (double)(float)(a->v[e] / (double)n + (i == j ? 2 : 0));
    }
    for (int64_t e = 0; e < count_of(a->shape); e++) {
        const int64_t i = e % size / n, from = turned ? (i + n - 1) % n : i;
        a->v[e] = old[e + (from - i) * n];
    }
}
static void arrange_regular(const test_case *c, int n, array *x)
{
    (void)c, (void)n;
    make_regular(x, false);
}
static void arrange_turned(const test_case *c, int n, array *x)
{
    (void)c, (void)n;
    make_regular(x, true);
}

/* x = a^-1 x by Gauss and Jordan, rows exchanged, of n equations and k right-hand sides; returns the determinant. */
static double eliminate(int64_t n, int64_t k, double *a, double *x)
{
    double determinant = 1;
    for (int64_t j = 0; j < n; j++) {
        int64_t at = j;
        for (int64_t i = j; i < n; i++)
            if (fabs(a[i * n + j]) > fabs(a[at * n + j])) at = i;
        for (int64_t c = 0; c < n + k && at != j; c++) {
            double *p = c < n ? &a[j * n + c] : &x[j * k + c - n],
                   *q = c < n ? &a[at * n + c] : &x[at * k + c - n];
            const double t = *p;
            *p = *q;
            *q = t;
        }
        const double pivot = a[j * n + j];
        determinant *= at == j ? pivot : -pivot;
        for (int64_t c = 0; c < n; c++) a[j * n + c] /= pivot;
        for (int64_t c = 0; c < k; c++) x[j * k + c] /= pivot;
        for (int64_t i = 0; i < n; i++) {
            const double factor = i == j ? 0 : a[i * n + j];
            for (int64_t c = 0; c < n; c++) a[i * n + c] -= factor * a[j * n + c];
            for (int64_t c = 0; c < k; c++) x[i * k + c] -= factor * x[j * k + c];
        }
    }
    return determinant;
}

/* The matrix number `index` of the broadcast leading axes, of `size` elements. */
static const double *matrix_at(const array *x, gr_shape lead, int64_t index, int64_t size)
{
    int64_t place[GR_MAX_NDIM], own[GR_MAX_NDIM] = {0};
    const int leading = x->shape.ndim - 2;
    index_of(lead, index, place);
    for (int i = 0; i < leading; i++) own[i] = x->shape.dims[i] == 1 ? 0 : place[i + lead.ndim - leading];
    gr_shape s = x->shape;
    s.ndim = leading;
    return x->v + element_of(s, own) * size;
}

/* The triangle that the flags speak of, written out, instead of the matrix. */
static void write_triangle(int64_t n, int64_t flags, double *a)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            if (i == j && (flags & GR_UNIT_DIAGONAL)) a[i * n + j] = 1;
            if (flags & GR_UPPER ? i > j : i < j) a[i * n + j] = 0;
        }
    for (int64_t i = 0; i < n && (flags & GR_TRANSPOSED); i++)
        for (int64_t j = 0; j < i; j++) {
            const double t = a[i * n + j];
            a[i * n + j] = a[j * n + i];
            a[j * n + i] = t;
        }
}

static void expect_system(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)n;
    static array b, lead[2];
    static double a[MOST_ELEMENTS];
    b = x[1];
    const bool vector = b.shape.ndim == 1, triangular = !strcmp(r->name, "solve_triangular");
    if (vector) b.shape = (gr_shape)S(x[1].shape.dims[0], 1);
    const int64_t rows = b.shape.dims[b.shape.ndim - 2], k = b.shape.dims[b.shape.ndim - 1];
    lead[0].shape = x[0].shape, lead[1].shape = b.shape;
    lead[0].shape.ndim -= 2, lead[1].shape.ndim -= 2;
    const gr_shape leading = broadcast_shape(2, lead);
    for (int64_t i = 0; i < count_of(leading); i++) {
        double *to = y->v + i * rows * k;
        memcpy(a, matrix_at(&x[0], leading, i, rows * rows), (size_t)(rows * rows) * sizeof *a);
        memcpy(to, matrix_at(&b, leading, i, rows * k), (size_t)(rows * k) * sizeof *a);
        if (triangular) write_triangle(rows, c->step, a);
        eliminate(rows, k, a, to);
    }
    y->shape = leading;
    y->shape.dims[y->shape.ndim++] = rows;
    if (!vector) y->shape.dims[y->shape.ndim++] = k;
}

/* Inverse, determinant and its logarithm, factor: of each matrix. */
static void expect_factors(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)c, (void)n;
    static double a[MOST_ELEMENTS], inverse[MOST_ELEMENTS];
    const int64_t rows = x->shape.dims[x->shape.ndim - 1], size = rows * rows;
    const bool inv = r->name[0] == 'i', signs = r->name[0] == 's', logarithm = r->name[0] == 'l';
    y->shape = x->shape;
    y->shape.ndim -= 2;
    const int64_t matrices = count_of(y->shape);
    if (inv) y->shape = x->shape;
    if (signs) y->shape.dims[y->shape.ndim++] = 2;
    for (int64_t i = 0; i < matrices; i++) {
        memcpy(a, x->v + i * size, (size_t)size * sizeof *a);
        for (int64_t e = 0; e < size; e++) inverse[e] = e / rows == e % rows;
        const double determinant = eliminate(rows, rows, a, inverse);
        if (inv) memcpy(y->v + i * size, inverse, (size_t)size * sizeof *a);
        if (signs) y->v[2 * i] = determinant < 0 ? -1 : 1, y->v[2 * i + 1] = log(fabs(determinant));
        if (!inv && !signs) y->v[i] = logarithm ? log(determinant) : determinant;
    }
}

static void expect_cholesky(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)c, (void)n;
    const int64_t rows = x->shape.dims[x->shape.ndim - 1];
    y->shape = x->shape;
    memset(y->v, 0, (size_t)count_of(y->shape) * sizeof *y->v);
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        const int64_t i = e / rows % rows, j = e % rows, first = e - i * rows - j;
        if (j > i) continue;
        const double *a = x->v + first;
        double *l = y->v + first, sum = (a[i * rows + j] + a[j * rows + i]) / 2;
        for (int64_t k = 0; k < j; k++) sum -= l[i * rows + k] * l[j * rows + k];
        l[i * rows + j] = i == j ? sqrt(sum) : sum / l[j * rows + j];
    }
}

static void expect_singular(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)c, (void)n;
    const int64_t rows = x->shape.dims[x->shape.ndim - 1];
    y->shape = x->shape;
    y->shape.dims[y->shape.ndim - 1] = y->shape.dims[y->shape.ndim - 2] = 1;
    for (int64_t i = 0; i < count_of(y->shape); i++)
        y->v[i] = rows > 0 && x->v[i * rows * rows + rows - 1] <= 0;
}

BUILD(b_dot, gr_dot(x[0], x[1]))
BUILD(b_outer, gr_outer(x[0], x[1]))
BUILD(b_trace, gr_trace(x[0]))
BUILD(b_eye, gr_eye(g, type, c->to.dims[0], c->to.dims[1]))
BUILD(b_einsum, gr_einsum(c->text, 2, x))
BUILD(b_solve, gr_solve(x[0], x[1]))
BUILD(b_solve_triangular, gr_solve_triangular(x[0], x[1], (unsigned)c->step))
BUILD(b_inv, gr_inv(x[0]))
BUILD(b_slogdet, gr_apply(g, find_op("slogdet"), 1, x, NULL))
/* Of matrices of which the first row is 0 where its last element is not positive. */
static gr_tensor with_rows_of_zeros(gr_tensor x)
{
    const gr_tensor top = gr_slice(x, -2, 0, 1, 1), last = gr_slice(top, -1, -1, GR_SLICE_DEFAULT, 1);
    const gr_tensor first = gr_chain_mul(top, gr_unit_step(last));
    const gr_tensor parts[] = {first, gr_slice(x, -2, 1, GR_SLICE_DEFAULT, 1)};
    return gr_concat(2, parts, -2);
}
BUILD(b_is_singular, gr_apply(NULL, find_op("is_singular"), 1, (gr_tensor[]){with_rows_of_zeros(x[0])}, NULL))
BUILD(b_logdet, gr_logdet(x[0]))
BUILD(b_det, gr_det(x[0]))
BUILD(b_cholesky, gr_cholesky(x[0]))
BUILD(b_matmul, gr_matmul(x[0], x[1]))

const row linalg_rows[] = {
    {USE(cholesky, "f", square_cases, expect_cholesky), .arrange = arrange_regular, .regular = true,
     .layout_tolerance = 64},
    {USE(det, "f", square_cases, expect_factors), .arrange = arrange_turned, .regular = true,
     .layout_tolerance = 64, .composed = true},
    {USE(dot, "ff", dot_cases, expect_matmul), .layout_tolerance = 64, .composed = true},
    {USE(einsum, "ff", einsum_cases, expect_einsum), .layout_tolerance = 64, .composed = true},
    {USE(eye, "", eye_cases, expect_eye), .not_differentiable = "has no operands", .composed = true},
    {USE(inv, "f", square_cases, expect_factors), .arrange = arrange_turned, .regular = true,
     .layout_tolerance = 64},
    {USE(is_singular, "f", square_cases, expect_singular), .arrange = arrange_regular, .regular = true,
     .not_differentiable = "its result is a mask", .typed = true, .result = GR_BOOL},
    {USE(logdet, "f", square_cases, expect_factors), .arrange = arrange_regular, .regular = true,
     .layout_tolerance = 64, .composed = true},
    {USE(matmul, "ff", matmul_cases, expect_matmul), .layout_tolerance = 64},
    {USE(outer, "ff", outer_cases, expect_outer), .composed = true},
    {USE(slogdet, "f", square_cases, expect_factors), .arrange = arrange_turned, .regular = true,
     .layout_tolerance = 64},
    {USE(solve, "ff", system_cases, expect_system), .arrange = arrange_turned, .regular = true,
     .layout_tolerance = 64},
    {USE(solve_triangular, "ff", triangular_cases, expect_system), .arrange = arrange_regular,
     .regular = true, .layout_tolerance = 64},
    {USE(trace, "f", trace_cases, expect_trace), .layout_tolerance = 64, .composed = true},
    {.name = NULL},
};
