/* What accuracies and confusion matrices share: what is said of each sample, and what it is. */
#ifndef GRI_NN_OUTCOME_H
#define GRI_NN_OUTCOME_H

#include "gradus/tensor.h"

typedef struct gri_outcome {
    const int32_t *said, *is; /* of n samples; they live as long as the scope that is open */
    int64_t n, classes;       /* classes of the scores; 0: there are none, only what is said */
} gri_outcome;

/* Compares the shapes and types. `what` names the call. */
gr_status gri_outcome_of(const char *what, gr_tensor prediction, gr_tensor targets, gri_outcome *judged);
/* GR_ERR_INDEX if a label is none of so many classes. */
gr_status gri_outcome_label(gr_graph *g, const char *what, int64_t sample, int32_t label, int64_t classes);
/* Whether both are live tensors of one graph without an error; else there is one. */
gr_status gri_outcome_operands(const char *what, gr_tensor prediction, gr_tensor targets);

#endif
