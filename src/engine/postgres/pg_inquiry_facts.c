#include "base/quote.h"
#include "engine/postgres/pg_inquiry_int.h"
#include "engine/postgres/pg_sql_int.h"

#include "engine/postgres/pg_sql.inc.h"

#include <jansson.h>

#define UUID 2950 /* pg_type.dat; its placeholder is another one in every row */

/* Columns of inquiry_subject.sql. */
enum subject_column {
    OID,
    NAME,
    IDENT,
    RAW,
    KIND,
    PERSISTENCE,
    SCRATCH,
    IS_FORCED,
    KEY,
    KEY_COLUMNS,
    NEWEST,
    NEWEST_NAME,
    NEWEST_FORMAT,
    HAS_ROW_TRIGGERS,
    COLUMNS,
    PARTITION_KEY,
    DEFAULT_PARTITION,
    PARTITION_CONSTRAINT,
    VIEW_QUERY,
    HAS_CHILDREN,
    MAY_DEFER,
    SUBJECT_COLUMNS
};

static const char *copy(struct arena *arena, const char *text)
{
    return text ? rh_arena_strdup(arena, text) : NULL;
}

static bool is_true(const char *text)
{
    return text && text[0] == 't';
}

void rh_pg_ask_subject(struct inquiry *inquiry, const char *relation, pg_take_fn *take, void *data)
{
    const char *const marks[] = {"@RELATION@", relation, "@SHOWN@",
                                 inquiry->shows_values ? "true" : "false", NULL};
    rh_pg_inquiry_ask(
        inquiry,
        rh_pg_fill(inquiry->arena, rh_pg_sql_for(PG_SQL_INQUIRY_SUBJECT, inquiry->major), marks),
        take, data);
}

static void read_columns(struct inquiry *inquiry, struct pg_subject *subject, const char *text)
{
    json_t *columns = text ? json_loads(text, 0, NULL) : NULL;
    size_t i;
    json_t *item;
    json_array_foreach(columns, i, item)
    {
        struct pg_column *column = RH_PUSH(inquiry->arena, &subject->columns);
        column->name = copy(inquiry->arena, json_string_value(json_array_get(item, 0)));
        column->raw = copy(inquiry->arena, json_string_value(json_array_get(item, 1)));
        column->type = copy(inquiry->arena, json_string_value(json_array_get(item, 2)));
        column->nullable = json_is_true(json_array_get(item, 3));
    }
    json_decref(columns);
}

static bool has_names(const char *const *value)
{
    return value[OID] && value[NAME] && value[IDENT] && value[RAW] && value[KIND] &&
           value[PERSISTENCE] && value[KEY_COLUMNS];
}

struct pg_subject *rh_pg_read_subject(struct inquiry *inquiry, const struct inquiry_answer *answer)
{
    struct arena *arena = inquiry->arena;
    if (rh_pg_inquiry_failed(inquiry, answer, "the catalogue"))
        return NULL;
    const char *const *value = answer->values;
    if (answer->rows != 1 || answer->columns != SUBJECT_COLUMNS || !has_names(value)) {
        rh_pg_inquiry_refuse(inquiry, "the table is not there");
        return NULL;
    }
    struct pg_subject *subject = RH_NEW(arena, struct pg_subject);
    subject->oid = copy(arena, value[OID]);
    subject->name = copy(arena, value[NAME]);
    subject->ident = copy(arena, value[IDENT]);
    subject->raw = copy(arena, value[RAW]);
    subject->kind = value[KIND][0];
    subject->persistence = value[PERSISTENCE][0];
    subject->scratch = copy(arena, value[SCRATCH]);
    subject->is_forced = is_true(value[IS_FORCED]);
    subject->key = copy(arena, value[KEY]);
    subject->key_columns = copy(arena, value[KEY_COLUMNS]);
    /* in a join, system columns have to say whose they are */
    subject->key_order = strcmp(subject->key_columns, "ctid") == 0
                             ? rh_arena_printf(arena, "%s.ctid", subject->ident)
                             : subject->key_columns;
    subject->newest = copy(arena, value[NEWEST]);
    subject->newest_name = copy(arena, value[NEWEST_NAME]);
    subject->newest_format = copy(arena, value[NEWEST_FORMAT]);
    subject->has_row_triggers = is_true(value[HAS_ROW_TRIGGERS]);
    read_columns(inquiry, subject, value[COLUMNS]);
    subject->partition_key = copy(arena, value[PARTITION_KEY]);
    subject->default_partition = copy(arena, value[DEFAULT_PARTITION]);
    subject->partition_constraint = copy(arena, value[PARTITION_CONSTRAINT]);
    subject->view_query = copy(arena, value[VIEW_QUERY]);
    subject->has_children = is_true(value[HAS_CHILDREN]);
    subject->may_defer = is_true(value[MAY_DEFER]);
    rh_pg_make_schema(inquiry, subject->scratch);
    return subject;
}

/* --- validations --- */

struct validations_ask {
    const struct pg_subject *real;
};

static const char *text_of(struct inquiry *inquiry, const json_t *facts, const char *name)
{
    return copy(inquiry->arena, json_string_value(json_object_get(facts, name)));
}

static bool flag_of(const json_t *facts, const char *name)
{
    return json_is_true(json_object_get(facts, name));
}

/* A constraint that the server named after the copy is called as it would be on the table. */
static const char *name_of(struct inquiry *inquiry, const json_t *facts,
                           const struct pg_subject *real)
{
    const char *name = text_of(inquiry, facts, "name");
    size_t len = strlen(INQUIRY_SCRATCH "_");
    if (name && strncmp(name, INQUIRY_SCRATCH "_", len) == 0)
        return rh_arena_printf(inquiry->arena, "%s_%s", real->raw, name + len);
    return name;
}

static struct pg_placeholder placeholder_of(struct inquiry *inquiry, const json_t *facts)
{
    const char *category = json_string_value(json_object_get(facts, "category"));
    return (struct pg_placeholder){
        .type = text_of(inquiry, facts, "type"),
        .label = text_of(inquiry, facts, "label"),
        .type_id = json_integer_value(json_object_get(facts, "type_id")),
        .category = category ? category[0] : '\0',
    };
}

/* A default that is another value in every row. */
static bool is_own_value(const char *value)
{
    return strstr(value, "nextval(") || strstr(value, "uuid") || strstr(value, "random");
}

/* What fills NULLs, the default before all; where the column is unique, no value for all rows. */
static void repair_nulls(struct inquiry *inquiry, struct pg_question *question, const char *target,
                         const char *column, const json_t *facts)
{
    struct arena *arena = inquiry->arena;
    const char *value = text_of(inquiry, facts, "default");
    const struct pg_placeholder type = placeholder_of(inquiry, facts);
    const char *placeholder = rh_pg_placeholder(arena, &type);
    bool has_default = value && strncmp(value, "NULL", 4) != 0;
    bool is_unique = flag_of(facts, "is_unique");
    rh_pg_repair_own_values(inquiry, question, column, &type, target);
    if (has_default && (is_own_value(value) || !is_unique)) {
        rh_pg_repair_add(inquiry, question, false, "UPDATE %s SET %s = DEFAULT WHERE %s", target,
                         column, question->where);
        rh_pg_repair_fills(question, is_own_value(value) ? NULL : column);
    } else if (placeholder && !is_unique) {
        rh_pg_repair_add(inquiry, question, false, "UPDATE %s SET %s = %s WHERE %s", target, column,
                         placeholder, question->where);
        rh_pg_repair_invents(question);
        rh_pg_repair_fills(question, type.type_id == UUID ? NULL : column);
    }
    /* a check may refuse the one value and take these */
    for (size_t i = 0; i < question->own_values.count; i++)
        *RH_PUSH(arena, &question->repairs) = question->own_values.items[i];
}

static void read_not_null(struct inquiry *inquiry, const struct pg_subject *real,
                          const json_t *facts)
{
    struct arena *arena = inquiry->arena;
    const char *column = text_of(inquiry, facts, "column");
    bool only = inquiry->statement.only && real->kind != 'p';
    struct pg_question *question = rh_pg_question_new(inquiry, PG_FORM_PREDICATE,
                                                      OFFENCE_NULL_VALUES, real);
    bool is_changed = rh_pg_is_changed(inquiry, column, NULL);
    question->from = rh_pg_from(inquiry, real, only, is_changed);
    question->where = rh_pg_is_null(arena, column, flag_of(facts, "composite"));
    question->columns = column;
    if (!flag_of(facts, "is_new") && !is_changed) {
        repair_nulls(inquiry, question, rh_pg_target(arena, real, only), column, facts);
        rh_pg_repair_delete(inquiry, question, question->where, only);
    }
    rh_pg_question_ask(inquiry, question);
}

/* The check is not false of a row but fails: it is computed for every row. */
static void read_failing_check(struct inquiry *inquiry, const struct pg_subject *real,
                               const json_t *facts)
{
    struct pg_placeholder type = {.type = "boolean"};
    struct pg_old_type old = {.new_typmod = -1, .is_computed = true};
    const char *columns = text_of(inquiry, facts, "columns");
    rh_pg_ask_cast(inquiry, real, columns ? columns : "", text_of(inquiry, facts, "expression"),
                   &type, &old);
}

static void read_check(struct inquiry *inquiry, const struct pg_subject *real, const json_t *facts)
{
    struct arena *arena = inquiry->arena;
    const char *expression = text_of(inquiry, facts, "expression");
    const char *nullable = text_of(inquiry, facts, "nullable");
    if (strncmp(inquiry->error.sqlstate, "23", 2) != 0 && !inquiry->source) {
        read_failing_check(inquiry, real, facts);
        return;
    }
    bool only = (flag_of(facts, "no_inherit") || inquiry->statement.only) && real->kind != 'p';
    struct pg_question *question = rh_pg_question_new(inquiry, PG_FORM_PREDICATE,
                                                      OFFENCE_CHECK_VIOLATIONS, real);
    question->columns = text_of(inquiry, facts, "columns");
    bool is_changed = rh_pg_is_changed(inquiry, question->columns, NULL);
    question->from = rh_pg_from(inquiry, real, only, is_changed);
    /* unknown is as good as true: "Check Constraints", manual 5.4.1 */
    question->where = rh_arena_printf(arena, "%s IS FALSE", expression);
    question->constraint = name_of(inquiry, facts, real);
    if (!is_changed) {
        if (nullable)
            rh_pg_repair_null(inquiry, question, nullable, question->where, only);
        rh_pg_repair_delete(inquiry, question, question->where, only);
    }
    rh_pg_question_ask(inquiry, question);
}

static const char *join(struct arena *arena, const char *list, const char *item)
{
    return list ? rh_arena_printf(arena, "%s, %s", list, item) : item;
}

static void read_foreign(struct inquiry *inquiry, const struct pg_subject *real,
                         const json_t *facts)
{
    struct arena *arena = inquiry->arena;
    const char *match = json_string_value(json_object_get(facts, "match"));
    const char *referenced = text_of(inquiry, facts, "referenced");
    bool match_full = match && match[0] == 'f';
    const char *columns = NULL, *targets = NULL, *assignments = NULL;
    VEC(struct pg_pair) pairs = {0};
    size_t i;
    json_t *item;
    if (inquiry->has_own_rows && strcmp(referenced, real->name) == 0) {
        rh_pg_inquiry_refuse(inquiry, "foreign key %s: new rows may refer to each other",
                             name_of(inquiry, facts, real));
        return;
    }
    if (inquiry->parents && strcmp(referenced, inquiry->subject->name) != 0) {
        rh_pg_inquiry_refuse(inquiry, "foreign key %s refers to %s, which changes by a cascade",
                             name_of(inquiry, facts, real), referenced);
        return;
    }
    bool all_nullable = true;
    json_array_foreach(json_object_get(facts, "pairs"), i, item)
    {
        struct pg_pair *pair = RH_PUSH(arena, &pairs);
        *pair = (struct pg_pair){.column = text_of(inquiry, item, "column"),
                                 .referenced = text_of(inquiry, item, "referenced"),
                                 .operator= text_of(inquiry, item, "operator"),
                                 .collate = text_of(inquiry, item, "collate"),
                                 .nullable = flag_of(item, "nullable")};
        columns = join(arena, columns, pair->column);
        targets = join(arena, targets, pair->referenced);
        all_nullable = all_nullable && pair->nullable;
        /* One NULL satisfies MATCH SIMPLE; MATCH FULL wants all or none ("CREATE TABLE"). */
        if (pair->nullable && (match_full || !assignments))
            assignments = join(arena, assignments,
                               rh_arena_printf(arena, "%s = NULL", pair->column));
    }
    struct pg_question *question = rh_pg_question_new(inquiry, PG_FORM_PREDICATE,
                                                      OFFENCE_ORPHAN_ROWS, real);
    bool only = real->kind != 'p';
    const char *target = flag_of(facts, "only") ? rh_arena_printf(arena, "ONLY %s", referenced)
                                                : referenced;
    if (inquiry->parents)
        target = inquiry->parents;
    bool is_changed = rh_pg_is_changed(inquiry, columns, NULL);
    question->from = rh_pg_from(inquiry, real, only, is_changed);
    question->where = rh_pg_orphan_condition(arena, pairs.items, pairs.count, match_full,
                                             flag_of(facts, "period"), target, real->ident);
    question->columns = columns;
    question->constraint = name_of(inquiry, facts, real);
    question->referenced = rh_arena_printf(arena, "%s (%s)", referenced, targets);
    if (!is_changed) {
        if (assignments && (!match_full || all_nullable))
            rh_pg_repair_add(inquiry, question, true, "UPDATE %s SET %s WHERE %s",
                             rh_pg_target(arena, real, only), assignments, question->where);
        rh_pg_repair_delete(inquiry, question, question->where, only);
    }
    rh_pg_question_ask(inquiry, question);
}

/* Conflicts of ranges are found by an index like the one that was to be made. */
static void build_index(struct inquiry *inquiry, struct pg_question *question,
                        const char *definition)
{
    const char *name = rh_arena_printf(inquiry->arena, "rehearse_index_%zu",
                                       inquiry->questions.count);
    size_t schema = strlen(question->subject->name) - strlen(question->subject->ident);
    question->build = rh_arena_printf(inquiry->arena, "CREATE INDEX %s ON %s%s", name,
                                      question->subject->name, definition);
    question->index = rh_arena_printf(inquiry->arena, "%.*s%s", (int)schema,
                                      question->subject->name, name);
}

/* The index failed before it compared anything: its expressions are computed for every row. */
static void read_index_expressions(struct inquiry *inquiry, const struct pg_subject *real,
                                   const json_t *facts)
{
    struct pg_old_type old = {.new_typmod = -1, .is_computed = true};
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(facts, "keys"), i, item)
    {
        struct pg_placeholder type = {.type = text_of(inquiry, item, "type")};
        const char *expression = text_of(inquiry, item, "sql");
        if (flag_of(item, "is_expression"))
            rh_pg_ask_cast(inquiry, real, expression, expression, &type, &old);
    }
}

/* "empty WITHOUT OVERLAPS value found in column ..." (ExecWithoutOverlapsNotEmpty). */
static void ask_empty_ranges(struct inquiry *inquiry, const struct pg_subject *real,
                             const json_t *facts)
{
    const json_t *keys = json_object_get(facts, "keys");
    size_t count = json_array_size(keys);
    const char *column = count ? text_of(inquiry, json_array_get(keys, count - 1), "sql") : NULL;
    bool only = real->kind != 'p';
    if (!column || !rh_pg_may_ask(inquiry))
        return;
    struct pg_question *question = rh_pg_question_new(inquiry, PG_FORM_PREDICATE,
                                                      OFFENCE_CHECK_VIOLATIONS, real);
    bool is_changed = rh_pg_is_changed(inquiry, column, NULL);
    question->from = rh_pg_from(inquiry, real, only, is_changed);
    question->where = rh_arena_printf(inquiry->arena, "pg_catalog.isempty(%s)", column);
    question->columns = column;
    question->constraint = name_of(inquiry, facts, real);
    if (!is_changed)
        rh_pg_repair_delete(inquiry, question, question->where, only);
    rh_pg_question_ask(inquiry, question);
}

static void read_index(struct inquiry *inquiry, const struct pg_subject *real, const json_t *facts)
{
    struct arena *arena = inquiry->arena;
    bool is_exclusion = flag_of(facts, "exclusion"), has_operator = false;
    bool only = real->kind != 'p';
    size_t i;
    json_t *item;
    if (strncmp(inquiry->error.sqlstate, "23", 2) != 0) {
        read_index_expressions(inquiry, real, facts);
        return;
    }
    if (!is_exclusion && !flag_of(facts, "unique"))
        return;
    if (flag_of(facts, "without_overlaps"))
        ask_empty_ranges(inquiry, real, facts);
    struct pg_question *question = rh_pg_question_new(
        inquiry, PG_FORM_GROUPS, is_exclusion ? OFFENCE_EXCLUSION : OFFENCE_DUPLICATE_KEYS, real);
    json_array_foreach(json_object_get(facts, "keys"), i, item)
    {
        struct pg_key *key = RH_PUSH(arena, &question->keys);
        *key = (struct pg_key){.sql = text_of(inquiry, item, "sql"),
                               .collate = text_of(inquiry, item, "collate"),
                               .operator= text_of(inquiry, item, "operator"),
                               .nullable = text_of(inquiry, item, "nullable"),
                               .text = text_of(inquiry, item, "text"),
                               .composite = flag_of(item, "composite")};
        has_operator = has_operator || key->operator;
    }
    question->where = text_of(inquiry, facts, "predicate");
    question->columns = text_of(inquiry, facts, "columns");
    question->constraint = name_of(inquiry, facts, real);
    if (inquiry->statement.kind == VALIDATION_CREATE_INDEX)
        question->constraint = inquiry->statement.index ? inquiry->statement.index
                                                        : inquiry->error.constraint;
    question->nulls_equal = flag_of(facts, "nulls_equal");
    bool is_changed = rh_pg_is_changed(inquiry, question->columns, question->where);
    /* "C" only makes comparing cheaper, and a type that changes may have no collation. */
    for (size_t k = 0; is_changed && k < question->keys.count; k++)
        if (rh_pg_is_cheaper_collation(&question->keys.items[k]))
            question->keys.items[k].collate = NULL;
    question->from = inquiry->all_rows
                         ? rh_arena_printf(arena, "(%s) AS %s", inquiry->all_rows, real->ident)
                         : rh_pg_from(inquiry, real, only, is_changed);
    if (has_operator) {
        question->form = PG_FORM_PAIRS;
        if (is_exclusion && !is_changed)
            build_index(inquiry, question, text_of(inquiry, facts, "definition"));
        if (!is_changed)
            rh_pg_repair_pairs(inquiry, question, only);
    } else if (!is_changed) {
        rh_pg_repair_groups(inquiry, question, only);
    }
    rh_pg_question_ask(inquiry, question);
}

static void read_type(struct inquiry *inquiry, const struct pg_subject *real, const json_t *facts)
{
    const char *column = text_of(inquiry, facts, "column");
    struct pg_placeholder type = placeholder_of(inquiry, facts);
    struct pg_old_type old = {
        .type_id = json_integer_value(json_object_get(facts, "old_type_id")),
        .new_typmod = (int)json_integer_value(json_object_get(facts, "typmod")),
        .nullable = flag_of(facts, "nullable"),
        .is_text = flag_of(facts, "old_text")};
    rh_pg_ask_cast(inquiry, real, column,
                   rh_pg_using(inquiry, column, text_of(inquiry, facts, "raw")), &type, &old);
}

/* A generated column: its expression is computed for every row. */
static void read_column(struct inquiry *inquiry, const struct pg_subject *real, const json_t *facts)
{
    struct pg_placeholder type = {.type = text_of(inquiry, facts, "type")};
    struct pg_old_type old = {.new_typmod = -1, .is_computed = true};
    if (flag_of(facts, "generated"))
        rh_pg_ask_cast(inquiry, real, text_of(inquiry, facts, "column"),
                       text_of(inquiry, facts, "value"), &type, &old);
}

static void take_validations(struct inquiry *inquiry, void *data,
                             const struct inquiry_answer *answer)
{
    static const struct {
        const char *kind;
        void (*read)(struct inquiry *inquiry, const struct pg_subject *real, const json_t *facts);
    } readers[] = {{"type", read_type},       {"not null", read_not_null}, {"check", read_check},
                   {"foreign", read_foreign}, {"index", read_index},       {"column", read_column}};
    const struct validations_ask *ask = data;
    if (rh_pg_inquiry_failed(inquiry, answer, "the catalogue"))
        return;
    if (answer->columns != 2)
        return;
    rh_pg_read_source(inquiry, ask->real, answer);
    for (size_t row = 0; row < answer->rows; row++) {
        const char *kind = answer->values[row * answer->columns];
        const char *text = answer->values[row * answer->columns + 1];
        json_t *facts = kind && text ? json_loads(text, 0, NULL) : NULL;
        if (!facts)
            rh_pg_inquiry_refuse(inquiry, "the catalogue's answer was not understood");
        for (size_t i = 0; facts && i < sizeof(readers) / sizeof(*readers); i++)
            if (strcmp(readers[i].kind, kind) == 0 && rh_pg_may_ask(inquiry))
                readers[i].read(inquiry, ask->real, facts);
        json_decref(facts);
    }
}

/* An array of the columns whose type clause has an expression. */
static const char *columns_with_using(struct inquiry *inquiry)
{
    const char *array = "ARRAY[";
    bool is_first = true;
    for (size_t i = 0; i < inquiry->statement.clauses.count; i++) {
        const struct validation_clause *clause = &inquiry->statement.clauses.items[i];
        if (clause->kind != VALIDATION_CLAUSE_TYPE || !clause->expression)
            continue;
        const char *raw = rh_quote_read_name(inquiry->arena, rh_text(clause->name));
        array = rh_arena_printf(inquiry->arena, "%s%s%s", array, is_first ? "" : ", ",
                                rh_quote_literal(inquiry->arena, raw));
        is_first = false;
    }
    return rh_arena_printf(inquiry->arena, "%s]", array);
}

void rh_pg_ask_validations(struct inquiry *inquiry, const char *subject_oid,
                           const struct pg_subject *real, const char *name, const char *column)
{
    struct validations_ask *ask = RH_NEW(inquiry->arena, struct validations_ask);
    const char *const marks[] = {"@SUBJECT@", subject_oid,
                                 "@REAL@",    real->oid,
                                 "@NAME@",    rh_quote_literal(inquiry->arena, name),
                                 "@COLUMN@",  rh_quote_literal(inquiry->arena, column),
                                 "@USING@",   columns_with_using(inquiry),
                                 NULL};
    ask->real = real;
    rh_pg_inquiry_ask(inquiry,
                      rh_pg_fill(inquiry->arena,
                                 rh_pg_sql_for(PG_SQL_INQUIRY_VALIDATIONS, inquiry->major), marks),
                      take_validations, ask);
}
