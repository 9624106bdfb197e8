/*
 * Which column a constant or a parameter is compared with or assigned to, through casts, functions,
 * sub-queries, WITH, VALUES and unnest(); and what a value is whatever its column: of a type that
 * holds no text, or a word of the server's.
 */
#include "sql/pattern_walk.h"

/* A name may come out of a query in FROM of a query in FROM ... */
#define QUERIES_DEEP_MAX 8
/* Of a column's name with members of its document. */
#define MEMBER_BYTES_MAX 1024
/* Of one text: a recursive query may name itself in every place. */
#define FOLLOWED_MAX 1000

/* --- columns ---------------------------------------------------------------------------------- */

/* Functions of one text that is still that column's, made comparable. */
static const char *const keepers[] = {"lower", "upper", "trim",    "btrim",
                                      "ltrim", "rtrim", "initcap", "unaccent"};

const char *rh_tree_named_column(struct walk *walk, const char *table, const char *column)
{
    return table == NULL ? rh_arena_strdup(walk->arena, column)
                         : rh_arena_printf(walk->arena, "%s.%s", table, column);
}

/* The place of a name in a list of them; SIZE_MAX: it is not there. */
static size_t place_in(const json_t *names, const char *name)
{
    for (size_t i = 0; i < json_array_size(names); i++)
        if (rh_tree_string_at(names, i) != NULL && strcmp(rh_tree_string_at(names, i), name) == 0)
            return i;
    return SIZE_MAX;
}

static bool is_star(const json_t *fields)
{
    size_t count = json_array_size(fields);
    return count > 0 && rh_tree_get(json_array_get(fields, count - 1), "A_Star") != NULL;
}

/* What a query gives under a name, or in a place (then `name` NULL). NULL: not to be told. */
static const json_t *output_of(const json_t *select, const char *name, size_t place)
{
    const json_t *targets = rh_tree_get(select, "targetList");
    for (size_t i = 0; i < json_array_size(targets); i++) {
        const json_t *target = rh_tree_get(json_array_get(targets, i), "ResTarget"),
                     *value = rh_tree_get(target, "val");
        const json_t *fields = rh_tree_get(rh_tree_get(value, "ColumnRef"), "fields");
        const char *called = rh_tree_text(target, "name");
        if (is_star(fields)) {
            if (name == NULL)
                return NULL;
            continue;
        }
        if (called == NULL && json_array_size(fields) > 0)
            called = rh_tree_last_name(fields);
        if (name == NULL ? i == place : called != NULL && strcmp(called, name) == 0)
            return value;
    }
    return NULL;
}

bool rh_tree_gives_all(const json_t *select)
{
    const json_t *targets = rh_tree_get(select, "targetList");
    for (size_t i = 0; i < json_array_size(targets); i++) {
        const json_t *value = rh_tree_get(rh_tree_get(json_array_get(targets, i), "ResTarget"),
                                          "val");
        if (is_star(rh_tree_get(rh_tree_get(value, "ColumnRef"), "fields")))
            return true;
    }
    return false;
}

/* The names of its FROM; *scope is where they stay. */
static void look_within(struct walk *walk, const json_t *select, const struct scope *outer,
                        struct scope *scope)
{
    const json_t *list = rh_tree_get(select, "fromClause");
    *scope = (struct scope){.outer = outer};
    for (size_t i = 0; i < json_array_size(list); i++)
        rh_tree_gather_from(walk, json_array_get(list, i), scope, false);
}

/* Whether one more name may be followed into a query. */
static bool may_follow(struct walk *walk)
{
    return walk->depth < QUERIES_DEEP_MAX && walk->followed++ < FOLLOWED_MAX;
}

static const char *column_of_entry(struct walk *walk, const struct scope_entry *entry,
                                   const char *column);

static const char *column_of_query(struct walk *walk, const struct scope_entry *entry,
                                   const char *column)
{
    size_t place = place_in(entry->columns, column);
    struct scope scope;
    const json_t *output = output_of(entry->query, place == SIZE_MAX ? column : NULL, place);
    look_within(walk, entry->query, entry->scope, &scope);
    if (output != NULL)
        return rh_tree_column_of(walk, output, &scope);
    return rh_tree_gives_all(entry->query) && scope.entries.count == 1
               ? column_of_entry(walk, &scope.entries.items[0], column)
               : NULL;
}

static const char *column_of_entry(struct walk *walk, const struct scope_entry *entry,
                                   const char *column)
{
    const char *found = NULL;
    if (entry->query != NULL && may_follow(walk)) {
        walk->depth++;
        found = column_of_query(walk, entry, column);
        walk->depth--;
    }
    return found != NULL ? found : rh_tree_named_column(walk, entry->table, column);
}

static const struct scope_entry *entry_named(const struct scope *scope, const char *name)
{
    for (; name != NULL && scope != NULL; scope = scope->outer)
        for (size_t i = 0; i < scope->entries.count; i++)
            if (strcmp(scope->entries.items[i].alias, name) == 0)
                return &scope->entries.items[i];
    return NULL;
}

static const char *column_of_fields(struct walk *walk, const json_t *fields,
                                    const struct scope *scope)
{
    size_t count = json_array_size(fields);
    const char *column = count == 0 ? NULL : rh_tree_string_at(fields, count - 1);
    const struct scope_entry *entry = NULL;
    if (column == NULL)
        return NULL;
    if (count > 1)
        entry = entry_named(scope, rh_tree_string_at(fields, count - 2));
    else if (scope != NULL && scope->entries.count == 1)
        entry = &scope->entries.items[0];
    return entry != NULL ? column_of_entry(walk, entry, column)
                         : rh_tree_named_column(walk, NULL, column);
}

/* data->'address'->>'street' as "orders.data->address->>street"; elements of arrays as "[]". */
static const char *member_of(struct walk *walk, const json_t *expression, const struct scope *scope)
{
    const char *operator= rh_tree_last_name(rh_tree_get(expression, "name"));
    const json_t *constant = rh_tree_get(rh_tree_get(expression, "rexpr"), "A_Const");
    const char *member = rh_tree_text(rh_tree_get(constant, "sval"), "sval"), *column;
    if (strcmp(operator, "->") != 0 && strcmp(operator, "->>") != 0)
        return NULL;
    if (rh_tree_get(constant, "ival") != NULL)
        member = "[]";
    if (member == NULL || strstr(member, "->") != NULL)
        return NULL;
    column = rh_tree_column_of(walk, rh_tree_get(expression, "lexpr"), scope);
    return column == NULL || strlen(column) + strlen(member) > MEMBER_BYTES_MAX
               ? NULL
               : rh_arena_printf(walk->arena, "%s%s%s", column, operator, member);
}

const char *rh_tree_column_of(struct walk *walk, const json_t *node, const struct scope *scope)
{
    const json_t *inner;
    if ((inner = rh_tree_get(node, "ColumnRef")) != NULL)
        return column_of_fields(walk, rh_tree_get(inner, "fields"), scope);
    if ((inner = rh_tree_get(node, "TypeCast")) != NULL ||
        (inner = rh_tree_get(node, "CollateClause")) != NULL)
        return rh_tree_column_of(walk, rh_tree_get(inner, "arg"), scope);
    if ((inner = rh_tree_get(node, "FuncCall")) != NULL &&
        RH_TREE_IS_ONE_OF(rh_tree_last_name(rh_tree_get(inner, "funcname")), keepers))
        return rh_tree_column_of(walk, json_array_get(rh_tree_get(inner, "args"), 0), scope);
    if ((inner = rh_tree_get(node, "A_Expr")) != NULL)
        return member_of(walk, inner, scope);
    return NULL;
}

/* --- values ----------------------------------------------------------------------------------- */

/* What is to be said of the values in an expression. */
struct saying {
    const char *column; /* NULL: nothing of columns */
    enum sql_value_kind kind;
    enum sql_value_form form;
};

static bool is_better(const char *old, const char *column)
{
    return old == NULL || (strchr(old, '.') == NULL && strchr(column, '.') != NULL);
}

static void say_of(struct sql_value *value, const struct saying *saying)
{
    if (saying->column != NULL && is_better(value->column, saying->column))
        value->column = saying->column;
    if (value->kind == SQL_VALUE_ANY)
        value->kind = saying->kind;
    if (value->form == SQL_VALUE_SAME)
        value->form = saying->form;
}

static void say_of_constant(struct walk *walk, const struct saying *saying, const json_t *constant)
{
    sql_constants *constants = walk->facts->constants;
    const json_t *location = rh_tree_get(constant, "location");
    if (constants == NULL || location == NULL || json_integer_value(location) < 0)
        return;
    /* The location of a negative number is that of its sign. */
    size_t offset = (size_t)json_integer_value(location), from = 0, to = constants->count;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (constants->items[middle].offset < offset)
            from = middle + 1;
        else
            to = middle;
    }
    /* TRUE, FALSE, NULL and the field of EXTRACT are no constants to mask; what follows them is
       another. */
    if (from < constants->count && rh_tree_get(constant, "boolval") == NULL &&
        !json_is_true(rh_tree_get(constant, "isnull")) &&
        (rh_tree_get(constant, "sval") == NULL || constants->items[from].offset == offset))
        say_of(&constants->items[from].value, saying);
}

static void say(struct walk *walk, const struct saying *saying, const json_t *value,
                const struct scope *scope);

static void say_of_all(struct walk *walk, const struct saying *saying, const json_t *list,
                       const struct scope *scope)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        say(walk, saying, json_array_get(list, i), scope);
}

/* The parameter of `'%' || $1 || '%'` is of the column; its constants are not. But all of
   `$1 || ' days'` is of the type that it is cast to. */
static void say_of_joined(struct walk *walk, const struct saying *saying, const json_t *value,
                          const struct scope *scope)
{
    const json_t *expression = rh_tree_get(value, "A_Expr");
    if (expression != NULL &&
        strcmp(rh_tree_last_name(rh_tree_get(expression, "name")), "||") == 0) {
        say_of_joined(walk, saying, rh_tree_get(expression, "lexpr"), scope);
        say_of_joined(walk, saying, rh_tree_get(expression, "rexpr"), scope);
    } else if (expression == NULL &&
               (saying->column == NULL || rh_tree_get(value, "A_Const") == NULL)) {
        say(walk, saying, value, scope);
    }
}

/* A column of VALUES, in every row. */
static void say_of_values(struct walk *walk, const struct saying *saying, const json_t *rows,
                          size_t place)
{
    for (size_t i = 0; i < json_array_size(rows); i++)
        say(walk, saying,
            json_array_get(rh_tree_get(rh_tree_get(json_array_get(rows, i), "List"), "items"),
                           place),
            NULL);
}

/* unnest($1, $2) gives the elements of each in a column of its own. */
static void say_of_function(struct walk *walk, const struct saying *saying, const json_t *function,
                            size_t place)
{
    const json_t *first = json_array_get(rh_tree_get(function, "functions"), 0);
    const json_t *list = rh_tree_get(rh_tree_get(first, "List"), "items");
    const json_t *call = rh_tree_get(json_array_get(list, 0), "FuncCall");
    struct saying of_elements = *saying;
    of_elements.form = SQL_VALUE_ARRAY;
    if (strcmp(rh_tree_last_name(rh_tree_get(call, "funcname")), "unnest") == 0)
        say(walk, &of_elements, json_array_get(rh_tree_get(call, "args"), place), NULL);
}

/* Of its column by name or, where `column` is NULL, by place. */
static void say_of_entry(struct walk *walk, const struct saying *saying,
                         const struct scope_entry *entry, const char *column, size_t place)
{
    const json_t *rows = rh_tree_get(entry->query, "valuesLists");
    if (column != NULL)
        place = place_in(entry->columns, column);
    if (entry->function != NULL) {
        /* Of one function that gives one column the name is that of the alias. */
        if (place == SIZE_MAX && column != NULL && strcmp(entry->alias, column) == 0)
            place = 0;
        if (place != SIZE_MAX)
            say_of_function(walk, saying, entry->function, place);
    } else if (rows != NULL && place != SIZE_MAX) {
        say_of_values(walk, saying, rows, place);
    } else if (entry->query != NULL && may_follow(walk)) {
        struct scope scope;
        const json_t *output = output_of(entry->query, place == SIZE_MAX ? column : NULL, place);
        look_within(walk, entry->query, entry->scope, &scope);
        walk->depth++;
        if (output != NULL)
            say(walk, saying, output, &scope);
        else if (rh_tree_gives_all(entry->query) && scope.entries.count == 1)
            say_of_entry(walk, saying, &scope.entries.items[0], column, place);
        walk->depth--;
    }
}

/* A name that a query in FROM gives: what it stands for there. */
static void say_of_column(struct walk *walk, const struct saying *saying, const json_t *fields,
                          const struct scope *scope)
{
    size_t count = json_array_size(fields);
    const char *column = count == 0 ? NULL : rh_tree_string_at(fields, count - 1);
    if (column == NULL || scope == NULL)
        return;
    if (count > 1) {
        const struct scope_entry *entry = entry_named(scope, rh_tree_string_at(fields, count - 2));
        if (entry != NULL)
            say_of_entry(walk, saying, entry, column, SIZE_MAX);
    } else {
        for (size_t i = 0; i < scope->entries.count; i++)
            say_of_entry(walk, saying, &scope->entries.items[i], column, SIZE_MAX);
    }
}

static void say_of_call(struct walk *walk, const struct saying *saying, const json_t *call,
                        const struct scope *scope)
{
    const char *name = rh_tree_last_name(rh_tree_get(call, "funcname"));
    const json_t *first = json_array_get(rh_tree_get(call, "args"), 0);
    struct saying of_elements = *saying;
    of_elements.form = SQL_VALUE_ARRAY;
    if (strcmp(name, "unnest") == 0)
        say(walk, &of_elements, first, scope);
    else if (saying->column != NULL && RH_TREE_IS_ONE_OF(name, keepers))
        say(walk, saying, first, scope);
}

static void say(struct walk *walk, const struct saying *saying, const json_t *value,
                const struct scope *scope)
{
    const json_t *node;
    if (value == NULL)
        return;
    if ((node = rh_tree_get(value, "A_Const")) != NULL) {
        say_of_constant(walk, saying, node);
    } else if ((node = rh_tree_get(value, "ParamRef")) != NULL) {
        json_int_t number = json_integer_value(rh_tree_get(node, "number"));
        if (number >= 1 && number <= (json_int_t)walk->facts->parameter_count)
            say_of(&walk->facts->parameters[number - 1], saying);
    } else if ((node = rh_tree_get(value, "TypeCast")) != NULL ||
               (node = rh_tree_get(value, "CollateClause")) != NULL) {
        say(walk, saying, rh_tree_get(node, "arg"), scope);
    } else if ((node = rh_tree_get(value, "A_ArrayExpr")) != NULL) {
        struct saying of_element = *saying;
        of_element.form = SQL_VALUE_SAME;
        say_of_all(walk, &of_element, rh_tree_get(node, "elements"), scope);
    } else if ((node = rh_tree_get(value, "List")) != NULL) {
        say_of_all(walk, saying, rh_tree_get(node, "items"), scope);
    } else if ((node = rh_tree_get(value, "CoalesceExpr")) != NULL) {
        say_of_all(walk, saying, rh_tree_get(node, "args"), scope);
    } else if ((node = rh_tree_get(value, "ColumnRef")) != NULL) {
        say_of_column(walk, saying, rh_tree_get(node, "fields"), scope);
    } else if ((node = rh_tree_get(value, "FuncCall")) != NULL) {
        say_of_call(walk, saying, node, scope);
    } else if ((node = rh_tree_get(value, "CaseExpr")) != NULL) {
        const json_t *whens = rh_tree_get(node, "args");
        for (size_t i = 0; i < json_array_size(whens); i++)
            say(walk, saying,
                rh_tree_get(rh_tree_get(json_array_get(whens, i), "CaseWhen"), "result"), scope);
        say(walk, saying, rh_tree_get(node, "defresult"), scope);
    } else if ((node = rh_tree_get(value, "A_Expr")) != NULL) {
        if (json_string_value(rh_tree_get(node, "kind")) != NULL &&
            strcmp(rh_tree_text(node, "kind"), "AEXPR_NULLIF") == 0)
            say(walk, saying, rh_tree_get(node, "lexpr"), scope);
        else
            say_of_joined(walk, saying, value, scope);
    }
}

void rh_tree_assign(struct walk *walk, const char *column, const json_t *value,
                    const struct scope *scope)
{
    if (column != NULL)
        say(walk, &(struct saying){.column = column}, value, scope);
}

void rh_tree_assign_output(struct walk *walk, const char *column, const struct scope_entry *entry,
                           size_t place)
{
    say_of_entry(walk, &(struct saying){.column = column}, entry, NULL, place);
}

/* --- expressions ------------------------------------------------------------------------------ */

static const char *const comparisons[] = {"=",
                                          "<>",
                                          "!=",
                                          "<",
                                          ">",
                                          "<=",
                                          ">=",
                                          "~~",
                                          "!~~",
                                          "~~*",
                                          "!~~*",
                                          "~",
                                          "!~",
                                          "~*",
                                          "!~*",
                                          "@>",
                                          "<@",
                                          "&&",
                                          "BETWEEN",
                                          "NOT BETWEEN",
                                          "BETWEEN SYMMETRIC",
                                          "NOT BETWEEN SYMMETRIC"};

static void compare(struct walk *walk, const json_t *left, const json_t *right,
                    const struct scope *scope, bool is_any)
{
    const json_t *columns = rh_tree_get(rh_tree_get(left, "RowExpr"), "args");
    const json_t *values = rh_tree_get(rh_tree_get(right, "RowExpr"), "args"),
                 *rows = rh_tree_get(rh_tree_get(right, "List"), "items");
    if (columns != NULL && values != NULL) {
        for (size_t i = 0; i < json_array_size(columns); i++)
            compare(walk, json_array_get(columns, i), json_array_get(values, i), scope, false);
    } else if (columns != NULL && rows != NULL) {
        for (size_t i = 0; i < json_array_size(rows); i++)
            compare(walk, left, json_array_get(rows, i), scope, false);
    } else {
        struct saying of_right = {.column = rh_tree_column_of(walk, left, scope),
                                  .form = is_any ? SQL_VALUE_ARRAY : SQL_VALUE_SAME};
        struct saying of_left = {.column = rh_tree_column_of(walk, right, scope),
                                 .form = is_any ? SQL_VALUE_ELEMENT : SQL_VALUE_SAME};
        say(walk, &of_right, right, scope);
        if (of_left.column != NULL)
            say(walk, &of_left, left, scope);
    }
}

/* Types that hold nobody's name: numbers, times, keys of the server. */
static const char *const plain_types[] = {
    "int2",   "int4",   "int8",      "numeric",     "float4",   "float8",   "bool", "date",
    "time",   "timetz", "timestamp", "timestamptz", "interval", "uuid",     "oid",  "xid",
    "pg_lsn", "bit",    "varbit",    "daterange",   "tsrange",  "int4range"};
/* Names of the server's objects. */
static const char *const name_types[] = {
    "regclass", "regtype",      "regproc",   "regprocedure",  "regoper",
    "regrole",  "regnamespace", "regconfig", "regdictionary", "regcollation"};

static enum sql_value_kind kind_of_type(const json_t *type)
{
    const json_t *names = rh_tree_get(type, "names");
    const char *name = rh_tree_last_name(names), *schema = rh_tree_string_at(names, 0);
    if (json_array_size(names) > 2 ||
        (json_array_size(names) == 2 && (schema == NULL || strcmp(schema, "pg_catalog") != 0)))
        return SQL_VALUE_ANY;
    if (RH_TREE_IS_ONE_OF(name, plain_types))
        return SQL_VALUE_PLAIN;
    if (RH_TREE_IS_ONE_OF(name, name_types))
        return SQL_VALUE_NAME;
    return strcmp(name, "json") == 0 || strcmp(name, "jsonb") == 0 ? SQL_VALUE_JSON : SQL_VALUE_ANY;
}

static void look_at_cast(struct walk *walk, const json_t *cast, const struct scope *scope)
{
    const json_t *type = rh_tree_get(cast, "typeName");
    struct saying saying = {.kind = kind_of_type(type)};
    /* An array of documents is no document. */
    if (saying.kind == SQL_VALUE_JSON && json_array_size(rh_tree_get(type, "arrayBounds")) > 0)
        return;
    if (saying.kind != SQL_VALUE_ANY)
        say(walk, &saying, rh_tree_get(cast, "arg"), scope);
}

/* Arguments that name a unit, a format, a setting, a time zone, an object of the server. Bits: the
   first is 1. "Functions and Operators" of the manual. */
static const struct {
    const char *name;
    unsigned arguments;
    size_t count; /* only with so many of them; 0: always */
} namers[] = {
    {"date_part", 1, 0},
    {"extract", 1, 0},
    {"date_trunc", 1, 0},
    {"timezone", 1, 0},
    {"to_char", 2, 0},
    {"to_date", 2, 0},
    {"to_timestamp", 2, 0},
    {"to_number", 2, 0},
    {"encode", 2, 0},
    {"decode", 2, 0},
    {"convert", 6, 0},
    {"convert_from", 2, 0},
    {"convert_to", 2, 0},
    {"digest", 2, 0},
    {"hmac", 4, 0},
    {"nextval", 1, 0},
    {"currval", 1, 0},
    {"setval", 1, 0},
    {"pg_notify", 1, 0},
    {"to_regclass", 1, 0},
    {"to_regtype", 1, 0},
    {"current_setting", 1, 0},
    {"set_config", 1, 0},
    {"pg_get_serial_sequence", 3, 0},
    {"string_agg", 2, 0},
    {"array_to_string", 2, 0},
    {"to_tsvector", 1, 2},
    {"to_tsquery", 1, 2},
    {"plainto_tsquery", 1, 2},
    {"phraseto_tsquery", 1, 2},
    {"websearch_to_tsquery", 1, 2},
    {"jsonb_extract_path", ~1u, 0},
    {"jsonb_extract_path_text", ~1u, 0},
    {"json_extract_path", ~1u, 0},
    {"json_extract_path_text", ~1u, 0},
    {"jsonb_build_object", 0x55555555, 0},
    {"json_build_object", 0x55555555, 0},
};

static void look_at_call(struct walk *walk, const json_t *call, const struct scope *scope)
{
    const char *name = rh_tree_last_name(rh_tree_get(call, "funcname"));
    const json_t *arguments = rh_tree_get(call, "args");
    size_t count = json_array_size(arguments);
    for (size_t i = 0; i < sizeof(namers) / sizeof(namers[0]); i++) {
        if (strcmp(namers[i].name, name) != 0 || (namers[i].count > 0 && namers[i].count != count))
            continue;
        for (size_t k = 0; k < count && k < 32; k++)
            if (namers[i].arguments >> k & 1)
                say(walk, &(struct saying){.kind = SQL_VALUE_NAME}, json_array_get(arguments, k),
                    scope);
    }
}

/* What stands to the right of these names a member of a document. */
static const char *const members[] = {"->", "->>", "#>", "#>>", "?", "?|", "?&", "#-"};

void rh_tree_look_at_expression(struct walk *walk, const char *kind, const json_t *expression,
                                const struct scope *scope)
{
    if (strcmp(kind, "TypeCast") == 0) {
        look_at_cast(walk, expression, scope);
    } else if (strcmp(kind, "FuncCall") == 0) {
        look_at_call(walk, expression, scope);
    } else if (strcmp(kind, "A_Expr") == 0) {
        const char *name = rh_tree_last_name(rh_tree_get(expression, "name"));
        const char *form = rh_tree_text(expression, "kind");
        const json_t *left = rh_tree_get(expression, "lexpr"),
                     *right = rh_tree_get(expression, "rexpr");
        bool is_any = form != NULL &&
                      (strcmp(form, "AEXPR_OP_ANY") == 0 || strcmp(form, "AEXPR_OP_ALL") == 0);
        if (RH_TREE_IS_ONE_OF(name, comparisons))
            compare(walk, left, right, scope, is_any);
        else if (RH_TREE_IS_ONE_OF(name, members))
            say(walk, &(struct saying){.kind = SQL_VALUE_NAME}, right, scope);
    }
}
