/*
 * Training runs that stop and go on: the numbers are those of a run that never stopped, bit for bit, in a new process as
 * in a new graph; and a state that does not belong to a run changes nothing in it.
 */
#define _XOPEN_SOURCE 700
#include "gradus.h"
#include "ledger.h"
#include "sources.h"
#include "test.h"

#include <inttypes.h>
#include <sys/wait.h>

enum { N = 53, SIDE = 3, FEATURES = SIDE * SIDE, CLASSES = 4, BATCH = 10, MOST_NUMBERS = 1024 };

/* ---- A run ---- */

static uint8_t pixels[N * FEATURES], classes[N];

typedef struct rig {
    gr_graph *g;
    gr_mlp net;
    gr_tensor x, y, mean;
    gr_optimizer *optimizer[2];
    gr_batches *batches[2];
    int64_t counts[2]; /* values of the program */
    double sum;
    gr_training_value values[2];
    gr_training training;
} rig;

/* What decides about a rig, beside the code. */
typedef struct setup {
    gr_type type;
    int n_optimizers;    /* 2: one for each layer; the first has two groups */
    const gr_rule *rule; /* of the first */
    gr_batches_options options;
    uint64_t seed;
    ledger *books;
} setup;

/* All objects of a run, made anew; nothing of what they will hold later. */
static rig make_rig(setup s)
{
    for (int i = 0; i < N * FEATURES; i++) pixels[i] = (uint8_t)(i * 37 + i / 7);
    for (int i = 0; i < N; i++) classes[i] = (uint8_t)(i % CLASSES);
    const gr_idx images = {GR_SHAPE(N, SIDE, SIDE), N * FEATURES, pixels}, labels = {GR_SHAPE(N), N, classes};
    rig r = {.g = s.books ? ledger_graph(s.books, 0) : gr_graph_create(NULL)};
    gr_seed(r.g, s.seed);
    r.net = gr_mlp_create(r.g, "", s.type, 3, (int64_t[]){FEATURES, 8, CLASSES}, gr_tanh, gr_init_he_normal);
    r.x = gr_constant(r.g, s.type, GR_SHAPE(BATCH, FEATURES), NULL);
    r.y = gr_constant(r.g, GR_I32, GR_SHAPE(BATCH), NULL);
    r.mean = gr_named(gr_constant(r.g, GR_F64, GR_SCALAR, NULL), "running mean");
    r.batches[0] = gr_batches_create(r.g, &images, &labels, BATCH, s.seed + 1, &s.options);
    r.batches[1] = gr_batches_create(r.g, &images, &labels, BATCH, s.seed + 2, &s.options);
    const gr_tensor first[] = {r.net.layers[0].weight, r.net.layers[0].bias},
                    second[] = {r.net.layers[1].weight, r.net.layers[1].bias};
    if (s.n_optimizers == 2) {
        const gr_param_group groups[] = {
            {.n = 1, .params = first, .rate = 0.01, .weight_decay = 0.1, .decay = GR_DECAY_DECOUPLED},
            {.n = 1, .params = first + 1, .rate = 0.02}};
        r.optimizer[0] = gr_optimizer_create_groups(r.g, s.rule, NULL, 2, groups);
        r.optimizer[1] = gr_optimizer_create(r.g, &gr_rule_momentum, 0.02, NULL, 2, second);
    } else {
        r.optimizer[0] = gr_optimizer_create(r.g, s.rule, 0.01, NULL, 0, NULL);
    }
    CHECK(gr_graph_status(r.g) == GR_OK);
    return r;
}

/* The lists point into the rig, which must not move any more. */
static const gr_training *training_of(rig *r)
{
    r->training = (gr_training){.n_optimizers = r->optimizer[1] ? 2 : 1,
                                .optimizers = r->optimizer,
                                .n_batches = 2,
                                .batches = r->batches,
                                .n_tensors = 1,
                                .tensors = &r->mean,
                                .n_values = 2,
                                .values = r->values};
    r->values[0] = (gr_training_value){.name = "counts", .n = 2, .integers = r->counts};
    r->values[1] = (gr_training_value){.name = "sum", .n = 1, .numbers = &r->sum};
    return &r->training;
}

/* So many steps, with batches from two sets in turn, dropout, a rate that falls, and a mean that runs. */
static void train(rig *r, int steps)
{
    for (int i = 0; i < steps; i++) {
        for (int k = 0; k < 2; k++) {
            if (gr_batches_next(r->batches[k], r->x, r->y) <= 0) continue;
            gr_tensor x = gr_dropout(r->x, 0.25, true);
            x = gr_tanh(gr_linear_forward(r->net.layers[0], x));
            x = gr_linear_forward(r->net.layers[1], gr_dropout(x, 0.5, true));
            const gr_tensor loss = gr_softmax_cross_entropy(
                x, gr_where(gr_less(gr_cast(r->y, GR_F64), gr_scalar(r->g, GR_F64, 0)),
                            gr_cast(gr_zeros(r->g, GR_F64, GR_SHAPE(BATCH)), GR_I32), r->y));
            gr_clear_grads(r->g);
            gr_backward(loss);
            for (int n = 0; n < 2 && r->optimizer[n]; n++) {
                gr_optimizer *o = r->optimizer[n];
                const gr_param_group last = gr_optimizer_group(o, gr_optimizer_group_count(o) - 1);
                gr_optimizer_step(o);
                gr_optimizer_set_rate_factor(o, 1 / (1 + 0.01 * (double)r->counts[0]));
                gr_optimizer_set_group_rate(o, gr_optimizer_group_count(o) - 1, 0.99 * last.rate);
                gr_optimizer_set_group_decay(o, 0, 0.01 * r->sum, gr_optimizer_group(o, 0).decay);
            }
            r->counts[k]++;
            r->sum = 0.5 * r->sum + gr_item(loss);
            gr_write(r->mean, (double[]){0.9 * gr_item(r->mean) + 0.1 * gr_item(loss)}, 1);
            gr_graph_reset(r->g);
        }
    }
    CHECK(gr_graph_status(r->g) == GR_OK);
    if (gr_graph_status(r->g) != GR_OK) printf("    %s\n", gr_graph_error(r->g));
}

/* All numbers of the state of a run, as bits; returns how many. */
static size_t numbers_of(rig *r, uint64_t *to)
{
    size_t n = 0;
    const gr_rng_state rng = gr_rng_get(r->g);
    to[n++] = rng.seed, to[n++] = rng.counter;
    for (int i = 0; i < gr_param_count(r->g); i++) {
        const gr_tensor p = gr_reshape(gr_param_at(r->g, i), GR_SHAPE(-1));
        for (int64_t k = 0; k < gr_count(p); k++, n++) memcpy(&to[n], &(double){GR_AT(p, k)}, 8);
    }
    memcpy(&to[n++], &(double){gr_item(r->mean)}, 8);
    to[n++] = (uint64_t)r->counts[0], to[n++] = (uint64_t)r->counts[1];
    memcpy(&to[n++], &r->sum, 8);
    for (int i = 0; i < 2 && r->optimizer[i]; i++) {
        gr_optimizer *o = r->optimizer[i];
        memcpy(&to[n++], &(double){gr_optimizer_rate_factor(o)}, 8);
        for (int k = 0; k < gr_optimizer_group_count(o); k++) {
            const gr_param_group group = gr_optimizer_group(o, k);
            memcpy(&to[n++], &group.rate, 8);
            memcpy(&to[n++], &group.weight_decay, 8);
            to[n++] = group.decay;
        }
        for (int k = 0; k < gr_optimizer_param_count(o); k++) {
            to[n++] = (uint64_t)gr_optimizer_steps(o, k);
            for (int j = 0; j < gr_optimizer_rule(o)->n_states; j++) {
                const gr_tensor t = gr_reshape(gr_optimizer_state(o, k, j), GR_SHAPE(-1));
                for (int64_t e = 0; e < gr_count(t); e++, n++) memcpy(&to[n], &(double){GR_AT(t, e)}, 8);
            }
        }
    }
    for (int i = 0; i < 2; i++) {
        const gr_batches_state s = gr_batches_get(r->batches[i]);
        to[n++] = s.seed, to[n++] = s.epoch, to[n++] = (uint64_t)s.position;
    }
    gr_graph_reset(r->g);
    CHECK(n < MOST_NUMBERS);
    return n;
}

static bool same_state(rig *a, rig *b)
{
    static uint64_t x[MOST_NUMBERS], y[MOST_NUMBERS];
    const size_t n = numbers_of(a, x), m = numbers_of(b, y);
    return n == m && memcmp(x, y, n * sizeof *x) == 0;
}

/* ---- Going on ---- */

enum { BEFORE = 9, AFTER = 12 }; /* steps: an epoch has six batches and the call that ends it */

static void check_resumes(setup s)
{
    rig straight = make_rig(s), first = make_rig(s), second;
    train(&straight, BEFORE + AFTER);
    train(&first, BEFORE);
    CHECK(gr_batches_get(first.batches[0]).epoch == 1 && gr_batches_get(first.batches[0]).position > 0);
    blob b = {NULL, 0, 0}, again = {NULL, 0, 0};
    CHECK(gr_save_training_to(first.g, blob_write, &b, training_of(&first)) == GR_OK);
    s.seed += 17; /* nothing of what is made anew decides */
    second = make_rig(s);
    train(&second, 2);
    CHECK(!same_state(&first, &second));
    gr_safetensors *f = gr_safetensors_parse(second.g, b.bytes, b.n);
    CHECK(gr_load_training_from(second.g, f, training_of(&second)) == GR_OK);
    CHECK(same_state(&first, &second));
    CHECK(gr_save_training_to(second.g, blob_write, &again, training_of(&second)) == GR_OK);
    CHECK(blob_is(&again, b.bytes, b.n));
    train(&second, AFTER);
    CHECK(same_state(&straight, &second));
    /* Saving has changed nothing in the first one. */
    train(&first, AFTER);
    CHECK(same_state(&straight, &first));
    gr_graph_destroy(straight.g);
    gr_graph_destroy(first.g);
    gr_graph_destroy(second.g);
    blob_free(&b);
    blob_free(&again);
}

static void test_goes_on_bit_for_bit(void)
{
    const gr_batches_options drop = {.drop_last = true}, in_order = {.in_order = true};
    check_resumes((setup){.type = GR_F32, .n_optimizers = 1, .rule = &gr_rule_adam, .seed = 5});
    check_resumes((setup){.type = GR_F64, .n_optimizers = 2, .rule = &gr_rule_adam, .seed = 6});
    check_resumes((setup){.type = GR_F64, .n_optimizers = 1, .rule = &gr_rule_momentum, .options = drop});
    check_resumes((setup){.type = GR_F32, .n_optimizers = 2, .rule = &gr_rule_sgd, .options = in_order});
    /* Every rule, whatever it remembers. */
    static const gr_rule *const rules[] = {
        &gr_rule_nesterov,        &gr_rule_adagrad,  &gr_rule_rmsprop, &gr_rule_rmsprop_momentum,
        &gr_rule_rmsprop_centred, &gr_rule_adadelta, &gr_rule_amsgrad, &gr_rule_adamw,
        &gr_rule_nadam,           &gr_rule_lion};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        check_resumes((setup){.type = GR_F32, .n_optimizers = 2, .rule = rules[i], .seed = i});
}

#define PATH "test_training_run.safetensors"

/* The same, where the process that goes on is another one than the one that stopped. */
static void test_goes_on_in_another_process(void)
{
    const setup s = {.type = GR_F32, .n_optimizers = 1, .rule = &gr_rule_adam, .seed = 8};
    int ends[2];
    CHECK(pipe(ends) == 0);
    for (int part = 0; part < 2; part++) {
        fflush(NULL);
        const pid_t child = fork();
        if (child == 0) {
            test_failures = 0;
            rig r = make_rig(s);
            if (part == 1) CHECK(gr_load_training(r.g, PATH, training_of(&r)) == GR_OK);
            train(&r, part == 0 ? BEFORE : AFTER);
            if (part == 0) CHECK(gr_save_training(r.g, PATH, training_of(&r)) == GR_OK);
            static uint64_t numbers[MOST_NUMBERS];
            const size_t bytes = numbers_of(&r, numbers) * sizeof *numbers;
            if (part == 1) CHECK(write(ends[1], numbers, bytes) == (ssize_t)bytes);
            gr_graph_destroy(r.g);
            fflush(NULL);
            _exit(test_failures > 0);
        }
        int status = -1;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
    close(ends[1]);
    rig straight = make_rig(s);
    train(&straight, BEFORE + AFTER);
    static uint64_t here[MOST_NUMBERS], there[MOST_NUMBERS];
    const size_t n = numbers_of(&straight, here);
    CHECK(read(ends[0], there, sizeof there) == (ssize_t)(n * sizeof *here));
    CHECK(memcmp(here, there, n * sizeof *here) == 0);
    close(ends[0]);
    remove(PATH);
    gr_graph_destroy(straight.g);
}

/* A run of parameters and random numbers alone. */
static void test_nothing_but_parameters(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor p = gr_param(g, "p", GR_F64, GR_SHAPE(2), (double[]){1, 2});
    gr_rng_set(g, (gr_rng_state){UINT64_MAX, UINT64_C(0x8000000000000001)});
    blob b = {NULL, 0, 0};
    CHECK(gr_save_training_to(g, blob_write, &b, NULL) == GR_OK);
    gr_rng_set(g, (gr_rng_state){0});
    gr_write(p, (double[]){0, 0}, 2);
    gr_safetensors *f = gr_safetensors_parse(g, b.bytes, b.n);
    CHECK(gr_safetensors_count(f) == 2);
    CHECK(strcmp(gr_safetensors_at(f, gr_safetensors_find(f, "rng")).type, "U64") == 0);
    CHECK(gr_safetensors_find(f, "model.p") >= 0);
    CHECK(strcmp(gr_safetensors_metadata(f, "format"), "gradus training") == 0);
    CHECK(gr_load_training_from(g, f, NULL) == GR_OK);
    CHECK(gr_rng_get(g).seed == UINT64_MAX && gr_rng_get(g).counter == UINT64_C(0x8000000000000001));
    CHECK(GR_AT(p, 0) == 1 && GR_AT(p, 1) == 2);
    gr_graph_destroy(g);
    blob_free(&b);
}

/* The names that the header promises. */
static void test_names(void)
{
    rig r = make_rig((setup){.type = GR_F64, .n_optimizers = 2, .rule = &gr_rule_adam});
    train(&r, 3);
    blob b = {NULL, 0, 0};
    CHECK(gr_save_training_to(r.g, blob_write, &b, training_of(&r)) == GR_OK);
    gr_safetensors *f = gr_safetensors_parse(r.g, b.bytes, b.n);
    static const char *const names[] = {"rng",
                                        "model.fc1.weight",
                                        "model.fc2.bias",
                                        "tensor.running mean",
                                        "value.counts",
                                        "value.sum",
                                        "optimizer.0.factor",
                                        "optimizer.0.rates",
                                        "optimizer.0.decays",
                                        "optimizer.0.decoupled",
                                        "optimizer.0.steps.fc1.weight",
                                        "optimizer.0.m.fc1.weight",
                                        "optimizer.0.v.fc1.bias",
                                        "optimizer.1.v.fc2.weight",
                                        "batches.0",
                                        "batches.1"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) CHECK(gr_safetensors_find(f, names[i]) >= 0);
    CHECK(gr_safetensors_count(f) == 1 + 4 + 1 + 2 + 2 * 4 + 4 + 4 + 2 + 2);
    CHECK(strcmp(gr_safetensors_metadata(f, "optimizer.0"), "adam") == 0);
    CHECK(strcmp(gr_safetensors_metadata(f, "optimizer.1"), "momentum") == 0);
    const gr_tensor steps = gr_safetensors_tensor(r.g, f,
                                                  gr_safetensors_find(f, "optimizer.0.steps.fc1.weight"));
    CHECK(GR_AT(steps, 0) == 6);
    gr_graph_destroy(r.g);
    blob_free(&b);
}

/* ---- What does not belong together ---- */

static const setup usual = {.type = GR_F64, .n_optimizers = 1, .rule = &gr_rule_adam, .seed = 3};

/* A state of `from` is refused by `into`, which stays as it is. */
static void is_refused(rig *into, const gr_training *training, const blob *b, gr_status status,
                       const char *part)
{
    static uint64_t before[MOST_NUMBERS], after[MOST_NUMBERS];
    const size_t n = numbers_of(into, before);
    gr_safetensors *f = gr_safetensors_parse(into->g, b->bytes, b->n);
    CHECK(f);
    CHECK(gr_load_training_from(into->g, f, training) == status && gr_graph_status(into->g) == status);
    CHECK_TEXT(gr_graph_error(into->g), "load_training: ");
    CHECK_TEXT(gr_graph_error(into->g), part);
    gr_graph_clear_error(into->g);
    gr_safetensors_close(f);
    CHECK(numbers_of(into, after) == n && memcmp(before, after, n * sizeof *before) == 0);
}

static blob state_of(setup s, int steps)
{
    rig r = make_rig(s);
    train(&r, steps);
    blob b = {NULL, 0, 0};
    CHECK(gr_save_training_to(r.g, blob_write, &b, training_of(&r)) == GR_OK);
    gr_graph_destroy(r.g);
    return b;
}

static void test_other_runs(void)
{
    rig r = make_rig(usual);
    train(&r, 2);
    const gr_training *t = training_of(&r);
    setup s = usual;
    s.rule = &gr_rule_momentum;
    blob b = state_of(s, 3);
    is_refused(&r, t, &b, GR_ERR_ARGUMENT, "\"optimizer.0\" is momentum, expected adam");
    blob_free(&b);
    s = usual, s.n_optimizers = 2;
    b = state_of(s, 3);
    is_refused(&r, t, &b, GR_ERR_NAME, "there is no tensor \"optimizer.0.m.fc2.bias\"");
    blob_free(&b);
    s = usual, s.type = GR_F32;
    b = state_of(s, 3);
    is_refused(&r, t, &b, GR_ERR_TYPE, "\"model.fc1.bias\" is F32 [8] in the file, expected F64 [8]");
    blob_free(&b);
    s = usual, s.options.in_order = true;
    b = state_of(s, 3);
    is_refused(&r, t, &b, GR_ERR_ARGUMENT, "in_order 1 and drop_last 0, expected 0 and 0");
    blob_free(&b);
    b = state_of(usual, 3);
    gr_training less = *t;
    less.n_tensors = 0;
    is_refused(&r, &less, &b, GR_ERR_NAME, "there is a tensor \"tensor.running mean\", F64 []");
    less = *t, less.n_values = 1;
    is_refused(&r, &less, &b, GR_ERR_NAME, "there is a tensor \"value.sum\", F64 [1]");
    const gr_training_value other_type[] = {t->values[0], {.name = "sum", .n = 1, .integers = r.counts}},
                            other_count[] = {{.name = "counts", .n = 1, .integers = r.counts}, t->values[1]};
    less = *t, less.values = other_type;
    is_refused(&r, &less, &b, GR_ERR_TYPE, "\"value.sum\" is F64 [1] in the file, expected I64 [1]");
    less = *t, less.values = other_count;
    is_refused(&r, &less, &b, GR_ERR_SHAPE, "\"value.counts\" is I64 [2] in the file, expected I64 [1]");
    less = *t, less.n_batches = 1;
    is_refused(&r, &less, &b, GR_ERR_NAME, "there is a tensor \"batches.1\", U64 [7]");
    less = *t, less.n_optimizers = 0;
    is_refused(&r, &less, &b, GR_ERR_NAME, "there is a tensor \"optimizer.0.decays\"");
    blob_free(&b);
    /* A model alone. */
    CHECK(gr_save_to(r.g, blob_write, &b, NULL) == GR_OK);
    is_refused(&r, t, &b, GR_ERR_FORMAT, "\"format\" is not in the metadata, so this is no training run");
    blob_free(&b);
    gr_graph_destroy(r.g);
}

/* Puts eight bytes into the elements of a tensor of a file, from its element i on. */
static void put(blob *b, const char *name, int i, uint64_t value)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_safetensors *f = gr_safetensors_parse(g, b->bytes, b->n);
    const gr_safetensors_entry e = gr_safetensors_at(f, gr_safetensors_find(f, name));
    CHECK(e.data);
    const size_t at = (size_t)((const uint8_t *)e.data - b->bytes) + 8 * (size_t)i;
    for (int k = 0; k < 8; k++) b->bytes[at + (size_t)k] = (uint8_t)(value >> (8 * k));
    gr_graph_destroy(g);
}

static void test_impossible_numbers(void)
{
    static const struct {
        const char *name;
        int i;
        uint64_t value;
        gr_status status;
        const char *part;
    } cases[] = {
        {"optimizer.0.rates", 0, UINT64_C(0xBFF0000000000000), GR_ERR_FORMAT,
         "group 0 of optimiser 0 has the rate -1 and the decay "},
        {"optimizer.0.rates", 0, UINT64_C(0x7FF8000000000000), GR_ERR_FORMAT, "has the rate nan"},
        {"optimizer.0.decays", 0, UINT64_C(0x7FF0000000000000), GR_ERR_FORMAT, "the decay inf"},
        {"optimizer.0.decays", 0, UINT64_C(0x8000000000000001), GR_ERR_FORMAT, "the decay -4.94"},
        {"optimizer.0.decoupled", 0, 2, GR_ERR_FORMAT, "decoupled 2"},
        {"optimizer.0.factor", 0, UINT64_C(0xBFF0000000000000), GR_ERR_FORMAT,
         "the factor of optimiser 0 is -1"},
        {"optimizer.0.factor", 0, UINT64_C(0xFFF8000000000000), GR_ERR_FORMAT,
         "the factor of optimiser 0 is "},
        {"optimizer.0.steps.fc2.bias", 0, UINT64_MAX, GR_ERR_FORMAT, "a number of steps below 0 on fc2.bias"},
        {"batches.0", 1, UINT64_C(1) << 32, GR_ERR_ARGUMENT,
         "no batch begins at sample 30 of epoch 4294967296"},
        {"batches.0", 2, 54, GR_ERR_ARGUMENT,
         "no batch begins at sample 54 of epoch 0, expected a multiple of 10"},
        {"batches.1", 2, 31, GR_ERR_ARGUMENT, "no batch begins at sample 31"},
        {"batches.0", 2, UINT64_MAX, GR_ERR_ARGUMENT, "no batch begins at sample -1"},
        {"batches.0", 3, 52, GR_ERR_ARGUMENT, "batches of 10 of 52 samples, expected 10 of 53"},
        {"batches.1", 4, 11, GR_ERR_ARGUMENT, "batches of 11 of 53 samples, expected 10 of 53"},
        {"batches.1", 4, 0, GR_ERR_ARGUMENT, "batches of 0 of 53 samples, expected 10 of 53"},
        {"batches.0", 5, 1, GR_ERR_ARGUMENT, "in_order 1 and drop_last 0"},
        {"batches.0", 6, 1, GR_ERR_ARGUMENT, "in_order 0 and drop_last 1"},
    };
    rig r = make_rig(usual);
    train(&r, 2);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        blob b = state_of(usual, 3);
        put(&b, cases[i].name, cases[i].i, cases[i].value);
        is_refused(&r, training_of(&r), &b, cases[i].status, cases[i].part);
        blob_free(&b);
    }
    gr_graph_destroy(r.g);
    setup drop = usual;
    drop.options.drop_last = drop.options.in_order = true;
    r = make_rig(drop);
    blob b = state_of(drop, 3);
    put(&b, "batches.1", 6, 2);
    is_refused(&r, training_of(&r), &b, GR_ERR_FORMAT, "the options of batches 1 are neither 0 nor 1");
    put(&b, "batches.1", 6, 1);
    put(&b, "batches.1", 2, 53); /* the last three are never handed out */
    is_refused(&r, training_of(&r), &b, GR_ERR_ARGUMENT, "no batch begins at sample 53");
    blob_free(&b);
    gr_graph_destroy(r.g);
}

static void cannot_save(gr_graph *g, gr_training t, gr_status status, const char *part)
{
    blob b = {NULL, 0, 0};
    CHECK(gr_save_training_to(g, blob_write, &b, &t) == status && b.n == 0);
    CHECK_TEXT(gr_graph_error(g), part);
    gr_graph_clear_error(g);
    blob_free(&b);
}

static void test_refuses_to_save(void)
{
    rig r = make_rig(usual), other = make_rig(usual);
    const gr_training t = *training_of(&r);
    gr_training u = t;
    u.n_params = -1;
    cannot_save(r.g, u, GR_ERR_ARGUMENT, "save_training: -1 parameters");
    u = t, u.optimizers = NULL;
    cannot_save(r.g, u, GR_ERR_ARGUMENT, "save_training: 1 optimisers at NULL");
    u = t, u.batches = NULL;
    cannot_save(r.g, u, GR_ERR_ARGUMENT, "save_training: 2 batches at NULL");
    u = t, u.tensors = NULL;
    cannot_save(r.g, u, GR_ERR_ARGUMENT, "save_training: 1 tensors at NULL");
    u = t, u.values = NULL;
    cannot_save(r.g, u, GR_ERR_ARGUMENT, "save_training: 2 values at NULL");
    const gr_training_value bad[] = {{.name = "x", .n = 1},
                                     {.name = "x", .n = 1, .numbers = &r.sum, .integers = r.counts},
                                     {.name = "", .n = 1, .numbers = &r.sum},
                                     {.n = 1, .numbers = &r.sum},
                                     {.name = "x", .n = -1, .numbers = &r.sum}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        u = t, u.n_values = 1, u.values = &bad[i];
        cannot_save(r.g, u, GR_ERR_ARGUMENT, "save_training: value 0 needs a name and one list");
    }
    u = t, u.optimizers = other.optimizer;
    cannot_save(r.g, u, GR_ERR_GRAPH, "save_training: optimiser 0 belongs to another graph");
    u = t, u.optimizers = &(gr_optimizer *){NULL};
    cannot_save(r.g, u, GR_ERR_HANDLE, "save_training: optimiser 0 is NULL");
    u = t, u.batches = other.batches;
    cannot_save(r.g, u, GR_ERR_GRAPH, "save_training: batches 0 belong to another graph");
    u = t, u.batches = (gr_batches *[]){r.batches[0], NULL};
    cannot_save(r.g, u, GR_ERR_HANDLE, "save_training: batches 1 are NULL");
    u = t, u.tensors = &other.mean;
    cannot_save(r.g, u, GR_ERR_GRAPH, "save_training: a tensor of another graph");
    u = t, u.tensors = &r.x;
    cannot_save(r.g, u, GR_ERR_NAME, "save_training: a tensor without a name");
    u = t, u.n_params = 2, u.params = (gr_tensor[]){r.net.layers[0].bias, r.net.layers[0].bias};
    cannot_save(r.g, u, GR_ERR_NAME, "save_training: two tensors of one name: \"model.fc1.bias\"");
    CHECK(gr_save_training(r.g, NULL, &t) == GR_ERR_ARGUMENT);
    gr_graph_clear_error(r.g);
    CHECK(gr_save_training(r.g, "no/such/place", &t) == GR_ERR_IO);
    CHECK_TEXT(gr_graph_error(r.g), "save_training: cannot make a file beside no/such/place: ");
    CHECK(gr_save_training(r.g, "x", &t) == GR_ERR_IO); /* pending */
    CHECK(gr_load_training(r.g, PATH, &t) == GR_ERR_IO);
    gr_graph_clear_error(r.g);
    CHECK(gr_load_training(r.g, "no/such/place", &t) == GR_ERR_IO);
    gr_graph_clear_error(r.g);
    CHECK(gr_load_training_from(r.g, NULL, &t) == GR_ERR_HANDLE);
    gr_graph_clear_error(r.g);
    CHECK(gr_save_training(NULL, "x", NULL) == GR_ERR_HANDLE &&
          gr_load_training(NULL, "x", NULL) == GR_ERR_HANDLE);
    CHECK(gr_optimizer_release(r.optimizer[0]) == GR_OK);
    cannot_save(r.g, t, GR_ERR_STATE, "adam: the optimiser was released");
    gr_graph_destroy(r.g);
    gr_graph_destroy(other.g);
}

/* ---- The parts ---- */

/* Batches go on wherever they are set, as if they had come there by themselves. */
static void test_batches_state(void)
{
    rig a = make_rig(usual), b = make_rig(usual);
    for (int steps = 0; steps < 15; steps++) {
        CHECK(gr_batches_set(b.batches[1], gr_batches_get(a.batches[0])) == GR_OK);
        const int64_t n = gr_batches_next(a.batches[0], a.x, a.y),
                      m = gr_batches_next(b.batches[1], b.x, b.y);
        CHECK(n == m && memcmp(gr_data(a.x), gr_data(b.x), BATCH * FEATURES * sizeof(double)) == 0);
        CHECK(memcmp(gr_data(a.y), gr_data(b.y), BATCH * sizeof(int32_t)) == 0);
    }
    gr_batches_state s = gr_batches_get(a.batches[0]);
    CHECK(s.samples == N && s.batch == BATCH && !s.in_order && !s.drop_last);
    s.position = -BATCH;
    CHECK(gr_batches_set(a.batches[0], s) == GR_ERR_ARGUMENT);
    CHECK_TEXT(gr_graph_error(a.g), "batches_set: no batch begins at sample -10");
    s.position = 0;
    CHECK(gr_batches_set(a.batches[0], s) == GR_ERR_ARGUMENT); /* pending */
    CHECK(gr_batches_set(NULL, s) == GR_ERR_HANDLE && gr_batches_get(NULL).samples == 0);
    gr_graph_destroy(a.g);
    gr_graph_destroy(b.g);
}

static void test_steps_of_optimisers(void)
{
    rig r = make_rig(usual);
    CHECK(gr_optimizer_set_steps(r.optimizer[0], 1, INT64_MAX) == GR_OK);
    CHECK(gr_optimizer_steps(r.optimizer[0], 1) == INT64_MAX && gr_optimizer_steps(r.optimizer[0], 0) == 0);
    CHECK(gr_optimizer_set_steps(r.optimizer[0], 0, -1) == GR_ERR_ARGUMENT);
    gr_graph_clear_error(r.g);
    CHECK(gr_optimizer_set_steps(r.optimizer[0], 4, 1) == GR_ERR_INDEX);
    gr_graph_clear_error(r.g);
    CHECK(gr_optimizer_set_steps(NULL, 0, 1) == GR_ERR_HANDLE);
    gr_graph_destroy(r.g);
}

/* A file can claim any number of steps. */
static void test_most_steps(void)
{
    rig r = make_rig(usual);
    for (int i = 0; i < gr_optimizer_param_count(r.optimizer[0]); i++)
        gr_optimizer_set_steps(r.optimizer[0], i, INT64_MAX);
    train(&r, 2);
    CHECK(gr_graph_status(r.g) == GR_OK && gr_optimizer_steps(r.optimizer[0], 0) == INT64_MAX);
    gr_graph_destroy(r.g);
}

/* Memory runs out at any point of saving or loading. */
static void test_every_allocation_fails(void)
{
    blob state = state_of(usual, 3);
    for (int loading = 0; loading < 2; loading++) {
        bool whole = false;
        for (long n = 1; !whole && n < 1000; n++) {
            ledger books = {0};
            setup s = usual;
            s.books = &books;
            rig r = make_rig(s);
            for (int i = 0; i < gr_param_count(r.g); i++) gr_keep(gr_param_at(r.g, i));
            static uint64_t before[MOST_NUMBERS], after[MOST_NUMBERS];
            const size_t m = numbers_of(&r, before);
            gr_safetensors *f = loading ? gr_safetensors_parse(r.g, state.bytes, state.n) : NULL;
            gr_graph_trim(r.g);
            books.fail_at = books.calls + n;
            books.fail_after = true;
            blob b = {NULL, 0, 0};
            const gr_status status = loading ? gr_load_training_from(r.g, f, training_of(&r))
                                             : gr_save_training_to(r.g, blob_write, &b, training_of(&r));
            books.fail_at = 0;
            whole = status == GR_OK;
            CHECK(gr_graph_status(r.g) == status && (whole || status == GR_ERR_MEMORY));
            gr_graph_clear_error(r.g);
            CHECK(numbers_of(&r, after) == m);
            CHECK((memcmp(before, after, m * sizeof *before) == 0) == !(whole && loading));
            blob_free(&b);
            gr_graph_destroy(r.g);
            CHECK(ledger_balances(&books));
        }
        CHECK(whole);
    }
    blob_free(&state);
}

int main(void)
{
    RUN(test_goes_on_bit_for_bit);
    RUN(test_goes_on_in_another_process);
    RUN(test_nothing_but_parameters);
    RUN(test_names);
    RUN(test_other_runs);
    RUN(test_impossible_numbers);
    RUN(test_refuses_to_save);
    RUN(test_batches_state);
    RUN(test_steps_of_optimisers);
    RUN(test_most_steps);
    RUN(test_every_allocation_fails);
    return TEST_EXIT;
}
