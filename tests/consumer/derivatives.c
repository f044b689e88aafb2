/* Right derivatives: of plain C functions, and of a function of tensors. */
#include <gradus.h>
#include <gradus/check_test.h>

#include "rosenbrock.h"

static gr_status gradient(gr_check_result *result)
{
    const gr_plain_function f = {.n = 2, .m = 1, .value = rosenbrock, .jacobian = rosenbrock_gradient};
    return gr_check_plain(&f, (double[]){-1.2, 1}, NULL, result);
}

static gr_status hessian(gr_check_result *result)
{
    const gr_plain_function f = {
        .n = 2, .m = 1, .value = rosenbrock, .jacobian = rosenbrock_gradient, .hessian = rosenbrock_hessian};
    return gr_check_plain(&f, (double[]){0.5, -3}, &(gr_check_options){.order = 2}, result);
}

static gr_tensor model(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    (void)g, (void)n, (void)user;
    return gr_tanh(gr_matmul(in[0], in[1]));
}

static gr_status layer(gr_check_result *result)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor in[] = {gr_keep(gr_normal(g, GR_F64, GR_SHAPE(3, 4), 0, 1)),
                            gr_keep(gr_normal(g, GR_F64, GR_SHAPE(4, 2), 0, 1))};
    const gr_status status = gr_gradcheck(g, model, 2, in, NULL, &(gr_check_options){.order = 2}, result);
    gr_graph_destroy(g);
    return status;
}

GR_CHECK_MAIN({"gradient", gradient}, {"hessian", hessian}, {"layer", layer})
