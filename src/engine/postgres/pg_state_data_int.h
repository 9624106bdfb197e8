/* The parts of the data state: reading (pg_state_data.c), the statement (pg_state_data_piece.c). */
#ifndef RH_ENGINE_POSTGRES_PG_STATE_DATA_INT_H
#define RH_ENGINE_POSTGRES_PG_STATE_DATA_INT_H

#include "base/text.h"
#include "model/state.h"

/* How a column is read; its name and expressions are SQL. */
struct column_form {
    const char *name, *text_form;
    int integer_bytes; /* of int2, int4, int8; 0: another type */
    bool may_be_null;
};
struct column_forms {
    struct column_form *items;
    size_t count, capacity;
};
/* NULL for none. */
const struct column_form *rh_pg_find_form(const struct column_forms *forms, const char *name);

/* Some columns of some blocks of a table. */
struct state_piece {
    const struct table_state *table;
    const struct column_forms *forms; /* of the table's columns, same order */
    size_t first_column, column_count;
    bool counts_rows, has_row;
    bool has_xor;                   /* the server can aggregate it: 14 */
    int64_t first_block, end_block; /* end_block 0: all of them */
    bool is_last;                   /* open: the table may have grown since its size was read */
};
/* A SELECT of one row: rows; per column its values that are not NULL (NULL: all rows) and the two
   halves of its digest; those of the rows as wholes when the piece has them. */
void rh_pg_add_state_piece(struct buf *sql, const struct state_piece *piece);

#endif
