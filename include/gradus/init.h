/*
 * Initialisers: they overwrite a parameter (or constant) with numbers drawn from the generator of its graph, so that the same
 * seed gives the same numbers. They raise its version, and refuse, as every executor does, while an error is pending.
 *
 * A layer takes one that is a gr_initializer:
 *
 *     gr_linear fc = gr_linear_create(g, "fc", GR_F32, 784, 512, gr_init_he_normal);
 *
 * or a function of your own, such as
 *
 *     static gr_status narrow(gr_tensor w) { return gr_init_normal(w, 0, 0.01); }
 */
#ifndef GRADUS_INIT_H
#define GRADUS_INIT_H

#include "gradus/tensor.h"

GR_BEGIN_DECLS

typedef gr_status gr_initializer(gr_tensor w);

/* ---- Given distributions; any shape ---- */

/* N(m, v) is the normal distribution of mean m and variance v; U(a, b) is uniform on [a, b). Parameters of a distribution that
   are not finite, or out of range: GR_ERR_ARGUMENT. */

GR_API gr_status gr_init_constant(gr_tensor w, double value);
GR_API gr_status gr_init_zeros(gr_tensor w);
GR_API gr_status gr_init_ones(gr_tensor w);
GR_API gr_status gr_init_normal(gr_tensor w, double mean, double std);  /* N(mean, std^2); std >= 0 */
GR_API gr_status gr_init_uniform(gr_tensor w, double low, double high); /* U(low, high); low <= high */
/* N(mean, std^2) without what is farther than 2 std from the mean, which is drawn again: the mean is `mean`, the variance
   0.7737 std^2 (the standard deviation 0.8796 std). std >= 0 */
GR_API gr_status gr_init_truncated_normal(gr_tensor w, double mean, double std);
/* N(0, 0.05^2) and U(-0.05, 0.05), which Keras calls `normal` and `random_uniform`. */
GR_API gr_status gr_init_small_normal(gr_tensor w);
GR_API gr_status gr_init_small_uniform(gr_tensor w);

/* ---- Scaled with the size of the layer ---- */

/* The units that a weight leads from and to: n_in and n_out of [n_in, n_out], that of a linear layer. A weight of more axes is that
   of a convolution, [out, in / groups, kernel...]: n_in is in / groups, n_out is out, each times the elements of the kernel.
   Fewer axes: GR_ERR_SHAPE, and both 0. */
typedef struct gr_fans {
    int64_t in, out;
} gr_fans;
GR_API gr_fans gr_fans_of(gr_tensor w);

/* With n_in and n_out of gr_fans_of; a weight without elements is left as it is.

     name            distribution                          source
     xavier_uniform  U(-a, a), a = sqrt(6/(n_in + n_out))  Glorot and Bengio, 2010
     xavier_normal   N(0, 2/(n_in + n_out))                the same
     lecun_uniform   U(-a, a), a = sqrt(3/n_in)            LeCun, Bottou, Orr and Mueller, 1998 ("Efficient
     lecun_normal    N(0, 1/n_in)                          BackProp"); some texts call this one "Xavier"
     he_uniform      U(-a, a), a = sqrt(6/n_in)            He, Zhang, Ren and Sun, 2015; also called MSRA
     he_normal       N(0, 2/n_in)                          the same */
GR_API gr_status gr_init_xavier_uniform(gr_tensor w);
GR_API gr_status gr_init_xavier_normal(gr_tensor w);
GR_API gr_status gr_init_lecun_uniform(gr_tensor w);
GR_API gr_status gr_init_lecun_normal(gr_tensor w);
GR_API gr_status gr_init_he_uniform(gr_tensor w);
GR_API gr_status gr_init_he_normal(gr_tensor w);

/* What these are made of: mean 0 and that variance, of any shape. For sizes of your own, gains, or the outputs in place of the
   inputs: gr_init_variance(w, GR_DISTRIBUTION_NORMAL, gain * gain / n). A truncated normal distribution is that of
   gr_init_truncated_normal, made wider until it has the variance. */
typedef enum gr_distribution {
    GR_DISTRIBUTION_NORMAL = 0,
    GR_DISTRIBUTION_UNIFORM,
    GR_DISTRIBUTION_TRUNCATED_NORMAL
} gr_distribution;
GR_API gr_status gr_init_variance(gr_tensor w, gr_distribution distribution, double variance);

/* A random orthogonal matrix, times `gain`, which is 1 by default (Saxe, McClelland and Ganguli, 2014): of [rows, columns] the
   rows are orthonormal if there are fewer of them, else the columns. The axes behind the first are columns together. It is the Q
   of normal numbers, R having a positive diagonal, so that all orthogonal matrices are equally likely (Mezzadri, 2007). Fewer
   than 2 axes: GR_ERR_SHAPE. It takes rows^2 columns steps, where there are fewer rows. */
GR_API gr_status gr_init_orthogonal(gr_tensor w);
GR_API gr_status gr_init_orthogonal_with(gr_tensor w, double gain);

GR_END_DECLS

#endif
