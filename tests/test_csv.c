/* Tables of numbers from text: forms of fields, exact numbers in any locale, and errors that say where. */
#include "gradus.h"
#include "ledger.h"
#include "sources.h"
#include "test.h"

#include <locale.h>

enum { MOST_BYTES = 1 << 23 };

/* Reads a text in all ways, which must agree; the table and a message are of `g`. */
static gr_status read_all_ways(gr_graph *g, const char *text, size_t n, const gr_csv_options *o, gr_csv *csv)
{
    gr_status status = GR_OK;
    for (int way = 3; way >= 0; way--) {
        gr_graph_clear_error(g);
        char *exact = malloc(n + (n == 0));
        memcpy(exact, text, n);
        FILE *stream = way == 1   ? as_file(exact, n)
                       : way == 2 ? as_pipe(exact, n)
                       : way == 3 ? fmemopen(exact, n, "rb")
                                  : NULL;
        gr_csv c;
        const gr_status s = stream ? gr_csv_read(g, stream, "stream", o, &c)
                                   : gr_csv_parse(g, exact, n, o, &c);
        if (stream) fclose(stream);
        free(exact);
        CHECK(s == gr_graph_status(g) && (s == GR_OK) == gr_is_valid(c.table));
        if (s != GR_OK) CHECK(!c.names && c.columns == 0);
        if (way < 3) CHECK(s == status);
        if (way < 3 && s == GR_OK && status == GR_OK) {
            char x[512] = {0}, y[512] = {0};
            const int64_t count = gr_count(c.table);
            CHECK(count == gr_count(csv->table) && count <= 64 && c.columns == csv->columns);
            CHECK(gr_read(c.table, x, count) == GR_OK && gr_read(csv->table, y, count) == GR_OK);
            CHECK(memcmp(x, y, sizeof x) == 0);
            for (int64_t i = 0; i < c.columns && c.names; i++) CHECK(strcmp(c.names[i], csv->names[i]) == 0);
        }
        status = s;
        *csv = c;
    }
    return status;
}

typedef struct table {
    int64_t rows, columns;
    double x[12];
} table;

static void reads_n(const char *text, size_t n, gr_csv_options o, table t)
{
    const int before = test_failures;
    for (gr_type type = GR_F32; type <= GR_F64; type++) {
        gr_graph *g = gr_graph_create(NULL);
        gr_csv csv;
        o.type = type;
        CHECK(read_all_ways(g, text, n, &o, &csv) == GR_OK);
        if (gr_graph_status(g) != GR_OK) printf("    %s\n", gr_graph_error(g));
        CHECK(gr_type_of(csv.table) == type && gr_ndim(csv.table) == 2);
        CHECK(gr_dim(csv.table, 0) == t.rows && gr_dim(csv.table, 1) == t.columns &&
              csv.columns == t.columns);
        for (int64_t i = 0; i < gr_count(csv.table) && i < 12; i++) {
            const double x = GR_AT(csv.table, i / t.columns, i % t.columns);
            CHECK(x == t.x[i] || (isnan(x) && isnan(t.x[i])));
        }
        CHECK(gr_graph_reset(g) == GR_OK && gr_is_valid(csv.table)); /* kept */
        gr_graph_destroy(g);
    }
    if (test_failures > before) printf("    %s\n", text);
}
#define reads(text, ...) reads_n(text, strlen(text), (gr_csv_options)__VA_ARGS__)
#define NONE            \
    {                   \
        .header = false \
    }
static void test_forms(void)
{
    const table four = {2, 2, {1, 2, 3, 4}};
    reads("1,2\n3,4\n", NONE, four);
    reads("1,2\n3,4", NONE, four);
    reads("1,2\r\n3,4\r\n", NONE, four);
    reads("1,2\r3,4\r", NONE, four);
    reads("\n\r\n \n1,2\n\n\t\n3,4\n\n", NONE, four);
    reads(" 1 ,\t2\t\n  3,4  ", NONE, four);
    reads("\xEF\xBB\xBF"
          "1,2\n3,4",
          NONE, four);
    reads("\"1\",\"2\"\n\"3\" , \"4\"", NONE, four);
    reads("1;2\n3;4", {.separator = ';'}, four);
    reads("1\t2\n3\t 4", {.separator = '\t'}, four);
    reads("1|2\n3|4", {.separator = '|'}, four);
    reads("1 2\n 3\t \t4  \n", {.separator = ' '}, four);
    reads("  \"1\"   2 \n3 \"4\"", {.separator = ' '}, four);
    reads("# a, b, c\n1,2\n  #x\n3,4\n#", {.comment = '#'}, four);
    reads("anything \" at all\nmore\n1,2\n3,4", {.skip = 2}, four);
    reads("a,b\n1,2\n3,4", {.header = true}, four);
    reads("\n#c\n\na,b\n1,2\n#c\n3,4", {.header = true, .comment = '#'}, four);
    reads("7", NONE, (table){1, 1, {7}});
    reads("7\n8\n9", NONE, (table){3, 1, {7, 8, 9}});
    reads("7,8,9", NONE, (table){1, 3, {7, 8, 9}});
    reads("", NONE, (table){0, 0, {0}});
    reads("\n\n", NONE, (table){0, 0, {0}});
    reads("a,b\n", {.header = true}, (table){0, 2, {0}});
    reads("x\n", {.skip = 5}, (table){0, 0, {0}});
}

static void test_numbers(void)
{
    reads("0,-0,+1,-1.5,.5,5.,1e2,1E+2,25e-2,-.5e1,00012,1e0", NONE,
          (table){1, 12, {0, 0, 1, -1.5, 0.5, 5, 100, 100, 0.25, -5, 12, 1}});
    reads("nan,NaN,-nan,inf,-Inf,INFINITY,+infinity", NONE,
          (table){1, 7, {NAN, NAN, NAN, INFINITY, -INFINITY, INFINITY, INFINITY}});
}

static void test_missing(void)
{
    const gr_csv_options nan = {.missing = GR_CSV_MISSING_NAN},
                         nine = {.missing = GR_CSV_MISSING_VALUE, .missing_value = -9, .missing_text = "NA"};
    const char *text = "1,,3\n,2,\n,,\n\"\", ,5";
    reads_n(text, strlen(text), nan, (table){4, 3, {1, NAN, 3, NAN, 2, NAN, NAN, NAN, NAN, NAN, NAN, 5}});
    text = "1,NA\n \"NA\" ,\nNA,4";
    reads_n(text, strlen(text), nine, (table){3, 2, {1, -9, -9, -9, -9, 4}});
}

static void test_names(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_csv csv;
    const char *text = " a ,\"b, \"\"c\"\"\nd\",,\"\",e f\n1,2,3,4,5";
    CHECK(read_all_ways(g, text, strlen(text), &(gr_csv_options){.header = true}, &csv) == GR_OK);
    static const char *const names[] = {"a", "b, \"c\"\nd", "", "", "e f"};
    CHECK(csv.columns == 5 && csv.names);
    for (int i = 0; i < 5 && csv.names; i++) CHECK(strcmp(csv.names[i], names[i]) == 0);
    CHECK(gr_release(csv.table) == GR_OK && strcmp(csv.names[4], "e f") == 0);
    CHECK(gr_csv_parse(g, "1", 1, NULL, &csv) == GR_OK && !csv.names && csv.columns == 1);
    CHECK(gr_type_of(csv.table) == GR_F32);
    gr_graph_destroy(g);
}

/* ---- Exact numbers ---- */

static uint64_t random_state = 99;
static uint64_t draw(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return random_state ^ random_state >> 29;
}

/* Finite doubles of all sizes, written with 17 digits, and floats with 9, come back as they were. */
static void test_round_trip(void)
{
    enum { COUNT = 5000 };
    static double doubles[COUNT];
    static float floats[COUNT];
    blob d = {NULL, 0, 0}, f = {NULL, 0, 0};
    for (int i = 0; i < COUNT; i++) {
        do {
            const uint64_t bits = draw();
            const uint32_t half = (uint32_t)(bits >> 20);
            memcpy(&doubles[i], &bits, 8);
            memcpy(&floats[i], &half, 4);
        } while (!isfinite(doubles[i]) || !isfinite(floats[i]));
        char text[64];
        blob_write(text, (size_t)snprintf(text, sizeof text, "%.17g\n", doubles[i]), &d);
        blob_write(text, (size_t)snprintf(text, sizeof text, "%.9g\n", (double)floats[i]), &f);
    }
    gr_graph *g = gr_graph_create(NULL);
    gr_csv csv;
    CHECK(gr_csv_parse(g, d.bytes, d.n, &(gr_csv_options){.type = GR_F64}, &csv) == GR_OK);
    CHECK(gr_count(csv.table) == COUNT && memcmp(gr_data(csv.table), doubles, sizeof doubles) == 0);
    CHECK(gr_csv_parse(g, f.bytes, f.n, NULL, &csv) == GR_OK);
    CHECK(gr_count(csv.table) == COUNT && memcmp(gr_data(csv.table), floats, sizeof floats) == 0);
    gr_graph_destroy(g);
    blob_free(&d);
    blob_free(&f);
}

/* Numbers beside the middle between two floats, where digits far behind decide; f32 is not rounded by way of f64. */
static void test_hard_numbers(void)
{
    static const struct {
        const char *text;
        gr_type type;
        double value;
    } cases[] = {
        {"9007199254740993", GR_F64, 9007199254740992.0},
        {"9007199254740993.00000000000000000000000000000000000000000000000000000000000000001", GR_F64,
         9007199254740994.0},
        {"2.2250738585072011e-308", GR_F64, 0x0.fffffffffffffp-1022},
        {"4.9406564584124654e-324", GR_F64, 0x1p-1074},
        {"2.4703282292062327e-324", GR_F64, 0},
        {"2.4703282292062328e-324", GR_F64, 0x1p-1074},
        {"1.7976931348623157e308", GR_F64, 0x1.fffffffffffffp1023},
        {"1e-400", GR_F64, 0},
        {"1e-99999999999999999999", GR_F64, 0},
        {"0e99999999999999999999", GR_F64, 0},
        {"16777217", GR_F32, 16777216},
        /* 1 + 2^-24 + 2^-60: f64 rounds it to the middle of two f32, and the middle to even. */
        {"1.000000059604644775390625000000867361737988403547205962240695953369140625", GR_F32, 0x1.000002p0},
        {"1.000000059604644775390625", GR_F32, 1},
        {"3.4028235e38", GR_F32, 0x1.fffffep127},
        {"1e-45", GR_F32, 0x1p-149},
        {"0.1", GR_F32, 0x1.99999ap-4},
        {"0.1", GR_F64, 0x1.999999999999ap-4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gr_graph *g = gr_graph_create(NULL);
        gr_csv csv;
        CHECK(gr_csv_parse(g, cases[i].text, strlen(cases[i].text), &(gr_csv_options){.type = cases[i].type},
                           &csv) == GR_OK);
        const double value = gr_item(csv.table);
        CHECK(value == cases[i].value);
        if (value != cases[i].value) printf("    %s: %a\n", cases[i].text, value);
        gr_graph_destroy(g);
    }
}

/* A point is a point where commas are the rule, and the locale of the program stays as it is. */
static void test_locales(void)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE", "C.UTF-8", "C"};
    size_t i = 0;
    while (!setlocale(LC_ALL, names[i])) i++;
    char point[8];
    snprintf(point, sizeof point, "%.1f", 0.5);
    gr_graph *g = gr_graph_create(NULL);
    gr_csv csv;
    CHECK(gr_csv_parse(g, "2.5,1e-1", 8, &(gr_csv_options){.type = GR_F64}, &csv) == GR_OK);
    CHECK(GR_AT(csv.table, 0, 0) == 2.5 && GR_AT(csv.table, 0, 1) == 0.1);
    CHECK(gr_csv_parse(g, "2,5", 3, &(gr_csv_options){.separator = ';'}, &csv) == GR_ERR_FORMAT);
    char after[8];
    snprintf(after, sizeof after, "%.1f", 0.5);
    CHECK(strcmp(point, after) == 0);
    gr_graph_destroy(g);
    setlocale(LC_ALL, "C");
}

/* ---- Errors ---- */

static void refuses_n(const char *text, size_t n, gr_csv_options o, gr_status status, const char *part)
{
    const int before = test_failures;
    gr_graph *g = gr_graph_create(&(gr_graph_options){.byte_limit = MOST_BYTES});
    gr_csv csv;
    CHECK(read_all_ways(g, text, n, &o, &csv) == status);
    CHECK_TEXT(gr_graph_error(g), "csv: memory: ");
    CHECK_TEXT(gr_graph_error(g), part);
    gr_graph_destroy(g);
    if (test_failures > before) printf("    %s\n", text);
}
#define refuses(text, part, ...) \
    refuses_n(text, strlen(text), (gr_csv_options)__VA_ARGS__, GR_ERR_FORMAT, part)

static void test_errors_say_where(void)
{
    refuses("1,2\n3,x\n", "line 2, column 2: \"x\" is no number", NONE);
    refuses("a,b\n1,2\n\n# c\n3,4 5", "line 5, column 2: \"4 5\" is no number",
            {.header = true, .comment = '#'});
    refuses("1,2\n3,\n", "line 2, column 2: a number is missing", NONE);
    refuses("1,2\n,3\n", "line 2, column 1: a number is missing", NONE);
    refuses("1\n\"\"\n", "line 2, column 1: a number is missing", NONE);
    refuses("1\nNA\n", "line 2, column 1: \"NA\" stands for a number that is missing",
            {.missing_text = "NA"});
    refuses("1\nNAN0\n", "\"NAN0\" is no number", {.missing_text = "NA"});
    refuses("1,2\n3,4,5\n", "line 2, column 3: the row goes on; expected 2 fields, as in line 1", NONE);
    refuses("1,2\n3\n", "line 2, column 1: the row ends here; expected 2 fields, as in line 1", NONE);
    refuses("\n1,2\r\n3,4\r\n5,6,\r\n", "line 4, column 3: the row goes on; expected 2 fields, as in line 2",
            NONE);
    refuses("a,b,c\n1,2\n", "line 2, column 2: the row ends here; expected 3 fields, as in line 1",
            {.header = true});
    refuses("\"a\nb\",c\n1,2\n3\n", "line 4, column 1: the row ends here; expected 2 fields, as in line 1",
            {.header = true});
    refuses("1,\"2\n3,4\n", "line 1, column 2: quotes without an end", NONE);
    refuses("1,\"2", "line 1, column 2: quotes without an end", NONE);
    refuses("\"1\"2,3", "line 1, column 1: text behind quotes", NONE);
    refuses("\"1\"\"2\",3", "line 1, column 1: \"1\"\"2\" is no number", NONE);
    refuses("\"1\"2 3", "text behind quotes", {.separator = ' '});
    refuses("1,2\"\"", "\"2\"\"\" is no number", NONE);
    refuses("\"1\n\",3", "line 1, column 1: \"1?\" is no number", NONE);
    refuses("", "there is no line with names", {.header = true});
    refuses("#x", "there is no line with names", {.header = true, .comment = '#'});
    refuses("1e39", "line 1, column 1: \"1e39\" is beyond the range of f32", NONE);
    refuses("3.4028236e38", "is beyond the range of f32", NONE);
    refuses("-1.8e308", "is beyond the range of f64", {.type = GR_F64});
    refuses("1,99999999999999999999999999999999999999999999999999x",
            "column 2: \"9999999999999999999999999999999999999999\"... is no number", NONE);
    refuses("1\x01\xff", "\"1??\" is no number", NONE);
    refuses_n("1\0,2", 4, (gr_csv_options){.skip = 0}, GR_ERR_FORMAT,
              "line 1, column 1: \"1?\" is no number");
}

static void test_what_is_no_number(void)
{
    static const char *const texts[] = {"0x10", "1e",   "1e+",   "e5",   ".",   "-",      "+",     "--1",
                                        "+-1",  "1..2", "1.2.3", "1,5x", "1_0", "nan(1)", "infin", "in",
                                        "nano", "1 2",  "'1'",   "1f",   "1d0", "٣",      "1e5.5", "-.e1",
                                        ".e1",  "inf5", "true",  "1;2",  "$1",  "1%"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        refuses(texts[i], "is no number", {.separator = '|'});
}

static void test_options(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_csv csv;
    static const gr_csv_options bad[] = {
        {.type = GR_I32},
        {.type = GR_BOOL},
        {.separator = 'e'},
        {.separator = '1'},
        {.separator = '.'},
        {.separator = '-'},
        {.separator = '"'},
        {.separator = '\n'},
        {.comment = ','},
        {.comment = '-'},
        {.comment = '5'},
        {.separator = ';', .comment = ';'},
        {.comment = ' '},
        {.comment = '"'},
        {.skip = -1},
        {.missing = (gr_csv_missing)3},
        {.missing = (gr_csv_missing)-1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(gr_csv_parse(g, "1", 1, &bad[i], &csv) == GR_ERR_ARGUMENT);
        CHECK_TEXT(gr_graph_error(g), "csv: options: ");
        gr_graph_clear_error(g);
    }
    CHECK(gr_csv_parse(g, NULL, 1, NULL, &csv) == GR_ERR_ARGUMENT);
    CHECK(gr_csv_parse(g, "1", 1, NULL, &csv) == GR_ERR_ARGUMENT); /* pending */
    gr_graph_clear_error(g);
    CHECK(gr_csv_parse(g, "1", 1, NULL, NULL) == GR_ERR_ARGUMENT);
    gr_graph_clear_error(g);
    CHECK(gr_csv_parse(NULL, "1", 1, NULL, &csv) == GR_ERR_HANDLE);
    CHECK(gr_csv_read_file(g, "no/such/file", NULL, &csv) == GR_ERR_IO);
    CHECK_TEXT(gr_graph_error(g), "csv: no/such/file: cannot be opened: No such file");
    gr_graph_clear_error(g);
    CHECK(gr_csv_read_file(g, ".", NULL, &csv) == GR_ERR_IO);
    gr_graph_clear_error(g);
    const char *path = "test_csv.csv";
    FILE *file = fopen(path, "wb");
    CHECK(file && fputs("1,2\n", file) >= 0 && fclose(file) == 0);
    CHECK(gr_csv_read_file(g, path, NULL, &csv) == GR_OK && GR_AT(csv.table, 0, 1) == 2);
    remove(path);
    gr_graph_destroy(g);
}

/* ---- Failing ---- */

/* Memory is taken for what is there: a large table within a limit that has room for text and table. */
static void test_large_tables(void)
{
    enum { ROWS = 200000 };
    blob b = {malloc(ROWS * 4 + 1), 0, 0};
    for (int i = 0; i < ROWS; i++) b.n += (size_t)sprintf((char *)b.bytes + b.n, "%d,%d\n", i % 10, i % 7);
    for (int way = 0; way < 3; way++) {
        gr_graph *g = gr_graph_create(&(gr_graph_options){.byte_limit = 16 * ROWS});
        FILE *stream = way == 1 ? as_file(b.bytes, b.n) : way == 2 ? as_pipe(b.bytes, b.n) : NULL;
        gr_csv csv;
        CHECK((stream ? gr_csv_read(g, stream, "large", NULL, &csv)
                      : gr_csv_parse(g, b.bytes, b.n, NULL, &csv)) == GR_OK);
        CHECK(gr_dim(csv.table, 0) == ROWS && GR_AT(csv.table, ROWS - 1, 0) == 9);
        if (stream) fclose(stream);
        gr_graph_destroy(g);
        g = gr_graph_create(&(gr_graph_options){.byte_limit = 3 * ROWS});
        CHECK(gr_csv_parse(g, b.bytes, b.n, NULL, &csv) == GR_ERR_LIMIT);
        gr_graph_destroy(g);
    }
    blob_free(&b);
}

static void test_streams_that_break(void)
{
    gr_graph *g = gr_graph_create(NULL);
    for (size_t n = 0; n < 12; n++) {
        FILE *stream = as_broken("1,2\n3,4\n5,6\n", n);
        gr_csv csv;
        CHECK(gr_csv_read(g, stream, "broken", NULL, &csv) == GR_ERR_IO && !gr_is_valid(csv.table));
        CHECK_TEXT(gr_graph_error(g), "csv: broken: cannot be read: Connection reset");
        fclose(stream);
        gr_graph_clear_error(g);
    }
    gr_graph_destroy(g);
}

static void test_every_allocation_fails(void)
{
    bool whole = false;
    for (long n = 1; !whole && n < 100; n++) {
        ledger books = {.fail_at = n, .fail_after = true};
        gr_graph *g = ledger_graph(&books, 0);
        if (!g) continue;
        const size_t used = gr_graph_memory(g).used;
        FILE *stream = as_pipe("a,b\n1,2\n3,4\n5,6\n", 16);
        gr_csv csv;
        whole = gr_csv_read(g, stream, "stream", &(gr_csv_options){.header = true}, &csv) == GR_OK;
        CHECK(gr_graph_status(g) == (whole ? GR_OK : GR_ERR_MEMORY) && gr_is_valid(csv.table) == whole);
        CHECK(whole || gr_graph_memory(g).used <= used + 1024); /* the table of kept tensors */
        fclose(stream);
        gr_graph_destroy(g);
        CHECK(ledger_balances(&books));
    }
    CHECK(whole);
}

int main(void)
{
    RUN(test_forms);
    RUN(test_numbers);
    RUN(test_missing);
    RUN(test_names);
    RUN(test_round_trip);
    RUN(test_hard_numbers);
    RUN(test_locales);
    RUN(test_errors_say_where);
    RUN(test_what_is_no_number);
    RUN(test_options);
    RUN(test_large_tables);
    RUN(test_streams_that_break);
    RUN(test_every_allocation_fails);
    return TEST_EXIT;
}
