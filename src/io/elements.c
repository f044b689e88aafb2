/* Elements in files: see elements.h. */
#include "io/elements.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK_BYTES = 4096 };

static bool host_is_big(void)
{
    const uint16_t one = 1;
    uint8_t first;
    memcpy(&first, &one, 1);
    return first == 0;
}

/* Whether the bytes of an element lie as they do in memory. */
static bool is_native(gri_elements e) { return e.bytes == 1 || e.big == host_is_big(); }

bool gri_elements_type(gri_elements e, gr_type *type)
{
    static const gr_type types[] = {[GRI_FLOAT] = GR_F32,
                                    [GRI_BRAIN_FLOAT] = GR_F32,
                                    [GRI_SIGNED] = GR_I32,
                                    [GRI_UNSIGNED] = GR_I32,
                                    [GRI_MASK] = GR_BOOL};
    if (e.kind == GRI_OPAQUE) return false;
    *type = e.kind == GRI_FLOAT && e.bytes == 8 ? GR_F64 : types[e.kind];
    return true;
}

gri_elements gri_elements_of(gr_type type)
{
    const int bytes = (int)gr_type_size(type);
    if (gr_type_is_float(type)) return (gri_elements){GRI_FLOAT, bytes, false};
    return (gri_elements){type == GR_I32 ? GRI_SIGNED : GRI_MASK, bytes, false};
}

/* ---- Single elements ---- */

static uint64_t load(gri_elements e, const uint8_t *from)
{
    uint64_t bits = 0;
    for (int i = 0; i < e.bytes; i++) bits = bits << 8 | from[e.big ? i : e.bytes - 1 - i];
    return bits;
}

/* The two's complement of so many bytes. */
static int64_t as_signed(uint64_t bits, int bytes)
{
    const uint64_t sign = UINT64_C(1) << (8 * bytes - 1);
    const uint64_t extended = (bits ^ sign) - sign;
    int64_t value;
    memcpy(&value, &extended, sizeof value);
    return value;
}

/* Half precision (IEEE 754-2008, binary16) is held by f32 exactly; of a NaN the payload is kept. */
static uint32_t half_to_float(uint32_t half)
{
    const uint32_t sign = (half & 0x8000) << 16, exponent = half >> 10 & 0x1F;
    uint32_t fraction = half & 0x3FF;
    if (exponent == 0x1F) return sign | 0x7F800000 | fraction << 13;
    if (exponent > 0) return sign | (exponent + 112) << 23 | fraction << 13;
    if (fraction == 0) return sign;
    uint32_t shift = 0; /* a subnormal number is a normal one there */
    while (!(fraction & 0x400)) {
        fraction <<= 1;
        shift++;
    }
    return sign | (113 - shift) << 23 | (fraction & 0x3FF) << 13;
}

/* ---- All of them ---- */

static bool fits(gri_elements e, const uint8_t *from)
{
    const uint64_t bits = load(e, from);
    if (e.kind == GRI_MASK) return bits <= 1;
    if (e.kind == GRI_UNSIGNED) return bits <= INT32_MAX;
    const int64_t value = as_signed(bits, e.bytes);
    return value >= INT32_MIN && value <= INT32_MAX;
}

int64_t gri_elements_check(gri_elements e, const uint8_t *from, int64_t count)
{
    const bool always = e.kind == GRI_FLOAT || e.kind == GRI_BRAIN_FLOAT ||
                        (e.kind == GRI_SIGNED && e.bytes <= 4) || (e.kind == GRI_UNSIGNED && e.bytes <= 2);
    for (int64_t i = 0; !always && i < count; i++)
        if (!fits(e, from + i * e.bytes)) return i;
    return count;
}

static void store_bits32(void *to, int64_t i, uint32_t bits) { memcpy((char *)to + 4 * i, &bits, 4); }

void gri_elements_decode(gri_elements e, const uint8_t *from, int64_t count, void *to)
{
    gr_type type;
    if (count == 0 || !gri_elements_type(e, &type)) return;
    const bool same = (size_t)e.bytes == gr_type_size(type) && e.kind != GRI_BRAIN_FLOAT;
    if (same && is_native(e)) {
        memmove(to, from, (size_t)count * (size_t)e.bytes);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        const uint64_t bits = load(e, from + i * e.bytes);
        if (e.bytes == 8 && type == GR_F64)
            memcpy((char *)to + 8 * i, &bits, 8);
        else if (e.kind == GRI_BRAIN_FLOAT)
            store_bits32(to, i, (uint32_t)bits << 16);
        else if (e.kind == GRI_FLOAT && e.bytes == 2)
            store_bits32(to, i, half_to_float((uint32_t)bits));
        else if (e.kind == GRI_SIGNED)
            store_bits32(to, i, (uint32_t)as_signed(bits, e.bytes));
        else
            store_bits32(to, i, (uint32_t)bits);
    }
}

void gri_elements_describe(gri_elements e, const uint8_t *element, char text[GRI_INTEGER_BYTES])
{
    const uint64_t bits = load(e, element);
    if (e.kind == GRI_SIGNED)
        snprintf(text, GRI_INTEGER_BYTES, "%" PRId64, as_signed(bits, e.bytes));
    else
        snprintf(text, GRI_INTEGER_BYTES, "%" PRIu64, bits);
}

bool gri_elements_write(gri_elements e, const void *from, int64_t count, gr_writer *write, void *user)
{
    const size_t size = (size_t)e.bytes, bytes = (size_t)count * size;
    if (is_native(e)) return bytes == 0 || write(from, bytes, user);
    char chunk[CHUNK_BYTES];
    for (size_t at = 0; at < bytes;) {
        const size_t n = bytes - at < CHUNK_BYTES ? bytes - at : CHUNK_BYTES;
        const char *source = (const char *)from + at;
        for (size_t i = 0; i < n; i++) chunk[i] = source[i - i % size + (size - 1 - i % size)];
        if (!write(chunk, n, user)) return false;
        at += n;
    }
    return true;
}
