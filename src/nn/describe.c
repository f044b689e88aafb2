#include "nn/describe.h"

#include <inttypes.h>
#include <stdio.h>

void gri_describe_tensor(char to[GRI_DESCRIPTION_BYTES], gr_tensor t)
{
    enum { ROOM = GRI_DESCRIPTION_BYTES };
    const gr_shape shape = gr_shape_of(t);
    const char *name = gr_name(t);
    int at = snprintf(to, ROOM, "%.64s%s[", name, *name ? " " : "");
    for (int i = 0; i < shape.ndim && at < ROOM; i++)
        at += snprintf(to + at, (size_t)(ROOM - at), i ? ", %" PRId64 : "%" PRId64, shape.dims[i]);
    if (at < ROOM) snprintf(to + at, (size_t)(ROOM - at), "]");
}
