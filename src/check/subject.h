/*
 * What is checked, as the engine sees it: a function of n numbers x with m numbers y, and its derivatives in
 * whichever forms there are. Functions of tensors (gradcheck.c) and plain C functions (plain.c) become one.
 *
 * Invariant: between calls x is where `set` and `move` left it; only the subject knows how x is stored, and only the
 * subject reports errors of what it calls.
 */
#ifndef GRI_CHECK_SUBJECT_H
#define GRI_CHECK_SUBJECT_H

#include "base/memory.h"
#include "gradus/check.h"

enum { GRI_MOST_DIRECTIONS = 16 };

/* A named array in x: `count` of the n numbers, from `first` on. */
typedef struct gri_part {
    char name[GR_CHECK_NAME_BYTES]; /* "" if it has none */
    int position;                   /* among the inputs as the user counts them */
    int64_t first, count;
    gr_shape shape;
} gri_part;

typedef struct gri_subject gri_subject;

struct gri_subject {
    int64_t n, m;
    int n_parts;
    const gri_part *parts;
    gr_shape output; /* of y */
    int order;       /* of the derivatives */
    bool single;     /* x or y is of type f32 */
    double size;     /* of what y is computed from, if y alone does not show it; else 0 */
    gri_memory *memory;

    /* Copies x. */
    gr_status (*get)(gri_subject *s, double *x);
    /* x_j = value, or the nearest number that x can hold, which is put into *got. */
    gr_status (*set)(gri_subject *s, int64_t j, double value, double *got);
    /* x = x0 + t v; NULL: x0. */
    gr_status (*move)(gri_subject *s, const double *x0, double t, const double *v);
    /* y(x). */
    gr_status (*value)(gri_subject *s, double *y);

    /* Derivatives at x; NULL: not in this form. */
    gr_status (*jacobian)(gri_subject *s, double *j); /* [m, n] */
    /* to [rows, n] = u J, u: [rows, m]; u NULL: the identity. */
    gr_status (*reverse)(gri_subject *s, int64_t rows, const double *u, double *to);
    gr_status (*forward)(gri_subject *s, const double *v, double *to); /* J v: [m] */

    /* Says that so many bytes were not to be had. */
    gr_status (*no_memory)(gri_subject *s, size_t bytes);
};

/* What stands in unit vectors for the 1, and is divided by afterwards, without rounding: a product that forgets a
   sign or a size is not right for 1 only. */
static inline double gri_unit(int64_t k) { return k % 2 ? 0.5 : -2; }

#endif
