/*
 * A report from inside the server: what one command did, as the migration's own session saw it.
 * Plain data; made by an engine's decode_evidence from a private notice, read by trace/.
 */
#ifndef RH_ENGINE_EVIDENCE_H
#define RH_ENGINE_EVIDENCE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* A report is at most this long, for whoever collects the notice that carries it. */
#define EVIDENCE_BYTES_MAX (1024 * 1024)

enum evidence_event {
    EVIDENCE_COMMAND_START, /* before the command took its locks */
    EVIDENCE_COMMAND_END,
    EVIDENCE_DROP,   /* objects went */
    EVIDENCE_REWRITE /* a relation is about to be rewritten */
};

struct evidence_lock {
    int64_t relation_id;
    const char *mode;
};
/* A relation made by the run, told once in a transaction that locks it, before or with the first
   report that shows the lock. Those from before the run the observer knows. */
struct evidence_relation {
    int64_t id;
    const char *kind, *name; /* as in struct lock, qualified; name NULL: not readable */
    int64_t table_id;        /* of an index: its table; else 0 */
    const char *table;       /* its name, NULL */
};
struct evidence_command {
    const char *tag;         /* "ALTER TABLE" */
    const char *object_type; /* "table" */
    const char *identity;    /* public.users */
    int64_t relation_id;     /* 0: not a relation */
    bool in_extension;       /* part of a CREATE or ALTER EXTENSION script */
};
struct evidence_drop {
    const char *type, *identity;
    bool original, normal; /* named by the command; dropped by a normal dependency */
    int64_t relation_id;   /* of the table or index (also for a column); 0 */
};
struct evidence_scan {
    int64_t relation_id;
    const char *relation;
    /* Sequential scans and rows they read, not yet sent to the statistics system: of this
       transaction so far, and of the session's earlier ones of about the last second. What one
       command read is the difference between its COMMAND_END and its COMMAND_START (absent there:
       0). */
    int64_t scans, rows;
};

struct evidence {
    enum evidence_event event;
    const char *tag;         /* of the command */
    int64_t server_clock_us; /* since 1970, when the event happened */
    int64_t transaction_start_us;
    int64_t lock_timeout_ms, statement_timeout_ms;
    const char *statement; /* innermost SQL text below the client's, NULL at top level */
    int depth;             /* 0: the client's own command; 1..: inside DO, functions */
    const char *frame;     /* where, innermost: "PL/pgSQL function f() line 3 at EXECUTE" */
    /* All relation locks this session holds now, weak ones on the system's own relations left out.
       A COMMAND_START of the client's only command at the time reports none: what it finds held
       was seen after the statement before. */
    VEC(struct evidence_lock) locks;
    VEC(struct evidence_relation) relations;
    int64_t locks_omitted; /* beyond what a report carries (10000; commands and drops: 1000) */
    int64_t commands_omitted, drops_omitted;
    const char *problem; /* a part could not be read: the server's message; NULL: complete */
    VEC(struct evidence_command) commands;
    VEC(struct evidence_drop) drops;
    VEC(struct evidence_scan) scans;
    int64_t wal_position;                          /* bytes, of a COMMAND_END; 0: not told */
    int64_t rewrite_relation_id;                   /* for EVIDENCE_REWRITE */
    const char *rewrite_relation, *rewrite_reason; /* reason as in struct rewrite */
};

#endif
