/*
 * Guesses at what is wrong with derivatives, from all of them.
 */
#ifndef GRI_CHECK_FAULT_H
#define GRI_CHECK_FAULT_H

#include "check/engine.h"

/* Adds a guess for each input of the level of which one explains all that was compared. */
void gri_guess_faults(const gri_level *l);

#endif
