#include "trace/migration_way_back.h"

#include "base/file.h"
#include "sql/facts.h"
#include "sql/migration_format.h"
#include "trace/migration_int.h"

#include <string.h>
#include <unistd.h>

/* Of a way back that is no file, in an error. */
#define DOWN_COLUMNS 60

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

static bool is_empty(const struct migration_step *step)
{
    return step->kind == STEP_SQL && step->statements.count == 0;
}

static bool is_path_like(const char *down)
{
    return !strpbrk(down, " \t\n") &&
           (strchr(down, '/') || rh_text_ends_with(rh_text(down), ".sql")) &&
           access(down, X_OK) != 0;
}

static void end_chain(struct migration_way_back *back, const struct migration *migration,
                      size_t step, const char *why)
{
    back->first = step + 1;
    back->ends_at = migration->steps.items[step].name;
    back->ends_why = why;
}

/* A plain script's counterpart is plain too, whatever tools there are for names such as its own. */
static const char *name_of_down(const struct migration_step *step, const char *path)
{
    return strcmp(step->format, rh_migration_tool_name(TOOL_PLAIN)) == 0 ? step->name
                                                                         : file_name(path);
}

/* Its way back, the last step of the list; *ret_why when there is none. */
static enum err_code add_down(const struct migration_step *step, const char *path,
                              struct arena *arena, struct migration_way_back *back,
                              const char **ret_why, struct err *err)
{
    struct migration_step down = {0};
    enum err_code code = rh_migration_read_down(name_of_down(step, path), path, arena, &down, err);

    if (code)
        return code;
    if (is_empty(&down)) {
        *ret_why = "its way back holds no statement";
        return RH_OK;
    }
    down.name = strcmp(path, step->path) == 0 ? rh_arena_printf(arena, "%s (down)", step->name)
                                              : rh_arena_strdup(arena, file_name(path));
    *RH_PUSH(arena, &back->downs.steps) = down;
    return RH_OK;
}

/* --- recognised
 * ----------------------------------------------------------------------------------------- */

static const char *say_recognised(const struct migration_step *step, struct arena *arena)
{
    if (strcmp(step->down_path, step->path) == 0)
        return rh_arena_printf(arena, "%s down sections", step->format);
    return rh_arena_strdup(arena, file_name(step->down_path));
}

static enum err_code open_recognised(const struct migration *migration, struct arena *arena,
                                     struct migration_way_back *back, struct err *err)
{
    enum err_code code = RH_OK;

    for (size_t i = migration->steps.count; !code && i > 0 && !back->ends_at; i--) {
        const struct migration_step *step = &migration->steps.items[i - 1];
        const char *why = NULL;

        if (!step->down_path)
            why = step->kind == STEP_COMMAND ? "a command says nothing of its way back"
                                             : "no file or section for its way back";
        else
            code = add_down(step, step->down_path, arena, back, &why, err);
        if (why)
            end_chain(back, migration, i - 1, why);
        else if (!code && !back->text)
            back->text = say_recognised(step, arena);
    }
    size_t more = back->downs.steps.count > 0 ? back->downs.steps.count - 1 : 0;
    if (more > 0 && strcmp(migration->steps.items[migration->steps.count - 1].down_path,
                           migration->steps.items[migration->steps.count - 1].path) != 0)
        back->text = rh_arena_printf(arena, "%s and %zu more", back->text, more);
    return code;
}

/* --- given
 * ----------------------------------------------------------------------------------------- */

static const char *find_in_directory(const char *directory, const struct migration_step *step,
                                     struct arena *arena)
{
    const char *names[] = {rh_migration_down_name(step->name, arena), step->name};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *path = names[i] ? rh_file_join(arena, directory, names[i]) : NULL;

        /* The directory of the migrations themselves: their own text is no way back. */
        if (path && rh_file_exists(path) && !(step->path && strcmp(path, step->path) == 0))
            return path;
    }
    return NULL;
}

static enum err_code open_directory(const struct migration *migration, const char *directory,
                                    struct arena *arena, struct migration_way_back *back,
                                    struct err *err)
{
    enum err_code code = RH_OK;

    for (size_t i = migration->steps.count; !code && i > 0 && !back->ends_at; i--) {
        const struct migration_step *step = &migration->steps.items[i - 1];
        const char *path = find_in_directory(directory, step, arena);
        const char *why = path ? NULL : rh_arena_printf(arena, "no file for it in %s", directory);

        if (path)
            code = add_down(step, path, arena, back, &why, err);
        if (why)
            end_chain(back, migration, i - 1, why);
    }
    if (!code && back->downs.steps.count == 0) {
        rh_err_set(err, RH_ERR_USAGE, "--down \"%s\" holds no way back of %s", directory,
                   back->ends_at);
        rh_err_hint(err, "A way back has the name of its migration, or that with .down.sql.");
        return RH_ERR_USAGE;
    }
    return code;
}

static enum err_code open_file(const char *path, struct arena *arena,
                               struct migration_way_back *back, struct err *err)
{
    struct migration_step down = {0};
    enum err_code code = rh_migration_read_down(file_name(path), path, arena, &down, err);

    if (code)
        return code;
    if (is_empty(&down))
        return rh_err_set(err, RH_ERR_USAGE, "--down \"%s\" holds no SQL statement", path);
    down.path = rh_arena_strdup(arena, path);
    down.name = rh_arena_strdup(arena, file_name(path));
    *RH_PUSH(arena, &back->downs.steps) = down;
    return RH_OK;
}

static enum err_code open_given(const struct migration *migration, const char *down,
                                struct arena *arena, struct migration_way_back *back,
                                struct err *err)
{
    back->is_given = true;
    back->text = rh_arena_strdup(arena, down);
    if (rh_file_is_directory(down))
        return open_directory(migration, down, arena, back, err);
    if (rh_file_exists(down) &&
        (rh_text_ends_with(rh_text(down), ".sql") || access(down, X_OK) != 0))
        return open_file(down, arena, back, err);
    if (!down[strspn(down, " \t\n")])
        return rh_err_set(err, RH_ERR_USAGE, "--down is empty");
    if (is_path_like(down)) {
        rh_err_set(err, RH_ERR_USAGE, "--down \"%s\": no such file", down);
        rh_err_hint(err, "A command line is taken for one when it has more than one word or is "
                         "executable.");
        return RH_ERR_USAGE;
    }
    if (rh_sql_is_written_as_sql(rh_text(down), arena)) {
        rh_err_set(err, RH_ERR_USAGE, "--down takes a FILE or a command, not SQL: \"%s\"",
                   rh_text_one_line(arena, rh_text(down), DOWN_COLUMNS));
        rh_err_hint(err, "Write it into a file and give that: --down down.sql.");
        return RH_ERR_USAGE;
    }

    const char *const argv[] = {"/bin/sh", "-c", down, NULL};

    rh_migration_make_command(argv, arena, RH_PUSH(arena, &back->downs.steps));
    back->downs.steps.items[0].name = back->text;
    return RH_OK;
}

enum err_code rh_migration_open_way_back(const struct migration *migration, const char *down,
                                         struct arena *arena, struct migration_way_back *ret_back,
                                         struct err *err)
{
    struct migration_way_back back = {0};
    enum err_code code = down ? open_given(migration, down, arena, &back, err)
                              : open_recognised(migration, arena, &back, err);

    if (!code)
        *ret_back = back;
    return code;
}
