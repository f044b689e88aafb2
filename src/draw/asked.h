/*
 * What paths and shares are asked alike: for the derivative of one number by another, and to write what was found.
 */
#ifndef GRI_DRAW_ASKED_H
#define GRI_DRAW_ASKED_H

#include "draw/scalars.h"

/* The elements exist, are floats and of one graph; names and limits can be used. `what` names the call. */
gr_status gri_check_asked(const char *what, gr_tensor of, gr_tensor by, const gr_paths_options *options);
/* A tensor like that of a node, of zeros but for a 1 at one element; invalid, and the error set, on failure. */
gr_tensor gri_push_one(gr_graph *g, const gri_node *like, int64_t element);

/* Tensors that are walked over as if no walk had released them and no hooks were there: flags that say otherwise are
   taken off, and put back. `each`: bytes from one to the next. */
void gri_strip_all(gr_graph *g, const gr_tensor *first, size_t each, uint32_t n, uint32_t *flags);
void gri_unstrip_all(gr_graph *g, const gr_tensor *first, size_t each, uint32_t n, const uint32_t *flags);

/* Checks a format, or NULL, and fills in the defaults; `forms`: a bit for each that there is. */
gr_status gri_take_format(gr_graph *g, const char *what, unsigned forms, const gr_paths_format *given,
                          gr_paths_format *to);

#endif
