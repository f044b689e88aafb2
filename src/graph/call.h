/*
 * A call under way: the gr_call that a primitive sees, and the scratch memory that it asks for.
 */
#ifndef GRI_GRAPH_CALL_H
#define GRI_GRAPH_CALL_H

#include "graph/graph.h"

typedef struct gri_scratch {
    struct gri_scratch *next;
    size_t bytes;
} gri_scratch;

/* What gr_call_scratch needs stands behind the gr_call, so every call that is handed to forward or pull is
   part of one of these. */
typedef struct gri_running_call {
    gr_call call; /* first */
    gri_scratch *scratch;
} gri_running_call;

void gri_free_scratch(gri_running_call *r);

#endif
