/*
 * The graph: owner of everything, place of errors.
 *
 * OVERVIEW
 *   A gr_graph owns all tensors, their history, their gradients, layers and optimisers. There is one thing to
 *   free: the graph. Use a graph from one thread at a time; different graphs are independent of each other.
 *
 * LIFETIMES
 *   Kept: parameters (gr_param), constants made outside any scope (gr_constant), what gr_keep returns,
 *   gradients of kept tensors. They live until gr_graph_destroy, or until gr_release.
 *   Step: everything that an operation returns. It lives until gr_graph_reset, which a training loop calls
 *   once per step, or until the end of the scope in which it was made.
 *
 *       for (...) {
 *           gr_tensor loss = ...;          made anew in each step
 *           gr_clear_grads(g);             gradients would add up
 *           gr_backward(loss);
 *           gr_optimizer_step(opt);
 *           gr_graph_reset(g);             loss is stale from here on; parameters and gradients live
 *       }
 *
 *   A handle whose tensor is gone is detected: using it is the error GR_ERR_STALE, never a wild pointer. Only
 *   the graph itself must outlive its handles.
 *
 * ERRORS
 *   Nothing in Gradus aborts, exits or prints. The first error of a graph is stored, code and message, and
 *   stays until gr_graph_clear_error. A function that builds returns an invalid handle when it fails, and
 *   silently so for an operand that is invalid already: a whole model can be written down and checked once. A
 *   function that executes (gr_backward, gr_optimizer_step, ...) returns a gr_status, and refuses to run,
 *   returning the stored error, while one is pending, so that a failed step never updates parameters. Reading
 *   and tidying up (gr_read, gr_graph_reset, gr_scope_end, gr_release, gr_clear_grads) work all the same.
 *   After gr_graph_clear_error all goes on; what was alive before is alive still.
 *
 * MEMORY
 *   Buffers and nodes come from pools inside the graph, buffers 64-byte aligned. Pools keep what is freed for
 *   the next step: a loop that does the same in each step stops calling the allocator after two steps.
 */
#ifndef GRADUS_GRAPH_H
#define GRADUS_GRAPH_H

#include "gradus/api.h"

GR_BEGIN_DECLS

typedef struct gr_graph gr_graph;

/* What went wrong. The message in gr_graph_error says where, with the names and shapes that it concerned. */
typedef enum gr_status {
    GR_OK = 0,
    GR_ERR_ARGUMENT,           /* a value outside its range, a NULL where something is needed */
    GR_ERR_HANDLE,             /* an invalid handle was passed on, or a NULL graph */
    GR_ERR_STALE,              /* the tensor of this handle is gone (reset, end of scope, release) */
    GR_ERR_GRAPH,              /* operands belong to different graphs */
    GR_ERR_SHAPE,              /* shapes do not fit */
    GR_ERR_TYPE,               /* types do not fit; there is no implicit conversion */
    GR_ERR_NDIM,               /* more than GR_MAX_NDIM axes, or a wrong number of them */
    GR_ERR_AXIS,               /* an axis out of range or named twice */
    GR_ERR_INDEX,              /* an index or label out of range */
    GR_ERR_OVERFLOW,           /* a size in elements or bytes that does not fit in 63 bits */
    GR_ERR_NAME,               /* a name that a parameter has already, or none has, or no name at all */
    GR_ERR_MEMORY,             /* the allocator returned NULL */
    GR_ERR_LIMIT,              /* a limit of the graph was reached: that of bytes, or of name scopes */
    GR_ERR_NOT_SCALAR,         /* differentiating a non-scalar without a cotangent */
    GR_ERR_NO_HISTORY,         /* differentiating what depends on nothing that requires a gradient */
    GR_ERR_HISTORY_RELEASED,   /* a second backward over the same graph without retain */
    GR_ERR_MODIFIED,           /* a value changed in place between its use and the backward pass */
    GR_ERR_NO_GRADIENT,        /* a gradient read before any backward reached the tensor */
    GR_ERR_NOT_DIFFERENTIABLE, /* a primitive without a derivative rule would have been recorded */
    GR_ERR_STATE,              /* a call in the wrong order, such as a reset inside an open scope */
    GR_ERR_IO,                 /* the system refused to open, read or write a file */
    GR_ERR_FORMAT,             /* a file that is not what it claims to be */
    GR_ERR_CALLBACK,           /* a function of the user reported a failure */
    GR_ERR_SINGULAR,           /* a matrix that has no inverse, or no Cholesky factor  */
    GR_ERR_NOT_FINITE          /* NaN or infinity where gr_anomaly_begin asked for none */
} gr_status;

/* The name of a code, as "GR_ERR_SHAPE"; "unknown status" for a number that is none. */
GR_API const char *gr_status_name(gr_status status);

/* ---- Creating and destroying ---- */

/* Where memory comes from: both functions, or neither. `allocate` returns memory aligned to 64 bytes, or
   NULL; `deallocate` gets the same number of bytes again. Both get `user`. */
typedef struct gr_allocator {
    void *(*allocate)(size_t bytes, void *user);
    void (*deallocate)(void *block, size_t bytes, void *user);
    void *user;
} gr_allocator;

/* The instruction sets that kernels are written for. */
typedef enum gr_isa { GR_ISA_AUTO = 0, GR_ISA_PORTABLE, GR_ISA_AVX2, GR_ISA_AVX512 } gr_isa;

/* Options; a zeroed structure, or NULL, gives the defaults. */
typedef struct gr_graph_options {
    gr_allocator allocator; /* default: aligned_alloc and free */
    size_t byte_limit;      /* most bytes to take from the allocator; 0: no limit */
    int threads;            /* for large kernels, the caller's included; 0: 1. Changes no bit of a result */
    uint64_t seed;          /* start of the random numbers; see gr_seed */
    gr_isa isa;             /* GR_ISA_AUTO: the best of this machine. One that it lacks: no graph is made */
} gr_graph_options;

/* A new graph; NULL if memory runs out or the options are invalid. */
GR_API gr_graph *gr_graph_create(const gr_graph_options *options);
/* Frees the graph and all that it owns. NULL is allowed. */
GR_API void gr_graph_destroy(gr_graph *g);

/* ---- Errors ---- */

/* The first error since creation or the last clearing; GR_OK if there is none. Of a NULL graph:
   GR_ERR_HANDLE. */
GR_API gr_status gr_graph_status(const gr_graph *g);
/* Its message, such as
       matmul: inner sizes differ: x [32, 784] @ fc1.weight [512, 10] (784 vs 512)
   or "" if there is none. The text lives until the next error or clearing. */
GR_API const char *gr_graph_error(const gr_graph *g);
/* Forgets it. What only reads or frees works while an error is pending, too: gr_read, gr_item,
   gr_graph_reset, gr_scope_end, gr_release, and clearing gradients. */
GR_API void gr_graph_clear_error(gr_graph *g);
/* Stores an error, if none is pending, and returns `status`: for layers and primitives of your own. */
GR_API gr_status gr_graph_fail(gr_graph *g, gr_status status, const char *format, ...) GR_PRINTF(3, 4);

/* ---- Lifetimes ---- */

/* Frees every step tensor. Kept tensors and gradients live on; histories end. GR_ERR_STATE inside a scope. */
GR_API gr_status gr_graph_reset(gr_graph *g);

/* A scope frees at its end what was made inside it. Scopes nest and are closed in reverse order.

       gr_scope s = gr_scope_begin(g);
       gr_tensor y = model(x);
       double loss = gr_item(y);
       gr_scope_end(s, 0, NULL);

   Survivors: tensors handed to gr_scope_end stay alive in the enclosing scope, together with as much of their
   history as differentiating them needs. Constants made inside a scope are freed with it; parameters never
   are. gr_scope_end of a scope with open inner scopes closes those, too; of one closed already:
   GR_ERR_STATE. */
typedef struct gr_scope {
    gr_graph *graph;
    uint32_t depth;
    uint32_t id;
} gr_scope;
GR_API gr_scope gr_scope_begin(gr_graph *g);
struct gr_tensor;
GR_API gr_status gr_scope_end(gr_scope scope, int n_survivors, const struct gr_tensor *survivors);

/* Between these two, operations record no history: their results do not require a gradient. They nest.
   An end without a begin is GR_ERR_STATE. */
GR_API void gr_no_grad_begin(gr_graph *g);
GR_API void gr_no_grad_end(gr_graph *g);
/* Whether operations are recorded now. */
GR_API bool gr_is_recording(const gr_graph *g);

/* ---- Name scopes ---- */

/* Labels for what is made between the two, for messages and drawings. They nest: "fc1" begun inside "encoder" is
   "encoder/fc1". They say nothing about lifetimes: a gr_graph_reset inside one leaves it open. Layers of nn.h open
   one of their own name. What the rules of a recorded walk make carries the scope of the operation that they are
   the rule of.
   A graph holds up to 65535 different paths, for as long as it lives (beyond: GR_ERR_LIMIT); coming back to one
   takes no memory. GR_ERR_NAME for NULL or "". A begin that fails opens a scope without a label all the same, and so
   do those inside it, so that ends match; all works while an error is pending. An end without a begin is
   GR_ERR_STATE. */
GR_API gr_status gr_name_scope_begin(gr_graph *g, const char *name);
GR_API gr_status gr_name_scope_end(gr_graph *g);
/* The scope in which a tensor was made, or "" if in none. The text lives as long as the graph. */
GR_API const char *gr_name_scope_of(struct gr_tensor t);

/* ---- Memory ---- */

typedef struct gr_memory_info {
    size_t used;          /* bytes in live tensors, nodes and tables */
    size_t used_peak;     /* the most there were since creation or gr_graph_reset_memory_peak */
    size_t reserved;      /* bytes taken from the allocator and not given back: used and pooled */
    size_t reserved_peak; /* the most of these */
    size_t limit;         /* 0: none */
    uint64_t allocations; /* successful calls of the allocator so far */
} gr_memory_info;
GR_API gr_memory_info gr_graph_memory(const gr_graph *g);
GR_API void gr_graph_reset_memory_peak(gr_graph *g);
/* Gives pooled blocks that are not in use back to the allocator. */
GR_API void gr_graph_trim(gr_graph *g);

/* Memory of your own that lives as long as the graph: 64-byte aligned, cleared, counted in its figures and
   limit. For layers and models that hold more than fits in a value. NULL and the error set if there is none.
   Nothing frees it earlier: it is for what is made once, not in each step. */
GR_API void *gr_graph_alloc(gr_graph *g, size_t bytes);

/* ---- Random numbers ---- */

/* All random operations of a graph draw from one counter-based generator (Philox 4x32-10; Salmon et al.,
   "Parallel random numbers: as easy as 1, 2, 3", 2011). Its state is these two numbers: write them down, set
   them again, and the same numbers follow, on any machine, for any number of threads. */
typedef struct gr_rng_state {
    uint64_t seed;
    uint64_t counter;
} gr_rng_state;
/* Sets the seed, and the counter to 0. */
GR_API void gr_seed(gr_graph *g, uint64_t seed);
GR_API gr_rng_state gr_rng_get(const gr_graph *g);
GR_API void gr_rng_set(gr_graph *g, gr_rng_state state);

/* ---- About the machine ---- */

GR_API int gr_graph_threads(const gr_graph *g);
/* "portable", "avx2" or "avx512". */
GR_API const char *gr_graph_isa(const gr_graph *g);
/* The number of processors that this process may use. */
GR_API int gr_processor_count(void);

GR_END_DECLS

#endif
