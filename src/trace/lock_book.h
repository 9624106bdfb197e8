/*
 * The locks of one transaction as they are seen, one entry per relation and mode. Every observation
 * is a set: what is new in it was acquired after the observation before; what is missing from a
 * complete one was released. Pure.
 *
 * An entry's acquisition is the latest moment at which it was certainly not yet held, so that a
 * hold is never told too short.
 */
#ifndef RH_TRACE_LOCK_BOOK_H
#define RH_TRACE_LOCK_BOOK_H

#include "model/trace.h"

#include <stdbool.h>
#include <stdint.h>

/* Entries of one transaction; a schema of ten thousand partitions with their indexes fits. */
#define LOCK_BOOK_MAX 50000

struct held_lock {
    int64_t relation_id;
    const char *mode;
    const char *relation, *kind, *table; /* NULL: not known yet */
    int64_t table_id;                    /* 0: not known */
    bool preexisting, is_system, blocks_reads, blocks_writes;
    int statement;            /* index into trace.statements that acquired it */
    int child, grandchild;    /* inside it, -1: none */
    int64_t acquired_us;      /* -1: still waiting */
    int64_t waiting_since_us; /* -1: never waited */
    int64_t waited_us;
    const char *waited_for;
    int64_t last_seen_us;
    int64_t released_us; /* -1: held */
    enum observation observation;
    unsigned generation;
};

struct lock_book {
    struct held_lock *items;
    size_t count, capacity;
    uint32_t *slots; /* open addressing: index + 1, 0 empty */
    size_t slot_count;
    unsigned generation;
    bool overflowed; /* LOCK_BOOK_MAX was reached */
};

void rh_lock_book_init(struct lock_book *book);
void rh_lock_book_deinit(struct lock_book *book);
void rh_lock_book_clear(struct lock_book *book);

struct held_lock *rh_lock_book_find(struct lock_book *book, int64_t relation_id, const char *mode);

/* A lock as one observation shows it. */
struct lock_sight {
    int64_t relation_id;
    const char *mode; /* outlives the book */
    bool granted;
    int64_t wait_start_us;  /* when not granted; -1: unknown */
    const char *waited_for; /* copied by nobody: must outlive the book when the lock is new to it */
    enum observation observation;
};

/* Begins a set of sightings; its sightings follow, then perhaps rh_lock_book_release_missing. */
void rh_lock_book_observe(struct lock_book *book);
/*
 * Notes one sighting at at_us; not_before_us is the last moment it was certainly not held (the
 * observation before, or the statement's start). NULL when the book is full. *ret_is_new: the entry
 * was added; the caller then names its relation and its statement.
 */
struct held_lock *rh_lock_book_see(struct lock_book *book, const struct lock_sight *sight,
                                   int64_t at_us, int64_t not_before_us, bool *ret_is_new);
/* The entry begins anew: its next sighting gives it a statement again. */
void rh_lock_book_renew(struct held_lock *held);
/* The observation was complete: what it lacks, and was last seen before it, is released. */
void rh_lock_book_release_missing(struct lock_book *book, int64_t at_us);

/* Times as they stand in a trace, when the transaction ended at end_us; `granted_unseen`: the
   statement succeeded, so what it last was seen waiting for it got. */
struct lock_times {
    int64_t acquired_us, held_us, waited_us;
};
struct lock_times rh_lock_book_times(const struct held_lock *held, int64_t end_us,
                                     bool granted_unseen);

#endif
