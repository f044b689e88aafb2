/*
 * The inside of a history: rows of epochs that are finished, and the sums of one that is under way.
 *
 * Invariant: all that a training loop has to remember from call to call is here, or in objects of the caller.
 */
#ifndef GRI_TRAIN_HISTORY_H
#define GRI_TRAIN_HISTORY_H

#include "gradus/fit.h"

/* epoch, seconds, val_seconds, rate; loss and metrics twice */
enum { GRI_FIT_COLUMNS = 4 + 2 * (GR_FIT_METRICS + 1) };

/* What has been added up over batches. */
typedef struct gri_fit_sums {
    gr_average loss; /* its weight: the examples */
    gr_average metrics[GR_FIT_METRICS];
    int64_t batches;
} gri_fit_sums;

struct gr_history {
    gr_graph *graph;
    bool running; /* a gr_fit adds to it */
    gr_fit_reason reason;
    int columns;
    char names[GRI_FIT_COLUMNS][GR_FIT_NAME_BYTES];
    int64_t rows, capacity;
    double *values; /* column by column, `capacity` each */
    gr_history_state state;
    /* The epoch under way. */
    gri_fit_sums sums;
    bool trained; /* its last batch is done; it is to be evaluated */
    double seconds, rate;
};

/* Takes the columns of a plan, or compares them with those that there are. On error the history is as it was. */
gr_status gri_history_begin(gr_history *h, const gr_fit_plan *plan);
/* Makes room for one row more, so that adding it cannot fail. */
gr_status gri_history_reserve(gr_history *h);
/* Adds the row of the epoch under way, which ends with it. validation: NULL without. */
void gri_history_add(gr_history *h, const gr_fit_plan *plan, const gri_fit_sums *validation,
                     double validation_seconds);

#endif
