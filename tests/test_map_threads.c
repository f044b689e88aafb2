/*
 * Elementwise operations that are large enough to be cut into tasks: the same bits as from one thread, for one long row,
 * many rows, and rows that broadcasting or strides keep apart.
 */
#include "test.h"
#include "gradus.h"

#include <stdlib.h>

enum { CASES = 7 };

static gr_tensor numbers(gr_graph *g, gr_shape shape)
{
    int64_t n = 1;
    for (int i = 0; i < shape.ndim; i++) n *= shape.dims[i];
    return gr_reshape(gr_arange(g, GR_F32, n, -7, 1), shape);
}

static gr_tensor compute(gr_graph *g, int which)
{
    const gr_tensor cube = numbers(g, GR_SHAPE(61, 31, 67));
    switch (which) {
    case 0: /* one row, the last part short */
        return gr_neg(numbers(g, GR_SHAPE(100003)));
    case 1: /* one row with a step */
        return gr_neg(gr_slice(numbers(g, GR_SHAPE(200007)), 0, 1, GR_SLICE_DEFAULT, 2));
    case 2: /* rows, and an operand that is repeated along each */
        return gr_add(numbers(g, GR_SHAPE(701, 149)), numbers(g, GR_SHAPE(701, 1)));
    case 3: /* or that is the same for all */
        return gr_sub(numbers(g, GR_SHAPE(701, 149)), numbers(g, GR_SHAPE(149)));
    case 4: /* rows longer than a task */
        return gr_sub(numbers(g, GR_SHAPE(3, 40001)), numbers(g, GR_SHAPE(3, 1)));
    case 5: /* three axes that cannot be merged */
        return gr_mul(gr_permute(cube, GR_ALL_AXES), gr_scalar(g, GR_F32, 3));
    default:
        return gr_add(gr_add(cube, numbers(g, GR_SHAPE(61, 1, 67))), numbers(g, GR_SHAPE(31, 1)));
    }
}

static void test_same_bits(void)
{
    for (int which = 0; which < CASES; which++) {
        gr_graph *one = gr_graph_create(NULL), *many = gr_graph_create(&(gr_graph_options){.threads = 3});
        const gr_tensor x = compute(one, which);
        const int64_t n = gr_count(x);
        float *a = malloc((size_t)n * sizeof *a), *b = malloc((size_t)n * sizeof *b);
        CHECK(gr_read(x, a, n) == GR_OK);
        gr_full(many, GR_F32, GR_SHAPE(n), NAN); /* what is not computed shows */
        gr_graph_reset(many);
        CHECK(gr_read(compute(many, which), b, n) == GR_OK);
        CHECK(memcmp(a, b, (size_t)n * sizeof *a) == 0);
        free(a);
        free(b);
        gr_graph_destroy(one);
        gr_graph_destroy(many);
    }
}

/* And one thread's numbers are the right ones. */
static void test_numbers(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor y = compute(g, CASES - 1), z = compute(g, 5), r = compute(g, 2);
    int64_t wrong = 0;
    for (int i = 0; i < 61; i += 5)
        for (int j = 0; j < 31; j++)
            for (int k = 0; k < 67; k += 3) {
                const double at = (i * 31 + j) * 67 + k - 7;
                wrong += GR_AT(y, i, j, k) != at + (i * 67 + k - 7) + (j - 7);
                wrong += GR_AT(z, k, j, i) != 3 * at;
            }
    for (int i = 0; i < 701; i += 7) wrong += GR_AT(r, i, 148) != i * 149 + 148 - 7 + (i - 7);
    CHECK(wrong == 0 && gr_graph_status(g) == GR_OK);
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_same_bits);
    RUN(test_numbers);
    return TEST_EXIT;
}
