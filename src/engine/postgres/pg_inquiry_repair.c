#include "engine/postgres/pg_inquiry_int.h"

#include "base/quote.h"

void rh_pg_repair_add(struct inquiry *inquiry, struct pg_question *question, bool loses_rows,
                      const char *format, ...)
{
    va_list args;
    if (question->repairs.count == INQUIRY_REPAIRS_MAX)
        return;
    struct pg_repair *repair = RH_PUSH(inquiry->arena, &question->repairs);
    repair->loses_rows = loses_rows;
    va_start(args, format);
    repair->sql = rh_arena_vprintf(inquiry->arena, format, args);
    va_end(args);
}

void rh_pg_repair_fills(struct pg_question *question, const char *column)
{
    if (question->repairs.count > 0)
        question->repairs.items[question->repairs.count - 1].fills = column;
}

void rh_pg_repair_invents(struct pg_question *question)
{
    if (question->repairs.count == 0)
        return;
    struct pg_repair *repair = &question->repairs.items[question->repairs.count - 1];
    repair->invents = true;
    repair->loses_rows = false;
}

void rh_pg_repair_null(struct inquiry *inquiry, struct pg_question *question, const char *column,
                       const char *condition, bool only)
{
    rh_pg_repair_add(inquiry, question, true, "UPDATE %s SET %s = NULL WHERE %s",
                     rh_pg_target(inquiry->arena, question->subject, only), column, condition);
}

void rh_pg_repair_delete(struct inquiry *inquiry, struct pg_question *question,
                         const char *condition, bool only)
{
    rh_pg_repair_add(inquiry, question, true, "DELETE FROM %s WHERE %s",
                     rh_pg_target(inquiry->arena, question->subject, only), condition);
}

/* All rows of a group but the first by key. */
void rh_pg_repair_groups(struct inquiry *inquiry, struct pg_question *question, bool only)
{
    struct arena *arena = inquiry->arena;
    const char *target = rh_pg_target(arena, question->subject, only);
    const char *partition = "", *condition = NULL, *nullable = NULL, *text = NULL;
    if (question->where)
        condition = rh_arena_printf(arena, "(%s)", question->where);
    for (size_t i = 0; i < question->keys.count; i++) {
        const struct pg_key *key = &question->keys.items[i];
        bool plain = !key->collate || rh_pg_is_cheaper_collation(key);
        partition = rh_arena_printf(arena, "%s%s%s%s%s", partition, i ? ", " : "", key->sql,
                                    plain ? "" : " COLLATE ", plain ? "" : key->collate);
        if (!question->nulls_equal)
            condition = rh_arena_printf(arena, "%s%s%s %s", condition ? condition : "",
                                        condition ? " AND " : "", key->sql,
                                        key->composite ? "IS DISTINCT FROM NULL" : "IS NOT NULL");
        nullable = nullable ? nullable : key->nullable;
        text = text ? text : key->text;
    }
    const char *later = rh_arena_printf(
        arena,
        "(SELECT tableoid, ctid, row_number() OVER (PARTITION BY %s ORDER BY %s) AS place FROM "
        "%s%s%s) AS d WHERE d.place > 1 AND t.tableoid = d.tableoid AND t.ctid = d.ctid",
        partition, question->subject->key_columns, target, condition ? " WHERE " : "",
        condition ? condition : "");
    rh_pg_repair_add(inquiry, question, true, "DELETE FROM %s AS t USING %s", target, later);
    /* where rows are still referred to */
    if (nullable && !question->nulls_equal)
        rh_pg_repair_add(inquiry, question, true, "UPDATE %s AS t SET %s = NULL FROM %s", target,
                         nullable, later);
    if (text)
        rh_pg_repair_tell_apart(inquiry, question, text, target, later);
}

/* Every row that conflicts with an earlier one. */
void rh_pg_repair_pairs(struct inquiry *inquiry, struct pg_question *question, bool only)
{
    struct arena *arena = inquiry->arena;
    const char *target = rh_pg_target(arena, question->subject, only);
    const char *columns = "";
    for (size_t i = 0; i < question->keys.count; i++)
        columns = rh_arena_printf(arena, "%s, (%s) AS rehearse_k%zu", columns,
                                  question->keys.items[i].sql, i);
    const char *rows = rh_arena_printf(
        arena, "(SELECT tableoid, ctid, ROW(%s) AS place%s FROM %s%s%s)",
        question->subject->key_columns, columns, target, question->where ? " WHERE " : "",
        question->where ? question->where : "");
    rh_pg_repair_add(inquiry, question, true,
                     "DELETE FROM %s AS t USING %s AS later, %s AS earlier WHERE earlier.place < "
                     "later.place AND %s AND t.tableoid = later.tableoid AND t.ctid = later.ctid",
                     target, rows, rows, rh_pg_pair_condition(arena, question, "later", "earlier"));
}

const char *rh_pg_placeholder(struct arena *arena, const struct pg_placeholder *type)
{
    switch (type->type_id) { /* oids of pg_type.dat, the same in every version */
    case 17:                 /* bytea */
        return "''";
    case 114:
    case 3802: /* json, jsonb */
        return "'{}'";
    case 1082: /* date */
        return "CURRENT_DATE";
    case 1083:
    case 1266: /* time, with time zone */
        return "'00:00'";
    case 2950:
        return "gen_random_uuid()";
    default: /* an oid: the category tells */
        break;
    }
    switch (type->category) {
    case 'N':
        return "0";
    case 'S':
        return "''";
    case 'B':
        return "false";
    case 'D':
        return "now()";
    case 'T':
        return "'0'";
    case 'A':
        return "'{}'";
    case 'R':
        return "'empty'";
    case 'I':
        return "'0.0.0.0'";
    case 'E':
        return type->label ? rh_quote_literal(arena, type->label) : NULL;
    default: /* a letter of the server's */
        return NULL;
    }
}
