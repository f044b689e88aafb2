/* Contours under the series of a plot. Only for plot*.c. */
#ifndef EXAMPLES_SUPPORT_PLOT_CONTOUR_H
#define EXAMPLES_SUPPORT_PLOT_CONTOUR_H

#include "support/plot.h"
#include "support/plot_svg.h"

/* False if there is no memory. */
bool contour_put(FILE *f, const svg_axis *x, const svg_axis *y, const plot_contours *contours);

#endif
