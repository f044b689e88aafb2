/* The sketch of the manual in strict C11: builds, differentiates, reads one value. */
#include "gradus.h"

int main(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(2, 1), (double[]){0.5, -0.25});
    gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(3, 2), (double[]){1, 2, 3, 4, 5, 6});
    gr_tensor loss = gr_sum(gr_matmul(x, w), GR_AXES(0, 1), false);
    const bool right = gr_backward(loss) == GR_OK && gr_item(loss) == 1.5 &&
                       GR_AT(gr_gradient(w), 1, 0) == 12;
    gr_graph_destroy(g);
    return right ? 0 : 1;
}
