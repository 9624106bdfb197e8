/* masking.yaml, read strictly: what is not understood is a mistake with its place. */
#include "base/suggest.h"
#include "base/yaml_tree.h"
#include "mask/masking_int.h"

#include <stdarg.h>

/* Mistakes told at once; the others are counted. */
#define PROBLEMS_SHOWN 8

struct reading {
    struct masking_rules *rules;
    struct arena *arena;
    size_t problem_count;
    struct buf problems;
    const char *hint; /* of the first that has one */
};

static void add_problem(struct reading *reading, size_t line, size_t column, const char *fmt, ...)
    RH_PRINTF(4, 5);

static void add_problem(struct reading *reading, size_t line, size_t column, const char *fmt, ...)
{
    va_list args;

    if (reading->problem_count++ >= PROBLEMS_SHOWN)
        return;
    rh_buf_printf(&reading->problems, "%s%s:%zu:%zu: ", reading->problems.len > 0 ? "\n" : "",
                  reading->rules->path, line, column);
    va_start(args, fmt);
    rh_buf_vprintf(&reading->problems, fmt, args);
    va_end(args);
}

static struct rules_place place_of(const struct yaml_node *node)
{
    return (struct rules_place){node->line, node->column};
}

static void unknown_key(struct reading *reading, const struct yaml_node *key, const char *what,
                        const char *const *known)
{
    struct suggestion suggestion = {.typed = key->text};
    struct buf list RH_CLEANUP_BUF;

    rh_buf_init(&list, 1024);
    for (size_t i = 0; known[i]; i++) {
        rh_suggest_consider(&suggestion, known[i]);
        rh_buf_printf(&list, "%s%s", i > 0 ? ", " : "", known[i]);
    }
    if (suggestion.best)
        add_problem(reading, key->line, key->column, "unknown %s \"%s\"; did you mean \"%s\"?",
                    what, key->text, suggestion.best);
    else
        add_problem(reading, key->line, key->column, "unknown %s \"%s\"", what, key->text);
    if (!suggestion.best && !reading->hint)
        reading->hint = rh_arena_printf(reading->arena, "Known here: %s.", rh_buf_text(&list).data);
}

/* The index of a key in `known`; SIZE_MAX after saying what is wrong with it. */
static size_t take_key(struct reading *reading, const struct yaml_node *mapping, size_t pair,
                       const char *what, const char *const *known)
{
    const struct yaml_node *key = mapping->pairs.items[pair].key;

    for (size_t i = 0; i < pair; i++)
        if (strcmp(mapping->pairs.items[i].key->text, key->text) == 0) {
            add_problem(reading, key->line, key->column,
                        "duplicate key \"%s\": it was set in line %zu already", key->text,
                        mapping->pairs.items[i].key->line);
            return SIZE_MAX;
        }
    if (!mapping->pairs.items[pair].value)
        return SIZE_MAX;
    for (size_t i = 0; known && known[i]; i++)
        if (strcmp(known[i], key->text) == 0)
            return i;
    if (known)
        unknown_key(reading, key, what, known);
    return known ? SIZE_MAX : 0;
}

static bool is_kind(struct reading *reading, const struct yaml_node *node, enum yaml_kind kind,
                    const char *what)
{
    static const char *const names[] = {"a single value", "a list", "\"name: value\" lines"};

    if (node->kind == kind && !(kind == YAML_SCALAR && node->is_plain && !node->text[0]))
        return true;
    add_problem(reading, node->line, node->column, "%s must be %s", what, names[kind]);
    return false;
}

static bool take_rule(struct reading *reading, const struct yaml_node *node,
                      enum mask_rule *ret_rule)
{
    const char *names[MASK_RULE_COUNT + 1] = {0};

    if (!is_kind(reading, node, YAML_SCALAR, "a rule"))
        return false;
    if (rh_mask_rule_find(node->text, ret_rule))
        return true;
    for (int i = 0; i < MASK_RULE_COUNT; i++)
        names[i] = rh_mask_rule_name((enum mask_rule)i);
    unknown_key(reading, node, "rule", names);
    return false;
}

static const char *take_text(struct reading *reading, const struct yaml_node *node,
                             const char *what)
{
    return is_kind(reading, node, YAML_SCALAR, what) ? node->text : NULL;
}

/* "$.user.email", "$.items[*].note": members and elements; what stands behind is the map's to
 * refuse. */
static bool is_path(const char *path)
{
    return path[0] == '$' && (path[1] == '.' || path[1] == '[' || path[1] == '\0');
}

static void read_paths(struct reading *reading, const struct yaml_node *node,
                       struct column_rule *rule)
{
    static const char *const keys[] = {"rule", "domain", NULL};

    if (!is_kind(reading, node, YAML_MAPPING, "\"paths\""))
        return;
    for (size_t i = 0; i < node->pairs.count; i++) {
        const struct yaml_pair *pair = &node->pairs.items[i];
        struct mask_path path = {.path = pair->key->text};
        bool has_rule = false;
        if (take_key(reading, node, i, "path", NULL) == SIZE_MAX)
            continue;
        if (!is_path(path.path)) {
            add_problem(reading, pair->key->line, pair->key->column,
                        "\"%s\" is no path; write it as in \"$.user.email\"", path.path);
            continue;
        }
        if (pair->value->kind == YAML_MAPPING) {
            for (size_t j = 0; j < pair->value->pairs.count; j++) {
                const struct yaml_node *value = pair->value->pairs.items[j].value;
                switch (take_key(reading, pair->value, j, "key", keys)) {
                case 0:
                    has_rule = take_rule(reading, value, &path.rule);
                    break;
                case 1:
                    path.domain = take_text(reading, value, "a domain");
                    break;
                default:
                    break;
                }
            }
            if (!has_rule)
                add_problem(reading, pair->value->line, pair->value->column, "a path needs a rule");
        } else {
            has_rule = take_rule(reading, pair->value, &path.rule);
        }
        if (has_rule)
            *RH_PUSH(reading->arena, &rule->paths) = path;
    }
}

static void read_texts(struct reading *reading, const struct yaml_node *node, const char *what,
                       struct column_rule *rule)
{
    if (!is_kind(reading, node, YAML_SEQUENCE, what))
        return;
    for (size_t i = 0; i < node->items.count; i++)
        if (node->items.items[i]->kind == YAML_SCALAR)
            *RH_PUSH(reading->arena, &rule->kept_values) = node->items.items[i]->text;
        else
            add_problem(reading, node->items.items[i]->line, node->items.items[i]->column,
                        "each item of %s must be a single value", what);
}

static void read_rule(struct reading *reading, const struct yaml_node *node,
                      struct column_rule *rule)
{
    static const char *const keys[] = {"rule",        "domain",   "parameter", "paths",
                                       "keep_values", "personal", NULL};

    if (node->kind == YAML_SCALAR) {
        rule->has_rule = take_rule(reading, node, &rule->rule);
        return;
    }
    if (!is_kind(reading, node, YAML_MAPPING, "a column's rule"))
        return;
    for (size_t i = 0; i < node->pairs.count; i++) {
        const struct yaml_node *value = node->pairs.items[i].value;
        const char *text;
        switch (take_key(reading, node, i, "key", keys)) {
        case 0:
            rule->has_rule = take_rule(reading, value, &rule->rule);
            break;
        case 1:
            rule->domain = take_text(reading, value, "a domain");
            break;
        case 2:
            rule->parameter = value->kind == YAML_SCALAR ? value->text
                                                         : take_text(reading, value, "a parameter");
            break;
        case 3:
            read_paths(reading, value, rule);
            break;
        case 4:
            read_texts(reading, value, "\"keep_values\"", rule);
            break;
        case 5:
            text = take_text(reading, value, "\"personal\"");
            if (text && strcmp(text, "true") == 0)
                rule->personal = PERSONAL_YES;
            else if (text && strcmp(text, "false") == 0)
                rule->personal = PERSONAL_NO;
            else if (text)
                add_problem(reading, value->line, value->column,
                            "\"personal\" must be true or false");
            break;
        default:
            break;
        }
    }
    if (rule->paths.count > 0 && (!rule->has_rule || rule->rule != MASK_JSON))
        add_problem(reading, node->line, node->column, "\"paths\" need \"rule: json\"");
}

static void read_table(struct reading *reading, const struct yaml_node *key,
                       const struct yaml_node *node)
{
    static const char *const keys[] = {"columns", NULL};

    if (!is_kind(reading, node, YAML_MAPPING, "a table"))
        return;
    for (size_t i = 0; i < node->pairs.count; i++) {
        const struct yaml_node *columns = node->pairs.items[i].value;
        if (take_key(reading, node, i, "key", keys) == SIZE_MAX ||
            !is_kind(reading, columns, YAML_MAPPING, "\"columns\""))
            continue;
        for (size_t j = 0; j < columns->pairs.count; j++) {
            const struct yaml_pair *pair = &columns->pairs.items[j];
            if (take_key(reading, columns, j, "column", NULL) == SIZE_MAX)
                continue;
            struct column_rule rule = {
                .table = key->text, .column = pair->key->text, .place = place_of(pair->key)};
            read_rule(reading, pair->value, &rule);
            *RH_PUSH(reading->arena, &reading->rules->columns) = rule;
        }
    }
}

static void read_names(struct reading *reading, const struct yaml_node *node, const char *what,
                       struct domain_rule *domain)
{
    if (!is_kind(reading, node, YAML_SEQUENCE, what))
        return;
    for (size_t i = 0; i < node->items.count; i++) {
        const struct yaml_node *item = node->items.items[i];
        struct named_column name = {item->text, place_of(item)};
        if (!is_kind(reading, item, YAML_SCALAR, "a column"))
            continue;
        if (domain)
            *RH_PUSH(reading->arena, &domain->columns) = name;
        else
            *RH_PUSH(reading->arena, &reading->rules->keep) = name;
    }
}

static void read_domain(struct reading *reading, const struct yaml_node *key,
                        const struct yaml_node *node)
{
    static const char *const keys[] = {"rule", "columns", NULL};
    struct domain_rule domain = {.name = key->text, .place = place_of(key)};

    if (!is_kind(reading, node, YAML_MAPPING, "a domain"))
        return;
    for (size_t i = 0; i < node->pairs.count; i++) {
        const struct yaml_node *value = node->pairs.items[i].value;
        switch (take_key(reading, node, i, "key", keys)) {
        case 0:
            domain.has_rule = take_rule(reading, value, &domain.rule);
            break;
        case 1:
            read_names(reading, value, "\"columns\"", &domain);
            break;
        default:
            break;
        }
    }
    *RH_PUSH(reading->arena, &reading->rules->domains) = domain;
}

static void read_reference(struct reading *reading, const struct yaml_node *node)
{
    static const char *const keys[] = {"from", "to", "when", NULL};
    struct reference_rule reference = {0};

    if (!is_kind(reading, node, YAML_MAPPING, "a reference"))
        return;
    for (size_t i = 0; i < node->pairs.count; i++) {
        const struct yaml_node *value = node->pairs.items[i].value;
        switch (take_key(reading, node, i, "key", keys)) {
        case 0:
            reference.from = take_text(reading, value, "\"from\"");
            reference.from_place = place_of(value);
            break;
        case 1:
            reference.to = take_text(reading, value, "\"to\"");
            reference.to_place = place_of(value);
            break;
        case 2:
            reference.when = take_text(reading, value, "\"when\"");
            break;
        default:
            break;
        }
    }
    if (reference.from && reference.to)
        *RH_PUSH(reading->arena, &reading->rules->references) = reference;
    else
        add_problem(reading, node->line, node->column,
                    "a reference needs \"from\" and \"to\", as in \"public.comments(post_id)\"");
}

static void read_defaults(struct reading *reading, const struct yaml_node *node)
{
    static const char *const keys[] = {"unclassified", NULL};

    if (!is_kind(reading, node, YAML_MAPPING, "\"defaults\""))
        return;
    for (size_t i = 0; i < node->pairs.count; i++) {
        const struct yaml_node *value = node->pairs.items[i].value;
        if (take_key(reading, node, i, "key", keys) == SIZE_MAX)
            continue;
        const char *text = take_text(reading, value, "\"unclassified\"");
        if (text && strcmp(text, "keep") == 0) {
            reading->rules->keeps_unclassified = true;
            reading->rules->keeps_place = place_of(value);
        } else if (text && strcmp(text, "mask") != 0) {
            add_problem(reading, value->line, value->column,
                        "\"unclassified\" must be mask or keep");
        }
    }
}

static void read_root(struct reading *reading, const struct yaml_node *root)
{
    static const char *const keys[] = {"version", "defaults",   "tables", "domains",
                                       "keep",    "references", NULL};
    bool has_version = false;

    if (root && !is_kind(reading, root, YAML_MAPPING, "the file"))
        return;
    for (size_t i = 0; root && i < root->pairs.count; i++) {
        const struct yaml_node *value = root->pairs.items[i].value;
        const char *text;
        switch (take_key(reading, root, i, "key", keys)) {
        case 0:
            has_version = true;
            text = take_text(reading, value, "\"version\"");
            if (text && strcmp(text, "1") != 0)
                add_problem(reading, value->line, value->column,
                            "version \"%s\" is not known here, only 1", text);
            break;
        case 1:
            read_defaults(reading, value);
            break;
        case 2:
            if (is_kind(reading, value, YAML_MAPPING, "\"tables\""))
                for (size_t j = 0; j < value->pairs.count; j++)
                    if (take_key(reading, value, j, "table", NULL) != SIZE_MAX)
                        read_table(reading, value->pairs.items[j].key, value->pairs.items[j].value);
            break;
        case 3:
            if (is_kind(reading, value, YAML_MAPPING, "\"domains\""))
                for (size_t j = 0; j < value->pairs.count; j++)
                    if (take_key(reading, value, j, "domain", NULL) != SIZE_MAX)
                        read_domain(reading, value->pairs.items[j].key,
                                    value->pairs.items[j].value);
            break;
        case 4:
            read_names(reading, value, "\"keep\"", NULL);
            break;
        case 5:
            if (is_kind(reading, value, YAML_SEQUENCE, "\"references\""))
                for (size_t j = 0; j < value->items.count; j++)
                    read_reference(reading, value->items.items[j]);
            break;
        default:
            break;
        }
    }
    if (root && !has_version)
        add_problem(reading, root->line, root->column, "no \"version: 1\"");
}

enum err_code rh_masking_rules_parse(const char *path, struct text yaml, struct arena *arena,
                                     struct masking_rules **ret_rules, struct err *err)
{
    struct masking_rules *rules = RH_NEW(arena, struct masking_rules);
    struct reading reading = {.rules = rules, .arena = arena};
    size_t valid = rh_text_utf8_valid_prefix(yaml);
    struct yaml_tree tree = {0};
    enum err_code code = RH_OK;

    rules->path = rh_arena_strdup(arena, path);
    rh_buf_init(&reading.problems, 65536);
    if (valid < yaml.len) {
        struct text_position at = rh_text_position(yaml, valid);
        add_problem(&reading, at.line, at.column, "invalid UTF-8");
    } else {
        rh_yaml_read(yaml, arena, &tree);
        for (size_t i = 0; i < tree.problems.count; i++)
            add_problem(&reading, tree.problems.items[i].line, tree.problems.items[i].column, "%s",
                        tree.problems.items[i].message);
        if (tree.problems.count == 0)
            read_root(&reading, tree.root);
    }
    if (reading.problem_count > 0) {
        char *text = rh_text_dup(arena, rh_buf_text(&reading.problems));
        char *rest = strchr(text, '\n');
        if (rest)
            *rest++ = '\0';
        code = rh_err_set(err, RH_ERR_USAGE, "%s", text);
        if (rest && reading.problem_count > PROBLEMS_SHOWN)
            rh_err_detail(err, "%s\nand %zu more", rest, reading.problem_count - PROBLEMS_SHOWN);
        else if (rest)
            rh_err_detail(err, "%s", rest);
        if (reading.hint)
            rh_err_hint(err, "%s", reading.hint);
    } else {
        *ret_rules = rules;
    }
    rh_buf_deinit(&reading.problems);
    return code;
}

const char *rh_masking_place(const struct masking_rules *rules, struct rules_place place,
                             struct arena *arena)
{
    return rh_arena_printf(arena, "%s:%zu", rules->path, place.line);
}
