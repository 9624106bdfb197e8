#include "rehearsal/starting_point.h"

#include "model/state_json.h"
#include "sandbox/cache.h"

#include <stdlib.h>

#define STATES_NOTE "states.json"

/* --- made anew -------------------------------------------------------------------------------- */

/* Statements of a file as its tool sends them. */
static enum err_code load_statements(struct rehearsal *rehearsal, const struct migration_step *step,
                                     struct err *err)
{
    VEC(const char *) statements = {0};
    if (step->tool_transaction)
        *RH_PUSH(rehearsal->arena, &statements) = "BEGIN";
    for (size_t s = 0; s < step->statements.count; s++)
        *RH_PUSH(rehearsal->arena, &statements) = rh_text_dup(rehearsal->arena,
                                                              step->statements.items[s].sql);
    if (step->tool_transaction)
        *RH_PUSH(rehearsal->arena, &statements) = "COMMIT";
    return rh_sandbox_load_sql(rehearsal->prepared, step->name, statements.items, statements.count,
                               err);
}

/* Files older than --since: already run in production, so they run before anything is watched. */
static enum err_code load_older_files(struct rehearsal *rehearsal, struct err *err)
{
    const struct migration *migration = &rehearsal->migration;
    for (size_t n = 0; n < migration->starting_point.count; n++) {
        const struct migration_step *step = &migration->starting_point.items[n];
        enum err_code code = step->kind == STEP_PSQL
                                 ? rh_sandbox_load_schema(rehearsal->prepared, step->path, err)
                                 : load_statements(rehearsal, step, err);
        if (code) {
            rh_err_while(err, "while bringing the sandbox to the starting point with \"%s\"",
                         step->path);
            return code;
        }
    }
    return RH_OK;
}

static enum err_code load(struct rehearsal *rehearsal,
                          const struct sandbox_options *sandbox_options, struct err *err)
{
    const struct rehearsal_options *options = rehearsal->options;
    struct sandbox **sandbox = &rehearsal->prepared;
    enum err_code code = rh_sandbox_start(sandbox_options, sandbox, err);
    if (!code && options->snapshot_path)
        code = rh_sandbox_load_snapshot(*sandbox, options->snapshot_path, err);
    for (size_t n = 0; !code && n < options->schema_count; n++)
        code = rh_sandbox_load_schema(*sandbox, options->schema_paths[n], err);
    if (!code)
        code = load_older_files(rehearsal, err);
    return code;
}

/* --- or found --------------------------------------------------------------------------------- */

static struct sandbox_recipe recipe_of(struct rehearsal *rehearsal)
{
    const struct rehearsal_options *options = rehearsal->options;
    const struct migration *migration = &rehearsal->migration;
    struct arena *arena = rehearsal->arena;
    struct sandbox_recipe recipe = {0};
    if (options->snapshot_path)
        rh_recipe_add_snapshot(&recipe, options->snapshot_path, NULL, arena);
    for (size_t n = 0; n < options->schema_count; n++)
        rh_recipe_add_script(&recipe, options->schema_paths[n], arena);
    for (size_t n = 0; n < migration->starting_point.count; n++) {
        const struct migration_step *step = &migration->starting_point.items[n];
        if (step->kind == STEP_PSQL) {
            rh_recipe_add_script(&recipe, step->path, arena);
            continue;
        }
        /* The same bytes are other statements in another tool's hands. */
        const char *how = rh_arena_printf(arena, "%s, %d, %zu statements", step->format,
                                          step->tool_transaction, step->statements.count);
        rh_recipe_add_text(&recipe, rh_text(how), NULL, arena);
        rh_recipe_add_text(&recipe, step->section, step->name, arena);
    }
    return recipe;
}

enum err_code rh_starting_point_prepare(struct rehearsal *rehearsal, bool uses_cache,
                                        struct err *err)
{
    const struct rehearsal_options *options = rehearsal->options;
    struct sandbox_recipe recipe = recipe_of(rehearsal);
    struct sandbox_options sandbox_options = rh_recipe_options(&recipe, &options->sandbox);
    struct sandbox_cache *cache = NULL;

    sandbox_options.keep = options->keep;
    sandbox_options.no_cache |= !uses_cache;
    enum err_code code = rh_sandbox_cache_find(&sandbox_options, &recipe, &cache,
                                               &rehearsal->prepared, err);
    if (code && sandbox_options.preferred_major != options->sandbox.preferred_major)
        rh_err_while(err, "while choosing a server for snapshot \"%s\"", options->snapshot_path);
    if (!code && !rehearsal->prepared) {
        code = load(rehearsal, &sandbox_options, err);
        if (!code)
            code = rh_sandbox_cache_prepare(cache, rehearsal->prepared, err);
    }
    rh_sandbox_cache_free(cache);
    return code;
}

enum err_code rh_starting_point_clone(struct rehearsal *rehearsal, struct err *err)
{
    struct err failure = RH_ERR_INIT;
    bool was_found = rh_sandbox_facts(rehearsal->prepared)->prepared_s >= 0;
    enum err_code code = rh_sandbox_clone(rehearsal->prepared, &rehearsal->sandbox, &failure);
    /* What the machine lacks has a number; the rest may be the fault of what was found. */
    bool may_be_its_fault = was_found && failure.errno_value == 0 &&
                            (code == RH_ERR_ENVIRONMENT || code == RH_ERR_SERVER ||
                             code == RH_ERR_CONNECTION);
    if (!may_be_its_fault) {
        if (code)
            *err = failure;
        return code;
    }
    rh_progress_note(rehearsal->options->progress, "cached sandbox not used: %s", failure.message);
    rh_sandbox_cache_discard(rehearsal->prepared);
    rh_sandbox_destroy(rehearsal->prepared);
    rehearsal->prepared = NULL;
    if ((code = rh_starting_point_prepare(rehearsal, false, err)))
        return code;
    return rh_sandbox_clone(rehearsal->prepared, &rehearsal->sandbox, err);
}

/* --- its states ------------------------------------------------------------------------------- */

static bool read_left(struct rehearsal *rehearsal, struct states *ret_states)
{
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    struct states states = {0};
    struct err ignored = RH_ERR_INIT;
    struct text text;
    if (!rh_sandbox_cache_read_note(rehearsal->prepared, STATES_NOTE, scratch, &text))
        return false;
    json_t *json = json_loadb(text.data, text.len, 0, NULL);
    bool is_read = json && rh_state_from_json(json, rehearsal->arena, &states.schema, &states.data,
                                              &ignored) == RH_OK;
    json_decref(json);
    if (is_read)
        *ret_states = states;
    return is_read;
}

static void leave(const struct rehearsal *rehearsal, const struct states *states)
{
    if (states->schema_reason || states->data_reason)
        return;
    json_t *json = rh_state_to_json(&states->schema, &states->data);
    char *text = json_dumps(json, JSON_COMPACT);
    if (text)
        rh_sandbox_cache_write_note(rehearsal->prepared, STATES_NOTE, rh_text(text));
    free(text);
    json_decref(json);
}

enum err_code rh_starting_point_states(struct rehearsal *rehearsal, struct states *ret_states,
                                       struct err *err)
{
    const struct rehearsal_options *options = rehearsal->options;
    rehearsal->result.fidelity.is_cold = read_left(rehearsal, ret_states);
    if (rehearsal->result.fidelity.is_cold)
        return RH_OK;
    enum err_code code = rh_states_read(rehearsal->sandbox, options->sandbox.engine,
                                        options->progress, rehearsal->arena, ret_states, err);
    if (!code)
        leave(rehearsal, ret_states);
    return code;
}
