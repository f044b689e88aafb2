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
 *   operation and a number, sigmoid2[0]. Books have names of their own: give them for a tensor as a list, or all by a
 *   function. With only_named, paths lead from one named number to the next: interiors without names are
 *   multiplied out (and parallel routes between two named numbers become one edge).
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
   its length; 0: it has none. */
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

GR_END_DECLS

#endif
