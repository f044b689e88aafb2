/* Rows of activation functions. */
#include "table.h"

static double f_relu(double x) { return x > 0 ? x : 0; }
static double f_sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double f_softplus(double x) { return log(1 + exp(x)); }

/* With the defaults, and between other ends, of which the case gives the lower one. */
static const test_case hardtanh_with_cases[] = {
    {OF(S(3, 4)), .number = -0.5}, {OF(S(33, 65)), .number = 0}, END};
EXPECT1(expect_hardtanh, fmin(fmax(v, -1), 1))
EXPECT1(expect_hardtanh_with, fmin(fmax(v, c->number), 1.5))
BUILD(b_hardtanh, gr_hardtanh(x[0]))
BUILD(b_hardtanh_with, gr_hardtanh_with(x[0], c->number, 1.5))

const row activation_rows[] = {
    {USE(hardtanh, "f", unary_cases, expect_hardtanh), KINKS(-1, 1)},
    {USE(hardtanh_with, "f", hardtanh_with_cases, expect_hardtanh_with), KINKS(-0.5, 0, 1.5),
     .composed = true},
    {UNARY(relu, f_relu), .gap = 0.1},
    {UNARY(sigmoid, f_sigmoid), .low = -5, .high = 5},
    {UNARY(softplus, f_softplus), .low = -5, .high = 5},
    {.name = NULL},
};
