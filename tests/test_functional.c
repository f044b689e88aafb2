/*
 * Functional differentiation against closed forms, against itself in other compositions, and at its edges:
 * products with Jacobians and Hessians, the matrices, nesting, what counts as an argument, what is recorded,
 * what stays in memory.
 */
#include "test.h"
#include "gradus.h"

#include <stdlib.h>

#define OK(CALL) CHECK((CALL) == GR_OK)

static uint64_t random_state = 7;
static double random_number(void) /* in [-1, 1) */
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(random_state >> 11) / 4503599627370496.0 - 1;
}

static gr_tensor total(gr_tensor x) { return gr_sum(x, GR_ALL_AXES, false); }

static gr_tensor random_tensor(gr_graph *g, gr_shape shape)
{
    double values[256];
    int64_t n = 1;
    for (int i = 0; i < shape.ndim; i++) n *= shape.dims[i];
    for (int64_t i = 0; i < n; i++) values[i] = random_number();
    return gr_constant(g, GR_F64, shape, values);
}

static gr_tensor variable(gr_tensor constant) { return gr_set_requires_grad(constant, true); }

static double element(gr_tensor t, int64_t i)
{
    const gr_shape s = gr_shape_of(t);
    int64_t index[GR_MAX_NDIM] = {0};
    for (int axis = s.ndim - 1; axis >= 0; axis--) {
        index[axis] = i % s.dims[axis];
        i /= s.dims[axis];
    }
    return gr_at(t, s.ndim, index);
}

static double dot(gr_tensor a, gr_tensor b)
{
    double sum = 0;
    CHECK(gr_count(a) == gr_count(b));
    for (int64_t i = 0; i < gr_count(a) && i < gr_count(b); i++) sum += element(a, i) * element(b, i);
    return sum;
}

static void check_same(gr_tensor a, gr_tensor b, double tolerance)
{
    const gr_shape s = gr_shape_of(a), t = gr_shape_of(b);
    CHECK(s.ndim == t.ndim && s.ndim >= 0);
    if (s.ndim != t.ndim || s.ndim < 0) return;
    for (int i = 0; i < s.ndim; i++) CHECK(s.dims[i] == t.dims[i]);
    CHECK(gr_type_of(a) == gr_type_of(b));
    for (int64_t i = 0; i < gr_count(a) && i < gr_count(b); i++)
        CHECK_NEAR(element(a, i), element(b, i), tolerance * fmax(1, fabs(element(b, i))));
}

static bool has_shape(gr_tensor t, gr_shape shape)
{
    const gr_shape s = gr_shape_of(t);
    bool same = s.ndim == shape.ndim;
    for (int i = 0; same && i < s.ndim; i++) same = s.dims[i] == shape.dims[i];
    return same;
}

static void no_error(gr_graph *g)
{
    CHECK(gr_graph_status(g) == GR_OK);
    if (gr_graph_status(g) != GR_OK) printf("  %s\n", gr_graph_error(g));
    gr_graph_clear_error(g);
}

/* ---- Closed forms ---- */

/* x' A x. */
static gr_tensor quadratic(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n;
    return gr_matmul(in[0], gr_matmul(*(gr_tensor *)user, in[0]));
}

static void test_quadratic_form(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor a = random_tensor(g, GR_SHAPE(5, 5));
    const gr_tensor x = random_tensor(g, GR_SHAPE(5)), v = random_tensor(g, GR_SHAPE(5));
    const gr_tensor both = gr_add(a, gr_transpose(a, 0, 1)), gradient = gr_matmul(both, x);
    gr_tensor value, by, hv, one = GR_NONE;
    check_same(gr_function_hessian(g, quadratic, 1, &x, &a, 0, 0, NULL), both, 1e-14);
    OK(gr_function_vjp(g, quadratic, 1, &x, &a, one, &by, &value));
    check_same(by, gradient, 1e-14);
    CHECK_NEAR(gr_item(value), dot(x, gr_matmul(a, x)), 1e-14);
    OK(gr_function_hvp(g, quadratic, 1, &x, &a, &v, &hv, NULL));
    check_same(hv, gr_matmul(both, v), 1e-14);
    CHECK_NEAR(gr_item(gr_function_jvp(g, quadratic, 1, &x, &a, &v, NULL)), dot(gradient, v), 1e-14);
    check_same(gr_function_jacobian(g, quadratic, 1, &x, &a, 0, NULL), gradient, 1e-14);
    const gr_tensor diagonal = gr_function_hessian_diagonal(g, quadratic, 1, &x, &a, 0, NULL);
    CHECK(has_shape(diagonal, GR_SHAPE(5)));
    for (int i = 0; i < 5; i++) CHECK_NEAR(element(diagonal, i), 2 * GR_AT(a, i, i), 1e-14);
    CHECK(!gr_requires_grad(hv) && !gr_requires_grad(value) && !gr_requires_grad(x));
    no_error(g);
    gr_graph_destroy(g);
}

/* sum of 100 (x_{i+1} - x_i^2)^2 + (1 - x_i)^2. */
static gr_tensor rosenbrock(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    const gr_tensor a = gr_slice(in[0], 0, 0, -1, 1), b = gr_slice(in[0], 0, 1, GR_SLICE_DEFAULT, 1);
    return gr_add(gr_scale(total(gr_square(gr_sub(b, gr_square(a)))), 100),
                  total(gr_square(gr_add_scalar(gr_neg(a), 1))));
}

static void test_rosenbrock(void)
{
    enum { N = 6 };
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = variable(random_tensor(g, GR_SHAPE(N))), v = random_tensor(g, GR_SHAPE(N));
    double h[N][N] = {{0}};
    for (int i = 0; i + 1 < N; i++) {
        const double xi = element(x, i), next = element(x, i + 1);
        h[i][i] += 1200 * xi * xi - 400 * next + 2;
        h[i][i + 1] -= 400 * xi;
        h[i + 1][i] -= 400 * xi;
        h[i + 1][i + 1] += 200;
    }
    const gr_tensor expected = gr_constant(g, GR_F64, GR_SHAPE(N, N), h);
    const gr_tensor y = rosenbrock(g, 1, &x, NULL);
    check_same(gr_hessian(y, x, x), expected, 1e-13);
    check_same(gr_function_hessian(g, rosenbrock, 1, &x, NULL, 0, 0, NULL), expected, 1e-13);
    gr_tensor hv;
    OK(gr_hvp(y, 1, &x, &v, &hv));
    check_same(hv, gr_matmul(expected, v), 1e-13);
    const gr_tensor diagonal = gr_hessian_diagonal(y, x);
    for (int i = 0; i < N; i++) CHECK_NEAR(element(diagonal, i), h[i][i], 1e-11);
    /* The record is whole: it can be walked on. */
    OK(gr_backward(y));
    no_error(g);
    gr_graph_destroy(g);
}

static gr_tensor log_sum_exp(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return gr_logsumexp(in[0], GR_ALL_AXES, false);
}

static gr_tensor softmax(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return gr_softmax(in[0], -1);
}

static gr_tensor log_softmax(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return gr_log_softmax(in[0], -1);
}

/* The Jacobian of softmax and the Hessian of log-sum-exp are diag(p) - p p'; that of log-softmax is I - 1 p'. */
static void test_softmax(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = random_tensor(g, GR_SHAPE(4)), p = gr_softmax(x, 0);
    double covariance[4][4], of_log[4][4];
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            covariance[i][j] = (i == j ? element(p, i) : 0) - element(p, i) * element(p, j);
            of_log[i][j] = (i == j) - element(p, j);
        }
    const gr_tensor expected = gr_constant(g, GR_F64, GR_SHAPE(4, 4), covariance);
    check_same(gr_function_jacobian(g, softmax, 1, &x, NULL, 0, NULL), expected, 1e-14);
    check_same(gr_function_hessian(g, log_sum_exp, 1, &x, NULL, 0, 0, NULL), expected, 1e-14);
    check_same(gr_function_jacobian(g, log_softmax, 1, &x, NULL, 0, NULL),
               gr_constant(g, GR_F64, GR_SHAPE(4, 4), of_log), 1e-14);
    no_error(g);
    gr_graph_destroy(g);
}

static gr_tensor product(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return gr_matmul(in[0], in[1]);
}

/* Y = A B: d Y_ij / d A_kl = [i = k] B_lj, d Y_ij / d B_kl = A_ik [j = l]. By A the result is wider than the
   input and by B it is narrower: both modes. */
static void test_matrix_product(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor in[] = {random_tensor(g, GR_SHAPE(3, 2)), random_tensor(g, GR_SHAPE(2, 4))};
    const gr_tensor by_a = gr_function_jacobian(g, product, 2, in, NULL, 0, NULL);
    const gr_tensor by_b = gr_function_jacobian(g, product, 2, in, NULL, 1, NULL);
    const gr_tensor narrow[] = {in[0], gr_slice(in[1], 1, 0, 1, 1)};
    const gr_tensor reverse = gr_function_jacobian(g, product, 2, narrow, NULL, 0, NULL);
    CHECK(has_shape(by_a, GR_SHAPE(3, 4, 3, 2)) && has_shape(by_b, GR_SHAPE(3, 4, 2, 4)));
    CHECK(has_shape(reverse, GR_SHAPE(3, 1, 3, 2)));
    CHECK(gr_is_contiguous(by_a) && gr_is_contiguous(by_b) && gr_is_contiguous(reverse));
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++) {
            for (int k = 0; k < 3; k++)
                for (int l = 0; l < 2; l++) {
                    const double b = i == k ? GR_AT(in[1], l, j) : 0;
                    CHECK(GR_AT(by_a, i, j, k, l) == b);
                    if (j == 0) CHECK(GR_AT(reverse, i, j, k, l) == b);
                }
            for (int k = 0; k < 2; k++)
                for (int l = 0; l < 4; l++)
                    CHECK(GR_AT(by_b, i, j, k, l) == (j == l ? GR_AT(in[0], i, k) : 0));
        }
    no_error(g);
    gr_graph_destroy(g);
}

/* ---- Any order ---- */

/* sin(x) e^(2x). */
static gr_tensor wave(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return gr_mul(gr_sin(in[0]), gr_exp(gr_scale(in[0], 2)));
}

/* The derivative of order n: Im((2 + i)^n e^((2 + i) x)). */
static double wave_derivative(int n, double x)
{
    double re = exp(2 * x) * cos(x), im = exp(2 * x) * sin(x);
    for (int i = 0; i < n; i++) {
        const double next = 2 * re - im;
        im = 2 * im + re;
        re = next;
    }
    return im;
}

/* A function that is the derivative of another, by one of the calls. */
typedef struct derivative {
    gr_function f;
    void *user;
    int way;
} derivative;
enum { BY_JVP, BY_VJP, BY_JACOBIAN, BY_DERIVATIVE, WAYS };

static gr_tensor derive(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    const derivative *d = user;
    const gr_tensor one = gr_ones(g, gr_type_of(in[0]), gr_shape_of(in[0]));
    gr_tensor result = GR_NONE;
    switch (d->way) {
    case BY_JVP:
        return gr_function_jvp(g, d->f, n, in, d->user, &one, NULL);
    case BY_VJP:
        gr_function_vjp(g, d->f, n, in, d->user, GR_NONE, &result, NULL);
        return result;
    case BY_JACOBIAN:
        return gr_function_jacobian(g, d->f, n, in, d->user, 0, NULL);
    default:
        return gr_derivative(d->f(g, n, in, d->user), in[0]);
    }
}

/* All compositions of four calls, each of any kind. */
static void test_nested_to_fourth_order(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_constant(g, GR_F64, GR_SCALAR, &(double){0.4});
    for (int code = 0; code < WAYS * WAYS * WAYS * WAYS; code++) {
        derivative d[4];
        gr_function f = wave;
        void *user = NULL;
        const gr_scope scope = gr_scope_begin(g);
        for (int order = 1, rest = code; order <= 4; order++, rest /= WAYS) {
            d[order - 1] = (derivative){f, user, rest % WAYS};
            f = derive;
            user = &d[order - 1];
        }
        gr_tensor value, by;
        OK(gr_function_vjp(g, d[3].f, 1, &x, d[3].user, GR_NONE, &by, &value));
        CHECK_NEAR(gr_item(value), wave_derivative(3, 0.4), 1e-12);
        CHECK_NEAR(gr_item(by), wave_derivative(4, 0.4), 1e-11);
        const gr_tensor stand_in = variable(gr_constant(g, GR_F64, GR_SCALAR, &(double){0.4}));
        CHECK_NEAR(gr_item(derive(g, 1, &stand_in, &d[3])), wave_derivative(4, 0.4), 1e-11);
        gr_scope_end(scope, 0, NULL);
    }
    no_error(g);
    gr_graph_destroy(g);
}

/* x -> H(x) v, with the vector as the second argument. */
static gr_tensor times_hessian(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    gr_tensor hv;
    (void)n;
    gr_function_hvp(g, *(gr_function *)user, 1, in, NULL, &in[1], &hv, NULL);
    return hv;
}

static gr_tensor cubes(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    const gr_tensor s = total(gr_mul(in[0], gr_sin(in[0])));
    return gr_mul(s, total(gr_pow_scalar(in[0], 3)));
}

static gr_tensor gradient_of(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    gr_tensor by;
    gr_function_vjp(g, *(gr_function *)user, n, in, NULL, GR_NONE, &by, NULL);
    return by;
}

static gr_tensor hessian_of(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    return gr_function_hessian(g, *(gr_function *)user, n, in, NULL, 0, 0, NULL);
}

static gr_tensor diagonal_of(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    return gr_function_hessian_diagonal(g, *(gr_function *)user, n, in, NULL, 0, NULL);
}

static void test_compositions_agree(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_function f = cubes;
    const gr_tensor x = random_tensor(g, GR_SHAPE(3)), v = random_tensor(g, GR_SHAPE(3));
    const gr_tensor w = random_tensor(g, GR_SHAPE(3)), in[] = {x, v};
    const gr_tensor h = gr_function_hessian(g, f, 1, &x, NULL, 0, 0, NULL);
    /* The Jacobian of the gradient is the Hessian, in whichever mode. */
    check_same(gr_function_jacobian(g, gradient_of, 1, &x, &f, 0, NULL), h, 1e-13);
    check_same(gr_transpose(h, 0, 1), h, 1e-13);
    /* H v is linear in v, with matrix H. */
    check_same(gr_function_jacobian(g, times_hessian, 2, in, &f, 1, NULL), h, 1e-13);
    check_same(times_hessian(g, 2, in, &f), gr_matmul(h, v), 1e-13);
    /* d(H v)/dx w, d(H w)/dx v and D3 f by a matrix of vectors are the same. */
    const gr_tensor third = gr_function_jacobian(g, hessian_of, 1, &x, &f, 0, NULL);
    CHECK(has_shape(third, GR_SHAPE(3, 3, 3)));
    const gr_tensor vw = gr_matmul(gr_matmul(third, v), w);
    const gr_tensor by_v = gr_function_jacobian(g, times_hessian, 2, in, &f, 0, NULL);
    check_same(gr_matmul(by_v, w), vw, 1e-12);
    /* hvp of w . (H v), forward over reverse over forward. */
    const gr_tensor tangents[] = {w, GR_NONE};
    check_same(gr_function_jvp(g, times_hessian, 2, in, &f, tangents, NULL), vw, 1e-12);
    /* The diagonal, and its Jacobian. */
    const gr_tensor diagonal = gr_function_hessian_diagonal(g, f, 1, &x, NULL, 0, NULL);
    const gr_tensor of_diagonal = gr_function_jacobian(g, diagonal_of, 1, &x, &f, 0, NULL);
    for (int i = 0; i < 3; i++) {
        CHECK_NEAR(element(diagonal, i), GR_AT(h, i, i), 1e-13);
        for (int j = 0; j < 3; j++) CHECK_NEAR(GR_AT(of_diagonal, i, j), GR_AT(third, i, i, j), 1e-12);
    }
    no_error(g);
    gr_graph_destroy(g);
}

/* All that takes a function, as functions to be checked against differences. */
static gr_tensor everything(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    gr_function f = cubes;
    gr_tensor parts[6], v = in[1];
    (void)n, (void)user;
    gr_function_vjp(g, f, 1, in, NULL, gr_mean(v, GR_ALL_AXES, false), &parts[0], NULL);
    gr_function_hvp(g, f, 1, in, NULL, &v, &parts[1], &parts[2]);
    parts[2] = gr_reshape(parts[2], GR_SHAPE(1));
    parts[3] = gr_reshape(gr_function_jvp(g, gradient_of, 1, in, &f, &v, NULL), GR_SHAPE(-1));
    parts[4] = gr_reshape(gr_function_hessian(g, f, 1, in, NULL, 0, 0, NULL), GR_SHAPE(-1));
    parts[5] = gr_function_hessian_diagonal(g, f, 1, in, NULL, 0, NULL);
    return gr_concat(6, parts, 0);
}

/* The same of recorded results. */
static gr_tensor everything_recorded(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    gr_tensor parts[6], v = in[1];
    const gr_tensor y = cubes(g, 1, in, NULL), two[] = {y, gr_mul(in[0], v)};
    const gr_tensor u[] = {GR_NONE, v};
    gr_tensor tangents[2];
    (void)n, (void)user;
    gr_vjp(2, two, 1, in, u, &parts[0]);
    gr_hvp(y, 1, in, &v, &parts[1]);
    gr_jvp(2, two, 1, in, &v, tangents);
    parts[2] = gr_reshape(tangents[0], GR_SHAPE(1));
    parts[3] = gr_add(tangents[1], gr_jacobian(y, in[0]));
    parts[4] = gr_reshape(gr_hessian(y, in[0], in[0]), GR_SHAPE(-1));
    parts[5] = gr_hessian_diagonal(y, in[0]);
    return gr_concat(6, parts, 0);
}

static void test_results_are_differentiable(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor in[] = {random_tensor(g, GR_SHAPE(3)), random_tensor(g, GR_SHAPE(3))};
    static const gr_function functions[] = {everything, everything_recorded};
    for (int i = 0; i < 2; i++) {
        gr_check_result result;
        char text[GR_CHECK_REPORT_BYTES];
        OK(gr_gradcheck(g, functions[i], 2, in, NULL, &(gr_check_options){.order = 2}, &result));
        CHECK(result.passed);
        gr_check_report(&result, text, sizeof text);
        if (!result.passed) puts(text);
    }
    no_error(g);
    gr_graph_destroy(g);
}

/* ---- J and J' of random graphs ---- */

/* Random operations on what there is: views, broadcasting, reductions, products. */
static gr_tensor random_graph(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    uint32_t state = *(const uint32_t *)user;
    gr_tensor pool[40];
    int top = 0;
    (void)g;
    for (int i = 0; i < n; i++) pool[top++] = in[i];
    while (top < 30) {
        state = state * 1664525u + 1013904223u;
        const gr_tensor a = pool[(state >> 8) % (uint32_t)top], b = pool[(state >> 16) % (uint32_t)top];
        const gr_tensor row = gr_mean(b, GR_AXES(0), true), column = gr_sum(b, GR_AXES(1), true);
        const gr_tensor parts[] = {gr_slice(a, 0, 1, GR_SLICE_DEFAULT, 1), gr_slice(b, 0, 0, 1, 1)};
        const gr_tensor ways[] = {
            gr_add(a, b),
            gr_sub(gr_sin(a), row),
            gr_mul(a, gr_tanh(b)),
            gr_div(a, gr_add_scalar(gr_square(column), 2)),
            gr_matmul(gr_scale(a, 0.3), gr_transpose(b, 0, 1)),
            gr_softmax(a, 0),
            gr_log_softmax(b, 1),
            gr_concat(2, parts, 0),
            gr_sub(a, gr_max(b, GR_AXES(1), true)),
            gr_add(gr_logsumexp(a, GR_AXES(0), true), gr_relu(b)),
            gr_slice(a, 1, GR_SLICE_DEFAULT, GR_SLICE_DEFAULT, -1),
            gr_reshape(gr_reshape(gr_transpose(a, 0, 1), GR_SHAPE(9)), GR_SHAPE(3, 3)),
        };
        pool[top++] = ways[(state >> 24) % (sizeof ways / sizeof *ways)];
    }
    return gr_add(pool[top - 1], gr_add(pool[top - 2], pool[top - 3]));
}

static void test_adjoint_identity(void)
{
    for (uint32_t seed = 1; seed <= 40; seed++) {
        gr_graph *g = gr_graph_create(NULL);
        gr_tensor in[3], v[3], by[3], with_products[3], ty;
        for (int i = 0; i < 3; i++) in[i] = variable(random_tensor(g, GR_SHAPE(3, 3)));
        for (int i = 0; i < 3; i++) v[i] = random_tensor(g, GR_SHAPE(3, 3));
        const gr_tensor u = random_tensor(g, GR_SHAPE(3, 3));
        const gr_tensor y = random_graph(g, 3, in, &seed);
        OK(gr_jvp(1, &y, 3, in, v, &ty));
        OK(gr_vjp(1, &y, 3, in, &u, by));
        double right = 0;
        for (int i = 0; i < 3; i++) right += dot(by[i], v[i]);
        CHECK_NEAR(dot(u, ty), right, 1e-11 * fmax(1, fabs(right)));
        /* Not recorded, and of the function: the same numbers. */
        gr_tensor plain;
        gr_no_grad_begin(g);
        OK(gr_jvp(1, &y, 3, in, v, &plain));
        gr_no_grad_end(g);
        check_same(plain, ty, 1e-12);
        check_same(gr_function_jvp(g, random_graph, 3, in, &seed, v, NULL), ty, 1e-12);
        /* The Hessian is symmetric, and the product with it recorded or not. */
        const gr_tensor loss = total(gr_mul(y, u));
        gr_tensor hv[3], hw[3], w[3];
        for (int i = 0; i < 3; i++) w[i] = random_tensor(g, GR_SHAPE(3, 3));
        OK(gr_hvp(loss, 3, in, v, hv));
        OK(gr_hvp(loss, 3, in, w, hw));
        gr_no_grad_begin(g);
        OK(gr_hvp(loss, 3, in, v, with_products));
        gr_no_grad_end(g);
        double vw = 0, wv = 0;
        for (int i = 0; i < 3; i++) {
            vw += dot(hv[i], w[i]);
            wv += dot(hw[i], v[i]);
            check_same(with_products[i], hv[i], 1e-11);
        }
        CHECK_NEAR(vw, wv, 1e-10 * fmax(1, fabs(vw)));
        no_error(g);
        gr_graph_destroy(g);
    }
}

/* ---- Products with Hessians, in one sweep up and one down ---- */

static gr_tensor squared_norm(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return total(gr_square(gr_tanh(in[0])));
}

/* Each takes a: [3, 4], b: [4] and c: [4, 4]. */
#define PRODUCT(NAME, EXPRESSION)                                                      \
    static gr_tensor NAME(gr_graph *g, int n, const gr_tensor *in, void *user)         \
    {                                                                                  \
        const gr_tensor a = in[0], b = in[1], c = in[2], outside = *(gr_tensor *)user; \
        (void)g, (void)n, (void)a, (void)b, (void)c, (void)outside;                    \
        return EXPRESSION;                                                             \
    }
PRODUCT(of_nothing, gr_scalar(g, GR_F64, 3))
PRODUCT(of_linear, total(gr_sub(gr_scale(a, 2), gr_neg(gr_relu(gr_add_scalar(b, 1))))))
PRODUCT(of_fixed, total(gr_mul(outside, gr_mul(gr_scale(a, 3), outside))))
PRODUCT(of_repeated, total(gr_mul(gr_mul(a, b), gr_div(gr_exp(b), gr_add_scalar(gr_square(a), 1)))))
PRODUCT(of_powers,
        total(gr_add(gr_pow_scalar(a, 3),
                     gr_add(gr_pow_scalar(b, 1), gr_mul(gr_pow_scalar(b, 2), gr_pow_scalar(b, 0))))))
PRODUCT(of_pow, total(gr_pow(gr_add_scalar(gr_square(a), 1), b)))
PRODUCT(of_itself,
        total(gr_add(gr_mul(c, c), gr_add(gr_matmul(c, c), gr_div(c, gr_add_scalar(gr_mul(c, c), 1))))))
PRODUCT(of_matrices, total(gr_square(gr_matmul(gr_tanh(gr_matmul(a, c)), gr_softplus(c)))))
PRODUCT(of_stack, total(gr_square(gr_matmul(gr_reshape(a, GR_SHAPE(3, 1, 4)), gr_sin(c)))))
PRODUCT(of_rows, total(gr_mul(gr_logsumexp(gr_mul(a, a), GR_AXES(1), true), gr_softmax(gr_add(a, b), 1))))
PRODUCT(of_results, total(gr_log_softmax(gr_mul(a, a), 1)))
PRODUCT(of_largest, total(gr_square(gr_max(gr_maximum(gr_mul(a, a), gr_minimum(a, b)), GR_AXES(1), false))))
PRODUCT(of_choice, total(gr_where(gr_greater(a, b), gr_mul(a, b), gr_exp(a))))
PRODUCT(of_lengths,
        gr_mul(gr_norm(a, GR_ALL_AXES, false), gr_norm(gr_mul(b, gr_select(a, 0, 1)), GR_ALL_AXES, false)))
PRODUCT(of_single, total(gr_square(gr_cast(gr_sin(gr_cast(gr_mul(a, b), GR_F32)), GR_F64))))
PRODUCT(of_twelve, total(gr_square(gr_concat(12,
                                             (gr_tensor[]){b, gr_sin(b), b, gr_select(a, 0, 0), b, b,
                                                           gr_mul(b, b), b, b, b, b, gr_select(c, 1, 2)},
                                             0))))
PRODUCT(of_product, total(gr_mul(gr_function_jvp(g, squared_norm, 1, &a, NULL, &a, NULL), gr_tanh(b))))
PRODUCT(of_checkpoint,
        gr_mul(gr_checkpoint(g, squared_norm, 1, &a, NULL), gr_checkpoint(g, of_repeated, 3, in, user)))

static const gr_function products[] = {of_nothing, of_linear,  of_fixed,     of_repeated, of_powers,
                                       of_pow,     of_itself,  of_matrices,  of_stack,    of_rows,
                                       of_results, of_largest, of_choice,    of_lengths,  of_single,
                                       of_twelve,  of_product, of_checkpoint};

/* Not recorded they are made otherwise than recorded, and are the same: for all inputs moving, and for one. */
static void test_products_both_ways(void)
{
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
        gr_graph *g = gr_graph_create(NULL);
        const int before = test_failures;
        gr_tensor outside = random_tensor(g, GR_SHAPE(3, 4)), in[3], v[3], w[3], plain[3], recorded[3],
                  result[3];
        const gr_shape shapes[] = {GR_SHAPE(3, 4), GR_SHAPE(4), GR_SHAPE(4, 4)};
        for (int k = 0; k < 3; k++) in[k] = variable(random_tensor(g, shapes[k]));
        for (int k = 0; k < 3; k++) v[k] = random_tensor(g, shapes[k]);
        for (int moving = 0; moving < 4; moving++) {
            for (int k = 0; k < 3; k++) w[k] = moving == 3 || moving == k ? v[k] : GR_NONE;
            const double tolerance = products[i] == of_single ? 1e-5 : 1e-12;
            const gr_tensor y = products[i](g, 3, in, &outside);
            OK(gr_function_hvp(g, products[i], 3, in, &outside, w, recorded, NULL));
            gr_no_grad_begin(g);
            OK(gr_function_hvp(g, products[i], 3, in, &outside, w, plain, NULL));
            if (gr_requires_grad(y)) OK(gr_hvp(y, 3, in, w, result));
            gr_no_grad_end(g);
            for (int k = 0; k < 3; k++) {
                check_same(plain[k], recorded[k], tolerance);
                if (gr_requires_grad(y)) check_same(result[k], recorded[k], tolerance);
            }
        }
        no_error(g);
        if (test_failures > before) printf("  function %d\n", (int)i);
        gr_graph_destroy(g);
    }
}

static gr_tensor halve(gr_tensor gradient, gr_tensor of, void *user)
{
    (void)of;
    ++*(int *)user;
    return gr_scale(gradient, 0.5);
}

/* Interior inputs, whose tangents are their own and what comes from below, and hooks. */
static void test_products_of_interiors(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = variable(random_tensor(g, GR_SHAPE(3, 4))), h = gr_softmax(gr_mul(x, x), 1),
                    k = gr_exp(h), unused = gr_square(x);
    const gr_tensor losses[] = {total(gr_mul(h, k)), total(h), total(gr_add(k, h)),
                                gr_mean(k, GR_ALL_AXES, false)};
    const gr_tensor in[] = {h, x, k, unused};
    gr_tensor v[4], w[4], plain[4], recorded[4];
    for (int i = 0; i < 4; i++) v[i] = random_tensor(g, GR_SHAPE(3, 4));
    for (int i = 0; i < 4 * 16; i++) {
        for (int j = 0; j < 4; j++) w[j] = i >> (j + 2) & 1 ? v[j] : GR_NONE;
        OK(gr_hvp(losses[i % 4], 4, in, w, recorded));
        gr_no_grad_begin(g);
        OK(gr_hvp(losses[i % 4], 4, in, w, plain));
        gr_no_grad_end(g);
        for (int j = 0; j < 4; j++) check_same(plain[j], recorded[j], 1e-12);
    }
    int calls = 0;
    gr_tensor hooked[1];
    gr_no_grad_begin(g);
    OK(gr_hvp(losses[0], 1, &x, &v[1], plain));
    gr_add_hook(x, halve, &calls);
    OK(gr_hvp(losses[0], 1, &x, &v[1], hooked));
    check_same(hooked[0], gr_scale(plain[0], 0.5), 1e-14);
    gr_add_hook(h, halve, &calls);
    calls = 0;
    OK(gr_hvp(losses[0], 1, &x, &v[1], hooked));
    CHECK(calls == 2);
    gr_no_grad_end(g);
    no_error(g);
    gr_graph_destroy(g);
}

static gr_tensor sum_of_cubes(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return total(gr_pow_scalar(in[0], 3));
}

/* The products of sum x^3 along x, and along x^2: 6 x v with v held fast. Their gradients by x see v, too, if they are
   recorded: as in PyTorch, d(6 x x)/dx = 12 x and d(6 x x^2)/dx = 18 x^2. */
static void check_own_vector(gr_graph *g, gr_tensor x, bool of_function)
{
    const gr_tensor vectors[] = {x, gr_square(x)};
    for (int i = 0; i < 2; i++) {
        const gr_tensor expected = gr_scale(gr_mul(x, vectors[i]), 6);
        const gr_tensor slope = gr_scale(vectors[i], i ? 18 : 12);
        gr_tensor hv = GR_NONE, by = GR_NONE, plain = GR_NONE;
        const gr_tensor y = sum_of_cubes(g, 1, &x, NULL);
        if (of_function)
            OK(gr_function_hvp(g, sum_of_cubes, 1, &x, NULL, &vectors[i], &hv, NULL));
        else
            OK(gr_hvp(y, 1, &x, &vectors[i], &hv));
        check_same(hv, expected, 1e-13);
        const gr_tensor sum = total(hv);
        OK(gr_grad(1, &sum, 1, &x, NULL, NULL, &by));
        check_same(by, slope, 1e-13);
        gr_no_grad_begin(g);
        OK(gr_hvp(y, 1, &x, &vectors[i], &plain));
        gr_no_grad_end(g);
        check_same(plain, expected, 1e-13);
    }
}

static gr_tensor unchanged(gr_tensor gradient, gr_tensor of, void *user)
{
    (void)of, (void)user;
    return gradient;
}

static void test_own_vectors(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = variable(random_tensor(g, GR_SHAPE(3))), one = variable(random_tensor(g, GR_SCALAR));
    check_own_vector(g, x, false);
    check_own_vector(g, x, true);
    check_own_vector(g, one, false);
    gr_add_hook(x, unchanged, NULL); /* by the gradient of a tangent, recorded or not */
    check_own_vector(g, x, false);
    no_error(g);
    gr_graph_destroy(g);
}

/* ---- What counts as an argument ---- */

static gr_tensor plus_user(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n;
    return gr_add(*(gr_tensor *)user, in[0]);
}

static gr_tensor times_user(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n;
    return gr_mul(*(gr_tensor *)user, gr_square(in[0]));
}

/* x d/dy (x + y), by each of the calls. */
static gr_tensor confusing(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    derivative d = {plus_user, (void *)(uintptr_t)in, *(int *)user};
    const gr_tensor y = gr_scalar(g, GR_F64, 2);
    const gr_tensor stand_in = d.way == BY_DERIVATIVE
                                   ? variable(gr_constant(g, GR_F64, GR_SCALAR, &(double){2}))
                                   : y;
    (void)n;
    return gr_mul(in[0], derive(g, 1, &stand_in, &d));
}

/* x d/dx' (x x'^2) at x' = x: the inner x is constant inside, and not outside: 2 x^2 x = 2 x^3. */
static gr_tensor captured(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    derivative d = {times_user, (void *)(uintptr_t)in, *(int *)user};
    (void)n;
    return gr_mul(in[0], derive(g, 1, in, &d));
}

static void test_perturbation_confusion(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_constant(g, GR_F64, GR_SCALAR, &(double){3});
    for (int inner = 0; inner < WAYS; inner++)
        for (int outer = 0; outer < WAYS - 1; outer++) {
            derivative d = {confusing, &inner, outer}, c = {captured, &inner, outer};
            CHECK(gr_item(derive(g, 1, &x, &d)) == 1);
            if (inner != BY_DERIVATIVE) CHECK_NEAR(gr_item(derive(g, 1, &x, &c)), 6 * 9, 1e-13);
        }
    no_error(g);
    gr_graph_destroy(g);
}

static void test_captured_parameters(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor w = gr_param(g, "w", GR_F64, GR_SCALAR, &(double){5});
    const gr_tensor x = gr_constant(g, GR_F64, GR_SCALAR, &(double){3});
    gr_tensor by, value;
    /* The derivative 2 w x has a history by w, though x requires no gradient. */
    OK(gr_function_vjp(g, times_user, 1, &x, &w, GR_NONE, &by, &value));
    CHECK(gr_item(by) == 30 && gr_item(value) == 45);
    CHECK(gr_requires_grad(by));
    OK(gr_backward(gr_add(by, value)));
    CHECK(gr_item(gr_gradient(w)) == 6 + 9);
    CHECK(!gr_has_gradient(x));
    /* w as the argument and captured at once: by the argument only, 2 w w. */
    OK(gr_function_vjp(g, times_user, 1, &w, &w, GR_NONE, &by, NULL));
    CHECK(gr_item(by) == 50);
    gr_clear_grads(g);
    OK(gr_backward(by)); /* d (2 w w) / d w */
    CHECK(gr_item(gr_gradient(w)) == 20);
    /* A frozen parameter leaves nothing to record. */
    gr_set_requires_grad(w, false);
    OK(gr_function_vjp(g, times_user, 1, &w, &w, GR_NONE, &by, NULL));
    CHECK(gr_item(by) == 50 && !gr_requires_grad(by) && !gr_requires_grad(w));
    no_error(g);
    gr_graph_destroy(g);
}

/* A tangent or cotangent that requires a gradient is something below, too. */
static void test_seeds_are_differentiable(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_function f = cubes;
    const gr_tensor x = random_tensor(g, GR_SHAPE(3)), v = variable(random_tensor(g, GR_SHAPE(3)));
    gr_tensor hv, by, w = random_tensor(g, GR_SHAPE(3));
    const gr_tensor h = gr_function_hessian(g, f, 1, &x, NULL, 0, 0, NULL);
    OK(gr_function_hvp(g, f, 1, &x, NULL, &v, &hv, NULL));
    OK(gr_vjp(1, &hv, 1, &v, &w, &by));
    check_same(by, gr_matmul(h, w), 1e-13);
    const gr_tensor t = gr_function_jvp(g, softmax, 1, &x, NULL, &v, NULL);
    check_same(gr_jacobian(t, v), gr_function_jacobian(g, softmax, 1, &x, NULL, 0, NULL), 1e-13);
    const gr_tensor u = variable(random_tensor(g, GR_SHAPE(3)));
    OK(gr_function_vjp(g, softmax, 1, &x, NULL, u, &by, NULL));
    check_same(gr_jacobian(by, u), gr_function_jacobian(g, softmax, 1, &x, NULL, 0, NULL), 1e-13);
    no_error(g);
    gr_graph_destroy(g);
}

/* ---- Edges ---- */

static gr_tensor first_input(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return in[0];
}

static gr_tensor constant_result(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)n, (void)in, (void)user;
    return gr_ones(g, GR_F64, GR_SHAPE(2));
}

static gr_tensor captured_result(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)in;
    return *(gr_tensor *)user;
}

static void test_trivial_functions(void)
{
    gr_graph *g = gr_graph_create(NULL);
    for (int needs = 0; needs < 2; needs++) {
        gr_tensor x = random_tensor(g, GR_SHAPE(2)), t = random_tensor(g, GR_SHAPE(2)), value, by;
        gr_set_requires_grad(x, needs);
        check_same(gr_function_jvp(g, first_input, 1, &x, NULL, &t, &value), t, 0);
        check_same(value, x, 0);
        CHECK(gr_requires_grad(value) == (needs != 0));
        OK(gr_function_vjp(g, first_input, 1, &x, NULL, t, &by, NULL));
        check_same(by, t, 0);
        const gr_tensor identity = gr_function_jacobian(g, first_input, 1, &x, NULL, 0, NULL);
        for (int i = 0; i < 4; i++) CHECK(element(identity, i) == (i == 0 || i == 3));
        CHECK(dot(gr_function_jvp(g, constant_result, 1, &x, NULL, &t, NULL), t) == 0);
        const gr_tensor none = gr_function_jacobian(g, constant_result, 1, &x, NULL, 0, NULL);
        CHECK(has_shape(none, GR_SHAPE(2, 2)) && element(none, 3) == 0);
        const gr_tensor zero = gr_function_jvp(g, captured_result, 1, &x, &x, &t, &value);
        CHECK(has_shape(zero, GR_SHAPE(2)) && dot(zero, t) == 0);
        CHECK(gr_same(value, x));
        OK(gr_function_vjp(g, captured_result, 1, &x, &x, t, &by, &value));
        CHECK(dot(by, t) == 0 && gr_same(value, x));
    }
    no_error(g);
    gr_graph_destroy(g);
}

/* Integers and masks are passed on. */
static gr_tensor picked(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)user;
    CHECK(n == 3 && gr_type_of(in[0]) == GR_I32 && gr_type_of(in[2]) == GR_BOOL);
    return gr_where(in[2], gr_square(gr_index_select(in[1], 0, in[0])), gr_scalar(g, gr_type_of(in[1]), 0));
}

static void test_types(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor in[] = {gr_constant(g, GR_I32, GR_SHAPE(2), (int32_t[]){2, 0}),
                            gr_constant(g, GR_F32, GR_SHAPE(3), (float[]){1, 2, 3}),
                            gr_constant(g, GR_BOOL, GR_SHAPE(2), (uint8_t[]){1, 0})};
    const gr_tensor u = gr_constant(g, GR_F32, GR_SHAPE(2), (float[]){10, 1});
    const gr_tensor t = gr_constant(g, GR_F32, GR_SHAPE(3), (float[]){1, 1, 0.5});
    gr_tensor by[3], value;
    OK(gr_function_vjp(g, picked, 3, in, NULL, u, by, &value));
    CHECK(by[0].graph == NULL && by[0].index == 0 && by[2].graph == NULL && by[2].index == 0);
    CHECK(gr_type_of(by[1]) == GR_F32 && element(by[1], 0) == 0 && element(by[1], 2) == 60);
    CHECK(gr_type_of(value) == GR_F32 && element(value, 0) == 9 && element(value, 1) == 0);
    const gr_tensor tangents[] = {GR_NONE, t, GR_NONE};
    const gr_tensor ty = gr_function_jvp(g, picked, 3, in, NULL, tangents, NULL);
    CHECK(gr_type_of(ty) == GR_F32 && element(ty, 0) == 3 && element(ty, 1) == 0);
    CHECK(gr_type_of(gr_function_jacobian(g, picked, 3, in, NULL, 1, NULL)) == GR_F32);
    /* f32 of f64 and back: each derivative has the type that it is documented to have. */
    const gr_tensor x = variable(random_tensor(g, GR_SHAPE(3)));
    const gr_tensor single = gr_square(gr_cast(x, GR_F32)), sum = total(single);
    CHECK(gr_type_of(gr_jacobian(single, x)) == GR_F32);
    CHECK(gr_type_of(gr_jacobian(sum, x)) == GR_F32);
    CHECK(gr_type_of(gr_hessian(sum, x, x)) == GR_F64);
    CHECK(gr_type_of(gr_hessian_diagonal(sum, x)) == GR_F64);
    no_error(g);
    gr_graph_destroy(g);
}

static gr_tensor squares(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)user;
    gr_tensor y = gr_square(in[0]);
    for (int i = 1; i < n; i++) y = gr_add(y, gr_mul(in[i], gr_square(in[0])));
    return y;
}

static gr_tensor total_squares(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    return total(squares(g, n, in, user));
}

static void test_shapes(void)
{
    gr_graph *g = gr_graph_create(NULL);
    /* 0-d. */
    const gr_tensor s = gr_constant(g, GR_F64, GR_SCALAR, &(double){3});
    CHECK(has_shape(gr_function_jacobian(g, squares, 1, &s, NULL, 0, NULL), GR_SCALAR));
    CHECK(gr_item(gr_function_hessian(g, squares, 1, &s, NULL, 0, 0, NULL)) == 2);
    CHECK(gr_item(gr_function_hessian_diagonal(g, squares, 1, &s, NULL, 0, NULL)) == 2);
    /* Empty. */
    const gr_tensor e = gr_constant(g, GR_F64, GR_SHAPE(0, 2), NULL);
    gr_tensor hv;
    CHECK(has_shape(gr_function_jacobian(g, squares, 1, &e, NULL, 0, NULL), GR_SHAPE(0, 2, 0, 2)));
    CHECK(has_shape(gr_function_jacobian(g, total_squares, 1, &e, NULL, 0, NULL), GR_SHAPE(0, 2)));
    CHECK(has_shape(gr_function_hessian(g, total_squares, 1, &e, NULL, 0, 0, NULL), GR_SHAPE(0, 2, 0, 2)));
    CHECK(has_shape(gr_function_hessian_diagonal(g, total_squares, 1, &e, NULL, 0, NULL), GR_SHAPE(0, 2)));
    OK(gr_function_hvp(g, total_squares, 1, &e, NULL, &e, &hv, NULL));
    CHECK(has_shape(hv, GR_SHAPE(0, 2)));
    /* Strided inputs and tangents. */
    const gr_tensor m = random_tensor(g, GR_SHAPE(2, 3)), t = gr_transpose(m, 0, 1);
    const gr_tensor tangent = gr_slice(random_tensor(g, GR_SHAPE(3, 4)), 1, 3, 0, -2);
    check_same(gr_function_jvp(g, squares, 1, &t, NULL, &tangent, NULL), gr_scale(gr_mul(t, tangent), 2),
               1e-15);
    const gr_tensor wide = gr_expand(s, GR_SHAPE(2, 2)),
                    ones = gr_expand(gr_scalar(g, GR_F64, 1), GR_SHAPE(2, 2));
    CHECK(element(gr_function_jvp(g, squares, 1, &wide, NULL, &ones, NULL), 3) == 6);
    /* The same input twice: two arguments of a function, one input of a record. */
    const gr_tensor twice[] = {s, s}, tangents[] = {s, s};
    gr_tensor by[2], ty;
    OK(gr_function_vjp(g, squares, 2, twice, NULL, GR_NONE, by, NULL));
    CHECK(gr_item(by[0]) == 6 + 18 && gr_item(by[1]) == 9);
    const gr_tensor x = variable(gr_constant(g, GR_F64, GR_SCALAR, &(double){3}));
    const gr_tensor y = gr_square(x), both[] = {x, x};
    OK(gr_jvp(1, &y, 2, both, tangents, &ty));
    CHECK(gr_item(ty) == 6 * 3 + 6 * 3);
    OK(gr_vjp(1, &y, 2, both, NULL, by));
    CHECK(gr_item(by[0]) == 6 && gr_item(by[1]) == 6);
    OK(gr_hvp(y, 2, both, tangents, by));
    CHECK(gr_item(by[0]) == 12 && gr_item(by[1]) == 12);
    /* An interior input and the leaf below it. */
    const gr_tensor h = gr_scale(x, 4), z = gr_square(h), nested[] = {h, x}, seeds[] = {GR_NONE, s};
    OK(gr_jvp(1, &z, 2, nested, seeds, &ty));
    CHECK(gr_item(ty) == 2 * 12 * 4 * 3);
    OK(gr_jvp(1, &z, 2, nested, tangents, &ty));
    CHECK(gr_item(ty) == 2 * 12 * (4 * 3 + 3));
    CHECK(gr_item(gr_hessian(z, h, x)) == 8);
    /* No inputs, and an output that is one of them. */
    OK(gr_jvp(1, &z, 0, NULL, NULL, &ty));
    CHECK(gr_item(ty) == 0);
    OK(gr_jvp(1, &x, 1, &x, &s, &ty));
    CHECK(gr_item(ty) == 3);
    const gr_tensor other = variable(gr_constant(g, GR_F64, GR_SCALAR, NULL));
    OK(gr_jvp(1, &z, 1, &other, &s, &ty)); /* does not depend on it */
    CHECK(gr_item(ty) == 0);
    CHECK(gr_item(gr_jacobian(z, other)) == 0 && gr_item(gr_hessian(z, other, other)) == 0);
    CHECK(gr_item(gr_hessian_diagonal(z, other)) == 0);
    no_error(g);
    gr_graph_destroy(g);
}

/* What is not recorded leaves its results behind and nothing else, even of a long function. */
static gr_tensor long_chain(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    gr_tensor y = in[0];
    (void)g, (void)n, (void)user;
    for (int i = 0; i < 500; i++) y = gr_sin(gr_mul(y, in[0]));
    return total(y);
}

static void test_memory(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = variable(random_tensor(g, GR_SHAPE(20))), v = random_tensor(g, GR_SHAPE(20));
    gr_tensor results[3];
    gr_no_grad_begin(g);
    for (int run = 0; run < 3; run++) {
        gr_function_hvp(g, long_chain, 1, &w, NULL, &v, &results[0], &results[1]);
        results[2] = gr_function_hessian_diagonal(g, long_chain, 1, &w, NULL, 0, NULL);
        gr_graph_reset(g);
    }
    const size_t before = gr_graph_memory(g).used;
    gr_function_hvp(g, long_chain, 1, &w, NULL, &v, &results[0], &results[1]);
    CHECK(!gr_requires_grad(results[0]) && !gr_requires_grad(results[1]));
    results[2] = gr_function_hessian_diagonal(g, long_chain, 1, &w, NULL, 0, NULL);
    CHECK(!gr_requires_grad(results[2]));
    CHECK(gr_graph_memory(g).used <= before + 2 * (20 * 8 + 256)); /* two buffers; 0-d is inside its node */
    gr_no_grad_end(g);
    CHECK(gr_is_recording(g));
    /* Of a recorded result, too; and a forward walk holds few tangents at a time. */
    const gr_tensor y = long_chain(g, 1, &w, NULL);
    const size_t recorded = gr_graph_memory(g).used;
    gr_no_grad_begin(g);
    gr_graph_reset_memory_peak(g);
    OK(gr_jvp(1, &y, 1, &w, &v, &results[0]));
    CHECK(gr_graph_memory(g).used_peak < recorded + 500 * 20 * 8 / 4);
    OK(gr_hvp(y, 1, &w, &v, &results[0]));
    CHECK(gr_is_valid(gr_hessian(y, w, w)));
    gr_no_grad_end(g);
    CHECK(gr_graph_memory(g).used < recorded + 500 * 20 * 8 / 4);
    gr_graph_reset(g);
    /* Where nothing requires a gradient the same holds with recording on. */
    const gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(20), NULL);
    const size_t plain = gr_graph_memory(g).used;
    OK(gr_function_hvp(g, long_chain, 1, &x, NULL, &v, &results[0], NULL));
    CHECK(!gr_requires_grad(results[0]));
    CHECK(gr_graph_memory(g).used <= plain + 20 * 8 + 256);
    no_error(g);
    gr_graph_destroy(g);
}

/* x + n x^2, as a chain of n links. */
static gr_tensor deep(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    gr_tensor y = in[0];
    (void)g, (void)n;
    for (int i = 0; i < *(int *)user; i++) y = gr_add(y, gr_mul(in[0], in[0]));
    return y;
}

/* Primitives that promise nothing: their rules are transposed, one by one. */
static gr_tensor deep_general(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    gr_tensor y = in[0];
    (void)g, (void)n;
    for (int i = 0; i < *(int *)user; i++) y = gr_max(gr_reshape(y, GR_SHAPE(1, 1)), GR_ALL_AXES, false);
    return y;
}

/* Depth costs no stack, and time in proportion. */
static void test_depth(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_constant(g, GR_F64, GR_SCALAR, &(double){3}), one = gr_scalar(g, GR_F64, 1);
    int n = 200000;
    gr_tensor hv;
    OK(gr_function_hvp(g, deep, 1, &x, &n, &one, &hv, NULL));
    CHECK(gr_item(hv) == 2 * n);
    CHECK(gr_item(gr_function_jvp(g, deep, 1, &x, &n, &one, NULL)) == 1 + 6 * n);
    n = 50000;
    CHECK(gr_item(gr_function_jvp(g, deep_general, 1, &x, &n, &one, NULL)) == 1);
    no_error(g);
    gr_graph_destroy(g);
}

/* ---- Errors ---- */

static gr_tensor fails(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)n;
    const int how = *(int *)user;
    if (how == 0) return gr_matmul(in[0], in[0]);
    if (how == 1) return GR_NONE;
    if (how == 2) return gr_cast(in[0], GR_I32);
    if (how == 3) gr_graph_reset(g);
    if (how == 4) gr_graph_fail(g, GR_ERR_CALLBACK, "no");
    if (how == 5) gr_scope_begin(g);
    if (how == 6) gr_no_grad_begin(g);
    return total(gr_square(in[0]));
}

static void expect(gr_graph *g, gr_status status, const char *part)
{
    CHECK(gr_graph_status(g) == status);
    if (gr_graph_status(g) != status) printf("  %s\n", gr_graph_error(g));
    CHECK_TEXT(gr_graph_error(g), part);
    gr_graph_clear_error(g);
}

static void test_failing_functions(void)
{
    static const gr_status codes[] = {GR_ERR_SHAPE, GR_ERR_CALLBACK, GR_ERR_TYPE, GR_ERR_STATE,
                                      GR_ERR_CALLBACK};
    static const char *const texts[] = {"matmul", "the function returned no tensor", "[3]", "reset", "no"};
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = random_tensor(g, GR_SHAPE(2, 3)), one = GR_NONE;
    const gr_tensor column = gr_constant(g, GR_F64, GR_SHAPE(3), (double[]){1, 2, 3});
    gr_tensor by, value;
    for (int run = 0; run < 10; run++) { /* the second time all tables are there already */
        int how = run % 5;
        const gr_tensor in = how == 2 ? column : x;
        const gr_scope scope = gr_scope_begin(g);
        const size_t before = gr_graph_memory(g).used;
        CHECK(gr_function_vjp(g, fails, 1, &in, &how, one, &by, &value) == codes[how]);
        CHECK(!gr_is_valid(by) && !gr_is_valid(value));
        expect(g, codes[how], texts[how]);
        CHECK(!gr_is_valid(gr_function_jvp(g, fails, 1, &in, &how, &in, &value)) && !gr_is_valid(value));
        expect(g, codes[how], texts[how]);
        CHECK(gr_function_hvp(g, fails, 1, &in, &how, &in, &by, NULL) == codes[how] && !gr_is_valid(by));
        expect(g, codes[how], texts[how]);
        CHECK(!gr_is_valid(gr_function_hessian(g, fails, 1, &in, &how, 0, 0, &value)));
        expect(g, codes[how], texts[how]);
        if (run >= 5) CHECK(gr_graph_memory(g).used == before);
        CHECK(gr_is_recording(g) && gr_scope_end(scope, 0, NULL) == GR_OK);
    }
    for (int how = 5; how < 7; how++) { /* what it leaves open is closed */
        CHECK(gr_function_hvp(g, fails, 1, &x, &how, &x, &by, NULL) == GR_OK);
        CHECK(gr_is_recording(g));
        if (how == 5) check_same(by, gr_scale(x, 2), 0);
        OK(gr_graph_reset(g));
    }
    no_error(g);
    gr_graph_destroy(g);
}

/* What each function refuses. Long because it is a list. */
static void test_bad_arguments(void)
{
    gr_graph *g = gr_graph_create(NULL), *strange = gr_graph_create(NULL);
    const gr_tensor x = variable(random_tensor(g, GR_SHAPE(2, 3))), frozen = random_tensor(g, GR_SHAPE(2, 3));
    const gr_tensor y = gr_square(x), loss = total(y), bad = random_tensor(g, GR_SHAPE(3, 2));
    const gr_tensor alien = random_tensor(strange, GR_SHAPE(2, 3)), none = {g, 0, 0};
    const gr_tensor single = gr_cast(frozen, GR_F32), whole = gr_cast(x, GR_I32);
    gr_tensor r;
    CHECK(gr_jvp(1, &y, 1, &x, &bad, &r) == GR_ERR_SHAPE && !gr_is_valid(r));
    expect(g, GR_ERR_SHAPE, "jvp: tangent constant f64 [3, 2] for input constant f64 [2, 3]");
    CHECK(gr_jvp(1, &y, 1, &x, &single, &r) == GR_ERR_TYPE);
    expect(g, GR_ERR_TYPE, "jvp: tangent");
    CHECK(gr_jvp(1, &y, 1, &x, &alien, &r) == GR_ERR_GRAPH);
    expect(g, GR_ERR_GRAPH, "jvp: the tangent belongs to another graph");
    CHECK(gr_jvp(1, &y, 1, &frozen, &x, &r) == GR_ERR_NO_HISTORY);
    expect(g, GR_ERR_NO_HISTORY, "jvp: ");
    CHECK(gr_jvp(1, &y, 1, &none, &x, &r) == GR_ERR_HANDLE);
    expect(g, GR_ERR_HANDLE, "jvp: inputs[0] is an invalid handle");
    CHECK(gr_jvp(1, &y, 1, &x, NULL, &r) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "jvp: ");
    gr_tensor zeroed = {0}, unmade = {g, 0, 0};
    CHECK(gr_jvp(2, (gr_tensor[]){y, zeroed}, 1, &x, &frozen, (gr_tensor[2]){{0}}) == GR_ERR_HANDLE);
    expect(g, GR_ERR_HANDLE, "jvp: outputs[1] is an invalid handle");
    CHECK(gr_vjp(1, &y, 1, &x, &unmade, &r) == GR_ERR_HANDLE);
    expect(g, GR_ERR_HANDLE, "vjp: the cotangent is an invalid handle");
    CHECK(gr_jvp(2, (gr_tensor[]){y, alien}, 1, &x, &frozen, (gr_tensor[2]){{0}}) == GR_ERR_GRAPH);
    expect(g, GR_ERR_GRAPH, "jvp: outputs[1] belongs to another graph");
    CHECK(gr_jvp(1, &whole, 1, &x, &frozen, &r) == GR_ERR_TYPE);
    expect(g, GR_ERR_TYPE, "jvp: outputs[0] is i32");
    CHECK(gr_jvp(0, NULL, 0, NULL, NULL, NULL) == GR_ERR_HANDLE);
    CHECK(gr_vjp(1, &y, 1, &x, &bad, &r) == GR_ERR_SHAPE);
    expect(g, GR_ERR_SHAPE, "vjp: cotangent");
    CHECK(gr_hvp(y, 1, &x, &frozen, &r) == GR_ERR_NOT_SCALAR && !gr_is_valid(r));
    expect(g, GR_ERR_NOT_SCALAR, "hvp: ");
    CHECK(gr_hvp(loss, 1, &x, &bad, &r) == GR_ERR_SHAPE);
    expect(g, GR_ERR_SHAPE, "hvp: tangent");
    CHECK(!gr_is_valid(gr_hessian(y, x, x)));
    expect(g, GR_ERR_NOT_SCALAR, "hessian: ");
    CHECK(!gr_is_valid(gr_jacobian(y, frozen)));
    expect(g, GR_ERR_NO_HISTORY, "jacobian: ");
    CHECK(!gr_is_valid(gr_jacobian(whole, x)));
    expect(g, GR_ERR_TYPE, "jacobian: ");
    CHECK(!gr_is_valid(gr_jacobian(none, x)));
    expect(g, GR_ERR_HANDLE, "jacobian: ");
    const gr_tensor many = gr_reshape(y, GR_SHAPE(1, 1, 1, 1, 1, 2, 3));
    CHECK(!gr_is_valid(gr_jacobian(many, x)));
    expect(g, GR_ERR_NDIM,
           "jacobian: of reshape [1, 1, 1, 1, 1, 2, 3] by constant [2, 3] has 9 axes, at most 8 are "
           "possible: reshape");
    CHECK(!gr_is_valid(gr_function_jacobian(g, squares, 1, &frozen, NULL, 1, NULL)));
    expect(g, GR_ERR_ARGUMENT, "function_jacobian: by inputs[1], but there are 1 inputs");
    const gr_tensor ints = gr_cast(frozen, GR_I32), mixed[] = {frozen, ints};
    CHECK(!gr_is_valid(gr_function_hessian(g, first_input, 2, mixed, NULL, 0, 1, NULL)));
    expect(g, GR_ERR_TYPE, "function_hessian: inputs[1]");
    CHECK(!gr_is_valid(gr_function_jvp(g, NULL, 1, &frozen, NULL, &x, NULL)));
    expect(g, GR_ERR_ARGUMENT, "function_jvp: no function");
    CHECK(!gr_is_valid(gr_function_jvp(g, squares, 1, &frozen, NULL, NULL, NULL)));
    expect(g, GR_ERR_ARGUMENT, "function_jvp: NULL");
    CHECK(gr_function_hvp(g, squares, 1, &alien, NULL, &x, &r, NULL) == GR_ERR_GRAPH);
    expect(g, GR_ERR_GRAPH, "function_hvp: inputs[0] belongs to another graph");
    CHECK(gr_function_vjp(NULL, squares, 1, &x, NULL, GR_NONE, &r, NULL) == GR_ERR_HANDLE);
    /* While an error is pending nothing runs. */
    gr_graph_fail(g, GR_ERR_IO, "pending");
    CHECK(gr_jvp(1, &y, 1, &x, &frozen, &r) == GR_ERR_IO && gr_hvp(loss, 1, &x, &frozen, &r) == GR_ERR_IO);
    CHECK(!gr_is_valid(gr_jacobian(y, x)) && !gr_is_valid(gr_hessian_diagonal(loss, x)));
    CHECK(gr_function_vjp(g, squares, 1, &x, NULL, GR_NONE, &r, NULL) == GR_ERR_IO);
    expect(g, GR_ERR_IO, "pending");
    gr_graph_destroy(strange);
    gr_graph_destroy(g);
}

/* A function that is straight has a product of zeros; but without its history it is an error, as one that is not,
   recorded or not, alone or beside one that is there. What does not lead to y does not matter. */
static void expect_history_of_straight(gr_graph *g, gr_tensor x, gr_tensor t)
{
    const gr_tensor z = variable(random_tensor(g, GR_SHAPE(2))), in[] = {x, z}, v[] = {t, t};
    gr_tensor r[2];
    for (int i = 0; i < 4; i++) {
        const gr_tensor straight = total(gr_relu(x)), other = total(gr_relu(x)),
                        y = i & 1 ? gr_add(total(gr_square(z)), straight) : straight;
        gr_backward(other);
        if (i & 2) gr_no_grad_begin(g);
        OK(gr_hvp(y, 2, in, v, r));
        gr_backward(straight);
        CHECK(gr_hvp(y, 2, in, v, r) == GR_ERR_HISTORY_RELEASED && !gr_is_valid(r[0]));
        expect(g, GR_ERR_HISTORY_RELEASED, "hvp: the history of ");
        if (i & 2) gr_no_grad_end(g);
        const gr_tensor later = gr_add(total(gr_relu(x)), total(gr_square(z)));
        OK(gr_write(x, (double[]){3, -4}, 2));
        if (i & 2) gr_no_grad_begin(g);
        CHECK(gr_hvp(later, 2, in, v, r) == GR_ERR_MODIFIED && !gr_is_valid(r[1]));
        expect(g, GR_ERR_MODIFIED, "hvp: x [2] was written between its use in relu");
        if (i & 2) gr_no_grad_end(g);
    }
}

static void test_histories(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_param(g, "x", GR_F64, GR_SHAPE(2), (double[]){1, 2}),
                    t = random_tensor(g, GR_SHAPE(2));
    gr_tensor y = total(gr_square(x)), r;
    OK(gr_hvp(y, 1, &x, &t, &r));
    OK(gr_backward(y));
    CHECK(gr_jvp(1, &y, 1, &x, &t, &r) == GR_ERR_HISTORY_RELEASED);
    expect(g, GR_ERR_HISTORY_RELEASED, "jvp: ");
    CHECK(gr_hvp(y, 1, &x, &t, &r) == GR_ERR_HISTORY_RELEASED);
    expect(g, GR_ERR_HISTORY_RELEASED, "hvp: ");
    gr_no_grad_begin(g);
    CHECK(gr_hvp(y, 1, &x, &t, &r) == GR_ERR_HISTORY_RELEASED && !gr_is_valid(r));
    expect(g, GR_ERR_HISTORY_RELEASED, "hvp: ");
    gr_no_grad_end(g);
    y = total(gr_square(x));
    OK(gr_write(x, (double[]){3, 4}, 2));
    CHECK(gr_jvp(1, &y, 1, &x, &t, &r) == GR_ERR_MODIFIED);
    expect(g, GR_ERR_MODIFIED, "jvp: x");
    expect_history_of_straight(g, x, t);
    gr_tensor c = random_tensor(g, GR_SHAPE(2));
    y = total(gr_mul(x, c));
    gr_release(c);
    CHECK(gr_jvp(1, &y, 1, &x, &t, &r) == GR_ERR_STALE);
    expect(g, GR_ERR_STALE, "jvp: operand 2");
    CHECK(!gr_is_valid(gr_jacobian(y, x)));
    expect(g, GR_ERR_STALE, "jacobian: ");
    gr_graph_destroy(g);
}

/* ---- Primitives of users ---- */

static gr_status odd_infer(const gr_call *c, gr_layout *out) { return gr_infer_like(c, out, 0); }

/* y_i = x_{i-1} x_i, around the corner: its Jacobian is neither symmetric nor constant. */
static gr_status odd_forward(const gr_call *c)
{
    const double *x = c->in[0]->data;
    double *y = c->out->data;
    const int64_t n = c->out->count;
    for (int64_t i = 0; i < n; i++) y[i] = x[(i + n - 1) % n] * x[i];
    return GR_OK;
}

static gr_tensor rolled(gr_tensor x, int64_t by)
{
    const gr_tensor parts[] = {gr_slice(x, 0, -by, GR_SLICE_DEFAULT, 1), gr_slice(x, 0, 0, -by, 1)};
    return gr_concat(2, parts, 0);
}

static gr_tensor odd_vjp(const gr_call *c, gr_tensor gy, int i)
{
    const gr_tensor x = c->operands[0], n = gr_mul(gy, x);
    (void)i;
    return gr_add(gr_mul(gy, rolled(x, 1)), rolled(n, gr_count(x) - 1));
}

static const gr_op odd = {
    .name = "odd", .arity = 1, .infer = odd_infer, .forward = odd_forward, .vjp = odd_vjp};

/* The same by a rule for all operands; and one that promises symmetry, but has only such a rule. */
static gr_status odd_vjp_all(const gr_call *c, gr_tensor gy, const bool *needed, gr_tensor *contributions)
{
    if (needed[0]) contributions[0] = odd_vjp(c, gy, 0);
    return gr_graph_status(c->graph);
}

static const gr_op odd_at_once = {
    .name = "odd", .arity = 1, .infer = odd_infer, .forward = odd_forward, .vjp_all = odd_vjp_all};

static gr_status cubed_forward(const gr_call *c)
{
    const double *a = c->in[0]->data, *b = c->in[1]->data;
    for (int64_t i = 0; i < c->out->count; i++) ((double *)c->out->data)[i] = a[i] * a[i] * a[i] * b[i];
    return GR_OK;
}
static gr_status cubed_vjp_all(const gr_call *c, gr_tensor gy, const bool *needed, gr_tensor *contributions)
{
    const gr_tensor a = c->operands[0], b = c->operands[1], by_square = gr_mul(gy, gr_square(a));
    if (needed[0]) contributions[0] = gr_scale(gr_mul(by_square, b), 3);
    if (needed[1]) contributions[1] = gr_mul(by_square, a);
    return gr_graph_status(c->graph);
}
static const gr_op cubed = {.name = "cubed",
                            .arity = 2,
                            .infer = odd_infer,
                            .forward = cubed_forward,
                            .vjp_all = cubed_vjp_all,
                            .tangent = GR_TANGENT_SYMMETRIC};

static gr_tensor use_odd(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)n;
    return gr_apply(g, user ? user : (void *)(uintptr_t)&odd, 1, in, NULL);
}

/* Rules for all operands carry tangents, too, also where one tensor is there twice. */
static void test_rules_for_all(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = random_tensor(g, GR_SHAPE(4)), t = random_tensor(g, GR_SHAPE(4));
    void *at_once = (void *)(uintptr_t)&odd_at_once;
    check_same(gr_function_jvp(g, use_odd, 1, &x, at_once, &t, NULL),
               gr_function_jvp(g, use_odd, 1, &x, NULL, &t, NULL), 0);
    check_same(gr_function_jacobian(g, use_odd, 1, &x, at_once, 0, NULL),
               gr_function_jacobian(g, use_odd, 1, &x, NULL, 0, NULL), 0);
    const gr_tensor a = gr_set_requires_grad(gr_keep(x), true), b = gr_set_requires_grad(gr_keep(t), true);
    const gr_tensor y = gr_apply(g, &cubed, 2, (gr_tensor[]){a, b}, NULL),
                    z = gr_apply(g, &cubed, 2, (gr_tensor[]){a, a}, NULL); /* a^4 */
    const gr_tensor in[] = {a, b}, tangents[] = {t, x}, cube = gr_mul(a, gr_square(a));
    gr_tensor tangent;
    for (int record = 0; record < 2; record++) {
        if (!record) gr_no_grad_begin(g);
        CHECK(gr_jvp(1, &y, 2, in, tangents, &tangent) == GR_OK);
        check_same(tangent, gr_add(gr_scale(gr_mul(gr_mul(gr_square(a), b), t), 3), gr_mul(cube, x)), 1e-14);
        CHECK(gr_jvp(1, &y, 1, in + 1, tangents + 1, &tangent) == GR_OK);
        check_same(tangent, gr_mul(cube, x), 1e-14);
        CHECK(gr_jvp(1, &z, 1, in, tangents, &tangent) == GR_OK);
        check_same(tangent, gr_scale(gr_mul(cube, t), 4), 1e-14);
        if (!record) gr_no_grad_end(g);
    }
    check_same(gr_derivative(tangent, a), gr_scale(gr_mul(gr_square(a), t), 12), 1e-14);
    no_error(g);
    gr_graph_destroy(g);
}

static void test_primitive_of_a_user(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = random_tensor(g, GR_SHAPE(4)), t = random_tensor(g, GR_SHAPE(4));
    const gr_tensor jacobian = gr_function_jacobian(g, use_odd, 1, &x, NULL, 0, NULL);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            const double expected = j == i ? element(x, (i + 3) % 4) : j == (i + 3) % 4 ? element(x, i) : 0;
            CHECK(GR_AT(jacobian, i, j) == expected);
        }
    check_same(gr_function_jvp(g, use_odd, 1, &x, NULL, &t, NULL), gr_matmul(jacobian, t), 1e-15);
    derivative d = {use_odd, NULL, BY_JACOBIAN};
    const gr_tensor second = gr_function_jacobian(g, derive, 1, &x, &d, 0, NULL);
    for (int64_t e = 0; e < 64; e++) {
        const int i = (int)(e / 16), j = (int)(e / 4 % 4), k = (int)(e % 4), before = (i + 3) % 4;
        CHECK(element(second, e) == ((j == i && k == before) || (j == before && k == i)));
    }
    no_error(g);
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_quadratic_form);
    RUN(test_rosenbrock);
    RUN(test_softmax);
    RUN(test_matrix_product);
    RUN(test_nested_to_fourth_order);
    RUN(test_compositions_agree);
    RUN(test_results_are_differentiable);
    RUN(test_adjoint_identity);
    RUN(test_products_both_ways);
    RUN(test_products_of_interiors);
    RUN(test_own_vectors);
    RUN(test_perturbation_confusion);
    RUN(test_captured_parameters);
    RUN(test_seeds_are_differentiable);
    RUN(test_trivial_functions);
    RUN(test_types);
    RUN(test_shapes);
    RUN(test_memory);
    RUN(test_depth);
    RUN(test_failing_functions);
    RUN(test_bad_arguments);
    RUN(test_histories);
    RUN(test_primitive_of_a_user);
    RUN(test_rules_for_all);
    return TEST_EXIT;
}
