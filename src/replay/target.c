/* What the target is: how many sessions it has room for, its roles, its types. */
#include "replay/replay_int.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Descriptors for all but the sessions: files, the loop, the watcher, cancel requests. */
#define OTHER_DESCRIPTORS 64

static enum err_code ask(struct replay *replay, enum engine_query query, struct mono deadline,
                         struct rows **ret_rows, struct err *err)
{
    return replay->options->engine->ask(replay->watcher, query, NULL, 0, deadline, ret_rows, err);
}

/* --- room ------------------------------------------------------------------------------------- */

/* As many as the hard limit allows. */
static int64_t descriptor_room(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024 - OTHER_DESCRIPTORS;
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            limit = raised;
    }
    return limit.rlim_cur > INT32_MAX ? INT32_MAX : (int64_t)limit.rlim_cur - OTHER_DESCRIPTORS;
}

static enum err_code check_room(struct replay *replay, struct mono deadline, struct err *err)
{
    const struct replay_options *options = replay->options;
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = ask(replay, ENGINE_QUERY_SESSION_ROOM, deadline, &rows, err);
    if (code)
        return code;
    int64_t most = rh_rows_int(rows, 0, 0, 0), descriptors = descriptor_room();
    int64_t room = most - rh_rows_int(rows, 0, 1, 0) - rh_rows_int(rows, 0, 2, 0);
    int64_t missing, wanted = options->totals ? options->totals->sessions_most_at_once : 0;
    if (options->max_sessions > 0 && wanted > (int64_t)options->max_sessions)
        wanted = (int64_t)options->max_sessions;
    missing = wanted - room;
    if (missing > 0) {
        rh_err_set(err, RH_ERR_LIMIT,
                   "the workload has %lld sessions at once, and the target has room for %lld",
                   (long long)wanted, (long long)room);
        rh_err_hint(err,
                    "Set max_connections to %lld there, or replay fewer sessions at once: "
                    "--max-sessions %lld.",
                    (long long)most + (long long)missing, (long long)room);
        return RH_ERR_LIMIT;
    }
    if (wanted > descriptors) {
        rh_err_set(err, RH_ERR_LIMIT,
                   "the workload has %lld sessions at once, and this process may open %lld",
                   (long long)wanted, (long long)descriptors);
        rh_err_hint(err,
                    "Raise the limit of open files (ulimit -n), or replay fewer sessions at "
                    "once: --max-sessions %lld.",
                    (long long)descriptors);
        return RH_ERR_LIMIT;
    }
    if (options->max_sessions > 0 && room > (int64_t)options->max_sessions)
        room = (int64_t)options->max_sessions;
    replay->room = (size_t)(room < descriptors ? room : descriptors);
    return RH_OK;
}

/* --- roles ------------------------------------------------------------------------------------ */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum err_code read_roles(struct replay *replay, struct mono deadline, struct err *err)
{
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = ask(replay, ENGINE_QUERY_LOGIN_ROLES, deadline, &rows, err);
    if (code)
        return code;
    replay->role_count = rh_rows_count(rows);
    replay->roles = rh_arena_alloc_array(replay->arena, replay->role_count + 1, sizeof(char *));
    for (size_t i = 0; i < replay->role_count; i++)
        replay->roles[i] = rh_arena_strdup(replay->arena, rh_rows_value(rows, i, 0));
    qsort(replay->roles, replay->role_count, sizeof(char *), compare_texts);
    return RH_OK;
}

static bool has_role(const struct replay *replay, const char *name)
{
    return bsearch(&name, replay->roles, replay->role_count, sizeof(char *), compare_texts) != NULL;
}

static void replace_user(struct replay *replay, struct user_slot *slot)
{
    struct replay_result *result = replay->result;
    slot->login = replay->options->target->user;
    slot->is_replaced = true;
    result->users_replaced = rh_arena_printf(replay->arena, "%s%s%s", result->users_replaced,
                                             result->users_replaced[0] ? ", " : "", slot->recorded);
}

struct user_slot *rh_replay_user(struct replay *replay, const char *recorded)
{
    const struct replay_options *options = replay->options;
    for (size_t i = 0; i < replay->users.count; i++)
        if (strcmp(replay->users.items[i]->recorded, recorded) == 0)
            return replay->users.items[i];
    struct user_slot *slot = RH_NEW(replay->arena, struct user_slot);
    *RH_PUSH(replay->arena, &replay->users) = slot;
    slot->recorded = slot->login = rh_arena_strdup(replay->arena, recorded);
    for (size_t i = 0; i < options->user_count; i++) {
        if (strcmp(options->users[i].from, recorded) == 0) {
            slot->login = options->users[i].to;
            slot->is_given = true;
            return slot;
        }
    }
    if (strcmp(recorded, options->target->user) != 0 && !has_role(replay, recorded))
        replace_user(replay, slot);
    return slot;
}

bool rh_replay_user_refused(struct replay *replay, struct user_slot *slot, const char *used)
{
    /* Somebody else of the same role was refused before. */
    if (strcmp(used, slot->login) != 0)
        return true;
    if (slot->is_proven || slot->is_given || strcmp(used, replay->options->target->user) == 0)
        return false;
    replace_user(replay, slot);
    return true;
}

/* --- types ------------------------------------------------------------------------------------ */

static enum err_code read_functions(struct replay *replay, struct mono deadline, struct err *err)
{
    const struct workload_about *about = replay->options->about;
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    if (about->functions.count == 0)
        return RH_OK;
    enum err_code code = ask(replay, ENGINE_QUERY_OWN_FUNCTIONS, deadline, &rows, err);
    if (code)
        return code;
    size_t count = rh_rows_count(rows);
    struct target_function *functions = rh_arena_alloc_array(scratch, count + 1,
                                                             sizeof(*functions));
    for (size_t i = 0; i < count; i++)
        functions[i] = (struct target_function){.oid = (uint32_t)rh_rows_int(rows, i, 0, 0),
                                                .schema = rh_rows_value(rows, i, 1),
                                                .signature = rh_rows_value(rows, i, 2)};
    rh_oid_map_add_functions(replay->oids, replay->arena, about->functions.items,
                             about->functions.count, functions, count);
    return RH_OK;
}

static enum err_code read_types(struct replay *replay, struct mono deadline, struct err *err)
{
    const struct workload_about *about = replay->options->about;
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    struct target_type *types = NULL;
    size_t count = 0;
    enum err_code code = RH_OK;
    if (about->types.count > 0) {
        code = ask(replay, ENGINE_QUERY_OWN_TYPES, deadline, &rows, err);
        if (code)
            return code;
        count = rh_rows_count(rows);
        types = rh_arena_alloc_array(scratch, count + 1, sizeof(*types));
    }
    for (size_t i = 0; i < count; i++)
        types[i] = (struct target_type){.oid = (uint32_t)rh_rows_int(rows, i, 0, 0),
                                        .schema = rh_rows_value(rows, i, 1),
                                        .name = rh_rows_value(rows, i, 2)};
    replay->oids = rh_oid_map_new(replay->arena, about->types.items, about->types.count, types,
                                  count);
    if ((code = read_functions(replay, deadline, err)))
        return code;
    struct oid_map_facts facts = rh_oid_map_facts(replay->oids);
    replay->result->gaps[GAP_TYPES] = (int64_t)facts.missing;
    replay->result->types_moved = (int64_t)facts.moved;
    replay->result->first_missing_type = facts.first_missing ? facts.first_missing : "";
    return RH_OK;
}

enum err_code rh_replay_look_at_target(struct replay *replay, struct mono deadline, struct err *err)
{
    const struct replay_options *options = replay->options;
    const struct connection_parameters parameters = {
        .url = options->target->url, .host = options->place, .application_name = "rehearse replay"};
    enum err_code code = options->engine->connect(&parameters, deadline, &replay->watcher, err);
    if (!code)
        code = check_room(replay, deadline, err);
    if (!code)
        code = read_roles(replay, deadline, err);
    if (!code)
        code = read_types(replay, deadline, err);
    int version = code ? 0 : options->engine->server_version(replay->watcher);
    replay->result->server_version = rh_arena_printf(replay->arena, "%d.%d", version / 10000,
                                                     version % 10000);
    return code;
}
