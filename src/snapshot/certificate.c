#include "snapshot/certificate.h"

#include "snapshot/copy_reader.h"
#include "snapshot/line_pieces.h"

#include "base/file.h"
#include "base/say.h"

#include <fcntl.h>
#include <unistd.h>

#define CONNECT_MAX_US (30 * INT64_C(1000000))
/* Tables named in a certificate; the rest is a number. */
#define NAMED_MAX 20
#define LOG_PIECE_BYTES 65536

struct comparison {
    const struct certify_options *options;
    struct arena *arena;
    struct connection *connection;
    struct copy_reader *reader; /* for rows */
    struct mask_map *keep;      /* a map that keeps what it is given */
    bool has_restored;
    int64_t tables, rows;
    size_t different;
    VEC(const char *) differences;
};

static void add_difference(struct comparison *comparison, const struct catalog_table *table,
                           int64_t expected, int64_t found)
{
    if (comparison->different++ >= NAMED_MAX)
        return;
    if (expected != found)
        *RH_PUSH(comparison->arena, &comparison->differences) = rh_arena_printf(
            comparison->arena, "%s has %s, of %s", table->identity,
            rh_say_count(comparison->arena, found, "row"),
            rh_say_count(comparison->arena, expected, "row"));
    else
        *RH_PUSH(comparison->arena, &comparison->differences) = rh_arena_printf(
            comparison->arena, "%s has other rows than left production", table->identity);
}

/* One table's restored rows on their way through a mask that keeps everything: to be counted,
   digested and watched. */
struct reading {
    struct copy_mask *mask;
    struct buf out;
    struct err err;
};

static void take_rows(void *context, struct text piece)
{
    struct reading *reading = context;

    if (reading->err.code || rh_copy_mask_feed(reading->mask, piece, &reading->out, &reading->err))
        return;
    rh_buf_clear(&reading->out);
}

/* Numbers of the dumped columns, and for those that are watched a map that keeps them. */
static size_t choose_watched(struct comparison *comparison, size_t index, int **ret_numbers,
                             struct mask_map ***ret_maps)
{
    const struct certify_options *options = comparison->options;
    const struct catalog_table *table = &options->catalog->tables.items[index];
    const struct dumped_table *dumped = &options->dump->tables[index];
    size_t count = dumped->column_count;

    *ret_numbers = rh_arena_alloc_array(comparison->arena, count + 1, sizeof(**ret_numbers));
    *ret_maps = rh_arena_alloc_array(comparison->arena, count + 1, sizeof(**ret_maps));
    for (size_t i = 0; i < count; i++) {
        (*ret_numbers)[i] = rh_catalog_column_named(table, dumped->columns[i])->number;
        if (options->watches && rh_watches_wants(options->watches, index, (*ret_numbers)[i]))
            (*ret_maps)[i] = comparison->keep;
    }
    return count;
}

static enum err_code read_table(struct comparison *comparison, size_t index, const char *sql,
                                struct copy_mask_totals *ret_totals, struct err *err)
{
    const struct certify_options *options = comparison->options;
    struct reading reading = {.err = RH_ERR_INIT};
    struct copy_mask_options mask = {0};
    struct mask_map **maps;
    int *numbers;

    mask.column_count = choose_watched(comparison, index, &numbers, &maps);
    mask.maps = maps;
    if (options->watches)
        mask.watcher = rh_watches_restored(options->watches, index, numbers, mask.column_count);
    reading.mask = rh_copy_mask_new(&mask);
    rh_buf_init(&reading.out, SIZE_MAX / 2);
    enum err_code code = rh_copy_reader_run(comparison->reader, sql, take_rows, &reading, err);
    if (!code && reading.err.code) {
        *err = reading.err;
        code = err->code;
    }
    if (!code)
        code = rh_copy_mask_flush(reading.mask, true, &reading.out, err);
    *ret_totals = rh_copy_mask_totals(reading.mask);
    rh_buf_deinit(&reading.out);
    rh_copy_mask_free(reading.mask);
    return code;
}

static enum err_code compare_table(struct comparison *comparison, size_t index, struct err *err)
{
    const struct certify_options *options = comparison->options;
    const struct catalog_table *table = &options->catalog->tables.items[index];
    const struct dumped_table *dumped = &options->dump->tables[index];
    const char *sql = dumped->column_list[0]
                          ? rh_arena_printf(comparison->arena, "COPY %s (%s) TO STDOUT",
                                            table->identity, dumped->column_list)
                          : rh_arena_printf(comparison->arena, "COPY %s TO STDOUT",
                                            table->identity);
    struct copy_mask_totals found;
    enum err_code code = read_table(comparison, index, sql, &found, err);

    if (code) {
        rh_err_while(err, "while reading the restored rows of %s", table->identity);
        return code;
    }
    comparison->tables++;
    comparison->rows += found.rows;
    if (found.rows != dumped->totals.rows ||
        !rh_digest_equals(found.checksum, dumped->totals.checksum))
        add_difference(comparison, table, dumped->totals.rows, found.rows);
    return RH_OK;
}

/* --- what else is left behind ------------------------------------------------------------------
 */

struct text_reading {
    struct watches *watches;
    const char *place;
};

static void look_through_piece(void *context, struct text piece)
{
    const struct text_reading *reading = context;

    rh_watches_text(reading->watches, reading->place, piece);
}

static void take_view_rows(void *context, struct text piece)
{
    rh_line_pieces_add(context, piece);
}

/* Rows that the restored database made itself, of masked ones. */
static enum err_code look_through_views(struct comparison *comparison, struct err *err)
{
    const struct certify_options *options = comparison->options;
    enum err_code code = RH_OK;

    for (size_t i = 0; i < options->catalog->tables.count && !code; i++) {
        const struct catalog_table *table = &options->catalog->tables.items[i];
        if (table->kind != 'm')
            continue;
        struct text_reading reading = {
            options->watches,
            rh_arena_printf(comparison->arena, "materialized view %s", table->identity)};
        struct line_pieces pieces;
        rh_line_pieces_init(&pieces, look_through_piece, &reading);
        code = rh_copy_reader_run(comparison->reader,
                                  rh_arena_printf(comparison->arena,
                                                  "COPY (SELECT * FROM %s) TO STDOUT",
                                                  table->identity),
                                  take_view_rows, &pieces, err);
        rh_line_pieces_end(&pieces);
        rh_line_pieces_deinit(&pieces);
        /* One that the archive does not fill ("WITH NO DATA") has no rows to look through. */
        if (code == RH_ERR_SERVER && strcmp(err->sqlstate, "55000") == 0) {
            *err = (struct err)RH_ERR_INIT;
            code = RH_OK;
        }
    }
    return code;
}

static enum err_code look_through_schema(struct comparison *comparison, struct err *err)
{
    const struct certify_options *options = comparison->options;
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = options->sandbox.engine->ask(
        comparison->connection, ENGINE_QUERY_SOURCE_TEXTS, NULL, 0, RH_NEVER, &rows, err);

    for (size_t i = 0; !code && i < rh_rows_count(rows); i++)
        rh_watches_text(options->watches, rh_rows_value(rows, i, 0),
                        rh_text(rh_rows_value(rows, i, 1)));
    return code;
}

/* The server's log of the restore: what failed there would quote values. */
static void look_through_log(const struct comparison *comparison, const struct sandbox *sandbox)
{
    RH_CLEANUP_FD int fd = open(rh_sandbox_log_path(sandbox), O_RDONLY | O_CLOEXEC);
    struct text_reading reading = {comparison->options->watches, "the log of the sandbox"};
    struct line_pieces pieces;
    char bytes[LOG_PIECE_BYTES];
    ssize_t count;

    rh_line_pieces_init(&pieces, look_through_piece, &reading);
    while (fd >= 0 && (count = read(fd, bytes, sizeof(bytes))) > 0)
        rh_line_pieces_add(&pieces, (struct text){bytes, (size_t)count});
    rh_line_pieces_end(&pieces);
    rh_line_pieces_deinit(&pieces);
}

static enum err_code look_through(struct comparison *comparison, const struct sandbox *sandbox,
                                  struct err *err)
{
    enum err_code code = look_through_views(comparison, err);

    if (!code)
        code = look_through_schema(comparison, err);
    if (!code)
        look_through_log(comparison, sandbox);
    return code;
}

/* As pg_dump's sessions had it: the same texts for the same values. */
static enum err_code set_up_session(const struct comparison *comparison, struct err *err)
{
    const struct certify_options *options = comparison->options;
    const char *sql = rh_arena_printf(
        comparison->arena,
        "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; "
        "SET bytea_output = 'hex'; SET extra_float_digits = 3; SET client_encoding = '%s'; "
        "SET search_path = ''; SET default_transaction_read_only = on; SET statement_timeout = 0; "
        "SET row_security = off",
        options->dump->encoding);

    return rh_copy_reader_run(comparison->reader, sql, NULL, NULL, err);
}

static enum err_code compare_all(struct comparison *comparison, struct sandbox *sandbox,
                                 struct err *err)
{
    const struct certify_options *options = comparison->options;
    const struct engine *engine = options->sandbox.engine;
    struct connection_parameters parameters = rh_sandbox_superuser(sandbox);
    enum err_code code;

    rh_progress_phase(options->sandbox.progress, "compare the restored rows");
    parameters.application_name = "rehearse certify";
    const char *directory = rh_file_join(comparison->arena, rh_sandbox_directory(sandbox), "tap");

    if ((code = rh_file_make_directories(directory, 0700, err)))
        return code;
    code = engine->connect(&parameters, rh_clock_after(rh_clock_mono(), CONNECT_MAX_US),
                           &comparison->connection, err);
    if (!code)
        code = rh_copy_reader_open(engine, &parameters, directory, &comparison->reader, err);
    if (!code)
        code = set_up_session(comparison, err);
    for (size_t i = 0; i < options->catalog->tables.count && !code; i++)
        if (options->dump->tables[i].is_dumped)
            code = compare_table(comparison, i, err);
    if (!code && options->watches)
        code = look_through(comparison, sandbox, err);
    rh_copy_reader_close(comparison->reader);
    engine->close(comparison->connection);
    comparison->reader = NULL;
    comparison->connection = NULL;
    return code;
}

static bool ends_everything(enum err_code code)
{
    return code == RH_ERR_INTERRUPTED || code == RH_ERR_TIMEOUT;
}

static enum err_code restore(const struct certify_options *options, size_t setting_count,
                             struct sandbox **ret_sandbox, struct err *err)
{
    struct sandbox_options sandbox_options = options->sandbox;
    RH_CLEANUP_SANDBOX struct sandbox *sandbox = NULL;
    enum err_code code;

    sandbox_options.preferred_major = options->catalog->server_major;
    sandbox_options.setting_count = setting_count;
    if ((code = rh_sandbox_start(&sandbox_options, &sandbox, err)) ||
        (code = rh_sandbox_load_snapshot(sandbox, options->archive, err)))
        return code;
    *ret_sandbox = sandbox;
    sandbox = NULL;
    return RH_OK;
}

/* With the settings that runs ask for, unless it fails with them: that says nothing of the archive,
   and is told when a run starts. */
static enum err_code restore_somehow(const struct certify_options *options,
                                     struct sandbox **ret_sandbox, struct err *err)
{
    size_t setting_count = options->sandbox.setting_count;
    struct err failure = RH_ERR_INIT;
    enum err_code code;

    rh_progress_phase(options->sandbox.progress, "restore the archive to check it");
    code = restore(options, setting_count, ret_sandbox, &failure);
    if (code && setting_count > 0 && !ends_everything(code))
        return restore(options, 0, ret_sandbox, err);
    if (code)
        *err = failure;
    return code;
}

static enum err_code restore_and_compare(struct comparison *comparison,
                                         struct sandbox **ret_sandbox, struct err *err)
{
    RH_CLEANUP_SANDBOX struct sandbox *sandbox = NULL;
    enum err_code code;

    if ((code = restore_somehow(comparison->options, &sandbox, err)))
        return code;
    comparison->has_restored = true;
    if ((code = compare_all(comparison, sandbox, err)))
        return code;
    *ret_sandbox = sandbox;
    sandbox = NULL;
    return RH_OK;
}

static struct manifest_certificate *add_certificate(struct arena *arena, struct manifest *manifest,
                                                    const char *name)
{
    struct manifest_certificate *certificate = RH_PUSH(arena, &manifest->certificates);

    certificate->name = name;
    certificate->status = CERTIFICATE_NOT_OBSERVED;
    return certificate;
}

static void say_integrity(const struct comparison *comparison, struct arena *arena,
                          struct manifest_certificate *certificate)
{
    if (comparison->different == 0) {
        certificate->status = CERTIFICATE_PASSED;
        certificate->detail = rh_arena_printf(arena, "restored unchanged: %s in %s",
                                              rh_say_count(arena, comparison->rows, "row"),
                                              rh_say_count(arena, comparison->tables, "table"));
        return;
    }
    certificate->status = CERTIFICATE_FAILED;
    certificate->detail = rh_arena_printf(
        arena, "%s of %s not what left production",
        rh_say_number(arena, (int64_t)comparison->different),
        rh_say_count(arena, comparison->tables, "restored table"));
    for (size_t i = 0; i < comparison->differences.count; i++)
        *RH_PUSH(arena, &certificate->notes) = comparison->differences.items[i];
}

/* The attempt ended early: because of the archive, or for want of what a restore takes. */
static void say_why_not(const struct comparison *comparison, const struct err *why,
                        struct arena *arena, struct manifest *manifest, size_t first)
{
    bool has_failed = comparison->has_restored || why->code == RH_ERR_FORMAT;

    for (size_t i = first; i < manifest->certificates.count; i++)
        manifest->certificates.items[i].detail = rh_arena_printf(
            arena,
            has_failed ? "the archive was restored, and not to its end: %s"
                       : "the archive was not restored here: %s",
            why->message);
    if (!has_failed)
        return;

    struct manifest_certificate *integrity = &manifest->certificates.items[first];

    integrity->status = CERTIFICATE_FAILED;
    if (why->detail[0])
        *RH_PUSH(arena, &integrity->notes) = rh_arena_strdup(arena, why->detail);
}

static enum err_code make_keep_map(struct comparison *comparison, struct err *err)
{
    /* Nothing is keyed; every map is made with a key. */
    const struct mask_master_key none = {{0}};
    const struct mask_map_options options = {
        .key = &none, .domain = "", .rule = MASK_KEEP, .type = "text"};

    return rh_mask_map_new(&options, comparison->arena, &comparison->keep, err);
}

enum err_code rh_snapshot_certify(const struct certify_options *options, struct arena *arena,
                                  struct manifest *manifest, struct sandbox **ret_sandbox,
                                  struct err *err)
{
    struct comparison comparison = {.options = options, .arena = arena};
    struct err why = RH_ERR_INIT;
    enum err_code code = make_keep_map(&comparison, &why);

    *ret_sandbox = NULL;
    if (!code)
        code = restore_and_compare(&comparison, ret_sandbox, &why);
    rh_mask_map_free(comparison.keep);
    if (ends_everything(code)) {
        *err = why;
        return code;
    }
    size_t first = manifest->certificates.count;
    add_certificate(arena, manifest, "integrity");
    if (options->watches) {
        add_certificate(arena, manifest, "shape");
        add_certificate(arena, manifest, "leak");
    }
    struct manifest_certificate *certificates = &manifest->certificates.items[first];
    if (code) {
        say_why_not(&comparison, &why, arena, manifest, first);
        return RH_OK;
    }
    say_integrity(&comparison, arena, &certificates[0]);
    if (options->watches)
        rh_watches_judge(options->watches, arena, &certificates[1], &certificates[2]);
    return RH_OK;
}
