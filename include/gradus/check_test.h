/*
 * Checks of derivatives as a test program, by one macro, and as an expression for test suites that are there
 * already. Not part of gradus.h: this header uses stdio, and what it defines is compiled into your program.
 *
 * A TEST PROGRAM, complete:
 *
 *     #include <gradus.h>
 *     #include <gradus/check_test.h>
 *
 *     static int value(const double *x, double *y, void *user)
 *     {
 *         (void)user;
 *         y[0] = x[0] * x[0] * x[1];
 *         return 0;
 *     }
 *
 *     static int gradient(const double *x, double *g, void *user)
 *     {
 *         (void)user;
 *         g[0] = 2 * x[0] * x[1];
 *         g[1] = x[0] * x[0];
 *         return 0;
 *     }
 *
 *     static gr_status volume(gr_check_result *result)
 *     {
 *         const gr_plain_function f = {.n = 2, .m = 1, .value = value, .jacobian = gradient};
 *         return gr_check_plain(&f, (double[]){3, -0.5}, NULL, result);
 *     }
 *
 *     static gr_tensor model(gr_graph *g, int n, const gr_tensor *in, void *user)
 *     {
 *         (void)g, (void)n, (void)user;
 *         return gr_tanh(gr_matmul(in[0], in[1]));
 *     }
 *
 *     static gr_status layer(gr_check_result *result)
 *     {
 *         gr_graph *g = gr_graph_create(NULL);
 *         const gr_tensor x = gr_normal(g, GR_F64, GR_SHAPE(3, 4), 0, 1);
 *         const gr_tensor w = gr_normal(g, GR_F64, GR_SHAPE(4, 2), 0, 1);
 *         const gr_tensor in[] = {gr_keep(x), gr_keep(w)};
 *         const gr_status status = gr_gradcheck(g, model, 2, in, NULL, &(gr_check_options){.order = 2}, result);
 *         gr_graph_destroy(g);
 *         return status;
 *     }
 *
 *     GR_CHECK_MAIN({"volume", volume}, {"layer", layer})
 *
 * With CMake, after find_package(Gradus) or add_subdirectory, and enable_testing():
 *
 *     gradus_add_check(my_derivatives SOURCES my_derivatives.c LIBRARIES mine)
 *
 * builds it, links it with Gradus and makes it a test. A check that did not pass makes the program fail.
 *
 * THE PROGRAM
 *     my_derivatives [--tap | --json] [--list] [--help] [name ...]
 *
 *   A name selects the check that has it, or if there is none all checks whose names begin with it. A name
 *   that fits none is an error: nothing is run. No name: all of them, in order.
 *
 *   Without options: a line for each check that passed, the report for one that did not, a line of summary.
 *   --tap    the Test Anything Protocol, version 13, with the plan first: prove, Meson, Automake
 *   --json   a JSON object per check, each on one line
 *   --list   the names of the checks instead of running them
 *   --       names follow, also such that begin with a dash
 *   Each check is written as soon as it is made, so that a crash shows where.
 *
 *   Exit status, whatever the format: 0 all passed, 1 some did not, 2 wrong arguments or no way to write.
 *
 * ANOTHER TEST SUITE
 *   GR_CHECK_PASSED(&result) is an expression: true if the check passed; if not, it is false, and file, line
 *   and report go to stderr:
 *
 *     TEST(volume) { gr_check_result r; gr_check_plain(&f, x, NULL, &r); ASSERT(GR_CHECK_PASSED(&r)); }
 */
#ifndef GRADUS_CHECK_TEST_H
#define GRADUS_CHECK_TEST_H

#include "gradus/check.h"

#include <stdio.h>
#include <string.h>

/* A check: it fills *result, which is all zero before, and returns what the checking function returned. One
   that returns another status than GR_OK, or does not fill the result, has not passed. */
typedef gr_status gr_check_run(gr_check_result *result);

typedef struct gr_check_case {
    const char *name; /* by which it is selected and reported; it replaces that in the result */
    gr_check_run *run;
} gr_check_case;

/* Defines main: a program that makes these checks. Arguments: gr_check_case, as {"name", function}. */
#define GR_CHECK_MAIN(...)                                                                \
    int main(int argc, char **argv)                                                       \
    {                                                                                     \
        static const gr_check_case gr_cases[] = {__VA_ARGS__};                            \
        return gr_check_main(argc, argv, sizeof gr_cases / sizeof gr_cases[0], gr_cases); \
    }

/* Whether a check passed; if not, says where it stands and why on stderr. `result`: const gr_check_result *,
   evaluated once; NULL has not passed. */
#define GR_CHECK_PASSED(result) gr_check_passed_at((result), __FILE__, __LINE__)

static inline bool gr_check_passed_at(const gr_check_result *result, const char *file, int line)
{
    char text[GR_CHECK_REPORT_BYTES];
    if (result && result->passed) return true;
    gr_check_report(result, text, sizeof text);
    fprintf(stderr, "%s:%d: %s", file, line, text);
    return false;
}

/* ---- What GR_CHECK_MAIN is made of; gr_check_main may be called by a main of your own ---- */

typedef enum gr_check_format { GR_CHECK_FOR_PEOPLE = 0, GR_CHECK_TAP, GR_CHECK_JSON } gr_check_format;

typedef struct gr_check_arguments {
    gr_check_format format;
    bool list, help;
    int n_names;
    char **names;
} gr_check_arguments;

/* Options and names in any order; the names are gathered at the front of argv. False, and a message on stderr,
   if there is an unknown option. */
static inline bool gr_check_parse(int argc, char **argv, gr_check_arguments *a)
{
    bool names_only = false;
    a->names = argv + (argc > 0 ? 1 : 0);
    for (int i = 1; i < argc; i++) {
        if (names_only || argv[i][0] != '-') {
            a->names[a->n_names++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            names_only = true;
        } else if (strcmp(argv[i], "--tap") == 0) {
            a->format = GR_CHECK_TAP;
        } else if (strcmp(argv[i], "--json") == 0) {
            a->format = GR_CHECK_JSON;
        } else if (strcmp(argv[i], "--list") == 0) {
            a->list = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            a->help = true;
        } else {
            fprintf(stderr, "%s: unknown option %s; --help shows those that there are\n", argv[0], argv[i]);
            return false;
        }
    }
    return true;
}

/* Whether an argument selects a check. */
static inline bool gr_check_fits(const char *argument, const gr_check_case *c, size_t n,
                                 const gr_check_case *cases)
{
    if (strcmp(argument, c->name) == 0) return true;
    if (argument[0] == '\0' || strncmp(argument, c->name, strlen(argument)) != 0) return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(argument, cases[i].name) == 0) return false;
    return true;
}

static inline bool gr_check_selected(const gr_check_arguments *a, const gr_check_case *c, size_t n,
                                     const gr_check_case *cases)
{
    bool selected = a->n_names == 0;
    for (int i = 0; i < a->n_names; i++) selected = selected || gr_check_fits(a->names[i], c, n, cases);
    return selected;
}

/* False, and a message on stderr, if a name fits no check. */
static inline bool gr_check_names_fit(const gr_check_arguments *a, size_t n, const gr_check_case *cases)
{
    for (int i = 0; i < a->n_names; i++) {
        bool fits = false;
        for (size_t k = 0; k < n; k++) fits = fits || gr_check_fits(a->names[i], &cases[k], n, cases);
        if (fits) continue;
        fprintf(stderr, "no check is named \"%s\" or begins so; --list shows their names\n", a->names[i]);
        return false;
    }
    return true;
}

static inline void gr_check_usage(const char *program)
{
    printf("usage: %s [--tap | --json] [--list] [--help] [name ...]\n"
           "Compares derivatives with numbers: all checks, or those named, or begun so.\n"
           "  --tap   write the Test Anything Protocol, version 13\n"
           "  --json  write one JSON object per check and line\n"
           "  --list  write the names of the checks, and make none\n"
           "Exit status: 0 all passed, 1 some did not, 2 wrong arguments or no way to write.\n",
           program);
}

/* Makes one check. */
static inline void gr_check_make(const gr_check_case *c, gr_check_result *result)
{
    memset(result, 0, sizeof *result);
    const gr_status status = c->run(result);
    if (status != GR_OK) {
        result->passed = false;
        if (result->status == GR_OK) result->status = status;
    }
    const size_t length = strlen(c->name), most = sizeof result->name - 1;
    memset(result->name, 0, sizeof result->name);
    memcpy(result->name, c->name, length < most ? length : most);
}

/* Writes the outcome of one check, the `number`-th, and hands it over at once. */
static inline void gr_check_write(const gr_check_result *result, gr_check_format format, int number)
{
    char text[GR_CHECK_REPORT_BYTES];
    if (format == GR_CHECK_TAP) {
        gr_check_tap(result, number, text, sizeof text);
    } else if (format == GR_CHECK_JSON) {
        gr_check_json(result, text, sizeof text);
    } else {
        gr_check_report(result, text, sizeof text);
        if (result->passed) text[strcspn(text, "\n") + 1] = '\0'; /* the summary only */
    }
    fputs(text, stdout);
    fflush(stdout);
}

static inline void gr_check_write_begin(gr_check_format format, int n)
{
    if (format == GR_CHECK_TAP) printf("TAP version 13\n1..%d\n", n);
}

static inline void gr_check_write_end(gr_check_format format, int made, int failed)
{
    if (format != GR_CHECK_FOR_PEOPLE) return;
    if (failed)
        printf("%d of %d checks FAILED\n", failed, made);
    else
        printf("%d %s passed\n", made, made == 1 ? "check" : "checks");
}

/* Lists or makes the checks that were selected. Returns how many did not pass. */
static inline int gr_check_run_all(const gr_check_arguments *a, size_t n, const gr_check_case *cases)
{
    int selected = 0, made = 0, failed = 0;
    for (size_t i = 0; i < n; i++) selected += gr_check_selected(a, &cases[i], n, cases) ? 1 : 0;
    if (!a->list) gr_check_write_begin(a->format, selected);
    for (size_t i = 0; i < n; i++) {
        gr_check_result result;
        if (!gr_check_selected(a, &cases[i], n, cases)) continue;
        if (a->list) {
            printf("%s\n", cases[i].name);
            continue;
        }
        gr_check_make(&cases[i], &result);
        gr_check_write(&result, a->format, ++made);
        failed += result.passed ? 0 : 1;
    }
    if (!a->list) gr_check_write_end(a->format, made, failed);
    return failed;
}

/* The whole program. Returns its exit status. */
static inline int gr_check_main(int argc, char **argv, size_t n, const gr_check_case *cases)
{
    gr_check_arguments a;
    int failed = 0;
    memset(&a, 0, sizeof a);
    if (!gr_check_parse(argc, argv, &a) || !gr_check_names_fit(&a, n, cases)) return 2;
    if (a.help)
        gr_check_usage(argv[0]);
    else
        failed = gr_check_run_all(&a, n, cases);
    if (fflush(stdout) != 0 || ferror(stdout)) return 2;
    return failed > 0 ? 1 : 0;
}

#endif
