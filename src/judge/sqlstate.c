/*
 * What a SQLSTATE means for a migration and what to do about it ("PostgreSQL Error Codes", appendix
 * A of the PostgreSQL 15 manual). Queries are built from names the server or the statement gave,
 * never from values.
 */
#include "judge/judge_int.h"

#include "base/quote.h"

#include <stdlib.h>
#include <string.h>

/* "public.users" of an error's fields, quoted where needed; NULL when the server named no table. */
static const char *error_table(struct arena *arena, const struct server_message *error)
{
    if (!error->table)
        return NULL;
    if (!error->schema)
        return rh_quote_name_where_needed(arena, error->table);
    return rh_arena_printf(arena, "%s.%s", rh_quote_name_where_needed(arena, error->schema),
                           rh_quote_name_where_needed(arena, error->table));
}

/* The columns of `Key (a, b)=(...)`: names or expressions, what follows may be values. */
static const char *key_columns(struct arena *arena, const struct server_message *error)
{
    const char *start = error->detail ? strstr(error->detail, "Key (") : NULL;
    const char *end = start ? strstr(start, ")=(") : NULL;
    if (!end)
        return NULL;
    start += strlen("Key (");
    return rh_arena_strndup(arena, start, (size_t)(end - start));
}

static const struct clause *clause_of(const struct act *act, const enum clause_kind *kinds,
                                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct clause *clause = rh_act_clause(act, kinds[i]);
        if (clause)
            return clause;
    }
    return NULL;
}

static const char *duplicates_query(struct arena *arena, const struct act *act)
{
    static const enum clause_kind kinds[] = {CLAUSE_ADD_UNIQUE, CLAUSE_ADD_PRIMARY_KEY,
                                             CLAUSE_CREATE_INDEX};
    const struct server_message *error = act->top->error;
    const struct clause *clause = clause_of(act, kinds, sizeof(kinds) / sizeof(kinds[0]));
    const char *columns = key_columns(arena, error);
    if (!columns && clause)
        columns = clause->columns;
    const char *table = error_table(arena, error);
    if (!table && clause)
        table = clause->relation;
    if (!table || !columns)
        return NULL;
    return rh_arena_printf(arena,
                           "SELECT %s, count(*) FROM %s\n"
                           "GROUP BY %s HAVING count(*) > 1 ORDER BY count(*) DESC;",
                           columns, table, columns);
}

static const char *nulls_query(struct arena *arena, const struct act *act)
{
    const struct server_message *error = act->top->error;
    const char *table = error_table(arena, error);
    if (!table || !error->column)
        return NULL;
    const char *column = rh_quote_name_where_needed(arena, error->column);
    /* ADD COLUMN ... NOT NULL: every row is NULL, there is nothing to count. */
    const struct clause *added = rh_act_clause(act, CLAUSE_ADD_COLUMN);
    if (added && added->column && strcmp(added->column, column) == 0)
        return rh_arena_printf(arena, "ALTER TABLE %s ADD COLUMN %s %s DEFAULT <value> NOT NULL;",
                               table, column, added->definition ? added->definition : "<type>");
    return rh_arena_printf(arena,
                           "SELECT count(*) FROM %s WHERE %s IS NULL;\n"
                           "UPDATE %s SET %s = <value> WHERE %s IS NULL AND <key range>;",
                           table, column, table, column, column);
}

static bool is_single_column(const char *columns)
{
    return columns && !strpbrk(columns, ",(");
}

static const char *orphans_query(struct arena *arena, const struct act *act)
{
    const struct server_message *error = act->top->error;
    const struct clause *clause = rh_act_clause(act, CLAUSE_ADD_FOREIGN_KEY);
    const char *table = error_table(arena, error);
    const char *columns = key_columns(arena, error);
    if (!columns && clause)
        columns = clause->columns;
    if (!table || !is_single_column(columns) || !clause || !clause->target)
        return NULL;
    const char *target_column = clause->target_columns ? clause->target_columns : "<its key>";
    return rh_arena_printf(arena,
                           "SELECT count(*) FROM %s c WHERE c.%s IS NOT NULL AND NOT EXISTS\n"
                           "  (SELECT FROM %s p WHERE p.%s = c.%s);",
                           table, columns, clause->target, target_column, columns);
}

static const char *violations_query(struct arena *arena, const struct act *act)
{
    const struct clause *clause = rh_act_clause(act, CLAUSE_ADD_CHECK);
    const char *table = error_table(arena, act->top->error);
    if (!table || !clause || !clause->columns)
        return NULL;
    return rh_arena_printf(arena, "SELECT count(*) FROM %s WHERE NOT (%s);", table,
                           clause->columns);
}

/* The n of varchar(n) and char(n); 0 for other types. */
static long type_length(const char *type)
{
    if (strncasecmp(type, "varchar", 7) != 0 && strncasecmp(type, "char", 4) != 0 &&
        strncasecmp(type, "bpchar", 6) != 0)
        return 0;
    const char *open = strchr(type, '(');
    return open ? strtol(open + 1, NULL, 10) : 0;
}

static const char *too_long_query(struct arena *arena, const struct act *act)
{
    const struct clause *clause = rh_act_clause(act, CLAUSE_COLUMN_TYPE);
    if (!clause || !clause->relation || !clause->column || !clause->definition)
        return NULL;
    long length = type_length(clause->definition);
    if (length <= 0)
        return NULL;
    return rh_arena_printf(arena,
                           "SELECT count(*), max(length(%s)) FROM %s WHERE length(%s) > %ld;",
                           clause->column, clause->relation, clause->column, length);
}

/* pg_input_is_valid came with PostgreSQL 16 (section 9.26.12 of its manual). */
#define INPUT_IS_VALID_SINCE 16

static const char *bad_cast_query(struct arena *arena, const struct act *act,
                                  const char *server_version)
{
    const struct clause *clause = rh_act_clause(act, CLAUSE_COLUMN_TYPE);
    if (!clause || !clause->relation || !clause->column || !clause->definition)
        return NULL;
    if (server_version && strtol(server_version, NULL, 10) >= INPUT_IS_VALID_SINCE)
        return rh_arena_printf(
            arena, "SELECT count(*) FROM %s WHERE NOT pg_input_is_valid(%s::text, %s);",
            clause->relation, clause->column, rh_quote_literal(arena, clause->definition));
    if (strncasecmp(clause->definition, "int", 3) == 0 ||
        strncasecmp(clause->definition, "bigint", 6) == 0 ||
        strncasecmp(clause->definition, "smallint", 8) == 0)
        return rh_arena_printf(arena,
                               "SELECT count(*) FROM %s\n"
                               "WHERE %s::text !~ '^\\s*[-+]?[0-9]+\\s*$';",
                               clause->relation, clause->column);
    if (strncasecmp(clause->definition, "numeric", 7) == 0 ||
        strncasecmp(clause->definition, "decimal", 7) == 0)
        return rh_arena_printf(arena,
                               "SELECT count(*) FROM %s\n"
                               "WHERE %s::text !~ '^\\s*[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)\\s*$';",
                               clause->relation, clause->column);
    return NULL;
}

static const char *out_of_range_query(struct arena *arena, const struct act *act)
{
    const struct clause *clause = rh_act_clause(act, CLAUSE_COLUMN_TYPE);
    if (!clause || !clause->relation || !clause->column)
        return NULL;
    return rh_arena_printf(arena, "SELECT min(%s), max(%s) FROM %s;", clause->column,
                           clause->column, clause->relation);
}

struct sqlstate_row {
    const char *sqlstate; /* five characters, or the two of a class */
    const char *meaning, *advice;
};

/* Exact codes before their class. */
static const struct sqlstate_row rows[] = {
    {"23505",
     "Rows that are already there share a key that is to be unique. PostgreSQL names the first "
     "pair only; there may be many.",
     "List all duplicates, stop new ones (application, or a partial unique index), merge or rename "
     "the "
     "surplus, then build the index CONCURRENTLY."},
    {"23502", "Rows that are already there hold NULL where none is to be allowed any more.",
     "Fill the NULLs in batches (or add the column with a default), see that the application "
     "writes no new "
     "ones, then require NOT NULL."},
    {"23503", "Rows that are already there refer to rows that do not exist.",
     "Find the orphans; delete them, give them a parent or set the reference to NULL. Then add the "
     "key NOT "
     "VALID and VALIDATE it separately."},
    {"23514",
     "Rows that are already there break the rule that is to hold from now on, or fit no partition.",
     "Find them, repair them in batches, then add the constraint NOT VALID and VALIDATE it "
     "separately."},
    {"23P01", "Rows that are already there overlap where an exclusion constraint allows none.",
     "Find the overlapping pairs with a self-join on the constraint's operators and repair them "
     "first."},
    {"23", "Rows that are already there break the constraint.",
     "Repair the rows first, in batches."},
    {"22001", "A value that is already there is longer than the new type allows.",
     "Find the longest values and shorten them, or choose a length that fits; text with a CHECK on "
     "its "
     "length can be changed later without a rewrite."},
    {"22P02", "A value that is already there cannot be read as the new type.",
     "Find the values that do not convert and repair them first, or convert in the USING clause "
     "with an "
     "expression that handles them."},
    {"22003", "A value that is already there is too large or too small for the new type.",
     "Look at the extremes, then choose a type that holds them or repair the rows first."},
    {"22007", "A value that is already there is no valid date or time.",
     "Find such values and repair them, or convert with to_date/to_timestamp in the USING clause."},
    {"22008", "A date or time that is already there is out of range.",
     "Find such values and repair them first."},
    {"22012", "The statement divides by zero on rows that are already there.",
     "Guard the divisor with NULLIF(divisor, 0)."},
    {"22023", "A setting or an argument has a value that this server does not accept.",
     "Correct the value in the statement; what is accepted differs between major versions."},
    {"22", "Data that is already there does not fit what the statement wants to do with it.",
     "Find the rows it fails on and repair them first, or guard the expression."},
    {"42501", "The role the migration runs as lacks a privilege.",
     "Run it as the owner of the object, or grant what is missing. Altering and dropping need "
     "ownership: no "
     "GRANT is enough for them. The sandbox runs migrations as an owner that is no superuser, as "
     "production should."},
    {"42P01", "It names a relation that does not exist where the run started.",
     "Check the spelling and search_path, the order of the migrations, and that --schema or "
     "--snapshot is "
     "what production is at."},
    {"42703", "It names a column that does not exist where the run started.",
     "Check the spelling (quoted names keep their case), the order of the migrations, and that "
     "--schema or "
     "--snapshot is what production is at."},
    {"42704", "It names a type, constraint, role or other object that does not exist.",
     "Create it first, in a migration of its own; extensions and roles may exist in production "
     "only: then "
     "the starting point lacks them."},
    {"42883", "It calls a function or operator that does not exist for these types.",
     "Check extensions, search_path and argument types; a USING clause may need an explicit cast."},
    {"42P07", "It creates a relation that is already there.",
     "Has the migration run before, or was the name taken by hand? Compare the existing object "
     "before "
     "adding IF NOT EXISTS: it accepts anything that has the name."},
    {"42701", "It adds a column that is already there.",
     "Has the migration run before, or was the column added by hand? Compare it before adding IF "
     "NOT "
     "EXISTS."},
    {"42710", "It creates an object that is already there.",
     "Has the migration run before? Compare the existing object before working around it."},
    {"42P06", "It creates a schema that is already there.",
     "Has the migration run before? Use CREATE SCHEMA IF NOT EXISTS where any such schema will "
     "do."},
    {"42804", "The types do not match; a column's new type may have no automatic conversion.",
     "Add USING <column>::<type> (or an expression) to ALTER COLUMN ... TYPE, and a fitting "
     "DEFAULT."},
    {"42601", "The server cannot parse the statement.",
     "Correct the SQL at the place the server names."},
    {"42", "The statement does not fit the schema it meets.",
     "Check it against the schema the run started from; is --schema or --snapshot what production "
     "is at?"},
    {"3F000", "It names a schema that does not exist where the run started.",
     "Create the schema first, or check that --schema or --snapshot is what production is at."},
    {"2BP01", "Other objects depend on what is to be dropped.",
     "Drop or change the dependents by name first. CASCADE would take all of them along, unnamed."},
    {"0A000",
     "The server does not support this here; after a type change also: a cached plan or a view "
     "does "
     "not fit any more.",
     "Views and rules that use the column must be dropped and created again around the change; "
     "other "
     "cases need another way to say it on this server version."},
    {"55006", "An object is in use by this very session or by others.",
     "Close cursors and end pending trigger events first: data changes and ALTER TABLE of one "
     "table belong "
     "into separate transactions."},
    {"55P04", "A new enum value cannot be used in the transaction that added it.",
     "Commit ALTER TYPE ... ADD VALUE first; use the value in the next migration."},
    {"55", "The object is not in the state the statement needs.",
     "Do what the server's hint says before this statement."},
    {"25006", "The transaction is read-only.",
     "Check default_transaction_read_only of role and database."},
    {"25", "The statement does not fit the state of its transaction.",
     "Look at where the transaction begins and ends."},
    {"40001", "A concurrent change made the transaction's snapshot useless.",
     "Retry the transaction."},
    {"40", "The transaction was rolled back by the server.", "Retry the transaction."},
    {"53100", "The disk of the sandbox ran full.",
     "Give it more room (--sandbox-dir, TMPDIR) to rehearse; in production expect old and new "
     "copy, indexes, temporary files and WAL side by side."},
    {"53", "The server ran out of a resource.",
     "Look at the server's message; do the work in batches."},
    {"54", "A limit of the server was exceeded.",
     "Make the statement smaller; do the work in batches."},
    {"57014", "COPY waits for rows from its client, and there were none.",
     "Put the rows behind it in a file that psql runs, or write INSERT."},
    {"57P", "The server ended the session.", "Look at the server's log in the run's directory."},
    {"58", "The server met a system error, outside of SQL.", "Look at the server's log."},
    {"28", "The server refused the role.", "Check the role and password the command uses."},
    {"P0001", "The migration's own code raised the error.",
     "What it checks for does not hold on this data: see its message."},
    {"P0", "PL/pgSQL code raised the error.", "See the server's message and context."},
    {"XX", "The server met an error inside itself.",
     "Look at the server's log in the run's directory; report it to PostgreSQL if it is "
     "reproducible."},
};

static const struct sqlstate_row *find_row(const char *sqlstate)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strncmp(sqlstate, rows[i].sqlstate, strlen(rows[i].sqlstate)) == 0)
            return &rows[i];
    return NULL;
}

/* Names the role, which the server's message does not. */
static const char *permission_advice(const struct judgement *judgement, const struct act *act,
                                     const char *advice)
{
    const struct trace *trace = judgement->trace;
    int session = act->top->session;
    if (session < 0 || (size_t)session >= trace->sessions.count ||
        !trace->sessions.items[session].user)
        return advice;
    return rh_arena_printf(judgement->arena, "It ran as role \"%s\". %s",
                           trace->sessions.items[session].user, advice);
}

/* ALTER TABLE behind a data change whose foreign keys are DEFERRABLE INITIALLY DEFERRED, as those
 * that Django makes. */
static void advise_pending_triggers(struct sqlstate_advice *advice)
{
    advice->meaning =
        "Rows that this transaction changed before still wait for the check of a deferred foreign "
        "key; until then their table cannot be altered.";
    advice->advice = "Change the rows in a migration of its own that is committed first. Where it "
                     "must be one transaction, have the checks made before ALTER TABLE:";
    advice->sql = "SET CONSTRAINTS ALL IMMEDIATE;";
}

struct sqlstate_advice rh_sqlstate_advice(const struct judgement *judgement, const struct act *act)
{
    struct arena *arena = judgement->arena;
    const struct server_message *error = act->top->error;
    struct sqlstate_advice advice = {
        .meaning = "The server refused the statement.",
        .advice = "See the server's message and hint; try the statement by hand with --keep.",
    };
    if (!error)
        return advice;
    const struct sqlstate_row *row = find_row(error->sqlstate);
    if (row) {
        advice.meaning = row->meaning;
        advice.advice = row->advice;
    }
    if (error->hint)
        advice.meaning = rh_arena_printf(arena, "%s The server's hint: %s", advice.meaning,
                                         rh_text_one_line(arena, rh_text(error->hint), 200));
    if (strcmp(error->sqlstate, "23505") == 0)
        advice.sql = duplicates_query(arena, act);
    else if (strcmp(error->sqlstate, "23502") == 0)
        advice.sql = nulls_query(arena, act);
    else if (strcmp(error->sqlstate, "23503") == 0)
        advice.sql = orphans_query(arena, act);
    else if (strcmp(error->sqlstate, "23514") == 0)
        advice.sql = violations_query(arena, act);
    else if (strcmp(error->sqlstate, "22001") == 0)
        advice.sql = too_long_query(arena, act);
    else if (strcmp(error->sqlstate, "22P02") == 0)
        advice.sql = bad_cast_query(arena, act, judgement->result->fidelity.server_version);
    else if (strcmp(error->sqlstate, "22003") == 0)
        advice.sql = out_of_range_query(arena, act);
    else if (strcmp(error->sqlstate, "42501") == 0)
        advice.advice = permission_advice(judgement, act, advice.advice);
    else if (strcmp(error->sqlstate, "55006") == 0 && error->message &&
             strstr(error->message, "pending trigger events"))
        advise_pending_triggers(&advice);
    return advice;
}
