/*
 * Shares of a derivative between tensors: adjoint x local derivative x tangent for each edge on the way.
 *
 * One forward walk gives the tangents of all tensors on the way, one backward walk their adjoints. Where only one operand of
 * a result has a tangent, what the result passes on came from there, and the share is <adjoint, tangent> of the result:
 * nothing more is computed. Where there are several, the rule is asked for each contribution.
 */
#include "draw/asked.h"
#include "draw/flow.h"
#include "draw/output.h"
#include "gradus/ops.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 256 };

/* While the shares are computed. */
typedef struct maker {
    gr_shares *p;
    gri_flow *f;
    gr_graph *g;
    const gri_node *of, *by;
    int64_t of_element, by_element;
    uint32_t first, top;                      /* step nodes outside [first, top) do not matter */
    uint32_t *id;                             /* of those: 0: not on the way; else 1 + number of the node */
    gr_tensor *tensors, *tangents, *adjoints; /* of the nodes */
    uint32_t *flags;                          /* that were taken off them */
    uint32_t *numbers;                        /* that their names have */
    struct products *of_chunk;                /* of the largest tensor */
    size_t chunk_bytes;
    uint32_t n;
} maker;

static const gri_node *node_of(const maker *m, gr_tensor t)
{
    return gri_lookup(m->g, t.index, t.generation);
}

/* 0: not on the way. */
static uint32_t id_of(const maker *m, uint32_t index)
{
    if (index == m->by->index) return 1;
    return index & GRI_KEPT || index < m->first || index >= m->top ? 0 : m->id[index - m->first];
}

static bool is_live(const maker *m, const gri_operand *use)
{
    return gri_lookup(m->g, use->index, use->generation) != NULL;
}

/* ---- The way ---- */

/* Marks what `by` leads to, then keeps what leads to `of`; numbers it. */
static gr_status find_way(maker *m)
{
    gr_graph *g = m->g;
    m->first = m->by->index & GRI_KEPT ? 1 : m->by->index + 1;
    m->top = m->of->index & GRI_KEPT ? m->first : m->of->index + 1;
    if (m->top < m->first) m->top = m->first;
    m->id = gri_alloc_zeroed(&g->memory, (m->top - m->first) * sizeof *m->id);
    if (!m->id) return gri_fail_memory(g, "shares", (m->top - m->first) * sizeof *m->id);
    for (uint32_t i = m->first; i < m->top; i++) {
        const gri_node *node = g->step.slot[i].node;
        for (uint32_t k = 0; node && k < node->n_operands; k++)
            if (id_of(m, gri_operands(node)[k].index) && is_live(m, &gri_operands(node)[k]))
                m->id[i - m->first] = UINT32_MAX;
    }
    m->n = m->of == m->by;
    if (m->of == m->by || !id_of(m, m->of->index)) {
        memset(m->id, 0, (m->top - m->first) * sizeof *m->id);
        return GR_OK;
    }
    m->id[m->of->index - m->first] = 1; /* wanted, from here on */
    for (uint32_t i = m->top; i-- > m->first;) {
        uint32_t *id = &m->id[i - m->first];
        const gri_node *node = g->step.slot[i].node;
        *id = *id == 1;
        for (uint32_t k = 0; *id && k < node->n_operands; k++) {
            const uint32_t index = gri_operands(node)[k].index;
            if (index != m->by->index && id_of(m, index)) m->id[index - m->first] = 1;
        }
    }
    m->n = 1;
    for (uint32_t i = m->first; i < m->top; i++)
        if (m->id[i - m->first]) m->id[i - m->first] = ++m->n;
    return GR_OK;
}

/* ---- Walks ---- */

static gr_status walk_both(const maker *m)
{
    gr_graph *g = m->g;
    const gr_tensor tangent = gri_push_one(g, m->by, m->by_element);
    const gr_tensor cotangent = gri_push_one(g, m->of, m->of_element);
    const gr_tensor of = gri_handle(g, m->of), by = gri_handle(g, m->by);
    if (tangent.index == 0 || cotangent.index == 0) return g->status;
    gr_status status = gri_push_forward("shares", (int)m->n, m->tensors, 1, &by, &tangent, false,
                                        m->tangents);
    if (status == GR_OK)
        status = gri_grad("shares", 1, &of, (int)m->n, m->tensors, &cotangent,
                          &(gr_grad_options){.retain = true}, m->adjoints);
    return status;
}

/* ---- Numbers ---- */

/* Inner products of two arrays of one type and shape. */
typedef struct products {
    double ab, aa, bb;
} products;

/* In so many sums at a time and so many elements of one task, whatever the machine and the number of threads. */
enum { LANES = 4, CHUNK = 1 << 15 };

typedef struct product_job {
    const gr_array *a, *b;
    products *of_chunk;
} product_job;

#define CONTIGUOUS(NAME, TYPE)                                    \
    static products NAME(int64_t n, const TYPE *a, const TYPE *b) \
    {                                                             \
        double ab[LANES] = {0}, aa[LANES] = {0}, bb[LANES] = {0}; \
        products sum = {0, 0, 0};                                 \
        int64_t i = 0;                                            \
        for (; i + LANES <= n; i += LANES)                        \
            for (int k = 0; k < LANES; k++) {                     \
                const double x = a[i + k], y = b[i + k];          \
                ab[k] += x * y;                                   \
                aa[k] += x * x;                                   \
                bb[k] += y * y;                                   \
            }                                                     \
        for (int k = 0; i + k < n; k++) {                         \
            const double x = a[i + k], y = b[i + k];              \
            ab[k] += x * y;                                       \
            aa[k] += x * x;                                       \
            bb[k] += y * y;                                       \
        }                                                         \
        for (int k = 0; k < LANES; k++) {                         \
            sum.ab += ab[k];                                      \
            sum.aa += aa[k];                                      \
            sum.bb += bb[k];                                      \
        }                                                         \
        return sum;                                               \
    }
CONTIGUOUS(contiguous_f32, float)
CONTIGUOUS(contiguous_f64, double)

static void multiply_chunk(void *argument, int64_t task)
{
    const product_job *job = argument;
    const int64_t first = task * CHUNK, left = job->a->count - first, n = left < CHUNK ? left : CHUNK;
    if (job->a->type == GR_F64)
        job->of_chunk[task] = contiguous_f64(n, (const double *)job->a->data + first,
                                             (const double *)job->b->data + first);
    else
        job->of_chunk[task] = contiguous_f32(n, (const float *)job->a->data + first,
                                             (const float *)job->b->data + first);
}

/* Any strides; products as walks form them. */
static products multiply_strided(const gr_array *a, const gr_array *b)
{
    int64_t index[GR_MAX_NDIM] = {0}, at_a = 0, at_b = 0;
    products sum = {0, 0, 0};
    for (int64_t i = 0; i < a->count; i++) {
        const double x = gri_element(a, at_a), y = gri_element(b, at_b);
        sum.ab += gri_chain(x, y);
        sum.aa += x * x;
        sum.bb += y * y;
        for (int axis = a->ndim; axis-- > 0;) { /* on to the next */
            at_a += a->strides[axis];
            at_b += b->strides[axis];
            if (++index[axis] < a->dims[axis]) break;
            at_a -= index[axis] * a->strides[axis];
            at_b -= index[axis] * b->strides[axis];
            index[axis] = 0;
        }
    }
    return sum;
}

static products multiply(const maker *m, const gri_node *x, const gri_node *y)
{
    product_job job = {&x->array, &y->array, m->of_chunk};
    products sum = {0, 0, 0};
    if (x->flags & y->flags & GRI_CONTIGUOUS) {
        const int64_t n = (x->array.count + CHUNK - 1) / CHUNK;
        gri_threads_run(m->g->threads, n, multiply_chunk, &job);
        for (int64_t i = 0; i < n; i++) {
            sum.ab += job.of_chunk[i].ab;
            sum.aa += job.of_chunk[i].aa;
            sum.bb += job.of_chunk[i].bb;
        }
        if (!isnan(sum.ab)) return sum; /* else 0 has met infinity, perhaps */
    }
    return multiply_strided(&x->array, &y->array);
}

/* So many operands of a node are on the way. */
static uint32_t count_uses(const maker *m, const gri_node *node)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < node->n_operands; k++) n += id_of(m, gri_operands(node)[k].index) != 0;
    return n;
}

/* <contribution, tangent> for operand k, by the rule for it. */
static gr_status ask_rule(const maker *m, const gr_call *call, gr_tensor gy, int k, gr_tensor given,
                          double *value)
{
    gr_graph *g = m->g;
    const gri_tidy inside = gri_tidy_here(g);
    gr_tensor part = given;
    if (call->op->vjp && !call->op->vjp_all) part = call->op->vjp(call, gy, k);
    if (gri_check_tidy(g, "shares", call->op, &inside) != GR_OK) return g->status;
    *value = 0;
    if (gri_is_unset(part)) return GR_OK;
    const gri_node *node = part.graph == g ? node_of(m, part) : NULL;
    const gr_array *to = call->in[k];
    if (!node || node->array.type != to->type ||
        !gri_broadcasts_to(to->ndim, to->dims, node->array.ndim, node->array.dims))
        return gri_fail(g, GR_ERR_CALLBACK,
                        "shares: the rule of %s for operand %d returned what does not fit it", call->op->name,
                        k + 1);
    if (!gri_same_dims(&node->array, to)) {
        gr_shape shape = {.ndim = to->ndim};
        memcpy(shape.dims, to->dims, (size_t)to->ndim * sizeof *to->dims);
        node = node_of(m, gr_sum_to(part, shape));
        if (!node) return g->status;
    }
    const uint32_t operand = id_of(m, call->operands[k].index) - 1;
    *value = multiply(m, node, node_of(m, m->tangents[operand])).ab;
    return GR_OK;
}

/* The contributions of a rule that makes all at once; `parts` has room for them. */
static gr_status ask_all(const maker *m, const gr_call *call, gr_tensor gy, gr_tensor *parts)
{
    gr_graph *g = m->g;
    bool *needed = gr_call_scratch(call, (size_t)call->n);
    if (!needed) return g->status;
    for (int k = 0; k < call->n; k++) {
        parts[k] = GR_NONE;
        needed[k] = id_of(m, call->operands[k].index) != 0;
    }
    const gr_status status = call->op->vjp_all(call, gy, needed, parts);
    return status == GR_OK || g->status != GR_OK
               ? g->status
               : gri_fail(g, status, "shares: the rule of %s failed without saying why", call->op->name);
}

/* Shares of the operands of a node, which are several; the edges are there. */
static gr_status split(const maker *m, const gri_node *node, gr_share *edge)
{
    gr_graph *g = m->g;
    const gri_mark mark = gri_mark_here(g);
    gri_recall r;
    gr_status status = gri_recall_begin(&r, g, "shares", node);
    const gr_call *call = &r.running.call;
    const gr_tensor gy = m->adjoints[id_of(m, node->index) - 1];
    gr_tensor *parts = NULL;
    if (status == GR_OK && !(parts = gr_call_scratch(call, (size_t)call->n * sizeof *parts)))
        status = g->status;
    for (int k = 0; status == GR_OK && k < call->n; k++) parts[k] = GR_NONE;
    if (status == GR_OK && call->op->vjp_all) status = ask_all(m, call, gy, parts);
    for (int k = 0; status == GR_OK && k < call->n; k++)
        if (id_of(m, call->operands[k].index)) status = ask_rule(m, call, gy, k, parts[k], &edge++->value);
    gri_recall_end(&r);
    gri_pop(g, mark);
    return status;
}

static gr_status fill_edges(const maker *m)
{
    gr_status status = GR_OK;
    gr_share *edge = m->f->shares;
    for (uint32_t i = m->first; i < m->top && status == GR_OK; i++) {
        if (!m->id[i - m->first]) continue;
        const gri_node *node = m->g->step.slot[i].node;
        gr_share *first = edge;
        const uint32_t id = m->id[i - m->first] - 1;
        for (uint32_t k = 0; k < node->n_operands; k++) {
            const uint32_t operand = id_of(m, gri_operands(node)[k].index);
            if (operand) *edge++ = (gr_share){(int)id, (int)operand - 1, (int)k, m->f->nodes[id].share};
        }
        if (edge - first > 1) status = split(m, node, first);
    }
    return status;
}

/* ---- Names ---- */

static char *add_text(gri_flow *f, size_t *used, const char *text)
{
    char *to = f->texts + *used;
    const size_t bytes = strlen(text) + 1;
    memcpy(to, text, bytes);
    *used += bytes;
    return to;
}

static gr_status number_nodes(const maker *m)
{
    const size_t bytes = m->n * sizeof(gri_node *);
    const gri_node **node = gri_alloc(&m->g->memory, bytes);
    if (!node) return gri_fail_memory(m->g, "shares", bytes);
    for (uint32_t i = 0; i < m->n; i++) node[i] = node_of(m, m->tensors[i]);
    const gr_status status = gri_number_tensors(m->g, "shares", m->n, node, m->numbers);
    gri_free(&m->g->memory, node, bytes);
    return status;
}

static void fill_nodes(const maker *m, size_t *used)
{
    char text[TEXT_BYTES];
    for (uint32_t i = 0; i < m->n; i++) {
        const gri_node *node = node_of(m, m->tensors[i]);
        const products p = multiply(m, node_of(m, m->adjoints[i]), node_of(m, m->tangents[i]));
        gr_share_node *to = &m->f->nodes[i];
        gri_name_tensor(node, m->numbers[i], text, sizeof text);
        to->name = add_text(m->f, used, text);
        gri_describe_shape(text, sizeof text, node->array.ndim, node->array.dims);
        to->shape = add_text(m->f, used, text);
        to->adjoint_norm = sqrt(p.aa);
        to->tangent_norm = sqrt(p.bb);
        to->share = p.ab;
        to->scope = gri_name_path(m->g, gri_name_scope(node));
    }
}

/* ---- The whole ---- */

static gr_status make_room(maker *m)
{
    int64_t largest = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        const int64_t count = node_of(m, m->tensors[i])->array.count;
        if (count > largest) largest = count;
    }
    m->chunk_bytes = ((size_t)(largest / CHUNK) + 1) * sizeof *m->of_chunk;
    m->of_chunk = gri_alloc(&m->g->memory, m->chunk_bytes);
    return m->of_chunk ? GR_OK : gri_fail_memory(m->g, "shares", m->chunk_bytes);
}

static gr_status allocate(maker *m)
{
    gri_memory *memory = &m->g->memory;
    gri_flow *f = m->f;
    f->n_nodes = m->n;
    for (uint32_t i = m->first; i < m->top; i++)
        if (m->id[i - m->first]) f->n_shares += count_uses(m, m->g->step.slot[i].node);
    f->text_bytes = (2 * (size_t)m->n + 2) * TEXT_BYTES;
    f->nodes = gri_alloc_zeroed(memory, f->n_nodes * sizeof *f->nodes);
    f->shares = gri_alloc_zeroed(memory, f->n_shares * sizeof *f->shares);
    f->texts = gri_alloc(memory, f->text_bytes);
    m->tensors = gri_alloc(memory, m->n * sizeof *m->tensors);
    m->tangents = gri_alloc(memory, m->n * sizeof *m->tangents);
    m->adjoints = gri_alloc(memory, m->n * sizeof *m->adjoints);
    m->flags = gri_alloc_zeroed(memory, m->n * sizeof *m->flags);
    m->numbers = gri_alloc_zeroed(memory, m->n * sizeof *m->numbers);
    if (!f->nodes || !f->shares || !f->texts || !m->tensors || !m->tangents || !m->adjoints || !m->flags ||
        !m->numbers)
        return gri_fail_memory(m->g, "shares", f->text_bytes);
    if (m->n > 0) m->tensors[0] = gri_handle(m->g, m->by);
    for (uint32_t i = m->first; i < m->top; i++)
        if (m->id[i - m->first])
            m->tensors[m->id[i - m->first] - 1] = gri_handle(m->g, m->g->step.slot[i].node);
    return make_room(m);
}

static void free_maker(maker *m)
{
    gri_memory *memory = &m->g->memory;
    gri_free(memory, m->id, (m->top - m->first) * sizeof *m->id);
    gri_free(memory, m->tensors, m->n * sizeof *m->tensors);
    gri_free(memory, m->tangents, m->n * sizeof *m->tangents);
    gri_free(memory, m->adjoints, m->n * sizeof *m->adjoints);
    gri_free(memory, m->flags, m->n * sizeof *m->flags);
    gri_free(memory, m->numbers, m->n * sizeof *m->numbers);
    gri_free(memory, m->of_chunk, m->chunk_bytes);
}

/* All that walks, with the state of the graph as it was afterwards. */
static gr_status compute(const maker *m, size_t *used)
{
    gr_graph *g = m->g;
    const gri_mark mark = gri_mark_here(g);
    const gri_calm before = gri_calm_begin(g);
    gri_strip_all(g, m->tensors, sizeof *m->tensors, m->n, m->flags);
    gr_status status = walk_both(m);
    if (status == GR_OK) {
        fill_nodes(m, used);
        const gr_array *gradient = &node_of(m, m->adjoints[0])->array;
        m->p->gradient = gri_element(gradient, gri_element_offset(gradient, m->by_element));
        status = fill_edges(m);
    }
    gri_unstrip_all(g, m->tensors, sizeof *m->tensors, m->n, m->flags);
    gri_calm_end(g, &before);
    gri_pop(g, mark);
    return status;
}

static gr_status name_ends(const maker *m, const gr_paths_options *o, size_t *used)
{
    char name[TEXT_BYTES];
    double value;
    const uint32_t of_number = m->n ? m->numbers[m->n - 1] : 0, by_number = m->n ? m->numbers[0] : 0;
    gr_status status = gri_describe_element(gri_handle(m->g, m->of), of_number, m->of_element, &o->names,
                                            name, sizeof name, &value);
    if (status == GR_OK) m->p->of = add_text(m->f, used, name);
    if (status == GR_OK)
        status = gri_describe_element(gri_handle(m->g, m->by), by_number, m->by_element, &o->names, name,
                                      sizeof name, &value);
    if (status == GR_OK) m->p->by = add_text(m->f, used, name);
    return status;
}

static gr_status create(gr_shares *p, gr_tensor of, gr_tensor by, const gr_paths_options *o)
{
    gr_graph *g = p->graph;
    maker m = {.p = p,
               .f = p->inside,
               .g = g,
               .of = gri_lookup(g, of.index, of.generation),
               .by = gri_lookup(g, by.index, by.generation),
               .of_element = o->of_element,
               .by_element = o->by_element};
    size_t used = 0;
    gr_status status = find_way(&m);
    if (status == GR_OK) status = allocate(&m);
    if (status == GR_OK) status = number_nodes(&m);
    if (status == GR_OK) status = name_ends(&m, o, &used);
    if (status == GR_OK && m.n > 0) status = compute(&m, &used);
    if (status == GR_OK) {
        p->n_nodes = (int)m.f->n_nodes;
        p->nodes = m.f->nodes;
        p->n = (int)m.f->n_shares;
        p->shares = m.f->shares;
    }
    free_maker(&m);
    return status;
}

static void end(gr_graph *g, void *block)
{
    gri_flow *f = ((gr_shares *)block)->inside;
    gri_memory *m = &g->memory;
    if (!f) return;
    gri_free(m, f->nodes, f->n_nodes * sizeof *f->nodes);
    gri_free(m, f->shares, f->n_shares * sizeof *f->shares);
    gri_free(m, f->texts, f->text_bytes);
    gri_free(m, f, sizeof *f);
}

gr_shares *gr_shares_create(gr_tensor of, gr_tensor by, const gr_paths_options *options)
{
    gr_graph *g = of.graph;
    const gr_paths_options defaults = {.top = 0}, *o = options ? options : &defaults;
    gr_status status = gri_check_asked("shares", of, by, o);
    for (int i = 0; i < 2 && status == GR_OK; i++) {
        const gri_node *node = gri_resolve(i ? by : of, "shares");
        if (!(node->flags & GRI_REQUIRES_GRAD))
            status = gri_fail_about(g, GR_ERR_NO_HISTORY, node, "shares: does not require a gradient");
    }
    gr_shares *p = status == GR_OK ? gri_own(g, "shares", sizeof *p) : NULL;
    if (!p) return NULL;
    *p = (gr_shares){.graph = g, .inside = gri_alloc_zeroed(&g->memory, sizeof *p->inside)};
    gri_own_end(p, end);
    status = p->inside ? create(p, of, by, o) : gri_fail_memory(g, "shares", sizeof *p->inside);
    if (status == GR_OK) return p;
    gri_disown(g, p);
    return NULL;
}

void gr_shares_release(gr_shares *shares)
{
    if (shares) gri_disown(shares->graph, shares);
}

/* ---- Writing ---- */

static gr_status draw(void *drawing, gr_writer *write, void *user)
{
    gri_shares_writing *w = drawing;
    gri_text_begin(&w->text, write, user, w->format.ascii);
    if (w->format.form == GR_PATHS_DOT)
        gri_write_shares_dot(w);
    else
        gri_write_shares_text(w);
    return gri_text_end(&w->text) ? GR_OK : GR_ERR_IO;
}

static gr_status begin(gri_shares_writing *w, const gr_shares *shares, const gr_paths_format *format)
{
    if (!shares) return GR_ERR_HANDLE;
    gr_graph *g = shares->graph;
    if (g->status != GR_OK) return g->status;
    w->p = shares;
    return gri_take_format(g, "shares", 1u << GR_PATHS_TEXT | 1u << GR_PATHS_DOT, format, &w->format);
}

gr_status gr_shares_write(const gr_shares *shares, gr_writer *write, void *user,
                          const gr_paths_format *format)
{
    gri_shares_writing w;
    const gr_status status = begin(&w, shares, format);
    return status == GR_OK ? gri_output(shares->graph, "shares", draw, &w, write, user) : status;
}

gr_status gr_shares_write_file(const gr_shares *shares, const char *path, const gr_paths_format *format)
{
    gri_shares_writing w;
    const gr_status status = begin(&w, shares, format);
    return status == GR_OK ? gri_output_file(shares->graph, "shares", draw, &w, path) : status;
}

gr_status gr_shares_write_string(const gr_shares *shares, char *to, size_t room, size_t *length,
                                 const gr_paths_format *format)
{
    gri_shares_writing w;
    const gr_status status = begin(&w, shares, format);
    return status == GR_OK ? gri_output_string(shares->graph, "shares", draw, &w, to, room, length)
                           : gri_output_nothing(status, to, room, length);
}
