/* Rows that INSERT, UPDATE and DELETE would make or leave: asked about without writing any of them,
   but to an empty copy. */
#include "engine/postgres/pg_inquiry_int.h"

#include "base/quote.h"

/* The constraint or column that the server named is all that is asked about. */
static void ask_named(struct inquiry *inquiry)
{
    const struct server_message *error = &inquiry->error;
    const struct pg_subject *subject = inquiry->subject;
    bool is_null = strcmp(error->sqlstate, "23502") == 0;
    bool is_own = error->table && strcmp(error->table, subject->raw) == 0;
    /* Of a partition the server names the partition's own constraint. */
    if (is_null)
        rh_pg_ask_validations(inquiry, subject->oid, subject, "",
                              error->column ? error->column : "");
    else if (is_own || subject->kind == 'p')
        rh_pg_ask_validations(inquiry, subject->oid, subject, is_own ? error->constraint : NULL,
                              NULL);
    else
        rh_pg_inquiry_refuse(inquiry, "the constraint is not one of %s", subject->name);
}

static bool is_of_another_table(const struct inquiry *inquiry)
{
    return inquiry->error.table && strcmp(inquiry->error.table, inquiry->subject->raw) != 0 &&
           strcmp(inquiry->error.sqlstate, "23503") == 0;
}

static void take_referring(struct inquiry *inquiry, void *data, const struct inquiry_answer *answer)
{
    struct pg_subject *referring = rh_pg_read_subject(inquiry, answer);
    (void)data;
    if (referring)
        rh_pg_ask_validations(inquiry, referring->oid, referring, inquiry->error.constraint, NULL);
}

/* Which rows refer to what would not be there any more? `rows`: what would. */
static void ask_referring_rows(struct inquiry *inquiry, const char *rows)
{
    struct arena *arena = inquiry->arena;
    const struct server_message *error = &inquiry->error;
    if (strcmp(error->sqlstate, "23503") != 0 || !error->schema || !error->table ||
        !error->constraint) {
        rh_pg_inquiry_refuse(inquiry, "the server named no foreign key");
        return;
    }
    inquiry->parents = rh_arena_printf(arena, "(%s)", rows);
    rh_pg_ask_subject(
        inquiry,
        rh_arena_printf(
            arena, "pg_catalog.to_regclass(pg_catalog.format('%%I.%%I', %s::text, %s::text))",
            rh_quote_literal(arena, error->schema), rh_quote_literal(arena, error->table)),
        take_referring, NULL);
}

static const char *column_list(struct inquiry *inquiry)
{
    const char *list = "";
    for (size_t i = 0; i < inquiry->subject->columns.count; i++)
        list = rh_arena_printf(inquiry->arena, "%s, %s", list,
                               inquiry->subject->columns.items[i].name);
    return list;
}

static void take_new_rows(struct inquiry *inquiry, void *data, const struct inquiry_answer *answer)
{
    (void)data;
    struct arena *arena = inquiry->arena;
    if (rh_pg_inquiry_failed(inquiry, answer, "the new rows"))
        return;
    const char *columns = column_list(inquiry);
    inquiry->source = rh_arena_printf(arena, "SELECT tableoid, ctid%s FROM %s", columns,
                                      inquiry->copy);
    inquiry->all_rows = rh_arena_printf(arena, "%s UNION ALL SELECT tableoid, ctid%s FROM %s",
                                        inquiry->source, columns, inquiry->subject->name);
    ask_named(inquiry);
}

void rh_pg_ask_new_rows(struct inquiry *inquiry)
{
    struct arena *arena = inquiry->arena;
    const struct validation *statement = &inquiry->statement;
    bool has_alias = strncmp(statement->definition, "as ", 3) == 0 ||
                     strncmp(statement->definition, "AS ", 3) == 0;
    const char *drops = "";
    for (size_t i = 0; i < inquiry->subject->columns.count; i++)
        if (!inquiry->subject->columns.items[i].nullable)
            drops = rh_arena_printf(arena, "%s%sALTER %s DROP NOT NULL", drops, *drops ? ", " : "",
                                    inquiry->subject->columns.items[i].name);
    /* An identity is not copied: it would count anew. What asks for one gets NULL, equal to none.
     */
    if (*drops)
        rh_pg_inquiry_ask(
            inquiry, rh_arena_printf(arena, "ALTER TABLE %s %s", inquiry->copy, drops), NULL, NULL);
    rh_pg_inquiry_ask(inquiry,
                      rh_arena_printf(arena, "%s %s%s%s %s", statement->prefix, inquiry->copy,
                                      has_alias ? "" : " AS ",
                                      has_alias ? "" : inquiry->subject->ident,
                                      statement->definition),
                      take_new_rows, NULL);
}

/* Every row with the values it would have. */
void rh_pg_ask_updated_rows(struct inquiry *inquiry)
{
    struct arena *arena = inquiry->arena;
    const struct validation *statement = &inquiry->statement;
    const struct pg_subject *subject = inquiry->subject;
    const char *columns = "tableoid, ctid";
    for (size_t i = 0; i < subject->columns.count; i++) {
        const struct pg_column *column = &subject->columns.items[i];
        const char *value = column->name;
        for (size_t c = 0; c < statement->clauses.count; c++) {
            const struct validation_clause *clause = &statement->clauses.items[c];
            if (!rh_pg_is_column(arena, clause->name, column->raw))
                continue;
            value = rh_arena_printf(arena, "CASE WHEN %s THEN (%s)::%s ELSE %s END",
                                    statement->condition ? statement->condition : "true",
                                    clause->expression, column->type, column->name);
        }
        columns = rh_arena_printf(arena, "%s, %s AS %s", columns, value, column->name);
    }
    const char *rows = rh_arena_printf(
        arena, "SELECT %s FROM %s%s%s%s", columns, statement->only ? "ONLY " : "", subject->name,
        statement->alias ? " AS " : "", statement->alias ? statement->alias : "");
    if (is_of_another_table(inquiry)) {
        ask_referring_rows(inquiry, rows);
        return;
    }
    inquiry->source = rows;
    ask_named(inquiry);
}

/* Every row but those that go. */
void rh_pg_ask_deleted_rows(struct inquiry *inquiry)
{
    const struct validation *statement = &inquiry->statement;
    const char *rows = rh_arena_printf(
        inquiry->arena, "SELECT tableoid, ctid%s FROM %s%s%s%s WHERE (%s) IS NOT TRUE",
        column_list(inquiry), statement->only ? "ONLY " : "", inquiry->subject->name,
        statement->alias ? " AS " : "", statement->alias ? statement->alias : "",
        statement->condition ? statement->condition : "true");
    if (!is_of_another_table(inquiry))
        inquiry->source = rows; /* rows that go together do not mind */
    ask_referring_rows(inquiry, rows);
}
