/*
 * A model as a table: what a forward pass consists of and what it costs, from its record.
 *
 *     gr_tensor loss = gr_softmax_cross_entropy(gr_mlp_forward(net, x), labels);
 *     gr_model_summary(loss, to_stdout, NULL, NULL);        to_stdout: a gr_writer
 *
 *     layer        output          parameters        FLOPs      bytes
 *     ──────────────────────────────────────────────────────────────────────
 *     x            f32 [200, 784]           –            –    627,200  input
 *     labels       i32 [200, 1]             –            –        800  input
 *     fc1          f32 [200, 784]     615,440  246,019,200  1,254,400
 *     relu         f32 [200, 784]           –      156,800    627,200
 *     ...
 *
 * The same as a drawing, with a box for each scope that holds no others, of the same name and, but for parameters that
 * several share, which stand outside with an arrow to each, the same number of parameters (dot.h):
 *
 *     gr_dot_write_file(loss, "model.dot", &(gr_dot_options){.collapse_layers = true});
 *
 * ROWS
 *   First the inputs: constants, and what was made without being recorded (under no_grad, or from constants only),
 *   in the order of their first use; constants of one element that have no name share a row, and so do inputs without
 *   names that follow each other and are alike, "reshape ×20" (the steps of a sequence). Then the pass, in the
 *   order of its making: a row for each name scope (gr_name_scope_begin; layers of nn.h open one) and for each
 *   operation that stands beside scopes or in none. The row of a scope stands for all that was made in it, scopes
 *   inside included, which follow indented; its output is that of the last operation in it. A scope that was
 *   entered several times has one row.
 *
 * PARAMETERS
 *   Of the operations that use them, each counted once, in the row of its first use; a row that uses some that are
 *   counted elsewhere says how many ("shares 7,840"). Frozen ones (gr_set_requires_grad) are counted and named. A
 *   frozen one that meets nothing but constants is not seen, for that is not recorded: the last lines tell how
 *   many elements of parameters of the graph the pass did not reach.
 *
 * FLOPS
 *   Of the forward pass. A multiplication and an addition are two. A primitive says what it costs in gr_op.flops;
 *   where it does not, an operation costs one per element of its result, whatever the function is, and a view
 *   nothing. Those of Gradus that say otherwise:
 *     matmul                                   2 m n k for each product [m, k] @ [k, n]
 *     sum, mean, max, sum_to                   1 per element of the operand
 *     softmax, log_softmax                     5 per element: largest, difference, exponential, sum, last step
 *     logsumexp                                4 per element of the operand
 *     norm                                     2 per element of the operand
 *     index_add, scatter_add                   1 per element that is added
 *     cast, contiguous, concat, gather,
 *     index_select, one_hot, slice_backward    nothing: they move elements
 *   What runs inside gr_checkpoint is not in the record: it counts nothing, and its result is an input.
 *
 * BYTES
 *   Of the results, which live until gr_graph_reset: elements times size, a view none. Training needs parameters,
 *   inputs, results and gradients; beyond that, what the optimiser keeps, and adjoints for as long as a backward
 *   pass runs.
 *
 * A pass that has been walked back can be summed up, too, until gr_graph_reset. Where an operand was released since
 * ("operand released"), an operation that says its own cost cannot be asked: "FLOPs of 1 operation unknown", and the
 * sum is without it. The table is the same, byte for byte, in each run, whatever else is in the graph.
 *
 * As every executor, these functions refuse while an error is pending in the graph, and return it.
 */
#ifndef GRADUS_SUMMARY_H
#define GRADUS_SUMMARY_H

#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* Options; a zeroed structure, or NULL, gives the defaults. Set fields by name: more will be added. */
typedef struct gr_summary_options {
    const char *title;  /* a line above the table; NULL: none */
    bool ascii;         /* pure ASCII: lines of '-'; other bytes of names as \xE4 */
    bool operations;    /* a row for each operation, also of scopes that contain no others */
    int max_depth;      /* scopes nested deeper than so many are part of the one around them; 0: no limit */
    int max_operations; /* rows for operations in one scope, and for inputs; the others share one; 0: 50 */
} gr_summary_options;

/* Writes the table of what `root` was computed from. GR_ERR_ARGUMENT for options below 0, or no writer; GR_ERR_IO if
   the writer does not take the text. */
GR_API gr_status gr_model_summary(gr_tensor root, gr_writer *write, void *user,
                                  const gr_summary_options *options);

/* Writes it into memory, as snprintf does: at most `room` bytes, the last of which is a zero byte; `length`,
   if not NULL, gets the length of the whole text, without the zero. `to` may be NULL if room is 0. */
GR_API gr_status gr_model_summary_string(gr_tensor root, char *to, size_t room, size_t *length,
                                         const gr_summary_options *options);

/* The numbers of the last lines. */
typedef struct gr_model_totals {
    int64_t operations;        /* recorded, views included */
    int64_t parameters;        /* elements: trainable + frozen */
    int64_t trainable, frozen; /* elements */
    int64_t unreached;         /* elements of parameters of the graph that the pass does not use */
    double flops;              /* of the forward pass */
    int64_t unknown;           /* operations that could not be asked for their cost */
    int64_t parameter_bytes, gradient_bytes, activation_bytes, input_bytes;
    int64_t training_bytes; /* the sum of these */
} gr_model_totals;

/* Fills *totals, with zeros on error. GR_ERR_ARGUMENT if it is NULL. */
GR_API gr_status gr_model_count(gr_tensor root, gr_model_totals *totals);

GR_END_DECLS

#endif
