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

static gr_status check_mode(gri_picture *p)
{
    const gr_dot_options *o = &p->options;
    if ((int)o->mode < GR_DOT_FORWARD || o->mode > GR_DOT_SCALARS)
        return gri_fail(p->g, GR_ERR_ARGUMENT, "dot: %d is no mode", (int)o->mode);
    gr_status status = check_handles(p, "gradients", o->n_gradients, o->gradients);
    if (status == GR_OK && o->inputs) status = check_handles(p, "inputs", o->n_gradients, o->inputs);
    const bool backward = o->mode == GR_DOT_BACKWARD || o->mode == GR_DOT_BOTH;
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
    if (o->collapse_depth || o->n_collapse || o->fold || o->ancestors_of.graph || o->descendants_of.graph ||
        o->around.graph || o->n_highlight)
        return gri_fail(p->g, GR_ERR_ARGUMENT,
                        "dot: collapse, fold, slices and highlight are for tensors, not for single numbers");
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
