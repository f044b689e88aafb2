/*
 * NumPy's .npy files: one array each.
 *
 *     gr_tensor x;
 *     gr_npy_read_file(g, "x.npy", &x);                np.save("x.npy", x) has written it
 *     gr_npy_write_file(gr_exp(x), "y.npy");           np.load("y.npy") reads it
 *
 * The format: NumPy, "numpy.lib.format" (versions 1.0, 2.0 and 3.0): a header that gives the type, the order and the
 * shape as a Python dictionary, and the elements.
 *
 * Functions refuse to run, and return the stored error, while one is pending (graph.h).
 */
#ifndef GRADUS_NPY_H
#define GRADUS_NPY_H

#include <stdio.h>

#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* Reads an array into *t, a kept constant in row-major order, whatever the order of the file; an invalid handle on error.
   Either byte order. By type:
       f4, f8    f32, f64
       f2        f32, which holds it exactly
       b1        bool
       i1, i2, i4, u1, u2, u4, i8, u8     i32, if each element fits: else GR_ERR_TYPE with the first that does not
   GR_ERR_TYPE: another type (complex numbers, texts, structures, objects). GR_ERR_NDIM: more than GR_MAX_NDIM axes.
   GR_ERR_FORMAT: not such a file, or another length than the header says; a header is not believed before the bytes are
   there. GR_ERR_IO. */
GR_API gr_status gr_npy_read_file(gr_graph *g, const char *path, gr_tensor *t);
/* The same from the rest of a stream, which may be a pipe, and stays open; `name` stands for it in messages. */
GR_API gr_status gr_npy_read(gr_graph *g, FILE *stream, const char *name, gr_tensor *t);
/* The same from `n` bytes of memory. */
GR_API gr_status gr_npy_parse(gr_graph *g, const void *bytes, size_t n, gr_tensor *t);

/* Writes a tensor of any type: version 1.0, little-endian, in C order. A file is replaced as a whole or not at all, as
   gr_save (save.h) does it. */
GR_API gr_status gr_npy_write_file(gr_tensor t, const char *path);
GR_API gr_status gr_npy_write(gr_tensor t, gr_writer *write, void *user);

GR_END_DECLS

#endif
