/*
 * A report from inside the server: what one command did, as the migration's own session saw it. Plain
 * data; made by an engine's decode_evidence from a private notice, read by trace/.
 */
#ifndef RH_ENGINE_EVIDENCE_H
#define RH_ENGINE_EVIDENCE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

enum evidence_event {
    EVIDENCE_COMMAND_START, /* before the command took its locks */
    EVIDENCE_COMMAND_END,
    EVIDENCE_DROP,          /* objects went */
    EVIDENCE_REWRITE        /* a relation is about to be rewritten */
};

struct evidence_lock {
    int64_t relation_id;
    const char *relation, *kind, *table; /* as in struct lock */
    const char *mode;
};
struct evidence_command {
    const char *tag;         /* "ALTER TABLE" */
    const char *object_type; /* "table" */
    const char *identity;    /* public.users */
    int64_t relation_id;     /* 0: not a relation */
};
struct evidence_drop {
    const char *type, *identity;
    bool original, normal; /* named by the command; dropped by a normal dependency */
    int64_t relation_id;   /* of the table (also for a column); 0 */
};
struct evidence_scan {
    int64_t relation_id;
    const char *relation;
    int64_t scans, rows; /* cumulative inside the transaction */
};

struct evidence {
    enum evidence_event event;
    const char *tag;             /* of the command */
    int64_t server_clock_us;     /* since 1970, when the event happened */
    int64_t transaction_start_us;
    int64_t lock_timeout_ms, statement_timeout_ms;
    const char *statement;       /* innermost SQL text below the client's, NULL at top level */
    int depth;                   /* 0: the client's own command; 1..: inside DO, functions */
    VEC(struct evidence_lock) locks; /* all relation locks this session holds now */
    VEC(struct evidence_command) commands;
    VEC(struct evidence_drop) drops;
    VEC(struct evidence_scan) scans;
    int64_t rewrite_relation_id; /* for EVIDENCE_REWRITE */
    const char *rewrite_relation, *rewrite_reason; /* reason as in struct rewrite */
};

#endif
