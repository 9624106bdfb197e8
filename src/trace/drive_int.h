/*
 * Driving a step through the tap: what trace.c, drive_sql.c and drive_command.c share.
 */
#ifndef RH_TRACE_DRIVE_INT_H
#define RH_TRACE_DRIVE_INT_H

#include "base/arena.h"
#include "net/loop.h"
#include "tap/tap.h"
#include "trace/migration.h"
#include "trace/recorder.h"
#include "trace/trace.h"

/* How long sessions may take to close after their client has ended. */
#define DRAIN_MAX_US (5 * 1000 * 1000)

struct drive {
    const struct trace_options *options;
    struct arena *arena;
    struct trace *trace;
    struct loop *loop;
    struct tap *tap;
    struct recorder *recorder;
    struct connection_parameters role; /* the migration role, to the tap's own Unix socket */
    bool server_died;                  /* its pidfd became readable: the loop was stopped */
};

/*
 * Both drive one step to its end; *ret_ok says how it went. RH_ERR_TIMEOUT and RH_ERR_INTERRUPTED
 * when it was cut short; with server_died they return RH_OK and not ok. Other errors mean that the
 * step could not be driven at all.
 */
enum err_code rh_drive_sql(struct drive *drive, const struct migration_step *step, int index,
                           bool *ret_ok, struct err *err) RH_MUST_CHECK;
enum err_code rh_drive_command(struct drive *drive, const struct migration_step *step, int index,
                               bool *ret_ok, int *ret_exit_status, struct err *err) RH_MUST_CHECK;

/* Runs the loop until no session of the tap is open, or DRAIN_MAX_US. */
enum err_code rh_drive_drain(struct drive *drive, struct err *err) RH_MUST_CHECK;

#endif
