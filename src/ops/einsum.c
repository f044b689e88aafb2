/*
 * Sums of products by subscripts: einsum, composed of diagonals, sums, products and, wherever something is summed of two operands,
 * the matrix product.
 *
 * Subscripts become labels: a letter, or an axis of an ellipsis, counted from the right. Each operand is a term, a tensor with a
 * label for each axis, none twice; terms are joined two by two, the cheapest pair first, until one is left. A label is
 * summed as soon as no other term and not the result have it.
 */
#include "ops/axes.h"

#include <inttypes.h>
#include <string.h>

enum { LETTERS = 52, LABELS = LETTERS + GR_MAX_NDIM };

/* Labels as bits. */
typedef uint64_t label_set;
#define BIT(LABEL) ((label_set)1 << (LABEL))

typedef struct term {
    gr_tensor t;
    int n;
    int label[GR_MAX_NDIM];
} term;

typedef struct einsum {
    gr_call call; /* for messages */
    const char *subscripts;
    int n; /* terms that are left */
    term *terms;
    term result;          /* labels only */
    int64_t size[LABELS]; /* -1: not met yet */
    int times[LABELS];    /* how often a label stands in the operands' subscripts */
} einsum;

static label_set labels_of(const term *t)
{
    label_set set = 0;
    for (int i = 0; i < t->n; i++) set |= BIT(t->label[i]);
    return set;
}

static int count_labels(label_set set)
{
    int n = 0;
    for (; set; set &= set - 1) n++;
    return n;
}

/* A letter as itself, an axis of an ellipsis as a point. */
static char letter_of(int label)
{
    return label >= LETTERS ? '.' : (char)(label < 26 ? 'A' + label : 'a' + label - 26);
}

/* ---- Reading subscripts ---- */

/* -1 for what is no letter. In the order of ASCII, as output without an arrow has them. */
static int label_of(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    return c >= 'a' && c <= 'z' ? c - 'a' + 26 : -1;
}

/* The subscripts of one operand, or of the result: letters, and where the ellipsis stands; -1: nowhere. */
typedef struct subscript {
    int n, ellipsis;
    int label[GR_MAX_NDIM];
} subscript;

/* Reads up to a comma, an arrow or the end, and moves there. */
static gr_status read_subscript(const einsum *e, const char **at, subscript *s)
{
    *s = (subscript){.ellipsis = -1};
    for (const char *p = *at;; p++) {
        const int label = label_of(*p);
        if (*p == '\0' || *p == ',' || (p[0] == '-' && p[1] == '>')) {
            *at = p;
            return GR_OK;
        }
        if (*p == ' ') continue;
        if (p[0] == '.' && p[1] == '.' && p[2] == '.' && s->ellipsis < 0) {
            s->ellipsis = s->n;
            p += 2;
        } else if (label < 0) {
            return gr_call_fail(&e->call, GR_ERR_ARGUMENT, "subscripts are letters and one ellipsis",
                                "character %d of \"%.200s\"", (int)(p - e->subscripts), e->subscripts);
        } else if (s->n == GR_MAX_NDIM) {
            return gr_call_fail(&e->call, GR_ERR_NDIM, "too many letters for one tensor", "in \"%.200s\"",
                                e->subscripts);
        } else {
            s->label[s->n++] = label;
        }
    }
}

/* The labels that a subscript stands for, `covered` of them those of the ellipsis. */
static void spread(const subscript *s, int covered, term *t)
{
    t->n = 0;
    for (int i = 0; i <= s->n; i++) {
        for (int k = 0; i == s->ellipsis && k < covered; k++) t->label[t->n++] = LABELS - covered + k;
        if (i < s->n) t->label[t->n++] = s->label[i];
    }
}

static gr_status fail_size(const einsum *e, const char *what, int label, int64_t a, int64_t b)
{
    return gr_call_fail(&e->call, GR_ERR_SHAPE, what, "%c is %" PRId64 " and %" PRId64 " in \"%.200s\"",
                        letter_of(label), a, b, e->subscripts);
}

/* Makes the term of an operand, and notes its sizes, of which 1 gives way to any other. */
static gr_status add_operand(einsum *e, const subscript *s, int k)
{
    term *t = &e->terms[k];
    t->t = e->call.operands[k];
    const gr_array *a = gri_array(t->t);
    const int covered = a->ndim - s->n;
    if (covered < 0 || (covered > 0 && s->ellipsis < 0))
        return gr_call_fail(&e->call, GR_ERR_NDIM, "numbers of subscripts and axes differ",
                            "%d and %d for operand %d in \"%.200s\"", s->n, a->ndim, k + 1, e->subscripts);
    spread(s, covered, t);
    for (int i = 0; i < t->n; i++) {
        const int label = t->label[i];
        const int64_t size = a->dims[i], before = e->size[label];
        e->times[label]++;
        for (int j = 0; j < i; j++)
            if (t->label[j] == label && a->dims[j] != size)
                return fail_size(e, "the sizes of a diagonal differ", label, a->dims[j], size);
        if (before < 0 || before == 1)
            e->size[label] = size;
        else if (size != 1 && size != before)
            return fail_size(e, "the sizes of a label differ", label, before, size);
    }
    return GR_OK;
}

/* How many axes the longest ellipsis covers. */
static int widest_ellipsis(const einsum *e)
{
    int widest = 0;
    for (int i = 0; i < GR_MAX_NDIM; i++)
        if (e->size[LABELS - 1 - i] >= 0) widest = i + 1;
    return widest;
}

/* Without an arrow: the axes of ellipses, then the letters that stand once, in alphabetical order. */
static gr_status imply_result(einsum *e)
{
    subscript s = {.ellipsis = 0};
    for (int label = 0; label < LETTERS; label++) {
        if (e->times[label] != 1) continue;
        if (s.n + widest_ellipsis(e) >= GR_MAX_NDIM)
            return gr_call_fail(&e->call, GR_ERR_NDIM, "the result would have too many axes", "\"%.200s\"",
                                e->subscripts);
        s.label[s.n++] = label;
    }
    spread(&s, widest_ellipsis(e), &e->result);
    return GR_OK;
}

static gr_status read_result(einsum *e, const char *at)
{
    subscript s;
    const gr_status status = read_subscript(e, &at, &s);
    if (status != GR_OK) return status;
    if (*at)
        return gr_call_fail(&e->call, GR_ERR_ARGUMENT, "something behind the subscripts of the result",
                            "in \"%.200s\"", e->subscripts);
    const int covered = s.ellipsis < 0 ? 0 : widest_ellipsis(e);
    if (s.n + covered > GR_MAX_NDIM)
        return gr_call_fail(&e->call, GR_ERR_NDIM, "the result would have too many axes", "\"%.200s\"",
                            e->subscripts);
    spread(&s, covered, &e->result);
    for (int i = 0; i < s.n; i++) {
        bool twice = false;
        for (int j = 0; j < i; j++) twice |= s.label[j] == s.label[i];
        if (twice || e->times[s.label[i]] == 0)
            return gr_call_fail(&e->call, GR_ERR_ARGUMENT,
                                twice ? "a subscript of the result stands twice"
                                      : "a subscript of the result is none of an operand",
                                "%c in \"%.200s\"", letter_of(s.label[i]), e->subscripts);
    }
    return GR_OK;
}

static gr_status read_all(einsum *e)
{
    const char *at = e->subscripts;
    for (int k = 0;; k++) {
        subscript s;
        gr_status status = read_subscript(e, &at, &s);
        if (status == GR_OK && k < e->n) status = add_operand(e, &s, k);
        if (status != GR_OK) return status;
        if (*at != ',' || k >= e->n) {
            if (k + 1 == e->n) break;
            return gr_call_fail(&e->call, GR_ERR_ARGUMENT, "the subscripts are not of so many operands",
                                "%d in \"%.200s\"", e->n, e->subscripts);
        }
        at++;
    }
    return *at ? read_result(e, at + 2) : imply_result(e);
}

/* ---- Terms ---- */

static void drop_label(term *t, int axis)
{
    t->n--;
    memmove(t->label + axis, t->label + axis + 1, (size_t)(t->n - axis) * sizeof *t->label);
}

/* A label that stands twice becomes a diagonal; an axis of 1 where the label has another size elsewhere goes: it broadcasts. */
static void simplify(const einsum *e, term *t)
{
    for (int i = 0; i < t->n; i++)
        for (int j = i + 1; j < t->n; j++) {
            if (t->label[i] != t->label[j]) continue;
            const int label = t->label[i];
            t->t = gr_diagonal(t->t, 0, i, j);
            drop_label(t, j);
            drop_label(t, i);
            t->label[t->n++] = label;
            i = -1; /* from the start: axes have moved */
            break;
        }
    const gr_shape shape = gr_shape_of(t->t);
    gr_axes single = {.n = 0};
    for (int i = shape.ndim - 1; i >= 0; i--)
        if (shape.dims[i] == 1 && e->size[t->label[i]] != 1) {
            single.axis[single.n++] = i;
            drop_label(t, i);
        }
    if (single.n) t->t = gr_squeeze(t->t, single);
}

/* Sums the axes of the labels in the set. */
static void sum_labels(term *t, label_set set)
{
    gr_axes axes = {.n = 0};
    for (int i = t->n - 1; i >= 0; i--)
        if (set & BIT(t->label[i])) {
            axes.axis[axes.n++] = i;
            drop_label(t, i);
        }
    if (axes.n) t->t = gr_sum(t->t, axes, false);
}

/* The axes of t in the order of labels. */
static gr_tensor ordered(const term *t, const int *labels)
{
    gr_axes order = {.n = t->n};
    bool same = true;
    for (int i = 0; i < t->n; i++)
        for (int k = 0; k < t->n; k++)
            if (t->label[k] == labels[i]) {
                order.axis[i] = k;
                same &= i == k;
            }
    return same ? t->t : gr_permute(t->t, order);
}

/* t in a shape that it may have already. */
static gr_tensor shaped(gr_tensor t, gr_shape shape)
{
    const gr_array *a = gr_is_valid(t) ? gri_array(t) : NULL;
    const gr_array wanted = {.ndim = shape.ndim, .dims = shape.dims};
    return a && gri_same_dims(a, &wanted) ? t : gr_reshape(t, shape);
}

/* Appends to a list those labels of t that are in the set, in their order; returns the product of their sizes. */
static int64_t append(const einsum *e, const term *t, label_set set, int *labels, int *n)
{
    int64_t product = 1;
    for (int i = 0; i < t->n; i++)
        if (set & BIT(t->label[i])) {
            labels[(*n)++] = t->label[i];
            product *= e->size[t->label[i]];
        }
    return product;
}

/* ---- Two terms ---- */

/* Nothing is summed: a product of elements, each operand with an axis of 1 for each label that only the other has. */
static gr_tensor multiply(const einsum *e, const term *a, const term *b, const term *result)
{
    gr_tensor factors[2];
    for (int k = 0; k < 2; k++) {
        const term *t = k ? b : a;
        const label_set own = labels_of(t);
        int labels[GR_MAX_NDIM], n = 0;
        gr_shape shape = {.ndim = result->n};
        for (int i = 0; i < result->n; i++) {
            const bool has = own & BIT(result->label[i]);
            if (has) labels[n++] = result->label[i];
            shape.dims[i] = has ? e->size[result->label[i]] : 1;
        }
        factors[k] = shaped(ordered(t, labels), shape);
    }
    return gr_mul(factors[0], factors[1]);
}

/* Sums over what both have alone: matrices of the labels that one of them has, [..., rows, inner] @ [..., inner, columns].
   Labels that both keep stand before them; where axes run out they are merged. */
static gr_tensor multiply_matrices(const einsum *e, const term *a, const term *b, label_set both,
                                   label_set inner, const term *result)
{
    int left[GR_MAX_NDIM], right[GR_MAX_NDIM], n = 0, m = 0;
    const int64_t batch = append(e, a, both, left, &n);
    const int n_both = n;
    const int64_t rows = append(e, a, ~both & ~inner, left, &n), depth = append(e, a, inner, left, &n);
    append(e, a, both, right, &m);
    append(e, a, inner, right, &m);
    const int64_t columns = append(e, b, ~both & ~inner, right, &m);
    gr_shape x = {.ndim = 0}, full = {.ndim = result->n};
    if (n_both + 2 > GR_MAX_NDIM)
        x.dims[x.ndim++] = batch;
    else
        for (int i = 0; i < n_both; i++) x.dims[x.ndim++] = e->size[left[i]];
    gr_shape w = x;
    x.dims[x.ndim++] = rows;
    x.dims[x.ndim++] = depth;
    w.dims[w.ndim++] = depth;
    w.dims[w.ndim++] = columns;
    for (int i = 0; i < result->n; i++) full.dims[i] = e->size[result->label[i]];
    return shaped(gr_matmul(shaped(ordered(a, left), x), shaped(ordered(b, right), w)), full);
}

/* The labels that are still needed when terms i and j are joined. */
static label_set needed_beside(const einsum *e, int i, int j)
{
    label_set needed = labels_of(&e->result);
    for (int k = 0; k < e->n; k++)
        if (k != i && k != j) needed |= labels_of(&e->terms[k]);
    return needed;
}

/* Puts the product of terms i < j in the place of i; the last one takes the place of j. */
static void join(einsum *e, int i, int j)
{
    term a = e->terms[i], b = e->terms[j], result = {.n = 0};
    const label_set needed = needed_beside(e, i, j);
    sum_labels(&a, labels_of(&a) & ~labels_of(&b) & ~needed);
    sum_labels(&b, labels_of(&b) & ~labels_of(&a) & ~needed);
    const label_set common = labels_of(&a) & labels_of(&b), both = common & needed, inner = common & ~needed;
    append(e, &a, both, result.label, &result.n);
    append(e, &a, ~common, result.label, &result.n);
    append(e, &b, ~common, result.label, &result.n);
    if (!inner || (both && a.n == b.n && labels_of(&a) == common && labels_of(&b) == common)) {
        /* rows of one element each are not worth a matrix product */
        term whole = result;
        append(e, &a, inner, whole.label, &whole.n);
        whole.t = multiply(e, &a, &b, &whole);
        sum_labels(&whole, inner);
        result = whole;
    } else {
        result.t = multiply_matrices(e, &a, &b, both, inner, &result);
    }
    e->terms[i] = result;
    e->terms[j] = e->terms[--e->n];
}

/* The multiplications of joining terms i and j; less than 0 if the result would have too many axes. */
static double cost_of(const einsum *e, int i, int j)
{
    const label_set a = labels_of(&e->terms[i]), b = labels_of(&e->terms[j]), needed = needed_beside(e, i, j);
    const label_set used = (a & b) | ((a | b) & needed);
    if (count_labels((a | b) & needed) > GR_MAX_NDIM) return -1;
    double cost = 1;
    for (int label = 0; label < LABELS; label++)
        if (used & BIT(label)) cost *= (double)e->size[label];
    return cost;
}

static gr_status join_all(einsum *e)
{
    while (e->n > 1) {
        double best = -1;
        int first = 0, second = 0;
        for (int i = 0; i < e->n; i++)
            for (int j = i + 1; j < e->n; j++) {
                const double cost = cost_of(e, i, j);
                if (cost < 0 || (best >= 0 && cost >= best)) continue;
                best = cost;
                first = i;
                second = j;
            }
        if (best < 0)
            return gr_call_fail(&e->call, GR_ERR_NDIM, "a product of two operands would have too many axes",
                                "\"%.200s\"", e->subscripts);
        join(e, first, second);
        if (!gr_is_valid(e->terms[first].t)) return e->call.graph->status;
    }
    return GR_OK;
}

/* ---- einsum ---- */

static gr_tensor evaluate(einsum *e)
{
    if (read_all(e) != GR_OK) return gri_invalid(e->call.graph);
    for (int k = 0; k < e->n; k++) {
        simplify(e, &e->terms[k]);
        if (!gr_is_valid(e->terms[k].t)) return gri_invalid(e->call.graph);
    }
    if (join_all(e) != GR_OK) return gri_invalid(e->call.graph);
    term *last = &e->terms[0];
    sum_labels(last, labels_of(last) & ~labels_of(&e->result));
    return ordered(last, e->result.label);
}

static gr_status check_operands(const gr_call *c)
{
    gr_type type = GR_F32;
    for (int k = 0; k < c->n; k++) {
        const gr_array *a = gri_array_of(c->operands[k], "einsum");
        if (!a) return GR_ERR_HANDLE;
        if (c->operands[k].graph != c->graph)
            return gri_fail(c->graph, GR_ERR_GRAPH, "einsum: operand %d belongs to another graph", k + 1);
        if (k == 0) type = a->type;
        if (!gr_type_is_float(a->type)) return gr_call_fail(c, GR_ERR_TYPE, "needs f32 or f64", NULL);
        if (a->type != type) return gr_call_fail(c, GR_ERR_TYPE, "types differ", NULL);
    }
    return GR_OK;
}

gr_tensor gr_einsum(const char *subscripts, int n, const gr_tensor *operands)
{
    gr_graph *g = operands && n > 0 ? operands[0].graph : NULL;
    if (!subscripts || n < 1 || !operands) {
        gri_fail(g, GR_ERR_ARGUMENT, "einsum: needs subscripts and at least one operand");
        return gri_invalid(g);
    }
    GRI_NAMED_CALL(call, "einsum", n, operands);
    if (check_operands(&call) != GR_OK) return gri_invalid(g);
    einsum e = {.call = call, .subscripts = subscripts, .n = n};
    for (int label = 0; label < LABELS; label++) e.size[label] = -1;
    const size_t bytes = (size_t)n * sizeof *e.terms;
    e.terms = gri_alloc(&g->memory, bytes);
    if (!e.terms) {
        gri_fail_memory(g, "einsum", bytes);
        return gri_invalid(g);
    }
    const gr_tensor y = evaluate(&e);
    gri_free(&g->memory, e.terms, bytes);
    return y;
}
