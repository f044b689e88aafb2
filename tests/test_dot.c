/*
 * Drawings: their text byte for byte, and what they must survive. What is written to drawings/ is rendered by
 * the test dot_renders.
 */
#include <gradus.h>
#include "test.h"
#include "drawing.h"

#include <locale.h>
#include <stdlib.h>
#include <sys/stat.h>

static gr_tensor scalar_param(gr_graph *g, const char *name, double value)
{
    return gr_param(g, name, GR_F64, GR_SCALAR, &value);
}

/* ---- Golden texts ---- */

static gr_tensor network(gr_graph *g)
{
    const gr_tensor w1 = gr_param(g, "W1", GR_F64, GR_SHAPE(2, 2), (double[]){0.15, 0.25, 0.2, 0.3});
    const gr_tensor b1 = gr_param(g, "b1", GR_F64, GR_SHAPE(2), (double[]){0.35, 0.35});
    const gr_tensor w2 = gr_param(g, "W2", GR_F64, GR_SHAPE(2, 1), (double[]){0.4, -0.45});
    const gr_tensor b2 = gr_param(g, "b2", GR_F64, GR_SHAPE(1), (double[]){0.6});
    const gr_tensor x = gr_named(gr_constant(g, GR_F64, GR_SHAPE(1, 2), (double[]){0.05, 0.1}), "x");
    const gr_tensor t = gr_named(gr_constant(g, GR_F64, GR_SHAPE(1, 1), (double[]){0.01}), "t");
    const gr_tensor h = gr_named(gr_sigmoid(gr_add(gr_matmul(x, w1), b1)), "h");
    const gr_tensor o = gr_named(gr_sigmoid(gr_add(gr_matmul(gr_retain_grad(h), w2), b2)), "o");
    return gr_named(gr_scale(gr_sum(gr_square(gr_sub(o, t)), GR_ALL_AXES, false), 0.5), "E");
}

static void test_golden(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor e = network(g);
    check_golden(e, "network_before", NULL);
    CHECK(gr_backward(e) == GR_OK);
    const gr_dot_options options = {.title = "2-2-1 network", .legend = true};
    check_golden(e, "network_after", &options);
    const gr_dot_options ascii = {.ascii = true, .digits = 3, .direction = GR_DOT_TOP_TO_BOTTOM};
    check_golden(e, "network_ascii", &ascii);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* The same graph after much else: other indices, reused places. */
static void test_same_text_whatever_was_before(void)
{
    gr_graph *a = gr_graph_create(NULL), *b = gr_graph_create(NULL);
    gr_tensor junk[20];
    for (int i = 0; i < 20; i++) junk[i] = gr_constant(b, GR_F64, GR_SHAPE(3), NULL);
    for (int i = 0; i < 20; i += 3) gr_release(junk[i]);
    gr_tensor other = scalar_param(b, "other", 1); /* recorded, but not drawn */
    for (int i = 0; i < 100; i++) other = gr_exp(gr_mul(other, gr_sum(junk[1], GR_ALL_AXES, false)));
    char *first = text_of(network(a), NULL), *second = text_of(network(b), NULL);
    CHECK(first && second && strcmp(first, second) == 0);
    CHECK(gr_graph_status(a) == GR_OK && gr_graph_status(b) == GR_OK);
    free(first);
    free(second);
    gr_graph_destroy(a);
    gr_graph_destroy(b);
}

/* ---- What is drawn ---- */

static void test_one_arrow_per_place(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = scalar_param(g, "a", 3);
    const gr_tensor first = gr_mul(a, a), second = gr_mul(a, a), sum = gr_add(a, second); /* n1, n2, n3 */
    const gr_tensor y = gr_div(first, sum);
    char *text = text_of(y, NULL);
    CHECK(count_of(text, "n0 -> n1;") == 2);
    CHECK(count_of(text, "n1 -> n4 [headlabel=\"1\"];") == 1);
    CHECK(count_of(text, "n3 -> n4 [headlabel=\"2\"];") == 1);
    CHECK(count_of(text, " -> ") == 8);
    CHECK(count_of(text, "[label=<") == 5);
    CHECK(count_of(text, "peripheries=2") == 1);
    CHECK_TEXT(line_of(text, "n4"), "peripheries=2");
    CHECK(gr_dot_write_file(y, DRAWINGS "/shared.dot", NULL) == GR_OK);
    free(text);
    gr_graph_destroy(g);
}

static void test_roles(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor p = scalar_param(g, "p", 2), frozen = scalar_param(g, "frozen", 3);
    gr_set_requires_grad(frozen, false);
    const gr_tensor data = gr_named(gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){1, 2}), "data");
    const gr_tensor watched = gr_named(gr_constant(g, GR_F64, GR_SHAPE(2), (double[]){3, 4}), "watched");
    gr_set_requires_grad(watched, true);
    gr_no_grad_begin(g);
    const gr_tensor quiet = gr_named(gr_exp(p), "quiet");
    gr_no_grad_end(g);
    const gr_tensor inner = gr_retain_grad(gr_mul(p, data));                   /* n2 = n0 n1 */
    const gr_tensor y = gr_add(gr_mul(gr_add(inner, watched), frozen), quiet); /* n8 */
    char *text = text_of(y, NULL);
    CHECK_TEXT(line_of(text, "n0"), "<B>p </B>= 2</TD></TR><TR><TD><I>gradient</I>: not computed");
    CHECK_TEXT(line_of(text, "n0"), "style=filled, penwidth=3");
    CHECK_TEXT(line_of(text, "n1"), "shape=ellipse, style=filled, fill");
    CHECK(!strstr(line_of(text, "n1"), "gradient"));
    CHECK_TEXT(line_of(text, "n2"), "<I>gradient</I>: not computed");
    CHECK_TEXT(line_of(text, "n2"), "penwidth=2");
    CHECK_TEXT(line_of(text, "n3"), "<B>watched</B>");
    CHECK_TEXT(line_of(text, "n3"), "<I>gradient</I>: not computed");
    CHECK_TEXT(line_of(text, "n3"), "shape=ellipse, style=filled, penwidth=3");
    CHECK(!strstr(line_of(text, "n4"), "gradient"));
    CHECK_TEXT(line_of(text, "n5"), "<B>frozen </B>");
    CHECK_TEXT(line_of(text, "n5"), "style=\"filled,dashed\", penwidth=3");
    CHECK(!strstr(line_of(text, "n5"), "gradient"));
    CHECK_TEXT(line_of(text, "n7"), "<B>quiet </B>= exp");
    CHECK_TEXT(line_of(text, "n7"), "shape=ellipse, style=\"filled,dashed\"");
    CHECK(count_of(text, "-> n7") == 0);
    CHECK(count_of(text, "shape=record") == 0);
    CHECK_TEXT(text, "n0 -> n2;");
    CHECK_TEXT(text, "n1 -> n2 [color=\"#999999\", penwidth=0.8];");
    free(text);
    CHECK(gr_dot_write_file(y, DRAWINGS "/roles.dot", NULL) == GR_OK);

    CHECK(gr_backward_with(y, &(gr_backward_options){.cotangent = gr_constant(g, GR_F64, GR_SHAPE(2),
                                                                              (double[]){1, -1})}) == GR_OK);
    text = text_of(y, NULL);
    CHECK_TEXT(line_of(text, "n0"), "<I>gradient </I>−3<"); /* 3 (1 - 2) */
    CHECK_TEXT(line_of(text, "n2"), "<I>gradient</I><BR/><FONT FACE=\"Courier\">+3&#160;&#160;−3<");
    CHECK(count_of(text, "not computed") == 0);
    free(text);
    text = text_of(y, &(gr_dot_options){.hide_gradients = true, .hide_values = true});
    CHECK(count_of(text, "gradient<") == 0 && count_of(text, "Courier") == 0 &&
          count_of(text, "<B>p</B><") == 1);
    free(text);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

static void test_changed_and_released(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = scalar_param(g, "a", 1), b = scalar_param(g, "b", 2);
    const gr_tensor y = gr_sub(a, b);
    CHECK(gr_write(a, (double[]){5}, 1) == GR_OK);
    char *text = text_of(y, NULL);
    CHECK_TEXT(text, "n0 -> n2 [headlabel=\"1\", style=dashed, label=\"changed since\"];");
    CHECK_TEXT(text, "n1 -> n2 [headlabel=\"2\"];");
    free(text);
    CHECK(gr_release(b) == GR_OK);
    scalar_param(g, "in the place of b", 3);
    text = text_of(y, NULL);
    CHECK(count_of(text, "in the place") == 0);
    CHECK_TEXT(text, "n1_2 [label=\"released\", shape=ellipse, style=dotted];");
    CHECK_TEXT(text, "n1_2 -> n1 [headlabel=\"2\", color");
    free(text);
    CHECK(gr_dot_write_file(y, DRAWINGS "/released.dot", NULL) == GR_OK);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

#define X(CODE) "&#92;&#92;x" CODE

static void test_hostile_names(void)
{
    static const char *const names[] = {"\"quoted\" \\N \\G \\",
                                        "<b>&amp;</b>",
                                        "line\nbreak\ttab\x01\x7f",
                                        "\xff\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80",
                                        "\xef\xbf\xbf \xc2\x85 \xe2\x82",
                                        "σ ∂ 梯度 😀",
                                        "]>; } --> -->",
                                        "%s %n %d"};
    static const char *const expected[] = {
        "<B>&#34;quoted&#34; &#92;&#92;N &#92;&#92;G &#92;&#92; </B>",
        "<B>&#60;b&#62;&#38;amp;&#60;/b&#62; </B>",
        "<B>line&#92;&#92;x0Abreak&#92;&#92;x09tab&#92;&#92;x01&#92;&#92;x7F </B>",
        "<B>" X("FF") X("C0") X("AF") X("ED") X("A0") X("80") X("F4") X("90") X("80") X("80") " </B>",
        "<B>" X("EF") X("BF") X("BF") " " X("C2") X("85") " " X("E2") X("82") " </B>",
        "<B>σ ∂ 梯度 😀 </B>",
        "<B>]&#62;; } --&#62; --&#62; </B>",
        "<B>%s %n %d </B>"};
    enum { N = sizeof names / sizeof *names };
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor sum = gr_scalar(g, GR_F64, 0);
    for (int i = 0; i < N; i++) sum = gr_add(sum, scalar_param(g, names[i], i));
    char huge[1000];
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    sum = gr_named(sum, huge);
    const gr_dot_options options = {.title = "two\n\"lines\" \\G <&>"},
                         ascii = {.ascii = true, .legend = true};
    char *text = text_of(sum, &options);
    for (int i = 0; i < N; i++) CHECK_TEXT(text, expected[i]);
    CHECK_TEXT(text, "<B>two<BR/>&#34;lines&#34; &#92;&#92;G &#60;&#38;&#62;</B>");
    CHECK_TEXT(text, "xxxx… </B>");
    CHECK(count_of(text, "x") < 500);
    free(text);
    text = text_of(sum, &ascii);
    CHECK_TEXT(text, "<B>&#963; &#8706; &#26799;&#24230; " X("F0") X("9F") X("98") X("80") " </B>");
    for (const char *c = text; c && *c; c++) CHECK(*c == '\n' || (*c >= ' ' && *c <= '~'));
    free(text);
    CHECK(gr_dot_write_file(sum, DRAWINGS "/hostile.dot", &options) == GR_OK);
    CHECK(gr_dot_write_file(sum, DRAWINGS "/hostile_ascii.dot", &ascii) == GR_OK);
    gr_graph_destroy(g);
}

/* ---- Values ---- */

static void check_label(gr_tensor t, const gr_dot_options *options, const char *part)
{
    char *text = text_of(t, options);
    CHECK_TEXT(line_of(text, "n0"), part);
    free(text);
}

#define ROWS "<TR><TD><FONT FACE=\"Courier\">"

static void test_values(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const double six[] = {1, -20, 300, 0.5, 1e-7, -1234567};
    const gr_tensor m = gr_constant(g, GR_F64, GR_SHAPE(2, 3), six);
    check_label(m, NULL,
                "constant <FONT POINT-SIZE=\"9\" COLOR=\"#555555\">2×3</FONT></TD></TR>" ROWS
                "&#160;&#160;&#160;&#160;&#160;&#160;&#160;&#160;&#160;&#160;&#160;1&#160;&#160;"
                "&#160;&#160;&#160;&#160;&#160;&#160;&#160;&#160;&#160;−20&#160;&#160;"
                "&#160;&#160;&#160;&#160;&#160;&#160;&#160;&#160;&#160;300<BR/>"
                "&#160;&#160;&#160;&#160;&#160;&#160;&#160;&#160;&#160;0.5&#160;&#160;"
                "&#160;&#160;&#160;&#160;&#160;&#160;&#160;1e−07&#160;&#160;−1.23457e+06</FONT>");
    /* Views are read by their strides: columns of m from the last to the first, as rows. */
    check_label(gr_slice(gr_transpose(m, 0, 1), 0, GR_SLICE_DEFAULT, GR_SLICE_DEFAULT, -2),
                &(gr_dot_options){.digits = 1},
                ROWS "&#160;3e+02&#160;&#160;−1e+06<BR/>"
                     "&#160;&#160;&#160;&#160;&#160;1&#160;&#160;&#160;&#160;&#160;0.5</FONT>");
    check_label(m, &(gr_dot_options){.max_elements = 5}, "<TR><TD>−1.235e+06 … 300</TD></TR>");
    check_label(m, &(gr_dot_options){.max_elements = -1}, "<TR><TD>−1.235e+06 … 300</TD></TR>");
    check_label(m, &(gr_dot_options){.max_elements = 5, .digits = 2, .ascii = true},
                "<TR><TD>-1.2e+06 ... 3e+02<");
    check_label(gr_full(g, GR_F32, GR_SHAPE(7), 0.25), NULL,
                "full <FONT POINT-SIZE=\"9\" COLOR=\"#555555\">[7]<");
    check_label(gr_full(g, GR_F32, GR_SHAPE(7), 0.25), NULL, "<TR><TD>all 0.25</TD></TR>");
    check_label(gr_zeros(g, GR_F64, GR_SHAPE(0, 3)), NULL,
                ">0×3</FONT></TD></TR><TR><TD>no elements</TD></TR></TABLE>>");
    check_label(gr_constant(g, GR_I32, GR_SHAPE(2), (int32_t[]){INT32_MIN, INT32_MAX}), NULL,
                ROWS "−2147483648&#160;&#160;&#160;2147483647</FONT>");
    check_label(gr_less(m, gr_scalar(g, GR_F64, 1)), NULL,
                ROWS "0&#160;&#160;1&#160;&#160;0<BR/>1&#160;&#160;1");
    check_label(gr_scalar(g, GR_F64, -0.0), NULL, "<TR><TD>0</TD></TR>");
    check_label(gr_mul(gr_scalar(g, GR_F64, 1.0 / 3), gr_scalar(g, GR_F64, 1)),
                &(gr_dot_options){.digits = 17}, "= 0.33333333333333331<");
    check_label(gr_scalar(g, GR_F64, -INFINITY), NULL, "<TR><TD>−inf</TD></TR>");
    check_label(gr_scalar(g, GR_F64, -(double)NAN), NULL, "<TR><TD>nan</TD></TR>");
    double wrong[10] = {1, 2, NAN, 4, INFINITY};
    check_label(gr_constant(g, GR_F64, GR_SHAPE(10), wrong), NULL, "<TR><TD>1 nan, others 0 … inf</TD></TR>");
    for (int i = 0; i < 10; i++) wrong[i] = i < 7 ? NAN : -2;
    check_label(gr_constant(g, GR_F64, GR_SHAPE(10), wrong), NULL, "<TR><TD>7 nan, others −2</TD></TR>");
    for (int i = 0; i < 10; i++) wrong[i] = NAN;
    check_label(gr_constant(g, GR_F64, GR_SHAPE(10), wrong), NULL, "<TR><TD>all nan</TD></TR>");
    const gr_tensor nothing = gr_param(g, "nothing", GR_F64, GR_SHAPE(0), NULL);
    gr_backward(gr_sum(nothing, GR_ALL_AXES, false));
    check_label(nothing, NULL, "[0]</FONT></TD></TR><TR><TD>no elements</TD></TR></TABLE>>");
    check_label(gr_constant(g, GR_F64, GR_SHAPE(2, 1, 2), six), NULL,
                ROWS "&#160;&#160;1&#160;&#160;−20<BR/>300&#160;");
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* ||g|| without overflow or underflow, and in the presence of what is no number. */
/* Of a long name the first 48 characters are shown. */
static void test_long_name(void)
{
    gr_graph *g = gr_graph_create(NULL);
    char name[65] = "", shown[65];
    memset(name, 'n', 64);
    snprintf(shown, sizeof shown, "<B>%.48s…</B>", name);
    check_label(gr_sum(gr_param(g, name, GR_F64, GR_SHAPE(2), NULL), GR_ALL_AXES, false), NULL, shown);
    gr_graph_destroy(g);
}

static void test_norm(void)
{
    static const struct {
        double factor;
        const char *label;
    } cases[] = {{3, "= 9.487<"}, {-1e200, "= 3.162e+200<"}, {1e-300, "= 3.162e−300<"},
                 {0, "= 0<"},     {NAN, "= nan<"},           {INFINITY, "= inf<"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gr_graph *g = gr_graph_create(NULL);
        const gr_tensor p = gr_param(g, "p", GR_F64, GR_SHAPE(5, 2), NULL);
        const gr_tensor y = gr_sum(gr_scale(p, cases[i].factor), GR_ALL_AXES, false);
        CHECK(gr_backward(y) == GR_OK);
        char label[64];
        snprintf(label, sizeof label, "<I>gradient </I>‖·‖ %s", cases[i].label);
        check_label(y, NULL, label);
        gr_graph_destroy(g);
    }
    gr_graph *g = gr_graph_create(NULL); /* of growing elements: 1 + 4 + ... + 100 = 385 */
    const gr_tensor p = gr_param(g, "p", GR_F64, GR_SHAPE(10), NULL), factor = gr_arange(g, GR_F64, 10, 1, 1);
    const gr_tensor y = gr_sum(gr_mul(p, factor), GR_ALL_AXES, false);
    CHECK(gr_backward(y) == GR_OK);
    check_label(y, NULL, "<I>gradient </I>‖·‖ = 19.62<");
    gr_graph_destroy(g);
}

static void test_point_in_any_locale(void)
{
    static const char *const locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "ps_AF.UTF-8", "de_DE"};
    gr_graph *g = gr_graph_create(NULL);
    for (size_t i = 0; i < sizeof locales / sizeof *locales; i++) {
        if (!setlocale(LC_NUMERIC, locales[i])) continue; /* most machines have few */
        check_label(gr_scalar(g, GR_F64, 0.5), NULL, "<TR><TD>0.5</TD></TR>");
    }
    setlocale(LC_NUMERIC, "C");
    check_label(gr_scalar(g, GR_F64, 0.5), NULL, "<TR><TD>0.5</TD></TR>");
    gr_graph_destroy(g);
}

static void test_leaf_as_root(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor p = scalar_param(g, "p", 1);
    char *text = text_of(p, NULL);
    CHECK(count_of(text, "[label=<") == 1 && count_of(text, "->") == 0);
    CHECK_TEXT(line_of(text, "n0"), "penwidth=3");
    CHECK_TEXT(line_of(text, "n0"), "peripheries=2");
    free(text);
    CHECK(gr_dot_write_file(p, DRAWINGS "/leaf.dot", NULL) == GR_OK);
    gr_exp(p);
    text = text_of(gr_ones(g, GR_F32, GR_SHAPE(2)), NULL);
    CHECK(count_of(text, "[label=<") == 1 && count_of(text, "->") == 0);
    free(text);
    gr_graph_destroy(g);
}

/* One training step of a classifier, as the main example has it. */
static void test_training_step(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor w[2], b[2];
    w[0] = gr_param(g, "fc1.weight", GR_F32, GR_SHAPE(8, 16), NULL);
    b[0] = gr_param(g, "fc1.bias", GR_F32, GR_SHAPE(16), NULL);
    w[1] = gr_param(g, "fc2.weight", GR_F32, GR_SHAPE(16, 10), NULL);
    b[1] = gr_param(g, "fc2.bias", GR_F32, GR_SHAPE(10), NULL);
    gr_assign(w[0], gr_normal(g, GR_F32, GR_SHAPE(8, 16), 0, 0.3));
    gr_assign(w[1], gr_normal(g, GR_F32, GR_SHAPE(16, 10), 0, 0.3));
    const gr_tensor x = gr_named(gr_uniform(g, GR_F32, GR_SHAPE(20, 8), 0, 1), "pixels");
    const gr_tensor labels = gr_named(gr_constant(g, GR_I32, GR_SHAPE(20, 1), NULL), "labels");
    const gr_tensor h = gr_relu(gr_add(gr_matmul(x, w[0]), b[0]));
    const gr_tensor logits = gr_named(gr_add(gr_matmul(h, w[1]), b[1]), "logits");
    const gr_tensor losses = gr_neg(gr_gather(gr_log_softmax(logits, 1), 1, labels));
    const gr_tensor loss = gr_named(gr_mean(losses, GR_ALL_AXES, false), "loss");
    CHECK(gr_backward(loss) == GR_OK);
    const gr_dot_options options = {.title = "One training step", .legend = true};
    char *text = text_of(loss, &options);
    CHECK(count_of(text, "<I>gradient </I>‖·‖ = ") == 4);
    CHECK(count_of(text, "[label=<") == 15);
    free(text);
    CHECK(gr_dot_write_file(loss, DRAWINGS "/training_step.dot", &options) == GR_OK);
    gr_graph_destroy(g);
}

/* ---- Primitives of users ---- */

static gr_status twice_infer(const gr_call *c, gr_layout *out) { return gr_infer_like(c, out, 0); }
static gr_status twice_forward(const gr_call *c)
{
    for (int64_t i = 0; i < c->out->count; i++)
        ((double *)c->out->data)[i] = 2 * ((const double *)c->in[0]->data)[i];
    return GR_OK;
}
static gr_tensor twice_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)c, (void)i;
    return gr_scale(gy, 2);
}

static void test_primitive_of_a_user(void)
{
    static const gr_op twice = {.name = "my <twice>",
                                .arity = 1,
                                .formula = "y = 2 \"x\" & x > 0",
                                .infer = twice_infer,
                                .forward = twice_forward,
                                .vjp = twice_vjp};
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor p = scalar_param(g, "p", 4), y = gr_apply(g, &twice, 1, &p, NULL);
    char *text = text_of(y, NULL);
    CHECK_TEXT(line_of(text, "n1"), "<TD>my &#60;twice&#62; = 8</TD>");
    CHECK_TEXT(line_of(text, "n1"), "tooltip=\"f64 []: y = 2 &#34;x&#34; &#38; x &#62; 0\"");
    free(text);
    CHECK(gr_dot_write_file(y, DRAWINGS "/user.dot", NULL) == GR_OK);
    gr_graph_destroy(g);
}

/* ---- Size ---- */

typedef struct tally {
    size_t bytes, lines, calls;
    size_t room; /* refuses what goes beyond; 0: takes all */
} tally;

static bool count_text(const char *text, size_t length, void *user)
{
    tally *t = user;
    t->calls++;
    t->bytes += length;
    for (size_t i = 0; i < length; i++) t->lines += text[i] == '\n';
    return t->room == 0 || t->bytes <= t->room;
}

static void test_deep(void)
{
    enum { DEPTH = 1000000, FRAME = 5 };
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor y = scalar_param(g, "x", 0.5);
    for (int i = 0; i < DEPTH; i++) y = gr_sin(y);
    tally t = {0, 0, 0, 0};
    CHECK(gr_dot_write(y, count_text, &t, NULL) == GR_OK);
    CHECK(t.lines == FRAME + (DEPTH + 1) + DEPTH);
    gr_graph_destroy(g);
}

/* ---- Errors ---- */

static void check_error(gr_graph *g, gr_status status, gr_status expected, const char *message)
{
    CHECK(status == expected);
    CHECK(gr_graph_status(g) == expected);
    CHECK_TEXT(gr_graph_error(g), message);
    gr_graph_clear_error(g);
}

static void test_bad_handles_and_options(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor p = scalar_param(g, "p", 1), y = gr_exp(p);
    tally t = {0, 0, 0, 0};
    check_error(g, gr_dot_write(y, NULL, NULL, NULL), GR_ERR_ARGUMENT, "dot: NULL for the writer");
    check_error(g, gr_dot_write_file(y, NULL, NULL), GR_ERR_ARGUMENT, "dot: no path");
    check_error(g, gr_dot_write_file(y, "", NULL), GR_ERR_ARGUMENT, "dot: no path");
    check_error(g, gr_dot_write_string(y, NULL, 1, NULL, NULL), GR_ERR_ARGUMENT, "dot: NULL");
    check_error(g, gr_dot_write(y, count_text, &t, &(gr_dot_options){.digits = 18}), GR_ERR_ARGUMENT,
                "18 digits");
    check_error(g, gr_dot_write(y, count_text, &t, &(gr_dot_options){.digits = -1}), GR_ERR_ARGUMENT,
                "-1 digits");
    check_error(g, gr_dot_write(y, count_text, &t, &(gr_dot_options){.direction = (gr_dot_direction)4}),
                GR_ERR_ARGUMENT, "4 is no direction");
    gr_graph_reset(g);
    check_error(g, gr_dot_write(y, count_text, &t, NULL), GR_ERR_STALE, "dot: stale handle");
    check_error(g, gr_dot_write_file(y, DRAWINGS "/stale.txt", NULL), GR_ERR_STALE, "dot: stale handle");
    check_error(g, gr_dot_write((gr_tensor){g, 0, 0}, count_text, &t, NULL), GR_ERR_HANDLE,
                "dot: invalid handle");
    CHECK(gr_dot_write(GR_NONE, count_text, &t, NULL) == GR_ERR_HANDLE);
    gr_graph_fail(g, GR_ERR_CALLBACK, "pending");
    check_error(g, gr_dot_write(p, count_text, &t, NULL), GR_ERR_CALLBACK, "pending");
    CHECK(t.calls == 0);
    CHECK(fopen(DRAWINGS "/stale.txt", "rb") == NULL);
    CHECK(gr_dot_write(p, count_text, &t, NULL) == GR_OK);
    gr_graph_destroy(g);
}

static void test_string(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor p = scalar_param(g, "p", 1);
    char *whole = text_of(p, NULL), part[11] = "##########";
    size_t length = 0;
    CHECK(gr_dot_write_string(p, part, 9, &length, NULL) == GR_OK);
    CHECK(whole && length == strlen(whole));
    CHECK(strcmp(part, "digraph ") == 0 && part[9] == '#');
    CHECK(gr_dot_write_string(p, part, 1, &length, NULL) == GR_OK && part[0] == '\0');
    part[0] = '#';
    CHECK(gr_dot_write_string(gr_exp((gr_tensor){g, 0, 0}), part, 9, &length, NULL) == GR_ERR_HANDLE);
    CHECK(length == 0 && part[0] == '\0');
    free(whole);
    gr_graph_destroy(g);
}

static void test_writer_that_refuses(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor y = scalar_param(g, "x", 0.5);
    for (int i = 0; i < 1000; i++) y = gr_sin(y);
    tally all = {0, 0, 0, 0};
    CHECK(gr_dot_write(y, count_text, &all, NULL) == GR_OK);
    CHECK(all.calls > 3);
    for (size_t room = 1; room < all.bytes; room += all.bytes / 7) {
        tally t = {0, 0, 0, room};
        check_error(g, gr_dot_write(y, count_text, &t, NULL), GR_ERR_IO,
                    "dot: the writer did not take the text");
        CHECK(t.bytes > room && t.bytes <= room + 4096); /* not called again */
    }
    gr_graph_destroy(g);
}

static void test_files_that_cannot_be_written(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor p = scalar_param(g, "p", 1);
    check_error(g, gr_dot_write_file(p, DRAWINGS "/no/such/place.dot", NULL), GR_ERR_IO,
                "dot: cannot open " DRAWINGS "/no/such/place.dot.part: No such file");
    check_error(g, gr_dot_write_file(p, DRAWINGS, NULL), GR_ERR_IO, "dot: cannot open " DRAWINGS ": ");
    /* What was there before stays. */
    const char *path = DRAWINGS "/old.dot";
    CHECK(gr_dot_write_file(p, path, NULL) == GR_OK);
    char *before = content_of(path);
    CHECK(mkdir(DRAWINGS "/old.dot.part", 0777) == 0);
    check_error(g, gr_dot_write_file(gr_exp(p), path, NULL), GR_ERR_IO, path);
    char *after = content_of(path);
    CHECK(before && after && strcmp(before, after) == 0);
    free(before);
    free(after);
    CHECK(remove(DRAWINGS "/old.dot.part") == 0);
    CHECK(gr_dot_write_file(gr_exp(p), path, NULL) == GR_OK);
    CHECK(fopen(DRAWINGS "/old.dot.part", "rb") == NULL);
    /* A device that is always full, where there is one, is written directly, and survives. */
    struct stat device;
    if (stat("/dev/full", &device) == 0) {
        check_error(g, gr_dot_write_file(p, "/dev/full", NULL), GR_ERR_IO, "dot: cannot write /dev/full: ");
        CHECK(stat("/dev/full", &device) == 0 && S_ISCHR(device.st_mode));
    }
    gr_graph_destroy(g);
}

/* An allocator that refuses from some call on. */
typedef struct meter {
    long left; /* calls that succeed; negative: all */
    size_t bytes;
} meter;

static void *metered_allocate(size_t bytes, void *user)
{
    meter *m = user;
    if (m->left == 0) return NULL;
    if (m->left > 0) m->left--;
    m->bytes += bytes;
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

static void metered_free(void *block, size_t bytes, void *user)
{
    ((meter *)user)->bytes -= bytes;
    free(block);
}

static void test_out_of_memory(void)
{
    int failed = 0;
    for (int to_file = 0; to_file < 2; to_file++) {
        meter m = {-1, 0};
        const gr_graph_options options = {.allocator = {metered_allocate, metered_free, &m}};
        gr_graph *g = gr_graph_create(&options);
        gr_tensor y = scalar_param(g, "x", 0.5);
        for (int i = 0; i < 3000; i++) y = gr_sin(y);
        gr_status status = GR_ERR_MEMORY;
        for (int calls = 0; status != GR_OK && calls < 10; calls++) {
            gr_graph_trim(g);
            const size_t used = gr_graph_memory(g).used;
            tally t = {0, 0, 0, 0};
            m.left = calls;
            status = to_file ? gr_dot_write_file(y, DRAWINGS "/memory.txt", NULL)
                             : gr_dot_write(y, count_text, &t, NULL);
            m.left = -1;
            CHECK(gr_graph_memory(g).used == used);
            if (status == GR_OK) continue;
            failed++;
            CHECK(fopen(DRAWINGS "/memory.txt", "rb") == NULL);
            CHECK(fopen(DRAWINGS "/memory.txt.part", "rb") == NULL);
            check_error(g, status, GR_ERR_MEMORY, "dot: out of memory");
        }
        CHECK(status == GR_OK);
        CHECK(gr_backward(y) == GR_OK);
        gr_graph_destroy(g);
        CHECK(m.bytes == 0);
    }
    CHECK(failed >= 5);
    remove(DRAWINGS "/memory.txt");
}

int main(void)
{
    mkdir(DRAWINGS, 0777); /* it may be there */
    RUN(test_golden);
    RUN(test_same_text_whatever_was_before);
    RUN(test_one_arrow_per_place);
    RUN(test_roles);
    RUN(test_changed_and_released);
    RUN(test_hostile_names);
    RUN(test_values);
    RUN(test_long_name);
    RUN(test_norm);
    RUN(test_point_in_any_locale);
    RUN(test_leaf_as_root);
    RUN(test_training_step);
    RUN(test_primitive_of_a_user);
    RUN(test_deep);
    RUN(test_bad_handles_and_options);
    RUN(test_string);
    RUN(test_writer_that_refuses);
    RUN(test_files_that_cannot_be_written);
    RUN(test_out_of_memory);
    return TEST_EXIT;
}
