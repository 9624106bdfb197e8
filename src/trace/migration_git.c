#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "trace/migration_git_int.h"

#include <errno.h>
#include <stdlib.h>

/* Reading a repository is a matter of milliseconds; a network file system may take its time. */
#define GIT_TIMEOUT_US ((int64_t)60 * 1000 * 1000)
#define GIT_OUTPUT_MAX ((size_t)16 * 1024 * 1024) /* bytes of names: some 200,000 files */
#define ARGUMENTS_MAX 16

struct git_run {
    struct process process;
    struct text output, errors;
};

/* Runs `git -C directory arguments...`; its status is the caller's to look at. */
static enum err_code run_git(const char *directory, const char *const *arguments, size_t max_bytes,
                             struct arena *arena, struct git_run *ret_run, struct err *err)
{
    const char *argv[ARGUMENTS_MAX + 4] = {"git", "-C", directory};
    size_t count = 3;

    for (size_t i = 0; arguments[i]; i++) {
        RH_ASSERT(i < ARGUMENTS_MAX);
        argv[count++] = arguments[i];
    }

    struct process_options options = {
        .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
    enum err_code code = rh_process_run(&options, rh_clock_after(rh_clock_mono(), GIT_TIMEOUT_US),
                                        max_bytes, arena, &ret_run->process, &ret_run->output,
                                        &ret_run->errors, err);

    if (code == RH_ERR_ENVIRONMENT && err->errno_value == ENOENT)
        rh_err_hint(err, "--since asks git which files are new: install it (apt-get install git).");
    return code;
}

static bool succeeded(const struct git_run *run)
{
    return rh_process_exit_status(&run->process) == 0;
}

/* git's own words, as the detail. */
static void add_git_words(const struct git_run *run, struct err *err)
{
    struct text words = rh_text_trim(run->errors);

    if (words.len > 0)
        rh_err_detail(err, "git says: %.*s", (int)(words.len < 900 ? words.len : 900), words.data);
}

static enum err_code find_base(const char *directory, const char *since, struct arena *arena,
                               const char **ret_base, struct err *err)
{
    const char *const inside[] = {"rev-parse", "--show-toplevel", NULL};
    const char *const known[] = {"rev-parse",
                                 "--verify",
                                 "--quiet",
                                 "--end-of-options",
                                 rh_arena_printf(arena, "%s^{commit}", since),
                                 NULL};
    struct git_run run = {0};
    enum err_code code;

    if (!rh_file_is_directory(directory))
        return rh_err_set(err, RH_ERR_USAGE, "\"%s\" is not a directory", directory);
    code = run_git(directory, inside, GIT_OUTPUT_MAX, arena, &run, err);
    if (code)
        return code;
    if (!succeeded(&run)) {
        rh_err_set(err, RH_ERR_USAGE, "\"%s\" is not in a git repository, which --since needs",
                   directory);
        add_git_words(&run, err);
        return RH_ERR_USAGE;
    }
    code = run_git(directory, known, GIT_OUTPUT_MAX, arena, &run, err);
    if (code)
        return code;
    if (!succeeded(&run)) {
        rh_err_set(err, RH_ERR_USAGE, "git knows no commit \"%s\" (--since)", since);
        rh_err_hint(err, "Fetch it first, for example with \"git fetch origin main\"; in CI, check "
                         "out with the full history.");
        return RH_ERR_USAGE;
    }

    const char *const fork_point[] = {"merge-base", rh_text_dup(arena, rh_text_trim(run.output)),
                                      "HEAD", NULL};

    code = run_git(directory, fork_point, GIT_OUTPUT_MAX, arena, &run, err);
    if (code)
        return code;
    if (!succeeded(&run)) {
        rh_err_set(err, RH_ERR_USAGE, "\"%s\" (--since) and HEAD have no common ancestor", since);
        add_git_words(&run, err);
        rh_err_hint(err, "A shallow clone lacks it: fetch with the full history.");
        return RH_ERR_USAGE;
    }
    *ret_base = rh_text_dup(arena, rh_text_trim(run.output));
    return RH_OK;
}

/* The next NUL-ended field of -z output; NULL at the end. */
static const char *next_field(struct text *left, struct arena *arena)
{
    const char *nul = left->len > 0 ? memchr(left->data, '\0', left->len) : NULL;

    if (!nul)
        return NULL;

    size_t len = (size_t)(nul - left->data);
    const char *field = rh_arena_strndup(arena, left->data, len);

    left->data += len + 1;
    left->len -= len + 1;
    return field;
}

static void add_entry(struct git_changes *changes, struct arena *arena, const char *name,
                      enum git_change change)
{
    struct git_change_entry *entry = RH_PUSH(arena, &changes->entries);

    entry->name = name;
    entry->change = change;
}

/* --name-status -z: "A\0name\0", "M\0name\0", "D\0name\0", "R087\0old\0new\0", "T\0name\0". */
static void read_name_status(struct text output, struct arena *arena, struct git_changes *changes)
{
    const char *status;

    while ((status = next_field(&output, arena))) {
        const char *name = next_field(&output, arena);

        if (!name)
            return;
        switch (status[0]) {
        case 'A':
            add_entry(changes, arena, name, GIT_ADDED);
            break;
        case 'D':
            *RH_PUSH(arena, &changes->deleted) = name;
            break;
        case 'R': {
            /* The same bytes under a new name are the same migration; else it was changed as well.
             */
            const char *new_name = next_field(&output, arena);

            if (new_name && strcmp(status, "R100") != 0)
                add_entry(changes, arena, new_name, GIT_CHANGED);
            break;
        }
        default:
            add_entry(changes, arena, name, GIT_CHANGED);
            break;
        }
    }
}

enum err_code rh_git_changes(const char *directory, const char *since, struct arena *arena,
                             struct git_changes *ret_changes, struct err *err)
{
    struct git_changes changes = {.directory = directory};
    struct git_run run = {0};
    enum err_code code = find_base(directory, since, arena, &changes.base, err);

    if (code)
        return code;

    const char *const diff[] = {"diff",       "--name-status", "-z", "-M", "--no-ext-diff",
                                "--relative", changes.base,    "--", ".",  NULL};
    const char *const untracked[] = {"ls-files", "--others", "--exclude-standard", "-z", "--",
                                     ".",        NULL};

    code = run_git(directory, diff, GIT_OUTPUT_MAX, arena, &run, err);
    if (code)
        return code;
    if (!succeeded(&run)) {
        rh_err_set(err, RH_ERR_ENVIRONMENT, "cannot compare with \"%s\"", since);
        add_git_words(&run, err);
        return RH_ERR_ENVIRONMENT;
    }
    read_name_status(run.output, arena, &changes);

    code = run_git(directory, untracked, GIT_OUTPUT_MAX, arena, &run, err);
    if (code)
        return code;
    for (const char *name; succeeded(&run) && (name = next_field(&run.output, arena));)
        add_entry(&changes, arena, name, GIT_ADDED);
    *ret_changes = changes;
    return RH_OK;
}

enum git_change rh_git_change_of(const struct git_changes *changes, const char *name)
{
    for (size_t i = 0; i < changes->entries.count; i++) {
        if (strcmp(changes->entries.items[i].name, name) == 0)
            return changes->entries.items[i].change;
    }
    return GIT_UNCHANGED;
}

enum err_code rh_git_show(const struct git_changes *changes, const char *name, size_t max_bytes,
                          struct arena *arena, struct text *ret_content, struct err *err)
{
    const char *const show[] = {"show", "--no-textconv",
                                rh_arena_printf(arena, "%s:./%s", changes->base, name), NULL};
    struct git_run run = {0};
    enum err_code code = run_git(changes->directory, show, max_bytes, arena, &run, err);

    if (code)
        return code;
    if (!succeeded(&run)) {
        rh_err_set(err, RH_ERR_ENVIRONMENT,
                   "cannot read \"%s\" as it was at the start of the branch", name);
        add_git_words(&run, err);
        return RH_ERR_ENVIRONMENT;
    }
    *ret_content = run.output;
    return RH_OK;
}
