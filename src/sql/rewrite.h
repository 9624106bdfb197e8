/*
 * A recorded statement to what the new release sends in its place, by the rules of a transform.
 *
 * The parse tree says what is meant; the text is changed where the tree says that it stands, so
 * that comments and layout stay. Names are found through FROM, aliases, subqueries and WITH. A
 * column without its table belongs to the table that has a rule for it where that is certain; where
 * it may as well be another table's, or where a rule cannot be followed without guessing (a dropped
 * column in WHERE), the statement is refused as a whole, with the reason. Texts in constants and
 * the bodies of functions are not looked at. Pure.
 */
#ifndef RH_SQL_REWRITE_H
#define RH_SQL_REWRITE_H

#include "sql/transform.h"

enum rewrite_outcome {
    REWRITE_NOTHING,   /* no rule concerns it */
    REWRITE_DONE,      /* `query` is what is sent now */
    REWRITE_REFUSED,   /* a rule concerns it, and cannot be followed: `why` */
    REWRITE_NOT_PARSED /* not SQL that the parser knows: nothing is known of it */
};

struct sql_rewrite {
    enum rewrite_outcome outcome;
    struct text query; /* the text as it was, unless REWRITE_DONE */
    const char *why;   /* a sentence without its full stop */
    bool *matched;     /* by rule: it concerns this text */
    /* Numbers of the parameters that nothing asks for any more, as they were, in their order; the
       others moved up in the text, and so must values and types. */
    VEC(unsigned) dropped_parameters;
    /* Columns that are gone from the result, from 0; known where nothing before them is a star. */
    VEC(size_t) dropped_results;
};

/* `fingerprint`: of its pattern, where that is known; NULL. Texts lie in the arena. */
void rh_sql_rewrite(const struct transform *transform, struct text query,
                    const uint64_t *fingerprint, struct arena *arena,
                    struct sql_rewrite *ret_rewrite);

#endif
