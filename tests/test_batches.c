/* Shuffled mini-batches: each sample once per epoch, the same order for the same seed, no allocation. */
#include "gradus.h"
#include "test.h"

#include <stdlib.h>

enum { N = 103, SIDE = 2, FEATURES = SIDE * SIDE, BATCH = 10 };

static uint8_t pixels[N * FEATURES], classes[N];

/* Sample i: its number in the first pixel, then others that follow from it. */
static gr_idx images_of(int64_t n)
{
    for (int i = 0; i < N * FEATURES; i++) pixels[i] = (uint8_t)(i / FEATURES + 50 * (i % FEATURES));
    return (gr_idx){GR_SHAPE(n, SIDE, SIDE), n * FEATURES, pixels};
}

static gr_idx labels_of(int64_t n)
{
    for (int i = 0; i < N; i++) classes[i] = (uint8_t)(255 - i);
    return (gr_idx){GR_SHAPE(n), n, classes};
}

typedef struct rig {
    gr_graph *g;
    gr_batches *b;
    gr_tensor x, y;
} rig;

static rig make(gr_type type, int64_t n, int64_t batch, uint64_t seed, gr_batches_options options)
{
    const gr_idx images = images_of(n), labels = labels_of(n);
    rig r = {.g = gr_graph_create(NULL)};
    r.b = gr_batches_create(r.g, &images, &labels, batch, seed, &options);
    r.x = gr_constant(r.g, type, GR_SHAPE(batch, FEATURES), NULL);
    r.y = gr_constant(r.g, GR_I32, GR_SHAPE(batch), NULL);
    CHECK(r.b && gr_graph_status(r.g) == GR_OK);
    return r;
}

/* Runs an epoch; order[k] becomes the number of the k-th sample. Returns the number of samples. */
static int64_t run_epoch(rig *r, int *order)
{
    const int64_t batch = gr_dim(r->x, 0);
    int64_t n = 0, m, batches = 0;
    while ((m = gr_batches_next(r->b, r->x, r->y)) > 0) {
        for (int64_t i = 0; i < m; i++) order[n + i] = 255 - (int)GR_AT(r->y, i);
        n += m;
        batches++;
        CHECK(m == batch || n == N);
    }
    CHECK(m == 0);
    CHECK(batches == gr_batches_per_epoch(r->b));
    return n;
}

static bool each_once(const int *order, int n)
{
    int seen[N] = {0}, wrong = 0;
    for (int i = 0; i < n; i++) {
        if (order[i] < 0 || order[i] >= N) return false;
        seen[order[i]]++;
    }
    for (int i = 0; i < n; i++) wrong += seen[order[i]] != 1;
    return wrong == 0;
}

static void gives_each_sample_once_per_epoch(void)
{
    rig r = make(GR_F32, N, BATCH, 7, (gr_batches_options){0});
    int first[N], order[N];
    for (uint64_t epoch = 0; epoch < 20; epoch++) {
        CHECK(gr_batches_epoch(r.b) == epoch);
        CHECK(run_epoch(&r, order) == N);
        CHECK(each_once(order, N));
        if (epoch == 0) memcpy(first, order, sizeof order);
        if (epoch > 0) CHECK(memcmp(first, order, sizeof order) != 0);
    }
    CHECK(gr_batches_per_epoch(r.b) == 11);
    gr_graph_destroy(r.g);
}

static void checks_values(gr_type type, double scale, double tolerance)
{
    rig r = make(type, N, BATCH, 3, (gr_batches_options){.scale = scale});
    const double factor = scale != 0 ? scale : 1.0 / 255;
    for (int64_t m, epoch = 0; epoch < 2; epoch++) {
        while ((m = gr_batches_next(r.b, r.x, r.y)) > 0) {
            for (int64_t i = 0; i < BATCH; i++) {
                const int sample = 255 - (int)GR_AT(r.y, i);
                if (i >= m) CHECK(GR_AT(r.y, i) == -1);
                for (int64_t k = 0; k < FEATURES; k++) {
                    const double expected = i < m ? factor * (uint8_t)(sample + 50 * k) : 0;
                    CHECK_NEAR(GR_AT(r.x, i, k), expected, tolerance);
                }
            }
        }
    }
    CHECK(gr_graph_status(r.g) == GR_OK);
    gr_graph_destroy(r.g);
}

static void scales_images_and_pads_the_rest(void)
{
    checks_values(GR_F32, 0, 1e-7);
    checks_values(GR_F64, 0, 1e-16);
    checks_values(GR_F64, 1, 0);
    checks_values(GR_F32, -0.5, 0);
}

static void white_is_exactly_one(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const uint8_t white = 255, label = 4;
    const gr_idx images = {GR_SHAPE(1, 1), 1, &white}, labels = {GR_SHAPE(1), 1, &label};
    gr_batches *b = gr_batches_create(g, &images, &labels, 1, 0, NULL);
    gr_tensor x = gr_constant(g, GR_F32, GR_SHAPE(1, 1), NULL), y = gr_constant(g, GR_I32, GR_SHAPE(1), NULL);
    CHECK(gr_batches_next(b, x, y) == 1);
    CHECK(gr_item(x) == 1 && gr_item(y) == 4);
    CHECK(gr_batches_next(b, x, y) == 0);
    gr_graph_destroy(g);
}

/* The order is part of what a seed promises: these numbers must never change. */
static void keeps_the_golden_order(void)
{
    static const int golden[2][8] = {{6, 1, 3, 0, 2, 4, 5, 7}, {4, 0, 3, 6, 1, 7, 5, 2}};
    rig r = make(GR_F32, 8, 8, 2024, (gr_batches_options){0});
    for (int epoch = 0; epoch < 2; epoch++) {
        CHECK(gr_batches_next(r.b, r.x, r.y) == 8);
        for (int64_t i = 0; i < 8; i++) CHECK(255 - (int)GR_AT(r.y, i) == golden[epoch][i]);
        CHECK(gr_batches_next(r.b, r.x, r.y) == 0);
    }
    gr_graph_destroy(r.g);
}

static void depends_on_seed_and_epoch_alone(void)
{
    rig a = make(GR_F32, N, BATCH, 1, (gr_batches_options){0}),
        b = make(GR_F64, N, 17, 1, (gr_batches_options){0});
    rig c = make(GR_F32, N, BATCH, 2, (gr_batches_options){0});
    int from_a[N], from_b[N], from_c[N], again[N];
    for (int epoch = 0; epoch < 3; epoch++) {
        gr_normal(b.g, GR_F32, GR_SHAPE(5), 0, 1); /* numbers of the graph do not matter */
        run_epoch(&a, from_a);
        run_epoch(&b, from_b);
        run_epoch(&c, from_c);
        CHECK(memcmp(from_a, from_b, sizeof from_a) == 0);
        CHECK(memcmp(from_a, from_c, sizeof from_a) != 0);
    }
    /* Back in the middle of epoch 3, to epoch 2: the same as before. */
    CHECK(gr_batches_next(a.b, a.x, a.y) == BATCH);
    CHECK(gr_batches_start(a.b, 2) == GR_OK && gr_batches_epoch(a.b) == 2);
    run_epoch(&a, again);
    CHECK(memcmp(from_a, again, sizeof again) == 0);
    CHECK(gr_batches_start(a.b, UINT64_C(1) << 32) == GR_ERR_ARGUMENT);
    gr_graph_destroy(a.g);
    gr_graph_destroy(b.g);
    gr_graph_destroy(c.g);
}

/* 4 samples have 24 orders. Over 24,000 epochs chi-squared with 23 degrees of freedom stays below 49.7 but
   once in a thousand seeds; the seed is fixed. A biased draw (a modulo of few bits, a swap with any
   position) is far above. */
static void draws_all_orders_equally(void)
{
    enum { EPOCHS = 24000, ORDERS = 24 };
    rig r = make(GR_F32, 4, 4, 99, (gr_batches_options){0});
    int counts[256] = {0};
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        CHECK(gr_batches_next(r.b, r.x, r.y) == 4);
        const int32_t *y = gr_data(r.y);
        int code = 0;
        for (int i = 0; i < 4; i++) code = 4 * code + (255 - y[i]);
        counts[code]++;
        CHECK(gr_batches_next(r.b, r.x, r.y) == 0);
    }
    double chi2 = 0;
    int seen = 0;
    for (int code = 0; code < 256; code++) {
        const double expected = (double)EPOCHS / ORDERS, d = counts[code] - expected;
        if (counts[code]) chi2 += d * d / expected;
        seen += counts[code] > 0;
    }
    CHECK(seen == ORDERS);
    CHECK(chi2 < 49.7);
    gr_graph_destroy(r.g);
}

static void hands_out_in_order(void)
{
    rig r = make(GR_F32, N, BATCH, 5, (gr_batches_options){.in_order = true});
    int order[N], wrong = 0;
    for (int epoch = 0; epoch < 2; epoch++) {
        CHECK(run_epoch(&r, order) == N);
        for (int i = 0; i < N; i++) wrong += order[i] != i;
    }
    CHECK(wrong == 0);
    gr_graph_destroy(r.g);
}

static void drops_the_last(void)
{
    rig r = make(GR_F32, N, BATCH, 5, (gr_batches_options){.drop_last = true});
    int order[N];
    for (int epoch = 0; epoch < 3; epoch++) {
        CHECK(run_epoch(&r, order) == N - N % BATCH);
        CHECK(each_once(order, N - N % BATCH));
        CHECK(gr_batches_epoch(r.b) == (uint64_t)epoch + 1);
    }
    CHECK(gr_batches_per_epoch(r.b) == N / BATCH);
    gr_graph_destroy(r.g);
}

static void allocates_nothing(void)
{
    rig r = make(GR_F32, N, BATCH, 5, (gr_batches_options){0});
    int order[N];
    const uint64_t before = gr_graph_memory(r.g).allocations;
    for (int epoch = 0; epoch < 3; epoch++) run_epoch(&r, order);
    CHECK(gr_graph_memory(r.g).allocations == before);
    CHECK(before > 0);
    gr_graph_destroy(r.g);
}

/* A batch written between the use of the one before and its backward pass is noticed. */
static void raises_the_version(void)
{
    rig r = make(GR_F64, N, BATCH, 5, (gr_batches_options){0});
    CHECK(gr_batches_next(r.b, r.x, r.y) == BATCH);
    gr_tensor w = gr_param(r.g, "w", GR_F64, GR_SHAPE(FEATURES, 1), (double[]){1, 2, 3, 4});
    gr_tensor loss = gr_sum(gr_matmul(r.x, w), GR_ALL_AXES, false);
    CHECK(gr_batches_next(r.b, r.x, r.y) == BATCH);
    CHECK(gr_backward(loss) == GR_ERR_MODIFIED);
    gr_graph_destroy(r.g);
}

static gr_status create_fails(gr_idx images, gr_idx labels, int64_t batch, gr_batches_options options)
{
    gr_graph *g = gr_graph_create(NULL);
    CHECK(!gr_batches_create(g, &images, &labels, batch, 0, &options));
    const gr_status status = gr_graph_status(g);
    CHECK_TEXT(gr_graph_error(g), "batches_create: ");
    gr_graph_destroy(g);
    return status;
}

static void refuses_wrong_sets(void)
{
    const gr_batches_options none = {0};
    const gr_idx images = images_of(N), labels = labels_of(N), few = labels_of(N - 1), zero = {0};
    const gr_idx no_image = {GR_SHAPE(0, 2), 0, pixels}, no_label = {GR_SHAPE(0), 0, classes};
    const gr_idx no_pixel = {GR_SHAPE(N, 0), 0, pixels};
    gr_idx lie = images;
    lie.count++;
    CHECK(create_fails(images, few, BATCH, none) == GR_ERR_SHAPE);
    CHECK(create_fails(images, images, BATCH, none) == GR_ERR_SHAPE);
    CHECK(create_fails(no_image, no_label, BATCH, none) == GR_ERR_SHAPE);
    CHECK(create_fails(no_pixel, labels, BATCH, none) == GR_ERR_SHAPE);
    CHECK(create_fails(zero, labels, BATCH, none) == GR_ERR_ARGUMENT);
    CHECK(create_fails(images, zero, BATCH, none) == GR_ERR_ARGUMENT);
    CHECK(create_fails(lie, labels, BATCH, none) == GR_ERR_ARGUMENT);
    CHECK(create_fails(images, labels, 0, none) == GR_ERR_ARGUMENT);
    CHECK(create_fails(images, labels, -5, none) == GR_ERR_ARGUMENT);
    CHECK(create_fails(images, labels, N + 1, (gr_batches_options){.drop_last = true}) == GR_ERR_ARGUMENT);
    CHECK(create_fails(images, labels, 1, (gr_batches_options){.scale = NAN}) == GR_ERR_ARGUMENT);
    CHECK(!gr_batches_create(NULL, &images, &labels, 1, 0, NULL));
    gr_graph *g = gr_graph_create(NULL);
    CHECK(!gr_batches_create(g, NULL, &labels, 1, 0, NULL) && gr_graph_status(g) == GR_ERR_ARGUMENT);
    gr_graph_destroy(g);
}

static gr_status next_fails(rig *r, gr_tensor x, gr_tensor y)
{
    CHECK(gr_batches_next(r->b, x, y) == -1);
    const gr_status status = gr_graph_status(r->g);
    CHECK(*gr_graph_error(r->g));
    gr_graph_clear_error(r->g);
    return status;
}

static void refuses_wrong_targets(void)
{
    rig r = make(GR_F32, N, BATCH, 5, (gr_batches_options){0}),
        other = make(GR_F32, N, BATCH, 5, (gr_batches_options){0});
    gr_tensor narrow = gr_constant(r.g, GR_F32, GR_SHAPE(BATCH, 3), NULL);
    gr_tensor turned = gr_constant(r.g, GR_F32, GR_SHAPE(FEATURES, BATCH), NULL);
    gr_tensor deep = gr_constant(r.g, GR_F32, GR_SHAPE(BATCH, 1, SIDE, SIDE), NULL);
    gr_tensor more = gr_constant(r.g, GR_I32, GR_SHAPE(BATCH + 1), NULL);
    CHECK(next_fails(&r, narrow, r.y) == GR_ERR_SHAPE);
    CHECK(next_fails(&r, turned, r.y) == GR_ERR_SHAPE);
    CHECK(next_fails(&r, gr_scalar(r.g, GR_F32, 1), r.y) == GR_ERR_SHAPE);
    CHECK(next_fails(&r, r.x, more) == GR_ERR_SHAPE);
    CHECK(next_fails(&r, r.y, r.y) == GR_ERR_TYPE);
    CHECK(next_fails(&r, r.x, r.x) == GR_ERR_TYPE);
    CHECK(next_fails(&r, other.x, r.y) == GR_ERR_GRAPH);
    CHECK(next_fails(&r, r.x, (gr_tensor){r.g, 0, 0}) == GR_ERR_HANDLE);
    CHECK(next_fails(&r, gr_neg(r.x), r.y) == GR_ERR_STATE);
    CHECK(gr_batches_next(NULL, r.x, r.y) == -1);
    gr_graph_fail(r.g, GR_ERR_CALLBACK, "pending");
    CHECK(next_fails(&r, r.x, r.y) == GR_ERR_CALLBACK);
    /* None of this moved the position; a tensor of more axes does, too. */
    int order[N];
    CHECK(gr_batches_next(r.b, deep, r.y) == BATCH);
    CHECK(gr_batches_start(r.b, 0) == GR_OK);
    CHECK(run_epoch(&r, order) == N && each_once(order, N));
    gr_graph_destroy(r.g);
    gr_graph_destroy(other.g);
}

/* Nothing is incomplete where the batches come out even. */
static void drops_nothing_else(void)
{
    rig r = make(GR_F32, 10 * BATCH, BATCH, 3, (gr_batches_options){.drop_last = true});
    int order[N];
    for (int epoch = 0; epoch < 2; epoch++)
        CHECK(run_epoch(&r, order) == 10 * BATCH && each_once(order, 10 * BATCH));
    gr_graph_destroy(r.g);
}

/* Each byte becomes the float nearest to scale times byte, the product taken in double. */
static void rounds_once(void)
{
    const gr_batches_options options = {.scale = 1.0 / 3, .in_order = true};
    rig r = make(GR_F32, N, BATCH, 0, options);
    int wrong = 0;
    for (int64_t m, at = 0; (m = gr_batches_next(r.b, r.x, r.y)) > 0; at += m)
        for (int64_t i = 0; i < m * FEATURES; i++)
            wrong += GR_AT(r.x, i / FEATURES, i % FEATURES) !=
                     (double)(float)(pixels[at * FEATURES + i] * (1.0 / 3));
    CHECK(wrong == 0);
    gr_graph_destroy(r.g);
}

/* ---- Of tensors ---- */

/* Elements as they are, of any types; rows that are no samples can be taken for none. */
static void hands_out_tensors(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_arange(g, GR_F32, 2 * N, 0, 0.5),
                    t = gr_reshape(gr_arange(g, GR_F64, N, 0, 1), GR_SHAPE(N, 1));
    const gr_tensor turned = gr_transpose(gr_reshape(x, GR_SHAPE(2, N)), 0, 1); /* strided, and of a step */
    gr_batches *b = gr_batches_create_tensors(g, turned, t, BATCH, 7, NULL);
    gr_graph_reset(g); /* batches keep what they need */
    gr_tensor inputs, targets;
    CHECK(gr_batches_leaves(b, &inputs, &targets) == GR_OK);
    CHECK(gr_type_of(inputs) == GR_F32 && gr_dim(inputs, 0) == BATCH && gr_dim(inputs, 1) == 2);
    CHECK(gr_type_of(targets) == GR_F64 && gr_ndim(targets) == 2 && gr_count(targets) == BATCH);
    int order[N], wrong = 0, n = 0;
    for (int64_t m; (m = gr_batches_next(b, inputs, targets)) > 0;)
        for (int64_t i = 0; i < BATCH; i++) {
            const double k = GR_AT(targets, i, 0);
            wrong += i < m ? GR_AT(inputs, i, 0) != 0.5 * k || GR_AT(inputs, i, 1) != 0.5 * (k + N)
                           : !isnan(k) || GR_AT(inputs, i, 0) != 0;
            if (i < m) order[n++] = (int)k;
        }
    CHECK(wrong == 0 && n == N && each_once(order, N));
    /* The order is that of bytes. */
    rig r = make(GR_F32, N, BATCH, 7, (gr_batches_options){0});
    int of_bytes[N];
    CHECK(run_epoch(&r, of_bytes) == N && memcmp(order, of_bytes, sizeof order) == 0);
    gr_graph_destroy(r.g);
    gr_graph_destroy(g);
}

static void keeps_the_elements_of_tensors(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_constant(g, GR_I32, GR_SHAPE(3), (int32_t[]){4, 5, 6});
    const gr_tensor t = gr_constant(g, GR_I32, GR_SHAPE(3, 2), (int32_t[]){1, 1, 2, 2, 3, 3});
    gr_batches *b = gr_batches_create_tensors(g, x, t, 2, 0, &(gr_batches_options){.in_order = true});
    gr_write(x, (int32_t[]){7, 8, 9}, 3);
    gr_release(t);
    gr_tensor inputs, targets;
    gr_batches_leaves(b, &inputs, &targets);
    CHECK(gr_batches_next(b, inputs, targets) == 2);
    CHECK(GR_AT(inputs, 0) == 4 && GR_AT(inputs, 1) == 5 && GR_AT(targets, 1, 0) == 2);
    CHECK(gr_batches_next(b, inputs, targets) == 1);
    CHECK(GR_AT(inputs, 0) == 6 && GR_AT(inputs, 1) == 0 && GR_AT(targets, 1, 1) == -1);
    CHECK(gr_batches_next(b, inputs, gr_constant(g, GR_I32, GR_SHAPE(2, 1, 2), NULL)) == -1);
    CHECK_TEXT(gr_graph_error(g), "[2, 1, 2]: expected [2, 2] for the targets");
    gr_graph_clear_error(g);
    CHECK(gr_batches_next(b, gr_constant(g, GR_F32, GR_SHAPE(2), NULL), targets) == -1);
    CHECK_TEXT(gr_graph_error(g), "expected i32 for the inputs");
    gr_graph_destroy(g);
}

static void refuses_wrong_tensors(void)
{
    gr_graph *g = gr_graph_create(NULL), *other = gr_graph_create(NULL);
    const gr_tensor x = gr_constant(g, GR_F32, GR_SHAPE(6, 2), NULL),
                    t = gr_constant(g, GR_I32, GR_SHAPE(6), NULL);
    const gr_tensor few = gr_constant(g, GR_I32, GR_SHAPE(5), NULL),
                    none = gr_constant(g, GR_F32, GR_SHAPE(0, 2), NULL),
                    foreign = gr_constant(other, GR_F32, GR_SHAPE(6, 2), NULL);
    const gr_batches_options defaults = {.in_order = false};
    const struct {
        gr_tensor x, t;
        int64_t batch;
        gr_batches_options o;
        gr_status status;
        const char *text;
    } cases[] = {
        {x, few, 2, defaults, GR_ERR_SHAPE,
         "targets constant [5] for inputs constant [6, 2]: needs one target per sample"},
        {none, t, 2, defaults, GR_ERR_SHAPE, "inputs constant [0, 2]: needs 1 to 2^32 - 1 samples"},
        {x, gr_scalar(g, GR_F32, 1), 2, defaults, GR_ERR_SHAPE, "targets full [] for inputs"},
        {gr_scalar(g, GR_F32, 1), t, 2, defaults, GR_ERR_SHAPE, "inputs full []"},
        {foreign, t, 2, defaults, GR_ERR_GRAPH, "the inputs belong to another graph"},
        {x, (gr_tensor){NULL, 0, 0}, 2, defaults, GR_ERR_HANDLE, "the targets are an invalid handle"},
        {x, t, 0, defaults, GR_ERR_ARGUMENT, "batch 0 of 6 samples"},
        {x, t, 7, {.drop_last = true}, GR_ERR_ARGUMENT, "batch 7 of 6 samples, incomplete ones dropped"},
        {x, t, 2, {.scale = 2}, GR_ERR_ARGUMENT, "scale 2 is for bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(!gr_batches_create_tensors(g, cases[i].x, cases[i].t, cases[i].batch, 0, &cases[i].o));
        CHECK(gr_graph_status(g) == cases[i].status);
        CHECK_TEXT(gr_graph_error(g), cases[i].text);
        gr_graph_clear_error(g);
    }
    CHECK(!gr_batches_create_tensors(NULL, x, t, 2, 0, NULL));
    gr_tensor a, b;
    CHECK(gr_batches_leaves(NULL, &a, &b) == GR_ERR_HANDLE);
    gr_graph_destroy(g);
    gr_graph_destroy(other);
}

/* The last ones of the set, in order; what is left is a set of its own. */
static void splits(void)
{
    rig r = make(GR_F32, N, BATCH, 7, (gr_batches_options){.drop_last = true});
    gr_batches *all = r.b, *rest = gr_batches_split(all, 0.25);
    int order[N], n = 0;
    CHECK(gr_batches_get(rest).samples == 26 && gr_batches_get(all).samples == N - 26);
    CHECK(gr_batches_per_epoch(rest) == 3 && gr_batches_per_epoch(all) == 7);
    CHECK(run_epoch(&r, order) == 70);
    for (int i = 0; i < 70; i++) CHECK(order[i] < N - 26);
    for (int epoch = 0; epoch < 2; epoch++) {
        n = 0;
        for (int64_t m; (m = gr_batches_next(rest, r.x, r.y)) > 0;)
            for (int64_t i = 0; i < m; i++) CHECK(255 - (int)GR_AT(r.y, i) == N - 26 + n++);
        CHECK(n == 26);
    }
    /* The order of what is left is that of as many samples. */
    rig same = make(GR_F32, N - 26, BATCH, 7, (gr_batches_options){.drop_last = true});
    int expected[N];
    CHECK(run_epoch(&same, expected) == 70 && memcmp(order, expected, 70 * sizeof *order) == 0);
    gr_graph_destroy(same.g);
    gr_graph_destroy(r.g);
}

static void refuses_to_split(void)
{
    rig r = make(GR_F32, N, BATCH, 7, (gr_batches_options){.drop_last = true});
    const double none[] = {0, 1, -0.5, 1.5, 0.001, 0.999, (double)NAN, 0.95};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        CHECK(!gr_batches_split(r.b, none[i]) && gr_graph_status(r.g) == GR_ERR_ARGUMENT);
        gr_graph_clear_error(r.g);
    }
    CHECK(gr_batches_get(r.b).samples == N && !gr_batches_split(NULL, 0.5));
    CHECK(gr_batches_next(r.b, r.x, r.y) == BATCH);
    CHECK(!gr_batches_split(r.b, 0.5) && gr_graph_status(r.g) == GR_ERR_STATE);
    gr_graph_destroy(r.g);
}

int main(void)
{
    RUN(gives_each_sample_once_per_epoch);
    RUN(scales_images_and_pads_the_rest);
    RUN(white_is_exactly_one);
    RUN(keeps_the_golden_order);
    RUN(depends_on_seed_and_epoch_alone);
    RUN(draws_all_orders_equally);
    RUN(hands_out_in_order);
    RUN(drops_nothing_else);
    RUN(rounds_once);
    RUN(drops_the_last);
    RUN(allocates_nothing);
    RUN(raises_the_version);
    RUN(refuses_wrong_sets);
    RUN(refuses_wrong_targets);
    RUN(hands_out_tensors);
    RUN(keeps_the_elements_of_tensors);
    RUN(refuses_wrong_tensors);
    RUN(splits);
    RUN(refuses_to_split);
    return TEST_EXIT;
}
