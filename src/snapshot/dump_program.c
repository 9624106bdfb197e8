#include "snapshot/create_int.h"

#include "base/file.h"
#include "base/process.h"

#include <unistd.h>

#define VERSION_TIMEOUT_US (10 * INT64_C(1000000))
#define VERSION_OUTPUT_MAX ((size_t)4096)

/* "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)" */
static bool parse_version(struct text output, struct arena *arena, struct dump_program *program)
{
    static const char marker[] = "(PostgreSQL) ";
    const char *at = output.len ? memmem(output.data, output.len, marker, strlen(marker)) : NULL;
    struct text rest;
    int64_t major;
    size_t len = 0;

    if (!at)
        return false;
    rest = (struct text){at + strlen(marker),
                         output.len - (size_t)(at - output.data) - strlen(marker)};
    while (len < rest.len && !strchr(" \t\r\n", rest.data[len]))
        len++;
    program->version = rh_arena_strndup(arena, rest.data, len);
    if (!rh_text_take_int64(&rest, &major) || major < 1 || major > 1000)
        return false;
    program->major = (int)major;
    return true;
}

static bool ask_version(const char *path, struct arena *arena, struct dump_program *ret_program)
{
    const char *const argv[] = {path, "--version", NULL};
    struct process_options options = {
        .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
    struct process process = PROCESS_INIT;
    struct text output = {0}, errors = {0};
    struct err ignored = RH_ERR_INIT;

    ret_program->path = path;
    return !rh_process_run(&options, rh_clock_after(rh_clock_mono(), VERSION_TIMEOUT_US),
                           VERSION_OUTPUT_MAX, arena, &process, &output, &errors, &ignored) &&
           parse_version(output, arena, ret_program);
}

static void consider(const char *path, int server_major, struct arena *arena,
                     struct dump_program *best)
{
    struct dump_program found = {0};

    if ((strchr(path, '/') && access(path, X_OK) != 0) || !ask_version(path, arena, &found) ||
        found.major < server_major || (best->path && best->major <= found.major))
        return;
    *best = found;
}

enum err_code rh_dump_program_find(const struct engine *engine, const char *server_bin,
                                   int server_major, struct arena *arena,
                                   struct dump_program *ret_program, struct err *err)
{
    struct server_list servers = {0};
    struct dump_program best = {0};
    struct err why = RH_ERR_INIT;

    /* Without any server there may be clients all the same. */
    if (engine->find_servers(server_bin, arena, &servers, &why))
        servers.count = 0;
    for (size_t i = 0; i < servers.count; i++)
        if (servers.items[i].major >= server_major)
            consider(rh_file_join(arena, servers.items[i].bin_directory, "pg_dump"), server_major,
                     arena, &best);
    if (!best.path && server_bin)
        consider(rh_file_join(arena, server_bin, "pg_dump"), server_major, arena, &best);
    if (!best.path)
        consider(rh_arena_printf(arena, "/usr/lib/postgresql/%d/bin/pg_dump", server_major),
                 server_major, arena, &best);
    if (!best.path)
        consider("pg_dump", server_major, arena, &best);
    if (!best.path) {
        rh_err_set(err, RH_ERR_ENVIRONMENT,
                   "there is no pg_dump of version %d or newer, which that server needs",
                   server_major);
        rh_err_hint(err,
                    "Install it (Debian, Ubuntu: apt-get install postgresql-client-%d), or "
                    "name its directory with --server-bin.",
                    server_major);
        return RH_ERR_ENVIRONMENT;
    }
    *ret_program = best;
    return RH_OK;
}
