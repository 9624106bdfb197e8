/* What a rehearsal needs of the machine: each thing is tried, not looked up. */
#include "cmd/doctor.h"

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/isolate.h"
#include "base/say.h"
#include "model/result.h"

#include <unistd.h>

/* A command that only ends. */
#define COMMAND_MAX_US (10 * INT64_C(1000000))
/* What a comparison of queries has at once: baseline, twin and candidate. */
#define SERVERS_AT_ONCE 3
/* Less than this is soon full, whatever the snapshot. */
#define DISK_FEW_BYTES (INT64_C(1) << 30)

static const char *duration(struct arena *arena, int64_t us)
{
    char text[24];

    rh_duration_format(us, text);
    return rh_arena_strdup(arena, text);
}

/* --- servers ---------------------------------------------------------------------------------- */

static enum err_code look_for_servers(struct doctor *doctor, const struct sandbox_options *options,
                                      bool *ret_any, struct err *err)
{
    struct server_list servers;
    struct err failure = RH_ERR_INIT;
    VEC(const char *) names = {0};
    json_t *list = json_array();
    enum err_code code = options->engine->find_servers(options->server_bin, doctor->arena, &servers,
                                                       &failure);

    *ret_any = !code;
    json_object_set_new(doctor->facts, "servers", list);
    if (code && rh_interrupt_check(err))
        return err->code;
    if (code) {
        rh_doctor_add_err(doctor, DOCTOR_MACHINE, "servers", DOCTOR_PROBLEM, &failure);
        return RH_OK;
    }
    for (size_t i = 0; i < servers.count; i++) {
        const struct server_programs *server = &servers.items[i];
        json_t *item = json_object();

        json_object_set_new(item, "version", rh_json_text(server->version));
        json_object_set_new(item, "directory", rh_json_text(server->bin_directory));
        json_array_append_new(list, item);
        *RH_PUSH(doctor->arena, &names) = rh_arena_printf(doctor->arena, "PostgreSQL %s (%s)",
                                                          server->version, server->bin_directory);
    }
    rh_doctor_add(doctor, DOCTOR_MACHINE, "servers", DOCTOR_OK, NULL, "Servers to rehearse on: %s.",
                  rh_say_list(doctor->arena, names.items, names.count, names.count));
    return RH_OK;
}

/* --- a sandbox -------------------------------------------------------------------------------- */

static void look_at_clones(struct doctor *doctor, const struct clone_trial *trials)
{
    struct arena *arena = doctor->arena;
    VEC(const char *) works = {0};
    VEC(const char *) fails = {0};
    json_t *list = json_array();
    bool is_cheap = false;

    for (size_t i = 0; i < SANDBOX_CLONE_WAYS; i++) {
        const struct clone_trial *trial = &trials[i];
        json_t *item = json_object();

        json_object_set_new(item, "method", json_string(trial->method));
        json_object_set_new(item, "works", json_boolean(trial->works));
        json_object_set_new(item, "duration_us", json_integer(trial->duration_us));
        json_object_set_new(item, "why_not", rh_json_text(trial->why_not));
        json_array_append_new(list, item);
        if (trial->works)
            *RH_PUSH(arena, &works) = rh_arena_printf(arena, "%s (%s)", trial->method,
                                                      duration(arena, trial->duration_us));
        else
            *RH_PUSH(arena, &fails) = rh_arena_printf(arena, "%s (%s)", trial->method,
                                                      trial->why_not);
        is_cheap = is_cheap || (trial->works && i + 1 < SANDBOX_CLONE_WAYS);
    }
    json_object_set_new(doctor->facts, "clones", list);
    if (works.count == 0) {
        rh_doctor_add(doctor, DOCTOR_MACHINE, "clones", DOCTOR_PROBLEM, NULL,
                      "No way to clone a sandbox works: %s.",
                      rh_say_list(arena, fails.items, fails.count, fails.count));
        return;
    }
    rh_doctor_add(doctor, DOCTOR_MACHINE, "clones", is_cheap ? DOCTOR_OK : DOCTOR_NOTE,
                  is_cheap ? NULL
                           : "Each clone copies all data then. Permit user namespaces, or put "
                             "sandboxes on btrfs or XFS (REHEARSE_SANDBOX_DIR).",
                  "Clones of an empty sandbox, to the first answer: %s.%s%s%s",
                  rh_say_list(arena, works.items, works.count, works.count),
                  fails.count > 0 ? " Not by " : "",
                  rh_say_list(arena, fails.items, fails.count, fails.count),
                  fails.count > 0 ? "." : "");
}

/* INT64_MAX: not known. */
static json_t *bytes_or_null(int64_t bytes)
{
    return bytes == INT64_MAX ? json_null() : json_integer(bytes);
}

static void look_at_room(struct doctor *doctor, const struct sandbox *prepared)
{
    struct arena *arena = doctor->arena;
    struct sandbox_room room;

    rh_sandbox_room(prepared, &room);
    json_object_set_new(doctor->facts, "memory_bytes", bytes_or_null(room.memory_bytes));
    json_object_set_new(doctor->facts, "disk_bytes", bytes_or_null(room.disk_bytes));
    if (room.memory_bytes != INT64_MAX) {
        int64_t servers = room.memory_bytes / room.clone_memory_bytes;
        bool is_enough = servers >= SERVERS_AT_ONCE;

        rh_doctor_add(
            doctor, DOCTOR_MACHINE, "memory", is_enough ? DOCTOR_OK : DOCTOR_NOTE,
            is_enough ? NULL
                      : "Comparing queries takes three at once. Most of it is "
                        "shared_buffers: --set shared_buffers=32MB takes less.",
            "Memory: %s available, room for %s at %s each.", rh_say_bytes(arena, room.memory_bytes),
            rh_say_count(arena, servers, "server"), rh_say_bytes(arena, room.clone_memory_bytes));
    }
    if (room.disk_bytes != INT64_MAX) {
        bool is_enough = room.disk_bytes >= DISK_FEW_BYTES;

        rh_doctor_add(doctor, DOCTOR_MACHINE, "disk", is_enough ? DOCTOR_OK : DOCTOR_NOTE,
                      is_enough ? NULL
                                : "Free some space, or choose a larger disk with "
                                  "REHEARSE_SANDBOX_DIR.",
                      "Disk: %s free below \"%s\", where sandboxes are made.",
                      rh_say_bytes(arena, room.disk_bytes), room.directory);
    }
}

static void look_for_programs(struct doctor *doctor, const struct sandbox *sandbox)
{
    static const struct {
        const char *name, *use;
    } programs[] = {
        {"psql", "loads --schema files and runs psql scripts"},
        {"pg_restore", "restores archives"},
        {"pg_dump", "makes snapshots"},
        {"git", "finds what is new on a branch (--since)"},
        {"gzip", "reads dumps that end in .gz"},
        {"zstd", "reads dumps that end in .zst"},
    };
    VEC(const char *) found = {0};

    for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
        struct err missing = RH_ERR_INIT;

        if (rh_sandbox_client_program(sandbox, programs[i].name, &missing))
            *RH_PUSH(doctor->arena, &found) = programs[i].name;
        else
            rh_doctor_add(doctor, DOCTOR_MACHINE, "programs", DOCTOR_NOTE, missing.hint,
                          "\"%s\" is missing, which %s.", programs[i].name, programs[i].use);
    }
    if (found.count > 0)
        rh_doctor_add(doctor, DOCTOR_MACHINE, "programs", DOCTOR_OK, NULL, "Programs found: %s.",
                      rh_say_list(doctor->arena, found.items, found.count, found.count));
}

static enum err_code try_sandbox(struct doctor *doctor, struct sandbox *sandbox, struct mono began,
                                 struct err *err)
{
    const struct sandbox_facts *facts = rh_sandbox_facts(sandbox);
    const char *user = rh_sandbox_server_user(sandbox);
    struct clone_trial trials[SANDBOX_CLONE_WAYS];
    enum err_code code = rh_sandbox_prepare(sandbox, err);

    if (code)
        return code;
    rh_doctor_add(doctor, DOCTOR_MACHINE, "sandbox", DOCTOR_OK, NULL,
                  "A sandbox of PostgreSQL %s was started, prepared and stopped in %s%s%s%s.",
                  facts->server_version, duration(doctor->arena, rh_clock_mono().us - began.us),
                  user ? ", as user \"" : "", user ? user : "", user ? "\"" : "");
    for (size_t i = 0; i < facts->notes.count; i++)
        rh_doctor_add(doctor, DOCTOR_MACHINE, "sandbox", DOCTOR_NOTE, NULL, "%s",
                      facts->notes.items[i]);
    rh_progress_phase(doctor->progress, "clone it in every way");
    if ((code = rh_sandbox_try_clones(sandbox, doctor->arena, trials, err)))
        return code;
    look_at_clones(doctor, trials);
    look_at_room(doctor, sandbox);
    look_for_programs(doctor, sandbox);
    return RH_OK;
}

static enum err_code look_at_sandbox(struct doctor *doctor, const struct sandbox_options *options,
                                     struct err *err)
{
    RH_CLEANUP_SANDBOX struct sandbox *sandbox = NULL;
    struct err failure = RH_ERR_INIT;
    struct mono began = rh_clock_mono();
    enum err_code code;

    rh_sandbox_reap(options);
    code = rh_sandbox_start(options, &sandbox, &failure);
    if (!code)
        code = try_sandbox(doctor, sandbox, began, &failure);
    if (code && rh_interrupt_check(err))
        return err->code;
    if (code)
        rh_doctor_add_err(doctor, DOCTOR_MACHINE, "sandbox", DOCTOR_PROBLEM, &failure);
    return RH_OK;
}

/* --- isolation -------------------------------------------------------------------------------- */

static void look_at_isolation(struct doctor *doctor)
{
    static const char *const argv[] = {"true", NULL};
    const struct process_options options = {
        .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
    RH_CLEANUP_PROCESS struct process process = PROCESS_INIT;
    struct isolation isolation = {.listener_fds = {-1, -1}};
    struct err failure = RH_ERR_INIT;
    enum err_code code = rh_isolate_start(&process, &options, 0, &isolation, &failure);

    for (size_t i = 0; !code && i < 2; i++)
        if (isolation.listener_fds[i] >= 0)
            close(isolation.listener_fds[i]);
    if (!code)
        code = rh_process_wait(&process, rh_clock_after(rh_clock_mono(), COMMAND_MAX_US), &failure);
    json_object_set_new(doctor->facts, "isolation", json_boolean(!code));
    if (code)
        rh_doctor_add_err(doctor, DOCTOR_MACHINE, "isolation", DOCTOR_NOTE, &failure);
    else
        rh_doctor_add(doctor, DOCTOR_MACHINE, "isolation", DOCTOR_OK, NULL,
                      "Commands run where they reach the sandbox and nothing else.");
}

enum err_code rh_doctor_machine(struct doctor *doctor, const struct sandbox_options *options,
                                struct err *err)
{
    bool has_server = false;
    enum err_code code;

    rh_progress_phase(doctor->progress, "look for servers");
    code = look_for_servers(doctor, options, &has_server, err);
    if (!code && has_server)
        code = look_at_sandbox(doctor, options, err);
    if (!code)
        look_at_isolation(doctor);
    return code;
}
