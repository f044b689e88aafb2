/* Finds, reads and checks Fashion-MNIST; makes images where it is not there. */
#include "support/fashion_mnist.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, N_FILES = 4 };

/* ---- Files ---- */

static const char *const file_names[N_FILES] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                                "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

/* Writes the message, as much of it as there is room for, and returns false. */
static bool fail(char *message, const char *format, ...) GR_PRINTF(2, 3);
static bool fail(char *message, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, IMAGE_SET_MESSAGE_BYTES, format, arguments);
    va_end(arguments);
    return false;
}

/* The path of a file of the set, with .gz if only that is there; false if neither can be read. */
static bool find_file(const char *directory, const char *name, char path[PATH_BYTES], bool *compressed)
{
    for (int gz = 0; gz < 2; gz++) {
        const int n = snprintf(path, PATH_BYTES, "%s/%s%s", directory, name, gz ? ".gz" : "");
        *compressed = gz;
        if (n > 0 && n < PATH_BYTES && access(path, R_OK) == 0) return true;
    }
    return false;
}

/* "gzip -dc -- 'path'", in a form that the shell takes literally: ' becomes '\''. */
static bool unzip_command(const char *path, char command[PATH_BYTES])
{
    size_t n = (size_t)snprintf(command, PATH_BYTES, "gzip -dc -- '");
    for (; *path; path++) {
        const char *text = *path == '\'' ? "'\\''" : (const char[]){*path, '\0'};
        const size_t length = strlen(text);
        if (n + length + sizeof "'" > PATH_BYTES) return false;
        memcpy(command + n, text, length);
        n += length;
    }
    memcpy(command + n, "'", sizeof "'");
    return true;
}

static bool read_compressed(gr_graph *g, const char *path, gr_idx *idx, char *message)
{
    char command[PATH_BYTES];
    if (!unzip_command(path, command)) return fail(message, "%s: the path is too long", path);
    FILE *stream = popen(command, "r");
    if (!stream) return fail(message, "%s: cannot run %s", path, command);
    const gr_status status = gr_idx_read(g, stream, path, idx);
    const int ended = pclose(stream);
    if (status != GR_OK) return fail(message, "%s", gr_graph_error(g));
    return ended == 0 || fail(message, "%s: %s failed", path, command);
}

static bool read_one(gr_graph *g, const char *directory, const char *name, gr_idx *idx, char *message)
{
    char path[PATH_BYTES];
    bool compressed;
    if (!find_file(directory, name, path, &compressed))
        return fail(message, "%s: there is no %s, with or without .gz", directory, name);
    if (compressed) return read_compressed(g, path, idx, message);
    return gr_idx_read_file(g, path, idx) == GR_OK || fail(message, "%s", gr_graph_error(g));
}

/* Whether these are images of the right size and as many labels of the right range. */
static bool fits(const gr_idx *images, const gr_idx *labels)
{
    const gr_shape *s = &images->shape;
    if (s->ndim != 3 || s->dims[0] < 1 || s->dims[1] != IMAGE_SIDE || s->dims[2] != IMAGE_SIDE) return false;
    if (labels->shape.ndim != 1 || labels->count != s->dims[0]) return false;
    for (int64_t i = 0; i < labels->count; i++)
        if (labels->data[i] >= IMAGE_CLASSES) return false;
    return true;
}

static bool load_from(gr_graph *g, const char *directory, image_set *set, char *message)
{
    gr_idx *const parts[N_FILES] = {&set->train_images, &set->train_labels, &set->test_images,
                                    &set->test_labels};
    for (int i = 0; i < N_FILES; i++)
        if (!read_one(g, directory, file_names[i], parts[i], message)) return false;
    if (!fits(&set->train_images, &set->train_labels) || !fits(&set->test_images, &set->test_labels))
        return fail(message, "%s: not images of 28 x 28 pixels with one label from 0 to 9 each", directory);
    return true;
}

bool image_set_load(gr_graph *g, const char *data, image_set *set, char *message)
{
    static const char *const places[] = {"/usr/share/datasets/fashion-mnist", "data/fashion-mnist"};
    const char *directory = data;
    char path[PATH_BYTES];
    bool compressed;
    memset(set, 0, sizeof *set);
    for (size_t i = 0; !directory && i < sizeof places / sizeof *places; i++)
        if (find_file(places[i], file_names[0], path, &compressed)) directory = places[i];
    if (!directory)
        return fail(message,
                    "Fashion-MNIST is neither in %s (Debian package dataset-fashion-mnist) nor in ./%s",
                    places[0], places[1]);
    if (load_from(g, directory, set, message)) return true;
    gr_graph_clear_error(g);
    memset(set, 0, sizeof *set);
    return false;
}

/* ---- Images made here ---- */

enum { BLOBS = 5, MARGIN = 3, WIDE = IMAGE_SIDE + 2 * MARGIN };

/* One pattern per class, wider than an image so that it can be shifted. */
typedef struct patterns {
    double at[IMAGE_CLASSES][WIDE][WIDE];
} patterns;

/* SplitMix64 (Steele, Lea, Flood, 2014): a number in [0, 1) with 53 random bits. */
static double draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static int draw_below(uint64_t *state, int bound) { return (int)(draw(state) * bound); }

static void add_blob(double pattern[WIDE][WIDE], double row, double column, double radius, double height)
{
    for (int i = 0; i < WIDE; i++) {
        for (int k = 0; k < WIDE; k++) {
            const double di = (i - row) / radius, dk = (k - column) / radius, fall = 1 + di * di + dk * dk;
            pattern[i][k] += height / (fall * fall);
        }
    }
}

static void make_patterns(patterns *p, uint64_t *state)
{
    memset(p, 0, sizeof *p);
    for (int c = 0; c < IMAGE_CLASSES; c++) {
        for (int b = 0; b < BLOBS; b++) {
            const double row = 2 * MARGIN + draw(state) * (WIDE - 4 * MARGIN);
            const double column = 2 * MARGIN + draw(state) * (WIDE - 4 * MARGIN);
            const double radius = 2 + 3 * draw(state);
            add_blob(p->at[c], row, column, radius, 0.5 + 0.5 * draw(state));
        }
    }
}

static void make_image(const patterns *p, int class, uint64_t *state, uint8_t *to)
{
    const int other = (class + 1 + draw_below(state, IMAGE_CLASSES - 1)) % IMAGE_CLASSES;
    const int down = draw_below(state, 2 * MARGIN + 1), right = draw_below(state, 2 * MARGIN + 1);
    const double light = 0.6 + 0.4 * draw(state), ghost = 0.4 * draw(state);
    for (int i = 0; i < IMAGE_SIDE; i++) {
        for (int k = 0; k < IMAGE_SIDE; k++) {
            const double noise = 0.5 * (draw(state) - 0.5);
            const double seen = light * p->at[class][i + down][k + right] +
                                ghost * p->at[other][i + right][k + down] + noise;
            *to++ = (uint8_t)(255 * (seen < 0 ? 0 : seen > 1 ? 1 : seen));
        }
    }
}

static void make_part(const patterns *p, int64_t n, uint64_t *state, uint8_t *bytes, gr_idx *images,
                      gr_idx *labels)
{
    uint8_t *classes = bytes + n * IMAGE_PIXELS;
    for (int64_t i = 0; i < n; i++) {
        classes[i] = (uint8_t)draw_below(state, IMAGE_CLASSES);
        make_image(p, classes[i], state, bytes + i * IMAGE_PIXELS);
    }
    *images = (gr_idx){GR_SHAPE(n, IMAGE_SIDE, IMAGE_SIDE), n * IMAGE_PIXELS, bytes};
    *labels = (gr_idx){GR_SHAPE(n), n, classes};
}

bool image_set_make(uint64_t seed, int64_t n_train, int64_t n_test, image_set *set, char *message)
{
    const int64_t each = IMAGE_PIXELS + 1, most = INT64_MAX / 2 / each;
    memset(set, 0, sizeof *set);
    if (n_train < 1 || n_test < 1 || n_train > most || n_test > most)
        return fail(message, "cannot make images: their numbers are out of range");
    uint8_t *bytes = malloc((size_t)((n_train + n_test) * each));
    patterns *p = malloc(sizeof *p);
    if (bytes && p) {
        make_patterns(p, &seed);
        make_part(p, n_train, &seed, bytes, &set->train_images, &set->train_labels);
        make_part(p, n_test, &seed, bytes + n_train * each, &set->test_images, &set->test_labels);
        set->made = bytes;
    } else {
        free(bytes);
        fail(message, "cannot make images: not enough memory");
    }
    free(p);
    return set->made;
}

/* Keeps the first n samples. */
static void shorten(gr_idx *images, gr_idx *labels, int64_t n)
{
    if (n >= labels->count) return;
    images->count = images->count / labels->count * n;
    images->shape.dims[0] = labels->shape.dims[0] = labels->count = n;
}

bool image_set_obtain(gr_graph *g, const char *program, const char *data, uint64_t seed, int64_t limit,
                      image_set *set)
{
    enum { MADE_TRAIN = 10000, MADE_TEST = 2000 };
    char message[IMAGE_SET_MESSAGE_BYTES] = "no data wanted";
    const bool wanted = !data || strcmp(data, "none") != 0;
    bool there = wanted && image_set_load(g, data, set, message);
    if (!there && !(wanted && data)) {
        printf("%s: training on images that this program makes itself\n", message);
        there = image_set_make(seed, MADE_TRAIN, MADE_TEST, set, message);
    }
    if (!there) fprintf(stderr, "%s: %s\n", program, message);
    if (there && limit) shorten(&set->train_images, &set->train_labels, limit);
    return there;
}

void image_set_free(image_set *set)
{
    free(set->made);
    memset(set, 0, sizeof *set);
}
