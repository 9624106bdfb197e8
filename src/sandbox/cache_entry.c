/*
 * What an entry says of itself, and why it may be believed.
 *
 * The cluster was shut down in order, and is byte for byte what it was then as far as its control
 * file tells: a server that was started on it, or a copy cut short, leaves another one. Data files
 * are not read: their sum of bytes is compared, pages with checksums the server checks itself.
 */
#include "sandbox/cache_int.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRY_NAME "entry.json"
#define SYNCED_NAME "synced"
/* Notes of a thousand missing roles and more. */
#define ENTRY_MAX ((size_t)4 << 20)
/* pg_control.h: PG_CONTROL_FILE_SIZE; the state behind system_identifier and two versions. */
#define CONTROL_BYTES ((size_t)8192)
#define CONTROL_STATE_AT 16
#define CONTROL_SHUTDOWNED 1
/* What is dirty for longer is being written anyway (kernel, vm.dirty_expire_centisecs: 30 s). */
#define SYNC_AFTER_S 30

/* --- locks ------------------------------------------------------------------------------------ */

static const char *lock_path(struct arena *arena, const char *entry)
{
    return rh_file_join(arena, entry, CACHE_LOCK_NAME);
}

int rh_cache_entry_lock(struct arena *arena, const char *entry)
{
    return rh_file_lock(lock_path(arena, entry), 0, LOCK_SH);
}

int rh_cache_entry_claim(struct arena *arena, const char *entry)
{
    return rh_file_lock(lock_path(arena, entry), 0, LOCK_EX);
}

int rh_cache_entry_new_lock(struct arena *arena, const char *entry)
{
    return rh_file_lock(lock_path(arena, entry), O_CREAT | O_EXCL, LOCK_SH);
}

/* --- the cluster ------------------------------------------------------------------------------ */

static bool read_control(struct arena *arena, const char *entry, char digest[static 65],
                         const char **ret_why_not)
{
    const char *path = rh_file_join(arena, entry, CACHE_DATA_NAME "/global/pg_control");
    struct err failure = RH_ERR_INIT;
    struct text control;
    uint32_t state;

    if (rh_file_read(path, CONTROL_BYTES, arena, &control, &failure)) {
        *ret_why_not = rh_arena_strdup(arena, failure.message);
        return false;
    }
    if (control.len < CONTROL_STATE_AT + sizeof(state)) {
        *ret_why_not = "its control file is cut short";
        return false;
    }
    memcpy(&state, control.data + CONTROL_STATE_AT, sizeof(state));
    if (state != CONTROL_SHUTDOWNED) {
        *ret_why_not = "its cluster was not shut down in order";
        return false;
    }
    rh_file_sha256(control, digest);
    return true;
}

static int64_t data_bytes(struct arena *arena, const char *entry)
{
    return rh_file_tree_length(rh_file_join(arena, entry, CACHE_DATA_NAME));
}

static const char *boot_id(struct arena *arena)
{
    struct err ignored = RH_ERR_INIT;
    struct text text;

    if (rh_file_read("/proc/sys/kernel/random/boot_id", 64, arena, &text, &ignored))
        return "";
    return rh_text_dup(arena, rh_text_trim(text));
}

/* --- entry.json ------------------------------------------------------------------------------- */

static json_t *texts_json(const char *const *items, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_string(items[i]));
    return array;
}

static void put(json_t *object, const char *name, json_t *value)
{
    if (!value || json_object_set_new(object, name, value) != 0)
        json_object_set_new(object, name, json_null());
}

static void put_text(json_t *object, const char *name, const char *value)
{
    put(object, name, value ? json_string(value) : json_null());
}

enum err_code rh_cache_entry_write(const struct sandbox *sandbox,
                                   const struct cache_snapshot *snapshot, const char *entry,
                                   struct err *err)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    const struct sandbox_facts *facts = &sandbox->facts;
    int64_t now_s = rh_clock_wall().us / 1000000;
    const char *why_not = NULL;
    char digest[65];

    if (!read_control(arena, entry, digest, &why_not))
        return rh_err_set(err, RH_ERR_FORMAT, "cannot keep the sandbox: %s", why_not);
    json_t *object = json_object();
    put(object, "format", json_integer(CACHE_FORMAT));
    put_text(object, "rehearse_version", REHEARSE_VERSION);
    put_text(object, "boot_id", boot_id(arena));
    put(object, "made_at_s", json_integer(now_s));
    put_text(object, "server_version", sandbox->server.version);
    put_text(object, "bin_directory", sandbox->server.bin_directory);
    put(object, "uid", json_integer((json_int_t)sandbox->uid));
    put_text(object, "control_sha256", digest);
    put(object, "data_bytes", json_integer(data_bytes(arena, entry)));
    put_text(object, "superuser", sandbox->superuser);
    put_text(object, "role", sandbox->role);
    put_text(object, "database", sandbox->database);
    put_text(object, "locale", sandbox->locale);
    put(object, "clone_memory_bytes", json_integer(sandbox->clone_memory_bytes));
    put_text(object, "source", facts->source);
    put_text(object, "snapshot", snapshot->path);
    put_text(object, "snapshot_digest", snapshot->digest);
    put(object, "taken_at_s",
        json_integer(facts->snapshot_age_s < 0 ? -1 : now_s - facts->snapshot_age_s));
    put(object, "relations", json_integer(facts->relations));
    put(object, "rows", json_integer(facts->rows));
    put(object, "bytes", json_integer(facts->bytes));
    put(object, "notes", texts_json(facts->notes.items, facts->notes.count));
    put(object, "settings_kept", json_integer(facts->settings_kept));
    json_t *production = json_object();
    for (size_t i = 0; i < sandbox->production.count; i++)
        put_text(production, sandbox->production.items[i].name, sandbox->production.items[i].value);
    put(object, "production_settings", production);
    put(object, "settings_not_kept",
        texts_json(facts->settings_not_kept.items, facts->settings_not_kept.count));
    char *text = json_dumps(object, JSON_INDENT(1));
    json_decref(object);
    if (!text)
        return rh_err_set(err, RH_ERR_FORMAT, "cannot describe the sandbox");
    enum err_code code = rh_file_write(rh_file_join(arena, entry, ENTRY_NAME), rh_text(text), 0600,
                                       err);
    free(text);
    return code;
}

static json_t *load_entry(struct arena *arena, const char *entry)
{
    struct err ignored = RH_ERR_INIT;
    struct text text;

    if (rh_file_read(rh_file_join(arena, entry, ENTRY_NAME), ENTRY_MAX, arena, &text, &ignored))
        return NULL;
    return json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static int64_t number_of(const json_t *object, const char *name, int64_t if_missing)
{
    const json_t *value = json_object_get(object, name);

    return json_is_integer(value) ? json_integer_value(value) : if_missing;
}

static const char *why_not_trusted(struct arena *arena, const char *entry, const json_t *object)
{
    const char *digest = text_of(object, "control_sha256"), *boot = text_of(object, "boot_id");
    const char *why_not = NULL;
    char found[65];

    if (!json_is_object(object) || number_of(object, "format", 0) != CACHE_FORMAT || !digest ||
        !boot || !text_of(object, "superuser") || !text_of(object, "role") ||
        !text_of(object, "database") || !text_of(object, "locale") || !text_of(object, "source"))
        return "its description cannot be read";
    if (strcmp(boot, boot_id(arena)) != 0 &&
        !rh_file_exists(rh_file_join(arena, entry, SYNCED_NAME)))
        return "the machine was started anew before it was on the disk";
    if (!read_control(arena, entry, found, &why_not))
        return why_not;
    if (strcmp(found, digest) != 0)
        return "a server has worked on its cluster";
    if (rh_file_exists(rh_file_join(arena, entry, CACHE_DATA_NAME "/postmaster.pid")))
        return "a server works on its cluster";
    if (data_bytes(arena, entry) != number_of(object, "data_bytes", -1))
        return "its cluster is not as large as it was";
    return NULL;
}

static void take_settings(struct sandbox *sandbox, const json_t *object)
{
    json_t *settings = json_object_get(object, "production_settings"), *value;
    const char *name;

    json_object_foreach(settings, name, value) *
        RH_PUSH(sandbox->arena, &sandbox->production) = (struct server_setting){
        rh_arena_strdup(sandbox->arena, name),
        rh_arena_strdup(sandbox->arena, json_string_value(value))};
}

static void take_facts(struct sandbox *sandbox, const json_t *object)
{
    struct arena *arena = sandbox->arena;
    struct sandbox_facts *facts = &sandbox->facts;
    int64_t taken_at_s = number_of(object, "taken_at_s", -1);
    int64_t age_s = rh_clock_wall().us / 1000000 - taken_at_s;
    const json_t *item;
    size_t i;

    facts->source = rh_arena_strdup(arena, text_of(object, "source"));
    facts->snapshot_age_s = taken_at_s < 0 ? -1 : age_s < 0 ? 0 : age_s;
    facts->relations = number_of(object, "relations", 0);
    facts->rows = number_of(object, "rows", 0);
    facts->bytes = number_of(object, "bytes", 0);
    facts->prepared_s = rh_clock_wall().us / 1000000 - number_of(object, "made_at_s", 0);
    facts->notes = (typeof(facts->notes)){0};
    json_array_foreach(json_object_get(object, "notes"), i, item) *
        RH_PUSH(arena, &facts->notes) = rh_arena_strdup(arena, json_string_value(item));
    facts->settings_kept = number_of(object, "settings_kept", 0);
    json_array_foreach(json_object_get(object, "settings_not_kept"), i, item) *
        RH_PUSH(arena, &facts->settings_not_kept) = rh_arena_strdup(arena, json_string_value(item));
}

bool rh_cache_entry_read(struct sandbox *sandbox, const char *entry, const char **ret_why_not)
{
    struct arena *arena = sandbox->arena;
    json_t *object = load_entry(arena, entry);
    const char *why_not = why_not_trusted(arena, entry, object);

    if (!why_not) {
        sandbox->superuser = rh_arena_strdup(arena, text_of(object, "superuser"));
        sandbox->role = rh_arena_strdup(arena, text_of(object, "role"));
        sandbox->database = rh_arena_strdup(arena, text_of(object, "database"));
        sandbox->locale = rh_arena_strdup(arena, text_of(object, "locale"));
        sandbox->clone_memory_bytes = number_of(object, "clone_memory_bytes", 0);
        take_settings(sandbox, object);
        take_facts(sandbox, object);
    }
    json_decref(object);
    *ret_why_not = why_not;
    return !why_not;
}

void rh_cache_entry_describe(struct arena *arena, const char *entry, struct cache_entry *ret_shown)
{
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    json_t *object = load_entry(scratch, entry);
    const char *bin = text_of(object, "bin_directory"), *source = text_of(object, "source");
    const char *version = text_of(object, "server_version"), *made_by;
    struct stat status;

    *ret_shown = (struct cache_entry){
        .path = entry,
        .source = rh_arena_strdup(arena, source ? source : ""),
        .server_version = version ? rh_arena_strdup(arena, version) : NULL,
        .bytes = rh_file_tree_bytes(entry),
    };
    if (stat(lock_path(scratch, entry), &status) == 0) {
        int64_t unused_s = rh_clock_wall().us / 1000000 - (int64_t)status.st_mtim.tv_sec;
        ret_shown->unused_s = unused_s < 0 ? 0 : unused_s;
    }
    made_by = text_of(object, "rehearse_version");
    ret_shown->is_usable = !why_not_trusted(scratch, entry, object) && made_by &&
                           strcmp(made_by, REHEARSE_VERSION) == 0 && bin &&
                           rh_file_exists(rh_file_join(scratch, bin, "postgres"));
    json_decref(object);
}

bool rh_cache_entry_is_orphan(const char *entry)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    json_t *object = load_entry(arena, entry);
    const char *path = text_of(object, "snapshot"), *made_of = text_of(object, "snapshot_digest");
    struct stat status;
    char digest[65];
    bool is_orphan = false;

    if (path && made_of) {
        if (stat(path, &status) != 0)
            is_orphan = errno == ENOENT || errno == ENOTDIR;
        else
            is_orphan = !rh_cache_snapshot_digest(path, arena, digest) &&
                        strcmp(digest, made_of) != 0;
    }
    json_decref(object);
    return is_orphan;
}

void rh_cache_entry_sync(struct arena *arena, const char *entry)
{
    const char *mark = rh_file_join(arena, entry, SYNCED_NAME);
    RH_CLEANUP_FD int directory = open(entry, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct err ignored = RH_ERR_INIT;
    struct stat status;

    if (directory < 0 || rh_file_exists(mark) ||
        stat(rh_file_join(arena, entry, ENTRY_NAME), &status) != 0 ||
        rh_clock_wall().us / 1000000 - (int64_t)status.st_mtim.tv_sec < SYNC_AFTER_S)
        return;
    if (syncfs(directory) == 0 && rh_file_write(mark, rh_text(""), 0600, &ignored))
        return; /* then it is done by the next run that uses it */
}
