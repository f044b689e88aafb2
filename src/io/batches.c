/*
 * Shuffled mini-batches.
 *
 * Invariant: while `position` > 0, `order` is the order of `epoch`, and its first `position` samples have
 * been handed out. Nothing else decides about the order: not what was drawn before, not the machine.
 */
#include "gradus/io.h"
#include "gradus/movement.h"
#include "base/random.h"
#include "io/batches.h"
#include "graph/graph.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { TEXT_BYTES = 256 };

/* What one sample has on one side: the elements, which live as long as the batches. */
typedef struct side {
    const uint8_t *data;
    gr_type type;    /* of the elements that are handed out */
    gr_shape shape;  /* of a sample */
    int64_t count;   /* elements of a sample */
    size_t row;      /* bytes from one sample to the next */
    const char *one; /* what messages call it */
} side;

struct gr_batches {
    gr_graph *graph;
    side inputs, targets;
    bool bytes;                        /* of a gr_idx, to be scaled; else elements are copied as they are */
    int64_t first, n, batch, position; /* samples first to first + n - 1 of the set */
    uint64_t seed, epoch;
    double scale;
    bool in_order, drop_last;
    uint32_t order[]; /* n of them, from 0 */
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

/* As `like`, with an order of its own, at the start of epoch 0. `what` names the call. */
static gr_batches *make(const char *what, const gr_batches *like)
{
    gr_graph *g = like->graph;
    if (like->batch < 1 || (like->drop_last && like->batch > like->n) || !isfinite(like->scale)) {
        gri_fail(g, GR_ERR_ARGUMENT, "%s: batch %" PRId64 " of %" PRId64 " samples%s, scale %g", what,
                 like->batch, like->n, like->drop_last ? ", incomplete ones dropped" : "", like->scale);
        return NULL;
    }
    size_t bytes;
    if (!gri_mul_size((size_t)like->n, sizeof(uint32_t), &bytes) ||
        !gri_add_size(bytes, sizeof(gr_batches), &bytes)) {
        gri_fail(g, GR_ERR_OVERFLOW, "%s: %" PRId64 " samples", what, like->n);
        return NULL;
    }
    gr_batches *b = gri_own(g, what, bytes);
    if (!b) return NULL;
    *b = *like;
    b->position = 0;
    b->epoch = 0;
    return b;
}

/* The shape of one of so many. */
static gr_shape of_sample(gr_shape set)
{
    gr_shape shape = {.ndim = set.ndim - 1};
    memcpy(shape.dims, set.dims + 1, (size_t)shape.ndim * sizeof *shape.dims);
    return shape;
}

static side side_of_bytes(const gr_idx *idx, gr_type type, const char *one)
{
    const int64_t count = idx->count / idx->shape.dims[0];
    return (side){.data = idx->data,
                  .type = type,
                  .shape = of_sample(idx->shape),
                  .count = count,
                  .row = (size_t)count,
                  .one = one};
}

gr_batches *gr_batches_create(gr_graph *g, const gr_idx *images, const gr_idx *labels, int64_t batch,
                              uint64_t seed, const gr_batches_options *options)
{
    const gr_batches_options o = options ? *options : (gr_batches_options){0};
    if (!g || g->status != GR_OK || check_set(g, images, labels) != GR_OK) return NULL;
    return make("batches_create", &(gr_batches){.graph = g,
                                                .inputs = side_of_bytes(images, GR_F32, "images"),
                                                .targets = side_of_bytes(labels, GR_I32, "labels"),
                                                .bytes = true,
                                                .n = images->shape.dims[0],
                                                .batch = batch,
                                                .seed = seed,
                                                .scale = o.scale != 0 ? o.scale : 1.0 / UINT8_MAX,
                                                .in_order = o.in_order,
                                                .drop_last = o.drop_last});
}

/* ---- Of tensors ---- */

static gr_status check_tensors(gr_graph *g, const gr_tensor t[2], const gr_batches_options *o)
{
    const char *what = "batches_create_tensors";
    const gri_node *node[2];
    for (int i = 0; i < 2; i++) {
        if (t[i].graph && t[i].graph != g)
            return gri_fail(g, GR_ERR_GRAPH, "%s: the %s belong to another graph", what,
                            i ? "targets" : "inputs");
        if (!t[i].graph)
            return gri_fail(g, GR_ERR_HANDLE, "%s: the %s are an invalid handle", what,
                            i ? "targets" : "inputs");
        if (!(node[i] = gri_resolve(t[i], what))) return g->status;
    }
    char a[TEXT_BYTES], b[TEXT_BYTES];
    gri_describe(a, sizeof a, node[0], false);
    gri_describe(b, sizeof b, node[1], false);
    const gr_array *inputs = &node[0]->array, *targets = &node[1]->array;
    if (inputs->count == 0 || inputs->ndim < 1 || inputs->dims[0] > UINT32_MAX)
        return gri_fail(g, GR_ERR_SHAPE, "%s: inputs %s: needs 1 to 2^32 - 1 samples of at least one element",
                        what, a);
    if (targets->count == 0 || targets->ndim < 1 || targets->dims[0] != inputs->dims[0])
        return gri_fail(g, GR_ERR_SHAPE, "%s: targets %s for inputs %s: needs one target per sample", what, b,
                        a);
    if (o->scale == 0) return GR_OK;
    return gri_fail(g, GR_ERR_ARGUMENT, "%s: scale %g is for bytes; tensors are handed out as they are", what,
                    o->scale);
}

/* The elements as they are now, in order, as a kept tensor that nobody else has a handle of. */
static gr_tensor keep_elements(gr_tensor t)
{
    const gr_scope scope = gr_scope_begin(t.graph);
    const gr_tensor kept = gr_keep(gr_contiguous(t));
    gr_scope_end(scope, 0, NULL);
    return kept;
}

static side side_of_tensor(gr_tensor t, const char *one)
{
    const gr_array *a = &gri_lookup(t.graph, t.index, t.generation)->array;
    const int64_t count = a->count / a->dims[0];
    gr_shape set = {.ndim = a->ndim};
    memcpy(set.dims, a->dims, (size_t)a->ndim * sizeof *set.dims);
    return (side){.data = a->data,
                  .type = a->type,
                  .shape = of_sample(set),
                  .count = count,
                  .row = (size_t)count * gri_element_bytes(a->type),
                  .one = one};
}

gr_batches *gr_batches_create_tensors(gr_graph *g, gr_tensor inputs, gr_tensor targets, int64_t batch,
                                      uint64_t seed, const gr_batches_options *options)
{
    const gr_batches_options o = options ? *options : (gr_batches_options){0};
    const gr_tensor given[] = {inputs, targets};
    if (!g || g->status != GR_OK || check_tensors(g, given, &o) != GR_OK) return NULL;
    gr_tensor kept[2] = {keep_elements(inputs), gri_invalid(g)};
    if (kept[0].index) kept[1] = keep_elements(targets);
    gr_batches *b = NULL;
    if (kept[1].index)
        b = make("batches_create_tensors", &(gr_batches){.graph = g,
                                                         .inputs = side_of_tensor(kept[0], "inputs"),
                                                         .targets = side_of_tensor(kept[1], "targets"),
                                                         .n = gr_dim(kept[0], 0),
                                                         .batch = batch,
                                                         .seed = seed,
                                                         .in_order = o.in_order,
                                                         .drop_last = o.drop_last});
    for (int i = 0; i < 2 && !b; i++)
        if (kept[i].index) gr_release(kept[i]);
    return b;
}

gr_batches *gr_batches_split(gr_batches *b, double fraction)
{
    const char *what = "batches_split";
    if (!b || b->graph->status != GR_OK) return NULL;
    const double taken = fraction >= 0 && fraction <= 1 ? round(fraction * (double)b->n) : 0;
    gr_batches rest = *b, left = *b;
    rest.n = (int64_t)taken;
    left.n -= rest.n;
    if (rest.n < 1 || left.n < 1) {
        gri_fail(b->graph, GR_ERR_ARGUMENT,
                 "%s: fraction %g of %" PRId64 " samples, expected one that leaves samples on both sides",
                 what, fraction, b->n);
        return NULL;
    }
    if (b->position > 0 || b->epoch > 0 || (left.drop_last && left.batch > left.n)) {
        gri_fail(b->graph, b->position > 0 || b->epoch > 0 ? GR_ERR_STATE : GR_ERR_ARGUMENT,
                 b->position > 0 || b->epoch > 0
                     ? "%s: some batches have been handed out"
                     : "%s: no complete batch would be left, and incomplete ones are dropped",
                 what);
        return NULL;
    }
    rest.first += left.n;
    rest.in_order = true;
    rest.drop_last = false;
    gr_batches *made = make(what, &rest);
    if (made) b->n = left.n;
    return made;
}

static gr_shape shape_of_batch(const gr_batches *b, const side *s)
{
    gr_shape shape = {.ndim = s->shape.ndim + 1, .dims = {b->batch}};
    memcpy(shape.dims + 1, s->shape.dims, (size_t)s->shape.ndim * sizeof *shape.dims);
    return shape;
}

gr_status gr_batches_leaves(gr_batches *b, gr_tensor *inputs, gr_tensor *targets)
{
    if (!b) return GR_ERR_HANDLE;
    gr_graph *g = b->graph;
    *inputs = *targets = gri_invalid(g);
    if (g->status != GR_OK) return g->status;
    const gr_tensor x = gr_constant(g, b->inputs.type, shape_of_batch(b, &b->inputs), NULL);
    if (!x.index) return g->status;
    const gr_tensor t = gr_constant(g, b->targets.type, shape_of_batch(b, &b->targets), NULL);
    if (!t.index) {
        if (x.index & GRI_KEPT) gr_release(x);
        return g->status;
    }
    *inputs = x;
    *targets = t;
    return GR_OK;
}

/* ---- Handing out ---- */

/* Whether the batches' samples go into a tensor on this side. Images may become f32 or f64, and may have other axes
   than the set. */
static gr_status check_leaf(const gr_batches *b, const side *s, const gri_node *to)
{
    const bool images = b->bytes && s == &b->inputs;
    const gr_array *a = &to->array;
    char text[TEXT_BYTES];
    if (images ? !gr_type_is_float(a->type) : a->type != s->type) {
        gri_describe(text, sizeof text, to, true);
        return gri_fail(b->graph, GR_ERR_TYPE, "batches_next: %s: expected %s for the %s", text,
                        images ? "f32 or f64" : gr_type_name(s->type), s->one);
    }
    const bool rows = a->ndim >= 1 && a->dims[0] == b->batch && a->count / b->batch == s->count;
    if (rows && (s != &b->targets || a->ndim == s->shape.ndim + 1)) return GR_OK;
    gri_describe(text, sizeof text, to, false);
    char expected[TEXT_BYTES];
    const gr_shape shape = s == &b->inputs ? GR_SHAPE(b->batch, s->count) : shape_of_batch(b, s);
    gri_describe_shape(expected, sizeof expected, shape.ndim, shape.dims);
    return gri_fail(b->graph, GR_ERR_SHAPE, "batches_next: %s: expected %s for the %s", text, expected,
                    s->one);
}

static gr_status check_targets(const gr_batches *b, gr_tensor x, gr_tensor labels)
{
    const char *what = "batches_next";
    const gri_node *to_x = gri_resolve(x, what), *to_labels = gri_resolve(labels, what);
    if (x.graph != b->graph || labels.graph != b->graph)
        return gri_fail(b->graph, GR_ERR_GRAPH, "%s: tensors of another graph than that of the batches",
                        what);
    if (!to_x || !to_labels) return b->graph->status;
    const gr_status status = check_leaf(b, &b->inputs, to_x);
    return status == GR_OK ? check_leaf(b, &b->targets, to_labels) : status;
}

/* Sample i of the next batch. */
static const uint8_t *sample(const gr_batches *b, const side *s, int64_t i)
{
    return s->data + (size_t)(b->first + b->order[b->position + i]) * s->row;
}

/* Rounded once, from the product in double: the byte 255 at scale 1/255 is 1. */
#define WRITE_IMAGES(NAME, TYPE)                                                    \
    static void NAME(const gr_batches *b, int64_t m, TYPE *to)                      \
    {                                                                               \
        const double scale = b->scale;                                              \
        const int64_t features = b->inputs.count;                                   \
        for (int64_t i = 0; i < m; i++) {                                           \
            const uint8_t *from = sample(b, &b->inputs, i);                         \
            for (int64_t k = 0; k < features; k++) *to++ = (TYPE)(scale * from[k]); \
        }                                                                           \
        for (int64_t k = m * features; k < b->batch * features; k++) *to++ = 0;     \
    }
WRITE_IMAGES(write_images_f32, float)
WRITE_IMAGES(write_images_f64, double)

static void write_labels(const gr_batches *b, int64_t m, int32_t *to)
{
    for (int64_t i = 0; i < m; i++) to[i] = *sample(b, &b->targets, i);
    for (int64_t i = m; i < b->batch; i++) to[i] = -1;
}

/* Elements as they are. What stands in rows that are none is nothing that one could take for a sample. */
static void write_elements(const gr_batches *b, const side *s, int64_t m, void *to)
{
    uint8_t *at = to;
    for (int64_t i = 0; i < m; i++, at += s->row) memcpy(at, sample(b, s, i), s->row);
    const int64_t left = (b->batch - m) * s->count;
    memset(at, 0, (size_t)left * gri_element_bytes(s->type));
    if (s == &b->inputs || s->type == GR_BOOL) return;
    for (int64_t k = 0; k < left; k++) {
        if (s->type == GR_I32)
            ((int32_t *)(void *)at)[k] = -1;
        else if (s->type == GR_F32)
            ((float *)(void *)at)[k] = NAN;
        else
            ((double *)(void *)at)[k] = (double)NAN;
    }
}

static void write_batch(const gr_batches *b, int64_t m, gr_type type, void *inputs, void *targets)
{
    if (!b->bytes) {
        write_elements(b, &b->inputs, m, inputs);
        write_elements(b, &b->targets, m, targets);
        return;
    }
    if (type == GR_F32)
        write_images_f32(b, m, inputs);
    else
        write_images_f64(b, m, inputs);
    write_labels(b, m, targets);
}

int64_t gr_batches_next(gr_batches *b, gr_tensor x, gr_tensor labels)
{
    if (!b || b->graph->status != GR_OK || check_targets(b, x, labels) != GR_OK) return -1;
    const int64_t left = b->n - b->position;
    if (left == 0 || (b->drop_last && left < b->batch)) {
        gr_batches_start(b, (b->epoch + 1) & UINT32_MAX);
        return 0;
    }
    void *to_x = gr_data_for_writing(x), *to_labels = gr_data_for_writing(labels);
    if (!to_x || !to_labels) return -1;
    if (b->position == 0) set_order(b);
    const int64_t m = left < b->batch ? left : b->batch;
    write_batch(b, m, gr_type_of(x), to_x, to_labels);
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
