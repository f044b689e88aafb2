/* Contours under the series of a plot: see plot.h. The function is evaluated once at each point of a grid. */
#include "support/plot_contour.h"
#include "support/plot_level.h"

#include <math.h>
#include <stdlib.h>

enum {
    STEPS = 200,
    MOST_STEPS = 2000,
    DARK = 96,
    LIGHT = 208
}; /* greys of the lowest and the highest level */

/* What an axis shows at a part of its way. */
static double value_at(const svg_axis *a, double part)
{
    const double scaled = a->low + part * (a->high - a->low);
    return a->logarithmic ? pow(10, scaled) : scaled;
}

static void evaluate(double *to, int steps, const svg_axis *x, const svg_axis *y, const plot_contours *c)
{
    for (int row = 0; row <= steps; row++)
        for (int column = 0; column <= steps; column++)
            *to++ = c->f(value_at(x, (double)column / steps), value_at(y, 1 - (double)row / steps), c->user);
}

bool contour_put(FILE *f, const svg_axis *x, const svg_axis *y, const plot_contours *c)
{
    const int steps = c->steps > 0 && c->steps <= MOST_STEPS ? c->steps : STEPS;
    double *values = malloc((size_t)(steps + 1) * (size_t)(steps + 1) * sizeof *values);
    if (!values) return false;
    evaluate(values, steps, x, y, c);
    const level_grid grid = {steps, values, x->from, x->to, y->to, y->from};
    for (int k = 0; k < c->n; k++) {
        const int grey = c->n > 1 ? DARK + (LIGHT - DARK) * k / (c->n - 1) : DARK;
        fprintf(f, "<path fill=\"none\" stroke=\"#%02x%02x%02x\" stroke-width=\"1\" d=\"", (unsigned)grey,
                (unsigned)grey, (unsigned)grey);
        level_put(f, &grid, c->levels[k]);
        fputs("\"/>\n", f);
    }
    free(values);
    return true;
}
