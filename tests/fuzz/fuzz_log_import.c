/*
 * Fuzz target of the log importers: any bytes, taken for a stderr log (with a prefix of a list),
 * csvlog or jsonlog, give statements or nothing; never a crash. Built for libFuzzer with clang, and
 * with fuzz_log_import_replay.c by any compiler.
 *
 * Input: [0] which form, which prefix; the rest are lines.
 */
#include "workload/log_statements.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The lines of a record: a message, and its DETAIL or STATEMENT by turns. */
static void feed(struct log_statements *statements, uint8_t choice, struct arena *arena,
                 struct text line, struct log_record *last)
{
    struct log_record record = {0};
    struct text rest;
    struct err err = RH_ERR_INIT;
    bool is_record;
    if (choice % 3 == 0) {
        size_t count = 0;
        while (rh_log_prefixes[count] != NULL)
            count++;
        const struct log_prefix *prefix = rh_log_prefix(arena, rh_log_prefixes[choice / 3 % count]);
        is_record = rh_log_prefix_match(prefix, arena, line, &record, &rest);
        if (is_record && strcmp(record.severity, "DETAIL") == 0) {
            last->detail = record.message;
            record = *last;
        } else if (is_record && strcmp(record.severity, "STATEMENT") == 0) {
            last->statement = record.message;
            record = *last;
        }
        is_record = is_record && record.severity != NULL;
    } else if (choice % 3 == 1) {
        (void)rh_log_csv_is_open(line);
        is_record = rh_log_csv_record(arena, line, &record);
    } else {
        is_record = rh_log_json_record(arena, line, &record);
    }
    if (!is_record)
        return;
    (void)!rh_log_statements_add(statements, &record, &err);
    *last = record;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct import_maker *maker = rh_import_maker_new("/nowhere");
    struct log_statements *statements = rh_log_statements_new(maker);
    struct arena *arena = rh_arena_new();
    struct log_record last = {0};
    struct err err = RH_ERR_INIT;
    struct text rest = {(const char *)data + 1, size - 1};
    while (rest.len > 0) {
        const char *end = memchr(rest.data, '\n', rest.len);
        size_t length = end ? (size_t)(end - rest.data) : rest.len;
        feed(statements, data[0], arena, (struct text){rest.data, length}, &last);
        length += end != NULL;
        rest.data += length;
        rest.len -= length;
    }
    (void)!rh_log_statements_finish(statements, &err);
    rh_log_statements_free(statements);
    rh_import_maker_free(maker);
    rh_arena_free(arena);
    return 0;
}
