/*
 * How fast a workload is written and read, what a query takes on disk, and how much memory that
 * needs.
 *
 *   workload_timer FILE [QUERIES [CLIENTS [keep]]]
 *
 * Queries are those of pgbench -S, in the simple protocol and prepared by turns of a million, from
 * CLIENTS sessions at once; keys, times and digests are random (a digest of every row is a worst
 * case: pgbench's balances are alike). FILE must not be there; it is removed at the end, unless it
 * is to be kept.
 */
#include "base/clock.h"
#include "fuzz/fuzz_mutate.h"
#include "model/result_digest.h"
#include "store/workload_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define CLIENTS_MAX 1000
#define TURN 1000000

static void stop(const struct err *err)
{
    char text[2048];
    rh_err_format(err, text, sizeof(text));
    fputs(text, stderr);
    exit(1);
}

static void must(enum err_code code, const struct err *err)
{
    if (code != RH_OK)
        stop(err);
}

static int64_t memory_kb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void begin_session(struct workload_writer *writer, uint64_t number, struct err *err)
{
    struct workload_session session = {
        .number = number, .user = "postgres", .database = "postgres", .lacks = ""};
    struct workload_event event = {
        .kind = WORKLOAD_SESSION_BEGUN, .session = number, .begun = &session};
    must(rh_workload_writer_event(writer, &event, err), err);
}

/* A request of a session that has not `prepared` yet begins with the Parse. */
static void write_query(struct workload_writer *writer, uint64_t session, uint64_t request,
                        int64_t *at_us, bool is_prepared, bool *prepared, uint64_t *random,
                        struct err *err)
{
    static const char parse[] = "P_0\0SELECT abalance FROM pgbench_accounts WHERE aid = $1;\0\0";
    char body[128];
    unsigned aid = 1 + (unsigned)below(random, 100000);
    struct workload_message messages[4] = {{.type = 'P', .body = {parse, sizeof(parse)}},
                                           {.type = 'B'},
                                           {.type = 'E', .pattern = 1, .body = {"\0\0\0\0\0", 5}},
                                           {.type = 'S', .body = {"", 0}}};
    size_t first = is_prepared && !*prepared ? 0 : 1;
    int length;
    *prepared = *prepared || is_prepared;
    if (is_prepared) {
        char digits[16];
        int count = snprintf(digits, sizeof(digits), "%u", aid);
        static const char head[] = "\0P_0\0\0\0\0\1\0\0\0";
        memcpy(body, head, sizeof(head) - 1);
        length = (int)sizeof(head) - 1;
        body[length++] = (char)count;
        memcpy(body + length, digits, (size_t)count);
        length += count;
        memset(body + length, 0, 2);
        length += 2;
    } else {
        length = snprintf(body, sizeof(body),
                          "SELECT abalance FROM pgbench_accounts WHERE aid = %u;", aid) +
                 1;
        messages[1].type = 'Q';
        messages[1].pattern = 1;
    }
    messages[1].body = (struct text){body, (size_t)length};
    *at_us += (int64_t)below(random, 12);
    struct workload_event event = {.kind = WORKLOAD_REQUEST,
                                   .session = session,
                                   .at_us = *at_us,
                                   .request = request,
                                   .messages = messages + first,
                                   .message_count = is_prepared ? 4 - first : 1};
    must(rh_workload_writer_event(writer, &event, err), err);
}

static void write_answer(struct workload_writer *writer, uint64_t session, uint64_t request,
                         int64_t *at_us, uint64_t *random, struct err *err)
{
    struct workload_result result = {.pattern = 1, .rows = 1, .returned = 1, .has_digest = true};
    for (size_t i = 0; i < WORKLOAD_DIGEST_BYTES; i += 8) {
        uint64_t bits = next_random(random);
        memcpy(result.unordered + i, &bits, 8);
    }
    (void)rh_result_digest_ordered_of(result.unordered, 1, result.ordered);
    *at_us += (int64_t)below(random, 12);
    struct workload_event event = {.kind = WORKLOAD_ANSWER,
                                   .session = session,
                                   .at_us = *at_us,
                                   .request = request,
                                   .first_byte_us = *at_us - (int64_t)below(random, 6),
                                   .transaction_status = 'I',
                                   .results = &result,
                                   .result_count = 1};
    must(rh_workload_writer_event(writer, &event, err), err);
}

static uint64_t write_all(const char *path, uint64_t queries, uint64_t clients, struct err *err)
{
    struct workload_about about = {.origin = WORKLOAD_CAPTURE};
    struct workload_writer *writer = NULL;
    must(rh_workload_writer_open(path, &about, NULL, &writer, err), err);
    struct workload_pattern pattern = {
        .number = 1, .query = "SELECT abalance FROM pgbench_accounts WHERE aid = $1"};
    must(rh_workload_writer_pattern(writer, &pattern, err), err);
    for (uint64_t i = 1; i <= clients; i++)
        begin_session(writer, i, err);
    /* Every client has one query under way; which one is answered next is chance. */
    static uint64_t requests[CLIENTS_MAX];
    static bool waits[CLIENTS_MAX], prepared[CLIENTS_MAX];
    uint64_t random = 20261120, sent = 0, answered = 0;
    int64_t at_us = 0;
    while (answered < queries) {
        size_t i = below(&random, clients);
        if (waits[i]) {
            write_answer(writer, i + 1, requests[i], &at_us, &random, err);
            waits[i] = false;
            answered++;
        } else if (sent < queries) {
            write_query(writer, i + 1, ++requests[i], &at_us, sent / TURN % 2, &prepared[i],
                        &random, err);
            waits[i] = true;
            sent++;
        }
    }
    struct workload_totals totals = {.is_complete = true};
    must(rh_workload_writer_flush(writer, err), err);
    uint64_t bytes = rh_workload_writer_bytes(writer);
    must(rh_workload_writer_finish(writer, &totals, err), err);
    rh_workload_writer_free(writer);
    return bytes;
}

static uint64_t read_all(const char *path, struct err *err)
{
    struct workload_reader *reader = NULL;
    must(rh_workload_reader_open(path, NULL, &reader, err), err);
    struct workload_source source = rh_workload_reader_source(reader);
    const struct workload_event *event = NULL;
    uint64_t events = 0;
    do {
        must(source.next(source.context, &event, err), err);
        events += event != NULL;
    } while (event != NULL);
    rh_workload_reader_free(reader);
    return events;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    uint64_t queries = argc > 2 ? strtoull(argv[2], NULL, 10) : TURN;
    uint64_t clients = argc > 3 ? strtoull(argv[3], NULL, 10) : 8;
    if (clients < 1 || clients > CLIENTS_MAX)
        return 2;
    struct err err = RH_ERR_INIT;
    struct mono start = rh_clock_mono();
    uint64_t bytes = write_all(argv[1], queries, clients, &err);
    double seconds = (double)(rh_clock_mono().us - start.us) / 1e6;
    printf("written: %.0f events/s, %.1f bytes a query, %lld kB of memory\n",
           2.0 * (double)queries / seconds, (double)bytes / (double)queries,
           (long long)memory_kb());
    start = rh_clock_mono();
    uint64_t events = read_all(argv[1], &err);
    seconds = (double)(rh_clock_mono().us - start.us) / 1e6;
    printf("read: %.0f events/s, %llu events, %lld kB of memory\n", (double)events / seconds,
           (unsigned long long)events, (long long)memory_kb());
    if (argc < 5 || strcmp(argv[4], "keep") != 0)
        unlink(argv[1]);
    return 0;
}
