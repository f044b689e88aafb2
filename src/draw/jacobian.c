/* The local Jacobian of one operation: see jacobian.h. */
#include "draw/jacobian.h"
#include "base/random.h"
#include "check/shadow.h"
#include "gradus/ops.h"

#include <float.h>
#include <string.h>
#include <tgmath.h>

/* Random points come in pairs of opposite sign, so that each element is seen on both sides of 0, and each two in both
   orders. The last pair has sizes from 2^-6 to 2^6. Where elements are few, each is once far above and once far
   below all others: what selects one of many (the largest, say) is seen to look at all. */
enum { PAIRS = 3, FEW_ELEMENTS = 16, TEXT_BYTES = 256, NEEDED_POINTS = 2 };
#define FAR   8.0
#define SEED  UINT64_C(0x6772616475732e31)
#define WIDTH 6.0 /* of the exponents of sizes */

typedef struct gri_point {
    gr_call call; /* the operation done again: operands, in, out, output */
    gr_tensor *operands;
    const gr_array **in;
    gri_node *gy;
} point;

/* ---- Elements ---- */

/* Calls for each element in row-major order: position, offset. */
#define FOR_ELEMENTS(A, I, OFFSET, ...)                        \
    do {                                                       \
        int64_t index_[GR_MAX_NDIM] = {0}, OFFSET = 0;         \
        for (int64_t I = 0; I < (A)->count; I++) {             \
            __VA_ARGS__                                        \
            for (int axis_ = (A)->ndim; axis_-- > 0;) {        \
                OFFSET += (A)->strides[axis_];                 \
                if (++index_[axis_] < (A)->dims[axis_]) break; \
                OFFSET -= index_[axis_] * (A)->strides[axis_]; \
                index_[axis_] = 0;                             \
            }                                                  \
        }                                                      \
    } while (0)

void gri_read_elements(const gr_array *a, double *to)
{
    FOR_ELEMENTS(a, i, offset, to[i] = gri_element(a, offset););
}

static void set_element(const gr_array *a, int64_t offset, double x)
{
    if (a->type == GR_F64)
        ((double *)a->data)[offset] = x;
    else
        ((float *)a->data)[offset] = (float)x;
}

/* ---- Forms ---- */

static double form_logistic(double x, double y, double o) { return (void)x, (void)o, y * (1 - y); }
static double form_tanh(double x, double y, double o) { return (void)x, (void)o, 1 - y * y; }
static double form_inverse(double x, double y, double o) { return (void)y, (void)o, 1 / x; }
static double form_root(double x, double y, double o) { return (void)x, (void)o, 1 / (2 * y); }
static double form_divisor(double x, double y, double o) { return (void)o, -y / x; }
static double form_dividend(double x, double y, double o) { return (void)x, (void)y, 1 / o; }
static double form_cos(double x, double y, double o) { return (void)y, (void)o, cos(x); }
static double form_sin(double x, double y, double o) { return (void)y, (void)o, -sin(x); }

const gri_form gri_forms[] = {
    {form_logistic, "%y(1 − %y)", "%y(1 - %y)", "%y\\,(1 - %y)", false},
    {form_tanh, "(1 − %y²)", "(1 - %y^2)", "(1 - {%y}^2)", false},
    {form_inverse, "1/%x", "1/%x", "1/%x", false},
    {form_root, "1/(2 %y)", "1/(2 %y)", "1/(2\\,%y)", false},
    {form_divisor, "−%y/%x", "-%y/%x", "-%y/%x", false},
    {form_dividend, "1/%o", "1/%o", "1/%o", true},
    {form_cos, "cos %x", "cos %x", "\\cos %x", false},
    {form_sin, "−sin %x", "-sin %x", "-\\sin %x", false},
};
enum { N_FORMS = sizeof gri_forms / sizeof *gri_forms };

/* ---- The state of rules ---- */

gri_calm gri_calm_begin(gr_graph *g)
{
    const gri_calm before = {gri_walk_enter(g, NULL, false), g->capture, g->rng};
    g->capture = NULL;
    g->naming.scope = 0;
    return before;
}

void gri_calm_end(gr_graph *g, const gri_calm *before)
{
    gri_walk_leave(g, &before->walk);
    g->capture = before->capture;
    g->rng = before->rng;
}

/* ---- Points ---- */

static uint32_t width_of(const gri_jacobian *j) { return j->n_in + j->n_out; }
static double *values_of(const gri_jacobian *j, size_t p) { return j->values + p * width_of(j); }
static double *parts_of(const gri_jacobian *j, size_t p) { return j->parts + p * j->n_in; }

static size_t most_points(const gri_jacobian *j)
{
    const bool few = j->n_in > 1 && j->n_in <= FEW_ELEMENTS;
    return 1 + 2 * PAIRS + (few ? 2 * (size_t)j->n_in : 0);
}

/* The replacement of element i at random point p > 0. */
static double random_value(const gri_jacobian *j, size_t p, uint32_t i)
{
    const size_t pair = (p - 1) / 2;
    double u[2];
    gri_uniform_pair(SEED + (pair < PAIRS ? pair : PAIRS), i, u);
    const double sign = (u[0] < 0.5 ? -1.0 : 1.0) * (p % 2 ? 1.0 : -1.0);
    if (pair == PAIRS - 1) return sign * exp2(WIDTH * (2 * u[1] - 1));
    const double size = 0.3 + u[1];
    if (pair >= PAIRS && i == pair - PAIRS) return (p % 2 ? FAR : -FAR) * size;
    return (void)j, sign * size;
}

/* Replaces the elements of an operand, of which the first is element `first` of all. */
static void randomise(const gri_jacobian *j, size_t p, uint32_t first, const gr_array *a)
{
    FOR_ELEMENTS(a, i, offset, set_element(a, offset, random_value(j, p, first + (uint32_t)i)););
}

/* A cotangent of zeros. */
static gri_node *push_zeros(gr_graph *g, const gr_array *like)
{
    const gri_recipe r = {.type = like->type, .ndim = like->ndim, .dims = like->dims, .count = like->count};
    gri_node *zeros = gri_push(g, &r);
    if (zeros) memset(zeros->array.data, 0, (size_t)like->count * gri_element_bytes(like->type));
    return zeros;
}

/* `slot`: where the point is kept; p: which point it is. */
static gr_status copy_operands(const gri_jacobian *j, const point *at, size_t slot, size_t p)
{
    gr_graph *g = j->g;
    uint32_t first = 0;
    for (uint32_t k = 0; k < j->node->n_operands; k++) {
        const gri_operand *use = &gri_operands(j->node)[k];
        const gri_node *operand = gri_lookup(g, use->index, use->generation);
        if (gr_type_is_float(operand->array.type)) {
            operand = gri_convert(g, operand, operand->array.type);
            if (!operand) return g->status;
            if (p > 0) randomise(j, p, first, &operand->array);
        }
        at->operands[k] = gri_handle(g, operand);
        at->in[k] = &operand->array;
        gri_read_elements(&operand->array, values_of(j, slot) + first);
        first += (uint32_t)operand->array.count;
    }
    return GR_OK;
}

/* The operation done again at point p. */
static gr_status make_point(const gri_jacobian *j, size_t slot, size_t p)
{
    point *at = &j->points[slot];
    gr_graph *g = j->g;
    const gri_node *node = j->node;
    const int n = (int)node->n_operands;
    const gr_status status = copy_operands(j, at, slot, p);
    if (status != GR_OK) return status;
    const gr_tensor y = gr_apply(g, node->op, n, at->operands, gri_attributes(node));
    const gri_node *out = gri_lookup(g, y.index, y.generation);
    if (!out) return g->status;
    if (out->array.type != node->array.type || !gri_same_dims(&out->array, &node->array))
        return gri_fail(g, GR_ERR_CALLBACK, "%s: %s gave another shape when it was done again", j->what,
                        node->op->name);
    gri_read_elements(&out->array, values_of(j, slot) + j->n_in);
    at->gy = push_zeros(g, &out->array);
    at->call = (gr_call){.graph = g,
                         .op = node->op,
                         .n = n,
                         .operands = at->operands,
                         .attributes = gri_attributes(node),
                         .in = at->in,
                         .out = &out->array,
                         .output = y};
    return g->status;
}

/* Whether a failure at a random point says something of the point only. */
static bool is_forgiven(gr_graph *g, gri_mark mark)
{
    if (g->status == GR_ERR_MEMORY || g->status == GR_ERR_LIMIT) return false;
    gri_pop(g, mark);
    gr_graph_clear_error(g);
    return true;
}

static gr_status allocate(gri_jacobian *j)
{
    gri_memory *m = &j->g->memory;
    const size_t n = most_points(j), operands = j->node->n_operands;
    j->points = gri_alloc_zeroed(m, n * sizeof *j->points);
    j->values = gri_alloc_zeroed(m, n * width_of(j) * sizeof *j->values);
    j->parts = gri_alloc(m, n * j->n_in * sizeof *j->parts);
    j->order = gri_alloc(m, j->n_in * sizeof *j->order);
    j->row = gri_alloc(m, j->n_in * sizeof *j->row);
    bool there = j->points && j->values && j->parts && j->order && j->row;
    for (size_t p = 0; there && p < n; p++) {
        point *at = &j->points[p];
        at->operands = gri_alloc(m, operands * sizeof *at->operands);
        at->in = gri_alloc(m, operands * sizeof *at->in);
        there = at->operands && at->in;
    }
    return there ? GR_OK : gri_fail_memory(j->g, j->what, n * width_of(j) * sizeof *j->values);
}

void gri_jacobian_end(gri_jacobian *j)
{
    gri_memory *m = &j->g->memory;
    const size_t n = most_points(j), operands = j->node->n_operands;
    for (size_t p = 0; j->points && p < n; p++) {
        gri_free(m, j->points[p].operands, operands * sizeof *j->points[p].operands);
        gri_free(m, (void *)j->points[p].in, operands * sizeof *j->points[p].in);
    }
    gri_free(m, j->row, j->n_in * sizeof *j->row);
    gri_free(m, j->order, j->n_in * sizeof *j->order);
    gri_free(m, j->parts, n * j->n_in * sizeof *j->parts);
    gri_free(m, j->values, n * width_of(j) * sizeof *j->values);
    gri_free(m, j->points, n * sizeof *j->points);
    gri_pop(j->g, j->mark);
}

/* By heaps, in place: the values at the first random point, in ascending order. */
static void sift(uint32_t *order, const double *value, size_t root, size_t n)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && value[order[child]] < value[order[child + 1]]) child++;
        if (!(value[order[root]] < value[order[child]])) return;
        const uint32_t swapped = order[root];
        order[root] = order[child];
        order[child] = swapped;
    }
}

static void sort_elements(const gri_jacobian *j)
{
    const double *value = values_of(j, j->n_points > 1 ? 1 : 0);
    for (uint32_t i = 0; i < j->n_in; i++) j->order[i] = i;
    for (size_t i = j->n_in / 2; i-- > 0;) sift(j->order, value, i, j->n_in);
    for (size_t n = j->n_in; n > 1; n--) {
        const uint32_t last = j->order[n - 1];
        j->order[n - 1] = j->order[0];
        j->order[0] = last;
        sift(j->order, value, 0, n - 1);
    }
}

gr_status gri_jacobian_begin(gri_jacobian *j, gr_graph *g, const char *what, const gri_node *node)
{
    *j = (gri_jacobian){.g = g, .what = what, .node = node, .mark = gri_mark_here(g)};
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const gri_operand *use = &gri_operands(node)[k];
        j->n_in += (uint32_t)gri_lookup(g, use->index, use->generation)->array.count;
    }
    j->n_out = (uint32_t)node->array.count;
    gr_status status = allocate(j);
    if (status == GR_OK) status = make_point(j, 0, 0);
    j->n_points = 1;
    for (size_t p = 1; p < most_points(j) && status == GR_OK; p++) {
        const gri_mark mark = gri_mark_here(g);
        status = make_point(j, j->n_points, p); /* one that fails leaves its place to the next */
        if (status == GR_OK)
            j->n_points++;
        else if (is_forgiven(g, mark))
            status = GR_OK;
    }
    if (status == GR_OK) sort_elements(j);
    return status;
}

/* ---- One row ---- */

/* Takes what the rule returned for operand k, and sums what broadcasting repeated. */
static gr_status take(const gri_jacobian *j, const point *at, int k, gr_tensor part, double *to)
{
    gr_graph *g = j->g;
    const gr_array *operand = at->in[k];
    if (part.index == 0 && !part.graph) {
        memset(to, 0, (size_t)operand->count * sizeof *to);
        return GR_OK;
    }
    const gri_node *node = part.graph == g ? gri_lookup(g, part.index, part.generation) : NULL;
    if (!node)
        return g->status != GR_OK
                   ? g->status
                   : gri_fail(g, GR_ERR_CALLBACK,
                              "%s: the rule of %s for operand %d returned no tensor of this graph", j->what,
                              at->call.op->name, k + 1);
    const gr_array *a = &node->array;
    if (a->type != operand->type || !gri_broadcasts_to(operand->ndim, operand->dims, a->ndim, a->dims)) {
        char text[TEXT_BYTES];
        gri_describe(text, sizeof text, node, true);
        return gri_fail(g, GR_ERR_SHAPE, "%s: the rule of %s for operand %d returned %s, which does not fit",
                        j->what, at->call.op->name, k + 1, text);
    }
    if (!gri_same_dims(a, operand)) {
        gr_shape shape = {.ndim = operand->ndim};
        memcpy(shape.dims, operand->dims, (size_t)operand->ndim * sizeof *operand->dims);
        const gr_tensor summed = gr_sum_to(part, shape);
        node = gri_lookup(g, summed.index, summed.generation);
        if (!node) return g->status;
    }
    gri_read_elements(&node->array, to);
    return GR_OK;
}

/* A rule that needs the walk, as that of a checkpoint does, has no partial derivatives of its own: says what to do. */
static void explain_state(const gri_jacobian *j)
{
    char text[TEXT_BYTES];
    gri_describe(text, sizeof text, j->node, false);
    gr_graph_clear_error(j->g);
    gri_fail(j->g, GR_ERR_STATE,
             "%s: what led to %s was not kept, and comes back only while a gradient is computed: record it "
             "without "
             "gr_checkpoint, or look at whole tensors instead (gr_shares_create, gr_dot_write)",
             j->what, text);
}

/* By the rule that makes the contributions to all operands at once. */
static gr_status pull_all(const gri_jacobian *j, const point *at, double *to)
{
    gr_graph *g = j->g;
    const size_t n = (size_t)at->call.n;
    const gri_tidy before = gri_tidy_here(g);
    gr_tensor *parts = gri_alloc(&g->memory, n * sizeof *parts);
    bool *needed = gri_alloc(&g->memory, n);
    gr_status status = parts && needed ? GR_OK : gri_fail_memory(g, j->what, n * sizeof *parts);
    for (size_t k = 0; k < n && status == GR_OK; k++) {
        parts[k] = GR_NONE;
        needed[k] = gr_type_is_float(at->in[k]->type);
    }
    if (status == GR_OK) {
        status = at->call.op->vjp_all(&at->call, gri_handle(g, at->gy), needed, parts);
        if (status == GR_ERR_STATE && g->status == status) explain_state(j);
        if (gri_check_tidy(g, j->what, at->call.op, &before) != GR_OK) status = g->status;
        if (status != GR_OK)
            gri_fail(g, GR_ERR_CALLBACK, "%s: the rule of %s failed without saying why", j->what,
                     at->call.op->name);
    }
    for (size_t k = 0; k < n && status == GR_OK; k++) {
        status = take(j, at, (int)k, parts[k], to);
        to += at->in[k]->count;
    }
    gri_free(&g->memory, needed, n);
    gri_free(&g->memory, parts, n * sizeof *parts);
    return status == GR_OK ? GR_OK : g->status;
}

/* The row at one point. */
static gr_status pull(const gri_jacobian *j, const point *at, double *to)
{
    gr_graph *g = j->g;
    if (at->call.op->vjp_all) return pull_all(j, at, to);
    const gri_tidy before = gri_tidy_here(g);
    gr_status status = GR_OK;
    for (int k = 0; k < at->call.n && status == GR_OK; k++) {
        gr_tensor part = GR_NONE;
        if (gr_type_is_float(at->in[k]->type)) {
            part = at->call.op->vjp(&at->call, gri_handle(g, at->gy), k);
            status = gri_check_tidy(g, j->what, at->call.op, &before);
        }
        if (status == GR_OK) status = take(j, at, k, part, to);
        to += at->in[k]->count;
    }
    return status;
}

static gr_status pull_point(const gri_jacobian *j, size_t p, uint32_t element)
{
    const point *at = &j->points[p];
    const gri_mark mark = gri_mark_here(j->g);
    set_element(&at->gy->array, element, 1);
    gr_status status = pull(j, at, parts_of(j, p));
    set_element(&at->gy->array, element, 0);
    if (status != GR_OK && p > 0 && is_forgiven(j->g, mark)) {
        memset(parts_of(j, p), 0, j->n_in * sizeof(double));
        status = GR_OK;
    }
    gri_pop(j->g, mark);
    return status;
}

/* ---- Symbols ---- */

static bool is_same(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

/* Whether the partial derivative by element i is everywhere `factor` times the element `of`. */
static bool is_multiple(const gri_jacobian *j, uint32_t i, double factor, uint32_t of)
{
    for (size_t p = 0; p < j->n_points; p++)
        if (!is_same(parts_of(j, p)[i], factor * values_of(j, p)[of])) return false;
    return true;
}

/* The element of an operand of which the partial derivative is a multiple; n_in: none. */
static uint32_t find_multiple(const gri_jacobian *j, uint32_t i, double factor)
{
    const double wanted = parts_of(j, 1)[i] / factor;
    const double *value = values_of(j, 1);
    uint32_t low = 0, high = j->n_in;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (value[j->order[middle]] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < j->n_in && value[j->order[low]] == wanted; low++)
        if (is_multiple(j, i, factor, j->order[low])) return j->order[low];
    return j->n_in;
}

static bool is_element(const gri_jacobian *j, uint32_t i, uint32_t result, gri_partial *to)
{
    static const double factors[] = {1, -1, 2, -2, 0.5, -0.5};
    for (size_t k = 0; k < sizeof factors / sizeof *factors; k++) {
        const uint32_t found = find_multiple(j, i, factors[k]);
        const bool own = found == j->n_in && is_multiple(j, i, factors[k], j->n_in + result);
        if (found == j->n_in && !own) continue;
        to->kind = GRI_SYMBOL_ELEMENT;
        to->factor = factors[k];
        to->other = own ? j->n_in + result : found;
        return true;
    }
    return false;
}

/* Of two elements, the other one. */
static uint32_t other_of(const gri_jacobian *j, uint32_t i) { return j->n_in == 2 ? 1 - i : i; }

static bool is_form(const gri_jacobian *j, uint32_t i, uint32_t result, const gri_form *form)
{
    const double tolerance = j->node->array.type == GR_F64 ? 1e-12 : 1e-5;
    size_t met = 0;
    for (size_t p = 0; p < j->n_points; p++) {
        const double *value = values_of(j, p), part = parts_of(j, p)[i];
        const double expected = form->f(value[i], value[j->n_in + result], value[other_of(j, i)]);
        if (is_same(part, expected)) {
            met += isfinite(part) && part != 0;
            continue;
        }
        /* 1 - y^2 of a y near 1 has few digits: what matters is its error in units of 1 */
        const double size = fabs(expected) > 1 ? fabs(expected) : 1;
        if (!(fabs(part - expected) <= tolerance * size)) return false;
        met += part != 0;
    }
    return met > NEEDED_POINTS;
}

static void recognise(const gri_jacobian *j, uint32_t i, uint32_t result, gri_partial *to)
{
    bool constant = true;
    for (size_t p = 1; p < j->n_points; p++) constant &= is_same(parts_of(j, p)[i], parts_of(j, 0)[i]);
    if (j->n_points <= NEEDED_POINTS) return;
    if (constant) {
        to->kind = GRI_SYMBOL_CONSTANT;
        return;
    }
    if (is_element(j, i, result, to)) return;
    for (uint8_t k = 0; k < N_FORMS; k++)
        if (is_form(j, i, result, &gri_forms[k])) {
            to->kind = GRI_SYMBOL_FORM;
            to->form = k;
            to->other = gri_forms[k].other ? other_of(j, i) : i;
            return;
        }
}

/* Whether the element of the result is everywhere the one operand element of its row. */
static bool is_copy_row(const gri_jacobian *j, uint32_t result)
{
    const gri_partial *one = &j->row[0];
    if (j->n_row != 1 || one->kind != GRI_SYMBOL_CONSTANT || one->value != 1) return false;
    for (size_t p = 0; p < j->n_points; p++) {
        const double *value = values_of(j, p);
        if (!is_same(value[one->element], value[j->n_in + result])) return false;
    }
    return true;
}

gr_status gri_jacobian_row(gri_jacobian *j, uint32_t element)
{
    for (size_t p = 0; p < j->n_points; p++) {
        const gr_status status = pull_point(j, p, element);
        if (status != GR_OK) return status;
    }
    j->n_row = 0;
    for (uint32_t i = 0; i < j->n_in; i++) {
        bool exists = false;
        for (size_t p = 0; p < j->n_points && !exists; p++) exists = !(parts_of(j, p)[i] == 0);
        if (!exists) continue;
        gri_partial *partial = &j->row[j->n_row++];
        *partial = (gri_partial){.value = parts_of(j, 0)[i], .element = i};
        recognise(j, i, element, partial);
    }
    j->is_copy = is_copy_row(j, element);
    return GR_OK;
}
