/*
 * Checking derivatives against numbers: of functions made of Gradus operations, and of plain C functions of
 * doubles with a hand-written gradient, Jacobian or Hessian, that need nothing else of Gradus.
 *
 * A PLAIN FUNCTION, no graph in sight:
 *
 *     static int value(const double *x, double *y, void *user)             y = f(x)
 *     static int gradient(const double *x, double *g, void *user)          g[j] = df/dx_j
 *     ...
 *     const gr_plain_function f = {.name = "rosenbrock", .n = 2, .m = 1, .value = value, .jacobian = gradient};
 *     gr_check_result result;
 *     char text[GR_CHECK_REPORT_BYTES];
 *     gr_check_plain(&f, (double[]){-1.2, 1}, NULL, &result);
 *     gr_check_report(&result, text, sizeof text);
 *     if (!result.passed) puts(text);
 *
 * A FUNCTION OF TENSORS:
 *
 *     static gr_tensor model(gr_graph *g, int n, const gr_tensor *in, void *user)
 *     {
 *         return gr_tanh(gr_matmul(in[0], in[1]));
 *     }
 *     ...
 *     gr_gradcheck(g, model, 2, (gr_tensor[]){x, w}, NULL, &(gr_check_options){.order = 2}, &result);
 *
 * To make it a test program, with TAP or JSON for other people's test runners: check_test.h. How it decides,
 * with which step and tolerance, and why: docs/gradient-checking.md. In short:
 *
 * WHAT IS COMPARED
 *   The analytic derivative with a numeric one: central differences, extrapolated to step 0 (Ridders,
 *   "Accurate computation of F'(x) and F'(x) F''(x)", 1982), with an estimate of their error, in which the
 *   rounding of the function's values is included. The step shrinks from step max(|x_j|, 1) until the
 *   estimate is far below the tolerance, or rounding makes it worse; where the function is not finite, a
 *   smaller one is tried.
 *
 *   Full: each element dy_i/dx_j of the Jacobian. By cotangents: d(u . y)/dx_j for random u, each element of
 *   each input. Fast: d(u . y)/dv for random directions v of all inputs at once, a few evaluations however
 *   large they are; where that is wrong the direction is halved again and again until one element is found.
 *   Random numbers have random signs and sizes in [0.5, 1.5): nothing is left out, and nothing cancels by
 *   symmetry (softmax with a cotangent of ones has gradient 0, right or wrong).
 *
 *   Unit vectors have -2 and 1/2 for the 1: products that forget a sign or a size are not right for 1 only.
 *
 *   Order 2 does the same to the first derivatives: differences of them against the second ones; and so on. Of
 *   a function of tensors with several outputs these are the first derivatives of u . y for one random u.
 *
 * VERDICTS, one for each element
 *   right        |analytic - numeric| <= atol + rtol |numeric|. The tolerance depends on nothing else: neither
 *                on the number of elements nor on how rough the numbers are.
 *   wrong        outside it, by more than the numeric derivative can be wrong itself; a second estimate, from
 *                other steps, agrees with that. NaN and infinity, on either side, are never right, nor is
 *                anything where the function itself is not finite.
 *   undecided    outside it, but the function's values are too rough to tell: say how exact they are in
 *                `accuracy`, raise a tolerance, or rescale.
 *   not differentiable here    the slopes from the left and from the right differ, and the analytic value is
 *                between them, as that of a convention (relu at 0) would be; outside them it is wrong. Also at
 *                a jump, at a vertical tangent, and where the function ends (sqrt at 0).
 *   A function that gives different values for the same x is not deterministic, whatever its derivatives; so is
 *   one whose derivatives are others when they are asked for again, after it was called elsewhere.
 */
#ifndef GRADUS_CHECK_H
#define GRADUS_CHECK_H

#include "gradus/autograd.h"

GR_BEGIN_DECLS

/* ---- How to check ---- */

typedef enum gr_check_mode {
    GR_CHECK_AUTO = 0,   /* full for at most 64 outputs, or 4 per input element, and 2^20 elements of the
                            Jacobian, and always for no more outputs than directions; else by cotangents */
    GR_CHECK_FULL,       /* each element of the Jacobian */
    GR_CHECK_COTANGENTS, /* each element of the inputs, outputs combined at random */
    GR_CHECK_FAST        /* inputs and outputs combined at random */
} gr_check_mode;

struct gr_check_element;

/* Options; a zeroed structure, or NULL, gives the defaults. Negative numbers, NaN and numbers beyond the
   limits are GR_ERR_ARGUMENT. */
typedef struct gr_check_options {
    gr_check_mode mode;
    int order;       /* highest order of derivatives, at most 4 (plain functions: 2); 0 means 1 */
    int directions;  /* random combinations, 2 to 16; 0 means 2 */
    bool forward;    /* JVPs, too: against numbers, and against VJPs: u . (J v) = (J' u) . v. Plain functions:
                        whatever is given is checked, this or no this */
    uint64_t seed;   /* of all random choices */
    double rtol;     /* relative tolerance, below 1; 0 means 1e-6, with f32 1e-3 */
    double atol;     /* absolute tolerance; 0 means rtol / 100 (with f32 rtol / 10) times the size of y per
                             unit of max(|x_j|, 1), but at most that of size 1: small functions are not judged
                             more mildly. At least 8 roundings of 1: terms of that size may have cancelled. In
                             orders above 1 the size is that of the function itself, if that is larger. A tiny
                             number, as 1e-300, means none */
    double step;     /* largest h, in units of max(|x_j|, 1), below 1; 0 means 1/73, with f32 1/17 */
    double accuracy; /* relative accuracy of the function's values; 0 means that of their type. Say 1e-7
                             for one that computes in float, 1e-10 for an iterative solver stopped there */
    int64_t max_elements; /* of inputs, per input and order, chosen at random; 0: all */
    bool accept_kinks;    /* elements that are not differentiable pass */
    const char *name;     /* of what is checked, for reports; NULL: the plain function's own, or "function" */
    /* Called for every comparison, in order; may be NULL. */
    void (*each)(const struct gr_check_element *element, void *user);
    void *each_user;
} gr_check_options;

/* ---- What comes out ---- */

typedef enum gr_verdict {
    GR_CHECK_RIGHT = 0,
    GR_CHECK_NOT_DIFFERENTIABLE, /* here; see `left` and `right` */
    GR_CHECK_UNDECIDED,
    GR_CHECK_WRONG,
    GR_CHECK_NOT_DETERMINISTIC /* of a whole result only */
} gr_verdict;
/* "right", "not differentiable here", "undecided", "wrong", "not deterministic"; "unknown verdict". */
GR_API const char *gr_verdict_name(gr_verdict verdict);

/* Which two numbers were compared. */
typedef enum gr_comparison {
    GR_COMPARE_REVERSE = 0, /* the Jacobian, gradient or VJP with differences */
    GR_COMPARE_FORWARD,     /* the JVP with differences */
    GR_COMPARE_ADJOINT      /* u . (J v) by the JVP, as `numeric`, with (J' u) . v by the VJP */
} gr_comparison;

enum { GR_CHECK_NAME_BYTES = 64, GR_CHECK_WORST = 16, GR_CHECK_FAULTS = 8, GR_CHECK_REPORT_BYTES = 32768 };

/* A place in an array: position in row-major order, and by axes. */
typedef struct gr_check_place {
    int64_t element; /* -1: no single one, a random combination of all */
    int ndim;
    int64_t index[GR_MAX_NDIM];
} gr_check_place;

/* One comparison: of the derivative of an output element by an input element. */
typedef struct gr_check_element {
    gr_verdict verdict;
    gr_comparison comparison;
    int order;                      /* of the derivative */
    int input;                      /* its position; from n_inputs on: a cotangent, in orders above 1; -1: a
                                       random direction of all inputs */
    char name[GR_CHECK_NAME_BYTES]; /* of the input, cut off if long; "" if it has none */
    gr_check_place at;              /* in the input: the x_j */
    gr_check_place of; /* in the output: the y_i. From order 2 on in the derivatives one order lower, by all
                          elements of the inputs one behind the other */
    double analytic, numeric;
    double numeric_error; /* estimate of the error of `numeric` */
    double error;         /* |analytic - numeric| */
    double tolerance;
    double left,
        right; /* slopes from below and from above, where not differentiable (infinite at a jump, NaN where there is no function); else NaN */
} gr_check_element;

/* A guess at what is wrong, where one explains all elements that were compared of one input. */
typedef enum gr_fault_kind {
    GR_FAULT_NONE = 0,
    GR_FAULT_SIGN,       /* analytic = -numeric */
    GR_FAULT_FACTOR,     /* analytic = factor * numeric */
    GR_FAULT_ZERO,       /* analytic = 0: the derivative is missing */
    GR_FAULT_TRANSPOSED, /* the elements of another order: those of the Jacobian, or of a matrix input */
    GR_FAULT_BROADCAST,  /* only one of the places where the element is repeated counts: the sum is missing;
                            `axis` of the output */
    GR_FAULT_SHIFTED,    /* off by `offset` along `axis` of the input, or (of_output) of the output */
    GR_FAULT_CONSTANT    /* analytic = numeric + factor: a term that should not be there */
} gr_fault_kind;

typedef struct gr_check_fault {
    gr_fault_kind kind;
    int order, input;
    char name[GR_CHECK_NAME_BYTES];
    double factor;
    int axis, offset;
    bool of_output;
    int64_t elements;         /* that it explains */
    gr_comparison comparison; /* if both forms have the same fault, the first of them */
} gr_check_fault;

typedef struct gr_check_result {
    bool passed; /* made, and everything is right (or not differentiable, if that is accepted) */
    /* The worst of all elements; of none, as in a check that was not made: right. See `passed`. */
    gr_verdict verdict;
    gr_status status; /* whether the check could be made; if not, nothing else but message and name is set */
    /* If not: why. If the function is not deterministic: where and how. If a plain function left something
       unwritten: what. Else empty. */
    char message[1024];
    char name[GR_CHECK_NAME_BYTES]; /* of the function */
    int order;                      /* highest order that was checked; 0: none */
    gr_check_mode mode;             /* of order 1, as it was chosen */
    int64_t elements;               /* compared */
    int64_t failed;                 /* of these, those that let the check fail */
    int64_t wrong, undecided, not_differentiable;
    int64_t evaluations;    /* of the function */
    gr_check_element worst; /* = worst_elements[0]; all zero if nothing was compared */
    int n_worst; /* those that let the check fail, the worst first; if none does, the least exact one. By
                    verdict, then by order (what is wrong in the first derivatives may be so in the second), then
                    elements before combinations, then by error / tolerance; NaN is the worst */
    gr_check_element worst_elements[GR_CHECK_WORST];
    int n_faults;
    gr_check_fault faults[GR_CHECK_FAULTS];
} gr_check_result;

/* ---- Functions of tensors ---- */

/* Checks the derivatives of f by all elements of its float inputs, which are leaves: parameters, or constants
   as of gr_constant and gr_keep (GR_ERR_STATE for others). f64; f32 has rougher numbers, larger steps and
   wider tolerances, of which the type of the inputs and that of the result decide, whichever is the rougher.
   Inputs of type i32 or bool are passed to f as they are. f is called many times and must compute the same
   from the same values; what it draws from the generator of the graph is the same in each call. Several
   outputs: return them flattened (gr_reshape to -1) and joined (gr_concat). To fail, f returns an invalid
   handle: after a failed operation, or after gr_graph_fail. f cannot end scopes that were opened before it, and
   what it leaves open is closed. An input given twice is checked once, at its first place.

   The elements are changed in place, so f may also reach its inputs through `user`, as a model reaches its
   parameters. Afterwards, also after an error, values are as they were, bit for bit, and a history recorded
   before can still be differentiated; gradients, requires_grad, the state of the random generator and
   recording are as before, and what f made is freed. Works inside gr_no_grad_begin, too.

   GR_OK says that the check could be made; result->passed says how it went. Else the error of f, or of the
   arguments, is returned and left in the graph (and in result, which has not passed). options may be NULL. */
GR_API gr_status gr_gradcheck(gr_graph *g, gr_function f, int n_inputs, const gr_tensor *inputs, void *user,
                              const gr_check_options *options, gr_check_result *result);

/* ---- Plain C functions ---- */

/* Each returns 0, or another number to fail (GR_ERR_CALLBACK), and fills what its last array but `user` is
   for, all of it: what is left unwritten counts as NaN, and writing beyond it is noticed. They read x and
   the vector and must not change them (GR_ERR_CALLBACK). Outside its domain a function gives NaN or infinity, and
   smaller steps are tried; to fail there ends the check. */
typedef int gr_plain_value(const double *x, double *y, void *user);
typedef int gr_plain_product(const double *x, const double *vector, double *product, void *user);

/* A part of x, for reports: x is divided into named arrays, one behind the other. */
typedef struct gr_plain_input {
    const char *name;
    gr_shape shape;
} gr_plain_input;

typedef struct gr_plain_function {
    const char *name;
    int64_t n, m; /* numbers in x and in y; 0 means those of the inputs, and of the output */
    gr_plain_value *value;
    /* Derivatives: those that there are; the others NULL. Every one given is checked against `value`. */
    gr_plain_value *jacobian; /* J [m, n]: J[i n + j] = dy_i/dx_j. With m = 1: the gradient */
    gr_plain_product *vjp;    /* u [m] -> [n]: sum_i u_i dy_i/dx_j */
    gr_plain_product *jvp;    /* v [n] -> [m]: sum_j dy_i/dx_j v_j */
    gr_plain_value *
        hessian; /* H [m, n, n]: d2 y_i / dx_j dx_k; checked in order 2 against the first derivatives, of which one must be there */
    gr_plain_product
        *hvp;          /* m = 1: v [n] -> [n]: sum_k H_jk v_k. It is the JVP of the gradient, and called so */
    bool column_major; /* J and H with the first index fastest, as in Fortran */
    void *user;
    int n_inputs; /* names and shapes of the parts of x; 0: one of [n], "x" */
    const gr_plain_input *inputs;
    gr_shape output; /* shape of y, for reports; ndim 0: [m], or a scalar */
} gr_plain_function;

/* Checks at x (n numbers). Needs no graph: memory is taken and given back. Returns what result->status is;
   result->message says more. An order above 1 without hessian and hvp is GR_ERR_ARGUMENT; order 0 means as
   high as there are derivatives. Order 2 is held against the first form of the first derivatives that order 1
   has found right; without one, result->order stays 1. options and x of n = 0 may be NULL. */
GR_API gr_status gr_check_plain(const gr_plain_function *f, const double *x, const gr_check_options *options,
                                gr_check_result *result);

/* ---- Reports ---- */

/* Each writes as snprintf does: at most `room` bytes with the final zero; returns the length of the whole
   text. GR_CHECK_REPORT_BYTES are enough for all that a check can say. `to` may be NULL if room is 0. The text
   ends with a newline. Numbers have a point in every locale. A NULL result reads as a check that was not
   made. */

/* For people: a line of summary, guesses at the fault and advice, and a table of the worst elements that are
   not right, worst first. A check that passed is one line and its least exact element.

     gradient check FAILED: layer: 12 derivatives compared: 3 wrong; order 1, full, 85 evaluations
       all 3 derivatives by b: 2 times too large: a factor of 2

       verdict  derivative         analytic  numeric  its error  difference  tolerance
       wrong    d y[0,1] / d b[1]         4        2    1.2e-12           2   2.01e-06

   y is the output, y' its first derivatives; (u.y) a random combination of its elements; v a random direction
   of the input, or of all inputs. "its error" is the estimate of how wrong the numeric one is. An input without
   a name is inputs[0] and so on. Control characters, and bytes that are no UTF-8, are written as \x1F. */
GR_API size_t gr_check_report(const gr_check_result *result, char *to, size_t room);
/* One test point of the Test Anything Protocol, version 13: "ok <number> - <name>", or "not ok" with a block
   of YAML about what failed. A number below 1 is left out. The line "TAP version 13" and the plan "1..n" are
   the caller's: GR_CHECK_MAIN (check_test.h) writes them. */
GR_API size_t gr_check_tap(const gr_check_result *result, int number, char *to, size_t room);
/* One JSON object on one line: all fields of the result, by their names; counted arrays have their length,
   `index` one number per axis, verdicts their names, other enumerators theirs in lower case and without
   prefix. `worst` is null if nothing was compared, `verdict` if the check was not made; a fault has a `text`
   in words, too. Numbers have 17 digits; NaN and infinities, which JSON lacks, are the strings "nan", "inf",
   "-inf". */
GR_API size_t gr_check_json(const gr_check_result *result, char *to, size_t room);

GR_END_DECLS

#endif
