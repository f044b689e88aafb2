/*
 * Steps: the two sweeps over a small graph, one number and one edge at a time, for people who want to see them.
 *
 *     gr_steps steps = gr_steps_create(loss, NULL);
 *     gr_step step;
 *     while (gr_steps_next(steps, &step)) ...                       one edge of the backward sweep
 *     gr_steps_write_text(steps, write, user, NULL);                all of them, a line each
 *     gr_steps_release(steps);
 *
 * WHAT A STEP IS
 *   The tensors that led to the loss are taken apart into single numbers, and every dependence of one number on
 *   another is an edge with a local derivative. A step of the backward sweep takes one edge, from a number whose
 *   adjoint (the derivative of the loss by it) is complete to one of its operands:
 *
 *       contribution = adjoint of the number x local derivative
 *       adjoint of the operand += contribution
 *
 *   and the text says it so:
 *
 *       ∂E/∂h1 += ∂E/∂net_o1 · w5 = 0.138499 · 0.4   = 0.0553994   1 of 2
 *       ∂E/∂h1 += ∂E/∂net_o2 · w7 = −0.0380982 · 0.5 = −0.0190491  2 of 2: 0.0553994 − 0.0190491 = 0.0363503
 *
 *   (w5 is what the local derivative ∂net_o1/∂h1 is known to be, and "2 of 2" says that nothing more will arrive at h1.)
 *   The first step gives the loss the adjoint 1. After the last one each adjoint is the gradient that gr_backward
 *   computes, but for what hooks do to it, and rounding. Edges to numbers that no gradient is asked for (data, frozen
 *   parameters) are drawn, but no steps.
 *   A step of the forward sweep computes one number from others, and is written in the same way:
 *
 *       net_h1 = i1 · w1 + i2 · w2 + b1 = 0.05 · 0.15 + 0.1 · 0.2 + 0.35 = 0.377500
 *       h1     = sigmoid(net_h1)        = sigmoid(0.377500)              = 0.593270
 *
 *   as far as it can be told from the local derivatives: a sum of terms of up to two factors, or one operation; else
 *   "f(...)". How numbers are written is said in paths.h.
 *
 * ORDER
 *   From the loss down: numbers by their longest distance from it, so that a number comes after all that use it;
 *   at the same distance in the order in which they were made; the edges of one in the order of its operands. It
 *   depends on the graph that led to the loss alone: the same steps, and the same texts byte for byte, in each run.
 *
 * LIFETIME
 *   A gr_steps is a handle to a kept object of the graph. What it says was copied when it was made: values, derivatives and
 *   names are those of then, and it stays after gr_graph_reset. It lives until gr_steps_release, or as long as the graph; a
 *   handle that outlived it is GR_ERR_STALE. It has a position, the number of steps taken, which is not part of the handle.
 */
#ifndef GRADUS_STEPS_H
#define GRADUS_STEPS_H

#include "gradus/paths.h"

GR_BEGIN_DECLS

typedef struct gr_steps {
    gr_graph *graph;
    uint32_t index; /* 0: invalid */
    uint32_t generation;
} gr_steps;

/* ---- Making them ---- */

/* Options; a zeroed structure, or NULL, gives the defaults. */
typedef struct gr_steps_options {
    bool forward;            /* the values being computed come first, one number a step */
    gr_naming names;         /* of elements, as in paths.h */
    bool only_named;         /* numbers without names are multiplied out, as in paths.h */
    gr_scalar_limits limits; /* how large the graph of single numbers may become */
} gr_steps_options;

/* The steps for a loss of one element that was recorded, before gr_backward or after it. An invalid handle on error:
   GR_ERR_NOT_SCALAR, GR_ERR_NO_HISTORY as in gr_backward; GR_ERR_LIMIT for more than the limits allow; GR_ERR_STALE and
   GR_ERR_MODIFIED if what an operation used is no longer what it was. */
GR_API gr_steps gr_steps_create(gr_tensor loss, const gr_steps_options *options);
/* Frees them before the graph ends. Works while an error is pending. */
GR_API gr_status gr_steps_release(gr_steps steps);

/* ---- Taking them ---- */

typedef enum gr_step_kind {
    GR_STEP_VALUE, /* forward: the value of `to` is computed from its operands */
    GR_STEP_SEED,  /* the adjoint of `to`, the loss, is 1: the derivative of the loss by itself */
    GR_STEP_EDGE   /* the edge from `from` to its operand `to` */
} gr_step_kind;

/* One step. Numbers are counted from 0 in topological order. Texts live as long as the steps. */
typedef struct gr_step {
    gr_step_kind kind;
    int64_t index;         /* of the step, from 0 */
    int64_t from, to;      /* numbers; from is -1 if there is none */
    int64_t edge;          /* as in the drawing: e0, e1, ...; -1 if there is none */
    const char *from_name; /* "" if there is none */
    const char *to_name;
    double from_value, to_value;
    double adjoint;        /* of `from`, complete */
    double local;          /* d from / d to */
    const char *symbol;    /* what the local derivative is, such as "w5"; "" if only its number is known */
    double contribution;   /* adjoint x local */
    double before, sum;    /* the adjoint of `to` before and after the step */
    int arrival, arrivals; /* it is contribution `arrival`, from 1, of so many to this operand */
    bool complete;         /* the adjoint of `to` is complete: arrival == arrivals */
} gr_step;

/* The number of steps; -1 on error. */
GR_API int64_t gr_steps_count(gr_steps steps);
/* Takes the next step; false, and *step untouched, after the last one and on error. `step` may be NULL. */
GR_API bool gr_steps_next(gr_steps steps, gr_step *step);
/* Takes the last step back, and tells which it was; false at the beginning and on error. */
GR_API bool gr_steps_back(gr_steps steps, gr_step *step);
/* How many steps are taken; -1 on error. */
GR_API int64_t gr_steps_position(gr_steps steps);
/* Goes there: 0 is the beginning. GR_ERR_INDEX outside 0 to gr_steps_count. */
GR_API gr_status gr_steps_go(gr_steps steps, int64_t position);
/* Step i, wherever one is. GR_ERR_INDEX. */
GR_API gr_status gr_steps_at(gr_steps steps, int64_t i, gr_step *step);

/* A single number, as it is at this position. */
typedef struct gr_steps_number {
    const char *name;
    double value;
    bool computed;         /* forward steps: its value is there */
    bool differentiable;   /* it gets an adjoint */
    double adjoint;        /* the sum of what has arrived; 0 at first */
    int arrived, arrivals; /* contributions so far, and in all */
} gr_steps_number;
/* How many numbers there are; -1 on error. */
GR_API int64_t gr_steps_number_count(gr_steps steps);
/* Number i. GR_ERR_INDEX. */
GR_API gr_status gr_steps_number_at(gr_steps steps, int64_t i, gr_steps_number *number);

/* ---- Showing them ---- */

/* How they are shown; a zeroed structure, or NULL, gives the defaults. Set fields by name. */
typedef struct gr_steps_style {
    const char *title; /* of page and drawing; NULL: of a page "The derivatives of <loss>, step by step" */
    int digits;        /* significant digits of numbers, 1 to 17; 0: 6 */
    bool ascii; /* pure ASCII: "dE/dh1 += dE/dnet_o1 * w5"; other characters of names as \u03C3, on pages as
                          character references */
    bool downwards; /* drawings from top to bottom instead of from left to right */
} gr_steps_style;

/* All steps as text, a line each, in columns. The position does not matter and is not changed, here and below. */
GR_API gr_status gr_steps_write_text(gr_steps steps, gr_writer *write, void *user,
                                     const gr_steps_style *style);

/* The drawing at a position, for Graphviz: what it looks like after so many steps, and the formula of the last of them. All
   positions have the same numbers, edges, sizes and ids, so dot lays them out alike: for slides, a frame each. Numbers have
   the ids gr_n0, gr_n1, ..., edges gr_e0, gr_e1, ..., in the SVG, too. GR_ERR_INDEX outside 0 to gr_steps_count, but for
   GR_STEPS_PAGE, the drawing that gr_steps_write_html asks for.
   Edges are told apart by their lines. Thin: to come; thick and dashed, the arrow at the operand: the step just taken;
   thick: done; dotted: no gradient flows along it. Numbers have a thick line when their adjoint is complete, a thick
   dashed one while contributions are missing. Clusters are name scopes. */
enum { GR_STEPS_PAGE = -1 };
GR_API gr_status gr_steps_write_dot(gr_steps steps, int64_t position, gr_writer *write, void *user,
                                    const gr_steps_style *style);

/* A page that steps forward and back, in one file that loads nothing from anywhere: drawing, the formula of the step, the
   adjoints so far, all steps. Keys: arrows, Home, End, space to play; the address page.html#step=5 opens it at step 5.
   Without scripts, and on paper, it is the drawing and the list.
   svg: what dot -Tsvg made of gr_steps_write_dot(steps, GR_STEPS_PAGE, ...); it goes into the page as it is.
   GR_ERR_FORMAT if it is no SVG or lacks an id. */
GR_API gr_status gr_steps_write_html(gr_steps steps, const char *svg, gr_writer *write, void *user,
                                     const gr_steps_style *style);

GR_END_DECLS

#endif
