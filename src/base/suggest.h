/*
 * "did you mean": the known name a mistyped one is closest to. Pure.
 */
#ifndef RH_BASE_SUGGEST_H
#define RH_BASE_SUGGEST_H

#include <stddef.h>

struct suggestion {
    const char *typed;
    const char *best; /* NULL: nothing is close enough */
    size_t best_distance;
};

/* Give every candidate; the first of equally close ones wins. */
void rh_suggest_consider(struct suggestion *suggestion, const char *candidate);

#endif
