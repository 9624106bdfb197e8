/* A capture, as its files see it. */
#ifndef RH_WORKLOAD_CAPTURE_INT_H
#define RH_WORKLOAD_CAPTURE_INT_H

#include "net/listen.h"
#include "store/workload_file.h"
#include "workload/capture.h"
#include "workload/metrics_server.h"

struct capture {
    const struct capture_options *options;
    struct arena *arena;
    struct mono began;

    struct loop *loop;
    struct tap *tap;
    struct listen_sockets sockets;
    struct capture_path *path;
    struct capture_ring *ring;
    struct capture_recorder *recorder;
    struct workload_writer *writer;
    struct metrics_server *metrics;
    struct loop_timer *tick, *limit, *yielding, *draining;
    struct capture_path_figures last_figures; /* of the path, when the ring was closed */
    struct workload_totals totals;            /* the recorder's thread makes them */
    struct arena *totals_arena;
    int ballast_fd; /* room on the disk for the end of the file; -1 */
    struct loop_watch *commands;
    int commands_fd; /* SIGUSR1 and SIGUSR2; -1 */

    struct url_upstream upstream;
    struct connection *connection; /* of our own, while we look at the server */
    struct workload_about about;
    struct catalog catalog;
    struct masking masking;
    struct value_mask *mask;
    bool knows_types;

    bool is_recorded;      /* the ring is closed: the recording is over */
    bool is_leaving;       /* nobody new comes in any more */
    bool has_told_failure; /* of the recorder */
    bool has_told_binding;
};

/* --- capture_about.c: what the server says of itself; the masking plan */

/* Fills `about` and, where there is one, `mask`. An upstream that does not let us in is no error
   without masking. */
enum err_code rh_capture_about(struct capture *capture, struct err *err) RH_MUST_CHECK;

/* --- capture_figures.c: the ledger and the page of figures */

/* `failure`: what ended the recording early; NULL. In `arena`. */
void rh_capture_totals(struct arena *arena, const struct capture *capture,
                       const struct capture_path_figures *path,
                       const struct capture_recorder_figures *recorder, const struct err *failure,
                       struct workload_totals *ret_totals);
void rh_capture_page(void *context, struct buf *out);

#endif
