/*
 * Samples: the tables of shapes, values in a domain, and operands in all layouts.
 */
#include "check/sample.h"
#include "gradus/ops.h"
#include "base/random.h"

#include <math.h>
#include <string.h>

static const double default_low = -2, default_high = 2;

/* ---- Shapes ---- */

enum { LARGE_SIZE = 70001, MOST_SIZES = 8 };

bool gr_sample_sizes(int number, int n, const int64_t *least, int64_t *size)
{
    static const int64_t special[] = {0, 1, LARGE_SIZE};
    enum { SPECIAL = 3 };
    if (n < 1 || n > MOST_SIZES || number < 0 || !size) return false;
    for (int k = 0; k < 3 + SPECIAL * n; k++) {
        const int axis = (k - 2) / SPECIAL, which = (k - 2) % SPECIAL;
        const bool one = k >= 2 && axis < n, large = one && special[which] == LARGE_SIZE;
        bool possible = true;
        for (int i = 0; i < n; i++) {
            size[i] = k == 0                 ? 2 + (i + 1) % 4
                      : k == 1               ? 1
                      : k == 2 + SPECIAL * n ? 0
                      : large                ? 2
                                             : 2 + i % 3;
            if (one && i == axis) size[i] = special[which];
            const int64_t low = least ? least[i] : 0;
            if (size[i] >= low) continue;
            if (one && i != axis) size[i] = low; /* the small ones may grow */
            possible &= size[i] >= low;
        }
        /* With one axis "all 1" and "all 0" are what "the first 1" and "the first 0" are. */
        if (n == 1 && (k == 1 || k == 2 + SPECIAL * n)) possible = false;
        if (possible && number-- == 0) return true;
    }
    return false;
}

/* What part of the result's shape an operand has. */
typedef enum role { FULL, ROW, COLUMN, ONES, ALONE, ROLES } role;

typedef struct roles {
    gr_shape whole;
    role first, second;
} roles;

/* Behind all pairs of roles in [2, 3]. */
static const roles table[] = {
    {{1, {5}}, FULL, FULL},          {{1, {1}}, FULL, FULL},         {{1, {1}}, ALONE, FULL},
    {{3, {2, 3, 2}}, FULL, FULL},    {{3, {2, 3, 2}}, FULL, COLUMN}, {{3, {2, 3, 2}}, ROW, FULL},
    {{4, {2, 1, 3, 1}}, FULL, FULL}, {{4, {2, 1, 3, 1}}, ROW, FULL}, {{1, {0}}, FULL, FULL},
    {{1, {0}}, FULL, ONES},          {{1, {0}}, ALONE, FULL},        {{3, {2, 0, 3}}, FULL, FULL},
    {{3, {2, 0, 3}}, FULL, ROW},     {{3, {2, 0, 3}}, COLUMN, FULL}, {{1, {LARGE_SIZE}}, FULL, FULL},
    {{2, {61, 83}}, FULL, FULL},     {{2, {257, 273}}, FULL, ROW},   {{2, {61, 83}}, COLUMN, FULL},
};
enum { PAIRS = ROLES * ROLES, ROWS = (int)PAIRS + (int)(sizeof table / sizeof *table) };

static gr_shape shape_of(gr_shape whole, role r)
{
    const int last = whole.ndim - 1;
    gr_shape shape = whole;
    if (r == ALONE) return (gr_shape){.ndim = 0};
    if (r == COLUMN) shape.dims[last] = 1;
    if (r == ROW) shape = (gr_shape){.ndim = 1, .dims = {whole.dims[last]}};
    for (int i = 0; r == ONES && i < whole.ndim; i++) shape.dims[i] = 1;
    return shape;
}

/* Shapes that broadcast, of sample `number`; false if there are no more. One operand has its first role only. */
static bool choose_shapes(int number, int n, gr_shape *shape)
{
    if (n == 0) return number == 0;
    for (int i = 0; i < ROWS; i++) {
        const roles pair = {{2, {2, 3}}, (role)(i / ROLES), (role)(i % ROLES)};
        const roles r = i < PAIRS ? pair : table[i - PAIRS];
        if ((n == 1 && r.second != FULL) || number-- > 0) continue;
        const int sum = (int)r.first + (int)r.second;
        for (int k = 0; k < n; k++)
            shape[k] = shape_of(r.whole, k == 0   ? r.first
                                         : k == 1 ? r.second
                                                  : (role)((sum + k) % (int)ROLES));
        return true;
    }
    return false;
}

/* The number of operands of an elementwise sample: of a variadic primitive 1, 2, 3. */
static bool choose_elementwise(const gr_op *op, int number, gr_sample *sample)
{
    if (op->arity != GR_VARIADIC) return choose_shapes(number, sample->n, sample->shape);
    sample->n = 1 + number % 3;
    return choose_shapes(number / 3, sample->n, sample->shape);
}

bool gri_make_sample(const gr_op *op, const gr_samples *declared, int number, gr_sample *sample,
                     void *attributes)
{
    *sample = (gr_sample){.n = op->arity > 0 ? op->arity : 0};
    for (int k = 0; k < GR_SAMPLE_OPERANDS; k++)
        sample->domain[k] = declared->domain[op->arity == GR_VARIADIC ? 0 : k];
    if (op->attribute_bytes && declared->attributes)
        memcpy(attributes, declared->attributes, op->attribute_bytes);
    else if (op->attribute_bytes)
        memset(attributes, 0, op->attribute_bytes);
    if (declared->elementwise && !choose_elementwise(op, number, sample)) return false;
    return !declared->make || declared->make(number, sample, attributes);
}

static const char *check_domain(const gr_domain *d)
{
    if ((unsigned)d->kind > GR_SAMPLE_MASK) return "a domain of no kind";
    if (!isfinite(d->low) || !isfinite(d->high) || d->low > d->high || !(d->gap >= 0) || !isfinite(d->gap))
        return "a domain that is none: low <= high and gap >= 0 are needed, all finite";
    if (d->n_kinks < 0 || d->n_kinks > GR_SAMPLE_KINKS) return "a domain of too many kinks";
    for (int i = 0; i < d->n_kinks; i++)
        if (!isfinite(d->kinks[i])) return "a domain with a kink that is not finite";
    if (d->kind == GR_SAMPLE_INDEX && (d->low < INT32_MIN || d->high > (double)INT32_MAX + 1))
        return "a domain of indices that i32 does not hold";
    return NULL;
}

static double value_in(const gr_domain *d, double u);

const char *gri_check_sample(const gr_sample *sample, int arity, int64_t *elements)
{
    *elements = 0;
    if (sample->n < 0 || sample->n > GR_SAMPLE_OPERANDS) return "an impossible number of operands";
    if (arity != GR_VARIADIC && sample->n != arity)
        return "another number of operands than the primitive has";
    for (int k = 0; k < sample->n; k++) {
        const gr_shape *shape = &sample->shape[k];
        int64_t count = 1;
        if (shape->ndim < 0 || shape->ndim > GR_MAX_NDIM) return "a shape of an impossible number of axes";
        if (!gri_count(shape->ndim, shape->dims, GR_F64, &count) && shape->ndim > 0)
            return "an impossible shape";
        const char *problem = check_domain(&sample->domain[k]);
        if (problem) return problem;
        if (count > 0 && !sample->values[k] && isnan(value_in(&sample->domain[k], 0.5)))
            return "a domain of no values, for an operand that has elements";
        *elements = count > INT64_MAX - *elements ? INT64_MAX : *elements + count;
    }
    return NULL;
}

/* ---- Values ---- */

/* The end of the gap that x is in; x, if it is in none. */
static double behind_gaps(const gr_domain *d, double x)
{
    const double zero = 0, *kinks = d->n_kinks ? d->kinks : &zero;
    const int n = d->n_kinks ? d->n_kinks : 1;
    for (int i = 0; i < n; i++) {
        const double end = kinks[i] + d->gap;
        if (kinks[i] - d->gap <= x && x < end) {
            x = end;
            i = -1; /* that end may be in another gap */
        }
    }
    return x;
}

/* Where the next gap behind x begins, at most at `high`. */
static double next_gap(const gr_domain *d, double x, double high)
{
    const double zero = 0, *kinks = d->n_kinks ? d->kinks : &zero;
    const int n = d->n_kinks ? d->n_kinks : 1;
    for (int i = 0; i < n && d->gap > 0; i++) {
        const double start = kinks[i] - d->gap;
        if (start > x && start < high) high = start;
    }
    return high;
}

/* What is `length` of allowed numbers behind the first one; `total` becomes what there is of them before that is
   reached. */
static double walk(const gr_domain *d, double low, double high, double length, double *total)
{
    double done = 0, x = d->gap > 0 ? behind_gaps(d, low) : low;
    while (x < high) {
        const double end = next_gap(d, x, high);
        if (length < done + (end - x)) {
            *total = length;
            return x + (length - done);
        }
        done += end - x;
        x = end < high ? behind_gaps(d, end) : high;
    }
    *total = done;
    return NAN;
}

/* The number at u in [0, 1) of the way through the domain; NaN if it is empty. */
static double value_in(const gr_domain *d, double u)
{
    if (d->kind == GR_SAMPLE_MASK) return u < 0.5;
    if (d->kind == GR_SAMPLE_INDEX) {
        const double first = ceil(d->low), n = ceil(d->high) - first;
        return n > 0 ? first + fmin(floor(u * n), n - 1) : NAN;
    }
    const bool given = d->low != 0 || d->high != 0;
    const double low = given ? d->low : default_low, high = given ? d->high : default_high;
    double total, ignored;
    walk(d, low, high, INFINITY, &total);
    if (!(total > 0)) return NAN;
    const double x = walk(d, low, high, fmin(u, 1 - 0x1p-30) * total, &ignored);
    /* A float, where there is one in the domain: then f32 and f64 get the same. */
    float rounded = (float)x;
    if (rounded < low) rounded = nextafterf(rounded, INFINITY);
    if (rounded >= high) rounded = nextafterf(rounded, -INFINITY);
    return rounded >= low && rounded < high ? (double)rounded : x;
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Values of all operands are on one grid, so that no two are equal: point (i step) mod total of it for the i-th. The
   step is prime to the total, and near the golden section, so that neighbours are far apart; the place within the
   point is random. */
void gri_fill_values(int n, gri_operand_sample *operands, uint64_t seed)
{
    int64_t total = 0, next = 0;
    for (int k = 0; k < n; k++) total += operands[k].count;
    int64_t step = (int64_t)(0.6180339887498949 * (double)total);
    if (step < 1) step = 1;
    while (total > 1 && common_divisor(step, total) != 1) step++;
    const int64_t start = (int64_t)(seed % 1009);
    for (int k = 0; k < n; k++) {
        for (int64_t e = 0; e < operands[k].count; e++, next++) {
            if (operands[k].fixed) continue;
            double random[2];
            gri_uniform_pair(seed, (uint64_t)next, random);
            const int64_t point = (next + start) % total * step % total;
            const double jitter = 0.25 + 0.5 * random[0];
            const double u = operands[k].domain->kind == GR_SAMPLE_REAL
                                 ? ((double)point + jitter) / (double)total
                                 : random[1];
            operands[k].values[e] = value_in(operands[k].domain, u);
        }
    }
}

/* ---- Layouts ---- */

const char *gri_arrangement_name(gri_arrangement how)
{
    static const char *const names[] = {"contiguous",
                                        "transposed",
                                        "stepped",
                                        "reversed",
                                        "expanded",
                                        "contiguous and stepped",
                                        "stepped and contiguous"};
    return names[how];
}

/* The axis along which an expanded operand repeats; -1: none. */
static int expanded_axis(gr_shape shape)
{
    for (int axis = 0; axis < shape.ndim; axis++)
        if (shape.dims[axis] > 1) return axis;
    return -1;
}

gri_arrangement gri_arranged(const gri_operand_sample *operand, int k, gri_arrangement how)
{
    const int ndim = operand->shape.ndim;
    if (how == GRI_MIXED) how = k % 2 ? GRI_STEPPED : GRI_CONTIGUOUS_OPERANDS;
    if (how == GRI_MIXED_OTHER) how = k % 2 ? GRI_CONTIGUOUS_OPERANDS : GRI_STEPPED;
    const bool varies = !operand->fixed && !operand->domain->distinct && expanded_axis(operand->shape) >= 0;
    const bool possible = how == GRI_TRANSPOSED ? ndim > 1
                          : how == GRI_REVERSED ? ndim > 0
                          : how == GRI_EXPANDED ? varies
                                                : true;
    return possible ? how : GRI_CONTIGUOUS_OPERANDS;
}

gr_shape gri_leaf_shape(gr_shape shape, gri_arrangement how)
{
    gr_shape leaf = shape;
    const int last = shape.ndim - 1;
    for (int i = 0; how == GRI_TRANSPOSED && i <= last; i++) leaf.dims[i] = shape.dims[last - i];
    if (how == GRI_STEPPED && last < 0) leaf = (gr_shape){.ndim = 1, .dims = {3}};
    if (how == GRI_STEPPED && last >= 0) leaf.dims[last] = 2 * shape.dims[last] + 1;
    if (how == GRI_EXPANDED) leaf.dims[expanded_axis(shape)] = 1;
    return leaf;
}

gr_tensor gri_view_of(gr_tensor leaf, gr_shape shape, gri_arrangement how)
{
    const int64_t end = GR_SLICE_DEFAULT;
    if (how == GRI_TRANSPOSED) return gr_permute(leaf, GR_ALL_AXES);
    if (how == GRI_STEPPED) return shape.ndim ? gr_slice(leaf, -1, 1, end, 2) : gr_select(leaf, 0, 1);
    if (how == GRI_EXPANDED) return gr_expand(leaf, shape);
    if (how != GRI_REVERSED) return leaf;
    const gr_tensor t = gr_slice(leaf, 0, end, end, -1);
    return shape.ndim > 1 ? gr_slice(t, -1, end, end, -1) : t;
}

/* Offset of element 0 of the view in the leaf, and strides, in elements. */
static int64_t strides_in_leaf(gr_shape shape, gri_arrangement how, int64_t *strides)
{
    const gr_shape leaf = gri_leaf_shape(shape, how);
    const int last = shape.ndim - 1;
    int64_t own[GR_MAX_NDIM], offset = 0;
    gri_row_major(leaf.ndim, leaf.dims, own);
    if (how == GRI_STEPPED && last < 0) return 1;
    for (int i = 0; i <= last; i++) strides[i] = how == GRI_TRANSPOSED ? own[last - i] : own[i];
    if (how == GRI_STEPPED) {
        strides[last] = 2;
        offset = 1;
    }
    if (how == GRI_EXPANDED) strides[expanded_axis(shape)] = 0;
    for (int i = 0; how == GRI_REVERSED && i <= last; i += last > 0 ? last : 1) {
        offset += (shape.dims[i] - 1) * strides[i];
        strides[i] = -strides[i];
    }
    return offset;
}

static void store(const gr_array *to, int64_t i, double v)
{
    switch (to->type) {
    case GR_F32:
        ((float *)to->data)[i] = (float)v;
        return;
    case GR_F64:
        ((double *)to->data)[i] = v;
        return;
    case GR_I32:
        ((int32_t *)to->data)[i] = (int32_t)v;
        return;
    case GR_BOOL:
        ((uint8_t *)to->data)[i] = v != 0;
        return;
    }
}

/* Other numbers of the domain, not those that the operand has there. */
static void fill_between(const gr_array *leaf, const gri_operand_sample *operand)
{
    enum { OTHERS = 61 };
    double other[OTHERS];
    for (int i = 0; i < OTHERS; i++) {
        const double v = operand->fixed && operand->count
                             ? operand->values[(i * 7 + 3) % operand->count]
                             : value_in(operand->domain, (i * 23 % OTHERS + 0.3) / OTHERS);
        other[i] = isnan(v) ? 0 : v;
    }
    for (int64_t i = 0; i < leaf->count; i++) store(leaf, i, other[i % OTHERS]);
}

void gri_fill_leaf(const gr_array *leaf, const gri_operand_sample *operand, gri_arrangement how,
                   bool repeated)
{
    const gr_shape shape = operand->shape;
    int64_t index[GR_MAX_NDIM] = {0}, strides[GR_MAX_NDIM] = {0}, from[GR_MAX_NDIM] = {0};
    int64_t at = strides_in_leaf(shape, how, strides), e = 0;
    gri_row_major(shape.ndim, shape.dims, from);
    if (repeated && expanded_axis(shape) >= 0) from[expanded_axis(shape)] = 0;
    if (leaf->count > operand->count) fill_between(leaf, operand);
    for (int64_t i = 0; i < operand->count; i++) {
        store(leaf, at, operand->values[e]);
        for (int axis = shape.ndim - 1; axis >= 0; axis--) {
            at += strides[axis];
            e += from[axis];
            if (++index[axis] < shape.dims[axis]) break;
            at -= shape.dims[axis] * strides[axis];
            e -= shape.dims[axis] * from[axis];
            index[axis] = 0;
        }
    }
}
