/*
 * Arrays that callbacks fill: with a margin on both sides by which it is noticed that they wrote beyond, and filled with
 * a NaN of a kind of its own, by which it is noticed what they left unwritten.
 */
#ifndef GRI_CHECK_GUARD_H
#define GRI_CHECK_GUARD_H

#include "check/blocks.h"

typedef struct gri_guarded {
    double *data;
    int64_t count;
} gri_guarded;

/* False if there is no memory for it. */
bool gri_guarded_take(gri_guarded *a, gri_blocks *blocks, int64_t rows, int64_t columns);
/* To be called before it is handed out. */
void gri_guarded_reset(gri_guarded *a);
/* Whether its margins are as they were. */
bool gri_guarded_is_intact(const gri_guarded *a);
/* The first element that nothing was written to; -1 if there is none. */
int64_t gri_guarded_unwritten(const gri_guarded *a);

#endif
