/* The IDX reader: what it must read, what it must refuse, and 10^4 damaged files. */
#include "gradus.h"
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

enum { FUZZ_CASES = 10000, MOST_BYTES = 1 << 18 };

/* An IDX file of u8 in memory of exactly its length, so that a sanitizer sees a read behind its end. */
typedef struct file {
    uint8_t *bytes;
    size_t n;
} file;

static file make(int ndim, const uint32_t *dims, size_t elements)
{
    file f = {malloc(4 + 4 * (size_t)ndim + elements), 4 + 4 * (size_t)ndim + elements};
    const uint8_t magic[] = {0, 0, 8, (uint8_t)ndim};
    memcpy(f.bytes, magic, 4);
    for (int i = 0; i < ndim; i++)
        for (int k = 0; k < 4; k++) f.bytes[4 + 4 * i + k] = (uint8_t)(dims[i] >> (24 - 8 * k));
    for (size_t i = 0; i < elements; i++) f.bytes[4 + 4 * (size_t)ndim + i] = (uint8_t)(i * 7 + 3);
    return f;
}

#define MAKE(elements, ...) \
    make(sizeof(uint32_t[]){__VA_ARGS__} / sizeof(uint32_t), (uint32_t[]){__VA_ARGS__}, elements)

static FILE *as_file(const file *f, size_t n)
{
    FILE *stream = tmpfile();
    fwrite(f->bytes, 1, n, stream);
    rewind(stream);
    return stream;
}

/* A stream that cannot seek and does not know its length. The writer fits into the buffer of the pipe. */
static FILE *as_pipe(const file *f, size_t n)
{
    int ends[2];
    if (pipe(ends) != 0) return NULL;
    const ssize_t written = write(ends[1], f->bytes, n);
    CHECK(written == (ssize_t)n);
    close(ends[1]);
    return fdopen(ends[0], "rb");
}

static unsigned sum(const gr_idx *idx)
{
    unsigned s = 0;
    for (int64_t i = 0; i < idx->count; i++) s = s * 31 + idx->data[i];
    return s;
}

/* All three ways to read must agree on the status; on success also on the content. */
static gr_status read_all_ways(gr_graph *g, const file *f, gr_idx *idx)
{
    gr_idx from_file, from_pipe;
    const gr_status status = gr_idx_parse(g, f->bytes, f->n, idx);
    CHECK(gr_graph_status(g) == status);
    gr_graph_clear_error(g);
    FILE *stream = as_file(f, f->n);
    CHECK(gr_idx_read(g, stream, "a file", &from_file) == status);
    fclose(stream);
    gr_graph_clear_error(g);
    stream = as_pipe(f, f->n);
    CHECK(gr_idx_read(g, stream, "a pipe", &from_pipe) == status);
    fclose(stream);
    if (status == GR_OK) {
        CHECK(from_file.count == idx->count && from_pipe.count == idx->count);
        CHECK(memcmp(&from_file.shape, &idx->shape, sizeof idx->shape) == 0);
        CHECK(memcmp(&from_pipe.shape, &idx->shape, sizeof idx->shape) == 0);
        CHECK(sum(&from_file) == sum(idx) && sum(&from_pipe) == sum(idx));
    } else {
        CHECK(!idx->data && idx->count == 0 && idx->shape.ndim == 0);
        CHECK(!from_file.data && from_file.count == 0 && from_file.shape.ndim == 0);
        CHECK(!from_pipe.data && from_pipe.count == 0 && from_pipe.shape.ndim == 0);
    }
    return status;
}

static void reads_one_to_eight_axes(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_idx idx;
    file f = MAKE(5, 5);
    CHECK(read_all_ways(g, &f, &idx) == GR_OK);
    CHECK(idx.shape.ndim == 1 && idx.shape.dims[0] == 5 && idx.count == 5);
    CHECK(idx.data[0] == 3 && idx.data[4] == 31);
    free(f.bytes);
    f = MAKE(24, 2, 3, 4);
    CHECK(read_all_ways(g, &f, &idx) == GR_OK);
    CHECK(idx.shape.ndim == 3 && idx.shape.dims[0] == 2 && idx.shape.dims[1] == 3 && idx.shape.dims[2] == 4);
    free(f.bytes);
    f = MAKE(24, 2, 3, 4, 1);
    CHECK(read_all_ways(g, &f, &idx) == GR_OK && idx.shape.ndim == 4);
    free(f.bytes);
    f = MAKE(300, 1, 300);
    CHECK(read_all_ways(g, &f, &idx) == GR_OK && idx.shape.dims[1] == 300);
    free(f.bytes);
    f = MAKE(256, 2, 2, 2, 2, 2, 2, 2, 2);
    CHECK(read_all_ways(g, &f, &idx) == GR_OK && idx.shape.ndim == 8);
    free(f.bytes);
    gr_graph_destroy(g);
}

static void reads_empty_sets(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_idx idx;
    file f = MAKE(0, 0);
    CHECK(read_all_ways(g, &f, &idx) == GR_OK && idx.shape.ndim == 1 && idx.count == 0 && idx.data);
    free(f.bytes);
    f = MAKE(0, 7, 0, 28);
    CHECK(read_all_ways(g, &f, &idx) == GR_OK && idx.shape.dims[0] == 7 && idx.count == 0);
    free(f.bytes);
    f = MAKE(1, 0);
    CHECK(read_all_ways(g, &f, &idx) == GR_ERR_FORMAT);
    free(f.bytes);
    gr_graph_destroy(g);
}

/* Reads `f` from memory and through a pipe and looks for `part` in both messages. */
static void refuses(const file *f, const char *part)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_idx idx;
    CHECK(read_all_ways(g, f, &idx) == GR_ERR_FORMAT);
    CHECK_TEXT(gr_graph_error(g), part);
    CHECK_TEXT(gr_graph_error(g), "a pipe");
    gr_graph_clear_error(g);
    CHECK(gr_idx_parse(g, f->bytes, f->n, &idx) == GR_ERR_FORMAT);
    CHECK_TEXT(gr_graph_error(g), part);
    CHECK_TEXT(gr_graph_error(g), "memory");
    gr_graph_destroy(g);
}

static void refuses_wrong_headers(void)
{
    file f = MAKE(6, 2, 3);
    f.bytes[0] = 1;
    refuses(&f, "starts with bytes 01 00, expected 00 00");
    f.bytes[0] = 0x1f, f.bytes[1] = 0x8b;
    refuses(&f, "gzip -dc");
    f.bytes[0] = f.bytes[1] = 0;
    f.bytes[2] = 0x0D;
    refuses(&f, "type 0x0d (f32), expected 0x08 (u8)");
    f.bytes[2] = 0x0B;
    refuses(&f, "type 0x0b (i16)");
    f.bytes[2] = 0x42;
    refuses(&f, "type 0x42 (no type of IDX)");
    f.bytes[2] = 8, f.bytes[3] = 0;
    refuses(&f, "0 axes, expected 1 to 8");
    f.bytes[3] = 9;
    refuses(&f, "9 axes, expected 1 to 8");
    f.bytes[3] = 255;
    refuses(&f, "255 axes");
    free(f.bytes);
}

static void refuses_wrong_lengths(void)
{
    file f = MAKE(6, 2, 3);
    const size_t whole = f.n;
    for (f.n = 0; f.n < 4; f.n++) refuses(&f, "expected at least 4");
    for (; f.n < 12; f.n++) refuses(&f, "expected at least 12");
    for (; f.n < whole; f.n++) refuses(&f, "u8 [2, 3], so 6 elements follow it; found ");
    f.n = whole - 1;
    refuses(&f, "found 5: the file is truncated");
    free(f.bytes);
    f = MAKE(7, 2, 3);
    refuses(&f, "the file is too long");
    free(f.bytes);
}

static void refuses_lies_without_taking_memory(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_idx idx;
    /* 2^31 elements that are not there: at most what a stream needs to begin with may be taken. */
    file f = MAKE(10, 0x8000, 0x10000);
    CHECK(read_all_ways(g, &f, &idx) == GR_ERR_FORMAT);
    CHECK(gr_graph_memory(g).reserved_peak < 1 << 17);
    free(f.bytes);
    f = MAKE(10, 0xffffffff, 0xffffffff);
    refuses(&f, "more elements than fit in 63 bits");
    free(f.bytes);
    f = MAKE(10, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff);
    refuses(&f, "more elements than fit in 63 bits");
    free(f.bytes);
    f = MAKE(0, 0, 0xffffffff, 0xffffffff, 0xffffffff);
    refuses(&f, "more elements than fit in 63 bits");
    free(f.bytes);
    /* Fits in 63 bits, but in no memory. */
    f = MAKE(10, 0x7fffffff, 0x7fffffff);
    CHECK(read_all_ways(g, &f, &idx) == GR_ERR_FORMAT);
    CHECK(gr_graph_memory(g).reserved_peak < 1 << 17);
    free(f.bytes);
    gr_graph_destroy(g);
}

static void refuses_what_is_no_file(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_idx idx;
    CHECK(gr_idx_read_file(g, "there/is no/such file", &idx) == GR_ERR_IO);
    CHECK_TEXT(gr_graph_error(g), "there/is no/such file: cannot be opened: ");
    CHECK(gr_idx_read_file(g, ".", &idx) == GR_ERR_IO); /* pending */
    gr_graph_clear_error(g);
    CHECK(gr_idx_read_file(g, ".", &idx) == GR_ERR_IO); /* a directory opens, and fails to read */
    CHECK_TEXT(gr_graph_error(g), ".: cannot be read: ");
    gr_graph_clear_error(g);
    CHECK(gr_idx_read_file(g, NULL, &idx) == GR_ERR_ARGUMENT);
    gr_graph_clear_error(g);
    CHECK(gr_idx_read(g, NULL, "x", &idx) == GR_ERR_ARGUMENT);
    gr_graph_clear_error(g);
    CHECK(gr_idx_parse(g, NULL, 0, &idx) == GR_ERR_ARGUMENT);
    gr_graph_clear_error(g);
    CHECK(gr_idx_parse(g, "", 0, NULL) == GR_ERR_ARGUMENT);
    CHECK(gr_idx_parse(NULL, "", 0, &idx) == GR_ERR_HANDLE);
    gr_graph_destroy(g);
}

static void reads_a_path(void)
{
    char path[] = "test_idx_XXXXXX";
    const int descriptor = mkstemp(path);
    CHECK(descriptor >= 0);
    file f = MAKE(12, 3, 4);
    CHECK(write(descriptor, f.bytes, f.n) == (ssize_t)f.n);
    gr_graph *g = gr_graph_create(NULL);
    gr_idx idx;
    CHECK(gr_idx_read_file(g, path, &idx) == GR_OK && idx.count == 12);
    CHECK(memcmp(idx.data, f.bytes + 12, 12) == 0);
    CHECK(write(descriptor, "!", 1) == 1);
    CHECK(gr_idx_read_file(g, path, &idx) == GR_ERR_FORMAT);
    CHECK_TEXT(gr_graph_error(g), path);
    CHECK_TEXT(gr_graph_error(g), "found 13: the file is too long");
    close(descriptor);
    unlink(path);
    free(f.bytes);
    gr_graph_destroy(g);
}

/* The reading of a stream begins where the stream stands, and errors are not read over. */
static void reads_on_in_a_stream(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_idx idx;
    file f = MAKE(6, 6);
    FILE *stream = tmpfile();
    fputs("before", stream);
    fwrite(f.bytes, 1, f.n, stream);
    fseek(stream, 6, SEEK_SET);
    CHECK(gr_idx_read(g, stream, NULL, &idx) == GR_OK && idx.count == 6);
    fclose(stream);
    free(f.bytes);
    gr_graph_fail(g, GR_ERR_CALLBACK, "of the user");
    CHECK(gr_idx_parse(g, "", 0, &idx) == GR_ERR_CALLBACK);
    CHECK_TEXT(gr_graph_error(g), "of the user");
    gr_graph_destroy(g);
}

/* A stream of unknown length, larger than the first block by far: grown, complete, counted, within limits. */
static void grows_with_a_stream(void)
{
    FILE *pipe_end = popen("printf '\\000\\000\\010\\002\\000\\000\\003\\350\\000\\000\\003\\350'; "
                           "head -c 1000000 /dev/zero | tr '\\000' x",
                           "r");
    gr_graph *g = gr_graph_create(NULL);
    gr_idx idx;
    CHECK(gr_idx_read(g, pipe_end, "popen", &idx) == GR_OK);
    CHECK(pclose(pipe_end) == 0);
    CHECK(idx.shape.ndim == 2 && idx.shape.dims[0] == 1000 && idx.count == 1000000);
    int64_t others = 0;
    for (int64_t i = 0; i < idx.count; i++) others += idx.data[i] != 'x';
    CHECK(others == 0 && idx.count > 0);
    const gr_memory_info memory = gr_graph_memory(g);
    CHECK(memory.used >= 1000000 && memory.reserved < 1300000);
    gr_graph_destroy(g);
}

static void keeps_to_the_limit(void)
{
    gr_graph *g = gr_graph_create(&(gr_graph_options){.byte_limit = 600000});
    gr_idx idx;
    file f = MAKE(1000000, 1000, 1000);
    FILE *stream = as_file(&f, f.n);
    const size_t used = gr_graph_memory(g).used;
    CHECK(gr_idx_read(g, stream, "large", &idx) == GR_ERR_LIMIT && !idx.data);
    fclose(stream);
    gr_graph_clear_error(g);
    stream = popen("printf '\\000\\000\\010\\001\\000\\017\\102\\100'; head -c 1000000 /dev/zero", "r");
    CHECK(gr_idx_read(g, stream, "large pipe", &idx) == GR_ERR_LIMIT && !idx.data);
    pclose(stream); /* its writer may have met a closed pipe */
    CHECK(gr_graph_memory(g).used == used);
    gr_graph_clear_error(g);
    CHECK(gr_idx_parse(g, f.bytes, f.n, &idx) == GR_OK && idx.count == 1000000); /* takes none */
    CHECK(gr_graph_memory(g).used == used);
    free(f.bytes);
    gr_graph_destroy(g);
}

typedef struct failing {
    int left; /* allocations that succeed */
} failing;

static void *fail_after(size_t bytes, void *user)
{
    failing *f = user;
    return f->left-- > 0 ? aligned_alloc(64, (bytes + 63) / 64 * 64) : NULL;
}

static void give_back(void *block, size_t bytes, void *user)
{
    (void)bytes, (void)user;
    free(block);
}

static void survives_every_failing_allocation(void)
{
    file f = MAKE(50000, 50000);
    gr_status status = GR_ERR_MEMORY;
    int failures = 0;
    for (int n = 1; status != GR_OK && n < 50; n++) {
        failing state = {n};
        gr_graph *g = gr_graph_create(&(gr_graph_options){.allocator = {fail_after, give_back, &state}});
        if (!g) continue;
        gr_idx idx;
        FILE *stream = as_pipe(&f, f.n);
        status = gr_idx_read(g, stream, "pipe", &idx);
        fclose(stream);
        CHECK(status == GR_OK || status == GR_ERR_MEMORY);
        failures += status != GR_OK;
        gr_graph_destroy(g);
    }
    CHECK(status == GR_OK && failures > 0);
    free(f.bytes);
}

static uint64_t random_state = 12345;
static uint32_t draw(uint32_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % below;
}

/* Damages a valid file: cut, flipped bits, bytes overwritten (often in the header), bytes added. */
static file damage(const file *valid)
{
    const size_t extra = draw(8) == 0 ? draw(40) : 0;
    file f = {malloc(valid->n + extra + 1), valid->n + extra};
    memcpy(f.bytes, valid->bytes, valid->n);
    for (size_t i = 0; i < extra; i++) f.bytes[valid->n + i] = (uint8_t)draw(256);
    for (uint32_t i = draw(4); i > 0; i--) {
        const uint32_t at = draw(draw(2) ? 20 : (uint32_t)f.n);
        const uint8_t flip = (uint8_t)(1u << draw(8)), any = (uint8_t)draw(256);
        if (at < f.n) f.bytes[at] = draw(2) ? any : (uint8_t)(f.bytes[at] ^ flip);
    }
    if (draw(2)) f.n = draw((uint32_t)f.n + 1);
    uint8_t *exact = malloc(f.n + (f.n == 0));
    memcpy(exact, f.bytes, f.n);
    free(f.bytes);
    f.bytes = exact;
    return f;
}

static void survives_damage(void)
{
    const file valid[] = {MAKE(24, 2, 3, 4), MAKE(9, 9), MAKE(64, 4, 4, 2, 2), MAKE(0, 3, 0)};
    int accepted = 0;
    gr_graph *g = gr_graph_create(&(gr_graph_options){.byte_limit = MOST_BYTES});
    for (int i = 0; i < FUZZ_CASES; i++) {
        file f = damage(&valid[draw(4)]);
        gr_idx parsed, streamed;
        const gr_status status = gr_idx_parse(g, f.bytes, f.n, &parsed);
        const unsigned expected = sum(&parsed); /* reads every byte */
        CHECK(status == GR_OK || (status == GR_ERR_FORMAT && *gr_graph_error(g)));
        gr_graph_clear_error(g);
        FILE *stream = f.n ? fmemopen(f.bytes, f.n, "rb") : NULL;
        if (stream) {
            CHECK(gr_idx_read(g, stream, "damaged", &streamed) == status);
            CHECK(sum(&streamed) == expected);
            fclose(stream);
        }
        accepted += status == GR_OK;
        gr_graph_clear_error(g);
        free(f.bytes);
        if (i % 100 == 99) { /* what was accepted belongs to the graph */
            gr_graph_destroy(g);
            g = gr_graph_create(&(gr_graph_options){.byte_limit = MOST_BYTES});
        }
    }
    CHECK(accepted > FUZZ_CASES / 50 && accepted < FUZZ_CASES);
    for (int i = 0; i < 4; i++) free(valid[i].bytes);
    gr_graph_destroy(g);
}

/* Both of the first two bytes are zero in an IDX file. */
static void test_first_bytes(void)
{
    gr_graph *g = gr_graph_create(NULL);
    for (int at = -1; at < 2; at++) {
        uint8_t bytes[] = {0, 0, 8, 1, 0, 0, 0, 2, 5, 6};
        if (at >= 0) bytes[at] = 1;
        gr_idx idx;
        CHECK(gr_idx_parse(g, bytes, sizeof bytes, &idx) == (at < 0 ? GR_OK : GR_ERR_FORMAT));
        gr_graph_clear_error(g);
    }
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(reads_one_to_eight_axes);
    RUN(reads_empty_sets);
    RUN(refuses_wrong_headers);
    RUN(refuses_wrong_lengths);
    RUN(refuses_lies_without_taking_memory);
    RUN(refuses_what_is_no_file);
    RUN(reads_a_path);
    RUN(reads_on_in_a_stream);
    RUN(grows_with_a_stream);
    RUN(keeps_to_the_limit);
    RUN(survives_every_failing_allocation);
    RUN(survives_damage);
    RUN(test_first_bytes);
    return TEST_EXIT;
}
