/*
 * Plain C functions of doubles as subjects of a check. In order 2 the subject is the first derivatives, J [m, n] by
 * rows, by whichever form of them has shown itself right.
 *
 * Invariant: callbacks get copies, of x and of vectors, and arrays with margins; what they do to either is noticed.
 */
#include "check/engine.h"
#include "check/guard.h"
#include "check/plain.h"
#include "check/tally.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct plain {
    gri_subject subject; /* first: a subject is cast to this */
    const gr_plain_function *f;
    gr_check_result *result;
    gri_memory memory;
    gri_blocks blocks;
    double *x, *kept;      /* what callbacks get, and what it must be afterwards */
    double *vector, *same; /* the same of vectors */
    gri_guarded y, jacobian, hessian, product, column; /* y: [m], product: [n], column: [m] */
    int64_t m;                                         /* outputs of f itself */
    gri_form form;                                     /* of the first derivatives that order 2 uses */
    char name[GR_CHECK_NAME_BYTES];
} plain;

static gr_status fail(plain *p, gr_status status, const char *format, ...) GR_PRINTF(3, 4);
static gr_status fail(plain *p, gr_status status, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(p->result->message, sizeof p->result->message, "%s: %s", p->name, text);
    return status;
}

static gr_status no_memory(gri_subject *s, size_t bytes)
{
    return fail((plain *)s, GR_ERR_MEMORY, "no memory: %zu bytes were needed", bytes);
}

/* ---- Calling ---- */

/* The first of n numbers that is not the same bit for bit; -1: none. */
static int64_t find_change(const double *a, const double *b, int64_t n)
{
    if (n == 0 || memcmp(a, b, (size_t)n * sizeof *a) == 0) return -1;
    int64_t i = 0;
    while (memcmp(a + i, b + i, sizeof *a) == 0) i++;
    return i;
}

/* What has come of a call. An element left unwritten is a remark: it counts as NaN. */
static gr_status inspect(plain *p, const char *what, int returned, int64_t vector, const gri_guarded *a)
{
    gr_check_result *r = p->result;
    if (!gri_guarded_is_intact(a))
        return a->count > 0 ? fail(p, GR_ERR_CALLBACK, "%s wrote outside its array of %" PRId64 " numbers",
                                   what, a->count)
                            : fail(p, GR_ERR_CALLBACK,
                                   "%s wrote outside its array of 0 numbers: n is %" PRId64 ", m is %" PRId64,
                                   what, p->subject.n, p->m);
    const int64_t x = find_change(p->x, p->kept, p->subject.n);
    if (x >= 0)
        return fail(p, GR_ERR_CALLBACK, "%s changed x[%" PRId64 "], which it must only read", what, x);
    const int64_t v = find_change(p->vector, p->same, vector);
    if (v >= 0)
        return fail(p, GR_ERR_CALLBACK,
                    "%s changed element [%" PRId64 "] of its vector, which it must only read", what, v);
    if (returned != 0) return fail(p, GR_ERR_CALLBACK, "%s failed: it returned %d", what, returned);
    const int64_t left = gri_guarded_unwritten(a);
    if (left >= 0 && !r->message[0])
        fail(p, GR_OK, "%s left element [%" PRId64 "] of its array unwritten", what, left);
    return GR_OK;
}

static gr_status call(plain *p, const char *what, gr_plain_value *f, gri_guarded *a)
{
    gri_guarded_reset(a);
    return inspect(p, what, f(p->x, a->data, p->f->user), 0, a);
}

static gr_status call_product(plain *p, const char *what, gr_plain_product *f, const double *vector,
                              int64_t count, gri_guarded *a)
{
    gri_guarded_reset(a);
    memcpy(p->vector, vector, (size_t)count * sizeof *vector);
    memcpy(p->same, vector, (size_t)count * sizeof *vector);
    return inspect(p, what, f(p->x, p->vector, a->data, p->f->user), count, a);
}

/* ---- x ---- */

static gr_status get(gri_subject *s, double *x)
{
    memcpy(x, ((plain *)s)->kept, (size_t)s->n * sizeof *x);
    return GR_OK;
}

static gr_status set(gri_subject *s, int64_t j, double value, double *got)
{
    plain *p = (plain *)s;
    p->x[j] = p->kept[j] = *got = value;
    return GR_OK;
}

static gr_status move(gri_subject *s, const double *x0, double step, const double *v)
{
    plain *p = (plain *)s;
    for (int64_t j = 0; j < s->n; j++) p->kept[j] = v && v[j] != 0 ? x0[j] + step * v[j] : x0[j];
    memcpy(p->x, p->kept, (size_t)s->n * sizeof *p->x);
    return GR_OK;
}

/* ---- Order 1 ---- */

static gr_status value(gri_subject *s, double *y)
{
    plain *p = (plain *)s;
    const gr_status status = call(p, "value", p->f->value, &p->y);
    if (status == GR_OK) memcpy(y, p->y.data, (size_t)p->m * sizeof *y);
    return status;
}

static gr_status jacobian(gri_subject *s, double *to)
{
    plain *p = (plain *)s;
    const gr_status status = call(p, "jacobian", p->f->jacobian, &p->jacobian);
    if (status != GR_OK) return status;
    const double *from = p->jacobian.data;
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t j = 0; j < s->n; j++)
            to[i * s->n + j] = p->f->column_major ? from[i + p->m * j] : from[i * s->n + j];
    return GR_OK;
}

static gr_status reverse(gri_subject *s, int64_t rows, const double *u, double *to)
{
    plain *p = (plain *)s;
    gr_status status = GR_OK;
    double *unit = NULL;
    gri_blocks blocks = {.memory = s->memory};
    if (!u) unit = gri_take(&blocks, p->m, sizeof *unit);
    if (!u && !unit) return no_memory(s, blocks.refused);
    for (int64_t k = 0; k < rows && status == GR_OK; k++) {
        if (unit) unit[k] = gri_unit(k);
        status = call_product(p, "vjp", p->f->vjp, u ? u + k * p->m : unit, p->m, &p->product);
        for (int64_t j = 0; j < s->n && status == GR_OK; j++)
            to[k * s->n + j] = p->product.data[j] / (unit ? unit[k] : 1);
        if (unit) unit[k] = 0;
    }
    gri_give_back(&blocks);
    return status;
}

static gr_status forward(gri_subject *s, const double *v, double *to)
{
    plain *p = (plain *)s;
    const gr_status status = call_product(p, "jvp", p->f->jvp, v, s->n, &p->column);
    if (status == GR_OK) memcpy(to, p->column.data, (size_t)p->m * sizeof *to);
    return status;
}

/* ---- Order 2: of J [m, n] ---- */

static gr_status columns(gri_subject *s, double *to)
{
    plain *p = (plain *)s;
    gr_status status = GR_OK;
    gri_blocks blocks = {.memory = s->memory};
    double *unit = gri_take(&blocks, s->n, sizeof *unit);
    if (!unit) return no_memory(s, blocks.refused);
    for (int64_t j = 0; j < s->n && status == GR_OK; j++) {
        unit[j] = gri_unit(j);
        status = call_product(p, "jvp", p->f->jvp, unit, s->n, &p->column);
        for (int64_t i = 0; i < p->m && status == GR_OK; i++) to[i * s->n + j] = p->column.data[i] / unit[j];
        unit[j] = 0;
    }
    gri_give_back(&blocks);
    return status;
}

static gr_status first_derivatives(gri_subject *s, double *to)
{
    const gri_form form = ((plain *)s)->form;
    return form == GRI_JACOBIAN  ? jacobian(s, to)
           : form == GRI_REVERSE ? reverse(s, ((plain *)s)->m, NULL, to)
                                 : columns(s, to);
}

static gr_status hessian(gri_subject *s, double *to)
{
    plain *p = (plain *)s;
    const gr_status status = call(p, "hessian", p->f->hessian, &p->hessian);
    if (status != GR_OK) return status;
    const int64_t n = s->n, m = p->m;
    const double *from = p->hessian.data;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            for (int64_t k = 0; k < n; k++)
                to[(i * n + j) * n + k] = p->f->column_major ? from[i + m * (j + n * k)]
                                                             : from[(i * n + j) * n + k];
    return GR_OK;
}

static gr_status hvp(gri_subject *s, const double *v, double *to)
{
    plain *p = (plain *)s;
    const gr_status status = call_product(p, "hvp", p->f->hvp, v, s->n, &p->product);
    if (status == GR_OK) memcpy(to, p->product.data, (size_t)s->n * sizeof *to);
    return status;
}

/* ---- Levels ---- */

static gr_status check_first(plain *p, const gr_check_options *o, int64_t wrong[GRI_FORMS])
{
    gri_subject *s = &p->subject;
    s->order = 1;
    s->value = value;
    s->jacobian = p->f->jacobian ? jacobian : NULL;
    s->reverse = p->f->vjp ? reverse : NULL;
    s->forward = p->f->jvp ? forward : NULL;
    return gri_check_level(s, o, p->result, wrong);
}

/* The first form that is there and is not wrong; GRI_FORMS: none. */
static gri_form find_right_form(const plain *p, const int64_t wrong[GRI_FORMS])
{
    if (p->f->jacobian && !wrong[GRI_JACOBIAN]) return GRI_JACOBIAN;
    if (p->f->vjp && !wrong[GRI_REVERSE]) return GRI_REVERSE;
    return p->f->jvp && !wrong[GRI_FORWARD] ? GRI_FORWARD : GRI_FORMS;
}

static gr_status check_second(plain *p, const gr_check_options *o)
{
    gri_subject *s = &p->subject;
    int64_t wrong[GRI_FORMS];
    s->order = 2;
    if (p->m == 1 && s->output.ndim == 0) {
        s->output = p->subject.n_parts == 1 ? p->subject.parts[0].shape : GR_SHAPE(s->n);
    } else {
        const bool fits = s->output.ndim < GR_MAX_NDIM;
        if (!fits) s->output = GR_SHAPE(p->m);
        s->output.dims[s->output.ndim++] = s->n;
    }
    s->m = p->m * s->n;
    s->value = first_derivatives;
    s->jacobian = p->f->hessian ? hessian : NULL;
    s->reverse = NULL;
    s->forward = p->f->hvp ? hvp : NULL;
    return gri_check_level(s, o, p->result, wrong);
}

static gr_status check(plain *p, const gr_check_options *o, int order)
{
    int64_t wrong[GRI_FORMS];
    const gr_status status = check_first(p, o, wrong);
    if (status != GR_OK || order < 2 || p->result->verdict == GR_CHECK_NOT_DETERMINISTIC) return status;
    p->form = find_right_form(p, wrong);
    return p->form == GRI_FORMS ? GR_OK : check_second(p, o);
}

/* ---- The call ---- */

static int64_t count_of(const gr_shape *shape)
{
    size_t count = 1;
    if (shape->ndim < 0 || shape->ndim > GR_MAX_NDIM) return -1;
    for (int i = 0; i < shape->ndim; i++)
        if (shape->dims[i] < 0 || !gri_mul_size(count, (size_t)shape->dims[i], &count)) return -1;
    return count > INT64_MAX / sizeof(double) ? -1 : (int64_t)count;
}

/* The shape of y, and how many numbers it has: each says the other where only one is given. */
static gr_status set_output(plain *p)
{
    const gr_plain_function *f = p->f;
    gri_subject *s = &p->subject;
    s->output = f->output;
    if (s->output.ndim == 0 && f->m != 1) s->output = GR_SHAPE(f->m);
    const int64_t count = count_of(&s->output);
    if (count < 0 || (f->m > 0 && count != f->m))
        return fail(p, GR_ERR_SHAPE, "m is %" PRId64 ", but its output shape has another number of elements",
                    f->m);
    s->m = p->m = count;
    return GR_OK;
}

/* The parts of x, checked. */
static gr_status divide(plain *p)
{
    const gr_plain_function *f = p->f;
    gri_subject *s = &p->subject;
    if (f->n < 0 || f->m < 0 || f->n_inputs < 0 || (f->n_inputs > 0 && !f->inputs))
        return fail(p, GR_ERR_ARGUMENT, "n, m and n_inputs must not be negative, nor inputs missing");
    const int n_parts = f->n_inputs > 0 ? f->n_inputs : 1;
    gri_part *parts = gri_take(&p->blocks, n_parts, sizeof *parts);
    if (!parts) return no_memory(s, p->blocks.refused);
    if (f->n_inputs == 0) {
        parts[0] = (gri_part){.name = "x", .count = f->n, .shape = GR_SHAPE(f->n)};
        s->n = f->n;
    }
    for (int i = 0; i < f->n_inputs; i++) {
        const gr_plain_input *input = &f->inputs[i];
        const int64_t count = count_of(&input->shape);
        if (count < 0 || count > INT64_MAX / (int64_t)sizeof(double) - s->n)
            return fail(p, GR_ERR_SHAPE, "inputs[%d] has no shape that can be", i);
        parts[i] = (gri_part){.position = i, .first = s->n, .count = count, .shape = input->shape};
        snprintf(parts[i].name, sizeof parts[i].name, "%s", input->name ? input->name : "");
        s->n += count;
    }
    s->parts = parts;
    s->n_parts = n_parts;
    if (f->n > 0 && f->n != s->n)
        return fail(p, GR_ERR_SHAPE, "n is %" PRId64 ", but its inputs have %" PRId64 " elements", f->n,
                    s->n);
    return set_output(p);
}

static gr_status check_arguments(plain *p, const double *x, const gr_check_options *o)
{
    const gr_plain_function *f = p->f;
    const char *bad = gri_bad_option(o, GRI_MOST_PLAIN_ORDERS);
    if (bad) return fail(p, GR_ERR_ARGUMENT, "%s", bad);
    if (!f->value) return fail(p, GR_ERR_ARGUMENT, "there is no value");
    if (!f->jacobian && !f->vjp && !f->jvp)
        return fail(p, GR_ERR_ARGUMENT, "there is no first derivative: jacobian, vjp or jvp");
    if (o->order == 2 && !f->hessian && !f->hvp)
        return fail(p, GR_ERR_ARGUMENT, "order 2 needs hessian or hvp");
    if (f->hvp && p->m != 1) return fail(p, GR_ERR_ARGUMENT, "hvp is for m = 1; m is %" PRId64, p->m);
    if (!x && p->subject.n > 0) return fail(p, GR_ERR_ARGUMENT, "NULL for x");
    return GR_OK;
}

/* Memory for whatever is called. */
static gr_status prepare(plain *p, const double *x, int order)
{
    const gr_plain_function *f = p->f;
    gri_blocks *b = &p->blocks;
    const int64_t n = p->subject.n, m = p->m, longer = n > m ? n : m;
    p->x = gri_take(b, n, sizeof *p->x);
    p->kept = p->x ? gri_take(b, n, sizeof *p->kept) : NULL;
    p->vector = p->kept ? gri_take(b, longer, sizeof *p->vector) : NULL;
    p->same = p->vector ? gri_take(b, longer, sizeof *p->same) : NULL;
    bool made = p->same && gri_guarded_take(&p->y, b, m, 1);
    if (made && f->jacobian) made = gri_guarded_take(&p->jacobian, b, m, n);
    if (made) made = gri_guarded_take(&p->product, b, n, 1) && gri_guarded_take(&p->column, b, m, 1);
    if (made && order > 1 && f->hessian)
        made = (n == 0 || m <= INT64_MAX / n) && gri_guarded_take(&p->hessian, b, m * n, n);
    if (!made) return no_memory(&p->subject, b->refused);
    if (n > 0) memcpy(p->x, x, (size_t)n * sizeof *x);
    if (n > 0) memcpy(p->kept, x, (size_t)n * sizeof *x);
    return GR_OK;
}

gr_status gri_check_plain(const gr_allocator *allocator, const gr_plain_function *f, const double *x,
                          const gr_check_options *options, gr_check_result *result)
{
    const gr_check_options o = options ? *options : (gr_check_options){0};
    if (!result) return GR_ERR_ARGUMENT;
    gri_result_begin(result, o.name ? o.name : f && f->name ? f->name : "function");
    if (!f) return gri_result_fail(result, GR_ERR_ARGUMENT, "NULL for the function");
    plain p = {.f = f, .result = result};
    gri_subject *s = &p.subject;
    gri_memory_init(&p.memory, allocator, 0);
    p.blocks.memory = s->memory = &p.memory;
    s->get = get;
    s->set = set;
    s->move = move;
    s->no_memory = no_memory;
    snprintf(p.name, sizeof p.name, "%s", result->name);
    gr_status status = divide(&p);
    if (status == GR_OK) status = check_arguments(&p, x, &o);
    const int order = o.order ? o.order : f->hessian || f->hvp ? 2 : 1;
    if (status == GR_OK) status = prepare(&p, x, order);
    if (status == GR_OK) status = check(&p, &o, order);
    gri_give_back(&p.blocks);
    gri_memory_trim(&p.memory);
    return status == GR_OK ? gri_result_end(result) : gri_result_fail(result, status, result->message);
}

gr_status gr_check_plain(const gr_plain_function *f, const double *x, const gr_check_options *options,
                         gr_check_result *result)
{
    return gri_check_plain(&(gr_allocator){0}, f, x, options, result);
}
