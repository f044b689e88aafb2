/*
 * Recurrent layers. A sequence is cut in halves until few steps are left, and the results of the halves are
 * joined: the gradient of one step out of a sequence of T is as large as the sequence, so steps taken out of
 * the whole one by one would cost T^2, and in halves they cost T log T.
 */
#include "nn/layer.h"
#include "gradus/recurrent.h"
#include "gradus/ops.h"

#include <inttypes.h>
#include <math.h>

enum { FEW_STEPS = 8 };

static gr_tensor invalid(gr_graph *g) { return (gr_tensor){g, 0, 0}; }

/* Block `which` of n, counted in hidden sizes along the last axis. */
static gr_tensor blocks(gr_tensor t, int64_t hidden, int64_t which, int64_t n)
{
    return gr_slice(t, -1, which * hidden, (which + n) * hidden, 1);
}

/* ---- The cells: x and h are the products with their biases ---- */

typedef gr_recurrent_state cell(int64_t hidden, gr_tensor x, gr_tensor h, gr_recurrent_state state);

static gr_recurrent_state tanh_cell(int64_t hidden, gr_tensor x, gr_tensor h, gr_recurrent_state state)
{
    (void)hidden;
    state.h = gr_tanh(gr_add(x, h));
    return state;
}

static gr_recurrent_state relu_cell(int64_t hidden, gr_tensor x, gr_tensor h, gr_recurrent_state state)
{
    (void)hidden;
    state.h = gr_relu(gr_add(x, h));
    return state;
}

static gr_recurrent_state lstm_cell(int64_t hidden, gr_tensor x, gr_tensor h, gr_recurrent_state state)
{
    const gr_tensor sum = gr_add(x, h), gates = gr_sigmoid(blocks(sum, hidden, 0, 2)); /* i and f */
    const gr_tensor g = gr_tanh(blocks(sum, hidden, 2, 1)), o = gr_sigmoid(blocks(sum, hidden, 3, 1));
    const gr_tensor kept = gr_mul(blocks(gates, hidden, 1, 1), state.c);
    state.c = gr_add(kept, gr_mul(blocks(gates, hidden, 0, 1), g));
    state.h = gr_mul(o, gr_tanh(state.c));
    return state;
}

static gr_recurrent_state gru_cell(int64_t hidden, gr_tensor x, gr_tensor h, gr_recurrent_state state)
{
    const gr_tensor gates = gr_sigmoid(
        gr_add(blocks(x, hidden, 0, 2), blocks(h, hidden, 0, 2))); /* r and z */
    const gr_tensor r = blocks(gates, hidden, 0, 1), z = blocks(gates, hidden, 1, 1);
    const gr_tensor n = gr_tanh(gr_add(blocks(x, hidden, 2, 1), gr_mul(r, blocks(h, hidden, 2, 1))));
    state.h = gr_add(n, gr_mul(z, gr_sub(state.h, n))); /* (1 - z) n + z h */
    return state;
}

static const struct shape_of_kind {
    int64_t gates;
    bool has_c;
    bool adds; /* the two products only meet as a sum: both biases are added once, for all steps */
    cell *step;
} kinds[] = {
    [GR_RNN_TANH] = {1, false, true, tanh_cell},
    [GR_RNN_RELU] = {1, false, true, relu_cell},
    [GR_LSTM] = {4, true, true, lstm_cell},
    [GR_GRU] = {3, false, false, gru_cell},
};

/* ---- Making one ---- */

gr_recurrent gr_recurrent_create(gr_graph *g, const char *name, gr_type type, gr_recurrent_kind kind,
                                 int64_t in, int64_t hidden, gr_initializer *init)
{
    const gr_tensor bad = invalid(g);
    const gr_recurrent none = {GR_RNN_TANH, 0, bad, bad, bad, bad};
    gri_layer l = gri_layer_begin(g, "recurrent_create", name, type);
    if (!l.failed && ((unsigned)kind > GR_GRU || hidden < 1 || hidden > INT32_MAX || in < 0)) {
        gr_graph_fail(g, GR_ERR_ARGUMENT,
                      "recurrent_create: kind %d, from %" PRId64 " features to %" PRId64 ": not possible",
                      (int)kind, in, hidden);
        l.failed = true;
    }
    if (l.failed) return none;
    const int64_t columns = kinds[kind].gates * hidden;
    const double a = 1 / sqrt((double)hidden);
    gr_recurrent layer = {.kind = kind, .hidden = hidden};
    layer.weight_ih = gri_layer_param(&l, "weight_ih", GR_SHAPE(in, columns), init);
    layer.weight_hh = gri_layer_param(&l, "weight_hh", GR_SHAPE(hidden, columns), init);
    layer.bias_ih = gri_layer_param(&l, "bias_ih", GR_SHAPE(columns), NULL);
    layer.bias_hh = gri_layer_param(&l, "bias_hh", GR_SHAPE(columns), NULL);
    if (!l.failed && !init)
        l.failed = gr_init_uniform(layer.weight_ih, -a, a) != GR_OK ||
                   gr_init_uniform(layer.weight_hh, -a, a) != GR_OK;
    return gri_layer_end(&l) ? layer : none;
}

/* ---- Steps ---- */

/* One step, from what x has contributed. */
static gr_recurrent_state step(const gr_recurrent *l, gr_tensor from_x, gr_recurrent_state state)
{
    const gr_tensor product = gr_matmul(state.h, l->weight_hh);
    const gr_tensor from_h = kinds[l->kind].adds ? product : gr_add(product, l->bias_hh);
    return kinds[l->kind].step(l->hidden, from_x, from_h, state);
}

static gr_tensor products_of_x(const gr_recurrent *l, gr_tensor x)
{
    const gr_tensor bias = kinds[l->kind].adds ? gr_add(l->bias_ih, l->bias_hh) : l->bias_ih;
    return gr_add(gr_matmul(x, l->weight_ih), bias);
}

/* A part of the state: as given, if it fits [lead..., hidden], or zeros. */
static gr_tensor part(const gr_recurrent *l, const char *what, gr_tensor given, gr_tensor x, gr_shape wanted)
{
    if (!given.graph) return gr_zeros(x.graph, gr_type_of(x), wanted);
    if (!gri_layer_check("recurrent layer", what, given)) return invalid(x.graph);
    const gr_shape s = gr_shape_of(given);
    bool same = s.ndim == wanted.ndim;
    for (int i = 0; same && i < s.ndim; i++) same = s.dims[i] == wanted.dims[i];
    if (same) return given;
    gr_graph_fail(x.graph, GR_ERR_SHAPE,
                  "recurrent layer: the state %s must be [%s%" PRId64 "], with n as x has it", what,
                  wanted.ndim > 1 ? "n, " : "", l->hidden);
    return invalid(x.graph);
}

/* Checks x, whose axes are `before` ones, those of samples, and features; completes the state. False, and the
   error set, if they do not fit. */
static bool ready(const gr_recurrent *l, gr_tensor x, int before, gr_recurrent_state *state)
{
    if (l->hidden < 1) gr_graph_fail(x.graph, GR_ERR_HANDLE, "recurrent layer: its creation failed");
    if (l->hidden < 1 || !gri_layer_check("recurrent layer", "x", x)) return false;
    gr_shape s = gr_shape_of(x);
    if ((unsigned)l->kind > GR_GRU) {
        gr_graph_fail(x.graph, GR_ERR_ARGUMENT, "recurrent layer: there is no kind %d", (int)l->kind);
        return false;
    }
    const int64_t in = gr_dim(l->weight_ih, 0);
    if (s.ndim < before + 1 || s.ndim > before + 2 || s.dims[s.ndim - 1] != in) {
        gr_graph_fail(x.graph, s.ndim < before + 1 || s.ndim > before + 2 ? GR_ERR_NDIM : GR_ERR_SHAPE,
                      "recurrent layer: needs x %s%" PRId64 "], which has %d axes, the last of size %" PRId64,
                      before ? "[time, n, " : "[n, ", in, s.ndim, s.ndim > 0 ? s.dims[s.ndim - 1] : 1);
        return false;
    }
    for (int i = before; i < s.ndim; i++) s.dims[i - before] = s.dims[i];
    s.ndim -= before;
    s.dims[s.ndim - 1] = l->hidden;
    state->h = part(l, "h", state->h, x, s);
    if (kinds[l->kind].has_c) state->c = part(l, "c", state->c, x, s);
    return gr_graph_status(x.graph) == GR_OK;
}

static gr_recurrent_state failed(gr_graph *g)
{
    const gr_recurrent_state state = {invalid(g), invalid(g)};
    return state;
}

gr_recurrent_state gr_recurrent_step(gr_recurrent layer, gr_tensor x, gr_recurrent_state state)
{
    if (!ready(&layer, x, 0, &state)) return failed(x.graph);
    const bool scoped = gri_layer_scope_begin(layer.weight_ih, "weight_ih");
    state = step(&layer, products_of_x(&layer, x), state);
    if (scoped) gr_name_scope_end(layer.weight_ih.graph);
    return state;
}

/* Steps [0, n) of what x has contributed; every h, one behind the other. */
static gr_tensor few_steps(const gr_recurrent *l, gr_tensor from_x, int64_t n, gr_recurrent_state *state)
{
    gr_tensor h[FEW_STEPS];
    for (int64_t t = 0; t < n; t++) {
        *state = step(l, gr_select(from_x, 0, t), *state);
        h[t] = gr_unsqueeze(state->h, 0);
    }
    return n == 1 ? h[0] : gr_concat((int)n, h, 0);
}

/* The depth of the recursion is the logarithm of the length. */
static gr_tensor all_steps(const gr_recurrent *l, gr_tensor from_x, int64_t n, gr_recurrent_state *state)
{
    if (n <= FEW_STEPS) return few_steps(l, from_x, n, state);
    const int64_t half = n / 2;
    const gr_tensor first = all_steps(l, gr_slice(from_x, 0, 0, half, 1), half, state);
    const gr_tensor second = all_steps(l, gr_slice(from_x, 0, half, n, 1), n - half, state);
    const gr_tensor halves[] = {first, second};
    return gr_concat(2, halves, 0);
}

gr_tensor gr_recurrent_forward(gr_recurrent layer, gr_tensor x, gr_recurrent_state *state,
                               const gr_recurrent_options *options)
{
    gr_graph *g = x.graph;
    const bool batch_first = options && options->batch_first && gr_is_valid(x) && gr_ndim(x) == 3;
    const gr_tensor steps = batch_first ? gr_transpose(x, 0, 1) : x;
    const gr_recurrent_state zeros = {{NULL, 0, 0}, {NULL, 0, 0}};
    gr_recurrent_state now = state ? *state : zeros;
    const bool scoped = gri_layer_scope_begin(layer.weight_ih, "weight_ih");
    gr_tensor y = invalid(g);
    if (ready(&layer, steps, 1, &now)) {
        const int64_t n = gr_dim(steps, 0);
        gr_shape none = gr_shape_of(steps);
        none.dims[none.ndim - 1] = layer.hidden;
        y = n == 0 ? gr_zeros(g, gr_type_of(x), none)
                   : all_steps(&layer, products_of_x(&layer, steps), n, &now);
        if (batch_first) y = gr_transpose(y, 0, 1);
    }
    if (scoped) gr_name_scope_end(layer.weight_ih.graph);
    if (state) *state = gr_is_valid(y) ? now : failed(g);
    return y;
}
