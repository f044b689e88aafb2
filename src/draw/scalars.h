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
    uint32_t number;      /* of an unnamed one: among those of the same operation, from 1 */
} gri_scalar_tensor;

typedef struct gri_scalar {
    uint32_t
        tensor; /* whose element it is, as it is named: of several that are equal, of the first with a name */
    uint32_t element;
    uint32_t first_edge, n_edges;
    double value, adjoint; /* d root / d it: the sum over all paths */
    const char *name;      /* "w5", "W[0,1]", "sigmoid2[1]", "constant1"; in the structure's own memory */
    const gr_op *op;       /* that made it; NULL: none */
    uint16_t scope;        /* the name scope in which it was made */
    bool named;            /* by the user */
    bool leaf, param;
} gri_scalar;

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
    uint32_t n_nodes, n_edges, n_tensors, n_sums;
    uint32_t root;
    uint32_t *of_element; /* the node of each element of all tensors, or GRI_NO_SCALAR */
    uint32_t n_elements;
    char *names;
    size_t name_bytes, node_capacity, edge_capacity, sum_capacity;
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
/* Name and value of any element of a tensor; the number of an unnamed tensor's name is missing. */
gr_status gri_describe_element(gr_graph *g, gr_tensor t, int64_t element, const gri_scalars_options *options,
                               char *name, size_t room, double *value);
/* Name of the whole tensor; `number`: of an unnamed one, among those of its operation. */
void gri_name_tensor(const gri_node *node, uint32_t number, char *name, size_t room);
/* Where the element of row-major position i lies. */
int64_t gri_element_offset(const gr_array *a, int64_t i);
/* Checks that a tensor has such an element, and is a float. */
gr_status gri_check_element(const char *what, gr_tensor t, int64_t element);

/* The product of a cotangent and a local derivative, as walks form it: 0 if one of them is. */
static inline double gri_chain(double a, double b) { return a == 0 || b == 0 ? 0 : a * b; }

/* Name of a node, or a sum. */
void gri_put_scalar(gri_text *t, const gri_scalars *s, uint32_t node, gri_flavour flavour);
/* Whether the partial derivative of an edge has a symbol that says more than its number; then puts it. */
bool gri_has_symbol(const gri_scalars *s, const gri_scalar_edge *edge);
void gri_put_symbol(gri_text *t, const gri_scalars *s, const gri_scalar_edge *edge, gri_flavour flavour);
/* Any name in one of the flavours. */
void gri_put_name(gri_text *t, const char *name, gri_flavour flavour);

#endif
