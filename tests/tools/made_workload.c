/*
 * Makes a workload file from lines of JSON: made_workload OUT < lines. The first line is the head,
 * {"types": [[oid, schema, name, kind, element], ...], "patterns": [{"query", "flags", "reads",
 * "writes"}, ...]}; then an event each: {"k": "begun|request|answer|cancel|ended", "s": session,
 * "t": us, ...}. Bodies are in hexadecimal.
 */
#include "store/workload_file.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text(const json_t *json, const char *name)
{
    const char *value = json_string_value(json_object_get(json, name));
    return value ? value : "";
}

static int64_t number(const json_t *json, const char *name)
{
    return json_integer_value(json_object_get(json, name));
}

static struct text bytes(struct arena *arena, const char *hex)
{
    size_t length = strlen(hex) / 2;
    char *data = rh_arena_alloc(arena, length + 1);
    for (size_t i = 0; i < length; i++)
        data[i] = (char)(rh_hex_value(hex[2 * i]) << 4 | rh_hex_value(hex[2 * i + 1]));
    return (struct text){data, length};
}

static const char **names(struct arena *arena, const json_t *list, size_t *ret_count)
{
    *ret_count = json_array_size(list);
    const char **items = rh_arena_alloc_array(arena, *ret_count + 1, sizeof(*items));
    for (size_t i = 0; i < *ret_count; i++)
        items[i] = rh_arena_strdup(arena, json_string_value(json_array_get(list, i)));
    return items;
}

static struct workload_message *messages(struct arena *arena, const json_t *list, size_t *ret_count)
{
    *ret_count = json_array_size(list);
    struct workload_message *items = rh_arena_alloc_array(arena, *ret_count + 1, sizeof(*items));
    for (size_t i = 0; i < *ret_count; i++) {
        const json_t *it = json_array_get(list, i);
        items[i] = (struct workload_message){.type = (unsigned char)text(it, "type")[0],
                                             .pattern = (uint32_t)number(it, "pattern"),
                                             .body = bytes(arena, text(it, "body")),
                                             .left_out_bytes = (uint64_t)number(it, "left_out"),
                                             .is_redacted = number(it, "redacted") != 0};
    }
    return items;
}

static struct workload_result *results(struct arena *arena, const json_t *list, size_t *ret_count)
{
    *ret_count = json_array_size(list);
    struct workload_result *items = rh_arena_alloc_array(arena, *ret_count + 1, sizeof(*items));
    for (size_t i = 0; i < *ret_count; i++) {
        const json_t *it = json_array_get(list, i);
        items[i] = (struct workload_result){.pattern = (uint32_t)number(it, "pattern"),
                                            .rows = number(it, "rows"),
                                            .returned = number(it, "returned")};
        snprintf(items[i].sqlstate, sizeof(items[i].sqlstate), "%s", text(it, "sqlstate"));
    }
    return items;
}

static struct workload_session *session(struct arena *arena, const json_t *line)
{
    struct workload_session *begun = RH_NEW(arena, struct workload_session);
    const char *name;
    json_t *value;
    begun->number = (uint64_t)number(line, "s");
    begun->user = rh_arena_strdup(arena, text(line, "user"));
    begun->database = rh_arena_strdup(arena, text(line, "database"));
    begun->is_midway = json_is_true(json_object_get(line, "midway"));
    begun->lacks = "";
    begun->prologue.items = messages(arena, json_object_get(line, "prologue"),
                                     &begun->prologue.count);
    json_object_foreach(json_object_get(line, "startup"), name, value) *
        RH_PUSH(arena, &begun->startup) = (struct workload_setting){
        rh_arena_strdup(arena, name), rh_arena_strdup(arena, json_string_value(value))};
    return begun;
}

static struct workload_event event_of(struct arena *arena, const json_t *line)
{
    static const char *const kinds[] = {"begun", "request", "answer", "cancel", "ended"};
    struct workload_event event = {.session = (uint64_t)number(line, "s"),
                                   .at_us = number(line, "t"),
                                   .request = (uint64_t)number(line, "r")};
    for (size_t i = 0; i < 5; i++)
        if (strcmp(text(line, "k"), kinds[i]) == 0)
            event.kind = (enum workload_event_kind)i;
    if (event.kind == WORKLOAD_SESSION_BEGUN)
        event.begun = session(arena, line);
    event.messages = messages(arena, json_object_get(line, "messages"), &event.message_count);
    event.results = results(arena, json_object_get(line, "results"), &event.result_count);
    event.first_byte_us = event.at_us;
    event.transaction_status = text(line, "status")[0];
    return event;
}

static void read_head(struct arena *arena, const json_t *head, struct workload_about *about)
{
    const json_t *types = json_object_get(head, "types");
    about->origin = WORKLOAD_CAPTURE;
    about->server_version = "15";
    about->encoding = "UTF8";
    about->started_at = "2026-01-01T00:00:00Z";
    about->masking_key_id = "";
    for (size_t i = 0; i < json_array_size(types); i++) {
        const json_t *it = json_array_get(types, i);
        *RH_PUSH(arena, &about->types) = (struct workload_type){
            .oid = (uint32_t)json_integer_value(json_array_get(it, 0)),
            .schema = rh_arena_strdup(arena, json_string_value(json_array_get(it, 1))),
            .name = rh_arena_strdup(arena, json_string_value(json_array_get(it, 2))),
            .kind = json_string_value(json_array_get(it, 3))[0],
            .element = (uint32_t)json_integer_value(json_array_get(it, 4))};
    }
}

static enum err_code add_patterns(struct arena *arena, struct workload_writer *writer,
                                  const json_t *list, struct err *err)
{
    enum err_code code = RH_OK;
    for (size_t i = 0; i < json_array_size(list) && !code; i++) {
        const json_t *it = json_array_get(list, i);
        struct workload_pattern pattern = {.number = (uint32_t)i + 1,
                                           .fingerprint = i + 1,
                                           .query = text(it, "query"),
                                           .flags = (unsigned)number(it, "flags")};
        pattern.reads.items = names(arena, json_object_get(it, "reads"), &pattern.reads.count);
        pattern.writes.items = names(arena, json_object_get(it, "writes"), &pattern.writes.count);
        code = rh_workload_writer_pattern(writer, &pattern, err);
    }
    return code;
}

int main(int argc, char **argv)
{
    struct err err = RH_ERR_INIT;
    struct workload_about about = {0};
    struct workload_writer *writer = NULL;
    struct workload_totals totals = {.is_complete = true};
    RH_CLEANUP_ARENA struct arena *kept = rh_arena_new();
    char *line = NULL, shown[4096];
    size_t capacity = 0;
    enum err_code code = RH_OK;

    if (argc != 2)
        return 2;
    for (unsigned long count = 0; !code && getline(&line, &capacity, stdin) > 0; count++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        json_t *json = json_loads(line, 0, NULL);
        if (!json)
            return 2;
        if (count == 0) {
            read_head(kept, json, &about);
            code = rh_workload_writer_open(argv[1], &about, NULL, &writer, &err);
            if (!code)
                code = add_patterns(kept, writer, json_object_get(json, "patterns"), &err);
        } else {
            const struct workload_event event = event_of(arena, json);
            code = rh_workload_writer_event(writer, &event, &err);
        }
        json_decref(json);
    }
    free(line);
    if (!code)
        code = rh_workload_writer_finish(writer, &totals, &err);
    rh_workload_writer_free(writer);
    if (code) {
        rh_err_format(&err, shown, sizeof(shown));
        fputs(shown, stderr);
    }
    return code ? 1 : 0;
}
