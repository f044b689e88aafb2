/*
 * Initialisers: a random tensor drawn in a scope of its own, assigned to the parameter, freed again.
 */
#include "gradus/nn.h"
#include "gradus/ops.h"

#include <math.h>

/* Whether w can be initialised now; *status is why not. */
static bool ready(gr_tensor w, gr_status *status)
{
    *status = gr_graph_status(w.graph);
    if (*status == GR_OK && gr_ndim(w) >= 0) *status = gr_graph_status(w.graph);
    return *status == GR_OK;
}

typedef gr_tensor draw(gr_graph *g, gr_type type, gr_shape shape, double a, double b);

static gr_tensor constant(gr_graph *g, gr_type type, gr_shape shape, double a, double b)
{
    (void)b;
    return gr_full(g, type, shape, a);
}

static gr_status fill(gr_tensor w, draw *drawn, double a, double b)
{
    const gr_scope scope = gr_scope_begin(w.graph);
    const gr_status status = gr_assign(w, drawn(w.graph, gr_type_of(w), gr_shape_of(w), a, b));
    const gr_status ended = gr_scope_end(scope, 0, NULL);
    return status != GR_OK ? status : ended;
}

gr_status gr_init_constant(gr_tensor w, double value)
{
    gr_status status;
    return ready(w, &status) ? fill(w, constant, value, 0) : status;
}

gr_status gr_init_normal(gr_tensor w, double mean, double std)
{
    gr_status status;
    if (!ready(w, &status)) return status;
    if (!isfinite(mean) || !(std >= 0) || !isfinite(std))
        return gr_graph_fail(w.graph, GR_ERR_ARGUMENT,
                             "init_normal: mean %g and standard deviation %g: both finite, the second not "
                             "negative",
                             mean, std);
    return fill(w, gr_normal, mean, std);
}

gr_status gr_init_uniform(gr_tensor w, double low, double high)
{
    gr_status status;
    if (!ready(w, &status)) return status;
    if (!(low <= high) || !isfinite(low) || !isfinite(high))
        return gr_graph_fail(w.graph, GR_ERR_ARGUMENT, "init_uniform: from %g to %g", low, high);
    return fill(w, gr_uniform, low, high);
}

/* ---- Scaled by the size of the layer ---- */

/* The units that a weight leads from and to: of [in, out], or of the weight of a convolution, [out, in,
   kernel...], which has its kernel's elements for each. */
static void count_units(const gr_shape *shape, double *from, double *to)
{
    const bool kernel = shape->ndim > 2;
    *from = (double)shape->dims[kernel ? 1 : 0];
    *to = (double)shape->dims[kernel ? 0 : 1];
    for (int i = 2; i < shape->ndim; i++) {
        *from *= (double)shape->dims[i];
        *to *= (double)shape->dims[i];
    }
}

/* N(0, 2/n) or U of the same variance, where n = in n_in + out n_out. */
static gr_status fill_scaled(gr_tensor w, const char *what, draw *drawn, double in, double out)
{
    gr_status status;
    if (!ready(w, &status)) return status;
    const gr_shape shape = gr_shape_of(w);
    if (shape.ndim < 2)
        return gr_graph_fail(w.graph, GR_ERR_SHAPE, "%s: needs a weight of shape [in, out]: %s has %d axes",
                             what, *gr_name(w) ? gr_name(w) : "the tensor", shape.ndim);
    if (gr_count(w) == 0) return GR_OK;
    double from, to;
    count_units(&shape, &from, &to);
    const double n = in * from + out * to;
    if (drawn == gr_normal) return fill(w, gr_normal, 0, sqrt(2 / n));
    const double a = sqrt(3 * (2 / n)); /* U(-a, a) has variance a^2/3 */
    return fill(w, gr_uniform, -a, a);
}

gr_status gr_init_xavier_uniform(gr_tensor w)
{
    return fill_scaled(w, "init_xavier_uniform", gr_uniform, 1, 1);
}
gr_status gr_init_xavier_normal(gr_tensor w) { return fill_scaled(w, "init_xavier_normal", gr_normal, 1, 1); }
gr_status gr_init_lecun_uniform(gr_tensor w)
{
    return fill_scaled(w, "init_lecun_uniform", gr_uniform, 2, 0);
}
gr_status gr_init_lecun_normal(gr_tensor w) { return fill_scaled(w, "init_lecun_normal", gr_normal, 2, 0); }
gr_status gr_init_he_uniform(gr_tensor w) { return fill_scaled(w, "init_he_uniform", gr_uniform, 1, 0); }
gr_status gr_init_he_normal(gr_tensor w) { return fill_scaled(w, "init_he_normal", gr_normal, 1, 0); }
