/*
 * What the examples have in common that learn to tell images apart: options, the images in batches, the training with a
 * line for each epoch, and the end with an error or without.
 *
 *     int main(int argc, char **argv)
 *     {
 *         image_job job = {.program = "mnist_mlp", .epochs = 5, .batch = 200, .rate = 1e-3,
 *                          .width = 784, .width_name = "hidden"};
 *         return image_job_main(&job, argc, argv, GR_SHAPE(IMAGE_PIXELS), run);
 *     }
 */
#ifndef EXAMPLES_SUPPORT_IMAGE_JOB_H
#define EXAMPLES_SUPPORT_IMAGE_JOB_H

#include "support/fashion_mnist.h"

#include "gradus/fit.h"

typedef struct image_job {
    const char *program;
    /* Options, set to their defaults before: --epochs, --batch, --lr, --seed, --threads, --limit (images to train on; 0:
       all), --data, --out, and --<width_name>. */
    int64_t epochs, batch, seed, threads, limit, width;
    double rate;
    const char *data, *out, *width_name;
    int64_t least_batch;
    /* What there is when `run` is called. */
    gr_graph *g;
    image_set set;
    gr_tensor x, labels; /* one batch: "images" and "labels" */
    gr_batches *train, *test;
    gr_history *history;
} image_job;

/* false, or an error of the graph: something went wrong, which for an error is not yet said. */
typedef bool image_job_run(image_job *job);

/* The whole program, and its exit status. image: the shape of one, of IMAGE_PIXELS elements. */
int image_job_main(image_job *job, int argc, char **argv, gr_shape image, image_job_run *run);

/* Trains by the plan, to which images, tests, accuracy and output are added. */
gr_status image_job_train(image_job *job, gr_fit_plan plan);

/* "1000 images to train on, 500 to test; batch 200, Adam 0.001, seed 1; 2 threads, avx2" and the end of the line. */
void image_job_describe(const image_job *job);

/* Seconds since any beginning. */
double image_job_seconds(void);

/* Says what has been drawn, or why not. */
void image_job_report_drawing(const image_job *job, const char *what, const char *path, bool drawn);

#endif
