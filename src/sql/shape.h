/*
 * The shape of a text: its tokens, with each constant as one mark, so that texts which differ in
 * their constants alone have one. Finer than a pattern: lists of other lengths are other shapes, so
 * that what is known of the constants of one text, in their order, holds for all of its shape. The
 * sequence that nextval('...') and its like name belongs to the shape. Pure.
 */
#ifndef RH_SQL_SHAPE_H
#define RH_SQL_SHAPE_H

#include "base/arena.h"
#include "sql/lexer.h"

/* Longer texts are their own shape. */
#define SQL_SHAPE_BYTES_MAX ((size_t)64 * 1024)

struct sql_shape {
    uint64_t low, high;
};
/* `scratch` holds SQL_SHAPE_BYTES_MAX + 1 at least; it is cleared first. */
struct sql_shape rh_sql_shape(struct text query, struct buf *scratch);

/* A string or a number, but not that of $1. */
bool rh_sql_token_is_constant(struct text query, const struct sql_token *token);
size_t rh_sql_constant_count(struct text query);

/* The sequence whose value a text asks for. */
struct sql_sequence_call {
    bool is_last; /* lastval() */
    /* nextval('name'), currval('name'); of pg_get_serial_sequence('table', 'column') those. Without
       quotes; NULL. `schema` as written, NULL. */
    const char *schema, *sequence, *table, *column;
};
/* False: there is no such call, or there are several that name different ones. Texts in `arena`. */
bool rh_sql_sequence_call(struct text query, struct arena *arena,
                          struct sql_sequence_call *ret_call);

#endif
