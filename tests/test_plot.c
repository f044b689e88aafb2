/*
 * The plots of the examples: what is drawn, what is left out, and that the text is XML whatever the labels are.
 */
#include "test.h"
#include "support/plot.h"

#include <limits.h>
#include <locale.h>
#include <stdlib.h>

enum { TEXT_BYTES = 1 << 18 };
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
    CHECK(occurrences("<polyline") == 1 && occurrences("<circle") == 2); /* broken by 0 and by -5 */
    CHECK_TEXT(text, "−12</tspan>");
    CHECK(!strstr(text, "nan") && !strstr(text, "inf"));
    const double narrow[] = {2, 3, 4};
    CHECK(drawn(&(plot_options){.log_y = true, .log_x = true, .x_min = 1, .x_max = 10}, 1,
                &(plot_series){.y = narrow, .n = 3}));
    CHECK_TEXT(text, ">5</text>");
}

/* Epochs and the like have no ticks between them. */
static void test_whole_numbers(void)
{
    const double x[] = {1, 2, 3}, half[] = {1, 2.5, 3}, y[] = {1, 0.5, 0.25};
    CHECK(drawn(NULL, 1, &(plot_series){.x = x, .y = y, .n = 3}));
    CHECK(!strstr(text, "2.5</text>") && !strstr(text, "1.2</text>"));
    CHECK_TEXT(text, ">2</text>");
    CHECK(drawn(NULL, 1, &(plot_series){.x = half, .y = y, .n = 3}));
    CHECK_TEXT(text, ">1.2</text>");
}

/* Labels of ticks are told apart, whatever the range; a range that is none gets a width. */
static void test_awkward_ranges(void)
{
    enum { N = 11 };
#define POWER(EXPONENT) "10<tspan dy=\"-5\" font-size=\"9\">" EXPONENT "</tspan>"
    static const struct {
        double from, to;
        bool log_y;
        const char *labels[3];
    } cases[] = {
        {1e-9, 1e-8, false, {">2×" POWER("−9"), ">" POWER("−8"), ">0<"}},
        {0.9999, 1.0001, false, {">0.99992<", ">1<", ">1.00008<"}},
        {1e6, 1e6 + 0.02, false, {">1000000.002<", ">1000000.018<", ">1000000<"}},
        {-3e5, -1e5, false, {">−300000<", ">−120000<", ">−100000<"}},
        {-7, 3, false, {">−8<", ">0<", ">4<"}},
        {0, 2.4e6, false, {">500000<", ">2500000<", ">1000000<"}},
        {-9e299, 9e299, false, {">2×" POWER("299"), ">0<", ">−" POWER("300")}},
        {0.1, 0.1, false, {">0.1<", ">0.09<", ">0.11<"}},
        {-1e-12, -1e-12, false, {">−" POWER("−12"), ">−9×" POWER("−13"), ">−1.1×" POWER("−12")}},
        {0, 0, false, {">0<", ">0.2<", ">−0.4<"}},
        {0, 1e-320, false, {">0<", ">0.2<", ">−0.4<"}},
        {1, 1.002, true, {">1<", ">1.0002<", ">1.002<"}},
        {3e4, 9e4, true, {">30000<", ">50000<", ">90000<"}},
        {3, 160, true, {">2<", ">50<", ">200<"}},
        {2e5, 8e7, true, {">" POWER("5"), ">" POWER("6"), ">" POWER("8")}},
        {5, 5, true, {">1<", ">5<", ">20<"}},
        {1e-300, 1e297, true, {">" POWER("−300"), ">1<", ">" POWER("225")}},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        double y[N];
        for (int i = 0; i < N; i++) y[i] = cases[k].from + (cases[k].to - cases[k].from) * i / (N - 1);
        CHECK(drawn(&(plot_options){.log_y = cases[k].log_y, .y_label = "y"}, 1,
                    &(plot_series){.y = y, .n = N}));
        CHECK(is_well_formed());
        for (int i = 0; i < 3; i++) CHECK_TEXT(text, cases[k].labels[i]);
        CHECK(!strstr(text, "nan") && !strstr(text, "inf") && occurrences("<polyline") == 1);
        for (const char *at = text; (at = strstr(at, "text-anchor=\"end\">")); at++) {
            char label[160]; /* no label stands for two values */
            snprintf(label, sizeof label, "%.*s", (int)(strstr(at, "</text>") + 7 - at), at);
            CHECK(occurrences(label) == 1);
        }
    }
    const double beyond[] = {-1.5e308, 1.5e308, 1, 2}; /* their difference is infinite */
    CHECK(drawn(NULL, 1, &(plot_series){.y = beyond, .n = 4}) && occurrences("<polyline") == 1);
    CHECK(!strstr(text, "nan") && !strstr(text, "inf"));
    CHECK(drawn(&(plot_options){.x_min = 3, .x_max = 2, .y_min = 1, .y_max = 1}, 1,
                &(plot_series){.y = beyond, .n = 4}));
    CHECK_TEXT(text, ">1.2</text>"); /* no ranges: those of the data */
    CHECK(drawn(&(plot_options){.x_min = 0, .x_max = 1e-300, .width = 1, .height = 1}, 1,
                &(plot_series){.y = beyond, .n = 4}));
    CHECK(is_well_formed());
    CHECK_TEXT(text, "width=\"240\" height=\"180\"");
}

/* A point between gaps is seen; marks on a line do not touch. */
static void test_points_of_lines(void)
{
    enum { N = 600 };
    static double flat[N];
    const double gaps[] = {1, NAN, 2, NAN, 3, 2, NAN, 1};
    CHECK(drawn(NULL, 1, &(plot_series){.y = gaps, .n = 8}));
    CHECK(occurrences("<polyline") == 1 && occurrences("<circle") == 3);
    CHECK(drawn(NULL, 1, &(plot_series){.y = gaps, .n = 8, .style = PLOT_LINE_AND_POINTS}));
    CHECK(occurrences("<polyline") == 1 && occurrences("<circle") == 5);
    CHECK(drawn(NULL, 1, &(plot_series){.y = flat, .n = N, .style = PLOT_POINTS}) &&
          occurrences("<circle") == N);
    CHECK(drawn(NULL, 1, &(plot_series){.y = flat, .n = N, .style = PLOT_LINE_AND_POINTS}));
    CHECK(occurrences("<circle") > 60 && occurrences("<circle") < 100);
    CHECK(!drawn(NULL, 1, &(plot_series){.n = 3})); /* no values */
}

/* What two series look like in grey: the pattern of the line, the mark and its fill. */
static void test_told_apart_without_colour(void)
{
    enum { SERIES = 8 };
    const double y[] = {1, 2};
    char line[SERIES][64], mark[SERIES][200];
    for (int k = 0; k < SERIES; k++) {
        plot_series series[SERIES] = {{.label = NULL}};
        series[k] = (plot_series){.y = y, .n = 2, .style = PLOT_LINE_AND_POINTS};
        CHECK(drawn(NULL, k + 1, series));
        const char *at = strstr(text, "stroke-dasharray=");
        snprintf(line[k], sizeof line[k], "%.*s", at ? (int)strcspn(at, " /") : 0, at ? at : "");
        at = strstr(text, "<circle");
        if (!at) at = strstr(text, "<polygon");
        const char *fill = at ? strstr(at, " fill=") : NULL;
        CHECK(fill != NULL);
        if (!fill) continue;
        snprintf(mark[k], sizeof mark[k], "%s %.*s",
                 strstr(fill, " fill=\"white") == fill ? "hollow" : "filled", (int)(fill - at), at);
        for (int other = 0; other < k; other++)
            CHECK(strcmp(line[k], line[other]) != 0 || strcmp(mark[k], mark[other]) != 0);
    }
}

/* Bytes that are no UTF-8 would make the file no XML; texts without room are cut. */
static void test_texts_of_others(void)
{
    char huge[2000];
    memset(huge, 'W', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    const double y[] = {1, 2};
    const plot_options options = {
        .title = "a\xff\xc0\xaf\xed\xa0\x80\xf0\x9f", .x_label = huge, .y_label = "σ 梯度 😀\x01"};
    CHECK(drawn(&options, 1, &(plot_series){.label = "\xe2\x82", .y = y, .n = 2}) && is_well_formed());
#define UNKNOWN "\xEF\xBF\xBD"
    CHECK_TEXT(text, ">a" UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN "</text>");
    CHECK_TEXT(text, ">" UNKNOWN UNKNOWN "</text>");
    CHECK_TEXT(text, ">σ 梯度 😀</text>");
    CHECK_TEXT(text, "WWW…</text>");
    CHECK(occurrences("W") < 100);
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

/* ---- Images: taken apart again ---- */

typedef struct picture {
    int width, height;
    unsigned char palette[256][3];
    unsigned char pixels[1 << 20];
} picture;

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static size_t from_base64(const char *from, unsigned char *to)
{
    size_t n = 0;
    unsigned held = 0;
    int bits = 0;
    for (; digit_of(*from) >= 0; from++) {
        held = held << 6 | (unsigned)digit_of(*from);
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        to[n++] = (unsigned char)(held >> bits);
        held &= (1u << bits) - 1;
    }
    return n;
}

static unsigned u32_at(const unsigned char *p)
{
    return (unsigned)p[0] << 24 | (unsigned)p[1] << 16 | (unsigned)p[2] << 8 | p[3];
}

static unsigned crc_of(const unsigned char *p, size_t n)
{
    unsigned c = ~0u;
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 8; k++) {
            const unsigned bit = (c ^ (unsigned)p[i] >> k) & 1;
            c = c >> 1 ^ (bit ? 0xEDB88320u : 0);
        }
    return ~c;
}

typedef struct stream {
    const unsigned char *from;
    size_t bit, bits;
} stream;

static unsigned get_bits(stream *s, int n)
{
    unsigned value = 0;
    for (int i = 0; i < n; i++, s->bit++)
        if (s->bit < s->bits) value |= ((unsigned)s->from[s->bit / 8] >> s->bit % 8 & 1u) << i;
    return value;
}

static unsigned get_code(stream *s, unsigned code, int n)
{
    while (n-- > 0) code = code << 1 | get_bits(s, 1);
    return code;
}

/* A symbol of the fixed code: RFC 1951, 3.2.6. */
static unsigned get_symbol(stream *s)
{
    unsigned code = get_code(s, 0, 7);
    if (code <= 23) return 256 + code;
    code = get_code(s, code, 1);
    if (code >= 48 && code <= 191) return code - 48;
    if (code >= 192 && code <= 199) return 280 + code - 192;
    return 144 + get_code(s, code, 1) - 400;
}

/* One block of fixed codes; returns the number of bytes, 0 if it is none. */
static size_t inflate(stream *s, unsigned char *to, size_t room)
{
    static const unsigned lengths[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                       31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    size_t n = 0;
    if (get_bits(s, 3) != 3) return 0;
    for (unsigned symbol; s->bit < s->bits && (symbol = get_symbol(s)) != 256;) {
        if (symbol < 256 && n < room) to[n++] = (unsigned char)symbol;
        if (symbol < 256) continue;
        const int k = (int)symbol - 257, extra = k < 8 || k == 28 ? 0 : k / 4 - 1;
        const unsigned length = lengths[k] + get_bits(s, extra), code = get_code(s, 0, 5);
        const int more = code < 4 ? 0 : (int)code / 2 - 1;
        const size_t distance = (code < 4 ? code : (2 + code % 2) << more) + get_bits(s, more) + 1;
        if (distance > n || n + length > room) return 0;
        for (unsigned i = 0; i < length; i++, n++) to[n] = to[n - distance];
    }
    return n;
}

static bool is_adler(const unsigned char *data, size_t n, unsigned sum)
{
    unsigned a = 1, b = 0;
    for (size_t i = 0; i < n; i++) {
        a = (a + data[i]) % 65521;
        b = (b + a) % 65521;
    }
    return sum == (b << 16 | a);
}

static bool read_data(picture *p, const unsigned char *data, size_t n)
{
    static unsigned char raw[1 << 20];
    stream s = {data + 2, 0, 8 * (n - 6)};
    const size_t length = inflate(&s, raw, sizeof raw), row = (size_t)p->width + 1;
    if (n < 6 || (data[0] * 256 + data[1]) % 31 != 0 || length != row * (size_t)p->height) return false;
    for (size_t i = 0; i < length; i++) {
        if (i % row == 0 && raw[i] != 0) return false;
        if (i % row != 0) p->pixels[i / row * (row - 1) + i % row - 1] = raw[i];
    }
    return is_adler(raw, length, u32_at(data + n - 4));
}

/* Number k of the images in the text; false if there is none, or it is no PNG. */
static bool read_picture(picture *p, int k)
{
    static unsigned char png[TEXT_BYTES];
    const char *at = text;
    for (int i = 0; i <= k && at; i++) at = strstr(at, "base64,") ? strstr(at, "base64,") + 7 : NULL;
    const size_t n = at ? from_base64(at, png) : 0;
    if (n < 8 || memcmp(png, "\x89PNG\r\n\x1a\n", 8) != 0) return false;
    bool data = false, end = false;
    for (size_t i = 8; i + 12 <= n;) {
        const unsigned length = u32_at(png + i);
        const unsigned char *type = png + i + 4, *content = type + 4;
        if (i + 12 + length > n || crc_of(type, length + 4) != u32_at(content + length)) return false;
        if (!memcmp(type, "IHDR", 4)) {
            p->width = (int)u32_at(content);
            p->height = (int)u32_at(content + 4);
        }
        if (!memcmp(type, "PLTE", 4)) memcpy(p->palette, content, length);
        if (!memcmp(type, "IDAT", 4)) data = read_data(p, content, length);
        end = !memcmp(type, "IEND", 4);
        i += 12 + length;
    }
    return data && end;
}

static picture image;

/* The colour of a pixel, as 0xRRGGBB; -1 where it is transparent. */
static int colour_at(int x, int y)
{
    const int entry = image.pixels[y * image.width + x];
    const unsigned char *c = image.palette[entry];
    return entry == 0 ? -1 : c[0] << 16 | c[1] << 8 | c[2];
}

static double lightness(int colour)
{
    return 0.2126 * (colour >> 16) + 0.7152 * (colour >> 8 & 255) + 0.0722 * (colour & 255);
}

/* Reads the text that another kind of plot has written. */
static bool reads(bool written)
{
    text[0] = '\0';
    FILE *f = written ? fopen("test_plot.svg", "r") : NULL;
    const size_t length = f ? fread(text, 1, TEXT_BYTES - 1, f) : 0;
    text[length] = '\0';
    if (f) fclose(f);
    return length > 0 && length < TEXT_BYTES - 1;
}

static void test_matrix(void)
{
    const double m[] = {1, 0, 4, -1, -2, NAN};
    const plot_tile tile = {m, 2, 3, "W & b"};
    const plot_tiles_options options = {.title = "<1>", .colours = PLOT_DIVERGING, .cell = 7};
    CHECK(reads(plot_tiles("test_plot.svg", &options, 1, &tile)));
    CHECK(is_well_formed());
    CHECK_TEXT(text, "W &amp; b</text>");
    CHECK_TEXT(text, ">&lt;1>");
    CHECK_TEXT(text, ">−4</text>"); /* symmetric */
    CHECK_TEXT(text, ">4</text>");
    CHECK(read_picture(&image, 0));
    CHECK(image.width == 21 && image.height == 14);
    for (int x = 0; x < 21; x++)
        for (int y = 0; y < 14; y++) CHECK(colour_at(x, y) == colour_at(x / 7 * 7, y / 7 * 7));
    CHECK(colour_at(20, 13) == -1); /* NaN */
    const int zero = colour_at(7, 0);
    CHECK((zero >> 16) == (zero >> 8 & 255) && (zero & 255) == (zero >> 8 & 255)); /* grey */
    const double in_order[] = {lightness(colour_at(7, 7)), lightness(colour_at(0, 7)), lightness(zero),
                               lightness(colour_at(0, 0)), lightness(colour_at(14, 0))};
    for (int i = 0; i < 4; i++) CHECK(in_order[i] + 10 < in_order[i + 1]);
}

static void test_tiles(void)
{
    static double values[5][28 * 28];
    static plot_tile tiles[5];
    for (int k = 0; k < 5; k++) {
        for (int i = 0; i < 28 * 28; i++) values[k][i] = (i * (k + 3) * 37 + k) % 256;
        tiles[k] = (plot_tile){.values = values[k], .rows = 28, .columns = 28};
    }
    const plot_tiles_options options = {.across = 3, .bar_label = "grey", .high = 255};
    CHECK(reads(plot_tiles("test_plot.svg", &options, 5, tiles)));
    CHECK(is_well_formed() && occurrences("<image") == 5);
    for (int k = 0; k < 5; k++) {
        CHECK(read_picture(&image, k));
        const int scale = image.width / 28;
        int wrong = 0;
        for (int i = 0; i < 28 * 28; i++) {
            const int grey = (int)values[k][i], colour = colour_at(i % 28 * scale, i / 28 * scale);
            wrong += abs((colour & 255) - grey) > 1 || (colour >> 16) != (colour & 255);
        }
        CHECK(scale >= 2 && wrong == 0);
    }
    char *first = malloc(TEXT_BYTES);
    strcpy(first, text);
    CHECK(reads(plot_tiles("test_plot.svg", &options, 5, tiles)) && !strcmp(first, text));
    free(first);
}

static void test_no_tiles(void)
{
    const double nan_only[] = {NAN, NAN}, flat[] = {3, 3, 3};
    CHECK(!plot_tiles("test_plot.svg", NULL, 0, NULL));
    CHECK(!plot_tiles("test_plot.svg", NULL, 1, &(plot_tile){.values = flat, .rows = 0, .columns = 3}));
    CHECK(!plot_tiles("no/such/directory/plot.svg", NULL, 1, &(plot_tile){flat, 1, 3, NULL}));
    CHECK(reads(plot_tiles("test_plot.svg", NULL, 1, &(plot_tile){flat, 1, 3, NULL})) && is_well_formed());
    CHECK(reads(plot_tiles("test_plot.svg", NULL, 1, &(plot_tile){nan_only, 2, 1, NULL})) &&
          is_well_formed());
    CHECK(read_picture(&image, 0) && colour_at(0, 0) == -1);
}

/* Names beside a single matrix, numbers in its cells, in white where the cell is dark. */
static void test_confusion(void)
{
    const double m[] = {950, 3, 12345, -0.5, NAN, 2};
    const char *rows[] = {"cat <b>", NULL}, *columns[] = {"a", "a long name", "c"};
    plot_tiles_options o = {.title = "C",
                            .colours = PLOT_INK,
                            .show_values = true,
                            .x_label = "said & done",
                            .y_label = "true",
                            .row_names = rows,
                            .column_names = columns,
                            .high = 1000};
    const plot_tile tile = {m, 2, 3, NULL};
    CHECK(reads(plot_tiles("test_plot.svg", &o, 1, &tile)) && is_well_formed());
    CHECK_TEXT(text, ">cat &lt;b></text>");
    CHECK_TEXT(text, ">a long name</text>");
    CHECK_TEXT(text, ">said &amp; done</text>");
    CHECK_TEXT(text, "fill=\"white\" font-size=\"11\">950</text>");
    CHECK_TEXT(text, "\"middle\" font-size=\"11\">3</text>");
    CHECK_TEXT(text, ">12345</text>");
    CHECK_TEXT(text, ">-0.5</text>");
    CHECK(!strstr(text, "nan</text>") && occurrences("rotate(-90") == 3 + 1);
    CHECK(read_picture(&image, 0));
    CHECK(lightness(colour_at(0, 0)) < 60 && lightness(colour_at(image.width / 2, 0)) > 240);
    o.cell = 23; /* no room for numbers */
    CHECK(reads(plot_tiles("test_plot.svg", &o, 1, &tile)) && !strstr(text, ">950<"));
    /* Numbers of rows and columns that have room. */
    static double large[90 * 3];
    CHECK(reads(
        plot_tiles("test_plot.svg", &(plot_tiles_options){.cell = 4}, 1, &(plot_tile){large, 90, 3, NULL})));
    CHECK_TEXT(text, ">85</text>");
    CHECK(!strstr(text, ">84</text>") && !strstr(text, ">2</text>") &&
          occurrences("text-anchor=\"end\"") == 18);
    CHECK(reads(plot_tiles("test_plot.svg", NULL, 1, &(plot_tile){large, 270, 1, NULL})));
    int height = 0; /* as high as others are wide */
    CHECK(sscanf(strstr(text, "height=\""), "height=\"%d", &height) == 1 && height < 700);
}

/* ---- Decisions ---- */

/* Above 1/2 on one side of a circle of radius r. */
static double disc(double x, double y, void *user)
{
    const double r = *(const double *)user;
    return x > 0.9 && y > 0.9 ? NAN : 1 / (1 + exp(4 * (x * x + y * y - r * r)));
}

static void test_regions(void)
{
    double r = 0.6;
    const double x[] = {0.1, -0.2, NAN}, y[] = {0, 0.3, 0}, far[] = {0.8}, up[] = {-0.8};
    const plot_class classes[] = {{.label = "in & out", .x = x, .y = y, .n = 3},
                                  {.label = "b", .x = far, .y = up, .n = 1}};
    const plot_regions_options options = {
        .title = "disc", .x_min = -1, .x_max = 1, .y_min = -1, .y_max = 1, .steps = 40};
    CHECK(reads(plot_regions("test_plot.svg", &options, disc, &r, 2, classes)));
    CHECK(is_well_formed());
    CHECK(occurrences("<circle") == 2 + 1 && occurrences("<polygon") == 1 + 1);
    CHECK_TEXT(text, "in &amp; out</text>");
    CHECK_TEXT(text, "fill=\"url(#nan)\"");
    /* Each point of the line is one of the circle: 440 pixels are 2. */
    const char *at = strstr(text, "stroke-linecap=\"round\" d=\"");
    CHECK(at != NULL);
    int points = 0;
    for (at = at ? strchr(at, 'M') : NULL; at && *at && *at != '"';) {
        char *end;
        const double px = strtod(at + 1, &end), py = strtod(end, &end);
        CHECK_NEAR(hypot((px - 78) / 220 - 1, 1 - (py - 40) / 220), r, 0.01);
        points++;
        at = end;
    }
    CHECK(points > 40);
    CHECK(read_picture(&image, 0) && image.width == 41 && image.height == 41);
    CHECK(colour_at(40, 0) == -1 && colour_at(0, 0) != -1); /* y grows upwards */
    CHECK(lightness(colour_at(20, 20)) > lightness(colour_at(0, 20)) + 10);
    CHECK(!plot_regions("no/such/directory/plot.svg", &options, disc, &r, 0, NULL));
}

static double bowl(double x, double y, void *user)
{
    (void)user;
    return x * x + y * y;
}

/* Contours are circles at the ticks of the bar and between them; a path is a line and marks. */
static void test_contours(void)
{
    const double x[] = {1, 0.5, 0.5001, NAN, 0.1, 40}, y[] = {1, 0.5, 0.5001, 0, 0.1, 0};
    const plot_class path = {.label = "descent", .x = x, .y = y, .n = 6, .joined = true};
    plot_regions_options o = {.x_min = -1, .x_max = 1, .y_min = -1, .y_max = 1, .contours = 2, .size = 400};
    CHECK(reads(plot_regions("test_plot.svg", &o, bowl, NULL, 1, &path)) && is_well_formed());
    CHECK_TEXT(text, ">1.8</text>");
    CHECK_TEXT(text, ">2</text>"); /* the range is that of the values */
    CHECK(occurrences("stroke-width=\"0.6\"") == 21 && !strstr(text, "stroke=\"#000\" stroke-width=\"2\""));
    CHECK(occurrences("<polyline") == 2 && occurrences("<circle") == 4 + 1); /* two of the points touch */
    int levels = 0, points = 0;
    for (const char *at = text; (at = strstr(at, "stroke-width=\"0.6\"")); at++, levels++) {
        const double r = sqrt(0.1 * levels);
        const char *end = strstr(at, "\"/>"), *c = strstr(at, "d=\"") + 3;
        while (c < end && (*c == 'M' || *c == 'L')) {
            char *next;
            const double px = strtod(c + 1, &next), py = strtod(next, &next);
            CHECK_NEAR(hypot((px - 78) / 200 - 1, 1 - (py - 40) / 200), r, 0.01);
            points++;
            c = next;
        }
    }
    CHECK(levels == 21 && points > 500);
    o.level = 0.3; /* a boundary, too */
    CHECK(reads(plot_regions("test_plot.svg", &o, bowl, NULL, 0, NULL)));
    CHECK(occurrences("stroke-width=\"2\" stroke-linecap=\"round\"") == 1);
    CHECK_TEXT(text, ">0.3</text>");
    o.contours = INT_MAX; /* no more than can be seen */
    o.steps = 10;
    CHECK(reads(plot_regions("test_plot.svg", &o, bowl, NULL, 0, NULL)));
    CHECK(occurrences("stroke-width=\"0.6\"") == 201);
}

/* A saddle: of the two ways to join what passes through one cell the one that its middle says. */
static double saddle(double x, double y, void *user) { return *(const double *)user * x * y + 0.5; }

static void test_saddle(void)
{
    const plot_regions_options options = {.x_min = -1, .x_max = 2, .y_min = -1, .y_max = 2, .steps = 1};
    for (double sign = -1; sign <= 1; sign += 2) {
        CHECK(reads(plot_regions("test_plot.svg", &options, saddle, &sign, 0, NULL)) && is_well_formed());
        const char *at = strstr(text, "\"round\" d=\"M");
        double p[8] = {0};
        int n = 0;
        for (at = at ? strchr(at, 'M') : NULL; at && (*at == 'M' || *at == 'L') && n < 8;) {
            char *end;
            p[n++] = strtod(at + 1, &end) - 78 - 220;
            p[n++] = strtod(end, &end) - 40 - 220;
            at = end;
        }
        CHECK(n == 8 && at && *at == '"');
        /* Both cut off a corner where one of x and y is low and the other high. */
        CHECK((p[0] + p[2]) * (p[1] + p[3]) > 0 && (p[4] + p[6]) * (p[5] + p[7]) > 0);
        CHECK((p[0] + p[2]) * (p[4] + p[6]) < 0);
    }
}

/* The same bytes in the locale of the environment, whatever its decimal point is. */
static void test_locale(void)
{
    const double y[] = {0.25, 1.5e-9, 0.5, 0.75};
    const plot_tile tile = {y, 2, 2, NULL};
    const plot_tiles_options o = {.show_values = true, .cell = 60};
    char *first = malloc(TEXT_BYTES), *second = malloc(TEXT_BYTES);
    for (int kind = 0; kind < 2; kind++) {
        for (int run = 0; run < 2; run++) {
            if (run == 1) setlocale(LC_ALL, "");
            const bool written = kind == 0
                                     ? plot_tiles("test_plot.svg", &o, 1, &tile)
                                     : plot_write("test_plot.svg", NULL, 1, &(plot_series){.y = y, .n = 4});
            setlocale(LC_ALL, "C");
            CHECK(reads(written));
            strcpy(run ? second : first, text);
        }
        CHECK(strcmp(first, second) == 0);
    }
    free(first);
    free(second);
}

/* What a full disk does not take is no plot. */
static void test_write_failures(void)
{
    const double y[] = {1, 2, 3, 4};
    FILE *full = fopen("/dev/full", "w");
    if (!full) return; /* not on this system */
    fclose(full);
    CHECK(!plot_write("/dev/full", NULL, 1, &(plot_series){.y = y, .n = 4}));
    CHECK(!plot_tiles("/dev/full", NULL, 1, &(plot_tile){y, 2, 2, NULL}));
    CHECK(!plot_regions("/dev/full", NULL, bowl, NULL, 0, NULL));
}

int main(void)
{
    RUN(test_lines_and_points);
    RUN(test_logarithmic);
    RUN(test_whole_numbers);
    RUN(test_awkward_ranges);
    RUN(test_points_of_lines);
    RUN(test_told_apart_without_colour);
    RUN(test_texts_of_others);
    RUN(test_nothing_to_draw);
    RUN(test_matrix);
    RUN(test_tiles);
    RUN(test_no_tiles);
    RUN(test_confusion);
    RUN(test_regions);
    RUN(test_contours);
    RUN(test_saddle);
    RUN(test_locale);
    RUN(test_write_failures);
    return TEST_EXIT;
}
