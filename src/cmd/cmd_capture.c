#include "base/file.h"
#include "base/interrupt.h"
#include "cmd/capture_options.h"
#include "cmd/cli.h"
#include "cmd/run_options.h"
#include "cmd/workload_open.h"
#include "sandbox/snapshot_own.h"
#include "snapshot/master_key.h"
#include "snapshot/place.h"
#include "store/workload_file.h"
#include "workload/capture.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUP_RECORDING "Recording"
#define GROUP_SECRETS "What is kept secret"

#define MASKING_BYTES_MAX ((size_t)4 * 1024 * 1024)
/* The ring's default: seconds of a busy server. */
#define RING_DEFAULT "64MB"
#define RING_MIN ((int64_t)2 * (int64_t)CAPTURE_RECORD_MAX)
#define RING_MAX ((int64_t)4 * 1024 * 1024 * 1024)

static const char *const when_full_choices[] = {"stop", "shed", NULL};
static const char *const then_choices[] = {"forward", "exit", NULL};

static const struct option rows[] = {
    OPTION_ROW_UPSTREAM,
    OPTION_ROW_LISTEN,
    {
        .name = "drain",
        .kind = OPTION_DURATION,
        .value_name = "DURATION",
        .group = GROUP_PATH,
        .environment = "REHEARSE_DRAIN",
        .default_text = "30s",
        .help = "After SIGTERM: how long sessions may go on.",
        .details = "Nobody new comes in. A second signal ends it at once.",
    },
    {
        .name = "metrics",
        .kind = OPTION_TEXT,
        .value_name = "ADDRESS",
        .group = GROUP_PATH,
        .environment = "REHEARSE_METRICS",
        .help = "Figures for Prometheus: GET /metrics there.",
        .details = "HOST:PORT or unix:PATH. POST /start and POST /stop begin and pause the "
                   "recording, as SIGUSR1 and SIGUSR2 do. It asks nobody who he is.",
    },
    OPTION_ROW_TLS_CERT,
    OPTION_ROW_TLS_KEY,
    OPTION_ROW_TLS_REQUIRED,
    OPTION_ROW_TLS_CLIENT_CA,
    OPTION_ROW_TLS_CLIENT_CERTS,
    {
        .name = "out",
        .short_name = 'o',
        .kind = OPTION_PATH,
        .value_name = "FILE",
        .group = GROUP_RECORDING,
        .environment = "REHEARSE_CAPTURE_OUT",
        .is_common = true,
        .help = "The workload; put in place when it is complete.",
    },
    {
        .name = "for",
        .kind = OPTION_DURATION,
        .value_name = "DURATION",
        .group = GROUP_RECORDING,
        .environment = "REHEARSE_CAPTURE_FOR",
        .is_common = true,
        .help = "Record for so long.",
        .details = "The forwarding goes on afterwards, for it is production's path: see --then.",
    },
    {
        .name = "max-bytes",
        .kind = OPTION_BYTES,
        .value_name = "SIZE",
        .group = GROUP_RECORDING,
        .environment = "REHEARSE_CAPTURE_MAX_BYTES",
        .help = "Record until the file is about so large.",
    },
    {
        .name = "then",
        .kind = OPTION_CHOICE,
        .value_name = "WHAT",
        .choices = then_choices,
        .group = GROUP_RECORDING,
        .environment = "REHEARSE_CAPTURE_THEN",
        .default_text = "forward",
        .help = "After --for or --max-bytes: forward on, or exit as after SIGTERM.",
    },
    {
        .name = "start-paused",
        .kind = OPTION_FLAG,
        .group = GROUP_RECORDING,
        .environment = "REHEARSE_START_PAUSED",
        .help = "Forward only, until SIGUSR1 (or POST /start).",
        .details = "Sessions that are there by then join with what they have prepared and set.",
    },
    {
        .name = "when-full",
        .kind = OPTION_CHOICE,
        .value_name = "WHAT",
        .choices = when_full_choices,
        .group = GROUP_RECORDING,
        .environment = "REHEARSE_WHEN_FULL",
        .default_text = "stop",
        .help = "When ring and spill file are full: stop, or shed sessions.",
        .details = "stop: the recording ends, complete up to there. shed: sessions leave it as a "
                   "whole, and come back when there is room. The forwarding never waits.",
    },
    {
        .name = "ring",
        .kind = OPTION_BYTES,
        .value_name = "SIZE",
        .group = GROUP_RECORDING,
        .environment = "REHEARSE_RING",
        .default_text = RING_DEFAULT,
        .help = "Memory between the path and the recorder; a power of two.",
    },
    {
        .name = "spill",
        .kind = OPTION_BYTES,
        .value_name = "SIZE",
        .group = GROUP_RECORDING,
        .environment = "REHEARSE_SPILL",
        .default_text = "256MB",
        .help = "File behind the ring, allocated at the start; 0: none.",
        .details = "Beside the workload, without a name, encrypted with a key that is in memory "
                   "alone.",
    },
    {
        .name = "copy-max",
        .kind = OPTION_BYTES,
        .value_name = "SIZE",
        .group = GROUP_RECORDING,
        .environment = "REHEARSE_COPY_MAX",
        .default_text = "1MB",
        .help = "Data kept of each COPY FROM STDIN.",
    },
    {
        .name = "workload-key",
        .kind = OPTION_PATH,
        .value_name = "FILE",
        .group = GROUP_SECRETS,
        .environment = "REHEARSE_WORKLOAD_KEY",
        .is_common = true,
        .help = "Encrypt the workload with the key in FILE.",
        .details = "Made when it does not exist. What is not masked is encrypted in any case: "
                   "without this option by ~/.config/rehearse/workload.key.",
    },
    {
        .name = "unencrypted",
        .kind = OPTION_FLAG,
        .group = GROUP_SECRETS,
        .environment = "REHEARSE_UNENCRYPTED",
        .help = "Do not encrypt a workload that holds production's values.",
    },
    {
        .name = "masking",
        .kind = OPTION_PATH,
        .value_name = "SNAPSHOT|FILE",
        .group = GROUP_SECRETS,
        .environment = "REHEARSE_CAPTURE_MASKING",
        .is_common = true,
        .help = "Mask values as that snapshot is masked.",
        .details =
            "Parameters and literals, each by the column it is compared with, so that they "
            "find their rows in the snapshot made with the same key, and the rows of COPY FROM "
            "STDIN. Text that is compared with no column that is known is masked as well. Of a "
            "snapshot its masking.yaml is read, and the key must be the one it was made with.",
    },
    {
        .name = "mask-key-file",
        .kind = OPTION_PATH,
        .value_name = "FILE",
        .group = GROUP_SECRETS,
        .environment = "REHEARSE_MASK_KEY_FILE",
        .help = "The snapshot's master key.",
        .details = "As --key-file of \"snapshot create\"; without it the same default file. "
                   "REHEARSE_MASK_KEY may hold the key itself.",
    },
    {
        .name = "mask-key-command",
        .kind = OPTION_TEXT,
        .value_name = "COMMAND",
        .group = GROUP_SECRETS,
        .environment = "REHEARSE_MASK_KEY_COMMAND",
        .help = "Prints that key.",
    },
    OPTION_ROW_JSON,
    OPTION_ROW_QUIET,
    OPTION_ROW_CONFIG,
    OPTION_ROW_NO_CONFIG,
};

static const char *const usage[] = {
    "rehearse capture --upstream URL --listen ADDRESS -o FILE [OPTIONS]", NULL};
static const char *const description[] = {
    "Stands between the application and its server and records what they say to each other: "
    "statements as they were sent, with their parameters, batches and transactions, when they came "
    "and were answered, rows, errors, and digests of results. One server connection for each "
    "client's; bytes are forwarded first and looked at afterwards. Whatever goes wrong with the "
    "recording, the forwarding goes on.",
    "Passwords are never stored. What is not in the recording, and why, is counted in it.",
    "SIGTERM ends it gracefully (--drain). SIGUSR1 begins to record, SIGUSR2 pauses.",
    "Options can stand in rehearse.yaml below \"capture:\".", NULL};
static const char *const examples[] = {
    "export REHEARSE_UPSTREAM=postgresql://watcher@db1/shop",
    "rehearse capture --listen :6432 -o shop.workload",
    "rehearse capture --listen :6432 -o shop.workload --masking shop.snapshot",
    "rehearse workload show shop.workload", NULL};

static int run(const struct options *parsed);

const struct command rh_command_capture = {
    .name = "capture",
    .section = "capture",
    .summary = "record what an application says to its database",
    .usage = usage,
    .description = description,
    .examples = examples,
    .options = rows,
    .option_count = sizeof(rows) / sizeof(*rows),
    .run = run,
};

/* --- options ---------------------------------------------------------------------------------- */

struct secrets {
    struct mask_master_key file_key, mask_key;
    char mask_key_id[MASTER_KEY_ID_BYTES];
};

static enum err_code missing(struct err *err, const char *option, const char *hint)
{
    rh_err_set(err, RH_ERR_USAGE, "--%s is missing", option);
    rh_err_hint(err, "%s", hint);
    return RH_ERR_USAGE;
}

static enum err_code check_together(const struct options *options, struct err *err)
{
    int64_t ring = rh_option_number(options, "ring", 0);

    if (!rh_option_text(options, "upstream"))
        return missing(err, "upstream", "--upstream postgresql://db1:5432/shop says where to.");
    if (!rh_option_text(options, "listen"))
        return missing(err, "listen", "--listen 127.0.0.1:6432 says where clients connect.");
    if (!rh_option_text(options, "out"))
        return missing(err, "out", "-o shop.workload names the file that is made.");
    if (ring < RING_MIN || ring > RING_MAX || (ring & (ring - 1)) != 0)
        return rh_err_set(err, RH_ERR_USAGE, "--ring must be a power of two, between 16MB and 4GB");
    if (rh_option_flag(options, "unencrypted") && rh_option_text(options, "workload-key"))
        return rh_err_set(err, RH_ERR_USAGE,
                          "--unencrypted and --workload-key contradict each other");
    if (!rh_option_text(options, "masking") &&
        (rh_option_text(options, "mask-key-file") || rh_option_text(options, "mask-key-command")))
        return missing(err, "masking", "A key alone masks nothing.");
    if (rh_file_exists(rh_option_text(options, "out")))
        return rh_err_set(err, RH_ERR_USAGE, "\"%s\" is there already",
                          rh_option_text(options, "out"));
    return RH_OK;
}

static enum err_code read_file_key(const struct options *options, struct capture_options *capture,
                                   struct secrets *secrets, struct err *err)
{
    const char *file = rh_option_text(options, "workload-key");

    if (rh_option_flag(options, "unencrypted") || (!file && capture->masking_path))
        return RH_OK;
    capture->key = secrets->file_key.bytes;
    return rh_workload_make_key(options, file, rh_option_flag(options, "quiet"), &secrets->file_key,
                                err);
}

/* The masking.yaml of a snapshot, or the file itself. `*ret_snapshot_key`: the id of the snapshot's
   key; NULL. */
static enum err_code find_masking(const struct options *options, struct capture_options *capture,
                                  const char **ret_snapshot_key, struct err *err)
{
    const char *path = rh_option_text(options, "masking");
    struct manifest manifest;
    capture->masking_path = path;
    if (!rh_snapshot_is_own(path))
        return RH_OK;
    enum err_code code = rh_snapshot_read(path, options->arena, &manifest, err);
    if (code)
        return code;
    if (!manifest.is_masked || !manifest.key_id) {
        rh_err_set(err, RH_ERR_USAGE, "snapshot \"%s\" is not masked: there is nothing to do alike",
                   path);
        rh_err_hint(err, "Without --masking the workload holds production's values as that "
                         "snapshot does, and is encrypted.");
        return RH_ERR_USAGE;
    }
    capture->masking_path = rh_file_join(options->arena, path, SNAPSHOT_MASKING);
    *ret_snapshot_key = manifest.key_id;
    return RH_OK;
}

static enum err_code read_masking(const struct options *options, struct capture_options *capture,
                                  struct secrets *secrets, struct err *err)
{
    const char *snapshot_key = NULL;
    const char *key = getenv("REHEARSE_MASK_KEY"), *made = NULL;
    struct master_key_options source = {.file = rh_option_text(options, "mask-key-file"),
                                        .command = rh_option_text(options, "mask-key-command"),
                                        .text = key && key[0] ? key : NULL};
    enum err_code code;

    if (!rh_option_text(options, "masking"))
        return RH_OK;
    if ((code = find_masking(options, capture, &snapshot_key, err)))
        return code;
    source.must_exist = snapshot_key != NULL;
    code = rh_file_read(capture->masking_path, MASKING_BYTES_MAX, options->arena,
                        &capture->masking_yaml, err);
    if (!code)
        code = rh_master_key_load(&source, options->arena, &secrets->mask_key, &made, err);
    if (code)
        return code;
    if (made)
        rh_cli_note("note: a master key was made in \"%s\": only a snapshot made with it has the "
                    "rows that this workload asks for.",
                    made);
    (void)unsetenv("REHEARSE_MASK_KEY");
    rh_master_key_id(&secrets->mask_key, MASTER_KEY_PURPOSE_MASKING, secrets->mask_key_id);
    if (snapshot_key && strcmp(snapshot_key, secrets->mask_key_id) != 0) {
        rh_err_set(err, RH_ERR_USAGE,
                   "the snapshot is masked with key %s, and this is key %s: what the workload asks "
                   "for would not be there",
                   snapshot_key, secrets->mask_key_id);
        rh_err_hint(err, "Name the snapshot's key: --mask-key-file, --mask-key-command or "
                         "REHEARSE_MASK_KEY.");
        return RH_ERR_USAGE;
    }
    capture->mask_key = &secrets->mask_key;
    capture->mask_key_id = secrets->mask_key_id;
    return RH_OK;
}

static enum err_code read_options(const struct options *options, struct tls_options *tls,
                                  struct secrets *secrets, struct capture_options *capture,
                                  struct err *err)
{
    enum err_code code = check_together(options, err);

    if (code || (code = rh_capture_tls(options, tls, err)))
        return code;
    *capture = (struct capture_options){
        .engine = &rh_engine_postgres,
        .url = rh_option_text(options, "upstream"),
        .listen = rh_option_text(options, "listen"),
        .out = rh_option_text(options, "out"),
        .client_tls = tls->certificate_file ? tls : NULL,
        .requires_client_tls = rh_option_flag(options, "tls-required"),
        .ring_bytes = rh_option_number(options, "ring", 0),
        .spill_bytes = rh_option_number(options, "spill", 0),
        .copy_max_bytes = rh_option_number(options, "copy-max", 0),
        .max_bytes = rh_option_number(options, "max-bytes", 0),
        .sheds = rh_option_number(options, "when-full", 0) == 1,
        .starts_paused = rh_option_flag(options, "start-paused"),
        .exits_when_recorded = rh_option_number(options, "then", 0) == 1,
        .drain_us = rh_option_number(options, "drain", 0),
        .for_us = rh_option_number(options, "for", 0),
        .metrics = rh_option_text(options, "metrics"),
    };
    if ((code = read_masking(options, capture, secrets, err)))
        return code;
    return read_file_key(options, capture, secrets, err);
}

/* --- telling ------------------------------------------------------------------------------------
 */

struct teller {
    const struct options *options;
    const struct capture_options *capture;
    bool json, quiet;
};

static void on_note(void *context, const char *sentence)
{
    (void)context;
    rh_cli_note("%s", sentence);
}

static void on_ready(void *context)
{
    const struct teller *teller = context;
    struct err err = RH_ERR_INIT;
    json_t *event;

    if (!teller->json) {
        if (!teller->quiet)
            rh_cli_note("listening at %s; %s", teller->capture->listen,
                        teller->capture->starts_paused ? "SIGUSR1 begins to record, SIGTERM ends it"
                                                       : "recording; SIGTERM ends it");
        return;
    }
    event = json_object();
    json_object_set_new(event, "event", json_string("ready"));
    json_object_set_new(event, "listen", rh_json_text(teller->capture->listen));
    (void)!rh_cli_write_json(event, &err);
    json_decref(event);
}

static json_t *result_json(const struct teller *teller, const struct capture_result *result)
{
    json_t *event = json_object(), *gaps = json_array();

    for (size_t i = 0; i < result->totals.gaps.count; i++) {
        const struct workload_gap *gap = &result->totals.gaps.items[i];
        json_t *item = json_object();

        json_object_set_new(item, "kind", json_string(gap->kind));
        json_object_set_new(item, "count", json_integer(gap->count));
        json_object_set_new(item, "detail", json_string(gap->detail));
        json_array_append_new(gaps, item);
    }
    json_object_set_new(event, "event", json_string("workload"));
    json_object_set_new(event, "path", rh_json_text(teller->capture->out));
    json_object_set_new(event, "duration_us", json_integer(result->duration_us));
    json_object_set_new(event, "sessions", json_integer((json_int_t)result->path.sessions));
    json_object_set_new(event, "requests", json_integer((json_int_t)result->recorder.requests));
    json_object_set_new(event, "patterns", json_integer((json_int_t)result->recorder.patterns));
    json_object_set_new(event, "bytes", json_integer((json_int_t)result->recorder.bytes));
    json_object_set_new(event, "is_complete", json_boolean(result->totals.is_complete));
    json_object_set_new(event, "gaps", gaps);
    return event;
}

static void tell_text(const struct teller *teller, const struct capture_result *result,
                      struct buf *out)
{
    char requests[32], sessions[32], patterns[32], bytes[24], duration[24];

    rh_count_format((int64_t)result->recorder.requests, requests);
    rh_count_format((int64_t)result->path.sessions, sessions);
    rh_count_format((int64_t)result->recorder.patterns, patterns);
    rh_bytes_format((int64_t)result->recorder.bytes, bytes);
    rh_duration_format(result->duration_us, duration);
    rh_buf_printf(out, "%s: %s requests of %s sessions in %s, %s patterns, %s\n",
                  teller->capture->out, requests, sessions, duration, patterns, bytes);
    if (!result->totals.is_complete)
        rh_buf_add_str(out, "It is not complete: the recording failed.\n");
    for (size_t i = 0; i < result->totals.gaps.count; i++) {
        const struct workload_gap *gap = &result->totals.gaps.items[i];

        rh_buf_printf(out, "  %s: %" PRId64 " (%s)\n", gap->kind, gap->count, gap->detail);
    }
}

static int tell_json(const struct teller *teller, const struct capture_result *result)
{
    struct err err = RH_ERR_INIT;
    json_t *event = result_json(teller, result);
    enum err_code code = rh_cli_write_json(event, &err);

    json_decref(event);
    return code ? rh_cli_fail(&err) : 0;
}

static int tell(const struct teller *teller, const struct capture_result *result)
{
    RH_CLEANUP_BUF struct buf text;

    rh_buf_init(&text, OUTPUT_MAX_BYTES);
    if (teller->json)
        return tell_json(teller, result);
    tell_text(teller, result, &text);
    return rh_cli_finish(rh_buf_text(&text), 0);
}

/* --- running it ---------------------------------------------------------------------------------
 */

static int capture(const struct options *options)
{
    struct capture_options capture = {.listen = NULL};
    struct tls_options tls;
    struct secrets secrets = {.mask_key_id = ""};
    struct capture_result result = {.duration_us = 0};
    struct teller teller = {.options = options,
                            .capture = &capture,
                            .json = rh_option_flag(options, "json"),
                            .quiet = rh_option_flag(options, "quiet")};
    struct err err = RH_ERR_INIT;
    enum err_code code;
    int status = 0;

    if (teller.json && rh_cli_write_json_start(&err))
        return rh_cli_fail(&err);
    code = read_options(options, &tls, &secrets, &capture, &err);
    (void)unsetenv("REHEARSE_UPSTREAM");
    if (!code) {
        capture.context = &teller;
        capture.note = on_note;
        capture.ready = on_ready;
        code = rh_capture_run(&capture, options->arena, &result, &err);
        if (result.has_file)
            status = tell(&teller, &result);
    }
    rh_master_key_wipe(&secrets.file_key);
    rh_master_key_wipe(&secrets.mask_key);
    if (code)
        return rh_cli_fail_as(teller.json, &err);
    return status;
}

static int run(const struct options *parsed)
{
    struct options options = *parsed;
    int status;

    rh_cli_forbid_core_files();
    status = rh_run_options_complete(&options, NULL);
    return status ? status : capture(&options);
}
