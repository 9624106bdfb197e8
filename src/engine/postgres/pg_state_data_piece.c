/*
 * The statement that reads a piece of a table for its data state.
 *
 * What a value's digest is: with t the text form of the value (every setting that shapes it is
 * pinned, PG_STATE_SESSION_SQL), s a 64-bit hash of the row's key (0 for a table without one) and
 *
 *     h = hashtextextended(t, s)
 *
 * over the rows with a value: the sum of h modulo 2^64, and the xor of h (13, which cannot
 * aggregate it: the sum of the product of h's halves). The sum comes first, because in xor equal
 * values of a table without key cancel. The text form and not the type's own hash function, because
 * that says 1.0 = 1.00 and cannot be compared after a change of type. Odds: one changed value is
 * missed when its h is the same, 2^-64 if it were ideal; many that cancel each other have to do so
 * in both, 2^-128. lookup3 is no cryptographic hash: it defends against accidents, not against
 * whoever chooses values to collide, and nobody gains by that in a rehearsal.
 *
 * Integers are hashed by their own hash instead, the same one for all of their types, unless the
 * column was of another type when the state to compare with was read; then, and where it was an
 * integer and no longer is one, the same way is taken again.
 *
 * s chains the key's columns. A bigint of a key is folded by its hash: where two keys share an s,
 * only values that change places between just these two are missed.
 *
 * Measured (15, five tables as shops have them, 340 MB, 2,600,000 rows, cached; CPU seconds,
 * COPY of all to /dev/null 1.0): two hashes a value and keys of several columns as ROW(...)::text
 * 2.0; keys chained 1.75; one hash a value, counts of what may be NULL alone 1.5; integers by their
 * own hash 1.25. Times and floats by their own hash as well: 1.1, but a change of their type could
 * no longer be compared. OFFSET 0 is a fence that keeps the planner from computing what is inside
 * once for each sum that uses it (optimizer/prep/prepjointree.c, is_simple_subquery); it also keeps
 * it from parallel aggregation.
 */
#include "engine/postgres/pg_state_data_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KEY_SEED "7310033285116641896"
#define SAMPLE_SEED "4121372904438617151"
/* Integers as texts have them: of a column that was an integer before, and is none now. */
#define INTEGER_PATTERN "'^(0|-?[1-9][0-9]{0,17})$'"

const struct column_form *rh_pg_find_form(const struct column_forms *forms, const char *name)
{
    for (size_t i = 0; i < forms->count; i++)
        if (strcmp(forms->items[i].name, name) == 0)
            return &forms->items[i];
    return NULL;
}

/* One text of several columns, NULL or not: a row's own text form says where each begins and ends.
 */
static void add_row_text(struct buf *sql, const struct state_piece *piece)
{
    const struct table_state *table = piece->table;
    rh_buf_add_str(sql, "ROW(");
    for (size_t i = 0; i < table->row_columns.count; i++) {
        const struct column_form *form = rh_pg_find_form(piece->forms, table->row_columns.items[i]);
        rh_buf_printf(sql, "%s%s", i ? ", " : "", form ? form->text_form : "NULL::text");
    }
    rh_buf_add_str(sql, ")::text COLLATE \"C\"");
}

/* The first `count` columns of the key: each hash is the seed of the next column's. */
static void add_key_hash(struct buf *sql, const struct state_piece *piece, const char *seed,
                         size_t count)
{
    const struct table_state *table = piece->table;
    if (count == 0) {
        rh_buf_add_str(sql, seed);
        return;
    }
    const struct column_form *form = rh_pg_find_form(piece->forms, table->key.items[count - 1]);
    const char *text = form ? form->text_form : "NULL::text";
    bool is_integer = form && form->integer_bytes > 0;
    bool was_integer = table->key_is_integer.items[count - 1];
    if (was_integer && !is_integer)
        rh_buf_printf(sql, "CASE WHEN %s ~ " INTEGER_PATTERN " THEN ", text);
    if (was_integer) {
        rh_buf_printf(sql, "hashint8extended((%s)::int8, ", is_integer ? form->name : text);
        add_key_hash(sql, piece, seed, count - 1);
        rh_buf_add_str(sql, ")");
    }
    if (was_integer && !is_integer)
        rh_buf_add_str(sql, " ELSE ");
    if (!was_integer || !is_integer) {
        rh_buf_printf(sql, "hashtextextended((%s) COLLATE \"C\", ", text);
        add_key_hash(sql, piece, seed, count - 1);
        rh_buf_add_str(sql, ")");
    }
    if (was_integer && !is_integer)
        rh_buf_add_str(sql, " END");
}

/* The hash of a column's value. A bigint's high half goes into the seed, because its own hash folds
   both into one: what fits into an int4 is hashed as such, and no two bigints alike. */
static void add_value_hash(struct buf *sql, const struct column_form *form, bool was_integer,
                           const char *seed)
{
    const char *text = form->text_form;
    if (was_integer && form->integer_bytes > 0 && form->integer_bytes < 8)
        rh_buf_printf(sql, "hashint4extended(%s, %s)", form->name, seed);
    else if (was_integer && form->integer_bytes > 0)
        rh_buf_printf(sql, "hashint8extended(%s, %s # (%s >> 31) # (%s >> 63))", form->name, seed,
                      form->name, form->name);
    else if (was_integer)
        rh_buf_printf(sql,
                      "CASE WHEN %s ~ " INTEGER_PATTERN " THEN hashint8extended((%s)::int8, %s # "
                      "((%s)::int8 >> 31) # ((%s)::int8 >> 63)) ELSE hashtextextended((%s) COLLATE "
                      "\"C\", %s) END",
                      text, text, seed, text, text, text, seed);
    else
        rh_buf_printf(sql, "hashtextextended((%s) COLLATE \"C\", %s)", text, seed);
}

static void add_sums(struct buf *sql, const struct state_piece *piece, const char *hash)
{
    rh_buf_printf(sql, ", sum(%s), ", hash);
    if (piece->has_xor)
        rh_buf_printf(sql, "bit_xor(%s)", hash);
    else
        rh_buf_printf(sql, "sum((%s >> 32) * (%s & 4294967295))", hash, hash);
}

/* Each row with its key's hash; without a key the table itself. */
static void add_rows(struct buf *sql, const struct state_piece *piece)
{
    const struct table_state *table = piece->table;
    bool has_key = table->key.count > 0;
    if (has_key) {
        rh_buf_add_str(sql, "(SELECT ");
        for (size_t i = 0; i < piece->column_count; i++)
            rh_buf_printf(sql, "%s, ", piece->forms->items[piece->first_column + i].name);
        add_key_hash(sql, piece, KEY_SEED, table->key.count);
        rh_buf_add_str(sql, " AS \"rehearse seed\"");
        if (table->sample_parts < SAMPLE_PARTS) {
            rh_buf_add_str(sql, ", (");
            add_key_hash(sql, piece, SAMPLE_SEED, table->key.count);
            rh_buf_printf(sql, " & %u) < %u AS \"rehearse chosen\"", SAMPLE_PARTS - 1,
                          table->sample_parts);
        }
        rh_buf_add_str(sql, " FROM ");
    }
    rh_buf_printf(sql, "ONLY %s", table->identity);
    if (piece->end_block > 0)
        rh_buf_printf(sql, " WHERE ctid >= '(%" PRId64 ",0)'", piece->first_block);
    if (piece->end_block > 0 && !piece->is_last)
        rh_buf_printf(sql, " AND ctid < '(%" PRId64 ",0)'", piece->end_block);
    if (has_key)
        rh_buf_add_str(sql, " OFFSET 0) AS p");
}

/* Counts are of all rows; of those that are not in the sample nothing is hashed. */
void rh_pg_add_state_piece(struct buf *sql, const struct state_piece *piece)
{
    const struct table_state *table = piece->table;
    const struct column_form *forms = piece->forms->items + piece->first_column;
    const struct column_state *columns = table->columns.items + piece->first_column;
    bool is_sampled = table->sample_parts < SAMPLE_PARTS;
    const char *seed = table->key.count > 0 ? "\"rehearse seed\"" : "0";
    rh_buf_add_str(sql, "SELECT count(*)");
    for (size_t i = 0; i < piece->column_count; i++) {
        char hash[24];
        snprintf(hash, sizeof(hash), "h%zu", i);
        if (forms[i].may_be_null)
            rh_buf_printf(sql, ", count(%s%zu)", is_sampled ? "c" : "h", i);
        else
            rh_buf_add_str(sql, ", NULL");
        add_sums(sql, piece, hash);
    }
    if (piece->has_row)
        add_sums(sql, piece, "r");
    rh_buf_add_str(sql, " FROM (SELECT ");
    for (size_t i = 0; i < piece->column_count; i++) {
        if (is_sampled && forms[i].may_be_null)
            rh_buf_printf(sql, "%s AS c%zu, ", forms[i].name, i);
        rh_buf_add_str(sql, is_sampled ? "CASE WHEN \"rehearse chosen\" THEN " : "");
        add_value_hash(sql, &forms[i], columns[i].is_integer, seed);
        rh_buf_printf(sql, "%s AS h%zu, ", is_sampled ? " END" : "", i);
    }
    if (piece->has_row) {
        rh_buf_add_str(sql, "hashtextextended(");
        add_row_text(sql, piece);
        rh_buf_add_str(sql, ", " KEY_SEED ") AS r, ");
    }
    rh_buf_add_str(sql, "NULL FROM ");
    add_rows(sql, piece);
    rh_buf_add_str(sql, " OFFSET 0) AS q");
}
