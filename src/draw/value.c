/* Numbers of a tensor in a drawing: one, all as rows of a matrix, or what many come down to. */
#include "draw/picture.h"

#include <math.h>

enum { SUMMARY_DIGITS = 4, INTEGER_DIGITS = 10 /* the largest has ten */ };

/* Where the element of row-major position i lies. */
static int64_t offset_of(const gr_array *a, int64_t i)
{
    int64_t offset = 0;
    for (int axis = a->ndim; axis-- > 0;) {
        offset += i % a->dims[axis] * a->strides[axis];
        i /= a->dims[axis];
    }
    return offset;
}

/* How numbers of one tensor are written. */
typedef struct number_style {
    int digits;
    bool sign;
    gri_origin origin;
} number_style;

/* Leaves and filled tensors were given, and what shows their elements in another order is no more computed than they. */
static bool is_given(const gri_picture *p, const gri_node *node)
{
    while (node->op && !node->op->forward && node->n_operands > 0) {
        const gri_operand *viewed = gri_operands(node);
        const gri_node *operand = gri_lookup(p->g, viewed->index, viewed->generation);
        if (!operand) return false;
        node = operand;
    }
    return !node->op || !node->op->forward || node->op->arity == 0;
}

/* Integers are exact. Gradients, which have signs, are leaves that were computed. */
static number_style style_of(const gri_picture *p, const gri_node *node, bool gradient)
{
    const gr_type type = node->array.type;
    const gri_origin given = type == GR_F32 ? GRI_GIVEN_F32 : GRI_GIVEN_F64;
    return (number_style){gr_type_is_float(type) ? p->options.digits : INTEGER_DIGITS, gradient,
                          gradient || !is_given(p, node) ? GRI_COMPUTED : given};
}

static int write_number(char to[GRI_NUMBER_BYTES], double value, number_style style)
{
    return gri_figure(to, value, style.digits, style.sign, style.origin);
}

static void put_number(gri_picture *p, double value, number_style style)
{
    char number[GRI_NUMBER_BYTES];
    write_number(number, value, style);
    gri_text_number(&p->text, number);
}

void gri_put_element(gri_picture *p, const gri_node *node, bool gradient)
{
    const gr_array *a = &node->array;
    put_number(p, gri_element(a, offset_of(a, 0)), style_of(p, node, gradient));
}

/* All elements, a line for each row; columns stand below each other. */
void gri_put_rows(gri_picture *p, const gri_node *node, bool gradient)
{
    char number[GRI_NUMBER_BYTES];
    const gr_array *a = &node->array;
    const number_style style = style_of(p, node, gradient);
    const int64_t columns = a->ndim > 0 ? a->dims[a->ndim - 1] : 1;
    int width = 0;
    for (int64_t i = 0; i < a->count; i++) {
        const int length = write_number(number, gri_element(a, offset_of(a, i)), style);
        if (length > width) width = length;
    }
    gri_put(p, "<FONT FACE=\"Courier\">");
    for (int64_t i = 0; i < a->count; i++) {
        int length = write_number(number, gri_element(a, offset_of(a, i)), style);
        if (i > 0) gri_put(p, i % columns == 0 ? "<BR/>" : "&#160;&#160;");
        for (; length < width && columns > 1; length++) gri_put(p, "&#160;");
        gri_text_number(&p->text, number);
    }
    gri_put(p, "</FONT>");
}

/* What a tensor too large to be shown comes down to. */
typedef struct summary {
    double low, high; /* of what is not NaN */
    double norm;      /* NaN if any element is */
    int64_t nans;
} summary;

static summary summarise(const gr_array *a)
{
    const int64_t columns = a->ndim > 0 ? a->dims[a->ndim - 1] : 1;
    const int64_t stride = a->ndim > 0 ? a->strides[a->ndim - 1] : 0;
    summary s = {INFINITY, -INFINITY, 0, 0};
    double largest = 0, sum = 0; /* sum of (x / largest)^2: no overflow, no underflow */
    for (int64_t row = 0; row < a->count; row += columns) {
        const int64_t first = offset_of(a, row);
        for (int64_t column = 0; column < columns; column++) {
            const double x = gri_element(a, first + column * stride), size = fabs(x);
            s.low = x < s.low ? x : s.low;
            s.high = x > s.high ? x : s.high;
            s.nans += isnan(x);
            if (size > largest) {
                sum = 1 + sum * (largest / size) * (largest / size);
                largest = size;
            } else if (size > 0) {
                sum += (size / largest) * (size / largest);
            }
        }
    }
    s.norm = s.nans > 0 ? NAN : isinf(largest) ? largest : largest * sqrt(sum);
    return s;
}

/* Numbers that stand for many need not be long. */
static number_style summary_style(const gri_picture *p, const gri_node *node, bool gradient)
{
    number_style style = style_of(p, node, gradient);
    style.sign = false;
    if (gr_type_is_float(node->array.type) && style.digits > SUMMARY_DIGITS) style.digits = SUMMARY_DIGITS;
    return style;
}

void gri_put_norm(gri_picture *p, const gri_node *node)
{
    gri_text_symbol(&p->text, "‖·‖ = ", "||.|| = ");
    put_number(p, summarise(&node->array).norm, summary_style(p, node, true));
}

void gri_put_range(gri_picture *p, const gri_node *node)
{
    const gr_array *a = &node->array;
    const summary s = summarise(a);
    const bool one = s.low == s.high;
    if (s.nans == a->count) {
        gri_put(p, "all nan");
        return;
    }
    if (s.nans > 0) { /* the first thing to look for */
        gri_text_unsigned(&p->text, (uint64_t)s.nans);
        gri_put(p, " nan, others ");
    } else if (one) {
        gri_put(p, "all ");
    }
    put_number(p, s.low, summary_style(p, node, false));
    if (one) return;
    gri_text_symbol(&p->text, " … ", " ... ");
    put_number(p, s.high, summary_style(p, node, false));
}

void gri_put_shape(gri_picture *p, const gr_array *a)
{
    if (a->ndim == 1) gri_put(p, "[");
    for (int axis = 0; axis < a->ndim; axis++) {
        if (axis > 0) gri_text_symbol(&p->text, "×", "x");
        gri_text_unsigned(&p->text, (uint64_t)a->dims[axis]);
    }
    if (a->ndim == 1) gri_put(p, "]");
}
