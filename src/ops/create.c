/* Tensors from nothing: constants of one value, ranges, random numbers. */
#include "ops/ops.h"
#include "base/random.h"

#include <stdio.h>
#include <tgmath.h>

/* What every primitive of this file begins its attributes with. */
typedef struct creation {
    gr_type type;
    gr_shape shape;
    double a, b;        /* value; start and step; low and high; mean and standard deviation; probability */
    gr_rng_state state; /* of the generator when the tensor was made: forward is pure */
} creation;

static gr_status creation_infer(const gr_call *c, gr_layout *out)
{
    const creation *k = c->attributes;
    int64_t count;
    const gr_status status = gri_check_shape(c->graph, c->op->name, k->type, &k->shape, &count);
    if (status != GR_OK) return status;
    out->type = k->type;
    out->ndim = k->shape.ndim;
    for (int i = 0; i < out->ndim; i++) out->dims[i] = k->shape.dims[i];
    return GR_OK;
}

static gr_status float_creation_infer(const gr_call *c, gr_layout *out)
{
    const creation *k = c->attributes;
    if (!gr_type_is_float(k->type))
        return gr_call_fail(c, GR_ERR_TYPE, "needs f32 or f64", "%s", gr_type_name(k->type));
    return creation_infer(c, out);
}

/* The i-th element of an array of any type = value. */
static void put(const gr_array *out, int64_t i, double value)
{
    switch (out->type) {
    case GR_F32:
        ((float *)out->data)[i] = (float)value;
        break;
    case GR_F64:
        ((double *)out->data)[i] = value;
        break;
    case GR_I32:
        ((int32_t *)out->data)[i] = (int32_t)value;
        break;
    case GR_BOOL:
        ((uint8_t *)out->data)[i] = value != 0;
        break;
    }
}

#define CREATION(NAME, FORMULA, INFER)                                \
    const gr_op gri_op_##NAME = {.name = #NAME,                       \
                                 .arity = 0,                          \
                                 .strided = true,                     \
                                 .formula = FORMULA,                  \
                                 .attribute_bytes = sizeof(creation), \
                                 .infer = INFER,                      \
                                 .forward = NAME##_forward};

static gr_status fails_in_i32(const gr_call *c, double value)
{
    if (value >= INT32_MIN && value <= INT32_MAX) return GR_OK;
    return gr_call_fail(c, GR_ERR_ARGUMENT, "a value that i32 cannot hold", "%g", value);
}

/* ---- full ---- */

static gr_status full_infer(const gr_call *c, gr_layout *out)
{
    const creation *k = c->attributes;
    if (k->type == GR_I32 && fails_in_i32(c, k->a) != GR_OK) return GR_ERR_ARGUMENT;
    return creation_infer(c, out);
}

static gr_status full_forward(const gr_call *c)
{
    const creation *k = c->attributes;
    for (int64_t i = 0; i < c->out->count; i++) put(c->out, i, k->a);
    return GR_OK;
}
CREATION(full, "y = value", full_infer)

gr_tensor gr_full(gr_graph *g, gr_type type, gr_shape shape, double value)
{
    const creation k = {.type = type, .shape = shape, .a = value};
    return gr_apply(g, &gri_op_full, 0, NULL, &k);
}
gr_tensor gr_scalar(gr_graph *g, gr_type type, double value)
{
    return gr_full(g, type, (gr_shape){0}, value);
}
gr_tensor gr_zeros(gr_graph *g, gr_type type, gr_shape shape) { return gr_full(g, type, shape, 0); }
gr_tensor gr_ones(gr_graph *g, gr_type type, gr_shape shape) { return gr_full(g, type, shape, 1); }

/* ---- arange ---- */

static gr_status arange_infer(const gr_call *c, gr_layout *out)
{
    const creation *k = c->attributes;
    if (k->type == GR_BOOL) return gr_call_fail(c, GR_ERR_TYPE, "needs f32, f64 or i32", NULL);
    const gr_status status = creation_infer(c, out);
    if (status != GR_OK || k->type != GR_I32 || out->dims[0] == 0) return status;
    if (fails_in_i32(c, k->a) != GR_OK) return GR_ERR_ARGUMENT;
    return fails_in_i32(c, k->a + k->b * (double)(out->dims[0] - 1));
}

static gr_status arange_forward(const gr_call *c)
{
    const creation *k = c->attributes;
    for (int64_t i = 0; i < c->out->count; i++) put(c->out, i, k->a + k->b * (double)i);
    return GR_OK;
}
CREATION(arange, "y_i = start + i step", arange_infer)

gr_tensor gr_arange(gr_graph *g, gr_type type, int64_t n, double start, double step)
{
    const creation k = {.type = type, .shape = {1, {n}}, .a = start, .b = step};
    return gr_apply(g, &gri_op_arange, 0, NULL, &k);
}

/* ---- linspace ---- */

/* From both ends, so that each is exact. */
static gr_status linspace_forward(const gr_call *c)
{
    const creation *k = c->attributes;
    const int64_t n = c->out->count;
    const double step = n > 1 ? (k->b - k->a) / (double)(n - 1) : 0;
    for (int64_t i = 0; i < n; i++)
        put(c->out, i, i < n / 2 || n == 1 ? k->a + step * (double)i : k->b - step * (double)(n - 1 - i));
    return GR_OK;
}
CREATION(linspace, "y_i = start + i (stop - start) / (n - 1)", float_creation_infer)

gr_tensor gr_linspace(gr_graph *g, gr_type type, int64_t n, double start, double stop)
{
    const creation k = {.type = type, .shape = {1, {n}}, .a = start, .b = stop};
    return gr_apply(g, &gri_op_linspace, 0, NULL, &k);
}

/* ---- Random ---- */

/* Pairs of numbers that one task makes: enough to be worth a thread. */
enum { PAIRS_PER_TASK = 4096 };

typedef void pair_function(uint64_t seed, uint64_t block, double out[2]);

typedef struct random_plan {
    const gr_array *out;
    gr_rng_state state;
    pair_function *pair;
    double offset, factor; /* of a number z: offset + factor z */
    bool mask;             /* z < offset in place of that */
} random_plan;

static void put_random(const random_plan *p, int64_t i, double z)
{
    put(p->out, i, p->mask ? z < p->offset : p->offset + p->factor * z);
}

/* Element i is number i of the stream that starts at the state, whichever thread makes it: two numbers per block of the
   generator. */
static void random_task(void *arg, int64_t task)
{
    const random_plan *p = arg;
    const int64_t count = p->out->count, first = 2 * PAIRS_PER_TASK * task;
    for (int64_t i = first; i < count && i < first + 2 * PAIRS_PER_TASK; i += 2) {
        double z[2];
        p->pair(p->state.seed, p->state.counter + (uint64_t)i / 2, z);
        put_random(p, i, z[0]);
        if (i + 1 < count) put_random(p, i + 1, z[1]);
    }
}

static gr_status fill_random(const gr_call *c, pair_function *pair, double offset, double factor, bool mask)
{
    const creation *k = c->attributes;
    random_plan p = {c->out, k->state, pair, offset, factor, mask};
    const int64_t tasks = c->out->count / (2 * PAIRS_PER_TASK) + 1;
    if (tasks == 1)
        random_task(&p, 0);
    else
        gri_threads_run(c->graph->threads, tasks, random_task, &p);
    return GR_OK;
}

static gr_status uniform_forward(const gr_call *c)
{
    const creation *k = c->attributes;
    return fill_random(c, gri_uniform_pair, k->a, k->b - k->a, false);
}
CREATION(uniform, "y ~ U[low, high)", float_creation_infer)

static gr_status normal_forward(const gr_call *c)
{
    const creation *k = c->attributes;
    return fill_random(c, gri_normal_pair, k->a, k->b, false);
}
CREATION(normal, "y ~ N(mean, std^2)", float_creation_infer)

static gr_status bernoulli_infer(const gr_call *c, gr_layout *out)
{
    const creation *k = c->attributes;
    if (!(k->a >= 0 && k->a <= 1)) return gr_call_fail(c, GR_ERR_ARGUMENT, "p must be in [0, 1]", "%g", k->a);
    return creation_infer(c, out);
}

static gr_status bernoulli_forward(const gr_call *c)
{
    const creation *k = c->attributes;
    return fill_random(c, gri_uniform_pair, k->a, 0, true);
}
CREATION(bernoulli, "y = 1 with probability p", bernoulli_infer)

/* Draws a tensor and moves the generator past the numbers it took. */
static gr_tensor draw(gr_graph *g, const gr_op *op, gr_type type, const gr_shape *shape, double a, double b)
{
    if (!g) return gri_invalid(g);
    const creation k = {.type = type, .shape = *shape, .a = a, .b = b, .state = g->rng};
    const gr_tensor y = gr_apply(g, op, 0, NULL, &k);
    if (y.index) g->rng.counter += ((uint64_t)gri_array(y)->count + 1) / 2;
    return y;
}

gr_tensor gr_uniform(gr_graph *g, gr_type type, gr_shape shape, double low, double high)
{
    return draw(g, &gri_op_uniform, type, &shape, low, high);
}

gr_tensor gr_normal(gr_graph *g, gr_type type, gr_shape shape, double mean, double std)
{
    return draw(g, &gri_op_normal, type, &shape, mean, std);
}

gr_tensor gr_bernoulli(gr_graph *g, gr_shape shape, double p)
{
    return draw(g, &gri_op_bernoulli, GR_BOOL, &shape, p, 0);
}
