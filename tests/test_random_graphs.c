/*
 * Random expression graphs: random operations, shapes, broadcasting, views and reuse. The gradient of each is computed
 * by gr_backward, by gr_grad without a record (both take the primitives' fast paths) and by a recorded gr_grad (which
 * takes their rules), and is held against central differences; so are second derivatives along a direction. Seeds are
 * fixed, so a failure can be repeated.
 */
#include "test.h"

#include <gradus.h>

enum { GRAPHS = 400, PARAMS = 3, POOL = 24, STEPS = 14, MOST = 64 };

typedef struct maker {
    gr_graph *g;
    uint64_t state;
    gr_tensor pool[POOL];
    int n;
} maker;

static uint32_t pick(maker *m, uint32_t below)
{
    m->state = m->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(m->state >> 33) % below;
}
static double uniform(maker *m) { return pick(m, 1u << 30) / (double)(1u << 29) - 1; }

static gr_shape random_shape(maker *m)
{
    gr_shape shape = {.ndim = (int)pick(m, 4)};
    for (int i = 0; i < shape.ndim; i++) shape.dims[i] = 1 + pick(m, 3);
    return shape;
}

static gr_tensor any(maker *m) { return m->pool[pick(m, (uint32_t)m->n)]; }

/* Values in [-1, 1], or a little more than 0: operands of what would leave the range of numbers otherwise. */
static gr_tensor bounded(gr_tensor x) { return gr_sin(x); }
static gr_tensor positive(gr_tensor x) { return gr_add_scalar(gr_square(gr_sin(x)), 0.3); }

/* A tensor of x's shape without a gradient. */
static gr_tensor noise_like(maker *m, gr_tensor x)
{
    double values[4096];
    const gr_shape shape = gr_shape_of(x);
    for (int64_t i = 0; i < gr_count(x) && i < 4096; i++) values[i] = uniform(m);
    return gr_constant(m->g, GR_F64, shape, values);
}

/* b reduced and repeated to a shape that broadcasts with a's: summed to a scalar, or to a part of a's axes. */
static gr_tensor fitting(maker *m, gr_tensor a, gr_tensor b)
{
    const gr_shape to = gr_shape_of(a);
    gr_shape part = {.ndim = (int)pick(m, (uint32_t)to.ndim + 1)};
    for (int i = 0; i < part.ndim; i++) part.dims[i] = pick(m, 3) ? to.dims[to.ndim - part.ndim + i] : 1;
    const gr_tensor scalar = bounded(gr_sum(b, GR_ALL_AXES, false));
    return gr_add(gr_sum_to(a, part), scalar);
}

static gr_tensor binary(maker *m)
{
    const gr_tensor a = any(m), b = pick(m, 4) ? fitting(m, a, any(m)) : a;
    const gr_tensor x = pick(m, 2) ? a : b, y = gr_same(x, a) ? b : a;
    switch (pick(m, 9)) {
    case 0:
        return gr_add(x, y);
    case 1:
        return gr_sub(x, y);
    case 2:
        return bounded(gr_mul(x, y));
    case 3:
        return gr_div(bounded(x), positive(y));
    case 4:
        return gr_pow(positive(x), bounded(y));
    case 5:
        return gr_maximum(x, y);
    case 6:
        return gr_minimum(x, y);
    case 7:
        return gr_where(gr_less(noise_like(m, a), gr_scalar(m->g, GR_F64, 0)), x, y);
    default:
        return gr_mul(bounded(x), bounded(y));
    }
}

static gr_tensor unary(maker *m)
{
    const gr_tensor x = any(m);
    switch (pick(m, 19)) {
    case 0:
        return gr_exp(bounded(x));
    case 1:
        return gr_log(positive(x));
    case 2:
        return gr_log1p(positive(x));
    case 3:
        return gr_sqrt(positive(x));
    case 4:
        return gr_sin(x);
    case 5:
        return gr_cos(x);
    case 6:
        return gr_tanh(x);
    case 7:
        return gr_sigmoid(x);
    case 8:
        return gr_softplus(x);
    case 9:
        return gr_relu(x);
    case 10:
        return gr_abs(x);
    case 11:
        return gr_mul(gr_sign(x), bounded(x));
    case 12:
        return bounded(gr_square(x));
    case 13:
        return gr_scale(x, uniform(m));
    case 14:
        return gr_pow_scalar(positive(x), 3 * uniform(m));
    case 15:
        return gr_neg(x);
    case 16:
        return gr_pow_scalar(bounded(x), (double)pick(m, 4));
    case 17:
        return gr_contiguous(x);
    default:
        return gr_add(gr_detach(gr_scalar(m->g, GR_F64, 0.5)), x);
    }
}

static gr_tensor reduction(maker *m)
{
    const gr_tensor x = any(m);
    const int ndim = gr_ndim(x);
    gr_axes axes = {.n = 0};
    for (int i = 0; i < ndim; i++)
        if (pick(m, 2)) axes.axis[axes.n++] = pick(m, 2) ? i : i - ndim;
    if (pick(m, 4) == 0) axes = GR_ALL_AXES;
    const bool keep = pick(m, 2);
    const int axis = ndim ? (int)pick(m, (uint32_t)ndim) : 0;
    switch (pick(m, 6)) {
    case 0:
        return bounded(gr_sum(x, axes, keep));
    case 1:
        return gr_mean(x, axes, keep);
    case 2:
        return gr_max(x, axes, keep);
    case 3:
        return gr_logsumexp(x, axes, keep);
    case 4:
        return ndim ? gr_softmax(x, axis) : x;
    default:
        return ndim ? bounded(gr_log_softmax(x, axis)) : x;
    }
}

static gr_tensor index_of(maker *m, gr_shape shape, int64_t size)
{
    int32_t positions[MOST * 4] = {0};
    int64_t count = 1;
    for (int i = 0; i < shape.ndim; i++) count *= shape.dims[i];
    for (int64_t i = 0; i < count && i < MOST * 4; i++)
        positions[i] = (int32_t)pick(m, (uint32_t)(2 * size)) - (int32_t)size;
    return gr_constant(m->g, GR_I32, shape, positions);
}

static gr_tensor indexing(maker *m, gr_tensor x, int axis)
{
    gr_shape shape = gr_shape_of(x);
    const int64_t size = shape.dims[axis];
    gr_tensor index;
    switch (pick(m, 6)) {
    case 0:
        return gr_concat(3, (gr_tensor[]){x, gr_tanh(x), x}, axis);
    case 1:
        if (shape.ndim > 4) return x;
        return gr_index_select(x, axis, index_of(m, GR_SHAPE(2, 2), size));
    case 2:
        index = index_of(m, GR_SHAPE(size), size + 1);
        return gr_index_add(x, axis, index, size + 1);
    case 3:
        shape.dims[axis] = 1 + pick(m, 3);
        return gr_gather(x, axis, index_of(m, shape, size));
    case 4:
        return gr_scatter_add(x, axis, index_of(m, shape, 2), 2);
    default:
        return gr_select(x, axis, (int64_t)pick(m, (uint32_t)size));
    }
}

static gr_tensor view(maker *m)
{
    gr_tensor x = any(m);
    gr_shape shape = gr_shape_of(x);
    if (shape.ndim == 0) return gr_expand(x, GR_SHAPE(2, 1 + pick(m, 2)));
    const int axis = (int)pick(m, (uint32_t)shape.ndim);
    switch (pick(m, 8)) {
    case 0:
        return gr_reshape(x, GR_SHAPE(-1));
    case 1:
        return gr_permute(x, GR_ALL_AXES);
    case 2:
        return gr_transpose(x, axis, -1);
    case 3:
        return gr_slice(x, axis, GR_SLICE_DEFAULT, GR_SLICE_DEFAULT, pick(m, 2) ? -1 : 2);
    case 4:
        return shape.ndim < 5 ? gr_unsqueeze(x, axis - shape.ndim) : gr_squeeze(x, GR_ALL_AXES);
    case 5:
        if (shape.dims[axis] != 1) return x;
        shape.dims[axis] = 3;
        return gr_expand(x, shape);
    default:
        return indexing(m, x, axis);
    }
}

static gr_tensor product(maker *m)
{
    const gr_tensor x = any(m), y = any(m);
    if (gr_ndim(x) == 0) return x;
    switch (pick(m, 3)) {
    case 0:
        return gr_ndim(x) < 2 ? bounded(gr_matmul(x, x)) : bounded(gr_matmul(x, gr_transpose(x, -1, -2)));
    case 1: /* a vector of the length of x's last axis, and back */
        return bounded(
            gr_matmul(x, gr_expand(bounded(gr_sum(y, GR_ALL_AXES, false)), GR_SHAPE(gr_dim(x, -1)))));
    default: /* a stack that is broadcast: [2, 1, k, 2] */
        if (gr_ndim(x) > 3 || gr_count(x) > MOST) return x;
        return bounded(
            gr_matmul(x, gr_expand(gr_mean(y, GR_ALL_AXES, false), GR_SHAPE(2, 1, gr_dim(x, -1), 2))));
    }
}

/* The loss of graph `seed` over the parameters. An inner scope ends with the loss as its survivor. */
static gr_tensor build(gr_graph *g, uint64_t seed, const gr_tensor *params)
{
    maker m = {.g = g, .state = seed * 7919 + 11};
    for (int i = 0; i < PARAMS; i++) m.pool[m.n++] = params[i];
    gr_scope inner = {0};
    const int opened_at = (int)pick(&m, STEPS);
    for (int step = 0; step < STEPS; step++) {
        if (step == opened_at) inner = gr_scope_begin(g);
        const uint32_t kind = pick(&m, 10);
        const gr_tensor y = kind < 3   ? binary(&m)
                            : kind < 5 ? unary(&m)
                            : kind < 7 ? reduction(&m)
                            : kind < 9 ? view(&m)
                                       : product(&m);
        if (gr_count(y) > 0 && gr_count(y) <= 4 * MOST && gr_ndim(y) < 7) m.pool[m.n++] = y;
    }
    gr_tensor loss = gr_scalar(g, GR_F64, 0);
    for (int i = 0; i < m.n; i++) {
        const gr_tensor part = gr_mul(gr_sin(m.pool[i]), noise_like(&m, m.pool[i]));
        loss = gr_add(loss, gr_sum(part, GR_ALL_AXES, false));
    }
    CHECK(gr_scope_end(inner, 1, &loss) == GR_OK);
    return loss;
}

/* ---- All parameters as one vector ---- */

typedef struct world {
    gr_graph *g;
    uint64_t seed;
    gr_tensor params[PARAMS];
    int64_t count;
    double x[MOST * PARAMS], v[MOST * PARAMS];
} world;

static void set_point(world *w, double h)
{
    int64_t at = 0;
    for (int i = 0; i < PARAMS; i++) {
        double values[MOST];
        const int64_t n = gr_count(w->params[i]);
        for (int64_t k = 0; k < n; k++) values[k] = w->x[at + k] + h * w->v[at + k];
        gr_write(w->params[i], values, n);
        at += n;
    }
}

static void flatten(const gr_tensor *parts, double *to)
{
    for (int i = 0; i < PARAMS; i++) {
        gr_read(parts[i], to, gr_count(parts[i]));
        to += gr_count(parts[i]);
    }
}

/* The loss at x + h v, and its gradient by gr_grad. */
static double loss_at(world *w, double h, double *gradient)
{
    set_point(w, h);
    gr_tensor by[PARAMS];
    const gr_scope scope = gr_scope_begin(w->g);
    const gr_tensor loss = build(w->g, w->seed, w->params);
    const double value = gr_item(loss);
    if (gr_grad(1, &loss, PARAMS, w->params, NULL, NULL, by) == GR_OK) flatten(by, gradient);
    gr_scope_end(scope, 0, NULL);
    return value;
}

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* The gradient by both paths of the engine, and the gradient of gradient . v. */
static void differentiate(world *w, double *stored, double *recorded, double *second)
{
    gr_tensor by[PARAMS], parts[PARAMS], slope = gr_scalar(w->g, GR_F64, 0);
    const gr_tensor loss = build(w->g, w->seed, w->params);
    gr_clear_grads(w->g);
    CHECK(gr_backward_with(loss, &(gr_backward_options){.retain = true}) == GR_OK);
    for (int i = 0; i < PARAMS; i++) parts[i] = gr_gradient(w->params[i]);
    flatten(parts, stored);
    CHECK(gr_grad(1, &loss, PARAMS, w->params, NULL, &(gr_grad_options){.record = true}, by) == GR_OK);
    flatten(by, recorded);
    const double *v = w->v;
    for (int i = 0; i < PARAMS; i++) {
        const gr_tensor along = gr_constant(w->g, GR_F64, gr_shape_of(by[i]), v);
        slope = gr_add(slope, gr_sum(gr_mul(by[i], along), GR_ALL_AXES, false));
        v += gr_count(by[i]);
    }
    slope = gr_add(slope, gr_scale(loss, 0)); /* has a history even where the gradient is constant */
    CHECK(gr_grad(1, &slope, PARAMS, w->params, NULL, NULL, by) == GR_OK);
    flatten(by, second);
}

/* The same by gr_hvp, recorded or not: in one sweep up and one down, or as the gradient of a recorded tangent. */
static void multiply(world *w, bool record, double *products)
{
    gr_tensor by[PARAMS], along[PARAMS];
    const double *v = w->v;
    const gr_scope scope = gr_scope_begin(w->g);
    const gr_tensor loss = build(w->g, w->seed, w->params);
    for (int i = 0; i < PARAMS; i++) {
        along[i] = gr_constant(w->g, GR_F64, gr_shape_of(w->params[i]), v);
        v += gr_count(w->params[i]);
    }
    if (!record) gr_no_grad_begin(w->g);
    if (gr_hvp(loss, PARAMS, w->params, along, by) == GR_OK) flatten(by, products);
    if (!record) gr_no_grad_end(w->g);
    gr_scope_end(scope, 0, NULL);
}

static double largest_difference(const double *a, const double *b, int64_t n)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++) {
        const double error = fabs(a[i] - b[i]) / (1 + fabs(b[i]));
        if (!(error <= worst)) worst = error;
    }
    return worst;
}

static void check_graph(world *w, int *kinks)
{
    double stored[MOST * PARAMS] = {0}, recorded[MOST * PARAMS] = {0}, second[MOST * PARAMS] = {0};
    double above[MOST * PARAMS] = {0}, below[MOST * PARAMS] = {0}, here[MOST * PARAMS] = {0};
    double products[MOST * PARAMS] = {0}, products_recorded[MOST * PARAMS] = {0};
    const double h = 1e-6;
    const int before = test_failures;
    loss_at(w, 0, here);
    differentiate(w, stored, recorded, second);
    multiply(w, false, products);
    multiply(w, true, products_recorded);
    const double slope = (loss_at(w, h, above) - loss_at(w, -h, below)) / (2 * h);
    double numeric[MOST * PARAMS];
    for (int64_t i = 0; i < w->count; i++) numeric[i] = (above[i] - below[i]) / (2 * h);

    CHECK(gr_graph_status(w->g) == GR_OK);
    CHECK(largest_difference(stored, here, w->count) <= 1e-12);
    CHECK(largest_difference(recorded, stored, w->count) <= 1e-11);
    CHECK(largest_difference(products, second, w->count) <= 1e-10);
    CHECK(largest_difference(products_recorded, second, w->count) <= 1e-10);
    /* A step over a kink changes the gradient by far more than h; there are few, and they are counted. */
    if (largest_difference(above, below, w->count) > 1e-2) {
        ++*kinks;
    } else {
        CHECK_NEAR(slope, dot(stored, w->v, w->count), 1e-6 * (1 + fabs(slope)));
        CHECK(largest_difference(second, numeric, w->count) <= 1e-5);
    }
    if (test_failures > before)
        printf("graph %d: %s\n", (int)w->seed,
               gr_graph_status(w->g) ? gr_graph_error(w->g) : "values differ");
}

static void test_random_graphs(void)
{
    int kinks = 0;
    for (uint64_t seed = 0; seed < GRAPHS; seed++) {
        world w = {.g = gr_graph_create(NULL), .seed = seed};
        maker m = {.g = w.g, .state = seed + 1};
        for (int i = 0; i < PARAMS; i++) {
            w.params[i] = gr_param(w.g, (const char *[]){"a", "b", "c"}[i], GR_F64, random_shape(&m), NULL);
            w.count += gr_count(w.params[i]);
        }
        for (int64_t i = 0; i < w.count; i++) w.x[i] = 1.5 * uniform(&m), w.v[i] = uniform(&m);
        set_point(&w, 0);
        const gr_scope scope = gr_scope_begin(w.g);
        check_graph(&w, &kinks);
        CHECK(gr_scope_end(scope, 0, NULL) == GR_OK);
        gr_graph_destroy(w.g);
    }
    CHECK(kinks <= GRAPHS / 50);
}

int main(void)
{
    RUN(test_random_graphs);
    return TEST_EXIT;
}
