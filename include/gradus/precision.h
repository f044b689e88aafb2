/*
 * Precision shadow: which operations of an f32 graph lose the digits?
 *
 *     gr_precision_report report;
 *     static char text[GR_PRECISION_TABLE_BYTES];
 *     if (gr_precision_shadow(1, &loss, NULL, &report) == GR_OK) {
 *         gr_precision_table(&report, text, sizeof text);
 *         puts(text);
 *     }
 *
 * WHAT IT DOES
 *   Every recorded operation below the roots is done once more, in the order in which it was done, by its own
 *   primitive, in f64, on the f64 results of the operations before it. Leaves are converted exactly. So each
 *   f32 tensor gets an f64 shadow: what it would be if nothing had been rounded. Call it before the record is
 *   released: before gr_backward, or after one that retains it. Gradients that were recorded (gr_grad with
 *   `record`) are tensors with a history, and can be roots.
 *
 * HOW IT MEASURES
 *   The relative error of a tensor is max |x - s| / max |s|, over its elements x and its shadow's s: a small
 *   element among large ones may have lost all of its digits by accident (a mean taken off, an activation
 *   near 0) and does no harm. If it does, the operation that picks it out gets the blame; with `elementwise`
 *   the relative error is max |x - s| / |s|, and the operation that made the element gets it. An element that
 *   is NaN or infinite and whose shadow is not the same (or the other way about) is a relative error of
 *   infinity.
 *
 *     digits left = -log10(relative error), no less than 0, no more than those of an f32: 24 log10(2) = 7.2
 *     digits lost by an operation = those of its worst operand - those of its result, no less than 0
 *
 *   Leaves have all digits, and so has what is right up to one rounding. Thus cancellation is blamed on the
 *   subtraction although it rounds nothing: it magnifies the rounding of its operands. To tell the two apart,
 *   each operation is also done in f64 on its f32 operands as they are: the difference between that and its
 *   f32 result was made here; the rest of the error came with the operands.
 *
 *   A loss that is spread over many operations (a sum of 10^5 terms, one after the other) shows in the digits
 *   left, and no row of the table has much of it.
 *
 * LIMITS
 *   Taken as it was, without a shadow: what was not recorded, because it needs no gradient (operations on
 *   constants only, or under no_grad), random tensors, and i32 and bool, so also a mask from comparing f32.
 *   A primitive that yields f32 even so (a cast to f32) rounds as intended: its result is converted exactly.
 *   A primitive that refuses f64 is done in f32 on rounded shadows; if it refuses these, too, or gives another
 *   shape, its shadow starts afresh from its f32 value. Both are counted. A primitive that reads its operands
 *   as floats without a look at their type must refuse other types in infer; else its shadow is garbage.
 *   The shadow is rounded, too, by 2^-29 as much. A number that is 0 but for rounding has no digits in either:
 *   `tiny` says what counts as 0.
 *
 *   Time: five to ten times that of the operations themselves. Memory: 24 bytes per tensor that there is, and the
 *   shadows, each freed after its last use.
 */
#ifndef GRADUS_PRECISION_H
#define GRADUS_PRECISION_H

#include "gradus/tensor.h"

GR_BEGIN_DECLS

enum {
    GR_PRECISION_ROWS = 16,
    GR_PRECISION_OPERANDS = 4, /* of an operation, that a row tells of */
    GR_PRECISION_NAME_BYTES = 32,
    GR_PRECISION_TABLE_BYTES = 12288
};

/* Options; a zeroed structure, or NULL, gives the defaults. */
typedef struct gr_precision_options {
    int rows;         /* most operations to name, 1 to GR_PRECISION_ROWS; 0: 10 */
    double least;     /* digits that an operation must lose to be named; 0: 1 */
    bool elementwise; /* each element is measured by its own size, and the worst one counts */
    double tiny;      /* sizes of numbers are taken to be at least this; 0: as they are */
} gr_precision_options;

/* How the shadow of an operation came about. */
typedef enum gr_shadow {
    GR_SHADOW_F64 = 0, /* by its primitive in f64 */
    GR_SHADOW_F32,     /* the primitive refused f64: in f32, on rounded shadows */
    GR_SHADOW_NONE     /* the primitive refused these, too: its f32 value, converted */
} gr_shadow;

typedef struct gr_precision_operand {
    char name[GR_PRECISION_NAME_BYTES]; /* or its operation, or "constant"; cut off if long */
    int64_t position;                   /* 0: not recorded, taken as it was */
    double digits;                      /* left in it */
} gr_precision_operand;

/* One operation. */
typedef struct gr_precision_loss {
    const char *op;                     /* name of the primitive; lives as long as its descriptor */
    char name[GR_PRECISION_NAME_BYTES]; /* of the result, cut off if long; "" if it has none */
    int64_t position; /* among the recorded operations below the roots, in order of creation, from 1 */
    gr_shadow shadow;
    gr_type type; /* of the result, and its shape */
    int ndim;
    int64_t dims[GR_MAX_NDIM];
    double lost, left;      /* digits */
    double error;           /* relative error of the result */
    double made, inherited; /* the part of it that was made here, and that came with the operands */
    int64_t broken;         /* elements that are NaN or infinite, and whose shadow is not, or the other way */
    int64_t index[GR_MAX_NDIM]; /* the worst element: of broken ones the first */
    double value, exact;        /* it, and its shadow; 0 for a tensor of no elements */
    int n_operands;             /* as many as it has: the first GR_PRECISION_OPERANDS are told of */
    gr_precision_operand operands[GR_PRECISION_OPERANDS];
} gr_precision_loss;

typedef struct gr_precision_report {
    int64_t operations; /* recorded below the roots */
    int64_t in_f32;     /* of these, with a shadow that is GR_SHADOW_F32 */
    int64_t restarted;  /* of these, GR_SHADOW_NONE */
    int64_t losing;     /* of these, that lost `least` digits or more; not all of them need have a row */
    double least;       /* as in the options */
    bool elementwise;
    gr_precision_loss result; /* the root that has the fewest digits left */
    int n_rows;
    /* The worst first: where sound operands became NaN or infinite, then by digits lost, the earlier first. */
    gr_precision_loss rows[GR_PRECISION_ROWS];
} gr_precision_report;

/* Makes shadows for all that was recorded below n roots of one graph. Nothing is changed: values, gradients,
   history and random state are as before, and what was made on the way is freed, also after an error.
   Refuses while an error is pending. GR_ERR_NO_HISTORY for a root that was not recorded, GR_ERR_TYPE if nothing
   below the roots is f32: there is nothing to lose against f64. As in a backward pass, GR_ERR_HISTORY_RELEASED,
   GR_ERR_MODIFIED and GR_ERR_STALE name the operation whose record was released, or whose operand was written
   or freed. On error the report is zeroed. options may be NULL. */
GR_API gr_status gr_precision_shadow(int n_roots, const gr_tensor *roots, const gr_precision_options *options,
                                     gr_precision_report *report);

/* Writes the report as a table, as snprintf does: at most `room` bytes with the final zero; returns the length
   of the whole text. GR_PRECISION_TABLE_BYTES are enough. to may be NULL if room is 0. */
GR_API size_t gr_precision_table(const gr_precision_report *report, char *to, size_t room);

GR_END_DECLS

#endif
