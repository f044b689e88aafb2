/*
 * A tensor and its shadow, which has the same shape in another type: making one, and comparing the two.
 */
#ifndef GRI_CHECK_SHADOW_H
#define GRI_CHECK_SHADOW_H

#include "graph/graph.h"

/* A step leaf with the values of `node`, a float, in the given float type. It has the strides of `node`, so
   that what made a view of one makes the same view of the other. NULL, and the error set, if memory runs
   out. */
gri_node *gri_convert(gr_graph *g, const gri_node *node, gr_type type);

/* How sizes are measured: see precision.h. */
typedef struct gri_measure_of_error {
    bool elementwise;
    double tiny;
} gri_measure_of_error;

typedef struct gri_discrepancy {
    double error, made, inherited; /* relative */
    int64_t broken;
    bool same; /* no element differs */
    int64_t index[GR_MAX_NDIM];
    double value, exact; /* of the worst element */
} gri_discrepancy;

/* Compares floats of one shape. made: |value - local|; inherited: |local - shadow|. local may be NULL: then all
   of the error is inherited. */
gri_discrepancy gri_discrepancy_of(const gr_array *value, const gr_array *shadow, const gr_array *local,
                                   gri_measure_of_error measure);

#endif
