/* Training runs: a file is loaded as a whole or changes nothing; what was loaded is saved as what it was. */
#include "target.h"

enum { N = 7, BATCH = 2 };

typedef struct rig {
    gr_graph *g;
    gr_optimizer *adam;
    gr_batches *batches;
    gr_tensor counter;
    int64_t epoch;
    gr_training_value value;
} rig;

static rig make_rig(meter *m, size_t size)
{
    static const uint8_t pixels[2 * N], classes[N];
    const gr_idx images = {GR_SHAPE(N, 2), 2 * N, pixels}, labels = {GR_SHAPE(N), N, classes};
    rig r = {.g = metered_graph(m, size), .epoch = 5};
    gr_param(r.g, "w", GR_F32, GR_SHAPE(2, 1), (float[]){1, 2});
    gr_param(r.g, "b", GR_F64, GR_SCALAR, (double[]){3});
    r.adam = gr_adam(r.g, 0.5);
    r.batches = gr_batches_create(r.g, &images, &labels, BATCH, 1, NULL);
    r.counter = gr_named(gr_constant(r.g, GR_I32, GR_SHAPE(1), (int32_t[]){4}), "counter");
    return r;
}

static sink state_of(rig *r, const gr_training *t)
{
    sink s = {NULL, 0, 0};
    MUST(gr_save_training_to(r->g, sink_write, &s, t) == GR_OK);
    return s;
}

unsigned long fuzz_sound;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n;
    uint8_t *file = as_safetensors(data, size, &n);
    meter m;
    rig r = make_rig(&m, n);
    const gr_training t = {.n_optimizers = 1,
                           .optimizers = &r.adam,
                           .n_batches = 1,
                           .batches = &r.batches,
                           .n_tensors = 1,
                           .tensors = &r.counter,
                           .n_values = 1,
                           .values = &r.value};
    r.value = (gr_training_value){.name = "epoch", .n = 1, .integers = &r.epoch};
    static sink before; /* the same each time */
    if (!before.bytes) before = state_of(&r, &t);
    gr_safetensors *f = gr_safetensors_parse(r.g, file, n);
    const bool loaded = is_read(r.g, f ? gr_load_training_from(r.g, f, &t) : gr_graph_status(r.g));
    gr_safetensors_close(f);
    fuzz_sound += loaded;
    sink after = state_of(&r, &t);
    if (!loaded) {
        MUST(before.n == after.n && memcmp(before.bytes, after.bytes, after.n) == 0);
    } else {
        /* A run goes on from there. */
        gr_tensor x = gr_constant(r.g, GR_F32, GR_SHAPE(BATCH, 2), NULL),
                  y = gr_constant(r.g, GR_I32, GR_SHAPE(BATCH), NULL);
        MUST(gr_batches_next(r.batches, x, y) >= 0);
        f = gr_safetensors_parse(r.g, after.bytes, after.n);
        MUST(gr_load_training_from(r.g, f, &t) == GR_OK);
        gr_safetensors_close(f);
        sink again = state_of(&r, &t);
        MUST(again.n == after.n && memcmp(again.bytes, after.bytes, after.n) == 0);
        free(again.bytes);
    }
    free(after.bytes);
    end_graph(r.g, &m);
    free(file);
    return 0;
}
