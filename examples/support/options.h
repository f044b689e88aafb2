/*
 * Options of a program: "--name value", any number of them in any order.
 *
 *     int64_t epochs = 5;
 *     double rate = 1e-3;
 *     const char *out = NULL;
 *     const option options[] = {{"epochs", "N", .count = &epochs, .least = 1},
 *                               {"lr", "RATE", .number = &rate},
 *                               {"out", "DIR", .text = &out}};
 *     if (!options_read("program", argc, argv, 3, options)) return 2;
 */
#ifndef EXAMPLES_SUPPORT_OPTIONS_H
#define EXAMPLES_SUPPORT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct option {
    const char *name;  /* without the dashes */
    const char *value; /* what it is called in the usage */
    /* Where it goes: one of these. What stands there stays if the option is not given. */
    int64_t *count; /* a whole number up to INT32_MAX */
    double *number; /* finite */
    const char **text;
    double least; /* of a count or a number */
} option;

/* false: an option is unknown, has no value, or one that cannot be used; the program's usage has been printed to
   stderr, with the option that is wrong. */
bool options_read(const char *program, int argc, char **argv, int n, const option *options);

#endif
