/* What a migration added, dropped again. */
#include "judge/rollback_int.h"

#include <ctype.h>
#include <string.h>

static bool is(const char *kind, const char *name)
{
    return strcmp(kind, name) == 0;
}

static const char *value_of(const struct schema_difference *difference, const char *name)
{
    for (size_t i = 0; i < difference->attributes.count; i++)
        if (strcmp(difference->attributes.items[i].name, name) == 0)
            return difference->attributes.items[i].after;
    return NULL;
}

/* "STATISTICS" for what event triggers call a statistics object. */
static const char *command_kind(struct arena *arena, const char *kind)
{
    if (is(kind, "statistics object"))
        return "STATISTICS";
    char *upper = rh_arena_strdup(arena, kind);
    for (char *c = upper; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return upper;
}

static enum plan_phase phase_of(const char *kind)
{
    if (is(kind, "view") || is(kind, "materialized view"))
        return PHASE_DROP_VIEWS;
    if (is(kind, "table") || is(kind, "foreign table"))
        return PHASE_DROP_TABLES;
    if (is(kind, "type") || is(kind, "domain"))
        return PHASE_DROP_TYPES;
    if (is(kind, "schema") || is(kind, "extension"))
        return PHASE_DROP_SCHEMAS;
    if (is(kind, "statistics object") || is(kind, "publication") || is(kind, "event trigger") ||
        is(kind, "subscription"))
        return PHASE_DROP_PARTS;
    return PHASE_DROP_CODE;
}

static void drop_constraint(struct plan_work *work, const struct schema_difference *difference)
{
    const char *definition = value_of(difference, "definition");
    bool is_foreign_key = definition && strncmp(definition, "FOREIGN KEY", 11) == 0;
    rh_plan_command(work, is_foreign_key ? PHASE_DROP_FOREIGN_KEYS : PHASE_DROP_CONSTRAINTS,
                    "ALTER %s %s DROP CONSTRAINT %s",
                    is(difference->kind, "domain constraint") ? "DOMAIN" : "TABLE",
                    difference->parent, rh_plan_own_name(work->arena, difference->identity));
}

static void drop_index(struct plan_work *work, const struct schema_difference *difference)
{
    const struct state_object *table = difference->parent
                                           ? rh_plan_find(work, "table", difference->parent)
                                           : NULL;
    if (value_of(difference, "part of"))
        return; /* goes with the index that it is a part of */
    bool is_partitioned = table && rh_plan_attribute(table, "partition key");
    rh_plan_command(work, PHASE_DROP_INDEXES,
                    is_partitioned ? "DROP INDEX %s" : "DROP INDEX CONCURRENTLY %s",
                    difference->identity);
}

void rh_plan_drop(struct plan_work *work, const struct schema_difference *difference)
{
    const char *kind = difference->kind, *identity = difference->identity;
    const char *name = rh_plan_own_name(work->arena, identity);
    if (value_of(difference, "inherited"))
        return; /* goes with that of the parent */
    if (is(kind, "table column"))
        rh_plan_command(work, PHASE_DROP_COLUMNS, "ALTER TABLE %s DROP COLUMN %s",
                        difference->parent, name);
    else if (is(kind, "attribute"))
        rh_plan_command(work, PHASE_DROP_COLUMNS, "ALTER TYPE %s DROP ATTRIBUTE %s",
                        difference->parent, name);
    else if (is(kind, "table constraint") || is(kind, "domain constraint"))
        drop_constraint(work, difference);
    else if (is(kind, "index"))
        drop_index(work, difference);
    else if (is(kind, "trigger") || is(kind, "rule") || is(kind, "policy"))
        rh_plan_command(work, PHASE_DROP_PARTS, "DROP %s %s ON %s", command_kind(work->arena, kind),
                        name, difference->parent);
    else if (is(kind, "sequence") && value_of(difference, "owned by"))
        return; /* goes with its column */
    else if (is(kind, "role") || is(kind, "setting") || is(kind, "default acl") ||
             is(kind, "publication relation") || is(kind, "publication namespace") ||
             is(kind, "user mapping") || is(kind, "database") || is(kind, "operator class") ||
             is(kind, "operator family") || is(kind, "transform"))
        rh_plan_by_hand(work, PHASE_DROP_PARTS);
    else
        rh_plan_command(work, phase_of(kind), "DROP %s %s", command_kind(work->arena, kind),
                        identity);
}
