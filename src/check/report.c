/* What came out of a check, for people: see check.h. */
#include "gradus/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

typedef struct text {
    char *to;
    size_t room, length;
} text;

static void add(text *t, const char *format, ...) GR_PRINTF(2, 3);
static void add(text *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const size_t at = t->length < t->room ? t->length : t->room;
    const int n = vsnprintf(at < t->room ? t->to + at : NULL, t->room - at, format, arguments);
    va_end(arguments);
    if (n > 0) t->length += (size_t)n;
}

static void add_element(text *t, const gr_check_element *e)
{
    static const char *const orders[] = {"no", "first", "second", "third", "fourth"};
    add(t, "  %s: %s derivative by inputs[%d]", e->verdict == GR_CHECK_RIGHT ? "least exact" : "worst",
        orders[e->order], e->input);
    if (e->name[0]) add(t, " (%s)", e->name);
    add(t, " at [");
    for (int axis = 0; axis < e->at.ndim; axis++) add(t, axis ? ", %" PRId64 : "%" PRId64, e->at.index[axis]);
    add(t, "], element %" PRId64 "\n", e->at.element);
    add(t, "    analytic   %.17g\n", e->analytic);
    add(t, "    numeric    %.17g, with an estimated error of %.1e\n", e->numeric, e->numeric_error);
    add(t, "    difference %.3e, tolerance %.3e\n", e->error, e->tolerance);
    if (e->verdict == GR_CHECK_UNDECIDED)
        add(t, "    The numeric derivative is too rough here to tell right from wrong.\n");
}

size_t gr_check_report(const gr_check_result *r, char *to, size_t room)
{
    text t = {to, to ? room : 0, 0};
    if (t.room) to[0] = '\0';
    if (!r) return 0;
    if (r->order == 0) {
        add(&t, "gradient check: not made\n");
        return t.length;
    }
    add(&t, "gradient check %s: order %d, %" PRId64 " derivatives compared", r->passed ? "passed" : "FAILED",
        r->order, r->elements);
    if (r->failed > r->undecided) add(&t, ", %" PRId64 " wrong", r->failed - r->undecided);
    if (r->undecided) add(&t, ", %" PRId64 " undecided", r->undecided);
    add(&t, "\n");
    if (r->elements) add_element(&t, &r->worst);
    return t.length;
}
