/*
 * Which instruction sets this build has kernels for (GRI_HAVE_..., set by the build where the compiler
 * accepts the options) and this machine can run. What the compiler's run-time library says includes whether
 * the operating system saves the wide registers.
 */
#include "base/cpu.h"

static bool machine_has_avx2(void)
{
#ifdef GRI_HAVE_AVX2
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

static bool machine_has_avx512(void)
{
#ifdef GRI_HAVE_AVX512
    return machine_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

bool gri_isa_available(gri_isa isa)
{
    switch (isa) {
    case GRI_ISA_PORTABLE:
        return true;
    case GRI_ISA_AVX2:
        return machine_has_avx2();
    case GRI_ISA_AVX512:
        return machine_has_avx512();
    default:
        return false;
    }
}

gri_isa gri_isa_best(void)
{
    int isa = GRI_ISA_COUNT - 1;
    while (isa > GRI_ISA_PORTABLE && !gri_isa_available((gri_isa)isa)) isa--;
    return (gri_isa)isa;
}

const char *gri_isa_name(gri_isa isa)
{
    switch (isa) {
    case GRI_ISA_PORTABLE:
        return "portable";
    case GRI_ISA_AVX2:
        return "avx2";
    case GRI_ISA_AVX512:
        return "avx512";
    default:
        return "unknown";
    }
}
