/*
 * Modes, frames, bodies, repeated scopes, slices and highlighting of drawings: golden texts of small cases, and random
 * graphs whose drawings are read back and held against what the test knows of them.
 */
#include <gradus.h>
#include "test.h"
#include "drawing.h"

static gr_tensor scalar_param(gr_graph *g, const char *name, double value)
{
    return gr_param(g, name, GR_F64, GR_SCALAR, &value);
}

/* ---- Golden texts ---- */

/* Two layers, of which the second reads what the first made twice; h is retained. */
typedef struct net {
    gr_graph *g;
    gr_tensor w1, w2, x, h, loss;
} net;

static net make_net(void)
{
    net n = {.g = gr_graph_create(NULL)};
    n.w1 = gr_param(n.g, "w1", GR_F64, GR_SHAPE(2, 2), (double[]){0.15, 0.25, 0.2, 0.3});
    n.w2 = gr_param(n.g, "w2", GR_F64, GR_SHAPE(2, 1), (double[]){0.4, -0.45});
    n.x = gr_named(gr_constant(n.g, GR_F64, GR_SHAPE(1, 2), (double[]){0.05, 0.1}), "x");
    gr_name_scope_begin(n.g, "net");
    gr_name_scope_begin(n.g, "hidden");
    n.h = gr_named(gr_retain_grad(gr_tanh(gr_matmul(n.x, n.w1))), "h");
    gr_name_scope_end(n.g);
    gr_name_scope_begin(n.g, "out");
    const gr_tensor y = gr_matmul(n.h, n.w2);
    gr_name_scope_end(n.g);
    gr_name_scope_end(n.g);
    n.loss = gr_named(gr_sum(gr_square(y), GR_ALL_AXES, false), "E");
    return n;
}

static void test_golden(void)
{
    const net n = make_net();
    gr_tensor gradients[2];
    const gr_tensor inputs[] = {n.w1, n.h}, ends[] = {n.w1, n.loss};
    CHECK(gr_grad(1, &n.loss, 2, inputs, NULL, &(gr_grad_options){.record = true}, gradients) == GR_OK);
    CHECK(gr_backward_with(n.loss, &(gr_backward_options){.retain = true}) == GR_OK);
    check_golden(n.loss, "frames", &(gr_dot_options){.legend = true, .show_types = true});
    const gr_dot_options backward = {
        .legend = true, .mode = GR_DOT_BACKWARD, .n_gradients = 2, .gradients = gradients, .inputs = inputs};
    check_golden(n.loss, "backward", &backward);
    gr_dot_options both = backward;
    both.mode = GR_DOT_BOTH;
    check_golden(n.loss, "both", &both);
    check_golden(n.loss, "collapsed", &(gr_dot_options){.legend = true, .collapse_depth = 2});
    check_golden(n.loss, "slice", &(gr_dot_options){.legend = true, .around = n.h, .distance = 2});
    check_golden(n.loss, "highlight", &(gr_dot_options){.legend = true, .n_highlight = 2, .highlight = ends});
    CHECK(gr_graph_status(n.g) == GR_OK);
    gr_graph_destroy(n.g);
}

/* The shape of many networks: h = h + f(h), in scopes "stack/block<i>/f". From `odd` on (none: 0) f is another. */
static gr_tensor blocks(gr_graph *g, int n, int odd)
{
    char name[32];
    gr_tensor h = gr_named(gr_constant(g, GR_F64, GR_SHAPE(3, 2), NULL), "x");
    const gr_tensor shared = gr_param(g, "shared", GR_F64, GR_SHAPE(2), NULL);
    gr_name_scope_begin(g, "stack");
    for (int i = 1; i <= n; i++) {
        snprintf(name, sizeof name, "w%d", i);
        const gr_tensor w = gr_param(g, name, GR_F64, GR_SHAPE(2, 2), NULL);
        snprintf(name, sizeof name, "block%d", i);
        gr_name_scope_begin(g, name);
        gr_name_scope_begin(g, "f");
        const gr_tensor z = gr_add(gr_matmul(h, w), shared), f = odd > 0 && i >= odd ? gr_sin(z) : gr_tanh(z);
        gr_name_scope_end(g);
        h = gr_add(h, f);
        gr_name_scope_end(g);
    }
    gr_name_scope_end(g);
    return gr_named(gr_sum(h, GR_ALL_AXES, false), "E");
}

static void test_golden_fold(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor e = blocks(g, 12, 0);
    check_golden(e, "fold", &(gr_dot_options){.legend = true, .fold = true});
    check_golden(e, "fold_collapsed", &(gr_dot_options){.fold = true, .collapse_depth = 2, .ascii = true});
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* ---- Drawings read back ---- */

enum { MOST_NODES = 400, MOST_ARROWS = 1600, MOST_PATH = 200 };

typedef struct drawn_arrow {
    int from, to, count;
    bool marked, onward;
} drawn_arrow;

typedef struct drawn_node {
    char name[MOST_PATH];  /* the first bold text of the label */
    char frame[MOST_PATH]; /* titles of the frames around it, with slashes */
    bool box, marked, cut_in, cut_out;
} drawn_node;

/* What a drawing says. */
typedef struct drawn {
    int n_nodes, n_arrows;
    drawn_node node[MOST_NODES];
    drawn_arrow arrow[MOST_ARROWS];
} drawn;

static void copy_between(char to[MOST_PATH], const char *text, const char *before, const char *after)
{
    const char *at = strstr(text, before);
    to[0] = '\0';
    if (!at) return;
    at += strlen(before);
    const char *end = strstr(at, after);
    if (end && end - at < MOST_PATH) snprintf(to, MOST_PATH, "%.*s", (int)(end - at), at);
}

static void read_node(drawn *d, const char *line)
{
    int id = 0;
    char what[16] = "";
    if (sscanf(line, "  n%d%15[_a-z] [", &id, what) == 2) { /* "n5_in", "n5_out": a stub of node 5 */
        if (strcmp(what, "_in") == 0) d->node[id].cut_in = true;
        if (strcmp(what, "_out") == 0) d->node[id].cut_out = true;
        return;
    }
    CHECK(id == d->n_nodes && id < MOST_NODES);
    if (id >= MOST_NODES) return;
    drawn_node *node = &d->node[d->n_nodes++];
    copy_between(node->name, line, "<B>", "</B>");
    const size_t length = strlen(node->name); /* what follows a name stands behind a blank */
    if (length > 0 && node->name[length - 1] == ' ') node->name[length - 1] = '\0';
    node->box = strstr(line, "shape=box3d") != NULL;
    node->marked = strstr(line, "#0072B2") != NULL;
}

static void read_arrow(drawn *d, const char *line)
{
    drawn_arrow a = {.count = 1};
    if (strstr(line, "_in ->") || strstr(line, "_out [")) return;
    CHECK(sscanf(line, "  n%d -> n%d", &a.from, &a.to) == 2 && d->n_arrows < MOST_ARROWS);
    if (strstr(line, "dir=back")) {
        const int from = a.from;
        a.from = a.to;
        a.to = from;
    }
    const char *count = strstr(line, "label=\"×");
    if (count) a.count = atoi(count + strlen("label=\"×"));
    a.marked = strstr(line, "#0072B2") != NULL;
    a.onward = strstr(line, "style=dotted") != NULL;
    if (d->n_arrows < MOST_ARROWS) d->arrow[d->n_arrows++] = a;
}

/* Frames are read by their titles; `path` grows and shrinks with them. */
static void read_frame_line(drawn *d, const char *line, char path[MOST_PATH])
{
    char title[MOST_PATH];
    if (strstr(line, "label=\"")) {
        copy_between(title, line, "label=\"", "\";");
        const size_t length = strlen(path), slash = length > 0;
        CHECK(length + slash + strlen(title) < MOST_PATH);
        if (length + slash + strlen(title) >= MOST_PATH) return;
        if (slash) path[length] = '/';
        strcpy(path + length + slash, title);
    } else if (strcmp(line, "  }") == 0) {
        char *slash = strrchr(path, '/');
        *(slash ? slash : path) = '\0';
    } else {
        for (const char *at = strchr(line, 'n'); at; at = strchr(at + 1, 'n')) {
            const int id = atoi(at + 1);
            CHECK(id < d->n_nodes && !*d->node[id].frame);
            if (id < d->n_nodes) snprintf(d->node[id].frame, MOST_PATH, "%s", path);
        }
    }
}

static drawn *read_drawing(gr_tensor root, const gr_dot_options *options)
{
    drawn *d = calloc(1, sizeof *d);
    char *text = text_of(root, options), path[MOST_PATH] = "";
    CHECK(text != NULL);
    bool in_frames = false;
    for (char *line = text ? strtok(text, "\n") : NULL; line; line = strtok(NULL, "\n")) {
        if (strncmp(line, "  subgraph", 10) == 0)
            in_frames = true;
        else if (strncmp(line, "  n", 3) == 0 && strncmp(line, "  node", 6) != 0)
            (strstr(line, " -> ") ? read_arrow : read_node)(d, line);
        else if (in_frames && (line[2] == ' ' || strcmp(line, "  }") == 0))
            read_frame_line(d, line, path);
    }
    CHECK(path[0] == '\0');
    free(text);
    return d;
}

static int node_named(const drawn *d, const char *name)
{
    for (int i = 0; i < d->n_nodes; i++)
        if (strcmp(d->node[i].name, name) == 0) return i;
    return -1;
}

static int arrows_between(const drawn *d, int from, int to)
{
    int n = 0;
    for (int i = 0; i < d->n_arrows; i++)
        if (d->arrow[i].from == from && d->arrow[i].to == to) n += d->arrow[i].count;
    return n;
}

static int all_arrows(const drawn *d)
{
    int n = 0;
    for (int i = 0; i < d->n_arrows; i++) n += d->arrow[i].count;
    return n;
}

/* ---- Random graphs ---- */

enum { TENSORS = 40, LEAVES = 8, GRAPHS = 60 };

/* A graph of scalars, each with a name, and what it should look like. */
typedef struct known {
    gr_graph *g;
    uint64_t state;
    gr_tensor t[TENSORS];
    char name[TENSORS][16], scope[TENSORS][MOST_PATH];
    int n_operands[TENSORS], operand[TENSORS][2];
    bool leaf[TENSORS], param[TENSORS], drawn[TENSORS];
} known;

static uint32_t pick(known *k, uint32_t below)
{
    k->state = k->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(k->state >> 33) % below;
}

static void random_scope(known *k, int *depth)
{
    static const char *const names[] = {"a", "b", "c"};
    while (*depth > 0 && pick(k, 3) == 0) {
        gr_name_scope_end(k->g);
        (*depth)--;
    }
    if (*depth < 3 && pick(k, 3) == 0) {
        gr_name_scope_begin(k->g, names[pick(k, 3)]);
        (*depth)++;
    }
}

static void add_tensor(known *k, int i)
{
    const int a = (int)pick(k, (uint32_t)i), b = i < LEAVES + 3 ? a : i - 1 - (int)pick(k, 3);
    const bool two = pick(k, 3) > 0;
    k->operand[i][0] = a;
    k->operand[i][1] = b;
    k->t[i] = !two ? gr_sin(k->t[a]) : pick(k, 2) ? gr_add(k->t[a], k->t[b]) : gr_sub(k->t[a], k->t[b]);
    k->n_operands[i] = gr_requires_grad(k->t[i]) ? 1 + two : 0;
    k->leaf[i] = k->n_operands[i] == 0;
}

/* The scope of a parameter: what the paths of all its users have in common. */
static void place_param(known *k, int i, const bool *in)
{
    bool first = true;
    k->scope[i][0] = '\0';
    for (int user = 0; user < TENSORS; user++) {
        for (int o = 0; o < k->n_operands[user]; o++) {
            if (!in[user] || k->operand[user][o] != i) continue;
            if (first) strcpy(k->scope[i], k->scope[user]);
            first = false;
            size_t same = 0;
            const char *a = k->scope[i], *b = k->scope[user];
            while (a[same] && a[same] == b[same]) same++;
            while (same > 0 && !((a[same] == '\0' || a[same] == '/') && (b[same] == '\0' || b[same] == '/')))
                same--;
            k->scope[i][same] = '\0';
        }
    }
}

static known *make_known(uint64_t seed)
{
    known *k = calloc(1, sizeof *k);
    k->g = gr_graph_create(NULL);
    k->state = seed;
    int depth = 0;
    for (int i = 0; i < TENSORS; i++) {
        snprintf(k->name[i], sizeof k->name[i], "t%d", i);
        if (i < LEAVES) {
            k->param[i] = i % 4 != 3;
            k->leaf[i] = true;
            k->t[i] = k->param[i] ? scalar_param(k->g, k->name[i], i)
                                  : gr_named(gr_constant(k->g, GR_F64, GR_SCALAR, NULL), k->name[i]);
            continue;
        }
        random_scope(k, &depth);
        add_tensor(k, i);
        gr_named(k->t[i], k->name[i]);
        snprintf(k->scope[i], MOST_PATH, "%s", gr_name_scope_of(k->t[i]));
    }
    while (depth-- > 0) gr_name_scope_end(k->g);
    k->drawn[TENSORS - 1] = true;
    for (int i = TENSORS; i-- > 0;)
        for (int o = 0; o < k->n_operands[i]; o++) k->drawn[k->operand[i][o]] |= k->drawn[i];
    CHECK(gr_graph_status(k->g) == GR_OK);
    return k;
}

static void free_known(known *k)
{
    CHECK(gr_graph_status(k->g) == GR_OK);
    CHECK_TEXT(gr_graph_error(k->g), "");
    gr_graph_destroy(k->g);
    free(k);
}

/* Which tensors an arrow of the test's own knowledge leads between, in either direction. In both, leaves lead nowhere
   but in the first step. */
static void spread(const known *k, bool *in, bool up, bool down, int steps)
{
    for (int step = 0; step < steps; step++) {
        const bool past_leaves = step == 0 || !down;
        bool next[TENSORS];
        memcpy(next, in, sizeof next);
        for (int i = 0; i < TENSORS; i++)
            for (int o = 0; k->drawn[i] && o < k->n_operands[i]; o++) {
                const int operand = k->operand[i][o];
                if (down && in[i]) next[operand] = true;
                if (up && in[operand] && (past_leaves || !k->leaf[operand])) next[i] = true;
            }
        memcpy(in, next, sizeof next);
    }
}

/* The drawing shows these tensors, and exactly the arrows between them, in topological order. */
static void check_drawn(known *k, const gr_dot_options *options, const bool *in)
{
    for (int i = 0; i < LEAVES; i++)
        if (k->param[i]) place_param(k, i, in);
    drawn *d = read_drawing(k->t[TENSORS - 1], options);
    int n = 0, arrows = 0;
    for (int i = 0; i < TENSORS; i++) {
        const int id = node_named(d, k->name[i]);
        CHECK((id >= 0) == in[i]);
        n += in[i];
        if (id < 0) continue;
        CHECK(strcmp(d->node[id].frame, k->scope[i]) == 0);
        bool cut_in = false, cut_out = false;
        for (int o = 0; o < k->n_operands[i]; o++) {
            const int other = k->operand[i][o];
            const bool twice = k->n_operands[i] == 2 && k->operand[i][1 - o] == other;
            cut_in |= !in[other];
            arrows += in[other];
            if (in[other]) CHECK(arrows_between(d, node_named(d, k->name[other]), id) == 1 + twice);
        }
        for (int user = 0; user < TENSORS; user++)
            for (int o = 0; o < k->n_operands[user]; o++)
                cut_out |= k->operand[user][o] == i && k->drawn[user] && !in[user];
        CHECK(d->node[id].cut_in == cut_in && d->node[id].cut_out == cut_out);
    }
    CHECK(d->n_nodes == n && all_arrows(d) == arrows && d->n_arrows == arrows);
    for (int i = 0; i < d->n_arrows; i++) CHECK(d->arrow[i].from < d->arrow[i].to);
    free(d);
}

static void test_random_slices(void)
{
    for (uint64_t seed = 1; seed <= GRAPHS; seed++) {
        known *k = make_known(seed);
        check_drawn(k, NULL, k->drawn);
        int x, y, distance = 1 + (int)pick(k, 4);
        do x = (int)pick(k, TENSORS);
        while (!k->drawn[x]);
        do y = (int)pick(k, TENSORS);
        while (!k->drawn[y]);
        bool above[TENSORS] = {false}, below[TENSORS] = {false}, near[TENSORS] = {false}, part[TENSORS];
        above[x] = below[y] = near[x] = true;
        spread(k, above, false, true, TENSORS);
        spread(k, below, true, false, TENSORS);
        spread(k, near, true, true, distance);
        check_drawn(k, &(gr_dot_options){.ancestors_of = k->t[x]}, above);
        check_drawn(k, &(gr_dot_options){.descendants_of = k->t[y]}, below);
        check_drawn(k, &(gr_dot_options){.around = k->t[x], .distance = distance}, near);
        for (int i = 0; i < TENSORS; i++) part[i] = above[i] && below[i];
        check_drawn(k, &(gr_dot_options){.ancestors_of = k->t[x], .descendants_of = k->t[y]}, part);
        free_known(k);
    }
}

/* Steps that have nothing in common but their weight are not near each other. */
static void test_around_in_a_recurrence(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor w = scalar_param(g, "w", 0.5);
    gr_tensor h = gr_named(gr_constant(g, GR_F64, GR_SCALAR, NULL), "h0");
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof name, "h%d", i + 1);
        h = gr_named(gr_tanh(gr_mul(h, w)), name);
    }
    drawn *d = read_drawing(h, &(gr_dot_options){.around = h, .distance = 5});
    CHECK(node_named(d, "h3") >= 0 && node_named(d, "w") >= 0 && node_named(d, "h2") < 0);
    CHECK(d->n_nodes == 7 && d->node[node_named(d, "w")].cut_out);
    free(d);
    d = read_drawing(h, &(gr_dot_options){.around = w}); /* here they are what is asked for */
    CHECK(d->n_nodes == 6);
    free(d);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

static void test_random_highlights(void)
{
    for (uint64_t seed = 1; seed <= GRAPHS; seed++) {
        known *k = make_known(seed);
        bool above[TENSORS] = {false}, below[TENSORS] = {false};
        gr_tensor ends[3];
        for (int i = 0; i < 3; i++) {
            int x;
            do x = (int)pick(k, TENSORS);
            while (!k->drawn[x]);
            ends[i] = k->t[x];
            above[x] = below[x] = true;
        }
        spread(k, above, false, true, TENSORS);
        spread(k, below, true, false, TENSORS);
        drawn *d = read_drawing(k->t[TENSORS - 1], &(gr_dot_options){.n_highlight = 3, .highlight = ends});
        for (int i = 0; i < TENSORS; i++) {
            const int id = node_named(d, k->name[i]);
            if (id >= 0) CHECK(d->node[id].marked == (above[i] && below[i]));
        }
        for (int i = 0; i < d->n_arrows; i++) {
            const drawn_arrow *a = &d->arrow[i];
            CHECK(a->marked == (d->node[a->from].marked && d->node[a->to].marked));
        }
        free(d);
        free_known(k);
    }
}

/* ---- Boxes ---- */

/* What stands for a tensor: its name, or the outermost of the scopes around it of a depth. */
static void group_of(const known *k, int i, int depth, char to[MOST_PATH])
{
    snprintf(to, MOST_PATH, "%s", k->scope[i]);
    for (char *slash = to; *slash; slash++)
        if (*slash == '/' && --depth == 0) *slash = '\0';
    if (depth > 1 || !*to) snprintf(to, MOST_PATH, "%s", k->name[i]);
}

/* Every arrow between two groups is there, counted; none inside one; nothing else is drawn. */
static void check_collapsed(const known *k, int depth)
{
    const gr_dot_options options = {.collapse_depth = depth};
    drawn *d = read_drawing(k->t[TENSORS - 1], &options);
    int between = 0, expected_nodes = 0;
    bool seen[MOST_NODES] = {false};
    for (int i = 0; i < TENSORS; i++) {
        char group[MOST_PATH];
        group_of(k, i, depth, group);
        const int id = node_named(d, group);
        if (!k->drawn[i]) continue;
        CHECK(id >= 0 && d->node[id].box == (strcmp(group, k->name[i]) != 0));
        if (id < 0) continue;
        expected_nodes += !seen[id];
        seen[id] = true;
        for (int o = 0; o < k->n_operands[i]; o++) {
            char other[MOST_PATH];
            group_of(k, k->operand[i][o], depth, other);
            if (strcmp(group, other) == 0) continue;
            between++;
            int expected = 0; /* all arrows between these two groups */
            for (int v = 0; v < TENSORS; v++)
                for (int q = 0; k->drawn[v] && q < k->n_operands[v]; q++) {
                    char from[MOST_PATH], to[MOST_PATH];
                    group_of(k, k->operand[v][q], depth, from);
                    group_of(k, v, depth, to);
                    expected += strcmp(from, other) == 0 && strcmp(to, group) == 0;
                }
            CHECK(arrows_between(d, node_named(d, other), id) == expected);
        }
    }
    CHECK(d->n_nodes == expected_nodes && all_arrows(d) == between);
    free(d);
}

static void test_random_boxes(void)
{
    for (uint64_t seed = 1; seed <= GRAPHS; seed++) {
        known *k = make_known(seed);
        for (int i = 0; i < LEAVES; i++)
            if (k->param[i]) place_param(k, i, k->drawn);
        for (int depth = 1; depth <= 4; depth++) check_collapsed(k, depth);
        free_known(k);
    }
}

static void test_box_says(void)
{
    const net n = make_net();
    char *text = text_of(n.loss, &(gr_dot_options){.collapse_depth = 1});
    CHECK_TEXT(line_of(text, "n1"),
               "<B>net</B></TD></TR><TR><TD>3 operations</TD></TR><TR><TD>6 parameters</TD></TR>"
               "<TR><TD>→ 1×1</TD>");
    CHECK(count_of(text, " -> ") == 3 && count_of(text, "subgraph") == 0);
    free(text);
    const char *names[] = {"net/hid*", "net/out"};
    text = text_of(n.loss, &(gr_dot_options){.n_collapse = 2, .collapse = names, .no_frames = true});
    CHECK_TEXT(text, "<B>net/hidden</B>");
    CHECK_TEXT(text, "<B>net/out</B>");
    CHECK(count_of(text, "subgraph") == 0 && count_of(text, "box3d") == 2);
    free(text);
    text = text_of(n.h, &(gr_dot_options){.collapse_depth = 1, .legend = true}); /* the root in a box */
    CHECK_TEXT(line_of(text, "n1"), "<TD>4 parameters</TD></TR><TR><TD>→ 1×2</TD>");
    CHECK_TEXT(line_of(text, "n1"), "peripheries=2");
    free(text);
    gr_graph_destroy(n.g);
}

/* Boxes are named, shaped and counted as the rows of the table of the same pass are. */
static void test_layers_as_in_the_summary(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_mlp coder = gr_mlp_create(g, "coder.", GR_F32, 3, (int64_t[]){784, 300, 20}, gr_relu, NULL);
    const gr_linear top = gr_linear_create(g, "top", GR_F32, 20, 1, NULL);
    const gr_tensor x = gr_constant(g, GR_F32, GR_SHAPE(8, 784), NULL);
    gr_name_scope_begin(g, "model");
    gr_tensor y = gr_tanh(gr_mlp_forward(coder, x));
    for (int i = 0; i < 2; i++) y = gr_mul(gr_linear_forward(top, y), y); /* a layer that is used twice */
    gr_name_scope_end(g);
    y = gr_mean(y, GR_ALL_AXES, false);
    char *text = text_of(y, &(gr_dot_options){.collapse_layers = true}), table[4096];
    CHECK(gr_model_summary_string(y, table, sizeof table, NULL, NULL) == GR_OK);
    CHECK_TEXT(text,
               "<B>model/coder/fc1</B></TD></TR><TR><TD>2 operations</TD></TR><TR><TD>235,500 parameters</TD>"
               "</TR><TR><TD>→ 8×300</TD>");
    CHECK_TEXT(table, "\n    fc1   f32 [8, 300]     235,500 ");
    CHECK_TEXT(text,
               "<B>model/coder/fc2</B></TD></TR><TR><TD>2 operations</TD></TR><TR><TD>6,020 parameters</TD>"
               "</TR><TR><TD>→ 8×20</TD>");
    CHECK_TEXT(table, "\n    fc2   f32 [8, 20]        6,020 ");
    CHECK_TEXT(text, "<B>model/top</B></TD></TR><TR><TD>4 operations</TD></TR><TR><TD>21 parameters</TD>");
    CHECK_TEXT(table, "\n  top     f32 [8, 1]            21 ");
    CHECK(count_of(text, "box3d") == 3 && count_of(text, "subgraph") == 2);
    CHECK_TEXT(text, "label=\"model\"");
    CHECK_TEXT(text, "label=\"coder\"");
    free(text);
    CHECK(gr_dot_write_file(y, DRAWINGS "/layers.dot",
                            &(gr_dot_options){.collapse_layers = true, .fold = true}) == GR_OK);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* What a rule reads of a box are its results, not its parameters. */
static void test_parameters_are_no_results(void)
{
    const net n = make_net();
    gr_tensor gradient;
    CHECK(gr_grad(1, &n.loss, 1, &n.w1, NULL, &(gr_grad_options){.record = true}, &gradient) == GR_OK);
    char *text = text_of(
        n.loss, &(gr_dot_options){
                    .mode = GR_DOT_BOTH, .n_gradients = 1, .gradients = &gradient, .collapse_depth = 1});
    CHECK_TEXT(line_of(text, "n1"), "<TD>6 parameters</TD></TR><TR><TD>→ 1×2, 1×1</TD></TR></TABLE>");
    free(text);
    gr_graph_destroy(n.g);
}

/* ---- Repeated scopes ---- */

static void test_fold_counts(void)
{
    enum { N = 7, ALL = 7 * N + 1 };
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor e = blocks(g, N, 0);
    drawn *plain = read_drawing(e, NULL), *d = read_drawing(e, &(gr_dot_options){.fold = true});
    CHECK(all_arrows(plain) == ALL);
    const int x = node_named(d, "x"), shared = node_named(d, "shared"), w = node_named(d, "w1");
    CHECK(d->n_nodes == 8 && node_named(d, "w2") < 0);
    CHECK(strcmp(d->node[w].frame, "stack/block1 … block7  ×7/f") == 0);
    CHECK(strcmp(d->node[shared].frame, "stack") == 0 && strcmp(d->node[x].frame, "") == 0);
    int inside = 0, on = 0, other = 0;
    for (int i = 0; i < d->n_arrows; i++) {
        const drawn_arrow *a = &d->arrow[i];
        const bool from = strstr(d->node[a->from].frame, "block1"),
                   to = strstr(d->node[a->to].frame, "block1");
        CHECK(!a->onward || (from && to));
        *(a->onward ? &on : from && to ? &inside : &other) += a->count;
    }
    CHECK(on == 2 * (N - 1)); /* h goes into f, and around it */
    CHECK(N * inside + on + other == ALL);
    CHECK(arrows_between(d, shared, d->n_nodes - 4) == N); /* not five, not two: one of seven */
    free(plain);
    free(d);
    gr_graph_destroy(g);
}

/* The titles of frames that stand for others. */
static int repeats_in(gr_tensor root, const char *title)
{
    char *text = text_of(root, &(gr_dot_options){.fold = true});
    const int all = count_of(text, "  ×"), these = count_of(text, title);
    free(text);
    return all == these ? all : -1;
}

static void test_what_is_folded(void)
{
    gr_graph *g = gr_graph_create(NULL);
    CHECK(repeats_in(blocks(g, 1, 0), "  ×") == 0);
    gr_graph_destroy(g);
    g = gr_graph_create(NULL); /* the sixth and those behind it are others */
    char *text = text_of(blocks(g, 8, 6), &(gr_dot_options){.fold = true});
    CHECK_TEXT(text, "label=\"block1 … block5  ×5\"");
    CHECK_TEXT(text, "label=\"block6 … block8  ×3\"");
    free(text);
    gr_graph_destroy(g);

    g = gr_graph_create(NULL);
    const gr_tensor p = gr_param(g, "p", GR_F64, GR_SHAPE(4), NULL),
                    q = gr_param(g, "q", GR_F64, GR_SHAPE(4), NULL);
    gr_tensor h = p, parts[4];
    for (int i = 0; i < 4; i++) { /* side by side; inside each, two that are alike */
        gr_name_scope_begin(g, (const char *[]){"h1", "h2", "h3", "h4"}[i]);
        for (int j = 0; j < 2; j++) {
            gr_name_scope_begin(g, j ? "second" : "first");
            h = gr_exp(gr_sin(j ? h : p));
            gr_name_scope_end(g);
        }
        parts[i] = h;
        gr_name_scope_end(g);
    }
    const gr_tensor heads = gr_concat(4, parts, 0);
    text = text_of(heads, &(gr_dot_options){.fold = true});
    CHECK_TEXT(text, "label=\"h1 … h4  ×4\"");
    CHECK_TEXT(text, "label=\"first … second  ×2\"");
    CHECK(count_of(text, "[label=<") == 4); /* p, sin, exp, concat */
    free(text);
    /* An operation between two, a scope that is come back to, another wiring, another shape: not alike. */
    gr_tensor a[8];
    for (int i = 0; i < 8; i++) {
        gr_name_scope_begin(g, (const char *[]){"s1", "s2", "s1", "s3", "s4", "s5", "s6", "s7"}[i]);
        const gr_tensor in = i < 7 ? p : gr_concat(2, (gr_tensor[]){p, q}, 0);
        const gr_tensor z = gr_sin(in);
        a[i] = gr_sub(i == 5 ? in : z, i == 6 || i == 5 ? z : in);
        gr_name_scope_end(g);
        if (i == 3) a[i] = gr_neg(a[i]);
    }
    CHECK(repeats_in(gr_concat(8, a, 0), "  ×") == 0);
    for (int i = 0; i < 2; i++) { /* two of its inputs are one in the other */
        gr_name_scope_begin(g, i ? "t2" : "t1");
        a[i] = gr_sub(p, i ? p : q);
        gr_name_scope_end(g);
    }
    a[2] = q; /* so that it is in no scope */
    CHECK(repeats_in(gr_concat(3, a, 0), "  ×") == 0);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* ---- Backward graphs ---- */

static void test_random_backward(void)
{
    for (uint64_t seed = 1; seed <= GRAPHS; seed++) {
        known *k = make_known(seed);
        const gr_tensor root = k->t[TENSORS - 1];
        int x = 0;
        while (x < LEAVES && !(k->param[x] && k->drawn[x])) x++;
        if (x == LEAVES) {
            free_known(k);
            continue;
        }
        gr_tensor gradient;
        CHECK(gr_grad(1, &root, 1, &k->t[x], NULL, &(gr_grad_options){.record = true}, &gradient) == GR_OK);
        gr_dot_options o = {
            .mode = GR_DOT_BACKWARD, .n_gradients = 1, .gradients = &gradient, .inputs = &k->t[x]};
        drawn *forward = read_drawing(root, NULL), *whole = read_drawing(gradient, NULL),
              *backward = read_drawing(root, &o);
        o.mode = GR_DOT_BOTH;
        drawn *both = read_drawing(root, &o);
        /* Of the gradient's whole graph the backward one has all arrows but those of the forward graph. */
        bool read[TENSORS] = {false};
        for (int i = 0; i < TENSORS; i++) read[i] = node_named(whole, k->name[i]) >= 0;
        int n_read = 0, forward_arrows = 0;
        for (int i = 0; i < TENSORS; i++) {
            n_read += read[i];
            forward_arrows += read[i] ? k->n_operands[i] : 0;
        }
        CHECK(all_arrows(backward) == all_arrows(whole) - forward_arrows);
        CHECK(all_arrows(both) == all_arrows(forward) + all_arrows(backward));
        CHECK(both->n_nodes == forward->n_nodes + whole->n_nodes - n_read);
        for (int i = 0; i < both->n_arrows; i++) {
            const drawn_arrow *a = &both->arrow[i];
            const bool from = strncmp(both->node[a->from].frame, "forward", 7) == 0,
                       to = strncmp(both->node[a->to].frame, "forward", 7) == 0;
            CHECK(from || !to); /* the forward pass reads nothing of the backward pass */
            CHECK(a->from < a->to);
        }
        free(forward);
        free(whole);
        free(backward);
        free(both);
        free_known(k);
    }
}

/* d(a + b)/da and d(a + b)/db are one tensor; a gradient that is the seed itself has no history. */
static void test_gradient_of_several(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor inputs[] = {scalar_param(g, "a", 1), scalar_param(g, "<b>", 2)};
    const gr_tensor y = gr_add(inputs[0], inputs[1]);
    gr_tensor gradients[2];
    CHECK(gr_grad(1, &y, 2, inputs, NULL, &(gr_grad_options){.record = true}, gradients) == GR_OK);
    gr_dot_options o = {
        .mode = GR_DOT_BACKWARD, .n_gradients = 2, .gradients = gradients, .inputs = inputs, .ascii = true};
    char *text = text_of(y, &o);
    CHECK_TEXT(line_of(text, "n0"), "<B>dy/da</B>");
    CHECK_TEXT(text, "<B>dy/d&#60;b&#62;</B>");
    CHECK(count_of(text, " -> ") == 0);
    free(text);
    o.inputs = NULL;
    text = text_of(y, &o);
    CHECK(text && count_of(text, "dy/") == 0);
    free(text);
    /* The second derivative: what is forward for it is the first one and all before it. */
    const gr_tensor z = gr_mul(gr_sin(inputs[0]), inputs[0]), first = gr_derivative(z, inputs[0]),
                    second = gr_derivative(first, inputs[0]);
    const gr_dot_options twice = {
        .mode = GR_DOT_BOTH, .n_gradients = 1, .gradients = &second, .legend = true};
    CHECK(gr_dot_write_file(first, DRAWINGS "/second_derivative.dot", &twice) == GR_OK);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* ---- Single numbers ---- */

/* The worked example of two inputs, two hidden and two output neurons, one bias for each layer. */
static gr_tensor example(gr_graph *g)
{
    const gr_tensor w1 = gr_param(g, "W1", GR_F64, GR_SHAPE(2, 2), (double[]){0.15, 0.25, 0.2, 0.3}),
                    w2 = gr_param(g, "W2", GR_F64, GR_SHAPE(2, 2), (double[]){0.4, 0.5, 0.45, 0.55}),
                    b1 = scalar_param(g, "b1", 0.35), b2 = scalar_param(g, "b2", 0.6),
                    i = gr_named(gr_constant(g, GR_F64, GR_SHAPE(1, 2), (double[]){0.05, 0.1}), "i"),
                    t = gr_named(gr_constant(g, GR_F64, GR_SHAPE(1, 2), (double[]){0.01, 0.99}), "t");
    gr_name_scope_begin(g, "hidden layer");
    const gr_tensor h = gr_named(gr_sigmoid(gr_named(gr_add(gr_matmul(i, w1), b1), "net_h")), "h");
    gr_name_scope_end(g);
    gr_name_scope_begin(g, "output layer");
    const gr_tensor o = gr_named(gr_sigmoid(gr_named(gr_add(gr_matmul(h, w2), b2), "net_o")), "o");
    gr_name_scope_end(g);
    return gr_named(gr_half_sum_squares(o, t), "E");
}

static void test_golden_scalars(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor e = example(g);
    const gr_element_names lists[] = {{gr_param_find(g, "W1"), "w1 w3 w2 w4"},
                                      {gr_param_find(g, "W2"), "w5 w7 w6 w8"}};
    const gr_dot_options options = {
        .mode = GR_DOT_SCALARS, .legend = true, .names = {.lists = lists, .n_lists = 2}};
    check_golden(e, "scalars", &options);
    char *text = text_of(e, &options);
    CHECK_TEXT(text, "[label=<w1 = 0.15<BR/><I>grad +0.000438568</I>>];"); /* as the books have it */
    CHECK_TEXT(text, "[label=<w5 = 0.4<BR/><I>grad +0.0821670</I>>];");
    CHECK(count_of(text, "+ b1 = 0.35 &#160;<I>grad +0.0187256</I>") == 2 && count_of(text, "<B>b1") == 0);
    CHECK(count_of(text, "matmul") == 0); /* a part of net_h and net_o */
    free(text);
    text = text_of(e,
                   &(gr_dot_options){
                       .mode = GR_DOT_SCALARS, .hide_gradients = true, .hide_values = true, .ascii = true});
    CHECK_TEXT(text, "[label=<W1[0,0]>];");
    CHECK(count_of(text, "0.15") == 0 && count_of(text, "<I>") == 0);
    for (const char *c = text; c && *c; c++) CHECK(*c == '\n' || (*c >= ' ' && *c <= '~'));
    free(text);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* What is written at an arrow has no other role. */
static void test_factors_and_others(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor u = scalar_param(g, "u", 2), v = scalar_param(g, "v", 3), w = scalar_param(g, "w", 5);
    const gr_tensor x = gr_named(gr_constant(g, GR_F64, GR_SCALAR, (double[]){7}), "x");
    const gr_dot_options options = {.mode = GR_DOT_SCALARS};
    char *text = text_of(gr_add(gr_mul(u, x), gr_mul(x, u)), &options); /* a factor, twice */
    CHECK(count_of(text, "[label=<u = 2<BR/><I>grad +14</I>>]") == 2 && count_of(text, "<B>u") == 0);
    free(text);
    text = text_of(gr_mul(u, v), &options); /* of two parameters neither is written at the other's arrow */
    CHECK(count_of(text, "<B>u") == 1 && count_of(text, "<B>v") == 1 && count_of(text, " -> ") == 2);
    free(text);
    text = text_of(gr_square(w), &options);
    CHECK(count_of(text, "<B>w") == 1);
    free(text);
    text = text_of(gr_mul(w, gr_exp(w)), &options);
    CHECK(count_of(text, "<B>w") == 1 && count_of(text, " -> ") == 3);
    free(text);
    text = text_of(gr_add(gr_exp(gr_mul(u, x)), v),
                   &options); /* a product on its own stays, the term is in the sum */
    CHECK(count_of(text, "<B>mul") == 1 && count_of(text, "+ v = 3 &#160;<I>grad +1</I>") == 1);
    CHECK_TEXT(text, "[label=<u = 2");
    free(text);
    const gr_tensor m = gr_mul(u, x); /* a product in two sums is a part of neither */
    text = text_of(gr_div(gr_add(m, v), gr_add(m, w)), &options);
    CHECK(count_of(text, "<B>mul") == 1 && count_of(text, " -> ") == 5);
    free(text);
    text = text_of(u, &options);
    CHECK(count_of(text, "<B>u </B>= 2") == 1 && count_of(text, " -> ") == 0);
    free(text);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* ---- As people draw ---- */

/* Networks of the usual kinds, and hostile names, in all that can be asked for: for dot_renders. */
static void test_networks(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_mlp mlp = gr_mlp_create(g, "mlp.", GR_F64, 4, (int64_t[]){3, 4, 4, 2}, gr_relu, gr_init_he_normal);
    const gr_tensor x = gr_named(gr_ones(g, GR_F64, GR_SHAPE(5, 3)), "x"),
                    labels = gr_zeros(g, GR_I32, GR_SHAPE(5));
    const gr_tensor loss = gr_named(gr_softmax_cross_entropy(gr_mlp_forward(mlp, x), labels), "loss");
    gr_tensor gradients[2];
    const gr_tensor inputs[] = {mlp.layers[0].weight, mlp.layers[2].bias};
    CHECK(gr_grad(1, &loss, 2, inputs, NULL, &(gr_grad_options){.record = true}, gradients) == GR_OK);
    gr_dot_options o = {.title = "mlp", .legend = true};
    CHECK(gr_dot_write_file(loss, DRAWINGS "/mlp.dot", &o) == GR_OK);
    o.mode = GR_DOT_BOTH;
    o.n_gradients = 2;
    o.gradients = gradients;
    o.inputs = inputs;
    o.collapse_depth = 2;
    CHECK(gr_dot_write_file(loss, DRAWINGS "/mlp_both_collapsed.dot", &o) == GR_OK);
    char *text = text_of(loss, &o); /* a body says of which gradients it is made */
    CHECK_TEXT(text, "→ 3×4</TD></TR><TR><TD><B>∂loss/∂mlp.fc1.weight</B></TD></TR>");
    CHECK(count_of(text, "<B>∂loss") == 2);
    free(text);
    o.direction = GR_DOT_TOP_TO_BOTTOM;
    o.n_highlight = 2;
    o.highlight = (gr_tensor[]){inputs[0], gradients[0]};
    o.collapse_depth = 0;
    CHECK(gr_dot_write_file(loss, DRAWINGS "/mlp_both_highlight.dot", &o) == GR_OK);
    o = (gr_dot_options){.mode = GR_DOT_SCALARS, .legend = true, .digits = 3};
    const gr_tensor one = gr_slice(x, 0, 0, 1, 1),
                    e = gr_half_sum_squares(gr_mlp_forward(mlp, one), gr_zeros(g, GR_F64, GR_SHAPE(1, 2)));
    CHECK(gr_dot_write_file(e, DRAWINGS "/mlp_scalars.dot", &o) == GR_OK);
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

static void test_hostile_scopes(void)
{
    static const char *const names[] = {"\"quoted\" \\N \\G", "<b>&amp;</b>", "]>; } --> {",
                                        "σ 梯度😀\n\x01\xff", "%s"};
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor y = scalar_param(g, "p", 1);
    for (int i = 0; i < 5; i++) {
        gr_name_scope_begin(g, names[i]);
        y = gr_exp(y);
    }
    for (int i = 0; i < 5; i++) gr_name_scope_end(g);
    for (int ascii = 0; ascii < 2; ascii++) {
        const gr_dot_options frames = {.ascii = ascii},
                             boxes = {.ascii = ascii, .collapse_depth = 1, .legend = true};
        CHECK(gr_dot_write_file(y,
                                ascii ? DRAWINGS "/hostile_frames_ascii.dot" : DRAWINGS "/hostile_frames.dot",
                                &frames) == GR_OK);
        CHECK(gr_dot_write_file(y,
                                ascii ? DRAWINGS "/hostile_boxes_ascii.dot" : DRAWINGS "/hostile_boxes.dot",
                                &boxes) == GR_OK);
        char *text = text_of(y, &frames);
        CHECK_TEXT(text, "label=\"&#34;quoted&#34; &#92;&#92;N &#92;&#92;G\"");
        for (const char *c = text; ascii && c && *c; c++) CHECK(*c == '\n' || (*c >= ' ' && *c <= '~'));
        free(text);
    }
    CHECK(gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

/* ---- Whatever else is in the graph ---- */

static void test_same_text_whatever_was_before(void)
{
    char *text[2];
    for (int run = 0; run < 2; run++) {
        gr_graph *g = gr_graph_create(NULL);
        if (run == 1) { /* other scopes have the first numbers, and the paths of ours other ones */
            static const char *const others[] = {"z", "stack", "block3", "f"};
            for (int i = 0; i < 4; i++) gr_name_scope_begin(g, others[i]);
            gr_exp(scalar_param(g, "other", 1));
            for (int i = 0; i < 4; i++) gr_name_scope_end(g);
            gr_name_scope_begin(g, "stack");
            gr_name_scope_begin(g, "block2");
            gr_name_scope_end(g);
            gr_name_scope_end(g);
        }
        text[run] = text_of(blocks(g, 4, 4), &(gr_dot_options){.fold = true, .legend = true});
        gr_graph_destroy(g);
    }
    CHECK(text[0] && text[1] && strcmp(text[0], text[1]) == 0);
    free(text[0]);
    free(text[1]);
}

static bool count_lines(const char *text, size_t length, void *user)
{
    for (size_t i = 0; i < length; i++) *(size_t *)user += text[i] == '\n';
    return true;
}

/* Long chains and deep scopes cost no stack, and no more than their share of time. */
static void test_large(void)
{
    enum { DEPTH = 2000, LENGTH = 100000, FRAME = 5 };
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor y = scalar_param(g, "x", 0.5);
    for (int i = 0; i < DEPTH; i++) {
        gr_name_scope_begin(g, i % 2 ? "in" : "deep");
        y = gr_sin(y);
    }
    for (int i = 0; i < DEPTH; i++) gr_name_scope_end(g);
    size_t lines = 0;
    CHECK(gr_dot_write(y, count_lines, &lines, NULL) == GR_OK);
    CHECK(lines == FRAME + (DEPTH + 1) + DEPTH + 4 * DEPTH); /* a frame: begin, title, its node, end */
    const gr_tensor first = y;
    for (int i = 0; i < LENGTH; i++) {
        gr_name_scope_begin(g, i % 3 ? "a" : "b");
        y = gr_sin(y);
        gr_name_scope_end(g);
    }
    lines = 0;
    const gr_dot_options options = {.fold = true,
                                    .no_frames = true,
                                    .around = first,
                                    .distance = INT32_MAX,
                                    .n_highlight = 2,
                                    .highlight = (gr_tensor[]){first, y},
                                    .ancestors_of = y,
                                    .descendants_of = first};
    CHECK(gr_dot_write(y, count_lines, &lines, &options) == GR_OK);
    CHECK(lines == FRAME + 2 + (LENGTH + 1) + LENGTH); /* one stub: what `first` was made of */
    gr_graph_destroy(g);
}

/* ---- Errors ---- */

static void check_refused(gr_tensor root, gr_dot_options options, gr_status expected, const char *message)
{
    size_t lines = 0;
    const gr_status status = gr_dot_write(root, count_lines, &lines, &options);
    CHECK(status == expected && gr_graph_status(root.graph) == expected && lines == 0);
    CHECK_TEXT(gr_graph_error(root.graph), message);
    gr_graph_clear_error(root.graph);
}

/* What each option refuses. Long because it is a list. */
static void test_options_out_of_range(void)
{
    gr_graph *g = gr_graph_create(NULL), *h = gr_graph_create(NULL);
    const gr_tensor p = scalar_param(g, "p", 1), y = gr_exp(p), other = gr_named(gr_exp(p), "aside"),
                    foreign = scalar_param(h, "foreign", 1), none = {g, 0, 0};
    const gr_status bad = GR_ERR_ARGUMENT;
#define REFUSED(STATUS, MESSAGE, ...) check_refused(y, (gr_dot_options){__VA_ARGS__}, STATUS, "dot: " MESSAGE)
    REFUSED(bad, "-1 is no mode", .mode = (gr_dot_mode)-1);
    REFUSED(bad, "99 is no mode", .mode = (gr_dot_mode)99);
    REFUSED(bad, "there is no backward graph without gradients", .mode = GR_DOT_BACKWARD);
    REFUSED(bad, "there is no backward graph without gradients", .mode = GR_DOT_BOTH);
    REFUSED(bad, "-1 gradients", .mode = GR_DOT_BOTH, .n_gradients = -1);
    REFUSED(bad, "2 gradients at NULL", .mode = GR_DOT_BOTH, .n_gradients = 2);
    REFUSED(GR_ERR_GRAPH, "gradients: a tensor of another graph", .n_gradients = 1, .gradients = &foreign);
    REFUSED(GR_ERR_HANDLE, "invalid handle", .n_gradients = 1, .gradients = &none);
    REFUSED(GR_ERR_HANDLE, "gradients: an invalid handle", .n_gradients = 1, .gradients = &GR_NONE);
    REFUSED(GR_ERR_GRAPH, "inputs: a tensor", .n_gradients = 1, .gradients = &y, .inputs = &foreign);
    REFUSED(bad, "scopes of depth -1", .collapse_depth = -1);
    REFUSED(bad, "-2 scopes to collapse", .n_collapse = -2);
    REFUSED(bad, "1 scopes to collapse at NULL", .n_collapse = 1);
    REFUSED(bad, "NULL for a scope", .n_collapse = 1, .collapse = (const char *[]){NULL});
    REFUSED(bad, "to collapse: there is no name scope fc1 in", .n_collapse = 1,
            .collapse = (const char *[]){"fc1"});
    REFUSED(bad, "a distance of -3", .distance = -3);
    REFUSED(GR_ERR_GRAPH, "around: a tensor of another graph", .around = foreign);
    REFUSED(bad, "around: a tensor that is not in the drawing: aside", .around = other);
    REFUSED(bad, "ancestors_of: a tensor that is not in the drawing: aside", .ancestors_of = other);
    REFUSED(bad, "descendants_of: a tensor that is not in the drawing", .descendants_of = other);
    REFUSED(bad, "-1 highlight", .n_highlight = -1);
    REFUSED(bad, "highlight: a tensor that is not in the drawing", .n_highlight = 1, .highlight = &other);
    REFUSED(bad, "highlight: a tensor that is not", .n_highlight = 1, .highlight = &p, .descendants_of = y);
    static const char *const at_scopes = "collapse";
    REFUSED(bad, "collapse is for tensors, not for single numbers: leave it out, or draw in the mode forward",
            .mode = GR_DOT_SCALARS, .n_collapse = 1, .collapse = &at_scopes);
    REFUSED(bad, "collapse is for tensors", .mode = GR_DOT_SCALARS, .collapse_depth = 1);
    REFUSED(bad, "collapse_layers is for tensors", .mode = GR_DOT_SCALARS, .collapse_layers = true);
    REFUSED(bad, "fold is for tensors", .mode = GR_DOT_SCALARS, .fold = true);
    REFUSED(
        bad,
        "around is for tensors, not for single numbers: draw in the mode forward, or what lies between two "
        "numbers with gr_paths_create",
        .mode = GR_DOT_SCALARS, .around = p);
    REFUSED(bad, "ancestors_of is for tensors", .mode = GR_DOT_SCALARS, .ancestors_of = p);
    REFUSED(bad, "descendants_of is for tensors", .mode = GR_DOT_SCALARS, .descendants_of = p);
    REFUSED(bad, "highlight is for tensors", .mode = GR_DOT_SCALARS, .n_highlight = 1, .highlight = &p);
    REFUSED(bad, "1 lists of names at NULL", .mode = GR_DOT_SCALARS, .names = {.n_lists = 1});
    const gr_tensor leaf = gr_set_requires_grad(gr_named(gr_constant(g, GR_F64, GR_SCALAR, NULL), "leaf"),
                                                true);
    CHECK(gr_backward_with(gr_mul(y, leaf), &(gr_backward_options){.retain = true}) == GR_OK);
    const gr_tensor stored = gr_gradient(p), stored_too = gr_gradient(leaf);
    REFUSED(bad, "gradients: what gr_backward stored has no record, take a recorded gr_grad by: p []",
            .mode = GR_DOT_BOTH, .n_gradients = 1, .gradients = &stored);
    REFUSED(bad, "gradients: what gr_backward stored has no record, take a recorded gr_grad by: leaf []",
            .mode = GR_DOT_BACKWARD, .n_gradients = 1, .gradients = &stored_too, .inputs = &leaf);
    const gr_tensor large = gr_param(g, "large", GR_F64, GR_SHAPE(600), NULL),
                    sum = gr_sum(gr_exp(large), GR_ALL_AXES, false);
    check_refused(large, (gr_dot_options){.mode = GR_DOT_SCALARS}, GR_ERR_NOT_SCALAR,
                  "dot: single numbers lead to one number: the root has several: large [600]");
    gr_dot_options many = {.mode = GR_DOT_SCALARS};
    check_refused(
        sum, many, GR_ERR_LIMIT,
        "dot: 1201 single numbers are too many to be read (the limit is 200): draw tensors (mode forward");
    many.max_scalars = 1200;
    check_refused(sum, many, GR_ERR_LIMIT, "the limit is 1200");
    size_t lines = 0;
    many.max_scalars = 1201;
    CHECK(gr_dot_write(sum, count_lines, &lines, &many) == GR_OK && lines == 5 + 1201 + 1200);
    many.max_scalars = -1;
    CHECK(gr_dot_write(sum, count_lines, &lines, &many) == GR_OK);
    const gr_tensor stale = gr_exp(p);
    gr_graph_reset(g);
    check_refused(p, (gr_dot_options){.around = stale}, GR_ERR_STALE, "dot: stale handle");
    gr_graph_destroy(g);
    gr_graph_destroy(h);
}

int main(void)
{
    mkdir(DRAWINGS, 0777); /* it may be there */
    RUN(test_golden);
    RUN(test_golden_fold);
    RUN(test_random_slices);
    RUN(test_around_in_a_recurrence);
    RUN(test_random_highlights);
    RUN(test_random_boxes);
    RUN(test_box_says);
    RUN(test_layers_as_in_the_summary);
    RUN(test_parameters_are_no_results);
    RUN(test_fold_counts);
    RUN(test_what_is_folded);
    RUN(test_random_backward);
    RUN(test_gradient_of_several);
    RUN(test_golden_scalars);
    RUN(test_factors_and_others);
    RUN(test_networks);
    RUN(test_hostile_scopes);
    RUN(test_same_text_whatever_was_before);
    RUN(test_large);
    RUN(test_options_out_of_range);
    return TEST_EXIT;
}
