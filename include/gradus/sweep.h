/*
 * Sweeping a primitive of your own: it is tried on scalar, broadcast, empty, size-1, ordinary, strided and large
 * operands, in f32 and f64, and what every primitive must keep is checked for each. What it is to compute a
 * sweep cannot know: hold some of its values against a formula in a test, too.
 *
 *     gr_sweep_result result;
 *     char text[GR_SWEEP_REPORT_BYTES];
 *     gr_sweep(&my_op, NULL, &result);
 *     gr_sweep_report(&result, text, sizeof text);
 *     if (!result.passed) puts(text);
 *
 * The descriptor says what to try it on: `samples` in custom.h. Each sample is used contiguous, transposed,
 * sliced with a step, reversed, expanded, and with one operand contiguous and the next not. For each:
 *
 *   SHAPE AND TYPE  are the same for every layout; of elementwise primitives the shape is that to which the
 *       operands broadcast.
 *   VALUES  are finite in the declared domain; 0 or 1 in masks; the same, bit for bit, each time, recorded or not,
 *       whatever the memory of the result held before: what forward leaves unwritten, and what it reads outside
 *       its operands, is found so. They do not depend on the layout: not at all if the primitive gets
 *       contiguous operands, else within roundings (gr_samples.rounding: sums may be taken in another order).
 *       f32 and f64 agree within roundings of f32.
 *   MEMORY  Operands and attributes are as they were, bit for bit, and nothing is written just before or
 *       behind the elements of the result and of the operands (48 and 64 bytes are looked at).
 *   DERIVATIVES  of first and second order by gr_gradcheck (check.h); of large samples in fast mode,
 *       and above first order only where they are contiguous. They do not
 *       depend on the layout of the cotangent. Gradients in f32 and f64 agree. `pull` gives what the rule gives,
 *       and writes all of it. Hessian-vector products are the same without `straight` and `pull_tangent`. If the primitive has no rule, recording it is GR_ERR_NOT_DIFFERENTIABLE and the
 *       rest is checked. Where forward fails there are no derivatives to check: one cause is reported, not all
 *       that follows from it.
 *
 * Each sample has a graph of its own: no graph of yours is touched.
 */
#ifndef GRADUS_SWEEP_H
#define GRADUS_SWEEP_H

#include "gradus/check.h"
#include "gradus/custom.h"

GR_BEGIN_DECLS

/* Options; a zeroed structure, or NULL, gives the defaults. */
typedef struct gr_sweep_options {
    const gr_samples *samples; /* NULL: those of the descriptor */
    gr_graph_options graph;    /* of the graphs that are made; the seed is that of the values, too */
    gr_check_options check;    /* of the derivatives; order 0 means 2 here */
} gr_sweep_options;

/* What can be wrong. */
typedef enum gr_sweep_cause {
    GR_SWEEP_ERROR = 0,         /* the primitive refused or failed */
    GR_SWEEP_TYPE,              /* of the result */
    GR_SWEEP_SHAPE,             /* of the result */
    GR_SWEEP_VALUE,             /* NaN or infinite, or a mask of neither 0 nor 1 */
    GR_SWEEP_NOT_DETERMINISTIC, /* another value for the same operands */
    GR_SWEEP_UNWRITTEN,         /* the result depends on what memory held before */
    GR_SWEEP_OUTSIDE,           /* written outside the result */
    GR_SWEEP_OPERAND,           /* an operand was modified */
    GR_SWEEP_ATTRIBUTES,        /* they were modified */
    GR_SWEEP_LAYOUT,            /* another value for other strides, of operands or cotangent */
    GR_SWEEP_PRECISION,         /* f32 is not f64 rounded */
    GR_SWEEP_RECORDING,         /* another value when recorded, or under gr_no_grad_begin */
    GR_SWEEP_RULE,              /* the rule failed, or what it returned does not fit */
    GR_SWEEP_DERIVATIVE,        /* is not what differences say */
    GR_SWEEP_SECOND_DERIVATIVE, /* or a higher one */
    GR_SWEEP_PULL,              /* not what the rule gives */
    GR_SWEEP_STRAIGHT,          /* Hessian-vector products are not what they are without this promise */
    GR_SWEEP_PULL_TANGENT,      /* nor without pull_tangent */
    GR_SWEEP_CAUSES
} gr_sweep_cause;
/* As in reports: "error", "type", ..., "second derivative", "pull", "straight", "pull_tangent"; "unknown cause". */
GR_API const char *gr_sweep_cause_name(gr_sweep_cause cause);

enum { GR_SWEEP_FAILURES = 12, GR_SWEEP_OF_ONE_CAUSE = 2, GR_SWEEP_REPORT_BYTES = 65536 };

typedef struct gr_sweep_failure {
    gr_sweep_cause cause;
    int sample;         /* its number */
    gr_type type;       /* of the reals */
    const char *layout; /* "contiguous", "stepped", ... */
    int n;              /* operands, and their shapes */
    gr_shape shape[GR_SAMPLE_OPERANDS];
    gr_status status;  /* of an error; else GR_OK */
    char message[512]; /* what is wrong, and where */
} gr_sweep_failure;

typedef struct gr_sweep_result {
    bool passed;        /* made, and nothing failed */
    gr_status status;   /* whether the sweep could be made */
    char message[1024]; /* if not: why */
    char name[GR_CHECK_NAME_BYTES];
    bool f32, f64;       /* types that were swept */
    bool differentiable; /* whether a derivative was checked */
    int samples;         /* tried */
    int left_out;        /* for their size: more than 2^22 elements */
    int64_t comparisons; /* of elements; each derivative is one, too */
    int64_t failed;      /* of all that was checked */
    int64_t failed_by[GR_SWEEP_CAUSES];
    int n_failures; /* the first ones, at most two of one cause */
    gr_sweep_failure failures[GR_SWEEP_FAILURES];
    gr_check_result check; /* of the derivative that failed worst; if none has: of the least exact one */
} gr_sweep_result;

/* Tries the primitive. GR_OK says that the sweep could be made; result->passed says how it went. An error of the
   primitive is a failure of the sample; an error is returned, and is in result->status with its message, for bad
   arguments, samples that cannot be made (GR_ERR_ARGUMENT), and memory that runs out or reaches its limit,
   whoever asked for it. options may be NULL. */
GR_API gr_status gr_sweep(const gr_op *op, const gr_sweep_options *options, gr_sweep_result *result);

/* For people: a line of summary, the failures, and the report of the derivative that failed worst. Writes as
   snprintf does: at most `room` bytes with the final zero; returns the length of the whole text.
   GR_SWEEP_REPORT_BYTES are enough. `to` may be NULL if room is 0. */
GR_API size_t gr_sweep_report(const gr_sweep_result *result, char *to, size_t room);

GR_END_DECLS

#endif
