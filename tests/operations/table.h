/*
 * What the table of operations is made of. Each row says how an operation is used, what it computes, in plain C on
 * doubles, and on which operands; test_primitives.c says what is checked of it. The rows stand in one file per family;
 * adding an operation is adding a row.
 */
#ifndef GRADUS_OPERATIONS_TABLE_H
#define GRADUS_OPERATIONS_TABLE_H

#include "gradus.h"

#include <math.h>
#include <string.h>

enum { MOST_ELEMENTS = 2400, MOST_OPERANDS = 3 };

/* ---- Arrays of the test, independent of tensors: row-major doubles ---- */

typedef struct array {
    gr_shape shape;
    double v[MOST_ELEMENTS];
} array;

int64_t count_of(gr_shape s);
/* Multi-index of an element, and back. */
void index_of(gr_shape s, int64_t element, int64_t *index);
int64_t element_of(gr_shape s, const int64_t *index);
/* The element of x that broadcasting puts at `index` of a shape of `ndim` axes. */
double broadcast_at(const array *x, int ndim, const int64_t *index);
gr_shape broadcast_shape(int n, const array *x);

/* ---- Rows and cases ---- */

/* Shapes of operands, and what the primitive needs besides. */
typedef struct test_case {
    gr_shape shape[MOST_OPERANDS];
    gr_axes axes;
    bool keepdims;
    int axis;
    int64_t start, stop, step; /* of a slice */
    int64_t size;              /* positions of an index lie in [low, size) */
    int64_t low;
    double number;
    gr_shape to;
    const void *options;    /* of the operation */
    gr_shape before, after; /* of a padding */
    const char *text;       /* subscripts */
} test_case;

typedef struct row row;
struct row {
    const char *name;
    const char *operands; /* one letter each: f a float, i an index, m a mask */
    const test_case *cases;
    /* How it is used: one of these. */
    gr_tensor (*unary)(gr_tensor x);
    gr_tensor (*binary)(gr_tensor a, gr_tensor b);
    gr_tensor (*build)(gr_graph *g, const gr_tensor *x, const test_case *c, gr_type type);
    /* What it computes: `expect` fills in shape and values; the formulas are for those that need them. */
    void (*expect)(const row *r, const test_case *c, int n, const array *x, array *y);
    double (*formula1)(double x);
    double (*formula2)(double a, double b);
    double (*fold)(const double *x, int64_t n);
    /* Values of operands: distinct numbers in [low, high), none in (-gap, gap). 0, 0: [-2, 2). */
    double low, high, gap;
    bool whole;                     /* whole numbers in [-2, 2], so that there are ties */
    bool integers;                  /* has i32 as well */
    bool needs_elements;            /* cannot reduce nothing */
    const char *not_differentiable; /* why; NULL: it is differentiable */
    gr_type result;                 /* type of the result if `typed` */
    bool typed;
    double layout_tolerance; /* in units of eps max(1, |y|); 0: 1 */
    bool composed;           /* of other operations: there is no primitive of this name */
    bool tied_when_repeated; /* has a kink where elements are equal: no differences on expanded operands */
    /* If there are any, `gap` is kept from these and not from 0; they are more than 3 gaps apart. */
    int n_kinks;
    double kinks[8];
    /* Changes the values of operands, as to make a matrix that has an inverse; they are to be numbers of f32. */
    void (*arrange)(const test_case *c, int n, array *x);
    bool regular; /* equal rows of a matrix have no inverse: it is expanded along leading axes only */
    /* Changes the shapes that the case gives to operands. */
    void (*reshape_operands)(const test_case *c, array *x);
};

#define OF(...) .shape = {__VA_ARGS__}
#define END               \
    {                     \
        .axis = INT32_MIN \
    }
#define IS_END(C) ((C)->axis == INT32_MIN)
#define S(...)                                           \
    {                                                    \
        GR_COUNT_(int64_t, __VA_ARGS__), { __VA_ARGS__ } \
    }
#define S0       \
    {            \
        0, { 0 } \
    }
#define AXES(...)                                    \
    {                                                \
        GR_COUNT_(int, __VA_ARGS__), { __VA_ARGS__ } \
    }
#define ALL       \
    {             \
        -1, { 0 } \
    }

/* The rows of each family; the last one has no name. */
extern const row elementwise_rows[];
extern const row activation_rows[];
extern const row reduction_rows[];
extern const row movement_rows[];
extern const row linalg_rows[];
extern const row creation_rows[];
extern const row loss_rows[];
extern const row neural_rows[];

/* All of them; ends with NULL. */
extern const row *const families[];

/* ---- What families share: cases, and what is expected ---- */

extern const test_case unary_cases[], number_cases[], binary_cases[], reduction_cases[], along_cases[];

/* formula1 or formula2 of each element; the second operand, or the number of the case. */
void expect_elementwise(const row *r, const test_case *c, int n, const array *x, array *y);
void expect_number(const row *r, const test_case *c, int n, const array *x, array *y);
/* Applies r->fold to each group of elements that end up in one. */
void expect_fold(const row *r, const test_case *c, int n, const array *x, array *y);
bool is_reduced(gr_axes axes, int axis, int ndim);
/* The operand itself. */
void expect_same(const row *r, const test_case *c, int n, const array *x, array *y);

/* ---- Uses ---- */

/* The registered primitive of that name, or NULL. */
const gr_op *find_op(const char *name);

#define BUILD(NAME, EXPRESSION)                                                              \
    static gr_tensor NAME(gr_graph *g, const gr_tensor *x, const test_case *c, gr_type type) \
    {                                                                                        \
        (void)g, (void)x, (void)c, (void)type;                                               \
        return EXPRESSION;                                                                   \
    }

/* What is expected of each element v of one operand. */
#define EXPECT1(NAME, EXPRESSION)                                                       \
    static void NAME(const row *r, const test_case *c, int n, const array *x, array *y) \
    {                                                                                   \
        (void)r, (void)c, (void)n;                                                      \
        y->shape = x->shape;                                                            \
        for (int64_t e = 0; e < count_of(x->shape); e++) {                              \
            const double v = x->v[e];                                                   \
            y->v[e] = EXPRESSION;                                                       \
        }                                                                               \
    }
#define KINKS(...) .gap = 0.05, .n_kinks = GR_COUNT_(double, __VA_ARGS__), .kinks = {__VA_ARGS__}

#define UNARY(NAME, FORMULA)                                                                                \
    .name = #NAME, .operands = "f", .cases = unary_cases, .unary = gr_##NAME, .expect = expect_elementwise, \
    .formula1 = FORMULA
#define BINARY(NAME, FORMULA)                                                    \
    .name = #NAME, .operands = "ff", .cases = binary_cases, .binary = gr_##NAME, \
    .expect = expect_elementwise, .formula2 = FORMULA
#define COMPARISON(NAME)                                                                                   \
    BINARY(NAME, f_##NAME), .whole = true, .integers = true, .not_differentiable = "its result is a mask", \
                            .typed = true, .result = GR_BOOL
#define USE(NAME, OPERANDS, CASES, EXPECT) \
    .name = #NAME, .operands = OPERANDS, .cases = CASES, .build = b_##NAME, .expect = EXPECT

#endif
