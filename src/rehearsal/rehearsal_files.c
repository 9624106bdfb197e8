#include "rehearsal/rehearsal_files.h"

#include "base/clock.h"
#include "base/file.h"
#include "report/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUNS_DIRECTORY ".rehearse/runs"
/* Runs of the same bytes begun within one second, before we give up finding a name. */
#define SAME_SECOND_MAX 100
/* A rendering of a result: statements are cut at STATEMENT_TEXT_MAX, so this is never reached by
   anything a person would read. */
#define SUMMARY_MAX_BYTES (64u * 1024 * 1024)

static enum err_code make_default_directory(struct text name_source, struct arena *arena,
                                            const char **ret_directory, struct err *err)
{
    enum err_code code = rh_file_make_directories(RUNS_DIRECTORY, 0700, err);
    if (code)
        return code;

    /* Results hold SQL and key names: never for version control. */
    const char *ignore = RUNS_DIRECTORY "/.gitignore";
    if (!rh_file_exists(ignore)) {
        code = rh_file_write(ignore, TEXT_LITERAL("*\n"), 0600, err);
        if (code)
            return code;
    }

    char stamp[20], digest[65];
    rh_clock_compact(rh_clock_wall(), stamp);
    rh_file_sha256(name_source, digest);
    for (int n = 1; n <= SAME_SECOND_MAX; n++) {
        char *path = n == 1
                         ? rh_arena_printf(arena, RUNS_DIRECTORY "/%s-%.8s", stamp, digest)
                         : rh_arena_printf(arena, RUNS_DIRECTORY "/%s-%.8s-%d", stamp, digest, n);
        if (mkdir(path, 0700) == 0) {
            *ret_directory = path;
            return RH_OK;
        }
        if (errno != EEXIST)
            return rh_err_set_errno(err, errno, "cannot create \"%s\"", path);
    }
    return rh_err_set(err, RH_ERR_LIMIT, "more than %d runs began in one second", SAME_SECOND_MAX);
}

/* What an earlier run left in the same place must not be taken for this one's result. */
static void remove_earlier(const char *directory, struct arena *arena)
{
    static const char *const names[] = {"result.json", "summary.txt", "rollback.md", "output.log"};
    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
        unlink(rh_file_join(arena, directory, names[n]));
}

static enum err_code open_events(struct run_files *files, struct arena *arena, struct err *err)
{
    const char *path = rh_file_join(arena, files->directory, "events.ndjson");
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return rh_err_set_errno(err, errno, "cannot create \"%s\"", path);
    files->events = fdopen(fd, "w");
    if (!files->events) {
        int saved = errno;
        close(fd);
        return rh_err_set_errno(err, saved, "cannot create \"%s\"", path);
    }
    return RH_OK;
}

enum err_code rh_run_files_open(const char *out_directory, struct text name_source,
                                struct arena *arena, struct progress *progress,
                                struct run_files *ret_files, struct err *err)
{
    struct run_files files = {.progress = progress, .is_default_place = !out_directory};
    struct err why = RH_ERR_INIT;
    enum err_code code;

    if (out_directory) {
        code = rh_file_make_directories(out_directory, 0700, &why);
        files.directory = rh_arena_strdup(arena, out_directory);
        if (!code)
            remove_earlier(out_directory, arena);
    } else {
        code = make_default_directory(name_source, arena, &files.directory, &why);
    }
    if (!code)
        code = open_events(&files, arena, &why);
    if (code && out_directory) {
        rh_err_set(err, RH_ERR_USAGE, "cannot write to --out \"%s\"", out_directory);
        rh_err_detail(err, "%s", why.message);
        return RH_ERR_USAGE;
    }
    if (code) {
        rh_progress_note(progress, "note: this run leaves no files: %s", why.message);
        files.directory = NULL;
    } else {
        files.output_path = rh_file_join(arena, files.directory, "output.log");
    }
    *ret_files = files;
    return RH_OK;
}

void rh_run_files_event(struct run_files *files, const json_t *event)
{
    if (!files->events)
        return;
    if (json_dumpf(event, files->events, JSON_COMPACT | JSON_PRESERVE_ORDER) != 0 ||
        fputc('\n', files->events) == EOF) {
        rh_progress_note(files->progress, "note: events.ndjson is incomplete: %s", strerror(errno));
        fclose(files->events);
        files->events = NULL;
    }
}

static void close_events(struct run_files *files)
{
    if (files->events && fclose(files->events) != 0)
        rh_progress_note(files->progress, "note: events.ndjson is incomplete: %s", strerror(errno));
    files->events = NULL;
}

static void point_latest_at(struct run_files *files, struct arena *arena)
{
    const char *name = strrchr(files->directory, '/') + 1;
    const char *beside = rh_arena_printf(arena, RUNS_DIRECTORY "/.latest-%ld", (long)getpid());
    if (symlink(name, beside) != 0 || rename(beside, RUNS_DIRECTORY "/latest") != 0) {
        rh_progress_note(files->progress, "note: cannot link " RUNS_DIRECTORY "/latest: %s",
                         strerror(errno));
        unlink(beside);
    }
}

void rh_run_files_write(struct run_files *files, const struct result *result)
{
    if (!files->directory)
        return;
    close_events(files);

    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct err err = RH_ERR_INIT;
    json_t *json = rh_result_to_json(result);
    char *dumped = json_dumps(json, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15));
    json_decref(json);
    RH_ASSERT(dumped);

    struct buf summary, rollback;
    rh_buf_init(&summary, SUMMARY_MAX_BYTES);
    rh_report_summary(result, &summary);
    rh_buf_init(&rollback, SUMMARY_MAX_BYTES);
    rh_report_rollback(result, &rollback);

    enum err_code code = rh_file_write(rh_file_join(arena, files->directory, "result.json"),
                                       rh_text(dumped), 0600, &err);
    if (!code)
        code = rh_file_write(rh_file_join(arena, files->directory, "summary.txt"),
                             rh_buf_text(&summary), 0600, &err);
    if (!code)
        code = rh_file_write(rh_file_join(arena, files->directory, "rollback.md"),
                             rh_buf_text(&rollback), 0600, &err);
    if (code)
        rh_progress_note(files->progress, "note: the files of this run are incomplete: %s",
                         err.message);
    files->written = true;
    if (!code && files->is_default_place)
        point_latest_at(files, arena);
    rh_buf_deinit(&summary);
    rh_buf_deinit(&rollback);
    free(dumped);
}

void rh_run_files_close(struct run_files *files)
{
    close_events(files);
    if (files->directory && !files->written) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        unlink(rh_file_join(arena, files->directory, "events.ndjson"));
        unlink(files->output_path);
        if (files->is_default_place)
            rmdir(files->directory);
    }
    files->directory = NULL;
}
