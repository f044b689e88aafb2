/*
 * The worked examples of the founding lecture notes, recomputed in double precision, as golden numbers. They
 * are given to nine decimals or more and compared to the last digit given. Where a long training run ends in
 * a golden number, the same run is made in plain C loops as well, and compared to 1e-12.
 */
#include "gradus.h"
#include "test.h"

#define NINE 5.1e-10 /* half a unit of the ninth decimal, and a little rounding */

static void check_all(gr_tensor t, int n, const double *expected, double tolerance)
{
    double value[8];
    CHECK(gr_count(t) == n && gr_read(t, value, n) == GR_OK);
    for (int i = 0; i < n; i++) CHECK_NEAR(value[i], expected[i], tolerance);
}
#define CHECK_ALL(t, ...) \
    check_all(t, (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)), (double[]){__VA_ARGS__}, NINE)

/* ---- A: XOR with one-hot labels; weights (from, to), y = sigmoid(x W + theta), step 0.5 ---- */

typedef struct xor_net {
    gr_graph *g;
    gr_tensor w1, b1, w2, b2, x, label;
    gr_optimizer *descent;
} xor_net;

static const double xor_inputs[4][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
static const double xor_labels[4][2] = {{0, 1}, {1, 0}, {1, 0}, {0, 1}};

static xor_net make_xor(void)
{
    gr_graph *g = gr_graph_create(NULL);
    xor_net n = {.g = g};
    n.w1 = gr_param(g, "W1", GR_F64, GR_SHAPE(2, 2), (double[]){0.1, 0.2, 0.2, 0.3});
    n.b1 = gr_param(g, "theta1", GR_F64, GR_SHAPE(2), (double[]){0.3, 0.3});
    n.w2 = gr_param(g, "W2", GR_F64, GR_SHAPE(2, 2), (double[]){0.4, 0.5, 0.4, 0.5});
    n.b2 = gr_param(g, "theta2", GR_F64, GR_SHAPE(2), (double[]){0.6, 0.6});
    n.x = gr_constant(g, GR_F64, GR_SHAPE(2), NULL);
    n.label = gr_constant(g, GR_F64, GR_SHAPE(2), NULL);
    n.descent = gr_sgd(g, 0.5);
    return n;
}

typedef struct xor_pass {
    gr_tensor y1, y2, e;
} xor_pass;

static xor_pass xor_forward(const xor_net *n, int sample)
{
    gr_write(n->x, xor_inputs[sample], 2);
    gr_write(n->label, xor_labels[sample], 2);
    xor_pass p;
    p.y1 = gr_sigmoid(gr_linear_forward((gr_linear){n->w1, n->b1}, n->x));
    p.y2 = gr_sigmoid(gr_linear_forward((gr_linear){n->w2, n->b2}, p.y1));
    p.e = gr_half_sum_squares(p.y2, n->label);
    return p;
}

static void test_a_first_sample(void)
{
    const xor_net n = make_xor();
    const xor_pass p = xor_forward(&n, 0);
    gr_retain_grad(p.y1);
    gr_retain_grad(p.y2);
    CHECK(gr_backward(p.e) == GR_OK);
    CHECK_ALL(p.y1, 0.574442517, 0.574442517);
    CHECK_ALL(p.y2, 0.742605307, 0.763947083);
    CHECK_ALL(p.e, 0.303591811);
    CHECK_ALL(gr_gradient(p.y2), 0.742605307, -0.236052917);
    CHECK_ALL(gr_gradient(n.b2), 0.141943557, -0.042567880);
    CHECK_ALL(gr_gradient(n.w2), 0.081538414, -0.024452800, 0.081538414, -0.024452800);
    CHECK_NEAR(GR_AT(gr_gradient(p.y1), 1), 0.035493483, NINE);
    /* its two paths: dE/dtheta2[k] W2(2, k) */
    CHECK_NEAR(GR_AT(gr_gradient(n.b2), 0) * GR_AT(n.w2, 1, 0), 0.056777423, NINE);
    CHECK_NEAR(GR_AT(gr_gradient(n.b2), 1) * GR_AT(n.w2, 1, 1), -0.021283940, NINE);
    CHECK_ALL(gr_gradient(n.b1), 0.008676677, 0.008676677);
    for (int i = 0; i < 4; i++) CHECK(GR_AT(gr_gradient(n.w1), i / 2, i % 2) == 0);
    CHECK(gr_optimizer_step(n.descent) == GR_OK);
    CHECK_ALL(n.w2, 0.359230793, 0.512226400, 0.359230793, 0.512226400);
    CHECK_ALL(n.b2, 0.529028221, 0.621283940);
    CHECK_ALL(n.b1, 0.295661662, 0.295661662);
    CHECK_ALL(n.w1, 0.1, 0.2, 0.2, 0.3); /* the notes print 0.1 for w1(1, 2) */
    gr_graph_destroy(n.g);
}

static void test_a_other_samples(void)
{
    static const struct {
        double e, b2[2], w2[4], b1[2], w1[4];
    } expected[] = {
        {0.330794272,
         {-0.046370853, 0.135259215},
         {-0.028863970, 0.084193361, -0.029939634, 0.087330965},
         {0.011534280, 0.011229020},
         {0, 0, 0.011534280, 0.011229020}},
        {0.328487367,
         {-0.047472344, 0.136271213},
         {-0.028421106, 0.081583894, -0.029549603, 0.084823288},
         {0.011808015, 0.011549650},
         {0.011808015, 0.011549650, 0, 0}},
        {0.310358014,
         {0.139328109, -0.037643398},
         {0.089958072, -0.024304697, 0.096132840, -0.025972984},
         {0.008444322, 0.007895309},
         {0.008444322, 0.007895309, 0.008444322, 0.007895309}},
    };
    const xor_net n = make_xor();
    for (int s = 1; s < 4; s++) {
        gr_clear_grads(n.g);
        const xor_pass p = xor_forward(&n, s);
        CHECK(gr_backward(p.e) == GR_OK);
        CHECK_NEAR(gr_item(p.e), expected[s - 1].e, NINE);
        check_all(gr_gradient(n.b2), 2, expected[s - 1].b2, NINE);
        check_all(gr_gradient(n.w2), 4, expected[s - 1].w2, NINE);
        check_all(gr_gradient(n.b1), 2, expected[s - 1].b1, NINE);
        check_all(gr_gradient(n.w1), 4, expected[s - 1].w1, NINE);
        gr_graph_reset(n.g);
    }
    gr_graph_destroy(n.g);
}

/* A 2-2-2 sigmoid network and its training, written out: w[layer][from][to]. */
typedef struct plain_net {
    double w[2][2][2], b[2][2];
} plain_net;

/* What happens to the biases after a backward pass. */
typedef enum bias_mode { FROZEN, PER_NEURON, PER_LAYER } bias_mode;

static double plain_forward(const plain_net *n, const double *x, const double *t, double y[2][2])
{
    for (int layer = 0; layer < 2; layer++)
        for (int j = 0; j < 2; j++) {
            const double *in = layer ? y[0] : x;
            y[layer][j] = 1 / (1 + exp(-(in[0] * n->w[layer][0][j] + in[1] * n->w[layer][1][j] +
                                         n->b[layer][j])));
        }
    return 0.5 * ((y[1][0] - t[0]) * (y[1][0] - t[0]) + (y[1][1] - t[1]) * (y[1][1] - t[1]));
}

/* One step; returns the error before it. */
static double plain_step(plain_net *n, const double *x, const double *t, double rate, bias_mode mode)
{
    double y[2][2], d[2][2];
    const double e = plain_forward(n, x, t, y);
    for (int j = 0; j < 2; j++) d[1][j] = (y[1][j] - t[j]) * y[1][j] * (1 - y[1][j]);
    for (int j = 0; j < 2; j++)
        d[0][j] = (d[1][0] * n->w[1][j][0] + d[1][1] * n->w[1][j][1]) * y[0][j] * (1 - y[0][j]);
    for (int layer = 0; layer < 2; layer++)
        for (int j = 0; j < 2; j++) {
            for (int i = 0; i < 2; i++) n->w[layer][i][j] -= rate * (layer ? y[0][i] : x[i]) * d[layer][j];
            if (mode != FROZEN)
                n->b[layer][j] -= rate * (mode == PER_NEURON ? d[layer][j] : d[layer][0] + d[layer][1]);
        }
    return e;
}

static void test_a_training(void)
{
    static const struct {
        int epoch;
        double e;
    } curve[] = {{1, 0.320271658},    {2, 0.306989245},    {10, 0.265908197},
                 {100, 0.262035011},  {1000, 0.193065729}, {2000, 0.008480711},
                 {3000, 0.002088034}, {5000, 0.000795200}, {10000, 0.000304224}};
    static const double during[4][2] = {
        {.07158904, .92822515}, {.91387340, .08633152}, {.91375259, .08644981}, {.11774177, .88200493}};
    static const double after[4][2] = {{.071513499, .928301072},
                                       {.914359731, .085842119},
                                       {.913521035, .086681657},
                                       {.116084172, .883667021}};
    const xor_net n = make_xor();
    plain_net plain = {{{{0.1, 0.2}, {0.2, 0.3}}, {{0.4, 0.5}, {0.4, 0.5}}}, {{0.3, 0.3}, {0.6, 0.6}}};
    int next = 0;
    for (int epoch = 1; epoch <= 10000; epoch++) {
        double sum = 0, plain_sum = 0;
        for (int s = 0; s < 4; s++) {
            gr_clear_grads(n.g);
            const xor_pass p = xor_forward(&n, s);
            gr_backward(p.e);
            gr_optimizer_step(n.descent);
            sum += gr_item(p.e);
            plain_sum += plain_step(&plain, xor_inputs[s], xor_labels[s], 0.5, PER_NEURON);
            if (epoch == 2000) check_all(p.y2, 2, during[s], 5.1e-9);
            gr_graph_reset(n.g);
        }
        for (int s = 0; epoch == 2000 && s < 4; s++) check_all(xor_forward(&n, s).y2, 2, after[s], NINE);
        if (epoch != curve[next].epoch) continue;
        CHECK_NEAR(sum / 4, curve[next++].e, NINE);
        CHECK_NEAR(sum, plain_sum, 1e-12);
    }
    CHECK(next == 9 && gr_graph_status(n.g) == GR_OK);
    gr_graph_destroy(n.g);
}

/* ---- B: weights (to, from), y = sigmoid(W x + b), step 1 ---- */

static gr_tensor column_layer(gr_tensor w, gr_tensor b, gr_tensor x) { return gr_add(gr_matmul(w, x), b); }

static void test_b(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){0.5, 1});
    const gr_tensor t = gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){1, 0});
    const gr_tensor w1 = gr_param(g, "W1", GR_F64, GR_SHAPE(2, 2), (double[]){0.1, 0.3, 0.2, 0.4});
    const gr_tensor b1 = gr_param(g, "b1", GR_F64, GR_SHAPE(2), (double[]){0.5, 0.5});
    const gr_tensor w2 = gr_param(g, "W2", GR_F64, GR_SHAPE(2, 2), (double[]){0.6, 0.8, 0.7, 0.9});
    const gr_tensor b2 = gr_param(g, "b2", GR_F64, GR_SHAPE(2), (double[]){1, 1});
    gr_optimizer *descent = gr_sgd(g, 1);
    const gr_tensor z1 = column_layer(w1, b1, x), h = gr_sigmoid(z1), z2 = column_layer(w2, b2, h);
    const gr_tensor y = gr_sigmoid(z2), cost = gr_half_sum_squares(y, t);
    gr_retain_grad(z1);
    gr_retain_grad(z2);
    CHECK(gr_backward(cost) == GR_OK);
    CHECK_ALL(z1, 0.85, 1.0);
    CHECK_ALL(h, 0.700567142, 0.731058579);
    CHECK_ALL(z2, 2.005187148, 2.148349720);
    CHECK_ALL(y, 0.881340620, 0.895514464);
    CHECK_ALL(cost, 0.408013102);
    CHECK_ALL(gr_gradient(z2), -0.012409319, 0.083791774);
    CHECK_ALL(gr_gradient(z1), 0.010742183, 0.012875160);
    CHECK_ALL(gr_gradient(w2), -0.008693561, -0.009071939, 0.058701764, 0.061256695);
    CHECK_ALL(gr_gradient(w1), 0.005371092, 0.010742183, 0.006437580, 0.012875160);
    CHECK(gr_optimizer_step(descent) == GR_OK);
    CHECK_ALL(w2, .608693561, .809071939, .641298236, .838743305);
    CHECK_ALL(b2, 1.012409319, 0.916208226);
    CHECK_ALL(w1, .094628908, .289257817, .193562420, .387124840);
    CHECK_ALL(b1, .489257817, .487124840);
    const gr_tensor again = gr_sigmoid(column_layer(w2, b2, gr_sigmoid(column_layer(w1, b1, x))));
    CHECK_ALL(again, .883147420, .877672854);
    CHECK_ALL(gr_half_sum_squares(again, t), .391982082);
    gr_graph_destroy(g);
}

/* ---- C: the step-by-step example; weights (to, from), step 0.5 ---- */

typedef struct steps_net {
    gr_graph *g;
    gr_tensor x, t, w1, b1, w2, b2;
    gr_optimizer *descent;
} steps_net;

static const double c_input[] = {0.05, 0.10};

static gr_tensor make_bias(gr_graph *g, const char *name, double value, bias_mode mode)
{
    const double both[] = {value, value};
    if (mode == FROZEN) return gr_constant(g, GR_F64, GR_SHAPE(2), both);
    return gr_param(g, name, GR_F64, GR_SHAPE(mode == PER_NEURON ? 2 : 1), both);
}

static steps_net make_steps(bias_mode mode, const double *target)
{
    gr_graph *g = gr_graph_create(NULL);
    steps_net n = {.g = g};
    n.x = gr_constant(g, GR_F64, GR_SHAPE(2), c_input);
    n.t = gr_constant(g, GR_F64, GR_SHAPE(2), target);
    n.w1 = gr_param(g, "w1..w4", GR_F64, GR_SHAPE(2, 2), (double[]){.15, .20, .25, .30});
    n.w2 = gr_param(g, "w5..w8", GR_F64, GR_SHAPE(2, 2), (double[]){.40, .45, .50, .55});
    n.b1 = make_bias(g, "b1", 0.35, mode);
    n.b2 = make_bias(g, "b2", 0.6, mode);
    n.descent = gr_sgd(g, 0.5);
    return n;
}

typedef struct steps_pass {
    gr_tensor z1, h, z2, y, e;
} steps_pass;

static steps_pass steps_forward(const steps_net *n)
{
    steps_pass p;
    p.z1 = column_layer(n->w1, n->b1, n->x);
    p.h = gr_sigmoid(p.z1);
    p.z2 = column_layer(n->w2, n->b2, p.h);
    p.y = gr_sigmoid(p.z2);
    p.e = gr_half_sum_squares(p.y, n->t);
    return p;
}

static void test_c_first_step(void)
{
    const steps_net n = make_steps(FROZEN, (double[]){.01, .99});
    const steps_pass p = steps_forward(&n);
    gr_retain_grad(p.z1);
    gr_retain_grad(p.h);
    gr_retain_grad(p.z2);
    CHECK(gr_backward(p.e) == GR_OK);
    CHECK_ALL(p.z1, .3775, .3925);
    CHECK_ALL(p.h, 0.593269992, 0.596884378);
    CHECK_ALL(p.z2, 1.105905967, 1.224921404);
    CHECK_ALL(p.y, 0.751365070, 0.772928465);
    CHECK_ALL(gr_scale(gr_square(gr_sub(p.y, n.t)), 0.5), 0.274811083, 0.023560026);
    CHECK_ALL(p.e, 0.298371109);
    CHECK_ALL(gr_gradient(p.z2), 0.138498562, -0.038098237);
    CHECK_NEAR(GR_AT(gr_gradient(p.z2), 0) * GR_AT(n.w2, 0, 0), 0.055399425, NINE);
    CHECK_NEAR(GR_AT(gr_gradient(p.z2), 1) * GR_AT(n.w2, 1, 0), -0.019049118, NINE);
    CHECK_ALL(gr_gradient(p.h), 0.036350306, 0.041370323);
    CHECK_ALL(gr_gradient(p.z1), 0.008771355, 0.009954255);
    CHECK_ALL(gr_gradient(n.w1), 0.000438568, 0.000877135, 0.000497713, 0.000995425);
    CHECK_ALL(gr_gradient(n.w2), 0.082167041, 0.082667628, -0.022602540, -0.022740242);
    CHECK(gr_optimizer_step(n.descent) == GR_OK);
    CHECK_ALL(n.w1, 0.149780716, 0.199561432, 0.249751144, 0.299502287);
    CHECK_ALL(n.w2, 0.358916480, 0.408666186, 0.511301270, 0.561370121);
    gr_graph_destroy(n.g);
}

/* The two derivation paths of dE/dw1, factor by factor. */
static void test_c_paths(void)
{
    static const double factors[2][3] = {{0.741365, 0.186816, 0.4}, {-0.217072, 0.175510, 0.5}};
    static const double products[2] = {0.000668396, -0.000229828};
    const steps_net n = make_steps(FROZEN, (double[]){.01, .99});
    const steps_pass p = steps_forward(&n);
    const gr_grad_options retain = {.retain = true};
    gr_tensor d, dh;
    gr_grad(1, &p.e, 1, &p.y, NULL, &retain, &d);
    const gr_tensor h1 = gr_select(p.h, 0, 0);
    gr_grad(1, &h1, 1, &p.z1, NULL, &retain, &dh);
    CHECK_NEAR(GR_AT(dh, 0), 0.241301, 5.1e-7);
    double sum = 0;
    for (int k = 0; k < 2; k++) {
        const gr_tensor y = gr_select(p.y, 0, k), z = gr_select(p.z2, 0, k);
        gr_tensor slope, weight;
        gr_grad(1, &y, 1, &p.z2, NULL, &retain, &slope);
        gr_grad(1, &z, 1, &p.h, NULL, &retain, &weight);
        const double f[] = {GR_AT(d, k), GR_AT(slope, k), GR_AT(weight, 0)};
        for (int i = 0; i < 3; i++) CHECK_NEAR(f[i], factors[k][i], 5.1e-7);
        const double product = f[0] * f[1] * f[2] * GR_AT(dh, 0) * GR_AT(n.x, 0);
        CHECK_NEAR(product, products[k], NINE);
        sum += product;
    }
    gr_backward(p.e);
    CHECK_NEAR(sum, GR_AT(gr_gradient(n.w1), 0, 0), 1e-15);
    CHECK(gr_graph_status(n.g) == GR_OK);
    gr_graph_destroy(n.g);
}

static void check_variant(bias_mode mode, double second_target, double first, double last, double unit,
                          const double *outputs)
{
    const double target[] = {.01, second_target};
    const steps_net n = make_steps(mode, target);
    plain_net plain = {{{{.15, .25}, {.20, .30}}, {{.40, .50}, {.45, .55}}}, {{.35, .35}, {.6, .6}}};
    double y[2][2];
    for (int step = 1; step <= 10000; step++) {
        gr_clear_grads(n.g);
        gr_backward(steps_forward(&n).e);
        gr_optimizer_step(n.descent);
        gr_graph_reset(n.g);
        plain_step(&plain, c_input, target, 0.5, mode);
        if (step != 1 && step != 10000) continue;
        const steps_pass p = steps_forward(&n);
        CHECK_NEAR(gr_item(p.e), step == 1 ? first : last, step == 1 ? 5.1e-13 : 0.51 * unit);
        CHECK_NEAR(gr_item(p.e), plain_forward(&plain, c_input, target, y), 1e-12);
        if (step == 10000) check_all(p.y, 2, outputs, NINE);
        gr_graph_reset(n.g);
    }
    CHECK(gr_graph_status(n.g) == GR_OK);
    gr_graph_destroy(n.g);
}

/* An engine that updates parameters in the middle of a backward pass has 0.291027923905 in the first row. */
static void test_c_variants(void)
{
    check_variant(FROZEN, .99, 0.291027773694, 3.510187783e-5, 1e-14, (double[]){.015913620, .984064274});
    check_variant(PER_NEURON, .99, 0.280471446791, 2.447562e-6, 1e-12, (double[]){.011587527, .988458935});
    check_variant(PER_LAYER, .99, 0.285750886699, 4.355321e-6, 1e-12, (double[]){.012102159, .987928390});
    check_variant(FROZEN, .09, 0.496045683002, 1.8102447e-5, 1e-12, (double[]){.016017011, .089978300});
}

/* ---- D: small numbers ---- */

static gr_tensor elu(gr_tensor x)
{
    return gr_where(gr_greater(x, gr_scalar(x.graph, GR_F64, 0)), x, gr_add_scalar(gr_exp(x), -1));
}

static gr_tensor selu(gr_tensor x)
{
    const double alpha = 1.6732632423543772848170429916717, scale = 1.0507009873554804934193349852946;
    const gr_tensor below = gr_scale(gr_add_scalar(gr_exp(x), -1), alpha);
    return gr_scale(gr_where(gr_greater(x, gr_scalar(x.graph, GR_F64, 0)), x, below), scale);
}

static gr_tensor swish(gr_tensor x) { return gr_mul(x, gr_sigmoid(x)); }

static gr_tensor log_cosh(gr_tensor x) { return gr_log(gr_scale(gr_add(gr_exp(x), gr_exp(gr_neg(x))), 0.5)); }

static void test_d_functions(void)
{
    static const struct {
        gr_activation *f;
        double value[3], slope[3];
    } rows[] = {
        {gr_sigmoid, {0.268941421, 0.731058579, 0.880797078}, {0.196611933, 0.196611933, 0.104993585}},
        {gr_tanh, {-0.761594156, 0.761594156, 0.964027580}, {0.419974342, 0.419974342, 0.070650825}},
        {gr_softplus, {0.313261688, 1.313261688, 2.126928011}, {0.268941421, 0.731058579, 0.880797078}},
        {elu, {-0.632120559, 1, 2}, {0.367879441, 1, 1}},
        {selu, {-1.111330738, 1.050700987, 2.101401975}, {0.646768603, 1.050700987, 1.050700987}},
        {swish, {-0.268941421, 0.731058579, 1.761594156}, {0.072329488, 0.927670512, 1.090784249}},
    };
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_set_requires_grad(gr_constant(g, GR_F64, GR_SHAPE(3), (double[]){-1, 1, 2}), true);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const gr_tensor y = rows[i].f(x);
        check_all(y, 3, rows[i].value, NINE);
        check_all(gr_derivative(y, x), 3, rows[i].slope, NINE);
    }
    const gr_tensor half = gr_set_requires_grad(gr_constant(g, GR_F64, GR_SCALAR, &(double){0.5}), true);
    const gr_tensor y = log_cosh(half);
    CHECK_ALL(y, 0.120114507);
    CHECK_ALL(gr_derivative(y, half), 0.462117157);
    CHECK_ALL(gr_sigmoid(gr_constant(g, GR_F64, GR_SHAPE(3), (double[]){1, 10, 2})), 0.731058579, 0.999954602,
              0.880797078);
    CHECK_ALL(gr_softmax(gr_constant(g, GR_F64, GR_SHAPE(3), (double[]){1, 2, 3}), 0), 0.090030573,
              0.244728471, 0.665240956);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* sum t ln(t / y), where 0 ln 0 is 0. */
static gr_tensor divergence(gr_tensor t, gr_tensor y)
{
    const gr_tensor zero = gr_scalar(t.graph, GR_F64, 0);
    return gr_sum(gr_where(gr_greater(t, zero), gr_mul(t, gr_log(gr_div(t, y))), zero), GR_ALL_AXES, false);
}

static void test_d_divergence(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor t = gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){0, 1});
    const gr_tensor a = gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){.07158904, .92822515});
    const gr_tensor d = gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){.11774177, .88200493});
    CHECK_ALL(divergence(t, a), 0.074480957);
    CHECK_ALL(divergence(t, d), 0.125557633);
    gr_graph_destroy(g);
}

/* ---- Perceptrons ---- */

/* A step unit: 1 above 0 and, if `at_zero`, at 0. */
static gr_tensor step_unit(gr_tensor z, bool at_zero)
{
    const gr_tensor zero = gr_scalar(z.graph, GR_F64, 0);
    return gr_cast(at_zero ? gr_greater_equal(z, zero) : gr_greater(z, zero), GR_F64);
}

typedef struct gate {
    int inputs;
    double target[4];
} gate;

/* The perceptron rule from zero: w += (t - o) x, theta += t - o, sample by sample, until an epoch without a
   mistake, which is counted, too. result: weights, then theta. Returns the epochs, or 0 after 100 without
   success. */
static int learn(const gate *k, bool at_zero, double *result)
{
    gr_graph *g = gr_graph_create(NULL);
    const int samples = 1 << k->inputs;
    const gr_tensor w = gr_constant(g, GR_F64, GR_SHAPE(k->inputs), NULL),
                    theta = gr_constant(g, GR_F64, GR_SCALAR, NULL);
    int epoch = 0;
    bool wrong = true;
    while (wrong && epoch < 100) {
        wrong = false;
        epoch++;
        for (int s = 0; s < samples; s++) {
            const double bits[] = {k->inputs == 2 ? s / 2 : s, s % 2};
            const gr_scope scope = gr_scope_begin(g);
            const gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(k->inputs), bits);
            const gr_tensor o = step_unit(gr_add(gr_matmul(w, x), theta), at_zero);
            const gr_tensor miss = gr_sub(gr_scalar(g, GR_F64, k->target[s]), o);
            if (gr_item(miss) != 0) wrong = true;
            gr_assign(w, gr_add(w, gr_mul(miss, x)));
            gr_assign(theta, gr_add(theta, miss));
            gr_scope_end(scope, 0, NULL);
        }
    }
    gr_read(w, result, k->inputs);
    result[k->inputs] = gr_item(theta);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
    return wrong ? 0 : epoch;
}

static void test_d_perceptron(void)
{
    static const struct {
        gate gate;
        int epochs;
        double w[2], theta, theta_at_zero;
    } gates[] = {{{2, {0, 0, 0, 1}}, 6, {2, 1}, -2, -3},
                 {{2, {0, 1, 1, 1}}, 4, {1, 1}, 0, -1},
                 {{2, {1, 1, 1, 0}}, 6, {-2, -1}, 3, 2}};
    double w[3];
    for (int i = 0; i < 3; i++) {
        CHECK(learn(&gates[i].gate, false, w) == gates[i].epochs);
        CHECK(w[0] == gates[i].w[0] && w[1] == gates[i].w[1] && w[2] == gates[i].theta);
        CHECK(learn(&gates[i].gate, true, w) > 0);
        CHECK(w[0] == gates[i].w[0] && w[1] == gates[i].w[1] && w[2] == gates[i].theta_at_zero);
    }
    CHECK(learn(&(gate){1, {1, 0}}, false, w) > 0 && w[0] == -1 && w[1] == 1); /* NOT */
    CHECK(learn(&(gate){2, {0, 1, 1, 0}}, false, w) == 0);                     /* XOR is not linear */
}

/* h1 = u(2 x1 + 2 x2 - 1), h2 = u(-2 x1 - 2 x2 + 3), o = u(2 h1 + 2 h2 - 3) */
static void test_d_xor_by_hand(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(4, 2), xor_inputs);
    const gr_linear hidden = {gr_constant(g, GR_F64, GR_SHAPE(2, 2), (double[]){2, -2, 2, -2}),
                              gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){-1, 3})};
    const gr_linear output = {gr_constant(g, GR_F64, GR_SHAPE(2, 1), (double[]){2, 2}),
                              gr_constant(g, GR_F64, GR_SHAPE(1), (double[]){-3})};
    const gr_tensor o = step_unit(gr_linear_forward(output, step_unit(gr_linear_forward(hidden, x), false)),
                                  false);
    CHECK_ALL(o, 0, 1, 1, 0);
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_a_first_sample);
    RUN(test_a_other_samples);
    RUN(test_a_training);
    RUN(test_b);
    RUN(test_c_first_step);
    RUN(test_c_paths);
    RUN(test_c_variants);
    RUN(test_d_functions);
    RUN(test_d_divergence);
    RUN(test_d_perceptron);
    RUN(test_d_xor_by_hand);
    return TEST_EXIT;
}
