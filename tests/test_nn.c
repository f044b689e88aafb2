/*
 * Layers, initialisers, losses: values and gradients against formulas computed here, moments of random
 * numbers, extreme logits, messages.
 */
#include "gradus.h"
#include "test.h"

static void expect(gr_graph *g, gr_status status, const char *part)
{
    CHECK(gr_graph_status(g) == status);
    CHECK_TEXT(gr_graph_error(g), part);
    gr_graph_clear_error(g);
}

/* ---- Layers ---- */

static void test_linear(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_linear l = gr_linear_create(g, "fc1", GR_F64, 3, 2, NULL);
    CHECK(gr_same(gr_param_find(g, "fc1.weight"), l.weight) && gr_same(gr_param_find(g, "fc1.bias"), l.bias));
    CHECK(GR_AT(l.bias, 0) == 0 && GR_AT(l.bias, 1) == 0 && GR_AT(l.weight, 0, 0) != 0);
    const double w[] = {1, 2, 3, 4, 5, 6}, b[] = {10, 20}, x[] = {1, -1, 2, 0.5, 0, -3};
    gr_write(l.weight, w, 6);
    gr_write(l.bias, b, 2);
    const gr_tensor in = gr_set_requires_grad(gr_constant(g, GR_F64, GR_SHAPE(2, 3), x), true);
    const gr_tensor y = gr_linear_forward(l, in);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            double sum = b[j];
            for (int k = 0; k < 3; k++) sum += x[3 * i + k] * w[2 * k + j]; /* (from, to) */
            CHECK_NEAR(GR_AT(y, i, j), sum, 1e-12);
        }
    const double gy[] = {1, -2, 0.5, 3};
    gr_backward_with(y, &(gr_backward_options){.cotangent = gr_constant(g, GR_F64, GR_SHAPE(2, 2), gy)});
    CHECK_NEAR(GR_AT(gr_gradient(l.bias), 0), 1.5, 1e-12);
    CHECK_NEAR(GR_AT(gr_gradient(l.bias), 1), 1, 1e-12);
    for (int k = 0; k < 3; k++)
        for (int j = 0; j < 2; j++)
            CHECK_NEAR(GR_AT(gr_gradient(l.weight), k, j), x[k] * gy[j] + x[3 + k] * gy[2 + j], 1e-12);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 3; k++)
            CHECK_NEAR(GR_AT(gr_gradient(in), i, k), gy[2 * i] * w[2 * k] + gy[2 * i + 1] * w[2 * k + 1],
                       1e-12);
    /* no axis of samples */
    const gr_tensor row = gr_linear_forward(l, gr_constant(g, GR_F64, GR_SHAPE(3), x));
    CHECK(gr_ndim(row) == 1);
    CHECK_NEAR(GR_AT(row, 1), GR_AT(y, 0, 1), 1e-12);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_linear_forward(l, gr_zeros(g, GR_F64, GR_SHAPE(2, 4)));
    expect(g, GR_ERR_SHAPE, "fc1.weight [3, 2]");
    gr_graph_destroy(g);
}

static gr_status refuse(gr_tensor w) { return gr_graph_fail(w.graph, GR_ERR_CALLBACK, "refused"); }
static int calls;
static gr_status refuse_second(gr_tensor w) { return ++calls == 2 ? refuse(w) : gr_init_constant(w, 0.5); }

static void test_layers_leave_nothing_behind(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_linear l = gr_linear_create(g, "fc", GR_F32, 3, 2, refuse);
    CHECK(l.weight.index == 0 && l.bias.index == 0 && gr_param_count(g) == 0);
    expect(g, GR_ERR_CALLBACK, "refused");
    calls = 0;
    gr_mlp net = gr_mlp_create(g, "", GR_F32, 3, (int64_t[]){3, 2, 1}, gr_relu, refuse_second);
    CHECK(net.n_layers == 0 && gr_param_count(g) == 0);
    gr_graph_clear_error(g);
    gr_mlp_forward(net, gr_zeros(g, GR_F32, GR_SHAPE(1, 3)));
    expect(g, GR_ERR_HANDLE, "mlp");
    net = gr_mlp_create(g, "", GR_F32, 1, (int64_t[]){3}, gr_relu, NULL);
    expect(g, GR_ERR_ARGUMENT, "mlp_create: 1 sizes");
    net = gr_mlp_create(g, NULL, GR_F32, 3, (int64_t[]){3, -2, 1}, gr_relu, NULL);
    expect(g, GR_ERR_SHAPE, "negative size");
    l = gr_linear_create(g, "", GR_F32, 3, 2, NULL);
    expect(g, GR_ERR_NAME, "a layer needs a name");
    l = gr_linear_create(g, "i", GR_I32, 3, 2, NULL);
    expect(g, GR_ERR_TYPE, "i.weight is i32");
    CHECK(gr_param_count(g) == 0);
    l = gr_linear_create(g, "fc", GR_F32, 3, 2, NULL);
    gr_linear_create(g, "fc", GR_F32, 3, 2, NULL);
    expect(g, GR_ERR_NAME, "fc.weight");
    CHECK(gr_param_count(g) == 2 && gr_is_valid(l.weight) && gr_is_valid(l.bias));
    gr_graph_destroy(g);
}

static void test_mlp(void)
{
    gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = 3});
    const int64_t sizes[] = {4, 5, 6, 3};
    const gr_mlp net = gr_mlp_create(g, "net.", GR_F64, 4, sizes, gr_tanh, gr_init_xavier_normal);
    static const char *const names[] = {"net.fc1.weight", "net.fc1.bias",   "net.fc2.weight",
                                        "net.fc2.bias",   "net.fc3.weight", "net.fc3.bias"};
    CHECK(net.n_layers == 3 && gr_param_count(g) == 6);
    for (int i = 0; i < 6; i++) CHECK(strcmp(gr_name(gr_param_at(g, i)), names[i]) == 0);
    double h[6] = {0.5, -1, 2, 0.25}, next[6] = {0};
    const gr_tensor y = gr_mlp_forward(net, gr_constant(g, GR_F64, GR_SHAPE(1, 4), h));
    for (int layer = 0; layer < 3; layer++) {
        for (int j = 0; j < sizes[layer + 1]; j++) {
            next[j] = GR_AT(net.layers[layer].bias, j);
            for (int k = 0; k < sizes[layer]; k++) next[j] += h[k] * GR_AT(net.layers[layer].weight, k, j);
        }
        for (int j = 0; j < sizes[layer + 1]; j++) h[j] = layer < 2 ? tanh(next[j]) : next[j];
    }
    for (int j = 0; j < 3; j++) CHECK_NEAR(GR_AT(y, 0, j), h[j], 1e-12);
    gr_mlp_create(g, "mnist.", GR_F32, 4, (int64_t[]){784, 784, 784, 10}, gr_relu, NULL);
    int64_t count = 0;
    for (int i = 6; i < gr_param_count(g); i++) count += gr_count(gr_param_at(g, i));
    CHECK(count == 1238730); /* as the founding notes count */
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* ---- Initialisers ---- */

enum { IN = 200, OUT = 300 };

static gr_status normal(gr_tensor w) { return gr_init_normal(w, 0.5, 0.25); }
static gr_status uniform(gr_tensor w) { return gr_init_uniform(w, -0.5, 1.5); }

/* Mean, variance and, for uniform ones, the bounds; each within five standard errors. */
static void check_moments(gr_type type, gr_initializer *init, double mean, double variance, double bound)
{
    gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = 11});
    const gr_tensor w = gr_param(g, "w", type, GR_SHAPE(IN, OUT), NULL);
    CHECK(init(w) == GR_OK);
    double sum = 0, squares = 0, most = 0;
    const int n = IN * OUT;
    for (int i = 0; i < n; i++) {
        const double d = GR_AT(w, i / OUT, i % OUT) - mean;
        sum += d;
        squares += d * d;
        if (!(fabs(d) <= most)) most = fabs(d);
    }
    CHECK_NEAR(sum / n, 0, 5 * sqrt(variance / n));
    CHECK_NEAR(squares / n, variance, 5 * variance * sqrt(2.0 / n));
    if (bound > 0)
        CHECK(most <= bound * (1 + 1e-6) && most > 0.99 * bound);
    else
        CHECK(most > 3.5 * sqrt(variance) && most < 6 * sqrt(variance)); /* it has tails */
    gr_graph_destroy(g);
}

static void test_initialisers(void)
{
    for (int i = 0; i < 2; i++) {
        const gr_type type = i ? GR_F32 : GR_F64;
        check_moments(type, normal, 0.5, 0.0625, 0);
        check_moments(type, uniform, 0.5, 1.0 / 3, 1);
        check_moments(type, gr_init_xavier_normal, 0, 2.0 / (IN + OUT), 0);
        check_moments(type, gr_init_xavier_uniform, 0, 2.0 / (IN + OUT), sqrt(6.0 / (IN + OUT)));
        check_moments(type, gr_init_lecun_normal, 0, 1.0 / IN, 0);
        check_moments(type, gr_init_lecun_uniform, 0, 1.0 / IN, sqrt(3.0 / IN));
        check_moments(type, gr_init_he_normal, 0, 2.0 / IN, 0);
        check_moments(type, gr_init_he_uniform, 0, 2.0 / IN, sqrt(6.0 / IN));
    }
}

static void test_initialiser_errors(void)
{
    gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = 5});
    const gr_tensor b = gr_param(g, "b", GR_F64, GR_SHAPE(3), NULL);
    CHECK(gr_init_constant(b, 2.5) == GR_OK && GR_AT(b, 0) == 2.5 && GR_AT(b, 2) == 2.5);
    CHECK(gr_init_he_normal(b) == GR_ERR_SHAPE);
    expect(g, GR_ERR_SHAPE, "init_he_normal: needs a weight of shape [in, out]: b has 1 axes");
    CHECK(gr_init_normal(b, 0, -1) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "init_normal");
    CHECK(gr_init_uniform(b, 1, (double)NAN) == GR_ERR_ARGUMENT);
    expect(g, GR_ERR_ARGUMENT, "init_uniform");
    CHECK(gr_init_constant(gr_neg(b), 1) == GR_ERR_STATE); /* results are not written */
    CHECK(gr_init_constant(b, 7) == GR_ERR_STATE);         /* refuses while an error is pending */
    gr_graph_clear_error(g);
    CHECK(GR_AT(b, 0) == 2.5);
    CHECK(gr_init_constant((gr_tensor){g, 0, 0}, 1) == GR_ERR_HANDLE);
    gr_graph_clear_error(g);
    CHECK(gr_init_constant((gr_tensor){NULL, 0, 0}, 1) == GR_ERR_HANDLE);
    CHECK(gr_init_he_normal(gr_param(g, "empty", GR_F64, GR_SHAPE(0, 3), NULL)) == GR_OK);
    gr_graph_destroy(g);
}

static void test_initialisers_follow_the_seed(void)
{
    double w[2][6], other[6];
    for (int i = 0; i < 3; i++) {
        gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = i < 2 ? 9 : 10});
        const gr_linear l = gr_linear_create(g, "fc", GR_F64, 2, 3, gr_init_he_uniform);
        gr_read(l.weight, i < 2 ? w[i] : other, 6);
        gr_graph_destroy(g);
    }
    CHECK(memcmp(w[0], w[1], sizeof w[0]) == 0 && memcmp(w[0], other, sizeof other) != 0);
}

/* ---- Dropout ---- */

static void test_dropout(void)
{
    enum { N = 20000 };
    gr_graph *g = gr_graph_create(&(gr_graph_options){.seed = 2});
    gr_tensor x = gr_keep(gr_normal(g, GR_F64, GR_SHAPE(N), 3, 1));
    gr_set_requires_grad(x, true);
    CHECK(gr_same(gr_dropout(x, 0.3, false), x) && gr_same(gr_dropout(x, 0, true), x));
    const gr_tensor y = gr_dropout(x, 0.3, true);
    gr_backward(gr_sum(y, GR_ALL_AXES, false));
    int dropped = 0, wrong = 0;
    for (int i = 0; i < N; i++) {
        const double v = GR_AT(y, i), factor = v == 0 ? 0 : 1 / 0.7;
        dropped += v == 0;
        if (!(fabs(v - factor * GR_AT(x, i)) <= 1e-12)) wrong++;
        if (!(fabs(GR_AT(gr_gradient(x), i) - factor) <= 1e-12)) wrong++;
    }
    CHECK(wrong == 0);
    CHECK_NEAR(dropped / (double)N, 0.3, 5 * sqrt(0.3 * 0.7 / N));
    const gr_tensor again = gr_dropout(x, 0.3, true);
    int differ = 0;
    for (int i = 0; i < N; i++) differ += GR_AT(again, i) != GR_AT(y, i);
    CHECK(differ > N / 10); /* another mask */
    const double bad[] = {1, -0.1, (double)NAN};
    for (int i = 0; i < 3; i++) {
        CHECK(!gr_is_valid(gr_dropout(x, bad[i], i == 0)));
        expect(g, GR_ERR_ARGUMENT, "dropout: p must be in [0, 1)");
    }
    gr_dropout(gr_zeros(g, GR_I32, GR_SHAPE(2)), 0.5, true);
    expect(g, GR_ERR_TYPE, "dropout");
    const gr_tensor lost = gr_dropout(gr_full(g, GR_F32, GR_SHAPE(1000), (double)INFINITY), 0.5, true);
    int nan = 0;
    for (int i = 0; i < 1000; i++) nan += isnan(GR_AT(lost, i)) != 0;
    CHECK(nan == 0); /* what is dropped is 0, whatever it was */
    gr_graph_destroy(g);
}

/* ---- Losses ---- */

enum { SAMPLES = 4, CLASSES = 3, ELEMENTS = SAMPLES * CLASSES };
static const double logits[ELEMENTS] = {0.3, -1.2, 2.1, 0, 0.7, -0.4, 5, -3, 1, -0.1, 0.2, 0.9};
static const double targets[ELEMENTS] = {0, 1, 0, 0.25, 0.5, 0.25, 1, 0, 0, 0, 0, 1};

typedef gr_tensor loss_function(gr_tensor y, gr_tensor target);

/* Value and gradients of a loss over alike operands, in f64 and f32. The target's gradient is compared if it
   is given. */
static void check_loss(loss_function *loss, double value, const double *gradient,
                       const double *target_gradient)
{
    for (int i = 0; i < 2; i++) {
        const gr_type type = i ? GR_F32 : GR_F64;
        const double tolerance = i ? 2e-6 : 1e-12;
        gr_graph *g = gr_graph_create(NULL);
        const gr_tensor x = gr_set_requires_grad(
            gr_keep(gr_cast(gr_constant(g, GR_F64, GR_SHAPE(SAMPLES, CLASSES), logits), type)), true);
        const gr_tensor t = gr_set_requires_grad(
            gr_keep(gr_cast(gr_constant(g, GR_F64, GR_SHAPE(SAMPLES, CLASSES), targets), type)), true);
        const gr_tensor y = loss(x, t);
        CHECK(gr_ndim(y) == 0);
        CHECK_NEAR(gr_item(y), value, tolerance * (1 + fabs(value)));
        CHECK(gr_backward(y) == GR_OK);
        for (int k = 0; k < ELEMENTS; k++) {
            CHECK_NEAR(GR_AT(gr_gradient(x), k / CLASSES, k % CLASSES), gradient[k], tolerance);
            if (target_gradient)
                CHECK_NEAR(GR_AT(gr_gradient(t), k / CLASSES, k % CLASSES), target_gradient[k],
                           10 * tolerance);
        }
        gr_graph_destroy(g);
    }
}

static void test_squares(void)
{
    double sum = 0, d_mse[ELEMENTS], d_half[ELEMENTS], t_mse[ELEMENTS], t_half[ELEMENTS];
    for (int k = 0; k < ELEMENTS; k++) {
        const double d = logits[k] - targets[k];
        sum += d * d;
        d_mse[k] = 2 * d / ELEMENTS;
        d_half[k] = d;
        t_mse[k] = -d_mse[k];
        t_half[k] = -d;
    }
    check_loss(gr_mse, sum / ELEMENTS, d_mse, t_mse);
    check_loss(gr_half_sum_squares, sum / 2, d_half, t_half);
}

static void test_bce(void)
{
    double sum = 0, d[ELEMENTS], dt[ELEMENTS];
    for (int k = 0; k < ELEMENTS; k++) {
        const double p = 1 / (1 + exp(-logits[k]));
        sum += -targets[k] * log(p) - (1 - targets[k]) * log(1 - p);
        d[k] = (p - targets[k]) / ELEMENTS;
        dt[k] = -logits[k] / ELEMENTS;
    }
    check_loss(gr_bce_with_logits, sum / ELEMENTS, d, dt);
}

/* Softmax of one sample. */
static void softmax(const double *x, double *p)
{
    double sum = 0;
    for (int k = 0; k < CLASSES; k++) sum += p[k] = exp(x[k]);
    for (int k = 0; k < CLASSES; k++) p[k] /= sum;
}

static void test_cross_entropy_onehot(void)
{
    double sum = 0, d[ELEMENTS];
    for (int i = 0; i < SAMPLES; i++) {
        double p[CLASSES];
        softmax(logits + i * CLASSES, p);
        for (int k = 0; k < CLASSES; k++) {
            sum -= targets[i * CLASSES + k] * log(p[k]);
            d[i * CLASSES + k] = (p[k] - targets[i * CLASSES + k]) / SAMPLES;
        }
    }
    check_loss(gr_softmax_cross_entropy_onehot, sum / SAMPLES, d, NULL);
}

static void test_cross_entropy(void)
{
    static const int32_t labels[SAMPLES] = {1, 2, 0, 2};
    for (int variant = 0; variant < 2; variant++) {
        gr_graph *g = gr_graph_create(NULL);
        const gr_tensor x = gr_set_requires_grad(gr_constant(g, GR_F64, GR_SHAPE(SAMPLES, CLASSES), logits),
                                                 true);
        const gr_tensor t = gr_constant(g, GR_I32, GR_SHAPE(SAMPLES), labels);
        const gr_tensor loss = variant ? gr_softmax_cross_entropy_onehot(x, gr_one_hot(t, CLASSES, GR_F64))
                                       : gr_softmax_cross_entropy(x, t);
        double sum = 0, p[CLASSES];
        gr_backward(loss);
        for (int i = 0; i < SAMPLES; i++) {
            softmax(logits + i * CLASSES, p);
            sum -= log(p[labels[i]]);
            for (int k = 0; k < CLASSES; k++)
                CHECK_NEAR(GR_AT(gr_gradient(x), i, k), (p[k] - (k == labels[i])) / SAMPLES, 1e-12);
        }
        CHECK_NEAR(gr_item(loss), sum / SAMPLES, 1e-12);
        gr_graph_destroy(g);
    }
}

/* More axes, a single sample, labels that are a strided view. */
static void test_cross_entropy_shapes(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(SAMPLES, CLASSES), logits);
    const int32_t labels[SAMPLES] = {1, 2, 0, 2}, spread[2 * SAMPLES] = {1, 9, 2, 9, 0, 9, 2, 9};
    const double flat = gr_item(
        gr_softmax_cross_entropy(x, gr_constant(g, GR_I32, GR_SHAPE(SAMPLES), labels)));
    const gr_tensor deep = gr_reshape(x, GR_SHAPE(2, 2, CLASSES));
    CHECK_NEAR(gr_item(gr_softmax_cross_entropy(deep, gr_constant(g, GR_I32, GR_SHAPE(2, 2), labels))), flat,
               1e-15);
    const gr_tensor view = gr_slice(gr_constant(g, GR_I32, GR_SHAPE(2 * SAMPLES), spread), 0, 0,
                                    GR_SLICE_DEFAULT, 2);
    CHECK_NEAR(gr_item(gr_softmax_cross_entropy(x, view)), flat, 1e-15);
    double p[CLASSES];
    softmax(logits, p);
    const gr_tensor one = gr_softmax_cross_entropy(gr_select(x, 0, 0),
                                                   gr_constant(g, GR_I32, GR_SCALAR, labels));
    CHECK_NEAR(gr_item(one), -log(p[1]), 1e-12);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* Logits of 1e4 in f32: exact values, exact gradients. */
static void test_extreme_logits(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const float big[] = {1e4f, -1e4f, 1e4f, -1e4f, 20, -20}, to[] = {1, 0, 0, 1, 1, 0};
    const gr_tensor x = gr_set_requires_grad(gr_constant(g, GR_F32, GR_SHAPE(6), big), true);
    const gr_tensor loss = gr_bce_with_logits(x, gr_constant(g, GR_F32, GR_SHAPE(6), to));
    CHECK_NEAR(gr_item(loss), 2e4 / 6, 1e-3);
    gr_backward(loss);
    const double slopes[] = {0, 0, 1, -1, -2.0611536e-9, 2.0611536e-9};
    for (int i = 0; i < 6; i++) CHECK_NEAR(6 * GR_AT(gr_gradient(x), i), slopes[i], 1e-6 * fabs(slopes[i]));
    const gr_tensor right = gr_bce_with_logits(gr_slice(x, 0, 4, 6, 1),
                                               gr_constant(g, GR_F32, GR_SHAPE(2), to + 4));
    CHECK_NEAR(gr_item(right), 2.0611536e-9, 1e-14); /* not cancelled to 0 */

    const float rows[] = {1e4f, 0, -1e4f, -1e4f, 1e4f, 1e4f};
    const gr_tensor y = gr_set_requires_grad(gr_constant(g, GR_F32, GR_SHAPE(2, 3), rows), true);
    const gr_tensor t = gr_constant(g, GR_I32, GR_SHAPE(2), (int32_t[]){2, 1});
    const gr_tensor ce = gr_softmax_cross_entropy(y, t);
    CHECK_NEAR(gr_item(ce), (2e4 + log(2)) / 2, 1e-3);
    gr_backward(ce);
    const double expected[] = {0.5, 0, -0.5, 0, -0.25, 0.25};
    for (int i = 0; i < 6; i++) CHECK_NEAR(GR_AT(gr_gradient(y), i / 3, i % 3), expected[i], 1e-7);
    const gr_tensor hot = gr_softmax_cross_entropy_onehot(y, gr_one_hot(t, 3, GR_F32));
    CHECK(gr_item(hot) == gr_item(ce));
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

static void test_loss_errors(void)
{
    gr_graph *g = gr_graph_create(NULL), *other = gr_graph_create(NULL);
    const gr_tensor a = gr_named(gr_zeros(g, GR_F32, GR_SHAPE(4, 1)), "y"),
                    b = gr_zeros(g, GR_F32, GR_SHAPE(4));
    const gr_tensor d = gr_zeros(g, GR_F64, GR_SHAPE(4, 1)), labels = gr_zeros(g, GR_I32, GR_SHAPE(4));
    static const struct {
        loss_function *loss;
        const char *name;
    } alike[] = {{gr_mse, "mse"},
                 {gr_half_sum_squares, "half_sum_squares"},
                 {gr_bce_with_logits, "bce_with_logits"},
                 {gr_softmax_cross_entropy_onehot, "softmax_cross_entropy_onehot"}};
    for (int i = 0; i < 4; i++) {
        CHECK(!gr_is_valid(alike[i].loss(a, b)));
        CHECK_TEXT(gr_graph_error(g), "prediction y [4, 1], target [4]");
        expect(g, GR_ERR_SHAPE, alike[i].name);
        alike[i].loss(a, gr_zeros(g, GR_F32, GR_SHAPE(4, 3))); /* would broadcast */
        expect(g, GR_ERR_SHAPE, "target [4, 3]");
        alike[i].loss(a, d);
        expect(g, GR_ERR_TYPE, alike[i].name);
        alike[i].loss(labels, labels);
        expect(g, GR_ERR_TYPE, alike[i].name);
        alike[i].loss(a, gr_zeros(other, GR_F32, GR_SHAPE(4, 1)));
        expect(g, GR_ERR_GRAPH, alike[i].name);
        alike[i].loss(a, (gr_tensor){g, 0, 0});
        expect(g, GR_ERR_HANDLE, "invalid handle");
    }
    gr_softmax_cross_entropy_onehot(gr_scalar(g, GR_F32, 1), gr_scalar(g, GR_F32, 1));
    expect(g, GR_ERR_SHAPE, "axis of classes");
    gr_graph_destroy(g);
    gr_graph_destroy(other);
}

static void test_label_errors(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = gr_zeros(g, GR_F32, GR_SHAPE(4, 1)), b = gr_zeros(g, GR_F32, GR_SHAPE(4));
    const gr_tensor labels = gr_zeros(g, GR_I32, GR_SHAPE(4));
    gr_softmax_cross_entropy(a, b);
    expect(g, GR_ERR_TYPE, "labels of i32");
    gr_softmax_cross_entropy(b, labels);
    expect(g, GR_ERR_SHAPE, "softmax_cross_entropy: needs logits [..., classes] and labels [...]");
    gr_softmax_cross_entropy(gr_zeros(g, GR_F32, GR_SHAPE(3, 2)), labels);
    expect(g, GR_ERR_SHAPE, "softmax_cross_entropy");
    const int32_t outside[] = {0, 1, 2}, negative[] = {0, -1, 1};
    gr_softmax_cross_entropy(gr_zeros(g, GR_F32, GR_SHAPE(3, 2)),
                             gr_constant(g, GR_I32, GR_SHAPE(3), outside));
    expect(g, GR_ERR_INDEX, "softmax_cross_entropy: label 2 of sample 2 is outside [0, 2)");
    gr_softmax_cross_entropy(gr_zeros(g, GR_F32, GR_SHAPE(3, 2)),
                             gr_constant(g, GR_I32, GR_SHAPE(3), negative));
    expect(g, GR_ERR_INDEX, "label -1 of sample 1");
    gr_graph_destroy(g);
}

static void test_graph_alloc(void)
{
    gr_graph *g = gr_graph_create(&(gr_graph_options){.byte_limit = 1 << 20});
    const unsigned char *block = gr_graph_alloc(g, 1000);
    CHECK(block != NULL && (uintptr_t)block % 64 == 0);
    int set = 0;
    for (int i = 0; block && i < 1000; i++) set += block[i] != 0;
    CHECK(set == 0);
    CHECK(gr_graph_alloc(g, 2 << 20) == NULL);
    expect(g, GR_ERR_LIMIT, "limit");
    CHECK(gr_graph_alloc(g, SIZE_MAX - 8) == NULL);
    expect(g, GR_ERR_OVERFLOW, "graph_alloc");
    CHECK(gr_graph_alloc(NULL, 8) == NULL);
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_linear);
    RUN(test_layers_leave_nothing_behind);
    RUN(test_mlp);
    RUN(test_initialisers);
    RUN(test_initialiser_errors);
    RUN(test_initialisers_follow_the_seed);
    RUN(test_dropout);
    RUN(test_squares);
    RUN(test_bce);
    RUN(test_cross_entropy_onehot);
    RUN(test_cross_entropy);
    RUN(test_cross_entropy_shapes);
    RUN(test_extreme_logits);
    RUN(test_loss_errors);
    RUN(test_label_errors);
    RUN(test_graph_alloc);
    return TEST_EXIT;
}
