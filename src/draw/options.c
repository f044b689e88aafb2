/* The options of a drawing: checked before anything is drawn or opened. */
#include "draw/picture.h"

enum {
    DEFAULT_DIGITS = 6,
    MOST_DIGITS = 17,
    DEFAULT_ELEMENTS = 6,
    DEFAULT_DISTANCE = 1,
    DEFAULT_SCALARS = 200
};

const gri_node *gri_dot_node(gri_picture *p, gr_tensor t, const char *what)
{
    if (!t.graph) {
        gri_fail(p->g, GR_ERR_HANDLE, "dot: %s: an invalid handle", what);
        return NULL;
    }
    if (t.graph != p->g) {
        gri_fail(p->g, GR_ERR_GRAPH, "dot: %s: a tensor of another graph", what);
        return NULL;
    }
    return gri_resolve(t, "dot");
}

/* A list, with as many entries as are said to be there. */
static gr_status check_list(gri_picture *p, const char *what, int n, const void *list)
{
    if (n < 0) return gri_fail(p->g, GR_ERR_ARGUMENT, "dot: %d %s", n, what);
    if (n > 0 && !list) return gri_fail(p->g, GR_ERR_ARGUMENT, "dot: %d %s at NULL", n, what);
    return GR_OK;
}

static gr_status check_handles(gri_picture *p, const char *what, int n, const gr_tensor *list)
{
    gr_status status = check_list(p, what, n, list);
    for (int i = 0; i < n && status == GR_OK; i++)
        if (!gri_dot_node(p, list[i], what)) status = p->g->status;
    return status;
}

/* One that may be left out. */
static gr_status check_handle(gri_picture *p, const char *what, gr_tensor t)
{
    return !t.graph || gri_dot_node(p, t, what) ? GR_OK : p->g->status;
}

static gr_status check_names(gri_picture *p)
{
    const gr_dot_options *o = &p->options;
    const gr_status status = check_list(p, "scopes to collapse", o->n_collapse, o->collapse);
    if (status != GR_OK) return status;
    for (int i = 0; i < o->n_collapse; i++)
        if (!o->collapse[i]) return gri_fail(p->g, GR_ERR_ARGUMENT, "dot: NULL for a scope to collapse");
    return GR_OK;
}

/* What gr_backward stored in a parameter or an input: a copy without history, which would be all of the drawing. */
static gr_status check_recorded(gri_picture *p)
{
    const gr_dot_options *o = &p->options;
    for (int i = 0; i < o->n_gradients; i++) {
        const uint32_t index = o->gradients[i].index;
        const gri_node *of = NULL;
        for (uint32_t k = 0; k < p->g->n_params && !of; k++) {
            const gri_node *param = gri_kept_node(p->g, p->g->params[k]);
            if (param->gradient == index) of = param;
        }
        if (!of && o->inputs) of = gri_dot_node(p, o->inputs[i], "inputs");
        if (of && of->gradient == index)
            return gri_fail_about(
                p->g, GR_ERR_ARGUMENT, of,
                "dot: gradients: what gr_backward stored has no record, take a recorded gr_grad by");
    }
    return GR_OK;
}

static gr_status check_mode(gri_picture *p)
{
    const gr_dot_options *o = &p->options;
    if ((int)o->mode < GR_DOT_FORWARD || o->mode > GR_DOT_SCALARS)
        return gri_fail(p->g, GR_ERR_ARGUMENT, "dot: %d is no mode", (int)o->mode);
    gr_status status = check_handles(p, "gradients", o->n_gradients, o->gradients);
    if (status == GR_OK && o->inputs) status = check_handles(p, "inputs", o->n_gradients, o->inputs);
    const bool backward = o->mode == GR_DOT_BACKWARD || o->mode == GR_DOT_BOTH;
    if (status == GR_OK && backward) status = check_recorded(p);
    if (status != GR_OK || !backward || o->n_gradients > 0) return status;
    return gri_fail(p->g, GR_ERR_ARGUMENT,
                    "dot: there is no backward graph without gradients: give those of a recorded gr_grad");
}

static gr_status check_scalars(gri_picture *p)
{
    const gr_dot_options *o = &p->options;
    if (o->mode != GR_DOT_SCALARS) return GR_OK;
    if (p->root->array.count != 1)
        return gri_fail_about(p->g, GR_ERR_NOT_SCALAR, p->root,
                              "dot: single numbers lead to one number: the root has several");
    const char *scopes = o->collapse_depth || o->n_collapse ? "collapse"
                         : o->collapse_layers               ? "collapse_layers"
                         : o->fold                          ? "fold"
                                                            : NULL;
    const char *part = o->ancestors_of.graph     ? "ancestors_of"
                       : o->descendants_of.graph ? "descendants_of"
                       : o->around.graph         ? "around"
                       : o->n_highlight          ? "highlight"
                                                 : NULL;
    if (scopes)
        return gri_fail(
            p->g, GR_ERR_ARGUMENT,
            "dot: %s is for tensors, not for single numbers: leave it out, or draw in the mode forward",
            scopes);
    if (part)
        return gri_fail(
            p->g, GR_ERR_ARGUMENT,
            "dot: %s is for tensors, not for single numbers: draw in the mode forward, or what lies between "
            "two numbers with gr_paths_create",
            part);
    return check_list(p, "lists of names", o->names.n_lists, o->names.lists);
}

static gr_status check_numbers(gri_picture *p)
{
    const gr_dot_options *o = &p->options;
    gr_graph *g = p->g;
    if (o->digits < 0 || o->digits > MOST_DIGITS)
        return gri_fail(g, GR_ERR_ARGUMENT, "dot: %d digits; 1 to %d are possible, 0 means %d", o->digits,
                        MOST_DIGITS, DEFAULT_DIGITS);
    if ((int)o->direction < GR_DOT_LEFT_TO_RIGHT || o->direction > GR_DOT_BOTTOM_TO_TOP)
        return gri_fail(g, GR_ERR_ARGUMENT, "dot: %d is no direction", (int)o->direction);
    if (o->collapse_depth < 0)
        return gri_fail(g, GR_ERR_ARGUMENT, "dot: scopes of depth %d; 1 is the outermost", o->collapse_depth);
    if (o->distance < 0) return gri_fail(g, GR_ERR_ARGUMENT, "dot: a distance of %d", o->distance);
    return GR_OK;
}

gr_status gri_dot_options(gri_picture *p, const gr_dot_options *given)
{
    gr_dot_options *o = &p->options;
    *o = given ? *given : (gr_dot_options){.title = NULL};
    gr_status status = check_numbers(p);
    if (status == GR_OK) status = check_mode(p);
    if (status == GR_OK) status = check_names(p);
    if (status == GR_OK) status = check_handle(p, "ancestors_of", o->ancestors_of);
    if (status == GR_OK) status = check_handle(p, "descendants_of", o->descendants_of);
    if (status == GR_OK) status = check_handle(p, "around", o->around);
    if (status == GR_OK) status = check_handles(p, "highlight", o->n_highlight, o->highlight);
    if (status == GR_OK) status = check_scalars(p);
    if (o->digits == 0) o->digits = DEFAULT_DIGITS;
    if (o->max_elements == 0) o->max_elements = DEFAULT_ELEMENTS;
    if (o->distance == 0) o->distance = DEFAULT_DISTANCE;
    if (o->max_scalars == 0) o->max_scalars = DEFAULT_SCALARS;
    return status;
}
