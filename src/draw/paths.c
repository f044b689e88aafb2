/*
 * Derivation paths: counted, summed and ranked by dynamic programming over the graph of numbers, whose order is
 * topological. Nothing enumerates paths but the listing of the largest.
 *
 * The k largest paths to a node are among the k largest to each node above it, one edge longer: magnitudes are
 * multiplied by one and the same factor, which keeps their order (NaN above all, 0 below; 0 times anything is 0).
 */
#include "draw/asked.h"
#include "draw/derivation.h"
#include "draw/output.h"
#include "gradus/autograd.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DEFAULT_TOP = 8, NAME_BYTES = 256 };

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
    candidate *best;                  /* of the nodes on paths, largest first */
    size_t *place;                    /* by node: where its candidates are, before those of the next */
    uint32_t *n;                      /* by node: so many there are */
    double *count, *live, *magnitude; /* by node: of paths from the root; without zeros; sum of |products| */
    size_t n_best;
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
    candidate *best = f->best + f->place[node];
    uint32_t *n = &f->n[node];
    const uint32_t room = (uint32_t)(f->place[node + 1] - f->place[node]);
    if (*n == room && !is_preferred(&c, &best[*n - 1])) return;
    uint32_t at = *n < room ? (*n)++ : *n - 1;
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
                const double before = f->best[f->place[i] + rank].product;
                insert(f, e->to, (candidate){gri_chain(before, e->partial), edge, rank});
            }
        }
    }
}

/* ---- Listing ---- */

static const candidate *candidate_of(const finder *f, uint32_t node, uint32_t rank)
{
    return &f->best[f->place[node] + rank];
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

typedef struct text_room {
    char *to;
    size_t room, used; /* used: of the whole text, whether it had room or not */
} text_room;

static bool fill_text(const char *text, size_t length, void *user)
{
    text_room *r = user;
    if (r->used < r->room) {
        const size_t left = r->room - r->used;
        memcpy(r->to + r->used, text, length < left ? length : left);
    }
    r->used += length;
    return true;
}

size_t gri_symbol_text(const gri_scalars *s, const gri_scalar_edge *e, char *to, size_t room)
{
    gri_text text;
    text_room r = {to, room > 0 ? room - 1 : 0, 0};
    gri_text_begin(&text, fill_text, &r, false);
    gri_put_symbol(&text, s, e, GRI_PLAIN);
    gri_text_end(&text);
    if (room > 0) to[r.used < r.room ? r.used : r.room] = '\0';
    return r.used;
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
        if (gri_has_symbol(s, e)) d->text_bytes += gri_symbol_text(s, e, NULL, 0) + 1;
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
        const size_t length = gri_symbol_text(s, e, to, (size_t)(d->texts + d->text_bytes - to));
        d->factors[i].symbol = to;
        to += length + 1;
    }
    return GR_OK;
}

/* ---- What backward gives ---- */

/* The gradient by a walk over the tensors, as if nothing had been released and no hooks were there. */
static gr_status walk(const finder *f, gr_tensor of, gr_tensor by, const gr_paths_options *o, uint32_t *flags)
{
    const gri_scalars *s = &f->d->s;
    gr_graph *g = f->g;
    const gri_mark mark = gri_mark_here(g);
    const gri_calm before = gri_calm_begin(g);
    gri_strip_all(g, &s->tensor->tensor, sizeof *s->tensor, s->n_tensors, flags);
    const gr_tensor cotangent = gri_push_one(g, gri_lookup(g, of.index, of.generation), o->of_element);
    gr_tensor gradient = gri_invalid(g);
    if (cotangent.index) gr_grad(1, &of, 1, &by, &cotangent, &(gr_grad_options){.retain = true}, &gradient);
    gri_unstrip_all(g, &s->tensor->tensor, sizeof *s->tensor, s->n_tensors, flags);
    const gri_node *node = gri_lookup(g, gradient.index, gradient.generation);
    if (node) {
        f->p->gradient = gri_element(&node->array, gri_element_offset(&node->array, o->by_element));
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
    gri_free(m, f->best, f->n_best * sizeof *f->best);
    gri_free(m, f->place, (n + 1) * sizeof *f->place);
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
    f->place = gri_alloc_zeroed(m, (n + 1) * sizeof *f->place);
    f->n = gri_alloc_zeroed(m, n * sizeof *f->n);
    f->count = gri_alloc_zeroed(m, n * sizeof *f->count);
    f->live = gri_alloc_zeroed(m, n * sizeof *f->live);
    f->magnitude = gri_alloc_zeroed(m, n * sizeof *f->magnitude);
    const bool there = d->leads && f->place && f->n && f->count && f->live && f->magnitude;
    return there ? GR_OK : gri_fail_memory(f->g, "paths", n * sizeof *f->place);
}

/* Room for the candidates of each node: no more than there are paths to it. */
static gr_status allocate_best(finder *f)
{
    for (uint32_t i = 0; i < f->d->s.n_nodes; i++) {
        const double room = f->count[i] < f->top ? f->count[i] : f->top;
        f->place[i + 1] = f->place[i] + (f->d->leads[i] ? (size_t)room : 0);
    }
    f->n_best = f->place[f->d->s.n_nodes];
    f->best = gri_alloc(&f->g->memory, f->n_best * sizeof *f->best);
    return f->best ? GR_OK : gri_fail_memory(f->g, "paths", f->n_best * sizeof *f->best);
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
    mark_leads(f);
    count_paths(f);
    take_counts(f);
    status = allocate_best(f);
    if (status != GR_OK) return status;
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
    if (d->by != GRI_NO_SCALAR) {
        p->by = s->node[d->by].name;
        p->by_value = s->node[d->by].value;
        return GR_OK;
    }
    p->by = d->texts;
    const gri_node *node = gri_lookup(f->g, by.index, by.generation);
    d->by_origin = gri_given(node->n_operands == 0, node->array.type == GR_F32);
    return gri_describe_element(by, 0, o->by_element, &o->names, d->texts, NAME_BYTES, &p->by_value);
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
    gr_status status = gri_check_asked("paths", of, by, o);
    if (status == GR_OK && o->top < 0)
        status = gri_fail(g, GR_ERR_ARGUMENT, "paths: %d paths to be listed", o->top);
    if (status != GR_OK) return NULL;
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

void gri_count_text(const gri_paths_writing *w, double count, char to[GRI_COUNT_BYTES])
{
    char number[GRI_NUMBER_BYTES];
    if (isinf(count)) {
        strcpy(to, w->text.ascii ? "inf" : "∞");
    } else if (count < GRI_EXACT_COUNT) {
        snprintf(to, GRI_COUNT_BYTES, "%" PRIu64, (uint64_t)count);
    } else {
        gri_number(number, count, w->format.digits, false);
        snprintf(to, GRI_COUNT_BYTES, "%s%s", w->text.ascii ? "about " : "≈ ", number);
    }
}

void gri_put_count(gri_paths_writing *w, double count)
{
    char text[GRI_COUNT_BYTES];
    gri_count_text(w, count, text);
    gri_text_put(&w->text, text);
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
    return gri_take_format(g, "paths", 1u << GR_PATHS_TEXT | 1u << GR_PATHS_LATEX | 1u << GR_PATHS_DOT,
                           format, &w->format);
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
    return status == GR_OK ? gri_output_string(paths->graph, "paths", draw, &w, to, room, length)
                           : gri_output_nothing(status, to, room, length);
}
