/*
 * The pattern of a query: what it has in common with all that differ from it in constants only.
 * Pure. libpg_query's fingerprint (of the parse tree, so the same in every database and version),
 * with comments and the layout of the text out of the way; what it cannot parse gets a fingerprint
 * of its tokens, with constants as one.
 */
#ifndef RH_SQL_PATTERN_H
#define RH_SQL_PATTERN_H

#include "base/arena.h"
#include "base/text.h"
#include "model/workload.h"

/* Longer texts get a fingerprint of their tokens: the parser's memory is many times the text. */
#define PATTERN_PARSE_BYTES_MAX (256 * 1024)

/* The highest n of $n in it; 0: there is none. */
unsigned rh_sql_most_parameter(struct text query);

/*
 * Of a whole query string, with several statements perhaps (then of all of them together). Texts
 * lie in the arena; `number` is left 0. EXECUTE name (...) is a pattern by that name: whoever knows
 * the session's PREPARE puts the prepared statement's in its place (`ret_executes`, the name; NULL
 * where the text is none).
 */
void rh_sql_pattern(struct arena *arena, struct text query, struct workload_pattern *ret_pattern,
                    const char **ret_executes);

/*
 * Texts of one key have one pattern: their words are the same, constants and layout aside; the
 * reverse does not hold. A fiftieth of what a pattern costs: caches find by it what they know,
 * whatever the constants are.
 */
struct sql_pattern_key {
    uint64_t low, high;
};
struct sql_pattern_key rh_sql_pattern_key(struct text query);

/* What a value is, whatever its column. */
enum sql_value_kind {
    SQL_VALUE_ANY,   /* it may say something of somebody */
    SQL_VALUE_PLAIN, /* a number, a time, a uuid: it is cast to a type of such values */
    SQL_VALUE_NAME,  /* of a unit, format, setting, object of the server, member of a document */
    SQL_VALUE_JSON,  /* a document: it is cast to json or jsonb */
};

/* How a value stands to its column's. */
enum sql_value_form {
    SQL_VALUE_SAME,
    SQL_VALUE_ARRAY,   /* it is an array of them: column = ANY ($1), unnest($1) */
    SQL_VALUE_ELEMENT, /* they are arrays, it is in one: $1 = ANY (column) */
};

struct sql_value {
    /* It is compared with, or assigned to: "users.email", "email"; a member of a document:
       "orders.data->address->>street", with "[]" for an element of an array. NULL: none. */
    const char *column;
    enum sql_value_kind kind;
    enum sql_value_form form;
};

/* Where the text's constants lie, in their order: for masking them in place. */
struct sql_constant {
    size_t offset, length; /* in the text, quotes included */
    struct sql_value value;
};
typedef VEC(struct sql_constant) sql_constants;
/* False: the text cannot be parsed, and constants are only told by their tokens. */
bool rh_sql_constants(struct arena *arena, struct text query, sql_constants *ret_constants);
/* Of $1, $2, ... */
void rh_sql_parameters(struct arena *arena, struct text query, struct sql_value **ret_values,
                       size_t *ret_count);

#endif
