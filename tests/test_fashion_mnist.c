/* The images of the examples: found in a directory of any name, compressed or not; made, and learnable. */
#include "gradus.h"
#include "support/fashion_mnist.h"
#include "test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                    "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

/* A directory whose name a careless command line would take apart. */
static char directory[] = "images 'of' \"$HOME\"; false XXXXXX";

static void write_idx(const char *name, const gr_idx *idx)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    CHECK(file);
    if (!file) return;
    const uint8_t magic[] = {0, 0, 8, (uint8_t)idx->shape.ndim};
    fwrite(magic, 1, sizeof magic, file);
    for (int i = 0; i < idx->shape.ndim; i++)
        for (int k = 24; k >= 0; k -= 8) fputc((int)(idx->shape.dims[i] >> k & 0xff), file);
    fwrite(idx->data, 1, (size_t)idx->count, file);
    fclose(file);
}

/* Compresses one file, or cuts off the end of a compressed one, inside the directory. */
static void run_inside(const char *command)
{
    char back[4096];
    CHECK(getcwd(back, sizeof back) && chdir(directory) == 0);
    CHECK(system(command) == 0);
    CHECK(chdir(back) == 0);
}

static bool same(const gr_idx *a, const gr_idx *b)
{
    return a->count > 0 && a->count == b->count && memcmp(&a->shape, &b->shape, sizeof a->shape) == 0 &&
           memcmp(a->data, b->data, (size_t)a->count) == 0;
}

static void check_load(const image_set *made)
{
    char message[IMAGE_SET_MESSAGE_BYTES] = "";
    gr_graph *g = gr_graph_create(NULL);
    image_set set;
    CHECK(image_set_load(g, directory, &set, message));
    CHECK(!*message);
    CHECK(same(&set.train_images, &made->train_images) && same(&set.train_labels, &made->train_labels));
    CHECK(same(&set.test_images, &made->test_images) && same(&set.test_labels, &made->test_labels));
    image_set_free(&set);
    gr_graph_destroy(g);
}

static void check_refused(const char *part)
{
    char message[IMAGE_SET_MESSAGE_BYTES] = "";
    gr_graph *g = gr_graph_create(NULL);
    image_set set;
    CHECK(!image_set_load(g, directory, &set, message));
    CHECK_TEXT(message, part);
    CHECK(gr_graph_status(g) == GR_OK && !set.train_images.data && !set.made);
    gr_graph_destroy(g);
}

static void loads_files(void)
{
    char message[IMAGE_SET_MESSAGE_BYTES];
    image_set made;
    CHECK(image_set_make(1, 50, 20, &made, message));
    CHECK(mkdtemp(directory));
    check_refused("there is no train-images-idx3-ubyte, with or without .gz");
    write_idx(names[0], &made.train_images);
    write_idx(names[1], &made.train_labels);
    write_idx(names[2], &made.test_images);
    check_refused("there is no t10k-labels-idx1-ubyte");
    write_idx(names[3], &made.test_labels);
    check_load(&made);
    run_inside("gzip train-images-idx3-ubyte t10k-labels-idx1-ubyte");
    check_load(&made); /* some compressed, some not */
    run_inside("gzip train-labels-idx1-ubyte t10k-images-idx3-ubyte");
    check_load(&made);
    run_inside("head -c 1000 train-images-idx3-ubyte.gz > cut && mv cut train-images-idx3-ubyte.gz");
    check_refused("is truncated");
    write_idx(names[0], &made.test_images); /* found before the compressed one; not as many as labels */
    check_refused("not images of 28 x 28");
    run_inside("rm -f train-* t10k-*");
    CHECK(rmdir(directory) == 0);
    image_set_free(&made);
}

static void makes_what_a_seed_says(void)
{
    char message[IMAGE_SET_MESSAGE_BYTES] = "";
    image_set a, b, c;
    CHECK(image_set_make(5, 300, 100, &a, message) && image_set_make(5, 300, 100, &b, message));
    CHECK(image_set_make(6, 300, 100, &c, message));
    CHECK(same(&a.train_images, &b.train_images) && same(&a.test_labels, &b.test_labels));
    CHECK(!same(&a.train_images, &c.train_images));
    int counts[IMAGE_CLASSES] = {0};
    for (int i = 0; i < 300; i++) counts[a.train_labels.data[i]]++;
    for (int i = 0; i < IMAGE_CLASSES; i++) CHECK(counts[i] > 10);
    CHECK(!*message);
    image_set_free(&a);
    image_set_free(&b);
    image_set_free(&c);
    CHECK(!image_set_make(5, 0, 1, &b, message) && *message && !b.made);
    CHECK(!image_set_make(5, 1, INT64_MAX, &c, message) && !c.made);
}

/* The class whose mean image is nearest: the least that a model can learn. */
static int nearest(double (*mean)[IMAGE_PIXELS], const uint8_t *image)
{
    int best = 0;
    double least = INFINITY;
    for (int c = 0; c < IMAGE_CLASSES; c++) {
        double distance = 0;
        for (int k = 0; k < IMAGE_PIXELS; k++) distance += (image[k] - mean[c][k]) * (image[k] - mean[c][k]);
        if (distance < least) least = distance, best = c;
    }
    return best;
}

static void makes_what_can_be_learnt(void)
{
    enum { TRAIN = 1000, TEST = 500 };
    static double mean[IMAGE_CLASSES][IMAGE_PIXELS];
    char message[IMAGE_SET_MESSAGE_BYTES];
    for (uint64_t seed = 0; seed < 3; seed++) {
        image_set set;
        double n[IMAGE_CLASSES] = {0};
        int right = 0;
        memset(mean, 0, sizeof mean);
        CHECK(image_set_make(seed, TRAIN, TEST, &set, message));
        for (int i = 0; i < TRAIN; i++) n[set.train_labels.data[i]]++;
        for (int i = 0; i < TRAIN * IMAGE_PIXELS; i++) {
            const int class = set.train_labels.data[i / IMAGE_PIXELS];
            mean[class][i % IMAGE_PIXELS] += set.train_images.data[i] / n[class];
        }
        for (int i = 0; i < TEST; i++)
            right += nearest(mean, set.test_images.data + i * IMAGE_PIXELS) == set.test_labels.data[i];
        CHECK(right > TEST / 2 && right < TEST);
        if (getenv("GRADUS_VERBOSE"))
            printf("seed %d: %d of %d by the nearest mean\n", (int)seed, right, TEST);
        image_set_free(&set);
    }
}

int main(void)
{
    RUN(loads_files);
    RUN(makes_what_a_seed_says);
    RUN(makes_what_can_be_learnt);
    return TEST_EXIT;
}
