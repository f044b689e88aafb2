/*
 * Four ways down Rosenbrock's valley, f(x, y) = 100 (y - x^2)^2 + (1 - x)^2, from the same start: gradient descent, with
 * momentum, Adam, and L-BFGS. The bottom of the valley is bent and nearly flat, its walls are steep: a small rate crawls
 * along the bottom, a large one bounces off the walls. L-BFGS learns the curvature from its last steps.
 *
 *     lbfgs_rosenbrock [--evaluations 60000] [--out DIRECTORY]
 *
 * Prints after how many evaluations of f and its gradient each method came how near to the minimum 0 at (1, 1), and writes
 * lbfgs_rosenbrock.svg: the paths over the contours of f.
 */
#include <gradus.h>

#include "support/plot.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_POINTS = 4000, N_GOALS = 3, PATH_BYTES = 1024 };
static const double start_x = -1.2, start_y = 1;
static const double goals[N_GOALS] = {1e-2, 1e-6, 1e-12}; /* values of f */
static const double apart = 0.004;                        /* points of a path that are drawn */

/* Where a method went, and when it came near. */
typedef struct journey {
    const char *name;
    double x[MOST_POINTS], y[MOST_POINTS];
    int points, evaluations, reached[N_GOALS]; /* after so many evaluations; 0: not yet */
    double f;
} journey;

static double value(double x, double y, void *unused)
{
    (void)unused;
    return 100 * (y - x * x) * (y - x * x) + (1 - x) * (1 - x);
}

static gr_tensor rosenbrock(gr_graph *g, void *user)
{
    const gr_tensor point = *(const gr_tensor *)user;
    const gr_tensor x = gr_select(point, 0, 0), y = gr_select(point, 0, 1);
    (void)g;
    return gr_add(gr_scale(gr_square(gr_sub(y, gr_square(x))), 100), gr_square(gr_add_scalar(gr_neg(x), 1)));
}

/* Notes where the point is. */
static void note(journey *j, gr_tensor point, double f, int evaluations)
{
    const double x = GR_AT(point, 0), y = GR_AT(point, 1);
    j->f = f;
    j->evaluations = evaluations;
    for (int k = 0; k < N_GOALS; k++)
        if (f <= goals[k] && !j->reached[k]) j->reached[k] = evaluations;
    const int last = j->points - 1;
    if (j->points == MOST_POINTS || (last >= 0 && hypot(x - j->x[last], y - j->y[last]) < apart)) return;
    j->x[j->points] = x;
    j->y[j->points++] = y;
}

static gr_tensor start_point(gr_graph *g)
{
    for (int i = gr_param_count(g); i-- > 0;) gr_release(gr_param_at(g, i));
    return gr_param(g, "point", GR_F64, GR_SHAPE(2), (double[]){start_x, start_y});
}

/* ---- The methods ---- */

/* Any rule of optim.h, until the last goal is reached or the evaluations are used up. */
static void follow_rule(gr_graph *g, journey *j, const gr_rule *rule, double rate, int evaluations)
{
    gr_tensor point = start_point(g);
    gr_optimizer *opt = gr_optimizer_create(g, rule, rate, NULL, 0, NULL);
    for (int i = 0; i <= evaluations && !j->reached[N_GOALS - 1] && gr_graph_status(g) == GR_OK; i++) {
        const gr_tensor f = rosenbrock(g, &point);
        note(j, point, gr_item(f), i + 1);
        gr_clear_grads(g);
        gr_backward(f);
        gr_optimizer_step(opt);
        gr_graph_reset(g);
    }
    if (opt) gr_optimizer_release(opt);
}

typedef struct traveller {
    journey *j;
    gr_tensor point;
} traveller;

static bool note_step(const gr_lbfgs_step *step, void *user)
{
    const traveller *t = user;
    note(t->j, t->point, step->loss, step->evaluations);
    return true;
}

static bool follow_lbfgs(gr_graph *g, journey *j)
{
    traveller t = {j, start_point(g)};
    gr_lbfgs_result result;
    note(j, t.point, value(start_x, start_y, NULL), 1);
    const gr_lbfgs_options options = {
        .gradient_tolerance = 1e-10, .change_tolerance = -1, .on_step = note_step, .on_step_user = &t};
    if (gr_lbfgs_minimize(g, rosenbrock, &t.point, &options, &result) != GR_OK) return false;
    printf("L-BFGS ended because %s: %d iterations, %d evaluations, f %.2g, largest slope %.2g\n",
           gr_lbfgs_stop_text(result.stop), result.iterations, result.evaluations, result.loss,
           result.gradient_max);
    return result.stop == GR_LBFGS_GRADIENT;
}

/* ---- What is shown ---- */

static void print_table(int n, const journey *const *journeys)
{
    printf("\n%-18s", "evaluations until");
    for (int k = 0; k < N_GOALS; k++) printf("   f <= %-6.0e", goals[k]);
    printf("   last f\n");
    for (int i = 0; i < n; i++) {
        printf("%-18s", journeys[i]->name);
        for (int k = 0; k < N_GOALS; k++)
            if (journeys[i]->reached[k])
                printf("%14d", journeys[i]->reached[k]);
            else
                printf("%14s", "-");
        printf("   %.2e\n", journeys[i]->f);
    }
}

/* f goes from 0 to a thousand: its logarithm can be drawn. */
static double log_value(double x, double y, void *user) { return log10(value(x, y, user) + 0.01); }

static bool draw(const char *directory, int n, const journey *const *journeys)
{
    plot_class paths[4];
    for (int i = 0; i < n && i < 4; i++)
        paths[i] = (plot_class){.label = journeys[i]->name,
                                .x = journeys[i]->x,
                                .y = journeys[i]->y,
                                .n = journeys[i]->points,
                                .joined = true};
    const plot_regions_options options = {.title = "Four ways through Rosenbrock's valley",
                                          .x_label = "x",
                                          .y_label = "y",
                                          .bar_label = "log10(f + 0.01)",
                                          .x_min = -1.5,
                                          .x_max = 1.5,
                                          .y_min = -0.8,
                                          .y_max = 2.2,
                                          .contours = 2,
                                          .steps = 200,
                                          .size = 600};
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/lbfgs_rosenbrock.svg", directory);
    if (!plot_regions(path, &options, log_value, NULL, n, paths)) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    printf("\nwrote %s\n", path);
    return true;
}

static bool run(gr_graph *g, journey *all, int evaluations, const char *directory)
{
    journey *slow = &all[0], *heavy = &all[1], *adam = &all[2], *newton = &all[3];
    slow->name = "gradient descent";
    heavy->name = "with momentum";
    adam->name = "Adam";
    newton->name = "L-BFGS";
    follow_rule(g, slow, &gr_rule_sgd, 1e-3, evaluations);
    follow_rule(g, heavy, &gr_rule_momentum, 2e-4, evaluations);
    follow_rule(g, adam, &gr_rule_adam, 2e-2, evaluations);
    const bool arrived = follow_lbfgs(g, newton);
    const journey *const journeys[] = {slow, heavy, adam, newton};
    print_table(4, journeys);
    return draw(directory, 4, journeys) && arrived;
}

int main(int argc, char **argv)
{
    int evaluations = 60000;
    const char *directory = ".";
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--evaluations")) evaluations = atoi(argv[i + 1]);
        if (!strcmp(argv[i], "--out")) directory = argv[i + 1];
    }
    if (argc % 2 == 0 || evaluations < 1) {
        fprintf(stderr, "usage: lbfgs_rosenbrock [--evaluations N] [--out DIRECTORY]\n");
        return 2;
    }
    gr_graph *g = gr_graph_create(NULL);
    journey *journeys = calloc(4, sizeof *journeys);
    const bool good = g && journeys && run(g, journeys, evaluations, directory);
    if (gr_graph_status(g) != GR_OK) fprintf(stderr, "%s\n", gr_graph_error(g));
    free(journeys);
    gr_graph_destroy(g);
    return good ? 0 : 1;
}
