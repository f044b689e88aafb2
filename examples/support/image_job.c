#include "support/image_job.h"
#include "support/options.h"

#include <gradus.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double image_job_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void image_job_report_drawing(const image_job *job, const char *what, const char *path, bool drawn)
{
    if (drawn)
        printf("%s: %s\n", what, path);
    else
        fprintf(stderr, "%s: cannot draw %s: %s\n", job->program, path, strerror(errno));
}

void image_job_describe(const image_job *job)
{
    printf("%lld images to train on, %lld to test; batch %lld, Adam %g, seed %lld; %d threads, %s\n",
           (long long)job->set.train_labels.count, (long long)job->set.test_labels.count,
           (long long)job->batch, job->rate, (long long)job->seed, gr_graph_threads(job->g),
           gr_graph_isa(job->g));
    fflush(stdout);
}

/* ---- Training ---- */

static gr_fit_verdict print_epoch(const gr_fit_event *e, const image_job *job)
{
    const gr_history *h = e->history;
    printf("epoch %lld/%lld  train loss %.9g  test loss %.9g  test accuracy %.2f %%  %.0f images/s\n",
           (long long)e->epoch, (long long)job->epochs, e->loss, gr_history_last(h, "val_loss"),
           100 * gr_history_last(h, "val_accuracy"), (double)e->examples / gr_history_last(h, "seconds"));
    fflush(stdout);
    return GR_FIT_GO_ON;
}

/* A plan has one `user`, that of the program, of which the job is the beginning. */
static gr_fit_verdict on_epoch(const gr_fit_event *e, void *user) { return print_epoch(e, user); }

gr_status image_job_train(image_job *job, gr_fit_plan plan)
{
    const gr_metric accuracy = gr_metric_accuracy();
    plan.user = job;
    plan.train = job->train;
    plan.validation = job->test;
    plan.inputs = job->x;
    plan.targets = job->labels;
    plan.n_metrics = 1;
    plan.metrics = &accuracy;
    plan.on_epoch = on_epoch;
    plan.progress = gr_stream_writer;
    plan.progress_user = stdout;
    plan.terminal = isatty(STDOUT_FILENO);
    plan.bar_only = true;
    return job->epochs > 0 ? gr_fit(job->g, &plan, job->epochs, job->history) : GR_OK;
}

/* ---- The whole ---- */

static bool read_options(image_job *job, int argc, char **argv)
{
    job->seed = 1;
    job->threads = gr_processor_count();
    job->out = ".";
    const option options[] = {
        {"epochs", "N", .count = &job->epochs},
        {job->width_name, "N", .count = &job->width, .least = 1},
        {"lr", "RATE", .number = &job->rate},
        {"batch", "N", .count = &job->batch, .least = job->least_batch > 1 ? (double)job->least_batch : 1},
        {"seed", "N", .count = &job->seed},
        {"threads", "N", .count = &job->threads, .least = 1},
        {"data", "DIR", .text = &job->data},
        {"limit", "N", .count = &job->limit, .least = job->least_batch > 1 ? (double)job->least_batch : 1},
        {"out", "DIR", .text = &job->out},
    };
    return options_read(job->program, argc, argv, (int)(sizeof options / sizeof *options), options);
}

static void make_batches(image_job *job, gr_shape image)
{
    const uint64_t seed = (uint64_t)job->seed;
    gr_shape shape = {.ndim = image.ndim + 1, .dims = {job->batch}};
    memcpy(shape.dims + 1, image.dims, (size_t)image.ndim * sizeof *image.dims);
    job->x = gr_named(gr_constant(job->g, GR_F32, shape, NULL), "images");
    job->labels = gr_named(gr_constant(job->g, GR_I32, GR_SHAPE(job->batch), NULL), "labels");
    job->train = gr_batches_create(job->g, &job->set.train_images, &job->set.train_labels, job->batch, seed,
                                   NULL);
    job->test = gr_batches_create(job->g, &job->set.test_images, &job->set.test_labels, job->batch, seed,
                                  &(gr_batches_options){.in_order = true});
    job->history = gr_history_create(job->g);
}

int image_job_main(image_job *job, int argc, char **argv, gr_shape image, image_job_run *run)
{
    if (!read_options(job, argc, argv)) return 2;
    job->g = gr_graph_create(&(gr_graph_options){.threads = (int)job->threads, .seed = (uint64_t)job->seed});
    if (!job->g) {
        fprintf(stderr, "%s: no memory for a graph\n", job->program);
        return 1;
    }
    bool fine = image_set_obtain(job->g, job->program, job->data, (uint64_t)job->seed, job->limit, &job->set);
    if (fine) {
        make_batches(job, image);
        fine = gr_graph_status(job->g) == GR_OK && run(job);
        if (gr_graph_status(job->g) != GR_OK)
            fprintf(stderr, "%s: %s\n", job->program, gr_graph_error(job->g));
    }
    fine = fine && gr_graph_status(job->g) == GR_OK;
    image_set_free(&job->set);
    gr_graph_destroy(job->g);
    return fine ? 0 : 1;
}
