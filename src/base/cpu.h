/*
 * Which instruction set the kernels use. Chosen once per graph: the best one that both this build and this
 * machine have, or the one that was asked for.
 */
#ifndef GRI_BASE_CPU_H
#define GRI_BASE_CPU_H

#include <stdbool.h>

typedef enum gri_isa {
    GRI_ISA_PORTABLE, /* plain C, what every build has */
    GRI_ISA_AVX2,     /* AVX2 and FMA */
    GRI_ISA_AVX512,   /* AVX-512 F, DQ, BW and VL */
    GRI_ISA_COUNT
} gri_isa;

/* Whether this build has kernels for it and this machine can run them. */
bool gri_isa_available(gri_isa isa);
/* The best that is available. */
gri_isa gri_isa_best(void);
/* "portable", "avx2", "avx512"; "unknown" for anything else. */
const char *gri_isa_name(gri_isa isa);

#endif
