#include "engine/postgres/pg_engine_int.h"

#include "base/file.h"
#include "base/process.h"

#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Oldest major whose catalogue our queries know. */
#define OLDEST_MAJOR 13
/* `postgres --version` answers in milliseconds; a broken binary must not hang the start. */
#define VERSION_TIMEOUT_US (10 * 1000 * 1000)
#define VERSION_OUTPUT_MAX 4096
/* Installations looked at; a machine with more names the one it means. */
#define CANDIDATES_MAX 64

/* Debian and Ubuntu; PGDG and Red Hat; source; Homebrew on Linux and macOS; Arch, Fedora, Alpine.
 */
static const char *const patterns[] = {
    "/usr/lib/postgresql/*/bin",
    "/usr/lib/postgresql*/bin",
    "/usr/libexec/postgresql*",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/usr/local/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/usr/bin",
};

struct search {
    struct arena *arena;
    VEC(struct server_programs) found;
    VEC(const char *) seen;    /* real paths */
    VEC(const char *) refused; /* what was found and why it cannot serve, for the error */
};

static bool has_program(struct arena *arena, const char *directory, const char *name)
{
    return access(rh_file_join(arena, directory, name), X_OK) == 0;
}

static bool is_seen(const struct search *search, const char *path)
{
    for (size_t i = 0; i < search->seen.count; i++)
        if (strcmp(search->seen.items[i], path) == 0)
            return true;
    return false;
}

/* The version in "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"; NULL when it is not there.
 */
static const char *parse_version(struct arena *arena, struct text output)
{
    static const char marker[] = "(PostgreSQL) ";
    const char *start = output.len ? memmem(output.data, output.len, marker, strlen(marker)) : NULL;
    size_t len = 0;

    if (!start)
        return NULL;
    start += strlen(marker);
    size_t rest = output.len - (size_t)(start - output.data);
    while (len < rest && !strchr(" \t\r\n", start[len]))
        len++;
    return len && start[0] >= '1' && start[0] <= '9' ? rh_arena_strndup(arena, start, len) : NULL;
}

/* Where the programs really lie: a directory of links (/usr/local/bin) leads to the installation.
 */
static bool find_real_directory(struct arena *arena, const char *directory,
                                char out[static PATH_MAX])
{
    char *slash;

    if (!realpath(rh_file_join(arena, directory, "postgres"), out) || !(slash = strrchr(out, '/')))
        return false;
    *slash = 0;
    return has_program(arena, out, "initdb") || realpath(directory, out);
}

static enum err_code consider(struct search *search, const char *directory, struct err *err)
{
    struct arena *arena = search->arena;
    char real[PATH_MAX];
    struct process process = PROCESS_INIT;
    struct text output, errors;

    if (!has_program(arena, directory, "postgres") ||
        !find_real_directory(arena, directory, real) || is_seen(search, real) ||
        search->seen.count == CANDIDATES_MAX)
        return RH_OK;
    *RH_PUSH(arena, &search->seen) = rh_arena_strdup(arena, real);
    if (!has_program(arena, real, "initdb")) {
        *RH_PUSH(arena, &search->refused) = rh_arena_printf(arena, "%s (has no initdb)", directory);
        return RH_OK;
    }
    const char *const argv[] = {rh_file_join(arena, real, "postgres"), "--version", NULL};
    struct process_options options = {
        .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
    struct err failure = RH_ERR_INIT;
    enum err_code code = rh_process_run(
        &options, rh_clock_after(rh_clock_mono(), VERSION_TIMEOUT_US), VERSION_OUTPUT_MAX, arena,
        &process, &output, &errors, &failure);
    if (code == RH_ERR_INTERRUPTED) {
        *err = failure;
        return code;
    }
    const char *version = code ? NULL : parse_version(arena, output);
    if (!version) {
        *RH_PUSH(arena, &search->refused) = rh_arena_printf(
            arena, "%s (postgres --version does not answer)", directory);
        return RH_OK;
    }
    struct text rest = rh_text(version);
    int64_t major;
    if (!rh_text_take_int64(&rest, &major) || major < OLDEST_MAJOR || major > INT_MAX) {
        *RH_PUSH(arena, &search->refused) = rh_arena_printf(arena, "%s (PostgreSQL %s is too old)",
                                                            directory, version);
        return RH_OK;
    }
    *RH_PUSH(arena, &search->found) = (struct server_programs){
        .bin_directory = rh_arena_strdup(arena, real), .major = (int)major, .version = version};
    return RH_OK;
}

static enum err_code consider_list(struct search *search, const char *list, struct err *err)
{
    char *rest = rh_arena_strdup(search->arena, list);
    enum err_code code;

    for (char *directory; (directory = strsep(&rest, ":"));)
        if (*directory && (code = consider(search, directory, err)))
            return code;
    return RH_OK;
}

/* Where a pg_config on PATH says the programs are. */
static enum err_code consider_pg_config(struct search *search, struct err *err)
{
    static const char *const argv[] = {"pg_config", "--bindir", NULL};
    struct process_options options = {
        .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
    struct process process = PROCESS_INIT;
    struct text output, errors;
    struct err failure = RH_ERR_INIT;
    enum err_code code = rh_process_run(
        &options, rh_clock_after(rh_clock_mono(), VERSION_TIMEOUT_US), VERSION_OUTPUT_MAX,
        search->arena, &process, &output, &errors, &failure);

    if (code == RH_ERR_INTERRUPTED) {
        *err = failure;
        return code;
    }
    if (code || process.status != 0)
        return RH_OK;
    return consider(search, rh_text_dup(search->arena, rh_text_trim(output)), err);
}

static enum err_code consider_machine(struct search *search, struct err *err)
{
    enum err_code code = RH_OK;

    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]) && !code; i++) {
        glob_t matches = {0};
        if (glob(patterns[i], 0, NULL, &matches) == 0)
            for (size_t k = 0; k < matches.gl_pathc && !code; k++)
                code = consider(search, matches.gl_pathv[k], err);
        globfree(&matches);
    }
    if (!code && getenv("PATH"))
        code = consider_list(search, getenv("PATH"), err);
    if (!code && search->found.count == 0)
        code = consider_pg_config(search, err);
    return code;
}

static int compare_versions(const struct server_programs *left, const struct server_programs *right)
{
    if (left->major != right->major)
        return left->major < right->major ? -1 : 1;
    return rh_text_natural_compare(left->version, right->version);
}

/* Newest last; of equal ones the one found first, which is the one installed in the usual place. */
static void sort_versions(struct server_programs *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct server_programs item = items[i];
        size_t at = i;
        for (; at > 0 && compare_versions(&items[at - 1], &item) >= 0; at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

static enum err_code none_found(const struct search *search, const char *bin_directory,
                                const char *path_list, struct err *err)
{
    if (bin_directory)
        rh_err_set(err, RH_ERR_ENVIRONMENT, "cannot find PostgreSQL server programs in \"%s\"",
                   bin_directory);
    else
        rh_err_set(err, RH_ERR_ENVIRONMENT, "cannot find PostgreSQL server programs");

    RH_CLEANUP_BUF struct buf detail;
    rh_buf_init(&detail, sizeof(err->detail) - 1);
    for (size_t i = 0; i < search->refused.count; i++)
        rh_buf_printf(&detail, "found %s\n", search->refused.items[i]);
    if (!bin_directory && path_list) {
        rh_buf_printf(&detail, "searched REHEARSE_SERVER_PATH=%s", path_list);
    } else if (!bin_directory) {
        rh_buf_add_str(&detail, "searched ");
        for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
            rh_buf_printf(&detail, "%s, ", patterns[i]);
        rh_buf_add_str(&detail, "PATH, pg_config");
    }
    if (detail.len)
        rh_err_detail(err, "%s", detail.data);
    rh_err_hint(err,
                bin_directory
                    ? "Name the directory that holds postgres and initdb, such as "
                      "/usr/lib/postgresql/15/bin."
                    : "Install the server (Debian, Ubuntu: apt-get install postgresql) or name "
                      "its directory with --server-bin.");
    return err->code;
}

enum err_code rh_pg_find_servers(const char *bin_directory, struct arena *arena,
                                 struct server_list *ret_servers, struct err *err)
{
    struct search search = {.arena = arena};
    /* Like PATH: what it lists is all there is. */
    const char *path_list = getenv("REHEARSE_SERVER_PATH");
    enum err_code code;

    if (path_list && !*path_list)
        path_list = NULL;
    if (bin_directory)
        code = consider(&search, bin_directory, err);
    else if (path_list)
        code = consider_list(&search, path_list, err);
    else
        code = consider_machine(&search, err);
    if (code)
        return code;
    if (search.found.count == 0)
        return none_found(&search, bin_directory, path_list, err);
    sort_versions(search.found.items, search.found.count);
    ret_servers->items = search.found.items;
    ret_servers->count = search.found.count;
    return RH_OK;
}
