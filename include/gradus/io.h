/*
 * Data from files: the IDX reader, and shuffled mini-batches; where texts go.
 *
 *     gr_idx images, labels;
 *     gr_idx_read_file(g, "train-images-idx3-ubyte", &images);
 *     gr_idx_read_file(g, "train-labels-idx1-ubyte", &labels);
 *     gr_batches *batches = gr_batches_create(g, &images, &labels, 200, seed, NULL);
 *     gr_tensor x = gr_constant(g, GR_F32, GR_SHAPE(200, 784), NULL);
 *     gr_tensor y = gr_constant(g, GR_I32, GR_SHAPE(200), NULL);
 *     while (gr_batches_next(batches, x, y) > 0) {          one epoch
 *         ... a training step on x and y ...
 *         gr_graph_reset(g);
 *     }
 *
 * Functions that return a gr_status refuse to run, and return the stored error, while one is pending
 * (graph.h).
 */
#ifndef GRADUS_IO_H
#define GRADUS_IO_H

#include <stdio.h>

#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* ---- IDX files ---- */

/* IDX is the format of the MNIST files (LeCun, Cortes, Burges: "The MNIST database", 1998): two zero bytes,
   the type of the elements, the number n of axes, n sizes of 32 bits, big-endian, then the elements in
   row-major order. Read here: elements of type 0x08 (unsigned bytes), 1 to GR_MAX_NDIM axes. An axis of size
   0 is allowed and makes the file empty.

   GR_ERR_FORMAT: not such a file, another type of element, a size that does not fit in 63 bits, fewer or more
   bytes than the header says. The message names the file, what was found and what was expected. A header is
   not believed: memory for what it claims is taken only when a file is as long, or as the elements of a
   stream arrive. On any error *idx is zeroed. */
typedef struct gr_idx {
    gr_shape shape;
    int64_t count; /* of elements */
    const uint8_t *data;
} gr_idx;

/* Reads a file. GR_ERR_IO: it cannot be opened or read. The elements belong to the graph, count towards its
   byte limit, and live until gr_graph_destroy: to drop them earlier, read them into a graph of their own. */
GR_API gr_status gr_idx_read_file(gr_graph *g, const char *path, gr_idx *idx);

/* Reads the rest of a stream, which may be a pipe: popen("gzip -dc -- images.gz", "r"). `name` stands for the
   stream in messages. The stream stays open. While elements of unknown number arrive they are moved to larger
   and larger blocks; what was outgrown goes back to the allocator as gr_graph_trim gives it back. */
GR_API gr_status gr_idx_read(gr_graph *g, FILE *stream, const char *name, gr_idx *idx);

/* Reads `n` bytes of memory. Nothing is copied: idx->data points into `bytes`. */
GR_API gr_status gr_idx_parse(gr_graph *g, const void *bytes, size_t n, gr_idx *idx);

/* ---- Mini-batches ---- */

/* Hands out the samples of a set, batch by batch, each sample once per epoch. Each epoch has an order of its
   own, a function of (seed, epoch) and of the number of samples alone: the same on any machine, for any
   number of threads, and untouched by the random numbers of the graph. All orders are equally likely (Fisher
   and Yates, 1938; bounded numbers by rejection). Owned by the graph. */
typedef struct gr_batches gr_batches;

typedef struct gr_batches_options {
    double scale;   /* a byte p becomes scale p; 0: 1/255 */
    bool in_order;  /* no shuffling: for test sets */
    bool drop_last; /* leave out the last batch of an epoch where it would be incomplete */
} gr_batches_options;

/* images: [n, ...], labels: [n]; n > 0, at least one byte per image. Both must outlive the batches; they may
   belong to another graph. options: NULL gives the defaults. Returns NULL on error: GR_ERR_ARGUMENT (batch <
   1; with drop_last, batch > n; a scale that is not finite), GR_ERR_SHAPE. */
GR_API gr_batches *gr_batches_create(gr_graph *g, const gr_idx *images, const gr_idx *labels, int64_t batch,
                                     uint64_t seed, const gr_batches_options *options);

/* The same of tensors: inputs [n, ...], targets [n, ...], of any types and without an empty sample; n > 0. Labels,
   numbers to be predicted, other images: what the targets are is a matter of the loss. The elements are those of this
   moment; they are shared, not copied, and stay whatever becomes of the two tensors. options->scale must be 0. */
GR_API gr_batches *gr_batches_create_tensors(gr_graph *g, gr_tensor inputs, gr_tensor targets, int64_t batch,
                                             uint64_t seed, const gr_batches_options *options);

/* Takes the last round(fraction n) of the n samples away, for validation: `batches` go on with those before them, and
   what is returned hands out those that were taken, in order, in batches of the same size. To be done before the first
   batch (GR_ERR_STATE); GR_ERR_ARGUMENT if one side would have no sample, or, where incomplete ones are dropped, no
   batch. NULL on error, and nothing has changed. If the set is sorted by classes, shuffle it first. */
GR_API gr_batches *gr_batches_split(gr_batches *batches, double fraction);

/* Two leaves to hand batches out into: constants of the types and shapes of a batch (of images, f32), kept if made
   outside any scope. */
GR_API gr_status gr_batches_leaves(gr_batches *batches, gr_tensor *inputs, gr_tensor *targets);

/* Writes the next batch into two leaves of the same graph and returns its number of samples.
       x: f32 or f64, [batch, ...], with as many elements per row as an image has
       labels: i32, [batch]
       of tensors: x of the type of the inputs, [batch, ...], as many elements per row; labels of the type of the targets,
       [batch, ... as the targets]
   0: the epoch is over, nothing was written, and the next call starts the next epoch. -1: an error
   (GR_ERR_TYPE, GR_ERR_SHAPE, GR_ERR_GRAPH, what gr_data_for_writing may report), or one is pending; the
   position stays. Where an epoch ends with an incomplete batch of m samples, the rows from m on are zeros and
   their labels -1, which losses refuse (targets that are floats: NaN): slice both to the first m rows, or look at those
   only. Allocates nothing as long as no living tensor shares the elements of x or labels. */
GR_API int64_t gr_batches_next(gr_batches *batches, gr_tensor x, gr_tensor labels);

/* Goes to the start of an epoch, from 0: to repeat one, or to resume a training run there. epoch < 2^32, else
   GR_ERR_ARGUMENT. */
GR_API gr_status gr_batches_start(gr_batches *batches, uint64_t epoch);
/* The epoch that the next batch belongs to. */
GR_API uint64_t gr_batches_epoch(const gr_batches *batches);
/* The number of batches in an epoch, an incomplete one included unless it is dropped. */
GR_API int64_t gr_batches_per_epoch(const gr_batches *batches);

/* Where batches are, and what the order of what is to come depends on: write it down, set it again, in another process
   perhaps, and the same batches follow. gr_save_training (save.h) does. */
typedef struct gr_batches_state {
    uint64_t seed, epoch;     /* the seed is set, too */
    int64_t position;         /* samples of the epoch that have been handed out */
    int64_t samples, batch;   /* of the set, and of one batch */
    bool in_order, drop_last; /* as in gr_batches_options */
} gr_batches_state;
GR_API gr_batches_state gr_batches_get(const gr_batches *batches);
/* GR_ERR_ARGUMENT: samples, batch or options are not those of these batches, or between the batches of an epoch there is
   no such position. */
GR_API gr_status gr_batches_set(gr_batches *batches, gr_batches_state state);

/* ---- Where texts go ---- */

/* A gr_writer (api.h) for streams: `stream` is a FILE *, as stdout, to which the text is written at once. */
GR_API bool gr_stream_writer(const char *text, size_t length, void *stream);

GR_END_DECLS

#endif
