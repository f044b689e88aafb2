/* PNG: see plot_png.h. Invariant: the buffer is as large as all that is put into it, computed beforehand. */
#include "support/plot_png.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 12, HEADER_BYTES = 13 };

typedef struct bytes {
    unsigned char *at;
    size_t n;
} bytes;

static void put(bytes *b, const void *from, size_t n)
{
    memcpy(b->at + b->n, from, n);
    b->n += n;
}

static void put_byte(bytes *b, unsigned value) { b->at[b->n++] = (unsigned char)value; }

static void put_u32(bytes *b, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8) put_byte(b, value >> shift & 0xFF);
}

/* Bit by bit: images are small. */
static uint32_t crc(const unsigned char *data, size_t n)
{
    uint32_t c = UINT32_C(0xFFFFFFFF);
    for (size_t i = 0; i < n; i++) {
        c ^= data[i];
        for (int k = 0; k < 8; k++) c = c & 1 ? UINT32_C(0xEDB88320) ^ c >> 1 : c >> 1;
    }
    return c ^ UINT32_C(0xFFFFFFFF);
}

/* Begins a chunk; returns where its data begin. */
static size_t begin_chunk(bytes *b, const char *type)
{
    put_u32(b, 0); /* the length, which is not known yet */
    put(b, type, 4);
    return b->n;
}

static void end_chunk(bytes *b, size_t data)
{
    const size_t n = b->n - data;
    bytes length = {b->at + data - 8, 0};
    put_u32(&length, (uint32_t)n);
    put_u32(b, crc(b->at + data - 4, n + 4));
}

/* The data of the image: a byte of filter 0 before each row. */
static void put_rows(bytes *raw, const png_image *image)
{
    const int width = image->columns * image->scale;
    for (int row = 0; row < image->rows * image->scale; row++) {
        const unsigned char *from = image->pixels + (size_t)(row / image->scale) * (size_t)image->columns;
        put_byte(raw, 0);
        for (int i = 0; i < width; i++) put_byte(raw, from[i / image->scale]);
    }
}

static uint32_t adler(const unsigned char *data, size_t n)
{
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < n; i++) {
        a = (a + data[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

/* ---- deflate (RFC 1951), with its fixed codes ---- */

enum { SHORTEST = 3, LONGEST = 258, FARTHEST = 32768, END_OF_BLOCK = 256 };

typedef struct bits {
    bytes *to;
    uint32_t held; /* the first to go is the lowest */
    int n;
} bits;

static void put_bits(bits *b, uint32_t value, int n)
{
    b->held |= value << b->n;
    for (b->n += n; b->n >= 8; b->n -= 8, b->held >>= 8) put_byte(b->to, b->held & 0xFF);
}

/* A Huffman code, whose highest bit goes first. */
static void put_code(bits *b, uint32_t code, int n)
{
    while (n-- > 0) put_bits(b, code >> n & 1, 1);
}

static void put_symbol(bits *b, int symbol)
{
    if (symbol < 144)
        put_code(b, (uint32_t)(0x30 + symbol), 8);
    else if (symbol < 256)
        put_code(b, (uint32_t)(0x190 + symbol - 144), 9);
    else if (symbol < 280)
        put_code(b, (uint32_t)(symbol - 256), 7);
    else
        put_code(b, (uint32_t)(0xC0 + symbol - 280), 8);
}

static int log2_of(uint32_t n)
{
    int log = 0;
    while (n >>= 1) log++;
    return log;
}

/* "The `length` bytes from `distance` back once more": codes that grow by a bit for each doubling, then the rest. */
static void put_match(bits *b, int length, uint32_t distance)
{
    const uint32_t x = (uint32_t)(length - SHORTEST), d = distance - 1;
    if (length == LONGEST) {
        put_symbol(b, 285);
    } else if (x < 8) {
        put_symbol(b, 257 + (int)x);
    } else {
        const int extra = log2_of(x) - 2;
        put_symbol(b, 257 + 4 * (extra + 1) + (int)(x >> extra & 3));
        put_bits(b, x & ((1u << extra) - 1), extra);
    }
    if (d < 4) {
        put_code(b, d, 5);
    } else {
        const int extra = log2_of(d) - 1;
        put_code(b, (uint32_t)(2 * (extra + 1)) + (d >> extra & 1), 5);
        put_bits(b, d & ((1u << extra) - 1), extra);
    }
}

/* How many bytes at `i` are as those `distance` before. */
static int match_at(const bytes *raw, size_t i, size_t distance)
{
    int n = 0;
    if (distance > i || distance > FARTHEST) return 0;
    while (n < LONGEST && i + (size_t)n < raw->n &&
           raw->at[i + (size_t)n] == raw->at[i + (size_t)n - distance])
        n++;
    return n;
}

/* zlib (RFC 1950). Repetitions are looked for where elements that are drawn as squares make them: beside, and in the
   row above. */
static void put_compressed(bytes *to, const bytes *raw, size_t row)
{
    bits b = {to, 0, 0};
    put_byte(to, 0x78);
    put_byte(to, 0x01);
    put_bits(&b, 3, 3); /* the last block, of fixed codes */
    for (size_t i = 0; i < raw->n;) {
        const int beside = match_at(raw, i, 1), above = match_at(raw, i, row);
        const int length = above > beside ? above : beside;
        if (length < SHORTEST)
            put_symbol(&b, raw->at[i]);
        else
            put_match(&b, length, above > beside ? (uint32_t)row : 1);
        i += length < SHORTEST ? 1 : (size_t)length;
    }
    put_symbol(&b, END_OF_BLOCK);
    put_bits(&b, 0, 7); /* to the end of the byte */
    put_u32(to, adler(raw->at, raw->n));
}

/* Of raw bytes that none repeats: 9 bits each. */
static size_t most_compressed(size_t n) { return n + n / 8 + 16; }

/* ---- The file ---- */

static void put_image(bytes *b, int width, int height, const png_palette *palette, const bytes *raw)
{
    put(b, "\x89PNG\r\n\x1a\n", 8);
    size_t data = begin_chunk(b, "IHDR");
    put_u32(b, (uint32_t)width);
    put_u32(b, (uint32_t)height);
    put(b, "\x08\x03\0\0", 5); /* 8 bits, palette; deflate, filters, not interlaced */
    end_chunk(b, data);
    data = begin_chunk(b, "PLTE");
    put(b, palette->colour, 3 * (size_t)palette->n);
    end_chunk(b, data);
    data = begin_chunk(b, "tRNS"); /* of entry 0 */
    put_byte(b, 0);
    end_chunk(b, data);
    data = begin_chunk(b, "IDAT");
    put_compressed(b, raw, (size_t)width + 1);
    end_chunk(b, data);
    end_chunk(b, begin_chunk(b, "IEND"));
}

static void put_base64(FILE *f, const unsigned char *data, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        const size_t left = n - i;
        const uint32_t three = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                               (left > 2 ? data[i + 2] : 0);
        fputc(digits[three >> 18 & 63], f);
        fputc(digits[three >> 12 & 63], f);
        fputc(left > 1 ? digits[three >> 6 & 63] : '=', f);
        fputc(left > 2 ? digits[three & 63] : '=', f);
    }
}

bool png_put_base64(FILE *f, const png_image *image, const png_palette *palette)
{
    const int width = image->columns * image->scale, height = image->rows * image->scale;
    const size_t raw_bytes = (size_t)height * ((size_t)width + 1);
    const size_t whole = 8 + 5 * CHUNK_BYTES + HEADER_BYTES + 3 * 256 + 1 + most_compressed(raw_bytes);
    bytes raw = {malloc(raw_bytes), 0}, file = {malloc(whole), 0};
    const bool room = raw.at && file.at;
    if (room) {
        put_rows(&raw, image);
        put_image(&file, width, height, palette, &raw);
        put_base64(f, file.at, file.n);
    }
    free(raw.at);
    free(file.at);
    return room;
}
