/*
 * The observer: what can be seen of the migration's sessions from outside, on connections of its
 * own.
 *
 * Three jobs on one loop: (1) boundary reads, asked for by trace while the tap holds a message;
 * (2) a sampler, every few milliseconds while a statement runs, of locks, waits and who blocks
 * whom; (3) probes: canary sessions that try a one-row read and a writer's lock on tables the
 * migration locked, only while it holds or awaits a lock there that blocks them. It reports through
 * callbacks and never decides what is bad. Losing its connection is reported once.
 */
#ifndef RH_OBSERVE_OBSERVER_H
#define RH_OBSERVE_OBSERVER_H

#include "base/arena.h"
#include "base/err.h"
#include "engine/engine.h"
#include "model/trace.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct observer;

/* A relation as the catalogue knew it; from before the run, or looked up since. */
struct observed_relation {
    int64_t id, storage_id, table_id;
    const char *name, *kind, *table; /* table: the one it belongs to, itself for a table */
    int64_t rows_estimate, bytes; /* NOT_OBSERVED: never analysed; bytes 0 for the system's own */
    int64_t rows_now;             /* of a table: the estimate as last read, or as before the run */
    bool preexisting, is_system;
    bool is_empty; /* proven by a read before the run */
};

struct observed_lock {
    int64_t pid, relation_id;
    const char *mode;
    bool granted;
    int64_t wait_start_us; /* server wall clock, 0: not waiting or unknown */
    const char *waits_for; /* text as struct lock.waited_for, NULL */
    bool is_ours;          /* of a watched session; else it waits behind one */
};

struct boundary {
    int64_t wal_position;              /* bytes */
    int64_t server_clock_us;           /* since 1970 */
    const struct observed_lock *locks; /* all held by the session at this moment */
    size_t lock_count;
};

struct sample {
    int64_t taken_at_us; /* wall clock since 1970, server's */
    const struct observed_lock *locks;
    size_t lock_count;
};

struct observer_handler {
    void *context;
    void (*sampled)(void *context, const struct sample *sample);
    void (*lost)(void *context, const struct err *err);
};

struct observer_options {
    const struct engine *engine;
    struct connection_parameters superuser;
    struct loop *loop;
    const char *evidence_secret;
    int64_t sampling_interval_us; /* 0: 2 ms growing to 10 ms while one statement runs long */
    struct observer_handler handler;
};

/* Blocking: connects, installs the evidence, reads the catalogue as it is before the run. */
enum err_code rh_observer_new(const struct observer_options *options, struct mono deadline,
                              struct observer **ret_observer, struct err *err) RH_MUST_CHECK;
/* Not from within a callback. Pending requests are dropped without an answer. */
void rh_observer_free(struct observer *observer);

/* NULL when the relation is not known yet (created by the run): ask again after a refresh. */
const struct observed_relation *rh_observer_find(const struct observer *observer,
                                                 int64_t relation_id);
/* Whether a message of the server's, which names no schema and sets no quotes, may mean it. */
bool rh_observed_is_named(const struct observed_relation *relation, const char *bare);
/* The only table of the users' with such a name. NULL: there is none, or there are several. */
const struct observed_relation *rh_observer_find_bare(const struct observer *observer,
                                                      const char *bare);
/* A relation that the run itself made, as the server reported it from inside; its texts are copied.
   What is known already stays. kind NULL: not known; table NULL: itself. */
void rh_observer_learn(struct observer *observer, int64_t relation_id, const char *kind,
                       const char *name, int64_t table_id, const char *table);

/* Sessions to sample, by backend pid. */
void rh_observer_watch(struct observer *observer, int64_t pid);
void rh_observer_unwatch(struct observer *observer, int64_t pid);
/* Sampling runs while at least one statement runs. */
void rh_observer_statement_started(struct observer *observer);
void rh_observer_statement_ended(struct observer *observer);

/* Asynchronous; fn is called once, also when the observer is lost (boundary NULL). */
typedef void boundary_fn(void *context, const struct boundary *boundary);
void rh_observer_read_boundary(struct observer *observer, int64_t pid, boundary_fn *fn,
                               void *context);
/* As above without locks: the position and the clock alone. 10 us of the server's time on 15, where
   a boundary takes 40 and 0.7 more per lock held. */
void rh_observer_read_position(struct observer *observer, boundary_fn *fn, void *context);
/* Which relations have another storage now than at the last call: rewritten and committed. Also
   learns new relations. Asynchronous; `changed` is NULL when lost. */
struct storage_change {
    int64_t relation_id;
    const char *name, *kind;
    bool preexisting;
    int64_t bytes; /* of the new storage */
};
typedef void storage_fn(void *context, const struct storage_change *changes, size_t count,
                        bool known);
void rh_observer_read_storage(struct observer *observer, storage_fn *fn, void *context);

/*
 * Begins (or goes on) probing a relation while it is locked; ends it. Call it only for a relation
 * that the migration was seen to hold or await a blocking lock on: canaries take a reader's or
 * writer's lock themselves. Each tries about every 10 ms, one lock in a transaction of its own. An
 * index is probed as such and counts for its table. What did not exist before the run, the system's
 * relations and sequences are not probed; at most PROBED_RELATIONS_MAX relations are at a time. An
 * attempt still waiting when probing ends is measured to its end.
 */
#define PROBED_RELATIONS_MAX 8
/* An attempt that takes longer waited: twenty times what one takes undisturbed (0.1 to 0.5 ms on
   two busy cores), and a fiftieth of what people notice. */
#define PROBE_WAIT_US 10000
void rh_observer_probe(struct observer *observer, int64_t relation_id, bool reads, bool writes);
void rh_observer_probe_end(struct observer *observer, int64_t relation_id);

struct observer_statistics {
    int64_t sample_count;
    /* The longest time in which a statement ran and no sample was completed: what was shorter may
       have gone unseen by the sampler. */
    int64_t longest_gap_us;
    int64_t interval_us; /* the shortest between samples that was asked for */
    int64_t peak_database_bytes, database_bytes_before; /* with temporary files; NOT_OBSERVED */
};
struct observer_statistics rh_observer_statistics(const struct observer *observer);
/*
 * Blocking, at the end: fills probes, leftovers (those of before are told apart), evidence_intact,
 * disk growth and peak (absolute bytes), sampling statistics, observer_lost, and adds to
 * not_observed; texts in trace->arena. What lies in memory is filled first, so that it stands also
 * when the server cannot be asked any more (an error, or observer_lost with RH_OK when that was
 * reported before).
 */
enum err_code rh_observer_finish(struct observer *observer, struct trace *trace,
                                 struct mono deadline, struct err *err) RH_MUST_CHECK;

#endif
