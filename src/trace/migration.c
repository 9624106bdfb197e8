#include "trace/migration.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "sql/lexer.h"
#include "sql/migration_format.h"
#include "sql/split.h"
#include "trace/migration_git_int.h"
#include "trace/migration_int.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

/* A migration of this size is a data load; the whole text is held in memory. */
#define FILE_MAX_BYTES ((size_t)256 * 1024 * 1024)

static const char utf8_bom[] = "\xEF\xBB\xBF";

/* --- one file
 * -------------------------------------------------------------------------------------- */

static enum err_code check_encoding(const char *path, struct text content, struct err *err)
{
    const char *nul = memchr(content.data, '\0', content.len);
    size_t valid = rh_text_utf8_valid_prefix(content);
    size_t offset = nul ? (size_t)(nul - content.data) : content.len;

    if (valid < offset)
        offset = valid;
    if (offset == content.len)
        return RH_OK;

    struct text_position at = rh_text_position(content, offset);
    unsigned byte = (unsigned char)content.data[offset];

    rh_err_set(err, RH_ERR_USAGE, "%s:%zu:%zu: %s (0x%02x at byte offset %zu)", path, at.line,
               at.column, byte == 0 ? "a NUL byte" : "invalid UTF-8", byte, offset);
    if (content.len >= 2 &&
        (memcmp(content.data, "\xFF\xFE", 2) == 0 || memcmp(content.data, "\xFE\xFF", 2) == 0))
        rh_err_hint(err, "The file looks like UTF-16: convert it with "
                         "\"iconv -f UTF-16 -t UTF-8\".");
    else
        rh_err_hint(err, "Convert the file to UTF-8, for example with "
                         "\"iconv -f LATIN1 -t UTF-8\".");
    return RH_ERR_USAGE;
}

static enum err_code read_file(const char *path, struct arena *arena, struct text *ret_content,
                               struct err *err)
{
    struct text content = {0};
    enum err_code code = rh_file_read(path, FILE_MAX_BYTES, arena, &content, err);

    if (code == RH_ERR_LIMIT) { /* the argument is at fault, not this machine */
        err->code = RH_ERR_USAGE;
        rh_err_hint(err, "Load data of this size with --schema or --snapshot, or run your loader "
                         "behind \"--\".");
        return RH_ERR_USAGE;
    }
    if (code)
        return code;
    if (content.len == 0)
        return rh_err_set(err, RH_ERR_USAGE, "\"%s\" is empty", path);
    code = check_encoding(path, content, err);
    if (code)
        return code;
    *ret_content = content;
    return RH_OK;
}

static void add_statement(struct migration_step *step, struct arena *arena, struct text sql,
                          struct text_position at)
{
    struct migration_statement *statement = RH_PUSH(arena, &step->statements);

    statement->sql = sql;
    statement->line = (int)at.line;
    statement->column = (int)at.column;
}

static void split_piece(struct migration_step *step, struct arena *arena,
                        const struct migration_piece *piece)
{
    size_t base_offset = (size_t)(piece->text.data - step->content.data);
    struct text_position base = rh_text_position(step->content, base_offset);
    struct sql_script script;

    rh_sql_split(piece->text, arena, &script);
    if (piece->is_whole && script.statements.count > 1) {
        size_t start = script.statements.items[0].offset;
        size_t end = rh_sql_end_of_last_token(piece->text);
        struct text whole = {piece->text.data + start, end - start};

        add_statement(step, arena, whole, rh_text_position(step->content, base_offset + start));
        return;
    }
    for (size_t i = 0; i < script.statements.count; i++) {
        const struct sql_statement *statement = &script.statements.items[i];
        struct text_position at = {base.line + statement->line - 1, statement->column};

        if (statement->line == 1)
            at.column += base.column - 1;
        add_statement(step, arena, statement->text, at);
    }
}

/* psql runs plain scripts that need it; Flyway itself understands COPY data, which psql does too.
 */
static bool needs_psql(const struct migration_format *format)
{
    enum psql_need need = rh_sql_psql_need(format->up, NULL);

    return (format->tool == TOOL_PLAIN && need != PSQL_NEED_NONE) ||
           (format->tool == TOOL_FLYWAY && need == PSQL_NEED_COPY_DATA);
}

/* psql skips a byte order mark at the start of a file, too. */
static struct text without_mark(struct text text)
{
    if (rh_text_starts_with(text, utf8_bom))
        return (struct text){text.data + strlen(utf8_bom), text.len - strlen(utf8_bom)};
    return text;
}

enum err_code rh_migration_read_down(const char *name, const char *path, struct arena *arena,
                                     struct migration_step *ret_step, struct err *err)
{
    struct migration_step step = {.kind = STEP_SQL, .name = name, .path = path};
    struct migration_format format;
    enum err_code code = read_file(path, arena, &step.content, err);

    if (!code)
        code = rh_migration_format(name, without_mark(step.content), arena, &format, err);
    if (code)
        return code;
    if (format.down.data) {
        format.up = format.down;
        format.tool_transaction = format.down_tool_transaction;
        format.pieces.items = format.down_pieces.items;
        format.pieces.count = format.down_pieces.count;
    }
    step.section = format.up;
    step.format = rh_migration_tool_name(format.tool);
    step.tool_transaction = format.tool_transaction;
    rh_file_sha256(step.content, step.sha256);
    if (needs_psql(&format))
        step.kind = STEP_PSQL;
    for (size_t i = 0; step.kind == STEP_SQL && i < format.pieces.count; i++)
        split_piece(&step, arena, &format.pieces.items[i]);
    *ret_step = step;
    return RH_OK;
}

/* Makes the step of a file whose bytes are at hand. */
static enum err_code make_step(const char *name, const char *path, struct text content,
                               struct arena *arena, struct migration *migration,
                               struct migration_step *ret_step, struct err *err)
{
    struct migration_step step = {.kind = STEP_SQL, .name = name, .path = path, .content = content};
    struct migration_format format;
    enum err_code code = rh_migration_format(name, without_mark(content), arena, &format, err);

    if (code)
        return code;
    step.section = format.up;
    step.format = rh_migration_tool_name(format.tool);
    step.tool_transaction = format.tool_transaction;
    rh_file_sha256(content, step.sha256);
    for (size_t i = 0; i < format.notes.count; i++)
        *RH_PUSH(arena, &migration->notes) = format.notes.items[i];
    if (needs_psql(&format)) {
        step.kind = STEP_PSQL;
    } else {
        for (size_t i = 0; i < format.pieces.count; i++)
            split_piece(&step, arena, &format.pieces.items[i]);
    }
    if (format.down.data) {
        step.down_path = path; /* both directions are in one file */
    } else if (path) {
        char *down = rh_migration_down_name(path, arena);

        step.down_path = down && rh_file_exists(down) ? down : NULL;
    }
    *ret_step = step;
    return RH_OK;
}

static bool is_without_statements(const struct migration_step *step)
{
    return step->kind == STEP_SQL && step->statements.count == 0;
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

/* The one file of a migration of diesel or Prisma is named, and run, as in its directory. */
static bool is_versioned_directory_file(const char *path)
{
    const char *name = file_name(path), *directory = name - 1;

    if (name == path || (strcmp(name, "up.sql") != 0 && strcmp(name, "migration.sql") != 0))
        return false;
    while (directory > path && directory[-1] != '/')
        directory--;
    return *directory >= '0' && *directory <= '9';
}

static const char *step_name(const char *path, struct arena *arena)
{
    const char *name = file_name(path);

    if (is_versioned_directory_file(path)) {
        name--;
        while (name > path && name[-1] != '/')
            name--;
    }
    return rh_arena_strdup(arena, name);
}

static enum err_code open_file(const char *path, struct arena *arena, struct migration *migration,
                               struct err *err)
{
    struct migration_step step = {0};
    struct text content = {0};
    enum err_code code = read_file(path, arena, &content, err);

    if (!code)
        code = make_step(step_name(path, arena), rh_arena_strdup(arena, path), content, arena,
                         migration, &step, err);
    if (code)
        return code;
    if (is_without_statements(&step))
        return rh_err_set(err, RH_ERR_USAGE, "\"%s\" holds no SQL statement", path);
    *RH_PUSH(arena, &migration->steps) = step;
    return RH_OK;
}

/* --- directories
 * ------------------------------------------------------------------------------------ */

struct name_list {
    VEC(const char *) names;
};

static bool has_suffix(const char *name, const char *suffix)
{
    return rh_text_ends_with(rh_text(name), suffix);
}

static int compare_names(const void *a, const void *b)
{
    return rh_migration_compare(*(const char *const *)a, *(const char *const *)b);
}

/* Says what is left out, with the first few names. */
static void note_ignored(const char *directory, const struct name_list *ignored, const char *why,
                         struct arena *arena, struct migration *migration)
{
    enum { SHOWN = 5 };
    char *list = rh_arena_strdup(arena, "");

    if (ignored->names.count == 0)
        return;
    for (size_t i = 0; i < ignored->names.count && i < SHOWN; i++)
        list = rh_arena_printf(arena, "%s%s%s", list, i ? ", " : "", ignored->names.items[i]);
    if (ignored->names.count > SHOWN)
        list = rh_arena_printf(arena, "%s and %zu more", list, ignored->names.count - SHOWN);
    *RH_PUSH(arena, &migration->notes) = rh_arena_printf(arena, "in \"%s\", not run: %s (%s)",
                                                         directory, list, why);
}

/* The conventions of a whole directory, told from its names. */
struct directory_kind {
    bool is_flyway, is_up_down;
};

static bool takes_name(const struct directory_kind *kind, const char *name)
{
    if (kind->is_flyway)
        return rh_migration_is_flyway_name(name) &&
               rh_migration_role_of_name(name) != MIGRATION_IGNORED;
    if (kind->is_up_down) /* sqlx also runs <version>_name.sql; golang-migrate has none of them */
        return has_suffix(name, ".up.sql") || (name[0] >= '0' && name[0] <= '9');
    return true;
}

static void choose_names(const char *directory, const struct name_list *all, struct arena *arena,
                         struct name_list *chosen, struct migration *migration)
{
    struct directory_kind kind = {0};
    struct name_list ignored = {0};

    for (size_t i = 0; i < all->names.count; i++) {
        kind.is_flyway |= rh_migration_is_flyway_name(all->names.items[i]);
        kind.is_up_down |= has_suffix(all->names.items[i], ".up.sql");
    }
    for (size_t i = 0; i < all->names.count; i++) {
        const char *name = all->names.items[i];

        if (rh_migration_role_of_name(name) == MIGRATION_DOWN)
            continue;

        struct name_list *list = takes_name(&kind, name) ? chosen : &ignored;

        *RH_PUSH(arena, &list->names) = name;
    }
    note_ignored(directory, &ignored,
                 kind.is_flyway ? "not a versioned or repeatable migration of Flyway"
                                : "no version in front of the name",
                 arena, migration);
}

/* <version>_<name>/up.sql (diesel) or migration.sql (Prisma), when there are no files beside them.
 */
static void list_subdirectories(const char *directory, const struct file_names *entries,
                                struct arena *arena, struct name_list *names)
{
    static const char *const files[] = {"up.sql", "migration.sql"};

    for (size_t i = 0; i < entries->count; i++) {
        for (size_t f = 0; f < sizeof(files) / sizeof(*files); f++) {
            char *name = rh_file_join(arena, entries->names[i], files[f]);

            if (entries->names[i][0] != '.' && rh_file_exists(rh_file_join(arena, directory, name)))
                *RH_PUSH(arena, &names->names) = name;
        }
    }
}

static enum err_code list_directory(const char *directory, struct arena *arena,
                                    struct migration *migration, struct name_list *ret_names,
                                    struct err *err)
{
    struct name_list all = {0}, chosen = {0};
    struct file_names entries = {0};
    enum err_code code = rh_file_list(directory, arena, &entries, err);

    if (code)
        return code;
    for (size_t i = 0; i < entries.count; i++) {
        const char *name = entries.names[i];

        if (name[0] != '.' && has_suffix(name, ".sql") &&
            !rh_file_is_directory(rh_file_join(arena, directory, name)))
            *RH_PUSH(arena, &all.names) = name;
    }
    if (all.names.count == 0) {
        list_subdirectories(directory, &entries, arena, &chosen);
    } else {
        choose_names(directory, &all, arena, &chosen, migration);
    }
    if (chosen.names.count == 0) {
        rh_err_set(err, RH_ERR_USAGE, "no migrations in \"%s\"", directory);
        rh_err_hint(err, "Expected .sql files (plain, goose, dbmate, V1__name.sql, 1_name.up.sql) "
                         "or <name>/up.sql or <name>/migration.sql.");
        return RH_ERR_USAGE;
    }
    qsort(chosen.names.items, chosen.names.count, sizeof(*chosen.names.items), compare_names);
    *ret_names = chosen;
    return RH_OK;
}

static enum migration_tool tool_of_step(const struct migration_step *step)
{
#define X(symbol, name)                  \
    if (strcmp(step->format, name) == 0) \
        return symbol;
    MIGRATION_TOOL_LIST(X)
#undef X
    return TOOL_PLAIN;
}

static enum err_code check_versions(const char *directory, const struct migration_step *steps,
                                    size_t count, struct err *err)
{
    for (size_t i = 1; i < count; i++) {
        const struct migration_step *a = &steps[i - 1], *b = &steps[i];

        if (rh_migration_is_same_version(a->name, tool_of_step(a), b->name, tool_of_step(b))) {
            rh_err_set(err, RH_ERR_USAGE, "\"%s\" and \"%s\" in \"%s\" have the same version",
                       a->name, b->name, directory);
            rh_err_hint(err, "Give one of them the next version.");
            return RH_ERR_USAGE;
        }
    }
    return RH_OK;
}

struct step_list {
    VEC(struct migration_step) steps;
};

static enum err_code read_directory(const char *directory, struct arena *arena,
                                    struct migration *migration, struct step_list *ret_list,
                                    struct err *err)
{
    struct step_list list = {0};
    struct name_list names = {0}, blank = {0};
    enum err_code code = list_directory(directory, arena, migration, &names, err);

    for (size_t i = 0; !code && i < names.names.count; i++) {
        const char *name = names.names.items[i];
        const char *path = rh_file_join(arena, directory, name);
        struct migration_step step = {0};
        struct text content = {0};

        code = read_file(path, arena, &content, err);
        if (!code)
            code = make_step(name, path, content, arena, migration, &step, err);
        if (code)
            break;
        *RH_PUSH(arena, &list.steps) = step;
        if (is_without_statements(&step))
            *RH_PUSH(arena, &blank.names) = name;
    }
    if (!code)
        code = check_versions(directory, list.steps.items, list.steps.count, err);
    if (code)
        return code;
    note_ignored(directory, &blank, "no SQL statement in it", arena, migration);
    if (blank.names.count == list.steps.count)
        return rh_err_set(err, RH_ERR_USAGE, "the migrations in \"%s\" hold no SQL statement",
                          directory);
    *ret_list = list;
    return RH_OK;
}

static enum err_code open_directory(const char *directory, struct arena *arena,
                                    struct migration *migration, struct err *err)
{
    struct step_list list = {0};
    enum err_code code = read_directory(directory, arena, migration, &list, err);

    if (code)
        return code;
    for (size_t i = 0; i < list.steps.count; i++) {
        if (!is_without_statements(&list.steps.items[i]))
            *RH_PUSH(arena, &migration->steps) = list.steps.items[i];
    }
    return RH_OK;
}

/* --- --since
 * ---------------------------------------------------------------------------------------- */

/* The older form of a changed repeatable migration is in production: it is part of the start. */
static enum err_code add_older_form(const struct git_changes *changes,
                                    const struct migration_step *step, struct arena *arena,
                                    struct migration *migration, struct err *err)
{
    struct migration_step older = {0};
    struct text content = {0};
    enum err_code code = rh_git_show(changes, step->name, FILE_MAX_BYTES, arena, &content, err);

    if (!code)
        code = check_encoding(step->path, content, err);
    if (!code)
        code = make_step(step->name, step->path, content, arena, migration, &older, err);
    if (code)
        return code;
    if (!is_without_statements(&older))
        *RH_PUSH(arena, &migration->starting_point) = older;
    return RH_OK;
}

static enum err_code sort_step(const struct git_changes *changes, const char *since,
                               const struct migration_step *step, struct arena *arena,
                               struct migration *migration, struct err *err)
{
    switch (rh_git_change_of(changes, step->name)) {
    case GIT_UNCHANGED:
        *RH_PUSH(arena, &migration->starting_point) = *step;
        return RH_OK;
    case GIT_ADDED:
        *RH_PUSH(arena, &migration->steps) = *step;
        return RH_OK;
    case GIT_CHANGED:
        *RH_PUSH(arena, &migration->steps) = *step;
        if (rh_migration_role_of_name(step->name) == MIGRATION_REPEATABLE)
            return add_older_form(changes, step, arena, migration, err);
        *RH_PUSH(arena, &migration->notes) = rh_arena_printf(
            arena,
            "%s was changed since %s, not added: it is rehearsed as it is now, but "
            "where it ran already its tool will not run it again",
            step->name, since);
        return RH_OK;
    }
    return RH_OK;
}

static enum err_code open_directory_since(const char *directory, const char *since,
                                          struct arena *arena, struct migration *migration,
                                          struct err *err)
{
    struct git_changes changes = {0};
    struct step_list list = {0};
    size_t older = migration->starting_point.count;
    enum err_code code = rh_git_changes(directory, since, arena, &changes, err);

    if (!code)
        code = read_directory(directory, arena, migration, &list, err);
    for (size_t i = 0; !code && i < list.steps.count; i++) {
        if (!is_without_statements(&list.steps.items[i]))
            code = sort_step(&changes, since, &list.steps.items[i], arena, migration, err);
    }
    if (code)
        return code;
    older = migration->starting_point.count - older;
    if (older > 0)
        *RH_PUSH(arena, &migration->notes) = rh_arena_printf(
            arena, "%zu %s in \"%s\" older than %s %s the starting point", older,
            older == 1 ? "file" : "files", directory, since, older == 1 ? "is" : "are");
    for (size_t i = 0; i < changes.deleted.count; i++) {
        if (has_suffix(changes.deleted.items[i], ".sql") &&
            rh_migration_role_of_name(changes.deleted.items[i]) != MIGRATION_DOWN)
            *RH_PUSH(arena, &migration->notes) = rh_arena_printf(
                arena,
                "%s was deleted since %s: it is not part of the starting "
                "point",
                changes.deleted.items[i], since);
    }
    return RH_OK;
}

/* --- the whole
 * --------------------------------------------------------------------------------------- */

void rh_migration_make_command(const char *const *argv, struct arena *arena,
                               struct migration_step *step)
{
    size_t count = 0;

    while (argv[count])
        count++;

    const char **copy = rh_arena_alloc_array(arena, count + 1, sizeof(*copy));

    for (size_t i = 0; i < count; i++)
        copy[i] = rh_arena_strdup(arena, argv[i]);
    step->kind = STEP_COMMAND;
    step->argv = copy;
    step->name = rh_process_command_text(arena, copy);
    step->format = "command";
    rh_file_sha256(rh_text(step->name), step->sha256);
}

static enum err_code check_request(const struct migration_request *request, struct err *err)
{
    bool has_command = request->argv && request->argv[0];
    bool has_files = request->path_count > 0 || request->directory;

    if (has_command && has_files) {
        rh_err_set(err, RH_ERR_USAGE, "both migration files and a command were given");
        rh_err_hint(err, "Give either FILEs and directories, or a command behind \"--\".");
        return RH_ERR_USAGE;
    }
    if (has_command && request->since)
        return rh_err_set(err, RH_ERR_USAGE,
                          "--since chooses among files: it cannot be used with a command");
    if (request->path_count > 0 && request->directory)
        return rh_err_set(err, RH_ERR_USAGE, "both \"%s\" and --dir \"%s\" were given",
                          request->paths[0], request->directory);
    if (!has_command && !has_files) {
        if (request->since) {
            rh_err_set(err, RH_ERR_USAGE, "--since needs a directory of migrations");
            rh_err_hint(err, "Add --dir DIR.");
            return RH_ERR_USAGE;
        }
        rh_err_set(err, RH_ERR_USAGE, "no migration was given");
        rh_err_hint(err, "Give SQL files, a directory, or a command behind \"--\": "
                         "rehearse run migrations/ or rehearse run -- alembic upgrade head");
        return RH_ERR_USAGE;
    }
    return RH_OK;
}

static enum err_code open_path(const char *path, const char *since, struct arena *arena,
                               struct migration *migration, struct err *err)
{
    if (since && rh_file_exists(path) && !rh_file_is_directory(path))
        return rh_err_set(err, RH_ERR_USAGE, "--since needs directories, \"%s\" is a file", path);
    if (since)
        return open_directory_since(path, since, arena, migration, err);
    if (!rh_file_is_directory(path))
        return open_file(path, arena, migration, err);

    static const char *const files[] = {"up.sql", "migration.sql"};

    for (size_t f = 0; f < sizeof(files) / sizeof(*files); f++) {
        const char *file = rh_file_join(arena, path, files[f]);

        if (is_versioned_directory_file(file) && rh_file_exists(file))
            return open_file(file, arena, migration, err);
    }
    return open_directory(path, arena, migration, err);
}

enum err_code rh_migration_open(const struct migration_request *request, struct arena *arena,
                                struct migration *ret_migration, struct err *err)
{
    struct migration migration = {0};
    enum err_code code = check_request(request, err);

    if (code)
        return code;
    if (request->argv && request->argv[0])
        rh_migration_make_command(request->argv, arena, RH_PUSH(arena, &migration.steps));
    if (request->directory)
        code = open_path(request->directory, request->since, arena, &migration, err);
    for (size_t i = 0; !code && i < request->path_count; i++)
        code = open_path(request->paths[i], request->since, arena, &migration, err);
    if (code)
        return code;
    *ret_migration = migration;
    return RH_OK;
}

struct migration rh_migration_part(const struct migration *whole, size_t first, size_t end)
{
    struct migration part = {0};
    RH_ASSERT(first <= end && end <= whole->steps.count);
    part.steps.items = whole->steps.items + first;
    part.steps.count = end - first;
    return part;
}

bool rh_migration_has_command(const struct migration *migration)
{
    for (size_t i = 0; i < migration->steps.count; i++)
        if (migration->steps.items[i].kind == STEP_COMMAND)
            return true;
    return false;
}
