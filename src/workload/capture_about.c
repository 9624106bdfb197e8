/* What the server says of itself before the first client comes; the masking plan. */
#include "workload/capture_int.h"
#include "workload/key_domains.h"

#include <openssl/rand.h>
#include <stdio.h>

#define CONNECT_MAX_US (15 * INT64_C(1000000))
#define ASK_MAX_US (60 * INT64_C(1000000))

static struct mono within(int64_t us)
{
    return rh_clock_after(rh_clock_mono(), us);
}

static void note(const struct capture *capture, const char *sentence)
{
    if (capture->options->note)
        capture->options->note(capture->options->context, sentence);
}

static enum err_code ask(struct capture *capture, const char *sql, struct rows **ret_rows,
                         struct err *err)
{
    return capture->options->engine->query(capture->connection, sql, NULL, 0, within(ASK_MAX_US),
                                           ret_rows, err);
}

static enum err_code read_settings(struct capture *capture, struct err *err)
{
    RH_CLEANUP_ROWS struct rows *version = NULL;
    RH_CLEANUP_ROWS struct rows *encoding = NULL;
    enum err_code code = ask(capture, "SHOW server_version", &version, err);

    if (!code)
        code = ask(capture, "SHOW server_encoding", &encoding, err);
    if (code)
        return code;
    capture->about.server_version = rh_arena_strdup(capture->arena, rh_rows_value(version, 0, 0));
    capture->about.encoding = rh_arena_strdup(capture->arena, rh_rows_value(encoding, 0, 0));
    capture->about.server_version_number = capture->options->engine->server_version(
        capture->connection);
    return RH_OK;
}

static enum err_code read_types(struct capture *capture, struct err *err)
{
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = capture->options->engine->ask(capture->connection, ENGINE_QUERY_OWN_TYPES,
                                                       NULL, 0, within(ASK_MAX_US), &rows, err);

    if (code)
        return code;
    for (size_t i = 0; i < rh_rows_count(rows); i++) {
        const char *kind = rh_rows_value(rows, i, 3);

        *RH_PUSH(capture->arena, &capture->about.types) = (struct workload_type){
            .oid = (uint32_t)rh_rows_int(rows, i, 0, 0),
            .schema = rh_arena_strdup(capture->arena, rh_rows_value(rows, i, 1)),
            .name = rh_arena_strdup(capture->arena, rh_rows_value(rows, i, 2)),
            .kind = kind ? kind[0] : 'b',
            .element = (uint32_t)rh_rows_int(rows, i, 4, 0),
        };
    }
    capture->knows_types = true;
    return RH_OK;
}

static enum err_code read_functions(struct capture *capture, struct err *err)
{
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = capture->options->engine->ask(
        capture->connection, ENGINE_QUERY_OWN_FUNCTIONS, NULL, 0, within(ASK_MAX_US), &rows, err);

    if (code)
        return code;
    for (size_t i = 0; i < rh_rows_count(rows) && i < WORKLOAD_FUNCTIONS_MAX; i++)
        *RH_PUSH(capture->arena, &capture->about.functions) = (struct workload_function){
            .oid = (uint32_t)rh_rows_int(rows, i, 0, 0),
            .schema = rh_arena_strdup(capture->arena, rh_rows_value(rows, i, 1)),
            .signature = rh_arena_strdup(capture->arena, rh_rows_value(rows, i, 2))};
    return RH_OK;
}

static enum err_code read_keys(struct capture *capture, struct err *err)
{
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = capture->options->engine->ask(capture->connection, ENGINE_QUERY_OWN_KEYS,
                                                       NULL, 0, within(ASK_MAX_US), &rows, err);

    if (!code)
        rh_key_domains(rows, capture->arena, &capture->about);
    return code;
}

static enum err_code read_masking(struct capture *capture, struct err *err)
{
    const struct capture_options *options = capture->options;
    const struct engine *engine = options->engine;
    struct masking_rules *rules = NULL;
    enum err_code code = rh_masking_rules_parse(options->masking_path, options->masking_yaml,
                                                capture->arena, &rules, err);

    if (code ||
        (code = ask(capture, "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL,
                    err)) ||
        (code = engine->read_catalog(capture->connection, capture->arena, within(ASK_MAX_US),
                                     &capture->catalog, err)) ||
        (code = ask(capture, "COMMIT", NULL, err)) ||
        (code = rh_masking_declare(rules, &capture->catalog, capture->arena, err)) ||
        (code = rh_masking_plan(&capture->catalog, rules, NULL, 0, capture->arena,
                                &capture->masking, err)))
        return code;
    return rh_value_mask_new(&capture->catalog, &capture->masking, options->mask_key,
                             &capture->mask, err);
}

static enum err_code look(struct capture *capture, struct err *err)
{
    const struct capture_options *options = capture->options;
    const struct connection_parameters parameters = {.url = capture->upstream.url,
                                                     .host = "the upstream",
                                                     .application_name = "rehearse capture"};
    enum err_code code = options->engine->connect(&parameters, within(CONNECT_MAX_US),
                                                  &capture->connection, err);

    if (!code)
        code = read_settings(capture, err);
    if (!code)
        code = read_types(capture, err);
    if (!code)
        code = read_functions(capture, err);
    if (!code)
        code = read_keys(capture, err);
    if (!code && options->masking_path)
        code = read_masking(capture, err);
    if (capture->connection)
        options->engine->close(capture->connection);
    capture->connection = NULL;
    return code;
}

enum err_code rh_capture_about(struct capture *capture, struct err *err)
{
    const struct capture_options *options = capture->options;
    struct workload_about *about = &capture->about;
    struct err why = RH_ERR_INIT;
    char now[32];
    enum err_code code;

    rh_clock_rfc3339(rh_clock_wall(), now);
    *about = (struct workload_about){
        .origin = WORKLOAD_CAPTURE,
        .server_version = "",
        .encoding = "",
        .started_at = rh_arena_strdup(capture->arena, now),
        .is_masked = options->masking_path != NULL,
        .widens_integers = true,
        .masking_key_id = options->mask_key_id ? options->mask_key_id : "",
    };
    if (!about->is_masked && RAND_bytes(about->digest_key, sizeof(about->digest_key)) != 1)
        return rh_err_set(err, RH_ERR_ENVIRONMENT, "cannot get random bytes for a key");
    code = look(capture, &why);
    if (!code)
        return RH_OK;
    if (options->masking_path || code == RH_ERR_INTERRUPTED) {
        *err = why;
        rh_err_while(err, "while reading the catalogue that the masking is about");
        return code;
    }
    note(capture,
         rh_arena_printf(capture->arena,
                         "note: the server's types and keys are not known (%s): parameters of "
                         "enums and composites cannot be replayed on another database, "
                         "generated ids keep the values that they had",
                         why.message));
    return RH_OK;
}
