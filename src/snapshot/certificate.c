#include "snapshot/certificate.h"

#include <inttypes.h>

#define CONNECT_MAX_US (30 * INT64_C(1000000))
/* Tables named in a certificate; the rest is a number. */
#define NAMED_MAX 20

const struct manifest_certificate *rh_snapshot_certificate(const struct manifest *manifest,
                                                           const char *name)
{
    for (size_t i = 0; i < manifest->certificates.count; i++)
        if (strcmp(manifest->certificates.items[i].name, name) == 0)
            return &manifest->certificates.items[i];
    return NULL;
}

struct comparison {
    const struct certify_options *options;
    struct arena *arena;
    struct connection *connection;
    int64_t tables, rows;
    size_t different;
    VEC(const char *) differences;
};

static void take_rows(void *context, struct text piece)
{
    rh_copy_digest_feed(context, piece);
}

static void add_difference(struct comparison *comparison, const struct catalog_table *table,
                           int64_t expected, int64_t found)
{
    if (comparison->different++ >= NAMED_MAX)
        return;
    if (expected != found)
        *RH_PUSH(comparison->arena, &comparison->differences) = rh_arena_printf(
            comparison->arena, "%s has %" PRId64 " rows, of %" PRId64, table->identity, found,
            expected);
    else
        *RH_PUSH(comparison->arena, &comparison->differences) = rh_arena_printf(
            comparison->arena, "%s has other rows than left production", table->identity);
}

static enum err_code compare_table(struct comparison *comparison, size_t index, struct err *err)
{
    const struct certify_options *options = comparison->options;
    const struct catalog_table *table = &options->catalog->tables.items[index];
    const struct dumped_table *dumped = &options->dump->tables[index];
    struct copy_digest *digest = rh_copy_digest_new();
    const char *sql = dumped->column_list[0]
                          ? rh_arena_printf(comparison->arena, "COPY %s (%s) TO STDOUT",
                                            table->identity, dumped->column_list)
                          : rh_arena_printf(comparison->arena, "COPY %s TO STDOUT",
                                            table->identity);
    int64_t rows = 0;
    struct digest sum;
    enum err_code code = options->sandbox.engine->copy_out(comparison->connection, sql, take_rows,
                                                           digest, RH_NEVER, NULL, err);

    sum = rh_copy_digest_sum(digest, &rows);
    rh_copy_digest_free(digest);
    if (code) {
        rh_err_while(err, "while reading the restored rows of %s", table->identity);
        return code;
    }
    comparison->tables++;
    comparison->rows += rows;
    if (rows != dumped->totals.rows || !rh_digest_equals(sum, dumped->totals.checksum))
        add_difference(comparison, table, dumped->totals.rows, rows);
    return RH_OK;
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

    return options->sandbox.engine->query(comparison->connection, sql, NULL, 0,
                                          rh_clock_after(rh_clock_mono(), CONNECT_MAX_US), NULL,
                                          err);
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
    code = engine->connect(&parameters, rh_clock_after(rh_clock_mono(), CONNECT_MAX_US),
                           &comparison->connection, err);
    if (!code)
        code = set_up_session(comparison, err);
    for (size_t i = 0; i < options->catalog->tables.count && !code; i++)
        if (options->dump->tables[i].is_dumped)
            code = compare_table(comparison, i, err);
    engine->close(comparison->connection);
    comparison->connection = NULL;
    return code;
}

static enum err_code restore_and_compare(struct comparison *comparison, struct err *err)
{
    const struct certify_options *options = comparison->options;
    struct sandbox_options sandbox_options = options->sandbox;
    RH_CLEANUP_SANDBOX struct sandbox *sandbox = NULL;
    enum err_code code;

    sandbox_options.preferred_major = options->catalog->server_major;
    rh_progress_phase(options->sandbox.progress, "restore the archive to check it");
    if ((code = rh_sandbox_start(&sandbox_options, &sandbox, err)) ||
        (code = rh_sandbox_load_snapshot(sandbox, options->archive, err)))
        return code;
    return compare_all(comparison, sandbox, err);
}

static bool ends_everything(enum err_code code)
{
    return code == RH_ERR_INTERRUPTED || code == RH_ERR_TIMEOUT;
}

enum err_code rh_snapshot_certify(const struct certify_options *options, struct arena *arena,
                                  struct manifest *manifest, struct err *err)
{
    struct comparison comparison = {.options = options, .arena = arena};
    struct err why = RH_ERR_INIT;
    enum err_code code = restore_and_compare(&comparison, &why);
    struct manifest_certificate *certificate;

    if (ends_everything(code)) {
        *err = why;
        return code;
    }
    certificate = RH_PUSH(arena, &manifest->certificates);
    certificate->name = "integrity";
    if (code) {
        certificate->status = CERTIFICATE_NOT_OBSERVED;
        certificate->detail = rh_arena_printf(arena, "the archive was not restored here: %s",
                                              why.message);
        return RH_OK;
    }
    if (comparison.different > 0) {
        certificate->status = CERTIFICATE_FAILED;
        certificate->detail = rh_arena_printf(
            arena, "%zu of %" PRId64 " restored tables are not what left production",
            comparison.different, comparison.tables);
        for (size_t i = 0; i < comparison.differences.count; i++)
            *RH_PUSH(arena, &certificate->notes) = comparison.differences.items[i];
        return RH_OK;
    }
    certificate->status = CERTIFICATE_PASSED;
    certificate->detail = rh_arena_printf(
        arena, "%" PRId64 " rows in %" PRId64 " restored tables are those that left production",
        comparison.rows, comparison.tables);
    return RH_OK;
}
