/*
 * Shuffled mini-batches.
 *
 * Invariant: while `position` > 0, `order` is the order of `epoch`, and its first `position` samples have
 * been handed out. Nothing else decides about the order: not what was drawn before, not the machine.
 */
#include "gradus/io.h"
#include "base/random.h"
#include "io/batches.h"
#include "graph/graph.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { TEXT_BYTES = 256 };

struct gr_batches {
    gr_graph *graph;
    const uint8_t *images, *labels;
    int64_t n, features, batch, position;
    uint64_t seed, epoch;
    double scale;
    bool in_order, drop_last;
    uint32_t order[]; /* n of them */
};

/* ---- The order of an epoch ---- */

/* Keeps these streams apart from those that operations draw from a graph of the same seed. */
static const uint64_t shuffle_key = UINT64_C(0x6a09e667f3bcc908); /* the fraction of sqrt(2) */

/* The words of the blocks (epoch, 0), (epoch, 1), ... of a seed. */
typedef struct words {
    uint64_t seed, block;
    uint32_t word[4];
    int used;
} words;

static uint32_t next_word(words *w)
{
    if (w->used == 4) {
        gri_philox(w->seed, w->block++, w->word);
        w->used = 0;
    }
    return w->word[w->used++];
}

/* A number below `bound`, all equally likely: of the 2^32 words the first 2^32 mod bound are drawn anew. */
static uint32_t below(words *w, uint32_t bound)
{
    const uint32_t surplus = (uint32_t)(0 - bound) % bound;
    uint32_t word = next_word(w);
    while (word < surplus) word = next_word(w);
    return word % bound;
}

static void set_order(gr_batches *b)
{
    for (int64_t i = 0; i < b->n; i++) b->order[i] = (uint32_t)i;
    if (b->in_order) return;
    words w = {.seed = b->seed ^ shuffle_key, .block = b->epoch << 32, .used = 4};
    for (int64_t i = b->n - 1; i > 0; i--) {
        const uint32_t j = below(&w, (uint32_t)i + 1), t = b->order[i];
        b->order[i] = b->order[j];
        b->order[j] = t;
    }
}

/* ---- Making ---- */

/* Whether a user's structure holds together. */
static bool is_sound(const gr_idx *idx)
{
    int64_t count;
    return idx && idx->data && idx->shape.ndim >= 1 && idx->shape.ndim <= GR_MAX_NDIM &&
           gri_count(idx->shape.ndim, idx->shape.dims, GR_BOOL, &count) && count == idx->count;
}

static gr_status check_set(gr_graph *g, const gr_idx *images, const gr_idx *labels)
{
    if (!is_sound(images) || !is_sound(labels))
        return gri_fail(g, GR_ERR_ARGUMENT, "batches_create: the %s are not what gr_idx_read returns",
                        is_sound(images) ? "labels" : "images");
    char a[TEXT_BYTES], b[TEXT_BYTES];
    gri_describe_shape(a, sizeof a, images->shape.ndim, images->shape.dims);
    gri_describe_shape(b, sizeof b, labels->shape.ndim, labels->shape.dims);
    if (images->count == 0 || images->shape.dims[0] > UINT32_MAX)
        return gri_fail(g, GR_ERR_SHAPE,
                        "batches_create: images %s: needs 1 to 2^32 - 1 images of at least one byte", a);
    if (labels->shape.ndim != 1 || labels->shape.dims[0] != images->shape.dims[0])
        return gri_fail(g, GR_ERR_SHAPE, "batches_create: labels %s for images %s: needs one label per image",
                        b, a);
    return GR_OK;
}

gr_batches *gr_batches_create(gr_graph *g, const gr_idx *images, const gr_idx *labels, int64_t batch,
                              uint64_t seed, const gr_batches_options *options)
{
    const gr_batches_options o = options ? *options : (gr_batches_options){0};
    if (!g || g->status != GR_OK || check_set(g, images, labels) != GR_OK) return NULL;
    const int64_t n = images->shape.dims[0];
    if (batch < 1 || (o.drop_last && batch > n) || !isfinite(o.scale)) {
        gri_fail(g, GR_ERR_ARGUMENT, "batches_create: batch %" PRId64 " of %" PRId64 " samples%s, scale %g",
                 batch, n, o.drop_last ? ", incomplete ones dropped" : "", o.scale);
        return NULL;
    }
    size_t bytes;
    if (!gri_mul_size((size_t)n, sizeof(uint32_t), &bytes) ||
        !gri_add_size(bytes, sizeof(gr_batches), &bytes)) {
        gri_fail(g, GR_ERR_OVERFLOW, "batches_create: %" PRId64 " samples", n);
        return NULL;
    }
    gr_batches *b = gri_own(g, "batches_create", bytes);
    if (!b) return NULL;
    *b = (gr_batches){.graph = g,
                      .images = images->data,
                      .labels = labels->data,
                      .n = n,
                      .features = images->count / n,
                      .batch = batch,
                      .seed = seed,
                      .scale = o.scale != 0 ? o.scale : 1.0 / UINT8_MAX,
                      .in_order = o.in_order,
                      .drop_last = o.drop_last};
    return b;
}

/* ---- Handing out ---- */

static gr_status check_targets(const gr_batches *b, gr_tensor x, gr_tensor labels)
{
    const char *what = "batches_next";
    const gri_node *to_x = gri_resolve(x, what), *to_labels = gri_resolve(labels, what);
    if (x.graph != b->graph || labels.graph != b->graph)
        return gri_fail(b->graph, GR_ERR_GRAPH, "%s: tensors of another graph than that of the batches",
                        what);
    if (!to_x || !to_labels) return b->graph->status;
    char text[TEXT_BYTES];
    const gr_array *ax = &to_x->array, *al = &to_labels->array;
    if (!gr_type_is_float(ax->type) || al->type != GR_I32) {
        const bool x_fits = gr_type_is_float(ax->type);
        gri_describe(text, sizeof text, x_fits ? to_labels : to_x, true);
        return gri_fail(b->graph, GR_ERR_TYPE, "%s: %s: expected %s", what, text,
                        x_fits ? "i32 for the labels" : "f32 or f64 for the images");
    }
    if (ax->ndim < 1 || ax->dims[0] != b->batch || ax->count / b->batch != b->features) {
        gri_describe(text, sizeof text, to_x, false);
        return gri_fail(b->graph, GR_ERR_SHAPE, "%s: %s: expected [%" PRId64 ", %" PRId64 "] for the images",
                        what, text, b->batch, b->features);
    }
    if (al->ndim != 1 || al->dims[0] != b->batch) {
        gri_describe(text, sizeof text, to_labels, false);
        return gri_fail(b->graph, GR_ERR_SHAPE, "%s: %s: expected [%" PRId64 "] for the labels", what, text,
                        b->batch);
    }
    return GR_OK;
}

/* Rounded once, from the product in double: the byte 255 at scale 1/255 is 1. */
#define WRITE_IMAGES(NAME, TYPE)                                                                \
    static void NAME(const gr_batches *b, int64_t m, TYPE *to)                                  \
    {                                                                                           \
        const double scale = b->scale;                                                          \
        for (int64_t i = 0; i < m; i++) {                                                       \
            const uint8_t *from = b->images + (int64_t)b->order[b->position + i] * b->features; \
            for (int64_t k = 0; k < b->features; k++) *to++ = (TYPE)(scale * from[k]);          \
        }                                                                                       \
        for (int64_t k = m * b->features; k < b->batch * b->features; k++) *to++ = 0;           \
    }
WRITE_IMAGES(write_images_f32, float)
WRITE_IMAGES(write_images_f64, double)

static void write_labels(const gr_batches *b, int64_t m, int32_t *to)
{
    for (int64_t i = 0; i < m; i++) to[i] = b->labels[b->order[b->position + i]];
    for (int64_t i = m; i < b->batch; i++) to[i] = -1;
}

int64_t gr_batches_next(gr_batches *b, gr_tensor x, gr_tensor labels)
{
    if (!b || b->graph->status != GR_OK || check_targets(b, x, labels) != GR_OK) return -1;
    const int64_t left = b->n - b->position;
    if (left == 0 || (b->drop_last && left < b->batch)) {
        gr_batches_start(b, (b->epoch + 1) & UINT32_MAX);
        return 0;
    }
    void *to_x = gr_data_for_writing(x);
    int32_t *to_labels = gr_data_for_writing(labels);
    if (!to_x || !to_labels) return -1;
    if (b->position == 0) set_order(b);
    const int64_t m = left < b->batch ? left : b->batch;
    if (gr_type_of(x) == GR_F32)
        write_images_f32(b, m, to_x);
    else
        write_images_f64(b, m, to_x);
    write_labels(b, m, to_labels);
    b->position += m;
    return m;
}

gr_status gr_batches_start(gr_batches *b, uint64_t epoch)
{
    if (!b) return GR_ERR_HANDLE;
    if (b->graph->status != GR_OK) return b->graph->status;
    if (epoch > UINT32_MAX)
        return gri_fail(b->graph, GR_ERR_ARGUMENT,
                        "batches_start: epoch %" PRIu64 ", expected one below 2^32", epoch);
    b->epoch = epoch;
    b->position = 0;
    return GR_OK;
}

gr_batches_state gr_batches_get(const gr_batches *b)
{
    if (!b) return (gr_batches_state){0};
    return (gr_batches_state){.seed = b->seed,
                              .epoch = b->epoch,
                              .position = b->position,
                              .samples = b->n,
                              .batch = b->batch,
                              .in_order = b->in_order,
                              .drop_last = b->drop_last};
}

gr_status gri_batches_check(const gr_batches *b, const char *call, const gr_batches_state *s)
{
    gr_graph *g = b->graph;
    if (s->samples != b->n || s->batch != b->batch)
        return gri_fail(g, GR_ERR_ARGUMENT,
                        "%s: the state of batches of %" PRId64 " of %" PRId64 " samples, expected %" PRId64
                        " of %" PRId64,
                        call, s->batch, s->samples, b->batch, b->n);
    if (s->in_order != b->in_order || s->drop_last != b->drop_last)
        return gri_fail(g, GR_ERR_ARGUMENT,
                        "%s: the state of batches with in_order %d and drop_last %d, expected %d and %d",
                        call, s->in_order, s->drop_last, b->in_order, b->drop_last);
    const bool between = s->position >= 0 && s->position <= b->n &&
                         (s->position % b->batch == 0 || (s->position == b->n && !b->drop_last));
    if (s->epoch <= UINT32_MAX && between) return GR_OK;
    return gri_fail(g, GR_ERR_ARGUMENT,
                    "%s: no batch begins at sample %" PRId64 " of epoch %" PRIu64
                    ", expected a multiple of %" PRId64 " up to %" PRId64 ", in an epoch below 2^32",
                    call, s->position, s->epoch, b->batch, b->n);
}

gr_status gr_batches_set(gr_batches *b, gr_batches_state state)
{
    if (!b) return GR_ERR_HANDLE;
    if (b->graph->status != GR_OK) return b->graph->status;
    const gr_status status = gri_batches_check(b, "batches_set", &state);
    if (status != GR_OK) return status;
    b->seed = state.seed;
    b->epoch = state.epoch;
    b->position = state.position;
    if (b->position > 0) set_order(b);
    return GR_OK;
}

gr_graph *gri_batches_graph(const gr_batches *b) { return b->graph; }

uint64_t gr_batches_epoch(const gr_batches *b) { return b ? b->epoch : 0; }

int64_t gr_batches_per_epoch(const gr_batches *b)
{
    if (!b) return 0;
    return b->n / b->batch + (!b->drop_last && b->n % b->batch != 0);
}
