/* The cubic of the lecture notes, and noisy points of it: see cubic.h. */
#include "support/cubic.h"

#include <gradus.h>

static const double noise = 50;

static double cubic(double x) { return 10 + x * (5 + x * (4 + x * 6)); }

void cubic_make(cubic_data *d)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_seed(g, 3);
    gr_read(gr_uniform(g, GR_F64, GR_SHAPE(CUBIC_POINTS), -noise, noise), d->y, CUBIC_POINTS);
    for (int i = 0; i < CUBIC_POINTS; i++) {
        d->x[i] = -3 + 6.0 * i / (CUBIC_POINTS - 1);
        d->y[i] += cubic(d->x[i]);
    }
    for (int i = 0; i < CUBIC_CURVE; i++) {
        d->at[i] = -3 + 6.0 * i / (CUBIC_CURVE - 1);
        d->truth[i] = cubic(d->at[i]);
    }
    gr_graph_destroy(g);
}
