/* What is still there and differs, set back to what it was. */
#include "judge/rollback_int.h"

#include "base/quote.h"

#include <ctype.h>
#include <string.h>

static bool is(const char *kind, const char *name)
{
    return strcmp(kind, name) == 0;
}

/* --- privileges, comments, owners ----------------------------------------------------------------
 */

/* "COLUMN public.t.c", "CONSTRAINT k ON public.t"; NULL for what has no comment of its own. */
static const char *comment_target(struct arena *arena, const char *kind, const char *identity)
{
    static const char *const plain[] = {"table",         "view",        "materialized view",
                                        "foreign table", "sequence",    "index",
                                        "function",      "type",        "domain",
                                        "schema",        "trigger",     "rule",
                                        "policy",        "procedure",   "aggregate",
                                        "extension",     "publication", "event trigger",
                                        "role",          "database",    "server",
                                        "collation",     "cast"};
    if (is(kind, "table column") || is(kind, "attribute"))
        return rh_arena_printf(arena, "COLUMN %s", identity);
    if (is(kind, "table constraint"))
        return rh_arena_printf(arena, "CONSTRAINT %s", identity);
    if (is(kind, "domain constraint")) {
        const char *on = strstr(identity, " on ");
        return on ? rh_arena_printf(arena, "CONSTRAINT %.*s ON DOMAIN %s", (int)(on - identity),
                                    identity, on + 4)
                  : NULL;
    }
    if (is(kind, "statistics object"))
        return rh_arena_printf(arena, "STATISTICS %s", identity);
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (is(kind, plain[i])) {
            char *upper = rh_arena_strdup(arena, kind);
            for (char *c = upper; *c; c++)
                *c = (char)toupper((unsigned char)*c);
            return rh_arena_printf(arena, "%s %s", upper, identity);
        }
    return NULL;
}

/* "TABLE public.t"; for a column that of its table, its name comes in front. NULL: by hand. */
static const char *grant_target(struct arena *arena, const char *kind, const char *identity)
{
    static const char *const kinds[][2] = {{"table", "TABLE"},
                                           {"view", "TABLE"},
                                           {"foreign table", "TABLE"},
                                           {"materialized view", "TABLE"},
                                           {"sequence", "SEQUENCE"},
                                           {"schema", "SCHEMA"},
                                           {"function", "FUNCTION"},
                                           {"procedure", "PROCEDURE"},
                                           {"type", "TYPE"},
                                           {"domain", "TYPE"},
                                           {"database", "DATABASE"},
                                           {"language", "LANGUAGE"},
                                           {"server", "FOREIGN SERVER"}};
    if (is(kind, "table column")) {
        size_t len = strlen(identity) - strlen(rh_plan_own_name(arena, identity)) - 1;
        return rh_arena_printf(arena, "TABLE %.*s", (int)len, identity);
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (is(kind, kinds[i][0]))
            return rh_arena_printf(arena, "%s %s", kinds[i][1], identity);
    return NULL;
}

static bool has_word(const char *list, const char *word, size_t len)
{
    for (const char *at = list; at && *at;) {
        const char *end = strstr(at, ", ");
        size_t have = end ? (size_t)(end - at) : strlen(at);
        if (have == len && strncmp(at, word, len) == 0)
            return true;
        at = end ? end + 2 : NULL;
    }
    return false;
}

/* Each privilege of `from` that `to` has not: granted, or taken away. A privilege "no X" is one
   that was taken away from those an object is born with. */
static void plan_privileges(struct plan_work *work, const char *kind, const char *identity,
                            const char *grantee, const char *from, const char *to, bool grants)
{
    static const char option[] = " with grant option";
    const char *target = grant_target(work->arena, kind, identity);
    const char *column = is(kind, "table column")
                             ? rh_arena_printf(work->arena, " (%s)",
                                               rh_plan_own_name(work->arena, identity))
                             : "";
    for (const char *at = from; at && *at;) {
        const char *end = strstr(at, ", ");
        size_t len = end ? (size_t)(end - at) : strlen(at);
        if (!has_word(to, at, len)) {
            bool is_taken = len > 3 && strncmp(at, "no ", 3) == 0;
            const char *name = at + (is_taken ? 3 : 0);
            size_t name_len = len - (is_taken ? 3 : 0);
            bool has_option = name_len > strlen(option) && strncmp(name + name_len - strlen(option),
                                                                   option, strlen(option)) == 0;
            if (has_option)
                name_len -= strlen(option);
            if (!target)
                rh_plan_by_hand(work, PHASE_ATTRIBUTES);
            else if (grants != is_taken)
                rh_plan_command(work, PHASE_ATTRIBUTES, "GRANT %.*s%s ON %s TO %s%s", (int)name_len,
                                name, column, target, grantee,
                                has_option ? " WITH GRANT OPTION" : "");
            else
                rh_plan_command(work, PHASE_ATTRIBUTES, "REVOKE %.*s%s ON %s FROM %s",
                                (int)name_len, name, column, target, grantee);
        }
        at = end ? end + 2 : NULL;
    }
}

static const char *owner_target(struct arena *arena, const char *kind, const char *identity)
{
    const char *target = grant_target(arena, kind, identity);
    if (is(kind, "materialized view"))
        return rh_arena_printf(arena, "MATERIALIZED VIEW %s", identity);
    if (is(kind, "statistics object"))
        return rh_arena_printf(arena, "STATISTICS %s", identity);
    return target ? target : comment_target(arena, kind, identity);
}

bool rh_plan_common_attribute(struct plan_work *work, const char *kind, const char *identity,
                              const char *name, const char *before, const char *after)
{
    static const char privileges[] = "privileges of ";
    if (strncmp(name, privileges, strlen(privileges)) == 0) {
        const char *grantee = name + strlen(privileges);
        plan_privileges(work, kind, identity, grantee, after, before, false);
        plan_privileges(work, kind, identity, grantee, before, after, true);
        return true;
    }
    if (is(name, "comment")) {
        const char *target = comment_target(work->arena, kind, identity);
        if (target)
            rh_plan_command(work, PHASE_ATTRIBUTES, "COMMENT ON %s IS %s", target,
                            rh_quote_literal(work->arena, before));
        else
            rh_plan_by_hand(work, PHASE_ATTRIBUTES);
        return true;
    }
    if (is(name, "owner")) {
        const struct state_object *object = rh_plan_find(work, kind, identity);
        const char *target = owner_target(work->arena, kind, identity);
        if (object && rh_plan_attribute(object, "owned by"))
            return true; /* has the owner of its table */
        /* What is made again belongs to whoever makes it: the sandbox's roles are not production's.
         */
        if (target && before && after)
            rh_plan_command(work, PHASE_ATTRIBUTES, "ALTER %s OWNER TO %s", target, before);
        return true;
    }
    return false;
}

/* --- columns -------------------------------------------------------------------------------------
 */

static const struct attribute_change *find_change(const struct schema_difference *difference,
                                                  const char *name)
{
    for (size_t i = 0; i < difference->attributes.count; i++)
        if (is(difference->attributes.items[i].name, name))
            return &difference->attributes.items[i];
    return NULL;
}

static const char *identity_before(const struct schema_difference *difference)
{
    return difference->identity_before ? difference->identity_before : difference->identity;
}

static void alter_column(struct plan_work *work, const struct schema_difference *difference,
                         const char *fmt, const char *value)
{
    rh_plan_command(work, PHASE_ALTER, "ALTER TABLE %s ALTER COLUMN %s %s", difference->parent,
                    rh_plan_own_name(work->arena, difference->identity),
                    rh_arena_printf(work->arena, fmt, value));
}

static void alter_type(struct plan_work *work, const struct schema_difference *difference)
{
    const struct state_object *column = rh_plan_find(work, "table column",
                                                     identity_before(difference));
    const struct attribute_change *value = find_change(difference, "default");
    const char *name = rh_plan_own_name(work->arena, difference->identity);
    if (!column || rh_plan_attribute(column, "generated")) {
        rh_plan_by_hand(work, PHASE_ALTER);
        return;
    }
    const char *type = rh_plan_attribute(column, "type");
    const char *collation = rh_plan_attribute(column, "collation");
    if (value && value->after)
        alter_column(work, difference, "DROP DEFAULT%s", "");
    rh_plan_command(work, PHASE_ALTER, "ALTER TABLE %s ALTER COLUMN %s TYPE %s%s%s USING %s::%s",
                    difference->parent, name, type, collation ? " COLLATE " : "",
                    collation ? collation : "", name, type);
    if (value && value->before)
        alter_column(work, difference, "SET DEFAULT %s", value->before);
}

static void alter_identity(struct plan_work *work, const struct schema_difference *difference,
                           const struct attribute_change *change)
{
    const char *before = change->before && is(change->before, "always") ? "ALWAYS" : "BY DEFAULT";
    if (!change->before)
        alter_column(work, difference, "DROP IDENTITY%s", "");
    else if (!change->after)
        alter_column(work, difference, "ADD GENERATED %s AS IDENTITY", before);
    else
        alter_column(work, difference, "SET GENERATED %s", before);
}

static const char *names_of_options(struct arena *arena, const char *options)
{
    const char *names = "";
    for (const char *at = options; at && *at;) {
        size_t len = strcspn(at, "=,");
        names = rh_arena_printf(arena, "%s%s%.*s", names, names[0] ? ", " : "", (int)len, at);
        at = strstr(at, ", ");
        at = at ? at + 2 : NULL;
    }
    return names;
}

static void change_column(struct plan_work *work, const struct schema_difference *difference,
                          const struct attribute_change *change)
{
    bool has_new_type = find_change(difference, "type") || find_change(difference, "collation");
    const char *name = change->name, *before = change->before;
    if (is(name, "type") || (is(name, "collation") && !find_change(difference, "type")))
        alter_type(work, difference);
    else if (is(name, "collation") || (is(name, "default") && has_new_type))
        return; /* with the type */
    else if (is(name, "default") && before)
        alter_column(work, difference, "SET DEFAULT %s", before);
    else if (is(name, "default"))
        alter_column(work, difference, "DROP DEFAULT%s", "");
    else if (is(name, "not null"))
        alter_column(work, difference, "%s NOT NULL", before ? "SET" : "DROP");
    else if (is(name, "identity"))
        alter_identity(work, difference, change);
    else if (is(name, "generated") && !before)
        alter_column(work, difference, "DROP EXPRESSION%s", "");
    else if (is(name, "storage") && before)
        alter_column(work, difference, "SET STORAGE %s", before);
    else if (is(name, "compression"))
        alter_column(work, difference, "SET COMPRESSION %s", before ? before : "default");
    else if (is(name, "statistics target"))
        alter_column(work, difference, "SET STATISTICS %s", before ? before : "-1");
    else if (is(name, "options") && before)
        alter_column(work, difference, "SET (%s)", before);
    else if (is(name, "options"))
        alter_column(work, difference, "RESET (%s)", names_of_options(work->arena, change->after));
    else
        rh_plan_by_hand(work, PHASE_ALTER);
}

/* --- tables --------------------------------------------------------------------------------------
 */

static void change_table(struct plan_work *work, const struct schema_difference *difference,
                         const struct attribute_change *change)
{
    const char *name = change->name, *before = change->before, *table = difference->identity;
    if (is(name, "persistence"))
        rh_plan_command(work, PHASE_ALTER, "ALTER TABLE %s SET %s", table,
                        before ? "UNLOGGED" : "LOGGED");
    else if (is(name, "access method") && before)
        rh_plan_command(work, PHASE_ALTER, "ALTER TABLE %s SET ACCESS METHOD %s", table, before);
    else if (is(name, "tablespace"))
        rh_plan_command(work, PHASE_ALTER, "ALTER TABLE %s SET TABLESPACE %s", table,
                        before ? before : "pg_default");
    else if (is(name, "options") && before)
        rh_plan_command(work, PHASE_ALTER, "ALTER TABLE %s SET (%s)", table, before);
    else if (is(name, "options"))
        rh_plan_command(work, PHASE_ALTER, "ALTER TABLE %s RESET (%s)", table,
                        names_of_options(work->arena, change->after));
    else if (is(name, "replica identity") && (!before || !is(before, "index")))
        rh_plan_command(work, PHASE_ALTER, "ALTER TABLE %s REPLICA IDENTITY %s", table,
                        !before              ? "DEFAULT"
                        : is(before, "full") ? "FULL"
                                             : "NOTHING");
    else if (is(name, "row security"))
        rh_plan_command(work, PHASE_ALTER,
                        "ALTER TABLE %s %s ROW LEVEL SECURITY, %s ROW LEVEL SECURITY", table,
                        before && strstr(before, "enabled") ? "ENABLE" : "DISABLE",
                        before && strstr(before, "forced") ? "FORCE" : "NO FORCE");
    else
        rh_plan_by_hand(work, PHASE_ALTER);
}

static void change_sequence(struct plan_work *work, const struct schema_difference *difference,
                            const struct attribute_change *change)
{
    static const char *const words[][2] = {{"data type", "AS"},        {"start", "START"},
                                           {"increment", "INCREMENT"}, {"minimum", "MINVALUE"},
                                           {"maximum", "MAXVALUE"},    {"cache", "CACHE"},
                                           {"owned by", "OWNED BY"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (is(change->name, words[i][0])) {
            rh_plan_command(work, PHASE_ALTER, "ALTER SEQUENCE %s %s %s", difference->identity,
                            words[i][1], change->before ? change->before : "NONE");
            return;
        }
    if (is(change->name, "cycle"))
        rh_plan_command(work, PHASE_ALTER, "ALTER SEQUENCE %s %s", difference->identity,
                        change->before ? "CYCLE" : "NO CYCLE");
    else
        rh_plan_by_hand(work, PHASE_ALTER);
}

/* --- types ---------------------------------------------------------------------------------------
 */

/* A label cannot be taken away: the type is made anew and its columns moved over. */
static void change_labels(struct plan_work *work, const struct schema_difference *difference,
                          const struct attribute_change *change)
{
    struct arena *arena = work->arena;
    const char *type = difference->identity;
    const char *old = rh_arena_printf(arena, "%s_rolled_back", rh_plan_own_name(arena, type));
    size_t schema_len = strlen(type) - strlen(rh_plan_own_name(arena, type));
    if (!change->before || old[0] == '"') {
        rh_plan_by_hand(work, PHASE_ALTER);
        return;
    }
    rh_plan_command(work, PHASE_ALTER, "ALTER TYPE %s RENAME TO %s", type, old);
    rh_plan_command(work, PHASE_ALTER, "CREATE TYPE %s AS ENUM (%s)", type, change->before);
    for (size_t i = 0; i < work->before->objects.count; i++) {
        const struct state_object *column = &work->before->objects.items[i];
        const char *column_type = rh_plan_attribute(column, "type");
        if (!is(column->kind, "table column") || !column_type || !is(column_type, type))
            continue;
        const char *name = rh_plan_own_name(arena, column->identity);
        const char *value = rh_plan_attribute(column, "default");
        if (value)
            rh_plan_command(work, PHASE_ALTER, "ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT",
                            column->parent, name);
        rh_plan_command(work, PHASE_ALTER,
                        "ALTER TABLE %s ALTER COLUMN %s TYPE %s USING %s::text::%s", column->parent,
                        name, type, name, type);
        if (value)
            rh_plan_command(work, PHASE_ALTER, "ALTER TABLE %s ALTER COLUMN %s SET DEFAULT %s",
                            column->parent, name, value);
    }
    rh_plan_command(work, PHASE_ALTER, "DROP TYPE %.*s%s", (int)schema_len, type, old);
}

/* --- by kind -------------------------------------------------------------------------------------
 */

/* Dropped and made again from what it was: its definition cannot be changed in place. */
static void remake(struct plan_work *work, const struct schema_difference *difference,
                   const char *drop, enum plan_phase phase)
{
    const struct state_object *object = rh_plan_find(work, difference->kind,
                                                     identity_before(difference));
    rh_plan_command(work, phase, "%s", drop);
    if (object)
        rh_plan_create(work, object);
}

/* True when the object as a whole was made again. */
static bool change_definition(struct plan_work *work, const struct schema_difference *difference)
{
    struct arena *arena = work->arena;
    const struct attribute_change *definition = find_change(difference, "definition");
    const char *kind = difference->kind, *name = rh_plan_own_name(arena, difference->identity);
    const struct attribute_change *validated = find_change(difference, "validated");
    bool is_policy = is(kind, "policy");
    if (!definition && !is_policy && !(is(kind, "table constraint") && validated))
        return false;
    if (is(kind, "view") || is(kind, "materialized view"))
        remake(work, difference,
               rh_arena_printf(arena, "DROP %s %s", is(kind, "view") ? "VIEW" : "MATERIALIZED VIEW",
                               difference->identity),
               PHASE_DROP_VIEWS);
    else if (is(kind, "table constraint") && !definition && validated && validated->after)
        rh_plan_command(work, PHASE_CREATE_CONSTRAINTS, "ALTER TABLE %s VALIDATE CONSTRAINT %s",
                        difference->parent, name);
    else if (is(kind, "table constraint") || is(kind, "domain constraint"))
        remake(work, difference,
               rh_arena_printf(arena, "ALTER %s %s DROP CONSTRAINT %s",
                               is(kind, "table constraint") ? "TABLE" : "DOMAIN",
                               difference->parent, name),
               PHASE_DROP_CONSTRAINTS);
    else if (is(kind, "index"))
        remake(work, difference,
               rh_arena_printf(arena, "DROP INDEX CONCURRENTLY %s", difference->identity),
               PHASE_DROP_INDEXES);
    else if (is(kind, "trigger") || is(kind, "rule") || is_policy)
        remake(work, difference,
               rh_arena_printf(arena, "DROP %s %s ON %s",
                               is_policy          ? "POLICY"
                               : is(kind, "rule") ? "RULE"
                                                  : "TRIGGER",
                               name, difference->parent),
               PHASE_DROP_PARTS);
    else if (is(kind, "function") || is(kind, "procedure"))
        rh_plan_defined(work, PHASE_CREATE_CODE, definition->before);
    else
        rh_plan_by_hand(work, PHASE_ALTER);
    return !is(kind, "function") && !is(kind, "procedure");
}

static void change_other(struct plan_work *work, const struct schema_difference *difference,
                         const struct attribute_change *change)
{
    const char *kind = difference->kind;
    const char *name = rh_plan_own_name(work->arena, difference->identity);
    if (is(kind, "trigger") && is(change->name, "enabled"))
        rh_plan_command(work, PHASE_ALTER, "ALTER TABLE %s %s TRIGGER %s", difference->parent,
                        !change->before                ? "ENABLE"
                        : is(change->before, "no")     ? "DISABLE"
                        : is(change->before, "always") ? "ENABLE ALWAYS"
                                                       : "ENABLE REPLICA",
                        name);
    else if (is(kind, "type") && is(change->name, "labels"))
        change_labels(work, difference, change);
    else if (is(kind, "domain") && is(change->name, "not null"))
        rh_plan_command(work, PHASE_ALTER, "ALTER DOMAIN %s %s NOT NULL", difference->identity,
                        change->before ? "SET" : "DROP");
    else if (is(kind, "domain") && is(change->name, "default") && change->before)
        rh_plan_command(work, PHASE_ALTER, "ALTER DOMAIN %s SET DEFAULT %s", difference->identity,
                        change->before);
    else if (is(kind, "domain") && is(change->name, "default"))
        rh_plan_command(work, PHASE_ALTER, "ALTER DOMAIN %s DROP DEFAULT", difference->identity);
    else if (is(kind, "materialized view") && is(change->name, "populated") && !change->before)
        rh_plan_command(work, PHASE_ALTER, "REFRESH MATERIALIZED VIEW %s", difference->identity);
    else if (is(kind, "function") || is(kind, "procedure"))
        return; /* its definition was the whole of it */
    else
        rh_plan_by_hand(work, PHASE_ALTER);
}

void rh_plan_alter(struct plan_work *work, const struct schema_difference *difference)
{
    const char *kind = difference->kind;
    const struct state_object *object = rh_plan_find(work, kind, identity_before(difference));
    if (object && rh_plan_attribute(object, "inherited"))
        return; /* follows that of the parent */
    if (difference->attributes.count == 0 || change_definition(work, difference))
        return;
    for (size_t i = 0; i < difference->attributes.count; i++) {
        const struct attribute_change *change = &difference->attributes.items[i];
        /* Names are those of before: when these are set, what was renamed has its name back. */
        if (rh_plan_common_attribute(work, kind, identity_before(difference), change->name,
                                     change->before, change->after))
            continue;
        if (is(kind, "table column"))
            change_column(work, difference, change);
        else if (is(kind, "table"))
            change_table(work, difference, change);
        else if (is(kind, "sequence"))
            change_sequence(work, difference, change);
        else
            change_other(work, difference, change);
    }
}

/* --- names ---------------------------------------------------------------------------------------
 */

static const char *schema_of(struct arena *arena, const char *identity)
{
    size_t own = strlen(rh_plan_own_name(arena, identity)), len = strlen(identity);
    return own < len ? rh_arena_strndup(arena, identity, len - own - 1) : "";
}

void rh_plan_rename(struct plan_work *work, const struct schema_difference *difference)
{
    struct arena *arena = work->arena;
    const char *kind = difference->kind, *identity = difference->identity;
    const char *now = rh_plan_own_name(arena, identity);
    const char *then = rh_plan_own_name(arena, difference->identity_before);
    char *upper = rh_arena_strdup(arena, kind);
    for (char *c = upper; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    if (is(kind, "table column"))
        rh_plan_command(work, PHASE_RENAME_PARTS, "ALTER TABLE %s RENAME COLUMN %s TO %s",
                        difference->parent, now, then);
    else if (is(kind, "attribute"))
        rh_plan_command(work, PHASE_RENAME_PARTS, "ALTER TYPE %s RENAME ATTRIBUTE %s TO %s",
                        difference->parent, now, then);
    else if (is(kind, "table constraint"))
        rh_plan_command(work, PHASE_RENAME_PARTS, "ALTER TABLE %s RENAME CONSTRAINT %s TO %s",
                        difference->parent, now, then);
    else if (is(kind, "trigger") || is(kind, "rule") || is(kind, "policy"))
        rh_plan_command(work, PHASE_RENAME_PARTS, "ALTER %s %s ON %s RENAME TO %s", upper, now,
                        difference->parent, then);
    else if (strchr(identity, '(') || is(kind, "domain constraint") ||
             is(kind, "statistics object"))
        rh_plan_by_hand(work, PHASE_RENAME);
    else {
        const char *schema = schema_of(arena, identity);
        const char *schema_before = schema_of(arena, difference->identity_before);
        if (!is(now, then))
            rh_plan_command(work, PHASE_RENAME, "ALTER %s %s RENAME TO %s", upper, identity, then);
        if (!is(schema, schema_before) && schema_before[0])
            rh_plan_command(work, PHASE_RENAME, "ALTER %s %s.%s SET SCHEMA %s", upper, schema, then,
                            schema_before);
    }
}
