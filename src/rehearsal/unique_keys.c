#include "rehearsal/unique_keys.h"

#include "engine/engine.h"

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

/* A key that the release would make behind `blocker`, and failed to. */
static const char *find_failed(const struct blockers *blockers, size_t blocker,
                               const struct offenders *filled, struct arena *arena)
{
    for (size_t i = blocker + 1; i < blockers->items.count; i++) {
        const struct blocker *later = &blockers->items.items[i];
        for (size_t k = 0; k < later->offenders.count; k++) {
            const struct offenders *offenders = &later->offenders.items[k];
            if (offenders->offence == OFFENCE_DUPLICATE_KEYS && offenders->columns &&
                offenders->relation && strcmp(offenders->relation, filled->relation) == 0 &&
                names_column(offenders->columns, filled->repair_fills))
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
            /* One row alone is given a value that may well be its own. */
            if (!offenders->repair_fills || !offenders->relation || offenders->rows < 2)
                continue;
            offenders->made_unique = find_made(before, after, offenders);
            if (!offenders->made_unique)
                offenders->made_unique = find_failed(blockers, i, offenders, arena);
        }
    }
}
