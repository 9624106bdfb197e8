/*
 * Scaling: from durations measured at a few sizes to the duration at another size, with a range, or
 * a reason why none can be given. The range is as wide as what was measured leaves open: short or
 * noisy durations, scaled far, say little but "at most". Pure.
 */
#ifndef RH_STATS_SCALING_H
#define RH_STATS_SCALING_H

#include <stdbool.h>
#include <stddef.h>

struct scaling_point {
    double size;     /* rows, or bytes: above 0 */
    double duration; /* any unit: what comes out has the same */
};

/* X(symbol, as a person says it) */
#define SCALING_SHAPE_LIST(X)       \
    X(SCALING_CONSTANT, "constant") \
    X(SCALING_LINEAR, "linear")     \
    X(SCALING_LINEARITHMIC, "n log n")
enum scaling_shape {
#define X(symbol, name) symbol,
    SCALING_SHAPE_LIST(X)
#undef X
        SCALING_SHAPE_COUNT
};
const char *rh_scaling_shape_name(enum scaling_shape shape);

/* X(symbol, sentence) */
#define SCALING_REFUSAL_LIST(X)                                                      \
    X(SCALING_FITS, "")                                                              \
    X(SCALING_TOO_FEW, "fewer than three sizes were measured")                       \
    X(SCALING_TOO_CLOSE, "the sizes measured are too close to one another")          \
    X(SCALING_TOO_FAR, "production is too many times larger than what was measured") \
    X(SCALING_NO_SHAPE, "the durations measured grow in no regular way with the size")
enum scaling_refusal {
#define X(symbol, sentence) symbol,
    SCALING_REFUSAL_LIST(X)
#undef X
        SCALING_REFUSAL_COUNT
};
const char *rh_scaling_refusal_text(enum scaling_refusal refusal);

struct scaling {
    enum scaling_refusal refusal; /* not SCALING_FITS: nothing below is known */
    enum scaling_shape shape;     /* the simplest that fits */
    double duration;              /* at the target by that shape */
    double low, high; /* by every shape that fits as well, and the noise of the points */
    double misfit;    /* largest relative distance of a point from the shape */
};

#define SCALING_POINTS_MIN 3
#define SCALING_POINTS_MAX 8
/* Sizes must span at least this factor: less, and the shapes look alike. */
#define SCALING_SPAN_MIN 3.0
/* How far beyond the largest size a prediction may go. */
#define SCALING_REACH_MAX 1000.0
/* A shape fits when no point is further from it than this, relatively. */
#define SCALING_MISFIT_MAX 0.25
/* Single measurements on an idle machine differ by this much even when nothing else shows it. */
#define SCALING_NOISE_MIN 0.05
/*
 * `points` are at most SCALING_POINTS_MAX, in any order. With `is_constant` (the server was seen to
 * read and write nothing that grows) the shape is given, and the range is that of the points.
 */
struct scaling rh_scaling_fit(const struct scaling_point *points, size_t count, bool is_constant,
                              double target_size);

#endif
