/*
 * Where a text goes: to a gr_writer, into memory, into a file. One function for each, for whatever writes the text.
 */
#ifndef GRI_DRAW_OUTPUT_H
#define GRI_DRAW_OUTPUT_H

#include "graph/graph.h"

/* Writes a whole text through `write`: GR_OK; GR_ERR_IO, without setting an error, if the writer refused; or an error
   that is set. */
typedef gr_status gri_draw(void *drawing, gr_writer *write, void *user);

/* `what` names the call in messages. */
gr_status gri_output(gr_graph *g, const char *what, gri_draw *draw, void *drawing, gr_writer *write,
                     void *user);
/* As snprintf does. */
gr_status gri_output_string(gr_graph *g, const char *what, gri_draw *draw, void *drawing, char *to,
                            size_t room, size_t *length);
/* What a text is where nothing was written: empty. Returns the status. */
gr_status gri_output_nothing(gr_status status, char *to, size_t room, size_t *length);
/* Beside the file first: on failure the file is as it was. */
gr_status gri_output_file(gr_graph *g, const char *what, gri_draw *draw, void *drawing, const char *path);

#endif
