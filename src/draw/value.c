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

/* Integers are exact. */
gri_number_style gri_style_of(const gri_picture *p, const gr_array *a, bool sign)
{
    return (gri_number_style){gr_type_is_float(a->type) ? p->options.digits : INTEGER_DIGITS, sign};
}

void gri_put_number(gri_picture *p, double value, gri_number_style style)
{
    char number[GRI_NUMBER_BYTES];
    gri_number(number, value, style.digits, style.sign);
    gri_text_number(&p->text, number);
}

void gri_put_element(gri_picture *p, const gr_array *a, bool sign)
{
    gri_put_number(p, gri_element(a, offset_of(a, 0)), gri_style_of(p, a, sign));
}

/* All elements, a line for each row; columns stand below each other. */
void gri_put_rows(gri_picture *p, const gr_array *a, gri_number_style style)
{
    char number[GRI_NUMBER_BYTES];
    const int64_t columns = a->ndim > 0 ? a->dims[a->ndim - 1] : 1;
    int width = 0;
    for (int64_t i = 0; i < a->count; i++) {
        const int length = gri_number(number, gri_element(a, offset_of(a, i)), style.digits, style.sign);
        if (length > width) width = length;
    }
    gri_put(p, "<FONT FACE=\"Courier\">");
    for (int64_t i = 0; i < a->count; i++) {
        int length = gri_number(number, gri_element(a, offset_of(a, i)), style.digits, style.sign);
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
static gri_number_style summary_style(const gri_picture *p, const gr_array *a)
{
    gri_number_style style = gri_style_of(p, a, false);
    if (gr_type_is_float(a->type) && style.digits > SUMMARY_DIGITS) style.digits = SUMMARY_DIGITS;
    return style;
}

void gri_put_norm(gri_picture *p, const gr_array *a)
{
    gri_text_symbol(&p->text, "‖·‖ = ", "||.|| = ");
    gri_put_number(p, summarise(a).norm, summary_style(p, a));
}

void gri_put_range(gri_picture *p, const gr_array *a)
{
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
    gri_put_number(p, s.low, summary_style(p, a));
    if (one) return;
    gri_text_symbol(&p->text, " … ", " ... ");
    gri_put_number(p, s.high, summary_style(p, a));
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
