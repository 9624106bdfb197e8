#include "cmd/cli.h"
#include "cmd/run_options.h"
#include "cmd/workload_open.h"

#include "base/interrupt.h"

#include <stdio.h>

static const char *const formats[] = {"ndjson", "sql", NULL};
enum { FORMAT_NDJSON, FORMAT_SQL };

static const struct option rows[] = {
    {
        .name = "format",
        .kind = OPTION_CHOICE,
        .value_name = "FORMAT",
        .choices = formats,
        .group = GROUP_OUTPUT,
        .default_text = "ndjson",
        .is_common = true,
        .help = "ndjson: every event; sql: the patterns.",
    },
    {
        .name = "show-values",
        .kind = OPTION_FLAG,
        .group = GROUP_OUTPUT,
        .not_in_file = true,
        .is_common = true,
        .help = "With the bytes of messages: queries, parameters.",
        .details = "Without it events tell sizes and patterns. Bytes are in hexadecimal.",
    },
    OPTION_ROW_WORKLOAD_KEY,
};

/* Lines are written together. */
#define WRITE_BYTES ((size_t)256 * 1024)

static const char *kind_name(enum workload_event_kind kind)
{
    switch (kind) {
    case WORKLOAD_SESSION_BEGUN:
        return "session begun";
    case WORKLOAD_REQUEST:
        return "request";
    case WORKLOAD_ANSWER:
        return "answer";
    case WORKLOAD_CANCEL:
        return "cancel";
    case WORKLOAD_SESSION_ENDED:
        return "session ended";
    }
    return "?";
}

static void add_json_string(struct buf *out, const char *text)
{
    struct text all = rh_text(text);
    bool is_utf8 = rh_text_utf8_valid_prefix(all) == all.len;
    rh_buf_add_char(out, '"');
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\')
            rh_buf_printf(out, "\\%c", *p);
        else if (*p < 0x20)
            rh_buf_printf(out, "\\u%04x", *p);
        else if (*p >= 0x80 && !is_utf8)
            rh_buf_add_char(out, '?');
        else
            rh_buf_add_char(out, (char)*p);
    }
    rh_buf_add_char(out, '"');
}

static void add_hex(struct buf *out, const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        rh_buf_printf(out, "%02x", ((const unsigned char *)bytes)[i]);
}

static void add_messages(struct buf *out, const struct workload_event *event, bool shows_values)
{
    rh_buf_add_str(out, ",\"messages\":[");
    for (size_t i = 0; i < event->message_count; i++) {
        const struct workload_message *message = &event->messages[i];
        rh_buf_printf(out, "%s{\"type\":\"%c\",\"pattern\":%u,\"bytes\":%zu", i ? "," : "",
                      message->type, (unsigned)message->pattern, message->body.len);
        if (message->left_out_bytes > 0)
            rh_buf_printf(out, ",\"left_out_bytes\":%llu",
                          (unsigned long long)message->left_out_bytes);
        if (message->is_redacted)
            rh_buf_add_str(out, ",\"is_redacted\":true");
        if (shows_values) {
            rh_buf_add_str(out, ",\"body\":\"");
            add_hex(out, message->body.data, message->body.len);
            rh_buf_add_char(out, '"');
        }
        rh_buf_add_char(out, '}');
    }
    rh_buf_add_char(out, ']');
}

static void add_results(struct buf *out, const struct workload_event *event)
{
    rh_buf_printf(
        out, ",\"first_byte_us\":%lld,\"transaction_status\":", (long long)event->first_byte_us);
    const char status[2] = {event->transaction_status, '\0'};
    add_json_string(out, status);
    rh_buf_add_str(out, ",\"results\":[");
    for (size_t i = 0; i < event->result_count; i++) {
        const struct workload_result *result = &event->results[i];
        rh_buf_printf(out, "%s{\"pattern\":%u,\"rows\":%lld,\"returned\":%lld", i ? "," : "",
                      (unsigned)result->pattern, (long long)result->rows,
                      (long long)result->returned);
        if (result->sqlstate[0] != '\0') {
            rh_buf_add_str(out, ",\"sqlstate\":");
            add_json_string(out, result->sqlstate);
        }
        if (result->has_digest) {
            rh_buf_add_str(out, ",\"unordered\":\"");
            add_hex(out, result->unordered, WORKLOAD_DIGEST_BYTES);
            rh_buf_add_str(out, "\",\"ordered\":\"");
            add_hex(out, result->ordered, WORKLOAD_DIGEST_BYTES);
            rh_buf_add_char(out, '"');
        }
        rh_buf_add_char(out, '}');
    }
    rh_buf_add_char(out, ']');
}

static void add_event(struct buf *out, const struct workload_event *event, bool shows_values)
{
    rh_buf_printf(out, "{\"event\":\"%s\",\"session\":%llu,\"at_us\":%lld", kind_name(event->kind),
                  (unsigned long long)event->session, (long long)event->at_us);
    if (event->request != 0)
        rh_buf_printf(out, ",\"request\":%llu", (unsigned long long)event->request);
    if (event->begun != NULL) {
        rh_buf_add_str(out, ",\"user\":");
        add_json_string(out, event->begun->user);
        rh_buf_add_str(out, ",\"database\":");
        add_json_string(out, event->begun->database);
        rh_buf_printf(out, ",\"is_midway\":%s", event->begun->is_midway ? "true" : "false");
    }
    if (event->kind == WORKLOAD_REQUEST)
        add_messages(out, event, shows_values);
    if (event->kind == WORKLOAD_ANSWER)
        add_results(out, event);
    if (event->kind == WORKLOAD_SESSION_ENDED && event->was_cut)
        rh_buf_add_str(out, ",\"was_cut\":true");
    rh_buf_add_str(out, "}\n");
}

static enum err_code export_events(struct workload_reader *reader, bool shows_values,
                                   struct err *err)
{
    struct workload_source source = rh_workload_reader_source(reader);
    const struct workload_event *event = NULL;
    RH_CLEANUP_BUF struct buf out;
    /* An event in hexadecimal, with room for what is around its bytes. */
    rh_buf_init(&out, WRITE_BYTES + 4 * (size_t)WORKLOAD_EVENT_BYTES_MAX);
    do {
        enum err_code code = source.next(source.context, &event, err);
        if (code != RH_OK)
            return code;
        if (event != NULL)
            add_event(&out, event, shows_values);
        if (event == NULL || out.len >= WRITE_BYTES) {
            if (rh_interrupt_signal() > 0)
                return rh_err_set(err, RH_ERR_INTERRUPTED, "interrupted");
            code = rh_cli_write(rh_buf_text(&out), err);
            if (code != RH_OK)
                return code;
            rh_buf_clear(&out);
        }
    } while (event != NULL);
    return RH_OK;
}

static enum err_code export_patterns(const struct workload_reader *reader, struct err *err)
{
    enum err_code code = RH_OK;
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, OUTPUT_MAX_BYTES);
    for (uint32_t i = 1; code == RH_OK && i <= rh_workload_reader_pattern_count(reader); i++) {
        const struct workload_pattern *pattern = rh_workload_reader_pattern(reader, i);
        const struct workload_pattern_sums *sums = rh_workload_reader_sums(reader, i);
        rh_buf_printf(&out, "-- pattern %u: %lld calls, %lld us\n%s;\n", (unsigned)i,
                      (long long)sums->calls, (long long)sums->total_us, pattern->query);
        if (out.len < WRITE_BYTES)
            continue;
        code = rh_cli_write(rh_buf_text(&out), err);
        rh_buf_clear(&out);
    }
    return code == RH_OK ? rh_cli_write(rh_buf_text(&out), err) : code;
}

static int run(const struct options *parsed)
{
    struct options options = *parsed;
    const char *path = NULL;
    struct err err = RH_ERR_INIT;
    struct workload_reader *reader = NULL;
    int status = rh_run_options_complete(&options, NULL);
    if (status)
        return status;
    enum err_code code = rh_workload_named(&options, &path, &err);
    if (code == RH_OK)
        code = rh_workload_open(&options, path, &reader, &err);
    if (code == RH_OK && rh_option_number(&options, "format", FORMAT_NDJSON) == FORMAT_SQL)
        code = export_patterns(reader, &err);
    else if (code == RH_OK)
        code = export_events(reader, rh_option_flag(&options, "show-values"), &err);
    rh_workload_reader_free(reader);
    return code == RH_OK ? 0 : rh_cli_fail(&err);
}

static const char *const usage[] = {"rehearse workload export WORKLOAD [OPTIONS]", NULL};
static const char *const description[] = {
    "Writes a workload to standard output for other programs: its events as JSON, one a line, in "
    "the order in which they happened, or its patterns as SQL.",
    "Values are left out unless --show-values asks for them.", NULL};
static const char *const examples[] = {"rehearse workload export app.workload | jq .event",
                                       "rehearse workload export app.workload --format sql", NULL};

const struct command rh_command_workload_export = {
    .name = "workload export",
    .summary = "a workload as JSON or SQL",
    .usage = usage,
    .description = description,
    .examples = examples,
    .options = rows,
    .option_count = sizeof(rows) / sizeof(*rows),
    .positional_name = "WORKLOAD",
    .positional_max = 1,
    .run = run,
};
