#include "rehearsal/unique_keys.h"

#include <ctype.h>
#include <string.h>

#define ANSWER_MAX_US (30 * INT64_C(1000000))

enum { TABLE, COLUMN, NAME };

enum err_code rh_unique_keys_read(const struct engine *engine, const struct sandbox *clone,
                                  struct arena *arena, struct unique_keys *ret_keys,
                                  struct err *err)
{
    struct mono deadline = rh_clock_after(rh_clock_mono(), ANSWER_MAX_US);
    struct connection_parameters superuser = rh_sandbox_superuser(clone);
    struct connection *connection = NULL;
    struct unique_keys keys = {0};
    RH_CLEANUP_ROWS struct rows *rows = NULL;

    superuser.application_name = "rehearse/unique keys";
    enum err_code code = engine->connect(&superuser, deadline, &connection, err);
    if (!code)
        code = engine->ask(connection, ENGINE_QUERY_UNIQUE_KEYS, NULL, 0, deadline, &rows, err);
    engine->close(connection);
    if (code)
        return code;
    for (size_t i = 0; i < rh_rows_count(rows); i++)
        *RH_PUSH(arena, &keys.items) = (struct unique_key){
            .table = rh_arena_strdup(arena, rh_rows_value(rows, i, TABLE)),
            .column = rh_arena_strdup(arena, rh_rows_value(rows, i, COLUMN)),
            .name = rh_arena_strdup(arena, rh_rows_value(rows, i, NAME))};
    *ret_keys = keys;
    return RH_OK;
}

static bool is_same(const struct unique_key *a, const struct unique_key *b)
{
    return strcmp(a->table, b->table) == 0 && strcmp(a->column, b->column) == 0 &&
           strcmp(a->name, b->name) == 0;
}

static bool has_key(const struct unique_keys *keys, const struct unique_key *key)
{
    for (size_t i = 0; i < keys->items.count; i++)
        if (is_same(&keys->items.items[i], key))
            return true;
    return false;
}

static bool is_name_part(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* "lower(email), tenant_id" names email, not mail. */
static bool names_column(const char *columns, const char *column)
{
    size_t len = strlen(column);
    for (const char *at = columns; (at = strstr(at, column)); at++)
        if ((at == columns || !is_name_part(at[-1])) && !is_name_part(at[len]))
            return true;
    return false;
}

/* Whether it is about rows that break a key over the column that `filled` gives one value. */
static bool is_failed_key(const struct offenders *offenders, const struct offenders *filled)
{
    return offenders->offence == OFFENCE_DUPLICATE_KEYS && offenders->columns &&
           offenders->relation && strcmp(offenders->relation, filled->relation) == 0 &&
           names_column(offenders->columns, filled->repair_fills);
}

/* A key that another statement of the release would make, and failed to. */
static const char *find_failed(const struct blockers *blockers, size_t blocker,
                               const struct offenders *filled, struct arena *arena)
{
    for (size_t i = 0; i < blockers->items.count; i++) {
        const struct blocker *other = &blockers->items.items[i];
        for (size_t k = 0; i != blocker && k < other->offenders.count; k++) {
            const struct offenders *offenders = &other->offenders.items[k];
            if (is_failed_key(offenders, filled))
                return offenders->constraint
                           ? offenders->constraint
                           : rh_arena_printf(arena, "the key over %s", offenders->columns);
        }
    }
    return NULL;
}

static const char *find_made(const struct unique_keys *before, const struct unique_keys *after,
                             const struct offenders *filled)
{
    for (size_t i = 0; i < after->items.count; i++) {
        const struct unique_key *key = &after->items.items[i];
        if (strcmp(key->table, filled->relation) == 0 &&
            strcmp(key->column, filled->repair_fills) == 0 && !has_key(before, key))
            return key->name;
    }
    return NULL;
}

void rh_unique_keys_mark(const struct unique_keys *before, const struct unique_keys *after,
                         struct arena *arena, struct blockers *blockers)
{
    for (size_t i = 0; i < blockers->items.count; i++) {
        struct blocker *blocker = &blockers->items.items[i];
        for (size_t k = 0; k < blocker->offenders.count; k++) {
            struct offenders *offenders = &blocker->offenders.items[k];
            /* One row alone may be given a value that another one has. */
            if (!offenders->repair_fills || !offenders->relation)
                continue;
            offenders->made_unique = find_made(before, after, offenders);
            if (!offenders->made_unique)
                offenders->made_unique = find_failed(blockers, i, offenders, arena);
        }
    }
}

/* --- values of their own --- */

struct trial {
    const struct engine *engine;
    struct connection *connection;
    struct arena *arena;
    struct mono deadline;
};

/* What the server says of how many rows, of the last; NULL: it refuses. */
static const char *try_out(const struct trial *trial, enum engine_trial kind,
                           const char *const *statements, size_t count)
{
    const char *tag = NULL;
    struct err why = RH_ERR_INIT;
    return trial->engine->try_statements(trial->connection, kind, statements, count, trial->arena,
                                         trial->deadline, &tag, &why)
               ? NULL
               : tag;
}

/*
 * Of `sql` behind `before` (NULL: as it is). It is only counted: `sql` was tried where it belongs,
 * and later statements of the release may have made keys that would refuse it here.
 */
static const char *count_behind(const struct trial *trial, const char *before, const char *sql)
{
    const char *const statements[] = {before, sql};
    return before ? try_out(trial, ENGINE_TRIAL_COUNTS, statements, 2)
                  : try_out(trial, ENGINE_TRIAL_COUNTS, statements + 1, 1);
}

/* Keys that were made refuse it themselves; of one that failed, the repair may not meet a row of
   this one's. */
static bool holds(const struct trial *trial, const struct blockers *blockers, size_t blocker,
                  const struct offenders *filled, const char *sql)
{
    if (!try_out(trial, ENGINE_TRIAL_CHECKS, &sql, 1))
        return false;
    for (size_t i = 0; i < blockers->items.count; i++) {
        const struct blocker *other = &blockers->items.items[i];
        for (size_t k = 0; i != blocker && k < other->offenders.count; k++) {
            const struct offenders *key = &other->offenders.items[k];
            if (!is_failed_key(key, filled) || !key->repair_sql)
                continue;
            const char *alone = count_behind(trial, NULL, key->repair_sql);
            const char *behind = count_behind(trial, sql, key->repair_sql);
            if (!alone || !behind || strcmp(alone, behind) != 0)
                return false;
        }
    }
    return true;
}

static void mend(struct trial *trial, const struct blockers *blockers, size_t blocker,
                 struct offenders *filled)
{
    trial->deadline = rh_clock_after(rh_clock_mono(), UNIQUE_KEYS_TRIAL_MAX_US);
    if (filled->own_values_sql && holds(trial, blockers, blocker, filled, filled->own_values_sql)) {
        filled->repair_sql = filled->own_values_sql;
        filled->repair_fills = NULL;
        filled->repair_loses_rows = false;
        filled->repair_invents = filled->repair_per_row = true;
    } else if (holds(trial, blockers, blocker, filled, filled->repair_sql)) {
        filled->made_unique = NULL;
    } else {
        filled->repair_sql = NULL;
    }
}

static bool is_marked(const struct offenders *filled)
{
    return filled->made_unique && filled->repair_sql;
}

void rh_unique_keys_mend(const struct engine *engine, struct connection *connection,
                         struct arena *arena, struct blockers *blockers)
{
    struct trial trial = {.engine = engine, .connection = connection, .arena = arena};
    for (size_t i = 0; i < blockers->items.count; i++) {
        struct blocker *blocker = &blockers->items.items[i];
        for (size_t k = 0; k < blocker->offenders.count; k++)
            if (is_marked(&blocker->offenders.items[k]))
                mend(&trial, blockers, i, &blocker->offenders.items[k]);
    }
}

/* What is marked and could not be tried. */
static void withhold(struct blockers *blockers)
{
    for (size_t i = 0; i < blockers->items.count; i++)
        for (size_t k = 0; k < blockers->items.items[i].offenders.count; k++)
            if (blockers->items.items[i].offenders.items[k].made_unique)
                blockers->items.items[i].offenders.items[k].repair_sql = NULL;
}

static bool has_marked(const struct blockers *blockers)
{
    for (size_t i = 0; i < blockers->items.count; i++)
        for (size_t k = 0; k < blockers->items.items[i].offenders.count; k++)
            if (is_marked(&blockers->items.items[i].offenders.items[k]))
                return true;
    return false;
}

enum err_code rh_unique_keys_settle(const struct engine *engine, const struct sandbox *clone,
                                    struct arena *arena, struct blockers *blockers, struct err *err)
{
    struct mono deadline = rh_clock_after(rh_clock_mono(), ANSWER_MAX_US);
    struct connection *connection = NULL;
    if (!has_marked(blockers))
        return RH_OK;
    struct connection_parameters superuser = rh_sandbox_superuser(clone);
    superuser.application_name = "rehearse/unique keys";
    enum err_code code = engine->connect(&superuser, deadline, &connection, err);
    if (!code)
        rh_unique_keys_mend(engine, connection, arena, blockers);
    else
        withhold(blockers);
    engine->close(connection);
    return code;
}
