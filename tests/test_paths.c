/*
 * Derivation paths: the worked examples number by number, counts and sums against walks over random graphs, and what
 * is written of them. What is written to drawings/ is rendered by the test dot_renders.
 */
#include <gradus.h>
#include "test.h"

#include <float.h>
#include <stdlib.h>
#include <sys/stat.h>

#define DRAWINGS "drawings"

/* ---- The worked examples ---- */

/* Two inputs, two hidden and two output neurons, sigmoid, half the sum of squares, with the names of the book. */
typedef struct network {
    gr_tensor w1, w2, b1, b2, x, t, net_h, h, net_o, o, e, loss;
    gr_element_names names[11];
} network;

static gr_naming names_of(const network *n) { return (gr_naming){.lists = n->names, .n_lists = 11}; }

/* What follows from inputs and parameters. */
static void run(gr_graph *g, network *n)
{
    gr_name_scope_begin(g, "hidden layer");
    n->net_h = gr_named(gr_add(gr_matmul(n->x, n->w1), n->b1), "net_h");
    n->h = gr_named(gr_sigmoid(n->net_h), "h");
    gr_name_scope_end(g);
    gr_name_scope_begin(g, "output layer");
    n->net_o = gr_named(gr_add(gr_matmul(n->h, n->w2), n->b2), "net_o");
    n->o = gr_named(gr_sigmoid(n->net_o), "o");
    gr_name_scope_end(g);
    gr_name_scope_begin(g, "loss");
    n->e = gr_named(gr_scale(gr_square(gr_sub(n->t, n->o)), 0.5), "Ei");
    n->loss = gr_named(gr_sum(n->e, GR_ALL_AXES, false), "E");
    gr_name_scope_end(g);
    const gr_element_names names[] = {{n->w1, "w1 w3 w2 w4"},
                                      {n->w2, "w5 w7 w6 w8"},
                                      {n->b1, "b1 b2"},
                                      {n->b2, "b3 b4"},
                                      {n->x, "i1 i2"},
                                      {n->t, "t1 t2"},
                                      {n->net_h, "net_h1 net_h2"},
                                      {n->h, "h1 h2"},
                                      {n->net_o, "net_o1 net_o2"},
                                      {n->o, "o1 o2"},
                                      {n->e, "E1 E2"}};
    memcpy(n->names, names, sizeof names);
}

static gr_tensor constant(gr_graph *g, const char *name, const double values[2])
{
    return gr_named(gr_constant(g, GR_F64, GR_SHAPE(1, 2), values), name);
}

/* The step-by-step example. */
static network example(gr_graph *g)
{
    network n;
    n.w1 = gr_param(g, "W1", GR_F64, GR_SHAPE(2, 2), (double[]){0.15, 0.25, 0.2, 0.3});
    n.b1 = gr_param(g, "b", GR_F64, GR_SHAPE(2), (double[]){0.35, 0.35});
    n.w2 = gr_param(g, "W2", GR_F64, GR_SHAPE(2, 2), (double[]){0.4, 0.5, 0.45, 0.55});
    n.b2 = gr_param(g, "c", GR_F64, GR_SHAPE(2), (double[]){0.6, 0.6});
    n.x = constant(g, "i", (double[]){0.05, 0.1});
    n.t = constant(g, "t", (double[]){0.01, 0.99});
    run(g, &n);
    return n;
}

/* XOR, its first sample: both inputs are 0. */
static network exclusive_or(gr_graph *g)
{
    network n;
    n.w1 = gr_param(g, "W1", GR_F64, GR_SHAPE(2, 2), (double[]){0.1, 0.2, 0.2, 0.3});
    n.b1 = gr_param(g, "b", GR_F64, GR_SHAPE(2), (double[]){0.3, 0.3});
    n.w2 = gr_param(g, "W2", GR_F64, GR_SHAPE(2, 2), (double[]){0.4, 0.5, 0.4, 0.5});
    n.b2 = gr_param(g, "c", GR_F64, GR_SHAPE(2), (double[]){0.6, 0.6});
    n.x = constant(g, "i", (double[]){0, 0});
    n.t = constant(g, "t", (double[]){0, 1});
    run(g, &n);
    return n;
}

static void test_two_paths(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const network n = example(g);
    for (int named = 0; named < 2; named++) {
        const gr_paths_options o = {.names = names_of(&n), .only_named = named};
        gr_paths *p = gr_paths_create(n.loss, n.w1, &o);
        CHECK(p && p->count == 2 && p->n == 2 && p->zero_count == 0 && p->more_count == 0);
        if (!p) continue;
        CHECK(!strcmp(p->of, "E") && !strcmp(p->by, "w1") && p->by_value == 0.15);
        CHECK_NEAR(p->paths[0].product, 0.000668396, 5e-10);
        CHECK_NEAR(p->paths[1].product, -0.000229828, 5e-10);
        CHECK_NEAR(p->total, 0.000438568, 5e-10);
        CHECK(p->has_gradient);
        CHECK_NEAR(p->gradient, p->total, 1e-12 * p->total);
        CHECK_NEAR(p->magnitude, p->paths[0].product - p->paths[1].product, 1e-18);
        CHECK(p->paths[0].n_factors == (named ? 6 : 10));
        gr_paths_release(p);
    }
    /* between any two numbers: dE/dh1 by its two paths, and none from one hidden neuron to the other */
    gr_paths *p = gr_paths_create(n.loss, n.h,
                                  &(gr_paths_options){.names = names_of(&n), .only_named = true});
    CHECK(p && p->n == 2);
    CHECK_NEAR(p->paths[0].product, 0.055399425, 5e-10);
    CHECK_NEAR(p->paths[1].product, -0.019049118, 5e-10);
    const gr_path_factor *f = &p->paths[0].factors[3];
    CHECK(!strcmp(f->of, "net_o1") && !strcmp(f->by, "h1") && !strcmp(f->symbol, "w5") && f->value == 0.4);
    f = &p->paths[0].factors[0];
    CHECK(!strcmp(f->of, "E") && !strcmp(f->by, "E1") && !f->symbol && f->value == 1);
    p = gr_paths_create(n.h, n.net_h, &(gr_paths_options){.of_element = 1, .by_element = 0});
    CHECK(p && p->count == 0 && p->n == 0 && p->total == 0 && p->has_gradient && p->gradient == 0);
    p = gr_paths_create(n.loss, n.loss, NULL); /* the path that goes nowhere */
    CHECK(p && p->count == 1 && p->n == 1 && p->paths[0].n_factors == 0 && p->total == 1 && p->gradient == 1);
    p = gr_paths_create(n.loss, n.x, NULL); /* of what requires no gradient backward says nothing */
    CHECK(p && p->count == 4 && !p->has_gradient);
    CHECK_NEAR(p->total, 0.008771355 * 0.15 + 0.009954255 * 0.25, 5e-10);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g); /* takes along what was not released */
}

static void test_zero_paths(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const network n = exclusive_or(g);
    CHECK(gr_backward(n.loss) == GR_OK); /* derivations can still be asked for */
    gr_paths *p = gr_paths_create(n.loss, n.w1,
                                  &(gr_paths_options){.names = names_of(&n), .only_named = true});
    CHECK(p && p->count == 2 && p->zero_count == 2 && p->n == 2 && p->total == 0 && p->gradient == 0);
    for (int i = 0; i < 2; i++) {
        const gr_path_factor *last = &p->paths[i].factors[5];
        CHECK(p->paths[i].product == 0 && p->paths[i].n_zeros == 1 && p->paths[i].n_factors == 6);
        CHECK(last->value == 0 && !strcmp(last->by, "w1") && !strcmp(last->symbol, "i1"));
    }
    p = gr_paths_create(n.loss, n.h, &(gr_paths_options){.names = names_of(&n), .by_element = 1});
    CHECK(p && p->count == 2 && p->zero_count == 0);
    CHECK_NEAR(p->paths[0].product, 0.056777423, 5e-10);
    CHECK_NEAR(p->paths[1].product, -0.021283940, 5e-10);
    CHECK_NEAR(p->total, 0.035493483, 5e-10);
    gr_graph_destroy(g);
}

/* ---- Counting ---- */

/* A chain of `layers` in which each number takes the one before in two places: 2^layers paths. */
static gr_tensor doubled(gr_tensor x, int layers, double factor)
{
    for (int i = 0; i < layers; i++) x = gr_scale(gr_add(x, x), factor);
    return x;
}

static void test_counts(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = gr_param(g, "w", GR_F64, GR_SCALAR, (double[]){3});
    gr_paths *p = gr_paths_create(doubled(w, 40, 0.5), w, NULL);
    CHECK(p && p->count == 1099511627776.0 && p->n == 8 && p->more_count == 1099511627776.0 - 8);
    CHECK_NEAR(p->total, 1, 0);
    CHECK_NEAR(p->gradient, 1, 0);
    CHECK_NEAR(p->paths[7].product, 1 / 1099511627776.0, 0);
    CHECK_NEAR(p->more_sum, 1 - 8 / 1099511627776.0, 0);
    p = gr_paths_create(doubled(w, 1000, 0.5), w, &(gr_paths_options){.top = 3});
    CHECK(p && p->count == ldexp(1, 1000) && p->n == 3 && p->total == 1);
    p = gr_paths_create(doubled(w, 1100, 0.5), w, &(gr_paths_options){.top = 1});
    CHECK(p && isinf(p->count) && p->n == 1 && p->total == 1 && p->gradient == 1);
    char text[1 << 17];
    CHECK(gr_paths_write_string(p, text, sizeof text, NULL, NULL) == GR_OK);
    CHECK_TEXT(text, "∞ paths");
    CHECK_TEXT(text, "+∞ more");
    gr_graph_destroy(g);
}

/* Lists take the room of the paths that there are, whatever was asked for. */
static void test_long_lists(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = gr_param(g, "w", GR_F64, GR_SCALAR, (double[]){3});
    gr_paths *p = gr_paths_create(doubled(w, 4, 0.5), w, &(gr_paths_options){.top = INT32_MAX});
    CHECK(p && p->n == 16 && p->count == 16 && p->more_count == 0);
    CHECK(gr_graph_memory(g).used_peak < 1 << 20);
    p = gr_paths_create(doubled(w, 4, 0.5), w, &(gr_paths_options){.top = 7});
    CHECK(p && p->n == 7 && p->more_count == 9);
    static char text[1 << 17];
    CHECK(gr_paths_write_string(p, text, sizeof text, NULL, NULL) == GR_OK);
    CHECK_TEXT(text, "\npath 7      +0.0625000\n+9 more     +0.562500\nsum         +1\n");
    p = gr_paths_create(doubled(w, 60, 0.5), w, NULL);
    CHECK(p && gr_paths_write_string(p, text, sizeof text, NULL,
                                     &(gr_paths_format){.form = GR_PATHS_LATEX}) == GR_OK);
    CHECK_TEXT(text, "\\underbrace{\\cdots}_{\\approx 1.15292 \\times 10^{18}\\ \\mathrm{more}}");
    gr_graph_destroy(g);
}

/* Where more paths lead along an edge than lines are drawn, and where lines look alike, the edge says which they are. */
static void test_bundles(void)
{
    static char text[1 << 16];
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = gr_param(g, "w", GR_F64, GR_SCALAR, (double[]){3});
    const gr_paths_format drawing = {.form = GR_PATHS_DOT};
    gr_paths *p = gr_paths_create(gr_named(gr_tanh(doubled(w, 4, 0.5)), "y"), w,
                                  &(gr_paths_options){.top = 7});
    CHECK(p && gr_paths_write_string(p, text, sizeof text, NULL, &drawing) == GR_OK);
    CHECK_TEXT(text, "paths 1, 2, 3, 4 and 3 more");
    CHECK_TEXT(text, "on several paths (no more than 4 lines are drawn)");
    CHECK_TEXT(text, "+9 more</TD><TD ALIGN=\"LEFT\">thin lines, and along those above");
    CHECK(!strstr(text, "all paths"));
    p = gr_paths_create(gr_named(gr_tanh(doubled(w, 3, 0.5)), "y"), w, NULL);
    CHECK(p && gr_paths_write_string(p, text, sizeof text, NULL, &drawing) == GR_OK);
    CHECK_TEXT(text, "all paths"); /* behind y, 8 of 8 */
    CHECK_TEXT(text, "paths 1, 2, 3, 4</TD>");
    p = gr_paths_create(gr_tanh(doubled(w, 1, 0.5)), w, NULL); /* of two there is nothing to be said */
    CHECK(p && gr_paths_write_string(p, text, sizeof text, NULL, &drawing) == GR_OK);
    CHECK(!strstr(text, "all paths") && !strstr(text, "paths 1") && strstr(text, ">on several paths</TD>"));
    const gr_tensor v = gr_param(g, "v", GR_F64, GR_SHAPE(12), NULL); /* 12 paths, and 6 looks */
    const gr_tensor sum = gr_named(gr_sum(gr_mul(v, w), GR_ALL_AXES, false), "y");
    p = gr_paths_create(sum, w, &(gr_paths_options){.top = 12});
    CHECK(p && gr_paths_write_string(p, text, sizeof text, NULL, &drawing) == GR_OK);
    CHECK_TEXT(text, "<TR><TD>path 12</TD></TR>");
    p = gr_paths_create(sum, w, &(gr_paths_options){.top = 6});
    CHECK(p && gr_paths_write_string(p, text, sizeof text, NULL, &drawing) == GR_OK);
    CHECK(!strstr(text, "<TR><TD>path "));
    gr_graph_destroy(g);
}

/* What a number is made of stands in it, and what it is compared with. */
static void test_formulas_in_drawings(void)
{
    static char text[1 << 15];
    gr_graph *g = gr_graph_create(NULL);
    network n = example(g);
    gr_paths *p = gr_paths_create(n.loss, n.w1,
                                  &(gr_paths_options){.names = names_of(&n), .only_named = true});
    CHECK(p && gr_paths_write_string(p, text, sizeof text, NULL, &(gr_paths_format){.form = GR_PATHS_DOT}) ==
                   GR_OK);
    CHECK_TEXT(text, "= E1 + E2</FONT>");
    CHECK_TEXT(text, "= ½ (t1 − o1)²</FONT>");
    CHECK_TEXT(text, ">t1 = 0.01</FONT>");
    CHECK_TEXT(text, "= sigmoid(net_h1)</FONT>");
    CHECK_TEXT(text, "= i1 · w1 + i2 · w2 + b1</FONT>");
    CHECK_TEXT(text, ">b1 = 0.35</FONT>");
    CHECK(!strstr(text, "y = factor x")); /* E1 is more than its last operation */
    gr_graph_destroy(g);
}

/* The listed paths are the largest, in order; equal ones in the order of the graph. */
static void test_order(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(6), (double[]){3, -5, 0, 5, 1, 3});
    const gr_tensor x = gr_param(g, "x", GR_F64, GR_SCALAR, (double[]){2});
    const gr_tensor y = gr_named(gr_sum(gr_mul(w, x), GR_ALL_AXES, false), "y");
    gr_paths *p = gr_paths_create(y, x, &(gr_paths_options){.top = 5});
    const double expected[] = {-5, 5, 3, 3, 1};
    CHECK(p && p->n == 5 && p->count == 6 && p->zero_count == 1 && p->more_count == 1 && p->more_sum == 0);
    for (int i = 0; i < 5; i++) CHECK(p->paths[i].product == expected[i]);
    CHECK(!strcmp(p->paths[2].factors[1].symbol, "w[0]") && !strcmp(p->paths[3].factors[1].symbol, "w[5]"));
    CHECK_NEAR(p->total, 7, 0);
    CHECK_NEAR(p->magnitude, 17, 0);
    gr_graph_destroy(g);
}

/* ---- Random graphs ---- */

static uint64_t random_state;
static uint32_t next_random(uint32_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % below;
}

/* An operation on tensors made before, of shape [2, 3] or [3] (broadcast), so that numbers are shared. */
static gr_tensor grow(gr_graph *g, gr_tensor w, const gr_tensor *pool, uint32_t n)
{
    const gr_tensor a = pool[next_random(n)], b = pool[next_random(n)];
    (void)g;
    switch (next_random(14)) {
    case 0:
        return gr_add(a, b);
    case 1:
        return gr_mul(a, b);
    case 2:
        return gr_matmul(a, w);
    case 3:
        return gr_relu(a);
    case 4:
        return gr_softmax(a, 1);
    case 5:
        return gr_tanh(gr_sub(a, b));
    case 6:
        return gr_sigmoid(a);
    case 7:
        return gr_mul(a, gr_sum(b, GR_AXES(0), true));
    case 8:
        return gr_div(a, gr_add_scalar(gr_square(b), 1));
    case 9:
        return gr_maximum(a, b);
    case 10:
        return gr_sub(a, gr_mean(b, GR_AXES(1), true));
    case 11:
        return gr_concat(2, (gr_tensor[]){gr_slice(a, 1, 1, 3, 1), gr_slice(b, 1, 0, 1, 1)}, 1);
    case 12:
        return gr_exp(gr_scale(gr_tanh(a), 0.5));
    default:
        return gr_reshape(gr_transpose(gr_reshape(a, GR_SHAPE(3, 2)), 0, 1), GR_SHAPE(2, 3));
    }
}

static void test_random_graphs(void)
{
    int compared = 0, cancelled = 0;
    for (uint64_t seed = 1; seed <= 120; seed++) {
        gr_graph *g = gr_graph_create(NULL);
        random_state = seed;
        double values[9];
        for (int i = 0; i < 9; i++) values[i] = (next_random(2001) - 1000.0) / 700;
        const gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(3, 3), values);
        const gr_tensor v = gr_param(g, "v", GR_F64, GR_SHAPE(2, 3), values + 2);
        gr_tensor pool[12] = {v, gr_matmul(v, w)};
        for (uint32_t n = 2; n < 12; n++) pool[n] = grow(g, w, pool, n);
        const gr_tensor loss = gr_sum(gr_mul(pool[11], pool[10]), GR_ALL_AXES, false);
        for (int k = 0; k < 4; k++) {
            const gr_tensor by = k < 2 ? w : k < 3 ? v : pool[5];
            const gr_paths_options o = {.by_element = next_random(6), .only_named = k == 1};
            gr_paths *p = gr_paths_create(loss, by, &o);
            CHECK(p && p->has_gradient);
            if (!p) printf("seed %d: %s\n", (int)seed, gr_graph_error(g));
            if (!p) break;
            const double size = fabs(p->gradient);
            cancelled += p->magnitude > 100 * size;
            /* where paths cancel, both sums have lost the same digits */
            CHECK_NEAR(p->total, p->gradient,
                       1e-12 * (p->magnitude > 100 * size ? p->magnitude / 100 : size));
            double sum = p->more_sum, count = p->more_count;
            for (int i = 0; i < p->n; i++) {
                double product = 1;
                for (int f = 0; f < p->paths[i].n_factors; f++) product *= p->paths[i].factors[f].value;
                CHECK_NEAR(p->paths[i].product, product, 1e-13 * fabs(product));
                CHECK(i == 0 || fabs(product) <= fabs(p->paths[i - 1].product) * (1 + 1e-13));
                sum += product;
                count++;
            }
            CHECK_NEAR(sum, p->total, 1e-13 * p->magnitude);
            CHECK(count == p->count);
            compared += p->count > 0;
            gr_paths_release(p);
        }
        CHECK(gr_graph_status(g) == GR_OK);
        gr_graph_destroy(g);
    }
    CHECK(compared > 300 && cancelled < 60);
}

/* ---- Shares ---- */

/* What crosses from a set of nodes, of which `by` is one and `of` is not, to the others, less what crosses back. */
static double crossing(const gr_shares *s, uint32_t inside)
{
    double sum = 0;
    for (int i = 0; i < s->n; i++) {
        const bool from = inside >> s->shares[i].operand & 1, to = inside >> s->shares[i].result & 1;
        sum += from && !to ? s->shares[i].value : to && !from ? -s->shares[i].value : 0;
    }
    return sum;
}

static void check_cuts(const gr_shares *s)
{
    double largest = 0;
    CHECK(s->n_nodes >= 2 && s->n_nodes < 32);
    for (int i = 0; i < s->n; i++) largest = fmax(largest, fabs(s->shares[i].value));
    for (int cut = 0; cut < 6; cut++) {
        uint32_t inside = next_random(1u << 30) | 1;
        if (cut < 2)
            inside = (2u << next_random((uint32_t)s->n_nodes - 1)) - 1; /* what was made before a time */
        inside &= ~(1u << (s->n_nodes - 1));
        CHECK_NEAR(crossing(s, inside | 1), s->gradient, 1e-12 * fmax(fabs(s->gradient), largest));
    }
    for (int i = 1; i + 1 < s->n_nodes; i++) { /* what a node is given it passes on */
        double given = 0;
        for (int k = 0; k < s->n; k++) given += s->shares[k].result == i ? s->shares[k].value : 0;
        CHECK_NEAR(s->nodes[i].share, given, 1e-12 * largest);
        CHECK_NEAR(crossing(s, 1u << i), 0, 1e-12 * largest);
    }
}

static void test_shares_of_random_graphs(void)
{
    int compared = 0;
    for (uint64_t seed = 1; seed <= 120; seed++) {
        gr_graph *g = gr_graph_create(NULL);
        random_state = seed;
        double values[9];
        for (int i = 0; i < 9; i++) values[i] = (next_random(2001) - 1000.0) / 700;
        const gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(3, 3), values);
        const gr_tensor v = gr_param(g, "v", GR_F64, GR_SHAPE(2, 3), values + 2);
        gr_tensor pool[12] = {v, gr_matmul(v, w)};
        for (uint32_t n = 2; n < 12; n++) pool[n] = grow(g, w, pool, n);
        const gr_tensor loss = gr_sum(gr_mul(pool[11], pool[10]), GR_ALL_AXES, false);
        size_t used = 0; /* after the first round, which makes the tables of the graph larger */
        for (int k = 0; k < 3; k++) {
            const gr_tensor by = k == 0 ? w : k == 1 ? v : pool[5];
            const gr_paths_options o = {.by_element = next_random(6)};
            gr_shares *s = gr_shares_create(loss, by, &o);
            gr_paths *p = gr_paths_create(loss, by, &o);
            CHECK(s && p);
            if (!s || !p) printf("seed %d: %s\n", (int)seed, gr_graph_error(g));
            if (!s || !p) break;
            CHECK(s->gradient == p->gradient);
            if (s->n_nodes > 0) check_cuts(s);
            compared += s->n_nodes > 0;
            gr_paths_release(p);
            gr_shares_release(s);
            CHECK(k == 0 || gr_graph_memory(g).used == used);
            used = gr_graph_memory(g).used;
        }
        CHECK(gr_backward(loss) == GR_OK);
        gr_shares *after = gr_shares_create(loss, w, NULL); /* of a history that was released */
        CHECK(after && after->gradient == (gr_has_gradient(w) ? GR_AT(gr_gradient(w), 0, 0) : 0));
        gr_graph_destroy(g);
    }
    CHECK(compared > 250);
}

static gr_tensor counting_hook(gr_tensor gradient, gr_tensor of, void *user)
{
    (void)of;
    ++*(int *)user;
    return gr_scale(gradient, 0);
}

static void test_shares(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const network n = example(g);
    int called = 0;
    gr_add_hook(n.h, counting_hook, &called);
    gr_shares *s = gr_shares_create(n.loss, n.w1,
                                    &(gr_paths_options){.names = names_of(&n), .by_element = 2});
    CHECK(s && !strcmp(s->of, "E") && !strcmp(s->by, "w2") && called == 0);
    CHECK_NEAR(s->gradient, 0.000877135, 5e-10);
    CHECK(s->n_nodes == 11 && s->n == 10); /* one tensor after the other: all of it passes along each edge */
    for (int i = 0; i < s->n; i++) CHECK_NEAR(s->shares[i].value, s->gradient, 1e-12 * s->gradient);
    CHECK(!strcmp(s->nodes[0].name, "W1") && !strcmp(s->nodes[1].name, "matmul1") &&
          !strcmp(s->nodes[10].name, "E"));
    CHECK_NEAR(s->nodes[1].tangent_norm, 0.1, 1e-15);
    CHECK_NEAR(s->nodes[4].adjoint_norm, hypot(0.138498562, 0.038098237), 1e-9);
    const gr_tensor unnamed = gr_sum(gr_square(gr_mul(n.h, n.h)), GR_ALL_AXES, false);
    s = gr_shares_create(unnamed, n.w1, NULL); /* one tensor has one name */
    CHECK(s && !strcmp(s->of, "sum1") && !strcmp(s->nodes[s->n_nodes - 1].name, "sum1"));
    s = gr_shares_create(n.w1, n.loss, NULL);
    CHECK(s && s->n_nodes == 0 && s->n == 0 && s->gradient == 0);
    s = gr_shares_create(n.loss, n.loss, NULL);
    CHECK(s && s->n_nodes == 1 && s->n == 0 && s->gradient == 1);
    CHECK(!gr_shares_create(n.loss, n.x, NULL) && gr_graph_status(g) == GR_ERR_NO_HISTORY);
    CHECK_TEXT(gr_graph_error(g), "shares: does not require a gradient: i [1, 2]");
    gr_graph_destroy(g);
}

/* ---- Refusals ---- */

static gr_tensor twice_infer_like(gr_tensor x) { return gr_scale(x, 2); }
static gr_tensor block(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return twice_infer_like(in[0]);
}

/* A function that gives names, and takes away what it is to name. */
static size_t resetting(gr_tensor t, int64_t element, char *to, size_t room, void *user)
{
    (void)element, (void)to, (void)room, (void)user;
    gr_graph_reset(t.graph);
    return 0;
}

static gr_status crooked_infer(const gr_call *c, gr_layout *out) { return gr_infer_like(c, out, 0); }
static gr_status crooked_forward(const gr_call *c)
{
    for (int64_t i = 0; i < c->out->count; i++)
        ((double *)c->out->data)[i] = ((const double *)c->in[0]->data)[i];
    return GR_OK;
}
static gr_tensor crooked_vjp(const gr_call *c, gr_tensor gy, int i)
{
    (void)c, (void)i;
    return gr_square(gy);
}
static const gr_op crooked = {
    .name = "crooked", .arity = 1, .infer = crooked_infer, .forward = crooked_forward, .vjp = crooked_vjp};

static void test_refusals(void)
{
    gr_graph *g = gr_graph_create(NULL), *other = gr_graph_create(NULL);
    const gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(2), (double[]){1, 2});
    const gr_tensor i = gr_constant(g, GR_I32, GR_SCALAR, NULL), y = gr_sum(w, GR_ALL_AXES, false);
    const gr_tensor far = gr_param(other, "far", GR_F64, GR_SCALAR, NULL);
    CHECK(!gr_paths_create(GR_NONE, w, NULL) && gr_graph_status(g) == GR_OK);
#define REFUSES(call, code, part)                 \
    CHECK(!(call) && gr_graph_status(g) == code); \
    CHECK_TEXT(gr_graph_error(g), part);          \
    gr_graph_clear_error(g)
    REFUSES(gr_paths_create(y, GR_NONE, NULL), GR_ERR_HANDLE, "paths: the second tensor");
    REFUSES(gr_paths_create(y, far, NULL), GR_ERR_GRAPH, "different graphs");
    REFUSES(gr_paths_create(y, i, NULL), GR_ERR_TYPE, "paths: only floats have derivatives");
    REFUSES(gr_paths_create(y, w, &(gr_paths_options){.by_element = 2}), GR_ERR_INDEX,
            "no element [2]: w [2]");
    REFUSES(gr_paths_create(y, w, &(gr_paths_options){.top = -1}), GR_ERR_ARGUMENT, "-1 paths");
    REFUSES(gr_paths_create(gr_named(gr_checkpoint(g, block, 1, &y, NULL), "z"), w, NULL), GR_ERR_STATE,
            "paths: what led to z [] was not kept");
    REFUSES(gr_paths_create(y, w, &(gr_paths_options){.names = {.n_lists = 3}}), GR_ERR_ARGUMENT,
            "paths: 3 lists of names at NULL");
    REFUSES(gr_shares_create(y, w, &(gr_paths_options){.names = {.n_lists = -3}}), GR_ERR_ARGUMENT,
            "shares: -3 lists of names");
    REFUSES(gr_paths_create(y, w, &(gr_paths_options){.names = {.namer = resetting}}), GR_ERR_STATE,
            "reset: called by a rule");
    REFUSES(gr_shares_create(y, w, &(gr_paths_options){.names = {.namer = resetting}}), GR_ERR_STATE,
            "reset: called by a rule");
    const gr_tensor bent = gr_scale(gr_apply(NULL, &crooked, 1, &y, NULL), 3);
    REFUSES(gr_paths_create(bent, w, NULL), GR_ERR_CALLBACK, "backward gives 9");
    gr_paths *p = gr_paths_create(y, w, NULL);
    char text[8] = "full";
    size_t length = 1;
    CHECK(gr_paths_write(p, NULL, NULL, NULL) == GR_ERR_ARGUMENT);
    gr_graph_clear_error(g);
    CHECK(gr_paths_write_string(p, text, 8, &length, &(gr_paths_format){.digits = 18}) == GR_ERR_ARGUMENT);
    CHECK(text[0] == '\0' && length == 0);
    gr_graph_clear_error(g);
    CHECK(gr_paths_write_string(p, text, 8, NULL, &(gr_paths_format){.form = (gr_paths_form)9}) ==
          GR_ERR_ARGUMENT);
    gr_graph_clear_error(g);
    CHECK(gr_paths_write_file(p, "no/such/place", NULL) == GR_ERR_IO);
    CHECK(gr_paths_write_string(p, text, 8, NULL, NULL) == GR_ERR_IO); /* pending */
    gr_graph_clear_error(g);
    CHECK(gr_paths_write_string(NULL, text, 8, NULL, NULL) == GR_ERR_HANDLE);
    gr_paths_release(NULL);
    gr_graph_destroy(g);
    gr_graph_destroy(other);
}

/* ---- What is written ---- */

static char *content_of(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    char *text = calloc(1, 1 << 17);
    text[fread(text, 1, (1 << 17) - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* To see what changed: diff tests/golden/x build/.../tests/drawings/x */
static void check_golden(const gr_paths *p, const char *name, const gr_paths_format *format)
{
    char path[256], golden[1024];
    snprintf(path, sizeof path, DRAWINGS "/%s", name);
    snprintf(golden, sizeof golden, GOLDEN_DIRECTORY "/%s", name);
    CHECK(gr_paths_write_file(p, path, format) == GR_OK);
    char *written = content_of(path), *expected = content_of(golden);
    CHECK(written && expected && strcmp(written, expected) == 0);
    if (!expected || (written && strcmp(written, expected) != 0))
        printf("%s is not as in %s\n", path, golden);
    free(written);
    free(expected);
}

static void test_golden(void)
{
    gr_graph *g = gr_graph_create(NULL);
    network n = example(g);
    gr_paths *p = gr_paths_create(n.loss, n.w1,
                                  &(gr_paths_options){.names = names_of(&n), .only_named = true});
    gr_graph_reset(g); /* the tensors may go */
    check_golden(p, "paths_example.txt", NULL);
    check_golden(p, "paths_example_ascii.txt", &(gr_paths_format){.ascii = true, .digits = 3});
    check_golden(p, "paths_example.tex", &(gr_paths_format){.form = GR_PATHS_LATEX, .document = true});
    check_golden(p, "paths_example.dot", &(gr_paths_format){.form = GR_PATHS_DOT});
    gr_graph_destroy(g);
    g = gr_graph_create(NULL);
    n = exclusive_or(g);
    p = gr_paths_create(n.loss, n.w1, &(gr_paths_options){.names = names_of(&n), .only_named = true});
    check_golden(p, "paths_xor.txt", NULL);
    check_golden(p, "paths_xor.dot", &(gr_paths_format){.form = GR_PATHS_DOT, .ascii = true});
    gr_graph_destroy(g);
}

static void draw(const gr_paths *p, const char *name, gr_paths_format format)
{
    char path[256];
    format.form = GR_PATHS_DOT;
    snprintf(path, sizeof path, DRAWINGS "/%s.dot", name);
    CHECK(p && gr_paths_write_file(p, path, &format) == GR_OK);
}

/* What LaTeX compiles: names of all kinds, long names, long sums. */
static void write_document(const gr_paths *p, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, DRAWINGS "/%s.tex", name);
    CHECK(p && gr_paths_write_file(p, path, &(gr_paths_format){.form = GR_PATHS_LATEX, .document = true}) ==
                   GR_OK);
}

/* What is rendered, and looked at. */
static void test_drawings(void)
{
    gr_graph *g = gr_graph_create(NULL);
    network n = example(g);
    draw(gr_paths_create(n.loss, n.w1, &(gr_paths_options){.names = names_of(&n)}), "paths_all_nodes",
         (gr_paths_format){.title = "every number & <its> \"name\""});
    draw(gr_paths_create(n.loss, n.b1, NULL), "paths_on_paths",
         (gr_paths_format){.extent = GR_PATHS_ON_PATHS});
    draw(gr_paths_create(n.h, n.net_h, &(gr_paths_options){.of_element = 1}), "paths_none",
         (gr_paths_format){.digits = 3});
    draw(gr_paths_create(n.loss, n.loss, NULL), "paths_itself", (gr_paths_format){.ascii = true});
    const gr_tensor v = gr_param(g, "v", GR_F64, GR_SCALAR, (double[]){1.1});
    draw(gr_paths_create(doubled(v, 4, 0.4), v, NULL), "paths_many",
         (gr_paths_format){.top_to_bottom = true});
    const gr_tensor q = gr_param(g, "<q>\\N\n\xff|{}", GR_F64, GR_SCALAR, (double[]){-0.5});
    draw(gr_paths_create(gr_named(gr_mul(gr_relu(q), q), "\"y\""), q, NULL), "paths_odd_names",
         (gr_paths_format){.digits = 17});
    write_document(gr_paths_create(gr_named(gr_mul(gr_relu(q), q), "#$%&~_^\\{}"), q, NULL),
                   "paths_odd_names");
    write_document(gr_paths_create(doubled(v, 60, 0.4), v, &(gr_paths_options){.top = 12}), "paths_many");
    write_document(gr_paths_create(gr_log_softmax(n.net_o, 1), n.w1, NULL), "paths_log_softmax");
    /* the same weight in two time steps, and a third path past them */
    const gr_tensor x = gr_named(gr_constant(g, GR_F64, GR_SCALAR, (double[]){0.5}), "x");
    gr_tensor h = gr_named(gr_tanh(gr_named(gr_mul(v, x), "a1")), "h1");
    h = gr_named(gr_tanh(gr_named(gr_mul(v, h), "a2")), "h2");
    draw(gr_paths_create(gr_named(gr_square(gr_mul(h, v)), "loss"), v, NULL), "paths_recurrent",
         (gr_paths_format){.digits = 0});
    draw(gr_paths_create(gr_softmax(gr_mul(n.h, v), 1), v, &(gr_paths_options){.top = 2}), "paths_listed",
         (gr_paths_format){.extent = GR_PATHS_LISTED});
    /* a residual connection, a part that is taken away, a dead one */
    gr_name_scope_begin(g, "block & \"co\"");
    const gr_tensor y = gr_named(gr_mul(n.h, v), "y"), z = gr_tanh(gr_scale(y, 3));
    const gr_tensor r = gr_sub(gr_add(y, gr_relu(gr_neg(gr_square(y)))), z);
    gr_name_scope_end(g);
    gr_shares *s = gr_shares_create(gr_named(gr_sum(gr_square(r), GR_ALL_AXES, false), "loss"), v, NULL);
    CHECK(s && gr_shares_write_file(s, DRAWINGS "/shares.dot",
                                    &(gr_paths_format){.form = GR_PATHS_DOT, .title = "shares"}) == GR_OK);
    CHECK(gr_shares_write_file(
              s, DRAWINGS "/shares_ascii.dot",
              &(gr_paths_format){.form = GR_PATHS_DOT, .ascii = true, .top_to_bottom = true}) == GR_OK);
    char text[4096];
    CHECK(gr_shares_write_string(s, text, sizeof text, NULL, &(gr_paths_format){.ascii = true}) == GR_OK);
    CHECK_TEXT(text, "dloss/dv = ");
    CHECK_TEXT(text, "relu1 [1, 2] <- neg1 [1, 2] (0%)");
    CHECK(gr_shares_write_string(s, text, sizeof text, NULL, &(gr_paths_format){.form = GR_PATHS_LATEX}) ==
          GR_ERR_ARGUMENT);
    gr_graph_clear_error(g);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

int main(void)
{
    mkdir(DRAWINGS, 0777);
    RUN(test_two_paths);
    RUN(test_zero_paths);
    RUN(test_counts);
    RUN(test_order);
    RUN(test_long_lists);
    RUN(test_bundles);
    RUN(test_formulas_in_drawings);
    RUN(test_random_graphs);
    RUN(test_shares);
    RUN(test_shares_of_random_graphs);
    RUN(test_refusals);
    RUN(test_golden);
    RUN(test_drawings);
    return TEST_EXIT;
}
