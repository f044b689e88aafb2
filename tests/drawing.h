/* What the tests of drawings share: their texts, and those that were looked at once and are kept in tests/golden. */
#ifndef GRADUS_TEST_DRAWING_H
#define GRADUS_TEST_DRAWING_H

#include <gradus.h>
#include "test.h"

#include <stdlib.h>
#include <sys/stat.h>

#define DRAWINGS "drawings"

/* The text of a drawing, in memory of its own; NULL on error. */
static inline char *text_of(gr_tensor root, const gr_dot_options *options)
{
    size_t length = 0;
    if (gr_dot_write_string(root, NULL, 0, &length, options) != GR_OK) return NULL;
    char *text = malloc(length + 1);
    if (gr_dot_write_string(root, text, length + 1, NULL, options) != GR_OK || strlen(text) != length) {
        free(text);
        return NULL;
    }
    return text;
}

static inline char *content_of(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    char *text = calloc(1, 1 << 16);
    const size_t n = fread(text, 1, (1 << 16) - 1, file);
    fclose(file);
    text[n] = '\0';
    return text;
}

static inline int count_of(const char *text, const char *part)
{
    int n = 0;
    for (const char *at = text; at && (at = strstr(at, part)); at += strlen(part)) n++;
    return n;
}

/* The line of the node of that number. */
static inline const char *line_of(const char *text, const char *id)
{
    static char line[4096];
    char start[32];
    snprintf(start, sizeof start, "\n  %s [", id);
    const char *at = text ? strstr(text, start) : NULL;
    if (!at) return "";
    snprintf(line, sizeof line, "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
    return line;
}

/* To see what changed: diff tests/golden/x.dot build/.../tests/drawings/x.dot */
static inline void check_golden(gr_tensor root, const char *name, const gr_dot_options *options)
{
    char path[256], golden[512];
    snprintf(path, sizeof path, DRAWINGS "/%s.dot", name);
    snprintf(golden, sizeof golden, GOLDEN_DIRECTORY "/%s.dot", name);
    CHECK(gr_dot_write_file(root, path, options) == GR_OK);
    char *written = content_of(path), *expected = content_of(golden), *text = text_of(root, options);
    CHECK(expected != NULL);
    CHECK(written && expected && strcmp(written, expected) == 0);
    CHECK(text && expected && strcmp(text, expected) == 0);
    free(written);
    free(expected);
    free(text);
}

#endif
