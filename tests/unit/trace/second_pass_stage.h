/*
 * The second pass between a scripted client and a server that knows a few words of SQL: FAIL is
 * refused with 23505, MISS with 42P01, HANG is never answered. One thread, turned by hand.
 */
#ifndef RH_TESTS_SECOND_PASS_STAGE_H
#define RH_TESTS_SECOND_PASS_STAGE_H

#include "trace/second_pass.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct stage {
    struct arena *arena;
    struct trace first;
    struct loop *loop;
    struct tap *tap;
    struct second_pass *pass;
    char directory[32], path[64];
    int listener, client, server;
    struct buf from_client; /* at the server, not dealt with yet */
    struct buf from_server; /* at the client */
    struct buf log;         /* what the server ran, '|' between */
    char status;
    bool skips, has_started, client_has_ended;
    char prepared[64][128]; /* SQL by first letter of the name */
    bool is_prepared[64];
    char bound[64];
};

void stage_open(struct stage *s, int64_t answer_max_us);
struct blockers stage_close(struct stage *s);
void turn(struct stage *s);
const char *types(struct stage *s);
size_t count_of(const struct stage *s, char wanted);
void await_ready(struct stage *s, size_t count);
void transmit(struct stage *s, struct text bytes);
void start(struct stage *s);
void query(struct stage *s, const char *sql);
void send_and_await(struct stage *s, const struct buf *out, size_t syncs);
void add_query(struct buf *out, const char *sql);
void add_parse(struct buf *out, char name, const char *sql);
void add_execute(struct buf *out, char name, bool describes);
void add_statement(struct buf *out, const char *sql);
void add_sync(struct buf *out);
bool begins(const char *sql, const char *word);

#define UNIT "rehearse_second_pass"
#define QUESTION "rehearse_question"
#define QUESTIONS                                                                                  \
    "SAVEPOINT " QUESTION "|COUNT 1|RELEASE SAVEPOINT " QUESTION "|SAVEPOINT " QUESTION "|FAIL 2|" \
    "ROLLBACK TO SAVEPOINT " QUESTION "|RELEASE SAVEPOINT " QUESTION

#endif
