/*
 * Gradus: automatic differentiation in C11.
 *
 * A page to start with. The headers below are the manual, each on one topic.
 *
 *     #include <gradus.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         gr_graph *g = gr_graph_create(NULL);                                        owns everything
 *
 *         gr_tensor w = gr_param(g, "w", GR_F64, GR_SHAPE(2, 1), (double[]){0.5, -0.3});
 *         gr_tensor x = gr_constant(g, GR_F64, GR_SHAPE(3, 2), (double[]){1, 2, 3, 4, 5, 6});
 *         gr_tensor t = gr_constant(g, GR_F64, GR_SHAPE(3, 1), (double[]){1, 0, 1});
 *
 *         gr_tensor loss = gr_mse(gr_sigmoid(gr_matmul(x, w)), t);                    values at once
 *         gr_backward(loss);                                                          gradient of w
 *
 *         printf("loss %g, dloss/dw0 %g\n", gr_item(loss), GR_AT(gr_gradient(w), 0, 0));
 *         gr_dot_write_file(loss, "graph.dot", NULL);                                 a drawing
 *         if (gr_graph_status(g) != GR_OK)                                            one check is enough
 *             fprintf(stderr, "%s\n", gr_graph_error(g));
 *         gr_graph_destroy(g);
 *     }
 *
 * Concepts, in the order in which one meets them:
 *   graph.h     the graph: lifetimes, errors, memory, random numbers
 *   tensor.h    handles, types, shapes; parameters and constants; reading and writing
 *   ops.h       operations on tensors, with their formulas and what they do at kinks, by topic: elementwise.h,
 *               activations.h, reductions.h, movement.h, linalg.h, convolution.h
 *   autograd.h  gradients, of any order; hooks, checkpoints, the search for NaN
 *   functional.h  Jacobian- and Hessian-vector products, Jacobians, Hessians
 *   nn.h        layers; convolutions and embeddings in layers.h, normalisation.h, attention.h, recurrent.h
 *   init.h      initialisers
 *   loss.h      losses
 *   optim.h     update rules, groups of parameters, weight decay, clipping of gradients
 *   schedule.h  learning rates that change with time
 *   lbfgs.h     a minimiser for functions without noise
 *   regularise.h  penalties and early stopping
 *   check.h     derivatives against numbers; check_test.h, not included here, makes test programs of them
 *   precision.h digits that an f32 graph loses, by operation
 *   dot.h       drawings
 *   summary.h   the model as a table: parameters, FLOPs, bytes
 *   steps.h     the backward sweep one edge at a time, as text and as a page
 *   paths.h     derivation paths: along which routes a loss depends on one weight, and what each contributes
 *   io.h        data files and mini-batches
 *   npy.h       NumPy's arrays
 *   csv.h       tables of numbers
 *   save.h      models and training runs in files
 *   metrics.h   accuracies, errors, confusion matrices
 *   fit.h       a training loop, and the same one written out
 *   custom.h    primitives of your own
 *   sweep.h     trying them on operands of all kinds
 */
#ifndef GRADUS_H
#define GRADUS_H

#include "gradus/graph.h"
#include "gradus/tensor.h"
#include "gradus/ops.h"
#include "gradus/autograd.h"
#include "gradus/functional.h"
#include "gradus/nn.h"
#include "gradus/init.h"
#include "gradus/loss.h"
#include "gradus/optim.h"
#include "gradus/schedule.h"
#include "gradus/lbfgs.h"
#include "gradus/regularise.h"
#include "gradus/check.h"
#include "gradus/precision.h"
#include "gradus/dot.h"
#include "gradus/summary.h"
#include "gradus/steps.h"
#include "gradus/paths.h"
#include "gradus/io.h"
#include "gradus/npy.h"
#include "gradus/csv.h"
#include "gradus/save.h"
#include "gradus/metrics.h"
#include "gradus/fit.h"
#include "gradus/custom.h"
#include "gradus/sweep.h"

#endif
