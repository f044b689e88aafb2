/*
 * The engine: checks all derivatives of one order of a subject.
 */
#ifndef GRI_CHECK_ENGINE_H
#define GRI_CHECK_ENGINE_H

#include "check/line.h"
#include "check/options.h"

/* The forms that derivatives come in. */
typedef enum gri_form { GRI_JACOBIAN = 0, GRI_REVERSE, GRI_FORWARD, GRI_FORMS } gri_form;

/* One of the forms of a subject's derivatives. */
typedef struct gri_source {
    gri_form form;
    double *rows; /* [rows, n]: weights J. In the form of columns filled as they come; NULL in fast mode */
} gri_source;

typedef struct gri_level {
    gri_subject *s;
    const gr_check_options *o;
    gr_check_result *result;
    gr_check_mode mode;
    uint64_t drawn; /* random numbers taken */
    double *x, *y, *again;
    double *jacobian;      /* NULL: there is none */
    double *unit, *column; /* v and J v */
    int n_sources;
    gri_source source[GRI_FORMS];
    gri_line line;
    double *analytic;        /* along the line: [n_sources, rows] */
    double *numeric, *slack; /* for guesses: [rows, n], NaN where nothing was compared; or NULL */
    int64_t wrong[GRI_FORMS];
    gri_blocks blocks;
} gri_level;

/* Checks a level, adds to the result, and says how many elements of each form are wrong. An error is the
   subject's. A level that is not deterministic leaves the verdict so. */
gr_status gri_check_level(gri_subject *s, const gr_check_options *o, gr_check_result *r,
                          int64_t wrong[GRI_FORMS]);

/* ---- What its files share ---- */

/* A number in [0, 1). */
double gri_draw(gri_level *l);
/* One of random sign and a size in [0.5, 1.5). */
double gri_draw_weight(gri_level *l);
/* Memory for as long as the level; the error is set. */
gr_status gri_level_take(gri_level *l, int64_t count, int64_t each, size_t size, void *block);
/* sum_i w_i y_i for row k. */
double gri_combine(const gri_level *l, int64_t k, const double *y);
/* Compares along the line to element j, or, if j is -1, along a direction, and counts it if `tally`. */
gr_status gri_compare(gri_level *l, int64_t j, const double *direction, bool tally, bool *fails);
/* Compares along random directions, and finds an element where that fails (fast.c). */
gr_status gri_compare_fast(gri_level *l);
/* Compares u . (J v) with (J' u) . v (adjoint.c). */
gr_status gri_compare_adjoint(gri_level *l);

#endif
