/*
 * Where data go that must not be lost: to a gr_writer, or into a file that is replaced as a whole.
 *
 * Invariant: at any moment, whatever fails or whoever kills the process, the path names the complete old file or
 * the complete new one.
 */
#ifndef GRI_IO_REPLACE_H
#define GRI_IO_REPLACE_H

#include "graph/graph.h"

/* Writes all of something through `write`: GR_OK; GR_ERR_IO, without setting an error, if the writer refused; or an
   error that is set. */
typedef gr_status gri_content(void *what, gr_writer *write, void *user);

/* Writes beside the file, has that written to the disk, and gives it the name of the file, whose permissions it gets.
   On failure nothing is left of it. A symbolic link stays one: what it leads to is replaced. What is no regular
   file (a device, a pipe) is written directly. `call` names the call in messages. Errors: GR_ERR_IO, with path and
   what the system says, and those of `content`. */
gr_status gri_replace_file(gr_graph *g, const char *call, const char *path, gri_content *content, void *what);

/* To a writer of the user. */
gr_status gri_write_through(gr_graph *g, const char *call, gr_writer *write, void *user, gri_content *content,
                            void *what);

#endif
