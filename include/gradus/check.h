/*
 * Gradient checking: are the derivatives of a function right?
 *
 *     static gr_tensor model(gr_graph *g, int n, const gr_tensor *in, void *user)
 *     {
 *         return gr_tanh(gr_matmul(in[0], in[1]));
 *     }
 *     ...
 *     gr_check_result result;
 *     char text[GR_CHECK_REPORT_BYTES];
 *     gr_gradcheck(g, model, 2, (gr_tensor[]){x, w}, NULL, &(gr_check_options){.order = 2}, &result);
 *     gr_check_report(&result, text, sizeof text);
 *     if (!result.passed) puts(text);
 *
 * HOW IT DECIDES
 *   The output y of the function is weighed with random cotangents u. For each element x_e of each float
 *   input, the analytic derivative of u . y, as gr_grad gives it, is compared with central differences
 *
 *       sum_i u_i (y_i(x_e + h) - y_i(x_e - h)) / 2h
 *
 *   extrapolated to h = 0 (Ridders, "Accurate computation of F'(x) and F'(x) F''(x)", 1982), with h shrinking
 *   from step max(|x_e|, 1) until the estimated error of the extrapolation is far below the tolerance, or
 *   rounding makes it worse again; where the function is not finite a smaller h is tried. An element is right
 *   if
 *
 *       |analytic - numeric| <= atol + rtol |numeric|
 *
 *   for every cotangent. NaN and infinity, on either side, are never right. The tolerance depends on nothing
 *   else: neither on the number of elements nor on how rough the numbers are. Cotangents have random signs
 *   and sizes in [0.5, 1.5): no output is left out, and none cancels another by symmetry (softmax with a
 *   cotangent of ones has gradient 0, right or wrong).
 *
 *   Order 2 does the same to the function (x, u) -> gradients by x of u . y; order 3 to that one's, and so
 *   on. The differences are of the derivatives one order lower, so each order is checked against the one
 *   before it.
 *
 * LIMITS
 *   A check costs about 8 evaluations of the function per element, more where it is steep; `max_elements`
 *   limits that. At a kink (relu at 0) there is no derivative to compare with: keep inputs away from kinks.
 */
#ifndef GRADUS_CHECK_H
#define GRADUS_CHECK_H

#include "gradus/autograd.h"

GR_BEGIN_DECLS

/* Options; a zeroed structure, or NULL, gives the defaults. Negative numbers, NaN and numbers beyond the
   limits are GR_ERR_ARGUMENT. */
typedef struct gr_check_options {
    int order;            /* highest order of derivatives, at most 4; 0 means 1 */
    int directions;       /* random cotangents per order, 2 to 16; 0 means 2 */
    uint64_t seed;        /* of cotangents and of the choice of elements */
    double atol;          /* absolute tolerance; 0 means 1e-8. A tiny number, as 1e-300, means none */
    double rtol;          /* relative tolerance, below 1; 0 means 1e-6 */
    double step;          /* largest h, in units of max(|x|, 1), below 1; 0 means 1/73 */
    int64_t max_elements; /* per input and order, chosen at random; 0: all */
} gr_check_options;

typedef enum gr_verdict {
    GR_CHECK_RIGHT = 0,
    GR_CHECK_WRONG,
    /* Not within the tolerance, but the numeric derivative is not that exact itself: raise atol or rescale.
       Does not pass. */
    GR_CHECK_UNDECIDED
} gr_verdict;

enum { GR_CHECK_NAME_BYTES = 64, GR_CHECK_REPORT_BYTES = 1024 };

/* One comparison. */
typedef struct gr_check_element {
    gr_verdict verdict;
    int order;                      /* of the derivative */
    int input;                      /* its position; from n_inputs on: a cotangent, in orders above 1 */
    char name[GR_CHECK_NAME_BYTES]; /* of the input, cut off if long; "" if it has none */
    int64_t element;                /* position in row-major order */
    int ndim;
    int64_t index[GR_MAX_NDIM]; /* the same position, by axes */
    double analytic, numeric;
    double numeric_error; /* estimate of the error of `numeric` */
    double error;         /* |analytic - numeric| */
    double tolerance;
} gr_check_element;

typedef struct gr_check_result {
    bool passed;
    int order;              /* highest order that was checked */
    int64_t elements;       /* compared: each element of each input counts once per order */
    int64_t failed;         /* of these, wrong or undecided */
    int64_t undecided;      /* of these, undecided */
    gr_check_element worst; /* largest error in units of its tolerance; NaN is the worst of all */
} gr_check_result;

/* Checks the derivatives of f by all elements of its float inputs, which must be f64 (GR_ERR_TYPE for f32:
   differences of f32 values are too rough) and leaves: parameters, or constants as of gr_constant and gr_keep
   (GR_ERR_STATE for others). Inputs of type i32 or bool are passed to f as they are.

   The elements are changed in place, so f may also reach its inputs through `user`, as a model reaches its
   parameters. Afterwards, also after an error, values are as they were, bit for bit, and a history recorded
   before can still be differentiated; gradients, requires_grad, the state of the random generator and
   recording are as before, and what f made is freed. Works inside gr_no_grad_begin, too.

   GR_OK says that the check could be made; result->passed says how it went. Else the error of f, or of the
   arguments, is returned and left in the graph; result says not passed, and nothing more. options may be
   NULL. */
GR_API gr_status gr_gradcheck(gr_graph *g, gr_function f, int n_inputs, const gr_tensor *inputs, void *user,
                              const gr_check_options *options, gr_check_result *result);

/* Writes the result as a few lines of text, as snprintf does: at most `room` bytes with the final zero;
   returns the length of the whole text. GR_CHECK_REPORT_BYTES are enough. to may be NULL if room is 0. */
GR_API size_t gr_check_report(const gr_check_result *result, char *to, size_t room);

GR_END_DECLS

#endif
