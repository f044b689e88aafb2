/*
 * The line search by itself: the cubic against polynomials, and the functions of Moré and Thuente ("Line search
 * algorithms with guaranteed sufficient decrease", 1994) and worse ones, from first steps that are far too small or too
 * large. What it finds is held against both conditions here.
 */
#include "optim/line_search.h"
#include "test.h"

typedef double function(double a, double *slope);

/* Moré and Thuente, 5.1 to 5.3. */
static double convex_then_concave(double a, double *slope)
{
    const double beta = 2, d = a * a + beta;
    *slope = (a * a - beta) / (d * d);
    return -a / d;
}
static double flat_then_steep(double a, double *slope)
{
    const double beta = 0.004;
    *slope = 5 * pow(a + beta, 4) - 8 * pow(a + beta, 3);
    return pow(a + beta, 5) - 2 * pow(a + beta, 4);
}
static double wavy(double a, double *slope)
{
    const double beta = 0.01, l = 39, half_pi = 1.5707963267948966;
    const double base = a <= 1 - beta   ? 1 - a
                        : a >= 1 + beta ? a - 1
                                        : (a - 1) * (a - 1) / (2 * beta) + beta / 2;
    const double base_slope = a <= 1 - beta ? -1 : a >= 1 + beta ? 1 : (a - 1) / beta;
    *slope = base_slope + (1 - beta) * cos(l * half_pi * a);
    return base + 2 * (1 - beta) / (l * 2 * half_pi) * sin(l * half_pi * a);
}
/* 5.4 to 5.6, by Yanai, Ozawa and Kaneko. */
static double gamma_of(double beta) { return sqrt(1 + beta * beta) - beta; }
static double two_sided(double b1, double b2, double a, double *slope)
{
    const double up = sqrt((1 - a) * (1 - a) + b2 * b2), down = sqrt(a * a + b1 * b1);
    *slope = gamma_of(b1) * (a - 1) / up + gamma_of(b2) * a / down;
    return gamma_of(b1) * up + gamma_of(b2) * down;
}
static double yanai_even(double a, double *slope) { return two_sided(1e-3, 1e-3, a, slope); }
static double yanai_left(double a, double *slope) { return two_sided(1e-2, 1e-3, a, slope); }
static double yanai_right(double a, double *slope) { return two_sided(1e-3, 1e-2, a, slope); }

static double parabola(double a, double *slope)
{
    *slope = 2 * (a - 3);
    return (a - 3) * (a - 3);
}
/* Nothing to the right of 0.7 can be used. */
static double wall(double a, double *slope)
{
    if (a >= 0.7) return (double)INFINITY;
    *slope = a - 0.2;
    return 0.5 * (a - 0.2) * (a - 0.2);
}
/* Falls until just before the wall, which stands where the first step leads to. */
static double cliff(double a, double *slope)
{
    if (a >= 0.5) return (double)INFINITY;
    *slope = -1 + 0.01 / ((0.5 - a) * (0.5 - a));
    return -a + 0.01 / (0.5 - a);
}

/* ---- Running ---- */

typedef struct trace {
    function *f;
    int evaluations, most;
    double last, lowest;
} trace;

static bool evaluate(void *user, gri_line_point *p)
{
    trace *t = user;
    if (t->evaluations == t->most) return false;
    t->evaluations++;
    t->last = p->at;
    p->value = t->f(p->at, &p->slope);
    if (p->value < t->lowest) t->lowest = p->value;
    return true;
}

static gri_line line_of(trace *t, double first, double c1, double c2)
{
    gri_line l = {.evaluate = evaluate, .user = t, .first = first, .c1 = c1, .c2 = c2};
    l.start.value = t->f(0, &l.start.slope);
    return l;
}

/* Both conditions, computed anew; returns the number of evaluations. */
static int search(function *f, double first, double c1, double c2)
{
    trace t = {.f = f, .most = 1000, .lowest = (double)INFINITY};
    const gri_line l = line_of(&t, first, c1, c2);
    gri_line_point found = {0};
    CHECK(gri_line_search(&l, &found) == GRI_LINE_WOLFE);
    double slope, start_slope;
    const double start = f(0, &start_slope), value = f(found.at, &slope);
    CHECK(found.at > 0 && found.at == t.last && found.value == value && found.slope == slope);
    CHECK(value <= start + c1 * found.at * start_slope);
    CHECK(fabs(slope) <= c2 * fabs(start_slope));
    return t.evaluations;
}

static void test_cubic(void)
{
    /* a^3 - 3 a has its minimum at 1, whichever way round the points are */
    const gri_line_point a = {-0.5, -0.125 + 1.5, 0.75 - 3}, b = {3, 27 - 9, 27 - 3};
    CHECK_NEAR(gri_cubic_minimum(&a, &b), 1, 1e-14);
    CHECK_NEAR(gri_cubic_minimum(&b, &a), 1, 1e-14);
    const gri_line_point c = {0, 9, -6}, d = {1, 4, -4}; /* a parabola: (a - 3)^2 */
    CHECK_NEAR(gri_cubic_minimum(&c, &d), 3, 1e-14);
    const gri_line_point e = {0, 0, 1}, f = {1, 0.9, 1}; /* rises all the way */
    CHECK(isnan(gri_cubic_minimum(&e, &f)));
}

static void test_more_and_thuente(void)
{
    static function *const functions[] = {convex_then_concave, flat_then_steep, wavy,
                                          yanai_even,          yanai_left,      yanai_right};
    static const double conditions[6][2] = {{1e-3, 0.1},  {0.1, 0.11},  {0.1, 0.11},
                                            {1e-3, 2e-3}, {1e-3, 2e-3}, {1e-3, 2e-3}};
    for (int i = 0; i < 6; i++)
        for (double first = 1e-3; first < 1e4; first *= 100) {
            CHECK(search(functions[i], first, conditions[i][0], conditions[i][1]) <= 40);
            CHECK(search(functions[i], first, 1e-4, 0.9) <= 16);
        }
}

static void test_parabola(void)
{
    CHECK(search(parabola, 3, 1e-4, 0.9) == 1);
    CHECK(search(parabola, 1, 1e-4, 0.1) == 2); /* the cubic is exact */
    CHECK(search(parabola, 100, 1e-4, 0.1) <= 4);
    CHECK(search(parabola, 1e-9, 1e-4, 0.1) <= 14);
}

static void test_walls(void)
{
    CHECK(search(wall, 1, 1e-4, 0.5) <= 10);
    CHECK(search(wall, 1e6, 1e-4, 0.5) <= 14);
    CHECK(search(wall, 1e-3, 1e-4, 0.01) <= 20);
    CHECK(search(cliff, 0.5, 1e-4, 0.01) <= 20);
    CHECK(search(cliff, 1e-4, 1e-4, 0.01) <= 20);
}

/* Where there is nothing to find it says so, and what was evaluated is counted. */
static double always_down(double a, double *slope)
{
    *slope = -1;
    return -a;
}
static double kink(double a, double *slope) /* falls steeply, rises steeply: nowhere flat */
{
    *slope = a < 0.3 ? -1 : 1;
    return fabs(a - 0.3);
}
static double lies(double a, double *slope) /* the slope says down, the values say up */
{
    *slope = -1;
    return a;
}

static void test_nothing_found(void)
{
    gri_line_point found;
    trace t = {.f = always_down, .most = 1000, .lowest = (double)INFINITY};
    gri_line l = line_of(&t, 1, 1e-4, 0.9);
    CHECK(gri_line_search(&l, &found) == GRI_LINE_NONE && t.lowest < -1e6);
    t = (trace){.f = kink, .most = 1000, .lowest = (double)INFINITY};
    l = line_of(&t, 1, 1e-4, 0.9);
    l.resolution = 1e-12;
    CHECK(gri_line_search(&l, &found) == GRI_LINE_NONE);
    CHECK(t.lowest < 0.3 && t.evaluations < 100);
    t = (trace){.f = lies, .most = 1000, .lowest = (double)INFINITY};
    l = line_of(&t, 1, 1e-4, 0.9);
    CHECK(gri_line_search(&l, &found) == GRI_LINE_NONE && t.evaluations < 100);
    t = (trace){.f = lies, .most = 7, .lowest = (double)INFINITY};
    l = line_of(&t, 1, 1e-4, 0.9);
    CHECK(gri_line_search(&l, &found) == GRI_LINE_ABANDONED && t.evaluations == 7);
    t = (trace){.f = parabola, .most = 0, .lowest = (double)INFINITY};
    l = line_of(&t, 1, 1e-4, 0.1);
    CHECK(gri_line_search(&l, &found) == GRI_LINE_ABANDONED);
}

int main(void)
{
    RUN(test_cubic);
    RUN(test_more_and_thuente);
    RUN(test_parabola);
    RUN(test_walls);
    RUN(test_nothing_found);
    return TEST_EXIT;
}
