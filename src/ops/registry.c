#include "ops/registry.h"

const gr_op *const *gr_primitives(void)
{
#define ENTRY(NAME) &gri_op_##NAME,
    static const gr_op *const primitives[] = {GRI_PRIMITIVES(ENTRY) NULL};
#undef ENTRY
    return primitives;
}
