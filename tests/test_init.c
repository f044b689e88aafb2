/*
 * Initialisers: moments and bounds of what they draw, orthogonality, sizes of layers, seeds, errors. Those of linear layers
 * are in test_nn.c, too.
 */
#include "gradus.h"
#include "test.h"

static void expect(gr_graph *g, gr_status status, const char *part)
{
    CHECK(gr_graph_status(g) == status);
    CHECK_TEXT(gr_graph_error(g), part);
    gr_graph_clear_error(g);
}

enum { MOST = 40000 };

typedef struct moments {
    int64_t n;
    double mean, variance, fourth,
        most; /* fourth: central, over the variance squared; most: largest distance from the mean */
} moments;

/* Of the elements of w; the distance is from `centre`. */
static moments moments_of(gr_tensor w, double centre)
{
    static double v[MOST];
    moments m = {.n = gr_count(w)};
    gr_tensor x = gr_cast(w, GR_F64);
    CHECK(m.n <= MOST && gr_read(x, v, m.n) == GR_OK);
    for (int64_t i = 0; i < m.n; i++) m.mean += v[i] / (double)m.n;
    for (int64_t i = 0; i < m.n; i++) {
        const double d = v[i] - m.mean;
        m.variance += d * d / (double)m.n;
        m.fourth += d * d * d * d / (double)m.n;
        if (!(fabs(v[i] - centre) <= m.most)) m.most = fabs(v[i] - centre);
    }
    m.fourth /= m.variance * m.variance;
    return m;
}

/* Mean and variance within five standard errors, and the kurtosis of the distribution: 3 of a normal one, 9/5 of a uniform
   one, 2.3655 of a normal one between -2 and 2 standard deviations. */
static void check_moments(gr_tensor w, double mean, double variance, double kurtosis)
{
    const moments m = moments_of(w, mean);
    const double n = (double)m.n;
    CHECK_NEAR(m.mean, mean, 5 * sqrt(variance / n));
    CHECK_NEAR(m.variance, variance, 5 * variance * sqrt((kurtosis - 1) / n));
    CHECK_NEAR(m.fourth, kurtosis, 0.15);
}
static const double normal = 3, uniform = 1.8, truncated = 2.3655;

static gr_tensor weight(gr_graph *g, gr_type type, gr_shape shape)
{
    static int number;
    char name[16];
    snprintf(name, sizeof name, "w%d", number++);
    return gr_param(g, name, type, shape, NULL);
}

static void test_given_distributions(void)
{
    for (int type = GR_F32; type <= GR_F64; type++) {
        gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = 21});
        const gr_tensor w = weight(g, (gr_type)type, GR_SHAPE(200, 100));
        CHECK(gr_init_ones(w) == GR_OK && GR_AT(w, 199, 99) == 1 && moments_of(w, 1).most == 0);
        CHECK(gr_init_zeros(w) == GR_OK && GR_AT(w, 0, 0) == 0 && moments_of(w, 0).most == 0);
        CHECK(gr_init_small_normal(w) == GR_OK);
        check_moments(w, 0, 0.0025, normal);
        CHECK(gr_init_small_uniform(w) == GR_OK);
        check_moments(w, 0, 0.01 / 12, uniform);
        CHECK(moments_of(w, 0).most <= 0.05 * (1 + 1e-6));
        CHECK(gr_graph_status(g) == GR_OK);
        gr_graph_destroy(g);
    }
}

/* The variance of N(0, 1) between -2 and 2 is 1 - 4 f(2) / (2 F(2) - 1). */
static void test_truncated_normal(void)
{
    const double density = exp(-2) / sqrt(8 * atan(1)), inside = erf(sqrt(2)),
                 factor = 1 - 4 * density / inside;
    CHECK_NEAR(factor, 0.7737, 1e-4);
    for (int type = GR_F32; type <= GR_F64; type++) {
        gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = 22});
        const gr_tensor w = weight(g, (gr_type)type, GR_SHAPE(400, 100));
        CHECK(gr_init_truncated_normal(w, 3, 0.5) == GR_OK);
        check_moments(w, 3, 0.25 * factor, truncated);
        const double most = moments_of(w, 3).most;
        CHECK(most <= 1 + 1e-6 && most > 0.999); /* up to 2 std, and not farther */
        CHECK(gr_init_variance(w, GR_DISTRIBUTION_TRUNCATED_NORMAL, 0.04) == GR_OK);
        check_moments(w, 0, 0.04, truncated);
        CHECK(moments_of(w, 0).most <= 0.4 / sqrt(factor) * (1 + 1e-6));
        CHECK(gr_init_truncated_normal(w, -1, 0) == GR_OK && moments_of(w, -1).most == 0);
        CHECK(gr_graph_status(g) == GR_OK);
        gr_graph_destroy(g);
    }
}

static void check_fans(gr_graph *g, gr_shape shape, int64_t in, int64_t out)
{
    const gr_fans fans = gr_fans_of(weight(g, GR_F32, shape));
    CHECK(fans.in == in && fans.out == out);
}

static void test_fans(void)
{
    gr_graph *g = gr_graph_create(NULL);
    check_fans(g, GR_SHAPE(784, 10), 784, 10);   /* linear: [in, out] */
    check_fans(g, GR_SHAPE(32, 16, 5), 80, 160); /* convolution: [out, in, kernel] */
    check_fans(g, GR_SHAPE(32, 16, 3, 4), 192, 384);
    check_fans(g, GR_SHAPE(32, 4, 3, 3, 2), 72, 576); /* in 4 groups */
    check_fans(g, GR_SHAPE(0, 4), 0, 4);
    const gr_fans none = gr_fans_of(weight(g, GR_F32, GR_SHAPE(7)));
    CHECK(none.in == 0 && none.out == 0);
    expect(g, GR_ERR_SHAPE, "fans_of: needs a weight of shape [in, out]: w");
    gr_fans_of((gr_tensor){g, 0, 0});
    expect(g, GR_ERR_HANDLE, "invalid handle");
    gr_graph_destroy(g);
}

/* Weights of a convolution: 24 inputs and 80 outputs times 6 elements of the kernel. */
static void test_scaled_with_the_kernel(void)
{
    static const struct {
        gr_initializer *init;
        double variance, kurtosis;
    } all[] = {{gr_init_xavier_uniform, 2.0 / (6 * (24 + 80)), 1.8},
               {gr_init_xavier_normal, 2.0 / (6 * (24 + 80)), 3},
               {gr_init_lecun_uniform, 1.0 / (6 * 24), 1.8},
               {gr_init_lecun_normal, 1.0 / (6 * 24), 3},
               {gr_init_he_uniform, 2.0 / (6 * 24), 1.8},
               {gr_init_he_normal, 2.0 / (6 * 24), 3}};
    gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = 23});
    const gr_tensor w = weight(g, GR_F32, GR_SHAPE(80, 24, 2, 3));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        CHECK(all[i].init(w) == GR_OK);
        check_moments(w, 0, all[i].variance, all[i].kurtosis);
    }
    CHECK(gr_init_variance(w, GR_DISTRIBUTION_NORMAL, 0.5) == GR_OK);
    check_moments(w, 0, 0.5, normal);
    CHECK(gr_init_variance(w, GR_DISTRIBUTION_UNIFORM, 0.5) == GR_OK);
    check_moments(w, 0, 0.5, uniform);
    const gr_tensor bias = weight(g, GR_F32, GR_SHAPE(4000)); /* of any shape */
    CHECK(gr_init_variance(bias, GR_DISTRIBUTION_NORMAL, 4) == GR_OK);
    check_moments(bias, 0, 4, normal);
    gr_graph_destroy(g);
}

/* The products of rows (or columns) with each other are gain^2 or 0. */
static void check_orthogonal(gr_type type, gr_shape shape, double gain)
{
    gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = 24});
    const gr_tensor w = weight(g, type, shape);
    const gr_status status = gain == 1 ? gr_init_orthogonal(w) : gr_init_orthogonal_with(w, gain);
    CHECK(status == GR_OK);
    const int64_t rows = shape.dims[0], columns = gr_count(w) / rows, n = rows < columns ? rows : columns;
    const gr_tensor m = gr_cast(gr_reshape(w, GR_SHAPE(rows, columns)), GR_F64), t = gr_transpose(m, 0, 1);
    const gr_tensor products = rows <= columns ? gr_matmul(m, t) : gr_matmul(t, m);
    double worst = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < n; k++)
            worst = fmax(worst, fabs(GR_AT(products, i, k) - (i == k ? gain * gain : 0)));
    CHECK(worst <= (type == GR_F32 ? 1e-6 : 1e-14) * gain * gain);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

static void test_orthogonal(void)
{
    for (int type = GR_F32; type <= GR_F64; type++) {
        check_orthogonal((gr_type)type, GR_SHAPE(1, 1), 1);
        check_orthogonal((gr_type)type, GR_SHAPE(5, 5), 1);
        check_orthogonal((gr_type)type, GR_SHAPE(60, 60), 1);
        check_orthogonal((gr_type)type, GR_SHAPE(7, 30), 2.5);
        check_orthogonal((gr_type)type, GR_SHAPE(31, 6), 1);
        check_orthogonal((gr_type)type, GR_SHAPE(1, 9), 0.5);
        check_orthogonal((gr_type)type, GR_SHAPE(9, 1), 1);
        check_orthogonal((gr_type)type, GR_SHAPE(8, 4, 3, 3), 1); /* kernels: 8 rows of 36 */
        check_orthogonal((gr_type)type, GR_SHAPE(50, 2, 3), 1);
    }
}

/* All orthogonal matrices are equally likely: of n by n each element has mean 0, variance 1/n, fourth moment 3/(n (n + 2)).
   Without the signs of R the diagonal would not. Each matrix has the other sign as likely. */
static void test_orthogonal_is_unbiased(void)
{
    enum { N = 3, DRAWS = 3000 };
    gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = 25});
    const gr_tensor w = weight(g, GR_F64, GR_SHAPE(N, N));
    double sum[N][N] = {{0}}, squares[N][N] = {{0}}, fourth[N][N] = {{0}};
    int turns = 0;
    for (int draw = 0; draw < DRAWS; draw++) {
        double v[N][N];
        gr_init_orthogonal(w);
        gr_read(w, v, N * N);
        for (int i = 0; i < N; i++)
            for (int k = 0; k < N; k++) {
                sum[i][k] += v[i][k] / DRAWS;
                squares[i][k] += v[i][k] * v[i][k] / DRAWS;
                fourth[i][k] += pow(v[i][k], 4) / DRAWS;
            }
        turns += v[0][0] * (v[1][1] * v[2][2] - v[1][2] * v[2][1]) -
                     v[0][1] * (v[1][0] * v[2][2] - v[1][2] * v[2][0]) +
                     v[0][2] * (v[1][0] * v[2][1] - v[1][1] * v[2][0]) >
                 0;
    }
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++) {
            CHECK_NEAR(sum[i][k], 0, 5 * sqrt(1.0 / N / DRAWS));
            CHECK_NEAR(squares[i][k], 1.0 / N,
                       5 * sqrt(4.0 / 45 / DRAWS)); /* the variance of a square is 1/5 - 1/9 */
            CHECK_NEAR(fourth[i][k], 0.2, 5 * sqrt((1.0 / 9 - 0.04) / DRAWS));
        }
    CHECK_NEAR(turns / (double)DRAWS, 0.5, 5 * sqrt(0.25 / DRAWS)); /* as many rotations as reflections */
    gr_graph_destroy(g);
}

static gr_status truncated_init(gr_tensor w) { return gr_init_truncated_normal(w, 0, 1); }

/* The same seed, the same numbers, for any number of threads; and another seed others. */
static void test_seeds(void)
{
    static gr_initializer *const all[] = {truncated_init, gr_init_orthogonal, gr_init_small_normal,
                                          gr_init_he_uniform};
    static float v[3][MOST];
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        for (int run = 0; run < 3; run++) {
            gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = run < 2 ? 7 : 8, .threads = run + 1});
            const gr_tensor w = weight(g, GR_F32, GR_SHAPE(100, 120));
            CHECK(all[i](w) == GR_OK && gr_read(w, v[run], 12000) == GR_OK);
            gr_graph_destroy(g);
        }
        CHECK(memcmp(v[0], v[1], 12000 * sizeof(float)) == 0 &&
              memcmp(v[0], v[2], 12000 * sizeof(float)) != 0);
    }
}

static void test_errors(void)
{
    const double infinite = (double)INFINITY;
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(4, 3), NULL),
                    b = gr_param(g, "b", GR_F64, GR_SHAPE(3), NULL);
    const gr_tensor whole = gr_constant(g, GR_I32, GR_SHAPE(4, 3), NULL);
    CHECK(gr_init_truncated_normal(w, 0, -1) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "init_truncated_normal: mean 0 and standard deviation -1");
    CHECK(gr_init_truncated_normal(w, infinite, 1) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "init_truncated_normal");
    CHECK(gr_init_variance(w, GR_DISTRIBUTION_NORMAL, -1) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "init_variance: a variance of -1");
    CHECK(gr_init_variance(w, (gr_distribution)3, 1) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "init_variance: there is no distribution 3");
    CHECK(gr_init_orthogonal(b) == GR_ERR_SHAPE);
    expect(g, GR_ERR_SHAPE, "init_orthogonal: needs a weight of shape [in, out]: b has 1 axes");
    CHECK(gr_init_orthogonal_with(w, infinite) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "init_orthogonal: a gain of inf");
    CHECK(gr_init_orthogonal(gr_neg(w)) == GR_ERR_STATE);
    expect(g, GR_ERR_STATE, "");
    CHECK(gr_init_truncated_normal(whole, 0, 1) == GR_ERR_TYPE);
    expect(g, GR_ERR_TYPE, "");
    CHECK(gr_init_he_normal(b) == GR_ERR_SHAPE);
    CHECK(gr_init_orthogonal(w) == GR_ERR_SHAPE &&
          gr_init_zeros(w) == GR_ERR_SHAPE); /* refused while it is pending */
    gr_graph_clear_error(g);
    for (int i = 0; i < 12; i++) CHECK(GR_AT(w, i / 3, i % 3) == 0);
    CHECK(gr_init_orthogonal(gr_param(g, "empty", GR_F64, GR_SHAPE(0, 3), NULL)) == GR_OK);
    CHECK(gr_init_orthogonal((gr_tensor){g, 0, 0}) == GR_ERR_HANDLE);
    gr_graph_clear_error(g);
    const gr_tensor before = gr_scalar(g, GR_F64, 0);
    CHECK(gr_init_orthogonal(w) == GR_OK && gr_init_truncated_normal(w, 0, 1) == GR_OK);
    CHECK(gr_scalar(g, GR_F64, 0).index == before.index + 1); /* nothing of theirs is left */
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_given_distributions);
    RUN(test_truncated_normal);
    RUN(test_fans);
    RUN(test_scaled_with_the_kernel);
    RUN(test_orthogonal);
    RUN(test_orthogonal_is_unbiased);
    RUN(test_seeds);
    RUN(test_errors);
    return TEST_EXIT;
}
