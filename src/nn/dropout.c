/* Dropout: a random mask and a selection, so that the gradient passes where the value did. */
#include "nn/layer.h"
#include "gradus/ops.h"

gr_tensor gr_dropout(gr_tensor x, double p, bool training)
{
    const gr_tensor none = {x.graph, 0, 0};
    if (!(p >= 0 && p < 1)) {
        gr_graph_fail(x.graph, GR_ERR_ARGUMENT, "dropout: p must be in [0, 1), not %g", p);
        return none;
    }
    if (!gri_layer_check("dropout", "x", x)) return none;
    const gr_shape shape = gr_shape_of(x);
    if (!gr_type_is_float(gr_type_of(x))) {
        gr_graph_fail(x.graph, GR_ERR_TYPE, "dropout: needs f32 or f64, not %s", gr_type_name(gr_type_of(x)));
        return none;
    }
    if (!training || p == 0) return x;
    const gr_tensor kept = gr_bernoulli(x.graph, shape, 1 - p);
    return gr_where(kept, gr_scale(x, 1 / (1 - p)), gr_scalar(x.graph, gr_type_of(x), 0));
}
