/* Losses of differences, element by element. */
#include "nn/loss.h"

/* What the losses here begin with: y - target, or an invalid handle. */
static gr_tensor difference(gri_loss *l, const char *name, unsigned knows, gr_tensor y, gr_tensor target,
                            const gr_loss_options *options)
{
    if (!gri_loss_begin(l, name, knows, y, target, options) || !gri_loss_alike(l, y, target))
        return gri_loss_invalid(l);
    return gr_sub(y, target);
}

gr_tensor gr_mse_with(gr_tensor y, gr_tensor target, const gr_loss_options *options)
{
    gri_loss l;
    const gr_tensor d = difference(&l, "mse", 0, y, target, options);
    return gri_loss_reduce(&l, gr_square(d));
}
GRI_LOSS_DEFAULTS(mse)

gr_tensor gr_half_sum_squares_with(gr_tensor y, gr_tensor target, const gr_loss_options *options)
{
    gri_loss l;
    const gr_tensor d = difference(&l, "half_sum_squares", 0, y, target, options);
    if (l.o.reduction == GR_REDUCE_DEFAULT) l.o.reduction = GR_REDUCE_SUM;
    return gr_scale(gri_loss_reduce(&l, gr_square(d)), 0.5);
}
GRI_LOSS_DEFAULTS(half_sum_squares)

gr_tensor gr_l1_loss_with(gr_tensor y, gr_tensor target, const gr_loss_options *options)
{
    gri_loss l;
    const gr_tensor d = difference(&l, "l1_loss", 0, y, target, options);
    return gri_loss_reduce(&l, gr_abs(d));
}
GRI_LOSS_DEFAULTS(l1_loss)

/* With c = d, kept between -delta and delta: c (d - c/2), which has the derivative c. No square of a large difference is
   taken. The second derivative is that of the outside at both ends, as in PyTorch: so is the slope of hardtanh. */
static gr_tensor huber(gr_tensor d, double delta)
{
    const gr_tensor c = gr_hardtanh_with(d, -delta, delta);
    return gr_mul(c, gr_sub(d, gr_scale(c, 0.5)));
}

gr_tensor gr_huber_with(gr_tensor y, gr_tensor target, const gr_loss_options *options)
{
    gri_loss l;
    const gr_tensor d = difference(&l, "huber", GRI_LOSS_DELTA, y, target, options);
    return gri_loss_reduce(&l, huber(d, gri_loss_or(l.o.delta, 1)));
}
GRI_LOSS_DEFAULTS(huber)

gr_tensor gr_smooth_l1_loss_with(gr_tensor y, gr_tensor target, const gr_loss_options *options)
{
    gri_loss l;
    const gr_tensor d = difference(&l, "smooth_l1_loss", GRI_LOSS_BETA, y, target, options);
    const double beta = gri_loss_or(l.o.beta, 1);
    return gri_loss_reduce(&l, gr_scale(huber(d, beta), 1 / beta));
}
GRI_LOSS_DEFAULTS(smooth_l1_loss)

gr_tensor gr_log_cosh_loss_with(gr_tensor y, gr_tensor target, const gr_loss_options *options)
{
    gri_loss l;
    const gr_tensor d = difference(&l, "log_cosh_loss", 0, y, target, options);
    return gri_loss_reduce(&l, gr_log_cosh(d));
}
GRI_LOSS_DEFAULTS(log_cosh_loss)
