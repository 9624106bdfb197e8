/* ALTER DOMAIN: what it asks of its values is asked of every column that holds them. */
#include "base/quote.h"
#include "engine/postgres/pg_inquiry_int.h"
#include "engine/postgres/pg_sql_int.h"

#include "engine/postgres/pg_sql.inc.h"

#include <jansson.h>

#define DOMAIN_COLUMNS 6 /* of inquiry_domain.sql */

struct domain_column {
    const char *table_oid, *name;
    bool nullable;
};

struct domain {
    const char *oid, *name, *base, *copy;
    VEC(struct domain_column) columns;
};

/* One rule for one column. */
struct rule_ask {
    const struct domain *domain;
    const struct domain_column *column;
    const char *constraint, *expression; /* expression NULL: NOT NULL */
};

/* The rule is broken by the rows of that alias. */
static const char *rule_condition(struct arena *arena, const struct rule_ask *ask,
                                  const char *alias)
{
    if (!ask->expression)
        return rh_arena_printf(arena, "%s.%s IS NULL", alias, ask->column->name);
    /* the catalogue prints the value as VALUE, which is a column's name here */
    return rh_arena_printf(arena,
                           "(SELECT (%s) IS FALSE FROM (SELECT %s.%s::%s AS value) AS "
                           "rehearse_value)",
                           ask->expression, alias, ask->column->name, ask->domain->base);
}

static void take_table(struct inquiry *inquiry, void *data, const struct inquiry_answer *answer)
{
    const struct rule_ask *ask = data;
    struct pg_subject *subject = rh_pg_read_subject(inquiry, answer);
    bool is_null = !ask->expression;
    if (!subject || !rh_pg_may_ask(inquiry))
        return;
    struct pg_question *question = rh_pg_question_new(
        inquiry, PG_FORM_PREDICATE, is_null ? OFFENCE_NULL_VALUES : OFFENCE_CHECK_VIOLATIONS,
        subject);
    bool only = subject->kind != 'p';
    question->from = rh_pg_from(inquiry, subject, only, false);
    question->where = rule_condition(inquiry->arena, ask, subject->ident);
    question->columns = ask->column->name;
    question->constraint = ask->constraint;
    if (subject->kind != 'm') {
        if (!is_null && ask->column->nullable)
            rh_pg_repair_null(inquiry, question, ask->column->name, question->where, only);
        rh_pg_repair_delete(inquiry, question, question->where, only);
    }
    rh_pg_question_ask(inquiry, question);
}

static void take_rules(struct inquiry *inquiry, void *data, const struct inquiry_answer *answer)
{
    struct domain *domain = data;
    struct arena *arena = inquiry->arena;
    size_t prefix = strlen(INQUIRY_SCRATCH "_");
    if (rh_pg_inquiry_failed(inquiry, answer, "the catalogue") || answer->columns != 2)
        return;
    for (size_t row = 0; row < answer->rows; row++) {
        const char *name = answer->values[2 * row], *expression = answer->values[2 * row + 1];
        /* a name that the server made of the copy's: the server told the right one */
        if (name && strncmp(name, INQUIRY_SCRATCH "_", prefix) == 0)
            name = inquiry->error.constraint;
        for (size_t i = 0; i < domain->columns.count; i++) {
            struct rule_ask *ask = RH_NEW(arena, struct rule_ask);
            ask->domain = domain;
            ask->column = &domain->columns.items[i];
            ask->constraint = name ? rh_arena_strdup(arena, name) : NULL;
            ask->expression = expression ? rh_arena_strdup(arena, expression) : NULL;
            rh_pg_ask_subject(inquiry, ask->column->table_oid, take_table, ask);
        }
    }
}

static void ask_rules(struct inquiry *inquiry, struct domain *domain, const char *oid,
                      const char *name)
{
    const char *const marks[] = {"@DOMAIN@", oid, "@NAME@", rh_quote_literal(inquiry->arena, name),
                                 NULL};
    rh_pg_inquiry_ask(inquiry,
                      rh_pg_fill(inquiry->arena,
                                 rh_pg_sql_for(PG_SQL_INQUIRY_DOMAIN_RULES, inquiry->major), marks),
                      take_rules, domain);
}

static void take_altered(struct inquiry *inquiry, void *data, const struct inquiry_answer *answer)
{
    struct domain *domain = data;
    if (!rh_pg_inquiry_failed(inquiry, answer, "the constraint on a copy of the domain"))
        ask_rules(inquiry, domain,
                  rh_arena_printf(inquiry->arena, "%s::pg_catalog.regtype",
                                  rh_quote_literal(inquiry->arena, domain->copy)),
                  NULL);
}

static void take_copy(struct inquiry *inquiry, void *data, const struct inquiry_answer *answer)
{
    struct domain *domain = data;
    struct arena *arena = inquiry->arena;
    if (rh_pg_inquiry_failed(inquiry, answer, "a copy of the domain"))
        return;
    *RH_PUSH(arena, &inquiry->drops) = rh_arena_printf(arena, "DROP DOMAIN %s", domain->copy);
    rh_pg_inquiry_ask(inquiry,
                      rh_arena_printf(arena, "ALTER DOMAIN %s %s", domain->copy,
                                      inquiry->statement.clauses.items[0].text),
                      take_altered, domain);
}

static void read_columns(struct inquiry *inquiry, struct domain *domain, const char *text)
{
    json_t *columns = text ? json_loads(text, 0, NULL) : NULL;
    size_t i;
    json_t *item;
    json_array_foreach(columns, i, item)
    {
        const char *name = json_string_value(json_array_get(item, 1));
        struct domain_column *column = RH_PUSH(inquiry->arena, &domain->columns);
        column->table_oid = rh_arena_printf(inquiry->arena, "%lld",
                                            (long long)json_integer_value(json_array_get(item, 0)));
        column->name = rh_arena_strdup(inquiry->arena, name ? name : "");
        column->nullable = json_is_true(json_array_get(item, 2));
    }
    json_decref(columns);
}

static void take_domain(struct inquiry *inquiry, void *data, const struct inquiry_answer *answer)
{
    (void)data;
    struct arena *arena = inquiry->arena;
    const struct validation_clause *clause = &inquiry->statement.clauses.items[0];
    if (rh_pg_inquiry_failed(inquiry, answer, "the catalogue"))
        return;
    if (answer->rows != 1 || answer->columns != DOMAIN_COLUMNS || !answer->values[0] ||
        !answer->values[1] || !answer->values[2] || !answer->values[5]) {
        rh_pg_inquiry_refuse(inquiry, "the domain is not there");
        return;
    }
    struct domain *domain = RH_NEW(arena, struct domain);
    domain->oid = rh_arena_strdup(arena, answer->values[0]);
    domain->name = rh_arena_strdup(arena, answer->values[1]);
    domain->base = rh_arena_strdup(arena, answer->values[2]);
    read_columns(inquiry, domain, answer->values[4]);
    if (clause->kind == VALIDATION_CLAUSE_VALIDATE) {
        ask_rules(inquiry, domain, domain->oid, rh_quote_read_name(arena, rh_text(clause->name)));
        return;
    }
    if (!answer->values[3]) {
        rh_pg_inquiry_refuse(inquiry, "the role may create no domain");
        return;
    }
    domain->copy = rh_pg_copy_name(inquiry, rh_arena_strdup(arena, answer->values[3]),
                                   answer->values[5]);
    rh_pg_inquiry_ask(inquiry,
                      rh_arena_printf(arena, "CREATE DOMAIN %s AS %s", domain->copy, domain->base),
                      take_copy, domain);
}

void rh_pg_ask_domain(struct inquiry *inquiry)
{
    const char *oid = rh_arena_printf(
        inquiry->arena, "pg_catalog.to_regtype(%s)",
        rh_quote_literal(inquiry->arena, inquiry->statement.relation));
    const char *const marks[] = {"@DOMAIN@", oid, NULL};
    rh_pg_inquiry_ask(
        inquiry,
        rh_pg_fill(inquiry->arena, rh_pg_sql_for(PG_SQL_INQUIRY_DOMAIN, inquiry->major), marks),
        take_domain, NULL);
}
