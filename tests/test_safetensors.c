/*
 * Files of tensors, read: what others wrote; every lie that a header can tell; from memory, files, pipes and streams
 * that break off.
 */
#include "gradus.h"
#include "foreign_files.h"
#include "ledger.h"
#include "sources.h"
#include "test.h"

#include <inttypes.h>

enum { MOST_BYTES = 1 << 22 };

/* ---- Making files ---- */

/* A file with that header, whatever it is, and so many bytes of data. */
static blob make_file(const char *header, size_t n_data)
{
    blob b = {NULL, 0, 0};
    const size_t n = strlen(header);
    char length[8];
    for (int i = 0; i < 8; i++) length[i] = (char)(n >> (8 * i));
    blob_write(length, 8, &b);
    blob_write(header, n, &b);
    for (size_t i = 0; i < n_data; i++) blob_write(&(char){(char)i}, 1, &b);
    return b;
}

/* Reads a file in all ways, which must agree; true: it is sound. The message is left in `message`. */
static char message[1024];
static bool is_sound(const blob *b, const char *part)
{
    bool sound[4];
    for (int way = 0; way < 4; way++) {
        ledger books = {0};
        gr_graph *g = ledger_graph(&books, MOST_BYTES);
        uint8_t *exact = malloc(b->n + (b->n == 0)); /* sanitizers see a read beyond it */
        memcpy(exact, b->bytes, b->n);
        FILE *stream = way == 1   ? as_file(exact, b->n)
                       : way == 2 ? as_pipe(exact, b->n)
                       : way == 3 ? fmemopen(exact, b->n, "rb")
                                  : NULL;
        gr_safetensors *f = stream ? gr_safetensors_read(g, stream, "stream")
                                   : gr_safetensors_parse(g, exact, b->n);
        if (stream) fclose(stream);
        sound[way] = f != NULL;
        CHECK((gr_graph_status(g) == GR_OK) == sound[way]);
        if (!sound[way]) {
            CHECK(gr_graph_status(g) == GR_ERR_FORMAT);
            CHECK_TEXT(gr_graph_error(g), stream ? "safetensors: stream: " : "safetensors: memory: ");
            if (part) CHECK_TEXT(gr_graph_error(g), part);
            snprintf(message, sizeof message, "%s", gr_graph_error(g));
        }
        gr_safetensors_close(f);
        gr_graph_destroy(g);
        CHECK(ledger_balances(&books));
        free(exact);
    }
    CHECK(sound[0] == sound[1] && sound[0] == sound[2] && sound[0] == sound[3]);
    return sound[0];
}

/* ---- What others wrote ---- */

static double element(gr_graph *g, const gr_safetensors *f, const char *name, gr_type type, int64_t i)
{
    const gr_tensor t = gr_safetensors_tensor(g, f, gr_safetensors_find(f, name));
    CHECK(gr_is_valid(t) && gr_type_of(t) == type);
    const double value = GR_AT(gr_reshape(t, GR_SHAPE(-1)), i);
    CHECK(gr_release(t) == GR_OK);
    return value;
}

static void test_reads_all_types(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_safetensors *f = gr_safetensors_parse(g, BYTES(st_all));
    CHECK(f && gr_safetensors_count(f) == 15);
    CHECK(element(g, f, "half", GR_F32, 0) == 1.5);
    CHECK(element(g, f, "half", GR_F32, 1) == -0x1p-24); /* the smallest */
    CHECK(element(g, f, "half", GR_F32, 2) == INFINITY);
    CHECK(element(g, f, "single", GR_F32, 5) == 6.25);
    CHECK(element(g, f, "double", GR_F64, 0) == -1.0 / 3);
    CHECK(element(g, f, "bytes", GR_I32, 1) == 255);
    CHECK(element(g, f, "signed", GR_I32, 0) == -128);
    CHECK(element(g, f, "short", GR_I32, 0) == -32768);
    CHECK(element(g, f, "ushort", GR_I32, 0) == 65535);
    CHECK(element(g, f, "int", GR_I32, 0) == INT32_MIN && element(g, f, "int", GR_I32, 1) == INT32_MAX);
    CHECK(element(g, f, "uint", GR_I32, 0) == 7);
    CHECK(element(g, f, "long", GR_I32, 0) == INT32_MIN && element(g, f, "long", GR_I32, 1) == INT32_MAX);
    CHECK(element(g, f, "ulong", GR_I32, 0) == 9);
    CHECK(element(g, f, "mask", GR_BOOL, 0) == 1 && element(g, f, "mask", GR_BOOL, 1) == 0);
    CHECK(element(g, f, "café \"quoted\"\n", GR_F64, 0) == 2.5);
    const gr_safetensors_entry e = gr_safetensors_at(f, gr_safetensors_find(f, "empty"));
    CHECK(e.shape.ndim == 2 && e.shape.dims[0] == 0 && e.shape.dims[1] == 3 && e.bytes == 0);
    CHECK(strcmp(e.type, "F32") == 0 && strcmp(e.name, "empty") == 0);
    CHECK(gr_graph_status(g) == GR_OK);
    CHECK(!gr_is_valid(gr_safetensors_tensor(g, f, gr_safetensors_find(f, "beyond"))));
    CHECK(gr_graph_status(g) == GR_ERR_TYPE);
    CHECK_TEXT(gr_graph_error(g), "memory: tensor \"beyond\": element 1 is 2147483648: i32 cannot hold it");
    gr_graph_destroy(g);
}

static void test_reads_metadata(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_safetensors *f = gr_safetensors_parse(g, BYTES(st_all));
    CHECK(gr_safetensors_metadata_count(f) == 1);
    CHECK(strcmp(gr_safetensors_metadata_at(f, 0).key, "made by") == 0);
    CHECK(strcmp(gr_safetensors_metadata(f, "made by"), "safetensors 0.8, ü \"x\"\n") == 0);
    CHECK(!gr_safetensors_metadata(f, "made") && !gr_safetensors_metadata(f, NULL));
    CHECK(!gr_safetensors_metadata_at(f, 1).key && !gr_safetensors_metadata_at(f, -1).value);
    gr_graph_destroy(g);
}

static void test_asks(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_safetensors *f = gr_safetensors_parse(g, BYTES(st_model));
    CHECK(gr_safetensors_count(f) == 4 && gr_safetensors_find(f, "none") == -1);
    for (int i = 0; i < 4; i++) CHECK(gr_safetensors_find(f, gr_safetensors_at(f, i).name) == i);
    CHECK(!gr_safetensors_at(f, 4).name && !gr_safetensors_at(f, -1).name);
    CHECK(gr_safetensors_find(f, NULL) == -1 && gr_safetensors_find(NULL, "x") == -1);
    CHECK(gr_safetensors_count(NULL) == 0 && !gr_safetensors_at(NULL, 0).name);
    CHECK(gr_safetensors_metadata_count(NULL) == 0 && !gr_safetensors_metadata(NULL, "x"));
    CHECK(!gr_is_valid(gr_safetensors_tensor(g, f, 4)) && gr_graph_status(g) == GR_ERR_INDEX);
    gr_graph_clear_error(g);
    CHECK(!gr_is_valid(gr_safetensors_tensor(g, NULL, 0)) && gr_graph_status(g) == GR_ERR_HANDLE);
    CHECK(!gr_safetensors_parse(g, BYTES(st_model))); /* pending */
    gr_graph_clear_error(g);
    CHECK(!gr_safetensors_parse(g, NULL, 3) && gr_graph_status(g) == GR_ERR_ARGUMENT);
    gr_graph_clear_error(g);
    CHECK(!gr_safetensors_open(g, NULL) && gr_graph_status(g) == GR_ERR_ARGUMENT);
    gr_graph_clear_error(g);
    CHECK(!gr_safetensors_open(g, "no/such/file") && gr_graph_status(g) == GR_ERR_IO);
    CHECK_TEXT(gr_graph_error(g), "safetensors: no/such/file: cannot be opened: ");
    gr_graph_clear_error(g);
    CHECK(!gr_safetensors_open(g, ".") && gr_graph_status(g) == GR_ERR_IO);
    CHECK(!gr_safetensors_parse(NULL, BYTES(st_model)) && !gr_safetensors_open(NULL, "x"));
    gr_safetensors_close(NULL);
    gr_graph_destroy(g);
}

/* Tensors outlive the file that they are from; a file may belong to one graph and its tensors to another; the path may be
   gone when a message names it. */
static void test_lifetimes(void)
{
    gr_graph *g = gr_graph_create(NULL), *other = gr_graph_create(NULL);
    char path[] = "test_safetensors_XXXXXX", copy[64];
    const int descriptor = mkstemp(path);
    CHECK(descriptor >= 0 && write(descriptor, BYTES(st_all)) == (ssize_t)sizeof st_all - 1);
    close(descriptor);
    snprintf(copy, sizeof copy, "%s", path);
    gr_safetensors *f = gr_safetensors_open(other, copy);
    memset(copy, 'x', sizeof copy - 1);
    unlink(path);
    const gr_tensor t = gr_safetensors_tensor(g, f, gr_safetensors_find(f, "single"));
    CHECK(!gr_is_valid(gr_safetensors_tensor(g, f, gr_safetensors_find(f, "beyond"))));
    CHECK_TEXT(gr_graph_error(g), path);
    gr_graph_clear_error(g);
    gr_graph_destroy(other);
    CHECK(GR_AT(t, 1, 2) == 6.25);
    gr_graph_destroy(g);
}

/* ---- Headers ---- */

typedef struct header_case {
    const char *header;
    size_t n_data;
    const char *why; /* NULL: sound */
} header_case;

#define T(rest) "{\"t\":{" rest "}}"
#define U8_2    "\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]"

static const header_case header_cases[] = {
    {"{}", 0, NULL},
    {"{}      \n\t\r ", 0, NULL},
    {"{}", 1, "found 1: the file is too long"},
    {T(U8_2), 2, NULL},
    {T(U8_2), 1, "the tensors take 2 bytes behind the header; found 1: the file is truncated"},
    {T(U8_2), 3, "too long"},
    {"{ \"t\" : { \"shape\" : [ 2 ] , \"data_offsets\" : [ 0 , 2 ] , \"dtype\" : \"U8\" } } ", 2, NULL},
    {" {}", 0, "byte 8 of the file, in its header: expected {"},
    {"[]", 0, "expected {"},
    {"  ", 0, "expected {"},
    {"{}{}", 0, "byte 10 of the file, in its header: text behind the header"},
    {"{}x", 0, "text behind the header"},
    {"{,}", 0, "expected a string"},
    {"{\"t\"}", 0, "expected :"},
    {"{\"t\":1}", 0, "expected {"},
    {"{\"t\":null}", 0, "expected {"},
    {"{\"t\":[]}", 0, "expected {"},
    {T(""), 0, "tensor \"t\": it needs dtype, shape and data_offsets"},
    {"{\"t\":{" U8_2 "},}", 2, "expected a string"},
    {"{\"t\":{" U8_2 ",}}", 2, "expected a string"},
    {"{\"t\":{" U8_2 "}", 2, "expected , or }"},
    {"{\"t\":{" U8_2, 2, "expected , or }"},
    {"{\"t\":{" U8_2 "} \"u\"}", 2, "expected , or }"},
    {T("\"dtype\":\"U8\",\"shape\":[2]"), 2, "it needs dtype, shape and data_offsets, and lacks some"},
    {T(U8_2 ",\"extra\":1"), 2, "it has a field that the format does not"},
    {T(U8_2 ",\"dtype\":\"U8\""), 2, "it has a field twice"},
    {T("\"dtype\":\"U9\",\"shape\":[2],\"data_offsets\":[0,2]"), 2, "its type is none that is known"},
    {T("\"dtype\":\"u8\",\"shape\":[2],\"data_offsets\":[0,2]"), 2, "its type is none that is known"},
    {T("\"dtype\":8,\"shape\":[2],\"data_offsets\":[0,2]"), 2, "expected a string"},
    /* Offsets. */
    {T("\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,3]"), 3,
     "U8 [2] takes 2 bytes, but its offsets are 0 and 3"},
    {T("\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,0]"), 2, "its offsets are 2 and 0"},
    {T("\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]"), 3, "it begins at 1, expected 0"},
    {T("\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0]"), 2, "it needs two offsets"},
    {T("\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[]"), 2, "it needs two offsets"},
    {T("\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2,4]"), 2, "more than two offsets"},
    {T("\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2"), 2, "expected , or ]"},
    {T("\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,9223372036854775808]"), 2,
     "an integer of more than 63 bits"},
    {T("\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[9223372036854775805,9223372036854775807]"), 2,
     "it begins at 9223372036854775805"},
    /* Numbers. */
    {T("\"dtype\":\"U8\",\"shape\":[-2],\"data_offsets\":[0,2]"), 2, "expected an integer, not negative"},
    {T("\"dtype\":\"U8\",\"shape\":[2.0],\"data_offsets\":[0,2]"), 2, "without fraction or exponent"},
    {T("\"dtype\":\"U8\",\"shape\":[2e0],\"data_offsets\":[0,2]"), 2, "without fraction or exponent"},
    {T("\"dtype\":\"U8\",\"shape\":[1e3],\"data_offsets\":[0,2]"), 2, "without fraction or exponent"},
    {T("\"dtype\":\"U8\",\"shape\":[02],\"data_offsets\":[0,2]"), 2, "an integer that begins with 0"},
    {T("\"dtype\":\"U8\",\"shape\":[00],\"data_offsets\":[0,0]"), 0, "an integer that begins with 0"},
    {T("\"dtype\":\"U8\",\"shape\":[+2],\"data_offsets\":[0,2]"), 2, "expected an integer"},
    {T("\"dtype\":\"U8\",\"shape\":[\"2\"],\"data_offsets\":[0,2]"), 2, "expected an integer"},
    {T("\"dtype\":\"U8\",\"shape\":[2,],\"data_offsets\":[0,2]"), 2, "expected an integer"},
    {T("\"dtype\":\"U8\",\"shape\":2,\"data_offsets\":[0,2]"), 2, "expected ["},
    {T("\"dtype\":\"U8\",\"shape\":[[2]],\"data_offsets\":[0,2]"), 2, "expected an integer"},
    {T("\"dtype\":\"U8\",\"shape\":[NaN],\"data_offsets\":[0,2]"), 2, "expected an integer"},
    /* Shapes. */
    {T("\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]"), 8, NULL},
    {T("\"dtype\":\"U8\",\"shape\":[1,1,1,2,1,1,1,1],\"data_offsets\":[0,2]"), 2, NULL},
    {T("\"dtype\":\"U8\",\"shape\":[1,1,1,2,1,1,1,1,1],\"data_offsets\":[0,2]"), 2, "more than 8 axes"},
    {T("\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]"), 0,
     "F32 [4294967296, 4294967296]: more bytes than fit in 63 bits"},
    {T("\"dtype\":\"F32\",\"shape\":[0,4294967296,4294967296],\"data_offsets\":[0,0]"), 0, "63 bits"},
    {T("\"dtype\":\"F64\",\"shape\":[1152921504606846976],\"data_offsets\":[0,0]"), 0, "63 bits"},
    {T("\"dtype\":\"F64\",\"shape\":[4611686018427387904,2],\"data_offsets\":[0,0]"), 0, "63 bits"},
    {T("\"dtype\":\"F64\",\"shape\":[576460752303423488],\"data_offsets\":[0,4611686018427387904]"), 9,
     "found 9: the file is truncated"},
    /* Several tensors: overlaps, holes, empty ones. */
    {"{\"a\":{" U8_2 "},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}", 4, NULL},
    {"{\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]},\"a\":{" U8_2 "}}", 4, NULL},
    {"{\"a\":{" U8_2 "},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", 3,
     "tensor \"b\": it begins at 1, expected 2, where the one before it ends: they overlap"},
    {"{\"a\":{" U8_2 "},\"b\":{" U8_2 "}}", 2, "they overlap"},
    {"{\"a\":{" U8_2 "},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[3,5]}}", 5,
     "there is a hole"},
    {"{\"a\":{" U8_2 "},\"e\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[0,0]},"
     "\"f\":{\"dtype\":\"F64\",\"shape\":[0,7],\"data_offsets\":[2,2]}}",
     2, NULL},
    {"{\"a\":{" U8_2 "},\"e\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[1,1]}}", 2, "they overlap"},
    {"{\"a\":{" U8_2 "},\"e\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[3,3]}}", 2,
     "there is a hole"},
    {"{\"a\":{" U8_2 "},\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}", 4,
     "tensor \"a\": it is there twice"},
    {"{\"a\":{" U8_2 "},\"\\u0061\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}", 4,
     "tensor \"a\": it is there twice"},
    /* Metadata. */
    {"{\"__metadata__\":{}}", 0, NULL},
    {"{\"__metadata__\":{\"a\":\"b\",\"b\":\"\"}}", 0, NULL},
    {"{\"__metadata__\":{\"a\":\"b\",\"a\":\"b\"}}", 0, "metadata \"a\" are there twice"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "metadata are there twice"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "expected a string"},
    {"{\"__metadata__\":{\"a\":{}}}", 0, "expected a string"},
    {"{\"__metadata__\":[]}", 0, "expected {"},
    {"{\"__metadata__\":{\"a\":\"b\",}}", 0, "expected a string"},
    {"{\"__metadata__\":{\"a\":\"b\"", 0, "expected , or }"},
    /* Strings. */
    {"{\"__metadata__\":{\"\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\ude00\"}}", 0, NULL},
    {"{\"__metadata__\":{\"a\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbe\"}}", 0, NULL},
    {"{\"__metadata__\":{\"a\":\"\\x\"}}", 0, "no such escape"},
    {"{\"__metadata__\":{\"a\":\"\\u12\"}}", 0, "expected four hexadecimal digits"},
    {"{\"__metadata__\":{\"a\":\"\\u12g4\"}}", 0, "expected four hexadecimal digits"},
    {"{\"__metadata__\":{\"a\":\"\\u0000\"}}", 0, "a zero byte in a string"},
    {"{\"__metadata__\":{\"a\":\"\\ud83d\"}}", 0, "half a character in a string"},
    {"{\"__metadata__\":{\"a\":\"\\ud83dx\"}}", 0, "half a character in a string"},
    {"{\"__metadata__\":{\"a\":\"\\ud83d\\u0041\"}}", 0, "half a character in a string"},
    {"{\"__metadata__\":{\"a\":\"\\ude00\"}}", 0, "half a character in a string"},
    {"{\"__metadata__\":{\"a\":\"\n\"}}", 0, "a control character in a string"},
    {"{\"__metadata__\":{\"a\":\"\xff\"}}", 0, "not valid UTF-8"},
    {"{\"__metadata__\":{\"a\":\"\xc3\"}}", 0, "not valid UTF-8"},
    {"{\"__metadata__\":{\"a\":\"\xc0\x80\"}}", 0, "not valid UTF-8"},
    {"{\"__metadata__\":{\"a\":\"\xed\xa0\x80\"}}", 0, "not valid UTF-8"},
    {"{\"__metadata__\":{\"a\":\"\xf4\x90\x80\x80\"}}", 0, "not valid UTF-8"},
    {"{\"__metadata__\":{\"a\":\"\xe2\x82", 0, "not valid UTF-8"},
    {"{\"__metadata__\":{\"a\":\"b", 0, "the text ends within a string"},
    {"{\"__metadata__\":{\"a\":\"b\\", 0, "the text ends within a string"},
    {"{'t':{}}", 0, "expected a string"},
};

static void test_headers(void)
{
    for (size_t i = 0; i < sizeof header_cases / sizeof *header_cases; i++) {
        const header_case *c = &header_cases[i];
        blob b = make_file(c->header, c->n_data);
        const int before = test_failures;
        CHECK(is_sound(&b, c->why) == !c->why);
        if (test_failures > before) printf("    %s: %s\n", c->header, message);
        blob_free(&b);
    }
}

/* Escapes become the characters that they stand for, in UTF-8. */
static void test_escapes(void)
{
    blob b = make_file("{\"__metadata__\":{\"k\":"
                       "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20aC\\uD83D\\uDe00\\u007f\"}}",
                       0);
    gr_graph *g = gr_graph_create(NULL);
    gr_safetensors *f = gr_safetensors_parse(g, b.bytes, b.n);
    const char *value = gr_safetensors_metadata(f, "k");
    CHECK(value && strcmp(value, "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f") == 0);
    gr_graph_destroy(g);
    blob_free(&b);
}

/* ---- Lengths ---- */

static void test_every_truncation(void)
{
    for (size_t n = 0; n < sizeof st_all - 1; n += n < 20 || n > 900 ? 1 : 7) {
        blob b = {(uint8_t *)(uintptr_t)st_all, n, 0};
        CHECK(!is_sound(&b, n < 8 ? "not a safetensors file" : NULL));
    }
    blob whole = {(uint8_t *)(uintptr_t)st_all, sizeof st_all - 1, 0};
    CHECK(is_sound(&whole, NULL));
    blob longer = {(uint8_t *)(uintptr_t)st_all, sizeof st_all, 0}; /* with the zero of the literal */
    CHECK(!is_sound(&longer, "too long"));
}

static void test_lengths_of_headers(void)
{
    static const uint64_t lengths[] = {
        0, 1, 100000001, UINT64_C(1) << 31, UINT64_C(1) << 32, INT64_MAX, UINT64_MAX, UINT64_MAX - 7};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        blob b = make_file("{}", 100);
        for (int k = 0; k < 8; k++) b.bytes[k] = (uint8_t)(lengths[i] >> (8 * k));
        char text[64];
        snprintf(text, sizeof text, "a header of %" PRIu64 " bytes, expected 2 to 100000000", lengths[i]);
        CHECK(!is_sound(&b, text));
        blob_free(&b);
    }
    /* One that is allowed, but not there. */
    blob b = make_file("{}", 100);
    b.bytes[2] = 200;
    CHECK(!is_sound(&b, "the file ends within its header: found 102 bytes of it, expected 13107202"));
    blob_free(&b);
}

/* What only a header claims takes no memory. */
static void test_lies_take_no_memory(void)
{
    blob tensor = make_file("{\"t\":{\"dtype\":\"F64\",\"shape\":[1073741824,1048576],"
                            "\"data_offsets\":[0,9007199254740992]}}",
                            100);
    blob header = make_file("{}", 100);
    header.bytes[3] = 5; /* 84 MB of header */
    const blob lies[] = {tensor, header};
    for (int i = 0; i < 2; i++) {
        for (int way = 0; way < 3; way++) {
            gr_graph *g = gr_graph_create(NULL);
            FILE *stream = way == 1   ? as_file(lies[i].bytes, lies[i].n)
                           : way == 2 ? as_pipe(lies[i].bytes, lies[i].n)
                                      : NULL;
            CHECK(!(stream ? gr_safetensors_read(g, stream, "lie")
                           : gr_safetensors_parse(g, lies[i].bytes, lies[i].n)));
            CHECK(gr_graph_status(g) == GR_ERR_FORMAT);
            CHECK(gr_graph_memory(g).reserved_peak < 1 << 15);
            if (stream) fclose(stream);
            gr_graph_destroy(g);
        }
    }
    blob_free(&tensor);
    blob_free(&header);
}

/* ---- Sizes ---- */

/* Nothing calls itself, however deep a text nests. */
static void test_deep_nesting(void)
{
    enum { DEPTH = 1000000 };
    static const char *const openings[] = {"[", "{\"a\":", "{\"__metadata__\":"};
    for (int i = 0; i < 3; i++) {
        blob header = {NULL, 0, 0}, b = {NULL, 0, 0};
        const size_t n = strlen(openings[i]);
        header.bytes = malloc(DEPTH * n + 1);
        for (size_t k = 0; k < DEPTH; k++) memcpy(header.bytes + k * n, openings[i], n);
        header.bytes[DEPTH * n] = '\0';
        b = make_file((const char *)header.bytes, 0);
        gr_graph *g = gr_graph_create(NULL);
        CHECK(!gr_safetensors_parse(g, b.bytes, b.n) && gr_graph_status(g) == GR_ERR_FORMAT);
        gr_graph_destroy(g);
        blob_free(&header);
        blob_free(&b);
    }
}

/* Many tensors, in a hostile order; and all of them in one place. */
static void test_many_tensors(void)
{
    enum { N = 30000 };
    for (int overlap = 0; overlap < 2; overlap++) {
        char *header = malloc(N * 80);
        size_t n = 0;
        for (int i = N; i-- > 0;)
            n += (size_t)sprintf(header + n,
                                 "%s\"t%05d\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}",
                                 i == N - 1 ? "{" : ",", i, overlap ? 0 : i, overlap ? 1 : i + 1);
        header[n++] = '}';
        header[n] = '\0';
        blob b = make_file(header, N);
        gr_graph *g = gr_graph_create(NULL);
        gr_safetensors *f = gr_safetensors_parse(g, b.bytes, b.n);
        CHECK((f == NULL) == (overlap == 1));
        CHECK(gr_safetensors_count(f) == (overlap ? 0 : N));
        int wrong = 0;
        for (int i = 0; i < N && f; i++) {
            char name[16];
            snprintf(name, sizeof name, "t%05d", i);
            const gr_safetensors_entry e = gr_safetensors_at(f, gr_safetensors_find(f, name));
            wrong += !e.name || strcmp(e.name, name) != 0 || *(const uint8_t *)e.data != (uint8_t)i;
        }
        CHECK(wrong == 0);
        gr_graph_destroy(g);
        free(header);
        blob_free(&b);
    }
}

/* ---- Failing ---- */

static void test_streams_that_break(void)
{
    for (size_t n = 0; n < sizeof st_model - 1; n += 3) {
        gr_graph *g = gr_graph_create(NULL);
        FILE *stream = as_broken(st_model, n);
        CHECK(!gr_safetensors_read(g, stream, "broken") && gr_graph_status(g) == GR_ERR_IO);
        CHECK_TEXT(gr_graph_error(g), "safetensors: broken: cannot be read: Connection reset");
        fclose(stream);
        gr_graph_destroy(g);
    }
}

static void test_masks_are_masks(void)
{
    blob b = make_file(T("\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[0,3]"), 3); /* 0, 1, 2 */
    gr_graph *g = gr_graph_create(NULL);
    gr_safetensors *f = gr_safetensors_parse(g, b.bytes, b.n);
    CHECK(!gr_is_valid(gr_safetensors_tensor(g, f, 0)) && gr_graph_status(g) == GR_ERR_FORMAT);
    CHECK_TEXT(gr_graph_error(g), "tensor \"t\": element 2 is 2: a mask has 0 and 1");
    gr_graph_destroy(g);
    blob_free(&b);
    b = make_file(T("\"dtype\":\"F8_E4M3\",\"shape\":[2],\"data_offsets\":[0,2]"), 2);
    g = gr_graph_create(NULL);
    f = gr_safetensors_parse(g, b.bytes, b.n);
    CHECK(f && gr_safetensors_at(f, 0).bytes == 2);
    CHECK(!gr_is_valid(gr_safetensors_tensor(g, f, 0)) && gr_graph_status(g) == GR_ERR_TYPE);
    CHECK_TEXT(gr_graph_error(g), "no tensor can hold elements of type F8_E4M3");
    gr_graph_destroy(g);
    blob_free(&b);
}

/* All numbers of two bytes, as f32 has them. */
static void test_half_precision(void)
{
    enum { N = 65536 };
    for (int brain = 0; brain < 2; brain++) {
        blob b = make_file(brain ? T("\"dtype\":\"BF16\",\"shape\":[65536],\"data_offsets\":[0,131072]")
                                 : T("\"dtype\":\"F16\",\"shape\":[65536],\"data_offsets\":[0,131072]"),
                           2 * N);
        for (uint32_t i = 0; i < N; i++) {
            b.bytes[b.n - 2 * N + 2 * i] = (uint8_t)i;
            b.bytes[b.n - 2 * N + 2 * i + 1] = (uint8_t)(i >> 8);
        }
        gr_graph *g = gr_graph_create(NULL);
        const gr_tensor t = gr_safetensors_tensor(g, gr_safetensors_parse(g, b.bytes, b.n), 0);
        const float *x = gr_data(t);
        const int fraction_bits = brain ? 7 : 10, bias = brain ? 127 : 15, top = brain ? 255 : 31;
        int wrong = 0;
        for (int i = 0; i < N && x; i++) {
            const int exponent = i >> fraction_bits & top, fraction = i & ((1 << fraction_bits) - 1);
            const double sign = i & 0x8000 ? -1 : 1, scale = ldexp(1, -fraction_bits);
            const double value = exponent ? ldexp(1 + fraction * scale, exponent - bias)
                                          : ldexp(fraction * scale, 1 - bias);
            if (exponent < top)
                wrong += (double)x[i] != sign * value || !signbit(x[i]) != (sign > 0);
            else
                wrong += fraction ? !isnan(x[i]) : (double)x[i] != sign * INFINITY;
        }
        CHECK(x && wrong == 0);
        gr_graph_destroy(g);
        blob_free(&b);
    }
}

static void test_every_allocation_fails(void)
{
    for (int piped = 0; piped < 2; piped++) {
        bool whole = false;
        for (long n = 1; !whole; n++) {
            ledger books = {.fail_at = n, .fail_after = true};
            gr_graph *g = ledger_graph(&books, 0);
            if (!g) continue;
            const size_t used = gr_graph_memory(g).used;
            FILE *stream = piped ? as_pipe(BYTES(st_all)) : as_file(BYTES(st_all));
            gr_safetensors *f = gr_safetensors_read(g, stream, "stream");
            const gr_tensor t = f ? gr_safetensors_tensor(g, f, 9) : (gr_tensor){g, 0, 0};
            whole = gr_is_valid(t);
            CHECK(gr_graph_status(g) == (whole ? GR_OK : GR_ERR_MEMORY));
            if (!f) CHECK(gr_graph_memory(g).used == used);
            fclose(stream);
            gr_graph_destroy(g);
            CHECK(ledger_balances(&books));
            CHECK(n < 100);
        }
    }
}

int main(void)
{
    RUN(test_reads_all_types);
    RUN(test_reads_metadata);
    RUN(test_asks);
    RUN(test_lifetimes);
    RUN(test_headers);
    RUN(test_escapes);
    RUN(test_every_truncation);
    RUN(test_lengths_of_headers);
    RUN(test_lies_take_no_memory);
    RUN(test_deep_nesting);
    RUN(test_many_tensors);
    RUN(test_streams_that_break);
    RUN(test_masks_are_masks);
    RUN(test_half_precision);
    RUN(test_every_allocation_fails);
    return TEST_EXIT;
}
