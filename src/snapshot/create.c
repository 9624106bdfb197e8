#include "snapshot/create_int.h"

#include "base/file.h"
#include "snapshot/certificate.h"
#include "snapshot/describe.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#define SEED_PURPOSE "rehearse sample seed"
#define SEED_ID_PURPOSE "rehearse sample seed id"
/* A file that people write by hand. */
#define MASKING_MAX_BYTES ((size_t)16 * 1024 * 1024)
/* More than the budget that a look at values keeps to by itself. */
#define SIGHTINGS_MAX_US (2 * (int64_t)SIGHTINGS_BUDGET_US)
/* Finding the rows of a sample in a large database. */
#define SAMPLE_MAX_US (24 * 3600 * INT64_C(1000000))

void rh_snapshot_free(struct snapshot *snapshot)
{
    if (snapshot)
        rh_arena_free(snapshot->arena);
}

static bool wants_sample(const struct snapshot_options *options)
{
    const struct sample_options *sample = &options->sample;

    return sample->fraction < 1 || sample->shares.count > 0 || sample->conditions.count > 0 ||
           sample->max_rows > 0 || sample->edge_max_rows > 0;
}

/* --- the stages ------------------------------------------------------------------------------ */

static enum err_code load_key(struct creation *creation, struct err *err)
{
    const struct snapshot_options *options = creation->options;
    enum err_code code;

    if (options->is_unmasked && !wants_sample(options))
        return RH_OK;
    code = rh_master_key_load(&options->key, creation->arena, &creation->key,
                              &creation->snapshot->key_made, err);
    return code;
}

static enum err_code open_source(struct creation *creation, struct err *err)
{
    const struct snapshot_options *options = creation->options;
    struct url_place url = {0};
    struct url_upstream upstream = {0};
    enum err_code code;

    if (options->archive) {
        if ((code = rh_creation_import(creation, err)))
            return code;
    } else {
        const struct engine *engine = options->sandbox.engine;

        if ((code = engine->describe_upstream(options->url, creation->arena, &upstream, err)) ||
            (code = engine->describe_url(upstream.url, creation->arena, &url, err))) {
            rh_err_while(err, "while reading --from");
            return code;
        }
        creation->connection = (struct connection_parameters){
            .url = upstream.url, .host = url.hosts[0] ? url.hosts : "the local socket"};
    }
    creation->connection.application_name = "rehearse snapshot";

    struct source_open_options source = {
        .engine = options->sandbox.engine,
        .connection = creation->connection,
        .upstream = options->url ? &upstream.upstream : NULL,
        .session = {.lock_timeout_us = options->lock_timeout_us},
        .no_large_objects = options->no_large_objects,
        .progress = options->sandbox.progress,
    };

    code = rh_source_open(&source, creation->arena, &creation->source, err);
    creation->snapshot->lacks = creation->source.lacks;
    return code;
}

static enum err_code read_rules(struct creation *creation, struct masking_rules **ret_rules,
                                struct err *err)
{
    const char *path = creation->options->masking_path;
    struct text yaml = {0};
    enum err_code code;

    *ret_rules = NULL;
    if (!path)
        return RH_OK;
    if ((code = rh_file_read(path, MASKING_MAX_BYTES, creation->arena, &yaml, err)) ||
        (code = rh_masking_rules_parse(path, yaml, creation->arena, ret_rules, err)))
        return code;
    return rh_masking_declare(*ret_rules, &creation->source.catalog, creation->arena, err);
}

static void keep_yaml(struct creation *creation)
{
    RH_CLEANUP_BUF struct buf yaml;

    rh_buf_init(&yaml, MASKING_MAX_BYTES);
    rh_masking_to_yaml(&creation->masking, &creation->source.catalog, &yaml);
    creation->snapshot->masking_yaml = rh_text_dup(creation->arena, rh_buf_text(&yaml));
}

static enum err_code check_problems(struct creation *creation, struct err *err)
{
    const struct masking *masking = &creation->masking;
    struct snapshot *snapshot = creation->snapshot;

    for (size_t i = 0; i < masking->problems.count; i++)
        if (masking->problems.items[i].is_fatal)
            *RH_PUSH(creation->arena, &snapshot->problems) = masking->problems.items[i];
    if (snapshot->problems.count == 0 || creation->options->suggests)
        return RH_OK;

    const struct masking_problem *first = &snapshot->problems.items[0];

    rh_err_set(err, RH_ERR_USAGE, "%s%s%s cannot be masked so: %s", first->table,
               first->column ? "." : "", first->column ? first->column : "", first->sentence);
    if (snapshot->problems.count > 1)
        rh_err_detail(err, "and %zu more", snapshot->problems.count - 1);
    rh_err_hint(err,
                "Say in a masking.yaml what is to happen; --suggest writes one to begin with.");
    return RH_ERR_USAGE;
}

static enum err_code make_watches(struct creation *creation, struct err *err)
{
    uint64_t seed;

    if (RAND_bytes((unsigned char *)&seed, sizeof(seed)) != 1)
        return rh_err_set(err, RH_ERR_ENVIRONMENT, "no random bytes can be had");
    creation->watches = rh_watches_new(&creation->source.catalog, &creation->masking, seed);
    return RH_OK;
}

static enum err_code plan_masking(struct creation *creation, struct err *err)
{
    struct masking_rules *rules = NULL;
    enum err_code code = read_rules(creation, &rules, err);

    if (code)
        return code;
    if (creation->options->is_unmasked)
        return RH_OK;
    rh_progress_phase(creation->options->sandbox.progress, "decide about every column");
    if ((code = rh_sightings_read(creation->source.engine, creation->source.connection,
                                  &creation->source.catalog, &(struct sightings_options){0},
                                  rh_clock_after(rh_clock_mono(), SIGHTINGS_MAX_US),
                                  creation->arena, &creation->sightings, err)) ||
        (code = rh_masking_plan(&creation->source.catalog, rules, creation->sightings.items.items,
                                creation->sightings.items.count, creation->arena,
                                &creation->masking, err)))
        return code;
    keep_yaml(creation);
    if ((code = check_problems(creation, err)) || creation->options->suggests)
        return code;
    code = rh_column_maps_new(&creation->source.catalog, &creation->masking, &creation->key,
                              &creation->maps, err);
    if (!code && !creation->options->no_verify)
        code = make_watches(creation, err);
    return code;
}

static enum err_code plan_rows(struct creation *creation, struct err *err)
{
    const struct snapshot_options *options = creation->options;
    const struct catalog *catalog = &creation->source.catalog;
    struct sample_options sample = options->sample;
    enum err_code code;

    creation->is_omitted = rh_arena_alloc_array(creation->arena, catalog->tables.count + 1,
                                                sizeof(bool));
    code = rh_exclude(options->excluded, options->excluded_count, catalog, creation->arena,
                      creation->is_omitted, err);
    if (code || !wants_sample(options))
        return code;
    rh_progress_phase(options->sandbox.progress, "choose the rows of the sample");
    sample.seed = rh_master_key_number(&creation->key, SEED_PURPOSE);
    creation->is_sampled = true;
    return rh_sample_plan(options->sandbox.engine, creation->source.connection, catalog, &sample,
                          rh_clock_after(rh_clock_mono(), SAMPLE_MAX_US), creation->arena,
                          &creation->sample, err);
}

static enum err_code dump_rows(struct creation *creation, const struct dump_program *program,
                               struct err *err)
{
    const struct snapshot_options *options = creation->options;
    struct dump_options dump = {
        .engine = options->sandbox.engine,
        .source = creation->source.connection,
        .place = &creation->source.place,
        .upstream = &creation->source.upstream,
        .facts = &creation->source.facts,
        .program = program->path,
        .program_major = program->major,
        .directory = creation->place.sockets,
        .archive = rh_file_join(creation->arena, creation->place.directory, SNAPSHOT_ARCHIVE),
        .jobs = options->jobs,
        .catalog = &creation->source.catalog,
        .maps = creation->maps,
        .watches = creation->watches,
        .sample = creation->is_sampled ? &creation->sample : NULL,
        .is_omitted = creation->is_omitted,
        .key = options->is_unmasked ? NULL : &creation->key,
        .no_large_objects = options->no_large_objects,
        .keeps_comments = options->keeps_comments || options->is_unmasked,
        .lock_timeout_us = options->lock_timeout_us,
        .rate_bytes_per_s = options->rate_bytes_per_s,
        .progress = options->sandbox.progress,
    };

    rh_progress_phase(options->sandbox.progress, "copy the rows of %s", creation->source.name);
    return rh_dump(&dump, creation->arena, &creation->dump, err);
}

static const char *rfc3339(struct arena *arena, struct wall at)
{
    char text[32];

    rh_clock_rfc3339(at, text);
    return rh_arena_strdup(arena, text);
}

static const char *name_of_key(const struct creation *creation, const char *purpose)
{
    char text[MASTER_KEY_ID_BYTES];

    rh_master_key_id(&creation->key, purpose, text);
    return rh_arena_strdup(creation->arena, text);
}

static void describe(struct creation *creation, const struct dump_program *program)
{
    const struct snapshot_options *options = creation->options;
    struct manifest *manifest = &creation->snapshot->manifest;
    struct arena *arena = creation->arena;
    struct description description = {
        .catalog = &creation->source.catalog,
        .masking = options->is_unmasked ? NULL : &creation->masking,
        .sample = creation->is_sampled ? &creation->sample : NULL,
        .sample_options = creation->is_sampled ? &options->sample : NULL,
        .is_omitted = creation->is_omitted,
        .dump = &creation->dump,
        .traffic = creation->source.engine->traffic(creation->source.connection),
        .is_standby = creation->source.facts.is_standby,
        .fraction = creation->is_sampled ? options->sample.fraction : 1,
    };

    manifest->rehearse_version = REHEARSE_VERSION;
    manifest->source = options->archive ? rh_arena_printf(arena, "archive %s", options->archive)
                                        : creation->source.name;
    manifest->dump_version = program->version;
    manifest->taken_at = rfc3339(arena, (struct wall){creation->source.catalog.taken_at_us});
    if (!options->is_unmasked)
        manifest->key_id = name_of_key(creation, MASTER_KEY_PURPOSE_MASKING);
    if (creation->is_sampled)
        manifest->seed_id = name_of_key(creation, SEED_ID_PURPOSE);
    manifest->footprint.snapshot_age_us = rh_source_age_us(&creation->source);
    rh_describe_snapshot(&description, arena, manifest);
    for (size_t i = 0; i < creation->sightings.not_observed.count; i++)
        *RH_PUSH(arena, &manifest->notes) = creation->sightings.not_observed.items[i];
    if (options->archive)
        *RH_PUSH(arena, &manifest->notes) =
            "production's figures are those of the archive it was imported from";
    if (options->no_large_objects)
        *RH_PUSH(arena, &manifest->notes) = "large objects were left out";
}

static enum err_code certify(struct creation *creation, struct err *err)
{
    const struct snapshot_options *options = creation->options;
    struct manifest *manifest = &creation->snapshot->manifest;
    struct certify_options certify = {
        .archive = rh_file_join(creation->arena, creation->place.directory, SNAPSHOT_ARCHIVE),
        .catalog = &creation->source.catalog,
        .dump = &creation->dump,
        .watches = creation->watches,
        .sandbox = options->sandbox,
    };
    enum err_code code;

    if (options->runs) {
        certify.sandbox.role = options->runs->role;
        certify.sandbox.settings = options->runs->settings;
        certify.sandbox.setting_count = options->runs->setting_count;
    }
    if (options->no_verify) {
        static const char *const names[] = {"integrity", "shape", "leak"};
        for (size_t i = 0; i < (options->is_unmasked ? 1 : 3); i++)
            *RH_PUSH(creation->arena, &manifest->certificates) = (struct manifest_certificate){
                .name = names[i], .status = CERTIFICATE_NOT_OBSERVED, .detail = "--no-verify"};
        return RH_OK;
    }
    if ((code = rh_snapshot_certify(&certify, creation->arena, manifest, &creation->certified,
                                    err)))
        return code;
    for (size_t i = 0; i < manifest->certificates.count; i++) {
        const struct manifest_certificate *certificate = &manifest->certificates.items[i];

        if (strcmp(certificate->status, CERTIFICATE_FAILED) != 0)
            continue;
        rh_err_set(err, RH_ERR_FORMAT, "the snapshot failed its certificate \"%s\": %s",
                   certificate->name, certificate->detail);
        for (size_t n = 0; n < certificate->notes.count && n < 3; n++)
            rh_err_detail(err, "%s%s%s", err->detail, n ? "\n" : "", certificate->notes.items[n]);
        return err->code;
    }
    return RH_OK;
}

static enum err_code write_files(struct creation *creation, struct err *err)
{
    struct manifest *manifest = &creation->snapshot->manifest;
    const char *directory = creation->place.directory;
    enum err_code code = RH_OK;

    if (creation->snapshot->masking_yaml)
        code = rh_file_write(rh_file_join(creation->arena, directory, SNAPSHOT_MASKING),
                             rh_text(creation->snapshot->masking_yaml), 0600, err);
    manifest->created_at = rfc3339(creation->arena, rh_clock_wall());
    manifest->duration_us = rh_clock_mono().us - creation->started_at.us;
    if (!code)
        code = rh_snapshot_write_manifest(directory, manifest, err);
    return code;
}

/* From the moment that it has its name, nothing can fail any more. */
static enum err_code finish(struct creation *creation, struct err *err)
{
    enum err_code code;

    if ((code = write_files(creation, err)) || (code = rh_creation_stage_sandbox(creation, err)) ||
        (code = rh_snapshot_place_finish(&creation->place, err)))
        return code;
    rh_creation_leave_sandbox(creation);
    return RH_OK;
}

/* --- in order -------------------------------------------------------------------------------- */

static enum err_code create(struct creation *creation, struct err *err)
{
    const struct snapshot_options *options = creation->options;
    struct dump_program program = {0};
    enum err_code code;

    if (!options->suggests &&
        (code = rh_snapshot_place_open(options->out, options->replace, creation->arena,
                                       &creation->place, err)))
        return code;
    if ((code = load_key(creation, err)) || (code = open_source(creation, err)) ||
        (code = plan_masking(creation, err)) || options->suggests)
        return code;
    if ((code = rh_dump_program_find(options->sandbox.engine, options->sandbox.server_bin,
                                     creation->source.catalog.server_major, creation->arena,
                                     &program, err)) ||
        (code = plan_rows(creation, err)) || (code = dump_rows(creation, &program, err)))
        return code;
    describe(creation, &program);
    /* Production is let go before anything is restored. */
    rh_source_close(&creation->source);
    if ((code = certify(creation, err)))
        return code;
    return finish(creation, err);
}

enum err_code rh_snapshot_create(const struct snapshot_options *options,
                                 struct snapshot **ret_snapshot, struct err *err)
{
    struct arena *arena = rh_arena_new();
    struct snapshot *snapshot = RH_NEW(arena, struct snapshot);
    struct creation creation = {
        .options = options,
        .snapshot = snapshot,
        .arena = arena,
        .started_at = rh_clock_mono(),
        .place = {.lock_fd = -1},
    };
    enum err_code code;

    snapshot->arena = arena;
    rh_sandbox_reap(&options->sandbox);
    code = create(&creation, err);
    rh_watches_free(creation.watches);
    rh_column_maps_free(creation.maps);
    rh_source_close(&creation.source);
    rh_snapshot_place_close(&creation.place);
    rh_sandbox_destroy(creation.certified);
    rh_sandbox_cache_free(creation.cache);
    rh_sandbox_destroy(creation.import);
    rh_master_key_wipe(&creation.key);
    *ret_snapshot = snapshot;
    return code;
}
