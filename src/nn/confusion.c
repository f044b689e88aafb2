/*
 * Confusion matrices: counts of [is][said] in memory of the caller, and the table of them.
 *
 * Invariant: a batch is counted as a whole, or not at all.
 */
#include "gradus/metrics.h"
#include "base/text.h"
#include "nn/outcome.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_sound(const gr_confusion *c) { return c && c->counts && c->classes > 0; }

/* ---- Counting ---- */

void gr_confusion_clear(gr_confusion *c)
{
    if (is_sound(c)) memset(c->counts, 0, (size_t)(c->classes * c->classes) * sizeof *c->counts);
}

static bool is_ignored(const gr_confusion *c, int32_t label) { return c->ignore && label == c->ignore_index; }

static gr_status count(gr_graph *g, gr_confusion *c, const gri_outcome *j)
{
    const char *what = "confusion_add";
    if (j->classes > 0 && j->classes != c->classes)
        return gr_graph_fail(g, GR_ERR_SHAPE, "%s: scores of %" PRId64 " classes, expected %" PRId64, what,
                             j->classes, c->classes);
    for (int64_t i = 0; i < j->n; i++) {
        if (is_ignored(c, j->is[i])) continue;
        gr_status status = gri_outcome_label(g, what, i, j->is[i], c->classes);
        if (status == GR_OK) status = gri_outcome_label(g, what, i, j->said[i], c->classes);
        if (status != GR_OK) return status;
    }
    for (int64_t i = 0; i < j->n; i++)
        if (!is_ignored(c, j->is[i])) c->counts[j->is[i] * c->classes + j->said[i]]++;
    return GR_OK;
}

gr_status gr_confusion_add(gr_confusion *c, gr_tensor y, gr_tensor t)
{
    const char *what = "confusion_add";
    gr_graph *g = y.graph;
    gri_outcome j;
    gr_status status = gri_outcome_operands(what, y, t);
    if (status != GR_OK) return status;
    if (!is_sound(c))
        return gr_graph_fail(g, GR_ERR_ARGUMENT, "%s: a matrix without classes or without counts", what);
    const gr_scope scope = gr_scope_begin(g);
    gr_no_grad_begin(g);
    status = gri_outcome_of(what, y, t, &j);
    if (status == GR_OK) status = count(g, c, &j);
    gr_no_grad_end(g);
    gr_scope_end(scope, 0, NULL);
    return status;
}

/* ---- What follows ---- */

static int64_t at(const gr_confusion *c, int64_t is, int64_t said)
{
    return c->counts[is * c->classes + said];
}

/* Those that are of a class; those that were said to be. */
static double sum_is(const gr_confusion *c, int64_t which)
{
    double sum = 0;
    for (int64_t k = 0; k < c->classes; k++) sum += (double)at(c, which, k);
    return sum;
}

static double sum_said(const gr_confusion *c, int64_t which)
{
    double sum = 0;
    for (int64_t k = 0; k < c->classes; k++) sum += (double)at(c, k, which);
    return sum;
}

static bool is_class(const gr_confusion *c, int64_t which)
{
    return is_sound(c) && which >= 0 && which < c->classes;
}

double gr_confusion_accuracy(const gr_confusion *c)
{
    double right = 0, all = 0;
    for (int64_t k = 0; is_sound(c) && k < c->classes; k++) {
        right += (double)at(c, k, k);
        all += sum_is(c, k);
    }
    return right / all;
}

double gr_confusion_precision(const gr_confusion *c, int64_t which)
{
    return is_class(c, which) ? (double)at(c, which, which) / sum_said(c, which) : (double)NAN;
}

double gr_confusion_recall(const gr_confusion *c, int64_t which)
{
    return is_class(c, which) ? (double)at(c, which, which) / sum_is(c, which) : (double)NAN;
}

double gr_confusion_f1(const gr_confusion *c, int64_t which)
{
    if (!is_class(c, which)) return (double)NAN;
    return 2 * (double)at(c, which, which) / (sum_is(c, which) + sum_said(c, which));
}

/* ---- The table ---- */

/* The name of a class, or its number, written into `number`. */
static const char *name_of(const char *const *names, int64_t k, char number[GRI_NUMBER_BYTES])
{
    if (names && names[k]) return names[k];
    snprintf(number, GRI_NUMBER_BYTES, "%" PRId64, k);
    return number;
}

/* Characters of UTF-8. */
static int width_of(const char *text)
{
    int n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static void put_right(gri_text *t, const char *text, int width)
{
    for (int n = width_of(text); n < width; n++) gri_text_put(t, " ");
    gri_text_put(t, text);
}

static int widest(const gr_confusion *c, const char *const *names)
{
    char text[GRI_NUMBER_BYTES];
    int width = 0;
    for (int64_t k = 0; k < c->classes; k++) {
        const int n = width_of(name_of(names, k, text));
        if (n > width) width = n;
    }
    for (int64_t i = 0; i < c->classes * c->classes; i++) {
        const int n = snprintf(text, sizeof text, "%" PRId64, c->counts[i]);
        if (n > width) width = n;
    }
    return width;
}

static void put_row(gri_text *t, const gr_confusion *c, int64_t is, int width)
{
    char text[GRI_NUMBER_BYTES];
    for (int64_t k = 0; k < c->classes; k++) {
        snprintf(text, sizeof text, "%" PRId64, at(c, is, k));
        gri_text_put(t, " ");
        put_right(t, text, width);
    }
    const double all = sum_is(c, is);
    if (all > 0) { /* in tenths, by whole numbers, so that no locale has a say */
        const int64_t tenths = (int64_t)round(1000 * (double)at(c, is, is) / all);
        snprintf(text, sizeof text, "%" PRId64 ".%" PRId64 " %%", tenths / 10, tenths % 10);
        gri_text_put(t, "  ");
        put_right(t, text, (int)strlen("100.0 %"));
    }
    gri_text_put(t, "\n");
}

gr_status gr_confusion_write(const gr_confusion *c, const char *const *names, gr_writer *write, void *user)
{
    if (!is_sound(c) || !write) return GR_ERR_ARGUMENT;
    gri_text t;
    char number[GRI_NUMBER_BYTES];
    const int width = widest(c, names);
    gri_text_begin(&t, write, user, false);
    put_right(&t, "", width);
    for (int64_t k = 0; k < c->classes; k++) {
        gri_text_put(&t, " ");
        put_right(&t, name_of(names, k, number), width);
    }
    gri_text_put(&t, "\n");
    for (int64_t is = 0; is < c->classes; is++) {
        put_right(&t, name_of(names, is, number), width);
        put_row(&t, c, is, width);
    }
    return gri_text_end(&t) ? GR_OK : GR_ERR_IO;
}
