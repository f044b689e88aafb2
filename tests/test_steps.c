/*
 * Steps: which edge comes when, with which numbers; that they end in the gradients of gr_backward; texts, drawings and
 * pages, and the names that these must survive. What is written to steps/ is looked at by steps_renders and steps_page.
 */
#include <gradus.h>
#include "test.h"
#ifdef EXAMPLE_SUPPORT
#    include "support/graphviz.h"
#endif

#include <stdlib.h>
#include <sys/stat.h>

#define OUT "steps"

/* ---- Texts ---- */

typedef struct text {
    char *bytes;
    size_t length, room;
} text;

static bool keep(const char *bytes, size_t length, void *user)
{
    text *t = user;
    if (t->length + length + 1 > t->room) {
        t->room = 2 * (t->length + length + 1);
        t->bytes = realloc(t->bytes, t->room);
    }
    memcpy(t->bytes + t->length, bytes, length);
    t->length += length;
    t->bytes[t->length] = '\0';
    return true;
}

static bool refuse(const char *bytes, size_t length, void *user)
{
    (void)bytes, (void)length;
    ++*(int *)user;
    return false;
}

static text text_of(gr_steps steps, const gr_steps_style *style)
{
    text t = {calloc(1, 1), 0, 1};
    CHECK(gr_steps_write_text(steps, keep, &t, style) == GR_OK);
    return t;
}

static text drawing_of(gr_steps steps, int64_t position, const gr_steps_style *style)
{
    text t = {calloc(1, 1), 0, 1};
    CHECK(gr_steps_write_dot(steps, position, keep, &t, style) == GR_OK);
    return t;
}

static text page_of(gr_steps steps, const char *svg, const gr_steps_style *style)
{
    text t = {calloc(1, 1), 0, 1};
    CHECK(gr_steps_write_html(steps, svg, keep, &t, style) == GR_OK);
    return t;
}

static void save(const text *t, const char *path)
{
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(t->bytes, 1, t->length, file) == t->length);
    if (file) fclose(file);
}

static text content_of(const char *path)
{
    text t = {calloc(1, 1), 0, 1};
    char part[4096];
    FILE *file = fopen(path, "rb");
    for (size_t n; file && (n = fread(part, 1, sizeof part, file)) > 0;) keep(part, n, &t);
    if (file) fclose(file);
    return t;
}

static int count_of(const char *t, const char *part)
{
    int n = 0;
    for (; (t = strstr(t, part)); t += strlen(part)) n++;
    return n;
}

/* An SVG as Graphviz makes them, as far as pages look at it. */
static text stand_in_svg(gr_steps steps)
{
    text t = {calloc(1, 1), 0, 1}, dot = drawing_of(steps, GR_STEPS_PAGE, NULL);
    const int edges = count_of(dot.bytes, "[id=\"gr_e");
    char line[256];
    const char head[] = "<?xml version=\"1.0\"?>\n<svg viewBox=\"0 0 100 100\"><g class=\"graph\">\n",
               tail[] = "</g></svg>\n";
    keep(head, strlen(head), &t);
    for (int64_t i = 0; i < gr_steps_number_count(steps); i++) {
        const int n = snprintf(
            line, sizeof line,
            "<g id=\"gr_n%d\" class=\"node\"><title>n%d</title><path d=\"M0,0\"/><text>n%d</text>"
            "<text>grad</text></g>\n",
            (int)i, (int)i, (int)i);
        keep(line, (size_t)n, &t);
    }
    for (int i = 0; i < edges; i++) {
        const int n = snprintf(line, sizeof line,
                               "<g id=\"gr_e%d\" class=\"edge\"><title>e</title><path d=\"M0,0\"/>"
                               "<polygon points=\"0,0\"/><polygon points=\"0,0\"/></g>\n",
                               i);
        keep(line, (size_t)n, &t);
    }
    keep(tail, strlen(tail), &t);
    free(dot.bytes);
    return t;
}

/* The SVG of the drawing that was saved there, by Graphviz where it is at hand. */
static text svg_of(gr_steps steps, const char *path)
{
    text dot = drawing_of(steps, GR_STEPS_PAGE, NULL), t = {NULL, 0, 0};
    save(&dot, path);
    free(dot.bytes);
#ifdef EXAMPLE_SUPPORT
    t.bytes = graphviz_is_there() ? graphviz_svg(path) : NULL;
    CHECK(t.bytes || !graphviz_is_there());
#endif
    return t.bytes ? t : stand_in_svg(steps);
}

/* ---- Networks ---- */

static gr_tensor scalar_param(gr_graph *g, const char *name, double value)
{
    return gr_param(g, name, GR_F64, GR_SCALAR, &value);
}

/* The step-by-step example: weights grouped by their destination, biases frozen. */
static gr_steps example_c(gr_graph *g, bool forward)
{
    const gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(1, 2), (double[]){0.05, 0.1});
    const gr_tensor t = gr_constant(g, GR_F64, GR_SHAPE(1, 2), (double[]){0.01, 0.99});
    const gr_tensor w1 = gr_param(g, "W1", GR_F64, GR_SHAPE(2, 2), (double[]){0.15, 0.25, 0.2, 0.3});
    const gr_tensor w2 = gr_param(g, "W2", GR_F64, GR_SHAPE(2, 2), (double[]){0.4, 0.5, 0.45, 0.55});
    const gr_tensor b1 = gr_set_requires_grad(scalar_param(g, "b1", 0.35), false);
    const gr_tensor b2 = gr_set_requires_grad(scalar_param(g, "b2", 0.6), false);
    const gr_tensor net_h = gr_add(gr_matmul(x, w1), b1), h = gr_sigmoid(net_h);
    const gr_tensor net_o = gr_add(gr_matmul(h, w2), b2), o = gr_sigmoid(net_o);
    const gr_tensor e = gr_scale(gr_square(gr_sub(o, t)), 0.5);
    const gr_tensor loss = gr_named(gr_sum(e, GR_ALL_AXES, false), "E");
    const gr_element_names names[] = {{x, "i1 i2"},
                                      {t, "t1 t2"},
                                      {w1, "w1 w3 w2 w4"},
                                      {w2, "w5 w7 w6 w8"},
                                      {net_h, "net_h1 net_h2"},
                                      {h, "h1 h2"},
                                      {net_o, "net_o1 net_o2"},
                                      {o, "o1 o2"},
                                      {e, "E1 E2"}};
    const gr_steps_options options = {.forward = forward,
                                      .only_named = true,
                                      .names = {.lists = names, .n_lists = sizeof names / sizeof *names}};
    return gr_steps_create(loss, &options);
}

/* The number of that name at the position; a zeroed one if there is none. */
static gr_steps_number number_named(gr_steps steps, const char *name)
{
    gr_steps_number n;
    for (int64_t i = 0; i < gr_steps_number_count(steps); i++)
        if (gr_steps_number_at(steps, i, &n) == GR_OK && !strcmp(n.name, name)) return n;
    return (gr_steps_number){.name = NULL};
}

/* Step `arrival` to a number. */
static gr_step step_to(gr_steps steps, const char *name, int arrival)
{
    gr_step s;
    for (int64_t i = 0; i < gr_steps_count(steps); i++)
        if (gr_steps_at(steps, i, &s) == GR_OK && !strcmp(s.to_name, name) && s.arrival == arrival) return s;
    return (gr_step){.from_name = "", .to_name = "", .symbol = "", .sum = NAN};
}

/* ---- The worked examples ---- */

static void check_golden(gr_steps steps, const char *name, const gr_steps_style *style)
{
    char path[256], golden[512];
    snprintf(path, sizeof path, OUT "/%s.txt", name);
    snprintf(golden, sizeof golden, GOLDEN_DIRECTORY "/%s.txt", name);
    text written = text_of(steps, style), expected = content_of(golden);
    save(&written, path);
    CHECK(expected.length > 0 && strcmp(written.bytes, expected.bytes) == 0);
    free(written.bytes);
    free(expected.bytes);
}

static void test_example_c(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_steps steps = example_c(g, false);
    check_golden(steps, "steps_example_c", NULL);
    check_golden(steps, "steps_example_c_ascii", &(gr_steps_style){.ascii = true, .digits = 4});

    const gr_step first = step_to(steps, "h1", 1), second = step_to(steps, "h1", 2);
    CHECK(first.kind == GR_STEP_EDGE && !strcmp(first.from_name, "net_o1") && !strcmp(first.symbol, "w5"));
    CHECK_NEAR(first.adjoint, 0.138498562, 1e-9);
    CHECK_NEAR(first.local, 0.4, 0);
    CHECK_NEAR(first.contribution, 0.055399425, 1e-9);
    CHECK(first.before == 0 && first.sum == first.contribution && !first.complete && first.arrivals == 2);
    CHECK(!strcmp(second.from_name, "net_o2") && !strcmp(second.symbol, "w7"));
    CHECK_NEAR(second.contribution, -0.019049118, 1e-9);
    CHECK(second.before == first.sum && second.complete);
    CHECK_NEAR(second.sum, 0.036350306, 1e-9);
    CHECK_NEAR(second.from_value, 1.224921404, 1e-9);
    CHECK_NEAR(second.to_value, 0.593269992, 1e-9);

    static const double gradients[] = {0.000438568, 0.000877135, 0.000497713,  0.000995425,
                                       0.082167041, 0.082667628, -0.022602540, -0.022740242};
    CHECK(gr_steps_go(steps, gr_steps_count(steps)) == GR_OK);
    for (int i = 0; i < 8; i++) {
        const gr_steps_number n = number_named(steps, (char[]){'w', (char)('1' + i), 0});
        CHECK_NEAR(n.adjoint, gradients[i], 6e-10);
        CHECK(n.differentiable && n.arrived == 1 && n.arrivals == 1);
    }
    CHECK_NEAR(number_named(steps, "net_h1").adjoint, 0.008771355, 1e-9);
    CHECK(!number_named(steps, "b1").differentiable && !number_named(steps, "i1").differentiable);
    CHECK(step_to(steps, "b1", 1).arrival == 0 && step_to(steps, "i1", 1).arrival == 0);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

static void test_both_sweeps(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_steps steps = example_c(g, true);
    check_golden(steps, "steps_both_sweeps", NULL);
    gr_step s;
    CHECK(!number_named(steps, "h1").computed && number_named(steps, "w1").computed);
    int64_t n = 0;
    while (gr_steps_next(steps, &s) && s.kind == GR_STEP_VALUE) {
        CHECK(number_named(steps, s.to_name).computed && s.from == -1 && s.edge == -1);
        n++;
    }
    CHECK(n == 11 && s.kind == GR_STEP_SEED && s.sum == 1 && s.complete);
    CHECK(number_named(steps, "E").adjoint == 1);
    gr_graph_destroy(g);
}

/* The first sample of the XOR example, 00 -> 01: the paths to the first weights end in a factor 0. */
static void test_xor(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_named(gr_constant(g, GR_F64, GR_SHAPE(1, 2), (double[]){0, 0}), "x");
    const gr_tensor l = gr_named(gr_constant(g, GR_F64, GR_SHAPE(1, 2), (double[]){0, 1}), "l");
    const gr_tensor w1 = gr_param(g, "W1", GR_F64, GR_SHAPE(2, 2), (double[]){0.1, 0.2, 0.2, 0.3});
    const gr_tensor b1 = gr_param(g, "b1", GR_F64, GR_SHAPE(2), (double[]){0.3, 0.3});
    const gr_tensor w2 = gr_param(g, "W2", GR_F64, GR_SHAPE(2, 2), (double[]){0.4, 0.5, 0.4, 0.5});
    const gr_tensor b2 = gr_param(g, "b2", GR_F64, GR_SHAPE(2), (double[]){0.6, 0.6});
    const gr_tensor y1 = gr_named(gr_sigmoid(gr_named(gr_add(gr_matmul(x, w1), b1), "z1")), "y1");
    const gr_tensor y2 = gr_named(gr_sigmoid(gr_named(gr_add(gr_matmul(y1, w2), b2), "z2")), "y2");
    const gr_tensor loss = gr_named(gr_scale(gr_sum(gr_square(gr_sub(y2, l)), GR_ALL_AXES, false), 0.5), "E");
    const gr_steps steps = gr_steps_create(loss, &(gr_steps_options){.only_named = true});
    check_golden(steps, "steps_xor", NULL);
    CHECK(gr_steps_go(steps, gr_steps_count(steps)) == GR_OK);
    CHECK_NEAR(step_to(steps, "y1[0,1]", 1).sum, 0.056777423, 1e-9);
    CHECK_NEAR(step_to(steps, "y1[0,1]", 2).contribution, -0.021283940, 1e-9);
    CHECK_NEAR(number_named(steps, "y1[0,1]").adjoint, 0.035493483, 1e-9);
    CHECK_NEAR(number_named(steps, "b1[1]").adjoint, 0.008676677, 1e-9);
    CHECK_NEAR(number_named(steps, "b2[0]").adjoint, 0.141943557, 1e-9);
    CHECK_NEAR(number_named(steps, "W2[1,1]").adjoint, -0.024452800, 1e-9);
    const gr_step dead = step_to(steps, "W1[0,1]", 1);
    CHECK(dead.complete && dead.local == 0 && dead.contribution == 0 && !strcmp(dead.symbol, "x[0,0]"));
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* One weight in two time steps: what both bring adds up. */
static void test_shared_weight(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = scalar_param(g, "w", 0.8), u = scalar_param(g, "u", 0.5);
    const gr_tensor x1 = gr_named(gr_scalar(g, GR_F64, 1), "x1"),
                    x2 = gr_named(gr_scalar(g, GR_F64, -0.5), "x2");
    const gr_tensor h1 = gr_named(gr_tanh(gr_named(gr_mul(u, x1), "a1")), "h1");
    const gr_tensor a2 = gr_named(gr_add(gr_mul(w, h1), gr_mul(u, x2)), "a2");
    const gr_tensor loss = gr_named(gr_square(gr_named(gr_tanh(a2), "h2")), "E");
    const gr_steps steps = gr_steps_create(loss, &(gr_steps_options){.only_named = true});
    check_golden(steps, "steps_shared_weight", NULL);
    CHECK(gr_backward(loss) == GR_OK);
    const gr_step early = step_to(steps, "u", 2), late = step_to(steps, "u", 1);
    CHECK(!strcmp(late.from_name, "a2") && !strcmp(early.from_name, "a1") && early.complete &&
          !late.complete);
    CHECK_NEAR(late.contribution + early.contribution, gr_item(gr_gradient(u)), 1e-15);
    CHECK_NEAR(step_to(steps, "w", 1).sum, gr_item(gr_gradient(w)), 1e-15);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* Two places of one operation are two edges, and two steps. */
static void test_two_places(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = scalar_param(g, "a", 3), b = scalar_param(g, "b", 0);
    const gr_tensor square = gr_named(gr_mul(a, a), "y"),
                    root = gr_sqrt(gr_square(b)); /* inf times 0 on the way */
    const gr_steps steps = gr_steps_create(gr_named(gr_add(square, root), "E"), NULL);
    CHECK(step_to(steps, "a", 1).sum == 3 && step_to(steps, "a", 2).sum == 6);
    CHECK(step_to(steps, "a", 1).edge != step_to(steps, "a", 2).edge);
    CHECK(step_to(steps, "b", 1).sum == 0 && isinf(step_to(steps, "b", 1).adjoint));
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* ---- Going along ---- */

/* What numbers hold at the position, added up from the steps before it. */
static void check_position(gr_steps steps, int64_t position)
{
    CHECK(gr_steps_position(steps) == position);
    for (int64_t i = 0; i < gr_steps_number_count(steps); i++) {
        gr_steps_number n;
        double sum = 0;
        int arrived = 0;
        CHECK(gr_steps_number_at(steps, i, &n) == GR_OK);
        for (int64_t k = 0; k < position; k++) {
            gr_step s;
            CHECK(gr_steps_at(steps, k, &s) == GR_OK);
            if (s.to != i || s.kind == GR_STEP_VALUE) continue;
            sum += s.kind == GR_STEP_SEED ? 1 : s.contribution;
            arrived++;
        }
        CHECK(n.adjoint == sum && n.arrived == arrived && arrived <= n.arrivals);
    }
}

static void test_forth_and_back(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_steps steps = example_c(g, true);
    const int64_t count = gr_steps_count(steps);
    gr_step taken, same;
    CHECK(count == 32 && !gr_steps_back(steps, NULL));
    for (int64_t i = 0; i < count; i++) {
        CHECK(gr_steps_next(steps, &taken) && taken.index == i);
        check_position(steps, i + 1);
    }
    CHECK(!gr_steps_next(steps, &taken) && taken.index == count - 1);
    for (int64_t i = count; i-- > 0;) {
        CHECK(gr_steps_back(steps, &same) && same.index == i);
        check_position(steps, i);
    }
    CHECK(!number_named(steps, "h1").computed);
    CHECK(gr_steps_go(steps, 20) == GR_OK);
    check_position(steps, 20);
    CHECK(gr_steps_go(steps, 13) == GR_OK && gr_steps_next(steps, NULL));
    check_position(steps, 14);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* An adjoint is complete before it is passed on. */
static void check_order(gr_steps steps)
{
    gr_step s;
    gr_steps_go(steps, 0);
    for (int64_t i = 0; i < gr_steps_count(steps); i++) {
        gr_steps_number from, to;
        gr_steps_next(steps, &s);
        CHECK(gr_steps_number_at(steps, s.to, &to) == GR_OK && to.adjoint == s.sum);
        CHECK(s.complete == (to.arrived == to.arrivals) && s.arrival == to.arrived);
        if (s.kind != GR_STEP_EDGE) continue;
        CHECK(gr_steps_number_at(steps, s.from, &from) == GR_OK);
        CHECK(from.arrived == from.arrivals && from.adjoint == s.adjoint && s.to < s.from);
        CHECK(s.before + s.contribution == s.sum);
    }
}

/* ---- Random graphs ---- */

enum { GRAPHS = 60, PARAMS = 3 };

static uint32_t pick(uint64_t *state, uint32_t n)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33) % n;
}

static gr_tensor total(gr_tensor x) { return gr_sum(x, GR_ALL_AXES, false); }

static gr_tensor random_operation(uint64_t *state, gr_tensor x, gr_tensor y)
{
    switch (pick(state, 12)) {
    case 0:
        return gr_add(x, y);
    case 1:
        return gr_mul(x, y);
    case 2:
        return gr_sub(gr_tanh(x), y);
    case 3:
        return gr_sigmoid(gr_matmul(x, gr_transpose(y, 0, 1)));
    case 4:
        return gr_relu(x);
    case 5:
        return gr_softmax(x, 1);
    case 6:
        return gr_mul(x, gr_sum(y, GR_AXES(1), true));
    case 7:
        return gr_sin(gr_transpose(x, 0, 1));
    case 8:
        return gr_max(x, GR_AXES(0), true);
    case 9:
        return gr_div(x, gr_add_scalar(gr_square(y), 1));
    case 10:
        return gr_slice(x, 1, GR_SLICE_DEFAULT, GR_SLICE_DEFAULT, -1);
    default:
        return gr_mul(x, x);
    }
}

static gr_tensor random_loss(uint64_t seed, const gr_tensor *params)
{
    uint64_t state = seed * 977 + 5;
    gr_tensor pool[16];
    int n = 0;
    for (int i = 0; i < PARAMS; i++) pool[n++] = params[i];
    while (n < 12) {
        const gr_tensor x = pool[pick(&state, (uint32_t)n)], y = pool[pick(&state, (uint32_t)n)];
        const gr_tensor z = random_operation(&state, x, y);
        if (gr_dim(z, 0) == 2 && gr_dim(z, 1) == 2)
            pool[n++] = z;
        else
            pool[n++] = gr_expand(z, GR_SHAPE(2, 2));
    }
    return gr_add(total(gr_mul(pool[n - 1], pool[n - 2])), gr_mean(pool[n - 3], GR_ALL_AXES, false));
}

static void check_gradients(gr_graph *g, gr_steps steps, uint64_t seed, int *compared)
{
    CHECK(gr_steps_go(steps, gr_steps_count(steps)) == GR_OK);
    for (int i = 0; i < gr_param_count(g); i++) {
        const gr_tensor p = gr_param_at(g, i);
        for (int k = 0; k < 4; k++) {
            char name[32];
            snprintf(name, sizeof name, "%s[%d,%d]", gr_name(p), k / 2, k % 2);
            const gr_steps_number n = number_named(steps, name);
            const double gradient = gr_has_gradient(p) ? GR_AT(gr_gradient(p), k / 2, k % 2) : 0;
            const int before = test_failures;
            CHECK_NEAR(n.name ? n.adjoint : 0, gradient, 1e-12 * (1 + fabs(gradient)));
            *compared += n.name && gradient != 0;
            if (test_failures > before) printf("graph %d: %s\n", (int)seed, name);
        }
    }
}

static void test_random_graphs(void)
{
    int compared = 0;
    for (uint64_t seed = 0; seed < GRAPHS; seed++) {
        gr_graph *g = gr_graph_create(NULL);
        uint64_t state = seed + 1;
        gr_tensor params[PARAMS];
        for (int i = 0; i < PARAMS; i++) {
            double values[4];
            for (int k = 0; k < 4; k++) values[k] = (double)pick(&state, 2000) / 1000 - 1;
            params[i] = gr_param(g, (const char *[]){"a", "b", "c"}[i], GR_F64, GR_SHAPE(2, 2), values);
        }
        const gr_tensor loss = random_loss(seed, params);
        const gr_steps before = gr_steps_create(loss, &(gr_steps_options){.forward = seed % 2});
        CHECK(gr_backward(loss) == GR_OK);
        check_order(before);
        check_gradients(g, before, seed, &compared);
        if (seed % 8 == 0) { /* the same after the walk */
            const gr_steps after = gr_steps_create(loss, &(gr_steps_options){.forward = seed % 2});
            text a = text_of(before, NULL), b = text_of(after, NULL);
            CHECK(strcmp(a.bytes, b.bytes) == 0);
            free(a.bytes);
            free(b.bytes);
        }
        CHECK(gr_graph_status(g) == GR_OK);
        gr_graph_destroy(g);
    }
    CHECK(compared > 8 * GRAPHS);
}

/* ---- Lifetime and errors ---- */

static void test_lifetime(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_steps steps = example_c(g, false);
    text before = text_of(steps, NULL);
    CHECK(gr_graph_reset(g) == GR_OK);
    while (gr_param_count(g) > 0) gr_release(gr_param_at(g, 0));
    text after = text_of(steps, NULL);
    CHECK(before.length > 0 && strcmp(before.bytes, after.bytes) == 0);
    free(before.bytes);
    free(after.bytes);
    const size_t used = gr_graph_memory(g).used;
    CHECK(gr_steps_release(steps) == GR_OK && gr_graph_memory(g).used < used);
    CHECK(gr_steps_release(steps) == GR_ERR_STALE);
    CHECK_TEXT(gr_graph_error(g), "steps_release: the steps were released");
    gr_graph_clear_error(g);
    gr_constant(g, GR_BOOL, GR_SHAPE(4096), NULL); /* takes the place */
    gr_step s = {.index = 77};
    gr_steps_number n;
    int calls = 0;
    CHECK(!gr_steps_next(steps, &s) && gr_graph_status(g) == GR_ERR_STALE && s.index == 77);
    gr_graph_clear_error(g);
    CHECK(gr_steps_count(steps) == -1 && gr_steps_position(steps) == -1 &&
          gr_steps_number_count(steps) == -1);
    CHECK(gr_steps_go(steps, 0) == GR_ERR_STALE && gr_steps_at(steps, 0, &s) == GR_ERR_STALE);
    CHECK(gr_steps_number_at(steps, 0, &n) == GR_ERR_STALE && !gr_steps_back(steps, NULL));
    gr_graph_clear_error(g);
    CHECK(gr_steps_write_text(steps, refuse, &calls, NULL) == GR_ERR_STALE && calls == 0);
    CHECK(gr_steps_write_dot(steps, 0, refuse, &calls, NULL) == GR_ERR_STALE && calls == 0); /* pending */
    gr_graph_clear_error(g);
    CHECK(gr_steps_count((gr_steps){g, 0, 0}) == -1 && gr_graph_status(g) == GR_ERR_HANDLE);
    CHECK(gr_steps_release((gr_steps){NULL, 0, 0}) == GR_ERR_HANDLE);
    CHECK(gr_steps_write_text((gr_steps){NULL, 0, 0}, refuse, &calls, NULL) == GR_ERR_HANDLE && calls == 0);
    gr_graph_destroy(g);
}

static void check_refused(gr_graph *g, gr_tensor loss, const gr_steps_options *options, gr_status status,
                          const char *part)
{
    const gr_steps steps = gr_steps_create(loss, options);
    CHECK(steps.index == 0 && steps.graph == g && gr_graph_status(g) == status);
    CHECK_TEXT(gr_graph_error(g), part);
    CHECK(gr_steps_create(loss, options).index == 0); /* refuses while an error is pending */
    gr_graph_clear_error(g);
}

static void test_errors_of_making(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(40), NULL), s = scalar_param(g, "s", 1);
    check_refused(g, gr_tanh(w), NULL, GR_ERR_NOT_SCALAR,
                  "steps_create: the loss must have one element: tanh [40]");
    check_refused(g, gr_scalar(g, GR_F64, 1), NULL, GR_ERR_NO_HISTORY, "depends on nothing that requires");
    check_refused(g, total(gr_tanh(w)), &(gr_steps_options){.limits = {.elements = 50}}, GR_ERR_LIMIT,
                  "steps_create");
    const gr_tensor y = gr_mul(s, s);
    gr_write(s, (double[]){2}, 1);
    check_refused(g, y, NULL, GR_ERR_MODIFIED, "s");
    gr_graph_reset(g);
    check_refused(g, y, NULL, GR_ERR_STALE, "steps_create");
    CHECK(gr_steps_create(GR_NONE, NULL).graph == NULL);
    const gr_steps leaf = gr_steps_create(s, NULL); /* a loss that is a parameter */
    CHECK(gr_steps_count(leaf) == 1 && gr_steps_number_count(leaf) == 1);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

static void check_fails(gr_graph *g, gr_status got, gr_status status, const char *part)
{
    CHECK(got == status && gr_graph_status(g) == status);
    CHECK_TEXT(gr_graph_error(g), part);
    gr_graph_clear_error(g);
}

static void test_errors_of_showing(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_steps steps = example_c(g, false);
    const int64_t count = gr_steps_count(steps);
    const gr_steps_style wrong = {.digits = 18};
    text svg = stand_in_svg(steps), to = {0};
    int calls = 0;
    check_fails(g, gr_steps_go(steps, count + 1), GR_ERR_INDEX, "steps_go: position 22 of 21 steps");
    check_fails(g, gr_steps_at(steps, -1, NULL), GR_ERR_INDEX, "steps_at: step -1 of 21");
    check_fails(g, gr_steps_number_at(steps, 1000, NULL), GR_ERR_INDEX, "steps_number_at: number 1000 of ");
    check_fails(g, gr_steps_write_dot(steps, count + 1, keep, &to, NULL), GR_ERR_INDEX,
                "steps_write_dot: position 22");
    check_fails(g, gr_steps_write_dot(steps, -2, keep, &to, NULL), GR_ERR_INDEX, "position -2");
    check_fails(g, gr_steps_write_text(steps, NULL, NULL, NULL), GR_ERR_ARGUMENT,
                "steps_write_text: NULL for the writer");
    check_fails(g, gr_steps_write_text(steps, keep, &to, &wrong), GR_ERR_ARGUMENT, "18 digits");
    check_fails(g, gr_steps_write_html(steps, NULL, keep, &to, NULL), GR_ERR_ARGUMENT, "dot -Tsvg");
    check_fails(g, gr_steps_write_html(steps, "digraph {}", keep, &to, NULL), GR_ERR_FORMAT, "no SVG");
    check_fails(g, gr_steps_write_html(steps, "<svg></svg>", keep, &to, NULL), GR_ERR_FORMAT,
                "no element gr_n0");
    *strstr(svg.bytes, "gr_e12\"") = 'G';
    check_fails(g, gr_steps_write_html(steps, svg.bytes, keep, &to, NULL), GR_ERR_FORMAT,
                "no element gr_e12:");
    *strstr(svg.bytes, "Gr_e12\"") = 'g';
    CHECK(to.length == 0);
    check_fails(g, gr_steps_write_text(steps, refuse, &calls, NULL), GR_ERR_IO,
                "steps_write_text: the writer did not take");
    check_fails(g, gr_steps_write_dot(steps, 3, refuse, &calls, NULL), GR_ERR_IO, "steps_write_dot");
    check_fails(g, gr_steps_write_html(steps, svg.bytes, refuse, &calls, NULL), GR_ERR_IO,
                "steps_write_html");
    CHECK(calls == 3);
    free(svg.bytes);
    gr_graph_destroy(g);
}

/* ---- Hostile names ---- */

static const char *const hostile[] = {"</script><script>hacked=1</script>",
                                      "\"><img src=x onerror=hacked=1>",
                                      "' onclick='hacked=1",
                                      "a & b &amp; <b>",
                                      "line\nbreak\ttab\x01\x7f",
                                      "\xff\xc0\xaf\xed\xa0\x80",
                                      "σ 梯度 😀",
                                      "]]> --> <!-- \\N \\",
                                      "right \xe2\x80\xae to left",
                                      "%s%n `${x}`"};
/* As pages and texts show them. */
static const char *const shown[] = {"</script><script>hacked=1</script>",
                                    "\"><img src=x onerror=hacked=1>",
                                    "' onclick='hacked=1",
                                    "a & b &amp; <b>",
                                    "line\\x0Abreak\\x09tab\\x01\\x7F",
                                    "\\xFF\\xC0\\xAF\\xED\\xA0\\x80",
                                    "σ 梯度 😀",
                                    "]]> --> <!-- \\N \\",
                                    "right \\u202E to left",
                                    "%s%n `${x}`"};
enum { HOSTILE = sizeof hostile / sizeof *hostile };

static gr_steps hostile_steps(gr_graph *g)
{
    gr_tensor sum = gr_scalar(g, GR_F64, 0);
    for (int i = 0; i < HOSTILE; i++)
        sum = gr_add(sum, gr_mul(scalar_param(g, hostile[i], i),
                                 scalar_param(g, (char[]){'v', (char)('0' + i), 0}, 2)));
    char huge[1000];
    memset(huge, 'W', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    return gr_steps_create(gr_named(gr_square(gr_named(sum, "</td>")), huge),
                           &(gr_steps_options){.only_named = true});
}

static bool is_ascii(const text *t)
{
    for (size_t i = 0; i < t->length; i++)
        if ((unsigned char)t->bytes[i] >= 0x80) return false;
    return true;
}

static void test_hostile_text(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_steps steps = hostile_steps(g);
    text t = text_of(steps, NULL), a = text_of(steps, &(gr_steps_style){.ascii = true});
    CHECK(count_of(t.bytes, "\n") == (int)gr_steps_count(steps) &&
          count_of(a.bytes, "\n") == (int)gr_steps_count(steps));
    for (int i = 0; i < HOSTILE; i++) CHECK_TEXT(t.bytes, shown[i]);
    CHECK(!strpbrk(t.bytes, "\t\x01\x7f\xff") && count_of(t.bytes, " \n") == 0);
    CHECK(is_ascii(&a));
    CHECK_TEXT(a.bytes, "\\u03C3 \\u68AF\\u5EA6 \\U0001F600");
    CHECK_TEXT(t.bytes, "WWW…");
    free(t.bytes);
    free(a.bytes);
    gr_graph_destroy(g);
}

/* ---- Pages ---- */

enum { MOST_OPEN = 64, TAG_BYTES = 16 };

/* A reader of a page that knows as much of HTML as these pages use, and stops at anything else. */
typedef struct reader {
    const char *at;
    char open[MOST_OPEN][TAG_BYTES];
    int n_open, elements;
    bool wrong;
} reader;

static bool skip(reader *r, const char *what)
{
    if (strncmp(r->at, what, strlen(what)) != 0) return false;
    r->at += strlen(what);
    return true;
}

/* Behind the name of a tag, up to its end: attributes with quoted values, or none. */
static bool read_attributes(reader *r)
{
    for (;;) {
        r->at += strspn(r->at, " \n");
        if (skip(r, "/>")) return true;
        if (skip(r, ">")) return false;
        const size_t name = strspn(r->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-:");
        r->at += name;
        if (name == 0) r->wrong = true;
        if (r->wrong) return false;
        if (!skip(r, "=\"")) continue; /* hidden */
        r->at += strcspn(r->at, "\"<");
        if (!skip(r, "\"")) r->wrong = true;
    }
}

static void read_tag(reader *r)
{
    char name[TAG_BYTES];
    const bool closing = skip(r, "/");
    const size_t length = strspn(r->at, "abcdefghijklmnopqrstuvwxyz0123456789");
    snprintf(name, sizeof name, "%.*s", (int)length, r->at);
    r->at += length;
    if (length == 0 || length >= TAG_BYTES || r->n_open == MOST_OPEN) r->wrong = true;
    const bool empty = read_attributes(r) || !strcmp(name, "meta") || !strcmp(name, "input");
    if (closing) {
        if (r->n_open == 0 || strcmp(r->open[r->n_open - 1], name) != 0)
            r->wrong = true;
        else
            r->n_open--;
        return;
    }
    r->elements++;
    if (!empty && !r->wrong) strcpy(r->open[r->n_open++], name);
    const bool raw = !strcmp(name, "script") || !strcmp(name, "style");
    while (raw && *r->at && strncmp(r->at, "</", 2) != 0) r->at++;
}

static bool well_formed(const char *page, int *elements)
{
    reader r = {.at = page};
    if (!skip(&r, "<!DOCTYPE html>\n")) return false;
    while (*r.at && !r.wrong) {
        if (skip(&r, "<!--")) { /* of Graphviz */
            const char *end = strstr(r.at, "-->");
            r.at = end ? end + strlen("-->") : "";
            r.wrong = !end;
        } else if (skip(&r, "<")) {
            read_tag(&r);
        } else if (*r.at == '&') { /* only references that are ended */
            const size_t length = strspn(r.at + 1, "#abcdefghijklmnopqrstuvwxyz0123456789");
            if (r.at[1 + length] != ';') r.wrong = true;
            r.at += length + 1;
        } else {
            r.at++;
        }
    }
    *elements = r.elements;
    if (r.wrong) printf("%s: not well formed before: %.80s\n", test_name, r.at);
    return !r.wrong && r.n_open == 0;
}

static void check_page(const text *page, gr_steps steps)
{
    int elements = 0;
    CHECK(well_formed(page->bytes, &elements) && elements > 100);
    CHECK(count_of(page->bytes, "<script") == 1 && count_of(page->bytes, "</script") == 1);
    CHECK(count_of(page->bytes, "http://") == count_of(page->bytes, "=\"http://www.w3.org/") &&
          count_of(page->bytes, "https://") == 0); /* names of what SVG is */
    CHECK(count_of(page->bytes, " src=\"") == 0 && count_of(page->bytes, "<img") == 0);
    CHECK(count_of(page->bytes, "<a href=\"#step=") == (int)gr_steps_count(steps));
    CHECK(count_of(page->bytes, "aria-live=\"polite\"") == 1 &&
          count_of(page->bytes, "prefers-reduced-motion") == 1);
    CHECK_TEXT(page->bytes, "default-src 'none'");
}

static void test_page(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_steps steps = example_c(g, false);
    text svg = svg_of(steps, OUT "/page.dot"), page = page_of(steps, svg.bytes, NULL);
    check_page(&page, steps);
    CHECK_TEXT(page.bytes, "<title>The derivatives of E, step by step</title>");
    CHECK_TEXT(page.bytes,
               "<td class=\"formula\">∂E/∂h1 += ∂E/∂net_o1 · w5 = 0.138499 · 0.4 = 0.0553994</td>");
    CHECK_TEXT(page.bytes, "<td class=\"note\">2 of 2: 0.0553994 − 0.0190491 = 0.0363503</td>");
    CHECK_TEXT(page.bytes, "data-state=\"partial\" data-sum=\"+0.0553994\" data-arrived=\"1 of 2\"");
    CHECK(count_of(page.bytes, "<?xml") == 0 && count_of(page.bytes, "<svg") == 1);
    save(&page, OUT "/page.html");
    free(page.bytes);
    free(svg.bytes);
    svg = stand_in_svg(steps);
    page = page_of(steps, svg.bytes, &(gr_steps_style){.ascii = true, .title = "Both <sweeps> & \"more\""});
    check_page(&page, steps);
    CHECK(is_ascii(&page));
    CHECK_TEXT(page.bytes, "<h1>Both &#60;sweeps&#62; &#38; &#34;more&#34;</h1>");
    free(page.bytes);
    free(svg.bytes);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* The names that the page shows, each on a line, as URIs write them. */
static void save_names(const char *path)
{
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL);
    for (int i = 0; file && i < HOSTILE; i++) {
        for (const char *c = shown[i]; *c; c++) {
            const bool plain = (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') ||
                               (*c >= 'A' && *c <= 'Z') || strchr("-_.!~*'()", *c);
            fprintf(file, plain ? "%c" : "%%%02X", (unsigned)(unsigned char)*c);
        }
        fprintf(file, "\n");
    }
    if (file) fclose(file);
}

static void test_hostile_page(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_steps steps = hostile_steps(g);
    text svg = svg_of(steps, OUT "/hostile.dot"),
         page = page_of(steps, svg.bytes, &(gr_steps_style){.title = hostile[0]});
    check_page(&page, steps);
    CHECK_TEXT(page.bytes, "<title>&#60;/script&#62;&#60;script&#62;hacked=1&#60;/script&#62;</title>");
    CHECK_TEXT(page.bytes, "<th scope=\"row\">&#39; onclick=&#39;hacked=1</th>");
    CHECK_TEXT(page.bytes, "<th scope=\"row\">]]&#62; --&#62; &#60;!-- \\N \\</th>");
    save(&page, OUT "/hostile.html");
    save_names(OUT "/hostile.txt");
    free(page.bytes);
    free(svg.bytes);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* ---- Drawings ---- */

/* Lines of two drawings without what may differ: labels, lines, colours, directions of arrows. */
static bool same_layout(const char *a, const char *b)
{
    static const char *const kept[] = {
        " [id=\"", ", width=", ", height=", "shape=", "digraph", "rankdir", "TD FIXED"};
    if (count_of(a, "\n") != count_of(b, "\n")) return false;
    while (*a && *b) {
        const size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");
        char x[4096], y[4096];
        snprintf(x, sizeof x, "%.*s", (int)n, a);
        snprintf(y, sizeof y, "%.*s", (int)m, b);
        for (size_t k = 0; k < sizeof kept / sizeof *kept; k++) {
            const char *p = strstr(x, kept[k]), *q = strstr(y, kept[k]);
            if (!p != !q || (p && strncmp(p, q, strcspn(p + 1, ",>]") + 1) != 0)) return false;
        }
        if (strncmp(x, y, strcspn(x, "[")) != 0) return false;
        a += n + 1;
        b += m + 1;
    }
    return true;
}

static void test_frames(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_steps steps = example_c(g, true);
    const gr_steps_style style = {.title = "Both sweeps"};
    text first = drawing_of(steps, 0, &style);
    CHECK_TEXT(first.bytes, "label=<h1 = ?<BR/>&#160;>");
    for (int64_t k = 0; k <= gr_steps_count(steps); k++) {
        char path[64];
        text frame = drawing_of(steps, k, &style);
        CHECK(same_layout(first.bytes, frame.bytes));
        CHECK(count_of(frame.bytes, "shape=record") == 0);
        snprintf(path, sizeof path, OUT "/frame%02d.dot", (int)k);
        save(&frame, path);
        free(frame.bytes);
    }
    text at = drawing_of(steps, 19, NULL); /* h1 has one of its two */
    CHECK_TEXT(at.bytes, "label=<h1 = 0.593270<BR/>grad +0.0553994 + …>");
    CHECK(count_of(at.bytes, "dir=back, style=dashed, penwidth=4") == 1);
    CHECK(count_of(at.bytes, "dir=back, penwidth=2.2") == 6);
    CHECK_TEXT(at.bytes, "∂E/∂h1 += ∂E/∂net_o1 · w5 = 0.138499 · 0.4 = 0.0553994");
    free(at.bytes);
    free(first.bytes);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* Name scopes are frames, the same at every position; a scope that is left and entered again is one. */
static void test_scopes(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor h = scalar_param(g, "w", 0.5);
    static const char *const scopes[] = {"a & <b>", "c", "a & <b>"};
    for (int i = 0; i < 3; i++) {
        gr_name_scope_begin(g, scopes[i]);
        h = gr_tanh(h);
        gr_name_scope_end(g);
    }
    const gr_steps steps = gr_steps_create(gr_square(h), &(gr_steps_options){.forward = true});
    gr_graph_reset(g); /* the steps know their scopes */
    text first = drawing_of(steps, 0, NULL);
    CHECK(count_of(first.bytes, "subgraph cluster_") == 2);
    CHECK_TEXT(first.bytes, "graph [label=<a &#38; &#60;b&#62;>, labelloc=t");
    const char *a = strstr(first.bytes, "subgraph cluster_1 {"),
               *c = strstr(first.bytes, "subgraph cluster_2 {");
    const char *third = strstr(first.bytes, "  n3 [");
    CHECK(a && c && third && a < third && third < c);
    for (int64_t k = 0; k <= gr_steps_count(steps); k++) {
        text frame = drawing_of(steps, k, NULL);
        CHECK(same_layout(first.bytes, frame.bytes));
        free(frame.bytes);
    }
    save(&first, OUT "/scopes.dot");
    free(first.bytes);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

static void test_more_drawings(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_steps steps = example_c(g, false), strange = hostile_steps(g);
    const gr_steps_style ascii = {.ascii = true, .downwards = true, .digits = 3, .title = hostile[0]};
    text page = drawing_of(steps, GR_STEPS_PAGE, NULL), plain = drawing_of(strange, 5, &ascii);
    CHECK(count_of(page.bytes, "dir=both") == 20 && count_of(page.bytes, "style=dotted") == 10);
    CHECK_TEXT(page.bytes, "label=<h1 = 0.593270<BR/>grad +0.0363503>");
    CHECK(count_of(page.bytes, "subgraph cluster_") == 0); /* there is no name scope */
    CHECK(is_ascii(&plain));
    CHECK_TEXT(plain.bytes, "rankdir=TB");
    save(&plain, OUT "/hostile_ascii.dot");
    free(page.bytes);
    free(plain.bytes);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* The same texts whatever else is in the graph. */
static void test_same_text_whatever_was_before(void)
{
    gr_graph *a = gr_graph_create(NULL), *b = gr_graph_create(NULL);
    for (int i = 0; i < 30; i++) gr_exp(gr_scalar(b, GR_F64, i));
    gr_release(gr_constant(b, GR_F64, GR_SHAPE(3), NULL));
    const gr_steps first = example_c(a, true), second = example_c(b, true);
    gr_steps_go(second, 9); /* the position does not matter */
    text x = text_of(first, NULL), y = text_of(second, NULL);
    CHECK(strcmp(x.bytes, y.bytes) == 0);
    free(x.bytes);
    free(y.bytes);
    x = drawing_of(first, 12, NULL);
    y = drawing_of(second, 12, NULL);
    CHECK(strcmp(x.bytes, y.bytes) == 0);
    CHECK(gr_steps_position(second) == 9);
    free(x.bytes);
    free(y.bytes);
    gr_graph_destroy(a);
    gr_graph_destroy(b);
}

int main(void)
{
    mkdir(OUT, 0777);
    RUN(test_example_c);
    RUN(test_both_sweeps);
    RUN(test_xor);
    RUN(test_shared_weight);
    RUN(test_two_places);
    RUN(test_forth_and_back);
    RUN(test_random_graphs);
    RUN(test_lifetime);
    RUN(test_errors_of_making);
    RUN(test_errors_of_showing);
    RUN(test_hostile_text);
    RUN(test_page);
    RUN(test_hostile_page);
    RUN(test_frames);
    RUN(test_scopes);
    RUN(test_more_drawings);
    RUN(test_same_text_whatever_was_before);
    return TEST_EXIT;
}
