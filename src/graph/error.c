/*
 * Errors are values: the first one of a graph is stored, code and text, until it is cleared. The text is
 * written into the graph itself, so that running out of memory can be reported, too.
 */
#include "graph/graph.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *gr_status_name(gr_status status)
{
    static const char *const names[] = {
        [GR_OK] = "GR_OK",
        [GR_ERR_ARGUMENT] = "GR_ERR_ARGUMENT",
        [GR_ERR_HANDLE] = "GR_ERR_HANDLE",
        [GR_ERR_STALE] = "GR_ERR_STALE",
        [GR_ERR_GRAPH] = "GR_ERR_GRAPH",
        [GR_ERR_SHAPE] = "GR_ERR_SHAPE",
        [GR_ERR_TYPE] = "GR_ERR_TYPE",
        [GR_ERR_NDIM] = "GR_ERR_NDIM",
        [GR_ERR_AXIS] = "GR_ERR_AXIS",
        [GR_ERR_INDEX] = "GR_ERR_INDEX",
        [GR_ERR_OVERFLOW] = "GR_ERR_OVERFLOW",
        [GR_ERR_NAME] = "GR_ERR_NAME",
        [GR_ERR_MEMORY] = "GR_ERR_MEMORY",
        [GR_ERR_LIMIT] = "GR_ERR_LIMIT",
        [GR_ERR_NOT_SCALAR] = "GR_ERR_NOT_SCALAR",
        [GR_ERR_NO_HISTORY] = "GR_ERR_NO_HISTORY",
        [GR_ERR_HISTORY_RELEASED] = "GR_ERR_HISTORY_RELEASED",
        [GR_ERR_MODIFIED] = "GR_ERR_MODIFIED",
        [GR_ERR_NO_GRADIENT] = "GR_ERR_NO_GRADIENT",
        [GR_ERR_NOT_DIFFERENTIABLE] = "GR_ERR_NOT_DIFFERENTIABLE",
        [GR_ERR_STATE] = "GR_ERR_STATE",
        [GR_ERR_IO] = "GR_ERR_IO",
        [GR_ERR_FORMAT] = "GR_ERR_FORMAT",
        [GR_ERR_CALLBACK] = "GR_ERR_CALLBACK",
        [GR_ERR_SINGULAR] = "GR_ERR_SINGULAR",
        [GR_ERR_NOT_FINITE] = "GR_ERR_NOT_FINITE",
    };
    const size_t i = (size_t)status;
    return i < sizeof names / sizeof *names ? names[i] : "unknown status";
}

gr_status gr_graph_status(const gr_graph *g) { return g ? g->status : GR_ERR_HANDLE; }

const char *gr_graph_error(const gr_graph *g)
{
    return g ? g->message : "there is no graph: gr_graph_create failed, or a handle was never set";
}

void gr_graph_clear_error(gr_graph *g)
{
    if (!g) return;
    g->status = GR_OK;
    g->message[0] = '\0';
}

static void store(gr_graph *g, gr_status status, const char *format, va_list arguments)
{
    if (!g || g->status != GR_OK || status == GR_OK) return;
    g->status = status;
    vsnprintf(g->message, sizeof g->message, format, arguments);
}

gr_status gri_fail(gr_graph *g, gr_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    store(g, status, format, arguments);
    va_end(arguments);
    return status;
}

gr_status gr_graph_fail(gr_graph *g, gr_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    store(g, status, format, arguments);
    va_end(arguments);
    return status;
}

gr_status gri_fail_memory(gr_graph *g, const char *what, size_t bytes)
{
    if (g->memory.limit_hit)
        return gri_fail(g, GR_ERR_LIMIT, "%s: needs %zu bytes, but the limit of %zu bytes leaves %zu", what,
                        bytes, g->memory.limit, g->memory.limit - g->memory.reserved);
    return gri_fail(g, GR_ERR_MEMORY, "%s: out of memory: needs %zu bytes, %zu are in use", what, bytes,
                    g->memory.used);
}

/* Adds formatted text at *length, as far as there is room; *length counts what would be needed. */
static void append(char *to, size_t room, size_t *length, const char *format, ...) GR_PRINTF(4, 5);
static void append(char *to, size_t room, size_t *length, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const size_t at = *length < room ? *length : room;
    const int n = vsnprintf(to + at, room - at, format, arguments);
    va_end(arguments);
    if (n > 0) *length += (size_t)n;
}

size_t gri_describe_shape(char *to, size_t room, int ndim, const int64_t *dims)
{
    size_t length = 0;
    append(to, room, &length, "[");
    for (int i = 0; i < ndim; i++) append(to, room, &length, i ? ", %" PRId64 : "%" PRId64, dims[i]);
    append(to, room, &length, "]");
    return length;
}

size_t gri_describe(char *to, size_t room, const gri_node *node, bool with_type)
{
    size_t length = 0;
    const char *what = node->name ? node->name : node->op ? node->op->name : "constant";
    append(to, room, &length, "%s ", what);
    if (with_type) append(to, room, &length, "%s ", gr_type_name(node->array.type));
    const size_t at = length < room ? length : room;
    return length + gri_describe_shape(to + at, room - at, node->array.ndim, node->array.dims);
}

gr_status gri_fail_about(gr_graph *g, gr_status status, const gri_node *node, const char *format, ...)
{
    if (g->status != GR_OK) return status;
    char what[GRI_MESSAGE_BYTES / 2], text[GRI_MESSAGE_BYTES / 4];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    gri_describe(text, sizeof text, node, status == GR_ERR_TYPE);
    return gri_fail(g, status, "%s: %s", what, text);
}

/* The operands of a call as "x [2, 3] @ w [4, 5]": all that fit. */
static void describe_operands(const gr_call *c, char *to, size_t room, bool with_type)
{
    size_t length = 0;
    to[0] = '\0';
    for (int i = 0; i < c->n && length < room; i++) {
        const gri_node *node = gri_lookup(c->graph, c->operands[i].index, c->operands[i].generation);
        if (i && c->op->infix) append(to, room, &length, " %s ", c->op->infix);
        if (i && !c->op->infix) append(to, room, &length, ", ");
        if (node && length < room) length += gri_describe(to + length, room - length, node, with_type);
    }
}

gr_status gr_call_fail(const gr_call *c, gr_status status, const char *what, const char *detail, ...)
{
    if (c->graph->status != GR_OK) return status;
    char operands[GRI_MESSAGE_BYTES / 2], tail[GRI_MESSAGE_BYTES / 4] = "";
    describe_operands(c, operands, sizeof operands, status == GR_ERR_TYPE);
    if (detail) {
        va_list arguments;
        va_start(arguments, detail);
        vsnprintf(tail, sizeof tail, detail, arguments);
        va_end(arguments);
    }
    return gri_fail(c->graph, status, "%s: %s%s%s%s%s%s", c->op->name, what, operands[0] ? ": " : "",
                    operands, tail[0] ? " (" : "", tail, tail[0] ? ")" : "");
}
