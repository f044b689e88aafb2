/* Schedules and plateaus: against their formulas, written down here once more, and against PyTorch's lists. */
#include "gradus.h"
#include "test.h"
#include "schedule_golden.h"

#define LENGTH(list) ((int)(sizeof(list) / sizeof *(list)))
static const double pi = 3.14159265358979323846;

static double at(gr_schedule s, int64_t t) { return gr_schedule_factor(&s, t); }

static gr_optimizer *any_optimizer(gr_graph *g, double rate)
{
    gr_param(g, "x", GR_F64, GR_SHAPE(2), (double[]){1, 2});
    return gr_sgd(g, rate);
}

/* ---- PyTorch ---- */

static void compare(gr_schedule s, const double *expected, int n)
{
    CHECK(s.invalid == NULL);
    for (int t = 0; t < n; t++) CHECK_NEAR(at(s, t), expected[t], 1e-14 * (1 + fabs(expected[t])));
}

static void compare_momentum(gr_schedule s, const double *expected, int n)
{
    for (int t = 0; t < n; t++) CHECK_NEAR(gr_schedule_momentum(&s, t), expected[t], 1e-14);
}

static void test_pytorch(void)
{
    static const int64_t milestones[] = {2, 5, 5, 7};
    compare(gr_schedule_step(3, 0.5), torch_step, LENGTH(torch_step));
    compare(gr_schedule_multi_step(4, milestones, 0.5), torch_multi_step, LENGTH(torch_multi_step));
    compare(gr_schedule_exponential(0.9), torch_exponential, LENGTH(torch_exponential));
    compare(gr_schedule_linear(5, 1.0 / 3, 0.9), torch_linear, LENGTH(torch_linear));
    compare(gr_schedule_cosine(8, 0.125), torch_cosine, LENGTH(torch_cosine));
    compare(gr_schedule_cosine_restarts(4, 1, 0), torch_restarts, LENGTH(torch_restarts));
    compare(gr_schedule_cosine_restarts(2, 3, 0.25), torch_restarts_longer, LENGTH(torch_restarts_longer));
    compare(gr_schedule_warmup(gr_schedule_cosine(6, 0), 4, 0.25), torch_warmup_cosine,
            LENGTH(torch_warmup_cosine));
    gr_schedule s = gr_schedule_one_cycle(12, NULL);
    compare(s, torch_one_cycle, LENGTH(torch_one_cycle));
    compare_momentum(s, torch_one_cycle_momentum, LENGTH(torch_one_cycle_momentum));
    s = gr_schedule_one_cycle(11, &(gr_one_cycle_options){.rise = 0.4,
                                                          .linear = true,
                                                          .divisor = 10,
                                                          .final_divisor = 100,
                                                          .low_momentum = 0.5,
                                                          .high_momentum = 0.75});
    compare(s, torch_one_cycle_linear, LENGTH(torch_one_cycle_linear));
    compare_momentum(s, torch_one_cycle_linear_momentum, LENGTH(torch_one_cycle_linear_momentum));
    s = gr_schedule_one_cycle(13, &(gr_one_cycle_options){.rise = 0.37, .three_phases = true});
    compare(s, torch_one_cycle_three, LENGTH(torch_one_cycle_three));
    compare_momentum(s, torch_one_cycle_three_momentum, LENGTH(torch_one_cycle_three_momentum));
}

/* ---- Formulas ---- */

static void test_steps_and_lines(void)
{
    static const int64_t milestones[] = {0, 10, 1000000000000};
    for (int64_t t = 0; t < 50; t++) {
        CHECK(at(gr_schedule_constant(), t) == 1);
        CHECK_NEAR(at(gr_schedule_step(7, 0.3), t), pow(0.3, floor((double)t / 7)), 1e-15);
        CHECK_NEAR(at(gr_schedule_exponential(0.97), t), exp((double)t * log(0.97)), 1e-14);
        CHECK_NEAR(at(gr_schedule_linear(20, 0.5, 2), t), t < 20 ? 0.5 + 1.5 * (double)t / 20 : 2, 1e-15);
        CHECK_NEAR(at(gr_schedule_multi_step(3, milestones, 0.5), t), t < 10 ? 0.5 : 0.25, 0);
    }
    CHECK(at(gr_schedule_multi_step(3, milestones, 0.5), 1000000000000) == 0.125);
    CHECK(at(gr_schedule_multi_step(0, NULL, 0.5), 7) == 1);
    CHECK(at(gr_schedule_step(3, 0), 2) == 1 && at(gr_schedule_step(3, 0), 3) == 0);
    CHECK(at(gr_schedule_exponential(0.5), -4) == 1); /* before the first step is the first step */
    CHECK(at(gr_schedule_step(1, 1.5), 2) == 2.25);   /* rates may grow, too */
}

static void test_cosines(void)
{
    for (int64_t t = 0; t < 400; t++) {
        const double part = t < 100 ? (double)t / 100 : 1;
        CHECK_NEAR(at(gr_schedule_cosine(100, 0.1), t), 0.1 + 0.9 * (1 + cos(pi * part)) / 2, 1e-15);
        /* periods of 10, 20, 40, ...: the k-th begins at 10 (2^k - 1) */
        const double k = floor(log2((double)t / 10 + 1) + 1e-12), begin = 10 * (exp2(k) - 1);
        const double x = ((double)t - begin) / (10 * exp2(k));
        CHECK_NEAR(at(gr_schedule_cosine_restarts(10, 2, 0.2), t), 0.2 + 0.8 * (1 + cos(pi * x)) / 2, 1e-13);
        CHECK_NEAR(at(gr_schedule_cosine_restarts(13, 1, 0), t), (1 + cos(pi * (double)(t % 13) / 13)) / 2,
                   1e-13);
    }
    CHECK(at(gr_schedule_cosine(1, 0.5), 0) == 1 && at(gr_schedule_cosine(1, 0.5), 1) == 0.5);
    CHECK(at(gr_schedule_cosine_restarts(1, 1, 0), 5) == 1);
    /* far out: periods that no number of steps can have */
    const double far = at(gr_schedule_cosine_restarts(1000, 1000, 0), INT64_MAX);
    CHECK(far >= 0 && far <= 1);
    CHECK(at(gr_schedule_cosine_restarts(INT64_MAX, INT64_MAX, 0), INT64_MAX - 1) >= 0);
    CHECK_NEAR(at(gr_schedule_cosine_restarts(1, INT64_MAX, 0), INT64_MAX), 0, 1e-9);
}

static void test_warmup(void)
{
    const gr_schedule alone = gr_schedule_warmup(gr_schedule_constant(), 10, 0.2);
    const gr_schedule before = gr_schedule_warmup(gr_schedule_linear(5, 2, 1), 10, 0);
    for (int64_t t = 0; t < 30; t++) {
        CHECK_NEAR(at(alone, t), t < 10 ? 0.2 + 0.08 * (double)t : 1, 1e-15);
        CHECK_NEAR(at(before, t), t < 10 ? 0.2 * (double)t : t < 15 ? 2 - 0.2 * (double)(t - 10) : 1, 1e-15);
    }
    CHECK(at(gr_schedule_warmup(gr_schedule_exponential(0.5), 0, 1), 1) == 0.5);
    const gr_schedule cycle = gr_schedule_warmup(gr_schedule_one_cycle(20, NULL), 5, 0.5);
    CHECK(gr_schedule_momentum(&cycle, 3) == 0.95 && gr_schedule_momentum(&cycle, 10) == 0.85);
}

/* The first factor, the largest and the last are where the options say; what follows stays. */
static void test_one_cycle(void)
{
    for (int64_t total = 10; total < 200; total += 10) {
        const gr_schedule s = gr_schedule_one_cycle(total,
                                                    &(gr_one_cycle_options){.rise = 0.5, .divisor = 4});
        CHECK_NEAR(at(s, 0), 0.25, 1e-15);
        CHECK_NEAR(at(s, total / 2 - 1), 1, 1e-15);
        CHECK_NEAR(at(s, total - 1), 0.25e-4, 1e-15);
        CHECK(at(s, total) == at(s, total - 1) && at(s, INT64_MAX) == at(s, total - 1));
        for (int64_t t = 1; t < total; t++)
            CHECK((at(s, t) > at(s, t - 1)) == (t < total / 2) || t == total / 2);
        CHECK_NEAR(gr_schedule_momentum(&s, total / 2 - 1), 0.85, 1e-15);
        CHECK_NEAR(gr_schedule_momentum(&s, INT64_MAX), 0.95, 1e-15);
    }
    const gr_schedule tiny = gr_schedule_one_cycle(1, NULL),
                      up = gr_schedule_one_cycle(4, &(gr_one_cycle_options){.rise = 1});
    CHECK_NEAR(at(tiny, 0), 1.0 / 25e4, 1e-18);
    CHECK_NEAR(at(up, 3), 1, 1e-15);
    CHECK_NEAR(at(gr_schedule_one_cycle(10, &(gr_one_cycle_options){.rise = 0.1}), 0), 1, 1e-15);
    const gr_schedule half = gr_schedule_one_cycle(
        10, &(gr_one_cycle_options){.rise = 0.5, .three_phases = true});
    CHECK_NEAR(at(half, 4), 1, 1e-15);
    CHECK_NEAR(at(half, 8), 0.04, 1e-15);
    CHECK_NEAR(at(half, 9), 4e-6, 1e-15);
}

/* ---- Applying ---- */

static double thirds(const gr_schedule *s, int64_t step)
{
    return *(const double *)s->user / (double)(step + 3);
}

static void test_apply(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = gr_param(g, "a", GR_F64, GR_SCALAR, &(double){1}),
                    b = gr_param(g, "b", GR_F64, GR_SCALAR, &(double){1});
    const gr_param_group groups[] = {{.n = 1, .params = &a, .rate = 0.5}, {.rate = 0.125}};
    gr_optimizer *opt = gr_optimizer_create_groups(g, &gr_rule_sgd, NULL, 2, groups);
    const gr_schedule s = gr_schedule_step(1, 0.5);
    double x = 1, y = 1;
    for (int t = 0; t < 5; t++) {
        CHECK(gr_schedule_apply(&s, opt, t) == GR_OK);
        CHECK(gr_optimizer_rate_factor(opt) == pow(0.5, t));
        gr_clear_grads(g);
        gr_backward(gr_add(a, b));
        CHECK(gr_optimizer_step(opt) == GR_OK);
        x -= 0.5 * pow(0.5, t);
        y -= 0.125 * pow(0.5, t);
        CHECK(gr_item(a) == x && gr_item(b) == y); /* all are powers of 2 */
    }
    CHECK(gr_optimizer_group(opt, 0).rate == 0.5 && gr_optimizer_group(opt, 1).rate == 0.125);
    const gr_schedule own = gr_schedule_warmup((gr_schedule){.factor = thirds, .user = &(double){3}}, 2, 0.5);
    CHECK(at(own, 0) == 0.5 && at(own, 1) == 0.75 && at(own, 2) == 1 && at(own, 3) == 0.75);
    CHECK(gr_schedule_apply(&own, opt, 5) == GR_OK && gr_optimizer_rate_factor(opt) == 0.5);
    gr_graph_destroy(g);
}

/* ---- Plateaus ---- */

static void follow(gr_plateau p, const double *expected)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_optimizer *opt = any_optimizer(g, 0.5);
    gr_plateau saved = p;
    double saved_rate = 0;
    for (int i = 0; i < LENGTH(monitored); i++) {
        if (i == 13) saved = p, saved_rate = gr_optimizer_rate(opt);
        const double value = p.mode == GR_MONITOR_MAX ? 1.2 - monitored[i] : monitored[i];
        CHECK(gr_plateau_step(&p, opt, value) == GR_OK);
        CHECK_NEAR(gr_optimizer_rate(opt), expected[i], 1e-15);
    }
    CHECK(p.reductions > 1);
    gr_optimizer_set_rate(opt, saved_rate); /* continued from what was saved */
    for (int i = 13; i < LENGTH(monitored); i++) {
        const double value = p.mode == GR_MONITOR_MAX ? 1.2 - monitored[i] : monitored[i];
        CHECK(gr_plateau_step(&saved, opt, value) == GR_OK);
        CHECK_NEAR(gr_optimizer_rate(opt), expected[i], 1e-15);
    }
    CHECK(saved.best == p.best && saved.waited == p.waited && saved.cooling == p.cooling &&
          saved.reductions == p.reductions);
    gr_graph_destroy(g);
}

static void test_plateau_pytorch(void)
{
    CHECK(LENGTH(monitored) == LENGTH(torch_plateau_relative));
    gr_plateau p = gr_plateau_start(GR_MONITOR_MIN);
    p.factor = 0.5;
    p.patience = 2;
    follow(p, torch_plateau_relative);
    p = gr_plateau_start(GR_MONITOR_MIN);
    p.patience = 1;
    p.threshold = 0.15;
    p.absolute = true;
    p.cooldown = 2;
    p.min_rate = 0.01;
    follow(p, torch_plateau_absolute);
    p = gr_plateau_start(GR_MONITOR_MAX);
    p.factor = 0.25;
    p.patience = 0;
    p.threshold = 0.05;
    p.cooldown = 1;
    p.min_change = 1e-3;
    follow(p, torch_plateau_maximum);
}

static void test_plateau_groups(void)
{
    gr_graph *g = gr_graph_create(NULL);
    const gr_tensor a = gr_param(g, "a", GR_F64, GR_SCALAR, NULL);
    gr_param(g, "b", GR_F64, GR_SCALAR, NULL);
    const gr_param_group groups[] = {{.n = 1, .params = &a, .rate = 0.5}, {.rate = 0.125}};
    gr_optimizer *opt = gr_optimizer_create_groups(g, &gr_rule_sgd, NULL, 2, groups);
    gr_optimizer_set_rate_factor(opt, 0.75);
    gr_plateau p = gr_plateau_start(GR_MONITOR_MIN);
    CHECK(p.factor == 0.1 && p.patience == 10 && p.threshold == 1e-4 && !p.absolute && p.cooldown == 0 &&
          p.min_rate == 0 && p.min_change == 1e-8); /* PyTorch's */
    p.patience = 0;
    p.factor = 0.5;
    p.min_rate = 0.1;
    for (int i = 0; i < 2; i++) CHECK(gr_plateau_step(&p, opt, 1) == GR_OK);
    CHECK(gr_optimizer_group(opt, 0).rate == 0.25 && gr_optimizer_group(opt, 1).rate == 0.1);
    CHECK(gr_optimizer_rate_factor(opt) == 0.75);
    gr_optimizer_set_group_rate(opt, 1, 0.05); /* below the least: is left alone */
    CHECK(gr_plateau_step(&p, opt, 1) == GR_OK);
    CHECK(gr_optimizer_group(opt, 0).rate == 0.125 && gr_optimizer_group(opt, 1).rate == 0.05);
    gr_graph_destroy(g);
}

/* ---- Misuse ---- */

static void refuse(gr_optimizer *opt, gr_graph *g, gr_schedule s, const char *part)
{
    CHECK(s.invalid != NULL && isnan(at(s, 3)) && isnan(gr_schedule_momentum(&s, 3)));
    CHECK(gr_schedule_apply(&s, opt, 3) == GR_ERR_ARGUMENT);
    CHECK_TEXT(gr_graph_error(g), "schedule: ");
    CHECK_TEXT(gr_graph_error(g), part);
    gr_graph_clear_error(g);
    CHECK(gr_optimizer_rate_factor(opt) == 1);
    s = gr_schedule_warmup(s, 1, 1); /* says the same */
    CHECK_TEXT(s.invalid, part);
}

static double negative(const gr_schedule *s, int64_t step)
{
    (void)s, (void)step;
    return -1;
}

static void test_misuse(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_optimizer *opt = any_optimizer(g, 0.5);
    const double nan = (double)NAN, inf = (double)INFINITY;
    refuse(opt, g, gr_schedule_step(0, 0.5), "step: the period must be at least 1");
    refuse(opt, g, gr_schedule_step(1, -0.5), "step: gamma");
    refuse(opt, g, gr_schedule_exponential(nan), "exponential: gamma");
    refuse(opt, g, gr_schedule_multi_step(-1, NULL, 0.5), "multi_step: a negative number");
    refuse(opt, g, gr_schedule_multi_step(1, NULL, 0.5),
           "multi_step: a negative number of milestones, or NULL");
    refuse(opt, g, gr_schedule_multi_step(2, (int64_t[]){5, 4}, 0.5),
           "multi_step: the milestones must not decrease");
    refuse(opt, g, gr_schedule_multi_step(1, (int64_t[]){5}, inf), "multi_step: gamma");
    refuse(opt, g, gr_schedule_linear(0, 0, 1), "linear: there must be at least 1 step");
    refuse(opt, g, gr_schedule_linear(5, -1, 1), "linear: start and end");
    refuse(opt, g, gr_schedule_linear(5, 1, inf), "linear: start and end");
    refuse(opt, g, gr_schedule_cosine(0, 0), "cosine: the period must be at least 1");
    refuse(opt, g, gr_schedule_cosine(5, 1.5), "cosine: floor must be in [0, 1]");
    refuse(opt, g, gr_schedule_cosine_restarts(5, 0, 0), "cosine: the multiplier");
    refuse(opt, g, gr_schedule_warmup(gr_schedule_constant(), -1, 0), "warmup: the number of steps");
    refuse(opt, g, gr_schedule_warmup(gr_schedule_constant(), 1, 2), "warmup: start");
    refuse(opt, g, gr_schedule_warmup(gr_schedule_warmup(gr_schedule_constant(), 1, 0), 1, 0),
           "has a warm-up already");
    refuse(opt, g, gr_schedule_one_cycle(0, NULL), "one_cycle: there must be at least 1 step");
    refuse(opt, g, gr_schedule_one_cycle(9, &(gr_one_cycle_options){.rise = 1.5}), "one_cycle: rise");
    refuse(opt, g, gr_schedule_one_cycle(9, &(gr_one_cycle_options){.rise = 0.7, .three_phases = true}),
           "one_cycle: rise must be in (0, 1], or (0, 0.5] for three phases");
    refuse(opt, g, gr_schedule_one_cycle(9, &(gr_one_cycle_options){.divisor = -1}),
           "one_cycle: the divisors");
    refuse(opt, g, gr_schedule_one_cycle(9, &(gr_one_cycle_options){.final_divisor = nan}),
           "one_cycle: the divisors");
    refuse(opt, g, gr_schedule_one_cycle(9, &(gr_one_cycle_options){.high_momentum = 1}),
           "one_cycle: momentum");
    CHECK(gr_schedule_apply(NULL, opt, 0) == GR_ERR_ARGUMENT);
    CHECK_TEXT(gr_graph_error(g), "schedule: is NULL");
    CHECK(gr_schedule_apply(&(gr_schedule){0}, opt, 0) == GR_ERR_ARGUMENT); /* the first one stays */
    gr_graph_clear_error(g);
    CHECK(gr_schedule_apply(&(gr_schedule){0}, opt, 0) == GR_ERR_ARGUMENT);
    CHECK_TEXT(gr_graph_error(g), "schedule: has no function");
    gr_graph_clear_error(g);
    CHECK(gr_schedule_apply(&(gr_schedule){.factor = negative}, opt, 0) == GR_ERR_ARGUMENT);
    CHECK_TEXT(gr_graph_error(g), "sgd: the factor of the rates must be finite and not negative, not -1");
    gr_graph_clear_error(g);
    const gr_schedule good = gr_schedule_constant();
    CHECK(gr_schedule_apply(&good, NULL, 0) == GR_ERR_HANDLE);
    CHECK(isnan(gr_schedule_factor(NULL, 0)) && isnan(gr_schedule_momentum(NULL, 0)) &&
          isnan(gr_schedule_momentum(&good, 0)));
    gr_graph_destroy(g);
}

static void refuse_plateau(gr_optimizer *opt, gr_graph *g, gr_plateau p, const char *part)
{
    const gr_plateau before = p;
    CHECK(gr_plateau_step(&p, opt, 1) == GR_ERR_ARGUMENT);
    CHECK_TEXT(gr_graph_error(g), part);
    gr_graph_clear_error(g);
    CHECK(p.waited == before.waited && p.best == before.best);
}

static void test_plateau_misuse(void)
{
    gr_graph *g = gr_graph_create(NULL);
    gr_optimizer *opt = any_optimizer(g, 0.5);
    const gr_plateau good = gr_plateau_start(GR_MONITOR_MIN);
    gr_plateau p = good;
    p.factor = 1;
    refuse_plateau(opt, g, p, "plateau: factor must be in [0, 1)");
    p = good;
    p.patience = -1;
    refuse_plateau(opt, g, p, "plateau: patience and cooldown");
    p = good;
    p.cooldown = -1;
    refuse_plateau(opt, g, p, "plateau: patience and cooldown");
    p = good;
    p.threshold = (double)NAN;
    refuse_plateau(opt, g, p, "plateau: threshold");
    p = good;
    p.min_rate = -1;
    refuse_plateau(opt, g, p, "plateau: min_rate and min_change");
    p = good;
    p.min_change = -1;
    refuse_plateau(opt, g, p, "plateau: min_rate and min_change");
    p = good;
    p.waited = INT64_MAX;
    refuse_plateau(opt, g, p, "plateau: its state has a count that cannot be");
    p = good;
    p.cooling = -1;
    refuse_plateau(opt, g, p, "plateau: its state has a count that cannot be");
    p = good;
    p.mode = (gr_monitor_mode)5;
    refuse_plateau(opt, g, p, "plateau: mode");
    CHECK(gr_plateau_step(NULL, opt, 1) == GR_ERR_ARGUMENT);
    CHECK_TEXT(gr_graph_error(g), "plateau: is NULL");
    CHECK(gr_plateau_step(&p, NULL, 1) == GR_ERR_HANDLE);
    gr_graph_destroy(g);
}

int main(void)
{
    RUN(test_pytorch);
    RUN(test_steps_and_lines);
    RUN(test_cosines);
    RUN(test_warmup);
    RUN(test_one_cycle);
    RUN(test_apply);
    RUN(test_plateau_pytorch);
    RUN(test_plateau_groups);
    RUN(test_misuse);
    RUN(test_plateau_misuse);
    return TEST_EXIT;
}
