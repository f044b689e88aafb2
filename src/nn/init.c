/*
 * Initialisers: a random tensor made in a scope of its own, assigned to the parameter, freed again.
 */
#include "gradus/init.h"
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

static gr_status fill(gr_tensor w, draw *drawn, double a, double b)
{
    const gr_scope scope = gr_scope_begin(w.graph);
    const gr_status status = gr_assign(w, drawn(w.graph, gr_type_of(w), gr_shape_of(w), a, b));
    const gr_status ended = gr_scope_end(scope, 0, NULL);
    return status != GR_OK ? status : ended;
}

/* ---- Given distributions ---- */

static gr_tensor constant(gr_graph *g, gr_type type, gr_shape shape, double a, double b)
{
    (void)b;
    return gr_full(g, type, shape, a);
}

/* N(mean, std^2), but that what is farther than 2 std from the mean is drawn again: some 5 of 100 in each round. */
static gr_tensor truncated_normal(gr_graph *g, gr_type type, gr_shape shape, double mean, double std)
{
    const gr_tensor two = gr_scalar(g, type, 2);
    gr_tensor z = gr_normal(g, type, shape, 0, 1);
    while (gr_graph_status(g) == GR_OK) {
        const gr_scope scope = gr_scope_begin(g);
        const gr_tensor outside = gr_greater(gr_abs(z), two);
        const bool done = gr_item(gr_sum(gr_cast(outside, GR_F64), GR_ALL_AXES, false)) == 0;
        if (!done) z = gr_where(outside, gr_normal(g, type, shape, 0, 1), z);
        gr_scope_end(scope, !done, &z);
        if (done) break;
    }
    return gr_add_scalar(gr_scale(z, std), mean);
}

gr_status gr_init_constant(gr_tensor w, double value)
{
    gr_status status;
    return ready(w, &status) ? fill(w, constant, value, 0) : status;
}

gr_status gr_init_zeros(gr_tensor w) { return gr_init_constant(w, 0); }
gr_status gr_init_ones(gr_tensor w) { return gr_init_constant(w, 1); }

static gr_status fill_around(gr_tensor w, const char *what, draw *drawn, double mean, double std)
{
    gr_status status;
    if (!ready(w, &status)) return status;
    if (!isfinite(mean) || !(std >= 0) || !isfinite(std))
        return gr_graph_fail(w.graph, GR_ERR_ARGUMENT,
                             "%s: mean %g and standard deviation %g: both finite, the second not negative",
                             what, mean, std);
    return fill(w, drawn, mean, std);
}

gr_status gr_init_normal(gr_tensor w, double mean, double std)
{
    return fill_around(w, "init_normal", gr_normal, mean, std);
}

gr_status gr_init_truncated_normal(gr_tensor w, double mean, double std)
{
    return fill_around(w, "init_truncated_normal", truncated_normal, mean, std);
}

gr_status gr_init_uniform(gr_tensor w, double low, double high)
{
    gr_status status;
    if (!ready(w, &status)) return status;
    if (!(low <= high) || !isfinite(low) || !isfinite(high))
        return gr_graph_fail(w.graph, GR_ERR_ARGUMENT, "init_uniform: from %g to %g", low, high);
    return fill(w, gr_uniform, low, high);
}

gr_status gr_init_small_normal(gr_tensor w) { return gr_init_normal(w, 0, 0.05); }
gr_status gr_init_small_uniform(gr_tensor w) { return gr_init_uniform(w, -0.05, 0.05); }

/* ---- Scaled with the size of the layer ---- */

gr_status gr_init_variance(gr_tensor w, gr_distribution distribution, double variance)
{
    gr_status status;
    if (!ready(w, &status)) return status;
    if (!(variance >= 0) || !isfinite(variance))
        return gr_graph_fail(w.graph, GR_ERR_ARGUMENT, "init_variance: a variance of %g", variance);
    static const double truncated_std = 0.87962566103423978;       /* of N(0, 1) between -2 and 2 */
    const double std = sqrt(variance), bound = sqrt(3 * variance); /* U(-a, a) has variance a^2/3 */
    if (distribution == GR_DISTRIBUTION_NORMAL) return fill(w, gr_normal, 0, std);
    if (distribution == GR_DISTRIBUTION_UNIFORM) return fill(w, gr_uniform, -bound, bound);
    if (distribution == GR_DISTRIBUTION_TRUNCATED_NORMAL)
        return fill(w, truncated_normal, 0, std / truncated_std);
    return gr_graph_fail(w.graph, GR_ERR_ARGUMENT, "init_variance: there is no distribution %d",
                         (int)distribution);
}

/* Sets the error of a weight that has too few axes. */
static gr_status fail_axes(gr_tensor w, const char *what)
{
    return gr_graph_fail(w.graph, GR_ERR_SHAPE, "%s: needs a weight of shape [in, out]: %s has %d axes", what,
                         *gr_name(w) ? gr_name(w) : "the tensor", gr_ndim(w));
}

static gr_fans fans_of(const gr_shape *shape)
{
    const bool kernel = shape->ndim > 2;
    gr_fans fans = {shape->dims[kernel ? 1 : 0], shape->dims[kernel ? 0 : 1]};
    for (int axis = 2; axis < shape->ndim; axis++) {
        fans.in *= shape->dims[axis];
        fans.out *= shape->dims[axis];
    }
    return fans;
}

gr_fans gr_fans_of(gr_tensor w)
{
    const gr_shape shape = gr_shape_of(w);
    if (shape.ndim >= 2) return fans_of(&shape);
    if (shape.ndim >= 0) fail_axes(w, "fans_of");
    return (gr_fans){0, 0};
}

/* Variance 2/n, where n = in n_in + out n_out. */
static gr_status fill_scaled(gr_tensor w, const char *what, gr_distribution distribution, double in,
                             double out)
{
    gr_status status;
    if (!ready(w, &status)) return status;
    const gr_shape shape = gr_shape_of(w);
    if (shape.ndim < 2) return fail_axes(w, what);
    if (gr_count(w) == 0) return GR_OK;
    const gr_fans fans = fans_of(&shape);
    return gr_init_variance(w, distribution, 2 / (in * (double)fans.in + out * (double)fans.out));
}

gr_status gr_init_xavier_uniform(gr_tensor w)
{
    return fill_scaled(w, "init_xavier_uniform", GR_DISTRIBUTION_UNIFORM, 1, 1);
}
gr_status gr_init_xavier_normal(gr_tensor w)
{
    return fill_scaled(w, "init_xavier_normal", GR_DISTRIBUTION_NORMAL, 1, 1);
}
gr_status gr_init_lecun_uniform(gr_tensor w)
{
    return fill_scaled(w, "init_lecun_uniform", GR_DISTRIBUTION_UNIFORM, 2, 0);
}
gr_status gr_init_lecun_normal(gr_tensor w)
{
    return fill_scaled(w, "init_lecun_normal", GR_DISTRIBUTION_NORMAL, 2, 0);
}
gr_status gr_init_he_uniform(gr_tensor w)
{
    return fill_scaled(w, "init_he_uniform", GR_DISTRIBUTION_UNIFORM, 1, 0);
}
gr_status gr_init_he_normal(gr_tensor w)
{
    return fill_scaled(w, "init_he_normal", GR_DISTRIBUTION_NORMAL, 1, 0);
}

/* ---- Orthogonal ---- */

/* Four sums, which do not wait for each other. */
static double dot(const double *a, const double *b, int64_t n)
{
    double sum[4] = {0, 0, 0, 0};
    int64_t k = 0;
    for (; k + 4 <= n; k += 4)
        for (int lane = 0; lane < 4; lane++) sum[lane] += a[k + lane] * b[k + lane];
    for (; k < n; k++) sum[0] += a[k] * b[k];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* Makes `rows` rows of n numbers orthonormal by modified Gram-Schmidt, done twice, which leaves nothing but roundings: the
   Q of a QR decomposition whose R has a positive diagonal. False if a row depends on those before it. */
static bool orthonormalise(double *q, int64_t rows, int64_t n)
{
    for (int64_t i = 0; i < rows; i++) {
        double *row = q + i * n;
        for (int64_t k = 0; k < 2 * i; k++) {
            const double *other = q + k % i * n, along = dot(row, other, n);
            for (int64_t j = 0; j < n; j++) row[j] -= along * other[j];
        }
        const double length = sqrt(dot(row, row, n));
        if (!(length > 0)) return false;
        for (int64_t j = 0; j < n; j++) row[j] /= length;
    }
    return true;
}

/* Rows of normal numbers, orthonormalised: a leaf, of the scope that is open. */
static gr_tensor orthonormal_rows(gr_graph *g, int64_t rows, int64_t n)
{
    const gr_tensor q = gr_constant(g, GR_F64, GR_SHAPE(rows, n), NULL);
    double *values;
    do { /* again only after numbers that are never drawn */
        gr_assign(q, gr_normal(g, GR_F64, GR_SHAPE(rows, n), 0, 1));
        values = gr_data_for_writing(q);
    } while (gr_graph_status(g) == GR_OK && values && !orthonormalise(values, rows, n));
    return q;
}

gr_status gr_init_orthogonal_with(gr_tensor w, double gain)
{
    gr_status status;
    if (!ready(w, &status)) return status;
    const gr_shape shape = gr_shape_of(w);
    if (!isfinite(gain))
        return gr_graph_fail(w.graph, GR_ERR_ARGUMENT, "init_orthogonal: a gain of %g", gain);
    if (shape.ndim < 2) return fail_axes(w, "init_orthogonal");
    if (gr_count(w) == 0) return GR_OK;
    const gr_scope scope = gr_scope_begin(w.graph);
    const int64_t rows = shape.dims[0], columns = gr_count(w) / rows;
    const bool tall = rows > columns;
    gr_tensor q = orthonormal_rows(w.graph, tall ? columns : rows, tall ? rows : columns);
    if (tall) q = gr_transpose(q, 0, 1);
    status = gr_assign(w, gr_cast(gr_scale(gr_reshape(q, shape), gain), gr_type_of(w)));
    const gr_status ended = gr_scope_end(scope, 0, NULL);
    return status != GR_OK ? status : ended;
}

gr_status gr_init_orthogonal(gr_tensor w) { return gr_init_orthogonal_with(w, 1); }
