/* What a sweep found, as text for people. */
#include "gradus/sweep.h"
#include "graph/graph.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { SHAPE_BYTES = 192 };

typedef struct page {
    char *to;
    size_t room, length;
} page;

static void add(page *p, const char *format, ...) GR_PRINTF(2, 3);
static void add(page *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const size_t at = p->length < p->room ? p->length : p->room;
    const int n = vsnprintf(at < p->room ? p->to + at : NULL, p->room - at, format, arguments);
    va_end(arguments);
    if (n > 0) p->length += (size_t)n;
}

static void add_summary(page *p, const gr_sweep_result *r)
{
    add(p, "sweep of %s %s: %d samples", r->name, r->passed ? "passed" : "FAILED", r->samples);
    if (r->f32 || r->f64) add(p, " in %s", r->f32 && r->f64 ? "f32 and f64" : r->f32 ? "f32" : "f64");
    add(p, ", %" PRId64 " comparisons", r->comparisons);
    if (r->failed) add(p, ", %" PRId64 " failures", r->failed);
    if (!r->differentiable) add(p, ", no derivatives");
    if (r->left_out) add(p, "; %d samples left out: too large", r->left_out);
    add(p, "\n");
}

static void add_failure(page *p, const gr_sweep_failure *f)
{
    char shape[SHAPE_BYTES];
    add(p, "  %s: sample %d, %s", gr_sweep_cause_name(f->cause), f->sample, gr_type_name(f->type));
    for (int k = 0; k < f->n; k++) {
        gri_describe_shape(shape, sizeof shape, f->shape[k].ndim, f->shape[k].dims);
        add(p, "%s %s", k ? "" : ",", shape);
    }
    add(p, ", %s\n    %s\n", f->layout, f->message);
}

size_t gr_sweep_report(const gr_sweep_result *r, char *to, size_t room)
{
    page p = {to, to ? room : 0, 0};
    if (p.room) to[0] = '\0';
    if (!r) return 0;
    if (r->status != GR_OK) {
        add(&p, "sweep%s%s: not made: %s\n", r->name[0] ? " of " : "", r->name, r->message);
        return p.length;
    }
    add_summary(&p, r);
    for (int i = 0; i < r->n_failures; i++) add_failure(&p, &r->failures[i]);
    if (r->check.elements == 0) return p.length;
    const size_t at = p.length < p.room ? p.length : p.room;
    p.length += gr_check_report(&r->check, at < p.room ? to + at : NULL, p.room - at);
    return p.length;
}
