/*
 * Joining, cutting, repeating and turning, composed of views and gr_concat. What operands must be like is checked here, so that a
 * message names the operation that was called.
 */
#include "ops/axes.h"

#include <inttypes.h>

/* For constructors that take a list: n handles in memory of the graph, to be given back; NULL, and the error set. */
static gr_tensor *take_handles(gr_graph *g, const char *name, int n)
{
    const size_t bytes = (size_t)n * sizeof(gr_tensor);
    gr_tensor *handles = gri_alloc(&g->memory, bytes);
    if (!handles) gri_fail_memory(g, name, bytes);
    return handles;
}

static void give_handles(gr_graph *g, gr_tensor *handles, int n)
{
    gri_free(&g->memory, handles, (size_t)n * sizeof *handles);
}

/* ---- stack ---- */

static bool is_like_first(const gr_tensor *tensors, int i)
{
    const gr_array *first = gri_array_of(tensors[0], "stack"), *other = gri_array_of(tensors[i], "stack");
    if (!first || !other) return false;
    if (tensors[i].graph == tensors[0].graph && gri_same_dims(first, other)) return true;
    const gr_tensor both[] = {tensors[0], tensors[i]};
    GRI_NAMED_CALL(call, "stack", 2, both);
    if (tensors[i].graph != tensors[0].graph)
        gri_fail(tensors[0].graph, GR_ERR_GRAPH, "stack: operand %d belongs to another graph", i + 1);
    else
        gr_call_fail(&call, GR_ERR_SHAPE, "shapes differ", "operand %d", i + 1);
    return false;
}

gr_tensor gr_stack(int n, const gr_tensor *tensors, int axis)
{
    gr_graph *g = tensors && n > 0 ? tensors[0].graph : NULL;
    if (n < 1 || !tensors) {
        gri_fail(g, GR_ERR_ARGUMENT, "stack: needs at least one tensor");
        return gri_invalid(g);
    }
    const gr_array *first = gri_array_of(tensors[0], "stack");
    const int at = first ? gri_check_axis(tensors[0], "stack", axis, first->ndim + 1) : -1;
    if (at < 0) return gri_invalid(g);
    for (int i = 1; i < n; i++)
        if (!is_like_first(tensors, i)) return gri_invalid(g);
    gr_tensor *slices = take_handles(g, "stack", n);
    if (!slices) return gri_invalid(g);
    for (int i = 0; i < n; i++) slices[i] = gr_unsqueeze(tensors[i], at);
    const gr_tensor y = gr_concat(n, slices, at);
    give_handles(g, slices, n);
    return y;
}

/* ---- split, chunk ---- */

/* The size of part i of n. */
static int64_t part_size(const int64_t *sizes, int i, int n, int64_t whole)
{
    return sizes ? sizes[i] : whole / n;
}

/* Whether the sizes fill the axis; the error is set if not. */
static bool fills(gr_tensor x, int axis, int n, const int64_t *sizes, int64_t whole)
{
    int64_t left = whole;
    bool fits = true;
    for (int i = 0; i < n && fits; i++) {
        const int64_t size = part_size(sizes, i, n, whole);
        fits = size >= 0 && size <= left;
        left -= size;
    }
    if (fits && left == 0) return true;
    gri_fail_about(x.graph, GR_ERR_SHAPE, gri_resolve(x, "split"),
                   sizes ? "split: the sizes of %d parts do not add up to axis %d"
                         : "split: %d equal parts of axis %d are not possible",
                   n, axis);
    return false;
}

gr_status gr_split(gr_tensor x, int axis, int n, const int64_t *sizes, gr_tensor *parts)
{
    for (int i = 0; parts && i < n; i++) parts[i] = gri_invalid(x.graph);
    const gr_array *a = gri_array_of(x, "split");
    if (!a) return x.graph ? x.graph->status : GR_ERR_HANDLE;
    if (n < 1 || !parts)
        return gri_fail(x.graph, GR_ERR_ARGUMENT, "split: %d parts, or nowhere to put them", n);
    const int at = gri_check_axis(x, "split", axis, a->ndim);
    if (at < 0) return GR_ERR_AXIS;
    const int64_t whole = a->dims[at];
    if (!fills(x, at, n, sizes, whole)) return GR_ERR_SHAPE;
    int64_t start = 0;
    bool valid = true;
    for (int i = 0; i < n && valid; i++) {
        const int64_t end = start + part_size(sizes, i, n, whole);
        parts[i] = gr_slice(x, at, start, end, 1);
        valid = gr_is_valid(parts[i]);
        start = end;
    }
    for (int i = 0; i < n && !valid; i++) parts[i] = gri_invalid(x.graph);
    return valid ? GR_OK : x.graph->status;
}

int gr_chunk(gr_tensor x, int axis, int n, gr_tensor *parts)
{
    for (int i = 0; parts && i < n; i++) parts[i] = gri_invalid(x.graph);
    const gr_array *a = gri_array_of(x, "chunk");
    if (!a) return 0;
    if (n < 1 || !parts) {
        gri_fail(x.graph, GR_ERR_ARGUMENT, "chunk: %d parts, or nowhere to put them", n);
        return 0;
    }
    const int at = gri_check_axis(x, "chunk", axis, a->ndim);
    if (at < 0) return 0;
    const int64_t whole = a->dims[at], size = whole / n + (whole % n != 0);
    int made = 0;
    for (int64_t start = 0; made < n && (start < whole || whole == 0); start += size) {
        parts[made] = gr_slice(x, at, start, whole - start < size ? whole : start + size, 1);
        if (gr_is_valid(parts[made++])) continue;
        for (int i = 0; i < made; i++) parts[i] = gri_invalid(x.graph);
        return 0;
    }
    return made;
}

/* ---- tile, repeat, repeat_interleave ---- */

static int64_t product(const gr_shape *s, int first, int last)
{
    int64_t n = 1;
    for (int i = first; i < last; i++) n *= s->dims[i];
    return n;
}

/* x, of this shape, with blocks of what lies at or behind `axis` repeated, all of them once and then again, or, if `each`,
   slices of the axis one by one. */
static gr_tensor repeat_along(gr_tensor x, gr_shape *shape, int axis, int64_t n, bool each)
{
    const int64_t outer = product(shape, 0, axis + each), inner = product(shape, axis + each, shape->ndim);
    const gr_tensor rows = gr_reshape(x, GR_SHAPE(outer, 1, inner));
    const gr_tensor repeated = gr_expand(rows, GR_SHAPE(outer, n, inner));
    shape->dims[axis] *= n;
    return gr_reshape(repeated, *shape);
}

/* Whether an axis can be repeated so often; the error is set if not. */
static bool can_repeat(gr_tensor x, const char *name, int64_t size, int64_t n)
{
    if (n >= 0 && (size == 0 || n <= INT64_MAX / size)) return true;
    gri_fail_about(x.graph, n < 0 ? GR_ERR_ARGUMENT : GR_ERR_OVERFLOW, gri_resolve(x, name),
                   "%s: an axis of %" PRId64 " repeated %" PRId64 " times", name, size, n);
    return false;
}

static gr_tensor tile(const char *name, gr_tensor x, const gr_shape *repeats)
{
    const gr_array *a = gri_array_of(x, name);
    if (!a) return gri_invalid(x.graph);
    if (repeats->ndim < 0 || repeats->ndim > GR_MAX_NDIM) {
        gri_fail(x.graph, GR_ERR_NDIM, "%s: numbers for %d axes; up to %d are possible", name, repeats->ndim,
                 GR_MAX_NDIM);
        return gri_invalid(x.graph);
    }
    gr_shape shape = {.ndim = a->ndim > repeats->ndim ? a->ndim : repeats->ndim};
    const int added = shape.ndim - a->ndim, unnamed = shape.ndim - repeats->ndim;
    for (int i = 0; i < shape.ndim; i++) shape.dims[i] = i < added ? 1 : a->dims[i - added];
    for (int i = unnamed; i < shape.ndim; i++)
        if (!can_repeat(x, name, shape.dims[i], repeats->dims[i - unnamed])) return gri_invalid(x.graph);
    gr_tensor y = added ? gr_reshape(x, shape) : x;
    for (int i = shape.ndim - 1; i >= unnamed; i--)
        if (repeats->dims[i - unnamed] != 1)
            y = repeat_along(y, &shape, i, repeats->dims[i - unnamed], false);
    return y;
}

gr_tensor gr_tile(gr_tensor x, gr_shape repeats) { return tile("tile", x, &repeats); }

gr_tensor gr_repeat(gr_tensor x, gr_shape repeats)
{
    const gr_array *a = gri_array_of(x, "repeat");
    if (!a) return gri_invalid(x.graph);
    if (repeats.ndim >= a->ndim) return tile("repeat", x, &repeats);
    gri_fail_about(x.graph, GR_ERR_NDIM, gri_resolve(x, "repeat"), "repeat: numbers for %d axes only",
                   repeats.ndim);
    return gri_invalid(x.graph);
}

gr_tensor gr_repeat_interleave(gr_tensor x, int axis, int64_t n)
{
    const gr_array *a = gri_array_of(x, "repeat_interleave");
    const int at = a ? gri_check_axis(x, "repeat_interleave", axis, a->ndim) : -1;
    if (at < 0 || !can_repeat(x, "repeat_interleave", a->dims[at], n)) return gri_invalid(x.graph);
    gr_shape shape = gri_shape(a);
    return repeat_along(x, &shape, at, n, true);
}

/* ---- flip, roll ---- */

gr_tensor gr_flip(gr_tensor x, gr_axes axes)
{
    const gr_array *a = gri_array_of(x, "flip");
    if (!a) return gri_invalid(x.graph);
    GRI_NAMED_CALL(call, "flip", 1, &x);
    const int ndim = a->ndim;
    uint32_t mask;
    if (!gri_axes_mask(&call, &axes, ndim, &mask)) return gri_invalid(x.graph);
    gr_tensor y = x;
    for (int axis = 0; axis < ndim; axis++)
        if (mask >> axis & 1) y = gr_slice(y, axis, GR_SLICE_DEFAULT, GR_SLICE_DEFAULT, -1);
    return y;
}

gr_tensor gr_roll(gr_tensor x, int axis, int64_t shift)
{
    const gr_array *a = gri_array_of(x, "roll");
    const int at = a ? gri_check_axis(x, "roll", axis, a->ndim) : -1;
    if (at < 0) return gri_invalid(x.graph);
    const int64_t n = a->dims[at], places = n ? (shift % n + n) % n : 0;
    if (places == 0) return x;
    const gr_tensor parts[] = {gr_slice(x, at, n - places, n, 1), gr_slice(x, at, 0, n - places, 1)};
    return gr_concat(2, parts, at);
}

/* ---- meshgrid ---- */

gr_status gr_meshgrid(int n, const gr_tensor *axes, gr_tensor *grids)
{
    gr_graph *g = axes && n > 0 ? axes[0].graph : NULL;
    for (int i = 0; grids && i < n; i++) grids[i] = gri_invalid(g);
    if (n < 1 || n > GR_MAX_NDIM || !axes || !grids)
        return gri_fail(g, GR_ERR_ARGUMENT, "meshgrid: 1 to %d vectors, not %d, and as many results",
                        GR_MAX_NDIM, n);
    gr_shape full = {.ndim = n};
    for (int i = 0; i < n; i++) {
        const gr_array *a = gri_array_of(axes[i], "meshgrid");
        if (!a) return axes[i].graph ? axes[i].graph->status : GR_ERR_HANDLE;
        if (axes[i].graph != g)
            return gri_fail(g, GR_ERR_GRAPH, "meshgrid: operand %d belongs to another graph", i + 1);
        if (a->ndim > 1)
            return gri_fail_about(g, GR_ERR_NDIM, gri_resolve(axes[i], "meshgrid"),
                                  "meshgrid: needs vectors");
        full.dims[i] = a->count;
    }
    for (int i = 0; i < n; i++) {
        gr_shape own = {.ndim = n};
        for (int k = 0; k < n; k++) own.dims[k] = k == i ? full.dims[i] : 1;
        grids[i] = gr_expand(gr_reshape(axes[i], own), full);
        if (gr_is_valid(grids[i])) continue;
        for (int k = 0; k <= i; k++) grids[k] = gri_invalid(g);
        return g->status;
    }
    return GR_OK;
}
