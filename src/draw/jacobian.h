/*
 * The local Jacobian of one recorded operation, row by row: the partial derivatives of each element of its result by
 * the elements of its operands. All that is known of the operation is its descriptor: its rule is called with
 * cotangents that are 1 at one element.
 *
 * Structure, not only numbers. The operation is done again on copies of its operands (the actual point) and on random
 * replacements of all floats among them, of both signs and several sizes. A partial derivative that is not 0
 * at one of these points exists, even if it is 0 at the actual one. One that equals the value of an element, or a
 * simple expression, at all points is given that as its symbol.
 *
 * Invariant: the graph is as before after gri_jacobian_end, but for step slots that were used and freed.
 */
#ifndef GRI_DRAW_JACOBIAN_H
#define GRI_DRAW_JACOBIAN_H

#include "graph/walk.h"

/* What a partial derivative is known to be, at every point that was tried. */
typedef enum gri_symbol_kind {
    GRI_SYMBOL_NONE,
    GRI_SYMBOL_CONSTANT, /* the same number everywhere */
    GRI_SYMBOL_ELEMENT,  /* factor times the value of an element of an operand, or of the result */
    GRI_SYMBOL_FORM /* one of gri_forms, of the operand's element x, the result's y, another operand's o */
} gri_symbol_kind;

/* An expression of the elements that an elementwise operation has to do with. In its texts %x, %y and %o stand for their
   names. */
typedef struct gri_form {
    double (*f)(double x, double y, double o);
    const char *utf8, *ascii, *latex;
    bool other; /* depends on o */
} gri_form;
extern const gri_form gri_forms[];

/* Elements of the operands one after the other, then those of the result: 0, 1, ... */
typedef struct gri_partial {
    double value;
    double factor;    /* of GRI_SYMBOL_ELEMENT */
    uint32_t element; /* of an operand, by which */
    uint32_t other;   /* the element of GRI_SYMBOL_ELEMENT; the o of GRI_SYMBOL_FORM */
    uint8_t kind, form;
} gri_partial;

struct gri_point;
typedef struct gri_jacobian {
    gr_graph *g;
    const char *what; /* the call, for messages */
    const gri_node *node;
    gri_mark mark;
    uint32_t n_in, n_out; /* elements of all operands, of the result */
    struct gri_point *points;
    size_t n_points;
    double *values;  /* of each point: of the operands' elements and of the result's */
    double *parts;   /* of each point: the row */
    uint32_t *order; /* elements of the operands by their values at the first random point */
    gri_partial *row;
    uint32_t n_row;
    bool is_copy; /* of the row: its element is always equal to its one operand element */
} gri_jacobian;

/* The state in which rules run: nothing is recorded, judged or named. Jacobians stand between the two. */
typedef struct gri_calm {
    gri_walk_state walk;
    gri_capture *capture;
    gr_rng_state rng;
} gri_calm;
gri_calm gri_calm_begin(gr_graph *g);
void gri_calm_end(gr_graph *g, const gri_calm *before);

/* Takes the flags off a node that would have a walk refuse it, or call hooks; returns those that were there, to be put back. */
static inline uint32_t gri_strip(gri_node *node)
{
    const uint32_t taken = node->flags & (GRI_RELEASED | GRI_HOOKED);
    node->flags &= ~taken;
    return taken;
}

/* The operands of `node` are alive and what they were. To be ended, whatever the status. */
gr_status gri_jacobian_begin(gri_jacobian *j, gr_graph *g, const char *what, const gri_node *node);
/* Fills row, n_row and is_copy for an element of the result. */
gr_status gri_jacobian_row(gri_jacobian *j, uint32_t element);
void gri_jacobian_end(gri_jacobian *j);

/* All elements of any type in row-major order. */
void gri_read_elements(const gr_array *a, double *to);

#endif
