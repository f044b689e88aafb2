/* What loading a training run asks of mini-batches. */
#ifndef GRI_IO_BATCHES_H
#define GRI_IO_BATCHES_H

#include "gradus/io.h"

/* Whether gr_batches_set would take the state; else the error is set. `call` names the call. */
gr_status gri_batches_check(const gr_batches *b, const char *call, const gr_batches_state *state);
gr_graph *gri_batches_graph(const gr_batches *b);

#endif
