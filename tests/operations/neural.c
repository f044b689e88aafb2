/* Rows of convolutions and pooling. */
#include "table.h"

/* ---- Convolutions ---- */

#define CONV(...) \
    &(const gr_conv_options) { __VA_ARGS__ }

static const test_case conv2d_cases[] = {
    {OF(S(1, 1, 3, 3), S(1, 1, 2, 2))},
    {OF(S(2, 3, 4, 5), S(4, 3, 3, 2))},
    {OF(S(2, 2, 5, 4), S(3, 2, 3, 3)), .options = CONV(.padding = {1, 1})},
    {OF(S(1, 2, 7, 6), S(2, 2, 3, 2)), .options = CONV(.stride = {2, 3}, .padding = {2, 0})},
    {OF(S(1, 2, 7, 7), S(2, 2, 3, 2)), .options = CONV(.dilation = {2, 3}, .padding = {1, 2})},
    {OF(S(2, 4, 4, 3), S(6, 2, 2, 2)), .options = CONV(.groups = 2, .padding = {0, 1})},
    {OF(S(2, 3, 5, 5), S(3, 1, 3, 3)), .options = CONV(.groups = 3, .padding = {1, 1})},
    {OF(S(1, 2, 5, 6), S(4, 1, 3, 3)),
     .options = CONV(.groups = 2, .stride = {2, 2}, .dilation = {1, 2}, .padding = {1, 2})},
    {OF(S(2, 3, 3, 2), S(4, 3, 1, 1))},
    {OF(S(2, 3, 4, 5), S(3, 3, 1, 1)), .options = CONV(.stride = {2, 2})},
    {OF(S(2, 4, 3, 2), S(1, 4, 1, 1)), .options = CONV(.padding = {1, 1})},
    {OF(S(3, 4, 5), S(2, 3, 2, 2))}, /* no axis of images */
    {OF(S(1, 3, 2, 2), S(3, 3, 2, 2)), .options = CONV(.padding = {3, 3})},
    {OF(S(1, 5, 2, 2), S(1, 5, 2, 2))},
    {OF(S(1, 1, 6, 6), S(8, 1, 3, 3)), .options = CONV(.stride = {3, 3})}, /* windows leave elements out */
    {OF(S(0, 2, 3, 3), S(3, 2, 2, 2))},
    {OF(S(2, 2, 3, 3), S(0, 2, 2, 2))},
    {OF(S(2, 0, 3, 3), S(3, 0, 2, 2))},
    {OF(S(1, 2, 0, 3), S(3, 2, 2, 2)), .options = CONV(.padding = {1, 0})},
    {OF(S(2, 6, 9, 11), S(7, 6, 3, 3)), .options = CONV(.padding = {1, 1})},
    {OF(S(1, 2, 3, 300), S(5, 2, 2, 4)), .options = CONV(.padding = {0, 2}, .stride = {1, 2})},
    END,
};
static const test_case conv1d_cases[] = {
    {OF(S(2, 3, 6), S(4, 3, 3), S(4)), .options = CONV(.stride = {2}, .padding = {1})},
    {OF(S(3, 5), S(2, 3, 2), S(2))},
    {OF(S(1, 4, 7), S(4, 2, 2), S(4)), .options = CONV(.dilation = {3}, .groups = 2)},
    {OF(S(1, 1, 1), S(1, 1, 1), S(1))},
    {OF(S(1, 2, 300), S(3, 2, 5), S(3)), .options = CONV(.padding = {2})},
    END,
};
static const test_case biased_cases[] = {
    {OF(S(2, 3, 4, 5), S(4, 3, 3, 2), S(4))},
    {OF(S(3, 4, 5), S(2, 3, 2, 2), S(2)), .options = CONV(.padding = {1, 1})},
    END,
};
static const test_case conv_transpose2d_cases[] = {
    {OF(S(1, 1, 2, 2), S(1, 1, 2, 2))},
    {OF(S(2, 4, 3, 2), S(4, 3, 3, 2))},
    {OF(S(1, 3, 3, 4), S(3, 2, 3, 3)), .options = CONV(.padding = {1, 1})},
    {OF(S(2, 2, 3, 2), S(2, 2, 3, 2)), .options = CONV(.stride = {2, 3}, .padding = {2, 0})},
    {OF(S(1, 2, 3, 3), S(2, 3, 2, 2)), .options = CONV(.stride = {2, 2}, .output_padding = {1, 0})},
    {OF(S(1, 3, 2, 3), S(3, 2, 2, 2)),
     .options = CONV(.stride = {3, 2}, .dilation = {1, 2}, .output_padding = {2, 1})},
    {OF(S(1, 2, 2, 3), S(2, 3, 2, 2)), .options = CONV(.dilation = {3, 2}, .output_padding = {2, 1})},
    {OF(S(1, 4, 2, 3), S(4, 3, 2, 2)), .options = CONV(.groups = 2, .stride = {2, 1})},
    {OF(S(1, 3, 3, 3), S(3, 1, 3, 3)), .options = CONV(.groups = 3, .stride = {2, 2}, .padding = {1, 1})},
    {OF(S(4, 2, 3), S(4, 3, 1, 1))},
    {OF(S(2, 3, 3, 2), S(3, 4, 1, 1)), .options = CONV(.stride = {2, 2})},
    {OF(S(2, 3, 2, 2), S(3, 5, 2, 2)), .options = CONV(.stride = {2, 2})},
    {OF(S(0, 2, 3, 3), S(2, 3, 2, 2))},
    {OF(S(2, 2, 2, 3), S(2, 0, 2, 2))},
    {OF(S(1, 5, 7, 6), S(5, 6, 3, 3)),
     .options = CONV(.stride = {2, 2}, .padding = {1, 1}, .output_padding = {1, 1})},
    END,
};
static const test_case conv_transpose1d_cases[] = {
    {OF(S(2, 3, 4), S(3, 2, 3), S(2)), .options = CONV(.stride = {2}, .padding = {1}, .output_padding = {1})},
    {OF(S(3, 5), S(3, 2, 2), S(2))},
    END,
};
/* Of a convolution: x, y, and the shape of w. */
static const test_case conv2d_weight_cases[] = {
    {OF(S(2, 3, 4, 5), S(2, 4, 2, 4)), .to = S(4, 3, 3, 2)},
    {OF(S(2, 2, 5, 4), S(2, 3, 5, 4)), .to = S(3, 2, 3, 3), .options = CONV(.padding = {1, 1})},
    {OF(S(1, 2, 7, 6), S(1, 2, 5, 2)), .to = S(2, 2, 3, 2),
     .options = CONV(.stride = {2, 3}, .padding = {2, 0})},
    {OF(S(2, 4, 4, 3), S(2, 6, 3, 2)), .to = S(6, 2, 2, 2), .options = CONV(.groups = 2)},
    {OF(S(11, 2, 3, 4), S(11, 2, 3, 4)), .to = S(2, 1, 3, 3),
     .options = CONV(.groups = 2, .padding = {1, 1})},
    {OF(S(2, 3, 3, 2), S(2, 4, 3, 2)), .to = S(4, 3, 1, 1)},
    {OF(S(0, 3, 3, 2), S(0, 4, 3, 2)), .to = S(4, 3, 1, 1)},
    {OF(S(1, 1, 1, 1), S(1, 1, 1, 1)), .to = S(1, 1, 1, 1)},
    {OF(S(19, 2, 4, 4), S(19, 3, 3, 3)), .to = S(3, 2, 2, 2)},
    END,
};

/* Images and rows of one where a sequence, or one image, has none. */
static void lift(array *x, int axes, bool weight)
{
    while (x->shape.ndim < (axes == 1 ? 3 : 4) && !weight) {
        for (int i = x->shape.ndim++; i > 0; i--) x->shape.dims[i] = x->shape.dims[i - 1];
        x->shape.dims[0] = 1;
    }
    if (axes == 2) return;
    x->shape.dims[3] = x->shape.dims[2];
    x->shape.dims[2] = 1;
    x->shape.ndim = 4;
}

typedef struct conv {
    int64_t stride[2], padding[2], dilation[2], more[2], groups;
} conv;

/* The options, for planes. */
static conv conv_of(const test_case *c, int axes)
{
    const gr_conv_options none = {.groups = 0}, *o = c->options ? c->options : &none;
    conv k = {.groups = o->groups ? o->groups : 1};
    for (int a = 0; a < 2; a++) {
        const int from = axes == 2 ? a : 0;
        const bool real = axes == 2 || a == 1;
        k.stride[a] = real && o->stride[from] ? o->stride[from] : 1;
        k.dilation[a] = real && o->dilation[from] ? o->dilation[from] : 1;
        k.padding[a] = real ? o->padding[from] : 0;
        k.more[a] = real ? o->output_padding[from] : 0;
    }
    return k;
}

/* Calls for every term of the form that a convolution is: positions of elements of x, w and y. */
typedef void term(void *user, int64_t x, int64_t w, int64_t y, int64_t out);
static void each_term(const conv *k, gr_shape x, gr_shape w, gr_shape y, term *call, void *user)
{
    const int64_t out = y.dims[1] / k->groups;
    for (int64_t e = 0; e < count_of(y); e++) {
        int64_t at[4];
        index_of(y, e, at);
        for (int64_t f = 0; f < w.dims[1] * w.dims[2] * w.dims[3]; f++) {
            int64_t tap[3];
            index_of((gr_shape)S(w.dims[1], w.dims[2], w.dims[3]), f, tap);
            const int64_t h = at[2] * k->stride[0] + tap[1] * k->dilation[0] - k->padding[0];
            const int64_t v = at[3] * k->stride[1] + tap[2] * k->dilation[1] - k->padding[1];
            if (h < 0 || v < 0 || h >= x.dims[2] || v >= x.dims[3]) continue;
            const int64_t source[] = {at[0], at[1] / out * w.dims[1] + tap[0], h, v};
            const int64_t weight[] = {at[1], tap[0], tap[1], tap[2]};
            call(user, element_of(x, source), element_of(w, weight), e, at[1]);
        }
    }
}

typedef struct sides {
    double *x, *w, *y;
} sides;
static void add_to_y(void *user, int64_t x, int64_t w, int64_t y, int64_t out)
{
    const sides *s = user;
    (void)out;
    s->y[y] += s->w[w] * s->x[x];
}
static void add_to_x(void *user, int64_t x, int64_t w, int64_t y, int64_t out)
{
    const sides *s = user;
    (void)out;
    s->x[x] += s->w[w] * s->y[y];
}
static void add_to_w(void *user, int64_t x, int64_t w, int64_t y, int64_t out)
{
    const sides *s = user;
    (void)out;
    s->w[w] += s->x[x] * s->y[y];
}

static int64_t result_size(const conv *k, int a, int64_t size, int64_t kernel)
{
    return (size + 2 * k->padding[a] - k->dilation[a] * (kernel - 1) - 1) / k->stride[a] + 1;
}

/* Drops the axes again that were added, and adds the bias before. */
static void lower(array *y, const array *x, int axes, int n)
{
    for (int64_t e = 0; n > 2 && e < count_of(y->shape); e++) {
        int64_t at[4];
        index_of(y->shape, e, at);
        y->v[e] += x[2].v[at[1]];
    }
    gr_shape s = {.ndim = 0};
    for (int i = 0; i < 4; i++)
        if (!(i == 0 && x->shape.ndim == axes + 1) && !(i == 2 && axes == 1))
            s.dims[s.ndim++] = y->shape.dims[i];
    y->shape = s;
}

static void expect_convolution(const test_case *c, int n, const array *x, array *y, int axes, bool transposed)
{
    static array in, w;
    const conv k = conv_of(c, axes);
    in = x[0], w = x[1];
    lift(&in, axes, false);
    lift(&w, axes, true);
    y->shape = (gr_shape)S(in.shape.dims[0], transposed ? w.shape.dims[1] * k.groups : w.shape.dims[0], 0, 0);
    for (int a = 0; a < 2; a++) {
        const int64_t size = in.shape.dims[2 + a], kernel = w.shape.dims[2 + a];
        y->shape.dims[2 + a] = transposed ? (size - 1) * k.stride[a] - 2 * k.padding[a] +
                                                k.dilation[a] * (kernel - 1) + k.more[a] + 1
                                          : result_size(&k, a, size, kernel);
    }
    memset(y->v, 0, sizeof y->v);
    sides s = {in.v, w.v, y->v};
    if (!transposed) {
        each_term(&k, in.shape, w.shape, y->shape, add_to_y, &s);
    } else {
        s = (sides){y->v, w.v, in.v};
        each_term(&k, y->shape, w.shape, in.shape, add_to_x, &s);
    }
    lower(y, x, axes, n);
}

static void expect_conv2d(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r;
    expect_convolution(c, n, x, y, 2, false);
}
static void expect_conv1d(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r;
    expect_convolution(c, n, x, y, 1, false);
}
static void expect_conv_transpose2d(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r;
    expect_convolution(c, n, x, y, 2, true);
}
static void expect_conv_transpose1d(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r;
    expect_convolution(c, n, x, y, 1, true);
}
static void expect_conv2d_weight(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    static array in, gy;
    const conv k = conv_of(c, 2);
    in = x[0], gy = x[1];
    y->shape = c->to;
    memset(y->v, 0, sizeof y->v);
    sides s = {in.v, y->v, gy.v};
    each_term(&k, in.shape, c->to, gy.shape, add_to_w, &s);
}

/* ---- Pooling ---- */

#define POOL(...) \
    &(const gr_pool_options) { __VA_ARGS__ }

static const test_case max_pool_cases[] = {
    {OF(S(2, 2)), .options = POOL(.kernel = {2, 2})},
    {OF(S(1, 1)), .options = POOL(.kernel = {1, 1})},
    {OF(S(2, 3, 5, 7)), .options = POOL(.kernel = {2, 3})},
    {OF(S(2, 5, 5)), .options = POOL(.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1})},
    {OF(S(1, 2, 6, 7)), .options = POOL(.kernel = {2, 2}, .stride = {1, 3}, .dilation = {2, 3})},
    {OF(S(3, 6, 6)), .options = POOL(.kernel = {2, 2}, .stride = {3, 3}, .ceil_mode = true)},
    {OF(S(2, 5, 4)),
     .options = POOL(.kernel = {3, 2}, .stride = {2, 2}, .padding = {1, 1}, .ceil_mode = true)},
    /* the last window would begin in the padding behind */
    {OF(S(2, 4, 4)),
     .options = POOL(.kernel = {2, 2}, .stride = {3, 3}, .padding = {1, 1}, .ceil_mode = true)},
    {OF(S(0, 2, 4, 4)), .options = POOL(.kernel = {2, 2})},
    {OF(S(1, 2, 3, 300)), .options = POOL(.kernel = {2, 4}, .stride = {1, 2}, .padding = {1, 2})},
    END,
};
static const test_case avg_pool_cases[] = {
    {OF(S(2, 2)), .options = POOL(.kernel = {2, 2})},
    {OF(S(1, 1)), .options = POOL(.kernel = {1, 1})},
    {OF(S(2, 3, 5, 7)), .options = POOL(.kernel = {2, 3})},
    {OF(S(2, 5, 5)), .options = POOL(.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1})},
    {OF(S(2, 5, 5)),
     .options = POOL(.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}, .exclude_padding = true)},
    {OF(S(3, 6, 6)), .options = POOL(.kernel = {2, 2}, .stride = {3, 3}, .ceil_mode = true)},
    {OF(S(2, 5, 4)),
     .options = POOL(.kernel = {3, 2}, .stride = {2, 2}, .padding = {1, 1}, .ceil_mode = true)},
    {OF(S(2, 5, 4)), .options = POOL(.kernel = {3, 2}, .stride = {2, 2}, .padding = {1, 0}, .ceil_mode = true,
                                     .exclude_padding = true)},
    {OF(S(1, 5, 6)),
     .options = POOL(.kernel = {2, 3}, .stride = {2, 2}, .padding = {1, 1}, .ceil_mode = true, .divisor = 5)},
    /* the last window would begin in the padding behind */
    {OF(S(2, 4, 4)),
     .options = POOL(.kernel = {2, 2}, .stride = {3, 3}, .padding = {1, 1}, .ceil_mode = true)},
    {OF(S(0, 2, 4, 4)), .options = POOL(.kernel = {2, 2})},
    {OF(S(1, 2, 3, 300)), .options = POOL(.kernel = {2, 4}, .stride = {1, 2}, .padding = {1, 2})},
    {OF(S(1, 2, 400)), .options = POOL(.kernel = {2, 300}, .stride = {1, 50})},
    END,
};
static const test_case sequence_max_cases[] = {
    {OF(S(2, 3, 7)), .options = POOL(.kernel = {3}, .stride = {2}, .padding = {1})},
    {OF(S(5)), .options = POOL(.kernel = {2})},
    {OF(S(2, 9)), .options = POOL(.kernel = {3}, .dilation = {2})},
    END,
};
static const test_case sequence_avg_cases[] = {
    {OF(S(2, 3, 7)), .options = POOL(.kernel = {3}, .stride = {2}, .padding = {1})},
    {OF(S(5)), .options = POOL(.kernel = {2})},
    END,
};
static const test_case adaptive_cases[] =
    {
        {OF(S(2, 3, 5, 7)), .to = S(2, 3)}, {OF(S(5, 4)), .to = S(1, 1)},
        {OF(S(2, 3, 3)), .to = S(5, 4)}, /* more windows than elements */
        {OF(S(0, 3, 3)), .to = S(2, 2)},    {OF(S(1, 1)), .to = S(1, 1)},
        {OF(S(1, 2, 500)), .to = S(2, 3)},  END,
};
static const test_case adaptive_sequence_cases[] = {
    {OF(S(2, 3, 7)), .to = S(3)},
    {OF(S(5)), .to = S(1)},
    END,
};

/* Windows along one axis, as PyTorch defines them. */
typedef struct windows {
    int64_t size, n, kernel, stride, padding, dilation;
    bool adaptive;
} windows;

static windows windows_of(const test_case *c, gr_shape x, int axes, int a)
{
    const gr_pool_options none = {.ceil_mode = false}, *o = c->options ? c->options : &none;
    const int from = axes == 1 ? 0 : a;
    windows w = {.size = axes == 1 && a == 0 ? 1 : x.dims[x.ndim - 2 + a],
                 .stride = 1,
                 .dilation = 1,
                 .kernel = 1,
                 .n = 1};
    if (axes == 1 && a == 0) return w;
    if (!c->options) {
        w.adaptive = true;
        w.n = c->to.dims[from];
        return w;
    }
    w.kernel = o->kernel[from];
    w.stride = o->stride[from] ? o->stride[from] : w.kernel;
    w.padding = o->padding[from];
    w.dilation = o->dilation[from] ? o->dilation[from] : 1;
    const int64_t room = w.size + 2 * w.padding - w.dilation * (w.kernel - 1) - 1;
    w.n = room / w.stride + 1;
    if (o->ceil_mode) w.n = (room + w.stride - 1) / w.stride + 1;
    if (o->ceil_mode && (w.n - 1) * w.stride >= w.size + w.padding) w.n--;
    return w;
}

/* Position i of window r; -1 if there is none, -2 if it is padding, -3 if it lies behind that. */
static int64_t seen(const windows *w, int64_t r, int64_t i)
{
    if (w->adaptive) {
        const int64_t start = r * w->size / w->n, end = ((r + 1) * w->size + w->n - 1) / w->n;
        return start + i < end ? start + i : -1;
    }
    if (i >= w->kernel) return -1;
    const int64_t at = r * w->stride - w->padding + i * w->dilation;
    return at >= 0 && at < w->size ? at : at < w->size + w->padding ? -2 : -3;
}

/* One window: largest element, its position, and the weight that a mean gives to each element. */
typedef struct seen_window {
    double largest, mean;
    int64_t at;
} seen_window;

static seen_window look(const test_case *c, const windows w[2], const double *plane, int64_t r, int64_t s)
{
    seen_window result = {.at = -1};
    int64_t n = 0;
    double sum = 0;
    const gr_pool_options *o = c->options;
    for (int64_t i = 0; seen(&w[0], r, i) != -1; i++)
        for (int64_t j = 0; seen(&w[1], s, j) != -1; j++) {
            const int64_t h = seen(&w[0], r, i), v = seen(&w[1], s, j), at = h * w[1].size + v;
            if (h == -3 || v == -3) continue;
            const bool inside = h >= 0 && v >= 0;
            n += inside || !(o && o->exclude_padding);
            if (!inside) continue;
            sum += plane[at];
            if (result.at >= 0 && plane[at] <= result.largest) continue;
            result.largest = plane[at];
            result.at = at;
        }
    result.mean = sum / (double)(o && o->divisor ? o->divisor : n);
    return result;
}

typedef enum wanted { LARGEST, POSITION, MEAN } wanted;

static void expect_pool(const test_case *c, const array *x, array *y, int axes, wanted what)
{
    const windows w[] = {windows_of(c, x->shape, axes, 0), windows_of(c, x->shape, axes, 1)};
    const int last = x->shape.ndim - 1;
    y->shape = x->shape;
    y->shape.dims[last] = w[1].n;
    if (axes == 2) y->shape.dims[last - 1] = w[0].n;
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        const int64_t plane = e / (w[0].n * w[1].n), r = e / w[1].n % w[0].n, s = e % w[1].n;
        const seen_window k = look(c, w, x->v + plane * w[0].size * w[1].size, r, s);
        y->v[e] = what == LARGEST ? k.largest : what == MEAN ? k.mean : (double)k.at;
    }
}

#define EXPECT_POOL(NAME, AXES, WHAT)                                                            \
    static void expect_##NAME(const row *r, const test_case *c, int n, const array *x, array *y) \
    {                                                                                            \
        (void)r, (void)n;                                                                        \
        expect_pool(c, x, y, AXES, WHAT);                                                        \
    }
EXPECT_POOL(max_pool2d, 2, LARGEST)
EXPECT_POOL(max_pool2d_index, 2, POSITION)
EXPECT_POOL(max_pool1d, 1, LARGEST)
EXPECT_POOL(avg_pool2d, 2, MEAN)
EXPECT_POOL(avg_pool1d, 1, MEAN)

/* The operand is the cotangent of a mean over planes of the shape of the case: each element of those is the mean's
   weight in each window, times its cotangent. */
static void reshape_pooled(const test_case *c, array *x)
{
    for (int a = 0; a < 2; a++) x->shape.dims[x->shape.ndim - 2 + a] = windows_of(c, c->shape[0], 2, a).n;
}
static void expect_avg_unpool2d(const row *r, const test_case *c, int n, const array *x, array *y)
{
    static array unit, means;
    (void)r, (void)n;
    unit.shape = y->shape = c->shape[0];
    const int64_t count = count_of(y->shape);
    memset(unit.v, 0, sizeof unit.v);
    for (int64_t e = 0; e < count; e++) {
        unit.v[e] = 1;
        expect_pool(c, &unit, &means, 2, MEAN);
        y->v[e] = 0;
        for (int64_t k = 0; k < count_of(means.shape); k++) y->v[e] += means.v[k] * x->v[k];
        unit.v[e] = 0;
    }
}

BUILD(b_max_pool2d, gr_max_pool2d(x[0], c->options))
BUILD(b_max_pool2d_index, gr_max_pool2d_index(x[0], c->options))
BUILD(b_max_pool1d, gr_max_pool1d(x[0], c->options))
BUILD(b_avg_pool2d, gr_avg_pool2d(x[0], c->options))
BUILD(b_avg_pool1d, gr_avg_pool1d(x[0], c->options))
BUILD(b_adaptive_avg_pool2d, gr_adaptive_avg_pool2d(x[0], c->to.dims[0], c->to.dims[1]))
BUILD(b_adaptive_avg_pool1d, gr_adaptive_avg_pool1d(x[0], c->to.dims[0]))

/* The gradient of a mean, as a function of the cotangent. */
static gr_tensor b_avg_unpool2d(gr_graph *g, const gr_tensor *x, const test_case *c, gr_type type)
{
    const gr_tensor whole = gr_set_requires_grad(gr_constant(g, type, c->shape[0], NULL), true);
    const gr_tensor y = gr_avg_pool2d(whole, c->options);
    gr_tensor gradient;
    gr_grad(1, &y, 1, &whole, x, &(gr_grad_options){.record = true}, &gradient);
    return gradient;
}

/* ---- Norms ---- */

static const test_case moments_cases[] = {
    {OF(S0), .axes = ALL},
    {OF(S(1)), .axes = ALL},
    {OF(S(5)), .axes = ALL},
    {OF(S(3, 4)), .axes = AXES(-1)},
    {OF(S(3, 4)), .axes = AXES(0)},
    {OF(S(3, 4)), .axes = {0, {0}}},
    {OF(S(2, 3, 4)), .axes = AXES(0, 2)},
    {OF(S(2, 3, 4)), .axes = AXES(1)}, /* those that stay are no neighbours */
    {OF(S(2, 3, 2, 3)), .axes = AXES(0, -2)},
    {OF(S(0, 3)), .axes = AXES(1)},
    {OF(S(2, 0)), .axes = AXES(0)},
    {OF(S(33, 65)), .axes = AXES(0)},
    {OF(S(33, 65)), .axes = AXES(1)},
    {OF(S(3, 130, 3)), .axes = AXES(0, 2)},
    END,
};
/* None in which an expanded operand has groups of equal elements: differences of their zeros are noise. */
static const test_case standardize_cases[] = {
    {OF(S0), .axes = ALL},
    {OF(S(1)), .axes = ALL},
    {OF(S(3, 4)), .axes = ALL},
    {OF(S(3, 4)), .axes = AXES(-1)},
    {OF(S(3, 4)), .axes = {0, {0}}},
    {OF(S(2, 3, 4)), .axes = AXES(0, 2)},
    {OF(S(2, 3, 4)), .axes = AXES(1)}, /* those that stay are no neighbours */
    {OF(S(2, 3, 2, 3)), .axes = AXES(0, -2)},
    {OF(S(0, 3)), .axes = AXES(1)},
    {OF(S(2, 0)), .axes = AXES(0)},
    {OF(S(11, 65, 2)), .axes = AXES(0, 2)},
    {OF(S(33, 65)), .axes = AXES(1)},
    {OF(S(3, 130, 3)), .axes = AXES(0, 2)},
    END,
};
/* x, weight, bias; size: of the axes that are normalised, or of the groups. */
static const test_case layer_norm_cases[] = {
    {OF(S(3, 4), S(4), S(4)), .size = 1}, {OF(S(2, 3, 4), S(3, 4), S(3, 4)), .size = 2},
    {OF(S(5), S(5), S(5)), .size = 1},    {OF(S(0, 5), S(5), S(5)), .size = 1},
    {OF(S(3, 1), S(1), S(1)), .size = 1}, END,
};
static const test_case rms_norm_cases[] = {
    {OF(S(3, 4), S(4)), .size = 1}, {OF(S(2, 3, 4), S(3, 4)), .size = 2}, {OF(S(5), S(5)), .size = 1},
    {OF(S(0, 5), S(5)), .size = 1}, {OF(S(3, 1), S(1)), .size = 1},       END,
};
static const test_case group_norm_cases[] = {
    {OF(S(2, 4, 3), S(4), S(4)), .size = 2},
    {OF(S(2, 4), S(4), S(4)), .size = 1},
    {OF(S(2, 3, 2, 2), S(3), S(3)), .size = 3},
    {OF(S(0, 4, 3), S(4), S(4)), .size = 2},
    END,
};
static const test_case batch_norm_cases[] = {
    {OF(S(3, 4), S(4), S(4))},
    {OF(S(2, 3, 4), S(3), S(3))},
    {OF(S(2, 3, 2, 2), S(3), S(3))},
    {OF(S(1, 2, 3), S(2), S(2))},
    END,
};
static const test_case batch_norm_given_cases[] = {
    {OF(S(3, 4), S(4), S(4))},
    {OF(S(2, 3, 2, 2), S(3), S(3))},
    {OF(S(0, 3), S(3), S(3))},
    END,
};
static const double norm_eps = 0.01;

/* Which group an element is in, of how many; and mean and variance of a group. */
typedef int64_t group_of(const test_case *c, gr_shape s, int64_t e);

static int64_t by_axes(const test_case *c, gr_shape s, int64_t e)
{
    int64_t index[GR_MAX_NDIM], group = 0;
    index_of(s, e, index);
    for (int i = 0; i < s.ndim; i++)
        if (!is_reduced(c->axes, i, s.ndim)) group = group * s.dims[i] + index[i];
    return group;
}
static int64_t by_last(const test_case *c, gr_shape s, int64_t e)
{
    int64_t each = 1;
    for (int i = s.ndim - (int)c->size; i < s.ndim; i++) each *= s.dims[i];
    return e / each;
}
static int64_t by_group(const test_case *c, gr_shape s, int64_t e)
{
    int64_t each = s.dims[1] / c->size;
    for (int i = 2; i < s.ndim; i++) each *= s.dims[i];
    return e / each;
}
static int64_t by_channel(const test_case *c, gr_shape s, int64_t e)
{
    int64_t index[GR_MAX_NDIM];
    (void)c;
    index_of(s, e, index);
    return index[1];
}

typedef struct group {
    double n, mean, variance, square;
} group;

static group moments_of(const test_case *c, const array *x, group_of *of, int64_t which)
{
    group k = {0, 0, 0, 0};
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t e = 0; e < count_of(x->shape); e++) {
            if (of(c, x->shape, e) != which) continue;
            const double v = x->v[e];
            if (pass == 0) {
                k.n++;
                k.mean += v;
                k.square += v * v;
            } else {
                k.variance += (v - k.mean) * (v - k.mean);
            }
        }
        if (pass == 0) k.mean /= k.n;
    }
    k.variance /= k.n;
    k.square /= k.n;
    return k;
}

static void expect_moments(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    y->shape = (gr_shape)S(2);
    for (int i = 0; i < x->shape.ndim; i++)
        if (!is_reduced(c->axes, i, x->shape.ndim)) y->shape.dims[y->shape.ndim++] = x->shape.dims[i];
    const int64_t groups = count_of(y->shape) / 2;
    for (int64_t g = 0; g < groups; g++) {
        const group k = moments_of(c, x, by_axes, g);
        y->v[g] = k.mean;
        y->v[groups + g] = k.variance;
    }
}

static void normalise(const test_case *c, const array *x, array *y, group_of *of, bool rms)
{
    y->shape = x->shape;
    for (int64_t e = 0; e < count_of(x->shape); e++) {
        const group k = moments_of(c, x, of, of(c, x->shape, e));
        y->v[e] = rms ? x->v[e] / sqrt(k.square + norm_eps)
                      : (x->v[e] - k.mean) / sqrt(k.variance + norm_eps);
    }
}
static void expect_standardize(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)n;
    normalise(c, x, y, by_axes, false);
}

/* Weights that go with the last axes, or with the channels. */
static void scale_and_move(array *y, int n, const array *x, bool channels)
{
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        const int64_t k = channels ? by_channel(NULL, y->shape, e) : e % count_of(x[1].shape);
        y->v[e] = y->v[e] * x[1].v[k] + (n > 2 ? x[2].v[k] : 0);
    }
}
#define EXPECT_NORM(NAME, OF, RMS, CHANNELS)                                                     \
    static void expect_##NAME(const row *r, const test_case *c, int n, const array *x, array *y) \
    {                                                                                            \
        (void)r;                                                                                 \
        normalise(c, x, y, OF, RMS);                                                             \
        scale_and_move(y, n, x, CHANNELS);                                                       \
    }
EXPECT_NORM(layer_norm, by_last, false, false)
EXPECT_NORM(rms_norm, by_last, true, false)
EXPECT_NORM(group_norm, by_group, false, true)
EXPECT_NORM(batch_norm, by_channel, false, true)

/* x, mean and variance. */
static void expect_batch_norm_given(const row *r, const test_case *c, int n, const array *x, array *y)
{
    (void)r, (void)c, (void)n;
    y->shape = x->shape;
    for (int64_t e = 0; e < count_of(y->shape); e++) {
        const int64_t k = by_channel(NULL, y->shape, e);
        y->v[e] = (x[0].v[e] - x[1].v[k]) / sqrt(x[2].v[k] + norm_eps);
    }
}

BUILD(b_moments, gr_moments(x[0], c->axes))
BUILD(b_standardize, gr_standardize(x[0], c->axes, norm_eps))
BUILD(b_layer_norm, gr_layer_norm(x[0], (int)c->size, x[1], x[2], norm_eps))
BUILD(b_rms_norm, gr_rms_norm(x[0], (int)c->size, x[1], norm_eps))
BUILD(b_group_norm, gr_group_norm(x[0], c->size, x[1], x[2], norm_eps))
BUILD(b_batch_norm, gr_batch_norm(x[0], GR_NONE, GR_NONE, x[1], x[2], norm_eps))
BUILD(b_batch_norm_given, gr_batch_norm(x[0], x[1], x[2], GR_NONE, GR_NONE, norm_eps))

BUILD(b_conv2d, gr_conv2d(x[0], x[1], GR_NONE, c->options))
BUILD(b_conv2d_bias, gr_conv2d(x[0], x[1], x[2], c->options))
BUILD(b_conv1d, gr_conv1d(x[0], x[1], x[2], c->options))
BUILD(b_conv_transpose2d, gr_conv_transpose2d(x[0], x[1], GR_NONE, c->options))
BUILD(b_conv_transpose1d, gr_conv_transpose1d(x[0], x[1], x[2], c->options))

/* The gradient of a convolution by its weight, as a function of x and of the cotangent. */
static gr_tensor b_conv2d_weight(gr_graph *g, const gr_tensor *x, const test_case *c, gr_type type)
{
    const gr_tensor w = gr_set_requires_grad(gr_constant(g, type, c->to, NULL), true);
    const gr_tensor y = gr_conv2d(x[0], w, GR_NONE, c->options);
    gr_tensor gradient;
    gr_grad(1, &y, 1, &w, &x[1], &(gr_grad_options){.record = true}, &gradient);
    return gradient;
}

const row neural_rows[] = {
    {USE(conv1d, "fff", conv1d_cases, expect_conv1d), .composed = true, .layout_tolerance = 64},
    {USE(conv2d, "ff", conv2d_cases, expect_conv2d), .layout_tolerance = 64},
    {.name = "conv2d with a bias",
     .operands = "fff",
     .cases = biased_cases,
     .build = b_conv2d_bias,
     .expect = expect_conv2d,
     .composed = true,
     .layout_tolerance = 64},
    {USE(conv2d_weight, "ff", conv2d_weight_cases, expect_conv2d_weight), .layout_tolerance = 64},
    {USE(conv_transpose1d, "fff", conv_transpose1d_cases, expect_conv_transpose1d), .composed = true,
     .layout_tolerance = 64},
    {USE(conv_transpose2d, "ff", conv_transpose2d_cases, expect_conv_transpose2d), .layout_tolerance = 64},
    {USE(adaptive_avg_pool1d, "f", adaptive_sequence_cases, expect_avg_pool1d), .composed = true,
     .layout_tolerance = 8},
    {USE(adaptive_avg_pool2d, "f", adaptive_cases, expect_avg_pool2d), .composed = true,
     .layout_tolerance = 8},
    {USE(avg_pool1d, "f", sequence_avg_cases, expect_avg_pool1d), .composed = true},
    {USE(avg_pool2d, "f", avg_pool_cases, expect_avg_pool2d), .layout_tolerance = 8},
    {USE(avg_unpool2d, "f", avg_pool_cases, expect_avg_unpool2d), .layout_tolerance = 8,
     .reshape_operands = reshape_pooled},
    {USE(max_pool1d, "f", sequence_max_cases, expect_max_pool1d), .composed = true,
     .tied_when_repeated = true},
    {USE(max_pool2d, "f", max_pool_cases, expect_max_pool2d), .tied_when_repeated = true},
    {USE(max_pool2d_index, "f", max_pool_cases, expect_max_pool2d_index),
     .not_differentiable = "its result is i32", .typed = true, .result = GR_I32},
    {USE(moments, "f", moments_cases, expect_moments), .layout_tolerance = 16},
    {USE(standardize, "f", standardize_cases, expect_standardize), .layout_tolerance = 64},
    {USE(layer_norm, "fff", layer_norm_cases, expect_layer_norm), .composed = true, .layout_tolerance = 64},
    {USE(rms_norm, "ff", rms_norm_cases, expect_rms_norm), .composed = true, .layout_tolerance = 64,
     .low = 0.5, .high = 2},
    {USE(group_norm, "fff", group_norm_cases, expect_group_norm), .composed = true, .layout_tolerance = 64},
    {USE(batch_norm, "fff", batch_norm_cases, expect_batch_norm), .composed = true, .layout_tolerance = 64},
    {.name = "batch_norm by given moments",
     .operands = "fff",
     .cases = batch_norm_given_cases,
     .build = b_batch_norm_given,
     .expect = expect_batch_norm_given,
     .composed = true,
     .layout_tolerance = 64,
     .low = 0.5,
     .high = 2},
    {.name = NULL},
};
