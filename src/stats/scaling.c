#include "stats/scaling.h"

#include <math.h>

const char *rh_scaling_shape_name(enum scaling_shape shape)
{
    static const char *const names[] = {
#define X(symbol, name) name,
        SCALING_SHAPE_LIST(X)
#undef X
    };
    return names[shape];
}

const char *rh_scaling_refusal_text(enum scaling_refusal refusal)
{
    static const char *const sentences[] = {
#define X(symbol, sentence) sentence,
        SCALING_REFUSAL_LIST(X)
#undef X
    };
    return sentences[refusal];
}

/* duration = fixed + each * growth(size); neither is ever negative. */
struct curve {
    enum scaling_shape shape;
    double fixed, each;
};

static double growth(enum scaling_shape shape, double size)
{
    switch (shape) {
    case SCALING_LINEAR:
        return size;
    case SCALING_LINEARITHMIC:
        return size * log2(size < 2 ? 2 : size);
    case SCALING_CONSTANT:
    case SCALING_SHAPE_COUNT:
        break;
    }
    return 0;
}

static double at(const struct curve *curve, double size)
{
    return curve->fixed + curve->each * growth(curve->shape, size);
}

/* Least squares of the relative distances: a point of a millisecond counts as one of a minute. */
static struct curve fit(enum scaling_shape shape, const struct scaling_point *points, size_t count)
{
    double w = 0, wf = 0, wff = 0, wt = 0, wft = 0;

    for (size_t i = 0; i < count; i++) {
        double t = points[i].duration, f = growth(shape, points[i].size), weight = 1 / (t * t);
        w += weight;
        wf += weight * f;
        wff += weight * f * f;
        wt += weight * t;
        wft += weight * f * t;
    }
    struct curve curve = {.shape = shape, .fixed = wt / w};
    if (shape == SCALING_CONSTANT)
        return curve;
    double determinant = w * wff - wf * wf;
    curve.fixed = (wff * wt - wf * wft) / determinant;
    curve.each = (w * wft - wf * wt) / determinant;
    if (curve.fixed < 0) {
        curve.fixed = 0;
        curve.each = wft / wff;
    } else if (curve.each < 0) {
        curve.fixed = wt / w;
        curve.each = 0;
    }
    return curve;
}

static double misfit(const struct curve *curve, const struct scaling_point *points, size_t count)
{
    double most = 0;

    for (size_t i = 0; i < count; i++)
        most = fmax(most,
                    fabs(at(curve, points[i].size) - points[i].duration) / points[i].duration);
    return most;
}

/* What the shape says at the target when each point is off by its noise, in every combination. */
static void widen(struct scaling *scaling, enum scaling_shape shape,
                  const struct scaling_point *points, size_t count, double noise, double target)
{
    struct scaling_point moved[SCALING_POINTS_MAX];

    for (unsigned signs = 0; signs < 1u << count; signs++) {
        for (size_t i = 0; i < count; i++)
            moved[i] = (struct scaling_point){
                points[i].size, points[i].duration * (signs >> i & 1 ? 1 + noise : 1 - noise)};
        struct curve curve = fit(shape, moved, count);
        double duration = at(&curve, target);
        scaling->low = fmin(scaling->low, duration);
        scaling->high = fmax(scaling->high, duration);
    }
}

static struct scaling refuse(enum scaling_refusal refusal)
{
    return (struct scaling){.refusal = refusal};
}

static struct scaling fit_constant(const struct scaling_point *points, size_t count)
{
    struct curve curve = fit(SCALING_CONSTANT, points, count);
    struct scaling scaling = {.shape = SCALING_CONSTANT,
                              .duration = curve.fixed,
                              .low = points[0].duration,
                              .high = points[0].duration,
                              .misfit = misfit(&curve, points, count)};

    for (size_t i = 1; i < count; i++) {
        scaling.low = fmin(scaling.low, points[i].duration);
        scaling.high = fmax(scaling.high, points[i].duration);
    }
    return scaling;
}

static enum scaling_refusal check(const struct scaling_point *points, size_t count, double target)
{
    double smallest = points[0].size, largest = points[0].size;

    for (size_t i = 1; i < count; i++) {
        smallest = fmin(smallest, points[i].size);
        largest = fmax(largest, points[i].size);
    }
    if (largest < smallest * SCALING_SPAN_MIN)
        return SCALING_TOO_CLOSE;
    return target > largest * SCALING_REACH_MAX ? SCALING_TOO_FAR : SCALING_FITS;
}

struct scaling rh_scaling_fit(const struct scaling_point *points, size_t count, bool is_constant,
                              double target_size)
{
    struct curve curves[SCALING_SHAPE_COUNT];
    double misfits[SCALING_SHAPE_COUNT];
    size_t best = 0;

    if (count < SCALING_POINTS_MIN || count > SCALING_POINTS_MAX)
        return refuse(SCALING_TOO_FEW);
    for (size_t i = 0; i < count; i++)
        if (!(points[i].size > 0) || !(points[i].duration > 0))
            return refuse(SCALING_NO_SHAPE);
    if (is_constant)
        return fit_constant(points, count);
    enum scaling_refusal refusal = check(points, count, target_size);
    if (refusal)
        return refuse(refusal);
    for (size_t i = 0; i < SCALING_SHAPE_COUNT; i++) {
        curves[i] = fit((enum scaling_shape)i, points, count);
        misfits[i] = misfit(&curves[i], points, count);
        if (misfits[i] < misfits[best])
            best = i;
    }
    if (misfits[best] > SCALING_MISFIT_MAX)
        return refuse(SCALING_NO_SHAPE);
    /* Nobody can tell the shapes within the noise from one another: the simplest is the answer, and
       the range is that of all. */
    double noise = fmax(misfits[best], SCALING_NOISE_MIN);
    while (best > 0 && misfits[best - 1] <= noise)
        best--;
    struct scaling scaling = {.shape = (enum scaling_shape)best,
                              .duration = at(&curves[best], target_size),
                              .misfit = misfits[best]};
    scaling.low = scaling.high = scaling.duration;
    for (size_t i = 0; i < SCALING_SHAPE_COUNT; i++)
        if (misfits[i] <= noise)
            widen(&scaling, (enum scaling_shape)i, points, count, noise, target_size);
    return scaling;
}
