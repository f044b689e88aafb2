/* Variance, standard deviation, norms and counts: reductions that are composed of others. */
#include "ops/axes.h"

#include <math.h>

/* For constructors: the axes as bits, and how many elements each result is of; false, and the error set under `name`, if
   there is something wrong with x or the axes. */
static bool find_groups(const char *name, gr_tensor x, const gr_axes *axes, uint32_t *mask, double *n)
{
    const gr_array *a = gri_array_of(x, name);
    if (!a) return false;
    GRI_NAMED_CALL(call, name, 1, &x);
    if (!gri_axes_mask(&call, axes, a->ndim, mask)) return false;
    if (!gr_type_is_float(a->type)) {
        gr_call_fail(&call, GR_ERR_TYPE, "needs f32 or f64", NULL);
        return false;
    }
    *n = 1;
    for (int axis = 0; axis < a->ndim; axis++)
        if (*mask >> axis & 1) *n *= (double)a->dims[axis];
    return true;
}

/* ---- var, std ---- */

static gr_tensor deviations(gr_tensor x, gr_axes axes) { return gr_sub(x, gr_mean(x, axes, true)); }

gr_tensor gr_var(gr_tensor x, gr_axes axes, double correction, bool keepdims)
{
    uint32_t mask;
    double n;
    if (!find_groups("var", x, &axes, &mask, &n)) return gri_invalid(x.graph);
    return gr_scale(gr_sum(gr_square(deviations(x, axes)), axes, keepdims), 1 / fmax(0, n - correction));
}

/* By the norm, which is stable, and whose derivative at 0 is 0. */
gr_tensor gr_std(gr_tensor x, gr_axes axes, double correction, bool keepdims)
{
    uint32_t mask;
    double n;
    if (!find_groups("std", x, &axes, &mask, &n)) return gri_invalid(x.graph);
    return gr_scale(gr_norm(deviations(x, axes), axes, keepdims), 1 / sqrt(fmax(0, n - correction)));
}

/* ---- Norms ---- */

/* What the elements are divided by so that their powers neither overflow nor vanish: the one that counts most, or 1. The
   norm does not depend on it, so it is a constant. */
static gr_tensor pivot(gr_tensor size, double order, gr_axes axes)
{
    const gr_type type = gr_type_of(size);
    const gr_tensor constant = gr_detach(size), one = gr_scalar(size.graph, type, 1);
    const gr_tensor most = order > 0 ? gr_max(constant, axes, true) : gr_min(constant, axes, true);
    const gr_tensor finite = gr_where(gr_less(most, gr_scalar(size.graph, type, (double)INFINITY)), most,
                                      one);
    return gr_where(gr_greater(most, gri_zero_like(most)), finite, one);
}

/* pivot (sum (|x| / pivot)^p)^(1/p) */
static gr_tensor power_norm(gr_tensor size, double order, gr_axes axes, bool keepdims)
{
    const gr_tensor unit = pivot(size, order, axes);
    const gr_tensor sum = gr_sum(gr_pow_scalar(gr_div(size, unit), order), axes, true);
    const gr_tensor y = gr_mul(gr_pow_scalar(sum, 1 / order), unit);
    return keepdims ? y : gr_squeeze(y, axes);
}

gr_tensor gr_vector_norm(gr_tensor x, double order, gr_axes axes, bool keepdims)
{
    uint32_t mask;
    double n;
    if (!find_groups("vector_norm", x, &axes, &mask, &n)) return gri_invalid(x.graph);
    if (isnan(order)) {
        gri_fail_about(x.graph, GR_ERR_ARGUMENT, gri_resolve(x, "vector_norm"),
                       "vector_norm: the order is NaN");
        return gri_invalid(x.graph);
    }
    if (order == 2) return gr_norm(x, axes, keepdims);
    const gr_tensor size = gr_abs(x);
    if (order == 1) return gr_sum(size, axes, keepdims);
    if (order == 0) { /* NaN is not 0 */
        const gr_tensor one = gr_scalar(size.graph, gr_type_of(size), 1);
        return gr_sum(gr_where(gr_isnan(size), one, gr_sign(size)), axes, keepdims);
    }
    if (isinf(order)) return order > 0 ? gr_max(size, axes, keepdims) : gr_min(size, axes, keepdims);
    if (n == 0) return gr_pow_scalar(gr_sum(size, axes, keepdims), 1 / order); /* of no elements */
    return power_norm(size, order, axes, keepdims);
}

/* ---- Counts ---- */

gr_tensor gr_count_nonzero(gr_tensor x, gr_axes axes, bool keepdims)
{
    return gr_sum(gr_cast(gr_cast(x, GR_BOOL), GR_I32), axes, keepdims);
}
