/* Files of tensors: memory and streams agree; what the index says is there; what tensors can hold is saved and found
   again. */
#include "target.h"

enum { MOST_SAVED = 16 };

/* The names and bytes of all entries can be read, and found by name. */
static void visit(const gr_safetensors *f, size_t size)
{
    const int n = gr_safetensors_count(f);
    size_t bytes = 0;
    volatile uint8_t sum = 0;
    for (int i = 0; i < n; i++) {
        const gr_safetensors_entry e = gr_safetensors_at(f, i);
        MUST(gr_safetensors_find(f, e.name) == i && e.shape.ndim >= 0 && e.shape.ndim <= GR_MAX_NDIM);
        bytes += e.bytes;
        for (size_t k = 0; k < e.bytes; k++) sum = (uint8_t)(sum + ((const uint8_t *)e.data)[k]);
    }
    MUST(bytes <= size);
    for (int i = 0; i < gr_safetensors_metadata_count(f); i++) {
        const gr_metadata pair = gr_safetensors_metadata_at(f, i);
        MUST(gr_safetensors_metadata(f, pair.key) == pair.value);
    }
}

static void save_and_read(gr_graph *g, const gr_safetensors *f)
{
    gr_tensor tensors[MOST_SAVED];
    const char *names[MOST_SAVED];
    int n = 0;
    for (int i = 0; i < gr_safetensors_count(f) && n < MOST_SAVED; i++) {
        tensors[n] = gr_safetensors_tensor(g, f, i);
        if (!is_read(g, gr_graph_status(g))) continue;
        names[n] = gr_safetensors_at(f, i).name;
        n += *names[n] != '\0'; /* the format knows a tensor without a name, gr_save does not */
    }
    if (n == 0) return;
    sink s = {NULL, 0, 0};
    MUST(gr_save_to(g, sink_write, &s, &(gr_save_options){.n = n, .tensors = tensors, .names = names}) ==
         GR_OK);
    gr_safetensors *again = gr_safetensors_parse(g, s.bytes, s.n);
    MUST(again && gr_safetensors_count(again) == n);
    for (int i = 0; i < n; i++)
        MUST(is_same(tensors[i], gr_safetensors_tensor(g, again, gr_safetensors_find(again, names[i]))));
    MUST(gr_load_from(g, again, &(gr_load_options){.n = n, .tensors = tensors, .names = names}) == GR_OK);
    gr_safetensors_close(again);
    free(s.bytes);
}

unsigned long fuzz_sound;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n;
    uint8_t *file = as_safetensors(data, size, &n);
    meter m;
    gr_graph *g = metered_graph(&m, n);
    gr_safetensors *f = gr_safetensors_parse(g, file, n);
    MUST(is_read(g, gr_graph_status(g)) == (f != NULL));
    fuzz_sound += f != NULL;
    FILE *stream = as_stream(file, n);
    if (stream) {
        gr_safetensors *streamed = gr_safetensors_read(g, stream, "stream");
        MUST(is_read(g, gr_graph_status(g)) == (f != NULL) && (streamed != NULL) == (f != NULL));
        MUST(gr_safetensors_count(streamed) == gr_safetensors_count(f));
        gr_safetensors_close(streamed);
        fclose(stream);
    }
    if (f) {
        visit(f, n);
        save_and_read(g, f);
    }
    gr_safetensors_close(f);
    end_graph(g, &m);
    free(file);
    return 0;
}
