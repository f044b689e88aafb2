/* Rows of operations that make tensors from nothing. */
#include "table.h"

static const test_case creation_cases[] = {
    {.to = S0}, {.to = S(0)}, {.to = S(1)}, {.to = S(7)}, {.to = S(3, 4)}, {.to = S(20, 31)}, END,
};

/* ---- Random numbers, written down a second time: Philox 4x32-10 ---- */

enum { RANDOM_SEED = 77 };

static void philox(uint64_t seed, uint64_t block, uint64_t out[2])
{
    uint32_t c[4] = {(uint32_t)block, (uint32_t)(block >> 32), 0, 0}, k0 = (uint32_t)seed,
             k1 = (uint32_t)(seed >> 32);
    for (int i = 0; i < 10; i++) {
        const uint64_t p = (uint64_t)0xD2511F53u * c[0], q = (uint64_t)0xCD9E8D57u * c[2];
        const uint32_t next[4] = {(uint32_t)(q >> 32) ^ c[1] ^ k0, (uint32_t)q,
                                  (uint32_t)(p >> 32) ^ c[3] ^ k1, (uint32_t)p};
        memcpy(c, next, sizeof c);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int i = 0; i < 2; i++) out[i] = (uint64_t)c[2 * i] << 32 | c[2 * i + 1];
}

/* Number i of the uniform stream. */
static double uniform_number(int64_t i)
{
    uint64_t words[2];
    philox(RANDOM_SEED, (uint64_t)i / 2, words);
    return (double)(words[i % 2] >> 11) / 9007199254740992.0;
}

static double normal_number(int64_t i)
{
    const double u = uniform_number(i / 2 * 2), v = uniform_number(i / 2 * 2 + 1), pi = acos(-1);
    return sqrt(-2 * log(1 - u)) * (i % 2 ? sin(2 * pi * v) : cos(2 * pi * v));
}

/* formula1 of the element's number. */
static void expect_creation(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)n, (void)x;
    y->shape = c->to;
    if (!strcmp(r->name, "arange")) y->shape = (gr_shape)S(count_of(c->to));
    for (int64_t e = 0; e < count_of(y->shape); e++) y->v[e] = r->formula1((double)e);
}

static double f_full(double i) { return i * 0 + 2.5; }
static double f_arange(double i) { return 1.5 - 0.25 * i; }
static double f_uniform(double i) { return -1 + 4 * uniform_number((int64_t)i); }
static double f_normal(double i) { return 0.5 + 2 * normal_number((int64_t)i); }
static double f_bernoulli(double i) { return uniform_number((int64_t)i) < 0.3; }

/* Both ends of n numbers are exact. */
static void expect_linspace(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n, (void)x;
    const int64_t count = count_of(c->to);
    y->shape = (gr_shape)S(count);
    for (int64_t e = 0; e < count; e++)
        y->v[e] = -1.5 + (count > 1 ? 3.25 * (double)e / (double)(count - 1) : 0);
    if (count > 1) y->v[count - 1] = 1.75;
}

BUILD(b_linspace, gr_linspace(g, type, count_of(c->to), -1.5, 1.75))
BUILD(b_full, gr_full(g, type, c->to, 2.5))
BUILD(b_arange, gr_arange(g, type, count_of(c->to), 1.5, -0.25))
BUILD(b_uniform, (gr_seed(g, RANDOM_SEED), gr_uniform(g, type, c->to, -1, 3)))
BUILD(b_normal, (gr_seed(g, RANDOM_SEED), gr_normal(g, type, c->to, 0.5, 2)))
BUILD(b_bernoulli, (gr_seed(g, RANDOM_SEED), gr_bernoulli(g, c->to, 0.3)))

static const char random_reason[] = "has no operands";

const row creation_rows[] = {
    {USE(arange, "", creation_cases, expect_creation), .formula1 = f_arange,
     .not_differentiable = random_reason},
    {USE(bernoulli, "", creation_cases, expect_creation), .formula1 = f_bernoulli,
     .not_differentiable = random_reason, .typed = true, .result = GR_BOOL},
    {USE(full, "", creation_cases, expect_creation), .formula1 = f_full, .not_differentiable = random_reason},
    {USE(linspace, "", creation_cases, expect_linspace), .not_differentiable = random_reason},
    {USE(normal, "", creation_cases, expect_creation), .formula1 = f_normal,
     .not_differentiable = random_reason},
    {USE(uniform, "", creation_cases, expect_creation), .formula1 = f_uniform,
     .not_differentiable = random_reason},
    {.name = NULL},
};
