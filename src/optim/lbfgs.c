/*
 * L-BFGS: directions from the last changes of parameters and gradient, steps from the line search.
 *
 * Invariants: while trial points are tried, each parameter has a spare that holds its elements at the point that was
 * accepted last. Bringing them back exchanges buffers, which cannot fail. What a function of the user may have freed or
 * written is looked up again after each call of one.
 */
#include "gradus/lbfgs.h"
#include "gradus/ops.h"
#include "graph/walk.h"
#include "optim/line_search.h"
#include "optim/optimizer.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { HISTORY = 10, ITERATIONS = 1000 };
static const char what[] = "lbfgs";

/* A parameter. */
typedef struct held {
    gr_tensor param, spare;
    int64_t first, count; /* its elements among those of all */
} held;

struct gr_lbfgs {
    gr_graph *graph;
    gr_lbfgs_options options; /* with defaults filled in */
    int n;
    int64_t size;         /* elements of all parameters */
    held *held;           /* NULL: released */
    gr_tensor *gradients; /* [2 n], during an evaluation: parameters, and their gradients */
    double *rho, *alpha;  /* [history]: 1 / s.y of each pair; for the two loops */
    gr_tensor vectors;    /* [4, size] */
    gr_tensor changes, gradient_changes;
    gr_lbfgs_state state;
    bool running; /* a function of the user may be on the stack */
};

const char *gr_lbfgs_stop_text(gr_lbfgs_stop stop)
{
    static const char *const texts[] = {
        [GR_LBFGS_FAILED] = "an error",
        [GR_LBFGS_GRADIENT] = "the gradient is small enough",
        [GR_LBFGS_CHANGE] = "the changes are small enough",
        [GR_LBFGS_MAX_ITERATIONS] = "all iterations are done",
        [GR_LBFGS_MAX_EVALUATIONS] = "all evaluations are done",
        [GR_LBFGS_NO_DECREASE] = "no lower point along the gradient",
        [GR_LBFGS_ON_STEP] = "on_step said so",
    };
    const size_t i = (size_t)stop;
    return i < sizeof texts / sizeof *texts ? texts[i] : "unknown";
}

/* ---- Vectors ---- */

/* The sum of a_i b_i, in an order that depends on n alone; LANES sums that a compiler can keep in vectors. */
static double dot(int64_t n, const double *a, const double *b)
{
    enum { LANES = 8 };
    double lane[LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; n - i >= LANES; i += LANES)
        for (int k = 0; k < LANES; k++) lane[k] += a[i + k] * b[i + k];
    for (; i < n; i++) sum += a[i] * b[i];
    for (int k = 0; k < LANES; k++) sum += lane[k];
    return sum;
}

/* to += factor x */
static void add_scaled(int64_t n, double *restrict to, double factor, const double *restrict x)
{
    for (int64_t i = 0; i < n; i++) to[i] += factor * x[i];
}

/* The largest |x_i|; NaN, if one is. */
static double largest(int64_t n, const double *x)
{
    double most = 0;
    for (int64_t i = 0; i < n && !isnan(most); i++)
        if (!(fabs(x[i]) <= most)) most = fabs(x[i]);
    return most;
}

static double sum_of_sizes(int64_t n, const double *x)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += fabs(x[i]);
    return sum;
}

/* Element i of f32 or f64. */
static double element(const gri_node *node, int64_t i)
{
    return node->array.type == GR_F32 ? (double)((const float *)node->array.data)[i]
                                      : ((const double *)node->array.data)[i];
}

static double *elements(gr_tensor t) { return gri_node_of(t)->array.data; }

/* ---- Making one ---- */

static int or_default(int value, int standard) { return value == 0 ? standard : value; }

static gr_lbfgs_options with_defaults(const gr_lbfgs_options *options)
{
    gr_lbfgs_options o = options ? *options : (gr_lbfgs_options){0};
    o.history = or_default(o.history, HISTORY);
    o.max_iterations = or_default(o.max_iterations, ITERATIONS);
    const int most = o.max_iterations > INT32_MAX / 10 ? INT32_MAX : 10 * o.max_iterations;
    o.max_evaluations = or_default(o.max_evaluations, most);
    if (o.gradient_tolerance == 0) o.gradient_tolerance = 1e-7;
    if (o.change_tolerance == 0) o.change_tolerance = 1e-9;
    if (o.c1 == 0) o.c1 = 1e-4;
    if (o.c2 == 0) o.c2 = 0.9;
    return o;
}

static gr_status check_options(gr_graph *g, const gr_lbfgs_options *o)
{
    const char *why = NULL;
    if (o->history < 0) why = "history must not be negative";
    if (o->max_iterations < 0 || o->max_evaluations < 0)
        why = "max_iterations and max_evaluations must not be negative";
    if (isnan(o->gradient_tolerance) || isnan(o->change_tolerance)) why = "a tolerance is NaN";
    if (!(o->c1 > 0 && o->c1 < o->c2 && o->c2 < 1)) why = "needs 0 < c1 < c2 < 1";
    return why ? gri_fail(g, GR_ERR_ARGUMENT, "%s: %s", what, why) : GR_OK;
}

/* Whether a parameter takes part: all that are listed, or those of the graph that are not frozen. */
static bool takes_part(const gr_lbfgs_options *o, gr_tensor t)
{
    return o->n > 0 || (gri_node_of(t)->flags & GRI_REQUIRES_GRAD);
}

/* Counts parameters and their elements. */
static gr_status count_params(gr_graph *g, const gr_lbfgs_options *o, int *n, int64_t *size)
{
    int count;
    const gr_status status = gri_check_params(g, what, o->n, o->params, &count);
    if (status != GR_OK) return status;
    *n = 0;
    *size = 0;
    for (int i = 0; i < count; i++) {
        const gr_tensor t = gri_listed_param(g, o->n, o->params, i);
        if (!takes_part(o, t)) continue;
        *size += gri_node_of(t)->array.count; /* each is below 2^60 bytes, and all are in memory */
        ++*n;
    }
    if (*n > 0) return GR_OK;
    return gri_fail(g, GR_ERR_ARGUMENT, "%s: no parameter requires a gradient: all are frozen", what);
}

static gr_status keep_matrix(gr_lbfgs *l, int64_t rows, gr_tensor *matrix)
{
    const int64_t dims[] = {rows, l->size};
    int64_t count;
    if (!gri_count(2, dims, GR_F64, &count))
        return gri_fail(l->graph, GR_ERR_OVERFLOW, "%s: a history of %lld rows of %lld elements", what,
                        (long long)rows, (long long)l->size);
    const gri_node *node = gri_keep_zeros(l->graph, GR_F64, 2, dims, count);
    if (node) *matrix = gri_handle(l->graph, node);
    return node ? GR_OK : l->graph->status;
}

static gr_status hold_params(gr_lbfgs *l, const gr_lbfgs_options *o)
{
    gr_graph *g = l->graph;
    int64_t first = 0;
    for (int i = 0, at = 0; at < l->n; i++) {
        const gr_tensor t = gri_listed_param(g, o->n, o->params, i);
        if (!takes_part(o, t)) continue;
        const gri_node *spare = gri_keep_zeros_like(g, gri_node_of(t));
        if (!spare) return g->status;
        l->held[at++] = (held){t, gri_handle(g, spare), first, spare->array.count};
        first += spare->array.count;
    }
    return GR_OK;
}

static void release_kept(gr_tensor t)
{
    gri_node *node = t.index ? gri_node_of(t) : NULL;
    if (node) gri_kept_release(t.graph, node);
}

/* Frees all but the block itself. */
static void release_contents(gr_lbfgs *l)
{
    for (int i = 0; l->held && i < l->n; i++) release_kept(l->held[i].spare);
    release_kept(l->vectors);
    release_kept(l->changes);
    release_kept(l->gradient_changes);
    if (l->held) gri_disown(l->graph, l->held);
    if (l->gradients) gri_disown(l->graph, l->gradients);
    if (l->rho) gri_disown(l->graph, l->rho);
    l->held = NULL;
}

static gr_status fill(gr_lbfgs *l, const gr_lbfgs_options *o)
{
    gr_graph *g = l->graph;
    const size_t n = (size_t)l->n, history = (size_t)l->options.history;
    l->held = gr_graph_alloc(g, n * sizeof *l->held);
    l->gradients = l->held ? gr_graph_alloc(g, 2 * n * sizeof *l->gradients) : NULL;
    l->rho = l->gradients ? gr_graph_alloc(g, 2 * history * sizeof *l->rho) : NULL;
    if (!l->rho) return g->status;
    l->alpha = l->rho + history;
    gr_status status = hold_params(l, o);
    if (status == GR_OK) status = keep_matrix(l, 4, &l->vectors);
    if (status == GR_OK) status = keep_matrix(l, l->options.history, &l->changes);
    if (status == GR_OK) status = keep_matrix(l, l->options.history, &l->gradient_changes);
    return status;
}

gr_lbfgs *gr_lbfgs_create(gr_graph *g, const gr_lbfgs_options *options)
{
    const gr_lbfgs_options o = with_defaults(options);
    int n;
    int64_t size;
    if (!g || g->status != GR_OK || check_options(g, &o) != GR_OK || count_params(g, &o, &n, &size) != GR_OK)
        return NULL;
    gr_lbfgs *l = gr_graph_alloc(g, sizeof *l);
    if (!l) return NULL;
    *l = (gr_lbfgs){.graph = g, .options = o, .n = n, .size = size};
    l->options.params = NULL; /* the caller's list need not live */
    if (fill(l, &o) == GR_OK) return l;
    release_contents(l);
    gri_disown(g, l);
    return NULL;
}

static gr_status check_usable(const gr_lbfgs *l)
{
    if (!l) return GR_ERR_HANDLE;
    if (l->graph->status != GR_OK) return l->graph->status;
    if (!l->held) return gri_fail(l->graph, GR_ERR_STATE, "%s: it was released", what);
    if (l->running) return gri_fail(l->graph, GR_ERR_STATE, "%s: called in its own run", what);
    return GR_OK;
}

gr_status gr_lbfgs_release(gr_lbfgs *l)
{
    if (!l) return GR_ERR_HANDLE;
    if (!l->held) return gri_fail(l->graph, GR_ERR_STATE, "%s: it was released before", what);
    if (l->running) return gri_fail(l->graph, GR_ERR_STATE, "%s: released in its own run", what);
    const gr_status status = gri_check_no_walk(l->graph, what);
    if (status == GR_OK) release_contents(l);
    return status;
}

/* ---- History ---- */

/* Both matrices, alive and writable. */
static gr_status open_history(const gr_lbfgs *l)
{
    const gr_tensor matrices[] = {l->changes, l->gradient_changes};
    for (int i = 0; i < 2; i++) {
        gri_node *node = gri_node_of(matrices[i]);
        if (!node) return gri_fail(l->graph, GR_ERR_STALE, "%s: what it remembers was released", what);
        const gr_status status = gri_make_writable(l->graph, node, true);
        if (status != GR_OK) return status;
    }
    return GR_OK;
}

static double *row(const gr_lbfgs *l, gr_tensor matrix, int k) { return elements(matrix) + k * l->size; }

/* Whether a pair says something of the curvature; its rho. */
static bool is_useful(int64_t n, const double *s, const double *y, double *rho)
{
    const double sy = dot(n, s, y), ss = dot(n, s, s), yy = dot(n, y, y);
    *rho = 1 / sy;
    return sy > DBL_EPSILON * sqrt(ss) * sqrt(yy) && isfinite(*rho) && isfinite(yy);
}

gr_lbfgs_state gr_lbfgs_get(const gr_lbfgs *l) { return l ? l->state : (gr_lbfgs_state){0, 0}; }

gr_status gr_lbfgs_set(gr_lbfgs *l, gr_lbfgs_state state)
{
    gr_status status = check_usable(l);
    if (status == GR_OK) status = open_history(l);
    if (status != GR_OK) return status;
    const int m = l->options.history;
    if (state.pairs < 0 || state.pairs > m || state.next < 0 || state.next >= m ||
        (state.pairs < m && state.next != state.pairs))
        return gri_fail(l->graph, GR_ERR_ARGUMENT,
                        "%s: a state that cannot be: %d pairs of %d, the next one %d", what, state.pairs, m,
                        state.next);
    for (int k = 0; k < state.pairs; k++)
        if (!is_useful(l->size, row(l, l->changes, k), row(l, l->gradient_changes, k), &l->alpha[k]))
            return gri_fail(l->graph, GR_ERR_ARGUMENT, "%s: pair %d of %d of the history has no curvature",
                            what, k, state.pairs);
    memcpy(l->rho, l->alpha, (size_t)state.pairs * sizeof *l->rho);
    l->state = state;
    return GR_OK;
}

static gr_tensor matrix_of(const gr_lbfgs *l, bool of_gradient)
{
    if (!l) return gri_invalid(NULL);
    if (l->held) return of_gradient ? l->gradient_changes : l->changes;
    gri_fail(l->graph, GR_ERR_STATE, "%s: it was released", what);
    return gri_invalid(l->graph);
}

gr_tensor gr_lbfgs_changes(gr_lbfgs *l) { return matrix_of(l, false); }
gr_tensor gr_lbfgs_gradient_changes(gr_lbfgs *l) { return matrix_of(l, true); }

/* ---- Points ---- */

typedef struct run {
    gr_lbfgs *l;
    gr_loss_function *loss;
    void *user;
    gr_rng_state rng;
    double *p, *g, *trial,
        *lowest; /* direction; gradient at the accepted point, the last trial, the lowest one */
    gri_line_point lowest_point; /* of the search; at 0 if no trial was lower than the accepted point */
    bool last_is_lowest;         /* the gradient of the last trial is in `lowest` */
    double loss_noise;           /* of the loss's type, relative */
    gr_lbfgs_result result;
} run;

/* Remembers the accepted point in the spares, and makes all writable. */
static gr_status save_point(const gr_lbfgs *l)
{
    for (int i = 0; i < l->n; i++) {
        gri_node *param = gri_node_of(l->held[i].param), *spare = gri_node_of(l->held[i].spare);
        if (!param)
            return gri_fail(l->graph, GR_ERR_STALE, "%s: parameter %d of %d was released", what, i + 1, l->n);
        gr_status status = gri_make_writable(l->graph, param, true);
        if (status == GR_OK) status = gri_make_writable(l->graph, spare, false);
        if (status != GR_OK) return status;
        memcpy(spare->array.data, param->array.data,
               (size_t)l->held[i].count * gri_element_bytes(param->array.type));
    }
    return GR_OK;
}

/* Brings the accepted point back, by exchanging the elements of parameters and spares. */
static void restore_point(const gr_lbfgs *l)
{
    for (int i = 0; i < l->n; i++) {
        gri_node *param = gri_node_of(l->held[i].param), *spare = gri_node_of(l->held[i].spare);
        if (!param) continue;
        gri_buffer *buffer = param->buffer;
        void *data = param->array.data;
        param->buffer = spare->buffer;
        param->array.data = spare->array.data;
        spare->buffer = buffer;
        spare->array.data = data;
        param->version++;
    }
}

static void write_step(const held *h, const double *p, double at)
{
    gri_node *param = gri_node_of(h->param);
    const void *from = gri_node_of(h->spare)->array.data;
    p += h->first;
    if (param->array.type == GR_F32) {
        float *x = param->array.data;
        for (int64_t i = 0; i < h->count; i++) x[i] = (float)((double)((const float *)from)[i] + at * p[i]);
    } else {
        double *x = param->array.data;
        for (int64_t i = 0; i < h->count; i++) x[i] = ((const double *)from)[i] + at * p[i];
    }
    param->version++;
}

/* Parameters to the accepted point plus `at` p; all or none of them. */
static gr_status move_to(const run *r, double at)
{
    const gr_lbfgs *l = r->l;
    for (int i = 0; i < l->n; i++) {
        gri_node *param = gri_node_of(l->held[i].param);
        if (!param)
            return gri_fail(l->graph, GR_ERR_STALE, "%s: parameter %d of %d was released by the loss", what,
                            i + 1, l->n);
        const gr_status status = gri_make_writable(l->graph, param, true);
        if (status != GR_OK) return status;
    }
    for (int i = 0; i < l->n; i++) write_step(&l->held[i], r->p, at);
    return GR_OK;
}

/* ---- Evaluating ---- */

/* gr_loss_function as a gr_function. */
static gr_tensor call_loss(gr_graph *g, int n, const gr_tensor *inputs, void *user)
{
    const run *r = user;
    (void)n, (void)inputs;
    return r->loss(g, r->user);
}

/* What the loss returned, if it can be differentiated; else NULL, and the error set. */
static const gri_node *take_loss(run *r)
{
    gr_graph *g = r->l->graph;
    bool tidy;
    const gr_tensor t = gri_call_function(g, call_loss, 0, NULL, r, &tidy);
    if (!tidy)
        gri_fail(g, GR_ERR_STATE, "%s: the loss opened a scope or a no_grad region and left it open", what);
    const gri_node *node = t.graph == g ? gri_lookup(g, t.index, t.generation) : NULL;
    if (!node) gri_fail(g, GR_ERR_CALLBACK, "%s: the loss returned no tensor of this graph", what);
    if (g->status != GR_OK) return NULL;
    if (!gr_type_is_float(node->array.type))
        gri_fail_about(g, GR_ERR_TYPE, node, "%s: the loss must be f32 or f64", what);
    else if (node->array.count != 1)
        gri_fail_about(g, GR_ERR_NOT_SCALAR, node, "%s: the loss must have one element", what);
    else if (!(node->flags & GRI_REQUIRES_GRAD))
        gri_fail_about(g, GR_ERR_NO_HISTORY, node, "%s: the loss depends on nothing that requires a gradient",
                       what);
    return g->status == GR_OK ? node : NULL;
}

/* The gradient of the loss, into `to`. *bad: the first parameter for which it is not finite; -1: none. */
static gr_status take_gradient(const run *r, const gri_node *loss, double *to, int *bad)
{
    const gr_lbfgs *l = r->l;
    const gr_tensor t = gri_handle(l->graph, loss);
    gr_tensor *gradients = l->gradients + l->n;
    for (int i = 0; i < l->n; i++) l->gradients[i] = l->held[i].param;
    const gr_status status = gri_grad(what, 1, &t, l->n, l->gradients, NULL, NULL, gradients);
    if (status != GR_OK) return status;
    *bad = -1;
    for (int i = 0; i < l->n; i++) {
        const held *h = &l->held[i];
        const gr_tensor contiguous = gr_contiguous(gradients[i]);
        if (contiguous.index == 0) return l->graph->status;
        const gri_node *node = gri_node_of(contiguous);
        for (int64_t k = 0; k < h->count; k++) to[h->first + k] = element(node, k);
        if (*bad < 0 && !isfinite(largest(h->count, to + h->first))) *bad = i;
    }
    return GR_OK;
}

/* Loss and gradient, into r->trial, where the parameters are. */
static gr_status evaluate(run *r, double *value, int *bad)
{
    gr_graph *g = r->l->graph;
    const gr_scope scope = gr_scope_begin(g);
    if (g->status != GR_OK) return g->status;
    r->result.evaluations++;
    g->rng = r->rng;
    const gri_node *loss = take_loss(r);
    if (loss) {
        *value = element(loss, 0);
        *bad = -1;
        r->loss_noise = loss->array.type == GR_F32 ? FLT_EPSILON : DBL_EPSILON;
        if (isfinite(*value)) take_gradient(r, loss, r->trial, bad);
    }
    gr_scope_end(scope, 0, NULL);
    return g->status;
}

/* For the line search. */
static bool evaluate_step(void *user, gri_line_point *p)
{
    run *r = user;
    int bad = -1;
    if (r->result.evaluations >= r->l->options.max_evaluations) return false;
    if (move_to(r, p->at) != GR_OK || evaluate(r, &p->value, &bad) != GR_OK) return false;
    p->slope = isfinite(p->value) && bad < 0 ? dot(r->l->size, r->trial, r->p) : NAN;
    if (!isfinite(p->slope)) p->value = INFINITY;
    r->last_is_lowest = p->value < r->lowest_point.value;
    if (r->last_is_lowest) {
        double *gradient = r->trial;
        r->trial = r->lowest;
        r->lowest = gradient;
        r->lowest_point = *p;
    }
    return true;
}

/* ---- An iteration ---- */

/* p = -g, scaled if its slope could not be told otherwise. */
static double steepest(run *r)
{
    const int64_t n = r->l->size;
    const double square = dot(n, r->g, r->g), scale = isfinite(square) ? 1 : 1 / largest(n, r->g);
    for (int64_t i = 0; i < n; i++) r->p[i] = -scale * r->g[i];
    return dot(n, r->p, r->g);
}

/* p = H p, by the two loops. */
static void apply_history(const gr_lbfgs *l, double *p)
{
    const int64_t n = l->size;
    const int m = l->options.history, newest = (l->state.next + m - 1) % m;
    int k = l->state.next;
    for (int i = 0; i < l->state.pairs; i++) {
        k = (k + m - 1) % m;
        l->alpha[k] = l->rho[k] * dot(n, row(l, l->changes, k), p);
        add_scaled(n, p, -l->alpha[k], row(l, l->gradient_changes, k));
    }
    const double *y = row(l, l->gradient_changes, newest);
    const double scale = 1 / (l->rho[newest] * dot(n, y, y));
    for (int64_t i = 0; i < n; i++) p[i] *= scale;
    for (int i = 0; i < l->state.pairs; i++, k = (k + 1) % m) {
        const double beta = l->rho[k] * dot(n, row(l, l->gradient_changes, k), p);
        add_scaled(n, p, l->alpha[k] - beta, row(l, l->changes, k));
    }
}

/* p, and the slope along it: -H g, or along -g without history, or if the former does not lead down. */
static double choose_direction(run *r)
{
    gr_lbfgs *l = r->l;
    if (l->state.pairs > 0) {
        for (int64_t i = 0; i < l->size; i++) r->p[i] = -r->g[i];
        apply_history(l, r->p);
        const double slope = dot(l->size, r->p, r->g);
        if (slope < 0 && isfinite(slope) && isfinite(largest(l->size, r->p))) return slope;
        l->state = (gr_lbfgs_state){0, 0};
    }
    return steepest(r);
}

/* Steps along p that differ by less than this lead to the same elements. */
static double resolution(const run *r)
{
    const gr_lbfgs *l = r->l;
    double least = INFINITY;
    for (int i = 0; i < l->n; i++) {
        const held *h = &l->held[i];
        const gri_node *x = gri_node_of(h->spare);
        const double fastest = largest(h->count, r->p + h->first);
        double most = 0;
        for (int64_t k = 0; k < h->count; k++) most = fmax(most, fabs(element(x, k)));
        if (fastest > 0)
            least = fmin(least, most * (x->array.type == GR_F32 ? FLT_EPSILON : DBL_EPSILON) / 2 / fastest);
    }
    return isfinite(least) ? least : 0;
}

/* The pair of the last step into the history, if it is of use. */
static void remember(gr_lbfgs *l, const double *s, const double *y)
{
    double rho;
    const int k = l->state.next, m = l->options.history;
    if (!is_useful(l->size, s, y, &rho)) return;
    memcpy(row(l, l->changes, k), s, (size_t)l->size * sizeof *s);
    memcpy(row(l, l->gradient_changes, k), y, (size_t)l->size * sizeof *y);
    l->rho[k] = rho;
    l->state.next = (k + 1) % m;
    if (l->state.pairs < m) l->state.pairs++;
}

/* Takes the new point, where the parameters are. p and the old gradient are not needed any more: they become s and y. */
static gr_status accept(run *r, const gri_line_point *point, double **gradient, gr_lbfgs_step *step)
{
    gr_lbfgs *l = r->l;
    const gr_status status = open_history(l);
    if (status != GR_OK) return status;
    double *s = r->p, *y = r->g;
    for (int i = 0; i < l->n; i++) {
        const held *h = &l->held[i];
        const gri_node *param = gri_node_of(h->param), *spare = gri_node_of(h->spare);
        for (int64_t k = 0; k < h->count; k++) s[h->first + k] = element(param, k) - element(spare, k);
    }
    for (int64_t i = 0; i < l->size; i++) y[i] = (*gradient)[i] - y[i];
    remember(l, s, y);
    step->change_max = largest(l->size, s);
    r->g = *gradient;
    *gradient = y;
    r->result.loss = point->value;
    r->result.gradient_max = largest(l->size, r->g);
    r->result.iterations++;
    return GR_OK;
}

/* The search, from the accepted point along p. Whether a new point was accepted; else the parameters are back, with or
   without an error. */
static bool search(run *r, double slope, gr_lbfgs_step *step)
{
    gr_lbfgs *l = r->l;
    gr_graph *g = l->graph;
    const double f = r->result.loss;
    r->lowest_point = (gri_line_point){0, f, slope};
    const gri_line line = {
        .evaluate = evaluate_step,
        .user = r,
        .start = {0, f, slope},
        .first = l->state.pairs > 0 ? 1 : fmin(1, fmax(1 / sum_of_sizes(l->size, r->p), DBL_MIN)),
        .c1 = l->options.c1,
        .c2 = l->options.c2,
        .resolution = resolution(r),
        .noise = r->loss_noise * fabs(f)};
    gri_line_point found = {0, f, slope};
    const gri_line_end end = gri_line_search(&line, &found);
    bool good = g->status == GR_OK && end == GRI_LINE_WOLFE;
    double **gradient = good && !r->last_is_lowest ? &r->trial : &r->lowest;
    if (g->status == GR_OK && !good && r->lowest_point.at > 0) {
        found = r->lowest_point;
        good = move_to(r, found.at) == GR_OK;
    }
    if (good && accept(r, &found, gradient, step) == GR_OK) {
        step->length = found.at;
        step->wolfe = end == GRI_LINE_WOLFE;
        return true;
    }
    restore_point(l);
    return false;
}

/* One iteration. Whether to go on; if not, *stop says why, or there is an error. */
static bool iterate(run *r, gr_lbfgs_stop *stop)
{
    gr_lbfgs *l = r->l;
    const gr_lbfgs_options *o = &l->options;
    const double before = r->result.loss;
    gr_lbfgs_step step = {0};
    if (open_history(l) != GR_OK || save_point(l) != GR_OK) return false;
    const double slope = choose_direction(r);
    if (!search(r, slope, &step)) {
        *stop = r->result.evaluations >= o->max_evaluations ? GR_LBFGS_MAX_EVALUATIONS : GR_LBFGS_NO_DECREASE;
        const bool retry = l->state.pairs > 0 && *stop == GR_LBFGS_NO_DECREASE;
        if (retry) l->state = (gr_lbfgs_state){0, 0}; /* once more, along the gradient */
        return retry;
    }
    step.iteration = r->result.iterations;
    step.evaluations = r->result.evaluations;
    step.loss = r->result.loss;
    step.gradient_max = r->result.gradient_max;
    *stop = GR_LBFGS_ON_STEP;
    if (o->on_step && !o->on_step(&step, o->on_step_user)) return false;
    *stop = step.gradient_max <= o->gradient_tolerance ? GR_LBFGS_GRADIENT : GR_LBFGS_CHANGE;
    return !(step.change_max <= o->change_tolerance || fabs(step.loss - before) <= o->change_tolerance);
}

/* ---- A run ---- */

/* Loss and gradient where the parameters are. */
static gr_status begin(run *r)
{
    gr_lbfgs *l = r->l;
    gr_graph *g = l->graph;
    double value = NAN;
    int bad = -1;
    gr_status status = open_history(l);
    if (status == GR_OK) status = save_point(l);
    if (status == GR_OK) status = evaluate(r, &value, &bad);
    if (status != GR_OK) return status;
    r->result.first_loss = r->result.loss = value;
    if (!isfinite(value))
        return gri_fail(g, GR_ERR_NOT_FINITE, "%s: the loss at the start is %g", what, value);
    if (bad >= 0) {
        const gri_node *param = gri_node_of(l->held[bad].param);
        return gri_fail(g, GR_ERR_NOT_FINITE, "%s: the gradient of %s at the start is not finite", what,
                        param ? param->name : "a parameter");
    }
    double *gradient = r->g;
    r->g = r->trial;
    r->trial = gradient;
    r->result.gradient_max = largest(l->size, r->g);
    return GR_OK;
}

static gr_status go(gr_lbfgs *l, gr_loss_function *loss, void *user, gr_lbfgs_result *result)
{
    gr_graph *g = l->graph;
    const gr_lbfgs_options *o = &l->options;
    double *vectors = elements(l->vectors);
    run r = {.l = l,
             .loss = loss,
             .user = user,
             .rng = g->rng,
             .p = vectors,
             .g = vectors + l->size,
             .trial = vectors + 2 * l->size,
             .lowest = vectors + 3 * l->size,
             .result = {.first_loss = NAN, .loss = NAN, .gradient_max = NAN}};
    gr_lbfgs_stop stop = GR_LBFGS_FAILED;
    begin(&r);
    for (bool more = true; more && g->status == GR_OK;) {
        more = false;
        if (r.result.gradient_max <= fmax(o->gradient_tolerance, 0))
            stop = GR_LBFGS_GRADIENT;
        else if (r.result.iterations >= o->max_iterations)
            stop = GR_LBFGS_MAX_ITERATIONS;
        else if (r.result.evaluations >= o->max_evaluations)
            stop = GR_LBFGS_MAX_EVALUATIONS;
        else
            more = iterate(&r, &stop);
    }
    r.result.stop = g->status == GR_OK ? stop : GR_LBFGS_FAILED;
    *result = r.result;
    return g->status;
}

gr_status gr_lbfgs_run(gr_lbfgs *l, gr_loss_function *loss, void *user, gr_lbfgs_result *result)
{
    gr_lbfgs_result unused;
    gr_lbfgs_result *to = result ? result : &unused;
    *to = (gr_lbfgs_result){.first_loss = NAN, .loss = NAN, .gradient_max = NAN};
    gr_status status = check_usable(l);
    if (status == GR_OK) status = gri_check_no_walk(l->graph, what);
    if (status != GR_OK) return status;
    if (!loss) return gri_fail(l->graph, GR_ERR_ARGUMENT, "%s: there is no loss: NULL", what);
    l->running = true;
    status = go(l, loss, user, to);
    l->running = false;
    return status;
}

gr_status gr_lbfgs_minimize(gr_graph *g, gr_loss_function *loss, void *user, const gr_lbfgs_options *options,
                            gr_lbfgs_result *result)
{
    if (result) *result = (gr_lbfgs_result){.first_loss = NAN, .loss = NAN, .gradient_max = NAN};
    if (!g) return GR_ERR_HANDLE;
    gr_lbfgs *l = gr_lbfgs_create(g, options);
    if (!l) return g->status;
    const gr_status status = gr_lbfgs_run(l, loss, user, result);
    release_contents(l);
    gri_disown(g, l);
    return status;
}
