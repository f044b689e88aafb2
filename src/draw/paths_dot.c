/* Derivation paths as a drawing for Graphviz. */
#include "draw/derivation.h"
void gri_write_paths_dot(gri_paths_writing *w) { (void)w; }
