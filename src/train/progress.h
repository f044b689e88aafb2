/*
 * What a training loop shows: text for the writer that its caller names, and nothing without one.
 *
 * Invariant: a line for an epoch begins in the first column, with nothing of a bar in front of it or behind. The line of a
 * bar does not reach the end of a terminal of 80 columns, where it would be broken and could not be overwritten.
 */
#ifndef GRI_TRAIN_PROGRESS_H
#define GRI_TRAIN_PROGRESS_H

#include "train/history.h"

typedef struct gri_progress {
    const gr_fit_plan *plan;
    const gr_history *history;
    int64_t epochs;   /* over all calls, after this one */
    int64_t examples; /* of an epoch */
    double drawn;     /* when a bar was drawn last */
    bool visible;     /* there is a bar on the terminal */
    int shorter;      /* how much the bar has given way to what is behind it */
} gri_progress;

/* Seconds, by the clock of the plan or of the system. */
double gri_progress_clock(const gr_fit_plan *plan);

/* Each is GR_ERR_IO if the writer refused the text, without an error set. */

/* A batch has been trained on. */
gr_status gri_progress_batch(gri_progress *p, double now);
/* The epoch will be evaluated. */
gr_status gri_progress_validation(gri_progress *p);
/* Takes the bar away, however the epoch ended. */
gr_status gri_progress_erase(gri_progress *p);
/* Writes the line of the last row of the history. */
gr_status gri_progress_epoch(gri_progress *p, double examples);

#endif
