/* What a training loop shows: see progress.h. */
#include "train/progress.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { COLUMNS = 79, LONGEST = 30, SHORTEST = 4, DIGITS = 6, FEW_DIGITS = 3, LINE_BYTES = 256 };
static const double redraw_after = 0.1; /* seconds */
static const char to_start[] = "\r", erase_rest[] = "\033[K";

double gri_progress_clock(const gr_fit_plan *plan)
{
    struct timespec t;
    if (plan->clock) return plan->clock(plan->user);
    if (timespec_get(&t, TIME_UTC) != TIME_UTC) return 0;
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- Parts of lines ---- */

static void put_number(gri_text *t, const char *before, double value, const char *behind)
{
    char number[GRI_NUMBER_BYTES];
    gri_number(number, value, DIGITS, false);
    gri_text_put(t, before);
    gri_text_put(t, number);
    gri_text_put(t, behind);
}

/* Examples per second; nothing if no time has passed. */
static void put_speed(gri_text *t, double examples, double seconds)
{
    char number[GRI_NUMBER_BYTES];
    const double speed = examples / seconds;
    if (!(seconds > 0 && speed < 1e15)) return; /* a clock that stands still, or nearly */
    const int digits = speed < 100 ? FEW_DIGITS : (int)floor(log10(speed)) + 1;
    gri_number(number, speed, digits, false);
    gri_text_put(t, "  ");
    gri_text_put(t, number);
    gri_text_put(t, " examples/s");
}

/* 7 s, 3:07 or 1:03:07. */
static void put_duration(gri_text *t, double seconds)
{
    char text[GRI_NUMBER_BYTES * 2];
    const double whole = ceil(seconds), minutes = floor(whole / 60), hours = floor(minutes / 60);
    if (!(whole < 1e9)) return;
    if (hours > 0)
        snprintf(text, sizeof text, "%.0f:%02.0f:%02.0f", hours, minutes - 60 * hours, whole - 60 * minutes);
    else if (minutes > 0)
        snprintf(text, sizeof text, "%.0f:%02.0f", minutes, whole - 60 * minutes);
    else
        snprintf(text, sizeof text, "%.0f s", whole);
    gri_text_put(t, "  ETA ");
    gri_text_put(t, text);
}

static void put_epoch(gri_text *t, const gri_progress *p, int64_t epoch)
{
    gri_text_put(t, "epoch ");
    gri_text_unsigned(t, (uint64_t)epoch);
    gri_text_put(t, "/");
    gri_text_unsigned(t, (uint64_t)p->epochs);
}

static void put_bar(gri_text *t, double part, int width)
{
    char bar[LONGEST + 1];
    for (int i = 0; i < width; i++) bar[i] = i < (int)(part * width) ? '#' : '.';
    bar[width] = '\0';
    gri_text_put(t, "  [");
    gri_text_put(t, bar);
}

/* A part of a line, of which the length must be known before it is written. */
typedef struct piece {
    int n;
    char bytes[LINE_BYTES];
} piece;

static bool append(const char *text, size_t length, void *user)
{
    piece *p = user;
    if (length >= sizeof p->bytes - (size_t)p->n) return false;
    memcpy(p->bytes + p->n, text, length);
    p->n += (int)length;
    p->bytes[p->n] = '\0';
    return true;
}

/* What stands before the bar, and what behind. */
static void write_pieces(const gri_progress *p, double part, piece *before, piece *behind)
{
    const gr_history *h = p->history;
    const double done = h->sums.loss.weight, all = (double)p->examples;
    char percent[GRI_NUMBER_BYTES];
    gri_text t;
    gri_text_begin(&t, append, before, false);
    put_epoch(&t, p, h->state.epochs + 1);
    gri_text_end(&t);
    gri_text_begin(&t, append, behind, false);
    snprintf(percent, sizeof percent, "] %3d %%", (int)(100 * part));
    gri_text_put(&t, percent);
    put_speed(&t, done, h->seconds);
    if (h->seconds > 0 && done < all) put_duration(&t, (all - done) * h->seconds / done);
    put_number(&t, "  loss ", gr_average_value(h->sums.loss), "");
    gri_text_end(&t);
}

/* The bar takes what is left. It never grows again: a bar whose end jumps to and fro with the digits behind it cannot be read. */
static int width_of_bar(gri_progress *p, int rest)
{
    const int width = COLUMNS - rest < SHORTEST ? SHORTEST : COLUMNS - rest;
    if (LONGEST - width > p->shorter) p->shorter = LONGEST - width;
    return LONGEST - p->shorter;
}

/* ---- Lines ---- */

static void begin(gri_text *t, const gri_progress *p)
{
    gri_text_begin(t, p->plan->progress, p->plan->progress_user, false);
}

static gr_status end(gri_text *t) { return gri_text_end(t) ? GR_OK : GR_ERR_IO; }

static bool is_bar(const gri_progress *p) { return p->plan->progress && p->plan->terminal; }

gr_status gri_progress_batch(gri_progress *p, double now)
{
    const gr_history *h = p->history;
    const double done = h->sums.loss.weight, all = (double)p->examples;
    if (!is_bar(p) || (p->visible && fabs(now - p->drawn) < redraw_after)) return GR_OK;
    const double part = done < all ? done / all : 1;
    piece before = {0, ""}, behind = {0, ""};
    gri_text t;
    write_pieces(p, part, &before, &behind);
    begin(&t, p);
    gri_text_put(&t, to_start);
    gri_text_put(&t, before.bytes);
    put_bar(&t, part, width_of_bar(p, before.n + (int)strlen("  [") + behind.n));
    gri_text_put(&t, behind.bytes);
    gri_text_put(&t, erase_rest);
    p->visible = true;
    p->drawn = now;
    return end(&t);
}

gr_status gri_progress_validation(gri_progress *p)
{
    if (!is_bar(p)) return GR_OK;
    gri_text t;
    begin(&t, p);
    gri_text_put(&t, to_start);
    put_epoch(&t, p, p->history->state.epochs + 1);
    gri_text_put(&t, "  validation");
    gri_text_put(&t, erase_rest);
    p->visible = true;
    return end(&t);
}

gr_status gri_progress_erase(gri_progress *p)
{
    if (!p->visible) return GR_OK;
    gri_text t;
    begin(&t, p);
    gri_text_put(&t, to_start);
    gri_text_put(&t, erase_rest);
    p->visible = false;
    return end(&t);
}

/* Times are told by the speed. */
static bool is_shown(const char *name)
{
    return strcmp(name, "epoch") != 0 && strcmp(name, "seconds") != 0 && strcmp(name, "val_seconds") != 0;
}

gr_status gri_progress_epoch(gri_progress *p, double examples)
{
    const gr_history *h = p->history;
    if (!p->plan->progress || p->plan->bar_only) return GR_OK;
    gri_text t;
    begin(&t, p);
    put_epoch(&t, p, h->state.epochs);
    for (int i = 0; i < h->columns; i++) {
        if (!is_shown(h->names[i])) continue;
        gri_text_put(&t, "  ");
        gri_text_put(&t, h->names[i]);
        put_number(&t, " ", gr_history_last(h, h->names[i]), "");
    }
    put_speed(&t, examples, gr_history_last(h, "seconds"));
    gri_text_put(&t, "\n");
    return end(&t);
}
