/*
 * What the lists of functions to check share (test_check_wrong.c, test_check_right.c, test_check_honest.c):
 * plain functions written down without status and user pointer, and running a check on one.
 */
#ifndef GRADUS_CHECK_LISTS_H
#define GRADUS_CHECK_LISTS_H

#include "test.h"
#include "gradus.h"

#include <stdlib.h>

typedef void plain_value(const double *x, double *y);
typedef void plain_product(const double *x, const double *vector, double *product);

/* As gr_plain_function. */
typedef struct plain {
    int n, m;
    plain_value *value, *jacobian, *hessian;
    plain_product *vjp, *jvp, *hvp;
    bool column_major;
    gr_plain_input inputs[6]; /* up to the first without a name */
    gr_shape output;
} plain;

/* In tables, where initialisers are constant: a point, a shape, a place in an array. Rows leave out what is
   zero. */
#define X(...) ((const double[]){__VA_ARGS__})
#define SHAPE(...)                                       \
    {                                                    \
        GR_COUNT_(int64_t, __VA_ARGS__), { __VA_ARGS__ } \
    }
#define AT(...) SHAPE(__VA_ARGS__)
#ifdef __GNUC__
#    pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static inline int call_value(const double *x, double *y, void *user)
{
    ((const plain *)user)->value(x, y);
    return 0;
}

static inline int call_jacobian(const double *x, double *j, void *user)
{
    ((const plain *)user)->jacobian(x, j);
    return 0;
}

static inline int call_hessian(const double *x, double *h, void *user)
{
    ((const plain *)user)->hessian(x, h);
    return 0;
}

static inline int call_vjp(const double *x, const double *u, double *product, void *user)
{
    ((const plain *)user)->vjp(x, u, product);
    return 0;
}

static inline int call_jvp(const double *x, const double *v, double *product, void *user)
{
    ((const plain *)user)->jvp(x, v, product);
    return 0;
}

static inline int call_hvp(const double *x, const double *v, double *product, void *user)
{
    ((const plain *)user)->hvp(x, v, product);
    return 0;
}

/* Checks p at x; what the check says of itself is left to the caller. */
static inline gr_check_result check_plain(const char *name, const plain *p, const double *x,
                                          const gr_check_options *options)
{
    plain copy = *p;
    gr_plain_function f = {.name = name, .n = p->n, .m = p->m, .value = call_value, .user = &copy};
    f.column_major = p->column_major;
    f.output = p->output;
    f.inputs = p->inputs;
    while (f.n_inputs < (int)LENGTH(p->inputs) && p->inputs[f.n_inputs].name) f.n_inputs++;
    if (p->jacobian) f.jacobian = call_jacobian;
    if (p->hessian) f.hessian = call_hessian;
    if (p->vjp) f.vjp = call_vjp;
    if (p->jvp) f.jvp = call_jvp;
    if (p->hvp) f.hvp = call_hvp;
    gr_check_result r;
    const gr_status status = gr_check_plain(&f, x, options, &r);
    CHECK(status == r.status);
    CHECK(status == GR_OK || (!r.passed && r.message[0]));
    return r;
}

static inline const char *mode_name(gr_check_mode mode)
{
    static const char *const names[] = {"auto", "full", "cotangents", "fast"};
    return names[mode];
}

/* Where checks failed since `failures`: of which entry, and what the checker had to say. */
static inline void explain_since(int failures, const char *name, gr_check_mode mode, const gr_check_result *r)
{
    if (test_failures == failures) return;
    char text[GR_CHECK_REPORT_BYTES];
    gr_check_report(r, text, sizeof text);
    printf("  in \"%s\", mode %s: %s\n%s\n", name, mode_name(mode), r->message, text);
}

/* Everything right, nothing left undecided. */
static inline void expect_accepted(const char *name, gr_check_mode mode, const gr_check_result *r)
{
    const int failures = test_failures;
    CHECK(r->status == GR_OK);
    CHECK(r->passed && r->verdict == GR_CHECK_RIGHT);
    CHECK(r->elements > 0);
    CHECK(r->wrong == 0 && r->undecided == 0 && r->not_differentiable == 0 && r->failed == 0);
    explain_since(failures, name, mode, r);
}

/* ---- What a check must say of a mistake ---- */

/* Guesses at it, in tables. */
/* clang-format off */
#define SIGN           {.kind = GR_FAULT_SIGN}
#define FACTOR(number) {.kind = GR_FAULT_FACTOR, .factor = number}
#define TRANSPOSED     {.kind = GR_FAULT_TRANSPOSED}
/* clang-format on */

/* Whether a place has these indices. */
static inline bool is_at(const gr_check_place *p, const gr_shape *index)
{
    if (p->ndim != index->ndim) return false;
    for (int i = 0; i < p->ndim; i++)
        if (p->index[i] != index->dims[i]) return false;
    return true;
}

/* Whether the fault was guessed: its kind, and what belongs to the kind. */
static inline bool is_guessed(const gr_check_fault *fault, const gr_check_result *r)
{
    const bool by_factor = fault->kind == GR_FAULT_FACTOR || fault->kind == GR_FAULT_CONSTANT;
    const bool by_axis = fault->kind == GR_FAULT_BROADCAST || fault->kind == GR_FAULT_SHIFTED;
    for (int k = 0; k < r->n_faults; k++) {
        const gr_check_fault *f = &r->faults[k];
        if (f->kind != fault->kind || f->elements < 1) continue;
        if (by_factor && !(fabs(f->factor - fault->factor) <= 1e-6 * fabs(fault->factor))) continue;
        if (by_axis && f->axis != fault->axis) continue;
        if (fault->kind == GR_FAULT_SHIFTED &&
            (f->offset != fault->offset || f->of_output != fault->of_output))
            continue;
        return true;
    }
    return false;
}

#endif
