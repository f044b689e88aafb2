/*
 * How the elements of a tensor stand in a file, and how they become those of a tensor.
 *
 * Invariant: a value arrives as it was, bit for bit, or in a type that holds it exactly, or not at all.
 */
#ifndef GRI_IO_ELEMENTS_H
#define GRI_IO_ELEMENTS_H

#include "gradus/tensor.h"

enum { GRI_MOST_ELEMENT_BYTES = 8 };

typedef enum gri_element_kind {
    GRI_FLOAT,
    GRI_BRAIN_FLOAT,
    GRI_SIGNED,
    GRI_UNSIGNED,
    GRI_MASK,
    GRI_OPAQUE /* what no tensor can hold */
} gri_element_kind;

typedef struct gri_elements {
    gri_element_kind kind;
    int bytes; /* of one: 1, 2, 4 or 8 */
    bool big;  /* most significant byte first */
} gri_elements;

/* The type of tensors that such elements fit into, integers as far as i32 goes; false: none. */
bool gri_elements_type(gri_elements e, gr_type *type);
/* How a tensor's elements are written: least significant byte first. */
gri_elements gri_elements_of(gr_type type);

/* The first of `count` elements that the type of gri_elements_type cannot hold: an integer beyond i32, a mask of
   anything but 0 and 1. `count`: all fit. */
int64_t gri_elements_check(gri_elements e, const uint8_t *from, int64_t count);
/* Turns elements that fit into those of a tensor. Both may be in one place if one takes as many bytes there as
   here. */
void gri_elements_decode(gri_elements e, const uint8_t *from, int64_t count, void *to);
/* An integer or mask that was found not to fit, as a text: "-3000000000". */
enum { GRI_INTEGER_BYTES = 24 };
void gri_elements_describe(gri_elements e, const uint8_t *element, char text[GRI_INTEGER_BYTES]);

/* Writes `count` contiguous elements of a type through `write`, in the byte order of `e`. Whether it took them. */
bool gri_elements_write(gri_elements e, const void *from, int64_t count, gr_writer *write, void *user);

#endif
