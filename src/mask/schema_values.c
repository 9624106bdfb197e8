/* Constants that a schema compares a column with: what stands in the schema itself tells nothing
 * about a person. */
#include "mask/masking_int.h"

struct gathering {
    const char *column; /* as expressions name it */
    struct schema_values *values;
    struct arena *arena;
    const char *object;
};

static void add_value(struct gathering *gathering, const char *value)
{
    /* Stands beside anything: CHECK (name <> ''). Passes every map anyway. */
    if (rh_text_trim(rh_text(value)).len == 0)
        return;
    for (size_t i = 0; i < gathering->values->values.count; i++)
        if (strcmp(gathering->values->values.items[i], value) == 0)
            return;
    *RH_PUSH(gathering->arena, &gathering->values->values) = rh_arena_strdup(gathering->arena,
                                                                             value);
    if (gathering->object && !gathering->values->object)
        gathering->values->object = gathering->object;
}

static bool is_column(const struct gathering *gathering, const struct sql_expression *expression)
{
    expression = rh_sql_uncast_text(expression);
    return expression && expression->kind == SQL_COLUMN &&
           strcmp(expression->name, gathering->column) == 0;
}

/* A constant, or an array of nothing else; adds them when told to. */
static bool take_constants(struct gathering *gathering, const struct sql_expression *expression,
                           bool adds)
{
    expression = rh_sql_uncast(expression);
    if (!expression)
        return false;
    if (expression->kind == SQL_CONSTANT) {
        if (adds && expression->name)
            add_value(gathering, expression->name);
        return true;
    }
    if (expression->kind != SQL_ARRAY)
        return false;
    for (size_t i = 0; i < expression->arguments.count; i++)
        if (!take_constants(gathering, expression->arguments.items[i], adds))
            return false;
    return true;
}

static bool is_comparison(const struct sql_expression *expression)
{
    static const char *const names[] = {"=", "<>", "<@", "@>", "&&", NULL};

    if (!expression->name || expression->arguments.count != 2)
        return false;
    if (expression->kind != SQL_OPERATOR && expression->kind != SQL_ANY &&
        expression->kind != SQL_ALL)
        return false;
    for (size_t i = 0; names[i]; i++)
        if (strcmp(names[i], expression->name) == 0)
            return true;
    return false;
}

/* Every constant that stands beside the column, anywhere. */
static void gather(struct gathering *gathering, const struct sql_expression *expression)
{
    if (is_comparison(expression))
        for (size_t side = 0; side < 2; side++)
            if (is_column(gathering, expression->arguments.items[side]) &&
                take_constants(gathering, expression->arguments.items[1 - side], false))
                take_constants(gathering, expression->arguments.items[1 - side], true);
    for (size_t i = 0; i < expression->arguments.count; i++)
        gather(gathering, expression->arguments.items[i]);
}

/* Whether a row satisfies it only with one of the constants it names, or with NULL. */
static bool lists_all(const struct gathering *gathering, const struct sql_expression *expression)
{
    const struct sql_expression *const *arguments = (const struct sql_expression *const *)
                                                        expression->arguments.items;
    struct gathering quiet = *gathering;

    switch (expression->kind) {
    case SQL_AND: /* one of them is enough */
        for (size_t i = 0; i < expression->arguments.count; i++)
            if (lists_all(gathering, arguments[i]))
                return true;
        return false;
    case SQL_OR:
        for (size_t i = 0; i < expression->arguments.count; i++)
            if (!lists_all(gathering, arguments[i]))
                return false;
        return expression->arguments.count > 0;
    case SQL_IS_NULL:
        return expression->arguments.count == 1 && is_column(gathering, arguments[0]);
    case SQL_OPERATOR:
    case SQL_ANY:
        if (!expression->name || expression->arguments.count != 2)
            return false;
        if (strcmp(expression->name, "=") != 0 && strcmp(expression->name, "<@") != 0)
            return false;
        return (is_column(gathering, arguments[0]) &&
                take_constants(&quiet, arguments[1], false)) ||
               (expression->kind == SQL_OPERATOR && strcmp(expression->name, "=") == 0 &&
                is_column(gathering, arguments[1]) && take_constants(&quiet, arguments[0], false));
    case SQL_ALL:
    case SQL_COLUMN:
    case SQL_CONSTANT:
    case SQL_CAST:
    case SQL_CALL:
    case SQL_NOT:
    case SQL_IS_NOT_NULL:
    case SQL_ARRAY:
    case SQL_COALESCE:
    case SQL_OTHER:
        break;
    }
    return false;
}

static bool has_number(const int *numbers, size_t count, int number)
{
    for (size_t i = 0; i < count; i++)
        if (numbers[i] == number)
            return true;
    return false;
}

/* PARTITION BY LIST (column), and no default partition: the bounds are all values there are. "FOR
   VALUES IN ('DE', NULL)": what IN says of a column. */
static void add_bounds(struct gathering *gathering, const struct catalog *catalog,
                       const struct catalog_table *table, const struct catalog_column *column)
{
    size_t own = (size_t)(table - catalog->tables.items);
    const char *key = rh_arena_printf(gathering->arena, "LIST (%s)", column->quoted);
    bool is_all = true, has_any = false;

    if (!table->partition_key || strcmp(table->partition_key, key) != 0)
        return;
    gathering->object = "its partitions";
    for (size_t i = 0; i < catalog->tables.count; i++) {
        const struct catalog_table *child = &catalog->tables.items[i];
        static const char begin[] = "FOR VALUES IN ";
        if (child->parent != own || !child->partition_bound)
            continue;
        has_any = true;
        const struct sql_expression
            *bound = strncmp(child->partition_bound, begin, sizeof(begin) - 1) == 0
                         ? rh_sql_expression(
                               rh_text(rh_arena_printf(gathering->arena, "%s IN %s", column->quoted,
                                                       child->partition_bound + sizeof(begin) - 1)),
                               gathering->arena)
                         : NULL;
        if (bound)
            gather(gathering, bound);
        else
            is_all = false;
    }
    if (has_any && is_all)
        gathering->values->is_complete = true;
}

void rh_schema_values(const struct catalog *catalog, const struct catalog_table *table,
                      const struct catalog_column *column, struct arena *arena,
                      struct schema_values *ret_values)
{
    struct schema_values values = {0};
    struct gathering gathering = {.values = &values, .arena = arena};

    for (size_t i = 0; i < table->checks.count; i++) {
        const struct catalog_check *check = &table->checks.items[i];
        bool is_of_domain = column->domain &&
                            strncmp(check->name, column->domain, strlen(column->domain)) == 0 &&
                            check->name[strlen(column->domain)] == '.';
        if (!has_number(check->columns.items, check->columns.count, column->number))
            continue;
        const struct sql_expression *expression = rh_sql_expression(rh_text(check->expression),
                                                                    arena);
        if (!expression)
            continue;
        gathering.object = check->name;
        gathering.column = is_of_domain || !rh_expression_names(expression, column->name)
                               ? "value"
                               : column->name;
        gather(&gathering, expression);
        if (check->is_validated && lists_all(&gathering, expression) && !values.is_complete) {
            values.is_complete = true;
            values.object = check->name;
        }
    }
    gathering.column = column->name;
    for (size_t i = 0; i < table->keys.count; i++) {
        const struct sql_expression *expression = table->keys.items[i].predicate
                                                      ? rh_sql_expression(
                                                            rh_text(table->keys.items[i].predicate),
                                                            arena)
                                                      : NULL;
        gathering.object = table->keys.items[i].name;
        if (expression)
            gather(&gathering, expression);
    }
    add_bounds(&gathering, catalog, table, column);
    /* A default is in the schema too, but makes no category. */
    gathering.object = NULL;
    const struct sql_expression *standard = column->default_expression && !column->is_generated
                                                ? rh_sql_expression(
                                                      rh_text(column->default_expression), arena)
                                                : NULL;
    standard = rh_sql_uncast(standard);
    if (standard && standard->kind == SQL_CONSTANT && standard->name)
        add_value(&gathering, standard->name);
    *ret_values = values;
}
