/* CSV: the first byte chooses options. Memory and streams agree, f32 and f64 do, and the table has as many numbers as it
   has names and rows. */
#include "target.h"

#include <math.h>

static gr_csv_options options_of(uint8_t choice)
{
    static const char separators[] = {0, ';', '\t', ' '};
    return (gr_csv_options){.type = choice & 1 ? GR_F64 : GR_F32,
                            .header = choice & 2,
                            .separator = separators[choice >> 2 & 3],
                            .comment = choice & 16 ? '#' : 0,
                            .skip = choice >> 5 & 1,
                            .missing = choice & 64 ? GR_CSV_MISSING_NAN : GR_CSV_MISSING_ERROR,
                            .missing_text = choice & 128 ? "NA" : NULL};
}

/* What is read as f32 is never farther from a number than f64's value of it rounded, but for what f32 cannot hold. */
static void compare(gr_tensor f64, gr_tensor f32)
{
    const double *x = gr_data(f64);
    const float *y = gr_data(f32);
    for (int64_t i = 0; i < gr_count(f64); i++)
        MUST(isnan(x[i]) ? isnan(y[i])
                         : (float)x[i] == y[i] || nextafterf(y[i], INFINITY) == (float)x[i] ||
                               nextafterf(y[i], -INFINITY) == (float)x[i]);
}

unsigned long fuzz_sound;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    gr_csv_options o = options_of(data[0]);
    data++;
    size--;
    meter m;
    gr_graph *g = metered_graph(&m, size);
    gr_csv parsed, streamed, other;
    const bool sound = is_read(g, gr_csv_parse(g, size ? data : (const uint8_t *)"", size, &o, &parsed));
    fuzz_sound += sound;
    FILE *stream = as_stream(data, size);
    if (stream) {
        MUST(is_read(g, gr_csv_read(g, stream, "stream", &o, &streamed)) == sound);
        MUST(!sound || is_same(parsed.table, streamed.table));
        fclose(stream);
    }
    if (sound) {
        MUST(gr_dim(parsed.table, 1) == parsed.columns && (parsed.names != NULL) == o.header);
        for (int64_t i = 0; i < parsed.columns && parsed.names; i++) MUST(strlen(parsed.names[i]) <= size);
        o.type = o.type == GR_F32 ? GR_F64 : GR_F32;
        if (is_read(g, gr_csv_parse(g, size ? data : (const uint8_t *)"", size, &o, &other)))
            compare(o.type == GR_F32 ? parsed.table : other.table,
                    o.type == GR_F32 ? other.table : parsed.table);
    }
    end_graph(g, &m);
    return 0;
}
