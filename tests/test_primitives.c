/*
 * The table of operations (operations/), checked. From each row come, for every case and every layout of the operands
 * (contiguous, transposed, sliced with a step, reversed, expanded):
 *
 *   forward in f64 and f32 (and i32 where there is one) against the formula; shape and type of the result;
 *   the result does not depend on the layout, and the operands are not modified;
 *   first and second derivatives against differences, in f64;
 *   tangents as the descriptor says they go, against the general way and against the rule.
 *
 * A registered primitive without a row fails, and so does a row that does not use its primitive.
 */
#include "test.h"
#include "operations/table.h"
#include "graph/graph.h"

#include <float.h>

enum { FULLY_CHECKED = 64, SAMPLED = 3, MOST_CHANGED = 64 };

typedef enum layout { CONTIGUOUS, TRANSPOSED, STEPPED, REVERSED, EXPANDED, LAYOUTS } layout;
static const char *const layout_names[] = {"contiguous", "transposed", "stepped", "reversed", "expanded"};

/* ---- Operands ---- */

/* What is being tested, and in which layout; handed to the checker as `user`. */
typedef struct subject {
    const row *r;
    const test_case *c;
    layout how;
    gr_type type; /* of the floats */
    int n;
    array x[MOST_OPERANDS]; /* the operands as the primitive is to see them */
} subject;

/* Random numbers depend on the row and its case alone, not on which rows there are. */
static uint32_t random_state;
static void seed_random(const row *r, const test_case *c)
{
    random_state = (uint32_t)(c - r->cases) + 1;
    for (const char *p = r->name; *p; p++) random_state = random_state * 31 + (unsigned char)*p;
}
static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)random_state * n >> 32);
}

/* v, moved away from kinks. */
static double off_kinks(const row *r, double v)
{
    if (r->n_kinks == 0) return v < 0 ? v - r->gap : v + r->gap;
    for (int i = 0; i < r->n_kinks; i++)
        if (fabs(v - r->kinks[i]) < r->gap) return v < r->kinks[i] ? v - r->gap : v + r->gap;
    return v;
}

/* Distinct values for all float operands together: a shuffled grid, each rounded to f32. */
static void sample_values(subject *s)
{
    static uint32_t slot[MOST_OPERANDS * MOST_ELEMENTS];
    const row *r = s->r;
    const double low = r->low < r->high ? r->low : -2, high = r->low < r->high ? r->high : 2;
    uint32_t total = 0, next = 0;
    for (int k = 0; k < s->n; k++) total += (uint32_t)count_of(s->x[k].shape);
    for (uint32_t i = 0; i < total; i++) slot[i] = i;
    for (uint32_t i = total; i > 1; i--) {
        const uint32_t j = random_below(i), t = slot[i - 1];
        slot[i - 1] = slot[j];
        slot[j] = t;
    }
    for (int k = 0; k < s->n; k++) {
        for (int64_t e = 0; e < count_of(s->x[k].shape); e++) {
            const double u = (slot[next++] + 0.5) / total, v = low + (high - low) * u;
            const int64_t range = s->c->size - s->c->low;
            double *to = &s->x[k].v[e];
            if (r->operands[k] == 'm')
                *to = random_below(2);
            else if (r->operands[k] == 'i')
                *to = (double)(s->c->low + random_below((uint32_t)range));
            else if (r->whole || s->type == GR_I32)
                *to = (double)random_below(5) - 2;
            else
                *to = (double)(float)off_kinks(r, v);
        }
    }
}

/* An expanded operand is the same along its first axis. */
static void repeat_first_axis(array *x)
{
    const int64_t n = x->shape.ndim ? x->shape.dims[0] : 0, inner = n ? count_of(x->shape) / n : 0;
    for (int64_t e = inner; e < n * inner; e++) x->v[e] = x->v[e % inner];
}

static gr_type type_of(const subject *s, int k)
{
    const char kind = s->r->operands[k];
    return kind == 'm' ? GR_BOOL : kind == 'i' ? GR_I32 : s->type;
}

/* The shape of the leaf whose view is an operand of this shape. */
static gr_shape leaf_shape(gr_shape s, layout how)
{
    gr_shape leaf = s;
    const int last = s.ndim - 1;
    if (s.ndim == 0) return s;
    if (how == TRANSPOSED)
        for (int i = 0; i < s.ndim; i++) leaf.dims[i] = s.dims[last - i];
    if (how == STEPPED) leaf.dims[last] = 2 * s.dims[last] + 1;
    if (how == EXPANDED) leaf.dims[0] = 1;
    return leaf;
}

static gr_tensor view_of(gr_tensor leaf, gr_shape s, layout how)
{
    if (s.ndim == 0) return leaf;
    switch (how) {
    case TRANSPOSED:
        return gr_permute(leaf, GR_ALL_AXES);
    case STEPPED:
        return gr_slice(leaf, -1, 1, GR_SLICE_DEFAULT, 2);
    case REVERSED:
        return gr_slice(leaf, 0, GR_SLICE_DEFAULT, GR_SLICE_DEFAULT, -1);
    case EXPANDED:
        return gr_expand(leaf, s);
    default:
        return leaf;
    }
}

/* The leaf element that element e of the operand is a view of. */
static int64_t leaf_element(gr_shape s, gr_shape leaf, layout how, int64_t e)
{
    int64_t index[GR_MAX_NDIM], own[GR_MAX_NDIM];
    const int last = s.ndim - 1;
    index_of(s, e, index);
    for (int i = 0; i < s.ndim; i++) own[i] = how == TRANSPOSED ? index[last - i] : index[i];
    if (s.ndim && how == STEPPED) own[last] = 2 * index[last] + 1;
    if (s.ndim && how == REVERSED) own[0] = s.dims[0] - 1 - index[0];
    if (s.ndim && how == EXPANDED) own[0] = 0;
    return element_of(leaf, own);
}

static void store(void *to, gr_type type, int64_t i, double v)
{
    if (type == GR_F32) ((float *)to)[i] = (float)v;
    if (type == GR_F64) ((double *)to)[i] = v;
    if (type == GR_I32) ((int32_t *)to)[i] = (int32_t)v;
    if (type == GR_BOOL) ((uint8_t *)to)[i] = v != 0;
}

static gr_tensor make_leaf(gr_graph *g, const subject *s, int k)
{
    static double data[2 * MOST_ELEMENTS + 512];
    const gr_shape shape = s->x[k].shape, leaf = leaf_shape(shape, s->how);
    const gr_type type = type_of(s, k);
    CHECK(count_of(leaf) <= (int64_t)(sizeof data / sizeof *data));
    for (int64_t i = 0; i < count_of(leaf); i++) store(data, type, i, 99); /* not part of the view */
    for (int64_t e = 0; e < count_of(shape); e++)
        store(data, type, leaf_element(shape, leaf, s->how, e), s->x[k].v[e]);
    return gr_constant(g, type, leaf, data);
}

/* gr_function: the primitive on the views of the leaves. */
static gr_tensor use(gr_graph *g, int n, const gr_tensor *leaves, void *user)
{
    const subject *s = user;
    gr_tensor x[MOST_OPERANDS];
    for (int k = 0; k < n; k++) x[k] = view_of(leaves[k], s->x[k].shape, s->how);
    if (s->r->unary) return s->r->unary(x[0]);
    if (s->r->binary) return s->r->binary(x[0], x[1]);
    return s->r->build(g, x, s->c, s->type);
}

/* ---- The tests ---- */

/* Says which row and case a check belongs to, once one has failed. */
static void explain(const subject *s, int failures_before)
{
    if (test_failures == failures_before) return;
    printf("  in row %s, case %d, %s %s\n", s->r->name, (int)(s->c - s->r->cases), gr_type_name(s->type),
           layout_names[s->how]);
}

static double value_at(gr_tensor t, int64_t e)
{
    int64_t index[GR_MAX_NDIM];
    const gr_shape s = gr_shape_of(t);
    index_of(s, e, index);
    return gr_at(t, s.ndim, index);
}

static void check_forward(const subject *s, gr_tensor y, const array *expected)
{
    const gr_shape shape = gr_shape_of(y);
    const gr_type type = s->r->typed ? s->r->result : s->type;
    CHECK(gr_type_of(y) == type);
    CHECK(shape.ndim == expected->shape.ndim);
    if (shape.ndim != expected->shape.ndim) return;
    bool same = true;
    for (int i = 0; i < shape.ndim; i++) same &= shape.dims[i] == expected->shape.dims[i];
    CHECK(same);
    if (!same) return;
    for (int64_t e = 0; e < count_of(shape); e++) {
        const double v = expected->v[e], tolerance = s->type == GR_F32 ? 4e-6 : s->type == GR_F64 ? 1e-13 : 0;
        CHECK_NEAR(value_at(y, e), v, tolerance * fmax(1, fabs(v)));
    }
}

/* Whether the primitive was applied since the step stack had `from` tensors. */
static bool uses(const gr_graph *g, const gr_op *op, uint32_t from)
{
    for (uint32_t i = from; i < g->step.top; i++)
        if (g->step.slot[i].node && g->step.slot[i].node->op == op) return true;
    return false;
}

/* The same operands, contiguous, give the same. */
static void check_layout(gr_graph *g, const subject *s, gr_tensor y)
{
    static subject plain;
    plain = *s;
    plain.how = CONTIGUOUS;
    gr_tensor leaves[MOST_OPERANDS];
    for (int k = 0; k < s->n; k++) leaves[k] = make_leaf(g, &plain, k);
    const gr_tensor z = use(g, s->n, leaves, &plain);
    const double eps = s->type == GR_F32 ? FLT_EPSILON : DBL_EPSILON;
    const double units = s->r->layout_tolerance > 0 ? s->r->layout_tolerance : 1;
    CHECK(gr_count(y) == gr_count(z));
    for (int64_t e = 0; e < gr_count(y) && e < gr_count(z); e++) {
        const double v = value_at(z, e);
        CHECK_NEAR(value_at(y, e), v, units * eps * fmax(1, fabs(v)));
    }
}

static void check_unmodified(const subject *s, const gr_tensor *leaves)
{
    for (int k = 0; k < s->n; k++) {
        const gr_shape leaf = gr_shape_of(leaves[k]);
        for (int64_t e = 0; e < count_of(s->x[k].shape); e++)
            CHECK(value_at(leaves[k], leaf_element(s->x[k].shape, leaf, s->how, e)) == s->x[k].v[e]);
    }
}

static void check_derivatives(gr_graph *g, subject *s, const gr_tensor *leaves, bool large)
{
    gr_check_result result;
    char text[GR_CHECK_REPORT_BYTES];
    const gr_check_options o = {.order = 2, .seed = 5, .max_elements = large ? SAMPLED : 0};
    CHECK(gr_gradcheck(g, use, s->n, leaves, s, &o, &result) == GR_OK);
    CHECK(result.passed && result.order == 2);
    gr_check_report(&result, text, sizeof text);
    if (!result.passed) printf("%s%s\n", text, gr_graph_error(g));
}

/* Gradients by the leaves, for cotangents that are strided where they can be; not a walk that is recorded
   unless `record`. */
static void gradients_of(gr_graph *g, subject *s, bool record, gr_tensor *leaves, gr_tensor *gradients)
{
    static double data[MOST_ELEMENTS];
    int n = 0;
    gr_tensor by[MOST_OPERANDS];
    for (int k = 0; k < s->n; k++) {
        leaves[k] = make_leaf(g, s, k);
        if (gr_type_is_float(type_of(s, k))) by[n++] = gr_set_requires_grad(leaves[k], true);
    }
    const gr_tensor y = use(g, s->n, leaves, s);
    const gr_shape shape = gr_shape_of(y);
    const layout how = shape.ndim > 1 ? TRANSPOSED : CONTIGUOUS;
    for (int64_t e = 0; e < count_of(shape); e++) {
        const double u = (double)((e * 37 + 11) % 64 - 31) / 16;
        store(data, gr_type_of(y), leaf_element(shape, leaf_shape(shape, how), how, e), u);
    }
    const gr_tensor cotangent = view_of(gr_constant(g, gr_type_of(y), leaf_shape(shape, how), data), shape,
                                        how);
    gr_grad(1, &y, n, by, &cotangent, &(gr_grad_options){.record = record}, gradients);
}

static void check_same_gradients(const subject *s, const gr_tensor *a, const gr_tensor *b, double tolerance)
{
    int n = 0;
    for (int k = 0; k < s->n; k++) n += s->r->operands[k] == 'f';
    for (int i = 0; i < n; i++) {
        CHECK(gr_count(a[i]) == gr_count(b[i]));
        for (int64_t e = 0; e < gr_count(a[i]) && e < gr_count(b[i]); e++) {
            const double v = value_at(b[i], e);
            CHECK_NEAR(value_at(a[i], e), v, tolerance * fmax(1, fabs(v)));
        }
    }
}

/* The fast path gives what the rule gives, and f32 what f64 gives. */
static void check_paths(gr_graph *g, const subject *s)
{
    static subject single;
    static subject twice;
    gr_tensor leaves[MOST_OPERANDS], fast[MOST_OPERANDS], rule[MOST_OPERANDS];
    single = *s;
    single.type = GR_F32;
    twice = *s;
    gradients_of(g, &twice, false, leaves, fast);
    gradients_of(g, &twice, true, leaves, rule);
    check_same_gradients(s, fast, rule, 1e-13);
    gradients_of(g, &single, false, leaves, fast);
    check_same_gradients(s, fast, rule, 2e-5);
}

/* A number for element e that depends on nothing else. */
static double weight(int64_t e, int64_t salt) { return (double)((e * 29 + salt * 7 + 5) % 61 - 30) / 16; }

/* A tensor of such numbers in the shape of `like`, strided where that can be. */
static gr_tensor weights_like(gr_graph *g, gr_tensor like, int64_t salt)
{
    static double data[2 * MOST_ELEMENTS + 512];
    const gr_shape shape = gr_shape_of(like);
    const gr_type type = gr_type_of(like);
    const layout how = shape.ndim > 1 ? TRANSPOSED : CONTIGUOUS;
    CHECK(gr_count(like) <= (int64_t)(sizeof data / sizeof *data));
    for (int64_t e = 0; e < gr_count(like); e++)
        store(data, type, leaf_element(shape, leaf_shape(shape, how), how, e), weight(e, salt));
    return view_of(gr_constant(g, type, leaf_shape(shape, how), data), shape, how);
}

/* The tangent of the result, where the operand of that number, or with -1 each, has one; by the descriptor, or
   in the general way. The operands themselves are the inputs, so that only the primitive is passed. */
static gr_tensor tangent_of(gr_graph *g, const subject *s, bool general, bool record, int only,
                            gr_tensor *cotangent, double *expected)
{
    gr_tensor x[MOST_OPERANDS], by[MOST_OPERANDS], tangents[MOST_OPERANDS], gradients[MOST_OPERANDS], result;
    int n = 0;
    for (int k = 0; k < s->n; k++) {
        gr_tensor leaf = make_leaf(g, s, k);
        if (gr_type_is_float(type_of(s, k))) gr_set_requires_grad(leaf, true);
        x[k] = view_of(leaf, s->x[k].shape, s->how);
        if (!gr_type_is_float(type_of(s, k)) || (only >= 0 && k != only)) continue;
        by[n] = x[k];
        tangents[n++] = weights_like(g, x[k], k);
    }
    const uint32_t from = g->step.top;
    const gr_tensor y = s->r->unary    ? s->r->unary(x[0])
                        : s->r->binary ? s->r->binary(x[0], x[1])
                                       : s->r->build(g, x, s->c, s->type);
    gr_op changed[MOST_CHANGED]; /* descriptors of this use that claim nothing */
    int n_changed = 0;
    for (uint32_t i = from; general && i < g->step.top; i++) {
        gri_node *node = g->step.slot[i].node;
        if (!node || !node->n_operands) continue;
        CHECK(n_changed < MOST_CHANGED);
        if (n_changed == MOST_CHANGED) break;
        changed[n_changed] = *node->op;
        changed[n_changed].tangent = GR_TANGENT_GENERAL;
        node->op = &changed[n_changed++];
    }
    *cotangent = weights_like(g, y, 9);
    if (!record) gr_no_grad_begin(g);
    CHECK(gr_jvp(1, &y, n, by, tangents, &result) == GR_OK);
    if (!record) gr_no_grad_end(g);
    CHECK(gr_grad(1, &y, n, by, cotangent, &(gr_grad_options){.record = true}, gradients) == GR_OK);
    *expected = 0;
    for (int k = 0; k < n; k++)
        for (int64_t e = 0; e < gr_count(by[k]); e++)
            *expected += value_at(gradients[k], e) * value_at(tangents[k], e);
    CHECK(gr_type_of(result) == gr_type_of(y) && gr_count(result) == gr_count(y));
    gr_tensor copy = gr_detach(result); /* nothing that is used later refers to the changed descriptors */
    return copy;
}

static void check_tangents_of(gr_graph *g, const subject *s, int only)
{
    gr_tensor u, ignored;
    double expected, product = 0, size = 0, unused;
    const gr_tensor told = tangent_of(g, s, false, false, only, &u, &expected);
    const gr_tensor recorded = tangent_of(g, s, false, true, only, &ignored, &unused);
    const gr_tensor general = tangent_of(g, s, true, false, only, &ignored, &unused);
    for (int64_t e = 0; e < gr_count(told); e++) {
        const double v = value_at(general, e), tolerance = 1e-13 * fmax(1, fabs(v)) * 8;
        CHECK_NEAR(value_at(told, e), v, tolerance);
        CHECK_NEAR(value_at(recorded, e), v, tolerance);
        product += value_at(u, e) * value_at(told, e);
        size += fabs(value_at(u, e) * value_at(told, e));
    }
    CHECK_NEAR(product, expected, 1e-12 * fmax(1, size)); /* u (J t) = (u J) t */
}

/* The promise of the descriptor, for all operands together and for each alone. */
static void check_tangents(gr_graph *g, const subject *s)
{
    static subject own;
    own = *s;
    int floats = 0;
    for (int k = 0; k < s->n; k++) floats += type_of(s, k) == GR_F64;
    check_tangents_of(g, &own, -1);
    for (int k = 0; k < s->n && floats > 1; k++)
        if (type_of(s, k) == GR_F64) check_tangents_of(g, &own, k);
}

/* Products with the Hessian of u (y + y^2 / 2), in walks that are not recorded, by all floats, where the operand of that
   number, or with -1 each, moves. `bare`: without what the descriptors say to make them cheap. */
static void products_of(gr_graph *g, const subject *s, bool bare, int only, gr_tensor *products)
{
    gr_tensor leaves[MOST_OPERANDS], by[MOST_OPERANDS], vectors[MOST_OPERANDS];
    static gr_op changed[16];
    int n = 0, n_changed = 0;
    for (int k = 0; k < s->n; k++) {
        leaves[k] = make_leaf(g, s, k);
        if (!gr_type_is_float(type_of(s, k))) continue;
        by[n] = gr_set_requires_grad(leaves[k], true);
        vectors[n++] = only < 0 || only == k ? weights_like(g, leaves[k], k) : GR_NONE;
    }
    const uint32_t from = g->step.top;
    const gr_tensor y = use(g, s->n, leaves, (void *)(uintptr_t)s);
    for (uint32_t i = from; bare && i < g->step.top; i++) {
        gri_node *node = g->step.slot[i].node;
        if (!node || !node->n_operands || n_changed == 16) continue;
        changed[n_changed] = *node->op;
        changed[n_changed].tangent = GR_TANGENT_GENERAL;
        changed[n_changed].straight = false;
        changed[n_changed].pull = NULL;
        changed[n_changed].pull_tangent = NULL;
        node->op = &changed[n_changed++];
    }
    const gr_tensor z = gr_mul(weights_like(g, y, 9), gr_add(y, gr_scale(gr_square(y), 0.5)));
    const gr_tensor sum = gr_sum(z, GR_ALL_AXES, false);
    gr_no_grad_begin(g);
    CHECK(gr_hvp(sum, n, by, vectors, products) == GR_OK);
    gr_no_grad_end(g);
}

/* For f32 beside f64: to a part of the largest, for second derivatives are sums of terms that cancel. */
static void check_nearly_same(const subject *s, const gr_tensor *a, const gr_tensor *b, double part)
{
    int n = 0;
    double largest = 1;
    for (int k = 0; k < s->n; k++) n += s->r->operands[k] == 'f';
    for (int i = 0; i < n; i++)
        for (int64_t e = 0; e < gr_count(b[i]); e++) largest = fmax(largest, fabs(value_at(b[i], e)));
    for (int i = 0; i < n; i++)
        for (int64_t e = 0; e < gr_count(b[i]); e++)
            CHECK_NEAR(value_at(a[i], e), value_at(b[i], e), part * largest);
}

static void check_products(gr_graph *g, const subject *s)
{
    static subject own, single;
    gr_tensor told[MOST_OPERANDS], bare[MOST_OPERANDS];
    int floats = 0;
    for (int k = 0; k < s->n; k++) floats += s->r->operands[k] == 'f';
    for (int only = -1; only < s->n; only++) {
        if (only >= 0 && (floats == 1 || s->r->operands[only] != 'f')) continue;
        const gr_scope scope = gr_scope_begin(g); /* what refers to the changed descriptors goes */
        own = *s;
        products_of(g, &own, false, only, told);
        products_of(g, &own, true, only, bare);
        check_same_gradients(s, told, bare, 1e-12);
        single = *s;
        single.type = GR_F32;
        products_of(g, &single, false, only, told);
        check_nearly_same(s, told, bare, 1e-3);
        gr_scope_end(scope, 0, NULL);
    }
}

/* One row, case, layout and type. */
static void check_subject(gr_graph *g, subject *s, const array *expected)
{
    const int failures = test_failures;
    const gr_scope scope = gr_scope_begin(g);
    gr_tensor leaves[MOST_OPERANDS];
    bool large = false, floats = false;
    for (int k = 0; k < s->n; k++) {
        leaves[k] = make_leaf(g, s, k);
        large |= gr_count(leaves[k]) > FULLY_CHECKED;
        floats |= type_of(s, k) == GR_F64;
        if (gr_type_is_float(type_of(s, k))) gr_set_requires_grad(leaves[k], true);
    }
    const uint32_t from = g->step.top;
    const gr_tensor y = use(g, s->n, leaves, s);
    CHECK(gr_graph_status(g) == GR_OK);
    if (gr_graph_status(g) == GR_OK) {
        CHECK(s->r->composed || uses(g, find_op(s->r->name), from));
        CHECK(gr_requires_grad(y) == (s->n > 0 && !s->r->not_differentiable && gr_type_is_float(s->type)));
        check_forward(s, y, expected);
        if (s->n && s->how != CONTIGUOUS) check_layout(g, s, y);
        check_unmodified(s, leaves);
        const bool tied = s->how == EXPANDED && s->r->tied_when_repeated;
        if (floats && !s->r->not_differentiable && !tied) check_derivatives(g, s, leaves, large);
        if (floats && !s->r->not_differentiable) check_paths(g, s);
        if (floats && !s->r->not_differentiable) check_tangents(g, s);
        if (floats && !s->r->not_differentiable) check_products(g, s);
        check_unmodified(s, leaves);
    }
    if (gr_graph_status(g) != GR_OK) printf("  %s\n", gr_graph_error(g));
    CHECK(gr_graph_status(g) == GR_OK);
    explain(s, failures);
    gr_graph_clear_error(g);
    gr_scope_end(scope, 0, NULL);
}

/* Whether the case reduces no elements to results, which the row cannot do. */
static bool is_impossible(const row *r, const test_case *c)
{
    int64_t members = 1, results = 1;
    for (int i = 0; i < c->shape[0].ndim; i++)
        *(is_reduced(c->axes, i, c->shape[0].ndim) ? &members : &results) *= c->shape[0].dims[i];
    return r->needs_elements && members == 0 && results > 0;
}

static void check_case(gr_graph *g, const row *r, const test_case *c, gr_type type, layout how)
{
    static subject s;
    static array expected;
    s = (subject){.r = r, .c = c, .how = how, .type = type, .n = (int)strlen(r->operands)};
    for (int k = 0; k < s.n; k++) s.x[k].shape = c->shape[k];
    if (r->reshape_operands) r->reshape_operands(c, s.x);
    seed_random(r, c);
    sample_values(&s);
    if (r->arrange) r->arrange(c, s.n, s.x);
    for (int k = 0; k < s.n && how == EXPANDED; k++) repeat_first_axis(&s.x[k]);
    r->expect(r, c, s.n, s.x, &expected);
    check_subject(g, &s, &expected);
}

/* Whether expanding the first operand of the case makes equal rows of a matrix. */
static bool repeats_rows(const row *r, const test_case *c, int how)
{
    return how == EXPANDED && r->regular && c->shape[0].ndim == 2 && c->shape[0].dims[0] > 1;
}

static void check_row(gr_graph *g, const row *r)
{
    static const gr_type types[] = {GR_F64, GR_F32, GR_I32};
    for (const test_case *c = r->cases; !IS_END(c); c++) {
        if (is_impossible(r, c)) continue;
        for (int how = 0; how < (r->operands[0] ? LAYOUTS : 1); how++) {
            if (repeats_rows(r, c, how)) continue;
            for (int t = 0; t < (r->integers ? 3 : 2); t++) check_case(g, r, c, types[t], (layout)how);
        }
    }
}

static void test_table(void)
{
    gr_graph *g = gr_graph_create(NULL);
    for (const row *const *family = families; *family; family++)
        for (const row *r = *family; r->name; r++) check_row(g, r);
    gr_graph_destroy(g);
}

static int rows_named(const char *name)
{
    int n = 0;
    for (const row *const *family = families; *family; family++)
        for (const row *r = *family; r->name; r++) n += !strcmp(r->name, name);
    return n;
}

static void test_every_primitive_has_a_row(void)
{
    for (const gr_op *const *p = gr_primitives(); *p; p++) {
        const int found = rows_named((*p)->name);
        if (found != 1) printf("  %s: %d rows\n", (*p)->name, found);
        CHECK(found == 1);
    }
}

/* A row says the truth: whether there is a primitive, and whether it is differentiable; the others have no rule,
   or one that gives zero. */
static void check_rule(const row *r)
{
    const gr_op *op = find_op(r->name);
    const int failures = test_failures;
    CHECK(rows_named(r->name) == 1 && r->composed == !op);
    if (op && !r->not_differentiable) CHECK(op->vjp != NULL || op->vjp_all != NULL);
    if (op && r->not_differentiable) CHECK((!op->vjp && !op->vjp_all) || !strcmp(op->name, "detach"));
    if (test_failures != failures) printf("  in row %s\n", r->name);
}

static void test_rules(void)
{
    for (const row *const *family = families; *family; family++)
        for (const row *r = *family; r->name; r++) check_rule(r);
}

int main(void)
{
    RUN(test_every_primitive_has_a_row);
    RUN(test_rules);
    RUN(test_table);
    return TEST_EXIT;
}
