/* Options of a program, from a table: see options.h. */
#include "support/options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether the text is what the option wants; if so it is stored. */
static bool take(const option *o, const char *text)
{
    char *end;
    errno = 0;
    if (o->text) {
        *o->text = text;
        return true;
    }
    if (o->count) {
        const long long n = strtoll(text, &end, 10);
        if (end == text || *end || errno || (double)n < o->least || n > INT32_MAX) return false;
        *o->count = n;
        return true;
    }
    const double x = strtod(text, &end);
    if (end == text || *end || !isfinite(x) || x < o->least) return false;
    *o->number = x;
    return true;
}

static const option *find(const char *argument, int n, const option *options)
{
    if (strncmp(argument, "--", 2) != 0) return NULL;
    for (int i = 0; i < n; i++)
        if (!strcmp(argument + 2, options[i].name)) return &options[i];
    return NULL;
}

bool options_read(const char *program, int argc, char **argv, int n, const option *options)
{
    int i = 1;
    for (; i < argc; i += 2) {
        const option *o = find(argv[i], n, options);
        if (!o || i + 1 == argc || !take(o, argv[i + 1])) break;
    }
    if (i >= argc) return true;
    fprintf(stderr, "%s: cannot use %s%s%s\nusage: %s", program, argv[i], i + 1 < argc ? " " : "",
            i + 1 < argc ? argv[i + 1] : "", program);
    for (int k = 0; k < n; k++) fprintf(stderr, " [--%s %s]", options[k].name, options[k].value);
    fputc('\n', stderr);
    return false;
}
