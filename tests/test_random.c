/* Random tensors: the generator's published numbers, and the state that says which numbers come next. */
#include "test.h"
#include "gradus.h"
#include "base/random.h"

enum { N = 2001 };

/* Counter and key 0: the first vector that the generator's authors publish. */
static void test_known_numbers(void)
{
    static const uint32_t published[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    uint32_t out[4];
    gri_philox(0, 0, out);
    CHECK(memcmp(out, published, sizeof out) == 0);
}

/* However the numbers are taken, none comes twice, and the state moves past those that were taken. */
static void test_state(void)
{
    gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = 9}), *other = gr_graph_create(NULL);
    double v[8];
    for (int i = 0; i < 8; i++) v[i] = gr_item(gr_uniform(g, GR_F64, GR_SCALAR, 0, 1));
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < i; k++) CHECK(v[i] != v[k]);
    CHECK(gr_rng_get(g).seed == 9 && gr_rng_get(g).counter == 8); /* a block each */
    const gr_rng_state state = gr_rng_get(g);
    const gr_tensor odd = gr_normal(g, GR_F64, GR_SHAPE(5), 0, 1),
                    next = gr_normal(g, GR_F64, GR_SCALAR, 0, 1);
    CHECK(gr_rng_get(g).counter == 8 + 3 + 1);
    for (int i = 0; i < 5; i++) CHECK(GR_AT(odd, i) != gr_item(next));
    gr_rng_set(other, state);
    const gr_tensor same = gr_normal(other, GR_F64, GR_SHAPE(5), 0, 1);
    for (int i = 0; i < 5; i++) CHECK(GR_AT(odd, i) == GR_AT(same, i));
    CHECK(gr_item(gr_normal(other, GR_F64, GR_SCALAR, 0, 1)) == gr_item(next));
    gr_seed(g, 9);
    CHECK(gr_rng_get(g).counter == 0 && gr_item(gr_uniform(g, GR_F64, GR_SCALAR, 0, 1)) == v[0]);
    const gr_rng_state before = gr_rng_get(g);
    gr_uniform(g, GR_I32, GR_SHAPE(3), 0, 1); /* fails, and takes none */
    CHECK(gr_graph_status(g) == GR_ERR_TYPE && gr_rng_get(g).counter == before.counter);
    gr_graph_destroy(g);
    gr_graph_destroy(other);
}

/* Long tensors are made by several threads, in pieces: the same numbers, which those of the stream are one by one. */
static void test_threads(void)
{
    enum { LONG = 40001 };
    gr_graph *one = gr_graph_create(&(gr_graph_options){.seed = 4}),
             *three = gr_graph_create(&(gr_graph_options){.seed = 4, .threads = 3});
    const gr_tensor a[] = {gr_uniform(one, GR_F64, GR_SHAPE(LONG), -1, 3),
                           gr_normal(one, GR_F32, GR_SHAPE(LONG), 0, 1),
                           gr_bernoulli(one, GR_SHAPE(LONG), 0.3)},
                    b[] = {gr_uniform(three, GR_F64, GR_SHAPE(LONG), -1, 3),
                           gr_normal(three, GR_F32, GR_SHAPE(LONG), 0, 1),
                           gr_bernoulli(three, GR_SHAPE(LONG), 0.3)};
    for (int k = 0; k < 3; k++) {
        const size_t bytes = LONG * gr_type_size(gr_type_of(a[k]));
        CHECK(memcmp(gr_data(a[k]), gr_data(b[k]), bytes) == 0);
    }
    int64_t wrong = 0;
    for (int64_t i = 0; i < LONG; i++) {
        double u[2], mask[2];
        gri_uniform_pair(4, (uint64_t)i / 2, u);
        gri_uniform_pair(4, 2 * (LONG + 1) / 2 + (uint64_t)i / 2, mask);
        wrong += GR_AT(a[0], i) != -1 + 4 * u[i % 2] || GR_AT(a[2], i) != (mask[i % 2] < 0.3);
    }
    CHECK(wrong == 0);
    gr_graph_destroy(one);
    gr_graph_destroy(three);
}

/* Mean, variance, and that neighbours are independent, within five standard deviations. */
static void check_moments(gr_tensor x, double mean, double variance, double fourth)
{
    double sum = 0, squares = 0, products = 0;
    for (int i = 0; i < N; i++) {
        const double d = GR_AT(x, i) - mean;
        sum += d;
        squares += d * d;
        if (i > 0) products += d * (GR_AT(x, i - 1) - mean);
    }
    CHECK_NEAR(sum / N, 0, 5 * sqrt(variance / N));
    CHECK_NEAR(squares / N, variance, 5 * sqrt((fourth - variance * variance) / N));
    CHECK_NEAR(products / N, 0, 5 * variance / sqrt(N));
}

static void test_moments(void)
{
    gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = 3});
    const gr_tensor u = gr_uniform(g, GR_F64, GR_SHAPE(N), 2, 5);
    check_moments(u, 3.5, 9.0 / 12, 81.0 / 80);
    for (int i = 0; i < N; i++) CHECK(GR_AT(u, i) >= 2 && GR_AT(u, i) < 5);
    check_moments(gr_normal(g, GR_F64, GR_SHAPE(N), -1, 2), -1, 4, 48);
    check_moments(gr_cast(gr_bernoulli(g, GR_SHAPE(N), 0.3), GR_F64), 0.3, 0.21, 0.21 * (1 - 3 * 0.21));
    const gr_tensor never = gr_cast(gr_bernoulli(g, GR_SHAPE(N), 0), GR_F64),
                    always = gr_cast(gr_bernoulli(g, GR_SHAPE(N), 1), GR_F64);
    CHECK(gr_item(gr_sum(never, GR_ALL_AXES, false)) == 0 &&
          gr_item(gr_sum(always, GR_ALL_AXES, false)) == N);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_known_numbers);
    RUN(test_state);
    RUN(test_threads);
    RUN(test_moments);
    return TEST_EXIT;
}
