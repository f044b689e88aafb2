/*
 * Counter-based random numbers: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy
 * as 1, 2, 3", 2011). Block i of a seed is a pure function of (seed, i): no state, any order, any thread.
 */
#ifndef GRI_BASE_RANDOM_H
#define GRI_BASE_RANDOM_H

#include <stdint.h>

/* The four 32-bit words of one block. */
void gri_philox(uint64_t seed, uint64_t block, uint32_t out[4]);

/* Numbers at positions 2 block and 2 block + 1 of the stream, in [0, 1), each with 53 random bits. */
void gri_uniform_pair(uint64_t seed, uint64_t block, double out[2]);
/* Two independent standard normal numbers (Box and Muller, 1958). */
void gri_normal_pair(uint64_t seed, uint64_t block, double out[2]);

#endif
