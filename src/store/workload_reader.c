#include "store/event_codec.h"
#include "store/live_sessions.h"
#include "store/workload_file_int.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"

/* Settings, notes, names: what a writer of ours puts into one text is far below. */
#define TEXT_BYTES_MAX ((int64_t)1024 * 1024)
/* All types and patterns with their texts, as a reader holds them: a database has two types for
   each table. */
#define TEXTS_BYTES_MAX ((size_t)256 * 1024 * 1024)
/* Rows of notes and gaps. */
#define ROWS_MAX 100000
/* SQLite's own cap on a row, for a file that lies about a batch. */
#define SQLITE_ROW_BYTES_MAX ((int)(2 * EVENT_BATCH_BYTES_MAX))

struct workload_reader {
    struct arena *arena;
    const char *path;
    sqlite3 *db;
    sqlite3_stmt *batch; /* data of a number */
    struct seal *seal;
    struct workload_about about;
    struct workload_totals totals;
    bool is_finished, is_encrypted, has_keys;
    uint8_t file_id[SEAL_FILE_ID_BYTES], key_check[SEAL_CHECK_BYTES];
    const char *footer, *digest_key;
    uint64_t batch_count, event_count;
    VEC(struct workload_pattern) patterns;
    struct workload_pattern_sums *sums;

    /* the source */
    struct event_decoder *decoder;
    struct arena *event_arena;
    struct buf plain;
    struct live_sessions live;
    struct workload_event event;
    uint64_t next_batch, events_read;
    int64_t at_us;
    bool is_open; /* a batch */
};

static enum err_code damaged(const struct workload_reader *reader, const char *what,
                             struct err *err)
{
    rh_err_set(err, RH_ERR_FORMAT, "\"%s\" is a damaged workload: %s", reader->path, what);
    rh_err_hint(err, "Take another copy of it, or make it again.");
    return err->code;
}

/* --- rows ------------------------------------------------------------------------------------- */

typedef bool row_fn(struct workload_reader *reader, sqlite3_stmt *row);

/* False: SQLite failed, the function did, or there are more than `max_rows`. */
static bool each_row(struct workload_reader *reader, const char *query, int max_rows, row_fn *fn)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(reader->db, query, -1, &statement, NULL) != SQLITE_OK)
        return false;
    int step;
    bool is_ok = true;
    while (is_ok && (step = sqlite3_step(statement)) == SQLITE_ROW)
        is_ok = max_rows-- > 0 && fn(reader, statement);
    sqlite3_finalize(statement);
    return is_ok && step == SQLITE_DONE;
}

static const char *get_text(struct workload_reader *reader, sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    int length = sqlite3_column_bytes(row, column);
    return text == NULL || length > TEXT_BYTES_MAX
               ? ""
               : rh_arena_strndup(reader->arena, text, strnlen(text, (size_t)length));
}

static int64_t number_of(const char *text)
{
    int64_t number = 0;
    return rh_text_parse_int64(rh_text(text), &number) ? number : 0;
}

static bool take_fidelity(struct workload_fidelity *fidelity, const char *name, const char *value)
{
    const struct {
        const char *name;
        enum workload_grade *grade;
    } grades[] = {
        {"fidelity_order", &fidelity->order},
        {"fidelity_types", &fidelity->types},
        {"fidelity_parameters", &fidelity->parameters},
        {"fidelity_timing", &fidelity->timing},
        {"fidelity_transactions", &fidelity->transactions},
        {"fidelity_copy", &fidelity->copy},
    };
    for (size_t i = 0; i < sizeof(grades) / sizeof(grades[0]); i++) {
        if (strcmp(name, grades[i].name) == 0)
            return rh_workload_grade_of_name(value, grades[i].grade);
    }
    return true;
}

static void take_total(struct workload_totals *totals, const char *name, const char *value)
{
    const struct {
        const char *name;
        int64_t *number;
    } numbers[] = {
        {"duration_us", &totals->duration_us},
        {"sessions", &totals->sessions},
        {"sessions_most_at_once", &totals->sessions_most_at_once},
        {"requests", &totals->requests},
        {"executions", &totals->executions},
        {"errors", &totals->errors},
        {"cancels", &totals->cancels},
        {"production_window_us", &totals->production.window_us},
        {"production_total_us", &totals->production.total_us},
        {"production_covered_us", &totals->production.covered_us},
        {"production_patterns", &totals->production.patterns},
        {"production_never_seen", &totals->production.never_seen},
    };
    totals->production.is_known |= strcmp(name, "production_total_us") == 0;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strcmp(name, numbers[i].name) == 0)
            *numbers[i].number = number_of(value);
    }
}

/* Names that are not known are of a later version that kept this one readable. */
static bool take_about(struct workload_reader *reader, sqlite3_stmt *row)
{
    struct workload_about *about = &reader->about;
    const char *name = get_text(reader, row, 0), *value = get_text(reader, row, 1);
    if (strcmp(name, ABOUT_STATE) == 0)
        reader->is_finished = strcmp(value, "finished") == 0;
    else if (strcmp(name, ABOUT_FILE_ID) == 0)
        return rh_workload_unhex(value, reader->file_id, sizeof(reader->file_id));
    else if (strcmp(name, ABOUT_KEY_CHECK) == 0) {
        reader->is_encrypted = value[0] != '\0';
        return !reader->is_encrypted ||
               rh_workload_unhex(value, reader->key_check, sizeof(reader->key_check));
    } else if (strcmp(name, ABOUT_FOOTER) == 0)
        reader->footer = value;
    else if (strcmp(name, ABOUT_DIGEST_KEY) == 0)
        reader->digest_key = value;
    else if (strcmp(name, "origin") == 0)
        return rh_workload_origin_of_name(value, &about->origin);
    else if (strcmp(name, "server_version") == 0)
        about->server_version = value;
    else if (strcmp(name, "server_version_number") == 0)
        about->server_version_number = (int)number_of(value);
    else if (strcmp(name, "encoding") == 0)
        about->encoding = value;
    else if (strcmp(name, "started_at") == 0)
        about->started_at = value;
    else if (strcmp(name, "is_masked") == 0)
        about->is_masked = number_of(value) != 0;
    else if (strcmp(name, "masking_key_id") == 0)
        about->masking_key_id = value;
    else if (strcmp(name, "widens_integers") == 0)
        about->widens_integers = number_of(value) != 0;
    else if (strcmp(name, "is_complete") == 0)
        reader->totals.is_complete = number_of(value) != 0;
    else
        take_total(&reader->totals, name, value);
    return take_fidelity(&reader->totals.fidelity, name, value);
}

static bool take_note(struct workload_reader *reader, sqlite3_stmt *row)
{
    *RH_PUSH(reader->arena, &reader->totals.fidelity.notes) = get_text(reader, row, 0);
    return true;
}

static bool take_gap(struct workload_reader *reader, sqlite3_stmt *row)
{
    *RH_PUSH(reader->arena,
             &reader->totals.gaps) = (struct workload_gap){.kind = get_text(reader, row, 0),
                                                           .count = sqlite3_column_int64(row, 1),
                                                           .detail = get_text(reader, row, 2)};
    return true;
}

static bool take_type(struct workload_reader *reader, sqlite3_stmt *row)
{
    *RH_PUSH(reader->arena, &reader->about.types) = (struct workload_type){
        .oid = (uint32_t)sqlite3_column_int64(row, 0),
        .schema = get_text(reader, row, 1),
        .name = get_text(reader, row, 2),
        .kind = get_text(reader, row, 3)[0],
        .element = (uint32_t)sqlite3_column_int64(row, 4)};
    return rh_arena_used_bytes(reader->arena) <= TEXTS_BYTES_MAX;
}

static bool take_function(struct workload_reader *reader, sqlite3_stmt *row)
{
    *RH_PUSH(reader->arena, &reader->about.functions) = (struct workload_function){
        .oid = (uint32_t)sqlite3_column_int64(row, 0),
        .schema = get_text(reader, row, 1),
        .signature = get_text(reader, row, 2)};
    return rh_arena_used_bytes(reader->arena) <= TEXTS_BYTES_MAX;
}

static bool take_key(struct workload_reader *reader, sqlite3_stmt *row)
{
    if (sqlite3_column_int64(row, 0) != (int64_t)reader->about.keys.count + 1)
        return false;
    *RH_PUSH(reader->arena, &reader->about.keys) = (struct workload_key){
        .domain = (uint32_t)sqlite3_column_int64(row, 1),
        .schema = get_text(reader, row, 2),
        .table = get_text(reader, row, 3),
        .column = get_text(reader, row, 4),
        .sequence_schema = get_text(reader, row, 5),
        .sequence = get_text(reader, row, 6),
        .since = sqlite3_column_int64(row, 7)};
    return rh_arena_used_bytes(reader->arena) <= TEXTS_BYTES_MAX;
}

static bool take_pattern(struct workload_reader *reader, sqlite3_stmt *row)
{
    struct workload_pattern *pattern = RH_PUSH(reader->arena, &reader->patterns);
    const char *fingerprint = get_text(reader, row, 1);
    uint8_t bytes[8];
    if (sqlite3_column_int64(row, 0) != (int64_t)reader->patterns.count ||
        !rh_workload_unhex(fingerprint, bytes, sizeof(bytes)))
        return false;
    pattern->number = (uint32_t)reader->patterns.count;
    for (size_t i = 0; i < sizeof(bytes); i++)
        pattern->fingerprint = pattern->fingerprint << 8 | bytes[i];
    pattern->flags = (unsigned)sqlite3_column_int64(row, 2);
    pattern->query = get_text(reader, row, 3);
    return rh_arena_used_bytes(reader->arena) <= TEXTS_BYTES_MAX;
}

static bool take_pattern_table(struct workload_reader *reader, sqlite3_stmt *row)
{
    int64_t number = sqlite3_column_int64(row, 0);
    if (number < 1 || number > (int64_t)reader->patterns.count)
        return false;
    struct workload_pattern *pattern = &reader->patterns.items[number - 1];
    const char *name = get_text(reader, row, 2);
    if (strcmp(get_text(reader, row, 1), "writes") == 0)
        *RH_PUSH(reader->arena, &pattern->writes) = name;
    else
        *RH_PUSH(reader->arena, &pattern->reads) = name;
    return rh_arena_used_bytes(reader->arena) <= TEXTS_BYTES_MAX;
}

static bool take_sums(struct workload_reader *reader, sqlite3_stmt *row)
{
    int64_t number = sqlite3_column_int64(row, 0);
    if (number < 1 || number > (int64_t)reader->patterns.count)
        return false;
    reader->sums[number - 1] = (struct workload_pattern_sums){
        .pattern = (uint32_t)number,
        .calls = sqlite3_column_int64(row, 1),
        .errors = sqlite3_column_int64(row, 2),
        .rows = sqlite3_column_int64(row, 3),
        .total_us = sqlite3_column_int64(row, 4),
        .min_us = sqlite3_column_int64(row, 5),
        .max_us = sqlite3_column_int64(row, 6),
        .first_at_us = sqlite3_column_int64(row, 7),
        .last_at_us = sqlite3_column_int64(row, 8),
        .weight = sqlite3_column_double(row, 9),
    };
    return true;
}

static bool take_batch_count(struct workload_reader *reader, sqlite3_stmt *row)
{
    reader->batch_count = (uint64_t)sqlite3_column_int64(row, 0);
    reader->event_count = (uint64_t)sqlite3_column_int64(row, 1);
    return true;
}

/* --- opening ---------------------------------------------------------------------------------- */

/* Writing is only for what an interrupted writer's log still holds; a file that may not be written,
   or whose directory may not, is read as it is. */
static enum err_code open_db(struct workload_reader *reader, struct err *err)
{
    static const int ways[] = {SQLITE_OPEN_READWRITE, SQLITE_OPEN_READONLY};
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    bool has_log = rh_file_exists(rh_arena_printf(scratch, "%s-wal", reader->path));
    for (size_t i = has_log ? 0 : 1; i < sizeof(ways) / sizeof(ways[0]); i++) {
        sqlite3_close(reader->db);
        reader->db = NULL;
        if (sqlite3_open_v2(reader->path, &reader->db, ways[i] | SQLITE_OPEN_NOMUTEX, NULL) !=
            SQLITE_OK)
            continue;
        sqlite3_limit(reader->db, SQLITE_LIMIT_LENGTH, SQLITE_ROW_BYTES_MAX);
        sqlite3_db_config(reader->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(reader->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        if (rh_workload_sql(reader->db, "PRAGMA cell_size_check = ON; PRAGMA query_only = ON;"
                                        "PRAGMA mmap_size = 0; SELECT 1 FROM sqlite_schema"))
            return RH_OK;
    }
    int code = reader->db == NULL ? SQLITE_NOMEM : sqlite3_errcode(reader->db) & 0xff;
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        return damaged(reader, sqlite3_errmsg(reader->db), err);
    return rh_workload_sqlite_error(reader->db, "read", reader->path, err);
}

static int64_t pragma_number(struct workload_reader *reader, const char *pragma)
{
    sqlite3_stmt *statement = NULL;
    int64_t number = 0;
    if (sqlite3_prepare_v2(reader->db, pragma, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

/* The tables are those that we make, in our very words: a file of somebody else's may have views
   and triggers under their names. */
static bool has_our_tables(struct workload_reader *reader)
{
    static const struct {
        const char *type, *name, *sql;
    } tables[] = {
#define X(type, name, sql) {type, name, sql},
        WORKLOAD_TABLE_LIST(X)
#undef X
    };
    sqlite3_stmt *find = NULL;
    if (sqlite3_prepare_v2(reader->db,
                           "SELECT 1 FROM sqlite_schema WHERE type = ? AND name = ?"
                           " AND sql = ?",
                           -1, &find, NULL) != SQLITE_OK)
        return false;
    bool is_ok = true;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && is_ok; i++) {
        if (!reader->has_keys &&
            (strcmp(tables[i].name, "keys") == 0 || strcmp(tables[i].name, "functions") == 0))
            continue;
        sqlite3_bind_text(find, 1, tables[i].type, -1, SQLITE_STATIC);
        sqlite3_bind_text(find, 2, tables[i].name, -1, SQLITE_STATIC);
        sqlite3_bind_text(find, 3, tables[i].sql, -1, SQLITE_STATIC);
        is_ok = sqlite3_step(find) == SQLITE_ROW;
        sqlite3_reset(find);
    }
    sqlite3_finalize(find);
    return is_ok;
}

static enum err_code check_kind(struct workload_reader *reader, struct err *err)
{
    int64_t version = pragma_number(reader, "PRAGMA user_version");
    if (version > WORKLOAD_FORMAT_VERSION) {
        rh_err_set(err, RH_ERR_USAGE, "\"%s\" is a workload of format %lld; this rehearse reads %d",
                   reader->path, (long long)version, WORKLOAD_FORMAT_VERSION);
        rh_err_hint(err, "Use the version of rehearse that made it, or a later one.");
        return err->code;
    }
    reader->has_keys = version != WORKLOAD_FORMAT_WITHOUT_KEYS;
    if ((version != WORKLOAD_FORMAT_VERSION && reader->has_keys) || !has_our_tables(reader))
        return damaged(reader, "its tables are not those of a workload", err);
    return RH_OK;
}

static bool read_tables(struct workload_reader *reader)
{
    bool is_ok = each_row(reader, "SELECT name, value FROM about", ROWS_MAX, take_about) &&
                 each_row(reader, "SELECT note FROM notes ORDER BY number", ROWS_MAX, take_note) &&
                 each_row(reader, "SELECT kind, count, detail FROM gaps ORDER BY number", ROWS_MAX,
                          take_gap) &&
                 each_row(reader,
                          "SELECT oid, \"schema\", name, kind, element FROM types ORDER BY oid",
                          INT32_MAX, take_type) &&
                 (!reader->has_keys || (each_row(reader, "SELECT * FROM functions ORDER BY oid",
                                                 WORKLOAD_FUNCTIONS_MAX, take_function) &&
                                        each_row(reader, "SELECT * FROM keys ORDER BY number",
                                                 WORKLOAD_KEYS_MAX, take_key))) &&
                 each_row(reader,
                          "SELECT number, fingerprint, flags, query FROM patterns ORDER BY number",
                          WORKLOAD_PATTERNS_MAX, take_pattern) &&
                 each_row(reader,
                          "SELECT pattern, access, name FROM pattern_tables"
                          " ORDER BY pattern, access, position",
                          INT32_MAX, take_pattern_table);
    if (!is_ok)
        return false;
    reader->sums = rh_arena_alloc_array(reader->arena, reader->patterns.count + 1,
                                        sizeof(*reader->sums));
    for (size_t i = 0; i < reader->patterns.count; i++)
        reader->sums[i] = (struct workload_pattern_sums){.pattern = (uint32_t)i + 1, .weight = 1};
    return each_row(reader, "SELECT * FROM sums", WORKLOAD_PATTERNS_MAX, take_sums) &&
           each_row(reader,
                    "SELECT coalesce(max(number), 0), coalesce(sum(events), 0) FROM batches", 1,
                    take_batch_count);
}

static enum err_code check_key(struct workload_reader *reader, const uint8_t *key, struct err *err)
{
    uint8_t check[SEAL_CHECK_BYTES];
    if (reader->is_encrypted && key == NULL) {
        rh_err_set(err, RH_ERR_USAGE, "\"%s\" is encrypted", reader->path);
        rh_err_hint(err, "Give the key that it was made with.");
        return err->code;
    }
    reader->seal = rh_seal_new(reader->is_encrypted ? key : NULL, reader->file_id);
    rh_seal_check(reader->seal, check);
    if (reader->is_encrypted && memcmp(check, reader->key_check, sizeof(check)) != 0) {
        rh_err_set(err, RH_ERR_USAGE, "\"%s\" is encrypted with another key", reader->path);
        rh_err_hint(err, "Give the key that it was made with.");
        return err->code;
    }
    if (!rh_workload_unseal_hex(reader->seal, DIGEST_KEY_NUMBER, reader->digest_key,
                                reader->about.digest_key, sizeof(reader->about.digest_key)))
        return damaged(reader, "the key of its digests is not readable", err);
    return RH_OK;
}

/* What the writer said at the end: how many batches, and that the tables are as it left them. */
static enum err_code check_footer(struct workload_reader *reader, struct err *err)
{
    uint8_t digest[TABLES_DIGEST_BYTES], footer[FOOTER_BYTES], said[FOOTER_BYTES];
    if (!rh_workload_unseal_hex(reader->seal, FOOTER_NUMBER, reader->footer, said, sizeof(said)))
        return damaged(reader, "its footer is not readable", err);
    if (!rh_workload_tables_digest(reader->db, reader->has_keys, digest))
        return damaged(reader, sqlite3_errmsg(reader->db), err);
    rh_workload_put_footer(reader->batch_count, reader->event_count, digest, footer);
    if (memcmp(footer, said, 16) != 0)
        return damaged(reader, "batches are missing", err);
    if (memcmp(footer, said, FOOTER_BYTES) != 0)
        return damaged(reader, "its tables were changed", err);
    return RH_OK;
}

static void note_interrupted(struct workload_reader *reader)
{
    reader->totals.is_complete = false;
    *RH_PUSH(reader->arena, &reader->totals.gaps) = (struct workload_gap){
        .kind = "writer-interrupted",
        .count = 1,
        .detail = "the writer has not finished this file: it was interrupted, or is still at it"};
}

static enum err_code read_all(struct workload_reader *reader, const uint8_t *key, struct err *err)
{
    enum err_code code = open_db(reader, err);
    if (code == RH_OK)
        code = check_kind(reader, err);
    if (code != RH_OK)
        return code;
    /* One moment of a file that may still be written. */
    if (!rh_workload_sql(reader->db, "BEGIN") || !read_tables(reader))
        return damaged(reader,
                       sqlite3_errcode(reader->db) == SQLITE_OK ? "its tables do not fit together"
                                                                : sqlite3_errmsg(reader->db),
                       err);
    code = check_key(reader, key, err);
    if (code == RH_OK && reader->is_finished)
        code = check_footer(reader, err);
    if (code != RH_OK)
        return code;
    if (!reader->is_finished)
        note_interrupted(reader);
    if (!rh_workload_sql(reader->db, "COMMIT") ||
        sqlite3_prepare_v2(reader->db, "SELECT data FROM batches WHERE number = ?", -1,
                           &reader->batch, NULL) != SQLITE_OK)
        return damaged(reader, sqlite3_errmsg(reader->db), err);
    return RH_OK;
}

enum err_code rh_workload_reader_open(const char *path, const uint8_t *key,
                                      struct workload_reader **ret_reader, struct err *err)
{
    if (access(path, R_OK) != 0) {
        rh_err_set_errno(err, errno, "cannot read \"%s\"", path);
        return err->code = RH_ERR_USAGE;
    }
    if (rh_file_is_directory(path) || !rh_workload_file_is(path)) {
        rh_err_set(err, RH_ERR_USAGE, "\"%s\" is not a workload", path);
        rh_err_hint(err, "Make one with \"rehearse capture\", or from logs with"
                         " \"rehearse workload import\".");
        return err->code;
    }
    struct workload_reader *reader = calloc(1, sizeof(*reader));
    if (reader == NULL)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*reader));
    reader->arena = rh_arena_new();
    reader->event_arena = rh_arena_new();
    reader->path = rh_arena_strdup(reader->arena, path);
    reader->about.server_version = reader->about.encoding = reader->about.started_at = "";
    reader->about.masking_key_id = "";
    reader->decoder = rh_event_decoder_new();
    rh_buf_init(&reader->plain, EVENT_BATCH_BYTES_MAX + FOOTER_BYTES);
    enum err_code code = read_all(reader, key, err);
    if (code != RH_OK) {
        rh_workload_reader_free(reader);
        return code;
    }
    *ret_reader = reader;
    return RH_OK;
}

void rh_workload_reader_free(struct workload_reader *reader)
{
    if (reader == NULL)
        return;
    sqlite3_finalize(reader->batch);
    sqlite3_close(reader->db);
    rh_seal_free(reader->seal);
    rh_event_decoder_free(reader->decoder);
    rh_live_sessions_deinit(&reader->live);
    rh_buf_deinit(&reader->plain);
    rh_arena_free(reader->event_arena);
    rh_arena_free(reader->arena);
    free(reader);
}

/* --- what is known without the events --------------------------------------------------------- */

const struct workload_about *rh_workload_reader_about(const struct workload_reader *reader)
{
    return &reader->about;
}

const struct workload_totals *rh_workload_reader_totals(const struct workload_reader *reader)
{
    return &reader->totals;
}

size_t rh_workload_reader_pattern_count(const struct workload_reader *reader)
{
    return reader->patterns.count;
}

const struct workload_pattern *rh_workload_reader_pattern(const struct workload_reader *reader,
                                                          uint32_t number)
{
    RH_ASSERT(number >= 1 && number <= reader->patterns.count);
    return &reader->patterns.items[number - 1];
}

const struct workload_pattern_sums *rh_workload_reader_sums(const struct workload_reader *reader,
                                                            uint32_t number)
{
    RH_ASSERT(number >= 1 && number <= reader->patterns.count);
    return &reader->sums[number - 1];
}

/* --- events ----------------------------------------------------------------------------------- */

static enum err_code damaged_batch(const struct workload_reader *reader, const char *what,
                                   struct err *err)
{
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    return damaged(reader,
                   rh_arena_printf(scratch, "batch %llu of %llu %s",
                                   (unsigned long long)reader->next_batch - 1,
                                   (unsigned long long)reader->batch_count, what),
                   err);
}

static enum err_code open_batch(struct workload_reader *reader, struct err *err)
{
    uint64_t number = reader->next_batch++;
    sqlite3_reset(reader->batch);
    sqlite3_bind_int64(reader->batch, 1, (int64_t)number);
    int step = sqlite3_step(reader->batch);
    if (step == SQLITE_DONE)
        return damaged_batch(reader, "is missing", err);
    if (step != SQLITE_ROW)
        return damaged_batch(reader, sqlite3_errmsg(reader->db), err);
    struct text sealed = {sqlite3_column_blob(reader->batch, 0),
                          (size_t)sqlite3_column_bytes(reader->batch, 0)};
    bool is_whole = sealed.data != NULL &&
                    rh_seal_open(reader->seal, number, sealed, EVENT_BATCH_BYTES_MAX,
                                 &reader->plain) &&
                    rh_event_decoder_open(reader->decoder, rh_buf_text(&reader->plain));
    sqlite3_reset(reader->batch);
    if (!is_whole)
        return damaged_batch(
            reader, reader->is_encrypted ? "was changed, or is not from here" : "was changed", err);
    reader->is_open = true;
    return RH_OK;
}

/* Users of events rely on it: sessions begin before anything else of them, patterns are there. */
static bool fits(struct workload_reader *reader)
{
    const struct workload_event *event = &reader->event;
    if (event->at_us < reader->at_us ||
        rh_workload_event_highest_pattern(event) > reader->patterns.count)
        return false;
    reader->at_us = event->at_us;
    if (event->kind == WORKLOAD_SESSION_BEGUN)
        return rh_live_sessions_add(&reader->live, event->session) != NULL;
    struct live_session *session = rh_live_sessions_find(&reader->live, event->session);
    if (session != NULL && event->kind == WORKLOAD_SESSION_ENDED)
        rh_live_sessions_remove(&reader->live, session);
    return session != NULL;
}

static enum err_code next_event(void *context, const struct workload_event **ret_event,
                                struct err *err)
{
    struct workload_reader *reader = context;
    for (;;) {
        if (!reader->is_open && reader->next_batch > reader->batch_count) {
            if (reader->events_read != reader->event_count)
                return damaged(reader, "its batches hold another number of events", err);
            *ret_event = NULL;
            return RH_OK;
        }
        enum err_code code = reader->is_open ? RH_OK : open_batch(reader, err);
        if (code != RH_OK)
            return code;
        rh_arena_clear(reader->event_arena);
        switch (rh_event_decoder_next(reader->decoder, reader->event_arena, &reader->event)) {
        case EVENT_DECODED:
            if (!fits(reader))
                return damaged_batch(reader, "does not fit to the others", err);
            reader->events_read++;
            *ret_event = &reader->event;
            return RH_OK;
        case EVENT_END:
            reader->is_open = false;
            break;
        case EVENT_MALFORMED:
            return damaged_batch(reader, "is malformed", err);
        }
    }
}

enum err_code rh_workload_reader_need_executions(const struct workload_reader *reader,
                                                 struct err *err)
{
    if (reader->about.origin != WORKLOAD_STATEMENT_SUMS)
        return RH_OK;
    rh_err_set(err, RH_ERR_USAGE, "\"%s\" holds sums alone, no execution", reader->path);
    rh_err_hint(err,
                "It weighs other workloads: rehearse workload import W --statement-sums %s "
                "-o FILE.",
                reader->path);
    return err->code;
}

struct workload_source rh_workload_reader_source(struct workload_reader *reader)
{
    rh_live_sessions_deinit(&reader->live);
    reader->next_batch = 1;
    reader->events_read = 0;
    reader->at_us = 0;
    reader->is_open = false;
    return (struct workload_source){next_event, reader};
}
