/* IDX files: memory and streams agree, and every element can be read. */
#include "target.h"

unsigned long fuzz_sound;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    meter m;
    gr_graph *g = metered_graph(&m, size);
    gr_idx parsed, streamed;
    const bool sound = is_read(g, gr_idx_parse(g, size ? data : (const uint8_t *)"", size, &parsed));
    fuzz_sound += sound;
    FILE *stream = as_stream(data, size);
    if (stream) {
        MUST(is_read(g, gr_idx_read(g, stream, "stream", &streamed)) == sound);
        MUST(parsed.count == streamed.count &&
             memcmp(&parsed.shape, &streamed.shape, sizeof parsed.shape) == 0);
        MUST(!sound || parsed.count == 0 || memcmp(parsed.data, streamed.data, (size_t)parsed.count) == 0);
        fclose(stream);
    }
    end_graph(g, &m);
    return 0;
}
