/* Drawings into pictures: see graphviz.h. Paths go to a shell, between single quotes; one that has such a quote is refused. */
#include "support/graphviz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMAND_BYTES = 1024, PART_BYTES = 1 << 14 };

/* Whether the command fitted. A path does not begin as an option does. */
static bool write_command(char command[COMMAND_BYTES], const char *format, const char *dot,
                          const char *picture)
{
    if (strchr(dot, '\'') || strchr(picture, '\'') || dot[0] == '-' || picture[0] == '-') return false;
    const int n = snprintf(command, COMMAND_BYTES, "dot -T%s '%s'%s%s%s", format, dot,
                           *picture ? " -o '" : "", picture, *picture ? "'" : "");
    return n > 0 && n < COMMAND_BYTES;
}

bool graphviz_is_there(void) { return system("dot -V >/dev/null 2>&1") == 0; }

bool graphviz_render(const char *dot, const char *format, const char *picture)
{
    static const char *const formats[] = {"svg", "png", "pdf"};
    char command[COMMAND_BYTES];
    bool known = false;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        known = known || !strcmp(format, formats[i]);
    return known && *picture && write_command(command, format, dot, picture) && system(command) == 0;
}

/* All that comes out of a pipe, ended by a zero; NULL if there is no memory. */
static char *read_all(FILE *pipe)
{
    char *text = malloc(PART_BYTES);
    size_t length = 0, room = PART_BYTES;
    while (text) {
        const size_t n = fread(text + length, 1, room - length - 1, pipe);
        length += n;
        text[length] = '\0';
        if (n == 0) break;
        if (room - length > 1) continue;
        char *larger = realloc(text, 2 * room);
        if (!larger) free(text);
        text = larger;
        room *= 2;
    }
    return text;
}

char *graphviz_svg(const char *dot)
{
    char command[COMMAND_BYTES];
    if (!write_command(command, "svg", dot, "")) return NULL;
    FILE *pipe = popen(command, "r");
    if (!pipe) return NULL;
    char *text = read_all(pipe);
    if (pclose(pipe) == 0 && text && *text) return text;
    free(text);
    return NULL;
}
