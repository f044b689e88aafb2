/*
 * Random misuse: long sequences of public calls on handles that are valid, stale, foreign, unset or made up,
 * with shapes, axes, counts and positions of all kinds. Nothing may crash, leak, or spoil the graph: after
 * each burst the error is cleared and a known computation must give the right gradient, bit for bit.
 *
 * The sequence of a seed is always the same: a failure is repeated with `test_misuse <seed>`.
 */
#include "gradus.h"
#include "ledger.h"
#include "test.h"

#include <stdlib.h>

enum { HANDLES = 48, SCOPES = 24, HOOKS = 16, MOST_DEPTH = 3, BURSTS = 400, CALLS = 150, BUFFER = 4096 };
#define CAPACITY ((size_t)6 << 20) /* bytes; small, so that memory runs out, too */

typedef struct chaos {
    uint64_t state;
    ledger books;
    size_t capacity;
    gr_graph *g, *other;
    gr_tensor pool[HANDLES];
    gr_scope scopes[SCOPES];
    gr_hook hooks[HOOKS];
    int depth; /* of calls inside hooks and functions */
    double numbers[BUFFER];
} chaos;

static uint64_t draw(chaos *c) /* xorshift64* (Vigna, 2016) */
{
    c->state ^= c->state >> 12;
    c->state ^= c->state << 25;
    c->state ^= c->state >> 27;
    return c->state * UINT64_C(2685821657736338717);
}

static int below(chaos *c, int n) { return (int)((draw(c) >> 33) % (uint64_t)n); }
static bool chance(chaos *c, int one_in) { return below(c, one_in) == 0; }

static void *allocate(size_t bytes, void *user)
{
    chaos *c = user;
    return bytes > c->capacity || c->books.bytes > c->capacity - bytes ? NULL
                                                                       : ledger_allocate(bytes, &c->books);
}

static void deallocate(void *block, size_t bytes, void *user)
{
    chaos *c = user;
    ledger_deallocate(block, bytes, &c->books);
}

/* ---- Arguments of all kinds ---- */

static gr_tensor handle(chaos *c)
{
    const gr_tensor t = c->pool[below(c, HANDLES)];
    if (!chance(c, 40)) return t;
    switch (below(c, 6)) {
    case 0:
        return (gr_tensor){0};
    case 1:
        return (gr_tensor){c->g, 0, 0};
    case 2:
        return (gr_tensor){c->g, (uint32_t)draw(c), (uint32_t)draw(c)};
    case 3:
        return (gr_tensor){c->g, t.index, t.generation + 1};
    case 4:
        return (gr_tensor){c->other, t.index, t.generation};
    default:
        return (gr_tensor){NULL, t.index, t.generation};
    }
}

static int64_t size(chaos *c)
{
    static const int64_t odd[] = {-1, -1, -2, INT64_MAX, INT64_MIN, INT64_C(1) << 31, INT64_C(1) << 20, 1000};
    return chance(c, 12) ? odd[below(c, 8)] : below(c, 5);
}

static gr_shape shape(chaos *c)
{
    if (chance(c, 3)) { /* one that somebody has */
        const gr_tensor t = handle(c);
        if (gr_is_valid(t)) return gr_shape_of(t);
    }
    gr_shape s = {.ndim = chance(c, 20) ? below(c, 14) - 3 : below(c, 4)};
    for (int i = 0; i < GR_MAX_NDIM; i++) s.dims[i] = chance(c, 6) ? 1 : size(c);
    return s;
}

static int axis(chaos *c) { return chance(c, 30) ? (int)(uint32_t)draw(c) : below(c, 6) - 3; }

static gr_axes axes(chaos *c)
{
    gr_axes a = {.n = chance(c, 20) ? (int)(uint32_t)draw(c) : below(c, 4) - 1};
    for (int i = 0; i < GR_MAX_NDIM; i++) a.axis[i] = axis(c);
    return a;
}

static gr_type type(chaos *c)
{
    return chance(c, 40) ? (gr_type)(below(c, 9) - 3) : (gr_type)(chance(c, 3) ? below(c, 4) : GR_F64);
}

static int64_t position(chaos *c)
{
    static const int64_t odd[] = {GR_SLICE_DEFAULT, INT64_MIN + 1, INT64_MAX, 1 << 20};
    return chance(c, 6) ? odd[below(c, 4)] : below(c, 9) - 4;
}

static double number(chaos *c)
{
    static const double odd[] = {0, -0.0, 1e300, -1e300, 1e-310, 3e9, -3e9};
    const double finite = (double)(draw(c) >> 40) / (double)(1 << 22) - 2;
    return chance(c, 20)   ? (double)NAN
           : chance(c, 20) ? (double)INFINITY
           : chance(c, 8)  ? odd[below(c, 7)]
                           : finite;
}

static const char *name(chaos *c)
{
    static const char *const names[] = {NULL,   "",       "a",  "b", "w", "a longer name than fits inside",
                                        "%s%n", "\n\"\\", "p1", "p2"};
    return names[below(c, 10)];
}

/* Elements for a tensor of that shape: NULL unless they are surely enough. */
static const void *elements(chaos *c, gr_shape s)
{
    int64_t n = 1;
    for (int i = 0; i < s.ndim && i < GR_MAX_NDIM; i++)
        if (s.dims[i] < 0 || s.dims[i] > 16 || (n *= s.dims[i]) > BUFFER) return NULL;
    for (int i = 0; i < 64; i++) c->numbers[below(c, BUFFER)] = number(c);
    return chance(c, 4) ? NULL : c->numbers;
}

/* ---- Calls ---- */

typedef gr_tensor unary(gr_tensor x);
typedef gr_tensor binary(gr_tensor a, gr_tensor b);
static unary *const unaries[] = {gr_neg,    gr_square,   gr_exp,         gr_log,  gr_log1p,
                                 gr_sqrt,   gr_sin,      gr_cos,         gr_tanh, gr_sigmoid,
                                 gr_relu,   gr_softplus, gr_abs,         gr_sign, gr_contiguous,
                                 gr_detach, gr_gradient, gr_retain_grad, gr_keep};
static binary *const binaries[] = {gr_add,           gr_sub,     gr_mul,        gr_div,
                                   gr_pow,           gr_maximum, gr_minimum,    gr_equal,
                                   gr_not_equal,     gr_less,    gr_less_equal, gr_greater,
                                   gr_greater_equal, gr_matmul,  gr_matmul,     gr_derivative};
#define COUNT(A) (int)(sizeof(A) / sizeof *(A))

static gr_tensor make(chaos *c)
{
    gr_graph *g = chance(c, 30) ? c->other : chance(c, 60) ? NULL : c->g;
    const gr_shape s = shape(c);
    switch (below(c, 10)) {
    case 0:
        return gr_param(g, name(c), type(c), s, elements(c, s));
    case 1:
        return gr_constant(g, type(c), s, elements(c, s));
    case 2:
        return gr_scalar(g, type(c), number(c));
    case 3:
        return gr_full(g, type(c), s, number(c));
    case 4:
        return gr_arange(g, type(c), size(c), number(c), number(c));
    case 5:
        return gr_uniform(g, type(c), s, number(c), number(c));
    case 6:
        return gr_normal(g, type(c), s, number(c), number(c));
    case 7:
        return gr_bernoulli(g, s, number(c));
    case 8:
        return gr_cast(gr_arange(g, GR_F64, below(c, 5), 0, 1), GR_I32);
    default:
        return gr_set_requires_grad(gr_constant(g, GR_F64, s, elements(c, s)), true);
    }
}

static gr_tensor view(chaos *c)
{
    const gr_tensor x = handle(c);
    switch (below(c, 8)) {
    case 0:
        return gr_reshape(x, shape(c));
    case 1:
        return gr_permute(x, axes(c));
    case 2:
        return gr_transpose(x, axis(c), axis(c));
    case 3:
        return gr_slice(x, axis(c), position(c), position(c), position(c));
    case 4:
        return gr_select(x, axis(c), position(c));
    case 5:
        return gr_expand(x, shape(c));
    case 6:
        return gr_squeeze(x, axes(c));
    default:
        return gr_unsqueeze(x, axis(c));
    }
}

static gr_tensor reduce(chaos *c)
{
    const gr_tensor x = handle(c);
    switch (below(c, 9)) {
    case 0:
        return gr_sum(x, axes(c), chance(c, 2));
    case 1:
        return gr_mean(x, axes(c), chance(c, 2));
    case 2:
        return gr_max(x, axes(c), chance(c, 2));
    case 3:
        return gr_logsumexp(x, axes(c), chance(c, 2));
    case 4:
        return gr_sum_to(x, shape(c));
    case 5:
        return gr_softmax(x, axis(c));
    case 6:
        return gr_log_softmax(x, axis(c));
    case 7:
        return gr_norm(x, axes(c), chance(c, 2));
    default:
        return gr_sum(x, GR_ALL_AXES, false);
    }
}

static gr_tensor join(chaos *c)
{
    gr_tensor many[24];
    for (int i = 0; i < 24; i++) many[i] = chance(c, 3) ? handle(c) : c->pool[0];
    switch (below(c, 8)) {
    case 0:
        return gr_concat(below(c, 26) - 1 > 24 ? 24 : below(c, 25), chance(c, 50) ? NULL : many, axis(c));
    case 1:
        return gr_index_select(handle(c), axis(c), handle(c));
    case 2:
        return gr_index_add(handle(c), axis(c), handle(c), size(c));
    case 3:
        return gr_gather(handle(c), axis(c), handle(c));
    case 4:
        return gr_scatter_add(handle(c), axis(c), handle(c), size(c));
    case 5:
        return gr_one_hot(handle(c), size(c), type(c));
    case 6:
        return gr_cast(handle(c), type(c));
    default:
        return gr_where(handle(c), handle(c), handle(c));
    }
}

/* A primitive that looks at whatever it is given. */
static gr_status odd_infer(const gr_call *call, gr_layout *out)
{
    const chaos *c = *(chaos *const *)call->attributes;
    const gr_status status = gr_infer_broadcast(call, out);
    if (status == GR_OK) out->ndim += c->state % 97 == 0 ? 9 : 0;
    return c->state % 89 == 0 ? GR_ERR_CALLBACK : status;
}
static gr_status odd_forward(const gr_call *call)
{
    memset(call->out->data, 0, (size_t)call->out->count * gr_type_size(call->out->type));
    return gr_call_scratch(call, 1000) ? GR_OK : GR_ERR_MEMORY;
}
static gr_tensor odd_rule(const gr_call *call, gr_tensor gy, int i)
{
    chaos *c = *(chaos *const *)call->attributes;
    return chance(c, 3) ? handle(c) : chance(c, 3) ? GR_NONE : gr_mul(gy, call->operands[i]);
}
static const gr_op odd = {.name = "odd",
                          .arity = GR_VARIADIC,
                          .attribute_bytes = sizeof(chaos *),
                          .infer = odd_infer,
                          .forward = odd_forward,
                          .vjp = odd_rule};

static gr_tensor custom(chaos *c)
{
    const gr_tensor operands[] = {handle(c), handle(c), handle(c)};
    return gr_apply(chance(c, 4) ? NULL : c->g, chance(c, 50) ? NULL : &odd,
                    below(c, 5) - 1 > 3 ? 3 : below(c, 4), operands, chance(c, 50) ? NULL : &c);
}

static gr_tensor build(chaos *c)
{
    switch (below(c, 9)) {
    case 0:
        return make(c);
    case 1:
        return unaries[below(c, COUNT(unaries))](handle(c));
    case 2:
    case 3:
        return binaries[below(c, COUNT(binaries))](handle(c), handle(c));
    case 4:
        return view(c);
    case 5:
        return reduce(c);
    case 6:
        return join(c);
    case 7:
        return chance(c, 3)   ? custom(c)
               : chance(c, 2) ? gr_scale(handle(c), number(c))
                              : gr_pow_scalar(handle(c), number(c));
    default:
        return chance(c, 2) ? gr_named(handle(c), name(c))
                            : gr_set_requires_grad(handle(c), chance(c, 3) ? false : true);
    }
}

static void ask(chaos *c)
{
    const gr_tensor t = handle(c);
    const int64_t index[] = {position(c), position(c), position(c)}, n = gr_count(t);
    int64_t strides[GR_MAX_NDIM];
    gr_strides(t, chance(c, 20) ? NULL : strides);
    gr_at(t, below(c, 5) - 1 > 3 ? 3 : below(c, 4), index);
    gr_item(t);
    gr_dim(t, axis(c));
    gr_name(t);
    gr_is_param(t);
    gr_has_gradient(t);
    if (n <= BUFFER) gr_read(t, chance(c, 20) ? NULL : c->numbers, chance(c, 20) ? size(c) : n);
    const unsigned char *data = gr_data(t);
    if (data && n > 0) c->state += data[(size_t)n * gr_type_size(gr_type_of(t)) - 1] == 7;
    gr_param_find(c->g, name(c));
    gr_param_at(c->g, below(c, 5) - 1);
}

static void write(chaos *c)
{
    const gr_tensor t = handle(c);
    const int64_t n = gr_count(t);
    if (chance(c, 3)) {
        gr_assign(t, handle(c));
    } else if (chance(c, 2)) {
        unsigned char *data = gr_data_for_writing(t);
        if (data && n > 0) memset(data, 1, (size_t)n * gr_type_size(gr_type_of(t)));
    } else if (n <= BUFFER && gr_type_of(t) != GR_BOOL) {
        gr_write(t, chance(c, 20) ? NULL : c->numbers, chance(c, 10) ? n + 1 : n);
    }
}

static void differentiate(chaos *c)
{
    gr_tensor outputs[4], inputs[4], cotangents[4], gradients[4] = {{0}};
    for (int i = 0; i < 4; i++) {
        outputs[i] = chance(c, 2) ? gr_sum(handle(c), GR_ALL_AXES, false) : handle(c);
        inputs[i] = handle(c);
        cotangents[i] = chance(c, 2) ? (gr_tensor){0} : handle(c);
    }
    const bool retain = chance(c, 2);
    if (chance(c, 3)) gr_graph_clear_error(c->g);
    if (chance(c, 2)) {
        gr_backward_with(outputs[0], &(gr_backward_options){cotangents[0], retain});
        return;
    }
    const int n_inputs = below(c, 6) - 1;
    gr_grad(below(c, 5), outputs, n_inputs > 4 ? 4 : n_inputs, chance(c, 60) ? NULL : inputs,
            chance(c, 2) ? cotangents : NULL, &(gr_grad_options){chance(c, 2), retain},
            chance(c, 60) ? NULL : gradients);
    if (n_inputs > 0 && gr_is_valid(gradients[0])) c->pool[below(c, HANDLES)] = gradients[0];
}

static void live(chaos *c);

/* What hooks and functions do on the way: anything. */
static void disturb(chaos *c)
{
    c->depth++;
    for (int n = below(c, 3); n > 0 && c->depth <= MOST_DEPTH; n--) {
        const gr_tensor t = build(c);
        if (gr_is_valid(t)) c->pool[below(c, HANDLES)] = t;
        if (chance(c, 4)) live(c);
        if (chance(c, 6)) differentiate(c);
        if (chance(c, 4)) gr_graph_clear_error(c->g);
    }
    c->depth--;
}

static gr_tensor odd_hook(gr_tensor gradient, gr_tensor of, void *user)
{
    chaos *c = user;
    if (chance(c, 3)) disturb(c);
    return chance(c, 8)   ? handle(c)
           : chance(c, 4) ? gr_scale(gradient, number(c))
           : chance(c, 4) ? gr_mul(gradient, of)
                          : GR_NONE;
}

static gr_tensor odd_function(gr_graph *g, int n, const gr_tensor *in, void *user)
{
    chaos *c = user;
    (void)g;
    if (chance(c, 3)) disturb(c);
    const gr_tensor x = n > 0 ? in[0] : handle(c);
    return chance(c, 8)   ? handle(c)
           : chance(c, 3) ? gr_mul(gr_tanh(x), c->pool[0])
           : chance(c, 4) ? gr_dropout(gr_exp(x), 0.5, true)
                          : gr_sin(gr_square(x));
}

static void control(chaos *c)
{
    gr_tensor inputs[] = {handle(c), handle(c)};
    switch (below(c, 8)) {
    case 0:
    case 1:
        c->hooks[below(c, HOOKS)] = gr_add_hook(inputs[0], chance(c, 20) ? NULL : odd_hook, c);
        break;
    case 2:
        gr_remove_hook(c->hooks[below(c, HOOKS)]);
        break;
    case 3:
        gr_name_scope_begin(c->g, name(c));
        break;
    case 4:
        gr_name_scope_end(c->g);
        gr_name_scope_of(inputs[0]);
        break;
    case 5:
        chance(c, 3) ? gr_anomaly_begin(c->g, &(gr_anomaly_options){chance(c, 2), chance(c, 2)})
                     : gr_anomaly_end(c->g);
        break;
    default:
        if (c->depth > MOST_DEPTH) break;
        c->depth++;
        const gr_tensor y = gr_checkpoint(c->g, chance(c, 40) ? NULL : odd_function,
                                          chance(c, 20) ? -1 : below(c, 3), chance(c, 40) ? NULL : inputs, c);
        if (gr_is_valid(y)) c->pool[below(c, HANDLES)] = y;
        c->depth--;
    }
}

static void live(chaos *c)
{
    gr_tensor survivors[4];
    for (int i = 0; i < 4; i++) survivors[i] = handle(c);
    switch (below(c, 16)) {
    case 0:
    case 1:
    case 2:
    case 3:
        c->scopes[below(c, SCOPES)] = gr_scope_begin(c->g);
        break;
    case 4:
    case 5:
    case 6:
        gr_scope_end(c->scopes[below(c, SCOPES)], below(c, 5), chance(c, 30) ? NULL : survivors);
        break;
    case 7:
        gr_graph_reset(c->g);
        break;
    case 8:
        gr_release(handle(c));
        break;
    case 9:
        gr_no_grad_begin(c->g);
        break;
    case 10:
        gr_no_grad_end(c->g);
        break;
    case 11:
        gr_graph_trim(c->g);
        break;
    case 12:
        chance(c, 2) ? gr_clear_grads(c->g) : gr_zero_grads(c->g);
        break;
    case 13:
        chance(c, 2) ? gr_clear_grad(handle(c)) : gr_zero_grad(handle(c));
        break;
    case 14:
        gr_graph_reset(c->other);
        gr_graph_clear_error(c->other);
        break;
    default:
        gr_graph_reset_memory_peak(c->g);
    }
}

static void call(chaos *c)
{
    const int kind = below(c, 22);
    if (kind >= 20) {
        control(c);
    } else if (kind < 14) {
        const gr_tensor t = build(c);
        /* Mostly those that live go into the pool, so that there is something to work with. */
        if (gr_is_valid(t) || chance(c, 10)) c->pool[below(c, HANDLES)] = t;
    } else if (kind == 14) {
        ask(c);
    } else if (kind == 15) {
        write(c);
    } else if (kind == 16 || kind == 17) {
        differentiate(c);
    } else {
        live(c);
    }
    if (!chance(c, 4)) gr_graph_clear_error(c->g);
}

/* ---- The graph must still be good ---- */

static void known_gradient(gr_graph *g, double *gradient)
{
    static const double at[] = {0.5, -1, 2, 0.25, 3, -0.125};
    const gr_tensor x = gr_set_requires_grad(gr_constant(g, GR_F64, GR_SHAPE(2, 3), at), true);
    const gr_tensor y = gr_log_softmax(gr_matmul(gr_tanh(x), gr_transpose(x, 0, 1)), -1);
    CHECK(gr_backward(gr_sum(gr_mul(y, gr_sin(y)), GR_ALL_AXES, false)) == GR_OK);
    CHECK(gr_read(gr_gradient(x), gradient, 6) == GR_OK);
    CHECK(gr_release(x) == GR_OK && gr_graph_reset(g) == GR_OK && gr_graph_status(g) == GR_OK);
}

static void check_still_good(chaos *c, const double *expected)
{
    double gradient[6] = {0};
    for (int i = 0; i < SCOPES; i++) {
        gr_graph_clear_error(c->g);
        gr_scope_end(c->scopes[i], 0, NULL);
    }
    gr_graph_clear_error(c->g);
    while (!gr_is_recording(c->g)) gr_no_grad_end(c->g);
    while (gr_name_scope_end(c->g) == GR_OK) continue;
    gr_anomaly_end(c->g);
    gr_graph_clear_error(c->g);
    /* A scope whose handle was overwritten is still open: one around it, if it was overwritten, too. */
    if (gr_graph_reset(c->g) != GR_OK) {
        gr_graph_clear_error(c->g);
        const gr_scope inner = gr_scope_begin(c->g);
        for (uint32_t id = inner.id; id-- > 1;) gr_scope_end((gr_scope){c->g, 1, id}, 0, NULL);
        gr_graph_clear_error(c->g);
        CHECK(gr_graph_reset(c->g) == GR_OK);
    }
    c->capacity = SIZE_MAX / 2;
    known_gradient(c->g, gradient);
    c->capacity = CAPACITY;
    CHECK(memcmp(gradient, expected, sizeof gradient) == 0);
}

static void run(uint64_t seed, const double *expected)
{
    chaos *c = calloc(1, sizeof *c);
    if (!c) return;
    c->state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    c->capacity = CAPACITY;
    const bool limited = chance(c, 3); /* its kept tensors may leave no room for the known computation */
    const gr_graph_options options = {.allocator = {allocate, deallocate, c},
                                      .byte_limit = limited ? CAPACITY / 2 : 0,
                                      .threads = 1 + below(c, 2),
                                      .isa = limited ? GR_ISA_PORTABLE : GR_ISA_AUTO};
    c->g = gr_graph_create(&options);
    c->other = gr_graph_create(&(gr_graph_options){.byte_limit = CAPACITY});
    for (int i = 0; i < HANDLES; i++)
        c->pool[i] = gr_set_requires_grad(gr_constant(c->g, GR_F64, GR_SHAPE(1 + i % 3, 3), NULL), i % 2);
    for (int i = 0; i < CALLS; i++) call(c);
    if (!limited) check_still_good(c, expected);
    gr_graph_destroy(c->g);
    gr_graph_destroy(c->other);
    CHECK(ledger_balances(&c->books));
    free(c);
}

static void test_misuse(void)
{
    double expected[6];
    gr_graph *g = gr_graph_create(NULL);
    known_gradient(g, expected);
    gr_graph_destroy(g);
    for (uint64_t seed = 1; seed <= BURSTS; seed++) {
        const int before = test_failures;
        run(seed, expected);
        if (test_failures > before) printf("    seed %llu\n", (unsigned long long)seed);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        double expected[6];
        gr_graph *g = gr_graph_create(NULL);
        known_gradient(g, expected);
        gr_graph_destroy(g);
        run(strtoull(argv[1], NULL, 10), expected);
    } else {
        RUN(test_misuse);
    }
    return TEST_EXIT;
}
