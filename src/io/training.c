/*
 * Training runs: everything that decides how a run goes on, as one plan of tensors and numbers.
 *
 * Invariant: loading first does all that can fail; what is set after that has been checked.
 */
#include "gradus/save.h"
#include "io/batches.h"
#include "io/plan.h"
#include "io/replace.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
    KEY_BYTES = 24,
    SHOWN_BYTES = 100,
    FIXED_PAIRS = 2,
    /* Numbers: of the generator, of batches, of an optimiser (its factor), of each of its groups. */
    RNG_WORDS = 2,
    BATCHES_WORDS = 7,
    FACTOR_WORDS = 1,
    GROUP_WORDS = 3
};
static const char format_name[] = "gradus training", format_version[] = "1";

/* The key of optimiser or batches number i. */
typedef struct key {
    char text[KEY_BYTES];
} key;
static key key_of(const char *what, int i)
{
    key k;
    snprintf(k.text, sizeof k.text, "%s.%d", what, i);
    return k;
}

typedef struct run {
    gr_graph *g;
    gr_training t;
    gri_plan plan;
    /* The numbers of the plan: of the generator, of each value, of each optimiser (its factor; rates, decays and kinds of
       decay of its groups; the steps on each parameter), of each gr_batches. */
    uint64_t *words;
    size_t n_words, used;
    gr_metadata *pairs;
    key *keys; /* of the optimisers, in the pairs */
} run;

/* ---- What belongs to a run ---- */

static gr_status check_list(const run *r, const char *what, int n, const void *list)
{
    if (n >= 0 && (n == 0 || list)) return GR_OK;
    return gri_fail(r->g, GR_ERR_ARGUMENT, "%s: %d %s%s", r->plan.call, n, what, n > 0 ? " at NULL" : "");
}

static gr_status check_optimizer(const run *r, gr_optimizer *o, int i)
{
    if (!o) return gri_fail(r->g, GR_ERR_HANDLE, "%s: optimiser %d is NULL", r->plan.call, i);
    const gr_tensor first = gr_optimizer_param(o, 0); /* sets the error if it was released */
    if (first.graph == r->g) return r->g->status;
    return gri_fail(r->g, GR_ERR_GRAPH, "%s: optimiser %d belongs to another graph", r->plan.call, i);
}

static gr_status check_batches(const run *r, const gr_batches *b, int i)
{
    if (!b) return gri_fail(r->g, GR_ERR_HANDLE, "%s: batches %d are NULL", r->plan.call, i);
    if (gri_batches_graph(b) == r->g) return GR_OK;
    return gri_fail(r->g, GR_ERR_GRAPH, "%s: batches %d belong to another graph", r->plan.call, i);
}

static gr_status check_value(const run *r, const gr_training_value *v, int i)
{
    if (v->name && *v->name && v->n >= 0 && !v->numbers != !v->integers) return GR_OK;
    return gri_fail(r->g, GR_ERR_ARGUMENT,
                    "%s: value %d needs a name and one list, of numbers or of integers", r->plan.call, i);
}

static gr_status check_training(const run *r)
{
    const gr_training *t = &r->t;
    gr_status status = check_list(r, "parameters", t->n_params, t->params);
    if (status == GR_OK) status = check_list(r, "optimisers", t->n_optimizers, t->optimizers);
    if (status == GR_OK) status = check_list(r, "batches", t->n_batches, t->batches);
    if (status == GR_OK) status = check_list(r, "tensors", t->n_tensors, t->tensors);
    if (status == GR_OK) status = check_list(r, "values", t->n_values, t->values);
    for (int i = 0; i < t->n_optimizers && status == GR_OK; i++)
        status = check_optimizer(r, t->optimizers[i], i);
    for (int i = 0; i < t->n_batches && status == GR_OK; i++) status = check_batches(r, t->batches[i], i);
    for (int i = 0; i < t->n_values && status == GR_OK; i++) status = check_value(r, &t->values[i], i);
    return status;
}

/* Blocks for numbers and pairs. */
static gr_status allocate(run *r)
{
    gri_memory *memory = &r->g->memory;
    r->n_words = RNG_WORDS + (size_t)r->t.n_batches * BATCHES_WORDS;
    for (int i = 0; i < r->t.n_values; i++) r->n_words += (size_t)r->t.values[i].n;
    for (int i = 0; i < r->t.n_optimizers; i++) {
        gr_optimizer *o = r->t.optimizers[i];
        r->n_words += FACTOR_WORDS + GROUP_WORDS * (size_t)gr_optimizer_group_count(o) +
                      (size_t)gr_optimizer_param_count(o);
    }
    r->words = gri_alloc_zeroed(memory, r->n_words * sizeof *r->words);
    const size_t n = (size_t)r->t.n_optimizers;
    r->pairs = gri_alloc(memory, (FIXED_PAIRS + n) * sizeof *r->pairs);
    r->keys = gri_alloc(memory, n * sizeof *r->keys);
    if (r->words && r->pairs && r->keys) return GR_OK;
    return gri_fail_memory(r->g, r->plan.call, r->n_words * sizeof *r->words);
}

static void end(run *r)
{
    gri_memory *memory = &r->g->memory;
    const size_t n = (size_t)r->t.n_optimizers;
    gri_free(memory, r->words, r->n_words * sizeof *r->words);
    gri_free(memory, r->pairs, (FIXED_PAIRS + n) * sizeof *r->pairs);
    gri_free(memory, r->keys, n * sizeof *r->keys);
    gri_plan_end(&r->plan);
}

/* The next numbers of the plan. */
static gr_status add_words(run *r, const char *type, size_t n, const char *const *parts)
{
    uint64_t *words = r->words + r->used;
    r->used += n;
    return gri_plan_add_numbers(&r->plan, type, words, (int64_t)n, parts);
}

/* A tensor under its own name. */
static gr_status add_named(run *r, gr_tensor t, const char *kind)
{
    const gri_node *node = t.graph == r->g ? gri_resolve(t, r->plan.call) : NULL;
    if (r->g->status != GR_OK) return r->g->status;
    const char *name = !node ? "?" : node->name ? node->name : ""; /* a foreign handle gets its own error */
    if (!*name) return gri_fail(r->g, GR_ERR_NAME, "%s: a tensor without a name", r->plan.call);
    return gri_plan_add(&r->plan, t, GRI_PARTS(kind, name));
}

static gr_status add_states(run *r, const char *of, gr_optimizer *o, int i)
{
    const gr_rule *rule = gr_optimizer_rule(o);
    const char *name = gr_name(gr_optimizer_param(o, i));
    if (r->g->status != GR_OK) return r->g->status;
    gr_status status = add_words(r, "I64", 1, GRI_PARTS(of, ".steps.", name));
    for (int k = 0; k < rule->n_states && status == GR_OK; k++) {
        const key number = key_of("state", k); /* for a rule that does not name its states */
        const char *state = rule->state_names[k] ? rule->state_names[k] : number.text;
        status = gri_plan_add(&r->plan, gr_optimizer_state(o, i, k), GRI_PARTS(of, ".", state, ".", name));
    }
    return status;
}

static gr_status add_optimizer(run *r, int i)
{
    gr_optimizer *o = r->t.optimizers[i];
    r->keys[i] = key_of("optimizer", i);
    r->pairs[FIXED_PAIRS + i] = (gr_metadata){r->keys[i].text, gr_optimizer_rule(o)->name};
    const char *of = r->keys[i].text;
    const size_t groups = (size_t)gr_optimizer_group_count(o);
    gr_status status = add_words(r, "F64", FACTOR_WORDS, GRI_PARTS(of, ".factor"));
    if (status == GR_OK) status = add_words(r, "F64", groups, GRI_PARTS(of, ".rates"));
    if (status == GR_OK) status = add_words(r, "F64", groups, GRI_PARTS(of, ".decays"));
    if (status == GR_OK) status = add_words(r, "U64", groups, GRI_PARTS(of, ".decoupled"));
    for (int k = 0; k < gr_optimizer_param_count(o) && status == GR_OK; k++) status = add_states(r, of, o, k);
    return status;
}

static gr_status add_value(run *r, int i)
{
    const gr_training_value *v = &r->t.values[i];
    return add_words(r, v->numbers ? "F64" : "I64", (size_t)v->n, GRI_PARTS("value.", v->name));
}

/* Everything. In the order in which numbers are added here `note`, `check_words` and `set` go through them. */
static gr_status add_all(run *r)
{
    const gr_training *t = &r->t;
    gr_status status = add_words(r, "U64", RNG_WORDS, GRI_PARTS("rng"));
    const int n_params = t->n_params > 0 ? t->n_params : gr_param_count(r->g);
    for (int i = 0; i < n_params && status == GR_OK; i++)
        status = add_named(r, t->n_params > 0 ? t->params[i] : gr_param_at(r->g, i), "model.");
    const gri_node *state = t->n_params > 0 ? NULL : gri_next_model_state(r->g, NULL);
    for (; state && status == GR_OK; state = gri_next_model_state(r->g, state))
        status = add_named(r, gri_handle(r->g, state), "model.");
    for (int i = 0; i < t->n_tensors && status == GR_OK; i++) status = add_named(r, t->tensors[i], "tensor.");
    for (int i = 0; i < t->n_values && status == GR_OK; i++) status = add_value(r, i);
    for (int i = 0; i < t->n_optimizers && status == GR_OK; i++) status = add_optimizer(r, i);
    for (int i = 0; i < t->n_batches && status == GR_OK; i++)
        status = add_words(r, "U64", BATCHES_WORDS, GRI_PARTS(key_of("batches", i).text));
    return status;
}

static gr_status begin(run *r, gr_graph *g, const char *call, const gr_training *training)
{
    *r = (run){.g = g, .t = training ? *training : (gr_training){0}, .plan = gri_plan_begin(g, call)};
    gr_status status = check_training(r);
    if (status != GR_OK) {
        r->t = (gr_training){0};
        return status;
    }
    status = allocate(r);
    if (status != GR_OK) return status;
    r->pairs[0] = (gr_metadata){"format", format_name};
    r->pairs[1] = (gr_metadata){"version", format_version};
    status = add_all(r);
    return status == GR_OK ? gri_plan_finish(&r->plan) : status;
}

/* ---- Numbers as words ---- */

static uint64_t word_of(double x)
{
    uint64_t word;
    memcpy(&word, &x, sizeof word);
    return word;
}

static double number_of(uint64_t word)
{
    double x;
    memcpy(&x, &word, sizeof x);
    return x;
}

/* The words of one optimiser, found in those of the run. */
typedef struct optimizer_words {
    int n_groups, n_params;
    uint64_t *factor, *rates, *decays, *decoupled, *steps;
} optimizer_words;

/* Moves *w behind them. */
static optimizer_words take_optimizer(const gr_optimizer *o, uint64_t **w)
{
    optimizer_words f = {.n_groups = gr_optimizer_group_count(o), .n_params = gr_optimizer_param_count(o)};
    f.factor = *w;
    f.rates = f.factor + FACTOR_WORDS;
    f.decays = f.rates + f.n_groups;
    f.decoupled = f.decays + f.n_groups;
    f.steps = f.decoupled + f.n_groups;
    *w = f.steps + f.n_params;
    return f;
}

/* ---- Saving ---- */

static void note_optimizer(gr_optimizer *o, const optimizer_words *f)
{
    *f->factor = word_of(gr_optimizer_rate_factor(o));
    for (int k = 0; k < f->n_groups; k++) {
        const gr_param_group group = gr_optimizer_group(o, k);
        f->rates[k] = word_of(group.rate);
        f->decays[k] = word_of(group.weight_decay);
        f->decoupled[k] = group.decay == GR_DECAY_DECOUPLED;
    }
    for (int k = 0; k < f->n_params; k++) f->steps[k] = (uint64_t)gr_optimizer_steps(o, k);
}

/* Puts the numbers as they are now into the words. */
static void note(const run *r)
{
    uint64_t *w = r->words;
    const gr_rng_state rng = gr_rng_get(r->g);
    *w++ = rng.seed;
    *w++ = rng.counter;
    for (int i = 0; i < r->t.n_values; i++) {
        const gr_training_value *v = &r->t.values[i];
        for (int k = 0; k < v->n; k++) *w++ = v->numbers ? word_of(v->numbers[k]) : (uint64_t)v->integers[k];
    }
    for (int i = 0; i < r->t.n_optimizers; i++) {
        const optimizer_words f = take_optimizer(r->t.optimizers[i], &w);
        note_optimizer(r->t.optimizers[i], &f);
    }
    for (int i = 0; i < r->t.n_batches; i++) {
        const gr_batches_state s = gr_batches_get(r->t.batches[i]);
        *w++ = s.seed;
        *w++ = s.epoch;
        *w++ = (uint64_t)s.position;
        *w++ = (uint64_t)s.samples;
        *w++ = (uint64_t)s.batch;
        *w++ = s.in_order;
        *w++ = s.drop_last;
    }
}

/* To the path, or else through the writer. */
static gr_status save(gr_graph *g, const char *path, gr_writer *write, void *user,
                      const gr_training *training)
{
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    run r;
    gr_status status = begin(&r, g, "save_training", training);
    if (status == GR_OK) {
        note(&r);
        gri_plan_file file = {&r.plan, r.pairs, FIXED_PAIRS + r.t.n_optimizers};
        status = path ? gri_replace_file(g, r.plan.call, path, gri_plan_write, &file)
                      : gri_write_through(g, r.plan.call, write, user, gri_plan_write, &file);
    }
    end(&r);
    return status;
}

gr_status gr_save_training(gr_graph *g, const char *path, const gr_training *training)
{
    return save(g, path ? path : "", NULL, NULL, training);
}

gr_status gr_save_training_to(gr_graph *g, gr_writer *write, void *user, const gr_training *training)
{
    return save(g, NULL, write, user, training);
}

/* ---- Loading ---- */

/* Whether the file has all the pairs, with the same values. */
static gr_status check_pairs(const run *r, const gr_safetensors *file)
{
    for (int i = 0; i < FIXED_PAIRS + r->t.n_optimizers; i++) {
        const gr_metadata *here = &r->pairs[i];
        const char *there = gr_safetensors_metadata(file, here->key);
        if (there && strcmp(there, here->value) == 0) continue;
        return gri_fail(r->g, i < FIXED_PAIRS ? GR_ERR_FORMAT : GR_ERR_ARGUMENT,
                        "%s: %s: \"%s\" is %.*s%s, expected %s", r->plan.call, file->source.name, here->key,
                        SHOWN_BYTES, there ? there : "not in the metadata",
                        i < FIXED_PAIRS ? ", so this is no training run that can be read" : "", here->value);
    }
    return GR_OK;
}

static gr_batches_state state_of(const uint64_t *w)
{
    return (gr_batches_state){.seed = w[0],
                              .epoch = w[1],
                              .position = (int64_t)w[2],
                              .samples = (int64_t)w[3],
                              .batch = (int64_t)w[4],
                              .in_order = w[5] != 0,
                              .drop_last = w[6] != 0};
}

/* What rates, decays and factors are: not negative, and finite. */
static bool is_rate(uint64_t word) { return number_of(word) >= 0 && isfinite(number_of(word)); }

static gr_status check_optimizer_words(const run *r, const gr_safetensors *file, int i,
                                       const optimizer_words *f)
{
    const char *name = file->source.name, *call = r->plan.call;
    if (!is_rate(*f->factor))
        return gri_fail(r->g, GR_ERR_FORMAT, "%s: %s: the factor of optimiser %d is %g", call, name, i,
                        number_of(*f->factor));
    for (int k = 0; k < f->n_groups; k++)
        if (!is_rate(f->rates[k]) || !is_rate(f->decays[k]) || f->decoupled[k] > 1)
            return gri_fail(
                r->g, GR_ERR_FORMAT,
                "%s: %s: group %d of optimiser %d has the rate %g and the decay %g, decoupled %" PRIu64, call,
                name, k, i, number_of(f->rates[k]), number_of(f->decays[k]), f->decoupled[k]);
    for (int k = 0; k < f->n_params; k++)
        if (f->steps[k] > INT64_MAX)
            return gri_fail(r->g, GR_ERR_FORMAT,
                            "%s: %s: optimiser %d has made a number of steps below 0 on %s", call, name, i,
                            gr_name(gr_optimizer_param(r->t.optimizers[i], k)));
    return GR_OK;
}

/* Where the words of optimisers begin. */
static uint64_t *behind_values(const run *r)
{
    uint64_t *w = r->words + RNG_WORDS;
    for (int i = 0; i < r->t.n_values; i++) w += r->t.values[i].n;
    return w;
}

/* Whether the numbers of the file are ones that could have been saved here. */
static gr_status check_words(const run *r, const gr_safetensors *file)
{
    uint64_t *w = behind_values(r);
    gr_status status = GR_OK;
    for (int i = 0; i < r->t.n_optimizers && status == GR_OK; i++) {
        const optimizer_words f = take_optimizer(r->t.optimizers[i], &w);
        status = check_optimizer_words(r, file, i, &f);
    }
    for (int i = 0; i < r->t.n_batches && status == GR_OK; i++, w += BATCHES_WORDS) {
        const gr_batches_state s = state_of(w);
        status = gri_batches_check(r->t.batches[i], r->plan.call, &s);
        if (status == GR_OK && (w[5] > 1 || w[6] > 1))
            status = gri_fail(r->g, GR_ERR_FORMAT, "%s: %s: the options of batches %d are neither 0 nor 1",
                              r->plan.call, file->source.name, i);
    }
    return status;
}

static void set_optimizer(gr_optimizer *o, const optimizer_words *f)
{
    gr_optimizer_set_rate_factor(o, number_of(*f->factor));
    for (int k = 0; k < f->n_groups; k++) {
        gr_optimizer_set_group_rate(o, k, number_of(f->rates[k]));
        gr_optimizer_set_group_decay(o, k, number_of(f->decays[k]),
                                     f->decoupled[k] ? GR_DECAY_DECOUPLED : GR_DECAY_COUPLED);
    }
    for (int k = 0; k < f->n_params; k++) gr_optimizer_set_steps(o, k, (int64_t)f->steps[k]);
}

/* All of it has been checked: none of these calls fails. */
static void set(const run *r)
{
    gr_rng_set(r->g, (gr_rng_state){r->words[0], r->words[1]});
    uint64_t *w = r->words + RNG_WORDS;
    for (int i = 0; i < r->t.n_values; i++) {
        const gr_training_value *v = &r->t.values[i];
        for (int k = 0; k < v->n; k++, w++) {
            if (v->numbers)
                v->numbers[k] = number_of(*w);
            else
                v->integers[k] = (int64_t)*w;
        }
    }
    for (int i = 0; i < r->t.n_optimizers; i++) {
        const optimizer_words f = take_optimizer(r->t.optimizers[i], &w);
        set_optimizer(r->t.optimizers[i], &f);
    }
    for (int i = 0; i < r->t.n_batches; i++, w += BATCHES_WORDS) gr_batches_set(r->t.batches[i], state_of(w));
}

gr_status gr_load_training_from(gr_graph *g, const gr_safetensors *file, const gr_training *training)
{
    if (!g) return GR_ERR_HANDLE;
    if (g->status != GR_OK) return g->status;
    if (!file) return gri_fail(g, GR_ERR_HANDLE, "load_training: there is no file");
    run r;
    gr_status status = begin(&r, g, "load_training", training);
    if (status == GR_OK) status = check_pairs(&r, file);
    if (status == GR_OK) status = gri_plan_check(&r.plan, file, &(gri_others){false, NULL});
    if (status == GR_OK) {
        gri_plan_fetch(&r.plan, file);
        status = check_words(&r, file);
    }
    if (status == GR_OK) status = gri_plan_open(&r.plan);
    if (status == GR_OK) {
        gri_plan_commit(&r.plan, file);
        set(&r);
    }
    end(&r);
    return status;
}

gr_status gr_load_training(gr_graph *g, const char *path, const gr_training *training)
{
    gr_safetensors *file = gr_safetensors_open(g, path);
    if (!file) return gr_graph_status(g);
    const gr_status status = gr_load_training_from(g, file, training);
    gr_safetensors_close(file);
    return status;
}
