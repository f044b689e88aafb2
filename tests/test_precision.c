/*
 * The precision shadow: textbook losers of digits are named, with about the right number of digits; what loses
 * none is not; the shadow is what the same graph in f64 gives; and nothing is changed by looking.
 */
#include "gradus.h"
#include "ledger.h"
#include "test.h"

#include <float.h>
#include <pthread.h>

#define ALL_DIGITS (24 * log10(2))

enum { SMALL_STACK = 1 << 18, LONG_CHAIN = 100000 };

static char text[GR_PRECISION_TABLE_BYTES];

static gr_precision_report shadow(gr_tensor root, const gr_precision_options *options)
{
    gr_precision_report r;
    CHECK(gr_precision_shadow(1, &root, options, &r) == GR_OK);
    if (root.graph && gr_graph_status(root.graph) != GR_OK) printf("    %s\n", gr_graph_error(root.graph));
    CHECK(gr_precision_table(&r, text, sizeof text) < sizeof text);
    return r;
}

static bool is_op(const gr_precision_report *r, int row, const char *op)
{
    return row < r->n_rows && !strcmp(r->rows[row].op, op);
}

static void finish(gr_graph *g)
{
    CHECK(gr_graph_status(g) == GR_OK);
    if (gr_graph_status(g) != GR_OK) printf("    %s: %s\n", test_name, gr_graph_error(g));
    gr_graph_destroy(g);
}

static gr_tensor variable(gr_graph *g, const char *name, double value)
{
    const float x = (float)value;
    return gr_param(g, name, GR_F32, GR_SCALAR, &x);
}

static gr_tensor mean(gr_tensor x) { return gr_mean(x, GR_ALL_AXES, false); }
static gr_tensor total(gr_tensor x) { return gr_sum(x, GR_ALL_AXES, false); }

static double digits(double value, double exact) { return -log10(fabs(value - exact) / fabs(exact)); }

/* ---- Textbook losers ---- */

static void test_absorption(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_param(g, "x", GR_F32, GR_SHAPE(2, 2), (float[]){1.5f, 0.25f, 3.75f, 2});
    const gr_tensor y = gr_add_scalar(gr_add_scalar(x, 1e8), -1e8);
    const gr_precision_report r = shadow(y, NULL);
    CHECK(r.operations == 2 && r.losing == 1 && r.n_rows == 1 && r.in_f32 == 0 && r.restarted == 0);
    const gr_precision_loss *worst = &r.rows[0];
    CHECK(!strcmp(worst->op, "add_scalar") && worst->position == 2 && worst->shadow == GR_SHADOW_F64);
    CHECK(worst->type == GR_F32 && worst->ndim == 2 && worst->dims[0] == 2 && worst->dims[1] == 2);
    CHECK_NEAR(worst->lost, ALL_DIGITS, 1e-12);
    CHECK(worst->left == 0 && worst->error == 1 && worst->made == 0 && worst->inherited == 1);
    CHECK(worst->index[0] == 1 && worst->index[1] == 0);
    CHECK(worst->value == 0 && worst->exact == 3.75 && worst->broken == 0);
    CHECK(worst->n_operands == 1 && worst->operands[0].position == 1);
    CHECK_NEAR(worst->operands[0].digits, ALL_DIGITS, 1e-12);
    CHECK(r.result.position == 2 && r.result.left == 0);
    finish(g);
}

static void test_one_minus_cosine(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = variable(g, "x", 1e-3);
    const gr_tensor y = gr_named(gr_add_scalar(gr_neg(gr_cos(x)), 1), "1 - cos x");
    const gr_precision_report r = shadow(y, NULL);
    CHECK(r.n_rows == 1 && r.rows[0].position == 3 && !strcmp(r.rows[0].name, "1 - cos x"));
    const double exact = 1 - cos((double)1e-3f), half = sin((double)1e-3f / 2);
    CHECK(r.rows[0].value == gr_item(y) && r.rows[0].exact == exact);
    CHECK_NEAR(r.rows[0].left, digits(gr_item(y), 2 * half * half), 1e-4);
    CHECK(r.rows[0].lost > 5 && r.rows[0].lost < 6.5);
    CHECK(r.rows[0].inherited > 1000 * r.rows[0].made);

    const gr_tensor mended = gr_scale(gr_square(gr_sin(gr_scale(x, 0.5))), 2);
    const gr_precision_report better = shadow(mended, NULL);
    CHECK(better.losing == 0 && better.result.left > 6.5);
    finish(g);
}

static void test_variance(void)
{
    gr_graph *g = gr_graph_create(NULL);
    float values[64];
    double sum = 0, spread = 0;
    for (int i = 0; i < 64; i++) sum += (double)(values[i] = 1000 + (float)((i * 37) % 64) / 65);
    for (int i = 0; i < 64; i++) spread += pow((double)values[i] - sum / 64, 2) / 64;
    const gr_tensor x = gr_param(g, "x", GR_F32, GR_SHAPE(64), values), m = mean(x);
    const gr_precision_report r = shadow(gr_sub(mean(gr_square(x)), gr_square(m)), NULL);
    CHECK(r.losing == 1 && is_op(&r, 0, "sub") && r.rows[0].position == 5);
    CHECK_NEAR(r.rows[0].exact, spread, 1e-8);
    CHECK(r.rows[0].lost > 5.5 && r.rows[0].left < 1.5);
    CHECK(r.rows[0].made == 0); /* the difference of neighbours is exact: all of it came with the operands */
    const gr_precision_report better = shadow(mean(gr_square(gr_sub(x, m))), NULL);
    CHECK(better.losing == 1 &&
          better.rows[0].lost < 3.5); /* x - m loses what 1000 is larger than the spread */
    CHECK(is_op(&better, 0, "sub") && better.result.left > r.result.left + 2);
    finish(g);
}

static void test_overflow(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_param(g, "x", GR_F32, GR_SHAPE(3), (float[]){60, 90, 100});
    const gr_precision_report r = shadow(gr_log(total(gr_exp(x))), &(gr_precision_options){.least = 0.01});
    CHECK(r.n_rows > 0 && is_op(&r, 0, "exp") && r.rows[0].position == 1);
    CHECK(r.rows[0].broken == 2 && r.rows[0].index[0] == 1);
    CHECK(isinf(r.rows[0].value) && r.rows[0].exact == exp(90) && isinf(r.rows[0].error));
    CHECK(isinf(r.rows[0].made) && r.rows[0].left == 0);
    CHECK(r.losing == 1); /* sum and log of infinity lose nothing more */
    CHECK(isinf(r.result.value) && r.result.broken == 1);
    CHECK_NEAR(r.result.exact, 100.0000454, 1e-6);
    CHECK_TEXT(text, "infinite");
    CHECK(shadow(gr_logsumexp(x, GR_ALL_AXES, false), NULL).losing == 0);
    finish(g);
}

static void test_underflow_and_nan(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_param(g, "x", GR_F32, GR_SHAPE(2), (float[]){-200, -201});
    gr_precision_report r = shadow(gr_log(total(gr_exp(x))), NULL);
    CHECK(r.losing == 1 && is_op(&r, 0, "exp") && r.rows[0].value == 0 && r.rows[0].exact > 0);
    CHECK(isinf(r.result.value) && isfinite(r.result.exact));

    /* NaN from sound operands goes before all else, though less is lost. */
    const gr_tensor big = gr_add_scalar(gr_add_scalar(variable(g, "y", 3), 1e8), -1e8);
    const gr_tensor one = gr_add_scalar(variable(g, "v", 1), 1e-3);
    const gr_tensor rough = gr_scale(gr_add_scalar(one, -1), 1000); /* about 4 digits */
    const gr_tensor broken = gr_sub(gr_exp(gr_scale(rough, 90)), gr_exp(gr_scale(rough, 90)));
    r = shadow(gr_add(big, broken), NULL);
    CHECK(r.n_rows >= 4 && is_op(&r, 0, "exp") && is_op(&r, 1, "exp"));
    CHECK(r.rows[0].broken && r.rows[1].broken && r.rows[0].position < r.rows[1].position);
    CHECK(r.rows[0].lost < r.rows[2].lost && r.rows[2].broken == 0 && r.rows[2].lost > 7);
    CHECK(isnan(r.result.value) && r.result.exact == 3);
    CHECK_TEXT(text, "f32 nan, f64 3");

    /* The same infinity or NaN on both sides is no loss. */
    const gr_tensor zero = gr_param(g, "0", GR_F32, GR_SHAPE(3), (float[]){0, -1, 1});
    r = shadow(gr_log(zero), NULL);
    CHECK(r.losing == 0 && r.result.error == 0);
    finish(g);
}

static void test_long_sum(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor sum = variable(g, "x", 1e8);
    for (int i = 0; i < 1000; i++) sum = gr_add_scalar(sum, 1); /* each one is absorbed */
    const gr_precision_report r = shadow(sum, NULL);
    CHECK(r.operations == 1000 && r.losing == 0 && r.n_rows == 0);
    CHECK(gr_item(sum) == 1e8 && r.result.exact == 1e8 + 1000);
    CHECK_NEAR(r.result.left, digits(1e8, 1e8 + 1000), 1e-12);
    CHECK_TEXT(text, "no operation lost 1 digit or more\n  the loss is spread over many operations\n");
    const gr_precision_report fine = shadow(sum, &(gr_precision_options){.least = 0.01});
    CHECK(fine.n_rows == 10 && fine.losing > 10 && fine.rows[0].lost < 0.1);
    CHECK(fine.rows[0].lost >= fine.rows[9].lost);
    finish(g);
}

static void test_quadratic(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = variable(g, "a", 1), b = variable(g, "b", 2000), c = variable(g, "c", 1);
    const gr_tensor root = gr_sqrt(gr_sub(gr_square(b), gr_scale(gr_mul(a, c), 4)));
    const gr_tensor naive = gr_div(gr_sub(root, b), gr_scale(a, 2));
    gr_precision_report r = shadow(naive, NULL);
    CHECK(r.losing == 1 && is_op(&r, 0, "sub") && r.rows[0].operands[1].position == 0);
    CHECK(!strcmp(r.rows[0].operands[1].name, "b") && !strcmp(r.rows[0].operands[0].name, "sqrt"));
    const double exact = -2 / (2000 + sqrt(2000.0 * 2000 - 4));
    CHECK_NEAR(r.result.exact, exact, 1e-10);
    CHECK_NEAR(r.result.left, digits(gr_item(naive), exact), 1e-3);
    CHECK(r.result.left < 2);
    r = shadow(gr_div(gr_scale(c, 2), gr_sub(gr_neg(b), root)), NULL);
    CHECK(r.losing == 0 && r.result.left > 6.5);
    finish(g);
}

/* ---- Sound graphs, and gradients ---- */

static gr_tensor network(gr_graph *g, gr_type type)
{
    gr_seed(g, 7);
    const gr_mlp net = gr_mlp_create(g, "", type, 4, (int64_t[]){20, 32, 16, 5}, gr_tanh,
                                     gr_init_xavier_normal);
    const gr_tensor x = gr_normal(g, type, GR_SHAPE(12, 20), 0, 1);
    const gr_tensor labels = gr_cast(gr_scale(gr_arange(g, GR_F32, 12, 0, 1), 0.4), GR_I32);
    return gr_softmax_cross_entropy(gr_mlp_forward(net, x), labels);
}

static void test_sound_network(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor loss = network(g, GR_F32);
    gr_precision_report r = shadow(loss, NULL);
    CHECK(r.operations > 8 && r.losing == 0 && r.restarted == 0 && r.in_f32 == 0);
    CHECK(r.result.left > 6 && r.result.value == gr_item(loss));
    CHECK_NEAR(r.result.exact, gr_item(loss), 1e-6);

    gr_tensor params[6], gradients[6];
    for (int i = 0; i < 6; i++) params[i] = gr_param_at(g, i);
    CHECK(gr_grad(1, &loss, 6, params, NULL, &(gr_grad_options){.record = true}, gradients) == GR_OK);
    gr_precision_report all;
    CHECK(gr_precision_shadow(6, gradients, NULL, &all) == GR_OK);
    CHECK(all.operations > 2 * r.operations && all.losing == 0 && all.result.left > 5.5);
    finish(g);
}

/* (1 - cos x) / x^2, whose derivative cancels, too: x is much smaller than 1. */
static gr_tensor flat(gr_tensor x) { return gr_div(gr_add_scalar(gr_neg(gr_cos(x)), 1), gr_square(x)); }

static void test_gradient_that_loses(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = variable(g, "x", 0.03125), wide = gr_param(g, "wide", GR_F64, GR_SCALAR, NULL);
    CHECK(gr_write(wide, &(double){0.03125}, 1) == GR_OK);
    const gr_tensor slope = gr_derivative(flat(x), x), exact = gr_derivative(flat(wide), wide);
    const gr_precision_report r = shadow(slope, NULL);
    CHECK(r.result.exact == gr_item(exact) && r.result.value == gr_item(slope));
    CHECK(r.losing == 2 && is_op(&r, 0, "add") && is_op(&r, 1, "add_scalar"));
    CHECK(r.rows[0].lost > 3.5 && r.rows[1].lost > 2.5 && r.result.left < 1);
    finish(g);
}

/* ---- The shadow is the graph in f64 ---- */

typedef gr_tensor model(gr_tensor a, gr_tensor b);

static gr_tensor views(gr_tensor a, gr_tensor b)
{
    const gr_tensor t = gr_reshape(gr_transpose(a, 0, 1), GR_SHAPE(2, -1)); /* copies first */
    const gr_tensor back = gr_slice(gr_slice(t, 1, -1, GR_SLICE_DEFAULT, -2), 0, 1, 2, 1);
    const gr_tensor row = gr_select(b, 0, 1), wide = gr_expand(gr_unsqueeze(row, 0), GR_SHAPE(3, -1));
    return gr_concat(2,
                     (gr_tensor[]){gr_reshape(back, GR_SHAPE(-1)),
                                   gr_squeeze(gr_reshape(wide, GR_SHAPE(1, -1)), GR_ALL_AXES)},
                     0);
}

static gr_tensor products(gr_tensor a, gr_tensor b)
{
    const gr_tensor p = gr_matmul(a, gr_transpose(b, 0, 1));
    return gr_matmul(gr_softmax(p, 0), gr_add(gr_log_softmax(gr_transpose(p, 0, 1), 1), p));
}

static gr_tensor choices(gr_tensor a, gr_tensor b)
{
    gr_graph *g = a.graph;
    const gr_tensor index = gr_constant(g, GR_I32, GR_SHAPE(2, 2), (int32_t[]){0, 3, 1, 1});
    const gr_tensor picked = gr_index_select(a, 1, gr_select(index, 0, 0));
    const gr_tensor mask = gr_greater(gr_detach(a), gr_zeros(g, gr_type_of(a), GR_SCALAR));
    const gr_tensor w = gr_where(mask, gr_exp(a), gr_mul(b, b));
    const gr_tensor taken = gr_gather(gr_slice(w, 0, 0, 2, 1), 1, index);
    return gr_concat(
        3,
        (gr_tensor[]){
            gr_max(w, GR_AXES(0), true), gr_max(a, GR_AXES(0), true),
            gr_reshape(gr_concat(2, (gr_tensor[]){taken, gr_slice(picked, 0, 1, 3, 1)}, 0), GR_SHAPE(-1, 4))},
        0);
}

static gr_tensor functions(gr_tensor a, gr_tensor b)
{
    const gr_tensor c = gr_add_scalar(gr_abs(a), 0.5);
    const gr_tensor d = gr_mul(gr_pow(c, b), gr_log1p(gr_sqrt(c)));
    const gr_tensor e = gr_maximum(gr_sigmoid(d), gr_minimum(gr_softplus(b), gr_tanh(a)));
    return gr_logsumexp(gr_sum_to(gr_pow_scalar(e, 3), GR_SHAPE(1, 4)), GR_AXES(0), false);
}

static gr_tensor gradients(gr_tensor a, gr_tensor b)
{
    return gr_derivative(total(gr_mul(functions(a, b), gr_sum(b, GR_AXES(0), false))), a);
}

static gr_tensor gradients_of_choices(gr_tensor a, gr_tensor b)
{
    return gr_derivative(total(gr_square(gr_add(choices(a, b), gr_sin(choices(a, b))))), a);
}

/* Elements inside a record are copied by views, so that a transposed matrix of f32 is contiguous and can be
   reshaped as it is; its shadow, of twice the bytes, is not. */
static gr_tensor small_views(gr_tensor a, gr_tensor b)
{
    const gr_tensor turned = gr_transpose(gr_exp(a), 0, 1);
    CHECK(gr_is_contiguous(turned) == (gr_type_of(a) == GR_F32));
    return gr_div(gr_reshape(turned, GR_SHAPE(2, 6)), gr_reshape(gr_cos(b), GR_SHAPE(2, 6)));
}

static gr_tensor through_casts(gr_tensor a, gr_tensor b)
{
    return gr_exp(gr_cast(gr_mul(gr_cast(a, GR_F64), gr_cast(b, GR_F64)), GR_F64));
}

static void compare_with_f64(model *f, const char *name)
{
    gr_graph *g = gr_graph_create(NULL);
    float a[12], b[12];
    double wide_a[12], wide_b[12];
    for (int i = 0; i < 12; i++) {
        wide_a[i] = a[i] = (float)sin(1.3 * i + 0.1);
        wide_b[i] = b[i] = (float)cos(0.7 * i);
    }
    const gr_shape shape = GR_SHAPE(3, 4);
    const gr_tensor y = f(gr_param(g, "a", GR_F32, shape, a), gr_param(g, "b", GR_F32, shape, b));
    const gr_tensor exact = f(gr_param(g, "A", GR_F64, shape, wide_a),
                              gr_param(g, "B", GR_F64, shape, wide_b));
    CHECK(gr_count(y) == gr_count(exact) && gr_count(y) > 2);
    /* Each element by itself, so that none hides behind another. */
    for (int64_t i = 0; i < gr_count(y) && gr_graph_status(g) == GR_OK; i++) {
        const gr_tensor element = gr_select(gr_reshape(y, GR_SHAPE(-1)), 0, i);
        const gr_precision_report r = shadow(element, NULL);
        CHECK_NEAR(r.result.exact, GR_AT(gr_reshape(exact, GR_SHAPE(-1)), i),
                   4 * DBL_EPSILON * fabs(r.result.exact));
        CHECK(r.result.value == gr_item(element) && r.restarted == 0 && r.in_f32 == 0);
    }
    if (gr_graph_status(g) != GR_OK) printf("    %s\n", name);
    finish(g);
}

static void test_against_f64(void)
{
    compare_with_f64(views, "views");
    compare_with_f64(products, "products");
    compare_with_f64(choices, "choices");
    compare_with_f64(functions, "functions");
    compare_with_f64(gradients, "gradients");
    compare_with_f64(gradients_of_choices, "gradients of choices");
    compare_with_f64(small_views, "small views");
    compare_with_f64(through_casts, "casts");
}

static void test_random_and_network_against_f64(void)
{
    gr_graph *g = gr_graph_create(NULL), *wide = gr_graph_create(NULL);
    const gr_precision_report r = shadow(network(g, GR_F32), NULL);
    /* Not the same numbers: f32 leaves are rounded. But nearly. */
    CHECK_NEAR(r.result.exact, gr_item(network(wide, GR_F64)), 1e-6);
    finish(wide);
    finish(g);
}

/* ---- Types ---- */

static void test_casts(void)
{
    gr_graph *g = gr_graph_create(NULL);
    /* An intended rounding is in the shadow, too. */
    const double third = 1.0 / 3;
    const gr_tensor wide = gr_param(g, "wide", GR_F64, GR_SCALAR, &third);
    gr_precision_report r = shadow(gr_cast(wide, GR_F32), NULL);
    CHECK(r.result.error == 0 && r.result.exact == (double)(float)third && r.losing == 0);
    CHECK(r.result.operands[0].digits == r.result.left);

    /* Digits lost in f64 on what came from f32. */
    const gr_tensor x = gr_cast(gr_exp(variable(g, "x", 1)), GR_F64);
    r = shadow(gr_add_scalar(x, -2.718281), NULL);
    CHECK(r.losing == 1 && r.rows[0].type == GR_F64 && r.rows[0].lost > 5);
    CHECK_NEAR(r.result.exact, exp(1) - 2.718281, 1e-15);
    finish(g);
}

static gr_status twice_infer(const gr_call *c, gr_layout *out)
{
    if (c->in[0]->type != GR_F32) return gr_call_fail(c, GR_ERR_TYPE, "is for f32 only", NULL);
    return gr_infer_like(c, out, 0);
}
static bool twice_fails;
static gr_status twice_forward(const gr_call *c)
{
    if (twice_fails) return gr_call_fail(c, GR_ERR_CALLBACK, "does not want to", NULL);
    for (int64_t i = 0; i < c->out->count; i++)
        ((float *)c->out->data)[i] = 2 * ((const float *)c->in[0]->data)[i];
    return GR_OK;
}
static gr_tensor twice_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)c, (void)i;
    return gr_scale(gy, 2);
}
static const gr_op twice_op = {
    .name = "twice", .arity = 1, .infer = twice_infer, .forward = twice_forward, .vjp = twice_vjp};

static void test_primitive_for_f32_only(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_param(g, "x", GR_F32, GR_SHAPE(2), (float[]){1.5f, 3});
    const gr_tensor big = gr_add_scalar(gr_transpose(gr_reshape(x, GR_SHAPE(1, 2)), 0, 1), 1e8);
    const gr_tensor y = gr_add_scalar(gr_apply(g, &twice_op, 1, &big, NULL), -2e8);
    gr_precision_report r = shadow(y, NULL);
    CHECK(r.operations == 5 && r.in_f32 == 1 && r.restarted == 0);
    CHECK(r.losing == 0 && r.result.exact == r.result.value); /* its shadow is rounded */
    CHECK_TEXT(text, "refused f64: 1 of the operations; without a shadow of their own: 0");
    const gr_tensor small = gr_apply(g, &twice_op, 1, &x, NULL);
    r = shadow(gr_add_scalar(gr_add_scalar(small, 1e8), -1e8), NULL);
    CHECK(r.in_f32 == 1 && r.result.exact == 3 && r.losing == 1);

    twice_fails = true;
    const gr_tensor doubled = gr_scale(small, 3);
    r = shadow(doubled, NULL);
    twice_fails = false;
    CHECK(r.in_f32 == 0 && r.restarted == 1 && r.result.exact == 9);
    CHECK_TEXT(text, "refused f64: 1 of the operations; without a shadow of their own: 1");
    finish(g);
}

/* x, in f32 cut off to eighths; in f64 a scalar, if asked for. */
static gr_status rough_infer(const gr_call *c, gr_layout *out)
{
    const gr_status status = gr_infer_like(c, out, 0);
    if (*(const int32_t *)c->attributes && out->type == GR_F64) out->ndim = 0;
    return status;
}
static gr_status rough_forward(const gr_call *c)
{
    for (int64_t i = 0; i < c->out->count; i++)
        if (c->out->type == GR_F32)
            ((float *)c->out->data)[i] = (float)floor(8 * (double)((const float *)c->in[0]->data)[i]) / 8;
        else
            ((double *)c->out->data)[i] = ((const double *)c->in[0]->data)[i];
    return GR_OK;
}
static const gr_op rough_op = {.name = "rough",
                               .arity = 1,
                               .attribute_bytes = sizeof(int32_t),
                               .infer = rough_infer,
                               .forward = rough_forward,
                               .vjp = twice_vjp};

static void test_loss_made_here(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_param(g, "x", GR_F32, GR_SHAPE(3), (float[]){1.0625f, 2, 3}), e = gr_exp(x);
    const int32_t no = 0, yes = 1;
    gr_precision_report r = shadow(gr_apply(g, &rough_op, 1, &x, &no), NULL);
    CHECK(r.losing == 1 && r.rows[0].made == r.rows[0].error && r.rows[0].inherited == 0);
    CHECK_NEAR(r.rows[0].error, 0.0625 / 3, 1e-15);
    CHECK(r.rows[0].index[0] == 0 && r.rows[0].value == 1 && r.rows[0].exact == 1.0625);
    CHECK_TEXT(text, "made here");
    r = shadow(gr_apply(g, &rough_op, 1, &e, &no), NULL);
    CHECK(r.losing == 1 && r.rows[0].made > 1000 * r.rows[0].inherited && r.rows[0].inherited > 0);
    r = shadow(gr_apply(g, &rough_op, 1, &e, &yes), NULL); /* another shape in f64, so done in f32 */
    CHECK(r.losing == 0 && r.in_f32 == 1);
    finish(g);
}

/* ---- Shapes ---- */

static void test_expanded_takes_no_memory(void)
{
    ledger books = {0};
    gr_graph *g = ledger_graph(&books, (size_t)1 << 20);
    const gr_tensor x = variable(g, "x", 3);
    const gr_tensor huge = gr_expand(gr_exp(x), GR_SHAPE(1000, 1000000, 1000));
    const gr_tensor y = gr_select(gr_select(gr_select(huge, 0, 7), 0, 8), 0, 9);
    const gr_precision_report r = shadow(y, NULL);
    CHECK(r.operations > 3 && r.result.exact == exp(3));
    CHECK(shadow(huge, NULL).result.exact == exp(3));
    finish(g);
    CHECK(ledger_balances(&books));
}

/* Constants that lie in all ways: converted with their strides, since views of them were made by those. */
static void test_strided_constants(void)
{
    gr_graph *g = gr_graph_create(NULL);
    float values[60];
    for (int i = 0; i < 60; i++) values[i] = (float)(i * i % 23);
    const gr_tensor c = gr_constant(g, GR_F32, GR_SHAPE(5, 12), values);
    const gr_tensor reversed = gr_slice(gr_transpose(c, 0, 1), 0, GR_SLICE_DEFAULT, GR_SLICE_DEFAULT, -3);
    const gr_tensor wide = gr_expand(gr_slice(gr_select(c, 0, 4), 0, 10, 5, -1), GR_SHAPE(4, 5));
    CHECK(!gr_is_contiguous(reversed) && !gr_is_contiguous(wide));
    const gr_tensor p = gr_param(g, "p", GR_F32, GR_SHAPE(4, 5), values);
    const gr_tensor y = gr_matmul(gr_add(gr_mul(p, reversed), wide), gr_transpose(reversed, 0, 1));
    for (int i = 0; i < 16; i++) { /* integers: exact in f32, too */
        const gr_precision_report r = shadow(gr_select(gr_select(y, 0, i / 4), 0, i % 4), NULL);
        double expected = 0;
        for (int k = 0; k < 5; k++) {
            const double left = (double)values[i / 4 * 5 + k] * (double)values[k * 12 + 11 - 3 * (i / 4)];
            expected += (left + (double)values[48 + 10 - k]) * (double)values[k * 12 + 11 - 3 * (i % 4)];
        }
        CHECK(r.result.exact == expected && r.result.value == expected && r.result.error == 0);
    }
    finish(g);
}

static void test_empty_and_scalar(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor none = gr_param(g, "none", GR_F32, GR_SHAPE(0, 3), NULL);
    gr_precision_report r = shadow(gr_exp(gr_transpose(none, 0, 1)), NULL);
    CHECK(r.operations == 2 && r.result.error == 0 && r.losing == 0);
    CHECK_NEAR(r.result.left, ALL_DIGITS, 1e-12);
    r = shadow(gr_add_scalar(total(none), 3), NULL);
    CHECK(r.result.value == 3 && r.result.exact == 3);
    r = shadow(mean(none), NULL);
    CHECK(isnan(r.result.value) && isnan(r.result.exact) && r.result.broken == 0 && r.losing == 0);
    r = shadow(gr_exp(variable(g, "x", 1)), NULL);
    CHECK(r.result.ndim == 0 && r.result.exact == exp(1) && r.result.left > 7);
    finish(g);
}

static void test_many_operands(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor parts[20];
    const gr_tensor x = gr_param(g, "x", GR_F32, GR_SHAPE(1), (float[]){0.1f});
    for (int i = 0; i < 20; i++) parts[i] = i % 2 ? x : gr_scale(x, i);
    const gr_precision_report r = shadow(gr_concat(20, parts, 0), NULL);
    CHECK(r.operations == 11 && r.result.n_operands == 20 && r.result.index[0] < 20);
    CHECK(r.result.operands[2].position == 2 && r.result.operands[3].position == 0);
    const gr_precision_report same = shadow(gr_mul(x, x), NULL); /* one operand, used twice */
    CHECK(same.operations == 1 && same.result.exact == (double)0.1f * (double)0.1f);
    finish(g);
}

static void *long_chain(void *argument)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor y = variable(g, "x", 1);
    for (int i = 0; i < LONG_CHAIN; i++) y = gr_add_scalar(y, 1e-4);
    gr_precision_report *r = argument;
    CHECK(gr_precision_shadow(1, &y, NULL, r) == GR_OK);
    CHECK(gr_precision_table(r, text, sizeof text) < sizeof text);
    CHECK_NEAR(r->result.exact, 11, 1e-9);
    CHECK(r->result.value == gr_item(y));
    finish(g);
    return NULL;
}

static void test_long_chain_on_a_small_stack(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    static gr_precision_report r;
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, SMALL_STACK) == 0);
    CHECK(pthread_create(&thread, &attributes, long_chain, &r) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    pthread_attr_destroy(&attributes);
    CHECK(r.operations == LONG_CHAIN);
    CHECK(r.result.left > 3 && r.result.left < 6);
}

/* ---- Options ---- */

static void test_by_elements(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_param(g, "x", GR_F32, GR_SHAPE(3), (float[]){0.001f, 1, 1000});
    const gr_tensor y = gr_add_scalar(gr_add_scalar(x, 100), -100);
    CHECK(shadow(y, NULL).losing == 0); /* 1000 keeps all its digits */
    gr_precision_report r = shadow(y, &(gr_precision_options){.elementwise = true});
    CHECK(r.elementwise && r.losing == 1 && r.rows[0].index[0] == 0 && r.rows[0].position == 2);
    CHECK_NEAR(r.rows[0].left, digits(r.rows[0].value, r.rows[0].exact), 1e-12);
    CHECK(r.rows[0].lost > 3.5);
    CHECK_TEXT(text, "digits left, by elements\n");

    /* What picks the element is to blame, unless elements are measured; then what made it. */
    const gr_tensor picked = gr_slice(y, 0, 0, 1, 1);
    r = shadow(picked, NULL);
    CHECK(r.losing == 1 && is_op(&r, 0, "slice") && r.rows[0].made == 0);
    r = shadow(picked, &(gr_precision_options){.elementwise = true});
    CHECK(r.losing == 1 && is_op(&r, 0, "add_scalar"));

    /* What is smaller than 1 counts as 0. */
    r = shadow(picked, &(gr_precision_options){.tiny = 1});
    CHECK(r.losing == 0 && r.result.left > 5);
    r = shadow(picked, &(gr_precision_options){.elementwise = true, .tiny = 1});
    CHECK(r.losing == 0 && r.result.left > 5);
    finish(g);
}

static void test_number_of_rows(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor losers[20];
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "x%d", i);
        const double big = i % 2 ? 1e8 : 1e4;
        losers[i] = gr_add_scalar(gr_add_scalar(variable(g, name, 1.1), big), -big);
    }
    gr_precision_report r;
    CHECK(gr_precision_shadow(20, losers, NULL, &r) == GR_OK);
    CHECK(r.operations == 40 && r.losing == 20 && r.n_rows == 10);
    for (int i = 0; i < 10; i++) CHECK(r.rows[i].position == 4 + 4 * i && r.rows[i].lost > 7);
    CHECK(r.result.left == 0 && r.result.position == 4);
    gr_precision_table(&r, text, sizeof text);
    CHECK_TEXT(text, "  and 10 more that lost 1 digit or more\n");
    CHECK(gr_precision_shadow(20, losers, &(gr_precision_options){.rows = 16, .least = 2}, &r) == GR_OK);
    CHECK(r.n_rows == 16 && r.rows[10].position == 2 && r.rows[15].position == 22 && r.rows[15].lost < 5);
    CHECK(gr_precision_shadow(20, losers, &(gr_precision_options){.rows = 1, .least = 5}, &r) == GR_OK);
    CHECK(r.n_rows == 1 && r.losing == 10 && r.least == 5);
    /* Positions depend on what is below the root alone. */
    CHECK(shadow(losers[19], NULL).rows[0].position == 2);
    finish(g);
}

/* ---- The text ---- */

static void test_golden_table(void)
{
    static const char expected[] =
        "precision shadow of 5 operations: 0.0 of 7.2 digits left\n"
        "  result: #5 concat [3], at [2] f32 inf, f64 5.5751863e+42\n"
        "  lost  left  at  operation            result  element  f32  f64            error      operands\n"
        "   7.2   0.0  #4  mul [steep]          [1]     [0]      inf  5.5751863e+42  infinite   #3 scale "
        "7.2, "
        "\xC3\xBC"
        "ber\n"
        "   7.2   0.0  #2  sub the small again  [2]     [1]      0    2.25           magnified  #1 add 7.2, "
        "offset\n";
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_param(g, "x", GR_F32, GR_SHAPE(2), (float[]){1.5f, 2.25f});
    const gr_tensor offset = gr_param(g, "offset", GR_F32, GR_SCALAR, (float[]){134217728});
    const gr_tensor small = gr_named(gr_sub(gr_add(x, offset), offset), "the small again");
    const gr_tensor u = gr_param(g,
                                 "\xC3\xBC"
                                 "ber",
                                 GR_F32, GR_SHAPE(1), (float[]){0x1p66f});
    const gr_tensor steep = gr_named(gr_mul(gr_scale(u, 0x1p10), u), "[steep]");
    (void)shadow(gr_concat(2, (gr_tensor[]){small, steep}, 0), NULL);
    CHECK(!strcmp(text, expected));
    if (strcmp(text, expected)) puts(text);
    finish(g);
}

/* The example of docs/precision.md, with the table that stands there. */
static void test_documented_table(void)
{
    /* clang-format off */
    static const char expected[] =
        "precision shadow of 8 operations: 0.7 of 7.2 digits left\n"
        "  result: #8 mul [6], at [3] f32 1.237371, f64 1.5232725\n"
        "  lost  left  at  operation     result  element  f32          f64          error      operands\n"
        "   6.7   0.3  #5  sub variance  []      []       1.25         0.82473864   magnified  #3 mean of squares 7.2, #4 square of mean 7.0\n"
        "   2.9   4.4  #7  sub           [6]     [0]      -0.81665039  -0.81671143  magnified  heights, #1 mean 7.2\n";
    /* clang-format on */
    gr_graph *g = gr_graph_create(NULL);
    const float heights[] = {1734.2f, 1735.9f, 1733.8f, 1736.4f, 1735.1f, 1734.7f};
    const gr_tensor x = gr_param(g, "heights", GR_F32, GR_SHAPE(6), heights);
    const gr_tensor m = gr_named(mean(x), "mean"), s = gr_named(mean(gr_square(x)), "mean of squares");
    const gr_tensor variance = gr_named(gr_sub(s, gr_named(gr_square(m), "square of mean")), "variance");
    const gr_tensor power = gr_pow_scalar(variance, -0.5), deviation = gr_sub(x, m);
    (void)shadow(gr_mul(deviation, power), NULL);
    CHECK(!strcmp(text, expected));
    if (strcmp(text, expected)) puts(text);
    finish(g);
}

/* Any names and shapes: the table stays a table, and has room enough. */
static void test_table_of_strange_things(void)
{
    gr_graph *g = gr_graph_create(NULL);
    char name[64];
    gr_tensor losers[16];
    for (int i = 0; i < 16; i++) {
        snprintf(name, sizeof name,
                 "%d\n\t\x7f\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC"
                 "\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC",
                 10 + i);
        const float x = 0.1f;
        const gr_tensor p = gr_param(g, name, GR_F32, GR_SHAPE(1, 1, 1, 1, 1, 1, 1, 1), &x);
        const gr_shape wide = GR_SHAPE(10, 100, 10, 10, 100, 10, 10, 1);
        const gr_tensor big = gr_named(gr_add_scalar(p, 1e8 + i), name);
        losers[i] = gr_expand(gr_named(gr_sub(big, gr_add_scalar(gr_scale(p, -1), 1e8)), name), wide);
    }
    gr_precision_report r;
    CHECK(gr_precision_shadow(16, losers, &(gr_precision_options){.rows = 16, .least = 0.1}, &r) == GR_OK);
    CHECK(r.n_rows == 16);
    const size_t length = gr_precision_table(&r, text, sizeof text);
    CHECK(length < sizeof text && length == strlen(text));
    CHECK(!strstr(text, "\t") && !strstr(text, "\x7f"));
    CHECK_TEXT(text, "10???\xE2\x82\xAC\xE2\x82\xAC");
    CHECK(strlen(r.rows[0].name) == 29); /* 5 and 8 of 3 bytes: none is cut in two */
    int lines = 0;
    for (const char *c = text; *c; c++) lines += *c == '\n';
    CHECK(lines >= 19 && lines <= 20);

    char small[100];
    memset(small, 'x', sizeof small);
    CHECK(gr_precision_table(&r, small, 40) == length && strlen(small) == 39 && small[40] == 'x');
    CHECK(!strncmp(small, text, 39));
    CHECK(gr_precision_table(&r, NULL, 0) == length);
    CHECK(gr_precision_table(NULL, small, 40) == 0 && small[0] == '\0');
    gr_precision_table(&(gr_precision_report){.operations = 0}, small, sizeof small);
    CHECK(!strcmp(small, "precision shadow: not made\n"));
    finish(g);
}

/* The same text for any number of threads, kernels and what else is in the graph. */
static void test_deterministic(void)
{
    char first[sizeof text];
    for (int i = 0; i < 3; i++) {
        gr_graph *g = gr_graph_create(&(gr_graph_options){.threads = 1 + i});
        const gr_tensor x = gr_param(g, "x", GR_F32, GR_SHAPE(300, 300), NULL);
        float *values = gr_data_for_writing(x);
        for (int k = 0; k < 90000; k++) values[k] = (float)sin(k);
        for (int k = 0; k < 10 * i; k++) gr_exp(x);
        const gr_tensor y = gr_add_scalar(gr_add_scalar(gr_sub(gr_exp(x), gr_exp(x)), 1000), -999);
        for (int k = 0; k < 10 * i; k++) gr_exp(x);
        const gr_scope scope = gr_scope_begin(g);
        shadow(gr_sub(y, gr_mean(y, GR_AXES(0), true)), &(gr_precision_options){.least = 0.001});
        gr_scope_end(scope, 0, NULL);
        if (i == 0) memcpy(first, text, sizeof text);
        CHECK(!strcmp(first, text));
        finish(g);
    }
}

/* ---- Nothing is changed ---- */

static void test_nothing_is_changed(void)
{
    ledger books = {0};
    gr_graph *g = ledger_graph(&books, 0), *untouched = gr_graph_create(NULL);
    const gr_tensor loss = network(g, GR_F32), other = network(untouched, GR_F32);
    gr_precision_report r;
    CHECK(gr_precision_shadow(1, &loss, NULL, &r) == GR_OK); /* arena and tables have grown */
    gr_graph_trim(g);
    const size_t used = gr_graph_memory(g).used, blocks = books.blocks, bytes = books.bytes;
    const gr_rng_state rng = gr_rng_get(g);
    CHECK(gr_precision_shadow(1, &loss, NULL, &r) == GR_OK);
    gr_graph_trim(g);
    CHECK(gr_graph_memory(g).used == used && books.blocks == blocks && books.bytes == bytes);
    CHECK(gr_rng_get(g).seed == rng.seed && gr_rng_get(g).counter == rng.counter && gr_is_recording(g));
    gr_no_grad_begin(g);
    CHECK(gr_precision_shadow(1, &loss, NULL, &r) == GR_OK && !gr_is_recording(g));
    gr_no_grad_end(g);
    CHECK(gr_is_recording(g));
    for (int i = 0; i < gr_param_count(g); i++) CHECK(!gr_has_gradient(gr_param_at(g, i)));
    CHECK(gr_exp(loss).index == gr_exp(other).index); /* no slot is left taken */
    CHECK(gr_backward(loss) == GR_OK && gr_backward(other) == GR_OK);
    for (int i = 0; i < gr_param_count(g); i++) {
        const gr_tensor a = gr_gradient(gr_param_at(g, i)), b = gr_gradient(gr_param_at(untouched, i));
        CHECK(!memcmp(gr_data(a), gr_data(b), (size_t)gr_count(a) * sizeof(float)));
    }
    gr_graph_destroy(untouched);
    finish(g);
    CHECK(ledger_balances(&books));
}

/* Shadows go after their last use: a chain of large tensors needs the memory of a few. */
static void test_memory_of_a_chain(void)
{
    enum { SIZE = 10000, STEPS = 200 };
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_param(g, "x", GR_F32, GR_SHAPE(SIZE), NULL);
    gr_tensor y = x;
    for (int i = 0; i < STEPS; i++) y = gr_tanh(gr_add(y, x));
    const size_t before = gr_graph_memory(g).used;
    gr_graph_reset_memory_peak(g);
    shadow(y, NULL);
    CHECK(gr_graph_memory(g).used_peak - before < 8 * SIZE * 8);
    finish(g);
}

/* ---- Errors ---- */

static void expect(gr_graph *g, gr_tensor root, const gr_precision_options *o, gr_status status,
                   const char *part)
{
    gr_precision_report r;
    memset(&r, 0xFF, sizeof r);
    const size_t used = gr_graph_memory(g).used;
    CHECK(gr_precision_shadow(1, &root, o, &r) == status);
    CHECK(gr_graph_status(g) == status);
    CHECK_TEXT(gr_graph_error(g), part);
    CHECK(r.operations == 0 && r.n_rows == 0 && r.result.op == NULL && r.least == 0);
    CHECK(gr_graph_memory(g).used == used);
    CHECK(gr_precision_shadow(1, &root, NULL, &r) == status); /* refuses while it is pending */
    CHECK_TEXT(gr_graph_error(g), part);
    gr_graph_clear_error(g);
}

/* Anomaly mode is for what is computed, not for what is computed again to be compared. */
static void test_anomaly_mode(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = variable(g, "x", 0), y = gr_exp(gr_log(x)); /* of -infinity */
    const gr_precision_report before = shadow(y, NULL);
    CHECK(before.operations == 2 && before.in_f32 == 0 && before.restarted == 0);
    gr_anomaly_begin(g, NULL);
    const gr_precision_report r = shadow(y, NULL);
    CHECK(r.operations == 2 && r.in_f32 == 0 && r.restarted == 0 && r.result.exact == 0);
    gr_log(x); /* it is on still */
    CHECK(gr_graph_status(g) == GR_ERR_NOT_FINITE);
    gr_graph_clear_error(g);
    finish(g);
}

static void test_arguments(void)
{
    gr_graph *g = gr_graph_create(NULL), *other = gr_graph_create(NULL);
    const gr_tensor x = variable(g, "x", 2), y = gr_exp(x), foreign = gr_exp(variable(other, "x", 1));
    gr_precision_report r;
    CHECK(gr_precision_shadow(1, NULL, NULL, &r) == GR_ERR_HANDLE);
    CHECK(gr_precision_shadow(0, &y, NULL, &r) == GR_ERR_HANDLE);
    CHECK(gr_precision_shadow(-1, &y, NULL, &r) == GR_ERR_HANDLE);
    CHECK(gr_precision_shadow(1, &(gr_tensor){NULL, 0, 0}, NULL, NULL) == GR_ERR_HANDLE);
    CHECK(gr_graph_status(g) == GR_OK);
    CHECK(gr_precision_shadow(1, &y, NULL, NULL) == GR_ERR_ARGUMENT);
    CHECK_TEXT(gr_graph_error(g), "precision_shadow: NULL for the report");
    gr_graph_clear_error(g);
    CHECK(gr_precision_shadow(2, (gr_tensor[]){y, foreign}, NULL, &r) == GR_ERR_GRAPH);
    CHECK_TEXT(gr_graph_error(g), "root 2 belongs to another graph");
    gr_graph_clear_error(g);
    CHECK(gr_precision_shadow(2, (gr_tensor[]){y, {NULL, 0, 0}}, NULL, &r) == GR_ERR_HANDLE);
    CHECK_TEXT(gr_graph_error(g), "root 2 is an invalid handle");
    gr_graph_clear_error(g);
    expect(g, (gr_tensor){g, 0, 0}, NULL, GR_ERR_HANDLE, "precision_shadow: invalid handle");
    expect(g, y, &(gr_precision_options){.rows = -1}, GR_ERR_ARGUMENT, "-1 rows; 1 to 16");
    expect(g, y, &(gr_precision_options){.rows = 17}, GR_ERR_ARGUMENT, "17 rows");
    expect(g, y, &(gr_precision_options){.least = -1}, GR_ERR_ARGUMENT, "least -1, tiny 0");
    expect(g, y, &(gr_precision_options){.least = (double)NAN}, GR_ERR_ARGUMENT, "least nan");
    expect(g, y, &(gr_precision_options){.tiny = (double)INFINITY}, GR_ERR_ARGUMENT, "tiny inf");
    const gr_scope scope = gr_scope_begin(g);
    const gr_tensor gone = gr_exp(y);
    gr_scope_end(scope, 0, NULL);
    expect(g, gone, NULL, GR_ERR_STALE, "precision_shadow: stale handle");
    expect(g, x, NULL, GR_ERR_NO_HISTORY, "precision_shadow: x [] was not recorded");
    expect(g, gr_detach(y), NULL, GR_ERR_NO_HISTORY, "detach [] was not recorded");
    CHECK(gr_precision_shadow(3, (gr_tensor[]){y, y, y}, NULL, &r) == GR_OK && r.operations == 1);
    finish(other);
    finish(g);
}

static void test_history_that_is_gone(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = variable(g, "x", 2), y = gr_exp(x), z = gr_add_scalar(gr_square(y), 1);
    CHECK(gr_backward_with(z, &(gr_backward_options){.retain = true}) == GR_OK);
    CHECK(shadow(z, NULL).operations == 3);
    CHECK(gr_backward(y) == GR_OK);
    expect(g, z, NULL, GR_ERR_HISTORY_RELEASED,
           "the history of exp [] was released by an earlier backward pass");

    const gr_tensor v = gr_named(gr_mul(x, gr_scale(x, 3)), "v");
    CHECK(gr_write(x, &(float){5}, 1) == GR_OK);
    expect(g, gr_exp(v), NULL, GR_ERR_MODIFIED, "x [] was written between its use in v [] and this pass");
    const gr_tensor c = gr_constant(g, GR_F32, GR_SCALAR, NULL), w = gr_mul(x, c);
    CHECK(gr_release(c) == GR_OK);
    expect(g, w, NULL, GR_ERR_STALE, "operand 2 of mul [] was released after its use");

    const gr_tensor wide = gr_param(g, "wide", GR_F64, GR_SHAPE(2), NULL);
    expect(g, gr_mul(gr_exp(wide), wide), NULL, GR_ERR_TYPE, "nothing below the roots is f32");
    CHECK(shadow(gr_mul(wide, gr_cast(x, GR_F64)), NULL).operations == 2);
    finish(g);
}

int main(void)
{
    RUN(test_absorption);
    RUN(test_one_minus_cosine);
    RUN(test_variance);
    RUN(test_overflow);
    RUN(test_underflow_and_nan);
    RUN(test_long_sum);
    RUN(test_quadratic);
    RUN(test_sound_network);
    RUN(test_gradient_that_loses);
    RUN(test_against_f64);
    RUN(test_random_and_network_against_f64);
    RUN(test_casts);
    RUN(test_primitive_for_f32_only);
    RUN(test_loss_made_here);
    RUN(test_expanded_takes_no_memory);
    RUN(test_strided_constants);
    RUN(test_empty_and_scalar);
    RUN(test_many_operands);
    RUN(test_long_chain_on_a_small_stack);
    RUN(test_by_elements);
    RUN(test_number_of_rows);
    RUN(test_golden_table);
    RUN(test_documented_table);
    RUN(test_table_of_strange_things);
    RUN(test_deterministic);
    RUN(test_nothing_is_changed);
    RUN(test_memory_of_a_chain);
    RUN(test_anomaly_mode);
    RUN(test_arguments);
    RUN(test_history_that_is_gone);
    return TEST_EXIT;
}
