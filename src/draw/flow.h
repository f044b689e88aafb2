/*
 * What stands behind a gr_shares, and its writers.
 */
#ifndef GRI_DRAW_FLOW_H
#define GRI_DRAW_FLOW_H

#include "draw/scalars.h"

typedef struct gri_flow {
    gr_share_node *nodes;
    gr_share *shares;
    char *texts;
    size_t n_nodes, n_shares, text_bytes;
} gri_flow;

typedef struct gri_shares_writing {
    const gr_shares *p;
    gr_paths_format format;
    gri_text text;
} gri_shares_writing;

void gri_write_shares_text(gri_shares_writing *w);
void gri_write_shares_dot(gri_shares_writing *w);

#endif
