/* The ledger of a capture, and its page of figures. */
#include "workload/capture_int.h"

#include <inttypes.h>

/* --- the ledger ------------------------------------------------------------------------------- */

static const char *const path_gap_names[] = {
#define X(symbol, name, detail) name,
    CAPTURE_GAP_LIST(X)
#undef X
};
static const char *const path_gap_details[] = {
#define X(symbol, name, detail) detail,
    CAPTURE_GAP_LIST(X)
#undef X
};
static const char *const recorder_gap_names[] = {
#define X(symbol, name, detail) name,
    RECORDER_GAP_LIST(X)
#undef X
};
static const char *const recorder_gap_details[] = {
#define X(symbol, name, detail) detail,
    RECORDER_GAP_LIST(X)
#undef X
};

static void add_gap(struct arena *arena, struct workload_totals *totals, const char *kind,
                    int64_t count, const char *detail)
{
    if (count > 0)
        *RH_PUSH(arena, &totals->gaps) = (struct workload_gap){kind, count, detail};
}

static void add_note(struct arena *arena, struct workload_totals *totals, const char *note)
{
    *RH_PUSH(arena, &totals->fidelity.notes) = note;
}

static const char *path_detail(struct arena *arena, const struct capture_path_figures *path,
                               size_t gap)
{
    char text[32];

    if (gap == GAP_COPY_DATA)
        return rh_arena_printf(arena, "%" PRId64 " %s", path->left_out_bytes,
                               path_gap_details[gap]);
    if (gap == GAP_PAUSED) {
        rh_duration_format(path->paused_us, text);
        return rh_arena_printf(arena, "%s; %s in all", path_gap_details[gap], text);
    }
    return path_gap_details[gap];
}

void rh_capture_totals(struct arena *arena, const struct capture *capture,
                       const struct capture_path_figures *path,
                       const struct capture_recorder_figures *recorder, const struct err *failure,
                       struct workload_totals *ret_totals)
{
    bool is_masked = capture->about.is_masked;
    struct workload_totals totals = {
        .is_complete = !failure,
        .fidelity = {.order = GRADE_EXACT,
                     .types = capture->knows_types ? GRADE_EXACT : GRADE_PARTIAL,
                     .parameters = is_masked ? GRADE_PARTIAL : GRADE_EXACT,
                     .timing = GRADE_EXACT,
                     .transactions = GRADE_EXACT,
                     .copy = is_masked ? GRADE_PARTIAL : GRADE_EXACT},
    };

    for (size_t i = 0; i < CAPTURE_GAP_COUNT; i++)
        add_gap(arena, &totals, path_gap_names[i], path->gaps[i], path_detail(arena, path, i));
    for (size_t i = 0; i < RECORDER_GAP_COUNT; i++)
        add_gap(arena, &totals, recorder_gap_names[i], recorder->gaps[i], recorder_gap_details[i]);
    if (failure)
        add_gap(arena, &totals, "recording-failed", 1, rh_arena_strdup(arena, failure->message));
    if (path->gaps[GAP_COPY_DATA] > 0)
        totals.fidelity.copy = GRADE_PARTIAL;
    if (path->gaps[GAP_LONG_MESSAGE] > 0)
        totals.fidelity.parameters = GRADE_PARTIAL;
    if (path->gaps[GAP_SHED] > 0 || path->gaps[GAP_LOST_TRACK] > 0)
        totals.fidelity.order = totals.fidelity.transactions = GRADE_PARTIAL;
    if (!capture->knows_types)
        add_note(arena, &totals,
                 "the server's own types (enums, composites) are not known by name");
    if (is_masked)
        add_note(arena, &totals, "values are pseudonyms; results have no digests");
    *ret_totals = totals;
}

/* --- the page --------------------------------------------------------------------------------- */

static void add(struct buf *out, const char *name, const char *kind, const char *help,
                uint64_t value)
{
    rh_buf_printf(out,
                  "# HELP rehearse_capture_%s %s\n# TYPE rehearse_capture_%s %s\n"
                  "rehearse_capture_%s %" PRIu64 "\n",
                  name, help, name, kind, name, value);
}

static void add_gaps(struct buf *out, const struct capture_path_figures *path,
                     const struct capture_recorder_figures *recorder)
{
    rh_buf_add_str(out, "# HELP rehearse_capture_gaps_total What is not in the recording.\n"
                        "# TYPE rehearse_capture_gaps_total counter\n");
    for (size_t i = 0; i < CAPTURE_GAP_COUNT; i++)
        rh_buf_printf(out, "rehearse_capture_gaps_total{kind=\"%s\"} %" PRId64 "\n",
                      path_gap_names[i], path->gaps[i]);
    for (size_t i = 0; i < RECORDER_GAP_COUNT; i++)
        rh_buf_printf(out, "rehearse_capture_gaps_total{kind=\"%s\"} %" PRId64 "\n",
                      recorder_gap_names[i], recorder->gaps[i]);
}

void rh_capture_page(void *context, struct buf *out)
{
    const struct capture *capture = context;
    const struct capture_path_figures path = rh_capture_path_figures(capture->path);
    const struct capture_recorder_figures recorder = rh_capture_recorder_figures(capture->recorder);
    const struct capture_ring_use ring = rh_capture_ring_use(capture->ring);
    const struct tap_statistics tap = rh_tap_statistics(capture->tap);
    int64_t now_us = rh_clock_mono().us - capture->began.us;
    int64_t lag_us = ring.ring_used + ring.spill_used > 0 ? now_us - recorder.recorded_us : 0;

    add(out, "sessions", "gauge", "Sessions that are open.", path.sessions_now);
    add(out, "recorded_sessions", "gauge", "Sessions of those that are recorded.",
        path.recorded_now);
    add(out, "sessions_total", "counter", "Sessions so far.", path.sessions);
    add(out, "refused_total", "counter", "Clients for whom the server could not be reached.",
        tap.refused_connections);
    add(out, "failed_handshakes_total", "counter", "TLS handshakes of clients that failed.",
        tap.failed_handshakes);
    add(out, "cancels_total", "counter", "Cancel requests.", tap.cancels);
    add(out, "client_bytes_total", "counter", "Bytes from clients.", path.frontend_bytes);
    add(out, "server_bytes_total", "counter", "Bytes from the server.", path.backend_bytes);
    add(out, "answers_total", "counter", "Answers: the server was ready again.", path.queries);
    add(out, "recording", "gauge", "1 while it records.", path.is_recording);
    add(out, "records_total", "counter", "Records that the path wrote.", path.records);
    add(out, "events_total", "counter", "Events that were recorded.", recorder.events);
    add(out, "patterns", "gauge", "Different patterns of queries.", recorder.patterns);
    add(out, "file_bytes", "gauge", "Bytes of the workload so far.", recorder.bytes);
    add(out, "ring_bytes", "gauge", "Room of the ring.", ring.ring_bytes);
    add(out, "ring_used_bytes", "gauge", "Bytes that wait in the ring.", ring.ring_used);
    add(out, "spill_bytes", "gauge", "Room of the spill file.", ring.spill_bytes);
    add(out, "spill_used_bytes", "gauge", "Bytes of the spill file that wait.", ring.spill_used);
    add(out, "lag_microseconds", "gauge", "How far the recorder is behind.",
        lag_us > 0 ? (uint64_t)lag_us : 0);
    add_gaps(out, &path, &recorder);
}
