/*
 * The inside of a graph: slots, nodes, buffers, and what the files of src/graph share.
 *
 * A handle is (graph, index, generation). The index names a slot in one of two tables:
 *   step slots  a stack. Operations push; reset and scope ends pop. The order of indices is the order of
 *               creation, hence a topological order: an operation is made after its operands.
 *   kept slots  (GRI_KEPT set in the index) a table with a free list: leaves outside any scope, gradients,
 *               and adjoints during a backward pass. A kept node has no operands, so every kept node precedes
 *               every step node.
 * Each time a slot is taken its generation grows; a handle with another generation is stale.
 *
 * Nodes of step slots stand one behind the other in an arena, each a record of variable size: the struct,
 * then operands, attributes, dims, strides, and the elements themselves if they fit in GRI_INLINE_BYTES.
 * Other elements are in reference-counted buffers that views share.
 *
 * Invariants: elements of a buffer with more than one reference are never written (a write makes a new
 * buffer), so the value of an operation never changes; node->version counts the writes to a leaf.
 */
#ifndef GRI_GRAPH_GRAPH_H
#define GRI_GRAPH_GRAPH_H

#include "gradus/autograd.h"
#include "gradus/custom.h"
#include "base/memory.h"
#include "base/threads.h"
#include "base/cpu.h"

enum { GRI_INLINE_BYTES = 64, GRI_MESSAGE_BYTES = 1024, GRI_FEW = 8 };
#define GRI_KEPT UINT32_C(0x80000000)

typedef struct gri_buffer {
    uint32_t references;
    size_t bytes; /* of the elements, which start GRI_ALIGN bytes behind this header */
} gri_buffer;

/* A use of a tensor by a recorded operation. */
typedef struct gri_operand {
    uint32_t index, generation, version;
} gri_operand;

enum {
    GRI_REQUIRES_GRAD = 1 << 0, /* up to 1 << 15: see gri_node */
    GRI_CONTIGUOUS = 1 << 1,
    GRI_PARAM = 1 << 2,
    GRI_LEAF = 1 << 3,        /* can be written: made by gr_param, gr_constant, gr_keep */
    GRI_RETAIN_GRAD = 1 << 4, /* gr_backward keeps the gradient although it is interior */
    GRI_RELEASED = 1 << 5,    /* its history was walked without retain */
    GRI_HOOKED = 1 << 6,      /* there are hooks on its gradient: see hooks.c */
    GRI_MODEL_STATE = 1 << 7, /* a kept constant that is saved with the parameters */
    GRI_RERUN = 1 << 8        /* its rule reads more than its operands: see checkpoint.c */
};

typedef struct gri_node {
    gr_array array;      /* first: a node can be handed to a primitive as its array */
    const gr_op *op;     /* NULL: a leaf */
    gri_buffer *buffer;  /* NULL: the elements are inside the record */
    char *name;          /* a block of its own; NULL: none */
    uint32_t n_operands; /* recorded ones; 0: no history */
    uint32_t index, generation, version;
    uint32_t flags;    /* the upper half is the name scope: see names.c */
    uint32_t gradient; /* index of a kept node; 0: none */
} gri_node;

enum { GRI_NAME_SCOPE_SHIFT = 16 };
/* The id of the name scope in which a node was made; 0: none. */
static inline uint16_t gri_name_scope(const gri_node *node)
{
    return (uint16_t)(node->flags >> GRI_NAME_SCOPE_SHIFT);
}

/* The operands of a recorded node stand behind the struct, the attributes behind them. */
static inline gri_operand *gri_operands(const gri_node *node) { return (gri_operand *)(uintptr_t)(node + 1); }
static inline void *gri_attributes(const gri_node *node)
{
    const uintptr_t end = (uintptr_t)(gri_operands(node) + node->n_operands);
    return (void *)((end + sizeof(int64_t) - 1) & ~(uintptr_t)(sizeof(int64_t) - 1));
}

typedef struct gri_slot {
    gri_node *node; /* NULL: freed */
    uint32_t generation;
    union {
        uint32_t next_free; /* of a kept slot that is free */
        uint32_t owns;      /* of a step slot: whether its node has anything outside its record */
    };
} gri_slot;

typedef struct gri_slots {
    gri_slot *slot; /* entry 0 is never used */
    uint32_t top, capacity;
    uint32_t first_free; /* kept slots only; 0: none */
} gri_slots;

typedef struct gri_chunk {
    struct gri_chunk *next;
    size_t bytes; /* of the whole block, header included */
} gri_chunk;

/* A place on the step stack to return to. */
typedef struct gri_mark {
    gri_chunk *chunk;
    size_t offset;
    uint32_t top;
} gri_mark;

typedef struct gri_open_scope {
    gri_mark mark;
    uint32_t id;
} gri_open_scope;

/* A block that lives as long as the graph. */
typedef struct gri_owned {
    struct gri_owned *next;
    size_t bytes;
    void (*end)(gr_graph *g, void *block); /* frees what the block holds; may be NULL */
} gri_owned;

/* A hook on the gradient of a tensor. */
typedef struct gri_hook {
    gr_hook_function *f;
    void *user;
    uint64_t order; /* hooks that were added before have smaller ones */
    uint32_t node;  /* index of the tensor, which lives; 0: this entry is free */
    uint32_t generation;
    uint32_t next; /* of the bucket, or of the free list; 0: none */
} gri_hook;

/* All hooks of a graph: a hash table by the index of the tensor. */
typedef struct gri_hooks {
    gri_hook *entry;  /* entry 0 is never used */
    uint32_t *bucket; /* its first entry, or 0 */
    uint32_t capacity, top, first_free;
    uint64_t added;
} gri_hooks;

/* A path of name scopes. */
typedef struct gri_name {
    const char *path; /* all of it, as "encoder/fc1" */
    const char *name; /* its last part, inside the path */
    uint16_t parent;  /* 0: none */
    uint16_t next;    /* of the bucket; 0: none */
} gri_name;

/* All paths of a graph, by their ids: a hash table by parent and name. */
typedef struct gri_names {
    gri_name *entry;  /* entry 0 is never used */
    uint16_t *bucket; /* its first entry, or 0 */
    uint32_t capacity, top;
} gri_names;

/* The tensors from outside that the function of a checkpoint reads. */
typedef struct gri_capture {
    struct gri_capture *outer;
    uint32_t floor;   /* step tensors from this index on are the function's own */
    gr_tensor *found; /* each once, in the order of their first use */
    uint32_t *table; /* open addressing, two places for each of `capacity`: 1 + position in found; 0: empty */
    uint32_t n, capacity;
} gri_capture;

/* Where one is in the name scopes. */
typedef struct gri_naming {
    uint32_t depth; /* so many are open, */
    uint32_t
        unlabelled; /* of which the innermost ones have no path: the begin of the first of these failed */
    uint16_t scope; /* id of the path; 0: none */
} gri_naming;

/* What a function of the user has to leave as it found it. */
typedef struct gri_tidy {
    uint32_t n_scopes, no_grad_depth;
    gri_naming naming;
    bool recording;
} gri_tidy;

struct gr_graph {
    gri_memory memory;
    gri_slots step, kept;
    gri_chunk *first_chunk, *chunk; /* of the arena; `chunk` is the one being filled, up to `offset` */
    size_t offset;
    bool recording;
    uint32_t no_grad_depth;
    gri_open_scope *scopes;
    uint32_t n_scopes, scope_capacity, next_scope_id;
    uint32_t walks;          /* backward walks under way: a rule is running */
    uint32_t guarded_scopes; /* so many scopes were open when the innermost walk or check began; they stay */
    uint32_t *params;        /* indices of kept nodes */
    uint32_t n_params, param_capacity;
    bool watching; /* each operation is judged: anomaly mode is on, and no rule or hook is running */
    bool anomaly;  /* the mode is on */
    gr_anomaly_options anomaly_options;
    gri_capture *capture; /* of the innermost function of a checkpoint that is running for the first time */
    const struct walk
        *walk; /* of the innermost walk under way: see backward.c; NULL: none, or forward mode */
    gri_hooks hooks;
    gri_names names;
    gri_naming naming;
    gri_owned *owned;
    gri_threads *threads;
    int n_threads;
    gri_isa isa;
    gr_rng_state rng;
    gr_status status;
    char message[GRI_MESSAGE_BYTES];
};

/* ---- error.c ---- */

/* Stores the error if none is pending; NULL graph allowed. Returns status. */
gr_status gri_fail(gr_graph *g, gr_status status, const char *format, ...) GR_PRINTF(3, 4);
/* The same, with ": name [2, 3]" behind the text; with the type, too, if status is GR_ERR_TYPE. */
gr_status gri_fail_about(gr_graph *g, gr_status status, const gri_node *node, const char *format, ...)
    GR_PRINTF(4, 5);
/* GR_ERR_LIMIT or GR_ERR_MEMORY, whichever it was. `what` needed `bytes`. */
gr_status gri_fail_memory(gr_graph *g, const char *what, size_t bytes);
/* Writes "name [2, 3]", with the type if asked for, and returns the length it has or would have. */
size_t gri_describe(char *to, size_t room, const gri_node *node, bool with_type);
/* Writes "[2, 3]". */
size_t gri_describe_shape(char *to, size_t room, int ndim, const int64_t *dims);

/* Bytes per element of a type that is known to be one. */
static inline size_t gri_element_bytes(gr_type type) { return type == GR_F64 ? 8 : type == GR_BOOL ? 1 : 4; }

static inline gr_tensor gri_invalid(gr_graph *g) { return (gr_tensor){g, 0, 0}; }

/* ---- tensor.c ---- */

/* The element of any type at an offset in elements, as a double. */
double gri_element(const gr_array *a, int64_t offset);

/* ---- node.c ---- */

static inline gr_tensor gri_handle(gr_graph *g, const gri_node *node)
{
    return (gr_tensor){g, node->index, node->generation};
}

/* The node, or NULL if it is gone. */
static inline gri_node *gri_lookup(const gr_graph *g, uint32_t index, uint32_t generation)
{
    const gri_slots *table = index & GRI_KEPT ? &g->kept : &g->step;
    const uint32_t i = index & ~GRI_KEPT;
    if (i >= table->top || table->slot[i].generation != generation) return NULL;
    return table->slot[i].node;
}

/* To be called when a name or a gradient is put on a node. */
static inline void gri_note_owner(gr_graph *g, const gri_node *node)
{
    if (!(node->index & GRI_KEPT)) g->step.slot[node->index].owns = 1;
}

/* The node of a kept index that is known to be alive. */
static inline gri_node *gri_kept_node(const gr_graph *g, uint32_t index)
{
    return g->kept.slot[index & ~GRI_KEPT].node;
}

/* The kept constants that belong to the model, one after the other: the first for NULL; NULL after the last. */
gri_node *gri_next_model_state(const gr_graph *g, const gri_node *after);

/* The node of a user's handle; NULL, and the error set, if there is none. `what` names the call. */
gri_node *gri_resolve(gr_tensor t, const char *what);

static inline void *gri_buffer_data(gri_buffer *buffer) { return (char *)buffer + GRI_ALIGN; }
gri_buffer *gri_buffer_create(gr_graph *g, size_t bytes);
void gri_buffer_release(gr_graph *g, gri_buffer *buffer);

/* What a new node is to be. */
typedef struct gri_recipe {
    const gr_op *op;
    const int64_t *dims;
    const int64_t *strides; /* NULL: row-major */
    int64_t count;
    size_t n_operands; /* room for recorded operands; 0: not recorded */
    size_t attribute_bytes;
    gri_buffer *buffer; /* shared; gets one more reference. NULL: new elements */
    void *data;         /* with buffer: the first element */
    gr_type type;
    uint32_t flags;
    int ndim;
    bool in_buffer; /* new elements never inside the record */
} gri_recipe;

/* A new node on the step stack, or in the kept table; elements not cleared. Out of memory: NULL, and the
   error set. */
gri_node *gri_push(gr_graph *g, const gri_recipe *recipe);
gri_node *gri_keep_new(gr_graph *g, const gri_recipe *recipe);

/* A kept leaf with the value of `node`: shares its buffer, or copies its inline elements. */
gri_node *gri_keep_value(gr_graph *g, const gri_node *node);
/* A step leaf with the value of `node`. */
gri_node *gri_push_value(gr_graph *g, const gri_node *node);
void gri_kept_release(gr_graph *g, gri_node *node);
/* Makes the elements contiguous and no one else's, to be written. `keep`: the old values matter. */
gr_status gri_make_writable(gr_graph *g, gri_node *node, bool keep);

static inline gri_mark gri_mark_here(const gr_graph *g)
{
    return (gri_mark){g->chunk, g->offset, g->step.top};
}
/* Frees all step nodes made since the mark. */
void gri_pop(gr_graph *g, gri_mark mark);
/* Frees what was made since the mark, but the survivors and what their recorded history needs. */
gr_status gri_pop_keeping(gr_graph *g, gri_mark mark, int n, const gr_tensor *survivors);
/* Frees chunks of the arena that are not in use. */
void gri_arena_trim(gr_graph *g);
/* Copies a name into the node; NULL clears. */
gr_status gri_set_name(gr_graph *g, gri_node *node, const char *name);

/* GR_ERR_STATE while a walk is under way: a rule must not free what is walked over. `what` names the call. */
gr_status gri_check_no_walk(gr_graph *g, const char *what);

static inline gri_tidy gri_tidy_here(const gr_graph *g)
{
    return (gri_tidy){g->n_scopes, g->no_grad_depth, g->naming, g->recording};
}
/* Whether a function of the user has closed the scopes, name scopes and no_grad regions that it opened, and no
   others. */
static inline bool gri_is_tidy(const gr_graph *g, const gri_tidy *before)
{
    return g->n_scopes == before->n_scopes && g->no_grad_depth == before->no_grad_depth &&
           g->naming.depth == before->naming.depth;
}
/* If it has not: closes them, and opens what it closed. The error is the caller's to set. */
void gri_tidy_up(gr_graph *g, const gri_tidy *before);
/* What a function of the user returns. It cannot end the scopes that are open; *tidy: whether it was tidy. If not, it
   has been tidied up. */
gr_tensor gri_call_function(gr_graph *g, gr_function f, int n, const gr_tensor *inputs, void *user,
                            bool *tidy);

/* A block that lives as long as the graph; NULL and the error set on failure. `what` names the call. */
void *gri_own(gr_graph *g, const char *what, size_t bytes);
/* Has `end` called for such a block before it is freed. */
void gri_own_end(void *block, void (*end)(gr_graph *g, void *block));
/* Frees such a block before the graph ends. */
void gri_disown(gr_graph *g, void *block);

/* ---- shape.c ---- */

/* Product of the dims; false if a dim is negative, or if the product, or the bytes of that many elements,
   do not fit in 63 bits. */
bool gri_count(int ndim, const int64_t *dims, gr_type type, int64_t *count);
static inline void gri_row_major(int ndim, const int64_t *dims, int64_t *strides)
{
    int64_t stride = 1;
    for (int i = ndim - 1; i >= 0; i--) {
        strides[i] = stride;
        if (dims[i] > 0) stride *= dims[i];
    }
}
bool gri_is_contiguous(int ndim, const int64_t *dims, const int64_t *strides);
static inline bool gri_same_dims(const gr_array *a, const gr_array *b)
{
    if (a->ndim != b->ndim) return false;
    for (int i = 0; i < a->ndim; i++)
        if (a->dims[i] != b->dims[i]) return false;
    return true;
}
/* Whether `from` broadcasts to `to`. */
bool gri_broadcasts_to(int from_ndim, const int64_t *from, int to_ndim, const int64_t *to);
/* Checks a shape given by a user; the error is set. `what` names the call. */
gr_status gri_check_shape(gr_graph *g, const char *what, gr_type type, const gr_shape *shape, int64_t *count);

/* ---- names.c ---- */

/* The path of an id; "" for 0. */
const char *gri_name_path(const gr_graph *g, uint16_t id);
void gri_free_names(gr_graph *g);

/* ---- checkpoint.c ---- */

/* Notes the operands of a call that g->capture has not made itself. */
gr_status gri_note_operands(const gr_call *call);

/* ---- anomaly.c ---- */

/* Each sets GR_ERR_NOT_FINITE, and returns the status, if what it looks at is not finite and should be. *tainted is
   set if it need not be, for something that it was made of was not finite, and may be so. `what` names the walk. */

/* The value of an operation that has just been computed. */
gr_status gri_judge_value(const gr_call *call, const gri_node *node);
/* The contribution to operand i, of cotangent gy. */
gr_status gri_judge_contribution(const gr_call *call, const char *what, const gr_array *gy, int i,
                                 const gr_array *part, bool *tainted);
/* The tangent of a result, of those of the operands; NULL where one has none. */
gr_status gri_judge_tangent(const gr_call *call, const char *what, const gr_array *const *given,
                            const gr_array *tangent, bool *tainted);
/* The cotangent or tangent, as `seed` says, of an output or input, given by the user. */
gr_status gri_judge_seed(gr_graph *g, const char *what, const char *seed, const gri_node *end,
                         const gr_array *given, bool *tainted);
/* The gradient of a node: summed from contributions that are finite, or returned by a hook. */
gr_status gri_judge_gradient(gr_graph *g, const char *what, const gri_node *node, const gr_array *gradient,
                             bool of_hook);

/* ---- hooks.c ---- */

/* Runs the hooks of a node in the order in which they were added. *gradient: its gradient, and what replaced it.
   `what` names the walk. */
gr_status gri_run_hooks(gr_graph *g, const char *what, const gri_node *node, gr_tensor *gradient);
/* Removes the hooks of a node. */
void gri_drop_hooks(gr_graph *g, gri_node *node);
void gri_free_hooks(gr_graph *g);

/* ---- backward.c ---- */

/* Inside a rule: walks what was made since the step index `floor` from `output` down, and adds what arrives at anything
   made before to the adjoints of the walk that called the rule, in the order in which it would without a rule between:
   sums are the same, bit for bit. */
gr_status gri_walk_made_since(gr_graph *g, uint32_t floor, const gri_node *output, gr_tensor cotangent);
/* Drops the gradient of a node, if it has one. */
void gri_drop_gradient(gr_graph *g, gri_node *node);

#endif
