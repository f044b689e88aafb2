/*
 * Images for the examples: Fashion-MNIST (Xiao, Rasul, Vollgraf, 2017) from files, or images made here.
 *
 *     image_set set;
 *     char message[IMAGE_SET_MESSAGE_BYTES];
 *     if (!image_set_load(g, data, &set, message)) {
 *         fprintf(stderr, "%s\n", message);
 *         if (data || !image_set_make(seed, 10000, 2000, &set, message)) return 1;
 *     }
 *     ...
 *     image_set_free(&set);           after the last use of its elements, and of batches made from it
 *     gr_graph_destroy(g);
 */
#ifndef EXAMPLES_SUPPORT_FASHION_MNIST_H
#define EXAMPLES_SUPPORT_FASHION_MNIST_H

#include "gradus/io.h"

enum {
    IMAGE_SIDE = 28,
    IMAGE_PIXELS = IMAGE_SIDE * IMAGE_SIDE,
    IMAGE_CLASSES = 10,
    IMAGE_SET_MESSAGE_BYTES = 1024
};

/* Images are [n, 28, 28], labels [n], each below IMAGE_CLASSES. */
typedef struct image_set {
    gr_idx train_images, train_labels, test_images, test_labels;
    void *made; /* the elements, if they were made here; else they belong to the graph */
} image_set;

/* Reads train-images-idx3-ubyte, train-labels-idx1-ubyte and their t10k- counterparts, as they are or with
   .gz, from the directory `data`; or, if that is NULL, from the first of /usr/share/datasets/fashion-mnist
   (where the Debian package dataset-fashion-mnist puts them) and ./data/fashion-mnist that has them. false:
   `message` (IMAGE_SET_MESSAGE_BYTES of room) says what is missing or wrong; the graph is left without an
   error. */
bool image_set_load(gr_graph *g, const char *data, image_set *set, char *message);

/* Makes images of IMAGE_CLASSES classes that can be learnt: each class is a pattern of soft blobs, each image
   its pattern, shifted by up to 3 pixels, dimmed, overlaid with a faint pattern of another class, and noisy.
   The same seed gives the same images. false, and a message: not enough memory, or a number below 1. */
bool image_set_make(uint64_t seed, int64_t n_train, int64_t n_test, image_set *set, char *message);

/* What the examples do: those that `data` or the usual places have; or, if there are none or `data` is "none", 10000 and
   2000 that are made, which is said on stdout. Of those to train on the first `limit` are kept; 0: all. false: `program`
   has said on stderr why not. */
bool image_set_obtain(gr_graph *g, const char *program, const char *data, uint64_t seed, int64_t limit,
                      image_set *set);

/* Frees what image_set_make took. */
void image_set_free(image_set *set);

#endif
