#include "rehearsal/restore_test.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/process.h"
#include "trace/redact.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What pg_dump says when it fails: some lines. */
#define MESSAGE_MAX_BYTES ((size_t)16 * 1024)

/* The last line that is an error; what pg_dump says first is mostly of no use. */
static const char *error_line(struct arena *arena, struct text said)
{
    struct text best = rh_text_trim(said);
    const char *error = NULL;
    for (size_t i = 0; i + 6 < best.len; i++)
        if (strncmp(best.data + i, "error:", 6) == 0)
            error = best.data + i;
    if (error)
        best = (struct text){error, (size_t)(best.data + best.len - error)};
    return rh_mask_log_line(arena, rh_text(rh_text_one_line(arena, best, 300)));
}

/* Values in it are masked. */
static const char *first_line(struct arena *arena, const char *text)
{
    return rh_mask_log_line(arena, (struct text){text, strcspn(text, "\n")});
}

static enum err_code dump(struct way_back *back, struct sandbox *clone, const char *path,
                          const char **ret_failure, struct err *err)
{
    struct arena *arena = back->arena;
    const char *program = rh_sandbox_client_program(clone, "pg_dump", err);
    struct connection_parameters superuser = rh_sandbox_superuser(clone);
    if (!program)
        return err->code;
    const char *const argv[] = {program, "-Fc", "-Z", "1", "-w", "-f", path, NULL};
    const char *const env[] = {
        "LC_ALL=C",
        "PGCLIENTENCODING=UTF8",
        rh_arena_printf(arena, "PGHOST=%s", superuser.socket_directory),
        rh_arena_printf(arena, "PGPORT=%u", superuser.port),
        rh_arena_printf(arena, "PGUSER=%s", superuser.user),
        rh_arena_printf(arena, "PGPASSWORD=%s", superuser.password),
        rh_arena_printf(arena, "PGDATABASE=%s", superuser.database),
        NULL,
    };
    const struct process_options options = {.argv = argv,
                                            .env = env,
                                            .stdin_fd = -1,
                                            .stdout_fd = -1,
                                            .stderr_fd = -1,
                                            .new_group = true};
    RH_CLEANUP_PROCESS struct process process = PROCESS_INIT;
    struct text out, said;
    enum err_code code = rh_process_run(&options, rh_interrupt_deadline(), MESSAGE_MAX_BYTES, arena,
                                        &process, &out, &said, err);
    /* pg_dump reads no server that is newer than itself (pg_dump.c, _check_database_version). */
    if (!code && rh_process_exit_status(&process) != 0 &&
        memmem(said.data, said.len, "server version mismatch", strlen("server version mismatch")))
        return rh_err_set(err, RH_ERR_ENVIRONMENT, "%s is older than the server", program);
    if (!code && rh_process_exit_status(&process) != 0)
        *ret_failure = rh_arena_printf(arena, "pg_dump: %s", error_line(arena, said));
    return code;
}

static enum err_code restore(struct way_back *back, const char *path, struct sandbox **ret_sandbox,
                             const char **ret_failure, struct err *err)
{
    struct sandbox_options options = back->rehearsal->options->sandbox;
    struct err why = RH_ERR_INIT;
    options.keep = false;
    options.preferred_major = rh_sandbox_snapshot_major(path);
    enum err_code code = rh_sandbox_start(&options, ret_sandbox, err);
    if (code)
        return code;
    code = rh_sandbox_load_snapshot(*ret_sandbox, path, &why);
    if (!code)
        code = rh_sandbox_ready(*ret_sandbox, &why);
    if (code == RH_ERR_TIMEOUT || code == RH_ERR_INTERRUPTED) {
        *err = why;
        return code;
    }
    if (code) /* the message names our file; its details are the server's words */
        *ret_failure = first_line(back->arena, why.detail[0] ? why.detail : why.message);
    return RH_OK;
}

static enum err_code compare(struct way_back *back, const struct states *dumped,
                             struct sandbox *restored, struct err *err)
{
    struct states by_name = rh_states_by_name(dumped), end;
    struct round_trip_states states;
    enum err_code code = rh_states_read_again(&by_name, restored, back->engine, NULL, back->arena,
                                              &end, err);
    if (!code && (dumped->schema_reason || end.schema_reason))
        code = rh_err_set(err, RH_ERR_SERVER, "the schema could not be read");
    if (code)
        return code;
    rh_way_back_compare(back, &by_name, &end, &states);
    states.has_ledgers = false;
    rh_compare_restored(&states, back->arena, &back->trip->restore_test);
    return RH_OK;
}

static enum err_code dump_and_restore(struct way_back *back, struct sandbox *clone, struct err *err)
{
    struct restore_test *test = &back->trip->restore_test;
    RH_CLEANUP_SANDBOX struct sandbox *restored = NULL;
    const char *path = rh_file_join(back->arena, rh_sandbox_directory(clone), "restore-test.dump");
    struct states dumped;
    struct stat file;
    enum err_code code = rh_way_back_migrate(back, clone, 0, back->rehearsal->migration.steps.count,
                                             err);
    if (!code)
        code = rh_states_read_again(back->before, clone, back->engine, NULL, back->arena, &dumped,
                                    err);
    if (!code)
        code = dump(back, clone, path, &test->failure, err);
    if (code || test->failure)
        return code;
    if (stat(path, &file) == 0)
        test->dump_bytes = file.st_size;
    code = restore(back, path, &restored, &test->failure, err);
    if (code || test->failure)
        return code;
    return compare(back, &dumped, restored, err);
}

enum err_code rh_restore_test_run(struct way_back *back, struct err *err)
{
    struct restore_test *test = &back->trip->restore_test;
    struct mono began = rh_clock_mono(), deadline;
    struct err why = RH_ERR_INIT;
    if (!rh_way_back_has_time(back, 1, &deadline)) {
        test->reason = "no time was left of --timeout";
        return RH_OK;
    }
    rh_interrupt_set_deadline(deadline);
    struct sandbox *clone = NULL;
    enum err_code code = rh_rehearsal_clone(back->rehearsal, &clone, &why);
    rh_progress_phase(back->rehearsal->options->progress,
                      "restore a dump of the migrated database");
    if (!code)
        code = dump_and_restore(back, clone, &why);
    rh_sandbox_destroy(clone);
    rh_interrupt_set_deadline(back->run_deadline);
    test->duration_us = rh_clock_mono().us - began.us;
    test->ran = !code;
    return rh_way_back_reason(back, code, &why, &test->reason, err);
}
