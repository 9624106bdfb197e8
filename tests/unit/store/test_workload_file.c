#include "../base/unit.h"

#include "base/file.h"
#include "event_maker.h"
#include "store/workload_file.h"
#include "store/workload_file_int.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>

static const uint8_t key[WORKLOAD_KEY_BYTES] = "0123456789abcdef0123456789abcde";
static const uint8_t other_key[WORKLOAD_KEY_BYTES] = "1123456789abcdef0123456789abcde";

struct place {
    struct arena *arena;
    char directory[64], *path, *unfinished;
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    place->arena = rh_arena_new();
    snprintf(place->directory, sizeof(place->directory), "/tmp/rehearse-workload-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    place->path = rh_file_join(place->arena, place->directory, "app.workload");
    place->unfinished = rh_file_join(place->arena, place->directory, "app.workload.unfinished");
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_file_remove_tree(place->directory, &err), RH_OK);
    rh_arena_free(place->arena);
    free(place);
    return 0;
}

static struct workload_about about_of(struct arena *arena)
{
    struct workload_about about = {.origin = WORKLOAD_CAPTURE,
                                   .server_version = "15.4",
                                   .server_version_number = 150004,
                                   .encoding = "UTF8",
                                   .started_at = "2026-11-20T10:49:12.123Z",
                                   .is_masked = true,
                                   .masking_key_id = "ab12",
                                   .digest_key = "the key of the digests, 32 byte",
                                   .widens_integers = true};
    *RH_PUSH(arena, &about.types) = (struct workload_type){
        .oid = 16400, .schema = "public", .name = "mood", .kind = 'e', .element = 0};
    *RH_PUSH(arena, &about.types) = (struct workload_type){
        .oid = 16401, .schema = "public", .name = "_mood", .kind = 'b', .element = 16400};
    return about;
}

static struct workload_totals totals_of(struct arena *arena)
{
    struct workload_totals totals = {.is_complete = true,
                                     .fidelity = {.order = GRADE_EXACT,
                                                  .types = GRADE_PARTIAL,
                                                  .parameters = GRADE_EXACT,
                                                  .timing = GRADE_ABSENT,
                                                  .transactions = GRADE_EXACT,
                                                  .copy = GRADE_PARTIAL}};
    *RH_PUSH(arena, &totals.fidelity.notes) = "COPY data beyond 1 MB was left out";
    *RH_PUSH(arena, &totals.gaps) = (struct workload_gap){
        .kind = "copy-data-left-out", .count = 3, .detail = "12 MB"};
    return totals;
}

static void add_patterns(struct workload_writer *writer, struct arena *arena)
{
    struct err err = RH_ERR_INIT;
    for (uint32_t i = 1; i <= MAKER_PATTERNS; i++) {
        struct workload_pattern pattern = {.number = i,
                                           .fingerprint = UINT64_C(0xfedcba9876543210) + i,
                                           .query = rh_arena_printf(arena, "SELECT $1 -- %u", i),
                                           .flags = PATTERN_IS_PARSED |
                                                    (i % 2 ? PATTERN_WRITES : 0)};
        *RH_PUSH(arena, &pattern.reads) = "users";
        if (i % 2)
            *RH_PUSH(arena, &pattern.writes) = "shop.orders";
        assert_int_equal(rh_workload_writer_pattern(writer, &pattern, &err), RH_OK);
    }
}

/* Writes events of a seed, and their lines into `dump`. */
static struct workload_writer *write_events(struct place *place, const uint8_t *with, size_t count,
                                            struct buf *dump)
{
    struct err err = RH_ERR_INIT;
    struct workload_writer *writer = NULL;
    struct workload_about about = about_of(place->arena);
    if (rh_workload_writer_open(place->path, &about, with, &writer, &err) != RH_OK)
        fail_msg("%s", err.message);
    add_patterns(writer, place->arena);
    struct event_maker maker = {.random = 7};
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    for (size_t i = 0; i < count; i++) {
        rh_arena_clear(arena);
        const struct workload_event *event = maker_next(&maker, arena);
        if (rh_workload_writer_event(writer, event, &err) != RH_OK)
            fail_msg("%s", err.message);
        if (dump != NULL)
            dump_event(dump, event);
    }
    return writer;
}

static void finish(struct place *place, struct workload_writer *writer)
{
    struct err err = RH_ERR_INIT;
    struct workload_totals totals = totals_of(place->arena);
    if (rh_workload_writer_finish(writer, &totals, &err) != RH_OK)
        fail_msg("%s", err.message);
    rh_workload_writer_free(writer);
}

/* What reading all of it comes to; the lines of the events go to `dump`. */
static enum err_code read_events(const char *path, const uint8_t *with, struct buf *dump,
                                 struct err *err)
{
    struct workload_reader *reader = NULL;
    enum err_code code = rh_workload_reader_open(path, with, &reader, err);
    if (code != RH_OK)
        return code;
    struct workload_source source = rh_workload_reader_source(reader);
    const struct workload_event *event = NULL;
    do {
        code = source.next(source.context, &event, err);
        if (code == RH_OK && event != NULL && dump != NULL)
            dump_event(dump, event);
    } while (code == RH_OK && event != NULL);
    rh_workload_reader_free(reader);
    return code;
}

static void check_head(const struct workload_reader *reader)
{
    const struct workload_about *about = rh_workload_reader_about(reader);
    assert_int_equal(about->origin, WORKLOAD_CAPTURE);
    assert_string_equal(about->server_version, "15.4");
    assert_int_equal(about->server_version_number, 150004);
    assert_string_equal(about->encoding, "UTF8");
    assert_string_equal(about->started_at, "2026-11-20T10:49:12.123Z");
    assert_true(about->is_masked);
    assert_string_equal(about->masking_key_id, "ab12");
    assert_string_equal((const char *)about->digest_key, "the key of the digests, 32 byte");
    assert_true(about->widens_integers);
    assert_int_equal(about->types.count, 2);
    assert_string_equal(about->types.items[1].name, "_mood");
    assert_int_equal(about->types.items[1].element, 16400);
    assert_int_equal(about->types.items[0].kind, 'e');
    assert_int_equal(rh_workload_reader_pattern_count(reader), MAKER_PATTERNS);
    const struct workload_pattern *pattern = rh_workload_reader_pattern(reader, 3);
    assert_int_equal(pattern->number, 3);
    assert_true(pattern->fingerprint == UINT64_C(0xfedcba9876543213));
    assert_string_equal(pattern->query, "SELECT $1 -- 3");
    assert_int_equal(pattern->flags, PATTERN_IS_PARSED | PATTERN_WRITES);
    assert_int_equal(pattern->reads.count, 1);
    assert_string_equal(pattern->writes.items[0], "shop.orders");
    assert_int_equal(rh_workload_reader_pattern(reader, 2)->writes.count, 0);
}

static void test_workload_file_returns_what_went_in(void **state)
{
    struct place *place = *state;
    for (int has_key = 0; has_key < 2; has_key++) {
        const uint8_t *its_key = has_key ? key : NULL;
        struct err err = RH_ERR_INIT;
        RH_CLEANUP_BUF struct buf expected, got;
        rh_buf_init(&expected, 256 << 20);
        rh_buf_init(&got, 256 << 20);
        finish(place, write_events(place, its_key, 60000, &expected));
        assert_false(rh_file_exists(place->unfinished));
        struct stat status;
        assert_int_equal(stat(place->path, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
        assert_true(rh_workload_file_is(place->path));
        struct workload_reader *reader = NULL;
        if (rh_workload_reader_open(place->path, its_key, &reader, &err) != RH_OK)
            fail_msg("%s", err.message);
        check_head(reader);
        const struct workload_totals *totals = rh_workload_reader_totals(reader);
        assert_true(totals->is_complete);
        assert_int_equal(totals->fidelity.order, GRADE_EXACT);
        assert_int_equal(totals->fidelity.types, GRADE_PARTIAL);
        assert_int_equal(totals->fidelity.timing, GRADE_ABSENT);
        assert_string_equal(totals->fidelity.notes.items[0], "COPY data beyond 1 MB was left out");
        assert_int_equal(totals->gaps.count, 1);
        assert_int_equal(totals->gaps.items[0].count, 3);
        assert_int_equal(totals->sessions_most_at_once, MAKER_SESSIONS);
        assert_true(totals->executions > 10000 && totals->errors > 500 && totals->cancels > 500);
        int64_t calls = 0;
        for (uint32_t i = 1; i <= MAKER_PATTERNS; i++)
            calls += rh_workload_reader_sums(reader, i)->calls;
        assert_true(calls > 0 && calls < totals->executions); /* some are of no pattern */
        /* Twice: a source begins anew. */
        for (int round = 0; round < 2; round++) {
            struct workload_source source = rh_workload_reader_source(reader);
            const struct workload_event *event = NULL;
            rh_buf_clear(&got);
            size_t events = 0;
            do {
                if (source.next(source.context, &event, &err) != RH_OK)
                    fail_msg("%s", err.message);
                if (event != NULL)
                    dump_event(&got, event);
                events += event != NULL;
            } while (event != NULL && (round == 1 || events < 100));
            assert_true(got.len <= expected.len && memcmp(got.data, expected.data, got.len) == 0);
            assert_int_equal(events, round == 1 ? 60000 : 100);
        }
        rh_workload_reader_free(reader);
        struct workload_about again = about_of(place->arena);
        struct workload_writer *writer = NULL;
        assert_int_equal(rh_workload_writer_open(place->path, &again, NULL, &writer, &err),
                         RH_ERR_USAGE);
        unlink(place->path);
    }
}

static int64_t query_number(const char *path, const char *query)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(db, query, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}

/* Two queries in a pipeline and one alone: whose time is whose, in tables that sqlite3 reads. */
static void test_workload_file_sums_by_pattern(void **state)
{
    struct place *place = *state;
    struct err err = RH_ERR_INIT;
    struct workload_writer *writer = NULL;
    struct workload_about about = about_of(place->arena);
    assert_int_equal(rh_workload_writer_open(place->path, &about, NULL, &writer, &err), RH_OK);
    add_patterns(writer, place->arena);
    struct workload_session session = {
        .number = 5, .user = "anna", .database = "shop", .lacks = ""};
    *RH_PUSH(place->arena, &session.startup) = (struct workload_setting){"application_name",
                                                                         "till"};
    struct workload_message simple = {.type = 'Q', .pattern = 1, .body = TEXT_LITERAL("x")};
    struct workload_message batch[] = {
        {.type = 'E', .pattern = 2}, {.type = 'E', .pattern = 3}, {.type = 'S'}};
    struct workload_result alone = {.pattern = 1, .rows = 2, .returned = 2};
    struct workload_result both[] = {{.pattern = 2, .rows = 1},
                                     {.pattern = 3, .rows = -1, .sqlstate = "40001"}};
    const struct workload_event events[] = {
        {.kind = WORKLOAD_SESSION_BEGUN, .session = 5, .at_us = 10, .begun = &session},
        {.kind = WORKLOAD_REQUEST,
         .session = 5,
         .at_us = 100,
         .request = 1,
         .messages = &simple,
         .message_count = 1},
        {.kind = WORKLOAD_REQUEST,
         .session = 5,
         .at_us = 120,
         .request = 2,
         .messages = batch,
         .message_count = 3},
        {.kind = WORKLOAD_ANSWER,
         .session = 5,
         .at_us = 1100,
         .request = 1,
         .first_byte_us = 900,
         .transaction_status = 'I',
         .results = &alone,
         .result_count = 1},
        {.kind = WORKLOAD_ANSWER,
         .session = 5,
         .at_us = 1301,
         .request = 2,
         .first_byte_us = 1300,
         .transaction_status = 'E',
         .results = both,
         .result_count = 2},
        {.kind = WORKLOAD_SESSION_ENDED, .session = 5, .at_us = 2000, .was_cut = true},
    };
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        assert_int_equal(rh_workload_writer_event(writer, &events[i], &err), RH_OK);
    assert_int_equal(rh_workload_writer_weight(writer, 3, 12.5, &err), RH_OK);
    finish(place, writer);
    struct workload_reader *reader = NULL;
    assert_int_equal(rh_workload_reader_open(place->path, NULL, &reader, &err), RH_OK);
    const struct workload_pattern_sums *sums = rh_workload_reader_sums(reader, 1);
    assert_int_equal(sums->total_us, 1000);
    assert_int_equal(sums->rows, 2);
    assert_int_equal(sums->first_at_us, 1100);
    sums = rh_workload_reader_sums(reader, 2);
    assert_int_equal(sums->total_us, 100);
    sums = rh_workload_reader_sums(reader, 3);
    assert_int_equal(sums->total_us, 101);
    assert_int_equal(sums->errors, 1);
    assert_true(sums->weight == 12.5);
    assert_int_equal(rh_workload_reader_totals(reader)->duration_us, 2000);
    rh_workload_reader_free(reader);
    assert_int_equal(query_number(place->path, "SELECT number FROM top_patterns LIMIT 1"), 1);
    assert_int_equal(query_number(place->path, "SELECT was_cut FROM sessions WHERE requests = 2"
                                               " AND executions = 3 AND errors = 1 AND"
                                               " application_name = 'till' AND ended_at_us = 2000"),
                     1);
    assert_int_equal(query_number(place->path, "SELECT count(*) FROM pattern_tables"
                                               " WHERE name = 'shop.orders'"),
                     6);
}

#define QUERIES 30000

/* pgbench -S with a digest of each result, which nothing makes smaller: 16 bytes of those stored.
 */
static void test_workload_file_is_small(void **state)
{
    struct place *place = *state;
    struct err err = RH_ERR_INIT;
    struct workload_writer *writer = NULL;
    struct workload_about about = about_of(place->arena);
    assert_int_equal(rh_workload_writer_open(place->path, &about, key, &writer, &err), RH_OK);
    add_patterns(writer, place->arena);
    struct workload_session session = {
        .number = 1, .user = "anna", .database = "shop", .lacks = ""};
    struct workload_event begun = {.kind = WORKLOAD_SESSION_BEGUN, .session = 1, .begun = &session};
    assert_int_equal(rh_workload_writer_event(writer, &begun, &err), RH_OK);
    uint64_t random = 20261120;
    int64_t at_us = 0;
    for (uint64_t i = 1; i <= QUERIES; i++) {
        char query[100];
        int length = snprintf(query, sizeof(query),
                              "SELECT abalance FROM pgbench_accounts WHERE aid = %u;",
                              1 + (unsigned)below(&random, 100000));
        struct workload_message message = {
            .type = 'Q', .pattern = 1, .body = {query, (size_t)length + 1}};
        struct workload_result result = {
            .pattern = 1, .rows = 1, .returned = 1, .has_digest = true};
        for (size_t j = 0; j < WORKLOAD_DIGEST_BYTES; j++)
            result.unordered[j] = (uint8_t)(next_random(&random) >> 32);
        assert_true(rh_result_digest_ordered_of(result.unordered, 1, result.ordered));
        struct workload_event request = {.kind = WORKLOAD_REQUEST,
                                         .session = 1,
                                         .at_us = at_us += (int64_t)below(&random, 60),
                                         .request = i,
                                         .messages = &message,
                                         .message_count = 1};
        struct workload_event answer = {.kind = WORKLOAD_ANSWER,
                                        .session = 1,
                                        .at_us = at_us += 40 + (int64_t)below(&random, 60),
                                        .request = i,
                                        .first_byte_us = at_us - (int64_t)below(&random, 5),
                                        .transaction_status = 'I',
                                        .results = &result,
                                        .result_count = 1};
        assert_int_equal(rh_workload_writer_event(writer, &request, &err), RH_OK);
        assert_int_equal(rh_workload_writer_event(writer, &answer, &err), RH_OK);
    }
    assert_int_equal(rh_workload_writer_flush(writer, &err), RH_OK);
    double bytes = (double)rh_workload_writer_bytes(writer) / QUERIES;
    print_message("%.1f bytes a query\n", bytes);
    assert_true(bytes > 16 && bytes < 30);
    rh_workload_writer_free(writer);
}

static void test_workload_file_refuses_events_that_cannot_be(void **state)
{
    struct place *place = *state;
    struct err err = RH_ERR_INIT;
    struct workload_writer *writer = write_events(place, NULL, 500, NULL);
    struct workload_event stranger = {
        .kind = WORKLOAD_REQUEST, .session = 1 << 30, .at_us = INT64_MAX / 2};
    assert_int_equal(rh_workload_writer_event(writer, &stranger, &err), RH_ERR_FORMAT);
    struct workload_message message = {.type = 'Q', .pattern = UINT32_MAX};
    struct workload_session begun = {.number = 1 << 30, .user = "", .database = "", .lacks = ""};
    begun.prologue.items = &message;
    begun.prologue.count = 1;
    stranger.kind = WORKLOAD_SESSION_BEGUN;
    stranger.begun = &begun;
    assert_int_equal(rh_workload_writer_event(writer, &stranger, &err), RH_ERR_FORMAT);
    struct workload_pattern pattern = {.number = 99, .query = ""};
    assert_int_equal(rh_workload_writer_pattern(writer, &pattern, &err), RH_ERR_FORMAT);
    finish(place, writer);
    assert_int_equal(read_events(place->path, NULL, NULL, &err), RH_OK);
}

/* A database of 60,000 tables has two types for each: what was written was "damaged". */
static void test_workload_file_of_a_database_with_many_types_is_read(void **state)
{
    struct place *place = *state;
    struct err err = RH_ERR_INIT;
    struct workload_writer *writer = NULL;
    struct workload_reader *reader = NULL;
    struct workload_about about = about_of(place->arena);
    for (uint32_t i = 0; i < 120000; i++)
        *RH_PUSH(place->arena, &about.types) = (struct workload_type){
            .oid = 20000 + i, .schema = "tenant", .name = "orders", .kind = 'c'};
    assert_int_equal(rh_workload_writer_open(place->path, &about, NULL, &writer, &err), RH_OK);
    finish(place, writer);
    if (rh_workload_reader_open(place->path, NULL, &reader, &err))
        fail_msg("%s", err.message);
    assert_int_equal(rh_workload_reader_about(reader)->types.count, about.types.count);
    rh_workload_reader_free(reader);
}

/* Texts that the writer kept were more than a reader holds. */
static void test_workload_file_keeps_of_many_long_texts_the_beginning(void **state)
{
    struct place *place = *state;
    struct err err = RH_ERR_INIT;
    struct workload_writer *writer = NULL;
    struct workload_reader *reader = NULL;
    struct workload_about about = about_of(place->arena);
    const uint32_t count = WORKLOAD_QUERIES_BYTES / WORKLOAD_QUERY_BYTES_MAX + 20;
    char *query = rh_arena_alloc(place->arena, 2 * WORKLOAD_QUERY_BYTES_MAX + 1);
    memset(query, 'x', (size_t)2 * WORKLOAD_QUERY_BYTES_MAX);
    assert_int_equal(rh_workload_writer_open(place->path, &about, NULL, &writer, &err), RH_OK);
    for (uint32_t i = 1; i <= count; i++)
        assert_int_equal(rh_workload_writer_pattern(
                             writer, &(struct workload_pattern){.number = i, .query = query}, &err),
                         RH_OK);
    finish(place, writer);
    assert_int_equal(rh_workload_reader_open(place->path, NULL, &reader, &err), RH_OK);
    assert_int_equal(strlen(rh_workload_reader_pattern(reader, 1)->query),
                     WORKLOAD_QUERY_BYTES_MAX + strlen(" ..."));
    assert_int_equal(strlen(rh_workload_reader_pattern(reader, count)->query),
                     WORKLOAD_QUERY_BEGINNING_BYTES + strlen(" ..."));
    rh_workload_reader_free(reader);
}

static void kill_writer(void *context)
{
    struct place *place = context;
    struct workload_writer *writer = write_events(place, NULL, 60000, NULL);
    struct err err = RH_ERR_INIT;
    CHECK(rh_workload_writer_flush(writer, &err) == RH_OK);
    struct event_maker maker = {.random = 9, .next_session = 100000000};
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct workload_event *event = maker_next(&maker, arena);
    event->at_us = INT64_MAX / 2;
    CHECK(rh_workload_writer_event(writer, event, &err) == RH_OK);
    kill(getpid(), SIGKILL);
}

/* Killed: the batches that were whole are there, the one under way is not, and it says so. */
static void test_workload_file_of_a_killed_writer_is_read(void **state)
{
    struct place *place = *state;
    struct err err = RH_ERR_INIT;
    int status = in_child(kill_writer, place);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_false(rh_file_exists(place->path));
    RH_CLEANUP_BUF struct buf expected, got;
    rh_buf_init(&expected, 256 << 20);
    rh_buf_init(&got, 256 << 20);
    char *moved = rh_file_join(place->arena, place->directory, "expected");
    struct place other = *place;
    other.path = moved;
    finish(&other, write_events(&other, NULL, 60000, &expected));
    if (read_events(place->unfinished, NULL, &got, &err) != RH_OK)
        fail_msg("%s", err.message);
    assert_string_equal(got.data, expected.data);
    struct workload_reader *reader = NULL;
    assert_int_equal(rh_workload_reader_open(place->unfinished, NULL, &reader, &err), RH_OK);
    const struct workload_totals *totals = rh_workload_reader_totals(reader);
    assert_false(totals->is_complete);
    assert_string_equal(totals->gaps.items[0].kind, "writer-interrupted");
    assert_true(totals->executions > 0);
    assert_true(rh_workload_reader_sums(reader, 1)->calls > 0);
    rh_workload_reader_free(reader);
    /* A second writer takes another name, and leaves the first one's work alone. */
    struct workload_writer *writer = write_events(place, NULL, 10, NULL);
    rh_workload_writer_free(writer);
    assert_true(rh_file_exists(place->unfinished));
    assert_false(
        rh_file_exists(rh_file_join(place->arena, place->directory, "app.workload.unfinished-2")));
}

static void test_workload_file_given_up_leaves_nothing(void **state)
{
    struct place *place = *state;
    struct err err = RH_ERR_INIT;
    struct workload_writer *writer = write_events(place, NULL, 30000, NULL);
    assert_int_equal(rh_workload_writer_flush(writer, &err), RH_OK);
    assert_true(rh_workload_writer_bytes(writer) > 0);
    rh_workload_writer_free(writer);
    struct file_names names;
    assert_int_equal(rh_file_list(place->directory, place->arena, &names, &err), RH_OK);
    assert_int_equal(names.count, 0);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
    sqlite3_close(db);
}

/* Whoever has the file but not the key cannot change it unnoticed. */
static void test_workload_file_notices_changes(void **state)
{
    static const struct {
        const char *sql, *message;
        bool only_with_key;
    } changes[] = {
        {"DELETE FROM batches WHERE number = (SELECT max(number) FROM batches)",
         "batches are missing", false},
        {"DELETE FROM batches WHERE number = 1", "batches are missing", false},
        {"UPDATE batches SET events = events + 1 WHERE number = 1", "batches are missing", false},
        {"UPDATE batches SET data = zeroblob(length(data)) WHERE number = 2",
         "batch 2 of 12 was changed", false},
        {"UPDATE batches SET data = x'' WHERE number = 2", "batch 2 of 12 was changed", false},
        {"UPDATE batches SET data = (SELECT data FROM batches WHERE number = 3) WHERE number = 2",
         "batch 2 of 12 was changed", true},
        {"UPDATE patterns SET query = 'SELECT 2' WHERE number = 1", "its tables were changed",
         false},
        {"UPDATE sums SET total_us = 0", "its tables were changed", false},
        {"DELETE FROM gaps", "its tables were changed", false},
        {"UPDATE about SET value = '1' WHERE name = 'is_masked'", NULL, false},
        {"UPDATE about SET value = '0' WHERE name = 'is_masked'", "its tables were changed", false},
        {"DELETE FROM patterns WHERE number = 2", "its tables do not fit together", false},
        {"DELETE FROM about WHERE name = 'footer'", "its footer is not readable", false},
        {"DROP TABLE gaps; CREATE VIEW gaps AS SELECT 1 AS number, '' AS kind, 1 AS count, '' AS"
         " detail",
         "its tables are not those of a workload", false},
    };
    struct place *place = *state;
    char *copy = rh_file_join(place->arena, place->directory, "copy");
    for (int has_key = 0; has_key < 2; has_key++) {
        const uint8_t *its_key = has_key ? key : NULL;
        finish(place, write_events(place, its_key, 60000, NULL));
        struct text content;
        struct err err = RH_ERR_INIT;
        assert_int_equal(rh_file_read(place->path, 64 << 20, place->arena, &content, &err), RH_OK);
        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
            if (changes[i].only_with_key && !has_key)
                continue;
            assert_int_equal(rh_file_write(copy, content, 0600, &err), RH_OK);
            run_sql(copy, changes[i].sql);
            err = (struct err){0};
            enum err_code code = read_events(copy, its_key, NULL, &err);
            if (changes[i].message == NULL) {
                assert_int_equal(code, RH_OK);
                continue;
            }
            if (code != RH_ERR_FORMAT || strstr(err.message, changes[i].message) == NULL)
                fail_msg("%s: \"%s\", not \"%s\"", changes[i].sql, err.message, changes[i].message);
        }
        unlink(place->path);
    }
}

static void test_workload_file_needs_its_key(void **state)
{
    struct place *place = *state;
    struct err err = RH_ERR_INIT;
    finish(place, write_events(place, key, 1000, NULL));
    assert_int_equal(read_events(place->path, NULL, NULL, &err), RH_ERR_USAGE);
    assert_non_null(strstr(err.message, "is encrypted"));
    assert_int_equal(read_events(place->path, other_key, NULL, &err), RH_ERR_USAGE);
    assert_non_null(strstr(err.message, "another key"));
    assert_int_equal(read_events(place->path, key, NULL, &err), RH_OK);
    struct text content;
    assert_int_equal(rh_file_read(place->path, 64 << 20, place->arena, &content, &err), RH_OK);
    assert_null(memmem(content.data, content.len, "abalance", 8));
    /* "the key" in hexadecimal: what zstd leaves of incompressible bytes. */
    assert_null(memmem(content.data, content.len, "746865206b6579", 14));
}

static void test_workload_file_names_what_is_none(void **state)
{
    struct place *place = *state;
    struct err err = RH_ERR_INIT;
    assert_int_equal(read_events(place->path, NULL, NULL, &err), RH_ERR_USAGE);
    assert_non_null(strstr(err.message, "No such file"));
    assert_int_equal(read_events(place->directory, NULL, NULL, &err), RH_ERR_USAGE);
    assert_non_null(strstr(err.message, "is not a workload"));
    assert_int_equal(rh_file_write(place->path, TEXT_LITERAL("SELECT 1;\n"), 0600, &err), RH_OK);
    assert_int_equal(read_events(place->path, NULL, NULL, &err), RH_ERR_USAGE);
    unlink(place->path);
    run_sql(place->path, "CREATE TABLE patterns (x)");
    assert_int_equal(read_events(place->path, NULL, NULL, &err), RH_ERR_USAGE);
    assert_non_null(strstr(err.message, "is not a workload"));
    unlink(place->path);
    finish(place, write_events(place, NULL, 10, NULL));
    run_sql(place->path, "PRAGMA user_version = 3");
    assert_int_equal(read_events(place->path, NULL, NULL, &err), RH_ERR_USAGE);
    assert_non_null(strstr(err.message, "of format 3"));
    struct workload_writer *writer = NULL;
    struct workload_about about = about_of(place->arena);
    char *nowhere = rh_file_join(place->arena, place->directory, "no/such/place");
    assert_int_equal(rh_workload_writer_open(nowhere, &about, NULL, &writer, &err), RH_ERR_USAGE);
}

/* What the version before made of it: without two tables, and with a footer that knows nothing of
   them. */
static void make_format_1(struct place *place)
{
    static const uint8_t no_id[SEAL_FILE_ID_BYTES] = {0};
    uint8_t footer[FOOTER_BYTES];
    sqlite3 *db = NULL;
    sqlite3_stmt *said = NULL;
    struct seal *seal = rh_seal_new(NULL, no_id);
    run_sql(place->path, "DROP TABLE keys; DROP TABLE functions; PRAGMA user_version = 1");
    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT value FROM about WHERE name = '" ABOUT_FOOTER "'",
                                        -1, &said, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(said), SQLITE_ROW);
    assert_true(rh_workload_unseal_hex(
        seal, FOOTER_NUMBER, (const char *)sqlite3_column_text(said, 0), footer, sizeof(footer)));
    sqlite3_finalize(said);
    assert_true(rh_workload_tables_digest(db, false, footer + 16));
    sqlite3_close(db);
    const char *hex = rh_workload_seal_hex(seal, FOOTER_NUMBER, footer, sizeof(footer),
                                           place->arena);
    run_sql(place->path,
            rh_arena_printf(place->arena,
                            "UPDATE about SET value = '%s' WHERE name = '" ABOUT_FOOTER "'", hex));
    rh_seal_free(seal);
}

static void test_workload_file_of_the_format_before_is_read(void **state)
{
    struct place *place = *state;
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf expected, got;
    rh_buf_init(&expected, 64 << 20);
    rh_buf_init(&got, 64 << 20);
    finish(place, write_events(place, NULL, 2000, &expected));
    run_sql(place->path, "PRAGMA user_version = 1");
    assert_int_equal(read_events(place->path, NULL, NULL, &err), RH_ERR_FORMAT);
    assert_non_null(strstr(err.message, "its tables were changed"));
    make_format_1(place);
    assert_int_equal(read_events(place->path, NULL, &got, &err), RH_OK);
    assert_true(got.len > 0 && rh_text_equals(rh_buf_text(&got), rh_buf_text(&expected)));
}

/* Cut anywhere and with any byte turned: an error or the same events, and never a crash. */
static void test_workload_file_survives_damage(void **state)
{
    struct place *place = *state;
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf expected, got;
    rh_buf_init(&expected, 64 << 20);
    rh_buf_init(&got, 64 << 20);
    finish(place, write_events(place, NULL, 2000, &expected));
    struct text content;
    assert_int_equal(rh_file_read(place->path, 64 << 20, place->arena, &content, &err), RH_OK);
    char *bytes = rh_arena_memdup(place->arena, content.data, content.len);
    uint64_t random = 20261120;
    unsigned silent = 0;
    for (size_t i = 0; i < 300; i++) {
        size_t at = below(&random, content.len), length = content.len;
        if (i % 3 == 0)
            length = at;
        else
            bytes[at] ^= (char)(1 + below(&random, 255));
        assert_int_equal(rh_file_write(place->path, (struct text){bytes, length}, 0600, &err),
                         RH_OK);
        rh_buf_clear(&got);
        if (read_events(place->path, NULL, &got, &err) == RH_OK) {
            assert_true(rh_text_equals(rh_buf_text(&got), rh_buf_text(&expected)));
            silent++;
        }
        bytes[at] = content.data[at];
    }
    print_message("%u of 300 did not matter\n", silent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_workload_file_returns_what_went_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_workload_file_sums_by_pattern, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_workload_file_is_small, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_workload_file_refuses_events_that_cannot_be, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_workload_file_of_a_killed_writer_is_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_workload_file_given_up_leaves_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_workload_file_notices_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_workload_file_needs_its_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_workload_file_names_what_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_workload_file_of_the_format_before_is_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_workload_file_survives_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_workload_file_keeps_of_many_long_texts_the_beginning,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_workload_file_of_a_database_with_many_types_is_read,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
