/*
 * Clipping of gradients. Both first look at all gradients, and make them writable, then change them: an error
 * leaves all as they were.
 */
#include "optim/optimizer.h"
#include "ops/kernels/update.h"

#include <math.h>
#include <string.h>

/* Added to the norm, as in PyTorch: a norm of exactly 0 divides nothing. */
static const double norm_epsilon = 1e-6;

/* The gradients of a call. */
typedef struct clip_list {
    gr_graph *g;
    const gr_tensor *params;
    int n;     /* as given */
    int count; /* of parameters */
} clip_list;

/* The gradient of parameter i, if a step would use it. */
static gri_node *gradient_of(const clip_list *list, int i)
{
    const gri_node *param = gri_node_of(gri_listed_param(list->g, list->n, list->params, i));
    return param->gradient && (param->flags & GRI_REQUIRES_GRAD) ? gri_kept_node(list->g, param->gradient)
                                                                 : NULL;
}

/* Checks the call and makes all gradients writable. */
static gr_status open_list(clip_list *list, const char *what)
{
    gr_graph *g = list->g;
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    gr_status status = gri_check_params(g, what, list->n, list->params, &list->count);
    if (status != GR_OK) return status;
    bool any = false;
    for (int i = 0; i < list->count; i++) {
        gri_node *gradient = gradient_of(list, i);
        if (!gradient) continue;
        any = true;
        status = gri_make_writable(g, gradient, true);
        if (status != GR_OK) return status;
    }
    if (any) return GR_OK;
    return gri_fail(g, GR_ERR_NO_GRADIENT,
                    "%s: none of %d parameters has a gradient: gr_backward comes before it", what,
                    list->count);
}

/* The largest element of all; an error if one is not finite. */
static gr_status find_largest(const clip_list *list, double *largest)
{
    *largest = 0;
    for (int i = 0; i < list->count; i++) {
        const gri_node *gradient = gradient_of(list, i);
        if (!gradient) continue;
        const double most = gri_largest(gradient->array.type, gradient->array.count, gradient->array.data);
        if (!isfinite(most))
            return gri_fail(list->g, GR_ERR_NOT_FINITE, "clip_grad_norm: the gradient of %s has %s in it",
                            gri_node_of(gri_listed_param(list->g, list->n, list->params, i))->name,
                            isnan(most) ? "nan" : "infinity");
        if (most > *largest) *largest = most;
    }
    return GR_OK;
}

/* The p-norm of all, times *scale: a power of 2, such that no power overflows, nor all of them vanish. */
static double scaled_norm(const clip_list *list, double p, double largest, double *scale)
{
    enum { MOST = 1000 }; /* within the exponents of f64 */
    int exponent;
    frexp(largest, &exponent);
    *scale = ldexp(1, exponent > MOST ? -MOST : exponent < -MOST ? MOST : -exponent);
    if (isinf(p)) return largest * *scale;
    double sum = 0;
    for (int i = 0; i < list->count; i++) {
        const gri_node *gradient = gradient_of(list, i);
        if (!gradient) continue;
        const gr_array *a = &gradient->array;
        sum += p == 2 ? gri_sum_squares(a->type, a->count, a->data, *scale)
                      : gri_sum_powers(a->type, a->count, a->data, *scale, p);
    }
    return p == 2 ? sqrt(sum) : pow(sum, 1 / p);
}

gr_status gr_clip_grad_norm(gr_graph *g, double max_norm, int n, const gr_tensor *params, double *norm)
{
    return gr_clip_grad_norm_p(g, max_norm, 2, n, params, norm);
}

gr_status gr_clip_grad_norm_p(gr_graph *g, double max_norm, double p, int n, const gr_tensor *params,
                              double *norm)
{
    clip_list list = {g, params, n, 0};
    if (norm) *norm = NAN;
    gr_status status = open_list(&list, "clip_grad_norm");
    if (status != GR_OK) return status;
    if (!(max_norm >= 0))
        return gri_fail(g, GR_ERR_ARGUMENT, "clip_grad_norm: max_norm must not be negative, and is %g",
                        max_norm);
    if (!(p > 0)) return gri_fail(g, GR_ERR_ARGUMENT, "clip_grad_norm: p must be positive, and is %g", p);
    double largest, scale;
    status = find_largest(&list, &largest);
    if (status != GR_OK) return status;
    const double scaled = scaled_norm(&list, p, largest, &scale);
    const double factor = max_norm * scale / (scaled + norm_epsilon * scale);
    if (norm) *norm = scaled / scale;
    for (int i = 0; i < list.count && factor < 1; i++) {
        gri_node *gradient = gradient_of(&list, i);
        if (!gradient) continue;
        gri_update_scale(gradient->array.type, gradient->array.count, gradient->array.data, factor);
        gradient->version++;
    }
    return GR_OK;
}

gr_status gr_clip_grad_value(gr_graph *g, double limit, int n, const gr_tensor *params)
{
    clip_list list = {g, params, n, 0};
    const gr_status status = open_list(&list, "clip_grad_value");
    if (status != GR_OK) return status;
    if (!(limit >= 0))
        return gri_fail(g, GR_ERR_ARGUMENT, "clip_grad_value: limit must not be negative, and is %g", limit);
    for (int i = 0; i < list.count; i++) {
        gri_node *gradient = gradient_of(&list, i);
        if (!gradient) continue;
        gri_update_clamp(gradient->array.type, gradient->array.count, gradient->array.data, limit);
        gradient->version++;
    }
    return GR_OK;
}
