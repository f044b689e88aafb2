/*
 * What came out of a check, for people, for the Test Anything Protocol, and as JSON. Knows the structure of
 * a result and nothing of how it was made.
 *
 * Invariant: what is written does not depend on `room`, which only cuts it off; whatever bytes a name or a
 * message holds, the TAP stays on its lines, its YAML and the JSON stay valid, and numbers have a point.
 */
#include "gradus/check.h"
#include "base/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Text in bounded room ---- */

typedef struct text {
    char *to;
    size_t room, length; /* length: of all the text, also of what found no room */
    bool quoted;         /* what is put now stands between quotation marks */
    char last;           /* the last byte put */
} text;

static text begin(char *to, size_t room)
{
    if (!to) room = 0;
    if (room > 0) to[0] = '\0';
    return (text){.to = to, .room = room};
}

static void put_byte(text *t, char byte)
{
    if (t->length + 1 < t->room) {
        t->to[t->length] = byte;
        t->to[t->length + 1] = '\0';
    }
    t->length++;
    t->last = byte;
}

static void put_bytes(text *t, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (t->quoted && (bytes[i] == '"' || bytes[i] == '\\')) put_byte(t, '\\');
        put_byte(t, bytes[i]);
    }
}

static void put(text *t, const char *s) { put_bytes(t, s, strlen(s)); }

static void put_int(text *t, int64_t n)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRId64, n);
    put(t, digits);
}

static void put_spaces(text *t, size_t n)
{
    while (n-- > 0) put(t, " ");
}

/* "1 derivative", "2 derivatives" */
static void put_count(text *t, int64_t n, const char *what)
{
    put_int(t, n);
    put(t, what);
    if (n != 1) put(t, "s");
}

static void put_number(text *t, double value, int digits)
{
    char number[GRI_NUMBER_BYTES];
    gri_number(number, value, digits, false);
    put(t, number);
}

/* Where text of others goes, and so what in it must be written in another way. */
typedef enum escape {
    FOR_PEOPLE,      /* what cannot be shown: \x1F */
    FOR_DESCRIPTION, /* of a TAP line: no number sign, which begins a directive */
    FOR_PROGRAMS     /* between quotation marks of JSON or YAML; bytes that are no text become U+FFFD */
} escape;

/* A control character, or a byte that is no UTF-8. */
static void put_unshowable(text *t, const char *bytes, size_t length, bool is_character, escape how)
{
    char code[16];
    /* Of a control character of two bytes, U+0080 to U+009F, the second is the code. */
    const unsigned c = is_character ? (unsigned char)bytes[length - 1] : 0xFFFD;
    if (how == FOR_DESCRIPTION) {
        put(t, "?");
    } else if (how == FOR_PROGRAMS) {
        snprintf(code, sizeof code, "u%04x", c);
        put_byte(t, '\\'); /* one, as nothing here is to be taken literally */
        put(t, code);
    } else {
        for (size_t i = 0; i < length; i++) {
            snprintf(code, sizeof code, "\\x%02X", (unsigned)(unsigned char)bytes[i]);
            put(t, code);
        }
    }
}

static void put_text(text *t, const char *s, escape how)
{
    while (*s) {
        uint32_t c = 0;
        const size_t length = gri_text_decode(s, &c), taken = length ? length : 1;
        if (length == 0 || c < 0x20 || (c >= 0x7F && c < 0xA0)) {
            put_unshowable(t, s, taken, length > 0, how);
        } else {
            if (how == FOR_DESCRIPTION && (c == '#' || c == '\\')) put(t, "\\");
            put_bytes(t, s, taken);
        }
        s += taken;
    }
}

/* A quotation mark, before or behind a string. */
static void quote(text *t, bool begins)
{
    t->quoted = false;
    put(t, "\"");
    t->quoted = begins;
}

/* A text of others, whole. */
static void put_quoted(text *t, const char *s)
{
    quote(t, true);
    put_text(t, s, FOR_PROGRAMS);
    quote(t, false);
}

/* ---- Words ---- */

const char *gr_verdict_name(gr_verdict verdict)
{
    static const char *const names[] = {
        [GR_CHECK_RIGHT] = "right",
        [GR_CHECK_NOT_DIFFERENTIABLE] = "not differentiable here",
        [GR_CHECK_UNDECIDED] = "undecided",
        [GR_CHECK_WRONG] = "wrong",
        [GR_CHECK_NOT_DETERMINISTIC] = "not deterministic",
    };
    const size_t i = (size_t)verdict;
    return i < COUNT(names) ? names[i] : "unknown verdict";
}

static const char *mode_name(gr_check_mode mode)
{
    static const char *const names[] = {[GR_CHECK_AUTO] = "auto",
                                        [GR_CHECK_FULL] = "full",
                                        [GR_CHECK_COTANGENTS] = "cotangents",
                                        [GR_CHECK_FAST] = "fast"};
    const size_t i = (size_t)mode;
    return i < COUNT(names) ? names[i] : "unknown mode";
}

static const char *comparison_name(gr_comparison comparison)
{
    static const char *const names[] = {
        [GR_COMPARE_REVERSE] = "reverse", [GR_COMPARE_FORWARD] = "forward", [GR_COMPARE_ADJOINT] = "adjoint"};
    const size_t i = (size_t)comparison;
    return i < COUNT(names) ? names[i] : "unknown comparison";
}

/* Whether there is nothing to judge: the check failed before it began. */
static bool was_not_made(const gr_check_result *r)
{
    return r->elements == 0 && r->verdict == GR_CHECK_RIGHT &&
           (r->status != GR_OK || (r->order == 0 && !r->passed));
}

/* The result of a check that nobody made. */
static const gr_check_result nothing;

static int worst_count(const gr_check_result *r)
{
    return r->n_worst < 0 ? 0 : r->n_worst < GR_CHECK_WORST ? r->n_worst : GR_CHECK_WORST;
}

static int fault_count(const gr_check_result *r)
{
    return r->n_faults < 0 ? 0 : r->n_faults < GR_CHECK_FAULTS ? r->n_faults : GR_CHECK_FAULTS;
}

/* How many of the worst elements deserve a row: all that are not right. They come first. */
static int row_count(const gr_check_result *r)
{
    int n = 0;
    while (n < worst_count(r) && r->worst_elements[n].verdict != GR_CHECK_RIGHT) n++;
    return n;
}

static bool has_slopes(const gr_check_element *e)
{
    return e->verdict == GR_CHECK_NOT_DIFFERENTIABLE ||
           (!(isnan(e->left) && isnan(e->right)) && e->left != e->right);
}

/* w, or inputs[2] if it has no name; "" and no input: nothing. */
static void put_input(text *t, const char *name, int input)
{
    if (name[0]) {
        put_text(t, name, FOR_PEOPLE);
    } else {
        put(t, "inputs[");
        put_int(t, input);
        put(t, "]");
    }
}

static int axes_of(const gr_check_place *p)
{
    return p->ndim < 0 ? 0 : p->ndim < GR_MAX_NDIM ? p->ndim : GR_MAX_NDIM;
}

/* [1,2]; nothing if there are no axes. */
static void put_index(text *t, const gr_check_place *p)
{
    for (int axis = 0; axis < axes_of(p); axis++) {
        put(t, axis ? "," : "[");
        put_int(t, p->index[axis]);
    }
    if (axes_of(p)) put(t, "]");
}

/* d y[0,1] / d w[2], in which y' stands for the first derivatives, u for random numbers by which the elements
   of y are multiplied and added, v for a random direction. */
static void put_derivative(text *t, const gr_check_element *e)
{
    static const char *const outputs[] = {"y", "y", "y'", "y''", "y'''"};
    const char *y = outputs[e->order < 0 || e->order > 4 ? 0 : e->order];
    put(t, e->of.element < 0 ? "d (u." : "d ");
    put(t, y);
    if (e->of.element < 0)
        put(t, ")");
    else
        put_index(t, &e->of);
    put(t, " / d ");
    if (e->input < 0) {
        put(t, "v");
    } else {
        put_input(t, e->name, e->input);
        if (e->at.element < 0)
            put(t, " along v");
        else
            put_index(t, &e->at);
    }
    if (e->comparison == GR_COMPARE_FORWARD) put(t, ", by JVP");
    if (e->comparison == GR_COMPARE_ADJOINT) put(t, ", VJP against JVP");
}

/* ---- Faults in words ---- */

/* A factor that is known by a name. */
static void put_known(text *t, double factor)
{
    static const struct {
        double value;
        const char *name;
    } known[] = {
        {3.14159265358979324, "pi"},         {6.28318530717958648, "2 pi"},
        {0.0174532925199432958, "pi / 180"}, {57.2957795130823209, "180 / pi"},
        {2.30258509299404568, "ln 10"},      {0.434294481903251828, "1 / ln 10"},
        {0.693147180559945309, "ln 2"},      {1.44269504088896341, "1 / ln 2"},
    };
    for (size_t i = 0; i < COUNT(known); i++) {
        if (!(fabs(factor / known[i].value - 1) < 1e-5)) continue;
        put(t, " = ");
        put(t, known[i].name);
    }
}

static void put_sign(text *t, const gr_check_fault *f)
{
    (void)f;
    put(t, "the sign is flipped");
}

static void put_factor(text *t, const gr_check_fault *f)
{
    const double size = fabs(f->factor);
    const bool large = !(size < 1);
    if (f->factor < 0) put(t, "the sign is flipped, and ");
    put_number(t, large ? size : 1 / size, 7);
    put(t, large ? " times too large: a factor of " : " times too small: a factor of ");
    put_number(t, f->factor, 7);
    put_known(t, size);
}

static void put_zero(text *t, const gr_check_fault *f)
{
    (void)f;
    put(t, "missing: it is 0 everywhere");
}

static void put_transposed(text *t, const gr_check_fault *f)
{
    (void)f;
    put(t, "transposed");
}

static void put_broadcast(text *t, const gr_check_fault *f)
{
    put(t, "the sum over the broadcast axis ");
    put_int(t, f->axis);
    put(t, " of the output is missing");
}

static void put_shifted(text *t, const gr_check_fault *f)
{
    put(t, "off by ");
    if (f->offset == 1 || f->offset == -1) {
        put(t, f->offset < 0 ? "minus one" : "one");
    } else {
        put_int(t, f->offset);
    }
    put(t, " along axis ");
    put_int(t, f->axis);
    if (f->of_output) put(t, " of the output");
}

static void put_constant(text *t, const gr_check_fault *f)
{
    put(t, f->factor < 0 ? "too small by " : "too large by ");
    put_number(t, fabs(f->factor), 7);
    put(t, f->factor < 0 ? " everywhere: a constant is missing"
                         : " everywhere: a constant that should not be there");
}

static void put_unknown(text *t, const gr_check_fault *f)
{
    (void)f;
    put(t, "no guess");
}

typedef struct fault_words {
    const char *name;
    void (*put)(text *t, const gr_check_fault *f);
} fault_words;

static const fault_words *words_of(const gr_check_fault *f)
{
    static const fault_words words[] = {
        [GR_FAULT_NONE] = {"none", put_unknown},
        [GR_FAULT_SIGN] = {"sign", put_sign},
        [GR_FAULT_FACTOR] = {"factor", put_factor},
        [GR_FAULT_ZERO] = {"zero", put_zero},
        [GR_FAULT_TRANSPOSED] = {"transposed", put_transposed},
        [GR_FAULT_BROADCAST] = {"broadcast", put_broadcast},
        [GR_FAULT_SHIFTED] = {"shifted", put_shifted},
        [GR_FAULT_CONSTANT] = {"constant", put_constant},
    };
    const size_t i = (size_t)f->kind;
    return i < COUNT(words) ? &words[i] : &words[0];
}

/* all 12 second derivatives by w: the sign is flipped */
static void put_fault(text *t, const gr_check_fault *f)
{
    static const char *const orders[] = {"", "", "second ", "third ", "fourth "};
    const char *order = orders[f->order < 0 || f->order > 4 ? 0 : f->order];
    put(t, f->elements == 1 ? "the " : "all ");
    if (f->elements != 1) {
        put_int(t, f->elements);
        put(t, " ");
    }
    put(t, order);
    put(t, f->elements == 1 ? "derivative" : "derivatives");
    if (f->input < 0) {
        put(t, " in random directions");
    } else {
        put(t, " by ");
        put_input(t, f->name, f->input);
    }
    if (f->comparison == GR_COMPARE_FORWARD) put(t, ", by JVP");
    put(t, ": ");
    words_of(f)->put(t, f);
}

/* ---- For people ---- */

/* 24 derivatives compared: 14 wrong, 1 undecided */
static void put_counts(text *t, const gr_check_result *r)
{
    const struct {
        int64_t n;
        const char *what;
    } counts[] = {{r->wrong, " wrong"},
                  {r->undecided, " undecided"},
                  {r->not_differentiable, " not differentiable here"}};
    put_count(t, r->elements, " derivative");
    put(t, " compared");
    const char *before = ": ";
    for (size_t i = 0; i < COUNT(counts); i++) {
        if (counts[i].n == 0) continue;
        put(t, before);
        put_int(t, counts[i].n);
        put(t, counts[i].what);
        before = ", ";
    }
}

/* The message, without what stands before it anyway. */
static const char *message_of(const gr_check_result *r)
{
    const size_t length = strlen(r->name);
    const bool named = length > 0 && strncmp(r->message, r->name, length) == 0 &&
                       strncmp(r->message + length, ": ", 2) == 0;
    return named ? r->message + length + 2 : r->message;
}

/* One of several texts with colons between them. */
static void put_part(text *t, const char **colon, const char *part)
{
    put(t, *colon);
    put_text(t, part, FOR_PEOPLE);
    *colon = ": ";
}

/* What there is to say in one line, without its end. */
static void put_outcome(text *t, const gr_check_result *r)
{
    const bool random = r->verdict == GR_CHECK_NOT_DETERMINISTIC;
    if (was_not_made(r) || random || r->status != GR_OK) {
        const char *message = message_of(r), *colon = "";
        const char *what = was_not_made(r) ? "not made"
                           : random        ? gr_verdict_name(r->verdict)
                                           : "not finished";
        if (!strstr(message, what)) put_part(t, &colon, what);
        if (r->status != GR_OK) put_part(t, &colon, gr_status_name(r->status));
        if (message[0]) put_part(t, &colon, message);
        if (r->elements == 0) return;
        put(t, "; ");
    }
    put_counts(t, r);
}

static void put_summary(text *t, const gr_check_result *r)
{
    put(t, r->passed ? "gradient check passed: " : "gradient check FAILED: ");
    if (r->name[0]) {
        put_text(t, r->name, FOR_PEOPLE);
        put(t, ": ");
    }
    put_outcome(t, r);
    if (!was_not_made(r)) {
        put(t, "; ");
        if (r->order > 0) {
            put(t, "order ");
            put_int(t, r->order);
            put(t, ", ");
            put(t, mode_name(r->mode));
            put(t, ", ");
        }
        put_count(t, r->evaluations, " evaluation");
    }
    put(t, "\n");
}

/* A remark on a check that was made: what a plain function left unwritten. */
static void put_remark(text *t, const gr_check_result *r)
{
    const bool in_summary = r->verdict == GR_CHECK_NOT_DETERMINISTIC || r->status != GR_OK;
    if (in_summary || was_not_made(r) || !r->message[0]) return;
    put(t, "  ");
    put_text(t, message_of(r), FOR_PEOPLE);
    put(t, "\n");
}

/* What is wrong, and what to do. */
static void put_advice(text *t, const gr_check_result *r)
{
    put_remark(t, r);
    for (int i = 0; i < fault_count(r); i++) {
        put(t, "  ");
        put_fault(t, &r->faults[i]);
        put(t, "\n");
    }
    if (r->verdict == GR_CHECK_NOT_DETERMINISTIC)
        put(t,
            "  Not deterministic: the same x must give the same values. Begin random numbers anew in each\n"
            "  call, and keep nothing from one call to the next.\n");
    if (r->undecided)
        put(t, "  Undecided: the function's values are too rough there to tell. Say in `accuracy` how "
               "exactly it\n"
               "  is computed, raise a tolerance, or rescale it.\n");
    if (r->failed > r->wrong + r->undecided)
        put(t, "  Not differentiable: the slopes from the left and from the right differ. Check beside the "
               "kink,\n"
               "  or set accept_kinks if the analytic value is the convention that you want.\n");
}

/* The table: first what was compared, then numbers to the right. */
enum { NUMBERS = 5, LABEL_BYTES = 1024, FIRST_DIGITS = 9, MOST_DIGITS = 17 };

typedef struct row {
    char derivative[LABEL_BYTES];
    char numbers[NUMBERS][GRI_NUMBER_BYTES];
} row;

/* The least digits by which two numbers can be told apart. */
static int digits_for(double a, double b)
{
    char one[GRI_NUMBER_BYTES], other[GRI_NUMBER_BYTES];
    for (int digits = FIRST_DIGITS; digits < MOST_DIGITS; digits += 4) {
        gri_number(one, a, digits, false);
        gri_number(other, b, digits, false);
        if (strcmp(one, other) != 0 || a == b) return digits;
    }
    return MOST_DIGITS;
}

static void make_row(row *to, const gr_check_element *e)
{
    text label = begin(to->derivative, sizeof to->derivative);
    put_derivative(&label, e);
    const int digits = digits_for(e->analytic, e->numeric);
    gri_number(to->numbers[0], e->analytic, digits, false);
    gri_number(to->numbers[1], e->numeric, digits, false);
    gri_number(to->numbers[2], e->numeric_error, 2, false);
    gri_number(to->numbers[3], e->error, 3, false);
    gri_number(to->numbers[4], e->tolerance, 3, false);
}

/* Places that a text takes on a line: characters, not bytes. */
static size_t width_of(const char *s)
{
    size_t n = 0;
    for (; *s; s++) n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

typedef struct columns {
    size_t verdict, derivative, numbers[NUMBERS];
} columns;

static void widen(size_t *column, const char *s)
{
    const size_t width = width_of(s);
    if (width > *column) *column = width;
}

static void put_row(text *t, const columns *c, const char *verdict, const row *r)
{
    put(t, "  ");
    put(t, verdict);
    put_spaces(t, c->verdict - width_of(verdict) + 2);
    put(t, r->derivative);
    put_spaces(t, c->derivative - width_of(r->derivative));
    for (int i = 0; i < NUMBERS; i++) {
        put_spaces(t, c->numbers[i] - width_of(r->numbers[i]) + 2);
        put(t, r->numbers[i]);
    }
    put(t, "\n");
}

static void put_slopes(text *t, const gr_check_element *e)
{
    put(t, "slope ");
    put_number(t, e->left, FIRST_DIGITS);
    put(t, " from the left, ");
    put_number(t, e->right, FIRST_DIGITS);
    put(t, " from the right");
}

static void put_table(text *t, const gr_check_result *r)
{
    static const row titles = {"derivative", {"analytic", "numeric", "its error", "difference", "tolerance"}};
    const int n = row_count(r);
    if (n == 0) return;
    columns c = {.verdict = width_of("verdict"), .derivative = width_of(titles.derivative)};
    for (int k = 0; k < NUMBERS; k++) c.numbers[k] = width_of(titles.numbers[k]);
    row line;
    for (int i = 0; i < n; i++) {
        make_row(&line, &r->worst_elements[i]);
        widen(&c.verdict, gr_verdict_name(r->worst_elements[i].verdict));
        widen(&c.derivative, line.derivative);
        for (int k = 0; k < NUMBERS; k++) widen(&c.numbers[k], line.numbers[k]);
    }
    put(t, "\n");
    put_row(t, &c, "verdict", &titles);
    for (int i = 0; i < n; i++) {
        const gr_check_element *e = &r->worst_elements[i];
        make_row(&line, e);
        put_row(t, &c, gr_verdict_name(e->verdict), &line);
        if (!has_slopes(e)) continue;
        put_spaces(t, 2 + c.verdict + 2);
        put_slopes(t, e);
        put(t, "\n");
    }
    const int64_t more = r->wrong + r->undecided + r->not_differentiable - n;
    if (more <= 0) return;
    put(t, "  ... and ");
    put_int(t, more);
    put(t, " more\n");
}

/* What the letters in the table mean. */
static void put_legend(text *t, const gr_check_result *r)
{
    bool u = false, v = false, higher = false, none = false;
    for (int i = 0; i < row_count(r); i++) {
        const gr_check_element *e = &r->worst_elements[i];
        u |= e->of.element < 0;
        v |= e->input < 0 || e->at.element < 0;
        higher |= e->order > 1;
        none |= isnan(e->numeric) && !has_slopes(e);
    }
    if (higher || u || v || none) put(t, "\n");
    if (higher) put(t, "  y': the first derivatives, y'': the second, and so on.\n");
    if (u) put(t, "  u: random numbers, one for each element of the output.\n");
    if (v) put(t, "  v: a random direction, one number for each element of the input, or of all.\n");
    if (none)
        put(t, "  nan as numeric: the function is not finite there, or not to both sides, at any step.\n");
}

/* The second line of a check that passed. */
static void put_least_exact(text *t, const gr_check_result *r)
{
    if (worst_count(r) == 0) return;
    const gr_check_element *e = &r->worst_elements[0];
    const int digits = digits_for(e->analytic, e->numeric);
    put(t, e->verdict == GR_CHECK_RIGHT ? "  least exact: " : "  accepted: ");
    put_derivative(t, e);
    put(t, ": analytic ");
    put_number(t, e->analytic, digits);
    if (has_slopes(e)) {
        put(t, ", ");
        put_slopes(t, e);
    } else {
        put(t, ", numeric ");
        put_number(t, e->numeric, digits);
        put(t, ", difference ");
        put_number(t, e->error, 3);
        put(t, ", tolerance ");
        put_number(t, e->tolerance, 3);
    }
    put(t, "\n");
}

size_t gr_check_report(const gr_check_result *r, char *to, size_t room)
{
    text t = begin(to, room);
    if (!r) r = &nothing;
    put_summary(&t, r);
    if (r->passed) {
        put_least_exact(&t, r);
    } else {
        put_advice(&t, r);
        put_table(&t, r);
        put_legend(&t, r);
    }
    return t.length;
}

/* ---- Test Anything Protocol ---- */

/* A number of YAML: one of version 1.1 is a number only with a point before its exponent. */
static void put_yaml_number(text *t, double value)
{
    char number[GRI_NUMBER_BYTES];
    gri_number(number, value, MOST_DIGITS, false);
    if (!isfinite(value)) {
        put(t, isnan(value) ? ".nan" : value < 0 ? "-.inf" : ".inf");
        return;
    }
    const size_t mantissa = strcspn(number, "e");
    put_bytes(t, number, mantissa);
    if (number[mantissa] && !memchr(number, '.', mantissa)) put(t, ".0");
    put(t, number + mantissa);
}

typedef struct named_int {
    const char *name;
    int64_t n;
} named_int;

enum { COUNTS = 5 };

static void counts_of(const gr_check_result *r, named_int counts[COUNTS])
{
    counts[0] = (named_int){"elements", r->elements};
    counts[1] = (named_int){"failed", r->failed};
    counts[2] = (named_int){"wrong", r->wrong};
    counts[3] = (named_int){"undecided", r->undecided};
    counts[4] = (named_int){"not_differentiable", r->not_differentiable};
}

typedef struct named_number {
    const char *name;
    double value;
} named_number;

enum { FIELDS = 7 };

static void fields_of(const gr_check_element *e, named_number fields[FIELDS])
{
    fields[0] = (named_number){"analytic", e->analytic};
    fields[1] = (named_number){"numeric", e->numeric};
    fields[2] = (named_number){"numeric_error", e->numeric_error};
    fields[3] = (named_number){"error", e->error};
    fields[4] = (named_number){"tolerance", e->tolerance};
    fields[5] = (named_number){"left", e->left};
    fields[6] = (named_number){"right", e->right};
}

static void put_verdict_of(text *t, const gr_check_result *r)
{
    if (was_not_made(r))
        put(t, "null");
    else
        put_quoted(t, gr_verdict_name(r->verdict));
}

/* A fault in words, as a string. */
static void put_quoted_fault(text *t, const gr_check_fault *f)
{
    quote(t, true);
    put_fault(t, f);
    quote(t, false);
}

static void put_yaml_element(text *t, const gr_check_element *e)
{
    named_number fields[FIELDS];
    fields_of(e, fields);
    put(t, "    - derivative: ");
    quote(t, true);
    put_derivative(t, e);
    quote(t, false);
    put(t, "\n      verdict: ");
    put_quoted(t, gr_verdict_name(e->verdict));
    for (int i = 0; i < (has_slopes(e) ? FIELDS : FIELDS - 2); i++) {
        put(t, "\n      ");
        put(t, fields[i].name);
        put(t, ": ");
        put_yaml_number(t, fields[i].value);
    }
    put(t, "\n");
}

static void put_yaml(text *t, const gr_check_result *r)
{
    named_int counts[COUNTS];
    counts_of(r, counts);
    put(t, "  ---\n  message: ");
    quote(t, true);
    put_outcome(t, r);
    quote(t, false);
    put(t, "\n  severity: fail\n  verdict: ");
    put_verdict_of(t, r);
    put(t, "\n  status: ");
    put_quoted(t, gr_status_name(r->status));
    put(t, "\n  order: ");
    put_int(t, r->order);
    put(t, "\n  mode: ");
    put_quoted(t, mode_name(r->mode));
    for (int i = 0; i < COUNTS; i++) {
        put(t, "\n  ");
        put(t, counts[i].name);
        put(t, ": ");
        put_int(t, counts[i].n);
    }
    put(t, "\n  evaluations: ");
    put_int(t, r->evaluations);
    put(t, fault_count(r) ? "\n  faults:\n" : "\n  faults: []\n");
    for (int i = 0; i < fault_count(r); i++) {
        put(t, "    - ");
        put_quoted_fault(t, &r->faults[i]);
        put(t, "\n");
    }
    put(t, row_count(r) ? "  worst:\n" : "  worst: []\n");
    for (int i = 0; i < row_count(r); i++) put_yaml_element(t, &r->worst_elements[i]);
    put(t, "  ...\n");
}

size_t gr_check_tap(const gr_check_result *r, int number, char *to, size_t room)
{
    text t = begin(to, room);
    if (!r) r = &nothing;
    put(&t, r->passed ? "ok" : "not ok");
    if (number > 0) {
        put(&t, " ");
        put_int(&t, number);
    }
    put(&t, " - ");
    put_text(&t, r->name[0] ? r->name : "function", FOR_DESCRIPTION);
    put(&t, "\n");
    if (!r->passed) put_yaml(&t, r);
    return t.length;
}

/* ---- JSON ---- */

/* A comma, but before the first of a list. */
static void put_comma(text *t)
{
    if (t->last != '{' && t->last != '[') put(t, ",");
}

static void put_key(text *t, const char *name)
{
    put_comma(t);
    put_quoted(t, name);
    put(t, ":");
}

static void put_json_string(text *t, const char *name, const char *value)
{
    put_key(t, name);
    put_quoted(t, value);
}

static void put_json_int(text *t, const char *name, int64_t n)
{
    put_key(t, name);
    put_int(t, n);
}

static void put_json_bool(text *t, const char *name, bool value)
{
    put_key(t, name);
    put(t, value ? "true" : "false");
}

static void put_json_number(text *t, const char *name, double value)
{
    put_key(t, name);
    if (isfinite(value))
        put_number(t, value, MOST_DIGITS);
    else
        put(t, isnan(value) ? "\"nan\"" : value < 0 ? "\"-inf\"" : "\"inf\"");
}

static void put_json_place(text *t, const char *name, const gr_check_place *p)
{
    put_key(t, name);
    put(t, "{");
    put_json_int(t, "element", p->element);
    put_key(t, "index");
    if (axes_of(p))
        put_index(t, p);
    else
        put(t, "[]");
    put(t, "}");
}

static void put_json_element(text *t, const gr_check_element *e)
{
    named_number fields[FIELDS];
    fields_of(e, fields);
    put(t, "{");
    put_json_string(t, "verdict", gr_verdict_name(e->verdict));
    put_json_string(t, "comparison", comparison_name(e->comparison));
    put_json_int(t, "order", e->order);
    put_json_int(t, "input", e->input);
    put_json_string(t, "name", e->name);
    put_json_place(t, "at", &e->at);
    put_json_place(t, "of", &e->of);
    for (int i = 0; i < FIELDS; i++) put_json_number(t, fields[i].name, fields[i].value);
    put(t, "}");
}

static void put_json_fault(text *t, const gr_check_fault *f)
{
    put(t, "{");
    put_json_string(t, "kind", words_of(f)->name);
    put_json_int(t, "order", f->order);
    put_json_int(t, "input", f->input);
    put_json_string(t, "name", f->name);
    put_json_number(t, "factor", f->factor);
    put_json_int(t, "axis", f->axis);
    put_json_int(t, "offset", f->offset);
    put_json_bool(t, "of_output", f->of_output);
    put_json_int(t, "elements", f->elements);
    put_json_string(t, "comparison", comparison_name(f->comparison));
    put_key(t, "text");
    put_quoted_fault(t, f);
    put(t, "}");
}

size_t gr_check_json(const gr_check_result *r, char *to, size_t room)
{
    text t = begin(to, room);
    if (!r) r = &nothing;
    named_int counts[COUNTS];
    counts_of(r, counts);
    put(&t, "{");
    put_json_string(&t, "name", r->name);
    put_json_bool(&t, "passed", r->passed);
    put_key(&t, "verdict");
    put_verdict_of(&t, r);
    put_json_string(&t, "status", gr_status_name(r->status));
    put_json_string(&t, "message", r->message);
    put_json_int(&t, "order", r->order);
    put_json_string(&t, "mode", mode_name(r->mode));
    for (int i = 0; i < COUNTS; i++) put_json_int(&t, counts[i].name, counts[i].n);
    put_json_int(&t, "evaluations", r->evaluations);
    put_key(&t, "worst");
    if (worst_count(r))
        put_json_element(&t, &r->worst_elements[0]);
    else
        put(&t, "null");
    put_key(&t, "worst_elements");
    put(&t, "[");
    for (int i = 0; i < worst_count(r); i++) {
        put_comma(&t);
        put_json_element(&t, &r->worst_elements[i]);
    }
    put(&t, "]");
    put_key(&t, "faults");
    put(&t, "[");
    for (int i = 0; i < fault_count(r); i++) {
        put_comma(&t);
        put_json_fault(&t, &r->faults[i]);
    }
    put(&t, "]}\n");
    return t.length;
}
