/*
 * Primitives of your own. Those of Gradus are made of the same: there is nothing that they can do and yours
 * cannot.
 *
 * A primitive is one constant descriptor, gr_op, and a constructor that calls gr_apply with it. Complete
 * example: examples/custom_op.c. In short, for y = x^3:
 *
 *     static gr_status cube_infer(const gr_call *c, gr_layout *out) { return gr_infer_like(c, out, 0); }
 *
 *     static gr_status cube_forward(const gr_call *c)
 *     {
 *         const double *x = c->in[0]->data;        operands are contiguous here, see `strided` below
 *         double *y = c->out->data;
 *         for (int64_t i = 0; i < c->out->count; i++) y[i] = x[i] * x[i] * x[i];
 *         return GR_OK;
 *     }
 *
 *     static gr_tensor cube_vjp(const gr_call *c, gr_tensor gy, int i)
 *     {
 *         return gr_chain_mul(gy, gr_scale(gr_square(c->operands[0]), 3));
 *     }
 *
 *     static const gr_op cube = {
 *         .name = "cube", .arity = 1, .infer = cube_infer, .forward = cube_forward, .vjp = cube_vjp};
 *
 *     gr_tensor my_cube(gr_tensor x) { return gr_apply(x.graph, &cube, 1, &x, NULL); }
 *
 * The descriptor must outlive the graph; `static const` does. With `samples` (below) gr_sweep tries it on
 * operands of all kinds, derivatives included: sweep.h.
 */
#ifndef GRADUS_CUSTOM_H
#define GRADUS_CUSTOM_H

#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* The elements of a tensor, for reading them in a primitive: element (i, j, ...) is at data + i strides[0] +
   j strides[1] + ..., in elements of the type. */
typedef struct gr_array {
    void *data;
    const int64_t *dims;
    const int64_t *strides; /* in elements; 0 where an axis is expanded, negative where it is reversed */
    int64_t count;          /* number of elements */
    gr_type type;
    int ndim;
} gr_array;

typedef struct gr_op gr_op;
typedef struct gr_samples gr_samples;

/* One use of a primitive, made by Gradus. In infer there are operands, in and attributes; in forward out,
   too; in vjp and vjp_all operands, output and attributes; in pull and pull_tangent all of them. */
typedef struct gr_call {
    gr_graph *graph;
    const gr_op *op;
    int n; /* number of operands */
    const gr_tensor *operands;
    const void *attributes; /* copy of what was given to gr_apply; 8-byte aligned */
    const gr_array *const *in;
    const gr_array *out;
    gr_tensor output;
} gr_call;

/* What a contribution to a gradient is made of, and how that moves. Tangents have the type and shape of what they
   belong to, any strides, and are NULL where they are zero; that of one operand at least is there. */
typedef struct gr_moving {
    const gr_array *gy, *gy_tangent;    /* the cotangent of the result */
    const gr_array *const *in_tangents; /* of the operands */
} gr_moving;

/* What infer decides. */
typedef struct gr_layout {
    gr_type type;
    int ndim;
    int64_t dims[GR_MAX_NDIM];
    /* A view shares the elements of one operand instead of computing: set alias to the operand's position (-1
       before infer), fill strides and offset (in elements of the operand, from its data). A view that reaches
       beyond the operand's buffer is GR_ERR_CALLBACK. forward is not called. */
    int alias;
    int64_t offset;
    int64_t strides[GR_MAX_NDIM];
} gr_layout;

enum { GR_VARIADIC = -1 };

/* How a primitive carries a tangent t of one of its operands forwards: what its Jacobian J by that operand
   makes of t. Forward mode (gr_jvp) needs nothing but this word and the rule. Promising more than
   GR_TANGENT_GENERAL saves time; a promise that is not kept gives wrong tangents, so hold it against numbers
   (gr_gradcheck of a function that calls gr_function_jvp). */
typedef enum gr_tangent {
    /* Nothing is promised: J t is the transpose of the rule, which is a linear function of its cotangent, by
       differentiating it. Always right. */
    GR_TANGENT_GENERAL = 0,
    /* J is symmetric once the operand is repeated to the shape of the result: J t is the rule, with t for the
       cotangent. Every elementwise primitive, and softmax. */
    GR_TANGENT_SYMMETRIC = 1,
    /* Linear in each of its float operands, the others fixed: J t is the primitive itself, with t for the
       operand. Products, sums, views. t has the operand's shape, but may have other strides. */
    GR_TANGENT_LINEAR = 2,
    /* Linear in all float operands together: the primitive itself, of tangents alone, with zeros where an
       operand has none. concat. */
    GR_TANGENT_JOINT = 4,
    /* Both: jointly where every operand has a tangent, else by the rule. add, sub. */
    GR_TANGENT_SYMMETRIC_JOINT = 5
} gr_tangent;

struct gr_op {
    const char *name;       /* as in messages and drawings: the field's term, lower case */
    int arity;              /* number of operands, or GR_VARIADIC */
    bool strided;           /* forward reads operands by their strides; if false it gets contiguous ones */
    size_t attribute_bytes; /* size of the attributes, which are copied into the node */
    const char *infix;      /* for messages: "@" makes "a [2, 3] @ b [4, 5]"; NULL: a comma */
    const char *formula;    /* one line of text, such as "y = sin x" */
    bool commutative;       /* operands may change places: drawings need not number them */

    /* What it can be tried on, for gr_sweep; may be NULL. */
    const gr_samples *samples;

    /* Checks operands and attributes; sets type, ndim, dims of the result. On bad input:
       return gr_call_fail(...). */
    gr_status (*infer)(const gr_call *call, gr_layout *out);

    /* Computes c->out from c->in: pure, that is from operands, attributes and nothing else. c->out is
       contiguous and not cleared. Errors: gr_call_fail. NULL for a primitive that only makes views. */
    gr_status (*forward)(const gr_call *call);

    /* The contribution of cotangent gy (type and shape of the output) to the cotangent of operand i, written
       with the operations of ops.h. It may have the broadcast shape of operand i: the engine sums what was
       repeated. GR_NONE: no contribution (zero). NULL, and no vjp_all: not differentiable; using the primitive
       on something that requires a gradient is an error. Only called for operands that need it, which are floats.
       A rule cannot free what is walked over: in it gr_graph_reset, gr_release, gr_clear_grad and gr_clear_grads,
       gr_optimizer_release, and gr_scope_end of a scope opened before are GR_ERR_STATE; so is a scope or a
       gr_no_grad_begin that it leaves open.
       Multiply by gr_chain_mul, so that a cotangent of 0 ends a path where a derivative is infinite or NaN:
       docs/kinks.md. */
    gr_tensor (*vjp)(const gr_call *call, gr_tensor gy, int i);

    /* Optional, in place of vjp: the contributions to all operands at once, for primitives whose operands share
       work. contributions[i] is GR_NONE at first, and is to be set where needed[i]; there are call->n of both. All
       that is said of vjp holds for it. Returns GR_OK, or the status of an error that is set. Where a primitive has
       both, vjp_all is used. */
    gr_status (*vjp_all)(const gr_call *call, gr_tensor gy, const bool *needed, gr_tensor *contributions);

    /* Optional, for speed: the same contribution, computed at once into `to` (contiguous, of the type and
       shape of operand i, not cleared), for walks that are not recorded. `in` may be strided, whatever
       `strided` says. Returns false where it does not apply: then the rule is used. Hold it against the rule
       in a test. */
    bool (*pull)(const gr_call *call, const gr_array *gy, int i, const gr_array *to);

    /* Optional, for speed: how that contribution moves when operands and cotangent move along the tangents that
       `moving` gives, computed into `to` in the same way, for Hessian-vector products that are not recorded. With
       y = f(x): f'(x) dgy + (f''(x) dx) gy, multiplied as the rule does. Returns false where it does not apply: then
       the rule is differentiated. gr_sweep holds it against the rule. */
    bool (*pull_tangent)(const gr_call *call, const gr_moving *moving, int i, const gr_array *to);

    gr_tangent tangent; /* how it carries tangents forwards */
    /* Promises that its Jacobians do not move with the operands, but at kinks: it is linear or piecewise linear, as
       relu. Hessian-vector products are spared what does not move. The two joint kinds of tangent promise it, too. A
       promise that is not kept gives wrong products, so hold it against numbers (gr_sweep does). */
    bool straight;
    /* Optional, for summaries: the floating-point operations of one forward, from operands (`in`), attributes and
       `out`, of which it may read all but the elements. NULL: one per element of the result, none for a view. See
       summary.h. */
    double (*flops)(const gr_call *call);
};

/* The result of a vjp that contributes nothing. */
#ifdef __cplusplus
#    define GR_NONE (gr_tensor{nullptr, 0, 0})
#else
#    define GR_NONE ((gr_tensor){NULL, 0, 0})
#endif

/* Uses a primitive: checks the handles, infers, computes, records if an operand requires a gradient and the
   result is a float. `attributes` may be NULL if op->attribute_bytes is 0. `g` is needed for primitives
   without operands; otherwise NULL means the operands' graph. */
GR_API gr_tensor gr_apply(gr_graph *g, const gr_op *op, int n, const gr_tensor *operands,
                          const void *attributes);

/* ---- For infer and forward ---- */

/* Stores the error "<name>: <what>: <operands with names and shapes> (<detail>)" and returns `status`.
   `detail` is a format, or NULL. Types are named, too, when status is GR_ERR_TYPE. */
GR_API gr_status gr_call_fail(const gr_call *call, gr_status status, const char *what, const char *detail,
                              ...) GR_PRINTF(4, 5);
/* Type and shape of operand i, which must be a float. */
GR_API gr_status gr_infer_like(const gr_call *call, gr_layout *out, int i);
/* Shape to which all operands broadcast, and their type, which must be one and the same. */
GR_API gr_status gr_infer_broadcast(const gr_call *call, gr_layout *out);
/* A forward for elementwise primitives, whose operands may broadcast and be strided: calls `loop` for runs of
   n elements, in any order and on several threads. The result is at p[0], operands at p[1], p[2], p[3];
   neighbours are s[0], s[1], ... elements apart, 0 where an operand is repeated. Up to three operands
   (GR_ERR_ARGUMENT), which broadcast to the shape of the result (GR_ERR_SHAPE). */
typedef void gr_loop(int64_t n, void *const *p, const int64_t *s, const void *attributes);
GR_API gr_status gr_call_map(const gr_call *call, gr_loop *loop);
/* Scratch memory for the duration of this call, 64-byte aligned; NULL and the error set if there is none. */
GR_API void *gr_call_scratch(const gr_call *call, size_t bytes);
/* Axis in [0, ndim) from one that may be negative; -1, and the error set, if it is out of range. */
GR_API int gr_call_axis(const gr_call *call, int axis, int ndim);

/* ---- Samples ---- */

/* What a primitive can be tried on. An elementwise one says that it is, and from where to where its operands
   go, if not everywhere:

       static const gr_samples log_samples = {.elementwise = true, .domain = {{.low = 0.2, .high = 4}}};

   Of another one only its author knows which shapes fit together. A function says so, for sample 0, 1, 2, ...
   For a matrix product a: [m, k], b: [k, n]:

       static bool product_make(int number, gr_sample *sample, void *attributes)
       {
           int64_t size[3];
           if (!gr_sample_sizes(number, 3, NULL, size)) return false;
           sample->shape[0] = GR_SHAPE(size[0], size[1]);
           sample->shape[1] = GR_SHAPE(size[1], size[2]);
           return true;
       }
       static const gr_samples product_samples = {.make = product_make};

   Sizes of 0 and 1 belong to it where they are possible, and one beyond 2^16: gr_sample_sizes gives them. */

enum { GR_SAMPLE_OPERANDS = 8, GR_SAMPLE_KINKS = 8 };

typedef enum gr_sample_kind {
    GR_SAMPLE_REAL = 0, /* f32 or f64 */
    GR_SAMPLE_INDEX,    /* i32 */
    GR_SAMPLE_MASK      /* bool */
} gr_sample_kind;

/* Values of an operand. Derivatives are checked by differences, which reach max(|x|, 1) / 73 to both sides (of
   primitives for f32 alone: / 17): forward must work that far beyond low and high (NaN and infinity will do), and
   a gap is to be wider. */
typedef struct gr_domain {
    gr_sample_kind kind;
    double low, high; /* in [low, high). Both 0: reals in [-2, 2); no index at all, for empty operands */
    double gap;       /* none closer than this to a kink: to those listed, or to 0 if none is */
    int n_kinks;
    double kinks[GR_SAMPLE_KINKS];
    bool distinct; /* reals: no two of an operand are the same, as equal ones are a kink. All reals of a
                      sample are distinct, but those of an operand that is expanded, which this forbids */
} gr_domain;

/* One sample, as `make` gets and leaves it. */
typedef struct gr_sample {
    int n; /* number of operands: that of the primitive; 0 for a variadic one, to be set */
    gr_shape shape[GR_SAMPLE_OPERANDS];   /* scalars; of an elementwise primitive: chosen already */
    gr_domain domain[GR_SAMPLE_OPERANDS]; /* as declared; may be changed, as to the range of an index */
    /* Values of an operand in row-major order, instead of random ones, valid until the next call; or NULL. Where
       both types are swept, numbers that f32 holds. */
    const double *values[GR_SAMPLE_OPERANDS];
} gr_sample;

enum { GR_SAMPLE_F32 = 1, GR_SAMPLE_F64 = 2 };

struct gr_samples {
    bool elementwise; /* operands broadcast to the result. Their shapes are chosen by gr_sweep */
    gr_domain domain[GR_SAMPLE_OPERANDS]; /* of each operand; of a variadic primitive: the first, of all */
    const void *attributes;               /* for all samples; NULL: zeros, or those that `make` sets */
    /* Makes sample `number`; false if there are no more. The numbers are called in order from 0, and may be
       called again. `attributes` points to those of this sample, to be changed: as many bytes as the
       descriptor says. Must be there unless elementwise. */
    bool (*make)(int number, gr_sample *sample, void *attributes);
    unsigned types;  /* GR_SAMPLE_F32, GR_SAMPLE_F64, or both: what reals may be. 0: both are tried, and one
                       that infer refuses with GR_ERR_TYPE is left out */
    double rounding; /* how far from each other the results for f32 and f64, and those for different layouts,
                        may be: so many times the epsilon of the type, times sqrt(n) where each element is
                        made of n others, relative to |y| + min(1, largest |y|); 0: 64 */
};

/* Sizes of n axes for sample `number`: ordinary ones, each different; all 1; each in turn 0, 1, and beyond
   2^16 with the others small; all 0. None below least[i]; NULL: 0. Returns false if there are no more. n: at most
   8. */
GR_API bool gr_sample_sizes(int number, int n, const int64_t *least, int64_t *size);

/* ---- Listing ---- */

/* The primitives of Gradus, in alphabetical order, ending with NULL. */
GR_API const gr_op *const *gr_primitives(void);

GR_END_DECLS

#endif
