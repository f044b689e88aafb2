/* Histories of training: see history.h. */
#include "train/history.h"
#include "base/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_ROWS = 16, EXACT_DIGITS = 17 };
static const int64_t most = (int64_t)1 << 53; /* of epochs and steps: whole numbers that a double holds */

gr_history *gr_history_create(gr_graph *g)
{
    if (!g || gr_graph_status(g) != GR_OK) return NULL;
    gr_history *h = gr_graph_alloc(g, sizeof *h);
    if (h) h->graph = g;
    return h;
}

/* ---- Columns ---- */

/* The names of columns, as they are collected. */
typedef struct list {
    int n;
    char names[GRI_FIT_COLUMNS][GR_FIT_NAME_BYTES];
} list;

static void put_name(list *l, const char *prefix, const char *name)
{
    snprintf(l->names[l->n++], GR_FIT_NAME_BYTES, "%s%s", prefix, name);
}

static void put_measured(list *l, const char *prefix, const gr_fit_plan *plan)
{
    put_name(l, prefix, "loss");
    for (int i = 0; i < plan->n_metrics; i++) put_name(l, prefix, plan->metrics[i].name);
    put_name(l, prefix, "seconds");
}

static gr_status check_metrics(gr_graph *g, const gr_fit_plan *plan)
{
    enum { MOST = GR_FIT_NAME_BYTES - 1 - (int)sizeof "val_" + 1 };
    if (plan->n_metrics < 0 || plan->n_metrics > GR_FIT_METRICS || (plan->n_metrics > 0 && !plan->metrics))
        return gr_graph_fail(g, GR_ERR_ARGUMENT, "fit: %d metrics at %s, expected 0 to %d", plan->n_metrics,
                             plan->metrics ? "an array" : "NULL", GR_FIT_METRICS);
    for (int i = 0; i < plan->n_metrics; i++) {
        const char *name = plan->metrics[i].name;
        if (!name || !*name || strlen(name) > MOST || strpbrk(name, ",\"\r\n"))
            return gr_graph_fail(
                g, GR_ERR_NAME,
                "fit: metric %d needs a name of 1 to %d bytes, without commas, quotes and ends "
                "of lines, and has \"%.80s\"",
                i + 1, MOST, name ? name : "");
    }
    return GR_OK;
}

/* Whether no two columns have one name (two metrics, or a metric named "seconds"), and the one that is to be monitored is
   among them. */
static gr_status check_names(gr_graph *g, const list *l, const char *monitor)
{
    bool found = !monitor;
    for (int i = 0; i < l->n && !found; i++) found = !strcmp(l->names[i], monitor);
    if (!found)
        return gr_graph_fail(g, GR_ERR_ARGUMENT,
                             "fit: \"%.80s\" is to be monitored, and is no column of the history", monitor);
    for (int i = 0; i < l->n; i++)
        for (int k = 0; k < i; k++)
            if (!strcmp(l->names[i], l->names[k]))
                return gr_graph_fail(g, GR_ERR_NAME, "fit: two columns would be named \"%s\"", l->names[i]);
    return GR_OK;
}

gr_status gri_history_begin(gr_history *h, const gr_fit_plan *plan)
{
    list l = {0};
    gr_status status = check_metrics(h->graph, plan);
    if (status != GR_OK) return status;
    put_name(&l, "", "epoch");
    put_measured(&l, "", plan);
    if (plan->validation) put_measured(&l, "val_", plan);
    put_name(&l, "", "rate");
    if ((status = check_names(h->graph, &l, plan->monitor)) != GR_OK) return status;
    if (h->columns == 0) {
        memcpy(h->names, l.names, sizeof h->names);
        h->columns = l.n;
    }
    for (int i = 0; i < l.n || i < h->columns; i++) {
        const char *has = i < h->columns ? h->names[i] : "none", *fills = i < l.n ? l.names[i] : "none";
        if (strcmp(has, fills) != 0)
            return gr_graph_fail(h->graph, GR_ERR_STATE,
                                 "fit: column %d of this history is %s, and of this plan %s", i + 1, has,
                                 fills);
    }
    return GR_OK;
}

/* ---- Rows ---- */

gr_status gri_history_reserve(gr_history *h)
{
    if (h->rows < h->capacity) return GR_OK;
    const int64_t capacity = h->capacity ? 2 * h->capacity : FIRST_ROWS;
    double *values = gr_graph_alloc(h->graph, (size_t)(capacity * h->columns) * sizeof *values);
    if (!values) return gr_graph_status(h->graph);
    for (int i = 0; i < h->columns && h->rows > 0; i++)
        memcpy(values + i * capacity, h->values + i * h->capacity, (size_t)h->rows * sizeof *values);
    h->values = values;
    h->capacity = capacity;
    return GR_OK;
}

/* Writes the next fields of a row. */
static int put_sums(gr_history *h, int column, const gri_fit_sums *sums, int n_metrics, double seconds)
{
    double *row = h->values + h->rows;
    row[column++ * h->capacity] = gr_average_value(sums->loss);
    for (int i = 0; i < n_metrics; i++) row[column++ * h->capacity] = gr_average_value(sums->metrics[i]);
    row[column++ * h->capacity] = seconds;
    return column;
}

void gri_history_add(gr_history *h, const gr_fit_plan *plan, const gri_fit_sums *validation,
                     double validation_seconds)
{
    h->state.epochs++;
    h->values[h->rows] = (double)h->state.epochs;
    int column = put_sums(h, 1, &h->sums, plan->n_metrics, h->seconds);
    if (validation) column = put_sums(h, column, validation, plan->n_metrics, validation_seconds);
    h->values[column * h->capacity + h->rows] = h->rate;
    h->rows++;
    memset(&h->sums, 0, sizeof h->sums);
    h->trained = false;
    h->seconds = 0;
}

/* ---- Reading ---- */

gr_fit_reason gr_history_reason(const gr_history *h) { return h ? h->reason : GR_FIT_ERROR; }

const char *gr_fit_reason_name(gr_fit_reason reason)
{
    static const char *const names[] = {"all epochs", "early stopping", "callback", "signal", "error"};
    const size_t i = (size_t)reason;
    return i < sizeof names / sizeof *names ? names[i] : "unknown reason";
}

int64_t gr_history_rows(const gr_history *h) { return h ? h->rows : 0; }
int gr_history_columns(const gr_history *h) { return h ? h->columns : 0; }

const char *gr_history_name(const gr_history *h, int column)
{
    return h && column >= 0 && column < h->columns ? h->names[column] : NULL;
}

/* The column of that name, or -1. */
static int find(const gr_history *h, const char *name)
{
    for (int i = 0; name && i < h->columns; i++)
        if (!strcmp(h->names[i], name)) return i;
    return -1;
}

const double *gr_history_values(const gr_history *h, const char *name)
{
    const int column = h ? find(h, name) : -1;
    return column >= 0 && h->values ? h->values + column * h->capacity : NULL;
}

double gr_history_last(const gr_history *h, const char *name)
{
    const double *values = gr_history_values(h, name);
    return values && h->rows > 0 ? values[h->rows - 1] : (double)NAN;
}

gr_history_state gr_history_get(const gr_history *h) { return h ? h->state : (gr_history_state){0, 0}; }

gr_status gr_history_set(gr_history *h, gr_history_state state)
{
    if (!h) return GR_ERR_HANDLE;
    if (gr_graph_status(h->graph) != GR_OK) return gr_graph_status(h->graph);
    if (state.epochs < 0 || state.epochs > most || state.steps < 0 || state.steps > most)
        return gr_graph_fail(h->graph, GR_ERR_ARGUMENT,
                             "history_set: %" PRId64 " epochs and %" PRId64
                             " steps, expected numbers from 0 to 2^53",
                             state.epochs, state.steps);
    if (h->running || h->rows > 0 || h->trained || h->sums.batches > 0)
        return gr_graph_fail(h->graph, GR_ERR_STATE,
                             "history_set: an epoch of this history is under way or finished");
    h->state = state;
    return GR_OK;
}

gr_status gr_history_write(const gr_history *h, gr_writer *write, void *user)
{
    gri_text t;
    char number[GRI_NUMBER_BYTES];
    if (!h || !write) return GR_ERR_ARGUMENT;
    gri_text_begin(&t, write, user, false);
    for (int i = 0; i < h->columns; i++) {
        gri_text_put(&t, h->names[i]);
        gri_text_put(&t, i + 1 < h->columns ? "," : "\n");
    }
    for (int64_t k = 0; k < h->rows; k++)
        for (int i = 0; i < h->columns; i++) {
            gri_number(number, h->values[i * h->capacity + k], EXACT_DIGITS, false);
            gri_text_put(&t, number);
            gri_text_put(&t, i + 1 < h->columns ? "," : "\n");
        }
    return gri_text_end(&t) ? GR_OK : GR_ERR_IO;
}
