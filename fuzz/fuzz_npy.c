/* .npy files: memory and streams agree, and what was read can be written and read again. */
#include "target.h"

unsigned long fuzz_sound;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    meter m;
    gr_graph *g = metered_graph(&m, size);
    gr_tensor parsed, streamed, again;
    const bool sound = is_read(g, gr_npy_parse(g, size ? data : (const uint8_t *)"", size, &parsed));
    fuzz_sound += sound;
    FILE *stream = as_stream(data, size);
    if (stream) {
        MUST(is_read(g, gr_npy_read(g, stream, "stream", &streamed)) == sound);
        MUST(!sound || is_same(parsed, streamed));
        fclose(stream);
    }
    if (sound) {
        sink s = {NULL, 0, 0};
        MUST(gr_npy_write(parsed, sink_write, &s) == GR_OK);
        MUST(gr_npy_parse(g, s.bytes, s.n, &again) == GR_OK && is_same(parsed, again));
        free(s.bytes);
    }
    end_graph(g, &m);
    return 0;
}
