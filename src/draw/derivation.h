/*
 * What stands behind a gr_paths: the graph of numbers, and the edges of the listed paths. The writers see it.
 */
#ifndef GRI_DRAW_DERIVATION_H
#define GRI_DRAW_DERIVATION_H

#include "draw/scalars.h"

/* One listed path. */
typedef struct gri_route {
    uint32_t first, n; /* of gri_derivation.steps */
} gri_route;

typedef struct gri_derivation {
    gri_scalars s;
    uint32_t by; /* a node; GRI_NO_SCALAR: there is no path */
    gri_origin by_origin;
    uint8_t *leads; /* by node: whether it is on a path */
    gri_route *routes;
    uint32_t *steps; /* edges, of one path after the other, from the root down */
    gr_path *paths;
    gr_path_factor *factors;
    char *texts; /* of symbols, and of a name that no node has */
    size_t n_routes, n_steps, text_bytes;
} gri_derivation;

/* Options with the defaults filled in. */
typedef struct gri_paths_writing {
    const gr_paths *p;
    const gri_derivation *d;
    const gri_scalars *s;
    gr_paths_format format;
    gri_text text;
} gri_paths_writing;

void gri_write_paths_text(gri_paths_writing *w);
void gri_write_paths_latex(gri_paths_writing *w);
void gri_write_paths_dot(gri_paths_writing *w);

/* A number of the writing's digits; `sign`: also a plus. */
static inline void gri_put_figure(gri_paths_writing *w, double value, bool sign, gri_origin origin)
{
    char number[GRI_NUMBER_BYTES];
    gri_figure(number, value, w->format.digits, sign, origin);
    gri_text_number(&w->text, number);
}
/* A number of paths: all its digits if it is exact, as it is below this, where whole numbers have no gaps. */
#define GRI_EXACT_COUNT 9007199254740992.0 /* 2^53 */
enum { GRI_COUNT_BYTES = 48 };
void gri_count_text(const gri_paths_writing *w, double count, char to[GRI_COUNT_BYTES]);
void gri_put_count(gri_paths_writing *w, double count);

/* The symbol of an edge, cut to the room; its whole length. */
size_t gri_symbol_text(const gri_scalars *s, const gri_scalar_edge *e, char *to, size_t room);

#endif
