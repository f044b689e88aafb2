/* NumPy's arrays: what it wrote, what it will read, and every lie that a header can tell. */
#include "gradus.h"
#include "io/elements.h"
#include "foreign_files.h"
#include "ledger.h"
#include "sources.h"
#include "test.h"

enum { MOST_BYTES = 1 << 22 };

/* ---- Reading ---- */

/* Reads in all ways, which must agree. The tensor is of `g`; a message is left there. */
static gr_status read_all_ways(gr_graph *g, const char *bytes, size_t n, gr_tensor *t)
{
    gr_status status = GR_OK;
    for (int way = 3; way >= 0; way--) {
        gr_graph_clear_error(g);
        char *exact = malloc(n + (n == 0));
        memcpy(exact, bytes, n);
        FILE *stream = way == 1   ? as_file(exact, n)
                       : way == 2 ? as_pipe(exact, n)
                       : way == 3 ? fmemopen(exact, n, "rb")
                                  : NULL;
        gr_tensor u;
        const gr_status s = stream ? gr_npy_read(g, stream, "stream", &u) : gr_npy_parse(g, exact, n, &u);
        if (stream) fclose(stream);
        free(exact);
        CHECK(s == gr_graph_status(g) && (s == GR_OK) == gr_is_valid(u));
        if (way < 3) CHECK(s == status);
        if (s != GR_OK) CHECK_TEXT(gr_graph_error(g), way == 0 ? "npy: memory: " : "npy: stream: ");
        if (way < 3 && s == GR_OK && status == GR_OK) {
            char x[256] = {0}, y[256] = {0};
            const int64_t count = gr_count(u);
            CHECK(count == gr_count(*t) && count <= 32 && gr_type_of(u) == gr_type_of(*t));
            CHECK(gr_read(u, x, count) == GR_OK && gr_read(*t, y, count) == GR_OK);
            CHECK(memcmp(x, y, sizeof x) == 0);
        }
        status = s;
        *t = u;
    }
    return status;
}

/* An array of NumPy, as type, shape and elements. */
static void reads(const char *bytes, size_t n, gr_type type, gr_shape shape, const double *elements)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor t;
    CHECK(read_all_ways(g, bytes, n, &t) == GR_OK);
    const gr_shape found = gr_shape_of(t);
    CHECK(gr_type_of(t) == type && found.ndim == shape.ndim);
    CHECK(memcmp(found.dims, shape.dims, (size_t)shape.ndim * sizeof *shape.dims) == 0);
    CHECK(gr_is_contiguous(t));
    const gr_tensor flat = gr_reshape(t, GR_SHAPE(-1));
    for (int64_t i = 0; elements && i < gr_count(t); i++) CHECK(GR_AT(flat, i) == elements[i]);
    CHECK(gr_graph_reset(g) == GR_OK && gr_is_valid(t)); /* kept */
    gr_graph_destroy(g);
}

#define X(...) ((const double[]){__VA_ARGS__})

static void test_reads_what_numpy_wrote(void)
{
    reads(BYTES(npy_f8_big), GR_F64, GR_SHAPE(2, 3), X(1.5, -2, 3, 4, 5, 6));
    reads(BYTES(npy_f4_fortran), GR_F32, GR_SHAPE(2, 3), X(0, 1, 2, 3, 4, 5));
    reads(BYTES(npy_i2_fortran_big), GR_I32, GR_SHAPE(2, 3, 2), X(-6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5));
    reads(BYTES(npy_scalar), GR_I32, GR_SCALAR, X(-7));
    reads(BYTES(npy_empty), GR_F64, GR_SHAPE(0, 3), NULL);
    reads(BYTES(npy_bool), GR_BOOL, GR_SHAPE(3), X(1, 0, 1));
    reads(BYTES(npy_half), GR_F32, GR_SHAPE(3), X(1.5, -0x1p-24, 65504));
    reads(BYTES(npy_v2), GR_I32, GR_SHAPE(2), X(1, 2));
    reads(BYTES(npy_v3), GR_I32, GR_SHAPE(1), X(3));
    reads(BYTES(npy_ulong_big), GR_I32, GR_SHAPE(2), X(1, INT32_MAX));
}

static void refuses(const char *bytes, size_t n, gr_status status, const char *part)
{
    gr_graph *g = gr_graph_create(&(gr_graph_options){.byte_limit = MOST_BYTES});
    gr_tensor t;
    const size_t used = gr_graph_memory(g).used;
    CHECK(read_all_ways(g, bytes, n, &t) == status);
    CHECK_TEXT(gr_graph_error(g), part);
    /* The table of kept tensors may have been made. */
    CHECK(gr_graph_memory(g).used <= used + 1024 && gr_graph_memory(g).reserved_peak < 1 << 16);
    gr_graph_destroy(g);
}

static void test_refuses_what_no_tensor_holds(void)
{
    refuses(BYTES(npy_long), GR_ERR_TYPE, "element 1 of the file is -2147483649: i32 cannot hold it");
    refuses(BYTES(npy_text), GR_ERR_TYPE, "elements of type '<U1', which no tensor can hold");
    refuses(BYTES(npy_struct), GR_ERR_TYPE, "elements are structures, which no tensor can hold");
    refuses(BYTES(npy_complex), GR_ERR_TYPE, "elements of type '<c16', which no tensor can hold");
    refuses(BYTES(npy_nine), GR_ERR_NDIM, "9 axes, expected at most 8");
    char bytes[sizeof npy_bool];
    memcpy(bytes, npy_bool, sizeof bytes);
    bytes[sizeof bytes - 3] = 2;
    refuses(bytes, sizeof bytes - 1, GR_ERR_FORMAT, "element 1 of the file is 2: a mask has 0 and 1");
}

/* ---- Headers ---- */

/* A file of version 1.0 with that header. */
static blob make_file(const char *header, size_t n_data)
{
    blob b = {NULL, 0, 0};
    const size_t n = strlen(header);
    blob_write("\x93NUMPY\1\0", 8, &b);
    blob_write((const char[]){(char)n, (char)(n >> 8)}, 2, &b);
    blob_write(header, n, &b);
    for (size_t i = 0; i < n_data; i++) blob_write("\1", 1, &b);
    return b;
}

static const struct {
    const char *header;
    size_t n_data;
    gr_status status;
    const char *why;
} cases[] = {
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 8, GR_OK, NULL},
    {"{\"shape\":(2,),\"fortran_order\":True,\"descr\":\"<f4\"}  \n", 8, GR_OK, NULL},
    {" {'descr':'<f4','fortran_order':False,'shape':()}", 4, GR_OK, NULL},
    {"{'descr':'<f4','fortran_order':False,'shape':(1L,2L)}", 8, GR_OK, NULL},
    {"{'descr':'<f4','fortran_order':False,'shape':(1,2,)}", 8, GR_OK, NULL},
    {"{'descr':'|u1','fortran_order':False,'shape':(2,)}", 2, GR_OK, NULL},
    {"{'descr':'<u1','fortran_order':False,'shape':(2,)}", 2, GR_OK, NULL},
    {"{'descr':'<f4','fortran_order':False,'shape':(2,)}", 7, GR_ERR_FORMAT,
     "the header says <f4 [2], so 8 bytes follow it; found 7: the file is truncated"},
    {"{'descr':'<f4','fortran_order':False,'shape':(2,)}", 9, GR_ERR_FORMAT, "the file is too long"},
    {"{'descr':'<f4','fortran_order':False,'shape':(2)}", 8, GR_ERR_FORMAT,
     "a tuple of one size needs a comma"},
    {"{'descr':'<f4','fortran_order':False,'shape':(-2,)}", 8, GR_ERR_FORMAT, "expected a size"},
    {"{'descr':'<f4','fortran_order':False,'shape':(2.0,)}", 8, GR_ERR_FORMAT, "expected , or )"},
    {"{'descr':'<f4','fortran_order':False,'shape':(2e0,)}", 8, GR_ERR_FORMAT, "expected , or )"},
    {"{'descr':'<f4','fortran_order':False,'shape':(02,)}", 8, GR_ERR_FORMAT, "a size that begins with 0"},
    {"{'descr':'<f4','fortran_order':False,'shape':(2,,)}", 8, GR_ERR_FORMAT, "expected a size"},
    {"{'descr':'<f4','fortran_order':False,'shape':(,)}", 8, GR_ERR_FORMAT, "expected a size"},
    {"{'descr':'<f4','fortran_order':False,'shape':[2]}", 8, GR_ERR_FORMAT, "expected a tuple of sizes"},
    {"{'descr':'<f4','fortran_order':False,'shape':2}", 8, GR_ERR_FORMAT, "expected a tuple of sizes"},
    {"{'descr':'<f4','fortran_order':False,'shape':(9223372036854775808,)}", 8, GR_ERR_FORMAT,
     "a size of more than 63 bits"},
    {"{'descr':'<f4','fortran_order':False,'shape':(4294967296,4294967296)}", 8, GR_ERR_FORMAT,
     "the header says <f4 [4294967296, 4294967296]: more bytes than fit in 63 bits"},
    {"{'descr':'<f4','fortran_order':False,'shape':(0,4294967296,4294967296)}", 0, GR_ERR_FORMAT, "63 bits"},
    {"{'descr':'<f8','fortran_order':False,'shape':(1152921504606846976,)}", 8, GR_ERR_FORMAT, "63 bits"},
    {"{'descr':'|b1','fortran_order':False,'shape':(1152921504606846976,)}", 8, GR_ERR_FORMAT,
     "so 1152921504606846976 bytes follow it; found 8: the file is truncated"},
    {"{'descr':'<i8','fortran_order':True,'shape':(1048576,1048576,1024)}", 8, GR_ERR_FORMAT,
     "so 9007199254740992 bytes follow it; found 8"},
    {"{'descr':'<f4','fortran_order':0,'shape':(2,)}", 8, GR_ERR_FORMAT, "expected True or False"},
    {"{'descr':'<f4','fortran_order':Fals", 8, GR_ERR_FORMAT, "expected True or False"},
    {"{'descr':'<f4','fortran_order':'False','shape':(2,)}", 8, GR_ERR_FORMAT, "expected True or False"},
    {"{'descr':'<f4','shape':(2,)}", 8, GR_ERR_FORMAT, "the header lacks some of"},
    {"{}", 8, GR_ERR_FORMAT, "the header lacks some of"},
    {"", 8, GR_ERR_FORMAT, "byte 10 of the file, in its header: expected {"},
    {"[]", 8, GR_ERR_FORMAT, "expected {"},
    {"{'descr':'<f4','descr':'<f4','fortran_order':False,'shape':(2,)}", 8, GR_ERR_FORMAT,
     "the header has the key 'descr' twice"},
    {"{'descr':'<f4','fortran_order':False,'shape':(2,),'more':1}", 8, GR_ERR_FORMAT,
     "the header has the key 'more', which the format has not"},
    {"{'descr':'<f4','fortran_order':False,'shape':(2,)} x", 8, GR_ERR_FORMAT, "text behind the dictionary"},
    {"{'descr':'<f4','fortran_order':False,'shape':(2,)", 8, GR_ERR_FORMAT, "expected , or }"},
    {"{'descr':'<f4' 'fortran_order':False,'shape':(2,)}", 8, GR_ERR_FORMAT, "expected , or }"},
    {"{'descr' '<f4','fortran_order':False,'shape':(2,)}", 8, GR_ERR_FORMAT, "expected :"},
    {"{'descr':'<f4\",'fortran_order':False,'shape':(2,)}", 8, GR_ERR_FORMAT, "expected , or }"},
    {"{'descr':'<f4", 8, GR_ERR_FORMAT, "the header ends within a text"},
    {"{'descr':'<\\x664','fortran_order':False,'shape':(2,)}", 8, GR_ERR_FORMAT,
     "a text that no plain array"},
    {"{'descr':'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','shape':(2,)}", 8, GR_ERR_FORMAT,
     "a text that no plain"},
    {"{descr:'<f4','fortran_order':False,'shape':(2,)}", 8, GR_ERR_FORMAT, "expected a text"},
    {"{'descr':4,'fortran_order':False,'shape':(2,)}", 8, GR_ERR_FORMAT, "expected a text"},
    {"{'descr':'f4','fortran_order':False,'shape':(2,)}", 8, GR_ERR_TYPE, "elements of type 'f4'"},
    {"{'descr':'=f4','fortran_order':False,'shape':(2,)}", 8, GR_ERR_TYPE, "elements of type '=f4'"},
    {"{'descr':'|f4','fortran_order':False,'shape':(2,)}", 8, GR_ERR_TYPE, "elements of type '|f4'"},
    {"{'descr':'<f3','fortran_order':False,'shape':(2,)}", 8, GR_ERR_TYPE, "elements of type '<f3'"},
    {"{'descr':'<f16','fortran_order':False,'shape':(2,)}", 8, GR_ERR_TYPE, "elements of type '<f16'"},
    {"{'descr':'<b2','fortran_order':False,'shape':(2,)}", 8, GR_ERR_TYPE, "elements of type '<b2'"},
    {"{'descr':'|O','fortran_order':False,'shape':(2,)}", 8, GR_ERR_TYPE, "elements of type '|O'"},
    {"{'descr':'','fortran_order':False,'shape':(2,)}", 8, GR_ERR_TYPE, "elements of type ''"},
};

static void test_headers(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        blob b = make_file(cases[i].header, cases[i].n_data);
        const int before = test_failures;
        gr_graph *g = gr_graph_create(NULL);
        gr_tensor t;
        if (cases[i].status == GR_OK)
            CHECK(read_all_ways(g, (const char *)b.bytes, b.n, &t) == GR_OK);
        else
            refuses((const char *)b.bytes, b.n, cases[i].status, cases[i].why);
        gr_graph_destroy(g);
        if (test_failures > before) printf("    %s\n", cases[i].header);
        blob_free(&b);
    }
}

static void test_beginnings(void)
{
    refuses("", 0, GR_ERR_FORMAT, "the file ends within its header: found 0 bytes, expected at least 8");
    refuses("\x93NUMPY\1", 7, GR_ERR_FORMAT, "found 7 bytes, expected at least 8");
    refuses("\x93NUMPY\1\0\1", 9, GR_ERR_FORMAT, "found 9 bytes, expected at least 10");
    refuses("\x93NUMPY\2\0\0\0\0", 11, GR_ERR_FORMAT, "found 11 bytes, expected at least 12");
    refuses("\x93NUMPX\1\0\0\0\0", 11, GR_ERR_FORMAT, "not a .npy file");
    refuses("\x93NUMPY\0\1\0\0\0", 11, GR_ERR_FORMAT, "version 0.1 of the format, expected 1.0, 2.0 or 3.0");
    refuses("\x93NUMPY\4\0\0\0\0", 11, GR_ERR_FORMAT, "version 4.0");
    refuses("\x93NUMPY\1\1\0\0\0", 11, GR_ERR_FORMAT, "version 1.1");
    refuses("\x93NUMPY\2\0\xff\xff\xff\xff{}", 14, GR_ERR_FORMAT, "a header of 4294967295 bytes");
    refuses("\x93NUMPY\1\0\xff\xff{}", 12, GR_ERR_FORMAT, "found 12 bytes, expected at least 65545");
}

static void test_every_truncation(void)
{
    for (size_t n = 0; n < sizeof npy_f8_big - 1; n++) {
        gr_graph *g = gr_graph_create(NULL);
        gr_tensor t;
        CHECK(read_all_ways(g, npy_f8_big, n, &t) == GR_ERR_FORMAT);
        gr_graph_destroy(g);
    }
    gr_graph *g = gr_graph_create(NULL);
    gr_tensor t;
    CHECK(read_all_ways(g, npy_f8_big, sizeof npy_f8_big, &t) == GR_ERR_FORMAT); /* one more */
    gr_graph_destroy(g);
}

/* ---- Writing ---- */

static void round_trip(gr_tensor t, const char *header)
{
    gr_graph *g = t.graph;
    blob b = {NULL, 0, 0};
    CHECK(gr_npy_write(t, blob_write, &b) == GR_OK);
    CHECK(b.n >= 64 && (b.n - (size_t)gr_count(t) * gr_type_size(gr_type_of(t))) % 64 == 0);
    CHECK(memcmp(b.bytes, "\x93NUMPY\1\0", 8) == 0 && memcmp(b.bytes + 10, header, strlen(header)) == 0);
    gr_tensor back;
    CHECK(gr_npy_parse(g, b.bytes, b.n, &back) == GR_OK);
    const gr_shape here = gr_shape_of(t), there = gr_shape_of(back);
    CHECK(here.ndim == there.ndim &&
          memcmp(here.dims, there.dims, (size_t)here.ndim * sizeof *here.dims) == 0);
    char x[1024] = {0}, y[1024] = {0};
    CHECK(gr_type_of(t) == gr_type_of(back) && gr_count(t) <= 128);
    CHECK(gr_read(t, x, gr_count(t)) == GR_OK && gr_read(back, y, gr_count(t)) == GR_OK);
    CHECK(memcmp(x, y, sizeof x) == 0);
    blob_free(&b);
}

static void test_writes(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_normal(g, GR_F64, GR_SHAPE(3, 4), 0, 1), f = gr_cast(x, GR_F32);
    round_trip(x, "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }");
    round_trip(gr_transpose(f, 0, 1), "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3), }");
    round_trip(gr_slice(f, 1, -1, GR_SLICE_DEFAULT, -2),
               "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }");
    round_trip(gr_expand(gr_select(x, 0, 1), GR_SHAPE(5, 4)),
               "{'descr': '<f8', 'fortran_order': False, 'shape': (5, 4), }");
    round_trip(gr_arange(g, GR_I32, 7, -3, 1), "{'descr': '<i4', 'fortran_order': False, 'shape': (7,), }");
    round_trip(gr_greater(f, gr_scalar(g, GR_F32, 0)),
               "{'descr': '|b1', 'fortran_order': False, 'shape': (3, 4), }");
    round_trip(gr_scalar(g, GR_F64, -0.0), "{'descr': '<f8', 'fortran_order': False, 'shape': (), }");
    round_trip(gr_zeros(g, GR_F32, GR_SHAPE(2, 0, 3)),
               "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 0, 3), }");
    round_trip(gr_zeros(g, GR_F32, GR_SHAPE(1, 1, 1, 1, 1, 1, 1, 2)),
               "{'descr': '<f4', 'fortran_order': False, 'shape': (1,");
    round_trip(gr_zeros(g, GR_F32, GR_SHAPE(0, INT64_C(1000000000000000))),
               "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 1000000000000000), }");
    CHECK(gr_graph_status(g) == GR_OK);
    /* What NumPy writes for the same array. */
    const gr_tensor three = gr_constant(g, GR_BOOL, GR_SHAPE(3), (uint8_t[]){1, 0, 1});
    blob b = {NULL, 0, 0};
    CHECK(gr_npy_write(three, blob_write, &b) == GR_OK && blob_is(&b, BYTES(npy_bool)));
    blob_free(&b);
    gr_graph_destroy(g);
}

static void test_files(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const char *path = "test_npy.npy";
    const gr_tensor x = gr_normal(g, GR_F64, GR_SHAPE(30, 400), 0, 1);
    gr_tensor y;
    CHECK(gr_npy_write_file(x, path) == GR_OK && gr_npy_write_file(gr_transpose(x, 0, 1), path) == GR_OK);
    CHECK(gr_npy_read_file(g, path, &y) == GR_OK);
    CHECK(gr_item(gr_sum(gr_square(gr_sub(gr_transpose(y, 0, 1), x)), GR_ALL_AXES, false)) == 0);
    remove(path);
    CHECK(gr_npy_write_file(x, "no/such/place") == GR_ERR_IO);
    CHECK_TEXT(gr_graph_error(g), "npy: cannot make a file beside no/such/place: No such file");
    CHECK(gr_npy_write_file(x, path) == GR_ERR_IO &&
          gr_npy_read_file(g, path, &y) == GR_ERR_IO); /* pending */
    gr_graph_clear_error(g);
    CHECK(gr_npy_read_file(g, "no/such/place", &y) == GR_ERR_IO && !gr_is_valid(y));
    CHECK_TEXT(gr_graph_error(g), "npy: no/such/place: cannot be opened: ");
    gr_graph_clear_error(g);
    CHECK(gr_npy_read_file(g, ".", &y) == GR_ERR_IO);
    gr_graph_clear_error(g);
    CHECK(gr_npy_read_file(g, NULL, &y) == GR_ERR_ARGUMENT);
    gr_graph_clear_error(g);
    CHECK(gr_npy_parse(g, BYTES(npy_bool), NULL) == GR_ERR_ARGUMENT);
    gr_graph_clear_error(g);
    CHECK(gr_npy_write(x, NULL, NULL) == GR_ERR_ARGUMENT && gr_npy_write_file(x, "") == GR_ERR_ARGUMENT);
    gr_graph_clear_error(g);
    CHECK(gr_npy_write_file((gr_tensor){g, 0, 0}, path) == GR_ERR_HANDLE);
    gr_graph_clear_error(g);
    CHECK(gr_npy_write_file(GR_NONE, path) == GR_ERR_HANDLE &&
          gr_npy_parse(NULL, BYTES(npy_bool), &y) == GR_ERR_HANDLE);
    gr_graph_destroy(g);
}

static void test_writers_that_refuse(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_ones(g, GR_F32, GR_SHAPE(20));
    for (size_t most = 1; most < 128 + 80; most++) {
        blob b = {NULL, 0, most};
        CHECK(gr_npy_write(x, blob_write, &b) == GR_ERR_IO);
        CHECK_TEXT(gr_graph_error(g), "npy: the writer did not take the bytes");
        gr_graph_clear_error(g);
        blob_free(&b);
    }
    gr_graph_destroy(g);
}

/* ---- Failing ---- */

/* Larger than what is read at once, so that streams break in the middle of elements, too. */
static void test_streams_that_break(void)
{
    enum { COUNT = 3000 };
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor x = gr_arange(g, GR_F64, COUNT, 0, 0.5);
    blob b = {NULL, 0, 0};
    CHECK(gr_npy_write(x, blob_write, &b) == GR_OK);
    for (size_t n = 0; n < b.n; n += n < 140 ? 7 : 1999) {
        FILE *stream = as_broken(b.bytes, n);
        gr_tensor t;
        CHECK(gr_npy_read(g, stream, "broken", &t) == GR_ERR_IO && !gr_is_valid(t));
        CHECK_TEXT(gr_graph_error(g), "npy: broken: cannot be read: Connection reset");
        fclose(stream);
        gr_graph_clear_error(g);
    }
    FILE *stream = as_pipe(b.bytes, b.n);
    gr_tensor t;
    CHECK(gr_npy_read(g, stream, "whole", &t) == GR_OK && GR_AT(t, COUNT - 1) == (COUNT - 1) * 0.5);
    fclose(stream);
    blob_free(&b);
    gr_graph_destroy(g);
}

static void test_every_allocation_fails(void)
{
    static const struct {
        const char *bytes;
        size_t n;
    } files[] = {{BYTES(npy_f8_big)}, {BYTES(npy_f4_fortran)}, {BYTES(npy_i2_fortran_big)}};
    for (size_t i = 0; i < 3; i++) {
        for (int piped = 0; piped < 2; piped++) {
            bool whole = false;
            for (long n = 1; !whole && n < 100; n++) {
                ledger books = {.fail_at = n, .fail_after = true};
                gr_graph *g = ledger_graph(&books, 0);
                if (!g) continue;
                FILE *stream = piped ? as_pipe(files[i].bytes, files[i].n)
                                     : as_file(files[i].bytes, files[i].n);
                gr_tensor t;
                whole = gr_npy_read(g, stream, "stream", &t) == GR_OK;
                CHECK(gr_graph_status(g) == (whole ? GR_OK : GR_ERR_MEMORY) && gr_is_valid(t) == whole);
                fclose(stream);
                gr_graph_destroy(g);
                CHECK(ledger_balances(&books));
            }
            CHECK(whole);
        }
    }
}

/* Elements written in the order that the machine does not have, which writers of files do not use on most. */
static void test_byte_orders(void)
{
    double values[1000], back[1000];
    for (int i = 0; i < 1000; i++) values[i] = 0.1 * i;
    for (int big = 0; big < 2; big++) {
        const gri_elements e = {GRI_FLOAT, 8, big};
        blob b = {NULL, 0, 0};
        CHECK(gri_elements_write(e, values, 1000, blob_write, &b) && b.n == sizeof values);
        CHECK(b.bytes[big ? 15 : 8] == 0x9a && b.bytes[big ? 8 : 15] == 0x3f); /* of 0.1 */
        gri_elements_decode(e, b.bytes, 1000, back);
        CHECK(memcmp(values, back, sizeof values) == 0);
        gri_elements_decode(e, b.bytes, 1000, b.bytes); /* in place */
        CHECK(memcmp(values, b.bytes, sizeof values) == 0);
        blob full = {NULL, 0, 5000};
        CHECK(!gri_elements_write(e, values, 1000, blob_write, &full));
        blob_free(&full);
        blob_free(&b);
    }
}

int main(void)
{
    RUN(test_reads_what_numpy_wrote);
    RUN(test_refuses_what_no_tensor_holds);
    RUN(test_headers);
    RUN(test_beginnings);
    RUN(test_every_truncation);
    RUN(test_writes);
    RUN(test_files);
    RUN(test_writers_that_refuse);
    RUN(test_streams_that_break);
    RUN(test_every_allocation_fails);
    RUN(test_byte_orders);
    return TEST_EXIT;
}
