/*
 * What losses share. One begins with what it is called and which options it knows; the checks set the error, which names the
 * loss and not an operation inside it; then comes its formula, element by element or sample by sample, and the
 * reduction ends it.
 */
#ifndef GRI_NN_LOSS_H
#define GRI_NN_LOSS_H

#include "gradus/custom.h"
#include "gradus/loss.h"
#include "gradus/ops.h"

/* Options beside the reduction. */
enum {
    GRI_LOSS_DELTA = 1,
    GRI_LOSS_BETA = 2,
    GRI_LOSS_MARGIN = 4,
    GRI_LOSS_SMOOTHING = 8,
    GRI_LOSS_LOG_TARGET = 16,
    GRI_LOSS_IGNORE = 32,
    GRI_LOSS_CLASS_WEIGHTS = 64,
    GRI_LOSS_POSITIVE_WEIGHT = 128,
    GRI_LOSS_NO_MARGIN = 256,
    GRI_LOSS_ORDER = 512,
    GRI_LOSS_SWAP = 1024
};

typedef struct gri_loss {
    const char *name;
    gr_graph *graph;
    gr_loss_options o; /* as given; zeros for NULL */
} gri_loss;

/* Whether the operands are live tensors of one graph and the options are such as the loss knows. */
bool gri_loss_begin(gri_loss *l, const char *name, unsigned knows, gr_tensor y, gr_tensor target,
                    const gr_loss_options *options);
/* Whether both have one shape and one float type. */
bool gri_loss_alike(const gri_loss *l, gr_tensor y, gr_tensor target);
/* The same, and there is a last axis. */
bool gri_loss_alike_in_rows(const gri_loss *l, gr_tensor y, gr_tensor target);
/* Whether y is [..., n] of a float type, and the other [...]: of that type, or labels of i32 if there is a word for what is
   labelled, as "logits". */
bool gri_loss_rows_and_one_each(const gri_loss *l, gr_tensor y, gr_tensor target, const char *labelled);
/* Whether an option is given that is a tensor. */
static inline bool gri_loss_is_given(gr_tensor t) { return t.graph || t.index; }
/* Sets the error that says what was wanted, and of what shapes the operands are; false. */
bool gri_loss_fail_shapes(const gri_loss *l, const char *wanted, const char *what, gr_tensor y,
                          gr_tensor target);

static inline gr_tensor gri_loss_invalid(const gri_loss *l) { return (gr_tensor){l->graph, 0, 0}; }
/* The value of an option, or what its 0 stands for. */
static inline double gri_loss_or(double option, double otherwise) { return option == 0 ? otherwise : option; }

/* The margin of losses of which it is 1 by default. */
static inline double gri_loss_margin(const gri_loss *l)
{
    return l->o.no_margin ? 0 : gri_loss_or(l->o.margin, 1);
}

/* Reduces the losses of elements or samples. */
gr_tensor gri_loss_reduce(const gri_loss *l, gr_tensor each);

/* Defines gr_<name>(y, target), which has the defaults. */
#define GRI_LOSS_DEFAULTS(NAME) \
    gr_tensor gr_##NAME(gr_tensor y, gr_tensor target) { return gr_##NAME##_with(y, target, NULL); }

#endif
