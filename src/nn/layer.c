/* What layers share. Invariant: a layer that could not be made leaves nothing behind. */
#include "nn/layer.h"

#include <stdio.h>
#include <string.h>

gri_layer gri_layer_begin(gr_graph *g, const char *call, const char *name, gr_type type)
{
    gri_layer l = {.graph = g, .call = call, .name = name, .type = type};
    l.failed = !g || gr_graph_status(g) != GR_OK;
    if (l.failed || (name && *name)) return l;
    gr_graph_fail(g, GR_ERR_NAME, "%s: a layer needs a name", call);
    l.failed = true;
    return l;
}

/* Writes "<layer>.<part>". */
static bool make_name(gri_layer *l, const char *part, char name[GRI_LAYER_NAME_BYTES])
{
    const int length = snprintf(name, GRI_LAYER_NAME_BYTES, "%s.%s", l->name, part);
    if (length >= 0 && length < GRI_LAYER_NAME_BYTES) return true;
    gr_graph_fail(l->graph, GR_ERR_NAME, "%s: a name of %d bytes; at most %d are possible", l->call, length,
                  GRI_LAYER_NAME_BYTES - 1);
    return false;
}

/* Notes what was made; what was not is the end of the layer. */
static gr_tensor note(gri_layer *l, gr_tensor t)
{
    l->failed = t.index == 0;
    if (t.index) l->made[l->n++] = t;
    return t;
}

gr_tensor gri_layer_param(gri_layer *l, const char *part, gr_shape shape, gr_initializer *init)
{
    const gr_tensor none = {l->graph, 0, 0};
    char name[GRI_LAYER_NAME_BYTES];
    if (l->failed || l->n == GRI_LAYER_MOST_PARTS || !make_name(l, part, name)) {
        l->failed = true;
        return none;
    }
    const gr_tensor t = note(l, gr_param(l->graph, name, l->type, shape, NULL));
    if (l->failed || !init || init(t) == GR_OK) return t;
    if (gr_graph_status(l->graph) == GR_OK)
        gr_graph_fail(l->graph, GR_ERR_CALLBACK, "%s: the initialiser of %s failed", l->call, l->name);
    l->failed = true;
    return t;
}

gr_tensor gri_layer_state(gri_layer *l, const char *part, gr_shape shape, double value)
{
    const gr_tensor none = {l->graph, 0, 0};
    char name[GRI_LAYER_NAME_BYTES];
    if (l->failed || l->n == GRI_LAYER_MOST_PARTS || !make_name(l, part, name)) {
        l->failed = true;
        return none;
    }
    const gr_scope scope = gr_scope_begin(l->graph);
    const gr_tensor t = note(l, gr_keep(gr_full(l->graph, l->type, shape, value)));
    gr_scope_end(scope, 0, NULL);
    if (!l->failed) gr_set_model_state(gr_named(t, name), true);
    l->failed = gr_graph_status(l->graph) != GR_OK;
    return t;
}

gr_status gri_init_ones(gr_tensor w) { return gr_init_constant(w, 1); }

bool gri_layer_end(gri_layer *l)
{
    for (int i = 0; i < l->n && l->failed; i++) gr_release(l->made[i]);
    return !l->failed;
}

bool gri_layer_check(const char *call, const char *operand, gr_tensor t)
{
    if (gr_is_valid(t)) return true;
    gr_graph_fail(t.graph, t.index ? GR_ERR_STALE : GR_ERR_HANDLE, "%s: %s is %s", call, operand,
                  t.index
                      ? "a stale handle: its tensor was freed by a reset, the end of its scope or gr_release"
                      : "an invalid handle");
    return false;
}

size_t gri_layer_name_of(gr_tensor parameter, const char *part, char name[GRI_LAYER_NAME_BYTES])
{
    name[0] = '\0';
    if (!gr_is_valid(parameter)) return 0; /* the error is for the operation to set */
    const char *full = gr_name(parameter);
    const size_t length = strlen(full), tail = strlen(part) + 1;
    if (length <= tail || length - tail >= GRI_LAYER_NAME_BYTES || full[length - tail] != '.' ||
        strcmp(full + length - tail + 1, part) != 0)
        return 0;
    memcpy(name, full, length - tail);
    name[length - tail] = '\0';
    return length - tail;
}

bool gri_layer_scope_begin(gr_tensor parameter, const char *part)
{
    char name[GRI_LAYER_NAME_BYTES];
    if (gri_layer_name_of(parameter, part, name) == 0) return false;
    gr_name_scope_begin(parameter.graph, name);
    return true;
}
