/*
 * The inside of steps: one block of bytes, the elements of a kept tensor, so that it lives, dies and goes stale as all
 * that is kept; and how its parts are written.
 *
 * The block is this header, then numbers, edges, terms and steps, then texts ending with zeros. A text is named by its
 * distance from the start of the texts; the first is "".
 *
 * Invariant: nothing but `position` and what numbers have received so far changes after it was made.
 */
#ifndef GRI_DRAW_STEPS_H
#define GRI_DRAW_STEPS_H

#include "draw/scalars.h"
#include "gradus/steps.h"

#define GRI_STEPS_TAG UINT64_C(0x7370657473727267)

/* What a number is, for drawings. */
typedef enum gri_step_role {
    GRI_ROLE_INPUT,
    GRI_ROLE_PARAMETER,
    GRI_ROLE_OPERATION,
    GRI_ROLE_ROOT
} gri_step_role;

typedef struct gri_step_number {
    uint32_t name;
    uint32_t operation; /* "" for leaves, and where several operations were made one */
    uint32_t scope;     /* the path of the name scope that it is in; "": none */
    uint16_t scope_id;
    uint32_t first_edge, n_edges;
    uint32_t first_term, n_terms;
    uint32_t arrivals; /* steps that bring it something */
    uint8_t role;
    uint8_t origin; /* gri_origin of its value */
    bool bare;      /* a constant without a name: its value is its name */
    bool differentiable;
    bool computed; /* at this position */
    uint32_t arrived;
    double value;
    double adjoint; /* what has arrived */
} gri_step_number;

/* From number `from` to its operand `to`. */
typedef struct gri_step_edge {
    uint32_t from, to;
    uint32_t symbol[2]; /* UTF-8, ASCII */
    bool known;         /* without a symbol: the derivative is the same number everywhere */
    bool carries;       /* a gradient: there is a step of it */
    uint8_t origin;     /* gri_origin of the derivative */
    double local;
} gri_step_edge;

typedef struct gri_step {
    uint32_t kind;
    uint32_t edge;    /* of GR_STEP_EDGE */
    uint32_t to;      /* number */
    uint32_t arrival; /* from 1 */
    double adjoint, before, sum;
} gri_step;

typedef struct gri_steps {
    uint64_t tag; /* GRI_STEPS_TAG: it is one */
    uint32_t n_numbers, n_edges, n_terms, n_steps;
    uint32_t root;
    uint32_t position;
    uint32_t text_bytes;
} gri_steps;

static inline gri_step_number *gri_steps_numbers(const gri_steps *s)
{
    return (gri_step_number *)((uintptr_t)s + GRI_ALIGN);
}
static inline gri_step_edge *gri_steps_edges(const gri_steps *s)
{
    return (gri_step_edge *)(uintptr_t)(gri_steps_numbers(s) + s->n_numbers);
}
static inline gri_term *gri_steps_terms(const gri_steps *s)
{
    return (gri_term *)(uintptr_t)(gri_steps_edges(s) + s->n_edges);
}
static inline gri_step *gri_steps_list(const gri_steps *s)
{
    return (gri_step *)(uintptr_t)(gri_steps_terms(s) + s->n_terms);
}
static inline const char *gri_steps_text(const gri_steps *s, uint32_t at)
{
    return (const char *)(gri_steps_list(s) + s->n_steps) + at;
}

/* The block of a handle; NULL, and the error set, if it is gone. `what` names the call. */
gri_steps *gri_steps_resolve(gr_steps steps, const char *what);

/* ---- Writing them: steps_text.c ---- */

enum {
    GRI_STEP_NAME_CHARACTERS = 48,
    GRI_STEP_SYMBOL_CHARACTERS = 96,
    GRI_STEP_TITLE_CHARACTERS = 400,
    GRI_STEP_PART_BYTES = 4096,
    GRI_STEP_DIGITS = 6
};

typedef enum gri_target { GRI_TO_TEXT, GRI_TO_HTML, GRI_TO_DOT } gri_target;

/* Where to write and how. */
typedef struct gri_steps_out {
    const gri_steps *s;
    gri_target target;
    int digits;
    gri_text text;
} gri_steps_out;

/* Begins writing for an executor: the steps of the handle, style checked, no error pending, a writer. NULL and the
   error set otherwise. */
const gri_steps *gri_steps_out_begin(gri_steps_out *out, gr_steps steps, const char *what, gri_target target,
                                     gr_writer *write, void *user, const gr_steps_style *style);
/* Begins writing plain text of the same steps in the same style to someone who measures it. */
void gri_steps_out_measure(gri_steps_out *to, const gri_steps_out *out, gr_writer *write, void *user);
/* GR_ERR_IO, set, if the writer refused. */
gr_status gri_steps_out_end(gri_steps_out *out, gr_steps steps, const char *what);

/* Text of others, safe where it goes. */
void gri_put_foreign(gri_steps_out *out, const char *text, size_t most);
/* A number that was computed; one as it was given, perhaps; a gradient, which has a sign. */
void gri_put_value(gri_steps_out *out, double value);
void gri_put_value_of(gri_steps_out *out, const gri_step_number *number);
void gri_put_gradient(gri_steps_out *out, double value);
/* The number of a local derivative. */
void gri_put_local_value(gri_steps_out *out, const gri_step_edge *edge);
void gri_put_number_name(gri_steps_out *out, uint32_t number);
/* The derivative of the root by a number: "∂E/∂h1". */
void gri_put_derivative(gri_steps_out *out, uint32_t number);
/* The local derivative of an edge as a factor: its symbol, or "∂h1/∂net_h1". */
void gri_put_local(gri_steps_out *out, const gri_step_edge *edge);

/* The parts of the line of a step, which are the columns of the text mode; nothing where a part has nothing to say. */
enum {
    GRI_PART_LEFT,    /* ∂E/∂h1 */
    GRI_PART_SYMBOLS, /* += ∂E/∂net_o1 · w5, = i1 · w1 + b1 */
    GRI_PART_NUMBERS, /* = 0.138499 · 0.4, = 0.05 · 0.15 + 0.35 */
    GRI_PART_RESULT,  /* = 0.0553994 */
    GRI_PART_ARRIVAL, /* 2 of 2: */
    GRI_PART_SUM,     /* 0.0553994 − 0.0190491 = 0.0363503 */
    GRI_STEP_PARTS
};
void gri_put_step_part(gri_steps_out *out, const gri_step *step, int part);

/* Columns that a part takes on a terminal. */
size_t gri_step_part_columns(const gri_steps_out *out, const gri_step *step, int part);

/* What an edge brings to its operand; 0 where either factor is, as in backward walks. */
double gri_step_contribution(const gri_steps *s, const gri_step *step);

#endif
