/*
 * Makes a workload of what it reads, for tests: one session after the other, a line a message,
 * fields split by tabs.
 *
 *     make_workload OUT < script
 *
 *     S  user  database              a session begins
 *     Q  sql                         a query message
 *     P  name  sql                   Parse, of a name
 *     E  name  value ...             Bind, Execute, Sync; "\N" for NULL; of the name "" what was
 *                                    parsed last
 *     B  name  value ...             the same, and asks for the rows in binary
 *
 * Each execution takes a millisecond, every second holds as many as there are.
 */
#include "net/pg_codec.h"
#include "sql/pattern.h"
#include "store/workload_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES ((size_t)1024 * 1024)
#define STATEMENTS_MAX 1000

struct maker {
    struct arena *arena;
    struct workload_writer *writer;
    VEC(struct workload_pattern) patterns;
    uint64_t session, request;
    int64_t now_us;
    struct {
        char *name;
        uint32_t pattern;
    } statements[STATEMENTS_MAX];
    size_t statement_count;
    struct buf parse; /* of the unnamed statement, which goes along with its Bind */
    uint32_t unnamed;
};

static void check(enum err_code code, const struct err *err)
{
    char text[4096];
    if (!code)
        return;
    rh_err_format(err, text, sizeof(text));
    fputs(text, stderr);
    exit(1);
}

static uint32_t pattern_of(struct maker *maker, const char *sql)
{
    struct workload_pattern pattern = {0};
    const char *executes = NULL;
    struct err err = RH_ERR_INIT;
    rh_sql_pattern(maker->arena, rh_text(sql), &pattern, &executes);
    for (size_t i = 0; i < maker->patterns.count; i++)
        if (maker->patterns.items[i].fingerprint == pattern.fingerprint)
            return maker->patterns.items[i].number;
    pattern.number = (uint32_t)maker->patterns.count + 1;
    *RH_PUSH(maker->arena, &maker->patterns) = pattern;
    check(rh_workload_writer_pattern(maker->writer, &pattern, &err), &err);
    return pattern.number;
}

static void write_event(struct maker *maker, struct workload_event event)
{
    struct err err = RH_ERR_INIT;
    event.session = maker->session;
    event.at_us = maker->now_us;
    check(rh_workload_writer_event(maker->writer, &event, &err), &err);
}

static void request(struct maker *maker, struct workload_message *messages, size_t count,
                    uint32_t pattern)
{
    struct workload_result result = {.pattern = pattern, .rows = -1};
    maker->request++;
    maker->now_us += 1000;
    write_event(maker, (struct workload_event){.kind = WORKLOAD_REQUEST,
                                               .request = maker->request,
                                               .messages = messages,
                                               .message_count = count});
    maker->now_us += 1000;
    write_event(maker, (struct workload_event){.kind = WORKLOAD_ANSWER,
                                               .request = maker->request,
                                               .first_byte_us = maker->now_us,
                                               .transaction_status = 'I',
                                               .results = &result,
                                               .result_count = pattern ? 1 : 0});
}

static void begin(struct maker *maker, const char *user, const char *database)
{
    struct workload_session session = {.user = user, .database = database, .lacks = ""};
    session.number = ++maker->session;
    maker->request = 0;
    maker->statement_count = 0;
    maker->now_us += 1000;
    write_event(maker, (struct workload_event){.kind = WORKLOAD_SESSION_BEGUN, .begun = &session});
}

static void end(struct maker *maker)
{
    if (maker->session > 0)
        write_event(maker, (struct workload_event){.kind = WORKLOAD_SESSION_ENDED});
}

static void query(struct maker *maker, const char *sql)
{
    struct workload_message message = {
        .type = 'Q', .pattern = pattern_of(maker, sql), .body = {sql, strlen(sql) + 1}};
    request(maker, &message, 1, message.pattern);
}

static void parse(struct maker *maker, const char *name, const char *sql)
{
    uint32_t pattern = pattern_of(maker, sql);
    struct buf *body = &maker->parse;
    rh_buf_clear(body);
    rh_buf_add(body, name, strlen(name) + 1);
    rh_buf_add(body, sql, strlen(sql) + 1);
    rh_buf_add(body, "\0\0", 2);
    maker->unnamed = pattern;
    if (!name[0])
        return;
    struct workload_message messages[] = {{.type = 'P', .body = rh_buf_text(body)}, {.type = 'S'}};
    request(maker, messages, 2, 0);
    if (maker->statement_count == STATEMENTS_MAX)
        exit(2);
    maker->statements[maker->statement_count].name = rh_arena_strdup(maker->arena, name);
    maker->statements[maker->statement_count++].pattern = pattern;
}

static void add_u16(struct buf *out, size_t value)
{
    const char bytes[2] = {(char)(value >> 8), (char)value};
    rh_buf_add(out, bytes, 2);
}

static void execute(struct maker *maker, const char *name, bool is_binary, char **values,
                    size_t count)
{
    uint32_t pattern = maker->unnamed;
    struct buf bind;
    for (size_t i = 0; name[0] && i < maker->statement_count; i++)
        if (strcmp(maker->statements[i].name, name) == 0)
            pattern = maker->statements[i].pattern;
    rh_buf_init(&bind, LINE_MAX_BYTES);
    rh_buf_add_char(&bind, '\0');
    rh_buf_add(&bind, name, strlen(name) + 1);
    add_u16(&bind, 0);
    add_u16(&bind, count);
    for (size_t i = 0; i < count; i++) {
        bool is_null = strcmp(values[i], "\\N") == 0;
        size_t len = is_null ? 0 : strlen(values[i]);
        add_u16(&bind, is_null ? 0xffff : len >> 16);
        add_u16(&bind, is_null ? 0xffff : len & 0xffff);
        rh_buf_add(&bind, values[i], len);
    }
    add_u16(&bind, is_binary ? 1 : 0);
    if (is_binary)
        add_u16(&bind, 1);
    struct workload_message messages[] = {
        {.type = 'P', .body = rh_buf_text(&maker->parse)},
        {.type = 'B', .body = rh_buf_text(&bind)},
        {.type = 'E', .pattern = pattern, .body = {"\0\0\0\0\0", 5}},
        {.type = 'S'},
    };
    size_t skipped = name[0] ? 1 : 0;
    request(maker, messages + skipped, 4 - skipped, pattern);
    rh_buf_deinit(&bind);
}

int main(int argc, char **argv)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct maker maker = {.arena = arena};
    struct err err = RH_ERR_INIT;
    const struct workload_about about = {.origin = WORKLOAD_SQL_FILE,
                                         .server_version = "",
                                         .encoding = "UTF8",
                                         .started_at = "2026-01-01T00:00:00Z",
                                         .masking_key_id = ""};
    char *line = NULL, *fields[64];
    size_t size = 0;
    ssize_t len;

    if (argc != 2)
        return 2;
    rh_buf_init(&maker.parse, LINE_MAX_BYTES);
    check(rh_workload_writer_open(argv[1], &about, NULL, &maker.writer, &err), &err);
    while ((len = getline(&line, &size, stdin)) > 0) {
        size_t count = 0;
        char *rest = line;
        if (line[len - 1] == '\n')
            line[len - 1] = '\0';
        while (rest && count < sizeof(fields) / sizeof(fields[0]))
            fields[count++] = strsep(&rest, "\t");
        if (fields[0][0] == 'S' && count == 3) {
            end(&maker);
            begin(&maker, fields[1], fields[2]);
        } else if (fields[0][0] == 'Q' && count == 2) {
            query(&maker, fields[1]);
        } else if (fields[0][0] == 'P' && count == 3) {
            parse(&maker, fields[1], fields[2]);
        } else if ((fields[0][0] == 'E' || fields[0][0] == 'B') && count >= 2) {
            execute(&maker, fields[1], fields[0][0] == 'B', fields + 2, count - 2);
        } else if (fields[0][0]) {
            fprintf(stderr, "not understood: %s\n", fields[0]);
            return 2;
        }
    }
    end(&maker);
    const struct workload_totals totals = {.duration_us = maker.now_us, .is_complete = true};
    check(rh_workload_writer_finish(maker.writer, &totals, &err), &err);
    rh_workload_writer_free(maker.writer);
    rh_buf_deinit(&maker.parse);
    free(line);
    return 0;
}
