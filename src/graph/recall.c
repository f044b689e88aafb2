/* What a walk says when a recorded operation can no longer be the call that it was. */
#include "graph/walk.h"

enum { TEXT_BYTES = 256 };

gr_status gri_fail_released(gr_graph *g, const char *what, const gri_node *node)
{
    char text[TEXT_BYTES];
    gri_describe(text, sizeof text, node, false);
    return gri_fail(
        g, GR_ERR_HISTORY_RELEASED,
        "%s: the history of %s was released by an earlier backward pass: ask that one to retain it", what,
        text);
}

gr_status gri_fail_operand(gr_graph *g, const char *what, const gri_node *node, uint32_t i,
                           const gri_node *now)
{
    char text[TEXT_BYTES], operand[TEXT_BYTES];
    gri_describe(text, sizeof text, node, false);
    if (!now)
        return gri_fail(g, GR_ERR_STALE, "%s: operand %u of %s was released after its use", what, i + 1,
                        text);
    gri_describe(operand, sizeof operand, now, false);
    return gri_fail(g, GR_ERR_MODIFIED,
                    "%s: %s was written between its use in %s and this pass (version %u, now %u)", what,
                    operand, text, gri_operands(node)[i].version, now->version);
}
