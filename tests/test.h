/*
 * The test harness: each tests/test_*.c is a program whose main() runs RUN(test) for each of its
 * tests and returns TEST_EXIT. A failed check prints where and what, is counted, and the test goes on.
 */
#ifndef GRADUS_TEST_H
#define GRADUS_TEST_H

#include <math.h>
#include <stdio.h>
#include <string.h>

static int test_failures, test_checks;
static const char *test_name = "";

#define CHECK(condition)                                                                  \
    do {                                                                                  \
        test_checks++;                                                                    \
        if (!(condition)) {                                                               \
            test_failures++;                                                              \
            printf("%s:%d: %s: failed: %s\n", __FILE__, __LINE__, test_name, #condition); \
        }                                                                                 \
    } while (0)

/* Passes only if |actual - expected| <= tolerance: a NaN on either side fails. */
#define CHECK_NEAR(actual, expected, tolerance)                                                         \
    do {                                                                                                \
        double check_a_ = (actual), check_e_ = (expected);                                              \
        test_checks++;                                                                                  \
        if (!(fabs(check_a_ - check_e_) <= (tolerance))) {                                              \
            test_failures++;                                                                            \
            printf("%s:%d: %s: %s is %.17g, expected %.17g within %g\n", __FILE__, __LINE__, test_name, \
                   #actual, check_a_, check_e_, (double)(tolerance));                                   \
        }                                                                                               \
    } while (0)

/* Passes only if the text contains the part. */
#define CHECK_TEXT(text, part)                                                                         \
    do {                                                                                               \
        const char *check_t_ = (text), *check_p_ = (part);                                             \
        test_checks++;                                                                                 \
        if (!check_t_ || !strstr(check_t_, check_p_)) {                                                \
            test_failures++;                                                                           \
            printf("%s:%d: %s: \"%s\" not found in \"%s\"\n", __FILE__, __LINE__, test_name, check_p_, \
                   check_t_ ? check_t_ : "(null)");                                                    \
        }                                                                                              \
    } while (0)

#define RUN(test)          \
    do {                   \
        test_name = #test; \
        test();            \
    } while (0)

#define TEST_EXIT                                                  \
    (printf("%d checks, %d failed\n", test_checks, test_failures), \
     test_checks == 0 || test_failures > 0 ? 1 : 0)

#endif
