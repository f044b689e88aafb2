/*
 * Runs a fuzz target without libFuzzer, so that any compiler will do and a run is the same every time:
 *
 *     fuzz_idx_replay SEEDS MUTATIONS      all files of the directory, then so many damaged ones
 *     fuzz_idx_replay FILE ...             files as they are, such as one that libFuzzer has found
 *
 * A seed is damaged in up to eight ways: bits and bytes, numbers in digits, pieces left out, doubled, or taken from
 * another seed.
 */
#include "target.h"

#include <dirent.h>

enum { MOST_SEEDS = 256, MOST_BYTES = 1 << 16, PATH_BYTES = 1024, SOUND_SHARE = 100 };

typedef struct input {
    char name[256];
    uint8_t *bytes;
    size_t n;
} input;

static input seeds[MOST_SEEDS];
static int n_seeds;

static uint64_t random_state = 1;
static uint32_t draw(size_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((random_state >> 33) % below);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const input *)a)->name, ((const input *)b)->name);
}

static bool read_input(const char *path, const char *name)
{
    FILE *file = fopen(path, "rb");
    if (!file || n_seeds == MOST_SEEDS) {
        fprintf(stderr, "%s cannot be read\n", path);
        return false;
    }
    input *seed = &seeds[n_seeds++];
    snprintf(seed->name, sizeof seed->name, "%s", name);
    seed->bytes = malloc(MOST_BYTES);
    seed->n = fread(seed->bytes, 1, MOST_BYTES, file);
    fclose(file);
    return true;
}

/* Sorted, so that the order of a directory does not matter. */
static bool read_directory(const char *path)
{
    DIR *directory = opendir(path);
    char file[PATH_BYTES];
    bool read = directory != NULL;
    for (struct dirent *e; read && (e = readdir(directory));) {
        if (e->d_name[0] == '.') continue;
        snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        read = read_input(file, e->d_name);
    }
    if (directory) closedir(directory);
    qsort(seeds, (size_t)n_seeds, sizeof *seeds, by_name);
    return read && n_seeds > 0;
}

/* ---- Damage ---- */

/* Replaces bytes[at .. at + old) by `n` others. */
static void splice(input *x, size_t at, size_t old, const uint8_t *with, size_t n)
{
    if (x->n - old + n > MOST_BYTES) return;
    memmove(x->bytes + at + n, x->bytes + at + old, x->n - at - old);
    if (n > 0) memmove(x->bytes + at, with, n);
    x->n += n - old;
}

/* A run of digits becomes another number. */
static void change_number(input *x)
{
    static const char *const numbers[] = {"0",
                                          "1",
                                          "-1",
                                          "2",
                                          "9",
                                          "1e3",
                                          "0.5",
                                          "2147483648",
                                          "4294967296",
                                          "9223372036854775807",
                                          "9223372036854775808",
                                          "18446744073709551616",
                                          "00",
                                          "1152921504606846976"};
    size_t at = draw(x->n);
    while (at < x->n && (x->bytes[at] < '0' || x->bytes[at] > '9')) at++;
    size_t end = at;
    while (end < x->n && x->bytes[end] >= '0' && x->bytes[end] <= '9') end++;
    if (at == end) return;
    const char *number = numbers[draw(sizeof numbers / sizeof *numbers)];
    splice(x, at, end - at, (const uint8_t *)number, strlen(number));
}

static void damage(input *x)
{
    static uint8_t piece[MOST_BYTES];
    if (x->n == 0) return;
    /* Headers are where it matters. */
    const size_t at = draw(draw(2) && x->n > 32 ? 32 : x->n),
                 length = 1 + draw(x->n - at < 40 ? x->n - at : 40);
    const input *other = &seeds[draw((size_t)n_seeds)];
    switch (draw(8)) {
    case 0:
        x->bytes[at] ^= (uint8_t)(1u << draw(8));
        break;
    case 1:
        x->bytes[at] = (uint8_t)draw(256);
        break;
    case 2:
        x->bytes[at] = (uint8_t) "\0\xff\x7f\x80{}[]\",:'()\n#"[draw(16)];
        break;
    case 3:
        change_number(x);
        break;
    case 4:
        splice(x, at, length, NULL, 0);
        break;
    case 5:
        memcpy(piece, x->bytes + at, length);
        splice(x, draw(x->n), 0, piece, length);
        break;
    case 6:
        x->n = at;
        break;
    default:
        if (other->n > 0) {
            const size_t from = draw(other->n), n = 1 + draw(other->n - from);
            splice(x, at, length, other->bytes + from, n);
        }
    }
}

static void run_damaged(int i)
{
    static uint8_t bytes[MOST_BYTES];
    random_state = (uint64_t)i + 1;
    const input *seed = &seeds[draw((size_t)n_seeds)];
    input x = {.bytes = bytes, .n = seed->n};
    memcpy(bytes, seed->bytes, seed->n);
    for (uint32_t k = draw(2) ? 1 : 1 + draw(8); k > 0; k--) damage(&x);
    /* A block of its own, so that sanitizers see a read beyond it. */
    uint8_t *exact = malloc(x.n + (x.n == 0));
    memcpy(exact, x.bytes, x.n);
    LLVMFuzzerTestOneInput(exact, x.n);
    free(exact);
}

int main(int argc, char **argv)
{
    char *end = NULL;
    const long mutations = argc == 3 ? strtol(argv[2], &end, 10) : 0;
    const bool from_directory = end && end != argv[2] && *end == '\0';
    bool read = argc > 1;
    if (from_directory) read = read_directory(argv[1]);
    for (int i = 1; i < argc && read && !from_directory; i++) read = read_input(argv[i], argv[i]);
    if (!read) {
        fprintf(stderr, "usage: %s SEEDS MUTATIONS, or %s FILE ...\n", argv[0], argv[0]);
        return 2;
    }
    for (int i = 0; i < n_seeds; i++) {
        uint8_t *exact = malloc(seeds[i].n + (seeds[i].n == 0));
        memcpy(exact, seeds[i].bytes, seeds[i].n);
        LLVMFuzzerTestOneInput(exact, seeds[i].n);
        free(exact);
    }
    for (int i = 0; i < mutations; i++) run_damaged(i);
    printf("%d seeds, %ld damaged ones; %lu were sound\n", n_seeds, mutations, fuzz_sound);
    for (int i = 0; i < n_seeds; i++) free(seeds[i].bytes);
    return mutations > 0 && fuzz_sound < (unsigned long)mutations / SOUND_SHARE; /* too few: shows nothing */
}
