/*
 * Drawing: the graph that led to a tensor, and that of its derivatives, as text for Graphviz.
 *
 *     gr_dot_write_file(loss, "step.dot", NULL);           then:  dot -Tsvg step.dot -o step.svg
 *
 * WHAT IS DRAWN
 *   The root, and all that it was computed from, as far as it was recorded. A node shows name, operation,
 *   shape, value and, if backward passes store one for it, its gradient: "gradient: not computed" until one
 *   has arrived, never 0. The formula of the operation and the type are in the tooltip of an SVG. Values are
 *   those of now: draw before or after gr_backward, until gr_graph_reset. Any text will do as a name: bytes
 *   that are no UTF-8, and control characters, are shown as \x1F; what is longer than 48 characters is cut.
 *
 *   Roles can be told apart without colour:
 *     parameter   sharp corners, thick line; dashed if it is frozen (gr_set_requires_grad)
 *     input       ellipse, thin line: data and other constants; thick if it requires a gradient; dashed if
 *                 an operation made it without being recorded (under no_grad, or from constants only)
 *     operation   rounded corners, thin line; thicker if it keeps its gradient (gr_retain_grad)
 *     root        sharp corners, double line: the loss
 *
 *   An arrow leads from each operand to the operation, one for each place that it takes: a * a has two. It is
 *   black where gradients flow back, thin and grey where they do not. Where there are several operands and
 *   their order matters, arrows carry their place, counted from 1. An operand that was written since its use
 *   has a dashed arrow, "changed since"; one that was released is a dotted "released".
 *
 *   Gradients have signs. Of an interior tensor one is shown if it was asked for (gr_retain_grad). Of a large
 *   tensor the smallest and the largest element are shown, "-0.24 ... 0.23", or with NaN "3 nan, others -0.24 ... 0.23",
 *   and the norm of the gradient: "gradient ||.|| = 0.7863".
 *
 *   A checkpoint (autograd.h) is one operation; the constant that it takes besides its inputs is its value.
 *
 * MODES
 *   One function draws all; `mode` says what. The root is always the result that was differentiated.
 *
 *   Forward: what the root was computed from.
 *       gr_dot_write_file(loss, "a.dot", NULL);
 *
 *   Backward: what derivative rules built, when they were recorded, to make the gradients (double line, with
 *   "dE/dw" if `inputs` are given). Whatever is not younger than the root is forward: an input of this graph, an
 *   ellipse with a very thin line, read along dashed arrows.
 *       gr_grad(1, &loss, 1, &w, NULL, &(gr_grad_options){.record = true}, &dw);
 *       gr_dot_write_file(loss, "b.dot", &(gr_dot_options){
 *           .mode = GR_DOT_BACKWARD, .n_gradients = 1, .gradients = &dw, .inputs = &w});
 *
 *   Both: one picture with a frame for each. Forward leads from left to right, backward from right to left (or
 *   as `direction` turns it), so that a rule stands near what it is the rule of.
 *       gr_dot_write_file(loss, "c.dot", &(gr_dot_options){
 *           .mode = GR_DOT_BOTH, .n_gradients = 1, .gradients = &dw, .inputs = &w});
 *
 *   Scalars: a small graph unrolled into its numbers, as textbooks draw a network. A node is an element of a tensor,
 *   with its value and the derivative of the root by it, whether or not backward has run; copies (views,
 *   broadcasts) are no nodes of their own. A parameter that is only ever a factor of something is written at the arrow of
 *   that: i1 -> net, "w1 = 0.15"; one that is only a term is written in its sum. Elements can have names as in
 *   books; else they are called W[0,1]. The root has one element (GR_ERR_NOT_SCALAR). Frames are those of name
 *   scopes; boxes, folding, slices and highlighting are for tensors (GR_ERR_ARGUMENT): of a part of a network choose
 *   another root, and see paths.h for what lies between two numbers. What would not be readable is refused with
 *   GR_ERR_LIMIT, unless `max_scalars` says otherwise.
 *       const gr_element_names w = {W, "w1 w3 w2 w4"};
 *       gr_dot_write_file(loss, "d.dot", &(gr_dot_options){
 *           .mode = GR_DOT_SCALARS, .names = {.lists = &w, .n_lists = 1}});
 *
 * NAME SCOPES
 *   What was made in a name scope (graph.h; layers of nn.h make theirs) stands in a dashed frame with its name;
 *   frames nest. A parameter is in the innermost scope that all its users are in.
 *
 *   Collapsed, a scope is one solid body: its path, how many operations and parameters (elements, as models are
 *   counted) are in it, and the shapes of results that others take from it. Arrows from one body or node to another
 *   are one arrow, with their number, "x3".
 *       gr_dot_write_file(loss, "model.dot", &(gr_dot_options){.collapse_layers = true});
 *   draws the rows of gr_model_summary (summary.h): scopes that hold no others, frames around them, and what stands
 *   beside. Others are chosen by depth or by name:
 *       gr_dot_write_file(loss, "e.dot", &(gr_dot_options){.collapse_depth = 1});
 *       gr_dot_write_file(loss, "f.dot", &(gr_dot_options){
 *           .n_collapse = 2, .collapse = (const char *[]){"encoder", "decoder/block*"}});
 *
 *   Folded, scopes that repeat the one before them are drawn once, in a thick frame, "block1 ... block12 x12".
 *   Such scopes are in one and the same scope, have no other operation between them, and hold the same operations
 *   on the same types and shapes, wired alike; values and attributes (the factor of gr_scale) may differ, so
 *   values are not shown. A dotted arrow leads on from one to the next. Together with collapse: one body.
 *       gr_dot_write_file(loss, "g.dot", &(gr_dot_options){.fold = true});
 *
 * PARTS AND LINES
 *   Of a large graph a part: what a tensor was made of, what was made of it, what is near it (what is near only by a
 *   parameter or a constant that both use is not). Where something was cut away, a dotted arrow leads to or from "...".
 *       gr_dot_write_file(loss, "h.dot", &(gr_dot_options){.ancestors_of = h, .descendants_of = w});
 *       gr_dot_write_file(loss, "i.dot", &(gr_dot_options){.around = logits, .distance = 3});
 *
 *   Highlighted, tensors and all that lies on paths between any two of them have very thick lines:
 *       gr_dot_write_file(loss, "j.dot", &(gr_dot_options){
 *           .n_highlight = 2, .highlight = (gr_tensor[]){w, loss}});
 *
 * ORDER
 *   Nodes are n0, n1, ...: each after its operands, operations in the order of their creation, leaves where
 *   they are used first, a body where the first tensor in it would be. The text depends on the graph drawn and
 *   the options alone: it is the same, byte for byte, in each run, whatever else is or was in the graph. Time and memory grow in proportion to the
 *   recorded tensors and the elements that are looked at; the stack does not: a chain of millions can be
 *   written (not that dot would draw it).
 *
 * ERRORS
 *   As every executor, these functions refuse while an error is pending in the graph, and return it. Options out
 *   of range, names of scopes and tensors that are not in the drawing: GR_ERR_ARGUMENT. Tensors of another graph:
 *   GR_ERR_GRAPH.
 */
#ifndef GRADUS_DOT_H
#define GRADUS_DOT_H

#include "gradus/paths.h"
#include "gradus/tensor.h"

GR_BEGIN_DECLS

typedef enum gr_dot_direction {
    GR_DOT_LEFT_TO_RIGHT = 0,
    GR_DOT_TOP_TO_BOTTOM,
    GR_DOT_RIGHT_TO_LEFT,
    GR_DOT_BOTTOM_TO_TOP
} gr_dot_direction;

/* What is drawn: see MODES. */
typedef enum gr_dot_mode {
    GR_DOT_FORWARD = 0, /* what the root was computed from */
    GR_DOT_BACKWARD,    /* what the derivative rules built to make `gradients` */
    GR_DOT_BOTH,        /* both in one picture */
    GR_DOT_SCALARS      /* single numbers: neurons and weights */
} gr_dot_mode;

/* Options; a zeroed structure, or NULL, gives the defaults. Set fields by name: more will be added, and zero
   will always mean a picture as before. */
typedef struct gr_dot_options {
    const char *title; /* above the picture; NULL: none */
    gr_dot_direction direction;
    /* Significant digits of numbers, 1 to 17; 0: 6. As in paths.h: what was computed has all of them, what was given is
       as short as it is. */
    int digits;
    /* Tensors of up to so many elements are shown in full, as rows of a matrix; of larger ones the smallest
       and largest element, and the Euclidean norm of the gradient, (sum g^2)^(1/2), in at most 4 digits.
       0: 6; negative: none in full. */
    int max_elements;
    bool ascii; /* pure ASCII: "2x2" and "||x||"; characters of names become character references */
    bool hide_values;
    bool hide_gradients;
    bool legend;     /* explains the shapes that occur, below the picture */
    bool show_types; /* "f32" beside the shape */
    gr_dot_mode mode;

    /* For the modes backward and both: what a recorded gr_grad, or gr_derivative, of the root returned. */
    int n_gradients;
    const gr_tensor *gradients;
    const gr_tensor *inputs; /* by what these are the derivatives, for "dE/dw" in labels; NULL: not said */

    /* Name scopes. A name is a path as gr_name_scope_of returns it, or its beginning and a "*". One that fits
       nothing drawn is GR_ERR_ARGUMENT. */
    bool no_frames;     /* draw none around name scopes */
    int collapse_depth; /* scopes of this depth become bodies: 1 is the outermost. 0: none */
    int n_collapse;
    const char *const *collapse; /* scopes of these names become bodies */
    bool collapse_layers;        /* scopes that hold no others become bodies */
    bool fold;                   /* draw repeated scopes once */

    /* A part of the picture. Where several are given, what all of them leave is drawn. */
    gr_tensor ancestors_of;   /* what this was made of, and it; zeroed: no such limit */
    gr_tensor descendants_of; /* what was made of this, and it */
    gr_tensor around;         /* what is at most `distance` arrows away from this, in either direction */
    int distance;             /* 0: 1 */

    /* These tensors, and all that is on paths between them, in thick lines. */
    int n_highlight;
    const gr_tensor *highlight;

    /* For the mode scalars: the most elements that all tensors drawn may have together, beyond: GR_ERR_LIMIT.
       0: 200; negative: no limit. And names for single elements (paths.h). */
    int64_t max_scalars;
    gr_naming names;
} gr_dot_options;

/* Writes the graph of `root` through `write`. GR_ERR_ARGUMENT for options out of range. */
GR_API gr_status gr_dot_write(gr_tensor root, gr_writer *write, void *user, const gr_dot_options *options);

/* Writes it to a file. GR_ERR_IO, with path and reason, if the system refuses anything; the file is then as
   it was before: the text goes to `path`.part, which replaces `path` when it is complete. (What is there and
   is no regular file, such as a device or a link, is written directly.) */
GR_API gr_status gr_dot_write_file(gr_tensor root, const char *path, const gr_dot_options *options);

/* Writes it into memory, as snprintf does: at most `room` bytes, the last of which is a zero byte; `length`,
   if not NULL, gets the length of the whole text, without the zero. `to` may be NULL if room is 0. */
GR_API gr_status gr_dot_write_string(gr_tensor root, char *to, size_t room, size_t *length,
                                     const gr_dot_options *options);

GR_END_DECLS

#endif
