/* Tables of models: their text byte for byte, what they count, and what they must survive. */
#include <gradus.h>
#include "test.h"

#include <inttypes.h>
#include <locale.h>
#include <stdlib.h>

enum { TEXT_BYTES = 1 << 16 };

/* The table, until the next call; "" on error. */
static const char *table_of(gr_tensor root, const gr_summary_options *options)
{
    static char text[TEXT_BYTES];
    size_t length = 0;
    const gr_status status = gr_model_summary_string(root, text, sizeof text, &length, options);
    CHECK(status != GR_OK || strlen(text) == length);
    return text;
}

/* To see all of both, not only where they differ first. */
static void check_golden(gr_tensor root, const gr_summary_options *options, const char *expected)
{
    const char *text = table_of(root, options);
    CHECK(!strcmp(text, expected));
    if (strcmp(text, expected) != 0) printf("---- is\n%s---- expected\n%s----\n", text, expected);
    CHECK(gr_graph_status(root.graph) == GR_OK);
}

static gr_tensor zeros(gr_graph *g, const char *name, gr_shape shape)
{
    return gr_param(g, name, GR_F32, shape, NULL);
}

static gr_tensor in_scope(const char *name, gr_tensor (*f)(gr_tensor, gr_tensor), gr_tensor x, gr_tensor w)
{
    gr_name_scope_begin(x.graph, name);
    const gr_tensor y = f(x, w);
    gr_name_scope_end(x.graph);
    return y;
}

/* ---- Golden texts ---- */

static gr_tensor classifier(gr_graph *g, int64_t hidden, int64_t batch)
{
    const int64_t sizes[] = {784, hidden, hidden, 10};
    const gr_mlp net = gr_mlp_create(g, "", GR_F32, 4, sizes, gr_relu, NULL);
    const gr_tensor x = gr_named(gr_constant(g, GR_F32, GR_SHAPE(batch, 784), NULL), "images");
    const gr_tensor labels = gr_named(gr_constant(g, GR_I32, GR_SHAPE(batch), NULL), "labels");
    return gr_named(gr_softmax_cross_entropy(gr_mlp_forward(net, x), labels), "loss");
}

static void test_mlp(void)
{
    gr_graph *g = gr_graph_create(NULL);
    check_golden(classifier(g, 784, 200), NULL,
                 "layer        output          parameters        FLOPs      bytes\n"
                 "───────────────────────────────────────────────────────────────\n"
                 "images       f32 [200, 784]           –            –    627,200  input\n"
                 "labels       i32 [200, 1]             –            –        800  input\n"
                 "fc1          f32 [200, 784]     615,440  246,019,200  1,254,400\n"
                 "relu         f32 [200, 784]           –      156,800    627,200\n"
                 "fc2          f32 [200, 784]     615,440  246,019,200  1,254,400\n"
                 "relu         f32 [200, 784]           –      156,800    627,200\n"
                 "fc3          f32 [200, 10]        7,850    3,138,000     16,000\n"
                 "log_softmax  f32 [200, 10]            –       10,000      8,000\n"
                 "gather       f32 [200, 1]             –            –        800\n"
                 "mean         f32 []                   –          200          4\n"
                 "loss = neg   f32 []                   –            1          4\n"
                 "───────────────────────────────────────────────────────────────\n"
                 "total                         1,238,730  495,500,201  4,416,008\n"
                 "\n"
                 "parameters             1,238,730  1,238,730 trainable, 0 frozen\n"
                 "FLOPs forward        495,500,201\n"
                 "bytes of parameters    4,954,920\n"
                 "bytes of gradients     4,954,920\n"
                 "bytes of results       3,788,008\n"
                 "bytes of inputs          628,000\n"
                 "bytes to train        14,325,848  these four; what the optimiser keeps, and adjoints on "
                 "the way, come on top\n");
    gr_graph_destroy(g);
}

/* The products alone: 2 m n k for each. */
static void test_flops_of_products(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_constant(g, GR_F32, GR_SHAPE(200, 784), NULL);
    gr_tensor h = gr_matmul(x, zeros(g, "w1", GR_SHAPE(784, 784)));
    h = gr_matmul(h, zeros(g, "w2", GR_SHAPE(784, 784)));
    h = gr_matmul(h, zeros(g, "w3", GR_SHAPE(784, 10)));
    gr_model_totals t;
    CHECK(gr_model_count(h, &t) == GR_OK);
    CHECK(t.flops == 2.0 * 200 * (784.0 * 784 * 2 + 784 * 10));
    CHECK(t.operations == 3 && t.parameters == 784 * 784 * 2 + 7840 && t.unreached == 0);
    CHECK(t.activation_bytes == 4 * 200 * (784 + 784 + 10) && t.input_bytes == 4 * 200 * 784);
    gr_graph_destroy(g);
}

static gr_tensor layer(gr_tensor x, gr_tensor w) { return gr_tanh(gr_matmul(x, w)); }
static gr_tensor block(gr_tensor x, gr_tensor w)
{
    const gr_tensor h = in_scope("attention", layer, x, w);
    return gr_add(x, in_scope("mlp", layer, h, gr_param_find(x.graph, "v")));
}

/* One model, and all that its table says of scopes in scopes. Long because it is a list. */
static void test_nested_scopes(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = zeros(g, "w", GR_SHAPE(3, 3));
    zeros(g, "v", GR_SHAPE(3, 3));
    const gr_tensor x = gr_named(gr_constant(g, GR_F32, GR_SHAPE(2, 3), NULL), "x");
    const gr_tensor y = gr_mean(in_scope("encoder", block, x, w), GR_ALL_AXES, false);
    check_golden(y, &(gr_summary_options){.title = "A block"},
                 "A block\n"
                 "\n"
                 "layer        output      parameters  FLOPs  bytes\n"
                 "─────────────────────────────────────────────────\n"
                 "x            f32 [2, 3]           –      –     24  input\n"
                 "encoder      f32 [2, 3]          18     90    120\n"
                 "  attention  f32 [2, 3]           9     42     48\n"
                 "  mlp        f32 [2, 3]           9     42     48\n"
                 "  add        f32 [2, 3]           –      6     24\n"
                 "mean         f32 []               –      6      4\n"
                 "─────────────────────────────────────────────────\n"
                 "total                            18     96    148\n"
                 "\n"
                 "parameters            18  18 trainable, 0 frozen\n"
                 "FLOPs forward         96\n"
                 "bytes of parameters   72\n"
                 "bytes of gradients    72\n"
                 "bytes of results     124\n"
                 "bytes of inputs       24\n"
                 "bytes to train       292  these four; what the optimiser keeps, and adjoints on the way, "
                 "come on top\n");
    check_golden(y, &(gr_summary_options){.max_depth = 1, .ascii = true},
                 "layer    output      parameters  FLOPs  bytes\n"
                 "---------------------------------------------\n"
                 "x        f32 [2, 3]           -      -     24  input\n"
                 "encoder  f32 [2, 3]          18     90    120\n"
                 "mean     f32 []               -      6      4\n"
                 "---------------------------------------------\n"
                 "total                        18     96    148\n"
                 "\n"
                 "parameters            18  18 trainable, 0 frozen\n"
                 "FLOPs forward         96\n"
                 "bytes of parameters   72\n"
                 "bytes of gradients    72\n"
                 "bytes of results     124\n"
                 "bytes of inputs       24\n"
                 "bytes to train       292  these four; what the optimiser keeps, and adjoints on the way, "
                 "come on top\n");
    check_golden(y, &(gr_summary_options){.operations = true},
                 "layer        output      parameters  FLOPs  bytes\n"
                 "─────────────────────────────────────────────────\n"
                 "x            f32 [2, 3]           –      –     24  input\n"
                 "encoder      f32 [2, 3]          18     90    120\n"
                 "  attention  f32 [2, 3]           9     42     48\n"
                 "    matmul   f32 [2, 3]           9     36     24\n"
                 "    tanh     f32 [2, 3]           –      6     24\n"
                 "  mlp        f32 [2, 3]           9     42     48\n"
                 "    matmul   f32 [2, 3]           9     36     24\n"
                 "    tanh     f32 [2, 3]           –      6     24\n"
                 "  add        f32 [2, 3]           –      6     24\n"
                 "mean         f32 []               –      6      4\n"
                 "─────────────────────────────────────────────────\n"
                 "total                            18     96    148\n"
                 "\n"
                 "parameters            18  18 trainable, 0 frozen\n"
                 "FLOPs forward         96\n"
                 "bytes of parameters   72\n"
                 "bytes of gradients    72\n"
                 "bytes of results     124\n"
                 "bytes of inputs       24\n"
                 "bytes to train       292  these four; what the optimiser keeps, and adjoints on the way, "
                 "come on top\n");
    gr_graph_destroy(g);
}

static void test_shared_and_frozen(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = zeros(g, "w", GR_SHAPE(4, 4)), u = zeros(g, "u", GR_SHAPE(4, 4));
    zeros(g, "unused", GR_SHAPE(1000));
    gr_set_requires_grad(u, false);
    gr_tensor h = gr_named(gr_constant(g, GR_F32, GR_SHAPE(2, 4), NULL), "编码 é");
    h = in_scope("first", layer, h, w);
    h = in_scope("fixed", layer, h, u);
    h = in_scope("again", layer, h, w);
    h = in_scope("again", layer, h, w); /* the same scope: one row */
    check_golden(h, NULL,
                 "layer   output      parameters  FLOPs  bytes\n"
                 "────────────────────────────────────────────\n"
                 "编码 é  f32 [2, 4]           –      –     32  input\n"
                 "first   f32 [2, 4]          16     72     64\n"
                 "fixed   f32 [2, 4]          16     72     64  frozen\n"
                 "again   f32 [2, 4]           –    144    128  shares 16\n"
                 "────────────────────────────────────────────\n"
                 "total                       32    288    288\n"
                 "\n"
                 "parameters                 32  16 trainable, 16 frozen\n"
                 "parameters not reached  1,000  of the graph, which the pass does not use\n"
                 "FLOPs forward             288\n"
                 "bytes of parameters       128\n"
                 "bytes of gradients         64\n"
                 "bytes of results          256\n"
                 "bytes of inputs            32\n"
                 "bytes to train            480  these four; what the optimiser keeps, and adjoints on the "
                 "way, come on top\n");
    gr_graph_destroy(g);
}

/* The steps of a sequence are inputs without names, one as the other. */
static void test_steps_of_a_sequence(void)
{
    enum { STEPS = 60 };
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = zeros(g, "w", GR_SHAPE(3, 3)), u = zeros(g, "u", GR_SHAPE(3, 3));
    const gr_tensor sequence = gr_constant(g, GR_F32, GR_SHAPE(STEPS, 2, 3), NULL);
    gr_tensor h = gr_named(gr_constant(g, GR_F32, GR_SHAPE(2, 3), NULL), "h");
    gr_name_scope_begin(g, "cell");
    for (int i = 0; i < STEPS; i++) {
        h = gr_matmul(h, w);
        h = gr_tanh(gr_add(h, gr_matmul(gr_select(sequence, 0, i), u)));
    }
    gr_name_scope_end(g);
    const char *head = "layer        output      parameters  FLOPs  bytes\n"
                       "─────────────────────────────────────────────────\n"
                       "h            f32 [2, 3]           –      –     24  input\n"
                       "reshape ×60  f32 [2, 3]           –      –  1,440  inputs\n"
                       "cell         f32 [2, 3]          18  5,040  5,760\n"
                       "─────────────────────────────────────────────────\n"
                       "total                            18  5,040  7,224\n";
    CHECK_TEXT(table_of(h, NULL), head);
    CHECK_TEXT(table_of(h, &(gr_summary_options){.ascii = true}), "\nreshape x60 ");
    /* What tells them apart: type, shape, whether they are differentiated, a name. */
    const gr_tensor a = gr_constant(g, GR_F32, GR_SHAPE(2, 1), NULL),
                    b = gr_constant(g, GR_F32, GR_SHAPE(2, 1), NULL);
    gr_set_requires_grad(a, true);
    CHECK_TEXT(table_of(gr_add(h, gr_add(a, b)), NULL),
               "inputs\n"
               "constant     f32 [2, 1]           –      –      8  input, differentiable\n"
               "constant     f32 [2, 1]           –      –      8  input\n");
    gr_set_requires_grad(b, true);
    CHECK_TEXT(table_of(gr_add(h, gr_add(a, b)), NULL),
               "\nconstant ×2  f32 [2, 1]           –      –     16  inputs, differentiable\n");
    gr_named(b, "b");
    CHECK_TEXT(table_of(gr_add(h, gr_add(a, b)), NULL), "\nb            f32 [2, 1] ");
    /* And what they were made by, if by an operation on other tensors. */
    const gr_tensor c = gr_constant(g, GR_F32, GR_SHAPE(2), NULL),
                    made[] = {c, gr_ones(g, GR_F32, GR_SHAPE(2)), gr_exp(c), gr_exp(c), gr_sin(c)};
    h = zeros(g, "p", GR_SHAPE(2));
    for (int i = 0; i < 5; i++) h = gr_add(h, made[i]);
    const char *text = table_of(h, NULL);
    CHECK_TEXT(text, "\nconstant ×2 ");
    CHECK_TEXT(text, "\nexp ×2 ");
    CHECK_TEXT(text, "\nsin ");
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

static void test_no_scopes(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(2, 1), (double[]){0.5, -0.3});
    const gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(3, 2), (double[]){1, 2, 3, 4, 5, 6});
    const gr_tensor t = gr_named(gr_constant(g, GR_F64, GR_SHAPE(3, 1), (double[]){1, 0, 1}), "t");
    const gr_tensor p = gr_named(gr_sigmoid(gr_matmul(x, w)), "p");
    const gr_tensor two = gr_scalar(g, GR_F64, 2);
    check_golden(gr_mul(gr_mse(p, t), two), NULL,
                 "layer        output      parameters  FLOPs  bytes\n"
                 "─────────────────────────────────────────────────\n"
                 "constant     f64 [3, 2]           –      –     48  input\n"
                 "t            f64 [3, 1]           –      –     24  input\n"
                 "1 constant                        –      –      8  input\n"
                 "matmul       f64 [3, 1]           2     12     24\n"
                 "p = sigmoid  f64 [3, 1]           –      3     24\n"
                 "sub          f64 [3, 1]           –      3     24\n"
                 "square       f64 [3, 1]           –      3     24\n"
                 "mean         f64 []               –      3      8\n"
                 "mul          f64 []               –      1      8\n"
                 "─────────────────────────────────────────────────\n"
                 "total                             2     25    192\n"
                 "\n"
                 "parameters             2  2 trainable, 0 frozen\n"
                 "FLOPs forward         25\n"
                 "bytes of parameters   16\n"
                 "bytes of gradients    16\n"
                 "bytes of results     112\n"
                 "bytes of inputs       80\n"
                 "bytes to train       224  these four; what the optimiser keeps, and adjoints on the way, "
                 "come on top\n");
    check_golden(w, NULL,
                 "layer  output  parameters  FLOPs  bytes\n"
                 "───────────────────────────────────────\n"
                 "───────────────────────────────────────\n"
                 "total                   2      0      0\n"
                 "\n"
                 "parameters            2  2 trainable, 0 frozen\n"
                 "FLOPs forward         0\n"
                 "bytes of parameters  16\n"
                 "bytes of gradients   16\n"
                 "bytes of results      0\n"
                 "bytes of inputs       0\n"
                 "bytes to train       32  these four; what the optimiser keeps, and adjoints on the way, "
                 "come on top\n");
    gr_graph_destroy(g);
}

/* ---- Primitives of one's own ---- */

static gr_status own_infer(const gr_call *c, gr_layout *out) { return gr_infer_like(c, out, 0); }
static gr_status own_forward(const gr_call *c)
{
    memcpy(c->out->data, c->in[0]->data, (size_t)c->out->count * sizeof(double));
    return GR_OK;
}
static gr_tensor own_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)c, (void)i;
    return gy;
}
static double own_flops(const gr_call *c)
{
    const double *factor = c->attributes;
    const bool complete = c->n == 1 && c->in[0]->ndim == 1 &&
                          gr_same(c->operands[0], gr_param_find(c->graph, "p")) && gr_is_valid(c->output) &&
                          c->op->flops == own_flops;
    return complete ? *factor * (double)c->in[0]->count : NAN;
}
static const gr_op own_plain = {
    .name = "plain", .arity = 1, .infer = own_infer, .forward = own_forward, .vjp = own_vjp};
static const gr_op own_costly = {.name = "costly",
                                 .arity = 1,
                                 .attribute_bytes = sizeof(double),
                                 .infer = own_infer,
                                 .forward = own_forward,
                                 .vjp = own_vjp,
                                 .flops = own_flops};

static double flops_of(gr_tensor root)
{
    gr_model_totals t;
    CHECK(gr_model_count(root, &t) == GR_OK);
    return t.unknown ? -1 : t.flops;
}

static void test_own_primitives(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor p = gr_param(g, "p", GR_F64, GR_SHAPE(6), NULL);
    const double factor = 7, nonsense = -1, infinite = (double)INFINITY;
    CHECK(flops_of(gr_apply(g, &own_plain, 1, &p, NULL)) == 6);
    CHECK(flops_of(gr_apply(g, &own_costly, 1, &p, &factor)) == 42);
    CHECK(flops_of(gr_apply(g, &own_costly, 1, &p, &nonsense)) == -1);
    CHECK(flops_of(gr_apply(g, &own_costly, 1, &p, &infinite)) == -1);
    CHECK_TEXT(table_of(gr_apply(g, &own_costly, 1, &p, &nonsense), NULL), "FLOPs of 1 operation unknown");
    gr_graph_destroy(g);
}

/* What summary.h says of the costs of the primitives of Gradus. */
static void test_costs(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor p = gr_param(g, "p", GR_F64, GR_SHAPE(4, 6), NULL);
    const gr_tensor index = gr_constant(g, GR_I32, GR_SHAPE(3), (int32_t[]){0, 2, 1});
    const gr_tensor indices = gr_constant(g, GR_I32, GR_SHAPE(2, 6), NULL);
    const struct {
        gr_tensor y;
        double flops;
    } cases[] = {
        {gr_exp(p), 24},
        {gr_add(p, gr_reshape(gr_slice(p, 0, 0, 1, 1), GR_SHAPE(6))), 24},
        {gr_matmul(p, gr_transpose(p, 0, 1)), 2 * 4 * 4 * 6},
        {gr_matmul(gr_expand(p, GR_SHAPE(5, 4, 6)), gr_transpose(p, 0, 1)), 5 * 2 * 4 * 4 * 6},
        {gr_sum(p, GR_ALL_AXES, false), 24},
        {gr_mean(p, GR_AXES(0), false), 24},
        {gr_max(p, GR_AXES(1), true), 24},
        {gr_sum_to(p, GR_SHAPE(6)), 24},
        {gr_sum_to(p, GR_SHAPE(4, 6)), 0},
        {gr_softmax(p, 1), 120},
        {gr_log_softmax(p, 0), 120},
        {gr_logsumexp(p, GR_AXES(1), false), 96},
        {gr_norm(p, GR_AXES(1), false), 48},
        {gr_cast(p, GR_F32), 0},
        {gr_contiguous(gr_transpose(p, 0, 1)), 0},
        {gr_concat(2, (gr_tensor[]){p, p}, 0), 0},
        {gr_gather(p, 0, indices), 0},
        {gr_scatter_add(gr_slice(p, 0, 0, 2, 1), 0, indices, 9), 12},
        {gr_index_select(p, 0, index), 0},
        {gr_index_add(gr_slice(p, 0, 0, 3, 1), 0, index, 7), 18},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double is = flops_of(cases[i].y);
        CHECK_NEAR(is, cases[i].flops, 0);
        if (is != cases[i].flops) printf("    case %zu\n", i);
    }
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* A view has no bytes of its own; what only looks like one has. */
static void test_bytes(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor p = gr_param(g, "p", GR_F64, GR_SHAPE(10, 20), NULL);
    const gr_tensor views = gr_expand(gr_reshape(gr_transpose(p, 0, 1), GR_SHAPE(20, 1, 10)),
                                      GR_SHAPE(20, 5, 10));
    gr_model_totals t;
    CHECK(gr_model_count(views, &t) == GR_OK);
    CHECK(t.operations == 3 && t.activation_bytes == 0 && t.flops == 0);
    CHECK(gr_model_count(gr_exp(views), &t) == GR_OK);
    CHECK(t.activation_bytes == 8 * 1000 && t.flops == 1000);
    CHECK(t.parameter_bytes == 1600 && t.gradient_bytes == 1600 && t.input_bytes == 0);
    CHECK(t.training_bytes == 1600 + 1600 + 8000);
    CHECK(gr_model_count(gr_sum_to(p, GR_SHAPE(10, 20)), &t) == GR_OK && t.activation_bytes == 0);
    gr_graph_destroy(g);
}

/* ---- Odd graphs ---- */

static void test_after_backward(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor loss = classifier(g, 3, 2);
    char *before = strdup(table_of(loss, NULL));
    CHECK(gr_backward(loss) == GR_OK);
    CHECK(!strcmp(before, table_of(loss, NULL)));
    free(before);
    gr_graph_destroy(g);
}

/* Weights that two scopes share are the scope's around them. */
static gr_tensor tied(gr_tensor x, gr_tensor w)
{
    return in_scope("b", layer, in_scope("a", layer, x, w), w);
}

static void test_tied_inside(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = zeros(g, "w", GR_SHAPE(5, 5)), bias = zeros(g, "bias", GR_SHAPE(5));
    gr_set_requires_grad(bias, false);
    const gr_tensor x = gr_constant(g, GR_F32, GR_SHAPE(1, 5), NULL);
    gr_name_scope_begin(g, "both");
    const gr_tensor y = gr_add(tied(x, w), bias);
    gr_name_scope_end(g);
    const char *text = table_of(gr_add(in_scope("after", layer, y, w), y), NULL);
    CHECK_TEXT(text, "\nboth      f32 [1, 5]          30    115    100  5 frozen\n");
    CHECK_TEXT(text, "\n  a       f32 [1, 5]          25     55     40\n");
    CHECK_TEXT(text, "\n  b       f32 [1, 5]           –     55     40  shares 25\n");
    CHECK_TEXT(text, "\n  add     f32 [1, 5]           5      5     20  frozen\n");
    CHECK_TEXT(text, "\nafter     f32 [1, 5]           –     55     40  shares 25\n");
    gr_graph_destroy(g);
}

static gr_tensor inner(gr_graph *g, int n, const gr_tensor *x, void *user)
{
    (void)g, (void)n;
    return layer(x[0], *(gr_tensor *)user);
}

/* What is not recorded is an input, and what it used is not seen. */
static void test_not_recorded(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor w = zeros(g, "w", GR_SHAPE(5, 5));
    const gr_tensor x = gr_constant(g, GR_F32, GR_SHAPE(2, 5), NULL);
    gr_model_totals t;
    CHECK(gr_model_count(gr_checkpoint(g, inner, 1, &x, &w), &t) == GR_OK);
    CHECK(t.parameters == 25 && t.flops == 0 && t.unreached == 0 && t.operations == 1);
    gr_no_grad_begin(g);
    const gr_tensor y = layer(x, w);
    gr_no_grad_end(g);
    CHECK(gr_model_count(y, &t) == GR_OK && t.unreached == 25 && t.operations == 0 && t.input_bytes == 40);
    CHECK_TEXT(table_of(y, NULL), "\ntanh   f32 [2, 5] ");
    gr_graph_destroy(g);
}

static void test_stale_operands(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = zeros(g, "w", GR_SHAPE(3, 3)), x = gr_constant(g, GR_F32, GR_SHAPE(2, 3), NULL);
    const gr_tensor y = gr_tanh(gr_matmul(x, w));
    gr_write(x, (float[6]){1}, 6);
    CHECK_TEXT(table_of(y, NULL), "operand changed since");
    gr_release(x);
    CHECK_TEXT(table_of(y, NULL), "operand released, FLOPs of 1 operation unknown");
    gr_release(w);
    const char *text = table_of(y, NULL);
    CHECK_TEXT(text, "matmul");
    CHECK_TEXT(text, "0 trainable, 0 frozen");
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

static void test_empty_shapes(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = zeros(g, "w", GR_SHAPE(0, 3));
    const gr_tensor x = gr_constant(g, GR_F32, GR_SHAPE(2, 0), NULL);
    const char *text = table_of(gr_sum(gr_matmul(x, w), GR_AXES(0), false), NULL);
    CHECK_TEXT(text, "f32 [2, 0]");
    CHECK_TEXT(text, "f32 [3]");
    gr_model_totals t;
    CHECK(gr_model_count(gr_matmul(x, w), &t) == GR_OK && t.flops == 0 && t.parameters == 0);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

static void test_many_operations(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor h = zeros(g, "w", GR_SHAPE(3));
    for (int i = 0; i < 100000; i++) h = gr_add_scalar(h, 1);
    const char *text = table_of(h, NULL);
    CHECK_TEXT(text, "99,950 more operations");
    CHECK_TEXT(text, "FLOPs forward");
    CHECK(flops_of(h) == 300000);
    gr_graph_reset(g);
    h = gr_param_find(g, "w");
    for (int i = 0; i < 8; i++) h = gr_exp(h);
    CHECK_TEXT(table_of(h, &(gr_summary_options){.max_operations = 7}), "\n1 more operation ");
    CHECK(!strstr(table_of(h, &(gr_summary_options){.max_operations = 8}), "more"));
    for (int i = 0; i < 60; i++) h = gr_add(h, gr_named(gr_constant(g, GR_F32, GR_SHAPE(3), NULL), "c"));
    for (int i = 0; i < 5; i++) h = gr_mul(h, gr_scalar(g, GR_F32, 1));
    CHECK_TEXT(table_of(h, NULL), "\n15 constants ");
    gr_graph_destroy(g);
}

static void test_deep_scopes(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor h = zeros(g, "w", GR_SHAPE(3));
    for (int i = 0; i < 300; i++) {
        gr_name_scope_begin(g, "s");
        h = gr_exp(h);
    }
    for (int i = 0; i < 300; i++) gr_name_scope_end(g);
    gr_model_totals t;
    CHECK(gr_model_count(h, &t) == GR_OK && t.operations == 300 && t.flops == 900);
    const char *text = table_of(h, NULL);
    CHECK_TEXT(text, "\n  exp ");
    CHECK_TEXT(text, "900");
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* Names of others cannot break the table, and ASCII is ASCII. */
static void test_names(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = zeros(g, "w", GR_SHAPE(3));
    gr_tensor y = gr_named(gr_exp(w), "a\nb\xff");
    gr_name_scope_begin(g, "层\t");
    y = gr_exp(y);
    gr_name_scope_end(g);
    CHECK_TEXT(table_of(y, NULL), "\na\\x0Ab\\xFF = exp ");
    CHECK_TEXT(table_of(y, NULL), "\n层\\x09 ");
    const char *text = table_of(y, &(gr_summary_options){.ascii = true, .title = "é"});
    CHECK_TEXT(text, "\n\\xE5\\xB1\\x82\\x09 ");
    for (const char *c = text; *c; c++) CHECK((unsigned char)*c < 0x80);
    char name[400];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    CHECK_TEXT(table_of(gr_named(gr_exp(w), name), NULL), "nnn… = exp");
    gr_graph_destroy(g);
}

/* ---- Arguments, writers ---- */

typedef struct sink {
    size_t length, most;
    char text[TEXT_BYTES];
} sink;

static bool collect(const char *text, size_t length, void *user)
{
    sink *s = user;
    if (s->length + length > s->most) return false;
    memcpy(s->text + s->length, text, length);
    s->text[s->length += length] = '\0';
    return true;
}

static void test_calls(void)
{
    static sink s;
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor y = gr_exp(zeros(g, "w", GR_SHAPE(3)));
    s.most = TEXT_BYTES - 1;
    CHECK(gr_model_summary(y, collect, &s, NULL) == GR_OK);
    CHECK(!strcmp(s.text, table_of(y, NULL)));
    char small[8];
    size_t length = 0;
    CHECK(gr_model_summary_string(y, small, sizeof small, &length, NULL) == GR_OK);
    CHECK(length == s.length && strlen(small) == 7 && !strncmp(small, s.text, 7));
    CHECK(gr_model_summary_string(y, NULL, 0, &length, NULL) == GR_OK && length == s.length);
    s = (sink){.most = 10};
    CHECK(gr_model_summary(y, collect, &s, NULL) == GR_ERR_IO);
    CHECK_TEXT(gr_graph_error(g), "the writer did not take the text");
    CHECK(gr_model_summary_string(y, small, sizeof small, &length, NULL) == GR_ERR_IO && !*small && !length);
    gr_graph_clear_error(g);
    CHECK(gr_model_summary(y, NULL, NULL, NULL) == GR_ERR_ARGUMENT);
    gr_graph_clear_error(g);
    CHECK(gr_model_summary_string(y, NULL, 1, NULL, NULL) == GR_ERR_ARGUMENT);
    gr_graph_clear_error(g);
    CHECK(gr_model_count(y, NULL) == GR_ERR_ARGUMENT);
    gr_graph_clear_error(g);
    CHECK(gr_model_summary_string(y, small, 8, NULL, &(gr_summary_options){.max_depth = -1}) ==
          GR_ERR_ARGUMENT);
    CHECK_TEXT(gr_graph_error(g), "-1 for max_depth");
    gr_graph_clear_error(g);
    gr_graph_reset(g);
    gr_model_totals t = {.flops = 3};
    CHECK(gr_model_count(y, &t) == GR_ERR_STALE && t.flops == 0);
    CHECK(gr_model_count((gr_tensor){NULL, 0, 0}, &t) == GR_ERR_HANDLE);
    gr_graph_destroy(g);
}

/* A pass that is looked at stays as it was, and takes no memory for good. */
static void test_changes_nothing(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor loss = classifier(g, 5, 4);
    const size_t used = gr_graph_memory(g).used;
    table_of(loss, NULL);
    CHECK(gr_graph_memory(g).used == used);
    CHECK(gr_backward(loss) == GR_OK);
    gr_graph_destroy(g);
}

int main(void)
{
    setlocale(LC_ALL, "");
    RUN(test_mlp);
    RUN(test_flops_of_products);
    RUN(test_nested_scopes);
    RUN(test_shared_and_frozen);
    RUN(test_steps_of_a_sequence);
    RUN(test_no_scopes);
    RUN(test_own_primitives);
    RUN(test_costs);
    RUN(test_bytes);
    RUN(test_after_backward);
    RUN(test_tied_inside);
    RUN(test_not_recorded);
    RUN(test_stale_operands);
    RUN(test_empty_shapes);
    RUN(test_many_operations);
    RUN(test_deep_scopes);
    RUN(test_names);
    RUN(test_calls);
    RUN(test_changes_nothing);
    return TEST_EXIT;
}
