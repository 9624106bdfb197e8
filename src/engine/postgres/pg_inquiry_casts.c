/*
 * Values that become another type. Whether one can is decided by the server alone, a row at a time:
 * a function assigns the expression to a variable of the new type, which converts as ALTER TABLE
 * does, and gives the SQLSTATE when that fails. Guards let what certainly converts pass without
 * that call, which costs a subtransaction; they never decide that a row offends.
 */
#include "engine/postgres/pg_inquiry_int.h"

#include "base/quote.h"
#include "sql/phrase.h"

#include <jansson.h>

/* Columns a USING expression may name; more make no function. */
#define PARAMETERS_MAX 50

/* Which errors a row is to blame for. */
#define ROW_ERRORS                                                        \
    "data_exception OR integrity_constraint_violation OR raise_exception" \
    " OR feature_not_supported" /* NaN to integer */

/* pg_type.dat; the same in every version. */
enum type_id {
    TYPE_BOOL = 16,
    TYPE_INT8 = 20,
    TYPE_INT2 = 21,
    TYPE_INT4 = 23,
    TYPE_FLOAT4 = 700,
    TYPE_FLOAT8 = 701,
    TYPE_BPCHAR = 1042,
    TYPE_VARCHAR = 1043,
    TYPE_DATE = 1082,
    TYPE_NUMERIC = 1700,
    TYPE_UUID = 2950
};

/* Text of such a form is a value of the type, whatever the session's settings. */
static const struct {
    int64_t type_id;
    const char *names; /* as a cast may spell it, between bars */
    const char *form;
} text_forms[] = {
    {TYPE_INT2, "|smallint|int2|", "^[+-]?[0-9]{1,4}$"},
    {TYPE_INT4, "|integer|int|int4|", "^[+-]?[0-9]{1,9}$"},
    {TYPE_INT8, "|bigint|int8|", "^[+-]?[0-9]{1,18}$"},
    {TYPE_NUMERIC, "|numeric|decimal|", "^[+-]?[0-9]{1,100}([.][0-9]{1,100})?$"},
    {TYPE_FLOAT8, "|double precision|float8|float|", "^[+-]?[0-9]{1,15}([.][0-9]{1,100})?$"},
    {TYPE_BOOL, "|boolean|bool|", "^(t|f|true|false|yes|no|on|off|0|1)$"},
    {TYPE_DATE, "|date|", "^[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$"},
    {TYPE_UUID, "|uuid|", "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
};

struct cast {
    const struct pg_subject *subject;
    const char *column, *expression;
    struct pg_placeholder type;
    int64_t old_type_id;
    int typmod;
    bool nullable, from_text;
    bool is_plain;      /* the column itself */
    bool is_plain_cast; /* the column::type, and nothing else */
};

/* Tokens [from, to) without parentheses that enclose all of them. */
static void strip_parentheses(const struct phrase *phrase, size_t *from, size_t *to)
{
    while (*to > *from + 1 && rh_phrase_behind_parentheses(phrase, *from) == *to) {
        ++*from;
        --*to;
    }
}

/* "c::integer", "(c)::int", "CAST(c AS int)" are not told apart from more than the first two. */
static void classify(struct inquiry *inquiry, struct cast *cast)
{
    struct phrase phrase;
    size_t from = 0;
    const char *names = NULL;
    if (!rh_phrase_read(&phrase, rh_text(cast->expression), inquiry->arena, VALIDATION_TOKENS_MAX))
        return;
    size_t to = phrase.tokens.count;
    strip_parentheses(&phrase, &from, &to);
    size_t colon = from;
    while (colon < to && !rh_phrase_is_char(&phrase, colon, ':'))
        colon++;
    size_t type_from = colon;
    while (rh_phrase_is_char(&phrase, type_from, ':'))
        type_from++;
    size_t value_from = from, value_to = colon;
    strip_parentheses(&phrase, &value_from, &value_to);
    const char *value = rh_phrase_words(&phrase, value_from, value_to);
    for (size_t i = 0; i < cast->subject->columns.count; i++) {
        const struct pg_column *column = &cast->subject->columns.items[i];
        if (strcmp(column->name, cast->column) == 0 && value && (value_to == value_from + 1) &&
            rh_pg_is_column(inquiry->arena, value, column->raw))
            cast->is_plain = colon == to;
        else
            continue;
        for (size_t f = 0; f < sizeof(text_forms) / sizeof(*text_forms); f++)
            if (text_forms[f].type_id == cast->type.type_id)
                names = text_forms[f].names;
        const char *type = rh_phrase_words(&phrase, type_from, to);
        if (colon < to && type)
            cast->is_plain_cast = strcmp(type, cast->type.type) == 0 ||
                                  (names &&
                                   strstr(names, rh_arena_printf(inquiry->arena, "|%s|", type)));
    }
}

bool rh_pg_is_integer(int64_t type_id)
{
    return type_id == TYPE_INT2 || type_id == TYPE_INT4 || type_id == TYPE_INT8;
}

static bool is_number(int64_t type_id)
{
    return rh_pg_is_integer(type_id) || type_id == TYPE_FLOAT4 || type_id == TYPE_FLOAT8 ||
           type_id == TYPE_NUMERIC;
}

/* The condition of a value out of the new integer type's range, of a number; NULL. */
static const char *range_of(struct inquiry *inquiry, const struct cast *cast)
{
    const char *range = cast->type.type_id == TYPE_INT2   ? "-32768 AND 32767"
                        : cast->type.type_id == TYPE_INT4 ? "-2147483648 AND 2147483647"
                        : cast->type.type_id == TYPE_INT8
                            ? "-9223372036854775808 AND 9223372036854775807"
                            : NULL;
    /* doubles round at the ends of bigint's range */
    bool is_exact = cast->type.type_id != TYPE_INT8 || cast->old_type_id == TYPE_NUMERIC;
    return range && is_exact && is_number(cast->old_type_id) &&
                   (cast->is_plain || cast->is_plain_cast)
               ? rh_arena_printf(inquiry->arena, "%s BETWEEN %s", cast->column, range)
               : NULL;
}

/* n of varchar(n) and char(n), 0 when the cast is of another kind ("typmod" holds n + VARHDRSZ). */
static int length_limit(const struct cast *cast)
{
    bool is_limited = (cast->type.type_id == TYPE_VARCHAR || cast->type.type_id == TYPE_BPCHAR) &&
                      cast->typmod > 4;
    /* a cast of one's own, c::varchar(3), cuts off without a word */
    return is_limited && cast->is_plain && cast->from_text ? cast->typmod - 4 : 0;
}

/* Whether input of the type reports what it cannot read without raising it: all that the server
   brings does. */
static bool has_soft_input(const struct inquiry *inquiry, const struct cast *cast)
{
    int64_t first_of_users = 10000; /* FirstGenbkiObjectId, access/transam.h */
    return inquiry->major >= 16 && cast->from_text && cast->is_plain_cast &&
           (cast->type.type_id < first_of_users || cast->type.category == 'E');
}

/* What certainly converts; NULL: nothing is known to. */
static const char *guard_of(struct inquiry *inquiry, const struct cast *cast)
{
    struct arena *arena = inquiry->arena;
    if (range_of(inquiry, cast))
        return rh_arena_printf(arena, "%s IS NULL OR %s", cast->column, range_of(inquiry, cast));
    if (has_soft_input(inquiry, cast))
        return rh_arena_printf(arena, "%s IS NULL OR pg_catalog.pg_input_is_valid(%s::text, %s)",
                               cast->column, cast->column,
                               rh_quote_literal(arena, cast->type.type));
    for (size_t i = 0; i < sizeof(text_forms) / sizeof(*text_forms); i++)
        if (cast->from_text && cast->is_plain_cast && cast->typmod == -1 &&
            text_forms[i].type_id == cast->type.type_id)
            return rh_arena_printf(arena, "%s IS NULL OR (%s::text COLLATE \"C\") ~ %s",
                                   cast->column, cast->column,
                                   rh_quote_literal(arena, text_forms[i].form));
    return NULL;
}

static bool names_column(const struct phrase *phrase, const char *raw)
{
    for (size_t i = 0; i < phrase->tokens.count; i++)
        if ((rh_phrase_is_kind(phrase, i, SQL_TOKEN_WORD) ||
             rh_phrase_is_kind(phrase, i, SQL_TOKEN_QUOTED_IDENTIFIER)) &&
            rh_pg_is_column(phrase->arena, rh_phrase_words(phrase, i, i + 1), raw))
            return true;
    return false;
}

/*
 * The function is called like the table and its parameters like the columns that the expression
 * names, so that both c and users.c are understood: PL/pgSQL qualifies parameters with the name of
 * the function.
 */
static bool make_function(struct inquiry *inquiry, const struct cast *cast,
                          struct pg_question *question)
{
    struct arena *arena = inquiry->arena;
    const struct pg_subject *subject = cast->subject;
    const char *parameters = "", *arguments = "", *types = "";
    size_t count = 0;
    struct phrase phrase;
    if (!subject->scratch ||
        !rh_phrase_read(&phrase, rh_text(cast->expression), arena, VALIDATION_TOKENS_MAX))
        return false;
    for (size_t i = 0; i < subject->columns.count; i++) {
        const struct pg_column *column = &subject->columns.items[i];
        if (!names_column(&phrase, column->raw))
            continue;
        const char *comma = count ? ", " : "";
        if (++count > PARAMETERS_MAX)
            return false;
        parameters = rh_arena_printf(arena, "%s%s%s %s", parameters, comma, column->name,
                                     column->type);
        arguments = rh_arena_printf(arena, "%s%s%s", arguments, comma, column->name);
        types = rh_arena_printf(arena, "%s%s%s", types, comma, column->type);
    }
    const char *body = rh_arena_printf(
        arena,
        "DECLARE rehearse_value %s; BEGIN rehearse_value := (%s); RETURN NULL; EXCEPTION "
        "WHEN " ROW_ERRORS " THEN RETURN SQLSTATE; END",
        cast->type.type, cast->expression);
    /* The name of the table, so that a qualified column is a parameter; the number of parameters
       of a type that columns hardly have tells the functions of several clauses apart. */
    for (size_t i = 0; i < inquiry->drops.count; i++, count++) {
        const char *comma = count ? ", " : "";
        parameters = rh_arena_printf(arena, "%s%spg_lsn", parameters, comma);
        arguments = rh_arena_printf(arena, "%s%sNULL::pg_lsn", arguments, comma);
        types = rh_arena_printf(arena, "%s%spg_lsn", types, comma);
    }
    const char *schema = subject->scratch;
    const char *name = rh_arena_printf(arena, "%s.%s", schema, subject->ident);
    rh_pg_inquiry_ask(inquiry,
                      rh_arena_printf(arena,
                                      "CREATE OR REPLACE FUNCTION %s(%s) RETURNS text LANGUAGE "
                                      "plpgsql AS %s",
                                      name, parameters, rh_quote_literal(arena, body)),
                      NULL, NULL);
    *RH_PUSH(arena, &inquiry->drops) = rh_arena_printf(arena, "DROP FUNCTION IF EXISTS %s(%s)",
                                                       name, types);
    question->function = rh_arena_printf(arena, "%s(%s)", name, arguments);
    return true;
}

/* Goes through the rows that are not known to convert and does `action` to those that do not. */
static void repair_row_by_row(struct inquiry *inquiry, const struct cast *cast,
                              struct pg_question *question, const char *action)
{
    const char *name = cast->subject->name;
    const char *row = "tableoid = rehearse_row.tableoid AND ctid = rehearse_row.ctid";
    if (strstr(cast->expression, "$rehearse$") || strstr(name, "$rehearse$"))
        return;
    rh_pg_repair_add(
        inquiry, question, true,
        "DO $rehearse$\n#variable_conflict use_column\nDECLARE rehearse_row record; rehearse_value "
        "%s;\nBEGIN\n  FOR rehearse_row IN SELECT tableoid, ctid FROM %s%s%s%s LOOP\n    BEGIN\n   "
        "   SELECT (%s) INTO rehearse_value FROM %s WHERE %s;\n    EXCEPTION WHEN " ROW_ERRORS
        " THEN\n      %s WHERE %s;\n    END;\n  END LOOP;\nEND $rehearse$",
        cast->type.type, name, question->where ? " WHERE (" : "",
        question->where ? question->where : "", question->where ? ") IS NOT TRUE" : "",
        cast->expression, name, row, action, row);
}

static void add_repairs(struct inquiry *inquiry, const struct cast *cast,
                        struct pg_question *question)
{
    struct arena *arena = inquiry->arena;
    const char *name = cast->subject->name;
    int limit = length_limit(cast);
    const char *value = cast->nullable ? "NULL"
                        : cast->from_text || is_number(cast->old_type_id)
                            ? rh_pg_placeholder(arena, &cast->type)
                            : NULL;
    /* of other numbers some that lie outside of it round into the range */
    const char *bad = rh_pg_is_integer(cast->old_type_id) && range_of(inquiry, cast)
                          ? rh_arena_printf(arena, "NOT (%s)", range_of(inquiry, cast))
                      : cast->type.label
                          ? rh_arena_printf(arena, "%s::text <> ALL (enum_range(NULL::%s)::text[])",
                                            cast->column, cast->type.type)
                      : has_soft_input(inquiry, cast)
                          ? rh_arena_printf(arena, "NOT pg_input_is_valid(%s::text, %s)",
                                            cast->column, rh_quote_literal(arena, cast->type.type))
                          : NULL;
    if (limit)
        rh_pg_repair_add(inquiry, question, true,
                         "UPDATE %s SET %s = left(%s::text, %d) WHERE char_length(%s::text) > %d",
                         name, cast->column, cast->column, limit, cast->column, limit);
    else if (bad && value)
        rh_pg_repair_add(inquiry, question, true, "UPDATE %s SET %s = %s WHERE %s", name,
                         cast->column, value, bad);
    else if (value)
        repair_row_by_row(
            inquiry, cast, question,
            rh_arena_printf(arena, "UPDATE %s SET %s = %s", name, cast->column, value));
    if (value && !limit && !cast->nullable)
        rh_pg_repair_fills(question, cast->column);
    if (question->form == PG_FORM_PREDICATE)
        rh_pg_repair_delete(inquiry, question, question->where, false);
    else
        repair_row_by_row(inquiry, cast, question, rh_arena_printf(arena, "DELETE FROM %s", name));
}

/*
 * What is known to fail, and how, without trying; NULL: nothing. Text that is too long may end in
 * blanks, which are cut off without a word ("Character Types", manual 8.3).
 */
static const char *failures_of(struct inquiry *inquiry, const struct cast *cast,
                               enum offence *ret_offence)
{
    struct arena *arena = inquiry->arena;
    int limit = length_limit(cast);
    *ret_offence = limit ? OFFENCE_VALUE_TOO_LONG : OFFENCE_OUT_OF_RANGE;
    if (limit)
        return rh_arena_printf(arena,
                               "pg_catalog.char_length(%s::text) > %d AND "
                               "pg_catalog.rtrim(pg_catalog.substr(%s::text, %d), ' ') <> ''",
                               cast->column, limit, cast->column, limit + 1);
    if (rh_pg_is_integer(cast->old_type_id) && range_of(inquiry, cast))
        return rh_arena_printf(arena, "NOT (%s)", range_of(inquiry, cast));
    return NULL;
}

void rh_pg_ask_cast(struct inquiry *inquiry, const struct pg_subject *subject, const char *column,
                    const char *expression, const struct pg_placeholder *type,
                    const struct pg_old_type *old)
{
    struct cast cast = {.subject = subject,
                        .column = column,
                        .expression = expression,
                        .type = *type,
                        .old_type_id = old->type_id,
                        .typmod = old->new_typmod,
                        .nullable = old->nullable,
                        .from_text = old->is_text};
    classify(inquiry, &cast);
    enum offence offence;
    const char *failures = failures_of(inquiry, &cast, &offence);
    struct pg_question *question = rh_pg_question_new(
        inquiry, failures ? PG_FORM_PREDICATE : PG_FORM_CASTS,
        failures ? offence : OFFENCE_CAST_FAILURE, subject);
    question->from = rh_pg_from(inquiry, subject, false, false);
    question->columns = column;
    question->new_type = type->type;
    question->where = failures ? failures : guard_of(inquiry, &cast);
    if (!failures && !make_function(inquiry, &cast, question)) {
        rh_pg_inquiry_refuse(inquiry, "the cast of %s.%s: the role may create no function",
                             subject->name, column);
        return;
    }
    if (!old->is_computed)
        add_repairs(inquiry, &cast, question);
    rh_pg_question_ask(inquiry, question);
}

/* --- rows as ALTER TABLE would leave them --- */

static const char *using_of(struct inquiry *inquiry, const char *raw)
{
    for (size_t i = 0; i < inquiry->statement.clauses.count; i++) {
        const struct validation_clause *clause = &inquiry->statement.clauses.items[i];
        if (clause->kind == VALIDATION_CLAUSE_TYPE && clause->expression &&
            rh_pg_is_column(inquiry->arena, clause->name, raw))
            return clause->expression;
    }
    return NULL;
}

const char *rh_pg_using(struct inquiry *inquiry, const char *column, const char *raw)
{
    const char *expression = using_of(inquiry, raw);
    return expression ? expression : column;
}

static const char *own_text(struct inquiry *inquiry, const json_t *facts, const char *name)
{
    const char *text = json_string_value(json_object_get(facts, name));
    return text ? rh_arena_strdup(inquiry->arena, text) : "";
}

void rh_pg_read_source(struct inquiry *inquiry, const struct pg_subject *real,
                       const struct inquiry_answer *answer)
{
    struct arena *arena = inquiry->arena;
    const char *columns = "tableoid, ctid";
    if (inquiry->source || inquiry->statement.kind != VALIDATION_ALTER_TABLE)
        return;
    for (size_t row = 0; row < answer->rows; row++) {
        const char *kind = answer->values[row * answer->columns];
        const char *text = answer->values[row * answer->columns + 1];
        bool is_new = kind && strcmp(kind, "column") == 0;
        if (!text || (!is_new && (!kind || strcmp(kind, "type") != 0)))
            continue;
        json_t *facts = json_loads(text, 0, NULL);
        const char *column = own_text(inquiry, facts, "column");
        const char *value = is_new ? own_text(inquiry, facts, "value")
                                   : rh_pg_using(inquiry, column, own_text(inquiry, facts, "raw"));
        columns = rh_arena_printf(arena, "%s, (%s)::%s AS %s", columns, value,
                                  own_text(inquiry, facts, "type"), column);
        *RH_PUSH(arena, &inquiry->changed) = column;
        json_decref(facts);
    }
    if (inquiry->changed.count == 0)
        return;
    for (size_t i = 0; i < real->columns.count; i++) {
        const char *name = real->columns.items[i].name;
        bool is_changed = false;
        for (size_t c = 0; c < inquiry->changed.count; c++)
            is_changed = is_changed || strcmp(inquiry->changed.items[c], name) == 0;
        if (!is_changed)
            columns = rh_arena_printf(arena, "%s, %s", columns, name);
    }
    inquiry->source = rh_arena_printf(arena, "SELECT %s FROM %s", columns, real->name);
}
