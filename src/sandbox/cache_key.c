/*
 * What tells entries apart: a digest of everything that shapes a prepared sandbox, so that another
 * thing is another entry and nothing has to be compared.
 *
 * A snapshot's bytes may be many gigabytes: above a size it is known by what the file system says
 * of each file. Nothing writes a file without changing its time of status change (ctime), which
 * nobody can set, so another identity is at worst one entry too many.
 */
#include "sandbox/cache_int.h"
#include "sandbox/snapshot_own.h"
#include "sandbox/sql_scan.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>

/* Read and hashed whole below this: 20 ms. A copy of the file is then the same snapshot. */
#define CONTENT_HASHED_BYTES (INT64_C(16) << 20)
#define SCRIPT_MAX ((size_t)64 << 20)
#define KEY_TEXT_MAX ((size_t)4 << 20)
/* A dump of a hundred thousand tables. */
#define ARCHIVE_FILES_MAX 200000

struct keying {
    struct arena *arena;
    struct buf text; /* what is hashed at last */
    const char *why_not;
};

static void refuse(struct keying *keying, const char *fmt, const char *path)
{
    if (!keying->why_not)
        keying->why_not = rh_arena_printf(keying->arena, fmt, path);
}

/* A field never runs into the next: each has its length before it. */
static void add(struct keying *keying, const char *name, struct text value)
{
    rh_buf_printf(&keying->text, "%s:%zu:", name, value.len);
    rh_buf_add_text(&keying->text, value);
    rh_buf_add_char(&keying->text, '\n');
}

static void add_text(struct keying *keying, const char *name, const char *value)
{
    add(keying, name, rh_text(value ? value : ""));
}

static void add_status(struct keying *keying, const char *name, const struct stat *status)
{
    rh_buf_printf(&keying->text, "%s:%lld %lld.%09ld %lld.%09ld %llu %llu\n", name,
                  (long long)status->st_size, (long long)status->st_mtim.tv_sec,
                  status->st_mtim.tv_nsec, (long long)status->st_ctim.tv_sec,
                  status->st_ctim.tv_nsec, (unsigned long long)status->st_ino,
                  (unsigned long long)status->st_dev);
}

/* Of what is installed: its absence counts too. */
static void add_installed(struct keying *keying, const char *path)
{
    struct stat status = {0};

    add_text(keying, "path", path);
    if (stat(path, &status) == 0)
        rh_buf_printf(&keying->text, "%lld %lld.%09ld\n", (long long)status.st_size,
                      (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

/* --- the machine ------------------------------------------------------------------------------ */

/* Where this installation keeps its control files (pg_config --sharedir), by layout. */
static void add_extensions(struct keying *keying, const struct sandbox *draft)
{
    static const char *const places[] = {"../share/extension", "../share/postgresql/extension",
                                         "../share/pgsql/extension"};
    struct arena *arena = keying->arena;
    VEC(const char *) directories = {0};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        *RH_PUSH(arena, &directories) = rh_file_join(arena, draft->server.bin_directory, places[i]);
    *RH_PUSH(arena, &directories) = rh_arena_printf(arena, "/usr/share/postgresql/%d/extension",
                                                    draft->server.major);
    for (size_t i = 0; i < directories.count; i++) {
        struct err ignored = RH_ERR_INIT;
        struct file_names names;
        if (!rh_file_is_directory(directories.items[i]) ||
            rh_file_list(directories.items[i], arena, &names, &ignored))
            continue;
        for (size_t k = 0; k < names.count; k++)
            if (rh_text_ends_with(rh_text(names.names[k]), ".control"))
                add_installed(keying, rh_file_join(arena, directories.items[i], names.names[k]));
    }
}

/* What decides how text sorts, and which of a dump's locales there are. */
static void add_collations(struct keying *keying, const struct sandbox *draft)
{
    static const char *const icu[] = {"/usr/lib/libicui18n.so.*", "/usr/lib64/libicui18n.so.*",
                                      "/usr/lib/*/libicui18n.so.*"};

    add_text(keying, "libc", gnu_get_libc_version());
    add_text(keying, "locale", draft->locale);
    add_installed(keying, "/usr/lib/locale");
    add_installed(keying, "/usr/lib/locale/locale-archive");
    for (size_t i = 0; i < sizeof(icu) / sizeof(icu[0]); i++) {
        glob_t matches = {0};
        if (glob(icu[i], 0, NULL, &matches) == 0)
            for (size_t k = 0; k < matches.gl_pathc; k++)
                add_text(keying, "icu", matches.gl_pathv[k]);
        globfree(&matches);
    }
}

static void add_machine(struct keying *keying, const struct sandbox *draft)
{
    rh_buf_printf(&keying->text, "format %d\nuid %u\n", CACHE_FORMAT, (unsigned)draft->uid);
    add_text(keying, "rehearse", REHEARSE_VERSION);
    add_installed(keying, "/proc/self/exe"); /* one that was built anew has the same version */
    add_text(keying, "server", draft->server.version);
    add_installed(keying, rh_file_join(keying->arena, draft->server.bin_directory, "postgres"));
    add_extensions(keying, draft);
    add_collations(keying, draft);
    add_text(keying, "role", draft->wanted_role);
    for (size_t i = 0; i < draft->setting_count; i++) {
        add_text(keying, "set", draft->settings[i].name);
        add_text(keying, "to", draft->settings[i].value);
    }
}

/* --- the recipe ------------------------------------------------------------------------------- */

/* psql commands that bring in what the bytes of the script do not hold. */
static enum sql_action look_for_more(void *context, const struct sql_statement *statement)
{
    static const char *const harmless[] = {
        "\\connect", "\\c ",       "\\set ",       "\\unset",  "\\echo", "\\qecho", "\\warn",
        "\\pset",    "\\restrict", "\\unrestrict", "\\timing", "\\if",   "\\elif",  "\\else",
        "\\endif",   "\\encoding", "\\q",          "\\x",      "\\t"};
    bool *reads_more = context;

    if (!statement->meta)
        return SQL_KEEP;
    bool is_harmless = false;
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        is_harmless |= rh_text_starts_with(rh_text(statement->meta), harmless[i]);
    /* A word in backquotes is the output of a command (manual, psql). */
    if (!is_harmless || strchr(statement->meta, '`'))
        *reads_more = true;
    return SQL_KEEP;
}

/* "word", blanks, a quote: COPY t FROM '/file', FROM PROGRAM 'x'. In doubt it is one. */
static bool has_word_and_quote(const char *text, const char *word)
{
    for (const char *at = text; (at = strcasestr(at, word)); at++) {
        const char *rest = at + strlen(word);
        if (!isspace((unsigned char)*rest))
            continue;
        while (isspace((unsigned char)*rest))
            rest++;
        if (*rest == '\'')
            return true;
    }
    return false;
}

/* Also what a server reads on behalf of its superuser. */
static bool reads_more(const char *script, size_t length)
{
    static const char *const functions[] = {
        "pg_read_file", "pg_read_binary_file", "lo_import", "pg_ls_", "dblink", "getenv"};
    bool found = has_word_and_quote(script, "from") || has_word_and_quote(script, "program");
    RH_CLEANUP_SQL_SCAN struct sql_scan *scan = rh_sql_scan_new(look_for_more, &found);

    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        found |= strcasestr(script, functions[i]) != NULL;
    rh_sql_scan_feed(scan, (struct text){script, length}, NULL);
    rh_sql_scan_end(scan, NULL);
    return found;
}

static void add_digest_of(struct keying *keying, const char *name, struct text content)
{
    char digest[65];

    rh_file_sha256(content, digest);
    add_text(keying, name, digest);
}

static void add_script(struct keying *keying, const char *path)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct err failure = RH_ERR_INIT;
    struct text script;

    if (rh_file_read(path, SCRIPT_MAX, arena, &script, &failure)) {
        refuse(keying, "\"%s\" cannot be read, or is very large", path);
        return;
    }
    add_digest_of(keying, "script", script);
    if (reads_more(script.data, script.len))
        refuse(keying, "\"%s\" reads other files or the environment", path);
}

static void add_file(struct keying *keying, const char *path, const char *name, bool hashes)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct err failure = RH_ERR_INIT;
    struct stat status;
    struct text content;

    add_text(keying, "file", name);
    if (hashes && !rh_file_read(path, (size_t)CONTENT_HASHED_BYTES, arena, &content, &failure))
        add_digest_of(keying, "content", content);
    else if (stat(path, &status) == 0)
        add_status(keying, "status", &status);
    else
        refuse(keying, "\"%s\" cannot be read", path);
}

struct member {
    const char *path, *name;
};
struct members {
    VEC(struct member) items;
    int64_t bytes;
};

/* Files of a directory and of those in it: an archive of ours lies one deeper than pg_dump's. */
static bool list_members(struct arena *arena, const char *directory, const char *prefix, int levels,
                         struct members *members)
{
    struct err ignored = RH_ERR_INIT;
    struct file_names names;

    if (rh_file_list(directory, arena, &names, &ignored))
        return false;
    for (size_t i = 0; i < names.count; i++) {
        const char *path = rh_file_join(arena, directory, names.names[i]);
        const char *name = rh_arena_printf(arena, "%s%s", prefix, names.names[i]);
        struct stat status;
        if (stat(path, &status) != 0)
            return false;
        if (S_ISDIR(status.st_mode)) {
            if (levels > 0 && !list_members(arena, path, rh_arena_printf(arena, "%s/", name),
                                            levels - 1, members))
                return false;
            continue;
        }
        if (members->items.count == ARCHIVE_FILES_MAX)
            return false;
        *RH_PUSH(arena, &members->items) = (struct member){path, name};
        members->bytes += (int64_t)status.st_size;
    }
    return true;
}

/* Of a snapshot of ours what a run reads: neither its plan of masks nor what its maker has beside
   it until it is complete. */
static bool list_snapshot(struct arena *arena, const char *path, struct members *members)
{
    if (!rh_snapshot_is_own(path))
        return list_members(arena, path, "", 1, members);
    *RH_PUSH(arena, &members->items) = (struct member){rh_file_join(arena, path, SNAPSHOT_MANIFEST),
                                                       SNAPSHOT_MANIFEST};
    members->bytes += rh_file_tree_length(members->items.items[0].path);
    return list_members(arena, rh_snapshot_own_archive(arena, path), SNAPSHOT_ARCHIVE "/", 0,
                        members);
}

static void add_files(struct keying *keying, const char *path)
{
    struct arena *arena = keying->arena;
    struct members members = {0};
    struct stat status;

    if (stat(path, &status) != 0) {
        refuse(keying, "\"%s\" cannot be read", path);
        return;
    }
    if (!S_ISDIR(status.st_mode)) {
        if (!S_ISREG(status.st_mode))
            refuse(keying, "\"%s\" is no file", path);
        add_file(keying, path, "", status.st_size <= CONTENT_HASHED_BYTES);
        return;
    }
    if (!list_snapshot(arena, path, &members)) {
        refuse(keying, "the files of \"%s\" cannot be listed", path);
        return;
    }
    for (size_t i = 0; i < members.items.count; i++)
        add_file(keying, members.items.items[i].path, members.items.items[i].name,
                 members.bytes <= CONTENT_HASHED_BYTES);
}

#define KEY_MAX (KEY_TEXT_MAX + (size_t)ARCHIVE_FILES_MAX * 512)

static void end_keying(struct keying *keying, char ret_digest[static 65])
{
    if (keying->text.failed)
        refuse(keying, "%s", "what shapes it is too much to be compared");
    rh_file_sha256(rh_buf_text(&keying->text), ret_digest);
    rh_buf_deinit(&keying->text);
}

const char *rh_cache_snapshot_digest(const char *path, struct arena *arena,
                                     char ret_digest[static 65])
{
    struct keying keying = {.arena = arena};

    rh_buf_init(&keying.text, KEY_MAX);
    add_files(&keying, path);
    end_keying(&keying, ret_digest);
    return keying.why_not;
}

static void add_snapshot(struct keying *keying, const char *path, char ret_digest[static 65])
{
    const char *why_not = rh_cache_snapshot_digest(path, keying->arena, ret_digest);

    if (why_not)
        refuse(keying, "%s", why_not);
    add_text(keying, "snapshot", ret_digest);
}

void rh_cache_key(const struct sandbox *draft, const struct sandbox_recipe *recipe,
                  struct arena *arena, struct cache_key *ret_key)
{
    struct keying keying = {.arena = arena};
    char digest[65];

    rh_buf_init(&keying.text, KEY_MAX);
    add_machine(&keying, draft);
    *ret_key = (struct cache_key){0};
    for (size_t i = 0; i < recipe->parts.count; i++) {
        const struct recipe_part *part = &recipe->parts.items[i];
        switch (part->kind) {
        case RECIPE_SNAPSHOT:
            ret_key->has_snapshot = true;
            add_snapshot(&keying, part->path, ret_key->snapshot_digest);
            break;
        case RECIPE_SCRIPT:
            add_script(&keying, part->path);
            break;
        case RECIPE_TEXT:
            add_digest_of(&keying, "text", part->text);
            break;
        }
    }
    end_keying(&keying, digest);
    snprintf(ret_key->digest, sizeof(ret_key->digest), "%.*s", CACHE_DIGEST_LENGTH, digest);
    ret_key->why_not = keying.why_not;
}
