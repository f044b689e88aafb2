/*
 * Samples of a primitive: which shapes, values and layouts of its operands a sweep tries, and the operands made of
 * them.
 *
 * Invariant: a sample depends on its number and the seed alone.
 */
#ifndef GRI_CHECK_SAMPLE_H
#define GRI_CHECK_SAMPLE_H

#include "graph/graph.h"

enum { GRI_SAMPLE_ELEMENTS = 1 << 22, GRI_SAMPLE_LARGE = 4096 };

/* How the elements of operands lie in memory. */
typedef enum gri_arrangement {
    GRI_CONTIGUOUS_OPERANDS = 0,
    GRI_TRANSPOSED,  /* axes reversed */
    GRI_STEPPED,     /* every second element of the last axis */
    GRI_REVERSED,    /* first and last axis backwards */
    GRI_EXPANDED,    /* one element repeated along an axis */
    GRI_MIXED,       /* the second, fourth, ... operand stepped, */
    GRI_MIXED_OTHER, /* and the others */
    GRI_ARRANGEMENTS
} gri_arrangement;
const char *gri_arrangement_name(gri_arrangement how);

/* What of the sample an operand is made of. */
typedef struct gri_operand_sample {
    const gr_domain *domain;
    gr_shape shape;
    int64_t count;
    double *values;
    bool fixed; /* values are given by the user */
} gri_operand_sample;

/* Shapes, domains and attributes of sample `number`; false if there are no more. */
bool gri_make_sample(const gr_op *op, const gr_samples *declared, int number, gr_sample *sample,
                     void *attributes);
/* NULL if the sample can be used, else why not. Counts the elements of all operands. */
const char *gri_check_sample(const gr_sample *sample, int arity, int64_t *elements);
/* Fills in the values. */
void gri_fill_values(int n, gri_operand_sample *operands, uint64_t seed);

/* How operand k lies in memory when all are arranged so: some cannot. */
gri_arrangement gri_arranged(const gri_operand_sample *operand, int k, gri_arrangement how);
/* The shape of the leaf whose view the operand is, */
gr_shape gri_leaf_shape(gr_shape shape, gri_arrangement how);
/* and the view. */
gr_tensor gri_view_of(gr_tensor leaf, gr_shape shape, gri_arrangement how);
/* Fills a leaf that is contiguous: what the view shows are the operand's values, the rest others of its domain.
   `repeated`: the values are those that an expanded operand has. */
void gri_fill_leaf(const gr_array *leaf, const gri_operand_sample *operand, gri_arrangement how,
                   bool repeated);

#endif
