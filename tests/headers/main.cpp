/* The sketch of the manual from C++: builds, differentiates, reads one value. */
#include "gradus.h"

int main()
{
    const double weights[] = {0.5, -0.25}, inputs[] = {1, 2, 3, 4, 5, 6};
    gr_graph *g = gr_graph_create(nullptr);
    gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(2, 1), weights);
    gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(3, 2), inputs);
    gr_tensor loss = gr_sum(gr_matmul(x, w), GR_ALL_AXES, false);
    const int row = 1;
    const int64_t index[] = {1, 0};
    const bool right = gr_backward(loss) == GR_OK && gr_item(loss) == 1.5 &&
                       gr_at(gr_gradient(w), 2, index) == 12 && GR_AT(gr_gradient(w), row, 0) == 12 &&
                       GR_AT(gr_gradient(w), -2, -1) == 9 && GR_AT(loss) == 1.5 && !gr_is_valid(GR_NONE) &&
                       gr_ndim(gr_sum(x, GR_AXES(0, 1), false)) == 0 &&
                       gr_ndim(gr_zeros(g, GR_F64, GR_SCALAR)) == 0;
    gr_graph_destroy(g);
    return right ? 0 : 1;
}
