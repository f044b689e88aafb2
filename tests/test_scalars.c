/*
 * The graph of single numbers behind a tensor graph: its nodes, edges, names and symbols, whatever primitive made
 * them; that nothing in the graph changes.
 */
#include <gradus.h>
#include "draw/scalars.h"
#include "test.h"

#include <stdlib.h>

enum { DUMP_BYTES = 1 << 15 };

typedef struct dump {
    char text[DUMP_BYTES];
    size_t length;
} dump;

static bool write_dump(const char *text, size_t length, void *user)
{
    dump *d = user;
    if (d->length + length >= DUMP_BYTES) return false;
    memcpy(d->text + d->length, text, length);
    d->length += length;
    d->text[d->length] = '\0';
    return true;
}

static void put_number(gri_text *t, double x)
{
    char number[GRI_NUMBER_BYTES];
    gri_number(number, x, 6, false);
    gri_text_put(t, number);
}

/* "y = 0.5: x 0.25 = h(1 - h), b 1" and so on, a line for each node that has edges. */
static const char *dump_of(const gri_scalars *s)
{
    static dump d;
    static gri_text t;
    d.length = 0;
    d.text[0] = '\0';
    gri_text_begin(&t, write_dump, &d, true);
    for (uint32_t i = 0; i < s->n_nodes; i++) {
        const gri_scalar *node = &s->node[i];
        if (node->n_edges == 0) continue;
        gri_put_scalar(&t, s, i, GRI_PLAIN);
        gri_text_put(&t, " = ");
        put_number(&t, node->value);
        for (uint32_t k = 0; k < node->n_edges; k++) {
            const gri_scalar_edge *e = &s->edge[node->first_edge + k];
            gri_text_put(&t, k ? ", " : ": ");
            gri_put_scalar(&t, s, e->to, GRI_PLAIN);
            gri_text_put(&t, " ");
            put_number(&t, e->partial);
            if (gri_has_symbol(s, e)) gri_text_put(&t, " = ");
            if (gri_has_symbol(s, e)) gri_put_symbol(&t, s, e, GRI_PLAIN);
        }
        gri_text_put(&t, "\n");
    }
    CHECK(gri_text_end(&t));
    return d.text;
}

static const char *dump_graph(gr_tensor root, int64_t element, const gri_scalars_options *options)
{
    gri_scalars s;
    const gri_scalars_options defaults = {.only_named = false};
    const gr_status status = gri_scalars_build(&s, "test", root, element, options ? options : &defaults);
    CHECK(status == GR_OK);
    if (status != GR_OK) return gr_graph_error(root.graph);
    const char *text = dump_of(&s);
    gri_scalars_free(&s);
    return text;
}

static void check_dump(const char *text, const char *expected)
{
    CHECK(strcmp(text, expected) == 0);
    if (strcmp(text, expected) != 0) printf("%s: is\n%s", test_name, text);
}

/* ---- Structure ---- */

static gr_tensor scalar(gr_graph *g, const char *name, double x)
{
    return gr_param(g, name, GR_F64, GR_SCALAR, &x);
}

static void test_zero_is_an_edge(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_named(gr_constant(g, GR_F64, GR_SCALAR, (double[]){0}), "x"),
                    w = scalar(g, "w", -2);
    const gr_tensor y = gr_named(gr_relu(gr_named(gr_mul(w, x), "z")), "y");
    check_dump(dump_graph(y, 0, NULL), "z = 0: w 0 = x, x -2 = w\ny = 0: z 0\n");
    const gr_tensor dead = gr_named(gr_mul(gr_named(gr_relu(w), "r"), x), "d");
    check_dump(dump_graph(dead, 0, NULL), "r = 0: w 0\nd = 0: r 0 = x, x 0 = r\n");
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

static void test_two_places_two_edges(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = scalar(g, "a", 3), y = gr_named(gr_mul(a, a), "y");
    check_dump(dump_graph(y, 0, NULL), "y = 9: a 3 = a, a 3 = a\n");
    check_dump(dump_graph(y, 0, &(gri_scalars_options){.only_named = true}), "y = 9: a 6 = 2 a\n");
    gr_graph_destroy(g);
}

static void test_copies_are_no_nodes(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(2, 3), (double[]){1, 2, 3, 4, 5, 6});
    const gr_tensor v = gr_reshape(gr_transpose(w, 0, 1), GR_SHAPE(6)); /* 1 4 2 5 3 6 */
    const gr_tensor row = gr_slice(v, 0, 1, 4, 2);                      /* 4 5 */
    const gr_tensor wide = gr_expand(gr_reshape(row, GR_SHAPE(2, 1)), GR_SHAPE(2, 2));
    const gr_tensor y = gr_named(gr_sum(wide, GR_ALL_AXES, false), "y");
    check_dump(dump_graph(y, 0, NULL), "y = 18: w[1,0] 1, w[1,0] 1, w[1,1] 1, w[1,1] 1\n");
    gri_scalars s;
    CHECK(gri_scalars_build(&s, "test", y, 0, &(gri_scalars_options){.only_named = false}) == GR_OK);
    CHECK(s.n_nodes == 3);
    CHECK(gri_scalars_find(&s, row, 1) == gri_scalars_find(&s, w, 4));
    CHECK(gri_scalars_find(&s, w, 0) == GRI_NO_SCALAR);
    CHECK_NEAR(s.node[gri_scalars_find(&s, w, 3)].adjoint, 2, 0);
    gri_scalars_free(&s);
    gr_graph_destroy(g);
}

static void test_selection_is_seen(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_param(g, "x", GR_F64, GR_SHAPE(3), (double[]){1, 3, 2});
    const gr_tensor i = gr_constant(g, GR_I32, GR_SHAPE(1), (int32_t[]){2});
    check_dump(dump_graph(gr_named(gr_max(x, GR_ALL_AXES, false), "m"), 0, NULL),
               "m = 3: x[0] 0, x[1] 1, x[2] 0\n");
    /* an index stays what it is: the other elements have no part in it */
    check_dump(dump_graph(gr_named(gr_sum(gr_index_select(x, 0, i), GR_ALL_AXES, false), "p"), 0, NULL), "");
    gr_graph_destroy(g);
}

/* Both sides of 0 are looked at, wherever the operand is. */
static void test_one_side_is_no_copy(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = scalar(g, "a", 2), b = scalar(g, "b", 1);
    check_dump(dump_graph(gr_named(gr_relu(a), "y"), 0, NULL), "y = 2: a 1\n");
    check_dump(dump_graph(gr_named(gr_abs(a), "y"), 0, NULL), "y = 2: a 1\n");
    check_dump(dump_graph(gr_named(gr_maximum(a, b), "y"), 0, NULL), "y = 2: a 1, b 0\n");
    const gr_tensor many = gr_param(g, "m", GR_F32, GR_SHAPE(12), NULL);
    gr_write(many, (float[12]){7, 8, 9}, 12);
    gri_scalars s;
    const gri_scalars_options defaults = {.only_named = false};
    CHECK(gri_scalars_build(&s, "test", gr_max(many, GR_ALL_AXES, false), 0, &defaults) == GR_OK);
    CHECK(s.n_edges == 12 && s.node[s.root].value == 9);
    gri_scalars_free(&s);
    CHECK(gri_scalars_build(&s, "test", gr_neg(gr_max(gr_neg(many), GR_ALL_AXES, false)), 0, &defaults) ==
          GR_OK);
    CHECK(s.n_edges == 12 + 12 + 1);
    gri_scalars_free(&s);
    gr_graph_destroy(g);
}

/* ---- Symbols ---- */

/* Of two numbers the difference is written out, if that is all there is to it. */
static void test_sums_in_symbols(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor t = scalar(g, "t", 2), o = scalar(g, "o", -4);
    const gri_scalars_options named = {.only_named = true};
    check_dump(dump_graph(gr_named(gr_square(gr_sub(t, o)), "y"), 0, &named),
               "y = 36: t 12 = 2 (t - o), o -12 = -2 (t - o)\n");
    check_dump(dump_graph(gr_named(gr_scale(gr_square(gr_sub(t, o)), 0.5), "y"), 0, &named),
               "y = 18: t 6 = (t - o), o -6 = (o - t)\n");
    check_dump(dump_graph(gr_named(gr_square(gr_add(t, o)), "y"), 0, &named),
               "y = 4: t -4 = 2 (t + o), o -4 = 2 (t + o)\n");
    check_dump(dump_graph(gr_named(gr_square(gr_add_scalar(gr_sub(t, o), 1)), "y"), 0, &named),
               "y = 49: t 14, o -14\n");
    gr_graph_destroy(g);
}

static void test_symbols(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = scalar(g, "a", 2), b = scalar(g, "b", -4);
    check_dump(dump_graph(gr_named(gr_div(a, b), "y"), 0, NULL),
               "y = -0.5: a -0.25 = 1/b, b -0.125 = -y/b\n");
    check_dump(dump_graph(gr_named(gr_sub(a, b), "y"), 0, NULL), "y = 6: a 1, b -1\n");
    check_dump(dump_graph(gr_named(gr_square(b), "y"), 0, NULL), "y = 16: b -8 = 2 b\n");
    check_dump(dump_graph(gr_named(gr_exp(a), "y"), 0, NULL), "y = 7.38906: a 7.38906 = y\n");
    check_dump(dump_graph(gr_named(gr_log(a), "y"), 0, NULL), "y = 0.693147: a 0.5 = 1/a\n");
    check_dump(dump_graph(gr_named(gr_sqrt(a), "y"), 0, NULL), "y = 1.41421: a 0.353553 = 1/(2 y)\n");
    check_dump(dump_graph(gr_named(gr_tanh(a), "y"), 0, NULL), "y = 0.964028: a 0.0706508 = (1 - y^2)\n");
    check_dump(dump_graph(gr_named(gr_sigmoid(a), "y"), 0, NULL), "y = 0.880797: a 0.104994 = y(1 - y)\n");
    check_dump(dump_graph(gr_named(gr_sin(a), "y"), 0, NULL), "y = 0.909297: a -0.416147 = cos a\n");
    check_dump(dump_graph(gr_named(gr_scale(a, 3), "y"), 0, NULL), "y = 6: a 3\n");
    gr_graph_destroy(g);
}

/* ---- Names ---- */

static void test_names(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = gr_param(g, "W", GR_F64, GR_SHAPE(2, 2), (double[]){1, 2, 3, 4});
    const gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(1, 2), (double[]){5, 6});
    const gr_tensor y = gr_matmul(gr_matmul(x, w), w);
    check_dump(
        dump_graph(y, 1, NULL),
        "matmul1[0,0] = 23: constant1[0,0] 1 = W[0,0], constant1[0,1] 3 = W[1,0], W[0,0] 5, W[1,0] 6\n"
        "matmul1[0,1] = 34: constant1[0,0] 2 = W[0,1], constant1[0,1] 4 = W[1,1], W[0,1] 5, W[1,1] 6\n"
        "matmul2[0,1] = 182: matmul1[0,0] 2 = W[0,1], matmul1[0,1] 4 = W[1,1], W[0,1] 23 = matmul1[0,0], "
        "W[1,1] 34 = matmul1[0,1]\n");
    const gr_element_names lists[] = {{w, "w11 w12  w21\tw22 more"}, {x, "- x2"}};
    const gri_scalars_options named = {.names = {.lists = lists, .n_lists = 2}, .only_named = true};
    check_dump(dump_graph(y, 1, &named),
               "matmul2[0,1] = 182: x2 22, w11 10 = 5 w12, w21 12, w12 43, w22 58\n");
    gr_graph_destroy(g);
}

static void check_name(const char *name, gri_flavour flavour, const char *expected)
{
    static dump d;
    static gri_text t;
    d.length = 0;
    d.text[0] = '\0';
    gri_text_begin(&t, write_dump, &d, true);
    gri_put_name(&t, name, flavour);
    CHECK(gri_text_end(&t) && strcmp(d.text, expected) == 0);
    if (strcmp(d.text, expected) != 0) printf("%s: %s is %s\n", test_name, name, d.text);
}

static void test_names_for_latex(void)
{
    check_name("w1", GRI_LATEX, "w_{1}");
    check_name("net_h1", GRI_LATEX, "\\mathrm{net}_{h1}");
    check_name("delta", GRI_LATEX, "\\delta ");
    check_name("delta_2", GRI_LATEX, "\\delta _{2}");
    check_name("δ3", GRI_LATEX, "\\delta _{3}");
    check_name("W[0,1]", GRI_LATEX, "W_{0,1}");
    check_name("fc1.weight[2]", GRI_LATEX, "\\mathrm{fc}1.\\mathrm{weight}_{2}");
    check_name("w1_2", GRI_LATEX, "w_{1,2}");
    check_name("a_b_c", GRI_LATEX, "a_{b,c}");
    check_name("a__b_", GRI_LATEX, "a_{b}");
    check_name("_", GRI_LATEX, "\\_");
    check_name("5%&$#{}\\^~", GRI_LATEX, "5\\%\\&\\$\\#\\{\\}\\backslash \\hat{\\ }\\sim ");
    check_name("权", GRI_LATEX, "\\mathrm{U{+}6743}");
    check_name("a\n\xff", GRI_LATEX, "a?\\mathrm{U{+}00FF}");
    check_name("权\n\xffw", GRI_PLAIN, "???w");
    check_name("w\u202Eb", GRI_PLAIN, "w?b");
    check_name("<w>", GRI_LABEL, "&#60;w&#62;");
}

/* Of tensors that share a name each has a number; unnamed ones are counted by operation. */
static void test_numbers_behind_names(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor h = scalar(g, "w", 0.5);
    for (int i = 0; i < 3; i++) h = gr_named(gr_tanh(gr_mul(h, h)), "h");
    check_dump(dump_graph(gr_named(gr_neg(h), "y"), 0, NULL),
               "mul1 = 0.25: w 0.5 = w, w 0.5 = w\n"
               "h#1 = 0.244919: mul1 0.940015 = (1 - h#1^2)\n"
               "mul2 = 0.0599852: h#1 0.244919 = h#1, h#1 0.244919 = h#1\n"
               "h#2 = 0.0599133: mul2 0.99641 = (1 - h#2^2)\n"
               "mul3 = 0.0035896: h#2 0.0599133 = h#2, h#2 0.0599133 = h#2\n"
               "h#3 = 0.00358959: mul3 0.999987 = (1 - h#3^2)\n"
               "y = -0.00358959: h#3 -1\n");
    check_name("h#2[0]", GRI_LATEX, "h\\#2_{0}");
    gr_graph_destroy(g);
}

/* ---- Formulas ---- */

static const char *formula_of(gr_tensor y, int64_t element, bool only_named, bool ascii)
{
    static dump d;
    static gri_text t;
    gri_scalars s;
    d.length = 0;
    d.text[0] = '\0';
    CHECK(gri_scalars_build(&s, "test", y, element, &(gri_scalars_options){.only_named = only_named}) ==
          GR_OK);
    gri_text_begin(&t, write_dump, &d, ascii);
    gri_put_formula(&t, &s, s.root, 6, GRI_PLAIN);
    CHECK(gri_text_end(&t));
    CHECK(gri_formula_columns(&s, s.root, 6, true) >= (ascii ? (int)d.length : 0));
    gri_scalars_free(&s);
    return d.text;
}

static void check_formula(gr_tensor y, const char *expected)
{
    const char *formula = formula_of(y, 0, true, true);
    CHECK(strcmp(formula, expected) == 0);
    if (strcmp(formula, expected) != 0) printf("%s: is %s, not %s\n", test_name, formula, expected);
}

static void test_formulas(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = scalar(g, "a", 3), b = scalar(g, "b", -0.5), c = scalar(g, "c", 2);
    const gr_tensor x = gr_named(gr_constant(g, GR_F64, GR_SHAPE(1, 3), (double[]){1, 2, 3}), "x");
    const gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(3, 1), (double[]){0.1, 0.2, 0.3});
    check_formula(gr_add(gr_mul(a, b), c), "a * b + c");
    check_formula(gr_matmul(x, w), "x[0,0] * w[0,0] + x[0,1] * w[1,0] + x[0,2] * w[2,0]");
    check_formula(gr_scale(gr_square(gr_sub(a, b)), 0.5), "0.5 * (a - b)^2");
    CHECK(!strcmp(formula_of(gr_scale(gr_square(gr_sub(a, b)), 0.5), 0, true, false), "½ (a − b)²"));
    check_formula(gr_neg(gr_square(gr_sub(a, b))), "-(a - b)^2");
    check_formula(gr_square(a), "a^2");
    check_formula(gr_mul(a, a), "a^2");
    check_formula(gr_scale(gr_mul(a, a), 3), "3 * a^2");
    check_formula(gr_sub(gr_neg(a), b), "-a - b");
    check_formula(gr_add_scalar(gr_scale(a, 0.25), -0.1), "0.25 * a - 0.1");
    check_formula(gr_mul(a, gr_scalar(g, GR_F64, -4)), "-4 * a");
    CHECK(!strcmp(formula_of(gr_mul(a, gr_scalar(g, GR_F64, -4)), 0, false, true), "a * (-4)"));
    check_formula(gr_sub(gr_mul(a, b), gr_mul(a, b)), "");
    check_formula(gr_exp(b), "exp(b)");
    check_formula(gr_div(a, b), "div(a, b)");
    check_formula(gr_maximum(a, b), "maximum(a, b)");
    check_formula(gr_relu(gr_scalar(g, GR_F64, -4)), ""); /* a leaf: nothing was recorded */
    check_formula(gr_exp(gr_mul(a, b)), "");              /* of two operations, which are no polynomial */
    CHECK(!strcmp(formula_of(gr_exp(gr_mul(a, b)), 0, false, true), "exp(mul1)"));
    check_formula(gr_square(gr_add(a, b)), ""); /* no term of ours */
    check_formula(gr_mul(gr_mul(a, b), c), ""); /* the third degree */
    check_formula(gr_abs(a), "abs(a)");         /* linear on one side only */
    const gr_tensor many = gr_param(g, "m", GR_F64, GR_SHAPE(20), NULL);
    check_formula(gr_sum(many, GR_ALL_AXES, false),
                  "sum(m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8], m[9], m[10], m[11], ...)");
    const gr_tensor f = gr_param(g, "f", GR_F32, GR_SHAPE(2), (float[]){0.1f, 0.7f});
    check_formula(gr_sum(gr_mul(f, f), GR_ALL_AXES, false), "f[0]^2 + f[1]^2");
    const gr_tensor nan = scalar(g, "n", NAN);
    check_formula(gr_add(nan, a), "add(n, a)");
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* ---- Numbers ---- */

static void test_figures(void)
{
    static const struct {
        double value;
        int digits;
        bool sign;
        gri_origin origin;
        const char *expected;
    } rows[] = {
        {0.17551, 6, false, GRI_COMPUTED, "0.175510"},
        {0.17551, 6, false, GRI_GIVEN_F64, "0.17551"},
        {0.17551, 4, false, GRI_GIVEN_F64, "0.1755"},
        {0.4, 6, true, GRI_GIVEN_F64, "+0.4"},
        {0.4, 17, false, GRI_GIVEN_F64, "0.4"},
        {(double)0.4f, 6, false, GRI_GIVEN_F32, "0.4"},
        {(double)0.4f, 17, false, GRI_GIVEN_F32, "0.4"},
        {(double)0.4f, 6, false, GRI_GIVEN_F64, "0.400000"}, /* which it is not */
        {0.1 + 0.2, 6, false, GRI_GIVEN_F64, "0.300000"},
        {1, 6, true, GRI_COMPUTED, "+1"},
        {-3, 1, false, GRI_COMPUTED, "-3"},
        {100000, 6, false, GRI_GIVEN_F64, "100000"},
        {123456.4, 6, false, GRI_COMPUTED, "123456"},
        {123456.4, 1, false, GRI_COMPUTED, "1e+05"},
        {1e20, 6, false, GRI_COMPUTED, "1.00000e+20"},
        {1e20, 6, false, GRI_GIVEN_F64, "1e+20"},
        {1e-5, 3, false, GRI_COMPUTED, "1.00e-05"},
        {1e-5, 3, false, GRI_GIVEN_F64, "1e-05"},
        {0.99999999, 6, false, GRI_COMPUTED, "1.00000"},
        {0.25, 1, false, GRI_COMPUTED, "0.2"},
        {0, 6, true, GRI_COMPUTED, "0"},
        {-0.0, 6, true, GRI_GIVEN_F64, "0"},
        {INFINITY, 6, true, GRI_COMPUTED, "+inf"},
        {-INFINITY, 6, false, GRI_GIVEN_F64, "-inf"},
        {NAN, 6, true, GRI_COMPUTED, "nan"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char to[GRI_NUMBER_BYTES];
        const int length = gri_figure(to, rows[i].value, rows[i].digits, rows[i].sign, rows[i].origin);
        CHECK(!strcmp(to, rows[i].expected) && length == (int)strlen(to));
        if (strcmp(to, rows[i].expected) != 0) printf("%s: is %s, not %s\n", test_name, to, rows[i].expected);
    }
}

/* ---- What must not happen ---- */

static void test_refusals(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(100, 100), NULL), v = scalar(g, "v", 1);
    const gr_tensor y = gr_named(gr_sum(w, GR_ALL_AXES, false), "y"), z = gr_mul(v, v);
    gri_scalars s;
    CHECK(gri_scalars_build(&s, "paths", y, 0, &(gri_scalars_options){.only_named = false}) == GR_ERR_LIMIT);
    CHECK_TEXT(gr_graph_error(g),
               "paths: y [] was made of 10001 numbers, the limit is 4096: raise it, or look");
    gr_graph_clear_error(g);
    CHECK(gri_scalars_build(&s, "paths", y, 0, &(gri_scalars_options){.limits = {20000, 9999, false}}) ==
          GR_ERR_LIMIT);
    CHECK_TEXT(gr_graph_error(g), "more than 9999 partial derivatives");
    gr_graph_clear_error(g);
    CHECK(gri_scalars_build(&s, "paths", y, 1, &(gri_scalars_options){.only_named = false}) == GR_ERR_INDEX);
    gr_graph_clear_error(g);
    gr_write(v, (double[]){2}, 1);
    CHECK(gri_scalars_build(&s, "paths", z, 0, &(gri_scalars_options){.only_named = false}) ==
          GR_ERR_MODIFIED);
    CHECK_TEXT(gr_graph_error(g), "paths: v [] was written since its use in");
    gr_graph_destroy(g);
}

static void test_nothing_changes(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(3), (double[]){1, -2, 3});
    gr_anomaly_begin(g, NULL);
    const gr_tensor y = gr_log(gr_sum(gr_square(w), GR_ALL_AXES, false));
    const gr_rng_state rng = gr_rng_get(g);
    const size_t used = gr_graph_memory(g).used;
    for (int pass = 0; pass < 2; pass++) { /* the second one over a history that was released */
        const size_t before = gr_graph_memory(g).used;
        CHECK_TEXT(dump_graph(y, 0, NULL), "log1 = 2.63906: sum1 0.0714286 = 1/sum1");
        CHECK(gr_graph_memory(g).used == before);
        if (pass == 0) CHECK(gr_backward(y) == GR_OK);
    }
    CHECK(gr_graph_memory(g).used > used && gr_is_recording(g));
    CHECK(gr_rng_get(g).counter == rng.counter && gr_graph_status(g) == GR_OK);
    CHECK_NEAR(GR_AT(gr_gradient(w), 1), -4.0 / 14, 1e-15);
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_zero_is_an_edge);
    RUN(test_two_places_two_edges);
    RUN(test_copies_are_no_nodes);
    RUN(test_selection_is_seen);
    RUN(test_one_side_is_no_copy);
    RUN(test_sums_in_symbols);
    RUN(test_symbols);
    RUN(test_names);
    RUN(test_names_for_latex);
    RUN(test_numbers_behind_names);
    RUN(test_formulas);
    RUN(test_figures);
    RUN(test_refusals);
    RUN(test_nothing_changes);
    return TEST_EXIT;
}
