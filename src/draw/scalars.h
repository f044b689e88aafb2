/*
 * The graph of single numbers behind a recorded tensor: nodes are elements of tensors, edges are partial derivatives of
 * an element of a result by an element of an operand. Made for any primitive by its descriptor alone (jacobian.h).
 *
 * Elements that are only other elements again (of views, copies, broadcasts) are not nodes of their own. An edge that
 * exists but is 0 here is there, with 0. If an operand takes an element in two places, there are two edges.
 *
 * Invariant: the order of nodes is topological: the operands of a node have smaller numbers; leaves stand just before
 * their first use. It depends on the recorded graph alone, as do all names and numbers.
 */
#ifndef GRI_DRAW_SCALARS_H
#define GRI_DRAW_SCALARS_H

#include "base/text.h"
#include "draw/jacobian.h"
#include "gradus/paths.h"

#define GRI_NO_SCALAR UINT32_MAX

/* How names and symbols are written. */
typedef enum gri_flavour {
    GRI_PLAIN, /* as they are: UTF-8, or ASCII where the text is to be so */
    GRI_LABEL, /* the same, escaped for labels of drawings */
    GRI_LATEX  /* for mathematics mode */
} gri_flavour;

typedef struct gri_scalar_tensor {
    gr_tensor tensor;
    const gri_node *node; /* gone, perhaps, after the structure has been built */
    uint32_t first;       /* its elements are so many, from this one of all elements on */
    uint32_t number;      /* behind its name, for there are others; from 1. 0: none */
} gri_scalar_tensor;

typedef struct gri_scalar {
    uint32_t
        tensor; /* whose element it is, as it is named: of several that are equal, of the first with a name */
    uint32_t element;
    uint32_t first_edge, n_edges;
    uint32_t first_term, n_terms; /* it is their sum; none: not known as one */
    double value, adjoint;        /* d root / d it: the sum over all paths */
    const char *name; /* "w5", "W[0,1]", "sigmoid2[1]", "constant1"; in the structure's own memory */
    const gr_op *op;  /* that made it; NULL: none */
    uint16_t scope;   /* the name scope in which it was made */
    bool named;       /* by the user */
    bool leaf, param;
    bool composed; /* of several operations: op is the last of them */
    bool single;   /* an f32 */
} gri_scalar;

/* What a node is of its operands, where that is a polynomial of the second degree: a sum of such terms. */
typedef enum gri_term_kind {
    GRI_TERM_CONSTANT,  /* factor */
    GRI_TERM_LINEAR,    /* factor a */
    GRI_TERM_PRODUCT,   /* factor a b */
    GRI_TERM_DIFFERENCE /* factor (a - b)^2 */
} gri_term_kind;

typedef struct gri_term {
    double factor;
    uint32_t a, b;
    gri_term_kind kind;
} gri_term;

/* A sum of two numbers that has no node of its own, but stands in symbols: t1 - o1. */
typedef struct gri_scalar_sum {
    uint32_t term[2];
    bool minus[2];
} gri_scalar_sum;

typedef struct gri_scalar_edge {
    uint32_t from, to; /* result, operand */
    double partial;    /* d from / d to */
    double factor;     /* of GRI_SYMBOL_ELEMENT */
    uint32_t other; /* the element of GRI_SYMBOL_ELEMENT; the o of GRI_SYMBOL_FORM. From n_nodes on: a sum */
    uint32_t x, y;  /* of GRI_SYMBOL_FORM */
    uint8_t kind, form;
} gri_scalar_edge;

typedef struct gri_scalars {
    gr_graph *g;
    const char *what; /* the call, for messages */
    gri_scalar *node;
    gri_scalar_edge *edge; /* those of a node stand together */
    gri_scalar_tensor *tensor;
    gri_scalar_sum *sum;
    gri_term *term;
    uint32_t n_nodes, n_edges, n_tensors, n_sums, n_terms;
    uint32_t root;
    uint32_t *of_element; /* the node of each element of all tensors, or GRI_NO_SCALAR */
    uint32_t n_elements;
    char *names;
    size_t name_bytes, node_capacity, edge_capacity, sum_capacity, term_capacity;
} gri_scalars;

typedef struct gri_scalars_options {
    gr_scalar_limits limits; /* zeroed: the defaults */
    gr_naming names;
    bool only_named; /* interiors without names go: their edges are multiplied out */
    gr_tensor keep;  /* this element is a node of its own, be it a copy or without a name. Zeroed: none */
    int64_t keep_element;
} gri_scalars_options;

/* The numbers that element `element` (row-major) of `root` was made of. `what` names the call. To be freed if it
   succeeds. GR_ERR_LIMIT for more than the limits allow; GR_ERR_STALE, GR_ERR_MODIFIED if an operand is no longer what
   it was. A record that a backward pass has released serves all the same. */
gr_status gri_scalars_build(gri_scalars *s, const char *what, gr_tensor root, int64_t element,
                            const gri_scalars_options *options);
void gri_scalars_free(gri_scalars *s);
/* The node of an element of a tensor; GRI_NO_SCALAR if the root is not made of it. */
uint32_t gri_scalars_find(const gri_scalars *s, gr_tensor t, int64_t element);
/* Name and value of any element of a tensor. `number`: of the tensor, as below. */
gr_status gri_describe_element(gr_tensor t, uint32_t number, int64_t element, const gr_naming *names,
                               char *name, size_t room, double *value);
/* Numbers by which tensors can be told apart: unnamed ones are counted by operation; of those that share a name each
   gets one; else 0. In the order of the list. */
gr_status gri_number_tensors(gr_graph *g, const char *what, uint32_t n, const gri_node *const *node,
                             uint32_t *number);
/* Name of the whole tensor with its number: "sigmoid2", "h", "h#2". */
void gri_name_tensor(const gri_node *node, uint32_t number, char *name, size_t room);
/* Checks what can be wrong about names. */
gr_status gri_check_naming(gr_graph *g, const char *what, const gr_naming *names);
/* Where the element of row-major position i lies. */
int64_t gri_element_offset(const gr_array *a, int64_t i);
/* Checks that a tensor has such an element, and is a float. */
gr_status gri_check_element(const char *what, gr_tensor t, int64_t element);

/* The product of a cotangent and a local derivative, as walks form it: 0 if one of them is. */
static inline double gri_chain(double a, double b) { return a == 0 || b == 0 ? 0 : a * b; }

/* Whether a number is written as it was given, or as one that was computed. */
static inline gri_origin gri_given(bool given, bool single)
{
    return !given ? GRI_COMPUTED : single ? GRI_GIVEN_F32 : GRI_GIVEN_F64;
}
static inline gri_origin gri_origin_of_value(const gri_scalar *node)
{
    return gri_given(node->leaf, node->single);
}
/* A derivative is given if it is the same everywhere, or a number that was. */
static inline gri_origin gri_origin_of_partial(const gri_scalars *s, const gri_scalar_edge *e)
{
    const bool same = e->kind == GRI_SYMBOL_CONSTANT;
    const bool element = e->kind == GRI_SYMBOL_ELEMENT && e->other < s->n_nodes && s->node[e->other].leaf;
    return gri_given(same || element, s->node[e->to].single);
}

/* ---- formula.c ---- */

/* Finds the terms of all nodes. */
gr_status gri_scalars_terms(gri_scalars *s);
/* Puts a number of a formula: its name, or its value. */
typedef void gri_put_operand(void *user, uint32_t node);
/* "i1 · w1 + i2 · w2 + b1", "½ (o1 − t1)²" */
void gri_put_terms(gri_text *t, const gri_term *term, uint32_t n, gri_put_operand *put, void *user);

/* What a node is of its operands, "sigmoid(net_h1)" where it is no such sum; nothing if it is a leaf, or several
   operations that are none. Constants without a name are written with so many digits. */
void gri_put_formula(gri_text *t, const gri_scalars *s, uint32_t node, int digits, gri_flavour flavour);
/* The columns that it takes. */
int gri_formula_columns(const gri_scalars *s, uint32_t node, int digits, bool ascii);

/* ---- symbols.c ---- */

/* Name of a node, or a sum. */
void gri_put_scalar(gri_text *t, const gri_scalars *s, uint32_t node, gri_flavour flavour);
/* Whether the partial derivative of an edge has a symbol that says more than its number; then puts it. */
bool gri_has_symbol(const gri_scalars *s, const gri_scalar_edge *edge);
void gri_put_symbol(gri_text *t, const gri_scalars *s, const gri_scalar_edge *edge, gri_flavour flavour);
/* Any name in one of the flavours. */
void gri_put_name(gri_text *t, const char *name, gri_flavour flavour);

#endif
