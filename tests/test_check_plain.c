/*
 * Checks of plain C functions: every form of derivatives, names and places in reports, what callbacks do that they
 * must not, wrong arguments, and memory that runs out.
 */
#include "test.h"
#include "check/plain.h"
#include "gradus.h"

#include <stdlib.h>

/* ---- y_i = sum_j A_ij sin(x_j) + x_0 x_1, with one mistake at a time ---- */

enum { N = 3, M = 2 };
static const double matrix[M][N] = {{1, -2, 0.5}, {0.3, 4, -1.5}};

typedef enum mistake {
    NONE,
    JACOBIAN,       /* one element of the Jacobian */
    VJP,            /* a term is missing in the VJP */
    JVP,            /* the sign of the JVP */
    JVP_ELEMENT,    /* one element, which the JVP leaves as it was */
    HESSIAN,        /* one of the two elements beside the diagonal */
    OVERRUN,        /* writes beyond y */
    UNDERRUN,       /* and before it */
    CHANGES_X,      /* writes into x */
    CHANGES_VECTOR, /* writes into the vector */
    UNWRITTEN,      /* leaves an element of the Jacobian as it was */
    UNWRITTEN_Y,    /* and of y */
    FAILS,          /* returns 7 */
    FAILS_LATER,    /* at the tenth call */
    RANDOM,         /* another value at each call */
    RANDOM_JACOBIAN,
    REMEMBERS /* a Jacobian at the x where the value was computed last */
} mistake;

typedef struct subject {
    mistake mistake;
    int calls;
    double last[N];
} subject;

static int value(const double *x, double *y, void *user)
{
    subject *s = user;
    s->calls++;
    memcpy(s->last, x, sizeof s->last);
    for (int i = 0; i < M; i++) {
        if (s->mistake == UNWRITTEN_Y && i == 1) break;
        y[i] = x[0] * x[1];
        for (int j = 0; j < N; j++) y[i] += matrix[i][j] * sin(x[j]);
    }
    if (s->mistake == OVERRUN) y[M] = 1;
    if (s->mistake == UNDERRUN) y[-1] = 1;
    if (s->mistake == CHANGES_X) ((double *)(uintptr_t)x)[2] += 1;
    if (s->mistake == RANDOM) y[1] += 1e-16 * s->calls;
    return s->mistake == FAILS || (s->mistake == FAILS_LATER && s->calls == 10) ? 7 : 0;
}

static double element(const double *x, int i, int j)
{
    return matrix[i][j] * cos(x[j]) + (j == 0 ? x[1] : j == 1 ? x[0] : 0);
}

static int jacobian(const double *x, double *to, void *user)
{
    subject *s = user;
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            if (s->mistake == UNWRITTEN && i == 1 && j == 2) continue;
            to[i * N + j] = element(s->mistake == REMEMBERS ? s->last : x, i, j);
        }
    if (s->mistake == JACOBIAN) to[1 * N + 0] *= 1.001;
    if (s->mistake == RANDOM_JACOBIAN) to[2] += 1e-15 * ++s->calls;
    return 0;
}

static int by_columns(const double *x, double *to, void *user)
{
    (void)user;
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) to[j * M + i] = element(x, i, j);
    return 0;
}

static int vjp(const double *x, const double *u, double *to, void *user)
{
    const subject *s = user;
    for (int j = 0; j < N; j++) {
        to[j] = 0;
        for (int i = 0; i < M; i++)
            to[j] += u[i] * (s->mistake == VJP && j == 1 ? matrix[i][j] : element(x, i, j));
    }
    if (s->mistake == CHANGES_VECTOR) ((double *)(uintptr_t)u)[1] = 0;
    return 0;
}

static int jvp(const double *x, const double *v, double *to, void *user)
{
    const subject *s = user;
    for (int i = 0; i < M; i++) {
        if (s->mistake == JVP_ELEMENT && i == 1) continue;
        to[i] = 0;
        for (int j = 0; j < N; j++) to[i] += element(x, i, j) * v[j];
        if (s->mistake == JVP) to[i] = -to[i];
    }
    return 0;
}

static int hessian(const double *x, double *to, void *user)
{
    const subject *s = user;
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++)
            for (int k = 0; k < N; k++) {
                double *h = &to[(i * N + j) * N + k];
                *h = j == k ? -matrix[i][j] * sin(x[j]) : j + k == 1 ? 1 : 0;
                if (s->mistake == HESSIAN && i == 1 && j == 1 && k == 0) *h = 0;
            }
    return 0;
}

static const double at[N] = {0.4, -0.7, 1.1};

static gr_plain_function function_of(subject *s)
{
    return (gr_plain_function){.name = "mixture", .n = N, .m = M, .value = value, .user = s};
}

static gr_check_result check(const gr_plain_function *f, const gr_check_options *o, gr_status expected)
{
    gr_check_result r;
    CHECK(gr_check_plain(f, at, o, &r) == expected);
    CHECK(r.status == expected && (expected == GR_OK || (!r.passed && r.elements == 0 && r.message[0])));
    return r;
}

/* ---- Forms ---- */

static void test_right_forms(void)
{
    subject s = {.mistake = NONE};
    for (int forms = 1; forms < 16; forms++)
        for (gr_check_mode mode = GR_CHECK_AUTO; mode <= GR_CHECK_FAST; mode++) {
            gr_plain_function f = function_of(&s);
            if (forms & 1) f.jacobian = jacobian;
            if (forms & 2) f.vjp = vjp;
            if (forms & 4) f.jvp = jvp;
            if (forms & 8) f.hessian = hessian;
            const int first = (forms & 1) + (forms >> 1 & 1) + (forms >> 2 & 1);
            const int adjoint = forms & 4 && forms & 3 ? 2 : 0;
            if (first == 0) continue;
            const gr_check_result r = check(&f, &(gr_check_options){.mode = mode}, GR_OK);
            CHECK(r.passed && r.verdict == GR_CHECK_RIGHT && r.order == (forms & 8 ? 2 : 1));
            CHECK(!strcmp(r.name, "mixture") && r.message[0] == '\0' && r.n_faults == 0 && r.n_worst == 1);
            const int second = forms & 8 ? 1 : 0;
            const int64_t full = first * N * M + second * N * M * N + adjoint;
            if (mode <= GR_CHECK_FULL) CHECK(r.elements == full && r.mode == GR_CHECK_FULL);
            if (mode == GR_CHECK_COTANGENTS) CHECK(r.elements == (first + second) * N + adjoint);
            if (mode == GR_CHECK_FAST) CHECK(r.elements == (first + second) * 2 + adjoint);
        }
    gr_plain_function f = function_of(&s);
    f.jacobian = by_columns;
    CHECK(!check(&f, NULL, GR_OK).passed);
    f.column_major = true;
    CHECK(check(&f, NULL, GR_OK).passed);
}

static void test_wrong_forms(void)
{
    for (gr_check_mode mode = GR_CHECK_FULL; mode <= GR_CHECK_FAST; mode++) {
        const gr_check_options o = {.mode = mode};
        subject s = {.mistake = JACOBIAN};
        gr_plain_function f = function_of(&s);
        f.jacobian = jacobian;
        f.vjp = vjp;
        f.jvp = jvp;
        gr_check_result r = check(&f, &o, GR_OK); /* the other forms are right */
        CHECK(!r.passed && r.wrong >= 1 && r.worst.comparison == GR_COMPARE_REVERSE);
        CHECK(r.worst.input == 0 && r.worst.at.element == 0 && !strcmp(r.worst.name, "x"));
        if (mode == GR_CHECK_FULL) CHECK(r.wrong == 1 && r.worst.of.element == 1 && r.worst.of.ndim == 1);
        s.mistake = VJP;
        r = check(&f, &o, GR_OK);
        CHECK(!r.passed && r.worst.comparison == GR_COMPARE_REVERSE && r.worst.at.element == 1);
        s.mistake = JVP;
        r = check(&f, &o, GR_OK);
        CHECK(!r.passed && r.worst.comparison == GR_COMPARE_FORWARD && r.n_faults == (mode != GR_CHECK_FAST));
        if (r.n_faults) CHECK(r.faults[0].kind == GR_FAULT_SIGN && r.faults[0].elements >= N);
        if (r.n_faults) CHECK(r.faults[0].comparison == GR_COMPARE_FORWARD);
        s.mistake = JVP_ELEMENT;
        r = check(&f, &o, GR_OK);
        CHECK(!r.passed && r.verdict == GR_CHECK_WRONG && isnan(r.worst.analytic));
        CHECK_TEXT(r.message, "mixture: jvp left element [1] of its array unwritten");
    }
}

/* u . (J v) against (J' u) . v, of products that are right by numbers: a tolerance hides their difference. */
static void test_adjoint(void)
{
    subject s = {.mistake = JACOBIAN};
    gr_plain_function f = function_of(&s);
    f.jacobian = jacobian;
    f.jvp = jvp;
    const gr_check_result r = check(&f, &(gr_check_options){.rtol = 1.1e-3}, GR_OK);
    CHECK(!r.passed && r.wrong == 2 && r.worst.comparison == GR_COMPARE_ADJOINT);
    CHECK(r.worst.input == -1 && r.worst.at.element == -1 && r.worst.of.element == -1);
}

static void test_second_order(void)
{
    subject s = {.mistake = HESSIAN};
    gr_plain_function f = function_of(&s);
    f.jacobian = jacobian;
    f.hessian = hessian;
    gr_check_result r = check(&f, NULL, GR_OK);
    CHECK(!r.passed && r.order == 2 && r.wrong == 1 && r.worst.order == 2 && r.worst.at.element == 0);
    CHECK(r.worst.of.ndim == 2 && r.worst.of.index[0] == 1 && r.worst.of.index[1] == 1);
    r = check(&f, &(gr_check_options){.order = 1}, GR_OK);
    CHECK(r.passed && r.order == 1);
    s.mistake = JACOBIAN; /* nothing to hold the Hessian against, */
    r = check(&f, NULL, GR_OK);
    CHECK(!r.passed && r.order == 1 && r.wrong == 1);
    f.vjp = vjp; /* unless another form is right */
    r = check(&f, NULL, GR_OK);
    CHECK(!r.passed && r.order == 2 && r.wrong == 1 && r.worst.order == 1);
}

static int product_value(const double *x, double *y, void *user)
{
    (void)user;
    y[0] = x[0] * x[0] * x[1];
    return 0;
}

static int product_gradient(const double *x, double *g, void *user)
{
    (void)user;
    g[0] = 2 * x[0] * x[1];
    g[1] = x[0] * x[0];
    return 0;
}

static int product_hvp(const double *x, const double *v, double *to, void *user)
{
    to[0] = 2 * x[1] * v[0] + 2 * x[0] * v[1];
    to[1] = (user ? 1 : 2) * x[0] * v[0];
    return 0;
}

static void test_hessian_vector_product(void)
{
    int wrong;
    gr_plain_function f = {
        .n = 2, .m = 1, .value = product_value, .jacobian = product_gradient, .hvp = product_hvp};
    CHECK(check(&f, NULL, GR_OK).passed);
    f.user = &wrong;
    const gr_check_result r = check(&f, NULL, GR_OK);
    CHECK(!r.passed && r.wrong == 1 && r.worst.order == 2 && r.worst.comparison == GR_COMPARE_FORWARD);
    CHECK(r.worst.at.element == 0 && r.worst.of.element == 1 && !strcmp(r.name, "function"));
}

/* ---- The worst, and what they have in common: y_k = sum_j x_j^2 (k + 1), of 24 numbers [4, 6] ---- */

enum { MANY = 24, OUTPUTS = 4 };

typedef enum layout {
    GROWING,      /* wrong by more and more */
    AROUND,       /* one to the right, and around the end */
    OVER_THE_END, /* one down, and 0 comes in */
    NEXT_OUTPUT,  /* rows of the Jacobian one down */
    OFFSET,       /* plus 0.25 */
    TURNED        /* [n, m] instead of [m, n] */
} layout;

static int squares(const double *x, double *y, void *user)
{
    (void)user;
    for (int k = 0; k < OUTPUTS; k++) y[k] = 0;
    for (int k = 0; k < OUTPUTS; k++)
        for (int j = 0; j < MANY; j++) y[k] += x[j] * x[j] * (k + 1);
    return 0;
}

static int misplaced(const double *x, double *to, void *user)
{
    const layout how = *(layout *)user;
    for (int k = 0; k < OUTPUTS; k++)
        for (int j = 0; j < MANY; j++) {
            double *here = how == TURNED ? &to[j * OUTPUTS + k] : &to[k * MANY + j];
            const int from = how == AROUND ? j / 6 * 6 + (j + 5) % 6 : how == OVER_THE_END ? j - 6 : j;
            const int row = how == NEXT_OUTPUT ? (k + OUTPUTS - 1) % OUTPUTS : k;
            *here = from < 0 ? 0 : 2 * x[from] * (row + 1);
            if (how == OFFSET) *here += 0.25;
            if (how == GROWING) *here *= 1 + 1e-3 * (k * MANY + j);
        }
    return 0;
}

static void test_misplaced(void)
{
    static const gr_check_fault expected[] = {
        [AROUND] = {.kind = GR_FAULT_SHIFTED, .axis = 1, .offset = 1, .elements = MANY * OUTPUTS},
        [OVER_THE_END] = {.kind = GR_FAULT_SHIFTED, .axis = 0, .offset = 1, .elements = MANY * OUTPUTS},
        [NEXT_OUTPUT] = {.kind = GR_FAULT_SHIFTED,
                         .offset = 1,
                         .of_output = true,
                         .elements = MANY * OUTPUTS},
        [OFFSET] = {.kind = GR_FAULT_CONSTANT, .factor = 0.25, .elements = MANY * OUTPUTS},
        [TURNED] = {.kind = GR_FAULT_TRANSPOSED}};
    const gr_plain_input input = {"grid", {2, {4, 6}}};
    double x[MANY];
    for (int j = 0; j < MANY; j++) x[j] = 1 + 0.3 * j;
    for (layout how = GROWING; how <= TURNED; how++) {
        const gr_plain_function f = {.m = OUTPUTS,
                                     .value = squares,
                                     .jacobian = misplaced,
                                     .user = &how,
                                     .n_inputs = 1,
                                     .inputs = &input};
        gr_check_result r;
        CHECK(gr_check_plain(&f, x, NULL, &r) == GR_OK && !r.passed);
        CHECK(r.n_worst == GR_CHECK_WORST && !memcmp(&r.worst, &r.worst_elements[0], sizeof r.worst));
        for (int i = 1; i < r.n_worst; i++)
            CHECK(r.worst_elements[i - 1].error / r.worst_elements[i - 1].tolerance >=
                  r.worst_elements[i].error / r.worst_elements[i].tolerance);
        if (how == GROWING) {
            CHECK(r.n_faults == 0 && r.worst.at.element == MANY - 1 && r.worst.of.element == OUTPUTS - 1);
            CHECK(r.wrong == MANY * OUTPUTS - 1); /* the first is right */
            continue;
        }
        const gr_check_fault *guess = &r.faults[0], *right = &expected[how];
        CHECK(r.n_faults == 1 && guess->kind == right->kind && !strcmp(guess->name, "grid"));
        CHECK(guess->axis == right->axis && guess->offset == right->offset);
        CHECK(guess->of_output == right->of_output && guess->factor == right->factor);
        CHECK(how == TURNED ? guess->elements > 50 : guess->elements == right->elements);
    }
}

/* A product that forgets the sign of its vector is right for unit vectors of 1. */
static int vjp_of_size(const double *x, const double *u, double *to, void *user)
{
    const double sizes[M] = {fabs(u[0]), fabs(u[1])};
    return vjp(x, sizes, to, user);
}

static void test_unit_vectors(void)
{
    subject s = {.mistake = NONE};
    gr_plain_function f = function_of(&s);
    f.vjp = vjp_of_size;
    const gr_check_result r = check(&f, NULL, GR_OK);
    CHECK(!r.passed && r.wrong == N && r.worst.of.element == 0);
}

/* ---- Names ---- */

static void test_inputs(void)
{
    subject s = {.mistake = JACOBIAN};
    gr_plain_function f = function_of(&s);
    const gr_plain_input inputs[] = {{"empty", {1, {0}}}, {"a", {2, {1, 1}}}, {NULL, {1, {2}}}};
    f.n = 0;
    f.jacobian = jacobian;
    f.n_inputs = 3;
    f.inputs = inputs;
    f.output = (gr_shape){2, {1, 2}};
    gr_check_result r = check(&f, &(gr_check_options){.name = "other"}, GR_OK);
    CHECK(!r.passed && r.worst.input == 1 && !strcmp(r.worst.name, "a") && r.worst.at.ndim == 2);
    CHECK(r.worst.of.ndim == 2 && r.worst.of.index[1] == 1 && !strcmp(r.name, "other"));
    r = check(&f, &(gr_check_options){.max_elements = 1}, GR_OK);
    CHECK(r.elements == 2 * M);
    f.n = 4;
    CHECK_TEXT(check(&f, NULL, GR_ERR_SHAPE).message, "n is 4, but its inputs have 3");
    f.n = 3;
    f.output = (gr_shape){1, {3}};
    CHECK_TEXT(check(&f, NULL, GR_ERR_SHAPE).message, "m is 2");
}

/* Writes nothing. */
static int nothing(const double *x, double *to, void *user)
{
    (void)x, (void)to, (void)user;
    return 0;
}

static int product_value_of_nothing(const double *x, double *y, void *user)
{
    (void)x, (void)user;
    y[0] = 1;
    return 0;
}

static void test_empty(void)
{
    gr_check_result r;
    for (int n = 0; n < 3; n++)
        for (gr_check_mode mode = GR_CHECK_AUTO; mode <= GR_CHECK_FAST; mode++) {
            const gr_plain_function f = {.n = n, .value = nothing, .jacobian = nothing, .hessian = nothing};
            CHECK(gr_check_plain(&f, n ? at : NULL, &(gr_check_options){.mode = mode}, &r) == GR_OK);
            CHECK(r.passed && r.wrong == 0 && r.order == 2 && r.n_worst <= 1);
        }
    const gr_plain_function constant = {.m = 1, .value = product_value_of_nothing, .jacobian = nothing};
    CHECK(gr_check_plain(&constant, NULL, NULL, &r) == GR_OK && r.passed && r.elements == 0);
}

/* ---- What callbacks must not do ---- */

static void test_misbehaviour(void)
{
    static const struct misbehaviour {
        mistake mistake;
        const char *message;
    } list[] = {
        {OVERRUN, "mixture: value wrote outside its array of 2 numbers"},
        {UNDERRUN, "mixture: value wrote outside its array of 2 numbers"},
        {CHANGES_X, "mixture: value changed x[2], which it must only read"},
        {CHANGES_VECTOR, "mixture: vjp changed element [1] of its vector, which it must only read"},
        {FAILS, "mixture: value failed: it returned 7"},
        {FAILS_LATER, "mixture: value failed: it returned 7"},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        for (gr_check_mode mode = GR_CHECK_FULL; mode <= GR_CHECK_FAST; mode++) {
            subject s = {.mistake = list[i].mistake};
            gr_plain_function f = function_of(&s);
            f.vjp = vjp;
            const gr_check_result r = check(&f, &(gr_check_options){.mode = mode}, GR_ERR_CALLBACK);
            CHECK(!strcmp(r.message, list[i].message));
            CHECK(at[2] == 1.1);
        }
}

static int one_value(const double *x, double *y, void *user)
{
    (void)user;
    y[0] = x[0] * x[0] * x[0];
    return 0;
}

static int one_gradient(const double *x, double *g, void *user)
{
    g[0] = 3 * x[0] * x[0] + *(const double *)user;
    return 0;
}

static int corner(const double *x, double *y, void *user)
{
    (void)user;
    y[0] = x[0] > 0 ? x[0] : 0;
    return 0;
}

static int steep_gradient(const double *x, double *g, void *user)
{
    (void)x, (void)user;
    g[0] = 2;
    return 0;
}

/* What was left out of the description is said, where it cannot be concluded. */
static void test_sizes_left_out(void)
{
    double off = 0;
    gr_plain_function f = {.n = 1, .value = one_value, .jacobian = one_gradient, .user = &off};
    gr_check_result r;
    CHECK(gr_check_plain(&f, at, NULL, &r) == GR_ERR_CALLBACK);
    CHECK_TEXT(r.message, "value wrote outside its array of 0 numbers: n is 1, m is 0");
    f.output = GR_SHAPE(1, 1);
    CHECK(gr_check_plain(&f, at, NULL, &r) == GR_OK && r.passed && r.worst.of.ndim == 2);
    f.output = GR_SHAPE(2);
    f.m = 1;
    CHECK(gr_check_plain(&f, at, NULL, &r) == GR_ERR_SHAPE);
}

/* Where the derivative is 0 there is no factor that explains it, and at a kink no number. */
static void test_no_guess_without_numbers(void)
{
    double off = 1e-5;
    gr_plain_function f = {.n = 1, .m = 1, .value = one_value, .jacobian = one_gradient, .user = &off};
    gr_check_result r;
    CHECK(gr_check_plain(&f, (double[]){0}, NULL, &r) == GR_OK && r.wrong == 1 && r.n_faults == 0);
    f.value = corner;
    f.jacobian = steep_gradient;
    CHECK(gr_check_plain(&f, (double[]){0}, NULL, &r) == GR_OK && r.wrong == 1 && r.n_faults == 0);
    CHECK(r.worst.left == 0 && r.worst.right == 1);
}

static void test_unwritten(void)
{
    subject s = {.mistake = UNWRITTEN};
    gr_plain_function f = function_of(&s);
    f.jacobian = jacobian;
    gr_check_result r = check(&f, NULL, GR_OK);
    CHECK(!r.passed && r.wrong == 1 && r.worst.at.element == 2 && r.worst.of.element == 1);
    CHECK(!strcmp(r.message, "mixture: jacobian left element [5] of its array unwritten"));
    char text[GR_CHECK_REPORT_BYTES];
    gr_check_report(&r, text, sizeof text);
    CHECK_TEXT(text, "\n  jacobian left element [5] of its array unwritten\n");
    s.mistake = UNWRITTEN_Y;
    r = check(&f, NULL, GR_OK);
    CHECK(!r.passed && r.wrong == N && r.worst.of.element == 1);
    CHECK(!strcmp(r.message, "mixture: value left element [1] of its array unwritten"));
}

static void test_not_deterministic(void)
{
    for (gr_check_mode mode = GR_CHECK_FULL; mode <= GR_CHECK_FAST; mode++) {
        const gr_check_options o = {.mode = mode};
        subject s = {.mistake = RANDOM};
        gr_plain_function f = function_of(&s);
        f.jacobian = jacobian;
        gr_check_result r = check(&f, &o, GR_OK);
        CHECK(!r.passed && r.verdict == GR_CHECK_NOT_DETERMINISTIC);
        CHECK_TEXT(r.message, "mixture: not deterministic: element [1] of its value is");
        s.mistake = RANDOM_JACOBIAN;
        r = check(&f, &o, GR_OK);
        CHECK(!r.passed && r.verdict == GR_CHECK_NOT_DETERMINISTIC);
        CHECK_TEXT(r.message, "its derivative by element [2] of inputs[0], x is");
        s.mistake = REMEMBERS; /* right where it was asked first, and elsewhere it is not asked */
        r = check(&f, &o, GR_OK);
        CHECK(!r.passed && r.verdict == GR_CHECK_NOT_DETERMINISTIC);
    }
}

/* ---- Arguments ---- */

static void test_wrong_arguments(void)
{
    subject s = {.mistake = NONE};
    gr_plain_function f = function_of(&s);
    gr_check_result r;
    CHECK(gr_check_plain(&f, at, NULL, NULL) == GR_ERR_ARGUMENT);
    CHECK(gr_check_plain(NULL, at, NULL, &r) == GR_ERR_ARGUMENT && r.status == GR_ERR_ARGUMENT);
    CHECK_TEXT(check(&f, NULL, GR_ERR_ARGUMENT).message, "no first derivative");
    f.jacobian = jacobian;
    CHECK(gr_check_plain(&f, NULL, NULL, &r) == GR_ERR_ARGUMENT);
    CHECK_TEXT(r.message, "NULL for x");
    CHECK_TEXT(check(&f, &(gr_check_options){.order = 2}, GR_ERR_ARGUMENT).message, "hessian or hvp");
    f.hvp = product_hvp;
    CHECK_TEXT(check(&f, NULL, GR_ERR_ARGUMENT).message, "hvp is for m = 1");
    f.hvp = NULL;
    const gr_check_options wrong[] = {
        {.order = 3},     {.order = -1},          {.mode = (gr_check_mode)4}, {.directions = 1},
        {.rtol = 1},      {.rtol = -1e-6},        {.atol = INFINITY},         {.step = NAN},
        {.accuracy = -1}, {.accuracy = INFINITY}, {.max_elements = -1},       {.directions = 17}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) check(&f, &wrong[i], GR_ERR_ARGUMENT);
    f.n = -1;
    check(&f, NULL, GR_ERR_ARGUMENT);
    f.n = N;
    f.n_inputs = 1;
    check(&f, NULL, GR_ERR_ARGUMENT);
    const gr_plain_input impossible = {"x", {2, {INT64_MAX, 3}}}, negative = {"x", {1, {-3}}};
    f.inputs = &impossible;
    check(&f, NULL, GR_ERR_SHAPE);
    f.inputs = &negative;
    check(&f, NULL, GR_ERR_SHAPE);
    f.n_inputs = 0;
    f.value = NULL;
    CHECK_TEXT(check(&f, NULL, GR_ERR_ARGUMENT).message, "no value");
}

/* ---- Options ---- */

static void count_element(const gr_check_element *e, void *user)
{
    int *counts = user;
    counts[e->comparison]++;
    CHECK(e->verdict == GR_CHECK_RIGHT && e->order == 1 && e->error <= e->tolerance);
    CHECK(e->comparison == GR_COMPARE_ADJOINT || (e->at.element >= 0 && e->at.ndim == 1));
}

static void test_each(void)
{
    subject s = {.mistake = NONE};
    gr_plain_function f = function_of(&s);
    int counts[3] = {0};
    f.vjp = vjp;
    f.jvp = jvp;
    CHECK(check(&f, &(gr_check_options){.each = count_element, .each_user = counts}, GR_OK).passed);
    CHECK(counts[0] == N * M && counts[1] == N * M && counts[2] == 2);
}

/* A value computed in float. */
static int in_float(const double *x, double *y, void *user)
{
    (void)user;
    y[0] = (double)(float)(100 + sin(x[0]));
    return 0;
}

static int cosine(const double *x, double *g, void *user)
{
    g[0] = user ? *(double *)user : cos(x[0]);
    return 0;
}

static void test_few_digits(void)
{
    gr_plain_function f = {.n = 1, .m = 1, .value = in_float, .jacobian = cosine};
    CHECK(check(&f, NULL, GR_OK).verdict == GR_CHECK_UNDECIDED);
    CHECK(check(&f, &(gr_check_options){.accuracy = 6e-8}, GR_OK).verdict == GR_CHECK_UNDECIDED);
    CHECK(check(&f, &(gr_check_options){.accuracy = 6e-8, .rtol = 1e-2}, GR_OK).passed);
    double wrong[] = {0, -cos(0.4), 2 * cos(0.4), 5}; /* 0: a staircase is flat nearly everywhere */
    for (int i = 0; i < 4; i++) {
        f.user = &wrong[i];
        CHECK(check(&f, NULL, GR_OK).verdict == (i == 0 ? GR_CHECK_UNDECIDED : GR_CHECK_WRONG));
        CHECK(check(&f, &(gr_check_options){.accuracy = 6e-8, .rtol = 1e-2}, GR_OK).verdict ==
              GR_CHECK_WRONG);
    }
}

/* ---- Memory ---- */

typedef struct stingy {
    int left;
    int64_t out;
} stingy;

static void *allocate(size_t bytes, void *user)
{
    stingy *s = user;
    if (s->left <= 0) return NULL;
    s->left--;
    s->out += (int64_t)bytes;
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

static void deallocate(void *block, size_t bytes, void *user)
{
    ((stingy *)user)->out -= (int64_t)bytes;
    free(block);
}

static void test_out_of_memory(void)
{
    subject s = {.mistake = NONE};
    gr_plain_function f = function_of(&s);
    f.jacobian = jacobian;
    f.vjp = vjp;
    f.jvp = jvp;
    f.hessian = hessian;
    for (gr_check_mode mode = GR_CHECK_FULL; mode <= GR_CHECK_FAST; mode++)
        for (int n = 0;; n++) {
            stingy memory = {.left = n};
            gr_check_result r;
            const gr_status status = gri_check_plain(&(gr_allocator){allocate, deallocate, &memory}, &f, at,
                                                     &(gr_check_options){.mode = mode}, &r);
            CHECK(memory.out == 0 && r.status == status);
            CHECK(status == GR_OK ? r.passed : status == GR_ERR_MEMORY && !r.passed);
            if (status != GR_OK) CHECK_TEXT(r.message, "mixture: no memory");
            if (status != GR_OK) continue;
            CHECK(n > 20);
            break;
        }
    gr_check_result r;
    f.n = (int64_t)1 << 59; /* 2^62 bytes */
    CHECK(gr_check_plain(&f, at, NULL, &r) == GR_ERR_MEMORY);
    f.n = INT64_MAX;
    CHECK(gr_check_plain(&f, at, NULL, &r) == GR_ERR_MEMORY);
}

int main(void)
{
    RUN(test_right_forms);
    RUN(test_wrong_forms);
    RUN(test_adjoint);
    RUN(test_second_order);
    RUN(test_hessian_vector_product);
    RUN(test_misplaced);
    RUN(test_unit_vectors);
    RUN(test_inputs);
    RUN(test_empty);
    RUN(test_misbehaviour);
    RUN(test_unwritten);
    RUN(test_sizes_left_out);
    RUN(test_no_guess_without_numbers);
    RUN(test_not_deterministic);
    RUN(test_wrong_arguments);
    RUN(test_each);
    RUN(test_few_digits);
    RUN(test_out_of_memory);
    return TEST_EXIT;
}
