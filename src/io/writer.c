/* Texts into streams that the caller names. */
#include "gradus/io.h"

bool gr_stream_writer(const char *text, size_t length, void *stream)
{
    FILE *file = stream;
    return file && fwrite(text, 1, length, file) == length && fflush(file) == 0;
}
