/*
 * Driving a step through the tap: what perform.c, drive_sql.c and drive_command.c share.
 */
#ifndef RH_TRACE_DRIVE_INT_H
#define RH_TRACE_DRIVE_INT_H

#include "base/arena.h"
#include "net/loop.h"
#include "trace/perform.h"

/* How long sessions may take to close after their client has ended. */
#define DRAIN_MAX_US (5 * 1000 * 1000)

struct drive {
    const struct performance_options *options;
    const struct audience *audience;
    struct arena *arena;
    struct loop *loop;
    struct tap *tap;
    struct connection_parameters role; /* the migration role, to the tap's own Unix socket */
    bool server_died;                  /* its pidfd became readable: the loop was stopped */
};

/*
 * Both drive one step to its end and fill *step. RH_ERR_TIMEOUT and RH_ERR_INTERRUPTED when it was
 * cut short; with server_died they return RH_OK and not ok. Other errors mean that the step could
 * not be driven at all.
 */
enum err_code rh_drive_sql(struct drive *drive, const struct migration_step *from, int index,
                           struct performed_step *step, struct err *err) RH_MUST_CHECK;
enum err_code rh_drive_command(struct drive *drive, const struct migration_step *from, int index,
                               struct performed_step *step, struct err *err) RH_MUST_CHECK;

/* Runs the loop until no session of the tap is open, or DRAIN_MAX_US. */
enum err_code rh_drive_drain(struct drive *drive, struct err *err) RH_MUST_CHECK;

static inline void rh_drive_place(const struct drive *drive, int step, int line, int column)
{
    if (drive->audience->place)
        drive->audience->place(drive->audience->context, step, line, column);
}

#endif
