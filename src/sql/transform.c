/* transform.yaml, read strictly: what is not understood is a mistake with its place. */
#include "sql/transform.h"

#include "base/quote.h"
#include "base/suggest.h"
#include "base/yaml_tree.h"
#include "sql/pattern_int.h"

#include <pg_query.h>
#include <stdarg.h>

/* Mistakes told at once; the others are counted. */
#define PROBLEMS_SHOWN 8
/* More rules than columns of a large schema. */
#define RULES_MAX 10000
#define NAME_PARTS_MAX 3
/* Of all mistakes together, before they are cut to what an error holds. */
#define PROBLEMS_BYTES_MAX 65536

struct reading {
    struct transform *transform;
    struct arena *arena;
    size_t problem_count;
    struct buf problems;
};

static void add_problem(struct reading *reading, const struct yaml_node *node, const char *fmt, ...)
    RH_PRINTF(3, 4);

static void begin_problem(struct reading *reading, size_t line, size_t column)
{
    rh_buf_printf(&reading->problems, "%s%s:%zu:%zu: ", reading->problems.len > 0 ? "\n" : "",
                  reading->transform->path, line, column);
}

static void add_problem(struct reading *reading, const struct yaml_node *node, const char *fmt, ...)
{
    va_list args;
    if (reading->problem_count++ >= PROBLEMS_SHOWN)
        return;
    begin_problem(reading, node->line, node->column);
    va_start(args, fmt);
    rh_buf_vprintf(&reading->problems, fmt, args);
    va_end(args);
}

/* --- keys ------------------------------------------------------------------------------------- */

static size_t index_of(const char *const *known, const char *name)
{
    for (size_t i = 0; known[i] != NULL; i++) {
        if (strcmp(known[i], name) == 0)
            return i;
    }
    return TRANSFORM_NONE;
}

static void unknown(struct reading *reading, const struct yaml_node *node, const char *what,
                    const char *const *known)
{
    struct suggestion suggestion = {.typed = node->text};
    const char *list = "";
    for (size_t i = 0; known[i] != NULL; i++) {
        rh_suggest_consider(&suggestion, known[i]);
        list = rh_arena_printf(reading->arena, "%s%s%s", list, i > 0 ? ", " : "", known[i]);
    }
    if (suggestion.best != NULL)
        add_problem(reading, node, "unknown %s \"%s\"; did you mean \"%s\"?", what, node->text,
                    suggestion.best);
    else
        add_problem(reading, node, "unknown %s \"%s\"; known here: %s", what, node->text, list);
}

/* The index of a key in `known`; TRANSFORM_NONE after saying what is wrong with it. */
static size_t take_key(struct reading *reading, const struct yaml_node *mapping, size_t pair,
                       const char *const *known)
{
    const struct yaml_node *key = mapping->pairs.items[pair].key;
    size_t found = index_of(known, key->text);
    for (size_t i = 0; i < pair; i++) {
        if (strcmp(mapping->pairs.items[i].key->text, key->text) == 0) {
            add_problem(reading, key, "duplicate key \"%s\": it was set in line %zu already",
                        key->text, mapping->pairs.items[i].key->line);
            return TRANSFORM_NONE;
        }
    }
    if (found == TRANSFORM_NONE)
        unknown(reading, key, "key", known);
    return mapping->pairs.items[pair].value != NULL ? found : TRANSFORM_NONE;
}

static bool is_text(struct reading *reading, const struct yaml_node *node, const char *what)
{
    if (node->kind == YAML_SCALAR && node->text[0] != '\0')
        return true;
    add_problem(reading, node, "%s must be a single value", what);
    return false;
}

/* --- names ------------------------------------------------------------------------------------ */

/* Names with dots between them, as the catalogue has them; in double quotes what has a dot or a
   quote itself. 0: it is none. */
static size_t split_name(struct arena *arena, const char *text,
                         const char *parts[static NAME_PARTS_MAX])
{
    size_t count = 0;
    const char *at = text;
    for (;;) {
        const char *end = at;
        if (count == NAME_PARTS_MAX)
            return 0;
        if (*at == '"') {
            for (end = at + 1; *end != '\0' && (*end != '"' || end[1] == '"'); end++)
                end += *end == '"';
            if (*end != '"' || end == at + 1)
                return 0;
            end++;
            parts[count++] = rh_quote_read_name(arena, (struct text){at, (size_t)(end - at)});
        } else {
            end = at + strcspn(at, ".\"");
            if (end == at || *end == '"')
                return 0;
            parts[count++] = rh_arena_strndup(arena, at, (size_t)(end - at));
        }
        if (*end == '\0')
            return count;
        if (*end != '.')
            return 0;
        at = end + 1;
    }
}

/* As a table, a column and an alias: what the parser takes plain is no key word. */
static const char *written(struct arena *arena, const char *name)
{
    const char *plain = rh_quote_name_where_needed(arena, name);
    if (plain[0] == '"')
        return plain;
    PgQueryParseResult parsed = pg_query_parse(
        rh_arena_printf(arena, "SELECT %s FROM %s %s", plain, plain, plain));
    bool is_word = parsed.error != NULL;
    pg_query_free_parse_result(parsed);
    return is_word ? rh_quote_name(arena, name) : plain;
}

/* "table" or "schema.table", with a column behind it or without. */
static bool take_object(struct reading *reading, const struct yaml_node *node, bool has_column,
                        struct transform_rule *rule)
{
    const char *parts[NAME_PARTS_MAX];
    if (!is_text(reading, node, has_column ? "a column" : "a table"))
        return false;
    size_t count = split_name(reading->arena, node->text, parts);
    size_t least = has_column ? 2 : 1;
    if (count < least || count > least + 1) {
        add_problem(reading, node, "\"%s\" is no %s; write it as in %s", node->text,
                    has_column ? "column of a table" : "table",
                    has_column ? "\"users.email\" or \"public.users.email\""
                               : "\"users\" or \"public.users\"");
        return false;
    }
    rule->schema = count > least ? parts[0] : NULL;
    rule->table = parts[count - least];
    rule->column = has_column ? parts[count - 1] : NULL;
    return true;
}

static bool take_new_name(struct reading *reading, const struct yaml_node *node,
                          struct transform_rule *rule)
{
    const char *parts[NAME_PARTS_MAX];
    if (!is_text(reading, node, "a new name"))
        return false;
    size_t count = split_name(reading->arena, node->text, parts);
    size_t most = rule->kind == TRANSFORM_RENAME_TABLE ? 2 : 1;
    if (count == 0 || count > most) {
        add_problem(reading, node, "\"%s\" is no name of a %s", node->text,
                    most == 2 ? "table" : "column");
        return false;
    }
    rule->to_schema = count == 2 ? written(reading->arena, parts[0]) : NULL;
    rule->to = written(reading->arena, parts[count - 1]);
    return true;
}

/* --- replacements ----------------------------------------------------------------------------- */

#define FINGERPRINT_BYTES sizeof(uint64_t)

static bool take_fingerprint(struct reading *reading, const struct yaml_node *node,
                             struct transform_rule *rule)
{
    unsigned char bytes[FINGERPRINT_BYTES];
    if (!is_text(reading, node, "a fingerprint"))
        return false;
    if (!rh_text_parse_hex(rh_text(node->text), bytes, sizeof(bytes))) {
        add_problem(reading, node,
                    "\"%s\" is no fingerprint: 16 hexadecimal digits, as \"rehearse workload "
                    "show\" prints them",
                    node->text);
        return false;
    }
    for (size_t i = 0; i < sizeof(bytes); i++)
        rule->fingerprint = rule->fingerprint << 8 | bytes[i];
    return true;
}

static bool take_sql(struct reading *reading, const struct yaml_node *node,
                     struct transform_rule *rule)
{
    if (!is_text(reading, node, "\"with\""))
        return false;
    struct text sql = rh_text_trim(rh_text(node->text));
    rule->sql = rh_text_dup(reading->arena, sql);
    rule->most_parameter = rh_sql_most_parameter(sql);
    return true;
}

/* --- rules ------------------------------------------------------------------------------------ */

enum rule_key {
    KEY_RENAME_TABLE,
    KEY_RENAME_COLUMN,
    KEY_DROP_COLUMN,
    KEY_REPLACE,
    KEY_TO,
    KEY_WITH
};
static const char *const rule_keys[] = {"rename_table", "rename_column", "drop_column", "replace",
                                        "to",           "with",          NULL};

static bool is_same_object(const char *a, const char *b)
{
    return (a == NULL && b == NULL) || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Two rules that say what becomes of one thing. */
static const struct transform_rule *other_rule(const struct transform *transform,
                                               const struct transform_rule *rule)
{
    for (size_t i = 0; i < transform->rules.count; i++) {
        const struct transform_rule *other = &transform->rules.items[i];
        bool both_replace = rule->kind == TRANSFORM_REPLACE && other->kind == TRANSFORM_REPLACE;
        if (both_replace ? rule->fingerprint == other->fingerprint
                         : rule->kind != TRANSFORM_REPLACE && other->kind != TRANSFORM_REPLACE &&
                               strcmp(rule->table, other->table) == 0 &&
                               is_same_object(rule->column, other->column) &&
                               (rule->schema == NULL || other->schema == NULL ||
                                strcmp(rule->schema, other->schema) == 0))
            return other;
    }
    return NULL;
}

static void add_rule(struct reading *reading, const struct yaml_node *node,
                     struct transform_rule rule)
{
    const struct transform_rule *other = other_rule(reading->transform, &rule);
    if (other != NULL)
        add_problem(reading, node, "the rule in line %zu is for the same", other->line);
    else if (reading->transform->rules.count >= RULES_MAX)
        add_problem(reading, node, "these are more than %d rules", RULES_MAX);
    else
        *RH_PUSH(reading->arena, &reading->transform->rules) = rule;
}

static void read_rule(struct reading *reading, const struct yaml_node *node)
{
    const struct yaml_node *values[sizeof(rule_keys) / sizeof(rule_keys[0])] = {0};
    static const enum transform_kind kinds[] = {TRANSFORM_RENAME_TABLE, TRANSFORM_RENAME_COLUMN,
                                                TRANSFORM_DROP_COLUMN, TRANSFORM_REPLACE};
    struct transform_rule rule = {.line = node->line, .column_number = node->column};
    size_t kind_count = 0, before = reading->problem_count;
    if (node->kind != YAML_MAPPING) {
        add_problem(reading, node, "a rule is \"rename_table: ...\" or the like");
        return;
    }
    for (size_t i = 0; i < node->pairs.count; i++) {
        size_t key = take_key(reading, node, i, rule_keys);
        if (key == TRANSFORM_NONE)
            continue;
        values[key] = node->pairs.items[i].value;
        if (key <= KEY_REPLACE) {
            rule.kind = kinds[key];
            kind_count++;
        }
    }
    if (reading->problem_count > before)
        return;
    bool wants_to = values[KEY_RENAME_TABLE] || values[KEY_RENAME_COLUMN];
    if (kind_count != 1) {
        add_problem(reading, node,
                    "a rule has one of rename_table, rename_column, drop_column and "
                    "replace");
        return;
    }
    if (wants_to != (values[KEY_TO] != NULL) ||
        (rule.kind == TRANSFORM_REPLACE) != (values[KEY_WITH] != NULL)) {
        add_problem(reading, node,
                    "\"to\" goes with rename_table and rename_column, \"with\" with "
                    "replace");
        return;
    }
    bool is_good = false;
    switch (rule.kind) {
    case TRANSFORM_RENAME_TABLE:
        is_good = take_object(reading, values[KEY_RENAME_TABLE], false, &rule) &&
                  take_new_name(reading, values[KEY_TO], &rule);
        rule.text = rh_arena_printf(reading->arena, "rename_table %s to %s",
                                    values[KEY_RENAME_TABLE]->text, values[KEY_TO]->text);
        break;
    case TRANSFORM_RENAME_COLUMN:
        is_good = take_object(reading, values[KEY_RENAME_COLUMN], true, &rule) &&
                  take_new_name(reading, values[KEY_TO], &rule);
        rule.text = rh_arena_printf(reading->arena, "rename_column %s to %s",
                                    values[KEY_RENAME_COLUMN]->text, values[KEY_TO]->text);
        break;
    case TRANSFORM_DROP_COLUMN:
        is_good = take_object(reading, values[KEY_DROP_COLUMN], true, &rule);
        rule.text = rh_arena_printf(reading->arena, "drop_column %s",
                                    values[KEY_DROP_COLUMN]->text);
        break;
    case TRANSFORM_REPLACE:
        is_good = take_fingerprint(reading, values[KEY_REPLACE], &rule) &&
                  take_sql(reading, values[KEY_WITH], &rule);
        rule.text = rh_arena_printf(reading->arena, "replace %s", values[KEY_REPLACE]->text);
        break;
    }
    if (is_good)
        add_rule(reading, node, rule);
}

/* --- the file --------------------------------------------------------------------------------- */

static void read_old(struct reading *reading, const struct yaml_node *node)
{
    static const char *const known[] = {"running", "stopped", NULL};
    if (!is_text(reading, node, "\"old_application\""))
        return;
    size_t found = index_of(known, node->text);
    if (found == TRANSFORM_NONE)
        unknown(reading, node, "value", known);
    reading->transform->is_old_stopped = found == 1;
}

static void read_rules(struct reading *reading, const struct yaml_node *node)
{
    if (node->kind != YAML_SEQUENCE) {
        add_problem(reading, node, "\"rules\" must be a list");
        return;
    }
    for (size_t i = 0; i < node->items.count; i++)
        read_rule(reading, node->items.items[i]);
    if (node->items.count == 0)
        add_problem(reading, node, "\"rules\" holds none");
}

static void read_root(struct reading *reading, const struct yaml_node *root)
{
    static const char *const keys[] = {"version", "old_application", "rules", NULL};
    bool is_there[sizeof(keys) / sizeof(keys[0])] = {0};
    if (root->kind != YAML_MAPPING) {
        add_problem(reading, root, "expected \"version: 1\" and \"rules:\" with a list");
        return;
    }
    for (size_t i = 0; i < root->pairs.count; i++) {
        const struct yaml_node *value = root->pairs.items[i].value;
        size_t key = take_key(reading, root, i, keys);
        if (key == TRANSFORM_NONE)
            continue;
        is_there[key] = true;
        if (key == 0 && (value->kind != YAML_SCALAR || strcmp(value->text, "1") != 0))
            add_problem(reading, value, "version \"%s\" is not known here, only 1",
                        value->kind == YAML_SCALAR ? value->text : "");
        else if (key == 1)
            read_old(reading, value);
        else if (key == 2)
            read_rules(reading, value);
    }
    for (size_t i = 0; keys[i] != NULL; i++) {
        if (!is_there[i] && i != 1)
            add_problem(reading, root, "no \"%s\"", i == 0 ? "version: 1" : keys[i]);
    }
}

/* The first mistake is the message. */
static enum err_code fail(const struct reading *reading, struct err *err)
{
    char *text = rh_text_dup(reading->arena, rh_buf_text(&reading->problems));
    char *rest = strchr(text, '\n');
    if (rest != NULL)
        *rest++ = '\0';
    enum err_code code = rh_err_set(err, RH_ERR_USAGE, "%s", text);
    if (rest != NULL && reading->problem_count > PROBLEMS_SHOWN)
        rh_err_detail(err, "%s\nand %zu more", rest, reading->problem_count - PROBLEMS_SHOWN);
    else if (rest != NULL)
        rh_err_detail(err, "%s", rest);
    return code;
}

enum err_code rh_transform_read(const char *path, struct text content, struct arena *arena,
                                struct transform *ret_transform, struct err *err)
{
    struct transform transform = {.path = rh_arena_strdup(arena, path)};
    struct reading reading = {.transform = &transform, .arena = arena};
    struct yaml_tree tree = {0};
    size_t valid = rh_text_utf8_valid_prefix(content);
    struct text_position bad = rh_text_position(content, valid);
    struct yaml_node start = {.line = bad.line, .column = bad.column};
    enum err_code code = RH_OK;
    rh_buf_init(&reading.problems, PROBLEMS_BYTES_MAX);
    if (content.len > TRANSFORM_FILE_BYTES_MAX || valid < content.len) {
        add_problem(&reading, &start,
                    valid < content.len ? "invalid UTF-8"
                                        : "the file is larger "
                                          "than 4 MB");
    } else {
        rh_yaml_read(content, arena, &tree);
        for (size_t i = 0; i < tree.problems.count; i++) {
            const struct yaml_problem *problem = &tree.problems.items[i];
            const struct yaml_node place = {.line = problem->line, .column = problem->column};
            add_problem(&reading, &place, "%s", problem->message);
        }
        if (tree.problems.count == 0 && tree.root == NULL)
            add_problem(&reading, &start, "the file is empty");
        else if (tree.problems.count == 0)
            read_root(&reading, tree.root);
    }
    if (reading.problem_count > 0)
        code = fail(&reading, err);
    else
        *ret_transform = transform;
    rh_buf_deinit(&reading.problems);
    return code;
}
