/* Philox 4x32-10; the constants are those of the paper. */
#include "base/random.h"

#include <math.h>

enum { ROUNDS = 10 };

void gri_philox(uint64_t seed, uint64_t block, uint32_t out[4])
{
    const uint64_t m0 = 0xD2511F53u, m1 = 0xCD9E8D57u;
    const uint32_t w0 = 0x9E3779B9u, w1 = 0xBB67AE85u;
    uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32), c2 = 0, c3 = 0;
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < ROUNDS; round++) {
        const uint64_t p0 = m0 * c0, p1 = m1 * c2;
        const uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += w0;
        k1 += w1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

static double unit_interval(uint32_t high, uint32_t low)
{
    const uint64_t bits = ((uint64_t)high << 32 | low) >> 11;
    return (double)bits * 0x1p-53;
}

void gri_uniform_pair(uint64_t seed, uint64_t block, double out[2])
{
    uint32_t w[4];
    gri_philox(seed, block, w);
    out[0] = unit_interval(w[0], w[1]);
    out[1] = unit_interval(w[2], w[3]);
}

void gri_normal_pair(uint64_t seed, uint64_t block, double out[2])
{
    const double two_pi = 6.283185307179586476925286766559;
    double u[2];
    gri_uniform_pair(seed, block, u);
    const double radius = sqrt(-2.0 * log(1.0 - u[0])); /* 1 - u is in (0, 1]: the logarithm is finite */
    out[0] = radius * cos(two_pi * u[1]);
    out[1] = radius * sin(two_pi * u[1]);
}
