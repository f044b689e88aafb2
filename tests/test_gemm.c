/*
 * Matrix products: every instruction set of this machine against the triple loop.
 *
 * Operands lie in blocks of exactly their size, so that a sanitizer sees a read beyond them; what lies
 * between and around the elements of C must not change. Small integers make sums exact, so most checks are
 * for equality.
 */
#include <stdint.h>
#include <stdlib.h>
#include "ops/kernels/gemm.h"
#include "test.h"

static const double UNTOUCHED = 12345;
enum { MARGIN = 3 }; /* elements around C that must stay */

/* ---- Either type behind one interface ---- */

typedef struct array {
    bool is_double;
    int64_t count;
    void *data;
} array;

static size_t bytes_of(const array *x)
{
    return (size_t)x->count * (x->is_double ? sizeof(double) : sizeof(float));
}

static array new_array(bool is_double, int64_t count)
{
    array x = {is_double, count, NULL};
    x.data = malloc(bytes_of(&x));
    if (!x.data && count > 0) {
        printf("out of memory\n");
        exit(EXIT_FAILURE);
    }
    return x;
}

static double get(const array *x, int64_t i)
{
    return x->is_double ? ((const double *)x->data)[i] : (double)((const float *)x->data)[i];
}

static void set(const array *x, int64_t i, double value)
{
    if (x->is_double)
        ((double *)x->data)[i] = value;
    else
        ((float *)x->data)[i] = (float)value;
}

static const char *at(const array *x, int64_t i)
{
    return (const char *)x->data + i * (int64_t)(x->is_double ? sizeof(double) : sizeof(float));
}

static uint64_t random_state = 1;

static uint64_t next_random(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return random_state >> 33;
}

static double small_integer(void) { return (double)(next_random() % 9) - 4; }
static double fraction(void) { return (double)next_random() / (double)((uint64_t)1 << 30) - 1; }

static void fill(const array *x, double (*value)(void))
{
    for (int64_t i = 0; i < x->count; i++) set(x, i, value());
}

/* ---- Products ---- */

/* Where the element (0, 0) lies and how many elements the block needs, for strides of any sign. */
typedef struct extent {
    int64_t origin, count;
} extent;

static extent extent_of(int64_t rows, int64_t cols, int64_t row, int64_t col)
{
    extent e = {0, 1};
    if (rows == 0 || cols == 0) return (extent){0, 0};
    e.count += (rows - 1) * llabs(row) + (cols - 1) * llabs(col);
    if (row < 0) e.origin -= (rows - 1) * row;
    if (col < 0) e.origin -= (cols - 1) * col;
    return e;
}

typedef struct product {
    gri_gemm g;
    array a, b, c;
    int64_t a_origin, b_origin, c_origin;
} product;

static product new_product(bool is_double, const gri_gemm *g, double (*value)(void))
{
    const extent a = extent_of(g->m, g->k, g->a_row, g->a_col);
    const extent b = extent_of(g->k, g->n, g->b_row, g->b_col);
    const extent c = extent_of(g->m, g->n, g->c_row, g->c_col);
    product p = {*g,
                 new_array(is_double, a.count),
                 new_array(is_double, b.count),
                 new_array(is_double, c.count + 2 * MARGIN),
                 a.origin,
                 b.origin,
                 c.origin + MARGIN};
    fill(&p.a, value);
    fill(&p.b, value);
    return p;
}

static void free_product(product *p)
{
    free(p->a.data);
    free(p->b.data);
    free(p->c.data);
}

/* Elements of C get `start`, everything around them UNTOUCHED. */
static void clear_c(const product *p, const array *c, double start)
{
    for (int64_t i = 0; i < c->count; i++) set(c, i, UNTOUCHED);
    for (int64_t i = 0; i < p->g.m; i++)
        for (int64_t j = 0; j < p->g.n; j++) set(c, p->c_origin + i * p->g.c_row + j * p->g.c_col, start);
}

static void multiply(const product *p, const array *c, gri_isa isa, gri_threads *threads)
{
    const bool is_double = p->a.is_double;
    const void *a = at(&p->a, p->a_origin), *b = at(&p->b, p->b_origin);
    const size_t bytes = is_double ? gri_gemm_workspace_f64(isa, &p->g) : gri_gemm_workspace_f32(isa, &p->g);
    void *workspace = bytes ? aligned_alloc(64, bytes) : NULL;
    CHECK(bytes == 0 || workspace);
    if (workspace) memset(workspace, 0xff, bytes); /* NaNs */
    void *to = (void *)(uintptr_t)at(c, p->c_origin);
    if (is_double)
        gri_gemm_f64(isa, &p->g, a, b, to, workspace, threads);
    else
        gri_gemm_f32(isa, &p->g, a, b, to, workspace, threads);
    free(workspace);
}

static void multiply_plainly(const product *p, const array *c)
{
    const void *a = at(&p->a, p->a_origin), *b = at(&p->b, p->b_origin);
    void *to = (void *)(uintptr_t)at(c, p->c_origin);
    if (p->a.is_double)
        gri_gemm_reference_f64(&p->g, a, b, to);
    else
        gri_gemm_reference_f32(&p->g, a, b, to);
}

static bool same(const array *x, const array *y)
{
    for (int64_t i = 0; i < x->count; i++) {
        const double u = get(x, i), v = get(y, i);
        if (!(u == v || (isnan(u) && isnan(v)))) return false;
    }
    return true;
}

static void report(const product *p, gri_isa isa)
{
    const gri_gemm *g = &p->g;
    printf("  %s %s: m %lld n %lld k %lld, strides %lld,%lld %lld,%lld %lld,%lld, accumulate %d\n",
           gri_isa_name(isa), p->a.is_double ? "f64" : "f32", (long long)g->m, (long long)g->n,
           (long long)g->k, (long long)g->a_row, (long long)g->a_col, (long long)g->b_row,
           (long long)g->b_col, (long long)g->c_row, (long long)g->c_col, g->accumulate);
}

/* Equal to the triple loop, on every instruction set. */
static void compare(const product *p)
{
    const array expected = new_array(p->a.is_double, p->c.count);
    const double start = p->g.accumulate ? 3 : NAN; /* without accumulate C must not be read */
    clear_c(p, &expected, start);
    multiply_plainly(p, &expected);
    for (int isa = 0; isa < GRI_ISA_COUNT; isa++) {
        if (!gri_isa_available((gri_isa)isa)) continue;
        clear_c(p, &p->c, start);
        multiply(p, &p->c, (gri_isa)isa, NULL);
        const bool equal = same(&expected, &p->c);
        CHECK(equal);
        if (!equal) report(p, (gri_isa)isa);
    }
    free(expected.data);
}

static void compare_exactly(const gri_gemm *g)
{
    for (int is_double = 0; is_double < 2; is_double++) {
        product p = new_product(is_double == 1, g, small_integer);
        compare(&p);
        free_product(&p);
    }
}

/* Rows or columns adjacent, each operand in its own way. */
static gri_gemm laid_out(int64_t m, int64_t n, int64_t k, bool a_transposed, bool b_transposed)
{
    gri_gemm g = {.m = m, .n = n, .k = k, .c_row = n, .c_col = 1};
    g.a_row = a_transposed ? 1 : k;
    g.a_col = a_transposed ? m : 1;
    g.b_row = b_transposed ? 1 : n;
    g.b_col = b_transposed ? k : 1;
    return g;
}

/* ---- Tests ---- */

static void test_reference(void)
{
    const float a[] = {1, 2, 3, 4, 5, 6}, b[] = {7, 8, 9, 10, 11, 12};
    float c[] = {1, 1, 1, 1};
    gri_gemm g = laid_out(2, 2, 3, false, false);
    gri_gemm_reference_f32(&g, a, b, c);
    CHECK(c[0] == 58 && c[1] == 64 && c[2] == 139 && c[3] == 154);
    g.accumulate = true;
    gri_gemm_reference_f32(&g, a, b, c);
    CHECK(c[0] == 116 && c[1] == 128 && c[2] == 278 && c[3] == 308);
}

static void test_small_sizes(void)
{
    static const int64_t sizes[] = {0, 1, 2, 3, 5, 8, 13, 17, 33};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    for (int i = 0; i < SIZES * SIZES * SIZES; i++) {
        const int64_t m = sizes[i % SIZES], n = sizes[i / SIZES % SIZES], k = sizes[i / SIZES / SIZES];
        for (int layout = 0; layout < 4; layout++) {
            gri_gemm g = laid_out(m, n, k, layout & 1, layout & 2);
            g.accumulate = (i + layout) % 2 == 1;
            compare_exactly(&g);
        }
    }
}

/* Around the sizes of tiles, blocks and choices between ways. */
static void test_edges(void)
{
    static const int64_t shapes[][3] = {
        {14, 32, 64},  {15, 33, 65},   {13, 31, 63},   {28, 64, 256},   {29, 65, 257},  {27, 63, 255},
        {1, 784, 784}, {2, 100, 784},  {3, 101, 785},  {4, 129, 400},   {5, 127, 401},  {7, 47, 399},
        {8, 16, 801},  {9, 17, 802},   {784, 1, 100},  {200, 10, 784},  {200, 784, 10}, {10, 784, 200},
        {47, 53, 59},  {97, 89, 83},   {64, 64, 64},   {128, 128, 128}, {16, 1024, 16}, {1024, 16, 16},
        {1, 1, 5000},  {1400, 70, 41}, {60, 300, 401}, {33, 5300, 19},
    };
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (int layout = 0; layout < 4; layout++) {
            gri_gemm g = laid_out(shapes[s][0], shapes[s][1], shapes[s][2], layout & 1, layout & 2);
            g.accumulate = (s + (size_t)layout) % 2 == 1;
            compare_exactly(&g);
        }
    }
}

/* More than one block in each direction: A packed in blocks of rows, B in blocks of columns. */
static void test_blocks(void)
{
    gri_gemm g = laid_out(1320, 66, 401, false, true);
    product p = new_product(false, &g, small_integer);
    compare(&p);
    free_product(&p);
    g = laid_out(20, 2640, 401, false, true);
    p = new_product(false, &g, small_integer);
    compare(&p);
    free_product(&p);
}

/* A stride of each kind for a matrix of rows x cols: adjacent, gaps, backwards, repeated. */
static void choose_strides(int64_t rows, int64_t cols, bool may_repeat, int64_t *row, int64_t *col)
{
    const int64_t gap = (int64_t)(next_random() % 3) + 1, extra = (int64_t)(next_random() % 4);
    if (next_random() % 2) {
        *col = gap;
        *row = cols * gap + extra;
    } else {
        *row = gap;
        *col = rows * gap + extra;
    }
    if (next_random() % 4 == 0) *row = -*row;
    if (next_random() % 4 == 0) *col = -*col;
    if (may_repeat && next_random() % 6 == 0) *row = 0;
    if (may_repeat && next_random() % 6 == 0) *col = 0;
}

static void test_strides(void)
{
    for (int i = 0; i < 1500; i++) {
        gri_gemm g = {.m = (int64_t)(next_random() % 70),
                      .n = (int64_t)(next_random() % 70),
                      .k = (int64_t)(next_random() % 70),
                      .accumulate = next_random() % 2};
        if (next_random() % 5 == 0) g.m = 1;
        if (next_random() % 5 == 0) g.n = 1;
        choose_strides(g.m, g.k, true, &g.a_row, &g.a_col);
        choose_strides(g.k, g.n, true, &g.b_row, &g.b_col);
        choose_strides(g.m, g.n, false, &g.c_row, &g.c_col);
        compare_exactly(&g);
    }
}

/* Strides along a size of 1 may be anything. */
static void test_meaningless_strides(void)
{
    const int64_t odd = INT64_MAX;
    gri_gemm g = {.m = 1,
                  .n = 100,
                  .k = 90,
                  .a_row = odd,
                  .a_col = 1,
                  .b_row = 100,
                  .b_col = 1,
                  .c_row = -odd,
                  .c_col = 1};
    product p = new_product(false,
                            &(gri_gemm){.m = 1,
                                        .n = 100,
                                        .k = 90,
                                        .a_row = 90,
                                        .a_col = 1,
                                        .b_row = 100,
                                        .b_col = 1,
                                        .c_row = 100,
                                        .c_col = 1},
                            small_integer);
    p.g = g;
    compare(&p);
    free_product(&p);
}

/* Infinity and NaN anywhere, zeros opposite: the product is where the triple loop has it. */
static void test_special_values(void)
{
    static const double special[] = {(double)INFINITY, -(double)INFINITY, (double)NAN, 0, 0};
    for (int i = 0; i < 600; i++) {
        gri_gemm g = laid_out((int64_t)(next_random() % 40) + 1, (int64_t)(next_random() % 80) + 1,
                              (int64_t)(next_random() % 60) + 1, next_random() % 2, next_random() % 2);
        g.accumulate = next_random() % 2;
        product p = new_product(i % 2, &g, small_integer);
        for (int s = 0; s < 4; s++) {
            set(&p.a, (int64_t)next_random() % p.a.count, special[next_random() % 5]);
            set(&p.b, (int64_t)next_random() % p.b.count, special[next_random() % 5]);
        }
        if (i % 3 == 0) /* a zero row against it */
            for (int64_t q = 0; q < g.k; q++) set(&p.a, q * g.a_col, 0);
        compare(&p);
        free_product(&p);
    }
}

/* |error| <= gamma_k |A| |B|, gamma_k = k u / (1 - k u) (Higham, Accuracy and Stability of Numerical
   Algorithms, 2002, section 3.5), against sums in f64. */
static void check_accuracy(const product *p, gri_isa isa)
{
    const gri_gemm *g = &p->g;
    const double unit = p->a.is_double ? 0x1p-53 : 0x1p-24, ku = (double)(g->k + 1) * unit;
    /* against f64, the sums that are compared with err as much themselves */
    const double gamma = ku / (1 - ku) * (p->a.is_double ? 2 : 1 + 1e-6);
    double worst = 0;
    for (int64_t i = 0; i < g->m; i++) {
        for (int64_t j = 0; j < g->n; j++) {
            double sum = 0, size = 0;
            for (int64_t q = 0; q < g->k; q++) {
                const double term = get(&p->a, p->a_origin + i * g->a_row + q * g->a_col) *
                                    get(&p->b, p->b_origin + q * g->b_row + j * g->b_col);
                sum += term;
                size += fabs(term);
            }
            const double error = fabs(get(&p->c, p->c_origin + i * g->c_row + j * g->c_col) - sum) /
                                 (gamma * size);
            if (!(error <= worst)) worst = error;
        }
    }
    CHECK(worst <= 1);
    if (!(worst <= 1)) report(p, isa);
}

static void test_accuracy(void)
{
    static const int64_t shapes[][3] = {
        {20, 70, 900}, {1, 50, 3000}, {50, 1, 3000}, {4, 33, 1000}, {100, 100, 10}};
    for (int isa = 0; isa < GRI_ISA_COUNT; isa++) {
        if (!gri_isa_available((gri_isa)isa)) continue;
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes * 8; s++) {
            const int64_t *shape = shapes[s / 8];
            const gri_gemm g = laid_out(shape[0], shape[1], shape[2], s & 1, s & 2);
            product p = new_product(s & 4, &g, fraction);
            clear_c(&p, &p.c, 0);
            multiply(&p, &p.c, (gri_isa)isa, NULL);
            check_accuracy(&p, (gri_isa)isa);
            free_product(&p);
        }
    }
}

/* Bit for bit the same for any number of threads. */
static void check_threads(const product *p, gri_isa isa, gri_threads *const *pools, int count)
{
    const array expected = new_array(p->a.is_double, p->c.count);
    clear_c(p, &expected, 0.1);
    multiply(p, &expected, isa, NULL);
    for (int i = 0; i < count; i++) {
        clear_c(p, &p->c, 0.1);
        multiply(p, &p->c, isa, pools[i]);
        const bool equal = memcmp(expected.data, p->c.data, bytes_of(&p->c)) == 0;
        CHECK(equal);
        if (!equal) report(p, isa);
    }
    free(expected.data);
}

static void test_threads(void)
{
    static const int64_t shapes[][3] = {{200, 300, 301}, {1, 784, 784},  {784, 1, 784},  {3, 700, 500},
                                        {200, 10, 784},  {10, 999, 200}, {501, 403, 10}, {7, 5, 9000},
                                        {65, 66, 67},    {1400, 65, 41}, {40, 2700, 41}, {20, 1037, 77},
                                        {15, 35, 700}};
    static const int thread_counts[] = {1, 2, 3, 5};
    enum { COUNTS = sizeof thread_counts / sizeof *thread_counts };
    const gr_allocator none = {0};
    gri_memory memory;
    gri_threads *pools[COUNTS];
    gri_memory_init(&memory, &none, SIZE_MAX);
    for (int i = 0; i < COUNTS; i++) pools[i] = gri_threads_create(&memory, thread_counts[i]);
    for (int isa = 0; isa < GRI_ISA_COUNT; isa++) {
        if (!gri_isa_available((gri_isa)isa)) continue;
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes * 8; s++) {
            const int64_t *shape = shapes[s / 8];
            gri_gemm g = laid_out(shape[0], shape[1], shape[2], s & 1, s & 2);
            g.accumulate = (s / 8) % 2;
            product p = new_product(s & 4, &g, fraction);
            check_threads(&p, (gri_isa)isa, pools, COUNTS);
            free_product(&p);
        }
    }
    for (int i = 0; i < COUNTS; i++) gri_threads_destroy(pools[i]);
    gri_memory_trim(&memory);
}

int main(void)
{
    RUN(test_reference);
    RUN(test_small_sizes);
    RUN(test_edges);
    RUN(test_blocks);
    RUN(test_strides);
    RUN(test_meaningless_strides);
    RUN(test_special_values);
    RUN(test_accuracy);
    RUN(test_threads);
    return TEST_EXIT;
}
