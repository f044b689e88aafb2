/* Marching squares: see plot_level.h. */
#include "support/plot_level.h"
#include "support/plot_svg.h"

#include <math.h>
#include <stddef.h>

static double at(const level_grid *g, int row, int column)
{
    return g->value[(size_t)row * (size_t)(g->steps + 1) + (size_t)column];
}

/* The point of an edge of a cell where the level is passed: edges 0 to 3 are top, right, bottom, left. */
static void put_crossing(FILE *f, const level_grid *g, double level, int row, int column, int edge)
{
    static const int from[4][2] = {{0, 0}, {0, 1}, {1, 0}, {0, 0}},
                     to[4][2] = {{0, 1}, {1, 1}, {1, 1}, {1, 0}};
    const int r0 = row + from[edge][0], c0 = column + from[edge][1];
    const int r1 = row + to[edge][0], c1 = column + to[edge][1];
    const double a = at(g, r0, c0), b = at(g, r1, c1), part = (level - a) / (b - a);
    const double cell_x = (g->right - g->left) / g->steps, cell_y = (g->bottom - g->top) / g->steps;
    svg_put_pixels(f, g->left + cell_x * (c0 + part * (c1 - c0)));
    fputc(' ', f);
    svg_put_pixels(f, g->top + cell_y * (r0 + part * (r1 - r0)));
}

static void put_segment(FILE *f, const level_grid *g, double level, int row, int column, int edge_a,
                        int edge_b)
{
    fputc('M', f);
    put_crossing(f, g, level, row, column, edge_a);
    fputc('L', f);
    put_crossing(f, g, level, row, column, edge_b);
}

/* The line through one cell. Where opposite corners are alike their mean decides which of them are joined. */
static void put_cell(FILE *f, const level_grid *g, double level, int row, int column)
{
    const double v[4] = {at(g, row, column), at(g, row, column + 1), at(g, row + 1, column + 1),
                         at(g, row + 1, column)};
    int edges[4], n = 0;
    for (int k = 0; k < 4; k++)
        if (!isfinite(v[k])) return;
    for (int k = 0; k < 4; k++) /* edge k lies between corners k and k + 1 */
        if ((v[k] > level) != (v[(k + 1) % 4] > level)) edges[n++] = k;
    if (n == 2) put_segment(f, g, level, row, column, edges[0], edges[1]);
    if (n != 4) return;
    const bool joined = (v[0] > level) == ((v[0] + v[1] + v[2] + v[3]) / 4 > level);
    put_segment(f, g, level, row, column, 0, joined ? 1 : 3);
    put_segment(f, g, level, row, column, 2, joined ? 3 : 1);
}

void level_put(FILE *f, const level_grid *g, double level)
{
    for (int row = 0; row < g->steps; row++)
        for (int column = 0; column < g->steps; column++) put_cell(f, g, level, row, column);
}
