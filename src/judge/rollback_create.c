/* What a migration removed, made again as it was. */
#include "judge/rollback_int.h"

#include "base/quote.h"

#include <stdlib.h>
#include <string.h>

static bool is(const char *kind, const char *name)
{
    return strcmp(kind, name) == 0;
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

/* --- columns -------------------------------------------------------------------------------------
 */

/* "integer DEFAULT 0 NOT NULL" */
static const char *column_definition(struct arena *arena, const struct state_object *column,
                                     bool with_not_null)
{
    const char *definition = or_empty(rh_plan_attribute(column, "type"));
    const char *collation = rh_plan_attribute(column, "collation");
    const char *value = rh_plan_attribute(column, "default");
    const char *generated = rh_plan_attribute(column, "generated");
    const char *identity = rh_plan_attribute(column, "identity");
    if (collation)
        definition = rh_arena_printf(arena, "%s COLLATE %s", definition, collation);
    if (value)
        definition = rh_arena_printf(arena, "%s DEFAULT %s", definition, value);
    if (generated)
        definition = rh_arena_printf(arena, "%s GENERATED ALWAYS AS (%s) %s", definition,
                                     strchr(generated, ':') + 2,
                                     strncmp(generated, "stored", 6) == 0 ? "STORED" : "VIRTUAL");
    if (identity)
        definition = rh_arena_printf(arena, "%s GENERATED %s AS IDENTITY", definition,
                                     is(identity, "always") ? "ALWAYS" : "BY DEFAULT");
    if (with_not_null && rh_plan_attribute(column, "not null"))
        definition = rh_arena_printf(arena, "%s NOT NULL", definition);
    return definition;
}

static void add_column_settings(struct plan_work *work, const struct state_object *column)
{
    static const struct {
        const char *attribute, *form;
    } settings[] = {{"storage", "SET STORAGE %s"},
                    {"compression", "SET COMPRESSION %s"},
                    {"statistics target", "SET STATISTICS %s"},
                    {"options", "SET (%s)"}};
    const char *name = rh_plan_own_name(work->arena, column->identity);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        const char *value = rh_plan_attribute(column, settings[i].attribute);
        if (value)
            rh_plan_command(work, PHASE_SET_COLUMNS, "ALTER TABLE %s ALTER COLUMN %s %s",
                            column->parent, name,
                            rh_arena_printf(work->arena, settings[i].form, value));
    }
}

static bool table_has_rows(const struct plan_work *work, const char *table)
{
    for (size_t i = 0; i < work->data->tables.count; i++)
        if (is(work->data->tables.items[i].identity, table))
            return work->data->tables.items[i].rows > 0 || work->data->tables.items[i].skipped;
    return false;
}

static void create_column(struct plan_work *work, const struct state_object *column)
{
    const char *name = rh_plan_own_name(work->arena, column->identity);
    bool is_filled = rh_plan_attribute(column, "default") ||
                     rh_plan_attribute(column, "generated") ||
                     rh_plan_attribute(column, "identity") || !table_has_rows(work, column->parent);
    rh_plan_command(work, PHASE_CREATE_COLUMNS, "ALTER TABLE %s ADD COLUMN %s %s", column->parent,
                    name, column_definition(work->arena, column, is_filled));
    if (!is_filled && rh_plan_attribute(column, "not null"))
        rh_plan_command(work, PHASE_SET_COLUMNS, "ALTER TABLE %s ALTER COLUMN %s SET NOT NULL",
                        column->parent, name);
    add_column_settings(work, column);
}

/* --- tables --------------------------------------------------------------------------------------
 */

static int compare_columns(const void *a, const void *b)
{
    const struct state_object *left = *(const struct state_object *const *)a;
    const struct state_object *right = *(const struct state_object *const *)b;
    return left->sub_id < right->sub_id ? -1 : left->sub_id > right->sub_id;
}

/* The parts of that kind, columns in their order. */
static size_t list_parts(const struct plan_work *work, const char *kind, const char *parent,
                         const struct state_object ***ret_parts)
{
    size_t count = 0;
    *ret_parts = rh_arena_alloc_array(work->arena, work->before->objects.count + 1,
                                      sizeof(**ret_parts));
    for (size_t i = 0; i < work->before->objects.count; i++) {
        const struct state_object *object = &work->before->objects.items[i];
        if (is(object->kind, kind) && object->parent && is(object->parent, parent))
            (*ret_parts)[count++] = object;
    }
    qsort(*ret_parts, count, sizeof(**ret_parts), compare_columns);
    return count;
}

static void create_table(struct plan_work *work, const struct state_object *table)
{
    struct arena *arena = work->arena;
    const struct state_object **columns;
    size_t count = list_parts(work, "table column", table->identity, &columns);
    const char *key = rh_plan_attribute(table, "partition key");
    const char *options = rh_plan_attribute(table, "options");
    const char *list = "";
    const char *bound = rh_plan_attribute(table, "partition bound");
    if (bound && table->parent) {
        rh_plan_command(work, PHASE_CREATE_TABLES, "CREATE TABLE %s PARTITION OF %s %s%s%s",
                        table->identity, table->parent, bound, key ? " PARTITION BY " : "",
                        or_empty(key));
        return;
    }
    if (rh_plan_attribute(table, "inherits") || rh_plan_attribute(table, "of type")) {
        rh_plan_by_hand(work, PHASE_CREATE_TABLES);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        list = rh_arena_printf(arena, "%s%s%s %s", list, i ? ", " : "",
                               rh_plan_own_name(arena, columns[i]->identity),
                               column_definition(arena, columns[i], true));
        add_column_settings(work, columns[i]);
    }
    rh_plan_command(work, PHASE_CREATE_TABLES, "CREATE %sTABLE %s (%s)%s%s%s%s%s",
                    rh_plan_attribute(table, "persistence") ? "UNLOGGED " : "", table->identity,
                    list, key ? " PARTITION BY " : "", or_empty(key), options ? " WITH (" : "",
                    or_empty(options), options ? ")" : "");
}

/* --- constraints and indexes ---------------------------------------------------------------------
 */

static void create_constraint(struct plan_work *work, const struct state_object *constraint)
{
    const char *definition = or_empty(rh_plan_attribute(constraint, "definition"));
    const char *owner = is(constraint->kind, "domain constraint") ? "DOMAIN" : "TABLE";
    const char *name = rh_plan_own_name(work->arena, constraint->identity);
    bool is_foreign_key = strncmp(definition, "FOREIGN KEY", 11) == 0;
    bool is_check = strncmp(definition, "CHECK", 5) == 0;
    enum plan_phase phase = is_foreign_key ? PHASE_CREATE_FOREIGN_KEYS : PHASE_CREATE_CONSTRAINTS;
    if (rh_plan_attribute(constraint, "inherited"))
        return; /* comes with that of the parent */
    /* Rows are read in a statement of its own, which keeps nobody from writing. */
    bool in_two = (is_foreign_key || is_check) && is(owner, "TABLE") &&
                  !strstr(definition, "NOT ENFORCED");
    rh_plan_command(work, phase, "ALTER %s %s ADD CONSTRAINT %s %s%s", owner, constraint->parent,
                    name, definition, in_two ? " NOT VALID" : "");
    if (in_two && !rh_plan_attribute(constraint, "validated"))
        rh_plan_command(work, phase, "ALTER TABLE %s VALIDATE CONSTRAINT %s", constraint->parent,
                        name);
    if (rh_plan_attribute(constraint, "index clustered"))
        rh_plan_command(work, phase, "ALTER TABLE %s CLUSTER ON %s", constraint->parent, name);
    if (rh_plan_attribute(constraint, "index is replica identity"))
        rh_plan_command(work, phase, "ALTER TABLE %s REPLICA IDENTITY USING INDEX %s",
                        constraint->parent, name);
}

static void create_index(struct plan_work *work, const struct state_object *index)
{
    const struct state_object *table = rh_plan_find(work, "table", index->parent);
    const char *definition = or_empty(rh_plan_attribute(index, "definition"));
    bool is_unique = strncmp(definition, "UNIQUE ", 7) == 0;
    const char *name = rh_plan_own_name(work->arena, index->identity);
    if (rh_plan_attribute(index, "part of"))
        return; /* comes with that of the whole */
    bool is_of_view = rh_plan_find(work, "materialized view", index->parent);
    rh_plan_command(work, is_of_view ? PHASE_CREATE_PARTS : PHASE_CREATE_INDEXES,
                    "CREATE %sINDEX %s%s ON %s %s", is_unique ? "UNIQUE " : "",
                    table && rh_plan_attribute(table, "partition key") ? "" : "CONCURRENTLY ", name,
                    index->parent, definition + (is_unique ? 7 : 0));
    if (rh_plan_attribute(index, "clustered"))
        rh_plan_command(work, PHASE_CREATE_INDEXES, "ALTER TABLE %s CLUSTER ON %s", index->parent,
                        name);
    if (rh_plan_attribute(index, "is replica identity"))
        rh_plan_command(work, PHASE_CREATE_INDEXES,
                        "ALTER TABLE %s REPLICA IDENTITY USING INDEX %s", index->parent, name);
}

/* --- the others ----------------------------------------------------------------------------------
 */

static void create_view(struct plan_work *work, const struct state_object *view)
{
    const char *definition = or_empty(rh_plan_attribute(view, "definition"));
    const char *options = rh_plan_attribute(view, "options");
    size_t len = strlen(definition);
    while (len > 0 && strchr("; \n", definition[len - 1]))
        len--;
    rh_plan_command(work, PHASE_CREATE_VIEWS, "CREATE %s %s%s%s%s AS\n%.*s%s",
                    is(view->kind, "view") ? "VIEW" : "MATERIALIZED VIEW", view->identity,
                    options ? " WITH (" : "", or_empty(options), options ? ")" : "", (int)len,
                    definition, rh_plan_attribute(view, "populated") ? "\nWITH NO DATA" : "");
}

static void create_sequence(struct plan_work *work, const struct state_object *sequence)
{
    const char *owner = rh_plan_attribute(sequence, "owned by");
    const struct state_object *column = owner ? rh_plan_find(work, "table column", owner) : NULL;
    if (!column || !rh_plan_attribute(column, "identity")) /* else it comes with its column */
        rh_plan_command(
            work, PHASE_CREATE_SEQUENCES,
            "CREATE SEQUENCE %s AS %s INCREMENT %s MINVALUE %s MAXVALUE %s START %s CACHE %s%s",
            sequence->identity, or_empty(rh_plan_attribute(sequence, "data type")),
            or_empty(rh_plan_attribute(sequence, "increment")),
            or_empty(rh_plan_attribute(sequence, "minimum")),
            or_empty(rh_plan_attribute(sequence, "maximum")),
            or_empty(rh_plan_attribute(sequence, "start")),
            or_empty(rh_plan_attribute(sequence, "cache")),
            rh_plan_attribute(sequence, "cycle") ? " CYCLE" : "");
    if (owner && (!column || !rh_plan_attribute(column, "identity")))
        rh_plan_command(work, PHASE_SET_COLUMNS, "ALTER SEQUENCE %s OWNED BY %s",
                        sequence->identity, owner);
    for (size_t i = 0; i < work->data->sequences.count; i++) {
        const struct sequence_state *state = &work->data->sequences.items[i];
        if (is(state->identity, sequence->identity) && state->is_used)
            rh_plan_command(work, PHASE_SET_COLUMNS, "SELECT setval(%s, %lld)",
                            rh_quote_literal(work->arena, sequence->identity),
                            (long long)state->last_value);
    }
}

static void create_type(struct plan_work *work, const struct state_object *type)
{
    struct arena *arena = work->arena;
    const char *form = rh_plan_attribute(type, "form");
    const struct state_object **attributes;
    const char *list = "";
    if (form && is(form, "enum")) {
        rh_plan_command(work, PHASE_CREATE_TYPES, "CREATE TYPE %s AS ENUM (%s)", type->identity,
                        or_empty(rh_plan_attribute(type, "labels")));
        return;
    }
    if (!form || !is(form, "composite")) {
        rh_plan_by_hand(work, PHASE_CREATE_TYPES);
        return;
    }
    size_t count = list_parts(work, "attribute", type->identity, &attributes);
    for (size_t i = 0; i < count; i++)
        list = rh_arena_printf(arena, "%s%s%s %s", list, i ? ", " : "",
                               rh_plan_own_name(arena, attributes[i]->identity),
                               column_definition(arena, attributes[i], false));
    rh_plan_command(work, PHASE_CREATE_TYPES, "CREATE TYPE %s AS (%s)", type->identity, list);
}

static void create_domain(struct plan_work *work, const struct state_object *domain)
{
    const char *value = rh_plan_attribute(domain, "default");
    const char *collation = rh_plan_attribute(domain, "collation");
    rh_plan_command(work, PHASE_CREATE_TYPES, "CREATE DOMAIN %s AS %s%s%s%s%s%s", domain->identity,
                    or_empty(rh_plan_attribute(domain, "base type")), collation ? " COLLATE " : "",
                    or_empty(collation), value ? " DEFAULT " : "", or_empty(value),
                    rh_plan_attribute(domain, "not null") ? " NOT NULL" : "");
}

static void create_policy(struct plan_work *work, const struct state_object *policy)
{
    const char *uses = rh_plan_attribute(policy, "using");
    const char *check = rh_plan_attribute(policy, "with check");
    const char *mode = rh_plan_attribute(policy, "mode");
    rh_plan_command(work, PHASE_CREATE_PARTS, "CREATE POLICY %s ON %s%s FOR %s TO %s%s%s%s%s%s%s",
                    rh_plan_own_name(work->arena, policy->identity), policy->parent,
                    mode && is(mode, "restrictive") ? " AS RESTRICTIVE" : "",
                    or_empty(rh_plan_attribute(policy, "command")),
                    or_empty(rh_plan_attribute(policy, "roles")), uses ? " USING (" : "",
                    or_empty(uses), uses ? ")" : "", check ? " WITH CHECK (" : "", or_empty(check),
                    check ? ")" : "");
}

/* A definition that the server gives as a whole command. */
static void create_as_defined(struct plan_work *work, const struct state_object *object,
                              enum plan_phase phase)
{
    const char *definition = rh_plan_attribute(object, "definition");
    if (definition)
        rh_plan_defined(work, phase, definition);
    else
        rh_plan_by_hand(work, phase);
}

static void create_trigger(struct plan_work *work, const struct state_object *trigger)
{
    const char *enabled = rh_plan_attribute(trigger, "enabled");
    create_as_defined(work, trigger, PHASE_CREATE_PARTS);
    if (enabled)
        rh_plan_command(work, PHASE_CREATE_PARTS, "ALTER TABLE %s %s TRIGGER %s", trigger->parent,
                        is(enabled, "no")       ? "DISABLE"
                        : is(enabled, "always") ? "ENABLE ALWAYS"
                                                : "ENABLE REPLICA",
                        rh_plan_own_name(work->arena, trigger->identity));
}

static void create_alone(struct plan_work *work, const struct state_object *object)
{
    const char *kind = object->kind;
    if (is(kind, "table column"))
        create_column(work, object);
    else if (is(kind, "table"))
        create_table(work, object);
    else if (is(kind, "table constraint") || is(kind, "domain constraint"))
        create_constraint(work, object);
    else if (is(kind, "index"))
        create_index(work, object);
    else if (is(kind, "view") || is(kind, "materialized view"))
        create_view(work, object);
    else if (is(kind, "sequence"))
        create_sequence(work, object);
    else if (is(kind, "type"))
        create_type(work, object);
    else if (is(kind, "domain"))
        create_domain(work, object);
    else if (is(kind, "policy"))
        create_policy(work, object);
    else if (is(kind, "trigger"))
        create_trigger(work, object);
    else if (is(kind, "schema"))
        rh_plan_command(work, PHASE_CREATE_SCHEMAS, "CREATE SCHEMA %s", object->identity);
    else if (is(kind, "extension"))
        rh_plan_command(
            work, PHASE_CREATE_SCHEMAS, "CREATE EXTENSION %s SCHEMA %s VERSION %s",
            object->identity, or_empty(rh_plan_attribute(object, "schema")),
            rh_quote_literal(work->arena, or_empty(rh_plan_attribute(object, "version"))));
    else if (is(kind, "attribute"))
        rh_plan_command(work, PHASE_CREATE_COLUMNS, "ALTER TYPE %s ADD ATTRIBUTE %s %s",
                        object->parent, rh_plan_own_name(work->arena, object->identity),
                        column_definition(work->arena, object, false));
    else
        create_as_defined(work, object,
                          is(kind, "function") || is(kind, "procedure") ? PHASE_CREATE_CODE
                                                                        : PHASE_CREATE_PARTS);
}

static void add_attributes(struct plan_work *work, const struct state_object *object)
{
    static const struct {
        const char *attribute, *value, *command;
    } settings[] = {{"row security", "enabled", "ENABLE ROW LEVEL SECURITY"},
                    {"row security", "forced", "FORCE ROW LEVEL SECURITY"},
                    {"replica identity", "full", "REPLICA IDENTITY FULL"},
                    {"replica identity", "nothing", "REPLICA IDENTITY NOTHING"}};
    for (size_t i = 0; i < object->attributes.count; i++)
        (void)rh_plan_common_attribute(work, object->kind, object->identity,
                                       object->attributes.items[i].name,
                                       object->attributes.items[i].value, NULL);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        const char *value = rh_plan_attribute(object, settings[i].attribute);
        if (value && strstr(value, settings[i].value))
            rh_plan_command(work, PHASE_ATTRIBUTES, "ALTER TABLE %s %s", object->identity,
                            settings[i].command);
    }
}

/* Columns come with their table, their own comments and privileges after it. */
static bool comes_with_parent(const struct state_object *object)
{
    return is(object->kind, "table column") || is(object->kind, "attribute");
}

void rh_plan_create(struct plan_work *work, const struct state_object *object)
{
    create_alone(work, object);
    add_attributes(work, object);
    if (comes_with_parent(object))
        return;
    for (size_t i = 0; i < work->before->objects.count; i++) {
        const struct state_object *part = &work->before->objects.items[i];
        if (!part->parent || !is(part->parent, object->identity) || part == object)
            continue;
        if (comes_with_parent(part))
            add_attributes(work, part);
        else
            rh_plan_create(work, part);
    }
}
