/*
 * What the recorder's files share: recorder.c (life cycle, places), recorder_session.c (the tap's
 * sessions and holds), recorder_statement.c (statements and transactions), recorder_message.c
 * (errors and notices), recorder_observe.c (evidence, boundaries, samples), recorder_settle.c (what
 * is known only when a transaction ended), recorder_log.c (the server's log) and recorder_events.c.
 */
#ifndef RH_TRACE_RECORDER_INT_H
#define RH_TRACE_RECORDER_INT_H

#include "trace/conversation.h"
#include "trace/lock_book.h"
#include "trace/recorder.h"
#include "trace/script_place.h"

/* A hold that the observer does not answer ends after this long. */
#define HOLD_MAX_US (5 * 1000 * 1000)
/* Bodies the tap collects: a report with the other fields of its notice (its context may be as long
   as the statement's text); statements are kept up to STATEMENT_TEXT_MAX. */
#define BODY_MAX (EVIDENCE_BYTES_MAX + 256 * 1024)
/* Commands may nest (functions that call functions); deeper ones share the last frame. */
#define FRAMES_MAX 8
/* Statements kept in a trace and the bytes of their texts; beyond, texts are cut to SHORT_TEXT_MAX.
 */
#define STATEMENTS_MAX 100000
#define TEXTS_MAX (64 * 1024 * 1024)
#define SHORT_TEXT_MAX 200
/* Columns kept of the text that opened a transaction. */
#define OPENER_COLUMNS 80
/* Sessions kept in a trace. */
#define SESSIONS_MAX 10000
/* Statements that wait for one boundary (a pipeline); beyond, they are settled without it. */
#define BATCH_MAX 1000

struct recorder_session;

/* Where something belongs inside a statement: itself, its child, that one's child. */
struct place {
    int statement; /* index into trace.statements, -1: none */
    int child, grandchild;
};
#define PLACE_NONE ((struct place){-1, -1, -1})

/* A statement while it runs and until its session's next boundary. */
struct running {
    int index; /* into trace.statements; -1: none, or not recorded */
    bool is_active;
    bool has_error;
    bool saw_end;       /* evidence of the end of the client's own command */
    bool saw_evidence;  /* any */
    bool is_concurrent; /* it did its work in transactions of its own, without the lock */
    int64_t sample_count;
    int64_t wal_position; /* at its end, as it reported itself; 0: not */
    /* Pieces of a multi-statement string (session->pieces); 0: one command. */
    size_t piece_count, piece; /* that runs now */
    size_t completed;          /* whose CommandComplete came: at most `piece` */
    struct place piece_place;
    /* A piece took locks that no report in its transaction showed afterwards. */
    bool has_unseen_piece, lost_piece;
    bool is_incomplete; /* a report left something out */
    bool moves_data;    /* dropped or rewrote an existing relation of some size */
    /* Commands under way, by depth (evidence.depth). */
    struct frame {
        bool is_open;
        int64_t start_us;
        struct place place;
    } frames[FRAMES_MAX];
};

/* An index that a command made or dropped, until its table is known. */
struct pending_index {
    struct place place;
    int64_t relation_id, table_id;
    const char *identity, *table;
    bool is_concurrent;
};
struct pending_rewrite {
    struct place place;
    int64_t relation_id;
    size_t item; /* index in the statement's rewrites */
};
/* An index that was built, as the log has it: names without schema and quotes. */
struct index_build {
    int statement;
    const char *index, *table;
    bool is_parallel;   /* what the workers read, the session does not count */
    bool is_concurrent; /* the table is read again to validate it */
};
struct pending_scan {
    int64_t relation_id;
    int64_t scans, rows; /* as last reported in this transaction */
};

struct recorder_session {
    struct recorder_session *next;
    struct recorder *recorder;
    struct tap_session *tap_session; /* NULL once closed */
    struct conversation *conversation;
    int index; /* into trace.sessions; -1: beyond SESSIONS_MAX */
    int64_t pid;
    char status;         /* of the last ReadyForQuery; 0 before the first */
    unsigned references; /* the tap's, and one per answer under way */

    struct running running;
    struct arena *batch_arena;
    VEC(struct running) batch; /* ended since the last boundary */

    /* The transaction under way; its memory is cleared when it is settled. */
    int transaction; /* index into trace.transactions, -1: none */
    bool is_explicit;
    bool has_ended;                /* but is not settled yet */
    bool may_have_changed_storage; /* its commit is followed by a look at the storage */
    bool has_strong_lock;          /* on an existing relation, by a command that reports itself */
    int64_t transaction_end_us;
    struct arena *arena;
    struct lock_book locks;
    int64_t last_observed_us; /* of its locks, completely */
    VEC(int) statements;      /* of the transaction, at most BATCH_MAX */
    VEC(struct pending_index) indexes;
    VEC(struct pending_rewrite) rewrites;
    VEC(struct pending_scan) scans;
    VEC(struct index_build) builds;
    VEC(int64_t) probed;

    /* ReadyForQuery held. */
    bool is_holding;
    bool awaits_boundary, awaits_storage;
    unsigned stale_boundaries, stale_storages; /* answers to come that belong to given-up holds */
    bool owes_storage; /* a change was committed where storage could not be read at once */
    struct loop_timer *hold_timer;

    struct arena *pieces_arena; /* of the running statement */
    VEC(struct text) pieces;
};

/* Reasons why locks were not observed, with how many statements each concerns. */
#define NOT_OBSERVED_LIST(X)                                       \
    X(WHY_OBSERVED, "")                                            \
    X(WHY_SHORT, "shorter than the sampling gap")                  \
    X(WHY_NO_EVIDENCE, "the event triggers were disabled or gone") \
    X(WHY_FAILED, "failed before its locks could be read")         \
    X(WHY_PIPELINED, "sent in a pipeline")                         \
    X(WHY_OBSERVER_LOST, "the observer was lost")                  \
    X(WHY_NO_ANSWER, "the observer did not answer in time")        \
    X(WHY_UNFINISHED, "the run ended while it ran")                \
    X(WHY_OVERFLOW, "more locks than can be kept")                 \
    X(WHY_INCOMPLETE, "the report from inside the server was incomplete")
enum why_not_observed {
#define X(symbol, text) symbol,
    NOT_OBSERVED_LIST(X)
#undef X
        WHY_COUNT
};

/* A reading of the WAL position that no one waits for. */
struct wal_read {
    struct wal_read *next;
    struct recorder *recorder;
    int index; /* of the statement that ended before it */
};

/* PREPARE TRANSACTION: neither committed nor rolled back yet. Indexes into the trace. */
struct prepared_transaction {
    int session, transaction;
};

struct recorder {
    struct recorder_options options;
    struct trace *trace;
    struct observer *observer;
    struct recorder_session *sessions;
    size_t session_count; /* of the tap, ever */

    struct mono origin; /* the same moment as trace->started_at */
    int step, line, column;
    bool drops_rows;            /* of sessions that open now */
    struct script_place script; /* of a client that sends it in order */

    int64_t text_bytes;
    int64_t first_wal, last_wal; /* -1: none read yet */
    struct wal_read *wal_reads;  /* under way */
    size_t foreign_waiters;      /* locks that others awaited in the last sample */
    int64_t disk_bytes;          /* of the database files when last measured, -1 */
    int64_t dropped_statements;
    VEC(struct prepared_transaction) prepared;
    int64_t why_counts[WHY_COUNT];
    bool observer_lost, has_finished;
    struct lock_book
        touched; /* existing relations, as a set (mode ""), that stand in trace.relations */

    struct arena *scratch; /* of one message */
    struct server_log *log;
    struct arena *log_arena;
};

static inline struct statement *rh_recorder_statement(struct recorder *recorder, int index)
{
    return &recorder->trace->statements.items[index];
}
/* NULL for PLACE_NONE. Valid until the next statement or child is added. */
struct statement *rh_recorder_at(struct recorder *recorder, struct place place);
/* Adds a child below `place` (a statement or its child); PLACE_NONE beyond CHILDREN_MAX. */
struct place rh_recorder_add_child(struct recorder *recorder, struct place place, struct text sql,
                                   int64_t start_us);
/* Where the running command's own facts go: the piece of a multi-statement string, or itself. */
struct place rh_recorder_home(const struct recorder_session *session);
/* The last statement that ran in this session since the boundary: running, or the batch's last. */
struct running *rh_recorder_current(struct recorder_session *session);
/* Trace time of the server's clock, not before `floor_us` and not after now. */
int64_t rh_recorder_server_time(const struct recorder *recorder, int64_t server_us,
                                int64_t floor_us);

void rh_recorder_init_statement(struct statement *statement);
/* The text as kept: without passwords, cut at a character. */
const char *rh_recorder_keep_text(struct recorder *recorder, struct text sql);
/* Sets line and column of the statement to come from the script that is sent. */
void rh_recorder_find_in_script(struct recorder *recorder, struct text sql);

/* recorder_statement.c: members of conversation_handler, context is the session */
int rh_recorder_on_begun(void *context, const struct conversation_statement *begun);
void rh_recorder_on_resumed(void *context, int token);
void rh_recorder_on_completed(void *context, struct text tag, int64_t rows, int64_t at_us);
void rh_recorder_on_ended(void *context, bool ok, bool suspended, int64_t at_us);
/* The running piece of a multi-statement string is over. */
void rh_recorder_next_piece(struct recorder_session *session, int64_t at_us);
void rh_recorder_finish_place(struct statement *statement, bool ok, int64_t at_us);
/* A tag by its words, where the server gave none. */
void rh_recorder_label(struct recorder *recorder, struct statement *statement);
/* opened_by NULL: an implicit one. */
void rh_recorder_begin_transaction(struct recorder_session *session, int64_t start_us,
                                   const char *opened_by, int opened_by_statement);
/* A transaction block began in what ran already; index of the statement, -1: unknown. */
void rh_recorder_make_explicit(struct recorder_session *session, const char *opened_by, int index);
/* It is over, but not settled yet; no-op when there is none. */
void rh_recorder_end_transaction(struct recorder_session *session, bool committed, int64_t at_us);

/* recorder_message.c */
void rh_recorder_on_failed(void *context, const struct pg_message *error, bool has_statement,
                           int64_t at_us); /* of conversation_handler */
/* True when it was a report of ours, which the client must not see. */
bool rh_recorder_on_notice(struct recorder_session *session, const struct pg_message *notice);
const char *rh_recorder_keep(struct recorder *recorder, const char *value); /* NULL stays NULL */

/* recorder_session.c */
void rh_recorder_on_ready(void *context, char status, bool pipelined,
                          int64_t at_us); /* of conversation_handler */
/* What runs or is open is cut off now; has_closed: the session is gone. */
void rh_recorder_cut_session(struct recorder_session *session, bool has_closed);
void rh_recorder_session_release(struct recorder_session *session);

/* recorder_observe.c */
bool rh_recorder_is_table(const char *kind); /* what holds rows of its own; NULL is none */
bool rh_recorder_take_evidence(struct recorder_session *session, const char *detail);
void rh_recorder_take_boundary(struct recorder_session *session, const struct boundary *boundary);
/* The WAL position after a statement (index, -1: none in particular). */
void rh_recorder_take_wal(struct recorder *recorder, int index, int64_t position);
void rh_recorder_take_sample(struct recorder *recorder, const struct sample *sample);
/* Names an entry of the book from the observer's catalogue. */
void rh_recorder_name_lock(struct recorder_session *session, struct held_lock *held);

/* recorder_settle.c */
/* One lock of the book becomes one of its statement. */
void rh_recorder_settle_lock(struct recorder_session *session, struct held_lock *held,
                             int64_t end_us);
/* The transaction ended (has_ended): its locks become those of its statements, its memory goes.
   `changes` may be NULL. */
void rh_recorder_settle_transaction(struct recorder_session *session,
                                    const struct storage_change *changes, size_t change_count);
/* The statements of the batch are final; WHY_OBSERVED: inside a transaction the locks were read (or
   reported), else the reason why not. */
void rh_recorder_settle_batch(struct recorder_session *session, enum why_not_observed why_not);
/* Ends probes and whatever else lasts as long as the transaction. */
void rh_recorder_end_probes(struct recorder_session *session);
/* Whether its locks are known without asking: it reported them itself, or takes none by nature. */
bool rh_recorder_needs_no_locks(const struct recorder_session *session,
                                const struct running *running);
/* Whether the transaction that ended may have given an existing relation new storage. */
bool rh_recorder_needs_storage(const struct recorder_session *session);
bool rh_recorder_is_control(const char *tag); /* takes no lock on a relation by nature */
bool rh_recorder_tag_may_change_storage(const char *tag); /* without reporting it from inside */

int64_t rh_recorder_disk_bytes(struct recorder *recorder); /* of the database files, -1: unknown */

/* recorder_log.c */
void rh_recorder_read_log(struct recorder *recorder);

/* recorder_events.c */
void rh_event_statement_started(struct recorder *recorder, int index);
void rh_event_statement_ended(struct recorder *recorder, int index);
void rh_event_evidence(struct recorder_session *session, const struct evidence *evidence);
void rh_event_boundary(struct recorder *recorder, int index, int64_t wal_position);
/* A lock seen for the first time, or granted after a wait. */
void rh_event_lock(struct recorder_session *session, const struct held_lock *held,
                   const char *source);
/* So many locks are awaited by others behind the migration. */
void rh_event_waiters(struct recorder *recorder, size_t count);
void rh_event_probe(struct recorder_session *session, const char *relation, bool reads,
                    bool writes);
void rh_event_message(struct recorder_session *session, const struct server_message *message);
void rh_event_transaction_ended(struct recorder *recorder, int index);

#endif
