/*
 * Drawings into pictures, by the program dot of Graphviz where it is installed. The library itself starts no programs.
 */
#ifndef EXAMPLES_SUPPORT_GRAPHVIZ_H
#define EXAMPLES_SUPPORT_GRAPHVIZ_H

#include <stdbool.h>

/* Whether there is a dot that runs. */
bool graphviz_is_there(void);
/* Has dot make `picture` of the drawing in the file `dot`, in the format "svg", "png" or "pdf". False if it cannot. */
bool graphviz_render(const char *dot, const char *format, const char *picture);
/* The SVG that dot makes of the drawing in a file, to be freed; NULL if it cannot. */
char *graphviz_svg(const char *dot);

#endif
