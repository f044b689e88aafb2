/*
 * The outcome of a check in words, as TAP and as JSON: of results made by hand, so that every branch is
 * reached. What is written for programs is read back by the two small readers below, which share nothing with
 * the writers.
 */
#include <gradus/check.h>
#include "test.h"

#include <locale.h>
#include <stdlib.h>

static char out[2 * GR_CHECK_REPORT_BYTES];

/* ---- A reader of JSON: returns what follows a value, NULL if there is none ---- */

static const char *json_value(const char *s);

static const char *json_string(const char *s)
{
    if (*s++ != '"') return NULL;
    while (*s != '"') {
        if ((unsigned char)*s < 0x20) return NULL; /* or the end */
        if (*s++ != '\\') continue;
        if (*s == 'u') {
            if (strspn(s + 1, "0123456789abcdefABCDEF") < 4) return NULL;
            s += 5;
        } else if (*s && strchr("\"\\/bfnrt", *s)) {
            s++;
        } else {
            return NULL;
        }
    }
    return s + 1;
}

static const char *json_digits(const char *s)
{
    const size_t n = strspn(s, "0123456789");
    return n ? s + n : NULL;
}

static const char *json_number(const char *s)
{
    if (*s == '-') s++;
    if (*s == '0' && s[1] >= '0' && s[1] <= '9') return NULL;
    if (!(s = json_digits(s))) return NULL;
    if (*s == '.' && !(s = json_digits(s + 1))) return NULL;
    if (*s != 'e' && *s != 'E') return s;
    s++;
    if (*s == '+' || *s == '-') s++;
    return json_digits(s);
}

static const char *json_list(const char *s, bool object)
{
    const char end = object ? '}' : ']';
    if (*++s == end) return s + 1;
    for (;; s++) {
        if (object && (!(s = json_string(s)) || *s++ != ':')) return NULL;
        if (!(s = json_value(s))) return NULL;
        if (*s == end) return s + 1;
        if (*s != ',') return NULL;
    }
}

static const char *json_value(const char *s)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < 3; i++)
        if (strncmp(s, words[i], strlen(words[i])) == 0) return s + strlen(words[i]);
    if (*s == '{' || *s == '[') return json_list(s, *s == '{');
    return *s == '"' ? json_string(s) : json_number(s);
}

/* One object, one newline, nothing else. */
static bool is_json_line(const char *s)
{
    const char *end = *s == '{' ? json_value(s) : NULL;
    return end && strcmp(end, "\n") == 0;
}

/* The value of a key of an object, or the element of that number of an array; "" if it is not there. */
static const char *json_get(const char *s, const char *key, int number)
{
    const bool object = *s == '{';
    if (!object && *s != '[') return "";
    s++;
    for (int i = 0; *s != ']' && *s != '}'; i++) {
        const char *name = s;
        if (object) s = json_string(s) + 1;
        if (object ? strncmp(name + 1, key, strlen(key)) == 0 && name[1 + strlen(key)] == '"' : i == number)
            return s;
        s = json_value(s);
        if (*s == ',') s++;
    }
    return "";
}

static bool starts_with(const char *s, const char *start) { return strncmp(s, start, strlen(start)) == 0; }

/* ---- A reader of the YAML in TAP: mappings and sequences of one line each, strings in quotes ---- */

static bool is_yaml_number(const char *s, const char *end)
{
    static const char *const special[] = {".nan", ".inf", "-.inf"};
    for (size_t i = 0; i < 3; i++)
        if ((size_t)(end - s) == strlen(special[i]) && starts_with(s, special[i])) return true;
    const char *e = memchr(s, 'e', (size_t)(end - s));
    return json_number(s) == end && (!e || memchr(s, '.', (size_t)(e - s)));
}

static bool is_yaml_scalar(const char *s, const char *end)
{
    if (*s == '"') return json_string(s) == end; /* of which those of YAML are a superset */
    static const char *const words[] = {"null", "fail", "[]"};
    for (size_t i = 0; i < 3; i++)
        if ((size_t)(end - s) == strlen(words[i]) && starts_with(s, words[i])) return true;
    return is_yaml_number(s, end);
}

/* A line without its indentation: [- ][key: ]value */
static bool is_yaml_line(const char *s, const char *end)
{
    if (starts_with(s, "- ")) s += 2;
    const size_t key = strspn(s, "abcdefghijklmnopqrstuvwxyz_");
    if (key && s[key] == ':') {
        if (s + key + 1 == end) return true; /* its value is on the lines below */
        if (s[key + 1] != ' ') return false;
        s += key + 2;
    }
    return is_yaml_scalar(s, end);
}

/* A point that is not ok, with its block; nothing else. */
static bool is_tap_failure(const char *s)
{
    if (!starts_with(s, "not ok ")) return false;
    const char *line = strchr(s, '\n');
    if (!line || !starts_with(line, "\n  ---\n")) return false;
    line += strlen("\n  ---\n");
    for (;;) {
        const char *end = strchr(line, '\n');
        if (!end) return false;
        if (starts_with(line, "  ...\n")) return end[1] == '\0';
        const size_t indentation = strspn(line, " ");
        if (indentation != 2 && indentation != 4 && indentation != 6) return false;
        if (!is_yaml_line(line + indentation, end)) return false;
        line = end + 1;
    }
}

static void test_readers_reject(void)
{
    static const char *const json[] = {"",
                                       "{}",
                                       "[]\n",
                                       "{\"a\":01}\n",
                                       "{\"a\":nan}\n",
                                       "{a:1}\n",
                                       "{\"a\":1,}\n",
                                       "{\"a\":.5}\n",
                                       "{\"a\":\"\x01\"}\n",
                                       "{\"a\":\"\\x\"}\n",
                                       "{\"a\":1}\n\n",
                                       "{\"a\":1,5}\n"};
    for (size_t i = 0; i < sizeof json / sizeof *json; i++) CHECK(!is_json_line(json[i]));
    CHECK(is_json_line("{\"a\":[1,-2.5e-3,{}],\"b\":\"\\u00ff\\\"\"}\n"));
    static const char *const tap[] = {"ok 1 - x\n",
                                      "not ok 1 - x\n",
                                      "not ok 1 - x\n  ---\n  a: 1\n",
                                      "not ok 1 - x\n  ---\n  a: word\n  ...\n",
                                      "not ok 1 - x\n  ---\n  a: 1e-05\n  ...\n",
                                      "not ok 1 - x\n  ---\n  a: \"\"\"\n  ...\n",
                                      "not ok 1 - x\n  ---\n  a: nan\n  ...\n",
                                      "not ok 1 - x\n  ---\na: 1\n  ...\n",
                                      "not ok 1 - x\n  ---\n  a: 1\n  ...\n\n"};
    for (size_t i = 0; i < sizeof tap / sizeof *tap; i++) CHECK(!is_tap_failure(tap[i]));
    CHECK(is_tap_failure("not ok 1 - x\n  ---\n  a:\n    - b: 1.0e-05\n      c: \"d\"\n  ...\n"));
}

/* ---- Results ---- */

static gr_check_result result_of(const char *name)
{
    gr_check_result r = {.order = 1, .mode = GR_CHECK_FULL, .elements = 24, .evaluations = 312};
    snprintf(r.name, sizeof r.name, "%s", name);
    return r;
}

static gr_check_element element_of(gr_verdict verdict, const char *name, double analytic, double numeric)
{
    gr_check_element e = {.verdict = verdict,
                          .order = 1,
                          .at = {5, 2, {1, 2}},
                          .of = {1, 1, {1}},
                          .analytic = analytic,
                          .numeric = numeric,
                          .numeric_error = 2e-12,
                          .error = fabs(analytic - numeric),
                          .tolerance = 1e-8 + 1e-6 * fabs(numeric),
                          .left = NAN,
                          .right = NAN};
    snprintf(e.name, sizeof e.name, "%s", name);
    return e;
}

static gr_check_element *add(gr_check_result *r, gr_check_element e)
{
    if (r->n_worst == 0) {
        r->worst = e;
        r->verdict = e.verdict;
    }
    r->wrong += e.verdict == GR_CHECK_WRONG;
    r->undecided += e.verdict == GR_CHECK_UNDECIDED;
    r->not_differentiable += e.verdict == GR_CHECK_NOT_DIFFERENTIABLE;
    r->failed += e.verdict != GR_CHECK_RIGHT;
    r->worst_elements[r->n_worst] = e;
    return &r->worst_elements[r->n_worst++];
}

static gr_check_fault *add_fault(gr_check_result *r, gr_fault_kind kind, const char *name, int64_t elements)
{
    gr_check_fault *f = &r->faults[r->n_faults++];
    *f = (gr_check_fault){.kind = kind, .order = 1, .elements = elements};
    snprintf(f->name, sizeof f->name, "%s", name);
    return f;
}

static gr_check_result passed(void)
{
    gr_check_result r = result_of("rosenbrock");
    add(&r, element_of(GR_CHECK_RIGHT, "x", 0.1, 0.1 + 1e-13));
    r.passed = true;
    return r;
}

/* One of everything. */
static gr_check_result mixed(void)
{
    gr_check_result r = result_of("layer");
    gr_check_element *e = add(&r, element_of(GR_CHECK_WRONG, "w", 2, 1));
    e = add(&r, element_of(GR_CHECK_WRONG, "", -1234567.25, NAN));
    e->input = 2;
    e->order = 2;
    e->of.element = -1;
    e->error = NAN;
    e = add(&r, element_of(GR_CHECK_UNDECIDED, "w", 1e-300, 1.5e-300));
    e->at = (gr_check_place){0, 0, {0}};
    e->of = (gr_check_place){0, 0, {0}};
    e->comparison = GR_COMPARE_FORWARD;
    e = add(&r, element_of(GR_CHECK_NOT_DIFFERENTIABLE, "bias", 0, 0.5));
    e->left = -INFINITY;
    e->right = 1;
    e = add(&r, element_of(GR_CHECK_WRONG, "", 1, 1 + 1e-10));
    e->input = -1;
    e->at.element = -1;
    e->comparison = GR_COMPARE_ADJOINT;
    add(&r, element_of(GR_CHECK_RIGHT, "never shown", 1, 1));
    r.wrong += 7;
    r.failed += 7;
    add_fault(&r, GR_FAULT_FACTOR, "w", 12)->factor = 2;
    add_fault(&r, GR_FAULT_SIGN, "", 1)->input = 2;
    return r;
}

static gr_check_result not_made(void)
{
    gr_check_result r = {.status = GR_ERR_SHAPE, .name = "model"};
    snprintf(r.message, sizeof r.message, "matmul: inner sizes differ: x [32, 784] @ \"fc1\" [512, 10]");
    return r;
}

static gr_check_result random_result(void)
{
    gr_check_result r = result_of("dropout");
    r.verdict = GR_CHECK_NOT_DETERMINISTIC;
    r.elements = 0;
    snprintf(r.message, sizeof r.message, "y[3] is 1.5, and 0 when it is computed again");
    return r;
}

/* Texts and numbers as long as they get: names of control characters, the largest tensors. */
static gr_check_result longest(void)
{
    gr_check_result r = {.status = GR_ERR_CALLBACK,
                         .order = -2147483647,
                         .mode = GR_CHECK_COTANGENTS,
                         .verdict = GR_CHECK_NOT_DETERMINISTIC,
                         .elements = INT64_MIN / 4,
                         .failed = INT64_MAX,
                         .wrong = INT64_MAX / 4,
                         .undecided = INT64_MAX / 4,
                         .not_differentiable = INT64_MAX / 4,
                         .evaluations = INT64_MIN,
                         .n_worst = GR_CHECK_WORST,
                         .n_faults = GR_CHECK_FAULTS};
    memset(r.message, 1, sizeof r.message - 1);
    memset(r.name, 1, sizeof r.name - 1);
    gr_check_element e = element_of(GR_CHECK_NOT_DIFFERENTIABLE, r.name, -1.7976931348623157e308,
                                    -1.2345678901234567e-300);
    e.order = 4;
    e.comparison = GR_COMPARE_ADJOINT;
    e.numeric_error = e.error = e.tolerance = e.left = e.right = e.analytic;
    e.at.element = e.of.element = INT64_MAX;
    e.at.ndim = e.of.ndim = GR_MAX_NDIM;
    for (int i = 0; i < GR_MAX_NDIM; i++) e.at.index[i] = e.of.index[i] = i ? 0 : INT64_MAX;
    for (int i = 0; i < GR_CHECK_WORST; i++) r.worst_elements[i] = e;
    r.worst = e;
    for (int i = 0; i < GR_CHECK_FAULTS; i++) {
        gr_check_fault *f = &r.faults[i];
        *f = (gr_check_fault){GR_FAULT_FACTOR, 4,           0,    "",        -1.2345678901234567e-300,
                              -2147483647,     -2147483647, true, INT64_MIN, GR_COMPARE_FORWARD};
        memset(f->name, 1, sizeof f->name - 1);
    }
    return r;
}

/* ---- For people ---- */

/* Byte for byte; else both are shown. */
static void check_same(const char *actual, const char *expected)
{
    const bool same = strcmp(actual, expected) == 0;
    CHECK(same);
    if (!same) printf("---- written:\n%s---- expected:\n%s----\n", actual, expected);
}

static const char *report_of(const gr_check_result *r)
{
    gr_check_report(r, out, sizeof out);
    return out;
}

static void test_passed(void)
{
    gr_check_result r = passed();
    check_same(report_of(&r),
               "gradient check passed: rosenbrock: 24 derivatives compared; order 1, full, 312 evaluations\n"
               "  least exact: d y[1] / d x[1,2]: analytic 0.1, numeric 0.1000000000001, difference 1e-13, "
               "tolerance 1.1e-07\n");
    r = result_of("");
    r.passed = true;
    r.elements = 1;
    r.evaluations = 1;
    check_same(report_of(&r), "gradient check passed: 1 derivative compared; order 1, full, 1 evaluation\n");
    r = result_of("relu");
    gr_check_element *e = add(&r, element_of(GR_CHECK_NOT_DIFFERENTIABLE, "x", 0, 0.5));
    e->left = 0;
    e->right = 1;
    r.passed = true;
    r.failed = 0;
    check_same(report_of(&r),
               "gradient check passed: relu: 24 derivatives compared: 1 not differentiable here; order 1, "
               "full, 312 evaluations\n"
               "  accepted: d y[1] / d x[1,2]: analytic 0, slope 0 from the left, 1 from the right\n");
}

static void test_table(void)
{
    const gr_check_result r = mixed();
    check_same(
        report_of(&r),
        "gradient check FAILED: layer: 24 derivatives compared: 10 wrong, 1 undecided, 1 not differentiable "
        "here; order 1, full, 312 evaluations\n"
        "  all 12 derivatives by w: 2 times too large: a factor of 2\n"
        "  the derivative by inputs[2]: the sign is flipped\n"
        "  Undecided: the function's values are too rough there to tell. Say in `accuracy` how exactly it\n"
        "  is computed, raise a tolerance, or rescale it.\n"
        "  Not differentiable: the slopes from the left and from the right differ. Check beside the kink,\n"
        "  or set accept_kinks if the analytic value is the convention that you want.\n"
        "\n"
        "  verdict                  derivative                        analytic       numeric  its error  "
        "difference  tolerance\n"
        "  wrong                    d y[1] / d w[1,2]                        2             1      2e-12      "
        "     1   1.01e-06\n"
        "  wrong                    d (u.y') / d inputs[2][1,2]    -1234567.25           nan      2e-12      "
        "   nan        nan\n"
        "  undecided                d y / d w, by JVP                   1e-300      1.5e-300      2e-12      "
        "5e-301      1e-08\n"
        "  not differentiable here  d y[1] / d bias[1,2]                     0           0.5      2e-12      "
        "   0.5    5.1e-07\n"
        "                           slope -inf from the left, 1 from the right\n"
        "  wrong                    d y[1] / d v, VJP against JVP            1  1.0000000001      2e-12      "
        " 1e-10   1.01e-06\n"
        "  ... and 7 more\n"
        "\n"
        "  y': the first derivatives, y'': the second, and so on.\n"
        "  u: random numbers, one for each element of the output.\n"
        "  v: a random direction, one number for each element of the input, or of all.\n"
        "  nan as numeric: the function is not finite there, or not to both sides, at any step.\n");
}

static void test_no_values(void)
{
    gr_check_result r = not_made();
    check_same(report_of(&r), "gradient check FAILED: model: not made: GR_ERR_SHAPE: matmul: inner sizes "
                              "differ: x [32, 784] @ \"fc1\" [512, 10]\n");
    r.message[0] = '\0';
    check_same(report_of(&r), "gradient check FAILED: model: not made: GR_ERR_SHAPE\n");
    check_same(report_of(NULL), "gradient check FAILED: not made\n");
    r = result_of("late");
    r.status = GR_ERR_MEMORY;
    add(&r, element_of(GR_CHECK_RIGHT, "x", 1, 1));
    check_same(report_of(&r), "gradient check FAILED: late: not finished: GR_ERR_MEMORY; 24 derivatives "
                              "compared; order 1, full, 312 evaluations\n");
    snprintf(r.message, sizeof r.message, "late: 80 bytes were not to be had");
    CHECK_TEXT(report_of(&r),
               "late: not finished: GR_ERR_MEMORY: 80 bytes were not to be had; 24 derivatives");
    r = random_result();
    r.order = 0;
    snprintf(r.message, sizeof r.message, "dropout: not deterministic: y is 1, and 0 then");
    CHECK_TEXT(report_of(&r), "FAILED: dropout: not deterministic: y is 1, and 0 then; 312 evaluations\n");
    r.name[4] = '\0';
    CHECK_TEXT(report_of(&r),
               "FAILED: drop: dropout: not deterministic: y is 1, and 0 then; 312 evaluations\n");
    r = random_result();
    check_same(
        report_of(&r),
        "gradient check FAILED: dropout: not deterministic: y[3] is 1.5, and 0 when it is computed "
        "again; order 1, full, 312 evaluations\n"
        "  Not deterministic: the same x must give the same values. Begin random numbers anew in each\n"
        "  call, and keep nothing from one call to the next.\n");
}

static void test_faults(void)
{
    const struct {
        gr_check_fault f;
        const char *words;
    } cases[] = {
        {{GR_FAULT_SIGN, 1, 0, "w", .elements = 12}, "all 12 derivatives by w: the sign is flipped\n"},
        {{GR_FAULT_SIGN, 1, 3, "", .elements = 1}, "the derivative by inputs[3]: the sign is flipped\n"},
        {{GR_FAULT_SIGN, 2, -1, "", .elements = 2},
         "all 2 second derivatives in random directions: the sign is flipped\n"},
        {{GR_FAULT_FACTOR, 1, 0, "w", .factor = 2, .elements = 3},
         "all 3 derivatives by w: 2 times too large: a factor of 2\n"},
        {{GR_FAULT_FACTOR, 3, 0, "w", .factor = 0.25, .elements = 3},
         "all 3 third derivatives by w: 4 times too small: a factor of 0.25\n"},
        {{GR_FAULT_FACTOR, 1, 0, "w", .factor = -3, .elements = 1},
         "the derivative by w: the sign is flipped, and 3 times too large: a factor of -3\n"},
        {{GR_FAULT_FACTOR, 4, 0, "angle", .factor = 0.017453292519943, .elements = 3},
         "all 3 fourth derivatives by angle: 57.29578 times too small: a factor of 0.01745329 = pi / 180\n"},
        {{GR_FAULT_ZERO, 1, 0, "w", .elements = 3}, "all 3 derivatives by w: missing: it is 0 everywhere\n"},
        {{GR_FAULT_TRANSPOSED, 1, 0, "w", .elements = 6}, "all 6 derivatives by w: transposed\n"},
        {{GR_FAULT_TRANSPOSED, 1, 0, "w", .elements = 6, .comparison = GR_COMPARE_FORWARD},
         "all 6 derivatives by w, by JVP: transposed\n"},
        {{GR_FAULT_BROADCAST, 1, 0, "b", .axis = 0, .elements = 4},
         "all 4 derivatives by b: the sum over the broadcast axis 0 of the output is missing\n"},
        {{GR_FAULT_SHIFTED, 1, 0, "w", .axis = 1, .offset = 1, .elements = 4},
         "all 4 derivatives by w: off by one along axis 1\n"},
        {{GR_FAULT_SHIFTED, 1, 0, "w", .axis = 0, .offset = -1, .of_output = true, .elements = 4},
         "all 4 derivatives by w: off by minus one along axis 0 of the output\n"},
        {{GR_FAULT_SHIFTED, 1, 0, "w", .axis = 2, .offset = -3, .elements = 4},
         "all 4 derivatives by w: off by -3 along axis 2\n"},
        {{GR_FAULT_CONSTANT, 1, 0, "w", .factor = 0.5, .elements = 4},
         "all 4 derivatives by w: too large by 0.5 everywhere: a constant that should not be there\n"},
        {{GR_FAULT_CONSTANT, 1, 0, "w", .factor = -0.5, .elements = 4},
         "all 4 derivatives by w: too small by 0.5 everywhere: a constant is missing\n"},
        {{(gr_fault_kind)99, 1, 0, "w", .elements = 4}, "all 4 derivatives by w: no guess\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gr_check_result r = result_of("f");
        r.faults[r.n_faults++] = cases[i].f;
        const char *second = strchr(report_of(&r), '\n') + 1;
        CHECK(starts_with(second, "  "));
        check_same(second + 2, cases[i].words);
    }
}

/* 4 more that did not find room in the table are counted; right ones are no part of it. */
static void test_worst_only(void)
{
    gr_check_result r = result_of("f");
    for (int i = 0; i < GR_CHECK_WORST; i++) add(&r, element_of(GR_CHECK_WRONG, "w", 2, 1));
    r.wrong = r.failed = 20;
    CHECK_TEXT(report_of(&r), "  ... and 4 more\n");
    r.wrong = r.failed = GR_CHECK_WORST;
    CHECK(!strstr(report_of(&r), " more\n"));
    for (int i = 1; i < GR_CHECK_WORST; i++) r.worst_elements[i].verdict = GR_CHECK_RIGHT;
    r.wrong = r.failed = 1;
    CHECK(!strstr(report_of(&r), " more\n") && !strstr(out, "right"));
    r.n_worst = 1000; /* a structure that was never filled */
    r.n_faults = -5;
    r.worst_elements[0].at.ndim = 77;
    r.worst_elements[0].order = -8;
    CHECK(gr_check_report(&r, out, sizeof out) < sizeof out);
    CHECK(gr_check_json(&r, out, sizeof out) < sizeof out && is_json_line(out));
}

/* Advice is given where it is needed only: kinks that were accepted need none. */
static void test_advice(void)
{
    gr_check_result r = result_of("f");
    add(&r, element_of(GR_CHECK_WRONG, "w", 2, 1));
    CHECK(!strstr(report_of(&r), "Undecided:") && !strstr(out, "Not differentiable:"));
    add(&r, element_of(GR_CHECK_UNDECIDED, "w", 2, 1));
    CHECK(strstr(report_of(&r), "Undecided:") && !strstr(out, "Not differentiable:"));
    add(&r, element_of(GR_CHECK_NOT_DIFFERENTIABLE, "w", 2, 1));
    CHECK(strstr(report_of(&r), "Undecided:") && strstr(out, "Not differentiable:"));
    r.failed--;
    CHECK(strstr(report_of(&r), "Undecided:") && !strstr(out, "Not differentiable:"));
    CHECK(!strstr(out, "Not deterministic:"));
}

/* Slopes are shown where there are two that differ, whatever the verdict. */
static void test_slopes(void)
{
    const struct {
        double left, right;
        bool shown;
    } cases[] = {{NAN, NAN, false}, {2, 2, false}, {-1, 2, true}, {NAN, 2, true}, {-INFINITY, NAN, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gr_check_result r = result_of("f");
        gr_check_element *e = add(&r, element_of(GR_CHECK_WRONG, "w", 2, 1));
        e->left = cases[i].left;
        e->right = cases[i].right;
        CHECK((strstr(report_of(&r), "from the left") != NULL) == cases[i].shown);
        gr_check_tap(&r, 1, out, sizeof out);
        CHECK((strstr(out, "\n      left: ") != NULL) == cases[i].shown && is_tap_failure(out));
    }
}

/* Digits are added until two numbers look different. */
static void test_digits(void)
{
    const struct {
        double analytic, numeric;
        const char *cells;
    } cases[] = {
        {0.1, 0.1, " 0.1      0.1 "},        {1.0 / 3, 2.0 / 3, " 0.333333333  0.666666667 "},
        {1, 1 + 1e-10, " 1  1.0000000001 "}, {1, 1 + 2.3e-16, " 1  1.0000000000000002 "},
        {-INFINITY, NAN, " -inf      nan "}, {-0.0, 1e-320, " 0  9.99988867e-321 "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gr_check_result r = result_of("f");
        add(&r, element_of(GR_CHECK_WRONG, "w", cases[i].analytic, cases[i].numeric));
        CHECK_TEXT(report_of(&r), cases[i].cells);
    }
}

/* The columns stay under their titles whatever a name is made of. */
static void test_names(void)
{
    gr_check_result r = result_of("a\nb");
    add(&r, element_of(GR_CHECK_WRONG, "gr\xC3\xB6\xC3\x9F", 2, 1));
    add(&r, element_of(GR_CHECK_WRONG, "\xFF\x7F\xC2\x85", 2, 1));
    gr_check_element *e = add(&r, element_of(GR_CHECK_WRONG, "w", 2, 1));
    e->at = (gr_check_place){0, 8, {0, 10, 200, 3000, 0, 0, 0, 7}};
    check_same(
        report_of(&r),
        "gradient check FAILED: a\\x0Ab: 24 derivatives compared: 3 wrong; order 1, full, 312 evaluations\n"
        "\n"
        "  verdict  derivative                           analytic  numeric  its error  difference  "
        "tolerance\n"
        "  wrong    d y[1] / d gr\xC3\xB6\xC3\x9F[1,2]                        2        1      2e-12          "
        " 1   1.01e-06\n"
        "  wrong    d y[1] / d \\xFF\\x7F\\xC2\\x85[1,2]            2        1      2e-12           1   "
        "1.01e-06\n"
        "  wrong    d y[1] / d w[0,10,200,3000,0,0,0,7]         2        1      2e-12           1   "
        "1.01e-06\n");
}

/* ---- Room ---- */

typedef size_t writer(const gr_check_result *r, char *to, size_t room);
static size_t tap_7(const gr_check_result *r, char *to, size_t room) { return gr_check_tap(r, 7, to, room); }
static writer *const writers[] = {gr_check_report, tap_7, gr_check_json};

/* As snprintf: a prefix, its end, nothing behind it, the same length. */
static void check_rooms(writer *write, const gr_check_result *r)
{
    const size_t length = write(r, out, sizeof out);
    CHECK(length == strlen(out) && length > 0 && out[length - 1] == '\n');
    CHECK(write(r, NULL, 0) == length);
    char *little = malloc(length + 3);
    bool right = true;
    for (size_t room = 0; room <= length + 2; room++) {
        memset(little, 0x7F, length + 3);
        right &= write(r, little, room) == length && little[room] == 0x7F;
        if (room == 0) continue;
        const size_t fits = room - 1 < length ? room - 1 : length;
        right &= memcmp(little, out, fits) == 0 && little[fits] == '\0';
    }
    CHECK(right);
    free(little);
}

static void test_rooms(void)
{
    const gr_check_result results[] = {passed(), mixed(), not_made(), random_result()};
    for (size_t k = 0; k < 3; k++) {
        for (size_t i = 0; i < sizeof results / sizeof *results; i++) check_rooms(writers[k], &results[i]);
        check_rooms(writers[k], NULL);
    }
}

static void test_enough_room(void)
{
    const gr_check_result r = longest();
    for (size_t k = 0; k < 3; k++) {
        const size_t length = writers[k](&r, out, sizeof out);
        CHECK(length < GR_CHECK_REPORT_BYTES && length > GR_CHECK_REPORT_BYTES / 4);
        CHECK(length == strlen(out));
        CHECK(k != 1 || is_tap_failure(out));
        CHECK(k != 2 || is_json_line(out));
    }
}

/* ---- For programs ---- */

static void test_tap(void)
{
    gr_check_result r = passed();
    gr_check_tap(&r, 1, out, sizeof out);
    check_same(out, "ok 1 - rosenbrock\n");
    gr_check_tap(&r, 0, out, sizeof out);
    check_same(out, "ok - rosenbrock\n");
    r = mixed();
    gr_check_tap(&r, 12, out, sizeof out);
    CHECK(is_tap_failure(out));
    check_same(out,
               "not ok 12 - layer\n"
               "  ---\n"
               "  message: \"24 derivatives compared: 10 wrong, 1 undecided, 1 not differentiable here\"\n"
               "  severity: fail\n"
               "  verdict: \"wrong\"\n"
               "  status: \"GR_OK\"\n"
               "  order: 1\n"
               "  mode: \"full\"\n"
               "  elements: 24\n"
               "  failed: 12\n"
               "  wrong: 10\n"
               "  undecided: 1\n"
               "  not_differentiable: 1\n"
               "  evaluations: 312\n"
               "  faults:\n"
               "    - \"all 12 derivatives by w: 2 times too large: a factor of 2\"\n"
               "    - \"the derivative by inputs[2]: the sign is flipped\"\n"
               "  worst:\n"
               "    - derivative: \"d y[1] / d w[1,2]\"\n"
               "      verdict: \"wrong\"\n"
               "      analytic: 2\n"
               "      numeric: 1\n"
               "      numeric_error: 2.0e-12\n"
               "      error: 1\n"
               "      tolerance: 1.0099999999999999e-06\n"
               "    - derivative: \"d (u.y') / d inputs[2][1,2]\"\n"
               "      verdict: \"wrong\"\n"
               "      analytic: -1234567.25\n"
               "      numeric: .nan\n"
               "      numeric_error: 2.0e-12\n"
               "      error: .nan\n"
               "      tolerance: .nan\n"
               "    - derivative: \"d y / d w, by JVP\"\n"
               "      verdict: \"undecided\"\n"
               "      analytic: 1.0e-300\n"
               "      numeric: 1.5000000000000001e-300\n"
               "      numeric_error: 2.0e-12\n"
               "      error: 5.000000000000001e-301\n"
               "      tolerance: 1.0e-08\n"
               "    - derivative: \"d y[1] / d bias[1,2]\"\n"
               "      verdict: \"not differentiable here\"\n"
               "      analytic: 0\n"
               "      numeric: 0.5\n"
               "      numeric_error: 2.0e-12\n"
               "      error: 0.5\n"
               "      tolerance: 5.0999999999999999e-07\n"
               "      left: -.inf\n"
               "      right: 1\n"
               "    - derivative: \"d y[1] / d v, VJP against JVP\"\n"
               "      verdict: \"wrong\"\n"
               "      analytic: 1\n"
               "      numeric: 1.0000000001\n"
               "      numeric_error: 2.0e-12\n"
               "      error: 1.000000082740371e-10\n"
               "      tolerance: 1.0100000000999999e-06\n"
               "  ...\n");
    r = not_made();
    gr_check_tap(&r, 2, out, sizeof out);
    CHECK(is_tap_failure(out));
    check_same(out, "not ok 2 - model\n"
                    "  ---\n"
                    "  message: \"not made: GR_ERR_SHAPE: matmul: inner sizes differ: x [32, 784] @ "
                    "\\\"fc1\\\" [512, 10]\"\n"
                    "  severity: fail\n"
                    "  verdict: null\n"
                    "  status: \"GR_ERR_SHAPE\"\n"
                    "  order: 0\n"
                    "  mode: \"auto\"\n"
                    "  elements: 0\n"
                    "  failed: 0\n"
                    "  wrong: 0\n"
                    "  undecided: 0\n"
                    "  not_differentiable: 0\n"
                    "  evaluations: 0\n"
                    "  faults: []\n"
                    "  worst: []\n"
                    "  ...\n");
    gr_check_tap(NULL, 3, out, sizeof out);
    CHECK(is_tap_failure(out));
    CHECK_TEXT(out, "not ok 3 - function\n");
}

/* No name makes a directive, or a second line, or an escape of its own. */
static void test_tap_names(void)
{
    gr_check_result r = result_of("x # TODO\nok 2 - \\ \"y\"");
    r.status = GR_ERR_CALLBACK;
    snprintf(r.message, sizeof r.message, "\"quoted\"\n  ...\n\\ \xFF \xC2\x85 \xE2\x82\xAC");
    gr_check_element *e = add(&r, element_of(GR_CHECK_WRONG, "\"w\\\t", 2, 1));
    snprintf(add_fault(&r, GR_FAULT_SIGN, "", 2)->name, sizeof e->name, "\"\n");
    gr_check_tap(&r, 1, out, sizeof out);
    CHECK(is_tap_failure(out));
    CHECK(starts_with(out, "not ok 1 - x \\# TODO?ok 2 - \\\\ \"y\"\n"));
    CHECK_TEXT(out, "\\\"quoted\\\"\\\\x0A  ...\\\\x0A\\\\ \\\\xFF \\\\xC2\\\\x85 \xE2\x82\xAC;");
    CHECK_TEXT(out, "derivative: \"d y[1] / d \\\"w\\\\\\\\x09[1,2]\"");
    CHECK_TEXT(out, "all 2 derivatives by \\\"\\\\x0A: the sign");
}

static void check_json_number(const char *object, const char *key, double expected)
{
    const char *value = json_get(object, key, 0);
    if (isnan(expected))
        CHECK(starts_with(value, "\"nan\""));
    else if (isinf(expected))
        CHECK(starts_with(value, expected < 0 ? "\"-inf\"" : "\"inf\""));
    else
        CHECK(*value && *value != '"' && strtod(value, NULL) == expected); /* every digit */
}

static void check_json_text(const char *object, const char *key, const char *expected)
{
    const char *value = json_get(object, key, 0);
    const size_t length = strlen(expected);
    CHECK(value[0] == '"' && strncmp(value + 1, expected, length) == 0 && value[1 + length] == '"');
}

static void check_json_place(const char *json, const char *key, const gr_check_place *p)
{
    const char *place = json_get(json, key, 0), *index = json_get(place, "index", 0);
    check_json_number(place, "element", (double)p->element);
    for (int i = 0; i < p->ndim; i++) CHECK(atoll(json_get(index, "", i)) == p->index[i]);
    CHECK(!*json_get(index, "", p->ndim));
}

static void check_json_element(const char *json, const gr_check_element *e)
{
    static const char *const comparisons[] = {"reverse", "forward", "adjoint"};
    check_json_text(json, "verdict", gr_verdict_name(e->verdict));
    check_json_text(json, "comparison", comparisons[e->comparison]);
    check_json_text(json, "name", e->name);
    check_json_number(json, "order", e->order);
    check_json_number(json, "input", e->input);
    check_json_place(json, "at", &e->at);
    check_json_place(json, "of", &e->of);
    check_json_number(json, "analytic", e->analytic);
    check_json_number(json, "numeric", e->numeric);
    check_json_number(json, "numeric_error", e->numeric_error);
    check_json_number(json, "error", e->error);
    check_json_number(json, "tolerance", e->tolerance);
    check_json_number(json, "left", e->left);
    check_json_number(json, "right", e->right);
}

/* Everything that is in the structure can be read back. */
static void test_json(void)
{
    const gr_check_result r = mixed();
    gr_check_json(&r, out, sizeof out);
    CHECK(is_json_line(out));
    check_json_text(out, "name", "layer");
    CHECK(starts_with(json_get(out, "passed", 0), "false"));
    check_json_text(out, "verdict", "wrong");
    check_json_text(out, "status", "GR_OK");
    check_json_text(out, "message", "");
    check_json_text(out, "mode", "full");
    check_json_number(out, "order", 1);
    check_json_number(out, "elements", 24);
    check_json_number(out, "failed", 12);
    check_json_number(out, "wrong", 10);
    check_json_number(out, "undecided", 1);
    check_json_number(out, "not_differentiable", 1);
    check_json_number(out, "evaluations", 312);
    check_json_element(json_get(out, "worst", 0), &r.worst);
    const char *worst = json_get(out, "worst_elements", 0), *faults = json_get(out, "faults", 0);
    for (int i = 0; i < r.n_worst; i++) check_json_element(json_get(worst, "", i), &r.worst_elements[i]);
    CHECK(!*json_get(worst, "", r.n_worst) && !*json_get(faults, "", 2));
    const char *fault = json_get(faults, "", 0);
    check_json_text(fault, "kind", "factor");
    check_json_text(fault, "name", "w");
    check_json_number(fault, "factor", 2);
    check_json_number(fault, "elements", 12);
    check_json_text(fault, "comparison", "reverse");
    CHECK(starts_with(json_get(fault, "of_output", 0), "false"));
    check_json_text(fault, "text", "all 12 derivatives by w: 2 times too large: a factor of 2");
    check_json_number(json_get(faults, "", 1), "input", 2);
    check_json_text(json_get(faults, "", 1), "kind", "sign");
}

static void test_json_edges(void)
{
    gr_check_json(NULL, out, sizeof out);
    CHECK(is_json_line(out));
    CHECK(starts_with(json_get(out, "worst", 0), "null") && starts_with(json_get(out, "verdict", 0), "null"));
    const gr_check_result good = passed();
    gr_check_json(&good, out, sizeof out);
    CHECK(is_json_line(out) && starts_with(json_get(out, "passed", 0), "true"));
    check_json_text(out, "verdict", "right");
    gr_check_result r = not_made();
    gr_check_json(&r, out, sizeof out);
    CHECK(is_json_line(out));
    check_json_text(out, "status", "GR_ERR_SHAPE");
    check_json_text(out, "message", "matmul: inner sizes differ: x [32, 784] @ \\\"fc1\\\" [512, 10]");
    snprintf(r.name, sizeof r.name, "\x01\n\\\xC2\x85\x7F\xFF\xC3\xE2\x82\xAC");
    gr_check_json(&r, out, sizeof out);
    CHECK(is_json_line(out));
    check_json_text(out, "name", "\\u0001\\u000a\\\\\\u0085\\u007f\\ufffd\\ufffd\xE2\x82\xAC");
}

static void test_words(void)
{
    CHECK(!strcmp(gr_verdict_name(GR_CHECK_RIGHT), "right"));
    CHECK(!strcmp(gr_verdict_name(GR_CHECK_NOT_DIFFERENTIABLE), "not differentiable here"));
    CHECK(!strcmp(gr_verdict_name(GR_CHECK_UNDECIDED), "undecided"));
    CHECK(!strcmp(gr_verdict_name(GR_CHECK_WRONG), "wrong"));
    CHECK(!strcmp(gr_verdict_name(GR_CHECK_NOT_DETERMINISTIC), "not deterministic"));
    CHECK(!strcmp(gr_verdict_name((gr_verdict)5), "unknown verdict"));
    CHECK(!strcmp(gr_verdict_name((gr_verdict)-1), "unknown verdict"));
}

/* A point in numbers, whatever the locale. */
static void test_locales(void)
{
    static const char *const locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "ps_AF.UTF-8", "de_DE"};
    static char expected[GR_CHECK_REPORT_BYTES];
    const gr_check_result r = mixed();
    for (size_t k = 0; k < 3; k++) {
        writers[k](&r, expected, sizeof expected);
        for (size_t i = 0; i < sizeof locales / sizeof *locales; i++) {
            if (!setlocale(LC_NUMERIC, locales[i])) continue; /* most machines have few */
            writers[k](&r, out, sizeof out);
            setlocale(LC_NUMERIC, "C");
            check_same(out, expected);
        }
    }
}

int main(void)
{
    RUN(test_readers_reject);
    RUN(test_passed);
    RUN(test_table);
    RUN(test_no_values);
    RUN(test_faults);
    RUN(test_worst_only);
    RUN(test_advice);
    RUN(test_slopes);
    RUN(test_digits);
    RUN(test_names);
    RUN(test_rooms);
    RUN(test_enough_room);
    RUN(test_tap);
    RUN(test_tap_names);
    RUN(test_json);
    RUN(test_json_edges);
    RUN(test_words);
    RUN(test_locales);
    return TEST_EXIT;
}
