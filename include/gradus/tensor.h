/*
 * Tensors: handles, types, shapes; making them, reading them, writing them.
 *
 * A gr_tensor is a small value (graph, index, generation): copy it, pass it, forget it. The graph owns what
 * it names. A failed call returns an invalid handle, which still knows its graph; every call accepts one and
 * returns one, so expressions nest as mathematics does and errors are looked at once (see graph.h).
 *
 * A tensor has a type, up to GR_MAX_NDIM axes, and strides: transpose, slice, expand and (nearly always)
 * reshape share elements instead of copying them; ops.h says when. A tensor of no axes is a scalar (one
 * element); an axis of size 0 makes it empty (no element).
 *
 * The values of a tensor that an operation returned never change. Parameters and constants can be written
 * (gr_write): each write raises a version number, and a backward pass that would need the old values fails
 * with GR_ERR_MODIFIED.
 */
#ifndef GRADUS_TENSOR_H
#define GRADUS_TENSOR_H

#include "gradus/graph.h"

GR_BEGIN_DECLS

typedef struct gr_tensor {
    gr_graph *graph;
    uint32_t index;      /* 0: invalid */
    uint32_t generation; /* tells a tensor from another that had the same place before */
} gr_tensor;

/* There is no implicit conversion between types: mixing them is GR_ERR_TYPE. gr_cast converts. */
typedef enum gr_type {
    GR_F32 = 0, /* float */
    GR_F64,     /* double */
    GR_I32,     /* int32_t: labels and indices */
    GR_BOOL     /* uint8_t, 0 or 1: masks */
} gr_type;
/* Bytes per element; 0 for a number that is no type. */
GR_API size_t gr_type_size(gr_type type);
/* "f32", "f64", "i32", "bool"; "unknown type" for a number that is none. */
GR_API const char *gr_type_name(gr_type type);
/* Whether tensors of the type can have gradients: f32 and f64. */
GR_API bool gr_type_is_float(gr_type type);

enum { GR_MAX_NDIM = 8 };

/* A shape by value: GR_SHAPE(2, 3) is [2, 3], GR_SCALAR is []. */
typedef struct gr_shape {
    int ndim;
    int64_t dims[GR_MAX_NDIM];
} gr_shape;

/* A list of axes by value: GR_AXES(0, -1). Negative axes count from the end. GR_ALL_AXES means every axis. */
typedef struct gr_axes {
    int n;
    int axis[GR_MAX_NDIM];
} gr_axes;

#define GR_COUNT_(type, ...) ((int)(sizeof((const type[]){__VA_ARGS__}) / sizeof(type)))
#ifdef __cplusplus
#    define GR_SHAPE(...) gr_make_shape(__VA_ARGS__)
#    define GR_SCALAR     (gr_shape{0, {}})
#    define GR_AXES(...)  gr_make_axes(__VA_ARGS__)
#    define GR_ALL_AXES   (gr_axes{-1, {}})
#else
#    define GR_SHAPE(...) ((gr_shape){GR_COUNT_(int64_t, __VA_ARGS__), {__VA_ARGS__}})
#    define GR_SCALAR     ((gr_shape){0, {0}})
#    define GR_AXES(...)  ((gr_axes){GR_COUNT_(int, __VA_ARGS__), {__VA_ARGS__}})
#    define GR_ALL_AXES   ((gr_axes){-1, {0}})
#endif

/* ---- Making tensors ---- */

/* A trainable leaf: kept, requires a gradient, has a name that no other parameter of the graph has
   (GR_ERR_NAME).
   `data`: the values in row-major order, of `type`, copied; NULL: zeros. type: f32 or f64. */
GR_API gr_tensor gr_param(gr_graph *g, const char *name, gr_type type, gr_shape shape, const void *data);

/* A leaf without gradient: data, labels, targets. Kept if made outside any scope, else freed with its scope.
   `data`: as for gr_param. In a training loop make it once and gr_write each batch into it. */
GR_API gr_tensor gr_constant(gr_graph *g, gr_type type, gr_shape shape, const void *data);

/* A scalar constant in an expression, of step lifetime. */
GR_API gr_tensor gr_scalar(gr_graph *g, gr_type type, double value);

/* Step tensors of one value each. Any type: to bool, a value is 1 unless it is 0; to i32, its fraction is cut
   off, and one that i32 cannot hold is GR_ERR_ARGUMENT. */
GR_API gr_tensor gr_full(gr_graph *g, gr_type type, gr_shape shape, double value);
GR_API gr_tensor gr_zeros(gr_graph *g, gr_type type, gr_shape shape);
GR_API gr_tensor gr_ones(gr_graph *g, gr_type type, gr_shape shape);
/* start, start + step, ..., n elements: -> [n]. Any type but bool; i32 as above. */
GR_API gr_tensor gr_arange(gr_graph *g, gr_type type, int64_t n, double start, double step);
/* n numbers from start to stop, both of which are among them, at equal distances: -> [n]; one: start. float. As in PyTorch
   and NumPy. */
GR_API gr_tensor gr_linspace(gr_graph *g, gr_type type, int64_t n, double start, double stop);

/* Random step tensors, drawn from the generator of the graph (graph.h). f32 or f64, no gradient.
   gr_uniform: [low, high), computed in f64, so that rounding to f32 can yield high itself; gr_normal: mean,
   standard deviation (Box and Muller, 1958). */
GR_API gr_tensor gr_uniform(gr_graph *g, gr_type type, gr_shape shape, double low, double high);
GR_API gr_tensor gr_normal(gr_graph *g, gr_type type, gr_shape shape, double mean, double std);
/* A mask whose elements are 1 with probability p. */
GR_API gr_tensor gr_bernoulli(gr_graph *g, gr_shape shape, double p);

/* ---- Asking ---- */

/* Whether the handle names a living tensor. Sets no error. */
GR_API bool gr_is_valid(gr_tensor t);
GR_API bool gr_same(gr_tensor a, gr_tensor b);

/* Of an invalid or stale handle these return GR_F32, a shape of ndim -1, 0, false or "", and set the
   error. */
GR_API gr_type gr_type_of(gr_tensor t);
GR_API gr_shape gr_shape_of(gr_tensor t);
GR_API int gr_ndim(gr_tensor t);
/* Size of one axis; negative axes count from the end. -1 and GR_ERR_AXIS if there is no such axis. */
GR_API int64_t gr_dim(gr_tensor t, int axis);
/* Number of elements. */
GR_API int64_t gr_count(gr_tensor t);
/* Strides in elements; `strides` has room for gr_ndim(t) of them. */
GR_API gr_status gr_strides(gr_tensor t, int64_t *strides);
/* Whether the elements lie in row-major order without gaps. */
GR_API bool gr_is_contiguous(gr_tensor t);
GR_API bool gr_requires_grad(gr_tensor t);
/* Whether it is a parameter (made by gr_param). */
GR_API bool gr_is_param(gr_tensor t);
/* Whether it belongs to the model without being a parameter: see gr_set_model_state. */
GR_API bool gr_is_model_state(gr_tensor t);

/* The name, or "" if it has none. The text lives as long as the tensor has this name. */
GR_API const char *gr_name(gr_tensor t);
/* Names a tensor, for messages and drawings, and returns it: h = gr_named(gr_relu(z), "h"). The text is
   copied; NULL takes the name away. Parameters have their names for good (GR_ERR_STATE). */
GR_API gr_tensor gr_named(gr_tensor t, const char *name);

/* ---- Reading ---- */

/* Copies all elements in row-major order, of the tensor's own type, into `to`. `count`: gr_count(t). */
GR_API gr_status gr_read(gr_tensor t, void *to, int64_t count);
/* The one element of a tensor that has one, as a double. Else NaN and GR_ERR_SHAPE. */
GR_API double gr_item(gr_tensor t);
/* The element at `n_index` indices, as many as axes (else GR_ERR_NDIM), as a double. Negative ones count from
   the end; outside: NaN and GR_ERR_INDEX. */
GR_API double gr_at(gr_tensor t, int n_index, const int64_t *index);
#ifdef __cplusplus
#    define GR_AT(...) gr_at_indices(__VA_ARGS__)
#else
#    define GR_AT(t, ...) gr_at(t, GR_COUNT_(int64_t, __VA_ARGS__), (const int64_t[]){__VA_ARGS__})
#endif
/* The elements themselves, for a contiguous tensor: valid as long as the tensor, and until it is written.
   NULL and GR_ERR_SHAPE if it is not contiguous (use gr_read or gr_contiguous). */
GR_API const void *gr_data(gr_tensor t);

/* ---- Writing leaves ---- */

/* Only parameters, constants and gradients can be written (GR_ERR_STATE). gr_write and gr_assign refuse while
   an error is pending. Other tensors that share the elements keep the old ones. */

/* Copies `count` elements in row-major order into such a tensor and raises its version. */
GR_API gr_status gr_write(gr_tensor t, const void *from, int64_t count);
/* Copies the values of `from`, of the same type and shape, into such a tensor. */
GR_API gr_status gr_assign(gr_tensor to, gr_tensor from);
/* The elements of such a tensor, for writing before the next call that takes it (which may share them);
   raises the version at each call. NULL on error. */
GR_API void *gr_data_for_writing(gr_tensor t);

/* ---- Lifetimes and roles ---- */

/* The values of t as a kept constant: a leaf without history that lives as long as the graph, or until
   gr_release. */
GR_API gr_tensor gr_keep(gr_tensor t);
/* Frees a kept tensor before its graph ends; its handles become stale. A parameter takes its name along. A
   recorded history that used it can no longer be differentiated (GR_ERR_STALE). */
GR_API gr_status gr_release(gr_tensor t);

/* Makes a constant a leaf that requires a gradient (or no longer): for gradients with respect to data. Also
   freezes and thaws parameters. Only for leaves (GR_ERR_STATE) of float type (GR_ERR_TYPE). Returns t.
   gr_clear_grads is for parameters: the gradient of a constant adds up until gr_clear_grad takes it away. */
GR_API gr_tensor gr_set_requires_grad(gr_tensor t, bool requires_grad);

/* Makes a kept constant a part of the model (or no longer): state that no gradient changes, but without which the
   parameters mean something else, as the running mean of a batch norm, whose layer has done so. Wherever saving, loading
   and early stopping take all parameters of a graph, they take all such constants with them. GR_ERR_NAME if it has no
   name, GR_ERR_STATE if it is no kept constant. Returns t. (PyTorch: register_buffer.) */
GR_API gr_tensor gr_set_model_state(gr_tensor t, bool is_state);

/* The parameters of the graph, in the order of creation. */
GR_API int gr_param_count(const gr_graph *g);
GR_API gr_tensor gr_param_at(gr_graph *g, int i);
/* The parameter of that name; an invalid handle and GR_ERR_NAME if there is none. */
GR_API gr_tensor gr_param_find(gr_graph *g, const char *name);

GR_END_DECLS

#ifdef __cplusplus
template <typename... T> gr_shape gr_make_shape(T... dims)
{
    return gr_shape{static_cast<int>(sizeof...(dims)), {static_cast<int64_t>(dims)...}};
}
template <typename... T> gr_axes gr_make_axes(T... axes)
{
    return gr_axes{static_cast<int>(sizeof...(axes)), {static_cast<int>(axes)...}};
}
template <typename... T> double gr_at_indices(gr_tensor t, T... indices)
{
    const int64_t index[] = {static_cast<int64_t>(indices)..., 0}; /* the last is for a scalar's empty list */
    return gr_at(t, static_cast<int>(sizeof...(indices)), index);
}
#endif

#endif
