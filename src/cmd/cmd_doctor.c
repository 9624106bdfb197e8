#include "base/interrupt.h"
#include "cmd/capture_options.h"
#include "cmd/cli.h"
#include "cmd/doctor.h"
#include "cmd/run_options.h"
#include "cmd/snapshot_options.h"
#include "engine/engine.h"

#include <stdlib.h>
#include <unistd.h>

static const struct option rows[] = {
    OPTION_ROW_UPSTREAM,
    OPTION_ROW_LISTEN,
    OPTION_ROW_TLS_CERT,
    OPTION_ROW_TLS_KEY,
    OPTION_ROW_TLS_REQUIRED,
    OPTION_ROW_TLS_CLIENT_CA,
    OPTION_ROW_TLS_CLIENT_CERTS,
    OPTION_ROW_FROM,
    OPTION_ROW_SERVER_BIN,
    OPTION_ROW_SERVER_USER,
    OPTION_ROW_SANDBOX_DIR,
    OPTION_ROW_TIMEOUT,
    OPTION_ROW_JSON_OBJECT(NULL, "The same as one JSON object."),
    OPTION_ROW_QUIET,
    OPTION_ROW_CONFIG,
    OPTION_ROW_NO_CONFIG,
};

static enum err_code examine(struct doctor *doctor, const struct options *run,
                             const struct options *capture, const struct options *snapshot,
                             struct err *err)
{
    const struct sandbox_options sandbox = rh_run_sandbox_options(run, doctor->progress);
    struct tls_options tls;
    const char *upstream = rh_option_text(capture, "upstream");
    const char *from = rh_option_text(snapshot, "from");
    /* The machine that captures, or copies, is often not the one that rehearses. */
    bool has_path = rh_option_value(capture, "upstream")->origin == ORIGIN_FLAG ||
                    rh_option_value(snapshot, "from")->origin == ORIGIN_FLAG;
    enum err_code code;

    if (!upstream && (rh_option_value(capture, "listen")->origin == ORIGIN_FLAG ||
                      rh_option_value(capture, "tls-cert")->origin == ORIGIN_FLAG)) {
        rh_err_set(err, RH_ERR_USAGE, "--upstream is missing");
        rh_err_hint(err, "--upstream postgresql://db1:5432/shop says what a capture would stand "
                         "in front of.");
        return RH_ERR_USAGE;
    }
    if ((code = rh_capture_tls(capture, &tls, err)) ||
        (!has_path && (code = rh_doctor_machine(doctor, &sandbox, err))))
        return code;
    if (upstream) {
        const struct doctor_capture path = {
            .engine = &rh_engine_postgres,
            .url = upstream,
            .listen = rh_option_text(capture, "listen"),
            .client_tls = tls.certificate_file ? &tls : NULL,
            .requires_client_tls = rh_option_flag(capture, "tls-required")};

        if ((code = rh_doctor_capture(doctor, &path, err)))
            return code;
    }
    if (from && (code = rh_doctor_source(doctor, &rh_engine_postgres, from, err)))
        return code;
    /* What was ended by it may have been told as a finding. */
    return rh_interrupt_check(err);
}

static int tell(const struct doctor *doctor, bool is_json)
{
    int status = rh_doctor_problems(doctor) > 0 ? 1 : 0;
    RH_CLEANUP_BUF struct buf out;

    rh_buf_init(&out, OUTPUT_MAX_BYTES);
    if (is_json) {
        int written = rh_cli_finish_json(rh_doctor_json(doctor));

        return written ? written : status;
    }
    rh_doctor_text(doctor, &out);
    return rh_cli_finish(rh_buf_text(&out), status);
}

static int run(const struct options *parsed)
{
    struct options run, capture, snapshot;
    struct err err = RH_ERR_INIT;
    struct doctor doctor = {.arena = parsed->arena, .facts = json_object()};
    int status;

    rh_cli_forbid_core_files();
    status = rh_run_options_of(parsed, &rh_command_run, true, &run);
    if (!status)
        status = rh_run_options_of(parsed, &rh_command_capture, false, &capture);
    if (!status)
        status = rh_run_options_of(parsed, &rh_command_snapshot_create, false, &snapshot);
    if (!status) {
        (void)unsetenv("REHEARSE_UPSTREAM");
        (void)unsetenv("REHEARSE_FROM");
        doctor.progress = rh_run_begin(&run);
        if (examine(&doctor, &run, &capture, &snapshot, &err)) {
            rh_progress_free(doctor.progress);
            status = rh_cli_fail(&err);
        } else {
            rh_progress_free(doctor.progress);
            status = tell(&doctor, rh_option_flag(parsed, "json"));
        }
    }
    json_decref(doctor.facts);
    return status;
}

static const char *const usage[] = {
    "rehearse doctor [OPTIONS]", "rehearse doctor --upstream URL [--listen ADDRESS] [TLS OPTIONS]",
    "rehearse doctor --from URL", NULL};
static const char *const description[] = {
    "Tries what a rehearsal needs of this machine: servers, a sandbox, every way to clone it, "
    "isolation of commands, memory, disk and programs.",
    "With --upstream and the options of \"rehearse capture\" it tells instead what clients of such "
    "a "
    "capture will meet: TLS on both legs, what the server asks for, and whether SCRAM can be bound "
    "to the channel. The server is asked, and no password is sent for that. With --from it tells "
    "what the role lacks for \"rehearse snapshot create\".",
    "What the environment or rehearse.yaml say for these commands counts here, too; without one of "
    "the two options all of it is looked at, the machine included. Exit status: 0 without a "
    "problem, 1 with one.",
    NULL};
static const char *const examples[] = {
    "rehearse doctor", "rehearse doctor --upstream postgresql://app@db1/shop --listen :6432",
    "rehearse doctor --from postgresql://reader@db2/shop --json", NULL};

const struct command rh_command_doctor = {
    .name = "doctor",
    .summary = "what works on this machine and before a server",
    .usage = usage,
    .description = description,
    .examples = examples,
    .options = rows,
    .option_count = sizeof(rows) / sizeof(*rows),
    .run = run,
};
