/* What operations over axes and along one share. */
#ifndef GRI_OPS_AXES_H
#define GRI_OPS_AXES_H

#include "ops/ops.h"

/* For constructors: the array of a live handle; NULL, and the error set, if there is none. `what` names the call. */
const gr_array *gri_array_of(gr_tensor x, const char *what);
/* For constructors: axis in [0, ndim), or -1 and the error set. */
int gri_check_axis(gr_tensor x, const char *what, int axis, int ndim);

/* For constructors of what is composed: a call that has nothing but a name and operands, for gr_call_fail. */
#define GRI_NAMED_CALL(CALL, NAME, N, OPERANDS) \
    const gr_op CALL##_op = {.name = NAME};     \
    const gr_call CALL = {.graph = (OPERANDS)[0].graph, .op = &CALL##_op, .n = N, .operands = OPERANDS}

/* The axes as bits; false, and the error set, if one is out of range or named twice. */
bool gri_axes_mask(const gr_call *c, const gr_axes *axes, int ndim, uint32_t *mask);

/* The axes of an array in two groups: those of the mask behind the others, and merged to one. */
typedef struct gri_grouping {
    gr_axes order;     /* axis i of the permuted array is axis order.axis[i] of the array */
    gr_axes inverse;   /* and back */
    gr_shape permuted; /* the shape with its axes in that order */
    gr_shape rows;     /* the other axes, and one of the elements of a group */
    int64_t n;         /* elements of a group */
} gri_grouping;
/* Not if nothing is in the mask and there is no room for one more axis: rows.ndim is then GR_MAX_NDIM + 1. */
gri_grouping gri_group_axes(const gr_array *x, uint32_t mask);

/* Applies an operation along the last axis, which it keeps, along any other. */
gr_tensor gri_along_axis(const gr_op *op, gr_tensor x, int axis);

/* The product of all other elements of the last axis, for each of them: exact where elements are 0, to any order. In
   cumulative.c. */
gr_tensor gri_product_of_others(gr_tensor rows);

#endif
