/* Shapes: counting without overflow, strides, broadcasting, checks of what users give. */
#include "graph/graph.h"

#include <inttypes.h>

size_t gr_type_size(gr_type type)
{
    static const size_t sizes[] = {[GR_F32] = 4, [GR_F64] = 8, [GR_I32] = 4, [GR_BOOL] = 1};
    return (size_t)type < sizeof sizes / sizeof *sizes ? sizes[type] : 0;
}

const char *gr_type_name(gr_type type)
{
    static const char *const names[] = {
        [GR_F32] = "f32", [GR_F64] = "f64", [GR_I32] = "i32", [GR_BOOL] = "bool"};
    return (size_t)type < sizeof names / sizeof *names ? names[type] : "unknown type";
}

bool gr_type_is_float(gr_type type) { return type == GR_F32 || type == GR_F64; }

bool gri_count(int ndim, const int64_t *dims, gr_type type, int64_t *count)
{
    /* The product of the sizes other than 0 must fit, too: strides are made of it. */
    const int64_t most = INT64_MAX / (int64_t)gri_element_bytes(type) - 2 * GRI_ALIGN;
    int64_t product = 1;
    bool empty = false;
    for (int i = 0; i < ndim; i++) {
        if (dims[i] < 0) return false;
        if (dims[i] == 0) {
            empty = true;
            continue;
        }
        const bool small = product <= INT32_MAX && dims[i] <= INT32_MAX; /* most are: spares a division */
        if (!small && product > most / dims[i]) return false;
        product *= dims[i];
    }
    *count = empty ? 0 : product;
    return product <= most;
}

bool gri_is_contiguous(int ndim, const int64_t *dims, const int64_t *strides)
{
    int64_t stride = 1;
    bool contiguous = true;
    for (int i = ndim - 1; i >= 0; i--) {
        if (dims[i] == 0) return true;
        if (dims[i] != 1 && strides[i] != stride) contiguous = false;
        stride *= dims[i];
    }
    return contiguous;
}

bool gri_broadcasts_to(int from_ndim, const int64_t *from, int to_ndim, const int64_t *to)
{
    if (from_ndim > to_ndim) return false;
    for (int i = 0; i < from_ndim; i++) {
        const int64_t d = from[i], target = to[i + to_ndim - from_ndim];
        if (d != target && d != 1) return false;
    }
    return true;
}

gr_status gri_check_shape(gr_graph *g, const char *what, gr_type type, const gr_shape *shape, int64_t *count)
{
    if (gr_type_size(type) == 0) return gri_fail(g, GR_ERR_TYPE, "%s: %d is not a type", what, (int)type);
    if (shape->ndim < 0 || shape->ndim > GR_MAX_NDIM)
        return gri_fail(g, GR_ERR_NDIM, "%s: a shape of %d axes; 0 to %d are possible", what, shape->ndim,
                        GR_MAX_NDIM);
    char text[256];
    for (int i = 0; i < shape->ndim; i++) {
        if (shape->dims[i] >= 0) continue;
        gri_describe_shape(text, sizeof text, shape->ndim, shape->dims);
        return gri_fail(g, GR_ERR_SHAPE, "%s: negative size in shape %s", what, text);
    }
    if (!gri_count(shape->ndim, shape->dims, type, count)) {
        gri_describe_shape(text, sizeof text, shape->ndim, shape->dims);
        return gri_fail(g, GR_ERR_OVERFLOW, "%s: %s %s has more bytes than can be counted", what,
                        gr_type_name(type), text);
    }
    return GR_OK;
}
