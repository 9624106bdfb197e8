/*
 * The events of a workload as lines of JSON, for tests: workload_events FILE [KEY_HEX].
 * Bodies are hexadecimal.
 */
#include "store/workload_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void put_string(const char *s)
{
    putchar('"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            printf("\\u%04x", (unsigned)*s);
        else
            putchar(*s);
    }
    putchar('"');
}

static void put_hex(const void *data, size_t length)
{
    const unsigned char *bytes = data;
    putchar('"');
    for (size_t i = 0; i < length; i++)
        printf("%02x", bytes[i]);
    putchar('"');
}

static void put_messages(const struct workload_message *messages, size_t count)
{
    putchar('[');
    for (size_t i = 0; i < count; i++) {
        const struct workload_message *message = &messages[i];
        printf("%s{\"type\":\"%c\",\"pattern\":%" PRIu32 ",\"left_out\":%" PRIu64
               ",\"redacted\":%s,\"body\":",
               i ? "," : "", message->type, message->pattern, message->left_out_bytes,
               message->is_redacted ? "true" : "false");
        put_hex(message->body.data, message->body.len);
        putchar('}');
    }
    putchar(']');
}

static void put_begun(const struct workload_session *begun)
{
    printf(",\"user\":");
    put_string(begun->user);
    printf(",\"database\":");
    put_string(begun->database);
    printf(",\"midway\":%s,\"lacks\":", begun->is_midway ? "true" : "false");
    put_string(begun->lacks);
    printf(",\"reported\":{");
    for (size_t i = 0; i < begun->reported.count; i++) {
        printf(i ? "," : "");
        put_string(begun->reported.items[i].name);
        putchar(':');
        put_string(begun->reported.items[i].value);
    }
    printf("},\"startup\":{");
    for (size_t i = 0; i < begun->startup.count; i++) {
        printf(i ? "," : "");
        put_string(begun->startup.items[i].name);
        putchar(':');
        put_string(begun->startup.items[i].value);
    }
    printf("},\"prologue\":");
    put_messages(begun->prologue.items, begun->prologue.count);
}

static void put_results(const struct workload_event *event)
{
    printf(",\"first_byte_us\":%" PRId64 ",\"status\":\"%.1s\",\"results\":[", event->first_byte_us,
           event->transaction_status ? &event->transaction_status : "");
    for (size_t i = 0; i < event->result_count; i++) {
        const struct workload_result *result = &event->results[i];
        printf("%s{\"pattern\":%" PRIu32 ",\"rows\":%" PRId64 ",\"returned\":%" PRId64
               ",\"sqlstate\":\"%s\",\"suspended\":%s,\"has_digest\":%s,\"unordered\":",
               i ? "," : "", result->pattern, result->rows, result->returned, result->sqlstate,
               result->is_suspended ? "true" : "false", result->has_digest ? "true" : "false");
        put_hex(result->unordered, sizeof(result->unordered));
        printf(",\"ordered\":");
        put_hex(result->ordered, sizeof(result->ordered));
        putchar('}');
    }
    putchar(']');
}

static void put(const struct workload_event *event)
{
    static const char *const kinds[] = {"begun", "request", "answer", "cancel", "ended"};
    printf("{\"kind\":\"%s\",\"session\":%" PRIu64 ",\"at_us\":%" PRId64 ",\"request\":%" PRIu64,
           kinds[event->kind], event->session, event->at_us, event->request);
    switch (event->kind) {
    case WORKLOAD_SESSION_BEGUN:
        put_begun(event->begun);
        break;
    case WORKLOAD_REQUEST:
        printf(",\"messages\":");
        put_messages(event->messages, event->message_count);
        break;
    case WORKLOAD_ANSWER:
        put_results(event);
        break;
    case WORKLOAD_CANCEL:
        break;
    case WORKLOAD_SESSION_ENDED:
        printf(",\"was_cut\":%s", event->was_cut ? "true" : "false");
        break;
    }
    puts("}");
}

static void put_head(const struct workload_reader *reader)
{
    const struct workload_totals *totals = rh_workload_reader_totals(reader);
    printf("{\"kind\":\"head\",\"masked\":%s,\"complete\":%s,\"types\":[",
           rh_workload_reader_about(reader)->is_masked ? "true" : "false",
           totals->is_complete ? "true" : "false");
    for (size_t i = 0; i < rh_workload_reader_about(reader)->types.count; i++) {
        printf(i ? "," : "");
        put_string(rh_workload_reader_about(reader)->types.items[i].name);
    }
    printf("],\"gaps\":{");
    for (size_t i = 0; i < totals->gaps.count; i++) {
        printf(i ? "," : "");
        put_string(totals->gaps.items[i].kind);
        printf(":%" PRId64, totals->gaps.items[i].count);
    }
    printf("},\"patterns\":[null");
    for (uint32_t i = 1; i <= rh_workload_reader_pattern_count(reader); i++) {
        putchar(',');
        put_string(rh_workload_reader_pattern(reader, i)->query);
    }
    puts("]}");
}

int main(int argc, char **argv)
{
    struct err err = RH_ERR_INIT;
    struct workload_reader *reader = NULL;
    const struct workload_event *event = NULL;
    uint8_t key[WORKLOAD_KEY_BYTES] = {0};
    if (argc < 2)
        return 2;
    for (size_t i = 0; argc > 2 && i < sizeof(key); i++)
        key[i] = (uint8_t)(rh_hex_value(argv[2][2 * i]) << 4 | rh_hex_value(argv[2][2 * i + 1]));
    if (rh_workload_reader_open(argv[1], argc > 2 ? key : NULL, &reader, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    put_head(reader);
    struct workload_source source = rh_workload_reader_source(reader);
    enum err_code code;
    while (!(code = source.next(source.context, &event, &err)) && event)
        put(event);
    if (code)
        fprintf(stderr, "%s\n", err.message);
    rh_workload_reader_free(reader);
    return code ? 1 : 0;
}
