/*
 * Images of at most 256 colours as PNG (ISO/IEC 15948), in base64, for pictures inside an SVG. Elements can be drawn
 * as squares, which not every viewer would make of one pixel each; they cost next to nothing, for repetitions are
 * compressed, and nothing else is.
 */
#ifndef EXAMPLES_SUPPORT_PLOT_PNG_H
#define EXAMPLES_SUPPORT_PLOT_PNG_H

#include <stdbool.h>
#include <stdio.h>

typedef struct png_palette {
    int n;
    unsigned char colour[256][3]; /* entry 0 is transparent */
} png_palette;

/* Entries of the palette, row by row, each drawn as scale x scale pixels. */
typedef struct png_image {
    int rows, columns, scale;
    const unsigned char *pixels;
} png_image;

/* Writes the base64 of the image. False if there is no memory. */
bool png_put_base64(FILE *f, const png_image *image, const png_palette *palette);

#endif
