/* Penalties on parameters, composed. What they expect is checked here, so that a message names the penalty. */
#include "gradus/ops.h"
#include "gradus/regularise.h"

#include <math.h>

typedef gr_tensor elementwise(gr_tensor x);

/* The tensors of a call. */
typedef struct penalty_list {
    const char *what; /* the call */
    gr_graph *g;
    const gr_tensor *tensors; /* NULL: all parameters */
    int count;
} penalty_list;

static bool check_call(const penalty_list *l, int n, double factor)
{
    if (!(factor >= 0 && isfinite(factor)))
        gr_graph_fail(l->g, GR_ERR_ARGUMENT, "%s: the factor must be finite and not negative, not %g",
                      l->what, factor);
    else if (n < 0 || (n > 0 && !l->tensors))
        gr_graph_fail(l->g, GR_ERR_ARGUMENT, "%s: %d tensors%s", l->what, n, n > 0 ? " at NULL" : "");
    else if (l->count == 0)
        gr_graph_fail(l->g, GR_ERR_ARGUMENT, "%s: the graph has no parameters yet", l->what);
    else
        return true;
    return false;
}

static gr_tensor tensor_at(const penalty_list *l, int i)
{
    return l->tensors ? l->tensors[i] : gr_param_at(l->g, i);
}

/* Whether tensor i is a living one of the graph and of the type of the first. */
static bool check_tensor(const penalty_list *l, int i)
{
    const gr_tensor t = tensor_at(l, i);
    const int number = i + 1;
    if (!t.graph || t.index == 0) {
        gr_graph_fail(l->g, GR_ERR_HANDLE, "%s: tensor %d is an invalid handle", l->what, number);
        return false;
    }
    if (t.graph != l->g) {
        gr_graph_fail(l->g, GR_ERR_GRAPH, "%s: tensor %d belongs to another graph", l->what, number);
        return false;
    }
    if (!gr_is_valid(t)) {
        gr_graph_fail(l->g, GR_ERR_STALE, "%s: tensor %d is a stale handle: it was released or reset",
                      l->what, number);
        return false;
    }
    const gr_type type = gr_type_of(t), first = gr_type_of(tensor_at(l, 0));
    if (gr_type_is_float(type) && type == first) return true;
    gr_graph_fail(l->g, GR_ERR_TYPE, "%s: needs tensors of f32, or of f64: tensor %d, \"%s\", is %s%s%s",
                  l->what, number, gr_name(t), gr_type_name(type), i ? ", the first one " : "",
                  i ? gr_type_name(first) : "");
    return false;
}

/* factor times the sum of f over all elements of all tensors. */
static gr_tensor penalty(const char *what, gr_graph *g, double factor, int n, const gr_tensor *tensors,
                         elementwise *f)
{
    const penalty_list l = {what, g, n == 0 ? NULL : tensors, n == 0 ? gr_param_count(g) : n};
    gr_tensor sum = {g, 0, 0};
    if (!g || !check_call(&l, n, factor)) return sum;
    for (int i = 0; i < l.count; i++)
        if (!check_tensor(&l, i)) return sum;
    for (int i = 0; i < l.count; i++) {
        const gr_tensor part = gr_sum(f(tensor_at(&l, i)), GR_ALL_AXES, false);
        sum = i == 0 ? part : gr_add(sum, part);
    }
    return gr_scale(sum, factor);
}

gr_tensor gr_l1_penalty(gr_graph *g, double factor, int n, const gr_tensor *tensors)
{
    return penalty("l1_penalty", g, factor, n, tensors, gr_abs);
}

gr_tensor gr_l2_penalty(gr_graph *g, double factor, int n, const gr_tensor *tensors)
{
    return penalty("l2_penalty", g, factor, n, tensors, gr_square);
}
