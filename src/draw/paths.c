/*
 * Derivation paths: counted, summed and ranked by dynamic programming over the graph of numbers, whose order is
 * topological. Nothing enumerates paths but the listing of the largest.
 *
 * The k largest paths to a node are among the k largest to each node above it, one edge longer: magnitudes are
 * multiplied by one and the same factor, which keeps their order (NaN above all, 0 below; 0 times anything is 0).
 */
#include "draw/derivation.h"
#include "draw/output.h"
#include "gradus/autograd.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DEFAULT_TOP = 8, DEFAULT_DIGITS = 6, MOST_DIGITS = 17, NAME_BYTES = 256, ALL_DIGITS = 17 };

/* Above this, whole numbers have gaps. */
static const double exact_count = 9007199254740992.0; /* 2^53 */

/* A path from the root to a node, as its last edge and the path before that. */
typedef struct candidate {
    double product;
    uint32_t edge, rank;
} candidate;

typedef struct finder {
    gr_paths *p;
    gri_derivation *d;
    gr_graph *g;
    uint32_t top;
    candidate *best;                  /* `top` of each node on a path, largest first */
    uint32_t *place;                  /* by node: where its candidates are */
    uint32_t *n;                      /* by node: so many there are */
    double *count, *live, *magnitude; /* by node: of paths from the root; without zeros; sum of |products| */
    size_t n_places;
} finder;

/* ---- On a path ---- */

/* A node is on a path if the root leads to it, as it does to all, and it leads to `by`. */
static void mark_leads(const finder *f)
{
    const gri_scalars *s = &f->d->s;
    if (f->d->by == GRI_NO_SCALAR) return;
    f->d->leads[f->d->by] = 1;
    for (uint32_t i = f->d->by + 1; i < s->n_nodes; i++) {
        const gri_scalar *node = &s->node[i];
        for (uint32_t k = 0; k < node->n_edges; k++)
            if (f->d->leads[s->edge[node->first_edge + k].to]) f->d->leads[i] = 1;
    }
}

static bool is_on_path(const gri_derivation *d, const gri_scalar_edge *e)
{
    return d->leads[e->from] && d->leads[e->to] && e->from != d->by;
}

/* ---- Counting ---- */

static void count_paths(const finder *f)
{
    const gri_scalars *s = &f->d->s;
    f->count[s->root] = f->live[s->root] = f->magnitude[s->root] = 1;
    for (uint32_t i = s->n_nodes; i-- > 0;) {
        const gri_scalar *node = &s->node[i];
        for (uint32_t k = 0; k < node->n_edges; k++) {
            const gri_scalar_edge *e = &s->edge[node->first_edge + k];
            f->count[e->to] += f->count[i];
            if (e->partial != 0) f->live[e->to] += f->live[i];
            f->magnitude[e->to] += gri_chain(f->magnitude[i], fabs(e->partial));
        }
    }
}

/* ---- Ranking ---- */

/* Whether a magnitude stands before another. */
static bool is_before(double a, double b)
{
    if (isnan(a) || isnan(b)) return isnan(a) && !isnan(b);
    return fabs(a) > fabs(b);
}

/* Whether a candidate of a node stands before another: of equal ones that of the lower edge. Nodes are taken from the top
   down, and the candidates of one edge in their order. */
static bool is_preferred(const candidate *a, const candidate *b)
{
    if (is_before(a->product, b->product)) return true;
    return !is_before(b->product, a->product) && a->edge < b->edge;
}

static void insert(const finder *f, uint32_t node, candidate c)
{
    candidate *best = f->best + (size_t)f->place[node] * f->top;
    uint32_t *n = &f->n[node];
    if (*n == f->top && !is_preferred(&c, &best[*n - 1])) return;
    uint32_t at = *n < f->top ? (*n)++ : *n - 1;
    for (; at > 0 && is_preferred(&c, &best[at - 1]); at--) best[at] = best[at - 1];
    best[at] = c;
}

static void rank_paths(const finder *f)
{
    const gri_scalars *s = &f->d->s;
    insert(f, s->root, (candidate){1, UINT32_MAX, 0});
    for (uint32_t i = s->n_nodes; i-- > 0;) {
        const gri_scalar *node = &s->node[i];
        for (uint32_t k = 0; k < node->n_edges; k++) {
            const uint32_t edge = node->first_edge + k;
            const gri_scalar_edge *e = &s->edge[edge];
            if (!is_on_path(f->d, e)) continue;
            for (uint32_t rank = 0; rank < f->n[i]; rank++) {
                const double before = f->best[(size_t)f->place[i] * f->top + rank].product;
                insert(f, e->to, (candidate){gri_chain(before, e->partial), edge, rank});
            }
        }
    }
}

/* ---- Listing ---- */

static const candidate *candidate_of(const finder *f, uint32_t node, uint32_t rank)
{
    return &f->best[(size_t)f->place[node] * f->top + rank];
}

/* The number of edges of the path with that rank; fills them in, unless `to` is NULL. */
static uint32_t trace(const finder *f, uint32_t rank, uint32_t n, uint32_t *to)
{
    const gri_scalars *s = &f->d->s;
    uint32_t length = 0;
    for (uint32_t node = f->d->by; node != s->root; length++) {
        const candidate *c = candidate_of(f, node, rank);
        if (to) to[n - 1 - length] = c->edge;
        node = s->edge[c->edge].from;
        rank = c->rank;
    }
    return length;
}

/* Texts are collected in memory of the derivation; places first, for it moves. */
static bool write_text(const char *text, size_t length, void *user)
{
    gri_text *counted = user; /* only the length is counted, there */
    (void)text;
    counted->used += length;
    return true;
}

typedef struct text_room {
    char *to;
    size_t used;
} text_room;

static bool fill_text(const char *text, size_t length, void *user)
{
    text_room *room = user;
    memcpy(room->to + room->used, text, length);
    room->used += length;
    return true;
}

/* The symbol of an edge into `room`, or only its length if that is NULL. */
static size_t symbol_text(const gri_scalars *s, const gri_scalar_edge *e, char *to)
{
    gri_text text, counted = {.used = 0};
    text_room room = {to, 0};
    gri_text_begin(&text, to ? fill_text : write_text, to ? (void *)&room : (void *)&counted, false);
    gri_put_symbol(&text, s, e, GRI_PLAIN);
    gri_text_end(&text);
    return to ? room.used : counted.used;
}

static void measure(const finder *f)
{
    gri_derivation *d = f->d;
    d->n_routes = d->by == GRI_NO_SCALAR ? 0 : f->n[d->by];
    for (uint32_t rank = 0; rank < d->n_routes; rank++) d->n_steps += trace(f, rank, 0, NULL);
}

static gr_status list_paths(const finder *f)
{
    gri_derivation *d = f->d;
    const gri_scalars *s = &d->s;
    gri_memory *m = &f->g->memory;
    measure(f);
    d->routes = gri_alloc(m, d->n_routes * sizeof *d->routes);
    d->paths = gri_alloc(m, d->n_routes * sizeof *d->paths);
    d->steps = gri_alloc(m, d->n_steps * sizeof *d->steps);
    d->factors = gri_alloc_zeroed(m, d->n_steps * sizeof *d->factors);
    if (!d->routes || !d->paths || !d->steps || !d->factors)
        return gri_fail_memory(f->g, "paths", d->n_steps * sizeof *d->factors);
    uint32_t first = 0;
    for (uint32_t rank = 0; rank < d->n_routes; rank++) {
        const uint32_t n = trace(f, rank, 0, NULL);
        trace(f, rank, n, d->steps + first);
        d->routes[rank] = (gri_route){first, n};
        d->paths[rank] = (gr_path){.product = candidate_of(f, d->by, rank)->product,
                                   .n_factors = (int)n,
                                   .factors = d->factors + first};
        for (uint32_t k = 0; k < n; k++) d->paths[rank].n_zeros += s->edge[d->steps[first + k]].partial == 0;
        first += n;
    }
    return GR_OK;
}

static gr_status fill_factors(const finder *f)
{
    gri_derivation *d = f->d;
    const gri_scalars *s = &d->s;
    for (size_t i = 0; i < d->n_steps; i++) {
        const gri_scalar_edge *e = &s->edge[d->steps[i]];
        if (gri_has_symbol(s, e)) d->text_bytes += symbol_text(s, e, NULL) + 1;
    }
    d->texts = gri_alloc(&f->g->memory, d->text_bytes + NAME_BYTES);
    if (!d->texts) return gri_fail_memory(f->g, "paths", d->text_bytes + NAME_BYTES);
    d->text_bytes += NAME_BYTES;
    char *to = d->texts + NAME_BYTES;
    for (size_t i = 0; i < d->n_steps; i++) {
        const gri_scalar_edge *e = &s->edge[d->steps[i]];
        d->factors[i] = (gr_path_factor){
            .of = s->node[e->from].name, .by = s->node[e->to].name, .value = e->partial};
        if (!gri_has_symbol(s, e)) continue;
        const size_t length = symbol_text(s, e, to);
        to[length] = '\0';
        d->factors[i].symbol = to;
        to += length + 1;
    }
    return GR_OK;
}

/* ---- What backward gives ---- */

/* The gradient by a walk over the tensors, as if nothing had been released and no hooks were there: flags that say so
   are taken off what is walked over, and put back. */
static gr_status walk(const finder *f, gr_tensor of, gr_tensor by, const gr_paths_options *o, uint32_t *flags)
{
    const gri_scalars *s = &f->d->s;
    gr_graph *g = f->g;
    const gri_mark mark = gri_mark_here(g);
    const gri_calm before = gri_calm_begin(g);
    for (uint32_t i = 0; i < s->n_tensors; i++)
        flags[i] = gri_strip(gri_lookup(g, s->tensor[i].tensor.index, s->tensor[i].tensor.generation));
    const gr_array *a = &gri_lookup(g, of.index, of.generation)->array;
    const gri_recipe r = {.type = a->type, .ndim = a->ndim, .dims = a->dims, .count = a->count};
    const gri_node *cotangent = gri_push(g, &r);
    gr_tensor gradient = gri_invalid(g);
    if (cotangent) {
        memset(cotangent->array.data, 0, (size_t)a->count * gri_element_bytes(a->type));
        if (a->type == GR_F64)
            ((double *)cotangent->array.data)[o->of_element] = 1;
        else
            ((float *)cotangent->array.data)[o->of_element] = 1;
        const gr_tensor handle = gri_handle(g, cotangent);
        gr_grad(1, &of, 1, &by, &handle, &(gr_grad_options){.retain = true}, &gradient);
    }
    for (uint32_t i = 0; i < s->n_tensors; i++)
        gri_lookup(g, s->tensor[i].tensor.index, s->tensor[i].tensor.generation)->flags |= flags[i];
    const gri_node *node = gri_lookup(g, gradient.index, gradient.generation);
    if (node) {
        int64_t offset = 0, rest = o->by_element;
        for (int axis = node->array.ndim; axis-- > 0; rest /= node->array.dims[axis])
            offset += rest % node->array.dims[axis] * node->array.strides[axis];
        f->p->gradient = gri_element(&node->array, offset);
        f->p->has_gradient = true;
    }
    gri_calm_end(g, &before);
    gri_pop(g, mark);
    return g->status;
}

static gr_status find_gradient(const finder *f, gr_tensor of, gr_tensor by, const gr_paths_options *o)
{
    if (!gr_requires_grad(of) || !gr_requires_grad(by)) return f->g->status;
    const size_t bytes = f->d->s.n_tensors * sizeof(uint32_t);
    uint32_t *flags = gri_alloc(&f->g->memory, bytes);
    if (!flags) return gri_fail_memory(f->g, "paths", bytes);
    gr_status status = walk(f, of, by, o, flags);
    gri_free(&f->g->memory, flags, bytes);
    const gr_paths *p = f->p;
    /* far above what rounding can do, far below what a wrong rule does */
    const double tolerance = (gr_type_of(of) == GR_F64 ? 1e-8 : 1e-3) * p->magnitude;
    const bool finite = isfinite(p->total) && isfinite(p->gradient) && isfinite(tolerance);
    if (status == GR_OK && finite && fabs(p->total - p->gradient) > tolerance + 1e-300)
        status = gri_fail(
            f->g, GR_ERR_CALLBACK,
            "paths: the sum of the paths is %g, but backward gives %g: the rule of a primitive is not "
            "linear in its cotangent",
            p->total, p->gradient);
    return status;
}

/* ---- The whole ---- */

static void free_finder(finder *f)
{
    gri_memory *m = &f->g->memory;
    const size_t n = f->d->s.n_nodes;
    gri_free(m, f->best, f->n_places * f->top * sizeof *f->best);
    gri_free(m, f->place, n * sizeof *f->place);
    gri_free(m, f->n, n * sizeof *f->n);
    gri_free(m, f->count, n * sizeof *f->count);
    gri_free(m, f->live, n * sizeof *f->live);
    gri_free(m, f->magnitude, n * sizeof *f->magnitude);
}

static gr_status allocate(finder *f)
{
    gri_memory *m = &f->g->memory;
    gri_derivation *d = f->d;
    const size_t n = d->s.n_nodes;
    d->leads = gri_alloc_zeroed(m, n);
    f->place = gri_alloc_zeroed(m, n * sizeof *f->place);
    f->n = gri_alloc_zeroed(m, n * sizeof *f->n);
    f->count = gri_alloc_zeroed(m, n * sizeof *f->count);
    f->live = gri_alloc_zeroed(m, n * sizeof *f->live);
    f->magnitude = gri_alloc_zeroed(m, n * sizeof *f->magnitude);
    bool there = d->leads && f->place && f->n && f->count && f->live && f->magnitude;
    if (there) {
        mark_leads(f);
        for (uint32_t i = 0; i < n; i++)
            if (d->leads[i]) f->place[i] = (uint32_t)f->n_places++;
        f->best = gri_alloc(m, f->n_places * f->top * sizeof *f->best);
        there = f->best != NULL;
    }
    return there ? GR_OK : gri_fail_memory(f->g, "paths", n * f->top * sizeof *f->best);
}

static void take_counts(const finder *f)
{
    gr_paths *p = f->p;
    const uint32_t by = f->d->by;
    if (by == GRI_NO_SCALAR) return;
    p->count = f->count[by];
    p->zero_count = f->live[by] == p->count ? 0 : p->count - f->live[by];
    p->total = f->d->s.node[by].adjoint;
    p->magnitude = f->magnitude[by];
}

static void take_list(const finder *f)
{
    gr_paths *p = f->p;
    p->n = (int)f->d->n_routes;
    p->paths = f->d->paths;
    p->more_count = p->count - p->n;
    double listed = 0;
    for (int i = 0; i < p->n; i++) listed += p->paths[i].product;
    if (p->more_count > 0) p->more_sum = p->total - listed;
}

static gr_status find(finder *f)
{
    gr_status status = allocate(f);
    if (status != GR_OK) return status;
    count_paths(f);
    take_counts(f);
    if (f->d->by != GRI_NO_SCALAR) rank_paths(f);
    status = list_paths(f);
    if (status == GR_OK) status = fill_factors(f);
    if (status == GR_OK) take_list(f);
    return status;
}

static void end(gr_graph *g, void *block)
{
    gri_derivation *d = ((gr_paths *)block)->inside;
    gri_memory *m = &g->memory;
    if (!d) return;
    gri_free(m, d->leads, d->s.n_nodes);
    gri_free(m, d->routes, d->n_routes * sizeof *d->routes);
    gri_free(m, d->paths, d->n_routes * sizeof *d->paths);
    gri_free(m, d->steps, d->n_steps * sizeof *d->steps);
    gri_free(m, d->factors, d->n_steps * sizeof *d->factors);
    gri_free(m, d->texts, d->text_bytes);
    if (d->s.g) gri_scalars_free(&d->s);
    gri_free(m, d, sizeof *d);
}

/* Name and value of `by`, which need not be in the graph of numbers. */
static gr_status describe(const finder *f, gr_tensor by, const gr_paths_options *o)
{
    gri_derivation *d = f->d;
    gr_paths *p = f->p;
    const gri_scalars *s = &d->s;
    p->of = s->node[s->root].name;
    p->of_value = s->node[s->root].value;
    const gri_scalars_options options = {.limits = o->limits, .names = o->names};
    if (d->by != GRI_NO_SCALAR) {
        p->by = s->node[d->by].name;
        p->by_value = s->node[d->by].value;
        return GR_OK;
    }
    p->by = d->texts;
    return gri_describe_element(f->g, by, o->by_element, &options, d->texts, NAME_BYTES, &p->by_value);
}

static gr_status create(gr_paths *p, gr_tensor of, gr_tensor by, const gr_paths_options *o)
{
    gri_derivation *d = p->inside;
    finder f = {.p = p, .d = d, .g = p->graph, .top = (uint32_t)(o->top ? o->top : DEFAULT_TOP)};
    const gri_scalars_options options = {.limits = o->limits,
                                         .names = o->names,
                                         .only_named = o->only_named,
                                         .keep = by,
                                         .keep_element = o->by_element};
    gr_status status = gri_scalars_build(&d->s, "paths", of, o->of_element, &options);
    if (status != GR_OK) return status;
    d->by = gri_scalars_find(&d->s, by, o->by_element);
    status = find(&f);
    if (status == GR_OK) status = find_gradient(&f, of, by, o);
    if (status == GR_OK) status = describe(&f, by, o);
    free_finder(&f);
    return status;
}

gr_paths *gr_paths_create(gr_tensor of, gr_tensor by, const gr_paths_options *options)
{
    gr_graph *g = of.graph;
    const gr_paths_options defaults = {.top = 0}, *o = options ? options : &defaults;
    gr_status status = gri_check_element("paths", of, o->of_element);
    if (status != GR_OK) return NULL;
    if (by.graph && by.graph != g)
        status = gri_fail(g, GR_ERR_GRAPH, "paths: the two tensors belong to different graphs");
    else if (!by.graph)
        status = gri_fail(g, GR_ERR_HANDLE, "paths: the second tensor is an invalid handle");
    else if (o->top < 0)
        status = gri_fail(g, GR_ERR_ARGUMENT, "paths: %d paths to be listed", o->top);
    if (status != GR_OK || gri_check_element("paths", by, o->by_element) != GR_OK) return NULL;
    gr_paths *p = gri_own(g, "paths", sizeof *p);
    if (!p) return NULL;
    *p = (gr_paths){.graph = g, .inside = gri_alloc_zeroed(&g->memory, sizeof *p->inside)};
    gri_own_end(p, end);
    status = p->inside ? create(p, of, by, o) : gri_fail_memory(g, "paths", sizeof *p->inside);
    if (status == GR_OK) return p;
    gri_disown(g, p);
    return NULL;
}

void gr_paths_release(gr_paths *paths)
{
    if (paths) gri_disown(paths->graph, paths);
}

/* ---- Writing ---- */

void gri_put_count(gri_paths_writing *w, double count)
{
    char number[GRI_NUMBER_BYTES];
    if (isinf(count)) {
        const char *symbol = w->format.form == GR_PATHS_LATEX ? "\\infty" : w->text.ascii ? "inf" : "∞";
        gri_text_put(&w->text, symbol);
        return;
    }
    if (count < exact_count) {
        gri_text_unsigned(&w->text, (uint64_t)count);
        return;
    }
    gri_text_symbol(&w->text, "≈ ", "about ");
    gri_number(number, count, w->format.digits, false);
    gri_text_put(&w->text, number);
}

static gr_status draw(void *drawing, gr_writer *write, void *user)
{
    static void (*const writers[])(gri_paths_writing *) = {gri_write_paths_text, gri_write_paths_latex,
                                                           gri_write_paths_dot};
    gri_paths_writing *w = drawing;
    gri_text_begin(&w->text, write, user, w->format.ascii);
    writers[w->format.form](w);
    const bool taken = gri_text_end(&w->text);
    const gr_status status = w->p->graph->status;
    return status != GR_OK ? status : taken ? GR_OK : GR_ERR_IO;
}

static gr_status begin(gri_paths_writing *w, const gr_paths *paths, const gr_paths_format *format)
{
    if (!paths) return GR_ERR_HANDLE;
    gr_graph *g = paths->graph;
    if (g->status != GR_OK) return g->status;
    w->p = paths;
    w->d = paths->inside;
    w->s = &paths->inside->s;
    w->format = format ? *format : (gr_paths_format){.digits = 0};
    gr_paths_format *f = &w->format;
    if (f->digits < 0 || f->digits > MOST_DIGITS)
        return gri_fail(g, GR_ERR_ARGUMENT, "paths: %d digits; 1 to %d are possible, 0 means %d", f->digits,
                        MOST_DIGITS, DEFAULT_DIGITS);
    if ((unsigned)f->form > GR_PATHS_DOT)
        return gri_fail(g, GR_ERR_ARGUMENT, "paths: %d is no form", (int)f->form);
    if ((unsigned)f->extent > GR_PATHS_LISTED)
        return gri_fail(g, GR_ERR_ARGUMENT, "paths: %d is no extent", (int)f->extent);
    if (f->digits == 0) f->digits = DEFAULT_DIGITS;
    return GR_OK;
}

gr_status gr_paths_write(const gr_paths *paths, gr_writer *write, void *user, const gr_paths_format *format)
{
    gri_paths_writing w;
    const gr_status status = begin(&w, paths, format);
    return status == GR_OK ? gri_output(paths->graph, "paths", draw, &w, write, user) : status;
}

gr_status gr_paths_write_file(const gr_paths *paths, const char *path, const gr_paths_format *format)
{
    gri_paths_writing w;
    const gr_status status = begin(&w, paths, format);
    return status == GR_OK ? gri_output_file(paths->graph, "paths", draw, &w, path) : status;
}

gr_status gr_paths_write_string(const gr_paths *paths, char *to, size_t room, size_t *length,
                                const gr_paths_format *format)
{
    gri_paths_writing w;
    const gr_status status = begin(&w, paths, format);
    if (status == GR_OK) return gri_output_string(paths->graph, "paths", draw, &w, to, room, length);
    if (to && room > 0) to[0] = '\0';
    if (length) *length = 0;
    return status;
}
