/*
 * A primitive of one's own, complete: y = x / (1 + x^2), elementwise, with its derivative rule, checked
 * against numbers, differentiated twice, and used in a small fit.
 *
 * What is needed: infer (type and shape of the result), forward (the values), vjp (the rule, written with
 * operations, so that it can be differentiated again), a constant descriptor, a constructor.
 */
#include <gradus.h>

#include <stdio.h>

static gr_status witch_infer(const gr_call *call, gr_layout *out)
{
    if (call->in[0]->type != GR_F64) return gr_call_fail(call, GR_ERR_TYPE, "is for f64 only", NULL);
    return gr_infer_like(call, out, 0);
}

/* Operands come contiguous, because the descriptor does not say `strided`. */
static gr_status witch_forward(const gr_call *call)
{
    const double *x = call->in[0]->data;
    double *y = call->out->data;
    for (int64_t i = 0; i < call->out->count; i++) y[i] = x[i] / (1 + x[i] * x[i]);
    return GR_OK;
}

/* dy/dx = (1 - x^2) / (1 + x^2)^2 */
static gr_tensor witch_vjp(const gr_call *call, gr_tensor gy, int i)
{
    (void)i; /* there is one operand */
    const gr_tensor square = gr_square(call->operands[0]);
    const gr_tensor numerator = gr_add_scalar(gr_neg(square), 1);
    const gr_tensor denominator = gr_square(gr_add_scalar(square, 1));
    return gr_chain_mul(gy, gr_div(numerator, denominator)); /* a product that a cotangent of 0 ends */
}

static const gr_op witch = {
    .name = "witch",
    .arity = 1,
    .formula = "y = x / (1 + x^2)",
    .infer = witch_infer,
    .forward = witch_forward,
    .vjp = witch_vjp,
};

static gr_tensor my_witch(gr_tensor x) { return gr_apply(x.graph, &witch, 1, &x, NULL); }

static gr_tensor checked(gr_graph *g, int n, const gr_tensor *inputs, void *user)
{
    (void)g, (void)n, (void)user;
    return my_witch(inputs[0]);
}

int main(void)
{
    gr_graph *g = gr_graph_create(NULL);

    /* 1. Its derivatives, first and second order, against numbers. */
    gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(5), (double[]){-2, -0.5, 0, 0.7, 3});
    gr_check_result result;
    char report[4096];
    gr_gradcheck(g, checked, 1, &x, NULL, &(gr_check_options){.order = 2}, &result);
    gr_check_report(&result, report, sizeof report);
    printf("%s\n", report);

    /* 2. Derivatives of derivatives come for free: y'' = 2x (x^2 - 3) / (1 + x^2)^3. */
    gr_tensor p = gr_param(g, "p", GR_F64, GR_SCALAR, (double[]){2});
    gr_tensor y = my_witch(p), dy = gr_derivative(y, p), ddy = gr_derivative(dy, p);
    printf("at x = 2: y = %g, y' = %g, y'' = %g (formula: %g, %g, %g)\n", gr_item(y), gr_item(dy),
           gr_item(ddy), 2.0 / 5, -3.0 / 25, 2.0 * 2 * (4 - 3) / 125);

    /* 3. Bad input is an error that names the operation and its operands. */
    gr_tensor wrong = my_witch(gr_ones(g, GR_F32, GR_SHAPE(2, 3)));
    printf("valid: %d, error: %s\n", gr_is_valid(wrong), gr_graph_error(g));
    gr_graph_clear_error(g);

    /* 4. Climb to the maximum at x = 1 by gradient ascent. */
    gr_graph_reset(g);
    for (int step = 0; step < 200; step++) {
        gr_clear_grads(g);
        gr_backward(my_witch(p));
        const double next = gr_item(p) + 0.5 * gr_item(gr_gradient(p));
        gr_write(p, &next, 1);
        gr_graph_reset(g);
    }
    printf("maximum at x = %.6f (formula: 1)\n", gr_item(p));

    const gr_status status = gr_graph_status(g);
    if (status != GR_OK) fprintf(stderr, "%s\n", gr_graph_error(g));
    gr_graph_destroy(g);
    return status == GR_OK && result.passed ? 0 : 1;
}
