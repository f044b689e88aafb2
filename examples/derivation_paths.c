/*
 * The chain rule in pictures: small networks whose derivatives are taken apart into paths.
 *
 *     derivation_paths [--out DIR]
 *
 * Each lesson below becomes the files DIR/<lesson>.dot, .txt, .tex and .svg, its derivation paths; _steps.dot, .txt and
 * .html, its backward sweep one edge at a time; and _shares.dot, .txt and .svg where whole tensors say more. Pictures and
 * pages need the program dot of Graphviz; without it they are left out, and the program says so. The same derivations are
 * printed. docs/lesson-chain-rule.md walks through them.
 *
 * A network is written as any other, and knows nothing of paths: a lesson only adds the names that its book uses.
 */
#include <gradus.h>

#include "support/graphviz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAMES = 12, MAX_PATH = 1024 };

/* A network, and the derivative of it that is asked for. */
typedef struct figure {
    gr_tensor loss, by;
    int64_t by_element;
    gr_element_names names[MAX_NAMES];
    int n_names;
} figure;

/* ---- Networks ---- */

/* Gives the elements of t the names of the book. */
static gr_tensor call(figure *f, gr_tensor t, const char *names)
{
    if (f->n_names < MAX_NAMES) f->names[f->n_names++] = (gr_element_names){t, names};
    return t;
}

static gr_tensor param(gr_graph *g, const char *name, double value)
{
    return gr_param(g, name, GR_F64, GR_SCALAR, &value);
}

static gr_tensor constant(gr_graph *g, const char *name, double value)
{
    return gr_named(gr_scalar(g, GR_F64, value), name);
}

/* Two inputs, two hidden and two output neurons: what two books begin with. Weights are indexed (from, to). */
typedef struct two_layers {
    double x[2], w1[4], b1[2], w2[4], b2[2], t[2];
    bool frozen; /* biases are not trained, and one for each layer */
    const char *names[11];
} two_layers;

/* Returns the outputs of the hidden layer. */
static gr_tensor build(gr_graph *g, figure *f, const two_layers *n)
{
    const gr_shape biases = n->frozen ? GR_SHAPE(1) : GR_SHAPE(2);
    gr_name_scope_begin(g, "inputs, weights");
    const gr_tensor x = call(f, gr_constant(g, GR_F64, GR_SHAPE(1, 2), n->x), n->names[0]);
    const gr_tensor w1 = call(f, gr_param(g, "W1", GR_F64, GR_SHAPE(2, 2), n->w1), n->names[1]);
    gr_name_scope_end(g);
    const gr_tensor b1 = call(f, gr_param(g, "b1", GR_F64, biases, n->b1), n->names[2]);
    const gr_tensor w2 = call(f, gr_param(g, "W2", GR_F64, GR_SHAPE(2, 2), n->w2), n->names[5]);
    const gr_tensor b2 = call(f, gr_param(g, "b2", GR_F64, biases, n->b2), n->names[6]);
    const gr_tensor t = call(f, gr_constant(g, GR_F64, GR_SHAPE(1, 2), n->t), n->names[9]);
    gr_set_requires_grad(b1, !n->frozen);
    gr_set_requires_grad(b2, !n->frozen);
    gr_name_scope_begin(g, "hidden layer");
    const gr_tensor z1 = call(f, gr_add(gr_matmul(x, w1), b1), n->names[3]);
    const gr_tensor y1 = call(f, gr_sigmoid(z1), n->names[4]);
    gr_name_scope_end(g);
    gr_name_scope_begin(g, "output layer");
    const gr_tensor z2 = call(f, gr_add(gr_matmul(y1, w2), b2), n->names[7]);
    const gr_tensor y2 = call(f, gr_sigmoid(z2), n->names[8]);
    gr_name_scope_end(g);
    gr_name_scope_begin(g, "loss");
    const gr_tensor e = call(f, gr_scale(gr_square(gr_sub(y2, t)), 0.5), n->names[10]);
    f->loss = gr_named(gr_sum(e, GR_ALL_AXES, false), "E");
    gr_name_scope_end(g);
    f->by = w1;
    return y1;
}

/* The well-known step-by-step example. Its weights are numbered by the neuron that they lead to. */
static const two_layers step_by_step = {
    .x = {0.05, 0.1},
    .w1 = {0.15, 0.25, 0.2, 0.3},
    .b1 = {0.35},
    .w2 = {0.4, 0.5, 0.45, 0.55},
    .b2 = {0.6},
    .t = {0.01, 0.99},
    .frozen = true,
    .names = {"i1 i2", "w1 w3 w2 w4", "b1", "net_h1 net_h2", "h1 h2", "w5 w7 w6 w8", "b2", "net_o1 net_o2",
              "o1 o2", "t1 t2", "E1 E2"},
};

/* XOR with one-hot labels, the first sample: both inputs are 0. y1_2 is output 2 of layer 1. */
static const two_layers exclusive_or = {
    .x = {0, 0},
    .w1 = {0.1, 0.2, 0.2, 0.3},
    .b1 = {0.3, 0.3},
    .w2 = {0.4, 0.5, 0.4, 0.5},
    .b2 = {0.6, 0.6},
    .t = {0, 1},
    .names = {"x_1 x_2", "w1_11 w1_12 w1_21 w1_22", "θ1_1 θ1_2", "z1_1 z1_2", "y1_1 y1_2",
              "w2_11 w2_12 w2_21 w2_22", "θ2_1 θ2_2", "z2_1 z2_2", "y2_1 y2_2", "l_1 l_2", "E_1 E_2"},
};

static void example_w1(gr_graph *g, figure *f) { build(g, f, &step_by_step); }

static void example_h1(gr_graph *g, figure *f) { f->by = build(g, f, &step_by_step); }

static void xor_w1(gr_graph *g, figure *f) { build(g, f, &exclusive_or); }

static void xor_y1(gr_graph *g, figure *f)
{
    f->by = build(g, f, &exclusive_or);
    f->by_element = 1;
}

/* E = 1/2 (y - t)^2 */
static void half_square(figure *f, gr_tensor y, gr_tensor t)
{
    f->loss = gr_named(gr_scale(gr_square(gr_sub(y, t)), 0.5), "E");
}

/* Six sigmoid layers of one neuron each, with one and the same weight: so its derivative has a path through each
   layer, and a single picture compares what arrives there. */
static void vanishing(gr_graph *g, figure *f)
{
    static const char *const names[][3] = {
        {"layer 1", "z1", "h1"}, {"layer 2", "z2", "h2"}, {"layer 3", "z3", "h3"},
        {"layer 4", "z4", "h4"}, {"layer 5", "z5", "h5"}, {"layer 6", "z6", "h6"},
    };
    f->by = param(g, "w", 1);
    gr_tensor h = constant(g, "x", 0.5);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        gr_name_scope_begin(g, names[i][0]);
        const gr_tensor z = gr_named(gr_mul(f->by, h), names[i][1]);
        h = gr_named(gr_sigmoid(z), names[i][2]);
        gr_name_scope_end(g);
    }
    half_square(f, h, constant(g, "t", 0));
}

/* u = v x feeds two relu neurons; the second is below 0. */
static void dead_relu(gr_graph *g, figure *f)
{
    f->by = param(g, "v", 0.5);
    const gr_tensor u = gr_named(gr_mul(f->by, constant(g, "x", 2)), "u");
    const gr_tensor z1 = gr_named(gr_mul(param(g, "w1", 0.75), u), "z1");
    const gr_tensor z2 = gr_named(gr_mul(param(g, "w2", -1.5), u), "z2");
    const gr_tensor r1 = gr_named(gr_relu(z1), "r1"), r2 = gr_named(gr_relu(z2), "r2");
    const gr_tensor y = gr_named(gr_add(gr_mul(param(g, "a1", 0.8), r1), gr_mul(param(g, "a2", 1.2), r2)),
                                 "y");
    half_square(f, y, constant(g, "t", 1));
}

/* Two time steps: h = tanh(w h + u x). */
static void recurrent(gr_graph *g, figure *f)
{
    static const struct {
        const char *scope, *x, *z, *h;
        double input;
    } steps[] = {{"time 1", "x1", "z1", "h1", 1}, {"time 2", "x2", "z2", "h2", -0.5}};
    f->by = param(g, "w", 0.8);
    const gr_tensor u = param(g, "u", 0.6);
    gr_tensor h = constant(g, "h0", 0.25);
    for (int i = 0; i < 2; i++) {
        gr_name_scope_begin(g, steps[i].scope);
        const gr_tensor x = constant(g, steps[i].x, steps[i].input);
        const gr_tensor z = gr_named(gr_add(gr_mul(f->by, h), gr_mul(u, x)), steps[i].z);
        h = gr_named(gr_tanh(z), steps[i].h);
        gr_name_scope_end(g);
    }
    half_square(f, h, constant(g, "t", 0.5));
}

/* ---- Lessons ---- */

typedef struct lesson {
    const char *name, *title;
    void (*make)(gr_graph *g, figure *f);
    bool deep; /* drawn from top to bottom, and the shares of its tensors, too */
} lesson;

static const lesson lessons[] = {
    {"example_w1", "The step-by-step example: dE/dw1 by its two paths", example_w1, false},
    {"example_h1", "The step-by-step example: dE/dh1 by its two paths", example_h1, false},
    {"xor_w1", "XOR, inputs 0: both paths end in a factor 0", xor_w1, false},
    {"xor_y1", "XOR: dE/dy1_2 by its two paths", xor_y1, false},
    {"vanishing", "Six sigmoid layers with one weight: what each contributes", vanishing, true},
    {"dead_relu", "A dead relu kills its path", dead_relu, false},
    {"recurrent", "One weight in two time steps: its paths add up", recurrent, false},
};

/* ---- Files ---- */

/* DIR/<lesson><suffix> */
static const char *name_file(char path[MAX_PATH], const char *directory, const lesson *l, const char *suffix)
{
    const int n = snprintf(path, MAX_PATH, "%s/%s%s", directory, l->name, suffix);
    return n < MAX_PATH ? path : "";
}

static bool to_file(const char *text, size_t length, void *file)
{
    return fwrite(text, 1, length, file) == length;
}

/* A drawing becomes a picture. True without a dot, too: then there is none. */
static bool render(const char *directory, const lesson *l, const char *dot_suffix, const char *svg_suffix)
{
    char dot[MAX_PATH], svg[MAX_PATH];
    return !graphviz_is_there() || graphviz_render(name_file(dot, directory, l, dot_suffix), "svg",
                                                   name_file(svg, directory, l, svg_suffix));
}

static bool write_paths(const figure *f, const gr_paths_options *o, const char *directory, const lesson *l)
{
    static const struct {
        gr_paths_form form;
        const char *suffix;
    } forms[] = {{GR_PATHS_TEXT, ".txt"}, {GR_PATHS_LATEX, ".tex"}, {GR_PATHS_DOT, ".dot"}};
    char path[MAX_PATH];
    gr_paths *p = gr_paths_create(f->loss, f->by, o);
    bool ok = p && printf("\n%s\n\n", l->title) > 0 && gr_paths_write(p, to_file, stdout, NULL) == GR_OK;
    for (int i = 0; ok && i < 3; i++) {
        const gr_paths_format format = {
            .form = forms[i].form, .document = true, .title = l->title, .top_to_bottom = l->deep};
        ok = gr_paths_write_file(p, name_file(path, directory, l, forms[i].suffix), &format) == GR_OK;
    }
    gr_paths_release(p);
    return ok && render(directory, l, ".dot", ".svg");
}

static bool write_shares(const figure *f, const gr_paths_options *o, const char *directory, const lesson *l)
{
    char path[MAX_PATH];
    gr_shares *s = gr_shares_create(f->loss, f->by, o);
    const gr_paths_format drawing = {
        .form = GR_PATHS_DOT, .title = l->title, .top_to_bottom = l->deep, .digits = 4};
    const bool ok = s &&
                    gr_shares_write_file(s, name_file(path, directory, l, "_shares.txt"), NULL) == GR_OK &&
                    gr_shares_write_file(s, name_file(path, directory, l, "_shares.dot"), &drawing) == GR_OK;
    gr_shares_release(s);
    return ok && render(directory, l, "_shares.dot", "_shares.svg");
}

/* What is written of steps, each to a file of its own. */
typedef enum steps_form { STEPS_TEXT, STEPS_DRAWING, STEPS_HTML } steps_form;

static bool write_steps_file(gr_steps steps, steps_form form, const char *svg, const lesson *l,
                             const char *path)
{
    const gr_steps_style style = {.title = l->title, .downwards = l->deep};
    FILE *file = fopen(path, "w");
    if (!file) return false;
    const gr_status status = form == STEPS_TEXT ? gr_steps_write_text(steps, to_file, file, &style)
                             : form == STEPS_DRAWING
                                 ? gr_steps_write_dot(steps, GR_STEPS_PAGE, to_file, file, &style)
                                 : gr_steps_write_html(steps, svg, to_file, file, &style);
    return (fclose(file) == 0) & (status == GR_OK);
}

static bool write_steps(const figure *f, const gr_steps_options *o, const char *directory, const lesson *l)
{
    char path[MAX_PATH];
    const gr_steps steps = gr_steps_create(f->loss, o);
    bool ok = write_steps_file(steps, STEPS_TEXT, NULL, l, name_file(path, directory, l, "_steps.txt")) &&
              write_steps_file(steps, STEPS_DRAWING, NULL, l, name_file(path, directory, l, "_steps.dot"));
    if (ok && graphviz_is_there()) {
        char *svg = graphviz_svg(path);
        ok = svg && write_steps_file(steps, STEPS_HTML, svg, l, name_file(path, directory, l, "_steps.html"));
        free(svg);
    }
    gr_steps_release(steps);
    return ok;
}

/* One lesson, in a graph of its own, in all its forms. */
static bool teach(const lesson *l, const char *directory)
{
    gr_graph *g = gr_graph_create(NULL);
    if (!g) return false;
    figure f = {.n_names = 0};
    l->make(g, &f);
    const gr_naming names = {.lists = f.names, .n_lists = f.n_names};
    const gr_paths_options o = {.by_element = f.by_element, .only_named = true, .names = names};
    const gr_steps_options s = {.forward = true, .only_named = true, .names = names};
    const bool ok = write_paths(&f, &o, directory, l) && (!l->deep || write_shares(&f, &o, directory, l)) &&
                    write_steps(&f, &s, directory, l);
    if (!ok) {
        const bool known = gr_graph_status(g) != GR_OK;
        fprintf(stderr, "derivation_paths: %s: %s\n", l->name,
                known ? gr_graph_error(g) : "a file could not be written, or dot failed");
    }
    gr_graph_destroy(g);
    return ok;
}

int main(int argc, char **argv)
{
    const char *directory = ".";
    if (argc == 3 && !strcmp(argv[1], "--out")) {
        directory = argv[2];
    } else if (argc != 1) {
        fprintf(stderr, "usage: derivation_paths [--out DIR]\n");
        return 2;
    }
    bool ok = true;
    for (size_t i = 0; i < sizeof lessons / sizeof *lessons; i++) ok = teach(&lessons[i], directory) && ok;
    if (!graphviz_is_there())
        puts("\nThere is no program dot here (it is part of Graphviz): no .svg and no .html was made.");
    else if (ok)
        printf("\nPictures and pages are in %s: open example_w1_steps.html in a browser.\n", directory);
    return ok ? 0 : 1;
}
