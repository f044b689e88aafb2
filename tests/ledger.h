/*
 * An allocator that keeps books, for tests of memory: what is out, what was asked for, and failure on order.
 * It refuses absurd requests itself, as an operating system would, so that sanitizers do not stop at them.
 */
#ifndef GRADUS_TEST_LEDGER_H
#define GRADUS_TEST_LEDGER_H

#include "gradus.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct ledger {
    size_t bytes, blocks; /* out at the moment */
    size_t most_bytes;
    long calls;      /* of allocate, failed ones included */
    long fail_at;    /* the call that fails, counted from 1; 0: none */
    bool fail_after; /* those after it fail, too */
    long failed;
    bool wrong_size; /* a block came back with another size than it was given out with */
} ledger;

enum { LEDGER_ALIGN = 64 };
#define LEDGER_REFUSES ((size_t)1 << 30)

/* Each block has a header of one alignment unit that remembers its size. */
static inline void *ledger_allocate(size_t bytes, void *user)
{
    ledger *l = user;
    l->calls++;
    const bool ordered = l->fail_at && (l->calls == l->fail_at || (l->fail_after && l->calls > l->fail_at));
    if (ordered || bytes > LEDGER_REFUSES) {
        l->failed++;
        return NULL;
    }
    const size_t whole = (bytes + 2 * LEDGER_ALIGN - 1) / LEDGER_ALIGN * LEDGER_ALIGN;
    unsigned char *block = aligned_alloc(LEDGER_ALIGN, whole);
    if (!block) return NULL;
    memcpy(block, &bytes, sizeof bytes);
    memset(block + LEDGER_ALIGN, 0xA5, whole - LEDGER_ALIGN); /* nobody may count on zeros */
    l->bytes += bytes;
    l->blocks++;
    if (l->bytes > l->most_bytes) l->most_bytes = l->bytes;
    return block + LEDGER_ALIGN;
}

static inline void ledger_deallocate(void *block, size_t bytes, void *user)
{
    ledger *l = user;
    unsigned char *start = (unsigned char *)block - LEDGER_ALIGN;
    size_t given;
    memcpy(&given, start, sizeof given);
    if (given != bytes) l->wrong_size = true;
    l->bytes -= given;
    l->blocks--;
    free(start);
}

static inline gr_graph *ledger_graph(ledger *l, size_t byte_limit)
{
    const gr_graph_options options = {.allocator = {ledger_allocate, ledger_deallocate, l},
                                      .byte_limit = byte_limit};
    return gr_graph_create(&options);
}

/* Whether all came back, with the sizes that it went out with. */
static inline bool ledger_balances(const ledger *l)
{
    return l->bytes == 0 && l->blocks == 0 && !l->wrong_size;
}

#endif
