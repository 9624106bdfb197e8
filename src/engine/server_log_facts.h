/*
 * What a server's own log says about a statement, told apart by the engine (engine->log_fact):
 * exact, free, and seen without touching the session. Plain data. Names are as the server logs
 * them: not qualified and not quoted, so they are matched against relations already known to be
 * involved.
 */
#ifndef RH_ENGINE_SERVER_LOG_FACTS_H
#define RH_ENGINE_SERVER_LOG_FACTS_H

#include <stdint.h>

enum log_fact_kind {
    LOG_FACT_TEMPORARY_FILE, /* bytes: a temporary file was removed, this was its size */
    LOG_FACT_REWRITE,        /* relation is being rewritten */
    LOG_FACT_VERIFY, /* relation is scanned to check a constraint; or a foreign key: constraint */
    LOG_FACT_INDEX_BUILD, /* index of relation is being built */
    LOG_FACT_SCAN_SPARED, /* constraints of relation (or of its column) prove what a scan would */
    LOG_FACT_STATEMENT,   /* a statement inside a function ended: query_text, duration_us */
    LOG_FACT_LOCK_WAIT,   /* a session waits or waited long for a lock: duration_us, query_text NULL
                           */
    LOG_FACT_DEADLOCK,    /* a deadlock was found (detail in the entry) */
    LOG_FACT_CRASH        /* a server process died: reason; every session is thrown out */
};

struct log_fact {
    enum log_fact_kind kind;
    const char *relation, *index, *column, *constraint; /* NULL: not said */
    int64_t parallel_workers;                           /* asked for by a build; 0: none */
    int64_t bytes;                                      /* -1: not said */
    int64_t duration_us;                                /* -1: not said */
    const char *query_text;
    int64_t pid;        /* of the process that died, or of the waiting session; 0: not said */
    const char *reason; /* "terminated by signal 9" */
};

#endif
