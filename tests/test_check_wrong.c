/*
 * Mistakes that people make in derivatives written by hand, in plain C functions. Each must be rejected, in
 * every mode, with exactly those elements called wrong that are; and each has a right twin, the same code with
 * the mistake switched off, which must be accepted, so that none is rejected for another reason.
 *
 * To add one: a function, a mistake number in its derivative, a row in the table. Which elements are wrong
 * needs no saying: the driver computes both derivatives and compares them. Mistakes in rules of primitives:
 * test_check_wrong_rules.c.
 */
#include "check_lists.h"

static int bad; /* the number of the mistake that is made now; 0: none */

static double square(double x) { return x * x; }
static const double pi = 3.14159265358979323846;
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

/* ---- Functions to minimise ---- */

static void rosenbrock(const double *x, double *y)
{
    y[0] = 100 * square(x[1] - x[0] * x[0]) + square(1 - x[0]);
}

static void rosenbrock_gradient(const double *x, double *g)
{
    const double a = x[1] - x[0] * x[0];
    g[0] = (bad == 1 ? 400 : -400) * x[0] * a - (bad == 2 ? 0 : 2 * (1 - x[0]));
    g[1] = (bad == 3 ? 100 : 200) * a;
}

static void rosenbrock_hessian(const double *x, double *h)
{
    const double a = x[1] - x[0] * x[0];
    h[0] = -400 * a + (bad == 4 ? 0 : 800 * x[0] * x[0]) + 2;
    h[1] = bad == 5 ? 0 : -400 * x[0];
    h[2] = bad == 5 ? 0 : (bad == 6 ? 400 : -400) * x[0];
    h[3] = 200;
}

static void rosenbrock_hvp(const double *x, const double *v, double *p)
{
    const double a = x[1] - x[0] * x[0];
    p[0] = (1200 * x[0] * x[0] - 400 * x[1] + 2) * v[0] - (bad == 7 ? 0 : 400 * x[0] * v[1]);
    p[1] = -400 * x[0] * v[0] + (bad == 8 ? a : 200) * v[1];
}

/* sum (x - t)^2 */
static const double targets[] = {0.5, -1, 2, 0.25, -0.75, 1};

static void least_squares(const double *x, double *y)
{
    y[0] = 0;
    for (int i = 0; i < 6; i++) y[0] += square(x[i] - targets[i]);
}

static void least_squares_gradient(const double *x, double *g)
{
    static const double factors[] = {2, 1, -2, 4, 2 * (1 + 1e-3), 2 * (1 + 2e-5)};
    for (int i = 0; i < 6; i++) g[i] = factors[bad] * (x[i] - targets[i]);
}

/* x' A x for a matrix that is not symmetric. */
static const double form[3][3] = {{2, 1, -1}, {0.5, 3, 0.25}, {1, -0.5, 4}};

static void quadratic(const double *x, double *y)
{
    y[0] = 0;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) y[0] += form[i][j] * x[i] * x[j];
}

static void quadratic_gradient(const double *x, double *g)
{
    for (int i = 0; i < 3; i++) {
        g[i] = 0;
        for (int j = 0; j < 3; j++) g[i] += (form[i][j] + (bad == 1 ? form[i][j] : form[j][i])) * x[j];
    }
}

static void quadratic_hessian(const double *x, double *h)
{
    (void)x;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            h[3 * i + j] = bad == 2   ? 2 * form[i][j]
                           : bad == 3 ? 0.5 * (form[i][j] + form[j][i])
                                      : form[i][j] + form[j][i];
}

/* Logistic regression over five samples: mean of the cross-entropy; weights [3], bias []. */
static const double samples[5][3] = {
    {0.5, -1, 2}, {1.5, 0.3, -0.7}, {-0.2, 0.8, 0.1}, {-1.1, -0.4, 0.9}, {0.7, 1.2, -1.6}};
static const double labels[] = {1, 0, 1, 1, 0};

static double score(const double *x, int sample)
{
    return x[0] * samples[sample][0] + x[1] * samples[sample][1] + x[2] * samples[sample][2] + x[3];
}

static void logistic(const double *x, double *y)
{
    y[0] = 0;
    for (int i = 0; i < 5; i++) {
        const double z = score(x, i);
        y[0] += (log1p(exp(z)) - labels[i] * z) / 5;
    }
}

static void logistic_gradient(const double *x, double *g)
{
    for (int j = 0; j < 4; j++) g[j] = 0;
    for (int i = 0; i < 5; i++) {
        const double e = (sigmoid(score(x, i)) - labels[i]) / (bad == 1 ? 1 : 5);
        for (int j = 0; j < 3; j++) g[j] += e * samples[i][j];
        if (bad != 2) g[3] += e;
    }
    for (int j = 0; j < 3 && bad == 3; j++) g[j] += 0.1; /* of a regulariser that is gone */
    for (int j = 0; j < 3 && bad == 4; j++) g[j] = g[j] > 0 ? 1 : -1;
}

/* Negative logarithm of a normal density: mean and logarithm of the standard deviation. */
static void normal_density(const double *x, double *y)
{
    y[0] = 0;
    for (int i = 0; i < 6; i++) y[0] += x[1] + 0.5 * square(targets[i] - x[0]) * exp(-2 * x[1]);
}

static void normal_density_gradient(const double *x, double *g)
{
    const double weight = exp(-2 * x[1]);
    g[0] = g[1] = 0;
    for (int i = 0; i < 6; i++) {
        g[0] -= (targets[i] - x[0]) * weight;
        g[1] += 1 - square(targets[i] - x[0]) * weight;
    }
    if (bad == 1) g[1] /= exp(x[1]); /* by the deviation, not by its logarithm */
    if (bad == 2) g[1] -= 6;         /* the density without its normalising factor */
}

/* The elements of a matrix, the energy of a spring between two points in the plane. */
static void determinant(const double *a, double *y)
{
    y[0] = a[0] * (a[4] * a[8] - a[5] * a[7]) - a[1] * (a[3] * a[8] - a[5] * a[6]) +
           a[2] * (a[3] * a[7] - a[4] * a[6]);
}

static void determinant_gradient(const double *a, double *g)
{
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            const int i1 = (i + 1) % 3, i2 = (i + 2) % 3, j1 = (j + 1) % 3, j2 = (j + 2) % 3;
            const double cofactor = a[3 * i1 + j1] * a[3 * i2 + j2] - a[3 * i1 + j2] * a[3 * i2 + j1];
            g[bad == 1 ? 3 * j + i : 3 * i + j] = cofactor * (bad == 2 && (i + j) % 2 ? -1 : 1);
        }
}

enum { SPRING_K = 3 };
static const double spring_length = 0.8;

static void spring(const double *x, double *y)
{
    y[0] = 0.5 * SPRING_K * square(hypot(x[0] - x[2], x[1] - x[3]) - spring_length);
}

static void spring_gradient(const double *x, double *g)
{
    const double r = hypot(x[0] - x[2], x[1] - x[3]), force = SPRING_K * (r - spring_length) / r;
    for (int i = 0; i < 2; i++) {
        g[i] = force * (x[i] - x[2 + i]);
        g[2 + i] = bad == 1 ? g[i] : -g[i]; /* action and reaction */
    }
}

static void spring_hessian(const double *x, double *h)
{
    const double d[] = {x[0] - x[2], x[1] - x[3]}, r = hypot(d[0], d[1]);
    const double geometric = bad == 2 ? 0 : SPRING_K * (1 - spring_length / r);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            const double dd = d[i] * d[j] / (r * r), k = SPRING_K * dd + geometric * ((i == j) - dd);
            h[4 * i + j] = h[4 * (i + 2) + j + 2] = k;
            h[4 * i + j + 2] = h[4 * (i + 2) + j] = bad == 3 ? k : -k;
        }
}

/* ---- Fits ---- */

/* Residuals y - a exp(-b t). */
static void decay(const double *x, double *r)
{
    for (int i = 0; i < 5; i++) r[i] = targets[i] - x[0] * exp(-x[1] * (0.3 * i + 0.2));
}

static void decay_jacobian(const double *x, double *j)
{
    for (int i = 0; i < 5; i++) {
        const double t = 0.3 * i + 0.2, e = exp(-x[1] * t), sign = bad == 1 ? -1 : 1;
        j[2 * i] = -sign * e;                                /* 1: of the model, not of the residual */
        j[2 * i + 1] = sign * x[0] * (bad == 2 ? 1 : t) * e; /* 2: the chain rule's factor */
        if (bad == 3) j[2 * i + 1] = t * e;                  /* 3: the amplitude */
    }
}

/* ---- Changes of coordinates ---- */

static void polar(const double *x, double *y)
{
    y[0] = x[0] * cos(x[1]);
    y[1] = x[0] * sin(x[1]);
}

static void polar_jacobian(const double *x, double *j)
{
    j[0] = cos(x[1]);
    j[bad == 1 ? 2 : 1] = -x[0] * sin(x[1]);
    j[bad == 1 ? 1 : 2] = sin(x[1]);
    j[3] = (bad == 2 ? 1 : x[0]) * cos(x[1]);
}

/* Where a ray at azimuth and height reaches at a distance: 2 numbers of 3. */
static void shadow(const double *x, double *y)
{
    y[0] = x[2] * cos(x[0]) / tan(x[1]);
    y[1] = x[2] * sin(x[0]) / tan(x[1]);
}

/* Writes J [2, 3] with row stride and column stride. */
static void shadow_strided(const double *x, double *j, int row, int column)
{
    const double c = cos(x[0]), s = sin(x[0]), t = tan(x[1]), dt = -1 / square(sin(x[1]));
    const double rows[2][3] = {{-x[2] * s / t, x[2] * c * dt, c / t}, {x[2] * c / t, x[2] * s * dt, s / t}};
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 3; k++) j[i * row + k * column] = rows[i][k];
}

static void shadow_jacobian(const double *x, double *j) { shadow_strided(x, j, bad ? 1 : 3, bad ? 2 : 1); }

static void shadow_by_columns(const double *x, double *j) { shadow_strided(x, j, bad ? 3 : 1, bad ? 1 : 2); }

static void direction(const double *x, double *y) { y[0] = atan2(x[1], x[0]); }

static void direction_gradient(const double *x, double *g)
{
    const double r2 = x[0] * x[0] + x[1] * x[1];
    g[0] = (bad == 1 ? x[0] : -x[1]) / r2;
    g[1] = (bad == 1 ? -x[1] : x[0]) / (bad == 2 ? sqrt(r2) : r2);
}

static void in_degrees(const double *x, double *y)
{
    for (int i = 0; i < 3; i++) y[i] = sin(x[i] * (pi / 180));
}

static void in_degrees_jacobian(const double *x, double *j)
{
    memset(j, 0, 9 * sizeof *j);
    for (int i = 0; i < 3; i++) {
        const double unit = pi / 180, angle = bad == 2 ? x[i] : x[i] * unit;
        j[4 * i] = cos(angle) * (bad == 1 ? 1 : unit);
    }
}

static void decibels(const double *x, double *y)
{
    for (int i = 0; i < 2; i++) y[i] = 10 * log10(x[i]);
}

static void decibels_jacobian(const double *x, double *j)
{
    j[1] = j[2] = 0;
    for (int i = 0; i < 2; i++) j[3 * i] = 10 / (x[i] * (bad ? 1 : log(10)));
}

/* ---- Robots and cameras ---- */

static void cross(const double *a, const double *b, double *c)
{
    for (int i = 0; i < 3; i++) c[i] = a[(i + 1) % 3] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[(i + 1) % 3];
}

/* v turned by the quaternion q = (w, u): v + 2 w u x v + 2 u x (u x v). */
static void quaternion(const double *x, double *y)
{
    double uv[3], uuv[3];
    cross(x + 1, x + 4, uv);
    cross(x + 1, uv, uuv);
    for (int i = 0; i < 3; i++) y[i] = x[4 + i] + 2 * x[0] * uv[i] + 2 * uuv[i];
}

static void quaternion_jacobian(const double *x, double *j)
{
    double uv[3], ev[3], euv[3], uev[3], ue[3], uue[3];
    cross(x + 1, x + 4, uv);
    for (int i = 0; i < 3; i++) j[7 * i] = (bad == 2 ? 1 : 2) * uv[i];
    for (int k = 0; k < 3; k++) {
        const double e[] = {k == 0, k == 1, k == 2};
        cross(e, x + 4, ev);
        cross(e, uv, euv);
        cross(x + 1, ev, uev);
        cross(x + 1, e, ue);
        cross(x + 1, ue, uue);
        for (int i = 0; i < 3; i++) {
            j[7 * i + 1 + k] = 2 * x[0] * ev[i] + 2 * euv[i] + (bad == 1 ? 0 : 2 * uev[i]);
            j[7 * i + 4 + k] = e[i] + (bad == 3 ? -2 : 2) * x[0] * ue[i] + 2 * uue[i];
        }
    }
}

/* A point turned about the vector w by its length: Rodrigues' formula. */
static const double turned[] = {0.3, -1.2, 0.8};

static void rodrigues(const double *w, double *y)
{
    const double angle = sqrt(w[0] * w[0] + w[1] * w[1] + w[2] * w[2]);
    const double a = sin(angle) / angle, b = (1 - cos(angle)) / square(angle);
    double wp[3];
    cross(w, turned, wp);
    const double dot = w[0] * turned[0] + w[1] * turned[1] + w[2] * turned[2];
    for (int i = 0; i < 3; i++) y[i] = cos(angle) * turned[i] + a * wp[i] + b * dot * w[i];
}

static void rodrigues_jacobian(const double *w, double *j)
{
    const double angle = sqrt(w[0] * w[0] + w[1] * w[1] + w[2] * w[2]);
    const double a = sin(angle) / angle, b = (1 - cos(angle)) / square(angle);
    /* How cos, a and b change with the angle, over the angle; 1: taken for constants. */
    const double dc = bad == 1 ? 0 : -a, da = bad == 1 ? 0 : (cos(angle) - a) / square(angle),
                 db = bad == 1 ? 0 : (a - 2 * b) / square(angle);
    double wp[3], ep[3];
    cross(w, turned, wp);
    const double dot = w[0] * turned[0] + w[1] * turned[1] + w[2] * turned[2];
    for (int k = 0; k < 3; k++) {
        const double e[] = {k == 0, k == 1, k == 2};
        cross(e, turned, ep);
        for (int i = 0; i < 3; i++)
            j[3 * i + k] = w[k] * (dc * turned[i] + da * wp[i] + db * dot * w[i]) + a * ep[i] +
                           b * ((bad == 2 ? 0 : turned[k] * w[i]) + dot * e[i]);
    }
}

/* A point in space, focal length and radial distortion -> pixel. */
static void camera(const double *x, double *y)
{
    const double u = x[0] / x[2], v = x[1] / x[2], d = 1 + x[4] * (u * u + v * v);
    y[0] = x[3] * d * u;
    y[1] = x[3] * d * v;
}

static void camera_jacobian(const double *x, double *j)
{
    const double u = x[0] / x[2], v = x[1] / x[2], r2 = u * u + v * v, d = 1 + x[4] * r2, f = x[3];
    const double radial = bad == 1 ? 0 : 2 * x[4];
    const double uu = f * (d + radial * u * u), uv = f * radial * u * v, vv = f * (d + radial * v * v);
    const double rows[2][5] = {
        {uu / x[2], uv / x[2], -(uu * u + uv * v) / x[2], d * u, (bad == 2 ? 1 : f) * r2 * u},
        {uv / x[2], vv / x[2], -(uv * u + vv * v) / x[2], d * v, (bad == 2 ? 1 : f) * r2 * v}};
    memcpy(j, rows, sizeof rows);
    if (bad == 3) j[2] = j[7] = 0; /* moving along the axis changes nothing */
    if (bad == 4) j[7] = -j[7];
}

/* Where an arm of three links ends, by the angles of its joints. */
static const double links[] = {1, 0.7, 0.4};

static void arm(const double *q, double *y)
{
    double angle = 0;
    y[0] = y[1] = 0;
    for (int i = 0; i < 3; i++) {
        angle += q[i];
        y[0] += links[i] * cos(angle);
        y[1] += links[i] * sin(angle);
    }
}

static void arm_jacobian(const double *q, double *j)
{
    memset(j, 0, 6 * sizeof *j);
    for (int k = 0; k < 3; k++) {
        double angle = 0;
        for (int i = 0; i < 3; i++) {
            angle += q[i];
            const int first = bad == 1 && k == 1 ? 0 : k;   /* joint 1 turns link 0, too */
            if (i < first || (bad == 2 && i > k)) continue; /* each joint turns its own link only */
            j[k] -= links[i] * sin(angle);
            j[3 + k] += links[i] * cos(angle);
        }
    }
}

/* A table of values at distances of 0.1, interpolated. */
static const double heights[3][3] = {{1, 3, 2}, {4, 0, 5}, {2, 1, 3}};

static void terrain(const double *x, double *y)
{
    const int i = (int)(x[0] / 0.1), j = (int)(x[1] / 0.1);
    const double s = x[0] / 0.1 - i, t = x[1] / 0.1 - j;
    y[0] = (1 - s) * ((1 - t) * heights[i][j] + t * heights[i][j + 1]) +
           s * ((1 - t) * heights[i + 1][j] + t * heights[i + 1][j + 1]);
}

static void terrain_gradient(const double *x, double *g)
{
    const int i = (int)(x[0] / 0.1), j = (int)(x[1] / 0.1);
    const double s = x[0] / 0.1 - i, t = x[1] / 0.1 - j, cell = bad == 1 ? 1 : 0.1;
    const double dt = bad == 2 ? 1 - t : t;
    g[0] = ((1 - dt) * (heights[i + 1][j] - heights[i][j]) +
            dt * (heights[i + 1][j + 1] - heights[i][j + 1])) /
           cell;
    g[1] = ((1 - s) * (heights[i][j + 1] - heights[i][j]) + s * (heights[i + 1][j + 1] - heights[i + 1][j])) /
           cell;
}

/* ---- Equations ---- */

/* Kepler's equation E - e sin E = M, solved for E: M, e -> E. */
static void kepler(const double *x, double *y)
{
    double anomaly = x[0];
    for (int i = 0; i < 50; i++)
        anomaly -= (anomaly - x[1] * sin(anomaly) - x[0]) / (1 - x[1] * cos(anomaly));
    y[0] = anomaly;
}

static void kepler_gradient(const double *x, double *g)
{
    double anomaly;
    kepler(x, &anomaly);
    g[0] = 1 / (1 + (bad == 1 ? 1 : -1) * x[1] * cos(anomaly));
    g[1] = sin(anomaly) * (bad == 2 ? 1 : 1 / (1 - x[1] * cos(anomaly)));
    if (bad == 3) g[1] = sin(x[0]) / (1 - x[1] * cos(x[0])); /* at M instead of E */
}

/* One step of the midpoint rule for a pendulum. */
static void midpoint(const double *x, double *y)
{
    const double h = 0.1, angle = x[0] + h / 2 * x[1], speed = x[1] - h / 2 * sin(x[0]);
    y[0] = x[0] + h * speed;
    y[1] = x[1] - h * sin(angle);
}

static void midpoint_jacobian(const double *x, double *j)
{
    const double h = 0.1, c = cos(x[0] + h / 2 * x[1]);
    j[0] = 1 - (bad == 1 ? 0 : h * h / 2 * cos(x[0]));
    j[1] = h;
    j[2] = -h * c;
    j[3] = 1 - (bad == 1 ? 0 : h * h / 2 * c);
}

/* One step of the leapfrog method: the force is taken at the new place. */
static void leapfrog(const double *x, double *y)
{
    y[0] = x[0] + 0.2 * x[1];
    y[1] = x[1] - 0.2 * sin(y[0]);
}

static void leapfrog_jacobian(const double *x, double *j)
{
    const double stiffness = cos(bad ? x[0] : x[0] + 0.2 * x[1]); /* at the old place */
    j[0] = 1;
    j[1] = 0.2;
    j[2] = -0.2 * stiffness;
    j[3] = 1 - 0.04 * stiffness;
}

/* A nonlinear bar of eight nodes, held at both ends. */
static void bar(const double *x, double *y)
{
    for (int i = 0; i < 8; i++)
        y[i] = (i > 0 ? x[i - 1] : 0) - 2 * x[i] + (i < 7 ? x[i + 1] : 0) + x[i] * x[i] * x[i];
}

static void bar_jacobian(const double *x, double *j)
{
    memset(j, 0, 64 * sizeof *j);
    for (int i = 0; i < 8; i++) {
        j[9 * i] = (bad == 1 && i == 0 ? -1 : -2) + 3 * x[i] * x[i]; /* 1: as if the first end were free */
        if (i > 0 && !(bad == 2 && i == 7)) j[9 * i - 1] = 1;        /* 2: the last row stops too early */
        if (i < 7) j[9 * i + 1] = 1;
        if (bad == 3) j[8 * i + (i + 7) % 8] = 1; /* 3: the bar is closed to a ring */
    }
}

/* Upwind differences of a ring of six: y_i = x_i^2 - x_(i-1)^2. */
static void ring(const double *x, double *y)
{
    for (int i = 0; i < 6; i++) y[i] = square(x[i]) - square(x[(i + 5) % 6]);
}

static void ring_jacobian(const double *x, double *j)
{
    memset(j, 0, 36 * sizeof *j);
    for (int i = 0; i < 6; i++) {
        j[7 * i] = 2 * x[i];
        if (bad == 1 && i == 0) continue; /* does not wrap around */
        const int before = bad == 2 ? (i + 1) % 6 : (i + 5) % 6;
        j[6 * i + before] = -2 * x[before];
    }
}

/* ---- Networks ---- */

enum { SOFTMAX_N = 4 };

static void softmax(const double *x, double *y)
{
    double sum = 0;
    for (int i = 0; i < SOFTMAX_N; i++) sum += exp(x[i]);
    for (int i = 0; i < SOFTMAX_N; i++) y[i] = exp(x[i]) / sum;
}

static void softmax_jacobian(const double *x, double *j)
{
    double y[SOFTMAX_N];
    softmax(x, y);
    for (int i = 0; i < SOFTMAX_N; i++)
        for (int k = 0; k < SOFTMAX_N; k++) {
            const double off_diagonal = bad == 1 ? 0 : bad == 2 ? y[i] * y[k] : -y[i] * y[k];
            j[SOFTMAX_N * i + k] = i == k ? y[i] - y[i] * y[i] : off_diagonal;
        }
}

static void softmax_vjp(const double *x, const double *u, double *p)
{
    double y[SOFTMAX_N], dot = 0;
    softmax(x, y);
    for (int i = 0; i < SOFTMAX_N; i++) dot += (bad == 1 ? 1 : u[i]) * y[i];
    for (int i = 0; i < SOFTMAX_N; i++) p[i] = y[i] * ((bad == 1 ? 1 : u[i]) - (bad == 2 ? 0 : dot));
}

enum { NORM_N = 6 };

/* (x - mean) / sqrt(variance + 1e-5) */
static double standardised(const double *x, double *y)
{
    double mean = 0, variance = 0;
    for (int i = 0; i < NORM_N; i++) mean += x[i] / NORM_N;
    for (int i = 0; i < NORM_N; i++) variance += square(x[i] - mean) / NORM_N;
    const double deviation = sqrt(variance + 1e-5);
    for (int i = 0; i < NORM_N; i++) y[i] = (x[i] - mean) / deviation;
    return deviation;
}

static void layer_norm(const double *x, double *y) { standardised(x, y); }

static void layer_norm_jacobian(const double *x, double *j)
{
    double y[NORM_N];
    const double deviation = standardised(x, y);
    for (int i = 0; i < NORM_N; i++)
        for (int k = 0; k < NORM_N; k++) {
            const double by_mean = bad == 1 ? 0 : 1.0 / NORM_N;
            const double by_variance = bad == 2 ? 0 : y[i] * y[k] / (bad == 3 ? NORM_N - 1 : NORM_N);
            j[NORM_N * i + k] = ((i == k) - by_mean - by_variance) / deviation;
        }
}

/* tanh(W x): W [2, 3], x [3]. */
static void dense(const double *x, double *y)
{
    for (int i = 0; i < 2; i++) y[i] = tanh(x[3 * i] * x[6] + x[3 * i + 1] * x[7] + x[3 * i + 2] * x[8]);
}

static void dense_vjp(const double *x, const double *u, double *p)
{
    double y[2];
    dense(x, y);
    memset(p + 6, 0, 3 * sizeof *p);
    for (int i = 0; i < 2; i++) {
        const double e = (bad == 1 ? fabs(u[i]) : bad == 2 ? u[0] : u[i]) * (1 - y[i] * y[i]);
        for (int k = 0; k < 3; k++) {
            p[3 * i + k] = e * x[6 + k];
            p[6 + k] += (bad == 3 ? u[i] : e) * x[3 * i + k];
        }
    }
}

static void dense_jvp(const double *x, const double *v, double *p)
{
    double y[2];
    dense(x, y);
    for (int i = 0; i < 2; i++) {
        double dz = 0, length = 0;
        for (int k = 0; k < 3; k++) dz += x[3 * i + k] * v[6 + k] + (bad == 4 ? 0 : v[3 * i + k] * x[6 + k]);
        for (int k = 0; k < 9; k++) length += v[k] * v[k];
        p[i] = (1 - y[i] * y[i]) * dz / (bad == 5 ? sqrt(length) : 1) * (bad == 6 ? 2 : 1);
    }
}

/* y = A x for a square A: products on the wrong side. */
static void map_by(const double *x, double *y)
{
    for (int i = 0; i < 3; i++) y[i] = form[i][0] * x[0] + form[i][1] * x[1] + form[i][2] * x[2];
}

static void map_by_transposed(const double *u, double *p)
{
    for (int k = 0; k < 3; k++) p[k] = form[0][k] * u[0] + form[1][k] * u[1] + form[2][k] * u[2];
}

static void map_vjp(const double *x, const double *u, double *p)
{
    (void)x;
    bad == 1 ? map_by(u, p) : map_by_transposed(u, p);
    for (int k = 0; k < 3 && bad == 2; k++) p[k] += x[k]; /* the value's own, left in the buffer */
}

static void map_jvp(const double *x, const double *v, double *p)
{
    (void)x;
    bad == 3 ? map_by_transposed(v, p) : map_by(v, p);
}

/* An LSTM cell of two units: gates z [4, 2] before their activation (input, forget, new, output), c [2] -> h, c'. */
static void lstm(const double *x, double *y)
{
    for (int k = 0; k < 2; k++) {
        y[2 + k] = sigmoid(x[2 + k]) * x[8 + k] + sigmoid(x[k]) * tanh(x[4 + k]);
        y[k] = sigmoid(x[6 + k]) * tanh(y[2 + k]);
    }
}

static void lstm_vjp(const double *x, const double *u, double *p)
{
    double y[4];
    lstm(x, y);
    for (int k = 0; k < 2; k++) {
        const double i = sigmoid(x[k]), f = sigmoid(x[2 + k]), g = tanh(x[4 + k]), o = sigmoid(x[6 + k]);
        const double c = x[8 + k], t = tanh(y[2 + k]);
        const double dc = u[2 + k] + u[k] * o * (bad == 1 ? 1 : 1 - t * t);
        p[k] = dc * g * i * (1 - i);
        p[2 + k] = dc * (bad == 2 ? y[2 + k] : c) * f * (1 - f); /* 2: the new state, not the old one */
        p[4 + k] = dc * i * (1 - (bad == 3 ? g : g * g));
        p[6 + k] = u[k] * t * (bad == 4 ? 1 : o * (1 - o));
        p[8 + k] = (bad == 5 ? u[2 + k] : dc) * f; /* 5: what flows through h is forgotten */
    }
}

/* ---- Branches ---- */

static void clamp(const double *x, double *y)
{
    for (int i = 0; i < 3; i++) y[i] = fmin(fmax(x[i], -1), 1);
}

static void clamp_jacobian(const double *x, double *j)
{
    memset(j, 0, 9 * sizeof *j);
    for (int i = 0; i < 3; i++) j[4 * i] = bad == 1 || (x[i] > -1 && x[i] < 1) || (bad == 2 && x[i] > 1);
}

static void leaky(const double *x, double *y)
{
    for (int i = 0; i < 3; i++) y[i] = x[i] > 0 ? x[i] : 0.01 * x[i];
}

static void leaky_jacobian(const double *x, double *j)
{
    memset(j, 0, 9 * sizeof *j);
    for (int i = 0; i < 3; i++) j[4 * i] = x[i] > 0 ? 1 : bad ? 0 : 0.01;
}

static void huber(const double *r, double *y)
{
    y[0] = 0;
    for (int i = 0; i < 4; i++) y[0] += fabs(r[i]) <= 1 ? 0.5 * r[i] * r[i] : fabs(r[i]) - 0.5;
}

static void huber_gradient(const double *r, double *g)
{
    for (int i = 0; i < 4; i++) {
        const double size = bad == 1 ? r[i] : fabs(r[i]);                    /* 1: negative ones */
        g[i] = (bad == 2 ? size > 1 : size <= 1) ? r[i] : r[i] > 0 ? 1 : -1; /* 2: branches swapped */
    }
}

/* x^2 up to 1, then its tangent. */
static void tangent(const double *x, double *y) { y[0] = x[0] < 1 ? x[0] * x[0] : 2 * x[0] - 1; }
static void tangent_gradient(const double *x, double *g) { g[0] = x[0] < (bad ? 0 : 1) ? 2 * x[0] : 2; }

static void largest(const double *x, double *y) { y[0] = fmax(x[0], fmax(x[1], x[2])); }

static void largest_gradient(const double *x, double *g)
{
    for (int i = 0; i < 3; i++)
        g[i] = bad == 1 ? i == 0 : bad == 2 ? 1.0 / 3 : x[i] == fmax(x[0], fmax(x[1], x[2]));
}

/* ---- Right here, wrong elsewhere ---- */

static void parabola(const double *x, double *y) { y[0] = x[0] * x[0]; }
static void parabola_gradient(const double *x, double *g) { g[0] = bad ? fmin(2 * x[0], 200) : 2 * x[0]; }

static void sine(const double *x, double *y) { y[0] = sin(x[0]); }

static void sine_gradient(const double *x, double *g)
{
    const double t = x[0] * x[0];
    g[0] = bad ? 1 - t / 2 + t * t / 24 : cos(x[0]); /* for small angles */
}

/* ---- Large and tiny ---- */

static void far_apart(const double *x, double *y)
{
    y[0] = 1e12 * sin(x[0]);
    y[1] = 1e-12 * sin(x[1]);
}

static void far_apart_jacobian(const double *x, double *j)
{
    j[0] = 1e12 * cos(x[0]);
    j[1] = j[2] = 0;
    j[3] = (bad == 1 ? -1e-12 : bad == 2 ? 0 : 1e-12) * cos(x[1]);
}

/* A strong term of each, and a weak one of its neighbour. */
static void coupled(const double *x, double *y)
{
    for (int i = 0; i < 5; i++) y[i] = 1e3 * x[i] + 1e-3 * sin(x[(i + 1) % 5]);
}

static void coupled_jacobian(const double *x, double *j)
{
    memset(j, 0, 25 * sizeof *j);
    for (int i = 0; i < 5; i++) {
        j[6 * i] = 1e3;
        const int next = (i + 1) % 5;
        if (bad != 1 || i != 2) j[5 * i + next] = 1e-3 * cos(x[next]);
    }
}

/* ---- One element ---- */

enum { GRID = 60 };

static void waves(const double *x, double *y)
{
    y[0] = 0;
    for (int k = 0; k < GRID; k++) y[0] += sin((k % 5 + 1) * x[k]);
}

static void waves_gradient(const double *x, double *g)
{
    for (int k = 0; k < GRID; k++) {
        if (bad == 3 && k == 47) continue;
        const double right = (k % 5 + 1) * cos((k % 5 + 1) * x[k]);
        g[k] = bad == 4 ? g[k] + right : right; /* 4: added to what is there */
    }
    if (bad == 1) g[47] = NAN;
    if (bad == 2) g[47] = INFINITY;
    if (bad == 5) g[GRID] = 1;
    if (bad == 6) g[47] *= 1 + 1e-4;
}

static void cubes(const double *x, double *y)
{
    y[0] = 0;
    for (int k = 0; k < 12; k++) y[0] += x[k] * x[k] * x[k];
}

static void cubes_gradient(const double *x, double *g)
{
    for (int k = 0; k < 12; k++) {
        int from = k;
        if (bad == 1) from = k % 4 == 0 ? -1 : k - 1; /* [3, 4]: one to the right */
        if (bad == 2) from = k + 4 < 12 ? k + 4 : -1; /* one up */
        if (bad == 3) from = k % 3 * 4 + k / 3;       /* filled by columns */
        g[k] = from < 0 ? 0 : 3 * x[from] * x[from];
    }
}

enum { MANY = 10000 };

static void many(const double *x, double *y)
{
    y[0] = 0;
    for (int k = 0; k < MANY; k++) y[0] += x[k] * x[k] * (x[k] + (k & 7));
}

static void many_gradient(const double *x, double *g)
{
    for (int k = 0; k < MANY; k++) g[k] = x[k] * (3 * x[k] + 2 * (k & 7));
    if (bad == 1) g[7341] *= 1 + 1e-3;
    if (bad == 2) g[7341] = -g[7341];
    if (bad == 3) g[MANY - 1] = NAN;
}

/* ---- Second derivatives of two outputs ---- */

static void pair(const double *x, double *y)
{
    y[0] = x[0] * x[0] * x[1];
    y[1] = sin(x[0] + 2 * x[1]);
}

static void pair_jacobian(const double *x, double *j)
{
    j[0] = 2 * x[0] * x[1];
    j[1] = x[0] * x[0];
    j[2] = cos(x[0] + 2 * x[1]);
    j[3] = 2 * cos(x[0] + 2 * x[1]);
}

static void pair_hessian(const double *x, double *h)
{
    const double s = -sin(x[0] + 2 * x[1]);
    const double blocks[2][2][2] = {{{2 * x[1], 2 * x[0]}, {2 * x[0], 0}}, {{s, 2 * s}, {2 * s, 4 * s}}};
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            for (int k = 0; k < 2; k++) {
                if (bad == 2 && k > j) continue; /* the upper half is left to symmetry */
                h[bad == 1 ? 4 * j + 2 * i + k : 4 * i + 2 * j + k] = blocks[i][j][k];
            }
}

/* ---- Derivatives that remember ---- */

static double kept_cosine;

static void remembering(const double *x, double *y)
{
    kept_cosine = cos(x[0]);
    y[0] = sin(x[0]);
}

static void remembering_gradient(const double *x, double *g) { g[0] = bad ? kept_cosine : cos(x[0]); }

/* ---- The list ---- */

static const plain rosenbrock_f = {2, 1, rosenbrock, rosenbrock_gradient};
static const plain rosenbrock_f2 = {2, 1, rosenbrock, rosenbrock_gradient, rosenbrock_hessian};
static const plain rosenbrock_by_hvp = {2, 1, rosenbrock, rosenbrock_gradient, .hvp = rosenbrock_hvp};
static const plain least_squares_f = {6, 1, least_squares, least_squares_gradient};
static const plain quadratic_f = {3, 1, quadratic, quadratic_gradient};
static const plain quadratic_f2 = {3, 1, quadratic, quadratic_gradient, quadratic_hessian};
static const plain logistic_f = {4, 1, logistic, logistic_gradient,
                                 .inputs = {{"weights", SHAPE(3)}, {"bias", {0}}}};
static const plain normal_density_f = {2, 1, normal_density, normal_density_gradient,
                                       .inputs = {{"mean"}, {"log_std"}}};
static const plain determinant_f = {9, 1, determinant, determinant_gradient, .inputs = {{"A", SHAPE(3, 3)}}};
static const plain spring_f = {4, 1, spring, spring_gradient, .inputs = {{"points", SHAPE(2, 2)}}};
static const plain spring_f2 = {4, 1, spring, spring_gradient, spring_hessian};
static const plain decay_f = {2, 5, decay, decay_jacobian, .inputs = {{"a"}, {"b"}}};
static const plain polar_f = {2, 2, polar, polar_jacobian};
static const plain shadow_f = {3, 2, shadow, shadow_jacobian};
static const plain shadow_columns = {3, 2, shadow, shadow_by_columns, .column_major = true};
static const plain direction_f = {2, 1, direction, direction_gradient};
static const plain in_degrees_f = {3, 3, in_degrees, in_degrees_jacobian};
static const plain decibels_f = {2, 2, decibels, decibels_jacobian};
static const plain quaternion_f = {7, 3, quaternion, quaternion_jacobian,
                                   .inputs = {{"q", SHAPE(4)}, {"v", SHAPE(3)}}};
static const plain rodrigues_f = {3, 3, rodrigues, rodrigues_jacobian};
static const plain camera_f = {5, 2, camera, camera_jacobian,
                               .inputs = {{"point", SHAPE(3)}, {"focal"}, {"k1"}}};
static const plain arm_f = {3, 2, arm, arm_jacobian, .inputs = {{"q", SHAPE(3)}}};
static const plain terrain_f = {2, 1, terrain, terrain_gradient};
static const plain kepler_f = {2, 1, kepler, kepler_gradient, .inputs = {{"M"}, {"e"}}};
static const plain midpoint_f = {2, 2, midpoint, midpoint_jacobian};
static const plain leapfrog_f = {2, 2, leapfrog, leapfrog_jacobian};
static const plain bar_f = {8, 8, bar, bar_jacobian};
static const plain ring_f = {6, 6, ring, ring_jacobian};
static const plain softmax_f = {4, 4, softmax, softmax_jacobian};
static const plain softmax_by_vjp = {4, 4, softmax, .vjp = softmax_vjp};
static const plain layer_norm_f = {6, 6, layer_norm, layer_norm_jacobian};
static const plain dense_by_vjp = {9, 2, dense, .vjp = dense_vjp,
                                   .inputs = {{"W", SHAPE(2, 3)}, {"x", SHAPE(3)}}};
static const plain dense_products = {
    9, 2, dense, .vjp = dense_vjp, .jvp = dense_jvp, .inputs = {{"W", SHAPE(2, 3)}, {"x", SHAPE(3)}}};
static const plain dense_by_jvp = {9, 2, dense, .jvp = dense_jvp,
                                   .inputs = {{"W", SHAPE(2, 3)}, {"x", SHAPE(3)}}};
static const plain map_by_vjp = {3, 3, map_by, .vjp = map_vjp};
static const plain map_by_products = {3, 3, map_by, .vjp = map_vjp, .jvp = map_jvp};
static const plain lstm_by_vjp = {
    10, 4, lstm, .vjp = lstm_vjp, .inputs = {{"z", SHAPE(4, 2)}, {"c", SHAPE(2)}}, .output = SHAPE(2, 2)};
static const plain clamp_f = {3, 3, clamp, clamp_jacobian};
static const plain leaky_f = {3, 3, leaky, leaky_jacobian};
static const plain huber_f = {4, 1, huber, huber_gradient};
static const plain tangent_f = {1, 1, tangent, tangent_gradient};
static const plain largest_f = {3, 1, largest, largest_gradient};
static const plain parabola_f = {1, 1, parabola, parabola_gradient};
static const plain sine_f = {1, 1, sine, sine_gradient};
static const plain far_apart_f = {2, 2, far_apart, far_apart_jacobian};
static const plain coupled_f = {5, 5, coupled, coupled_jacobian};
static const plain waves_f = {GRID, 1, waves, waves_gradient, .inputs = {{"grid", SHAPE(6, 10)}}};
static const plain cubes_f = {12, 1, cubes, cubes_gradient, .inputs = {{"x", SHAPE(3, 4)}}};
static const plain many_f = {MANY, 1, many, many_gradient, .inputs = {{"x", SHAPE(100, 100)}}};
static const plain pair_f2 = {2, 2, pair, pair_jacobian, pair_hessian};
static const plain remembering_f = {1, 1, remembering, remembering_gradient};

typedef struct wrong {
    const char *name;
    int mistake;
    const plain *f;
    const double *x;       /* NULL: made up */
    const char *input;     /* of one wrong element that must be named: the input's name, and */
    gr_shape at, of;       /* its places */
    gr_check_fault fault;  /* the guess; kind 0: any or none */
    const double *fine_at; /* here the same mistake does not show */
    bool full_only;        /* it drowns where outputs are combined */
    bool nonlinear;        /* right for unit vectors; which elements are wrong depends on the vector */
    bool remembers;        /* derivatives depend on the call before: wrong, or not deterministic */
    gr_status status;      /* that no check can be made */
} wrong;

/* clang-format off */

static const wrong list[] = {
    {"rosenbrock: sign of one term", 1, &rosenbrock_f, X(-1.2, 1), "x", AT(0)},
    {"rosenbrock: missing term", 2, &rosenbrock_f, X(-1.2, 1), "x", AT(0)},
    {"rosenbrock: half of one element", 3, &rosenbrock_f, X(-1.2, 1), "x", AT(1)},
    {"rosenbrock: half of the product rule in the Hessian", 4, &rosenbrock_f2, X(-1.2, 1), "x", AT(0),
     AT(0)},
    {"rosenbrock: mixed terms of the Hessian missing", 5, &rosenbrock_f2, X(-1.2, 1)},
    {"rosenbrock: Hessian not symmetric", 6, &rosenbrock_f2, X(-1.2, 1), "x", AT(0), AT(1)},
    {"rosenbrock: mixed term of H v missing", 7, &rosenbrock_by_hvp, X(-1.2, 1), "x", AT(1), AT(0)},
    {"rosenbrock: wrong second row of H v", 8, &rosenbrock_by_hvp, X(-1.2, 1), "x", AT(1), AT(1)},
    {"least squares: 2 forgotten", 1, &least_squares_f, X(1, 2, 3, 4, 5, 6), .fault = FACTOR(0.5)},
    {"least squares: sign", 2, &least_squares_f, X(1, 2, 3, 4, 5, 6), .fault = SIGN},
    {"least squares: twice", 3, &least_squares_f, X(1, 2, 3, 4, 5, 6), .fault = FACTOR(2)},
    {"least squares: 1 + 1e-3 times", 4, &least_squares_f, X(1, 2, 3, 4, 5, 6), .fault = FACTOR(1 + 1e-3)},
    {"least squares: 1 + 2e-5 times", 5, &least_squares_f, X(1, 2, 3, 4, 5, 6), .fault = FACTOR(1 + 2e-5)},
    {"x' A x: 2 A x for an A that is not symmetric", 1, &quadratic_f, X(1, -0.7, 2)},
    {"x' A x: Hessian 2 A", 2, &quadratic_f2, X(1, -0.7, 2)},
    {"x' A x: Hessian by half", 3, &quadratic_f2, X(1, -0.7, 2), .fault = FACTOR(0.5)},
    {"logistic regression: sum instead of mean", 1, &logistic_f, X(0.3, -0.2, 0.5, 0.1), "bias", {0},
     .fault = {.kind = GR_FAULT_FACTOR, .factor = 5}},
    {"logistic regression: bias forgotten", 2, &logistic_f, X(0.3, -0.2, 0.5, 0.1), "bias", {0},
     .fault = {.kind = GR_FAULT_ZERO}},
    {"logistic regression: a regulariser left in", 3, &logistic_f, X(0.3, -0.2, 0.5, 0.1), "weights", AT(2),
     .fault = {.kind = GR_FAULT_CONSTANT, .factor = 0.1}},
    {"logistic regression: sign of the gradient only", 4, &logistic_f, X(0.3, -0.2, 0.5, 0.1), "weights",
     AT(1)},
    {"normal density: by the deviation, not its logarithm", 1, &normal_density_f, X(0.4, 0.3), "log_std",
     {0}},
    {"normal density: normalising factor forgotten", 2, &normal_density_f, X(0.4, 0.3), "log_std", {0}},
    {"determinant: cofactors transposed", 1, &determinant_f, X(2, 1, -1, 0.5, 3, 0.25, 1, -0.5, 4), "A",
     AT(0, 2), .fault = TRANSPOSED},
    {"determinant: minors instead of cofactors", 2, &determinant_f, X(2, 1, -1, 0.5, 3, 0.25, 1, -0.5, 4),
     "A", AT(2, 1)},
    {"spring: both forces alike", 1, &spring_f, X(0, 0.1, 1, 0.7), "points", AT(1, 0)},
    {"spring: geometric stiffness missing", 2, &spring_f2, X(0, 0.1, 1, 0.7)},
    {"spring: sign of the blocks off the diagonal", 3, &spring_f2, X(0, 0.1, 1, 0.7)},
    {"decay: Jacobian of the model, not of the residuals", 1, &decay_f, X(2, 0.7), "b", {0}, AT(2), SIGN},
    {"decay: time forgotten", 2, &decay_f, X(2, 0.7), "b", {0}, AT(0)},
    {"decay: amplitude forgotten", 3, &decay_f, X(2, 0.7), "b", {0}, AT(4), FACTOR(0.5)},
    {"polar coordinates: transposed", 1, &polar_f, X(1.5, 0.6), "x", AT(1), AT(0),
     .fault = TRANSPOSED},
    {"polar coordinates: radius forgotten", 2, &polar_f, X(1.5, 0.6), "x", AT(1), AT(1)},
    {"2 of 3: transposed", 1, &shadow_f, X(0.4, 0.9, 1.7), "x", AT(1), AT(0),
     .fault = TRANSPOSED},
    {"2 of 3: rows where columns are asked for", 1, &shadow_columns, X(0.4, 0.9, 1.7), "x", AT(1), AT(0),
     .fault = TRANSPOSED},
    {"atan2: operands swapped", 1, &direction_f, X(1.5, 0.6)},
    {"atan2: r instead of r^2", 2, &direction_f, X(1.5, 0.6), "x", AT(1)},
    {"degrees: factor forgotten", 1, &in_degrees_f, X(10, 100, -50), "x", AT(2), AT(2),
     FACTOR(57.29577951308232)},
    {"degrees: cosine of degrees", 2, &in_degrees_f, X(10, 100, -50)},
    {"decibels: base of the logarithm", 1, &decibels_f, X(0.3, 20), .fault = FACTOR(2.302585092994046)},
    {"quaternion: half of the product rule", 1, &quaternion_f, X(0.5, 0.1, -0.7, 0.5, 1, -2, 0.7), "q",
     AT(2), AT(0)},
    {"quaternion: 2 forgotten in one column", 2, &quaternion_f, X(0.5, 0.1, -0.7, 0.5, 1, -2, 0.7), "q",
     AT(0), AT(1)},
    {"quaternion: cross product the other way around", 3, &quaternion_f, X(0.5, 0.1, -0.7, 0.5, 1, -2, 0.7),
     "v", AT(0), AT(1)},
    {"Rodrigues: angle taken for a constant", 1, &rodrigues_f, X(0.4, -0.9, 0.6)},
    {"Rodrigues: one half of w (w . p)", 2, &rodrigues_f, X(0.4, -0.9, 0.6)},
    {"camera: distortion taken for a constant", 1, &camera_f, X(0.5, -0.8, 2, 500, 0.2), "point", AT(1),
     AT(0)},
    {"camera: focal length forgotten", 2, &camera_f, X(0.5, -0.8, 2, 500, 0.2), "k1", {0}, AT(1),
     FACTOR(0.002)},
    {"camera: depth forgotten", 3, &camera_f, X(0.5, -0.8, 2, 500, 0.2), "point", AT(2), AT(0)},
    {"camera: sign of one element", 4, &camera_f, X(0.5, -0.8, 2, 500, 0.2), "point", AT(2), AT(1)},
    {"arm: a joint turns the link before it", 1, &arm_f, X(0.3, 0.8, -0.4), "q", AT(1), AT(0)},
    {"arm: angles taken for absolute ones", 2, &arm_f, X(0.3, 0.8, -0.4), "q", AT(0), AT(1)},
    {"terrain: size of a cell forgotten", 1, &terrain_f, X(0.146, 0.072), .fault = FACTOR(0.1)},
    {"terrain: weights the other way around", 2, &terrain_f, X(0.146, 0.072), "x", AT(0)},
    {"Kepler: sign in the denominator", 1, &kepler_f, X(1.1, 0.4), "M", {0}},
    {"Kepler: implicit dependence forgotten", 2, &kepler_f, X(1.1, 0.4), "e", {0}},
    {"Kepler: derivative at another point", 3, &kepler_f, X(1.1, 0.4), "e", {0}},
    {"midpoint rule: sensitivity of one stage only", 1, &midpoint_f, X(0.7, -1.1)},
    {"leapfrog: force at the old place", 1, &leapfrog_f, X(0.7, -1.1), "x", AT(0), AT(1)},
    {"bar: first row", 1, &bar_f, X(1, 2, -1, 0.5, 3, -2, 1, 0.3), "x", AT(0), AT(0)},
    {"bar: last row", 2, &bar_f, X(1, 2, -1, 0.5, 3, -2, 1, 0.3), "x", AT(6), AT(7)},
    {"bar: closed to a ring", 3, &bar_f, X(1, 2, -1, 0.5, 3, -2, 1, 0.3), "x", AT(7), AT(0)},
    {"ring: not closed", 1, &ring_f, X(1, 2, -1, 0.5, 3, -2), "x", AT(5), AT(0)},
    {"ring: the neighbour on the other side", 2, &ring_f, X(1, 2, -1, 0.5, 3, -2)},
    {"softmax: diagonal only", 1, &softmax_f, X(0.1, 1, -0.6, 0.4), "x", AT(1), AT(3)},
    {"softmax: sign off the diagonal", 2, &softmax_f, X(0.1, 1, -0.6, 0.4)},
    {"softmax: cotangent ignored", 1, &softmax_by_vjp, X(0.1, 1, -0.6, 0.4)},
    {"softmax: u . y forgotten", 2, &softmax_by_vjp, X(0.1, 1, -0.6, 0.4)},
    {"layer norm: mean taken for a constant", 1, &layer_norm_f, X(1, 2, -1, 0.5, 3, -2), "x", AT(1), AT(4)},
    {"layer norm: variance taken for a constant", 2, &layer_norm_f, X(1, 2, -1, 0.5, 3, -2)},
    {"layer norm: n - 1 instead of n", 3, &layer_norm_f, X(1, 2, -1, 0.5, 3, -2)},
    {"dense: VJP of |u|", 1, &dense_by_vjp, .nonlinear = true},
    {"dense: VJP that reads u[0] only", 2, &dense_by_vjp, NULL, "W", AT(1, 2), AT(1)},
    {"dense: VJP right for W, tanh forgotten for x", 3, &dense_by_vjp, NULL, "x", AT(0), AT(0)},
    {"dense: JVP right, VJP wrong", 3, &dense_products, NULL, "x", AT(0), AT(0)},
    {"dense: VJP right, JVP without the tangent of W", 4, &dense_products, NULL, "W", AT(0, 1), AT(0)},
    {"dense: VJP right, JVP of the normalised vector", 5, &dense_products, .nonlinear = true},
    {"dense: JVP twice", 6, &dense_by_jvp, .fault = FACTOR(2)},
    {"matrix: VJP by A, not its transpose", 1, &map_by_vjp, X(1, 2, -1), "x", AT(0), AT(2),
     .fault = TRANSPOSED},
    {"matrix: VJP with a term that is not of u", 2, &map_by_vjp, X(1, 2, -1)},
    {"matrix: JVP by the transpose of A", 3, &map_by_products, X(1, 2, -1), "x", AT(0), AT(2)},
    {"LSTM: tanh of the output forgotten", 1, &lstm_by_vjp, NULL, "c", AT(1), AT(0, 1)},
    {"LSTM: new state instead of the old one", 2, &lstm_by_vjp, NULL, "z", AT(1, 0), AT(1, 0)},
    {"LSTM: tanh' = 1 - tanh", 3, &lstm_by_vjp, NULL, "z", AT(2, 1), AT(1, 1)},
    {"LSTM: derivative of the output gate forgotten", 4, &lstm_by_vjp, NULL, "z", AT(3, 1), AT(0, 1)},
    {"LSTM: what flows through h forgotten", 5, &lstm_by_vjp, NULL, "c", AT(0), AT(0, 0)},
    {"clamp: derivative 1 outside", 1, &clamp_f, X(0.5, 2, -3), "x", AT(2), AT(2),
     .fine_at = X(0.5, 0.2, -0.3)},
    {"clamp: derivative 1 above", 2, &clamp_f, X(0.5, 2, -3), "x", AT(1), AT(1),
     .fine_at = X(0.5, 0.2, -3)},
    {"leaky relu: 0 for negative numbers", 1, &leaky_f, X(0.5, 2, -3), "x", AT(2), AT(2),
     .fine_at = X(0.5, 0.2, 3)},
    {"Huber: negative residuals", 1, &huber_f, X(0.5, 2, -3, -0.2), "x", AT(2),
     .fine_at = X(0.5, 2, -0.3, -0.2)},
    {"Huber: branches swapped", 2, &huber_f, X(0.5, 2, -3, -0.2)},
    {"tangent: branch from 0 on", 1, &tangent_f, X(0.4), .fine_at = X(-0.4)},
    {"max: first operand", 1, &largest_f, X(0.5, 2, 1), "x", AT(1), .fine_at = X(2, 0.5, 1)},
    {"max: all operands", 2, &largest_f, X(0.5, 2, 1), "x", AT(2)},
    {"far from the origin: gradient clipped", 1, &parabola_f, X(150), .fine_at = X(99)},
    {"far from the origin: series for small angles", 1, &sine_f, X(2), .fine_at = X(0.01)},
    {"1e-12 beside 1e12: sign", 1, &far_apart_f, X(0.4, 0.9), "x", AT(1), AT(1), .full_only = true},
    {"1e-12 beside 1e12: missing", 2, &far_apart_f, X(0.4, 0.9), "x", AT(1), AT(1), .full_only = true},
    {"a weak coupling is missing", 1, &coupled_f, X(1, 2, -1, 0.5, 3), "x", AT(3), AT(2),
     .full_only = true},
    {"one of 60: NaN", 1, &waves_f, NULL, "grid", AT(4, 7)},
    {"one of 60: infinity", 2, &waves_f, NULL, "grid", AT(4, 7)},
    {"one of 60: not written", 3, &waves_f, NULL, "grid", AT(4, 7)},
    {"added to what the buffer held", 4, &waves_f},
    {"written beyond the end", 5, &waves_f, .status = GR_ERR_CALLBACK},
    {"one of 60: by 1e-4 of itself", 6, &waves_f, NULL, "grid", AT(4, 7)},
    {"matrix: one to the right", 1, &cubes_f, .fault = {.kind = GR_FAULT_SHIFTED, .axis = 1, .offset = 1}},
    {"matrix: one up", 2, &cubes_f, .fault = {.kind = GR_FAULT_SHIFTED, .axis = 0, .offset = -1}},
    {"matrix: filled by columns", 3, &cubes_f, .fault = TRANSPOSED},
    {"one of 10^4: by 1e-3 of itself", 1, &many_f, NULL, "x", AT(73, 41)},
    {"one of 10^4: sign", 2, &many_f, NULL, "x", AT(73, 41)},
    {"one of 10^4: NaN in the last", 3, &many_f, NULL, "x", AT(99, 99)},
    {"Hessians: [n, m, n] instead of [m, n, n]", 1, &pair_f2, X(0.4, -0.9)},
    {"Hessians: only the lower halves written", 2, &pair_f2, X(0.4, -0.9)},
    {"gradient from what the last value left behind", 1, &remembering_f, X(0.4), .remembers = true},
};
/* clang-format on */

/* ---- The driver ---- */

enum { SLACK = 8 }; /* behind arrays, for what writes beyond its own */

static double *array(int64_t n)
{
    double *a = calloc((size_t)n + SLACK, sizeof *a);
    for (int64_t i = 0; a && i < n + SLACK; i++) a[i] = NAN;
    return a;
}

static void transpose_if(bool needed, int64_t m, int64_t n, double *a)
{
    if (!needed) return;
    double *copy = array(m * n);
    memcpy(copy, a, (size_t)(m * n) * sizeof *a);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) a[i * n + j] = copy[j * m + i];
    free(copy);
}

/* Rows (product [n] for each unit vector of m) or columns of a matrix [m, n]. */
static void by_unit_vectors(plain_product *product, const double *x, int64_t m, int64_t n, bool rows,
                            double *a)
{
    const int64_t units = rows ? m : n, length = rows ? n : m;
    double *unit = array(units), *result = array(length);
    for (int64_t k = 0; k < units; k++) {
        for (int64_t i = 0; i < units; i++) unit[i] = i == k;
        for (int64_t i = 0; i < length; i++) result[i] = NAN;
        product(x, unit, result);
        for (int64_t i = 0; i < length; i++) a[rows ? k * n + i : i * n + k] = result[i];
    }
    free(unit);
    free(result);
}

/* The derivative that one of the functions gives now, row-major: [m, n], or for order 2 [m n, n]; false if the
   function has none of this kind. */
static bool derivative(const plain *p, int order, gr_comparison kind, const double *x, double *a)
{
    const int64_t m = p->m, n = p->n;
    if (order == 2 && kind == GR_COMPARE_REVERSE && p->hessian)
        p->hessian(x, a);
    else if (order == 2 && kind == GR_COMPARE_FORWARD && p->hvp)
        by_unit_vectors(p->hvp, x, n, n, false, a);
    else if (order == 2)
        return false;
    else if (kind == GR_COMPARE_FORWARD && p->jvp)
        by_unit_vectors(p->jvp, x, m, n, false, a);
    else if (kind == GR_COMPARE_FORWARD)
        return false;
    else if (p->jacobian)
        p->jacobian(x, a), transpose_if(p->column_major, m, n, a);
    else if (p->vjp)
        by_unit_vectors(p->vjp, x, m, n, true, a);
    else
        return false;
    return true;
}

/* Which elements are wrong, of one order and kind. */
typedef struct truth {
    bool known;
    int64_t rows, columns, count;
    bool *wrong; /* [rows, columns] */
} truth;

static truth find_truth(const wrong *w, int order, gr_comparison kind, const double *x)
{
    truth t = {.rows = order == 2 ? w->f->m * w->f->n : w->f->m, .columns = w->f->n};
    const int64_t size = t.rows * t.columns;
    double *right = array(size), *now = array(size);
    t.wrong = calloc((size_t)size, sizeof *t.wrong);
    bad = 0;
    t.known = derivative(w->f, order, kind, x, right);
    bad = w->mistake;
    derivative(w->f, order, kind, x, now);
    for (int64_t i = 0; i < size && t.known; i++) {
        t.wrong[i] = !(fabs(now[i] - right[i]) <= 1e-9 * fabs(right[i]));
        t.count += t.wrong[i];
    }
    free(right);
    free(now);
    return t;
}

/* row -1: any. */
static bool is_wrong(const truth *t, int64_t row, int64_t column)
{
    for (int64_t i = row < 0 ? 0 : row; i < (row < 0 ? t->rows : row + 1); i++)
        if (t->wrong[i * t->columns + column]) return true;
    return false;
}

/* What the checker says of each element is held against the truth. */
typedef struct judge {
    const wrong *entry;
    truth truths[2][2]; /* by order and kind */
    int64_t rightly[2][2], found, at_odds;
    bool named;
} judge;

static int64_t shape_count(gr_shape s)
{
    int64_t count = 1;
    for (int i = 0; i < s.ndim; i++) count *= s.dims[i];
    return count;
}

/* Position in x of an element of an input. */
static int64_t position(const plain *p, const gr_check_element *e)
{
    int64_t first = 0;
    for (int i = 0; i < e->input; i++) first += shape_count(p->inputs[i].shape);
    return first + e->at.element;
}

/* Whether this is the element that the entry names. */
static bool is_named(const wrong *w, const gr_check_element *e)
{
    return w->input && !strcmp(e->name, w->input) && is_at(&e->at, &w->at) &&
           (e->of.element < 0 || w->of.ndim == 0 || is_at(&e->of, &w->of));
}

static void judge_element(const gr_check_element *e, void *user)
{
    judge *j = user;
    j->found += e->verdict == GR_CHECK_WRONG;
    j->named |= e->verdict == GR_CHECK_WRONG && is_named(j->entry, e);
    if (e->comparison == GR_COMPARE_ADJOINT || e->order < 1 || e->order > 2) return;
    const truth *t = &j->truths[e->order - 1][e->comparison];
    if (e->at.element < 0 || !t->known || j->entry->nonlinear) return;
    const bool expected = is_wrong(t, e->of.element, position(j->entry->f, e));
    if (e->verdict == (expected ? GR_CHECK_WRONG : GR_CHECK_RIGHT))
        j->rightly[e->order - 1][e->comparison] += expected;
    else
        j->at_odds++;
}

/* With the mistake, in one mode. */
static void expect_rejected(const wrong *w, const double *x, gr_check_mode mode)
{
    const int failures = test_failures;
    judge j = {.entry = w};
    for (int order = 1; order <= 2; order++)
        for (int kind = 0; kind < 2; kind++)
            j.truths[order - 1][kind] = find_truth(w, order, (gr_comparison)kind, x);
    bad = w->mistake;
    const gr_check_options o = {.mode = mode, .each = judge_element, .each_user = &j};
    const gr_check_result r = check_plain(w->name, w->f, x, &o);
    CHECK(!r.passed && r.failed > 0 && r.undecided == 0);
    CHECK(r.verdict == GR_CHECK_WRONG && r.worst.verdict == GR_CHECK_WRONG && r.wrong == j.found);
    CHECK(j.at_odds == 0);
    if (!w->nonlinear) CHECK(r.worst.at.element >= 0 || r.worst.comparison == GR_COMPARE_ADJOINT);
    if (mode == GR_CHECK_FULL)
        for (int k = 0; k < 4; k++)
            CHECK(w->nonlinear || j.rightly[k / 2][k % 2] == j.truths[k / 2][k % 2].count);
    if (mode != GR_CHECK_FAST && w->input) CHECK(j.named);
    if (mode == GR_CHECK_FULL && w->fault.kind) CHECK(is_guessed(&w->fault, &r));
    explain_since(failures, w->name, mode, &r);
    for (int k = 0; k < 4; k++) free(j.truths[k / 2][k % 2].wrong);
}

/* Without the mistake, or where it does not show. */
static void expect_twin_accepted(const wrong *w, int mistake, const double *x, gr_check_mode mode)
{
    bad = mistake;
    const gr_check_result r = check_plain(w->name, w->f, x, &(gr_check_options){.mode = mode});
    expect_accepted(w->name, mode, &r);
}

/* Entries for which there is no telling the elements. */
static void expect_refused(const wrong *w, const double *x, gr_check_mode mode)
{
    const int failures = test_failures;
    bad = w->mistake;
    const gr_check_result r = check_plain(w->name, w->f, x, &(gr_check_options){.mode = mode});
    CHECK(!r.passed && r.status == w->status);
    if (w->remembers) CHECK(r.verdict == GR_CHECK_WRONG || r.verdict == GR_CHECK_NOT_DETERMINISTIC);
    explain_since(failures, w->name, mode, &r);
}

static void run_entry(const wrong *w)
{
    double *made_up = array(w->f->n);
    for (int i = 0; i < w->f->n; i++) made_up[i] = 0.3 + sin(1.7 * i);
    const double *x = w->x ? w->x : made_up;
    for (gr_check_mode mode = GR_CHECK_FULL; mode <= GR_CHECK_FAST; mode++) {
        if (w->full_only && mode != GR_CHECK_FULL) continue;
        if (w->f->n == MANY && mode == GR_CHECK_COTANGENTS) continue; /* of one output: the same, and long */
        expect_twin_accepted(w, 0, x, mode);
        if (w->fine_at) expect_twin_accepted(w, w->mistake, w->fine_at, mode);
        if (w->remembers || w->status)
            expect_refused(w, x, mode);
        else
            expect_rejected(w, x, mode);
    }
    free(made_up);
}

static void test_wrong_derivatives(void)
{
    for (size_t i = 0; i < LENGTH(list); i++) run_entry(&list[i]);
    printf("%d wrong derivatives of plain functions\n", (int)LENGTH(list));
}

int main(void)
{
    RUN(test_wrong_derivatives);
    return TEST_EXIT;
}
