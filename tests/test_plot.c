/*
 * The plots of the examples: what is drawn, what is left out, and that the text is XML whatever the labels are.
 */
#include "test.h"
#include "support/plot.h"

#include <stdlib.h>

enum { TEXT_BYTES = 1 << 16 };
static char text[TEXT_BYTES];

/* Writes a plot and reads it back; false if there is none. */
static bool drawn(const plot_options *options, int n, const plot_series *series)
{
    const char *path = "test_plot.svg";
    text[0] = '\0';
    if (!plot_write(path, options, n, series)) return false;
    FILE *f = fopen(path, "r");
    const size_t length = f ? fread(text, 1, TEXT_BYTES - 1, f) : 0;
    text[length] = '\0';
    if (f) fclose(f);
    return length > 0;
}

static int occurrences(const char *part)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part)) n++;
    return n;
}

/* Whether tags are balanced, and no < or & stands where XML has none. */
static bool is_well_formed(void)
{
    int depth = 0;
    for (const char *c = text; *c; c++) {
        if (*c == '&' && strncmp(c, "&lt;", 4) && strncmp(c, "&amp;", 5) && strncmp(c, "&quot;", 6))
            return false;
        if (*c != '<') continue;
        const char *end = strchr(c, '>');
        if (!end || memchr(c + 1, '<', (size_t)(end - c - 1))) return false;
        depth += c[1] == '/' ? -1 : end[-1] == '/' ? 0 : 1;
        if (depth < 0) return false;
        c = end;
    }
    return depth == 0;
}

static void test_lines_and_points(void)
{
    const double x[] = {0, 1, 2, 3, 4}, y[] = {1, 4, NAN, 16, 25}, other[] = {3, 3, 3, 3, 3};
    const plot_series series[] = {
        {.label = "a < b & \"c\"", .x = x, .y = y, .n = 5, .style = PLOT_LINE_AND_POINTS},
        {.label = "flat", .x = x, .y = other, .n = 5},
        {.x = x, .y = y, .n = 5, .style = PLOT_POINTS}};
    CHECK(drawn(&(plot_options){.title = "T & t", .x_label = "x", .y_label = "y"}, 3, series));
    CHECK(is_well_formed());
    CHECK(occurrences("<polyline") == 3); /* the first is broken by NaN */
    CHECK(occurrences("<circle") == 5);   /* 4 and one in the legend */
    CHECK(occurrences("<polygon") == 4);  /* of the third, which has no entry in the legend */
    CHECK_TEXT(text, "a &lt; b &amp; &quot;c&quot;");
    CHECK_TEXT(text, ">25</text>"); /* the range is rounded outwards */
    CHECK(!strstr(text, "nan") && !strstr(text, "inf"));
    char *first = malloc(TEXT_BYTES);
    strcpy(first, text);
    CHECK(drawn(&(plot_options){.title = "T & t", .x_label = "x", .y_label = "y"}, 3, series));
    CHECK(!strcmp(first, text));
    free(first);
}

static void test_logarithmic(void)
{
    const double y[] = {1e3, 1, 0, 1e-6, -5, 1e-12};
    const plot_series series = {.label = "loss", .y = y, .n = 6};
    CHECK(drawn(&(plot_options){.log_y = true}, 1, &series));
    CHECK(is_well_formed());
    CHECK(occurrences("<polyline") == 3); /* broken by 0 and by -5 */
    CHECK_TEXT(text, "−12</tspan>");
    CHECK(!strstr(text, "nan") && !strstr(text, "inf"));
    const double narrow[] = {2, 3, 4};
    CHECK(drawn(&(plot_options){.log_y = true, .log_x = true, .x_min = 1, .x_max = 10}, 1,
                &(plot_series){.y = narrow, .n = 3}));
    CHECK_TEXT(text, ">5</text>");
}

static void test_nothing_to_draw(void)
{
    const double y[] = {NAN, INFINITY}, one[] = {7};
    CHECK(!drawn(NULL, 0, NULL));
    CHECK(!drawn(NULL, 1, &(plot_series){.y = y, .n = 2}));
    CHECK(!drawn(&(plot_options){.log_y = true}, 1, &(plot_series){.y = (double[]){-1, 0}, .n = 2}));
    CHECK(drawn(NULL, 1, &(plot_series){.y = one, .n = 1, .style = PLOT_POINTS}) && is_well_formed());
    CHECK(!plot_write("no/such/directory/plot.svg", NULL, 1, &(plot_series){.y = one, .n = 1}));
}

int main(void)
{
    RUN(test_lines_and_points);
    RUN(test_logarithmic);
    RUN(test_nothing_to_draw);
    return TEST_EXIT;
}
