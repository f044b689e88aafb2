/*
 * Systems and factors of sizes at which the kernels work in blocks, by residuals, in every instruction set and for any number of
 * threads; matrices that have no inverse, or hardly one; sums of products of any number of operands.
 */
#include "test.h"

#include <gradus.h>

#include <stdlib.h>

static gr_graph *g;

static gr_tensor total(gr_tensor x) { return gr_sum(x, GR_ALL_AXES, false); }
static gr_tensor across(gr_tensor x) { return gr_transpose(x, -2, -1); }
static double largest(gr_tensor x)
{
    return gr_count(x) ? gr_item(gr_max(gr_abs(x), GR_ALL_AXES, false)) : 0;
}

static gr_tensor matrix(gr_type type, int64_t rows, int64_t columns, const double *values)
{
    return gr_cast(gr_constant(g, GR_F64, GR_SHAPE(rows, columns), values), type);
}
#define MATRIX(ROWS, COLUMNS, ...) matrix(GR_F64, ROWS, COLUMNS, (const double[]){__VA_ARGS__})

static gr_tensor random_matrix(gr_type type, int64_t rows, int64_t columns)
{
    return gr_uniform(g, type, GR_SHAPE(rows, columns), -1, 1);
}

/* The triangle that the flags speak of, as a matrix. */
static gr_tensor triangle(gr_tensor a, unsigned flags)
{
    gr_tensor t = flags & GR_UPPER ? gr_triu(a, 0) : gr_tril(a, 0);
    if (flags & GR_UNIT_DIAGONAL)
        t = gr_add(gr_sub(t, gr_diag_embed(gr_diagonal(t, 0, 0, 1), 0)),
                   gr_eye(g, gr_type_of(a), gr_dim(a, 0), gr_dim(a, 0)));
    return flags & GR_TRANSPOSED ? across(t) : t;
}

/* ---- Residuals ---- */

static void check_size(gr_type type, int64_t n, int64_t k)
{
    const int before = test_failures;
    const gr_scope scope = gr_scope_begin(g);
    const double eps = type == GR_F32 ? 6e-8 : 1.2e-16, bound = 40 * eps * (double)(n + 1);
    const gr_tensor a = random_matrix(type, n, n), b = random_matrix(type, n, k);
    const gr_tensor one = gr_eye(g, type, n, n), x = gr_solve(a, b);
    CHECK(largest(gr_sub(gr_matmul(a, x), b)) <= bound * (1 + largest(x)));
    const gr_tensor inverse = gr_inv(a);
    CHECK(largest(gr_sub(gr_matmul(a, inverse), one)) <= bound * (1 + largest(inverse)));
    const gr_tensor definite = gr_add(gr_scale(gr_matmul(a, across(a)), 1 / (double)n), one);
    const gr_tensor l = gr_cholesky(definite);
    CHECK(largest(gr_sub(gr_matmul(l, across(l)), definite)) <= bound);
    CHECK(largest(gr_triu(l, 1)) == 0);
    /* |A A'/n + 1| twice: by LU, and from the diagonal of L */
    const double by_factor = 2 * gr_item(total(gr_log(gr_diagonal(l, 0, 0, 1))));
    CHECK_NEAR(gr_item(gr_logdet(definite)), by_factor, bound * (1 + fabs(by_factor)));
    const gr_tensor diagonal = gr_add(gr_scale(a, 1 / (double)n), one);
    for (unsigned flags = 0; flags < 8; flags++) {
        const gr_tensor y = gr_solve_triangular(diagonal, b, flags);
        CHECK(largest(gr_sub(gr_matmul(triangle(diagonal, flags), y), b)) <= bound * (1 + largest(y)));
    }
    CHECK(gr_graph_status(g) == GR_OK);
    if (test_failures > before)
        printf("  %s, %d equations, %d right-hand sides, %s: %s\n", gr_type_name(type), (int)n, (int)k,
               gr_graph_isa(g), gr_graph_error(g));
    gr_scope_end(scope, 0, NULL);
}

static void test_sizes(void)
{
    static const int64_t sizes[] = {1, 2, 31, 32, 33, 64, 65, 96, 130, 257};
    for (gr_isa isa = GR_ISA_PORTABLE; isa <= GR_ISA_AVX512; isa++) {
        g = gr_graph_create(&(gr_graph_options){.seed = 5, .isa = isa});
        if (!g) continue; /* not on this machine */
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (int t = 0; t < 2; t++)
                check_size(t ? GR_F32 : GR_F64, sizes[i], i % 3 == 0 ? 1 : (int64_t)(7 * i));
        gr_graph_destroy(g);
    }
}

/* All bits, whatever the number of threads. */
static void test_threads(void)
{
    enum { N = 200 };
    static double results[2][4 * N * N];
    for (int many = 0; many < 2; many++) {
        g = gr_graph_create(&(gr_graph_options){.seed = 3, .threads = many ? 3 : 1});
        const gr_tensor a = random_matrix(GR_F64, N, N), b = random_matrix(GR_F64, N, N);
        const gr_tensor definite = gr_add(gr_matmul(a, across(a)), gr_eye(g, GR_F64, N, N));
        const gr_tensor parts[] = {gr_solve(a, b), gr_inv(a), gr_cholesky(definite),
                                   gr_solve_triangular(definite, b, GR_UPPER | GR_TRANSPOSED)};
        for (int i = 0; i < 4; i++) CHECK(gr_read(parts[i], results[many] + i * N * N, N * N) == GR_OK);
        gr_graph_destroy(g);
    }
    CHECK(memcmp(results[0], results[1], sizeof results[0]) == 0);
}

/* ---- No inverse ---- */

static void fails(gr_tensor t, gr_status status, const char *message)
{
    CHECK(!gr_is_valid(t) && t.graph == g && gr_graph_status(g) == status);
    CHECK_TEXT(gr_graph_error(g), message);
    gr_graph_clear_error(g);
}

/* Of singular matrices: the value is 0, the gradient the cofactors, and derivatives of them are exact, too. For a diagonal matrix
   (2, 0, 3) the cofactors are 0 but for a 6; those of one of rank 1 are 0, and second derivatives, by symmetry, minors. */
static void test_det_of_singular(void)
{
    const double stacked[] = {2, 0, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3, 2, 4,
                              6, 3, 6, 9, 2, 0, 0, 0, 2, 0, 0, 1, 2};
    gr_tensor a = gr_set_requires_grad(gr_constant(g, GR_F64, GR_SHAPE(3, 3, 3), stacked), true);
    const gr_tensor y = gr_det(a), ones = gr_ones(g, GR_F64, GR_SHAPE(3));
    CHECK(GR_AT(y, 0) == 0 && GR_AT(y, 1) == 0);
    CHECK_NEAR(GR_AT(y, 2), 8, 1e-14);
    gr_tensor by, second;
    CHECK(gr_grad(1, &y, 1, &a, &ones, &(gr_grad_options){.record = true}, &by) == GR_OK);
    for (int i = 0; i < 9; i++) {
        CHECK(GR_AT(by, 0, i / 3, i % 3) == (i == 4 ? 6 : 0));
        CHECK_NEAR(GR_AT(by, 1, i / 3, i % 3), 0, 1e-13);
    }
    CHECK_NEAR(GR_AT(by, 2, 1, 2), -2, 1e-14); /* less the minor 2 1 - 0 0 */
    const gr_tensor corners = gr_select(gr_select(by, -1, 0), -1, 0);
    CHECK(gr_grad(1, &corners, 1, &a, &ones, NULL, &second) == GR_OK);
    /* of a11 a22 - a12 a21, counted from 0 */
    CHECK(GR_AT(second, 0, 1, 1) == 3 && GR_AT(second, 0, 2, 2) == 0 && GR_AT(second, 0, 0, 0) == 0);
    CHECK_NEAR(GR_AT(second, 1, 1, 1), 9, 1e-12);
    CHECK_NEAR(GR_AT(second, 1, 1, 2), -6, 1e-12);
    CHECK_NEAR(GR_AT(second, 2, 2, 1), 0, 1e-14);
    gr_tensor even = gr_set_requires_grad(gr_keep(MATRIX(2, 2, 2, 0, 0, 0)), true), slope;
    const gr_tensor none = gr_det(even);
    CHECK(gr_grad(1, &none, 1, &even, NULL, NULL, &slope) == GR_OK && GR_AT(slope, 1, 1) == 2);
    CHECK(gr_item(gr_det(gr_zeros(g, GR_F32, GR_SHAPE(1, 1)))) == 0);
    CHECK(gr_item(gr_det(gr_zeros(g, GR_F64, GR_SHAPE(7, 7)))) == 0);
    CHECK(gr_graph_status(g) == GR_OK);
}

static void test_singular(void)
{
    const gr_tensor a = gr_named(MATRIX(3, 3, 1, 2, 3, 2, 4, 6, 1, 0, 1), "a"),
                    b = gr_ones(g, GR_F64, GR_SHAPE(3));
    fails(gr_solve(a, b), GR_ERR_SINGULAR, "solve: the matrix is singular: a [3, 3], ");
    fails(gr_inv(a), GR_ERR_SINGULAR,
          "inv: the matrix is singular: a [3, 3] (matrix 0, no pivot in column 2)");
    fails(gr_logdet(a), GR_ERR_SINGULAR, "slogdet: the matrix is singular: a [3, 3]");
    gr_tensor sign = a, logarithm = a;
    CHECK(gr_slogdet(a, &sign, &logarithm) == GR_ERR_SINGULAR && !gr_is_valid(sign));
    fails(logarithm, GR_ERR_SINGULAR, "slogdet: the matrix is singular: a [3, 3]");
    const gr_tensor stack[] = {gr_eye(g, GR_F64, 3, 3), a};
    fails(gr_inv(gr_stack(2, stack, 0)), GR_ERR_SINGULAR, "(matrix 1, no pivot in column 2)");
    /* triangles: what is not read does not count */
    const gr_tensor t = gr_named(MATRIX(2, 2, 0, 1, 2, 3), "t"), u = gr_ones(g, GR_F64, GR_SHAPE(2, 1));
    fails(gr_solve_triangular(t, u, GR_LOWER), GR_ERR_SINGULAR,
          "solve_triangular: the matrix is singular: t [2, 2], full [2, 1] (matrix 0, element 0 of the "
          "diagonal is 0)");
    const gr_tensor y = gr_solve_triangular(t, u, GR_LOWER | GR_UNIT_DIAGONAL);
    CHECK(GR_AT(y, 0, 0) == 1 && GR_AT(y, 1, 0) == -1);
    const gr_tensor z = gr_solve_triangular(MATRIX(2, 2, 2, (double)NAN, 4, 1), u, GR_LOWER);
    CHECK(GR_AT(z, 0, 0) == 0.5 && GR_AT(z, 1, 0) == -1);
}

static void test_not_definite(void)
{
    const gr_tensor a = gr_named(MATRIX(3, 3, 4, 2, 0, 2, 1, 0, 0, 0, 1), "a");
    fails(gr_cholesky(a), GR_ERR_SINGULAR,
          "cholesky: the matrix is not positive definite: a [3, 3] (matrix 0, pivot 1 is 0)");
    fails(gr_cholesky(gr_neg(gr_eye(g, GR_F64, 2, 2))), GR_ERR_SINGULAR, "(matrix 0, pivot 0 is -1)");
    fails(gr_cholesky(MATRIX(2, 2, 1, 0, 0, (double)NAN)), GR_ERR_SINGULAR, "pivot 1 is ");
    /* a pivot far down, in the second block of the second matrix */
    gr_tensor diagonal = gr_sub(gr_ones(g, GR_F64, GR_SHAPE(40)),
                                gr_scale(gr_one_hot(gr_full(g, GR_I32, GR_SCALAR, 36), 40, GR_F64), 3));
    const gr_tensor stack[] = {gr_eye(g, GR_F64, 40, 40), gr_diag(diagonal, 0)};
    fails(gr_cholesky(gr_stack(2, stack, 0)), GR_ERR_SINGULAR, "(matrix 1, pivot 36 is -2)");
}

/* A matrix that nearly has no inverse is computed: of Hilbert's, with its integer inverse. */
static void test_nearly_singular(void)
{
    enum { N = 8 };
    double h[N * N];
    for (int i = 0; i < N * N; i++) h[i] = 1 / (double)(i / N + i % N + 1);
    const gr_tensor a = matrix(GR_F64, N, N, h);
    CHECK_NEAR(GR_AT(gr_inv(a), 0, 0), 64, 1e-4);
    CHECK_NEAR(GR_AT(gr_inv(a), 3, 4), -800415000, 1e4);
    CHECK_NEAR(gr_item(gr_logdet(a)), log(2.73705011379151e-33), 1e-6);
    /* the rows of a matrix of two nearly parallel vectors */
    const double tiny = ldexp(1, -52);
    const gr_tensor b = MATRIX(2, 2, 1, 1, 1, 1 + tiny);
    CHECK(gr_item(gr_det(b)) > 0 && fabs(gr_item(gr_det(b)) / tiny - 1) < 1e-13);
    CHECK(GR_AT(gr_inv(b), 1, 1) == ldexp(1, 52) && gr_graph_status(g) == GR_OK);
}

/* NaN in a matrix is NaN in what is computed from it, and no error. */
static void test_not_a_number(void)
{
    const gr_tensor a = MATRIX(3, 3, 1, 2, 3, 4, (double)NAN, 1, 1, 1, 5);
    const gr_tensor x = gr_solve(a, gr_ones(g, GR_F64, GR_SHAPE(3, 1))), inverse = gr_inv(a);
    for (int i = 0; i < 3; i++) CHECK(isnan(GR_AT(x, i, 0)) && isnan(GR_AT(inverse, i, 0)));
    CHECK(isnan(gr_item(gr_det(a))) && isnan(gr_item(gr_logdet(a))));
    CHECK(isnan(gr_item(gr_logdet(MATRIX(2, 2, 0, 1, 1, 0))))); /* determinant -1 */
    CHECK(gr_item(gr_det(MATRIX(2, 2, 0, 1, 1, 0))) == -1);
    gr_tensor sign;
    CHECK(gr_slogdet(MATRIX(2, 2, 0, 2, 3, 0), &sign, NULL) == GR_OK && gr_item(sign) == -1);
    CHECK(gr_graph_status(g) == GR_OK);
}

/* The gradient of a symmetric argument, as of (A + A')/2. */
static void test_symmetry(void)
{
    const gr_tensor a = gr_set_requires_grad(gr_keep(MATRIX(2, 2, 4, 1, 3, 5)), true), l = gr_cholesky(a);
    CHECK(GR_AT(l, 0, 0) == 2 && GR_AT(l, 1, 0) == 1 && GR_AT(l, 1, 1) == 2 && GR_AT(l, 0, 1) == 0);
    const gr_tensor by = gr_derivative(total(l), a);
    CHECK(GR_AT(by, 0, 1) == GR_AT(by, 1, 0));
    /* ln |A| = 2 sum ln L_ii has the gradient A^-1 */
    const gr_tensor s = gr_set_requires_grad(gr_keep(MATRIX(2, 2, 4, 2, 2, 5)), true);
    const gr_tensor slope = gr_derivative(gr_scale(total(gr_log(gr_diag(gr_cholesky(s), 0))), 2), s);
    const gr_tensor inverse = gr_inv(s);
    for (int i = 0; i < 4; i++) CHECK_NEAR(GR_AT(slope, i / 2, i % 2), GR_AT(inverse, i / 2, i % 2), 1e-15);
}

/* ---- einsum ---- */

/* Sums over all values of all letters, for any number of operands without ellipsis; the result has an arrow. */
static void check_sum(const char *subscripts, int n, const gr_tensor *x)
{
    const char *arrow = strchr(subscripts, '>') + 1;
    char letters[32];
    int64_t size[128], value[128], terms = 1, results = 1;
    int count = 0;
    for (int i = 0; i < 128; i++) size[i] = -1;
    const char *p = subscripts;
    for (int k = 0; k < n; k++, p++)
        for (int axis = 0; *p != ',' && *p != '-'; p++, axis++) {
            if (size[(int)*p] < 0) letters[count++] = *p;
            if (size[(int)*p] < 0 || size[(int)*p] == 1) size[(int)*p] = gr_dim(x[k], axis);
        }
    for (int i = 0; i < count; i++) terms *= size[(int)letters[i]];
    for (const char *r = arrow; *r; r++) results *= size[(int)*r];
    double *sums = calloc((size_t)results + 1, sizeof *sums);
    for (int64_t e = 0; e < terms; e++) {
        int64_t rest = e, at = 0;
        for (int i = 0; i < count; i++) {
            value[(int)letters[i]] = rest % size[(int)letters[i]];
            rest /= size[(int)letters[i]];
        }
        double product = 1;
        p = subscripts;
        for (int k = 0; k < n; k++, p++) {
            int64_t index[GR_MAX_NDIM];
            int axes = 0;
            for (; *p != ',' && *p != '-'; p++, axes++)
                index[axes] = gr_dim(x[k], axes) == 1 ? 0 : value[(int)*p];
            product *= gr_at(x[k], axes, index);
        }
        for (const char *r = arrow; *r; r++) at = at * size[(int)*r] + value[(int)*r];
        sums[at] += product;
    }
    const gr_tensor y = gr_einsum(subscripts, n, x);
    CHECK(gr_count(y) == results && gr_ndim(y) == (int)strlen(arrow));
    const gr_tensor flat = gr_reshape(y, GR_SHAPE(-1));
    int wrong = 0;
    for (int64_t i = 0; i < results && i < gr_count(flat); i++)
        wrong += !(fabs(GR_AT(flat, i) - sums[i]) <= 1e-12 * (1 + fabs(sums[i])));
    CHECK(wrong == 0);
    if (wrong || gr_graph_status(g)) printf("  %s: %d wrong: %s\n", subscripts, wrong, gr_graph_error(g));
    free(sums);
}

typedef struct sum_case {
    const char *subscripts;
    int n;
    gr_shape shapes[12];
} sum_case;
#define S(...)                                           \
    {                                                    \
        GR_COUNT_(int64_t, __VA_ARGS__), { __VA_ARGS__ } \
    }

static const sum_case sum_cases[] = {
    {"ij->ji", 1, {S(2, 3)}},
    {"ijk->", 1, {S(2, 3, 2)}},
    {"iijj->ij", 1, {S(2, 2, 3, 3)}},
    {"ijij->", 1, {S(2, 3, 2, 3)}},
    {"iiii->i", 1, {S(3, 3, 3, 3)}},
    {"i,j,k->kij", 3, {S(2), S(3), S(4)}},
    {"ij,jk,ki->", 3, {S(2, 3), S(3, 4), S(4, 2)}},
    {"ij,jk,kl,lm,mn->in", 5, {S(2, 9), S(9, 2), S(2, 8), S(8, 2), S(2, 3)}},
    {"bi,oij,bj->bo", 3, {S(4, 3), S(2, 3, 5), S(4, 5)}},
    {"abc,abd,abe->cde", 3, {S(2, 3, 2), S(2, 3, 3), S(2, 3, 2)}},
    {"ab,ab,ab->b", 3, {S(2, 3), S(2, 3), S(2, 3)}},
    {"iij,jkk,ik->ij", 3, {S(2, 2, 3), S(3, 4, 4), S(2, 4)}},
    {"ab,bc,cd,da->", 4, {S(1, 3), S(3, 2), S(2, 4), S(4, 5)}},
    {"ab,a,b->ba", 3, {S(1, 3), S(4), S(1)}},
    {"a,b,c,d,e,f,g,h->hgfedcba", 8, {S(2), S(1), S(2), S(2), S(1), S(2), S(2), S(2)}},
    {"abcdefgh,hgfedcba->", 2, {S(2, 1, 2, 1, 2, 1, 2, 2), S(2, 2, 1, 2, 1, 2, 1, 2)}},
    {"abcdefgh,abcdefgh->abcdefgh", 2, {S(2, 1, 2, 1, 2, 1, 2, 2), S(2, 1, 2, 1, 2, 1, 2, 2)}},
    {"abcdefgh,abcdefgi->abcdefhi", 2, {S(2, 1, 2, 1, 2, 1, 3, 2), S(2, 1, 2, 1, 2, 1, 3, 3)}},
    {"a,a,a,a,a,a,a,a,a,a,a,a->a",
     12,
     {S(3), S(3), S(1), S(3), S(3), S(3), S(3), S(3), S(3), S(3), S(3), S(3)}},
    {"ij,jk->ik", 2, {S(70, 90), S(90, 40)}},
    {"Zz,zA->AZ", 2, {S(2, 3), S(3, 2)}},
    {"ab,cd->", 2, {S(2, 3), S(4, 2)}},
    {"ab,bc->a", 2, {S(2, 3), S(3, 0)}},
};

static gr_tensor sum_of_products(gr_graph *graph, int n, const gr_tensor *x, void *user)
{
    (void)graph;
    return gr_einsum(user, n, x);
}

static void test_einsum(void)
{
    for (size_t i = 0; i < sizeof sum_cases / sizeof *sum_cases; i++) {
        const sum_case *c = &sum_cases[i];
        const gr_scope scope = gr_scope_begin(g);
        gr_tensor x[12];
        int64_t elements = 0;
        for (int k = 0; k < c->n; k++) {
            x[k] = gr_keep(gr_uniform(g, GR_F64, c->shapes[k], -1, 1));
            elements += gr_count(x[k]);
        }
        check_sum(c->subscripts, c->n, x);
        gr_check_result result;
        const gr_check_options o = {.order = 2, .max_elements = elements > 60 ? 4 : 0, .forward = true};
        CHECK(gr_gradcheck(g, sum_of_products, c->n, x, (void *)(uintptr_t)c->subscripts, &o, &result) ==
              GR_OK);
        CHECK(result.passed);
        if (!result.passed) printf("  %s\n", c->subscripts);
        for (int k = 0; k < c->n; k++) gr_release(x[k]);
        gr_scope_end(scope, 0, NULL);
    }
}

/* A long chain is joined in the order that keeps products small: end by end it would be a hundred times the work, of which
   the largest tensor on the way tells. */
static void test_order(void)
{
    const gr_tensor a = gr_ones(g, GR_F64, GR_SHAPE(300, 2)), b = gr_ones(g, GR_F64, GR_SHAPE(2, 300)),
                    v = gr_ones(g, GR_F64, GR_SHAPE(300));
    gr_graph_reset_memory_peak(g);
    const size_t before = gr_graph_memory(g).used;
    const gr_tensor y = gr_einsum("ij,jk,kl,lm,m->i", 5, (gr_tensor[]){a, b, a, b, v});
    CHECK(GR_AT(y, 17) == 300.0 * 300 * 4);
    CHECK(gr_graph_memory(g).used_peak - before < 300 * 300 * sizeof(double) / 4);
}

static void test_einsum_errors(void)
{
    const gr_tensor x = gr_named(gr_ones(g, GR_F64, GR_SHAPE(2, 3)), "x"),
                    w = gr_named(gr_ones(g, GR_F64, GR_SHAPE(4, 5)), "w"),
                    f = gr_named(gr_ones(g, GR_F32, GR_SHAPE(3, 2)), "f"),
                    i = gr_named(gr_ones(g, GR_I32, GR_SHAPE(2, 3)), "i"),
                    wide = gr_named(gr_ones(g, GR_F64, (gr_shape){8, {1, 1, 1, 1, 1, 1, 1, 1}}), "wide");
    const gr_tensor both[] = {x, w}, types[] = {x, f}, wides[] = {wide, wide};
    fails(gr_einsum("ij,jk->ik", 2, both), GR_ERR_SHAPE,
          "einsum: the sizes of a label differ: x [2, 3], w [4, 5] (j is 3 and 4 in \"ij,jk->ik\")");
    fails(gr_einsum("...i,...k", 2, both), GR_ERR_SHAPE, "(. is 2 and 4 in \"...i,...k\")");
    fails(gr_einsum("ii", 1, both), GR_ERR_SHAPE,
          "einsum: the sizes of a diagonal differ: x [2, 3] (i is 2 and 3 in \"ii\")");
    fails(gr_einsum("ijk", 1, both), GR_ERR_NDIM,
          "einsum: numbers of subscripts and axes differ: x [2, 3] (3 and 2 for operand 1 in \"ijk\")");
    fails(gr_einsum("ij,j", 2, both), GR_ERR_NDIM, "(1 and 2 for operand 2 in \"ij,j\")");
    fails(gr_einsum("ij,...jkl", 2, both), GR_ERR_NDIM, "(3 and 2 for operand 2");
    fails(gr_einsum("ij", 2, both), GR_ERR_ARGUMENT,
          "einsum: the subscripts are not of so many operands: x [2, 3], w [4, 5] (2 in \"ij\")");
    fails(gr_einsum("ij,kl,mn", 2, both), GR_ERR_ARGUMENT, "not of so many operands");
    fails(gr_einsum("ij,kl->im", 2, both), GR_ERR_ARGUMENT,
          "einsum: a subscript of the result is none of an operand: x [2, 3], w [4, 5] (m in \"ij,kl->im\")");
    fails(gr_einsum("ij->ii", 1, both), GR_ERR_ARGUMENT, "a subscript of the result stands twice");
    fails(gr_einsum("ij->i,j", 1, both), GR_ERR_ARGUMENT, "something behind the subscripts of the result");
    fails(gr_einsum("i_", 1, both), GR_ERR_ARGUMENT,
          "einsum: subscripts are letters and one ellipsis: x [2, 3] (character 1 of \"i_\")");
    fails(gr_einsum("i..", 1, both), GR_ERR_ARGUMENT, "character 1 of");
    fails(gr_einsum("...i...", 1, both), GR_ERR_ARGUMENT, "character 4 of");
    fails(gr_einsum("ij-ij", 1, both), GR_ERR_ARGUMENT, "character 2 of");
    fails(gr_einsum("abcdefghi", 1, both), GR_ERR_NDIM, "too many letters for one tensor");
    fails(gr_einsum("abcdefgh,ijklmnop", 2, wides), GR_ERR_NDIM, "the result would have too many axes");
    fails(gr_einsum("abcdefgh,ijklmnop->...abcdefghi", 2, wides), GR_ERR_NDIM, "too many letters");
    fails(gr_einsum("ij,jk", 2, types), GR_ERR_TYPE, "einsum: types differ: x f64 [2, 3], f f32 [3, 2]");
    fails(gr_einsum("ij", 1, &i), GR_ERR_TYPE, "einsum: needs f32 or f64: i i32 [2, 3]");
    fails(gr_einsum("ij", 1, &(gr_tensor){g, 0, 0}), GR_ERR_HANDLE, "einsum: ");
    fails(gr_einsum(NULL, 1, both), GR_ERR_ARGUMENT, "einsum: needs subscripts");
    CHECK(!gr_is_valid(gr_einsum("ij", 0, both)) && !gr_is_valid(gr_einsum("ij", 1, NULL)));
    CHECK(gr_graph_status(g) == GR_OK); /* of no graph */
}

#define RUN_ON_A_GRAPH(TEST)       \
    do {                           \
        g = gr_graph_create(NULL); \
        RUN(TEST);                 \
        gr_graph_destroy(g);       \
    } while (0)

int main(void)
{
    RUN(test_sizes);
    RUN(test_threads);
    RUN_ON_A_GRAPH(test_det_of_singular);
    RUN_ON_A_GRAPH(test_singular);
    RUN_ON_A_GRAPH(test_not_definite);
    RUN_ON_A_GRAPH(test_nearly_singular);
    RUN_ON_A_GRAPH(test_not_a_number);
    RUN_ON_A_GRAPH(test_symmetry);
    RUN_ON_A_GRAPH(test_einsum);
    RUN_ON_A_GRAPH(test_order);
    RUN_ON_A_GRAPH(test_einsum_errors);
    return TEST_EXIT;
}
