#include "base/quote.h"
#include "engine/postgres/pg_inquiry_int.h"
#include "engine/postgres/pg_sql_int.h"

#include "engine/postgres/pg_sql.inc.h"

#include <jansson.h>

static const char *relation_expression(struct inquiry *inquiry, const char *written)
{
    return rh_arena_printf(inquiry->arena, "pg_catalog.to_regclass(%s)",
                           rh_quote_literal(inquiry->arena, written));
}

static const char *value_of(const struct inquiry_answer *answer, size_t column)
{
    return !answer->error && answer->rows > 0 && column < answer->columns ? answer->values[column]
                                                                          : NULL;
}

static void drop_later(struct inquiry *inquiry, const char *format, const char *name)
{
    *RH_PUSH(inquiry->arena, &inquiry->drops) = rh_arena_printf(inquiry->arena, format, name);
}

/* --- where copies are made --- */

void rh_pg_make_schema(struct inquiry *inquiry, const char *schema)
{
    if (!schema || strcmp(schema, INQUIRY_SCRATCH) != 0 || inquiry->has_schema)
        return;
    inquiry->has_schema = true;
    rh_pg_inquiry_ask(inquiry, "CREATE SCHEMA " INQUIRY_SCRATCH, NULL, NULL);
    *RH_PUSH(inquiry->arena, &inquiry->drops) = "DROP SCHEMA " INQUIRY_SCRATCH " CASCADE";
}

const char *rh_pg_copy_name(struct inquiry *inquiry, const char *schema, const char *ident)
{
    bool is_own = strcmp(schema, INQUIRY_SCRATCH) == 0;
    rh_pg_make_schema(inquiry, schema);
    return rh_arena_printf(inquiry->arena, "%s.%s", schema, is_own ? ident : INQUIRY_SCRATCH);
}

/* --- clauses on an empty copy --- */

static bool changes_type(const struct validation *statement)
{
    for (size_t i = 0; i < statement->clauses.count; i++)
        if (statement->clauses.items[i].kind == VALIDATION_CLAUSE_TYPE)
            return true;
    return false;
}

static void take_copy_oid(struct inquiry *inquiry, void *data, const struct inquiry_answer *answer)
{
    (void)data;
    const char *oid = value_of(answer, 0);
    if (!rh_pg_inquiry_failed(inquiry, answer, "the catalogue") && oid)
        rh_pg_ask_validations(inquiry, rh_arena_strdup(inquiry->arena, oid), inquiry->subject, NULL,
                              NULL);
    /* New types make the table's indexes and constraints anew: the one that the server named. */
    if (changes_type(&inquiry->statement) && inquiry->error.constraint)
        rh_pg_ask_validations(inquiry, inquiry->subject->oid, inquiry->subject,
                              inquiry->error.constraint, NULL);
}

static void apply_next(struct inquiry *inquiry, size_t i);

struct application {
    size_t clause;
    bool is_second; /* without the constraint's name, which an index may have already */
};

static void take_application(struct inquiry *inquiry, void *data,
                             const struct inquiry_answer *answer)
{
    struct application *application = data;
    const struct validation_clause *clause = &inquiry->statement.clauses.items[application->clause];
    if (answer->error && clause->kind == VALIDATION_CLAUSE_DEFINE && clause->expression &&
        !application->is_second) {
        application->is_second = true;
        rh_pg_inquiry_ask(
            inquiry,
            rh_arena_printf(inquiry->arena, "ALTER TABLE %s %s", inquiry->copy, clause->expression),
            take_application, application);
        return;
    }
    rh_pg_inquiry_failed(inquiry, answer, clause->text);
    apply_next(inquiry, application->clause + 1);
}

static void take_index_columns(struct inquiry *inquiry, void *data,
                               const struct inquiry_answer *answer)
{
    struct application *application = data;
    const char *columns = value_of(answer, 0);
    if (!columns) {
        rh_pg_inquiry_refuse(inquiry, "the index is not there");
        apply_next(inquiry, application->clause + 1);
        return;
    }
    application->is_second = true;
    rh_pg_inquiry_ask(inquiry,
                      rh_arena_printf(inquiry->arena, "ALTER TABLE %s ADD PRIMARY KEY (%s)",
                                      inquiry->copy, columns),
                      take_application, application);
}

static void ask_index_columns(struct inquiry *inquiry, const char *index,
                              struct application *application)
{
    struct arena *arena = inquiry->arena;
    const struct pg_subject *subject = inquiry->subject;
    size_t schema = strlen(subject->name) - strlen(subject->ident);
    const char *name = rh_arena_printf(arena, "%.*s%s", (int)schema, subject->name, index);
    rh_pg_inquiry_ask(
        inquiry,
        rh_arena_printf(arena,
                        "SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' "
                        "ORDER BY k.place) FROM pg_catalog.pg_index AS i, "
                        "pg_catalog.unnest(i.indkey) WITH ORDINALITY AS k (attnum, place) JOIN "
                        "pg_catalog.pg_attribute AS a ON a.attnum = k.attnum WHERE i.indexrelid = "
                        "%s AND a.attrelid = i.indrelid AND k.place <= i.indnkeyatts",
                        relation_expression(inquiry, name)),
        take_index_columns, application);
}

/* Applies clause `i` and those behind it, one answer at a time; then reads what they made. */
static void apply_next(struct inquiry *inquiry, size_t i)
{
    for (; i < inquiry->statement.clauses.count; i++) {
        const struct validation_clause *clause = &inquiry->statement.clauses.items[i];
        bool defines = clause->kind == VALIDATION_CLAUSE_DEFINE ||
                       clause->kind == VALIDATION_CLAUSE_TYPE;
        if (!defines && clause->kind != VALIDATION_CLAUSE_USING_INDEX)
            continue;
        struct application *application = RH_NEW(inquiry->arena, struct application);
        application->clause = i;
        /* The copy is empty: whatever is converted, only the type counts. */
        const char *using = clause->kind == VALIDATION_CLAUSE_TYPE && clause->expression
                                ? " USING NULL"
                                : "";
        if (defines)
            rh_pg_inquiry_ask(inquiry,
                              rh_arena_printf(inquiry->arena, "ALTER TABLE %s %s%s", inquiry->copy,
                                              clause->text, using),
                              take_application, application);
        else
            ask_index_columns(inquiry, clause->name, application);
        return;
    }
    rh_pg_inquiry_ask(inquiry,
                      rh_arena_printf(inquiry->arena,
                                      "SELECT %s::pg_catalog.regclass::pg_catalog.oid",
                                      rh_quote_literal(inquiry->arena, inquiry->copy)),
                      take_copy_oid, NULL);
}

static void take_index(struct inquiry *inquiry, void *data, const struct inquiry_answer *answer)
{
    (void)data;
    if (!rh_pg_inquiry_failed(inquiry, answer, "the index on an empty copy"))
        apply_next(inquiry, 0);
}

static void take_copy(struct inquiry *inquiry, void *data, const struct inquiry_answer *answer)
{
    (void)data;
    if (rh_pg_inquiry_failed(inquiry, answer, "an empty copy of the table"))
        return;
    drop_later(inquiry, "DROP TABLE %s", inquiry->copy);
    if (inquiry->statement.kind == VALIDATION_INSERT)
        rh_pg_ask_new_rows(inquiry);
    else if (inquiry->statement.kind == VALIDATION_CREATE_INDEX)
        rh_pg_inquiry_ask(inquiry,
                          rh_arena_printf(inquiry->arena, "CREATE %sINDEX ON %s %s",
                                          inquiry->statement.unique ? "UNIQUE " : "", inquiry->copy,
                                          inquiry->statement.definition),
                          take_index, NULL);
    else
        apply_next(inquiry, 0);
}

static void ask_copy(struct inquiry *inquiry, const char *including)
{
    const struct pg_subject *subject = inquiry->subject;
    if (!subject->scratch) {
        rh_pg_inquiry_refuse(inquiry, "the role may create no table");
        return;
    }
    inquiry->copy = rh_pg_copy_name(inquiry, subject->scratch, subject->ident);
    /* Persistence as the table's: foreign keys join only tables of the same one. */
    rh_pg_inquiry_ask(
        inquiry,
        rh_arena_printf(inquiry->arena, "CREATE %sTABLE %s (LIKE %s%s)",
                        subject->persistence == 'u' && strcmp(subject->scratch, "pg_temp") != 0
                            ? "UNLOGGED "
                            : "",
                        inquiry->copy, subject->name, including),
        take_copy, NULL);
}

/* --- ALTER TABLE --- */

static void ask_alter_table(struct inquiry *inquiry)
{
    struct arena *arena = inquiry->arena;
    bool needs_copy = false;
    for (size_t i = 0; i < inquiry->statement.clauses.count; i++) {
        const struct validation_clause *clause = &inquiry->statement.clauses.items[i];
        switch (clause->kind) {
        case VALIDATION_CLAUSE_DEFINE:
        case VALIDATION_CLAUSE_TYPE:
        case VALIDATION_CLAUSE_USING_INDEX:
            needs_copy = true;
            break;
        case VALIDATION_CLAUSE_VALIDATE:
            rh_pg_ask_validations(inquiry, inquiry->subject->oid, inquiry->subject,
                                  rh_quote_read_name(arena, rh_text(clause->name)), NULL);
            break;
        case VALIDATION_CLAUSE_ATTACH:
            rh_pg_ask_partition(inquiry, clause->name, clause->expression);
            break;
        case VALIDATION_CLAUSE_SET:
            break; /* of UPDATE */
        }
    }
    if (needs_copy)
        ask_copy(inquiry, "");
}

/* --- all of them --- */

static void take_subject(struct inquiry *inquiry, void *data, const struct inquiry_answer *answer)
{
    (void)data;
    struct pg_subject *subject = rh_pg_read_subject(inquiry, answer);
    if (!subject)
        return;
    inquiry->subject = subject;
    if (subject->is_forced) {
        /* The owner's own policies would hide rows that the statement sees. */
        rh_pg_inquiry_ask(inquiry,
                          rh_arena_printf(inquiry->arena,
                                          "ALTER TABLE %s NO FORCE ROW LEVEL SECURITY",
                                          subject->name),
                          NULL, NULL);
        drop_later(inquiry, "ALTER TABLE %s FORCE ROW LEVEL SECURITY", subject->name);
    }
    bool writes = inquiry->statement.kind == VALIDATION_INSERT ||
                  inquiry->statement.kind == VALIDATION_UPDATE ||
                  inquiry->statement.kind == VALIDATION_DELETE;
    if (writes && subject->has_row_triggers) {
        rh_pg_inquiry_refuse(inquiry, "triggers of %s may change the rows", subject->name);
        return;
    }
    switch (inquiry->statement.kind) {
    case VALIDATION_CREATE_INDEX:
        ask_copy(inquiry, "");
        return;
    case VALIDATION_ALTER_TABLE:
        ask_alter_table(inquiry);
        return;
    case VALIDATION_CREATE_PARTITION:
        rh_pg_ask_partition(inquiry, NULL, inquiry->statement.definition);
        return;
    case VALIDATION_INSERT:
        inquiry->has_own_rows = true;
        if (strcmp(subject->key_columns, "ctid") == 0)
            subject->key = NULL;
        ask_copy(inquiry, " INCLUDING DEFAULTS INCLUDING GENERATED");
        return;
    case VALIDATION_UPDATE:
        rh_pg_ask_updated_rows(inquiry);
        return;
    case VALIDATION_DELETE:
        rh_pg_ask_deleted_rows(inquiry);
        return;
    case VALIDATION_REFRESH:
        inquiry->source = subject->view_query;
        subject->key = NULL;
        if (inquiry->source)
            rh_pg_ask_validations(inquiry, subject->oid, subject, NULL, NULL);
        return;
    case VALIDATION_ALTER_DOMAIN:
    case VALIDATION_NONE:
        return;
    }
}

/* An index that failed CONCURRENTLY is still there, invalid, and in the way of the next attempt. */
static void drop_invalid_index(struct inquiry *inquiry)
{
    if (inquiry->statement.kind != VALIDATION_CREATE_INDEX || !inquiry->statement.index)
        return;
    *RH_PUSH(inquiry->arena, &inquiry->drops) = rh_arena_printf(
        inquiry->arena, "DO %s",
        rh_quote_literal(
            inquiry->arena,
            rh_arena_printf(
                inquiry->arena,
                "DECLARE i pg_catalog.text; BEGIN SELECT pg_catalog.format('%%I.%%I', "
                "n.nspname, c.relname) INTO i FROM pg_catalog.pg_index AS x JOIN "
                "pg_catalog.pg_class AS c ON c.oid = x.indexrelid JOIN "
                "pg_catalog.pg_class AS t ON t.oid = x.indrelid JOIN "
                "pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE NOT "
                "x.indisvalid AND t.oid = %s AND c.relname = %s; IF FOUND THEN EXECUTE "
                "'DROP INDEX ' || i; END IF; END",
                relation_expression(inquiry, inquiry->statement.relation),
                rh_quote_literal(
                    inquiry->arena,
                    rh_quote_read_name(inquiry->arena, rh_text(inquiry->statement.index))))));
}

void rh_pg_inquiry_start(struct inquiry *inquiry)
{
    drop_invalid_index(inquiry);
    if (inquiry->statement.kind == VALIDATION_ALTER_DOMAIN)
        rh_pg_ask_domain(inquiry);
    else
        rh_pg_ask_subject(inquiry, relation_expression(inquiry, inquiry->statement.relation),
                          take_subject, NULL);
}
