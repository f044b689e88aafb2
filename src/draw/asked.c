/* What paths and shares are asked alike: see asked.h. */
#include "draw/asked.h"

#include <string.h>

enum { DEFAULT_DIGITS = 6, MOST_DIGITS = 17 };

gr_status gri_check_asked(const char *what, gr_tensor of, gr_tensor by, const gr_paths_options *options)
{
    gr_graph *g = of.graph;
    gr_status status = gri_check_element(what, of, options->of_element);
    if (status != GR_OK) return status;
    if (!by.graph) return gri_fail(g, GR_ERR_HANDLE, "%s: the second tensor is an invalid handle", what);
    if (by.graph != g)
        return gri_fail(g, GR_ERR_GRAPH, "%s: the two tensors belong to different graphs", what);
    status = gri_check_element(what, by, options->by_element);
    if (status == GR_OK) status = gri_check_naming(g, what, &options->names);
    if (status == GR_OK) status = gri_check_no_walk(g, what);
    return status;
}

gr_tensor gri_push_one(gr_graph *g, const gri_node *like, int64_t element)
{
    const gr_array *a = &like->array;
    const gri_recipe r = {.type = a->type, .ndim = a->ndim, .dims = a->dims, .count = a->count};
    const gri_node *one = gri_push(g, &r);
    if (!one) return gri_invalid(g);
    void *data = one->array.data;
    memset(data, 0, (size_t)a->count * gri_element_bytes(a->type));
    if (a->type == GR_F64)
        ((double *)data)[element] = 1;
    else
        ((float *)data)[element] = 1;
    return gri_handle(g, one);
}

static gri_node *node_at(gr_graph *g, const gr_tensor *first, size_t each, uint32_t i)
{
    const gr_tensor *t = (const void *)((const char *)first + i * each);
    return gri_lookup(g, t->index, t->generation);
}

void gri_strip_all(gr_graph *g, const gr_tensor *first, size_t each, uint32_t n, uint32_t *flags)
{
    for (uint32_t i = 0; i < n; i++) flags[i] = gri_strip(node_at(g, first, each, i));
}

void gri_unstrip_all(gr_graph *g, const gr_tensor *first, size_t each, uint32_t n, const uint32_t *flags)
{
    for (uint32_t i = 0; i < n; i++) node_at(g, first, each, i)->flags |= flags[i];
}

gr_status gri_take_format(gr_graph *g, const char *what, unsigned forms, const gr_paths_format *given,
                          gr_paths_format *to)
{
    *to = given ? *given : (gr_paths_format){.digits = 0};
    if (to->digits < 0 || to->digits > MOST_DIGITS)
        return gri_fail(g, GR_ERR_ARGUMENT, "%s: %d digits; 1 to %d are possible, 0 means %d", what,
                        to->digits, MOST_DIGITS, DEFAULT_DIGITS);
    if ((unsigned)to->form > GR_PATHS_DOT || !(forms >> to->form & 1))
        return gri_fail(g, GR_ERR_ARGUMENT, "%s: %d is no form of theirs", what, (int)to->form);
    if ((unsigned)to->extent > GR_PATHS_LISTED)
        return gri_fail(g, GR_ERR_ARGUMENT, "%s: %d is no extent", what, (int)to->extent);
    if (to->digits == 0) to->digits = DEFAULT_DIGITS;
    return GR_OK;
}
