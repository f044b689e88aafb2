/*
 * Derivation paths: along which routes a loss depends on one weight, and what each route contributes.
 *
 * The derivative of one number by another is a sum over paths. A path leads through the graph of single numbers (the
 * elements of the recorded tensors) from the first number down to the second; its product is that of the partial
 * derivatives along it. gr_paths_create finds the paths of any recorded graph, whatever it was computed with:
 *
 *     gr_tensor loss = ...;
 *     gr_paths *p = gr_paths_create(loss, w, &(gr_paths_options){.by_element = 3});
 *     gr_paths_write_file(p, "derivation.txt", NULL);
 *     gr_paths_write_file(p, "derivation.dot", &(gr_paths_format){.form = GR_PATHS_DOT});
 *     gr_paths_release(p);
 *
 *     dE/dw1: 2 paths
 *
 *     path 1   dE/dE1 . dE1/do1  . do1/dnet_o1     . dnet_o1/dh1 . dh1/dnet_h1     . dnet_h1/dw1
 *            = 1      . 0.741365 . o1(1 - o1)      . w5          . h1(1 - h1)      . i1
 *            = 1      * 0.741365 * 0.186816        * 0.4         * 0.241301        * 0.05
 *            = +0.000668396
 *     ...
 *
 * THE GRAPH OF NUMBERS
 *   A node is an element of a tensor. An edge is the partial derivative of an element of a result by an element of an
 *   operand, got from the primitive's own rule: primitives of yours are treated like those of Gradus. Elements that are
 *   only other elements again (views, copies, broadcasts) are not nodes of their own. A number that takes two places
 *   (a * a) has two edges.
 *
 *   An edge exists if the partial derivative can be other than 0, not only if it is so here: a weight of an input that
 *   is 0, or behind a dead relu, has paths, and their products are 0. Whether it can be is found out by trying: the
 *   operation is done again at some 7 points of random operands (integers and masks stay what they are), which sees both
 *   branches at 0 and any one of up to 16 elements being the largest; a dependence that shows at none of them is not
 *   seen. In the same way edges get symbols: what equals the value of an element of the operation at all points is
 *   written as that element (d net/d h = w5).
 *
 * NAMES
 *   A tensor of one element is called by its name; elements of larger ones are W[0,1]; unnamed results by their
 *   operation and a number, sigmoid2[0]. Where several tensors have one name they are h#1, h#2, h#3. Books have names of their own: give them for a tensor as a list, or all by a
 *   function. With only_named, paths lead from one named number to the next: interiors without names are
 *   multiplied out (and parallel routes between two named numbers become one edge).
 *
 * NUMBERS
 *   What was computed has all its significant digits (`digits`, 6 of them unless another number is asked for), trailing
 *   zeros too, so that columns line up and what was rounded looks so: 0.175510. Two kinds of numbers are shorter. Whole ones
 *   are: 1. And so is what was given rather than computed, if it is exact with fewer digits: the value of a parameter or a
 *   constant, and a local derivative that is such a value or the same number everywhere. So a weight of 0.4 is 0.4,
 *   and dE/dh1 += dE/dnet_o1 . w5 = 0.138499 . 0.4 = 0.0553994. This holds for all that is written here, for
 *   steps (steps.h), and for drawings of tensors (dot.h). Gradients and products have signs; in formulas only
 *   negative numbers do.
 *
 * COUNTING
 *   Paths are counted, and the largest found, by dynamic programming: a graph of 10^300 paths answers at once. Time
 *   and memory grow with the edges of the graph of numbers, which is why there is a limit to it.
 *
 * ERRORS
 *   As every executor, these functions refuse while an error is pending in the graph. Nothing in the graph changes;
 *   histories that a backward pass released can be used all the same, as long as their tensors live and nothing that
 *   they used was written since (GR_ERR_STALE, GR_ERR_MODIFIED).
 */
#ifndef GRADUS_PATHS_H
#define GRADUS_PATHS_H

#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* ---- Names and limits ---- */

/* Names for the elements of a tensor: in row-major order, separated by blanks; "-" leaves an element as it is. */
typedef struct gr_element_names {
    gr_tensor tensor;
    const char *names; /* "w1 w3 w2 w4" */
} gr_element_names;

/* Writes the name of element `element` (row-major) of t into `to`, of `room` bytes, as snprintf does, and returns
   its length; 0: it has none. It may be asked for a name more than once. It may read tensors and make new ones, but not take
   any away (GR_ERR_STATE); an error that it sets ends the call that asked. */
typedef size_t gr_element_namer(gr_tensor t, int64_t element, char *to, size_t room, void *user);

typedef struct gr_naming {
    const gr_element_names *lists;
    int n_lists;
    gr_element_namer *namer; /* asked where no list has a name; may be NULL */
    void *user;
} gr_naming;

/* How large a graph of numbers may become; beyond: GR_ERR_LIMIT. */
typedef struct gr_scalar_limits {
    int64_t elements; /* of all tensors that the result was made of. 0: 4096 */
    int64_t edges;    /* 0: 65536 */
    bool none;        /* whatever memory allows */
} gr_scalar_limits;

/* ---- Paths ---- */

/* One partial derivative of a path: d of / d by. */
typedef struct gr_path_factor {
    const char *of, *by; /* names */
    const char *symbol;  /* what it is, as "w5" or "h1(1 − h1)" in UTF-8; NULL: only its number is known */
    double value;
} gr_path_factor;

typedef struct gr_path {
    double product;                /* 0 if one of the factors is, as in gr_chain_mul */
    int n_factors;                 /* 0 for the path from a number to itself, of product 1 */
    int n_zeros;                   /* so many factors are 0: what kills the path */
    const gr_path_factor *factors; /* from `of` down to `by` */
} gr_path;

/* What was found. Read it; all of it is freed by gr_paths_release. */
typedef struct gr_paths {
    gr_graph *graph;
    const char *of, *by; /* names of the two numbers */
    double of_value, by_value;
    /* So many paths there are; exact below 2^53, infinite beyond the range of doubles. 0 is a result, too: of does not
       depend on by. */
    double count;
    double zero_count; /* so many of them have a factor that is 0 */
    int n; /* the largest of them, by the magnitude of their products; equal ones in the order in which */
    const gr_path *paths; /* the graph has them */
    double more_count;    /* the others: "+N more", and the sum of their products */
    double more_sum;
    double total;     /* the sum of all products */
    double magnitude; /* the sum of their magnitudes: what is cancelled if it is larger than |total| */
    /* What backward gives, got by a walk over the tensors: equal to the total but for rounding, and where an infinity or NaN
       met a derivative that is 0, which ends a path. Not there if `of` or `by` does not require a gradient. Hooks are not
       called. */
    bool has_gradient;
    double gradient;
    struct gri_derivation *inside;
} gr_paths;

typedef struct gr_paths_options {
    int64_t of_element, by_element; /* which element of the two tensors, in row-major order; 0: the first */
    int top;                        /* so many paths are listed, at most; 0: 8 */
    bool only_named;                /* from one named number to the next: see above */
    gr_naming names;
    gr_scalar_limits limits;
} gr_paths_options;

/* The paths from an element of `of` (a loss, or any recorded result) down to an element of `by` (a parameter, a constant,
   another result). Floats only (GR_ERR_TYPE). NULL, and the error set, on failure. It lives until gr_paths_release or the
   end of the graph; the tensors may go before. The inside of a gr_checkpoint was not kept, so it cannot be looked into
   (GR_ERR_STATE): record it without one, or ask for shares. If the sum of the paths is not what backward gives, a rule is
   not linear in its cotangent: GR_ERR_CALLBACK. options may be NULL. */
GR_API gr_paths *gr_paths_create(gr_tensor of, gr_tensor by, const gr_paths_options *options);
/* Frees it. NULL is allowed. Works while an error is pending. */
GR_API void gr_paths_release(gr_paths *paths);

/* ---- As text, for LaTeX, as a drawing ---- */

typedef enum gr_paths_form {
    GR_PATHS_TEXT = 0, /* each path as symbols, then as numbers; products; their sum */
    GR_PATHS_LATEX,    /* the same, as displays of the package amsmath */
    GR_PATHS_DOT       /* for Graphviz */
} gr_paths_form;

/* Of the nodes of a drawing. */
typedef enum gr_paths_extent {
    GR_PATHS_EVERYTHING = 0, /* what `of` was made of; what is on no path is thin and grey */
    GR_PATHS_ON_PATHS,       /* what is on a path */
    GR_PATHS_LISTED          /* what is on one of the paths that are listed */
} gr_paths_extent;

/* A zeroed structure, or NULL, gives the defaults.

   In the drawing arrows lead from `of` down to `by`, as backward goes. Path 1 is solid, 2 dashed, 3 dotted, 4 to 6 the same
   but thinner; an edge of several listed paths is drawn as parallel lines, one for each of the first four; colours (the
   palette of Okabe and Ito, 2002) only repeat that. Where lines cannot say which paths lead along an edge, its label does:
   "paths 2, 3", "all paths". `by` has a thick line, `of` a double one. An edge whose derivative is 0 ends in a bar. Edges
   carry symbol and number. Numbers say what they are made of, if that is short: a sum of terms of up to two factors, or
   one operation. What is on no path and only a factor, a term, or what something is compared with (1/2 (o - t)^2), is
   not a node: it is written where it acts. Clusters are name scopes. A table below lists the paths. */
typedef struct gr_paths_format {
    gr_paths_form form;
    int digits;             /* significant digits of numbers, 1 to 17; 0: 6. See NUMBERS */
    bool ascii;             /* pure ASCII */
    bool document;          /* LaTeX: a document of its own */
    const char *title;      /* DOT: above the table; NULL: none */
    gr_paths_extent extent; /* DOT */
    bool top_to_bottom;     /* DOT: else from left to right */
} gr_paths_format;

/* As the functions of dot.h do: GR_ERR_ARGUMENT for options out of range, GR_ERR_IO if the writer or the system refuses. A
   file that cannot be written is as it was before. */
GR_API gr_status gr_paths_write(const gr_paths *paths, gr_writer *write, void *user,
                                const gr_paths_format *format);
GR_API gr_status gr_paths_write_file(const gr_paths *paths, const char *path, const gr_paths_format *format);
GR_API gr_status gr_paths_write_string(const gr_paths *paths, char *to, size_t room, size_t *length,
                                       const gr_paths_format *format);

/* ---- Shares: the same for whole tensors ---- */

/* For graphs whose numbers are too many: which part of a derivative passes along each edge between tensors. The share of an
   edge is the inner product of the adjoint of the result (d of/d result), the local derivative, and the
   tangent of the operand (d operand/d by): the sum of the products of all paths of numbers that lead through
   it. So the shares of the edges that cross any cut between `of` and `by` sum to the derivative. One walk up and one down:
   it costs no more than two backward passes.

       gr_shares *s = gr_shares_create(loss, w, &(gr_paths_options){.by_element = 784 * 5 + 3});
       gr_shares_write_file(s, "shares.dot", &(gr_paths_format){.form = GR_PATHS_DOT});  */

/* A tensor on the way from `by` to `of`. */
typedef struct gr_share_node {
    const char *name;    /* its name, or operation and number; with a number where several have it */
    const char *shape;   /* "[200, 784]" */
    double adjoint_norm; /* |d of / d it|, Euclidean */
    double tangent_norm; /* |d it / d by| */
    double share;        /* what passes through it */
    const char *scope;   /* the name scope in which it was made; "": none */
} gr_share_node;

/* A use of one by another. */
typedef struct gr_share {
    int result, operand; /* numbers of nodes; operands have the smaller ones */
    int place;           /* among the operands of the result, from 0 */
    double value;
} gr_share;

typedef struct gr_shares {
    gr_graph *graph;
    const char *of, *by; /* names of the two numbers */
    double
        gradient; /* d of/d by, as backward gives it; 0 without nodes and edges if there is no connection */
    int n_nodes;
    const gr_share_node *nodes; /* in topological order: `by` is the first, `of` the last */
    int n;
    const gr_share *shares; /* by result, then by place */
    struct gri_flow *inside;
} gr_shares;

/* As gr_paths_create; both tensors must require a gradient (GR_ERR_NO_HISTORY). top, only_named and limits have no
   effect. */
GR_API gr_shares *gr_shares_create(gr_tensor of, gr_tensor by, const gr_paths_options *options);
GR_API void gr_shares_release(gr_shares *shares);

/* GR_PATHS_TEXT is a table, GR_PATHS_DOT a drawing: lines are as wide as their share is large, solid if it is positive,
   dashed if it is negative, dotted if it is 0. GR_PATHS_LATEX is GR_ERR_ARGUMENT. */
GR_API gr_status gr_shares_write(const gr_shares *shares, gr_writer *write, void *user,
                                 const gr_paths_format *format);
GR_API gr_status gr_shares_write_file(const gr_shares *shares, const char *path,
                                      const gr_paths_format *format);
GR_API gr_status gr_shares_write_string(const gr_shares *shares, char *to, size_t room, size_t *length,
                                        const gr_paths_format *format);

GR_END_DECLS

#endif
