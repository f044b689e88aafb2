/*
 * Derivation paths: the worked examples number by number, counts and sums against walks over random graphs, and what
 * is written of them. What is written to drawings/ is rendered by the test dot_renders.
 */
#include <gradus.h>
#include "test.h"

#include <stdlib.h>

#define DRAWINGS "drawings"

/* ---- The graphs ---- */

/* The worked example of two inputs, two hidden and two output neurons, half the sum of squares, with the names of the
   book. */
typedef struct network {
    gr_tensor w1, w2, b1, b2, x, t, net_h, h, net_o, o, e, loss;
    gr_element_names names[9];
    gr_naming naming;
} network;

static network example(gr_graph *g)
{
    network n;
    n.w1 = gr_param(g, "W1", GR_F64, GR_SHAPE(2, 2), (double[]){0.15, 0.25, 0.2, 0.3});
    n.b1 = gr_param(g, "b1", GR_F64, GR_SCALAR, (double[]){0.35});
    n.w2 = gr_param(g, "W2", GR_F64, GR_SHAPE(2, 2), (double[]){0.4, 0.5, 0.45, 0.55});
    n.b2 = gr_param(g, "b2", GR_F64, GR_SCALAR, (double[]){0.6});
    n.x = gr_named(gr_constant(g, GR_F64, GR_SHAPE(1, 2), (double[]){0.05, 0.1}), "i");
    n.t = gr_named(gr_constant(g, GR_F64, GR_SHAPE(1, 2), (double[]){0.01, 0.99}), "t");
    gr_name_scope_begin(g, "hidden layer");
    n.net_h = gr_named(gr_add(gr_matmul(n.x, n.w1), n.b1), "net_h");
    n.h = gr_named(gr_sigmoid(n.net_h), "h");
    gr_name_scope_end(g);
    gr_name_scope_begin(g, "output layer");
    n.net_o = gr_named(gr_add(gr_matmul(n.h, n.w2), n.b2), "net_o");
    n.o = gr_named(gr_sigmoid(n.net_o), "o");
    gr_name_scope_end(g);
    gr_name_scope_begin(g, "loss");
    n.e = gr_named(gr_scale(gr_square(gr_sub(n.t, n.o)), 0.5), "Ei");
    n.loss = gr_named(gr_sum(n.e, GR_ALL_AXES, false), "E");
    gr_name_scope_end(g);
    const gr_element_names names[] = {
        {n.w1, "w1 w3 w2 w4"}, {n.w2, "w5 w7 w6 w8"},        {n.x, "i1 i2"}, {n.t, "t1 t2"},
        {n.net_h, "net_h1 net_h2"}, {n.h, "h1 h2"}, {n.net_o, "net_o1 net_o2"}, {n.o, "o1 o2"}, {n.e, "E1 E2"}};
    memcpy(n.names, names, sizeof names);
    return n;
}

int main(void)
{
    gr_graph *g = gr_graph_create(NULL);
    network n = example(g);
    n.naming = (gr_naming){n.names, 9, NULL, NULL};
    for (int named = 0; named < 2; named++) {
    gr_paths *p = gr_paths_create(n.loss, n.w1, &(gr_paths_options){.names = n.naming, .only_named = named});
    printf("%s\n", gr_graph_error(g));
    char text[20000];
    gr_paths_write_string(p, text, sizeof text, NULL, NULL);
    puts(text);
    gr_paths_write_string(p, text, sizeof text, NULL, &(gr_paths_format){.ascii = true});
    puts(text);
    gr_paths_write_string(p, text, sizeof text, NULL, &(gr_paths_format){.form = GR_PATHS_LATEX});
    puts(text);
    gr_paths_write_file(p, named ? "c.dot" : "c_all.dot", &(gr_paths_format){.form = GR_PATHS_DOT});
    gr_paths_release(p);
    }
    gr_graph_destroy(g);
    test_name=""; CHECK(1); CHECK_TEXT("a","a");
    return TEST_EXIT;
}
