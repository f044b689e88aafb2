/*
 * Schedules: each a function of the step and of the numbers in its own value, and the constructor that checks
 * these. Nothing here keeps a state, but gr_plateau, whose state is the caller's.
 */
#include "gradus/schedule.h"
#include "optim/optimizer.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

static bool is_finite_size(double x) { return x >= 0 && isfinite(x); }
static bool is_part(double x) { return x >= 0 && x <= 1; }

static gr_schedule invalid(const char *why) { return (gr_schedule){.invalid = why}; }

/* ---- Using one ---- */

double gr_schedule_factor(const gr_schedule *s, int64_t step)
{
    if (!s || s->invalid || !s->factor) return NAN;
    const int64_t t = step > 0 ? step : 0;
    if (t >= s->warmup) return s->factor(s, t - s->warmup);
    return s->factor(s, 0) * (s->warmup_start + (1 - s->warmup_start) * (double)t / (double)s->warmup);
}

double gr_schedule_momentum(const gr_schedule *s, int64_t step)
{
    if (!s || s->invalid || !s->momentum) return NAN;
    return s->momentum(s, step > s->warmup ? step - s->warmup : 0);
}

gr_status gr_schedule_apply(const gr_schedule *s, gr_optimizer *o, int64_t step)
{
    const gr_status status = gri_optimizer_check(o);
    if (status != GR_OK) return status;
    if (s && s->factor && !s->invalid) return gr_optimizer_set_rate_factor(o, gr_schedule_factor(s, step));
    return gri_fail(o->graph, GR_ERR_ARGUMENT, "schedule: %s",
                    !s           ? "is NULL"
                    : s->invalid ? s->invalid
                                 : "has no function `factor`");
}

/* ---- Steps and lines ---- */

static double constant_factor(const gr_schedule *s, int64_t t)
{
    (void)s, (void)t;
    return 1;
}

gr_schedule gr_schedule_constant(void) { return (gr_schedule){.factor = constant_factor}; }

static double step_factor(const gr_schedule *s, int64_t t)
{
    return pow(s->number[0], (double)(t / s->count[0]));
}

gr_schedule gr_schedule_step(int64_t period, double gamma)
{
    if (period < 1) return invalid("step: the period must be at least 1");
    if (!is_finite_size(gamma)) return invalid("step: gamma must be finite and not negative");
    return (gr_schedule){.factor = step_factor, .number = {gamma}, .count = {period}};
}

gr_schedule gr_schedule_exponential(double gamma)
{
    if (!is_finite_size(gamma)) return invalid("exponential: gamma must be finite and not negative");
    return (gr_schedule){.factor = step_factor, .number = {gamma}, .count = {1}};
}

static double multi_step_factor(const gr_schedule *s, int64_t t)
{
    const int64_t *milestones = s->user;
    int64_t passed = 0;
    while (passed < s->count[0] && milestones[passed] <= t) passed++;
    return pow(s->number[0], (double)passed);
}

gr_schedule gr_schedule_multi_step(int n, const int64_t *milestones, double gamma)
{
    if (n < 0 || (n > 0 && !milestones))
        return invalid("multi_step: a negative number of milestones, or NULL");
    for (int i = 1; i < n; i++)
        if (milestones[i] < milestones[i - 1]) return invalid("multi_step: the milestones must not decrease");
    if (!is_finite_size(gamma)) return invalid("multi_step: gamma must be finite and not negative");
    return (gr_schedule){.factor = multi_step_factor, .number = {gamma}, .count = {n}, .user = milestones};
}

static double linear_factor(const gr_schedule *s, int64_t t)
{
    const double start = s->number[0], end = s->number[1];
    return t >= s->count[0] ? end : start + (end - start) * (double)t / (double)s->count[0];
}

gr_schedule gr_schedule_linear(int64_t steps, double start, double end)
{
    if (steps < 1) return invalid("linear: there must be at least 1 step");
    if (!is_finite_size(start) || !is_finite_size(end))
        return invalid("linear: start and end must be finite and not negative");
    return (gr_schedule){.factor = linear_factor, .number = {start, end}, .count = {steps}};
}

gr_schedule gr_schedule_warmup(gr_schedule s, int64_t steps, double start)
{
    if (s.invalid) return s;
    if (steps < 0) return invalid("warmup: the number of steps must not be negative");
    if (!is_part(start)) return invalid("warmup: start must be in [0, 1]");
    if (s.warmup > 0) return invalid("warmup: the schedule has a warm-up already");
    s.warmup = steps;
    s.warmup_start = start;
    return s;
}

/* ---- Cosines ---- */

/* From `from` to `to` along half a cosine, at part x of the way. */
static double half_cosine(double from, double to, double x)
{
    return to + (from - to) * (1 + cos(pi * x)) / 2;
}
static double line(double from, double to, double x) { return from + (to - from) * x; }

static double cosine_factor(const gr_schedule *s, int64_t t)
{
    int64_t period = s->count[0];
    const int64_t multiplier = s->count[1];
    if (multiplier == 0) {
        if (t >= period) return s->number[0];
    } else if (multiplier == 1) {
        t %= period;
    } else {
        while (t >= period) {
            t -= period;
            if (period > INT64_MAX / multiplier) break; /* no t reaches the end of the next one */
            period *= multiplier;
        }
    }
    return half_cosine(1, s->number[0], (double)t / (double)period);
}

static gr_schedule cosine(int64_t period, int64_t multiplier, double floor)
{
    if (period < 1) return invalid("cosine: the period must be at least 1");
    if (!is_part(floor)) return invalid("cosine: floor must be in [0, 1]");
    return (gr_schedule){.factor = cosine_factor, .number = {floor}, .count = {period, multiplier}};
}

gr_schedule gr_schedule_cosine(int64_t period, double floor) { return cosine(period, 0, floor); }

gr_schedule gr_schedule_cosine_restarts(int64_t period, int64_t multiplier, double floor)
{
    if (multiplier < 1) return invalid("cosine: the multiplier of the period must be at least 1");
    return cosine(period, multiplier, floor);
}

/* ---- One cycle ---- */

/* Where its numbers stand in the value. */
enum { FIRST, LAST, LOW, HIGH, RISE };
enum { TOTAL, LINEAR, THREE };

/* One of two or three phases: ends at a step, where it has come from one value to another. */
typedef struct phase {
    double end, from, to;
} phase;

/* Values: at first, at the peak, at last, as the phases pass them. */
static double one_cycle(const gr_schedule *s, int64_t t, double first, double peak, double last)
{
    const double total = (double)s->count[TOTAL], turn = s->number[RISE] * total - 1;
    const phase two[] = {{turn, first, peak}, {total - 1, peak, last}};
    const phase three[] = {{turn, first, peak}, {2 * turn, peak, first}, {total - 1, first, last}};
    const bool has_three = s->count[THREE] != 0;
    const phase *p = has_three ? three : two;
    int left = has_three ? 2 : 1;
    double begin = 0;
    const double at = t < s->count[TOTAL] ? (double)t : total - 1;
    for (; left > 0 && at > p->end; left--) begin = (p++)->end;
    const double x = p->end > begin ? (at - begin) / (p->end - begin) : 1;
    return s->count[LINEAR] ? line(p->from, p->to, x) : half_cosine(p->from, p->to, x);
}

static double one_cycle_factor(const gr_schedule *s, int64_t t)
{
    return one_cycle(s, t, s->number[FIRST], 1, s->number[LAST]);
}

static double one_cycle_momentum(const gr_schedule *s, int64_t t)
{
    return one_cycle(s, t, s->number[HIGH], s->number[LOW], s->number[HIGH]);
}

static bool is_momentum(double x) { return x >= 0 && x < 1; }

gr_schedule gr_schedule_one_cycle(int64_t total, const gr_one_cycle_options *options)
{
    gr_one_cycle_options o = options ? *options : (gr_one_cycle_options){0};
    if (o.rise == 0) o.rise = 0.3;
    if (o.divisor == 0) o.divisor = 25;
    if (o.final_divisor == 0) o.final_divisor = 1e4;
    if (o.low_momentum == 0 && o.high_momentum == 0) o.low_momentum = 0.85, o.high_momentum = 0.95;
    if (total < 1) return invalid("one_cycle: there must be at least 1 step");
    if (!(o.rise > 0 && o.rise <= (o.three_phases ? 0.5 : 1)))
        return invalid("one_cycle: rise must be in (0, 1], or (0, 0.5] for three phases");
    if (!(o.divisor > 0 && isfinite(o.divisor)) || !(o.final_divisor > 0 && isfinite(o.final_divisor)))
        return invalid("one_cycle: the divisors must be finite and positive");
    if (!is_momentum(o.low_momentum) || !is_momentum(o.high_momentum))
        return invalid("one_cycle: momentum must be in [0, 1)");
    const double first = 1 / o.divisor;
    return (gr_schedule){.factor = one_cycle_factor,
                         .momentum = one_cycle_momentum,
                         .number = {[FIRST] = first,
                                    [LAST] = first / o.final_divisor,
                                    [LOW] = o.low_momentum,
                                    [HIGH] = o.high_momentum,
                                    [RISE] = o.rise},
                         .count = {[TOTAL] = total, [LINEAR] = o.linear, [THREE] = o.three_phases}};
}

/* ---- Reduce on plateau ---- */

gr_plateau gr_plateau_start(gr_monitor_mode mode)
{
    return (gr_plateau){.mode = mode,
                        .factor = 0.1,
                        .patience = 10,
                        .threshold = 1e-4,
                        .min_change = 1e-8,
                        .best = mode == GR_MONITOR_MAX ? -INFINITY : INFINITY};
}

/* Whether so many things can have happened, and one more. */
static bool is_count(int64_t n) { return n >= 0 && n < INT64_MAX; }

static const char *why_invalid(const gr_plateau *p)
{
    if (p->mode != GR_MONITOR_MIN && p->mode != GR_MONITOR_MAX) return "mode is neither minimum nor maximum";
    if (!(p->factor >= 0 && p->factor < 1)) return "factor must be in [0, 1)";
    if (p->patience < 0 || p->cooldown < 0) return "patience and cooldown must not be negative";
    if (!is_count(p->waited) || !is_count(p->cooling) || !is_count(p->reductions))
        return "its state has a count that cannot be";
    if (!is_finite_size(p->threshold)) return "threshold must be finite and not negative";
    if (!is_finite_size(p->min_rate) || !is_finite_size(p->min_change))
        return "min_rate and min_change must be finite and not negative";
    return NULL;
}

static bool is_better(const gr_plateau *p, double value)
{
    const double sign = p->mode == GR_MONITOR_MAX ? 1 : -1;
    const double bound = p->absolute ? p->best + sign * p->threshold : p->best * (1 + sign * p->threshold);
    return p->mode == GR_MONITOR_MAX ? value > bound : value < bound;
}

static void reduce_rates(const gr_plateau *p, gr_optimizer *o)
{
    for (int k = 0; k < o->n_groups; k++) {
        const double old = o->groups[k].rate, reduced = fmax(old * p->factor, p->min_rate);
        if (old - reduced > p->min_change) o->groups[k].rate = reduced;
    }
}

gr_status gr_plateau_step(gr_plateau *p, gr_optimizer *o, double value)
{
    const gr_status status = gri_optimizer_check(o);
    if (status != GR_OK) return status;
    const char *why = p ? why_invalid(p) : "is NULL";
    if (why) return gri_fail(o->graph, GR_ERR_ARGUMENT, "plateau: %s", why);
    if (is_better(p, value)) {
        p->best = value;
        p->waited = 0;
    } else {
        p->waited++;
    }
    if (p->cooling > 0) {
        p->cooling--;
        p->waited = 0;
    }
    if (p->waited > p->patience) {
        reduce_rates(p, o);
        p->reductions++;
        p->cooling = p->cooldown;
        p->waited = 0;
    }
    return GR_OK;
}
