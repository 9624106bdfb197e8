/*
 * One session under the second pass, as its files see it.
 *
 *   client ──messages──► gathered into units ──► server       second_pass_session.c
 *   unit: [BEGIN] [SAVEPOINT] statement [RELEASE]              second_pass_unit.c
 *   failed: ROLLBACK TO, questions, ROLLBACK TO, RELEASE       second_pass_ask.c
 *   answers of our own                                         second_pass_answers.c
 *
 *   STARTING ──first ReadyForQuery──► READY ◄──────────────────────────────┐
 *                                      │ Query, Execute, Sync, Flush       │ answered
 *                                      ▼                                   │
 *                                    BUSY ──CopyInResponse──► COPYING ─────┤
 *                                      │ error that goes to the client     │
 *                                      └──► SKIPPING ──Sync────────────────┘
 *
 * A unit is one statement: a piece of a simple query's string, or the messages up to an Execute,
 * Sync or Flush. One is under way at a time; each thing sent to the server ends in a ReadyForQuery,
 * which never reaches the client: the client gets one of ours when its Query or Sync is dealt with.
 * What runs in one implicit transaction (several statements of one string, or of one pipeline) gets
 * an explicit one around it.
 */
#ifndef RH_TRACE_SECOND_PASS_INT_H
#define RH_TRACE_SECOND_PASS_INT_H

#include "sql/facts.h"
#include "sql/split.h"
#include "trace/script_place.h"
#include "trace/second_pass.h"

/* --- second_pass_names.c: prepared statements and portals of a session --- */

#define NAMES_MAX 10000u

struct name {
    struct name *next;
    char *name, *sql;
    bool is_phantom; /* the server does not have it: we answer for it */
};
struct names {
    struct name *prepared, *portals;
    size_t count;
};
void rh_names_deinit(struct names *names);
struct name *rh_names_find(struct name *list, const char *name);
/* Replaces what had the name. False when there are too many. */
bool rh_names_set(struct names *names, struct name **list, const char *name, struct text sql,
                  bool is_phantom);
void rh_names_remove(struct names *names, struct name **list, const char *name);
void rh_names_clear_portals(struct names *names);

/* --- second_pass_answers.c: messages of our own, pure --- */

/* A frontend message of the extended protocol whose answer is awaited. */
struct expected {
    char type;   /* 'P', 'B', 'C', 'D', 'E' */
    char target; /* of a Describe: 'S' or 'P' */
    bool is_phantom;
    const char *name; /* of a Parse: the statement; of a Bind: the portal */
    const char *sql;  /* of the statement; NULL: unknown */
};
/* What stands for success: the answer to one message. */
void rh_answer_expected(struct buf *out, const struct expected *expected);
/* CommandComplete, with a count of 0 where the tag has one. */
void rh_answer_complete(struct buf *out, const char *sql);
void rh_answer_ready(struct buf *out, char status);
/* To the server: `sql` in the extended protocol, which leaves the client's unnamed statement and
   portal alone; ends in Sync. */
void rh_ask_command(struct buf *out, const char *sql);
/* To the server: a simple query. */
void rh_ask_query(struct buf *out, struct text sql);
void rh_ask_sync(struct buf *out);

/* --- second_pass_needs.c: pure --- */

/* Something that was not done: the text of a statement that was skipped. */
struct skipped {
    const char *sql;
    int blocker;
};
/* The blocker that must have made what this error misses; -1: none did. */
int rh_needs_find(const struct server_message *error, const char *sql,
                  const struct skipped *skipped, size_t count);

/* --- the pass --- */

/* What the first pass saw fail. */
struct first_failure {
    const char *sql;
    char sqlstate[6];
    bool is_survived; /* the tool asked for it and went on */
};

struct second_pass {
    struct second_pass_options options;
    VEC(struct first_failure) first;
    struct guarded *sessions;
    int step, line, column;
    struct script_place script;
    bool drops_rows;

    int64_t statement_count;
    VEC(struct blocker) blockers;
    VEC(struct skipped) skipped;
    const char *incomplete;
    const char *left_error; /* the last error that went through and was not known before */
};

enum phase {
    PHASE_STARTING,
    PHASE_READY,
    PHASE_BUSY,
    PHASE_COPYING,  /* busy, and the client sends the rows of a COPY */
    PHASE_SKIPPING, /* an error went to the client: dropped up to its Sync */
    PHASE_ENDED     /* the session is gone; freed when no function is on the stack */
};

struct guarded;
typedef void next_fn(struct guarded *guarded);

struct unit {
    bool is_extended;
    bool is_ours;   /* the COMMIT of a transaction that we opened */
    bool is_opaque; /* too large to look at: streams through */
    bool has_execute, has_bind, ends_in_sync;
    const char *sql; /* the statement; NULL: none (Close, Describe) */
    int line, column;
    struct sql_facts facts;
    char status_before;
    bool has_savepoint;
    /* CONCURRENTLY: the invalid indexes before it, "16402,16409"; NULL: not asked. */
    const char *invalid_before;
    VEC(struct expected) expected; /* of the extended protocol */
    size_t answered;
};

/* Answers to a question, in guarded.answer_arena. */
struct answer {
    size_t columns, rows, bytes;
    VEC(const char *) values;
};

struct guarded {
    struct second_pass *pass;
    struct guarded *next;
    struct tap_session *tap_session; /* NULL once closed */
    unsigned depth;                  /* functions of ours on the stack */
    enum phase phase;
    char status; /* of the last ReadyForQuery */
    bool drops_rows;
    struct loop_timer *deadline;
    struct names names;
    struct buf unnamed; /* the client's last Parse of the unnamed statement, empty: none */
    VEC(char *) savepoints;
    struct arena *transaction_arena; /* savepoints, made */
    VEC(const char *) made;          /* statements of this transaction that went well */

    /* What is gathered, and the batch: all of a Query's string. */
    struct buf pending;
    struct arena *unit_arena, *batch_arena;
    struct unit unit;
    struct sql_script batch;
    size_t batch_next;
    bool has_batch;
    int batch_line, batch_column;
    bool wraps; /* the transaction is one that we opened for an implicit one */

    /* The exchange under way. */
    bool is_relayed; /* the client gets the answers */
    next_fn *then;
    bool has_failed;
    struct buf error_bytes;
    struct server_message error;
    struct arena *error_arena, *answer_arena;
    struct answer answer;

    bool copies_in, copies_out, copy_failed, copy_ended;

    /* The inquiry under way. */
    struct inquiry *inquiry;
    struct blocker *blocker; /* being filled; in the arena of the run */
    const char *question;
    unsigned question_count;
    bool question_failed;
    struct server_message question_error; /* in answer_arena */
    bool asks_commit;                     /* deferred constraints, before the COMMIT */
};

/* second_pass.c */
/* Errors of a kind that says nothing about the data: the tool deals with them, or dies of them. */
bool rh_second_pass_is_circumstance(const char *sqlstate);
enum first_verdict { FIRST_UNKNOWN, FIRST_FAILED, FIRST_SURVIVED };
enum first_verdict rh_second_pass_first(const struct second_pass *pass, const char *sql,
                                        const char *sqlstate);
/* Ends the session and says why the pass is incomplete. */
void rh_guarded_give_up(struct guarded *guarded, const char *fmt, ...) RH_PRINTF(2, 3);
void rh_second_pass_incomplete(struct second_pass *pass, const char *reason);

/* second_pass_session.c */
struct tap_handler rh_guarded_handler(struct second_pass *pass);
void rh_guarded_free(struct guarded *guarded);
/* Sends; `then` comes with the ReadyForQuery. */
void rh_guarded_command(struct guarded *guarded, const char *sql, next_fn *then);
void rh_guarded_question(struct guarded *guarded, const char *sql, next_fn *then);
void rh_guarded_exchange(struct guarded *guarded, struct text bytes, bool is_relayed,
                         next_fn *then);
void rh_guarded_to_client(struct guarded *guarded, const struct buf *bytes);
/* Ready for what the client sends next. */
void rh_guarded_resume(struct guarded *guarded);

/* second_pass_unit.c */
/* A simple query's string. */
void rh_unit_begin_batch(struct guarded *guarded, struct text sql);
/* The gathered messages of the extended protocol. */
void rh_unit_begin_pending(struct guarded *guarded, bool ends_in_sync);
/* A message too large to be looked at is forwarded by the tap. */
void rh_unit_begin_opaque(struct guarded *guarded);
/* A Sync with nothing before it. */
void rh_unit_finish_batch(struct guarded *guarded);
/* The client ended its COPY, which had failed. */
void rh_unit_answer_client(struct guarded *guarded);
/* The COMMIT whose deferred constraints were asked about: it fails, and ends the transaction. */
void rh_unit_run_commit(struct guarded *guarded);
/* It failed, and all is asked: takes away what it left, then answers the client. */
void rh_unit_clean_up(struct guarded *guarded);
/* The unit is dealt with. */
void rh_unit_end(struct guarded *guarded);

/* second_pass_ask.c */
/* The unit failed, its savepoint is rolled back; goes on with `then` when all was asked and
   everything asked is rolled back. */
void rh_ask_begin(struct guarded *guarded);

#define SAVEPOINT_UNIT "rehearse_second_pass"
#define SAVEPOINT_QUESTION "rehearse_question"

#endif
