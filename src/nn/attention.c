/* Attention. What it expects of its operands is checked here, so that a message names it. */
#include "nn/layer.h"
#include "gradus/attention.h"
#include "gradus/ops.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static gr_tensor invalid(gr_tensor like) { return (gr_tensor){like.graph, 0, 0}; }

/* Whether q, k and v are matrices that fit. */
static bool fit(gr_tensor q, gr_tensor k, gr_tensor v)
{
    if (!gri_layer_check("attention", "the query", q) || !gri_layer_check("attention", "the key", k) ||
        !gri_layer_check("attention", "the value", v))
        return false;
    const int q_ndim = gr_ndim(q), k_ndim = gr_ndim(k), v_ndim = gr_ndim(v);
    if (q_ndim < 2 || k_ndim < 2 || v_ndim < 2) {
        gr_graph_fail(q.graph, GR_ERR_NDIM,
                      "attention: queries, keys and values need two axes at least: %d, %d and %d", q_ndim,
                      k_ndim, v_ndim);
        return false;
    }
    const int64_t d = gr_dim(q, -1), k_d = gr_dim(k, -1), s = gr_dim(k, -2), v_s = gr_dim(v, -2);
    if (d != k_d)
        gr_graph_fail(q.graph, GR_ERR_SHAPE, "attention: queries of %" PRId64 " features, keys of %" PRId64,
                      d, k_d);
    else if (s != v_s)
        gr_graph_fail(q.graph, GR_ERR_SHAPE, "attention: %" PRId64 " keys, %" PRId64 " values", s, v_s);
    return d == k_d && s == v_s;
}

/* [l, s]: 1 where the key is not behind the query. */
static gr_tensor causal_mask(gr_graph *g, int64_t l, int64_t s)
{
    const gr_tensor query = gr_unsqueeze(gr_arange(g, GR_I32, l, 0, 1), -1);
    return gr_greater_equal(query, gr_arange(g, GR_I32, s, 0, 1));
}

/* The scores where the mask holds, elsewhere -inf. */
static gr_tensor hide(gr_tensor scores, gr_tensor mask)
{
    return gr_where(mask, scores, gr_scalar(scores.graph, gr_type_of(scores), (double)-INFINITY));
}

gr_tensor gr_attention(gr_tensor q, gr_tensor k, gr_tensor v, const gr_attention_options *options)
{
    const gr_attention_options none = {.causal = false}, *o = options ? options : &none;
    if (o->weights) *o->weights = invalid(q);
    if (!fit(q, k, v)) return invalid(q);
    if (o->mask.graph && !gri_layer_check("attention", "the mask", o->mask)) return invalid(q);
    const double scale = o->scale != 0 ? o->scale : 1 / sqrt(fmax(1, (double)gr_dim(q, -1)));
    gr_tensor scores = gr_matmul(gr_scale(q, scale), gr_transpose(k, -2, -1));
    if (o->mask.graph && gr_type_of(o->mask) == GR_BOOL)
        scores = hide(scores, o->mask);
    else if (o->mask.graph)
        scores = gr_add(scores, o->mask);
    if (o->causal) scores = hide(scores, causal_mask(q.graph, gr_dim(q, -2), gr_dim(k, -2)));
    gr_tensor weights = gr_softmax(scores, -1);
    if (o->weights) *o->weights = weights;
    if (o->dropout != 0) weights = gr_dropout(weights, o->dropout, o->training);
    return gr_matmul(weights, v);
}

/* ---- Several heads ---- */

gr_multihead_attention gr_multihead_attention_create(gr_graph *g, const char *name, gr_type type,
                                                     int64_t embed, int64_t heads, gr_initializer *init)
{
    const gr_linear bad = {{g, 0, 0}, {g, 0, 0}};
    const gr_multihead_attention none = {bad, bad, 0};
    gr_multihead_attention layer = {bad, bad, heads};
    gri_layer l = gri_layer_begin(g, "multihead_attention_create", name, type);
    if (!l.failed && (heads < 1 || embed < 1 || embed % heads)) {
        gr_graph_fail(g, GR_ERR_SHAPE,
                      "multihead_attention_create: %" PRId64 " features cannot be cut into %" PRId64 " heads",
                      embed, heads);
        l.failed = true;
    }
    if (!l.failed && embed > INT64_MAX / 3) {
        gr_graph_fail(g, GR_ERR_OVERFLOW, "multihead_attention_create: too many features");
        l.failed = true;
    }
    gr_initializer *draw = init ? init : gr_init_xavier_uniform;
    layer.in.weight = gri_layer_param(&l, "in.weight", GR_SHAPE(embed, l.failed ? 0 : 3 * embed), draw);
    layer.in.bias = gri_layer_param(&l, "in.bias", GR_SHAPE(l.failed ? 0 : 3 * embed), NULL);
    layer.out.weight = gri_layer_param(&l, "out.weight", GR_SHAPE(embed, embed), draw);
    layer.out.bias = gri_layer_param(&l, "out.bias", GR_SHAPE(embed), NULL);
    return gri_layer_end(&l) ? layer : none;
}

/* [n, l, embed] to [n, heads, l, embed / heads]. */
static gr_tensor by_heads(gr_tensor x, int64_t heads)
{
    if (!gr_is_valid(x)) return x;
    const gr_shape s = gr_shape_of(x);
    const gr_tensor cut = gr_reshape(x, GR_SHAPE(s.dims[0], s.dims[1], heads, s.dims[2] / heads));
    return gr_permute(cut, GR_AXES(0, 2, 1, 3));
}

/* Third number `which` of the projection: x times those columns. */
static gr_tensor project(gr_linear in, gr_tensor x, int64_t which, int64_t embed)
{
    const gr_tensor weight = gr_slice(in.weight, 1, which * embed, (which + 1) * embed, 1);
    return gr_add(gr_matmul(x, weight), gr_slice(in.bias, 0, which * embed, (which + 1) * embed, 1));
}

static gr_tensor attend(gr_multihead_attention layer, const gr_tensor x[3],
                        const gr_attention_options *options)
{
    const int64_t embed = gr_dim(layer.out.weight, 0);
    gr_tensor part[3];
    if (gr_same(x[0], x[1]) && gr_same(x[0], x[2])) {
        const gr_tensor all = gri_linear_in_scope(layer.in, x[0], "");
        for (int i = 0; i < 3; i++) part[i] = gr_slice(all, -1, i * embed, (i + 1) * embed, 1);
    } else {
        for (int i = 0; i < 3; i++) part[i] = project(layer.in, x[i], i, embed);
    }
    for (int i = 0; i < 3; i++) part[i] = by_heads(part[i], layer.heads);
    const gr_tensor seen = gr_permute(gr_attention(part[0], part[1], part[2], options), GR_AXES(0, 2, 1, 3));
    if (!gr_is_valid(seen)) return seen;
    const gr_tensor joined = gr_reshape(seen, GR_SHAPE(gr_dim(seen, 0), gr_dim(seen, 1), embed));
    return gri_linear_in_scope(layer.out, joined, "");
}

gr_tensor gr_multihead_attention_forward(gr_multihead_attention layer, gr_tensor query, gr_tensor key,
                                         gr_tensor value, const gr_attention_options *options)
{
    static const char *const names[] = {"the query", "the key", "the value"};
    const gr_tensor x[] = {query, key, value};
    if (options && options->weights) *options->weights = invalid(query);
    if (layer.heads < 1) {
        gr_graph_fail(query.graph, GR_ERR_HANDLE,
                      "multihead_attention_forward: there are no heads: the layer's creation failed");
        return invalid(query);
    }
    for (int i = 0; i < 3; i++) {
        if (!gri_layer_check("multihead_attention_forward", names[i], x[i])) return invalid(query);
        const gr_shape s = gr_shape_of(x[i]);
        const int64_t embed = gr_dim(layer.out.weight, 0);
        if (s.ndim == 3 && s.dims[2] == embed) continue;
        gr_graph_fail(query.graph, s.ndim == 3 ? GR_ERR_SHAPE : GR_ERR_NDIM,
                      "multihead_attention_forward: needs queries, keys and values [n, length, %" PRId64 "]",
                      embed);
        return invalid(query);
    }
    const bool scoped = gri_layer_scope_begin(layer.in.weight, "in.weight");
    const gr_tensor y = attend(layer, x, options);
    if (scoped) gr_name_scope_end(layer.in.weight.graph);
    return y;
}
